/**
 * The asking side of a UDP workload: sends requests and counts the answers, or that none came. State is a row of an
 * exchange while it is under way; there is no object for each.
 *
 * An exchange has a socket of its own, connected to its destination, or (torrent) every source has one socket for all its
 * exchanges, as programs have that talk to many peers from one port.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import type { UdpRuntime } from "../socket/datagram.ts";
import { RowPool } from "../store/rows.ts";
import { KeyTable } from "../transport/key_table.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { PACKET } from "../wire/packet.ts";
import type { AddressClient, AddressLookups } from "./address_lookups.ts";
import { ArrivalLoop } from "./arrival_loop.ts";
import type { ArrivalTimes } from "./arrivals.ts";
import type { DatagramStats } from "./datagram_stats.ts";
import { drawHoldNs, drawThinkNs, type HoldDistribution } from "./holding.ts";
import type { WorkloadCounts } from "./workload_counts.ts";
import type { TargetCounts } from "./target_counts.ts";
import {
  chooseTarget,
  chosenAddress,
  type FamilyChoice,
  ownAddress,
  type Sources,
  type Spread,
  type Targets,
} from "./targets.ts";
import type { App } from "./types.ts";

/** What the exchanges of a workload are. Sizes in bytes, times in ns. */
export interface UdpClientPlan extends FamilyChoice, Spread {
  /** Exchanges in all. */
  exchanges: number;
  /** Bytes of a request. */
  requestBytes: number;
  /** Requests of an exchange, one after the other. */
  requests: number;
  /** From an answer to the next request. */
  thinkNs: number;
  /** Distribution of the pauses. */
  thinkDistribution: HoldDistribution;
  /** How long an answer is waited for. */
  timeoutNs: number;
  /** How often a request without an answer is repeated. */
  retries: number;
  /** How long a socket stays open when its exchange is over; Infinity for ever. */
  holdNs: number;
  /** Distribution of these times: their mean is `holdNs`. */
  holdDistribution: HoldDistribution;
  holdShape: number;
  /** Has each source one socket for all its exchanges? It stays open. */
  shareSocket: boolean;
}

/** Word offsets of an exchange. */
export const EXCHANGE = {
  SOCKET: 0,
  /** Its number in the workload. */
  INDEX: 1,
  REMOTE: 2,
  PORT: 3,
  /** Requests still to be answered. */
  LEFT: 4,
  /** Repetitions of this one. */
  RETRIES: 5,
  TIMER: 6,
  SENT_US: 7,
  NODE: 8,
  /** Number of the name that it goes to, 0 for none. */
  NAME: 9,
  /** The next exchange of the same socket with the same peer. */
  NEXT: 10,
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

const { SOCKET, INDEX, REMOTE, PORT, LEFT, RETRIES, TIMER: TIMER_AT, SENT_US, NODE, NAME, NEXT, MASK, STRIDE } =
  EXCHANGE;
const { APP_STATE, HOST, STRIDE: SOCKET_STRIDE } = UDP_SOCKET;

/** Codes of its own events. */
const TIMER = { ARRIVAL: 0, THINK_OVER: 1, HOLD_OVER: 2, NO_ANSWER: 3 } as const;

/** The asking side of one workload. */
export class UdpClient implements App, AddressClient {
  /** See {@linkcode App}: every thread goes through all arrivals, and opens those of its hosts. */
  readonly everywhere = true;
  readonly #runtime: UdpRuntime;
  readonly #app: number;
  readonly #plan: UdpClientPlan;
  readonly #stats: DatagramStats;
  readonly #outcomes: WorkloadCounts;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #key: { k0: number; k1: number };
  readonly #addresses: AddressLookups | undefined;
  readonly #counts: TargetCounts;
  readonly #number: number;
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 64 });
  /** Shared sockets by node; exchanges of shared sockets by (socket, address, port): the first of a list. */
  readonly #sockets = new KeyTable();
  readonly #byPeer = new KeyTable();
  readonly #loop: ArrivalLoop;

  /** `app` is its index among the applications; `key` the workload's own; `addresses` look up names, if there are any. */
  constructor(
    options: {
      runtime: UdpRuntime;
      app: number;
      plan: UdpClientPlan;
      stats: DatagramStats;
      outcomes: WorkloadCounts;
      sources: Sources;
      targets: Targets;
      arrivals: ArrivalTimes;
      key: { k0: number; k1: number };
      addresses: AddressLookups | undefined;
      counts: TargetCounts;
    },
  ) {
    this.#runtime = options.runtime;
    this.#app = options.app;
    this.#plan = options.plan;
    this.#stats = options.stats;
    this.#outcomes = options.outcomes;
    this.#sources = options.sources;
    this.#targets = options.targets;
    this.#key = options.key;
    this.#addresses = options.addresses;
    this.#counts = options.counts;
    this.#number = options.addresses?.addClient(this) ?? 0;
    this.#loop = new ArrivalLoop({
      runtime: options.runtime,
      app: options.app,
      code: TIMER.ARRIVAL,
      count: options.plan.exchanges,
      sources: options.sources,
      times: options.arrivals,
      begin: (i) => this.#open(i),
    });
  }

  /** Schedules the first arrival. */
  start(): void {
    this.#loop.start();
  }

  /** See {@linkcode App}. It has no connections. */
  onTcp(): void {}

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, argument: number): void {
    switch (code) {
      case TIMER.ARRIVAL:
        return void this.#loop.arrive();
      case TIMER.THINK_OVER:
      case TIMER.HOLD_OVER: {
        const socket = this.#rows.words[argument * STRIDE + SOCKET];
        // (The host has restarted meanwhile: see `#aborted`.)
        if (socket === 0) return this.#rows.release(argument);
        if (code === TIMER.THINK_OVER) return this.#request(argument);
        this.#runtime.closeDatagram(socket);
        return this.#rows.release(argument);
      }
      case TIMER.NO_ANSWER:
        return this.#unanswered(argument);
    }
  }

  /** See {@linkcode App}: an answer, or an ICMP error about a connected socket. */
  onDatagram(socket: number, packet: number): void {
    const { udp, packets } = this.#runtime;
    if (packet === 0) {
      const row = udp.rows.words[socket * SOCKET_STRIDE + APP_STATE];
      const error = udp.takeError(socket);
      if (error === -ERRNO.ECONNABORTED) return this.#aborted(socket);
      // (Between two requests nobody waits for anything.)
      if (row !== 0 && error !== 0 && this.#rows.words[row * STRIDE + TIMER_AT] !== 0) this.#end(row, -error);
      return;
    }
    this.#stats.received++;
    if (!this.#plan.shareSocket) return this.#answered(udp.rows.words[socket * SOCKET_STRIDE + APP_STATE]);
    const packetWords = packets.rows.words;
    const at = packet * PACKET.STRIDE;
    // Of several exchanges with this peer, the oldest that waits.
    const words = this.#rows.words;
    let found = 0;
    let row = this.#byPeer.get(socket, packetWords[at + PACKET.SRC], packetWords[at + PACKET.PORTS] >>> 16);
    for (; row !== 0; row = words[row * STRIDE + NEXT]) if (words[row * STRIDE + TIMER_AT] !== 0) found = row;
    this.#answered(found);
  }

  /** See {@linkcode App}. */
  get bytes(): number {
    return this.#rows.peakBytes + this.#sockets.bytes + this.#byPeer.bytes;
  }

  /** See {@linkcode App}. */
  reserve(rows: number): void {
    this.#rows.reserve(Math.min(rows, this.#plan.exchanges));
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#loop.visitState(v);
    this.#rows.visitState(v);
    this.#sockets.visitState(v);
    this.#byPeer.visitState(v);
    this.#outcomes.visitState(v);
  }

  /** See {@linkcode AddressClient}. */
  onAddresses(row: number, errno: number, list: number): void {
    if (errno !== 0) return this.#end(row, errno);
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const { answers } = this.#addresses!.lookups;
    for (const address of answers.list(list)) this.#counts.of(words[o + NAME], address, words[o + PORT]);
    words[o + REMOTE] = answers.at(list, 0);
    this.#begin(row);
  }

  /** See {@linkcode App}. */
  pause(): void {
    this.#loop.pause();
  }

  /** See {@linkcode App}. */
  resume(): void {
    this.#loop.resume();
  }

  #open(i: number): void {
    const node = this.#sources.at(i);
    if (!this.#runtime.owns(node)) return;
    this.#stats.exchanges++;
    this.#outcomes.attempted++;
    const targets = this.#targets;
    this.#runtime.onExchange?.(node, -1);
    this.#chooseTarget(i, node);
    const row = this.#rows.allocate();
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    words[o + INDEX] = i;
    words[o + NODE] = node;
    words[o + PORT] = targets.port;
    words[o + LEFT] = this.#plan.requests;
    words[o + NAME] = targets.name;
    words[o + REMOTE] = chosenAddress(targets, this.#runtime, node, this.#plan.prefersIpv6);
    if (targets.name === 0) this.#begin(row);
    else this.#addresses!.lookup(node, targets.name, this.#number, row, { family: this.#plan.family });
  }

  #chooseTarget(i: number, node: number): void {
    const own = ownAddress(this.#runtime, node, this.#plan.family);
    chooseTarget(this.#targets, i, this.#sources.count, own, this.#plan, this.#key);
  }

  /** The destination is known: opens a socket for it, and asks. */
  #begin(row: number): void {
    const runtime = this.#runtime;
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const [node, remote, port] = [words[o + NODE], words[o + REMOTE], words[o + PORT]];
    const local = runtime.sourceFor(node, remote);
    if (local === 0) return this.#end(row, ERRNO.ENETUNREACH);
    const socket = this.#plan.shareSocket ? this.#sharedSocket(node) : runtime.openDatagram(node, this.#app);
    if (socket < 0) return this.#end(row, -socket);
    words[o + SOCKET] = socket;
    if (this.#plan.shareSocket) {
      words[o + NEXT] = this.#byPeer.get(socket, remote, port);
      this.#byPeer.set(socket, remote, port, row);
    } else {
      const bound = runtime.connectDatagram(socket, local, remote, port);
      if (bound < 0) return this.#end(row, -bound);
      runtime.udp.rows.words[socket * SOCKET_STRIDE + APP_STATE] = row;
    }
    this.#request(row);
  }

  /** The one socket of a source, bound to a port of its own: its row, or a negative `ERRNO`. */
  #sharedSocket(node: number): number {
    const known = this.#sockets.get(node, 0, 0);
    if (known !== 0) return known;
    const runtime = this.#runtime;
    const socket = runtime.openDatagram(node, this.#app);
    if (socket < 0) return socket;
    const port = runtime.bindDatagram(socket, 0, 0);
    if (port < 0) {
      runtime.closeDatagram(socket);
      return port;
    }
    this.#sockets.set(node, 0, 0, socket);
    return socket;
  }

  #request(row: number): void {
    const runtime = this.#runtime;
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const { requestBytes, timeoutNs } = this.#plan;
    const [socket, remote, node] = [words[o + SOCKET], words[o + REMOTE], words[o + NODE]];
    const sent = this.#plan.shareSocket
      ? runtime.udp.sendTo(socket, runtime.sourceFor(node, remote), remote, words[o + PORT], requestBytes)
      : runtime.udp.send(socket, requestBytes);
    if (sent < 0) return this.#end(row, -sent);
    this.#stats.sent++;
    words[o + SENT_US] = (runtime.nowNs / 1000) | 0;
    words[o + TIMER_AT] = runtime.startTimer(node, this.#app, runtime.nowNs + timeoutNs, TIMER.NO_ANSWER, row);
  }

  /** An answer has come for an exchange (0: for none that is under way, or too late). */
  #answered(row: number): void {
    if (row === 0) return;
    const runtime = this.#runtime;
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    // While no answer is waited for it is a late one, or a second.
    if (words[o + TIMER_AT] === 0) return;
    runtime.stopTimer(words[o + TIMER_AT]);
    words[o + TIMER_AT] = 0;
    if (words[o + RETRIES] === 0) this.#stats.replyUs.push((((runtime.nowNs / 1000) | 0) - words[o + SENT_US]) >>> 0);
    words[o + RETRIES] = 0;
    if (--words[o + LEFT] === 0) return this.#end(row, 0);
    if (this.#plan.thinkNs === 0) return this.#request(row);
    const thinkNs = drawThinkNs(this.#plan, this.#key.k0, this.#key.k1, words[o + INDEX], words[o + LEFT]);
    runtime.schedule(words[o + NODE], this.#app, runtime.nowNs + thinkNs, TIMER.THINK_OVER, 0, row);
  }

  #unanswered(row: number): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    words[o + TIMER_AT] = 0;
    this.#stats.timedOut++;
    if (words[o + RETRIES] === this.#plan.retries) return this.#end(row, ERRNO.ETIMEDOUT);
    words[o + RETRIES]++;
    this.#request(row);
  }

  /** The host has restarted: its socket is gone, and the exchanges over it have failed. */
  #aborted(socket: number): void {
    const words = this.#rows.words;
    const found: number[] = [];
    for (let row = 1; row < this.#rows.end; row++) {
      const o = (row * STRIDE) & MASK;
      // (A free row's first word is a link of the free list, its others are 0.)
      if (words[o + NODE] !== 0 && words[o + SOCKET] === socket) found.push(row);
    }
    found.sort((a, b) => words[a * STRIDE + INDEX] - words[b * STRIDE + INDEX]);
    const node = this.#runtime.udp.rows.words[socket * SOCKET_STRIDE + HOST];
    if (this.#plan.shareSocket) this.#sockets.set(node, 0, 0, 0);
    for (const row of found) {
      const o = (row * STRIDE) & MASK;
      // Between two requests, or held: an event is under way that releases the row.
      const waits = words[o + TIMER_AT] === 0;
      if (words[o + LEFT] > 0) this.#count(row, ERRNO.ECONNABORTED);
      if (this.#plan.shareSocket) this.#forget(row);
      if (waits) words[o + SOCKET] = 0;
      else {
        this.#runtime.stopTimer(words[o + TIMER_AT]);
        this.#rows.release(row);
      }
    }
    this.#runtime.closeDatagram(socket);
  }

  /** The exchange is over, with an error or (0) without. */
  #end(row: number, errno: number): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const socket = words[o + SOCKET];
    if (words[o + TIMER_AT] !== 0) this.#runtime.stopTimer(words[o + TIMER_AT]);
    words[o + TIMER_AT] = 0;
    this.#count(row, errno);
    if (this.#plan.shareSocket) this.#forget(row);
    else if (socket !== 0 && this.#holds(row, socket, errno)) return;
    this.#rows.release(row);
  }

  /** Counts how an exchange has ended. */
  #count(row: number, errno: number): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    this.#runtime.onExchange?.(words[o + NODE], errno);
    if (errno === 0) {
      this.#stats.answered++;
      this.#outcomes.established++;
    } else {
      this.#stats.failed[errno]++;
      this.#outcomes.failed[errno]++;
    }
    if (words[o + NAME] !== 0 && words[o + REMOTE] !== 0) {
      const count = this.#counts.of(words[o + NAME], words[o + REMOTE], words[o + PORT]);
      if (errno === 0) count.established++;
      else count.failed++;
    }
  }

  /** Takes an exchange out of its peer's list. */
  #forget(row: number): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    if (words[o + SOCKET] === 0) return;
    const [socket, remote, port] = [words[o + SOCKET], words[o + REMOTE], words[o + PORT]];
    let at = this.#byPeer.get(socket, remote, port);
    if (at === row) return this.#byPeer.set(socket, remote, port, words[o + NEXT]);
    while (words[at * STRIDE + NEXT] !== row) at = words[at * STRIDE + NEXT];
    words[at * STRIDE + NEXT] = words[o + NEXT];
  }

  /** Keeps the socket of an exchange that went well for the holding time. True if the row is wanted at its end. */
  #holds(row: number, socket: number, errno: number): boolean {
    const runtime = this.#runtime;
    const { holdNs } = this.#plan;
    const sockets = runtime.udp.rows.words;
    sockets[socket * SOCKET_STRIDE + APP_STATE] = 0;
    if (errno !== 0 || holdNs === 0) {
      runtime.closeDatagram(socket);
      return false;
    }
    if (holdNs === Infinity) return false;
    const index = this.#rows.words[row * STRIDE + INDEX];
    const ns = drawHoldNs(this.#plan, this.#key.k0, this.#key.k1, index);
    const node = sockets[socket * SOCKET_STRIDE + HOST];
    runtime.schedule(node, this.#app, runtime.nowNs + ns, TIMER.HOLD_OVER, 0, row);
    return true;
  }
}
