/**
 * Routes from the topology. What forwards (routers, and NAT gateways within their inner realms) is a vertex of a
 * graph; hosts and the outer sides of gateways hang on it as ranges of addresses. Shortest paths add up the links'
 * costs (hops, where none is given), then delay, then the names' order; routers and balancers share flows over equal
 * ones (`equal_cost.ts`). A NAT ends a realm: inner addresses are not known outside; inside, what is not known
 * goes to the gateway. Each address family has a graph of its own: a NAT that ends a realm of IPv4 may pass IPv6 on.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { covers, defaultPrefix, rangePrefixes } from "../node/prefixes.ts";
import type { RouteEntry, RoutePrefix } from "../node/routes.ts";
import {
  type Edge,
  Ends,
  familiesOf,
  Graph,
  hasDestinations,
  type LinkConditions,
  type Paths,
  type Vertex,
} from "./graph.ts";
import { linksTowards, sharedAddresses } from "./equal_cost.ts";
import { collapseLeaves } from "./leaves.ts";
import type { Plan, PlannedPopulation } from "./plan.ts";

const { NAT } = NODE_KIND;

/** What the builder writes into node rows. */
export interface NodeRoutes {
  /** The only link out (hosts), by node row; -1 where a table decides. */
  egress: Int32Array;
  /** Route table by node row (NAT: of the outer realm); 0 for none. */
  tables: Int32Array;
  /** NAT: route table of the inner realm. */
  innerTables: Int32Array;
}

/** Where routes are written: `RouteTables`, or who wants to see them. */
export interface RouteSink {
  /** A new table's id, at least 1. */
  create(): number;
  /** Adds a route; a second one for the same prefix replaces the first. */
  add(table: number, prefix: RoutePrefix, entry: RouteEntry): void;
  /** The table is complete. */
  freeze(table: number): void;
}

/** What routes depend on besides the plan, where something has happened. */
export interface RouteConditions extends LinkConditions {
  /** Routes that a node has been given, which come before those worked out. */
  fixed?(node: number): readonly { prefix: RoutePrefix; entry: RouteEntry }[];
}

/** Works out every node's routes. */
export function computeRoutes(
  plan: Plan,
  addresses: AddressTable,
  routes: RouteSink,
  conditions: RouteConditions = {},
): NodeRoutes {
  const ends = new Ends(plan);
  const result: NodeRoutes = {
    egress: ends.egress,
    tables: new Int32Array(plan.nodeCount + 1),
    innerTables: new Int32Array(plan.nodeCount + 1),
  };
  const graphs = familiesOf(plan).map((family) => graphOf(plan, ends, family, conditions));
  for (const population of plan.populations) {
    for (let i = 0; i < population.count; i++) {
      const node = population.firstRow + i;
      result.tables[node] = makeTable(routes, addresses, graphs, population, node, ends.egress[node], conditions);
      result.innerTables[node] = makeInnerTable(routes, addresses, graphs, node);
      // A gateway's own packets always take a table: it has two sides.
      if (population.kind === NAT) ends.egress[node] = -1;
    }
  }
  return result;
}

/** A family's graph, its shortest paths known. */
function graphOf(plan: Plan, ends: Ends, family: 4 | 6, conditions: LinkConditions): Graph {
  const graph = new Graph(plan, ends, family, conditions);
  // In an order that the declaration's does not change; of several links to one address the first by name decides.
  for (const group of plan.links.toSorted((x, y) => y.firstRank - x.firstRank)) graph.addLinks(group);
  if (family === 6) collapseLeaves(graph.vertices);
  for (const members of graph.components()) {
    if (members.length === 1) continue;
    const gateways = members.filter((vertex) => vertex.inner);
    const open = gateways.filter((vertex) => !vertex.blocks);
    const realm = { defaults: open.length > 0 ? open : gateways, paths: pathsFrom(graph.vertices, members) };
    for (const vertex of members) vertex.realm = realm;
  }
  return graph;
}

/** A node's table (NAT: of the outer realm), both families in one; 0 if it needs none. */
function makeTable(
  routes: RouteSink,
  addresses: AddressTable,
  graphs: Graph[],
  population: PlannedPopulation,
  node: number,
  egress: number,
  { fixed }: RouteConditions,
): number {
  let table = 0;
  const given = fixed?.(node) ?? [];
  const others = given.length === 0 ? routes : besides(given, routes);
  for (const graph of graphs) {
    const vertex = graph.outerOf(node);
    if (vertex !== undefined) {
      if (table === 0) table = routes.create();
      fillTable(graph, others, addresses, table, vertex);
    } else if (population.kind === NAT && egress >= 0 && population.address.family === graph.family) {
      // The outer side of a gateway with one outer link sends everything there.
      if (table === 0) table = routes.create();
      routes.add(table, defaultPrefix(graph.family), { link: egress });
    }
  }
  if (table === 0) return 0;
  for (const { prefix, entry } of given) routes.add(table, prefix, entry);
  routes.freeze(table);
  return table;
}

/** A sink that leaves out what routes given by hand come before; a default route only comes before another. */
function besides(given: readonly { prefix: RoutePrefix }[], routes: RouteSink): RouteSink {
  return {
    create: () => routes.create(),
    add(table, prefix, entry) {
      if (!given.some(({ prefix: mine }) => mine.bits > 0 && covers(mine, prefix))) routes.add(table, prefix, entry);
    },
    freeze: (table) => routes.freeze(table),
  };
}

/** A gateway's table of its inner realm, both families in one; 0 for other nodes. */
function makeInnerTable(routes: RouteSink, addresses: AddressTable, graphs: Graph[], node: number): number {
  let table = 0;
  for (const graph of graphs) {
    const vertex = graph.innerOf(node);
    if (vertex === undefined) continue;
    if (table === 0) table = routes.create();
    fillTable(graph, routes, addresses, table, vertex);
  }
  if (table !== 0) routes.freeze(table);
  return table;
}

/** Shortest paths towards every vertex that passes packets on to something. */
function pathsFrom(vertices: Vertex[], members: Vertex[]): Paths[] {
  return members.filter((vertex) => vertex.transit && (hasDestinations(vertex) || vertex.inner)).map((root) => {
    const next: Paths["next"] = new Map();
    const via = new Map<Vertex, { from: Vertex; edge: Edge }>();
    // What is so far away; a path through it is longer, so that what stands there is final when its turn comes.
    const atCost: Set<Vertex>[] = [new Set([root])];
    for (let cost = 0; cost < atCost.length; cost++) {
      for (const from of atCost[cost] ?? []) {
        if (from !== root && (!from.transit || next.get(from)!.cost !== cost)) continue;
        for (const edge of from.edges) {
          const to = vertices[edge.to];
          if (to === root) continue;
          const delayNs = (next.get(from)?.delayNs ?? 0) + edge.backDelayNs;
          const reached = cost + edge.cost;
          const known = next.get(to);
          if (known !== undefined && known.cost <= reached) {
            if (known.cost < reached || known.delayNs < delayNs) continue;
            // Equal so far: the first by name, of nodes and then of parallel links.
            const before = via.get(to)!;
            const order = before.from.rank - from.rank || before.edge.rank - edge.rank;
            if (known.delayNs === delayNs && order <= 0) continue;
          }
          next.set(to, { link: edge.backLink, cost: reached, delayNs });
          via.set(to, { from, edge });
          (atCost[reached] ??= new Set()).add(to);
        }
      }
    }
    return { root, next };
  });
}

/**
 * Does the vertex only know its own hosts, everything else lying behind its one neighbour? Of two that face each other
 * only one does, or they would send what neither knows back and forth.
 */
function isStub(vertex: Vertex, vertices: Vertex[]): boolean {
  if (vertex.leaf) return true;
  if (!vertex.transit || vertex.inner || vertex.edges.length !== 1) return false;
  const neighbour = vertices[vertex.edges[0].to];
  if (!neighbour.transit) return false;
  return neighbour.inner || neighbour.edges.length > 1 || neighbour.rank < vertex.rank;
}

function fillTable(
  graph: Graph,
  routes: RouteSink,
  addresses: AddressTable,
  table: number,
  vertex: Vertex,
): void {
  const { defaults, paths } = vertex.realm;
  const add = (prefix: RoutePrefix, entry: RouteEntry) => routes.add(table, prefix, entry);
  if (isStub(vertex, graph.vertices)) {
    add(defaultPrefix(graph.family), { link: vertex.edges[0].link });
  } else {
    // An address that hangs on several vertices (a host with several links) is reached at the nearest.
    const nearestFirst = paths.filter(({ root, next }) => root !== vertex && next.has(vertex)).sort((x, y) => {
      const [p, q] = [x.next.get(vertex)!, y.next.get(vertex)!];
      return p.cost - q.cost || p.delayNs - q.delayNs || x.root.rank - y.root.rank;
    });
    for (const path of nearestFirst.toReversed()) {
      const entry = entryOf(linksTowards(vertex, path, graph.vertices));
      for (const attachment of path.root.attachments) {
        for (const prefix of rangePrefixes(attachment.first, attachment.count)) add(prefix, entry);
      }
      for (const { prefix } of path.root.prefixes) add(prefix, entry);
    }
    const nearestDefault = vertex.inner ? undefined : nearestOf(vertex, defaults, paths);
    if (nearestDefault !== undefined) add(defaultPrefix(graph.family), { link: nearestDefault });
  }
  for (const { prefix, link } of vertex.prefixes) if (link >= 0) add(prefix, { link });
  for (const { first, count, linkBase, stride, spreadLinks } of vertex.attachments) {
    const entry: RouteEntry = count === 1 || (stride === 0 && spreadLinks === undefined)
      ? { link: linkBase }
      : spreadLinks === undefined
      ? { firstId: addresses.intern(first), count, linkBase, stride }
      : { firstId: addresses.intern(first), count, linkBase, spreadLinks };
    for (const prefix of rangePrefixes(first, count)) add(prefix, entry);
  }
  // (A stub knows of other places only that they lie behind its neighbour.)
  const knowsAll = vertex.virtual.length > 0 || !isStub(vertex, graph.vertices);
  for (const { address, links } of sharedAddresses(vertex, knowsAll ? paths : [], graph.vertices)) {
    add({ address, bits: address.family === 4 ? 32 : 128 }, entryOf(links));
  }
}

function entryOf(links: number[]): RouteEntry {
  return links.length === 1 ? { link: links[0] } : { links };
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
