// SYN cookies (RFC 4987 3.6), as Linux makes them.
import { assert, assertEquals } from "@std/assert";
import type { Profile } from "../../src/transport/profile.ts";
import { B, SECOND, World } from "./harness.ts";
import { accept, connectionInfo, FLAG, listen, listenerInfo, receive, TCB } from "../../src/tcp/mod.ts";

function server(profileB: Partial<Profile>, backlog = 2) {
  const world = new World({ profileB });
  return { world, listener: listen(world.stack, B, 0, 80, { backlog, app: 0 }) };
}

const SYN = { flags: "S", seq: 500, dstPort: 80 };

Deno.test("a full SYN queue sends cookies: nothing is kept, and the final ACK makes the connection", () => {
  const { world, listener } = server({ synCookies: 1 });
  for (let srcPort = 1; srcPort <= 10; srcPort++) world.inject(B, { ...SYN, srcPort, mss: 1450 });
  assertEquals(world.toRaw.length, 10);
  assertEquals([listenerInfo(world.stack, listener).synQueue, world.stack.synRows.inUse], [3, 3]);
  assertEquals(world.stack.counters.synCookiesSent, 7);
  const { seq } = world.toRaw[9];
  world.inject(B, { flags: "P.", seq: 501, ack: seq + 1, length: 20, srcPort: 10, dstPort: 80 });
  const conn = accept(world.stack, listener);
  assertEquals([world.state(conn), receive(world.stack, conn, 100)], ["ESTABLISHED", 20]);
  assertEquals([connectionInfo(world.stack, conn).mss, world.stack.counters.synCookiesReceived], [1440, 1]);
});

Deno.test("the timestamp of a cookie keeps window scale, SACK and ECN", () => {
  const { world, listener } = server({ synCookies: 2, ecn: "on" });
  world.inject(B, { ...SYN, flags: "SEW", srcPort: 1, mss: 1460, shift: 9, sackPermitted: true, tsVal: 77 });
  const synAck = world.toRaw[0];
  assertEquals([synAck.flags, world.stack.synRows.inUse], ["S.E", 0]);
  world.inject(B, {
    flags: ".",
    seq: 501,
    ack: synAck.seq + 1,
    window: 100,
    srcPort: 1,
    dstPort: 80,
    tsVal: 78,
    tsEcr: synAck.tsVal!,
  });
  const conn = accept(world.stack, listener);
  const state = world.stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE];
  assertEquals([state & FLAG.SACK, state & FLAG.ECN, state & FLAG.SCALING], [FLAG.SACK, FLAG.ECN, FLAG.SCALING]);
  assertEquals(world.stack.tcbs.words[conn * TCB.STRIDE + TCB.SND_WND], 100 << 9);
});

Deno.test("without timestamps a cookie keeps the MSS alone", () => {
  const { world, listener } = server({ synCookies: 2 });
  world.inject(B, { ...SYN, srcPort: 1, mss: 1300, shift: 9, sackPermitted: true });
  const synAck = world.toRaw[0];
  assertEquals([synAck.shift, synAck.sackPermitted], [undefined, undefined]);
  world.inject(B, { flags: ".", seq: 501, ack: synAck.seq + 1, window: 100, srcPort: 1, dstPort: 80 });
  const conn = accept(world.stack, listener);
  assertEquals(connectionInfo(world.stack, conn).mss, 1300);
  assertEquals(world.stack.tcbs.words[conn * TCB.STRIDE + TCB.SND_WND], 100);
});

Deno.test("a forged cookie, and one of another port, are answered with a reset and counted", () => {
  const { world, listener } = server({ synCookies: 2 });
  world.inject(B, { ...SYN, srcPort: 1, mss: 1460 });
  const { seq } = world.toRaw[0];
  world.inject(B, { flags: ".", seq: 501, ack: seq + 2 + 4096, srcPort: 1, dstPort: 80 });
  world.inject(B, { flags: ".", seq: 501, ack: seq + 1, srcPort: 2, dstPort: 80 });
  assertEquals(world.toRaw.slice(1).map((s) => s.flags), ["R", "R"]);
  assertEquals([accept(world.stack, listener), world.stack.counters.synCookiesFailed], [0, 2]);
});

Deno.test("a cookie lives for one to two minutes", () => {
  for (const [seconds, good] of [[59, true], [130, false]] as const) {
    const { world, listener } = server({ synCookies: 2 });
    world.inject(B, { ...SYN, srcPort: 1, mss: 1460 });
    const { seq } = world.toRaw[0];
    world.run(seconds * SECOND);
    // Cookies go on being sent: only this one's age counts.
    world.inject(B, { ...SYN, srcPort: 3, mss: 1460 });
    world.inject(B, { flags: ".", seq: 501, ack: seq + 1, srcPort: 1, dstPort: 80 });
    assertEquals(accept(world.stack, listener) !== 0, good);
  }
});

Deno.test("where no cookie was sent, no ACK is taken for one", () => {
  const { world } = server({ synCookies: 1 });
  world.inject(B, { flags: ".", seq: 501, ack: 12345, srcPort: 1, dstPort: 80 });
  assertEquals([world.toRaw[0].flags, world.stack.counters.synCookiesFailed], ["R", 0]);
});

Deno.test("a full accept queue takes no cookie back; without cookies the last quarter of the backlog stays free", () => {
  const { world, listener } = server({ synCookies: 2 }, 0);
  const seqs = [1, 2].map((srcPort) => {
    world.inject(B, { ...SYN, srcPort, mss: 1460 });
    return world.toRaw.at(-1)!.seq;
  });
  seqs.forEach((seq, i) => world.inject(B, { flags: ".", seq: 501, ack: seq + 1, srcPort: i + 1, dstPort: 80 }));
  assertEquals(listenerInfo(world.stack, listener).acceptQueue, 1);
  const flood = server({ synCookies: 0, maxSynBacklog: 100 }, 4096);
  for (let srcPort = 1; srcPort <= 100; srcPort++) flood.world.inject(B, { ...SYN, srcPort });
  assertEquals(listenerInfo(flood.world.stack, flood.listener).synQueue, 76);
  assert(flood.world.stack.counters.synOverflows === 24);
});
