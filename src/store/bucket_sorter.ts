/**
 * Taking the events of one bucket out of their chunks, in order of time.
 *
 * @module
 */
import { grown } from "../base/growth.ts";
import { WHEELS } from "./event_slots.ts";
import type { EventSlots } from "./event_slots.ts";
import { RadixSorter } from "./radix_sort.ts";

const { CHUNK_BITS, CHUNK_MASK } = WHEELS;

/** Fewest and most digits (as powers of two) that a bucket is distributed to. */
const DIGIT_BITS_MIN = 5;
const DIGIT_BITS_MAX = 12;
const DIGIT_MASK = (1 << DIGIT_BITS_MAX) - 1;
/** Parts of a bucket that a chunk's events are listed by, one for each bit of a word, as a power of two. */
const FEW_BITS = 5;
const FEW_MASK = (1 << FEW_BITS) - 1;
/** The bit of the first of them: the others' follow downwards, so that the earliest is the one that `clz32` finds. */
const FIRST_DIGIT = 1 << FEW_MASK;
/** Where more events than this have one digit, insertion would take long. */
const CROWDED = 32;

/**
 * Sorts buckets of `2^keyBits` ns. What fits into one chunk is listed by the first bits of its time, more is distributed by
 * them of its time, about one event each, and insertion does the rest; where that leaves crowds, a radix sort does.
 */
export class BucketSorter {
  /** Whether the bucket gathered last has events of one time (or may have). */
  hasTies = false;
  readonly #keyBits: number = 0;
  readonly #radix: RadixSorter;
  readonly #places = new Int32Array(1 << DIGIT_BITS_MAX);
  #keys: Int32Array = new Int32Array(0);
  readonly #fewShift: number = 0;
  /** Of each part of the bucket, the place within the chunk of its first event, 0 for none; of each place, the next one. */
  readonly #firsts: Int32Array = new Int32Array(1 << FEW_BITS);
  readonly #nexts: Int32Array = new Int32Array(1 << CHUNK_BITS);

  /** For buckets of 2^`keyBits` ns. */
  constructor(keyBits: number) {
    this.#keyBits = keyBits;
    this.#radix = new RadixSorter(keyBits);
    this.#fewShift = Math.max(0, keyBits - FEW_BITS);
  }

  /** Most events in the list of chunks from `chunk` on. */
  static room(slots: EventSlots, chunk: number): number {
    let events = 0;
    const words = slots.refs;
    for (let at = chunk; at !== 0; at = words[at << CHUNK_BITS]) events += CHUNK_MASK;
    return events;
  }

  /**
   * Moves the events of one chunk that ends at `tail`, those of its slot, into `times` and `refs`, in order of time but
   * for ties. Times are from `beginNs` on. The chunk is the caller's to release. Returns how many there are.
   *
   * Each of `FEW_DIGITS` parts of the bucket has a list of its events, and a bit if there are some. (Half of what
   * inserting event by event takes: about one shift and one mispredicted branch each, and nothing is counted or cleared.)
   */
  gatherFew(
    slots: EventSlots,
    chunk: number,
    tail: number,
    beginNs: number,
    times: Float64Array,
    refs: Int32Array,
  ): number {
    const fromTimes = slots.times;
    const fromRefs = slots.refs;
    const firsts = this.#firsts;
    const nexts = this.#nexts;
    const shift = this.#fewShift;
    let digits = 0;
    for (let at = (chunk << CHUNK_BITS) | 1; at < tail; at = (at + 1) | 0) {
      const digit = ((fromTimes[at] - beginNs) >> shift) & FEW_MASK;
      const place = at & CHUNK_MASK;
      nexts[place] = firsts[digit];
      firsts[digit] = place;
      digits |= FIRST_DIGIT >>> digit;
    }
    let count = 0;
    let latest = -1;
    let ties = false;
    while (digits !== 0) {
      const digit = Math.clz32(digits) & FEW_MASK;
      digits ^= FIRST_DIGIT >>> digit;
      let place = firsts[digit];
      firsts[digit] = 0;
      do {
        const at = (chunk << CHUNK_BITS) | place;
        const time = fromTimes[at];
        let to = count;
        if (time > latest) latest = time;
        else if (time === latest) ties = true;
        else {
          do {
            times[to] = times[to - 1];
            refs[to] = refs[to - 1];
            to = (to - 1) | 0;
          } while (to > 0 && times[to - 1] > time);
          if (to > 0 && times[to - 1] === time) ties = true;
        }
        times[to] = time;
        refs[to] = fromRefs[at];
        count = (count + 1) | 0;
        place = nexts[place];
      } while (place !== 0);
    }
    this.hasTies = ties;
    return count;
  }

  /**
   * As `gatherFew`, of a list of chunks from `first` on, which it releases. Times are from `beginNs` on; `times` and
   * `refs` have `room(slots, first)` places.
   */
  gather(
    slots: EventSlots,
    first: number,
    tail: number,
    beginNs: number,
    times: Float64Array,
    refs: Int32Array,
    room: number,
  ): number {
    const fromTimes = slots.times;
    const fromRefs = slots.refs;
    const places = this.#places;
    const bits = Math.min(Math.max(31 - Math.clz32(room), DIGIT_BITS_MIN), DIGIT_BITS_MAX, this.#keyBits);
    const shift = this.#keyBits - bits;
    const last = (tail - 1) >> CHUNK_BITS;
    for (let chunk = first; chunk !== 0; chunk = fromRefs[chunk << CHUNK_BITS]) {
      const begin = chunk << CHUNK_BITS;
      const end = chunk === last ? tail : begin + CHUNK_MASK + 1;
      for (let at = begin + 1; at < end; at = (at + 1) | 0) places[((fromTimes[at] - beginNs) >> shift) & DIGIT_MASK]++;
    }
    const digits = 1 << bits;
    let count = 0;
    let most = 0;
    for (let i = 0; i < digits; i++) {
      const here = places[i];
      places[i] = count;
      count = (count + here) | 0;
      if (here > most) most = here;
    }
    for (let chunk = first; chunk !== 0; chunk = slots.release(chunk)) {
      const begin = chunk << CHUNK_BITS;
      const end = chunk === last ? tail : begin + CHUNK_MASK + 1;
      for (let at = begin + 1; at < end; at = (at + 1) | 0) {
        const time = fromTimes[at];
        const to = places[((time - beginNs) >> shift) & DIGIT_MASK]++;
        times[to] = time;
        refs[to] = fromRefs[at];
      }
    }
    for (let i = 0; i < digits; i++) places[i] = 0;
    if (most > CROWDED) this.sort(times, refs, count, beginNs);
    else this.hasTies = insertionSort(times, refs, count);
    return count;
  }

  /** Sorts the first `count` events of a bucket that begins at `beginNs`, but for ties. */
  sort(times: Float64Array, refs: Int32Array, count: number, beginNs: number): void {
    if (this.#keys.length < count) this.#keys = grown(count * 4, () => new Int32Array(count * 2));
    const keys = this.#keys;
    for (let i = 0; i < count; i++) keys[i] = times[i] - beginNs;
    this.#radix.sort(keys, refs, count);
    for (let i = 0; i < count; i++) times[i] = beginNs + keys[i];
    this.hasTies = true;
  }
}

/** Sorts events that are nearly in order; says whether some have one time. */
function insertionSort(times: Float64Array, refs: Int32Array, count: number): boolean {
  let ties = false;
  // (Looked at before the loops, the arrays are not checked in them again and again.)
  let before = times[0];
  let ref = refs[0];
  for (let i = 1; i < count; i = (i + 1) | 0) {
    const time = times[i];
    if (before < time) {
      before = time;
      continue;
    }
    if (before === time) {
      ties = true;
      continue;
    }
    ref = refs[i];
    let to = i;
    for (; to > 0; to--) {
      const earlier = times[to - 1];
      if (earlier <= time) {
        if (earlier === time) ties = true;
        break;
      }
      times[to] = earlier;
      refs[to] = refs[to - 1];
    }
    times[to] = time;
    refs[to] = ref;
  }
  return ties;
}
