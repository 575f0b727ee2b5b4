/**
 * The retransmission queue where many segments join or leave it at once: those of a group, and those that one ACK covers.
 *
 * Rows of records are taken and given back as chains (`RowPool.allocateChain`): the word that links them is `RTX.NEXT`.
 *
 * @module
 */
import { rackAdaptWindow } from "./rack.ts";
import { rateOfFlight } from "./rate.ts";
import { inFlight } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { RACK_BIT, RECOVERY } from "./state/recovery_row.ts";
import { COLD, RTX, RTX_FLAG, WARM } from "./state/tcb.ts";

const {
  RTX_HEAD,
  RTX_TAIL,
  RTX_HINT,
  PACKETS_OUT,
  DELIVERED,
  RECOVERY: RECOVERY_AT,
  MASK: COLD_MASK,
  STRIDE: COLD_STRIDE,
} = COLD;
const { MASK: WARM_MASK } = WARM;
const { ADVANCED } = RACK_BIT;
const {
  NEXT,
  PREV,
  SEQ,
  END,
  SENT_US,
  FLAGS,
  RETRANSMITS,
  DELIVERED: SENT_DELIVERED,
  DELIVERED_US: SENT_DELIVERED_US,
  FIRST_SENT_US: SENT_FIRST_US,
  IN_FLIGHT,
  SENT_NEXT,
  SENT_PREV,
  DELIVERED_CE: SENT_CE,
  MASK: RTX_MASK,
  STRIDE: RTX_STRIDE,
} = RTX;
const { LISTED, JOINED, APP_LIMITED: LIMITED } = RTX_FLAG;
const {
  HIGHEST_SACK,
  SACK_FINGER,
  LOST_HINT,
  RACK_SENT_US,
  RACK_END,
  RACK_STATE,
  HEARD_MS,
  SENT_HEAD,
  SENT_TAIL,
  DELIVERED_US,
  FIRST_SENT_US,
  DELIVERED_CE,
  APP_LIMITED,
  MASK: ROW_MASK,
  STRIDE: ROW_STRIDE,
} = RECOVERY;

/**
 * As `recordSegment` of `count` segments of `mss` bytes just sent from `seq`, the last of which ends at `end` and has
 * these flags; the others are `JOINED` to it. `row`: the cold row.
 */
export function recordGroup(
  stack: TcpStack,
  row: number,
  seq: number,
  mss: number,
  count: number,
  end: number,
  flags: number,
): void {
  const k = (row * COLD_STRIDE) & COLD_MASK;
  const first = count === 1 ? stack.segments.allocate() : stack.segments.allocateChain(count);
  const records = stack.segments.words;
  const cold = stack.cold.words;
  const rows = stack.recoveries.words;
  const r = (cold[k + RECOVERY_AT] * ROW_STRIDE) & ROW_MASK;
  const nowUs = stack.nowUs;
  const delivered = cold[k + DELIVERED];
  const tail = cold[k + RTX_TAIL];
  let previous = tail;
  let sentPrevious = 0;
  let tags = 0;
  let deliveredUs = 0;
  let firstSentUs = 0;
  let ce = 0;
  let flight = 0;
  if (r !== 0) {
    // What was delivered before was sent before: also after half an hour, when the clock's difference has no sign.
    if (tail === 0) rows[r + RACK_SENT_US] = (nowUs - 1) | 0;
    // Nothing is in flight: a rate sample's time begins now.
    if (cold[k + PACKETS_OUT] === 0) rows[r + FIRST_SENT_US] = rows[r + DELIVERED_US] = nowUs || 1;
    if (rows[r + HIGHEST_SACK] === 0) rows[r + HIGHEST_SACK] = first;
    tags = rows[r + APP_LIMITED] === 0 ? LISTED : LISTED | LIMITED;
    sentPrevious = rows[r + SENT_TAIL];
    deliveredUs = rows[r + DELIVERED_US];
    firstSentUs = rows[r + FIRST_SENT_US];
    ce = rows[r + DELIVERED_CE];
    flight = inFlight(cold, k);
    if (sentPrevious === 0) rows[r + SENT_HEAD] = first;
    else records[((sentPrevious * RTX_STRIDE) & RTX_MASK) + SENT_NEXT] = first;
  }
  if (tail === 0) cold[k + RTX_HEAD] = first;
  else records[((tail * RTX_STRIDE) & RTX_MASK) + NEXT] = first;
  let record = first;
  for (let begin = seq;;) {
    const at = (record * RTX_STRIDE) & RTX_MASK;
    const after = records[at + NEXT];
    const middle = (begin + mss) | 0;
    records[at + PREV] = previous;
    records[at + SEQ] = begin;
    records[at + END] = after === 0 ? end : middle;
    records[at + SENT_US] = nowUs;
    records[at + FLAGS] = tags | (after === 0 ? flags : JOINED);
    records[at + RETRANSMITS] = 0;
    records[at + SENT_DELIVERED] = delivered;
    records[at + SENT_DELIVERED_US] = deliveredUs;
    records[at + SENT_FIRST_US] = firstSentUs;
    if (r === 0) records[at + IN_FLIGHT] = records[at + SENT_NEXT] = records[at + SENT_PREV] = 0;
    else {
      records[at + IN_FLIGHT] = ++flight;
      records[at + SENT_NEXT] = after;
      records[at + SENT_PREV] = sentPrevious;
    }
    records[at + SENT_CE] = ce;
    if (after === 0) break;
    begin = middle;
    previous = sentPrevious = record;
    record = after;
  }
  cold[k + RTX_TAIL] = record;
  if (r !== 0) rows[r + SENT_TAIL] = record;
  cold[k + PACKETS_OUT] += count;
}

/**
 * As `dropAcked` and `beginQueue` of the first `dropped` records, of which `last` is the last and `head` comes after it:
 * none has a tag. What a `RECOVERY` row says of them has gone.
 */
export function dropFlight(stack: TcpStack, k: number, last: number, head: number, dropped: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  const hint = cold[k + RTX_HINT];
  if (hint !== 0 && isBelow(records, hint, records[((last * RTX_STRIDE) & RTX_MASK) + END])) cold[k + RTX_HINT] = 0;
  stack.segments.releaseChain(cold[k + RTX_HEAD], last, dropped);
  cold[k + RTX_HEAD] = head;
  if (head === 0) cold[k + RTX_TAIL] = 0;
  else records[((head * RTX_STRIDE) & RTX_MASK) + PREV] = 0;
  cold[k + PACKETS_OUT] -= dropped;
}

/**
 * What the ACK of `acked` segments says to the `RECOVERY` row, where none of them was SACKed or sent again and they
 * begin the list by time of sending: RACK, rates, and what points to them. Their records are there yet, up to `last`.
 * Returns the `ACK_FLAG` of a rate sample that the application limited, or 0.
 */
export function recoveryOfFlight(stack: TcpStack, w: number, cold: number, last: number, acked: number): number {
  const k = cold & COLD_MASK;
  const r = (stack.cold.words[k + RECOVERY_AT] * ROW_STRIDE) & ROW_MASK;
  const rows = stack.recoveries.words;
  const records = stack.segments.words;
  const at = (last * RTX_STRIDE) & RTX_MASK;
  const end = records[at + END];
  const head = records[at + NEXT];
  rows[r + HEARD_MS] = stack.nowMs;
  // RFC 8985 6.2 steps 1 and 2, as `rackAdvance`.
  const lastUs = records[at + SENT_US];
  const later = (lastUs - rows[r + RACK_SENT_US]) | 0;
  if (later > 0 || (later === 0 && ((end - rows[r + RACK_END]) | 0) > 0)) {
    rows[r + RACK_SENT_US] = lastUs;
    rows[r + RACK_END] = end;
  }
  const rack = rows[r + RACK_STATE] | ADVANCED;
  rows[r + RACK_STATE] = rack;
  // Steps are as they were where there are none, and no D-SACK asks for one.
  if (rack !== ADVANCED) rackAdaptWindow(stack, k, r, records[at + SENT_DELIVERED]);
  const after = records[at + SENT_NEXT];
  rows[r + SENT_HEAD] = after;
  if (after === 0) rows[r + SENT_TAIL] = 0;
  else records[((after * RTX_STRIDE) & RTX_MASK) + SENT_PREV] = 0;
  const highest = rows[r + HIGHEST_SACK];
  if (highest !== 0 && isBelow(records, highest, end)) rows[r + HIGHEST_SACK] = head;
  const finger = rows[r + SACK_FINGER];
  if (finger !== 0 && isBelow(records, finger, end)) rows[r + SACK_FINGER] = head;
  const lost = rows[r + LOST_HINT];
  if (lost !== 0 && isBelow(records, lost, end)) rows[r + LOST_HINT] = 0;
  return rateOfFlight(stack, w & WARM_MASK, k, r, at, acked);
}

/** Does a record end at `end` or before it? */
function isBelow(records: Int32Array, record: number, end: number): boolean {
  return ((records[((record * RTX_STRIDE) & RTX_MASK) + END] - end) | 0) <= 0;
}
