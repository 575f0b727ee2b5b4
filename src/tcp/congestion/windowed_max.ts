/**
 * The largest value of a sliding window, in constant space: the best value and the best of what came after it, twice
 * (Kathleen Nichols' algorithm, as in Linux's `win_minmax`).
 *
 * @module
 */

/** Words that a filter takes: three times when and what, both u32. */
export const FILTER_WORDS = 6;

/** Forgets everything but `value`. */
export function resetMax(words: Int32Array, at: number, now: number, value: number): number {
  for (let i = 0; i < FILTER_WORDS; i += 2) {
    words[at + i] = now;
    words[at + i + 1] = value;
  }
  return value;
}

/** The largest value now known. */
export function currentMax(words: Int32Array, at: number): number {
  return words[at + 1] >>> 0;
}

/** Takes a value; returns the largest of the last `window` units of time. */
export function updateMax(words: Int32Array, at: number, window: number, now: number, value: number): number {
  if (value >= words[at + 1] >>> 0 || ((now - words[at + 4]) >>> 0) > window) return resetMax(words, at, now, value);
  if (value >= words[at + 3] >>> 0) {
    put(words, at + 2, now, value);
    put(words, at + 4, now, value);
  } else if (value >= words[at + 5] >>> 0) put(words, at + 4, now, value);
  const age = (now - words[at]) >>> 0;
  if (age > window) {
    // The best is too old: the others move up, perhaps twice.
    promote(words, at, now, value);
    if (((now - words[at]) >>> 0) > window) promote(words, at, now, value);
  } else if (words[at + 2] === words[at] && age > window >>> 2) {
    put(words, at + 2, now, value);
    put(words, at + 4, now, value);
  } else if (words[at + 4] === words[at + 2] && age > window >>> 1) put(words, at + 4, now, value);
  return words[at + 1] >>> 0;
}

function put(words: Int32Array, at: number, now: number, value: number): void {
  words[at] = now;
  words[at + 1] = value;
}

function promote(words: Int32Array, at: number, now: number, value: number): void {
  words.copyWithin(at, at + 2, at + FILTER_WORDS);
  put(words, at + 4, now, value);
}
