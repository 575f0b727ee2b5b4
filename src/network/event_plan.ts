/**
 * From declared events to planned ones: every name resolved, every value checked, before the run.
 *
 * @module
 */
import type { IpPrefix } from "../base/address.ts";
import { nearest } from "../base/errors.ts";
import { hasImpairments } from "../link/impairments.ts";
import { resolveNatProfile } from "../nat/nat.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { makeProfile, type Profile } from "../transport/profile.ts";
import { DNS_PORT } from "../wire/dns.ts";
import { checkCongestionControl } from "../tcp/congestion/types.ts";
import { hostOptions, linkSettings } from "./build.ts";
import { cpuSettings } from "./cpu_build.ts";
import { located, NetworkError } from "./errors.ts";
import type {
  HostEvent,
  LinkChange,
  LinkEvent,
  ListenerEvent,
  NatEvent,
  NetworkEvent,
  ProfileEvent,
  RouteEvent,
} from "./event_options.ts";
import { type CpuOptions, type LinkOptions, LONGEST_RUN_NS } from "./options.ts";
import {
  directionOptions,
  endOf,
  findMembers,
  type Members,
  type Plan,
  type PlannedLinks,
  type PlannedPopulation,
} from "./plan.ts";
import { addressOf } from "./plan_addresses.ts";

/** Some links of a group. */
export interface PlannedLinkRange {
  group: PlannedLinks;
  first: number;
  count: number;
}

/** An event with what its names mean. */
export interface PlannedEvent {
  event: NetworkEvent;
  /** `events[3]`. */
  subject: string;
  nodes: Members[];
  links?: PlannedLinkRange;
  prefix?: IpPrefix;
  /** Of a route: the neighbour; undefined: unreachable, or automatic. */
  via?: Members;
}

/** Fields of a link that an event may change. */
export const CHANGES: readonly (keyof LinkChange)[] = [
  "rateBps",
  "delayNs",
  "mtu",
  "queueBytes",
  "queuePackets",
  "ecnThresholdBytes",
  "ecnThresholdPackets",
  "loss",
  "duplicate",
  "reorder",
  "reorderNs",
  "corrupt",
  "jitterNs",
];

/** Does the event change more of a link than whether it is there? */
export function changesOf(event: LinkEvent): LinkChange | undefined {
  const changes: Record<string, number> = {};
  for (const key of CHANGES) if (event[key] !== undefined) changes[key] = event[key];
  return Object.keys(changes).length === 0 ? undefined : changes;
}

const { HOST, NAT, BALANCER } = NODE_KIND;

const KINDS: NetworkEvent["kind"][] = [
  "link",
  "node",
  "nat",
  "route",
  "listener",
  "backend",
  "workload",
  "profile",
  "host",
];

/** Throws `NetworkError`. `workloads`: their names; `subjectOf`: what errors call an event. */
export function planEvents(
  events: readonly NetworkEvent[],
  plan: Plan,
  workloads: readonly string[],
  subjectOf: (i: number) => string = (i) => `events[${i}]`,
): PlannedEvent[] {
  const planned = events.map((event, i) => planEvent(event, subjectOf(i), plan, workloads));
  checkLinkChanges(planned);
  checkProfileChanges(planned);
  return planned;
}

/** Settings of hosts must make sense one after the other: a lowest ephemeral port is not above the highest. */
function checkProfileChanges(planned: PlannedEvent[]): void {
  const now = new Map<PlannedPopulation, { first: number; end: number; profile: Partial<Profile> }[]>();
  for (const { event, subject, nodes } of planned.toSorted((x, y) => x.event.atNs - y.event.atNs)) {
    if (event.kind !== "profile") continue;
    for (const { population, first, count } of nodes) {
      const end = first + count;
      const before = now.get(population) ??
        [{ first: 0, end: population.count, profile: hostOptions(population)?.profile ?? {} }];
      const after: typeof before = [];
      for (const range of before) {
        const [from, to] = [Math.max(range.first, first), Math.min(range.end, end)];
        if (from >= to) {
          after.push(range);
          continue;
        }
        if (range.first < from) after.push({ ...range, end: from });
        const profile = { ...range.profile, ...event.set };
        located(`${subject}.set`, () => makeProfile(profile));
        after.push({ first: from, end: to, profile });
        if (to < range.end) after.push({ ...range, first: to });
      }
      now.set(population, after);
    }
  }
}

function planEvent(event: NetworkEvent, subject: string, plan: Plan, workloads: readonly string[]): PlannedEvent {
  const { atNs } = event;
  if (!(Number.isSafeInteger(atNs) && atNs >= 0)) {
    throw new NetworkError(`${subject}.atNs`, `A time is a whole number of nanoseconds from 0 on, not ${atNs}.`);
  }
  if (atNs > LONGEST_RUN_NS) {
    throw new NetworkError(`${subject}.atNs`, "A run lasts 12 days of simulated time at most.");
  }
  if (!KINDS.includes(event.kind)) {
    throw new NetworkError(`${subject}.kind`, `${oneOf(KINDS)}, not ${event.kind}.${hint(`${event.kind}`, KINDS)}`);
  }
  const planned: PlannedEvent = { event, subject, nodes: [] };
  switch (event.kind) {
    case "link":
      return planLink(planned, event, plan);
    case "node":
      planned.nodes = nodesOf(event.node, subject, plan);
      choose(event.action, ["reboot", "down", "up"], `${subject}.action`);
      checkTime(event.downForNs, `${subject}.downForNs`);
      if (event.action === "up" && event.downForNs !== undefined) {
        throw new NetworkError(`${subject}.downForNs`, "Only a node that reboots or goes down comes up again.");
      }
      checkTime(event.convergenceNs, `${subject}.convergenceNs`);
      return planned;
    case "nat":
      return planNat(planned, event, plan);
    case "route":
      return planRoute(planned, event, plan);
    case "listener":
      return planListener(planned, event, plan);
    case "backend":
      return planBackend(planned, event, plan);
    case "workload":
      choose(event.action, ["start", "stop"], `${subject}.action`);
      if (workloads.includes(event.workload)) return planned;
      throw new NetworkError(
        `${subject}.workload`,
        `There is no workload called "${event.workload}".${hint(event.workload, workloads)}`,
      );
    case "profile":
      return planProfile(planned, event, plan);
    case "host":
      return planHost(planned, event, plan);
  }
}

/** Does it say nothing? */
function isEmpty(settings: object | undefined): boolean {
  return settings === undefined || Object.values(settings).every((value) => value === undefined);
}

function oneOf(words: readonly string[]): string {
  return `One of ${words.join(", ")}`;
}

function hint(name: string, names: readonly string[]): string {
  const near = nearest(name, [...names]);
  return near === undefined ? "" : ` Did you mean "${near}"?`;
}

function choose(value: string, words: readonly string[], subject: string): void {
  if (words.includes(value)) return;
  throw new NetworkError(subject, `${oneOf(words)}, not ${value}.${hint(`${value}`, words)}`);
}

function checkTime(ns: number | undefined, subject: string): void {
  if (ns === undefined || ns === Infinity || (Number.isSafeInteger(ns) && ns >= 0)) return;
  throw new NetworkError(subject, `A time is a whole number of nanoseconds from 0 on, not ${ns}.`);
}

/** The members that an event names. */
function nodesOf(
  names: string | string[],
  subject: string,
  plan: Plan,
  kinds?: readonly number[],
  what = "",
): Members[] {
  const list = typeof names === "string" ? [names] : names;
  if (!Array.isArray(list) || list.length === 0) {
    throw new NetworkError(`${subject}.node`, "An event happens to at least one node.");
  }
  return list.map((name, i) => {
    const at = typeof names === "string" ? `${subject}.node` : `${subject}.node[${i}]`;
    const members = findMembers(name, at, plan.byName);
    if (kinds === undefined || kinds.includes(members.population.kind)) return members;
    throw new NetworkError(at, `${name} is no ${what}.`);
  });
}

function planLink(planned: PlannedEvent, event: LinkEvent, plan: Plan): PlannedEvent {
  const { subject } = planned;
  planned.links = findLinks(event.link, `${subject}.link`, plan);
  if (event.direction !== undefined) {
    choose(event.direction, ["both", "forward", "reverse"], `${subject}.direction`);
  }
  if (event.state !== undefined) choose(event.state, ["up", "down"], `${subject}.state`);
  checkTime(event.convergenceNs, `${subject}.convergenceNs`);
  const { cost } = event;
  if (cost !== undefined && !(Number.isInteger(cost) && cost >= 1 && cost <= 65535)) {
    throw new NetworkError(`${subject}.cost`, `A cost is 1 to 65,535, not ${cost}.`);
  }
  if (event.state === undefined && cost === undefined && changesOf(event) === undefined) {
    throw new NetworkError(subject, `An event says what becomes of ${event.link}: state, delay, rate, loss and so on.`);
  }
  return planned;
}

/** `r1--r2`, `clients--r1[3]`, `clients--r1[0..9]`. */
function findLinks(text: string, subject: string, plan: Plan): PlannedLinkRange {
  const byName = (name: string) => plan.links.find((group) => group.name === name);
  const whole = byName(text);
  if (whole !== undefined) return { group: whole, first: 0, count: whole.count };
  const match = /^(.*)\[(\d+)(?:\.\.(\d+))?\]$/.exec(text);
  const group = match === null ? undefined : byName(match[1]);
  if (match === null || group === undefined) {
    const names = plan.links.map(({ name }) => name);
    // (Its ends may stand the wrong way round.)
    const turned = (match?.[1] ?? text).split("--").reverse().join("--");
    const near = names.includes(turned) ? ` Did you mean "${turned}"?` : hint(match?.[1] ?? text, names);
    throw new NetworkError(subject, `There is no link called "${text}".${near}`);
  }
  const first = Number(match[2]);
  const last = match[3] === undefined ? first : Number(match[3]);
  if (last < first || last >= group.count) {
    throw new NetworkError(subject, `"${text}" is outside ${group.name}, which has links 0 to ${group.count - 1}.`);
  }
  return { group, first, count: last - first + 1 };
}

/** Settings must make sense one after the other: a queue needs a rate. */
function checkLinkChanges(planned: PlannedEvent[]): void {
  const now = new Map<string, LinkOptions>();
  for (const { event, subject, links } of planned.toSorted((x, y) => x.event.atNs - y.event.atNs)) {
    if (event.kind !== "link" || links === undefined) continue;
    const changes = changesOf(event);
    if (changes === undefined) continue;
    for (const reverse of directionsOf(event)) {
      const key = `${links.group.name}${reverse ? "<" : ">"}`;
      const before = now.get(key) ?? directionOptions(links.group, reverse);
      const after = merged(before, changes);
      linkSettings(after, subject);
      now.set(key, after);
    }
  }
}

/** Link options with changes; a queue in packets takes the place of one in bytes. */
export function merged(options: LinkOptions, changes: LinkChange): LinkOptions {
  const after = { ...options, ...changes };
  if (changes.queuePackets !== undefined && changes.queueBytes === undefined) after.queueBytes = Infinity;
  if (changes.queueBytes !== undefined && changes.queuePackets === undefined) after.queuePackets = Infinity;
  return after;
}

/** Which directions an event is about: false from the first end, true from the second. */
export function directionsOf({ direction }: LinkEvent): boolean[] {
  return direction === "forward" ? [false] : direction === "reverse" ? [true] : [false, true];
}

function planNat(planned: PlannedEvent, event: NatEvent, plan: Plan): PlannedEvent {
  const { subject } = planned;
  planned.nodes = nodesOf(event.node, subject, plan, [NAT], "NAT gateway");
  if (event.restart !== true && isEmpty(event.timeouts)) {
    throw new NetworkError(subject, "An event of a NAT gateway is a restart, or has timeouts.");
  }
  located(`${subject}.timeouts`, () => resolveNatProfile({ ...event.timeouts }));
  return planned;
}

function planRoute(planned: PlannedEvent, event: RouteEvent, plan: Plan): PlannedEvent {
  const { subject } = planned;
  planned.nodes = nodesOf(event.node, subject, plan);
  planned.prefix = addressOf(event.to, `${subject}.to`);
  for (const { population, first, count } of planned.nodes) {
    for (let i = first; i < first + count; i++) {
      const links = neighboursOf(plan, population.firstRow + i).length;
      if (population.kind !== HOST || links > 1) continue;
      throw new NetworkError(`${subject}.node`, `${population.name} has one link: all it sends goes there.`);
    }
  }
  if (event.via === "unreachable" || event.via === "automatic") return planned;
  planned.via = findMembers(event.via, `${subject}.via`, plan.byName);
  if (planned.via.count !== 1) throw new NetworkError(`${subject}.via`, `"${event.via}" is more than one node.`);
  const via = planned.via.population.firstRow + planned.via.first;
  for (const { population, first, count } of planned.nodes) {
    for (let i = first; i < first + count; i++) {
      if (neighboursOf(plan, population.firstRow + i).some(({ node }) => node === via)) continue;
      const name = population.plural ? `${population.name}[${i}]` : population.name;
      throw new NetworkError(`${subject}.via`, `No link leads from ${name} to ${event.via}.`);
    }
  }
  return planned;
}

/** The nodes that a node's links lead to, and by which direction; links of lower rank first. */
export function neighboursOf(plan: Plan, node: number): { node: number; direction: number }[] {
  const found: { node: number; direction: number; rank: number }[] = [];
  for (const group of plan.links) {
    const { a, b, count } = group;
    for (const [here, there, base, back] of [[a, b, group.aToB, 0], [b, a, group.bToA, 1]] as const) {
      const member = node - here.population.firstRow;
      if (member < here.first || member >= here.first + here.count) continue;
      for (let i = 0; i < count; i++) {
        if (endOf(here, i, count) !== member) continue;
        found.push({
          node: there.population.firstRow + endOf(there, i, count),
          direction: base + i,
          rank: group.firstRank + 2 * i + back,
        });
      }
    }
  }
  return found.sort((x, y) => x.rank - y.rank);
}

function planListener(planned: PlannedEvent, event: ListenerEvent, plan: Plan): PlannedEvent {
  const { subject } = planned;
  const { action, backlog, protocol = "tcp" } = event;
  planned.nodes = nodesOf(event.node, subject, plan, [HOST], "host");
  if (event.protocol !== undefined) choose(event.protocol, ["tcp", "udp"], `${subject}.protocol`);
  if (action !== undefined) choose(action, ["open", "close"], `${subject}.action`);
  if (action === undefined && backlog === undefined) {
    throw new NetworkError(subject, "An event of a listening port has an action, open or close, or a backlog.");
  }
  if (backlog !== undefined && protocol === "udp") {
    throw new NetworkError(`${subject}.backlog`, "A UDP port has no queue of connections.");
  }
  if (backlog !== undefined && !(Number.isInteger(backlog) && backlog >= 0 && backlog <= 2 ** 31 - 1)) {
    throw new NetworkError(`${subject}.backlog`, `A backlog is a whole number from 0 on, not ${backlog}.`);
  }
  for (const { population } of planned.nodes) {
    const ports = portsOf(population, protocol);
    if (ports.includes(event.port)) continue;
    const upper = protocol.toUpperCase();
    const known = ports.length === 0
      ? `it has no listening ${upper} port`
      : `its ${upper} ports are ${ports.join(", ")}`;
    const other = protocol === "udp" ? "tcp" : "udp";
    const hint = portsOf(population, other).includes(event.port)
      ? ` It listens there for ${other.toUpperCase()}: say protocol: ${other}.`
      : "";
    const where = `${population.name} does not listen on ${upper} port ${event.port}`;
    throw new NetworkError(`${subject}.port`, `${where}: ${known}.${hint}`);
  }
  return planned;
}

/** The ports that a host was declared with. */
function portsOf(population: PlannedPopulation, protocol: "tcp" | "udp"): number[] {
  const { listen = [], dns, proxy } = hostOptions(population)!;
  const ports = listen.filter((one) => (one.protocol ?? "tcp") === protocol).map(({ port }) => port);
  if (protocol === "tcp" && proxy !== undefined) ports.push(proxy.port);
  if (protocol === "udp" && dns !== undefined) ports.push(DNS_PORT);
  return ports;
}

function planBackend(
  planned: PlannedEvent,
  event: Extract<NetworkEvent, { kind: "backend" }>,
  plan: Plan,
): PlannedEvent {
  const { subject } = planned;
  choose(event.state, ["up", "down", "drain"], `${subject}.state`);
  const members = findMembers(event.balancer, `${subject}.balancer`, plan.byName);
  if (members.population.kind !== BALANCER) {
    throw new NetworkError(`${subject}.balancer`, `${event.balancer} is no balancer.`);
  }
  planned.nodes = [members];
  return planned;
}

function planProfile(planned: PlannedEvent, event: ProfileEvent, plan: Plan): PlannedEvent {
  const { subject } = planned;
  planned.nodes = nodesOf(event.node, subject, plan, [HOST], "host");
  if (isEmpty(event.set)) throw new NetworkError(`${subject}.set`, "An event of a profile sets something.");
  const { congestionControl } = event.set;
  if (congestionControl !== undefined) located(`${subject}.set`, () => checkCongestionControl(congestionControl));
  return planned;
}

function planHost(planned: PlannedEvent, event: HostEvent, plan: Plan): PlannedEvent {
  const { subject } = planned;
  const { maxFiles, memoryBytes, cpu } = event;
  planned.nodes = nodesOf(event.node, subject, plan, [HOST], "host");
  if (maxFiles === undefined && memoryBytes === undefined && isEmpty(cpu)) {
    throw new NetworkError(subject, "An event of a host says what changes: its maxFiles, its memory or its cpu.");
  }
  if (maxFiles !== undefined) located(`${subject}.maxFiles`, () => makeProfile({ maxFiles }));
  if (memoryBytes !== undefined) located(`${subject}.memoryBytes`, () => makeProfile({ memoryBytes }));
  if (cpu === undefined) return planned;
  if ((cpu as CpuOptions).cores !== undefined) {
    throw new NetworkError(`${subject}.cpu.cores`, "A host has as many cores as it was declared with.");
  }
  cpuSettings(cpu, `${subject}.cpu`);
  return planned;
}

/** Do link settings need random draws? */
export function draws(options: LinkOptions): boolean {
  return hasImpairments(linkSettings(options, "").impairments);
}
