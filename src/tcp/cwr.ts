/**
 * The state CWR: the window is reduced for a congestion signal other than loss, ECN's echo (RFC 3168 6.1.2) or an
 * interface that takes nothing.
 *
 * @module
 */
import { beginReduction } from "./prr.ts";
import { coldAt, recoveryAt, recoveryState, setRecoveryState } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { CA } from "./state/tcb.ts";

/** Reduces the window, at most once in a round trip; it is not undone (Linux's `tcp_enter_cwr`). */
export function enterCwr(stack: TcpStack, conn: number): void {
  stack.recoveryOf(conn);
  const k = coldAt(stack, conn);
  const r = recoveryAt(stack, k);
  stack.recoveries.words[r + RECOVERY.PRIOR_SSTHRESH] = 0;
  if (recoveryState(stack, k) >= CA.CWR) return;
  stack.recoveries.words[r + RECOVERY.HAS_UNDO] = 0;
  beginReduction(stack, conn, k);
  setRecoveryState(stack, conn, k, CA.CWR);
}
