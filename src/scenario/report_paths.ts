/**
 * Paths into the report that `expect:` lines and `until:` conditions may name, checked before a run begins.
 *
 * @module
 */
import { ERRNO, nearest } from "../base/errors.ts";
import { LIMIT_NAMES } from "../base/limit_names.ts";
import { NAT_VERDICT_NAMES } from "../nat/nat.ts";
import type { LimitReport, NatReport, RunReport, TargetReport } from "../report/document.ts";
import { type BalancerPath, parseBalancerPath, readBalancerPath } from "./balancer_paths.ts";
import { suggest } from "./words.ts";
import { parseWorkloadPath, readWorkloadPath, type WorkloadPath } from "./workload_paths.ts";

/** What a path leads to. */
export interface Leaf {
  /** Numbers (some may be null) or text. */
  type: "number" | "text";
  /** What a number counts, where a value may be written with a unit. */
  unit?: "s" | "ms" | "bytes";
  /** The words that a text may be. */
  words?: readonly string[];
  /** Differs from run to run of the same scenario. */
  ofTheMachine?: true;
}

/** A map whose keys are only known after the run: counts by reason. */
interface Counts {
  counts: "errors" | "reasons";
}

type Shape<T> = {
  [K in keyof T]-?: T[K] extends Record<string, number> ? ShapeOfRecord<T[K]> : T[K] extends object ? Shape<T[K]>
  : Leaf;
};
type ShapeOfRecord<T> = string extends keyof T ? Counts : Shape<T>;

const NUMBER: Leaf = { type: "number" };
const TEXT: Leaf = { type: "text" };

const LIMIT: Shape<LimitReport> = {
  limit: { type: "text", words: LIMIT_NAMES },
  node: TEXT,
  used: NUMBER,
  capacity: NUMBER,
  firstHitSeconds: { type: "number", unit: "s" },
  refused: NUMBER,
  detail: TEXT,
};

const TARGET: Shape<TargetReport> = {
  target: TEXT,
  name: TEXT,
  addresses: NUMBER,
  established: NUMBER,
  failed: NUMBER,
  least: NUMBER,
  most: NUMBER,
};

const QUANTILES_MS = {
  p50: { type: "number", unit: "ms" },
  p90: { type: "number", unit: "ms" },
  p99: { type: "number", unit: "ms" },
  max: { type: "number", unit: "ms" },
} as const;

const NAT: Shape<NatReport> = {
  node: TEXT,
  gateways: NUMBER,
  subscribers: NUMBER,
  sessions: NUMBER,
  sessionsPeak: NUMBER,
  sessionsOpened: NUMBER,
  portsInUse: NUMBER,
  portsHeld: NUMBER,
  blocks: NUMBER,
  blocksPeak: NUMBER,
  blocksGiven: NUMBER,
  logRecords: NUMBER,
  logBytes: { type: "number", unit: "bytes" },
  logRecordsPerSubscriberDay: NUMBER as Leaf & object,
  logBytesPerSubscriberDay: { type: "number", unit: "bytes" } as Leaf & object,
  unsolicitedSyns: NUMBER,
  unsolicitedSynsAnswered: NUMBER,
  restarts: NUMBER,
  refused: { counts: "reasons" },
  firstRefusedSeconds: { counts: "reasons" },
};

const LISTS = ["limits", "workloads", "targets", "nats", "balancers", "proxies", "probes"] as const;

const REPORT: Shape<Omit<RunReport, typeof LISTS[number] | "expect">> = {
  fourtuple: TEXT,
  scenario: TEXT,
  seed: NUMBER,
  digest: TEXT,
  eventDigest: TEXT,
  ended: { type: "text", words: ["quiescence", "time", "until", "interrupted"] },
  simulatedSeconds: { type: "number", unit: "s" },
  wallSeconds: { type: "number", unit: "s", ofTheMachine: true },
  connections: {
    attempted: NUMBER,
    established: NUMBER,
    failed: { counts: "errors" },
    broken: { counts: "errors" },
    repliesCompleted: NUMBER,
    peakConcurrent: NUMBER,
    open: NUMBER,
    ipv4: { attempts: NUMBER, established: NUMBER },
    ipv6: { attempts: NUMBER, established: NUMBER },
    connectMs: QUANTILES_MS,
  },
  dns: {
    lookups: NUMBER,
    answered: NUMBER,
    failed: { counts: "errors" },
    cacheHits: NUMBER,
    queries: NUMBER,
    timeouts: NUMBER,
    served: NUMBER,
    forwarded: NUMBER,
    truncated: NUMBER,
    lookupMs: QUANTILES_MS,
  },
  datagrams: {
    exchanges: NUMBER,
    answered: NUMBER,
    failed: { counts: "errors" },
    sent: NUMBER,
    received: NUMBER,
    timedOut: NUMBER,
    replyMs: QUANTILES_MS,
  },
  packets: { sent: NUMBER, delivered: NUMBER, hops: NUMBER, dropped: { counts: "reasons" } },
  events: NUMBER,
  memory: {
    peakRssBytes: { type: "number", unit: "bytes", ofTheMachine: true },
    columnBytes: { type: "number", unit: "bytes", ofTheMachine: true },
    estimatedRssBytes: { type: "number", unit: "bytes", ofTheMachine: true },
    estimatedColumnBytes: { type: "number", unit: "bytes", ofTheMachine: true },
    bytesPerConnection: { type: "number", unit: "bytes", ofTheMachine: true },
  },
};

/** A path, taken apart. */
export type ReportPath =
  | { kind: "plain"; names: string[]; leaf: Leaf }
  | { kind: "counts"; names: string[]; leaf: Leaf }
  | { kind: "target"; target: string; field: keyof TargetReport; leaf: Leaf }
  | BalancerPath
  | WorkloadPath
  | { kind: "nat"; node: string; field: keyof NatReport; reason?: string; leaf: Leaf }
  | { kind: "probe"; probe: string; field: string[]; leaf: Leaf }
  | { kind: "limit"; limit: string | number; node?: string; field: keyof LimitReport; leaf: Leaf };

/** A path that leads nowhere: the reason, which follows the path in a sentence. */
export class PathError extends Error {}

/** Takes `connections.failed.ETIMEDOUT` or `limits[ports@clients].refused` apart. Throws {@linkcode PathError}. */
export function parseReportPath(
  text: string,
  nodes?: readonly string[],
  workloads?: readonly string[],
): ReportPath {
  const limit = /^limits\[([^\]]*)\](?:\.(.*))?$/.exec(text);
  if (limit !== null) return limitPath(limit[1].trim(), limit[2], nodes);
  const target = /^targets\[([^\]]*(?:\[[^\]]*\][^\]]*)?)\](?:\.(.*))?$/.exec(text);
  if (target !== null) return targetPath(target[1].trim(), target[2]);
  if (/^targets\b/.test(text)) throw new PathError("is not one target: write targets[www.example.com:443].most");
  const nat = /^nats\[([^\]]*)\](?:\.(.*))?$/.exec(text);
  if (nat !== null) return natPath(nat[1].trim(), nat[2], nodes);
  if (/^nats\b/.test(text)) throw new PathError("is not one gateway: write nats[cgn].sessionsPeak, for example");
  const probe = /^probes\[([^\]]*)\](?:\.(.*))?$/.exec(text);
  if (probe !== null) return probePath(probe[1].trim(), probe[2]);
  if (/^probes\b/.test(text)) throw new PathError("is not one probe: write probes[name].received, for example");
  if (/^limits\b/.test(text)) throw new PathError("is not one limit: write limits[nat-pool].refused, for example");
  const balancer = parseBalancerPath(text, nodes, (reason) => {
    throw new PathError(reason);
  });
  if (balancer !== undefined) return balancer;
  const workload = parseWorkloadPath(text, workloads, (reason) => {
    throw new PathError(reason);
  });
  if (workload !== undefined) return workload;
  let at: unknown = REPORT;
  const names = text.split(".");
  for (let depth = 0; depth < names.length; depth++) {
    const name = names[depth];
    const holder = depth === 0 ? "the report" : names.slice(0, depth).join(".");
    if (isCounts(at)) {
      if (depth !== names.length - 1) throw new PathError(`goes too far: ${holder} holds counts by reason`);
      return countPath(at, names);
    }
    if (isLeaf(at)) throw new PathError(`goes too far: ${holder} is a single value`);
    const shape = at as Record<string, unknown>;
    if (!Object.hasOwn(shape, name)) {
      const known = [...Object.keys(shape), ...(depth === 0 ? LISTS : [])];
      throw new PathError(`leads nowhere: ${holder} has no ${JSON.stringify(name)}: ${suggest(name, known)}`);
    }
    at = shape[name];
  }
  if (isLeaf(at)) return { kind: "plain", names, leaf: at };
  if (isCounts(at)) return { kind: "counts", names, leaf: NUMBER };
  throw new PathError(`is not a single value: go on with ${Object.keys(at as object).join(", ")}`);
}

function countPath(counts: Counts, names: string[]): ReportPath {
  const reason = names[names.length - 1];
  // Another reason may well exist; one letter off a known one is a slip.
  if (counts.counts === "errors" && !Object.hasOwn(ERRNO, reason)) {
    const near = nearest(reason, Object.keys(ERRNO));
    if (near !== undefined) throw new PathError(`names no error: did you mean "${near}"?`);
  }
  return { kind: "counts", names, leaf: NUMBER };
}

function targetPath(target: string, field: string | undefined): ReportPath {
  const known = Object.keys(TARGET);
  if (field === undefined) throw new PathError(`is not a single value: go on with ${known.join(", ")}`);
  if (!Object.hasOwn(TARGET, field)) {
    throw new PathError(`leads nowhere: a target has no ${JSON.stringify(field)}: ${suggest(field, known)}`);
  }
  const leaf = TARGET[field as keyof TargetReport] as Leaf;
  return { kind: "target", target: target.toLowerCase(), field: field as keyof TargetReport, leaf };
}

function natPath(node: string, field: string | undefined, nodes?: readonly string[]): ReportPath {
  if (nodes !== undefined && !nodes.includes(node)) {
    throw new PathError(`names no node: there is no ${JSON.stringify(node)}: ${suggest(node, nodes)}`);
  }
  const known = Object.keys(NAT);
  if (field === undefined) throw new PathError(`is not a single value: go on with ${known.join(", ")}`);
  const [name, reason, more] = field.split(".");
  if (!Object.hasOwn(NAT, name)) {
    throw new PathError(`leads nowhere: a gateway has no ${JSON.stringify(name)}: ${suggest(name, known)}`);
  }
  const shape = NAT[name as keyof NatReport] as Leaf | Counts;
  if (isLeaf(shape)) {
    if (reason !== undefined) throw new PathError(`goes too far: ${name} is a single value`);
    return { kind: "nat", node, field: name as keyof NatReport, leaf: shape };
  }
  if (more !== undefined) throw new PathError(`goes too far: ${name} holds values by reason`);
  const names = NAT_VERDICT_NAMES.filter((verdict) => verdict !== "forward" && verdict !== "hairpin") as string[];
  if (reason !== undefined && !names.includes(reason)) {
    throw new PathError(`names no reason: there is no ${JSON.stringify(reason)}: ${suggest(reason, names)}`);
  }
  if (reason === undefined && name === "firstRefusedSeconds") {
    throw new PathError(`is not a single value: go on with ${names.join(", ")}`);
  }
  const leaf: Leaf = name === "refused" ? NUMBER : { type: "number", unit: "s" };
  return { kind: "nat", node, field: name as keyof NatReport, reason, leaf };
}

function readNat(path: ReportPath & { kind: "nat" }, nats: readonly NatReport[]): number | string | null {
  const value = nats.find(({ node }) => node === path.node)?.[path.field];
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null) return value;
  if (path.reason === undefined) return Object.values(value).reduce((a, b) => a + b, 0);
  // What never occurred was refused no time, and has no first time.
  return value[path.reason] ?? (path.field === "refused" ? 0 : null);
}

/** What may be asked of a probe. */
const PROBE: Record<string, Leaf | Record<string, Leaf>> = {
  kind: { type: "text", words: ["ping", "traceroute"] },
  from: TEXT,
  to: TEXT,
  address: TEXT,
  startSeconds: { type: "number", unit: "s" },
  endSeconds: { type: "number", unit: "s" },
  sent: NUMBER,
  received: NUMBER,
  errors: NUMBER,
  duplicates: NUMBER,
  lossPercent: NUMBER,
  rttMs: Object.fromEntries(
    ["min", "avg", "max", "mdev"].map((name) => [name, { type: "number", unit: "ms" } as const]),
  ),
  hopCount: NUMBER,
};

function probePath(probe: string, field: string | undefined): ReportPath {
  if (field === undefined) {
    throw new PathError(`is not a single value: go on with ${Object.keys(PROBE).join(", ")}`);
  }
  let at: Leaf | Record<string, Leaf> = PROBE as Record<string, Leaf>;
  const names = field.split(".");
  for (const name of names) {
    if (isLeaf(at)) throw new PathError(`goes too far: ${field} is more than a single value`);
    if (!Object.hasOwn(at, name)) {
      throw new PathError(
        `leads nowhere: a probe has no ${JSON.stringify(name)}: ${suggest(name, Object.keys(at))}`,
      );
    }
    at = (at as Record<string, Leaf>)[name];
  }
  if (!isLeaf(at)) throw new PathError(`is not a single value: go on with ${Object.keys(at).join(", ")}`);
  return { kind: "probe", probe, field: names, leaf: at };
}

function readProbe(path: ReportPath & { kind: "probe" }, report: RunReport): number | string | null {
  let at: unknown = report.probes.find(({ name }) => name === path.probe);
  for (const name of path.field) at = (at as Record<string, unknown> | undefined)?.[name];
  return at as number | string | null ?? null;
}

function limitPath(selector: string, field: string | undefined, nodes?: readonly string[]): ReportPath {
  const known = Object.keys(LIMIT);
  if (field === undefined) throw new PathError(`is not a single value: go on with ${known.join(", ")}`);
  if (!Object.hasOwn(LIMIT, field)) {
    throw new PathError(`leads nowhere: a limit has no ${JSON.stringify(field)}: ${suggest(field, known)}`);
  }
  const leaf = LIMIT[field as keyof LimitReport] as Leaf;
  const path = { kind: "limit", field: field as keyof LimitReport, leaf } as const;
  if (/^\d+$/.test(selector)) return { ...path, limit: Number(selector) };
  const at = selector.indexOf("@");
  const name = at < 0 ? selector : selector.slice(0, at);
  if (!(LIMIT_NAMES as readonly string[]).includes(name)) {
    throw new PathError(`names no limit: there is no ${JSON.stringify(name)}: ${suggest(name, LIMIT_NAMES)}`);
  }
  if (at < 0) return { ...path, limit: name };
  const node = selector.slice(at + 1);
  if (nodes !== undefined && !nodes.includes(node)) {
    throw new PathError(`names no node: there is no ${JSON.stringify(node)}: ${suggest(node, nodes)}`);
  }
  return { ...path, limit: name, node };
}

function isLeaf(shape: unknown): shape is Leaf {
  return typeof (shape as Leaf).type === "string";
}

function isCounts(shape: unknown): shape is Counts {
  return typeof (shape as Counts).counts === "string";
}

/** What a path finds; `limits` are in the report's order, the first that bound first. */
export function readReport(path: ReportPath, report: RunReport): number | string | null {
  if (path.kind === "limit") return readLimit(path, report.limits);
  if (path.kind === "balancer") return readBalancerPath(path, report);
  if (path.kind === "workload") return readWorkloadPath(path, report);
  if (path.kind === "nat") return readNat(path, report.nats);
  if (path.kind === "probe") return readProbe(path, report);
  if (path.kind === "target") {
    const found = report.targets.find(({ target }) => target === path.target);
    // Where no name led, nothing went.
    return found?.[path.field] ?? (path.leaf.type === "number" ? 0 : null);
  }
  let at: unknown = report;
  for (const name of path.names) {
    if (typeof at !== "object" || at === null) return null;
    // A reason that never occurred is not in its map.
    at = Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : path.kind === "counts" ? 0 : null;
  }
  // All reasons together.
  if (typeof at === "object" && at !== null) {
    return Object.values(at as Record<string, number>).reduce((a, b) => a + b, 0);
  }
  return at as number | string | null;
}

function readLimit(path: ReportPath & { kind: "limit" }, limits: readonly LimitReport[]): number | string | null {
  const found = typeof path.limit === "number"
    ? limits[path.limit]
    : limits.find((one) => one.limit === path.limit && (path.node === undefined || one.node === path.node));
  if (found !== undefined) return found[path.field];
  // A limit that nothing came near has refused nothing.
  return path.field === "refused" || path.field === "used" ? 0 : null;
}
