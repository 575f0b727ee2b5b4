/**
 * What small commands have in common: flags, a few files, exit codes, errors as sentences.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { InputError, nearest } from "../base/errors.ts";
import { UsageError } from "./arguments.ts";
import { complain, print, ReaderGone } from "./output.ts";
import { EXIT } from "./exit.ts";
import { version } from "./version.ts";

/** A command of a few files and flags without values. */
export interface Command {
  /** Its name, after `deno task`. */
  name: string;
  /** What `--help` prints. */
  help: string;
  /** How many files it takes. */
  files: number;
  /** What it takes, for the complaint about their number: "a trace". */
  takes: string;
  /** Its flags besides `help` and `version`. */
  flags: readonly string[];
  /** Does it. */
  run(files: string[], flags: Record<string, boolean>): number;
}

/** Runs a command line and returns the exit code. */
export function runCommand(command: Command, args: readonly string[]): number {
  try {
    const flags = ["help", "version", ...command.flags];
    const parsed = parseArgs(args, {
      boolean: flags,
      string: ["_"],
      alias: { help: "h" },
      unknown: (arg, key) => {
        if (key !== undefined) throw unknownFlag(arg, flags);
        return true;
      },
    });
    const asked = parsed as unknown as Record<string, boolean>;
    if (asked.help) return print(command.help);
    if (asked.version) return print(`fourtuple ${version()}\n`);
    const files = parsed._.map(String);
    if (files.length !== command.files) {
      throw new UsageError(
        `${command.name} takes ${command.takes}, found ${files.length === 0 ? "none" : files.join(" ")}.`,
      );
    }
    return command.run(files, asked);
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.READER_GONE;
    if (error instanceof InputError) return complain(`${error.message}\n`, EXIT.BAD_INPUT);
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    return complain(`This is a fault of fourtuple. Please report it:\n${text}\n`, EXIT.FAULT);
  }
}

function unknownFlag(arg: string, flags: readonly string[]): UsageError {
  const shown = arg.replace(/=.*$/s, "");
  const near = nearest(shown.replace(/^-+/, ""), flags);
  const hint = near === undefined ? "--help lists the flags." : `did you mean --${near}?`;
  return new UsageError(`There is no flag ${shown}: ${hint}`);
}
