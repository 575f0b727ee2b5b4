import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  deterministicRange,
  deterministicSubscriber,
  gatewayStats,
  portsPerSubscriber,
  subscribersPerAddress,
} from "../../src/nat/nat.ts";
import { at, Laboratory, SECOND } from "./harness.ts";

/** 10.0.0.0/29 on two addresses with 100 ports each: four share an address, 25 ports each. */
const EIGHT = { portLow: 1000, portHigh: 1099, externalCount: 2, deterministic: { first: 0x0a000000, count: 8 } };

Deno.test("RFC 7422: subscribers share addresses evenly, in order, with equal blocks", () => {
  const plan = { subscribers: 8, addresses: 2, portLow: 1000, portCount: 100 };
  assertEquals([subscribersPerAddress(plan), portsPerSubscriber(plan)], [4, 25]);
  assertEquals(deterministicRange(plan, 0), { address: 0, low: 1000, high: 1024 });
  assertEquals(deterministicRange(plan, 3), { address: 0, low: 1075, high: 1099 });
  assertEquals(deterministicRange(plan, 4), { address: 1, low: 1000, high: 1024 });
  assertEquals(deterministicRange(plan, 8), undefined);
});

Deno.test("the deterministic mapping is a bijection: the reverse function finds the one subscriber of each port", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 0, max: 2000 }),
    fc.integer({ min: 300, max: 5000 }),
    (subscribers, addresses, portLow, portCount) => {
      const plan = { subscribers, addresses, portLow, portCount };
      const owners = new Map<string, number>();
      for (let i = 0; i < subscribers; i++) {
        const range = deterministicRange(plan, i)!;
        assert(range.address < addresses && range.low >= portLow && range.high < portLow + portCount);
        for (const port of [range.low, range.high]) {
          const key = `${range.address}:${port}`;
          assert(!owners.has(key) || range.low === range.high, `${key} is two subscribers'`);
          owners.set(key, i);
          assertEquals(deterministicSubscriber(plan, range.address, port), i);
        }
      }
      // Every port has one owner at most, and it says so itself.
      for (let address = 0; address < addresses; address++) {
        for (let port = portLow; port < portLow + portCount; port += 37) {
          const owner = deterministicSubscriber(plan, address, port);
          if (owner < 0) continue;
          const range = deterministicRange(plan, owner)!;
          assertEquals(range.address, address);
          assert(port >= range.low && port <= range.high);
        }
      }
      assertEquals(deterministicSubscriber(plan, addresses, portLow), -1);
      assertEquals(deterministicSubscriber(plan, 0, portLow - 1), -1);
    },
  ));
});

for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
  Deno.test(`a gateway gives each subscriber the ports that the computation says, whoever comes first (${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...EIGHT, mapping, portAssignment: "random" });
    const plan = { subscribers: 8, addresses: 2, portLow: 1000, portCount: 100 };
    for (const host of [5, 0, 7, 2]) {
      const range = deterministicRange(plan, host)!;
      for (let i = 0; i < 25; i++) {
        const external = at(lab.udp(gw, `10.0.0.${host}:${i + 1}`, "192.0.2.1:53"));
        assertEquals(external.address, `203.0.113.${1 + range.address}`);
        assert(external.port >= range.low && external.port <= range.high);
      }
      assertEquals(lab.udp(gw, `10.0.0.${host}:99`, "192.0.2.1:53"), "block");
    }
  });
}

Deno.test("who is no subscriber of a deterministic NAT is refused by that name", () => {
  const lab = new Laboratory();
  const gw = lab.gateway(EIGHT);
  assertEquals(lab.udp(gw, "10.0.0.8:5000", "192.0.2.1:53"), "not-subscriber");
  assertEquals(lab.udp(gw, "9.255.255.255:5000", "192.0.2.1:53"), "not-subscriber");
  assertEquals(gatewayStats(lab.nat, gw).refusals["not-subscriber"]?.count, 2);
});

Deno.test("a deterministic NAT logs nothing, and its blocks go with their last port", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...EIGHT, log: "blocks", udpNs: 10 * SECOND });
  lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:53");
  assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 1);
  lab.advance(10 * SECOND);
  const { blocks, log } = gatewayStats(lab.nat, gw);
  assertEquals([blocks?.inUse, blocks?.capacity, log.records], [0, 8, 0]);
});
