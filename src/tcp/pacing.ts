/**
 * Pacing: groups of segments are spaced out so that their bytes go at the pacing rate, as Linux does inside TCP
 * (`tcp_pacing_check`, `tcp_update_skb_after_send`). What waits is asked for in the stack's outbox of fine timers.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import { isPaced, pacingRate } from "./pacing_rate.ts";
import { push } from "./output.ts";
import { retransmitLost } from "./retransmit.ts";
import type { TcpStack } from "./stack.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { ROW_KIND } from "./state/states.ts";
import { FLAG, TCB } from "./state/tcb.ts";
import { busySender, senderAt } from "./write_queue.ts";

const { FLAGS, NEXT_SEND_HIGH, NEXT_SEND_LOW, UNPACED } = SENDER;
const { PACED, PACING } = SENDER_FLAG;
/** A time in ns as two words: units of 2^30. */
const UNIT = 2 ** 30;
/** Segments with data that are sent before pacing begins. */
const FREE_SEGMENTS = 10;

/** Paces the connection from now on, if anybody asks for it: profile, SO_MAX_PACING_RATE or the algorithm. */
export function startPacing(stack: TcpStack, conn: number): void {
  if (!isPaced(stack, conn)) return;
  const s = busySender(stack, conn);
  stack.senders.words[s + FLAGS] |= PACED;
}

/** Is the connection paced? `s` is where its `SENDER` row begins, 0 for none. */
export function paces(stack: TcpStack, s: number): boolean {
  return s !== 0 && (stack.senders.words[s + FLAGS] & PACED) !== 0;
}

/** Asks the driver to call `fineTimerFired(ref)` at `ns`. */
function requestFineTimer(stack: TcpStack, ref: number, ns: number): void {
  const at = stack.fineTimerRequestCount * 2;
  if (at === stack.fineTimerRequests.length) {
    stack.fineTimerRequests = lengthened(stack.fineTimerRequests, 2 * at);
  }
  stack.fineTimerRequests[at] = ref;
  stack.fineTimerRequests[at + 1] = ns;
  stack.fineTimerRequestCount++;
}

/** Must a paced connection wait before it sends? Then the pacing timer is set. `s` is where the `SENDER` row begins. */
export function mustWait(stack: TcpStack, conn: number, s: number): boolean {
  const rows = stack.senders.words;
  const next = rows[s + NEXT_SEND_HIGH] * UNIT + rows[s + NEXT_SEND_LOW];
  if (next <= stack.nowNs) return false;
  if ((rows[s + FLAGS] & PACING) === 0) {
    rows[s + FLAGS] |= PACING;
    requestFineTimer(stack, (conn << 2) | ROW_KIND.CONNECTION, next);
  }
  return true;
}

/**
 * `segments` with `bytes` in all have been sent together: when may the next go? Not before they have taken their time at
 * the pacing rate, less (up to half of it) how late they were. `s` is where the `SENDER` row begins.
 */
export function notePaced(stack: TcpStack, conn: number, s: number, bytes: number, segments: number): void {
  const rows = stack.senders.words;
  const now = stack.nowNs;
  const before = rows[s + NEXT_SEND_HIGH] * UNIT + rows[s + NEXT_SEND_LOW];
  let next = Math.max(before, now);
  const rate = pacingRate(stack, conn);
  rows[s + UNPACED] = Math.min(FREE_SEGMENTS, rows[s + UNPACED] + segments);
  if (rate !== 0 && rows[s + UNPACED] >= FREE_SEGMENTS) {
    const takes = Math.floor(bytes * 1e9 / rate);
    next += takes - Math.min(Math.floor(takes / 2), next - before);
  }
  rows[s + NEXT_SEND_HIGH] = Math.floor(next / UNIT);
  rows[s + NEXT_SEND_LOW] = next % UNIT;
}

/**
 * A fine timer is due. The driver has made sure that it is the same connection still (`generation`).
 */
export function fineTimerFired(stack: TcpStack, ref: number): void {
  const conn = ref >>> 2;
  const s = senderAt(stack, conn);
  if (s === 0 || (stack.senders.words[s + FLAGS] & PACING) === 0) return;
  stack.senders.words[s + FLAGS] &= ~PACING;
  if ((stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.DONE) === 0) {
    retransmitLost(stack, conn);
    push(stack, conn, 0);
  }
}
