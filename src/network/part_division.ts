/**
 * Where a network is divided for several threads: at links with enough delay, so that the parts have about the same to do
 * and few packets cross. The outcome depends on the declaration alone.
 *
 * @module
 */
import { DIRECTION, type Links, PACE } from "../link/links.ts";
import type { ApplicationOptions } from "./applications.ts";
import type { PlannedEvent } from "./event_plan.ts";
import { packParts } from "./part_packing.ts";
import { APPLICATION_SECONDS, estimateLoad, opens } from "./part_load.ts";
import { planParts } from "./part_plan.ts";
import type { Division } from "./part_threads.ts";
import type { Partition } from "./partition.ts";
import { endOf, findMembers, type Members, type Plan } from "./plan.ts";
import type { PlannedWorkload } from "./workloads.ts";

/** Seconds that a router takes for a packet. */
const UNIT_SECONDS = 105e-9;
/** What it costs to hand a packet over to another thread, in the same unit. */
const CROSSING = 0.6;
/** What it costs, for each connection, that several parts open connections: each writes down when. */
const OPENED_APART = 1;
/** And in all, seconds: the code that opens them is compiled in each thread (measured: 300,000 gain nothing by it). */
const COMPILED_APART_SECONDS = 0.6;
/** Seconds for the threads to meet once, and to start. */
const MEETING_SECONDS = 5e-6;
const STARTING_SECONDS = 0.4;
/** What each thread, be it the only one, takes until its code is compiled well: no division makes it less. */
const WARMING_SECONDS = 0.6;
/** Parts that have the same to do on the whole do not in every window: so much longer do they take. */
const UNEVEN = 1.15;
/** Seconds that it takes to put a packet's passing over a link in order and to code or print it, in the first thread. */
const WATCHING_SECONDS = 2e-6;
/** A run in parts is worth while where it takes at most this share of the time. */
const WORTH_WHILE = 0.85;
/** Delays of groups, and of single links, at which dividing is tried. */
const TRIES = 12;
/** More links than this are not looked at one by one. */
const MOST_LINKS = 4_000_000;

/** What is to be divided. */
export interface Undivided {
  plan: Plan;
  workloads: readonly PlannedWorkload[];
  applications: readonly ApplicationOptions[];
  events: readonly PlannedEvent[];
  /** Parts at most. */
  count: number;
  /** Which nodes belong together: the first part's, the second's and so on. The first has what is not named. */
  parts?: readonly (readonly string[])[];
  /** Threads meet so often at least, ns. */
  meetNs?: number;
  /** Are packets looked at on the way? */
  watched?: boolean;
  /** Divide it also where nothing is gained. */
  always?: boolean;
}

/** A link and the rows of the nodes that it joins. */
interface Edges {
  a: Int32Array;
  b: Int32Array;
  /** Least delay of both directions during the run, ns; -1: what events do to it reaches both ends at once. */
  delayNs: Float64Array;
  group: Int32Array;
}

/** Divides a network. Returns a sentence where that cannot be, or gains nothing. */
export function divideNetwork(s: Partition, undivided: Undivided): Division | string {
  const { plan, parts } = undivided;
  if (plan.directionCount / 2 > MOST_LINKS) return "There are too many links to divide the network at some of them.";
  const edges = edgesOf(s.links, plan, undivided.events);
  const rows = plan.populations.reduce((most, { firstRow, count }) => Math.max(most, firstRow + count), 1);
  const owners = parts === undefined
    ? divideByLoad(s, undivided, edges, rows)
    : joinParts(planParts(plan, parts), parts.length, undivided.count);
  if (typeof owners === "string") return owners;
  const count = owners.reduce((most, owner) => Math.max(most, owner + 1), 1);
  let lookaheadNs = Infinity;
  for (let i = 0; i < edges.a.length; i++) {
    if (owners[edges.a[i]] === owners[edges.b[i]]) continue;
    const { name } = plan.links[edges.group[i]];
    if (edges.delayNs[i] === -1) {
      return `The link ${name} cannot lie between two parts: events take it, or a node at its end, out of service.`;
    }
    if (edges.delayNs[i] < 1) return `The link ${name} cannot lie between two parts: it has no delay.`;
    lookaheadNs = Math.min(lookaheadNs, edges.delayNs[i]);
  }
  return { count, owners, lookaheadNs, journals: openersOf(undivided, owners) > 1 };
}

/** Of more parts than threads neighbours share one. */
function joinParts(owners: Uint8Array, parts: number, threads: number): Uint8Array {
  return parts <= threads ? owners : owners.map((part) => Math.floor((part * threads) / parts));
}

function divideByLoad(
  s: Partition,
  undivided: Undivided,
  edges: Edges,
  rows: number,
): Uint8Array | string {
  const { plan, workloads, applications, count, always, watched, meetNs = Infinity } = undivided;
  const load = estimateLoad(s, plan, workloads, applications);
  const loads = new Float64Array(rows);
  plan.populations.forEach(({ firstRow, count: members }, i) =>
    loads.fill(load.nodes[i], firstRow, firstRow + members)
  );
  const packets = Float64Array.from(edges.group, (group) => load.links[group]);
  const watching = watched ? packets.reduce((sum, over) => sum + over, 0) * WATCHING_SECONDS : 0;
  const seconds = load.total * UNIT_SECONDS + watching + WARMING_SECONDS;
  const opened = workloads.reduce((sum, { options }) => sum + options.connections, 0);
  const simulated = Math.max(...workloads.map(durationOf), applications.length > 0 ? APPLICATION_SECONDS : 0.1);
  let best: { owners: Uint8Array; seconds: number } | undefined;
  const delays = delaysOf(edges);
  if (delays.length === 0) {
    const which = edges.delayNs.includes(-1) ? "No link that stays in service" : "No link";
    return `${which} has a delay at which the network could be divided.`;
  }
  for (const delayNs of delays) {
    const atoms = joinNodes(edges, rows, delayNs);
    for (let parts = 2; parts <= count; parts++) {
      const packed = packParts({ atoms, loads, edges, packets, crossing: CROSSING, parts });
      if (packed === undefined) continue;
      const apart = opened > 0 && openersOf(undivided, packed.owners) > 1
        ? opened * OPENED_APART * UNIT_SECONDS + COMPILED_APART_SECONDS
        : 0;
      const meetings = (simulated * 1e9) / Math.min(delayNs, meetNs);
      const busy = packed.most * UNIT_SECONDS * UNEVEN;
      const taken = busy + apart + watching + meetings * MEETING_SECONDS + STARTING_SECONDS + WARMING_SECONDS;
      if (best === undefined || taken < best.seconds) best = { owners: packed.owners, seconds: taken };
    }
  }
  if (best !== undefined && (always || best.seconds <= seconds * WORTH_WHILE)) return best.owners;
  if (watched && best !== undefined) {
    return "Packets are looked at in one thread, which takes longer than what could be divided.";
  }
  if (seconds < 2 * (STARTING_SECONDS + WARMING_SECONDS)) {
    return "The run is so short that starting threads would take longer.";
  }
  if (best === undefined) return "All that there is to do is in one place, which no link with a delay divides.";
  const share = Math.round(100 * best.seconds / seconds);
  return `The best division of the network at links with delay is estimated to take ${share}% of the time of one thread.`;
}

/** Seconds of simulated time in which a workload does most of what it does, roughly. */
function durationOf({ options }: PlannedWorkload): number {
  const { connections, arrivals, holdNs = 0, thinkNs = 0, requests = 1, atNs = [] } = options;
  const perSecond = arrivals?.perSecond ?? Infinity;
  const each = (Number.isFinite(holdNs) ? holdNs : 0) + thinkNs * requests;
  const last = atNs.length === 0 ? 0 : atNs[atNs.length - 1] / 1e9;
  return last + connections / perSecond + each / 1e9;
}

/** How many parts open connections. */
function openersOf({ plan, workloads, applications }: Undivided, owners: Uint8Array): number {
  const parts = new Set<number>();
  const add = ({ population, first, count }: Members) => {
    for (let i = 0; i < count; i++) parts.add(owners[population.firstRow + first + i]);
  };
  for (const { options, from } of workloads) {
    if (opens(options)) from.forEach(add);
  }
  for (const { on } of applications) on.forEach((name) => add(findMembers(name, "", plan.byName)));
  return parts.size;
}

function edgesOf(links: Links, plan: Plan, events: readonly PlannedEvent[]): Edges {
  const count = plan.links.reduce((sum, group) => sum + group.count, 0);
  const edges = {
    a: new Int32Array(count),
    b: new Int32Array(count),
    delayNs: new Float64Array(count),
    group: new Int32Array(count),
  };
  const delayOf = (d: number) => links.pace[d * PACE.STRIDE + PACE.DELAY_NS];
  const settingsOf = (d: number) => links.settings[links.words[d * DIRECTION.STRIDE + DIRECTION.SETTINGS]];
  const firstEdge = new Map<string, number>();
  let at = 0;
  plan.links.forEach((group, index) => {
    firstEdge.set(group.name, at);
    for (let i = 0; i < group.count; i++, at++) {
      edges.a[at] = group.a.population.firstRow + endOf(group.a, i, group.count);
      edges.b[at] = group.b.population.firstRow + endOf(group.b, i, group.count);
      edges.delayNs[at] = Math.min(delayOf(group.aToB + i), delayOf(group.bToA + i));
      edges.group[at] = index;
    }
  });
  const unsteady = new Set<number>();
  for (const { event, links: range, nodes } of events) {
    if (event.kind === "node") {
      for (const { population, first, count: members } of nodes) {
        for (let i = first; i < first + members; i++) unsteady.add(population.firstRow + i);
      }
    }
    if (event.kind !== "link" || range === undefined) continue;
    for (let i = range.first; i < range.first + range.count; i++) {
      const edge = firstEdge.get(range.group.name)! + i;
      if (event.state !== undefined) edges.delayNs[edge] = -1;
      if (event.delayNs === undefined || edges.delayNs[edge] === -1) continue;
      for (const d of [range.group.aToB + i, range.group.bToA + i]) {
        const spreadNs = delayOf(d) - settingsOf(d).delayNs;
        edges.delayNs[edge] = Math.min(edges.delayNs[edge], event.delayNs + spreadNs);
      }
    }
  }
  if (unsteady.size > 0) {
    for (let i = 0; i < count; i++) if (unsteady.has(edges.a[i]) || unsteady.has(edges.b[i])) edges.delayNs[i] = -1;
  }
  return edges;
}

/** Delays at which dividing is tried: the least of each group of links, and some others. */
function delaysOf(edges: Edges): number[] {
  const least: number[] = [];
  for (let i = 0; i < edges.group.length; i++) {
    const group = edges.group[i];
    least[group] = Math.min(least[group] ?? Infinity, edges.delayNs[i]);
  }
  const some = (delays: Iterable<number>) => {
    const all = [...new Set(delays)].filter((ns) => ns >= 1).sort((a, b) => b - a);
    if (all.length <= TRIES) return all;
    return Array.from({ length: TRIES }, (_, i) => all[Math.floor((i * (all.length - 1)) / (TRIES - 1))]);
  };
  return [...new Set([...some(least), ...some(edges.delayNs)])];
}

/** Which nodes stay together where only links of `delayNs` or more are cut: the same number for all of them, by row. */
function joinNodes(edges: Edges, rows: number, delayNs: number): Int32Array {
  const parent = Int32Array.from({ length: rows }, (_, row) => row);
  const root = (row: number) => {
    while (parent[row] !== row) row = parent[row] = parent[parent[row]];
    return row;
  };
  for (let i = 0; i < edges.a.length; i++) {
    if (edges.delayNs[i] >= delayNs) continue;
    const [x, y] = [root(edges.a[i]), root(edges.b[i])];
    if (x !== y) parent[Math.max(x, y)] = Math.min(x, y);
  }
  for (let row = 0; row < rows; row++) parent[row] = root(row);
  return parent;
}
