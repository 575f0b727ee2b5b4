import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Network, NetworkError } from "../../mod.ts";
import type { HostOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, watch } from "./support/probe.ts";

/** attacker, client -- r1 -- server; the client connects a little after the flood has begun. */
function flooded(flood: Partial<WorkloadOptions>, server: Partial<HostOptions> = {}): Step[] {
  const ends = { to: ["server:80"] };
  return [
    (n) => n.host("attacker", { address: "203.0.113.1/24" }),
    (n) => n.host("client", { address: "198.51.100.1/24", profile: { synRetries: 1 } }),
    (n) => n.host("server", { address: "192.0.2.1/24", listen: [{ port: 80, backlog: 32 }], ...server }),
    (n) => n.router("r1"),
    (n) => n.link("attacker", "r1", { delayNs: 1e6 }),
    (n) => n.link("client", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "server", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "flood",
        kind: "syn-flood",
        from: ["attacker"],
        connections: 20_000,
        arrivals: { kind: "poisson", perSecond: 10_000 },
        ...ends,
        ...flood,
      }),
    (n) => {
      const arrivals = { kind: "rate", perSecond: 50, startNs: 5e8 } as const;
      n.workload({ name: "load", kind: "request-response", from: ["client"], connections: 20, ...ends, arrivals });
    },
  ];
}

function ran(steps: Step[], options = {}): Simulation {
  const simulation = built(steps, options);
  simulation.run();
  assertConserved(simulation);
  return simulation;
}

Deno.test("a flood keeps clients out of a server without SYN cookies, and of one with them nobody", () => {
  const without = ran(flooded({}, { profile: { synCookies: 0 } }));
  const { connections, limits } = without.report();
  assert((connections.failed.ETIMEDOUT ?? 0) >= 15, `${connections.failed.ETIMEDOUT}`);
  const queue = limits.find(({ limit, node }) => limit === "syn-queue" && node === "server")!;
  assertEquals([queue.used, queue.capacity], [33, 33]);
  assert(queue.refused > 10_000);
  const cookies = ran(flooded({}, { profile: { synCookies: 1 } }));
  assertEquals(cookies.report().connections.repliesCompleted, 20);
  assert(cookies.partition.tcp.counters.synCookiesSent > 10_000);
});

Deno.test("the addresses that a flood makes up are released again", () => {
  for (const spoof of ["random", "198.18.0.0/15", "10.9.8.0/24"]) {
    const simulation = built(flooded({ spoof }));
    const { addresses } = simulation.partition;
    const before = addresses.blocksInUse;
    simulation.run({ untilNs: 1e9 });
    assert(addresses.blocksInUse > before);
    simulation.run();
    assertEquals(addresses.blocksInUse, before, spoof);
  }
});

Deno.test("made-up addresses come from the prefix, or are unicast addresses of any kind", () => {
  const sources = (spoof: string) => {
    const simulation = built(flooded({ spoof, connections: 3000 }));
    const seen = watch(simulation);
    simulation.run({ untilNs: 4e8 });
    return seen.filter(({ to, flags }) => to === "server" && flags === 2).map(({ src }) => src);
  };
  const prefix = sources("198.18.0.0/15");
  assert(prefix.length > 2000 && prefix.every((address) => /^198\.1[89]\./.test(address)));
  assert(new Set(prefix).size > 0.95 * prefix.length);
  const random = sources("random").map((address) => Number(address.split(".")[0]));
  assert(random.every((first) => first >= 1 && first <= 223 && first !== 127));
  assert(new Set(random).size > 200);
});

Deno.test("IPv6 servers are flooded from an IPv6 prefix", () => {
  const network = new Network({ seed: 1 });
  network.host("attacker", { address: "2001:db8:1::1/64" });
  network.host("server", { address: "2001:db8:2::1/64", listen: [{ port: 80, backlog: 8 }] });
  network.router("r");
  network.link("attacker", "r");
  network.link("r", "server");
  const ends = { from: ["attacker"], to: ["server:80"] };
  network.workload({ name: "f", kind: "syn-flood", spoof: "2001:db8:f::/48", connections: 100, ...ends });
  const simulation = network.build();
  const before = simulation.addresses.blocksInUse;
  const seen = watch(simulation);
  simulation.run();
  const sources = seen.filter(({ to, flags }) => to === "server" && flags === 2).map(({ src }) => src);
  assertEquals(new Set(sources).size, 100);
  assert(sources.every((source) => source.startsWith("2001:db8:f:")));
  assertEquals(simulation.addresses.blocksInUse, before);
});

Deno.test("a host whose address was made up resets what it did not begin", () => {
  const simulation = built(flooded({ spoof: "198.51.100.1/32", connections: 10, arrivals: { kind: "at-once" } }));
  const seen = watch(simulation);
  simulation.run({ untilNs: 1e8 });
  assertEquals(seen.filter(({ from, to, flags }) => from === "client" && to === "r1" && flags === 4).length, 10);
  assertEquals(simulation.partition.tcp.synRows.inUse, 0);
});

Deno.test("half-open connections of a flood take memory, and SYNs beyond it are dropped", () => {
  const simulation = built(flooded({}, {
    memoryBytes: 4096 + 20 * 320,
    listen: [{ port: 80, backlog: 1000 }],
  }));
  simulation.run({ untilNs: 1e9 });
  const memory = simulation.report().limits.find(({ limit }) => limit === "memory")!;
  assertEquals([memory.used, memory.detail], [
    10_496,
    "bytes: 1 socket x 4,096 B + 20 half-open x 320 B = 10,496 B (10.5 kB)",
  ]);
  assert(memory.refused > 1000);
});

Deno.test("neither the order of declaration nor the numbering of rows changes a flood", () => {
  const options = { spoof: "random", connections: 2000 };
  const first = ran(flooded(options));
  fc.assert(
    fc.property(
      fc.shuffledSubarray(flooded(options).map((_, i) => i), { minLength: flooded(options).length }),
      fc.nat(100),
      fc.boolean(),
      (order, skip, reversed) => {
        const steps = flooded(options);
        const simulation = ran(order.map((i) => steps[i]), { numbering: { skip, reversed } });
        assertEquals([simulation.digest, simulation.eventDigest], [first.digest, first.eventDigest]);
      },
    ),
    { numRuns: 5 },
  );
});

Deno.test("what is wrong with a flood is told with its place", () => {
  const refused = (flood: Partial<WorkloadOptions>, subject: string, words: RegExp) => {
    const error = assertThrows(() => built(flooded(flood)), NetworkError);
    assertEquals([error.subject, words.test(error.message)], [subject, true], error.message);
  };
  refused({ spoof: "everywhere" }, "workloads.flood.spoof", /prefix length/);
  refused({ spoof: "2001:db8::/32" }, "workloads.flood.to[0]", /no IPv6 address/);
  refused({ kind: "hold", spoof: "random" }, "workloads.flood.spoof", /Only a syn-flood/);
});
