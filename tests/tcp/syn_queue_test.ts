// The SYN queue: repetitions, deferred accepts, what listeners pass on.
import { assertEquals } from "@std/assert";
import { B, MS, SECOND, World } from "./harness.ts";
import {
  accept,
  connectionInfo,
  deferAcceptTimeouts,
  FLAG,
  listen,
  listenerInfo,
  setListenerFlag,
  setListenerSetting,
  TCB,
  tcpOptions,
} from "../../src/tcp/mod.ts";
import { SETTINGS } from "../../src/tcp/state/tcb.ts";
import type { WorldOptions } from "./harness.ts";

function server(options: WorldOptions = {}, backlog = 5) {
  const world = new World(options);
  return { world, listener: listen(world.stack, B, 0, 80, { backlog, app: 0 }) };
}

const SYN = { flags: "S", seq: 500, srcPort: 9, dstPort: 80, mss: 1460 };
const times = (world: World) => world.toRaw.map((s) => (s.time - SECOND) / MS);

Deno.test("a repeated SYN is answered at once, not more often than the rate limit, and the timer begins anew", () => {
  const { world } = server();
  world.inject(B, SYN);
  world.run(700 * MS);
  world.inject(B, SYN);
  world.run(100 * MS);
  world.inject(B, SYN);
  world.run(1000 * MS);
  assertEquals(times(world), [0, 700, 1700]);
  assertEquals(world.stack.counters.acksSkipped, 1);
});

Deno.test("a SYN-ACK that was repeated gives no round trip: the first timeout of data is three seconds", () => {
  const { world, listener } = server();
  world.inject(B, SYN);
  world.run(1100 * MS);
  world.inject(B, { flags: ".", seq: 501, ack: world.toRaw[0].seq + 1, srcPort: 9, dstPort: 80 });
  const info = connectionInfo(world.stack, accept(world.stack, listener));
  assertEquals([info.rtoMs, info.cwnd], [3000, 10]);
});

Deno.test("after two timeouts of the SYN-ACK the window is one segment, unless the timestamp says that all was in vain", () => {
  for (const [echoed, cwnd] of [[0, 10], [2, 1]] as const) {
    const { world, listener } = server();
    world.inject(B, { ...SYN, tsVal: 5 });
    world.run(3100 * MS);
    const { seq } = world.toRaw[0];
    const tsEcr = world.toRaw[echoed].tsVal!;
    world.inject(B, { flags: ".", seq: 501, ack: seq + 1, srcPort: 9, dstPort: 80, tsVal: 6, tsEcr });
    assertEquals(connectionInfo(world.stack, accept(world.stack, listener)).cwnd, cwnd);
  }
});

Deno.test("TCP_DEFER_ACCEPT waits for data, silently, and gives up if there is none", () => {
  const { world, listener } = server();
  setListenerSetting(world.stack, listener, SETTINGS.DEFER_ACCEPT, deferAcceptTimeouts(5, 1000, 120_000));
  world.inject(B, SYN);
  const { seq } = world.toRaw[0];
  const final = { seq: 501, ack: seq + 1, srcPort: 9, dstPort: 80 };
  world.inject(B, { flags: ".", ...final });
  assertEquals([accept(world.stack, listener), listenerInfo(world.stack, listener).synQueue], [0, 1]);
  world.run(2 * SECOND);
  assertEquals(world.toRaw.length, 1);
  world.inject(B, { flags: "P.", ...final, length: 10 });
  assertEquals(world.state(accept(world.stack, listener)), "ESTABLISHED");
});

Deno.test("TCP_DEFER_ACCEPT's seconds are timeouts that double", () => {
  assertEquals([0, 1, 2, 3, 4, 7, 8].map((s) => deferAcceptTimeouts(s, 1000, 120_000)), [0, 1, 2, 2, 3, 3, 4]);
});

Deno.test("an accepted connection begins with its listener's options", () => {
  const { world, listener } = server();
  setListenerFlag(world.stack, listener, FLAG.NO_DELAY, true);
  setListenerSetting(world.stack, listener, SETTINGS.MAX_SEGMENT, 500);
  setListenerSetting(world.stack, listener, SETTINGS.USER_TIMEOUT_MS, 1234);
  setListenerSetting(world.stack, listener, SETTINGS.TTL, 1 + 33);
  setListenerSetting(world.stack, listener, SETTINGS.TRAFFIC_CLASS, 1 + 0x20);
  world.inject(B, SYN);
  const synAck = world.toRaw[0];
  assertEquals([synAck.mss, synAck.ttl, synAck.trafficClass], [500, 33, 0x20]);
  world.inject(B, { flags: ".", seq: 501, ack: synAck.seq + 1, srcPort: 9, dstPort: 80 });
  const conn = accept(world.stack, listener);
  const options = tcpOptions(world.stack, conn);
  assertEquals([options.noDelay, options.userTimeout], [true, 1234]);
  assertEquals(world.stack.tcbs.words[conn * TCB.STRIDE + TCB.MSS] & 0xffff, 500);
});

Deno.test("what lies outside the window is answered with an ACK, an unacceptable ACK with a reset", () => {
  const { world } = server();
  world.inject(B, SYN);
  const { seq } = world.toRaw[0];
  world.inject(B, { flags: ".", seq: 400, ack: seq + 1, srcPort: 9, dstPort: 80 });
  world.inject(B, { flags: ".", seq: 501, ack: seq + 7, srcPort: 9, dstPort: 80 });
  assertEquals(world.toRaw.slice(1).map((s) => [s.flags, s.seq - seq, s.ack]), [[".", 1, 501], ["R", 7, 0]]);
});

Deno.test("a queue more than half full of old SYNs gives up on them earlier, down to half", () => {
  const { world, listener } = server({}, 20);
  for (let srcPort = 1; srcPort <= 20; srcPort++) world.inject(B, { ...SYN, srcPort });
  world.run(8 * SECOND);
  assertEquals(listenerInfo(world.stack, listener).synQueue, 10);
  const calm = server({}, 20);
  calm.world.inject(B, SYN);
  calm.world.run(8 * SECOND);
  assertEquals(listenerInfo(calm.world.stack, calm.listener).synQueue, 1);
});
