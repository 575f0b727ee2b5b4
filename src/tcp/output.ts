/**
 * Sending new data: what the congestion window, the peer's window, Nagle and silly window avoidance let out
 * (RFC 9293 3.8.6.2.1, 3.7.4; RFC 5681), the FIN behind it, and the probe timer when a window is shut.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { accountLimits, accountQueue } from "./accounting.ts";
import { releaseColdAtRest } from "./cold_row.ts";
import { CONGESTION_EVENT, congestionOf } from "./congestion/types.ts";
import { noteUse, restartAfterIdle } from "./cwnd_use.ts";
import { enterCwr } from "./cwr.ts";
import { noteDataSent } from "./delayed_ack.ts";
import { recordGroup } from "./flight.ts";
import { noteProbe, PROBE, probeSize, searchesMtu } from "./mtu_probe.ts";
import { mustWait, notePaced, paces } from "./pacing.ts";
import { refreshPathMtu } from "./path_mtu.ts";
import { countSent } from "./prr.ts";
import { recordSegment } from "./retransmit.ts";
import { timerAfterSending } from "./rto_timer.ts";
import { rtoMs } from "./rtt.ts";
import { inFlight } from "./scoreboard.ts";
import { attachPayload, differInGroup, emit, emitRest } from "./segment_out.ts";
import { currentMss, groupSegments, NAGLE, nagleHolds, nagleOf, shouldDefer } from "./segmentation.ts";
import type { TcpStack } from "./stack.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, REXMIT_KIND, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";
import { isUrgent } from "./urgent_out.ts";
import { isMoreToCome, recordEndsAt, recordLength } from "./write_queue.ts";

const { LAST_ACK: STATE_LAST_ACK, SYN_RECEIVED: STATE_SYN_RECEIVED } = STATE;
const { NO_PSH: NAGLE_NO_PSH, PUSH: NAGLE_PUSH } = NAGLE;
const { TX_START: CONGESTION_EVENT_TX_START } = CONGESTION_EVENT;
const { FIN: RTX_FLAG_FIN, JOINED: RTX_FLAG_JOINED, PUSH: RTX_FLAG_PUSH, RECORD_END: RTX_FLAG_RECORD_END } = RTX_FLAG;
const { PROBE: REXMIT_KIND_PROBE } = REXMIT_KIND;

const { STATE: STATE_AT, SND_UNA, SND_NXT, SND_WND, SND_END, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, STREAM, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, FIN_QUEUED, FIN_SENT, NO_DELAY, CORK, ACTIVE } = FLAG;
const { FLAGS: SENDER_FLAGS, MARK_HEAD, MASK: SENDER_MASK, STRIDE: SENDER_STRIDE } = SENDER;
/** `SENDER_FLAG`s that bear on how new data goes out. */
const SENDS_SPECIALLY = SENDER_FLAG.URGENT | SENDER_FLAG.MORE | SENDER_FLAG.PACED | SENDER_FLAG.MTU_SEARCH |
  SENDER_FLAG.PATH;
const { PACKETS_OUT, SND_SMALL, LAST_SENT_MS, SENDER: SENDER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { KIND_AT } = ACK_STATE;
const { REXMIT, STRIDE: TIMER_STRIDE } = TIMER;
const { FIN: F_FIN, PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;
/** Beside `NAGLE`: one segment, whatever the congestion window. */
const ONE = 1 << 8;
/** States in which data or a FIN may still have to go out. */
const SENDING = (1 << STATE.ESTABLISHED) | (1 << STATE.CLOSE_WAIT) | (1 << STATE.FIN_WAIT_1) | (1 << STATE.CLOSING) |
  (1 << STATE_LAST_ACK);

/** Sends the new data that may be sent. Arms the timers that this asks for. */
export function output(stack: TcpStack, conn: number): void {
  push(stack, conn, 0);
}

/** As `output`, without Nagle's delay. */
export function pushNew(stack: TcpStack, conn: number): void {
  push(stack, conn, NAGLE_PUSH);
}

/** Sends one segment of new data, even beyond the congestion window. True if one went out. */
export function sendOne(stack: TcpStack, conn: number): boolean {
  const at = conn * STRIDE + SND_NXT;
  const next = stack.tcbs.words[at];
  push(stack, conn, NAGLE_PUSH | ONE);
  return stack.tcbs.words[at] !== next;
}

/** As `output`, with `more` of `NAGLE` in force for this time. */
export function push(stack: TcpStack, conn: number, more: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const state = words[c + STATE_AT];
  if (state < 0) accountQueue(stack, conn);
  if (((1 << (state & STATE_MASK)) & SENDING) === 0 && !sendsEarly(state)) return;
  if (words[c + SND_END] === words[c + SND_NXT] && (state & FIN_QUEUED) === 0) return;
  if ((state & FIN_SENT) !== 0) return;
  sendNew(stack, conn, state, (state & (NO_DELAY | CORK)) === 0 ? more : nagleOf(state) | more);
}

/** A listener's Fast Open connection sends before the final ACK (RFC 7413 4.2.2); a simultaneous open does not. */
function sendsEarly(state: number): boolean {
  return (state & STATE_MASK) === STATE_SYN_RECEIVED && (state & ACTIVE) === 0;
}

/**
 * Linux's `tcp_write_xmit`: group after group of segments, as far as the congestion window, the peer's window, Nagle and
 * pacing let them. `nagle` is a sum of `NAGLE`.
 */
function sendNew(stack: TcpStack, conn: number, initial: number, nagle: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const k = (stack.coldOf(conn) * COLD_STRIDE) & COLD_MASK;
  const cold = stack.cold.words;
  const s = sendsSpecially(stack, (cold[k + SENDER_AT] * SENDER_STRIDE) & SENDER_MASK);
  if (s !== 0) refreshPathMtu(stack, conn, s);
  const mss = currentMss(stack, conn);
  const end = words[c + SND_END];
  const wantsFin = (initial & FIN_QUEUED) !== 0 && (initial & STATE_MASK) !== STATE.SYN_RECEIVED;
  const edge = (words[c + SND_UNA] + words[c + SND_WND]) | 0;
  if (cold[k + PACKETS_OUT] === 0) restartAfterIdle(stack, conn, k);
  const before = words[c + SND_NXT];
  const packetsBefore = cold[k + PACKETS_OUT];
  const one = (nagle & ONE) !== 0;
  if (s !== 0 && !one && searchesMtu(stack, s) && !probePath(stack, conn, k, s)) return;
  const cwnd = words[c + CWND];
  const half = cwnd > 3 ? cwnd >> 1 : 1;
  let next = words[c + SND_NXT];
  let flight = inFlight(cold, k);
  let limited = false;
  let windowLimited = false;
  let group = 1;
  if (((end - next) | 0) > mss) group = groupSegments(stack, conn, mss);
  for (;;) {
    const unsent = (end - next) | 0;
    if (unsent <= 0 && !wantsFin) break;
    if (s !== 0 && paces(stack, s) && mustWait(stack, conn, s)) break;
    let quota = one ? 1 : cwnd - flight;
    if (quota <= 0) {
      limited = true;
      break;
    }
    if (flight === 0) congestionOf(stack, conn).onEvent?.(stack, conn, CONGESTION_EVENT_TX_START);
    // What lies in one buffer: to the end of a record, if there is one.
    const buffered = s === 0 ? unsent : recordLength(stack, s, next, unsent);
    const last = buffered === unsent;
    const fin = last && wantsFin;
    const room = (edge - next) | 0;
    let length = buffered;
    if (buffered <= mss) {
      // RFC 9293 3.8.6.2.1 MUST-38: a small segment only if the window takes all of it.
      if (buffered + (fin ? 1 : 0) > room) {
        windowLimited = true;
        break;
      }
      // Urgent data waits for nothing (Linux `tcp_nagle_test`).
      if (
        buffered < mss && last && !fin && (nagle & NAGLE_PUSH) === 0 && nagleHolds(stack, conn, k, nagle, next) &&
        (s === 0 || !isUrgent(stack, conn, s))
      ) break;
    } else {
      if (room < mss) {
        windowLimited = true;
        break;
      }
      if (quota > half) quota = half;
      if (quota > group) quota = group;
      if (
        !one && quota < group &&
        shouldDefer(stack, conn, k, mss, room, cwnd - flight, group, buffered, !last || fin)
      ) {
        limited = limited || (cwnd - flight) * mss < room;
        windowLimited = !limited && room <= buffered;
        break;
      }
      const most = quota * mss;
      const usable = room < buffered ? room : buffered;
      if (s !== 0 && isUrgent(stack, conn, s)) length = mss;
      else if (most <= usable) length = most;
      else {
        const part = usable % mss;
        length = part !== 0 && last && nagleHolds(stack, conn, k, nagle, next) ? usable - part : usable;
      }
    }
    // RFC 9293 3.9.1.2 MUST-61: PSH on the last segment of what is buffered; and, as Linux, of every group.
    const ends = length === buffered;
    const push = ends && length > 0 &&
      (!last || ((nagle & NAGLE_NO_PSH) === 0 && (s === 0 || !isMoreToCome(stack, s))));
    const tags = (push ? RTX_FLAG_PUSH : 0) | (ends && fin ? RTX_FLAG_FIN : 0) |
      (s !== 0 && ends && recordEndsAt(stack, s, (next + length) | 0) ? RTX_FLAG_RECORD_END : 0);
    const sent = sendGroup(stack, conn, next, length, mss, tags);
    if (sent === next) break;
    const segments = Math.max(1, Math.ceil(((sent - next) | 0) / mss));
    flight += segments;
    if (s !== 0 && paces(stack, s)) notePaced(stack, conn, s, (sent - next) | 0, segments);
    if (((sent - next) | 0) < length + (ends && fin ? 1 : 0)) {
      next = sent;
      break;
    }
    next = sent;
    if (one || (ends && fin)) break;
  }
  if (next !== before) afterSending(stack, conn, k, packetsBefore, one);
  if (next !== before || limited || flight >= cwnd) {
    noteUse(stack, conn, k, next, limited || flight >= cwnd);
  }
  if (initial < 0) accountLimits(stack, conn, windowLimited);
  if (cold[k + PACKETS_OUT] === 0) {
    armProbe(stack, conn);
    releaseColdAtRest(stack, conn);
  }
}

/** `s`, the offset of the `SENDER` row, if that says anything of how new data goes out; else 0, as if there were none. */
function sendsSpecially(stack: TcpStack, s: number): number {
  const rows = stack.senders.words;
  return ((rows[s + SENDER_FLAGS] & SENDS_SPECIALLY) | rows[s + MARK_HEAD]) !== 0 ? s : 0;
}

/** Sends a probe of the path's MTU, if it is time for one. False if sending has to wait for that. */
function probePath(stack: TcpStack, conn: number, k: number, s: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + SND_NXT];
  const size = probeSize(stack, conn, k, s, next, (words[c + SND_END] - next) | 0, inFlight(stack.cold.words, k));
  if (size === PROBE.WAIT) return false;
  if (size === PROBE.NONE || (paces(stack, s) && mustWait(stack, conn, s))) return true;
  if (sendGroup(stack, conn, next, size, size, 0) === next) return true;
  noteProbe(stack, conn, s, next, size);
  if (paces(stack, s)) notePaced(stack, conn, s, size, 1);
  return true;
}

/** Data went out: ACKs may wait for more of it, and the timer of data in flight must run. `before`: records before it. */
function afterSending(stack: TcpStack, conn: number, k: number, before: number, probe: boolean): void {
  const cold = stack.cold.words;
  cold[k + LAST_SENT_MS] = stack.nowMs;
  countSent(stack, k, cold[k + PACKETS_OUT] - before);
  // A request was answered promptly: the connection is interactive, ACKs may wait for data.
  noteDataSent(stack, conn);
  // RFC 6298 5.1: the timer runs (for a tail loss probe, its own code sees to that).
  if (!probe) timerAfterSending(stack, conn, before);
}

/**
 * Sends `length` bytes from `seq` in segments of `mss`, the last one with PSH and FIN where asked for. Returns the new
 * SND.NXT: short of all if the interface takes no more. `ends`: the `RTX_FLAG`s of the last segment (FIN, PUSH,
 * RECORD_END).
 */
function sendGroup(stack: TcpStack, conn: number, seq: number, length: number, mss: number, ends: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const row = stack.warm[w + COLD_AT];
  // A group ends with PSH on the wire, but a segment of it that is sent again is itself alone (Linux).
  const fin = (ends & RTX_FLAG_FIN) !== 0;
  const lastFlags = F_ACK | ((ends & RTX_FLAG_PUSH) !== 0 || length > mss ? F_PSH : 0) | (fin ? F_FIN : 0);
  const end = (seq + length + (fin ? 1 : 0)) | 0;
  const p = emit(stack, conn, seq, length > mss ? mss : length, length > mss ? F_ACK : lastFlags);
  if (p === 0) {
    enterCwr(stack, conn);
    return seq;
  }
  let rest = length;
  if (stack.warm[w + STREAM] !== 0 || differInGroup(stack, words[c + STATE_AT], p)) {
    const sent = sendOneByOne(stack, conn, p, seq, length, mss, ends);
    if (sent !== end) return sent;
    if (length > mss) rest = ((length - 1) % mss) + 1;
  } else {
    let count = 1;
    if (length > mss) {
      count = Math.ceil(length / mss);
      rest = length - (count - 1) * mss;
      emitRest(stack, p, mss, count - 1, rest, lastFlags);
    }
    recordGroup(stack, row, seq, mss, count, end, ends);
    words[c + SND_NXT] = end;
  }
  if (rest < mss) stack.cold.words[row * COLD_STRIDE + SND_SMALL] = end;
  if (fin) words[c + STATE_AT] |= FIN_SENT;
  return end;
}

/** As `sendGroup` where segments have to be written one by one; `first` is written. */
function sendOneByOne(
  stack: TcpStack,
  conn: number,
  first: number,
  seq: number,
  length: number,
  mss: number,
  ends: number,
): number {
  const at = conn * STRIDE + SND_NXT;
  let next = seq;
  let p = first;
  for (let left = length;;) {
    const size = left < mss ? left : mss;
    const last = size === left;
    if (next !== seq) {
      const push = last ? F_PSH : 0;
      p = emit(stack, conn, next, size, F_ACK | push | (last && (ends & RTX_FLAG_FIN) !== 0 ? F_FIN : 0));
      if (p === 0) {
        enterCwr(stack, conn);
        return next;
      }
    }
    attachPayload(stack, conn, p, next, size);
    const end = (next + size + (last && (ends & RTX_FLAG_FIN) !== 0 ? 1 : 0)) | 0;
    recordSegment(stack, conn, next, end, last ? ends : RTX_FLAG_JOINED);
    stack.tcbs.words[at] = end;
    next = end;
    if (last) return next;
    left -= size;
  }
}

/**
 * With data (or a FIN) waiting and nothing in flight, the window is shut: RFC 9293 3.8.6 MUST-35, 3.8.6.1 MUST-36,
 * SHLD-29, SHLD-30: probe after an RTO, then ever more rarely.
 */
export function armProbe(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const state = words[c + STATE_AT];
  const waits = words[c + SND_END] !== words[c + SND_NXT] || (state & (FIN_QUEUED | FIN_SENT)) === FIN_QUEUED;
  if (!waits || stack.timers[conn * TIMER_STRIDE + REXMIT] !== 0) return;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  stack.warm[at] = (stack.warm[at] & ~(3 << KIND_AT)) | (REXMIT_KIND_PROBE << KIND_AT);
  stack.armTimer(conn, REXMIT, rtoMs(stack, conn));
}
