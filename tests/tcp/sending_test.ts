// What goes into one segment: groups, PSH, MSG_MORE, MSG_EOR, Nagle and cork; send buffer; urgent data.
import { assert, assertEquals } from "@std/assert";
import {
  accept,
  closeConnection,
  isWritable,
  listen,
  SEND,
  send,
  sendBufferOf,
  setCork,
  setNoDelay,
  setNotSentLow,
  setSendBuffer,
  shutdownWrite,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";
import { B, MS, World } from "./harness.ts";
import { RawPeer } from "./raw_peer.ts";

/** A connection that a raw peer 10 ms away opened to B, accepted: groups are of two segments. */
function slowly(profileB = {}, window = 65535): RawPeer {
  const world = new World({ profileB });
  const listener = listen(world.stack, B, 0, 80, { backlog: 10, app: 0 });
  const peer = new RawPeer(world, B, 5000, { mss: 1000, window });
  peer.hostPort = 80;
  peer.send("S", peer.synOptions);
  peer.seq++;
  const synAck = peer.take()[0];
  peer.base = synAck.seq;
  peer.ack = synAck.seq + 1;
  world.run(10 * MS);
  peer.send(".");
  peer.conn = accept(world.stack, listener);
  world.drain();
  return peer;
}

function cuts(peer: RawPeer): string[] {
  return peer.take().map((s) => `${s.flags}${s.length}`);
}

Deno.test("groups of two segments end with PSH, single ones only at the end of a write", () => {
  const peer = slowly();
  send(peer.world.stack, peer.conn, 5000);
  peer.world.drain();
  assertEquals(cuts(peer), [".1000", "P.1000", ".1000", "P.1000", "P.1000"]);
});

Deno.test("MSG_MORE holds a part of a segment back, without PSH, until what follows fills it or an ACK comes", () => {
  const peer = slowly();
  const { stack } = peer.world;
  send(stack, peer.conn, 3100, SEND.MORE);
  peer.world.drain();
  assertEquals(cuts(peer), [".1000", "P.1000", ".1000"]);
  send(stack, peer.conn, 50, SEND.MORE);
  peer.world.drain();
  assertEquals(cuts(peer), []);
  peer.ack += 2000;
  peer.send(".");
  assertEquals(cuts(peer), [".150"]);
  send(stack, peer.conn, 5, SEND.MORE);
  send(stack, peer.conn, 5);
  peer.world.drain();
  // Nagle: a small one is in flight.
  assertEquals(cuts(peer), []);
  peer.ack += 1150;
  peer.send(".");
  assertEquals(cuts(peer), ["P.10"]);
});

Deno.test("MSG_MORE waits even with TCP_NODELAY, for 200 ms at most", () => {
  const peer = slowly();
  setNoDelay(peer.world.stack, peer.conn, true);
  send(peer.world.stack, peer.conn, 40, SEND.MORE);
  peer.world.run(205 * MS);
  assertEquals(cuts(peer), []);
  peer.world.run(10 * MS);
  assertEquals(cuts(peer), ["P.40"]);
});

Deno.test("MSG_EOR: a record's last byte ends a segment, sent at once, and nothing later is joined to it", () => {
  const peer = slowly({ initialWindowSegments: 20 });
  const { stack } = peer.world;
  setCork(stack, peer.conn, true);
  send(stack, peer.conn, 400);
  for (let i = 0; i < 3; i++) send(stack, peer.conn, 400, SEND.RECORD_END);
  send(stack, peer.conn, 2300, SEND.RECORD_END);
  send(stack, peer.conn, 100);
  setCork(stack, peer.conn, false);
  peer.world.drain();
  assertEquals(cuts(peer), ["P.800", "P.400", "P.400", ".1000", "P.1000", "P.300"]);
});

Deno.test("a record keeps its bounds when it is sent again", () => {
  const peer = slowly();
  const { stack } = peer.world;
  setNoDelay(stack, peer.conn, true);
  for (let i = 0; i < 3; i++) send(stack, peer.conn, 400, SEND.RECORD_END);
  peer.world.drain();
  assertEquals(cuts(peer), ["P.400", "P.400", "P.400"]);
  peer.world.run(1000 * MS);
  const again = cuts(peer);
  assert(again.length > 0);
  assertEquals(again.filter((text) => text !== "P.400"), []);
});

Deno.test("a window too small for the next segment holds it back; the last part of a group fills the window", () => {
  const peer = slowly({}, 2500);
  send(peer.world.stack, peer.conn, 6000);
  peer.world.drain();
  // The MSS is half the largest window at most; a group of two, and then 500 bytes are less than a segment.
  assertEquals(cuts(peer), [".1000", "P.1000"]);
});

Deno.test("a FIN joins the last segment that waits", () => {
  const peer = slowly();
  const { stack } = peer.world;
  send(stack, peer.conn, 100);
  send(stack, peer.conn, 100);
  peer.world.drain();
  assertEquals(cuts(peer), ["P.100"]);
  shutdownWrite(stack, peer.conn);
  peer.world.drain();
  assertEquals(cuts(peer), ["FP.100"]);
});

Deno.test("turning TCP_NODELAY on sends what waits, corked or not; taking the cork off does too", () => {
  const peer = slowly();
  const { stack } = peer.world;
  setCork(stack, peer.conn, true);
  send(stack, peer.conn, 100);
  peer.world.drain();
  assertEquals(cuts(peer), []);
  setNoDelay(stack, peer.conn, true);
  peer.world.drain();
  assertEquals(cuts(peer), ["P.100"]);
  send(stack, peer.conn, 100);
  peer.world.drain();
  assertEquals(cuts(peer), []);
  setCork(stack, peer.conn, false);
  peer.world.drain();
  assertEquals(cuts(peer), ["P.100"]);
});

Deno.test("the send buffer is charged as Linux charges it: buffers of half the window are begun while it is not full", () => {
  const peer = slowly({ leastGroupSegments: 10 }, 50_000);
  const { stack } = peer.world;
  setSendBuffer(stack, peer.conn, 21_000);
  assertEquals(sendBufferOf(stack, peer.conn), 42_000);
  assertEquals(send(stack, peer.conn, 61_000), 60_000);
  assertEquals(send(stack, peer.conn, 1000), 0);
  peer.world.drain();
  const told = [];
  for (const acked of [10_000, 20_000, 6000]) {
    peer.ack += acked;
    peer.send(".");
    told.push(peer.world.kinds(peer.conn).includes(TCP_EVENT.WRITABLE));
  }
  assertEquals(told, [false, false, true]);
});

Deno.test("what waits to become a larger group is sent once it is a part of the window, or without such a part when it is large", () => {
  for (const [groupWindowDivisor, sent] of [[3, []], [100, [".1000", "P.1000"]], [0, []]] as const) {
    const peer = slowly({ leastGroupSegments: 10, groupWindowDivisor });
    const { stack } = peer.world;
    send(stack, peer.conn, 7000);
    peer.world.run(9 * MS);
    send(stack, peer.conn, 1000);
    peer.world.run(MS / 2);
    cuts(peer);
    // An ACK is due in less than a millisecond: two segments wait for it unless they are part enough of ten.
    send(stack, peer.conn, 3000);
    peer.world.drain();
    assertEquals([groupWindowDivisor, cuts(peer)], [groupWindowDivisor, sent]);
  }
});

Deno.test("a send buffer that is not set by hand grows with the congestion window", () => {
  const profile = { sendBufferInitialBytes: 16_384, sendBufferBytes: 4_194_304 };
  const peer = slowly(profile);
  const { stack } = peer.world;
  // Twice ten segments of 1,000 bytes, which take 2,304 each.
  assertEquals(sendBufferOf(stack, peer.conn), 46_080);
  for (let i = 0; i < 40; i++) {
    send(stack, peer.conn, 60_000);
    peer.world.drain();
    peer.ack += peer.take().reduce((sum, s) => sum + s.length, 0);
    peer.world.run(10 * MS);
    peer.send(".");
  }
  assert(sendBufferOf(stack, peer.conn) > 92_160, `${sendBufferOf(stack, peer.conn)}`);
});

Deno.test("TCP_NOTSENT_LOWAT makes a connection not writable while that much is unsent", () => {
  const peer = slowly();
  const { stack } = peer.world;
  setNotSentLow(stack, peer.conn, 8000);
  send(stack, peer.conn, 13_000);
  peer.world.drain();
  assertEquals(isWritable(stack, peer.conn), true);
  send(stack, peer.conn, 2000);
  assertEquals(isWritable(stack, peer.conn), false);
  peer.ack += 10_000;
  peer.send(".");
  assertEquals(isWritable(stack, peer.conn), true);
});

Deno.test("urgent data: URG and a pointer past the last urgent byte, until it is acknowledged", () => {
  const peer = slowly();
  const { stack } = peer.world;
  send(stack, peer.conn, 10, SEND.URGENT);
  peer.world.drain();
  assertEquals(peer.take().map((s) => [s.flags, s.length, s.urgent]), [["P.U", 10, 10]]);
  send(stack, peer.conn, 1000);
  peer.world.drain();
  assertEquals(peer.take().map((s) => [s.flags, s.length, s.urgent]), [["P.", 1000, undefined]]);
  peer.ack += 10;
  peer.send(".");
  peer.ack += 1000;
  peer.send(".");
  send(stack, peer.conn, 2500, SEND.URGENT);
  peer.world.drain();
  // In urgent mode there are no groups; every segment before the pointer carries it.
  assertEquals(peer.take().map((s) => [s.flags, s.length, s.urgent]), [
    [".U", 1000, 2500],
    [".U", 1000, 1500],
    ["P.U", 500, 500],
  ]);
  closeConnection(stack, peer.conn);
});

Deno.test("nothing is sent, and nothing lost, while the interface takes nothing", () => {
  const peer = slowly();
  const { stack } = peer.world;
  stack.setEgress(B, false);
  assertEquals(send(stack, peer.conn, 3000), 3000);
  peer.world.drain();
  assertEquals(cuts(peer), []);
  stack.setEgress(B, true);
  peer.world.run(2000 * MS);
  assertEquals(peer.take().slice(0, 3).reduce((sum, s) => sum + s.length, 0) >= 1000, true);
});
