/**
 * When connections begin: all at once, at a fixed rate, or as a Poisson process.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { Substream } from "../base/rng.ts";
import { NS_PER_S } from "../base/units.ts";

/** An arrival process. Times in ns. */
export interface Arrivals {
  /** Which process. */
  kind: "at-once" | "rate" | "poisson";
  /** Arrivals per second; not used by `at-once`. */
  perSecond: number;
  /** Time of the first (`rate`, `at-once`) or the origin of the process (`poisson`). */
  startNs: number;
}

/** The arrival times of one workload, one after the other. */
export class ArrivalTimes {
  #arrivals: Arrivals;
  #draws: Substream;
  #index = 0;
  #timeNs: number;
  #shiftNs = 0;

  /** `draws` is the workload's own substream for arrivals. */
  constructor(arrivals: Arrivals, draws: Substream) {
    this.#arrivals = arrivals;
    this.#draws = draws;
    this.#timeNs = arrivals.startNs;
  }

  /** All that are still to come come so much later, ns. */
  shift(byNs: number): void {
    this.#shiftNs += byNs;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#index = v.number(this.#index);
    this.#timeNs = v.number(this.#timeNs);
    this.#shiftNs = v.number(this.#shiftNs);
    this.#draws.counter = v.number(this.#draws.counter);
  }

  /** The next arrival, ns, an integer; never earlier than the one before. */
  next(): number {
    return this.#next() + this.#shiftNs;
  }

  #next(): number {
    const { kind, perSecond, startNs } = this.#arrivals;
    if (kind === "at-once") return startNs;
    if (kind === "rate") {
      // Whole seconds apart from the rest, so that products stay exact.
      const i = this.#index++;
      const seconds = Math.floor(i / perSecond);
      return startNs + seconds * NS_PER_S + Math.floor(((i - seconds * perSecond) * NS_PER_S) / perSecond);
    }
    this.#timeNs += this.#draws.nextExponential(1e9 / perSecond);
    return Math.floor(this.#timeNs);
  }
}
