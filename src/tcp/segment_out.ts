/**
 * Segments of a connection: how a row of the outbox is filled in, ACKs, resets and challenge ACKs.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { fillVirtual } from "../wire/payload.ts";
import { accountSent } from "./accounting.ts";
import { stampEcn } from "./ecn_out.ts";
import { stampIpFields } from "./ip_fields.ts";
import * as DELAYED_ACK from "./delayed_ack.ts";
import { echoFlag } from "./ecn_in.ts";
import { attachBlocks } from "./sack_out.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, RECEIVER_FLAG } from "./state/receiver_row.ts";
import { ACK_STATE, COLD, FLAG, TCB, WARM } from "./state/tcb.ts";
import { stampUrgent } from "./urgent_out.ts";
import { takeAnswer } from "./validate.ts";
import * as WINDOW from "./window.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { ackSent } = DELAYED_ACK;
const { advertiseWindow, selectWindow } = WINDOW;

const { ACCOUNTED: FLAG_ACCOUNTED, ECN: FLAG_ECN, RCV_SHIFT_AT: FLAG_RCV_SHIFT_AT, SCALING: FLAG_SCALING } = FLAG;
const { SND_END: TCB_SND_END } = TCB;
const { PAYLOAD: E_PAYLOAD, STRIDE: E_STRIDE } = EXTRA;
const { REAL_PAYLOAD: C_REAL_PAYLOAD } = CONTROL;

const { LOCAL, REMOTE, PORTS, HOST, STATE, SND_UNA, SND_NXT, SND_WND, RCV_NXT, RCV_WUP, TS_RECENT, MASK, STRIDE } = TCB;
const { TS_OFFSET, COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, STREAM, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { SCHEDULED, DELAYED, PUSHED, PUSHED_TWICE, ACK_NOW, QUICK_MASK } = ACK_STATE;
/** What an ACK that goes out settles. */
const OWED = SCHEDULED | DELAYED | PUSHED | PUSHED_TWICE | ACK_NOW;
const { TIMESTAMPS } = FLAG;
const { RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { SACK_COUNT, FLAGS: RECEIVER_FLAGS, MASK: RECEIVER_MASK, STRIDE: RECEIVER_STRIDE } = RECEIVER;
/** Flags of a receiver that an ACK tells the peer. */
const SAYS = RECEIVER_FLAG.DSACK | RECEIVER_FLAG.ECHO_CONGESTION;
const { DEFAULT_TTL } = PROFILE_WORD;
const {
  SRC,
  DST,
  PORTS: P_PORTS,
  SEQ,
  ACK,
  CONTROL: P_CONTROL,
  WINDOW_TTL_TOS,
  LENGTH,
  TS_VAL,
  TS_ECR,
  LINK,
  EXTRA: P_EXTRA,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
} = PACKET;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const { HAS_TIMESTAMPS, FLAGS_MASK, DONT_FRAGMENT } = CONTROL;
/** A window that is yet to be worked out. */
const UNKNOWN = -1;
const TCP_BITS = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | DONT_FRAGMENT;

/**
 * Writes a segment with ACK set (unless `flags` has RST alone) to the outbox: what every synchronized state sends.
 * Payload is counted; `attachPayload` adds real bytes. Takes note that an ACK went out. Returns the packet, or 0 if the
 * host's interface takes nothing: then nothing has happened. `offer`: the window, where `selectWindow` was asked already.
 */
export function emit(
  stack: TcpStack,
  conn: number,
  seq: number,
  length: number,
  flags: number,
  offer: number = UNKNOWN,
): number {
  return stack.emit(conn, seq, length, flags, offer);
}

/** `emit` of one stack. */
export type EmitSegment = (conn: number, seq: number, length: number, flags: number, offer: number) => number;

/** Makes a stack's `emit`, with its tables as constants (as in `segment_path.ts`). */
export function segmentEmitter(stack: TcpStack): EmitSegment {
  const { tcbs, profiles, cold: coldRows, receivers, counters } = stack;
  const packetRows = stack.packets.rows;

  return (conn, seq, length, flags, offer) => {
    if (stack.egressShut !== 0 && stack.isEgressShut(tcbs.words[conn * STRIDE + HOST])) return 0;
    const selected = offer === UNKNOWN ? selectWindow(stack, conn) : offer;
    const p = stack.packets.allocate();
    const packets = packetRows.words;
    const words = tcbs.words;
    const warm = stack.warm;
    const c = (conn * STRIDE) & MASK;
    const w = (conn * WARM_STRIDE) & WARM_MASK;
    const o = (p * P_STRIDE) & P_MASK;
    const state = words[c + STATE];
    const window = advertiseWindow(words, c, selected);
    packets[o + SRC] = words[c + LOCAL];
    packets[o + DST] = words[c + REMOTE];
    packets[o + P_PORTS] = words[c + PORTS];
    packets[o + SEQ] = seq | 0;
    packets[o + ACK] = words[c + RCV_NXT];
    packets[o + WINDOW_TTL_TOS] = (window << 16) | (profiles.words[stack.profileAt(conn) + DEFAULT_TTL] << 8);
    packets[o + LENGTH] = length | 0;
    if ((state & TIMESTAMPS) !== 0) {
      packets[o + P_CONTROL] = flags | TCP_BITS | HAS_TIMESTAMPS;
      packets[o + TS_VAL] = (stack.nowMs + warm[w + TS_OFFSET]) | 0;
      packets[o + TS_ECR] = words[c + TS_RECENT];
    } else packets[o + P_CONTROL] = flags | TCP_BITS;
    packets[o + LINK] = words[c + HOST];
    if ((state & (FLAG_ECN | FLAG_ACCOUNTED)) !== 0 || stack.ipFieldsUsed || stack.urgentUsed) {
      stampUnusual(stack, conn, p, seq, length, flags);
    }
    words[c + RCV_WUP] = words[c + RCV_NXT];
    const acks = warm[w + ACK_STATE_AT];
    const k = (warm[w + COLD_AT] * COLD_STRIDE) & COLD_MASK;
    const r = k === 0 ? 0 : (coldRows.words[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
    if ((acks & OWED) !== 0) {
      if (r !== 0) warm[w + ACK_STATE_AT] = ackSent(stack, conn, acks, r);
      else {
        // (As `ackSent`, which is not inlined.)
        if ((acks & DELAYED) !== 0) stack.liveTimers--;
        const quick = (acks & SCHEDULED) !== 0 && (acks & QUICK_MASK) !== 0 ? 1 : 0;
        warm[w + ACK_STATE_AT] = (acks & ~OWED) - quick;
      }
    }
    // A busy receiver has SACK blocks or ECE to say, or nothing.
    if (r !== 0) {
      const rows = receivers.words;
      if ((rows[r + SACK_COUNT] | (rows[r + RECEIVER_FLAGS] & SAYS)) !== 0) addReceiverFields(stack, conn, p, r, flags);
    }
    counters.bytesOut += length;
    stack.pushOut(p);
    return p;
  };
}

/** What few segments have: options of the IP header, ECN, an urgent pointer, an account. */
function stampUnusual(
  stack: TcpStack,
  conn: number,
  p: number,
  seq: number,
  length: number,
  flags: number,
): void {
  if (stack.ipFieldsUsed) stampIpFields(stack, conn, p);
  const at = conn * STRIDE + STATE;
  if ((stack.tcbs.words[at] & FLAG_ECN) !== 0) stampEcn(stack, conn, p, seq, length);
  if (stack.urgentUsed) stampUrgent(stack, conn, p, seq);
  if (stack.tcbs.words[at] < 0) accountSent(stack, conn, seq, length, flags);
}

/** May the segments of a group differ in more than their place, flags and length? Then each is `emit`'s to write. */
export function differInGroup(stack: TcpStack, state: number, first: number): boolean {
  return state < 0 || (state & FLAG_ECN) !== 0 || stack.ipFieldsUsed || stack.urgentUsed ||
    stack.packets.rows.words[((first * P_STRIDE) & P_MASK) + P_EXTRA] !== 0;
}

/**
 * Writes `count` segments of `mss` bytes that follow `before` in a group, the last one of `rest` and with `flags`, as
 * `emit` would where they do not differ otherwise: a network card (TSO) copies the header, too.
 */
export function emitRest(
  stack: TcpStack,
  before: number,
  mss: number,
  count: number,
  rest: number,
  flags: number,
): void {
  const first = stack.packets.rows.allocateChain(count);
  const packets = stack.packets.rows.words;
  const i = (before * P_STRIDE) & P_MASK;
  const control = packets[i + P_CONTROL];
  const src = packets[i + SRC];
  const dst = packets[i + DST];
  const ports = packets[i + P_PORTS];
  const ack = packets[i + ACK];
  const windowTtlTos = packets[i + WINDOW_TTL_TOS];
  const tsVal = packets[i + TS_VAL];
  const tsEcr = packets[i + TS_ECR];
  const link = packets[i + LINK];
  const out = stack.roomOut(count);
  let at = stack.outCount;
  let seq = packets[i + SEQ];
  for (let p = first; p !== 0;) {
    const o = (p * P_STRIDE) & P_MASK;
    // Free rows are linked by their first word.
    const next = packets[o];
    seq = (seq + mss) | 0;
    packets[o + SRC] = src;
    packets[o + DST] = dst;
    packets[o + P_PORTS] = ports;
    packets[o + SEQ] = seq;
    packets[o + ACK] = ack;
    packets[o + P_CONTROL] = next === 0 ? (control & ~FLAGS_MASK) | flags : control;
    packets[o + WINDOW_TTL_TOS] = windowTtlTos;
    packets[o + LENGTH] = next === 0 ? rest : mss;
    packets[o + TS_VAL] = tsVal;
    packets[o + TS_ECR] = tsEcr;
    packets[o + LINK] = link;
    out[at++] = p;
    p = next;
  }
  stack.outCount = at;
  stack.counters.segmentsOut += count;
  stack.counters.bytesOut += (count - 1) * mss + rest;
}

/**
 * A sequence number that the peer accepts: SND.NXT, unless the peer has taken its window back behind it (by more than
 * what scaling rounds off); then the window's edge (Linux `tcp_acceptable_seq`).
 */
function acceptableSeq(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + SND_NXT];
  const edge = (words[c + SND_UNA] + words[c + SND_WND]) | 0;
  const beyond = (next - edge) | 0;
  if (beyond <= 0) return next;
  const state = words[c + STATE];
  return (state & FLAG_SCALING) !== 0 && beyond < 1 << ((state >> FLAG_RCV_SHIFT_AT) & 0xf) ? next : edge;
}

/** What a busy receiver has to say with every segment: SACK blocks (never with a reset), ECE. */
function addReceiverFields(stack: TcpStack, conn: number, p: number, r: number, flags: number): void {
  if ((flags & F_RST) !== 0) return;
  attachBlocks(stack, conn, p, r);
  if ((stack.tcbs.words[conn * STRIDE + STATE] & FLAG_ECN) !== 0) {
    stack.packets.rows.words[p * P_STRIDE + P_CONTROL] |= echoFlag(stack, r);
  }
}

/** Sends an ACK at once. `offer`: the window, where `selectWindow` was asked already. */
export function sendAck(stack: TcpStack, conn: number, offer: number = UNKNOWN): void {
  emit(stack, conn, acceptableSeq(stack, conn), 0, F_ACK, offer);
}

/**
 * Sends a segment with a sequence number that the peer has acknowledged already, to make it say where it is:
 * keep-alive and zero-window probes (RFC 9293 3.8.4, 3.8.6.1), as Linux without a byte of data (SHLD-12; the octet
 * of MAY-6 was for peers that are gone).
 */
export function sendProbe(stack: TcpStack, conn: number): boolean {
  return emit(stack, conn, (stack.tcbs.words[conn * STRIDE + SND_UNA] - 1) | 0, 0, F_ACK) !== 0;
}

/** Sends a challenge ACK, if the connection's and the host's rate limits allow (RFC 5961 3.2, 4.2, 5.2 and 7). */
export function sendChallengeAck(stack: TcpStack, conn: number): void {
  if (takeAnswer(stack, conn)) {
    stack.counters.challengeAcksLimited++;
    return;
  }
  const host = stack.tcbs.words[conn * STRIDE + HOST];
  const limit = stack.profileOfConnection(conn).challengeAckLimitPerSecond;
  if (!stack.hosts.takeChallengeAck(host, Math.floor(stack.nowNs / 1e6), limit)) {
    stack.counters.challengeAcksLimited++;
    return;
  }
  stack.counters.challengeAcks++;
  sendAck(stack, conn);
}

/** Sends a reset of a synchronized connection: on abort, give-up, or data for nobody (RFC 9293 3.10.5, 3.10.4). */
export function sendConnectionReset(stack: TcpStack, conn: number): void {
  stack.counters.resetsSent++;
  emit(stack, conn, acceptableSeq(stack, conn), 0, F_RST | F_ACK);
}

/**
 * Answers a segment that belongs to no connection, or acknowledges what was never sent, with a reset
 * (RFC 9293 3.5.2 groups 1 and 2, 3.10.7.1). Never answers a reset.
 */
export function sendResetFor(stack: TcpStack, host: number, packet: number): void {
  const control = stack.packets.rows.words[packet * P_STRIDE + P_CONTROL];
  const flags = control & FLAGS_MASK;
  if ((flags & F_RST) !== 0) return;
  const p = stack.packets.allocate();
  const packets = stack.packets.rows.words;
  const i = (packet * P_STRIDE) & P_MASK;
  const o = (p * P_STRIDE) & P_MASK;
  const ports = packets[i + P_PORTS];
  packets[o + SRC] = packets[i + DST];
  packets[o + DST] = packets[i + SRC];
  packets[o + P_PORTS] = (ports << 16) | (ports >>> 16);
  if ((flags & F_ACK) !== 0) {
    packets[o + SEQ] = packets[i + ACK];
    packets[o + P_CONTROL] = F_RST | TCP_BITS;
  } else {
    const counted = (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0);
    packets[o + ACK] = (packets[i + SEQ] + packets[i + LENGTH] + counted) | 0;
    packets[o + P_CONTROL] = F_RST | F_ACK | TCP_BITS;
  }
  packets[o + WINDOW_TTL_TOS] = stack.profileOf(host).defaultTtl << 8;
  packets[o + LINK] = host;
  stack.counters.resetsSent++;
  stack.pushOut(p);
}

/** Gives a data segment its real bytes, if any of them are real. Counted bytes before real ones are spelled out. */
export function attachPayload(stack: TcpStack, conn: number, packet: number, seq: number, length: number): void {
  const index = stack.warm[conn * WARM_STRIDE + STREAM];
  if (index === 0 || length === 0 || packet === 0) return;
  const ring = stack.streams[index]!.send;
  if (ring === null) return;
  const position = ring.end - ((stack.tcbs.words[conn * STRIDE + TCB_SND_END] - seq) | 0);
  if (position + length <= ring.begin) return;
  const bytes = new Uint8Array(length);
  // Positions before the first real byte were counted only.
  const counted = Math.max(0, ring.begin - position);
  fillVirtual(bytes, 0, counted, seq);
  ring.copy(position + counted, length - counted, bytes, counted);
  const extra = stack.packets.extraOf(packet);
  stack.packets.extras.words[extra * E_STRIDE + E_PAYLOAD] = stack.packets.payloads.put(bytes);
  stack.packets.rows.words[packet * P_STRIDE + P_CONTROL] |= C_REAL_PAYLOAD;
}
