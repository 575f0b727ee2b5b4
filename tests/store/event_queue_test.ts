import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { EventQueue } from "../../src/store/event_queue.ts";

/** The naive model: an array searched for the least (time, round, tie key). */
class ModelQueue {
  nowNs = 0;
  #events: { timeNs: number; round: number; ref: number }[] = [];
  #round = 0;

  get size(): number {
    return this.#events.length;
  }

  push(timeNs: number, ref: number): void {
    this.#events.push({ timeNs, round: timeNs === this.nowNs ? this.#round + 1 : 0, ref });
  }

  #first(): number {
    let best = -1;
    for (let i = 0; i < this.#events.length; i++) {
      const a = this.#events[i];
      const b = this.#events[best];
      if (best < 0 || a.timeNs < b.timeNs || (a.timeNs === b.timeNs && (a.round - b.round || tie(a.ref, b.ref)) < 0)) {
        best = i;
      }
    }
    return best;
  }

  peekTimeNs(): number {
    const first = this.#first();
    return first < 0 ? Infinity : this.#events[first].timeNs;
  }

  advanceTo(timeNs: number): void {
    if (timeNs > this.nowNs) this.#round = 0;
    this.nowNs = timeNs;
  }

  pop(): number {
    const first = this.#first();
    if (first < 0) return -1;
    const [event] = this.#events.splice(first, 1);
    this.nowNs = event.timeNs;
    this.#round = event.round;
    return event.ref;
  }
}

/** A tie order unlike the order of pushing and of references. */
function tieKey(ref: number): number {
  return Math.imul(ref, 0x9e3779b1) >>> 0;
}

function tie(a: number, b: number): number {
  return tieKey(a) - tieKey(b);
}

const delays = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 10_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 50_000_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20e9 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000e9 }) },
);

type Action = { kind: "push"; delay: number; copies: number } | { kind: "pop" | "peek" | "advance"; count: number };

const actions: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      delay: delays,
      copies: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pop" as const), count: fc.integer({ min: 1, max: 60 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("peek" as const, "advance" as const),
      count: fc.integer({ min: 0, max: 4 }),
    }),
  },
);

function runActions(list: Action[], bucketNs: number | undefined, spread: number): void {
  let ref = 0;
  const queue = new EventQueue({
    bucketNs,
    capacity: 1,
    compareTies(a, b) {
      assert(a !== b);
      return tie(a, b);
    },
  });
  let shown = 0;
  queue.onBucket = (_refs, begin, end) => {
    assert(end > begin && end - begin <= 1024);
    shown += end - begin;
  };
  const model = new ModelQueue();
  for (const action of list) {
    if (action.kind === "push") {
      for (let i = 0; i < action.copies; i++) {
        const timeNs = model.nowNs + action.delay + (action.delay === 0 ? 0 : i * spread);
        queue.push(timeNs, ref);
        model.push(timeNs, ref++);
      }
    } else if (action.kind === "pop") {
      for (let i = 0; i < action.count; i++) {
        assertEquals(queue.pop(), model.pop());
        assertEquals(queue.nowNs, model.nowNs);
      }
    } else if (action.kind === "peek") {
      assertEquals(queue.peekTimeNs(), model.peekTimeNs());
    } else {
      const peek = model.peekTimeNs();
      const timeNs = peek === Infinity
        ? model.nowNs + action.count * 1000
        : model.nowNs + Math.floor((peek - model.nowNs) * action.count / 4);
      queue.advanceTo(timeNs);
      model.advanceTo(timeNs);
    }
    assertEquals(queue.size, model.size);
  }
  while (model.size > 0) assertEquals(queue.pop(), model.pop());
  assertEquals(queue.pop(), -1);
  assertEquals(queue.peekTimeNs(), Infinity);
  assert(shown >= 0);
}

Deno.test("the event queue pops in the order of (time, round, tie key), like a naive model", () => {
  fc.assert(
    fc.property(
      fc.array(actions, { maxLength: 60, size: "max" }),
      fc.constantFrom(undefined, 1, 8, 4096, 2 ** 20),
      fc.constantFrom(0, 1, 700, 100_000),
      runActions,
    ),
    { numRuns: 300 },
  );
});

/** Pops everything and checks it against the events sorted by (time, tie key). */
function assertSorted(queue: EventQueue, events: { timeNs: number; ref: number }[]): void {
  events.sort((a, b) => a.timeNs - b.timeNs || tie(a.ref, b.ref));
  assertEquals(queue.size, events.length);
  for (const { timeNs, ref } of events) {
    const popped = queue.pop();
    if (popped !== ref || queue.nowNs !== timeNs) assertEquals([popped, queue.nowNs], [ref, timeNs]);
  }
  assertEquals(queue.pop(), -1);
}

let seed = 7;

/** A pseudo-random integer from 0 to `limit - 1`. */
function draw(limit: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return Math.floor((seed >>> 0) / 2 ** 32 * limit);
}

Deno.test("an event pushed for the present pops in the next round of its instant", () => {
  const queue = new EventQueue({ compareTies: (a, b) => a - b });
  for (const ref of [5, 4]) queue.push(1000, ref);
  queue.push(1001, 1);
  assertEquals([queue.pop(), queue.nowNs], [4, 1000]);
  // Both belong to round 1, after 5 of round 0, although their keys are less.
  for (const ref of [3, 2]) queue.push(1000, ref);
  assertEquals(queue.peekTimeNs(), 1000);
  assertEquals([queue.pop(), queue.pop()], [5, 2]);
  queue.push(1000, 0); // round 2
  assertEquals([queue.pop(), queue.pop(), queue.pop(), queue.nowNs], [3, 0, 1, 1001]);
});

Deno.test("after advancing to an instant, what is pushed for it follows what was there before", () => {
  const queue = new EventQueue({ compareTies: (a, b) => a - b });
  queue.push(9000, 7);
  queue.push(20_000, 8);
  queue.advanceTo(9000);
  queue.push(9000, 1);
  assertEquals([queue.pop(), queue.pop(), queue.pop()], [7, 1, 8]);
  queue.advanceTo(10 ** 15);
  queue.push(10 ** 15, 3);
  queue.push(10 ** 15 + 1, 2);
  assertEquals([queue.pop(), queue.pop(), queue.nowNs], [3, 2, 10 ** 15 + 1]);
});

Deno.test("a burst of 300,000 events at one instant takes n log n comparisons", () => {
  const count = 300_000;
  for (const now of [false, true]) {
    let comparisons = 0;
    const queue = new EventQueue({
      compareTies(a, b) {
        comparisons++;
        return tie(a, b);
      },
    });
    const events = Array.from({ length: count }, (_, ref) => ({ timeNs: now ? 0 : 123_456_789_012, ref }));
    for (const { timeNs, ref } of events) queue.push(timeNs, ref);
    assertSorted(queue, events);
    assert(comparisons < count * Math.log2(count), `${comparisons} comparisons`);
  }
});

Deno.test("events of different instants are never compared", () => {
  const queue = new EventQueue({ compareTies: () => assert(false) as never });
  const events = Array.from({ length: 50_000 }, (_, ref) => ({ timeNs: 1 + (ref * 7919) % 50_000, ref }));
  for (const { timeNs, ref } of events) queue.push(timeNs, ref);
  assertSorted(queue, events);
});

Deno.test("many events before one that was peeked at keep their order", () => {
  for (const peeked of [1_000_000, 4 * 10 ** 9, 10 ** 15]) {
    const queue = new EventQueue({ compareTies: tie, capacity: 1 });
    const events = [{ timeNs: peeked, ref: 0 }];
    for (let ref = 1; ref < 2000; ref++) events.push({ timeNs: peeked + draw(10 ** 13), ref });
    for (const { timeNs, ref } of events) queue.push(timeNs, ref);
    assertEquals(queue.peekTimeNs(), peeked);
    for (let ref = 2000; ref < 10_000; ref++) {
      const event = { timeNs: 1 + draw(peeked), ref };
      queue.push(event.timeNs, ref);
      events.push(event);
      if (ref % 500 === 0) queue.peekTimeNs();
    }
    assertSorted(queue, events);
  }
});

Deno.test("thousands of late arrivals in the current bucket keep their order", () => {
  const queue = new EventQueue({ compareTies: tie });
  let events = [];
  for (let ref = 0; ref < 5000; ref++) events.push({ timeNs: 40_960 + draw(4096), ref });
  for (const { timeNs, ref } of events) queue.push(timeNs, ref);
  events.sort((a, b) => a.timeNs - b.timeNs || tie(a.ref, b.ref));
  for (let i = 0; i < 1000; i++) assertEquals(queue.pop(), events[i].ref);
  events = events.slice(1000);
  for (let ref = 5000; ref < 20_000; ref++) {
    const event = { timeNs: queue.nowNs + 1 + draw(45_055 - queue.nowNs), ref };
    queue.push(event.timeNs, ref);
    events.push(event);
  }
  assertSorted(queue, events);
});

Deno.test("the hook sees every event of a bucket, at most 1,024 at once, before it pops", () => {
  const queue = new EventQueue({ compareTies: tie });
  const shown = new Set<number>();
  queue.onBucket = (refs, begin, end) => {
    assert(end - begin >= 1 && end - begin <= 1024);
    for (let i = begin; i < end; i++) shown.add(refs[i]);
  };
  // Not sparse: in each bucket, or one beyond the finest wheel, there are several.
  const later = Array.from(
    { length: 5000 },
    (_, ref) => ({ timeNs: 10_000_000 + (ref % 3 === 0 ? draw(100) * 10 ** 7 : ref), ref }),
  );
  for (const { timeNs, ref } of later) queue.push(timeNs, ref);
  for (let ref = queue.pop(); ref >= 0; ref = queue.pop()) assert(shown.has(ref));
  assertEquals(shown.size, later.length);
  for (let ref = 5000; ref < 8000; ref++) queue.push(queue.nowNs, ref);
  for (let ref = queue.pop(); ref >= 0; ref = queue.pop()) assert(shown.has(ref));
  assertEquals(shown.size, 8000);
});

Deno.test("what remains of the current bucket can be read", () => {
  const queue = new EventQueue({ compareTies: (a, b) => a - b });
  for (const ref of [3, 1, 2]) queue.push(5000 + ref, ref);
  queue.pop();
  assertEquals([...queue.currentRefs.subarray(queue.currentCursor, queue.currentEnd)], [2, 3]);
});

Deno.test("times in the past, not integers or beyond 2^53 are refused", () => {
  const queue = new EventQueue({ compareTies: tie });
  queue.push(5000, 1);
  queue.push(9000, 2);
  queue.pop();
  for (const timeNs of [4999, -1, 6000.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => queue.push(timeNs, 3), RangeError);
  }
  for (const timeNs of [4999, 9001, 6000.5, NaN]) {
    assertThrows(() => queue.advanceTo(timeNs), RangeError, "with the next event at 9000 ns");
  }
  assertEquals(queue.size, 1);
  queue.push(2 ** 53 - 1, 3);
  assertEquals([queue.pop(), queue.pop(), queue.nowNs], [2, 3, 2 ** 53 - 1]);
  for (const bucketNs of [0, 1000, 2 ** 21, NaN]) {
    assertThrows(() => new EventQueue({ compareTies: tie, bucketNs }), RangeError, "power of two");
  }
});
