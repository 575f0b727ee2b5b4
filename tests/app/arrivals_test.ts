import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Arrivals, ArrivalTimes } from "../../src/app/arrivals.ts";
import { Substream } from "../../src/base/rng.ts";

function times(arrivals: Arrivals, count: number, seed = 1): number[] {
  const process = new ArrivalTimes(arrivals, Substream.of(seed, "arrivals", "test"));
  return Array.from({ length: count }, () => process.next());
}

Deno.test("at-once arrivals all come at the start", () => {
  assertEquals(times({ kind: "at-once", perSecond: 0, startNs: 5 }, 3), [5, 5, 5]);
});

Deno.test("arrivals at a rate are exact: the i-th comes at i / rate, rounded down", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50_000_000 }), fc.nat(1e9), (perSecond, startNs) => {
      times({ kind: "rate", perSecond, startNs }, 500).forEach((ns, i) => {
        assertEquals(BigInt(ns), BigInt(startNs) + (BigInt(i) * 1_000_000_000n) / BigInt(perSecond));
      });
    }),
  );
});

Deno.test("a rate stays exact after tens of millions of arrivals", () => {
  const process = new ArrivalTimes({ kind: "rate", perSecond: 3, startNs: 0 }, Substream.of(1, "arrivals", "test"));
  let last = 0;
  for (let i = 0; i < 20_000_000; i++) last = process.next();
  assertEquals(BigInt(last), (19_999_999n * 1_000_000_000n) / 3n);
});

Deno.test("a rate may be less than one in a second", () => {
  assertEquals(times({ kind: "rate", perSecond: 0.5, startNs: 1 }, 3), [1, 2e9 + 1, 4e9 + 1]);
});

Deno.test("gaps of Poisson arrivals have the mean and the variance of an exponential distribution", () => {
  const perSecond = 1000;
  const count = 20_000;
  for (const seed of [1, 2, 3]) {
    const all = times({ kind: "poisson", perSecond, startNs: 1e9 }, count, seed);
    const gaps = all.map((ns, i) => ns - (i === 0 ? 1e9 : all[i - 1]));
    assert(gaps.every((gap) => gap >= 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / count;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / count;
    // Standard errors: mean/√n, and variance·√8/√n.
    assert(Math.abs(mean / 1e6 - 1) < 4 / Math.sqrt(count), `${mean}`);
    assert(Math.abs(variance / 1e12 - 1) < (4 * Math.sqrt(8)) / Math.sqrt(count), `${variance}`);
    // Arrivals in each tenth of a second: mean 100, variance 100.
    const bins = new Array(150).fill(0);
    for (const ns of all) if (ns < 16e9) bins[Math.floor((ns - 1e9) / 1e8)]++;
    const spread = bins.reduce((sum, n) => sum + (n - 100) ** 2, 0) / bins.length;
    assert(spread > 55 && spread < 155, `${spread}`);
  }
});
