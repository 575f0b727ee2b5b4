import type { RunReport } from "../../src/report/document.ts";
import { sampleReport as plainReport } from "../report/sample.ts";

/** A report to hold expectations against. */
export function sampleReport(): RunReport {
  return plainReport({
    scenario: "sample",
    seed: 1,
    digest: "00112233aabbccdd",
    eventDigest: "0000000000000001",
    ended: "quiescence",
    simulatedSeconds: 12.5,
    wallSeconds: 0.4,
    connections: {
      attempted: 40000,
      established: 28232,
      failed: { EADDRNOTAVAIL: 11768 },
      broken: {},
      repliesCompleted: 0,
      peakConcurrent: 28232,
      open: 28232,
      ipv4: { attempts: 40000, established: 28232 },
      ipv6: { attempts: 0, established: 0 },
      connectMs: { p50: 20.1, p90: 21, p99: 24, max: 30 },
    },
    packets: { sent: 84696, delivered: 84690, hops: 169386, dropped: { loss: 4, queue: 2 } },
    events: 169386,
    memory: {
      peakRssBytes: 2e8,
      columnBytes: 1e8,
      estimatedRssBytes: 2e8,
      estimatedColumnBytes: 1e8,
      bytesPerConnection: 420,
    },
    limits: [
      {
        limit: "ports",
        node: "crowd",
        used: 28232,
        capacity: 28232,
        firstHitSeconds: 0.28232,
        refused: 11768,
        detail: "ports towards 192.0.2.1:443",
      },
      {
        limit: "ports",
        node: "client",
        used: 100,
        capacity: 28232,
        firstHitSeconds: null,
        refused: 0,
        detail: "ports towards 192.0.2.1:443",
      },
    ],
    expect: [],
  });
}
