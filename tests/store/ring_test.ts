import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteRing } from "../../src/store/ring.ts";

Deno.test("the byte ring holds what an array of the stream's bytes holds", () => {
  const actions = fc.array(
    fc.oneof(
      fc.record({ write: fc.integer({ min: 0, max: 700 }) }),
      fc.record({ release: fc.integer({ min: 0, max: 10 }) }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(actions, fc.constantFrom(0, 5, 2 ** 33 + 17), fc.nat(), (list, begin, pick) => {
      const ring = new ByteRing(begin);
      const stream: number[] = [];
      let released = 0;
      for (const action of list) {
        if ("write" in action) {
          const bytes = Uint8Array.from({ length: action.write }, (_, i) => (stream.length + i) * 7);
          ring.write(bytes);
          stream.push(...bytes);
        } else {
          released += Math.floor((stream.length - released) * action.release / 10);
          ring.release(begin + released);
        }
        assertEquals([ring.begin, ring.end], [begin + released, begin + stream.length]);
        assertEquals(ring.length, stream.length - released);
        const from = released + pick % (stream.length - released + 1);
        const length = stream.length - from;
        const into = new Uint8Array(length + 2);
        ring.copy(begin + from, length, into, 1);
        assertEquals([...into], [0, ...stream.slice(from), 0]);
      }
    }),
  );
});

Deno.test("positions that the ring does not hold are refused", () => {
  const ring = new ByteRing(100);
  ring.write(new Uint8Array(10));
  ring.release(104);
  const into = new Uint8Array(20);
  assertThrows(() => ring.copy(103, 1, into, 0), RangeError, "the ring has 104 to 110");
  assertThrows(() => ring.copy(105, 6, into, 0), RangeError);
  assertThrows(() => ring.release(111), RangeError);
  assertThrows(() => ring.release(103), RangeError);
});

Deno.test("a large ring lets go of its buffer when it is empty, and goes on", () => {
  const ring = new ByteRing();
  ring.write(new Uint8Array(200_000).fill(1));
  ring.release(200_000);
  ring.write(Uint8Array.of(9, 8));
  const into = new Uint8Array(2);
  ring.copy(200_000, 2, into, 0);
  assertEquals([...into], [9, 8]);
});
