import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Network } from "../../src/network/network.ts";
import type { NatOptions } from "../../src/network/options.ts";
import type { PortAllocation } from "../../src/transport/profile.ts";
import { foretold, type Refusals, run } from "./capacity_support.ts";

/** Behind a NAT or not; counts small enough that every limit can bind. */
interface Case {
  hosts: number;
  ports: number;
  allocation: PortAllocation;
  servers: number;
  serverPorts: number;
  clientFiles: number;
  serverFiles: number;
  nat: {
    addresses: number;
    ports: number;
    mapping: NatOptions["mapping"];
    overloading: boolean;
    pooling: NatOptions["pooling"];
    assignment: NatOptions["portAssignment"];
    quotaSessions: number;
    quotaPorts: number;
    sharing: "pool" | "blocks" | "deterministic";
    blockSize: number;
    perSubscriber: number;
    maxSessions: number;
  } | undefined;
  connections: number;
}

/** 0 stands for no limit, half of the time. */
const limit = (most: number) => fc.oneof(fc.constant(0), fc.integer({ min: 1, max: most }));

const cases: fc.Arbitrary<Case> = fc.record({
  hosts: fc.integer({ min: 1, max: 5 }),
  ports: fc.integer({ min: 4, max: 40 }),
  allocation: fc.constantFrom<PortAllocation>("linux", "rfc6056-1", "rfc6056-3", "rfc6056-4", "host-wide"),
  servers: fc.integer({ min: 1, max: 3 }),
  serverPorts: fc.integer({ min: 1, max: 2 }),
  clientFiles: limit(60),
  serverFiles: limit(60),
  nat: fc.option(
    fc.record({
      addresses: fc.integer({ min: 1, max: 3 }),
      ports: fc.integer({ min: 6, max: 40 }),
      mapping: fc.constantFrom<NatOptions["mapping"]>("address-and-port-dependent", "endpoint-independent"),
      overloading: fc.boolean(),
      pooling: fc.constantFrom<NatOptions["pooling"]>("paired", "arbitrary"),
      assignment: fc.constantFrom<NatOptions["portAssignment"]>("preservation", "sequential", "random"),
      quotaSessions: limit(30),
      quotaPorts: limit(30),
      sharing: fc.constantFrom("pool", "pool", "blocks", "deterministic"),
      blockSize: fc.integer({ min: 1, max: 6 }),
      perSubscriber: fc.integer({ min: 1, max: 4 }),
      maxSessions: limit(80),
    }),
    { nil: undefined },
  ),
  connections: fc.integer({ min: 1, max: 200 }),
});

/** The network of a case: every host holds connections to every port of every server in turn. */
function build(c: Case, connections: number): Network {
  const network = new Network({ seed: 3 });
  network.host("clients", {
    count: c.hosts,
    address: "10.0.0.2/24",
    maxFiles: c.clientFiles === 0 ? undefined : c.clientFiles,
    profile: { ephemeralPortLow: 40000, ephemeralPortHigh: 40000 + c.ports - 1, portAllocation: c.allocation },
  });
  const listen = Array.from({ length: c.serverPorts }, (_, k) => ({ port: 80 + k }));
  network.host("servers", {
    count: c.servers,
    address: "192.0.2.1/24",
    // (It needs some for its listening ports.)
    maxFiles: c.serverFiles === 0 ? undefined : c.serverFiles + c.serverPorts,
    listen,
  });
  network.router("core");
  network.link("core", "servers", { delayNs: 1e6 });
  if (c.nat === undefined) network.link("clients", "core", { delayNs: 1e6 });
  else {
    const { nat } = c;
    const shares = nat.sharing === "pool" || (nat.sharing === "deterministic" && c.hosts > nat.ports);
    const strict = nat.mapping === "address-and-port-dependent";
    network.nat("gateway", {
      address: "203.0.113.1/24",
      pool: { first: "203.0.113.1", count: nat.addresses },
      portLow: 2000,
      portHigh: 2000 + nat.ports - 1,
      mapping: nat.mapping,
      overloading: nat.overloading && strict && nat.sharing === "pool",
      pooling: nat.pooling,
      portAssignment: nat.assignment,
      quotaSessions: nat.quotaSessions === 0 ? undefined : nat.quotaSessions,
      quotaPorts: nat.quotaPorts === 0 ? undefined : nat.quotaPorts,
      maxSessions: nat.maxSessions === 0 ? undefined : nat.maxSessions,
      blocks: nat.sharing === "blocks" ? { size: nat.blockSize, perSubscriber: nat.perSubscriber } : undefined,
      deterministic: shares || nat.sharing === "blocks" ? undefined : { first: "10.0.0.2", count: c.hosts },
      onRefusal: "icmp",
    });
    network.link("clients", "gateway", { delayNs: 1e6 });
    network.link("gateway", "core", { delayNs: 1e6 });
  }
  network.workload({
    name: "load",
    kind: "hold",
    from: ["clients"],
    to: listen.map(({ port }) => `servers:${port}`),
    connections,
    // Further apart than anything takes, so that each finds what the one before has left.
    arrivals: { kind: "rate", perSecond: 50 },
  });
  return network;
}

/** A server that has no file for a connection is waited for: one refusal, however many wait. */
function counted(refusals: Refusals[]): Refusals[] {
  return refusals.filter(({ limit }) => limit !== "accept-queue")
    .map((one) => one.limit === "files" && one.node === "servers" ? { ...one, refused: 1 } : one);
}

Deno.test("what is foretold to be refused by each limit is what a run refuses, wherever the arithmetic is exact", () => {
  let bound = 0;
  fc.assert(
    fc.property(cases, (c) => {
      const network = build(c, c.connections);
      const report = network.capacity();
      const found = counted(run(network));
      if (report.holds) assertEquals(found, [], "nothing is refused where everything holds");
      if (!report.limits.every(({ exact, limit }) => exact || limit === "accept-queue")) return;
      assertEquals(found, counted(foretold(report)));
      if (found.length > 0) bound++;
    }),
    { seed: 11, numRuns: 400 },
  );
  assert(bound > 80, `limits bound in ${bound} cases`);
});

Deno.test("the first refusal is that of connection number ceiling + 1", () => {
  let bound = 0;
  fc.assert(
    fc.property(cases, (c) => {
      const { binds } = build(c, c.connections).capacity();
      if (binds === null || !binds.exact || binds.ceiling === null) return;
      assertEquals(binds.firstRefused?.connection, binds.ceiling + 1);
      assertEquals(run(build(c, binds.ceiling)), []);
      assertEquals(counted(run(build(c, binds.ceiling + 1))), [{ limit: binds.limit, node: binds.node, refused: 1 }]);
      bound++;
    }),
    { seed: 12, numRuns: 200 },
  );
  assert(bound > 50, `limits bound in ${bound} cases`);
});

Deno.test("a ceiling is the same however many connections are declared", () => {
  fc.assert(
    fc.property(cases, (c) => {
      const few = build(c, 1).capacity();
      const more = build(c, c.connections).capacity();
      for (const limit of more.limits) {
        const other = few.limits.find((one) => {
          return one.limit === limit.limit && one.node === limit.node && one.unit === limit.unit;
        });
        if (!limit.exact || other === undefined || !other.exact) continue;
        assertEquals([limit.limit, other.ceiling], [limit.limit, limit.ceiling]);
      }
    }),
    { seed: 13, numRuns: 200 },
  );
});
