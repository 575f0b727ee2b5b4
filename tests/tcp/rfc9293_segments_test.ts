// RFC 9293 3.1, 3.7, 3.8, 3.9.1.2: segments, windows, pushes. Ids are of Appendix B.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { connect, connectionInfo, send, setKeepAlive, setNoDelay, shutdownWrite } from "../../src/tcp/mod.ts";
import { HOST } from "../../src/transport/hosts.ts";
import { makeProfile } from "../../src/transport/profile.ts";
import { A, MS, SECOND, World } from "./harness.ts";
import { active, opening, passive, RawPeer } from "./raw_peer.ts";

/** Enough congestion window that it is never the limit. */
const WIDE = { profileA: { initialWindowSegments: 200 } };

// MUST-1
Deno.test("a window with its top bit set is a large one, not a negative one", () => {
  const peer = active({ window: 40_000 }, WIDE);
  send(peer.world.stack, peer.conn, 100_000);
  peer.world.drain();
  // Segments of full size, and as Linux at the end of a group what the window has left.
  assertEquals(peer.take().reduce((sum, s) => sum + s.length, 0), 40_000);
  peer.window = 50_000;
  peer.ack += 40_000;
  peer.send(".");
  assertEquals(peer.take().reduce((sum, s) => sum + s.length, 0), 50_000);
  // An ACK when nothing waits takes another way through the code.
  peer.ack += 50_000;
  peer.send(".");
  peer.window = 60_000;
  peer.ack = connectionInfo(peer.world.stack, peer.conn).sndEnd;
  peer.send(".");
  peer.take();
  send(peer.world.stack, peer.conn, 100_000);
  peer.world.drain();
  assertEquals(peer.take().reduce((sum, s) => sum + s.length, 0), 60_000);
});

// REC-1
Deno.test("a window scaled by 14 is kept and used in 32 bits", () => {
  const peer = active({ shift: 14 }, { profileA: { initialWindowSegments: 200 } });
  peer.window = 65_535;
  peer.send(".");
  assertEquals(connectionInfo(peer.world.stack, peer.conn).sndWnd, 65_535 * 2 ** 14);
  send(peer.world.stack, peer.conn, 200_000);
  peer.world.drain();
  assertEquals(peer.take().reduce((sum, s) => sum + s.length, 0), 200_000);
});

// MUST-5
Deno.test("options of a SYN in a segment with data are received and mean nothing there", () => {
  const peer = active({ mss: 1000, shift: 2, tsVal: 500 });
  const before = connectionInfo(peer.world.stack, peer.conn);
  peer.tsVal = 501;
  peer.send("P.", { length: 100, mss: 99, shift: 9, sackPermitted: true });
  const after = connectionInfo(peer.world.stack, peer.conn);
  assertEquals([after.unread, after.mss, after.sndShift, after.sack], [100, before.mss, before.sndShift, before.sack]);
  assertEquals([after.timestamps, before.sack], [true, false]);
});

// MUST-65, SHLD-5, MAY-3
Deno.test("the MSS option is in every SYN and SYN-ACK, repeated ones too, and in no other segment", () => {
  for (const tsVal of [undefined, 1]) {
    const peer = opening({ tsVal });
    peer.world.run(1500 * MS);
    peer.take();
    peer.send("S.", peer.synOptions);
    peer.seq++;
    send(peer.world.stack, peer.conn, 500);
    peer.world.run(5 * SECOND);
    shutdownWrite(peer.world.stack, peer.conn);
    peer.take();
    peer.ack += 500;
    peer.send(".");
    peer.world.run(SECOND);
    const other = passive({ tsVal });
    other.data(100);
    other.world.run(SECOND);
    other.send("S");
    const all = [...peer.world.log, ...other.world.log];
    assertEquals(all.filter((s) => s.flags.includes("S")).map((s) => s.mss), [1460, 1460, 1460]);
    const kinds = [...new Set(all.map((s) => s.flags))].sort();
    assertEquals(kinds, [".", "F.", "P.", "S", "S."]);
    assertEquals(all.filter((s) => !s.flags.includes("S") && s.mss !== undefined), []);
    assertEquals(all.every((s) => s.tsVal !== undefined || s.flags === "S" || tsVal === undefined), true);
  }
});

// MUST-16, MUST-67
Deno.test("a segment is no larger than what the peer takes, nor than what the interface takes", () => {
  for (
    const [mss, mtu, announced, largest] of [[9000, 1500, 1460, 1460], [600, 1500, 1460, 600], [1460, 900, 860, 860]]
  ) {
    const world = new World();
    world.hosts.words[A * HOST.STRIDE + HOST.MTU] = mtu;
    const peer = new RawPeer(world, A, 80, { mss });
    peer.conn = connect(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0);
    world.drain();
    const [syn] = peer.take();
    peer.hostPort = syn.srcPort;
    peer.ack = syn.seq + 1;
    peer.send("S.", peer.synOptions);
    peer.seq++;
    send(world.stack, peer.conn, 5000);
    world.drain();
    assertEquals([syn.mss, Math.max(...peer.take().map((s) => s.length))], [announced, largest]);
  }
});

// MUST-58, MUST-59
Deno.test("segments that waited behind a gap are acknowledged by one ACK, when it is filled", () => {
  const peer = active();
  for (const gap of [100, 200, 300, 400]) peer.send(".", { seq: peer.seq + gap, length: 100 });
  peer.world.run(SECOND);
  peer.take();
  peer.send(".", { length: 100 });
  peer.world.run(SECOND);
  assertEquals(peer.take().map((s) => [s.flags, s.ack - peer.seq]), [[".", 500]]);
});

// MUST-61, MUST-60
Deno.test("PSH stands on the last segment of what is queued, and on no other", () => {
  const peer = active({ mss: 1000 });
  send(peer.world.stack, peer.conn, 3500);
  peer.world.drain();
  assertEquals(peer.texts(), [". 1:1001 ack 1", ". 1001:2001 ack 1", ". 2001:3001 ack 1", "P. 3001:3501 ack 1"]);
});

// SHLD-27, SHLD-28, MAY-16
Deno.test("what several small sends left behind a shut window goes in segments of full size, with one PSH", () => {
  const peer = active({ mss: 1000 });
  setNoDelay(peer.world.stack, peer.conn, true);
  peer.window = 0;
  peer.data(1);
  peer.take();
  for (let i = 0; i < 25; i++) send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  assertEquals(peer.take(), []);
  peer.window = 60_000;
  peer.send(".");
  assertEquals(peer.texts(), [". 1:1001 ack 2", ". 1001:2001 ack 2", "P. 2001:2501 ack 2"]);
});

// MUST-60
Deno.test("data that waits for a full segment goes once what is in flight is acknowledged", () => {
  const peer = active({ mss: 1000 });
  send(peer.world.stack, peer.conn, 10);
  send(peer.world.stack, peer.conn, 20);
  send(peer.world.stack, peer.conn, 30);
  peer.world.drain();
  assertEquals(peer.texts(), ["P. 1:11 ack 1"]);
  peer.ack += 10;
  peer.send(".");
  assertEquals(peer.texts(), ["P. 11:61 ack 1"]);
});

// SHLD-15, MUST-34
Deno.test("no new data goes into a window that has shrunk below what is in flight", () => {
  const peer = active({ mss: 1000 }, WIDE);
  send(peer.world.stack, peer.conn, 5000);
  peer.world.drain();
  peer.take();
  peer.window = 2000;
  peer.ack += 1000;
  peer.send(".");
  send(peer.world.stack, peer.conn, 5000);
  peer.world.run(100 * MS);
  assertEquals(peer.take(), []);
  assertEquals(peer.state, "ESTABLISHED");
});

// SHLD-16, MAY-7
Deno.test("after a window has shrunk, what lies within it is repeated, and nothing beyond it", () => {
  const peer = active({ mss: 1000 }, WIDE);
  send(peer.world.stack, peer.conn, 5000);
  peer.world.drain();
  peer.take();
  peer.window = 2000;
  peer.ack += 1000;
  peer.send(".");
  peer.world.run(5 * SECOND);
  const repeated = peer.take();
  assert(repeated.some((s) => s.seq - peer.base === 1001 && s.length === 1000));
  assert(repeated.every((s) => s.seq + s.length - peer.base <= 3001));
  // The oldest segment alone may go into no window at all, even where the congestion window lets more out.
  peer.window = 0;
  peer.ack += 1000;
  peer.send(".");
  peer.world.run(20 * SECOND);
  const beyond = peer.take();
  assert(beyond.length > 0 && beyond.every((s) => s.seq + s.length - peer.base <= 3001), `${beyond.length}`);
});

// SHLD-17
Deno.test("data beyond a shrunk window does not end the connection while the peer answers, however short the patience", () => {
  const peer = active({ mss: 1000 }, { profileA: { retries2: 3 } });
  send(peer.world.stack, peer.conn, 4000);
  peer.world.drain();
  peer.take();
  peer.window = 0;
  peer.send(".");
  for (let i = 0; i < 1000; i++) {
    peer.world.run(SECOND);
    for (const _ of peer.take()) peer.send(".");
  }
  assertEquals(peer.state, "ESTABLISHED");
  peer.world.run(600 * SECOND);
  assertEquals(peer.state, "CLOSED");
});

// MUST-26
Deno.test("no keep-alive is sent while data is in flight: the retransmission timer finds a dead peer", () => {
  const peer = active();
  setKeepAlive(peer.world.stack, peer.conn, true, { idleMs: 500, intervalMs: 500, probes: 100 });
  send(peer.world.stack, peer.conn, 100);
  peer.world.run(20 * SECOND);
  assertEquals(peer.world.stack.counters.keepAliveProbes, 0);
  assertEquals(peer.take().every((s) => s.length === 100), true);
  peer.ack += 100;
  peer.send(".");
  peer.world.run(2 * SECOND);
  assert(peer.world.stack.counters.keepAliveProbes > 0);
});

// MUST-24, MUST-27
Deno.test("keep-alives are turned on and off for one connection, with times of its own", () => {
  const peer = active();
  setKeepAlive(peer.world.stack, peer.conn, true, { idleMs: 3000, intervalMs: 1000, probes: 3 });
  peer.world.run(2900 * MS);
  assertEquals(peer.take(), []);
  peer.world.run(200 * MS);
  assertEquals(peer.take().length, 1);
  setKeepAlive(peer.world.stack, peer.conn, false);
  peer.world.run(3600 * SECOND);
  assertEquals([peer.take(), peer.state], [[], "ESTABLISHED"]);
});

// SHLD-12
Deno.test("a keep-alive probe carries no data and lies one before what the peer has acknowledged", () => {
  const peer = active();
  setKeepAlive(peer.world.stack, peer.conn, true, { idleMs: 1000, intervalMs: 1000, probes: 5 });
  send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  peer.ack += 100;
  peer.send(".");
  peer.take();
  peer.world.run(2500 * MS);
  assertEquals(peer.texts(), [". 100:100 ack 1", ". 100:100 ack 1"]);
});

// SHLD-29, SHLD-30
Deno.test("the first probe of a shut window goes after the retransmission timeout, each next one after twice the time", () => {
  const peer = active();
  peer.window = 0;
  peer.data(1);
  peer.world.run(SECOND);
  peer.take();
  const start = peer.world.nowNs;
  const rtoMs = connectionInfo(peer.world.stack, peer.conn).rtoMs;
  send(peer.world.stack, peer.conn, 1000);
  peer.world.run(8 * rtoMs * MS);
  const times = peer.take().map((s) => Math.round((s.time - start) / MS / rtoMs));
  assertEquals(times, [1, 3, 7]);
});

// MUST-40, SHLD-18
Deno.test("an acknowledgement waits for less than half a second, however data comes, and no profile can have it wait longer", () => {
  assertThrows(() => makeProfile({ delayedAckMs: 500 }), RangeError, "0 to 499");
  for (const delayedAckMs of [40, 499]) {
    const peer = passive({}, { profileB: { delayedAckMs } });
    for (let i = 0; i < 60; i++) {
      peer.data(10);
      const sent = peer.world.nowNs;
      peer.world.run(499 * MS);
      const acks = peer.take().filter((s) => s.ack === peer.seq);
      assert(acks.length === 1 && acks[0].time - sent < 500 * MS, `${i}: ${acks.length}`);
      peer.world.run((i * 37 % 900) * MS);
    }
  }
});

// MUST-19
Deno.test("in congestion avoidance the window grows by one segment a round trip", () => {
  const peer = active({ mss: 1000 }, { profileA: { congestionControl: "reno" } });
  const cwnd = () => connectionInfo(peer.world.stack, peer.conn).cwnd;
  send(peer.world.stack, peer.conn, 200_000);
  peer.world.drain();
  peer.take();
  // The first ACK after the SYN-ACK is newer than it: a window update (SND.WL1), no duplicate.
  peer.send(".");
  // A loss halves the window: from here on it is at the threshold.
  for (let i = 0; i < 3; i++) peer.send(".");
  peer.take();
  peer.ack = (connectionInfo(peer.world.stack, peer.conn).sndNxt) >>> 0;
  peer.send(".");
  const windows = [cwnd()];
  for (let round = 0; round < 4; round++) {
    peer.world.run(50 * MS);
    for (const segment of peer.take()) {
      peer.ack = segment.seq + segment.length;
      peer.send(".");
    }
    windows.push(cwnd());
  }
  assertEquals(windows.map((window) => window - windows[0]), [0, 1, 2, 3, 4]);
  assert(windows[0] >= 4 && windows[0] < 10, `${windows}`);
});

// MAY-18
Deno.test("a profile chooses the congestion control: after a loss NewReno keeps half the window, CUBIC 70% (RFC 9438 4.6)", () => {
  const kept = ["reno", "cubic"].map((congestionControl) => {
    const peer = active({ mss: 1000 }, { profileA: { congestionControl, initialWindowSegments: 20 } });
    send(peer.world.stack, peer.conn, 20_000);
    peer.world.drain();
    // One window update, newer than the SYN-ACK, and three duplicates.
    for (let i = 0; i < 4; i++) peer.send(".");
    return connectionInfo(peer.world.stack, peer.conn).ssthresh;
  });
  assertEquals(kept, [10, 14]);
});
