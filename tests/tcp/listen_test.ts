// The SYN queue and the accept queue, with Linux's rules for full ones.
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { WARM } from "../../src/tcp/state/tcb.ts";
import { A, B, MS, SECOND, World } from "./harness.ts";
import { passive } from "./raw_peer.ts";
import {
  accept,
  closeConnection,
  closeListener,
  connect,
  connectionInfo,
  listen,
  listenerInfo,
  receive,
  send,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";

/** Connects `count` clients to a listener that nobody accepts from. */
function crowd(count: number, backlog: number, options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const listener = listen(world.stack, B, 0, 80, { backlog, app: 5 });
  const clients = Array.from(
    { length: count },
    (_, i) => connect(world.stack, A, world.addressA, 1000 + i, world.addressB, 80, 0),
  );
  return { world, listener, clients };
}

Deno.test("an accept queue holds backlog + 1 connections, as Linux's; further final ACKs are ignored", () => {
  // Backlog 8 lets 9 into the SYN queue at a time.
  const { world, listener, clients } = crowd(8, 8);
  world.run(50 * MS);
  const more = [0, 1, 2, 3].map((i) => connect(world.stack, A, world.addressA, 2000 + i, world.addressB, 80, 0));
  world.run(100 * MS);
  const info = listenerInfo(world.stack, listener);
  assertEquals([info.acceptQueue, info.synQueue], [9, 3]);
  assertEquals(info.acceptOverflows, 3);
  assertEquals(info.firstAcceptOverflowNs, SECOND + 80 * MS);
  // The clients believe that they are connected.
  assertEquals([...clients, ...more].map((conn) => world.state(conn)), Array(12).fill("ESTABLISHED"));
});

Deno.test("once there is room, a repeated SYN-ACK brings the final ACK again and the connection goes in", () => {
  const { world, listener } = crowd(3, 3);
  world.run(50 * MS);
  for (let i = 0; i < 3; i++) connect(world.stack, A, world.addressA, 2000 + i, world.addressB, 80, 0);
  world.run(100 * MS);
  assertEquals(listenerInfo(world.stack, listener).acceptQueue, 4);
  assertEquals(listenerInfo(world.stack, listener).synQueue, 2);
  for (let i = 0; i < 4; i++) assert(accept(world.stack, listener) > 0);
  world.run(2 * SECOND);
  assertEquals(listenerInfo(world.stack, listener).acceptQueue, 2);
  assertEquals(listenerInfo(world.stack, listener).synQueue, 0);
});

Deno.test("with a full accept queue new SYNs are dropped and counted", () => {
  const { world, listener } = crowd(2, 1);
  world.run(50 * MS);
  connect(world.stack, A, world.addressA, 3000, world.addressB, 80, 0);
  world.run(50 * MS);
  const late = connect(world.stack, A, world.addressA, 3001, world.addressB, 80, 0);
  world.run(50 * MS);
  assertEquals(world.state(late), "SYN_SENT");
  const info = listenerInfo(world.stack, listener);
  assertEquals([info.acceptQueue, info.acceptOverflows], [2, 2]);
});

Deno.test("without cookies, and with a full SYN queue, of one more than the backlog as Linux's, new SYNs are dropped and counted apart, with the time of the first", () => {
  const world = new World({ profileB: { synCookies: 0 } });
  const listener = listen(world.stack, B, 0, 80, { backlog: 3, app: 0 });
  for (let port = 1; port <= 5; port++) world.inject(B, { flags: "S", seq: 1, srcPort: port, dstPort: 80 });
  const info = listenerInfo(world.stack, listener);
  assertEquals([info.synQueue, info.synOverflows, info.acceptOverflows], [4, 1, 0]);
  assertEquals(info.firstSynOverflowNs, SECOND);
  assertEquals(world.stack.counters.listenDrops, 1);
});

Deno.test("abortOnOverflow answers the final ACK with a reset instead", () => {
  const { world } = crowd(3, 3, { profileB: { abortOnOverflow: true } });
  world.run(50 * MS);
  for (let i = 0; i < 3; i++) connect(world.stack, A, world.addressA, 3000 + i, world.addressB, 80, 0);
  world.run(200 * MS);
  assertEquals(world.events.filter((e) => e.kind === TCP_EVENT.FAILED).map((e) => e.arg), [
    ERRNO.ECONNRESET,
    ERRNO.ECONNRESET,
  ]);
});

Deno.test("somaxconn caps the backlog", () => {
  const world = new World({ profileB: { somaxconn: 7 } });
  const listener = listen(world.stack, B, 0, 80, { backlog: 100, app: 0 });
  assertEquals(listenerInfo(world.stack, listener).backlog, 7);
});

Deno.test("accept gives connections in the order in which they were established, with the listener's app", () => {
  const { world, listener } = crowd(5, 8);
  world.run(50 * MS);
  const ports = Array.from({ length: 5 }, () => connectionInfo(world.stack, accept(world.stack, listener)).remotePort);
  assertEquals(ports, [1000, 1001, 1002, 1003, 1004]);
  assertEquals(accept(world.stack, listener), 0);
  const { conn } = world.events.find((e) => e.kind === TCP_EVENT.ACCEPTABLE)!;
  assertEquals(world.stack.warm[conn * WARM.STRIDE + WARM.APP], 5);
});

Deno.test("what happened before accept is told at accept: data, the peer's FIN, a reset", () => {
  const peer = passive({}, {}, false);
  peer.data(300, "FP.");
  assertEquals(peer.world.events.map((e) => e.kind), [TCP_EVENT.ACCEPTABLE]);
  peer.conn = accept(peer.world.stack, peer.listener);
  peer.world.drain();
  assertEquals(peer.world.kinds(peer.conn), [TCP_EVENT.ACCEPTABLE, TCP_EVENT.READABLE, TCP_EVENT.PEER_CLOSED]);
  const reset = passive({}, {}, false);
  reset.data(300);
  reset.send("R");
  reset.conn = accept(reset.world.stack, reset.listener);
  reset.world.drain();
  assertEquals(reset.world.kinds(reset.conn), [TCP_EVENT.ACCEPTABLE, TCP_EVENT.READABLE, TCP_EVENT.FAILED]);
  assertEquals(receive(reset.world.stack, reset.conn, 1e6), 300);
  closeConnection(reset.world.stack, reset.conn);
  closeListener(reset.world.stack, reset.listener);
  assertEquals(reset.world.leaks(), []);
});

Deno.test("closing a listener resets what waits in its accept queue and forgets its SYN queue", () => {
  const { world, listener } = crowd(2, 5);
  world.run(50 * MS);
  world.inject(B, { flags: "S", seq: 1, srcPort: 99, dstPort: 80 });
  closeListener(world.stack, listener);
  world.run(50 * MS);
  assertEquals(world.events.filter((e) => e.kind === TCP_EVENT.FAILED).map((e) => e.arg), [
    ERRNO.ECONNRESET,
    ERRNO.ECONNRESET,
  ]);
  assertEquals([world.stack.synRows.inUse, world.stack.listeners.inUse], [0, 0]);
});

Deno.test("a second listener on the port is EADDRINUSE, and the port is free again after a close", () => {
  const world = new World();
  const listener = listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  assertEquals(listen(world.stack, B, 0, 80, { backlog: 1, app: 0 }), -ERRNO.EADDRINUSE);
  assert(listen(world.stack, A, 0, 80, { backlog: 1, app: 0 }) > 0);
  closeListener(world.stack, listener);
  assert(listen(world.stack, B, 0, 80, { backlog: 1, app: 0 }) > 0);
});

Deno.test("the final ACK may carry data and a FIN", () => {
  const world = new World();
  const listener = listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  world.inject(B, { flags: "S", seq: 1, srcPort: 99, dstPort: 80 });
  const iss = world.toRaw[0].seq;
  world.inject(B, { flags: "FP.", seq: 2, ack: iss + 1, length: 50, srcPort: 99, dstPort: 80 });
  const conn = accept(world.stack, listener);
  assertEquals([world.state(conn), receive(world.stack, conn, 100)], ["CLOSE_WAIT", 50]);
});

Deno.test("a lost final ACK is made up for by the first data", () => {
  let dropped = false;
  const world = new World({
    pipe: { delayNs: 10 * MS, drop: (s) => s.from === A && s.flags === "." && !dropped && (dropped = true) },
  });
  const listener = listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
  const client = connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.run(25 * MS);
  send(world.stack, client, 100);
  world.run(25 * MS);
  const server = accept(world.stack, listener);
  assertEquals(receive(world.stack, server, 1000), 100);
});

Deno.test("one listening port holds as many connections as there are tuples", () => {
  const world = new World({ profileB: { somaxconn: 100_000 } });
  world.logging = false;
  const listener = listen(world.stack, B, 0, 80, { backlog: 100_000, app: 0 });
  for (let port = 1; port <= 65_535; port++) {
    world.inject(B, { flags: "S", seq: port, srcPort: port, dstPort: 80 });
    const iss = world.toRaw.at(-1)!.seq;
    world.inject(B, { flags: ".", seq: port + 1, ack: iss + 1, srcPort: port, dstPort: 80 });
  }
  let accepted = 0;
  while (accept(world.stack, listener) !== 0) accepted++;
  assertEquals(accepted, 65_535);
});
