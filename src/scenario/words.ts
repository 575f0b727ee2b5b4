/**
 * Words of error messages, and durations: what reading a scenario and reading an expectation have in common.
 *
 * @module
 */
import { nearest } from "../base/errors.ts";
import { parseDurationNs } from "../base/units.ts";

/** A whole message is `PATH is FOUND: expected WHAT.`; this is its last part, without the full stop. */
export class Expected extends Error {}

/** `did you mean "address"?`, or the whole choice where nothing is near. */
export function suggest(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  return names.length === 0 ? "there are none." : `there ${names.length === 1 ? "is" : "are"} ${listOf(names)}.`;
}

/** `a, b and c`, of a long list only the beginning. */
export function listOf(names: readonly string[], word = "and"): string {
  if (names.length > 24) return `${names.slice(0, 20).join(", ")} and ${names.length - 20} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${word} ${names.at(-1)}`;
}

/** A duration in text, ns: `20ms`, `5m`, `2h4m`. Throws a sentence where it is none. */
export function readDuration(value: string): number {
  const terms = value.match(/\d[\d_.]*\s*[a-zA-Zµμ]+/g) ?? [];
  const compound = terms.length > 0 && terms.join("") === value.replace(/\s+(?=\d)/g, "").trim();
  let ns = 0;
  // People write 5m for five minutes.
  for (const term of compound ? terms : [value]) ns += parseDurationNs(term.replace(/(?<=[\d\s])m$/, "min"));
  if (!Number.isSafeInteger(ns)) throw new Expected("a duration of less than 104 days");
  return ns;
}
