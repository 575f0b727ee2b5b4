/**
 * How a cold row begins, and when it is given back. Between the two lies whatever a connection has to remember beyond
 * its hot and warm line; a lone segment in flight is not part of that (`lone_flight.ts`) until somebody asks.
 *
 * @module
 */
import { congestionById } from "./congestion/types.ts";
import { isLoneFlight, writeLoneFlight } from "./lone_flight_row.ts";
import type { TcpStack } from "./stack.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { ACK_STATE, CA, COLD, SSTHRESH_INFINITE, TCB, WARM } from "./state/tcb.ts";

const { SND_UNA, SND_NXT, SND_END, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, RTTVAR, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { FRESH_RTT } = ACK_STATE;
const { FLAGS: SENDER_FLAGS, TAIL_SEQ, STRIDE: SENDER_STRIDE } = SENDER;
const {
  RTX_HEAD,
  CA_STATE,
  SSTHRESH,
  MDEV_MAX,
  RTT_SEQ,
  CWND_USAGE_SEQ,
  SND_SMALL,
  LAST_SENT_MS,
  HIGH_SEQ,
  OOO_HEAD,
  SETTINGS,
  CC,
  RECOVERY,
  RECEIVER,
  SENDER: SENDER_AT,
  ACCOUNT,
  FAST_OPEN,
  SOFT_ERROR,
  DELIVERED,
  CWND_STAMP_MS,
  MASK: COLD_MASK,
  STRIDE: COLD_STRIDE,
} = COLD;

/** Makes the cold row of a connection that has none. A lone flight is written into it. */
export function makeCold(stack: TcpStack, conn: number): number {
  const row = stack.cold.allocate();
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  warm[w + COLD_AT] = row;
  const cold = stack.cold.words;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  const una = stack.tcbs.words[conn * STRIDE + SND_UNA];
  cold[k + SSTHRESH] = SSTHRESH_INFINITE;
  // "Before anything": the next fast retransmit needs an ACK past it (RFC 6582 3.2 step 1).
  cold[k + HIGH_SEQ] = (una - 1) | 0;
  cold[k + RTT_SEQ] = una;
  cold[k + CWND_USAGE_SEQ] = una;
  cold[k + SND_SMALL] = una;
  if ((warm[w + ACK_STATE_AT] & FRESH_RTT) !== 0) {
    // Linux keeps the first sample's deviation through the round trip that follows it.
    warm[w + ACK_STATE_AT] &= ~FRESH_RTT;
    cold[k + MDEV_MAX] = warm[w + RTTVAR];
  }
  cold[k + LAST_SENT_MS] = cold[k + CWND_STAMP_MS] = stack.nowMs;
  cold[k + DELIVERED] = 1;
  if (isLoneFlight(stack, conn)) writeLoneFlight(stack, conn, k);
  const id = stack.algorithmOf(conn);
  const algorithm = congestionById(id);
  cold[k + CA_STATE] = id << 8;
  algorithm.start?.(stack, conn);
  if (algorithm.pacingRate !== undefined || stack.profileOfConnection(conn).pacing) pace(stack, conn);
  return row;
}

/** Segments are spaced out from now on. */
function pace(stack: TcpStack, conn: number): void {
  const s = stack.senderOf(conn) * SENDER_STRIDE;
  stack.senders.words[s + TAIL_SEQ] = stack.tcbs.words[conn * STRIDE + SND_NXT];
  stack.senders.words[s + SENDER_FLAGS] |= SENDER_FLAG.PACED;
}

/** Gives the cold row back if nothing in it is worth keeping: nothing in flight, no gap, no loss remembered. */
export function releaseColdAtRest(stack: TcpStack, conn: number): void {
  const at = conn * WARM_STRIDE + COLD_AT;
  const row = stack.warm[at];
  if (row === 0) return;
  const cold = stack.cold.words;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (
    cold[k + RTX_HEAD] !== 0 || cold[k + SSTHRESH] !== SSTHRESH_INFINITE ||
    (cold[k + OOO_HEAD] | cold[k + SETTINGS] | cold[k + CC] | cold[k + RECEIVER] | cold[k + ACCOUNT] |
        cold[k + FAST_OPEN] | cold[k + SOFT_ERROR]) !== 0 ||
    (cold[k + CA_STATE] & 0xff) !== CA.OPEN || words[c + SND_NXT] !== words[c + SND_UNA]
  ) return;
  // A window that has grown decays with the time that the row remembers (RFC 5681 4.1).
  if (words[c + CWND] > stack.profileOfConnection(conn).initialWindowSegments) return;
  const sender = cold[k + SENDER_AT];
  if (sender !== 0) {
    if (stack.senders.words[sender * SENDER_STRIDE + SENDER_FLAGS] !== 0) return;
    if (words[c + SND_END] !== words[c + SND_NXT]) return;
    stack.senders.release(sender);
  }
  const recovery = cold[k + RECOVERY];
  if (recovery !== 0) stack.recoveries.release(recovery);
  stack.warm[at] = 0;
  stack.cold.release(row);
}
