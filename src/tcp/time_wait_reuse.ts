/**
 * When a host may take over its own TIME_WAIT tuple for a new connection (RFC 6191, RFC 9293 3.6.1 MAY-2; Linux
 * `tcp_twsk_unique`).
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { TIME_WAIT_FLAG, TIME_WAIT_ROW } from "./state/tcb.ts";

const { HOST, FLAGS, SINCE_MS, MASK, STRIDE } = TIME_WAIT_ROW;
const { TIMESTAMPS, FIN_WAIT_2 } = TIME_WAIT_FLAG;
/** How long a tuple has to rest before it is chosen again, ms (Linux `tcp_tw_reuse_delay`). */
const REST_MS = 1000;

/** May the tuple of a TIME_WAIT row be used again: it has rested, and timestamps tell old segments from new ones? */
export function canReuseTimeWait(stack: TcpStack, row: number): boolean {
  const rows = stack.timeWaits.words;
  const t = (row * STRIDE) & MASK;
  if ((rows[t + FLAGS] & (TIMESTAMPS | FIN_WAIT_2)) !== TIMESTAMPS) return false;
  return stack.profileOf(rows[t + HOST]).timeWaitReuse && ((stack.nowMs - rows[t + SINCE_MS]) | 0) > REST_MS;
}
