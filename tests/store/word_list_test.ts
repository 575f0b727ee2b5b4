import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { WordList } from "../../src/store/word_list.ts";

Deno.test("a list of words gives them in the order in which they were put, however it grows", () => {
  fc.assert(fc.property(fc.array(fc.record({ put: fc.nat(9000), take: fc.nat(9000) })), (steps) => {
    const list = new WordList();
    let [put, taken] = [0, 0];
    for (const step of steps) {
      list.reserve(step.put);
      for (let i = 0; i < step.put; i++) list.put(put++);
      for (let i = 0; i < step.take && list.filled; i++) assertEquals(list.take(), taken++);
    }
    assertEquals(list.end - list.begin, put - taken);
  }));
});

Deno.test("what is taken makes room: a list in balance stays short", () => {
  const list = new WordList();
  for (let round = 0; round < 1000; round++) {
    list.reserve(100);
    for (let i = 0; i < 100; i++) list.put(i);
    for (let i = 0; i < (round === 0 ? 50 : 100); i++) list.take();
  }
  assertEquals(list.words.length, 4096);
  assertEquals(list.end - list.begin, 50);
  list.clear();
  assertEquals(list.filled, false);
});
