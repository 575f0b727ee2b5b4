import { assert, assertEquals } from "@std/assert";
import type { LinkOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { DROP } from "../../src/network/drops.ts";
import { built, star, type Step } from "./support/networks.ts";
import { assertConserved, send, watch } from "./support/probe.ts";

/** a -- r -- b. */
function line(first: LinkOptions = {}, second: LinkOptions = {}, family: 4 | 6 = 4): Step[] {
  const [a, b] = family === 4 ? ["10.0.0.1", "10.0.1.1"] : ["2001:db8::1", "2001:db8:1::1"];
  return [
    (n) => n.host("a", { address: a }),
    (n) => n.router("r"),
    (n) => n.host("b", { address: b, listen: [{ port: 80 }] }),
    (n) => n.link("a", "r", first),
    (n) => n.link("r", "b", second),
  ];
}

function times(simulation: Simulation): [string, number][] {
  const seen = watch(simulation);
  simulation.run();
  return seen.map(({ to, timeNs }) => [to, timeNs]);
}

Deno.test("a ping takes serialization and propagation on each link, each way", () => {
  const simulation = built(line({ rateBps: 8e9, delayNs: 1000 }, { rateBps: 8e6, delayNs: 5 }));
  send(simulation, { from: "a", dst: "10.0.1.1", length: 72 });
  // 100 bytes: 100 ns, then 100 µs, and back.
  assertEquals(times(simulation), [["r", 1100], ["b", 101_105], ["r", 201_110], ["a", 202_210]]);
});

Deno.test("the options of the other direction count from b to a, those it does not name are the link's", () => {
  const simulation = built(
    line({ rateBps: 8e9, delayNs: 1000, reverse: { delayNs: 7000 } }, { reverse: { rateBps: 8e6 } }),
  );
  send(simulation, { from: "a", dst: "10.0.1.1", length: 72 });
  assertEquals(times(simulation), [["r", 1100], ["b", 1100], ["r", 101_100], ["a", 108_200]]);
});

Deno.test("members of a population have the delays of their spread, in both directions or as the reverse says", () => {
  const spread = { delaySpreadSteps: 4, delaySpreadStepNs: 10 };
  for (const reverse of [undefined, { delaySpreadSteps: 0 }]) {
    const simulation = built([
      (n) => n.host("many", { count: 5, address: "10.0.0.1/24" }),
      (n) => n.router("r", { address: "10.0.9.9" }),
      (n) => n.link("many", "r", { delayNs: 100, ...spread, reverse }),
    ]);
    for (let i = 0; i < 5; i++) send(simulation, { from: `many[${i}]`, dst: "10.0.9.9" });
    const seen = watch(simulation);
    simulation.run();
    for (let i = 0; i < 5; i++) {
      const extra = ((i * 7919) % 4) * 10;
      const [there, back] = seen.filter(({ from, to }) => from === `many[${i}]` || to === `many[${i}]`);
      assertEquals(there.timeNs, 100 + extra);
      assertEquals(back.timeNs - there.timeNs, reverse === undefined ? 100 + extra : 100);
    }
  }
});

Deno.test("hosts announce the MSS of the link that they send into", () => {
  const simulation = built([
    ...line({ mtu: 1400 }, { mtu: 9000, reverse: { mtu: 1000 } }),
    (n) => n.workload({ name: "w", kind: "hold", from: ["a"], to: ["b:80"], connections: 1 }),
  ]);
  const mss: number[] = [];
  simulation.onDelivery((p) => mss.push(simulation.packets.rows.words[p * 16 + 10] & 0xffff));
  simulation.run();
  assertEquals(mss.slice(0, 4), [1360, 1360, 960, 960]);
});

Deno.test("a host with several links has the narrowest one's MTU, whatever their order", () => {
  for (const order of [[0, 1], [1, 0]]) {
    const links: Step[] = [
      (n) => n.link("a", "r", { mtu: 1280 }),
      (n) => n.link("a", "q", { mtu: 1400 }),
    ];
    const simulation = built([
      (n) => n.host("a", { address: "10.0.0.1" }),
      (n) => n.router("r"),
      (n) => n.router("q"),
      ...order.map((i) => links[i]),
    ]);
    assertEquals(simulation.partition.hosts.mtuOf(simulation.partition.nodes.population("a")!.firstRow), 1280);
  }
});

Deno.test("links lose, duplicate and drop what their options say, and every packet is accounted for", () => {
  const simulation = built(line({ loss: 0.3, duplicate: 0.1 }, { rateBps: 1e9 }));
  for (let i = 0; i < 3000; i++) send(simulation, { from: "a", dst: "10.0.1.1", type: 0x0000 });
  simulation.run();
  const s = simulation.partition;
  const lost = s.dropped[DROP.LOSS];
  assert(Math.abs(lost - 900) < 4 * Math.sqrt(3000 * 0.21), `${lost}`);
  // A lost packet has no twin.
  assert(Math.abs(s.links.duplicated - 210) < 4 * Math.sqrt(2100 * 0.09), `${s.links.duplicated}`);
  assertEquals(s.delivered, 3000 - lost + s.links.duplicated);
  assertConserved(simulation);
});

Deno.test("reordered packets are overtaken by those sent within the time that they are held back", () => {
  const simulation = built(line({ rateBps: 8e9, reorder: 0.1, reorderNs: 250 }));
  const seen = watch(simulation);
  // 100 bytes each: one every 100 ns.
  for (let i = 0; i < 1000; i++) send(simulation, { from: "a", dst: "10.0.1.1", type: 0x0000, seq: i, length: 72 });
  simulation.run();
  const order = seen.filter(({ to }) => to === "b").map(({ rest }) => rest & 0xffff);
  assertEquals(order.toSorted((x, y) => x - y), Array.from({ length: 1000 }, (_, i) => i));
  const late = order.filter((seq, i) => order.slice(0, i).some((before) => before > seq));
  assert(late.length > 60 && late.length < 140);
  for (const seq of late) {
    const overtakers = order.slice(0, order.indexOf(seq)).filter((before) => before > seq).length;
    assert(overtakers <= 2, `${overtakers}`);
  }
});

Deno.test("a flipped bit of the IPv4 header stops a packet at the next node, any other at the host", () => {
  const simulation = built(line({ corrupt: 1 }));
  const seen = watch(simulation);
  for (let i = 0; i < 500; i++) send(simulation, { from: "a", dst: "10.0.1.1", type: 0x0000 });
  simulation.run();
  const atRouter = seen.filter(({ to }) => to === "r");
  const header = atRouter.filter(({ corrupt }) => corrupt <= 160).length;
  assert(header > 50 && header < 200);
  assertEquals(seen.filter(({ to }) => to === "b").length, 500 - header);
  assertEquals(simulation.partition.dropped[DROP.CHECKSUM], 500);
  assertEquals(simulation.partition.delivered, 0);
  assertConserved(simulation);
});

Deno.test("IPv6 has no header checksum: some fields change unseen, a few bits break the packet, the rest is the host's", () => {
  const simulation = built(line({ corrupt: 1, reverse: { corrupt: 0 } }, {}, 6));
  const seen = watch(simulation);
  const bits = 4000;
  for (let i = 0; i < bits; i++) send(simulation, { from: "a", dst: "2001:db8:1::1", type: 0x8100, length: 0 });
  simulation.run();
  const atRouter = seen.filter(({ to }) => to === "r").map(({ corrupt }) => corrupt - 1);
  const unseen = atRouter.filter((bit) => (bit >= 4 && bit < 32) || (bit >= 56 && bit < 64)).length;
  const malformed = atRouter.filter((bit) => bit < 4 || (bit >= 32 && bit < 56)).length;
  const atHost = seen.filter(({ to }) => to === "b");
  const expired = simulation.partition.dropped[DROP.TTL];
  assertEquals(atHost.length, bits - malformed - expired);
  assertEquals(atHost.filter(({ corrupt }) => corrupt === 0).length, unseen - expired);
  assertEquals(simulation.partition.dropped[DROP.CHECKSUM], bits - unseen);
  // The sender's hop limit is 64, of which a router takes one: flips make other values, and 0 expires.
  const limits = new Set(atHost.map(({ ttl }) => ttl));
  assert(expired > 0 && limits.has(63) && limits.has(64 + 128 - 1) && limits.has(64 + 1 - 1));
  assertConserved(simulation);
});

Deno.test("connections survive corruption, for no damaged segment is believed", () => {
  const simulation = built(star({
    link: { corrupt: 0.03 },
    workload: { kind: "request-response", replyBytes: 20_000 },
  }));
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 10);
  assert(simulation.partition.dropped[DROP.CHECKSUM] > 0);
});

Deno.test("the draws of a link do not depend on what other links there are", () => {
  const losses = (more: Step[]) => {
    const simulation = built([...line({ loss: 0.2 }), ...more]);
    const seen = watch(simulation);
    for (let i = 0; i < 200; i++) send(simulation, { from: "a", dst: "10.0.1.1", type: 0x0000, seq: i });
    simulation.run();
    return seen.filter(({ to }) => to === "b").map(({ rest }) => rest);
  };
  const extra: Step[] = [
    (n) => n.host("aa", { address: "10.0.2.1" }),
    (n) => n.link("aa", "r", { loss: 0.5, duplicate: 0.5 }),
  ];
  assertEquals(losses(extra), losses([]));
});
