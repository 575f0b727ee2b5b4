/**
 * The SYN-ACK of a listener, whatever it is made from: a row of the SYN queue, a cookie, a Fast Open connection.
 *
 * @module
 */
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { ectOfHandshake } from "./ecn_open.ts";
import { listenerSettings, opening, synAckWindow } from "./establish.ts";
import { announcedMssWith, emitSyn, plainSyn, synField, synOptions } from "./handshake.ts";
import { announcedOnPath } from "./path_mtu.ts";
import type { TcpStack } from "./stack.ts";
import { SYN_FLAG } from "./state/tcb.ts";

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
const { HAS_TIMESTAMPS: C_HAS_TIMESTAMPS } = CONTROL;

const { SYN: F_SYN, ACK: F_ACK, ECE: F_ECE } = TCP_FLAG;
const TCP_BITS = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | CONTROL.DONT_FRAGMENT;

/** Fills `synOptions` for the SYN-ACK of `opening`, without Fast Open's option; the timestamp is now's. */
export function prepareSynAck(stack: TcpStack): void {
  const { host, local, remote, listener, options } = opening;
  const settings = listenerSettings(stack, listener);
  const ect = ectOfHandshake(stack.algorithmOfListener(listener));
  plainSyn(stack, stack.profileOf(host), settings, ect);
  synOptions.mss = announcedMssWith(stack, host, local, settings);
  if (stack.pathMtus.size !== 0) synOptions.mss = announcedOnPath(stack, host, remote, synOptions.mss);
  synOptions.timestamps = (options & SYN_FLAG_TIMESTAMPS) !== 0;
  synOptions.scaling = (options & SYN_FLAG_SCALING) !== 0;
  synOptions.sack = (options & SYN_FLAG_SACK) !== 0;
  synOptions.shift = (options >>> 20) & 0xf;
  synOptions.tsVal = (stack.nowMs + opening.tsOffset) | 0;
  synOptions.tsEcr = opening.tsRecent;
}

/** Sends the SYN-ACK of `opening` with `synOptions`, acknowledging up to `ack`. */
export function emitSynAck(stack: TcpStack, ack: number): void {
  const { host, local, remote, ports, listener, options, iss } = opening;
  // RFC 3168 6.1.1: ECE alone says yes.
  const flags = F_SYN | F_ACK | ((options & SYN_FLAG_ECN) !== 0 ? F_ECE : 0);
  const window = synAckWindow(stack, host, local, listener, options);
  emitSyn(stack, host, local, remote, ports, iss, ack, flags, synField(window));
}

/** An ACK for `opening`, whose segment was out of place: where we are, without a word of the handshake (Linux). */
export function emitOpeningAck(stack: TcpStack): void {
  const { host, local, remote, ports, listener, options, irs, iss } = opening;
  const shift = (options & SYN_FLAG_SCALING) !== 0 ? (options >>> 20) & 0xf : 0;
  plainSyn(stack, stack.profileOf(host), listenerSettings(stack, listener), 0);
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
  packets[o + P_WINDOW_TTL_TOS] = (window << 16) | (synOptions.ttl << 8) | synOptions.trafficClass;
  if ((options & SYN_FLAG_TIMESTAMPS) !== 0) {
    packets[o + P_CONTROL] |= C_HAS_TIMESTAMPS;
    packets[o + P_TS_VAL] = (stack.nowMs + opening.tsOffset) | 0;
    packets[o + P_TS_ECR] = opening.tsRecent;
  }
  packets[o + P_LINK] = host;
  stack.pushOut(p);
}
