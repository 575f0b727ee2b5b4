/**
 * From the text of a scenario to a plain value, and from a path within that value back to line and column.
 *
 * YAML, JSON with comments and JSON are read; keys that stand twice are refused.
 *
 * @module
 */
import { type Node as JsonNode, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { isAlias, isMap, isScalar, isSeq, type YAMLMap } from "yaml";
import { InputError } from "../base/errors.ts";
import { parseYamlDocument } from "./yaml.ts";

/** Where a value lies within a document: keys of maps and indices of lists. */
export type Path = readonly (string | number)[];

/** A document that was read: its value, and where everything stands. */
export interface ParsedText {
  /** Maps, lists, strings, numbers, booleans and nulls. */
  value: unknown;
  /** Where they stand. */
  positions: PositionMap;
}

/** A path as people write it: `links[0].delay`. The whole document is `the scenario`. */
export function formatPath(path: Path): string {
  if (path.length === 0) return "the scenario";
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** Line and column of every key and value of a document. */
export class PositionMap {
  #lineStarts: number[] = [0];
  #values = new Map<string, number>();
  #keys = new Map<string, number>();

  /** `text` is the document. */
  constructor(text: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#lineStarts.push(at + 1);
  }

  /** Notes where the value at `path` begins, and its key if it has one: offsets in the text. */
  note(path: Path, valueOffset: number, keyOffset?: number): void {
    const key = JSON.stringify(path);
    this.#values.set(key, valueOffset);
    if (keyOffset !== undefined) this.#keys.set(key, keyOffset);
  }

  /** Offset of the value at `path`, or of the nearest thing around it that is in the text. */
  offset(path: Path, which: "value" | "key" = "value"): number {
    for (let length = path.length; length >= 0; length--) {
      const key = JSON.stringify(path.slice(0, length));
      // What is missing is best reported at the name of the thing that lacks it.
      const preferKey = which === "key" || length < path.length;
      const found = (preferKey ? this.#keys.get(key) : undefined) ?? this.#values.get(key);
      if (found !== undefined) return found;
    }
    return 0;
  }

  /** Line and column, from 1, of an offset. */
  lineColumn(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - this.#lineStarts[low] + 1 };
  }
}

/** An {@linkcode InputError} whose message begins with `file:line:column: `. */
export function errorAt(
  file: string,
  positions: PositionMap,
  offset: number,
  path: Path,
  sentence: string,
): InputError {
  const { line, column } = positions.lineColumn(offset);
  return new InputError(`${file}:${line}:${column}: ${sentence}`, { file, line, column, path: formatPath(path) });
}

/**
 * Reads a document: JSON (with comments and trailing commas) where the file's name ends in `.json` or `.jsonc`, YAML
 * otherwise.
 *
 * @throws {InputError} when the text does not parse or a key stands twice, with file, line and column.
 */
export function parseText(file: string, text: string): ParsedText {
  const positions = new PositionMap(text);
  try {
    return /\.jsonc?$/i.test(file) ? parseJson(file, text, positions) : parseYaml(file, text, positions);
  } catch (error) {
    if (error instanceof InputError) throw error;
    // Nesting beyond the stack, or aliases that multiply.
    const why = error instanceof RangeError ? "it is nested too deeply" : `${(error as Error).message}`;
    throw errorAt(file, positions, 0, [], `The file cannot be read: ${why}.`);
  }
}

function parseYaml(file: string, text: string, positions: PositionMap): ParsedText {
  const document = parseYamlDocument(text);
  const [error] = document.errors;
  if (error?.code === "MULTIPLE_DOCS") {
    throw errorAt(file, positions, error.pos[0], [], "A second document begins here: a scenario is one document.");
  }
  if (/Maximum call stack/.test(error?.message ?? "")) throw new RangeError(error.message);
  if (error !== undefined) {
    const hint = /flow-seq-start at node end/.test(error.message) ? ": text with brackets needs quotes here" : "";
    const why = sentence(error.message.replace(/[.:\s]*$/, hint));
    throw errorAt(file, positions, error.pos[0], [], `The YAML does not parse: ${why}`);
  }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    throw errorAt(file, positions, 0, [], "The file is empty: expected a scenario with nodes, links and workloads.");
  }
  notePositionsYaml(file, document.contents, [], positions, undefined);
  return { value: document.toJS({ maxAliasCount: 100 }), positions };
}

function notePositionsYaml(file: string, node: unknown, path: Path, positions: PositionMap, keyOffset?: number): void {
  const range = (node as { range?: [number, number, number] } | null)?.range;
  positions.note(path, range?.[0] ?? keyOffset ?? 0, keyOffset);
  if (isAlias(node)) return;
  if (isSeq(node)) node.items.forEach((item, i) => notePositionsYaml(file, item, [...path, i], positions));
  if (isMap(node)) notePositionsYamlMap(file, node, path, positions);
}

function notePositionsYamlMap(file: string, node: YAMLMap, path: Path, positions: PositionMap): void {
  const seen = new Map<string, number>();
  for (const pair of node.items) {
    const offset = (pair.key as { range?: [number, number, number] } | null)?.range?.[0] ?? 0;
    if (!isScalar(pair.key)) {
      throw errorAt(file, positions, offset, path, `A key of ${formatPath(path)} is a map or a list: expected a name.`);
    }
    const key = String(pair.key.value);
    if (key === "<<") continue;
    refuseDuplicate(file, positions, seen, path, key, offset);
    notePositionsYaml(file, pair.value, [...path, key], positions, offset);
  }
}

function refuseDuplicate(
  file: string,
  positions: PositionMap,
  seen: Map<string, number>,
  path: Path,
  key: string,
  offset: number,
): void {
  const first = seen.get(key);
  if (first !== undefined) {
    const who = path.length === 1 && (path[0] === "nodes" || path[0] === "profiles") ? path[0] : undefined;
    const line = positions.lineColumn(first).line;
    const what = who === undefined
      ? `${formatPath([...path, key])} is given twice (first on line ${line}): keep one.`
      : `Two ${who} have the name ${JSON.stringify(key)} (the first is on line ${line}): rename one.`;
    throw errorAt(file, positions, offset, [...path, key], what);
  }
  seen.set(key, offset);
}

const JSON_ERRORS: Record<string, string> = {
  InvalidSymbol: "this word is not JSON; strings stand in double quotes",
  InvalidNumberFormat: "this number is not JSON",
  PropertyNameExpected: 'expected a name in double quotes or "}"',
  ValueExpected: "expected a value",
  ColonExpected: 'expected ":" after the name',
  CommaExpected: 'expected "," before the next item',
  CloseBraceExpected: 'expected "}"',
  CloseBracketExpected: 'expected "]"',
  EndOfFileExpected: "expected the end of the file",
  UnexpectedEndOfComment: "a comment does not end",
  UnexpectedEndOfString: "a string does not end",
  UnexpectedEndOfNumber: "a number breaks off",
  InvalidUnicode: "a \\u escape is not four hexadecimal digits",
  InvalidEscapeCharacter: "a backslash escape is not JSON's",
  InvalidCharacter: "a control character stands in a string",
};

function parseJson(file: string, text: string, positions: PositionMap): ParsedText {
  const plain = text.startsWith("\ufeff") ? " " + text.slice(1) : text;
  const errors: ParseError[] = [];
  const root = parseTree(plain, errors, { allowTrailingComma: true });
  if (root === undefined && plain.trim() === "") {
    throw errorAt(file, positions, 0, [], "The file is empty: expected a scenario with nodes, links and workloads.");
  }
  const [error] = errors;
  if (error !== undefined || root === undefined) {
    const why = error === undefined
      ? "expected a value"
      : JSON_ERRORS[printParseErrorCode(error.error)] ?? "something is wrong here";
    throw errorAt(file, positions, error?.offset ?? 0, [], `The JSON does not parse: ${why}.`);
  }
  return { value: jsonValue(file, root, [], positions), positions };
}

function jsonValue(file: string, node: JsonNode, path: Path, positions: PositionMap, keyOffset?: number): unknown {
  positions.note(path, node.offset, keyOffset);
  if (node.type === "array") {
    return (node.children ?? []).map((item, i) => jsonValue(file, item, [...path, i], positions));
  }
  if (node.type !== "object") return node.value;
  const result: Record<string, unknown> = {};
  const seen = new Map<string, number>();
  for (const property of node.children ?? []) {
    const [key, value] = property.children ?? [];
    const name = String(key.value);
    refuseDuplicate(file, positions, seen, path, name, key.offset);
    const item = jsonValue(file, value, [...path, name], positions, key.offset);
    Object.defineProperty(result, name, { value: item, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

/** Ends a message of another's making with one full stop, on one line. */
function sentence(message: string): string {
  return message.replace(/\s+/g, " ").trim().replace(/[.:]*$/, ".");
}
