import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { spared } from "../../src/network/reserve.ts";
import { mostRows, RowPool } from "../../src/store/rows.ts";

const LINE = 16;

Deno.test("a quarter more rows are reserved than are expected", () => {
  assertEquals(spared(100_000, LINE), 125_000);
  assertEquals(spared(3, LINE), 1024);
});

Deno.test("what is spared never makes a table longer than it can be", () => {
  for (const stride of [12, LINE, 32]) {
    const most = mostRows(stride);
    assertEquals(spared(most * 0.9, stride), most - 1);
    assert(spared(most * 0.79, stride) < most - 1);
  }
});

Deno.test("more rows than a table can have are refused, however many would be spared", () => {
  const most = mostRows(LINE);
  assertEquals(spared(most, LINE), most);
  const pool = new RowPool({ strideWords: LINE });
  assertThrows(() => pool.reserve(spared(most, LINE)), InputError, "A table of 134,217,729 rows of 64 bytes is needed");
});
