// RFC 9293 3.9.1.1, 3.9.1.9, 3.9.2: addresses, traffic class and TTL. Ids are of Appendix B.
import { assertEquals, assertThrows } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import {
  accept,
  closeConnection,
  connect,
  listen,
  receive,
  send,
  setErrorReports,
  setTrafficClass,
  setTtl,
  shutdownWrite,
} from "../../src/tcp/mod.ts";
import { A, B, SECOND, World } from "./harness.ts";
import { active, opening, passive } from "./raw_peer.ts";

/** Addresses that no connection can have, by family. */
const IMPOSSIBLE = ["255.255.255.255", "224.0.0.1", "239.255.255.255", "0.0.0.0", "0.1.2.3"];
const IMPOSSIBLE6 = ["ff02::1", "ffff::", "::"];
const POSSIBLE = ["1.0.0.0", "223.255.255.255", "240.0.0.1"];
const POSSIBLE6 = ["fe80::1", "2001:db8::ff", "::2"];

// MUST-46
Deno.test("an open to a broadcast, multicast or unspecified address is refused, and takes no port", () => {
  for (const ipv6 of [false, true]) {
    const world = new World({ ipv6 });
    for (const text of ipv6 ? IMPOSSIBLE6 : IMPOSSIBLE) {
      const remote = world.addresses.intern(text);
      assertEquals([text, connect(world.stack, A, world.addressA, 0, remote, 80, 0)], [text, -ERRNO.ENETUNREACH]);
    }
    assertEquals([world.stack.outCount, world.leaks()], [0, []]);
    for (const text of ipv6 ? POSSIBLE6 : POSSIBLE) {
      const conn = connect(world.stack, A, world.addressA, 0, world.addresses.intern(text), 80, 0);
      assertEquals([text, conn > 0], [text, true]);
    }
  }
});

// MUST-63
Deno.test("a SYN from a broadcast, multicast or unspecified address is ignored", () => {
  for (const ipv6 of [false, true]) {
    const world = new World({ ipv6 });
    const listener = listen(world.stack, B, 0, 80, { backlog: 10, app: 0 });
    const texts = ipv6 ? IMPOSSIBLE6 : IMPOSSIBLE;
    for (const text of texts) {
      world.inject(B, { flags: "S", srcPort: 5000, dstPort: 80, source: world.addresses.intern(text) });
    }
    assertEquals([world.log, world.leaks(), accept(world.stack, listener)], [[], [], 0]);
    assertEquals(world.stack.counters.listenDrops, texts.length);
    for (const text of ipv6 ? POSSIBLE6 : POSSIBLE) {
      world.inject(B, { flags: "S", srcPort: 5000, dstPort: 80, source: world.addresses.intern(text) });
    }
    assertEquals(world.log.map((s) => s.flags), ["S.", "S.", "S."]);
  }
});

// MUST-57
Deno.test("a SYN to a broadcast or multicast address is discarded without an answer, listener or not", () => {
  for (const ipv6 of [false, true]) {
    const world = new World({ ipv6 });
    listen(world.stack, B, 0, 80, { backlog: 10, app: 0 });
    for (const text of ipv6 ? IMPOSSIBLE6 : IMPOSSIBLE) {
      for (const dstPort of [80, 81]) {
        world.inject(B, { flags: "S", srcPort: 5000, dstPort, destination: world.addresses.intern(text) });
      }
    }
    assertEquals([world.log, world.leaks()], [[], []]);
    world.inject(B, { flags: "S", srcPort: 5000, dstPort: 80 });
    assertEquals(world.log.map((s) => s.flags), ["S."]);
  }
});

// MUST-43, MUST-45
Deno.test("an open from a given local address uses it in every segment, and so does a passive one", () => {
  const world = new World();
  const second = world.addresses.intern("192.0.2.77");
  listen(world.stack, B, second, 80, { backlog: 10, app: 0 });
  const conn = connect(world.stack, A, second, 0, world.addressRaw, 80, 0);
  const sources: number[] = [];
  const noteSources = () => {
    for (let i = 0; i < world.stack.outCount; i++) {
      sources.push(world.packets.rows.words[world.stack.out[i] * 16]);
    }
    world.drain();
  };
  noteSources();
  const [syn] = world.toRaw;
  const answer = { srcPort: 80, dstPort: syn.srcPort, destination: second };
  world.inject(A, { flags: "S.", seq: 1, ack: syn.seq + 1, ...answer });
  send(world.stack, conn, 100);
  shutdownWrite(world.stack, conn);
  noteSources();
  assertEquals(sources.length >= 2 && sources.every((source) => source === second), true);
  // The listener of that address takes what comes to it, and what comes to another address finds nobody.
  world.toRaw.length = 0;
  world.inject(B, { flags: "S", srcPort: 6000, dstPort: 80 });
  world.inject(B, { flags: "S", srcPort: 6000, dstPort: 80, destination: second });
  assertEquals(world.toRaw.map((s) => s.flags), ["R.", "S."]);
});

// MUST-48, SHLD-22
Deno.test("the application's traffic class stands unchanged in every segment from the SYN on", () => {
  for (const trafficClass of [0xb8, 0x28, 0xfc]) {
    const peer = opening({}, {}, { trafficClass });
    peer.send("S.", peer.synOptions);
    peer.seq++;
    send(peer.world.stack, peer.conn, 3000);
    peer.world.drain();
    peer.data(500);
    peer.world.run(SECOND);
    shutdownWrite(peer.world.stack, peer.conn);
    peer.ack += 3000;
    peer.send(".");
    peer.world.run(SECOND);
    const sent = peer.world.log.filter((s) => s.from === A);
    assertEquals([...new Set(sent.map((s) => s.flags))].sort(), [".", "F.", "P.", "S"]);
    assertEquals([...new Set(sent.map((s) => s.trafficClass))], [trafficClass]);
  }
});

// MUST-48: the TIME_WAIT row speaks for the connection.
Deno.test("the answers of TIME_WAIT carry the connection's traffic class and TTL", () => {
  const peer = active({}, {}, { trafficClass: 0x48, ttl: 200 });
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send("F.");
  peer.take();
  peer.send("F.");
  assertEquals(peer.take().map((s) => [s.flags, s.trafficClass, s.ttl]), [[".", 0x48, 200]]);
});

// SHLD-21
Deno.test("the traffic class can be changed during the life of a connection, accepted ones too", () => {
  const peer = passive();
  const seen: number[] = [];
  for (const trafficClass of [0x20, 0x40, 0]) {
    setTrafficClass(peer.world.stack, peer.conn, trafficClass);
    send(peer.world.stack, peer.conn, 10);
    peer.world.drain();
    peer.ack += 10;
    peer.send(".");
    seen.push(...peer.take().map((s) => s.trafficClass));
  }
  assertEquals(seen, [0x20, 0x40, 0]);
});

// MUST-48: each direction by itself; other connections keep theirs.
Deno.test("one connection's traffic class and TTL are not another's", () => {
  const world = new World();
  const ports = [1, 2].map((remotePort) => {
    const conn = connect(world.stack, A, world.addressA, 0, world.addressRaw, remotePort, 0);
    if (remotePort === 1) {
      setTrafficClass(world.stack, conn, 0x88);
      setTtl(world.stack, conn, 7);
    }
    return remotePort;
  });
  world.run(1.5 * SECOND);
  const repeated = world.toRaw.slice(ports.length);
  assertEquals(repeated.map((s) => [s.dstPort, s.trafficClass, s.ttl]), [[1, 0x88, 7], [2, 0, 64]]);
});

// MUST-48 beside SHLD-8: the lower two bits of the field are ECN's.
Deno.test("the two bits of ECN are not the application's", () => {
  const peer = active({}, {}, { trafficClass: 0xbb });
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.trafficClass & 0xfc), [0xb8]);
  assertEquals(peer.world.log.map((s) => s.trafficClass & 3), peer.world.log.map(() => 0));
});

// MUST-49
Deno.test("the TTL is the profile's, or the connection's own", () => {
  const peer = opening({}, { profileA: { defaultTtl: 33 } });
  setTtl(peer.world.stack, peer.conn, 44);
  peer.send("S.", peer.synOptions);
  assertEquals(peer.world.log.map((s) => s.ttl), [33, 44]);
  assertEquals(passive({}, { profileB: { defaultTtl: 9 } }).world.log.map((s) => s.ttl), [9]);
});

Deno.test("a traffic class or TTL that no header can hold is a RangeError", () => {
  const peer = active();
  for (const value of [-1, 256, 1.5]) {
    assertThrows(() => setTrafficClass(peer.world.stack, peer.conn, value), RangeError, "0 to 255");
    assertThrows(() => setTtl(peer.world.stack, peer.conn, value), RangeError, "1 to 255");
  }
  assertThrows(() => setTtl(peer.world.stack, peer.conn, 0), RangeError);
});

Deno.test("what is asked of a connection that is over changes nothing and leaves nothing behind", () => {
  const peer = active();
  peer.data(100, "P.F");
  shutdownWrite(peer.world.stack, peer.conn);
  peer.ack++;
  peer.send(".");
  assertEquals(peer.state, "CLOSED");
  setTrafficClass(peer.world.stack, peer.conn, 0x88);
  setTtl(peer.world.stack, peer.conn, 3);
  setErrorReports(peer.world.stack, peer.conn, false);
  assertEquals(receive(peer.world.stack, peer.conn, 1000), 100);
  closeConnection(peer.world.stack, peer.conn);
  peer.world.runToQuiet();
  assertEquals(peer.world.leaks(), []);
});
