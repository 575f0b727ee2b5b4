/**
 * What a person reads after a run: what happened, which limit bound, where and when, and whether the expectations held.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import { boundLimits, explainLimit, nearLimits, roomLeft } from "./bottleneck.ts";
import type { ExpectReport, LimitReport, NatReport, RunReport, WorkloadReport } from "./document.ts";
import { BALANCER_GLOSS, balancerRows } from "./summary_balancers.ts";
import { NAME_GLOSS, nameRows } from "./summary_names.ts";
import { bytes, counted, type Paint, paint, seconds, wrap } from "./text.ts";

/** How to print, and what the document alone does not tell. */
export interface SummaryOptions {
  /** ANSI colours. Default false. */
  colour?: boolean;
  /** Columns. Default 96, at least 60. */
  width?: number;
  /** One line about the scenario, in its author's words. */
  description?: string;
  /** When events were to happen, s: those that had not, at the end, are told. */
  eventSeconds?: number[];
  /** False where {@linkcode summaryHeading} has been printed before. Default true. */
  heading?: boolean;
}

/** Labels take so many columns. */
const LABEL = 15;
/** From so many connections on, memory for each is worth a word: below, tables and reserves weigh more. */
const MANY = 1000;
/** Limits told after the first. */
const TOLD_AFTER_FIRST = 6;
/** Workloads told one by one. */
const WORKLOADS_TOLD = 16;

const ENDED: Record<RunReport["ended"], string> = {
  quiescence: "nothing was left to do",
  time: "the time set for it was over",
  until: "its condition was met",
  interrupted: "it was interrupted",
};

/** Failures by the names that programs get, in words. */
const GLOSS: Record<string, string> = {
  ...NAME_GLOSS,
  EADDRNOTAVAIL: "no port left",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "reset by the other side",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no way there",
  ENETUNREACH: "no route",
  EACCES: "forbidden on the way",
  ECONNABORTED: "given up on this side",
  ENETDOWN: "their host was down",
  EMFILE: "no file descriptor left",
  ENOBUFS: "no memory left",
  ENOMEM: "no memory left",
};

/** The summary of a run, ending in a line feed. */
export function summary(report: RunReport, options: SummaryOptions = {}): string {
  const ink = paint(options.colour ?? false);
  const width = widthOf(options);
  const lines = [
    ...header(report, options, ink),
    "",
    ...happened(report, width),
    "",
    ...bound(report, ink, width),
    ...probes(report, ink),
    ...expectations(report.expect, ink),
    ink.dim(
      report.ended === "interrupted"
        ? `Digest ${report.digest}, of the packets so far.`
        : `Digest ${report.digest}: the same scenario and seed give the same digest, packet for packet.`,
    ),
  ];
  return lines.join("\n") + "\n";
}

/** The lines of the expectations that failed, for those who want nothing else; empty if all held. */
export function failedExpectations(expect: ExpectReport[]): string {
  return expect.filter((line) => !line.ok)
    .map((line) => `expectation failed: ${line.text} (expected ${asked(line)}, found ${shown(line.found)})\n`)
    .join("");
}

/** The first lines of a summary: what is run. They are known before the run. */
export function summaryHeading(run: Pick<RunReport, "scenario" | "seed">, options: SummaryOptions = {}): string {
  return headingLines(run, options).join("\n") + "\n";
}

function widthOf(options: SummaryOptions): number {
  return Math.max(60, options.width ?? 96);
}

function headingLines(run: Pick<RunReport, "scenario" | "seed">, options: SummaryOptions): string[] {
  const ink = paint(options.colour ?? false);
  const lines = [`${ink.bold(run.scenario)}  ${ink.dim(`(seed ${run.seed})`)}`];
  const { description } = options;
  if (description !== undefined) lines.push(...wrap(description.trim().replace(/\s+/g, " "), widthOf(options)));
  return lines;
}

function header(report: RunReport, options: SummaryOptions, ink: Paint): string[] {
  const cut = report.ended === "interrupted";
  const lines = options.heading === false ? [] : headingLines(report, options);
  if (cut) lines.push(ink.bad("CUT OFF: interrupted before the end. This is the run so far."));
  const pace = `, ${rate(report.packets.hops / report.wallSeconds)} packet-hops/s`;
  lines.push(
    `${seconds(report.simulatedSeconds)} simulated` +
      // Who runs it in code may not have looked at a clock.
      (report.wallSeconds > 0 ? ` in ${seconds(report.wallSeconds)}${pace}` : "") +
      (cut ? "" : `; the run ended because ${ENDED[report.ended]}`),
  );
  const events = options.eventSeconds ?? [];
  const left = events.filter((time) => time > report.simulatedSeconds);
  if (left.length > 0) {
    const when = seconds(Math.min(...left));
    const which = events.length === 1
      ? "the only event"
      : `${formatCount(left.length)} of ${formatCount(events.length)} events`;
    lines.push(`The run was over before ${which} could happen (${when}${left.length > 1 ? " and later" : ""}).`);
  }
  return lines;
}

function happened(report: RunReport, width: number): string[] {
  const { connections, packets, memory } = report;
  const rows: [string, string][] = [];
  rows.push([
    "Connections",
    `${formatCount(connections.attempted)} attempted, ${formatCount(connections.established)} established` +
    reasons(", ", connections.failed, "failed", GLOSS),
  ]);
  rows.push([
    "",
    `at most ${formatCount(connections.peakConcurrent)} at the same time, ${formatCount(connections.open)} ` +
    `open at the end` + reasons("; ", connections.broken, "broke", GLOSS),
  ]);
  if (connections.ipv6.attempts > 0) {
    const over = (name: string, { attempts, established }: { attempts: number; established: number }) =>
      `${formatCount(established)} over ${name} (${formatCount(attempts)} ${attempts === 1 ? "attempt" : "attempts"})`;
    rows.push(["", `${over("IPv6", connections.ipv6)}, ${over("IPv4", connections.ipv4)}`]);
  }
  rows.push(...workloadRows(report.workloads));
  if (connections.repliesCompleted > 0) {
    rows.push(["Requests", `${formatCount(connections.repliesCompleted)} answered in full`]);
  }
  rows.push(...nameRows(report, (counts) => reasons(", ", counts, "failed", GLOSS)));
  rows.push(...balancerRows(report, (counts) => reasons("; ", counts, "refused", BALANCER_GLOSS)));
  const { p50, p90, p99, max } = connections.connectMs;
  if (p50 !== null) {
    const ms = (value: number | null) => seconds((value ?? 0) / 1e3);
    rows.push(["Connect time", `median ${ms(p50)}, 90% within ${ms(p90)}, 99% within ${ms(p99)}, slowest ${ms(max)}`]);
  }
  rows.push([
    "Packets",
    `${formatCount(packets.sent)} sent, ${formatCount(packets.delivered)} delivered` +
    (reasons(", ", packets.dropped, "dropped", {}) || ", none dropped") +
    `; ${formatCount(packets.hops)} links crossed`,
  ]);
  rows.push(...refusalRows(report.nats));
  for (const nat of report.nats.filter(({ logRecords }) => logRecords > 0)) {
    rows.push([
      "NAT log",
      `${nat.node}: ${formatCount(nat.logRecords)} records, ${bytes(nat.logBytes)}, for ` +
      `${counted(nat.subscribers, "subscriber")} in ${seconds(report.simulatedSeconds)}; at this pace ` +
      `${formatCount(Math.round(nat.logRecordsPerSubscriberDay ?? 0))} records, ` +
      `${bytes(nat.logBytesPerSubscriberDay ?? 0)} a subscriber and day`,
    ]);
  }
  const each = connections.peakConcurrent >= MANY && memory.bytesPerConnection > 0
    ? `${formatCount(Math.round(memory.bytesPerConnection))} B`
    : "";
  const memoryParts = [
    ...(each === "" ? [] : [`${each} a connection (both ends, tables, NAT)`]),
    ...(memory.peakRssBytes > 0 ? [`${bytes(memory.peakRssBytes)} for the process`] : []),
  ];
  if (memoryParts.length > 0) rows.push(["Memory", memoryParts.join(", ")]);
  return rows.flatMap(([label, text]) =>
    wrap(text, width - LABEL - 2).map((line, i) => `  ${(i === 0 ? label : "").padEnd(LABEL)}${line}`)
  );
}

/** What each population of gateways refused, by reason, the earliest first. */
function refusalRows(nats: readonly NatReport[]): [string, string][] {
  const refusing = nats.filter(({ refused }) => Object.keys(refused).length > 0);
  return refusing.map(({ node, refused, firstRefusedSeconds }, i) => {
    const since = (reason: string) => firstRefusedSeconds[reason];
    const reasons = Object.keys(refused).toSorted((x, y) => since(x) - since(y));
    const told = reasons.map((reason) =>
      `${formatCount(refused[reason])} ${reason} (first at ${seconds(since(reason))})`
    );
    return [i === 0 ? "NAT refused" : "", `${node}: ${told.join("; ")}`];
  });
}

function bound(report: RunReport, ink: Paint, width: number): string[] {
  const hit = boundLimits(report);
  const lines: string[] = [];
  if (hit.length === 0) {
    const near = nearLimits(report);
    const shownLimits = near.length > 0 ? near.slice(0, TOLD_AFTER_FIRST) : fullest(report.limits);
    lines.push(`${ink.bold("No limit bound.")}${shownLimits.length > 0 ? " Nearest to it:" : ""}`);
    for (const limit of shownLimits) lines.push(...wrap(roomLeft(limit), width, "  "));
  } else {
    const [first, ...rest] = hit;
    const isProxy = (limit: LimitReport) => report.proxies.some(({ node }) => node === limit.node);
    const story = explainLimit(first, report.connections, isProxy(first));
    lines.push(`${ink.bold("What bound:")} ${ink.hot(story.headline)}  ${ink.dim(`[${first.limit}]`)}`);
    lines.push(...wrap(story.numbers, width, "  "));
    lines.push(...wrap(story.why, width, "  "));
    lines.push(...wrap(`What moves it: ${story.remedy}`, width, "  "));
    for (const limit of rest.slice(0, TOLD_AFTER_FIRST)) {
      const next = explainLimit(limit, report.connections, isProxy(limit));
      lines.push(`${ink.bold("Then:")} ${next.headline}  ${ink.dim(`[${limit.limit}]`)}`);
      lines.push(...wrap(next.numbers, width, "  "));
    }
    const more = rest.length - TOLD_AFTER_FIRST;
    if (more > 0) lines.push(`And ${counted(more, "more limit")} bound later: --json lists them.`);
  }
  const [destination, most] = fullestDestination(report.workloads);
  if (most > 65535) {
    lines.push(
      "",
      ink.bold(`One listening port, ${destination}, held ${formatCount(most)} connections at once.`),
      ...wrap(
        "Accepting a connection takes no port: a connection is known by its four addresses and ports together, and " +
          "these differ in the client's. What ends a server is files, memory and time, not 65,535.",
        width,
        "  ",
      ),
    );
  }
  lines.push("");
  return lines;
}

/** The one port to which most connections were open at once, as far as the workloads' counts tell. */
function fullestDestination(workloads: WorkloadReport[]): [string, number] {
  const open = new Map<string, number>();
  for (const workload of workloads) {
    const { destination } = workload;
    if (destination !== null) open.set(destination, (open.get(destination) ?? 0) + workload.open);
  }
  for (const { destination, peakConcurrent } of workloads) {
    if (destination !== null && peakConcurrent > open.get(destination)!) open.set(destination, peakConcurrent);
  }
  return [...open].reduce((fullest, one) => one[1] > fullest[1] ? one : fullest, ["", 0]);
}

/** A line for each workload, where there are several. */
function workloadRows(workloads: WorkloadReport[]): [string, string][] {
  if (workloads.length < 2) return [];
  const told = workloads.slice(0, WORKLOADS_TOLD);
  const rows = told.map(({ name, attempted, established, failed, broken }, i): [string, string] => [
    i === 0 ? "Of these" : "",
    `${name}: ${formatCount(established)} of ${formatCount(attempted)}` +
    reasons(", ", failed, "failed", {}) + reasons("; ", broken, "broke", {}),
  ]);
  const more = workloads.length - told.length;
  if (more > 0) rows.push(["", `and ${counted(more, "more workload")}`]);
  return rows;
}

/** Probes of which the whole output is told. */
const PROBES_TOLD = 20;

function probes(report: RunReport, ink: Paint): string[] {
  const told = report.probes.slice(0, PROBES_TOLD);
  const more = report.probes.length - told.length;
  return [
    ...told.flatMap(({ name, from, startSeconds, text }) => [
      `${ink.bold(name)}  ${ink.dim(`(${from}, at ${seconds(startSeconds)})`)}`,
      ...text.trimEnd().split("\n").map((line) => line === "" ? "" : `  ${line}`),
      "",
    ]),
    ...(more > 0 ? [`And ${counted(more, "more probe")}: --json lists them.`, ""] : []),
  ];
}

function expectations(expect: ExpectReport[], ink: Paint): string[] {
  if (expect.length === 0) return [];
  const held = expect.filter((line) => line.ok).length;
  const heading = held === expect.length ? `all ${held} held` : `${held} of ${expect.length} held`;
  return [
    `${ink.bold("Expectations:")} ${expect.length === 1 && held === 1 ? "the one held" : heading}`,
    ...expect.map((line) =>
      line.ok
        ? `  ${ink.good("ok  ")}  ${line.text}`
        : `  ${ink.bad("FAIL")}  ${line.text}: expected ${asked(line)}, found ${shown(line.found)}`
    ),
    "",
  ];
}

/** `, 5 failed (EADDRNOTAVAIL, no port left)`, or the reasons with a count each; empty where there are none. */
function reasons(lead: string, counts: Record<string, number>, verb: string, gloss: Record<string, string>): string {
  const present = Object.entries(counts).filter(([, count]) => count > 0)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (present.length === 0) return "";
  const total = present.reduce((sum, [, count]) => sum + count, 0);
  const named = (name: string) => gloss[name] === undefined ? name : `${name}, ${gloss[name]}`;
  const list = present.length === 1
    ? named(present[0][0])
    : present.map(([name, count]) => `${formatCount(count)} ${named(name)}`).join("; ");
  return `${lead}${formatCount(total)} ${verb} (${list})`;
}

/** The limit nearest to its capacity, if any was used at all. */
function fullest(limits: LimitReport[]): LimitReport[] {
  const used = limits.filter((limit) => Number.isFinite(limit.capacity) && limit.capacity > 0 && limit.used > 0);
  used.sort((a, b) => b.used / b.capacity - a.used / a.capacity);
  return used.slice(0, 1);
}

/** `"1.2 M"`, `"265 k"`. */
function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} M`;
  return perSecond >= 1e4 ? `${Math.round(perSecond / 1e3)} k` : formatCount(Math.round(perSecond));
}

/** `10`, `> 0`, `20.5 ± 2`. */
function asked(line: ExpectReport): string {
  const operator = /^[^=!<>~]*(==|!=|<=|>=|~=|<|>)/.exec(line.text)?.[1] ?? "==";
  const value = typeof line.expected === "string" && operator === "~=" ? line.expected : shown(line.expected);
  return operator === "==" || operator === "~=" ? value : `${operator} ${value}`;
}

function shown(value: unknown): string {
  if (typeof value === "number") return formatCount(value);
  return value === null || value === undefined ? "nothing there" : JSON.stringify(value);
}
