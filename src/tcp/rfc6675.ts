/**
 * Losses by counting (RFC 6675 IsLost()), where RACK is off: a segment is lost if as many segments beyond it are SACKed
 * as reordering accounts for.
 *
 * @module
 */
import { markLost } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { COLD, RTX, RTX_FLAG, TCB } from "./state/tcb.ts";

const { SND_UNA, STRIDE } = TCB;
const { RTX_HEAD } = COLD;
const { NEXT, SEQ, FLAGS, STRIDE: RTX_STRIDE } = RTX;
const { SACKED, LOST } = RTX_FLAG;
const { LOST_HINT, LOST_COUNT } = RECOVERY;

/** Marks what has at most `sacked` SACKed segments before it, from where the last call stopped. */
export function markByCount(stack: TcpStack, k: number, r: number, sacked: number): void {
  const rows = stack.recoveries.words;
  const records = stack.segments.words;
  let record = rows[r + LOST_HINT];
  let count = rows[r + LOST_COUNT];
  if (record === 0) {
    record = stack.cold.words[k + RTX_HEAD];
    count = 0;
  }
  for (; record !== 0; record = records[record * RTX_STRIDE + NEXT]) {
    rows[r + LOST_HINT] = record;
    rows[r + LOST_COUNT] = count;
    const flags = records[record * RTX_STRIDE + FLAGS];
    if ((flags & SACKED) !== 0) count++;
    if (count > sacked) return;
    if ((flags & LOST) === 0) markLost(stack, k, record);
  }
}

/** Marks the oldest segment, unless that was done. */
export function markHead(stack: TcpStack, conn: number, k: number, r: number): void {
  const rows = stack.recoveries.words;
  const records = stack.segments.words;
  const hint = rows[r + LOST_HINT];
  const una = stack.tcbs.words[conn * STRIDE + SND_UNA];
  if (hint !== 0 && ((records[hint * RTX_STRIDE + SEQ] - una) | 0) > 0) return;
  const head = stack.cold.words[k + RTX_HEAD];
  rows[r + LOST_HINT] = head;
  rows[r + LOST_COUNT] = 0;
  if ((records[head * RTX_STRIDE + FLAGS] & (SACKED | LOST)) === 0) markLost(stack, k, head);
}
