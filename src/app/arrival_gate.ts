/**
 * Lets a workload's arrivals through, or holds them back while it is stopped.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";

/** Open at first. */
export class ArrivalGate {
  #paused = false;
  #held = false;

  /** Holds arrivals back from now on. */
  pause(): void {
    this.#paused = true;
  }

  /** An arrival is due: is it held back? */
  holds(): boolean {
    this.#held ||= this.#paused;
    return this.#paused;
  }

  /** Lets arrivals through again. Says whether one was held back. */
  resume(): boolean {
    const held = this.#held;
    this.#paused = this.#held = false;
    return held;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#paused = v.number(this.#paused ? 1 : 0) === 1;
    this.#held = v.number(this.#held ? 1 : 0) === 1;
  }
}
