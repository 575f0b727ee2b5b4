/**
 * One limit of one population, as the analysis of capacity sees it: places (each host, each pair of host and
 * destination, each subscriber, …) that hold so much each, and how connections are spread over them.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import type { LimitName } from "../base/limit_names.ts";
import { Expiries } from "./capacity_expiry.ts";
import type { CapacityStream } from "./capacity_streams.ts";

/** What happens to a connection that a limit refuses. */
export type Refusal =
  /** `connect` fails at once. */
  | "local"
  /** Its SYN is lost; it is sent again until the client gives up. */
  | "lost"
  /** The client hears that it is. */
  | "told"
  /** The client thinks that it is established. */
  | "unseen"
  /** None: something comes later, or goes sooner. */
  | "none";

/** What a gauge is made of. */
export interface GaugeOptions {
  limit: LimitName;
  /** Name of the population. */
  node: string;
  /** What one place holds. */
  capacity: number;
  /** What comes back of it in a nanosecond, however long connections last (rates); default 0: places are counted. */
  drainPerNs?: number;
  /** What a connection takes of a place. Default 1. */
  cost?: (stream: CapacityStream) => number;
  /** The part of the cost that may find no room; default all. (A transfer slows down where a link is full.) */
  burst?: (stream: CapacityStream) => number;
  /** How long a connection keeps what it takes, ns. Not for rates. */
  keepNs?: (stream: CapacityStream, rttNs: number) => number;
  /** How long a connection that is refused further on, and given up after `shortNs`, keeps it. Default: so long. */
  refusedNs?: (shortNs: number) => number;
  /** A connection from a port that its client has used before finds what that one took, if it is still there. */
  revives?: boolean;
  /** Why the result is an estimate; undefined where it is exact. */
  estimate?: string;
  /** The formula in words, up to the result: `4 hosts x 28,232 ports`. */
  words: (gauge: Gauge) => string;
  /** What is counted: `ports`. */
  unit: string;
}

/** Numbers things from 0 on: pairs of a row and a number, most of them with number 0. */
export class Numbering {
  /** How many there are. */
  count = 0;
  #first = new Int32Array(1024);
  readonly #others = new Map<number, number>();

  /** The number of (row, further); both whole, from 0 on, `further` below 2^21. */
  of(row: number, further = 0): number {
    if (further !== 0) {
      const key = row * 2 ** 21 + further;
      const known = this.#others.get(key);
      if (known !== undefined) return known;
      this.#others.set(key, this.count);
      return this.count++;
    }
    if (row >= this.#first.length) this.#first = lengthened(this.#first, Math.max(row + 1, this.#first.length * 2));
    if (this.#first[row] === 0) this.#first[row] = ++this.count;
    return this.#first[row] - 1;
  }
}

/** A connection that takes something: of which workload, by which way, and with how many ports for that. */
export interface Taker {
  stream: CapacityStream;
  way: number;
  tuples: number;
}

/** What is in use at each place. */
class Stock {
  readonly levels: number[] = [];
  /** By way, where sessions are revived: how many are there, how many of their ends do not count, and where they are. */
  readonly #live: number[] = [];
  readonly #prolonged: number[] = [];
  readonly #placeOf: number[] = [];
  readonly #since: number[] = [];
  readonly #expiries = new Expiries();

  /** What is in use at a place now. */
  level(gauge: Gauge, place: number, nowNs: number): number {
    const { drainPerNs } = gauge;
    if (drainPerNs > 0) {
      const level = this.levels[place] ?? 0;
      return Math.max(0, level - (nowNs - (this.#since[place] ?? 0)) * drainPerNs);
    }
    for (let ended = this.#expiries.next(nowNs); ended >= 0; ended = this.#expiries.next(nowNs)) {
      let freed = ended;
      if (gauge.revives) {
        if (this.#prolonged[ended] > 0) {
          this.#prolonged[ended]--;
          continue;
        }
        this.#live[ended]--;
        freed = this.#placeOf[ended];
      }
      this.levels[freed]--;
      gauge.hasExpired = true;
      const { blocks } = gauge;
      if (blocks !== undefined && this.levels[freed] % blocks.size === 0) blocks.giveBack(gauge.isAlone(this), freed);
    }
    return this.levels[place] ?? 0;
  }

  /** Takes some, to be given back at `untilNs`. */
  take(gauge: Gauge, place: number, level: number, nowNs: number, untilNs: number, taker: Taker): void {
    this.levels[place] = level + gauge.burst(taker.stream);
    if (gauge.drainPerNs > 0) this.#since[place] = nowNs;
    else if (gauge.revives) {
      this.#live[taker.way] = (this.#live[taker.way] ?? 0) + 1;
      this.#placeOf[taker.way] = place;
      this.#expiries.add(untilNs, taker.way);
    } else this.#expiries.add(untilNs, place);
  }

  /** Has a client as many as it has ports? Then its next connection finds one of them. */
  finds({ way, tuples }: Taker): boolean {
    return (this.#live[way] ?? 0) >= tuples;
  }

  /** The oldest of a way is taken up again until `untilNs`. */
  prolong(untilNs: number, { way }: Taker): void {
    this.#prolonged[way] = (this.#prolonged[way] ?? 0) + 1;
    this.#expiries.add(untilNs, way);
  }
}

/** Blocks that places are made of: the first connection of a block takes it from a pool. */
export interface Blocks {
  size: number;
  pool: Gauge;
  /** The pool's place of a place. */
  places: number[];
  giveBack: (alone: boolean, place: number) => void;
}

/** How many connections of a period are remembered, place by place. */
const LONGEST_SEQUENCE = 4_000_000;

/** See the module. */
export class Gauge {
  declare readonly limit: LimitName;
  declare readonly node: string;
  declare readonly capacity: number;
  declare readonly drainPerNs: number;
  declare readonly unit: string;
  readonly words: (gauge: Gauge) => string;
  readonly keepNs: (stream: CapacityStream, rttNs: number) => number;
  readonly cost: (stream: CapacityStream) => number;
  readonly burst: (stream: CapacityStream) => number;
  readonly refusedNs: (shortNs: number) => number;
  declare readonly revives: boolean;
  /** Which place it is depends on a hash that nobody knows before. */
  guessed = false;
  estimate: string | undefined;
  readonly places: Numbering = new Numbering();
  /** For the formula: members and destinations that it has to do with. */
  readonly members: Numbering = new Numbering();
  readonly destinations: Set<number> = new Set();
  /** Where its places are ports in blocks. */
  blocks: Blocks | undefined;
  /** Where its places are blocks: whose ports they are. */
  sharedOutBy: Gauge | undefined;
  /** A connection of a place that is there already takes nothing (endpoint-independent mappings of one socket). */
  once = false;
  /** Connections take something the first time alone that their way is gone: later ones take nothing. */
  onceAWay = false;
  /** Workloads that lead here, and what they are. */
  readonly streams: Set<CapacityStream> = new Set();
  /** Connections that came through, and in each place. */
  total = 0;
  readonly totals: number[] = [];
  /** Something was given back before anything was refused. */
  hasExpired = false;
  /** A client may have found a session of its again before anything was refused. */
  mayHaveRevived = false;
  /** Most in one place, had nothing been refused. */
  peak = 0;
  /** The first connection (counted through here, from 1 on) that did not fit, had nothing else refused any. */
  firstOver: { connection: number; timeNs: number; afterExpiry: boolean } | undefined;
  /** Refused where every limit on the way plays its part, and when the first was. */
  refused = 0;
  firstRefusedNs = -1;
  /** Longest and shortest time that a connection keeps its place, ns. */
  longestKeepNs = 0;
  shortestKeepNs = Infinity;
  /** Places of one period of its only workload, in order. */
  sequence: Int32Array = new Int32Array(256);
  sequenceLength = 0;
  readonly #alone = new Stock();
  readonly #joint = new Stock();

  constructor(options: GaugeOptions) {
    this.limit = options.limit;
    this.node = options.node;
    this.capacity = options.capacity;
    this.drainPerNs = options.drainPerNs ?? 0;
    this.unit = options.unit;
    this.words = options.words;
    this.keepNs = options.keepNs ?? (() => Infinity);
    this.cost = options.cost ?? (() => 1);
    this.burst = options.burst ?? this.cost;
    this.refusedNs = options.refusedNs ?? ((shortNs) => shortNs);
    this.revives = options.revives ?? false;
    this.estimate = options.estimate;
  }

  /** Remembers the place of the next connection of a period. */
  remember(place: number): void {
    if (this.sequenceLength >= LONGEST_SEQUENCE) return;
    if (this.sequenceLength === this.sequence.length) {
      this.sequence = lengthened(this.sequence, this.sequence.length * 2);
    }
    this.sequence[this.sequenceLength++] = place;
  }

  /** A connection comes by, whatever other limits say. */
  pass(place: number, taker: Taker, nowNs: number, rttNs: number): void {
    const { stream } = taker;
    this.streams.add(stream);
    this.total++;
    const before = this.totals[place] ?? 0;
    this.totals[place] = before + 1;
    if (this.once && before > 0) return;
    const cost = this.burst(stream);
    const keepNs = this.keepNs(stream, rttNs);
    if (keepNs > this.longestKeepNs) this.longestKeepNs = keepNs;
    if (keepNs < this.shortestKeepNs) this.shortestKeepNs = keepNs;
    const level = this.#alone.level(this, place, nowNs);
    if (this.revives && this.#alone.finds(taker)) return this.#alone.prolong(nowNs + keepNs, taker);
    const { blocks } = this;
    if (blocks !== undefined) {
      blocks.pool.streams.add(stream);
      blocks.pool.total = this.total;
      if (level < this.capacity && level % blocks.size === 0) {
        blocks.pool.passBlock(blocks.places[place], nowNs, this.total);
      }
    }
    this.#alone.take(this, place, level, nowNs, nowNs + keepNs, taker);
    if (level + cost > this.peak) this.peak = level + cost;
    if (level + cost > this.capacity && this.firstOver === undefined) {
      this.firstOver = { connection: this.total, timeNs: nowNs, afterExpiry: this.hasExpired };
      this.#portsReturned(nowNs);
    }
  }

  /** At the first refusal: had clients ports back by then, with which they might have found a session again? */
  #portsReturned(nowNs: number): void {
    if (!this.revives) return;
    for (const { firstPortFreeNs } of this.streams) if (firstPortFreeNs <= nowNs) this.mayHaveRevived = true;
  }

  /** A subscriber takes a block of this pool: the `connection`-th of its gauge. */
  passBlock(place: number, nowNs: number, connection: number): void {
    const level = (this.#alone.levels[place] ?? 0) + 1;
    this.#alone.levels[place] = level;
    this.totals[place] = (this.totals[place] ?? 0) + 1;
    if (level > this.peak) this.peak = level;
    if (level > this.capacity && this.firstOver === undefined) {
      this.firstOver = { connection, timeNs: nowNs, afterExpiry: this.hasExpired };
    }
  }

  /** A block comes back to this pool. */
  freeBlock(place: number, alone: boolean): void {
    (alone ? this.#alone : this.#joint).levels[place]--;
    this.hasExpired = true;
  }

  /** Is it the stock of connections that nothing else refuses? */
  isAlone(stock: Stock): boolean {
    return stock === this.#alone;
  }

  /** Is there room for a connection that every limit before this one has let through? The gauge that refuses, or none. */
  refuser(place: number, taker: Taker, nowNs: number): Gauge | undefined {
    if (this.once && (this.#joint.levels[place] ?? 0) > 0) return undefined;
    const level = this.#joint.level(this, place, nowNs);
    if (this.revives && this.#joint.finds(taker)) return undefined;
    if (level + this.burst(taker.stream) > this.capacity) return this;
    const { blocks } = this;
    if (blocks === undefined || level % blocks.size !== 0) return undefined;
    const { pool } = blocks;
    return (pool.#joint.levels[blocks.places[place]] ?? 0) < pool.capacity ? undefined : pool;
  }

  /** Takes a place for a connection for so long. */
  occupy(place: number, taker: Taker, nowNs: number, keepNs: number): void {
    const level = this.#joint.level(this, place, nowNs);
    if (this.revives && this.#joint.finds(taker)) return this.#joint.prolong(nowNs + keepNs, taker);
    if (this.once && level > 0) return;
    const { blocks } = this;
    if (blocks !== undefined && level % blocks.size === 0) {
      const at = blocks.places[place];
      blocks.pool.#joint.levels[at] = (blocks.pool.#joint.levels[at] ?? 0) + 1;
    }
    this.#joint.take(this, place, level, nowNs, nowNs + keepNs, taker);
  }

  /** Counts a refusal. */
  refuse(nowNs: number): void {
    if (this.refused++ === 0) this.firstRefusedNs = nowNs;
  }
}
