// Windows: probes, silly windows, Nagle, segment sizes, and windows at rest.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { A, B, MS, SECOND, World } from "./harness.ts";
import { active, opening, passive } from "./raw_peer.ts";
import {
  accept,
  connect,
  connectionInfo,
  listen,
  receive,
  send,
  setCork,
  setNoDelay,
  shutdownWrite,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";

Deno.test("a shut window is probed with a doubling timeout, without end as long as the peer answers", () => {
  const peer = active();
  peer.window = 0;
  peer.send(".", { window: 0 });
  peer.data(1);
  peer.take();
  send(peer.world.stack, peer.conn, 1000);
  peer.world.drain();
  assertEquals(peer.take(), []);
  const start = peer.world.nowNs;
  let probes = 0;
  for (let i = 0; i < 4000; i++) {
    peer.world.run(SECOND);
    for (const probe of peer.take()) {
      probes++;
      assertEquals([(probe.seq - peer.base) | 0, probe.length], [0, 0]);
      peer.send(".");
    }
  }
  assertEquals(peer.state, "ESTABLISHED");
  assert(probes > 30 && probes < 50, `${probes}`);
  assert(peer.world.nowNs - start > 3000 * SECOND);
  peer.window = 5000;
  peer.send(".");
  assertEquals(peer.take().map((s) => s.length), [1000]);
});

Deno.test("a shut window and a silent peer end in ETIMEDOUT", () => {
  const peer = active({}, { profileA: { retries2: 4 } });
  peer.window = 0;
  peer.data(1);
  send(peer.world.stack, peer.conn, 1000);
  peer.world.run(60 * SECOND);
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.ETIMEDOUT);
});

Deno.test("a window shrunk to nothing with data in flight does not end the connection while the peer answers", () => {
  const peer = active({ mss: 1000 });
  send(peer.world.stack, peer.conn, 3000);
  peer.world.drain();
  assertEquals(peer.take().length, 3);
  let repeats = 0;
  for (let i = 0; i < 3000; i++) {
    peer.world.run(SECOND);
    for (const { length } of peer.take()) {
      repeats++;
      assert(length === 1000 || length === 1, `${length}`);
      peer.send(".", { window: 0 });
    }
  }
  assert(repeats > 25 && repeats < 45, `${repeats}`);
  assertEquals(peer.state, "ESTABLISHED");
  // Silence still ends it.
  peer.world.run(1000 * SECOND);
  assertEquals(peer.world.events.at(-1)!.arg, ERRNO.ETIMEDOUT);
});

Deno.test("a FIN waits for a shut window, and goes out when it opens", () => {
  const peer = active();
  peer.window = 0;
  peer.data(1);
  peer.take();
  send(peer.world.stack, peer.conn, 10);
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.take(), []);
  peer.window = 100;
  peer.send(".");
  assertEquals(peer.take().map((s) => [s.flags, s.length]), [["FP.", 10]]);
});

Deno.test("a sender does not send a small part of its queue into a small window (silly window avoidance)", () => {
  const peer = active({ window: 8000 });
  send(peer.world.stack, peer.conn, 8000 + 3000);
  peer.world.drain();
  // The window is filled by the last part of a group, as Linux does.
  assertEquals(peer.take().reduce((sum, s) => sum + s.length, 0), 8000);
  peer.ack += 8000;
  peer.window = 500;
  peer.send(".");
  assertEquals(peer.take(), []);
  // After the override timeout a part goes, so that nothing hangs.
  peer.world.run(SECOND);
  assertEquals(peer.take()[0].length, 500);
});

Deno.test("a receiver does not offer a silly window: the edge moves by a segment or half the buffer", () => {
  const peer = passive({}, { profileB: { receiveBufferBytes: 6000 } });
  // Half of the buffer is for payload: three segments fill it.
  for (let i = 0; i < 3; i++) peer.data(1000);
  peer.world.run(500 * MS);
  const shut = peer.take().at(-1)!;
  assertEquals(shut.window, 0);
  receive(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  assertEquals(peer.take(), []);
  receive(peer.world.stack, peer.conn, 1900);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.window), [2000]);
});

Deno.test("the right edge of the window never moves left", () => {
  const peer = passive({ shift: 7 });
  let edge = 0;
  for (let i = 0; i < 60; i++) {
    peer.data(777 + i);
    peer.world.run(50 * MS);
    for (const s of peer.take()) {
      const shown = s.ack + (s.flags.includes("S") ? s.window : s.window << 2);
      assert(shown - edge > -4, "but for the rounding of window scaling (RFC 7323 2.4)");
      edge = Math.max(edge, shown);
    }
  }
});

Deno.test("Nagle holds a second small segment until the first is acknowledged; TCP_NODELAY does not", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 10);
  send(peer.world.stack, peer.conn, 10);
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.length), [10]);
  peer.ack += 10;
  peer.send(".");
  assertEquals(peer.take().map((s) => s.length), [20]);
  setNoDelay(peer.world.stack, peer.conn, true);
  send(peer.world.stack, peer.conn, 10);
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.length), [10, 10]);
});

Deno.test("Nagle as Minshall has it: a small tail may follow full segments that are in flight", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 1460);
  send(peer.world.stack, peer.conn, 10);
  send(peer.world.stack, peer.conn, 10);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.length), [1460, 10]);
});

Deno.test("a cork lets only full segments out until it is taken off", () => {
  const peer = active();
  setCork(peer.world.stack, peer.conn, true);
  send(peer.world.stack, peer.conn, 1500);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.length), [1460]);
  setCork(peer.world.stack, peer.conn, false);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.length), [40]);
});

Deno.test("an idle spell halves a grown window for each RTO, down to the initial one (RFC 5681 4.1)", () => {
  const peer = active({ shift: 7, window: 60000 });
  const { stack } = peer.world;
  send(stack, peer.conn, 30 * 1460);
  peer.world.drain();
  while (connectionInfo(stack, peer.conn).inFlight > 0) {
    peer.ack += 1460;
    peer.send(".");
  }
  const grown = connectionInfo(stack, peer.conn).cwnd;
  assert(grown > 20);
  peer.world.run(5 * SECOND);
  send(stack, peer.conn, 40 * 1460);
  peer.world.drain();
  assertEquals(connectionInfo(stack, peer.conn).cwnd, 10);
});

Deno.test("MSS: the peer's, 536 where it gave none, less 12 bytes of timestamps", () => {
  const sizes = (options: Parameters<typeof active>[0]) => {
    const peer = active(options);
    send(peer.world.stack, peer.conn, 5000);
    peer.world.drain();
    return peer.take()[0].length;
  };
  assertEquals(sizes({ mss: 1000 }), 1000);
  assertEquals(sizes({ mss: 9000 }), 1460);
  assertEquals(sizes({ mss: 1460, tsVal: 1 }), 1448);
  const none = opening();
  none.send("S.");
  none.seq++;
  none.take();
  send(none.world.stack, none.conn, 5000);
  none.world.drain();
  assertEquals(none.take()[0].length, 536);
});

Deno.test("IPv6 announces 1,440 and falls back to 1,220", () => {
  const peer = opening({}, { ipv6: true });
  assertEquals(peer.world.log[0].mss, 1440);
  peer.send("S.");
  assertEquals(connectionInfo(peer.world.stack, peer.conn).mss, 1220);
});

Deno.test("the smoothed round-trip time follows the path, with and without timestamps", () => {
  for (const timestamps of [true, false]) {
    const world = new World({ profileA: { timestamps }, pipe: { delayNs: 30 * MS } });
    const listener = listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
    const conn = connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);
    world.run(100 * MS);
    accept(world.stack, listener);
    world.onEvent = (reader, kind) => {
      if (kind === TCP_EVENT.READABLE) receive(world.stack, reader, 1e6);
    };
    assertEquals(connectionInfo(world.stack, conn).srttUs, 60_000);
    world.pipe.delayNs = 50 * MS;
    for (let i = 0; i < 60; i++) {
      send(world.stack, conn, 2000);
      world.run(200 * MS);
    }
    assertAlmostEquals(connectionInfo(world.stack, conn).srttUs, 100_000, 1000);
  }
});
