/**
 * The slots of the event queue's three wheels, each a list of chunks of (time, reference).
 *
 * @module
 */

import type { StateVisitor } from "../base/state.ts";
import { CLOCK } from "./clock.ts";
import { lengthened } from "../base/growth.ts";

const { TIME } = CLOCK;

/** Words of a chunk, as a power of two: the number of the next chunk of its list (0 for none), then its events. */
const CHUNK_BITS = 5;
/** The place of an event within its chunk. */
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Events in a chunk. */
const CHUNK_EVENTS = CHUNK_MASK;
/** Chunks that hold a single event each, at the most, for which there is room from the beginning. */
const LONELY = 1024;
/** Slots of the finest wheel, as a power of two: what most links delay a packet by should fit, or it is moved once more. */
const FINE_BITS = 12;
const FINE_SLOTS = 1 << FINE_BITS;
/** Slots of each of the others, as a power of two. */
const COARSE_BITS = 9;
const COARSE_SLOTS = 1 << COARSE_BITS;
const COARSE_MASK = COARSE_SLOTS - 1;
/** Bits of a bucket's number below those that are the slot in the coarsest wheel. */
const COARSEST_BITS = FINE_BITS + COARSE_BITS;
/** The first slot of each wheel. */
const BEGINS = Int32Array.of(0, FINE_SLOTS, FINE_SLOTS + COARSE_SLOTS, FINE_SLOTS + 2 * COARSE_SLOTS);
const [, MIDDLE, COARSEST, FAR] = BEGINS;
/** A slot with fewer events than this is sparse. */
const SPARSE = 4;
/** As many events of sparse slots as this are taken at once, or a few more. */
const SPARSE_MOST = 8;
/** The first chunk: the words before it are the tails of the slots. */
const FIRST_CHUNK = (FAR >> CHUNK_BITS) + 1;

/** Sizes of the wheels and of chunks. */
export const WHEELS = {
  /** Bits of a bucket's number that are the slot in the finest wheel, whose slots are those from 0 on. */
  FINE_BITS,
  FINE_MASK: FINE_SLOTS - 1,
  /** The other wheels' first slots. */
  MIDDLE,
  COARSEST,
  COARSEST_BITS,
  /** The slot of events later than the wheels' span. */
  FAR,
  /** Buckets that the three wheels span. */
  SPAN_BUCKETS: 2 ** (COARSEST_BITS + COARSE_BITS),
  CHUNK_BITS,
  CHUNK_MASK,
} as const;

/**
 * Lists of (time, reference) by slot, in chunks from one growing pool, with a bitmap of the slots that have events.
 *
 * To empty a slot: `const tail = refs[slot]; for (let chunk = take(slot); chunk !== 0; chunk = release(chunk))`, and
 * the chunk's events stand at `chunkBegin(chunk)` to `chunkEnd(chunk, tail) - 1` of `times` and `refs`.
 */
export class EventSlots {
  /** Times in ns of all chunks. Replaced when the pool grows; what stood there stays readable in the old array. */
  declare times: Float64Array;
  /**
   * First where each slot's next event goes: 0 if the slot is empty; a multiple of the chunk size if a chunk is needed.
   * From the first chunk on, references beside `times`. (One array, so that to add an event is to look at few.)
   */
  declare refs: Int32Array;
  /** First chunk of each slot's list; only meaningful while the slot has events. */
  readonly heads: Int32Array = new Int32Array(FAR + 1);
  /** Events in the slots, as the queue counts them. */
  waiting = 0;
  /** What `takeSparse` took last: its last slot, and whether some of its events have one time. */
  lastSlot = 0;
  hasTies = false;
  readonly #clock: Float64Array = new Float64Array(0);
  #freeChunk = 0;
  #freshChunk = FIRST_CHUNK;
  #chunks = 0;
  /** A bit for each slot that has events, and a bit for each word of those. */
  readonly #occupied = new Int32Array(FAR >> 5);
  readonly #summary = new Int32Array((FAR >> 10) + 1);

  /** Empty slots; the pool has room for about `capacity` events. `clock` passes their times. */
  constructor(capacity: number, clock: Float64Array) {
    this.#clock = clock;
    this.#chunks = Math.max(FIRST_CHUNK + 64, chunksFor(capacity));
    this.times = new Float64Array(this.#chunks << CHUNK_BITS);
    this.refs = new Int32Array(this.#chunks << CHUNK_BITS);
  }

  /** Bytes of the lists that have ever been in use. */
  get bytes(): number {
    return (this.#freshChunk - FIRST_CHUNK + 1) * (12 << CHUNK_BITS);
  }

  /** Adds an event of time `clock[CLOCK.TIME]` to a slot's list. */
  append(slot: number, ref: number): void {
    let at = this.refs[slot];
    if ((at & CHUNK_MASK) === 0) at = this.#extend(slot, at);
    this.times[at] = this.#clock[TIME];
    this.refs[at] = ref;
    this.refs[slot] = at + 1;
  }

  /** Empties a slot that has events and returns its first chunk; each of its chunks must be released. */
  take(slot: number): number {
    this.refs[slot] = 0;
    if (slot < FAR) {
      const word = slot >> 5;
      if ((this.#occupied[word] &= ~(1 << (slot & 31))) === 0) this.#summary[slot >> 10] &= ~(1 << (word & 31));
    }
    return this.heads[slot];
  }

  /**
   * Moves the events of `slot`, which has events, and of a few more after it in the finest wheel into `times` and `refs`,
   * in order of time but for ties, and empties those slots (`lastSlot`, `hasTies`), as long as they are sparse. Returns how
   * many events. Where events are far between, as with a single flow, a bucket for each would cost more than its event.
   */
  takeSparse(slot: number, times: Float64Array, refs: Int32Array): number {
    const words = this.refs;
    const fromTimes = this.times;
    const heads = this.heads;
    let count = 0;
    let ties = false;
    for (let next = slot; next >= 0 && count < SPARSE_MOST;) {
      const chunk = heads[next];
      const begin = chunkBegin(chunk);
      const tail = words[next];
      // (In a list of several chunks, the tail is not this far from where the first begins.)
      if (((tail - begin - 1) | 0) >>> 0 >= SPARSE - 1) break;
      this.take(next);
      const first = count;
      for (let at = begin; at < tail; at = (at + 1) | 0) {
        let time = fromTimes[at];
        let ref = words[at];
        // (Without a branch for what is out of order, which is rare: see `slotOf`.)
        for (let to = first; to < count; to = (to + 1) | 0) {
          const otherTime = times[to];
          const otherRef = refs[to];
          const before = time < otherTime;
          if (time === otherTime) ties = true;
          times[to] = before ? time : otherTime;
          refs[to] = before ? ref : otherRef;
          time = before ? otherTime : time;
          ref = before ? otherRef : ref;
        }
        times[count] = time;
        refs[count] = ref;
        count = (count + 1) | 0;
      }
      words[chunk << CHUNK_BITS] = this.#freeChunk;
      this.#freeChunk = chunk;
      this.lastSlot = next;
      next = next >= FINE_SLOTS - 1 ? -1 : this.find(0, next + 1);
    }
    this.hasTies = ties;
    return count;
  }

  /** Frees a chunk and returns the one after it in its list, 0 for none. */
  release(chunk: number): number {
    const refs = this.refs;
    const after = refs[chunk << CHUNK_BITS];
    refs[chunk << CHUNK_BITS] = this.#freeChunk;
    this.#freeChunk = chunk;
    return after;
  }

  /** The place of a slot's event if it has just one; 0 if it has none or several. */
  single(slot: number): number {
    const at = this.refs[slot] - 1;
    return at === chunkBegin(this.heads[slot]) ? at : 0;
  }

  /** Moves all events to `times` and `refs`, from place `at` on. */
  moveInto(times: Float64Array, refs: Int32Array, at: number): void {
    for (let slot = 0; slot <= FAR; slot++) {
      const tail = this.refs[slot];
      if (tail === 0) continue;
      for (let chunk = this.take(slot); chunk !== 0; chunk = this.release(chunk)) {
        const end = chunkEnd(chunk, tail);
        for (let i = chunkBegin(chunk); i < end; i++) {
          times[at] = this.times[i];
          refs[at++] = this.refs[i];
        }
      }
    }
  }

  /** The earliest time in ns of the events of `WHEELS.FAR`; `Infinity` if there are none. */
  earliestFar(): number {
    let earliest = Infinity;
    const tail = this.refs[FAR];
    for (let chunk = tail === 0 ? 0 : this.heads[FAR]; chunk !== 0; chunk = this.refs[chunk << CHUNK_BITS]) {
      const end = chunkEnd(chunk, tail);
      for (let at = chunkBegin(chunk); at < end; at++) earliest = Math.min(earliest, this.times[at]);
    }
    return earliest;
  }

  /** The first occupied slot of a wheel (0 to 2) from its slot `from` on, counted within the wheel; -1 if there is none. */
  find(wheel: number, from: number): number {
    const begin = BEGINS[wheel];
    let word = (begin + from) >> 5;
    let bits = this.#occupied[word] & (-1 << (from & 31));
    if (bits === 0) {
      const last = (BEGINS[wheel + 1] - 1) >> 5;
      let group = word >> 5;
      let words = (word & 31) === 31 ? 0 : this.#summary[group] & (-2 << (word & 31));
      while (words === 0) {
        if (++group > last >> 5) return -1;
        words = this.#summary[group];
      }
      word = (group << 5) | (31 - Math.clz32(words & -words));
      if (word > last) return -1;
      bits = this.#occupied[word];
    }
    return ((word << 5) | (31 - Math.clz32(bits & -bits))) - begin;
  }

  /** The slot of the middle or coarsest wheel that comes next after bucket `current`; -1 if there is none. */
  findCoarse(current: number): number {
    for (let wheel = 1; wheel <= 2; wheel++) {
      const from = wheel === 1 ? (current & ((1 << COARSEST_BITS) - 1)) >> FINE_BITS : current >> COARSEST_BITS;
      const slot = this.find(wheel, from);
      if (slot >= 0) return BEGINS[wheel] + slot;
    }
    return -1;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#freeChunk = v.number(this.#freeChunk);
    this.#freshChunk = v.number(this.#freshChunk);
    this.times = v.column(this.times, this.#freshChunk << CHUNK_BITS);
    this.refs = v.column(this.refs, this.#freshChunk << CHUNK_BITS);
    this.#chunks = this.refs.length >> CHUNK_BITS;
    v.inPlace(this.heads);
    v.inPlace(this.#occupied);
    v.inPlace(this.#summary);
  }

  /** Gives a slot a further chunk and returns the place of its first event. */
  #extend(slot: number, tail: number): number {
    let chunk = this.#freeChunk;
    if (chunk !== 0) {
      this.#freeChunk = this.refs[chunk << CHUNK_BITS];
    } else {
      if (this.#freshChunk === this.#chunks) this.#grow(this.#chunks * 2);
      chunk = this.#freshChunk++;
    }
    if (tail === 0) {
      this.heads[slot] = chunk;
      if (slot < FAR) {
        this.#occupied[slot >> 5] |= 1 << (slot & 31);
        this.#summary[slot >> 10] |= 1 << ((slot >> 5) & 31);
      }
    }
    // (Without a branch for second chunks: V8 compiles none that it has not seen taken, and begins again when one is.)
    const first = chunk << CHUNK_BITS;
    const last = tail - (1 << CHUNK_BITS);
    this.refs[tail === 0 ? first : last] = chunk;
    this.refs[first] = 0;
    return chunkBegin(chunk);
  }

  #grow(chunks: number): void {
    this.times = lengthened(this.times, chunks << CHUNK_BITS);
    this.refs = lengthened(this.refs, chunks << CHUNK_BITS);
    this.#chunks = chunks;
  }
}

/** Chunks of a pool that has room for about `events` events, and for as many chunks that have just one. */
function chunksFor(events: number): number {
  return FIRST_CHUNK + 1 + Math.min(events, LONELY) + Math.ceil(events / CHUNK_EVENTS);
}

/** The slot of a bucket, seen from another that is not later. */
export function slotOf(bucket: number, current: number): number {
  const differing = bucket ^ current;
  const isCoarsest = differing >= 1 << COARSEST_BITS;
  // (All three are worked out: a branch that is not taken for seconds would undo compiled code when it is.)
  const fine = bucket & (FINE_SLOTS - 1);
  const middle = MIDDLE + ((bucket >> FINE_BITS) & COARSE_MASK);
  const coarsest = COARSEST + (bucket >> COARSEST_BITS);
  return differing < FINE_SLOTS ? fine : isCoarsest ? coarsest : middle;
}

/** The first bucket of a slot that `findCoarse` has found after bucket `current`. */
export function firstBucketOf(slot: number, current: number): number {
  const middle = (current & (-1 << COARSEST_BITS)) | ((slot - MIDDLE) << FINE_BITS);
  const coarsest = (slot - COARSEST) << COARSEST_BITS;
  return slot < COARSEST ? middle : coarsest;
}

/** Place of a chunk's first event. */
export function chunkBegin(chunk: number): number {
  return (chunk << CHUNK_BITS) | 1;
}

/** One past the place of a chunk's last event; `tail` is what its slot's tail was. */
export function chunkEnd(chunk: number, tail: number): number {
  const end = (chunk + 1) << CHUNK_BITS;
  return end - tail > 0 && end - tail <= CHUNK_MASK ? tail : end;
}
