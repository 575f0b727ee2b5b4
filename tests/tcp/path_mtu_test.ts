// Path MTU discovery: what hosts remember, DF, and searching for the MTU with probes (RFC 1191, RFC 8201, RFC 4821).
import { assertEquals } from "@std/assert";
import { connect, connectionInfo, listen, PATH_MTU, send, setPathMtuDiscovery } from "../../src/tcp/mod.ts";
import { mtuSearch } from "../../src/tcp/mtu_probe.ts";
import { A, B, MS, SECOND } from "./harness.ts";
import { active, passive, type RawPeer } from "./raw_peer.ts";

/** Writes, and takes what is sent: lengths. */
function write(peer: RawPeer, bytes: number): number[] {
  send(peer.world.stack, peer.conn, bytes);
  peer.world.drain();
  return peer.take().map((s) => s.length);
}

/** The peer acknowledges `bytes` more, a round trip later. */
function acknowledge(peer: RawPeer, bytes: number): void {
  peer.world.run(20 * MS);
  peer.ack += bytes;
  peer.send(".");
}

const mss = (peer: RawPeer) => connectionInfo(peer.world.stack, peer.conn).mss;

Deno.test("a path's MTU is remembered for ten minutes: connections to the same address announce and send less", () => {
  const peer = active();
  const { world } = peer;
  send(world.stack, peer.conn, 3000);
  world.drain();
  world.injectIcmp(A, 3, 4, peer.take()[0], 1000);
  peer.ack += 3000;
  peer.send(".");
  peer.take();
  for (const [after, announced] of [[1, 960], [590, 960], [10, 1460]]) {
    world.run(after * SECOND);
    connect(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0);
    world.drain();
    assertEquals(peer.take().findLast((s) => s.flags === "S")!.mss, announced);
  }
  assertEquals(write(peer, 3000), [1460, 1460, 80]);
});

Deno.test("a path's MTU is remembered of one address only", () => {
  const peer = active();
  const { world } = peer;
  send(world.stack, peer.conn, 3000);
  world.drain();
  world.injectIcmp(A, 3, 4, peer.take()[0], 1000);
  connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.drain();
  assertEquals(world.log.findLast((s) => s.flags === "S")!.mss, 1460);
});

Deno.test("a larger MTU than is known, and an IPv6 one below 1280, change nothing", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 3000);
  peer.world.drain();
  const [first] = peer.take();
  peer.world.injectIcmp(A, 3, 4, first, 1200);
  assertEquals(mss(peer), 1160);
  peer.take();
  peer.world.injectIcmp(A, 3, 4, first, 1300);
  assertEquals([mss(peer), peer.take().length], [1160, 0]);
  const v6 = active({}, { ipv6: true });
  send(v6.world.stack, v6.conn, 3000);
  v6.world.drain();
  v6.world.injectIcmp(A, 2, 0, v6.take()[0], 1279);
  assertEquals([mss(v6), v6.take().length], [1440, 0]);
});

Deno.test("without path MTU discovery nothing is sent again, but what follows is smaller", () => {
  const peer = active();
  setPathMtuDiscovery(peer.world.stack, peer.conn, PATH_MTU.DONT);
  send(peer.world.stack, peer.conn, 3000);
  peer.world.drain();
  peer.world.injectIcmp(A, 3, 4, peer.take()[0], 1000);
  assertEquals(peer.take(), []);
  assertEquals(write(peer, 1920), [960, 960]);
});

Deno.test("segments carry DF where IP_MTU_DISCOVER wants it (WANT and DO), SYNs too", () => {
  const modes = [[PATH_MTU.WANT, true], [PATH_MTU.DONT, false], [PATH_MTU.DO, true], [PATH_MTU.PROBE, false]] as const;
  for (const [mode, expected] of modes) {
    const { world } = active();
    const before = world.log.length;
    const conn = connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0, {
      prepare: (made) => setPathMtuDiscovery(world.stack, made, mode),
    });
    listen(world.stack, B, 0, 80, { backlog: 1, app: 0 });
    world.drain();
    world.run(2 * SECOND);
    send(world.stack, conn, 100);
    world.drain();
    const sent = world.log.slice(before).filter((s) => s.from === A);
    assertEquals(sent.map((s) => s.mayFragment !== true), sent.map(() => expected));
    assertEquals(sent.length >= 3, true);
  }
});

Deno.test("a host without path MTU discovery sends no DF", () => {
  const peer = passive({}, { profileB: { pathMtuDiscovery: false } });
  send(peer.world.stack, peer.conn, 100);
  peer.world.drain();
  const sent = peer.world.log.filter((s) => s.from === B);
  assertEquals(sent.every((s) => s.mayFragment === true), true);
});

const SEARCH = { mtuProbing: 2, baseMssBytes: 1000 };

Deno.test("a search starts at the base MSS and halves the range with every probe that passes (RFC 4821 7.2)", () => {
  const peer = active({}, { profileA: SEARCH });
  assertEquals(mtuSearch(peer.world.stack, peer.conn), { low: 1040, high: 1500, probe: 0 });
  // As Linux: until something is acknowledged, as if the header of the SYN, with timestamps, had been agreed on.
  assertEquals(mss(peer), 1012);
  write(peer, 10_000);
  acknowledge(peer, 10_000);
  assertEquals(mss(peer), 1000);
  const probes: number[] = [];
  for (let round = 0; round < 8; round++) {
    const lengths = write(peer, 14_600);
    if (lengths[0] > mss(peer)) probes.push(lengths[0]);
    acknowledge(peer, 14_600);
  }
  assertEquals(probes, [1230, 1345, 1402, 1431, 1445, 1452, 1456]);
  assertEquals(mtuSearch(peer.world.stack, peer.conn), { low: 1496, high: 1500, probe: 0 });
  assertEquals(mss(peer), 1456);
  assertEquals(peer.world.stack.counters.mtuProbesPassed, 7);
});

Deno.test("a search that has ended begins again after the interval, up to what the peer takes (RFC 4821 7.6.3)", () => {
  const peer = active({}, { profileA: { ...SEARCH, mtuProbeIntervalSeconds: 30 } });
  const { stack } = peer.world;
  send(stack, peer.conn, 10_000);
  peer.world.drain();
  peer.world.injectIcmp(A, 3, 4, peer.take()[0], 1200);
  acknowledge(peer, 10_000);
  peer.take();
  for (let round = 0; round < 8; round++) {
    write(peer, 14_600);
    acknowledge(peer, 14_600);
  }
  const { low, high } = mtuSearch(stack, peer.conn)!;
  assertEquals([high, high - low < 8], [1200, true]);
  peer.world.run(31 * SECOND);
  // The window has shrunk meanwhile.
  write(peer, 10_000);
  acknowledge(peer, 10_000);
  write(peer, 14_600);
  assertEquals(mtuSearch(stack, peer.conn), { low, high: 1500, probe: 0 });
});

Deno.test("a probe waits until the data behind it are written, and the window takes them (RFC 4821 7.4)", () => {
  const peer = active({}, { profileA: SEARCH });
  write(peer, 10_000);
  acknowledge(peer, 10_000);
  assertEquals(write(peer, 5000), [1000, 1000, 1000, 1000, 1000]);
  acknowledge(peer, 5000);
  peer.window = 5000;
  peer.send(".");
  assertEquals(write(peer, 10_000)[0], 1000);
});

Deno.test("after a black hole the MSS falls to the base, is halved, and stops at the floor (RFC 4821 7.7)", () => {
  const peer = active({}, { profileA: { mtuProbing: 1, baseMssBytes: 1000, mtuProbeFloorBytes: 300 } });
  assertEquals(write(peer, 2920), [1460, 1460]);
  peer.world.run(60 * SECOND);
  assertEquals(peer.take().map((s) => s.length).slice(0, 8), [1460, 1460, 1460, 1460, 1000, 500, 300, 300]);
});

Deno.test("without probing a black hole stays one", () => {
  const peer = active();
  write(peer, 2920);
  peer.world.run(60 * SECOND);
  assertEquals(new Set(peer.take().map((s) => s.length)), new Set([1460]));
});
