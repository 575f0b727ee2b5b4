/**
 * Proportional rate reduction (RFC 6937, and its revision as Linux 6.x has it): CWND falls to SSTHRESH over the ACKs of
 * a round trip, in CWR and fast recovery.
 *
 * @module
 */
import { CONGESTION_EVENT, congestionOf } from "./congestion/types.ts";
import { inFlight, recoveryAt, recoveryState } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY, RECOVERY_FLAG, TLP } from "./state/recovery_row.ts";
import { CA, COLD, FLAG, SSTHRESH_INFINITE, TCB, WARM } from "./state/tcb.ts";

const { STATE, SND_NXT, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, CWND_COUNT, HIGH_SEQ, CWND_STAMP_MS, RECOVERY: RECOVERY_AT, STRIDE: COLD_STRIDE } = COLD;
const { PRIOR_CWND, PRR_DELIVERED, PRR_OUT, TLP_STATE, FLAGS, HAS_UNDO } = RECOVERY;

/** Is CWND being reduced? */
export function inReduction(state: number): boolean {
  return state === CA.CWR || state === CA.RECOVERY;
}

/** The threshold, or what of the window counts as one: Linux's `tcp_current_ssthresh`. */
export function currentSsthresh(stack: TcpStack, conn: number): number {
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const ssthresh = stack.cold.words[k + SSTHRESH];
  if (inReduction(recoveryState(stack, k))) return ssthresh;
  const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
  return Math.max(ssthresh, (cwnd >> 1) + (cwnd >> 2));
}

/** ECN: the next new data says that the window was reduced (RFC 3168 6.1.2). */
export function queueCwr(stack: TcpStack, conn: number, r: number): void {
  if ((stack.tcbs.words[conn * STRIDE + STATE] & FLAG.ECN) !== 0) {
    stack.recoveries.words[r + FLAGS] |= RECOVERY_FLAG.QUEUE_CWR;
  }
}

/** A reduction begins (RFC 6937 3.1: initialization). There is a `RECOVERY` row. */
export function beginReduction(stack: TcpStack, conn: number, k: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const r = recoveryAt(stack, k);
  const rows = stack.recoveries.words;
  stack.cold.words[k + HIGH_SEQ] = words[c + SND_NXT];
  rows[r + TLP_STATE] = TLP.NONE;
  stack.cold.words[k + CWND_COUNT] = 0;
  rows[r + PRIOR_CWND] = words[c + CWND];
  rows[r + PRR_DELIVERED] = 0;
  rows[r + PRR_OUT] = 0;
  const ssthresh = congestionOf(stack, conn).ssthreshAfterLoss(stack, conn);
  stack.cold.words[k + SSTHRESH] = ssthresh;
  queueCwr(stack, conn, r);
}

/** An ACK in a reduction: `delivered` segments newly delivered, `lost` newly lost (RFC 6937 3.1). */
export function reduceWindow(
  stack: TcpStack,
  conn: number,
  k: number,
  delivered: number,
  lost: number,
  unaAdvanced: boolean,
): void {
  const rows = stack.recoveries.words;
  const r = recoveryAt(stack, k);
  if (delivered <= 0 || rows[r + PRIOR_CWND] === 0) return;
  const cold = stack.cold.words;
  const flight = inFlight(cold, k);
  const ssthresh = cold[k + SSTHRESH];
  const room = ssthresh - flight;
  rows[r + PRR_DELIVERED] += delivered;
  const total = rows[r + PRR_DELIVERED];
  const out = rows[r + PRR_OUT];
  let count: number;
  if (room < 0) {
    count = Math.floor((ssthresh * total + rows[r + PRIOR_CWND] - 1) / rows[r + PRIOR_CWND]) - out;
  } else {
    // As much as was delivered; one more where all goes well: slow start up to the threshold.
    count = Math.max(total - out, delivered);
    if (unaAdvanced && lost === 0) count++;
    count = Math.min(room, count);
  }
  // Entering recovery, one segment goes out whatever happens.
  count = Math.max(count, out === 0 ? 1 : 0);
  stack.tcbs.words[conn * STRIDE + CWND] = Math.max(1, flight + count);
}

/** A reduction is complete: CWND is SSTHRESH, unless it was undone. */
export function endReduction(stack: TcpStack, conn: number, k: number): void {
  const algorithm = congestionOf(stack, conn);
  if (algorithm.onControl !== undefined) return;
  const cold = stack.cold.words;
  const undone = recoveryState(stack, k) !== CA.CWR && stack.recoveries.words[recoveryAt(stack, k) + HAS_UNDO] === 0;
  if (cold[k + SSTHRESH] < SSTHRESH_INFINITE && !undone) {
    stack.tcbs.words[conn * STRIDE + CWND] = cold[k + SSTHRESH];
    cold[k + CWND_STAMP_MS] = stack.nowMs;
  }
  algorithm.onEvent?.(stack, conn, CONGESTION_EVENT.COMPLETE_CWR);
}

/** `count` segments were sent, new or again. */
export function countSent(stack: TcpStack, k: number, count: number): void {
  const row = stack.cold.words[k + RECOVERY_AT];
  if (row !== 0 && inReduction(recoveryState(stack, k))) {
    stack.recoveries.words[row * RECOVERY.STRIDE + PRR_OUT] += count;
  }
}
