import { assertEquals } from "@std/assert";
import { bytes, counted, percent, seconds, wrap } from "../../src/report/text.ts";

Deno.test("text is broken at spaces, never within a word", () => {
  assertEquals(wrap("one two three", 9, "  "), ["  one two", "  three"]);
  assertEquals(wrap("incomprehensibly long", 5), ["incomprehensibly", "long"]);
  assertEquals(wrap("", 10), []);
});

Deno.test("shares never round to nothing or to all", () => {
  assertEquals(percent(0, 10), "0%");
  assertEquals(percent(1, 100000), "under 0.1%");
  assertEquals(percent(1, 30), "3.3%");
  assertEquals(percent(1, 2), "50%");
  assertEquals(percent(99999, 100000), "99.9%");
  assertEquals(percent(10, 10), "100%");
  assertEquals(percent(1, 0), "0%");
});

Deno.test("times and counts read as people write them", () => {
  assertEquals(seconds(0.28232), "282 ms");
  assertEquals(seconds(75.04), "75 s");
  assertEquals(counted(1, "port"), "1 port");
  assertEquals(counted(2000, "address", "addresses"), "2,000 addresses");
});

Deno.test("bytes are rounded to three digits, in powers of 1,000", () => {
  assertEquals([0, 999, 1024, 999_499, 999_500, 181_000_000, 40e12].map(bytes), [
    "0 B",
    "999 B",
    "1.02 kB",
    "999 kB",
    "1 MB",
    "181 MB",
    "40 TB",
  ]);
});
