/**
 * Requests over connections that are held, in random order: `held.ts [CONNECTIONS]`. The scenario is
 * `examples/million.yaml`, with further requests on each connection after exponential pauses, such that there are
 * 100,000 a second of them all together, as in the yardstick's second phase. Ten simulated seconds are measured, from
 * half a second after the last connection was opened. Prints one line of JSON.
 *
 * @module
 */
import { buildWithinMemory } from "../../src/cli/memory.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { parseOverride } from "../../src/scenario/set.ts";
import { overrides } from "./programs.ts";

const FILE = new URL("../../examples/million.yaml", import.meta.url);
const PER_SECOND = 100_000;
const MEASURED_SECONDS = 10;

const connections = Number(Deno.args[0] ?? 1_000_000);
const sets = [
  ...overrides(connections).filter((word) => word !== "--set"),
  "workloads.load.requests=1000",
  `workloads.load.think=${(connections / PER_SECOND).toFixed(6)}s`,
  "workloads.load.thinkDistribution=exponential",
];
const loaded = loadScenario(
  "examples/million.yaml",
  Deno.readTextFileSync(FILE),
  sets.map((set) => parseOverride(set)),
);
const simulation = buildWithinMemory(loaded, { availableBytes: Infinity });
const beginNs = Math.ceil((connections / PER_SECOND + 0.5) * 1e9);
simulation.run({ untilNs: beginNs });
const before = simulation.progress().packets;
const answered = simulation.report().connections.repliesCompleted;
const start = performance.now();
simulation.run({ untilNs: beginNs + MEASURED_SECONDS * 1e9 });
const wallSeconds = (performance.now() - start) / 1000;
const { connections: { repliesCompleted } } = simulation.report();
console.log(JSON.stringify({
  wallSeconds,
  packetHops: simulation.progress().packets - before,
  requests: repliesCompleted - answered,
}));
