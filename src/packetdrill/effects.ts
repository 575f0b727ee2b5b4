/**
 * What commands in backticks do to the emulated host.
 *
 * @module
 */
import { setCongestionParameter } from "../tcp/mod.ts";
import type { Profile } from "../transport/profile.ts";
import { type Effect, interpretCommands } from "./commands.ts";
import type { EmulatedHost } from "./host.ts";
import type { Command } from "./script.ts";
import { applySysctl, packetdrillProfile } from "./sysctl.ts";

/** What the caller has to know of commands that were carried out. */
export interface CommandOutcome {
  /** Commands without meaning here, each with the reason. */
  ignored: string[];
  /** How long the commands wait, ns. */
  sleepNs: number;
}

/** Carries out the commands. */
export function applyCommands(host: EmulatedHost, command: Command): CommandOutcome {
  const outcome: CommandOutcome = { ignored: [], sleepNs: 0 };
  for (const effect of interpretCommands(command.text)) apply(host, effect, outcome);
  return outcome;
}

function apply(host: EmulatedHost, effect: Effect, outcome: CommandOutcome): void {
  const ignore = (why: string) => void outcome.ignored.push(why);
  switch (effect.kind) {
    case "none":
      return ignore(`${effect.text} (${effect.why})`);
    case "defaults":
    case "restore":
      return host.configure(packetdrillProfile);
    case "sysctl":
      return applySetting(host, effect.name, effect.value, ignore);
    case "module-parameter":
      if (!setParameter(host, effect.module, effect.name, effect.value)) {
        ignore(`${effect.module}.${effect.name}=${effect.value}`);
      }
      return;
    case "flush-metrics":
      return host.forgetPeers();
    case "sleep":
      outcome.sleepNs += effect.ns;
      return;
    case "device":
      if (effect.mtu !== null) host.setMtu(effect.mtu);
      // Large segments are never made on the way to the wire, so that it does not matter who may.
      for (const feature of effect.features.keys()) ignore(`feature ${feature} of ${effect.device}`);
      return;
    case "qdisc":
      return applyQueue(host, effect, ignore);
    case "route":
      return applyRoute(host, effect, ignore);
  }
}

/** A parameter of a congestion control: `tcp_cubic` is the module of `cubic`. */
function setParameter(host: EmulatedHost, module: string, name: string, value: string): boolean {
  const number = Number(value);
  if (!Number.isInteger(number)) return false;
  return setCongestionParameter(host.stack, module.replace(/^tcp_/, ""), name, number);
}

function applySetting(host: EmulatedHost, name: string, value: string, ignore: (why: string) => void): void {
  const read = applySysctl(host.profile, name, value);
  if (read.kind !== "changes") return ignore(read.why);
  host.configure(read.changes);
  if (read.remark !== null) ignore(`${name}: ${read.remark}`);
}

type QueueEffect = Extract<Effect, { kind: "qdisc" }>;

/** A queue that holds nothing takes nothing; fq paces what TCP sends; of the others nobody is the wiser. */
function applyQueue(host: EmulatedHost, effect: QueueEffect, ignore: (why: string) => void): void {
  host.setEgress(!(effect.limit === 0 && effect.action !== "del"));
  host.configure({ pacing: effect.discipline === "fq" });
  if (effect.arguments.length > 0) ignore(`${effect.discipline} ${effect.arguments.join(" ")}`);
}

/** Metrics of a route that a profile knows. */
const ROUTE_METRICS: Readonly<Record<string, (value: string) => Partial<Profile> | null>> = {
  initcwnd: (value) => /^\d+$/.test(value) ? { initialWindowSegments: Number(value) } : null,
  rto_min: (value) => {
    const ms = milliseconds(value);
    return ms === null ? null : { rtoMinMs: ms };
  },
  congctl: (value) => ({ congestionControl: value }),
  cc: (value) => ({ congestionControl: value }),
};

/** `20ms`, `1s`, or milliseconds without a unit. */
function milliseconds(text: string): number | null {
  const match = /^(\d+)(ms|s)?$/.exec(text);
  if (match === null) return null;
  return Number(match[1]) * (match[2] === "s" ? 1000 : 1);
}

type RouteEffect = Extract<Effect, { kind: "route" }>;

function applyRoute(host: EmulatedHost, effect: RouteEffect, ignore: (why: string) => void): void {
  if (effect.action === "del") {
    const { initialWindowSegments, rtoMinMs } = packetdrillProfile;
    return host.configure({ initialWindowSegments, rtoMinMs });
  }
  for (const [name, value] of effect.metrics) {
    const changes = Object.hasOwn(ROUTE_METRICS, name) ? ROUTE_METRICS[name](value) : null;
    if (name === "mtu" && /^\d+$/.test(value)) host.setMtu(Number(value));
    else if (changes !== null) host.configure(changes);
    else ignore(`route metric ${name} ${value}`);
  }
}
