/**
 * The event queue: a ladder of three wheels over chunked buckets, exact in (time, round, tie order).
 *
 * Times are integers, so within a bucket of 2^k ns an event's place is a k-bit integer: a bucket that becomes current
 * is radix-sorted, and the caller's comparison is asked only about events of one instant and one round.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { CLOCK, newClock } from "./clock.ts";
import { grown, lengthened } from "../base/growth.ts";
import { RadixSorter } from "./radix_sort.ts";
import { type CompareRefs, TieSorter } from "./tie_sort.ts";
import { EventHeap } from "./event_heap.ts";
import type { EventQueueOptions } from "./event_queue_options.ts";
import { chunkBegin, chunkEnd, EventSlots, FAR_SLOT, slotOf } from "./event_slots.ts";

/** The slot within a wheel. */
const WHEEL_MASK = 1023;
/** Buckets that the three wheels span. */
const SPAN_BUCKETS = 2 ** 30;
/** The hook is called for at most this many events at once: what it touches must still be in the cache when they pop. */
const WINDOW = 1024;
/** Rounds of fewer events do not call the hook. */
const HOOKED_ROUND = 16;
/** Late events beyond this may be sorted into the wheels. */
const HEAP_LIMIT = 256;

export type { EventQueueOptions } from "./event_queue_options.ts";

const { NOW, BASE, EPOCH, TIME, LIMIT } = CLOCK;

/**
 * A priority queue of (time in ns, reference), popped in the order (time, round, `compareTies`).
 *
 * An event pushed for `nowNs` itself goes to the instant's *next round*: it pops after all events of the running
 * round. Round 0 is what was pushed before the instant began.
 *
 * @example
 * ```ts
 * import { EventQueue } from "./event_queue.ts";
 * const queue = new EventQueue({ compareTies: (a, b) => a - b });
 * queue.push(5_000, 7);
 * while (queue.size > 0) console.log(queue.pop(), queue.nowNs);
 * ```
 */
export class EventQueue {
  /** Times that the queue shares with those who push and pop (`CLOCK`). */
  declare readonly clock: Float64Array;
  /** Events pending. */
  size = 0;
  /** The current bucket's references in order of time; those of `currentCursor` to `currentEnd - 1` are pending. */
  currentRefs: Int32Array = new Int32Array(1024);
  /** Place in `currentRefs` of the next event. */
  currentCursor = 0;
  /** One past the last event in `currentRefs`. */
  currentEnd = 0;
  /**
   * Called with a slice of references shortly before they pop: when a bucket (or a round of 16 or more events)
   * becomes current, and again after every 1,024 events of it. For touch prefetch: it must not push or pop, and the
   * slice may not be in its final order yet.
   */
  onBucket: ((refs: Int32Array, begin: number, end: number) => void) | undefined = undefined;

  readonly #compareTies: CompareRefs;
  readonly #ties = new TieSorter();
  readonly #radix: RadixSorter;
  readonly #heap: EventHeap;
  readonly #bucketNs: number = 0;
  readonly #perNs: number = 0;
  readonly #spanNs: number = 0;
  /** Offsets in ns from the current bucket's start, beside `currentRefs`. */
  #currentOffsets: Int32Array = new Int32Array(1024);
  /** Events from here on in the current bucket have not been shown to the hook. */
  #windowEnd = 0;
  /** The current bucket's number in the epoch. Events of it and of earlier ones are late and go to the heap. */
  #bucket = 0;
  /** Events that are in the heap, in the running round, or in the next round. */
  #irregular = 0;

  #round: Int32Array = new Int32Array(64);
  #roundCursor = 0;
  #roundEnd = 0;
  #roundWindow = 0;
  #next: Int32Array = new Int32Array(64);
  #nextCount = 0;
  #rounds = 0; // Rounds after round 0 that the instant `#roundsNs` has had.
  #roundsNs = -1;
  readonly #slots: EventSlots;

  /** An empty queue at time 0. Throws `RangeError` if `bucketNs` is no power of two from 1 to 2^20. */
  constructor(options: EventQueueOptions) {
    const bucketNs = options.bucketNs ?? 4096;
    if (!(bucketNs >= 1 && bucketNs <= 2 ** 20) || (bucketNs & (bucketNs - 1)) !== 0) {
      throw new RangeError(`bucketNs must be a power of two from 1 to 1048576, not ${bucketNs}.`);
    }
    this.#compareTies = options.compareTies;
    this.#radix = new RadixSorter(31 - Math.clz32(bucketNs));
    this.#heap = new EventHeap(options.compareTies);
    this.#bucketNs = bucketNs;
    this.#perNs = 1 / bucketNs;
    this.#spanNs = bucketNs * SPAN_BUCKETS;
    this.clock = options.clock ?? newClock();
    this.#slots = new EventSlots(options.capacity ?? 8192, this.clock);
  }

  /** Makes room for `events` events. Untouched pages cost nothing. */
  reserve(events: number): void {
    this.#slots.reserve(events);
  }

  /** Bytes of its lists that have been in use. */
  get bytes(): number {
    return this.#slots.bytes + this.currentRefs.byteLength + this.#currentOffsets.byteLength;
  }

  /** The time in ns: of the event popped last, or as `advanceTo` set it. */
  get nowNs(): number {
    return this.clock[NOW];
  }

  /**
   * Adds an event. `timeNs`: an integer from `nowNs` to 2^53 - 1; `ref`: 0 to 2^31 - 1. Throws `RangeError` for a time
   * in the past or not an integer.
   */
  push(timeNs: number, ref: number): void {
    this.clock[TIME] = timeNs;
    this.pushTimed(ref);
  }

  /** As `push`, the time being in `clock[CLOCK.TIME]`. */
  pushTimed(ref: number): void {
    const clock = this.clock;
    const timeNs = clock[TIME];
    if (!(timeNs > clock[NOW]) || Math.floor(timeNs) !== timeNs) return this.#pushNow(ref);
    this.size++;
    const scaled = (timeNs - clock[EPOCH]) * this.#perNs;
    if (scaled >= SPAN_BUCKETS) return this.#pushFar(ref);
    if (scaled < 0) return this.#pushLate(ref);
    const bucket = scaled | 0;
    const current = this.#bucket;
    if (bucket <= current) return this.#pushLate(ref);
    this.#slots.append(slotOf(bucket, current), ref);
  }

  /** The number of the running round. */
  get round(): number {
    return this.#roundsNs === this.clock[NOW] ? this.#rounds : 0;
  }

  /** The time in ns of the event that `pop` would return; `Infinity` if there is none. */
  peekTimeNs(): number {
    if (this.#irregular === 0) {
      if (this.currentCursor === this.currentEnd && !this.#refill()) return Infinity;
      return this.clock[BASE] + this.#currentOffsets[this.currentCursor];
    }
    if (this.#nextCount > 0 || this.#roundCursor < this.#roundEnd) return this.clock[NOW];
    const heapTime = this.#heap.headTime();
    if (this.currentCursor === this.currentEnd) return heapTime;
    return Math.min(heapTime, this.clock[BASE] + this.#currentOffsets[this.currentCursor]);
  }

  /** As `pop`, but -1 if the next event is later than `clock[CLOCK.LIMIT]`. */
  popWithin(): number {
    const at = this.currentCursor;
    const clock = this.clock;
    if (this.#irregular === 0 && at < this.#windowEnd) {
      const timeNs = clock[BASE] + this.#currentOffsets[at];
      if (timeNs > clock[LIMIT]) return -1;
      this.currentCursor = at + 1;
      this.size--;
      clock[NOW] = timeNs;
      return this.currentRefs[at];
    }
    return this.peekTimeNs() > clock[LIMIT] ? -1 : this.#popSlow();
  }

  /** Removes the next event, sets `nowNs` to its time and returns its reference; -1 if the queue is empty. */
  pop(): number {
    const at = this.currentCursor;
    if (this.#irregular === 0 && at < this.#windowEnd) {
      this.currentCursor = at + 1;
      this.size--;
      this.clock[NOW] = this.clock[BASE] + this.#currentOffsets[at];
      return this.currentRefs[at];
    }
    return this.#popSlow();
  }

  /**
   * Sets `nowNs` without popping, so that events pushed for it belong to its next round. Throws `RangeError` if
   * `timeNs` is before `nowNs` or after the next event.
   */
  advanceTo(timeNs: number): void {
    if (!(timeNs >= this.clock[NOW] && timeNs <= this.peekTimeNs()) || Math.floor(timeNs) !== timeNs) {
      throw new RangeError(
        `Cannot advance to ${timeNs} ns from ${this.clock[NOW]} ns with the next event at ${this.peekTimeNs()} ns.`,
      );
    }
    this.clock[NOW] = timeNs;
  }

  /** For snapshots. The clock is the partition's to save. */
  visitState(v: StateVisitor): void {
    this.size = v.number(this.size);
    this.currentCursor = v.number(this.currentCursor);
    this.currentEnd = v.number(this.currentEnd);
    this.currentRefs = v.column(this.currentRefs, this.currentEnd);
    this.#currentOffsets = v.column(this.#currentOffsets, this.currentEnd);
    this.#windowEnd = v.number(this.#windowEnd);
    this.#bucket = v.number(this.#bucket);
    this.#irregular = v.number(this.#irregular);
    this.#roundCursor = v.number(this.#roundCursor);
    this.#roundEnd = v.number(this.#roundEnd);
    this.#roundWindow = v.number(this.#roundWindow);
    this.#round = v.column(this.#round, this.#roundEnd);
    this.#nextCount = v.number(this.#nextCount);
    this.#next = v.column(this.#next, this.#nextCount);
    [this.#rounds, this.#roundsNs] = [v.number(this.#rounds), v.number(this.#roundsNs)];
    this.#heap.visitState(v);
    this.#slots.visitState(v);
  }

  #pushNow(ref: number): void {
    const timeNs = this.clock[TIME];
    if (timeNs !== this.clock[NOW]) {
      throw new RangeError(`An event's time must be an integer from ${this.clock[NOW]} ns (now) on, not ${timeNs}.`);
    }
    if (this.#nextCount === this.#next.length) this.#next = lengthened(this.#next, this.#nextCount * 2);
    this.#next[this.#nextCount++] = ref;
    this.size++;
    this.#irregular++;
  }

  #pushFar(ref: number): void {
    const timeNs = this.clock[TIME];
    if (timeNs > Number.MAX_SAFE_INTEGER) {
      this.size--;
      throw new RangeError(`An event's time must be below 2^53 ns, not ${timeNs}.`);
    }
    this.#slots.append(FAR_SLOT, ref);
  }

  #pushLate(ref: number): void {
    const heap = this.#heap;
    heap.push(this.clock[TIME], ref);
    this.#irregular++;
    if (heap.count <= HEAP_LIMIT) return;
    if (heap.headTime() < this.clock[BASE]) {
      if (heap.count * 4 > this.size) this.#rebuild();
    } else if (heap.count * 4 > this.currentEnd - this.currentCursor) this.#mergeHeap();
  }

  #popSlow(): number {
    if (this.#roundCursor < this.#roundEnd) return this.#popRound();
    if (this.#irregular === 0 && this.currentCursor === this.currentEnd && !this.#refill()) return -1;
    const heapTime = this.#heap.headTime();
    const at = this.currentCursor;
    const bucketTime = at < this.currentEnd ? this.clock[BASE] + this.#currentOffsets[at] : Infinity;
    const first = Math.min(heapTime, bucketTime);
    if (this.#nextCount > 0 && first !== this.clock[NOW]) {
      this.#beginRound();
      return this.#popRound();
    }
    this.clock[NOW] = first;
    this.size--;
    if (
      heapTime < bucketTime ||
      (heapTime === bucketTime && this.#compareTies(this.#heap.headRef(), this.currentRefs[at]) < 0)
    ) {
      this.#irregular--;
      return this.#heap.pop();
    }
    if (at === this.#windowEnd) this.#openWindow();
    this.currentCursor = at + 1;
    return this.currentRefs[at];
  }

  #beginRound(): void {
    const nowNs = this.clock[NOW];
    this.#rounds = this.#roundsNs === nowNs ? this.#rounds + 1 : 1;
    this.#roundsNs = nowNs;
    const round = this.#next;
    const count = this.#nextCount;
    this.#next = this.#round;
    this.#nextCount = 0;
    this.#round = round;
    this.#roundCursor = 0;
    this.#roundEnd = count;
    this.#roundWindow = count < HOOKED_ROUND || this.onBucket === undefined ? count : 0;
    if (count > 1) this.#ties.sort(round, 0, count, this.#compareTies);
  }

  #popRound(): number {
    const at = this.#roundCursor++;
    if (at === this.#roundWindow) {
      this.#roundWindow = Math.min(this.#roundEnd, at + WINDOW);
      this.onBucket!(this.#round, at, this.#roundWindow);
    }
    this.size--;
    this.#irregular--;
    return this.#round[at];
  }

  /** Shows the next events of the current bucket to the hook. */
  #openWindow(): void {
    const begin = this.#windowEnd;
    if (this.onBucket === undefined) {
      this.#windowEnd = this.currentEnd;
      return;
    }
    this.#windowEnd = Math.min(this.currentEnd, begin + WINDOW);
    this.onBucket(this.currentRefs, begin, this.#windowEnd);
  }

  /** Makes the next bucket that has events current; false if there is none. The heap and the current one are empty. */
  #refill(): boolean {
    const slots = this.#slots;
    for (;;) {
      const current = this.#bucket;
      let slot = slots.find(0, current & WHEEL_MASK);
      if (slot >= 0) {
        this.#bucket = (current & ~WHEEL_MASK) | slot;
        this.#open(slot);
        return true;
      }
      slot = slots.find(1, (current >> 10) & WHEEL_MASK);
      if (slot >= 0) {
        this.#bucket = (current & ~1048575) | (slot << 10);
        slot |= 1024;
      } else {
        slot = slots.find(2, current >> 20);
        if (slot >= 0) {
          this.#bucket = slot << 20;
          slot |= 2048;
        } else {
          if (slots.tails[FAR_SLOT] === 0) return false;
          slot = FAR_SLOT;
          this.#setEpoch(slots.earliestFar());
        }
      }
      const only = slots.single(slot);
      if (only === 0) {
        this.#cascade(slot);
        continue;
      }
      this.#bucket = ((slots.times[only] - this.clock[EPOCH]) * this.#perNs) | 0;
      this.#open(slot);
      return true;
    }
  }

  /** Puts the events of a slot where they belong now that `#bucket` has moved. */
  #cascade(slot: number): void {
    const tail = this.#slots.tails[slot];
    let chunk = this.#slots.take(slot);
    while (chunk !== 0) {
      const times = this.#slots.times;
      const refs = this.#slots.refs;
      const end = chunkEnd(chunk, tail);
      for (let at = chunkBegin(chunk); at < end; at++) {
        this.clock[TIME] = times[at];
        this.#place(refs[at]);
      }
      chunk = this.#slots.release(chunk);
    }
  }

  /** Adds an event whose bucket may be `#bucket` itself, which is not open. */
  #place(ref: number): void {
    const scaled = (this.clock[TIME] - this.clock[EPOCH]) * this.#perNs;
    if (scaled >= SPAN_BUCKETS) return this.#slots.append(FAR_SLOT, ref);
    const bucket = scaled | 0;
    this.#slots.append(slotOf(bucket, this.#bucket), ref);
  }

  /** Sorts the events of a slot, all of `#bucket`, into the current arrays. */
  #open(slot: number): void {
    const slots = this.#slots;
    const times = slots.times;
    const refs = slots.refs;
    const base = this.clock[EPOCH] + this.#bucket * this.#bucketNs;
    this.clock[BASE] = base;
    const only = slots.single(slot);
    const tail = slots.tails[slot];
    let chunk = slots.take(slot);
    if (only !== 0) {
      slots.release(chunk);
      this.#currentOffsets[0] = times[only] - base;
      this.currentRefs[0] = refs[only];
      this.currentCursor = this.#windowEnd = 0;
      this.currentEnd = 1;
      return this.#openWindow();
    }
    let count = 0;
    let offsets = this.#currentOffsets;
    let currentRefs = this.currentRefs;
    while (chunk !== 0) {
      let at = chunkBegin(chunk);
      const end = chunkEnd(chunk, tail);
      if (count + end - at > offsets.length) {
        this.#growCurrent(count * 2);
        offsets = this.#currentOffsets;
        currentRefs = this.currentRefs;
      }
      while (at < end) {
        offsets[count] = times[at] - base;
        currentRefs[count++] = refs[at++];
      }
      chunk = slots.release(chunk);
    }
    this.#sortCurrent(count);
  }

  #growCurrent(length: number): void {
    this.#currentOffsets = lengthened(this.#currentOffsets, length);
    this.currentRefs = lengthened(this.currentRefs, length);
  }

  /** Puts the first `count` events of the current arrays in order. */
  #sortCurrent(count: number): void {
    const offsets = this.#currentOffsets;
    const refs = this.currentRefs;
    this.currentCursor = 0;
    this.currentEnd = count;
    this.#windowEnd = 0;
    this.#radix.sort(offsets, refs, count);
    // Ties compare what the hook touches: show it a small bucket first.
    if (count <= WINDOW) this.#openWindow();
    for (let i = 1; i < count; i++) {
      if (offsets[i] !== offsets[i - 1]) continue;
      const begin = i - 1;
      do i++; while (i < count && offsets[i] === offsets[begin]);
      this.#ties.sort(refs, begin, i, this.#compareTies);
    }
  }

  /** Sorts late events of the current bucket in among the others. */
  #mergeHeap(): void {
    const heap = this.#heap;
    const base = this.clock[BASE];
    this.#currentOffsets.copyWithin(0, this.currentCursor, this.currentEnd);
    this.currentRefs.copyWithin(0, this.currentCursor, this.currentEnd);
    const kept = this.currentEnd - this.currentCursor;
    const count = kept + heap.count;
    if (count > this.currentRefs.length) this.#growCurrent(count * 2);
    for (let i = 0; i < heap.count; i++) {
      this.#currentOffsets[kept + i] = heap.times[i] - base;
      this.currentRefs[kept + i] = heap.refs[i];
    }
    this.#irregular -= heap.count;
    heap.count = 0;
    this.#sortCurrent(count);
  }

  /** Moves the wheels back to the earliest event: after a peek far ahead, many events came that go before it. */
  #rebuild(): void {
    const heap = this.#heap;
    const count = this.size - (this.#irregular - heap.count);
    const times = grown(count * 8, () => new Float64Array(count));
    const refs = grown(count * 4, () => new Int32Array(count));
    let at = 0;
    for (let i = this.currentCursor; i < this.currentEnd; i++) {
      times[at] = this.clock[BASE] + this.#currentOffsets[i];
      refs[at++] = this.currentRefs[i];
    }
    for (let i = 0; i < heap.count; i++) {
      times[at] = heap.times[i];
      refs[at++] = heap.refs[i];
    }
    this.#setEpoch(heap.headTime());
    this.#irregular -= heap.count;
    heap.count = 0;
    this.currentCursor = this.currentEnd = this.#windowEnd = 0;
    for (let slot = 0; slot <= FAR_SLOT; slot++) {
      const tail = this.#slots.tails[slot];
      if (tail === 0) continue;
      for (let chunk = this.#slots.take(slot); chunk !== 0; chunk = this.#slots.release(chunk)) {
        const end = chunkEnd(chunk, tail);
        for (let i = chunkBegin(chunk); i < end; i++) {
          times[at] = this.#slots.times[i];
          refs[at++] = this.#slots.refs[i];
        }
      }
    }
    for (let i = 0; i < count; i++) {
      this.clock[TIME] = times[i];
      this.#place(refs[i]);
    }
    this.#refill();
  }

  /** Puts the wheels where `timeNs`, the earliest event, is in the current bucket, which is not open. */
  #setEpoch(timeNs: number): void {
    const epoch = Math.floor(timeNs / this.#spanNs) * this.#spanNs;
    this.clock[EPOCH] = epoch;
    this.#bucket = ((timeNs - epoch) * this.#perNs) | 0;
  }
}
