/**
 * From what zod finds wrong to one sentence: the mistake that explains the others, at its path.
 *
 * @module
 */
import type { z } from "zod";
import { nearest } from "../base/errors.ts";
import { listOf } from "./fields.ts";
import { formatPath, type Path } from "./positions.ts";

/** One mistake: where, and a whole sentence that names the path. */
export interface Mistake {
  /** The value, or the key, that is wrong. */
  path: Path;
  /** Is the key wrong, not the value? */
  atKey: boolean;
  /** The sentence. */
  sentence: string;
}

type Issue = z.core.$ZodIssue;

/** All mistakes among `issues`; unknown names first, since a misspelt field is also missed under its right name. */
export function mistakesOf(issues: readonly Issue[], value: unknown): Mistake[] {
  const mistakes = issues.flatMap((issue) => mistakesOfIssue(issue, [], value));
  return [...mistakes.filter((one) => one.atKey), ...mistakes.filter((one) => !one.atKey)];
}

function mistakesOfIssue(issue: Issue, outer: Path, value: unknown): Mistake[] {
  const path: Path = [...outer, ...issue.path.map((step) => typeof step === "symbol" ? String(step) : step)];
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const holder = formatPath(path);
    const sentence = `${holder} has no field ${JSON.stringify(key)}: ${issue.message}`;
    return [{ path: [...path, key], atKey: true, sentence }];
  }
  if (issue.code === "invalid_key") {
    const name = path[path.length - 1];
    return [{
      path,
      atKey: true,
      sentence: `${formatPath(path.slice(0, -1))} has the name ${show(name)}: ${issue.issues[0].message}.`,
    }];
  }
  if (issue.code === "invalid_union") return unionMistakes(issue, path, value);
  const found = valueAt(value, path);
  return [{ path, atKey: false, sentence: sentenceOf(path, found, issue.message) }];
}

/** Of a union, what is wrong with the branch that was meant: the one that takes this kind of value at all. */
function unionMistakes(issue: z.core.$ZodIssueInvalidUnion, path: Path, value: unknown): Mistake[] {
  const meant = issue.errors.filter((branch) =>
    !branch.some((one) => one.path.length === 0 && one.code !== "unrecognized_keys")
  );
  // A whole sentence says that the value was understood, but for what the sentence is about.
  meant.push(...issue.errors.filter(([one]) => one.code === "custom" && !one.message.startsWith("expected ")));
  // … or nearly: then the branch knows what was meant.
  meant.push(...issue.errors.filter(([one]) => one.code === "custom" && one.message.includes("; did you mean ")));
  if (meant.length >= 1) return meant[0].flatMap((one) => mistakesOfIssue(one, path, value));
  const found = valueAt(value, path);
  const options = (issue as { options?: readonly unknown[] }).options;
  if (options === undefined) return [{ path, atKey: false, sentence: sentenceOf(path, found, issue.message) }];
  const words = options.map(String);
  const kind = `expected ${listOf(words, "or")}`;
  return [{ path, atKey: false, sentence: sentenceOf(path, found, kind, words) }];
}

function sentenceOf(path: Path, found: unknown, message: string, words: readonly string[] = []): string {
  const near = typeof found === "string" && words.length > 0 ? suggestion(found, words) : "";
  const where = formatPath(path);
  if (!message.startsWith("expected ")) return `${where}: ${message[0].toLowerCase()}${message.slice(1)}`;
  const end = /[?.]$/.test(message + near) ? "" : ".";
  if (found === undefined) return `${where} is missing: ${message}${near}${end}`;
  return `${where} is ${show(found)}: ${message}${near}${end}`;
}

function suggestion(found: string, words: readonly string[]): string {
  const near = nearest(found, words);
  return near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
}

/** A value as a person sees it, in a few words. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a map";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 76)}…"` : text;
}

/** The value at a path; undefined where it leads nowhere. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
