import { assert } from "@std/assert";
import { loadScenario } from "../../src/scenario/load.ts";
import { assertCeiling, foretell } from "./capacity.ts";

const FOLDER = new URL("../../examples/", import.meta.url);
const text = (name: string) => Deno.readTextFileSync(new URL(name, FOLDER));

// (That every example refuses what is foretold is tested where they are run: examples_test.ts.)
Deno.test("the first limit of an example binds at its ceiling and one more", () => {
  const exact = ["budgets.yaml", "time-wait.jsonc", "torrent-over-udp.yaml"];
  for (const name of exact) assert(assertCeiling(`examples/${name}`, text(name)), name);
});

Deno.test("a hundred thousand connections fit into 2 addresses of 60,000 ports, through the network of a million", () => {
  const sets = ["workloads.load.connections=100_000", "nodes.nat.pool=203.0.113.0-203.0.113.1"];
  const report = foretell(loadScenario("million.yaml", text("million.yaml"), sets));
  assert(report.holds);
  const pool = report.limits.find(({ limit }) => limit === "nat-pool")!;
  assert(pool.ceiling === 120_000 && pool.exact && pool.declared === 100_000);
});
