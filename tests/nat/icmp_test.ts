import { assertEquals } from "@std/assert";
import { gatewayStats, type NatProfileOptions } from "../../src/nat/nat.ts";
import { Laboratory, SECOND, SYN } from "./harness.ts";

const MODES: [string, NatProfileOptions][] = [
  ["shared mappings", { mapping: "endpoint-independent" }],
  ["exclusive ports", {}],
  ["overloaded ports", { overloading: true }],
];

for (const [name, behaviour] of MODES) {
  Deno.test(`echo requests and replies are translated by query id (${name})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...behaviour, portAssignment: "sequential" });
    const ping = (src: string, id: number) => lab.out(gw, { protocol: "icmp", src, dst: "192.0.2.1", id });
    assertEquals(ping("10.0.0.1", 7), "forward 203.0.113.1 > 192.0.2.1 id 1024");
    assertEquals(ping("10.0.0.2", 7), "forward 203.0.113.1 > 192.0.2.1 id 1025");
    const reply = { protocol: "icmp", type: 0, src: "192.0.2.1", dst: "203.0.113.1" } as const;
    assertEquals(lab.in(gw, { ...reply, id: 1025 }), "forward 192.0.2.1 > 10.0.0.2 id 7");
    assertEquals(lab.in(gw, { ...reply, id: 1024 }), "forward 192.0.2.1 > 10.0.0.1 id 7");
    assertEquals(lab.in(gw, { ...reply, id: 1026 }), "no-mapping");
    assertEquals(lab.out(gw, { protocol: "icmp", type: 0, src: "10.0.0.9", dst: "192.0.2.1", id: 3 }), "no-mapping");
  });

  Deno.test(`an error from outside reaches the internal endpoint, and quotes what that sent (${name})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...behaviour, portAssignment: "sequential" });
    assertEquals(lab.tcp(gw, "10.0.0.1:5000", "192.0.2.1:80"), "203.0.113.1:1024");
    const quoted = { src: "203.0.113.1", sport: 1024, dst: "192.0.2.1", dport: 80, flags: SYN };
    const error = { protocol: "icmp", type: 11, src: "198.51.100.254", dst: "203.0.113.1" } as const;
    assertEquals(
      lab.in(gw, { ...error, quoted }),
      "forward 198.51.100.254 > 10.0.0.1 quoting 10.0.0.1:5000 > 192.0.2.1:80",
    );
    assertEquals(lab.in(gw, { ...error, quoted: { ...quoted, dport: 81 } }), "no-mapping");
    assertEquals(lab.in(gw, { ...error, quoted: { ...quoted, sport: 1025 } }), "no-mapping");
  });

  Deno.test(`an error about a ping is translated by the quoted query id (${name})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...behaviour, portAssignment: "sequential" });
    lab.out(gw, { protocol: "icmp", src: "10.0.0.1", dst: "192.0.2.1", id: 7 });
    const quoted = { protocol: "icmp", src: "203.0.113.1", dst: "192.0.2.1", id: 1024 } as const;
    const error = { protocol: "icmp", type: 3, src: "192.0.2.1", dst: "203.0.113.1", quoted } as const;
    assertEquals(lab.in(gw, error), "forward 192.0.2.1 > 10.0.0.1 quoting 10.0.0.1 > 192.0.2.1 id 7");
  });

  Deno.test(`an error from inside leaves from the external address, and quotes what outside sent (${name})`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway({ ...behaviour, portAssignment: "sequential" });
    lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:53");
    const quoted = { protocol: "udp", src: "192.0.2.1", sport: 53, dst: "10.0.0.1", dport: 5000 } as const;
    for (const src of ["10.0.0.1", "10.9.9.9"]) {
      const error = { protocol: "icmp", type: 3, src, dst: "192.0.2.1", quoted } as const;
      assertEquals(
        lab.out(gw, error),
        "forward 203.0.113.1 > 192.0.2.1 quoting 192.0.2.1:53 > 203.0.113.1:1024",
      );
    }
  });
}

Deno.test("errors neither refresh nor end a session", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ udpNs: 100 * SECOND });
  lab.udp(gw, "10.0.0.1:5000", "192.0.2.1:53");
  lab.advance(50 * SECOND);
  const quoted = { protocol: "udp", src: "203.0.113.1", sport: 5000, dst: "192.0.2.1", dport: 53 } as const;
  lab.in(gw, { protocol: "icmp", type: 3, src: "192.0.2.1", dst: "203.0.113.1", quoted });
  assertEquals(lab.udpIn(gw, "192.0.2.1:53", "203.0.113.1:5000"), "10.0.0.1:5000");
  assertEquals(lab.advance(100 * SECOND), 1);
});

Deno.test("a ping to the gateway itself is left to the driver and not counted as refused", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  assertEquals(lab.in(gw, { protocol: "icmp", src: "192.0.2.1", dst: "203.0.113.1", id: 9 }), "no-mapping");
  assertEquals(gatewayStats(lab.nat, gw).refusals, {});
});
