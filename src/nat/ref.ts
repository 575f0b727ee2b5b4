/**
 * Timer references: row << 2 | kind. Kind 0 is a session; the others are for hold-down and port blocks.
 *
 * @module
 */

/** The reference of a session's timer. */
export function sessionRef(session: number): number {
  return session << 2;
}
