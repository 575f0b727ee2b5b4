/**
 * The slots of the event queue's three wheels, each a list of chunks of (time, reference).
 *
 * @module
 */

import type { StateVisitor } from "../base/state.ts";
import { CLOCK } from "./clock.ts";
import { lengthened } from "../base/growth.ts";

const { TIME } = CLOCK;

/** Events in a chunk, as a power of two. */
const CHUNK_BITS = 5;
/** The place of an event within its chunk. */
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Wheels. */
const WHEELS = 3;
/** Slots of one wheel. */
const WHEEL_SLOTS = 1024;

/** The slot of events later than the wheels' span; slots 0 to 1,023 are the finest wheel's, and so on. */
export const FAR_SLOT = WHEELS * WHEEL_SLOTS;

/**
 * Lists of (time, reference) by slot, in chunks from one growing pool, with a bitmap of the slots that have events.
 *
 * To empty a slot: `const tail = tails[slot]; for (let chunk = take(slot); chunk !== 0; chunk = release(chunk))`, and
 * the chunk's events stand at `chunkBegin(chunk)` to `chunkEnd(chunk, tail) - 1` of `times` and `refs`.
 */
export class EventSlots {
  /** Times in ns of all chunks. Replaced when the pool grows; what stood there stays readable in the old array. */
  declare times: Float64Array;
  /** References beside `times`. */
  declare refs: Int32Array;
  /** First chunk of each slot's list; only meaningful while the slot has events. */
  readonly heads: Int32Array = new Int32Array(FAR_SLOT + 1);
  /** Where each slot's next event goes: 0 if the slot is empty; a multiple of the chunk size if a chunk is needed. */
  readonly tails: Int32Array = new Int32Array(FAR_SLOT + 1);
  /** Each chunk's next in its list, 0 for none. */
  #links: Int32Array = new Int32Array(0);
  readonly #clock: Float64Array = new Float64Array(0);
  #freeChunk = 0;
  #freshChunk = 1;
  #chunks = 0;
  /** A bit for each slot that has events, and a bit for each word of those. */
  readonly #occupied = new Int32Array(FAR_SLOT >> 5);
  readonly #summary = new Int32Array(WHEELS);

  /** Empty slots; the pool has room for about `capacity` events. `clock` passes their times. */
  constructor(capacity: number, clock: Float64Array) {
    this.#clock = clock;
    this.#chunks = Math.max(64, Math.ceil(capacity / (CHUNK_MASK + 1)) + 1);
    this.times = new Float64Array(this.#chunks << CHUNK_BITS);
    this.refs = new Int32Array(this.#chunks << CHUNK_BITS);
    this.#links = new Int32Array(this.#chunks);
  }

  /** Bytes of the lists that have ever been in use. */
  get bytes(): number {
    return this.#freshChunk * ((12 << CHUNK_BITS) + 4);
  }

  /** Makes room for `events` events in all. Untouched pages cost nothing. */
  reserve(events: number): void {
    const chunks = Math.ceil(events / (CHUNK_MASK + 1)) + 1;
    if (chunks > this.#chunks) this.#grow(chunks);
  }

  /** Adds an event of time `clock[CLOCK.TIME]` to a slot's list. */
  append(slot: number, ref: number): void {
    let at = this.tails[slot];
    if ((at & CHUNK_MASK) === 0) at = this.#extend(slot, at);
    this.times[at] = this.#clock[TIME];
    this.refs[at] = ref;
    this.tails[slot] = at + 1;
  }

  /** Empties a slot that has events and returns its first chunk; each of its chunks must be released. */
  take(slot: number): number {
    this.tails[slot] = 0;
    if (slot < FAR_SLOT) {
      const word = slot >> 5;
      if ((this.#occupied[word] &= ~(1 << (slot & 31))) === 0) this.#summary[slot >> 10] &= ~(1 << (word & 31));
    }
    return this.heads[slot];
  }

  /** Frees a chunk and returns the one after it in its list, 0 for none. */
  release(chunk: number): number {
    const after = this.#links[chunk];
    this.#links[chunk] = this.#freeChunk;
    this.#freeChunk = chunk;
    return after;
  }

  /** The place of a slot's event if it has just one; 0 if it has none or several. */
  single(slot: number): number {
    const at = this.tails[slot] - 1;
    return at === this.heads[slot] << CHUNK_BITS ? at : 0;
  }

  /** The earliest time in ns of the events of `FAR_SLOT`; `Infinity` if there are none. */
  earliestFar(): number {
    let earliest = Infinity;
    const tail = this.tails[FAR_SLOT];
    for (let chunk = tail === 0 ? 0 : this.heads[FAR_SLOT]; chunk !== 0; chunk = this.#links[chunk]) {
      const end = chunkEnd(chunk, tail);
      for (let at = chunkBegin(chunk); at < end; at++) earliest = Math.min(earliest, this.times[at]);
    }
    return earliest;
  }

  /** The first occupied slot of a wheel (0 to 2) from `from` on, counted within the wheel; -1 if there is none. */
  find(wheel: number, from: number): number {
    let word = from >> 5;
    let bits = this.#occupied[(wheel << 5) | word] & (-1 << (from & 31));
    if (bits === 0) {
      if (word === 31) return -1;
      const words = this.#summary[wheel] & (-2 << word);
      if (words === 0) return -1;
      word = 31 - Math.clz32(words & -words);
      bits = this.#occupied[(wheel << 5) | word];
    }
    return (word << 5) | (31 - Math.clz32(bits & -bits));
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#freeChunk = v.number(this.#freeChunk);
    this.#freshChunk = v.number(this.#freshChunk);
    this.#links = v.column(this.#links, this.#freshChunk);
    this.times = v.column(this.times, this.#freshChunk << CHUNK_BITS);
    this.refs = v.column(this.refs, this.#freshChunk << CHUNK_BITS);
    this.#chunks = this.#links.length;
    v.inPlace(this.heads);
    v.inPlace(this.tails);
    v.inPlace(this.#occupied);
    v.inPlace(this.#summary);
  }

  /** Gives a slot a further chunk and returns the place of its first event. */
  #extend(slot: number, tail: number): number {
    let chunk = this.#freeChunk;
    if (chunk !== 0) {
      this.#freeChunk = this.#links[chunk];
    } else {
      if (this.#freshChunk === this.#chunks) this.#grow(this.#chunks * 2);
      chunk = this.#freshChunk++;
    }
    if (tail === 0) {
      this.heads[slot] = chunk;
      if (slot < FAR_SLOT) {
        this.#occupied[slot >> 5] |= 1 << (slot & 31);
        this.#summary[slot >> 10] |= 1 << ((slot >> 5) & 31);
      }
    } else this.#links[(tail - 1) >> CHUNK_BITS] = chunk;
    this.#links[chunk] = 0;
    return chunk << CHUNK_BITS;
  }

  #grow(chunks: number): void {
    this.times = lengthened(this.times, chunks << CHUNK_BITS);
    this.refs = lengthened(this.refs, chunks << CHUNK_BITS);
    this.#links = lengthened(this.#links, chunks);
    this.#chunks = chunks;
  }
}

/** The slot of a bucket, seen from another that is not later. */
export function slotOf(bucket: number, current: number): number {
  const differing = bucket ^ current;
  return differing < 1024
    ? bucket & (WHEEL_SLOTS - 1)
    : differing < 1048576
    ? 1024 | ((bucket >> 10) & (WHEEL_SLOTS - 1))
    : 2048 | (bucket >> 20);
}

/** Place of a chunk's first event. */
export function chunkBegin(chunk: number): number {
  return chunk << CHUNK_BITS;
}

/** One past the place of a chunk's last event; `tail` is what its slot's tail was. */
export function chunkEnd(chunk: number, tail: number): number {
  const end = (chunk + 1) << CHUNK_BITS;
  return end - tail > 0 && end - tail <= CHUNK_MASK ? tail : end;
}
