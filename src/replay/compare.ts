/**
 * Two recordings side by side: the first packet that differs, and what became of it in the reports.
 *
 * @module
 */
import { CONTENT } from "../trace/content.ts";
import type { TraceCheckpoint, TraceHeader } from "../trace/items.ts";
import type { PacketEvent } from "../trace/packet_decoder.ts";
import { type Pieces, TraceReader } from "../trace/reader.ts";
import { type FactDifference, factDifferences } from "../trace/report_facts.ts";
import type { PlainValue } from "../base/plain.ts";
import { type Divergence, MOST_SHOWN } from "./divergence.ts";
import { differingNodes } from "./nodes.ts";
import type { Places } from "../trace/places.ts";

/** What a comparison found. */
export interface TraceComparison {
  /** Headers of both. */
  headers: [TraceHeader, TraceHeader];
  /** Names of the first one's places. */
  places: Places;
  /** The first packet event or checkpoint that differs; undefined where there is none. */
  divergence: Divergence | undefined;
  /** Facts of the reports that differ. */
  facts: FactDifference[];
  /** Packet events that are the same in both, up to the first difference. */
  events: number;
}

/** Compares two traces. Throws `InputError` where one is damaged. */
export function compareTraces(first: { file: string; open: () => Pieces }, second: typeof first): TraceComparison {
  const readers = [first, second].map(({ file, open }) => {
    new TraceReader(file, open()).check();
    return new TraceReader(file, open());
  });
  const [a, b] = readers;
  const both = a.header.level === "packets" && b.header.level === "packets";
  const comparison = both ? compareEvents(a, b) : compareCheckpoints(a, b);
  const [reportA, reportB] = readers.map(reportOf);
  return {
    headers: [a.header, b.header],
    places: a.places,
    ...comparison,
    facts: factDifferences(reportA, reportB),
  };
}

/** The report, which is the last step. */
function reportOf(reader: TraceReader): PlainValue {
  let report: PlainValue = null;
  for (let step = reader.next(); step !== null; step = reader.next()) if (step.kind === "report") report = step.report;
  return report;
}

function nextEvent(reader: TraceReader): PacketEvent | undefined {
  for (;;) {
    const step = reader.peek();
    if (step === null || step.kind === "report") return undefined;
    reader.next();
    if (step.kind === "event") return step.event;
  }
}

function compareEvents(a: TraceReader, b: TraceReader): { divergence: Divergence | undefined; events: number } {
  const before: PacketEvent[] = [];
  for (let events = 0;; events++) {
    const recorded = nextEvent(a);
    const now = nextEvent(b);
    if (recorded === undefined && now === undefined) return { divergence: undefined, events };
    if (recorded !== undefined && now !== undefined && sameEvents(recorded, now)) {
      before.push(recorded);
      if (before.length > MOST_SHOWN) before.shift();
      continue;
    }
    return { divergence: { kind: "packet", index: events, recorded, now, before, ends: [], recordedEnds: [] }, events };
  }
}

function sameEvents(a: PacketEvent, b: PacketEvent): boolean {
  if (a.timeNs !== b.timeNs || a.dropped !== b.dropped || a.rank !== b.rank || a.reason !== b.reason) return false;
  for (let k = 0; k < CONTENT.WORDS; k++) if (a.content[k] !== b.content[k]) return false;
  return true;
}

function compareCheckpoints(a: TraceReader, b: TraceReader): { divergence: Divergence | undefined; events: number } {
  let sinceNs = 0;
  for (;;) {
    const first = nextCheckpoint(a);
    const second = nextCheckpoint(b);
    if (first === undefined && second === undefined) return { divergence: undefined, events: 0 };
    const same = first !== undefined && second !== undefined && first.timeNs === second.timeNs &&
      first.digest === second.digest && first.eventDigest === second.eventDigest;
    if (same) {
      sinceNs = first.timeNs;
      continue;
    }
    const untilNs = Math.max(first?.timeNs ?? 0, second?.timeNs ?? 0);
    const deliveries = first?.digest !== second?.digest;
    const alike = first !== undefined && second !== undefined && first.groups.length === second.groups.length &&
      a.places.nodeCount === b.places.nodeCount;
    const nodes = alike ? differingNodes(first.groups, second.groups, a.places) : [];
    return { divergence: { kind: "checkpoint", sinceNs, untilNs, nodes, deliveries, seen: [] }, events: 0 };
  }
}

function nextCheckpoint(reader: TraceReader): TraceCheckpoint | undefined {
  for (;;) {
    const step = reader.peek();
    if (step === null || step.kind === "report") return undefined;
    reader.next();
    if (step.kind === "checkpoint") return step.checkpoint;
  }
}
