import { assertEquals } from "@std/assert";
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
