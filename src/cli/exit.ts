/**
 * How commands end.
 *
 * @module
 */

/** Exit codes. */
export const EXIT = {
  OK: 0,
  /** An expectation failed, a script failed, a replay differs. */
  EXPECTATION_FAILED: 1,
  BAD_INPUT: 2,
  FAULT: 70,
  INTERRUPTED: 130,
  READER_GONE: 141,
} as const;
