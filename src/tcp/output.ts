/**
 * Sending new data: what the congestion window, the peer's window, Nagle and silly window avoidance let out
 * (RFC 9293 3.8.6.2.1, 3.7.4; RFC 5681), the FIN behind it, and the probe timer when a window is shut.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { congestionOf } from "./congestion/types.ts";
import { armRetransmit, inFlight, recordSegment, retransmitLost } from "./retransmit.ts";
import { rtoMs } from "./rtt.ts";
import { attachPayload, emit } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, REXMIT_KIND, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { STATE: STATE_AT, SND_UNA, SND_NXT, SND_WND, SND_END, CWND, MSS, STRIDE } = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, MAX_WINDOW, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, FIN_QUEUED, FIN_SENT, NO_DELAY, CORK } = FLAG;
const {
  MAX_PACKETS_OUT,
  CWND_USAGE_SEQ,
  PACKETS_OUT,
  SND_SMALL,
  LAST_SENT_MS,
  SSTHRESH,
  STRIDE: COLD_STRIDE,
} = COLD;
const { KIND_AT, PING_PONG, SEEN_DATA, HEARD } = ACK_STATE;
const { REXMIT, STRIDE: TIMER_STRIDE } = TIMER;
const { FIN: F_FIN, PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;
const CWND_LIMITED = 1 << 31;
/** States in which data or a FIN may still have to go out. */
const SENDING = (1 << STATE.ESTABLISHED) | (1 << STATE.CLOSE_WAIT) | (1 << STATE.FIN_WAIT_1) | (1 << STATE.CLOSING) |
  (1 << STATE.LAST_ACK);

/** Sends what may be sent: lost segments first, then new data. Arms the timers that this asks for. */
export function output(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const state = words[c + STATE_AT];
  if (((1 << (state & STATE_MASK)) & SENDING) === 0) return;
  if (stack.warm[conn * WARM_STRIDE + COLD_AT] !== 0) retransmitLost(stack, conn);
  if (words[c + SND_END] === words[c + SND_NXT] && (state & FIN_QUEUED) === 0) return;
  if ((state & FIN_SENT) !== 0) return;
  sendNew(stack, conn, words, c, state);
}

function sendNew(stack: TcpStack, conn: number, words: Int32Array, c: number, initial: number): void {
  const warm = stack.warm;
  const w = conn * WARM_STRIDE;
  const k = stack.coldOf(conn) * COLD_STRIDE;
  const cold = stack.cold.words;
  const mss = words[c + MSS] & 0xffff;
  const end = words[c + SND_END];
  const wantsFin = (initial & FIN_QUEUED) !== 0;
  const limit = (words[c + SND_UNA] + words[c + SND_WND]) | 0;
  if (cold[k + PACKETS_OUT] === 0) restartAfterIdle(stack, conn, k);
  const cwnd = words[c + CWND];
  let next = words[c + SND_NXT];
  let flight = inFlight(cold, k);
  let limited = false;
  let sent = false;
  for (;;) {
    const unsent = (end - next) | 0;
    if (unsent <= 0 && !wantsFin) break;
    const room = (limit - next) | 0;
    let length = unsent < mss ? unsent : mss;
    if (length > room) length = room < 0 ? 0 : room;
    const last = length === unsent;
    const fin = last && wantsFin && room > length;
    if (length === 0 && !fin) break;
    if (length < mss && !fin && !mayBeSmall(stack, words[c + STATE_AT], warm[w + MAX_WINDOW], k, length, last, next)) {
      break;
    }
    if (flight >= cwnd) {
      limited = true;
      break;
    }
    const segmentEnd = (next + length + (fin ? 1 : 0)) | 0;
    // RFC 9293 3.9.1.2 MUST-61: PSH on the last segment of what is buffered.
    const flags = F_ACK | (last && length > 0 ? F_PSH : 0) | (fin ? F_FIN : 0);
    recordSegment(stack, conn, next, segmentEnd, (fin ? RTX_FLAG.FIN : 0) | (last && length > 0 ? RTX_FLAG.PUSH : 0));
    words[c + SND_NXT] = segmentEnd;
    if (fin) words[c + STATE_AT] |= FIN_SENT;
    const p = emit(stack, conn, next, length, flags);
    attachPayload(stack, conn, p, next, length);
    if (length < mss) cold[k + SND_SMALL] = segmentEnd;
    next = segmentEnd;
    flight++;
    sent = true;
    if (fin) break;
  }
  if (sent) {
    cold[k + LAST_SENT_MS] = stack.nowMs;
    const acks = warm[w + ACK_STATE_AT];
    // A request was answered: the connection is interactive, ACKs may wait for data (Linux's ping-pong mode).
    if ((acks & (SEEN_DATA | HEARD)) === (SEEN_DATA | HEARD)) warm[w + ACK_STATE_AT] = (acks | PING_PONG) & ~HEARD;
    if (stack.timers[conn * TIMER_STRIDE + REXMIT] === 0 || ((acks >> KIND_AT) & 3) === REXMIT_KIND.PROBE) {
      // RFC 6298 5.1: start the timer when it is not running.
      armRetransmit(stack, conn);
    }
  }
  noteUse(cold, k, next, words[c + SND_UNA], limited);
  if (cold[k + PACKETS_OUT] === 0) {
    armProbe(stack, conn);
    stack.releaseColdAtRest(conn);
  }
}

/**
 * May a segment below the MSS go? Nagle as Minshall and Linux have it (RFC 9293 3.7.4 MUST-17, SHLD-7): not while
 * an earlier small one is unacknowledged. A part of the queue goes only if it is half the largest window seen
 * (RFC 9293 3.8.6.2.1 MUST-38 rule 3).
 */
function mayBeSmall(
  stack: TcpStack,
  state: number,
  maxWindow: number,
  k: number,
  length: number,
  last: boolean,
  next: number,
): boolean {
  const cold = stack.cold.words;
  const idle = cold[k + PACKETS_OUT] === 0;
  if (!last) return length >= maxWindow >> 1 && (idle || (state & NO_DELAY) !== 0);
  if ((state & FIN_QUEUED) !== 0) return true;
  if ((state & CORK) !== 0) return false;
  if ((state & NO_DELAY) !== 0 || idle) return true;
  // Is the last small segment still unacknowledged? SND_SMALL is before the first in flight if not.
  const head = stack.segments.words[cold[k + COLD.RTX_HEAD] * 16 + 2];
  const small = cold[k + SND_SMALL];
  return !(((small - head) | 0) > 0 && ((next - small) | 0) >= 0);
}

/** RFC 5681 4.1, as Linux: halve the window for each RTO of silence, not below the initial window. */
function restartAfterIdle(stack: TcpStack, conn: number, k: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const profile = stack.profileOfConnection(conn);
  const restart = profile.initialWindowSegments;
  let cwnd = words[c + CWND];
  if (cwnd <= restart) return;
  const cold = stack.cold.words;
  const rto = rtoMs(stack, conn);
  let idle = ((stack.nowMs - cold[k + LAST_SENT_MS]) | 0) - rto;
  if (idle < 0) return;
  if (cold[k + SSTHRESH] !== 0x7fffffff) {
    cold[k + SSTHRESH] = Math.max(cold[k + SSTHRESH], (cwnd >> 1) + (cwnd >> 2));
  }
  for (; idle >= 0 && cwnd > restart; idle -= rto) cwnd >>= 1;
  words[c + CWND] = Math.max(cwnd, restart);
}

/** Keeps account of how much of the congestion window was used (RFC 7661's concern, as Linux does it). */
function noteUse(cold: Int32Array, k: number, next: number, una: number, limited: boolean): void {
  const packets = cold[k + PACKETS_OUT];
  const most = cold[k + MAX_PACKETS_OUT];
  if (
    ((una - cold[k + CWND_USAGE_SEQ]) | 0) >= 0 || limited ||
    ((most & CWND_LIMITED) === 0 && packets > (most & ~CWND_LIMITED))
  ) {
    cold[k + MAX_PACKETS_OUT] = packets | (limited ? CWND_LIMITED : 0);
    cold[k + CWND_USAGE_SEQ] = next;
  }
}

/** Lets congestion control grow the window for `acked` segments, if the window was what held data back. */
export function growWindow(stack: TcpStack, conn: number, acked: number): void {
  const cold = stack.cold.words;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const used = cold[k + MAX_PACKETS_OUT];
  if ((used & CWND_LIMITED) === 0) {
    const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
    if (cwnd >= cold[k + SSTHRESH] || cwnd >= 2 * used) return;
  }
  congestionOf(stack, conn).onAck(stack, conn, acked);
}

/**
 * With data (or a FIN) waiting and nothing in flight, the window is shut: RFC 9293 3.8.6 MUST-35, 3.8.6.1 MUST-36,
 * SHLD-29, SHLD-30: probe after an RTO, then ever more rarely.
 */
export function armProbe(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const state = words[c + STATE_AT];
  const waits = words[c + SND_END] !== words[c + SND_NXT] || (state & (FIN_QUEUED | FIN_SENT)) === FIN_QUEUED;
  if (!waits || stack.timers[conn * TIMER_STRIDE + REXMIT] !== 0) return;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  stack.warm[at] = (stack.warm[at] & ~(3 << KIND_AT)) | (REXMIT_KIND.PROBE << KIND_AT);
  stack.armTimer(conn, REXMIT, rtoMs(stack, conn));
}
