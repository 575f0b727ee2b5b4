/**
 * `deno task compare FILE FILE`: compares two traces. See `--help`.
 *
 * @module
 */
import { compareTraces } from "../replay/compare.ts";
import { counted } from "../report/text.ts";
import { divergenceText } from "../replay/divergence.ts";
import { shownFact, sourceChanges } from "../replay/source_changes.ts";
import { type Command, runCommand } from "./commands.ts";
import { print } from "./output.ts";
import { EXIT } from "./exit.ts";
import { openTrace } from "./trace_files.ts";

/** Facts of the reports that are shown. */
const MOST_FACTS = 40;

const COMMAND: Command = {
  name: "compare",
  help: `Compares two traces: the first packet that differs, and what changed in the outcome.

Usage: deno task compare FIRST SECOND [flags]

  --json     print one JSON document
  --help     show this
  --version  show fourtuple's version

Exit codes: 0 the same; 1 they differ; 2 one cannot be read.
`,
  files: 2,
  takes: "two traces",
  flags: ["json"],
  run: compare,
};

/** Runs the command line `args` and returns the exit code. */
export function main(args: readonly string[]): number {
  return runCommand(COMMAND, args);
}

function compare([first, second]: string[], { json }: Record<string, boolean>): number {
  const found = compareTraces({ file: first, open: () => openTrace(first) }, {
    file: second,
    open: () => openTrace(second),
  });
  const { headers: [a, b], places, divergence, facts, events } = found;
  const level = a.level === "packets" && b.level === "packets" ? "packets" : "checkpoints";
  const text = divergence === undefined ? "" : divergenceText(divergence, places, level);
  const same = divergence === undefined && facts.length === 0;
  const sources = a.source.text === b.source.text && a.seed === b.seed;
  if (json) {
    print(`${JSON.stringify({ same, sameSource: sources, events, divergence: text, facts }, null, 2)}\n`);
    return same ? EXIT.OK : EXIT.EXPECTATION_FAILED;
  }
  const lines: string[] = [];
  if (a.engine !== b.engine) lines.push(`${first} was recorded by fourtuple ${a.engine}, ${second} by ${b.engine}.`);
  if (a.source.kind !== b.source.kind) {
    lines.push(`${first} was recorded from a ${a.source.kind}, ${second} from a ${b.source.kind}.`);
  } else if (!sources) {
    const changes = a.source.text === b.source.text
      ? [`  seed: ${a.seed} -> ${b.seed}`]
      : sourceChanges(a.source, b.source);
    lines.push(`They are not of the same ${a.source.kind}:`, ...changes);
  }
  if (a.level !== b.level) {
    lines.push(`${a.level === "packets" ? second : first} has checkpoints only: no packets are compared.`);
  }
  if (same) lines.push(`The same run${events > 0 ? ` (${counted(events, "packet event")})` : ""}.`);
  if (divergence !== undefined) lines.push(`Recorded is ${first}, now is ${second}: ${text}`);
  if (facts.length > 0) {
    lines.push("What changed in the outcome:");
    for (const { path, first: x, second: y } of facts.slice(0, MOST_FACTS)) {
      lines.push(`  ${path}: ${shownFact(x)} -> ${shownFact(y)}`);
    }
    if (facts.length > MOST_FACTS) lines.push(`  and ${facts.length - MOST_FACTS} more`);
  }
  print(`${lines.join("\n")}\n`);
  return same ? EXIT.OK : EXIT.EXPECTATION_FAILED;
}

if (import.meta.main) Deno.exit(main(Deno.args));
