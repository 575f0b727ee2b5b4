/**
 * Routes from the topology. What forwards (routers, and NAT gateways within their inner realms) is a vertex of a
 * graph; hosts and the outer sides of gateways hang on it as ranges of addresses. Shortest paths count hops, then
 * delay, then the names' order. A NAT ends a realm: inner addresses are not known outside; inside, what is not known
 * goes to the gateway.
 *
 * @module
 */
import { type AddressTable, addToAddress, type IpAddress } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { defaultPrefix, rangePrefixes } from "../node/prefixes.ts";
import type { RouteEntry, RoutePrefix, RouteTables } from "../node/routes.ts";
import { addressOffset, directionOptions, endOf, type Members, type Plan, type PlannedLinks } from "./plan.ts";
import type { PlannedPopulation } from "./plan.ts";

const { HOST, ROUTER, NAT } = NODE_KIND;

/** Addresses reached from a vertex over its own links. */
interface Attachment {
  first: IpAddress;
  count: number;
  linkBase: number;
  stride: number;
}

/** A link from one vertex to another. */
interface Edge {
  to: number;
  link: number;
  /** The direction that comes back, and its delay. */
  backLink: number;
  backDelayNs: number;
  /** Rank of the link: decides between parallel ones. */
  rank: number;
}

/** Shortest paths to one vertex: how far each other is, and which link it takes. */
interface Paths {
  root: Vertex;
  next: Map<Vertex, { link: number; hops: number; delayNs: number }>;
}

/** Something that has routes: a router, a gateway's inner side, or a host or outer side with several links. */
interface Vertex {
  node: number;
  inner: boolean;
  /** Does it pass packets on? */
  transit: boolean;
  rank: number;
  attachments: Attachment[];
  edges: Edge[];
  component: number;
}

/** What the builder writes into node rows. */
export interface NodeRoutes {
  /** The only link out (hosts), by node row; -1 where a table decides. */
  egress: Int32Array;
  /** Route table by node row (NAT: of the outer realm); 0 for none. */
  tables: Int32Array;
  /** NAT: route table of the inner realm. */
  innerTables: Int32Array;
}

/** Works out every node's routes. */
export function computeRoutes(plan: Plan, addresses: AddressTable, routes: RouteTables): NodeRoutes {
  const graph = new Graph(plan);
  const result: NodeRoutes = {
    egress: graph.egress,
    tables: new Int32Array(plan.nodeCount + 1),
    innerTables: new Int32Array(plan.nodeCount + 1),
  };
  // In an order that the declaration's does not change; of several links to one address the first by name decides.
  for (const group of plan.links.toSorted((x, y) => y.firstRank - x.firstRank)) graph.addLinks(group);
  for (const members of graph.components()) {
    const defaults = members.filter((vertex) => vertex.inner);
    const nextHops = members.length === 1 ? [] : pathsFrom(graph.vertices, members);
    for (const vertex of members) {
      const table = routes.create();
      fillTable(graph, routes, addresses, table, vertex, defaults, nextHops);
      routes.freeze(table);
      if (vertex.inner) result.innerTables[vertex.node] = table;
      else result.tables[vertex.node] = table;
    }
  }
  addOuterTables(plan, graph, routes, result);
  return result;
}

/** Shortest paths towards every vertex that passes packets on to something. */
function pathsFrom(vertices: Vertex[], members: Vertex[]): Paths[] {
  return members.filter((vertex) => vertex.transit && (vertex.attachments.length > 0 || vertex.inner)).map((root) => {
    const next: Paths["next"] = new Map();
    const via = new Map<Vertex, { from: Vertex; edge: Edge }>();
    let level = [root];
    for (let hops = 1; level.length > 0; hops++) {
      const found = new Set<Vertex>();
      for (const from of level) {
        if (!from.transit && from !== root) continue;
        for (const edge of from.edges) {
          const to = vertices[edge.to];
          if (to === root) continue;
          const delayNs = (next.get(from)?.delayNs ?? 0) + edge.backDelayNs;
          const known = next.get(to);
          if (known !== undefined) {
            if (known.hops < hops || known.delayNs < delayNs) continue;
            // Equal so far: the first by name, of nodes and then of parallel links.
            const before = via.get(to)!;
            const order = before.from.rank - from.rank || before.edge.rank - edge.rank;
            if (known.delayNs === delayNs && order <= 0) continue;
          }
          next.set(to, { link: edge.backLink, hops, delayNs });
          via.set(to, { from, edge });
          found.add(to);
        }
      }
      level = [...found];
    }
    return { root, next };
  });
}

/**
 * Does the vertex only know its own hosts, everything else lying behind its one neighbour? Of two that face each other
 * only one does, or they would send what neither knows back and forth.
 */
function isStub(vertex: Vertex, vertices: Vertex[]): boolean {
  if (!vertex.transit || vertex.inner || vertex.edges.length !== 1) return false;
  const neighbour = vertices[vertex.edges[0].to];
  if (!neighbour.transit) return false;
  return neighbour.inner || neighbour.edges.length > 1 || neighbour.rank < vertex.rank;
}

function fillTable(
  graph: Graph,
  routes: RouteTables,
  addresses: AddressTable,
  table: number,
  vertex: Vertex,
  defaults: Vertex[],
  paths: Paths[],
): void {
  const add = (prefix: RoutePrefix, entry: RouteEntry) => routes.add(table, prefix, entry);
  if (isStub(vertex, graph.vertices)) {
    for (const family of graph.families) add(defaultPrefix(family), { link: vertex.edges[0].link });
  } else {
    // An address that hangs on several vertices (a host with several links) is reached at the nearest.
    const nearestFirst = paths.filter(({ root, next }) => root !== vertex && next.has(vertex)).sort((x, y) => {
      const [p, q] = [x.next.get(vertex)!, y.next.get(vertex)!];
      return p.hops - q.hops || p.delayNs - q.delayNs || x.root.rank - y.root.rank;
    });
    for (const { root, next } of nearestFirst.toReversed()) {
      const { link } = next.get(vertex)!;
      for (const attachment of root.attachments) {
        for (const prefix of rangePrefixes(attachment.first, attachment.count)) add(prefix, { link });
      }
    }
    const nearestDefault = vertex.inner ? undefined : nearestOf(vertex, defaults, paths);
    if (nearestDefault !== undefined) {
      for (const family of graph.families) add(defaultPrefix(family), { link: nearestDefault });
    }
  }
  for (const attachment of vertex.attachments) {
    const { first, count, linkBase, stride } = attachment;
    const entry = count === 1 || stride === 0
      ? { link: linkBase }
      : { firstId: addresses.intern(first), count, linkBase, stride };
    for (const prefix of rangePrefixes(first, count)) add(prefix, entry);
  }
}

/** The link towards the gateway with the lowest rank that can be reached. */
function nearestOf(
  vertex: Vertex,
  defaults: Vertex[],
  paths: Paths[],
): number | undefined {
  let best: Vertex | undefined;
  let link: number | undefined;
  for (const { root, next } of paths) {
    if (!defaults.includes(root) || !next.has(vertex)) continue;
    if (best === undefined || root.rank < best.rank) [best, link] = [root, next.get(vertex)!.link];
  }
  return link;
}

/** The outer side of a gateway with one outer link sends everything there. */
function addOuterTables(plan: Plan, graph: Graph, routes: RouteTables, result: NodeRoutes): void {
  for (const population of plan.populations) {
    if (population.kind !== NAT) continue;
    for (let i = 0; i < population.count; i++) {
      const node = population.firstRow + i;
      if (result.tables[node] !== 0 || graph.egress[node] < 0) continue;
      const table = routes.create();
      for (const family of graph.families) routes.add(table, defaultPrefix(family), { link: graph.egress[node] });
      routes.freeze(table);
      result.tables[node] = table;
      // A gateway's own packets always take a table: it has two sides.
      graph.egress[node] = -1;
    }
    for (let i = 0; i < population.count; i++) graph.egress[population.firstRow + i] = -1;
  }
}

/** Vertices, and what hangs on them. */
class Graph {
  readonly vertices: Vertex[] = [];
  /** The only outer link of each node; -1 for none, or several. */
  readonly egress: Int32Array;
  /** Address families in use. */
  readonly families: (4 | 6)[];
  /** Outer links of each node. */
  readonly #degree: Int32Array;
  readonly #outer: Int32Array;
  readonly #inner: Int32Array;
  readonly #plan: Plan;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.egress = new Int32Array(plan.nodeCount + 1).fill(-1);
    this.#degree = new Int32Array(plan.nodeCount + 1);
    this.#outer = new Int32Array(plan.nodeCount + 1).fill(-1);
    this.#inner = new Int32Array(plan.nodeCount + 1).fill(-1);
    const families = new Set<4 | 6>();
    for (const population of plan.populations) {
      families.add(population.address.family);
      for (const address of population.extra) families.add(address.family);
    }
    this.families = [...families].sort();
    for (const group of plan.links) this.#countDegrees(group);
    for (const population of plan.populations) this.#addVertices(population);
  }

  /** Adds the edges and attachments of a group of links. */
  addLinks(group: PlannedLinks): void {
    const { a, b, count } = group;
    for (let i = 0; i < count; i++) {
      const nodeA = a.population.firstRow + endOf(a, i, count);
      const nodeB = b.population.firstRow + endOf(b, i, count);
      const vertexA = this.#vertexOf(nodeA, group.insideOfA);
      const vertexB = this.#vertexOf(nodeB, group.insideOfB);
      if (vertexA >= 0 && vertexB >= 0) {
        const there = { link: group.aToB + i, delayNs: directionOptions(group, false).delayNs ?? 0 };
        const back = { link: group.bToA + i, delayNs: directionOptions(group, true).delayNs ?? 0 };
        const rank = group.firstRank + 2 * i;
        const edge = (to: number, out: typeof there, home: typeof there): Edge => {
          return { to, link: out.link, backLink: home.link, backDelayNs: home.delayNs, rank };
        };
        this.vertices[vertexA].edges.push(edge(vertexB, there, back));
        this.vertices[vertexB].edges.push(edge(vertexA, back, there));
      }
      if (vertexB >= 0) this.#attach(this.vertices[vertexB], a, nodeA, group.insideOfA, group.bToA + i);
      if (vertexA >= 0) this.#attach(this.vertices[vertexA], b, nodeB, group.insideOfB, group.aToB + i);
    }
  }

  /** Connected sets of vertices. */
  *components(): Generator<Vertex[]> {
    let component = 0;
    for (const start of this.vertices) {
      if (start.component !== 0) continue;
      component++;
      start.component = component;
      const members = [start];
      for (let i = 0; i < members.length; i++) {
        for (const edge of members[i].edges) {
          const next = this.vertices[edge.to];
          if (next.component !== 0) continue;
          next.component = component;
          members.push(next);
        }
      }
      yield members.sort((x, y) => x.rank - y.rank);
    }
  }

  #countDegrees(group: PlannedLinks): void {
    const { a, b, count } = group;
    for (let i = 0; i < count; i++) {
      const nodeA = a.population.firstRow + endOf(a, i, count);
      const nodeB = b.population.firstRow + endOf(b, i, count);
      if (!group.insideOfA) this.egress[nodeA] = this.#degree[nodeA]++ === 0 ? group.aToB + i : -1;
      if (!group.insideOfB) this.egress[nodeB] = this.#degree[nodeB]++ === 0 ? group.bToA + i : -1;
    }
  }

  #addVertices(population: PlannedPopulation): void {
    for (let i = 0; i < population.count; i++) {
      const node = population.firstRow + i;
      const rank = population.firstRank + i;
      if (population.kind === ROUTER) this.#outer[node] = this.#add(node, false, true, rank);
      else {
        // Its links are several: it needs to know which leads where, but passes nothing on.
        if (this.#degree[node] > 1) this.#outer[node] = this.#add(node, false, false, rank);
        if (population.kind === NAT) this.#inner[node] = this.#add(node, true, true, rank);
      }
    }
  }

  #add(node: number, inner: boolean, transit: boolean, rank: number): number {
    return this.vertices.push({ node, inner, transit, rank, attachments: [], edges: [], component: 0 }) - 1;
  }

  #vertexOf(node: number, inner: boolean): number {
    return inner ? this.#inner[node] : this.#outer[node];
  }

  /** Hangs the addresses of `node`, seen over `link`, on a vertex; consecutive ones make one range. */
  #attach(vertex: Vertex, members: Members, node: number, inside: boolean, link: number): void {
    const { population } = members;
    const member = node - population.firstRow;
    if (inside) {
      if (population.innerAddress !== undefined) this.#range(vertex, population.innerAddress, link);
      return;
    }
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
    const { first, count, atAddress } = population.pool;
    if (!atAddress) this.#range(vertex, address, link);
    if (atAddress && count === 1) return this.#range(vertex, address, link);
    vertex.attachments.push({ first: addToAddress(first, member * count), count, linkBase: link, stride: 0 });
  }

  #range(vertex: Vertex, address: IpAddress, link: number): void {
    const last = vertex.attachments[vertex.attachments.length - 1];
    if (last !== undefined && last.linkBase + last.count === link && (last.stride === 1 || last.count === 1)) {
      if (follows(last.first, last.count, address)) {
        last.count++;
        last.stride = 1;
        return;
      }
    }
    vertex.attachments.push({ first: address, count: 1, linkBase: link, stride: 1 });
  }
}

/** Is `address` the one after `count` addresses from `first`? Ranges stay within their last 32 bits. */
function follows(first: IpAddress, count: number, address: IpAddress): boolean {
  if (first.family !== address.family) return false;
  const last = first.words.length - 1;
  for (let k = 0; k < last; k++) if ((first.words[k] | 0) !== (address.words[k] | 0)) return false;
  return (first.words[last] >>> 0) + count === (address.words[last] >>> 0);
}
