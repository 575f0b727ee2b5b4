/**
 * What of a report belongs to the run, and not to the machine or the program that ran it.
 *
 * @module
 */
import type { PlainValue } from "../base/plain.ts";

/** Fields that differ from run to run, or with how fourtuple keeps its tables. */
const ELSEWHERE = ["fourtuple", "wallSeconds", "memory"];

/** The report's own facts, as plain data. */
export function reportFacts(report: object): PlainValue {
  const facts = JSON.parse(JSON.stringify(report)) as { [key: string]: PlainValue };
  for (const key of ELSEWHERE) delete facts[key];
  // (What is expected of such a field has its value.)
  if (Array.isArray(facts.expect)) {
    facts.expect = facts.expect.filter((line) => !isMap(line) || !looksElsewhere(line.text));
  }
  // (What a limit says in words may be said in others.)
  if (Array.isArray(facts.limits)) { for (const limit of facts.limits) if (isMap(limit)) delete limit.detail; }
  return facts;
}

/** Does a line look at what differs from run to run (`memory.peakRssBytes < 1.5GB`)? */
function looksElsewhere(text: PlainValue): boolean {
  return typeof text === "string" && ELSEWHERE.includes(/^\s*(\w*)/.exec(text)![1]);
}

/** A fact that two reports do not share. */
export interface FactDifference {
  /** Where: `connections.established`, `limits[nat-pool@gateway].used`. */
  path: string;
  /** What the first has, and the second; undefined where there is nothing. */
  first: PlainValue | undefined;
  second: PlainValue | undefined;
}

/** What two reports do not share, in the first one's order. */
export function factDifferences(
  first: PlainValue | undefined,
  second: PlainValue | undefined,
  path = "",
): FactDifference[] {
  if (isMap(first) && isMap(second)) {
    const keys = [...Object.keys(first), ...Object.keys(second).filter((key) => !Object.hasOwn(first, key))];
    return keys.flatMap((key) => factDifferences(first[key], second[key], path === "" ? key : `${path}.${key}`));
  }
  if (Array.isArray(first) && Array.isArray(second)) {
    const [names, others] = [namesOf(first), namesOf(second)];
    if (names !== undefined && others !== undefined) {
      return [...names.keys(), ...[...others.keys()].filter((name) => !names.has(name))]
        .flatMap((name) => factDifferences(names.get(name), others.get(name), `${path}[${name}]`));
    }
    const length = Math.max(first.length, second.length);
    return Array.from({ length }, (_, i) => factDifferences(first[i], second[i], `${path}[${i}]`)).flat();
  }
  return Object.is(first, second) || JSON.stringify(first) === JSON.stringify(second) ? [] : [{ path, first, second }];
}

/** The things of a list by their names; undefined where they have none, or share some. */
function namesOf(list: readonly PlainValue[]): Map<string, PlainValue> | undefined {
  const names = new Map<string, PlainValue>();
  for (const thing of list) {
    const name = isMap(thing) ? nameOf(thing) : undefined;
    if (name === undefined || names.has(name)) return undefined;
    names.set(name, thing);
  }
  return names;
}

function nameOf({ limit, name, node }: { [key: string]: PlainValue }): string | undefined {
  if (typeof limit === "string") return typeof node === "string" ? `${limit}@${node}` : limit;
  if (typeof name === "string") return name;
  return typeof node === "string" ? node : undefined;
}

function isMap(value: PlainValue | undefined): value is { [key: string]: PlainValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
