/**
 * What SYN and SYN-ACK share: option negotiation, segment sizes, first windows.
 *
 * @module
 */
import type { Profile } from "../transport/profile.ts";
import { CONTROL, PACKET, PROTOCOL } from "../wire/packet.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, TCB } from "./state/tcb.ts";

const TCP_BITS = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | CONTROL.DONT_FRAGMENT;
/** Bytes of the timestamps option, padded. */
const TIMESTAMP_BYTES = 12;
/** First guess of the size of inbound segments (Linux `TCP_MSS_DEFAULT`). */
const FIRST_RECEIVE_MSS = 536;
/** Smallest MSS that is believed (Linux `tcp_min_snd_mss` is 48 with options). */
const LEAST_MSS = 48;
/** Least payload of a full segment: an MTU of 68 less IPv4 and TCP headers and timestamps. */
const LEAST_PAYLOAD = 16;

/** The MSS to announce: what fits the egress interface (RFC 9293 3.7.1 MUST-14, MUST-67, SHLD-5). */
export function announcedMss(stack: TcpStack, host: number, local: number): number {
  return Math.min(65535, stack.hosts.mtuOf(host) - (stack.addresses.isIpv6(local) ? 60 : 40));
}

/**
 * The MSS to send with: the peer's (536 or 1,220 where it gave none: MUST-15, RFC 9293 3.7.1), not more than the
 * interface takes, less the options of every segment (MUST-16, RFC 6691).
 */
export function sendingMss(stack: TcpStack, host: number, local: number, peerMss: number, timestamps: boolean): number {
  const ipv6 = stack.addresses.isIpv6(local);
  const given = peerMss === 0 ? (ipv6 ? 1220 : 536) : peerMss;
  const mss = Math.min(Math.max(LEAST_MSS, given), announcedMss(stack, host, local));
  return Math.max(LEAST_PAYLOAD, timestamps ? mss - TIMESTAMP_BYTES : mss);
}

/** The peer's MSS as a SYN gives it, 0 if it does not. */
export function peerMss(packets: Int32Array, o: number): number {
  return (packets[o + PACKET.CONTROL] & CONTROL.HAS_MSS) !== 0 ? packets[o + PACKET.SYN_OPTIONS] & 0xffff : 0;
}

/** The peer's window shift, at most 14 (RFC 7323 2.3). */
export function peerShift(packets: Int32Array, o: number): number {
  return Math.min(14, (packets[o + PACKET.SYN_OPTIONS] >>> 16) & 0xff);
}

/** Sets both segment sizes and the first congestion window of a new connection. */
export function openWindows(stack: TcpStack, conn: number, profile: Readonly<Profile>, mss: number): void {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  words[c + TCB.MSS] = mss | (Math.min(FIRST_RECEIVE_MSS, mss) << 16);
  words[c + TCB.CWND] = profile.initialWindowSegments;
  // RFC 9293 3.7.4 MUST-17: an application can switch Nagle off; the profile may start with it off.
  if (!profile.nagle) words[c + TCB.STATE] |= FLAG.NO_DELAY;
}

/** What a SYN or SYN-ACK carries. */
export interface SynOptions {
  mss: number;
  shift: number;
  tsVal: number;
  tsEcr: number;
  scaling: boolean;
  timestamps: boolean;
  sack: boolean;
}

/** The one set of options that callers fill in, so that a handshake allocates nothing. */
export const synOptions: SynOptions = {
  mss: 0,
  shift: 0,
  tsVal: 0,
  tsEcr: 0,
  scaling: false,
  timestamps: false,
  sack: false,
};

/** Writes a SYN or SYN-ACK with `synOptions` to the outbox. */
export function emitSyn(
  stack: TcpStack,
  host: number,
  local: number,
  remote: number,
  ports: number,
  seq: number,
  ack: number,
  flags: number,
  window: number,
): void {
  const p = stack.packets.allocate();
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const options = synOptions;
  packets[o + PACKET.SRC] = local;
  packets[o + PACKET.DST] = remote;
  packets[o + PACKET.PORTS] = ports;
  packets[o + PACKET.SEQ] = seq;
  packets[o + PACKET.ACK] = ack;
  packets[o + PACKET.CONTROL] = flags | TCP_BITS | CONTROL.HAS_MSS |
    (options.timestamps ? CONTROL.HAS_TIMESTAMPS : 0) | (options.scaling ? CONTROL.HAS_WINDOW_SCALE : 0) |
    (options.sack ? CONTROL.HAS_SACK_PERMITTED : 0);
  packets[o + PACKET.WINDOW_TTL_TOS] = (window << 16) | (stack.profileOf(host).defaultTtl << 8);
  if (options.timestamps) {
    packets[o + PACKET.TS_VAL] = options.tsVal;
    packets[o + PACKET.TS_ECR] = options.tsEcr;
  }
  packets[o + PACKET.SYN_OPTIONS] = options.mss | (options.scaling ? options.shift << 16 : 0);
  packets[o + PACKET.LINK] = host;
  stack.pushOut(p);
}

/** The window field of a SYN: never scaled (RFC 7323 2.2). */
export function synWindow(profile: Readonly<Profile>): number {
  return Math.min(65535, profile.receiveBufferBytes);
}
