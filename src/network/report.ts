/**
 * The run's document, read off a partition.
 *
 * @module
 */
import type { RunReport } from "../report/document.ts";
import { combineDigest } from "./digest.ts";
import type { MemoryEstimate } from "./estimate.ts";
import { DROP_REASONS } from "./drops.ts";
import { limitReports } from "./limits_report.ts";
import { columnBytes, connectionBytes } from "./memory.ts";
import type { Partition } from "./partition.ts";
import { balancerReports, proxyReports } from "./report_balancers.ts";
import { probeReports } from "./probe_plan.ts";
import { natReports } from "./report_nat.ts";
import { workloadReports } from "./report_workloads.ts";
import { byErrno, datagramReport, dnsReport, quantiles, targetReports } from "./report_dns.ts";

/** What the run loop and its caller know and the partition does not. */
export interface ReportFacts {
  scenario: string;
  seed: number;
  ended: RunReport["ended"];
  fourtuple: string;
  wallSeconds: number;
  peakRssBytes: number;
  estimate: MemoryEstimate;
}

/** Of a run of which nothing is known. */
export const NO_FACTS: Readonly<ReportFacts> = {
  scenario: "",
  seed: 0,
  ended: "interrupted",
  fourtuple: "",
  wallSeconds: 0,
  peakRssBytes: 0,
  estimate: { tableBytes: 0, addedBytes: 0, residentBytes: 0, threadTableBytes: 0, threadBytes: 0 },
};

/**
 * The document. What takes a look at every row (digests, quantiles, limits, memory) is worked out when it is read,
 * so that a condition asked every simulated millisecond costs what it asks for.
 */
export function liveReport(s: Partition, facts: ReportFacts): RunReport {
  const stats = s.stats;
  return {
    fourtuple: facts.fourtuple,
    scenario: facts.scenario,
    seed: facts.seed,
    get digest() {
      return combineDigest(s.nodes, "deliveries");
    },
    get eventDigest() {
      return combineDigest(s.nodes, "events");
    },
    ended: facts.ended,
    simulatedSeconds: s.nowNs / 1e9,
    wallSeconds: facts.wallSeconds,
    connections: {
      attempted: stats.attempted,
      established: stats.established,
      failed: byErrno(stats.failed),
      broken: byErrno(stats.broken),
      repliesCompleted: stats.repliesCompleted,
      peakConcurrent: stats.peakOpen,
      open: stats.open,
      ipv4: { attempts: stats.attempts[0], established: stats.establishedOver[0] },
      ipv6: { attempts: stats.attempts[1], established: stats.establishedOver[1] },
      get connectMs() {
        return quantiles(stats.sortedConnectUs());
      },
    },
    get workloads() {
      return workloadReports(s);
    },
    get dns() {
      return dnsReport(s);
    },
    get datagrams() {
      return datagramReport(s);
    },
    get targets() {
      return targetReports(s);
    },
    get nats() {
      return natReports(s);
    },
    get balancers() {
      return balancerReports(s);
    },
    get proxies() {
      return proxyReports(s);
    },
    get probes() {
      return probeReports(s);
    },
    packets: { sent: s.sent, delivered: s.delivered, hops: s.hops, dropped: dropsByReason(s) },
    events: s.hops + s.acted,
    get memory() {
      const bytes = connectionBytes(s);
      return {
        peakRssBytes: facts.peakRssBytes,
        columnBytes: columnBytes(s),
        estimatedRssBytes: facts.estimate.residentBytes,
        estimatedColumnBytes: facts.estimate.tableBytes,
        bytesPerConnection: stats.peakOpen === 0 ? 0 : Math.round(bytes / stats.peakOpen),
      };
    },
    get limits() {
      return limitReports(s);
    },
    expect: [],
  };
}

/** The document as plain data, everything worked out. */
export function runReport(s: Partition, facts: ReportFacts): RunReport {
  const live = liveReport(s, facts);
  return { ...live, connections: { ...live.connections }, dns: { ...live.dns }, datagrams: { ...live.datagrams } };
}

function dropsByReason(s: Partition): Record<string, number> {
  const named: Record<string, number> = {};
  for (let i = 1; i < DROP_REASONS.length; i++) if (s.dropped[i] > 0) named[DROP_REASONS[i]] = s.dropped[i];
  return named;
}
