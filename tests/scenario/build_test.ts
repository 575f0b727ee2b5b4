import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { buildSimulation, conditionHolds, runOptions } from "../../src/scenario/build.ts";
import { parseCondition } from "../../src/scenario/expect.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { sampleReport } from "./sample_report.ts";

const GOOD = `nodes:
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
  clients: { kind: host, count: 4, address: 198.51.100.1/24 }
  r1: { kind: router }
links:
  - { between: [clients, r1], rate: 100Mbit/s, delay: 5ms }
  - { between: [r1, server], rate: 1Gbit/s, delay: 2ms }
workloads:
  - { name: load, kind: hold, from: clients, to: server:443, connections: 8 }
`;

/** What building GOOD with one piece replaced complains about. */
function spoilt(find: string, replacement: string): string {
  assertEquals(GOOD.includes(find), true);
  const loaded = loadScenario("a.yaml", GOOD.replace(find, replacement));
  return assertThrows(() => buildSimulation(loaded), InputError).message;
}

Deno.test("a scenario becomes a network that runs", () => {
  const simulation = buildSimulation(loadScenario("a.yaml", GOOD));
  assertEquals(simulation.run().ended, "quiescence");
  assertEquals(simulation.report().connections.established, 8);
});

Deno.test("an address outside its subnet says so", () => {
  assertEquals(
    spoilt("delay: 2ms", "delay: 2ms, subnet: 203.0.113.0/24"),
    "a.yaml:7:65: links[1].subnet: server has address 192.0.2.1, outside the link's subnet 203.0.113.0/24.",
  );
  assertEquals(
    spoilt("count: 4", "count: 400"),
    "a.yaml:3:47: nodes.clients.address: clients[399] would be 198.51.101.144, outside the subnet of 198.51.100.1/24: " +
      "400 members do not fit.",
  );
});

Deno.test("a destination that no route leads to says so, at its line", () => {
  const message = spoilt("to: server:443", "to: 203.0.113.77:443");
  assertEquals(/^a\.yaml:9:\d+: workloads\[0\]\.to: .*203\.0\.113\.77/.test(message), true, message);
});

Deno.test("a refusal names the override that set what is refused", () => {
  const loaded = loadScenario("a.yaml", GOOD, ["nodes.clients.address=198.51.100.254/24"]);
  assertEquals(
    assertThrows(() => buildSimulation(loaded), InputError).message,
    "--set nodes.clients.address=198.51.100.254/24: nodes.clients.address: clients[3] would be 198.51.101.1, " +
      "outside the subnet of 198.51.100.254/24: 4 members do not fit.",
  );
});

Deno.test("a run ends by the first of its conditions", () => {
  const loaded = loadScenario("a.yaml", GOOD + "run: { until: [9s, connections.open >= 3] }\n");
  const simulation = buildSimulation(loaded);
  assertEquals(simulation.run(runOptions(loaded)).ended, "until");
  assertEquals(simulation.report().connections.open >= 3, true);
});

Deno.test("a condition is true of a report or not", () => {
  assertEquals(conditionHolds(parseCondition("connections.open >= 28232"), sampleReport()), true);
  assertEquals(conditionHolds(parseCondition("packets.dropped > 6"), sampleReport()), false);
});
