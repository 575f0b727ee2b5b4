// Fast Open on listeners (RFC 7413 4.2.2, 5.1).
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { B, MS, SECOND, World, type WorldOptions } from "./harness.ts";
import {
  accept,
  closeConnection,
  closeListener,
  listen,
  receive,
  send,
  setFastOpenKey,
  setListenerFastOpen,
  setListenerNoCookie,
  synDataAcked,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";

const KEY = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";

/** A listener that does Fast Open, and the cookie that it gives the raw peer. */
function server(options: WorldOptions = {}, queue = 5) {
  const world = new World({
    ...options,
    profileB: { fastOpen: 2, fastOpenKey: KEY, timestamps: false, ...options.profileB },
  });
  const listener = listen(world.stack, B, 0, 80, { backlog: 5, app: 0 });
  setListenerFastOpen(world.stack, listener, queue);
  world.inject(B, { flags: "S", seq: 999, srcPort: 4999, dstPort: 80, mss: 1460, cookie: "" });
  const answer = world.toRaw[0];
  world.inject(B, { flags: "R", seq: 1000, srcPort: 4999, dstPort: 80 });
  world.toRaw.length = 0;
  return { world, listener, cookie: answer.cookie!, asked: answer };
}

/** A SYN from the raw peer. */
function syn(world: World, fields: { cookie?: string; length?: number; srcPort?: number }) {
  world.inject(B, { flags: "S", seq: 100, srcPort: 5000, dstPort: 80, mss: 1460, ...fields });
}

Deno.test("who asks for a cookie gets one of eight bytes, and an ordinary handshake", () => {
  const { asked, world, listener } = server();
  assertEquals([asked.flags, asked.ack, asked.cookie!.length], ["S.", 1000, 16]);
  assertEquals(accept(world.stack, listener), 0);
});

Deno.test("data in a SYN with the right cookie is read and answered before the final ACK", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie, length: 10 });
  const synAck = world.toRaw[0];
  assertEquals([synAck.flags, synAck.ack, synAck.cookie], ["S.", 111, undefined]);
  const conn = accept(world.stack, listener);
  assertEquals([world.state(conn), receive(world.stack, conn, 100), synDataAcked(world.stack, conn)], [
    "SYN_RECEIVED",
    10,
    true,
  ]);
  send(world.stack, conn, 300);
  world.drain();
  assertEquals(world.toRaw.slice(1).map((s) => [s.flags, s.seq - synAck.seq, s.length, s.ack]), [["P.", 1, 300, 111]]);
  world.inject(B, { flags: ".", seq: 111, ack: synAck.seq + 301, srcPort: 5000, dstPort: 80 });
  assertEquals(world.state(conn), "ESTABLISHED");
});

Deno.test("a wrong cookie is answered with the right one, and its data is not taken", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie: "aaaaaaaaaaaaaaaa", length: 10 });
  assertEquals([world.toRaw[0].ack, world.toRaw[0].cookie], [101, cookie]);
  assertEquals([accept(world.stack, listener), world.stack.counters.fastOpenPassiveFails], [0, 1]);
});

Deno.test("who uses the experimental option is answered in kind", () => {
  const { world, cookie } = server();
  syn(world, { cookie: "x:", length: 10 });
  assertEquals(world.toRaw[0].cookie, `x:${cookie}`);
  syn(world, { cookie: `x:${cookie}`, length: 10, srcPort: 5001 });
  assertEquals(world.toRaw[1].ack, 111);
});

Deno.test("data without an option is ignored, unless the host or the listener wants no cookies", () => {
  const { world, listener } = server();
  syn(world, { length: 10 });
  setListenerNoCookie(world.stack, listener, true);
  syn(world, { length: 10, srcPort: 5001 });
  assertEquals(world.toRaw.map((s) => [s.ack, s.cookie]), [[101, undefined], [111, undefined]]);
});

Deno.test("a cookie without data makes a connection that can be written to", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie });
  const conn = accept(world.stack, listener);
  send(world.stack, conn, 5);
  world.drain();
  assertEquals(world.toRaw.map((s) => [s.flags, s.length, s.ack]), [["S.", 0, 101], ["P.", 5, 101]]);
  assertEquals(synDataAcked(world.stack, conn), false);
});

Deno.test("a second key's cookies are honoured, and replaced by the first's", () => {
  const { world, listener, cookie } = server();
  const key = (text: string) =>
    text.split("-").flatMap((word) => word.match(/../g)!.reverse().map((b) => parseInt(b, 16)));
  setFastOpenKey(world.stack, listener, Uint8Array.from([...new Uint8Array(16), ...key(KEY)]));
  syn(world, { cookie, length: 10 });
  assertEquals(world.toRaw[0].ack, 111);
  assert(world.toRaw[0].cookie !== undefined && world.toRaw[0].cookie !== cookie);
  assertEquals(setFastOpenKey(world.stack, listener, new Uint8Array(3)), -ERRNO.EINVAL);
});

Deno.test("no more connections than the queue holds wait for a final ACK", () => {
  const { world, listener, cookie } = server({}, 2);
  for (const srcPort of [5000, 5001, 5002]) syn(world, { cookie, length: 10, srcPort });
  assertEquals(world.toRaw.map((s) => s.ack), [111, 111, 101]);
  assertEquals(world.stack.counters.fastOpenOverflows, 1);
  world.inject(B, { flags: ".", seq: 111, ack: world.toRaw[0].seq + 1, srcPort: 5000, dstPort: 80 });
  syn(world, { cookie, length: 10, srcPort: 5003 });
  assertEquals(world.toRaw.at(-1)!.ack, 111);
  closeListener(world.stack, listener);
});

Deno.test("a reset of an accepted connection counts in the queue for a minute", () => {
  const { world, listener, cookie } = server({}, 1);
  syn(world, { cookie, length: 10 });
  const conn = accept(world.stack, listener);
  world.inject(B, { flags: "R", seq: 111, srcPort: 5000, dstPort: 80 });
  assertEquals(world.events.filter((e) => e.kind === TCP_EVENT.FAILED).map((e) => e.arg), [ERRNO.ECONNRESET]);
  assertEquals([receive(world.stack, conn, 100), synDataAcked(world.stack, conn)], [10, true]);
  syn(world, { cookie, length: 10, srcPort: 5001 });
  world.run(61 * SECOND);
  syn(world, { cookie, length: 10, srcPort: 5002 });
  assertEquals(world.toRaw.filter((s) => s.dstPort !== 5000).map((s) => s.ack).at(-1), 111);
  assertEquals(world.toRaw.find((s) => s.dstPort === 5001)!.ack, 101);
});

Deno.test("a reset before accept leaves the data to be read, and does not count", () => {
  const { world, listener, cookie } = server({}, 1);
  syn(world, { cookie, length: 10 });
  world.inject(B, { flags: "R.", seq: 111, srcPort: 5000, dstPort: 80 });
  const conn = accept(world.stack, listener);
  assertEquals(receive(world.stack, conn, 100), 10);
  syn(world, { cookie, length: 10, srcPort: 5001 });
  assertEquals(world.toRaw.at(-1)!.ack, 111);
});

Deno.test("closing the listener resets what nobody has accepted", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie, length: 10 });
  closeListener(world.stack, listener);
  world.drain();
  assertEquals(world.toRaw.map((s) => [s.flags, s.ack]), [["S.", 111], ["R.", 111]]);
  assertEquals(world.leaks(), []);
});

Deno.test("the SYN-ACK is repeated until it is acknowledged, data is not; after that data has the timer", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie, length: 10 });
  const conn = accept(world.stack, listener);
  send(world.stack, conn, 100);
  world.run(3500 * MS);
  const { seq } = world.toRaw[0];
  assertEquals(world.toRaw.map((s) => [s.flags, s.length]), [["S.", 0], ["P.", 100], ["S.", 0], ["S.", 0]]);
  world.inject(B, { flags: ".", seq: 111, ack: seq + 1, srcPort: 5000, dstPort: 80 });
  world.run(4 * SECOND);
  assertEquals(world.toRaw.at(-1)!.length, 100);
});

Deno.test("the SYN again, or data without an ACK, does not establish a connection", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie, length: 10 });
  const conn = accept(world.stack, listener);
  syn(world, { cookie, length: 10 });
  world.inject(B, { flags: "", seq: 111, length: 10, srcPort: 5000, dstPort: 80 });
  assertEquals(world.toRaw.map((s) => [s.flags, s.ack]), [["S.", 111], ["S.", 111]]);
  assertEquals(world.state(conn), "SYN_RECEIVED");
});

Deno.test("closing before the final ACK sends the FIN at once, and the connection ends in order", () => {
  const { world, listener, cookie } = server();
  syn(world, { cookie });
  const conn = accept(world.stack, listener);
  closeConnection(world.stack, conn);
  world.drain();
  const { seq } = world.toRaw[0];
  assertEquals(world.toRaw.map((s) => s.flags), ["S.", "F."]);
  world.inject(B, { flags: "F.", seq: 101, ack: seq + 2, srcPort: 5000, dstPort: 80 });
  closeListener(world.stack, listener);
  world.runToQuiet();
  assertEquals(world.leaks(), []);
});

Deno.test("patience with the final ACK ends after one more SYN-ACK than others get", () => {
  const { world, listener, cookie } = server({ profileB: { synAckRetries: 2 } });
  syn(world, { cookie, length: 1 });
  const conn = accept(world.stack, listener);
  world.run(60 * SECOND);
  assertEquals(world.toRaw.filter((s) => s.flags === "S.").length, 4);
  assertEquals(world.events.filter((e) => e.conn === conn && e.kind === TCP_EVENT.FAILED).map((e) => e.arg), [
    ERRNO.ETIMEDOUT,
  ]);
});
