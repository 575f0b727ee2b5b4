/**
 * The command line of `simulate`: which flags there are, what they mean, and what is wrong with the ones given.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { InputError, nearest } from "../base/errors.ts";
import { parseBytes } from "../base/units.ts";
import { readDuration } from "../scenario/fields.ts";
import { type CapturePointOptions, parseCapturePoint, parseRing, type Ring } from "../scenario/schema_capture.ts";
import { isCsv, parseDump } from "./looks.ts";

/** What `simulate` was asked to do. */
export interface SimulateArguments {
  /** Show the help and do nothing else. */
  help: boolean;
  /** Show the version and do nothing else. */
  version: boolean;
  /** The scenario file, as given. */
  file: string;
  /** `--seed`, instead of the scenario's. */
  seed?: number;
  /** `--set` values, `path=value`, in order. */
  set: string[];
  /** Threads at most; one without it. */
  workers?: number;
  /** One JSON document on standard output instead of the summary. */
  json: boolean;
  /** No summary and no progress. */
  quiet: boolean;
  /** One line for every packet delivered. */
  packets: boolean;
  /** Which packets `--packets` and `--pcap` mean; all without it. */
  filter?: string;
  /** File for a trace. */
  trace?: string;
  /** How much is recorded. */
  traceLevel: "checkpoints" | "packets";
  /** `--dump` values, `KIND[@NODES]`, and `--dump-at` times, ns. */
  dump: string[];
  dumpAtNs: number[];
  /** File for time series, and what narrows them. */
  series?: string;
  seriesIntervalNs?: number;
  seriesNodes?: string;
  /** A checkpoint, or a directory of them, to go on from. */
  resume?: string;
  /** A checkpoint every so often (simulated time), and where. */
  checkpointEveryNs?: number;
  checkpointDir?: string;
  /** Directory for capture files. */
  pcap?: string;
  /** `--capture` values, in order; none for the scenario's, or every node. */
  capture: CapturePointOptions[];
  /** Which packets are captured; all without it. */
  captureFilter?: string;
  /** Bytes of a packet that are captured; all without it. */
  snaplen?: number;
  /** Bounds the files of each capture point. */
  ring?: Ring;
}

/** A mistake on the command line: one sentence. */
export class UsageError extends InputError {
  /** `message` is the whole sentence. */
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** What `--help` prints. */
export const HELP = `Runs a scenario packet by packet and says which limit bound, where and when.

Usage: deno task simulate FILE [flags]

FILE is a scenario: YAML (.yaml, .yml), JSONC (.jsonc) or JSON (.json). Its format: docs/scenario.md.

  --seed N           random numbers follow from N instead of the scenario's seed
  --set PATH=VALUE   change one field of the scenario, as often as you like:
                     --set nodes.clients.count=4 --set links[0].delay=20ms
  --workers N        run in N threads at most, where the network can be divided and that saves time: the same result
  --json             print the run's document (JSON) on standard output instead of the summary
  --quiet            print nothing but expectations that failed (with --json: the document alone, no progress)
  --packets          print every packet delivered, one line each as tcpdump does
                     (on standard output; with --json on standard error)
  --pcap DIR         write capture files (pcapng, nanoseconds) into DIR: one for each point of the scenario's
                     capture:, or else one for each node
  --capture NODE[:INTERFACE]
                     capture there instead, as often as you like; an interface is called by the neighbour it leads to
                     or by its link: --capture server --capture clients[3]:r1
  --capture-filter EXPR
                     narrow the captures; as --filter, which narrows --packets too
  --snaplen BYTES    keep so many bytes of a captured packet (default all)
  --ring BYTESxN     for each point the last N files of at most so many bytes: --ring 10MiBx4
  --trace FILE       record the run, for deno task replay and deno task compare
  --trace-level LEVEL
                     checkpoints (digests on the way; the default) or packets (every packet event too)
  --dump KIND[@NODES]
                     print what there is at the end of the run, or with --dump-at TIME then: sockets (as ss -tan),
                     udp-sockets, sockets-summary (ss -s), nat (conntrack -L), nat-subscribers, nat-blocks,
                     nat-mappings, routes (ip route), links; as often as you like: --dump nat@gw --dump sockets@server
  --dump-at TIME     when to print dumps, in simulated time: --dump-at 10s; as often as you like
  --series FILE      write time series, a row for each node or population at each interval: .csv or .jsonl
  --series-interval TIME
                     in simulated time, default 1s or the scenario's
  --series-nodes NODES
                     which: --series-nodes 'server,clients[0..9]'; default every population, or the scenario's
  --filter EXPR      narrow --packets and --pcap; tests side by side must all hold, "or" and "not" may be used:
                       host ADDRESS|PREFIX   src ADDRESS|PREFIX   dst ADDRESS|PREFIX   node NAME   port N
                       connection ADDRESS:PORT-ADDRESS:PORT   tcp   udp   icmp   syn   fin   rst
                       after TIME   before TIME
                     --filter 'host 192.0.2.1 port 443 after 1s before 2s'   --filter 'rst or icmp'
  --checkpoint-every TIME
                     write a snapshot of the whole run every TIME of simulated time, such as 10s (the last two are kept)
  --checkpoint-dir DIR
                     where they go; default here
  --resume FILE      instead of a scenario: go on from a checkpoint (of a directory: its newest), to the same end;
                     --pcap, --series, --packets and --dump begin there
  --help             show this
  --version          show fourtuple's version

Exit codes: 0 the run ended and all expectations held; 1 an expectation failed; 2 the input is wrong;
130 interrupted with Ctrl-C (the summary so far is printed).
`;

const BOOLEAN = ["help", "version", "json", "quiet", "packets"] as const;
/** Flags of looks inside. */
const LOOKS = ["dump", "dump-at", "series", "series-interval", "series-nodes"] as const;
/** Flags of captures. */
const CAPTURE = ["capture", "capture-filter", "snaplen", "ring"] as const;
/** Flags of checkpoints. */
const CHECKPOINTS = ["checkpoint-every", "checkpoint-dir", "resume"] as const;
const STRING = [
  ...CHECKPOINTS,
  "seed",
  "workers",
  "set",
  "filter",
  "pcap",
  ...CAPTURE,
  "trace",
  "trace-level",
  ...LOOKS,
] as const;
const FLAGS: readonly string[] = [...BOOLEAN, ...STRING];

/**
 * Reads the command line of `simulate`.
 *
 * @throws {UsageError} for an unknown flag, a flag without its value, no FILE, or more than one.
 */
export function readArguments(args: readonly string[]): SimulateArguments {
  const parsed = parseArgs(args, {
    boolean: BOOLEAN,
    string: [...STRING, "_"],
    collect: [...STRING],
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(arg);
      return true;
    },
  });
  const files = parsed._.map(String);
  const values = {
    help: parsed.help,
    version: parsed.version,
    json: parsed.json,
    quiet: parsed.quiet,
    packets: parsed.packets,
    set: parsed.set,
    seed: seedOf(once("seed", parsed.seed, "a whole number")),
    workers: workersOf(once("workers", parsed.workers, "a whole number")),
    filter: once("filter", parsed.filter, "an expression such as 'host 192.0.2.1 port 443'"),
    pcap: once("pcap", parsed.pcap, "a directory"),
    capture: parsed.capture.map((text) => flagged("capture", () => parseCapturePoint(text))),
    captureFilter: once("capture-filter", parsed["capture-filter"], "an expression such as 'port 443'"),
    snaplen: snaplenOf(once("snaplen", parsed.snaplen, "bytes such as 96")),
    ring: ringOf(once("ring", parsed.ring, "bytes and files such as 10MiBx4")),
    resume: once("resume", parsed.resume, "a checkpoint"),
    checkpointEveryNs: everyOf(once("checkpoint-every", parsed["checkpoint-every"], "a time such as 10s")),
    checkpointDir: once("checkpoint-dir", parsed["checkpoint-dir"], "a directory"),
    trace: once("trace", parsed.trace, "a file"),
    traceLevel: traceLevelOf(once("trace-level", parsed["trace-level"], "checkpoints or packets")),
    dump: parsed.dump,
    dumpAtNs: parsed["dump-at"].map((text) => timeOf("dump-at", text)!),
    series: once("series", parsed.series, "a file such as out.csv"),
    seriesIntervalNs: timeOf("series-interval", once("series-interval", parsed["series-interval"], "a time")),
    seriesNodes: once("series-nodes", parsed["series-nodes"], "names of nodes"),
  };
  if (values.help || values.version) return { ...values, file: "" };
  for (const text of values.set) {
    if (text === "") throw new UsageError("--set needs PATH=VALUE, such as --set nodes.clients.count=4.");
  }
  if (values.checkpointDir !== undefined && values.checkpointEveryNs === undefined) {
    throw new UsageError("--checkpoint-dir says where checkpoints go: add --checkpoint-every TIME.");
  }
  if (values.resume !== undefined) {
    if (files.length > 0) throw new UsageError(`--resume goes on with its own scenario: leave ${files[0]} out.`);
    const other = BEGUN.find((flag) => parsed[flag].length > 0);
    if (other !== undefined) {
      throw new UsageError(`--resume goes on with a run that has begun: --${other} is for one from its beginning.`);
    }
    if (values.trace !== undefined) {
      throw new UsageError(
        "--resume records no trace: a trace is replayed from its run's beginning. Record the run anew with --trace; " +
          "--pcap and --series go on from a checkpoint.",
      );
    }
  } else if (files.length === 0 || files[0] === "") {
    throw new UsageError("Which scenario? Write deno task simulate FILE, for example examples/quickstart.yaml.");
  }
  if (values.resume === undefined && files.length > 1) {
    throw new UsageError(`simulate takes one scenario, found ${files.length}: ${files.join(" ")}.`);
  }
  if (values.filter !== undefined && !values.packets && values.pcap === undefined) {
    throw new UsageError("--filter narrows --packets and --pcap: add one of them.");
  }
  const without = CAPTURE.find((name) => parsed[name].length > 0);
  if (without !== undefined && values.pcap === undefined) {
    throw new UsageError(`--${without} needs --pcap DIR, which says where capture files go.`);
  }
  if (parsed["trace-level"].length > 0 && values.trace === undefined) {
    throw new UsageError("--trace-level says how much --trace records: add --trace FILE.");
  }
  if (values.dumpAtNs.length > 0 && values.dump.length === 0) {
    throw new UsageError("--dump-at says when to dump: say what, with --dump sockets, for example.");
  }
  for (const flag of ["series-interval", "series-nodes"] as const) {
    if (parsed[flag].length > 0 && values.series === undefined) {
      throw new UsageError(`--${flag} is about time series: add --series FILE.`);
    }
  }
  for (const text of values.dump) parseDump(text);
  if (values.series !== undefined) isCsv(values.series);
  return { ...values, file: files[0] ?? "" };
}

/** What a run has from its beginning, or not at all. */
const BEGUN = ["seed", "set"] as const;

/** The time between two checkpoints, ns. */
function everyOf(text: string | undefined): number | undefined {
  const everyNs = timeOf("checkpoint-every", text);
  if (everyNs === undefined || (everyNs >= 1e6 && everyNs % 1e6 === 0)) return everyNs;
  throw new UsageError(`--checkpoint-every needs a time of whole milliseconds, such as 10s, found ${text}.`);
}

/** A time, ns. */
function timeOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return readDuration(text);
  } catch {
    throw new UsageError(`--${flag} needs a time such as 10s, found ${JSON.stringify(text)}.`);
  }
}

function unknownFlag(arg: string): UsageError {
  const name = arg.replace(/^-+/, "").replace(/=.*$/s, "");
  const shown = arg.replace(/=.*$/s, "");
  if (name.startsWith("no-") && FLAGS.includes(name.slice(3))) {
    return new UsageError(`There is no flag ${shown}: leave --${name.slice(3)} out instead.`);
  }
  const near = nearest(name, FLAGS);
  const hint = near === undefined ? "--help lists the flags." : `did you mean --${near}?`;
  return new UsageError(`There is no flag ${shown}: ${hint}`);
}

/** The only value of a flag that may be given once; undefined where it was not. Throws {@linkcode UsageError}. */
export function once(flag: string, values: readonly string[], what: string): string | undefined {
  if (values.length > 1) throw new UsageError(`--${flag} was given ${values.length} times: once is enough.`);
  if (values[0] === "") throw new UsageError(`--${flag} needs ${what}.`);
  return values[0];
}

function traceLevelOf(text: string | undefined): "checkpoints" | "packets" {
  if (text === undefined || text === "checkpoints" || text === "packets") return text ?? "checkpoints";
  throw new UsageError(`--trace-level is checkpoints or packets, not ${JSON.stringify(text)}.`);
}

function flagged<T>(flag: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) throw new UsageError(`--${flag}: ${error.message}`);
    throw error;
  }
}

function ringOf(text: string | undefined): Ring | undefined {
  return text === undefined ? undefined : flagged("ring", () => parseRing(text));
}

function snaplenOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = flagged("snaplen", () => parseBytes(text));
  if (bytes < 1 || bytes > MOST_SNAPLEN) {
    throw new UsageError(`--snaplen needs 1 to ${MOST_SNAPLEN} bytes, found ${JSON.stringify(text)}.`);
  }
  return bytes;
}

/** The number of `--workers`. */
function workersOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const workers = Number(text);
  if (/^\d+$/.test(text) && workers >= 1 && workers <= MOST_WORKERS) return workers;
  throw new UsageError(`--workers needs a whole number from 1 to ${MOST_WORKERS}, found ${JSON.stringify(text)}.`);
}

const MOST_WORKERS = 64;

/** As tcpdump's. */
const MOST_SNAPLEN = 262_144;

/** The number of `--seed`. Throws {@linkcode UsageError}. */
export function seedOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seed = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(seed)) {
    throw new UsageError(`--seed needs a whole number from 0 to 2^53 - 1, found ${JSON.stringify(text)}.`);
  }
  return seed;
}
