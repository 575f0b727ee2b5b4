import { assertEquals } from "@std/assert";
import { addForward, gatewayStats } from "../../src/nat/nat.ts";
import { ACK, Laboratory, SYN } from "./harness.ts";

Deno.test("hairpinning rewrites both sides: inner hosts see each other's external endpoints", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent", filtering: "endpoint-independent" });
  assertEquals(lab.udp(gw, "10.0.0.1:1111", "192.0.2.1:80"), "203.0.113.1:1111");
  assertEquals(lab.udp(gw, "10.0.0.2:2222", "192.0.2.1:80"), "203.0.113.1:2222");
  const there = { protocol: "udp", src: "10.0.0.1", sport: 1111, dst: "203.0.113.1", dport: 2222 } as const;
  assertEquals(lab.out(gw, there), "hairpin 203.0.113.1:1111 > 10.0.0.2:2222");
  const back = { protocol: "udp", src: "10.0.0.2", sport: 2222, dst: "203.0.113.1", dport: 1111 } as const;
  assertEquals(lab.out(gw, back), "hairpin 203.0.113.1:2222 > 10.0.0.1:1111");
  assertEquals(gatewayStats(lab.nat, gw).sessions, 4);
});

Deno.test("hairpinned packets are filtered as others are: both hosts must have sent", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent" });
  lab.udp(gw, "10.0.0.1:1111", "192.0.2.1:80");
  lab.udp(gw, "10.0.0.2:2222", "192.0.2.1:80");
  const there = { protocol: "udp", src: "10.0.0.1", sport: 1111, dst: "203.0.113.1", dport: 2222 } as const;
  const back = { protocol: "udp", src: "10.0.0.2", sport: 2222, dst: "203.0.113.1", dport: 1111 } as const;
  assertEquals(lab.out(gw, there), "filtered");
  assertEquals(lab.out(gw, back), "hairpin 203.0.113.1:2222 > 10.0.0.1:1111");
  assertEquals(lab.out(gw, there), "hairpin 203.0.113.1:1111 > 10.0.0.2:2222");
});

Deno.test("a gateway without hairpinning refuses, by that name", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent", filtering: "endpoint-independent", hairpinning: false });
  lab.udp(gw, "10.0.0.2:2222", "192.0.2.1:80");
  const there = { protocol: "udp", src: "10.0.0.1", sport: 1111, dst: "203.0.113.1", dport: 2222 } as const;
  assertEquals(lab.out(gw, there), "hairpinning-off");
});

for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
  Deno.test(`an inner host reaches a port forward by its external address (mapping ${mapping})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping });
    const internalAddress = lab.addresses.intern("10.0.0.80");
    addForward(lab.nat, gw, { protocol: "tcp", externalPort: 80, internalAddress, internalPort: 8080 });
    assertEquals(
      lab.out(gw, { src: "10.0.0.1", sport: 1111, dst: "203.0.113.1", dport: 80, flags: SYN }),
      "hairpin 203.0.113.1:1111 > 10.0.0.80:8080",
    );
    assertEquals(
      lab.out(gw, { src: "10.0.0.80", sport: 8080, dst: "203.0.113.1", dport: 1111, flags: SYN | ACK }),
      "hairpin 203.0.113.1:80 > 10.0.0.1:1111",
    );
  });
}

Deno.test("packets for an external endpoint that nobody has take no port", () => {
  for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
    const lab = new Laboratory();
    const gw = lab.gateway({ mapping });
    assertEquals(lab.tcp(gw, "10.0.0.1:1111", "203.0.113.1:2222"), "no-mapping");
    assertEquals(lab.out(gw, { protocol: "icmp", src: "10.0.0.1", dst: "203.0.113.1", id: 5 }), "no-mapping");
    assertEquals(gatewayStats(lab.nat, gw).sessions, 0);
  }
});

Deno.test("two hosts open towards each other through an overloading, port-preserving gateway", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ overloading: true });
  assertEquals(lab.tcp(gw, "10.0.0.1:5000", "203.0.113.1:6000"), "no-mapping");
  assertEquals(
    lab.out(gw, { src: "10.0.0.2", sport: 6000, dst: "203.0.113.1", dport: 5000, flags: SYN }),
    "hairpin 203.0.113.1:6000 > 10.0.0.1:5000",
  );
});

Deno.test("an ICMP error about a hairpinned packet comes back to its sender, quoting what that sent", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent", filtering: "endpoint-independent" });
  lab.udp(gw, "10.0.0.2:2222", "192.0.2.1:80");
  const there = { protocol: "udp", src: "10.0.0.1", sport: 1111, dst: "203.0.113.1", dport: 2222 } as const;
  assertEquals(lab.out(gw, there), "hairpin 203.0.113.1:1111 > 10.0.0.2:2222");
  const error = {
    protocol: "icmp",
    type: 3,
    src: "10.0.0.2",
    dst: "203.0.113.1",
    quoted: { protocol: "udp", src: "203.0.113.1", sport: 1111, dst: "10.0.0.2", dport: 2222 },
  } as const;
  assertEquals(
    lab.out(gw, error),
    "hairpin 203.0.113.1 > 10.0.0.1 quoting 10.0.0.1:1111 > 203.0.113.1:2222",
  );
});
