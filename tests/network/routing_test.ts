import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Simulation } from "../../src/network/simulation.ts";
import { DROP } from "../../src/network/drops.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, hops, type Seen, send, watch } from "./support/probe.ts";

/** The nodes on the way of a ping and of its answer. */
function path(simulation: Simulation, from: string, dst: string, src?: string): string[] {
  const seen = watch(simulation);
  send(simulation, { from, dst, src });
  simulation.run();
  return hops(seen);
}

/** Routers r0 … and a host on each, joined as `edges` say. */
function routers(count: number, edges: [number, number, number?][]): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < count; i++) {
    steps.push((n) => n.router(`r${i}`));
    steps.push((n) => n.host(`h${i}`, { address: `10.0.${i}.1` }));
    steps.push((n) => n.link(`h${i}`, `r${i}`, { delayNs: 1000 }));
  }
  for (const [a, b, delayNs] of edges) steps.push((n) => n.link(`r${a}`, `r${b}`, { delayNs: delayNs ?? 1000 }));
  return steps;
}

Deno.test("around a ring packets take the shorter way", () => {
  const ring = routers(5, [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]);
  assertEquals(path(built(ring), "h0", "10.0.2.1"), ["r0", "r1", "r2", "h2", "r2", "r1", "r0", "h0"]);
  assertEquals(path(built(ring), "h0", "10.0.3.1"), ["r0", "r4", "r3", "h3", "r3", "r4", "r0", "h0"]);
});

Deno.test("in a full mesh every host is two routers away", () => {
  const edges: [number, number][] = [];
  for (let a = 0; a < 5; a++) for (let b = 0; b < a; b++) edges.push([b, a]);
  for (let b = 1; b < 5; b++) {
    assertEquals(path(built(routers(5, edges)), "h0", `10.0.${b}.1`).slice(0, 3), ["r0", `r${b}`, `h${b}`]);
  }
});

Deno.test("in any connected network every host reaches every other by a shortest path", () => {
  const networks = fc.integer({ min: 2, max: 7 }).chain((count) =>
    fc.tuple(
      fc.constant(count),
      fc.array(fc.nat(1e6), { minLength: count - 1, maxLength: count - 1 }),
      fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 6 }),
    )
  );
  fc.assert(
    fc.property(networks, ([count, parents, extra]) => {
      const edges = new Map<string, [number, number]>();
      for (let i = 1; i < count; i++) edges.set(`${parents[i - 1] % i}-${i}`, [parents[i - 1] % i, i]);
      for (const [a, b] of extra) if (a < b) edges.set(`${a}-${b}`, [a, b]);
      const simulation = built(routers(count, [...edges.values()]));
      const distance = Array.from(
        { length: count },
        (_, i) => Array.from({ length: count }, (_, j): number => i === j ? 0 : 99),
      );
      for (const [a, b] of edges.values()) distance[a][b] = distance[b][a] = 1;
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < count; i++) {
          for (let j = 0; j < count; j++) {
            distance[i][j] = Math.min(distance[i][j], distance[i][k] + distance[k][j]);
          }
        }
      }
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < count; j++) {
          if (i === j) continue;
          const before = simulation.partition.hops;
          send(simulation, { from: `h${i}`, dst: `10.0.${j}.1` });
          simulation.run();
          assertEquals(simulation.partition.hops - before, 2 * (distance[i][j] + 2));
        }
      }
      assertConserved(simulation);
    }),
    { numRuns: 40 },
  );
});

Deno.test("of ways with as many hops the faster is taken, each direction by its own delays", () => {
  const steps = [
    ...routers(4, [[0, 1, 5000], [1, 3, 1000], [0, 2, 2000], [2, 3, 1000]]),
  ];
  assertEquals(path(built(steps), "h0", "10.0.3.1").slice(0, 3), ["r0", "r2", "r3"]);
  const asymmetric: Step[] = [
    ...routers(4, [[1, 3], [2, 3]]),
    (n) => n.link("r0", "r1", { delayNs: 1000, reverse: { delayNs: 9000 } }),
    (n) => n.link("r0", "r2", { delayNs: 2000, reverse: { delayNs: 500 } }),
  ];
  assertEquals(path(built(asymmetric), "h0", "10.0.3.1"), ["r0", "r1", "r3", "h3", "r3", "r2", "r0", "h0"]);
});

Deno.test("of parallel links the faster is taken, of equal ones the first by name, in any order of declaration", () => {
  const parallel = (names: [string, number][]): Step[] => [
    ...routers(2, []),
    ...names.map(([name, delayNs]): Step => (n) => n.link("r0", "r1", { name, delayNs })),
  ];
  const timeOf = (steps: Step[]) => {
    const simulation = built(steps);
    send(simulation, { from: "h0", dst: "10.0.1.1" });
    simulation.run();
    return [simulation.nowNs, simulation.digest];
  };
  assertEquals(timeOf(parallel([["slow", 50], ["fast", 7]]))[0], 4000 + 14);
  assertEquals(timeOf(parallel([["x", 9], ["b", 9]])), timeOf(parallel([["b", 9], ["x", 9]])));
});

Deno.test("populations reach populations over routers of their own", () => {
  const simulation = built([
    (n) => n.host("clients", { count: 12, address: "10.0.0.5/24" }),
    (n) => n.router("edges", { count: 3 }),
    (n) => n.router("core"),
    (n) => n.host("servers", { count: 6, address: "192.0.2.250/20" }),
    (n) => n.link("clients", "edges"),
    (n) => n.link("edges", "core"),
    (n) => n.link("core", "servers"),
  ]);
  for (let i = 0; i < 12; i++) {
    for (let j = 0; j < 6; j++) {
      const seen = watch(simulation);
      const low = 250 + j;
      send(simulation, { from: `clients[${i}]`, dst: `192.0.${2 + (low >> 8)}.${low & 255}` });
      simulation.run();
      const edge = `edges[${Math.floor(i / 4)}]`;
      assertEquals(hops(seen), [edge, "core", `servers[${j}]`, "core", edge, `clients[${i}]`]);
    }
  }
});

Deno.test("parts of a population hang where their links say", () => {
  const simulation = built([
    (n) => n.host("clients", { count: 6, address: "10.0.0.1/24" }),
    (n) => n.router("a"),
    (n) => n.router("b"),
    (n) => n.link("clients[0..1]", "a"),
    (n) => n.link("clients[2]", "b"),
    (n) => n.link("clients[3..5]", "a", { name: "more" }),
    (n) => n.link("a", "b"),
  ]);
  assertEquals(path(simulation, "clients[0]", "10.0.0.3").slice(0, 3), ["a", "b", "clients[2]"]);
  assertEquals(path(simulation, "clients[2]", "10.0.0.6").slice(0, 3), ["b", "a", "clients[5]"]);
});

Deno.test("hosts with a link between them need no router", () => {
  const simulation = built([
    (n) => n.host("a", { address: "10.0.0.1", extraAddresses: ["10.9.9.9"] }),
    (n) => n.host("b", { address: "192.0.2.1" }),
    (n) => n.link("a", "b", { delayNs: 5 }),
  ]);
  assertEquals(path(simulation, "b", "10.9.9.9"), ["a", "b"]);
});

Deno.test("a host with several links is reached over the nearest, sends over the nearest, and forwards nothing", () => {
  const steps: Step[] = [
    ...routers(4, [[0, 1], [2, 3]]),
    (n) => n.host("multi", { address: "10.1.0.1", extraAddresses: ["10.2.0.1"] }),
    (n) => n.link("multi", "r1"),
    (n) => n.link("multi", "r2"),
  ];
  assertEquals(path(built(steps), "h0", "10.1.0.1").slice(0, 3), ["r0", "r1", "multi"]);
  assertEquals(path(built(steps), "h3", "10.2.0.1").slice(0, 3), ["r3", "r2", "multi"]);
  assertEquals(path(built(steps), "multi", "10.0.3.1").slice(0, 3), ["r2", "r3", "h3"]);
  // h0 and h3 are joined by the host alone.
  const simulation = built(steps);
  send(simulation, { from: "h0", dst: "10.0.3.1" });
  simulation.run();
  assertEquals(simulation.partition.dropped[DROP.NO_ROUTE], 1);
});

Deno.test("routers with addresses answer pings, also from afar and past hosts with several links", () => {
  const steps: Step[] = [
    ...routers(1, []),
    (n) => n.router("x", { address: "10.8.0.1" }),
    (n) => n.router("y", { address: "10.8.0.2" }),
    (n) => n.host("multi", { address: "10.1.0.1" }),
    (n) => n.link("r0", "x"),
    (n) => n.link("multi", "x"),
    (n) => n.link("multi", "y"),
    (n) => n.link("x", "y"),
  ];
  assertEquals(path(built(steps), "h0", "10.8.0.2"), ["r0", "x", "y", "x", "r0", "h0"]);
  assertEquals(path(built(steps), "multi", "10.8.0.1"), ["x", "multi"]);
});

/** The ICMP error that comes back to a host, if one does. */
function errorTo(seen: Seen[], host: string): Seen | undefined {
  return seen.find(({ to, quotedSrc }) => to === host && quotedSrc !== "");
}

Deno.test("the router at which the TTL ends says so", () => {
  const steps = routers(4, [[0, 1], [1, 2], [2, 3]]);
  for (const [ttl, stops] of [[1, "r0"], [2, "r1"], [4, "r3"]] as const) {
    const simulation = built(steps);
    const seen = watch(simulation);
    send(simulation, { from: "h0", dst: "10.0.3.1", ttl, protocol: "UDP", sport: 4, dport: 5 });
    simulation.run();
    const last = seen.findLast(({ quotedSrc }) => quotedSrc === "")!;
    assertEquals([last.to, last.ttl], [stops, 1]);
    const error = errorTo(seen, "h0")!;
    assertEquals([error.icmp, error.src, error.quotedDst, error.quotedPorts], [
      0x0b00,
      "192.0.0.8",
      "10.0.3.1",
      0x40005,
    ]);
    assertEquals(simulation.partition.dropped[DROP.TTL], 1);
    assertConserved(simulation);
  }
});

Deno.test("a TTL of as many as there are routers, and one, arrives", () => {
  const simulation = built(routers(4, [[0, 1], [1, 2], [2, 3]]));
  const seen = watch(simulation);
  send(simulation, { from: "h0", dst: "10.0.3.1", ttl: 5 });
  simulation.run();
  assertEquals(seen.find(({ to }) => to === "h3")!.ttl, 1);
});

Deno.test("what no router knows is refused by the first that should, without going round", () => {
  for (const count of [1, 2, 3]) {
    const simulation = built(routers(count, count === 1 ? [] : count === 2 ? [[0, 1]] : [[0, 1], [1, 2]]));
    const seen = watch(simulation);
    send(simulation, { from: "h0", dst: "203.0.113.99" });
    simulation.run();
    assertEquals(errorTo(seen, "h0")!.icmp, 0x0301);
    assert(seen.length <= 2 * count + 2, `${seen.length}`);
    assertEquals(simulation.partition.dropped[DROP.NO_ROUTE], 1);
  }
});

Deno.test("routers tell of IPv6 trouble from an IPv6 address of theirs, or a dummy one", () => {
  for (
    const [address, source] of [["2001:db8:9::1", "2001:db8:9::1"], [undefined, "100:0:0:1::8"], [
      "10.0.0.9",
      "100:0:0:1::8",
    ]]
  ) {
    const simulation = built([
      (n) => n.host("a", { address: "2001:db8::1" }),
      (n) => n.router("r", { address }),
      (n) => n.link("a", "r"),
    ]);
    const seen = watch(simulation);
    send(simulation, { from: "a", dst: "2001:db8:7::7" });
    send(simulation, { from: "a", dst: "2001:db8:7::7", ttl: 1 });
    simulation.run();
    const errors = seen.filter(({ to }) => to === "a");
    assertEquals(errors.map(({ icmp, src, protocol }) => [icmp, src, protocol]), [[0x0103, source, 58], [
      0x0300,
      source,
      58,
    ]]);
    assertConserved(simulation);
  }
});

Deno.test("errors are not answered with errors", () => {
  const simulation = built([
    ...routers(2, [[0, 1]]),
  ]);
  // The error about it cannot get back: its source is known to nobody.
  send(simulation, { from: "h0", src: "203.0.113.1", dst: "203.0.113.2" });
  simulation.run();
  assertEquals(simulation.partition.dropped[DROP.NO_ROUTE], 2);
  assertEquals(simulation.partition.sent, 2);
  assertConserved(simulation);
});

Deno.test("a host refuses what is not for it, and says that it has no such protocol or port", () => {
  const simulation = built(routers(2, [[0, 1]]));
  const seen = watch(simulation);
  send(simulation, { from: "h0", dst: "10.0.1.1", protocol: "UDP", dport: 53 });
  simulation.run();
  assertEquals(errorTo(seen, "h0")!.icmp, 0x0303);
  assertConserved(simulation);
});
