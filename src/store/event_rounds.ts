/**
 * The rounds of an instant: what is pushed for now pops after all that was there before.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";

/** The running round of the event queue's present instant, and the next. */
export class EventRounds {
  /** The running round; those of `cursor` to `end - 1` are pending. */
  refs: Int32Array = new Int32Array(64);
  /** Place in `refs` of the next event. */
  cursor = 0;
  /** One past the last event in `refs`. */
  end = 0;
  /** Events of the next round. */
  nextCount = 0;
  #next: Int32Array = new Int32Array(64);
  /** Rounds after round 0 that the instant `#atNs` has had. */
  #number = 0;
  #atNs = -1;

  /** The number of the running round of the instant `nowNs`. */
  numberAt(nowNs: number): number {
    return this.#atNs === nowNs ? this.#number : 0;
  }

  /** Adds an event to the next round. */
  push(ref: number): void {
    if (this.nextCount === this.#next.length) this.#next = lengthened(this.#next, this.nextCount * 2);
    this.#next[this.nextCount++] = ref;
  }

  /** The next round of the instant `nowNs` becomes the running one, in the order in which it was pushed. */
  begin(nowNs: number): void {
    this.#number = this.#atNs === nowNs ? this.#number + 1 : 1;
    this.#atNs = nowNs;
    const round = this.#next;
    this.#next = this.refs;
    this.refs = round;
    this.cursor = 0;
    this.end = this.nextCount;
    this.nextCount = 0;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.cursor = v.number(this.cursor);
    this.end = v.number(this.end);
    this.refs = v.column(this.refs, this.end);
    this.nextCount = v.number(this.nextCount);
    this.#next = v.column(this.#next, this.nextCount);
    [this.#number, this.#atNs] = [v.number(this.#number), v.number(this.#atNs)];
  }
}
