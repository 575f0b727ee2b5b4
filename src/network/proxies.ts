/**
 * From declared proxies to applications.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../base/address.ts";
import { hashString } from "../base/hash.ts";
import { Proxy } from "../app/proxy.ts";
import { remoteOf } from "../socket/rows.ts";
import { BALANCING_ALGORITHMS, makePool } from "../node/balancing.ts";
import { MAGLEV_TABLE_SIZE } from "../node/maglev.ts";
import { planBackends, type PlannedBackend } from "./balancer_plan.ts";
import { NetworkError } from "./errors.ts";
import type { HostOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import type { Plan, PlannedPopulation } from "./plan.ts";
import type { ProxyOptions } from "./proxy_options.ts";

/** The proxy that a population of hosts runs, if any. */
export function proxyOf({ declaration }: PlannedPopulation): ProxyOptions | undefined {
  return declaration.kind === "host" ? (declaration.options as HostOptions).proxy : undefined;
}

/**
 * The back ends of a population's proxy, at addresses of a family that it can connect from. Throws `NetworkError`.
 */
export function planProxyBackends(population: PlannedPopulation, options: ProxyOptions, plan: Plan): PlannedBackend[] {
  const subject = `nodes.${population.name}.proxy`;
  const { address, extra, ipv6, name } = population;
  const own = options.sources?.map((text) => parseAddress(text)) ??
    [address, ...extra, ...ipv6.address ? [ipv6.address] : []];
  const families = new Set(own.map(({ family }) => family));
  const backends = planBackends(options, subject, plan, families.size === 1 ? own[0].family : undefined);
  for (const backend of backends) {
    const { family } = backend.address;
    if (families.has(family)) continue;
    throw new NetworkError(
      backend.subject,
      `${backend.name} has an IPv${family} address, and ${name} has none to connect to it from.`,
    );
  }
  return backends;
}

const SIZES = [
  ["requestBytes", 1, 2 ** 31 - 1],
  ["replyBytes", 1, 2 ** 31 - 1],
  ["refusalBytes", 0, 2 ** 31 - 1],
  ["multiplex", 1, 2 ** 20],
  ["maxConnections", 1, 2 ** 31 - 1],
  ["maxWaiting", 0, 2 ** 31 - 1],
  ["backlog", 0, 2 ** 31 - 1],
] as const;

function check(options: ProxyOptions, subject: string): void {
  if (!(Number.isInteger(options.port) && options.port >= 1 && options.port <= 65535)) {
    throw new NetworkError(`${subject}.port`, `A port is 1 to 65535, not ${options.port}.`);
  }
  for (const [key, least, most] of SIZES) {
    const value = options[key];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) continue;
    throw new NetworkError(`${subject}.${key}`, `A whole number from ${least} to ${most}, not ${value}.`);
  }
  const { kind = "request", algorithm = "round-robin", keepAlive = false, multiplex = 1 } = options;
  if (kind !== "stream" && kind !== "request") {
    throw new NetworkError(`${subject}.kind`, `One of stream, request, not ${kind}.`);
  }
  if (!BALANCING_ALGORITHMS.includes(algorithm)) {
    throw new NetworkError(`${subject}.algorithm`, `One of ${BALANCING_ALGORITHMS.join(", ")}, not ${algorithm}.`);
  }
  if (multiplex > 1 && (!keepAlive || kind === "stream")) {
    throw new NetworkError(`${subject}.multiplex`, "Several requests on one connection need keepAlive (kind request).");
  }
}

/** Installs the proxies of a population. `sizes`: what the workloads that connect to them ask and get. */
export function installProxies(
  s: Partition,
  plan: Plan,
  population: PlannedPopulation,
  sizes: { requestBytes: number; replyBytes: number } | undefined,
): void {
  const options = proxyOf(population);
  if (options === undefined) return;
  const subject = `nodes.${population.name}.proxy`;
  check(options, subject);
  const backends = planProxyBackends(population, options, plan);
  const names = backends.map((one) => hashString(`${formatAddress(one.address)} ${one.port}`));
  for (let i = 0; i < population.count; i++) {
    const node = population.firstRow + i;
    const sources = options.sources?.map((text, k) => {
      const id = s.addresses.intern(text);
      if (s.isOwn(node, id)) return id;
      throw new NetworkError(`${subject}.sources[${k}]`, `${text} is no address of ${s.nodes.nameOf(node)}.`);
    });
    const { kind = "request", keepAlive = false, multiplex = 1, maxConnections } = options;
    const app = s.apps.length;
    const proxy = new Proxy({
      runtime: s,
      app,
      node: population.name,
      clientWord: (connection) => s.addresses.word(remoteOf(s.tcp, connection)),
      portsRefused: (from, remote, port) => s.limits.portsRefused(s, from, remote, port),
      plan: {
        kind,
        requestBytes: options.requestBytes ?? sizes?.requestBytes ?? 100,
        replyBytes: options.replyBytes ?? Math.max(1, sizes?.replyBytes ?? 1000),
        refusalBytes: options.refusalBytes ?? 200,
        sources: sources ?? [0],
        backends: backends.map(({ address, port }) => ({ address: s.addresses.intern(address), port })),
        pool: makePool({
          algorithm: options.algorithm ?? "round-robin",
          names,
          weights: backends.map(({ weight }) => weight),
          tableSize: MAGLEV_TABLE_SIZE,
        }),
        keepAlive,
        multiplex,
        maxConnections: maxConnections ?? Infinity,
        maxWaiting: options.maxWaiting ?? (maxConnections === undefined ? 0 : Infinity),
      },
    });
    s.apps.push(proxy);
    s.proxies.push(proxy);
    if (s.openListener(node, 0, options.port, options.backlog ?? 4096, app) < 0) {
      throw new NetworkError(`${subject}.port`, `Port ${options.port} of ${population.name} is listened on twice.`);
    }
  }
}
