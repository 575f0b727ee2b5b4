/**
 * The accepting side: what a listening port does with its connections. State is four words of the connection's warm
 * row, as in `client.ts`.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import * as ROWS from "../socket/rows.ts";
import * as TCP from "../tcp/mod.ts";
import { type App, type AppRuntime, WORK } from "./types.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { acceptQueueLength, hostOf, listenerHost, peerHasClosed } = ROWS;
const { receive, send, unreadBytes } = TCP;

/** What a service does. Sizes in bytes, times in ns. */
export interface ServicePlan {
  /** See `ServiceOptions.kind`. */
  kind: "respond" | "source" | "sink" | "echo" | "hold";
  /** Bytes of a request. */
  requestBytes: number;
  /** Bytes of a reply. */
  replyBytes: number;
  /** Bytes to send on accept (`source`), or to read before the work is done (`sink`). */
  bytes: number;
  /** Answers after which `closeAfterNs` begins (`respond`). */
  answersBeforeClose: number;
  /** Closes so long after its work is done, ns; Infinity: never. */
  closeAfterNs: number;
  /** Accepts at most one connection in this time, ns; 0: at once. */
  acceptIntervalNs: number;
}

const { ACCEPT: WORK_ACCEPT, REQUEST: WORK_REQUEST } = WORK;
const { APP_STATE, APP_DATA, APP_DATA2, MASK, STRIDE } = WARM;
const { ACCEPTABLE, READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED } = TCP_EVENT;

/** Bits of APP_STATE; above them: answers given, or (`source`) whole blocks of 2^30 bytes still to send. */
const STATE = { PEER_DONE: 1, CLOSING: 2, WORK_DONE: 4, AT_WORK: 8 } as const;
const { PEER_DONE, CLOSING, WORK_DONE, AT_WORK } = STATE;
const STATE_MASK = 15;
const COUNT_SHIFT = 4;
const BLOCK = 2 ** 30;
const ALL = 0x7fffffff;

/** `ServicePlan.kind` as a number: a text is longer to compare, and it is asked for every segment. */
const KIND = { respond: 0, source: 1, sink: 2, echo: 3, hold: 4 } as const;
const { respond: RESPOND, source: SOURCE, sink: SINK, echo: ECHO } = KIND;

/** Codes of its own events. */
const TIMER = { ACCEPT: 0, CLOSE: 1, ACCEPT_DONE: 2, WORK_DONE: 3 } as const;

/** The service of one listening port, on one host or on every member of a population. */
export class Service implements App {
  readonly #runtime: AppRuntime;
  readonly #app: number;
  readonly #plan: ServicePlan;
  readonly #kind: number;
  /** Listeners that wait for the next accept, or for a free file descriptor. */
  readonly #waiting = new Set<number>();
  /** Accepts that a processor is asked for, by listener. */
  readonly #accepts = new Map<number, number>();
  readonly #adopt: ((connection: number) => boolean) | undefined;

  /** `app` is its index among the apps. `adopt` takes accepted connections that another application is to serve. */
  constructor(
    options: { runtime: AppRuntime; app: number; plan: ServicePlan; adopt?: (connection: number) => boolean },
  ) {
    this.#adopt = options.adopt;
    this.#runtime = options.runtime;
    this.#app = options.app;
    this.#plan = options.plan;
    this.#kind = KIND[options.plan.kind];
  }

  /** See {@linkcode App}. */
  onTimer(code: number, connection: number, argument: number): void {
    if (code === TIMER.CLOSE) return this.#close(connection);
    if (code === TIMER.WORK_DONE) return this.#worked(connection, argument);
    if (code === TIMER.ACCEPT_DONE) return this.#acceptDone(argument);
    this.#waiting.delete(argument);
    this.#acceptable(argument);
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, connection: number, argument: number): void {
    switch (kind) {
      case READABLE:
        return this.#readable(connection);
      case ACCEPTABLE:
        return this.#acceptable(argument);
      case WRITABLE:
        return this.#pump(connection);
      case PEER_CLOSED:
        return this.#peerClosed(connection);
      case CLOSED:
      case FAILED:
        return this.#ended(connection);
    }
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    const waiting = v.plain([...this.#waiting]);
    const accepts = v.plain([...this.#accepts]);
    if (!v.restoring) return;
    this.#waiting.clear();
    for (const listener of waiting) this.#waiting.add(listener);
    this.#accepts.clear();
    for (const [listener, asked] of accepts) this.#accepts.set(listener, asked);
  }

  /** See {@linkcode App}: what a processor was asked for will not be done. */
  hostsRestarted(first: number, count: number): void {
    for (const listener of [...this.#accepts.keys()]) {
      const host = listenerHost(this.#runtime.tcp, listener);
      if (host >= first && host < first + count) this.#accepts.delete(listener);
    }
  }

  /** There may be something to accept. */
  #acceptable(listener: number): void {
    if (this.#waiting.size !== 0 && this.#waiting.has(listener)) return;
    const runtime = this.#runtime;
    const node = listenerHost(runtime.tcp, listener);
    if (!runtime.costs(node, WORK_ACCEPT)) {
      while (acceptQueueLength(runtime.tcp, listener) !== 0 && this.#acceptOne(node, listener)) { /* the next */ }
      return;
    }
    // A turn of the processor for each, as far as the application's pace allows.
    const queued = acceptQueueLength(runtime.tcp, listener);
    const most = this.#plan.acceptIntervalNs > 0 ? Math.min(1, queued) : queued;
    for (let asked = this.#accepts.get(listener) ?? 0; asked < most; asked++) {
      runtime.work(node, WORK_ACCEPT, 1, this.#app, TIMER.ACCEPT_DONE, 0, listener);
      this.#accepts.set(listener, asked + 1);
    }
  }

  #acceptDone(listener: number): void {
    this.#accepts.set(listener, this.#accepts.get(listener)! - 1);
    if (this.#waiting.has(listener)) return;
    this.#acceptOne(listenerHost(this.#runtime.tcp, listener), listener);
    this.#acceptable(listener);
  }

  /** Accepts a connection; false if there is none, or none may follow now. */
  #acceptOne(node: number, listener: number): boolean {
    const interval = this.#plan.acceptIntervalNs;
    const c = this.#runtime.accept(node, listener);
    if (c === 0) return false;
    if (c < 0) {
      // Tries again when a descriptor is let go of; meanwhile the queue fills.
      this.#waiting.add(listener);
      this.#runtime.waitForFile(node, this.#app, TIMER.ACCEPT, listener);
      return false;
    }
    this.#accepted(c);
    if (interval > 0) this.#acceptLater(node, listener, interval);
    return interval === 0;
  }

  #acceptLater(node: number, listener: number, afterNs: number): void {
    this.#waiting.add(listener);
    this.#runtime.schedule(node, this.#app, this.#runtime.nowNs + afterNs, TIMER.ACCEPT, 0, listener);
  }

  #accepted(c: number): void {
    if (this.#adopt?.(c)) return;
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    warm[o + APP_STATE] = 0;
    warm[o + APP_DATA] = 0;
    warm[o + APP_DATA2] = 0;
    const plan = this.#plan;
    if (this.#kind === SOURCE || this.#kind === SINK) {
      warm[o + APP_STATE] = Math.floor(plan.bytes / BLOCK) << COUNT_SHIFT;
      warm[o + APP_DATA2] = plan.bytes % BLOCK;
      if (this.#kind === SOURCE) this.#pump(c);
      else this.#sink(c, 0);
    } else if (this.#kind !== RESPOND) this.#workDone(c);
    if (warm[o + APP_STATE] & CLOSING) return;
    // Data and a FIN may have come before the accept.
    if (unreadBytes(this.#runtime.tcp, c) > 0) this.#readable(c);
    if (peerHasClosed(this.#runtime.tcp, c)) this.#peerClosed(c);
  }

  #readable(c: number): void {
    const runtime = this.#runtime;
    const bytes = receive(runtime.tcp, c, ALL);
    if (bytes <= 0) return;
    const warm = runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    if (this.#kind === ECHO) {
      warm[o + APP_DATA2] += bytes;
      return this.#pump(c);
    }
    if (this.#kind === SINK) return this.#sink(c, bytes);
    if (this.#kind !== RESPOND) return;
    warm[o + APP_DATA] += bytes;
    if ((warm[o + APP_STATE] & AT_WORK) === 0) this.#answer(c);
  }

  /** Answers the requests that have come in full, once the processor has worked on them. */
  #answer(c: number): void {
    const runtime = this.#runtime;
    const { requestBytes, replyBytes } = this.#plan;
    const warm = runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    let received = warm[o + APP_DATA];
    let answers = 0;
    while (received >= requestBytes && received > 0) {
      received -= requestBytes;
      answers++;
      if (requestBytes === 0) break;
    }
    if (answers === 0) return;
    warm[o + APP_DATA] = received;
    const node = hostOf(runtime.tcp, c);
    if (runtime.costs(node, WORK_REQUEST)) {
      warm[o + APP_STATE] |= AT_WORK;
      return runtime.work(node, WORK_REQUEST, answers, this.#app, TIMER.WORK_DONE, c, answers);
    }
    warm[o + APP_DATA2] += answers * replyBytes;
    warm[o + APP_STATE] += answers << COUNT_SHIFT;
    this.#pump(c);
  }

  /** The work on `answers` requests is done. */
  #worked(c: number, answers: number): void {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    warm[o + APP_STATE] &= ~AT_WORK;
    if (warm[o + APP_STATE] & CLOSING) return;
    warm[o + APP_DATA2] += answers * this.#plan.replyBytes;
    warm[o + APP_STATE] += answers << COUNT_SHIFT;
    this.#pump(c);
    if ((warm[o + APP_STATE] & CLOSING) === 0) this.#answer(c);
  }

  /** `bytes` more of those that the work consists of. */
  #sink(c: number, bytes: number): void {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    const rest = warm[o + APP_DATA2] - bytes;
    if (rest > 0) {
      warm[o + APP_DATA2] = rest;
      return;
    }
    // One that reads all that comes is never done, or always.
    if ((warm[o + APP_STATE] & WORK_DONE) !== 0) return;
    const left = Math.max(0, this.#left(c) - bytes);
    this.#setLeft(c, left);
    if (left === 0) this.#workDone(c);
  }

  /** Bytes that a source has still to send, or a sink to read. */
  #left(c: number): number {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    return (warm[o + APP_STATE] >>> COUNT_SHIFT) * BLOCK + warm[o + APP_DATA2];
  }

  #setLeft(c: number, bytes: number): void {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    warm[o + APP_STATE] = (warm[o + APP_STATE] & STATE_MASK) | (Math.floor(bytes / BLOCK) << COUNT_SHIFT);
    warm[o + APP_DATA2] = bytes % BLOCK;
  }

  /** Sends what is owed, as far as the send buffer takes it. */
  #pump(c: number): void {
    const tcp = this.#runtime.tcp;
    const o = (c * STRIDE) & MASK;
    if (tcp.warm[o + APP_STATE] & CLOSING) return;
    if (this.#kind === SINK) return;
    const source = this.#kind === SOURCE;
    let unsent = source ? this.#left(c) : tcp.warm[o + APP_DATA2];
    while (unsent > 0) {
      const accepted = send(tcp, c, Math.min(unsent, ALL));
      if (accepted <= 0) break;
      unsent -= accepted;
    }
    const warm = tcp.warm;
    if (source) this.#setLeft(c, unsent);
    else warm[o + APP_DATA2] = unsent;
    if (unsent > 0) return;
    if (source || (warm[o + APP_STATE] >>> COUNT_SHIFT) >= this.#plan.answersBeforeClose) this.#workDone(c);
    if (warm[o + APP_STATE] & PEER_DONE) this.#close(c);
  }

  #workDone(c: number): void {
    const plan = this.#plan;
    const warm = this.#runtime.tcp.warm;
    const at = c * STRIDE + APP_STATE;
    if (warm[at] & WORK_DONE) return;
    warm[at] |= WORK_DONE;
    if (plan.closeAfterNs === Infinity) return;
    if (plan.closeAfterNs === 0) return this.#close(c);
    const runtime = this.#runtime;
    runtime.schedule(hostOf(runtime.tcp, c), this.#app, runtime.nowNs + plan.closeAfterNs, TIMER.CLOSE, c, 0);
  }

  #peerClosed(c: number): void {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    if (warm[o + APP_STATE] & CLOSING) return;
    warm[o + APP_STATE] |= PEER_DONE;
    // What a sink has not read will not come any more.
    const owed = this.#kind === SOURCE
      ? this.#left(c) > 0
      : this.#kind !== SINK && (warm[o + APP_DATA2] > 0 || (warm[o + APP_STATE] & AT_WORK) !== 0);
    if (!owed) this.#close(c);
  }

  #close(c: number): void {
    const warm = this.#runtime.tcp.warm;
    const at = c * STRIDE + APP_STATE;
    if (warm[at] & CLOSING) return;
    warm[at] |= CLOSING;
    this.#runtime.close(c);
  }

  #ended(c: number): void {
    this.#close(c);
  }
}
