/**
 * The kinds of values that a scenario is made of, in a person's units: how each is read, what is said when it is
 * wrong, and how editors are told about it (JSON Schema).
 *
 * A reader either returns the value in base units or throws. What it throws is a whole sentence (from `src/base`), or
 * an {@linkcode Expected}, which the loader completes with the path and what was found there.
 *
 * @module
 */
import { z } from "zod";
import {
  addToAddress,
  compareAddresses,
  formatAddress,
  networkOf,
  parseAddress,
  parsePrefix,
} from "../base/address.ts";
import type { IpAddress } from "../base/address.ts";
import { InputError, nearest } from "../base/errors.ts";
import { Expected, listOf, readDuration, suggest } from "./words.ts";
export { Expected, listOf, readDuration, suggest } from "./words.ts";
import { congestionNames } from "../tcp/mod.ts";
import { LONGEST_TIMER_MS } from "../transport/profile.ts";
import { parseBytes, parseFraction, parseRateBps } from "../base/units.ts";

// A scenario is read once: code that zod would generate for its schemas costs more than it saves.
z.config({ jitless: true });

/** What editors are told about a value. */
type EditorHints = Record<string, unknown>;

/** A field whose value `read` turns into base units; `hints` go into the JSON Schema. */
export function field<T>(expected: string, hints: EditorHints, read: (value: unknown) => T): z.ZodType<T, unknown> {
  return z.unknown().transform((value, context): T => {
    try {
      if (value === undefined || value === null) throw new Expected(expected);
      return read(value);
    } catch (error) {
      if (!(error instanceof Expected || error instanceof InputError)) throw error;
      const message = error instanceof Expected ? `expected ${error.message || expected}` : error.message;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
  }).meta(hints) as unknown as z.ZodType<T, unknown>;
}

/** A map of exactly these fields; an unknown one is answered with the nearest that exists. */
export function fields<Shape extends z.ZodRawShape>(shape: Shape, what: string): z.ZodObject<Shape, z.core.$strict> {
  const names = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === "unrecognized_keys") return `${suggest(issue.keys[0], names)}`;
      return `expected ${what}`;
    },
  });
}

/** One of some words. */
export function choice<const Words extends readonly string[]>(words: Words): z.ZodType<Words[number], unknown> {
  return field(listOf(words, "or"), { enum: [...words] }, (value) => {
    if (typeof value === "string" && words.includes(value)) return value as Words[number];
    const near = typeof value === "string" ? nearest(value, words) : undefined;
    throw new Expected(listOf(words, "or") + (near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`));
  });
}

/** `true` or `false`. */
export const flag: z.ZodType<boolean, unknown> = field("true or false", { type: "boolean" }, (value) => {
  if (typeof value !== "boolean") throw new Expected("true or false");
  return value;
});

/** Any text. */
export function text(expected: string): z.ZodType<string, unknown> {
  return field(expected, { type: "string" }, (value) => {
    if (typeof value !== "string" || value.trim() === "") throw new Expected(expected);
    return value;
  });
}

/** A whole number, which may be written with underscores: `1_000_000`. */
export function whole(low: number, high: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, unknown> {
  const expected = high === Number.MAX_SAFE_INTEGER
    ? `a whole number of at least ${low}`
    : `a whole number from ${low} to ${high}`;
  const hints = { type: ["integer", "string"], minimum: low, maximum: high, pattern: "^\\d[\\d_]*$" };
  return field(expected, hints, (value) => {
    const number = typeof value === "string" && /^\d[\d_]*$/.test(value) ? Number(value.replaceAll("_", "")) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < low || number > high) {
      throw new Expected(expected);
    }
    return number;
  });
}

/** Text or the number 0, turned into base units by `parse`; a bare number has no unit and is refused. */
function quantity(
  expected: string,
  pattern: string,
  examples: string[],
  parse: (text: string) => number,
): z.ZodType<number, unknown> {
  const hints = { anyOf: [{ type: "string", pattern }, { const: 0 }], examples };
  return field(expected, hints, (value) => {
    if (value === 0) return 0;
    if (typeof value === "number") throw new Expected(`${expected}: a number alone has no unit`);
    if (typeof value !== "string") throw new Expected(expected);
    return parse(value);
  });
}

const DURATION = "a duration such as 20ms (units ns, us, ms, s, min, h, d)";

/** A duration, ns. */
export const duration: z.ZodType<number, unknown> = quantity(
  DURATION,
  "^\\s*(\\d[\\d_.]*\\s*(ns|us|µs|μs|ms|s|min|m|h|d)\\s*)+$",
  ["50us", "20ms", "1.5s", "2h4m"],
  readDuration,
);

/** A duration that a timer of TCP may have, ns. */
export const timer: z.ZodType<number, unknown> = quantity(
  DURATION,
  "^\\s*(\\d[\\d_.]*\\s*(ns|us|µs|μs|ms|s|min|m|h|d)\\s*)+$",
  ["30s", "2m"],
  readTimer,
);

function readTimer(value: string): number {
  const ns = readDuration(value);
  if (ns > LONGEST_TIMER_MS * 1e6) throw new Expected("a duration of at most 12d");
  return ns;
}

/** A duration that TCP keeps in milliseconds, ms. */
export const milliseconds: z.ZodType<number, unknown> = quantity(
  DURATION,
  "^\\s*(\\d[\\d_.]*\\s*(ms|s|min|m|h|d)\\s*)+$",
  ["40ms", "1s"],
  (value) => {
    const ms = readTimer(value) / 1e6;
    if (!Number.isInteger(ms)) throw new Expected("a duration in whole milliseconds");
    return ms;
  },
);

/** A duration that may also be a word: its base unit, or `instead`. */
export function durationOr<T>(word: string, instead: T): z.ZodType<number | T, unknown> {
  const hints = { anyOf: [{ const: word }, { type: ["string", "number", "boolean"] }], examples: ["30s", word] };
  return field(`${DURATION} or ${word}`, hints, (value) => {
    // YAML 1.1 tools write "off" as false.
    if (value === word || (word === "off" && value === false)) return instead;
    if (value === 0) return 0;
    if (typeof value !== "string") throw new Expected(`${DURATION} or ${word}`);
    return readDuration(value);
  });
}

/** A rate of a link, bit/s. */
export const bitRate: z.ZodType<number, unknown> = field(
  "a rate such as 100Mbit/s (bit/s, kbit/s, Mbit/s, Gbit/s)",
  { type: "string", examples: ["100Mbit/s", "10Gbit/s"] },
  (value) => {
    if (typeof value !== "string") throw new Expected("");
    const rate = parseRateBps(value);
    if (rate === 0) throw new Expected("a rate above 0");
    return rate;
  },
);

/** The most bytes of a message whose rest is kept in 31 bits. */
export const MESSAGE_BYTES: number = 2 ** 31 - 1;

/** Bytes: a number, or text with a unit. */
export function bytes(low = 0, high: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, unknown> {
  const most = high === Number.MAX_SAFE_INTEGER ? "" : `, at most ${high}`;
  const expected = `bytes such as 1500 or 64KiB${low > 0 ? `, at least ${low}` : ""}${most}`;
  return field(expected, { type: ["integer", "string"], examples: [1500, "64KiB", "1MB"] }, (value) => {
    if (typeof value !== "number" && typeof value !== "string") throw new Expected(expected);
    const count = typeof value === "string" ? parseBytes(value) : value;
    if (!Number.isSafeInteger(count) || count < low || count > high) throw new Expected(expected);
    return count;
  });
}

/** A share of packets: `0.1%` or 0.001. */
export const share: z.ZodType<number, unknown> = field(
  "a share such as 0.1% or 0.001, from 0 to 1",
  { type: ["number", "string"], minimum: 0, maximum: 1, pattern: "^\\s*[\\d.]+\\s*%?\\s*$", examples: ["0.1%", 0.001] },
  (value) => {
    if (typeof value !== "number" && typeof value !== "string") throw new Expected("");
    const fraction = parseFraction(value);
    if (!(fraction >= 0 && fraction <= 1)) throw new Expected("");
    return fraction;
  },
);

const PER: Record<string, number> = {
  ms: 1000,
  s: 1,
  sec: 1,
  second: 1,
  min: 1 / 60,
  m: 1 / 60,
  minute: 1 / 60,
  h: 1 / 3600,
  hour: 1 / 3600,
};

/** How often something happens, per second: `100000/s`, `30/min`. */
export const perSecond: z.ZodType<number, unknown> = field(
  "so many per time, such as 1000/s (/ms, /s, /min, /h)",
  {
    type: "string",
    pattern: "^\\s*[\\d_.]+([eE]\\d+)?\\s*/\\s*(ms|s|sec|second|min|m|minute|h|hour)\\s*$",
    examples: ["1000/s"],
  },
  (value) => {
    const match = typeof value === "string" ? /^\s*([\d_.]+(?:e\d+)?)\s*\/\s*(\w+)\s*$/i.exec(value) : null;
    const rate = match === null ? NaN : Number(match[1].replaceAll("_", "")) * (PER[match[2]] ?? NaN);
    if (!(rate > 0 && Number.isFinite(rate))) throw new Expected("");
    return rate;
  },
);

/** A TCP or UDP port. */
export const port: z.ZodType<number, unknown> = field(
  "a port from 1 to 65535",
  { type: "integer", minimum: 1, maximum: 65535 },
  (value) => {
    if (!isPort(value)) throw new Expected("a port from 1 to 65535");
    return value;
  },
);

/** Whether `value` is a port number. */
export function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535;
}

/** Ports from the lowest to the highest, both inclusive: `1024-65535`. */
export const portRange: z.ZodType<{ low: number; high: number }, unknown> = field(
  "a range of ports such as 1024-65535",
  { type: "string", pattern: "^\\d{1,5}\\s*-\\s*\\d{1,5}$", examples: ["1024-65535", "32768-60999"] },
  (value) => {
    const match = typeof value === "string" ? /^\s*(\d{1,6})\s*-\s*(\d{1,6})\s*$/.exec(value) : null;
    if (match === null) throw new Expected("");
    const [low, high] = [Number(match[1]), Number(match[2])];
    if (!isPort(low) || !isPort(high)) throw new Expected("a range of ports between 1 and 65535");
    if (low > high) throw new Expected(`the lower port first, as in ${high}-${low}`);
    return { low, high };
  },
);

/** An address, `192.0.2.1` or `2001:db8::1`. */
export const address: z.ZodType<string, unknown> = field(
  "an address such as 192.0.2.1",
  { type: "string", examples: ["192.0.2.1", "2001:db8::1"] },
  (value) => {
    if (typeof value !== "string") throw new Expected("");
    return formatAddress(parseAddress(value));
  },
);

/** An address with the length of its subnet's prefix, `192.0.2.1/24`; without one it stands alone. */
export const addressInSubnet: z.ZodType<string, unknown> = field(
  "an address with its prefix length such as 192.0.2.1/24",
  { type: "string", examples: ["192.0.2.1/24", "2001:db8::1/64"] },
  (value) => {
    if (typeof value !== "string") throw new Expected("");
    if (!value.includes("/")) return formatAddress(parseAddress(value));
    const prefix = parsePrefix(value);
    return `${formatAddress(prefix.address)}/${prefix.bits}`;
  },
);

/** A block of addresses, `192.0.2.0/24`. */
export const subnet: z.ZodType<string, unknown> = field(
  "a subnet such as 192.0.2.0/24",
  { type: "string", examples: ["192.0.2.0/24", "2001:db8::/64"] },
  (value) => {
    if (typeof value !== "string") throw new Expected("");
    parsePrefix(value);
    return value;
  },
);

/** Consecutive addresses: `203.0.113.1-203.0.113.16`, `203.0.113.0/28`, or one alone. */
export const addressRange: z.ZodType<{ first: string; count: number }, unknown> = field(
  "addresses such as 203.0.113.1-203.0.113.16 or 203.0.113.0/28",
  { type: "string", examples: ["203.0.113.1-203.0.113.16", "203.0.113.0/28", "203.0.113.1"] },
  (value) => {
    if (typeof value !== "string") throw new Expected("");
    const [from, to, more] = value.split("-").map((part) => part.trim());
    if (more !== undefined) throw new Expected("");
    if (to !== undefined) return rangeBetween(parseAddress(from), parseAddress(to));
    if (!value.includes("/")) return { first: formatAddress(parseAddress(value)), count: 1 };
    const prefix = parsePrefix(value);
    const hostBits = (prefix.address.family === 4 ? 32 : 128) - prefix.bits;
    if (hostBits > 24) throw new Expected("at most 2^24 addresses");
    return { first: formatAddress(networkOf(prefix)), count: 2 ** hostBits };
  },
);

function rangeBetween(first: IpAddress, last: IpAddress): { first: string; count: number } {
  if (first.family !== last.family) throw new Expected("two addresses of one family");
  if (compareAddresses(first, last) > 0) {
    throw new Expected(`the lower address first, as in ${formatAddress(last)}-${formatAddress(first)}`);
  }
  const low = first.words[first.words.length - 1];
  let count = last.words[last.words.length - 1] - low + 1;
  if (count <= 0) count += 2 ** 32;
  const end = count <= 2 ** 24 ? tryAdd(first, count - 1) : undefined;
  if (end === undefined || compareAddresses(end, last) !== 0) throw new Expected("at most 2^24 addresses");
  return { first: formatAddress(first), count };
}

/** The address `n` further, if there is one. */
export function tryAdd(address: IpAddress, n: number): IpAddress | undefined {
  try {
    return addToAddress(address, n);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** An address and a port: `10.0.0.2:80`, `[2001:db8::2]:80`. */
export const endpoint: z.ZodType<{ address: string; port: number }, unknown> = field(
  "an address and a port such as 10.0.0.2:80",
  { type: "string", examples: ["10.0.0.2:80", "[2001:db8::2]:80"] },
  (value) => {
    const match = typeof value === "string" ? /^\s*(?:\[(.*)\]|([^:]*)):(\d{1,5})\s*$/.exec(value) : null;
    if (match === null || !isPort(Number(match[3]))) throw new Expected("");
    return { address: formatAddress(parseAddress(match[1] ?? match[2])), port: Number(match[3]) };
  },
);

/** The name of a registered congestion control. */
export const congestionControl: z.ZodType<string, unknown> = field(
  "a congestion control such as cubic",
  { type: "string", examples: ["reno", "cubic", "dctcp", "bbr", "vegas"] },
  (value) => {
    const names = congestionNames();
    if (typeof value === "string" && names.includes(value)) return value;
    const near = typeof value === "string" ? nearest(value, names) : undefined;
    throw new Expected(listOf(names, "or") + (near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`));
  },
);

/** How much may wait for a link: `1000 packets` or `64KiB`. */
export const queueLimit: z.ZodType<{ packets: number } | { bytes: number }, unknown> = field(
  "a queue such as 1000 packets or 64KiB",
  { type: "string", examples: ["1000 packets", "64KiB"] },
  (value) => {
    if (typeof value !== "string") throw new Expected("");
    const match = /^\s*([\d_]+)\s*(packets?|pkts?|p)\s*$/i.exec(value);
    if (match !== null) return { packets: Number(match[1].replaceAll("_", "")) };
    return { bytes: parseBytes(value) };
  },
);

/** A list, or one item alone. */
export function oneOrMore<T extends z.ZodType>(item: T, what: string): z.ZodUnion<readonly [T, z.ZodArray<T>]> {
  return z.union([item, z.array(item).min(1, { error: `expected ${what}` })], { error: `expected ${what}` });
}

/** A list. */
export function list<T extends z.ZodType>(item: T, what: string): z.ZodArray<T> {
  return z.array(item, { error: `expected a list of ${what}` });
}

/** How many members a population has. */
export const count: z.ZodOptional<z.ZodType<number, unknown>> = whole(1, 16_000_000).optional().describe(
  "How many alike. Members are called name[0], name[1], ….",
);
