import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Quantiles } from "../../src/report/quantiles.ts";

Deno.test("no values have no quantiles", () => {
  const none = new Quantiles();
  assertEquals([none.quantile(0.5), none.max, none.count], [null, null, 0]);
});

Deno.test("small values are exact, by nearest rank", () => {
  const some = new Quantiles();
  for (let value = 1; value <= 100; value++) some.record(value);
  assertEquals([0, 0.01, 0.5, 0.9, 0.99, 1].map((q) => some.quantile(q)), [1, 1, 50, 90, 99, 100]);
});

Deno.test("a quantile is the exact one, or at most 0.1% above it", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(fc.maxSafeNat(), fc.nat(5000)), { minLength: 1, maxLength: 50 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (values, q) => {
      const quantiles = new Quantiles();
      for (const value of values) quantiles.record(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
      const found = quantiles.quantile(q)!;
      assert(found >= exact && found <= exact * (1 + 1 / 1000), `${found} for ${exact}`);
      assertEquals(quantiles.max, sorted.at(-1));
    },
  ));
});
