/**
 * What a schema cannot see of captures: nodes and interfaces that must exist, filters that must make sense.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { readFilter } from "../network/packet_filter.ts";
import { listOf, suggest } from "./fields.ts";
import type { Mistake } from "./issues.ts";
import { linkPairs } from "./links.ts";
import { formatPath, type Path } from "./positions.ts";
import type { Scenario } from "./schema.ts";

/** What every node calls its way to itself. */
const LOOPBACK = "lo";

/** Interfaces in a sentence at most. */
const MOST_NAMED = 12;

/** All that is wrong with `capture:`. */
export function* checkCaptures(scenario: Scenario): Generator<Mistake> {
  const names = Object.keys(scenario.nodes);
  for (const [i, point] of (scenario.capture ?? []).entries()) {
    const path = ["capture", i];
    const wrong = (field: string, sentence: string): Mistake => {
      // (A point may be one text.)
      const at: Path = point.fromText ? path : [...path, field];
      return { path: at, atKey: false, sentence: `${formatPath(at)}: ${sentence}` };
    };
    const match = /^([^[\]]+)(?:\[(\d+)\])?$/.exec(point.node);
    const name = match?.[1] ?? point.node;
    if (match === null || !names.includes(name)) {
      yield wrong("node", `there is no node ${JSON.stringify(point.node)}: ${suggest(name, names)}`);
      continue;
    }
    const { count } = scenario.nodes[name];
    if (match[2] !== undefined && (count === undefined || Number(match[2]) >= count)) {
      const has = count === undefined ? `${name} stands alone` : `${name} has the members 0 to ${count - 1}`;
      yield wrong("node", `there is no node ${JSON.stringify(point.node)}: ${has}.`);
      continue;
    }
    const interfaces = interfacesOf(scenario, name);
    if (point.interface !== undefined && !interfaces.has(point.interface.replace(/\[\d+\]$/, ""))) {
      const all = [...interfaces];
      const hint = all.length > MOST_NAMED ? suggest(point.interface, all) : `it has ${listOf(all)}.`;
      yield wrong("interface", `${point.node} has no interface ${JSON.stringify(point.interface)}: ${hint}`);
    }
    if (point.filter === undefined) continue;
    try {
      readFilter(point.filter, names);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      yield wrong("filter", error.message);
    }
  }
}

/** Neighbours and links of a node, and its loopback. */
function interfacesOf(scenario: Scenario, node: string): Set<string> {
  const found = new Set<string>();
  for (const pair of linkPairs(scenario)) {
    const ends = pair.ends.map((end) => end.replace(/\s*\[.*$/, "").trim());
    if (!ends.includes(node)) continue;
    found.add(ends[0] === node ? ends[1] : ends[0]);
    found.add(pair.name);
  }
  return found.add(LOOPBACK);
}
