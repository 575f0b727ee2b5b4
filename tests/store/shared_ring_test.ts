import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { barrierBuffer, SharedBarrier } from "../../src/store/shared_barrier.ts";
import { ringBuffer, SharedRing } from "../../src/store/shared_ring.ts";

Deno.test("a ring gives words in the order in which they were put, however it wraps", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ put: fc.nat(9), take: fc.nat(9) }), { maxLength: 200 }), (steps) => {
      const buffer = ringBuffer(16);
      const writer = new SharedRing(buffer);
      const reader = new SharedRing(buffer);
      let put = 0;
      let taken = 0;
      for (const step of steps) {
        for (let i = 0; i < step.put && writer.hasRoom(1); i++) writer.put(put++);
        writer.handOver();
        for (let i = 0; i < step.take && reader.readable() > 0; i++) assertEquals(reader.take(), taken++);
        reader.done();
        assertEquals(writer.hasRoom(16 - (put - taken)), true);
        assertEquals(writer.hasRoom(17 - (put - taken)), false);
      }
    }),
  );
});

Deno.test("several words at once are put and taken as they would be one by one, wherever the ring wraps", () => {
  const words = Int32Array.from({ length: 11 }, (_, i) => i - 5);
  const buffer = ringBuffer(16);
  const [put, taken] = [new SharedRing(buffer), new SharedRing(buffer)];
  for (let round = 0; round < 16; round++) {
    put.putAll(words.subarray(0, round % 12));
    put.put(round);
    put.handOver();
    assertEquals(taken.readable(), round % 12 + 1);
    const into = new Int32Array(round % 12);
    taken.takeAll(into);
    assertEquals(into, words.slice(0, round % 12));
    assertEquals(taken.take(), round);
    taken.done();
    assert(put.hasRoom(16));
  }
});

Deno.test("a reader sees what was handed over, and nothing else", () => {
  const buffer = ringBuffer(16);
  const writer = new SharedRing(buffer);
  const reader = new SharedRing(buffer);
  writer.put(5);
  assertEquals(reader.readable(), 0);
  writer.handOver();
  assertEquals(reader.readable(), 1);
});

Deno.test("who has passed a barrier knows what the others have brought to this meeting", () => {
  const buffer = barrierBuffer(1, 2);
  const barrier = new SharedBarrier(buffer, { me: 0, parties: 1, numbers: 2 });
  for (let round = 0; round < 5; round++) {
    barrier.bring(0, round);
    barrier.bring(1, -round);
    barrier.meet(() => assert(false));
    assertEquals([barrier.brought(0, 0), barrier.brought(0, 1)], [round, -round]);
  }
});
