/**
 * What a network can hold, worked out without running it: for every limit on the ways of its workloads, at how many
 * connections (or connections a second) it binds, and which binds first.
 *
 * Connections are gone through in the order in which they begin. Each meets limits on its way (`capacity_ways.ts`), and
 * takes a place in each for as long as it keeps it. No packet is sent, and nothing waits for anything.
 *
 * @module
 */
import type { LimitName } from "../base/limit_names.ts";
import { chooseBackend, isHashed } from "../node/balancing.ts";
import { type Ceiling, ceilingOf } from "./capacity_ceiling.ts";
import type { Gauge, Taker } from "./capacity_gauge.ts";
import { portNs, profileOf } from "./capacity_hosts.ts";
import { CapacityStream } from "./capacity_streams.ts";
import { Ways } from "./capacity_ways.ts";
import { LONGEST_RUN_NS } from "./options.ts";
import type { Partition } from "./partition.ts";
import type { Plan } from "./plan.ts";
import type { PlannedWorkload } from "./workloads.ts";

/** Options of {@linkcode Network.capacity}. */
export interface CapacityOptions {
  /** Connections that begin later are left out, ns. Default: none is. */
  untilNs?: number;
}

/** One limit, and how it stands to what the workloads ask for. */
export interface CapacityLimit {
  /** Its name, as a run's report has it. */
  limit: LimitName;
  /** Name of the node or population. */
  node: string;
  /** Names of the workloads that lead here. */
  workloads: string[];
  /**
   * Connections that fit at the same time, spread as the workloads spread them: one more is refused. Null where there is
   * no such number: it can never bind, or only a rate binds.
   */
  ceiling: number | null;
  /** Connections a second that fit for ever, as long as each keeps its place; null where they keep it for good. */
  ceilingPerSecond: number | null;
  /** Is the ceiling exact? */
  exact: boolean;
  /** Why not. */
  estimate: string | null;
  /** How it comes about, in words with numbers. */
  formula: string;
  /** What one place (a host, a pair of host and destination, a subscriber, …) holds, of `unit`. */
  capacity: number;
  /** What that is counted in. */
  unit: string;
  /** Places. */
  places: number;
  /** Connections that the workloads declare and that lead here. */
  declared: number;
  /** Most of them in one place at the same time, if none were refused anywhere. */
  peak: number;
  /** Does what is declared fit, given what other limits refuse before? */
  holds: boolean;
  /** Connections that it refuses, given the same. */
  refused: number;
  /**
   * The first that is refused, if no other limit refuses any: the how manieth of those that lead here, and when it
   * begins. Null if all fit.
   */
  firstRefused: { connection: number; seconds: number } | null;
}

/** What a network can hold. */
export interface CapacityReport {
  /** Name of the network. */
  scenario: string;
  /** Its seed. */
  seed: number;
  /** Connections that the workloads declare, as far as they begin in time. */
  connections: number;
  /** Does all that is declared fit? */
  holds: boolean;
  /** The limit that binds first; null if none does. */
  binds: CapacityLimit | null;
  /** All limits: those that bind in the order in which they do, then those that come closest. */
  limits: CapacityLimit[];
  /** What was not taken into account, in sentences. */
  notes: string[];
}

/** More connections are not gone through one by one. */
const MOST_CONNECTIONS = 8_000_000;
/** Nor are longer periods. */
const LONGEST_PERIOD = 2_000_000;

/** Works out the capacity of a network that is built and not run. */
export function analyseCapacity(
  s: Partition,
  plan: Plan,
  workloads: readonly PlannedWorkload[],
  options: CapacityOptions & { name: string; seed: number; notes: string[] },
): CapacityReport {
  const analysis = new Analysis(s, plan, workloads, options.seed);
  const connections = analysis.goThrough(options.untilNs ?? LONGEST_RUN_NS);
  analysis.goThroughPeriods();
  const limits = analysis.ways.gauges.filter((gauge) => gauge.total > 0 || gauge.sequenceLength > 0)
    .map((gauge) => limitOf(gauge, analysis));
  limits.sort((a, b) => a.order - b.order || b.fill - a.fill || (a.limit.node < b.limit.node ? -1 : 1));
  const found = limits.map(({ limit }) => limit);
  const binds = found.find(({ holds }) => !holds) ?? null;
  const { name, seed, notes } = options;
  return { scenario: name, seed, connections, holds: binds === null, binds, limits: found, notes };
}

/** Goes through connections, and counts. */
class Analysis {
  declare readonly ways: Ways;
  declare readonly streams: CapacityStream[];
  /** Something was left out: ceilings that are worked out of what was seen are estimates. */
  readonly cut = new Set<CapacityStream>();
  readonly #s: Partition;
  readonly #byPair: Int32Array[] = [];
  readonly #byEnds: Map<number, number>[] = [];
  readonly #gone = new Set<number>();
  readonly #way: number[] = [];

  constructor(s: Partition, plan: Plan, workloads: readonly PlannedWorkload[], seed: number) {
    this.#s = s;
    this.ways = new Ways(s, plan);
    this.streams = workloads
      .filter(({ options }) => options.kind !== "dns")
      .toSorted((x, y) => x.options.name < y.options.name ? -1 : 1)
      .map((workload, i) => new CapacityStream(s, workload, i, seed));
    for (const stream of this.streams) {
      this.#byPair.push(new Int32Array(0));
      this.#byEnds.push(new Map());
      if (stream.period <= MOST_CONNECTIONS) this.#byPair[stream.number] = new Int32Array(stream.period);
    }
  }

  /** All connections that begin before `untilNs`, in order. Returns how many. */
  goThrough(untilNs: number): number {
    let count = 0;
    for (const stream of this.streams) stream.next();
    for (;;) {
      let first: CapacityStream | undefined;
      for (const stream of this.streams) {
        if (stream.current.timeNs < (first?.current.timeNs ?? Infinity)) first = stream;
      }
      if (first === undefined || first.current.timeNs > untilNs) return count;
      count++;
      if (this.#findWay(first)) this.#count(first);
      if (count === MOST_CONNECTIONS) {
        for (const stream of this.streams) {
          if (stream.current.index + 1 < stream.options.connections) this.cut.add(stream);
        }
        return count;
      }
      first.next();
    }
  }

  /** One period of each workload, for how it is spread over the places of limits. */
  goThroughPeriods(): void {
    const { forks, gauges } = this.ways;
    for (const stream of this.streams) {
      let period = stream.period;
      for (const fork of forks) {
        if (fork === undefined || fork.stream !== stream) continue;
        const { pool } = fork;
        pool.next = 0;
        pool.credit.fill(0);
        if (isHashed(pool.algorithm)) continue;
        const round = pool.algorithm === "weighted-round-robin"
          ? pool.weights.reduce((sum, weight) => sum + weight, 0)
          : pool.weights.filter((weight) => weight > 0).length;
        period = leastCommonMultiple(period, round);
      }
      if (!(period <= LONGEST_PERIOD)) {
        this.cut.add(stream);
        continue;
      }
      for (let i = 0; i < period; i++) {
        stream.choose(i);
        if (!this.#findWay(stream)) continue;
        this.#eachUse((use) => {
          const { uses } = this.ways;
          const gauge = gauges[uses[use * 3]];
          gauge.streams.add(stream);
          if (gauge.streams.size === 1) gauge.remember(uses[use * 3 + 1]);
        });
      }
    }
  }

  /** Finds the way of a stream's current connection, and follows it through balancers; false if it leads nowhere. */
  #findWay(stream: CapacityStream): boolean {
    const { ways } = this;
    const { current } = stream;
    const { pair, source, port } = current;
    const known = pair >= 0 ? this.#byPair[stream.number][pair] : this.#byEnds[stream.number].get(this.#ends(stream));
    let way = known === undefined || known === 0 ? -1 : known - 1;
    if (way < 0) {
      let { address } = current;
      if (stream.options.happyEyeballs === true && address !== 0 && !ways.leads(stream, source, address, port)) {
        address = stream.otherAddress() || address;
      }
      way = ways.add(stream, source, address, port);
      if (pair >= 0) this.#byPair[stream.number][pair] = way + 1;
      else this.#byEnds[stream.number].set(this.#ends(stream), way + 1);
    }
    const all = this.#way;
    all.length = 0;
    for (;;) {
      all.push(way);
      const fork = ways.forks[way];
      if (fork === undefined) break;
      const place = chooseBackend(fork.pool, fork.hash(fork.client, current.index));
      if (place < 0) return false;
      if (fork.guesses) this.cut.add(stream);
      way = ways.afterFork(fork, place);
    }
    return ways.arrives[all[0]] || ways.arrives[way];
  }

  #ends({ current }: CapacityStream): number {
    return current.source * 2 ** 26 + this.ways.endpoint(current.address, current.port);
  }

  #eachUse(act: (use: number, way: number) => void): void {
    const { starts } = this.ways;
    for (const way of this.#way) {
      for (let use = starts[way]; use < starts[way + 1]; use++) act(use, way);
    }
  }

  /** Counts a connection in all limits of its way. */
  #count(stream: CapacityStream): void {
    const { ways } = this;
    const { gauges, uses } = ways;
    const { timeNs, source } = stream.current;
    const rttNs = ways.rttNs[this.#way[this.#way.length - 1]];
    const taken: [use: number, taker: Taker][] = [];
    let refusedAt = -1;
    const freeNs = timeNs + portNs(stream, rttNs, profileOf(ways, source));
    if (freeNs < stream.firstPortFreeNs) stream.firstPortFreeNs = freeNs;
    this.#eachUse((use, way) => {
      if (ways.isOnce(use)) {
        if (this.#gone.has(use)) return;
        this.#gone.add(use);
      }
      const gauge = gauges[uses[use * 3]];
      const place = uses[use * 3 + 1];
      const taker = { stream, way, tuples: ways.tuples[way] };
      gauge.pass(place, taker, timeNs, rttNs);
      if (refusedAt >= 0) return;
      const refuser = gauge.refuser(place, taker, timeNs);
      if (refuser === undefined) {
        taken.push([use, taker]);
        return;
      }
      refuser.refuse(timeNs);
      if (ways.refusalOf(use) !== "none") refusedAt = use;
    });
    const refusal = refusedAt < 0 ? "none" : ways.refusalOf(refusedAt);
    if (refusal === "local") return;
    const shortNs = refusal === "told" ? rttNs : refusal === "lost" ? this.#givingUpNs(source) : Infinity;
    const refuser = refusedAt < 0 ? undefined : gauges[uses[refusedAt * 3]];
    for (const [use, taker] of taken) {
      const gauge = gauges[uses[use * 3]];
      // A gateway that has no room in one respect takes nothing in others.
      if (gauge.revives && gauge.node === refuser?.node) continue;
      const keepNs = shortNs === Infinity ? gauge.keepNs(stream, rttNs) : gauge.refusedNs(shortNs);
      gauge.occupy(uses[use * 3 + 1], taker, timeNs, Math.min(keepNs, gauge.keepNs(stream, rttNs)));
    }
  }

  /** How long a client goes on asking where nobody answers, ns. */
  #givingUpNs(source: number): number {
    const { synRetries, rtoInitialMs, rtoMaxMs } = profileOf(this.ways, source);
    let ms = 0;
    for (let k = 0, waits = rtoInitialMs; k <= synRetries; k++, waits *= 2) ms += Math.min(waits, rtoMaxMs);
    return ms * 1e6;
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x === 0 ? a : a / x * b;
}

/** How many connections are refused, and what a limit's ceiling is. */
function limitOf(gauge: Gauge, analysis: Analysis): { limit: CapacityLimit; order: number; fill: number } {
  const streams = [...gauge.streams];
  const cut = streams.some((stream) => analysis.cut.has(stream));
  const ceiling: Ceiling = ceilingOf(gauge, cut);
  const { firstOver } = gauge;
  const fill = gauge.drainPerNs > 0 && ceiling.perSecond !== null
    ? gauge.peak / gauge.capacity
    : gauge.capacity > 0
    ? gauge.peak / gauge.capacity
    : Infinity;
  const limit: CapacityLimit = {
    limit: gauge.limit,
    node: gauge.node,
    workloads: streams.map(({ options }) => options.name).sort(),
    ceiling: ceiling.connections,
    ceilingPerSecond: ceiling.perSecond,
    exact: ceiling.estimate === undefined,
    estimate: ceiling.estimate ?? null,
    formula: ceiling.formula,
    capacity: gauge.capacity,
    unit: gauge.unit,
    places: gauge.places.count,
    declared: gauge.total,
    peak: gauge.peak,
    holds: gauge.refused === 0,
    refused: gauge.refused,
    firstRefused: firstOver === undefined
      ? null
      : { connection: firstOver.connection, seconds: firstOver.timeNs / 1e9 },
  };
  const order = gauge.refused > 0 ? gauge.firstRefusedNs : firstOver !== undefined ? 1e18 : 2e18;
  return { limit, order, fill: Number.isNaN(fill) ? 0 : fill };
}
