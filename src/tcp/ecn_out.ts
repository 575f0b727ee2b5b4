/**
 * The sender's part of ECN (RFC 3168 6.1): which segments are marked as ECN-capable.
 *
 * @module
 */
import { PACKET } from "../wire/packet.ts";
import { congestionById, congestionOf } from "./congestion/types.ts";
import { ECT_0 } from "./ecn_open.ts";
import type { TcpStack } from "./stack.ts";
import { TCB, WARM } from "./state/tcb.ts";

/**
 * Marks a segment of a connection with ECN, before SND.NXT moves: ECT(0) on new data (RFC 3168 6.1.2), not on ACKs,
 * probes and retransmissions (6.1.4, 6.1.5, 6.1.6); on everything where the algorithm needs it (RFC 8257, as Linux).
 */
export function stampEcn(stack: TcpStack, conn: number, packet: number, seq: number, length: number): void {
  const fresh = length > 0 && ((seq - stack.tcbs.words[conn * TCB.STRIDE + TCB.SND_NXT]) | 0) >= 0;
  if (!fresh && !needsEcn(stack, conn)) return;
  stack.packets.rows.words[packet * PACKET.STRIDE + PACKET.WINDOW_TTL_TOS] |= ECT_0;
}

function needsEcn(stack: TcpStack, conn: number): boolean {
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  return (cold !== 0 ? congestionOf(stack, conn) : congestionById(stack.algorithmOf(conn))).wantsEcn === true;
}
