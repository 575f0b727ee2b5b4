/**
 * Paths of `expect:` lines into what became of one workload: `workloads[pages].failed.EHOSTUNREACH`.
 *
 * @module
 */
import { ERRNO, nearest } from "../base/errors.ts";
import type { RunReport, WorkloadReport } from "../report/document.ts";
import { suggest } from "./words.ts";
import type { Leaf } from "./report_paths.ts";

/** A path into a workload's report. */
export interface WorkloadPath {
  kind: "workload";
  /** The workload's name. */
  workload: string;
  /** What of it. */
  field: keyof WorkloadReport;
  /** Of `failed` and `broken`: one error's count; without it all together. */
  reason?: string;
  leaf: Leaf;
}

const FIELDS: Record<keyof WorkloadReport, "number" | "text" | "counts"> = {
  name: "text",
  destination: "text",
  attempted: "number",
  established: "number",
  failed: "counts",
  broken: "counts",
  repliesCompleted: "number",
  peakConcurrent: "number",
  open: "number",
};

/** Takes `workloads[NAME].…` apart; undefined where the path begins otherwise. `wrong` throws what is said of it. */
export function parseWorkloadPath(
  text: string,
  workloads: readonly string[] | undefined,
  wrong: (reason: string) => never,
): WorkloadPath | undefined {
  const match = /^workloads\[([^\]]*)\](?:\.(.*))?$/.exec(text);
  if (match === null) {
    return /^workloads\b/.test(text) ? wrong("is not one workload: write workloads[NAME].established") : undefined;
  }
  const workload = match[1].trim();
  if (workloads !== undefined && !workloads.includes(workload)) {
    wrong(`names no workload: there is no ${JSON.stringify(workload)}: ${suggest(workload, workloads)}`);
  }
  const known = Object.keys(FIELDS);
  if (match[2] === undefined) wrong(`is not a single value: go on with ${known.join(", ")}`);
  const [field, reason, more] = match[2].split(".");
  if (!Object.hasOwn(FIELDS, field)) {
    wrong(`leads nowhere: a workload has no ${JSON.stringify(field)}: ${suggest(field, known)}`);
  }
  const type = FIELDS[field as keyof WorkloadReport];
  const path = { kind: "workload", workload, field: field as keyof WorkloadReport } as const;
  if (type !== "counts") {
    if (reason !== undefined) wrong(`goes too far: ${field} is a single value`);
    return { ...path, leaf: { type } };
  }
  if (more !== undefined) wrong(`goes too far: ${field} holds counts by reason`);
  if (reason !== undefined && !Object.hasOwn(ERRNO, reason)) {
    const near = nearest(reason, Object.keys(ERRNO));
    if (near !== undefined) wrong(`names no error: did you mean "${near}"?`);
  }
  return { ...path, reason, leaf: { type: "number" } };
}

/** What such a path finds. */
export function readWorkloadPath(path: WorkloadPath, report: RunReport): number | string | null {
  const value = report.workloads.find(({ name }) => name === path.workload)?.[path.field];
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null) return value;
  if (path.reason === undefined) return Object.values(value).reduce((a, b) => a + b, 0);
  // A reason that never occurred is not there.
  return value[path.reason] ?? 0;
}
