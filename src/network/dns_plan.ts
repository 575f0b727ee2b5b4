/**
 * What a network's declaration says about DNS: names resolved, addresses read, numbers checked, before anything is built.
 *
 * @module
 */
import {
  AddressError,
  addToAddress,
  formatAddress,
  type IpAddress,
  type IpPrefix,
  parseAddress,
} from "../base/address.ts";
import { embedIpv4, parseEmbeddingPrefix } from "../base/ipv4_embedded.ts";
import type { DnsOrder } from "../app/dns_zone.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { canonicalName, notADnsName, parentName } from "../wire/dns_name.ts";
import { DNS_UDP_BYTES } from "../wire/dns.ts";
import { hostOptions } from "./build.ts";
import { NetworkError } from "./errors.ts";
import type { DnsRecordOptions, DnsServerOptions, ResolverOptions } from "./options_dns.ts";
import { addressOffset, findMembers, type Plan, type PlannedPopulation } from "./plan.ts";
import { hasIpv6 } from "./plan_ipv6.ts";

/** A name's records, read. */
export interface PlannedName {
  name: string;
  addresses: IpAddress[];
  alias: string | undefined;
  ttl: number;
  order: DnsOrder;
}

/** A population of servers. */
export interface PlannedServer {
  population: PlannedPopulation;
  subject: string;
  zones: string[];
  names: PlannedName[];
  negativeTtl: number;
  forward: IpAddress | undefined;
  forwardOrder: DnsOrder;
  dns64: IpPrefix | undefined;
  mostBytes: number;
}

/** A population that asks. */
export interface PlannedResolver {
  population: PlannedPopulation;
  subject: string;
  servers: IpAddress[];
  timeoutNs: number;
  attempts: number;
  cache: boolean;
}

/** All of a network. */
export interface DnsPlan {
  servers: PlannedServer[];
  resolvers: PlannedResolver[];
}

const ORDERS = ["rotate", "random", "fixed"];
/** The TTL that answers have by default, and negative ones. */
const TTL_NS = { ANSWER: 300e9, NEGATIVE: 60e9 } as const;
/** As `resolv.conf`: RES_TIMEOUT and RES_DFLRETRY. */
const TIMEOUT_NS = 5e9;
const ATTEMPTS = 2;
/** DNS flag day 2020. */
const UDP_BYTES = 1232;
const MOST_ALIASES = 16;
/** Servers that ask one another, at most. */
const MOST_FORWARDS = 16;

/** Plans servers and resolvers. Throws `NetworkError`. */
export function planDns(plan: Plan): DnsPlan {
  const servers: PlannedServer[] = [];
  const resolvers: PlannedResolver[] = [];
  for (const population of plan.populations) {
    const options = hostOptions(population);
    const subject = `nodes.${population.name}`;
    if (options?.dns !== undefined) servers.push(planServer(population, options.dns, `${subject}.dns`, plan));
    if (options?.resolver !== undefined) {
      const { resolver } = options;
      const asked = typeof resolver === "string" ? { servers: [resolver] } : resolver;
      resolvers.push(planResolver(population, asked, `${subject}.resolver`, plan));
    }
  }
  return { servers, resolvers };
}

/** All addresses that some server gives for a name, aliases followed. */
export function addressesOfName(dns: DnsPlan, name: string): IpAddress[] {
  const found: IpAddress[] = [];
  let current = canonicalName(name);
  for (let i = 0; i < MOST_ALIASES; i++) {
    let alias: string | undefined;
    for (const { names } of dns.servers) {
      for (const planned of names) {
        if (planned.name !== current) continue;
        found.push(...planned.addresses);
        alias ??= planned.alias;
      }
    }
    if (alias === undefined) break;
    current = alias;
  }
  return found;
}

/** The IPv6 addresses that a population's servers make of a name's IPv4 ones (RFC 6147 5.1.6: where it has no others). */
export function embeddedOfName(dns: DnsPlan, population: PlannedPopulation, name: string): IpAddress[] {
  const addresses = addressesOfName(dns, name);
  if (addresses.some(({ family }) => family === 6)) return [];
  const resolver = dns.resolvers.find((one) => one.population === population);
  const prefix = resolver?.servers.map((server) => dns64Of(dns, server)).find((found) => found !== undefined);
  return prefix === undefined ? [] : addresses.map((address) => embedIpv4(prefix, address));
}

/** The prefix by which whoever answers at this address makes IPv6 addresses, or whom that one asks. */
function dns64Of(dns: DnsPlan, address: IpAddress, depth = 0): IpPrefix | undefined {
  const text = formatAddress(address);
  const server = dns.servers.find(({ population }) => {
    const of = (first: IpAddress | undefined, i: number) =>
      first !== undefined && formatAddress(addToAddress(first, i)) === text;
    if ([...population.extra, ...population.virtual].some((one) => formatAddress(one) === text)) return true;
    for (let i = 0; i < population.count; i++) {
      if (of(population.address, addressOffset(population, i)) || of(population.ipv6.address, i)) return true;
    }
    return false;
  });
  if (server?.dns64 !== undefined || server?.forward === undefined || depth >= MOST_FORWARDS) return server?.dns64;
  return dns64Of(dns, server.forward, depth + 1);
}

function planServer(
  population: PlannedPopulation,
  options: DnsServerOptions,
  subject: string,
  plan: Plan,
): PlannedServer {
  // In one order, whatever that of the declaration: names are numbered by it, and snapshots hold the numbers.
  const records = Object.entries(options.records ?? {}).sort(([a], [b]) => a < b ? -1 : 1);
  const names = records.map(([name, record]) =>
    planName(name, Array.isArray(record) ? { addresses: record } : record, options, subject, plan)
  );
  const zones = options.zones?.map((zone, i) => nameOf(zone, `${subject}.zones[${i}]`)) ?? zonesOf(names);
  for (const { name } of names) {
    if (zones.some((zone) => zone === "" || name === zone || name.endsWith(`.${zone}`))) continue;
    throw new NetworkError(`${subject}.records`, `"${name}" lies in none of the zones ${zones.join(", ")}.`);
  }
  if (names.length === 0 && options.forward === undefined && options.zones === undefined) {
    throw new NetworkError(subject, "A DNS server has records, or forwards to another.");
  }
  const { udpBytes = UDP_BYTES, dns64 } = options;
  if (!(Number.isInteger(udpBytes) && udpBytes >= DNS_UDP_BYTES && udpBytes <= 65_535)) {
    throw new NetworkError(`${subject}.udpBytes`, `A whole number from 512 to 65535, not ${udpBytes}.`);
  }
  return {
    population,
    subject,
    zones,
    names,
    negativeTtl: secondsOf(options.negativeTtlNs ?? TTL_NS.NEGATIVE, `${subject}.negativeTtl`),
    forward: options.forward === undefined ? undefined : serverOf(options.forward, `${subject}.forward`, plan),
    forwardOrder: orderOf(options.forwardOrder ?? "fixed", `${subject}.forwardOrder`),
    dns64: dns64 === undefined ? undefined : located(`${subject}.dns64`, () => parseEmbeddingPrefix(dns64)),
    mostBytes: udpBytes,
  };
}

/** What the names lie in; a name of one or two labels stands for itself. */
function zonesOf(names: PlannedName[]): string[] {
  const zones = names.map(({ name }) => name.split(".").length > 2 ? parentName(name)! : name);
  return [...new Set(zones)].sort();
}

function planName(
  text: string,
  record: DnsRecordOptions,
  server: DnsServerOptions,
  subject: string,
  plan: Plan,
): PlannedName {
  const at = `${subject}.records`;
  const name = nameOf(text, at);
  const { addresses, alias } = record;
  if ((addresses === undefined) === (alias === undefined)) {
    throw new NetworkError(
      at,
      `"${text}" has ${alias === undefined ? "no" : "both"} addresses and an alias: give one.`,
    );
  }
  return {
    name,
    addresses: (addresses ?? []).flatMap((item) => addressesOf(item, at, plan)),
    alias: alias === undefined ? undefined : nameOf(alias, at),
    ttl: secondsOf(record.ttlNs ?? server.ttlNs ?? TTL_NS.ANSWER, `${at}.ttl`),
    order: orderOf(record.order ?? server.order ?? "rotate", `${at}.order`),
  };
}

/** The addresses that an address, or a host's name, stands for. */
function addressesOf(text: string, subject: string, plan: Plan): IpAddress[] {
  if (isAddress(text)) return [located(subject, () => parseAddress(text))];
  const { population, first, count } = findMembers(text, subject, plan.byName);
  if (population.kind === NODE_KIND.ROUTER) throw new NetworkError(subject, `${text} is a router: name hosts.`);
  if (population.behind !== undefined && count > 1) {
    throw new NetworkError(subject, `The addresses of ${text} repeat behind each NAT: they name no single host.`);
  }
  const found: IpAddress[] = [];
  for (let i = first; i < first + count; i++) {
    found.push(addToAddress(population.address, addressOffset(population, i)), ...population.extra);
    if (hasIpv6(population, i)) found.push(addToAddress(population.ipv6.address!, i));
  }
  return found;
}

function planResolver(
  population: PlannedPopulation,
  options: ResolverOptions,
  subject: string,
  plan: Plan,
): PlannedResolver {
  const { servers, timeoutNs = TIMEOUT_NS, attempts = ATTEMPTS, cache = true } = options;
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new NetworkError(subject, "A resolver asks at least one server.");
  }
  if (!(Number.isSafeInteger(timeoutNs) && timeoutNs >= 1e6)) {
    throw new NetworkError(`${subject}.timeout`, `A timeout is at least 1 ms, in whole nanoseconds, not ${timeoutNs}.`);
  }
  if (!(Number.isInteger(attempts) && attempts >= 1 && attempts <= 255)) {
    throw new NetworkError(`${subject}.attempts`, `A whole number from 1 to 255, not ${attempts}.`);
  }
  return {
    population,
    subject,
    servers: servers.map((text, i) => serverOf(text, servers.length > 1 ? `${subject}.servers[${i}]` : subject, plan)),
    timeoutNs,
    attempts,
    cache,
  };
}

/** The address of a server, given as such or by a host's name. */
function serverOf(text: string, subject: string, plan: Plan): IpAddress {
  return addressesOf(text, subject, plan)[0];
}

function isAddress(text: string): boolean {
  return text.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(text);
}

function nameOf(text: string, subject: string): string {
  const wrong = notADnsName(text);
  if (wrong !== undefined) throw new NetworkError(subject, `"${text}" is no domain name: it ${wrong}.`);
  return canonicalName(text);
}

function orderOf(order: DnsOrder, subject: string): DnsOrder {
  if (ORDERS.includes(order)) return order;
  throw new NetworkError(subject, `One of ${ORDERS.join(", ")}, not ${order}.`);
}

/** Whole seconds of a TTL (RFC 2181 section 8: 31 bits). */
function secondsOf(ns: number, subject: string): number {
  const seconds = ns / 1e9;
  if (Number.isInteger(seconds) && seconds >= 0 && seconds < 2 ** 31) return seconds;
  throw new NetworkError(subject, `A time to live is a whole number of seconds below 2^31, not ${seconds} s.`);
}

/** Runs `f`; what it finds wrong is about `subject`. */
function located<T>(subject: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof AddressError) throw new NetworkError(subject, error.message);
    throw error;
  }
}
