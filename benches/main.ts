/**
 * All benches of this folder: `deno task bench`, or `deno task bench WORDS` for those whose names contain the words.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { InputError } from "../src/base/errors.ts";
import { compare } from "./compare.ts";
import { calibrate, line, type Outcome, runTasks } from "./bench.ts";
import { congestionBenches } from "./congestion_bench.ts";
import { natBenches } from "./nat_bench.ts";
import { portBenches } from "./ports_bench.ts";
import { runBenches } from "./run_bench.ts";
import { storeBenches } from "./store_bench.ts";
import { tcpBenches } from "./tcp_bench.ts";
import { wireBenches } from "./wire_bench.ts";

const HELP = `Measures parts of fourtuple by themselves, and whole runs: medians, one line each.

Usage: deno task bench [WORDS] [--json]
       deno task bench --compare BASE [--rounds N] [--set PATH=VALUE ...] [SCENARIO]

WORDS narrows to what has them in its name: "event queue", "timer wheel", "tuple table", "routes", "port", "NAT",
"congestion", "wire codec", "checksum", "segment processing", "run", "snapshot".

  --json           one document instead of lines
  --compare BASE   runs SCENARIO (default examples/million.yaml with 100,000 connections) in this checkout and in
                   that of BASE (a folder, or a commit of this repository), in turns, and prints the ratios
  --rounds N       how often each runs (default 9)
  --set PATH=VALUE as of simulate

"Steps" are a figure in units of the calibration loop, which is measured first: with them, different machines compare a
little better. Those of a busy machine say nothing. Beside other programs of the same work: deno task bench:peers.
`;

/** What is compared where nothing is said. */
const DEFAULT_SCENARIO = "examples/million.yaml";
const DEFAULT_SETS = ["workloads.load.connections=100_000"];

const GROUPS = [
  storeBenches,
  portBenches,
  natBenches,
  wireBenches,
  tcpBenches,
  congestionBenches,
  runBenches,
];

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseArgs([...args], {
    boolean: ["help", "json"],
    string: ["compare", "rounds", "set"],
    collect: ["set"],
    alias: { help: "h" },
    unknown: (arg) => {
      if (arg.startsWith("-")) throw new InputError(`There is no argument ${arg}: --help lists the flags.`);
    },
  });
  if (parsed.help) {
    console.log(HELP.trimEnd());
    return 0;
  }
  if (parsed.compare !== undefined) {
    const rounds = Number(parsed.rounds ?? "9");
    if (!(Number.isInteger(rounds) && rounds >= 1)) {
      throw new InputError(`--rounds needs a whole number from 1 on, found ${JSON.stringify(parsed.rounds)}.`);
    }
    const [scenario] = parsed._.map(String);
    const sets = parsed.set.length > 0 || scenario !== undefined ? parsed.set : DEFAULT_SETS;
    const progress = (line: string) => console.error(line);
    const options = { base: parsed.compare, rounds, scenario: scenario ?? DEFAULT_SCENARIO, sets, progress };
    console.log((await compare(options)).trimEnd());
    return 0;
  }
  const only = parsed._.join(" ");
  const tasks = GROUPS.flatMap((group) => group()).filter(({ name }) => name.includes(only));
  if (tasks.length === 0) {
    console.error(`No bench has ${JSON.stringify(only)} in its name: deno task bench --help.`);
    return 2;
  }
  const stepNs = await calibrate();
  if (!parsed.json) console.log(`calibration loop: ${stepNs.toFixed(3)} ns a step`);
  const seen = (outcome: Outcome) => {
    if (!parsed.json) console.log(line(outcome));
  };
  const outcomes = await runTasks(tasks, { stepNs, seen });
  if (parsed.json) console.log(JSON.stringify({ calibrationStepNs: stepNs, benches: outcomes }, undefined, 2));
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(error instanceof InputError ? 2 : 1);
  }
}
