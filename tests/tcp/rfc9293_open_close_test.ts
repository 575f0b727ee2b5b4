// RFC 9293 3.4 to 3.6, 3.9.1: opening and closing. Ids are of Appendix B.
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { accept, connect, listen, receive, send, shutdownWrite, TCP_EVENT } from "../../src/tcp/mod.ts";
import { A, B, SECOND, World } from "./harness.ts";
import { active, opening, passive } from "./raw_peer.ts";

// MUST-9
Deno.test("initial sequence numbers cannot be told from those of another key: seed and host name", () => {
  const isn = (seed: number, host: number) => {
    const world = new World({ seed });
    connect(world.stack, host, world.addressA, 1000, world.addressRaw, 80, 0);
    world.drain();
    return world.toRaw[0].seq;
  };
  const isns = [1, 2, 3].flatMap((seed) => [isn(seed, A), isn(seed, B)]);
  assertEquals(new Set(isns).size, 6);
  // No constant lies between them either, as it would if the key were only added.
  const offset = (seed: number) => (isn(seed, A) - isn(seed, B)) | 0;
  assert(offset(1) !== offset(2) && offset(2) !== offset(3));
  assertEquals(isn(1, A), isns[0]);
});

// MUST-41
Deno.test("a passive open changes no connection that is there, nor does one that is refused", () => {
  const peer = passive();
  const half = new World();
  assertEquals(listen(peer.world.stack, B, 0, 80, { backlog: 10, app: 0 }), -ERRNO.EADDRINUSE);
  const before = peer.world.stack.tcbs.words.slice();
  assert(listen(peer.world.stack, B, 0, 81, { backlog: 10, app: 0 }) > 0);
  assertEquals(peer.world.stack.tcbs.words, before);
  peer.data(100);
  assertEquals(receive(peer.world.stack, peer.conn, 1000), 100);
  // Nor one that is half open.
  const listener = listen(half.stack, B, 0, 80, { backlog: 10, app: 0 });
  half.inject(B, { flags: "S", seq: 5, srcPort: 5000, dstPort: 80 });
  listen(half.stack, B, 0, 81, { backlog: 10, app: 0 });
  const [synAck] = half.toRaw;
  half.inject(B, { flags: ".", seq: 6, ack: synAck.seq + 1, srcPort: 5000, dstPort: 80 });
  assert(accept(half.stack, listener) > 0);
});

// MUST-42
Deno.test("a port can be listened on while a connection with it is in SYN-SENT or SYN-RECEIVED", () => {
  for (const simultaneous of [false, true]) {
    const world = new World();
    const conn = connect(world.stack, A, world.addressA, 80, world.addressRaw, 9000, 0);
    world.drain();
    const [syn] = world.toRaw;
    if (simultaneous) world.inject(A, { flags: "S", seq: 70, srcPort: 9000, dstPort: 80 });
    assertEquals(world.state(conn), simultaneous ? "SYN_RECEIVED" : "SYN_SENT");
    const listener = listen(world.stack, A, 0, 80, { backlog: 10, app: 0 });
    assert(listener > 0);
    // Another peer's SYN is the listener's; the answer to our own SYN is our connection's.
    world.inject(A, { flags: "S", seq: 5, srcPort: 5000, dstPort: 80 });
    const synAck = world.toRaw.at(-1)!;
    assertEquals([synAck.flags, synAck.dstPort], ["S.", 5000]);
    world.inject(A, { flags: ".", seq: 6, ack: synAck.seq + 1, srcPort: 5000, dstPort: 80 });
    assert(accept(world.stack, listener) > 0);
    world.inject(A, { flags: simultaneous ? "." : "S.", seq: 71, ack: syn.seq + 1, srcPort: 9000, dstPort: 80 });
    assertEquals(world.state(conn), "ESTABLISHED");
  }
});

// MUST-11: after a passive open a reset leads back to LISTEN (states_test.ts); after an active one it is told.
Deno.test("a reset in SYN_RECEIVED of an active open is told as ECONNREFUSED", () => {
  const peer = opening();
  peer.send("S", peer.synOptions);
  peer.seq++;
  assertEquals(peer.state, "SYN_RECEIVED");
  peer.send("R");
  assertEquals(peer.world.events.map((event) => [event.kind, event.arg]), [[TCP_EVENT.FAILED, ERRNO.ECONNREFUSED]]);
});

// MUST-12
Deno.test("an application can tell a connection that the peer closed from one that it aborted", () => {
  const closed = active();
  closed.send("F.");
  shutdownWrite(closed.world.stack, closed.conn);
  closed.world.drain();
  closed.seq++;
  closed.ack++;
  closed.send(".");
  const { CONNECTED, PEER_CLOSED, CLOSED, FAILED } = TCP_EVENT;
  assertEquals(closed.world.kinds(closed.conn), [CONNECTED, PEER_CLOSED, CLOSED]);
  const aborted = active();
  aborted.send("R");
  assertEquals(aborted.world.kinds(aborted.conn), [CONNECTED, FAILED]);
  assertEquals(aborted.world.events.at(-1)!.arg, ERRNO.ECONNRESET);
});

// SHLD-2
Deno.test("a reset that carries data is a reset all the same", () => {
  const peer = active();
  peer.send("R", { length: 30 });
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.ECONNRESET);
  assertEquals(peer.take(), []);
  const half = opening();
  half.send("R.", { seq: 0, length: 30 });
  assertEquals(half.world.events.at(-1)!.arg, ERRNO.ECONNREFUSED);
});

// MUST-66
Deno.test("a reset is taken, and an ACK too, while the receive window is shut", () => {
  const peer = active({}, { profileA: { receiveBufferBytes: 4000, receiveBufferMaxBytes: 4000 } });
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  for (let i = 0; i < 40 && peer.world.log.at(-1)!.window > 0; i++) {
    peer.data(Math.min(100, peer.world.log.at(-1)!.window));
    peer.world.run(SECOND / 10);
  }
  assertEquals(peer.world.log.at(-1)!.window, 0);
  peer.ack += 10;
  peer.send(".");
  peer.take();
  send(peer.world.stack, peer.conn, 5);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.length), [5]);
  peer.send("R");
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.ECONNRESET);
});
