/**
 * Timer references: row << 2 | kind.
 *
 * @module
 */

/** Kinds of timers. */
export const TIMER_KIND = {
  /** A session's deadline. */
  SESSION: 0,
  /** A gateway's first port whose rest ends. */
  HOLD: 1,
  /** An unsolicited SYN's answer. */
  HELD_SYN: 2,
} as const;

/** The reference of a session's timer. */
export function sessionRef(session: number): number {
  return session << 2;
}

/** The reference of a gateway's hold-down timer. */
export function holdRef(gateway: number): number {
  return (gateway << 2) | TIMER_KIND.HOLD;
}

/** The reference of a held SYN's timer. */
export function heldSynRef(held: number): number {
  return (held << 2) | TIMER_KIND.HELD_SYN;
}
