/**
 * From a checked scenario to a network.
 *
 * @module
 */
import { Network, NetworkError } from "../network/network.ts";
import type {
  HostOptions,
  LinkOptions,
  ListenOptions,
  NatOptions,
  QueueDisciplineOptions,
  RunOptions,
  WorkloadOptions,
} from "../network/options.ts";
import type { Simulation } from "../network/simulation.ts";
import type { RunReport } from "../report/document.ts";
import { type Expectation, holds } from "./expect.ts";
import { cpuOptions } from "./host_options.ts";
import { linkPairs } from "./links.ts";
import type { LoadedScenario } from "./load.ts";
import { formatPath } from "./positions.ts";
import { profileOf, withoutUndefined } from "./profiles.ts";
import { readReport } from "./report_paths.ts";
import type { Scenario, ScenarioHost, ScenarioLink, ScenarioWorkload } from "./schema.ts";
import { balancerOptions, proxyOptions } from "./schema_balancer.ts";
import { networkEvent } from "./schema_events.ts";
import { natOptions } from "./schema_nat.ts";
import { probeOptions } from "./schema_probes.ts";
import { datagramOptions, dnsOptions, resolverOptions } from "./schema_dns.ts";

/**
 * The network that a scenario describes, its parts in the file's order.
 *
 * @throws {InputError} with file, line and column, where the network refuses a part.
 */
export function buildNetwork(loaded: LoadedScenario): Network {
  return inScenarioTerms(loaded, () => {
    const { scenario } = loaded;
    const network = new Network({ name: loaded.name, seed: loaded.seed, untilNs: loaded.run.untilNs });
    for (const [name, node] of Object.entries(scenario.nodes)) {
      if (node.kind === "host") network.host(name, hostOptions(scenario, node));
      else if (node.kind === "nat") network.nat(name, withoutUndefined<NatOptions>(natOptions(node)));
      else if (node.kind === "balancer") network.balancer(name, balancerOptions(node));
      else if (node.kind === "router") {
        const { count, address, address6, ecmp } = node;
        network.router(name, withoutUndefined({ count, address, address6, ecmp }));
      }
    }
    for (const { link, ends } of linkPairs(scenario)) network.link(...ends, linkOptions(link));
    for (const workload of scenario.workloads ?? []) network.workload(workloadOptions(workload));
    for (const probe of scenario.probes ?? []) network.probe(probeOptions(probe));
    for (const event of scenario.events ?? []) network.event(networkEvent(scenario, event, directionOptions));
    const { partition } = scenario;
    if (partition !== undefined) {
      network.partition(partition.map((names) => typeof names === "string" ? [names] : names));
    }
    return network;
  });
}

/**
 * The scenario's network, ready to run.
 *
 * @throws {InputError} as {@linkcode buildNetwork} does.
 */
export function buildSimulation(loaded: LoadedScenario): Simulation {
  const network = buildNetwork(loaded);
  return inScenarioTerms(loaded, () => network.build());
}

/** Runs `action`, and says a {@linkcode NetworkError} of its in terms of the scenario: file, line and column. */
export function inScenarioTerms<T>(loaded: LoadedScenario, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof NetworkError) {
      throw loaded.error(scenarioSubject(error.subject, loaded.scenario), inScenarioWords(error.message));
    }
    throw error;
  }
}

/** What the network's options are called in a scenario, where it is not the same name without the unit. */
const FIELDS: Record<string, string> = {
  acceptIntervalNs: "acceptEvery",
  atNs: "at",
  negativeTtlNs: "negativeTtl",
  delaySpreadStepNs: "delaySpread.step",
  delaySpreadSteps: "delaySpread.steps",
  ecnThresholdBytes: "ecnThreshold",
  ecnThresholdPackets: "ecnThreshold",
  icmpNs: "timeouts.icmp",
  insideAddress: "inside",
  memoryBytes: "memory",
  perSecond: "rate",
  poolCount: "pool",
  portHigh: "ports",
  portLow: "ports",
  queueBytes: "queue",
  queuePackets: "queue",
  quotaPorts: "quota.ports",
  quotaSessions: "quota.sessions",
  reorderNs: "reorderBy",
  startNs: "start",
  tcpEstablishedNs: "timeouts.established",
  tcpTransitoryNs: "timeouts.transitory",
  udpNs: "timeouts.udp",
};

/**
 * `nodes.gw.portLow`, as the network calls it, is `nodes.gw.ports` in a scenario; `links[3]` may be one of several that
 * stand in one place there.
 */
function scenarioSubject(named: string, scenario: Scenario): string {
  const subject = named.replace(/^links\[(\d+)\](?:\.between\[([01])\])?/, (same, i, end) => {
    const pair = linkPairs(scenario)[Number(i)];
    if (pair === undefined) return same;
    return end === undefined ? `links[${pair.index}]` : formatPath(pair.paths[Number(end)]);
  });
  const dot = subject.lastIndexOf(".");
  const field = subject.slice(dot + 1);
  return `${subject.slice(0, dot + 1)}${FIELDS[field] ?? field.replace(/(Ns|Bps|Bytes)$/, "")}`;
}

/** Names of fields that a sentence has, as a scenario calls them: `rtoMinMs` is `rtoMin`. */
function inScenarioWords(sentence: string): string {
  return sentence.replace(
    /\b[a-z][A-Za-z]*(?:Ns|Ms|Bps|Bytes|Seconds)\b/g,
    (name) => FIELDS[name] ?? name.replace(/(Ns|Ms|Bps|Bytes|Seconds)$/, ""),
  );
}

function hostOptions(scenario: Scenario, host: ScenarioHost): HostOptions {
  const profile = typeof host.profile === "string" ? scenario.profiles?.[host.profile] : host.profile;
  return withoutUndefined<HostOptions>({
    count: host.count,
    address: host.address,
    address6: host.address6,
    ipv6Share: host.ipv6Share,
    extraAddresses: host.extraAddresses,
    virtualAddresses: host.virtualAddresses,
    profile: profile === undefined ? undefined : profileOf(profile),
    listen: host.listen?.map(listenOptions),
    proxy: host.proxy && proxyOptions(host.proxy),
    maxFiles: host.maxFiles,
    memoryBytes: host.memory,
    dns: host.dns && dnsOptions(host.dns),
    resolver: host.resolver && resolverOptions(host.resolver),
    cpu: host.cpu && cpuOptions(host.cpu),
  });
}

function listenOptions(listen: NonNullable<ScenarioHost["listen"]>[number]): ListenOptions {
  if (typeof listen === "number") return { port: listen };
  const service = listen.service;
  return withoutUndefined<ListenOptions>({
    port: listen.port,
    protocol: listen.protocol,
    address: listen.address,
    ipv6Only: listen.ipv6Only,
    backlog: listen.backlog,
    acceptIntervalNs: listen.acceptEvery,
    service: service && withoutUndefined({
      kind: service.kind,
      requestBytes: service.request,
      replyBytes: service.reply,
      bytes: service.bytes,
      answersBeforeClose: service.answers,
      closeAfterNs: service.closeAfter,
    }),
  });
}

function linkOptions(link: ScenarioLink): LinkOptions {
  return withoutUndefined<LinkOptions>({
    name: link.name,
    ...directionOptions(link),
    delaySpreadSteps: link.delaySpread?.steps,
    delaySpreadStepNs: link.delaySpread?.step,
    reverse: link.reverse && directionOptions(link.reverse),
    cost: link.cost,
    inside: link.inside,
    subnet: link.subnet,
  });
}

function directionOptions(direction: NonNullable<ScenarioLink["reverse"]>): Omit<LinkOptions, "name" | "reverse"> {
  const { ecnThreshold } = direction;
  const discipline = direction.queue && "discipline" in direction.queue ? direction.queue : undefined;
  const queue = direction.queue && "discipline" in direction.queue ? direction.queue.limit : direction.queue;
  return withoutUndefined({
    queueDiscipline: discipline && queueDiscipline(discipline),
    rateBps: direction.rate,
    delayNs: direction.delay,
    mtu: direction.mtu,
    queuePackets: queue && "packets" in queue ? queue.packets : undefined,
    queueBytes: queue && "bytes" in queue ? queue.bytes : undefined,
    ecnThresholdPackets: ecnThreshold && "packets" in ecnThreshold ? ecnThreshold.packets : undefined,
    ecnThresholdBytes: ecnThreshold && "bytes" in ecnThreshold ? ecnThreshold.bytes : undefined,
    loss: direction.loss,
    duplicate: direction.duplicate,
    reorder: direction.reorder,
    reorderNs: direction.reorderBy,
    corrupt: direction.corrupt,
    jitterNs: direction.jitter,
  });
}

type ScenarioQueue = Extract<NonNullable<NonNullable<ScenarioLink["reverse"]>["queue"]>, { discipline: unknown }>;

function queueDiscipline(queue: ScenarioQueue): QueueDisciplineOptions {
  const length = (limit: ScenarioQueue["limit"]) => limit && ("packets" in limit ? limit.packets : limit.bytes);
  return withoutUndefined<QueueDisciplineOptions>({
    kind: queue.discipline,
    ecn: queue.ecn,
    targetNs: queue.target,
    intervalNs: queue.interval,
    flows: queue.flows,
    quantumBytes: queue.quantum,
    minThreshold: length(queue.min),
    maxThreshold: length(queue.max),
    maxProbability: queue.probability,
    weight: queue.weight,
  });
}

function scheduleOptions(workload: Extract<ScenarioWorkload, { kind: "schedule" }>): WorkloadOptions {
  return withoutUndefined<WorkloadOptions>({
    name: workload.name,
    kind: workload.kind,
    from: typeof workload.from === "string" ? [workload.from] : workload.from,
    to: typeof workload.to === "string" ? [workload.to] : workload.to,
    connections: workload.at.length,
    atNs: workload.at,
    fromPorts: workload.fromPorts,
    exchanges: workload.exchanges?.map(({ request, reply, think, work }) =>
      withoutUndefined({ requestBytes: request, replyBytes: reply, thinkNs: think, workNs: work })
    ),
    holdNs: workload.hold,
    close: workload.close,
    reset: workload.reset,
    halfClose: workload.halfClose,
    closeWaitNs: workload.closeWait,
  });
}

function workloadOptions(workload: ScenarioWorkload): WorkloadOptions {
  if (workload.kind === "schedule") return scheduleOptions(workload);
  const { arrivals } = workload;
  const named: WorkloadOptions = {
    name: workload.name,
    kind: workload.kind,
    from: typeof workload.from === "string" ? [workload.from] : workload.from,
    to: typeof workload.to === "string" ? [workload.to] : workload.to,
    connections: workload.connections,
    arrivals: typeof arrivals === "object"
      ? withoutUndefined({ kind: arrivals.kind, perSecond: arrivals.rate, startNs: arrivals.start })
      : arrivals && { kind: arrivals },
  };
  if (workload.kind === "dns") return withoutUndefined(named);
  if (workload.kind === "syn-flood") return withoutUndefined({ ...named, spoof: workload.spoof });
  const common: WorkloadOptions = {
    ...named,
    family: workload.family,
    preferredFamily: workload.preferredFamily,
    happyEyeballs: workload.happyEyeballs,
    attemptDelayNs: workload.attemptDelay,
    resolutionDelayNs: workload.resolutionDelay,
    firstAddressFamilyCount: workload.firstAddressFamilyCount,
    holdNs: workload.hold,
    holdDistribution: workload.holdDistribution,
    holdShape: workload.holdShape,
    close: workload.close,
    keepAliveNs: workload.keepAlive === 0 ? undefined : workload.keepAlive,
  };
  if (workload.kind === "bulk") {
    return withoutUndefined({ ...common, bytes: workload.bytes, direction: workload.direction });
  }
  if (workload.kind === "torrent") {
    return withoutUndefined({
      ...common,
      ...datagramOptions(workload),
      bytes: workload.bytes,
      spread: workload.spread,
      requests: workload.requests,
      thinkNs: workload.think,
    });
  }
  if (workload.kind === "hold") return withoutUndefined(common);
  return withoutUndefined({
    ...common,
    ...datagramOptions(workload),
    requestBytes: workload.request,
    replyBytes: workload.reply,
    requests: workload.requests,
    thinkNs: workload.think,
    thinkDistribution: workload.thinkDistribution,
  });
}

/** When the run ends, as `Simulation.run` takes it. */
export function runOptions(loaded: LoadedScenario): RunOptions {
  const { untilNs, conditions } = loaded.run;
  return withoutUndefined<RunOptions>({
    untilNs,
    untilReport: conditions.length === 0
      ? undefined
      : (report) => conditions.some((condition) => conditionHolds(condition, report)),
  });
}

/** Whether a condition is true of the report so far. */
export function conditionHolds(condition: Expectation, report: RunReport): boolean {
  return holds(condition, readReport(condition.path, report));
}
