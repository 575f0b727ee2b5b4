/**
 * What the report says about each workload.
 *
 * @module
 */
import { WorkloadCounts } from "../app/workload_counts.ts";
import type { WorkloadReport } from "../report/document.ts";
import type { Partition } from "./partition.ts";
import { byErrno } from "./report_dns.ts";
import type { PlannedWorkload } from "./workloads.ts";

/** Counters of a workload, nothing counted yet. */
export function countsOf({ options, to }: PlannedWorkload): WorkloadCounts {
  const only = to.length === 1 && to[0].count === 1 && to[0].name === undefined;
  return new WorkloadCounts(options.name, only ? to[0].text : null);
}

/** Each workload of connections or exchanges, in the order of declaration. */
export function workloadReports(s: Partition): WorkloadReport[] {
  return s.workloads.map((counts) => ({
    name: counts.name,
    destination: counts.destination,
    attempted: counts.attempted,
    established: counts.established,
    failed: byErrno(counts.failed),
    broken: byErrno(counts.broken),
    repliesCompleted: counts.repliesCompleted,
    peakConcurrent: counts.peakOpen,
    open: counts.open,
  }));
}
