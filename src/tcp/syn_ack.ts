/**
 * The SYN-ACK of a listener, whatever it is made from: a row of the SYN queue, a cookie, a Fast Open connection.
 *
 * @module
 */
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { ectOfHandshake } from "./ecn_open.ts";
import { listenerSettings, opening, synAckWindow } from "./establish.ts";
import { announcedMssWith, emitSyn, plainSyn, synOptions } from "./handshake.ts";
import { announcedOnPath } from "./path_mtu.ts";
import type { TcpStack } from "./stack.ts";
import { SYN_FLAG } from "./state/tcb.ts";

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
  synOptions.timestamps = (options & SYN_FLAG.TIMESTAMPS) !== 0;
  synOptions.scaling = (options & SYN_FLAG.SCALING) !== 0;
  synOptions.sack = (options & SYN_FLAG.SACK) !== 0;
  synOptions.shift = (options >>> 20) & 0xf;
  synOptions.tsVal = (stack.nowMs + opening.tsOffset) | 0;
  synOptions.tsEcr = opening.tsRecent;
}

/** Sends the SYN-ACK of `opening` with `synOptions`, acknowledging up to `ack`. */
export function emitSynAck(stack: TcpStack, ack: number): void {
  const { host, local, remote, ports, listener, options, iss } = opening;
  // RFC 3168 6.1.1: ECE alone says yes.
  const flags = F_SYN | F_ACK | ((options & SYN_FLAG.ECN) !== 0 ? F_ECE : 0);
  const window = synAckWindow(stack, host, local, listener, options);
  emitSyn(stack, host, local, remote, ports, iss, ack, flags, window);
}

/** An ACK for `opening`, whose segment was out of place: where we are, without a word of the handshake (Linux). */
export function emitOpeningAck(stack: TcpStack): void {
  const { host, local, remote, ports, listener, options, irs, iss } = opening;
  const shift = (options & SYN_FLAG.SCALING) !== 0 ? (options >>> 20) & 0xf : 0;
  plainSyn(stack, stack.profileOf(host), listenerSettings(stack, listener), 0);
  const p = stack.packets.allocate();
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const window = synAckWindow(stack, host, local, listener, options) >> shift;
  packets[o + PACKET.SRC] = local;
  packets[o + PACKET.DST] = remote;
  packets[o + PACKET.PORTS] = ports;
  packets[o + PACKET.SEQ] = (iss + 1) | 0;
  packets[o + PACKET.ACK] = (irs + 1) | 0;
  packets[o + PACKET.CONTROL] = F_ACK | TCP_BITS;
  packets[o + PACKET.WINDOW_TTL_TOS] = (window << 16) | (synOptions.ttl << 8) | synOptions.trafficClass;
  if ((options & SYN_FLAG.TIMESTAMPS) !== 0) {
    packets[o + PACKET.CONTROL] |= CONTROL.HAS_TIMESTAMPS;
    packets[o + PACKET.TS_VAL] = (stack.nowMs + opening.tsOffset) | 0;
    packets[o + PACKET.TS_ECR] = opening.tsRecent;
  }
  packets[o + PACKET.LINK] = host;
  stack.pushOut(p);
}
