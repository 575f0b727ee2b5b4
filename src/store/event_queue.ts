/**
 * The event queue: a ladder of three wheels over chunked buckets, exact in (time, round, tie order).
 *
 * Times are integers, so within a bucket of 2^k ns an event's place is a k-bit integer: a bucket that becomes current
 * is radix-sorted, and the caller's comparison is asked only about events of one instant and one round.
 *
 * @module
 */
import { type CompareRefs, TieSorter } from "./tie_sort.ts";
import { RadixSorter } from "./radix_sort.ts";
import { EventHeap } from "./event_heap.ts";

/** Events in a chunk, as a power of two: a slot's events are a list of chunks. */
const CHUNK_BITS = 5;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Slots of one wheel, as a power of two. */
const WHEEL_BITS = 10;
const WHEEL_SLOTS = 1 << WHEEL_BITS;
const WHEEL_MASK = WHEEL_SLOTS - 1;
const WHEELS = 3;
/** Buckets that the three wheels span. */
const SPAN_BUCKETS = 2 ** (WHEEL_BITS * WHEELS);
/** The list of events later than the wheels' span. */
const FAR = WHEELS * WHEEL_SLOTS;
/** The hook is called for at most this many events at once: what it touches must still be in the cache when they pop. */
const WINDOW = 1024;
/** Rounds of fewer events do not call the hook. */
const HOOKED_ROUND = 16;
/** Late events beyond this may be sorted into the wheels. */
const HEAP_LIMIT = 256;

/** Places in the clock array. */
const NOW = 0;
const BASE = 1;
const EPOCH = 2;

/** Options of {@linkcode EventQueue}. */
export interface EventQueueOptions {
  /** The order of two events of one time and one round; negative if `refA` goes first. */
  compareTies: CompareRefs;
  /** Nanoseconds in a bucket: a power of two from 1 to 2^20, default 4,096. */
  bucketNs?: number;
  /** Events to reserve room for. Default 8,192. The pool doubles when they run out. */
  capacity?: number;
}

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
  readonly #perNs: number;
  readonly #spanNs: number;
  readonly #clock = new Float64Array(3);
  /** Offsets in ns from the current bucket's start, beside `currentRefs`. */
  #currentOffsets = new Int32Array(1024);
  /** Events from here on in the current bucket have not been shown to the hook. */
  #windowEnd = 0;
  /** The current bucket's number in the epoch. Events of it and of earlier ones are late and go to the heap. */
  #bucket = 0;
  /** Events that are in the heap, in the running round, or in the next round. */
  #irregular = 0;

  #round = new Int32Array(64);
  #roundCursor = 0;
  #roundEnd = 0;
  #roundWindow = 0;
  #next = new Int32Array(64);
  #nextCount = 0;

  #times: Float64Array;
  #refs: Int32Array;
  #links: Int32Array;
  #freeChunk = 0;
  #freshChunk = 1;
  #chunks: number;
  /** First chunk of each slot's list. */
  readonly #head = new Int32Array(FAR + 1);
  /** Where each slot's next event goes: 0 if the slot is empty; a multiple of the chunk size if a chunk is needed. */
  readonly #tail = new Int32Array(FAR + 1);
  /** A bit for each slot that has events, and a bit for each word of those. */
  readonly #occupied = new Int32Array(FAR >> 5);
  readonly #summary = new Int32Array(WHEELS);

  /** An empty queue at time 0. Throws `RangeError` if `bucketNs` is no power of two from 1 to 2^20. */
  constructor(options: EventQueueOptions) {
    const bucketNs = options.bucketNs ?? 4096;
    if (!(bucketNs >= 1 && bucketNs <= 2 ** 20) || Math.log2(bucketNs) % 1 !== 0) {
      throw new RangeError(`bucketNs must be a power of two from 1 to 1048576, not ${bucketNs}.`);
    }
    this.#compareTies = options.compareTies;
    this.#radix = new RadixSorter(Math.log2(bucketNs));
    this.#heap = new EventHeap(options.compareTies);
    this.#perNs = 1 / bucketNs;
    this.#spanNs = bucketNs * SPAN_BUCKETS;
    this.#chunks = Math.max(64, Math.ceil((options.capacity ?? 8192) / (CHUNK_MASK + 1)) + 1);
    this.#times = new Float64Array(this.#chunks << CHUNK_BITS);
    this.#refs = new Int32Array(this.#chunks << CHUNK_BITS);
    this.#links = new Int32Array(this.#chunks);
  }

  /** The time in ns: of the event popped last, or as `advanceTo` set it. */
  get nowNs(): number {
    return this.#clock[NOW];
  }

  /**
   * Adds an event. `timeNs`: an integer from `nowNs` to 2^53 - 1; `ref`: 0 to 2^31 - 1. Throws `RangeError` for a time
   * in the past or not an integer.
   */
  push(timeNs: number, ref: number): void {
    const clock = this.#clock;
    if (!(timeNs > clock[NOW]) || Math.floor(timeNs) !== timeNs) return this.#pushNow(timeNs, ref);
    this.size++;
    const scaled = (timeNs - clock[EPOCH]) * this.#perNs;
    if (scaled >= SPAN_BUCKETS) return this.#pushFar(timeNs, ref);
    if (scaled < 0) return this.#pushLate(timeNs, ref);
    const bucket = scaled | 0;
    const current = this.#bucket;
    if (bucket <= current) return this.#pushLate(timeNs, ref);
    const differing = bucket ^ current;
    this.#append(
      differing < 1024
        ? bucket & WHEEL_MASK
        : differing < 1048576
        ? 1024 | ((bucket >> 10) & WHEEL_MASK)
        : 2048 | (bucket >> 20),
      timeNs,
      ref,
    );
  }

  /** The time in ns of the event that `pop` would return; `Infinity` if there is none. */
  peekTimeNs(): number {
    if (this.#irregular === 0) {
      if (this.currentCursor === this.currentEnd && !this.#refill()) return Infinity;
      return this.#clock[BASE] + this.#currentOffsets[this.currentCursor];
    }
    if (this.#nextCount > 0 || this.#roundCursor < this.#roundEnd) return this.#clock[NOW];
    const heapTime = this.#heap.headTime();
    if (this.currentCursor === this.currentEnd) return heapTime;
    return Math.min(heapTime, this.#clock[BASE] + this.#currentOffsets[this.currentCursor]);
  }

  /** Removes the next event, sets `nowNs` to its time and returns its reference; -1 if the queue is empty. */
  pop(): number {
    const at = this.currentCursor;
    if (this.#irregular === 0 && at < this.#windowEnd) {
      this.currentCursor = at + 1;
      this.size--;
      this.#clock[NOW] = this.#clock[BASE] + this.#currentOffsets[at];
      return this.currentRefs[at];
    }
    return this.#popSlow();
  }

  /**
   * Sets `nowNs` without popping, so that events pushed for it belong to its next round. Throws `RangeError` if
   * `timeNs` is before `nowNs` or after the next event.
   */
  advanceTo(timeNs: number): void {
    if (!(timeNs >= this.#clock[NOW] && timeNs <= this.peekTimeNs()) || Math.floor(timeNs) !== timeNs) {
      throw new RangeError(
        `Cannot advance to ${timeNs} ns from ${this.#clock[NOW]} ns with the next event at ${this.peekTimeNs()} ns.`,
      );
    }
    this.#clock[NOW] = timeNs;
  }

  #pushNow(timeNs: number, ref: number): void {
    if (timeNs !== this.#clock[NOW]) {
      throw new RangeError(`An event's time must be an integer from ${this.#clock[NOW]} ns (now) on, not ${timeNs}.`);
    }
    if (this.#nextCount === this.#next.length) {
      const grown = new Int32Array(this.#nextCount * 2);
      grown.set(this.#next);
      this.#next = grown;
    }
    this.#next[this.#nextCount++] = ref;
    this.size++;
    this.#irregular++;
  }

  #pushFar(timeNs: number, ref: number): void {
    if (timeNs > Number.MAX_SAFE_INTEGER) {
      this.size--;
      throw new RangeError(`An event's time must be below 2^53 ns, not ${timeNs}.`);
    }
    this.#append(FAR, timeNs, ref);
  }

  #pushLate(timeNs: number, ref: number): void {
    const heap = this.#heap;
    heap.push(timeNs, ref);
    this.#irregular++;
    if (heap.count <= HEAP_LIMIT) return;
    if (heap.headTime() < this.#clock[BASE]) {
      if (heap.count * 4 > this.size) this.#rebuild();
    } else if (heap.count * 4 > this.currentEnd - this.currentCursor) this.#mergeHeap();
  }

  #popSlow(): number {
    if (this.#roundCursor < this.#roundEnd) return this.#popRound();
    if (this.#irregular === 0 && this.currentCursor === this.currentEnd && !this.#refill()) return -1;
    const heapTime = this.#heap.headTime();
    const at = this.currentCursor;
    const bucketTime = at < this.currentEnd ? this.#clock[BASE] + this.#currentOffsets[at] : Infinity;
    const first = Math.min(heapTime, bucketTime);
    if (this.#nextCount > 0 && first !== this.#clock[NOW]) {
      this.#beginRound();
      return this.#popRound();
    }
    this.#clock[NOW] = first;
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

  /** Adds an event to a slot's list. */
  #append(slot: number, timeNs: number, ref: number): void {
    let at = this.#tail[slot];
    if ((at & CHUNK_MASK) === 0) at = this.#extend(slot, at);
    this.#times[at] = timeNs;
    this.#refs[at] = ref;
    this.#tail[slot] = at + 1;
  }

  /** Gives a slot a further chunk and returns the place of its first event. */
  #extend(slot: number, tail: number): number {
    let chunk = this.#freeChunk;
    if (chunk !== 0) {
      this.#freeChunk = this.#links[chunk];
    } else {
      if (this.#freshChunk === this.#chunks) this.#grow();
      chunk = this.#freshChunk++;
    }
    if (tail === 0) {
      this.#head[slot] = chunk;
      if (slot < FAR) {
        this.#occupied[slot >> 5] |= 1 << (slot & 31);
        this.#summary[slot >> WHEEL_BITS] |= 1 << ((slot >> 5) & 31);
      }
    } else this.#links[(tail - 1) >> CHUNK_BITS] = chunk;
    this.#links[chunk] = 0;
    return chunk << CHUNK_BITS;
  }

  #grow(): void {
    this.#chunks *= 2;
    const times = new Float64Array(this.#chunks << CHUNK_BITS);
    times.set(this.#times);
    this.#times = times;
    const refs = new Int32Array(this.#chunks << CHUNK_BITS);
    refs.set(this.#refs);
    this.#refs = refs;
    const links = new Int32Array(this.#chunks);
    links.set(this.#links);
    this.#links = links;
  }

  /** Empties a slot and returns its first chunk; the chunks are still to be freed. */
  #take(slot: number): number {
    this.#tail[slot] = 0;
    if (slot < FAR) {
      const word = slot >> 5;
      if ((this.#occupied[word] &= ~(1 << (slot & 31))) === 0) {
        this.#summary[slot >> WHEEL_BITS] &= ~(1 << (word & 31));
      }
    }
    return this.#head[slot];
  }

  /** The first occupied slot of a wheel from `from` on, within the wheel; -1 if there is none. */
  #find(wheel: number, from: number): number {
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

  /** Makes the next bucket that has events current; false if there is none. The heap and the current one are empty. */
  #refill(): boolean {
    for (;;) {
      const current = this.#bucket;
      let found = this.#find(0, current & WHEEL_MASK);
      if (found >= 0) {
        this.#bucket = (current & ~WHEEL_MASK) | found;
        this.#open(found);
        return true;
      }
      found = this.#find(1, (current >> 10) & WHEEL_MASK);
      if (found >= 0) {
        this.#bucket = (current & ~1048575) | (found << 10);
        this.#cascade(1024 | found);
        continue;
      }
      found = this.#find(2, current >> 20);
      if (found >= 0) {
        this.#bucket = found << 20;
        this.#cascade(2048 | found);
        continue;
      }
      if (this.#tail[FAR] === 0) return false;
      this.#setEpoch(this.#earliestFar());
      this.#cascade(FAR);
    }
  }

  /** Puts the events of a slot where they belong now that `#bucket` has moved. */
  #cascade(slot: number): void {
    const tail = this.#tail[slot];
    let chunk = this.#take(slot);
    while (chunk !== 0) {
      const times = this.#times;
      const refs = this.#refs;
      const begin = chunk << CHUNK_BITS;
      const end = Math.min(begin + CHUNK_MASK + 1, tail > begin && tail <= begin + CHUNK_MASK ? tail : Infinity);
      for (let at = begin; at < end; at++) this.#place(times[at], refs[at]);
      chunk = this.#release(chunk);
    }
  }

  /** Frees a chunk and returns the one after it. */
  #release(chunk: number): number {
    const after = this.#links[chunk];
    this.#links[chunk] = this.#freeChunk;
    this.#freeChunk = chunk;
    return after;
  }

  /** Adds an event whose bucket may be `#bucket` itself, which is not open. */
  #place(timeNs: number, ref: number): void {
    const scaled = (timeNs - this.#clock[EPOCH]) * this.#perNs;
    if (scaled >= SPAN_BUCKETS) return this.#append(FAR, timeNs, ref);
    const bucket = scaled | 0;
    const differing = bucket ^ this.#bucket;
    this.#append(
      differing < 1024
        ? bucket & WHEEL_MASK
        : differing < 1048576
        ? 1024 | ((bucket >> 10) & WHEEL_MASK)
        : 2048 | (bucket >> 20),
      timeNs,
      ref,
    );
  }

  /** Sorts the events of a slot of the first wheel into the current arrays. */
  #open(slot: number): void {
    const base = this.#clock[EPOCH] + this.#bucket / this.#perNs;
    this.#clock[BASE] = base;
    const tail = this.#tail[slot];
    let chunk = this.#take(slot);
    let count = 0;
    let offsets = this.#currentOffsets;
    let currentRefs = this.currentRefs;
    const times = this.#times;
    const refs = this.#refs;
    while (chunk !== 0) {
      if (count + CHUNK_MASK >= offsets.length) {
        this.#growCurrent(count * 2 + CHUNK_MASK);
        offsets = this.#currentOffsets;
        currentRefs = this.currentRefs;
      }
      const begin = chunk << CHUNK_BITS;
      const end = Math.min(begin + CHUNK_MASK + 1, tail > begin && tail <= begin + CHUNK_MASK ? tail : Infinity);
      for (let at = begin; at < end; at++) {
        offsets[count] = times[at] - base;
        currentRefs[count++] = refs[at];
      }
      chunk = this.#release(chunk);
    }
    this.#sortCurrent(count);
  }

  #growCurrent(length: number): void {
    const offsets = new Int32Array(length);
    offsets.set(this.#currentOffsets);
    this.#currentOffsets = offsets;
    const refs = new Int32Array(length);
    refs.set(this.currentRefs);
    this.currentRefs = refs;
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
    const base = this.#clock[BASE];
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
    const times = new Float64Array(count);
    const refs = new Int32Array(count);
    let at = 0;
    for (let i = this.currentCursor; i < this.currentEnd; i++) {
      times[at] = this.#clock[BASE] + this.#currentOffsets[i];
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
    for (let slot = 0; slot <= FAR; slot++) {
      const tail = this.#tail[slot];
      if (tail === 0) continue;
      for (let chunk = this.#take(slot); chunk !== 0; chunk = this.#release(chunk)) {
        const begin = chunk << CHUNK_BITS;
        const end = tail > begin && tail <= begin + CHUNK_MASK ? tail : begin + CHUNK_MASK + 1;
        for (let i = begin; i < end; i++) {
          times[at] = this.#times[i];
          refs[at++] = this.#refs[i];
        }
      }
    }
    for (let i = 0; i < count; i++) this.#place(times[i], refs[i]);
    this.#refill();
  }

  /** Puts the wheels where `timeNs`, the earliest event, is in the current bucket, which is not open. */
  #setEpoch(timeNs: number): void {
    const epoch = Math.floor(timeNs / this.#spanNs) * this.#spanNs;
    this.#clock[EPOCH] = epoch;
    this.#bucket = ((timeNs - epoch) * this.#perNs) | 0;
  }

  #earliestFar(): number {
    let earliest = Infinity;
    const tail = this.#tail[FAR];
    for (let chunk = this.#head[FAR]; chunk !== 0; chunk = this.#links[chunk]) {
      const begin = chunk << CHUNK_BITS;
      const end = tail > begin && tail <= begin + CHUNK_MASK ? tail : begin + CHUNK_MASK + 1;
      for (let at = begin; at < end; at++) earliest = Math.min(earliest, this.#times[at]);
    }
    return earliest;
  }
}
