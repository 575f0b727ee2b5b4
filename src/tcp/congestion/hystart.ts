/**
 * HyStart (Ha and Rhee, "Taming the elephants", 2011) as Linux's CUBIC has it: slow start ends before it overflows the
 * path's buffer, when a train of ACKs has become as long as half the least round trip, or when the least round trip of
 * a round has grown.
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { COLD, TCB, WARM } from "../state/tcb.ts";
import { CUBIC_PARAMETER, CUBIC_ROW } from "./cubic_state.ts";
import { windowRate } from "./pacing.ts";

const { SND_UNA, SND_NXT, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, STRIDE: COLD_STRIDE } = COLD;
const { DELAY_MIN, ROUND_START, ROUND_END, LAST_ACK, ROUND_RTT, SAMPLES, FOUND } = CUBIC_ROW;
const { HYSTART_DETECT, HYSTART_ACK_DELTA_US } = CUBIC_PARAMETER;

const DETECT_TRAIN = 1;
const DETECT_DELAY = 2;
/** Round trips of a round before its least one means something. */
const MIN_SAMPLES = 8;
/** A growth of the delay counts from an eighth of it, within these bounds, µs. */
const LEAST_GROWTH_US = 4000;
const MOST_GROWTH_US = 16000;
/** The most that an ACK train may be stretched by senders and receivers that work in bursts, µs. */
const MOST_BURST_US = 1000;
/** Four bursts of segmentation offload, bytes. */
const BURST_BYTES = 4 * 65536;

/** Begins a round: it ends when what is in flight now has been acknowledged. `at`: the private row. */
export function beginRound(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  rows[at + ROUND_START] = stack.nowUs;
  rows[at + LAST_ACK] = stack.nowUs;
  rows[at + ROUND_END] = stack.tcbs.words[conn * STRIDE + SND_NXT];
  rows[at + ROUND_RTT] = 0;
  rows[at + SAMPLES] = 0;
}

/** One round trip measured in slow start; ends it by lowering the threshold to the window. */
export function hyStart(
  stack: TcpStack,
  conn: number,
  rows: Int32Array,
  at: number,
  rttUs: number,
  parameters: Int32Array,
  paced: boolean,
): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (((words[c + SND_UNA] - rows[at + ROUND_END]) | 0) > 0) beginRound(stack, conn, rows, at);
  const least = rows[at + DELAY_MIN];
  const detect = parameters[HYSTART_DETECT];
  let found = false;
  if ((detect & DETECT_TRAIN) !== 0 && ((stack.nowUs - rows[at + LAST_ACK]) | 0) <= parameters[HYSTART_ACK_DELTA_US]) {
    rows[at + LAST_ACK] = stack.nowUs;
    let threshold = least + burstUs(stack, conn);
    // A paced window is spread over half a round trip already.
    if (!paced) threshold >>= 1;
    found = ((stack.nowUs - rows[at + ROUND_START]) | 0) > threshold;
  }
  if ((detect & DETECT_DELAY) !== 0) {
    if (rows[at + ROUND_RTT] === 0 || rttUs < rows[at + ROUND_RTT]) rows[at + ROUND_RTT] = rttUs;
    if (rows[at + SAMPLES] < MIN_SAMPLES) rows[at + SAMPLES]++;
    else if (rows[at + ROUND_RTT] > least + Math.min(Math.max(least >> 3, LEAST_GROWTH_US), MOST_GROWTH_US)) {
      found = true;
    }
  }
  if (!found) return;
  rows[at + FOUND] = 1;
  stack.cold.words[stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE + SSTHRESH] = words[c + CWND];
}

/** What bursts may add to a train of ACKs (Linux's `hystart_ack_delay`), µs. */
function burstUs(stack: TcpStack, conn: number): number {
  const rate = windowRate(stack, conn);
  return rate === 0 ? 0 : Math.min(MOST_BURST_US, Math.floor(BURST_BYTES * 1e6 / rate));
}
