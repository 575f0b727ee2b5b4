/**
 * What CUBIC and its HyStart keep of a connection, and the parameters of both.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";

/** Private row of CUBIC: 64 bytes. Times in ms or µs, 32 bits, wrapping. */
export const CUBIC_ROW = {
  /** CWND grows by one for so many segments acknowledged. */
  COUNT: 0,
  /** W_max: the window at the last reduction, or less with fast convergence; 0: none yet. */
  LAST_MAX: 1,
  /** The window, and when, that COUNT was last worked out for. */
  LAST_WINDOW: 2,
  LAST_MS: 3,
  /** The plateau of the cubic, and how long after the epoch's start it lies, in 1/1024 s. */
  ORIGIN: 4,
  K: 5,
  /** Least round trip of data, µs; 0: none measured. */
  DELAY_MIN: 6,
  /** When the epoch began, ms; 0: none has. */
  EPOCH: 7,
  /** Segments acknowledged in it that W_est has not yet grown for, and W_est (RFC 9438 4.3). */
  ACKED: 8,
  RENO_WINDOW: 9,
  /** HyStart: when its round began, what ends it, when its last ACK of a train came, µs. */
  ROUND_START: 10,
  ROUND_END: 11,
  LAST_ACK: 12,
  /** HyStart: least round trip in this round (0: none), and samples of it. */
  ROUND_RTT: 13,
  SAMPLES: 14,
  /** HyStart: 1 once it has ended slow start. */
  FOUND: 15,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** Parameters as `/sys/module/tcp_cubic/parameters` names them, and Linux's defaults. */
export const CUBIC_PARAMETERS = {
  /** W_max falls below the window of a reduction that came before the last plateau (RFC 9438 4.7). */
  fast_convergence: 1,
  /** Multiplicative decrease, 1/1024: 0.7 (RFC 9438 4.6). */
  beta: 717,
  /** First slow-start threshold where HyStart is off, segments; 0: none. */
  initial_ssthresh: 0,
  /** C of RFC 9438, in 1/102.4: 0.4. */
  bic_scale: 41,
  /** Never slower than Reno (RFC 9438 4.3). */
  tcp_friendliness: 1,
  /** End slow start before losses do. */
  hystart: 1,
  /** By what: 1 trains of ACKs, 2 growing delay, 3 both. */
  hystart_detect: 3,
  /** Not below this window, segments. */
  hystart_low_window: 16,
  /** ACKs so close together belong to one train, µs. */
  hystart_ack_delta_us: 2000,
} as const;

/** Places of the parameters. */
export const CUBIC_PARAMETER = {
  FAST_CONVERGENCE: 0,
  BETA: 1,
  INITIAL_SSTHRESH: 2,
  SCALE: 3,
  FRIENDLINESS: 4,
  HYSTART: 5,
  HYSTART_DETECT: 6,
  HYSTART_LOW_WINDOW: 7,
  HYSTART_ACK_DELTA_US: 8,
} as const;
