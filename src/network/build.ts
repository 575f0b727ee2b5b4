/**
 * From a plan to a partition: rows for nodes, links, hosts and gateways, addresses interned, routes computed.
 *
 * @module
 */
import { AddressTable, type IpAddress } from "../base/address.ts";
import { finalise32, hashString } from "../base/hash.ts";
import { substreamKey } from "../base/rng.ts";
import { hasImpairments, NO_IMPAIRMENTS } from "../link/impairments.ts";
import { DIRECTION_FLAG, Links, type LinkSettings } from "../link/links.ts";
import { SESSION } from "../nat/layout.ts";
import { NatTables } from "../nat/nat.ts";
import { NODE, NODE_FLAG, NODE_KIND, Nodes } from "../node/nodes.ts";
import { RouteTables } from "../node/routes.ts";
import { newClock } from "../store/clock.ts";
import { checkCongestionControl } from "../tcp/congestion/types.ts";
import { TcpStack } from "../tcp/stack.ts";
import { TCB } from "../tcp/state/tcb.ts";
import { HostTable } from "../transport/hosts.ts";
import { makeProfile, ProfileTable } from "../transport/profile.ts";
import { PACKET, PacketPool } from "../wire/packet.ts";
import { fillGateways, poolId } from "./build_nat.ts";
import { located, NetworkError } from "./errors.ts";
import { disciplineOf } from "./link_disciplines.ts";
import { LinkQueueApp } from "./link_queues.ts";
import type { HostOptions, LinkOptions } from "./options.ts";
import { Loopback } from "./loopback.ts";
import { FineTimers } from "./fine_timers.ts";
import { addBudgets, memoryOf } from "./budget_build.ts";
import { type Load, tuplesOf } from "./load.ts";
import { reserveRows, spared } from "./reserve.ts";
import { addCpus } from "./cpu_build.ts";
import { FINE_TIMER_APP, LINK_QUEUE_APP, LOOPBACK_APP, Partition } from "./partition.ts";
import {
  addressOffset,
  directionOptions,
  endOf,
  type Plan,
  type PlannedLinks,
  type PlannedPopulation,
  poolRangesOf,
} from "./plan.ts";
import { hasIpv6 } from "./plan_ipv6.ts";
import { checkUnique } from "./realms.ts";
import { computeRoutes } from "./topology.ts";

const { MASK, STRIDE } = NODE;

/** Ethernet's. */
const DEFAULT_MTU = 1500;

/** Builds the partition. Throws `NetworkError`. */
export function buildPartition(plan: Plan, seed: number, load: Load): Partition {
  const addresses = new AddressTable();
  reserveAddresses(plan, addresses);
  const clock = newClock();
  const packets = new PacketPool();
  const profiles = new ProfileTable();
  const hosts = new HostTable({ seed, capacity: plan.nodeCount + 1 });
  const nodes = new Nodes({
    capacity: plan.nodeCount,
    populations: plan.populations.map((population) => ({
      name: population.name,
      count: population.count,
      plural: population.plural,
      firstRow: population.firstRow,
      firstRank: population.firstRank,
      firstAddress6: firstId6(population, addresses),
      maxFiles: hostOptions(population)?.maxFiles ?? hostOptions(population)?.profile?.maxFiles ?? Infinity,
      memoryBytes: memoryOf(population),
      peakFiles: 0,
    })),
  });
  const nat = new NatTables({
    packets,
    addresses,
    seed,
    sessionCapacity: spared(load.sessions, SESSION.STRIDE),
    tupleCapacity: load.sessions,
    clock,
  });
  const links = buildLinks(plan, packets, addresses, seed, clock);
  const routes = new RouteTables(addresses);
  const nodeRoutes = computeRoutes(plan, addresses, routes);
  for (let index = 0; index < plan.populations.length; index++) {
    const population = plan.populations[index];
    fillNodes(population, index, nodes, addresses);
    for (let i = 0; i < population.count; i++) {
      const node = population.firstRow + i;
      nodes.words[node * STRIDE + NODE.EGRESS] = nodeRoutes.egress[node];
      nodes.words[node * STRIDE + NODE.ROUTES] = nodeRoutes.tables[node];
      nodes.words[node * STRIDE + NODE.INNER_ROUTES] = nodeRoutes.innerTables[node];
    }
    if (population.kind === NODE_KIND.HOST) fillHosts(population, hosts, profiles);
    if (population.kind === NODE_KIND.NAT) fillGateways(population, nodes, nat, addresses);
  }
  checkUnique(plan, nodes, addresses, (population, i) => poolId(population, i, addresses));
  setMtus(plan, hosts);
  const tcp = new TcpStack({
    packets,
    addresses,
    hosts,
    profiles,
    seed,
    connectionCapacity: spared(load.ends, TCB.STRIDE),
    tupleCapacity: tuplesOf(load),
    clock,
  });
  tcp.demux.anyOfFamily = {
    ipv4: addresses.intern("0.0.0.0"),
    ipv6: addresses.intern("::"),
    isIpv6: (address) => addresses.isIpv6(address),
  };
  const queueCapacity = spared(load.packets + load.events, PACKET.STRIDE);
  const tables = { clock, packets, addresses, nodes, links, hosts, profiles, tcp, nat, routes };
  const partition = new Partition({ ...tables, seed, queueCapacity });
  partition.plan = plan;
  reserveRows(partition, load);
  partition.apps[LOOPBACK_APP] = new Loopback(partition);
  partition.apps[FINE_TIMER_APP] = new FineTimers(partition);
  partition.apps[LINK_QUEUE_APP] = new LinkQueueApp(partition);
  addCpus(partition, plan);
  addBudgets(partition);
  return partition;
}

/** The options of a population of hosts. */
export function hostOptions(population: PlannedPopulation): HostOptions | undefined {
  return population.declaration.kind === "host" ? population.declaration.options : undefined;
}

/** The id of the first member's IPv6 address beside its IPv4 one; 0 if the population has none. */
function firstId6({ ipv6 }: PlannedPopulation, addresses: AddressTable): number {
  return ipv6.address === undefined ? 0 : addresses.intern(ipv6.address);
}

/** How many consecutive addresses a population spans from its first. */
export function addressSpan(population: PlannedPopulation): number {
  const behind = population.behind;
  if (behind !== undefined) return Math.ceil(population.count / behind.gateways.count);
  return addressOffset(population, population.count - 1) + 1;
}

/** Ranges first, merged where they overlap, so that one address has one id. */
function reserveAddresses(plan: Plan, addresses: AddressTable): void {
  const ranges: { first: IpAddress; count: number }[] = [];
  for (const population of plan.populations) {
    ranges.push({ first: population.address, count: addressSpan(population) });
    if (population.ipv6.address !== undefined) {
      ranges.push({ first: population.ipv6.address, count: population.count });
    }
    if (population.kind !== NODE_KIND.NAT && population.kind !== NODE_KIND.BALANCER) continue;
    ranges.push(...poolRangesOf(population));
  }
  addresses.reserve(ranges);
}

function fillNodes(population: PlannedPopulation, index: number, nodes: Nodes, addresses: AddressTable): void {
  const words = nodes.words;
  const extra = [...population.extra, ...population.virtual].map((address) => addresses.intern(address));
  const { declaration } = population;
  const salt = declaration.kind === "router" ? hashString(population.name).lo : 0;
  const firstId = addresses.intern(population.address);
  const inner = population.innerAddress === undefined ? 0 : addresses.intern(population.innerAddress);
  for (let i = 0; i < population.count; i++) {
    const node = population.firstRow + i;
    const at = (node * STRIDE) & MASK;
    words[at + NODE.KIND] = population.kind;
    words[at + NODE.RANK] = population.firstRank + i;
    words[at + NODE.POPULATION] = index;
    words[at + NODE.ADDRESS] = firstId + addressOffset(population, i);
    words[at + NODE.INNER_ADDRESS] = inner;
    if (hasIpv6(population, i)) words[at + NODE.FLAGS] |= NODE_FLAG.DUAL_STACK;
    if (population.ipv6.routed) words[at + NODE.FLAGS] |= NODE_FLAG.ROUTES_IPV6;
    if (population.ipv6.nat64 !== undefined) words[at + NODE.FLAGS] |= NODE_FLAG.NAT64;
    if (declaration.kind === "router") {
      words[at + NODE.SALT] = finalise32(salt + i);
      if (declaration.options.ecmp === "resilient") words[at + NODE.FLAGS] |= NODE_FLAG.RESILIENT_ECMP;
    }
    if (extra.length > 0) {
      words[at + NODE.FLAGS] |= NODE_FLAG.MANY_ADDRESSES;
      nodes.extraAddresses.set(node, [words[at + NODE.ADDRESS], ...extra]);
    }
  }
}

function fillHosts(population: PlannedPopulation, hosts: HostTable, profiles: ProfileTable): void {
  const options = hostOptions(population)!;
  const profile = located(`nodes.${population.name}.profile`, () => {
    const made = makeProfile(options.profile ?? {});
    checkCongestionControl(made.congestionControl);
    return profiles.add(made);
  });
  const name = hashString(population.name);
  for (let i = 0; i < population.count; i++) {
    const host = population.firstRow + i;
    hosts.ensure(host);
    hosts.setProfile(host, profile);
    hosts.setRank(host, population.firstRank + i);
    // The member's number enters the population's hash: a string for each of a million hosts would be slow.
    hosts.setNameHash(host, (name.lo + Math.imul(i, 0x9e3779b1)) | 0, (name.hi ^ Math.imul(i + 1, 0x85ebca77)) | 0);
  }
}

function buildLinks(
  plan: Plan,
  packets: PacketPool,
  addresses: AddressTable,
  seed: number,
  clock: Float64Array,
): Links {
  const links = new Links({ packets, addresses, capacity: plan.directionCount, clock });
  const groups = plan.links.toSorted((x, y) => x.aToB - y.aToB);
  for (const group of groups) {
    const forward = links.settings.push(linkSettings(group.options, group.subject)) - 1;
    const reverse = group.options.reverse === undefined
      ? forward
      : links.settings.push(linkSettings(directionOptions(group, true), `${group.subject}.reverse`)) - 1;
    addDirections(links, group, forward, false, seed);
    addDirections(links, group, reverse, true, seed);
  }
  return links;
}

function addDirections(links: Links, group: PlannedLinks, settings: number, reverse: boolean, seed: number): void {
  const { a, b, count } = group;
  const { delaySpreadSteps: spread = 0, delaySpreadStepNs: stepNs = 0 } = directionOptions(group, reverse);
  const { impaired, discipline } = links.settings[settings];
  const { kind } = (reverse ? a : b).population;
  const kindFlag = kind === NODE_KIND.HOST
    ? DIRECTION_FLAG.TO_HOST
    : kind === NODE_KIND.NAT
    ? DIRECTION_FLAG.TO_NAT
    : 0;
  const toInside = reverse ? group.insideOfA : group.insideOfB;
  for (let i = 0; i < count; i++) {
    const nodeA = a.population.firstRow + endOf(a, i, count);
    const nodeB = b.population.firstRow + endOf(b, i, count);
    const drawing = impaired || discipline !== undefined;
    const key = drawing ? substreamKey(seed, "link", `${group.name}[${i}]${reverse ? "<" : ">"}`) : undefined;
    links.add({
      from: reverse ? nodeB : nodeA,
      to: reverse ? nodeA : nodeB,
      settings,
      rank: group.firstRank + 2 * i + (reverse ? 1 : 0),
      flags: kindFlag | (toInside ? DIRECTION_FLAG.FROM_INSIDE : 0),
      extraDelayNs: spread === 0 ? 0 : ((i * 7919) % spread) * stepNs,
      key: key === undefined ? undefined : Int32Array.of(key.k0, key.k1),
    });
  }
}

/** Settings that are times: whole numbers of ns, below `EXTRA_DELAY_NS`'s 2^31 where they spread. */
const TIMES = ["delayNs", "reorderNs", "jitterNs", "delaySpreadStepNs"] as const;
const SHARES = ["loss", "duplicate", "reorder", "corrupt"] as const;

/** Throws `NetworkError` for what is out of range. `subject` is the link, or its `reverse`. */
export function linkSettings(options: LinkOptions, subject: string): LinkSettings {
  const refuse = (name: string, sentence: string) => {
    throw new NetworkError(`${subject}.${name}`, sentence);
  };
  for (const name of SHARES) {
    const share = options[name] ?? 0;
    if (!(share >= 0 && share <= 1)) refuse(name, `A share is 0 to 1 (0% to 100%), not ${share}.`);
  }
  for (const name of TIMES) {
    const ns = options[name] ?? 0;
    if (Number.isSafeInteger(ns) && ns >= 0) continue;
    refuse(name.slice(0, -2), `A delay is a whole number of nanoseconds from 0 on, not ${ns}.`);
  }
  const steps = options.delaySpreadSteps ?? 0;
  if (!(Number.isSafeInteger(steps) && steps >= 0)) {
    refuse("delaySpread", `A delay spread has a whole number of steps from 0 on, not ${steps}.`);
  }
  if (steps * (options.delaySpreadStepNs ?? 0) >= 2 ** 31) {
    refuse("delaySpread", "A delay spread reaches less than 2^31 ns (2.1 s) in all.");
  }
  const { cost = 1 } = options;
  if (!(Number.isInteger(cost) && cost >= 1 && cost <= 65535)) refuse("cost", `A cost is 1 to 65,535, not ${cost}.`);
  const rateBps = options.rateBps ?? Infinity;
  if (!(rateBps > 0)) refuse("rate", `A rate is more than 0 bit/s, not ${rateBps}.`);
  const mtuBytes = options.mtu ?? DEFAULT_MTU;
  if (!(Number.isInteger(mtuBytes) && mtuBytes >= 68 && mtuBytes <= 65535)) {
    // RFC 791 3.1: every internet module must forward datagrams of 68 octets.
    refuse("mtu", `An MTU is 68 to 65,535 bytes, not ${mtuBytes}.`);
  }
  const { queueBytes = Infinity, queuePackets = Infinity } = options;
  for (const limit of [queueBytes, queuePackets]) {
    if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) {
      refuse("queue", `A queue holds a whole number of bytes or packets from 0 on, not ${limit}.`);
    }
    if (limit !== Infinity && rateBps === Infinity) {
      refuse("queue", "A queue needs a rate: packets never wait for a link without one.");
    }
  }
  const { ecnThresholdBytes = Infinity, ecnThresholdPackets = Infinity } = options;
  for (const threshold of [ecnThresholdBytes, ecnThresholdPackets]) {
    if (threshold !== Infinity && !(Number.isSafeInteger(threshold) && threshold >= 0 && rateBps !== Infinity)) {
      refuse(
        "ecnThreshold",
        `An ECN threshold is a whole number of bytes or packets of a link with a rate, not ${threshold}.`,
      );
    }
  }
  const impairments = {
    loss: options.loss ?? NO_IMPAIRMENTS.loss,
    duplicate: options.duplicate ?? NO_IMPAIRMENTS.duplicate,
    reorder: options.reorder ?? NO_IMPAIRMENTS.reorder,
    reorderNs: options.reorderNs ?? 1e6,
    corrupt: options.corrupt ?? NO_IMPAIRMENTS.corrupt,
    jitterNs: options.jitterNs ?? NO_IMPAIRMENTS.jitterNs,
  };
  return {
    rateBps,
    delayNs: options.delayNs ?? 0,
    mtuBytes,
    queueBytes,
    ...disciplineOf(options, { rateBps, queueBytes, queuePackets }, mtuBytes, subject),
    ecnThresholdBytes,
    ecnThresholdPackets,
    impairments,
    impaired: hasImpairments(impairments),
  };
}

/** A host's MTU is that of the narrowest link that it sends into. */
function setMtus(plan: Plan, hosts: HostTable): void {
  const narrowest = new Uint16Array(plan.nodeCount + 1);
  for (const group of plan.links) {
    for (const members of [group.a, group.b]) {
      const { kind } = members.population;
      if (kind !== NODE_KIND.HOST && kind !== NODE_KIND.BALANCER) continue;
      const mtu = directionOptions(group, members === group.b).mtu ?? DEFAULT_MTU;
      for (let i = 0; i < members.count; i++) {
        const host = members.population.firstRow + members.first + i;
        if (narrowest[host] !== 0 && narrowest[host] <= mtu) continue;
        narrowest[host] = mtu;
        hosts.setMtu(host, mtu);
      }
    }
  }
}
