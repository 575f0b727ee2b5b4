// TIME-WAIT: when its tuple is used again, and what ends it (RFC 6191, RFC 1337).
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import type { Profile } from "../../src/transport/profile.ts";
import { A, B, MS, SECOND, type Segment, World } from "./harness.ts";
import { accept, closeConnection, connect, listen } from "../../src/tcp/mod.ts";

/** A closes a connection to B first: A's port is in TIME_WAIT. Returns A's port. */
function waiting(profileA: Partial<Profile>): { world: World; listener: number; port: number } {
  const world = new World({ profileA: { ephemeralPortLow: 40000, ephemeralPortHigh: 40000, ...profileA } });
  const listener = listen(world.stack, B, 0, 80, { backlog: 5, app: 0 });
  const conn = connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.run(50 * MS);
  const port = world.log[0].srcPort;
  closeConnection(world.stack, conn);
  world.run(50 * MS);
  closeConnection(world.stack, accept(world.stack, listener));
  world.run(100 * MS);
  assertEquals(world.stack.timeWaits.inUse, 1);
  return { world, listener, port };
}

const dial = (world: World) => connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);

Deno.test("an ephemeral port in TIME_WAIT is given again after a second, if the profile allows and with timestamps", () => {
  for (
    const [profile, free] of [
      [{ timeWaitReuse: true }, true],
      [{ timeWaitReuse: false }, false],
      [{ timeWaitReuse: true, timestamps: false }, false],
    ] as const
  ) {
    const { world, port } = waiting(profile);
    assertEquals(dial(world), -ERRNO.EADDRNOTAVAIL);
    world.run(1100 * MS);
    const conn = dial(world);
    assertEquals(conn > 0, free);
    if (!free) continue;
    world.run(100 * MS);
    assertEquals([world.state(conn), world.log.at(-1)!.srcPort], ["ESTABLISHED", port]);
    assertEquals(world.stack.timeWaits.inUse, 0);
  }
});

Deno.test("a reused tuple's SYN begins beyond the old numbers, and echoes the last timestamp", () => {
  const { world } = waiting({ timeWaitReuse: true });
  const last = world.log.filter((s) => s.from === A).at(-1)!;
  world.run(1100 * MS);
  dial(world);
  world.drain();
  const syn = world.log.at(-1)!;
  assertEquals([(syn.seq - last.seq) >>> 0, syn.tsEcr], [65537, last.tsEcr]);
});

/** A raw peer's connection to B, which B closed first: B is in TIME_WAIT. */
function serverWaits(profileB: Partial<Profile> = {}, tsVal?: number) {
  const world = new World({ profileB });
  const listener = listen(world.stack, B, 0, 80, { backlog: 5, app: 0 });
  const stamp = tsVal === undefined ? {} : { tsVal };
  const base = { srcPort: 9, dstPort: 80, ...stamp };
  world.inject(B, { ...base, flags: "S", seq: 100, mss: 1460 });
  const { seq } = world.toRaw[0];
  world.inject(B, { ...base, flags: ".", seq: 101, ack: seq + 1 });
  closeConnection(world.stack, accept(world.stack, listener));
  world.drain();
  world.inject(B, { ...base, flags: "F.", seq: 101, ack: seq + 2 });
  assertEquals(world.stack.timeWaits.inUse, 1);
  world.toRaw.length = 0;
  const say = (fields: Partial<Segment> & { flags: string; seq: number }) => world.inject(B, { ...base, ...fields });
  return { world, seq, say };
}

Deno.test("a SYN beyond the old numbers, or with a newer timestamp, opens the tuple again", () => {
  for (
    const [tsVal, syn, opens] of [
      [undefined, { seq: 103 }, true],
      [undefined, { seq: 50 }, false],
      [10, { seq: 50, tsVal: 11 }, true],
      [10, { seq: 103, tsVal: 9 }, false],
    ] as const
  ) {
    const { world, seq, say } = serverWaits({}, tsVal);
    say({ flags: "S", mss: 1460, ...syn });
    assertEquals(world.toRaw.map((s) => s.flags), [opens ? "S." : "."]);
    if (opens) assertEquals((world.toRaw[0].seq - seq - 2) >>> 0, 65537);
  }
});

Deno.test("a reset in place ends TIME_WAIT, unless the host keeps to RFC 1337; one elsewhere never does", () => {
  for (const [rfc1337, left] of [[false, 0], [true, 1]] as const) {
    const { world, say } = serverWaits({ rfc1337 });
    say({ flags: "R", seq: 5000 });
    assertEquals(world.stack.timeWaits.inUse, 1);
    say({ flags: "R", seq: 102 });
    assertEquals([world.stack.timeWaits.inUse, world.toRaw.length], [left, 0]);
  }
});

Deno.test("segments that are not in place are answered with an ACK, not more often than the rate limit", () => {
  const { world, seq, say } = serverWaits();
  say({ flags: ".", seq: 90, ack: seq + 2 });
  say({ flags: ".", seq: 90, ack: seq + 2 });
  assertEquals(world.toRaw.map((s) => [s.flags, s.ack]), [[".", 102]]);
  world.run(600 * MS);
  say({ flags: ".", seq: 90, ack: seq + 2 });
  assertEquals(world.toRaw.length, 2);
});

Deno.test("the FIN again, and an ACK in place, start the minute anew", () => {
  for (const again of [{ flags: "F.", seq: 101 }, { flags: ".", seq: 102 }]) {
    const { world, seq, say } = serverWaits();
    world.run(50 * SECOND);
    say({ ...again, ack: seq + 2 });
    world.run(50 * SECOND);
    assert(world.stack.timeWaits.inUse === 1);
    world.run(11 * SECOND);
    assertEquals(world.stack.timeWaits.inUse, 0);
  }
});
