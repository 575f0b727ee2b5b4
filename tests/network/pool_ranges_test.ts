/** A gateway whose pool is several ranges of addresses (RFC 6888 REQ-3). */
import { assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import type { NatOptions } from "../../src/network/options.ts";
import { behindNat, workload } from "./support/homes.ts";
import { built } from "./support/networks.ts";
import { assertConserved, assertEmpty, watch } from "./support/probe.ts";

const POOL = [{ first: "203.0.113.1", count: 1 }, { first: "198.18.7.250", count: 2 }, {
  first: "203.0.113.9",
  count: 1,
}];

Deno.test("answers find the way back to every address of a scattered pool, and a full one refuses at its number", () => {
  const simulation = built([
    ...behindNat({ pool: POOL, pooling: "arbitrary", portLow: 2000, portHigh: 2009 }, 5),
    workload({ from: ["lan"], to: ["web:80"], connections: 45, kind: "request-response" }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  const { connections, limits } = simulation.report();
  assertEquals([connections.repliesCompleted, limits[0].limit, limits[0].used, limits[0].capacity], [
    40,
    "nat-pool",
    40,
    40,
  ]);
  const sources = new Set(seen.filter(({ to }) => to === "web").map(({ src }) => src));
  assertEquals([...sources].toSorted(), ["198.18.7.250", "198.18.7.251", "203.0.113.1", "203.0.113.9"]);
  simulation.run({ untilNs: 3600e9, pastQuiescence: true });
  assertConserved(simulation);
  assertEmpty(simulation);
});

Deno.test("a port forward of the last range is reached from outside", () => {
  const forwards: NatOptions["forwards"] = [
    { protocol: "tcp", externalAddress: "203.0.113.9", externalPort: 80, address: "10.0.0.3", port: 8080 },
  ];
  const simulation = built([
    ...behindNat({ pool: POOL, forwards }),
    workload({ from: ["far"], to: ["203.0.113.9:80"] }),
  ]);
  simulation.run();
  assertEquals(simulation.report().connections.established, 1);
});

Deno.test("ranges that cannot be a pool are refused in a sentence", () => {
  const refused = (pool: NatOptions["pool"], count?: number) =>
    assertThrows(() => built(behindNat({ pool, count })), NetworkError).message;
  assertEquals(refused([]), "A pool has at least one address, not none.");
  assertEquals(refused([...POOL, { first: "198.18.7.251", count: 9 }]), "The pool has 198.18.7.251 twice.");
  assertEquals(refused([...POOL, { first: "2001:db8::1", count: 9 }]), "A pool's addresses are of one family.");
  assertEquals(refused(POOL, 2), "A pool of several ranges is that of one gateway, not of a population.");
});
