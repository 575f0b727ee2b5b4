import { assert, assertEquals } from "@std/assert";
import type { WorkloadOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { TIME_WAIT_ROW, WARM } from "../../src/tcp/state/tcb.ts";
import { built, star } from "../network/support/networks.ts";
import { assertConserved, assertEmpty, watch } from "../network/support/probe.ts";

const FIN = 1;

/** Runs a workload over the star; with a long time after, in which TIME_WAIT expires. */
function ran(workload: Partial<WorkloadOptions>, server = {}): Simulation {
  const simulation = built(star({ workload, server }));
  simulation.run();
  assertConserved(simulation);
  return simulation;
}

/** Whose FIN arrives first, and on how many connections, by the end that sent it. */
function firstFins(workload: Partial<WorkloadOptions>): Record<string, number> {
  const simulation = built(star({ workload }));
  const seen = watch(simulation);
  simulation.run({ untilNs: 30e9 });
  const first = new Map<string, string>();
  for (const { from, src, dst, sport, dport, flags } of seen) {
    // On the first link of either way.
    if ((flags & FIN) === 0 || from === "r1") continue;
    const key = [`${src}:${sport}`, `${dst}:${dport}`].sort().join(" ");
    if (!first.has(key)) first.set(key, from.startsWith("client") ? "client" : "server");
  }
  const count: Record<string, number> = {};
  for (const end of first.values()) count[end] = (count[end] ?? 0) + 1;
  // TIME_WAIT is where the first FIN came from.
  const { timeWaits } = simulation.partition.tcp;
  for (let row = 1; row < timeWaits.end; row++) {
    const host = timeWaits.words[row * TIME_WAIT_ROW.STRIDE + TIME_WAIT_ROW.HOST];
    if (host === 0) continue;
    const name = simulation.partition.nodes.nameOf(host);
    const key = `${name.startsWith("client") ? "client" : "server"} waits`;
    count[key] = (count[key] ?? 0) + 1;
  }
  return count;
}

for (const kind of ["hold", "request-response", "bulk"] as const) {
  Deno.test(`${kind}: who closes first is whom the workload names, and TIME_WAIT stands there`, () => {
    const options = { kind, holdNs: 1e8, bytes: 5000 };
    assertEquals(firstFins({ ...options, close: "client" }), { client: 10, "client waits": 10 });
    assertEquals(firstFins({ ...options, close: "server" }), { server: 10, "server waits": 10 });
    assertEquals(firstFins({ ...options, close: "none" }), {});
  });
}

Deno.test("where both close after the same time, both may wait", () => {
  const count = firstFins({ kind: "hold", holdNs: 1e9, close: "both" });
  assertEquals((count.client ?? 0) + (count.server ?? 0), 10);
});

Deno.test("a download closed by the server is whole", () => {
  const simulation = ran({ kind: "bulk", direction: "download", bytes: 300_000, close: "server" });
  assertEquals(simulation.partition.stats.bytesReceived, 3_000_000);
  assertEmpty(simulation);
});

Deno.test("an upload closed by the server is whole", () => {
  const simulation = ran({ kind: "bulk", direction: "upload", bytes: 300_000, close: "server" });
  assertEquals(simulation.partition.tcp.counters.bytesIn, 3_000_000);
  assertEquals(simulation.report().connections.broken, {});
  assertEmpty(simulation);
});

Deno.test("held connections stay for their holding time after the handshake", () => {
  const simulation = built(star({ workload: { holdNs: 2e9 } }));
  simulation.run({ untilNs: 2e9 });
  assertEquals(simulation.report().connections.open, 10);
  simulation.run({ untilNs: 2.1e9 });
  assertEquals(simulation.report().connections.open, 0);
});

Deno.test("exponential holding times have their mean", () => {
  const simulation = built(star({
    workload: { connections: 4000, holdNs: 1e9, holdDistribution: "exponential" },
  }));
  let openSeconds = 0;
  for (let ns = 0; ns < 12e9; ns += 1e7) {
    simulation.run({ untilNs: ns });
    openSeconds += simulation.progress().open / 100;
  }
  assertEquals(simulation.progress().open, 0);
  assert(Math.abs(openSeconds / 4000 - 1) < 4 / Math.sqrt(4000), `${openSeconds / 4000}`);
});

Deno.test("every request is answered, with a pause of thinkNs before the next", () => {
  const simulation = built(star({
    clients: { count: 1 },
    workload: { kind: "request-response", connections: 1, requests: 4, thinkNs: 5e8, requestBytes: 10, replyBytes: 20 },
  }));
  const seen = watch(simulation);
  simulation.run();
  const requests = seen.filter(({ to, length }) => to === "server" && length === 10).map(({ timeNs }) => timeNs);
  const replies = seen.filter(({ to, length }) => to === "clients[0]" && length === 20).map(({ timeNs }) => timeNs);
  assertEquals([requests.length, replies.length], [4, 4]);
  for (let i = 1; i < 4; i++) {
    const pause = requests[i] - replies[i - 1];
    assert(pause >= 5e8 + 3e6 && pause < 5e8 + 3.1e6, `${pause}`);
  }
});

Deno.test("replies larger than the send buffer, and requests too, get through whole", () => {
  const simulation = ran({
    kind: "request-response",
    requests: 3,
    requestBytes: 9_000_000,
    replyBytes: 12_000_000,
    connections: 1,
  });
  assertEquals(simulation.report().connections.repliesCompleted, 3);
  assertEquals(simulation.partition.stats.bytesReceived, 36_000_000);
  assertEquals(simulation.partition.tcp.counters.bytesIn, 63_000_000);
  assertEmpty(simulation);
});

Deno.test("an echo gives back what it got", () => {
  const simulation = ran(
    { kind: "bulk", bytes: 700_000, connections: 3, holdNs: 5e9 },
    { listen: [{ port: 80, service: { kind: "echo" } }] },
  );
  assertEquals(simulation.partition.stats.bytesReceived, 3 * 700_000);
  assertEmpty(simulation);
});

Deno.test("a torrent's peers each meet every other before any twice, and never themselves", () => {
  const simulation = built([
    (n) => n.host("peers", { count: 8, address: "10.0.0.1/24", listen: [{ port: 6881 }] }),
    (n) => n.router("r"),
    (n) => n.link("peers", "r", { delayNs: 1e6 }),
    (n) =>
      n.workload({ name: "swarm", kind: "torrent", from: ["peers"], to: ["peers:6881"], connections: 56, bytes: 100 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  const met = new Set(seen.filter(({ flags, to }) => flags === 2 && to === "r").map(({ src, dst }) => `${src} ${dst}`));
  assertEquals(met.size, 56);
  for (const pair of met) assert(pair.split(" ")[0] !== pair.split(" ")[1]);
  assertEquals(simulation.report().connections.established, 56);
});

Deno.test("peers that connect in turn leave themselves out", () => {
  const simulation = built([
    (n) => n.host("peers", { count: 4, address: "10.0.0.1/24", listen: [{ port: 80 }] }),
    (n) => n.router("r"),
    (n) => n.link("peers", "r", { delayNs: 1e6 }),
    (n) => n.workload({ name: "ring", kind: "hold", from: ["peers"], to: ["peers:80"], connections: 8 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  const met = seen.filter(({ flags, to }) => flags === 2 && to === "r").map(({ src, dst }) => `${src} ${dst}`);
  assertEquals(met.length, 8);
  assert(met.every((pair) => pair.split(" ")[0] !== pair.split(" ")[1]));
});

Deno.test("a bulk flow fills the link", () => {
  const bytes = 20_000_000;
  const rateBps = 1e8;
  const simulation = built([
    (n) => n.host("a", { address: "10.0.0.1" }),
    (n) => n.host("b", { address: "10.0.0.2", listen: [{ port: 80 }] }),
    (n) => n.link("a", "b", { rateBps, delayNs: 5e6 }),
    (n) => n.workload({ name: "flow", kind: "bulk", from: ["a"], to: ["b:80"], connections: 1, bytes }),
  ]);
  simulation.run({ until: () => simulation.partition.tcp.counters.bytesIn >= bytes });
  // The best that headers leave: 1448 of 1500 bytes.
  const best = (bytes * 8 * 1500) / 1448 / rateBps;
  const seconds = simulation.nowNs / 1e9;
  assert(seconds > best && seconds < best * 1.1, `${seconds} s, at best ${best} s`);
});

Deno.test("bulk transfers beyond 2^31 and 2^32 bytes are counted right", () => {
  for (const direction of ["upload", "download"] as const) {
    const bytes = 5 * 2 ** 30 + 12_345;
    const simulation = built(
      star({ clients: { count: 1 }, workload: { kind: "bulk", direction, bytes, connections: 1 } }),
    );
    simulation.run({ untilNs: 2e8 });
    const { tcp } = simulation.partition;
    // What an end has still to move: blocks of 2^30 above the state's four bits, and a rest.
    const left = (c: number, field: number) => {
      const at = c * WARM.STRIDE;
      return (tcp.warm[at + WARM.APP_STATE] >>> 4) * 2 ** 30 + tcp.warm[at + field];
    };
    const lefts = [1, 2].flatMap((c) => [left(c, WARM.APP_DATA), left(c, WARM.APP_DATA2)]);
    const moved = tcp.counters.bytesIn;
    assert(moved > 1e6);
    assert(lefts.some((rest) => bytes - rest >= moved && bytes - rest - moved < 16e6), `${lefts} ${moved}`);
  }
});
