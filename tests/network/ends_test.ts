import { assertEquals, assertThrows } from "@std/assert";
import { LONGEST_RUN_NS } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { built, star } from "./support/networks.ts";

Deno.test("a run ends at quiescence when nothing is in flight and no timer is armed", () => {
  const simulation = built(star());
  assertEquals(simulation.run().ended, "quiescence");
  assertEquals(simulation.report().connections.open, 10);
});

Deno.test("TIME_WAIT keeps a run alive for its 60 seconds", () => {
  const simulation = built(star({ workload: { holdNs: 0, close: "client" } }));
  simulation.run();
  const seconds = simulation.report().simulatedSeconds;
  assertEquals(Math.floor(seconds), 60);
  assertEquals(simulation.partition.tcp.timeWaits.inUse, 0);
});

Deno.test("keep-alives do not keep a run alive, but go on past quiescence where that is asked for", () => {
  const steps = () => star({ workload: { keepAliveNs: 1e9 } });
  const quiet = built(steps());
  assertEquals(quiet.run().ended, "quiescence");
  const longer = built(steps());
  assertEquals(longer.run({ untilNs: 10e9, pastQuiescence: true }).ended, "time");
  assertEquals(longer.nowNs, 10e9);
  const extra = longer.report().packets.sent - quiet.report().packets.sent;
  // Each of 10 connections probes about every second, and each probe is answered.
  assertEquals(extra >= 2 * 10 * 8 && extra <= 2 * 10 * 10, true);
});

Deno.test("a run ends at a given time, and events at that very time still happen", () => {
  const simulation = built(star());
  const seen: number[] = [];
  simulation.onDelivery((_, timeNs) => seen.push(timeNs));
  simulation.run();
  const [first] = seen;
  const again = built(star());
  assertEquals(again.run({ untilNs: first }).ended, "time");
  assertEquals(again.nowNs, first);
  assertEquals(again.report().packets.hops, seen.filter((ns) => ns === first).length);
});

/** A peer that never reads: its window shuts, and zero-window probes go on for ever (RFC 9293 3.8.6.1 MUST-37). */
function neverRead(): Simulation {
  const simulation = built(star({ workload: { connections: 1 } }));
  simulation.host("server").listen({ port: 81 }, (socket) => socket.pause());
  simulation.host("clients").connect({ address: "192.0.2.1", port: 81 }).write(new Uint8Array(1e6));
  return simulation;
}

Deno.test("a run that would never end stops after 12 days of simulated time", () => {
  const simulation = neverRead();
  assertEquals(simulation.run().ended, "time");
  assertEquals(simulation.nowNs, LONGEST_RUN_NS);
  assertEquals(simulation.report().connections.open, 2);
  assertEquals(simulation.run(), { ended: "time" });
  assertEquals(neverRead().run({ until: () => false }).ended, "time");
  assertEquals(neverRead().run({ untilNs: LONGEST_RUN_NS, pastQuiescence: true }).ended, "time");
});

Deno.test("a run that is asked for longer than 12 days is refused with a sentence", () => {
  const error = assertThrows(() => built(star()).run({ untilNs: LONGEST_RUN_NS + 1 }), RangeError);
  assertEquals(error.message, "A run lasts 12 days of simulated time at most, and untilNs is 1036800000000001.");
});

Deno.test("the longest timers there are never overflow, however late they are set", () => {
  const longest = 2 ** 30;
  const profile = { timeWaitNs: longest * 1e6, keepAliveIdleMs: longest, finTimeoutMs: longest };
  const steps = star({
    clients: { profile },
    server: { profile },
    workload: {
      connections: 3,
      keepAliveNs: 2 ** 52,
      holdNs: 1e9,
      arrivals: { kind: "rate", perSecond: 1, startNs: LONGEST_RUN_NS - 2e9 },
    },
  });
  const simulation = built(steps);
  assertEquals(simulation.run().ended, "time");
  assertEquals(simulation.report().connections.established, 2);
  assertEquals(simulation.partition.tcp.timeWaits.inUse, 1);
});

Deno.test("past quiescence a run ends when nothing at all is left", () => {
  const simulation = built(star());
  assertEquals(simulation.run({ pastQuiescence: true }).ended, "quiescence");
  assertEquals(simulation.nowNs < 10e9, true);
});

Deno.test("a run does not end at a time that is none", () => {
  const simulation = built(star());
  for (const untilNs of [-1, NaN, 1.5]) {
    assertThrows(() => simulation.run({ untilNs }), RangeError, "whole number of nanoseconds");
  }
});
