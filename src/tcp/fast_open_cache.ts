/**
 * What the hosts of a stack remember of Fast Open beyond a connection: a client's cookies (RFC 7413 4.1.3), a path that
 * swallows such SYNs, keys that listeners were given. Used by connections with Fast Open alone.
 *
 * @module
 */
import { type PlainValue, type StateVisitor, visitMap } from "../base/state.ts";
import type { TcpStack } from "./stack.ts";
import {
  copyCookie,
  type FastOpenCookie,
  newCookie,
  NO_COOKIE,
  ownKey,
  parseFastOpenKeys,
} from "./fast_open_cookie.ts";

/** What is known of a server, as one of a host's addresses sees it (Linux's `tcp_fastopen_metrics`). */
export interface FastOpenMetrics {
  /** The server's MSS, 0 if it is not known. */
  mss: number;
  /** 1: the experimental option is to be tried next; 2: it was, and did not help either. */
  tryExperimental: number;
  /** SYNs with data in a row of which nothing was heard, and when the last was, ms. */
  synLosses: number;
  lastSynLossMs: number;
  readonly cookie: FastOpenCookie;
}

/** Times that the path of a host swallowed a connection, and when it last did, ns. */
type BlackHole = { times: number; sinceNs: number };

/** Longest pause of active Fast Open, in first pauses: 2^6 (Linux). */
const MOST_DOUBLINGS = 6;
/** How long a reset of a Fast Open connection counts in its listener's queue, ms (RFC 7413 5.1, as Linux). */
const RESET_COUNTS_MS = 60_000;

/** See the module's description. */
export class FastOpenMemory {
  readonly #servers = new Map<string, FastOpenMetrics>();
  readonly #holes = new Map<number, BlackHole>();
  readonly #listenerKeys = new Map<number, Int32Array[]>();
  readonly #resets = new Map<number, number[]>();
  readonly #parsed = new Map<string, Int32Array[]>();

  /** What is known of a server; null for nothing. */
  find(host: number, local: number, remote: number): FastOpenMetrics | null {
    return this.#servers.get(`${host} ${local} ${remote}`) ?? null;
  }

  /** What is known of a server, with room for more. The remote address's id is held from now on. */
  remember(stack: TcpStack, host: number, local: number, remote: number): FastOpenMetrics {
    const name = `${host} ${local} ${remote}`;
    let known = this.#servers.get(name);
    if (known === undefined) {
      known = { mss: 0, tryExperimental: 0, synLosses: 0, lastSynLossMs: 0, cookie: newCookie() };
      this.#servers.set(name, known);
      stack.addresses.retain(remote);
    }
    return known;
  }

  /** Forgets what a host knows of servers (`ip tcp_metrics flush`). */
  flush(stack: TcpStack, host: number): void {
    for (const name of this.#servers.keys()) {
      const [owner, , remote] = name.split(" ").map(Number);
      if (owner !== host) continue;
      this.#servers.delete(name);
      stack.addresses.release(remote);
    }
  }

  /** `count` hosts from `first` on restart: what they know of servers and paths is gone, and what their listeners count. */
  restart(stack: TcpStack, first: number, count: number, listeners: readonly number[]): void {
    const isOne = (host: number) => host >= first && host < first + count;
    for (const name of [...this.#servers.keys()]) {
      const host = Number(name.slice(0, name.indexOf(" ")));
      if (isOne(host)) this.flush(stack, host);
    }
    for (const host of [...this.#holes.keys()]) if (isOne(host)) this.#holes.delete(host);
    for (const listener of listeners) this.#resets.delete(listener);
  }

  /** The path has swallowed a connection: the host pauses active Fast Open, twice as long each time (Linux). */
  noteBlackHole(stack: TcpStack, host: number): void {
    if (stack.profileOf(host).fastOpenBlackholeSeconds === 0) return;
    const hole = this.#holes.get(host) ?? { times: 0, sinceNs: 0 };
    hole.times++;
    hole.sinceNs = stack.nowNs;
    this.#holes.set(host, hole);
    stack.counters.fastOpenBlackHoles++;
  }

  /** Is active Fast Open paused? `null`: it was, and the next connection shows whether the path is better. */
  isPaused(stack: TcpStack, host: number): boolean | null {
    const seconds = stack.profileOf(host).fastOpenBlackholeSeconds;
    const hole = this.#holes.get(host);
    if (seconds === 0 || hole === undefined || hole.times === 0) return false;
    const doublings = Math.min(hole.times - 1, MOST_DOUBLINGS);
    return stack.nowNs < hole.sinceNs + seconds * 2 ** doublings * 1e9 ? true : null;
  }

  /** Data has come over a Fast Open connection after a pause: the path is good. */
  clearBlackHole(host: number): void {
    this.#holes.delete(host);
  }

  /** Gives a listener keys of its own; null: the host's again. */
  setListenerKeys(listener: number, keys: Int32Array[] | null): void {
    if (keys === null) this.#listenerKeys.delete(listener);
    else this.#listenerKeys.set(listener, keys);
  }

  /** The keys that a listener has of its own; null for none. */
  listenerKeys(listener: number): readonly Int32Array[] | null {
    return this.#listenerKeys.get(listener) ?? null;
  }

  /** The keys that a listener of the host makes and honours cookies with, at least one. */
  keysOf(stack: TcpStack, host: number, listener: number): readonly Int32Array[] {
    const own = this.#listenerKeys.get(listener);
    if (own !== undefined) return own;
    const text = stack.profileOf(host).fastOpenKey;
    const name = text === "" ? `host ${host} ${stack.hosts.bootSalt(host)}` : text;
    let keys = this.#parsed.get(name);
    if (keys === undefined) {
      keys = text === "" ? [ownKey(stack, host)] : parseFastOpenKeys(text);
      this.#parsed.set(name, keys);
    }
    return keys;
  }

  /** An accepted connection was reset before its final ACK: it counts for a minute yet (RFC 7413 5.1). */
  noteReset(stack: TcpStack, listener: number): void {
    const expiries = this.#resets.get(listener);
    const expiry = stack.nowNs + RESET_COUNTS_MS * 1e6;
    if (expiries === undefined) this.#resets.set(listener, [expiry]);
    else expiries.push(expiry);
  }

  /** Takes the oldest reset off a listener's count, if its minute is over. */
  takeOldReset(stack: TcpStack, listener: number): boolean {
    const expiries = this.#resets.get(listener);
    if (expiries === undefined || expiries.length === 0 || expiries[0] > stack.nowNs) return false;
    expiries.shift();
    return true;
  }

  /** For snapshots. (What was parsed of keys is parsed again.) */
  visitState(v: StateVisitor): void {
    const servers = new Map(
      [...this.#servers].map(([name, { cookie, ...known }]) =>
        [name, { ...known, cookie: { ...cookie, words: [...cookie.words] } }] as const
      ),
    );
    visitMap(v, servers as unknown as Map<string, PlainValue>);
    const keys = new Map([...this.#listenerKeys].map(([row, list]) => [row, list.map((key) => [...key])]));
    visitMap(v, keys);
    visitMap(v, this.#holes);
    visitMap(v, this.#resets);
    if (!v.restoring) return;
    this.#servers.clear();
    for (const [name, { cookie, ...known }] of servers) {
      this.#servers.set(name, { ...known, cookie: { ...cookie, words: Int32Array.from(cookie.words) } });
    }
    this.#listenerKeys.clear();
    for (const [row, list] of keys) this.#listenerKeys.set(row, list.map((key) => Int32Array.from(key)));
  }

  /** The listener is closed. */
  forgetListener(listener: number): void {
    this.#listenerKeys.delete(listener);
    this.#resets.delete(listener);
  }
}

/** Takes over what a SYN-ACK said (Linux `tcp_fastopen_cache_set`). `cookie` may be no option. */
export function updateMetrics(
  stack: TcpStack,
  metrics: FastOpenMetrics,
  mss: number,
  cookie: FastOpenCookie,
  synLost: boolean,
  tryExperimental: number,
): void {
  if (mss !== 0) metrics.mss = mss;
  if (cookie.length > 0) copyCookie(cookie, metrics.cookie);
  else if (
    tryExperimental > metrics.tryExperimental && metrics.cookie.length <= 0 && !metrics.cookie.experimental
  ) metrics.tryExperimental = tryExperimental;
  if (synLost) {
    metrics.synLosses++;
    metrics.lastSynLossMs = stack.nowMs;
  } else metrics.synLosses = 0;
}

/** The cookie to show to a server of which `metrics` is known: a request where there is none. */
export function cookieToShow(metrics: FastOpenMetrics | null, into: FastOpenCookie): void {
  into.length = 0;
  into.experimental = false;
  if (metrics === null) return;
  if (metrics.cookie.length !== NO_COOKIE) copyCookie(metrics.cookie, into);
  if (into.length <= 0) {
    into.length = 0;
    into.experimental = metrics.tryExperimental === 1;
  }
}
