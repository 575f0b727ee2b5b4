/**
 * The connections of a workload one after the other, as the analysis of capacity sees them: when, from which host, to
 * which address, and what one costs in packets, bytes and time. The same arithmetic as a run's, without packets.
 *
 * @module
 */
import { ArrivalTimes } from "../app/arrivals.ts";
import { chosenAddress, ownAddress, Sources, Targets } from "../app/targets.ts";
import type { IpAddress } from "../base/address.ts";
import { drawFraction, Substream, substreamKey } from "../base/rng.ts";
import { holdNsOf, type WorkloadOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import type { PlannedWorkload } from "./workloads.ts";

/** Payload of a full segment on Ethernet, with timestamps. */
const SEGMENT_BYTES = 1448;
/** Headers of a segment: IPv4, TCP, timestamps; and what a SYN has beyond that. */
const HEADER_BYTES = 52;
const SYN_EXTRA_BYTES = 8;
const UDP_HEADER_BYTES = 28;
/** Payload of a datagram where nothing is said. */
const DATAGRAM_BYTES = 100;

/** Packets and payload of one connection in one direction. */
export interface OneWay {
  packets: number;
  payloadBytes: number;
  /** Headers and all. */
  bytes: number;
}

/** The i-th connection of a workload. */
export interface NextConnection {
  /** Its number in the workload. */
  index: number;
  timeNs: number;
  /** Node row. */
  source: number;
  /** Address id; 0 where a name leads nowhere. */
  address: number;
  port: number;
  /** Number of the pair of source and destination among those of the workload; -1 where there are too many. */
  pair: number;
}

/** One workload. */
export class CapacityStream {
  declare readonly options: WorkloadOptions;
  declare readonly number: number;
  declare readonly udp: boolean;
  /** All exchanges of a source come from one socket. */
  declare readonly oneSocket: boolean;
  /** Connections of a SYN flood are none. */
  declare readonly flood: boolean;
  /** Connections after which sources and destinations repeat; Infinity where they are drawn. */
  declare readonly period: number;
  /** Names are looked up: the order of addresses is the resolvers'. */
  declare readonly named: boolean;
  /** Client to server, and back. */
  declare readonly there: OneWay;
  declare readonly back: OneWay;
  /** It is the client who closes first (or both do), the server, nobody. */
  declare readonly closes: "client" | "server" | "none";
  /** The time that each is open is drawn. */
  declare readonly drawsHold: boolean;
  /** When the first of its ports was free again at a client, ns. */
  firstPortFreeNs = Infinity;
  readonly current: NextConnection = { index: -1, timeNs: Infinity, source: 0, address: 0, port: 0, pair: -1 };
  readonly #s: Partition;
  readonly #sources: Sources;
  readonly #targets: Targets;
  readonly #named: { addresses: number[]; embedded: { first: number; count: number; addresses: number[] }[] }[];
  readonly #arrivals: ArrivalTimes;
  readonly #key: { k0: number; k1: number };
  readonly #turns: number[] = [];

  constructor(s: Partition, workload: PlannedWorkload, number: number, seed: number) {
    const { options } = workload;
    this.#s = s;
    this.number = number;
    this.options = options;
    this.udp = options.transport === "udp";
    this.flood = options.kind === "syn-flood";
    this.oneSocket = this.udp && options.kind === "torrent";
    this.#sources = new Sources(
      workload.from.map(({ population, first, count }) => ({ first: population.firstRow + first, count })),
    );
    this.#targets = new Targets(workload.to.map((to, i) => ({
      first: to.name === undefined ? s.addresses.intern(to.first) : 0,
      count: to.count,
      port: to.port,
      name: to.name === undefined ? 0 : i + 1,
      first6: to.first6 === undefined ? 0 : s.addresses.intern(to.first6),
      share6: to.share6,
    })));
    const ids = (addresses: IpAddress[] = []) => addresses.map((address) => s.addresses.intern(address));
    this.#named = workload.to.map(({ addresses, embedded = [] }) => ({
      addresses: ids(addresses),
      embedded: embedded.map(({ population, addresses }) => ({
        first: population.firstRow,
        count: population.count,
        addresses: ids(addresses),
      })),
    }));
    this.named = workload.to.some(({ name }) => name !== undefined);
    const { kind, perSecond = 0, startNs = 0 } = options.arrivals ?? { kind: "at-once" };
    this.#arrivals = new ArrivalTimes({ kind, perSecond, startNs }, Substream.of(seed, "arrivals", options.name));
    this.#key = substreamKey(seed, "workload", options.name);
    const { count: sources } = this.#sources;
    const { count: targets } = this.#targets;
    this.period = options.kind === "torrent"
      ? options.spread === "random" ? Infinity : sources * targets
      : sources / divisor(sources, targets) * targets;
    const holdNs = holdNsOf(options);
    this.closes = options.close === "none" || holdNs === Infinity
      ? "none"
      : options.close === "server"
      ? "server"
      : "client";
    this.drawsHold = (options.holdDistribution ?? "fixed") !== "fixed" && holdNs > 0 && holdNs < Infinity;
    [this.there, this.back] = this.#volume();
  }

  /** Sources, and destinations of each. */
  get sources(): number {
    return this.#sources.count;
  }

  /** Sources share out among each other so many destinations. */
  get targets(): number {
    return this.#targets.count;
  }

  /** When connections begin: those of a schedule at the times that it says. */
  #nextTime(index: number): number {
    return this.options.kind === "schedule" ? this.options.atNs?.[index] ?? Infinity : this.#arrivals.next();
  }

  /** Goes on to the next connection; false if that was the last one declared. */
  next(): boolean {
    const { current } = this;
    if (current.index + 1 >= this.options.connections) {
      current.timeNs = Infinity;
      return false;
    }
    this.choose(current.index + 1);
    current.timeNs = this.#nextTime(current.index);
    return true;
  }

  /** Where connection `i` comes from and goes, in `current`, whenever it is. */
  choose(i: number): void {
    const { current } = this;
    const s = this.#s;
    const targets = this.#targets;
    const sources = this.#sources.count;
    const source = this.#sources.at(i);
    const { family = "any", kind, spread } = this.options;
    const own = ownAddress(s, source, family);
    const { k0, k1 } = this.#key;
    if (kind !== "torrent") targets.notOwn(i, own);
    else if (spread === "random") targets.notOwn(Math.floor(drawFraction(k0, k1, i * 2) * targets.count), own);
    else targets.permuted(k0, k1, i % sources, Math.floor(i / sources), own);
    current.index = i;
    current.source = source;
    current.port = targets.port;
    current.address = targets.name === 0
      ? chosenAddress(targets, s, source, this.options.preferredFamily !== "ipv4")
      : this.#namedAddress(targets.name, source);
    current.pair = kind === "torrent" || this.named || this.period > 8_000_000 ? -1 : i % this.period;
  }

  /** The other address of the destination chosen last: 0 if it has none, or only one that the source cannot use. */
  otherAddress(): number {
    const { current } = this;
    const { address, address6 } = this.#targets;
    const other = current.address === address ? address6 : address;
    return other !== 0 && this.#s.sourceFor(current.source, other) !== 0 ? other : 0;
  }

  /** Addresses of a name, one after the other. */
  #namedAddress(name: number, source: number): number {
    const s = this.#s;
    const { family = "any", preferredFamily = "ipv6" } = this.options;
    const { addresses, embedded } = this.#named[name - 1];
    const made = embedded.find(({ first, count }) => source >= first && source < first + count)?.addresses ?? [];
    // Those of the preferred family come first, and as a rule one of them is there.
    const ofFamily = (one: "ipv4" | "ipv6") =>
      family !== "any" && family !== one ? [] : [...addresses, ...made].filter((address) => {
        return s.addresses.isIpv6(address) === (one === "ipv6") && s.sourceFor(source, address) !== 0;
      });
    const preferred = ofFamily(preferredFamily);
    const usable = preferred.length > 0 ? preferred : ofFamily(preferredFamily === "ipv6" ? "ipv4" : "ipv6");
    if (usable.length === 0) return 0;
    const turn = this.#turns[name] ?? 0;
    this.#turns[name] = turn + 1;
    return usable[turn % usable.length];
  }

  /** How long a connection is open, ns, over a path of this round-trip time; Infinity for ever. */
  openNs(rttNs: number): number {
    if (this.closes === "none" && !this.udp) return Infinity;
    const { kind, requests = 1, thinkNs = 0, exchanges = [] } = this.options;
    const holdNs = holdNsOf(this.options);
    if (kind === "schedule") {
      let restNs = rttNs + holdNs + (this.options.closeWaitNs ?? 0);
      for (const { thinkNs = 0, workNs = 0 } of exchanges) restNs += thinkNs + workNs + rttNs;
      return restNs;
    }
    const rounds = kind === "hold" ? 0 : requests;
    return (this.udp ? 0 : rttNs) + rounds * rttNs + (rounds - 1 > 0 ? (rounds - 1) * thinkNs : 0) + holdNs;
  }

  /** How long an exchange over UDP goes on, ns, whatever becomes of its socket. */
  exchangeNs(rttNs: number): number {
    const { requests = 1, thinkNs = 0 } = this.options;
    return requests * rttNs + (requests - 1) * thinkNs;
  }

  #volume(): [OneWay, OneWay] {
    const { kind, requests = 1, bytes = kind === "bulk" ? 1_000_000 : 0, direction } = this.options;
    const torrent = kind === "torrent";
    const requestBytes = this.options.requestBytes ?? (torrent ? bytes : DATAGRAM_BYTES);
    const replyBytes = this.options.replyBytes ?? (torrent ? bytes : 1000);
    if (this.udp) {
      const one = (size: number) => ({
        packets: requests,
        payloadBytes: requests * size,
        bytes: requests * (size + UDP_HEADER_BYTES),
      });
      return [one(requestBytes || DATAGRAM_BYTES), one(replyBytes || DATAGRAM_BYTES)];
    }
    if (this.flood) {
      const syn = { packets: 1, payloadBytes: 0, bytes: HEADER_BYTES - SYN_EXTRA_BYTES };
      return [syn, { packets: 1, payloadBytes: 0, bytes: HEADER_BYTES + SYN_EXTRA_BYTES }];
    }
    const segments = (size: number) => Math.ceil(size / SEGMENT_BYTES);
    const acks = (size: number) => Math.ceil(segments(size) / 2);
    let [up, down, times] = [0, 0, 1];
    if (kind === "bulk") [up, down] = direction === "download" ? [0, bytes] : [bytes, 0];
    else if (kind === "request-response" || (torrent && bytes > 0)) {
      [up, down, times] = [requestBytes, replyBytes, requests];
    }
    const closing = this.closes === "none" ? [0, 0] : this.closes === "client" ? [2, 1] : [1, 2];
    const exchanges = kind === "schedule"
      ? (this.options.exchanges ?? []).map(({ requestBytes = 0, replyBytes = 0 }) => [requestBytes, replyBytes])
      : [[up, down]];
    const oneWay = (to: 0 | 1, handshake: number, end: number): OneWay => {
      let [packets, payloadBytes] = [handshake + end, 0];
      for (const sizes of exchanges) {
        packets += times * (segments(sizes[to]) + acks(sizes[1 - to]));
        payloadBytes += times * sizes[to];
      }
      return { packets, payloadBytes, bytes: packets * HEADER_BYTES + SYN_EXTRA_BYTES + payloadBytes };
    };
    return [oneWay(0, 2, closing[0]), oneWay(1, 1, closing[1])];
  }
}

function divisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
