/**
 * All benches of this folder: `deno task bench`, or `deno task bench WORDS` for those whose names contain the words.
 *
 * @module
 */
import { runTasks } from "./bench.ts";
import { congestionBenches } from "./congestion_bench.ts";
import { natBenches } from "./nat_bench.ts";
import { portBenches } from "./ports_bench.ts";
import { runBenches } from "./run_bench.ts";
import { storeBenches } from "./store_bench.ts";

const HELP = `Measures parts of fourtuple by themselves, and whole runs: medians, one line each.

Usage: deno task bench [WORDS]

WORDS narrows to what has them in its name: "event queue", "timer wheel", "tuple table", "routes", "port", "NAT",
"congestion", "run".
Figures of one machine say little about another, and those of a busy one nothing. Beside a native program of the same
work: deno task bench:peers.
`;

if (Deno.args.includes("--help") || Deno.args.includes("-h")) console.log(HELP.trimEnd());
else {
  const only = Deno.args.join(" ");
  let found = 0;
  for (const benches of [storeBenches, portBenches, natBenches, congestionBenches, runBenches]) {
    const tasks = benches().filter((task) => task.name.includes(only));
    found += tasks.length;
    await runTasks(tasks);
  }
  if (found === 0) {
    console.error(`No bench has ${JSON.stringify(only)} in its name: deno task bench --help.`);
    Deno.exit(2);
  }
}
