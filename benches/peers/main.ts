/**
 * fourtuple beside other programs of the same work, run in turns: `deno task bench:peers`. See `--help`.
 *
 * @module
 */
import { InputError } from "../../src/base/errors.ts";
import { bytes, counted, seconds } from "../../src/report/text.ts";
import { HELP, type PeersArguments, readArguments } from "./arguments.ts";
import { bulkComparison, comparison, growth, heldComparison, type Series } from "./outcome.ts";
import {
  fourtuple,
  fourtupleBulk,
  fourtupleHeld,
  linux,
  native,
  ns3,
  type Program,
  yardstick,
  yardstickHeld,
} from "./programs.ts";

/** A flow that loses packets sends so much less that it is simulated for so many times as long. */
const LOSSY_TIMES = 30;

async function main(args: readonly string[]): Promise<number> {
  try {
    const asked = readArguments(args);
    if (asked.help) {
      console.log(HELP.trimEnd());
      return 0;
    }
    const fromNs3 = await ns3(asked.ns3Connections);
    if (fromNs3 === undefined) console.error("There is no ns-3 here (g++ and libns3-dev): it is skipped.");
    console.log(
      await compare(asked, [...await programs(asked), ...fromNs3 === undefined ? [] : [fromNs3.connections]]),
    );
    if (asked.held) {
      const holders = [fourtupleHeld(), ...asked.yardstick === undefined ? [] : [yardstickHeld(asked.yardstick)]];
      const runs = await inTurns(asked.rounds, "requests", holders, ({ run }) => run(asked.connections));
      const title = `Ten simulated seconds of 100,000 requests each over ${counted(asked.connections, "connection")}`;
      console.log(heldComparison(title, runs));
    }
    const flows = [fourtupleBulk(), ...fromNs3 === undefined ? [] : [fromNs3.bulk]];
    for (const loss of asked.bulkSeconds > 0 ? [0, 0.01] : []) {
      const simulated = loss === 0 ? asked.bulkSeconds : LOSSY_TIMES * asked.bulkSeconds;
      const runs = await inTurns(asked.rounds, "one flow", flows, ({ run }) => run(simulated, loss));
      const lost = loss === 0 ? "" : `, ${loss * 100}% of its packets lost`;
      console.log(bulkComparison(`One flow, 1 Gbit/s, 10 ms, ${simulated} s simulated${lost}`, runs));
    }
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return error instanceof InputError ? 2 : 1;
  }
}

/** Those that can take part; ratios are to the first. */
async function programs(asked: PeersArguments): Promise<Program[]> {
  const all: Program[] = [];
  const take = (program: Program | undefined, name: string) => {
    if (program === undefined) console.error(`There is no gcc here: ${name} is skipped.`);
    else all.push(program);
  };
  take(await native(), "the native program");
  all.push(fourtuple());
  if (asked.yardstick !== undefined) take(await yardstick(asked.yardstick), asked.yardstick);
  take(await linux(), "the kernel's program");
  return all;
}

async function compare(asked: PeersArguments, all: readonly Program[]): Promise<string> {
  const sizes = asked.growth ? [Math.floor(asked.connections / 10), asked.connections] : [asked.connections];
  const series = sizes.map((size) =>
    all.map((program): Series => ({
      name: program.name,
      connections: Math.max(1, Math.round(size * Math.min(1, (program.most ?? Infinity) / asked.connections))),
      samples: [],
    }))
  );
  const failed = new Set<Program>();
  for (let round = 0; round < asked.rounds; round++) {
    // There and back again, so that none always has the machine that another one warmed.
    const order = all.keys().toArray();
    if (round % 2 === 1) order.reverse();
    for (const at of sizes.keys()) {
      for (const index of order) {
        if (failed.has(all[index])) continue;
        const { connections = 0, samples } = series[at][index];
        const said = `round ${round + 1} of ${asked.rounds}, ${counted(connections, "connection")}: ${all[index].name}`;
        try {
          const sample = await all[index].run(connections);
          samples.push(sample);
          console.error(`${said} ${seconds(sample.wallSeconds)}, ${bytes(sample.peakRssBytes)}`);
        } catch (error) {
          // A kernel that gives no namespace, or too little memory for it, is no reason to lose the others.
          if (all[index].name === "fourtuple") throw error;
          failed.add(all[index]);
          console.error(`${said} is left out: ${error instanceof Error ? error.message : error}`);
        }
      }
    }
  }
  const whole = series.map((one) => one.filter((_, index) => !failed.has(all[index])));
  const table = comparison(asked.connections, whole.at(-1)!);
  return asked.growth ? `${table}\n${growth(sizes[0], whole[0], sizes[1], whole[1])}` : table;
}

/** Runs programs one after the other, so many times. */
async function inTurns<Program extends { name: string }, Sample>(
  rounds: number,
  what: string,
  all: readonly Program[],
  run: (program: Program) => Promise<Sample>,
): Promise<{ name: string; samples: Sample[] }[]> {
  const runs = all.map(({ name }) => ({ name, samples: [] as Sample[] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, program] of all.entries()) {
      runs[i].samples.push(await run(program));
      console.error(`round ${round + 1} of ${rounds}, ${what}: ${program.name}`);
    }
  }
  return runs;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
