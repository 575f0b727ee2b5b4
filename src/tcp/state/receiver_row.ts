/**
 * Rows of receivers of more than a trickle.
 *
 * @module
 */

/** Receiving more than a trickle: autotuning, window, delayed-ACK estimate, SACK to send, urgent data. */
export const RECEIVER = {
  /** Receive buffer in bytes (`SO_RCVBUF` or autotuned); 0: the profile's. */
  BUFFER: 0,
  /** Right edge of the urgent data received (RCV.UP), and flags: valid, byte read. */
  URGENT: 1,
  URGENT_FLAGS: 2,
  /** Words in a row; the receiver code names the rest. */
  STRIDE: 32,
} as const;
