/**
 * The command line of `deno task bench:peers`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { InputError } from "../../src/base/errors.ts";

/** What `bench:peers` was asked to do. */
export interface PeersArguments {
  /** Show the help and do nothing else. */
  help: boolean;
  /** How often every program runs. */
  rounds: number;
  /** Connections of a run. */
  connections: number;
  /** Run a tenth of the connections, too, and say what a connection costs in both. */
  growth: boolean;
  /** Run requests over held connections, too. */
  held: boolean;
  /** Most connections of ns-3. */
  ns3Connections: number;
  /** Simulated seconds of the one flow; 0 leaves it out. */
  bulkSeconds: number;
  /** A program, or its source in C, that takes part besides. */
  yardstick?: string;
}

/** What `--help` prints. */
export const HELP =
  `Runs the work of examples/million.yaml in fourtuple, in a native program, on this machine's own kernel and in ns-3, in
turns; and one flow at 1 Gbit/s in fourtuple and ns-3. What is not installed is skipped by name.

Usage: deno task bench:peers [flags]

  --rounds N        how often each program runs; figures are medians (default 3)
  --connections N   from 10 to 15,000,000 (default 1,000,000)
  --ns3-connections N  most connections of ns-3, whose cost grows with the square (default 10,000)
  --bulk-seconds N  simulated seconds of the flow (default 10); 0 leaves it out
  --held            also ten simulated seconds of requests over connections that are held (and the second phase of
                    the yardstick, if that is the prototype)
  --growth          also with a tenth of the connections: what a connection costs in both
  --yardstick FILE  a .c file, or a program that may be run, that takes part besides: run as PROGRAM N 1000 0, it
                    prints native.c's JSON or the prototype's line (phase1 wall ... s hops ... HWM ... MB)
  --help            show this

Wall time is that of the simulation alone, peak memory that of the whole process (of the kernel: what the machine had
less of). The native program and the kernel's need gcc, and the kernel's a network namespace of its own; ns-3 needs g++
and Debian's libns3-dev.
`;

const BOOLEAN = ["help", "growth", "held"] as const;
const STRING = ["rounds", "connections", "yardstick", "ns3-connections", "bulk-seconds"] as const;

/**
 * Reads the command line.
 *
 * @throws {InputError} one sentence, for what is not a flag or not a value of it.
 */
export function readArguments(args: readonly string[]): PeersArguments {
  const parsed = parseArgs(args, {
    boolean: BOOLEAN,
    string: STRING,
    alias: { help: "h" },
    unknown: (arg) => {
      throw new InputError(`There is no argument ${arg}: --help lists the flags.`);
    },
  });
  if (parsed.yardstick === "") throw new InputError("--yardstick needs the path of a .c file or of a program.");
  return {
    help: parsed.help,
    rounds: whole("rounds", parsed.rounds ?? "3", 1, 1000),
    connections: whole("connections", parsed.connections ?? "1000000", 10, 15_000_000),
    growth: parsed.growth,
    held: parsed.held,
    ns3Connections: whole("ns3-connections", parsed["ns3-connections"] ?? "10000", 10, 1_000_000),
    bulkSeconds: whole("bulk-seconds", parsed["bulk-seconds"] ?? "10", 0, 10_000),
    yardstick: parsed.yardstick,
  };
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text.replaceAll("_", ""));
  if (!/^\d[\d_]*$/.test(text) || value < least || value > most) {
    throw new InputError(`--${flag} needs a whole number from ${least} to ${most}, found ${JSON.stringify(text)}.`);
  }
  return value;
}
