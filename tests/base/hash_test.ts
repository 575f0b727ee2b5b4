import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { finalise32, hashString, mix32, sipHash24, sipHash24Word, stringWords } from "../../src/base/hash.ts";

/** Digests of the reference implementation (vectors.h) for the messages of 0, 4, 8 … 60 bytes 00 01 02 …, key 00 … 0f. */
const SIPHASH_VECTORS = [
  "310e0edd47db6f72",
  "b7877127e09427cf",
  "6224939a79f5f593",
  "fbe50e86bc8f1e75",
  "db9bc2577fcc2a3f",
  "98eea21af25cd6be",
  "94af49f6c650adb8",
  "a5c91da7acaa4dde",
  "ce7cf2722f512771",
  "b4a31508beff4d31",
  "d0a704536ba93e0e",
  "f21df2e41d4535f9",
  "51a9cb9ecba312e6",
  "b274cb8ebf87870a",
  "bd838d3aafbf8db7",
  "e1915f5cb1eca46c",
];
const KEY = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c] as const;

function hex(digest: { lo: number; hi: number }): string {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setInt32(0, digest.lo, true);
  bytes.setInt32(4, digest.hi, true);
  return new Uint8Array(bytes.buffer).toHex();
}

Deno.test("SipHash-2-4 gives the official vectors", () => {
  const words = Int32Array.from({ length: 15 }, (_, i) => 0x03020100 + i * 0x04040404);
  for (const [count, digest] of SIPHASH_VECTORS.entries()) {
    assertEquals(hex(sipHash24(...KEY, words, count)), digest);
    assertEquals(hex(sipHash24(...KEY, [...words], count)), digest);
    assertEquals(sipHash24Word(...KEY, words, count), sipHash24(...KEY, words, count).lo);
  }
});

Deno.test("SipHash-2-4 agrees with a 64-bit implementation under any key and message", () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  fc.assert(fc.property(fc.tuple(word, word, word, word), fc.array(word, { maxLength: 9 }), (key, words) => {
    const { lo, hi } = sipHash24(...key, words, words.length);
    assertEquals(BigInt.asUintN(64, (BigInt(hi) << 32n) | BigInt(lo >>> 0)), sipHashBigInt(key, words));
  }));
});

/** The paper's definition, in 64-bit numbers. */
function sipHashBigInt(key: readonly number[], words: readonly number[]): bigint {
  const u64 = (x: bigint) => BigInt.asUintN(64, x);
  const pair = (low: number, high: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const turn = (x: bigint, n: bigint) => u64(x << n) | (x >> (64n - n));
  const [k0, k1] = [pair(key[0], key[1]), pair(key[2], key[3])];
  let [v0, v1, v2, v3] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const rounds = (n: number) => {
    for (let i = 0; i < n; i++) {
      v0 = u64(v0 + v1), v1 = turn(v1, 13n) ^ v0, v0 = turn(v0, 32n);
      v2 = u64(v2 + v3), v3 = turn(v3, 16n) ^ v2;
      v0 = u64(v0 + v3), v3 = turn(v3, 21n) ^ v0;
      v2 = u64(v2 + v1), v1 = turn(v1, 17n) ^ v2, v2 = turn(v2, 32n);
    }
  };
  const even = words.length & ~1;
  const blocks: bigint[] = [];
  for (let i = 0; i < even; i += 2) blocks.push(pair(words[i], words[i + 1]));
  blocks.push(pair(even < words.length ? words[even] : 0, (words.length * 4) << 24));
  for (const block of blocks) {
    v3 ^= block;
    rounds(2);
    v0 ^= block;
  }
  v2 ^= 0xffn;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

Deno.test("the fast mixer is MurmurHash3 and its values stay what they are", () => {
  // MurmurHash3_x86_32 of the four bytes "test", seed 0: ba6bd213.
  const test = 0x74736574;
  assertEquals(finalise32(mix32(0, test) ^ 4) >>> 0, 0xba6bd213);
  assertEquals(finalise32(0), 0);
});

Deno.test("finalising spreads one flipped bit over about half of all bits", () => {
  let flipped = 0;
  for (let i = 0; i < 1000; i++) {
    for (let bit = 0; bit < 32; bit++) {
      let changed = finalise32(i) ^ finalise32(i ^ (1 << bit));
      for (; changed !== 0; changed &= changed - 1) flipped++;
    }
  }
  const share = flipped / (1000 * 32 * 32);
  assert(share > 0.49 && share < 0.51, `${share}`);
});

Deno.test("strings have frozen 64-bit hashes: SipHash-2-4 of their length and UTF-16 units (as openssl has it)", () => {
  assertEquals(hex(hashString("")), "719703f6d799f0ef");
  assertEquals(hex(hashString("fourtuple")), "f1b29e90f50368f8");
});

Deno.test("lists of strings are told apart by their words", () => {
  const texts = fc.array(fc.string({ unit: "binary" }), { maxLength: 4 });
  fc.assert(fc.property(texts, texts, (a, b) => {
    if (a.length !== b.length || a.some((text, i) => text !== b[i])) {
      assertNotEquals(stringWords(...a), stringWords(...b));
    } else assertEquals(stringWords(...a), stringWords(...b));
  }));
  assertNotEquals(hashString("a"), hashString("a\0"));
});

Deno.test("a hundred thousand similar names have no common hash, nor common halves beyond chance", () => {
  const [whole, low] = [new Set<string>(), new Set<number>()];
  for (let i = 0; i < 100_000; i++) {
    const { lo, hi } = hashString(`client[${i}]/uplink`);
    whole.add(`${lo},${hi}`);
    low.add(lo);
  }
  assertEquals(whole.size, 100_000);
  assert(low.size > 99_980); // 1.2 collisions expected
});
