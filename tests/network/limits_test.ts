import { assert, assertEquals } from "@std/assert";
import type { HostOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { LimitName } from "../../src/base/limit_names.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import type { Profile } from "../../src/transport/profile.ts";
import { built, star } from "./support/networks.ts";
import { assertConserved, assertEmpty } from "./support/probe.ts";

function run(options: {
  clients?: Partial<HostOptions>;
  server?: Partial<HostOptions>;
  link?: object;
  workload?: Partial<WorkloadOptions>;
  untilNs?: number;
}): Simulation {
  const simulation = built(star(options));
  simulation.run(options.untilNs === undefined ? {} : { untilNs: options.untilNs });
  assertConserved(simulation);
  return simulation;
}

function limit(simulation: Simulation, name: LimitName, node: string) {
  return simulation.report().limits.find((found) => found.limit === name && found.node === node)!;
}

const EXACT: Profile["portAllocation"][] = ["linux", "rfc6056-1", "rfc6056-3", "rfc6056-4", "host-wide"];

for (const portAllocation of EXACT) {
  Deno.test(`ports run out exactly at the end of the range: ${portAllocation}`, () => {
    const profile = { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_199, portAllocation };
    for (const arrivals of [{ kind: "at-once" }, { kind: "rate", perSecond: 1000 }] as const) {
      const simulation = run({ clients: { count: 1, profile }, workload: { connections: 203, arrivals } });
      const { connections } = simulation.report();
      assertEquals([connections.established, connections.failed], [200, { EADDRNOTAVAIL: 3 }]);
      const found = limit(simulation, "ports", "clients");
      assertEquals([found.used, found.capacity, found.refused], [200, 200, 3]);
      assertEquals(found.firstHitSeconds, arrivals.kind === "rate" ? 0.2 : 0);
    }
  });
}

for (const portAllocation of ["rfc6056-2", "rfc6056-5"] as const) {
  Deno.test(`${portAllocation} may give up early, and with the scan to fall back on gives out every port`, () => {
    const profile = { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_199, portAllocation };
    const early = run({ clients: { count: 1, profile }, workload: { connections: 200 } });
    assert(early.report().connections.established <= 200);
    const scanned = run({
      clients: { count: 1, profile: { ...profile, portScanFallback: true } },
      workload: { connections: 202 },
    });
    assertEquals(scanned.report().connections.established, 200);
  });
}

Deno.test("ports are counted for each destination, but by the host-wide allocation for the whole host", () => {
  const counts = (portAllocation: Profile["portAllocation"]) =>
    run({
      clients: { count: 1, profile: { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_049, portAllocation } },
      server: { listen: [{ port: 80 }, { port: 81 }] },
      workload: { to: ["server:80", "server:81"], connections: 120 },
    }).report().connections.established;
  assertEquals([counts("linux"), counts("host-wide")], [100, 50]);
});

Deno.test("a client out of files fails with EMFILE, and may go on when it has closed some", () => {
  const simulation = run({
    clients: { count: 1, maxFiles: 5 },
    workload: { connections: 8, holdNs: 1e9, close: "client" },
  });
  assertEquals(simulation.report().connections.failed, { EMFILE: 3 });
  assertEquals(limit(simulation, "files", "clients").refused, 3);
  const later = run({
    clients: { count: 1, maxFiles: 5 },
    workload: { connections: 8, holdNs: 1e9, close: "client", arrivals: { kind: "rate", perSecond: 0.9 } },
  });
  assertEquals(later.report().connections.established, 8);
});

Deno.test("a server out of files leaves connections in its accept queue, and the run still comes to rest", () => {
  const simulation = run({
    server: { maxFiles: 6, listen: [{ port: 80 }] },
    workload: { connections: 10, kind: "request-response", holdNs: Infinity },
  });
  // The listener itself is a file.
  const { connections } = simulation.report();
  assertEquals([connections.established, connections.repliesCompleted], [10, 5]);
  const files = limit(simulation, "files", "server");
  assertEquals([files.used, files.capacity, files.refused > 0], [6, 6, true]);
  assertEquals(limit(simulation, "accept-queue", "server").used, 5);
});

Deno.test("a server takes connections from its accept queue as files are closed", () => {
  const simulation = run({
    server: { maxFiles: 3, listen: [{ port: 80 }] },
    workload: { connections: 20, kind: "request-response", holdNs: 1e8 },
  });
  assertEquals(simulation.report().connections.repliesCompleted, 20);
  // Two at a time, each for a hold and two round trips or so.
  assert(simulation.report().simulatedSeconds > 1 + 60);
  assertEmpty(simulation);
});

Deno.test("memory for sockets that is used up is ENOBUFS", () => {
  const simulation = run({
    clients: { count: 1, memoryBytes: 10_000, profile: { bytesPerSocket: 3000 } },
    workload: { connections: 5 },
  });
  assertEquals(simulation.report().connections.failed, { ENOBUFS: 2 });
  const memory = limit(simulation, "memory", "clients");
  assertEquals([memory.used, memory.capacity, memory.refused], [9000, 10_000, 2]);
});

Deno.test("a slow accept loop overflows the accept queue: final ACKs are dropped, and connections complete later", () => {
  const simulation = run({
    server: { listen: [{ port: 80, backlog: 4, acceptIntervalNs: 1e8 }] },
    workload: { connections: 20, kind: "request-response", arrivals: { kind: "rate", perSecond: 1000 } },
    untilNs: 100e9,
  });
  const queue = limit(simulation, "accept-queue", "server");
  assert(queue.refused > 0);
  assert(queue.used >= 4 && queue.used <= 5, `${queue.used}`);
  assert(simulation.partition.tcp.counters.acceptOverflows > 0);
});

Deno.test("a full SYN queue drops SYNs, which are sent again", () => {
  // Half-open connections stay for a round trip of some 6 ms: 5,000 a second make 30.
  const simulation = run({
    clients: { count: 50 },
    server: { listen: [{ port: 80, backlog: 16 }], profile: { synCookies: 0 } },
    workload: { connections: 200, arrivals: { kind: "rate", perSecond: 5000 } },
    untilNs: 200e9,
  });
  const queue = limit(simulation, "syn-queue", "server");
  assert(queue.refused > 0 || limit(simulation, "accept-queue", "server").refused > 0);
  assert(queue.used <= queue.capacity + 1);
  assertEquals(simulation.report().connections.established, 200);
});

Deno.test("a link's queue that is full drops packets, and says at which node", () => {
  const simulation = run({
    clients: { count: 1 },
    link: { rateBps: 1e7, queuePackets: 20 },
    workload: { kind: "bulk", bytes: 2_000_000, connections: 2 },
  });
  const link = limit(simulation, "link", "clients");
  assertEquals([link.used, link.capacity], [20, 20]);
  assertEquals(link.refused, simulation.report().packets.dropped.queue);
  assertEquals(simulation.partition.tcp.counters.bytesIn, 4_000_000);
});

Deno.test("a link's queue of bytes is never reported fuller than full", () => {
  const simulation = run({
    clients: { count: 1 },
    link: { rateBps: 1e7, queueBytes: 15_000 },
    workload: { kind: "bulk", bytes: 1_000_000, connections: 1 },
  });
  const link = limit(simulation, "link", "clients");
  assert(link.used > 13_500 && link.used <= 15_000 && link.refused > 0);
});

Deno.test("files and memory are reported as they were used at most, not as they are at the end", () => {
  const simulation = run({
    clients: { count: 1, maxFiles: 50, memoryBytes: 1e6, profile: { bytesPerSocket: 1000 } },
    workload: { connections: 30, kind: "request-response", close: "client" },
  });
  const memory = limit(simulation, "memory", "clients");
  // All are open at once, and have asked: 100 bytes each, charged 1.1 times. The first reply comes, charged 1.6 times.
  assertEquals([limit(simulation, "files", "clients").used, memory.used], [30, 30_000 + 29 * 110 + 1600]);
  assertEquals(memory.detail, "bytes: 30 sockets x 1,000 B + 4,790 B of buffered data = 34,790 B (34.79 kB)");
});

Deno.test("no queue was ever longer than its capacity: its backlog and one more", () => {
  for (const backlog of [0, 1, 4]) {
    const simulation = run({
      server: { listen: [{ port: 80, backlog, acceptIntervalNs: 1e9 }] },
      workload: { connections: 30, arrivals: { kind: "rate", perSecond: 20 } },
      untilNs: 60e9,
    });
    const queues = [limit(simulation, "accept-queue", "server"), limit(simulation, "syn-queue", "server")];
    assertEquals(queues.map((queue) => queue.capacity), [backlog + 1, backlog + 1]);
    assert(queues.every((queue) => queue.used <= queue.capacity));
    assertEquals(queues[0].used, queues[0].capacity);
  }
});
