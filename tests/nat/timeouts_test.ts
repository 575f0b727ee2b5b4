import { assertEquals } from "@std/assert";
import { sessions } from "../../src/nat/nat.ts";
import { ACK, FIN, Laboratory, RST, SECOND, SYN } from "./harness.ts";

const INNER = "10.0.0.1:5000";
const OUTER = "203.0.113.1:5000";
const SERVER = "192.0.2.1:80";

/** How long the one session of the gateway has left, s, and its state. */
function left(lab: Laboratory, gateway: number): [number, string] | undefined {
  const [session] = sessions(lab.nat, gateway);
  return session && [(session.expiresNs - lab.nowNs) / SECOND, session.state];
}

Deno.test("a TCP session is transitory until both sides have acknowledged the other's SYN, then established", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.tcp(gw, INNER, SERVER, SYN);
  assertEquals(left(lab, gw), [240, "SYN_SENT"]);
  lab.advance(SECOND);
  lab.tcpIn(gw, SERVER, OUTER, SYN | ACK);
  assertEquals(left(lab, gw), [240, "SYN_RECV"]);
  lab.tcp(gw, INNER, SERVER, ACK);
  assertEquals(left(lab, gw), [7440, "ESTABLISHED"]);
});

Deno.test("an established session expires 7,440 s after the last packet, from whichever side, and not before", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.handshake(gw, INNER, SERVER);
  lab.advance(7439 * SECOND);
  assertEquals(lab.tcpIn(gw, SERVER, OUTER), INNER);
  assertEquals(lab.advance((7439 + 7440) * SECOND - 1), 0);
  assertEquals(lab.advance((7439 + 7440) * SECOND), 1);
  assertEquals(lab.tcpIn(gw, SERVER, OUTER), "no-mapping");
  assertEquals(lab.tcp(gw, INNER, SERVER, ACK), "no-mapping");
});

Deno.test("an opening session that gets no answer expires after 240 s", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.tcp(gw, INNER, SERVER, SYN);
  assertEquals(lab.advance(240 * SECOND - 1), 0);
  assertEquals(lab.advance(240 * SECOND), 1);
});

Deno.test("a FIN of one side leaves a session established, the FINs of both make it transitory", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.handshake(gw, INNER, SERVER);
  lab.tcp(gw, INNER, SERVER, FIN | ACK);
  assertEquals(left(lab, gw), [7440, "FIN_WAIT"]);
  lab.advance(1000 * SECOND);
  lab.tcpIn(gw, SERVER, OUTER, ACK);
  assertEquals(left(lab, gw), [7440, "FIN_WAIT"]);
  lab.tcpIn(gw, SERVER, OUTER, FIN | ACK);
  assertEquals(left(lab, gw), [240, "TIME_WAIT"]);
  lab.advance(1100 * SECOND);
  assertEquals(lab.tcp(gw, INNER, SERVER, ACK), OUTER);
  assertEquals(left(lab, gw), [140, "TIME_WAIT"], "the last ACK does not prolong it");
  assertEquals(lab.advance(1240 * SECOND), 1);
});

for (const side of ["inside", "outside"]) {
  Deno.test(`a RST from ${side} makes a session transitory`, () => {
    const lab = new Laboratory();
    const gw = lab.gateway();
    lab.handshake(gw, INNER, SERVER);
    if (side === "inside") lab.tcp(gw, INNER, SERVER, RST);
    else lab.tcpIn(gw, SERVER, OUTER, RST | ACK);
    assertEquals(left(lab, gw), [240, "CLOSE"]);
    assertEquals(lab.advance(240 * SECOND), 1);
  });
}

Deno.test("a SYN on a closed session begins anew on the same external port", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.handshake(gw, INNER, SERVER);
  lab.tcp(gw, INNER, SERVER, FIN | ACK);
  lab.tcpIn(gw, SERVER, OUTER, FIN | ACK);
  lab.advance(100 * SECOND);
  assertEquals(lab.handshake(gw, INNER, SERVER), OUTER);
  assertEquals(left(lab, gw), [7440, "ESTABLISHED"]);
  assertEquals(lab.advance(7000 * SECOND), 0);
});

Deno.test("simultaneous open through the NAT becomes established", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.tcp(gw, INNER, SERVER, SYN);
  assertEquals(lab.tcpIn(gw, SERVER, OUTER, SYN), INNER);
  lab.tcp(gw, INNER, SERVER, SYN | ACK);
  lab.tcpIn(gw, SERVER, OUTER, SYN | ACK);
  assertEquals(left(lab, gw), [7440, "ESTABLISHED"]);
});

Deno.test("UDP sessions live 300 s by default, refreshed from inside", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.udp(gw, INNER, SERVER);
  lab.advance(299 * SECOND);
  lab.udp(gw, INNER, SERVER);
  assertEquals(lab.advance(598 * SECOND), 0);
  assertEquals(lab.advance(599 * SECOND), 1);
});

Deno.test("packets from outside refresh UDP sessions only where the gateway says so", () => {
  for (const refresh of ["outbound", "both"] as const) {
    const inboundRefresh = refresh === "both";
    const lab = new Laboratory();
    const gw = lab.gateway({ refresh, udpNs: 120 * SECOND });
    lab.udp(gw, INNER, SERVER);
    lab.advance(100 * SECOND);
    assertEquals(lab.udpIn(gw, SERVER, OUTER), INNER);
    assertEquals(lab.advance(120 * SECOND), inboundRefresh ? 0 : 1);
    assertEquals(lab.advance(220 * SECOND), inboundRefresh ? 1 : 0);
  }
});

Deno.test("ICMP queries live 60 s", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.out(gw, { protocol: "icmp", src: "10.0.0.1", dst: "192.0.2.1", id: 77 });
  assertEquals(lab.advance(60 * SECOND - 1), 0);
  assertEquals(lab.advance(60 * SECOND), 1);
});

Deno.test("a shared mapping lives as long as its last session", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ mapping: "endpoint-independent" });
  const external = lab.udp(gw, INNER, SERVER);
  lab.advance(200 * SECOND);
  assertEquals(lab.udp(gw, INNER, "198.51.100.1:53"), external);
  assertEquals(lab.advance(300 * SECOND), 1);
  assertEquals(lab.udpIn(gw, SERVER, external), "filtered");
  assertEquals(lab.advance(500 * SECOND), 1);
  assertEquals(lab.udpIn(gw, SERVER, external), "no-mapping");
});

Deno.test("refreshing touches no timer: a busy session asks for one entry per timeout", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ udpNs: 100 * SECOND });
  let requests = 0;
  for (let second = 0; second <= 1000; second++) {
    lab.advance(second * SECOND);
    lab.udp(gw, INNER, SERVER);
    requests += lab.nat.timerRequestCount;
  }
  assertEquals(requests, 1, "requeues happen inside advance()");
  assertEquals([...lab.queue.values()].flat().length, 0 + 1);
});

Deno.test("a stale wheel entry of a row that was used again does nothing", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.handshake(gw, INNER, SERVER);
  lab.advance(1000 * SECOND); // its entry now stands at 7,440 s
  lab.tcp(gw, INNER, SERVER, RST); // and a second one at 1,240 s
  assertEquals(lab.advance(1240 * SECOND), 1);
  lab.handshake(gw, "10.0.0.2:6000", SERVER); // the same row
  assertEquals(lab.nat.sessions.end, 2);
  assertEquals(lab.advance(7440 * SECOND), 0);
  assertEquals(lab.advance(1240 * SECOND + 7440 * SECOND), 1);
});

Deno.test("times within a millisecond round up: no session dies early", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ udpNs: 1_500_000 });
  lab.advance(300_000);
  lab.udp(gw, INNER, SERVER);
  assertEquals(lab.advance(2_999_999), 0);
  assertEquals(lab.advance(3_000_000), 1);
});
