import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InputError } from "../../src/base/errors.ts";
import {
  formatBytes,
  formatCount,
  formatDurationNs,
  formatRateBps,
  parseBytes,
  parseDurationNs,
  parseFraction,
  parseRateBps,
  UnitError,
} from "../../src/base/units.ts";

type Parse = (value: string | number) => number;

function reads(parse: Parse, cases: [string | number, number][]): void {
  for (const [text, value] of cases) assertEquals(parse(text), value, `${text}`);
}

function refuses(parse: Parse, cases: [string | number, string][]): void {
  for (const [text, message] of cases) {
    const error = assertThrows(() => parse(text), UnitError, message);
    assertInstanceOf(error, InputError);
    if (!error.message.includes(`${text}`)) throw new Error(`"${error.message}" does not say what was found: ${text}`);
    if (!/[.?]$/.test(error.message)) throw new Error(`Not a sentence: ${error.message}`);
  }
}

Deno.test("durations are read in every unit, with and without a space", () => {
  reads(parseDurationNs, [
    ["10ms", 10e6],
    ["1.5s", 1.5e9],
    ["2h", 7200e9],
    ["250us", 250e3],
    ["250\u00b5s", 250e3],
    ["250\u03bcs", 250e3],
    ["7 ns", 7],
    ["3min", 180e9],
    ["1d", 86400e9],
    [" 1_000 ms ", 1e9],
    ["1e3ms", 1e9],
    [".5s", 5e8],
    ["0", 0],
    ["0s", 0],
    [10, 10],
    ["0.07ms", 70_000],
    ["1.0000000014s", 1_000_000_001],
    ["9007199.254740991s", 2 ** 53 - 1],
  ]);
});

Deno.test("a duration that is not one is refused with what was found, what was expected and the nearest unit", () => {
  refuses(parseDurationNs, [
    ["10", 'without a unit: write "10ms"'],
    ["10 msec", 'whose unit "msec" is unknown'],
    ["10 msec", 'did you mean "ms"?'],
    ["10 MS", 'did you mean "ms"?'],
    ["3 parsecs", "in ns, us, ms, s, min, h or d"],
    ["1Mbit/s", "which is a rate."],
    ["64KiB", "which is a number of bytes."],
    ["-1s", "of 0 or more"],
    [-1, "of 0 or more"],
    [NaN, "of 0 or more"],
    ["0.1ns", "at least 1 ns"],
    ["105d", "below 2^53 ns"],
    [Infinity, "below 2^53 ns"],
    ["soon", 'such as "10ms"'],
    ["1.2.3s", 'such as "10ms"'],
    ["", 'such as "10ms"'],
  ]);
});

Deno.test("rates are read in bits per second under their three spellings", () => {
  reads(parseRateBps, [
    ["1Gbit/s", 1e9],
    ["100Mbps", 1e8],
    ["100 Mb/s", 1e8],
    ["56kbit/s", 56e3],
    ["9600 bps", 9600],
    ["1.5Tbit/s", 1.5e12],
    [1e6, 1e6],
    ["0", 0],
  ]);
});

Deno.test("an ambiguous rate, one in bytes and another quantity are refused with what to write", () => {
  refuses(parseRateBps, [
    ["56k", 'write "56kbit/s"'],
    ["1.5G", 'write "1.5Gbit/s"'],
    ["100", 'write "100Mbit/s"'],
    ["10MB/s", "multiply by 8"],
    ["10MBps", "multiply by 8"],
    ["10mbps", 'did you mean "Mbps"?'],
    ["5ms", "which is a duration."],
    ["1MB", "which is a number of bytes."],
  ]);
});

Deno.test("bytes are read in powers of 1,000 and of 1,024, and bare", () => {
  reads(parseBytes, [
    ["64KiB", 65536],
    ["1MB", 1e6],
    ["1500", 1500],
    ["1500B", 1500],
    ["1 byte", 1],
    ["1.5kB", 1500],
    ["1.5 MiB", 1.5 * 2 ** 20],
    ["2 GiB", 2 ** 31],
    ["1TB", 1e12],
    [0, 0],
  ]);
});

Deno.test("an ambiguous or broken number of bytes and one in bits are refused", () => {
  refuses(parseBytes, [
    ["64k", 'write "64kB" or "64KiB"'],
    ["64K", 'write "64KB" or "64KiB"'],
    ["1G", 'write "1GB" or "1GiB"'],
    ["8Mbit", "divide by 8"],
    ["8Mb", "divide by 8"],
    ["1.5B", "a whole number of bytes"],
    [1.5, "a whole number of bytes"],
    ["3 KIB", 'did you mean "KiB"?'],
    ["5ms", "which is a duration."],
  ]);
});

Deno.test("fractions are read as per cent and as they are, from 0 to 1", () => {
  reads(parseFraction, [["0.1%", 0.001], ["0.001", 0.001], [0.5, 0.5], ["100%", 1], ["7 %", 0.07], ["1e-6", 1e-6], [
    0,
    0,
  ]]);
  refuses(parseFraction, [
    ["101%", "from 0 to 1"],
    [2, "from 0 to 1"],
    [NaN, "from 0 to 1"],
    ["-0.1", "from 0 to 1"],
    ["5ms", "which is a duration."],
    ["often", 'such as "0.1%"'],
  ]);
});

Deno.test("what is formatted without rounding is read back as the same number", () => {
  const n = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.tuple(fc.nat(9999), fc.nat(11)).map(([m, e]) => m * 10 ** e));
  fc.assert(
    fc.property(n, (n) => {
      assertEquals(parseDurationNs(formatDurationNs(n)), n);
      assertEquals(parseRateBps(formatRateBps(n)), n);
      assertEquals(parseBytes(formatBytes(n)), n);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("quantities are formatted in the unit a person would choose", () => {
  assertEquals([0, 7, 1500, 1.5e6, 12e9, 61.5e9, 120e9, 7200e9, -2e6].map((ns) => formatDurationNs(ns)), [
    "0 ns",
    "7 ns",
    "1.5 us",
    "1.5 ms",
    "12 s",
    "61.5 s",
    "2 min",
    "2 h",
    "-2 ms",
  ]);
  assertEquals([0, 999, 56e3, 1e9, 2.5e12].map((bps) => formatRateBps(bps)), [
    "0 bit/s",
    "999 bit/s",
    "56 kbit/s",
    "1 Gbit/s",
    "2.5 Tbit/s",
  ]);
  assertEquals([0, 1500, 65536, 2 ** 30, 1e6].map((bytes) => formatBytes(bytes)), [
    "0 B",
    "1.5 kB",
    "64 KiB",
    "1 GiB",
    "1 MB",
  ]);
});

Deno.test("quantities are rounded to the digits asked for, unit included", () => {
  assertEquals(formatDurationNs(123_456_789, 3), "123 ms");
  assertEquals(formatDurationNs(999_999, 2), "1 ms");
  assertEquals(formatDurationNs(0.25, 3), "0.25 ns");
  assertEquals(formatDurationNs(Infinity), "Infinity ns");
  assertEquals(formatRateBps(1_234_567, 2), "1.2 Mbit/s");
  assertEquals(formatRateBps(1234.5), "1.2345 kbit/s");
  assertEquals(formatBytes(424_300_000, 3), "424 MB");
});

Deno.test("counts have separators", () => {
  assertEquals([0, 999, 1000, 1234567, -1234.5, 0.0001, 2 ** 53].map(formatCount), [
    "0",
    "999",
    "1,000",
    "1,234,567",
    "-1,234.5",
    "0",
    "9,007,199,254,740,992",
  ]);
});
