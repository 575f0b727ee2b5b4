/**
 * The list of segments in flight in the order in which they were last sent, which RACK (RFC 8985 5.2) walks instead of
 * the whole queue. There is one where there is a `RECOVERY` row; what is SACKed, or was taken for lost, leaves it.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { COLD, RTX, RTX_FLAG } from "./state/tcb.ts";

const { SENT_HEAD, SENT_TAIL } = RECOVERY;
const { SENT_NEXT, SENT_PREV, FLAGS, NEXT, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { LISTED } = RTX_FLAG;

/** Appends a record that is not in the list. `r` is the offset of the `RECOVERY` row. */
export function appendSent(stack: TcpStack, r: number, record: number): void {
  const records = stack.segments.words;
  const rows = stack.recoveries.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const tail = rows[r + SENT_TAIL];
  records[at + FLAGS] |= LISTED;
  records[at + SENT_NEXT] = 0;
  records[at + SENT_PREV] = tail;
  if (tail === 0) rows[r + SENT_HEAD] = record;
  else records[tail * RTX_STRIDE + SENT_NEXT] = record;
  rows[r + SENT_TAIL] = record;
}

/** Takes a record out of the list, if it is in it. */
export function removeSent(stack: TcpStack, r: number, record: number): void {
  const records = stack.segments.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  if ((records[at + FLAGS] & LISTED) === 0) return;
  const rows = stack.recoveries.words;
  const next = records[at + SENT_NEXT];
  const previous = records[at + SENT_PREV];
  records[at + FLAGS] &= ~LISTED;
  if (next === 0) rows[r + SENT_TAIL] = previous;
  else records[next * RTX_STRIDE + SENT_PREV] = previous;
  if (previous === 0) rows[r + SENT_HEAD] = next;
  else records[previous * RTX_STRIDE + SENT_NEXT] = next;
}

/** Puts `record` behind `before`, of which it was a part. */
export function insertSent(stack: TcpStack, r: number, before: number, record: number): void {
  const records = stack.segments.words;
  const b = (before * RTX_STRIDE) & RTX_MASK;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  if ((records[b + FLAGS] & LISTED) === 0) return;
  const rows = stack.recoveries.words;
  const next = records[b + SENT_NEXT];
  records[at + FLAGS] |= LISTED;
  records[at + SENT_PREV] = before;
  records[at + SENT_NEXT] = next;
  records[b + SENT_NEXT] = record;
  if (next === 0) rows[r + SENT_TAIL] = record;
  else records[next * RTX_STRIDE + SENT_PREV] = record;
}

/** Lists a queue of which nothing was ever retransmitted: its order is the order of sending. */
export function listQueue(stack: TcpStack, k: number, r: number): void {
  for (
    let record = stack.cold.words[k + COLD.RTX_HEAD];
    record !== 0;
    record = stack.segments.words[record * RTX_STRIDE + NEXT]
  ) appendSent(stack, r, record);
}
