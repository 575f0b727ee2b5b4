/**
 * The accepting side of a schedule: reads requests, answers them, closes where it is the one to close. A port's
 * `Service` accepts its connections and hands them over.
 *
 * @module
 */
import { hostOf, peerHasClosed } from "../socket/rows.ts";
import { receive, send, setLinger, shutdownWrite } from "../tcp/mod.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { type ExchangePlan, lastSent, localPortOf, peerSequence, type ScheduleBook } from "./schedule.ts";
import { type App, type AppRuntime, WORK } from "./types.ts";

const { APP, APP_STATE, APP_DATA, APP_DATA2, MASK, STRIDE } = WARM;
const { READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED } = TCP_EVENT;

/**
 * Phases of a connection: the low three bits of APP_STATE; then whether the client is done; above four bits the number
 * of the exchange. APP_DATA holds the bytes of the reply still to send, APP_DATA2 those read beyond the requests
 * answered.
 */
const PHASE = { READING: 0, WORKING: 1, SENDING: 2, DONE: 3, CLOSING: 4 } as const;
const { READING, WORKING, SENDING, DONE, CLOSING } = PHASE;
const PHASE_MASK = 7;
const PEER_DONE = 8;
const EXCHANGE_SHIFT = 4;
const ALL = 0x7fffffff;

/** Codes of its own events. */
const TIMER = { WORK_OVER: 0, PROCESSED: 1, HOLD_OVER: 2, CLOSE_WAIT_OVER: 3, HALF_CLOSE: 4 } as const;

/** See the module's description. */
export class ScheduleServer implements App {
  readonly #runtime: AppRuntime;
  readonly #app: number;
  readonly #plan: ExchangePlan;
  /** The exchange after whose reply the server ends its direction; -1 for at once, beyond the last for never. */
  readonly #endsAfter: number;

  /** `app` is its index among the apps. */
  constructor(options: { runtime: AppRuntime; app: number; plan: ExchangePlan }) {
    this.#runtime = options.runtime;
    this.#app = options.app;
    const { plan } = options;
    this.#plan = plan;
    this.#endsAfter = plan.halfCloses && plan.serverCloses ? lastSent(plan.replyBytes) : plan.count;
  }

  /** See {@linkcode App}. */
  onTimer(code: number, connection: number): void {
    const phase = this.#phase(connection);
    if (code === TIMER.HOLD_OVER) {
      if (phase === DONE) this.#close(connection, this.#plan.resets);
    } else if (code === TIMER.CLOSE_WAIT_OVER) {
      this.#close(connection, false);
    } else if (code === TIMER.HALF_CLOSE) {
      if (phase !== CLOSING) shutdownWrite(this.#runtime.tcp, connection);
    } else if (phase === WORKING) {
      if (code === TIMER.WORK_OVER) this.#process(connection);
      else this.#reply(connection);
    }
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, connection: number): void {
    switch (kind) {
      case READABLE:
        return this.#readable(connection);
      case WRITABLE:
        if (this.#phase(connection) === SENDING) this.#send(connection);
        return;
      case PEER_CLOSED:
        return this.#peerClosed(connection);
      case CLOSED:
      case FAILED:
        return this.#close(connection, false);
    }
  }

  /** See {@linkcode App}. */
  visitState(): void {
    // All of it is in the connections' rows.
  }

  /** Serves a connection that was just accepted. */
  accepted(c: number): void {
    const { tcp } = this.#runtime;
    const o = (c * STRIDE) & MASK;
    tcp.warm[o + APP] = this.#app;
    tcp.warm[o + APP_STATE] = READING;
    tcp.warm[o + APP_DATA] = 0;
    tcp.warm[o + APP_DATA2] = Math.max(0, receive(tcp, c, ALL));
    if (this.#endsAfter < 0) this.#endDirection(c);
    this.#advance(c);
    if (peerHasClosed(tcp, c)) this.#peerClosed(c);
  }

  #phase(c: number): number {
    return this.#runtime.tcp.warm[c * STRIDE + APP_STATE] & PHASE_MASK;
  }

  #setPhase(c: number, phase: number): void {
    const { warm } = this.#runtime.tcp;
    const at = c * STRIDE + APP_STATE;
    warm[at] = (warm[at] & ~PHASE_MASK) | phase;
  }

  #exchange(c: number): number {
    return this.#runtime.tcp.warm[c * STRIDE + APP_STATE] >>> EXCHANGE_SHIFT;
  }

  #readable(c: number): void {
    const { tcp } = this.#runtime;
    const bytes = receive(tcp, c, ALL);
    if (bytes <= 0) return;
    const at = c * STRIDE + APP_DATA2;
    tcp.warm[at] = Math.min(tcp.warm[at] + bytes, ALL);
    if (this.#phase(c) === READING) this.#advance(c);
  }

  /** Begins to answer if the request has come. */
  #advance(c: number): void {
    const plan = this.#plan;
    const runtime = this.#runtime;
    const { warm } = runtime.tcp;
    const o = (c * STRIDE) & MASK;
    for (;;) {
      const k = this.#exchange(c);
      if (k === plan.count) return this.#done(c);
      const requestBytes = plan.requestBytes[k];
      if (warm[o + APP_DATA2] < requestBytes) {
        this.#setPhase(c, READING);
        if (warm[o + APP_STATE] & PEER_DONE) this.#close(c, false);
        return;
      }
      warm[o + APP_DATA2] -= requestBytes;
      if (plan.replyBytes[k] > 0) break;
      warm[o + APP_STATE] += 1 << EXCHANGE_SHIFT;
    }
    this.#setPhase(c, WORKING);
    const workNs = plan.workNs[this.#exchange(c)];
    if (workNs === 0) return this.#process(c);
    this.#after(c, workNs, TIMER.WORK_OVER);
  }

  /** A processor works on the request, where that takes time. */
  #process(c: number): void {
    const runtime = this.#runtime;
    const node = hostOf(runtime.tcp, c);
    const asked = this.#plan.requestBytes[this.#exchange(c)] > 0 && runtime.costs(node, WORK.REQUEST);
    if (!asked) return this.#reply(c);
    runtime.work(node, WORK.REQUEST, 1, this.#app, TIMER.PROCESSED, c, 0);
  }

  #reply(c: number): void {
    this.#runtime.tcp.warm[c * STRIDE + APP_DATA] = this.#plan.replyBytes[this.#exchange(c)];
    this.#setPhase(c, SENDING);
    this.#send(c);
  }

  #send(c: number): void {
    const { tcp } = this.#runtime;
    const o = (c * STRIDE) & MASK;
    while (tcp.warm[o + APP_DATA] > 0) {
      const accepted = send(tcp, c, tcp.warm[o + APP_DATA]);
      if (accepted <= 0) return;
      tcp.warm[o + APP_DATA] -= accepted;
    }
    if (this.#exchange(c) === this.#endsAfter) this.#endDirection(c);
    tcp.warm[o + APP_STATE] += 1 << EXCHANGE_SHIFT;
    this.#advance(c);
  }

  /** Nothing more is to be sent. */
  #endDirection(c: number): void {
    const { holdNs } = this.#plan;
    if (holdNs === 0) return void shutdownWrite(this.#runtime.tcp, c);
    if (holdNs < Infinity) this.#after(c, holdNs, TIMER.HALF_CLOSE);
  }

  #after(c: number, ns: number, code: number): void {
    const runtime = this.#runtime;
    runtime.schedule(hostOf(runtime.tcp, c), this.#app, runtime.nowNs + ns, code, c, 0);
  }

  #done(c: number): void {
    const { holdNs, serverCloses, halfCloses, resets } = this.#plan;
    this.#setPhase(c, DONE);
    if (this.#runtime.tcp.warm[c * STRIDE + APP_STATE] & PEER_DONE) return this.#closeSecond(c);
    if (!serverCloses || halfCloses || holdNs === Infinity) return;
    if (holdNs === 0) return this.#close(c, resets);
    this.#after(c, holdNs, TIMER.HOLD_OVER);
  }

  /** The client has ended its direction, and all is done: what is left is to close. */
  #closeSecond(c: number): void {
    const { closeWaitNs, serverCloses } = this.#plan;
    if (closeWaitNs === 0 || serverCloses) return this.#close(c, false);
    if (closeWaitNs < Infinity) this.#after(c, closeWaitNs, TIMER.CLOSE_WAIT_OVER);
  }

  #peerClosed(c: number): void {
    const phase = this.#phase(c);
    const { warm } = this.#runtime.tcp;
    const at = c * STRIDE + APP_STATE;
    if (warm[at] & PEER_DONE) return;
    warm[at] |= PEER_DONE;
    // A reply that is owed is still sent; what is missing of a request will not come.
    if (phase === DONE) this.#closeSecond(c);
    else if (phase === READING) this.#close(c, false);
  }

  #close(c: number, resets: boolean): void {
    if (this.#phase(c) === CLOSING) return;
    this.#setPhase(c, CLOSING);
    if (resets) setLinger(this.#runtime.tcp, c, true, 0);
    this.#runtime.close(c);
  }
}

/** For a port's `Service`: hands a connection to the schedule that it plays; false if it plays none. */
export function adoptScheduled(
  runtime: AppRuntime,
  apps: readonly (App | undefined)[],
  book: ScheduleBook,
  c: number,
): boolean {
  const app = apps[book.take(peerSequence(runtime.tcp, c), localPortOf(runtime.tcp, c))];
  if (!(app instanceof ScheduleServer)) return false;
  app.accepted(c);
  return true;
}
