/**
 * Rows of Fast Open.
 *
 * @module
 */

/** Fast Open (RFC 7413) of a connection while its SYN carries data, or after. */
export const FAST_OPEN = {
  /** Words in a row; the Fast Open code names them. */
  STRIDE: 16,
} as const;
