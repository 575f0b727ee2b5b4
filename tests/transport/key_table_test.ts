import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { KeyTable } from "../../src/transport/key_table.ts";

Deno.test("a key table agrees with a map under any sequence of stores, sums and removals", () => {
  const step = fc.record({
    a: fc.nat(3),
    b: fc.integer({ min: -1, max: 3 }),
    c: fc.nat(4),
    v: fc.integer(),
    add: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const table = new KeyTable(1);
    const model = new Map<string, number>();
    for (const { a, b, c, v, add } of steps) {
      const key = `${a} ${b} ${c}`;
      const value = add ? ((model.get(key) ?? 0) + v % 2) | 0 : v % 3;
      if (add) assertEquals(table.add(a, b, c, v % 2), value);
      else table.set(a, b, c, value);
      if (value === 0) model.delete(key);
      else model.set(key, value);
      assertEquals(table.size, model.size);
    }
    for (let a = 0; a <= 3; a++) {
      for (let b = -1; b <= 3; b++) {
        for (let c = 0; c <= 4; c++) assertEquals(table.get(a, b, c), model.get(`${a} ${b} ${c}`) ?? 0);
      }
    }
  }));
});

Deno.test("a million hosts that listen take less than 40 bytes each", () => {
  const table = new KeyTable();
  for (let host = 0; host < 1_000_000; host++) table.set(host, 0, 80, host + 1);
  assert(table.bytes / table.size < 40);
  assertEquals(table.get(765_432, 0, 80), 765_433);
});
