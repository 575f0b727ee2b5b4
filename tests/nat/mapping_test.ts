import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import {
  gatewayStats,
  NAT_VERDICT,
  type NatBehaviourName,
  portsInUse,
  removeGatewaySessions,
  translateOutbound,
} from "../../src/nat/nat.ts";
import { PACKET } from "../../src/wire/packet.ts";
import { ACK, Laboratory, SYN } from "./harness.ts";

const EIM: NatBehaviourName = "endpoint-independent";
const ADM: NatBehaviourName = "address-dependent";
const APDM: NatBehaviourName = "address-and-port-dependent";

Deno.test("endpoint-independent mapping reuses the external endpoint for every remote one", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: EIM, portAssignment: "random" });
  const first = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
  assertEquals(lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:81"), first);
  assertEquals(lab.udp(gw, "10.0.0.1:5000", "198.51.100.7:80"), first);
  assertNotEquals(lab.udp(gw, "10.0.0.1:5001", "192.0.2.1:80"), first);
  assertNotEquals(lab.udp(gw, "10.0.0.2:5000", "192.0.2.1:80"), first);
  assertEquals(portsInUse(lab.nat, gw), 3);
  assertEquals(gatewayStats(lab.nat, gw).sessions, 5);
});

Deno.test("address-dependent mapping reuses the external endpoint for one remote address only", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: ADM, portAssignment: "random" });
  const first = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
  assertEquals(lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:81"), first);
  assertNotEquals(lab.udp(gw, "10.0.0.1:5000", "198.51.100.7:80"), first);
  assertEquals(portsInUse(lab.nat, gw), 2);
});

for (const filtering of [EIM, ADM, APDM]) {
  Deno.test(`address-and-port-dependent mapping takes a port for every remote endpoint (filtering ${filtering})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping: APDM, filtering, portAssignment: "random" });
    const used = new Set([
      lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80"),
      lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:81"),
      lab.udp(gw, "10.0.0.1:5000", "198.51.100.7:80"),
    ]);
    assertEquals(used.size, 3);
    assertEquals(lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80"), [...used][0]);
    assertEquals(portsInUse(lab.nat, gw), 3);
  });
}

Deno.test("a reply is translated back to the internal endpoint, and only its destination is touched", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  assertEquals(
    lab.out(gw, { src: "10.0.0.1", sport: 5000, dst: "192.0.2.1", dport: 80, flags: SYN }),
    "forward 203.0.113.1:5000 > 192.0.2.1:80",
  );
  assertEquals(
    lab.in(gw, { src: "192.0.2.1", sport: 80, dst: "203.0.113.1", dport: 5000, flags: SYN | ACK }),
    "forward 192.0.2.1:80 > 10.0.0.1:5000",
  );
});

Deno.test("TCP, UDP and ICMP have external ports of their own", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  assertEquals(lab.tcp(gw, "10.0.0.1:5000", "192.0.2.1:80"), "203.0.113.1:5000");
  assertEquals(lab.udp(gw, "10.0.0.2:5000", "192.0.2.1:80"), "203.0.113.1:5000");
  const echo = { protocol: "icmp", src: "10.0.0.3", dst: "192.0.2.1", id: 5000 } as const;
  assertEquals(lab.out(gw, echo), "forward 203.0.113.1 > 192.0.2.1 id 5000");
  const { pool } = gatewayStats(lab.nat, gw);
  assertEquals([pool.tcp.portsInUse, pool.udp.portsInUse, pool.icmp.portsInUse], [1, 1, 1]);
});

Deno.test("gateways with the same inner addresses, and even the same outer one, do not mix", () => {
  const lab = new Laboratory();
  const one = lab.gateway({ name: "home[0]", rank: 0 });
  const two = lab.gateway({ name: "home[1]", rank: 1 });
  assertEquals(lab.udp(one, "192.168.1.2:5000", "192.0.2.1:80"), "203.0.113.1:5000");
  assertEquals(lab.udpIn(two, "192.0.2.1:80", "203.0.113.1:5000"), "no-mapping");
  assertEquals(lab.udp(two, "192.168.1.2:5000", "192.0.2.1:80"), "203.0.113.1:5000");
  assertEquals(lab.udpIn(two, "192.0.2.1:80", "203.0.113.1:5000"), "192.168.1.2:5000");
  assertEquals([portsInUse(lab.nat, one), portsInUse(lab.nat, two)], [1, 1]);
  assertEquals(removeGatewaySessions(lab.nat, one), 1);
  assertEquals(lab.udpIn(one, "192.0.2.1:80", "203.0.113.1:5000"), "no-mapping");
  assertEquals(lab.udpIn(two, "192.0.2.1:80", "203.0.113.1:5000"), "192.168.1.2:5000");
});

Deno.test("only a SYN opens a TCP session, unless the gateway is loose", () => {
  const lab = new Laboratory();
  const strict = lab.gateway({ name: "strict" });
  const loose = lab.gateway({ name: "loose", tcpLoose: true });
  assertEquals(lab.tcp(strict, "10.0.0.1:5000", "192.0.2.1:80", ACK), "no-mapping");
  assertEquals(lab.tcp(strict, "10.0.0.1:5000", "192.0.2.1:80", SYN | ACK), "no-mapping");
  assertEquals(lab.tcp(loose, "10.0.0.1:5000", "192.0.2.1:80", ACK), "203.0.113.1:5000");
  assertEquals(gatewayStats(lab.nat, strict).refusals["no-mapping"], { count: 2, firstNs: 0 });
});

Deno.test("what a NAPT cannot translate is refused as unsupported", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  const timestamp = { protocol: "icmp", src: "10.0.0.1", dst: "192.0.2.1", type: 13 } as const;
  assertEquals(lab.out(gw, timestamp), "unsupported");
  assertEquals(lab.in(gw, { ...timestamp, src: "192.0.2.1", dst: "203.0.113.1" }), "unsupported");
});

Deno.test("overloading serves different remote endpoints from one external port, and each reply finds its host", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ overloading: true, portLow: 4000, portHigh: 4000 });
  for (let host = 1; host <= 50; host++) {
    assertEquals(lab.tcp(gw, `10.0.0.${host}:5000`, `192.0.2.${host}:80`), "203.0.113.1:4000");
  }
  assertEquals(lab.tcp(gw, "10.0.0.99:5000", "192.0.2.7:80"), "pool-empty");
  assertEquals(lab.tcp(gw, "10.0.0.99:5000", "192.0.2.7:81"), "203.0.113.1:4000");
  for (let host = 1; host <= 50; host++) {
    assertEquals(lab.tcpIn(gw, `192.0.2.${host}:80`, "203.0.113.1:4000"), `10.0.0.${host}:5000`);
  }
});

Deno.test("options that make no sense are refused with a sentence", () => {
  const lab = new Laboratory();
  const cases: [Parameters<Laboratory["gateway"]>[0], string][] = [
    [{ overloading: true, mapping: EIM }, "overloading needs"],
    [{ overloading: true, filtering: EIM }, "overloading needs"],
    [{ portLow: 2000, portHigh: 1999 }, "upside down: 2000 to 1999"],
    [{ portHigh: 65536 }, "from 0 to 65535, not 65536"],
    [{ quotaSessions: 0 }, "at least 1, not 0"],
    [{ udpNs: 0 }, "between 1 ms and 12 days"],
    [{ externalCount: 0 }, "1 to 65535 external addresses, not 0"],
    [{ mapping: "symmetric" as NatBehaviourName }, 'not "symmetric"'],
  ];
  for (const [options, sentence] of cases) assertThrows(() => lab.gateway(options), InputError, sentence);
});

Deno.test("gateways that behave alike share one profile, and an idle gateway is one 64-byte row", () => {
  const lab = new Laboratory();
  for (let i = 0; i < 1000; i++) lab.gateway({ name: `home[${i}]`, rank: i, mapping: EIM });
  assertEquals(lab.nat.profiles.length, 1);
  assertEquals(lab.nat.gateways.strideWords * 4, 64);
  assertEquals([lab.nat.spaces.inUse, lab.nat.subscribers.inUse, lab.nat.extras.length], [0, 0, 1]);
});

for (const mapping of [EIM, ADM, APDM]) {
  Deno.test(`an address met in mid-run is held as long as a session needs it (mapping ${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping, quotaSessions: 9 });
    lab.addresses.intern("10.0.0.1");
    const blocks = lab.addresses.blocksInUse;
    const spoofed = lab.addresses.internCounted("198.18.5.5");
    const p = lab.build({ protocol: "udp", src: "10.0.0.1", sport: 5000, dst: "203.0.113.9", dport: 10 });
    lab.packets.rows.words[p * PACKET.STRIDE + PACKET.DST] = spoofed;
    assertEquals(translateOutbound(lab.nat, gw, p), NAT_VERDICT.FORWARD);
    lab.addresses.release(spoofed);
    assertEquals(lab.addresses.toText(spoofed), "198.18.5.5");
    assertEquals(lab.addresses.blocksInUse, blocks + 1);
    assertEquals(lab.advance(1e12), 1);
    assertEquals(lab.addresses.blocksInUse, blocks);
  });
}
