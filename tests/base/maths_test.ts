import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { exp, integerCubeRoot, integerSquareRoot, log, pow } from "../../src/base/maths.ts";

/** Fails unless `actual` is within `bound` of `expected`, relatively. */
function within(actual: number, expected: number, bound: number, what: string): void {
  const error = expected === 0 ? Math.abs(actual) : Math.abs(actual - expected) / Math.abs(expected);
  assert(actual === expected || error <= bound, `${what}: ${actual}, expected ${expected}, off by ${error}`);
}

/** Normal doubles over their whole range. */
const positive = fc.tuple(
  fc.double({ min: 1, max: 2, maxExcluded: true, noNaN: true }),
  fc.integer({ min: -1022, max: 1023 }),
)
  .map(([m, k]) => m * 2 ** k);

Deno.test("log is within 2^-51 of the engine's over all magnitudes", () => {
  fc.assert(fc.property(positive, (x) => within(log(x), Math.log(x), 2 ** -51, `log(${x})`)), { numRuns: 20_000 });
});

Deno.test("log is within 2^-51 near 1, at fractions as they are drawn, and of subnormal numbers", () => {
  for (let i = -50_000; i <= 50_000; i++) {
    for (const x of [1 + i * 2 ** -52, 1 + i / 100_001, 1 + i * 1e-9]) {
      within(log(x), Math.log(x), 2 ** -51, `log(${x})`);
    }
  }
  for (const x of [Number.MIN_VALUE, 5e-320, 2 ** -1030]) within(log(x), Math.log(x), 2 ** -51, `log(${x})`);
});

Deno.test("log has the usual edges", () => {
  assertEquals([log(1), log(0), log(-0), log(Infinity)], [0, -Infinity, -Infinity, Infinity]);
  assertEquals([log(-1), log(NaN), log(-Infinity)], [NaN, NaN, NaN]);
});

Deno.test("exp is within 2^-51 of the engine's from underflow to overflow", () => {
  const exponent = fc.double({ min: -708, max: 709.78, noNaN: true });
  fc.assert(fc.property(exponent, (x) => within(exp(x), Math.exp(x), 2 ** -51, `exp(${x})`)), { numRuns: 20_000 });
  for (let i = -70_000; i <= 70_000; i++) within(exp(i / 100), Math.exp(i / 100), 2 ** -51, `exp(${i / 100})`);
  for (let i = -1000; i <= 1000; i++) within(exp(i * 1e-12), Math.exp(i * 1e-12), 2 ** -51, `exp(${i * 1e-12})`);
});

Deno.test("exp has the usual edges and goes through the subnormal numbers to 0", () => {
  assertEquals([exp(0), exp(-0), exp(710), exp(Infinity), exp(-746), exp(-Infinity)], [1, 1, Infinity, Infinity, 0, 0]);
  assertEquals(exp(NaN), NaN);
  within(exp(709.782712893383), Math.exp(709.782712893383), 2 ** -50, "exp(709.78…)");
  for (let x = -708; x > -746; x -= 0.25) assert(Math.abs(exp(x) - Math.exp(x)) <= 2 ** -1073 + Math.exp(x) * 2 ** -51);
});

Deno.test("pow is within (1 + |y ln x|) 2^-50 of the engine's", () => {
  const y = fc.double({ min: -50, max: 50, noNaN: true });
  const x = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(
      x,
      y,
      (x, y) => within(pow(x, y), Math.pow(x, y), (1 + Math.abs(y * Math.log(x))) * 2 ** -50, `pow(${x}, ${y})`),
    ),
    { numRuns: 20_000 },
  );
  assertEquals([pow(0, 2), pow(0, -2), pow(0, 0), pow(1, Infinity), pow(7.5, 1)], [0, Infinity, 1, 1, 7.5]);
  assertEquals(pow(-2, 2), NaN);
});

Deno.test("log, exp and pow have frozen values, bit for bit", () => {
  const bits = (...values: number[]) => new BigUint64Array(Float64Array.from(values).buffer);
  assertEquals(bits(log(3), log(1e-9), log(12345.678), exp(1.5), exp(-20), pow(2, 1 / 3)), FROZEN);
});

const FROZEN = BigUint64Array.from([
  4607626529066517258n,
  13849898335305727928n,
  4621493204086758961n,
  4616731951734179137n,
  4477057993643618919n,
  4608352999143469707n,
]);

Deno.test("integer roots are exact from 0 to 2^53 - 1", () => {
  const n = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(1000));
  fc.assert(
    fc.property(n, (n) => {
      const wide = BigInt(n);
      const square = BigInt(integerSquareRoot(n));
      assert(square * square <= wide && (square + 1n) ** 2n > wide);
      const cube = BigInt(integerCubeRoot(n));
      assert(cube ** 3n <= wide && (cube + 1n) ** 3n > wide);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("integer roots are exact on both sides of every square and cube", () => {
  for (let r = 1; r <= 208_063; r++) {
    assertEquals(integerCubeRoot(r ** 3), r);
    assertEquals(integerCubeRoot(r ** 3 - 1), r - 1);
  }
  for (let r = 1; r <= 94_906_265; r += r < 1000 ? 1 : 9973) {
    assertEquals(integerSquareRoot(r * r), r);
    assertEquals(integerSquareRoot(r * r - 1), r - 1);
  }
  assertEquals([integerSquareRoot(2 ** 53 - 1), integerCubeRoot(2 ** 53 - 1)], [94906265, 208063]);
});

Deno.test("integer roots refuse what is not a whole number from 0 to 2^53 - 1", () => {
  for (const n of [-1, 0.5, 2 ** 53, NaN, Infinity]) {
    assertThrows(() => integerSquareRoot(n), RangeError, "not a whole number");
    assertThrows(() => integerCubeRoot(n), RangeError, "not a whole number");
  }
});
