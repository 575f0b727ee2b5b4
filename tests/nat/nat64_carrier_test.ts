/** A NAT64 that is carrier-grade: what RFC 6888 adds, for IPv6 subscribers. */
import { assert, assertEquals } from "@std/assert";
import {
  blocks,
  deterministicRange,
  gatewayLimits,
  gatewayStats,
  type NatGatewayOptions,
  portsInUse,
  restartGateway,
  sessions,
  subscribers,
} from "../../src/nat/nat.ts";
import { at, SECOND, SYN } from "./harness.ts";
import { Nat64 } from "./nat64_harness.ts";

const SERVER = "64:ff9b::c000:201";
const UDP_NS = 100 * SECOND;

/** UDP of the host with this number from a port; the external endpoint, or the refusal. */
function udp(lab: Nat64, host: number, sport: number, dst = SERVER): string {
  const said = lab.fromInside({
    protocol: "udp",
    src: `2001:db8::${host.toString(16)}`,
    sport,
    dst,
    dport: 53,
  });
  return said.startsWith("forward ") ? said.split(" ")[1] : said;
}

function nat64(options: Partial<NatGatewayOptions> = {}): Nat64 {
  return new Nat64({ udpNs: UDP_NS, refresh: "both", ...options });
}

/** All sessions end: no session, port or block is left over. */
function assertForgets(lab: Nat64): void {
  lab.advance(lab.nowNs + 3600 * SECOND);
  const { nat } = lab;
  assertEquals([nat.sessions.inUse, nat.mappings.inUse, nat.blocks.inUse, nat.holds.inUse], [0, 0, 0, 0]);
  assertEquals(portsInUse(nat, lab.gateway64), 0);
}

Deno.test("quotas of ports and of sessions at once bind for each IPv6 host, at their numbers", () => {
  const lab = nat64({ quotaPorts: 3, quotaSessions: 5 });
  const said = [1, 2, 3, 4].map((port) => udp(lab, 7, port));
  assertEquals(said.slice(0, 3).every((one) => one.startsWith("203.")), true);
  assertEquals(said[3], "quota");
  // Two more sessions of ports that it has, and no third one.
  const others = ["64:ff9b::c000:202", "64:ff9b::c000:203", "64:ff9b::c000:204"].map((dst) => udp(lab, 7, 1, dst));
  assertEquals(others.map((one) => one.startsWith("203.")), [true, true, false]);
  assert(udp(lab, 8, 1).startsWith("203."), "its neighbour is not concerned");
  const [seven, eight] = subscribers(lab.nat, lab.gateway64);
  assertEquals([seven.sessions, seven.ports, seven.refusals], [5, 3, { quota: { count: 2, firstNs: 0 } }]);
  assertEquals([lab.addresses.toText(eight.address), eight.refused], ["2001:db8::8", 0]);
});

Deno.test("blocks go to IPv6 hosts, several for each, and come back when their last port has rested", () => {
  const lab = nat64({
    blocks: { size: 4, perSubscriber: 2 },
    portLow: 1000,
    portHigh: 1015,
    holdDownNs: 50 * SECOND,
  });
  const ports = Array.from({ length: 8 }, (_, i) => at(udp(lab, 1, 100 + i)).port);
  assertEquals(ports, [1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007]);
  assertEquals(udp(lab, 1, 200), "block");
  for (let i = 0; i < 8; i++) assert(udp(lab, 2 + (i >> 2), 100 + i).startsWith("203."));
  assertEquals(udp(lab, 4, 1), "pool-empty");
  assertEquals(blocks(lab.nat, lab.gateway64).map(({ subscriber, low }) => [lab.addresses.toText(subscriber), low]), [
    ["2001:db8::1", 1000],
    ["2001:db8::1", 1004],
    ["2001:db8::2", 1008],
    ["2001:db8::3", 1012],
  ]);
  lab.advance(UDP_NS + 49 * SECOND);
  assertEquals(udp(lab, 4, 1), "pool-empty", "the ports rest in their blocks");
  assertEquals(gatewayStats(lab.nat, lab.gateway64).pool.udp.portsHeld, 16);
  lab.advance(UDP_NS + 50 * SECOND);
  assertEquals(udp(lab, 4, 1), "203.0.113.1:1000");
  assertEquals(
    gatewayLimits(lab.nat, lab.gateway64).map(({ limit, used, capacity, refused }) => [limit, used, capacity, refused]),
    [
      ["nat-pool", 4, 4, 2],
      ["nat-block", 8, 8, 1],
    ],
  );
});

Deno.test("a deterministic NAT64 computes the ports of the IPv6 hosts of its range", () => {
  const lab = nat64({
    portLow: 1000,
    portHigh: 1099,
    externalCount: 2,
    deterministic: { prefix: [0x20010db8, 0, 0], first: 0x10, count: 8 },
  });
  const plan = { subscribers: 8, addresses: 2, portLow: 1000, portCount: 100 };
  for (const host of [7, 0, 3]) {
    const range = deterministicRange(plan, host)!;
    for (let i = 0; i < 25; i++) {
      const external = at(udp(lab, 0x10 + host, 1 + i));
      assertEquals(external.address, `203.0.113.${1 + range.address}`);
      assert(external.port >= range.low && external.port <= range.high);
    }
    assertEquals(udp(lab, 0x10 + host, 99), "block");
  }
  assertEquals([0xf, 0x18].map((host) => udp(lab, host, 1)), ["not-subscriber", "not-subscriber"]);
  const other = { protocol: "udp", src: "2001:db8:0:1::10", sport: 1, dst: SERVER, dport: 53 } as const;
  assertEquals(lab.fromInside(other), "not-subscriber");
  assertEquals(lab.udp(lab.gateway64, "0.0.0.16:1", "192.0.2.1:53"), "not-subscriber");
});

Deno.test("a port that rests is nobody else's, and its own mapping's at once", () => {
  const lab = nat64({ portLow: 2000, portHigh: 2001, holdDownNs: 120 * SECOND });
  assertEquals([udp(lab, 1, 5000), udp(lab, 2, 5000)], ["203.0.113.1:2000", "203.0.113.1:2001"]);
  lab.advance(UDP_NS);
  assertEquals(udp(lab, 3, 5000), "pool-empty");
  assertEquals(udp(lab, 2, 5000), "203.0.113.1:2001");
  lab.advance(UDP_NS + 119 * SECOND);
  assertEquals(udp(lab, 3, 5000), "pool-empty");
  lab.advance(UDP_NS + 120 * SECOND);
  assertEquals(udp(lab, 3, 5000), "203.0.113.1:2000");
  assertForgets(lab);
});

Deno.test("log records of IPv6 subscribers have longer addresses (IPFIX), a line of text has its length", () => {
  const volume = (options: Partial<NatGatewayOptions>) => {
    const lab = nat64(options);
    udp(lab, 1, 5000);
    udp(lab, 1, 5001);
    lab.advance(UDP_NS);
    const { log } = gatewayStats(lab.nat, lab.gateway64);
    assertEquals(subscribers(lab.nat, lab.gateway64).map(({ logBytes }) => logBytes), [log.bytes]);
    return [log.records, log.recordBytes, log.bytes];
  };
  assertEquals(volume({ log: "sessions" }), [4, 34, 136]);
  assertEquals(volume({ log: "sessions", logDestinations: true }), [4, 58, 232]);
  assertEquals(volume({ log: "blocks", blocks: { size: 64 } }), [2, 33, 66]);
  assertEquals(volume({ log: "sessions", logFormat: "syslog" }), [4, 150, 600]);
  // A gateway that also is a NAT44 writes both kinds.
  const lab = nat64({ log: "sessions" });
  udp(lab, 1, 5000);
  lab.udp(lab.gateway64, "10.0.0.1:5000", "192.0.2.1:53");
  assertEquals(gatewayStats(lab.nat, lab.gateway64).log.bytes, 34 + 22);
});

Deno.test("a NAT64 that restarts forgets sessions, blocks, resting ports and full buckets", () => {
  const lab = nat64({
    blocks: { size: 4 },
    holdDownNs: 120 * SECOND,
    sessionsPerSecond: 1,
    sessionsBurst: 3,
    log: "blocks",
  });
  const open = (from: number) =>
    [0, 1, 2, 3].map((i) => udp(lab, 1, from + i)).filter((one) => one.startsWith("203.")).length;
  assertEquals(open(100), 3);
  lab.advance(UDP_NS + SECOND);
  assertEquals([[...sessions(lab.nat, lab.gateway64)].length, lab.nat.holds.inUse], [0, 3]);
  assertEquals(open(200), 1, "three ports of the block rest");
  assertEquals(restartGateway(lab.nat, lab.gateway64), 1);
  assertEquals([lab.nat.blocks.inUse, lab.nat.holds.inUse, portsInUse(lab.nat, lab.gateway64)], [0, 0, 0]);
  assertEquals(open(300), 3);
  const { restarts, refusals } = gatewayStats(lab.nat, lab.gateway64);
  assertEquals([restarts, refusals.rate?.count, refusals.block?.count], [1, 2, 3]);
});

Deno.test("a rate and a full table refuse new sessions of IPv6 hosts by their names, with the time of the first", () => {
  const lab = nat64({ sessionsPerSecond: 2, sessionsBurst: 2, maxSessions: 5 });
  const said = (host: number, port: number) => udp(lab, host, port).startsWith("203.") ? "open" : udp(lab, host, port);
  assertEquals([said(1, 1), said(1, 2), said(1, 3)], ["open", "open", "rate"]);
  lab.advance(3 * SECOND);
  assertEquals([said(1, 3), said(1, 4), said(2, 1), said(2, 2)], ["open", "open", "open", "table-full"]);
  const { refusals } = gatewayStats(lab.nat, lab.gateway64);
  assertEquals(refusals, { rate: { count: 2, firstNs: 0 }, "table-full": { count: 2, firstNs: 3 * SECOND } });
});

Deno.test("a SYN between IPv6 hosts that nobody waits for is held as it came, whoever has the port", () => {
  for (const filtering of ["endpoint-independent", "address-and-port-dependent"] as const) {
    const lab = nat64({ filtering });
    assertEquals(udp(lab, 1, 5000), "203.0.113.1:1024");
    lab.fromInside({ src: "2001:db8::1", sport: 5000, dst: SERVER, dport: 80, flags: SYN });
    const hairpin = (dport: number) =>
      lab.fromInside({ src: "2001:db8::2", sport: 6000, dst: "64:ff9b::cb00:7101", dport, flags: SYN });
    assertEquals(hairpin(1024).split(" ")[0], filtering === "endpoint-independent" ? "hairpin" : "filtered");
    assertEquals(hairpin(9999), "no-mapping");
    const expected = filtering === "endpoint-independent" ? 1 : 2;
    assertEquals(gatewayStats(lab.nat, lab.gateway64).unsolicitedSyns.held, expected);
    lab.advance(6 * SECOND);
    assertEquals(lab.nat.out.length, 2 * expected);
    for (let i = 0; i < lab.nat.out.length; i += 2) lab.packets.release(lab.nat.out[i + 1]);
    assertForgets(lab);
  }
});
