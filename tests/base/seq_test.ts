import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { seqAdd, seqBetween, seqDiff, seqGeq, seqGt, seqLeq, seqLt, seqMax, seqMin } from "../../src/base/seq.ts";

/** Any 32-bit number, signed or unsigned. */
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 });
/** A distance at which the order is defined. */
const step = fc.integer({ min: 1, max: 2 ** 31 - 1 });

Deno.test("a number is before the one that is 1 to 2^31 - 1 further, across the wrap", () => {
  fc.assert(fc.property(word, step, (a, n) => {
    const b = seqAdd(a, n);
    assert(seqLt(a, b) && seqLeq(a, b) && !seqGt(a, b) && !seqGeq(a, b));
    assert(seqGt(b, a) && seqGeq(b, a) && !seqLt(b, a) && !seqLeq(b, a));
    assertEquals(seqDiff(b, a), n);
    assertEquals(seqDiff(a, b), -n);
    assertEquals(seqMax(a, b), b);
    assertEquals(seqMin(b, a), a | 0);
  }));
});

Deno.test("signed and unsigned forms of a number compare as equal", () => {
  fc.assert(fc.property(word, (a) => {
    for (const b of [a | 0, a >>> 0]) {
      assert(seqLeq(a, b) && seqGeq(a, b) && !seqLt(a, b) && !seqGt(a, b));
      assertEquals(seqDiff(a, b), 0);
      assertEquals(seqMax(a, b), a | 0);
      assertEquals(seqMin(a, b), a | 0);
    }
  }));
});

Deno.test("at a distance of 2^31 both numbers count as before each other", () => {
  fc.assert(fc.property(word, (a) => {
    const b = seqAdd(a, 2 ** 31);
    assert(seqLt(a, b) && seqLt(b, a) && seqLeq(a, b) && !seqGt(a, b) && !seqGeq(a, b));
  }));
});

Deno.test("adding wraps modulo 2^32 and is undone by subtracting", () => {
  assertEquals(seqAdd(0xffffffff, 1), 0);
  assertEquals(seqAdd(0x7fffffff, 1), -(2 ** 31));
  fc.assert(fc.property(word, step, (a, n) => assertEquals(seqAdd(seqAdd(a, n), -n), a | 0)));
});

Deno.test("an interval holds exactly the numbers on the way from its low to its high end", () => {
  const far = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(fc.property(word, far, far, (low, length, offset) => {
    assertEquals(seqBetween(low, (low + offset) | 0, (low + length) | 0), offset <= length);
  }));
});
