/**
 * The first thread of a run in parts: starts the others, tells them what to do, runs its own part, and puts together what
 * all have found.
 *
 * @module
 */
import type { RunReport } from "../report/document.ts";
import { congestionNames } from "../tcp/congestion/types.ts";
import { combineDigest } from "./digest.ts";
import type { NetworkDocument } from "./document.ts";
import type { DumpKind, DumpSection } from "./dump.ts";
import type { Stop } from "./loop.ts";
import { registeredModules } from "./modules.ts";
import { startWorker } from "./part_crew.ts";
import { receiveBytes, sendBytes } from "./part_crossing.ts";
import {
  type Findings,
  findingsOf,
  jointReport,
  putDigests,
  readFindings,
  type Section,
  SECTIONS,
} from "./part_findings.ts";
import { Replay, takeObservers, watchedBy } from "./part_replay.ts";
import type { PartRun } from "./part_run.ts";
import { readThrown, takeThrown, throwAll } from "./part_thrown.ts";
import {
  COMMAND,
  CONTROL_AT,
  type Division,
  joinThreads,
  type LookRequest,
  numbersBrought,
  sharedMemory,
  ThreadControl,
} from "./part_threads.ts";
import type { Partition } from "./partition.ts";
import type { Numbering } from "./plan.ts";
import type { ReportFacts } from "./report.ts";
import { readSample, type SeriesSample } from "./series_counts.ts";

/** How long a thread may take to load its modules, ms. */
const START_MS = 60_000;

/** The threads of a run, led by this one. */
export class LeadThread {
  /** How the network is divided. */
  declare readonly division: Division;
  readonly #partition: Partition;
  readonly #control: ThreadControl;
  readonly #own: ReturnType<typeof joinThreads>;
  #commands = 0;
  #ended = false;
  /** What all parts found, as long as nothing has happened since. */
  #findings: { [K in Section]?: Findings[K][] } = {};
  #hasDigests = true;

  private constructor(
    s: Partition,
    division: Division,
    shared: ReturnType<typeof sharedMemory>,
    commonBlocks: Uint8Array,
  ) {
    this.division = division;
    this.#partition = s;
    const observers = takeObservers(s);
    this.#own = joinThreads(s, 0, division, shared, commonBlocks);
    this.#control = this.#own.control;
    if (observers === undefined) return;
    const replay = new Replay(s, this.#own.part, observers);
    this.#own.runner.onHorizon = (horizonNs) => replay.showUntil(horizonNs);
  }

  /** Starts the other threads. Returns a sentence where they cannot be: `s` is then as it was. */
  static start(
    s: Partition,
    division: Division,
    built: { declaration: NetworkDocument; numbering: Numbering; series: (string | undefined)[] },
    commonBlocks: Uint8Array,
  ): LeadThread | string {
    const shared = sharedMemory(division.count, watchedBy(s), numbersBrought(s, division));
    const control = new ThreadControl(shared.control);
    const modules = [...registeredModules()];
    const congestionControls = congestionNames();
    for (let index = 1; index < division.count; index++) {
      startWorker().postMessage({ index, ...built, modules, congestionControls, division, shared });
    }
    const others = division.count - 1;
    let waitedMs = 0;
    for (;;) {
      const ready = Atomics.load(control.words, CONTROL_AT.READY);
      if (ready === others) return new LeadThread(s, division, shared, commonBlocks);
      const { failure } = control;
      if (failure !== undefined) {
        control.command((1 << COMMAND.BITS) | COMMAND.END);
        return `Another thread cannot build it: ${failure.split("\n")[0].replace(/^\w*Error: /, "")}`;
      }
      const waited = Atomics.wait(control.words, CONTROL_AT.READY, ready, 50);
      if (waited === "timed-out" && Atomics.load(control.words, CONTROL_AT.STARTED) < others) waitedMs += 50;
      if (waitedMs < START_MS) continue;
      control.fail(new Error("The threads did not start in time."));
      control.command((1 << COMMAND.BITS) | COMMAND.END);
      return "The threads did not start in time.";
    }
  }

  /** As `runPartition`; "batch" where `interrupted` said so. */
  run(run: PartRun): Stop {
    this.#live();
    this.#findings = {};
    this.#hasDigests = false;
    const { words, numbers } = this.#control;
    numbers[0] = run.untilNs;
    words[CONTROL_AT.PAST] = run.past ? 1 : 0;
    this.#command(COMMAND.RUN);
    try {
      const stop = this.#own.runner.run(run);
      if (stop !== "threw") return stop;
    } catch (error) {
      this.#control.fail(error);
      this.#ended = true;
      throw error;
    }
    this.#command(COMMAND.THROWN);
    const others = this.#fromOthers().flatMap(readThrown);
    throwAll([...takeThrown(this.#partition), ...others]);
  }

  /** How far the run has come. */
  progress(): { nowNs: number; attempted: number; established: number; open: number; packets: number } {
    return { nowNs: this.#partition.nowNs, ...this.#own.runner.progress() };
  }

  /** The run's digest. */
  digest(which: "deliveries" | "events"): string {
    this.#gatherDigests();
    return combineDigest(this.#partition.nodes, which);
  }

  /** The document. */
  report(facts: ReportFacts): RunReport {
    this.#gather(SECTIONS);
    const live = this.liveReport(facts);
    return { ...live, connections: { ...live.connections }, dns: { ...live.dns }, datagrams: { ...live.datagrams } };
  }

  /** The same, each part of it asked of the threads and worked out when it is read. */
  liveReport(facts: ReportFacts): RunReport {
    const found = <K extends Section>(section: K): Findings[K][] => {
      this.#gather([section]);
      return structuredClone(this.#findings[section]!);
    };
    const digest = this.digest.bind(this);
    return jointReport(this.#partition, found, { ...facts, digest }, this.#own.journal);
  }

  /** When something happens next in any part, ns: at the earliest. */
  nextEventNs(): number {
    return this.#own.runner.nextEventNs();
  }

  /** Events so far, in all parts. */
  get events(): number {
    return this.#own.runner.events;
  }

  /** What the other threads say in a dump. */
  dumps(kind: DumpKind, nodes?: string): DumpSection[] {
    return this.#look({ dump: kind, nodes }).flatMap((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  }

  /** What the other threads have counted for a series. */
  samples(series: number): SeriesSample[] {
    return this.#look({ series }).map(readSample);
  }

  #look(request: LookRequest): Uint8Array[] {
    this.#live();
    this.#command(COMMAND.LOOK);
    const { part } = this.#own;
    const bytes = new TextEncoder().encode(JSON.stringify(request));
    for (let k = 1; k < part.count; k++) sendBytes(this.#partition, part, k, bytes);
    return this.#fromOthers();
  }

  /** Ends the other threads. What they have found is kept. */
  close(): void {
    if (this.#ended) return;
    this.#gatherDigests();
    this.#gather(SECTIONS);
    this.#command(COMMAND.END);
    this.#ended = true;
  }

  /** Has all parts find these sections, all of them or one, as far as nobody has since the last run. */
  #gather(sections: readonly Section[]): void {
    if (sections.every((section) => this.#findings[section] !== undefined)) return;
    this.#live();
    this.#control.words[CONTROL_AT.SECTION] = sections.length > 1 ? -1 : SECTIONS.indexOf(sections[0]);
    this.#command(COMMAND.REPORT);
    const own = findingsOf(this.#partition, sections);
    const parts = [own, ...this.#fromOthers().map(readFindings)];
    for (const section of sections) {
      Object.assign(this.#findings, { [section]: parts.map((findings) => findings[section]) });
    }
  }

  #gatherDigests(): void {
    if (this.#hasDigests) return;
    this.#live();
    this.#command(COMMAND.DIGEST);
    this.#fromOthers().forEach((bytes, k) => putDigests(this.#partition, k + 1, bytes));
    this.#hasDigests = true;
  }

  #fromOthers(): Uint8Array[] {
    const { part } = this.#own;
    return Array.from({ length: part.count - 1 }, (_, k) => receiveBytes(this.#partition, part, k + 1));
  }

  #command(command: number): void {
    this.#commands++;
    this.#control.command((this.#commands << COMMAND.BITS) | command);
  }

  #live(): void {
    if (this.#ended) throw new Error("The threads of this simulation have ended: it does not go on.");
  }
}
