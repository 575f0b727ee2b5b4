import { assert } from "@std/assert";
import { drawHoldNs, drawThinkNs, type HoldDistribution } from "../../src/app/holding.ts";
import { substreamKey } from "../../src/base/rng.ts";

const { k0, k1 } = substreamKey(1, "workload", "test");

function draws(holdDistribution: HoldDistribution, holdShape = 3): number[] {
  return Array.from({ length: 50_000 }, (_, i) => drawHoldNs({ holdNs: 1e9, holdDistribution, holdShape }, k0, k1, i));
}

function meanOf(values: number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

Deno.test("holding times have the mean that is asked for, whatever their distribution, and its spread", () => {
  // Coefficients of variation, squared: 0, 1/3, 1, 1 / (shape (shape - 2)).
  for (const [distribution, squared] of [["fixed", 0], ["uniform", 1 / 3], ["exponential", 1], ["pareto", 1 / 3]]) {
    const found = draws(distribution as HoldDistribution);
    const mean = meanOf(found);
    assert(found.every((ns) => Number.isInteger(ns) && ns >= 0));
    assert(Math.abs(mean - 1e9) < 5 * Math.sqrt(Number(squared) / found.length) * 1e9 + 1, `${distribution}: ${mean}`);
    const spread = meanOf(found.map((ns) => (ns / 1e9 - 1) ** 2));
    assert(Math.abs(spread - Number(squared)) < 0.25 * Number(squared) + 1e-9, `${distribution}: ${spread}`);
  }
});

Deno.test("no holding time of a heavy tail is too long for the clock", () => {
  const found = draws("pareto", 1.01);
  assert(found.every((ns) => Number.isSafeInteger(ns) && ns <= 2 ** 52));
  // Most are far below the mean: the tail has it.
  assert(found.filter((ns) => ns < 1e8).length > 40_000);
});

Deno.test("pauses have their mean, and differ from request to request and from connection to connection", () => {
  const thinking = { thinkNs: 1e9, thinkDistribution: "exponential" } as const;
  const found = Array.from({ length: 40_000 }, (_, n) => drawThinkNs(thinking, k0, k1, n >> 2, n & 3));
  assert(Math.abs(meanOf(found) - 1e9) < 3e7, `${meanOf(found)}`);
  assert(new Set(found).size > 39_990);
  assert(drawThinkNs({ thinkNs: 5, thinkDistribution: "fixed" }, k0, k1, 3, 1) === 5);
});
