// The receive window: what is offered first, how it grows, and what bounds it.
import { assert, assertEquals } from "@std/assert";
import {
  connectionInfo,
  receive,
  receiveBuffer,
  setReceiveBuffer,
  setWindowClamp,
  shutdownRead,
} from "../../src/tcp/mod.ts";
import { MS, SECOND } from "./harness.ts";
import { active, opening, passive, type RawPeer } from "./raw_peer.ts";

const FAST = { mss: 1460, shift: 7, sackPermitted: true };
/** Rounds of `segments` segments, 20 ms apart, that are read at once. */
function stream(peer: RawPeer, rounds: number, segments: number): void {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < segments; i++) {
      peer.data(1460, ".");
      receive(peer.world.stack, peer.conn, 1e6);
      peer.world.drain();
    }
    peer.world.run(20 * MS);
    if (peer.tsVal !== undefined) peer.tsVal += 20;
    peer.take();
  }
}

Deno.test("first windows are Linux's: half of the buffer in whole segments, 65,535 at most, and the shift of its limit", () => {
  const window = (bytes: number, most = 6291456) => {
    const { window, shift } =
      opening({}, { profileA: { receiveBufferBytes: bytes, receiveBufferMaxBytes: most } }).world
        .log[0];
    return [window, shift];
  };
  assertEquals(window(131072), [64240, 7]);
  assertEquals(window(540000, 15 * 2 ** 20), [65535, 8]);
  assertEquals(window(4000), [1460, 7]);
  assertEquals(window(131070, 65535), [64240, 0]);
  // With timestamps the segments of a SYN-ACK are smaller by them.
  const peer = passive({ ...FAST, tsVal: 1 });
  assertEquals(peer.world.log[0].window, 65160);
});

Deno.test("a fast stream that is read at once grows the buffer with what comes in a round trip", () => {
  const peer = passive({ ...FAST, tsVal: 1000 }, { pipe: { delayNs: 0 } });
  const { stack } = peer.world;
  const before = receiveBuffer(stack, peer.conn);
  stream(peer, 3, 10);
  for (let segments = 20; segments <= 120; segments += 20) stream(peer, 2, segments);
  const after = receiveBuffer(stack, peer.conn);
  assert(after > 2 * before, `${before} to ${after}`);
  assert(connectionInfo(stack, peer.conn).rcvWnd > 2 * 65536);
});

Deno.test("the buffer grows no further than the profile allows, and not at all where that is off", () => {
  for (
    const [profileB, most] of [[{ receiveBufferMaxBytes: 200_000 }, 200_000], [
      { moderateReceiveBuffer: false },
      131072,
    ]] as const
  ) {
    const peer = passive({ ...FAST, tsVal: 1000 }, { profileB });
    stream(peer, 3, 10);
    for (let segments = 20; segments <= 100; segments += 20) stream(peer, 2, segments);
    assertEquals(receiveBuffer(peer.world.stack, peer.conn), most);
  }
});

Deno.test("SO_RCVBUF is doubled, bounded, and ends autotuning", () => {
  const peer = passive({ ...FAST, tsVal: 1000 });
  const { stack } = peer.world;
  setReceiveBuffer(stack, peer.conn, 100);
  assertEquals(receiveBuffer(stack, peer.conn), 2304);
  setReceiveBuffer(stack, peer.conn, 1e9);
  assertEquals(receiveBuffer(stack, peer.conn), 2 * 4_194_304);
  setReceiveBuffer(stack, peer.conn, 50_000);
  stream(peer, 20, 20);
  assertEquals(receiveBuffer(stack, peer.conn), 100_000);
});

Deno.test("TCP_WINDOW_CLAMP bounds what is offered", () => {
  const peer = passive(FAST);
  const { stack } = peer.world;
  stream(peer, 1, 5);
  setWindowClamp(stack, peer.conn, 10_000);
  stream(peer, 20, 5);
  const { rcvWnd } = connectionInfo(stack, peer.conn);
  assert(rcvWnd <= 10_000 + 128, `${rcvWnd}`);
});

Deno.test("what fits the window is taken, what goes beyond it is not while something is unread, and is once all was read", () => {
  const peer = passive({ mss: 1460 }, { profileB: { receiveBufferBytes: 8000 } });
  const { stack } = peer.world;
  peer.data(1000);
  peer.take();
  const room = connectionInfo(stack, peer.conn).rcvWnd;
  peer.send(".", { length: room + 500 });
  assertEquals(connectionInfo(stack, peer.conn).unread, 1000);
  receive(stack, peer.conn, 1000);
  peer.world.drain();
  const open = connectionInfo(stack, peer.conn).rcvWnd;
  peer.send(".", { length: open + 500 });
  assertEquals(connectionInfo(stack, peer.conn).unread, open + 500);
});

Deno.test("in ESTABLISHED data is taken after SHUT_RD, as on Linux", () => {
  const peer = active(FAST);
  assertEquals(shutdownRead(peer.world.stack, peer.conn), 0);
  peer.data(10);
  peer.world.run(SECOND);
  assertEquals(peer.state, "ESTABLISHED");
  assertEquals(receive(peer.world.stack, peer.conn, 100), 10);
});
