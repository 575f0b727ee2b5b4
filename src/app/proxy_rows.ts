/**
 * What a proxy remembers of its connections to back ends: whose replies are due on each, which can take a request, and
 * which clients wait for one.
 *
 * @module
 */

import type { PlainValue, StateVisitor } from "../base/state.ts";

/** Which side of a proxy a connection is on: `WARM.APP_STATE` of its connections. */
export const SIDE = { CLIENT: 1, BACKEND: 2, GONE: 3 } as const;

/** A client, and the generation of its row. */
export interface Waiter {
  client: number;
  generation: number;
}

/** The requests on their way over one connection, and how much of the first one's reply has come. */
interface Flight {
  waiters: Waiter[];
  head: number;
  passed: number;
}

/** A stack of connections, each at most once, any of which can be taken out. */
class IdleList {
  readonly #connections: number[] = [];
  readonly #places = new Map<number, number>();

  visitState(v: StateVisitor): void {
    const connections = v.plain(this.#connections);
    if (!v.restoring) return;
    this.#connections.length = 0;
    this.#places.clear();
    for (const c of connections) this.add(c);
  }

  top(): number {
    return this.#connections.at(-1) ?? 0;
  }

  add(c: number): void {
    if (this.#places.has(c)) return;
    this.#places.set(c, this.#connections.push(c) - 1);
  }

  remove(c: number): void {
    const place = this.#places.get(c);
    if (place === undefined) return;
    const last = this.#connections.pop()!;
    this.#places.delete(c);
    if (last === c) return;
    this.#connections[place] = last;
    this.#places.set(last, place);
  }
}

/** The books of one proxy. */
export class ProxyRows {
  readonly #flights = new Map<number, Flight>();
  readonly #idle: IdleList[];
  #queue: Waiter[] = [];
  #queueHead = 0;

  /** For so many back ends. */
  constructor(backends: number) {
    this.#idle = Array.from({ length: backends }, () => new IdleList());
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    const flights = v.plain([...this.#flights] as unknown as PlainValue[]) as unknown as [number, Flight][];
    this.#queue = v.plain(this.#queue as unknown as PlainValue[]) as unknown as Waiter[];
    this.#queueHead = v.number(this.#queueHead);
    for (const idle of this.#idle) idle.visitState(v);
    if (!v.restoring) return;
    this.#flights.clear();
    for (const [c, flight] of flights) this.#flights.set(c, flight);
  }

  /** A connection to a back end that can take one more request, the last one used; 0 for none. */
  idle(backend: number): number {
    return this.#idle[backend].top();
  }

  /** The connection can take one more request. */
  addIdle(backend: number, c: number): void {
    this.#idle[backend].add(c);
  }

  /** It cannot. */
  removeIdle(backend: number, c: number): void {
    this.#idle[backend].remove(c);
  }

  /** A request of `client` goes over `c`; returns how many are on their way there. */
  push(c: number, client: number, generation: number): number {
    let flight = this.#flights.get(c);
    if (flight === undefined) this.#flights.set(c, flight = { waiters: [], head: 0, passed: 0 });
    flight.waiters.push({ client, generation });
    return flight.waiters.length - flight.head;
  }

  /** Requests on their way over `c`. */
  outstanding(c: number): number {
    const flight = this.#flights.get(c);
    return flight === undefined ? 0 : flight.waiters.length - flight.head;
  }

  /** Whose reply is next. */
  front(c: number): Waiter {
    const flight = this.#flights.get(c)!;
    return flight.waiters[flight.head];
  }

  /** Bytes of that reply which have come. */
  passed(c: number): number {
    return this.#flights.get(c)!.passed;
  }

  /** So many more have; true if that was all of `replyBytes`, and the next one's turn. */
  pass(c: number, bytes: number, replyBytes: number): boolean {
    const flight = this.#flights.get(c)!;
    flight.passed += bytes;
    if (flight.passed < replyBytes) return false;
    flight.passed = 0;
    if (++flight.head === flight.waiters.length) {
      flight.waiters.length = 0;
      flight.head = 0;
    }
    return true;
  }

  /** The connection is gone: those that wait for its replies. */
  forget(c: number): Waiter[] {
    const flight = this.#flights.get(c);
    this.#flights.delete(c);
    return flight === undefined ? [] : flight.waiters.slice(flight.head);
  }

  /** Clients whose request waits for a connection. */
  get waiting(): number {
    return this.#queue.length - this.#queueHead;
  }

  /** One more waits. */
  wait(client: number, generation: number): void {
    this.#queue.push({ client, generation });
  }

  /** It waits on, before all others: it was the last that `nextWaiting` gave. */
  waitFirst(client: number, generation: number): void {
    if (this.#queueHead === 0) this.#queue.unshift({ client, generation });
    else this.#queue[--this.#queueHead] = { client, generation };
  }

  /** The one that has waited longest; undefined if none does. */
  nextWaiting(): Waiter | undefined {
    const next = this.#queue[this.#queueHead];
    if (next === undefined) return undefined;
    if (++this.#queueHead > 1024 && this.#queueHead * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#queueHead);
      this.#queueHead = 0;
    }
    return next;
  }
}
