/**
 * `deno task capacity FILE`: says what a scenario can hold, without running it. See `--help`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { InputError, nearest } from "../base/errors.ts";
import { capacityJson, capacityText } from "../report/capacity_text.ts";
import { buildNetwork, inScenarioTerms } from "../scenario/build.ts";
import { loadScenario } from "../scenario/load.ts";
import { type Override, parseOverride } from "../scenario/set.ts";
import { once, seedOf, UsageError } from "./arguments.ts";
import { readScenarioText } from "./files.ts";
import { complain, print, ReaderGone } from "./output.ts";
import { terminalColumns } from "./progress.ts";
import { version } from "./version.ts";

/** How `capacity` ends; whether what is declared fits makes no difference. */
export const EXIT = { OK: 0, BAD_INPUT: 2, FAULT: 70, READER_GONE: 141 } as const;

/** What `--help` prints. */
export const HELP = `Says what a scenario can hold, without running it: at how many connections (or connections a
second) each limit on their way binds, which binds first, and the arithmetic.

Usage: deno task capacity FILE [flags]

FILE is a scenario: YAML (.yaml, .yml), JSONC (.jsonc) or JSON (.json). Its format: docs/scenario.md.
What the results mean: docs/capacity.md.

  --set PATH=VALUE   change one field of the scenario, as often as you like: --set nodes.clients.count=4
  --seed N           random numbers follow from N instead of the scenario's seed
  --json             print one JSON document instead
  --help             show this
  --version          show fourtuple's version

Exit codes: 0 it was worked out, whether all fits or not; 2 the input is wrong.
`;

const BOOLEAN = ["help", "version", "json"] as const;
const STRING = ["seed", "set"] as const;
const FLAGS: readonly string[] = [...BOOLEAN, ...STRING];

/** Runs the command line `args` and returns the exit code. */
export function main(args: readonly string[]): number {
  try {
    return capacity(args);
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.READER_GONE;
    if (error instanceof InputError) return complain(`${error.message}\n`, EXIT.BAD_INPUT);
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    return complain(
      `This is a fault of fourtuple, not of your scenario. Please report it with the scenario:\n${text}\n`,
      EXIT.FAULT,
    );
  }
}

function capacity(args: readonly string[]): number {
  const parsed = parseArgs(args, {
    boolean: BOOLEAN,
    string: [...STRING, "_"],
    collect: ["set", "seed"],
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(arg);
      return true;
    },
  });
  const files = parsed._.map(String);
  const overrides: Override[] = parsed.set.map((text) => {
    if (text === "") throw new UsageError("--set needs PATH=VALUE, such as --set nodes.clients.count=4.");
    return parseOverride(text);
  });
  const seed = seedOf(once("seed", parsed.seed, "a whole number"));
  if (parsed.help) return print(HELP);
  if (parsed.version) return print(`fourtuple ${version()}\n`);
  if (files.length === 0 || files[0] === "") {
    throw new UsageError("Which scenario? Write deno task capacity FILE, for example examples/quickstart.yaml.");
  }
  if (files.length > 1) {
    throw new UsageError(`capacity takes one scenario, found ${files.length}: ${files.join(" ")}.`);
  }
  if (seed !== undefined) overrides.push(parseOverride(`seed=${seed}`, `--seed ${seed}`));
  const loaded = loadScenario(files[0], readScenarioText(files[0]), overrides);
  const network = buildNetwork(loaded);
  const report = inScenarioTerms(loaded, () => network.capacity({ untilNs: loaded.run.untilNs }));
  if (parsed.json) return print(capacityJson(report));
  const terminal = Deno.stdout.isTerminal();
  return print(capacityText(report, {
    colour: terminal && !Deno.noColor,
    width: terminal ? Math.min(110, terminalColumns()) : undefined,
    description: loaded.scenario.description,
  }));
}

function unknownFlag(arg: string): UsageError {
  const shown = arg.replace(/=.*$/s, "");
  const near = nearest(shown.replace(/^-+/, ""), FLAGS);
  return new UsageError(
    `There is no flag ${shown}: ${near === undefined ? "--help lists the flags." : `did you mean --${near}?`}`,
  );
}

if (import.meta.main) Deno.exit(main(Deno.args));
