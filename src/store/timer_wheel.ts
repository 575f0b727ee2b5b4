/**
 * The timer wheel: lazy timers of one millisecond's grain (DESIGN section 8.4).
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { lengthened } from "../base/growth.ts";
import { NS_PER_MS } from "../base/units.ts";
import { CLOCK, newClock } from "./clock.ts";

const { LIMIT } = CLOCK;

/** Timers in a chunk, as a power of two. */
const CHUNK_BITS = 5;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Bytes of a chunk: pairs of tick and reference, and its link. */
const CHUNK_BYTES = (8 << CHUNK_BITS) + 4;
/** Ticks are 31 bits: wheels of 1,024, 1,024 and 2,048 slots cover them all. */
const SLOTS = 4096;
/** A `next` that stands for an empty wheel. */
const NONE = 0x7fffffff;

/** Bytes of a wheel that holds `entries` entries in up to `slots` of its slots: those have a chunk at least. */
export function timerWheelBytes(entries: number, slots: number): number {
  return 3 * 4 * SLOTS + CHUNK_BYTES * (1 + entries / (CHUNK_MASK + 1) + Math.min(entries, slots) / 2);
}

/** A growable list of references that is filled and emptied without allocating. */
export class RefList {
  /** The references; the first `count` count. Replaced when the list grows. */
  declare items: Int32Array;
  /** References in the list; set it to 0 to empty the list. */
  count = 0;

  /** An empty list with room for `capacity` references (default 64). */
  constructor(capacity = 64) {
    this.items = new Int32Array(Math.max(1, capacity));
  }

  /** Appends a reference. */
  push(ref: number): void {
    if (this.count === this.items.length) this.items = lengthened(this.items, this.count * 2);
    this.items[this.count++] = ref;
  }
}

/**
 * Timers by the millisecond: three wheels of chunked lists. An entry is never cancelled or moved: its owner keeps
 * the deadline, looks at it when the entry fires, and pushes the entry again if the deadline has moved.
 *
 * @example
 * ```ts
 * import { RefList, TimerWheel } from "./timer_wheel.ts";
 * const wheel = new TimerWheel();
 * wheel.push(200, 7);
 * const due = new RefList();
 * for (let tick = wheel.nextTick(); tick < Infinity; tick = wheel.nextTick()) wheel.advance(tick, due);
 * ```
 */
export class TimerWheel {
  /** The tick (millisecond) that the wheel has reached. */
  currentTick = -1;
  /** Entries pending. */
  size = 0;
  /** As `nextTick()`, but 2^31 - 1 if there are no entries: an integer that a hot loop can compare. */
  next = NONE;
  readonly #clock: Float64Array = new Float64Array(0);
  /** Pairs of tick and reference. */
  #entries: Int32Array = new Int32Array(0);
  #links: Int32Array = new Int32Array(0);
  #chunks = 0;
  #freeChunk = 0;
  #freshChunk = 1;
  readonly #head = new Int32Array(SLOTS);
  /** Where each slot's next entry goes: 0 if empty, a multiple of the chunk size if a chunk is needed. */
  readonly #tail = new Int32Array(SLOTS);
  readonly #occupied = new Int32Array(SLOTS >> 5);

  /**
   * An empty wheel at tick 0, with room for `capacity` entries (default 8,192; it doubles when they run out). An entry
   * that is the earliest lowers `clock[CLOCK.LIMIT]`: of the events in its millisecond and later ones, none goes before it.
   */
  constructor(options: { capacity?: number; clock?: Float64Array } = {}) {
    this.#clock = options.clock ?? newClock();
    // (A second value: else V8 takes the first for a constant, until the first timer is due and all is compiled again.)
    this.currentTick = 0;
    this.#chunks = Math.max(64, Math.ceil((options.capacity ?? 8192) / (CHUNK_MASK + 1)) + 1);
    this.#entries = new Int32Array(this.#chunks << (CHUNK_BITS + 1));
    this.#links = new Int32Array(this.#chunks);
  }

  /** Bytes of its lists that have ever been in use. */
  get bytes(): number {
    return this.#freshChunk * CHUNK_BYTES + 3 * this.#head.byteLength;
  }

  /** Makes room for `entries` entries in all. Untouched pages cost nothing. */
  reserve(entries: number): void {
    const chunks = Math.ceil(entries / (CHUNK_MASK + 1)) + 1;
    if (chunks > this.#chunks) this.#grow(chunks);
  }

  /** Adds an entry. `tick`: `currentTick + 1` to 2^31 - 2, else `RangeError`; `ref`: any i32. */
  push(tick: number, ref: number): void {
    const current = this.currentTick;
    if (!(tick > current && tick < NONE)) {
      throw new RangeError(`A timer's tick must be from ${current + 1} to ${NONE - 1}, not ${tick}.`);
    }
    this.size++;
    if (tick < this.next) {
      this.next = tick;
      const clock = this.#clock;
      if (tick * NS_PER_MS - 1 < clock[LIMIT]) clock[LIMIT] = tick * NS_PER_MS - 1;
    }
    this.#place(tick, ref, tick ^ current);
  }

  /**
   * A tick at or before the earliest entry, after `currentTick`; `Infinity` if there are no entries. Advancing to it
   * may find nothing due, and the next bound is then later.
   */
  nextTick(): number {
    return this.next === NONE ? Infinity : this.next;
  }

  /**
   * Moves to `tick` and appends the references due exactly then, in no promised order. `tick`: `currentTick + 1` to
   * `nextTick()`, else `RangeError`.
   */
  advance(tick: number, into: RefList): void {
    const before = this.currentTick;
    if (!(tick > before && tick <= this.next && tick < NONE)) {
      throw new RangeError(`Cannot advance from tick ${before} to ${tick}: the next entry may be at ${this.next}.`);
    }
    this.currentTick = tick;
    if (tick >> 20 !== before >> 20) this.#cascade(2048 | (tick >> 20));
    if (tick >> 10 !== before >> 10) this.#cascade(1024 | ((tick >> 10) & 1023));
    if (tick !== this.next) return;
    const slot = tick & 1023;
    const tail = this.#tail[slot];
    if (tail !== 0) {
      for (let chunk = this.#take(slot); chunk !== 0; chunk = this.#release(chunk)) {
        const begin = chunk << CHUNK_BITS;
        const end = tail > begin && tail <= begin + CHUNK_MASK ? tail : begin + CHUNK_MASK + 1;
        for (let at = begin; at < end; at++) into.push(this.#entries[2 * at + 1]);
        this.size -= end - begin;
      }
    }
    this.next = this.#search();
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.currentTick = v.number(this.currentTick);
    this.size = v.number(this.size);
    this.next = v.number(this.next);
    this.#freeChunk = v.number(this.#freeChunk);
    this.#freshChunk = v.number(this.#freshChunk);
    this.#links = v.column(this.#links, this.#freshChunk);
    this.#entries = v.column(this.#entries, this.#freshChunk << (CHUNK_BITS + 1));
    this.#chunks = this.#links.length;
    v.inPlace(this.#head);
    v.inPlace(this.#tail);
    v.inPlace(this.#occupied);
  }

  /** The first tick that an entry may have. */
  #search(): number {
    if (this.size === 0) return NONE;
    const current = this.currentTick;
    let found = this.#find(current & 1023, 1024);
    if (found >= 0) return (current & ~1023) | found;
    found = this.#find(1024 | ((current >> 10) & 1023), 2048);
    if (found >= 0) return (current & ~1048575) | ((found & 1023) << 10);
    return (this.#find(2048 | (current >> 20), SLOTS) & 2047) << 20;
  }

  /** The first occupied slot from `from` to `end - 1`; -1 if there is none. */
  #find(from: number, end: number): number {
    let word = from >> 5;
    let bits = this.#occupied[word] & (-1 << (from & 31));
    while (bits === 0) {
      if (++word === end >> 5) return -1;
      bits = this.#occupied[word];
    }
    return (word << 5) | (31 - Math.clz32(bits & -bits));
  }

  #place(tick: number, ref: number, differing: number): void {
    const slot = differing < 1024
      ? tick & 1023
      : differing < 1048576
      ? 1024 | ((tick >> 10) & 1023)
      : 2048 | (tick >> 20);
    let at = this.#tail[slot];
    if ((at & CHUNK_MASK) === 0) at = this.#extend(slot, at);
    this.#entries[2 * at] = tick;
    this.#entries[2 * at + 1] = ref;
    this.#tail[slot] = at + 1;
  }

  /** Spreads a slot's entries over the finer wheels. */
  #cascade(slot: number): void {
    const tail = this.#tail[slot];
    if (tail === 0) return;
    const current = this.currentTick;
    for (let chunk = this.#take(slot); chunk !== 0; chunk = this.#release(chunk)) {
      const entries = this.#entries;
      const begin = chunk << CHUNK_BITS;
      const end = tail > begin && tail <= begin + CHUNK_MASK ? tail : begin + CHUNK_MASK + 1;
      for (let at = begin; at < end; at++) {
        const tick = entries[2 * at];
        this.#place(tick, entries[2 * at + 1], tick ^ current);
      }
    }
  }

  #extend(slot: number, tail: number): number {
    let chunk = this.#freeChunk;
    if (chunk !== 0) {
      this.#freeChunk = this.#links[chunk];
    } else {
      if (this.#freshChunk === this.#chunks) this.#grow(this.#chunks * 2);
      chunk = this.#freshChunk++;
    }
    if (tail === 0) {
      this.#head[slot] = chunk;
      this.#occupied[slot >> 5] |= 1 << (slot & 31);
    } else this.#links[(tail - 1) >> CHUNK_BITS] = chunk;
    this.#links[chunk] = 0;
    return chunk << CHUNK_BITS;
  }

  #grow(chunks: number): void {
    this.#entries = lengthened(this.#entries, chunks << (CHUNK_BITS + 1));
    this.#links = lengthened(this.#links, chunks);
    this.#chunks = chunks;
  }

  #take(slot: number): number {
    this.#tail[slot] = 0;
    this.#occupied[slot >> 5] &= ~(1 << (slot & 31));
    return this.#head[slot];
  }

  #release(chunk: number): number {
    const after = this.#links[chunk];
    this.#links[chunk] = this.#freeChunk;
    this.#freeChunk = chunk;
    return after;
  }
}
