/**
 * What a person reads about the capacity of a scenario: what binds first, at how many connections, and why.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import type { CapacityLimit, CapacityReport } from "../network/capacity.ts";
import { counted, type Paint, paint, seconds, wrap } from "./text.ts";

/** How to print. */
export interface CapacityTextOptions {
  /** ANSI colours. Default false. */
  colour?: boolean;
  /** Columns. Default 96, at least 60. */
  width?: number;
  /** One line about the scenario, in its author's words. */
  description?: string;
}

const INDENT = "    ";

/** The report as text, ending in a line feed. */
export function capacityText(report: CapacityReport, options: CapacityTextOptions = {}): string {
  const ink = paint(options.colour ?? false);
  const width = Math.max(60, options.width ?? 96);
  const shown = withoutWideLinks(report.limits);
  const bound = shown.filter(({ holds }) => !holds);
  const others = shown.filter(({ holds }) => holds);
  const lines = [
    `${ink.bold(report.scenario)}  (seed ${report.seed}; worked out, not run)`,
    ...(options.description === undefined ? [] : wrap(options.description, width)),
    "",
    ...verdict(report, ink, width),
  ];
  bound.forEach((limit, i) => {
    lines.push("", `${i === 0 ? ink.hot("Binds first: ") : "Then:        "}${ink.bold(name(limit))}, ${where(limit)}`);
    lines.push(...details(limit, width));
  });
  if (others.length > 0) lines.push("", "Within these:");
  for (const limit of others) {
    lines.push(`  ${ink.bold(name(limit))}: ${ceiling(limit)}${asked(limit)}`, ...details(limit, width));
  }
  for (const note of report.notes) lines.push("", ...wrap(note, width));
  return lines.join("\n") + "\n";
}

function name({ limit, node }: CapacityLimit): string {
  return `${limit} at ${node}`;
}

/** Links that nothing is dropped at are left out, but for the one that is closest to full. */
function withoutWideLinks(limits: readonly CapacityLimit[]): CapacityLimit[] {
  const wide = limits.filter(({ limit, capacity, holds }) => limit === "link" && holds && capacity === Infinity);
  let narrowest = wide[0];
  for (const link of wide) if (link.ceilingPerSecond! < narrowest.ceilingPerSecond!) narrowest = link;
  return limits.filter((limit) => limit === narrowest || !wide.includes(limit));
}

function verdict(report: CapacityReport, ink: Paint, width: number): string[] {
  const all = `${counted(report.connections, "connection")} ${report.connections === 1 ? "is" : "are"} asked for`;
  if (report.holds) return wrap(`${ink.good("Holds")}: ${all}, and no limit is reached.`, width);
  return wrap(`${ink.bad("Does not hold")}: ${all}.`, width);
}

/** `at its connection 28,233, after 282 ms`. */
function where({ firstRefused, ceiling, ceilingPerSecond, exact }: CapacityLimit): string {
  const about = exact ? "" : "about ";
  if (firstRefused !== null) {
    const after = firstRefused.seconds === 0 ? "at once" : `after ${seconds(firstRefused.seconds)}`;
    return `${about}at the ${ordinal(firstRefused.connection)} connection that comes there, ${after}`;
  }
  if (ceiling !== null) return `${about}at ${counted(ceiling, "connection")}`;
  return ceilingPerSecond === null
    ? "at no number"
    : `${about}at ${formatCount(Math.floor(ceilingPerSecond))} a second`;
}

function ordinal(count: number): string {
  const tens = count % 100;
  const ending = tens > 10 && tens < 14 ? "th" : ["th", "st", "nd", "rd"][count % 10] ?? "th";
  return `${formatCount(count)}${ending}`;
}

function ceiling({ ceiling, ceilingPerSecond, exact }: CapacityLimit): string {
  const about = exact ? "" : "about ";
  const parts: string[] = [];
  if (ceiling !== null) parts.push(`${about}${counted(ceiling, "connection")} at once`);
  if (ceilingPerSecond !== null && ceilingPerSecond < Infinity) {
    parts.push(`about ${formatCount(Math.floor(ceilingPerSecond))} a second`);
  }
  return parts.length === 0 ? "never reached" : parts.join(", ");
}

function asked({ declared, workloads }: CapacityLimit): string {
  return `; ${formatCount(declared)} asked for (${workloads.join(", ")})`;
}

function details(limit: CapacityLimit, width: number): string[] {
  const lines = wrap(limit.formula, width, INDENT);
  if (!limit.holds) {
    const some = limit.limit === "link" || limit.limit === "cpu" ? "some" : `about ${formatCount(limit.refused)}`;
    lines.push(...wrap(
      `${formatCount(limit.declared)} asked for (${limit.workloads.join(", ")}); ${some} of them find no room.`,
      width,
      INDENT,
    ));
  } else if (limit.firstRefused !== null) {
    lines.push(...wrap(
      `Would bind at the ${
        ordinal(limit.firstRefused.connection)
      } connection that comes there, if other limits let so ` +
        "many through.",
      width,
      INDENT,
    ));
  }
  lines.push(...wrap(limit.exact ? "(exact)" : `(estimated: ${limit.estimate})`, width, INDENT));
  return lines;
}

/** The report as indented JSON, ending in a line feed; what JSON cannot hold (no limit) is null. */
export function capacityJson(report: CapacityReport): string {
  return JSON.stringify(
    report,
    (_key, value) => typeof value === "number" && !Number.isFinite(value) ? null : value,
    2,
  ) + "\n";
}
