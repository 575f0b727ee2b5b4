import { assert, assertEquals } from "@std/assert";
import { substreamKey } from "../../src/base/rng.ts";
import {
  hasImpairments,
  impair,
  type ImpairmentOutcome,
  type Impairments,
  NO_IMPAIRMENTS,
} from "../../src/link/impairments.ts";

const PACKETS = 20_000;
const BITS = 800;

/** What happens to packets 0, 1, … of a link. */
function outcomes(options: Partial<Impairments>, seed = 1, link = "a--b[0]>"): ImpairmentOutcome[] {
  const { k0, k1 } = substreamKey(seed, "link", link);
  return Array.from({ length: PACKETS }, (_, i) => {
    const outcome = { drop: false, extraNs: 0, duplicate: false, corruptBit: 0 };
    impair({ ...NO_IMPAIRMENTS, ...options }, k0, k1, i, BITS, outcome);
    return outcome;
  });
}

/** Asserts that `count` of PACKETS is within four standard deviations of a share. */
function assertShare(count: number, share: number): void {
  const sigma = Math.sqrt(PACKETS * share * (1 - share));
  assert(Math.abs(count - PACKETS * share) <= 4 * sigma, `${count} of ${PACKETS} are not ${share}`);
}

Deno.test("a link without impairments changes nothing", () => {
  assert(!hasImpairments(NO_IMPAIRMENTS));
  assert(hasImpairments({ ...NO_IMPAIRMENTS, jitterNs: 1 }));
  for (const outcome of outcomes({}).slice(0, 100)) {
    assertEquals(outcome, { drop: false, extraNs: 0, duplicate: false, corruptBit: 0 });
  }
});

for (const share of [0.001, 0.02, 0.2, 0.5, 0.99]) {
  Deno.test(`loss, duplication, reordering and corruption of ${share} happen at that rate`, () => {
    for (const seed of [1, 2, 3]) {
      const all = outcomes({ loss: share, duplicate: share, reorder: share, reorderNs: 9, corrupt: share }, seed);
      assertShare(all.filter(({ drop }) => drop).length, share);
      assertShare(all.filter(({ duplicate }) => duplicate).length, share);
      assertShare(all.filter(({ extraNs }) => extraNs === 9).length, share);
      assertShare(all.filter(({ corruptBit }) => corruptBit > 0).length, share);
    }
  });
}

Deno.test("certainties are certain", () => {
  for (
    const { drop, duplicate, extraNs, corruptBit } of outcomes({ loss: 1, duplicate: 1, reorder: 1, reorderNs: 4 })
  ) {
    assert(drop && duplicate && extraNs === 4 && corruptBit === 0);
  }
});

Deno.test("losses come independently of each other, and of what else happens", () => {
  const all = outcomes({ loss: 0.3, duplicate: 0.3 });
  let pairs = 0;
  for (let i = 1; i < PACKETS; i++) if (all[i].drop && all[i - 1].drop) pairs++;
  assertShare(pairs, 0.09);
  assertShare(all.filter(({ drop, duplicate }) => drop && duplicate).length, 0.09);
});

Deno.test("an impairment does not shift the draws of another, nor a link those of another link", () => {
  const losses = (options: Partial<Impairments>) => outcomes(options).map(({ drop }) => drop);
  assertEquals(losses({ loss: 0.1, duplicate: 0.5, corrupt: 0.2, jitterNs: 1000 }), losses({ loss: 0.1 }));
  const other = outcomes({ loss: 0.1 }, 1, "a--b[0]<");
  const both = outcomes({ loss: 0.1 }).filter(({ drop }, i) => drop && other[i].drop);
  assertShare(both.length, 0.01);
});

Deno.test("jitter is even from 0 to below its bound", () => {
  const extra = outcomes({ jitterNs: 1000 }).map(({ extraNs }) => extraNs);
  assert(extra.every((ns) => Number.isInteger(ns) && ns >= 0 && ns < 1000));
  // Chi-square over ten bins: 9 degrees of freedom, 27.9 at one in a thousand.
  const bins = new Array(10).fill(0);
  for (const ns of extra) bins[Math.floor(ns / 100)]++;
  const expected = PACKETS / 10;
  assert(bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) < 27.9);
});

Deno.test("a flipped bit may be any of the packet's", () => {
  const bits = outcomes({ corrupt: 1 }).map(({ corruptBit }) => corruptBit);
  assertEquals([Math.min(...bits), Math.max(...bits)], [1, BITS]);
  const bins = new Array(10).fill(0);
  for (const bit of bits) bins[Math.floor((bit - 1) / (BITS / 10))]++;
  const expected = PACKETS / 10;
  assert(bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) < 27.9);
});
