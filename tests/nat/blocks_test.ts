import { assert, assertEquals } from "@std/assert";
import { addForward, blocks, gatewayLimits, gatewayStats, subscribers } from "../../src/nat/nat.ts";
import { at, Laboratory, SECOND } from "./harness.ts";

const BLOCKS = { portLow: 1000, portHigh: 1999, blocks: { size: 10, perSubscriber: 2 }, udpNs: 100 * SECOND } as const;

/** Opens `count` UDP sessions of one host; the external endpoints, or what was said instead. */
function open(lab: Laboratory, gw: number, host: number, count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, i) => lab.udp(gw, `10.0.0.${host}:${from + i}`, "192.0.2.1:53"));
}

for (const portAssignment of ["random", "sequential", "preservation"] as const) {
  Deno.test(`a subscriber fills its first block before it gets a second (${portAssignment})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...BLOCKS, portAssignment });
    const first = open(lab, gw, 1, 10).map((endpoint) => at(endpoint).port);
    assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 1);
    assertEquals(new Set(first).size, 10);
    assertEquals(new Set(first.map((port) => Math.floor(port / 10))).size, 1, "one block");
    const second = open(lab, gw, 1, 10, 11).map((endpoint) => at(endpoint).port);
    assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 2);
    assertEquals(new Set([...first, ...second]).size, 20);
    assertEquals(open(lab, gw, 1, 1, 21), ["block"]);
    assert(at(open(lab, gw, 2, 1)[0]).port > 0, "another subscriber is not concerned");
  });
}

Deno.test("the blocks' limit says what a subscriber had, and when it was first refused", () => {
  const lab = new Laboratory();
  const gw = lab.gateway(BLOCKS);
  open(lab, gw, 1, 13);
  const [pool, block] = gatewayLimits(lab.nat, gw);
  assertEquals([pool.limit, pool.used, pool.capacity, pool.unit], [
    "nat-pool",
    2,
    100,
    "blocks of 10 ports (1 address x ⌊1,000 / 10⌋)",
  ]);
  assertEquals([block.limit, block.used, block.capacity, block.refused], ["nat-block", 13, 20, 0]);
  lab.advance(5 * SECOND);
  open(lab, gw, 1, 9, 14);
  const [, full] = gatewayLimits(lab.nat, gw);
  assertEquals([full.used, full.refused, full.firstHitNs], [20, 2, 5 * SECOND]);
  assertEquals(full.unit, "ports in the blocks of one subscriber (2 blocks x 10 ports)");
});

Deno.test("a block holds the ports of all protocols, each of them once", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, blocks: { size: 4 } });
  open(lab, gw, 1, 4);
  for (let i = 0; i < 4; i++) assert(lab.tcp(gw, `10.0.0.1:${i + 1}`, "192.0.2.1:53").startsWith("203."));
  assertEquals(lab.tcp(gw, "10.0.0.1:9", "192.0.2.1:53"), "block");
  const [block] = blocks(lab.nat, gw);
  assertEquals(block.taken, { tcp: 4, udp: 4, icmp: 0 });
  assertEquals(block.high - block.low, 3);
  assertEquals(lab.addresses.toText(block.subscriber), "10.0.0.1");
});

Deno.test("a block is given back with its last port, and others get it", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, portHigh: 1009, blocks: { size: 10 } });
  open(lab, gw, 1, 2);
  assertEquals(open(lab, gw, 2, 1), ["pool-empty"]);
  lab.advance(60 * SECOND);
  open(lab, gw, 1, 1, 2);
  lab.advance(130 * SECOND);
  assertEquals(open(lab, gw, 2, 1), ["pool-empty"], "one port of it is still in use");
  lab.advance(160 * SECOND);
  assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 0);
  assert(open(lab, gw, 2, 1)[0].startsWith("203."));
});

Deno.test("with hold-down an empty block stays with its subscriber until its last port has rested", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, portHigh: 1009, blocks: { size: 10 }, holdDownNs: 120 * SECOND });
  open(lab, gw, 1, 1);
  lab.advance(100 * SECOND);
  assertEquals(gatewayStats(lab.nat, gw).sessions, 0);
  lab.advance(220 * SECOND - 1);
  assertEquals(open(lab, gw, 2, 1), ["pool-empty"]);
  lab.advance(220 * SECOND);
  assert(open(lab, gw, 2, 1)[0].startsWith("203."));
});

Deno.test("paired pooling takes a subscriber's second block from the same address, arbitrary from any", () => {
  for (const pooling of ["paired", "arbitrary"] as const) {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...BLOCKS, portHigh: 1009, externalCount: 3, pooling });
    const said = open(lab, gw, 1, 11);
    assertEquals(said[10].startsWith("203."), pooling === "arbitrary", said[10]);
    if (pooling === "paired") assertEquals(said[10], "pool-empty");
  }
});

Deno.test("overloading within a block: its ports serve every destination anew", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, blocks: { size: 4 }, overloading: true, portAssignment: "random" });
  for (const server of ["192.0.2.1:53", "192.0.2.2:53", "192.0.2.1:54"]) {
    const ports = [1, 2, 3, 4].map((port) => at(lab.udp(gw, `10.0.0.1:${port}`, server)).port);
    assertEquals(new Set(ports).size, 4);
    assertEquals(lab.udp(gw, "10.0.0.1:5", server), "block");
  }
  assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 1);
  assertEquals(blocks(lab.nat, gw)[0].taken.udp, 12);
  lab.advance(200 * SECOND);
  assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 0);
});

Deno.test("a port forward within a block is not given out, and its port counts for nobody's block", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, portHigh: 1009, blocks: { size: 10 } });
  const internalAddress = lab.addresses.intern("10.0.0.9");
  addForward(lab.nat, gw, { protocol: "udp", externalPort: 1004, internalAddress, internalPort: 80 });
  const ports = open(lab, gw, 1, 9).map((endpoint) => at(endpoint).port);
  assert(!ports.includes(1004));
  assertEquals(new Set(ports).size, 9);
  assertEquals(open(lab, gw, 1, 1, 10), ["block"]);
});

Deno.test("ports past the last whole block are nobody's", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, portHigh: 1024, blocks: { size: 10 } });
  assertEquals(gatewayStats(lab.nat, gw).blocks?.capacity, 2);
  open(lab, gw, 1, 1), open(lab, gw, 2, 1);
  assertEquals(open(lab, gw, 3, 1), ["pool-empty"]);
});

Deno.test("a subscriber's blocks and refusals are told, by reason and since when", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...BLOCKS, blocks: { size: 4 } });
  lab.advance(3 * SECOND);
  open(lab, gw, 1, 6);
  const [subscriber] = subscribers(lab.nat, gw);
  assertEquals([subscriber.blocks, subscriber.blocksPeak, subscriber.ports, subscriber.refused], [1, 1, 4, 2]);
  assertEquals(subscriber.refusals, { block: { count: 2, firstNs: 3 * SECOND } });
});

Deno.test("a block of nothing but port forwards is passed over; the others are given, every one", () => {
  for (const portAssignment of ["sequential", "random"] as const) {
    for (const pooling of ["paired", "arbitrary"] as const) {
      const lab = new Laboratory();
      const gw = lab.gateway({
        blocks: { size: 2 },
        portLow: 1000,
        portHigh: 1005,
        externalCount: 2,
        portAssignment,
        pooling,
      });
      const internalAddress = lab.addresses.intern("10.0.0.99");
      // All of the first address, and the middle of the second.
      const forwarded = [[1, 1000], [1, 1001], [1, 1002], [1, 1003], [1, 1004], [1, 1005], [2, 1002], [2, 1003]];
      for (const [address, externalPort] of forwarded) {
        addForward(lab.nat, gw, {
          protocol: "udp",
          externalAddress: lab.addresses.intern(`203.0.113.${address}`),
          externalPort,
          internalAddress,
          internalPort: externalPort,
        });
      }
      const said = [1, 2, 3].map((host) => lab.udp(gw, `10.0.0.${host}:5000`, "192.0.2.1:53"));
      const ports = said.slice(0, 2).map((external) => at(external));
      assertEquals(ports.map(({ address }) => address), ["203.0.113.2", "203.0.113.2"]);
      assertEquals(ports.map(({ port }) => port >> 1).toSorted(), [500, 502]);
      assertEquals(said[2], "pool-empty");
      // TCP has no port forwards, and the blocks are for all protocols.
      const tcp = [3, 4, 5, 6, 7].map((host) => lab.tcp(gw, `10.0.0.${host}:5000`, "192.0.2.1:80"));
      assertEquals(tcp.filter((one) => one.startsWith("203.")).length, 4);
      assertEquals(gatewayStats(lab.nat, gw).blocks?.inUse, 6);
    }
  }
});
