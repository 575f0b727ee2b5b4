import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { NetworkEvent } from "../../src/network/event_options.ts";
import type { HostOptions } from "../../src/network/options.ts";
import { Simulation } from "../../src/network/simulation.ts";
import { workload } from "./support/homes.ts";
import { built, type Step } from "./support/networks.ts";

/** One client that opens ten connections a second from 0 s on, and a server. */
function pair(options: { client?: Partial<HostOptions>; server?: Partial<HostOptions>; load?: object } = {}): Step[] {
  return [
    (n) => n.host("client", { address: "10.0.0.1/24", ...options.client }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }], ...options.server }),
    (n) => n.link("client", "server", { delayNs: 1e6 }),
    workload({
      from: ["client"],
      to: ["server:80"],
      connections: 30,
      arrivals: { kind: "rate", perSecond: 10 },
      ...options.load,
    }),
  ];
}

function run(steps: Step[], events: NetworkEvent[]): Simulation {
  const simulation = built([...steps, ...events.map((event): Step => (n) => n.event(event))]);
  simulation.run();
  return simulation;
}

const limitOf = (simulation: Simulation, name: string) =>
  simulation.report().limits.find(({ limit }) => limit === name);

Deno.test("files that an event allows bind from then on, and what is open beyond them stays", () => {
  const simulation = run(pair(), [
    { kind: "host", atNs: 1e9, node: "client", maxFiles: 8 },
    { kind: "host", atNs: 2e9, node: "client", maxFiles: 12 },
  ]);
  const { connections } = simulation.report();
  // Ten before 1 s, two more (at 2.0 and 2.1 s) of the twelve.
  assertEquals([connections.open, connections.failed], [12, { EMFILE: 18 }]);
  const limit = limitOf(simulation, "files")!;
  assertEquals([limit.used, limit.capacity, limit.firstHitSeconds, limit.refused], [12, 12, 1, 18]);
  assertStringIncludes(limit.detail, "unlimited until 1 s, then 8; 8 until 2 s, then 12");
});

Deno.test("accepts that waited for a file go on when an event allows more", () => {
  const server = { maxFiles: 4 };
  const simulation = run(pair({ server }), [{ kind: "host", atNs: 5e9, node: "server", maxFiles: 100 }]);
  const s = simulation.partition;
  assertEquals(s.nodes.population("server")!.peakFiles, 31);
});

Deno.test("memory that an event limits counts what is open already", () => {
  const simulation = run(pair(), [{ kind: "host", atNs: 1e9, node: "client", memoryBytes: 12 * 4096 }]);
  const { connections } = simulation.report();
  assertEquals([connections.open, connections.failed], [12, { ENOBUFS: 18 }]);
  const limit = limitOf(simulation, "memory")!;
  assertEquals([limit.used, limit.capacity, limit.firstHitSeconds], [12 * 4096, 12 * 4096, 1.2]);
});

Deno.test("a profile's budgets change too: files, memory, orphans, connections in TIME_WAIT", () => {
  const load = { kind: "request-response" } as const;
  const simulation = run(pair({ load }), [
    { kind: "profile", atNs: 1e9, node: "client", set: { maxTimeWaits: 12 } },
    { kind: "profile", atNs: 2e9, node: "client", set: { maxTimeWaits: 15, maxFiles: 1 } },
  ]);
  const limit = limitOf(simulation, "time-wait")!;
  assertEquals([limit.used, limit.capacity, limit.refused], [15, 15, 15]);
  assertEquals(limitOf(simulation, "files")!.capacity, 1);
  assertEquals(simulation.report().connections.established, 30);
});

Deno.test("sizes that change in mid-run are charged for what is open, too", () => {
  const simulation = run(pair({ client: { memoryBytes: 1e6 } }), [
    { kind: "profile", atNs: 1.05e9, node: "client", set: { bytesPerSocket: 1000 } },
    { kind: "workload", atNs: 2.05e9, workload: "load", action: "stop", close: true },
  ]);
  const s = simulation.partition;
  const budgets = s.hosts.budgets!;
  const row = s.hosts.budgetOf(s.nodes.population("client")!.firstRow);
  assertEquals(budgets.left(row), 1e6);
});

Deno.test("what a processor's work costs changes, and nothing overtakes what waits for it", () => {
  const slow = run(pair(), [
    { kind: "host", atNs: 1e9, node: "server", cpu: { perPacketNs: 5e6 } },
    { kind: "host", atNs: 2e9, node: "server", cpu: { perPacketNs: 0 } },
  ]);
  const { connections } = slow.report();
  // SYN and SYN-ACK take 5 ms each of the ten in the middle.
  assertEquals([connections.connectMs.p50, connections.connectMs.max, connections.established], [2, 12, 30]);
  const full = run(pair(), [{ kind: "host", atNs: 1e9, node: "server", cpu: { perPacketNs: 1e9, queuePackets: 2 } }]);
  const limit = limitOf(full, "cpu")!;
  assert(limit.refused > 0);
  assertEquals([limit.capacity, limit.used], [2, 2]);
  assertStringIncludes(limit.detail, "1,000 until 1 s, then 2");
});

Deno.test("a backlog changes as by another listen", () => {
  const server = { listen: [{ port: 80, acceptIntervalNs: 1e12 }], profile: { abortOnOverflow: true } };
  const simulation = run(pair({ server }), [
    { kind: "listener", atNs: 1e9, node: "server", port: 80, backlog: 4 },
    { kind: "listener", atNs: 2e9, node: "server", port: 80, backlog: 14 },
    { kind: "node", atNs: 4e9, node: "client", action: "down" },
  ]);
  const limit = limitOf(simulation, "accept-queue")!;
  // One is accepted; nine wait at 1 s; at 2 s there is room for fifteen.
  assertEquals([limit.used, limit.capacity], [15, 15]);
  assertStringIncludes(limit.detail, "4,097 until 1 s, then 5; 5 until 2 s, then 15");
});

Deno.test("a UDP port that is closed answers with port unreachable until it is opened", () => {
  const load = { kind: "request-response", transport: "udp", to: ["server:53"] } as const;
  const server = { listen: [{ port: 53, protocol: "udp" }] } as const;
  const simulation = run(pair({ load, server: server as never }), [
    { kind: "listener", atNs: 1e9, node: "server", port: 53, protocol: "udp", action: "close" },
    { kind: "listener", atNs: 2e9, node: "server", port: 53, protocol: "udp", action: "open" },
  ]);
  const { datagrams } = simulation.report();
  assertEquals([datagrams!.answered, datagrams!.failed], [20, { ECONNREFUSED: 10 }]);
  const late = run(pair({ load, server: server as never }), [
    { kind: "listener", atNs: 2e9, node: "server", port: 53, protocol: "udp", action: "open" },
  ]);
  assertEquals(late.report().datagrams!.failed, { ECONNREFUSED: 20 });
});

Deno.test("a DNS server's port closes and opens", () => {
  const steps: Step[] = [
    (n) => n.host("ns", { address: "10.0.0.2/24", dns: { records: { "a.test": { addresses: ["10.0.0.9"] } } } }),
    (n) => n.host("client", { address: "10.0.0.1/24", resolver: { servers: ["ns"], cache: false, attempts: 1 } }),
    (n) => n.link("client", "ns", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "l",
        kind: "dns",
        from: ["client"],
        to: ["a.test"],
        connections: 30,
        arrivals: { kind: "rate", perSecond: 10 },
      }),
  ];
  const simulation = run(steps, [
    { kind: "listener", atNs: 1e9, node: "ns", port: 53, protocol: "udp", action: "close" },
    { kind: "listener", atNs: 2e9, node: "ns", port: 53, protocol: "udp", action: "open" },
  ]);
  assertEquals(simulation.report().dns!.failed, { EAI_AGAIN: 10 });
});

Deno.test("a member's first event counts, whichever name it came by", () => {
  const simulation = built([
    (n) => n.host("servers", { count: 2, address: "10.0.0.2/24", listen: [{ port: 80 }] }),
    (n) => n.host("client", { address: "10.0.0.1/24" }),
    (n) => n.link("servers", "client", { delayNs: 1e6 }),
    (n) => n.event({ kind: "listener", atNs: 1e9, node: "servers", port: 80, action: "close" }),
    (n) => n.event({ kind: "listener", atNs: 2e9, node: "servers[1]", port: 80, action: "open" }),
  ]);
  const listening = () => simulation.dump("sockets", "servers").split("\n").filter((line) => line.startsWith("LISTEN"));
  simulation.run({ untilNs: 0.5e9 });
  assertEquals(listening().length, 2);
  simulation.run();
  assertEquals(listening().length, 1);
});

Deno.test("a fork's budget counts what there is, and snapshots keep budgets that have changed", () => {
  const events: NetworkEvent[] = [
    { kind: "host", atNs: 0.5e9, node: "server", memoryBytes: 20 * 4096, maxFiles: 18, cpu: { perPacketNs: 1e5 } },
    { kind: "profile", atNs: 0.7e9, node: "server", set: { maxTimeWaits: 2, synCookies: 0 } },
  ];
  const steps = [...pair(), ...events.map((event): Step => (n) => n.event(event))];
  const whole = built(steps);
  whole.run();
  const half = built(steps);
  half.run({ untilNs: 1.2345e9 });
  const restored = Simulation.restore(half.snapshot());
  restored.run();
  assertEquals(restored.digest, whole.digest);
  assertEquals(restored.report().limits, whole.report().limits);
  const plain = built(pair());
  plain.run({ untilNs: 1.05e9 });
  const forked = plain.fork([{ kind: "host", node: "client", memoryBytes: 13 * 4096 }]);
  forked.run();
  assertEquals(forked.report().connections.failed, { ENOBUFS: 17 });
});
