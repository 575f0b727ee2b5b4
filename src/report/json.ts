/**
 * The run's document as JSON text.
 *
 * @module
 */
import type { RunReport } from "./document.ts";

/**
 * The document as indented JSON, ending in a line feed. What JSON cannot hold (an unlimited capacity) is null; the
 * order of the fields is fixed, reasons within a group are sorted by name, so that equal runs print equal text but for
 * `wallSeconds` and `memory`.
 */
export function reportJson(report: RunReport): string {
  const { connections, packets } = report;
  const ordered: RunReport = {
    fourtuple: report.fourtuple,
    scenario: report.scenario,
    seed: report.seed,
    digest: report.digest,
    eventDigest: report.eventDigest,
    ended: report.ended,
    simulatedSeconds: report.simulatedSeconds,
    wallSeconds: report.wallSeconds,
    connections: {
      attempted: connections.attempted,
      established: connections.established,
      failed: sortedByName(connections.failed),
      broken: sortedByName(connections.broken),
      repliesCompleted: connections.repliesCompleted,
      peakConcurrent: connections.peakConcurrent,
      open: connections.open,
      ipv4: connections.ipv4,
      ipv6: connections.ipv6,
      connectMs: connections.connectMs,
    },
    workloads: report.workloads.map((workload) => ({
      ...workload,
      failed: sortedByName(workload.failed),
      broken: sortedByName(workload.broken),
    })),
    dns: { ...report.dns, failed: sortedByName(report.dns.failed) },
    datagrams: { ...report.datagrams, failed: sortedByName(report.datagrams.failed) },
    targets: report.targets,
    nats: report.nats.map((nat) => ({
      ...nat,
      refused: sortedByName(nat.refused),
      firstRefusedSeconds: sortedByName(nat.firstRefusedSeconds),
    })),
    balancers: report.balancers.map((one) => ({ ...one, refused: sortedByName(one.refused) })),
    proxies: report.proxies,
    probes: report.probes,
    packets: {
      sent: packets.sent,
      delivered: packets.delivered,
      hops: packets.hops,
      dropped: sortedByName(packets.dropped),
    },
    events: report.events,
    memory: report.memory,
    limits: report.limits,
    expect: report.expect,
  };
  return JSON.stringify(ordered, finite, 2) + "\n";
}

function finite(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}

function sortedByName(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
}
