/**
 * Rows of loss recovery.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";

/**
 * Loss recovery beyond counting: made when a duplicate ACK or SACK block arrives, a tail loss probe or timeout goes
 * off, when the algorithm wants rates, or when accounts are kept; given back at rest. Three lines.
 */
export const RECOVERY = {
  /** CWND and SSTHRESH before the loss, to undo; SSTHRESH 0: the reduction stands. */
  PRIOR_CWND: 0,
  PRIOR_SSTHRESH: 1,
  /** SND.UNA when the episode began, and 1 if there is something to undo; retransmissions not known to be needless. */
  UNDO_MARKER: 2,
  HAS_UNDO: 3,
  UNDO_RETRANS: 4,
  /** PRR (RFC 6937): delivered and sent since recovery began. */
  PRR_DELIVERED: 5,
  PRR_OUT: 6,
  /** Degree of reordering in segments (0: the profile's), and times that reordering was seen. */
  REORDERING: 7,
  REORDER_SEEN: 8,
  /** RACK (RFC 8985): send time (µs) and end of the segment last delivered; its round trip is `COLD.RACK_RTT_US`. */
  RACK_SENT_US: 9,
  RACK_END: 10,
  /** Window steps beyond the first (bits 0 to 7), recoveries that they last for (8 to 15), `RACK_BIT`s (16, 17). */
  RACK_STATE: 11,
  /** `COLD.DELIVERED` when the steps last grew. */
  RACK_LAST_DELIVERED: 12,
  /** TLP: SND.NXT when the probe was sent, and whether it was new data or a retransmission: `TLP`. */
  TLP_HIGH_SEQ: 13,
  TLP_STATE: 14,
  /** Of what was delivered since the beginning: acknowledged with ECE (`tcpi_delivered_ce`). */
  DELIVERED_CE: 15,
  /** When `COLD.DELIVERED` last grew, and when the first segment of the sampled flight was sent, µs. */
  DELIVERED_US: 16,
  FIRST_SENT_US: 17,
  /** Segments taken for lost since the beginning, and segments retransmitted. */
  LOST: 18,
  TOTAL_RETRANS: 19,
  /** `COLD.DELIVERED` at which the application-limited phase ends, 0: not limited by the application. */
  APP_LIMITED: 20,
  /** Duplicate segments that D-SACKs told of (`tcpi_dsack_dups`). */
  DSACK_DUPS: 21,
  /** Minimum RTT window: when the best (`WARM.MIN_RTT`), second and third were seen (ms), and their values (µs). */
  MIN_RTT_STAMP: 22,
  MIN_RTT_2: 23,
  MIN_RTT_2_STAMP: 24,
  MIN_RTT_3: 25,
  MIN_RTT_3_STAMP: 26,
  /** First and last record of the list by time of sending. */
  SENT_HEAD: 27,
  SENT_TAIL: 28,
  /** The record after the highest that was SACKed, 0: past the last one. */
  HIGHEST_SACK: 29,
  /** Where the last SACK block was found: the next search starts there. 0: nowhere. */
  SACK_FINGER: 30,
  /** RFC 6675: where marking lost segments goes on, and the SACKed segments before it. */
  LOST_HINT: 31,
  /** The SACK blocks received last (`recv_sack_cache`): left and right edges, four times. */
  CACHE: 32,
  LOST_COUNT: 40,
  /** `RECOVERY_FLAG`s. */
  FLAGS: 41,
  /** The last delivery rate sample that counts (`tcpi_delivery_rate`): segments, and µs. */
  RATE_DELIVERED: 42,
  RATE_INTERVAL_US: 43,
  /** When the peer was last heard of, ms. */
  HEARD_MS: 44,
  /** Words in a row. */
  STRIDE: 48,
  /** The bits of a row's offset. */
  MASK: rowMask(48),
} as const;

/** Bits of `RECOVERY.FLAGS`. */
export const RECOVERY_FLAG = {
  /** The timeout may have been needless: F-RTO watches (RFC 5682). */
  FORWARD_RTO: 1,
  /** The peer has taken SACKed data back (RFC 2018 8), until recovery ends. */
  RENEGED: 2,
  /** ECN: the next new data carries CWR (RFC 3168 6.1.2). Who sends it clears the bit and sets `RTX_FLAG.CWR`. */
  QUEUE_CWR: 4,
  /** The last rate sample was limited by the application. */
  RATE_APP_LIMITED: 8,
} as const;

/** Bits of `RECOVERY.RACK_STATE`. */
export const RACK_BIT = {
  /** Something newer was delivered since losses were last looked for. */
  ADVANCED: 1 << 16,
  /** A D-SACK came in this round trip. */
  DSACK_SEEN: 1 << 17,
} as const;

/** Values of `RECOVERY.TLP_STATE`. */
export const TLP = { NONE: 0, NEW_DATA: 1, RETRANSMISSION: 2 } as const;
