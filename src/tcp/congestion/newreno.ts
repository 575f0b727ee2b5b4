/**
 * NewReno's window: slow start and congestion avoidance of RFC 5681, counted in segments (appropriate byte counting
 * of RFC 3465 in effect, since stretch ACKs count for what they acknowledge). Others build on its two halves.
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { COLD, TCB, WARM } from "../state/tcb.ts";
import { type CongestionControl, registerCongestionControl } from "./types.ts";

const { CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, CWND_COUNT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;

/** Grows CWND in slow start; returns the segments left over once it has reached the threshold. */
export function slowStart(stack: TcpStack, conn: number, acked: number): number {
  const words = stack.tcbs.words;
  const at = conn * STRIDE + CWND;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const grown = Math.min(words[at] + acked, stack.cold.words[k + SSTHRESH]);
  const left = acked - (grown - words[at]);
  words[at] = grown;
  return left;
}

/** Additive increase: one segment for every `window` segments acknowledged. */
export function additiveIncrease(stack: TcpStack, conn: number, window: number, acked: number): void {
  const words = stack.tcbs.words;
  const at = ((conn * STRIDE) & MASK) + CWND;
  const cold = stack.cold.words;
  const row = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT];
  const counter = ((row * COLD_STRIDE) & COLD_MASK) + CWND_COUNT;
  let count = cold[counter];
  // Credit of a time when increases were rarer counts for one.
  if (count >= window) {
    count = 0;
    words[at]++;
  }
  count += acked;
  if (count >= window) {
    const steps = Math.floor(count / window);
    count -= steps * window;
    words[at] += steps;
  }
  cold[counter] = count;
}

/** RFC 9293 3.8.2 MUST-19: slow start below the threshold, congestion avoidance from it on. */
export function renoIncrease(stack: TcpStack, conn: number, acked: number): void {
  const words = stack.tcbs.words;
  const at = conn * STRIDE + CWND;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  let left = acked;
  if (words[at] < stack.cold.words[k + SSTHRESH]) left = slowStart(stack, conn, acked);
  if (left > 0) additiveIncrease(stack, conn, words[at], left);
}

/** RFC 5681 3.1 (4): half of what was in flight; as Linux, of the window. */
export function renoThreshold(stack: TcpStack, conn: number): number {
  return Math.max(2, stack.tcbs.words[conn * STRIDE + CWND] >> 1);
}

/** See the module's description. A needless reduction is undone in full: the interface's default. */
export const NEWRENO: CongestionControl = {
  name: "reno",
  onAck: renoIncrease,
  ssthreshAfterLoss: renoThreshold,
  overlooksLoneFlights: () => true,
};

registerCongestionControl(NEWRENO);
