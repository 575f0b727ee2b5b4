/**
 * `deno task simulate FILE`: reads a scenario, runs it, and says what happened. See `--help`.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { formatDurationNs } from "../base/units.ts";
import { parseFilter } from "../network/packet_filter.ts";
import type { RunReport } from "../report/document.ts";
import type { SeriesOptions } from "../network/series.ts";
import type { Simulation } from "../network/simulation.ts";
import { reportJson } from "../report/json.ts";
import { failedExpectations, summary, summaryHeading, type SummaryOptions } from "../report/summary.ts";
import { runOptions } from "../scenario/build.ts";
import { evaluateExpect } from "../scenario/expect.ts";
import { type LoadedScenario, loadScenario } from "../scenario/load.ts";
import type { Override } from "../scenario/set.ts";
import { parseOverride } from "../scenario/set.ts";
import { HELP, readArguments, type SimulateArguments } from "./arguments.ts";
import { CaptureOut } from "./capture.ts";
import { Checkpoints, resume } from "./checkpoints.ts";
import { EXIT } from "./exit.ts";
import { pathFromInvocation, readScenarioText } from "./files.ts";
import { OutOfMemory } from "../base/growth.ts";
import { buildWithinMemory, outgrown, peakRss, stopIfExhausted } from "./memory.ts";
import { type DumpRequest, Dumps, parseDump, SeriesOut } from "./looks.ts";
import { complain, LineWriter, print, ReaderGone } from "./output.ts";
import { PacketPrinter } from "./packets.ts";
import { ProgressLine, terminalColumns } from "./progress.ts";
import { runInSlices } from "./slices.ts";
import { version } from "./version.ts";

export { EXIT } from "./exit.ts";

/** Runs the command line `args` and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const asked = readArguments(args);
    if (asked.help) return print(HELP);
    if (asked.version) return print(`fourtuple ${version()}\n`);
    return await simulate(asked);
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

async function simulate(asked: SimulateArguments): Promise<number> {
  const resumed = asked.resume === undefined ? undefined : resume(asked.resume);
  const loaded = resumed?.loaded ?? loadScenario(asked.file, readScenarioText(asked.file), overridesOf(asked));
  const filter = asked.filter === undefined ? undefined : parseFilter(asked.filter, Object.keys(loaded.scenario.nodes));
  const simulation = resumed?.simulation ?? buildWithinMemory(loaded, { threads: asked.workers });
  if (asked.checkpointEveryNs !== undefined) {
    const { checkpointEveryNs: everyNs, checkpointDir: directory = "." } = asked;
    simulation.marks.push(new Checkpoints({ simulation, loaded, everyNs, directory, resumed: resumed?.path }));
  }

  const lines = new LineWriter(asked.json ? Deno.stderr : Deno.stdout);
  const printer = asked.packets ? new PacketPrinter(lines, filter) : undefined;
  const outputs: RunOutput[] = [];
  // (Those before a checkpoint have been.)
  const dumps = dumpsOf(asked, loaded).filter(({ atNs = Infinity }) =>
    resumed === undefined || atNs > simulation.nowNs
  );
  const { packets, addresses } = simulation;
  if (printer !== undefined) {
    const see = (p: number, timeNs: number, from: string, to: string) =>
      printer.see({ packets, addresses, p, timeNs, from, to });
    simulation.onDelivery(see, { late: true });
  }
  try {
    if (asked.pcap !== undefined) {
      outputs.push(new CaptureOut({ ...asked, directory: pathFromInvocation(asked.pcap) }, simulation, loaded));
    }

    if (dumps.length > 0) outputs.push(new Dumps(simulation, lines, dumps));
    if (asked.series !== undefined) outputs.push(new SeriesOut(simulation, asked.series, seriesOptions(asked, loaded)));

    if (asked.trace !== undefined) {
      // (Loaded only here: a run without a trace starts sooner.)
      const { TraceOut } = await import("./trace_files.ts");
      const { trace: file, traceLevel: level } = asked;
      outputs.push(
        new TraceOut({ file, level, simulation, loaded, overrides: overridesOf(asked).map(({ text }) => text) }),
      );
    }
  } catch (error) {
    for (const output of outputs) output.discard();
    throw error;
  }

  const quiet = asked.quiet || (printer !== undefined && Deno.stdout.isTerminal());
  const progress = new ProgressLine(!quiet && Deno.stderr.isTerminal(), {
    endNs: loaded.run.untilNs,
    connections: (loaded.scenario.workloads ?? []).reduce(
      (sum, one) => sum + ("at" in one ? one.at.length : one.connections),
      0,
    ),
  });
  const afterLines = printer !== undefined || dumps.length > 0;
  const said = !asked.json && !asked.quiet && !afterLines;
  if (said) print(summaryHeading({ scenario: simulation.name, seed: simulation.seed }, summaryOptions(loaded)));
  let report: RunReport;
  try {
    const { ended, wallSeconds, peakRssBytes: seenRssBytes } = await runInSlices(
      simulation,
      { ...runOptions(loaded), workers: asked.workers },
      () => {
        stopIfExhausted(loaded.file, simulation);
        progress.update(simulation.progress());
        lines.flush();
      },
    );
    report = simulation.report({ fourtuple: version(), wallSeconds, peakRssBytes: seenRssBytes });
    report.ended = ended;
    report.memory.peakRssBytes = Math.max(seenRssBytes, peakRss());
    report.expect = loaded.expectations.map((line) => evaluateExpect(line, report));
    for (const output of outputs) output.commit(report);
    simulation.close();
  } catch (error) {
    for (const output of outputs) output.discard();
    throw error instanceof OutOfMemory ? outgrown(loaded.file, simulation, error) : error;
  } finally {
    progress.clear();
  }
  lines.flush();
  if ((asked.workers ?? 1) > 1 && !asked.quiet) complain(`${threadsText(simulation.threads)}\n`, EXIT.OK);
  tell(asked, report, (afterLines ? "\n" : "") + summary(report, { ...summaryOptions(loaded), heading: !said }));
  if (report.ended === "interrupted") return EXIT.INTERRUPTED;
  return report.expect.every((line) => line.ok) ? EXIT.OK : EXIT.EXPECTATION_FAILED;
}

/** What the command line and, unless it is quiet, the scenario want to see. */
function dumpsOf(asked: SimulateArguments, loaded: LoadedScenario): DumpRequest[] {
  const times = asked.dumpAtNs.length > 0 ? asked.dumpAtNs : [undefined];
  const requests: DumpRequest[] = times.flatMap((atNs) => asked.dump.map((text) => ({ ...parseDump(text), atNs })));
  if (asked.quiet) return requests;
  for (const { at: atNs, what, node } of loaded.scenario.dumps ?? []) {
    for (const kind of typeof what === "string" ? [what] : what) {
      requests.push({ kind, atNs, nodes: typeof node === "string" ? node : node?.join(",") });
    }
  }
  return requests;
}

function seriesOptions(asked: SimulateArguments, loaded: LoadedScenario): SeriesOptions {
  const { interval, nodes } = loaded.scenario.series ?? {};
  return {
    intervalNs: asked.seriesIntervalNs ?? (interval === undefined ? undefined : interval * 1e6),
    nodes: asked.seriesNodes ?? (typeof nodes === "string" ? nodes : nodes?.join(",")),
    untilNs: loaded.run.untilNs,
  };
}

/** Files that a run leaves behind: whole, or not at all. */
interface RunOutput {
  /** The run has ended. */
  commit(report: RunReport): void;
  /** It has failed. */
  discard(): void;
}

/** `--set`s, then `--seed`, which knows what to be called in errors. */
function overridesOf(asked: SimulateArguments): Override[] {
  const overrides = asked.set.map((text) => parseOverride(text));
  if (asked.seed !== undefined) overrides.push(parseOverride(`seed=${asked.seed}`, `--seed ${asked.seed}`));
  return overrides;
}

/** Prints what was asked for: the document, the summary, or only what failed. */
function tell(asked: SimulateArguments, report: RunReport, text: string): void {
  const failed = failedExpectations(report.expect);
  if (asked.json) {
    print(reportJson(report));
    if (failed !== "") complain(failed, EXIT.EXPECTATION_FAILED);
  } else if (asked.quiet) {
    if (failed !== "") complain(failed, EXIT.EXPECTATION_FAILED);
  } else {
    print(text);
  }
}

/** In how many threads it ran, or why in one. */
function threadsText({ count, why, lookaheadNs }: Simulation["threads"]): string {
  if (count === 1) return `In one thread: ${why}`;
  if (lookaheadNs === Infinity) return `In ${count} threads, divided where no link is.`;
  return `In ${count} threads, divided where packets take ${formatDurationNs(lookaheadNs, 3)} at least.`;
}

function summaryOptions(loaded: LoadedScenario): SummaryOptions {
  const terminal = Deno.stdout.isTerminal();
  return {
    colour: terminal && !Deno.noColor,
    width: terminal ? Math.min(110, terminalColumns()) : undefined,
    description: loaded.scenario.description,
    eventSeconds: loaded.scenario.events?.map(({ at }) => at / 1e9),
  };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
