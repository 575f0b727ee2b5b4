import { assert, assertEquals, assertThrows } from "@std/assert";
import { rowMask } from "../../src/base/row_mask.ts";
import { InputError } from "../../src/base/errors.ts";
import { RowPool } from "../../src/store/rows.ts";

Deno.test("offsets of all rows up to the longest table are left as they are by their mask", () => {
  for (const stride of [1, 2, 3, 4, 8, 9, 12, 16, 18, 24, 32, 48]) {
    const mask = rowMask(stride);
    const last = Math.floor(mask / stride);
    for (let row = 0; row <= last; row += Math.max(1, Math.floor(last / 997))) {
      assertEquals((row * stride) & mask, row * stride);
    }
    assertEquals((last * stride) & mask, last * stride);
    assert(last * stride + stride - 1 <= 0x7fffffff);
  }
});

Deno.test("a table with more rows than its mask has offsets for is refused in one sentence", () => {
  const rows = 2 ** 31 / 16;
  const error = assertThrows(() => new RowPool({ strideWords: 16, capacity: rows + 1 }), InputError);
  assertEquals(error.message.split(". ").length, 1);
});
