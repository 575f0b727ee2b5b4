/**
 * Time series: what nodes do, sampled at the ends of intervals of simulated time. Sampling looks and changes nothing: it
 * makes no events, and what it counts in between it sees as taps do.
 *
 * @module
 */
import { errnoName, InputError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import { DROP_REASONS } from "./drops.ts";
import type { Mark } from "./observers.ts";
import type { Partition } from "./partition.ts";
import { addSample, COUNT, ERRNOS, OVERFLOWS, SeriesCounts, type SeriesSample } from "./series_counts.ts";
import type { SeriesGauges } from "./series_gauges.ts";

/** Options of a series. */
export interface SeriesOptions {
  /** Time between two samples, ns: a whole number of milliseconds. Default 1 s. */
  intervalNs?: number;
  /** `server, clients[0..9]`: a population's name stands for all its members together. Default every population. */
  nodes?: string;
  /** Rows at most; one more is an `InputError`. Default 1,000,000. */
  mostRows?: number;
  /** When the run ends at the latest, if that is known: too many rows are refused at once then. */
  untilNs?: number;
}

/** One row: a node, or a population or some of its members together, at the end of an interval. */
export interface SeriesRow extends SeriesGauges {
  /** Connections that it began to open in a second, over the interval. */
  opensPerSecond: number;
  /** Of its own that were established. */
  establishedPerSecond: number;
  /** Of others' that came into its accept queues. */
  acceptedPerSecond: number;
  /** Connections that ended well. */
  closesPerSecond: number;
  /** Connections that failed, before or after they were established. */
  failuresPerSecond: number;
  /** How many failed in the interval, by error name; exchanges over UDP too. */
  failures: Record<string, number>;
  /** Exchanges over UDP that it began. */
  exchangesPerSecond: number;
  /** Of these, those that were answered. */
  answersPerSecond: number;
  /** Packets that links delivered to it. */
  packetsInPerSecond: number;
  /** Packets that it handed to links, those that they dropped included. */
  packetsOutPerSecond: number;
  /** Bits of these, IP headers included. */
  bitsInPerSecond: number;
  /** The same of packets out. */
  bitsOutPerSecond: number;
  /** Packets dropped at it, or on the links that it sends into, and by full queues of its listeners. */
  dropsPerSecond: number;
  /** How many were dropped in the interval, by reason. */
  drops: Record<string, number>;
  /** Payload that arrived at its hosts in order, bits in a second. */
  goodputBps: number;
}

/** A series of a run: samples at `nextNs`, and at the end. */
export class Series implements Mark {
  /** @internal Each thread counts what happens in its part. */
  readonly inThreads = true;
  /** When it samples next, ns; Infinity after the end. */
  declare nextNs: number;
  /** Rows so far. */
  rows = 0;
  readonly #partition: Partition;
  readonly #intervalNs: number;
  readonly #mostRows: number;
  readonly #sink: (row: SeriesRow) => void;
  readonly #counts: SeriesCounts;
  readonly #groups: number;
  /** What other threads have counted. */
  readonly #others: () => SeriesSample[];
  /** What had overflown at the last sample: `OVERFLOWS` of each group. */
  #overflows: Float64Array;
  #lastNs: number;
  #stopped = false;

  /**
   * Begins now. `sink` gets the rows; `others` tells what other threads have counted. Throws `InputError` for what makes
   * no sense.
   */
  constructor(
    partition: Partition,
    options: SeriesOptions,
    sink: (row: SeriesRow) => void,
    others: () => SeriesSample[] = () => [],
  ) {
    const { intervalNs = 1e9, mostRows = 1_000_000, untilNs = Infinity } = options;
    if (!(Number.isSafeInteger(intervalNs / 1e6) && intervalNs > 0)) {
      throw new InputError(`A series has an interval of whole milliseconds, not ${intervalNs} ns.`);
    }
    const s = this.#partition = partition;
    this.#intervalNs = intervalNs;
    this.#mostRows = mostRows;
    this.#sink = sink;
    this.#others = others;
    this.#counts = new SeriesCounts(s, options.nodes);
    this.#groups = this.#counts.groups.length;
    if (Math.ceil(untilNs / intervalNs) * this.#groups > mostRows && untilNs !== Infinity) {
      throw new InputError(tooMany(this.#groups, mostRows));
    }
    this.#overflows = this.#counts.overflows();
    this.#lastNs = s.nowNs;
    this.nextNs = (Math.floor(s.nowNs / intervalNs) + 1) * intervalNs;
    this.#counts.watch();
  }

  /** @internal An interval has ended. */
  reached(): void {
    this.#sample();
    this.nextNs += this.#intervalNs;
  }

  /** The run has ended: what is left of an interval is a shorter one. */
  finish(): void {
    if (this.#stopped) return;
    if (this.#partition.nowNs > this.#lastNs) this.#sample();
    this.stop();
  }

  /** Samples no more. */
  stop(): void {
    this.#stopped = true;
    this.nextNs = Infinity;
  }

  #sample(): void {
    const s = this.#partition;
    const seconds = (s.nowNs - this.#lastNs) / 1e9;
    if (this.rows + this.#groups > this.#mostRows) {
      this.stop();
      throw new InputError(tooMany(this.#groups, this.#mostRows));
    }
    const sample = this.#counts.take();
    for (const other of this.#others()) addSample(sample, other);
    const { counts, failed, dropped, overflows } = sample;
    for (const [i, gauge] of sample.gauges.entries()) {
      const per = (count: number) => counts[i * COUNT.STRIDE + count] / seconds;
      const failures = named(failed, i * ERRNOS, ERRNOS, errnoName);
      const drops = named(dropped, i * DROP_REASONS.length, DROP_REASONS.length, (k) => DROP_REASONS[k]);
      for (const [k, reason] of OVERFLOWS.entries()) {
        const count = overflows[2 * i + k] - this.#overflows[2 * i + k];
        if (count > 0) drops[reason] = count;
      }
      this.rows++;
      this.#sink({
        ...gauge,
        opensPerSecond: per(COUNT.OPENED),
        establishedPerSecond: per(COUNT.ESTABLISHED),
        acceptedPerSecond: per(COUNT.ACCEPTED),
        closesPerSecond: per(COUNT.CLOSED),
        failuresPerSecond: sum(failures) / seconds,
        failures,
        exchangesPerSecond: per(COUNT.EXCHANGES),
        answersPerSecond: per(COUNT.ANSWERS),
        packetsInPerSecond: per(COUNT.PACKETS_IN),
        packetsOutPerSecond: per(COUNT.PACKETS_OUT),
        bitsInPerSecond: 8 * per(COUNT.BYTES_IN),
        bitsOutPerSecond: 8 * per(COUNT.BYTES_OUT),
        dropsPerSecond: sum(drops) / seconds,
        drops,
        goodputBps: 8 * per(COUNT.GOOD_BYTES),
      });
    }
    this.#overflows = overflows;
    this.#lastNs = s.nowNs;
  }
}

/** The counts that are not 0, by name. */
function named(counts: Float64Array, from: number, length: number, nameOf: (k: number) => string) {
  const found: Record<string, number> = {};
  for (let k = 0; k < length; k++) if (counts[from + k] !== 0) found[nameOf(k)] = counts[from + k];
  return found;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function tooMany(groups: number, mostRows: number): string {
  return `A series of ${formatCount(groups)} ${groups === 1 ? "node" : "nodes"} would have more than ` +
    `${formatCount(mostRows)} rows: choose a longer interval or fewer nodes.`;
}
