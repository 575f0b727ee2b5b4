import { assert, assertEquals, assertThrows } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import { PortUse } from "../../src/transport/port_use.ts";
import { type Connection, PortWorld, rangeProfile } from "./port_world.ts";

const LOCAL = 256;
const REMOTE = 512;

Deno.test("a bound port is never given as an ephemeral port, on whichever address it is bound", () => {
  const world = new PortWorld();
  const profile = rangeProfile("linux", 1024, 10);
  assertEquals(world.ports.use.bindPort(0, 0, 1024), 0);
  assertEquals(world.ports.use.bindPort(0, LOCAL + 9, 1025), 0);
  assertEquals(world.demux.addListener(0, 0, 1026, 1), 0);
  const ports = new Set<number>();
  for (let i = 0; i < 10; i++) {
    const made = world.connect(profile, 0, LOCAL, REMOTE, 80);
    if (typeof made !== "number") ports.add(made.ports >>> 16);
  }
  assertEquals([...ports].sort(), [1027, 1028, 1029, 1030, 1031, 1032, 1033]);
  world.ports.use.unbindPort(0, 0, 1024);
  world.ports.use.unbindPort(0, LOCAL + 9, 1025);
  world.demux.removeListener(0, 0, 1026);
  for (let i = 0; i < 10; i++) {
    const made = world.connect(profile, 0, LOCAL, REMOTE, 80);
    if (typeof made !== "number") ports.add(made.ports >>> 16);
  }
  assertEquals(ports.size, 10);
});

Deno.test("binds to one port exclude each other where their addresses overlap", () => {
  const { use } = new PortWorld().ports;
  assertEquals(use.bindPort(0, LOCAL, 5000), 0);
  assertEquals(use.bindPort(0, LOCAL, 5000), -ERRNO.EADDRINUSE);
  assertEquals(use.bindPort(0, 0, 5000), -ERRNO.EADDRINUSE);
  assertEquals(use.bindPort(0, LOCAL + 1, 5000), 0);
  assertEquals(use.bindPort(1, 0, 5000), 0);
  assertEquals(use.bindPort(1, LOCAL, 5000), -ERRNO.EADDRINUSE);
  use.unbindPort(0, LOCAL, 5000);
  assertEquals(use.bindPort(0, 0, 5000), -ERRNO.EADDRINUSE);
  use.unbindPort(0, LOCAL + 1, 5000);
  assertEquals(use.bindPort(0, 0, 5000), 0);
});

Deno.test("SO_REUSEADDR binds over TIME-WAIT connections, not over live ones, and not over listeners", () => {
  // Once by looking through the table, once by the counts that replace this after a few binds.
  for (const counted of [false, true]) {
    const world = new PortWorld();
    const { use } = world.ports;
    const connection: Connection = world.insert(0, LOCAL, REMOTE, 5000 << 16 | 80);
    world.insert(1, LOCAL, REMOTE, 5000 << 16 | 80);
    if (counted) use.countPorts();
    assertEquals(use.checkBind(0, LOCAL, 5000, true), -ERRNO.EADDRINUSE);
    assertEquals(use.checkBind(0, LOCAL + 1, 5000, false), 0);
    world.wait(connection);
    assertEquals(use.checkBind(0, LOCAL, 5000, false), -ERRNO.EADDRINUSE);
    assertEquals(use.checkBind(0, 0, 5000, false), -ERRNO.EADDRINUSE);
    assertEquals(use.checkBind(0, LOCAL, 5000, true), 0);
    world.demux.addListener(0, 0, 5000, 1);
    assertEquals(use.checkBind(0, LOCAL, 5000, true), -ERRNO.EADDRINUSE);
    world.demux.removeListener(0, 0, 5000);
    world.release(connection);
    assertEquals(use.checkBind(0, 0, 5000, false), 0);
  }
});

Deno.test("many binds beside connections turn to counting and give the same answers", () => {
  const world = new PortWorld();
  world.insert(0, LOCAL, REMOTE, 6005 << 16 | 80);
  const answers = Array.from({ length: 30 }, (_, i) => world.ports.use.bindPort(0, LOCAL, 6000 + i));
  assertEquals(answers.map((a, i) => a === (i === 5 ? -ERRNO.EADDRINUSE : 0)).filter((ok) => !ok), []);
  assertEquals(world.ports.use.watching, 1);
});

Deno.test("a port bound at random is of the parity that connect avoids, and the range is one for all destinations", () => {
  const world = new PortWorld();
  const profile = rangeProfile("linux", 1024, 200);
  const ports: number[] = [];
  for (let port = world.ports.bindAnyPort(0, profile, LOCAL); port > 0;) {
    ports.push(port);
    port = world.ports.bindAnyPort(0, profile, LOCAL);
  }
  assertEquals(new Set(ports).size, 200);
  assert(ports.slice(0, 100).every((port) => port % 2 === 1));
  assertEquals(world.ports.bindAnyPort(0, profile, 0), -ERRNO.EADDRINUSE);
  assertEquals(typeof world.connect(profile, 0, LOCAL, REMOTE, 80), "number");
  assertEquals(world.ports.bindAnyPort(0, profile, LOCAL + 1) > 0, true, "another address has its own ports");
});

Deno.test("an address bound without a port leaves the port to connect, which knows the destination", () => {
  const world = new PortWorld();
  const profile = rangeProfile("linux", 1024, 50);
  for (const remote of [REMOTE, REMOTE + 1]) {
    for (let i = 0; i < 50; i++) assert(typeof world.connect(profile, 0, LOCAL, remote, 80) !== "number");
  }
  assertEquals(world.demux.size, 100);
});

Deno.test("a port use must be there before the first listener", () => {
  const world = new PortWorld();
  world.demux.addListener(0, 0, 80, 1);
  assertThrows(() => new PortUse(world), Error, "before its first listener");
});
