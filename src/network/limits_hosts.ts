/**
 * Budgets of hosts for the report: files, memory, processors, each with the arithmetic that a reader can check.
 *
 * @module
 */
import type { LimitName } from "../base/limit_names.ts";
import { formatBytes, formatCount, formatDurationNs } from "../base/units.ts";
import type { CpuSettings, CpuUse } from "../node/cpus.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { BUDGET, type HostBudgets, orphanBytes } from "../transport/budgets.ts";
import { maxFilesOf } from "./files.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

/** A limit of one member of a population. */
export interface LimitFound {
  used: number;
  capacity: number;
  /** First refusal, ns; -1 for none. */
  firstNs: number;
  refused: number;
  detail: string;
}

/** Takes up what was found for a population, by the member's row: the fullest member counts. */
export type LimitSink = (limit: LimitName, node: string, found: LimitFound, row: number) => void;

/** Budgets of hosts, where they have some. */
export function addHostLimits(s: Partition, found: LimitSink): void {
  for (const { name, maxFiles, peakFiles, firstRow, count } of s.nodes.populations) {
    let capacity = maxFiles;
    if (s.conditions.maxFiles.size > 0) {
      capacity = 0;
      for (let node = firstRow; node < firstRow + count; node++) capacity = Math.max(capacity, maxFilesOf(s, node));
    }
    if (capacity === Infinity) continue;
    found("files", name, { used: peakFiles, capacity, firstNs: -1, refused: 0, detail: "open sockets" }, firstRow);
  }
  addMemoryLimits(s, found);
  addCpuLimits(s, found);
}

/** Memory, orphans and TIME_WAIT. */
function addMemoryLimits(s: Partition, found: LimitSink): void {
  const { budgets } = s.hosts;
  if (budgets === undefined) return;
  for (const { name, firstRow, count } of s.nodes.populations) {
    if (s.nodes.words[firstRow * NODE.STRIDE + NODE.KIND] !== NODE_KIND.HOST) continue;
    for (let host = firstRow; host < firstRow + count; host++) {
      const row = s.hosts.budgetOf(host);
      if (row === 0) break;
      if (!owns(s, host)) continue;
      const at = row * BUDGET.STRIDE;
      const words = budgets.words;
      const { maxOrphans, maxTimeWaits } = budgets.profileOf(row);
      const tell = (limit: LimitName, most: number, refusedAt: number, capacity: number, detail: string) => {
        const refused = words[at + refusedAt];
        if (capacity === Infinity && refused === 0) return;
        const firstNs = refused === 0 ? -1 : words[at + refusedAt + 1];
        found(limit, name, { used: words[at + most], capacity, firstNs, refused, detail }, host);
      };
      tell("memory", BUDGET.PEAK, BUDGET.REFUSED, words[at + BUDGET.LIMIT], memoryDetail(budgets, row));
      tell("orphans", BUDGET.MOST_ORPHANS, BUDGET.ORPHANS_REFUSED, maxOrphans, "connections without an application");
      tell("time-wait", BUDGET.MOST_TIME_WAITS, BUDGET.TIME_WAITS_REFUSED, maxTimeWaits, "connections in TIME_WAIT");
    }
  }
}

/** What the memory was used for at its peak: `262,144 sockets x 4,096 B = 1 GiB`. */
function memoryDetail(budgets: HostBudgets, row: number): string {
  const words = budgets.words;
  const at = row * BUDGET.STRIDE;
  const profile = budgets.profileOf(row);
  const parts: string[] = [];
  for (
    const [word, one, many, bytes] of [
      [BUDGET.PEAK_SOCKETS, "socket", "sockets", profile.bytesPerSocket],
      [BUDGET.PEAK_ORPHANS, "orphan", "orphans", orphanBytes(profile)],
      [BUDGET.PEAK_REQUESTS, "half-open", "half-open", profile.bytesPerRequest],
      [BUDGET.PEAK_TIME_WAITS, "in TIME_WAIT", "in TIME_WAIT", profile.bytesPerTimeWait],
    ] as const
  ) {
    const count = words[at + word];
    if (count > 0) parts.push(`${formatCount(count)} ${count === 1 ? one : many} x ${formatCount(bytes)} B`);
  }
  const buffers = words[at + BUDGET.PEAK_BUFFERS];
  if (buffers > 0) parts.push(`${formatCount(buffers)} B of buffered data`);
  const peak = words[at + BUDGET.PEAK];
  const sum = parts.length === 0
    ? "nothing"
    : `${parts.join(" + ")} = ${formatCount(peak)} B (${formatBytes(peak, 4)})`;
  return `bytes: ${sum}`;
}

/** Processors: how long their queues got, how busy they were, and what they can do. */
function addCpuLimits(s: Partition, found: LimitSink): void {
  const { cpus } = s;
  if (cpus === undefined) return;
  for (const { name, firstRow, count } of s.nodes.populations) {
    const first = firstRow * NODE.STRIDE;
    if (s.nodes.words[first + NODE.KIND] !== NODE_KIND.HOST || s.nodes.words[first + NODE.CPU] === 0) continue;
    for (let i = 0; i < count; i++) {
      if (!owns(s, firstRow + i)) continue;
      const use = cpus.use(s.nodes.words[first + i * NODE.STRIDE + NODE.CPU], s.nowNs);
      found("cpu", name, {
        used: use.peakWaiting,
        capacity: use.settings.queuePackets,
        firstNs: use.firstDropNs,
        refused: use.dropped,
        detail: cpuDetail(use, s.nowNs),
      }, firstRow + i);
    }
  }
}

/** `packets waiting for 1 core, busy 81.3% of 10 s (…)`. */
function cpuDetail(use: CpuUse, nowNs: number): string {
  const { settings, busyShare, meanWaitNs, served } = use;
  const cores = settings.cores === 1 ? "1 core" : `${formatCount(settings.cores)} cores`;
  const busy = `busy ${(busyShare * 100).toFixed(1)}% of ${formatDurationNs(nowNs, 3)}`;
  return `packets waiting for ${cores}, ${busy}; ${formatCount(served)} served after ` +
    `${formatDurationNs(Math.round(meanWaitNs), 3)} on average (${costs(settings)})`;
}

/** What the work costs, and how much of it a host can do: `2 us a packet: 500,000/s`. */
function costs(settings: CpuSettings): string {
  const { cores } = settings;
  const parts: string[] = [];
  for (
    const [ns, what] of [
      [settings.perPacketNs, "packet"],
      [settings.perByteNs, "byte"],
      [settings.perAcceptNs, "accept"],
      [settings.perConnectNs, "connect"],
      [settings.perRequestNs, "request"],
    ] as const
  ) {
    if (ns === 0) continue;
    const rate = formatCount(Math.floor(cores * 1e9 / ns));
    parts.push(
      `${formatDurationNs(ns)} a ${what}: at most ${cores === 1 ? "" : `${formatCount(cores)} x `}1 s / ` +
        `${formatDurationNs(ns)} = ${rate}/s`,
    );
  }
  return parts.length === 0 ? "no work has a cost" : parts.join("; ");
}
