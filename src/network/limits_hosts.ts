/**
 * Budgets of hosts for the report: files, memory, processors, each with the arithmetic that a reader can check.
 *
 * @module
 */
import type { LimitName } from "../base/limit_names.ts";
import { formatCount, formatDurationNs } from "../base/units.ts";
import type { CpuSettings, CpuUse } from "../node/cpus.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
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

/** Takes up what was found for a population: the fullest member counts. */
export type LimitSink = (limit: LimitName, node: string, found: LimitFound) => void;

/** Processors: how long their queues got, how busy they were, and what they can do. */
export function addCpuLimits(s: Partition, found: LimitSink): void {
  const { cpus } = s;
  if (cpus === undefined) return;
  for (const { name, firstRow, count } of s.nodes.populations) {
    const first = firstRow * NODE.STRIDE;
    if (s.nodes.words[first + NODE.KIND] !== NODE_KIND.HOST || s.nodes.words[first + NODE.CPU] === 0) continue;
    for (let i = 0; i < count; i++) {
      const use = cpus.use(s.nodes.words[first + i * NODE.STRIDE + NODE.CPU], s.nowNs);
      found("cpu", name, {
        used: use.peakWaiting,
        capacity: use.settings.queuePackets,
        firstNs: use.firstDropNs,
        refused: use.dropped,
        detail: cpuDetail(use, s.nowNs),
      });
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
