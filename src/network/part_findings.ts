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
import type { JointCounts } from "./part_journal.ts";
import type { Partition } from "./partition.ts";
import { probeOrder, readProbe } from "./probe_plan.ts";
import { liveReport, NO_FACTS, type ReportFacts } from "./report.ts";
import { balancerReports, joinBalancers, joinProxies, proxyReports } from "./report_balancers.ts";
import { quantiles, targetReports } from "./report_dns.ts";
import { joinNats, natReports } from "./report_nat.ts";

const { DIGEST_LO, STRIDE } = NODE;
/** Words of a node's digests. */
const DIGEST_WORDS = 4;

/** Parts of the document that are sums, and what sums do not say. */
type Summed = Pick<RunReport, "connections" | "workloads" | "dns" | "datagrams" | "packets" | "events">;

/** What a part has to report. */
export interface Findings {
  sums: Summed;
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
  samples: [Uint32Array, Uint32Array, Uint32Array];
}

/** What the part of `s` has to report. */
export function findingsOf(s: Partition): Findings {
  const { connections, workloads, dns, datagrams, packets, events } = liveReport(s, NO_FACTS);
  const none = { p50: null, p90: null, p99: null, max: null };
  // (Quantiles are worked out over all parts together.)
  const sums = {
    connections: { ...omit(connections, "connectMs"), connectMs: none },
    workloads,
    dns: { ...omit(dns, "lookupMs"), lookupMs: none },
    datagrams: { ...omit(datagrams, "replyMs"), replyMs: none },
    packets,
    events,
  } as Summed;
  const states = s.probes?.states ?? [];
  const probes = states.flatMap(({ node }, i): [number, ProbeReport][] => owns(s, node) ? [[i, readProbe(s, i)]] : []);
  const targets = (s.dns?.targets.all ?? []).map((count): Findings["targets"][number] => {
    const { name, address, port, established, failed } = count;
    return [s.dns!.names.textOf(name), s.addresses.toText(address), port, established, failed];
  });
  return {
    sums,
    nats: natReports(s),
    balancers: balancerReports(s),
    proxies: proxyReports(s),
    probes,
    targets,
    limits: findLimits(s),
    bytes: [columnBytes(s), connectionBytes(s)],
    samples: [
      s.stats.sortedConnectUs(),
      s.dns?.stats.lookupUs.sorted() ?? new Uint32Array(0),
      s.datagrams.replyUs.sorted(),
    ],
  };
}

/** The document that the findings of all parts make; those of `s`, the first part, first. */
export function joinFindings(
  s: Partition,
  parts: readonly Findings[],
  facts: ReportFacts & Pick<RunReport, "digest" | "eventDigest">,
  joint: JointCounts | undefined,
): RunReport {
  const sums = parts.map((part) => part.sums).reduce((a, b) => addUp(a, b) as Summed);
  const { connections, workloads, dns, datagrams, packets } = sums;
  const quantilesOf = (which: number) => quantiles(joinSorted(parts.map((part) => part.samples[which])));
  connections.connectMs = quantilesOf(0);
  dns.lookupMs = quantilesOf(1);
  datagrams.replyMs = quantilesOf(2);
  for (const counts of [connections, ...workloads, dns, datagrams]) {
    counts.failed = inOrder(counts.failed, ERRNO_NAMES);
    if ("broken" in counts) counts.broken = inOrder(counts.broken, ERRNO_NAMES);
  }
  packets.dropped = inOrder(packets.dropped, DROP_REASONS);
  // Where connections are opened in one part only, its peaks are those of all.
  const peaks = [connections, ...workloads];
  peaks.forEach((counts, slot) => {
    const ofParts = parts.map((part) => [part.sums.connections, ...part.sums.workloads][slot].peakConcurrent);
    counts.peakConcurrent = joint?.peakOpen[slot] ?? Math.max(...ofParts);
  });
  const probes = new Map(parts.flatMap((part) => part.probes));
  const targets = new TargetCounts();
  for (const [name, address, port, established, failed] of parts.flatMap((part) => part.targets)) {
    const count = targets.of(s.dns!.names.idOf(name), s.addresses.intern(address), port);
    count.established += established;
    count.failed += failed;
  }
  const bytes = (which: 0 | 1) => parts.reduce((sum, part) => sum + part.bytes[which], 0);
  const { peakConcurrent } = connections;
  const estimate = inThreads(facts.estimate, parts.length);
  return {
    fourtuple: facts.fourtuple,
    scenario: facts.scenario,
    seed: facts.seed,
    digest: facts.digest,
    eventDigest: facts.eventDigest,
    ended: facts.ended,
    simulatedSeconds: s.nowNs / 1e9,
    wallSeconds: facts.wallSeconds,
    connections,
    workloads,
    dns,
    datagrams,
    targets: targetReports(s, targets),
    nats: joinNats(parts.map((part) => part.nats), s.nowNs),
    balancers: joinBalancers(s, parts.map((part) => part.balancers)),
    proxies: joinProxies(parts.map((part) => part.proxies)),
    probes: probeOrder(s).map((i) => probes.get(i)!),
    packets,
    events: sums.events,
    memory: {
      peakRssBytes: facts.peakRssBytes,
      columnBytes: bytes(0),
      estimatedRssBytes: estimate.residentBytes,
      estimatedColumnBytes: estimate.tableBytes,
      bytesPerConnection: peakConcurrent === 0 ? 0 : Math.round(bytes(1) / peakConcurrent),
    },
    limits: joinLimits(parts.map((part) => part.limits), s.conditions.limitNotes),
    expect: [],
  };
}

/** Findings as bytes: lengths, text, samples. */
export function findingsBytes(findings: Findings): Uint8Array {
  const { samples, ...rest } = findings;
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

/** Findings out of bytes. */
export function readFindings(bytes: Uint8Array): Findings {
  const [textLength, ...lengths] = new Uint32Array(bytes.buffer, bytes.byteOffset, 4);
  let at = bytes.byteOffset + 16;
  const samples = lengths.map((length) => {
    const one = new Uint32Array(bytes.buffer, at, length);
    at += one.byteLength;
    return one;
  });
  const text = new TextDecoder().decode(new Uint8Array(bytes.buffer, at, textLength));
  return { ...plainValue(text) as object, samples } as unknown as Findings;
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

/** Sorted lists as one. */
function joinSorted(lists: readonly Uint32Array[]): Uint32Array {
  const filled = lists.filter((list) => list.length > 0);
  if (filled.length < 2) return filled[0] ?? new Uint32Array(0);
  const joined = new Uint32Array(filled.reduce((sum, list) => sum + list.length, 0));
  let at = 0;
  for (const list of filled) {
    joined.set(list, at);
    at += list.length;
  }
  return joined.sort();
}
