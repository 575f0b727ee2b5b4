import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Network, NetworkError } from "../../mod.ts";
import { CPU } from "../../src/node/cpus.ts";
import type { CpuOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { PACKET } from "../../src/wire/packet.ts";
import { built, mixed, type Step } from "./support/networks.ts";
import { assertConserved, assertEmpty, send, watch } from "./support/probe.ts";

/** client -- server without a link's delay, the server with a CPU. */
function pair(cpu: CpuOptions, workload?: Partial<WorkloadOptions>, client?: CpuOptions): Simulation {
  const network = new Network({ seed: 1 });
  network.host("client", { address: "10.0.0.1/24", cpu: client });
  network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }], cpu });
  network.link("client", "server", { delayNs: 1e6 });
  if (workload !== undefined) {
    const ends = { from: ["client"], to: ["server:80"] };
    network.workload({ name: "load", kind: "request-response", connections: 1, ...ends, ...workload });
  }
  return network.build();
}

/** When each packet of a node left, ns. */
function departures(simulation: Simulation, node: string): number[] {
  const times: number[] = [];
  simulation.onSend((_p, timeNs, from) => from === node && times.push(timeNs));
  return times;
}

Deno.test("packets are served one after the other, and what they make a host send follows on the same turn", () => {
  const simulation = pair({ perPacketNs: 1000 });
  const left = departures(simulation, "server");
  for (let i = 0; i < 3; i++) send(simulation, { from: "client", dst: "10.0.0.2" });
  simulation.run();
  // Three echo requests arrive at 1 ms; each is 1 us in and 1 us out.
  assertEquals(left, [1_002_000, 1_004_000, 1_006_000]);
});

Deno.test("each core serves a packet of its own", () => {
  const simulation = pair({ cores: 2, perPacketNs: 1000 });
  const left = departures(simulation, "server");
  for (let i = 0; i < 4; i++) send(simulation, { from: "client", dst: "10.0.0.2" });
  simulation.run();
  assertEquals(left, [1_002_000, 1_002_000, 1_004_000, 1_004_000]);
});

Deno.test("bytes cost by their number, fractions of a nanosecond rounded for each packet", () => {
  const simulation = pair({ perByteNs: 0.25 });
  const left = departures(simulation, "server");
  send(simulation, { from: "client", dst: "10.0.0.2", length: 1001 });
  simulation.run();
  assertEquals(left, [1_000_000 + 250 + 250]);
});

Deno.test("packets beyond the queue are dropped and counted, and the limit says since when", () => {
  const simulation = pair({ perPacketNs: 1000, queuePackets: 2 });
  for (let i = 0; i < 6; i++) send(simulation, { from: "client", dst: "10.0.0.2" });
  simulation.run();
  const { packets, limits } = simulation.report();
  // One is being served, two wait.
  assertEquals(packets.dropped, { cpu: 3 });
  const cpu = limits.find(({ limit, node }) => limit === "cpu" && node === "server")!;
  assertEquals([cpu.used, cpu.capacity, cpu.refused, cpu.firstHitSeconds], [2, 2, 3, 0.001]);
  assert(cpu.detail.includes("1 us a packet: at most 1 s / 1 us = 1,000,000/s"), cpu.detail);
  assertConserved(simulation);
});

Deno.test("a host's own packets wait for its processor, and opening a connection costs with its SYN", () => {
  const simulation = pair({}, { connections: 3 }, { perPacketNs: 1000, perConnectNs: 5000 });
  const left = departures(simulation, "client");
  simulation.run({ untilNs: 100_000 });
  assertEquals(left, [6000, 12_000, 18_000]);
});

Deno.test("the work on a request comes between its last byte and the first of the reply", () => {
  const simulation = pair({ perRequestNs: 3e6 }, { requestBytes: 4000, replyBytes: 100 });
  const seen = watch(simulation);
  simulation.run();
  const asked = seen.filter(({ to, length }) => to === "server" && length > 0).at(-1)!.timeNs;
  const answered = seen.find(({ to, length }) => to === "client" && length === 100)!.timeNs;
  assertEquals(answered - asked, 3e6 + 1e6);
  assertEquals(simulation.report().connections.repliesCompleted, 1);
  assertEmpty(simulation);
});

Deno.test("requests wait for each other's work, and are answered even if the client has closed its side", () => {
  const simulation = pair({ perRequestNs: 1e6 }, { connections: 5, close: "client" });
  const seen = watch(simulation);
  simulation.run();
  const replies = seen.filter(({ to, length }) => to === "client" && length === 1000).map(({ timeNs }) => timeNs);
  // The requests arrive at 3 ms.
  assertEquals(replies, [5e6, 6e6, 7e6, 8e6, 9e6]);
});

Deno.test("a datagram for a service is a request, an answer is none", () => {
  const network = new Network({ seed: 1 });
  network.host("client", { address: "10.0.0.1/24", cpu: { perRequestNs: 1e6 } });
  network.host("server", {
    address: "10.0.0.2/24",
    listen: [{ port: 53, protocol: "udp" }],
    cpu: { perRequestNs: 1e6 },
  });
  network.link("client", "server", { delayNs: 1e6 });
  const ends = { from: ["client"], to: ["server:53"], transport: "udp" as const };
  network.workload({ name: "load", kind: "request-response", connections: 3, ...ends });
  const simulation = network.build();
  const left = departures(simulation, "server");
  simulation.run();
  assertEquals(left, [2e6, 3e6, 4e6]);
  const cpus = simulation.partition.cpus!;
  assertEquals([1, 2].map((cpu) => cpus.words[cpu * CPU.STRIDE + CPU.BUSY_NS]).sort(), [0, 3e6]);
});

Deno.test("a server of user code accepts when its processor has time", () => {
  const network = new Network({ seed: 1 });
  network.host("client", { address: "10.0.0.1/24" });
  network.host("server", { address: "10.0.0.2/24", cpu: { perAcceptNs: 1e6 } });
  network.link("client", "server", { delayNs: 1e6 });
  const simulation = network.build();
  const accepted: number[] = [];
  simulation.host("server").listen({ port: 80 }, () => accepted.push(simulation.nowNs));
  for (let i = 0; i < 3; i++) simulation.host("client").connect({ address: "10.0.0.2", port: 80 });
  simulation.run({ untilNs: 1e8 });
  assertEquals(accepted, [4e6, 5e6, 6e6]);
});

Deno.test("accepts wait for the processor: a server that is too slow for them fills its accept queue", () => {
  const network = new Network({ seed: 1 });
  network.host("client", { address: "10.0.0.1/24" });
  network.host("server", {
    address: "10.0.0.2/24",
    listen: [{ port: 80, backlog: 4 }],
    cpu: { perAcceptNs: 1e6 },
  });
  network.link("client", "server");
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["client"],
    to: ["server:80"],
    connections: 20,
    arrivals: { kind: "rate", perSecond: 5000 },
  });
  const simulation = network.build();
  simulation.run();
  const { connections, limits } = simulation.report();
  const queue = limits.find(({ limit }) => limit === "accept-queue")!;
  assert(queue.refused > 0 && queue.used === 5);
  assertEquals(connections.repliesCompleted, 20);
  assertEmpty(simulation);
});

Deno.test("several cores keep the order of a connection's packets, in and out", () => {
  const simulation = pair(
    { cores: 8, perPacketNs: 2000, perByteNs: 10 },
    { kind: "bulk", bytes: 3_000_000 },
    { cores: 8, perPacketNs: 2000, perByteNs: 10 },
  );
  const rows = simulation.packets;
  let before = -1;
  let reordered = 0;
  simulation.onDelivery((p, _timeNs, _from, to) => {
    if (to !== "server" || rows.rows.words[p * PACKET.STRIDE + PACKET.LENGTH] === 0) return;
    const seq = rows.rows.words[p * PACKET.STRIDE + PACKET.SEQ] >>> 0;
    if (before >= 0 && ((seq - before) | 0) < 0) reordered++;
    before = seq;
  });
  simulation.run();
  const { counters } = simulation.partition.tcp;
  assertEquals([reordered, counters.retransmissions, counters.bytesIn], [0, 0, 3_000_000]);
});

Deno.test("a transfer is as fast as the processor lets it be", () => {
  const simulation = pair({ perByteNs: 10, queuePackets: 1e5 }, { kind: "bulk", bytes: 1_000_000, connections: 20 });
  const seen = watch(simulation);
  simulation.run();
  const last = seen.filter(({ to, length }) => to === "client" && length === 0).at(-1)!.timeNs;
  // 10 ns a byte is 100 MB/s.
  assert(last > 200e6 && last < 220e6, `${last}`);
});

Deno.test("a host talks to itself through its processor, too", () => {
  const network = new Network({ seed: 1 });
  network.host("a", { address: "10.0.0.1/24", listen: [{ port: 80 }], cpu: { perPacketNs: 1e6 } });
  network.host("b", { address: "10.0.0.2/24" });
  network.link("a", "b");
  const simulation = network.build();
  let connectedNs = 0;
  simulation.host("a").connect({ address: "10.0.0.1", port: 80 }, () => connectedNs = simulation.nowNs);
  simulation.run({ untilNs: 1e9 });
  // SYN out and in, SYN-ACK out and in.
  assertEquals(connectedNs, 4e6);
});

/** The network of the determinism tests, some of whose hosts have CPUs. */
function busy(): Step[] {
  const cpus: Record<string, CpuOptions> = {
    laptops: { cores: 2, perPacketNs: 20_000, perConnectNs: 3000 },
    web: { cores: 2, perPacketNs: 30_000, perRequestNs: 500_000, perAcceptNs: 10_000, queuePackets: 2 },
    files: { perPacketNs: 5000, perByteNs: 3.5, queuePackets: 4 },
  };
  return mixed().map((step) => (network) => {
    const host = network.host.bind(network);
    network.host = (name, options) => host(name, { ...options, cpu: cpus[name] });
    step(network);
    network.host = host;
  });
}

Deno.test("neither the order of declaration nor the numbering of rows changes what processors do", () => {
  const run = (steps: Step[], options = {}) => {
    const simulation = built(steps, options);
    simulation.run();
    return simulation;
  };
  const first = run(busy());
  assert(first.report().packets.dropped.cpu > 0);
  fc.assert(
    fc.property(
      fc.shuffledSubarray(busy().map((_, i) => i), { minLength: busy().length }),
      fc.nat(300),
      fc.boolean(),
      (order, skip, reversed) => {
        const steps = busy();
        const simulation = run(order.map((i) => steps[i]), { numbering: { skip, reversed } });
        assertEquals([simulation.digest, simulation.eventDigest], [first.digest, first.eventDigest]);
      },
    ),
    { numRuns: 6 },
  );
  assertConserved(first);
});

Deno.test("a processor out of range is refused with its place", () => {
  for (
    const [cpu, subject] of [
      [{ cores: 0 }, "nodes.server.cpu.cores"],
      [{ perPacketNs: -1 }, "nodes.server.cpu.perPacketNs"],
      [{ perRequestNs: 0.5 }, "nodes.server.cpu.perRequestNs"],
      [{ queuePackets: -1 }, "nodes.server.cpu.queue"],
    ] as const
  ) {
    const error = assertThrows(() => pair(cpu), NetworkError);
    assertEquals(error.subject, subject);
  }
});
