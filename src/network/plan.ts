/**
 * From declarations to a plan: populations in the order of their names, every member's address, every link's ends.
 * Everything that can be wrong with a declaration by itself is found here.
 *
 * @module
 */
import {
  AddressError,
  addToAddress,
  compareAddresses,
  formatAddress,
  type IpAddress,
  type IpPrefix,
  notAHostsAddress,
  prefixContains,
} from "../base/address.ts";
import { nearest } from "../base/errors.ts";
import { NODE_KIND } from "../node/nodes.ts";
import type { BalancerOptions } from "./balancer_options.ts";
import { NetworkError } from "./errors.ts";
import type { HostOptions, LinkOptions, NatOptions, RouterOptions } from "./options.ts";
import { addressOf, hostsAddressOf } from "./plan_addresses.ts";
import { hasIpv6, type Ipv6Plan, NO_IPV6, planIpv6 } from "./plan_ipv6.ts";
import { planNat } from "./plan_nat.ts";

/** RFC 7600's dummy address: the source of ICMP errors of routers that have no address. */
const DUMMY_ADDRESS = "192.0.0.8";

const KINDS = { host: NODE_KIND.HOST, router: NODE_KIND.ROUTER, nat: NODE_KIND.NAT, balancer: NODE_KIND.BALANCER };

/** Consecutive external addresses. */
export interface PoolRange {
  first: IpAddress;
  count: number;
}

/** The external addresses of a population of NATs. */
export function poolRangesOf({ pool, poolRanges, count }: PlannedPopulation): PoolRange[] {
  return poolRanges ?? [{ first: pool.first, count: count * pool.count }];
}

/** A declared node or population. */
export type Declaration =
  | { kind: "host"; name: string; options: HostOptions }
  | { kind: "router"; name: string; options: RouterOptions }
  | { kind: "nat"; name: string; options: NatOptions }
  | { kind: "balancer"; name: string; options: BalancerOptions };

/** A declared link. */
export interface LinkDeclaration {
  /** One end: a node, or members of a population. */
  a: string;
  /** The other. */
  b: string;
  /** As given to `Network.link`. */
  options: LinkOptions;
}

/** A population, planned. Members are numbered from 0. */
export interface PlannedPopulation {
  name: string;
  kind: number;
  declaration: Declaration;
  count: number;
  plural: boolean;
  firstRow: number;
  firstRank: number;
  /** Address of member 0 (NAT: in the outer realm). */
  address: IpAddress;
  /** The prefix that it was declared with. */
  prefix: IpPrefix;
  /** Its members' IPv6 addresses beside `address`, and what a NAT does with IPv6. */
  ipv6: Ipv6Plan;
  /** NAT: first external address of member 0, how many each member has, and is the first its own address? */
  pool: { first: IpAddress; count: number; atAddress: boolean };
  /** A single NAT: its pool, where that is several ranges. */
  poolRanges?: PoolRange[];
  /** NAT: what it does not translate. */
  untranslated?: { inside: IpPrefix; to: IpPrefix[]; ports: number[] };
  /** NAT: address in the inner realm. */
  innerAddress: IpAddress | undefined;
  /** Further addresses (single hosts). */
  extra: IpAddress[];
  /** Addresses that others may have too: of a balancer's services, of hosts for anycast and direct return. */
  virtual: IpAddress[];
  /** Its addresses begin anew behind each gateway of this population of NATs. */
  behind: { gateways: PlannedPopulation; first: number } | undefined;
}

/** Some consecutive members of a population. */
export interface Members {
  population: PlannedPopulation;
  first: number;
  count: number;
}

/** A link declaration, planned: `count` links. */
export interface PlannedLinks {
  name: string;
  subject: string;
  a: Members;
  b: Members;
  count: number;
  options: LinkOptions;
  /** Does it lead to the inner realm of the NAT at that end? */
  insideOfA: boolean;
  insideOfB: boolean;
  /** Rank of its first direction. */
  firstRank: number;
  /** Direction rows: a to b of link i is `aToB + i`, b to a is `bToA + i`. */
  aToB: number;
  bToA: number;
}

/** The whole plan. */
export interface Plan {
  populations: PlannedPopulation[];
  byName: Map<string, PlannedPopulation>;
  links: PlannedLinks[];
  /** Nodes in all, and link directions in all. */
  nodeCount: number;
  directionCount: number;
}

/** How rows are numbered: results must not depend on it, and a test sees to that. */
export interface Numbering {
  /** Rows left unused before the first node. */
  skip: number;
  /** Number rows in the reverse order of declaration. */
  reversed: boolean;
}

/** The options of one direction of a link: `reverse` where it says something, else those of the link. */
export function directionOptions(group: PlannedLinks, reverse: boolean): LinkOptions {
  return reverse && group.options.reverse !== undefined
    ? { ...group.options, ...group.options.reverse }
    : group.options;
}

/** Which member at each end the i-th link of a group joins. */
export function endOf(members: Members, i: number, count: number): number {
  return members.first + (members.count === count ? i : Math.floor((i * members.count) / count));
}

/** The first member of a population of `count` that joins member `j` of a population of `gateways`. */
export function firstBehind(j: number, count: number, gateways: number): number {
  return Math.ceil((j * count) / gateways);
}

/** How far member `i`'s address is from its population's first. */
export function addressOffset(population: PlannedPopulation, i: number): number {
  const behind = population.behind;
  // Routers without an address all answer from the dummy one.
  if (population.kind === NODE_KIND.ROUTER && population.declaration.options.address === undefined) return 0;
  if (behind === undefined) return population.pool.atAddress ? i * population.pool.count : i;
  const gateway = Math.floor((i * behind.gateways.count) / population.count);
  return i - firstBehind(gateway, population.count, behind.gateways.count);
}

/** Plans a network. Throws `NetworkError`. */
export function planNetwork(declarations: Declaration[], links: LinkDeclaration[], numbering: Numbering): Plan {
  const byName = new Map<string, PlannedPopulation>();
  let row = 1 + numbering.skip;
  const inRowOrder = numbering.reversed ? declarations.toReversed() : declarations;
  for (const declaration of inRowOrder) {
    const population = planPopulation(declaration, row);
    byName.set(declaration.name, population);
    row += population.count;
  }
  const populations = [...byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  let rank = 0;
  for (const population of populations) {
    population.firstRank = rank;
    rank += population.count;
  }
  const planned = links.map((link, i) => planLinks(link, i, byName));
  numberLinks(planned, numbering);
  for (const group of planned) placeBehind(group);
  for (const population of populations) {
    checkSpace(population);
    checkFits(population);
  }
  for (const group of planned) checkSubnet(group);
  return {
    populations,
    byName,
    links: planned,
    nodeCount: row,
    directionCount: planned.reduce((sum, group) => sum + 2 * group.count, 0),
  };
}

/** Finds the members that `clients`, `clients[3]` or `clients[0..9]` names. */
export function findMembers(text: string, subject: string, byName: Map<string, PlannedPopulation>): Members {
  const match = /^([^[\]]+)(?:\[(\d+)(?:\.\.(\d+))?\])?$/.exec(text);
  if (match === null) {
    throw new NetworkError(subject, `"${text}" names no node: expected name, name[3] or name[0..9].`);
  }
  const population = byName.get(match[1]);
  if (population === undefined) {
    const near = nearest(match[1], [...byName.keys()]);
    const known = near === undefined ? "" : ` Did you mean "${near}"?`;
    throw new NetworkError(subject, `There is no node called "${match[1]}".${known}`);
  }
  if (match[2] === undefined) return { population, first: 0, count: population.count };
  const first = Number(match[2]);
  const last = match[3] === undefined ? first : Number(match[3]);
  if (last >= population.count || last < first) {
    throw new NetworkError(
      subject,
      `"${text}" is outside ${population.name}, which has members 0 to ${population.count - 1}.`,
    );
  }
  return { population, first, count: last - first + 1 };
}

function planPopulation(declaration: Declaration, firstRow: number): PlannedPopulation {
  const { name, options, kind } = declaration;
  const subject = `nodes.${name}`;
  const count = options.count ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > 16_000_000) {
    throw new NetworkError(`${subject}.count`, `A count is 1 to 16,000,000, not ${count}.`);
  }
  if (kind !== "router" && options.address === undefined) {
    throw new NetworkError(`${subject}.address`, `A ${kind === "nat" ? "NAT gateway" : kind} needs an address.`);
  }
  const prefix = hostsAddressOf(options.address ?? DUMMY_ADDRESS, `${subject}.address`);
  const planned: PlannedPopulation = {
    name,
    kind: KINDS[kind],
    declaration,
    count,
    plural: options.count !== undefined,
    firstRow,
    firstRank: 0,
    address: prefix.address,
    prefix,
    ipv6: NO_IPV6,
    pool: { first: prefix.address, count: 1, atAddress: true },
    innerAddress: undefined,
    extra: [],
    virtual: [],
    behind: undefined,
  };
  planned.ipv6 = planIpv6(declaration, prefix.address.family, subject);
  if (kind === "nat") planNat(planned, options, subject);
  if (kind === "host") {
    const extra = options.extraAddresses ?? [];
    if (extra.length > 0 && count > 1) {
      throw new NetworkError(`${subject}.extraAddresses`, "Only a single host can have further addresses.");
    }
    planned.extra = extra.map((text, i) => hostsAddressOf(text, `${subject}.extraAddresses[${i}]`).address);
    planned.virtual = (options.virtualAddresses ?? []).map((text, i) =>
      hostsAddressOf(text, `${subject}.virtualAddresses[${i}]`).address
    );
  }
  if (kind === "balancer") planBalancer(planned, options, subject);
  return planned;
}

/** Virtual addresses, and where sources come from; `balancers.ts` does the rest. */
function planBalancer(planned: PlannedPopulation, options: BalancerOptions, subject: string): void {
  const texts = new Set<string>();
  (options.services ?? []).forEach(({ address }, i) => {
    if (address === undefined) return;
    const virtual = hostsAddressOf(address, `${subject}.services[${i}].address`).address;
    const text = formatAddress(virtual);
    const own = planned.count === 1 && compareAddresses(virtual, planned.address) === 0;
    if (!own && !texts.has(text)) planned.virtual.push(virtual);
    texts.add(text);
  });
  const { sources } = options;
  if (sources === undefined) return;
  const first = hostsAddressOf(sources.first, `${subject}.sources`).address;
  if (!Number.isInteger(sources.count) || sources.count < 1) {
    throw new NetworkError(`${subject}.sources`, `Sources are at least one address, not ${sources.count}.`);
  }
  planned.pool = { first, count: sources.count, atAddress: compareAddresses(first, planned.address) === 0 };
}

function planLinks(link: LinkDeclaration, i: number, byName: Map<string, PlannedPopulation>): PlannedLinks {
  const subject = `links[${i}]`;
  const a = findMembers(link.a, `${subject}.between[0]`, byName);
  const b = findMembers(link.b, `${subject}.between[1]`, byName);
  const count = Math.max(a.count, b.count);
  for (let k = 0; a.population === b.population && k < count; k++) {
    if (endOf(a, k, count) !== endOf(b, k, count)) continue;
    const name = a.population.plural ? `${a.population.name}[${endOf(a, k, count)}]` : a.population.name;
    throw new NetworkError(`${subject}.between`, `A link joins two nodes, not ${name} to itself.`);
  }
  const natA = a.population.kind === NODE_KIND.NAT;
  const natB = b.population.kind === NODE_KIND.NAT;
  const inside = link.options.inside;
  if (inside !== undefined && !natA && !natB) {
    throw new NetworkError(`${subject}.inside`, "Only a link to a NAT gateway has an inside.");
  }
  return {
    name: link.options.name ?? `${link.a}--${link.b}`,
    subject,
    a,
    b,
    count,
    options: link.options,
    insideOfA: natA && !natB && inside === true,
    insideOfB: natB && (inside ?? true),
    firstRank: 0,
    aToB: 0,
    bToA: 0,
  };
}

/** Gives links their ranks, by name, and their direction rows, in the order of declaration. */
function numberLinks(links: PlannedLinks[], numbering: Numbering): void {
  const byName = links.toSorted((x, y) => x.name < y.name ? -1 : x.name > y.name ? 1 : 0);
  let rank = 0;
  for (let i = 0; i < byName.length; i++) {
    if (i > 0 && byName[i].name === byName[i - 1].name) {
      throw new NetworkError(
        byName[i].subject,
        `Two links are called "${byName[i].name}": give one of them a name of its own (name: …).`,
      );
    }
    byName[i].firstRank = rank;
    rank += 2 * byName[i].count;
  }
  let row = 0;
  for (const group of numbering.reversed ? links.toReversed() : links) {
    group.aToB = row;
    group.bToA = row + group.count;
    row += 2 * group.count;
  }
}

/** A population of hosts behind a population of NATs begins its addresses anew behind each. */
function placeBehind(group: PlannedLinks): void {
  const inner = group.insideOfB ? group.a : group.insideOfA ? group.b : undefined;
  const outer = group.insideOfB ? group.b : group.a;
  if (inner === undefined || outer.population.count === 1 || inner.population.kind !== NODE_KIND.HOST) return;
  if (inner.count !== inner.population.count || outer.count !== outer.population.count) return;
  if (inner.count < outer.count) return;
  inner.population.behind = { gateways: outer.population, first: 0 };
}

/** There must be as many addresses after the first. */
function checkSpace(population: PlannedPopulation): void {
  const { name, address, pool, count } = population;
  const within = (subject: string, first: IpAddress, last: number) => {
    try {
      const kind = notAHostsAddress(addToAddress(first, last));
      if (kind !== undefined) throw new AddressError(`the last address would be ${kind}: no node has it.`);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      throw new NetworkError(`nodes.${name}.${subject}`, error.message);
    }
  };
  within("address", address, addressOffset(population, lastMember(population)));
  if (population.kind === NODE_KIND.NAT) {
    for (const range of poolRangesOf(population)) within("pool", range.first, range.count - 1);
  }
  if (population.ipv6.address !== undefined) within("address6", population.ipv6.address, count - 1);
  if (population.kind === NODE_KIND.BALANCER) within("sources", pool.first, count * pool.count - 1);
}

/** Every member's address must lie in the prefix that the population was declared with. */
function checkFits(population: PlannedPopulation): void {
  const { options } = population.declaration;
  const last = lastMember(population);
  checkWithin(population, "address", options.address, population.prefix, last, addressOffset(population, last));
  const { prefix, address } = population.ipv6;
  if (address !== undefined) checkWithin(population, "address6", options.address6, prefix!, population.count - 1);
}

function checkWithin(
  population: PlannedPopulation,
  key: "address" | "address6",
  prefixText: string | undefined,
  prefix: IpPrefix,
  last: number,
  offset: number = last,
): void {
  if (!prefixText?.includes("/")) return;
  const address = addToAddress(prefix.address, offset);
  if (prefixContains(prefix, address)) return;
  throw new NetworkError(
    `nodes.${population.name}.${key}`,
    `${population.name}[${last}] would be ${formatAddress(address)}, outside the subnet of ${prefixText}: ` +
      `${population.count} members do not fit.`,
  );
}

/** The member with the highest address. */
function lastMember(population: PlannedPopulation): number {
  const behind = population.behind;
  if (behind === undefined) return population.count - 1;
  let best = 0;
  let most = -1;
  for (let j = 0; j < Math.min(behind.gateways.count, population.count); j++) {
    const last = firstBehind(j + 1, population.count, behind.gateways.count) - 1;
    const offset = addressOffset(population, last);
    if (offset > most) [most, best] = [offset, last];
  }
  return best;
}

/** A link with a subnet wants the addresses of its hosts and gateways within. */
function checkSubnet(group: PlannedLinks): void {
  const text = group.options.subnet;
  if (text === undefined) return;
  const subnet = addressOf(text, `${group.subject}.subnet`);
  for (const members of [group.a, group.b]) {
    const population = members.population;
    if (population.kind === NODE_KIND.ROUTER && population.declaration.options.address === undefined) continue;
    const inside = population.kind === NODE_KIND.NAT && (members === group.a ? group.insideOfA : group.insideOfB);
    if (inside && population.innerAddress === undefined) continue;
    const first6 = subnet.address.family === 6 ? population.ipv6.address : undefined;
    for (const i of [members.first, members.first + members.count - 1]) {
      if (first6 !== undefined && !hasIpv6(population, i)) continue;
      const address = first6 !== undefined
        ? addToAddress(first6, i)
        : inside
        ? population.innerAddress!
        : addToAddress(population.address, addressOffset(population, i));
      if (prefixContains(subnet, address)) continue;
      const name = population.plural ? `${population.name}[${i}]` : population.name;
      throw new NetworkError(
        `${group.subject}.subnet`,
        `${name} has address ${formatAddress(address)}, outside the link's subnet ${text}.`,
      );
    }
  }
}
