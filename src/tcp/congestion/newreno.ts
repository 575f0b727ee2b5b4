/**
 * NewReno's window: slow start and congestion avoidance of RFC 5681, counted in segments (appropriate byte counting
 * of RFC 3465 in effect, since stretch ACKs count for what they acknowledge).
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { COLD, TCB, WARM } from "../state/tcb.ts";
import { type CongestionControl, registerCongestionControl } from "./types.ts";

/** Grows CWND in slow start; returns the segments left over once it has reached the threshold. */
export function slowStart(stack: TcpStack, conn: number, acked: number): number {
  const words = stack.tcbs.words;
  const at = conn * TCB.STRIDE + TCB.CWND;
  const k = stack.warm[conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE;
  const grown = Math.min(words[at] + acked, stack.cold.words[k + COLD.SSTHRESH]);
  const left = acked - (grown - words[at]);
  words[at] = grown;
  return left;
}

/** Additive increase: one segment for every `window` segments acknowledged. */
export function additiveIncrease(stack: TcpStack, conn: number, window: number, acked: number): void {
  const words = stack.tcbs.words;
  const at = conn * TCB.STRIDE + TCB.CWND;
  const cold = stack.cold.words;
  const counter = stack.warm[conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE + COLD.CWND_COUNT;
  if (cold[counter] >= window) {
    cold[counter] = 0;
    words[at]++;
  }
  cold[counter] += acked;
  if (cold[counter] >= window) {
    const steps = Math.floor(cold[counter] / window);
    cold[counter] -= steps * window;
    words[at] += steps;
  }
}

/** See the module's description. */
export const NEWRENO: CongestionControl = {
  name: "reno",
  // RFC 9293 3.8.2 MUST-19: slow start and congestion avoidance.
  onAck(stack, conn, acked) {
    const words = stack.tcbs.words;
    const at = conn * TCB.STRIDE + TCB.CWND;
    const k = stack.warm[conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE;
    let left = acked;
    if (words[at] < stack.cold.words[k + COLD.SSTHRESH]) left = slowStart(stack, conn, acked);
    if (left > 0) additiveIncrease(stack, conn, words[at], left);
  },
  // RFC 5681 3.1 (4): half of what was in flight; as Linux, of the window.
  ssthreshAfterLoss(stack, conn) {
    return Math.max(2, stack.tcbs.words[conn * TCB.STRIDE + TCB.CWND] >> 1);
  },
};

registerCongestionControl(NEWRENO);
