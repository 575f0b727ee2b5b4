/**
 * The functions that code may call, and how it formats text.
 *
 * @module
 */
import { bounded, CodeFailure, compare, numberOf, show, text, truth } from "./code_operators.ts";
import type { CodeValue } from "./code_parser.ts";

export { CodeFailure } from "./code_operators.ts";

type Builtin = (args: readonly CodeValue[]) => CodeValue;

const BUILTINS: Readonly<Record<string, { least: number; most: number; run: Builtin }>> = {
  min: { least: 1, most: Infinity, run: (args) => extreme("min", args, -1) },
  max: { least: 1, most: Infinity, run: (args) => extreme("max", args, 1) },
  sum: {
    least: 1,
    most: 2,
    run: ([list, start = 0]) => items(list).reduce<number>((a, b) => a + numberOf(b), numberOf(start)),
  },
  abs: { least: 1, most: 1, run: ([value]) => Math.abs(numberOf(value)) },
  int: { least: 1, most: 2, run: ([value, base = 10]) => toInteger(value, numberOf(base)) },
  float: { least: 1, most: 1, run: ([value]) => toFloat(value) },
  bool: { least: 0, most: 1, run: ([value = false]) => truth(value) },
  len: { least: 1, most: 1, run: ([value]) => typeof value === "string" ? value.length : items(value).length },
  round: { least: 1, most: 2, run: ([value, digits = 0]) => rounded(numberOf(value), numberOf(digits)) },
  str: { least: 0, most: 1, run: ([value = ""]) => text(value) },
  repr: { least: 1, most: 1, run: ([value]) => show(value) },
  hex: { least: 1, most: 1, run: ([value]) => based(value, 16, "0x") },
  oct: { least: 1, most: 1, run: ([value]) => based(value, 8, "0o") },
  bin: { least: 1, most: 1, run: ([value]) => based(value, 2, "0b") },
  divmod: { least: 2, most: 2, run: ([a, b]) => divmod(numberOf(a), numberOf(b)) },
  range: { least: 1, most: 3, run: range },
  list: { least: 0, most: 1, run: ([value = []]) => typeof value === "string" ? [...value] : items(value) },
  tuple: { least: 0, most: 1, run: ([value = []]) => typeof value === "string" ? [...value] : items(value) },
  sorted: { least: 1, most: 1, run: ([value]) => items(value).toSorted(compare) },
  all: { least: 1, most: 1, run: ([value]) => items(value).every(truth) },
  any: { least: 1, most: 1, run: ([value]) => items(value).some(truth) },
};

/** Calls a function by name. */
export function callBuiltin(name: string, args: readonly CodeValue[]): CodeValue {
  if (!Object.hasOwn(BUILTINS, name)) {
    throw new CodeFailure(`There is no function "${name}": there are ${Object.keys(BUILTINS).join(", ")}.`);
  }
  const { least, most, run } = BUILTINS[name];
  if (args.length < least || args.length > most) {
    throw new CodeFailure(
      `"${name}" takes ${least === most ? least : `${least} to ${most}`} arguments, not ${args.length}.`,
    );
  }
  return run(args);
}

function items(value: CodeValue): readonly CodeValue[] {
  if (!Array.isArray(value)) throw new CodeFailure(`${show(value)} is not a list.`);
  return value;
}

function extreme(name: string, args: readonly CodeValue[], sign: number): CodeValue {
  const list = args.length === 1 ? items(args[0]) : args;
  if (list.length === 0) throw new CodeFailure(`"${name}" of an empty list.`);
  return list.reduce((best, value) => compare(value, best) * sign > 0 ? value : best);
}

function toInteger(value: CodeValue, base: number): number {
  if (typeof value !== "string") {
    const number = Math.trunc(numberOf(value)) + 0;
    if (!Number.isFinite(number)) throw new CodeFailure(`${show(value)} is not an integer.`);
    return number;
  }
  const digits = value.trim().replaceAll("_", "");
  const prefixed = /^([+-]?)0([xXoObB])([\da-fA-F]+)$/.exec(digits);
  const bases: Record<string, number> = { x: 16, o: 8, b: 2 };
  if (prefixed && (base === 0 || base === bases[prefixed[2].toLowerCase()])) {
    return parsed(`${prefixed[1]}${prefixed[3]}`, bases[prefixed[2].toLowerCase()], value);
  }
  return parsed(digits, base === 0 ? 10 : base, value);
}

function parsed(digits: string, base: number, whole: string): number {
  if (!Number.isInteger(base) || base < 2 || base > 36) throw new CodeFailure(`${base} is not a base from 2 to 36.`);
  const allowed = "0123456789abcdefghijklmnopqrstuvwxyz".slice(0, base);
  const plain = digits.replace(/^[+-]/, "").toLowerCase();
  if (plain === "" || [...plain].some((digit) => !allowed.includes(digit))) {
    throw new CodeFailure(`${show(whole)} is not an integer of base ${base}.`);
  }
  return parseInt(digits, base) + 0;
}

function toFloat(value: CodeValue): number {
  if (typeof value !== "string") return numberOf(value);
  const named: Record<string, number> = { inf: Infinity, infinity: Infinity, "-inf": -Infinity, nan: NaN };
  const plain = value.trim().toLowerCase();
  if (Object.hasOwn(named, plain)) return named[plain];
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(plain)) throw new CodeFailure(`${show(value)} is not a number.`);
  return Number(plain);
}

/** To so many decimals, halves to the even neighbour. */
function rounded(value: number, digits: number): number {
  if (!Number.isInteger(digits) || Math.abs(digits) > 15) throw new CodeFailure(`"round" takes -15 to 15 digits.`);
  if (digits > 0) return Number(value.toFixed(digits));
  let scale = 1;
  for (let i = 0; i < -digits; i++) scale *= 10;
  const quotient = value / scale;
  const floor = Math.floor(quotient);
  const rest = quotient - floor;
  return (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor) * scale + 0;
}

function based(value: CodeValue, base: number, prefix: string): string {
  const number = numberOf(value);
  if (!Number.isInteger(number)) throw new CodeFailure(`${show(value)} is not an integer.`);
  return `${number < 0 ? "-" : ""}${prefix}${BigInt(Math.abs(number)).toString(base)}`;
}

function divmod(a: number, b: number): CodeValue {
  if (b === 0) throw new CodeFailure("Division by zero.");
  const rest = a % b;
  const modulo = rest !== 0 && (rest < 0) !== (b < 0) ? rest + b : rest;
  return [Math.round((a - modulo) / b), modulo];
}

function range(args: readonly CodeValue[]): CodeValue {
  const [start, stop, step] = args.length === 1 ? [0, numberOf(args[0]), 1] : [...args.map(numberOf), 1];
  if (step === 0) throw new CodeFailure(`"range" with a step of 0.`);
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= 1_000_000)) throw new CodeFailure(`"range" has more than 1000000 items.`);
  return Array.from({ length: count }, (_, i) => start + i * step);
}

const DIRECTIVE = /%([-+ 0#]*)(\d*)(?:\.(\d+))?[hlL]?(.|$)/gs;

/** `template % values`. */
export function formatPercent(template: string, values: readonly CodeValue[]): string {
  let used = 0;
  const result = template.replace(
    DIRECTIVE,
    (_, flags: string, width: string, precision: string | undefined, type: string) => {
      if (type === "%") return "%";
      if (type === "" || !"diufFeEgGxXosrc".includes(type)) {
        throw new CodeFailure(`"%${type}" in ${show(template)} is not a way to format a value.`);
      }
      if (used >= values.length) {
        throw new CodeFailure(
          `${show(template)} asks for more values than the ${values.length} given.`,
        );
      }
      return padded(formatted(values[used++], type, precision, flags), flags, width);
    },
  );
  if (used < values.length) throw new CodeFailure(`${show(template)} leaves ${values.length - used} values unused.`);
  return bounded(result);
}

function formatted(value: CodeValue, type: string, precision: string | undefined, flags: string): string {
  if (type === "s" || type === "r") {
    const whole = type === "s" ? text(value) : show(value);
    return precision === undefined ? whole : whole.slice(0, Number(precision));
  }
  if (type === "c") return typeof value === "string" ? value : String.fromCodePoint(codePoint(value));
  const number = numberOf(value);
  const digits = Math.min(Number(precision ?? 6), 100);
  let plain: string;
  if ("diu".includes(type)) plain = show(Math.trunc(number) + 0);
  else if ("xXo".includes(type)) {
    plain = based(value, type === "o" ? 8 : 16, flags.includes("#") ? (type === "o" ? "0o" : "0x") : "");
  } else if ("fF".includes(type)) plain = Number.isFinite(number) ? number.toFixed(digits) : show(number);
  else if ("eE".includes(type)) plain = exponential(number.toExponential(digits));
  else plain = general(number, digits);
  if (type === "X" || type === "E" || type === "G") plain = plain.toUpperCase();
  if (plain[0] !== "-" && flags.includes("+")) return `+${plain}`;
  return plain[0] !== "-" && flags.includes(" ") ? ` ${plain}` : plain;
}

function codePoint(value: CodeValue): number {
  const number = numberOf(value);
  if (!Number.isInteger(number) || number < 0 || number > 0x10ffff) {
    throw new CodeFailure(`${show(value)} is no character.`);
  }
  return number;
}

/** Two digits of exponent at least, as C has it. */
function exponential(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

function general(number: number, precision: number): string {
  const digits = Math.max(1, precision);
  const short = number.toPrecision(digits);
  const trimmed = (plain: string) => plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
  const exponent = Number(number.toExponential(digits - 1).split("e")[1]);
  if (exponent >= -4 && exponent < digits) return trimmed(short.includes("e") ? String(number) : short);
  const [mantissa, power] = number.toExponential(digits - 1).split("e");
  return exponential(`${trimmed(mantissa)}e${power}`);
}

function padded(plain: string, flags: string, width: string): string {
  const wide = Math.min(Number(width), 1000);
  if (flags.includes("-")) return plain.padEnd(wide);
  if (!flags.includes("0")) return plain.padStart(wide);
  const sign = /^[-+ ]?(0[xo])?/.exec(plain)![0];
  return sign + plain.slice(sign.length).padStart(wide - sign.length, "0");
}

/** One value by the format after a colon: `d`, `.3f`, `>8`, `#x`, `,`. */
export function formatSpec(value: CodeValue, spec: string): string {
  const match = /^(?:(.)?([<>^]))?([-+ ]?)(#?)(0?)(\d*)(,?)(?:\.(\d+))?([a-zA-Z]?)$/s.exec(spec);
  if (match === null) throw new CodeFailure(`"${spec}" is not a way to format a value.`);
  const [, fill = " ", align, sign, alternate, zero, width, comma, precision, type] = match;
  if (type !== "" && !"dfFeEgGxXos".includes(type)) throw new CodeFailure(`"${spec}" is not a way to format a value.`);
  const asText = type === "s" || (type === "" && (typeof value !== "number" || precision === undefined));
  let plain = formatted(value, asText ? "s" : type === "" ? "g" : type, precision, sign + alternate);
  if (comma !== "") plain = plain.replace(/\d+/, (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ","));
  const wide = Math.min(Number(width), 1000);
  if (align === "<") return plain.padEnd(wide, fill);
  if (align === ">") return plain.padStart(wide, fill);
  if (align === "^") {
    return plain.padStart(plain.length + Math.floor(Math.max(0, wide - plain.length) / 2), fill).padEnd(wide, fill);
  }
  return padded(plain, (zero === "" ? "" : "0") + (typeof value === "string" ? "-" : ""), width);
}

/** `template.format(values)`. */
export function formatTemplate(template: string, values: readonly CodeValue[]): string {
  let next = 0;
  const result = template.replace(
    /\{\{|\}\}|\{(\d*)(?::([^{}]*))?\}|[{}]/g,
    (piece, index: string | undefined, spec = "") => {
      if (piece === "{{") return "{";
      if (piece === "}}") return "}";
      if (index === undefined) throw new CodeFailure(`A "${piece}" in ${show(template)} stands alone.`);
      const value = values[index === "" ? next++ : Number(index)];
      if (value === undefined) {
        throw new CodeFailure(
          `${show(template)} asks for more values than the ${values.length} given.`,
        );
      }
      return formatSpec(value, spec);
    },
  );
  return bounded(result);
}
