// Negotiation of ECN (RFC 3168 6.1.1).
import { assertEquals } from "@std/assert";
import type { Profile } from "../../src/transport/profile.ts";
import { A, B, MS, World } from "./harness.ts";
import { accept, connect, FLAG, listen, TCB } from "../../src/tcp/mod.ts";

type Ecn = Profile["ecn"];

const hasEcn = (world: World, conn: number) => (world.stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.ECN) !== 0;

Deno.test("ECN is in use where one side asks and the other grants", () => {
  const cases: [Ecn, Ecn, boolean][] = [
    ["on", "on", true],
    ["on", "passive", true],
    ["on", "off", false],
    ["passive", "on", false],
    ["off", "on", false],
  ];
  for (const [client, server, used] of cases) {
    const world = new World({ profileA: { ecn: client }, profileB: { ecn: server } });
    const listener = listen(world.stack, B, 0, 80, { backlog: 5, app: 0 });
    const conn = connect(world.stack, A, world.addressA, 0, world.addressB, 80, 0);
    world.run(100 * MS);
    assertEquals([hasEcn(world, conn), hasEcn(world, accept(world.stack, listener))], [used, used]);
    assertEquals(world.log.slice(0, 2).map((s) => s.flags), [
      client === "on" ? "SEW" : "S",
      used ? "S.E" : "S.",
    ]);
  }
});

Deno.test("a repeated SYN does not ask for ECN; a SYN-ACK with ECE still counts, one with CWR does not", () => {
  for (const [answer, used] of [["S.E", true], ["S.EW", false], ["S.", false]] as const) {
    const world = new World({ profileA: { ecn: "on" } });
    const conn = connect(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0);
    world.run(1100 * MS);
    assertEquals(world.toRaw.map((s) => s.flags), ["SEW", "S"]);
    const { seq, srcPort } = world.toRaw[0];
    world.inject(A, { flags: answer, seq: 1, ack: seq + 1, srcPort: 80, dstPort: srcPort, mss: 1460 });
    assertEquals(hasEcn(world, conn), used);
  }
});

Deno.test("a SYN that is itself marked with ECT or CE is not granted ECN", () => {
  for (const trafficClass of [1, 2, 3]) {
    const world = new World({ profileB: { ecn: "on" } });
    listen(world.stack, B, 0, 80, { backlog: 5, app: 0 });
    world.inject(B, { flags: "SEW", seq: 1, srcPort: 9, dstPort: 80, trafficClass });
    assertEquals(world.toRaw[0].flags, "S.");
  }
});

Deno.test("crossing SYNs agree on ECN too", () => {
  for (const [syn, used] of [["SEW", true], ["S", false]] as const) {
    const world = new World({ profileA: { ecn: "on" } });
    const conn = connect(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0);
    world.drain();
    world.inject(A, { flags: syn, seq: 1, srcPort: 80, dstPort: world.toRaw[0].srcPort, mss: 1460 });
    assertEquals([world.toRaw[1].flags, hasEcn(world, conn)], [used ? "S.E" : "S.", used]);
  }
});
