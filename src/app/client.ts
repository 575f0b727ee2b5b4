/**
 * The opening side of a workload: opens connections as its arrivals say, does their work, holds and closes them.
 * A connection's own state is four words of its warm row; there is no object per connection.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { NS_PER_US } from "../base/units.ts";
import { WARM } from "../tcp/state/tcb.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { connectionsOf, hostOf, remoteOf } from "../socket/rows.ts";
import type { AddressLookups } from "./address_lookups.ts";
import { ArrivalLoop } from "./arrival_loop.ts";
import type { ArrivalTimes } from "./arrivals.ts";
import { MOST_CANDIDATES, type RaceHolder, type RaceRules, Races } from "./happy_eyeballs.ts";
import { drawHoldNs, drawThinkNs, type HoldDistribution } from "./holding.ts";
import { NamedOpens } from "./named_opens.ts";
import type { TargetCounts } from "./target_counts.ts";
import type { WorkloadCounts } from "./workload_counts.ts";
import * as TARGETS from "./targets.ts";
import type { FamilyChoice, Sources, Spread, Targets } from "./targets.ts";
import type { App, AppRuntime } from "./types.ts";
import * as TCP from "../tcp/mod.ts";
import { setKeepAlive } from "../tcp/mod.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { chooseTarget, chosenAddress, ownAddress } = TARGETS;
const { receive, send } = TCP;

/** What a workload's connections do. Sizes in bytes, times in ns. */
export interface ClientPlan extends FamilyChoice, Spread {
  /** See `WorkloadOptions.kind`; `torrent` exchanges like `request-response`. */
  kind: "hold" | "request-response" | "upload" | "download";
  /** Connections in all. */
  connections: number;
  /** Bytes of a request. */
  requestBytes: number;
  /** Bytes of a reply. */
  replyBytes: number;
  /** Requests on each connection. */
  requests: number;
  /** Pause before the next request, ns: the mean. */
  thinkNs: number;
  /** Distribution of the pauses. */
  thinkDistribution: HoldDistribution;
  /** Bytes of an upload or a download. */
  bytes: number;
  /** How long a connection stays open when its work is done, ns; Infinity for ever. */
  holdNs: number;
  /** Distribution of the holding times: their mean is `holdNs`. */
  holdDistribution: HoldDistribution;
  holdShape: number;
  /** Does this side close when the hold is over (else it waits for the other)? */
  closes: boolean;
  /** Keep-alive after so much idle time, ms; 0 for none. */
  keepAliveMs: number;
  /** Happy Eyeballs: a further address is tried after so long, ns; 0: there is one attempt only. */
  attemptDelayNs: number;
  /** Happy Eyeballs: how long addresses of the other family wait for those of the preferred one, ns. */
  resolutionDelayNs: number;
  /** Happy Eyeballs: addresses of the preferred family that come first. */
  firstAddressFamilyCount: number;
}

const { APP_STATE, APP_DATA, APP_DATA2, MASK, STRIDE } = WARM;
const { CONNECTED, READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED } = TCP_EVENT;

/**
 * Phases of a connection: the low four bits of APP_STATE. Above them stand the requests still to make, or (bulk) the
 * whole blocks of 2^30 bytes still to move; APP_DATA holds when it was opened (µs), then the bytes of the reply
 * still to come (or minus those of the request still to send), or what is left to move beside the whole blocks.
 */
const PHASE = { OPENING: 0, WORKING: 1, HOLDING: 2, CLOSING: 3, ENDED: 4 } as const;
const { OPENING, WORKING, HOLDING, CLOSING, ENDED } = PHASE;
const PHASE_MASK = 15;
const REQUESTS_SHIFT = 4;
const BLOCK = 2 ** 30;
/** More than any receive buffer holds. */
const ALL = 0x7fffffff;

/** Codes of its own events. */
const TIMER = { ARRIVAL: 0, THINK_OVER: 1, HOLD_OVER: 2, NEXT_ATTEMPT: 3 } as const;

/** The clients of one workload. */
export class WorkloadClient implements App {
  /** See {@linkcode App}: every thread goes through all arrivals, and opens those of its hosts. */
  readonly everywhere = true;
  readonly #counts: WorkloadCounts;
  readonly #runtime: AppRuntime;
  readonly #app: number;
  readonly #plan: ClientPlan;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #key: { k0: number; k1: number };
  /** Attempts at several addresses of one destination, if there may be more than one. */
  readonly #races: Races | undefined;
  /** Connections to names, if there may be any. */
  readonly #named: NamedOpens | undefined;
  readonly #rules: RaceRules;
  readonly #loop: ArrivalLoop;

  /** `app` is its index among the apps; `key` the workload's own random key for targets and holding times. */
  constructor(
    options: {
      runtime: AppRuntime;
      counts: WorkloadCounts;
      app: number;
      plan: ClientPlan;
      sources: Sources;
      targets: Targets;
      arrivals: ArrivalTimes;
      key: { k0: number; k1: number };
      names?: { addresses: AddressLookups; counts: TargetCounts };
    },
  ) {
    this.#runtime = options.runtime;
    this.#counts = options.counts;
    this.#app = options.app;
    this.#plan = options.plan;
    this.#sources = options.sources;
    this.#targets = options.targets;
    this.#key = options.key;
    this.#rules = rulesOf(options.plan);
    this.#loop = new ArrivalLoop({
      runtime: options.runtime,
      app: options.app,
      code: TIMER.ARRIVAL,
      count: options.plan.connections,
      sources: options.sources,
      times: options.arrivals,
      begin: (i) => this.#open(i),
    });
    const { runtime, app, names, plan: { attemptDelayNs, resolutionDelayNs, prefersIpv6, family } } = options;
    if (attemptDelayNs === 0 && names === undefined) return;
    const holder = this.#raceHolder();
    const races = this.#races = new Races({ runtime, app, timerCode: TIMER.NEXT_ATTEMPT, holder });
    if (names === undefined) return;
    const preferred = attemptDelayNs === 0 ? undefined : prefersIpv6 ? "ipv6" as const : "ipv4" as const;
    const manner = { family, preferred, resolutionDelayNs };
    this.#named = new NamedOpens({ runtime, ...names, races, rules: this.#rules, manner, lost: holder.lost });
  }

  /** Schedules the first arrival. */
  start(): void {
    this.#loop.start();
  }

  /** See {@linkcode App}. */
  onTimer(code: number, connection: number, argument: number): void {
    if (code === TIMER.ARRIVAL) return void this.#loop.arrive();
    if (code === TIMER.NEXT_ATTEMPT) return this.#races!.continue(argument);
    const phase = this.#phase(connection);
    if (code === TIMER.THINK_OVER) {
      if (phase === WORKING) this.#request(connection);
    } else if (phase === HOLDING) this.#close(connection);
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, connection: number, argument: number): void {
    switch (kind) {
      case CONNECTED:
        return this.#connected(connection);
      case READABLE:
        return this.#readable(connection);
      case WRITABLE:
        return this.#writable(connection);
      case PEER_CLOSED:
        return this.#peerClosed(connection);
      case CLOSED:
        return this.#ended(connection, 0);
      case FAILED:
        return this.#ended(connection, argument);
    }
  }

  /** See {@linkcode App}. */
  visitState(v: StateVisitor): void {
    this.#counts.visitState(v);
    this.#loop.visitState(v);
    this.#named?.visitState(v);
    this.#races?.visitState(v);
  }

  /** See {@linkcode App}. */
  pause(): void {
    this.#loop.pause();
  }

  /** See {@linkcode App}. */
  resume(): void {
    this.#loop.resume();
  }

  /** See {@linkcode App}: those that have been established and not closed, in the order of (host, connection). */
  closeAll(): void {
    for (const c of connectionsOf(this.#runtime.tcp, this.#app)) {
      const phase = this.#phase(c);
      if (phase === WORKING || phase === HOLDING) this.#close(c);
    }
  }

  #open(i: number): void {
    const runtime = this.#runtime;
    const node = this.#sources.at(i);
    if (!runtime.owns(node)) return;
    const targets = this.#targets;
    this.#counts.attempted++;
    this.#chooseTarget(i, node);
    if (this.#races !== undefined) return this.#race(this.#races, i, node);
    const remote = chosenAddress(targets, runtime, node, this.#plan.prefersIpv6);
    const c = runtime.connect(node, 0, remote, targets.port, this.#app);
    if (c < 0) return void this.#counts.failed[-c]++;
    this.#prepare(c, i);
    runtime.tcp.warm[c * STRIDE + APP_DATA] = (runtime.nowNs / NS_PER_US) | 0;
  }

  /** What a connection that is being opened begins with, but for `APP_DATA`. */
  #prepare(c: number, i: number): void {
    const tcp = this.#runtime.tcp;
    const o = (c * STRIDE) & MASK;
    tcp.warm[o + APP_STATE] = OPENING | (this.#plan.requests << REQUESTS_SHIFT);
    tcp.warm[o + APP_DATA2] = i;
    const idleMs = this.#plan.keepAliveMs;
    if (idleMs > 0) setKeepAlive(tcp, c, true, { idleMs, intervalMs: idleMs });
  }

  /** Opens connection `i` to the destination chosen, at whichever of its addresses answers first. */
  #race(races: Races, i: number, node: number): void {
    const runtime = this.#runtime;
    const { address, address6, port, name } = this.#targets;
    if (name !== 0) {
      runtime.stats.attempted++;
      return this.#named!.open(node, i, name, port);
    }
    const [first, second] = this.#plan.prefersIpv6 ? [address6, address] : [address, address6];
    // RFC 6724 rule 1: what there is no source address for is not tried, unless there is nothing else.
    const usable = [first, second].filter((remote) => remote !== 0 && runtime.sourceFor(node, remote) !== 0);
    runtime.stats.attempted++;
    if (this.#plan.attemptDelayNs === 0) usable.length = Math.min(usable.length, 1);
    races.begin({ node, number: i, port, rules: this.#rules }, usable.length > 0 ? usable : [address]);
  }

  /** Counts where a connection to a name went, or tried to go. */
  #countTarget(named: NamedOpens, c: number, established: boolean): void {
    const runtime = this.#runtime;
    const targets = this.#targets;
    this.#chooseTarget(runtime.tcp.warm[c * STRIDE + APP_DATA2], this.#nodeOf(c));
    if (targets.name === 0) return;
    const count = named.counts.of(targets.name, remoteOf(runtime.tcp, c), targets.port);
    if (established) count.established++;
    else count.failed++;
  }

  #raceHolder(): RaceHolder {
    return {
      attempted: (c, i) => this.#prepare(c, i),
      givenUp: (c) => {
        this.#setPhase(c, ENDED);
        this.#runtime.close(c);
      },
      lost: (errno) => {
        this.#runtime.stats.failed[errno]++;
        this.#counts.failed[errno]++;
      },
    };
  }

  #chooseTarget(i: number, node: number): void {
    const own = ownAddress(this.#runtime, node, this.#plan.family);
    chooseTarget(this.#targets, i, this.#sources.count, own, this.#plan, this.#key);
  }

  #phase(c: number): number {
    return this.#runtime.tcp.warm[c * STRIDE + APP_STATE] & PHASE_MASK;
  }

  #setPhase(c: number, phase: number): void {
    const warm = this.#runtime.tcp.warm;
    const at = c * STRIDE + APP_STATE;
    warm[at] = (warm[at] & ~PHASE_MASK) | phase;
  }

  #connected(c: number): void {
    const runtime = this.#runtime;
    const warm = runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    if (this.#named !== undefined) this.#countTarget(this.#named, c, true);
    const startedUs = this.#races === undefined ? warm[o + APP_DATA] : this.#races.won(c);
    runtime.stats.recordEstablished((((runtime.nowNs / NS_PER_US) | 0) - startedUs) >>> 0, runtime.isOverIpv6(c));
    this.#counts.recordEstablished();
    warm[o + APP_DATA] = 0;
    this.#setPhase(c, WORKING);
    switch (this.#plan.kind) {
      case "hold":
        return this.#hold(c);
      case "request-response":
        return this.#request(c);
      case "upload":
        this.#setLeft(c, this.#plan.bytes);
        return this.#upload(c);
      case "download":
        this.#setLeft(c, this.#plan.bytes);
        if (this.#plan.bytes === 0) this.#hold(c);
    }
  }

  #left(c: number): number {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    return (warm[o + APP_STATE] >>> REQUESTS_SHIFT) * BLOCK + warm[o + APP_DATA];
  }

  #setLeft(c: number, bytes: number): void {
    const warm = this.#runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    warm[o + APP_STATE] = (warm[o + APP_STATE] & PHASE_MASK) | (Math.floor(bytes / BLOCK) << REQUESTS_SHIFT);
    warm[o + APP_DATA] = bytes % BLOCK;
  }

  #upload(c: number): void {
    let left = this.#left(c);
    while (left > 0) {
      const accepted = send(this.#runtime.tcp, c, Math.min(left, ALL));
      if (accepted <= 0) break;
      left -= accepted;
    }
    this.#setLeft(c, left);
    if (left === 0) this.#hold(c);
  }

  #request(c: number): void {
    this.#runtime.tcp.warm[c * STRIDE + APP_DATA] = -this.#plan.requestBytes;
    this.#sendRequest(c);
  }

  #sendRequest(c: number): void {
    const tcp = this.#runtime.tcp;
    const at = c * STRIDE + APP_DATA;
    const unsent = -tcp.warm[at];
    const accepted = unsent > 0 ? send(tcp, c, unsent) : 0;
    if (accepted < 0) return;
    tcp.warm[at] = accepted < unsent ? accepted - unsent : this.#plan.replyBytes;
    if (accepted === unsent && this.#plan.replyBytes === 0) this.#replied(c);
  }

  #readable(c: number): void {
    const runtime = this.#runtime;
    let bytes = receive(runtime.tcp, c, ALL);
    if (bytes <= 0) return;
    runtime.stats.bytesReceived += bytes;
    const warm = runtime.tcp.warm;
    const o = (c * STRIDE) & MASK;
    if ((warm[o + APP_STATE] & PHASE_MASK) !== WORKING) return;
    if (this.#plan.kind === "download") {
      const left = Math.max(0, this.#left(c) - bytes);
      this.#setLeft(c, left);
      if (left === 0) this.#hold(c);
      return;
    }
    if (this.#plan.kind !== "request-response" || warm[o + APP_DATA] <= 0) return;
    // A reply may come in pieces; only one request is outstanding at a time.
    if (bytes > warm[o + APP_DATA]) bytes = warm[o + APP_DATA];
    warm[o + APP_DATA] -= bytes;
    if (warm[o + APP_DATA] === 0) this.#replied(c);
  }

  #replied(c: number): void {
    const runtime = this.#runtime;
    const warm = runtime.tcp.warm;
    const at = c * STRIDE + APP_STATE;
    runtime.stats.repliesCompleted++;
    this.#counts.repliesCompleted++;
    warm[at] -= 1 << REQUESTS_SHIFT;
    const left = warm[at] >>> REQUESTS_SHIFT;
    if (left === 0) return this.#hold(c);
    if (this.#plan.thinkNs === 0) return this.#request(c);
    const thinkNs = drawThinkNs(this.#plan, this.#key.k0, this.#key.k1, warm[c * STRIDE + APP_DATA2], left);
    runtime.schedule(this.#nodeOf(c), this.#app, runtime.nowNs + thinkNs, TIMER.THINK_OVER, c, 0);
  }

  #writable(c: number): void {
    if (this.#phase(c) !== WORKING) return;
    if (this.#plan.kind === "upload") return this.#upload(c);
    if (this.#runtime.tcp.warm[c * STRIDE + APP_DATA] < 0) this.#sendRequest(c);
  }

  #hold(c: number): void {
    const plan = this.#plan;
    this.#setPhase(c, HOLDING);
    if (!plan.closes || plan.holdNs === Infinity) return;
    const i = this.#runtime.tcp.warm[c * STRIDE + APP_DATA2];
    const holdNs = drawHoldNs(plan, this.#key.k0, this.#key.k1, i);
    if (holdNs === 0) return this.#close(c);
    this.#runtime.schedule(this.#nodeOf(c), this.#app, this.#runtime.nowNs + holdNs, TIMER.HOLD_OVER, c, 0);
  }

  #peerClosed(c: number): void {
    const phase = this.#phase(c);
    // While data is still to be uploaded, the other side's FIN is only a half-close.
    if (phase === WORKING && this.#plan.kind === "upload") return;
    if (phase === WORKING || phase === HOLDING) this.#close(c);
  }

  #close(c: number): void {
    this.#setPhase(c, CLOSING);
    // (What an upload has written may be on its way for long: it is open until TCP is through with it.)
    if (this.#plan.kind !== "upload") this.#countClosed();
    this.#runtime.close(c);
  }

  #countClosed(): void {
    this.#runtime.stats.closed();
    this.#counts.closed();
  }

  #ended(c: number, errno: number): void {
    const phase = this.#phase(c);
    if (phase === CLOSING || phase === ENDED) {
      if (phase === CLOSING && errno !== 0) this.#brokeWith(errno);
      if (phase === CLOSING && this.#plan.kind === "upload") this.#countClosed();
      return this.#setPhase(c, ENDED);
    }
    this.#setPhase(c, ENDED);
    const stats = this.#runtime.stats;
    if (phase === OPENING && this.#races !== undefined) {
      if (this.#named !== undefined) this.#countTarget(this.#named, c, false);
      return this.#races.failed(c, errno);
    }
    if (phase === OPENING) {
      stats.failed[errno]++;
      this.#counts.failed[errno]++;
    } else {
      this.#countClosed();
      if (errno !== 0) this.#brokeWith(errno);
    }
    this.#runtime.close(c);
  }

  #brokeWith(errno: number): void {
    this.#runtime.stats.broken[errno]++;
    this.#counts.broken[errno]++;
  }

  #nodeOf(c: number): number {
    return hostOf(this.#runtime.tcp, c);
  }
}

/** Happy Eyeballs' rules, or (without it) those of users of getaddrinfo: one address after the other. */
function rulesOf({ attemptDelayNs, firstAddressFamilyCount, prefersIpv6 }: ClientPlan): RaceRules {
  return attemptDelayNs === 0
    ? { prefersIpv6, firstCount: MOST_CANDIDATES, delayNs: Infinity }
    : { prefersIpv6, firstCount: firstAddressFamilyCount, delayNs: attemptDelayNs };
}
