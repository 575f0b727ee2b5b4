// RFC 5961, RFC 7323, RFC 6191, RFC 1337, RFC 5927: what keeps strangers and old segments out.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { A, B, MS, SECOND, World } from "./harness.ts";
import { active, opening, passive } from "./raw_peer.ts";
import {
  accept,
  closeConnection,
  connect,
  connectionInfo,
  listen,
  send,
  stateCounts,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";

Deno.test("challenge ACKs are limited for each second of the host (RFC 5961 section 10)", () => {
  const peer = active({}, { profileA: { challengeAckLimitPerSecond: 5, invalidRateLimitMs: 0 } });
  for (let i = 0; i < 20; i++) peer.send("R", { seq: peer.seq + 50 });
  assertEquals(peer.take().length, 5);
  assertEquals(peer.world.stack.counters.challengeAcksLimited, 15);
  peer.world.run(SECOND);
  peer.send("R", { seq: peer.seq + 50 });
  assertEquals(peer.take().length, 1);
});

Deno.test("one connection answers at most one of a half second's invalid segments without data (Linux tcp_invalid_ratelimit)", () => {
  const peer = active();
  peer.send("R", { seq: peer.seq + 50 });
  peer.send("S");
  peer.send(".", { seq: peer.seq + 1_000_000 });
  assertEquals(peer.take().length, 1);
  peer.send(".", { seq: peer.seq + 1_000_000, length: 10 });
  assertEquals(peer.take().length, 1, "data is no part of a loop of ACKs");
  peer.world.run(500 * MS);
  peer.send(".", { seq: peer.seq + 1_000_000 });
  assertEquals(peer.take().length, 1);
});

Deno.test("an ACK older than the largest window is challenged, a merely old one is not (RFC 5961 5.2)", () => {
  const peer = active({ window: 1000 });
  peer.world.stack.setNow(peer.world.nowNs);
  send(peer.world.stack, peer.conn, 500);
  peer.world.drain();
  peer.ack += 500;
  peer.send(".");
  peer.take();
  peer.send(".", { ack: peer.ack - 400 });
  assertEquals(peer.take(), []);
  peer.send(".", { ack: peer.ack - 200_000 });
  assertEquals(peer.take().map((s) => s.flags), ["."]);
  assertEquals(peer.world.stack.counters.challengeAcks, 1);
});

Deno.test("data with an old ACK is still taken", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 500);
  peer.world.drain();
  const old = peer.ack;
  peer.ack += 500;
  peer.send(".");
  peer.send(".", { ack: old, length: 10 });
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 10);
});

Deno.test("PAWS: a segment with an older timestamp is dropped and acknowledged", () => {
  const peer = active({ tsVal: 5000 });
  peer.tsVal = 5100;
  peer.data(100);
  peer.take();
  peer.send("P.", { length: 100, tsVal: 5050 });
  assertEquals(peer.take().map((s) => [s.flags, s.length]), [[".", 0]]);
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 100);
  assertEquals(peer.world.stack.counters.pawsRejects, 1);
  peer.send("P.", { length: 100, tsVal: 5100 });
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 200);
});

Deno.test("PAWS does not protect a reset, and gives way after 24 days of silence (RFC 7323 5.3, 5.5)", () => {
  const peer = active({ tsVal: 5000 });
  peer.world.run(26 * 86400 * SECOND);
  peer.send("P.", { length: 100, tsVal: 4000 });
  assertEquals(connectionInfo(peer.world.stack, peer.conn).unread, 100);
  peer.seq += 100;
  peer.send("R", { tsVal: 10 });
  assertEquals(peer.state, "CLOSED");
});

Deno.test("TS.Recent follows only segments that begin at or before Last.ACK.sent (RFC 7323 4.3)", () => {
  const peer = active({ tsVal: 5000 });
  peer.tsVal = 6000;
  // Beyond a gap: its timestamp is not echoed.
  peer.send(".", { seq: peer.seq + 1000, length: 100 });
  assertEquals(peer.take().at(-1)!.tsEcr, 5000);
  peer.tsVal = 6001;
  peer.data(1000);
  assertEquals(peer.take().at(-1)!.tsEcr, 6001);
});

Deno.test("no timestamps are sent unless both sides offered them", () => {
  const without = active();
  send(without.world.stack, without.conn, 10);
  without.world.drain();
  assertEquals(without.take().at(-1)!.tsVal, undefined);
  const refused = active({ tsVal: 1 }, { profileA: { timestamps: false } });
  assertEquals(refused.world.log[0].tsVal, undefined);
  assertEquals(connectionInfo(refused.world.stack, refused.conn).timestamps, false);
});

function intoTimeWait(tsVal?: number) {
  const peer = passive({ tsVal });
  const { world } = peer;
  closeConnection(world.stack, peer.conn);
  world.drain();
  peer.ack++;
  peer.send("F.");
  peer.seq++;
  peer.take();
  assertEquals(stateCounts(world.stack), { LISTEN: 1, TIME_WAIT: 1 });
  return peer;
}

Deno.test("TIME_WAIT takes a new SYN whose sequence number is higher, with an ISN beyond the old one", () => {
  const peer = intoTimeWait();
  peer.send("S", { seq: peer.seq + 1000, mss: 1460 });
  const [synAck] = peer.take();
  assertEquals([synAck.flags, synAck.ack], ["S.", (peer.seq + 1001) >>> 0]);
  assert(((synAck.seq - peer.ack) | 0) > 65535);
  assertEquals(peer.world.stack.counters.timeWaitsRecycled, 1);
});

Deno.test("TIME_WAIT answers a new SYN with a lower sequence number with an ACK", () => {
  const peer = intoTimeWait();
  peer.send("S", { seq: peer.seq - 1000, mss: 1460 });
  assertEquals(peer.take().map((s) => [s.flags, s.ack]), [[".", peer.seq]]);
});

Deno.test("TIME_WAIT takes a new SYN with a higher timestamp even if its sequence number is lower (RFC 6191)", () => {
  const peer = intoTimeWait(7000);
  peer.send("S", { seq: peer.seq - 1000, tsVal: 7000, mss: 1460 });
  assertEquals(peer.take().map((s) => s.flags), ["."]);
  peer.send("S", { seq: peer.seq - 1000, tsVal: 7001, mss: 1460 });
  assertEquals(peer.take().map((s) => s.flags), ["S."]);
});

Deno.test("TIME_WAIT acknowledges the FIN again and starts its 60 seconds anew", () => {
  const peer = intoTimeWait();
  peer.world.run(50 * SECOND);
  peer.send("F.", { seq: peer.seq - 1 });
  assertEquals(peer.take().map((s) => [s.flags, s.ack]), [[".", peer.seq]]);
  peer.world.run(59 * SECOND);
  assertEquals(peer.world.stack.timeWaits.inUse, 1);
  peer.world.run(2 * SECOND);
  assertEquals(peer.world.stack.timeWaits.inUse, 0);
});

Deno.test("TIME_WAIT is not assassinated by a reset that is off by one (RFC 1337)", () => {
  const peer = intoTimeWait();
  peer.send("R", { seq: peer.seq + 1 });
  assertEquals(peer.world.stack.timeWaits.inUse, 1);
  peer.send(".", { seq: peer.seq - 100, length: 50 });
  assertEquals(peer.take().map((s) => s.flags), ["."]);
  peer.send("R");
  assertEquals(peer.world.stack.timeWaits.inUse, 0);
});

Deno.test("a port in TIME_WAIT is reused by connect only if the profile allows, after a second, with timestamps", () => {
  for (const timeWaitReuse of [false, true]) {
    const world = new World({ profileA: { timeWaitReuse } });
    const { stack } = world;
    const listener = listen(stack, B, 0, 80, { backlog: 5, app: 0 });
    const first = connect(stack, A, world.addressA, 4000, world.addressB, 80, 0);
    world.run(50 * MS);
    closeConnection(stack, first);
    world.run(50 * MS);
    closeConnection(stack, accept(stack, listener));
    world.run(50 * MS);
    assertEquals(stack.timeWaits.inUse, 1);
    assertEquals(connect(stack, A, world.addressA, 4000, world.addressB, 80, 0), -ERRNO.EADDRNOTAVAIL);
    world.run(2 * SECOND);
    const again = connect(stack, A, world.addressA, 4000, world.addressB, 80, 0);
    assertEquals(again > 0, timeWaitReuse);
    world.run(100 * MS);
    if (timeWaitReuse) assertEquals(world.state(again), "ESTABLISHED");
  }
});

Deno.test("a tuple in use is EADDRNOTAVAIL, and another destination from the same port is not", () => {
  const world = new World();
  assert(connect(world.stack, A, world.addressA, 4000, world.addressB, 80, 0) > 0);
  assertEquals(connect(world.stack, A, world.addressA, 4000, world.addressB, 80, 0), -ERRNO.EADDRNOTAVAIL);
  assert(connect(world.stack, A, world.addressA, 4000, world.addressB, 81, 0) > 0);
});

Deno.test("initial sequence numbers differ by tuple and host and follow a clock of 4 µs (RFC 6528)", () => {
  const isnOf = (startNs: number, port: number, seed = 1) => {
    const world = new World({ startNs, seed });
    connect(world.stack, A, world.addressA, port, world.addressB, 80, 0);
    world.drain();
    return world.log[0].seq;
  };
  assertEquals((isnOf(SECOND + 4_000_000, 4000) - isnOf(SECOND, 4000)) | 0, 1000);
  assertNotEquals(isnOf(SECOND, 4000), isnOf(SECOND, 4001));
  assertNotEquals(isnOf(SECOND, 4000), isnOf(SECOND, 4000, 2));
});

Deno.test("initial sequence numbers do not depend on address ids or rows", () => {
  const isns = [false, true].map((crowd) => {
    const world = new World();
    const peer = world.addresses.intern("198.51.100.7");
    if (crowd) {
      for (let i = 0; i < 20; i++) connect(world.stack, B, world.addressB, 3000 + i, peer, 80, 0);
      world.drain();
    }
    connect(world.stack, A, world.addressA, 4000, world.addressB, 80, 0);
    world.drain();
    return world.log.at(-1)!.seq;
  });
  assertEquals(isns[0], isns[1]);
});

Deno.test("ICMP port unreachable ends an attempt with ECONNREFUSED, host unreachable with EHOSTUNREACH", () => {
  for (const [code, errno] of [[3, ERRNO.ECONNREFUSED], [1, ERRNO.EHOSTUNREACH], [0, ERRNO.ENETUNREACH]]) {
    const peer = opening();
    peer.world.injectIcmp(A, 3, code, peer.world.log[0]);
    assertEquals([peer.world.events.at(-1)!.kind, peer.world.events.at(-1)!.arg], [TCP_EVENT.FAILED, errno]);
  }
});

Deno.test("an ICMP error for a sequence number that is not in flight is ignored (RFC 5927)", () => {
  const peer = opening();
  peer.world.injectIcmp(A, 3, 3, { ...peer.world.log[0], seq: peer.world.log[0].seq + 999 });
  assertEquals(peer.state, "SYN_SENT");
});

Deno.test("an ICMP error does not abort an established connection, but names the reason when it times out", () => {
  const peer = active({}, { profileA: { retries2: 3 } });
  send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  peer.world.injectIcmp(A, 3, 1, peer.take()[0]);
  assertEquals(peer.state, "ESTABLISHED");
  peer.world.run(60 * SECOND);
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.EHOSTUNREACH);
});

Deno.test("ICMP fragmentation needed lowers the MSS and sends again what was too big (RFC 1191)", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 3000);
  peer.world.drain();
  const sent = peer.take();
  assertEquals(sent.map((s) => s.length), [1460, 1460, 80]);
  peer.world.injectIcmp(A, 3, 4, sent[0], 1000);
  assertEquals(connectionInfo(peer.world.stack, peer.conn).mss, 960);
  const again = peer.take();
  assertEquals(again.map((s) => [(s.seq - peer.base - 1) | 0, s.length]), [[0, 960], [960, 960], [1920, 960], [
    2880,
    120,
  ]]);
});

Deno.test("a segment for nobody is answered with a reset, a reset is not", () => {
  const world = new World();
  world.inject(A, { flags: ".", seq: 7, ack: 1234, srcPort: 1, dstPort: 2 });
  world.inject(A, { flags: "F", seq: 7, length: 10, srcPort: 1, dstPort: 2 });
  world.inject(A, { flags: "R", seq: 7, srcPort: 1, dstPort: 2 });
  assertEquals(world.toRaw.map((s) => [s.flags, s.seq, s.ack]), [["R", 1234, 0], ["R.", 0, 18]]);
});

Deno.test("a listener answers a stray ACK with a reset and ignores a stray reset", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  world.inject(B, { flags: ".", seq: 7, ack: 99, srcPort: 1, dstPort: 80 });
  world.inject(B, { flags: "R", seq: 7, srcPort: 1, dstPort: 80 });
  assertEquals(world.toRaw.map((s) => [s.flags, s.seq]), [["R", 99]]);
});
