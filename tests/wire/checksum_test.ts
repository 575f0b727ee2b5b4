import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/base/address.ts";
import {
  foldSum,
  internetChecksum,
  onesSum,
  pseudoHeaderSum,
  updateChecksum16,
  updateChecksum32,
} from "../../src/wire/checksum.ts";
import { anyU16, anyU32, fromHex } from "./support/rows.ts";

/** The definition, written another way: the sum is the number formed by the 16-bit words, modulo 2^16 - 1. */
function reference(bytes: Uint8Array): number {
  let number = 0n;
  for (const byte of bytes) number = number << 8n | BigInt(byte);
  if (bytes.length % 2 === 1) number <<= 8n;
  const sum = number === 0n ? 0 : Number((number - 1n) % 0xffffn) + 1;
  return 0xffff - sum;
}

Deno.test("RFC 1071 section 3: the example sums to ddf2 and its checksum is 220d", () => {
  const bytes = fromHex("0001 f203 f4f5 f6f7");
  assertEquals(foldSum(onesSum(bytes, 0, 8)), 0xddf2);
  assertEquals(internetChecksum(bytes), 0x220d);
});

Deno.test("RFC 1624 section 4: the update from 5555 to 3285 under dd2f gives 0000, not ffff", () => {
  assertEquals(updateChecksum16(0xdd2f, 0x5555, 0x3285), 0x0000);
});

Deno.test("an IPv4 header from the wild has checksum b861", () => {
  const header = fromHex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7");
  assertEquals(internetChecksum(header), 0xb861);
  header.set([0xb8, 0x61], 10);
  assertEquals(internetChecksum(header), 0);
});

Deno.test("the checksum is that of the definition, at any offset and length", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 5 }), (bytes, before) => {
    const all = new Uint8Array([...before, ...bytes, 0xff, 0xff]);
    assertEquals(internetChecksum(all, before.length, bytes.length), reference(bytes));
  }));
});

Deno.test("a sum in even parts equals the sum of the whole, for the longest packet too", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 2, maxLength: 60 }), fc.nat(), (bytes, cut) => {
    const at = cut % bytes.length & ~1;
    const parts = onesSum(bytes, at, bytes.length - at, onesSum(bytes, 0, at));
    assertEquals(foldSum(parts), foldSum(onesSum(bytes, 0, bytes.length)));
  }));
  assertEquals(internetChecksum(new Uint8Array(65_535).fill(0xff)), reference(new Uint8Array(65_535).fill(0xff)));
});

Deno.test("an incremental update equals computing anew, for 16 and 32 bits", () => {
  // As in every IP packet some word is not zero: all zeros have two representations (RFC 1624 section 3).
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 40 }), fc.nat(), anyU16, anyU32, (data, where, word, long) => {
      const bytes = new Uint8Array([0x45, 0, ...data]);
      const view = new DataView(bytes.buffer);
      const at = 2 + (where % (data.length - 3) & ~1);
      const before = internetChecksum(bytes);
      const old16 = view.getUint16(at);
      view.setUint16(at, word);
      const after16 = internetChecksum(bytes);
      assertEquals(updateChecksum16(before, old16, word), after16);
      const old32 = view.getUint32(at);
      view.setUint32(at, long);
      assertEquals(updateChecksum32(after16, old32, long), internetChecksum(bytes));
      assertEquals(updateChecksum32(after16, old32 | 0, long | 0), internetChecksum(bytes));
    }),
  );
});

Deno.test("pseudo-headers sum as their bytes do (RFC 9293 3.1, RFC 8200 8.1)", () => {
  const four = pseudoHeaderSum(parseAddress("10.0.0.2"), parseAddress("192.0.2.1"), 6, 20);
  assertEquals(foldSum(four), foldSum(onesSum(fromHex("0a000002 c0000201 00060014"), 0, 12)));
  const six = pseudoHeaderSum(parseAddress("2001:db8::1"), parseAddress("2001:db8::ffff:2"), 58, 0x1_0003);
  const bytes = fromHex(
    "20010db8000000000000000000000001 20010db80000000000000000ffff0002 00010003 0000003a",
  );
  assertEquals(foldSum(six), foldSum(onesSum(bytes, 0, bytes.length)));
});
