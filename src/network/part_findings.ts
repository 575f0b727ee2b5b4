/**
 * The outcome of a run in parts: what each part has to report, as bytes for the first one, and the document that all of
 * it makes. It says what that of a run in one part would, but for memory, which is that of all threads.
 *
 * @module
 */
import { TargetCounts } from "../app/target_counts.ts";
import { ERRNO, type ErrnoName } from "../base/errors.ts";
import { plainText, type PlainValue, plainValue } from "../base/plain.ts";
import type { ProbeReport } from "../base/probe_reports.ts";
import { NODE } from "../node/nodes.ts";
import type { RunReport } from "../report/document.ts";
import { DROP_REASONS } from "./drops.ts";
import { findLimits, joinLimits, type LimitFindings } from "./limits_report.ts";
import { inThreads } from "./estimate.ts";
import { columnBytes, connectionBytes } from "./memory.ts";
import { owns } from "./part.ts";
import type { PartJournal } from "./part_journal.ts";
import type { Partition } from "./partition.ts";
import { probeOrder, readProbe } from "./probe_plan.ts";
import { liveReport, NO_FACTS, type ReportFacts } from "./report.ts";
import { balancerReports, joinBalancers, joinProxies, proxyReports } from "./report_balancers.ts";
import { quantiles, targetReports } from "./report_dns.ts";
import { joinNats, natReports } from "./report_nat.ts";

const { DIGEST_LO, STRIDE } = NODE;
/** Words of a node's digests. */
const DIGEST_WORDS = 4;

/** What a part has to report, by section. Quantiles are worked out over all parts together. */
export interface Findings {
  connections: Omit<RunReport["connections"], "connectMs">;
  workloads: RunReport["workloads"];
  dns: Omit<RunReport["dns"], "lookupMs">;
  datagrams: Omit<RunReport["datagrams"], "replyMs">;
  packets: RunReport["packets"];
  events: number;
  nats: RunReport["nats"];
  balancers: RunReport["balancers"];
  proxies: RunReport["proxies"];
  /** By their number. */
  probes: [number, ProbeReport][];
  /** Name, address, port, established, failed. */
  targets: [string, string, number, number, number][];
  limits: LimitFindings;
  /** Bytes of columns: all, and those that there are because there are connections. */
  bytes: [all: number, connections: number];
  /** Times to connect, to look up, to be answered, µs. */
  connectUs: Uint32Array;
  lookupUs: Uint32Array;
  replyUs: Uint32Array;
}

/** A section of what parts have to report. */
export type Section = keyof Findings;

/** How each section is found. */
const FINDERS: { [K in Section]: (s: Partition) => Findings[K] } = {
  connections: (s) => omit(liveReport(s, NO_FACTS).connections, "connectMs"),
  workloads: (s) => liveReport(s, NO_FACTS).workloads,
  dns: (s) => omit(liveReport(s, NO_FACTS).dns, "lookupMs"),
  datagrams: (s) => omit(liveReport(s, NO_FACTS).datagrams, "replyMs"),
  packets: (s) => liveReport(s, NO_FACTS).packets,
  events: (s) => s.hops + s.acted,
  nats: natReports,
  balancers: balancerReports,
  proxies: proxyReports,
  probes: (s) =>
    (s.probes?.states ?? []).flatMap(({ node }, i) =>
      owns(s, node) ? [[i, readProbe(s, i)] as [number, ProbeReport]] : []
    ),
  targets: (s) =>
    (s.dns?.targets.all ?? []).map((count) => {
      const { name, address, port, established, failed } = count;
      return [s.dns!.names.textOf(name), s.addresses.toText(address), port, established, failed];
    }),
  limits: findLimits,
  bytes: (s) => [columnBytes(s), connectionBytes(s)],
  connectUs: (s) => s.stats.sortedConnectUs(),
  lookupUs: (s) => s.dns?.stats.lookupUs.sorted() ?? new Uint32Array(0),
  replyUs: (s) => s.datagrams.replyUs.sorted(),
};

/** All sections. */
export const SECTIONS: readonly Section[] = Object.keys(FINDERS) as Section[];
const SAMPLES = ["connectUs", "lookupUs", "replyUs"] as const;

/** What the part of `s` has to report, in these sections. */
export function findingsOf(s: Partition, sections: readonly Section[]): Partial<Findings> {
  return Object.fromEntries(sections.map((section) => [section, FINDERS[section](s)]));
}

/**
 * The document that the findings of all parts make, each part of it worked out when it is read. `found` gives a section
 * of all parts, those of `s`, the first part, first; it is changed.
 */
export function jointReport(
  s: Partition,
  found: <K extends Section>(section: K) => Findings[K][],
  facts: ReportFacts & { digest: (which: "deliveries" | "events") => string },
  journal: PartJournal | undefined,
): RunReport {
  const summed = <K extends Section>(section: K) => found(section).reduce((a, b) => addUp(a, b) as Findings[K]);
  const samples = (section: typeof SAMPLES[number]) => quantiles(joinSorted(found(section)));
  const ordered = <T extends { failed: Record<string, number> }>(counts: T): T => {
    counts.failed = inOrder(counts.failed, ERRNO_NAMES);
    const more = counts as { broken?: Record<string, number> };
    if (more.broken !== undefined) more.broken = inOrder(more.broken, ERRNO_NAMES);
    return counts;
  };
  // Where connections are opened in one part only, its peaks are those of all.
  const peak = (slot: number, ofParts: number[]) => journal?.peakOpen(slot) ?? Math.max(...ofParts);
  const connections = () => {
    const peakConcurrent = peak(0, found("connections").map((counts) => counts.peakConcurrent));
    return { ...ordered(summed("connections")), peakConcurrent };
  };
  return {
    fourtuple: facts.fourtuple,
    scenario: facts.scenario,
    seed: facts.seed,
    get digest() {
      return facts.digest("deliveries");
    },
    get eventDigest() {
      return facts.digest("events");
    },
    ended: facts.ended,
    simulatedSeconds: s.nowNs / 1e9,
    wallSeconds: facts.wallSeconds,
    get connections() {
      return withQuantiles(connections(), "connectMs", () => samples("connectUs"));
    },
    get workloads() {
      const ofParts = found("workloads");
      return summed("workloads").map((counts, i) => {
        const peakConcurrent = peak(1 + i, ofParts.map((part) => part[i].peakConcurrent));
        return { ...ordered(counts), peakConcurrent };
      });
    },
    get dns() {
      return withQuantiles(ordered(summed("dns")), "lookupMs", () => samples("lookupUs"));
    },
    get datagrams() {
      return withQuantiles(ordered(summed("datagrams")), "replyMs", () => samples("replyUs"));
    },
    get targets() {
      const targets = new TargetCounts();
      for (const [name, address, port, established, failed] of found("targets").flat()) {
        const count = targets.of(s.dns!.names.idOf(name), s.addresses.intern(address), port);
        count.established += established;
        count.failed += failed;
      }
      return targetReports(s, targets);
    },
    get nats() {
      return joinNats(found("nats"), s.nowNs);
    },
    get balancers() {
      return joinBalancers(s, found("balancers"));
    },
    get proxies() {
      return joinProxies(found("proxies"));
    },
    get probes() {
      const probes = new Map(found("probes").flat());
      return probeOrder(s).map((i) => probes.get(i)!);
    },
    get packets() {
      const packets = summed("packets");
      return { ...packets, dropped: inOrder(packets.dropped, DROP_REASONS) };
    },
    get events() {
      return summed("events");
    },
    get memory() {
      const bytes = summed("bytes");
      const { peakConcurrent } = connections();
      const estimate = inThreads(facts.estimate, s.part!.count);
      return {
        peakRssBytes: facts.peakRssBytes,
        columnBytes: bytes[0],
        estimatedRssBytes: estimate.residentBytes,
        estimatedColumnBytes: estimate.tableBytes,
        bytesPerConnection: peakConcurrent === 0 ? 0 : Math.round(bytes[1] / peakConcurrent),
      };
    },
    get limits() {
      return joinLimits(found("limits"), s.conditions.limitNotes);
    },
    expect: [],
  };
}

/** `counts` with quantiles that are worked out when they are read. */
function withQuantiles<T extends object, K extends string>(
  counts: T,
  name: K,
  quantilesOf: () => ReturnType<typeof quantiles>,
): T & Record<K, ReturnType<typeof quantiles>> {
  return Object.defineProperty(counts, name, { get: quantilesOf, enumerable: true }) as
    & T
    & Record<K, ReturnType<typeof quantiles>>;
}

/** Findings as bytes: lengths, samples, text. */
export function findingsBytes(findings: Partial<Findings>): Uint8Array {
  const { connectUs, lookupUs, replyUs, ...rest } = findings;
  const samples = [connectUs, lookupUs, replyUs].map((one) => one ?? new Uint32Array(0));
  const text = new TextEncoder().encode(plainText(rest as unknown as PlainValue));
  const words = Uint32Array.of(text.length, ...samples.map((one) => one.length));
  const parts = [words, ...samples].map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
  const bytes = new Uint8Array([...parts, text].reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of [...parts, text]) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}

/** Findings out of bytes. (Samples that were not asked for are empty.) */
export function readFindings(bytes: Uint8Array): Partial<Findings> {
  const [textLength, ...lengths] = new Uint32Array(bytes.buffer, bytes.byteOffset, 1 + SAMPLES.length);
  let at = bytes.byteOffset + 4 * (1 + SAMPLES.length);
  const samples = lengths.map((length, i) => {
    const one = new Uint32Array(bytes.buffer, at, length);
    at += one.byteLength;
    return [SAMPLES[i], one];
  });
  const text = new TextDecoder().decode(new Uint8Array(bytes.buffer, at, textLength));
  return { ...plainValue(text) as object, ...Object.fromEntries(samples) } as unknown as Partial<Findings>;
}

/** The digests of the nodes of `s`' part, in the order of rows. */
export function digestsOf(s: Partition): Uint8Array {
  const nodes = s.nodes.words;
  let count = 0;
  eachNode(s, (node) => void (owns(s, node) && count++));
  const words = new Int32Array(count * DIGEST_WORDS);
  let to = 0;
  eachNode(s, (node) => {
    if (!owns(s, node)) return;
    const at = node * STRIDE + DIGEST_LO;
    for (let k = 0; k < DIGEST_WORDS; k++) words[to++] = nodes[at + k];
  });
  return new Uint8Array(words.buffer);
}

/** Puts the digests of part `index` into the rows of `s`, which runs another one. */
export function putDigests(s: Partition, index: number, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  let at = 0;
  eachNode(s, (node) => {
    if (s.part!.owners[node] !== index) return;
    for (let k = 0; k < DIGEST_WORDS; k++) s.nodes.words[node * STRIDE + DIGEST_LO + k] = words[at++];
  });
}

function eachNode(s: Partition, visit: (node: number) => void): void {
  for (const { firstRow, count } of s.nodes.populations) {
    for (let node = firstRow; node < firstRow + count; node++) visit(node);
  }
}

const ERRNO_NAMES = (Object.keys(ERRNO) as ErrnoName[]).sort((a, b) => ERRNO[a] - ERRNO[b]);

/** The entries of `counts` in the order of `names`. */
function inOrder(counts: Record<string, number>, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.filter((name) => Object.hasOwn(counts, name)).map((name) => [name, counts[name]]));
}

function omit<T extends object, K extends keyof T>(from: T, key: K): Omit<T, K> {
  const copy: Partial<T> = {};
  for (const name of Object.keys(from) as (keyof T)[]) if (name !== key) copy[name] = from[name];
  return copy as Omit<T, K>;
}

/** The sum of two values of one shape: of numbers, and of what maps and lists hold. Others are the first's. */
function addUp(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a === undefined) return b;
  if (b === undefined || typeof a !== "object" || a === null || typeof b !== "object" || b === null) return a;
  if (Array.isArray(a) && Array.isArray(b)) return a.map((one, i) => addUp(one, b[i]));
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return Object.fromEntries(
    [...new Set([...Object.keys(x), ...Object.keys(y)])].map((key) => [key, addUp(x[key], y[key])]),
  );
}

/** Two sorted lists as one. */
function mergeSorted(a: Uint32Array, b: Uint32Array): Uint32Array {
  const merged = new Uint32Array(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let at = 0; at < merged.length; at++) {
    merged[at] = j === b.length || (i < a.length && a[i] <= b[j]) ? a[i++] : b[j++];
  }
  return merged;
}

/** Sorted lists as one. */
function joinSorted(lists: readonly Uint32Array[]): Uint32Array {
  const filled = lists.filter((list) => list.length > 0);
  if (filled.length < 2) return filled[0] ?? new Uint32Array(0);
  return filled.reduce(mergeSorted);
}
