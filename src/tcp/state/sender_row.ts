/**
 * Rows of senders of more than a queue of bytes.
 *
 * @module
 */

/** Sending beyond a queue of bytes: urgent data, MSG_EOR marks, pacing, MTU probes. */
export const SENDER = {
  /** SND.UP, and 1 in the flags if it is valid. */
  URGENT: 0,
  FLAGS: 1,
  /** Words in a row; the sender code names the rest. */
  STRIDE: 32,
} as const;
