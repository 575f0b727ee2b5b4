/**
 * Golden tests: a run is recorded once and kept beside the test; from then on it must stay the same run, packet by
 * packet.
 *
 * @module
 */
import { AssertionError } from "@std/assert";
import process from "node:process";
import { InputError } from "../base/errors.ts";
import { formatDurationNs } from "../base/units.ts";
import { VERSION } from "../base/version.ts";
import { Network } from "../network/network.ts";
import type { Simulation } from "../network/simulation.ts";
import { buildSimulation, runOptions } from "../scenario/build.ts";
import { loadScenario } from "../scenario/load.ts";
import type { TraceHeader } from "../trace/items.ts";
import { Recorder } from "../trace/recorder.ts";
import { TraceReader } from "../trace/reader.ts";
import { divergenceText } from "./divergence.ts";
import { besideTest, type GoldenContext, readFile, WholeFile } from "./golden_files.ts";
import { piecesOf, scenarioSource } from "./record.ts";
import { replayTrace } from "./replay.ts";
import { sourceChanges } from "./source_changes.ts";
import type { TracedRun } from "./source.ts";

export type { GoldenContext } from "./golden_files.ts";

/**
 * What is run: a scenario's file; a network; or a function that makes a network, or a simulation at its beginning on
 * which code has opened sockets.
 */
export type GoldenScenario =
  | string
  | URL
  | Network
  | (() => Network | Simulation | Promise<Network | Simulation>);

/** Options of {@linkcode goldenTrace}. */
export interface GoldenOptions {
  /** Record anew? Default: is `--update` among the arguments of the test (`deno test … -- --update`)? */
  update?: boolean;
  /** Changes to a scenario file, as after `--set`: `["workloads.load.connections=10", "seed=2"]`. */
  set?: readonly string[];
  /** Until when a network is run, simulated ns; a scenario file says this itself. Default: until it is at rest. */
  untilNs?: number;
  /** Run a network on while only keep-alives and NAT expiry are left to do? Default no. */
  pastQuiescence?: boolean;
}

/** What a golden test did, if it did not throw. */
export interface GoldenResult {
  /** Was the run recorded, or was it the same as recorded? */
  outcome: "recorded" | "same";
  /** The trace's path. */
  path: string;
  /** Digest of the run. */
  digest: string;
}

/** What is run now, at its beginning. */
interface Subject extends TracedRun {
  /** As a header says it; undefined for networks. */
  source: TraceHeader["source"] | undefined;
  /** Makes it anew; undefined where only somebody's function could. */
  again?: () => TracedRun;
}

/**
 * Holds a run against its recording. With `--update` the run is recorded: every packet that arrives or is dropped, in a
 * file of about ten bytes each. Without, it is made and compared as it goes; the first packet that differs fails the
 * test, and both versions of it, what differs, the state of both ends and what was before are the message.
 *
 * Needs `--allow-read` of the scenario and the trace; to record, `--allow-write` of the trace's folder.
 *
 * @param t The test's context: relative paths begin at its file.
 * @param scenario What is run, now.
 * @param file The trace.
 * @throws {AssertionError} where the run differs, or there is no recording yet.
 * @throws {InputError} where the scenario or the trace is not what it should be, or may not be read or written.
 *
 * @example
 * ```ts
 * import { goldenTrace } from "../../testing.ts"; // "@fourtuple/fourtuple/testing"
 *
 * Deno.test("the office's traffic stays as it is", async (t) => {
 *   await goldenTrace(t, "office.yaml", "traces/office.cbor");
 * });
 * ```
 */
export async function goldenTrace(
  t: GoldenContext,
  scenario: GoldenScenario,
  file: string | URL,
  options: GoldenOptions = {},
): Promise<GoldenResult> {
  const path = besideTest(t, file);
  const subject = await subjectOf(t, scenario, options);
  return options.update ?? updateAsked() ? recordGolden(subject, path) : compareGolden(subject, path);
}

const { Deno: deno } = globalThis as { Deno?: { args: string[] } };

/** How a test is run with --update. */
const RECORDING = deno === undefined ? "node FILE --update" : "deno test --allow-read --allow-write FILE -- --update";

/** Is `--update` among the program's arguments? */
function updateAsked(): boolean {
  return (deno?.args ?? process.argv.slice(2)).includes("--update");
}

async function subjectOf(t: GoldenContext, scenario: GoldenScenario, options: GoldenOptions): Promise<Subject> {
  const { untilNs, pastQuiescence, set = [] } = options;
  if (typeof scenario === "string" || scenario instanceof URL) {
    if (untilNs !== undefined || pastQuiescence !== undefined) {
      throw new TypeError('A scenario file says itself how long it is run: set: ["run.until=10s"].');
    }
    return scenarioSubject(besideTest(t, scenario), set);
  }
  if (set.length > 0) throw new TypeError("Only a scenario file takes changes by `set`.");
  const made = scenario instanceof Network ? scenario : await scenario();
  const run = { untilNs, pastQuiescence };
  if (made instanceof Network) return rebuilt(undefined, () => ({ simulation: made.build(), run }));
  return { source: undefined, simulation: made, run };
}

function scenarioSubject(path: string, set: readonly string[]): Subject {
  const bytes = readFile(path);
  if (bytes === undefined) throw new InputError(`${path}: there is no such file.`, { file: path });
  const loaded = loadScenario(path, new TextDecoder().decode(bytes), set);
  return rebuilt(scenarioSource(loaded, set), () => {
    const simulation = buildSimulation(loaded);
    return { simulation, run: runOptions(loaded) };
  });
}

function rebuilt(source: Subject["source"], again: () => TracedRun): Subject {
  return { source, again, ...again() };
}

function recordGolden({ source, simulation, run }: Subject, path: string): GoldenResult {
  const trace = new WholeFile(path);
  try {
    const recorder = new Recorder(simulation, {
      level: "packets",
      engine: VERSION,
      source,
      run: { untilNs: run.untilNs ?? null, pastQuiescence: run.pastQuiescence ?? false },
      sink: (bytes) => trace.append(bytes),
    });
    simulation.run(run);
    recorder.finish(simulation.report());
    trace.commit();
  } catch (error) {
    trace.discard();
    throw error;
  }
  return { outcome: "recorded", path, digest: simulation.digest };
}

function compareGolden(subject: Subject, path: string): GoldenResult {
  const bytes = readFile(path);
  if (bytes === undefined) {
    throw new AssertionError(
      `There is no ${path} yet. Record it: run this test once with --update (${RECORDING}).`,
    );
  }
  const { header } = new TraceReader(path, piecesOf(bytes));
  let begun = false;
  const run = (): TracedRun => {
    if (begun && subject.again !== undefined) return subject.again();
    begun = true;
    return subject;
  };
  const { divergence, places, digest } = replayTrace({ file: path, open: () => piecesOf(bytes), run });
  if (divergence === undefined) return { outcome: "same", path, digest };
  throw new AssertionError([
    `This is not the run of ${path}.`,
    ...circumstances(header, subject),
    divergenceText(divergence, places, header.level),
    "If it is meant to be so, record it anew with --update.",
  ].join("\n"));
}

/** What is different before the run begins: said first, since the rest may follow from it. */
function circumstances(header: TraceHeader, { source, simulation, run }: Subject): string[] {
  const lines: string[] = [];
  if (header.engine !== VERSION) lines.push(`It was recorded by fourtuple ${header.engine}, and this is ${VERSION}.`);
  const kind = source?.kind ?? "network";
  const text = source?.text ?? JSON.stringify(simulation.declaration);
  if (header.source.kind !== kind) {
    lines.push(`It was recorded from a ${header.source.kind}, and this is a ${kind}.`);
  } else if (header.source.text !== text) {
    lines.push(`It was recorded from another ${kind}:`, ...sourceChanges(header.source, { ...header.source, text }));
  }
  if (kind === "network" && header.run.untilNs !== (run.untilNs ?? null)) {
    lines.push(`It was recorded ${until(header.run.untilNs)}, and this is run ${until(run.untilNs ?? null)}.`);
  }
  return lines;
}

function until(untilNs: number | null): string {
  return untilNs === null ? "until it was at rest" : `until ${formatDurationNs(untilNs)}`;
}
