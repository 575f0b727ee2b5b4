import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ANY_PARITY, EVEN, ODD, PortBitmap } from "../../src/transport/port_bitmap.ts";

Deno.test("a bitmap finds the next free offset of a parity as a plain list does", () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 65536 }));
  fc.assert(
    fc.property(size, fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 60 }), fc.nat(), (size, marks, at) => {
      const bitmap = new PortBitmap(size);
      const free = new Set<number>();
      for (const [pick, isFree] of marks) {
        bitmap.mark(pick % size, isFree);
        if (isFree) free.add(pick % size);
        else free.delete(pick % size);
      }
      assertEquals(bitmap.freeCount, free.size);
      const from = at % size;
      const sorted = [...free].sort((a, b) => a - b).filter((offset) => offset >= from);
      assertEquals(bitmap.next(from, ANY_PARITY), sorted[0] ?? -1);
      assertEquals(bitmap.next(from, EVEN), sorted.find((offset) => offset % 2 === 0) ?? -1);
      assertEquals(bitmap.next(from, ODD), sorted.find((offset) => offset % 2 === 1) ?? -1);
    }),
  );
});
