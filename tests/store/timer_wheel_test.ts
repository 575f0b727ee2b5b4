import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RefList, TimerWheel } from "../../src/store/timer_wheel.ts";

const delays = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 3000 }),
  fc.integer({ min: 1, max: 2_000_000 }),
  fc.integer({ min: 1, max: 1_500_000_000 }),
);

const actions = fc.oneof(
  { weight: 4, arbitrary: fc.record({ delay: delays, copies: fc.integer({ min: 1, max: 70 }) }) },
  { weight: 3, arbitrary: fc.record({ steps: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ part: fc.integer({ min: 1, max: 9 }) }) },
);

Deno.test("the timer wheel gives out every entry at its tick, like a naive model", () => {
  fc.assert(
    fc.property(fc.array(actions, { maxLength: 60, size: "max" }), (list) => {
      const wheel = new TimerWheel({ capacity: 1 });
      let pending: { tick: number; ref: number }[] = [];
      const due = new RefList(1);
      let ref = 0;
      const step = (): void => {
        const earliest = pending.reduce((least, entry) => Math.min(least, entry.tick), Infinity);
        const tick = wheel.nextTick();
        assert(tick > wheel.currentTick && tick <= earliest);
        if (tick === Infinity) return;
        due.count = 0;
        wheel.advance(tick, due);
        assertEquals(wheel.currentTick, tick);
        const expected = pending.filter((entry) => entry.tick === tick).map((entry) => entry.ref);
        pending = pending.filter((entry) => entry.tick !== tick);
        assertEquals([...due.items.subarray(0, due.count)].sort((a, b) => a - b), expected);
        assertEquals(wheel.size, pending.length);
      };
      for (const action of list) {
        if ("delay" in action) {
          for (let i = 0; i < action.copies; i++) {
            const tick = Math.min(2 ** 31 - 2, wheel.currentTick + action.delay + (i % 3) * action.copies);
            if (tick === wheel.currentTick) continue;
            wheel.push(tick, ref);
            pending.push({ tick, ref: ref++ });
          }
        } else if ("steps" in action) {
          for (let i = 0; i < action.steps; i++) step();
        } else {
          // Part of the way to the next tick: nothing may be due.
          const next = Math.min(wheel.nextTick(), wheel.currentTick + 5000, 2 ** 31 - 2);
          const tick = wheel.currentTick + Math.floor((next - wheel.currentTick) * action.part / 10);
          if (tick === wheel.currentTick) continue;
          due.count = 0;
          wheel.advance(tick, due);
          assertEquals(due.count, 0);
        }
      }
      while (pending.length > 0) step();
      assertEquals(wheel.nextTick(), Infinity);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a timer of the tick reached, or advancing past a possible entry, is refused", () => {
  const wheel = new TimerWheel();
  wheel.push(5, 1);
  const due = new RefList();
  assertThrows(() => wheel.advance(6, due), RangeError, "the next entry may be at 5");
  wheel.advance(5, due);
  assertEquals([due.count, due.items[0]], [1, 1]);
  assertThrows(() => wheel.push(5, 2), RangeError, "must be from 6");
  assertThrows(() => wheel.push(2 ** 31 - 1, 2), RangeError);
  assertThrows(() => wheel.push(NaN, 2), RangeError);
});

Deno.test("a wheel made small grows to hold 100,000 entries and fires each once, in order of ticks", () => {
  const wheel = new TimerWheel({ capacity: 1 });
  const ticks = Int32Array.from({ length: 100_000 }, (_, ref) => 1 + (Math.imul(ref, 0x9e3779b1) >>> 10));
  ticks.forEach((tick, ref) => wheel.push(tick, ref));
  const due = new RefList();
  while (wheel.size > 0) {
    const before = due.count;
    const tick = wheel.nextTick();
    wheel.advance(tick, due);
    for (let i = before; i < due.count; i++) assertEquals(ticks[due.items[i]], tick);
  }
  assertEquals(new Set(due.items.subarray(0, due.count)).size, ticks.length);
});
