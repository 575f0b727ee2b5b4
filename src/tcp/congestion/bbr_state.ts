/**
 * What BBR keeps of a connection, and its units: rates in segments per µs times 2^24, gains in 1/256.
 *
 * @module
 */
import { FILTER_WORDS } from "./windowed_max.ts";

/** Modes (`BBR_ROW.MODE`). */
export const BBR_MODE = { STARTUP: 0, DRAIN: 1, PROBE_BW: 2, PROBE_RTT: 3 } as const;

/** Private row of BBR. µs and ms are 32 bits, wrapping. */
export const BBR_ROW = {
  /** `BBR_MODE`. */
  MODE: 0,
  /** `BBR_FLAG`s. */
  FLAGS: 1,
  /** Round-trip propagation delay: the least of the last ten seconds, µs (-1: unknown), and when seen, ms. */
  MIN_RTT_US: 2,
  MIN_RTT_STAMP: 3,
  /** When PROBE_RTT may end, ms; 0: the flight is not small yet. */
  PROBE_RTT_DONE: 4,
  /** Bottleneck bandwidth: the largest rate sample of ten rounds (`windowed_max.ts`). */
  BANDWIDTH: 5,
  /** Rounds, and the delivered count that ends this one. */
  ROUNDS: 5 + FILTER_WORDS,
  NEXT_ROUND: 6 + FILTER_WORDS,
  /** Phase of PROBE_BW's cycle, when it began (µs), and phases drawn so far. */
  PHASE: 7 + FILTER_WORDS,
  PHASE_US: 8 + FILTER_WORDS,
  DRAWN: 9 + FILTER_WORDS,
  /** Gains in force. */
  PACING_GAIN: 10 + FILTER_WORDS,
  WINDOW_GAIN: 11 + FILTER_WORDS,
  /** The window before recovery or PROBE_RTT. */
  PRIOR_WINDOW: 12 + FILTER_WORDS,
  /** Recovery state at the last ACK. */
  PRIOR_STATE: 13 + FILTER_WORDS,
  /** STARTUP: the bandwidth that a growth counts from, and rounds without one. */
  FULL_BANDWIDTH: 14 + FILTER_WORDS,
  FULL_ROUNDS: 15 + FILTER_WORDS,
  /** Policers: rate, and where the sampling interval began: delivered, lost, ms, rounds. */
  LONG_BANDWIDTH: 16 + FILTER_WORDS,
  LONG_DELIVERED: 17 + FILTER_WORDS,
  LONG_LOST: 18 + FILTER_WORDS,
  LONG_STAMP_MS: 19 + FILTER_WORDS,
  LONG_ROUNDS: 20 + FILTER_WORDS,
  /** ACK aggregation: epoch's begin and what was delivered in it; the most beyond expectation of two windows. */
  ACK_EPOCH_US: 21 + FILTER_WORDS,
  ACK_EPOCH_DELIVERED: 22 + FILTER_WORDS,
  EXTRA: 23 + FILTER_WORDS,
  EXTRA_OTHER: 24 + FILTER_WORDS,
  EXTRA_ROUNDS: 25 + FILTER_WORDS,
  /** Which of the two is being filled: 0 or 1. */
  EXTRA_INDEX: 26 + FILTER_WORDS,
  /** The pacing rate, bytes per second: units of 2^30, and the rest. */
  RATE_HIGH: 27 + FILTER_WORDS,
  RATE_LOW: 28 + FILTER_WORDS,
  /** Words in a row. */
  STRIDE: 48,
} as const;

/** Bits of `BBR_ROW.FLAGS`. */
export const BBR_FLAG = {
  /** This ACK begins a round. */
  ROUND_START: 1,
  /** Sending has just resumed, and the application was the limit. */
  IDLE_RESTART: 2,
  /** PROBE_RTT has lasted for a round. */
  PROBE_RTT_ROUND: 4,
  /** One segment out for one delivered: the first round of recovery. */
  CONSERVE: 8,
  /** STARTUP has filled the pipe. */
  FULL: 16,
  /** A round trip was known when the pacing rate was first set. */
  SEEN_RTT: 32,
  /** Looking for a policer; having found one. */
  LONG_SAMPLING: 64,
  LONG_USED: 128,
} as const;

/** Of rates: one segment per µs. */
export const BANDWIDTH_ONE = 2 ** 24;
/** Of gains: 1. */
export const GAIN_ONE = 256;

/** 2 / ln 2: what doubles the rate every round. */
export const HIGH_GAIN = 739;
/** Its inverse: empties in a round the queue that STARTUP has made. */
export const DRAIN_GAIN = 88;
/** Room for delayed and stretched ACKs. */
export const STEADY_WINDOW_GAIN = 512;
/** PROBE_BW's cycle: probe, drain, and six round trips at the estimate. */
export const CYCLE: Int32Array = Int32Array.of(320, 192, 256, 256, 256, 256, 256, 256);
/** Phases that PROBE_BW may begin with: any but the one that drains. */
export const FIRST_PHASES = 7;
/** Rounds of the bandwidth filter. */
export const BANDWIDTH_ROUNDS = 10;
/** How long a least round trip holds, and PROBE_RTT lasts, ms. */
export const MIN_RTT_MS = 10_000;
export const PROBE_RTT_MS = 200;
/** The window in PROBE_RTT, and the least at all. */
export const LEAST_WINDOW = 4;
/** µs of a second that the estimate is used for: one percent less, so that queues drain. */
export const PACED_US = 990_000;
