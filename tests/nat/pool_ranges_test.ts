import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { blocks, gatewayStats, type NatProfileOptions } from "../../src/nat/nat.ts";
import { PoolRanges } from "../../src/nat/pool_ranges.ts";
import { at, Laboratory, SECOND, SYN } from "./harness.ts";

Deno.test("places and addresses of a pool of several ranges go back and forth, in the order of the ranges", () => {
  const spans = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 30 })), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(fc.property(spans, fc.infiniteStream(fc.nat()), (spans, draws) => {
    let next = 5;
    const ranges = spans.map(([count, gap]) => {
      const first = next + gap;
      next = first + count;
      return { first, count };
    });
    const shuffled = ranges.map((range) => ({ range, key: draws.next().value })).sort((a, b) => a.key - b.key)
      .map(({ range }) => range);
    const ids = shuffled.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    const pool = new PoolRanges(shuffled);
    assertEquals(pool.count, ids.length);
    assertEquals(ids.map((_, place) => pool.at(place)), ids);
    for (let id = 0; id <= next + 1; id++) assertEquals(pool.placeOf(id), ids.indexOf(id));
  }));
});

/** 203.0.113.9 and .10, then .3: three addresses of 20 ports each. */
function scattered(lab: Laboratory, options: NatProfileOptions): number {
  const range = (first: string, count: number) => ({ first: lab.addresses.internRange(first, count), count });
  const externalRanges = [range("203.0.113.9", 2), range("203.0.113.3", 1)];
  return lab.gateway({ portLow: 3000, portHigh: 3019, udpNs: 100 * SECOND, ...options, externalRanges });
}

const OPTIONS: NatProfileOptions[] = [
  { pooling: "arbitrary" },
  { pooling: "arbitrary", mapping: "endpoint-independent", holdDownNs: 10 * SECOND },
  { pooling: "arbitrary", overloading: true },
  { pooling: "arbitrary", blocks: { size: 5, perSubscriber: 12 } },
  { deterministic: { first: 0x0a000000, count: 3 } },
];

for (const options of OPTIONS) {
  Deno.test(`a pool of scattered addresses is used to its last port, and again: ${JSON.stringify(options)}`, () => {
    const lab = new Laboratory();
    const gw = scattered(lab, options);
    assertEquals(gatewayStats(lab.nat, gw).poolCapacity, 60);
    for (let round = 0; round < 2; round++) {
      const used = new Map<string, number>();
      for (let i = 0; i < 60; i++) {
        const external = at(lab.udp(gw, `10.0.0.${i % 3}:${100 + i}`, "192.0.2.1:53"));
        used.set(external.address, (used.get(external.address) ?? 0) + 1);
      }
      assertEquals([...used].toSorted(), [["203.0.113.10", 20], ["203.0.113.3", 20], ["203.0.113.9", 20]]);
      assert(["pool-empty", "block"].includes(lab.udp(gw, "10.0.0.1:9", "192.0.2.1:53")));
      lab.advance(lab.nowNs + 200 * SECOND);
      assertEquals([lab.nat.sessions.inUse, gatewayStats(lab.nat, gw).pool.udp.portsInUse], [0, 0]);
    }
  });
}

Deno.test("scattered addresses are the gateway's own: hairpins go by each, and what lies between is outside", () => {
  const lab = new Laboratory();
  const gw = scattered(lab, { mapping: "endpoint-independent", filtering: "endpoint-independent" });
  const externals = [1, 2, 3].map((host) => lab.udp(gw, `10.0.0.${host}:5000`, "192.0.2.1:53"));
  assertEquals(externals.map((one) => at(one).address), ["203.0.113.9", "203.0.113.10", "203.0.113.3"]);
  for (const [i, external] of externals.entries()) {
    const { address, port } = at(external);
    const said = lab.out(gw, { protocol: "udp", src: "10.0.0.9", sport: 6000, dst: address, dport: port });
    assert(said.startsWith("hairpin ") && said.endsWith(` > 10.0.0.${i + 1}:5000`), said);
  }
  assert(lab.tcp(gw, "10.0.0.1:1", "203.0.113.4:80", SYN).startsWith("203.0.113.9"));
  const block = scattered(lab, { blocks: { size: 20 } });
  for (const host of [1, 2, 3]) lab.udp(block, `10.0.0.${host}:1`, "192.0.2.1:53");
  assertEquals(blocks(lab.nat, block).map(({ externalAddress }) => lab.addresses.toText(externalAddress)), [
    "203.0.113.9",
    "203.0.113.10",
    "203.0.113.3",
  ]);
});
