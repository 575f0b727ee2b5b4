/**
 * What operators do to values of code, as in Python.
 *
 * @module
 */
import { pow } from "../base/maths.ts";
import type { CodeValue } from "./code_parser.ts";

/** Code that went wrong when it ran. The message is a sentence. */
export class CodeFailure extends Error {
  /** Where in the code, once that is known. */
  offset: number | undefined;

  /** `offset` is where in the code it happened. */
  constructor(message: string, offset?: number) {
    super(message);
    this.name = "CodeFailure";
    this.offset = offset;
  }
}

/** The longest text or list that code may make. */
const LONGEST = 1_000_000;

/** Whether a value counts as true. */
export function truth(value: CodeValue): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** As `str` writes it. */
export function text(value: CodeValue): string {
  return typeof value === "string" ? value : show(value);
}

/** As `repr` writes it. */
export function show(value: CodeValue): string {
  return bounded(showAny(value, 0));
}

function showAny(value: CodeValue, depth: number): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null) return "None";
  if (typeof value === "string") {
    return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
  }
  if (typeof value === "number") return showNumber(value);
  if (depth > 20) return "[...]";
  return `[${value.map((item) => showAny(item, depth + 1)).join(", ")}]`;
}

function showNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

/** A text or list that is not too long. */
export function bounded<T extends string | readonly CodeValue[]>(value: T): T {
  if (value.length > LONGEST) throw new CodeFailure(`A text or list has more than ${LONGEST} items.`);
  return value;
}

/** The number that a value is; True and False are 1 and 0. */
export function numberOf(value: CodeValue): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value !== "number") throw new CodeFailure(`${show(value)} is not a number.`);
  return value;
}

function integer(value: CodeValue): bigint {
  const number = numberOf(value);
  if (!Number.isInteger(number)) throw new CodeFailure(`${show(value)} is not an integer.`);
  return BigInt(number);
}

/** Applies an operator of two sides. */
export function binary(operator: string, left: CodeValue, right: CodeValue): CodeValue {
  if (operator === "+") {
    if (typeof left === "string" && typeof right === "string") return bounded(left + right);
    if (Array.isArray(left) && Array.isArray(right)) return bounded([...left, ...right] as readonly CodeValue[]);
  }
  if (operator === "*") {
    if (isSequence(left)) return repeated(left, numberOf(right));
    if (isSequence(right)) return repeated(right, numberOf(left));
  }
  const a = numberOf(left);
  const b = numberOf(right);
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / divisor(b);
    case "//":
      return floorDivided(a, divisor(b));
    case "%":
      return modulo(a, divisor(b));
    case "**":
      return power(a, b);
    case "&":
      return Number(integer(left) & integer(right));
    case "|":
      return Number(integer(left) | integer(right));
    case "^":
      return Number(integer(left) ^ integer(right));
    case "<<":
      return Number(integer(left) << shift(b));
    default:
      return Number(integer(left) >> shift(b));
  }
}

function isSequence(value: CodeValue): value is string | readonly CodeValue[] {
  return typeof value === "string" || Array.isArray(value);
}

function repeated(value: string | readonly CodeValue[], times: number): CodeValue {
  const count = Math.max(0, Number(integer(times)));
  if (value.length * count > LONGEST) throw new CodeFailure(`A text or list has more than ${LONGEST} items.`);
  return typeof value === "string" ? value.repeat(count) : Array.from({ length: count }, () => value).flat(1);
}

function divisor(value: number): number {
  if (value === 0) throw new CodeFailure("Division by zero.");
  return value;
}

/** The quotient rounded down; from the exact remainder, since the quotient itself may round up to an integer. */
function floorDivided(a: number, b: number): number {
  return Math.round((a - modulo(a, b)) / b);
}

/** The remainder with the divisor's sign. */
function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && (rest < 0) !== (b < 0) ? rest + b : rest + 0;
}

function power(base: number, exponent: number): number {
  if (!Number.isInteger(exponent) || Math.abs(exponent) > 1024) {
    if (base < 0) throw new CodeFailure(`${show(base)} ** ${show(exponent)} is not a number here.`);
    return pow(base, exponent);
  }
  if (exponent < 0) return 1 / divisor(power(base, -exponent));
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

function shift(value: number): bigint {
  if (!Number.isInteger(value) || value < 0 || value > 1023) {
    throw new CodeFailure(`A shift is by 0 to 1023 bits, not by ${show(value)}.`);
  }
  return BigInt(value);
}

/** `==`. */
export function sameValue(left: CodeValue, right: CodeValue): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => sameValue(item, right[i]));
  }
  if (left === null || right === null || typeof left === "string" || typeof right === "string") return left === right;
  return !Array.isArray(left) && !Array.isArray(right) && numberOf(left) === numberOf(right);
}

/** Below 0, 0 or above 0; NaN if one side is. */
export function compare(left: CodeValue, right: CodeValue): number {
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : left > right ? 1 : 0;
  if (Array.isArray(left) && Array.isArray(right)) {
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      if (!sameValue(left[i], right[i])) return compare(left[i], right[i]);
    }
    return left.length - right.length;
  }
  const a = numberOf(left);
  const b = numberOf(right);
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN;
}

/** `item in container`. */
export function inList(item: CodeValue, container: CodeValue): boolean {
  if (typeof container === "string" && typeof item === "string") return container.includes(item);
  if (Array.isArray(container)) return container.some((each) => sameValue(each, item));
  throw new CodeFailure(`${show(container)} is not a list that something could be in.`);
}
