/**
 * From declared workloads over UDP, lookups of names and UDP ports to applications.
 *
 * @module
 */
import type { ArrivalTimes } from "../app/arrivals.ts";
import { DnsLoad } from "../app/dns_load.ts";
import { PARETO_SHAPE } from "../app/holding.ts";
import type { Sources, Targets } from "../app/targets.ts";
import { TargetCounts } from "../app/target_counts.ts";
import type { WorkloadCounts } from "../app/workload_counts.ts";
import { UdpClient, type UdpClientPlan } from "../app/udp_client.ts";
import { UdpService, type UdpServicePlan } from "../app/udp_service.ts";
import { substreamKey } from "../base/rng.ts";
import { NetworkError } from "./errors.ts";
import { holdNsOf, type ListenOptions, type WorkloadOptions } from "./options.ts";
import type { Partition } from "./partition.ts";
import type { PlannedPopulation } from "./plan.ts";

/** As long as a stub resolver waits. */
const TIMEOUT_NS = 5e9;
/** A datagram without a word said about its size. */
const DATAGRAM_BYTES = 100;
/** IPv4's longest. */
const MOST_BYTES = 65_507;

/** Are these exchanges of datagrams? */
export function isUdp(options: WorkloadOptions): boolean {
  return options.transport === "udp";
}

/** Throws `NetworkError` for what makes no sense over UDP, or only there. */
export function checkUdp(options: WorkloadOptions, subject: string): void {
  const { transport, kind, timeoutNs, retries } = options;
  if (transport !== undefined && transport !== "tcp" && transport !== "udp") {
    throw new NetworkError(`${subject}.transport`, `One of tcp, udp, not ${transport}.`);
  }
  if (!isUdp(options)) {
    for (const [name, value] of [["timeout", timeoutNs], ["retries", retries]] as const) {
      if (value !== undefined) throw new NetworkError(`${subject}.${name}`, "Only exchanges over UDP have that.");
    }
    return;
  }
  if (kind !== "request-response" && kind !== "torrent") {
    throw new NetworkError(`${subject}.transport`, `A workload of kind ${kind} does not go over UDP.`);
  }
  if (timeoutNs !== undefined && !(Number.isSafeInteger(timeoutNs) && timeoutNs >= 1e6)) {
    throw new NetworkError(`${subject}.timeout`, `A timeout is at least 1 ms, in whole nanoseconds, not ${timeoutNs}.`);
  }
  if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0 && retries <= 255)) {
    throw new NetworkError(`${subject}.retries`, `A whole number from 0 to 255, not ${retries}.`);
  }
  for (const [key, name] of [["requestBytes", "request"], ["replyBytes", "reply"], ["bytes", "bytes"]] as const) {
    if ((options[key] ?? 0) <= MOST_BYTES) continue;
    throw new NetworkError(`${subject}.${name}`, `A datagram has ${MOST_BYTES} bytes at most, not ${options[key]}.`);
  }
}

function udpPlan(options: WorkloadOptions): UdpClientPlan {
  const torrent = options.kind === "torrent";
  return {
    exchanges: options.connections,
    requestBytes: options.requestBytes ?? (torrent ? options.bytes : undefined) ?? DATAGRAM_BYTES,
    requests: options.requests ?? 1,
    thinkNs: options.thinkNs ?? 0,
    thinkDistribution: options.thinkDistribution ?? "fixed",
    timeoutNs: options.timeoutNs ?? TIMEOUT_NS,
    retries: options.retries ?? 0,
    holdNs: holdNsOf(options),
    holdDistribution: options.holdDistribution ?? "fixed",
    holdShape: options.holdShape ?? PARETO_SHAPE,
    family: options.family ?? "any",
    prefersIpv6: options.preferredFamily !== "ipv4",
    shareSocket: torrent,
    permute: torrent && (options.spread ?? "permutation") === "permutation",
    randomTargets: torrent && options.spread === "random",
  };
}

/** Starts a workload over UDP, or of lookups. */
export function startDatagrams(
  s: Partition,
  options: WorkloadOptions,
  whence: { sources: Sources; targets: Targets; arrivals: ArrivalTimes },
  outcomes: WorkloadCounts,
  seed: number,
): void {
  const common = { runtime: s, app: s.apps.length, ...whence };
  const counts = s.dns?.targets ?? new TargetCounts();
  const app = options.kind === "dns"
    ? new DnsLoad({ ...common, lookups: options.connections, addresses: s.dns!.addresses, counts })
    : new UdpClient({
      ...common,
      plan: udpPlan(options),
      stats: s.datagrams,
      outcomes,
      key: substreamKey(seed, "workload", options.name),
      addresses: s.dns?.addresses,
      counts,
    });
  s.apps.push(app);
  app.start();
}

/** What a workload needs of the port that its datagrams go to. */
export function udpServiceFor(options: WorkloadOptions): UdpServicePlan {
  const replyBytes = options.kind === "torrent" ? options.bytes ?? DATAGRAM_BYTES : 1000;
  return { kind: "respond", replyBytes: options.replyBytes ?? replyBytes };
}

/** What a port declares that it does with datagrams. Throws `NetworkError` for what only connections have. */
function declaredService({ service }: ListenOptions, subject: string): UdpServicePlan {
  const { kind, replyBytes = 1000 } = service!;
  if (kind !== "respond" && kind !== "echo" && kind !== "sink") {
    throw new NetworkError(subject, `A UDP port's service is one of respond, echo, sink, not ${kind}.`);
  }
  if (!(Number.isInteger(replyBytes) && replyBytes >= 0 && replyBytes <= MOST_BYTES)) {
    throw new NetworkError(subject, `A datagram has 0 to ${MOST_BYTES} bytes, not ${replyBytes}: service.reply.`);
  }
  return { kind, replyBytes };
}

/** Binds a UDP port on every member of a population. `derived`: what the workloads need of it. */
export function openUdpPort(
  s: Partition,
  population: PlannedPopulation,
  listen: ListenOptions,
  local: number,
  derived: () => UdpServicePlan | undefined,
): void {
  const subject = `nodes.${population.name}.listen`;
  const plan = listen.service === undefined
    ? derived() ?? { kind: "sink", replyBytes: 0 }
    : declaredService(listen, subject);
  const app = s.apps.length;
  s.apps.push(new UdpService({ runtime: s, plan, stats: s.datagrams }));
  for (let i = 0; i < population.count; i++) {
    const socket = s.openDatagram(population.firstRow + i, app);
    if (socket < 0) {
      throw new NetworkError(subject, `${population.name} has no files or memory for port ${listen.port}.`);
    }
    if (s.udp.bind(socket, local, listen.port) >= 0) continue;
    throw new NetworkError(subject, `UDP port ${listen.port} of ${population.name} is taken already.`);
  }
}
