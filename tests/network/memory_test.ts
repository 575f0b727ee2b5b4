import { assert, assertEquals, assertThrows } from "@std/assert";
import { OutOfMemory } from "../../src/base/growth.ts";
import { sharedMemory, ThreadControl } from "../../src/network/part_threads.ts";
import type { HostOptions, LinkOptions, WorkloadOptions } from "../../src/network/options.ts";
import { Network } from "../../src/network/network.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import type { LimitName } from "../../src/base/limit_names.ts";
import { FLAG, LISTENER, SYN_ROW, TCB, TIME_WAIT_ROW } from "../../src/tcp/state/tcb.ts";
import { hasGap } from "../../src/tcp/reassembly.ts";
import { heldBytes, unreadBytes } from "../../src/tcp/window.ts";
import { BUDGET, orphanBytes } from "../../src/transport/budgets.ts";
import { assertConserved, assertEmpty, nodeRow } from "./support/probe.ts";

function pair(
  options: {
    client?: Partial<HostOptions>;
    server?: Partial<HostOptions>;
    link?: LinkOptions;
    load?: Partial<WorkloadOptions>;
    seed?: number;
  },
): Simulation {
  const network = new Network({ seed: options.seed ?? 1 });
  network.host("client", { address: "10.0.0.1/24", ...options.client });
  network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }], ...options.server });
  network.link("client", "server", { rateBps: 1e8, delayNs: 5e6, ...options.link });
  const ends = { from: ["client"], to: ["server:80"] };
  network.workload({ name: "load", kind: "hold", connections: 1, ...ends, ...options.load });
  return network.build();
}

function limit(simulation: Simulation, name: LimitName, node: string) {
  return simulation.report().limits.find((found) => found.limit === name && found.node === node)!;
}

/** What a host's rows take, counted from the rows themselves. */
function counted(simulation: Simulation, name: string): number {
  const s = simulation.partition;
  const { tcp } = s;
  const host = nodeRow(simulation, name);
  const profile = s.profiles.get(s.hosts.profileOf(host));
  let bytes = 0;
  for (let c = 1; c < tcp.tcbs.end; c++) {
    const at = c * TCB.STRIDE;
    if (tcp.tcbs.words[at + TCB.PORTS] === 0 || tcp.tcbs.words[at + TCB.HOST] !== host) continue;
    const state = tcp.tcbs.words[at + TCB.STATE];
    const done = (state & FLAG.DONE) !== 0;
    bytes += (state & FLAG.ORPHAN) !== 0 ? orphanBytes(profile) : profile.bytesPerSocket;
    const opening = (state & FLAG.STATE_MASK) === 2;
    const sent = done || opening ? 0 : tcp.tcbs.words[at + TCB.SND_END] - tcp.tcbs.words[at + TCB.SND_UNA] | 0;
    const unread = unreadBytes(tcp, c);
    const fin = (state & FLAG.FIN_RECEIVED) !== 0 ? 1 : 0;
    const early = hasGap(tcp, c) ? heldBytes(tcp, c) - unread - fin : 0;
    bytes += Math.round(
      Math.max(0, sent) * profile.memoryPerSentByte + unread * profile.memoryPerReceivedByte +
        early * profile.memoryPerEarlyByte,
    );
  }
  const rows = (words: Int32Array, end: number, stride: number, ports: number, hostAt: number) => {
    let count = 0;
    for (let row = 1; row < end; row++) {
      if (words[row * stride + ports] !== 0 && words[row * stride + hostAt] === host) count++;
    }
    return count;
  };
  const { synRows, timeWaits, listeners } = tcp;
  const [S, T, L] = [SYN_ROW, TIME_WAIT_ROW, LISTENER];
  bytes += profile.bytesPerRequest * rows(synRows.words, synRows.end, S.STRIDE, S.PORTS, S.HOST);
  bytes += profile.bytesPerTimeWait * rows(timeWaits.words, timeWaits.end, T.STRIDE, T.PORTS, T.HOST);
  return bytes + profile.bytesPerSocket * rows(listeners.words, listeners.end, L.STRIDE, L.PORT, L.HOST);
}

function used(simulation: Simulation, name: string): number {
  const { hosts } = simulation.partition;
  return hosts.budgets!.words[hosts.budgetOf(nodeRow(simulation, name)) * BUDGET.STRIDE + BUDGET.USED];
}

Deno.test("what a host uses is at every moment the sum over its rows and buffers", () => {
  const loads: Partial<WorkloadOptions>[] = [
    { kind: "bulk", bytes: 300_000, connections: 5 },
    { kind: "request-response", connections: 60, requests: 3, thinkNs: 3e7, replyBytes: 9000, holdNs: 1e8 },
    { kind: "bulk", direction: "download", bytes: 200_000, connections: 5, close: "server" },
  ];
  for (const load of loads) {
    const simulation = pair({
      client: { memoryBytes: 400_000 },
      server: { memoryBytes: 300_000 },
      link: { loss: 0.02, reorder: 0.05, duplicate: 0.01 },
      load: { arrivals: { kind: "rate", perSecond: 100 }, ...load },
    });
    let looks = 0;
    for (let ms = 1; ms < 3000; ms += 7) {
      simulation.run({ untilNs: ms * 1e6 });
      for (const name of ["client", "server"]) {
        assertEquals(used(simulation, name), counted(simulation, name), `${name} at ${ms} ms`);
        looks++;
      }
    }
    assert(looks > 0);
    simulation.run();
    // The listener is what is left.
    assertEquals([used(simulation, "client"), used(simulation, "server")], [0, 4096]);
    assertConserved(simulation);
    assertEmpty(simulation);
  }
});

Deno.test("connect() fails with ENOBUFS when the next socket does not fit, and the limit shows the arithmetic", () => {
  const simulation = pair({ client: { memoryBytes: 10 * 4096 }, load: { connections: 12 } });
  simulation.run();
  assertEquals(simulation.report().connections.failed, { ENOBUFS: 2 });
  const memory = limit(simulation, "memory", "client");
  assertEquals([memory.used, memory.capacity, memory.refused, memory.firstHitSeconds], [40_960, 40_960, 2, 0]);
  assertEquals(memory.detail, "bytes: 10 sockets x 4,096 B = 40,960 B (40 KiB)");
});

Deno.test("a server without memory drops SYNs and final ACKs, and takes the connections when there is some again", () => {
  const simulation = pair({
    server: { memoryBytes: 5 * 4096 },
    load: { kind: "request-response", connections: 10, holdNs: 5e8, close: "server" },
  });
  simulation.run({ untilNs: 1e8 });
  // The listener, three connections, and half-open ones that wait.
  const { connections } = simulation.report();
  assert(connections.repliesCompleted <= 3 && connections.repliesCompleted >= 1, `${connections.repliesCompleted}`);
  assert(limit(simulation, "memory", "server").refused > 0);
  assert(used(simulation, "server") <= 5 * 4096);
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 10);
});

Deno.test("data beyond the memory is dropped, the window shuts, and the transfer goes on when there is memory again", () => {
  // A server that reads nothing before it accepts: four senders fill what it has.
  const simulation = pair({
    server: { memoryBytes: 200_000, listen: [{ port: 80, backlog: 10, acceptIntervalNs: 2e9 }] },
    load: { kind: "bulk", bytes: 150_000, connections: 4 },
  });
  simulation.run({ untilNs: 1.9e9 });
  const { counters } = simulation.partition.tcp;
  assert(counters.memoryDrops > 0);
  assert(limit(simulation, "memory", "server").refused > 0);
  assert(used(simulation, "server") > 100_000, `${used(simulation, "server")}`);
  simulation.run();
  assertEquals(counters.bytesIn, 4 * 150_000);
  assertEmpty(simulation);
});

Deno.test("use exceeds the limit by no more than what each connection needs to make progress", () => {
  const simulation = pair({
    client: { memoryBytes: 100_000 },
    load: { kind: "bulk", bytes: 500_000, connections: 10 },
  });
  simulation.run();
  assertEquals(simulation.partition.tcp.counters.bytesIn, 5_000_000);
  const memory = limit(simulation, "memory", "client");
  // Each connection may hold 4,096 bytes whatever the others do.
  assert(memory.used > 100_000 && memory.used <= 100_000 + 10 * 4096 * 1.1, `${memory.used}`);
});

Deno.test("under pressure those who do not read are offered no more than four segments", () => {
  const windows = (memoryBytes: number) => {
    const simulation = pair({
      server: { memoryBytes, listen: [{ port: 80, acceptIntervalNs: 60e9 }] },
      // The first is accepted, the others wait and fill their buffers.
      load: { kind: "bulk", bytes: 400_000, connections: 8 },
    });
    simulation.run({ untilNs: 1e9 });
    return simulation.partition.tcp.counters.bytesIn;
  };
  const roomy = windows(1e9);
  const tight = windows(600_000);
  assert(tight < 0.9 * roomy, `${tight} of ${roomy}`);
});

Deno.test("orphans beyond tcp_max_orphans are reset", () => {
  const simulation = pair({
    client: { profile: { maxOrphans: 3 } },
    link: { rateBps: 1e6 },
    // The FINs wait behind the data.
    load: { kind: "bulk", bytes: 30_000, connections: 8 },
  });
  simulation.run();
  const orphans = limit(simulation, "orphans", "client");
  assertEquals([orphans.used, orphans.capacity], [3, 3]);
  assert(orphans.refused > 0);
  assertEquals(orphans.refused, simulation.partition.tcp.counters.orphansAborted);
  assertEmpty(simulation);
});

Deno.test("connections beyond tcp_max_tw_buckets are closed at once, and the limit counts them", () => {
  const simulation = pair({
    client: { profile: { maxTimeWaits: 5 } },
    load: { kind: "request-response", connections: 20, close: "client" },
  });
  simulation.run();
  const found = limit(simulation, "time-wait", "client");
  assertEquals([found.used, found.capacity, found.refused], [5, 5, 15]);
  assertEquals(simulation.partition.tcp.counters.timeWaitOverflows, 15);
  assertEmpty(simulation);
});

Deno.test("a profile's files and memory hold where the host says nothing", () => {
  const files = pair({ client: { profile: { maxFiles: 3 } }, load: { connections: 5 } });
  files.run();
  assertEquals(files.report().connections.failed, { EMFILE: 2 });
  const memory = pair({
    client: { memoryBytes: 3 * 4096, profile: { memoryBytes: 4096 } },
    load: { connections: 5 },
  });
  memory.run();
  assertEquals(memory.report().connections.failed, { ENOBUFS: 2 });
});

Deno.test("hosts without a limit have no budget at all", () => {
  const simulation = pair({ load: { connections: 3 } });
  simulation.run();
  assertEquals(simulation.partition.hosts.budgets, undefined);
});

Deno.test("a table of another thread that cannot grow ends the run with the same sentence as in one thread", () => {
  const { control } = sharedMemory(2, undefined);
  new ThreadControl(control).fail(new OutOfMemory(100e6, 70e6));
  const error = assertThrows(() => new ThreadControl(control).check(), OutOfMemory);
  assertEquals([error.neededBytes, error.roomBytes], [100e6, 70e6]);
});
