/**
 * What is known of the segments in flight: SACKed, lost, retransmitted (Linux's three tags of an `sk_buff`), the
 * counts of each, and what duplicate ACKs tell where there is no SACK.
 *
 * @module
 */
import { congestionOf } from "./congestion/types.ts";
import { isLoneFlight } from "./lone_flight_row.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { COLD, FLAG, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";

const { SACK: FLAG_SACK } = FLAG;

const { STATE, SND_UNA, SND_NXT, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  RTX_HINT,
  PACKETS_OUT,
  SACKED_OUT,
  LOST_OUT,
  RETRANS_OUT,
  CA_STATE,
  DELIVERED,
  RECOVERY: RECOVERY_AT,
  STRIDE: COLD_STRIDE,
} = COLD;
const { NEXT, SEQ, FLAGS, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { SACKED, LOST, RETRANSMITTED, EVER } = RTX_FLAG;
const {
  REORDERING,
  REORDER_SEEN,
  LOST: LOST_TOTAL,
  HIGHEST_SACK,
  LOST_HINT,
  DELIVERED_CE,
  STRIDE: ROW_STRIDE,
} = RECOVERY;

/** Offset of the connection's cold row, which it has. */
export function coldAt(stack: TcpStack, conn: number): number {
  return stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
}

/** Offset of the `RECOVERY` row of the cold row at `k`, which it has. */
export function recoveryAt(stack: TcpStack, k: number): number {
  return stack.cold.words[k + RECOVERY_AT] * ROW_STRIDE;
}

/** Does the connection use SACK? */
export function usesSack(stack: TcpStack, conn: number): boolean {
  return (stack.tcbs.words[((conn * STRIDE) & MASK) + STATE] & FLAG_SACK) !== 0;
}

/** The recovery state: one of `CA`. */
export function recoveryState(stack: TcpStack, k: number): number {
  return stack.cold.words[k + CA_STATE] & 0xff;
}

/** Goes to another recovery state; the algorithm is told before. */
export function setRecoveryState(stack: TcpStack, conn: number, k: number, state: number): void {
  congestionOf(stack, conn).onState?.(stack, conn, state);
  const cold = stack.cold.words;
  cold[k + CA_STATE] = (cold[k + CA_STATE] & ~0xff) | state;
}

/** Segments thought to be in the network (Linux's `tcp_packets_in_flight`; `pipe` of RFC 6675). */
export function inFlight(cold: Int32Array, k: number): number {
  return cold[k + PACKETS_OUT] - cold[k + SACKED_OUT] - cold[k + LOST_OUT] + cold[k + RETRANS_OUT];
}

/** Segments in flight, for reports. */
export function packetsInFlight(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return isLoneFlight(stack, conn) ? 1 : 0;
  return inFlight(stack.cold.words, row * COLD_STRIDE);
}

/** Segments that reordering may displace before a loss is assumed. `r`: offset of the `RECOVERY` row. */
export function reorderingOf(stack: TcpStack, conn: number, r: number): number {
  return stack.recoveries.words[r + REORDERING] || stack.profileOfConnection(conn).reordering;
}

/** One past the highest sequence number that was SACKed; SND.UNA if none was. */
export function highestSackSeq(stack: TcpStack, conn: number, k: number): number {
  const c = (conn * STRIDE) & MASK;
  if (stack.cold.words[k + SACKED_OUT] === 0) return stack.tcbs.words[c + SND_UNA];
  const row = stack.cold.words[k + RECOVERY_AT];
  const record = row === 0 ? 0 : stack.recoveries.words[row * ROW_STRIDE + HIGHEST_SACK];
  return record === 0 ? stack.tcbs.words[c + SND_NXT] : stack.segments.words[record * RTX_STRIDE + SEQ];
}

/** Takes a record for lost, and its retransmission too if that is in flight. There is a `RECOVERY` row. */
export function markLost(stack: TcpStack, k: number, record: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const flags = records[at + FLAGS];
  if ((flags & SACKED) !== 0) return;
  // Everything lost was sent again already, or this lies before the next to be sent: begin here.
  const hint = cold[k + RTX_HINT];
  if (hint === 0 ? cold[k + RETRANS_OUT] >= cold[k + LOST_OUT] : isBefore(records, at, hint)) {
    cold[k + RTX_HINT] = record;
  }
  const r = recoveryAt(stack, k);
  if ((flags & LOST) === 0) {
    cold[k + LOST_OUT]++;
    records[at + FLAGS] = flags | LOST;
    stack.recoveries.words[r + LOST_TOTAL]++;
  } else if ((flags & RETRANSMITTED) !== 0) {
    // A retransmission that was lost again.
    records[at + FLAGS] = flags & ~RETRANSMITTED;
    cold[k + RETRANS_OUT]--;
    stack.recoveries.words[r + LOST_TOTAL]++;
    stack.counters.lostRetransmissions++;
  }
}

function isBefore(records: Int32Array, at: number, other: number): boolean {
  return ((records[at + SEQ] - records[other * RTX_STRIDE + SEQ]) | 0) < 0;
}

/** Takes nothing for lost any more: the losses were none. */
export function unmarkLost(stack: TcpStack, k: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  for (let record = cold[k + RTX_HEAD]; record !== 0; record = records[record * RTX_STRIDE + NEXT]) {
    records[record * RTX_STRIDE + FLAGS] &= ~LOST;
  }
  cold[k + LOST_OUT] = 0;
  forgetHints(stack, k);
}

/** The next search for what is lost, or to be retransmitted, starts at the head. */
export function forgetHints(stack: TcpStack, k: number): void {
  stack.cold.words[k + RTX_HINT] = 0;
  stack.recoveries.words[recoveryAt(stack, k) + LOST_HINT] = 0;
}

/** Is a retransmission in flight, or was the oldest segment ever retransmitted? */
export function anyRetransmitted(stack: TcpStack, k: number): boolean {
  const cold = stack.cold.words;
  if (cold[k + RETRANS_OUT] !== 0) return true;
  const head = cold[k + RTX_HEAD];
  return head !== 0 && (stack.segments.words[head * RTX_STRIDE + FLAGS] & (EVER | RETRANSMITTED)) !== 0;
}

/** Counts segments as delivered. `r`: offset of the `RECOVERY` row, 0 for none. */
export function countDelivered(stack: TcpStack, k: number, r: number, count: number, ece: boolean): void {
  stack.cold.words[k + DELIVERED] += count;
  if (ece && r !== 0) stack.recoveries.words[r + DELIVERED_CE] += count;
}

/** Without SACK: a duplicate ACK says that a segment has left the network. */
export function addDuplicate(stack: TcpStack, conn: number, k: number, ece: boolean): void {
  const cold = stack.cold.words;
  const before = cold[k + SACKED_OUT];
  cold[k + SACKED_OUT]++;
  checkDuplicates(stack, conn, k, 0);
  const delivered = cold[k + SACKED_OUT] - before;
  if (delivered > 0) countDelivered(stack, k, recoveryAt(stack, k), delivered, ece);
}

/** Without SACK: of `acked` segments one filled the hole, the others had been counted by duplicate ACKs. */
export function removeDuplicates(stack: TcpStack, conn: number, k: number, acked: number, ece: boolean): void {
  const cold = stack.cold.words;
  const r = recoveryAt(stack, k);
  if (acked > 0) {
    const sacked = cold[k + SACKED_OUT];
    countDelivered(stack, k, r, Math.max(acked - sacked, 1), ece);
    cold[k + SACKED_OUT] = Math.max(0, sacked - (acked - 1));
  }
  // Without duplicates, and without a row, the limit cannot be exceeded.
  if (cold[k + SACKED_OUT] !== 0) checkDuplicates(stack, conn, k, acked);
}

/** More duplicate ACKs than there are segments that could have caused them: the path reorders (or duplicates). */
function checkDuplicates(stack: TcpStack, conn: number, k: number, acked: number): void {
  if (!limitDuplicates(stack, k)) return;
  const r = recoveryAt(stack, k);
  if (r === 0) return;
  const rows = stack.recoveries.words;
  rows[r + REORDERING] = Math.max(
    1,
    Math.min(stack.cold.words[k + PACKETS_OUT] + acked, stack.profileOfConnection(conn).maxReordering),
  );
  rows[r + REORDER_SEEN]++;
}

/** Duplicate ACKs cannot speak for more segments than are out and not lost. True if they did. */
export function limitDuplicates(stack: TcpStack, k: number): boolean {
  const cold = stack.cold.words;
  const holes = Math.min(Math.max(cold[k + LOST_OUT], 1), cold[k + PACKETS_OUT]);
  if (cold[k + SACKED_OUT] + holes <= cold[k + PACKETS_OUT]) return false;
  cold[k + SACKED_OUT] = cold[k + PACKETS_OUT] - holes;
  return true;
}
