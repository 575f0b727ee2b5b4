/**
 * The opening side of a schedule: opens connections at their times, plays their exchanges, holds and closes them.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import type { StateVisitor } from "../base/state.ts";
import { hostOf } from "../socket/rows.ts";
import { receive, send, setLinger, shutdownWrite } from "../tcp/mod.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { TCB, WARM } from "../tcp/state/tcb.ts";
import { type ExchangePlan, lastSent, type ScheduleBook } from "./schedule.ts";
import { chosenAddress, ownAddress, type Sources, type Targets } from "./targets.ts";
import type { App, AppRuntime } from "./types.ts";
import type { WorkloadCounts } from "./workload_counts.ts";

/** What a schedule's clients may do beyond what others may. */
export interface ScheduleRuntime extends AppRuntime {
  /** As `connect`, from a port of the caller's choice (0: the host's). */
  connectFrom(node: number, local: number, localPort: number, remote: number, remotePort: number, app: number): number;
}

/** What {@linkcode ScheduleClient} is made of. */
export interface ScheduleClientOptions {
  runtime: ScheduleRuntime;
  /** Its index among the apps. */
  app: number;
  /** The index of the application that plays the other side. */
  server: number;
  plan: ExchangePlan;
  /** When connections begin, ns, in order. */
  atNs: readonly number[];
  /** The ports that they come from; 0, or beyond the end: the host's choice. */
  fromPorts: readonly number[];
  sources: Sources;
  targets: Targets;
  book: ScheduleBook;
  counts: WorkloadCounts;
}

const { APP_STATE, APP_DATA, APP_DATA2, MASK, STRIDE } = WARM;
const { CONNECTED, READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED } = TCP_EVENT;

/**
 * Phases of a connection: the low three bits of APP_STATE; then whether the server is done; above four bits the number
 * of the exchange. APP_DATA holds when it
 * was opened (µs), then the bytes of the request still to send; APP_DATA2 the bytes received that belong to this
 * exchange's reply or to later ones.
 */
const PHASE = { OPENING: 0, THINKING: 1, SENDING: 2, READING: 3, HOLDING: 4, CLOSING: 5, ENDED: 6 } as const;
const { OPENING, THINKING, SENDING, READING, HOLDING, CLOSING, ENDED } = PHASE;
const PHASE_MASK = 7;
const PEER_DONE = 8;
const EXCHANGE_SHIFT = 4;
const ALL = 0x7fffffff;

/** Codes of its own events. */
const TIMER = { ARRIVAL: 0, THINK_OVER: 1, HOLD_OVER: 2, HALF_CLOSE: 3 } as const;

/** See the module's description. */
export class ScheduleClient implements App {
  /** See {@linkcode App}. */
  readonly everywhere = true;
  #opened = 0;
  readonly #options: ScheduleClientOptions;
  readonly #runtime: ScheduleRuntime;
  readonly #plan: ExchangePlan;
  /** The exchange after whose request the client ends its direction; -1 for at once, beyond the last for never. */
  readonly #endsAfter: number;

  /** Does nothing until `start`. */
  constructor(options: ScheduleClientOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    const { plan } = options;
    this.#plan = plan;
    this.#endsAfter = plan.halfCloses && plan.clientCloses ? lastSent(plan.requestBytes) : plan.count;
    options.book.isKeptBy(this);
  }

  /** Schedules the first connection. */
  start(): void {
    if (this.#options.atNs.length > 0) this.#scheduleNext();
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#opened = v.number(this.#opened);
    this.#options.counts.visitState(v);
    const { book } = this.#options;
    if (book.isKeptBy(this)) book.visitState(v);
  }

  /** See {@linkcode App}. */
  onTimer(code: number, connection: number): void {
    if (code === TIMER.ARRIVAL) return this.#arrive();
    const phase = this.#phase(connection);
    if (code === TIMER.THINK_OVER && phase === THINKING) return this.#request(connection);
    if (code === TIMER.HOLD_OVER && phase === HOLDING) this.#close(connection);
    if (code === TIMER.HALF_CLOSE && phase !== CLOSING && phase !== ENDED) {
      shutdownWrite(this.#runtime.tcp, connection);
    }
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, connection: number, argument: number): void {
    switch (kind) {
      case CONNECTED:
        return this.#connected(connection);
      case READABLE:
        return this.#readable(connection);
      case WRITABLE:
        if (this.#phase(connection) === SENDING) this.#send(connection);
        return;
      case PEER_CLOSED:
        return this.#peerClosed(connection);
      case CLOSED:
        return this.#ended(connection, 0);
      case FAILED:
        return this.#ended(connection, argument);
    }
  }

  #scheduleNext(): void {
    const { app, atNs, sources } = this.#options;
    this.#runtime.schedule(sources.at(this.#opened), app, atNs[this.#opened], TIMER.ARRIVAL, 0, 0);
  }

  #arrive(): void {
    const { atNs } = this.#options;
    const now = atNs[this.#opened];
    do {
      this.#runtime.arrives?.(this.#opened);
      this.#open(this.#opened++);
      if (this.#opened === atNs.length) return;
    } while (atNs[this.#opened] <= now);
    this.#scheduleNext();
  }

  #open(i: number): void {
    const { app, server, sources, targets, fromPorts, book, counts } = this.#options;
    const runtime = this.#runtime;
    const node = sources.at(i);
    if (!runtime.owns(node)) return;
    targets.notOwn(i, ownAddress(runtime, node, "any"));
    const remote = chosenAddress(targets, runtime, node, true);
    const port = targets.port;
    const c = runtime.connectFrom(node, 0, fromPorts[i] ?? 0, remote, port, app);
    counts.attempted++;
    if (c < 0) return void counts.failed[-c]++;
    const { warm, tcbs } = runtime.tcp;
    const o = (c * STRIDE) & MASK;
    warm[o + APP_STATE] = OPENING;
    warm[o + APP_DATA] = (runtime.nowNs / 1000) | 0;
    warm[o + APP_DATA2] = 0;
    book.announce(tcbs.words[c * TCB.STRIDE + TCB.SND_UNA], port, server);
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

  #connected(c: number): void {
    const runtime = this.#runtime;
    const startedUs = runtime.tcp.warm[c * STRIDE + APP_DATA];
    runtime.stats.recordEstablished((((runtime.nowNs / 1000) | 0) - startedUs) >>> 0, runtime.isOverIpv6(c));
    this.#options.counts.recordEstablished();
    if (this.#endsAfter < 0) this.#endDirection(c);
    this.#begin(c);
  }

  /** Nothing more is to be sent. */
  #endDirection(c: number): void {
    const { holdNs } = this.#plan;
    if (holdNs === 0) return void shutdownWrite(this.#runtime.tcp, c);
    if (holdNs < Infinity) this.#after(c, holdNs, TIMER.HALF_CLOSE);
  }

  #after(c: number, ns: number, code: number): void {
    const runtime = this.#runtime;
    runtime.schedule(hostOf(runtime.tcp, c), this.#options.app, runtime.nowNs + ns, code, c, 0);
  }

  /** The exchange that is next begins, with its pause. */
  #begin(c: number): void {
    const k = this.#exchange(c);
    if (k === this.#plan.count) return this.#hold(c);
    const thinkNs = this.#plan.thinkNs[k];
    if (thinkNs === 0) return this.#request(c);
    this.#setPhase(c, THINKING);
    this.#after(c, thinkNs, TIMER.THINK_OVER);
  }

  #request(c: number): void {
    this.#runtime.tcp.warm[c * STRIDE + APP_DATA] = this.#plan.requestBytes[this.#exchange(c)];
    this.#setPhase(c, SENDING);
    this.#send(c);
  }

  #send(c: number): void {
    const { tcp } = this.#runtime;
    const at = c * STRIDE + APP_DATA;
    while (tcp.warm[at] > 0) {
      const accepted = send(tcp, c, tcp.warm[at]);
      if (accepted <= 0) return;
      tcp.warm[at] -= accepted;
    }
    this.#setPhase(c, READING);
    if (this.#exchange(c) === this.#endsAfter) this.#endDirection(c);
    this.#read(c);
  }

  #readable(c: number): void {
    const runtime = this.#runtime;
    const bytes = receive(runtime.tcp, c, ALL);
    if (bytes <= 0) return;
    runtime.stats.bytesReceived += bytes;
    // (More than any schedule's replies is nobody's: a service of another kind answers.)
    const at = c * STRIDE + APP_DATA2;
    runtime.tcp.warm[at] = Math.min(runtime.tcp.warm[at] + bytes, ALL);
    if (this.#phase(c) === READING) this.#read(c);
  }

  /** Ends the exchange if its reply has come. */
  #read(c: number): void {
    const runtime = this.#runtime;
    const { warm } = runtime.tcp;
    const o = (c * STRIDE) & MASK;
    const replyBytes = this.#plan.replyBytes[this.#exchange(c)];
    if (warm[o + APP_DATA2] < replyBytes) {
      if (warm[o + APP_STATE] & PEER_DONE) this.#close(c, false);
      return;
    }
    warm[o + APP_DATA2] -= replyBytes;
    if (replyBytes > 0) {
      runtime.stats.repliesCompleted++;
      this.#options.counts.repliesCompleted++;
    }
    warm[o + APP_STATE] += 1 << EXCHANGE_SHIFT;
    this.#begin(c);
  }

  #hold(c: number): void {
    const { holdNs, clientCloses, halfCloses } = this.#plan;
    this.#setPhase(c, HOLDING);
    if (this.#runtime.tcp.warm[c * STRIDE + APP_STATE] & PEER_DONE) return this.#closeSecond(c);
    if (!clientCloses || halfCloses || holdNs === Infinity) return;
    if (holdNs === 0) return this.#close(c);
    this.#after(c, holdNs, TIMER.HOLD_OVER);
  }

  /** The server has ended its direction, and all is done: what is left is to close. */
  #closeSecond(c: number): void {
    const { closeWaitNs, clientCloses } = this.#plan;
    if (closeWaitNs === 0 || clientCloses) return this.#close(c, false);
    if (closeWaitNs < Infinity) this.#after(c, closeWaitNs, TIMER.HOLD_OVER);
  }

  #peerClosed(c: number): void {
    const phase = this.#phase(c);
    if (phase === OPENING || phase === CLOSING || phase === ENDED) return;
    const { warm } = this.#runtime.tcp;
    const at = c * STRIDE + APP_STATE;
    if (warm[at] & PEER_DONE) return;
    warm[at] |= PEER_DONE;
    if (phase === HOLDING) this.#closeSecond(c);
    // What is to be sent is still sent, if the server means to read it.
    else if (phase === READING || !this.#plan.halfCloses) this.#close(c, false);
  }

  #close(c: number, resets: boolean = this.#plan.resets): void {
    this.#setPhase(c, CLOSING);
    this.#runtime.stats.closed();
    this.#options.counts.closed();
    if (resets) setLinger(this.#runtime.tcp, c, true, 0);
    this.#runtime.close(c);
  }

  #ended(c: number, errno: number): void {
    const phase = this.#phase(c);
    this.#setPhase(c, ENDED);
    const { tcp, stats } = this.#runtime;
    const { counts } = this.#options;
    if (phase === ENDED) return;
    if (phase === CLOSING) {
      if (errno !== 0 && !this.#plan.resets) this.#broken(errno);
      return;
    }
    if (phase === OPENING) {
      stats.failed[errno]++;
      counts.failed[errno]++;
      const words = tcp.tcbs.words;
      this.#options.book.take(words[c * TCB.STRIDE + TCB.SND_UNA], words[c * TCB.STRIDE + TCB.PORTS] & 0xffff);
    } else {
      stats.closed();
      counts.closed();
      // A schedule that ends with the server's reset ends as it should.
      const { resets, serverCloses } = this.#plan;
      const meant = resets && serverCloses && errno === ERRNO.ECONNRESET && phase === HOLDING;
      if (errno !== 0 && !meant) this.#broken(errno);
    }
    this.#runtime.close(c);
  }

  #broken(errno: number): void {
    this.#runtime.stats.broken[errno]++;
    this.#options.counts.broken[errno]++;
  }
}
