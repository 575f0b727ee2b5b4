/** Every example in two, three and four threads: digest, report and end are those of one. */
import { assert, assertEquals } from "@std/assert";
import { always } from "../../src/network/threads.ts";
import { buildSimulation, runOptions } from "../../src/scenario/build.ts";
import { type LoadedScenario, loadScenario } from "../../src/scenario/load.ts";
import { exampleNames, exampleUrl, loadSmall } from "../golden/examples.ts";

/** Run as they are, besides in small: they take some seconds at most. */
const WHOLE = ["2-four-tuple.yaml", "3-ceilings.yaml", "4-nat-pool.yaml", "5-failing-back-end.yaml", "nat64.yaml"];
/** Balancers that check their back ends run in one thread. */
const CHECKED = ["maglev.yaml"];

function outcome(loaded: LoadedScenario, workers: number): { threads: number; found: unknown } {
  const simulation = buildSimulation(loaded);
  try {
    const options = runOptions(loaded);
    const { ended } = simulation.run(workers === 1 ? options : always({ ...options, workers }));
    const { memory: _, ...report } = simulation.report();
    return { threads: simulation.threads.count, found: { ...report, ended, nowNs: simulation.nowNs } };
  } finally {
    simulation.close();
  }
}

function same(name: string, load: () => LoadedScenario): void {
  Deno.test(`examples/${name} comes out the same in two to four threads`, () => {
    const alone = outcome(load(), 1);
    for (const workers of [2, 3, 4]) {
      const { threads, found } = outcome(load(), workers);
      assert(CHECKED.includes(name) ? threads === 1 : threads > 1);
      assertEquals(found, alone.found);
    }
  });
}

for (const name of exampleNames()) same(name, () => loadSmall(name));
for (const name of WHOLE) {
  same(`${name}, whole,`, () => loadScenario(`examples/${name}`, Deno.readTextFileSync(exampleUrl(name))));
}
