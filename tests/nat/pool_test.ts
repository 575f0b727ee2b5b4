import { assert, assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import { gatewayLimits, gatewayStats, type NatPortAssignment, portsInUse } from "../../src/nat/nat.ts";
import { at, Laboratory, SECOND, SYN } from "./harness.ts";

Deno.test("port preservation keeps the internal port, and falls back to another when it is taken or out of range", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent" });
  assertEquals(lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80"), "203.0.113.1:5000");
  const second = lab.udp(gw, "10.0.0.2:5000", "192.0.2.1:80");
  assertNotEquals(at(second).port, 5000);
  const low = lab.udp(gw, "10.0.0.1:500", "192.0.2.1:80");
  assertGreater(at(low).port, 1023);
});

Deno.test("sequential assignment counts upwards and around, and past ports in use", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ portAssignment: "sequential", portLow: 100, portHigh: 103, udpNs: 10 * SECOND });
  const next = (i: number) => at(lab.udp(gw, `10.0.0.1:${i}`, "192.0.2.1:80")).port;
  assertEquals([next(1), next(2), next(3)], [100, 101, 102]);
  lab.advance(5 * SECOND);
  next(2);
  lab.advance(12 * SECOND);
  assertEquals(portsInUse(lab.nat, gw), 1);
  assertEquals([next(5), next(6), next(7)], [103, 100, 102]);
  lab.advance(1000 * SECOND);
  assertEquals(next(8), 103, "the cursor outlives the last session");
});

for (const portAssignment of ["preservation", "random"] as const) {
  Deno.test(`ports below 1,024 become such, and others others, while there are some (RFC 4787 REQ-3 a, ${portAssignment})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ portAssignment, portLow: 1004, portHigh: 1043, mapping: "endpoint-independent" });
    const port = (host: number, from: number) => at(lab.udp(gw, `10.0.0.${host}:${from}`, "192.0.2.1:80")).port;
    const low = Array.from({ length: 20 }, (_, i) => port(i % 2, 500 + i));
    assertEquals(low.toSorted(), Array.from({ length: 20 }, (_, i) => 1004 + i));
    const high = Array.from({ length: 10 }, (_, i) => port(i % 2, 1024 + i));
    assert(high.every((one) => one >= 1024));
    // There are none left below: the rest of the pool is used all the same, to its last port.
    const rest = Array.from({ length: 10 }, (_, i) => port(i % 2, 700 + i));
    assertEquals(new Set([...high, ...rest]).size, 20);
    assertEquals(lab.udp(gw, "10.0.0.1:1", "192.0.2.1:80"), "pool-empty");
  });
}

Deno.test("random assignment depends on the seed and the gateway's name, not on its row", () => {
  const draw = (seed: number, name: string, before: number) => {
    const lab = new Laboratory(seed);
    for (let i = 0; i < before; i++) lab.gateway({ name: `other ${i}` });
    const gw = lab.gateway({ name, portAssignment: "random" });
    return [1, 2, 3].map((i) => lab.udp(gw, `10.0.0.1:${i}`, "192.0.2.1:80")).join(" ");
  };
  assertEquals(draw(1, "a", 0), draw(1, "a", 5));
  assertNotEquals(draw(1, "a", 0), draw(2, "a", 0));
  assertNotEquals(draw(1, "a", 0), draw(1, "b", 0));
});

Deno.test("random assignment spreads over the whole range", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ portAssignment: "random" });
  let low = 0;
  for (let i = 0; i < 1000; i++) if (at(lab.udp(gw, `10.0.0.1:${i}`, "192.0.2.1:80")).port < 33280) low++;
  assert(low > 430 && low < 570, `${low} of 1000 in the lower half`);
});

for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
  for (const portAssignment of ["preservation", "sequential", "random"] as NatPortAssignment[]) {
    for (const pooling of ["paired", "arbitrary"] as const) {
      Deno.test(`refusals begin exactly when the pool empties, and freed ports are used again (${mapping}, ${portAssignment}, ${pooling})`, () => {
        const lab = new Laboratory();
        const gw = lab.gateway({
          mapping,
          portAssignment,
          pooling,
          externalCount: 3,
          portLow: 5000,
          portHigh: 5199,
          udpNs: 200 * SECOND,
        });
        const capacity = 600;
        assertEquals(gatewayStats(lab.nat, gw).poolCapacity, capacity);
        // Three subscribers with 200 ports each, so that pairing can use the whole pool.
        const from = (i: number) => `10.0.0.${1 + i % 3}:${4900 + Math.floor(i / 3)}`;
        const seen = new Set<string>();
        for (let i = 0; i < capacity; i++) {
          if (i === 300) lab.advance(100 * SECOND);
          const external = lab.udp(gw, from(i), "192.0.2.1:80");
          assert(external.startsWith("203.0.113."), `${i}: ${external}`);
          seen.add(external);
        }
        assertEquals(seen.size, capacity);
        assertEquals(lab.udp(gw, "10.0.0.1:9", "192.0.2.1:80"), "pool-empty");
        assertEquals(lab.udp(gw, "10.0.0.9:9", "192.0.2.1:80"), "pool-empty");
        const stats = gatewayStats(lab.nat, gw);
        assertEquals(stats.refusals, { "pool-empty": { count: 2, firstNs: 100 * SECOND } });
        assertEquals(stats.pool.udp, { portsInUse: capacity, portsHeld: 0, portsPeak: capacity });
        assertEquals(gatewayLimits(lab.nat, gw), [{
          limit: "nat-pool",
          used: 600,
          capacity: 600,
          firstHitNs: 100 * SECOND,
          refused: 2,
          unit: "external UDP ports (3 addresses x 200 ports, 5,000 to 5,199)",
        }]);
        assertEquals(lab.advance(250 * SECOND), 300);
        for (let i = 0; i < 300; i++) {
          const external = lab.udp(gw, from(i), "192.0.2.1:80");
          assert(external.startsWith("203.0.113."), `again ${i}: ${external}`);
        }
        assertEquals(lab.udp(gw, "10.0.0.2:9", "192.0.2.1:80"), "pool-empty");
        lab.advance(1000 * SECOND);
        assertEquals(portsInUse(lab.nat, gw), 0);
        assertEquals([lab.nat.inside.size, lab.nat.outside.size, lab.nat.mappings.inUse], [0, 0, 0]);
        assertEquals(lab.nat.bitmaps.filter((b) => b !== undefined).length, 0);
      });
    }
  }
}

Deno.test("paired pooling keeps a subscriber on one address, and refuses it when that is full", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ externalCount: 2, portLow: 1, portHigh: 5 });
  const used = new Set<string>();
  for (let i = 0; i < 5; i++) used.add(at(lab.tcp(gw, `10.0.0.1:${i}`, "192.0.2.1:80")).address);
  assertEquals(used.size, 1);
  assertEquals(lab.tcp(gw, "10.0.0.1:9", "192.0.2.1:80"), "pool-empty");
  const other = at(lab.tcp(gw, "10.0.0.2:1", "192.0.2.1:80")).address;
  assertEquals(used.has(other), false, "pairings go around the pool");
});

Deno.test("arbitrary pooling takes the pool's addresses in turn", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ externalCount: 3, pooling: "arbitrary" });
  const addresses = [1, 2, 3, 4].map((i) => at(lab.tcp(gw, `10.0.0.1:${i}`, "192.0.2.1:80")).address);
  assertEquals(addresses, ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.1"]);
});

Deno.test("with overloading the pool is as large as the range towards every destination", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ overloading: true, portLow: 3000, portHigh: 3299 });
  for (const destination of ["192.0.2.1:80", "192.0.2.1:81", "192.0.2.2:80"]) {
    const seen = new Set<string>();
    for (let i = 0; i < 300; i++) seen.add(lab.tcp(gw, `10.0.0.${i % 7}:${3000 + i}`, destination));
    assertEquals(seen.size, 300);
    assertEquals(lab.tcp(gw, "10.0.0.1:9", destination), "pool-empty");
  }
  assertEquals(gatewayLimits(lab.nat, gw)[0].used, 300);
  assertEquals(gatewayLimits(lab.nat, gw)[0].refused, 3);
  lab.advance(1e12);
  assertEquals([lab.nat.spaces.inUse, lab.nat.crowdedSpaces], [0, 0]);
  assertEquals(lab.tcp(gw, "10.0.0.1:3000", "192.0.2.1:80"), "203.0.113.1:3000");
});

for (const pooling of ["paired", "arbitrary"] as const) {
  for (const ports of [20, 300]) {
    Deno.test(`with overloading a pool of several addresses is full towards one destination alone (${pooling}, ${ports} ports)`, () => {
      const lab = new Laboratory();
      const range = { portLow: 3000, portHigh: 2999 + ports };
      const gw = lab.gateway({ overloading: true, externalCount: 5, pooling, ...range, udpNs: 100 * SECOND });
      const fill = (destination: string) => {
        const seen = new Set<string>();
        // (Five subscribers, so that pairing can use the whole pool.)
        for (let i = 0; i < 5 * ports; i++) {
          seen.add(lab.udp(gw, `10.0.0.${i % 5}:${2900 + Math.floor(i / 5)}`, destination));
        }
        assertEquals(seen.size, 5 * ports);
        for (const client of [1, 9]) assertEquals(lab.udp(gw, `10.0.0.${client}:9`, destination), "pool-empty");
      };
      fill("192.0.2.1:80");
      fill("192.0.2.1:81");
      lab.advance(50 * SECOND);
      const kept = lab.udp(gw, "10.0.0.3:2905", "192.0.2.1:80");
      lab.advance(120 * SECOND);
      assertEquals(portsInUse(lab.nat, gw), 1);
      assertEquals(lab.udp(gw, "10.0.0.3:2905", "192.0.2.1:80"), kept);
      for (let i = 0; i < 5 * (ports - 1); i++) {
        assert(lab.udp(gw, `10.0.${1 + i % 5}.3:${i}`, "192.0.2.1:80").startsWith("203."), `again ${i}`);
      }
      lab.advance(1000 * SECOND);
      assertEquals([lab.nat.spaces.inUse, lab.nat.crowdedSpaces, lab.nat.freeBitmaps.length], [
        0,
        0,
        lab.nat.bitmaps.length - 1,
      ]);
    });
  }
}

Deno.test("a session quota refuses the subscriber that reached it, and nobody else", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ quotaSessions: 3 });
  for (let i = 0; i < 3; i++) lab.tcp(gw, `10.0.0.1:${5000 + i}`, "192.0.2.1:80");
  lab.advance(SECOND);
  assertEquals(lab.tcp(gw, "10.0.0.1:6000", "192.0.2.1:80"), "quota");
  assertEquals(lab.tcp(gw, "10.0.0.2:6000", "192.0.2.1:80"), "203.0.113.1:6000");
  assertEquals(lab.tcp(gw, "10.0.0.1:5000", "192.0.2.1:80"), "203.0.113.1:5000", "an old session goes on");
  assertEquals(gatewayLimits(lab.nat, gw)[1], {
    limit: "nat-quota",
    used: 3,
    capacity: 3,
    firstHitNs: SECOND,
    refused: 1,
    unit: "sessions of one subscriber",
  });
  lab.advance(300 * SECOND);
  assertEquals(lab.tcp(gw, "10.0.0.1:6000", "192.0.2.1:80"), "203.0.113.1:6000");
});

Deno.test("a port quota counts external ports, not sessions", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent", quotaPorts: 2 });
  for (let i = 0; i < 9; i++) assertEquals(lab.udp(gw, "10.0.0.1:5000", `192.0.2.1:${i + 1}`), "203.0.113.1:5000");
  assertEquals(lab.udp(gw, "10.0.0.1:5001", "192.0.2.1:80"), "203.0.113.1:5001");
  assertEquals(lab.tcp(gw, "10.0.0.1:5002", "192.0.2.1:80", SYN), "quota");
  assertEquals(gatewayLimits(lab.nat, gw)[1].used, 2);
});
