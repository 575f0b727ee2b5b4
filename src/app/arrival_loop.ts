/**
 * The beginnings of a workload's connections, lookups or packets, each at its time: what all kinds of workloads share.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import type { ArrivalTimes } from "./arrivals.ts";
import type { Sources } from "./targets.ts";
import type { AppRuntime } from "./types.ts";

/** What a loop needs of the workload. */
export interface ArrivalLoopOptions {
  runtime: Pick<AppRuntime, "nowNs" | "schedule" | "arrives">;
  /** Index of the application, and the code of the event upon which it calls `arrive`. */
  app: number;
  code: number;
  /** Arrivals in all. */
  count: number;
  sources: Sources;
  times: ArrivalTimes;
  /** Begins the `i`-th. */
  begin(i: number): void;
}

/** Begins what is due, and can be paused. */
export class ArrivalLoop {
  /** How many have begun. */
  begun = 0;
  readonly #options: ArrivalLoopOptions;
  #nextNs = 0;
  #paused = false;
  /** Was the next one due while it was paused? */
  #held = false;

  /** Does nothing until `start`. */
  constructor(options: ArrivalLoopOptions) {
    this.#options = options;
  }

  /** Schedules the first arrival. */
  start(): void {
    if (this.#options.count === 0) return;
    this.#nextNs = this.#options.times.next();
    this.#schedule();
  }

  /** Begins everything that is due now, and schedules the next. Says whether that was the last. */
  arrive(): boolean {
    this.#held ||= this.#paused;
    if (this.#paused) return false;
    const { count, times, begin, runtime } = this.#options;
    const now = this.#nextNs;
    do {
      runtime.arrives?.(this.begun);
      begin(this.begun++);
      if (this.begun === count) return true;
      this.#nextNs = times.next();
    } while (this.#nextNs <= now);
    this.#schedule();
    return false;
  }

  /** Begins nothing more until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  /** Goes on; if one was held back, with that, and all others are as much later. */
  resume(): void {
    const held = this.#held;
    this.#paused = this.#held = false;
    if (!held) return;
    const { runtime: { nowNs }, times } = this.#options;
    times.shift(nowNs - this.#nextNs);
    this.#nextNs = nowNs;
    this.#schedule();
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.begun = v.number(this.begun);
    this.#nextNs = v.number(this.#nextNs);
    this.#paused = v.number(this.#paused ? 1 : 0) === 1;
    this.#held = v.number(this.#held ? 1 : 0) === 1;
    this.#options.times.visitState(v);
  }

  #schedule(): void {
    const { runtime, app, code, sources } = this.#options;
    // (The source after this one stands in the event, so that what it needs can be touched ahead: `network/prefetch.ts`.)
    runtime.schedule(sources.at(this.begun), app, this.#nextNs, code, 0, sources.at(this.begun + 1));
  }
}
