/**
 * The ways of connections: which limits each meets from its source to its destination, in order, as the routes lead.
 *
 * @module
 */
import { finalise32, hashString, mix32 } from "../base/hash.ts";
import type { LimitName } from "../base/limit_names.ts";
import { type BackendPool, makePool } from "../node/balancing.ts";
import { DIRECTION, DIRECTION_FLAG, PACE } from "../link/links.ts";
import { holdEmbeddedIpv4, isBehindNat64, isExternalAddress, isUntranslated } from "../nat/nat.ts";
import { NODE, NODE_FLAG, NODE_KIND, type Population } from "../node/nodes.ts";
import { balancerUses } from "./capacity_balancers.ts";
import { Gauge, type GaugeOptions, Numbering, type Refusal } from "./capacity_gauge.ts";
import { clientUses, serverUses } from "./capacity_hosts.ts";
import { linkUses } from "./capacity_links.ts";
import { forwardOf, natUses } from "./capacity_nat.ts";
import type { CapacityStream } from "./capacity_streams.ts";
import type { Partition } from "./partition.ts";
import type { Plan, PlannedPopulation } from "./plan.ts";

const MOST_HOPS = 64;

/** A part of a connection's way that depends on which back end is chosen for it. */
export interface Fork {
  pool: BackendPool;
  /** Hash of a client's connection, for the algorithm. */
  hash: (client: number, index: number) => number;
  /** Goes on from here to a back end. */
  goOn: (way: Way, place: number) => void;
  /** Ways by back end, -1 where not yet known. */
  ways: Int32Array;
  rttNs: number;
  stream: CapacityStream;
  client: number;
  /** The hash is of ports that nobody knows before. */
  guesses: boolean;
  /** As of the way. */
  tuples?: number;
}

/** A way being followed. */
export interface Way {
  stream: CapacityStream;
  gauges: Gauge[];
  places: number[];
  refusals: Refusal[];
  /** Is it taken when the way is gone for the first time alone? */
  once: boolean[];
  /** Round-trip time so far. */
  rttNs: number;
  fork: Fork | undefined;
  /** It leads to somebody who answers. */
  arrives: boolean;
  /** Four-tuples that the client has for it. */
  tuples: number;
  /** Which way it is depends on a hash that nobody knows before. */
  guessed: boolean;
}

/** Where a way has got to. */
interface Place {
  at: number;
  table: number;
  /** The packet's addresses and port now: gateways change them. */
  local: number;
  destination: number;
  port: number;
  hop: number;
}

/** A flag beside a use's refusal. */
const ONCE = 8;

const REFUSALS: Refusal[] = ["local", "lost", "told", "unseen", "none"];

/** All ways and the limits on them. */
export class Ways {
  declare readonly s: Partition;
  declare readonly plan: Plan;
  /** Limits, in the order in which connections meet them first. */
  readonly gauges: Gauge[] = [];
  /** Of way w: its uses are `starts[w]` to `starts[w + 1]`. */
  readonly starts: number[] = [0];
  /** Of each use: gauge, place, refusal. */
  uses: Int32Array = new Int32Array(4096);
  readonly rttNs: number[] = [];
  readonly forks: (Fork | undefined)[] = [];
  readonly arrives: boolean[] = [];
  readonly tuples: number[] = [];
  /** Endpoints of the other side: (address id, port). */
  readonly endpoints: Numbering = new Numbering();
  /** Direction of the same link the other way. */
  declare readonly partners: Int32Array;
  readonly #byKey = new Map<string, Gauge>();
  readonly #indexes = new Map<Gauge, number>();
  readonly #populations = new Map<string, PlannedPopulation>();

  constructor(s: Partition, plan: Plan) {
    this.s = s;
    this.plan = plan;
    this.partners = new Int32Array(plan.directionCount);
    for (const { aToB, bToA, count } of plan.links) {
      for (let i = 0; i < count; i++) {
        this.partners[aToB + i] = bToA + i;
        this.partners[bToA + i] = aToB + i;
      }
    }
    for (const population of plan.populations) this.#populations.set(population.name, population);
  }

  /** The gauge of a limit of a population; `key` tells several of one limit apart. */
  gauge(limit: LimitName, node: string, key: string, make: () => Omit<GaugeOptions, "limit" | "node">): Gauge {
    const name = `${limit} ${node} ${key}`;
    let gauge = this.#byKey.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({ limit, node, ...make() });
      this.#byKey.set(name, gauge);
      this.#indexes.set(gauge, this.gauges.push(gauge) - 1);
    }
    return gauge;
  }

  /** The population of a node. */
  populationOf(node: number): Population {
    return this.s.nodes.populations[this.s.nodes.words[node * NODE.STRIDE + NODE.POPULATION]];
  }

  /** As it was planned. */
  plannedOf(node: number): PlannedPopulation {
    return this.#populations.get(this.populationOf(node).name)!;
  }

  /** Number of an endpoint among all that connections go to. */
  endpoint(address: number, port: number): number {
    return this.endpoints.of(address, port);
  }

  /** Adds the way of a stream's connections from one host to one destination; its number. */
  add(stream: CapacityStream, source: number, address: number, port: number): number {
    const way = this.#begin(stream);
    if (address === 0) return this.#keep(way);
    clientUses(this, way, source, address, port);
    this.walk(way, source, this.s.sourceFor(source, address), address, port);
    if (way.fork !== undefined) [way.fork.stream, way.fork.client] = [stream, this.s.sourceFor(source, address)];
    return this.#keep(way);
  }

  /** Does a way from here get there? */
  leads(stream: CapacityStream, source: number, address: number, port: number): boolean {
    const way = this.#begin(stream);
    this.walk(way, source, this.s.sourceFor(source, address), address, port);
    return way.arrives || way.fork !== undefined;
  }

  /** The way that goes on from a fork to one of its back ends. */
  afterFork(fork: Fork, place: number): number {
    const known = fork.ways[place];
    if (known >= 0) return known;
    const way = this.#begin(fork.stream);
    way.rttNs = fork.rttNs;
    if (fork.tuples !== undefined) [way.tuples, way.guessed] = [fork.tuples, true];
    fork.goOn(way, place);
    if (way.fork !== undefined) way.fork.client = fork.client;
    return fork.ways[place] = this.#keep(way);
  }

  #begin(stream: CapacityStream): Way {
    return {
      stream,
      gauges: [],
      places: [],
      refusals: [],
      once: [],
      rttNs: 0,
      fork: undefined,
      arrives: false,
      tuples: Infinity,
      guessed: false,
    };
  }

  #keep(way: Way): number {
    const start = this.starts[this.starts.length - 1];
    const end = start + way.gauges.length;
    if (end * 3 > this.uses.length) {
      const grown = new Int32Array(Math.max(end * 3, this.uses.length * 2));
      grown.set(this.uses);
      this.uses = grown;
    }
    for (let k = 0; k < way.gauges.length; k++) {
      const at = (start + k) * 3;
      this.uses[at] = this.#indexes.get(way.gauges[k])!;
      this.uses[at + 1] = way.places[k];
      this.uses[at + 2] = REFUSALS.indexOf(way.refusals[k]) | (way.once[k] ? ONCE : 0);
    }
    this.rttNs.push(way.rttNs);
    this.forks.push(way.fork);
    this.arrives.push(way.arrives);
    this.tuples.push(way.tuples);
    return this.starts.push(end) - 2;
  }

  /** What a refusal of a use does. */
  refusalOf(use: number): Refusal {
    return REFUSALS[this.uses[use * 3 + 2] & ~ONCE];
  }

  /** Is a use taken the first time alone that its way is gone? */
  isOnce(use: number): boolean {
    return (this.uses[use * 3 + 2] & ONCE) !== 0;
  }

  /** Follows the routes from `node`, which sends from address `local`, to a destination. */
  walk(way: Way, node: number, local: number, destination: number, port: number): void {
    if (this.s.isOwn(node, destination)) return serverUses(this, way, node, destination, port);
    const table = this.s.nodes.words[node * NODE.STRIDE + NODE.ROUTES];
    this.#follow(way, { at: node, table, local, destination, port, hop: 0 });
  }

  /** Goes on from a node by its table; `first`: the link by which it leaves it. */
  #follow(way: Way, from: Place, first = -1): void {
    const { s } = this;
    const nodes = s.nodes.words;
    const directions = s.links.words;
    let { at, table, local, destination, port, hop } = from;
    for (let d = first; hop < MOST_HOPS; hop++, d = -1) {
      if (d < 0) d = nodes[at * NODE.STRIDE + NODE.EGRESS];
      if (d < 0) d = s.routes.route(table, destination);
      if (d < -1) return this.#shareOut(way, { at, table, local, destination, port, hop }, d);
      if (d < 0) return;
      linkUses(this, way, d, s.addresses.isIpv6(destination));
      way.rttNs += s.links.pace[d * PACE.STRIDE + PACE.DELAY_NS] +
        s.links.pace[this.partners[d] * PACE.STRIDE + PACE.DELAY_NS];
      at = directions[d * DIRECTION.STRIDE + DIRECTION.TO];
      const row = at * NODE.STRIDE;
      const kind = nodes[row + NODE.KIND];
      if (kind === NODE_KIND.HOST) {
        if (s.nodes.hasAddress(at, destination)) serverUses(this, way, at, destination, port);
        return;
      }
      table = nodes[row + NODE.ROUTES];
      if (kind === NODE_KIND.BALANCER) {
        if (balancerUses(this, way, at, local, destination, port)) return;
        if (s.nodes.hasAddress(at, destination)) return;
        continue;
      }
      if (kind !== NODE_KIND.NAT) continue;
      const gateway = nodes[row + NODE.GATEWAY];
      const fromInside = (directions[d * DIRECTION.STRIDE + DIRECTION.FLAGS] & DIRECTION_FLAG.FROM_INSIDE) !== 0;
      if ((nodes[row + NODE.FLAGS] & NODE_FLAG.NAT64) !== 0 && isBehindNat64(s.nat, gateway, destination)) {
        destination = holdEmbeddedIpv4(s.nat, gateway, destination);
        local = natUses(this, way, at, local, destination, port);
        continue;
      }
      const ipv6 = s.addresses.isIpv6(destination);
      if ((nodes[row + NODE.FLAGS] & NODE_FLAG.ROUTES_IPV6) !== 0 && ipv6) continue;
      if (s.addresses.isIpv6(nodes[row + NODE.ADDRESS]) !== ipv6) return;
      if (fromInside) {
        if (s.routes.lookup(nodes[row + NODE.INNER_ROUTES], destination, 0) >= 0) {
          table = nodes[row + NODE.INNER_ROUTES];
          continue;
        }
        if (isUntranslated(s.nat, gateway, local, destination, port)) continue;
        local = natUses(this, way, at, local, destination, port);
      } else if (isUntranslated(s.nat, gateway, destination, local, -1)) {
        table = nodes[row + NODE.INNER_ROUTES];
        continue;
      }
      if (!isExternalAddress(s.nat, gateway, destination)) {
        if (!fromInside) return;
        continue;
      }
      const inner = forwardOf(this, at, destination, port, way.stream.udp);
      if (inner === undefined) return;
      [destination, port] = inner;
      table = nodes[row + NODE.INNER_ROUTES];
    }
  }

  /** Equal ways share flows by a hash of their ports, which nobody knows before: it is made up. */
  #shareOut(way: Way, from: Place, group: number): void {
    const { routes } = this.s;
    const links = Array.from({ length: routes.groupSize(group) }, (_, k) => routes.groupLink(group, k));
    if (links.length === 1) return this.#follow(way, from, links[0]);
    way.fork = {
      pool: makePool({
        algorithm: "source-hash",
        names: links.map((_, k) => hashString(`${k}`)),
        weights: links.map(() => 1),
        tableSize: 0,
      }),
      hash: (client, index) => finalise32(mix32(index ^ from.at, client)),
      goOn: (next, place) => this.#follow(next, from, links[place]),
      ways: new Int32Array(links.length).fill(-1),
      rttNs: way.rttNs,
      stream: way.stream,
      client: from.local,
      guesses: false,
      tuples: way.tuples,
    };
  }
}

/** Adds a use of a limit to a way. */
export function use(way: Way, gauge: Gauge, place: number, refusal: Refusal, once = false): void {
  if (way.guessed) gauge.guessed = true;
  way.gauges.push(gauge);
  way.places.push(place);
  way.refusals.push(refusal);
  way.once.push(once);
  if (once) gauge.onceAWay = true;
}
