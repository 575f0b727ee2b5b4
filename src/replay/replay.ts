/**
 * Replay: the run of a trace is made again and compared with the recording as it goes, up to the first difference.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { combineDigest, groupDigests } from "../network/digest.ts";
import type { Mark, Simulation } from "../network/simulation.ts";
import { CONTENT } from "../trace/content.ts";
import type { TraceHeader } from "../trace/items.ts";
import { watchPackets } from "../trace/packet_watch.ts";
import { placeNumber } from "../trace/packet_code.ts";
import type { PacketEvent } from "../trace/packet_decoder.ts";
import { type Pieces, TraceReader, type TraceStep } from "../trace/reader.ts";
import { CheckpointPlan } from "../trace/recorder.ts";
import { factDifferences, reportFacts } from "../trace/report_facts.ts";
import type { Places } from "../trace/places.ts";
import { tupleOf } from "./describe.ts";
import { type Divergence, MOST_SHOWN } from "./divergence.ts";
import { connectionEnds } from "./ends.ts";
import { differingNodes } from "./nodes.ts";
import { type TracedRun, tracedRun } from "./source.ts";

/** Options of {@linkcode replayTrace}. */
export interface ReplayOptions {
  /** The trace's file name, for errors. */
  file: string;
  /** Opens the file: called once or several times, each time from its beginning. */
  open: () => Pieces;
  /** Memory that the run may take, bytes. Default any. */
  availableBytes?: number;
  /** The run to compare with instead of the trace's own: built at its beginning, for a test of something changed. */
  run?: () => TracedRun;
  /** Called now and then with the simulated time, ns. */
  onProgress?: (nowNs: number) => void;
}

/** What a replay found. */
export interface ReplayResult {
  /** The trace's header. */
  header: TraceHeader;
  /** Names of its places. */
  places: Places;
  /** The first difference; undefined where the run is the same. */
  divergence: Divergence | undefined;
  /** Packet events compared. */
  events: number;
  /** Checkpoints compared. */
  checkpoints: number;
  /** The run's digest, as far as it went. */
  digest: string;
}

/** Thrown out of a run to end it at its first difference. */
class Diverged {
  declare readonly divergence: Divergence;
  constructor(divergence: Divergence) {
    this.divergence = divergence;
  }
}

/**
 * Runs a trace's run again and compares.
 *
 * @throws {InputError} where the trace is damaged or cannot be run.
 */
export function replayTrace(options: ReplayOptions): ReplayResult {
  new TraceReader(options.file, options.open()).check();
  const reader = new TraceReader(options.file, options.open());
  const { header, places } = reader;
  const traced = () => options.run?.() ?? tracedRun(header, options.file, options.availableBytes);
  const { simulation, run } = traced();
  const comparison = new Comparison(simulation, reader);
  let divergence: Divergence | undefined;
  try {
    simulation.run({ ...run, interrupted: () => (options.onProgress?.(simulation.nowNs), false) });
    comparison.finish();
  } catch (error) {
    if (!(error instanceof Diverged)) throw error;
    divergence = error.divergence;
  } finally {
    comparison.stop();
  }
  if (divergence?.kind === "checkpoint" && divergence.deliveries) {
    divergence.seen = seenAt(traced(), divergence, places);
  }
  const { events, checkpoints } = comparison;
  return { header, places, divergence, events, checkpoints, digest: simulation.digest };
}

/** Compares as the run goes. */
class Comparison implements Mark {
  events = 0;
  checkpoints = 0;
  readonly #simulation: Simulation;
  readonly #reader: TraceReader;
  readonly #plan: CheckpointPlan;
  readonly #before: PacketEvent[] = [];
  readonly #stop: () => void;
  #sinceNs = 0;

  constructor(simulation: Simulation, reader: TraceReader) {
    this.#simulation = simulation;
    this.#reader = reader;
    this.#plan = new CheckpointPlan(simulation.partition.nodes.capacity);
    simulation.marks.push(this);
    const stop = reader.header.level === "packets"
      ? watchPackets(simulation, (timeNs, place, content, reason) => this.#event(timeNs, place, content, reason))
      : () => {};
    this.#stop = () => {
      const at = simulation.marks.indexOf(this);
      if (at >= 0) simulation.marks.splice(at, 1);
      stop();
    };
  }

  stop(): void {
    this.#stop();
  }

  get nextNs(): number {
    return this.#plan.nextNs;
  }

  reached(): void {
    const timeNs = this.#plan.nextNs;
    if (this.#plan.due(this.#simulation.partition.hops)) this.#checkpoint(timeNs);
  }

  /** The run is over: so must the recording be. */
  finish(): void {
    this.#checkpoint(this.#simulation.nowNs);
    const step = this.#reader.next();
    if (step?.kind !== "report") throw this.#diverged(step, undefined);
    const facts = factDifferences(step.report, reportFacts(this.#simulation.report()))
      // What this version tells and the recording's did not is no difference.
      .filter(({ first, path }) => first !== undefined && path !== "ended" && !path.startsWith("expect"));
    if (facts.length > 0) throw new Diverged({ kind: "report", facts });
  }

  #event(timeNs: number, place: number, content: Int32Array, reason: number): void {
    const step = this.#reader.next();
    if (step?.kind === "event" && sameEvent(step.event, timeNs, place, content, reason)) {
      this.events++;
      this.#before.push(step.event);
      if (this.#before.length > MOST_SHOWN) this.#before.shift();
      return;
    }
    const dropped = (place & 1) === 1;
    const now: PacketEvent = {
      timeNs,
      dropped,
      rank: Math.floor(place / 2) - 1,
      reason,
      serial: 0,
      hop: 0,
      content: content.slice(),
    };
    throw this.#diverged(step, now);
  }

  /** The recording says `step` where the run has `now`. */
  #diverged(step: TraceStep | null, now: PacketEvent | undefined): Diverged {
    // Checkpoints are made at the same times: one that comes too soon only says that an event is missing before it.
    let recorded = step;
    while (recorded !== null && recorded.kind === "checkpoint") recorded = this.#reader.next();
    const event = recorded?.kind === "event" ? recorded.event : undefined;
    if (event === undefined && now === undefined) {
      throw new InputError(`${this.#reader.file}: it has fewer checkpoints than its run, or no report.`);
    }
    const { partition } = this.#simulation;
    const endsOf = (packet: PacketEvent) => connectionEnds(partition, tupleOf(packet), packet.content);
    const ends = endsOf((now ?? event)!);
    const others = event === undefined || now === undefined ? [] : endsOf(event);
    return new Diverged({
      kind: "packet",
      index: this.events,
      recorded: event,
      now,
      before: [...this.#before],
      ends,
      recordedEnds: others.filter((line) => !ends.includes(line)),
    });
  }

  #checkpoint(timeNs: number): void {
    const step = this.#reader.next();
    if (step?.kind === "event") throw this.#diverged(step, undefined);
    const { nodes } = this.#simulation.partition;
    const now = {
      digest: combineDigest(nodes, "deliveries"),
      eventDigest: combineDigest(nodes, "events"),
    };
    const recorded = step?.kind === "checkpoint" ? step.checkpoint : undefined;
    if (
      recorded !== undefined && recorded.timeNs === timeNs && recorded.digest === now.digest &&
      recorded.eventDigest === now.eventDigest
    ) {
      this.checkpoints++;
      this.#sinceNs = timeNs;
      return;
    }
    const groups = groupDigests(nodes);
    throw new Diverged({
      kind: "checkpoint",
      sinceNs: this.#sinceNs,
      untilNs: Math.max(timeNs, recorded?.timeNs ?? timeNs),
      nodes: recorded === undefined ? [] : differingNodes(recorded.groups, groups, this.#reader.places),
      deliveries: recorded?.digest !== now.digest,
      seen: [],
    });
  }
}

function sameEvent(event: PacketEvent, timeNs: number, place: number, content: Int32Array, reason: number): boolean {
  if (event.timeNs !== timeNs || placeNumber(event.dropped, event.rank) !== place || event.reason !== reason) {
    return false;
  }
  for (let k = 0; k < CONTENT.WORDS; k++) if (event.content[k] !== content[k]) return false;
  return true;
}

/** A second run, for what the first of the differing nodes sees in the time in question. */
function seenAt(
  { simulation, run }: TracedRun,
  divergence: Divergence & { kind: "checkpoint" },
  places: Places,
): PacketEvent[] {
  const seen: PacketEvent[] = [];
  const name = divergence.nodes[0];
  const stop = watchPackets(simulation, (timeNs, place, content, reason) => {
    if (timeNs <= divergence.sinceNs || timeNs > divergence.untilNs || seen.length === MOST_SHOWN) return;
    const dropped = (place & 1) === 1;
    const rank = Math.floor(place / 2) - 1;
    const node = dropped ? rank : places.endsOf(rank)?.to;
    if (dropped || node === undefined || places.nodeName(node) !== name) return;
    seen.push({ timeNs, dropped, rank, reason, serial: 0, hop: 0, content: content.slice() });
  });
  simulation.run({ ...run, untilNs: Math.min(run.untilNs ?? Infinity, divergence.untilNs) });
  stop();
  return seen;
}
