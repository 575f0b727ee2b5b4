/**
 * A small binary heap of (time, reference): the event queue's place for events of buckets already opened.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";
import type { CompareRefs } from "./tie_sort.ts";

/** A binary heap ordered by (time, `compareTies`). */
export class EventHeap {
  /** Events in it. */
  count = 0;
  /** Times in ns, in heap order; the first `count` count. */
  times: Float64Array = new Float64Array(64);
  /** References beside `times`. */
  refs: Int32Array = new Int32Array(64);
  readonly #compareTies: CompareRefs;

  /** An empty heap. */
  constructor(compareTies: CompareRefs) {
    this.#compareTies = compareTies;
  }

  /** Time in ns of the first event; `Infinity` if the heap is empty. */
  headTime(): number {
    return this.count === 0 ? Infinity : this.times[0];
  }

  /** Reference of the first event. */
  headRef(): number {
    return this.refs[0];
  }

  /** Adds an event. */
  push(timeNs: number, ref: number): void {
    if (this.count === this.refs.length) this.#grow();
    const times = this.times;
    const refs = this.refs;
    let at = this.count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const time = times[parent];
      if (time < timeNs || (time === timeNs && this.#compareTies(refs[parent], ref) <= 0)) break;
      times[at] = time;
      refs[at] = refs[parent];
      at = parent;
    }
    times[at] = timeNs;
    refs[at] = ref;
  }

  /** Removes the first event and returns its reference. The heap must not be empty. */
  pop(): number {
    const times = this.times;
    const refs = this.refs;
    const first = refs[0];
    const count = --this.count;
    const timeNs = times[count];
    const ref = refs[count];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      let time = times[child];
      if (child + 1 < count) {
        const other = times[child + 1];
        if (other < time || (other === time && this.#compareTies(refs[child + 1], refs[child]) < 0)) {
          child++;
          time = other;
        }
      }
      if (timeNs < time || (timeNs === time && this.#compareTies(ref, refs[child]) <= 0)) break;
      times[at] = time;
      refs[at] = refs[child];
      at = child;
    }
    times[at] = timeNs;
    refs[at] = ref;
    return first;
  }

  /** Moves all events to `times` and `refs`, from place `at` on. */
  moveInto(times: Float64Array, refs: Int32Array, at: number): void {
    for (let i = 0; i < this.count; i++) {
      times[at + i] = this.times[i];
      refs[at + i] = this.refs[i];
    }
    this.count = 0;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.count = v.number(this.count);
    this.times = v.column(this.times, this.count);
    this.refs = v.column(this.refs, this.count);
  }

  #grow(): void {
    this.times = lengthened(this.times, this.count * 2);
    this.refs = lengthened(this.refs, this.count * 2);
  }
}
