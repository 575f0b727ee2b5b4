import type { RunReport, WorkloadReport } from "../../src/report/document.ts";

/** A workload that nothing has happened to. */
export const SAMPLE_WORKLOAD: WorkloadReport = {
  name: "load",
  destination: "server:443",
  attempted: 0,
  established: 0,
  failed: {},
  broken: {},
  repliesCompleted: 0,
  peakConcurrent: 0,
  open: 0,
};

/** A report as the quickstart leaves it, for tests of what is printed. */
export function sampleReport(changes: Partial<RunReport> = {}): RunReport {
  return {
    fourtuple: "0.1.0",
    scenario: "quickstart",
    seed: 1,
    digest: "0123456789abcdef",
    eventDigest: "fedcba9876543210",
    ended: "quiescence",
    simulatedSeconds: 0.4,
    wallSeconds: 1.25,
    connections: {
      attempted: 117928,
      established: 112928,
      failed: { EADDRNOTAVAIL: 5000 },
      broken: {},
      repliesCompleted: 0,
      peakConcurrent: 112928,
      open: 112928,
      ipv4: { attempts: 40000, established: 28232 },
      ipv6: { attempts: 0, established: 0 },
      connectMs: { p50: 20.02, p90: 20.5, p99: 21, max: 22.25 },
    },
    workloads: [],
    dns: {
      lookups: 0,
      answered: 0,
      failed: {},
      cacheHits: 0,
      queries: 0,
      timeouts: 0,
      served: 0,
      forwarded: 0,
      truncated: 0,
      lookupMs: { p50: null, p90: null, p99: null, max: null },
    },
    datagrams: {
      exchanges: 0,
      answered: 0,
      failed: {},
      sent: 0,
      received: 0,
      timedOut: 0,
      replyMs: { p50: null, p90: null, p99: null, max: null },
    },
    targets: [],
    nats: [],
    balancers: [],
    proxies: [],
    probes: [],
    packets: { sent: 338784, delivered: 338784, hops: 677568, dropped: {} },
    events: 1000000,
    memory: { peakRssBytes: 181e6, columnBytes: 60e6, bytesPerConnection: 412.4 },
    limits: [{
      limit: "ports",
      node: "client",
      used: 28232,
      capacity: 28232,
      firstHitSeconds: 0.28232,
      refused: 5000,
      detail: "ephemeral ports towards 192.0.2.1:443",
    }],
    expect: [
      { text: "connections.failed.EADDRNOTAVAIL == 5000", expected: 5000, found: 5000, ok: true },
      { text: "connections.peakConcurrent > 65535", expected: 65535, found: 112928, ok: true },
    ],
    ...changes,
  };
}
