/**
 * RACK (RFC 8985): a segment is lost if one that was sent later was delivered, and a round trip and a reordering window
 * have passed since it was sent. As Linux does it (`tcp_recovery.c`).
 *
 * @module
 */
import { armReorder } from "./rto_timer.ts";
import { markLost, recoveryState, reorderingOf } from "./scoreboard.ts";
import { removeSent } from "./sent_list.ts";
import type { TcpStack } from "./stack.ts";
import { RACK_BIT, RECOVERY } from "./state/recovery_row.ts";
import { CA, COLD, RTX, RTX_FLAG, WARM } from "./state/tcb.ts";

const { MIN_RTT, SRTT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { RACK_RTT_US, SACKED_OUT, DELIVERED } = COLD;
const { RACK_SENT_US, RACK_END, RACK_STATE, RACK_LAST_DELIVERED, REORDER_SEEN, SENT_HEAD } = RECOVERY;
const { ADVANCED, DSACK_SEEN } = RACK_BIT;
const { END, SENT_US, FLAGS, SENT_NEXT, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { LOST, RETRANSMITTED, EVER } = RTX_FLAG;
const STEPS = 0xff;
const PERSIST_AT = 8;
/** Recoveries that a widened window outlasts (RFC 8985 6.2 step 4; Linux `TCP_RACK_RECOVERY_THRESH`). */
const PERSIST = 16;

/** Was the first segment sent after the second? Among those of one instant, the later in sequence counts as later. */
function sentAfter(us1: number, us2: number, end1: number, end2: number): boolean {
  return ((us1 - us2) | 0) > 0 || (us1 === us2 && ((end1 - end2) | 0) > 0);
}

/** A segment was delivered (RFC 8985 6.2 steps 1 and 2). `flags` are those that its record had. */
export function rackAdvance(
  stack: TcpStack,
  conn: number,
  k: number,
  r: number,
  flags: number,
  end: number,
  sentUs: number,
): void {
  const rtt = (stack.nowUs - sentUs) | 0;
  if ((flags & (EVER | RETRANSMITTED)) !== 0) {
    // Not later than the shortest round trip: it may have been the first transmission that arrived. (RFC 8985 6.2 has
    // "sooner"; in simulated time, where nothing jitters, the two are often equal.)
    const least = stack.warm[conn * WARM_STRIDE + MIN_RTT];
    if (least === 0 || rtt <= least) return;
  }
  const rows = stack.recoveries.words;
  rows[r + RACK_STATE] |= ADVANCED;
  stack.cold.words[k + RACK_RTT_US] = rtt;
  if (sentAfter(sentUs, rows[r + RACK_SENT_US], end, rows[r + RACK_END])) {
    rows[r + RACK_SENT_US] = sentUs;
    rows[r + RACK_END] = end;
  }
}

/** RFC 8985 6.2 step 4: the reordering window, µs. */
function reorderWindow(stack: TcpStack, conn: number, k: number, r: number): number {
  const rows = stack.recoveries.words;
  if (rows[r + REORDER_SEEN] === 0) {
    if (recoveryState(stack, k) >= CA.RECOVERY) return 0;
    if (stack.cold.words[k + SACKED_OUT] >= reorderingOf(stack, conn, r)) return 0;
  }
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const srtt = stack.warm[w + SRTT] >> 3;
  const least = stack.warm[w + MIN_RTT] || srtt;
  return Math.min((least >> 2) * ((rows[r + RACK_STATE] & STEPS) + 1), srtt);
}

/** Time until a segment sent at `sentUs` would be lost, with a window of `windowUs`; not positive: it is. */
export function rackLeftUs(stack: TcpStack, k: number, sentUs: number, windowUs: number): number {
  return stack.cold.words[k + RACK_RTT_US] + windowUs - ((stack.nowUs - sentUs) | 0);
}

/** RFC 8985 6.2 step 5: marks what is lost, and returns the time until more may be, µs; 0 for none. */
export function rackDetectLoss(stack: TcpStack, conn: number, k: number, r: number): number {
  const window = reorderWindow(stack, conn, k, r);
  const records = stack.segments.words;
  const rows = stack.recoveries.words;
  const newest = rows[r + RACK_SENT_US];
  const end = rows[r + RACK_END];
  let timeout = 0;
  let next = 0;
  for (let record = rows[r + SENT_HEAD]; record !== 0; record = next) {
    const at = (record * RTX_STRIDE) & RTX_MASK;
    next = records[at + SENT_NEXT];
    // Lost, and not sent again yet.
    if ((records[at + FLAGS] & (LOST | RETRANSMITTED)) === LOST) continue;
    if (!sentAfter(newest, records[at + SENT_US], end, records[at + END])) break;
    const left = rackLeftUs(stack, k, records[at + SENT_US], window);
    if (left <= 0) {
      markLost(stack, k, record);
      removeSent(stack, r, record);
    } else if (left > timeout) timeout = left;
  }
  return timeout;
}

/** Looks for losses if something was delivered since the last look. True if the reordering timer was armed. */
export function rackMarkLost(stack: TcpStack, conn: number, k: number, r: number): boolean {
  const rows = stack.recoveries.words;
  if ((rows[r + RACK_STATE] & ADVANCED) === 0) return false;
  rows[r + RACK_STATE] &= ~ADVANCED;
  const timeout = rackDetectLoss(stack, conn, k, r);
  if (timeout === 0) return false;
  armReorder(stack, conn, timeout);
  return true;
}

/**
 * RFC 8985 6.2 step 4: a D-SACK widens the window by a step, at most once in a round trip; 16 recoveries later the
 * window is what it was. `priorDelivered`: what had been delivered when the segment now delivered was sent.
 */
export function rackAdaptWindow(stack: TcpStack, k: number, r: number, priorDelivered: number): void {
  if (priorDelivered === 0) return;
  const rows = stack.recoveries.words;
  let state = rows[r + RACK_STATE];
  if (((priorDelivered - rows[r + RACK_LAST_DELIVERED]) | 0) < 0) state &= ~DSACK_SEEN;
  if ((state & DSACK_SEEN) !== 0) {
    const steps = Math.min(STEPS - 1, (state & STEPS) + 1);
    state = (state & ADVANCED) | (PERSIST << PERSIST_AT) | steps;
    rows[r + RACK_LAST_DELIVERED] = stack.cold.words[k + DELIVERED];
  } else if (((state >> PERSIST_AT) & 0xff) === 0) state &= ~STEPS;
  rows[r + RACK_STATE] = state;
}

/** One recovery fewer until the window shrinks back (`by` -1), or one more (1). */
export function rackPersist(stack: TcpStack, r: number, by: number): void {
  const rows = stack.recoveries.words;
  const state = rows[r + RACK_STATE];
  const left = Math.max(0, Math.min(PERSIST, ((state >> PERSIST_AT) & 0xff) + by));
  rows[r + RACK_STATE] = (state & ~(0xff << PERSIST_AT)) | (left << PERSIST_AT);
}
