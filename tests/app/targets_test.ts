import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { Sources, Targets } from "../../src/app/targets.ts";

/** The first `count` destinations of a source, as "address:port". */
function order(targets: Targets, count: number, source = 0, own = 0): string[] {
  return Array.from({ length: count }, (_, k) => {
    targets.permuted(11, 22, source, k, own);
    return `${targets.address}:${targets.port}`;
  });
}

Deno.test("sources take turns through all ranges", () => {
  const sources = new Sources([{ first: 5, count: 2 }, { first: 100, count: 1 }]);
  assertEquals(Array.from({ length: 7 }, (_, i) => sources.at(i)), [5, 6, 100, 5, 6, 100, 5]);
});

Deno.test("destinations take turns through all ranges", () => {
  const targets = new Targets([{ first: 5, count: 2, port: 80 }, { first: 9, count: 1, port: 81 }]);
  const chosen = Array.from({ length: 4 }, (_, i) => {
    targets.choose(i);
    return [targets.address, targets.port];
  });
  assertEquals(chosen, [[5, 80], [6, 80], [9, 81], [5, 80]]);
});

Deno.test("in a permutation every destination comes once before any comes twice, cycle after cycle", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 50 }), fc.nat(1e6), (n, m, source) => {
      const targets = new Targets([{ first: 1000, count: n, port: 1 }, { first: 1000, count: m, port: 2 }]);
      const all = order(targets, 2 * (n + m), source);
      assertEquals(new Set(all.slice(0, n + m)).size, n + m);
      assertEquals(all.slice(n + m), all.slice(0, n + m));
    }),
  );
});

Deno.test("its own host is left out of a source's permutation, at whatever ports", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), fc.nat(199), fc.nat(1e6), (n, place, source) => {
      const own = 1000 + place % n;
      const targets = new Targets([{ first: 1000, count: n, port: 1 }, { first: 1000, count: n, port: 2 }]);
      const all = order(targets, 2 * (2 * n - 2), source, own);
      assert(!all.some((text) => text.startsWith(`${own}:`)));
      assertEquals(new Set(all.slice(0, 2 * n - 2)).size, 2 * n - 2);
      assertEquals(all.slice(2 * n - 2), all.slice(0, 2 * n - 2));
    }),
  );
});

Deno.test("where there is nobody else, a source may meet itself", () => {
  const targets = new Targets([{ first: 7, count: 1, port: 1 }]);
  assertEquals(order(targets, 2, 3, 7), ["7:1", "7:1"]);
  targets.notOwn(0, 7);
  assertEquals(targets.address, 7);
});

Deno.test("sources have orders of their own", () => {
  const targets = new Targets([{ first: 1, count: 1000, port: 1 }]);
  assertNotEquals(order(targets, 20, 1), order(targets, 20, 2));
});

Deno.test("in turn, the next destination stands in for one's own", () => {
  const targets = new Targets([{ first: 10, count: 3, port: 1 }]);
  const chosen = [0, 1, 2].map((k) => {
    targets.notOwn(k, 10 + k);
    return targets.address;
  });
  assertEquals(chosen, [11, 12, 10]);
});
