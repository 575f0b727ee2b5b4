/**
 * What SYN and SYN-ACK share: option negotiation, segment sizes, first windows.
 *
 * @module
 */
import type { Profile } from "../transport/profile.ts";
import { CONTROL, PACKET, PROTOCOL } from "../wire/packet.ts";
import { NO_COOKIE, writeFastOpen } from "./fast_open_cookie.ts";
import { mssFor, type Offer, payloadMss, wholeSegments } from "./offer.ts";
import { forbidsFragments } from "./options_ip.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, FLAG, SETTINGS, TCB } from "./state/tcb.ts";
import { windowShiftFor } from "./window.ts";
import { SYN_OPTIONS } from "./opening.ts";

const synOptions = SYN_OPTIONS;

const {
  MAX_SEGMENT: SET_MAX_SEGMENT,
  PATH_MTU: SET_PATH_MTU,
  RECEIVE_BUFFER: SET_RECEIVE_BUFFER,
  STRIDE: SET_STRIDE,
  TRAFFIC_CLASS: SET_TRAFFIC_CLASS,
  TTL: SET_TTL,
  WINDOW_CLAMP: SET_WINDOW_CLAMP,
} = SETTINGS;
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
  SYN_OPTIONS: P_SYN_OPTIONS,
  TS_ECR: P_TS_ECR,
  TS_VAL: P_TS_VAL,
  WINDOW_TTL_TOS: P_WINDOW_TTL_TOS,
} = PACKET;
const {
  DONT_FRAGMENT: C_DONT_FRAGMENT,
  HAS_MSS: C_HAS_MSS,
  HAS_TIMESTAMPS: C_HAS_TIMESTAMPS,
  HAS_WINDOW_SCALE: C_HAS_WINDOW_SCALE,
} = CONTROL;
const { TS_AGE_AT: ACKS_TS_AGE_AT, TS_AGE_UNIT: ACKS_TS_AGE_UNIT } = ACK_STATE;
const { CWND: TCB_CWND, MSS: TCB_MSS, STATE: TCB_STATE, MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { NO_DELAY: FLAG_NO_DELAY } = FLAG;

const TCP_BITS = PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT;
/** First guess of the size of inbound segments (Linux `TCP_MSS_DEFAULT`). */
export const FIRST_RECEIVE_MSS = 536;
const TRAFFIC_CLASS_MASK = 0xfc;

/**
 * When the driver's wheel looks at a handshake's timer for the first time, ms: nearly always it finds that the handshake
 * is done, and comes before the timer of the first data is due. One entry serves both, and none goes far ahead in the
 * wheel.
 */
export const HANDSHAKE_LOOK_MS = 200;

/** A field of a `SETTINGS` row, 0 where there is no row. */
export function settingIn(stack: TcpStack, row: number, field: number): number {
  return row === 0 ? 0 : stack.settings.words[row * SET_STRIDE + field];
}

/** The MSS that fits the egress interface (RFC 9293 3.7.1 MUST-14, MUST-67, SHLD-5). */
export function announcedMss(stack: TcpStack, host: number, local: number): number {
  return mssFor(stack.hosts.mtuOf(host), stack.addresses.isIpv6(local));
}

/** The MSS to announce where the settings row may ask for less (TCP_MAXSEG). */
export function announcedMssWith(stack: TcpStack, host: number, local: number, settings: number): number {
  const most = announcedMss(stack, host, local);
  const asked = settingIn(stack, settings, SET_MAX_SEGMENT);
  return asked !== 0 && asked < most ? asked : most;
}

/** The MSS that a peer is believed to have which gives `peerMss` (0: none), where the application asked for `asked`. */
export function believedMss(ipv6: boolean, peerMss: number, asked: number): number {
  // RFC 9293 3.7.1 MUST-15: none means the default.
  if (peerMss === 0) return ipv6 ? 1220 : 536;
  return asked !== 0 && asked < peerMss ? asked : peerMss;
}

/**
 * The MSS to send with: the peer's (536 or 1,220 where it gave none: MUST-15, RFC 9293 3.7.1), not more than the
 * interface takes, less the options of every segment (MUST-16, RFC 6691).
 */
export function sendingMss(
  stack: TcpStack,
  host: number,
  local: number,
  peerMss: number,
  timestamps: boolean,
  asked = 0,
): number {
  const given = believedMss(stack.addresses.isIpv6(local), peerMss, asked);
  return payloadMss(stack.profileOf(host), given, announcedMss(stack, host, local), timestamps);
}

/** The peer's MSS as a SYN gives it, 0 if it does not. */
export function peerMss(packets: Int32Array, o: number): number {
  return (packets[o + P_CONTROL] & C_HAS_MSS) !== 0 ? packets[o + P_SYN_OPTIONS] & 0xffff : 0;
}

/** The peer's window shift, at most 14 (RFC 7323 2.3). */
export function peerShift(packets: Int32Array, o: number): number {
  return Math.min(14, (packets[o + P_SYN_OPTIONS] >>> 16) & 0xff);
}

/** The age stamp of a TS.Recent that was taken now, in its place in `WARM.ACK_STATE`. */
export function timestampAge(stack: TcpStack): number {
  return (stack.nowMs >>> ACKS_TS_AGE_UNIT) << ACKS_TS_AGE_AT;
}

/** Sets both segment sizes and the first congestion window of a new connection. */
export function openWindows(stack: TcpStack, conn: number, profile: Readonly<Profile>, mss: number): void {
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  words[c + TCB_MSS] = mss | (Math.min(FIRST_RECEIVE_MSS, mss) << 16);
  words[c + TCB_CWND] = profile.initialWindowSegments;
  // RFC 9293 3.7.4 MUST-17: an application can switch Nagle off; the profile may start with it off.
  if (!profile.nagle) words[c + TCB_STATE] |= FLAG_NO_DELAY;
  if (!profile.pathMtuDiscovery) stack.ipFieldsUsed = true;
}

/**
 * Fills in what of `synOptions` a settings row may change: MSS, TTL, traffic class and (leaving the rest of `control`)
 * DF. `ect`: ECN bits of the traffic class.
 */
export function applySettings(stack: TcpStack, settings: number, offer: Readonly<Offer>, ect: number): void {
  const options = synOptions;
  const asked = settingIn(stack, settings, SET_MAX_SEGMENT);
  const mode = settingIn(stack, settings, SET_PATH_MTU) - 1;
  const ttl = settingIn(stack, settings, SET_TTL);
  const trafficClass = settingIn(stack, settings, SET_TRAFFIC_CLASS);
  options.mss = asked !== 0 && asked < offer.mss ? asked : offer.mss;
  if (mode >= 0) {
    options.control = (options.control & ~C_DONT_FRAGMENT) | (forbidsFragments(mode) ? C_DONT_FRAGMENT : 0);
  }
  options.ttlTos = (ttl !== 0 ? (ttl - 1) << 8 : offer.ttl) | ect |
    (trafficClass !== 0 ? (trafficClass - 1) & TRAFFIC_CLASS_MASK : 0);
}

/** Writes a SYN or SYN-ACK with `synOptions` to the outbox. Returns the packet. */
export function emitSyn(
  stack: TcpStack,
  host: number,
  local: number,
  remote: number,
  ports: number,
  seq: number,
  ack: number,
  flags: number,
): number {
  const p = stack.packets.allocate();
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const options = synOptions;
  // (`| 0`: what comes as an argument would be taken for a float.)
  packets[o + P_SRC] = local | 0;
  packets[o + P_DST] = remote | 0;
  packets[o + P_PORTS] = ports | 0;
  packets[o + P_SEQ] = seq | 0;
  packets[o + P_ACK] = ack | 0;
  const { control } = options;
  packets[o + P_CONTROL] = flags | TCP_BITS | control;
  packets[o + P_WINDOW_TTL_TOS] = (synField(options.window) << 16) | options.ttlTos;
  if ((control & C_HAS_TIMESTAMPS) !== 0) {
    packets[o + P_TS_VAL] = options.tsVal;
    packets[o + P_TS_ECR] = options.tsEcr;
  }
  packets[o + P_SYN_OPTIONS] = options.mss | ((control & C_HAS_WINDOW_SCALE) !== 0 ? options.shift << 16 : 0);
  packets[o + P_LINK] = host | 0;
  if (options.cookie.length !== NO_COOKIE) writeFastOpen(stack.packets, p, options.cookie);
  stack.pushOut(p);
  return p;
}

/**
 * RCV.WND of a connection that is opened with a settings row (0: none), `mss` being what is announced, less timestamps
 * if they are in use. It may be more than the window field of a SYN can say (`synField`).
 */
export function firstWindow(stack: TcpStack, profile: Readonly<Profile>, settings: number, mss: number): number {
  const own = settingIn(stack, settings, SET_RECEIVE_BUFFER);
  const clamp = settingIn(stack, settings, SET_WINDOW_CLAMP);
  // As Linux: whole segments, and half of the buffer at most.
  let space = (own || profile.receiveBufferBytes) >> 1;
  if (clamp !== 0 && clamp < space) space = clamp;
  return wholeSegments(space, mss);
}

/** The window field of a SYN or SYN-ACK where RCV.WND is `window`: never scaled (RFC 7323 2.2). */
export function synField(window: number): number {
  return window < 65535 ? window : 65535;
}

/** The window shift to offer for a connection that is opened with a settings row (0: none). */
export function firstShift(stack: TcpStack, profile: Readonly<Profile>, settings: number): number {
  const own = settingIn(stack, settings, SET_RECEIVE_BUFFER);
  const clamp = settingIn(stack, settings, SET_WINDOW_CLAMP);
  // A buffer that was asked for does not grow.
  const most = own !== 0 ? own >> 1 : Math.max(profile.receiveBufferBytes >> 1, profile.receiveBufferMaxBytes);
  return windowShiftFor(clamp !== 0 && clamp < most ? clamp : most);
}
