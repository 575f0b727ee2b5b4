/**
 * How far every limit was used, for the report: refusals that were recorded on the way, and the use of those limits
 * that never refused anything.
 *
 * @module
 */
import type { LimitReport } from "../report/document.ts";
import { formatCount, formatDurationNs, formatRateBps } from "../base/units.ts";
import { LIMIT_NAMES, type LimitName } from "../base/limit_names.ts";
import { gatewayLimits } from "../nat/nat.ts";
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { listenerUse } from "../socket/rows.ts";
import { addHostLimits, type LimitFound } from "./limits_hosts.ts";
import { compareOrders, type FullPairs, portLimits } from "./limits_ports.ts";
import { balancerLimits, proxyLimits } from "./limits_balancers.ts";
import type { Profile } from "../transport/profile.ts";
import type { Conditions, LimitNote } from "./conditions.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

/** Ports are counted of this many rows at most: of more, only refusals tell. */
const MOST_COUNTED = 6_000_000;

/** A limit as far as a part of a network knows it: for each stage of the search what was found first and fullest. */
export interface LimitFinding extends LimitFound {
  limit: LimitName;
  node: string;
  /** Which comes first of those that are equally full: the stage of the search, then what tells its findings apart. */
  order: number[];
}

/** What a part of a network knows of its limits. */
export interface LimitFindings {
  found: LimitFinding[];
  /** Populations of which hosts had no port left towards destinations. */
  full: FullPairs[];
  /** Rows of connections that were looked at. */
  rows: number;
}

/** Stages of the search. */
const STAGE = {
  RECORDS: 0,
  PORTS: 1,
  GATEWAYS: 2,
  LISTENERS: 3,
  LINKS: 4,
  BALANCERS: 5,
  PROXIES: 6,
  HOSTS: 7,
} as const;

/** Takes up what was found at one stage: the fullest counts, of equals the first. */
type Add = (limit: LimitName, node: string, found: LimitFound, order: number[]) => void;

/** All limits that there are in this network, the first that refused something first, then by how full they got. */
export function limitReports(s: Partition): LimitReport[] {
  return joinLimits([findLimits(s)], s.conditions.limitNotes);
}

/** Goes through all limits of the nodes that are run here. */
export function findLimits(s: Partition): LimitFindings {
  const byKey = new Map<string, LimitFinding>();
  const add: Add = (limit, node, found, order) => {
    const key = `${order[0]} ${limit} ${node}`;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { limit, node, ...found, order });
    else merge(known, found, order);
  };
  for (const record of s.limits.byKey.values()) add(record.limit, record.node, record, [STAGE.RECORDS]);
  const rows = s.tcp.tcbs.inUse + s.tcp.timeWaits.inUse;
  const ports = rows > MOST_COUNTED ? { found: [], full: [] } : portLimits(s);
  for (const { node, order, ...found } of ports.found) add("ports", node, found, [STAGE.PORTS, ...order]);
  addGateways(s, add);
  addListeners(s, add);
  addLinks(s, add);
  for (const { limit, node, row, ...found } of balancerLimits(s)) add(limit, node, found, [STAGE.BALANCERS, row]);
  for (const [i, { limit, node, ...found }] of [...proxyLimits(s)].entries()) {
    add(limit, node, found, [STAGE.PROXIES, i]);
  }
  addHostLimits(s, (limit, node, found, row) => add(limit, node, found, [STAGE.HOSTS, row]));
  return { found: [...byKey.values()], full: ports.full, rows };
}

/** The limits of a whole network, of what its parts have found; `notes`: what events have changed of them. */
export function joinLimits(parts: readonly LimitFindings[], notes: Conditions["limitNotes"]): LimitReport[] {
  const counted = parts.reduce((sum, { rows }) => sum + rows, 0) <= MOST_COUNTED;
  const found = parts.flatMap((part) => part.found).filter(({ order }) => counted || order[0] !== STAGE.PORTS);
  found.sort((a, b) => compareOrders(a.order, b.order));
  const byKey = new Map<string, LimitFinding>();
  const ends = found.findIndex(({ order }) => order[0] > STAGE.PORTS);
  const early = ends < 0 ? found : found.slice(0, ends);
  const merged = (list: LimitFinding[]) => {
    for (const one of list) {
      const key = `${one.limit} ${one.node}`;
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, { ...one });
      else merge(known, one, one.order);
    }
  };
  merged(early);
  if (counted) addFull(parts.flatMap(({ full }) => full), byKey);
  merged(found.slice(early.length));
  for (const [key, known] of notes) {
    const finding = byKey.get(key);
    if (finding !== undefined) addNotes(finding, known);
  }
  const reports = [...byKey.values()].map(({ limit, node, used, capacity, firstNs, refused, detail }): LimitReport => ({
    limit,
    node,
    used,
    capacity,
    firstHitSeconds: firstNs < 0 ? null : firstNs / 1e9,
    refused,
    detail,
  }));
  const order = (limit: LimitReport) => limit.firstHitSeconds ?? Infinity;
  return reports.sort((a, b) =>
    order(a) - order(b) || b.used / b.capacity - a.used / a.capacity ||
    LIMIT_NAMES.indexOf(a.limit) - LIMIT_NAMES.indexOf(b.limit) || (a.node < b.node ? -1 : 1)
  );
}

/** Most changes of a limit that are told one by one. */
const MOST_NOTES = 3;

/** Tells that events have changed a limit; of one that is unlimited now, the last limit that it had. */
function addNotes(report: LimitFinding, notes: readonly LimitNote[]): void {
  if (report.capacity === Infinity) {
    report.capacity = notes.findLast(({ before }) => before !== Infinity)?.before ?? report.used;
  }
  // (What was in use may be from before a limit was lowered.)
  if (report.used > report.capacity) {
    const finite = notes.flatMap(({ before }) => before === Infinity ? [] : [before]);
    report.capacity = Math.max(report.capacity, ...finite);
  }
  for (const { text } of notes.slice(0, MOST_NOTES)) report.detail += `; ${text}`;
  if (notes.length > MOST_NOTES) report.detail += `; ${formatCount(notes.length - MOST_NOTES)} more changes`;
}

/** Adds to a population's record: the fullest member counts for use, all together for refusals. */
function merge(known: LimitFinding, found: LimitFound, order: number[]): void {
  const [share, other] = [found.used / found.capacity, known.used / known.capacity];
  const records = order[0] === STAGE.RECORDS && known.order[0] === STAGE.RECORDS;
  if (records) {
    // (Of two parts: what was refused first says what it is about.)
    const earlier = found.firstNs < known.firstNs || (found.firstNs === known.firstNs && found.detail < known.detail);
    if (earlier) known.detail = found.detail;
    if (found.used > known.used) {
      known.used = found.used;
      known.capacity = found.capacity;
    }
  } else if (share > other || (share === other && compareOrders(order, known.order) < 0)) {
    known.used = found.used;
    known.capacity = found.capacity;
    known.detail = found.detail;
    known.order = order;
  }
  known.refused += found.refused;
  if (found.firstNs >= 0 && (known.firstNs < 0 || found.firstNs < known.firstNs)) known.firstNs = found.firstNs;
}

/** Says of populations without a port left how many connections that makes. */
function addFull(full: readonly FullPairs[], byKey: Map<string, LimitFinding>): void {
  for (const node of new Set(full.map((one) => one.node))) {
    const same = full.filter((one) => one.node === node);
    const sum = (key: "pairs" | "sources" | "hosts") => same.reduce((total, one) => total + one[key], 0);
    const all = { ...same[0], pairs: sum("pairs"), sources: sum("sources"), hosts: sum("hosts") };
    if (all.pairs < 2) continue;
    byKey.get(`ports ${node}`)!.detail += inAll(all, new Set(same.flatMap((one) => one.destinations)).size);
  }
}

/** `; 36 hosts x 28,232 ports = 1,016,352 connections`: of a population whose hosts have all ports in use. */
function inAll(full: FullPairs, destinations: number): string {
  const { pairs, sources, hosts, ports } = full;
  // (A host may have several addresses that it connects from: a proxy.)
  const one = sources > hosts ? "source address" : "host";
  const many = sources > hosts ? "source addresses" : "hosts";
  const factors = sources * destinations === pairs
    ? [
      sources > 1 ? [`${formatCount(sources)} ${many}`] : [],
      destinations > 1 ? [`${formatCount(destinations)} destinations`] : [],
    ]
      .flat().join(" x ")
    : `${formatCount(pairs)} pairs of ${one} and destination`;
  const each = `${formatCount(ports)} ${ports === 1 ? "port" : "ports"}`;
  return `; ${factors} x ${each} = ${formatCount(pairs * ports)} connections`;
}

function addGateways(s: Partition, add: Add): void {
  for (const population of s.nodes.populations) {
    if (s.nodes.words[population.firstRow * NODE.STRIDE + NODE.KIND] !== NODE_KIND.NAT) continue;
    for (let i = 0; i < population.count; i++) {
      if (!owns(s, population.firstRow + i)) continue;
      const gateway = s.nodes.words[(population.firstRow + i) * NODE.STRIDE + NODE.GATEWAY];
      for (const limit of gatewayLimits(s.nat, gateway)) {
        add(limit.limit, population.name, {
          used: limit.used,
          capacity: limit.capacity,
          firstNs: limit.firstHitNs,
          refused: limit.refused,
          detail: limit.unit,
        }, [STAGE.GATEWAYS, i]);
      }
    }
  }
}

function addListeners(s: Partition, add: Add): void {
  const uses = [...s.closedListeners, ...s.listeners.map((listener) => listenerUse(s.tcp, listener))];
  for (const [i, use] of uses.entries()) {
    if (!owns(s, use.host)) continue;
    const population = s.nodes.populations[s.nodes.words[use.host * NODE.STRIDE + NODE.POPULATION]];
    add("accept-queue", population.name, {
      used: use.acceptPeak,
      // As Linux: a queue is full when it is longer than the backlog.
      capacity: use.backlog + 1,
      firstNs: use.acceptFirstNs,
      refused: use.acceptOverflows,
      detail: `connections waiting for accept on port ${use.port}`,
    }, [STAGE.LISTENERS, i]);
    add("syn-queue", population.name, {
      used: use.synPeak,
      capacity: synQueueCapacity(use.backlog, s.profiles.get(s.hosts.profileOf(use.host))),
      firstNs: use.synFirstNs,
      refused: use.synOverflows,
      detail: `half-open connections on port ${use.port}`,
    }, [STAGE.LISTENERS, i]);
  }
}

/**
 * Half-open connections that a listener keeps: as Linux, one more than its backlog; and where there are no cookies, the
 * last quarter of `tcp_max_syn_backlog` is not for strangers.
 */
function synQueueCapacity(backlog: number, profile: Readonly<Profile>): number {
  const { maxSynBacklog, synCookies } = profile;
  return 1 + (synCookies === 0 ? Math.min(backlog, maxSynBacklog - (maxSynBacklog >> 2)) : backlog);
}

/** How busy a link was: what it took over what it could have carried. */
function linkUse(carriedBytes: number, rateBps: number, nowNs: number): string {
  if (nowNs === 0) return "";
  const share = Math.min(1, carriedBytes * 8e9 / rateBps / nowNs);
  return `, busy ${(share * 100).toFixed(1)}% of ${formatDurationNs(nowNs, 3)} (${formatCount(carriedBytes)} B x 8 / ` +
    `${formatRateBps(rateBps)})`;
}

/** What a queue's discipline did before the queue was full. */
function managed(s: Partition, direction: number): string {
  const { discipline } = s.links.settings[s.links.words[direction * DIRECTION.STRIDE + DIRECTION.SETTINGS]];
  if (discipline === undefined) return "";
  return `; ${discipline.kind} dropped ${formatCount(s.links.earlyDrops(direction))} early, marked ${
    formatCount(s.links.queueMarks(direction))
  }`;
}

/** Links with a limited queue, named by the node that sends into them. */
function addLinks(s: Partition, add: Add): void {
  let i = 0;
  for (const [direction, queue] of s.links.queues) {
    i++;
    const at = direction * DIRECTION.STRIDE;
    const settings = s.links.settings[s.links.words[at + DIRECTION.SETTINGS]];
    const from = s.links.words[at + DIRECTION.FROM];
    const to = s.links.words[at + DIRECTION.TO];
    if (!owns(s, from)) continue;
    const inPackets = settings.queuePackets !== Infinity;
    const nodes = s.nodes;
    const name = (node: number) => nodes.populations[nodes.words[node * NODE.STRIDE + NODE.POPULATION]].name;
    add("link", name(from), {
      used: inPackets ? queue.peakPackets : queue.peakBytes,
      capacity: inPackets ? settings.queuePackets : settings.queueBytes,
      firstNs: queue.firstFullNs,
      refused: s.links.queueDrops(direction),
      detail: `${inPackets ? "packets" : "bytes"} waiting for the link to ${name(to)}${
        linkUse(queue.carriedBytes, settings.rateBps, s.nowNs)
      }${managed(s, direction)}`,
    }, [STAGE.LINKS, i]);
  }
}
