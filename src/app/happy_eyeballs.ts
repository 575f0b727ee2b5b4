/**
 * Happy Eyeballs (RFC 8305): connection attempts to several addresses of one destination, staggered, of which the first
 * to be established wins and the others are given up. Addresses that a name's answers bring later join the race.
 *
 * A race is a row that exists until it is won or lost. Its attempts are connections of the application that holds it:
 * while they are being opened, their `APP_DATA` word is the race.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import { RowPool } from "../store/rows.ts";
import { WARM } from "../tcp/state/tcb.ts";
import type { AppRuntime } from "./types.ts";

/** Most addresses of a destination that a race tries; more are left out. */
export const MOST_CANDIDATES = 8;

/**
 * RFC 8305 section 8: the time between the beginnings of two attempts, ns, as recommended and at the least. (The most
 * is ours: the RFC recommends 2 s.)
 */
export const ATTEMPT_DELAY_NS = { RECOMMENDED: 250e6, LEAST: 10e6, MOST: 60e9 } as const;

/** RFC 8305 section 8: how long the other family's addresses wait for those of the preferred one, ns. */
export const RESOLUTION_DELAY_NS = 50e6;

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
  /** `CLOSED`, `OPEN` or `OVER`. */
  PHASE: 24,
  /** Why the last attempt failed, `ERRNO`. */
  LAST_ERRNO: 25,
  /** What attempts are made from: an address id and a port, 0 for any. */
  LOCAL: 26,
  LOCAL_PORT: 27,
  /** The attempt delay, µs; -1: there is none, the next attempt waits for the failure of the one before. */
  DELAY_US: 28,
  /** 1 if IPv6 comes first. */
  PREFERS_IPV6: 29,
  FIRST_COUNT: 30,
  STRIDE: 32,
  /** The bits of a row's offset. */
  MASK: rowMask(32),
} as const;
const { NODE, NUMBER, PORT, STARTED_US, COUNT, NEXT, LIVE, TIMER, CANDIDATES, ATTEMPTS, PHASE, LAST_ERRNO } = RACE;
const { LOCAL, LOCAL_PORT, DELAY_US, PREFERS_IPV6, FIRST_COUNT, MASK, STRIDE } = RACE;

/** All addresses are known; more may come; more may come, but it is won. */
const [CLOSED, OPEN, OVER] = [0, 1, 2];

const { APP_DATA, STRIDE: WARM_STRIDE } = WARM;

/** How a race goes. */
export interface RaceRules {
  /** Does IPv6 come first? */
  prefersIpv6: boolean;
  /**
   * RFC 8305's First Address Family Count: how many of the preferred family come first, before the families take turns.
   * `MOST_CANDIDATES`: all of them, as RFC 6724 sorts.
   */
  firstCount: number;
  /** Connection Attempt Delay, ns. Infinity: the next address is tried only when the one before has failed. */
  delayNs: number;
}

/** What a race is for. */
export interface RaceStart {
  node: number;
  /** The holder's own number for what is being opened. */
  number: number;
  /** Destination port. */
  port: number;
  rules: RaceRules;
  /** When the connection was asked for (31 bits of µs), if that was earlier than now: its name had to be looked up. */
  startedUs?: number;
  /** Address id to connect from, 0 for any. */
  local?: number;
  /** Port to connect from, 0 for an ephemeral one. */
  localPort?: number;
}

/**
 * The order in which addresses are tried (RFC 8305 section 4): `firstCount` of the preferred family, then the families
 * take turns, each in the order that it came in. Written into `into`, whose length it sets.
 */
export function interleave(
  preferred: readonly number[],
  other: readonly number[],
  into: number[],
  firstCount = 1,
): void {
  into.length = 0;
  let next = Math.min(firstCount, preferred.length);
  for (let i = 0; i < next; i++) into.push(preferred[i]);
  for (let i = 0; next < preferred.length || i < other.length; i++) {
    if (i < other.length) into.push(other[i]);
    if (next < preferred.length) into.push(preferred[next++]);
  }
}

/** What the holder of races is asked for. */
export interface RaceHolder {
  /** A connection of the race `number` is being opened: its words may be set, but for `APP_DATA`. */
  attempted(connection: number, number: number): void;
  /** Another attempt was faster than this one: to be closed. */
  givenUp(connection: number): void;
  /** No address was left to try in the race `number`: the last error, as `ERRNO`. */
  lost(errno: number, number: number): void;
}

/** The races of one application. */
export class Races {
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 64 });
  readonly #runtime: AppRuntime;
  readonly #app: number;
  readonly #timerCode: number;
  readonly #holder: RaceHolder;
  readonly #preferred: number[] = [];
  readonly #other: number[] = [];
  readonly #ordered: number[] = [];

  /** `timerCode` is the code of the application's events that it hands to `continue`. */
  constructor(options: { runtime: AppRuntime; app: number; timerCode: number; holder: RaceHolder }) {
    this.#runtime = options.runtime;
    this.#app = options.app;
    this.#timerCode = options.timerCode;
    this.#holder = options.holder;
  }

  /** Races that are neither won nor lost. */
  get running(): number {
    return this.#rows.inUse;
  }

  /**
   * Begins a race to these addresses. With `more` it returns the race for `complete`, which has to be called: other
   * addresses may follow.
   */
  begin(start: RaceStart, addresses: readonly number[], more = false): number {
    const { rules } = start;
    const race = this.#rows.allocate();
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    words[at + NODE] = start.node;
    words[at + NUMBER] = start.number;
    words[at + PORT] = start.port;
    words[at + STARTED_US] = start.startedUs ?? (this.#runtime.nowNs / 1000) | 0;
    words[at + PHASE] = more ? OPEN : CLOSED;
    words[at + LOCAL] = start.local ?? 0;
    words[at + LOCAL_PORT] = start.localPort ?? 0;
    words[at + DELAY_US] = rules.delayNs === Infinity ? -1 : Math.ceil(rules.delayNs / 1000);
    words[at + PREFERS_IPV6] = rules.prefersIpv6 ? 1 : 0;
    words[at + FIRST_COUNT] = Math.min(rules.firstCount, MOST_CANDIDATES);
    this.#enter(at, addresses);
    this.#attempt(race);
    return more ? race : 0;
  }

  /** Gives up all races of this number. Nobody is told. */
  abandon(number: number): void {
    for (let race = 1; race < this.#rows.end; race++) {
      const words = this.#rows.words;
      const at = (race * STRIDE) & MASK;
      // (What is free has no candidates.)
      if (words[at + NUMBER] !== number || words[at + COUNT] === 0 || words[at + PHASE] === OVER) continue;
      this.#giveUp(at);
      this.#end(race);
    }
  }

  /**
   * The last addresses of a race that was begun with more to come, perhaps none. RFC 8305 section 3: if it is not won
   * yet they take their places among those that have not been tried.
   */
  complete(race: number, addresses: readonly number[]): void {
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    if (words[at + PHASE] === OVER) return this.#rows.release(race);
    words[at + PHASE] = CLOSED;
    this.#enter(at, addresses);
    if (words[at + NEXT] === words[at + COUNT]) {
      this.#stopTimer(at);
      return this.#endIfLost(race);
    }
    // A running timer says when the next attempt is due (section 5).
    if (words[at + TIMER] === 0 || words[at + LIVE] === 0) this.#attempt(race);
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
    const at = (race * STRIDE) & MASK;
    this.#giveUp(at);
    const startedUs = words[at + STARTED_US];
    this.#end(race);
    return startedUs;
  }

  /** An attempt has failed: the next begins at once, if there is one. */
  failed(connection: number, errno: number): void {
    const race = this.#leave(connection);
    this.#runtime.close(connection);
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    words[at + LAST_ERRNO] = errno;
    if (errno === ERRNO.ECONNABORTED) {
      // The host itself has restarted: whoever tried is no more.
      this.#stopTimer(at);
      words[at + COUNT] = words[at + NEXT];
    }
    if (words[at + NEXT] < words[at + COUNT]) this.#attempt(race);
    else this.#endIfLost(race);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
  }

  /** Adds addresses to those of a race, and puts what has not been tried in order. */
  #enter(at: number, addresses: readonly number[]): void {
    const words = this.#rows.words;
    const table = this.#runtime.tcp.addresses;
    const [preferred, other, ordered] = [this.#preferred, this.#other, this.#ordered];
    preferred.length = other.length = 0;
    const sort = (id: number) => (table.isIpv6(id) === (words[at + PREFERS_IPV6] === 1) ? preferred : other).push(id);
    for (let k = 0; k < words[at + COUNT]; k++) sort(words[at + CANDIDATES + k]);
    for (const id of addresses) sort(id);
    interleave(preferred, other, ordered, words[at + FIRST_COUNT]);
    let count = words[at + NEXT];
    const isTried = (id: number) => {
      for (let k = 0; k < words[at + NEXT]; k++) if (words[at + CANDIDATES + k] === id) return true;
      return false;
    };
    for (const id of ordered) {
      if (count === MOST_CANDIDATES) break;
      if (!isTried(id)) words[at + CANDIDATES + count++] = id;
    }
    words[at + COUNT] = count;
  }

  /** Begins the next attempt; those that fail on the spot are passed over. */
  #attempt(race: number): void {
    const runtime = this.#runtime;
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    this.#stopTimer(at);
    while (words[at + NEXT] < words[at + COUNT]) {
      const k = words[at + NEXT]++;
      const [node, remote, port] = [words[at + NODE], words[at + CANDIDATES + k], words[at + PORT]];
      const connection = runtime.attempt(node, remote, port, this.#app, words[at + LOCAL], words[at + LOCAL_PORT]);
      if (connection < 0) {
        words[at + LAST_ERRNO] = -connection;
        continue;
      }
      words[at + ATTEMPTS + k] = connection;
      words[at + LIVE]++;
      runtime.tcp.warm[connection * WARM_STRIDE + APP_DATA] = race;
      this.#holder.attempted(connection, words[at + NUMBER]);
      const isLast = words[at + NEXT] === words[at + COUNT] && words[at + PHASE] === CLOSED;
      if (isLast || words[at + DELAY_US] < 0) return;
      const dueNs = runtime.nowNs + words[at + DELAY_US] * 1000;
      words[at + TIMER] = runtime.startTimer(node, this.#app, dueNs, this.#timerCode, race);
      return;
    }
    this.#endIfLost(race);
  }

  /** Takes a connection out of its race, which it returns. */
  #leave(connection: number): number {
    const race = this.#runtime.tcp.warm[connection * WARM_STRIDE + APP_DATA];
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    words[at + LIVE]--;
    for (let k = 0; k < words[at + NEXT]; k++) {
      if (words[at + ATTEMPTS + k] === connection) words[at + ATTEMPTS + k] = 0;
    }
    return race;
  }

  #giveUp(at: number): void {
    const words = this.#rows.words;
    for (let k = 0; k < words[at + NEXT]; k++) {
      const attempt = words[at + ATTEMPTS + k];
      if (attempt === 0) continue;
      words[at + ATTEMPTS + k] = 0;
      this.#holder.givenUp(attempt);
    }
  }

  #endIfLost(race: number): void {
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    if (words[at + LIVE] > 0 || words[at + PHASE] === OPEN) return;
    const [errno, number] = [words[at + LAST_ERRNO], words[at + NUMBER]];
    this.#end(race);
    this.#holder.lost(errno, number);
  }

  #end(race: number): void {
    const words = this.#rows.words;
    const at = (race * STRIDE) & MASK;
    this.#stopTimer(at);
    if (words[at + PHASE] === OPEN) words[at + PHASE] = OVER;
    else this.#rows.release(race);
  }

  #stopTimer(at: number): void {
    const words = this.#rows.words;
    if (words[at + TIMER] !== 0) this.#runtime.stopTimer(words[at + TIMER]);
    words[at + TIMER] = 0;
  }
}
