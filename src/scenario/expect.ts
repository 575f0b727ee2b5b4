/**
 * `PATH OPERATOR VALUE`: the lines that say what must be true of a run, and the conditions that end one.
 *
 * ```text
 * connections.established == 112_920
 * limits[ports@clients].firstHitSeconds < 13s
 * connections.connectMs.p99 ~= 20ms ± 5%
 * ended == quiescence
 * ```
 *
 * A reason that never occurred counts as 0; a map of reasons counts as their sum (`connections.failed == 0`).
 *
 * @module
 */
import { InputError, nearest } from "../base/errors.ts";
import { parseBytes } from "../base/units.ts";
import type { ExpectReport, RunReport } from "../report/document.ts";
import { Expected, listOf, readDuration } from "./words.ts";
import { parseReportPath, PathError, readReport, type ReportPath } from "./report_paths.ts";

/** The operators; `~=` is "about", with a tolerance. */
export const OPERATORS = ["==", "!=", "<", "<=", ">", ">=", "~="] as const;

/** One of them. */
export type Operator = typeof OPERATORS[number];

/** A line that was understood. */
export interface Expectation {
  /** As it was written. */
  text: string;
  /** What is looked at. */
  path: ReportPath;
  /** How it is compared. */
  operator: Operator;
  /** With what. */
  value: number | string | null;
  /** `~=`: how far off it may be, in the value's own unit. */
  tolerance: number;
}

/** Names that a line may use, where they are known. */
export interface ExpectNames {
  /** The scenario's nodes, for `limits[ports@node]`. */
  nodes?: readonly string[];
  /** Its workloads, for `workloads[NAME]`. */
  workloads?: readonly string[];
}

/**
 * Understands a line.
 *
 * @throws {InputError} one sentence, with the nearest name where a name is wrong.
 */
export function parseExpect(text: string, names: ExpectNames = {}): Expectation {
  const match = /^\s*([^\s=!<>~]+)\s*([=!<>~]+)\s*(.*?)\s*$/.exec(text);
  if (match === null) {
    throw new InputError(`${quote(text)} is not PATH OPERATOR VALUE, such as connections.established == 1000.`);
  }
  const [, pathText, operator, valueText] = match;
  if (!(OPERATORS as readonly string[]).includes(operator)) {
    const meant = operator === "=" || operator === "==="
      ? `: did you mean "=="?`
      : `: write one of ${OPERATORS.join(" ")}.`;
    throw new InputError(`${quote(text)}: there is no operator ${quote(operator)}${meant}`);
  }
  try {
    const path = parseReportPath(pathText, names.nodes, names.workloads);
    return { text, path, operator: operator as Operator, ...readValue(valueText, operator as Operator, path) };
  } catch (error) {
    if (error instanceof PathError) {
      throw new InputError(`${quote(text)}: ${pathText} ${error.message}${/[.?]$/.test(error.message) ? "" : "."}`);
    }
    if (error instanceof Expected) {
      const why = `after ${operator} expected ${error.message}, found ${quote(valueText)}`;
      throw new InputError(`${quote(text)}: ${why}.`);
    }
    if (error instanceof InputError) throw new InputError(`${quote(text)}: ${error.message}`);
    throw error;
  }
}

function readValue(text: string, operator: Operator, path: ReportPath): Pick<Expectation, "value" | "tolerance"> {
  if (text === "") throw new Expected("a value");
  if (text === "null") {
    if (operator !== "==" && operator !== "!=") throw new Expected("a number, since null has no order");
    return { value: null, tolerance: 0 };
  }
  if (path.leaf.type === "text") {
    if (operator !== "==" && operator !== "!=") throw new Expected("nothing: text is compared with == and != only");
    return { value: readText(text, path), tolerance: 0 };
  }
  if (operator !== "~=") return { value: readNumber(text, path), tolerance: 0 };
  const parts = /^(.*?)\s*(?:±|\+\/?-)\s*(.*)$/.exec(text);
  if (parts === null) throw new Expected("a value and a tolerance such as 100 ± 5% or 100 +- 5");
  const value = readNumber(parts[1], path);
  const percent = /^([\d.]+)\s*%$/.exec(parts[2]);
  const tolerance = percent === null ? readNumber(parts[2], path) : Math.abs(value) * Number(percent[1]) / 100;
  if (!(tolerance >= 0)) throw new Expected("a tolerance of 0 or more");
  return { value, tolerance };
}

function readText(text: string, path: ReportPath): string {
  const quoted = /^(["'])(.*)\1$/.exec(text);
  const value = quoted === null ? text : quoted[2];
  const words = path.leaf.words;
  if (words === undefined || words.includes(value)) return value;
  const near = nearest(value, words);
  throw new Expected(`${listOf(words, "or")}${near === undefined ? "" : ` (${near}, perhaps)`}`);
}

/** A number, plain or with a unit that fits what the path counts. */
function readNumber(text: string, path: ReportPath): number {
  const plain = /^[+-]?(\d[\d_]*(,\d{3})*)(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  if (plain) return Number(text.replaceAll(/[_,]/g, ""));
  const unit = path.leaf.unit;
  if (unit === "bytes") return parseBytes(text);
  if (unit === "s") return readDuration(text) / 1e9;
  if (unit === "ms") return readDuration(text) / 1e6;
  throw new Expected("a number");
}

/** Whether the line holds for what the path found. */
export function holds(expectation: Expectation, found: number | string | null): boolean {
  const { operator, value, tolerance } = expectation;
  if (operator === "==") return found === value;
  if (operator === "!=") return found !== value;
  if (typeof found !== "number" || typeof value !== "number") return false;
  if (operator === "<") return found < value;
  if (operator === "<=") return found <= value;
  if (operator === ">") return found > value;
  if (operator === ">=") return found >= value;
  return Math.abs(found - value) <= tolerance * (1 + 1e-12);
}

/** Holds a line against the outcome of a run. */
export function evaluateExpect(expectation: Expectation, report: RunReport): ExpectReport {
  const found = readReport(expectation.path, report);
  const { value, tolerance, operator } = expectation;
  const expected = operator === "~=" ? `${value} ± ${Number(tolerance.toPrecision(12))}` : value;
  return { text: expectation.text, expected, found, ok: holds(expectation, found) };
}

/**
 * What becomes of such lines in a report: what `simulate` prints of a scenario's `expect:`, for networks built in code.
 *
 * @throws {InputError} where a line cannot be read, or names a workload that the report does not have.
 *
 * @example
 * ```ts
 * import { Network } from "../../mod.ts";
 * import { expectations } from "./expect.ts";
 * const report = new Network().build().report();
 * console.log(expectations(report, ["connections.failed == 0"])[0].ok); // true
 * ```
 */
export function expectations(report: RunReport, lines: readonly string[]): ExpectReport[] {
  const workloads = report.workloads.map(({ name }) => name);
  return lines.map((line) => evaluateExpect(parseExpect(line, { workloads }), report));
}

/**
 * Understands a condition that ends a run, such as `connections.open >= 1000`: an expectation about a number that the
 * run counts as it goes. What differs from machine to machine may not end a run.
 *
 * @throws {InputError} as {@linkcode parseExpect} does.
 */
export function parseCondition(text: string, names: ExpectNames = {}): Expectation {
  const condition = parseExpect(text, names);
  const { leaf } = condition.path;
  if (leaf.ofTheMachine) {
    throw new InputError(`${quote(text)}: a run cannot end by what differs from machine to machine.`);
  }
  if (leaf.type === "text") throw new InputError(`${quote(text)}: a run can only end by a number.`);
  return condition;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
