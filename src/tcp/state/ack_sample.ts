/**
 * What one incoming ACK did, for congestion control: one array on the stack, filled anew for every ACK that is looked
 * at in full, read by the algorithms before the next (Linux's `ack_sample` and `rate_sample`).
 *
 * @module
 */

/** Words of `TcpStack.ackSample`. */
export const ACK_SAMPLE = {
  /** `ACK_FLAG`s. */
  FLAGS: 0,
  /** Segments that this ACK acknowledged by SND.UNA. */
  ACKED: 1,
  /** Segments that it showed to be delivered, by SND.UNA or SACK. */
  DELIVERED: 2,
  /** Segments newly taken for lost. */
  LOST: 3,
  /** Round trip that it measured, µs; -1 for none. */
  RTT_US: 4,
  /** Segments in flight after it, and before it came. */
  IN_FLIGHT: 5,
  PRIOR_IN_FLIGHT: 6,
  /** Bytes that it acknowledged by SND.UNA. */
  ACKED_BYTES: 7,
  /** Delivery rate sample (draft-cheng-iccrg-delivery-rate-estimation): segments delivered over an interval, µs; -1 for none. */
  RATE_DELIVERED: 8,
  RATE_INTERVAL_US: 9,
  /** `RECOVERY.DELIVERED` when the segment that gave the sample was sent. */
  PRIOR_DELIVERED: 10,
  /** Segments of the sample that were marked with CE. */
  DELIVERED_CE: 11,
  /** Largest send-time flight of the segments acknowledged (`tx.in_flight`). */
  TX_IN_FLIGHT: 12,
  /** Words. */
  WORDS: 16,
} as const;

/** Flags of `ACK_SAMPLE.FLAGS`. */
export const ACK_FLAG = {
  /** SND.UNA advanced over data. */
  DATA_ACKED: 1,
  /** SND.UNA advanced over a SYN. */
  SYN_ACKED: 2,
  /** New data was SACKed. */
  DATA_SACKED: 4,
  /** Something was newly taken for lost. */
  DATA_LOST: 8,
  /** It covers data that was retransmitted at some time. */
  RETRANSMITTED_ACKED: 16,
  /** It covers data that was never retransmitted and lies below `HIGH_SEQ`: F-RTO's and Eifel's evidence. */
  ORIGINAL_ACKED: 32,
  /** It carried ECE. */
  ECE: 64,
  /** It updated the window. */
  WINDOW_UPDATED: 128,
  /** SND.UNA advanced. */
  UNA_ADVANCED: 256,
  /** It carried data: not a pure ACK. */
  HAS_DATA: 512,
  /** A D-SACK came with it. */
  DSACK: 1024,
  /** The rate sample was limited by the application. */
  APP_LIMITED: 2048,
  /** The rate sample's segment was a retransmission. */
  RATE_RETRANSMITTED: 4096,
  /** The ACK acknowledges less than one segment of 2 MSS sent last: it may have been delayed. */
  ACK_DELAYED: 8192,
  /** The retransmission timer starts anew. */
  SET_TIMER: 16384,
  /** The oldest segment in flight is SACKed: the peer has taken it back. */
  RENEGING: 1 << 15,
  /** The D-SACK is for the tail loss probe. */
  DSACK_TLP: 1 << 16,
  /** It reveals that a retransmission was lost. */
  LOST_RETRANSMISSION: 1 << 17,
  /** It did not come by the fast path. */
  SLOW_PATH: 1 << 18,
} as const;
