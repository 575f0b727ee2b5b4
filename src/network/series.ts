/**
 * Time series: what nodes do, sampled at the ends of intervals of simulated time. Sampling looks and changes nothing: it
 * makes no events, and what it counts in between it sees as taps do.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { errnoName, InputError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { hostOf, listenerUse } from "../socket/rows.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { CONTROL, PACKET, packetBytes, PROTOCOL } from "../wire/packet.ts";
import { DROP_REASONS } from "./drops.ts";
import { type NodeSelection, selectNodes } from "./node_selection.ts";
import { FIRST_APP, type Partition, SOCKET_APP } from "./partition.ts";
import { gauges, type SeriesGauges } from "./series_gauges.ts";

const { SRC, LENGTH, CONTROL: CONTROL_AT, STRIDE } = PACKET;
const { CONNECTED, ACCEPTABLE, READABLE, CLOSED, FAILED } = TCP_EVENT;

/** What is counted of a group between two samples. */
const COUNT = {
  OPENED: 0,
  ESTABLISHED: 1,
  ACCEPTED: 2,
  CLOSED: 3,
  PACKETS_IN: 4,
  PACKETS_OUT: 5,
  BYTES_IN: 6,
  BYTES_OUT: 7,
  GOOD_BYTES: 8,
  EXCHANGES: 9,
  ANSWERS: 10,
  STRIDE: 16,
} as const;

/** What full queues of listeners drop. */
const OVERFLOWS = ["syn-queue", "accept-queue"] as const;

/** Highest `ERRNO` plus one. */
const ERRNOS = 64;

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
export class Series {
  /** When it samples next, ns; Infinity after the end. */
  nextNs: number;
  /** Rows so far. */
  rows = 0;
  readonly #partition: Partition;
  readonly #intervalNs: number;
  readonly #mostRows: number;
  readonly #sink: (row: SeriesRow) => void;
  readonly #groups: NodeSelection[];
  /** Group of a node, -1 for none. */
  readonly #groupOf: Int32Array;
  readonly #counts: Float64Array;
  readonly #failed: Float64Array;
  readonly #dropped: Float64Array;
  /** What had overflown at the last sample: `OVERFLOWS` of each group. */
  #overflows: Float64Array;
  #lastNs: number;
  #stopped = false;

  /** Begins now. `sink` gets the rows. Throws `InputError` for what makes no sense. */
  constructor(partition: Partition, options: SeriesOptions, sink: (row: SeriesRow) => void) {
    const { intervalNs = 1e9, mostRows = 1_000_000, untilNs = Infinity } = options;
    if (!(Number.isSafeInteger(intervalNs / 1e6) && intervalNs > 0)) {
      throw new InputError(`A series has an interval of whole milliseconds, not ${intervalNs} ns.`);
    }
    const s = this.#partition = partition;
    this.#intervalNs = intervalNs;
    this.#mostRows = mostRows;
    this.#sink = sink;
    this.#groups = options.nodes === undefined
      ? s.nodes.populations.map(({ name, firstRow, count }) => ({ name, first: firstRow, count }))
      : membersOf(s, options.nodes);
    this.#groupOf = new Int32Array(s.nodes.capacity + 1).fill(-1);
    for (const [i, { name, first, count }] of this.#groups.entries()) {
      for (let node = first; node < first + count; node++) {
        if (this.#groupOf[node] >= 0) throw new InputError(`A series has ${name} twice.`);
        this.#groupOf[node] = i;
      }
    }
    if (Math.ceil(untilNs / intervalNs) * this.#groups.length > mostRows && untilNs !== Infinity) {
      throw new InputError(tooMany(this.#groups.length, mostRows));
    }
    this.#counts = new Float64Array(this.#groups.length * COUNT.STRIDE);
    this.#failed = new Float64Array(this.#groups.length * ERRNOS);
    this.#dropped = new Float64Array(this.#groups.length * DROP_REASONS.length);
    this.#overflows = this.#listenerOverflows();
    this.#lastNs = s.nowNs;
    this.nextNs = (Math.floor(s.nowNs / intervalNs) + 1) * intervalNs;
    this.#watch();
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
    if (this.rows + this.#groups.length > this.#mostRows) {
      this.stop();
      throw new InputError(tooMany(this.#groups.length, this.#mostRows));
    }
    const all = gauges(s, this.#groups, this.#groupOf);
    const overflows = this.#listenerOverflows();
    for (const [i, gauge] of all.entries()) {
      const per = (count: number) => this.#counts[i * COUNT.STRIDE + count] / seconds;
      const failures = named(this.#failed, i * ERRNOS, ERRNOS, errnoName);
      const drops = named(this.#dropped, i * DROP_REASONS.length, DROP_REASONS.length, (k) => DROP_REASONS[k]);
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
    this.#counts.fill(0);
    this.#failed.fill(0);
    this.#dropped.fill(0);
    this.#overflows = overflows;
    this.#lastNs = s.nowNs;
  }

  /** SYNs and final ACKs that full queues of listeners have dropped so far, by group. */
  #listenerOverflows(): Float64Array {
    const { tcp, listeners, closedListeners } = this.#partition;
    const counts = new Float64Array(2 * this.#groups.length);
    for (const use of [...closedListeners, ...listeners.map((listener) => listenerUse(tcp, listener))]) {
      const group = this.#groupOf[use.host];
      if (group < 0) continue;
      counts[2 * group] += use.synOverflows;
      counts[2 * group + 1] += use.acceptOverflows;
    }
    return counts;
  }

  #add(node: number, count: number, by = 1): void {
    const group = this.#groupOf[node];
    if (group >= 0) this.#counts[group * COUNT.STRIDE + count] += by;
  }

  #fail(node: number, errno: number): void {
    const group = this.#groupOf[node];
    if (group >= 0) this.#failed[group * ERRNOS + errno]++;
  }

  /** Looks on at packets, openings and connections' events. */
  #watch(): void {
    const s = this.#partition;
    s.taps.push((p, _timeNs, _from, to) => {
      this.#add(to, COUNT.PACKETS_IN);
      this.#add(to, COUNT.BYTES_IN, bytesOf(s, p));
      const rows = s.packets.rows.words;
      const udp = rows[p * STRIDE + CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.UDP;
      const host = s.nodes.words[to * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST;
      if (udp && host) this.#add(to, COUNT.GOOD_BYTES, rows[p * STRIDE + LENGTH]);
    });
    s.sendTaps.push((p, _timeNs, from) => {
      this.#add(from, COUNT.PACKETS_OUT);
      this.#add(from, COUNT.BYTES_OUT, bytesOf(s, p));
    });
    s.dropTaps.push((_p, _timeNs, node, reason) => {
      const group = this.#groupOf[node];
      if (group >= 0) this.#dropped[group * DROP_REASONS.length + reason]++;
    });
    const onExchange = s.onExchange;
    s.onExchange = (node, outcome) => {
      onExchange?.(node, outcome);
      if (outcome < 0) this.#add(node, COUNT.EXCHANGES);
      else if (outcome === 0) this.#add(node, COUNT.ANSWERS);
      else this.#fail(node, outcome);
    };
    const before = s.onOpen;
    s.onOpen = (node, outcome) => {
      before?.(node, outcome);
      this.#add(node, COUNT.OPENED);
      if (outcome < 0) this.#fail(node, -outcome);
    };
    for (const [i, app] of s.apps.entries()) {
      if (app !== undefined && (i >= FIRST_APP || i === SOCKET_APP)) this.#follow(app);
    }
  }

  /** Counts an application's connection events before it gets them. */
  #follow(app: App): void {
    const s = this.#partition;
    const onTcp = app.onTcp.bind(app);
    app.onTcp = (kind, connection, argument) => {
      const node = hostOf(s.tcp, connection);
      switch (kind) {
        case CONNECTED:
          this.#add(node, COUNT.ESTABLISHED);
          break;
        case ACCEPTABLE:
          this.#add(node, COUNT.ACCEPTED);
          break;
        case READABLE:
          this.#add(node, COUNT.GOOD_BYTES, argument);
          break;
        case CLOSED:
          this.#add(node, COUNT.CLOSED);
          break;
        case FAILED:
          this.#fail(node, argument);
      }
      onTcp(kind, connection, argument);
    };
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

/** A population's name is one group; members that are named are one each. */
function membersOf(s: Partition, text: string): NodeSelection[] {
  return selectNodes(s.nodes, text).flatMap((one) => {
    if (!one.name.includes("[")) return [one];
    return Array.from({ length: one.count }, (_, i) => ({
      name: s.nodes.nameOf(one.first + i),
      first: one.first + i,
      count: 1,
    }));
  });
}

function tooMany(groups: number, mostRows: number): string {
  return `A series of ${formatCount(groups)} ${groups === 1 ? "node" : "nodes"} would have more than ` +
    `${formatCount(mostRows)} rows: choose a longer interval or fewer nodes.`;
}

function bytesOf(s: Partition, p: number): number {
  return packetBytes(s.packets, p, s.addresses.isIpv6(s.packets.rows.words[p * STRIDE + SRC]));
}
