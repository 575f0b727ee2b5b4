/**
 * Sequence number arithmetic modulo 2^32 (RFC 9293 section 3.4).
 *
 * Sequence numbers may be given signed or unsigned; results are signed 32-bit integers, the form in which they stand
 * in an `Int32Array`. Comparisons are right for numbers less than 2^31 apart. At exactly 2^31 each counts as before the
 * other (and neither as after), as with Linux's and BSD's comparisons.
 *
 * @module
 */

/** Whether `a` comes before `b`. */
export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** Whether `a` comes before `b` or is equal to it: the exact opposite of {@linkcode seqGt}. */
export function seqLeq(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

/** Whether `a` comes after `b`. */
export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** Whether `a` comes after `b` or is equal to it: the exact opposite of {@linkcode seqLt}. */
export function seqGeq(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

/** How far `a` is past `b`, from -2^31 to 2^31 - 1. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

/** The number `n` past `a` (`n` may be negative), signed. */
export function seqAdd(a: number, n: number): number {
  return (a + n) | 0;
}

/** The later of the two, signed. */
export function seqMax(a: number, b: number): number {
  return (((a - b) | 0) < 0 ? b : a) | 0;
}

/** The earlier of the two, signed. */
export function seqMin(a: number, b: number): number {
  return (((a - b) | 0) < 0 ? a : b) | 0;
}

/**
 * Whether `x` lies in the circular interval from `low` to `high`, both ends included. The interval may span any
 * part of the circle: `high` one before `low` holds every number.
 */
export function seqBetween(low: number, x: number, high: number): boolean {
  return ((x - low) >>> 0) <= ((high - low) >>> 0);
}
