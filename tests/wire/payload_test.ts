import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { virtualByte } from "../../src/wire/packet.ts";
import { fillVirtual, isVirtual } from "../../src/wire/payload.ts";

Deno.test("virtual bytes depend on their position alone, across 2^32 and past 64 KiB", () => {
  const anyStart = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 32 }), fc.constant(0xffff_fff0));
  const anyLength = fc.oneof(fc.nat(300), fc.constant(0x1_0000), fc.constant(200_001));
  fc.assert(
    fc.property(anyStart, anyLength, fc.nat(7), (start, length, at) => {
      const bytes = new Uint8Array(at + length + 1);
      fillVirtual(bytes, at, length, start);
      assertEquals(bytes[at + length], 0);
      for (const i of [0, 1, length >> 1, length - 1]) {
        if (i >= 0 && i < length) assertEquals(bytes[at + i], virtualByte(start + i >>> 0));
      }
      assert(isVirtual(bytes, at, length, start));
      if (length > 0) {
        bytes[at + length - 1] ^= 1;
        assert(!isVirtual(bytes, at, length, start));
      }
    }),
  );
});
