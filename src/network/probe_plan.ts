/**
 * From declared probes, and those that code asks for, to what is sent.
 *
 * @module
 */
import { AddressError, parseAddress } from "../base/address.ts";
import { NODE_KIND } from "../node/nodes.ts";
import { NetworkError } from "./errors.ts";
import { LONGEST_RUN_NS } from "./options.ts";
import type { Partition } from "./partition.ts";
import { findMembers, type Plan } from "./plan.ts";
import type { ProbeOptions, ProbeSettings } from "./probe_options.ts";
import type { ProbeReport } from "../base/probe_reports.ts";
import { probeReport } from "./probe_text.ts";
import { type ProbeDefaults, probesOf } from "./probes.ts";

/** A declared probe with its names resolved. */
export interface PlannedProbe {
  options: ProbeOptions;
  subject: string;
  /** Row of the host that asks. */
  node: number;
  /** Row of the node asked; 0: an address. */
  target: number;
  settings: ProbeDefaults;
}

/** Resolves names and checks numbers. Throws `NetworkError`. */
export function planProbes(probes: readonly ProbeOptions[], plan: Plan): PlannedProbe[] {
  const names = new Set<string>();
  return probes.map((options, i) => {
    if (typeof options.name !== "string" || options.name === "") {
      throw new NetworkError(`probes[${i}].name`, "A probe needs a name, by which its outcome is called.");
    }
    const subject = `probes.${options.name}`;
    if (names.has(options.name)) throw new NetworkError(subject, `Two probes are called "${options.name}".`);
    names.add(options.name);
    if (options.kind !== "ping" && options.kind !== "traceroute") {
      throw new NetworkError(`${subject}.kind`, `One of ping, traceroute, not ${options.kind}.`);
    }
    const { atNs = 0 } = options;
    if (!(Number.isSafeInteger(atNs) && atNs >= 0 && atNs <= LONGEST_RUN_NS)) {
      throw new NetworkError(`${subject}.atNs`, `A time is a whole number of nanoseconds within 12 days, not ${atNs}.`);
    }
    const node = onlyMember(options.from, `${subject}.from`, plan);
    if (plan.byName.get(options.from.replace(/\[.*$/, ""))?.kind !== NODE_KIND.HOST) {
      throw new NetworkError(`${subject}.from`, `Probes come from hosts, and ${options.from} is none.`);
    }
    const target = isAddress(options.to) ? 0 : onlyMember(options.to, `${subject}.to`, plan);
    const settings = probeSettings(options.kind, options, 64, (key, sentence) => {
      throw new NetworkError(`${subject}.${key}`, sentence);
    });
    return { options, subject, node, target, settings };
  });
}

/** Begins the declared probes at their times. */
export function installProbes(s: Partition, planned: readonly PlannedProbe[]): void {
  // (Always: code may begin some, and snapshots count applications.)
  const probes = probesOf(s);
  // In the order of their names: the order of declaration must not matter.
  for (const { options, subject, node, target, settings } of planned.toSorted(byName)) {
    const address = target === 0 ? s.addresses.intern(options.to) : addressFor(s, node, target, options.family);
    const source = address === 0 ? 0 : s.sourceFor(node, address);
    if (source === 0) {
      throw new NetworkError(`${subject}.to`, `${options.from} and ${options.to} have no address of one family.`);
    }
    const { name, kind, to, ttl, atNs: startNs = 0 } = options;
    const hops = { ...settings, ttl: ttl ?? s.tcp.profileOf(node).defaultTtl };
    probes.begin({ name, kind, node, to, target: address, source, settings: hops, startNs });
  }
}

function byName(x: PlannedProbe, y: PlannedProbe): number {
  return x.options.name < y.options.name ? -1 : 1;
}

/** A node's address that another one would take: IPv6 where both have it, unless asked otherwise; 0 for none. */
function addressFor(s: Partition, node: number, target: number, family: ProbeSettings["family"]): number {
  for (const ipv6 of [true, false]) {
    if (family !== undefined && (family === "ipv6") !== ipv6) continue;
    const address = s.addressFor(target, ipv6);
    if (address !== 0 && s.sourceFor(node, address) !== 0) return address;
  }
  return 0;
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

function onlyMember(text: string, subject: string, plan: Plan): number {
  const { population, first, count } = findMembers(text, subject, plan.byName);
  if (count === 1) return population.firstRow + first;
  throw new NetworkError(subject, `"${text}" is ${count} nodes: name one of them, ${population.name}[0].`);
}

/** Settings of a probe, checked. `refuse` is told what is wrong with which. */
export function probeSettings(
  kind: ProbeOptions["kind"],
  settings: ProbeSettings,
  ttl: number,
  refuse: (key: string, sentence: string) => never,
): ProbeDefaults {
  const trace = kind === "traceroute";
  const whole = (key: keyof ProbeDefaults, least: number, most: number, fallback: number): number => {
    const value = settings[key] ?? fallback;
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    return refuse(key, `A whole number from ${least} to ${most}, not ${value}.`);
  };
  return {
    count: whole("count", 1, 10_000, trace ? 3 : 4),
    intervalNs: whole("intervalNs", 0, LONGEST_RUN_NS, 1e9),
    // (What IPv4 and ICMP headers leave of 65,535.)
    bytes: whole("bytes", 0, 65_507, trace ? 32 : 56),
    timeoutNs: whole("timeoutNs", 1, LONGEST_RUN_NS, trace ? 5e9 : 10e9),
    ttl: whole("ttl", 1, 255, ttl),
    mostHops: whole("mostHops", 1, 255, 30),
  };
}

/** What probe number `index` has found so far. */
export function readProbe(s: Partition, index: number): ProbeReport {
  const probe = s.probes!.states[index];
  const { name, kind, to, address, startNs, endNs, sent, duplicates, answers, settings } = probe;
  const { count, bytes, mostHops, intervalNs } = settings;
  const from = s.nodes.nameOf(probe.node);
  const facts = { name, kind, from, to, address, startNs, endNs, sent, duplicates, answers, count, bytes, mostHops };
  return probeReport({ ...facts, intervalNs });
}

/** Probes in the order of their beginning. */
export function probeOrder(s: Partition): number[] {
  const states = s.probes?.states ?? [];
  return states.map((_, i) => i).sort((a, b) =>
    states[a].startNs - states[b].startNs || s.nodes.rankOf(states[a].node) - s.nodes.rankOf(states[b].node) ||
    states[a].identifier - states[b].identifier
  );
}

/** What all probes found, in that order. */
export function probeReports(s: Partition): ProbeReport[] {
  return probeOrder(s).map((i) => readProbe(s, i));
}
