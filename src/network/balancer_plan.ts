/**
 * What a balancer's declaration means: whose address each back end is, and what can be wrong with it.
 *
 * @module
 */
import { addToAddress, formatAddress, type IpAddress, parseAddress } from "../base/address.ts";
import { BALANCING_ALGORITHMS, isHashed } from "../node/balancing.ts";
import { isPrime, LARGEST_MAGLEV_TABLE, MAGLEV_TABLE_SIZE } from "../node/maglev.ts";
import { NODE_KIND } from "../node/nodes.ts";
import type { BackendOptions, BalancerOptions, BalancerServiceOptions } from "./balancer_options.ts";
import { NetworkError } from "./errors.ts";
import { addressOffset, findMembers, type Plan, type PlannedPopulation } from "./plan.ts";
import { hasIpv6 } from "./plan_ipv6.ts";

/** One back end of a service. */
export interface PlannedBackend {
  /** `web[3]:80`. */
  name: string;
  subject: string;
  /** Node row; 0 where the declaration has an address that is nobody's own. */
  node: number;
  address: IpAddress;
  port: number;
  weight: number;
}

/** `name:port`, `name[0..9]:port`, `192.0.2.1:port` or `[2001:db8::1]:port`, taken apart; undefined if it is none. */
export function splitEndpoint(text: string): { host: string; isAddress: boolean; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|(.+)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || !(port >= 1 && port <= 65535)) return undefined;
  const host = match[1] ?? match[2];
  return { host, isAddress: match[1] !== undefined || /^\d+\.\d+\.\d+\.\d+$/.test(host), port };
}

/**
 * The endpoints that `text` names, hosts one by one, at their address of this family (default their first). Throws
 * `NetworkError`.
 */
export function planEndpoints(
  text: string,
  subject: string,
  plan: Plan,
  family?: IpAddress["family"],
): Omit<PlannedBackend, "weight">[] {
  const parts = splitEndpoint(text);
  if (parts === undefined) {
    throw new NetworkError(subject, `"${text}" is no back end: expected node:port with a port of 1 to 65535.`);
  }
  const { host, isAddress, port } = parts;
  if (isAddress) {
    const address = parsed(host, subject);
    return [{ name: text, subject, node: ownerOf(address, plan), address, port }];
  }
  const { population, first, count } = findMembers(host, subject, plan.byName);
  if (population.kind !== NODE_KIND.HOST) throw new NetworkError(subject, `Back ends are hosts, and ${host} is none.`);
  if (population.behind !== undefined && count > 1) {
    throw new NetworkError(subject, `The addresses of ${host} repeat behind each NAT: they name no single host.`);
  }
  return Array.from({ length: count }, (_, k) => {
    const i = first + k;
    const name = population.plural ? `${population.name}[${i}]` : population.name;
    const address = addressOf(population, i, family);
    return { name: `${name}:${port}`, subject, node: population.firstRow + i, address, port };
  });
}

/** The first address of a member that is of this family; its first one if none is. */
function addressOf(population: PlannedPopulation, i: number, family: IpAddress["family"] | undefined): IpAddress {
  const first = addToAddress(population.address, addressOffset(population, i));
  if (family === undefined || first.family === family) return first;
  if (family === 6 && hasIpv6(population, i)) return addToAddress(population.ipv6.address!, i);
  return population.extra.find((one) => one.family === family) ?? first;
}

function parsed(text: string, subject: string): IpAddress {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new NetworkError(subject, (error as Error).message);
  }
}

/** The host that has an address as its own; 0 for none. */
function ownerOf(address: IpAddress, plan: Plan): number {
  const text = formatAddress(address);
  for (const population of plan.populations) {
    if (population.kind !== NODE_KIND.HOST || population.behind !== undefined) continue;
    if (population.extra.some((one) => formatAddress(one) === text)) return population.firstRow;
    for (let i = 0; population.ipv6.address !== undefined && i < population.count; i++) {
      if (hasIpv6(population, i) && formatAddress(addToAddress(population.ipv6.address, i)) === text) {
        return population.firstRow + i;
      }
    }
    if (population.address.family !== address.family) continue;
    const last = address.words.length - 1;
    const i = (address.words[last] >>> 0) - (population.address.words[last] >>> 0);
    if (i < 0 || i >= population.count) continue;
    if (formatAddress(addToAddress(population.address, addressOffset(population, i))) === text) {
      return population.firstRow + i;
    }
  }
  return 0;
}

/** The back ends of a service. Throws `NetworkError`. */
export function planBackends(
  service: Pick<BalancerServiceOptions, "backends">,
  subject: string,
  plan: Plan,
  family?: IpAddress["family"],
): PlannedBackend[] {
  if (!Array.isArray(service.backends) || service.backends.length === 0) {
    throw new NetworkError(`${subject}.backends`, "A service has at least one back end.");
  }
  return service.backends.flatMap((one, i) => {
    const { to, weight = 1 } = typeof one === "string" ? { to: one } : one;
    const where = `${subject}.backends[${i}]`;
    if (!(Number.isInteger(weight) && weight >= 0 && weight <= 65535)) {
      throw new NetworkError(where, `A weight is a whole number from 0 to 65,535, not ${weight}.`);
    }
    return planEndpoints(to, where, plan, family).map((endpoint) => ({ ...endpoint, weight }));
  });
}

const CHOICES = [
  ["mode", ["nat", "direct-return", "full-nat"]],
  ["algorithm", BALANCING_ALGORITHMS],
  ["protocol", ["tcp", "udp"]],
  ["hashOn", ["address", "flow"]],
  ["onBackendDown", ["silence", "reset"]],
] as const;

/** What a service by itself can be wrong in. Throws `NetworkError`. */
export function checkService(service: BalancerServiceOptions, subject: string): void {
  for (const [key, choices] of CHOICES) {
    const value = service[key];
    if (value === undefined || (choices as readonly string[]).includes(value)) continue;
    throw new NetworkError(`${subject}.${key}`, `One of ${choices.join(", ")}, not ${value}.`);
  }
  if (!(Number.isInteger(service.port) && service.port >= 1 && service.port <= 65535)) {
    throw new NetworkError(`${subject}.port`, `A port is 1 to 65535, not ${service.port}.`);
  }
  const { algorithm = "round-robin", mode = "nat", connectionTable = true } = service;
  if (!connectionTable && (!isHashed(algorithm) || mode === "full-nat")) {
    throw new NetworkError(
      `${subject}.connectionTable`,
      mode === "full-nat"
        ? "In full-nat only the connection table knows whose port is whose."
        : `${algorithm} needs the connection table: without it every packet is chosen for anew, by a hash.`,
    );
  }
  const size = service.maglevTableSize ?? MAGLEV_TABLE_SIZE;
  if (!(isPrime(size) && size <= LARGEST_MAGLEV_TABLE)) {
    throw new NetworkError(`${subject}.maglevTableSize`, `A Maglev table has a prime number of entries, not ${size}.`);
  }
  const { intervalNs, timeoutNs, detectionNs, fall = 1, rise = 1 } = service.health ?? {};
  for (const [key, ns] of Object.entries({ intervalNs, timeoutNs, detectionNs })) {
    const least = key === "detectionNs" ? 0 : key === "intervalNs" ? 2e6 : 1e6;
    if (ns === undefined || (Number.isSafeInteger(ns) && ns >= least)) continue;
    throw new NetworkError(`${subject}.health.${key}`, `A time is whole nanoseconds, at least ${least}, not ${ns}.`);
  }
  for (const [key, times] of [["fall", fall], ["rise", rise]] as const) {
    if (Number.isInteger(times) && times >= 1 && times <= 1000) continue;
    throw new NetworkError(`${subject}.health.${key}`, `So many times in a row, 1 to 1,000, not ${times}.`);
  }
}

const TIMES = ["synNs", "establishedNs", "finNs", "closedNs", "udpNs"] as const;

/** What a balancer's numbers can be wrong in. Throws `NetworkError`. */
export function checkBalancer(options: BalancerOptions, subject: string): void {
  for (const key of TIMES) {
    const ns = options[key];
    if (ns === undefined || (Number.isSafeInteger(ns) && ns >= 1e6 && ns <= 1e15)) continue;
    throw new NetworkError(`${subject}.${key}`, `A timeout is 1 ms to 11 days in whole nanoseconds, not ${ns}.`);
  }
  const { portLow = 1024, portHigh = 65535, maxFlows } = options;
  if (
    !(Number.isInteger(portLow) && Number.isInteger(portHigh) && portLow >= 1 && portHigh <= 65535) ||
    portLow > portHigh
  ) {
    throw new NetworkError(`${subject}.portLow`, `Ports go upwards within 1 to 65535, not ${portLow}-${portHigh}.`);
  }
  if (maxFlows !== undefined && !(Number.isSafeInteger(maxFlows) && maxFlows >= 1)) {
    throw new NetworkError(`${subject}.maxFlows`, `A flow table holds at least one flow, not ${maxFlows}.`);
  }
  if (!Array.isArray(options.services) || options.services.length === 0) {
    throw new NetworkError(`${subject}.services`, "A balancer has at least one service.");
  }
}

/** The virtual addresses of a balancer population's services at `port`: declared ones, or each member's own. */
export function virtualAddressesAt(
  population: PlannedPopulation,
  port: number,
  first: number,
  count: number,
): IpAddress[] {
  const { services } = population.declaration.options as BalancerOptions;
  return services.filter((service) => service.port === port)
    .flatMap((service) => addressesOf(population, service, first, count));
}

function addressesOf(
  population: PlannedPopulation,
  service: BalancerServiceOptions,
  first: number,
  count: number,
): IpAddress[] {
  if (service.address !== undefined) return [parseAddress(service.address)];
  return Array.from({ length: count }, (_, i) => {
    return addToAddress(population.address, addressOffset(population, first + i));
  });
}

/** Balancers and proxies one behind the other are followed so far. */
const MOST_IN_A_ROW = 8;

/** Do packets for this virtual endpoint get to `port` of a host of `population`? */
export function isServedBy(
  plan: Plan,
  addresses: readonly IpAddress[],
  virtualPort: number,
  population: PlannedPopulation,
  port: number,
  depth: number = 0,
): boolean {
  const wanted = new Set(addresses.map(formatAddress));
  for (const balancer of plan.populations) {
    if (balancer.kind !== NODE_KIND.BALANCER) continue;
    const { services } = balancer.declaration.options as BalancerOptions;
    for (const service of services) {
      if (service.port !== virtualPort) continue;
      const own = addressesOf(balancer, service, 0, balancer.count);
      if (!own.some((address) => wanted.has(formatAddress(address)))) continue;
      if (leadsThere(plan, service.backends, population, port, { depth })) return true;
    }
  }
  return false;
}

/** Is one of these back ends `port` of a host of `population`, or a virtual address of a balancer that leads there? */
export function leadsThere(
  plan: Plan,
  backends: readonly (string | BackendOptions)[],
  population: PlannedPopulation,
  port: number,
  { subject = "", depth = 0 }: { subject?: string; depth?: number } = {},
): boolean {
  return backends.some((one, i) =>
    planEndpoints(typeof one === "string" ? one : one.to, `${subject}.backends[${i}]`, plan).some(
      ({ node, address, port: real }) => {
        const member = node - population.firstRow;
        if (real === port && member >= 0 && member < population.count) return true;
        return node === 0 && depth < MOST_IN_A_ROW && isServedBy(plan, [address], real, population, port, depth + 1);
      },
    )
  );
}
