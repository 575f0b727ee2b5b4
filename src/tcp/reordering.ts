/**
 * Reordering: how far segments overtake one another on the path, in segments (Linux's `tcp_check_sack_reordering`).
 *
 * @module
 */
import { highestSackSeq, reorderingOf } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { TCB } from "./state/tcb.ts";

const { MSS, SND_UNA, MASK, STRIDE } = TCB;
const { REORDERING, REORDER_SEEN } = RECOVERY;

/** A segment that was never retransmitted was delivered at `low`, after others beyond it: the path reorders. */
export function checkReordering(stack: TcpStack, conn: number, k: number, r: number, low: number): void {
  const metric = (highestSackSeq(stack, conn, k) - low) | 0;
  if (metric <= 0) return;
  const rows = stack.recoveries.words;
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  if (mss !== 0 && metric > reorderingOf(stack, conn, r) * mss) {
    rows[r + REORDERING] = Math.min(Math.ceil(metric / mss), stack.profileOfConnection(conn).maxReordering);
  }
  rows[r + REORDER_SEEN]++;
}

/** Is more SACKed beyond SND.UNA than reordering accounts for? Then what is missing is lost. */
export function isBeyondReordering(stack: TcpStack, conn: number, k: number, r: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const ahead = (highestSackSeq(stack, conn, k) - words[c + SND_UNA]) | 0;
  return ahead > reorderingOf(stack, conn, r) * (words[c + MSS] & 0xffff);
}
