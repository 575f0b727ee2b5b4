/**
 * From declared workloads and listening ports to applications.
 *
 * @module
 */
import { AddressError, addToAddress, type IpAddress, parseAddress, prefixContains } from "../base/address.ts";
import { embeddedIpv4 } from "../base/ipv4_embedded.ts";
import { ERRNO } from "../base/errors.ts";
import { Substream, substreamKey } from "../base/rng.ts";
import { listenAddress } from "../socket/endpoint.ts";
import { ArrivalTimes } from "../app/arrivals.ts";
import { type ClientPlan, WorkloadClient } from "../app/client.ts";
import { formatDurationNs } from "../base/units.ts";
import { ATTEMPT_DELAY_NS, MOST_CANDIDATES, RESOLUTION_DELAY_NS } from "../app/happy_eyeballs.ts";
import { PARETO_SHAPE } from "../app/holding.ts";
import { Service } from "../app/service.ts";
import { type NodeRange, Sources, type TargetRange, Targets } from "../app/targets.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { virtualAddressesAt } from "./balancer_plan.ts";
import { hostOptions } from "./build.ts";
import { isName, planNamed } from "./destinations_dns.ts";
import { installDns } from "./dns_install.ts";
import type { DnsPlan } from "./dns_plan.ts";
import { NetworkError } from "./errors.ts";
import { type Destination, leadsTo, proxiedSizes } from "./destinations.ts";
import { installProxies, proxyOf } from "./proxies.ts";
import { holdNsOf, type ListenOptions, type ServiceOptions, type WorkloadOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import { addressOffset, findMembers, type Members, type Plan, type PlannedPopulation } from "./plan.ts";
import { countsOf } from "./report_workloads.ts";
import { checkService, servicePlan } from "./service_plan.ts";
import { checkFlood, SynFlood } from "./syn_flood.ts";
import { adopterOf, checkSchedule, startSchedule } from "./workloads_schedule.ts";
import { checkUdp, isUdp, openUdpPort, startDatagrams, udpServiceFor } from "./workloads_udp.ts";
import { hasIpv6 } from "./plan_ipv6.ts";

type Family = NonNullable<WorkloadOptions["family"]>;

/** A workload with its names resolved. */
export interface PlannedWorkload {
  options: WorkloadOptions;
  subject: string;
  from: Members[];
  to: Destination[];
}

/** Resolves names and checks numbers. Throws `NetworkError`. */
export function planWorkloads(workloads: WorkloadOptions[], plan: Plan, dns: DnsPlan): PlannedWorkload[] {
  const names = new Set<string>();
  return workloads.map((options) => {
    if (typeof options.name !== "string" || options.name === "") {
      throw new NetworkError("workloads", "A workload needs a name: its random numbers go by it.");
    }
    const subject = `workloads.${options.name}`;
    checkChoices(options, subject);
    if (names.has(options.name)) throw new NetworkError(subject, `Two workloads are called "${options.name}".`);
    names.add(options.name);
    checkNumbers(options, subject);
    checkUdp(options, subject);
    checkSchedule(options, subject);
    const from = options.from.map((text, i) => {
      const members = findMembers(text, `${subject}.from[${i}]`, plan.byName);
      if (members.population.kind === NODE_KIND.HOST) return members;
      throw new NetworkError(`${subject}.from[${i}]`, `Connections come from hosts, and ${text} is none.`);
    });
    const family = options.family ?? "any";
    const to = options.to.flatMap((text, i) => {
      const at = `${subject}.to[${i}]`;
      return options.kind === "dns"
        ? [planNamed(text, at, text, 0, from, dns)]
        : (options.kind === "schedule" ? undefined : planNameOr(text, at, plan, from, dns)) ??
          planDestination(text, at, plan, family);
    });
    if (from.length === 0) throw new NetworkError(`${subject}.from`, "A workload comes from at least one host.");
    if (to.length === 0) throw new NetworkError(`${subject}.to`, "A workload goes to at least one destination.");
    checkFlood(options, subject, to);
    return { options, subject, from, to };
  });
}

/** What a workload may choose from. */
const CHOICES = [
  ["kind", ["hold", "request-response", "bulk", "torrent", "dns", "syn-flood", "schedule"]],
  ["close", ["client", "server", "both", "none"]],
  ["holdDistribution", ["fixed", "uniform", "exponential", "pareto"]],
  ["thinkDistribution", ["fixed", "uniform", "exponential", "pareto"]],
  ["spread", ["permutation", "random"]],
  ["family", ["any", "ipv4", "ipv6"]],
  ["preferredFamily", ["ipv6", "ipv4"]],
] as const;

/** Types do not hold back who writes JavaScript, or computes what to write. */
function checkChoices(options: WorkloadOptions, subject: string): void {
  for (const [key, choices] of CHOICES) {
    const value = options[key];
    if (value === undefined && key !== "kind") continue;
    if ((choices as readonly unknown[]).includes(value)) continue;
    throw new NetworkError(`${subject}.${key}`, `One of ${choices.join(", ")}, not ${value}.`);
  }
  for (const key of ["from", "to"] as const) {
    if (!Array.isArray(options[key])) throw new NetworkError(`${subject}.${key}`, "A list of names, even of one.");
  }
}

/** Times of a workload: whole ns. */
const TIMES = [
  ["thinkNs", "think"],
  ["holdNs", "hold"],
  ["keepAliveNs", "keepAlive"],
  ["resolutionDelayNs", "resolutionDelay"],
] as const;
/** Sizes of a workload, and the least and most that they may be. A connection keeps requests and replies in 31 bits. */
const SIZES = [
  ["requestBytes", "request", 1, 2 ** 31 - 1],
  ["replyBytes", "reply", 0, 2 ** 31 - 1],
  ["requests", "requests", 1, 2 ** 27 - 1],
  ["bytes", "bytes", 0, 2 ** 53 - 1],
  ["firstAddressFamilyCount", "firstAddressFamilyCount", 1, MOST_CANDIDATES],
] as const;

function checkNumbers(options: WorkloadOptions, subject: string): void {
  if (!Number.isSafeInteger(options.connections) || options.connections < 0) {
    throw new NetworkError(`${subject}.connections`, `A whole number from 0 on, not ${options.connections}.`);
  }
  const torrent = options.kind === "torrent";
  for (const [key, name, least, most] of SIZES) {
    const value = options[key];
    if (value === undefined) continue;
    const limit = torrent && key === "bytes" ? 2 ** 31 - 1 : most;
    if (Number.isSafeInteger(value) && value >= least && value <= limit) continue;
    throw new NetworkError(`${subject}.${name}`, `A whole number from ${least} to ${limit}, not ${value}.`);
  }
  for (const [key, name] of TIMES) {
    const ns = options[key] ?? 0;
    if (ns >= 0 && (Number.isSafeInteger(ns) || (key === "holdNs" && ns === Infinity))) continue;
    throw new NetworkError(`${subject}.${name}`, `A time is a whole number of nanoseconds from 0 on, not ${ns}.`);
  }
  const delayNs = options.attemptDelayNs ?? ATTEMPT_DELAY_NS.RECOMMENDED;
  const { LEAST, MOST } = ATTEMPT_DELAY_NS;
  if (!(Number.isSafeInteger(delayNs) && delayNs >= LEAST && delayNs <= MOST)) {
    // RFC 8305 5: "MUST NOT be less than 10 milliseconds".
    throw new NetworkError(`${subject}.attemptDelay`, `From 10 ms to 1 min, not ${nsText(delayNs)}.`);
  }
  const resolutionNs = options.resolutionDelayNs ?? 0;
  if (resolutionNs > MOST) {
    throw new NetworkError(`${subject}.resolutionDelay`, `At most 1 min, not ${nsText(resolutionNs)}.`);
  }
  if (options.holdShape !== undefined && !(options.holdShape > 1 && options.holdShape < Infinity)) {
    throw new NetworkError(`${subject}.holdShape`, `A number above 1, not ${options.holdShape}.`);
  }
  const { kind, perSecond, startNs = 0 } = options.arrivals ?? { kind: "at-once" };
  if (kind !== "at-once" && !(perSecond! > 0 && perSecond! < Infinity)) {
    throw new NetworkError(`${subject}.arrivals`, `Arrivals of kind ${kind} need a rate above 0 per second.`);
  }
  if (!(Number.isSafeInteger(startNs) && startNs >= 0)) {
    throw new NetworkError(`${subject}.arrivals.start`, `A time is a whole number of nanoseconds, not ${startNs}.`);
  }
}

/** A time as a reader says it; what is none, as it is. */
function nsText(ns: number): string {
  return Number.isSafeInteger(ns) && ns >= 0 ? formatDurationNs(ns) : `${ns} ns`;
}

/** A destination that is a domain name; undefined where it is none. */
function planNameOr(
  text: string,
  subject: string,
  plan: Plan,
  from: Members[],
  dns: DnsPlan,
): Destination[] | undefined {
  const match = /^([^[\]:]+):(\d+)$/.exec(text);
  if (match === null || /^[\d.]+$/.test(match[1]) || !isName(match[1], plan.byName, dns)) return undefined;
  const port = Number(match[2]);
  return port >= 1 && port <= 65535 ? [planNamed(text, subject, match[1], port, from, dns)] : undefined;
}

/** What `text` leads to: consecutive addresses, or (gateways with several addresses each) the first of each. */
function planDestination(text: string, subject: string, plan: Plan, family: Family): Destination[] {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|(.+)):(\d+)$/.exec(text);
  const port = match === null ? 0 : Number(match[3]);
  if (match === null || port < 1 || port > 65535) {
    throw new NetworkError(subject, `"${text}" is no destination: expected node:port with a port of 1 to 65535.`);
  }
  const host = match[1] ?? match[2];
  if (match[1] !== undefined || /^\d+\.\d+\.\d+\.\d+$/.test(host)) {
    const address = addressFrom(host, subject);
    const addresses = behindNat64(plan, address);
    return [{ text, subject, members: undefined, first: address, count: 1, port, addresses }];
  }
  const members = findMembers(host, subject, plan.byName);
  const { population, first, count } = members;
  if (population.kind === NODE_KIND.ROUTER) {
    throw new NetworkError(subject, `${host} is a router: connections go to hosts, or to a NAT's external address.`);
  }
  if (population.kind === NODE_KIND.HOST) {
    if (family === "ipv6" && population.ipv6.address !== undefined) {
      return ipv6Destinations(members, { text, subject, members, port });
    }
    if (population.behind !== undefined && count > 1) {
      throw new NetworkError(subject, `The addresses of ${host} repeat behind each NAT: they name no single host.`);
    }
    const address = addToAddress(population.address, addressOffset(population, first));
    if (family === "any" && population.ipv6.address !== undefined) {
      const first6 = addToAddress(population.ipv6.address, first);
      // (A share counts from the population's first member.)
      const all = first === 0 || population.ipv6.share === 1e6;
      if (all) return [{ text, subject, members, first: address, count, port, first6, share6: population.ipv6.share }];
      return Array.from({ length: count }, (_, i) => {
        const address6 = hasIpv6(population, first + i) ? addToAddress(first6, i) : undefined;
        return { text, subject, members, first: addToAddress(address, i), count: 1, port, first6: address6 };
      });
    }
    return [{ text, subject, members, first: address, count, port }];
  }
  if (population.kind === NODE_KIND.BALANCER) {
    const found = virtualAddressesAt(population, port, first, count);
    if (found.length === 0) throw new NetworkError(subject, `${population.name} has no service at port ${port}.`);
    return found.map((address) => ({ text, subject, members, first: address, count: 1, port }));
  }
  const { pool } = population;
  const address = (member: number) => addToAddress(pool.first, member * pool.count);
  if (pool.count === 1) return [{ text, subject, members, first: address(first), count, port }];
  return Array.from({ length: count }, (_, i) => {
    return { text, subject, members, first: address(first + i), count: 1, port };
  });
}

/** What an address stands for where a NAT64 has it in its prefix; undefined where none has. */
function behindNat64(plan: Plan, address: IpAddress): IpAddress[] | undefined {
  const prefixes = plan.populations.flatMap(({ ipv6 }) => ipv6.nat64 ?? []);
  const prefix = prefixes.find((prefix) => prefixContains(prefix, address));
  return prefix && [embeddedIpv4(prefix, address)];
}

/** The members of a dual-stacked population that have an IPv6 address, at that. */
function ipv6Destinations(
  { population, first, count }: Members,
  common: Pick<Destination, "text" | "subject" | "members" | "port">,
): Destination[] {
  const address = population.ipv6.address!;
  if (population.ipv6.share === 1e6) return [{ ...common, first: addToAddress(address, first), count }];
  const found: Destination[] = [];
  for (let i = first; i < first + count; i++) {
    if (hasIpv6(population, i)) found.push({ ...common, first: addToAddress(address, i), count: 1 });
  }
  return found;
}

/** Parses an address. Throws `NetworkError`. */
function addressFrom(text: string, subject: string): IpAddress {
  return located(subject, () => parseAddress(text));
}

/** Runs `f`; what it finds wrong is about `subject`. */
function located<T>(subject: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof AddressError || error instanceof RangeError) throw new NetworkError(subject, error.message);
    throw error;
  }
}

/** Opens the listening ports and starts the workloads. */
export function installWorkloads(
  s: Partition,
  plan: Plan,
  dns: DnsPlan,
  workloads: PlannedWorkload[],
  seed: number,
): void {
  if (dns.servers.length + dns.resolvers.length > 0) s.dns = installDns(s, dns, seed);
  for (const population of plan.populations) {
    if (proxyOf(population) !== undefined) {
      installProxies(s, plan, population, proxiedSizes(plan, population, workloads));
    }
    for (const listen of hostOptions(population)?.listen ?? []) openPort(s, population, listen, workloads);
  }
  // In the order of their names: the order of declaration must not matter.
  const byName = workloads.toSorted((x, y) => x.options.name < y.options.name ? -1 : 1);
  for (const workload of byName) startWorkload(s, workload, seed);
  const order = workloads.map(({ options }) => options.name);
  s.workloads.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function startWorkload(s: Partition, workload: PlannedWorkload, seed: number): void {
  const { options } = workload;
  s.workloadApps.set(options.name, s.apps.length);
  const sources = new Sources(
    workload.from.map(({ population, first, count }): NodeRange => ({ first: population.firstRow + first, count })),
  );
  const targets = new Targets(workload.to.map((to): TargetRange => ({
    first: to.name === undefined ? s.addresses.intern(to.first) : 0,
    count: to.count,
    port: to.port,
    name: to.name === undefined ? 0 : s.dns!.names.idOf(to.name),
    first6: to.first6 === undefined ? 0 : s.addresses.intern(to.first6),
    share6: to.share6,
  })));
  const { kind, perSecond = 0, startNs = 0 } = options.arrivals ?? { kind: "at-once" };
  const arrivals = new ArrivalTimes({ kind, perSecond, startNs }, Substream.of(seed, "arrivals", options.name));
  if (options.kind === "syn-flood") {
    const flood = new SynFlood(s, s.apps.length, options, { sources, targets, arrivals, seed });
    s.apps.push(flood);
    return flood.start();
  }
  const counts = countsOf(workload);
  if (options.kind !== "dns") s.workloads.push(counts);
  if (options.kind === "dns" || isUdp(options)) {
    return startDatagrams(s, options, { sources, targets, arrivals }, counts, seed);
  }
  if (options.kind === "schedule") return startSchedule(s, options, { sources, targets, counts });
  const app = s.apps.length;
  const client = new WorkloadClient({
    runtime: s,
    counts,
    app,
    plan: clientPlan(options),
    sources,
    targets,
    arrivals,
    key: substreamKey(seed, "workload", options.name),
    names: workload.to.some(({ name }) => name !== undefined)
      ? { addresses: s.dns!.addresses, counts: s.dns!.targets }
      : undefined,
  });
  s.apps.push(client);
  client.start();
}

function clientPlan(options: WorkloadOptions): ClientPlan {
  const bytes = options.bytes ?? 1_000_000;
  const torrent = options.kind === "torrent";
  const close = options.close ?? "client";
  return {
    kind: options.kind === "hold"
      ? "hold"
      : options.kind === "bulk"
      ? (options.direction ?? "upload")
      : torrent && (options.bytes ?? 0) === 0 && options.requestBytes === undefined
      ? "hold"
      : "request-response",
    connections: options.connections,
    requestBytes: torrent ? options.requestBytes ?? options.bytes ?? 0 : options.requestBytes ?? 100,
    replyBytes: torrent ? options.replyBytes ?? options.bytes ?? 0 : options.replyBytes ?? 1000,
    requests: options.requests ?? 1,
    thinkNs: options.thinkNs ?? 0,
    thinkDistribution: options.thinkDistribution ?? "fixed",
    bytes,
    holdNs: holdNsOf(options),
    holdDistribution: options.holdDistribution ?? "fixed",
    holdShape: options.holdShape ?? PARETO_SHAPE,
    closes: close === "client" || close === "both",
    permute: torrent && (options.spread ?? "permutation") === "permutation",
    randomTargets: torrent && options.spread === "random",
    family: options.family ?? "any",
    prefersIpv6: options.preferredFamily !== "ipv4",
    attemptDelayNs: options.happyEyeballs === true ? options.attemptDelayNs ?? ATTEMPT_DELAY_NS.RECOMMENDED : 0,
    resolutionDelayNs: options.resolutionDelayNs ?? RESOLUTION_DELAY_NS,
    firstAddressFamilyCount: options.firstAddressFamilyCount ?? 1,
    keepAliveMs: options.keepAliveNs === undefined ? 0 : Math.max(1, Math.ceil(options.keepAliveNs / 1e6)),
  };
}

/** Opens a port on every member of a population. */
function openPort(
  s: Partition,
  population: PlannedPopulation,
  listen: ListenOptions,
  workloads: PlannedWorkload[],
): void {
  const subject = `nodes.${population.name}.listen`;
  if (!(Number.isInteger(listen.port) && listen.port >= 1 && listen.port <= 65535)) {
    throw new NetworkError(subject, `A port is 1 to 65535, not ${listen.port}.`);
  }
  if (listen.protocol !== undefined && listen.protocol !== "tcp" && listen.protocol !== "udp") {
    throw new NetworkError(subject, `A port's protocol is one of tcp, udp, not ${listen.protocol}.`);
  }
  if (listen.service !== undefined) checkService(listen.service, subject);
  const bound = located(subject, () => listenAddress(listen.address, listen.ipv6Only ?? false));
  const local = bound.address === undefined ? 0 : s.addresses.intern(bound.address);
  if (listen.protocol === "udp" && bound.any && local !== 0) {
    throw new NetworkError(
      subject,
      `A UDP port takes what comes to one address, or of both families: not ${bound.address} alone.`,
    );
  }
  for (let i = 0; !bound.any && i < population.count; i++) {
    const node = population.firstRow + i;
    if (s.isOwn(node, local)) continue;
    throw new NetworkError(
      subject,
      `${listen.address} is no address of ${s.nodes.nameOf(node)}: it cannot listen there.`,
    );
  }
  if (listen.protocol === "udp") {
    return openUdpPort(s, population, listen, local, () => {
      return derived(
        s.plan!,
        population,
        listen.port,
        workloads.filter(({ options }) => isUdp(options)),
        udpServiceFor,
      );
    });
  }
  const service = listen.service ??
    derived(
      s.plan!,
      population,
      listen.port,
      workloads.filter(({ options }) => !isUdp(options) && options.kind !== "syn-flood"),
      serviceFor,
    ) ??
    { kind: "hold" };
  const app = s.apps.length;
  s.apps.push(new Service({ runtime: s, app, plan: servicePlan(service, listen), adopt: adopterOf(s, service) }));
  for (const [name, value] of [["backlog", listen.backlog], ["acceptEvery", listen.acceptIntervalNs]] as const) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) continue;
    throw new NetworkError(subject, `A whole number from 0 on, not ${value}: ${name}.`);
  }
  for (let i = 0; i < population.count; i++) {
    const errno = s.openListener(population.firstRow + i, local, listen.port, listen.backlog ?? 4096, app);
    if (errno >= 0) continue;
    if (errno !== -ERRNO.EADDRINUSE) {
      throw new NetworkError(subject, `${population.name} has no files or memory for port ${listen.port}.`);
    }
    throw new NetworkError(subject, `Port ${listen.port} of ${population.name} is listened on twice.`);
  }
}

/** What the workloads that connect to this port need; they must agree. */
function derived<T>(
  plan: Plan,
  population: PlannedPopulation,
  port: number,
  workloads: PlannedWorkload[],
  needed: (options: WorkloadOptions) => T,
): T | undefined {
  let derived: T | undefined;
  let from = "";
  for (const workload of workloads) {
    if (!workload.to.some((to) => leadsTo(plan, to, population, port))) continue;
    const service = needed(workload.options);
    if (derived !== undefined && JSON.stringify(derived) !== JSON.stringify(service)) {
      throw new NetworkError(
        `nodes.${population.name}.listen`,
        `Workloads "${from}" and "${workload.options.name}" want different things of ${population.name}:${port}: ` +
          "say what it does (service: …), or give them a port each.",
      );
    }
    derived = service;
    from = workload.options.name;
  }
  return derived;
}

function serviceFor(options: WorkloadOptions): ServiceOptions {
  if (options.kind === "schedule") return { kind: "schedule" };
  const plan = clientPlan(options);
  const serverCloses = options.close === "server" || options.close === "both";
  const closeAfterNs = serverCloses ? plan.holdNs : Infinity;
  switch (plan.kind) {
    case "hold":
      return { kind: "hold", closeAfterNs };
    case "upload":
      // (Only who closes needs to know when all has come.)
      return serverCloses ? { kind: "sink", bytes: plan.bytes, closeAfterNs } : { kind: "sink", closeAfterNs };
    case "download":
      return { kind: "source", bytes: plan.bytes, closeAfterNs };
    case "request-response":
      return {
        kind: "respond",
        requestBytes: plan.requestBytes,
        replyBytes: plan.replyBytes,
        answersBeforeClose: plan.requests,
        closeAfterNs,
      };
  }
}
