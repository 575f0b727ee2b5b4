/**
 * Durations, rates, sizes and fractions as people write them. Inside they are plain numbers: nanoseconds, bits per
 * second, bytes, and 0 to 1.
 *
 * @module
 */
import { InputError, nearest } from "./errors.ts";

/**
 * A number that V8 keeps as a double though it is a small integer. Products with one that it keeps as an integer are
 * compiled as integers while they are small, and all that has inlined them is thrown away when the first is not: for
 * times in nanoseconds that is after 2.1 simulated seconds.
 */
const asDouble = (integer: number) => new Float64Array([integer])[0];

/** Nanoseconds in a microsecond. */
export const NS_PER_US = asDouble(1e3);
/** Nanoseconds in a millisecond. */
export const NS_PER_MS = asDouble(1e6);
/** Nanoseconds in a second. */
export const NS_PER_S = asDouble(1e9);
/** Nanoseconds in a minute. */
export const NS_PER_MIN = 60e9;
/** Nanoseconds in an hour. */
export const NS_PER_H = 3600e9;
/** Nanoseconds in a day. */
export const NS_PER_DAY = 86400e9;

/** A quantity that cannot be read: the message says what was found, what was expected, and the nearest unit. */
export class UnitError extends InputError {
  /** `message` is a whole sentence. */
  constructor(message: string) {
    super(message);
    this.name = "UnitError";
  }
}

/** Units of one quantity and how to speak of it. */
interface Quantity {
  /** `"a duration"`. */
  readonly noun: string;
  /** Scale of each accepted spelling. */
  readonly scales: ReadonlyMap<string, number>;
  /** The units to name in an error. */
  readonly listed: string;
  /** An example with unit. */
  readonly example: string;
  /** Whether a bare number is in base units when it stands in a string. */
  readonly bare: boolean;
}

const DURATION: Quantity = {
  noun: "a duration",
  scales: new Map([
    ["ns", 1],
    ["us", NS_PER_US],
    ["\u00b5s", NS_PER_US], // micro sign
    ["\u03bcs", NS_PER_US], // Greek mu
    ["ms", NS_PER_MS],
    ["s", NS_PER_S],
    ["min", NS_PER_MIN],
    ["h", NS_PER_H],
    ["d", NS_PER_DAY],
  ]),
  listed: "ns, us, ms, s, min, h or d",
  example: "10ms",
  bare: false,
};

const RATE: Quantity = {
  noun: "a rate",
  scales: new Map(
    [["", 1], ["k", 1e3], ["M", 1e6], ["G", 1e9], ["T", 1e12]].flatMap(([prefix, scale]) =>
      [`${prefix}bit/s`, `${prefix}bps`, `${prefix}b/s`, `${prefix}bits/s`].map((unit) =>
        [unit, scale as number] as const
      )
    ),
  ),
  listed: "bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s or bps, kbps, Mbps, Gbps, Tbps",
  example: "100Mbit/s",
  bare: false,
};

const BYTES: Quantity = {
  noun: "a number of bytes",
  scales: new Map([
    ["B", 1],
    ["byte", 1],
    ["bytes", 1],
    ["kB", 1e3],
    ["KB", 1e3],
    ["MB", 1e6],
    ["GB", 1e9],
    ["TB", 1e12],
    ["KiB", 2 ** 10],
    ["MiB", 2 ** 20],
    ["GiB", 2 ** 30],
    ["TiB", 2 ** 40],
  ]),
  listed: "B, kB, MB, GB, TB (powers of 1,000) or KiB, MiB, GiB, TiB (powers of 1,024)",
  example: "64KiB",
  bare: true,
};

const FRACTION: Quantity = {
  noun: "a fraction",
  scales: new Map([["%", 0.01]]),
  listed: "%",
  example: "0.1%",
  bare: true,
};

const QUANTITIES = [DURATION, RATE, BYTES, FRACTION];

/**
 * Nanoseconds of `"1.5ms"`, `"250 µs"`, `"2h"`; units ns, us, µs, ms, s, min, h, d. Rounded to a whole number. A
 * number counts as nanoseconds, and a string without unit is refused, 0 excepted. Throws {@linkcode UnitError}, also
 * for a negative duration and one of 2^53 ns (104 days) or more.
 */
export function parseDurationNs(value: string | number): number {
  return wholeNumber(value, DURATION, "ns");
}

/**
 * Bits per second of `"10Gbit/s"`, `"100Mbps"`; units bit/s, bps, b/s with k, M, G, T (powers of 1,000). Rounded to a
 * whole number. A number counts as bits per second; a string without unit is refused. Throws {@linkcode UnitError}.
 */
export function parseRateBps(value: string | number): number {
  return wholeNumber(value, RATE, "bit/s");
}

/**
 * Bytes of `"64KiB"`, `"1MB"`, `"1500"`; units B, kB, MB, GB, TB (powers of 1,000), KiB, MiB, GiB, TiB (of 1,024).
 * Must come to a whole number. Throws {@linkcode UnitError}.
 */
export function parseBytes(value: string | number): number {
  return wholeNumber(value, BYTES, "B");
}

/** A fraction from 0 to 1, of `"0.1%"`, `"0.001"` or a number. Throws {@linkcode UnitError}. */
export function parseFraction(value: string | number): number {
  const fraction = typeof value === "number" ? value : parseQuantity(value, FRACTION);
  if (!(fraction >= 0 && fraction <= 1)) {
    throw new UnitError(`Expected a fraction from 0 to 1 (or 0% to 100%), found "${value}".`);
  }
  return fraction;
}

function wholeNumber(value: string | number, quantity: Quantity, unit: string): number {
  const exact = typeof value === "number" ? value : parseQuantity(value, quantity);
  const whole = Math.round(exact);
  const found = typeof value === "number" ? `${value}` : `"${value}"`;
  if (!(exact >= 0)) throw new UnitError(`Expected ${quantity.noun} of 0 or more, found ${found}.`);
  if (whole > Number.MAX_SAFE_INTEGER) {
    throw new UnitError(`Expected ${quantity.noun} below 2^53 ${unit}, found ${found}.`);
  }
  if (quantity === BYTES && whole !== exact) throw new UnitError(`Expected a whole number of bytes, found ${found}.`);
  if (whole === 0 && exact > 0) {
    throw new UnitError(`Expected ${quantity.noun} of at least 1 ${unit}, or 0, found ${found}.`);
  }
  return whole;
}

function parseQuantity(text: string, quantity: Quantity): number {
  const parts = /^([+-]?)(\d[\d_]*|(?=\.\d))(?:\.(\d+))?(?:[eE]([+-]?\d+))?\s*(\D*)$/.exec(text.trim());
  if (parts === null) throw new UnitError(`Expected ${quantity.noun} such as "${quantity.example}", found "${text}".`);
  const [, sign, whole, decimals = "0", exponent, unit] = parts;
  const digits = whole.replaceAll("_", "") || "0";
  let scale = quantity.scales.get(unit);
  if (unit === "" && (quantity.bare || /^0*$/.test(digits + decimals))) scale = 1;
  if (scale === undefined) throw unitError(text, unit, `${digits}${decimals === "0" ? "" : `.${decimals}`}`, quantity);
  // Whole part and decimals apart, so that each is exact as long as the result is.
  const value = exponent !== undefined
    ? Number(`${digits}.${decimals}e${exponent}`) * scale
    : quantity === FRACTION
    ? Number(`${digits}.${decimals}`) / (unit === "%" ? 100 : 1)
    : Number(digits) * scale + Number(`0.${decimals}`) * scale;
  return sign === "-" ? -value : value;
}

function unitError(text: string, unit: string, digits: string, quantity: Quantity): UnitError {
  const expected = `Expected ${quantity.noun}, in ${quantity.listed}`;
  if (unit === "") {
    return new UnitError(
      `${expected}, found "${text}" without a unit: write "${digits}${
        quantity.example.replace(/^\d+/, "")
      }", for example.`,
    );
  }
  const other = QUANTITIES.find((candidate) => candidate !== quantity && candidate.scales.has(unit));
  if (other !== undefined) return new UnitError(`${expected}, found "${text}", which is ${other.noun}.`);
  if (quantity === RATE && /^[kKMGT]i?B(ps|\/s)$/.test(unit)) {
    return new UnitError(`${expected}, found "${text}", in bytes per second: multiply by 8.`);
  }
  if (/^[kKMGT]i?$/.test(unit) && quantity !== DURATION) {
    const meant = quantity === BYTES
      ? [`${unit[0]}B`, `${unit[0].toUpperCase()}iB`]
      : [`${unit[0].replace("K", "k")}bit/s`];
    return new UnitError(
      `${expected}, found "${text}", which could mean several things: write ${
        meant.map((one) => `"${digits}${one}"`).join(" or ")
      }.`,
    );
  }
  if (quantity === BYTES && /^[kKMGT]i?b(it)?s?$/.test(unit)) {
    return new UnitError(`${expected}, found "${text}", in bits: divide by 8.`);
  }
  const near = nearest(unit, quantity.scales.keys());
  return new UnitError(
    `${expected}, found "${text}", whose unit "${unit}" is unknown${
      near === undefined ? "" : `: did you mean "${near}"?`
    }${near === undefined ? "." : ""}`,
  );
}

/**
 * A duration for people: `"1.5 ms"`, `"250 us"`, `"2 h"`, `"61.5 s"`. Without `digits` exact for whole nanoseconds:
 * `parseDurationNs` reads the same number back. With `digits`, rounded to so many significant digits.
 */
export function formatDurationNs(ns: number, digits?: number): string {
  const magnitude = Math.abs(ns);
  if (magnitude >= NS_PER_MIN && digits === undefined) {
    for (const [unit, scale] of [["h", NS_PER_H], ["min", NS_PER_MIN]] as const) {
      if (ns % scale === 0) return `${ns / scale} ${unit}`;
    }
  }
  return inUnits(ns, [["s", NS_PER_S], ["ms", NS_PER_MS], ["us", NS_PER_US], ["ns", 1]], digits);
}

/** A rate for people: `"1.5 Gbit/s"`. Exact, or rounded to `digits` significant digits: see {@linkcode formatDurationNs}. */
export function formatRateBps(bps: number, digits?: number): string {
  return inUnits(bps, [["Tbit/s", 1e12], ["Gbit/s", 1e9], ["Mbit/s", 1e6], ["kbit/s", 1e3], ["bit/s", 1]], digits);
}

/**
 * Bytes for people: `"64 KiB"` for whole multiples of 1,024, else `"1.5 kB"`. Exact, or rounded to `digits`
 * significant digits: see {@linkcode formatDurationNs}.
 */
export function formatBytes(bytes: number, digits?: number): string {
  if (bytes !== 0) {
    for (const [unit, scale] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]] as const) {
      if (bytes % scale === 0) return `${bytes / scale} ${unit}`;
    }
  }
  return inUnits(bytes, [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3], ["B", 1]], digits);
}

/** A count with separators: `"1,000,000"`. At most three decimals. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return `${count}`;
  const [whole, decimals] = Math.abs(count).toFixed(3).split(".");
  const kept = decimals.replace(/0+$/, "");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${count < 0 && /[1-9]/.test(whole + kept) ? "-" : ""}${grouped}${kept === "" ? "" : `.${kept}`}`;
}

/** In the largest unit of at most the value; units from the largest to the base unit. */
function inUnits(value: number, units: readonly (readonly [string, number])[], digits?: number): string {
  const base = units[units.length - 1];
  if (!Number.isFinite(value)) return `${value} ${base[0]}`;
  const magnitude = Math.abs(value);
  const rounded = digits === undefined ? magnitude : Number(magnitude.toPrecision(digits));
  const [unit, scale] = units.find((candidate) => rounded >= candidate[1]) ?? base;
  const sign = value < 0 ? "-" : "";
  if (digits === undefined && Number.isSafeInteger(value)) {
    const decimals = `${magnitude % scale}`.padStart(`${scale}`.length - 1, "0").replace(/0+$/, "");
    return `${sign}${Math.floor(magnitude / scale)}${scale === 1 || decimals === "" ? "" : `.${decimals}`} ${unit}`;
  }
  return `${sign}${digits === undefined ? rounded / scale : Number((rounded / scale).toPrecision(digits))} ${unit}`;
}
