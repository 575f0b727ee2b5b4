/**
 * Maglev's look-up table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4): each back end has a permutation of the table's entries as its preferences; they take turns, each taking
 * the first entry of its list that is still free. Shares differ by one turn at most, and a change of the back ends moves
 * few entries that it does not have to.
 *
 * @module
 */
import type { Hash64 } from "../base/hash.ts";

/** The paper's small table: a prime some hundred times larger than the number of back ends. */
export const MAGLEV_TABLE_SIZE = 65_537;

/** No table is larger: the paper's large one has 655,373 entries. */
export const LARGEST_MAGLEV_TABLE: number = 2 ** 24;

/**
 * The back end of every entry (-1 everywhere if none takes any).
 *
 * @param names What stands for each back end: nothing else decides its preferences.
 * @param weights Its share of the entries, relative to the others'; 0: none.
 * @param size Entries, a prime, so that every step through the table is a permutation.
 */
export function maglevTable(names: readonly Hash64[], weights: ArrayLike<number>, size: number): Int32Array {
  const table = new Int32Array(size).fill(-1);
  const n = names.length;
  const place = new Int32Array(n);
  const step = new Int32Array(n);
  // Each heaviest back end takes an entry in every turn, the others as often as their weight says, spread out evenly.
  const due = new Float64Array(n);
  let heaviest = 0;
  for (let i = 0; i < n; i++) {
    place[i] = (names[i].lo >>> 0) % size;
    step[i] = (names[i].hi >>> 0) % (size - 1) + 1;
    heaviest = Math.max(heaviest, weights[i]);
  }
  if (heaviest === 0) return table;
  for (let left = size, turn = 1; left > 0; turn++) {
    for (let i = 0; i < n && left > 0; i++) {
      if (weights[i] === 0 || turn * weights[i] < due[i] + heaviest) continue;
      due[i] += heaviest;
      let at = place[i];
      while (table[at] >= 0) at = next(at, step[i], size);
      table[at] = i;
      place[i] = next(at, step[i], size);
      left--;
    }
  }
  return table;
}

function next(at: number, step: number, size: number): number {
  return at + step < size ? at + step : at + step - size;
}

/** Is it a prime? */
export function isPrime(n: number): boolean {
  if (!Number.isInteger(n) || n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
