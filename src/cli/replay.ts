/**
 * `deno task replay FILE`: runs a trace's run again and compares it with the recording. See `--help`.
 *
 * @module
 */
import { divergenceText } from "../replay/divergence.ts";
import { replayTrace } from "../replay/replay.ts";
import { TraceReader } from "../trace/reader.ts";
import { availableBytes } from "../base/machine.ts";
import { counted } from "../report/text.ts";
import { type Command, runCommand } from "./commands.ts";
import { complain, print } from "./output.ts";
import { EXIT } from "./exit.ts";
import { openTrace } from "./trace_files.ts";
import { version } from "./version.ts";

const COMMAND: Command = {
  name: "replay",
  help: `Runs the run of a trace again, from the trace alone, and compares it with the recording.

Usage: deno task replay FILE [flags]

FILE was written by: deno task simulate SCENARIO --trace FILE

Equal: one line. Different: the first packet that differs, with both versions, the state of its connection's two ends
and the events before it. (A trace of checkpoints names the time and the node.)

  --json     print one JSON document
  --quiet    print nothing where all is equal
  --help     show this
  --version  show fourtuple's version

Exit codes: 0 the same run; 1 it differs; 2 the trace cannot be read.
`,
  files: 1,
  takes: "one trace",
  flags: ["json", "quiet"],
  run: replay,
};

/** Runs the command line `args` and returns the exit code. */
export function main(args: readonly string[]): number {
  return runCommand(COMMAND, args);
}

function replay([file]: string[], { json, quiet }: Record<string, boolean>): number {
  // Said first: what follows may have to do with it.
  const { engine } = new TraceReader(file, openTrace(file)).header;
  const other = engine === version() ? "" : `${file} was recorded by fourtuple ${engine}, and this is ${version()}.\n`;
  if (other !== "" && !json) complain(other, EXIT.OK);
  const { header, places, divergence, events, checkpoints, digest } = replayTrace({
    file,
    open: () => openTrace(file),
    availableBytes: availableBytes(),
  });
  const text = divergence === undefined ? "" : divergenceText(divergence, places, header.level);
  if (json) {
    const document = { file, engine, same: divergence === undefined, events, checkpoints, digest, divergence: text };
    print(`${JSON.stringify(document, null, 2)}\n`);
  } else if (divergence === undefined) {
    const what = header.level === "packets" ? `${counted(events, "packet event")}, ` : "";
    if (!quiet) print(`${file}: the same run (${what}${counted(checkpoints, "checkpoint")}, digest ${digest})\n`);
  } else print(`${file}: ${text}\n`);
  return divergence === undefined ? EXIT.OK : EXIT.EXPECTATION_FAILED;
}

if (import.meta.main) Deno.exit(main(Deno.args));
