/**
 * The rate that a window and a round trip come to: what pacing goes by unless the algorithm says otherwise.
 *
 * @module
 */
import { PROFILE_WORD } from "../../transport/profile.ts";
import type { TcpStack } from "../stack.ts";
import { COLD, TCB, WARM } from "../state/tcb.ts";

const { CWND, MSS, MASK, STRIDE } = TCB;
const { SRTT, COLD: COLD_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, PACKETS_OUT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { PACING_SLOW_START_PERCENT: SLOW_START_PERCENT, PACING_AVOIDANCE_PERCENT: AVOIDANCE_PERCENT } = PROFILE_WORD;
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
  const k = (stack.warm[w + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  const cold = stack.cold.words;
  const cwnd = words[c + CWND];
  const packets = cold[k + PACKETS_OUT];
  const p = stack.profileAt(conn) + (cwnd < cold[k + SSTHRESH] >> 1 ? SLOW_START_PERCENT : AVOIDANCE_PERCENT);
  const window = (cwnd > packets ? cwnd : packets) * (words[c + MSS] & 0xffff);
  return Math.floor(window * stack.profiles.words[p] * SCALE / srtt);
}
