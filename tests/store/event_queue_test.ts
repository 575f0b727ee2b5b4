import { assert, assertEquals } from "@std/assert";
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
