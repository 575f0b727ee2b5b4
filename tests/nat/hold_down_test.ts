import { assert, assertEquals } from "@std/assert";
import { gatewayStats, portsInUse } from "../../src/nat/nat.ts";
import { FIN, Laboratory, SECOND, SYN } from "./harness.ts";

const SERVER = "192.0.2.1:53";
const TINY = { portLow: 2000, portHigh: 2001, udpNs: 100 * SECOND, holdDownNs: 120 * SECOND } as const;

for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
  Deno.test(`a freed port rests before another endpoint may have it (${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...TINY, mapping });
    lab.udp(gw, "10.0.0.1:2000", SERVER);
    lab.udp(gw, "10.0.0.2:2001", SERVER);
    lab.advance(100 * SECOND);
    const { pool } = gatewayStats(lab.nat, gw);
    assertEquals(pool.udp, { portsInUse: 0, portsHeld: 2, portsPeak: 2 });
    assertEquals(lab.udp(gw, "10.0.0.3:1", SERVER), "pool-empty");
    lab.advance(220 * SECOND - 1);
    assertEquals(lab.udp(gw, "10.0.0.3:1", SERVER), "pool-empty");
    lab.advance(220 * SECOND);
    assert(lab.udp(gw, "10.0.0.3:1", SERVER).startsWith("203.0.113.1:200"));
    assertEquals(gatewayStats(lab.nat, gw).pool.udp, { portsInUse: 1, portsHeld: 0, portsPeak: 2 });
  });

  Deno.test(`the same mapping gets its resting port back at once (${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...TINY, mapping, portAssignment: "random" });
    const had = lab.udp(gw, "10.0.0.1:7", SERVER);
    lab.udp(gw, "10.0.0.2:8", SERVER);
    lab.advance(150 * SECOND);
    assertEquals(lab.udp(gw, "10.0.0.1:7", SERVER), had);
    assertEquals(gatewayStats(lab.nat, gw).pool.udp, { portsInUse: 1, portsHeld: 1, portsPeak: 2 });
    assertEquals(lab.udp(gw, "10.0.0.1:9", SERVER), "pool-empty", "another port of the same host is another endpoint");
    lab.advance(1000 * SECOND);
    assertEquals([portsInUse(lab.nat, gw), lab.nat.holds.inUse, lab.nat.holdInside.size], [0, 0, 0]);
  });
}

Deno.test("with overloading a port rests only towards the destination that it served", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...TINY, portHigh: 2000, overloading: true });
  lab.udp(gw, "10.0.0.1:2000", SERVER);
  lab.advance(100 * SECOND);
  assertEquals(lab.udp(gw, "10.0.0.2:2000", SERVER), "pool-empty");
  assertEquals(lab.udp(gw, "10.0.0.2:2000", "192.0.2.2:53"), "203.0.113.1:2000");
  lab.advance(220 * SECOND);
  assertEquals(lab.udp(gw, "10.0.0.2:2000", SERVER), "203.0.113.1:2000");
});

Deno.test("a preserved port that rests is not given to another host; it gets a different one", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...TINY, portHigh: 2999 });
  assertEquals(lab.udp(gw, "10.0.0.1:2500", SERVER), "203.0.113.1:2500");
  lab.advance(100 * SECOND);
  assert(lab.udp(gw, "10.0.0.2:2500", SERVER) !== "203.0.113.1:2500");
});

Deno.test("no more ports rest than may: the one that has rested longest goes first (RFC 6888 REQ-8)", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...TINY, portHigh: 2999, holdDownPorts: 2 });
  lab.udp(gw, "10.0.0.1:2001", SERVER);
  lab.advance(1 * SECOND);
  lab.udp(gw, "10.0.0.1:2002", SERVER);
  lab.advance(2 * SECOND);
  lab.udp(gw, "10.0.0.1:2003", SERVER);
  lab.advance(110 * SECOND);
  assertEquals(gatewayStats(lab.nat, gw).pool.udp.portsHeld, 2);
  assertEquals(lab.udp(gw, "10.0.0.2:2001", SERVER), "203.0.113.1:2001");
  assert(lab.udp(gw, "10.0.0.2:2002", SERVER) !== "203.0.113.1:2002");
});

Deno.test("TCP's ports may be let off (RFC 6888 REQ-8 A), the others rest", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ ...TINY, holdDownTcp: false, tcpTransitoryNs: 100 * SECOND });
  lab.tcp(gw, "10.0.0.1:2000", SERVER, SYN);
  lab.tcpIn(gw, SERVER, "203.0.113.1:2000", FIN);
  lab.udp(gw, "10.0.0.1:2000", SERVER);
  lab.advance(100 * SECOND);
  const { pool } = gatewayStats(lab.nat, gw);
  assertEquals([pool.tcp.portsHeld, pool.udp.portsHeld], [0, 1]);
});

Deno.test("held ports of several gateways end their rest each in its own time", () => {
  const lab = new Laboratory();
  const one = lab.gateway({ ...TINY, name: "one", rank: 0 });
  const two = lab.gateway({ ...TINY, name: "two", rank: 1, holdDownNs: 30 * SECOND });
  lab.udp(one, "10.0.0.1:2000", SERVER), lab.udp(two, "10.0.0.1:2000", SERVER);
  lab.advance(130 * SECOND);
  const held = () => [one, two].map((gw) => gatewayStats(lab.nat, gw).pool.udp.portsHeld);
  assertEquals(held(), [1, 0]);
  lab.advance(220 * SECOND);
  assertEquals(held(), [0, 0]);
});
