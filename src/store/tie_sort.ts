/**
 * Sorting references by a caller's comparison: the ties of the event queue.
 *
 * @module
 */
import { grown } from "../base/growth.ts";

/** Runs up to this length are sorted by insertion. */
const INSERTION_RUN = 6;

/** A total order over references: negative if `refA` goes first. Never called with a reference and itself. */
export type CompareRefs = (refA: number, refB: number) => number;

/**
 * Sorts slices of `Int32Array`s with a comparison function: a stable merge sort that keeps its scratch space, makes
 * about `n` comparisons where the slice is already in order and `n log2 n` at worst.
 *
 * @example
 * ```ts
 * import { TieSorter } from "./tie_sort.ts";
 * new TieSorter().sort(Int32Array.of(3, 1, 2), 0, 3, (a, b) => a - b);
 * ```
 */
export class TieSorter {
  #scratch = new Int32Array(0);

  /** Sorts `refs[begin] … refs[end - 1]` in place. */
  sort(refs: Int32Array, begin: number, end: number, compare: CompareRefs): void {
    for (let from = begin; from < end; from += INSERTION_RUN) {
      insertionSort(refs, from, Math.min(end, from + INSERTION_RUN), compare);
    }
    const count = end - begin;
    if (count <= INSERTION_RUN) return;
    if (this.#scratch.length < count) {
      this.#scratch = grown(count * 2, () => new Int32Array(Math.max(64, count + (count >> 1))));
    }
    for (let width = INSERTION_RUN; width < count; width *= 2) {
      for (let left = begin; left + width < end; left += 2 * width) {
        this.#merge(refs, left, left + width, Math.min(end, left + 2 * width), compare);
      }
    }
  }

  /** Sorts those of the first `count` references that have one time, of those that stand in order beside them. */
  sortTies(times: Float64Array, refs: Int32Array, count: number, compare: CompareRefs): void {
    let before = times[0];
    for (let i = 1; i < count; i++) {
      const time = times[i];
      if (time !== before) {
        before = time;
        continue;
      }
      const begin = i - 1;
      do i++; while (i < count && times[i] === time);
      this.sort(refs, begin, i, compare);
      if (i < count) before = times[i];
    }
  }

  #merge(refs: Int32Array, left: number, middle: number, end: number, compare: CompareRefs): void {
    if (compare(refs[middle - 1], refs[middle]) <= 0) return;
    const scratch = this.#scratch;
    const leftCount = middle - left;
    for (let i = 0; i < leftCount; i++) scratch[i] = refs[left + i];
    let i = 0;
    let j = middle;
    let at = left;
    while (i < leftCount && j < end) {
      const a = scratch[i];
      const b = refs[j];
      if (compare(a, b) <= 0) {
        refs[at++] = a;
        i++;
      } else {
        refs[at++] = b;
        j++;
      }
    }
    while (i < leftCount) refs[at++] = scratch[i++];
  }
}

function insertionSort(refs: Int32Array, begin: number, end: number, compare: CompareRefs): void {
  for (let i = begin + 1; i < end; i++) {
    const ref = refs[i];
    let j = i - 1;
    while (j >= begin && compare(refs[j], ref) > 0) {
      refs[j + 1] = refs[j];
      j--;
    }
    refs[j + 1] = ref;
  }
}
