/**
 * `deno task import-pcap FILE`: TCP connections of a capture as a scenario, and as stimuli. See `--help`.
 *
 * @module
 */
import { formatAddress } from "../base/address.ts";
import { InputError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import { importCapture, type ImportedCapture } from "../replay/import_capture.ts";
import type { ImportedConnection } from "../replay/import_connection.ts";
import { notesOfCapture, scenarioOf } from "../replay/import_scenario.ts";
import { type Stimulus, stimulusOf } from "../replay/stimulus.ts";
import { decodeStimuli, encodeStimuli, isStimulusTrace } from "../replay/stimulus_file.ts";
import {
  classCounts,
  playAll,
  ruleCounts,
  stimulusLines,
  stimulusName,
  wrongLines,
} from "../replay/stimulus_report.ts";
import { counted } from "../report/text.ts";
import { UsageError } from "./arguments.ts";
import { complain, print } from "./output.ts";
import { EXIT } from "./exit.ts";
import { pathFromInvocation } from "./files.ts";
import { IMPORT_HELP, type ImportArguments, readImportArguments } from "./import_arguments.ts";
import { GrowingFiles, ReaderGone } from "./output.ts";
import { openTrace } from "./trace_files.ts";
import { version } from "./version.ts";

/** Connections that are listed. */
const MOST_LISTED = 20;

/** Runs the command line `args` and returns the exit code. */
export function main(args: readonly string[]): number {
  try {
    const asked = readImportArguments(args);
    if (asked.help) return print(IMPORT_HELP);
    if (asked.version) return print(`fourtuple ${version()}\n`);
    return importPcap(asked);
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.READER_GONE;
    if (error instanceof InputError) return complain(`${error.message}\n`, EXIT.BAD_INPUT);
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    return complain(`This is a fault of fourtuple. Please report it with the capture:\n${text}\n`, EXIT.FAULT);
  }
}

function importPcap(asked: ImportArguments): number {
  const { file, limit, partial, scenario, stimulus, roundNs } = asked;
  const opened = openTrace(file, "a capture");
  const first = opened();
  let begun = false;
  const next = () => {
    if (begun) return opened();
    begun = true;
    return first;
  };
  if (first !== null && isStimulusTrace(first)) {
    if (scenario !== undefined || stimulus !== undefined) {
      throw new UsageError(`${file} is a stimulus trace: it can be played, and nothing be made of it.`);
    }
    return playAndTell(asked, inFile(file, () => decodeStimuli(next)), [], undefined);
  }
  const keepSegments = stimulus !== undefined || asked.play;
  const capture = inFile(file, () => importCapture(next, { limit, partial, keepSegments }));
  const files = new GrowingFiles();
  const made = scenario === undefined ? undefined : scenarioOf(capture, { name: nameOf(file), roundNs });
  if (made !== undefined) files.append(pathFromInvocation(scenario!), new TextEncoder().encode(made.text));
  const { stimuli, left } = keepSegments ? stimuliOf(capture, asked.end) : { stimuli: [], left: [] };
  if (stimulus !== undefined) {
    for (const item of encodeStimuli(stimuli, version())) files.append(pathFromInvocation(stimulus), item);
  }
  files.commit();
  const lines: string[] = [
    `${file}: ${counted(capture.connections.length, "connection")} in ${counted(capture.packets, "packet")}`,
    ...capture.connections.slice(0, MOST_LISTED).map((connection) => `  ${lineOf(connection)}`),
  ];
  const more = capture.connections.length - MOST_LISTED;
  if (more > 0) lines.push(`  … and ${formatCount(more)} more`);
  if (made !== undefined) {
    lines.push(`${scenario}: ${counted(made.connections, "connection")} in ${counted(made.workloads, "workload")}`);
  }
  if (stimulus !== undefined) {
    lines.push(`${stimulus}: ${stimuli.length === 1 ? "1 stimulus" : `${stimuli.length} stimuli`}`);
  }
  for (const note of [...(made?.notes ?? notesOfCapture(capture)), ...left]) lines.push(`note: ${note}`);
  if (asked.play) return playAndTell(asked, stimuli, lines, capture);
  if (asked.json) return print(`${JSON.stringify(documentOf(file, capture), null, 2)}\n`);
  return asked.quiet ? EXIT.OK : print(`${lines.join("\n")}\n`);
}

/** Plays, prints what came of it, and says whether an answer was wrong. */
function playAndTell(
  asked: ImportArguments,
  stimuli: readonly Stimulus[],
  lines: readonly string[],
  capture: ImportedCapture | undefined,
): number {
  const played = playAll(stimuli);
  const { same, acceptable, wrong } = classCounts(played);
  if (asked.json) {
    const stimulusDocument = {
      ...{ same, acceptable, wrong, rules: Object.fromEntries(ruleCounts(played)) },
      connections: played.map(({ stimulus, verdict }) => ({ name: stimulusName(stimulus), ...verdict })),
    };
    const document = capture === undefined ? { file: asked.file } : documentOf(asked.file, capture);
    print(`${JSON.stringify({ ...document, played: stimulusDocument }, null, 2)}\n`);
  } else {
    const all = asked.quiet ? wrongLines(played) : [...lines, ...stimulusLines(played)];
    if (all.length > 0) print(`${all.join("\n")}\n`);
  }
  return wrong > 0 ? EXIT.EXPECTATION_FAILED : EXIT.OK;
}

/** The stimuli of a capture, and how many connections have none, by reason. */
function stimuliOf(
  { connections }: ImportedCapture,
  end: ImportArguments["end"],
): { stimuli: Stimulus[]; left: string[] } {
  const stimuli: Stimulus[] = [];
  const without = new Map<string, number>();
  for (const connection of connections) {
    for (const one of end === "both" ? (["server", "client"] as const) : [end]) {
      const found = stimulusOf(connection, one);
      if (typeof found !== "string") stimuli.push(found);
      else without.set(found, (without.get(found) ?? 0) + 1);
    }
  }
  return { stimuli, left: [...without].map(([why, n]) => `${n} without a stimulus: ${why}.`) };
}

/** Adds the file's name to errors that lack it. */
function inFile<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof InputError) || error.message.startsWith(`${file}: `)) throw error;
    throw new InputError(`${file}: ${error.message}`, { file });
  }
}

/** The file's name without folder and ending. */
function nameOf(file: string): string {
  return file.replace(/^.*[/\\]/, "").replace(/\.[^.]*$/, "") || "capture";
}

function endOf({ address, port }: ImportedConnection["client"]): string {
  return address.family === 6 ? `[${formatAddress(address)}]:${port}` : `${formatAddress(address)}:${port}`;
}

function lineOf(connection: ImportedConnection): string {
  const { client, server, sides, firstNs, outcome, close } = connection;
  const ending = close === undefined
    ? "open"
    : `${close.byClient ? "client" : "server"} ${close.reset ? "resets" : "closes"}`;
  const what = outcome === "established" ? `${sides[0].next} B out, ${sides[1].next} B back, ${ending}` : outcome;
  return `${(firstNs / 1e9).toFixed(6)} ${endOf(client)} > ${endOf(server)}: ${what}`;
}

function documentOf(file: string, capture: ImportedCapture): Record<string, unknown> {
  return {
    file,
    packets: capture.packets,
    segments: capture.segments,
    notes: notesOfCapture(capture),
    connections: capture.connections.map((connection) => ({
      client: endOf(connection.client),
      server: endOf(connection.server),
      firstNs: connection.firstNs,
      lastNs: connection.lastNs,
      outcome: connection.outcome,
      beganBefore: !connection.hasBeginning,
      close: connection.close ?? null,
      sides: connection.sides.map((side) => ({
        packets: side.packets,
        bytes: side.next,
        lostBefore: side.lostBefore,
        lostAfter: side.lostAfter,
        needless: side.needless,
        reordered: side.reordered,
        roundTripNs: Number.isFinite(side.leastRttNs) ? side.leastRttNs : null,
      })),
      turns: connection.turns.length,
    })),
  };
}

if (import.meta.main) Deno.exit(main(Deno.args));
