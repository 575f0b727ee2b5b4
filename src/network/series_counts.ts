/**
 * What a series counts between two samples, of the nodes of one part of a network: it looks on at packets, openings and
 * what connections tell applications.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import { InputError } from "../base/errors.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { hostOf, listenerUse } from "../socket/rows.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { CONTROL, PACKET, packetBytes, PROTOCOL } from "../wire/packet.ts";
import { DROP_REASONS } from "./drops.ts";
import { type NodeSelection, selectNodes } from "./node_selection.ts";
import { local } from "./observers.ts";
import { owns } from "./part.ts";
import { FIRST_APP, type Partition, SOCKET_APP } from "./partition.ts";
import { addGauges, gauges, type SeriesGauges } from "./series_gauges.ts";

const { SRC, LENGTH, CONTROL: CONTROL_AT, STRIDE } = PACKET;
const { CONNECTED, ACCEPTABLE, READABLE, CLOSED, FAILED } = TCP_EVENT;

/** What is counted of a group between two samples. */
export const COUNT = {
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
export const OVERFLOWS = ["syn-queue", "accept-queue"] as const;

/** Highest `ERRNO` plus one. */
export const ERRNOS = 64;

/** What a part has counted since the sample before, and what stands there, by group. */
export interface SeriesSample {
  gauges: SeriesGauges[];
  /** `COUNT`. */
  counts: Float64Array;
  /** Failures by `ERRNO`. */
  failed: Float64Array;
  /** Drops by `DROP`. */
  dropped: Float64Array;
  /** What has overflown so far: `OVERFLOWS`. */
  overflows: Float64Array;
}

/** Adds what another part has counted. */
export function addSample(sum: SeriesSample, part: SeriesSample): void {
  sum.gauges.forEach((gauge, i) => addGauges(gauge, part.gauges[i]));
  for (const which of COLUMNS) {
    for (let i = 0; i < sum[which].length; i++) sum[which][i] += part[which][i];
  }
}

const COLUMNS = ["counts", "failed", "dropped", "overflows"] as const;

/** A sample as bytes. */
export function sampleBytes(sample: SeriesSample): Uint8Array {
  const columns = COLUMNS.map((name) => [...sample[name]]);
  return new TextEncoder().encode(JSON.stringify([sample.gauges, columns]));
}

/** A sample out of bytes. */
export function readSample(bytes: Uint8Array): SeriesSample {
  const [gauges, columns] = JSON.parse(new TextDecoder().decode(bytes)) as [SeriesGauges[], number[][]];
  const [counts, failed, dropped, overflows] = columns.map((column) => Float64Array.from(column));
  return { gauges, counts, failed, dropped, overflows };
}

/** Counts for a series. */
export class SeriesCounts {
  /** Nodes that are counted together. */
  declare readonly groups: NodeSelection[];
  readonly #partition: Partition;
  /** Group of a node, -1 for none. */
  readonly #groupOf: Int32Array;
  #counts: Float64Array;
  #failed: Float64Array;
  #dropped: Float64Array;

  /** Begins now, with some nodes or (undefined) all. Throws `InputError` for those that there are not. */
  constructor(partition: Partition, nodes: string | undefined) {
    const s = this.#partition = partition;
    this.groups = nodes === undefined
      ? s.nodes.populations.map(({ name, firstRow, count }) => ({ name, first: firstRow, count }))
      : membersOf(s, nodes);
    this.#groupOf = new Int32Array(s.nodes.capacity + 1).fill(-1);
    for (const [i, { name, first, count }] of this.groups.entries()) {
      for (let node = first; node < first + count; node++) {
        if (this.#groupOf[node] >= 0) throw new InputError(`A series has ${name} twice.`);
        this.#groupOf[node] = i;
      }
    }
    this.#counts = new Float64Array(this.groups.length * COUNT.STRIDE);
    this.#failed = new Float64Array(this.groups.length * ERRNOS);
    this.#dropped = new Float64Array(this.groups.length * DROP_REASONS.length);
  }

  /** What there is; what comes is counted for the next sample. */
  take(): SeriesSample {
    const sample = {
      gauges: gauges(this.#partition, this.groups, this.#groupOf),
      counts: this.#counts,
      failed: this.#failed,
      dropped: this.#dropped,
      overflows: this.overflows(),
    };
    this.#counts = new Float64Array(sample.counts.length);
    this.#failed = new Float64Array(sample.failed.length);
    this.#dropped = new Float64Array(sample.dropped.length);
    return sample;
  }

  /** SYNs and final ACKs that full queues of listeners have dropped so far, by group. */
  overflows(): Float64Array {
    const { tcp, listeners, closedListeners } = this.#partition;
    const counts = new Float64Array(2 * this.groups.length);
    for (const use of [...closedListeners, ...listeners.map((listener) => listenerUse(tcp, listener))]) {
      const group = this.#groupOf[use.host];
      if (group < 0 || !owns(this.#partition, use.host)) continue;
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
  watch(): void {
    const s = this.#partition;
    s.taps.push(local((p, _timeNs, _from, to) => {
      this.#add(to, COUNT.PACKETS_IN);
      this.#add(to, COUNT.BYTES_IN, bytesOf(s, p));
      const rows = s.packets.rows.words;
      const udp = rows[p * STRIDE + CONTROL_AT] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.UDP;
      const host = s.nodes.words[to * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST;
      if (udp && host) this.#add(to, COUNT.GOOD_BYTES, rows[p * STRIDE + LENGTH]);
    }));
    s.sendTaps.push(local((p, _timeNs, from) => {
      this.#add(from, COUNT.PACKETS_OUT);
      this.#add(from, COUNT.BYTES_OUT, bytesOf(s, p));
    }));
    s.dropTaps.push(local((_p, _timeNs, node, reason) => {
      const group = this.#groupOf[node];
      if (group >= 0) this.#dropped[group * DROP_REASONS.length + reason]++;
    }));
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

function bytesOf(s: Partition, p: number): number {
  return packetBytes(s.packets, p, s.addresses.isIpv6(s.packets.rows.words[p * STRIDE + SRC]));
}
