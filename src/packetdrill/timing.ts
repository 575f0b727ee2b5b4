/**
 * When events of a script happen, and whether something came at its time.
 *
 * @module
 */
import type { RunConfig } from "./config.ts";
import { seconds } from "./print.ts";
import type { EventTime, ScriptEvent } from "./script.ts";

/** An event's time, worked out: ns since the run began. */
export interface Moment {
  /** Not checked. */
  any: boolean;
  fromNs: number;
  /** The same as `fromNs` unless it is a range. */
  toNs: number;
  /** What relative times of the event count from; 0 for absolute ones. */
  offsetNs: number;
}

/** Works out an event's time, relative ones counting from `offsetNs`. */
export function momentOf(time: EventTime, offsetNs: number): Moment {
  switch (time.kind) {
    case "any":
      return { any: true, fromNs: offsetNs, toNs: offsetNs, offsetNs };
    case "absolute":
      return { any: false, fromNs: time.ns, toNs: time.ns, offsetNs: 0 };
    case "relative":
      return { any: false, fromNs: offsetNs + time.ns, toNs: offsetNs + time.ns, offsetNs };
    case "absolute-range":
      return { any: false, fromNs: time.fromNs, toNs: time.toNs, offsetNs: 0 };
    case "relative-range":
      return { any: false, fromNs: offsetNs + time.fromNs, toNs: offsetNs + time.toNs, offsetNs };
  }
}

/** Is the event's time absolute? Two such in a row must not go back. */
export function isAbsolute(event: ScriptEvent): boolean {
  return event.time.kind === "absolute" || event.time.kind === "absolute-range";
}

/** How far something may be off `dueNs`: the tolerance, or a share of the time since `sinceNs` (null: not known). */
export function toleranceOf(config: RunConfig, dueNs: number, sinceNs: number | null): number {
  if (sinceNs === null) return config.toleranceNs;
  return Math.max(config.toleranceNs, (dueNs - sinceNs) * config.tolerancePercent / 100);
}

/** Did `what` happen at its time? What is wrong, or null. `sinceNs`: time of the event before. */
export function checkTime(
  config: RunConfig,
  what: string,
  moment: Moment,
  actualNs: number,
  sinceNs: number | null,
): string | null {
  if (moment.any) return null;
  const tolerance = toleranceOf(config, moment.fromNs, sinceNs);
  if (actualNs >= moment.fromNs - tolerance && actualNs <= moment.toNs + tolerance) return null;
  const due = moment.fromNs === moment.toNs
    ? `at ${seconds(moment.fromNs)} s`
    : `between ${seconds(moment.fromNs)} and ${seconds(moment.toNs)} s`;
  return `${what} was due ${due} and came at ${seconds(actualNs)} s (tolerance ${seconds(tolerance)} s)`;
}
