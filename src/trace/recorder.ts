/**
 * Records a run: a header, packet events in blocks if they are wanted, checkpoints on the way, the report. What it
 * writes goes to a sink piece by piece, so that a long trace takes no memory. It looks, and changes nothing.
 *
 * @module
 */
import { groupDigests } from "../network/digest.ts";
import type { Mark, Simulation } from "../network/simulation.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { encodeItem } from "./cbor.ts";
import { itemValue, TRACE_FORMAT, TRACE_VERSION, type TraceHeader, type TraceItem, type TraceLevel } from "./items.ts";
import { PacketEncoder } from "./packet_encoder.ts";
import { watchPackets } from "./packet_watch.ts";
import { reportFacts } from "./report_facts.ts";

/** Options of {@linkcode Recorder}. */
export interface RecorderOptions {
  /** `checkpoints`: digests on the way. `packets`: every delivery and drop too. */
  level: TraceLevel;
  /** Takes what is to be written. */
  sink: (bytes: Uint8Array) => void;
  /** Version of fourtuple. */
  engine: string;
  /** What is run. Default: the network's declaration. */
  source?: TraceHeader["source"];
  /** Options of the run, where the source does not say them. */
  run?: Partial<TraceHeader["run"]>;
}

/** Checkpoints come at whole milliseconds, at first each of them; after so many, half as often. */
const CHECKPOINTS_PER_SCALE = 256;
/** A checkpoint must be worth its cost: so many deliveries after the one before, and so many for each node. */
const DELIVERIES_APART = 20_000;
const DELIVERIES_PER_NODE = 4;
const NS_PER_MS = 1e6;

/** When checkpoints are due: it follows from simulated time and counts alone, so that a replay makes the same ones. */
export class CheckpointPlan {
  /** When to look next, ns. */
  nextNs: number = NS_PER_MS;
  readonly #apart: number;
  #scaleNs = NS_PER_MS;
  #looks = 0;
  #deliveries = 0;

  /** Of a network of so many nodes. */
  constructor(nodes: number) {
    this.#apart = Math.max(DELIVERIES_APART, DELIVERIES_PER_NODE * nodes);
  }

  /** The time has come, after so many deliveries: is a checkpoint to be made? */
  due(deliveries: number): boolean {
    if (++this.#looks % CHECKPOINTS_PER_SCALE === 0) this.#scaleNs *= 2;
    this.nextNs = (Math.floor(this.nextNs / this.#scaleNs) + 1) * this.#scaleNs;
    if (deliveries - this.#deliveries < this.#apart) return false;
    this.#deliveries = deliveries;
    return true;
  }
}

/** The header of a run's trace. */
export function traceHeader(simulation: Simulation, options: Omit<RecorderOptions, "sink">): TraceHeader {
  const { nodes } = simulation.partition;
  return {
    format: TRACE_FORMAT,
    version: TRACE_VERSION,
    engine: options.engine,
    level: options.level,
    name: simulation.name,
    seed: simulation.seed,
    source: options.source ?? { kind: "network", text: JSON.stringify(simulation.declaration), overrides: [] },
    run: { untilNs: options.run?.untilNs ?? null, pastQuiescence: options.run?.pastQuiescence ?? false },
    nodes: nodes.populations.map(({ name, count, plural, firstRow }) => ({
      name,
      count,
      plural,
      host: nodes.words[firstRow * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST,
    })),
    links: simulation.links.map(({ name, count, a, b }) => ({ name, count, a: [...a], b: [...b] })),
  };
}

/** Records a simulation from its beginning. */
export class Recorder implements Mark {
  /** See {@linkcode Mark}. */
  readonly inThreads = true;
  readonly #simulation: Simulation;
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #plan: CheckpointPlan;
  readonly #encoder: PacketEncoder | undefined;
  readonly #takeOff: (() => void)[] = [];
  #items = 0;

  /** Writes the header. Throws `Error` if the simulation has begun: what was before would be missing. */
  constructor(simulation: Simulation, options: RecorderOptions) {
    const s = simulation.partition;
    if (s.nowNs > 0 || s.hops > 0) throw new Error("A trace is recorded from a run's beginning.");
    this.#simulation = simulation;
    this.#sink = options.sink;
    this.#plan = new CheckpointPlan(s.nodes.capacity);
    this.#write(encodeItem(traceHeader(simulation, options)));
    simulation.marks.push(this);
    this.#takeOff.push(() => simulation.marks.splice(simulation.marks.indexOf(this), 1));
    if (options.level !== "packets") return;
    const encoder = this.#encoder = new PacketEncoder();
    const { words } = s.nodes;
    this.#takeOff.push(watchPackets(simulation, (timeNs, place, content, reason, row, node) => {
      const ended = reason >= 0 || words[node * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST;
      encoder.event(timeNs, place, row, content, ended, reason);
      if (encoder.full) this.#flush();
    }, (row) => encoder.ended(row)));
  }

  /** See {@linkcode Mark}. */
  get nextNs(): number {
    return this.#plan.nextNs;
  }

  /** See {@linkcode Mark}. */
  reached(): void {
    const timeNs = this.#plan.nextNs;
    if (this.#plan.due(this.#simulation.progress().packets)) this.#checkpoint(timeNs);
  }

  /** The run is over: the last checkpoint, the report and the end. Nothing more is recorded. */
  finish(report: object): void {
    this.#flush();
    this.#checkpoint(this.#simulation.nowNs);
    this.#item({ kind: "report", report: reportFacts(report) });
    this.#item({ kind: "end", items: this.#items });
    this.stop();
  }

  /** Nothing more is recorded, and the trace stays without an end. */
  stop(): void {
    for (const takeOff of this.#takeOff.splice(0)) takeOff();
  }

  #flush(): void {
    const encoder = this.#encoder;
    if (encoder !== undefined && encoder.pending > 0) this.#item({ kind: "packets", block: encoder.take() });
  }

  #checkpoint(timeNs: number): void {
    this.#flush();
    const simulation = this.#simulation;
    const { packets: deliveries } = simulation.progress();
    // (The digests first: where threads have them, this gathers those of all nodes.)
    const { digest, eventDigest } = simulation;
    const groups = groupDigests(simulation.partition.nodes);
    this.#item({ kind: "checkpoint", checkpoint: { timeNs, deliveries, digest, eventDigest, groups } });
  }

  #item(item: TraceItem): void {
    this.#write(encodeItem(itemValue(item)));
  }

  #write(bytes: Uint8Array): void {
    this.#items++;
    this.#sink(bytes);
  }
}
