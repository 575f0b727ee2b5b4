/**
 * fourtuple beside a native program of the same work, run in turns: `deno task bench:peers`. See `--help`.
 *
 * @module
 */
import { InputError } from "../../src/base/errors.ts";
import { bytes, counted, seconds } from "../../src/report/text.ts";
import { HELP, type PeersArguments, readArguments } from "./arguments.ts";
import { comparison, growth, type Series } from "./outcome.ts";
import { fourtuple, native, type Program, yardstick } from "./programs.ts";

const NO_GCC = "There is no gcc here";

async function main(args: readonly string[]): Promise<number> {
  try {
    const asked = readArguments(args);
    if (asked.help) console.log(HELP.trimEnd());
    else console.log(await compare(asked, await programs(asked)));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return error instanceof InputError ? 2 : 1;
  }
}

/** Those that can take part; ratios are to the first. */
async function programs(asked: PeersArguments): Promise<Program[]> {
  const all = [fourtuple()];
  const ours = await native();
  if (ours === undefined) console.error(`${NO_GCC}: the native program is skipped.`);
  else all.unshift(ours);
  if (asked.yardstick !== undefined) {
    const other = await yardstick(asked.yardstick);
    if (other === undefined) console.error(`${NO_GCC}: ${asked.yardstick} is skipped.`);
    else all.push(other);
  }
  return all;
}

async function compare(asked: PeersArguments, all: readonly Program[]): Promise<string> {
  const sizes = asked.growth ? [Math.floor(asked.connections / 10), asked.connections] : [asked.connections];
  const series = sizes.map(() => all.map((program): Series => ({ name: program.name, samples: [] })));
  for (let round = 0; round < asked.rounds; round++) {
    // There and back again, so that none always has the machine that another one warmed.
    const order = all.keys().toArray();
    if (round % 2 === 1) order.reverse();
    for (const [at, connections] of sizes.entries()) {
      for (const index of order) {
        const sample = await all[index].run(connections);
        series[at][index].samples.push(sample);
        console.error(
          `round ${round + 1} of ${asked.rounds}, ${counted(connections, "connection")}: ${all[index].name} ` +
            `${seconds(sample.wallSeconds)}, ${bytes(sample.peakRssBytes)}`,
        );
      }
    }
  }
  const table = comparison(asked.connections, series.at(-1)!);
  return asked.growth ? `${table}\n${growth(sizes[0], series[0], sizes[1], series[1])}` : table;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
