/**
 * Sorting (small integer, reference) pairs in linear time: the events of one bucket by their offset in it.
 *
 * @module
 */
import { grown } from "../base/growth.ts";

/** Up to this many pairs, insertion is faster. */
const INSERTION_LIMIT = 24;
/** Most bits in a digit. */
const DIGIT_BITS_MAX = 8;

/**
 * Sorts pairs held in two parallel arrays by their key, stably. Keys are `keyBits` wide; scratch space is kept.
 *
 * @example
 * ```ts
 * import { RadixSorter } from "./radix_sort.ts";
 * new RadixSorter(12).sort(Int32Array.of(4095, 0), Int32Array.of(1, 2), 2);
 * ```
 */
export class RadixSorter {
  readonly #passes: number = 0;
  readonly #digitBits: number = 0;
  readonly #places: Int32Array = new Int32Array(0);
  #keyScratch = new Int32Array(0);
  #refScratch = new Int32Array(0);

  /** For keys from 0 to 2^`keyBits` - 1; `keyBits` 0 to 30. */
  constructor(keyBits: number) {
    this.#passes = Math.ceil(keyBits / DIGIT_BITS_MAX);
    this.#digitBits = this.#passes === 0 ? 0 : Math.ceil(keyBits / this.#passes);
    this.#places = new Int32Array(1 << this.#digitBits);
  }

  /** Sorts the first `count` pairs in place. */
  sort(keys: Int32Array, refs: Int32Array, count: number): void {
    if (count <= INSERTION_LIMIT) return insertionSort(keys, refs, count);
    if (this.#keyScratch.length < count) {
      this.#keyScratch = grown(count * 4, () => new Int32Array(count * 2));
      this.#refScratch = grown(count * 4, () => new Int32Array(count * 2));
    }
    let fromKeys: Int32Array = keys;
    let fromRefs: Int32Array = refs;
    let toKeys: Int32Array = this.#keyScratch;
    let toRefs: Int32Array = this.#refScratch;
    for (let pass = 0; pass < this.#passes; pass++) {
      this.#pass(fromKeys, fromRefs, toKeys, toRefs, count, pass * this.#digitBits);
      const swapKeys = fromKeys;
      fromKeys = toKeys;
      toKeys = swapKeys;
      const swapRefs = fromRefs;
      fromRefs = toRefs;
      toRefs = swapRefs;
    }
    if (fromKeys === keys) return;
    for (let i = 0; i < count; i++) {
      keys[i] = fromKeys[i];
      refs[i] = fromRefs[i];
    }
  }

  #pass(
    fromKeys: Int32Array,
    fromRefs: Int32Array,
    toKeys: Int32Array,
    toRefs: Int32Array,
    count: number,
    shift: number,
  ): void {
    const places = this.#places;
    const digits = places.length;
    const mask = digits - 1;
    for (let i = 0; i < digits; i++) places[i] = 0;
    for (let i = 0; i < count; i++) places[(fromKeys[i] >> shift) & mask]++;
    let place = 0;
    for (let i = 0; i < digits; i++) {
      const here = places[i];
      places[i] = place;
      place += here;
    }
    for (let i = 0; i < count; i++) {
      const key = fromKeys[i];
      const to = places[(key >> shift) & mask]++;
      toKeys[to] = key;
      toRefs[to] = fromRefs[i];
    }
  }
}

function insertionSort(keys: Int32Array, refs: Int32Array, count: number): void {
  for (let i = 1; i < count; i++) {
    const key = keys[i];
    if (keys[i - 1] <= key) continue;
    const ref = refs[i];
    let j = i - 1;
    do {
      keys[j + 1] = keys[j];
      refs[j + 1] = refs[j];
      j--;
    } while (j >= 0 && keys[j] > key);
    keys[j + 1] = key;
    refs[j + 1] = ref;
  }
}
