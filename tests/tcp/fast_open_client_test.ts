// Fast Open of an active open (RFC 7413 4.1.3, 4.2.1), as Linux does it.
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import type { Profile } from "../../src/transport/profile.ts";
import { A, MS, SECOND, type Segment, World } from "./harness.ts";
import {
  abort,
  accept,
  closeConnection,
  connect,
  connectWithData,
  fastOpenClientFail,
  listen,
  receive,
  send,
  setListenerFastOpen,
  synDataAcked,
  synDataBytes,
  wouldSendSynData,
} from "../../src/tcp/mod.ts";
import { B } from "./harness.ts";

function clientWorld(profileA: Partial<Profile> = {}): World {
  return new World({ profileA: { timestamps: false, ...profileA } });
}

/** Opens with data; returns the connection and its SYN. */
function open(world: World, data: number): { conn: number; syn: Segment } {
  const conn = connectWithData(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0, data);
  world.drain();
  return { conn, syn: world.toRaw.at(-1)! };
}

function synAck(world: World, syn: Segment, acked: number, fields: { mss?: number; cookie?: string } = {}): void {
  world.inject(A, {
    flags: "S.",
    seq: 9000,
    ack: syn.seq + 1 + acked,
    srcPort: 80,
    dstPort: syn.srcPort,
    mss: 1460,
    ...fields,
  });
}

/** A world whose host A has a cookie of the raw peer's. */
function withCookie(cookie = "abcd1234", mss = 1460, profileA: Partial<Profile> = {}): World {
  const world = clientWorld(profileA);
  const { conn, syn } = open(world, 0);
  synAck(world, syn, 0, { mss, cookie });
  abort(world.stack, conn);
  world.drain();
  return world;
}

const texts = (world: World, from: number, base: number) =>
  world.toRaw.slice(from).map((s) => `${s.flags} ${(s.seq - base) >>> 0}(${s.length})`);

Deno.test("without a cookie the SYN asks for one and carries nothing", () => {
  const world = clientWorld();
  const { conn, syn } = open(world, 100);
  assertEquals([syn.flags, syn.length, syn.cookie, synDataBytes(world.stack, conn)], ["S", 0, "", 0]);
  assertEquals(fastOpenClientFail(world.stack, conn), 1);
});

Deno.test("with a cookie the SYN carries data, which a SYN-ACK may acknowledge", () => {
  const world = withCookie();
  const { conn, syn } = open(world, 1000);
  assertEquals([syn.length, syn.cookie, synDataBytes(world.stack, conn)], [1000, "abcd1234", 1000]);
  const before = world.toRaw.length;
  synAck(world, syn, 1000);
  assertEquals(texts(world, before, syn.seq), [". 1001(0)"]);
  assertEquals([world.state(conn), synDataAcked(world.stack, conn)], ["ESTABLISHED", true]);
});

Deno.test("a SYN carries what the server's MSS leaves beside forty bytes of options; the rest is the caller's", () => {
  const world = withCookie("abcd1234", 940);
  const { conn, syn } = open(world, 2000);
  assertEquals([syn.length, synDataBytes(world.stack, conn)], [900, 900]);
  send(world.stack, conn, 1100);
  const before = world.toRaw.length;
  synAck(world, syn, 900);
  assertEquals(world.toRaw.slice(before).reduce((sum, s) => sum + s.length, 0), 1100);
});

Deno.test("data that the SYN-ACK does not acknowledge is sent again at once, in whole or in part", () => {
  for (const acked of [0, 400]) {
    const world = withCookie();
    const { conn, syn } = open(world, 1000);
    const before = world.toRaw.length;
    synAck(world, syn, acked);
    assertEquals(texts(world, before, syn.seq), [`P. ${1 + acked}(${1000 - acked})`]);
    assertEquals([synDataAcked(world.stack, conn), fastOpenClientFail(world.stack, conn)], [false, 2]);
    world.inject(A, { flags: ".", seq: 9001, ack: syn.seq + 1001, srcPort: 80, dstPort: syn.srcPort });
    world.run(10 * SECOND);
    assertEquals(world.toRaw.length, before + 1);
  }
});

Deno.test("a repeated SYN has neither data nor cookie, and the data follows the SYN-ACK", () => {
  const world = withCookie();
  const { conn, syn } = open(world, 1000);
  world.run(1100 * MS);
  const again = world.toRaw.at(-1)!;
  assertEquals([again.flags, again.seq, again.length, again.cookie], ["S", syn.seq, 0, undefined]);
  const before = world.toRaw.length;
  synAck(world, syn, 0);
  assertEquals(texts(world, before, syn.seq), ["P. 1(1000)"]);
  assertEquals(fastOpenClientFail(world.stack, conn), 3);
});

Deno.test("a new cookie and MSS replace the old ones, whether the data was taken or not", () => {
  const world = withCookie();
  synAck(world, open(world, 10).syn, 0, { mss: 540, cookie: "11223344556677889900aabbccddeeff" });
  const { syn } = open(world, 5000);
  assertEquals([syn.length, syn.cookie], [500, "11223344556677889900aabbccddeeff"]);
});

Deno.test("where a request is not heard the experimental option is tried once, then the standard one again", () => {
  const world = clientWorld();
  const cookies = [1, 2, 3, 4].map(() => {
    const { syn } = open(world, 10);
    synAck(world, syn, 0);
    return syn.cookie;
  });
  assertEquals(cookies, ["", "x:", "", ""]);
});

Deno.test("a cookie of the experimental option is shown in it, until the server gives a standard one", () => {
  const world = clientWorld();
  synAck(world, open(world, 10).syn, 0);
  synAck(world, open(world, 10).syn, 0, { cookie: "x:1234abcd" });
  const shown = open(world, 10).syn;
  assertEquals([shown.cookie, shown.length], ["x:1234abcd", 10]);
  synAck(world, shown, 10, { cookie: "abcd5678" });
  assertEquals(open(world, 10).syn.cookie, "abcd5678");
});

Deno.test("without cookies, by the profile or the option, data goes into the first SYN, and no cookie is kept", () => {
  const world = clientWorld({ fastOpen: 5 });
  const { syn } = open(world, 5000);
  assertEquals([syn.length, syn.cookie], [1420, undefined]);
  synAck(world, syn, 1420, { cookie: "abcd1234" });
  const plain = clientWorld();
  const conn = connectWithData(plain.stack, A, plain.addressA, 0, plain.addressRaw, 80, 0, 10, { noCookie: true });
  plain.drain();
  assertEquals([synDataBytes(plain.stack, conn), plain.toRaw[0].cookie], [10, undefined]);
  assertEquals(world.stack.fastOpen.find(A, world.addressA, world.addressRaw)!.cookie.length <= 0, true);
});

Deno.test("a profile without Fast Open refuses it, and a connect that waits for data knows whether there is a cookie", () => {
  const off = clientWorld({ fastOpen: 0 });
  assertEquals(connectWithData(off.stack, A, off.addressA, 0, off.addressRaw, 80, 0, 1), -ERRNO.EOPNOTSUPP);
  const world = withCookie();
  assert(wouldSendSynData(world.stack, A, world.addressA, world.addressRaw));
  world.stack.fastOpen.flush(world.stack, A);
  assert(!wouldSendSynData(world.stack, A, world.addressA, world.addressRaw));
});

Deno.test("an ordinary connect neither asks for a cookie nor shows one", () => {
  const world = withCookie();
  connect(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0);
  world.drain();
  assertEquals(world.toRaw.at(-1)!.cookie, undefined);
});

Deno.test("fragmentation needed for a SYN with data: a plain SYN at once, which announces what the path takes", () => {
  const world = withCookie();
  const { conn, syn } = open(world, 1400);
  world.injectIcmp(A, 3, 4, syn, 840);
  const again = world.toRaw.at(-1)!;
  assertEquals([again.flags, again.length, again.mss, again.cookie], ["S", 0, 800, undefined]);
  const before = world.toRaw.length;
  synAck(world, syn, 0);
  assertEquals(texts(world, before, syn.seq), [". 1(800)", "P. 801(600)"]);
  assertEquals(world.state(conn), "ESTABLISHED");
});

Deno.test("three timeouts in a row pause active Fast Open, longer each time; data heard afterwards ends that", () => {
  const world = withCookie("abcd1234", 1460, { fastOpenBlackholeSeconds: 100, synRetries: 3 });
  const { conn } = open(world, 10);
  world.run(16 * SECOND);
  assertEquals([world.state(conn), world.stack.counters.fastOpenBlackHoles], ["CLOSED", 1]);
  const paused = open(world, 10).syn;
  assertEquals([paused.length, paused.cookie], [0, undefined]);
  world.run(101 * SECOND);
  const { conn: tries, syn } = open(world, 10);
  assertEquals([syn.length, syn.cookie], [10, "abcd1234"]);
  synAck(world, syn, 10);
  world.inject(A, { flags: "P.", seq: 9001, ack: syn.seq + 11, length: 5, srcPort: 80, dstPort: syn.srcPort });
  closeConnection(world.stack, tries);
  world.drain();
  assertEquals(world.stack.fastOpen.isPaused(world.stack, A), false);
});

Deno.test("both ends together: the second connection's request arrives with its SYN", () => {
  const world = new World({ profileA: { fastOpen: 1 }, profileB: { fastOpen: 2 } });
  const listener = listen(world.stack, B, 0, 80, { backlog: 5, app: 0 });
  setListenerFastOpen(world.stack, listener, 5);
  const dial = (bytes: number) => connectWithData(world.stack, A, world.addressA, 0, world.addressB, 80, 0, bytes);
  dial(0);
  world.run(100 * MS);
  accept(world.stack, listener);
  const second = dial(500);
  world.run(10 * MS);
  const conn = accept(world.stack, listener);
  assertEquals([receive(world.stack, conn, 1000), world.state(second)], [500, "SYN_SENT"]);
  send(world.stack, conn, 2000);
  world.run(100 * MS);
  assertEquals([receive(world.stack, second, 1e6), world.state(conn)], [2000, "ESTABLISHED"]);
});
