// RFC 9293 3.3.2, figure 5: every transition, and what is said on the wire at each.
import { assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { A, B, MS, SECOND, World } from "./harness.ts";
import { active, opening, passive, RawPeer } from "./raw_peer.ts";
import {
  abort,
  accept,
  closeConnection,
  closeListener,
  connect,
  listen,
  receive,
  send,
  shutdownWrite,
  STATE,
  stateCounts,
  stateName,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";

Deno.test("CLOSED to LISTEN: a listener shows in the state counts and answers a SYN", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  assertEquals(stateCounts(world.stack), { LISTEN: 1 });
});

Deno.test("LISTEN to CLOSED: a closed listener answers a SYN with a reset", () => {
  const world = new World();
  const listener = listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  closeListener(world.stack, listener);
  world.inject(B, { flags: "S", seq: 5, srcPort: 9, dstPort: 80 });
  assertEquals(world.toRaw.map((s) => [s.flags, s.seq, s.ack]), [["R.", 0, 6]]);
  assertEquals(stateCounts(world.stack), {});
});

Deno.test("LISTEN to SYN_RECEIVED: a SYN is answered with a SYN-ACK and takes one small row", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  world.inject(B, { flags: "S", seq: 5, srcPort: 9, dstPort: 80 });
  assertEquals(world.toRaw.map((s) => [s.flags, s.ack]), [["S.", 6]]);
  assertEquals(stateCounts(world.stack), { LISTEN: 1, SYN_RECEIVED: 1 });
  assertEquals(world.stack.tcbs.inUse, 0);
});

Deno.test("SYN_RECEIVED to ESTABLISHED: the ACK of the SYN makes the connection", () => {
  const peer = passive();
  assertEquals(peer.state, "ESTABLISHED");
  assertEquals(peer.world.kinds(peer.conn), [TCP_EVENT.ACCEPTABLE]);
  assertEquals(stateCounts(peer.world.stack), { LISTEN: 1, ESTABLISHED: 1 });
});

Deno.test("SYN_RECEIVED back to LISTEN: a reset of the half-open connection removes it without a word", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  world.inject(B, { flags: "S", seq: 5, srcPort: 9, dstPort: 80 });
  world.inject(B, { flags: "R", seq: 6, srcPort: 9, dstPort: 80 });
  assertEquals(stateCounts(world.stack), { LISTEN: 1 });
  assertEquals(world.toRaw.length, 1);
});

Deno.test("SYN_RECEIVED back to LISTEN: another SYN in the window ends the half-open connection, and the next SYN opens one", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 10, app: 0 });
  const tuple = { srcPort: 5, dstPort: 80 };
  world.inject(B, { ...tuple, flags: "S", seq: 90 });
  world.inject(B, { ...tuple, flags: "S", seq: 100 });
  assertEquals([world.toRaw.length, world.stack.synRows.inUse, world.stack.demux.size], [1, 0, 0]);
  world.inject(B, { ...tuple, flags: "S", seq: 100 });
  assertEquals(world.toRaw.map((s) => `${s.flags} ${s.ack}`), ["S. 91", "S. 101"]);
});

Deno.test("SYN_RECEIVED: an ACK that acknowledges something else is answered with a reset", () => {
  const world = new World();
  listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  world.inject(B, { flags: "S", seq: 5, srcPort: 9, dstPort: 80 });
  world.inject(B, { flags: ".", seq: 6, ack: 77, srcPort: 9, dstPort: 80 });
  assertEquals(world.toRaw.slice(1).map((s) => [s.flags, s.seq]), [["R", 77]]);
});

Deno.test("CLOSED to SYN_SENT: an active open sends a SYN", () => {
  const peer = opening();
  assertEquals(peer.state, "SYN_SENT");
  assertEquals(peer.world.log[0].flags, "S");
});

Deno.test("SYN_SENT to ESTABLISHED: the SYN-ACK is acknowledged at once", () => {
  const peer = opening();
  peer.send("S.", peer.synOptions);
  assertEquals(peer.texts(), [". 1:1 ack 1"]);
  assertEquals(peer.state, "ESTABLISHED");
  assertEquals(peer.world.kinds(peer.conn), [TCP_EVENT.CONNECTED]);
});

Deno.test("SYN_SENT to CLOSED: a close before the answer deletes the connection silently", () => {
  const peer = opening();
  closeConnection(peer.world.stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.texts(), []);
  assertEquals(peer.world.kinds(peer.conn), [TCP_EVENT.CLOSED]);
  assertEquals(peer.world.leaks(), []);
});

Deno.test("SYN_SENT to CLOSED: a reset that acknowledges the SYN means ECONNREFUSED", () => {
  const peer = opening();
  peer.send("R.", { seq: 0 });
  assertEquals(peer.world.events.at(-1), {
    conn: peer.conn,
    kind: TCP_EVENT.FAILED,
    arg: ERRNO.ECONNREFUSED,
    time: peer.world.nowNs,
  });
});

Deno.test("SYN_SENT: a reset without ACK, or with a wrong one, changes nothing", () => {
  const peer = opening();
  peer.send("R");
  peer.send("R.", { ack: peer.ack + 7 });
  assertEquals(peer.state, "SYN_SENT");
  assertEquals(peer.texts(), []);
});

Deno.test("SYN_SENT: an ACK for what was never sent is answered with a reset", () => {
  const peer = opening();
  peer.send("S.", { ack: peer.ack + 9, ...peer.synOptions });
  assertEquals(peer.take().map((s) => [s.flags, s.seq]), [["R", (peer.ack + 9) >>> 0]]);
  assertEquals(peer.state, "SYN_SENT");
});

Deno.test("SYN_SENT to SYN_RECEIVED to ESTABLISHED: two SYNs that cross open one connection", () => {
  const world = new World();
  const { stack } = world;
  const a = connect(stack, A, world.addressA, 1111, world.addressB, 2222, 0);
  const b = connect(stack, B, world.addressB, 2222, world.addressA, 1111, 0);
  world.run(12 * MS);
  assertEquals([world.state(a), world.state(b)], ["SYN_RECEIVED", "SYN_RECEIVED"]);
  world.run(30 * MS);
  assertEquals([world.state(a), world.state(b)], ["ESTABLISHED", "ESTABLISHED"]);
  assertEquals([world.kinds(a), world.kinds(b)], [[TCP_EVENT.CONNECTED], [TCP_EVENT.CONNECTED]]);
  send(stack, a, 3000);
  send(stack, b, 4000);
  world.run(SECOND);
  assertEquals([receive(stack, a, 1e6), receive(stack, b, 1e6)], [4000, 3000]);
});

Deno.test("a simultaneous open survives the loss of both SYN-ACKs", () => {
  let drops = 0;
  const world = new World({ pipe: { delayNs: 10 * MS, drop: (s) => s.flags === "S." && drops++ < 2 } });
  const a = connect(world.stack, A, world.addressA, 1111, world.addressB, 2222, 0);
  const b = connect(world.stack, B, world.addressB, 2222, world.addressA, 1111, 0);
  world.run(5 * SECOND);
  assertEquals([world.state(a), world.state(b)], ["ESTABLISHED", "ESTABLISHED"]);
});

Deno.test("SYN_RECEIVED of a simultaneous open to FIN_WAIT_1: a close waits for the handshake", () => {
  const world = new World();
  const { stack } = world;
  const a = connect(stack, A, world.addressA, 1111, world.addressB, 2222, 0);
  const b = connect(stack, B, world.addressB, 2222, world.addressA, 1111, 0);
  world.run(12 * MS);
  assertEquals(shutdownWrite(stack, a), 0);
  world.drain();
  assertEquals(world.state(a), "SYN_RECEIVED");
  world.run(200 * MS);
  assertEquals([world.state(a), world.state(b)], ["FIN_WAIT_2", "CLOSE_WAIT"]);
});

Deno.test("ESTABLISHED to FIN_WAIT_1: a close sends a FIN", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.texts(), ["F. 1:1 ack 1"]);
  assertEquals(peer.state, "FIN_WAIT_1");
});

Deno.test("ESTABLISHED to FIN_WAIT_1: the FIN follows the data that is queued", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 100);
  send(peer.world.stack, peer.conn, 100);
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.texts(), ["P. 1:101 ack 1", "FP. 101:201 ack 1"]);
});

Deno.test("FIN_WAIT_1 to FIN_WAIT_2: the FIN is acknowledged", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send(".");
  assertEquals(peer.state, "FIN_WAIT_2");
});

Deno.test("FIN_WAIT_2 to TIME_WAIT: the peer's FIN is acknowledged and a small row takes over", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send(".");
  peer.take();
  peer.send("F.");
  assertEquals(peer.texts(), [". 2:2 ack 2"]);
  assertEquals(stateCounts(peer.world.stack).TIME_WAIT, 1);
  assertEquals(peer.world.kinds(peer.conn), [TCP_EVENT.CONNECTED, TCP_EVENT.PEER_CLOSED, TCP_EVENT.CLOSED]);
});

Deno.test("TIME_WAIT to CLOSED: after 60 seconds the tuple is free", () => {
  const peer = active();
  closeConnection(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send("F.");
  peer.world.run(59.9 * SECOND);
  assertEquals(peer.world.stack.timeWaits.inUse, 1);
  peer.world.run(0.2 * SECOND);
  assertEquals(peer.world.leaks(), []);
});

Deno.test("FIN_WAIT_1 to CLOSING to TIME_WAIT: two FINs that cross", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.take();
  peer.send("F.");
  assertEquals(peer.texts(), [". 2:2 ack 2"]);
  assertEquals(peer.state, "CLOSING");
  peer.seq++;
  peer.ack++;
  peer.send(".");
  assertEquals(stateCounts(peer.world.stack), { CLOSED: 1, TIME_WAIT: 1 });
});

Deno.test("both ends that close at once pass through CLOSING into TIME_WAIT", () => {
  const world = new World();
  const { stack } = world;
  const listener = listen(stack, B, 0, 80, { backlog: 1, app: 0 });
  const a = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.run(50 * MS);
  const b = accept(stack, listener);
  closeConnection(stack, a);
  closeConnection(stack, b);
  world.run(12 * MS);
  assertEquals(stateCounts(stack), { LISTEN: 1, CLOSING: 2 });
  world.run(20 * MS);
  assertEquals(stateCounts(stack), { LISTEN: 1, TIME_WAIT: 2 });
  world.runToQuiet();
  assertEquals(world.leaks(), []);
});

Deno.test("FIN_WAIT_1 to TIME_WAIT: a FIN that acknowledges ours skips FIN_WAIT_2", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send("F.");
  assertEquals(stateCounts(peer.world.stack), { CLOSED: 1, TIME_WAIT: 1 });
});

Deno.test("ESTABLISHED to CLOSE_WAIT: the peer's FIN is acknowledged, and writing goes on (half-close)", () => {
  const peer = active();
  peer.send("F.");
  peer.seq++;
  assertEquals(peer.state, "CLOSE_WAIT");
  peer.world.run(50 * MS);
  assertEquals(peer.texts(), [". 1:1 ack 2"]);
  assertEquals(send(peer.world.stack, peer.conn, 500), 500);
  peer.world.drain();
  assertEquals(peer.texts(), ["P. 1:501 ack 2"]);
});

Deno.test("CLOSE_WAIT to LAST_ACK to CLOSED: our FIN is acknowledged and nothing remains", () => {
  const peer = active();
  peer.send("F.");
  peer.seq++;
  closeConnection(peer.world.stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.texts(), ["F. 1:1 ack 2"]);
  assertEquals(peer.state, "LAST_ACK");
  peer.ack++;
  peer.send(".");
  assertEquals(peer.world.leaks(), []);
  assertEquals(peer.world.kinds(peer.conn), [TCP_EVENT.CONNECTED, TCP_EVENT.PEER_CLOSED, TCP_EVENT.CLOSED]);
});

Deno.test("after a half-close data still comes in, and the peer's FIN ends it", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send(".");
  peer.data(700);
  assertEquals(receive(peer.world.stack, peer.conn, 1e6), 700);
  peer.data(300, "FP.");
  assertEquals(receive(peer.world.stack, peer.conn, 1e6), 300);
  assertEquals(stateCounts(peer.world.stack), { CLOSED: 1, TIME_WAIT: 1 });
});

Deno.test("what arrived before the end stays readable after the connection has gone to TIME_WAIT", () => {
  const peer = active();
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.data(300, "FP.");
  assertEquals(stateCounts(peer.world.stack), { CLOSED: 1, TIME_WAIT: 1 });
  assertEquals(receive(peer.world.stack, peer.conn, 1e6), 300);
  closeConnection(peer.world.stack, peer.conn);
  peer.world.runToQuiet();
  assertEquals(peer.world.leaks(), []);
});

for (const name of ["ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK"]) {
  const reach = (): RawPeer => {
    const peer = active();
    const { stack } = peer.world;
    if (name === "CLOSE_WAIT" || name === "LAST_ACK") {
      peer.send("F.");
      peer.seq++;
    }
    if (name === "FIN_WAIT_1" || name === "FIN_WAIT_2" || name === "CLOSING" || name === "LAST_ACK") {
      shutdownWrite(stack, peer.conn);
      peer.world.drain();
    }
    if (name === "FIN_WAIT_2") {
      peer.ack++;
      peer.send(".");
    }
    if (name === "CLOSING") {
      peer.send("F.");
      peer.seq++;
    }
    assertEquals(peer.state, name);
    peer.take();
    return peer;
  };

  Deno.test(`${name} to CLOSED: an exact reset ends the connection`, () => {
    const peer = reach();
    peer.send("R");
    assertEquals(peer.state, "CLOSED");
    assertEquals(peer.texts(), []);
    const expected = name === "CLOSE_WAIT"
      ? ERRNO.EPIPE
      : name === "CLOSING" || name === "LAST_ACK"
      ? 0
      : ERRNO.ECONNRESET;
    assertEquals(peer.world.events.at(-1)!.arg, expected);
  });

  Deno.test(`${name}: a reset elsewhere in the window is challenged (RFC 5961), one outside is ignored`, () => {
    const peer = reach();
    peer.send("R", { seq: peer.seq + 100 });
    assertEquals(peer.take().map((s) => s.flags), ["."]);
    peer.send("R", { seq: peer.seq - 100 });
    peer.send("R", { seq: peer.seq + 1_000_000 });
    assertEquals(peer.take(), []);
    assertEquals(peer.state, name);
  });

  Deno.test(`${name}: a SYN is challenged (RFC 5961), wherever it lies`, () => {
    const peer = reach();
    peer.send("S");
    peer.world.run(500 * MS);
    peer.send("S", { seq: peer.seq + 1_000_000 });
    assertEquals(peer.take().map((s) => s.flags).filter((flags) => flags !== "F."), [".", "."]);
    assertEquals(peer.state, name);
  });

  Deno.test(`${name}: a segment outside the window is answered with an ACK`, () => {
    const peer = reach();
    peer.send(".", { seq: peer.seq + 1_000_000, length: 10 });
    assertEquals(peer.take().map((s) => [s.flags, (s.ack - peer.seq) | 0]), [[".", 0]]);
    assertEquals(peer.state, name);
  });

  Deno.test(`${name}: an ACK of what was not sent is answered with an ACK`, () => {
    const peer = reach();
    peer.send(".", { ack: peer.ack + 1_000 });
    assertEquals(peer.take().map((s) => s.flags), ["."]);
    assertEquals(peer.state, name);
  });

  Deno.test(`${name} to CLOSED: an abort leaves nothing behind`, () => {
    const peer = reach();
    abort(peer.world.stack, peer.conn);
    peer.world.drain();
    const silent = name === "CLOSING" || name === "LAST_ACK";
    assertEquals(peer.take().map((s) => s.flags), silent ? [] : ["R."]);
    assertEquals(peer.world.leaks(), []);
  });
}

Deno.test("every state has its name", () => {
  assertEquals(Object.entries(STATE).map(([name, value]) => name === stateName(value)), Array(11).fill(true));
});
