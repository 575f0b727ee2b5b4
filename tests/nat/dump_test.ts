/** What dumps show: sessions as conntrack has them, mappings, restarts. */
import { assertEquals } from "@std/assert";
import {
  addForward,
  allSessions,
  gatewayStats,
  mappings,
  type NatSession,
  type NatTuple,
  restartGateway,
  sessions,
} from "../../src/nat/nat.ts";
import { ACK, FIN, Laboratory, RST, SECOND, SYN } from "./harness.ts";

const INNER = "10.0.0.1:5000";
const OUTER = "203.0.113.1:5000";
const SERVER = "192.0.2.1:80";

function tuple(lab: Laboratory, { source, destination, sourcePort, destinationPort }: NatTuple): string {
  const text = (id: number) => lab.addresses.toText(id);
  return `${text(source)}:${sourcePort} > ${text(destination)}:${destinationPort}`;
}

const flags = ({ replied, assured, fromOutside }: NatSession) => [replied, assured, fromOutside];

Deno.test("a session shows both tuples, the timeout left, UNREPLIED and ASSURED, as conntrack -L", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ portAssignment: "sequential" });
  lab.tcp(gw, INNER, SERVER, SYN);
  const look = () => [...sessions(lab.nat, gw)][0];
  assertEquals(tuple(lab, look().original), "10.0.0.1:5000 > 192.0.2.1:80");
  assertEquals(tuple(lab, look().reply), "192.0.2.1:80 > 203.0.113.1:1024");
  assertEquals([look().protocolNumber, look().state, ...flags(look())], [6, "SYN_SENT", false, false, false]);
  lab.advance(2 * SECOND);
  lab.tcpIn(gw, SERVER, "203.0.113.1:1024", SYN | ACK);
  assertEquals(flags(look()), [true, false, false]);
  lab.tcp(gw, INNER, SERVER, ACK);
  lab.advance(12 * SECOND);
  assertEquals([look().state, look().timeoutLeftNs, ...flags(look())], [
    "ESTABLISHED",
    7430 * SECOND,
    true,
    true,
    false,
  ]);
});

Deno.test("UDP is replied to with the first packet back, and assured with one more", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  const look = () => flags([...sessions(lab.nat, gw)][0]);
  lab.udp(gw, INNER, SERVER);
  lab.udp(gw, INNER, SERVER);
  assertEquals(look(), [false, false, false]);
  lab.udpIn(gw, SERVER, OUTER);
  assertEquals(look(), [true, false, false]);
  lab.udp(gw, INNER, SERVER);
  assertEquals(look(), [true, true, false]);
});

Deno.test("a session that came by a port forward shows the outer tuple first", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  const internalAddress = lab.addresses.intern("10.0.0.80");
  addForward(lab.nat, gw, { protocol: "tcp", externalPort: 443, internalAddress, internalPort: 8443 });
  lab.tcpIn(gw, "192.0.2.9:1234", "203.0.113.1:443", SYN);
  const [session] = sessions(lab.nat, gw);
  assertEquals(tuple(lab, session.original), "192.0.2.9:1234 > 203.0.113.1:443");
  assertEquals(tuple(lab, session.reply), "10.0.0.80:8443 > 192.0.2.9:1234");
  assertEquals(flags(session), [false, false, true]);
  lab.tcp(gw, "10.0.0.80:8443", "192.0.2.9:1234", SYN | ACK);
  assertEquals(flags([...sessions(lab.nat, gw)][0]), [true, false, true]);
  assertEquals(
    mappings(lab.nat, gw).map(({ externalPort, internalPort, sessions, forward }) => [
      externalPort,
      internalPort,
      sessions,
      forward,
    ]),
    [[443, 8443, 1, true]],
  );
});

Deno.test("all gateways' sessions come by the gateway's place in the scenario, then in the order of opening", () => {
  const lab = new Laboratory();
  const late = lab.gateway({ name: "late", rank: 9 });
  const early = lab.gateway({ name: "early", rank: 3 });
  for (const [gw, port] of [[late, 1], [early, 2], [late, 3], [early, 4]]) lab.udp(gw, `10.0.0.1:${port}`, SERVER);
  assertEquals([...allSessions(lab.nat)].map((s) => [s.gateway, s.internalPort, s.serial]), [
    [early, 2, 1],
    [early, 4, 2],
    [late, 1, 1],
    [late, 3, 2],
  ]);
});

Deno.test("a simultaneous open shows as SYN_SENT2 until one side acknowledges", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.tcp(gw, INNER, SERVER, SYN);
  lab.tcpIn(gw, SERVER, OUTER, SYN);
  assertEquals([...sessions(lab.nat, gw)][0].state, "SYN_SENT2");
  lab.tcp(gw, INNER, SERVER, SYN | ACK);
  assertEquals([...sessions(lab.nat, gw)][0].state, "SYN_RECV");
});

Deno.test("a restart forgets sessions, blocks, resting ports and sequential places, but no port forward and no counter", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({
    portAssignment: "sequential",
    holdDownNs: 120 * SECOND,
    udpNs: 10 * SECOND,
    log: "sessions",
    portLow: 1000,
    portHigh: 1999,
  });
  const internalAddress = lab.addresses.intern("10.0.0.80");
  addForward(lab.nat, gw, { protocol: "udp", externalPort: 53, internalAddress, internalPort: 53 });
  assertEquals(lab.udp(gw, "10.0.0.1:1", SERVER), "203.0.113.1:1000");
  lab.advance(10 * SECOND);
  lab.udp(gw, "10.0.0.1:2", SERVER);
  assertEquals(gatewayStats(lab.nat, gw).log.records, 3);
  assertEquals(restartGateway(lab.nat, gw), 1);
  const stats = gatewayStats(lab.nat, gw);
  assertEquals([stats.sessions, stats.sessionsOpened, stats.pool.udp.portsHeld], [0, 2, 0]);
  assertEquals(stats.log.records, 3, "it does not log what it forgets");
  assertEquals(lab.udp(gw, "10.0.0.9:9", SERVER), "203.0.113.1:1000");
  assertEquals(lab.udpIn(gw, "192.0.2.7:7", "203.0.113.1:53"), "10.0.0.80:53");
});

Deno.test("a RST that was not one: a segment after it brings the session back (RFC 7857 2.2, RFC 6146)", () => {
  const lab = new Laboratory();
  const gw = lab.gateway();
  lab.handshake(gw, INNER, SERVER);
  lab.tcpIn(gw, SERVER, OUTER, RST);
  const look = () => {
    const [{ state, timeoutLeftNs }] = sessions(lab.nat, gw);
    return [state, timeoutLeftNs / SECOND];
  };
  assertEquals(look(), ["CLOSE", 240]);
  lab.advance(100 * SECOND);
  lab.tcpIn(gw, SERVER, OUTER, RST);
  assertEquals(look(), ["CLOSE", 140], "another RST does not prolong it");
  lab.tcp(gw, INNER, SERVER, ACK);
  assertEquals(look(), ["ESTABLISHED", 7440]);
});

Deno.test("opening and closing have timeouts of their own where they are set (RFC 7857 2.1)", () => {
  const lab = new Laboratory();
  const gw = lab.gateway({ tcpOpeningNs: 30 * SECOND, tcpClosingNs: 10 * SECOND });
  const left = () => [...sessions(lab.nat, gw)][0].timeoutLeftNs / SECOND;
  lab.tcp(gw, INNER, SERVER, SYN);
  assertEquals(left(), 30);
  lab.tcpIn(gw, SERVER, OUTER, SYN | ACK);
  lab.tcp(gw, INNER, SERVER, ACK);
  lab.tcp(gw, INNER, SERVER, FIN | ACK);
  assertEquals(left(), 7440, "one FIN closes one direction");
  lab.tcpIn(gw, SERVER, OUTER, FIN | ACK);
  assertEquals(left(), 10);
});
