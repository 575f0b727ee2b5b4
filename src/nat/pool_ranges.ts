/**
 * A pool of external addresses that do not follow each other: its places, and the addresses that stand there.
 *
 * @module
 */

/** Consecutive address ids. */
export interface IdRange {
  readonly first: number;
  readonly count: number;
}

/** Several ranges, in the order of the pool's places; they have no address in common. */
export class PoolRanges {
  /** Addresses. */
  declare readonly count: number;
  /** By range, in the pool's order: the place after its last one, and the first id minus the first place. */
  readonly #ends: Int32Array = new Int32Array(0);
  readonly #shifts: Int32Array = new Int32Array(0);
  /** The ranges in the order of their ids: first id, and place in the pool's order. */
  readonly #sortedFirst: Int32Array = new Int32Array(0);
  readonly #sortedRange: Int32Array = new Int32Array(0);

  /** At least one range. */
  constructor(ranges: readonly IdRange[]) {
    this.#ends = new Int32Array(ranges.length);
    this.#shifts = new Int32Array(ranges.length);
    let place = 0;
    ranges.forEach(({ first, count }, i) => {
      this.#shifts[i] = first - place;
      this.#ends[i] = place += count;
    });
    this.count = place;
    const sorted = ranges.map(({ first }, i) => ({ first, i })).sort((a, b) => a.first - b.first);
    this.#sortedFirst = Int32Array.from(sorted, ({ first }) => first);
    this.#sortedRange = Int32Array.from(sorted, ({ i }) => i);
  }

  /** The address id at a place. */
  at(place: number): number {
    return place + this.#shifts[after(this.#ends, place)];
  }

  /** The place of an address id; -1 if it is none of the pool. */
  placeOf(id: number): number {
    const i = after(this.#sortedFirst, id) - 1;
    if (i < 0) return -1;
    const range = this.#sortedRange[i];
    const place = id - this.#shifts[range];
    return place < this.#ends[range] ? place : -1;
  }
}

/** The first index whose value is above `value`. */
function after(ascending: Int32Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
