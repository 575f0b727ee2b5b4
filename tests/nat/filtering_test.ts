import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { addForward, gatewayStats, type NatBehaviourName, portsInUse } from "../../src/nat/nat.ts";
import { ACK, Laboratory, SECOND, SYN } from "./harness.ts";

const EI: NatBehaviourName = "endpoint-independent";
const AD: NatBehaviourName = "address-dependent";
const APD: NatBehaviourName = "address-and-port-dependent";

for (const mapping of [EI, AD, APD]) {
  Deno.test(`endpoint-independent filtering lets anyone reach a mapping (mapping ${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping, filtering: EI });
    const external = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
    assertEquals(lab.udpIn(gw, "192.0.2.1:81", external), "10.0.0.1:5000");
    assertEquals(lab.udpIn(gw, "198.51.100.9:9", external), "10.0.0.1:5000");
    assertEquals(lab.udpIn(gw, "198.51.100.9:9", "203.0.113.1:5001"), "no-mapping");
    assertEquals(lab.udp(gw, "10.0.0.1:5000", "198.51.100.9:9"), external);
    assertEquals(portsInUse(lab.nat, gw), 1);
  });

  Deno.test(`address-dependent filtering lets an address that was sent to reach a mapping from any port (mapping ${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping, filtering: AD });
    const external = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
    assertEquals(lab.udpIn(gw, "192.0.2.1:81", external), "10.0.0.1:5000");
    assertEquals(lab.udpIn(gw, "198.51.100.9:80", external), "filtered");
    assertEquals(gatewayStats(lab.nat, gw).refusals, { filtered: { count: 1, firstNs: 0 } });
  });

  Deno.test(`address-and-port-dependent filtering lets only endpoints that were sent to reach a mapping (mapping ${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping, filtering: APD });
    const external = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
    assertEquals(lab.udpIn(gw, "192.0.2.1:80", external), "10.0.0.1:5000");
    assertEquals(lab.udpIn(gw, "192.0.2.1:81", external), "filtered");
    assertEquals(lab.udpIn(gw, "198.51.100.9:80", external), "filtered");
  });
}

Deno.test("with endpoint-independent mapping, sending to another endpoint opens the filter for it", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: EI, filtering: APD });
  const external = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
  assertEquals(lab.udpIn(gw, "198.51.100.9:9", external), "filtered");
  assertEquals(lab.udp(gw, "10.0.0.1:5000", "198.51.100.9:9"), external);
  assertEquals(lab.udpIn(gw, "198.51.100.9:9", external), "10.0.0.1:5000");
});

Deno.test("leave to reach a mapping ends with the last session that gave it", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: EI, filtering: AD, udpNs: 100 * SECOND });
  const external = lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:80");
  lab.advance(50 * SECOND);
  lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:81");
  lab.udp(gw, "10.0.0.1:5000", "198.51.100.9:80");
  lab.advance(120 * SECOND);
  assertEquals(lab.udpIn(gw, "192.0.2.1:7", external), "10.0.0.1:5000");
  lab.udp(gw, "10.0.0.1:5000", "198.51.100.9:80");
  lab.advance(215 * SECOND);
  assertEquals(lab.nat.permissions.inUse, 2);
  assertEquals(lab.udpIn(gw, "192.0.2.1:8", external), "10.0.0.1:5000");
  lab.udp(gw, "10.0.0.1:5000", "198.51.100.9:80");
  lab.advance(316 * SECOND);
  assertEquals(lab.nat.permissions.inUse, 0);
});

Deno.test("an unsolicited segment other than a SYN opens nothing, even where the filter would let it pass", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: EI, filtering: EI });
  const external = lab.handshake(gw, "10.0.0.1:5000", "192.0.2.1:80");
  assertEquals(lab.tcpIn(gw, "198.51.100.9:9", external, ACK), "no-mapping");
  assertEquals(lab.tcpIn(gw, "198.51.100.9:9", external, SYN), "10.0.0.1:5000");
  assertEquals(lab.tcpIn(gw, "198.51.100.9:9", external, ACK), "10.0.0.1:5000");
});

for (const overloading of [false, true]) {
  for (const mapping of overloading ? [APD] : [EI, AD, APD]) {
    Deno.test(`a port forward admits anyone and its port is never given away (mapping ${mapping}, overloading ${overloading})`, () => {
      const lab = new Laboratory();
      const gw = lab.gateway({ mapping, overloading, portLow: 8000, portHigh: 8002, portAssignment: "sequential" });
      const internalAddress = lab.addresses.intern("10.0.0.80");
      addForward(lab.nat, gw, { protocol: "tcp", externalPort: 80, internalAddress, internalPort: 8080 });
      addForward(lab.nat, gw, { protocol: "tcp", externalPort: 8001, internalAddress, internalPort: 8081 });
      assertEquals(lab.tcpIn(gw, "192.0.2.1:1000", "203.0.113.1:80", SYN), "10.0.0.80:8080");
      assertEquals(lab.tcpIn(gw, "192.0.2.2:1000", "203.0.113.1:80", SYN), "10.0.0.80:8080");
      assertEquals(lab.tcp(gw, "10.0.0.80:8080", "192.0.2.2:1000", SYN | ACK), "203.0.113.1:80");
      assertEquals(lab.tcpIn(gw, "192.0.2.2:1000", "203.0.113.1:8001", SYN), "10.0.0.80:8081");
      assertEquals(lab.tcp(gw, "10.0.0.1:1", "192.0.2.9:80"), "203.0.113.1:8000");
      assertEquals(lab.tcp(gw, "10.0.0.1:2", "192.0.2.9:80"), "203.0.113.1:8002");
      assertEquals(lab.tcp(gw, "10.0.0.1:3", "192.0.2.9:80"), "pool-empty");
      lab.advance(1e13);
      assertEquals(gatewayStats(lab.nat, gw).sessions, 0);
      assertEquals(lab.tcpIn(gw, "192.0.2.1:1000", "203.0.113.1:80", SYN), "10.0.0.80:8080");
    });
  }
}

Deno.test("with endpoint-independent mapping a forwarded host calls out from its forwarded endpoint", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: EI });
  const internalAddress = lab.addresses.intern("10.0.0.80");
  addForward(lab.nat, gw, { protocol: "udp", externalPort: 53, internalAddress, internalPort: 5353 });
  assertEquals(lab.udp(gw, "10.0.0.80:5353", "192.0.2.1:53"), "203.0.113.1:53");
});

Deno.test("a port forward that cannot be is refused with a sentence", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  const internalAddress = lab.addresses.intern("10.0.0.80");
  const forward = { protocol: "tcp", externalPort: 80, internalAddress, internalPort: 80 } as const;
  addForward(lab.nat, gw, forward);
  assertThrows(() => addForward(lab.nat, gw, forward), InputError, "two port forwards of tcp 203.0.113.1:80");
  assertThrows(
    () => addForward(lab.nat, gw, { ...forward, externalAddress: lab.addresses.intern("203.0.113.2") }),
    InputError,
    "not of an external address",
  );
  lab.tcp(gw, "10.0.0.1:1", "192.0.2.9:80");
  assertThrows(() => addForward(lab.nat, gw, { ...forward, externalPort: 81 }), InputError, "first session");
});
