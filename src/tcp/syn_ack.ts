/**
 * What a listener makes of a SYN's options, and its SYN-ACK, whatever that is made from: a row of the SYN queue, a cookie,
 * a Fast Open connection.
 *
 * @module
 */
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { ectOfHandshake, grantsEcn } from "./ecn_open.ts";
import * as ESTABLISH from "./establish.ts";
import { NO_COOKIE } from "./fast_open_cookie.ts";
import * as HANDSHAKE from "./handshake.ts";
import { applySettings, believedMss, firstShift, settingIn } from "./handshake.ts";
import * as OFFER from "./offer.ts";
import type { Offer } from "./offer.ts";
import { announcedOnPath } from "./path_mtu.ts";
import type { TcpStack } from "./stack.ts";
import { SETTINGS, SYN_FLAG } from "./state/tcb.ts";
import { OPENING, SYN_OPTIONS } from "./opening.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { listenerSettings, synAckWindow } = ESTABLISH;
const { emitSyn, peerMss, peerShift, synField } = HANDSHAKE;
const { listenersOffer } = OFFER;

const opening = OPENING;
const synOptions = SYN_OPTIONS;

const { ECN: SYN_FLAG_ECN, SACK: SYN_FLAG_SACK, SCALING: SYN_FLAG_SCALING, TIMESTAMPS: SYN_FLAG_TIMESTAMPS } = SYN_FLAG;
const {
  ACK: P_ACK,
  CONTROL: P_CONTROL,
  DST: P_DST,
  LINK: P_LINK,
  PORTS: P_PORTS,
  SEQ: P_SEQ,
  SRC: P_SRC,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
  TS_ECR: P_TS_ECR,
  TS_VAL: P_TS_VAL,
  WINDOW_TTL_TOS: P_WINDOW_TTL_TOS,
} = PACKET;
const {
  HAS_SACK_PERMITTED: C_HAS_SACK_PERMITTED,
  HAS_TIMESTAMPS: C_HAS_TIMESTAMPS,
  HAS_WINDOW_SCALE: C_HAS_WINDOW_SCALE,
} = CONTROL;

const { SYN: F_SYN, ACK: F_ACK, ECE: F_ECE } = TCP_FLAG;
const { MAX_SEGMENT: SET_MAX_SEGMENT } = SETTINGS;
const TCP_BITS = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | CONTROL.DONT_FRAGMENT;

/** What a SYN (at `o`) offers and the host takes up, as `opening.options` and `opening.tsRecent`. */
export function readSyn(
  stack: TcpStack,
  offer: Readonly<Offer>,
  packets: Int32Array,
  o: number,
  cookie: boolean,
): void {
  const settings = listenerSettings(stack, opening.listener);
  const both = packets[o + P_CONTROL] & offer.control;
  let options = peerMss(packets, o);
  // RFC 9293 3.7.1 MUST-15: no MSS option means the default, which a cookie has to say and TCP_MAXSEG does not lower.
  if (settings !== 0 || cookie) {
    const asked = settingIn(stack, settings, SET_MAX_SEGMENT);
    if (asked !== 0 || cookie) options = believedMss(offer.ipv6, options, asked);
  }
  if ((both & C_HAS_TIMESTAMPS) !== 0) {
    options |= SYN_FLAG_TIMESTAMPS;
    opening.tsRecent = packets[o + P_TS_VAL];
  } else opening.tsRecent = 0;
  // A cookie keeps the rest in the timestamp.
  if (!cookie || (both & C_HAS_TIMESTAMPS) !== 0) {
    if ((both & C_HAS_SACK_PERMITTED) !== 0) options |= SYN_FLAG_SACK;
    if ((both & C_HAS_WINDOW_SCALE) !== 0) {
      const shift = settings === 0 ? offer.shift : firstShift(stack, offer.profile!, settings);
      options |= SYN_FLAG_SCALING | (peerShift(packets, o) << 16) | (shift << 20);
    }
    if (
      (packets[o + P_CONTROL] & F_ECE) !== 0 &&
      grantsEcn(offer.profile!, stack.algorithmOfListener(opening.listener), packets, o)
    ) options |= SYN_FLAG_ECN;
  }
  opening.options = options;
}

/** `CONTROL` bits of a SYN-ACK whatever the peer has offered. */
const UNASKED = CONTROL.HAS_MSS | CONTROL.DONT_FRAGMENT;

/** Fills `synOptions` for the SYN-ACK of `opening`, without Fast Open's option; the timestamp is now's. */
export function prepareSynAck(stack: TcpStack): void {
  const { host, local, remote, listener, options } = opening;
  const settings = listenerSettings(stack, listener);
  const offer = listenersOffer(stack, stack.profileOf(host), host, local);
  synOptions.control = (offer.control & UNASKED) | ((options & SYN_FLAG_TIMESTAMPS) !== 0 ? C_HAS_TIMESTAMPS : 0) |
    ((options & SYN_FLAG_SCALING) !== 0 ? C_HAS_WINDOW_SCALE : 0) |
    ((options & SYN_FLAG_SACK) !== 0 ? C_HAS_SACK_PERMITTED : 0);
  synOptions.cookie.length = NO_COOKIE;
  if (settings === 0) {
    synOptions.mss = offer.mss;
    synOptions.ttlTos = offer.ttl | offer.ect;
    synOptions.window = (options & SYN_FLAG_TIMESTAMPS) !== 0 ? offer.stampedWindow : offer.window;
  } else {
    applySettings(stack, settings, offer, ectOfHandshake(stack.algorithmOfListener(listener)));
    synOptions.window = synAckWindow(stack, host, local, listener, options);
  }
  if (stack.pathMtus.size !== 0) synOptions.mss = announcedOnPath(stack, host, remote, synOptions.mss);
  synOptions.shift = (options >>> 20) & 0xf;
  synOptions.tsVal = (stack.nowMs + opening.tsOffset) | 0;
  synOptions.tsEcr = opening.tsRecent;
}

/** Sends the SYN-ACK of `opening` with `synOptions`, acknowledging up to `ack`. */
export function emitSynAck(stack: TcpStack, ack: number): void {
  const { host, local, remote, ports, options, iss } = opening;
  // RFC 3168 6.1.1: ECE alone says yes.
  const flags = F_SYN | F_ACK | ((options & SYN_FLAG_ECN) !== 0 ? F_ECE : 0);
  emitSyn(stack, host, local, remote, ports, iss, ack, flags);
}

/** An ACK for `opening`, whose segment was out of place: where we are, without a word of the handshake (Linux). */
export function emitOpeningAck(stack: TcpStack): void {
  const { host, local, remote, ports, listener, options, irs, iss } = opening;
  const shift = (options & SYN_FLAG_SCALING) !== 0 ? (options >>> 20) & 0xf : 0;
  applySettings(stack, listenerSettings(stack, listener), listenersOffer(stack, stack.profileOf(host), host, local), 0);
  const p = stack.packets.allocate();
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const window = synField(synAckWindow(stack, host, local, listener, options)) >> shift;
  packets[o + P_SRC] = local;
  packets[o + P_DST] = remote;
  packets[o + P_PORTS] = ports;
  packets[o + P_SEQ] = (iss + 1) | 0;
  packets[o + P_ACK] = (irs + 1) | 0;
  packets[o + P_CONTROL] = F_ACK | TCP_BITS;
  packets[o + P_WINDOW_TTL_TOS] = (window << 16) | synOptions.ttlTos;
  if ((options & SYN_FLAG_TIMESTAMPS) !== 0) {
    packets[o + P_CONTROL] |= C_HAS_TIMESTAMPS;
    packets[o + P_TS_VAL] = (stack.nowMs + opening.tsOffset) | 0;
    packets[o + P_TS_ECR] = opening.tsRecent;
  }
  packets[o + P_LINK] = host;
  stack.pushOut(p);
}
