/**
 * Hashes: a fast mixer for table lookups, and SipHash-2-4 where somebody may choose the input (initial sequence
 * numbers, SYN cookies, port offsets) or where strings name things. No BigInt: 64 bits are two signed 32-bit integers.
 *
 * @module
 */

/** 64 bits as two signed 32-bit integers. */
export interface Hash64 {
  /** Bits 0 to 31. */
  readonly lo: number;
  /** Bits 32 to 63. */
  readonly hi: number;
}

/** Stirs one 32-bit word into a running hash (MurmurHash3's step). Finish with {@linkcode finalise32}. */
export function mix32(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const x = h ^ k;
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

/** Spreads every bit of a running hash over all 32 (MurmurHash3's finaliser, a bijection; 0 stays 0). Signed. */
export function finalise32(h: number): number {
  let x = h ^ (h >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** The last digest: [low, high]. A typed array, so that no call allocates. */
const DIGEST = new Int32Array(2);

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) of the first `count` words of `words`, each taken as four bytes, least
 * significant first, under the 128-bit key `k0` (bytes 0 to 3) to `k3` (bytes 12 to 15).
 */
export function sipHash24(
  k0: number,
  k1: number,
  k2: number,
  k3: number,
  words: ArrayLike<number>,
  count: number,
): Hash64 {
  sipHash(k0, k1, k2, k3, words, count);
  return { lo: DIGEST[0], hi: DIGEST[1] };
}

/** The low 32 bits of {@linkcode sipHash24}, signed, without allocating: for what happens once a SYN or a packet. */
export function sipHash24Word(
  k0: number,
  k1: number,
  k2: number,
  k3: number,
  words: ArrayLike<number>,
  count: number,
): number {
  sipHash(k0, k1, k2, k3, words, count);
  return DIGEST[0];
}

function sipHash(k0: number, k1: number, k2: number, k3: number, words: ArrayLike<number>, count: number): void {
  // v0 to v3 of the paper, as (low, high): "somepseudorandomlygeneratedbytes" xor the key.
  let v0 = k0 ^ 0x70736575, v0h = k1 ^ 0x736f6d65;
  let v1 = k2 ^ 0x6e646f6d, v1h = k3 ^ 0x646f7261;
  let v2 = k0 ^ 0x6e657261, v2h = k1 ^ 0x6c796765;
  let v3 = k2 ^ 0x79746573, v3h = k3 ^ 0x74656462;
  const blocks = count >>> 1;
  let m = 0, mh = 0;
  // Two rounds for each 64-bit block and for the last (an odd word, the length in bytes), then four to finish.
  for (let block = 0; block < blocks + 3; block++) {
    if (block < blocks) {
      m = words[2 * block] | 0;
      mh = words[2 * block + 1] | 0;
    } else if (block === blocks) {
      m = count & 1 ? words[count - 1] | 0 : 0;
      mh = (count * 4) << 24;
    } else {
      m = mh = 0;
      if (block === blocks + 1) v2 ^= 0xff;
    }
    v3 ^= m;
    v3h ^= mh;
    for (let round = 0; round < 2; round++) {
      // A carry is a comparison taken as a number: one `setb` to V8, without a jump.
      // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
      let low = (v0 + v1) | 0;
      let high = (v0h + v1h + Number(low >>> 0 < v0 >>> 0)) | 0;
      let turned = ((v1 << 13) | (v1h >>> 19)) ^ low;
      v1h = ((v1h << 13) | (v1 >>> 19)) ^ high;
      v1 = turned;
      v0 = high;
      v0h = low;
      // v2 += v3; v3 <<<= 16; v3 ^= v2
      low = (v2 + v3) | 0;
      high = (v2h + v3h + Number(low >>> 0 < v2 >>> 0)) | 0;
      turned = ((v3 << 16) | (v3h >>> 16)) ^ low;
      v3h = ((v3h << 16) | (v3 >>> 16)) ^ high;
      v3 = turned;
      v2 = low;
      v2h = high;
      // v0 += v3; v3 <<<= 21; v3 ^= v0
      low = (v0 + v3) | 0;
      high = (v0h + v3h + Number(low >>> 0 < v0 >>> 0)) | 0;
      turned = ((v3 << 21) | (v3h >>> 11)) ^ low;
      v3h = ((v3h << 21) | (v3 >>> 11)) ^ high;
      v3 = turned;
      v0 = low;
      v0h = high;
      // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
      low = (v2 + v1) | 0;
      high = (v2h + v1h + Number(low >>> 0 < v2 >>> 0)) | 0;
      turned = ((v1 << 17) | (v1h >>> 15)) ^ low;
      v1h = ((v1h << 17) | (v1 >>> 15)) ^ high;
      v1 = turned;
      v2 = high;
      v2h = low;
    }
    v0 ^= m;
    v0h ^= mh;
  }
  DIGEST[0] = v0 ^ v1 ^ v2 ^ v3;
  DIGEST[1] = v0h ^ v1h ^ v2h ^ v3h;
}

/**
 * The words that stand for a list of strings in a hash: for each its length in UTF-16 units, then the units, two a
 * word. No two lists give the same words.
 */
export function stringWords(...texts: string[]): number[] {
  const words: number[] = [];
  for (const text of texts) {
    words.push(text.length);
    for (let i = 0; i < text.length; i += 2) {
      words.push(text.charCodeAt(i) | (i + 1 < text.length ? text.charCodeAt(i + 1) << 16 : 0));
    }
  }
  return words;
}

/** A 64-bit hash of a string's UTF-16 units: SipHash-2-4 under a fixed key, the same on every machine and version. */
export function hashString(text: string): Hash64 {
  const words = stringWords(text);
  return sipHash24(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, words, words.length);
}
