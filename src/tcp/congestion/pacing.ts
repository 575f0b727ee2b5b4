/**
 * The rate that a window and a round trip come to: what pacing goes by unless the algorithm says otherwise.
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { COLD, TCB, WARM } from "../state/tcb.ts";

const { CWND, MSS, MASK, STRIDE } = TCB;
const { SRTT, COLD: COLD_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, PACKETS_OUT, STRIDE: COLD_STRIDE } = COLD;
/** SRTT is kept in eighths of µs; percent: 8 * 10^6 / 100. */
const SCALE = 80_000;

/**
 * Bytes per second of a window in a smoothed round trip, with the profile's head start: twice that in slow start, until
 * the window comes near the threshold, 1.2 times that afterwards (Linux's `tcp_update_pacing_rate`). 0 before the first
 * RTT sample. The connection has a cold row.
 */
export function windowRate(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const srtt = stack.warm[w + SRTT];
  if (srtt === 0) return 0;
  const k = stack.warm[w + COLD_AT] * COLD_STRIDE;
  const cold = stack.cold.words;
  const profile = stack.profileOfConnection(conn);
  const cwnd = words[c + CWND];
  const percent = cwnd < cold[k + SSTHRESH] >> 1 ? profile.pacingSlowStartPercent : profile.pacingAvoidancePercent;
  const window = Math.max(cwnd, cold[k + PACKETS_OUT]) * (words[c + MSS] & 0xffff);
  return Math.floor(window * percent * SCALE / srtt);
}
