/**
 * Rows of loss recovery.
 *
 * @module
 */

/**
 * Loss recovery beyond counting: made when a duplicate ACK or SACK block arrives, a tail loss probe or timeout goes
 * off, when the algorithm wants rates, or when accounts are kept; given back at rest. Two lines. Words that are not
 * named are for the recovery code to name.
 */
export const RECOVERY = {
  /** CWND and SSTHRESH before the loss, to undo. */
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
  /** RACK (RFC 8985): send time (µs), end and round trip (µs) of the segment last delivered; window steps and rounds. */
  RACK_SENT_US: 9,
  RACK_END: 10,
  RACK_RTT_US: 11,
  RACK_STATE: 12,
  RACK_LAST_DELIVERED: 13,
  /** TLP: SND.NXT when the probe was sent (and `TLP_STATE` 1: new data, 2: a retransmission; 0: none). */
  TLP_HIGH_SEQ: 14,
  TLP_STATE: 15,
  /** Segments delivered since the beginning, and of those with ECE (`tcpi_delivered`, `tcpi_delivered_ce`). */
  DELIVERED: 16,
  DELIVERED_CE: 17,
  /** When `DELIVERED` last grew, and when the first segment of the sampled flight was sent, µs. */
  DELIVERED_US: 18,
  FIRST_SENT_US: 19,
  /** Segments lost since the beginning. */
  LOST: 20,
  /** `DELIVERED` at which the application-limited phase ends, 0: not limited by the application. */
  APP_LIMITED: 21,
  /** Duplicate SACKs seen (`tcpi_dsack_dups`). */
  DSACK_DUPS: 22,
  /** Minimum RTT window: when the best, second and third were seen, and their values (µs). */
  MIN_RTT_STAMP: 23,
  MIN_RTT_2: 24,
  MIN_RTT_2_STAMP: 25,
  MIN_RTT_3: 26,
  MIN_RTT_3_STAMP: 27,
  /** The SACK blocks received last (`recv_sack_cache`): left and right edges, four times. */
  CACHE: 32,
  /** F-RTO (RFC 5682), flags of the episode. */
  FLAGS: 40,
  /** Words in a row. */
  STRIDE: 48,
} as const;
