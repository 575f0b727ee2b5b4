/**
 * The graph of an address family: what forwards is a vertex; hosts and the outer sides of gateways hang on it as ranges
 * of addresses.
 *
 * @module
 */
import { addToAddress, formatAddress, type IpAddress, type IpPrefix } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { type Ecmp, ecmpOf, servedAddresses, type VirtualAttachment } from "./equal_cost.ts";
import { addressOffset, directionOptions, endOf, type Members, type Plan, type PlannedLinks } from "./plan.ts";
import type { PlannedPopulation } from "./plan.ts";
import { hasIpv6 } from "./plan_ipv6.ts";

const { HOST, ROUTER, NAT, BALANCER } = NODE_KIND;

/** Addresses reached from a vertex over its own links. */
export interface Attachment {
  first: IpAddress;
  count: number;
  linkBase: number;
  stride: number;
  /** Instead of a stride: so many links that share the addresses evenly, in their order. */
  spreadLinks?: number;
}

/** A link from one vertex to another. */
export interface Edge {
  to: number;
  link: number;
  cost: number;
  /** Delay of this direction. */
  delayNs: number;
  /** The direction that comes back, and its delay. */
  backLink: number;
  backDelayNs: number;
  /** Rank of the link: decides between parallel ones. */
  rank: number;
}

/** Shortest paths to one vertex: how far each other is, and which link it takes. */
export interface Paths {
  root: Vertex;
  next: Map<Vertex, { link: number; cost: number; delayNs: number }>;
}

/** Something that has routes: a router, a gateway's inner side, or a host or outer side with several links. */
export interface Vertex {
  node: number;
  inner: boolean;
  /** Does it pass packets on? */
  transit: boolean;
  rank: number;
  /** Which paths share flows; `off` for all but routers and balancers. */
  ecmp: Ecmp;
  attachments: Attachment[];
  /** What hangs on it under addresses that others may have too. */
  virtual: VirtualAttachment[];
  /** Prefixes that end here (link -1), or that lie behind a leaf. */
  prefixes: { prefix: IpPrefix; link: number }[];
  edges: Edge[];
  component: number;
  realm: Realm;
  /** Its one neighbour knows what hangs on it: see `collapseLeaves`. */
  leaf: boolean;
  /** A gateway that passes this family on as a router does. */
  gateway: boolean;
  /** The inner side of a gateway that lets none of this family across. */
  blocks: boolean;
}

/** What the vertices of a connected set have in common. */
export interface Realm {
  /** Inner sides of gateways: where what is not known goes. */
  defaults: Vertex[];
  paths: Paths[];
}

/** What vertices begin with: never added to. */
const NONE: never[] = [];

/** `list` with one more: most lists have one, and an array that was pushed to has room for 17. */
export function withOneMore<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}

const ALONE: Realm = { defaults: [], paths: [] };

/** What has become of links since they were planned. */
export interface LinkConditions {
  /** Is a direction out of service? */
  down?(direction: number): boolean;
  /** What a link, by its first direction, costs now; undefined: as planned. */
  cost?(direction: number): number | undefined;
}

/** Does it lead anywhere but on? */
export function hasDestinations(vertex: Vertex): boolean {
  return vertex.attachments.length > 0 || vertex.prefixes.length > 0 || vertex.virtual.length > 0;
}

/** Address families in use. */
export function familiesOf(plan: Plan): (4 | 6)[] {
  const families = new Set<4 | 6>();
  for (const population of plan.populations) {
    families.add(population.address.family);
    if (population.ipv6.address !== undefined) families.add(6);
    for (const address of population.extra) families.add(address.family);
    for (const address of population.virtual) families.add(address.family);
  }
  return [...families].sort();
}

/** Ends of links outside of gateways, by node. */
export class Ends {
  /** The only outer link of each node; -1 for none, or several. */
  declare readonly egress: Int32Array;
  /** How many there are. */
  declare readonly degree: Int32Array;

  constructor(plan: Plan) {
    this.egress = new Int32Array(plan.nodeCount + 1).fill(-1);
    this.degree = new Int32Array(plan.nodeCount + 1);
    for (const group of plan.links) this.#count(group);
  }

  #count(group: PlannedLinks): void {
    const { a, b, count } = group;
    for (let i = 0; i < count; i++) {
      const nodeA = a.population.firstRow + endOf(a, i, count);
      const nodeB = b.population.firstRow + endOf(b, i, count);
      if (!group.insideOfA) this.egress[nodeA] = this.degree[nodeA]++ === 0 ? group.aToB + i : -1;
      if (!group.insideOfB) this.egress[nodeB] = this.degree[nodeB]++ === 0 ? group.bToA + i : -1;
    }
  }
}

/** The vertices of an address family, and what hangs on them. */
export class Graph {
  readonly vertices: Vertex[] = [];
  declare readonly family: 4 | 6;
  readonly #ends: Ends;
  readonly #outer: Int32Array;
  readonly #inner: Int32Array;
  readonly #conditions: LinkConditions;
  /** Addresses that balancers serve. */
  readonly #served: Set<string>;

  constructor(plan: Plan, ends: Ends, family: 4 | 6, conditions: LinkConditions = {}) {
    this.family = family;
    this.#conditions = conditions;
    this.#served = servedAddresses(plan.populations);
    this.#ends = ends;
    this.#outer = new Int32Array(plan.nodeCount + 1).fill(-1);
    this.#inner = new Int32Array(plan.nodeCount + 1).fill(-1);
    for (const population of plan.populations) this.#addVertices(population, ecmpOf(population));
  }

  /** The vertex of a node (NAT: of its outer side), if it is one. */
  outerOf(node: number): Vertex | undefined {
    return this.vertices[this.#outer[node]];
  }

  /** The vertex of a NAT's inner side, if that is one of its own. */
  innerOf(node: number): Vertex | undefined {
    const inner = this.#inner[node];
    return inner === this.#outer[node] ? undefined : this.vertices[inner];
  }

  /** Adds the edges and attachments of a group of links. */
  addLinks(group: PlannedLinks): void {
    const { a, b, count } = group;
    const { down, cost: costNow } = this.#conditions;
    const last = (reverse: boolean, i: number, cost: number) => {
      return { cost, delayNs: directionOptions(group, reverse).delayNs ?? 0, rank: group.firstRank + 2 * i };
    };
    for (let i = 0; i < count; i++) {
      if (down !== undefined && (down(group.aToB + i) || down(group.bToA + i))) continue;
      const cost = costNow?.(group.aToB + i) ?? group.options.cost ?? 1;
      const nodeA = a.population.firstRow + endOf(a, i, count);
      const nodeB = b.population.firstRow + endOf(b, i, count);
      const vertexA = this.#vertexOf(nodeA, group.insideOfA);
      const vertexB = this.#vertexOf(nodeB, group.insideOfB);
      if (vertexA >= 0 && vertexB >= 0) {
        const there = { link: group.aToB + i, delayNs: directionOptions(group, false).delayNs ?? 0 };
        const back = { link: group.bToA + i, delayNs: directionOptions(group, true).delayNs ?? 0 };
        const rank = group.firstRank + 2 * i;
        const edge = (to: number, out: typeof there, home: typeof there): Edge => {
          const { link, delayNs } = out;
          return { to, link, cost, delayNs, backLink: home.link, backDelayNs: home.delayNs, rank };
        };
        const [from, to] = [this.vertices[vertexA], this.vertices[vertexB]];
        from.edges = withOneMore(from.edges, edge(vertexB, there, back));
        to.edges = withOneMore(to.edges, edge(vertexA, back, there));
      }
      if (vertexB >= 0) {
        const link = group.bToA + i;
        this.#attach(this.vertices[vertexB], a, nodeA, group.insideOfA, link);
        this.#attachVirtual(this.vertices[vertexB], a, link, last(true, i, cost));
      }
      if (vertexA >= 0) {
        const link = group.aToB + i;
        this.#attach(this.vertices[vertexA], b, nodeB, group.insideOfB, link);
        this.#attachVirtual(this.vertices[vertexA], b, link, last(false, i, cost));
      }
    }
  }

  /** Connected sets of vertices. */
  *components(): Generator<Vertex[]> {
    let component = 0;
    for (const start of this.vertices) {
      if (start.component !== 0 || start.leaf) continue;
      component++;
      start.component = component;
      const members = [start];
      for (let i = 0; i < members.length; i++) {
        for (const edge of members[i].edges) {
          const next = this.vertices[edge.to];
          if (next.component !== 0 || next.leaf) continue;
          next.component = component;
          members.push(next);
        }
      }
      yield members.sort((x, y) => x.rank - y.rank);
    }
  }

  #addVertices(population: PlannedPopulation, ecmp: Ecmp): void {
    for (let i = 0; i < population.count; i++) {
      const node = population.firstRow + i;
      const rank = population.firstRank + i;
      if (population.kind === ROUTER || population.kind === BALANCER) {
        this.#outer[node] = this.#add(node, false, true, rank);
        this.vertices[this.#outer[node]].ecmp = ecmp;
      } else {
        if (population.kind === NAT && this.#isRouted(population)) {
          this.#inner[node] = this.#outer[node] = this.#add(node, false, true, rank);
          this.#addOwn(this.vertices[this.#outer[node]], population, i);
          this.vertices[this.#outer[node]].gateway = true;
          continue;
        }
        // Its links are several: it needs to know which leads where, but passes nothing on.
        if (this.#ends.degree[node] > 1) this.#outer[node] = this.#add(node, false, false, rank);
        if (population.kind !== NAT) continue;
        this.#inner[node] = this.#add(node, true, true, rank);
        this.vertices[this.#inner[node]].blocks = population.address.family !== this.family;
        this.#addNat64(this.vertices[this.#inner[node]], population);
      }
    }
  }

  #add(node: number, inner: boolean, transit: boolean, rank: number): number {
    return this.vertices.push({
      node,
      inner,
      transit,
      rank,
      ecmp: "off",
      attachments: NONE,
      virtual: NONE,
      prefixes: NONE,
      edges: NONE,
      component: 0,
      realm: ALONE,
      leaf: false,
      gateway: false,
      blocks: false,
    }) - 1;
  }

  /** Does a gateway pass this family on as a router does? */
  #isRouted(population: PlannedPopulation): boolean {
    return this.family === 6 && population.ipv6.routed;
  }

  /** A NAT64: what stands for IPv4 addresses leads there. */
  #addNat64(vertex: Vertex, { ipv6 }: PlannedPopulation): void {
    if (this.family === 6 && ipv6.nat64 !== undefined) {
      vertex.prefixes = withOneMore(vertex.prefixes, { prefix: ipv6.nat64, link: -1 });
    }
  }

  /** A gateway that routes: its own addresses are reached from both sides. */
  #addOwn(vertex: Vertex, population: PlannedPopulation, member: number): void {
    this.#addNat64(vertex, population);
    const own = [population.innerAddress];
    if (hasIpv6(population, member)) own.push(addToAddress(population.ipv6.address!, member));
    for (const address of own) {
      if (address?.family !== this.family) continue;
      const prefix = { address, bits: this.family === 4 ? 32 : 128 };
      vertex.prefixes = withOneMore(vertex.prefixes, { prefix, link: -1 });
    }
  }

  #vertexOf(node: number, inner: boolean): number {
    return inner ? this.#inner[node] : this.#outer[node];
  }

  /** Hangs the addresses of `node`, seen over `link`, on a vertex; consecutive ones make one range. */
  #attach(vertex: Vertex, members: Members, node: number, inside: boolean, link: number): void {
    const { population } = members;
    const member = node - population.firstRow;
    // (Its own addresses hang on its own vertex.)
    if (population.kind === NAT && this.#isRouted(population)) return;
    if (inside) {
      if (population.innerAddress !== undefined) this.#range(vertex, population.innerAddress, link);
      return;
    }
    if (hasIpv6(population, member)) this.#range(vertex, addToAddress(population.ipv6.address!, member), link);
    const address = addToAddress(population.address, addressOffset(population, member));
    if (population.kind === ROUTER) {
      if (population.declaration.options.address !== undefined) this.#range(vertex, address, link);
      return;
    }
    if (population.kind === HOST) {
      this.#range(vertex, address, link);
      for (const extra of population.extra) this.#range(vertex, extra, link);
      return;
    }
    if (population.untranslated?.inside.address.family === this.family) {
      vertex.prefixes = withOneMore(vertex.prefixes, { prefix: population.untranslated.inside, link });
    }
    const { first, count, atAddress } = population.pool;
    if (!atAddress) this.#range(vertex, address, link);
    if (atAddress && count === 1) return this.#range(vertex, address, link);
    if (first.family !== this.family) return;
    for (const { first, count } of population.poolRanges ?? []) {
      vertex.attachments = withOneMore(vertex.attachments, { first, count, linkBase: link, stride: 0 });
    }
    if (population.poolRanges !== undefined) return;
    const range = { first: addToAddress(first, member * count), count, linkBase: link, stride: 0 };
    vertex.attachments = withOneMore(vertex.attachments, range);
  }

  /** Hangs the addresses of a population that others may have too on a vertex. */
  #attachVirtual(
    vertex: Vertex,
    { population }: Members,
    link: number,
    last: Omit<VirtualAttachment, "address" | "link">,
  ): void {
    for (const address of population.virtual) {
      if (address.family !== this.family) continue;
      if (population.kind === HOST && this.#served.has(formatAddress(address))) continue;
      vertex.virtual = withOneMore(vertex.virtual, { address, link, ...last });
    }
  }

  #range(vertex: Vertex, address: IpAddress, link: number): void {
    if (address.family !== this.family) return;
    const last = vertex.attachments[vertex.attachments.length - 1];
    if (last !== undefined && last.linkBase + last.count === link && (last.stride === 1 || last.count === 1)) {
      if (follows(last.first, last.count, address)) {
        last.count++;
        last.stride = 1;
        return;
      }
    }
    vertex.attachments = withOneMore(vertex.attachments, { first: address, count: 1, linkBase: link, stride: 1 });
  }
}

/** Is `address` the one after `count` addresses from `first`? Ranges stay within their last 32 bits. */
export function follows(first: IpAddress, count: number, address: IpAddress): boolean {
  if (first.family !== address.family) return false;
  const last = first.words.length - 1;
  for (let k = 0; k < last; k++) if ((first.words[k] | 0) !== (address.words[k] | 0)) return false;
  return (first.words[last] >>> 0) + count === (address.words[last] >>> 0);
}
