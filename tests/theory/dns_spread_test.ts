/** How evenly the answers of DNS spread connections over a name's addresses. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Network } from "../../src/network/network.ts";
import type { HostOptions } from "../../src/network/options.ts";
import { evenly, spread } from "./dns_spread.ts";

const anyCase = fc.record({
  addresses: fc.integer({ min: 1, max: 12 }),
  clients: fc.integer({ min: 1, max: 60 }),
  connections: fc.integer({ min: 1, max: 150 }),
});

const uncached: HostOptions["resolver"] = { servers: ["ns"], cache: false };

Deno.test("round robin without caches: every address gets ⌊N/n⌋ or ⌈N/n⌉ connections, exactly", () => {
  fc.assert(
    fc.property(anyCase, (one) => {
      assertEquals(spread({ ...one, dns: {}, resolver: uncached }), evenly(one.connections, one.addresses));
    }),
    { numRuns: 12 },
  );
});

Deno.test("round robin with a cache at every client: C clients are spread, and each takes all its connections along", () => {
  fc.assert(
    fc.property(anyCase, (one) => {
      const { addresses, clients, connections } = one;
      // Client c asks as the c-th, and has every C-th connection.
      const expected = new Array(addresses).fill(0);
      for (let c = 0; c < clients; c++) expected[c % addresses] += evenly(connections, clients)[c];
      assertEquals(spread({ ...one, dns: {} }), expected);
    }),
    { numRuns: 12 },
  );
});

Deno.test("round robin behind one shared resolver: each TTL's connections go to one address", () => {
  const [addresses, perSecond, ttl] = [5, 100, 2];
  // 12 s of arrivals in six TTLs (a cache knows times to the millisecond, and the way is shorter).
  const found = spread({
    addresses,
    clients: 50,
    connections: 1200,
    dns: { ttlNs: ttl * 1e9 },
    shared: true,
    perSecond,
  });
  const expected = new Array(addresses).fill(0);
  for (let i = 0; i < 1200; i++) expected[Math.floor(i / (ttl * perSecond)) % addresses]++;
  assertEquals(found, expected);
  // One address got two turns of six.
  assert(Math.max(...found) > 1.6 * 1200 / addresses);
});

Deno.test("a random order: the counts are multinomial, their χ² within its quantiles for any seed", () => {
  // χ² of n - 1 degrees of freedom exceeds (n - 1) + 4.5 √(2 (n - 1)) + 10 with a probability below 10^-5 (Laurent and
  // Massart 2000, lemma 1: 2 √((n-1) x) + 2 x at x = 11.5 is a bound for n up to 12; the numbers here are above it).
  const bound = (n: number) => n - 1 + 2 * Math.sqrt((n - 1) * 11.5) + 23;
  const sums: number[] = [];
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 10 }), fc.nat(1e6), (addresses, seed) => {
      const connections = 400;
      const found = spread({ addresses, clients: 40, connections, dns: { order: "random" }, resolver: uncached, seed });
      const even = connections / addresses;
      const chi = found.reduce((sum, count) => sum + (count - even) ** 2 / even, 0);
      assert(chi < bound(addresses), `${chi} of ${found}`);
      sums.push(chi / (addresses - 1));
    }),
    { numRuns: 12 },
  );
  // And it is random: evener than chance would not be right either.
  assert(sums.reduce((a, b) => a + b, 0) / sums.length > 0.2, `${sums}`);
});

Deno.test("a random order with caches is as coarse as its clients: the variance is C times a client's share squared", () => {
  // Over seeds, Var(count) = C (1/n) (1 - 1/n) (N/C)². 60 runs: the estimate is within 40% with 4 sigma to spare.
  const [addresses, clients, connections] = [4, 20, 200];
  const counts: number[] = [];
  for (let seed = 1; seed <= 60; seed++) {
    counts.push(...spread({ addresses, clients, connections, dns: { order: "random" }, seed }));
  }
  const even = connections / addresses;
  const variance = counts.reduce((sum, count) => sum + (count - even) ** 2, 0) / counts.length;
  const expected = clients * (1 / addresses) * (1 - 1 / addresses) * (connections / clients) ** 2;
  assert(Math.abs(variance / expected - 1) < 0.45, `${variance} for ${expected}`);
});

Deno.test("a cache is asked anew once in 1 + λT of a Poisson stream's lookups", () => {
  for (const [perSecond, ttl, lookups] of [[10, 2, 400], [3, 5, 250]]) {
    const runs = 25;
    let queries = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const network = new Network({ seed });
      network.host("ns", {
        address: "192.0.2.53/24",
        dns: { records: { "www.example.com": ["192.0.2.1"] }, ttlNs: ttl * 1e9 },
      });
      network.host("client", { address: "192.0.2.2/24", resolver: "ns" });
      network.link("ns", "client", { delayNs: 1e3 });
      const arrivals = { kind: "poisson", perSecond } as const;
      network.workload({
        name: "names",
        kind: "dns",
        from: ["client"],
        to: ["www.example.com"],
        connections: lookups,
        arrivals,
      });
      const simulation = network.build();
      simulation.run();
      queries += simulation.report().dns.queries;
    }
    // A renewal process: from one question to the next it is 1 + Poisson(λT) lookups (mean m, variance λT), so that of n
    // there are n/m + (λT + m² - m) / 2m² questions on the average, with a variance of n λT / m³. Within 4 sigma.
    const mean = 1 + perSecond * ttl;
    const expected = lookups / mean + (perSecond * ttl + mean * mean - mean) / (2 * mean * mean);
    const sigma = Math.sqrt(lookups * perSecond * ttl / mean ** 3 / runs);
    assert(Math.abs(queries / runs - expected) < 4 * sigma, `${queries / runs} for ${expected}, sigma ${sigma}`);
  }
});
