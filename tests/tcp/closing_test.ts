// Closing in all its ways: lingering, TCP_LINGER2, disconnecting, shutting down; user timeout; errors to take.
import { assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import {
  closeConnection,
  disconnect,
  hasError,
  isLingering,
  send,
  setKeepAlive,
  setLinger,
  setLinger2,
  setReceiveErrors,
  setUserTimeout,
  shutdownRead,
  shutdownWrite,
  stateCounts,
  takeError,
  takeQueuedError,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";
import { A, MS, SECOND } from "./harness.ts";
import { active, opening } from "./raw_peer.ts";

Deno.test("SO_LINGER with 0 seconds resets the connection at its close, whatever was sent", () => {
  const peer = active();
  const { stack } = peer.world;
  setLinger(stack, peer.conn, true, 0);
  send(stack, peer.conn, 100);
  peer.world.drain();
  peer.take();
  closeConnection(stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.take().map((s) => [s.flags, s.seq - peer.base]), [["R.", 101]]);
  assertEquals(peer.world.leaks(), []);
});

Deno.test("a close that lingers does so until the FIN is acknowledged", () => {
  const peer = active();
  const { stack } = peer.world;
  setLinger(stack, peer.conn, true, 5);
  send(stack, peer.conn, 100);
  closeConnection(stack, peer.conn);
  peer.world.drain();
  peer.take();
  assertEquals(isLingering(stack, peer.conn), true);
  peer.ack += 100;
  peer.send(".");
  assertEquals(isLingering(stack, peer.conn), true);
  peer.ack += 1;
  peer.send(".");
  assertEquals(isLingering(stack, peer.conn), false);
});

Deno.test("an orphan in FIN_WAIT_2 waits as TCP_LINGER2 says, not at all below 0", () => {
  for (const [seconds, waits] of [[0, 60], [3, 3], [-1, 0]]) {
    const peer = active();
    const { stack } = peer.world;
    setLinger2(stack, peer.conn, seconds);
    closeConnection(stack, peer.conn);
    peer.world.drain();
    peer.ack++;
    peer.send(".");
    const waiting = () => stateCounts(stack).FIN_WAIT_2 ?? 0;
    const inUse = [waiting()];
    peer.world.run((waits - 1) * SECOND);
    inUse.push(waiting());
    peer.world.run(2 * SECOND);
    inUse.push(waiting());
    assertEquals(stack.tcbs.inUse, 0);
    assertEquals(inUse, waits === 0 ? [0, 0, 0] : [1, 1, 0]);
  }
});

Deno.test("closing in FIN_WAIT_2 with TCP_LINGER2 below 0 resets", () => {
  const peer = active();
  const { stack } = peer.world;
  setLinger2(stack, peer.conn, -1);
  shutdownWrite(stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.send(".");
  peer.take();
  closeConnection(stack, peer.conn);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.flags), ["R."]);
});

Deno.test("disconnecting resets, and leaves ECONNRESET to be taken once", () => {
  const peer = active();
  const { stack } = peer.world;
  assertEquals(disconnect(stack, peer.conn), 0);
  peer.world.drain();
  assertEquals(peer.take().map((s) => s.flags), ["R."]);
  assertEquals(peer.world.kinds(peer.conn).at(-1), TCP_EVENT.FAILED);
  assertEquals(hasError(stack, peer.conn), true);
  assertEquals(takeError(stack, peer.conn), ERRNO.ECONNRESET);
  assertEquals(takeError(stack, peer.conn), 0);
  assertEquals(hasError(stack, peer.conn), false);
  closeConnection(stack, peer.conn);
  assertEquals(peer.world.leaks(), []);
});

Deno.test("after a reset the first send fails with ECONNRESET, the next ones with EPIPE", () => {
  const peer = active();
  const { stack } = peer.world;
  peer.send("R.");
  assertEquals(send(stack, peer.conn, 10), -ERRNO.ECONNRESET);
  assertEquals(send(stack, peer.conn, 10), -ERRNO.EPIPE);
});

Deno.test("data is taken after SHUT_RD, and reset once writing has ended too", () => {
  const peer = active();
  const { stack } = peer.world;
  assertEquals(shutdownRead(stack, peer.conn), 0);
  peer.data(100);
  peer.world.run(100 * MS);
  assertEquals(peer.take().map((s) => s.flags), ["."]);
  shutdownWrite(stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.take();
  peer.data(100);
  assertEquals(peer.take().map((s) => [s.flags, s.seq]), [["R", peer.ack]]);
  assertEquals(takeError(stack, peer.conn), ERRNO.ECONNRESET);
});

Deno.test("the user timeout bounds the time that a window is shut, although the peer answers", () => {
  const peer = active();
  const { stack } = peer.world;
  setUserTimeout(stack, peer.conn, 10_000);
  peer.window = 0;
  peer.data(1);
  peer.take();
  send(stack, peer.conn, 1000);
  const start = peer.world.nowNs;
  let ended = 0;
  for (let i = 0; i < 300 && ended === 0; i++) {
    peer.world.run(100 * MS);
    for (const _ of peer.take()) peer.send(".");
    if (peer.world.kinds(peer.conn).includes(TCP_EVENT.FAILED)) ended = (peer.world.nowNs - start) / SECOND;
  }
  assertEquals(Math.floor(ended), 10);
  assertEquals(takeError(stack, peer.conn), ERRNO.ETIMEDOUT);
});

Deno.test("with a user timeout, that and not the count of probes ends a silent connection (RFC 5482)", () => {
  const peer = active();
  const { stack } = peer.world;
  setKeepAlive(stack, peer.conn, true, { idleMs: 1000, intervalMs: 1000, probes: 2 });
  setUserTimeout(stack, peer.conn, 6000);
  peer.take();
  peer.world.run(5500 * MS);
  assertEquals(peer.take().map((s) => s.flags), [".", ".", ".", ".", "."]);
  peer.world.run(1000 * MS);
  assertEquals(peer.take().map((s) => s.flags), ["R."]);
});

Deno.test("IP_RECVERR: an ICMP error waits in the queue, and the next call fails with it", () => {
  const refused = opening();
  const { stack } = refused.world;
  setReceiveErrors(stack, refused.conn, true);
  refused.world.injectIcmp(A, 3, 1, refused.world.log.at(-1)!);
  assertEquals(takeQueuedError(stack, refused.conn), {
    errno: ERRNO.EHOSTUNREACH,
    origin: 2,
    type: 3,
    code: 1,
    info: 0,
  });
  assertEquals(takeQueuedError(stack, refused.conn), null);
  assertEquals(takeError(stack, refused.conn), ERRNO.EHOSTUNREACH);
  const live = active();
  setReceiveErrors(live.world.stack, live.conn, true);
  send(live.world.stack, live.conn, 10);
  live.world.drain();
  live.world.injectIcmp(A, 3, 1, live.world.log.at(-1)!);
  assertEquals(live.state, "ESTABLISHED");
  assertEquals(send(live.world.stack, live.conn, 10), -ERRNO.EHOSTUNREACH);
  assertEquals(send(live.world.stack, live.conn, 10), 10);
});

Deno.test("an orphan in FIN_WAIT_2 is a small row, which a SYN ends with a reset and a FIN makes TIME_WAIT", () => {
  for (const fin of [true, false]) {
    const peer = active();
    const { stack } = peer.world;
    closeConnection(stack, peer.conn);
    peer.world.drain();
    peer.ack++;
    peer.send(".");
    peer.take();
    assertEquals([stack.tcbs.inUse, stack.timeWaits.inUse], [0, 1]);
    peer.send(fin ? "F." : "S", { seq: fin ? peer.seq : peer.seq + 10 });
    assertEquals(peer.take().map((s) => [s.flags, (s.ack - peer.seq) | 0]), fin ? [[".", 1]] : [["R.", 11]]);
    assertEquals(stateCounts(stack), fin ? { TIME_WAIT: 1 } : {});
    peer.world.run(61 * SECOND);
    assertEquals(peer.world.leaks(), []);
  }
});
