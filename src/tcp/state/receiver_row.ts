/**
 * Rows of receivers of more than a trickle.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";

/**
 * Receiving more than a trickle: window, autotuning, delayed-ACK estimate, SACK to send, urgent data, ECN. Made (and
 * filled in) by `busyReceiver`; without one, everything is as it was at the start.
 */
export const RECEIVER = {
  /** Receive buffer in bytes, as Linux counts it: half of it is for payload. */
  BUFFER: 0,
  /** Sequence number of the urgent byte, and its state: `URGENT_STATE` with the byte in bits 0 to 7. */
  URGENT: 1,
  URGENT_STATE: 2,
  /** Most that is offered at present (`rcv_ssthresh`) and at all (`window_clamp`), bytes. */
  SSTHRESH: 3,
  CLAMP: 4,
  /** Delayed-ACK timeout (`ato`) and when data last came, ms. */
  ATO: 5,
  LAST_DATA_MS: 6,
  /** Size of the last segment that was smaller than the estimate (`last_seg_size`). */
  LAST_SEGMENT: 7,
  /** Receive rate (`rcvq_space`): bytes per round trip, and where and when (µs) this one began. */
  SPACE: 8,
  SPACE_SEQ: 9,
  SPACE_TIME: 10,
  /** The receiver's own round-trip estimate (`rcv_rtt_est`): 1/8 µs, end and begin (µs) of a window, last echo. */
  RTT: 11,
  RTT_SEQ: 12,
  RTT_TIME: 13,
  LAST_ECHO: 14,
  /** SACK blocks to send, the most recent first: count, then left and right edges, four times. */
  SACK_COUNT: 15,
  SACK: 16,
  /** The D-SACK block to send, if `RECEIVER_FLAG.DSACK`. */
  DSACK: 24,
  DSACK_END: 25,
  /** `RECEIVER_FLAG`s. */
  FLAGS: 26,
  /** When an out-of-window segment was last answered, ms (0: never). */
  LAST_OOW: 27,
  /** ACKs held back (bits 0 to 7), duplicates sent before (bits 8 on), and RCV.NXT when they began. */
  COMPRESSED: 28,
  COMPRESSED_NXT: 29,
  /** The range (`OOO`) touched last: where the next search starts; 0 for none. */
  OOO_HINT: 30,
  /** RCV.NXT when a segment's ECN field was last looked at (RFC 8257 3.2). */
  ECN_NXT: 31,
  /** Words in a row. */
  STRIDE: 32,
  /** The bits of a row's offset. */
  MASK: rowMask(32),
} as const;

/** Flags of `RECEIVER.FLAGS`. */
export const RECEIVER_FLAG = {
  /** The next ACK reports a duplicate. */
  DSACK: 1,
  /** CE has come and no CWR yet: ACKs carry ECE (RFC 3168 6.1.3). */
  ECHO_CONGESTION: 2,
  /** A segment with ECT or CE has come. */
  ECT_SEEN: 4,
  /** SO_RCVBUF was set: the buffer does not grow. */
  LOCKED: 8,
  /** The last segment had CE (RFC 8257 3.2: DCTCP.CE). */
  CE: 16,
} as const;

/** States of `RECEIVER.URGENT_STATE` (above the byte). */
export const URGENT_STATE = {
  /** The byte has come, and is in bits 0 to 7. */
  VALID: 0x100,
  /** It is announced and has not come. */
  NOT_YET: 0x200,
  /** It has been read. */
  READ: 0x400,
} as const;
