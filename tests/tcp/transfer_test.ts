import { assert, assertEquals } from "@std/assert";
import { A, B, MS, type PipeOptions, World, type WorldOptions } from "./harness.ts";
import { connectionInfo } from "../../src/tcp/info.ts";
import { virtualByte } from "../../src/wire/packet.ts";
import {
  accept,
  closeConnection,
  connect,
  listen,
  receive,
  receiveBytes,
  send,
  sendBytes,
  shutdownWrite,
  TCP_EVENT,
  unreadBytes,
} from "../../src/tcp/mod.ts";

/** The byte of a stream at a position, different each way. */
function byteAt(direction: number, position: number): number {
  return (Math.imul(position + 1, 0x9e3779b1) >>> 24) ^ (direction * 0x5a);
}

/** Sends `bytes` each way with real bytes, closes, and compares every byte. Returns the world. */
function exchange(bytes: number, options: WorldOptions): World {
  const world = new World(options);
  world.logging = false;
  const { stack } = world;
  listen(stack, B, 0, 80, { backlog: 10, app: 0 });
  const client = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  const sent = new Map<number, number>([[client, 0]]);
  const received = new Map<number, number>([[client, 0]]);
  const ended = new Set<number>();
  const failures: string[] = [];
  const write = (conn: number) => {
    const direction = conn === client ? 0 : 1;
    let position = sent.get(conn)!;
    while (position < bytes) {
      const chunk = new Uint8Array(Math.min(bytes - position, 5000));
      for (let i = 0; i < chunk.length; i++) chunk[i] = byteAt(direction, position + i);
      const taken = sendBytes(stack, conn, chunk);
      if (taken < 0) failures.push(`send: ${taken}`);
      if (taken <= 0) break;
      position += taken;
      if (taken < chunk.length) break;
    }
    sent.set(conn, position);
    if (position === bytes) shutdownWrite(stack, conn);
  };
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.CONNECTED) write(conn);
    else if (kind === TCP_EVENT.ACCEPTABLE) {
      const server = accept(stack, arg);
      sent.set(server, 0);
      received.set(server, 0);
      write(server);
    } else if (kind === TCP_EVENT.WRITABLE) write(conn);
    else if (kind === TCP_EVENT.READABLE) {
      const direction = conn === client ? 1 : 0;
      const data = receiveBytes(stack, conn, 1e9);
      let position = received.get(conn)!;
      for (let i = 0; i < data.length; i++) {
        if (data[i] !== byteAt(direction, position + i)) {
          failures.push(`byte ${position + i} of direction ${direction}`);
          break;
        }
      }
      received.set(conn, position += data.length);
    } else if (kind === TCP_EVENT.PEER_CLOSED) ended.add(conn);
    else if (kind === TCP_EVENT.FAILED) failures.push(`failed: ${arg}`);
    else if (kind === TCP_EVENT.CLOSED) closeConnection(stack, conn);
  };
  world.runToQuiet();
  assertEquals(failures, []);
  assertEquals([...received.values()], [bytes, bytes]);
  assertEquals(ended.size, 2);
  assertEquals(world.leaks(), []);
  return world;
}

const HARSH: PipeOptions = { delayNs: 5 * MS, loss: 0.2, duplicate: 0.1, reorder: 0.3, reorderNs: 30 * MS };

Deno.test("every byte arrives both ways through 20% loss, reordering and duplication, over 300 seeds", () => {
  let retransmissions = 0;
  let outOfOrder = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const world = exchange(20_000 + seed, {
      seed,
      pipe: HARSH,
      profileA: { retries2: 60, orphanRetries: 60, synRetries: 30, timestamps: seed % 3 !== 0, nagle: seed % 2 === 0 },
      profileB: {
        retries2: 60,
        orphanRetries: 60,
        synAckRetries: 30,
        receiveBufferBytes: seed % 5 === 0 ? 4000 : 131072,
      },
    });
    retransmissions += world.stack.counters.retransmissions;
    outOfOrder += world.stack.counters.outOfOrder;
  }
  assert(retransmissions > 1000 && outOfOrder > 1000);
});

Deno.test("a clean path delivers a large transfer without a single retransmission", () => {
  const world = exchange(2_000_000, { seed: 9, pipe: { delayNs: 20 * MS } });
  assertEquals(world.stack.counters.retransmissions, 0);
});

Deno.test("counted bytes arrive in full through loss, reordering and duplication, over 300 seeds", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const world = new World({
      seed,
      pipe: HARSH,
      profileA: { retries2: 60, orphanRetries: 60, synRetries: 30 },
      profileB: { retries2: 60, orphanRetries: 60 },
    });
    world.logging = false;
    const { stack } = world;
    const bytes = 30_000;
    listen(stack, B, 0, 80, { backlog: 10, app: 0 });
    const client = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
    let got = 0;
    let left = bytes;
    world.onEvent = (conn, kind, arg) => {
      if (kind === TCP_EVENT.CONNECTED || kind === TCP_EVENT.WRITABLE) {
        left -= send(stack, conn, left);
        if (left === 0) closeConnection(stack, conn);
      } else if (kind === TCP_EVENT.ACCEPTABLE) accept(stack, arg);
      else if (kind === TCP_EVENT.READABLE) got += receive(stack, conn, 1e9);
      else if (kind === TCP_EVENT.PEER_CLOSED) closeConnection(stack, conn);
      else if (kind === TCP_EVENT.FAILED) throw new Error(`seed ${seed}: ${conn === client} failed with ${arg}`);
    };
    world.runToQuiet();
    assertEquals(got, bytes);
    assertEquals(world.leaks(), []);
  }
});

Deno.test("a reader that is slower than the sender holds it to the window, and gets everything", () => {
  const world = new World({ profileB: { receiveBufferBytes: 10_000 }, pipe: { delayNs: MS } });
  const { stack } = world;
  const bytes = 200_000;
  listen(stack, B, 0, 80, { backlog: 10, app: 0 });
  const client = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  let server = 0;
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.ACCEPTABLE) server = accept(stack, arg);
    else if (kind === TCP_EVENT.CONNECTED) {
      assertEquals(send(stack, conn, bytes), bytes);
      shutdownWrite(stack, conn);
    }
  };
  let got = 0;
  for (let rounds = 0; got < bytes && rounds < 10_000; rounds++) {
    world.run(7 * MS);
    if (server === 0) continue;
    assert(unreadBytes(stack, server) <= 10_000);
    got += receive(stack, server, 700);
    world.drain();
  }
  assertEquals(got, bytes);
  assertEquals(stack.counters.outOfWindow, 0);
  world.run(100 * MS);
  closeConnection(stack, server);
  closeConnection(stack, client);
  world.runToQuiet();
  assertEquals(world.leaks(), []);
});

Deno.test("a reader that stops for a minute shuts the window; probes keep the connection until it reads on", () => {
  const world = new World({ profileB: { receiveBufferBytes: 8_000 }, pipe: { delayNs: MS } });
  const { stack } = world;
  listen(stack, B, 0, 80, { backlog: 10, app: 0 });
  connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  let server = 0;
  let reading = false;
  let got = 0;
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.ACCEPTABLE) server = accept(stack, arg);
    else if (kind === TCP_EVENT.CONNECTED) send(stack, conn, 50_000);
    else if (kind === TCP_EVENT.READABLE && reading) got += receive(stack, conn, 1e9);
  };
  world.run(60e9);
  assert(stack.counters.windowProbes >= 5, `${stack.counters.windowProbes} probes`);
  reading = true;
  got += receive(stack, server, 1e9);
  world.run(60e9);
  assertEquals(got, 50_000);
});

Deno.test("counted and real bytes mix in one stream, and each is read as what it is", () => {
  const world = new World();
  const { stack } = world;
  listen(stack, B, 0, 80, { backlog: 10, app: 0 });
  const client = connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  let server = 0;
  world.onEvent = (_conn, kind, arg) => {
    if (kind === TCP_EVENT.ACCEPTABLE) server = accept(stack, arg);
  };
  world.run(100 * MS);
  send(stack, client, 10);
  sendBytes(stack, client, new Uint8Array([1, 2, 3]));
  send(stack, client, 5);
  world.run(1000 * MS);
  const bytes = receiveBytes(stack, server, 100);
  assertEquals(bytes.length, 18);
  assertEquals([...bytes.subarray(10, 13)], [1, 2, 3]);
  // What is counted reads as the bytes of its place in sequence space.
  const first = connectionInfo(stack, server).rcvNxt - 18;
  const counted = Uint8Array.from({ length: 18 }, (_, i) => virtualByte(first + i));
  assertEquals([...bytes.subarray(0, 10)], [...counted.subarray(0, 10)]);
  assertEquals([...bytes.subarray(13)], [...counted.subarray(13)]);
});
