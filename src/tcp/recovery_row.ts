/**
 * How a `RECOVERY` row begins: as if it had been there from the start of the flight.
 *
 * @module
 */
import { listQueue } from "./sent_list.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { COLD, RTX, WARM } from "./state/tcb.ts";

/** Makes the row. The connection has a cold row and no `RECOVERY` row. */
export function makeRecovery(stack: TcpStack, conn: number): number {
  const row = stack.recoveries.allocate();
  const w = conn * WARM.STRIDE;
  const k = stack.warm[w + WARM.COLD] * COLD.STRIDE;
  stack.cold.words[k + COLD.RECOVERY] = row;
  const rows = stack.recoveries.words;
  const r = row * RECOVERY.STRIDE;
  const head = stack.cold.words[k + COLD.RTX_HEAD];
  const oldest = head === 0 ? stack.nowUs : stack.segments.words[head * RTX.STRIDE + RTX.SENT_US];
  // What was delivered before was sent before anything in flight.
  rows[r + RECOVERY.RACK_SENT_US] = (oldest - 1) | 0;
  rows[r + RECOVERY.DELIVERED_US] = stack.nowUs || 1;
  rows[r + RECOVERY.FIRST_SENT_US] = stack.nowUs || 1;
  rows[r + RECOVERY.MIN_RTT_2] = rows[r + RECOVERY.MIN_RTT_3] = stack.warm[w + WARM.MIN_RTT];
  rows[r + RECOVERY.MIN_RTT_STAMP] = rows[r + RECOVERY.MIN_RTT_2_STAMP] = stack.nowMs;
  rows[r + RECOVERY.MIN_RTT_3_STAMP] = stack.nowMs;
  rows[r + RECOVERY.HEARD_MS] = stack.nowMs;
  listQueue(stack, k, r);
  return row;
}
