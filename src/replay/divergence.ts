/**
 * Where a run leaves its recording: what is known of it, and its text.
 *
 * @module
 */
import { formatCount } from "../base/units.ts";
import type { FactDifference } from "../trace/report_facts.ts";
import type { PacketEvent } from "../trace/packet_decoder.ts";
import type { Places } from "../trace/places.ts";
import { marksOf } from "./marks.ts";
import { differences, eventLine, seconds } from "./describe.ts";

/** The first thing that is not as it was recorded. */
export type Divergence =
  /** A packet event; `recorded` or `now` is undefined where the other side has none any more. */
  | {
    kind: "packet";
    /** Packet events before it. */
    index: number;
    recorded: PacketEvent | undefined;
    now: PacketEvent | undefined;
    /** The events before it, at most ten. */
    before: PacketEvent[];
    /** The ends of the connection of the packet now, in the run that was made now. */
    ends: string[];
    /** Those of the recorded packet's connection in that run, where it is another one. */
    recordedEnds: string[];
  }
  /** Digests at a checkpoint. */
  | {
    kind: "checkpoint";
    /** The last checkpoint that was as recorded, and the first that was not, ns. */
    sinceNs: number;
    untilNs: number;
    /** Nodes (or groups of them) that saw something else. */
    nodes: string[];
    /** Does it concern deliveries, or only what nodes did (timers, drops, NAT decisions)? */
    deliveries: boolean;
    /** What the first of those nodes was delivered in that time now. */
    seen: PacketEvent[];
  }
  /** Facts of the final report. */
  | { kind: "report"; facts: FactDifference[] };

/** Packets that are shown of a node. */
export const MOST_SHOWN = 10;

/** The text of a divergence, several lines. `level` is that of the trace. */
export function divergenceText(divergence: Divergence, places: Places, level: "checkpoints" | "packets"): string {
  switch (divergence.kind) {
    case "packet":
      return packetDivergence(divergence, places);
    case "checkpoint":
      return checkpointDivergence(divergence, places, level);
    case "report":
      return [
        "every packet is as it was recorded, and the report is not:",
        ...divergence.facts.slice(0, 20).map(({ path, first, second }) =>
          `  ${path}: ${JSON.stringify(first) ?? "nothing"} was recorded, now it is ${
            JSON.stringify(second) ?? "nothing"
          }`
        ),
      ].join("\n");
  }
}

function packetDivergence(divergence: Divergence & { kind: "packet" }, places: Places): string {
  const { index, recorded, now, before, ends, recordedEnds } = divergence;
  const timeNs = (recorded ?? now)!.timeNs;
  const lines = [
    `the first packet that differs is event ${formatCount(index + 1)}, at ` +
    `${seconds(Math.min(timeNs, now?.timeNs ?? timeNs))} s:`,
  ];
  const first = recorded === undefined ? "nothing more: the recorded run was over" : eventLine(recorded, places);
  const second = now === undefined ? "nothing more: the run is over" : eventLine(now, places);
  const marks = recorded !== undefined && now !== undefined ? marksOf(first, second) : ["", ""];
  for (const [k, line] of [`  recorded  ${first}`, `  now       ${second}`].entries()) {
    lines.push(line);
    if (marks[k] !== "") lines.push(`            ${marks[k]}`);
  }
  if (recorded !== undefined && now !== undefined) {
    lines.push("what differs:");
    for (const { field, recorded: a, now: b } of differences(recorded, now, places)) {
      lines.push(`  ${field}: ${a} -> ${b}`);
    }
  }
  if (ends.length > 0) lines.push("the connection now:", ...ends.map((line) => `  ${line}`));
  if (recordedEnds.length > 0) {
    lines.push("the recorded packet's connection now:", ...recordedEnds.map((line) => `  ${line}`));
  }
  if (before.length > 0) {
    lines.push(
      before.length === 1
        ? "the event before it, the same in both:"
        : `the ${before.length} events before it, the same in both:`,
    );
    for (const event of before) lines.push(`  ${eventLine(event, places)}`);
  }
  return lines.join("\n");
}

function checkpointDivergence(
  divergence: Divergence & { kind: "checkpoint" },
  places: Places,
  level: "checkpoints" | "packets",
): string {
  const { sinceNs, untilNs, nodes, deliveries, seen } = divergence;
  const between = `between ${seconds(sinceNs)} s and ${seconds(untilNs)} s`;
  const who = nodes.length === 0
    ? "no node in particular"
    : nodes.slice(0, MOST_SHOWN).join(", ") + (nodes.length > MOST_SHOWN ? ", …" : "");
  const what = deliveries ? "packets differ" : "timers, drops or NAT decisions differ, and no packet";
  const lines = [`${between} ${what}, at: ${who}`];
  if (seen.length > 0) {
    lines.push(
      `what ${nodes[0]} was delivered in that time now${seen.length === MOST_SHOWN ? " (the first of it)" : ""}:`,
    );
    for (const event of seen) lines.push(`  ${eventLine(event, places)}`);
  }
  if (level === "checkpoints") {
    lines.push("The trace has checkpoints only: record it with --trace-level packets to see the very packet.");
  }
  return lines.join("\n");
}
