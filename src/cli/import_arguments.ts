/**
 * The command line of `import-pcap`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { nearest } from "../base/errors.ts";
import { parseDurationNs } from "../base/units.ts";
import { DEFAULT_CONNECTIONS } from "../replay/import_capture.ts";
import { UsageError } from "./arguments.ts";

/** Which ends' behaviour is compared with ours. */
export const ENDS = ["client", "server", "both"] as const;

/** What `import-pcap` was asked to do. */
export interface ImportArguments {
  help: boolean;
  version: boolean;
  /** The capture, or a stimulus trace. */
  file: string;
  /** Where the scenario goes. */
  scenario?: string;
  /** Where the stimulus trace goes. */
  stimulus?: string;
  /** Play the stimuli, and say how our answers differ? */
  play: boolean;
  /** Whose part our TCP takes. */
  end: (typeof ENDS)[number];
  /** Connections at most. */
  limit: number;
  /** Multiples to which pauses are rounded, ns. */
  roundNs?: number;
  /** Import what comes before damage? */
  partial: boolean;
  /** A JSON document instead of lines? */
  json: boolean;
  /** Print only what is wrong? */
  quiet: boolean;
}

/** What `--help` prints. */
export const IMPORT_HELP =
  `Reads a capture (pcap or pcapng), finds its TCP connections, and makes of them a scenario or stimuli.

Usage: deno task import-pcap FILE [flags]

  --scenario OUT.yaml   write a scenario that re-creates who connects when, what goes each way and who closes,
                        over links with the delays and losses that were seen: deno task simulate OUT.yaml
  --stimulus OUT.cbor   write the stimuli: the recorded packets of one end, and what the other end answered
  --play                let our TCP take that other end's part: the packets come at their recorded times, and our
                        answers are compared with the recorded ones (same, acceptable, wrong)
  --end END             whose part our TCP takes: server (default), client or both
  --limit N             connections at most (default ${DEFAULT_CONNECTIONS})
  --round TIME          round pauses in the scenario, such as 10ms: more connections become alike
  --partial             of a damaged file import what comes before the damage
  --json                print a JSON document
  --quiet               print only what is wrong
  --help                show this
  --version             show fourtuple's version

FILE may also be what --stimulus wrote: it is played. What differences are acceptable: docs/import.md.

Exit codes: 0 done; 1 an answer of ours was wrong (--play); 2 the input is wrong.
`;

const BOOLEAN = ["help", "version", "play", "partial", "json", "quiet"] as const;
const STRING = ["scenario", "stimulus", "end", "limit", "round"] as const;
const FLAGS: readonly string[] = [...BOOLEAN, ...STRING];

/**
 * Reads the command line of `import-pcap`.
 *
 * @throws {UsageError} one sentence.
 */
export function readImportArguments(args: readonly string[]): ImportArguments {
  const parsed = parseArgs(args, {
    boolean: BOOLEAN,
    string: [...STRING, "_"],
    collect: STRING,
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key === undefined) return true;
      const near = nearest(arg.replace(/^-+/, "").replace(/=.*$/s, ""), FLAGS);
      const hint = near === undefined ? "--help lists the flags." : `did you mean --${near}?`;
      throw new UsageError(`There is no flag ${arg.replace(/=.*$/s, "")}: ${hint}`);
    },
  });
  const once = (flag: (typeof STRING)[number], what: string): string | undefined => {
    const values = parsed[flag];
    if (values.length > 1) throw new UsageError(`--${flag} was given ${values.length} times: once is enough.`);
    if (values[0] === "") throw new UsageError(`--${flag} needs ${what}.`);
    return values[0];
  };
  const end = once("end", "client, server or both") ?? "server";
  if (!(ENDS as readonly string[]).includes(end)) {
    throw new UsageError(`--end is client, server or both, not ${JSON.stringify(end)}.`);
  }
  const round = once("round", "a time such as 10ms");
  const values: Omit<ImportArguments, "file"> = {
    help: parsed.help,
    version: parsed.version,
    scenario: once("scenario", "a file"),
    stimulus: once("stimulus", "a file"),
    play: parsed.play,
    end: end as ImportArguments["end"],
    limit: limitOf(once("limit", "a number of connections")),
    roundNs: round === undefined ? undefined : roundOf(round),
    partial: parsed.partial,
    json: parsed.json,
    quiet: parsed.quiet,
  };
  const files = parsed._.map(String);
  if (values.help || values.version) return { ...values, file: "" };
  if (files.length === 0 || files[0] === "") throw new UsageError("Which capture? Write deno task import-pcap FILE.");
  if (files.length > 1) throw new UsageError(`import-pcap takes one file, found ${files.length}: ${files.join(" ")}.`);
  if (values.scenario !== undefined && values.scenario === values.stimulus) {
    throw new UsageError("--scenario and --stimulus name the same file.");
  }
  return { ...values, file: files[0] };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_CONNECTIONS;
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= 1_000_000) return limit;
  throw new UsageError(`--limit needs a whole number from 1 to 1,000,000, found ${JSON.stringify(text)}.`);
}

function roundOf(text: string): number {
  const ns = parseDurationNs(text);
  if (ns >= 1) return Math.round(ns);
  throw new UsageError(`--round needs a time above 0, found ${JSON.stringify(text)}.`);
}
