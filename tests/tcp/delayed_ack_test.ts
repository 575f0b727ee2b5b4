// When ACKs go: quick ones, delayed ones, interactive sessions, TCP_QUICKACK, reading.
import { assert, assertEquals } from "@std/assert";
import {
  accept,
  connect,
  listen,
  quickAck,
  receive,
  send,
  setQuickAck,
  shutdownWrite,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";
import { A, B, MS, SECOND, World } from "./harness.ts";
import { passive, type RawPeer } from "./raw_peer.ts";

const FAST = { mss: 1000, shift: 7 };
/** Delays of the ACKs that come within a second, ms. */
const delays = (peer: RawPeer) => {
  const now = peer.world.nowNs;
  peer.world.run(SECOND);
  return peer.take().map((s) => Math.round((s.time - now) / MS));
};
/** A peer in an interactive session: its data was answered promptly. */
function interactive(): RawPeer {
  const peer = passive(FAST);
  peer.data(10);
  receive(peer.world.stack, peer.conn, 10);
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  peer.ack += 10;
  peer.send(".");
  peer.take();
  return peer;
}

Deno.test("a request and its reply take no row of a busy receiver", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  const client = connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.ACCEPTABLE) accept(world.stack, arg);
    else if (kind === TCP_EVENT.CONNECTED) send(world.stack, conn, 100);
    else if (kind === TCP_EVENT.READABLE) {
      receive(world.stack, conn, 1e6);
      if (conn !== client) send(world.stack, conn, 1000);
    }
  };
  world.run(10 * SECOND);
  assertEquals([world.stack.receivers.peak, world.stack.cold.inUse], [0, 0]);
});

Deno.test("the first segments are acknowledged one by one, sixteen of them", () => {
  const peer = passive(FAST);
  peer.take();
  for (let i = 0; i < 16; i++) {
    peer.data(1000);
    receive(peer.world.stack, peer.conn, 1000);
    assertEquals(peer.take().length, 1, `segment ${i}`);
  }
});

Deno.test("a prompt reply makes a session interactive, a late one does not (Linux's ping-pong mode)", () => {
  const prompt = interactive();
  prompt.data(10);
  assertEquals(delays(prompt), [40]);
  const late = passive(FAST);
  late.data(10);
  receive(late.world.stack, late.conn, 10);
  late.world.run(60 * MS);
  send(late.world.stack, late.conn, 10);
  late.world.drain();
  late.ack += 10;
  late.send(".");
  late.take();
  late.data(10);
  assertEquals(delays(late), [0]);
});

Deno.test("an ACK that had to be delayed without being carried ends the interactive session", () => {
  const peer = interactive();
  peer.data(10);
  assertEquals(delays(peer), [40]);
  receive(peer.world.stack, peer.conn, 10);
  peer.data(10);
  assertEquals(delays(peer), [0]);
});

Deno.test("the delay adapts to the gaps between segments (ATO)", () => {
  const peer = interactive();
  // Segments 30 ms apart: 20 + 30, and then 25 + 30.
  for (let i = 0; i < 2; i++) {
    peer.data(10);
    peer.world.run(30 * MS);
    peer.take();
  }
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  peer.ack += 10;
  peer.take();
  peer.data(10);
  const [delay] = delays(peer);
  assert(delay >= 40 && delay <= 60, `${delay}`);
});

Deno.test("a segment beyond a gap and one that was received twice start quick ACKs, in an interactive session too", () => {
  for (const disturb of [1000, -10]) {
    const peer = interactive();
    peer.send("P.", { seq: peer.seq + disturb, length: 10 });
    assertEquals(delays(peer), [0]);
    peer.data(10);
    assertEquals(delays(peer), [0]);
  }
});

Deno.test("TCP_QUICKACK 0 delays ACKs, 1 sends what is owed and leaves the interactive mode", () => {
  const peer = passive(FAST);
  peer.take();
  setQuickAck(peer.world.stack, peer.conn, 0);
  assertEquals(quickAck(peer.world.stack, peer.conn), false);
  peer.data(10);
  receive(peer.world.stack, peer.conn, 10);
  assertEquals(peer.take(), []);
  setQuickAck(peer.world.stack, peer.conn, 1);
  peer.world.drain();
  assertEquals(peer.take().length, 1);
  assertEquals(quickAck(peer.world.stack, peer.conn), true);
  peer.data(10);
  assertEquals(peer.take().length, 1);
});

Deno.test("reading the last byte of what was pushed twice sends the ACK that is owed (Linux tcp_cleanup_rbuf)", () => {
  const peer = interactive();
  peer.data(10);
  peer.data(10);
  assertEquals(peer.take(), []);
  receive(peer.world.stack, peer.conn, 15);
  peer.world.drain();
  assertEquals(peer.take(), []);
  receive(peer.world.stack, peer.conn, 5);
  peer.world.drain();
  assertEquals(peer.take().length, 1);
});

Deno.test("a FIN before any data is acknowledged after a millisecond, or by our own FIN", () => {
  const alone = passive(FAST);
  alone.take();
  alone.data(0, "F.");
  assertEquals(delays(alone), [1]);
  const answered = passive(FAST);
  answered.take();
  answered.data(0, "F.");
  shutdownWrite(answered.world.stack, answered.conn);
  answered.world.drain();
  answered.world.run(100 * MS);
  assertEquals(answered.take().map((s) => s.flags), ["F."]);
});

Deno.test("ACKs for data beyond a gap can be held back after three, for a twentieth of a round trip (comp_sack)", () => {
  const peer = passive({ ...FAST, sackPermitted: true, tsVal: 1 }, {
    profileB: { compressedAckDelayNs: 1e6, compressedAckCount: 5 },
  });
  peer.take();
  for (let i = 1; i <= 3; i++) peer.send(".", { seq: peer.seq + 1000 * i, length: 1000 });
  for (let i = 4; i <= 16; i++) peer.send(".", { seq: peer.seq + 1000 * i, length: 1000 });
  const sent = peer.take().length;
  peer.world.run(5 * MS);
  assert(sent >= 3 && sent + peer.take().length < 16, `${sent}`);
});
