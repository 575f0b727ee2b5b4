/**
 * The event queue: a ladder of three wheels over chunked buckets, exact in (time, round, tie order).
 *
 * A bucket that becomes current is sorted by the bits of its times (`bucket_sorter.ts`), and the caller's comparison is
 * asked only about events of one instant and one round.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { CLOCK, newClock } from "./clock.ts";
import { grown, lengthened } from "../base/growth.ts";
import { BucketSorter } from "./bucket_sorter.ts";
import { type CompareRefs, TieSorter } from "./tie_sort.ts";
import { EventHeap } from "./event_heap.ts";
import { EventRounds } from "./event_rounds.ts";
import type { EventQueueOptions } from "./event_queue_options.ts";
import { shortPush } from "./event_push.ts";
import { chunkBegin, chunkEnd, EventSlots, firstBucketOf, slotOf, WHEELS } from "./event_slots.ts";

const { FINE_MASK, FAR, CHUNK_MASK, SPAN_BUCKETS } = WHEELS;

/** The hook is called for at most this many events at once: what it touches must still be in the cache when they pop. */
const WINDOW = 1024;
/** Rounds of fewer events do not call the hook. */
const HOOKED_ROUND = 16;
/** Late events beyond this may be sorted into the wheels. */
const HEAP_LIMIT = 256;
/** A late event goes to the heap if it had to be put before more events of the current bucket than this. */
const SHIFTED = 64;

const { NOW, END, EPOCH, TIME, LIMIT, FINE_END, PER_NS } = CLOCK;

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
  /** The current bucket's references in order of time; those of `currentCursor` to `currentEnd - 1` are pending. */
  currentRefs: Int32Array = new Int32Array(1024);
  /** Place in `currentRefs` of the next event. */
  currentCursor = 0;
  /** One past the last event in `currentRefs`. */
  currentEnd = 0;
  /**
   * Called with a slice of references shortly before they pop: when a bucket (or a round of 16 or more events)
   * becomes current, unless it has very few events, and again after every 1,024 of them. For touch prefetch: it must not
   * push or pop, and the slice may not be in its final order yet.
   */
  onBucket: ((refs: Int32Array, begin: number, end: number) => void) | undefined = undefined;

  /** As `pushTimed`, if the event can go a short way; false if it cannot. */
  declare readonly pushShort: (ref: number) => boolean;

  readonly #compareTies: CompareRefs;
  readonly #ties = new TieSorter();
  readonly #sorter: BucketSorter;
  readonly #heap: EventHeap;
  readonly #bucketNs: number = 0;
  readonly #spanNs: number = 0;
  /** Times in ns beside `currentRefs`. */
  #currentTimes: Float64Array = new Float64Array(1024);
  /** Events of the current bucket up to here pop next, with nothing else to be asked: 0 while `#irregular` is not. */
  #regularEnd = 0;
  /** Events from here on in the current bucket have not been shown to the hook. */
  #windowEnd = 0;
  /** The current bucket's number in the epoch. Events of it and of earlier ones are late and go to the heap. */
  #bucket = 0;
  /** Events that are in the heap, in the running round, or in the next round. */
  #irregular = 0;

  readonly #rounds = new EventRounds();
  /** Events from here on in the running round have not been shown to the hook. */
  #roundWindow = 0;
  /** What is in the wheels. (Declared: a private field is undefined at first, and V8 checks its class at each use.) */
  declare readonly slots: EventSlots;

  /** An empty queue at time 0. Throws `RangeError` if `bucketNs` is no power of two from 1 to 2^20. */
  constructor(options: EventQueueOptions) {
    const bucketNs = options.bucketNs ?? 4096;
    if (!(bucketNs >= 1 && bucketNs <= 2 ** 20) || (bucketNs & (bucketNs - 1)) !== 0) {
      throw new RangeError(`bucketNs must be a power of two from 1 to 1048576, not ${bucketNs}.`);
    }
    this.#compareTies = options.compareTies;
    this.#sorter = new BucketSorter(31 - Math.clz32(bucketNs));
    this.#heap = new EventHeap(options.compareTies);
    this.#bucketNs = bucketNs;
    this.#spanNs = bucketNs * SPAN_BUCKETS;
    this.clock = options.clock ?? newClock();
    this.clock[PER_NS] = 1 / bucketNs;
    this.#setEnd();
    this.slots = new EventSlots(options.capacity ?? 8192, this.clock);
    this.pushShort = shortPush(this.clock, this.slots);
  }

  /** Bytes of its lists that have been in use. */
  get bytes(): number {
    return this.slots.bytes + this.currentRefs.byteLength + this.#currentTimes.byteLength;
  }

  /** Events pending. */
  get size(): number {
    return this.slots.waiting + (this.currentEnd - this.currentCursor) + this.#irregular;
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
    if (!this.pushShort(ref)) this.#pushAnywhere(ref);
  }

  /** The number of the running round. */
  get round(): number {
    return this.#rounds.numberAt(this.clock[NOW]);
  }

  /** The time in ns of the event that `pop` would return; `Infinity` if there is none. */
  peekTimeNs(): number {
    if (this.#irregular === 0) {
      if (this.currentCursor === this.currentEnd && !this.#refill()) return Infinity;
      return this.#currentTimes[this.currentCursor];
    }
    if (this.#rounds.nextCount > 0 || this.#rounds.cursor < this.#rounds.end) return this.clock[NOW];
    return this.#earliestOpen();
  }

  /** As `pop`, but -1 if the next event is later than `clock[CLOCK.LIMIT]`. */
  popWithin(): number {
    const at = this.currentCursor;
    const clock = this.clock;
    if (at < this.#regularEnd) {
      const timeNs = this.#currentTimes[at];
      if (timeNs > clock[LIMIT]) return -1;
      this.currentCursor = (at + 1) | 0;
      clock[NOW] = timeNs;
      return this.currentRefs[at];
    }
    return this.#popSlowWithin();
  }

  /** Removes the next event, sets `nowNs` to its time and returns its reference; -1 if the queue is empty. */
  pop(): number {
    const at = this.currentCursor;
    if (at < this.#regularEnd) {
      this.currentCursor = at + 1;
      this.clock[NOW] = this.#currentTimes[at];
      return this.currentRefs[at];
    }
    return this.#popSlow();
  }

  /**
   * Sets `nowNs` without popping, so that events pushed for it belong to its next round. Throws `RangeError` if
   * `timeNs` is before `nowNs` or after the next event.
   */
  advanceTo(timeNs: number): void {
    const nextNs = this.peekTimeNs();
    if (!(timeNs >= this.clock[NOW] && timeNs <= nextNs) || Math.floor(timeNs) !== timeNs) {
      throw new RangeError(`Cannot advance to ${timeNs} ns from ${this.nowNs} ns with the next event at ${nextNs} ns.`);
    }
    this.clock[NOW] = timeNs;
  }

  /** For snapshots. The clock is the partition's to save. */
  visitState(v: StateVisitor): void {
    this.slots.waiting = v.number(this.slots.waiting);
    this.currentCursor = v.number(this.currentCursor);
    this.currentEnd = v.number(this.currentEnd);
    this.currentRefs = v.column(this.currentRefs, this.currentEnd);
    this.#currentTimes = v.column(this.#currentTimes, this.currentEnd);
    this.#windowEnd = v.number(this.#windowEnd);
    this.#regularEnd = v.number(this.#regularEnd);
    this.#bucket = v.number(this.#bucket);
    this.#irregular = v.number(this.#irregular);
    this.#roundWindow = v.number(this.#roundWindow);
    this.#rounds.visitState(v);
    this.#heap.visitState(v);
    this.slots.visitState(v);
  }

  #pushAnywhere(ref: number): void {
    const clock = this.clock;
    const timeNs = clock[TIME];
    if (!(timeNs > clock[NOW]) || Math.floor(timeNs) !== timeNs) return this.#pushNow(ref);
    if (timeNs > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`An event's time must be below 2^53 ns, not ${timeNs}.`);
    }
    if (timeNs < clock[END]) return this.#pushLate(ref);
    this.#place(ref);
  }

  #pushNow(ref: number): void {
    const timeNs = this.clock[TIME];
    if (timeNs !== this.clock[NOW]) {
      throw new RangeError(`An event's time must be an integer from ${this.clock[NOW]} ns (now) on, not ${timeNs}.`);
    }
    this.#rounds.push(ref);
    this.#irregular++;
    this.#regularEnd = 0;
  }

  /** Puts an event of the current bucket, or of one before it, among the last of what is open, or else into the heap. */
  #pushLate(ref: number): void {
    const timeNs = this.clock[TIME];
    if (this.currentCursor === this.currentEnd) this.currentCursor = this.currentEnd = this.#windowEnd = 0;
    const cursor = this.currentCursor;
    const end = this.currentEnd;
    if (end === this.currentRefs.length) this.#growCurrent(end * 2);
    const times = this.#currentTimes;
    const refs = this.currentRefs;
    // (Looked at in any case: V8 compiles nothing that it has not seen, and begins again with all senders when it is.)
    const shifted = end - SHIFTED;
    const isLong = shifted > cursor;
    if (times[isLong ? shifted : cursor] > timeNs && isLong) return this.#pushHeap(ref);
    let at = end;
    for (; at > cursor; at--) {
      const before = times[at - 1];
      if (before < timeNs || (before === timeNs && this.#compareTies(refs[at - 1], ref) < 0)) break;
      times[at] = before;
      refs[at] = refs[at - 1];
    }
    times[at] = timeNs;
    refs[at] = ref;
    this.currentEnd = end + 1;
    if (at <= this.#windowEnd) {
      this.#windowEnd++;
      if (this.#irregular === 0) this.#regularEnd = this.#windowEnd;
    }
  }

  #pushHeap(ref: number): void {
    const heap = this.#heap;
    heap.push(this.clock[TIME], ref);
    this.#irregular++;
    this.#regularEnd = 0;
    if (heap.count <= HEAP_LIMIT) return;
    if (this.#earliestOpen() < this.clock[END] - this.#bucketNs) {
      if (heap.count * 4 > this.size) this.#rebuild();
    } else if (heap.count * 4 > this.currentEnd - this.currentCursor) this.#mergeHeap();
  }

  /** The time in ns of the first event in the heap and the current bucket; `Infinity` if there is none. */
  #earliestOpen(): number {
    const at = this.currentCursor;
    const heapTime = this.#heap.headTime();
    return at < this.currentEnd ? Math.min(heapTime, this.#currentTimes[at]) : heapTime;
  }

  #popSlowWithin(): number {
    return this.peekTimeNs() > this.clock[LIMIT] ? -1 : this.#popSlow();
  }

  #popSlow(): number {
    if (this.#rounds.cursor < this.#rounds.end) return this.#popRound();
    if (this.#irregular === 0 && this.currentCursor === this.currentEnd && !this.#refill()) return -1;
    const heapTime = this.#heap.headTime();
    const at = this.currentCursor;
    const bucketTime = at < this.currentEnd ? this.#currentTimes[at] : Infinity;
    const first = Math.min(heapTime, bucketTime);
    if (this.#rounds.nextCount > 0 && first !== this.clock[NOW]) {
      this.#beginRound();
      return this.#popRound();
    }
    this.clock[NOW] = first;
    if (
      heapTime < bucketTime ||
      (heapTime === bucketTime && this.#compareTies(this.#heap.headRef(), this.currentRefs[at]) < 0)
    ) {
      const ref = this.#heap.pop();
      if (--this.#irregular === 0) this.#regularEnd = this.#windowEnd;
      return ref;
    }
    if (at === this.#windowEnd) this.#openWindow();
    this.currentCursor = at + 1;
    return this.currentRefs[at];
  }

  #beginRound(): void {
    const rounds = this.#rounds;
    rounds.begin(this.clock[NOW]);
    const count = rounds.end;
    this.#roundWindow = count < HOOKED_ROUND || this.onBucket === undefined ? count : 0;
    if (count > 1) this.#ties.sort(rounds.refs, 0, count, this.#compareTies);
  }

  #popRound(): number {
    const rounds = this.#rounds;
    const at = rounds.cursor++;
    if (at === this.#roundWindow) {
      this.#roundWindow = Math.min(rounds.end, at + WINDOW);
      this.onBucket!(rounds.refs, at, this.#roundWindow);
    }
    if (--this.#irregular === 0) this.#regularEnd = this.#windowEnd;
    return rounds.refs[at];
  }

  /** Shows the next events of the current bucket to the hook. */
  #openWindow(): void {
    const begin = this.#windowEnd;
    const hook = this.onBucket;
    this.#windowEnd = hook === undefined ? this.currentEnd : Math.min(this.currentEnd, begin + WINDOW);
    if (this.#irregular === 0) this.#regularEnd = this.#windowEnd;
    if (hook !== undefined) hook(this.currentRefs, begin, this.#windowEnd);
  }

  /** Makes the next bucket that has events current; false if there is none. The heap and the current one are empty. */
  #refill(): boolean {
    const slots = this.slots;
    for (;;) {
      const current = this.#bucket;
      let slot = slots.find(0, current & FINE_MASK);
      let bucket = (current & ~FINE_MASK) | slot;
      if (slot < 0) {
        slot = slots.findCoarse(current);
        if (slot >= 0) this.#bucket = firstBucketOf(slot, current);
        else {
          if (slots.refs[FAR] === 0) return false;
          slot = FAR;
          this.#setEpoch(slots.earliestFar());
        }
        const only = slots.single(slot);
        // (Worked out in any case: see `slotOf`.)
        bucket = ((slots.times[only] - this.clock[EPOCH]) * this.clock[PER_NS]) | 0;
        if (only === 0) {
          this.#cascade(slot);
          continue;
        }
      }
      this.#bucket = bucket;
      this.#openAny(slot);
      return true;
    }
  }

  /** Puts the events of a slot where they belong now that `#bucket` has moved. */
  #cascade(slot: number): void {
    const tail = this.slots.refs[slot];
    let chunk = this.slots.take(slot);
    while (chunk !== 0) {
      const times = this.slots.times;
      const refs = this.slots.refs;
      const end = chunkEnd(chunk, tail);
      this.slots.waiting -= end - chunkBegin(chunk);
      for (let at = chunkBegin(chunk); at < end; at++) {
        this.clock[TIME] = times[at];
        this.#place(refs[at]);
      }
      chunk = this.slots.release(chunk);
    }
  }

  /** Adds an event whose bucket may be `#bucket` itself, which is not open. */
  #place(ref: number): void {
    const scaled = (this.clock[TIME] - this.clock[EPOCH]) * this.clock[PER_NS];
    this.slots.waiting++;
    if (scaled >= SPAN_BUCKETS) return this.slots.append(FAR, ref);
    const bucket = scaled | 0;
    this.slots.append(slotOf(bucket, this.#bucket), ref);
  }

  /** As `#open`; of several slots at once where they are sparse. The hook does not see so few events. */
  #openAny(slot: number): void {
    const slots = this.slots;
    const count = slots.takeSparse(slot, this.#currentTimes, this.currentRefs);
    if (count === 0) return this.#open(slot);
    this.#bucket += slots.lastSlot - slot;
    this.#setEnd();
    this.slots.waiting -= count;
    this.#show(count, count, slots.hasTies);
  }

  /** Sorts the events of a slot, all of `#bucket`, into the current arrays. */
  #open(slot: number): void {
    const slots = this.slots;
    this.#setEnd();
    const tail = slots.refs[slot];
    const chunk = slots.take(slot);
    const beginNs = this.clock[END] - this.#bucketNs;
    let count: number;
    if (tail <= chunkBegin(chunk) + CHUNK_MASK && tail > chunkBegin(chunk)) {
      count = this.#sorter.gatherFew(slots, chunk, tail, beginNs, this.#currentTimes, this.currentRefs);
      slots.release(chunk);
    } else {
      const room = BucketSorter.room(slots, chunk);
      if (room > this.currentRefs.length) this.#growCurrent(room * 2);
      count = this.#sorter.gather(slots, chunk, tail, beginNs, this.#currentTimes, this.currentRefs, room);
    }
    this.slots.waiting -= count;
    this.#show(count, 0, this.#sorter.hasTies);
  }

  #growCurrent(length: number): void {
    this.#currentTimes = lengthened(this.#currentTimes, length);
    this.currentRefs = lengthened(this.currentRefs, length);
  }

  /** Makes the first `count` events of the current arrays, in order of time, current; the hook need not see `shown`. */
  #show(count: number, shown: number, ties: boolean): void {
    this.currentCursor = 0;
    this.currentEnd = count;
    this.#windowEnd = shown;
    this.#regularEnd = this.#irregular === 0 ? shown : 0;
    // Ties compare what the hook touches: show it a small bucket first.
    if (shown < count && count <= WINDOW) this.#openWindow();
    if (ties) this.#ties.sortTies(this.#currentTimes, this.currentRefs, count, this.#compareTies);
  }

  /** Sorts late events of the current bucket in among the others. */
  #mergeHeap(): void {
    const heap = this.#heap;
    this.#currentTimes.copyWithin(0, this.currentCursor, this.currentEnd);
    this.currentRefs.copyWithin(0, this.currentCursor, this.currentEnd);
    const kept = this.currentEnd - this.currentCursor;
    const count = kept + heap.count;
    if (count > this.currentRefs.length) this.#growCurrent(count * 2);
    this.#irregular -= heap.count;
    heap.moveInto(this.#currentTimes, this.currentRefs, kept);
    this.#sorter.sort(this.#currentTimes, this.currentRefs, count, this.clock[END] - this.#bucketNs);
    this.#show(count, 0, this.#sorter.hasTies);
  }

  /** Moves the wheels back to the earliest event: after a peek far ahead, many events came that go before it. */
  #rebuild(): void {
    const heap = this.#heap;
    const open = this.currentEnd - this.currentCursor;
    const late = heap.count;
    const count = this.slots.waiting + open + late;
    const times = grown(count * 8, () => new Float64Array(count));
    const refs = grown(count * 4, () => new Int32Array(count));
    times.set(this.#currentTimes.subarray(this.currentCursor, this.currentEnd));
    refs.set(this.currentRefs.subarray(this.currentCursor, this.currentEnd));
    this.#setEpoch(this.#earliestOpen());
    heap.moveInto(times, refs, open);
    this.slots.moveInto(times, refs, open + late);
    this.#irregular -= late;
    this.slots.waiting = 0;
    this.currentCursor = this.currentEnd = 0;
    this.#windowEnd = this.#regularEnd = 0;
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
    this.#bucket = ((timeNs - epoch) * this.clock[PER_NS]) | 0;
  }

  /** Notes the times where `#bucket` and what the finest wheel holds end. */
  #setEnd(): void {
    const clock = this.clock;
    // (Divided by what the clock has: products of integers would be compiled as such, and no longer be from 2.1 s on.)
    clock[END] = clock[EPOCH] + (this.#bucket + 1) / clock[PER_NS];
    clock[FINE_END] = clock[EPOCH] + ((this.#bucket | FINE_MASK) + 1) / clock[PER_NS];
  }
}
