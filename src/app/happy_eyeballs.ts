/**
 * Happy Eyeballs (RFC 8305): connection attempts to several addresses of one destination, staggered, of which the first
 * to be established wins and the others are given up.
 *
 * A race is a row that exists until it is won or lost. Its attempts are connections of the application that holds it:
 * while they are being opened, their `APP_DATA` word is the race.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { RowPool } from "../store/rows.ts";
import { WARM } from "../tcp/state/tcb.ts";
import type { AppRuntime } from "./types.ts";

/** Most addresses of a destination that a race tries; more are left out. */
export const MOST_CANDIDATES = 8;

/** RFC 8305 section 8: the time between the beginnings of two attempts, ns, as recommended and at the least. */
export const ATTEMPT_DELAY_NS = { RECOMMENDED: 250e6, LEAST: 10e6 } as const;

/** Word offsets of a race. */
const RACE = {
  NODE: 0,
  /** The application's own number for what is being opened. */
  NUMBER: 1,
  PORT: 2,
  /** When it began, µs. */
  STARTED_US: 3,
  /** Candidates, and which is to be tried next. */
  COUNT: 4,
  NEXT: 5,
  /** Attempts that are neither established nor failed. */
  LIVE: 6,
  /** The timer of the next attempt, 0 for none. */
  TIMER: 7,
  /** Address ids, in the order of trying. */
  CANDIDATES: 8,
  /** The attempts' connections, 0 where there is none (any more). */
  ATTEMPTS: 16,
  STRIDE: 24,
} as const;
const { NODE, NUMBER, PORT, STARTED_US, COUNT, NEXT, LIVE, TIMER, CANDIDATES, ATTEMPTS, STRIDE } = RACE;
const { APP_DATA, STRIDE: WARM_STRIDE } = WARM;

/**
 * The order in which addresses are tried (RFC 8305 section 4): the families take turns, the preferred one first, each
 * in the order that it came in. Written into `into`, whose length it sets.
 */
export function interleave(preferred: readonly number[], other: readonly number[], into: number[]): void {
  into.length = 0;
  for (let i = 0; i < preferred.length || i < other.length; i++) {
    if (i < preferred.length) into.push(preferred[i]);
    if (i < other.length) into.push(other[i]);
  }
}

/** What the holder of races is asked for. */
export interface RaceHolder {
  /** A connection of the race `number` is being opened: its words may be set, but for `APP_DATA`. */
  attempted(connection: number, number: number): void;
  /** Another attempt was faster than this one: to be closed. */
  givenUp(connection: number): void;
  /** No address was left to try: the last error, as `ERRNO`. */
  lost(errno: number): void;
}

/** The races of one application. */
export class Races {
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 64 });
  readonly #runtime: AppRuntime;
  readonly #app: number;
  readonly #delayNs: number;
  readonly #timerCode: number;
  readonly #holder: RaceHolder;

  /**
   * `timerCode` is the code of the application's events that it hands to `continue`. With a `delayNs` of Infinity the next
   * address is tried only when the one before has failed, as by users of getaddrinfo.
   */
  constructor(
    options: { runtime: AppRuntime; app: number; delayNs: number; timerCode: number; holder: RaceHolder },
  ) {
    this.#runtime = options.runtime;
    this.#app = options.app;
    this.#delayNs = options.delayNs;
    this.#timerCode = options.timerCode;
    this.#holder = options.holder;
  }

  /** Races that are neither won nor lost. */
  get running(): number {
    return this.#rows.inUse;
  }

  /**
   * Begins a race from `node` to `port` of these addresses, in this order. `startedUs`: when the connection was asked
   * for (31 bits of µs), if that was earlier: its name had to be looked up.
   */
  begin(
    node: number,
    number: number,
    addresses: readonly number[],
    port: number,
    startedUs: number = (this.#runtime.nowNs / 1000) | 0,
  ): void {
    const race = this.#rows.allocate();
    const words = this.#rows.words;
    const at = race * STRIDE;
    words[at + NODE] = node;
    words[at + NUMBER] = number;
    words[at + PORT] = port;
    words[at + STARTED_US] = startedUs;
    const count = Math.min(addresses.length, MOST_CANDIDATES);
    words[at + COUNT] = count;
    for (let k = 0; k < count; k++) words[at + CANDIDATES + k] = addresses[k];
    this.#attempt(race);
  }

  /** The timer of a race has gone off: time for the next attempt. */
  continue(race: number): void {
    this.#rows.words[race * STRIDE + TIMER] = 0;
    this.#attempt(race);
  }

  /** A connection is established: it has won, the other attempts are given up. Returns when its race began, µs. */
  won(connection: number): number {
    const race = this.#leave(connection);
    const words = this.#rows.words;
    const at = race * STRIDE;
    for (let k = 0; k < words[at + NEXT]; k++) {
      const other = words[at + ATTEMPTS + k];
      if (other !== 0) this.#holder.givenUp(other);
    }
    const startedUs = words[at + STARTED_US];
    this.#end(race);
    return startedUs;
  }

  /** An attempt has failed: the next begins at once (RFC 8305 section 5), if there is one. */
  failed(connection: number, errno: number): void {
    const race = this.#leave(connection);
    this.#runtime.close(connection);
    if (this.#rows.words[race * STRIDE + NEXT] < this.#rows.words[race * STRIDE + COUNT]) this.#attempt(race);
    else this.#endIfLost(race, errno);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
  }

  /** Begins the next attempt; those that fail on the spot are passed over. */
  #attempt(race: number): void {
    const runtime = this.#runtime;
    const words = this.#rows.words;
    const at = race * STRIDE;
    this.#stopTimer(at);
    let errno = 0;
    while (words[at + NEXT] < words[at + COUNT]) {
      const k = words[at + NEXT]++;
      const connection = runtime.attempt(words[at + NODE], words[at + CANDIDATES + k], words[at + PORT], this.#app);
      if (connection < 0) {
        errno = -connection;
        continue;
      }
      words[at + ATTEMPTS + k] = connection;
      words[at + LIVE]++;
      runtime.tcp.warm[connection * WARM_STRIDE + APP_DATA] = race;
      this.#holder.attempted(connection, words[at + NUMBER]);
      if (words[at + NEXT] === words[at + COUNT] || this.#delayNs === Infinity) return;
      const dueNs = runtime.nowNs + this.#delayNs;
      words[at + TIMER] = runtime.startTimer(words[at + NODE], this.#app, dueNs, this.#timerCode, race);
      return;
    }
    this.#endIfLost(race, errno);
  }

  /** Takes a connection out of its race, which it returns. */
  #leave(connection: number): number {
    const race = this.#runtime.tcp.warm[connection * WARM_STRIDE + APP_DATA];
    const words = this.#rows.words;
    const at = race * STRIDE;
    words[at + LIVE]--;
    for (let k = 0; k < words[at + NEXT]; k++) {
      if (words[at + ATTEMPTS + k] === connection) words[at + ATTEMPTS + k] = 0;
    }
    return race;
  }

  #endIfLost(race: number, errno: number): void {
    if (this.#rows.words[race * STRIDE + LIVE] > 0) return;
    this.#end(race);
    this.#holder.lost(errno);
  }

  #end(race: number): void {
    this.#stopTimer(race * STRIDE);
    this.#rows.release(race);
  }

  #stopTimer(at: number): void {
    const words = this.#rows.words;
    if (words[at + TIMER] !== 0) this.#runtime.stopTimer(words[at + TIMER]);
    words[at + TIMER] = 0;
  }
}
