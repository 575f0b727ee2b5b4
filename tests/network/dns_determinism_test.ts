import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { built, type Step } from "./support/networks.ts";

/** Homes behind NATs ask two resolvers for names of two zones, over lossy links; peers exchange datagrams. */
function crowd(): Step[] {
  const nat = {
    count: 4,
    address: "203.0.113.1/24",
    insideAddress: "192.168.1.1",
    mapping: "endpoint-independent",
  } as const;
  return [
    (n) =>
      n.host("laptops", { address: "192.168.1.2/24", count: 16, resolver: { servers: ["isp", "ns"], timeoutNs: 1e9 } }),
    (n) => n.nat("homes", nat),
    (n) => n.router("core"),
    (n) => n.host("isp", { address: "198.51.100.1/24", dns: { forward: "ns", forwardOrder: "random" } }),
    (n) =>
      n.host("ns", {
        address: "192.0.2.53/24",
        dns: {
          ttlNs: 1e9,
          order: "random",
          records: {
            "www.example.com": ["web"],
            "img.example.com": { alias: "www.example.com" },
            "api.example.org": { addresses: ["web[0..1]"], order: "rotate", ttlNs: 0 },
          },
        },
      }),
    (n) => n.host("web", { count: 3, address: "192.0.2.1/24", listen: [{ port: 443 }, { port: 9, protocol: "udp" }] }),
    (n) => n.link("laptops", "homes", { delayNs: 3e5, jitterNs: 2e5 }),
    (n) => n.link("homes", "core", { delayNs: 4e6, loss: 0.05, duplicate: 0.02, reorder: 0.05 }),
    (n) => n.link("core", "isp", { delayNs: 1e6 }),
    (n) => n.link("core", "ns", { delayNs: 1e6, loss: 0.1 }),
    (n) => n.link("core", "web", { rateBps: 1e8, delayNs: 1e5 }),
    (n) =>
      n.workload({
        name: "pages",
        kind: "request-response",
        from: ["laptops"],
        to: ["img.example.com:443", "api.example.org:443", "nosuch.example.com:443"],
        connections: 120,
        arrivals: { kind: "poisson", perSecond: 60 },
      }),
    (n) =>
      n.workload({
        name: "swarm",
        kind: "torrent",
        transport: "udp",
        from: ["laptops"],
        to: ["web:9", "www.example.com:9"],
        connections: 60,
        requests: 2,
        retries: 3,
        timeoutNs: 5e8,
        arrivals: { kind: "poisson", perSecond: 60 },
      }),
    (n) =>
      n.workload({
        name: "lookups",
        kind: "dns",
        from: ["laptops"],
        to: ["www.example.com", "api.example.org"],
        connections: 50,
        arrivals: { kind: "rate", perSecond: 30 },
      }),
  ];
}

type Simulation = ReturnType<typeof built>;

function told(simulation: Simulation): unknown[] {
  const { dns, datagrams, targets, connections, simulatedSeconds } = simulation.report();
  return [simulation.digest, simulation.eventDigest, dns, datagrams, targets, connections, simulatedSeconds];
}

function ran(simulation: Simulation): Simulation {
  simulation.run();
  return simulation;
}

Deno.test("neither the order of declaration nor the numbering of rows changes what DNS and datagrams do", () => {
  const first = ran(built(crowd()));
  const { dns, datagrams } = first.report();
  assert(dns.timeouts > 0 && dns.cacheHits > 0 && dns.forwarded > 0 && datagrams.timedOut > 0);
  assertEquals(told(ran(built(crowd()))), told(first));
  fc.assert(
    fc.property(
      fc.shuffledSubarray(crowd().map((_, i) => i), { minLength: crowd().length }),
      fc.nat(300),
      fc.boolean(),
      (order, skip, reversed) => {
        const steps = crowd();
        assertEquals(told(ran(built(order.map((i) => steps[i]), { numbering: { skip, reversed } }))), told(first));
      },
    ),
    { numRuns: 10 },
  );
});

Deno.test("addresses and rows that are in use already change nothing for DNS", () => {
  const simulation = built(crowd());
  const { partition } = simulation;
  for (let i = 0; i < 77; i++) {
    partition.udp.rows.allocate();
    partition.dns!.names.idOf(`a${i}.example.net`);
    partition.dns!.answers.intern([i + 1, i + 2, i + 3, i + 4, i + 5]);
    partition.addresses.intern(`100.64.${i}.7`);
  }
  assertEquals(told(ran(simulation)), told(ran(built(crowd()))));
});

Deno.test("a run with DNS in slices is the same run, and another seed gives another", () => {
  const whole = ran(built(crowd()));
  const sliced = built(crowd());
  for (let ns = 1.7e7; ns < 3e9; ns += 1.7e7) sliced.run({ untilNs: ns });
  sliced.run();
  assertEquals(told(sliced), told(whole));
  assertNotEquals(ran(built(crowd(), { seed: 2 })).digest, whole.digest);
});
