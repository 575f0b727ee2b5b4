import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { DUMP_KINDS } from "../../src/network/dump.ts";
import { Network } from "../../src/network/network.ts";
import { always } from "../../src/network/threads.ts";
import { formatPacket } from "../../src/wire/tcpdump.ts";
import { assertSameCaptures, inThreads } from "./support/threads.ts";

/** Marks, drops and losses in several parts, and links that change. */
function marking(): Network {
  const network = new Network({ seed: 9 });
  const profile = { ecn: "on" } as const;
  network.host("clients", { count: 4, address: "10.0.0.1/24", profile });
  network.router("r1", { address: "10.1.0.1" });
  network.router("r2", { address: "10.2.0.1" });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }], profile });
  network.link("clients", "r1", { rateBps: 5e7, delayNs: 1e6, corrupt: 0.01, duplicate: 0.01 });
  network.link("r1", "r2", { rateBps: 2e7, delayNs: 2e6, queuePackets: 30, ecnThresholdPackets: 8, loss: 0.01 });
  network.link("r2", "server", { rateBps: 1e7, delayNs: 3e6, queueDiscipline: { kind: "fq-codel" } });
  network.workload({
    name: "up",
    kind: "bulk",
    from: ["clients"],
    to: ["server:80"],
    connections: 8,
    bytes: 1e5,
    arrivals: { kind: "rate", perSecond: 40 },
  });
  network.event({ kind: "link", link: "r1--r2", atNs: 1e8, rateBps: 1e7, mtu: 1400 });
  network.partition([["clients", "r1"], ["r2"], ["server"]]);
  return network;
}

Deno.test("captures of several threads have the bytes of one thread's, with what was dropped and marked", () => {
  const { threads, text } = assertSameCaptures(marking().toJSON(), { workers: 3 });
  assertEquals(threads, 3);
  for (const comment of ["marked: congestion experienced", "dropped: loss", "corrupt: bit", "dropped: checksum"]) {
    assertStringIncludes(text, comment);
  }
});

Deno.test("dumps and series of several threads say what those of one thread do", () => {
  const looks = (workers: number) => {
    const found: string[] = [];
    return inThreads(marking().toJSON(), { workers }, () => found, (simulation, options) => {
      const all = simulation.series({ intervalNs: 3e7 }, (row) => found.push(JSON.stringify(row)));
      simulation.series({ intervalNs: 1e8, nodes: "clients[1..2], r1" }, (row) => found.push(JSON.stringify(row)));
      for (const untilNs of [1.1e8, 4e8]) {
        simulation.run(always({ ...options, untilNs }));
        for (const kind of DUMP_KINDS) found.push(simulation.dump(kind));
        found.push(simulation.dump("links", "r1, clients[3]"));
      }
      simulation.run(options);
      all.finish();
      assertEquals(simulation.threads.count, workers);
      assertThrows(() => simulation.dump("links", "r9"), InputError, "r9");
    });
  };
  const alone = looks(1);
  assert(alone.length > 100);
  assertEquals(looks(3), alone);
});

Deno.test("a tap that may be late sees the packets of all threads in the order of one, until it is taken off", () => {
  const lines = (workers: number) => {
    const found: string[] = [];
    return inThreads(marking().toJSON(), { workers }, () => found, (simulation, options) => {
      const see = (what: string) => (p: number, timeNs: number, from: string, to: string) =>
        found.push(`${what} ${formatPacket(simulation.packets, simulation.addresses, p, timeNs)} ${from} ${to}`);
      const takeOff = simulation.onDelivery(see("arrives"), { late: true });
      simulation.onSend(see("leaves"), { late: true });
      simulation.run({ ...always({ ...options, untilNs: 2e8 }) });
      assert(found.length > 0);
      takeOff();
      simulation.run({ ...options, untilNs: 4e8 });
      assertEquals(simulation.threads.count, workers);
    });
  };
  const alone = lines(1);
  assert(alone.length > 1000);
  assertEquals(lines(3), alone);
});
