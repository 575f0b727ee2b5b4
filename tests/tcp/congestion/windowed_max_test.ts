import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { currentMax, FILTER_WORDS, resetMax, updateMax } from "../../../src/tcp/congestion/windowed_max.ts";

Deno.test("the windowed maximum is a value of the window, at least the newest, and the greatest while it is new", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 40 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })), { minLength: 1 }),
    (window, steps) => {
      const words = new Int32Array(FILTER_WORDS + 2);
      resetMax(words, 1, 0, 0);
      let now = 0;
      const seen: [number, number][] = [[0, 0]];
      for (const [wait, value] of steps) {
        now += wait;
        seen.push([now, value]);
        const max = updateMax(words, 1, window, now, value);
        const inside = seen.filter(([time]) => now - time <= window).map(([, v]) => v);
        assert(inside.includes(max) && max >= value);
        // What came last and is greater than all before it can never be forgotten for something smaller.
        const greatest = Math.max(...seen.map(([, v]) => v));
        const when = seen.findLast(([, v]) => v === greatest)![0];
        if (now - when <= window) assertEquals(max, greatest);
        assertEquals(currentMax(words, 1), max);
      }
    },
  ));
});
