/**
 * The sender's part of ECN (RFC 3168 6.1): which segments are marked as ECN-capable, and which says that the window was
 * reduced.
 *
 * @module
 */
import { PACKET, TCP_FLAG } from "../wire/packet.ts";
import { congestionById, congestionOf } from "./congestion/types.ts";
import { ECT_0 } from "./ecn_open.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY, RECOVERY_FLAG } from "./state/recovery_row.ts";
import { COLD, TCB, WARM } from "./state/tcb.ts";

/**
 * Marks a segment of a connection with ECN, before SND.NXT moves: ECT(0) on new data (RFC 3168 6.1.2), not on ACKs,
 * probes and retransmissions (6.1.4, 6.1.5, 6.1.6); on everything where the algorithm needs it (RFC 8257, as Linux).
 */
export function stampEcn(stack: TcpStack, conn: number, packet: number, seq: number, length: number): void {
  const fresh = length > 0 && ((seq - stack.tcbs.words[conn * TCB.STRIDE + TCB.SND_NXT]) | 0) >= 0;
  if (!fresh && !needsEcn(stack, conn)) return;
  stack.packets.rows.words[packet * PACKET.STRIDE + PACKET.WINDOW_TTL_TOS] |= ECT_0;
  if (fresh && takeReduced(stack, conn)) {
    stack.packets.rows.words[packet * PACKET.STRIDE + PACKET.CONTROL] |= TCP_FLAG.CWR;
  }
}

/** Has the window been reduced, and the peer not been told? RFC 3168 6.1.2: the first new data after it says so, once. */
function takeReduced(stack: TcpStack, conn: number): boolean {
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const row = cold === 0 ? 0 : stack.cold.words[cold * COLD.STRIDE + COLD.RECOVERY];
  if (row === 0) return false;
  const at = row * RECOVERY.STRIDE + RECOVERY.FLAGS;
  const rows = stack.recoveries.words;
  if ((rows[at] & RECOVERY_FLAG.QUEUE_CWR) === 0) return false;
  rows[at] &= ~RECOVERY_FLAG.QUEUE_CWR;
  return true;
}

function needsEcn(stack: TcpStack, conn: number): boolean {
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  return (cold !== 0 ? congestionOf(stack, conn) : congestionById(stack.algorithmOf(conn))).wantsEcn === true;
}
