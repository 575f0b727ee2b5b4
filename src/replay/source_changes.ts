/**
 * What two recordings were made from: where their scenarios or networks are not the same.
 *
 * @module
 */
import { plainValue } from "../base/plain.ts";
import type { TraceHeader } from "../trace/items.ts";
import { factDifferences } from "../trace/report_facts.ts";

/** Changes that are shown of a scenario. */
const MOST_CHANGES = 8;

/** A line for each setting of two sources of the same kind that differs, and one for how many more there are. */
export function sourceChanges(first: TraceHeader["source"], second: TraceHeader["source"]): string[] {
  let changes: ReturnType<typeof factDifferences>;
  try {
    changes = factDifferences(plainValue(first.text), plainValue(second.text));
  } catch {
    return ["  one of them does not say what it was made from"];
  }
  const lines = changes.slice(0, MOST_CHANGES).map(({ path, first: a, second: b }) =>
    `  ${path}: ${shownFact(a)} -> ${shownFact(b)}`
  );
  if (changes.length > MOST_CHANGES) lines.push(`  and ${changes.length - MOST_CHANGES} more`);
  return lines;
}

/** A value of a document, as it is shown. */
export function shownFact(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
