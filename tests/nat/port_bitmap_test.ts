import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { PortBitmap } from "../../src/nat/port_bitmap.ts";

Deno.test("a bitmap finds the next free bit that a scan finds, at any size and filling", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 5, 31, 32, 33, 64, 1000, 1023, 1024, 1025, 2500),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 300 }), fc.boolean()), { maxLength: 60 }),
      fc.nat(),
      (size, runs, from) => {
        const bitmap = new PortBitmap(size);
        const naive = new Array<boolean>(size).fill(false);
        for (const [at, length, taken] of runs) {
          for (let i = 0; i < length; i++) {
            const bit = (at + i) % size;
            naive[bit] = taken;
            if (taken) bitmap.take(bit);
            else bitmap.free(bit);
          }
          for (const start of [from % size, (from + at) % size, 0, size - 1]) {
            let expected = -1;
            for (let i = 0; i < size && expected < 0; i++) {
              if (!naive[(start + i) % size]) expected = (start + i) % size;
            }
            assertEquals(bitmap.nextFree(start), expected);
          }
          assertEquals(bitmap.used, naive.filter(Boolean).length);
          assertEquals(bitmap.has(at % size), naive[at % size]);
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a full range of ports drains completely", () => {
  const bitmap = new PortBitmap(65_536);
  for (let i = 0; i < 65_536; i++) bitmap.take(bitmap.nextFree(40_000));
  assertEquals([bitmap.used, bitmap.nextFree(0)], [65_536, -1]);
  bitmap.free(39_999);
  assertEquals(bitmap.nextFree(40_000), 39_999);
});
