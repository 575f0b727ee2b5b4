/**
 * How much there will be to do where: an estimate from the declared workloads and the routes that their packets will take.
 * It decides where a network is divided, never what happens in it.
 *
 * @module
 */
import type { IpAddress } from "../base/address.ts";
import { addToAddress } from "../base/address.ts";
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import type { ApplicationOptions } from "./applications.ts";
import type { Destination } from "./destinations.ts";
import type { WorkloadOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import { findMembers, type Plan } from "./plan.ts";
import { proxyOf } from "./proxies.ts";
import { follow } from "./reachability.ts";
import type { PlannedWorkload } from "./workloads.ts";

/**
 * What a packet costs at a node, by its kind, and a connection at the host that opens it, besides: the unit is a router's
 * (`examples/million.yaml`, profiled: instructions, and what waits for memory).
 */
const COSTS: Record<number, number> = {
  [NODE_KIND.HOST]: 4,
  [NODE_KIND.ROUTER]: 1,
  [NODE_KIND.NAT]: 4.5,
  [NODE_KIND.BALANCER]: 4,
};
const OPENING = 10;

/** Ways that are looked at for each workload. */
const WAYS = 48;

/** Back ends of a balancer or a proxy that are looked at. */
const BACKENDS = 8;

/** Bytes of a full segment; and how many packets one means, ACKs included. */
const SEGMENT_BYTES = 1448;
const PACKETS_A_SEGMENT = 1.5;

/** The estimate. All is in units of what a router does for a packet. */
export interface Load {
  /** Of one member of each population, in the order of `Plan.populations`. */
  nodes: Float64Array;
  /** Packets over one link of each group, in the order of `Plan.links`. */
  links: Float64Array;
  /** Of all nodes together. */
  total: number;
}

/** Packets that applications of modules are taken to send. Nobody can know: who asks for threads expects many. */
const APPLICATION_PACKETS = 4e6;
/** Simulated seconds that they are taken to run for. */
export const APPLICATION_SECONDS = 10;

/** Estimates the load of the workloads and the applications. */
export function estimateLoad(
  s: Partition,
  plan: Plan,
  workloads: readonly PlannedWorkload[],
  applications: readonly ApplicationOptions[],
): Load {
  const nodes = new Float64Array(plan.populations.length);
  const links = new Float64Array(plan.links.length);
  const byRow = new Map(plan.populations.map((population, i) => [population.firstRow, i]));
  const populationOf = (node: number) => {
    return byRow.get(s.nodes.populations[s.nodes.words[node * NODE.STRIDE + NODE.POPULATION]].firstRow)!;
  };
  const groupOf = (d: number) =>
    plan.links.findIndex(({ aToB, bToA, count }) => (d >= aToB && d < aToB + count) || (d >= bToA && d < bToA + count));
  const at = (node: number, packets: number) => {
    nodes[populationOf(node)] += packets * COSTS[s.nodes.words[node * NODE.STRIDE + NODE.KIND]];
  };
  const go = (from: number, to: number, packets: number, depth: number) => {
    at(from, packets);
    let node = from;
    follow(s, from, to, (d) => {
      links[groupOf(d)] += packets;
      node = s.links.words[d * DIRECTION.STRIDE + DIRECTION.TO];
      at(node, packets);
    });
    if (depth > 0) {
      for (const next of beyond(s, plan, node)) {
        go(node, next.address, packets * next.share, depth - 1);
      }
    }
  };
  for (const workload of workloads) {
    const sources = workload.from.reduce((sum, { count }) => sum + count, 0);
    const targets = workload.to.flatMap(addressesOf);
    if (targets.length === 0 || workload.options.connections === 0) continue;
    const ways = Math.max(Math.min(sources, WAYS), Math.min(targets.length, WAYS));
    const packets = packetsOf(workload.options) / ways;
    const opened = opens(workload.options) ? workload.options.connections / ways : 0;
    for (let way = 0; way < ways; way++) {
      const source = Math.floor((way * sources) / ways);
      const target = targets[Math.floor((way * targets.length) / ways)];
      nodes[populationOf(sourceAt(workload, source))] += opened * OPENING;
      go(sourceAt(workload, source), s.addresses.intern(target), packets, 2);
    }
  }
  const hosts = [...new Set(applications.flatMap(({ on }) => on.flatMap((name) => rowsOf(name, plan))))];
  const pairs = pairsOf(hosts);
  for (const [from, to] of pairs) {
    go(from, s.nodes.words[to * NODE.STRIDE + NODE.ADDRESS], APPLICATION_PACKETS / pairs.length, 0);
  }
  const total = nodes.reduce((sum, load) => sum + load, 0);
  plan.populations.forEach(({ count }, i) => nodes[i] /= count);
  plan.links.forEach(({ count }, i) => links[i] /= count);
  return { nodes, links, total };
}

function rowsOf(name: string, plan: Plan): number[] {
  const { population, first, count } = findMembers(name, "", plan.byName);
  return Array.from({ length: Math.min(count, WAYS) }, (_, i) => {
    return population.firstRow + first + Math.floor((i * count) / Math.min(count, WAYS));
  });
}

/** Who of some hosts talks with whom, where that is not known: each with some others, near and far in the list. */
function pairsOf(hosts: readonly number[]): [number, number][] {
  if (hosts.length === 1) return [[hosts[0], hosts[0]]];
  const most = Math.min(hosts.length, WAYS);
  return Array.from({ length: most }, (_, i) => Math.floor((i * hosts.length) / most)).flatMap((i) =>
    [1, Math.ceil(hosts.length / 2)].map((step): [number, number] => [hosts[i], hosts[(i + step) % hosts.length]])
  );
}

/** Where a balancer or a proxy passes packets on to. */
function beyond(s: Partition, plan: Plan, node: number): { address: number; share: number }[] {
  const balancer = s.balancers?.list[s.nodes.words[node * NODE.STRIDE + NODE.BALANCER]];
  const kind = s.nodes.words[node * NODE.STRIDE + NODE.KIND];
  if (kind === NODE_KIND.BALANCER && balancer !== undefined) {
    const found = balancer.services.flatMap(({ backends }) => backends).slice(0, BACKENDS);
    return found.map(({ address }) => ({ address, share: 1 / found.length }));
  }
  if (kind !== NODE_KIND.HOST || s.proxies.length === 0) return [];
  const name = s.nodes.populations[s.nodes.words[node * NODE.STRIDE + NODE.POPULATION]].name;
  const found = (proxyOf(plan.byName.get(name)!)?.backends ?? []).flatMap((backend) => {
    const text = (typeof backend === "string" ? backend : backend.to).replace(/:\d+$/, "");
    if (!plan.byName.has(text.replace(/\[.*$/, ""))) return [];
    const { population, first } = findMembers(text, "", plan.byName);
    return [s.nodes.words[(population.firstRow + first) * NODE.STRIDE + NODE.ADDRESS]];
  });
  return found.map((address) => ({ address, share: 1 / found.length }));
}

function sourceAt({ from }: PlannedWorkload, i: number): number {
  for (const { population, first, count } of from) {
    if (i < count) return population.firstRow + first + i;
    i -= count;
  }
  return from[0].population.firstRow;
}

/** Some of the addresses that a destination may lead to. */
function addressesOf(to: Destination): IpAddress[] {
  if (to.name !== undefined || to.addresses !== undefined) return (to.addresses ?? []).slice(0, WAYS);
  const ways = Math.min(to.count, WAYS);
  return Array.from({ length: ways }, (_, i) => addToAddress(to.first, Math.floor((i * to.count) / ways)));
}

/** Does a workload open connections? */
export function opens({ kind, transport }: WorkloadOptions): boolean {
  return kind !== "dns" && transport !== "udp";
}

/** Packets of a workload, both ways, roughly. */
function packetsOf(options: WorkloadOptions): number {
  const { connections, kind, transport, requests = 1 } = options;
  if (kind === "dns") return 2 * connections;
  if (transport === "udp") return 2 * requests * connections;
  const segments = (bytes: number) => PACKETS_A_SEGMENT * Math.ceil(bytes / SEGMENT_BYTES);
  const data = kind === "bulk"
    ? segments(options.bytes ?? 1_000_000)
    : kind === "request-response"
    ? requests * (segments(options.requestBytes ?? 100) + segments(options.replyBytes ?? 1000))
    : options.exchanges !== undefined
    ? options.exchanges.reduce(
      (sum, { requestBytes = 0, replyBytes = 0 }) => sum + segments(requestBytes) + segments(replyBytes),
      0,
    )
    : segments(options.bytes ?? 0);
  return connections * (5 + data);
}
