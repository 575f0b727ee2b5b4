import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ERRNO } from "../../src/base/errors.ts";
import { PORT_ALLOCATIONS } from "../../src/transport/profile.ts";
import { type Connection, PortWorld, rangeProfile } from "./port_world.ts";

const LOCAL = 256;
const REMOTE = 512;

/** Connects until refused (or `most` are made). */
function drain(world: PortWorld, profile: ReturnType<typeof rangeProfile>, remote: number, port: number, most = 1e9) {
  const made: Connection[] = [];
  while (made.length < most) {
    const connection = world.connect(profile, 0, LOCAL, remote, port);
    if (typeof connection === "number") {
      assertEquals(connection, -ERRNO.EADDRNOTAVAIL);
      break;
    }
    made.push(connection);
  }
  return made;
}

const algorithm = fc.constantFrom(...PORT_ALLOCATIONS);

Deno.test("a range gives exactly its size of connections to one destination, then EADDRNOTAVAIL", () => {
  fc.assert(
    fc.property(algorithm, fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60000 }), fc.nat(1000), (
      portAllocation,
      size,
      low,
      seed,
    ) => {
      const world = new PortWorld({ seed });
      const profile = rangeProfile(portAllocation, low, size, { portScanFallback: true, portTableBits: 3 });
      const made = drain(world, profile, REMOTE, 80);
      assertEquals(made.length, size);
      assertEquals(new Set(made.map((c) => c.ports)).size, size);
      for (const { ports } of made) assert(ports >>> 16 >= low && ports >>> 16 < low + size);
      const hostWide = portAllocation === "host-wide";
      assertEquals(drain(world, profile, REMOTE, 81).length, hostWide ? 0 : size);
      assertEquals(drain(world, profile, REMOTE + 1, 80).length, hostWide ? 0 : size);
      const another = world.connect(profile, 1, LOCAL, REMOTE, 80);
      assert(typeof another !== "number", "another host has its own range, whatever its address");
      const released = made[seed % size];
      world.release(released);
      const again = drain(world, profile, REMOTE, 80);
      assertEquals(again.map((c) => c.ports), [released.ports]);
    }),
    { numRuns: 60 },
  );
});

Deno.test("algorithms 2 and 5 as published may refuse early, and never give more than there is", () => {
  fc.assert(fc.property(
    fc.constantFrom("rfc6056-2" as const, "rfc6056-5" as const),
    fc.integer({ min: 1, max: 200 }),
    fc.nat(1000),
    (portAllocation, size, seed) => {
      const world = new PortWorld({ seed });
      const made = drain(world, rangeProfile(portAllocation, 1024, size), REMOTE, 80);
      assert(made.length >= 1 && made.length <= size);
      assertEquals(new Set(made.map((c) => c.ports)).size, made.length);
    },
  ));
  let early = 0;
  for (let seed = 0; seed < 20; seed++) {
    const world = new PortWorld({ seed });
    if (drain(world, rangeProfile("rfc6056-2", 1024, 100), REMOTE, 80).length < 100) early++;
  }
  assert(early > 0, "the last of 100 ports is missed by 100 random tries more than a third of the time");
});

Deno.test("bitmaps change no port, no draw and no counter, whatever is released, bound or listened on in between", () => {
  const step = fc.record({
    act: fc.constantFrom("connect", "connect", "connect", "release", "wait", "listen", "bind", "any"),
    destination: fc.nat(2),
    repeat: fc.integer({ min: 1, max: 150 }),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(
      algorithm,
      fc.boolean(),
      fc.integer({ min: 60, max: 280 }),
      fc.nat(100),
      fc.array(step, { minLength: 5, maxLength: 40 }),
      (portAllocation, portScanFallback, size, seed, steps) => {
        const profile = rangeProfile(portAllocation, 40001, size, { portScanFallback, portTableBits: 1 });
        const worlds = [new PortWorld({ seed }), new PortWorld({ seed, bitmaps: false })];
        const [log, plainLog] = worlds.map((world) => {
          const log: unknown[] = [];
          const live: Connection[] = [];
          for (const { act, destination, repeat, pick } of steps) {
            for (let i = 0; i < repeat; i++) {
              const port = 40001 + (pick + i * 7) % size;
              const local = (pick + i) % 3 === 0 ? 0 : LOCAL + (pick + i) % 2;
              if (act === "connect") {
                const made = world.connect(profile, 0, LOCAL, REMOTE + destination, 80);
                log.push(typeof made === "number" ? made : made.ports);
                if (typeof made !== "number") live.push(made);
              } else if (act === "release" && live.length > 0) {
                world.release(live.splice((pick + i * 13) % live.length, 1)[0]);
              } else if (act === "wait" && live.length > 0) {
                world.wait(live[(pick + i * 13) % live.length]);
              } else if (act === "listen" && i < 5) {
                if (destination === 0) world.demux.removeListener(0, local, port);
                else log.push(world.demux.addListener(0, local, port, 1));
              } else if (act === "bind" && i < 20) {
                if (destination === 0) world.ports.use.unbindPort(0, local, port);
                else log.push(world.ports.use.bindPort(0, local, port, destination === 2));
              } else if (act === "any" && i < 20) {
                log.push(world.ports.bindAnyPort(0, profile, local));
              }
              log.push(world.counters(0).join());
            }
          }
          return log;
        });
        assertEquals(log, plainLog);
        assertEquals(worlds[1].ports.use.crowdedRanges, 0);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("ports depend on names and addresses, not on row numbers, ids or other hosts", () => {
  for (const portAllocation of PORT_ALLOCATIONS) {
    const profile = rangeProfile(portAllocation, 1024, 500);
    const world = new PortWorld({ hosts: 1 });
    const moved = new PortWorld({ hosts: 10, idShift: 1000 });
    moved.hosts.addHost(7, { name: "host-0" });
    for (let i = 0; i < 300; i++) {
      const expected = world.connect(profile, 0, LOCAL, REMOTE + i % 2, 80) as Connection;
      moved.connect(profile, 3, LOCAL + 1000, REMOTE + 1000 + i % 3, 80);
      const got = moved.connect(profile, 7, LOCAL + 1000, REMOTE + 1000 + i % 2, 80) as Connection;
      assertEquals(got.ports, expected.ports);
    }
  }
});

Deno.test("Linux gives the ports of the lowest port's parity before the others", () => {
  const world = new PortWorld();
  const made = drain(world, rangeProfile("linux", 32768, 1000), REMOTE, 80);
  assert(made.slice(0, 500).every((c) => (c.ports >>> 16) % 2 === 0));
  assert(made.slice(500).every((c) => (c.ports >>> 16) % 2 === 1));
});

Deno.test("algorithm 3 counts on from connection to connection of one destination", () => {
  const world = new PortWorld();
  const ports = drain(world, rangeProfile("rfc6056-3", 1000, 100), REMOTE, 80).map((c) => c.ports >>> 16);
  for (let i = 1; i < ports.length; i++) assertEquals((ports[i] - ports[i - 1] + 100) % 100, 1);
});

Deno.test("algorithm 5 goes up by 1 to N each time", () => {
  const world = new PortWorld();
  const profile = rangeProfile("rfc6056-5", 1024, 60000, { portMaxIncrement: 10 });
  const ports = drain(world, profile, REMOTE, 80, 1000).map((c) => c.ports >>> 16);
  const steps = ports.slice(1).map((port, i) => (port - ports[i] + 60000) % 60000);
  assertEquals([...new Set(steps)].sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

Deno.test("host-wide allocation lets a port be used towards one destination only", () => {
  const world = new PortWorld();
  const profile = rangeProfile("host-wide", 1024, 100);
  const early = drain(world, profile, REMOTE, 80, 60);
  const late = drain(world, profile, REMOTE + 1, 443);
  assertEquals(late.length, 40);
  assertEquals(new Set([...early, ...late].map((c) => c.ports >>> 16)).size, 100);
});

Deno.test("a TIME-WAIT row occupies its port until it goes", () => {
  for (const portAllocation of PORT_ALLOCATIONS) {
    const world = new PortWorld();
    const profile = rangeProfile(portAllocation, 1024, 100, { portScanFallback: true });
    const made = drain(world, profile, REMOTE, 80);
    for (const connection of made) world.wait(connection);
    assertEquals(drain(world, profile, REMOTE, 80).length, 0);
    for (const connection of made) world.release(connection);
    assertEquals(drain(world, profile, REMOTE, 80).length, 100);
  }
});

Deno.test("an exhausted range is refused without a scan, and its bitmap goes when half of it is free again", () => {
  const world = new PortWorld();
  const profile = rangeProfile("linux", 32768, 28232);
  const made = drain(world, profile, REMOTE, 80);
  assertEquals(made.length, 28232);
  assertEquals(world.ports.use.crowdedRanges, 1);
  let lookups = 0;
  const find = world.demux.find.bind(world.demux);
  world.demux.find = (host, local, remote, ports) => {
    lookups++;
    return find(host, local, remote, ports);
  };
  for (let i = 0; i < 10000; i++) assertEquals(world.ports.allocate(0, profile, LOCAL, REMOTE, 80), -4);
  assert(lookups <= 10000, `${lookups} look-ups for 10,000 refusals: a scan makes 28,232 for each`);
  world.demux.find = find;
  for (const connection of made) world.release(connection);
  assertEquals(world.ports.use.crowdedRanges, 0);
  assertEquals(world.ports.use.watching, 0);
});

Deno.test("one host drains several destinations independently, in alternation", () => {
  const world = new PortWorld();
  const profile = rangeProfile("linux", 1024, 200);
  const counts = [0, 0, 0];
  for (let i = 0; i < 700; i++) {
    if (typeof world.connect(profile, 0, LOCAL, REMOTE + i % 3, 80) !== "number") counts[i % 3]++;
  }
  assertEquals(counts, [200, 200, 200]);
  assertEquals(world.ports.use.crowdedRanges, 3);
});
