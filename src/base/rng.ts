/**
 * Random numbers by name. A substream is a 64-bit key made from the run's seed, a purpose and the stable scenario
 * identity of whom it serves; its n-th draw is a pure function of the key and n. So no consumer shifts the draws of
 * another, draws do not depend on the order of events, and a position in a stream is one number.
 *
 * The generator is Threefry-2x32 with 13 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011), which passes TestU01's BigCrush.
 *
 * @module
 */
import { sipHash24, stringWords } from "./hash.ts";
import { exp, log } from "./maths.ts";

/** The key of a substream: two signed 32-bit integers, to be kept in rows. */
export interface SubstreamKey {
  /** First word. */
  readonly k0: number;
  /** Second word. */
  readonly k1: number;
}

/**
 * The key of the substream for a `purpose` (`"loss"`) of an entity with a stable scenario identity
 * (`"link home[3]/uplink"`), never a row number. SipHash-2-4 keyed by the seed, any number that is not NaN.
 */
export function substreamKey(seed: number, purpose: string, identity: string): SubstreamKey {
  SEED[0] = seed === 0 ? 0 : seed;
  const words = stringWords(purpose, identity);
  const { lo, hi } = sipHash24(SEED_WORDS[0], SEED_WORDS[1], 0x34706c65, 0x31747570, words, words.length);
  return { k0: lo, k1: hi };
}

const SEED = new Float64Array(1);
const SEED_WORDS = new Int32Array(SEED.buffer);

/** The second word of the last block. A typed array, so that no draw allocates. */
const SECOND = new Int32Array(1);

/** Threefry-2x32-13: returns the first word (signed), leaves the second in `SECOND[0]`. */
function block(k0: number, k1: number, counter: number): number {
  const k2 = 0x1bd11bda ^ k0 ^ k1;
  let a = ((counter | 0) + k0) | 0;
  let b = (((counter / 4294967296) | 0) + k1) | 0;
  a = (a + b) | 0, b = ((b << 13) | (b >>> 19)) ^ a;
  a = (a + b) | 0, b = ((b << 15) | (b >>> 17)) ^ a;
  a = (a + b) | 0, b = ((b << 26) | (b >>> 6)) ^ a;
  a = (a + b) | 0, b = ((b << 6) | (b >>> 26)) ^ a;
  a = (a + k1) | 0, b = (b + k2 + 1) | 0;
  a = (a + b) | 0, b = ((b << 17) | (b >>> 15)) ^ a;
  a = (a + b) | 0, b = ((b << 29) | (b >>> 3)) ^ a;
  a = (a + b) | 0, b = ((b << 16) | (b >>> 16)) ^ a;
  a = (a + b) | 0, b = ((b << 24) | (b >>> 8)) ^ a;
  a = (a + k2) | 0, b = (b + k0 + 2) | 0;
  a = (a + b) | 0, b = ((b << 13) | (b >>> 19)) ^ a;
  a = (a + b) | 0, b = ((b << 15) | (b >>> 17)) ^ a;
  a = (a + b) | 0, b = ((b << 26) | (b >>> 6)) ^ a;
  a = (a + b) | 0, b = ((b << 6) | (b >>> 26)) ^ a;
  a = (a + k0) | 0, b = (b + k1 + 3) | 0;
  a = (a + b) | 0, b = ((b << 17) | (b >>> 15)) ^ a;
  SECOND[0] = b;
  return a;
}

/** The draw at `counter` (a whole number from 0 to 2^53 - 1), uniform over 0 to 2^32 - 1. Pure. */
export function drawWord(k0: number, k1: number, counter: number): number {
  return block(k0, k1, counter) >>> 0;
}

/**
 * The draw at `counter` as a fraction from 0 to below 1, in steps of 2^-53. Pure; one counter is one draw, whichever
 * of the two functions makes it (the leading 32 bits are {@linkcode drawWord}'s).
 */
export function drawFraction(k0: number, k1: number, counter: number): number {
  const high = block(k0, k1, counter) >>> 0;
  return (high * 2097152 + (SECOND[0] >>> 11)) / 9007199254740992;
}

/**
 * A substream that counts its own draws. Every draw takes one step of {@linkcode Substream.counter}, whatever its kind.
 *
 * @example
 * ```ts
 * import { Substream } from "./rng.ts";
 * const arrivals = Substream.of(42, "arrivals", "client[7]");
 * const waitNs = Math.round(arrivals.nextExponential(1e6));
 * ```
 */
export class Substream {
  /** First word of the key. */
  declare readonly k0: number;
  /** Second word of the key. */
  declare readonly k1: number;
  /** The number of the next draw, from 0; set it to continue from a position, or to repeat. */
  declare counter: number;

  /** Begins at draw `counter` of the substream behind `key`. */
  constructor(key: SubstreamKey, counter = 0) {
    this.k0 = key.k0;
    this.k1 = key.k1;
    this.counter = counter;
  }

  /** The substream of a name: see {@linkcode substreamKey}. */
  static of(seed: number, purpose: string, identity: string): Substream {
    return new Substream(substreamKey(seed, purpose, identity));
  }

  /** Uniform over 0 to 2^32 - 1. */
  nextWord(): number {
    return block(this.k0, this.k1, this.counter++) >>> 0;
  }

  /** Uniform from 0 to below 1, in steps of 2^-53. */
  nextFraction(): number {
    return drawFraction(this.k0, this.k1, this.counter++);
  }

  /** Uniform over the whole numbers from 0 to n - 1, for n from 1 to 2^32 (no number is off by more than 2^-21 of its share). */
  nextInt(n: number): number {
    if (!(n >= 1 && n <= 4294967296)) throw new RangeError(`nextInt takes 1 to 2^32, not ${n}.`);
    return Math.floor(drawFraction(this.k0, this.k1, this.counter++) * n);
  }

  /** Exponentially distributed with this mean; at most 36.8 means, since the fraction has 53 bits. */
  nextExponential(mean: number): number {
    return -mean * log(1 - drawFraction(this.k0, this.k1, this.counter++));
  }

  /** Pareto distributed: at least `scale`, and above x with probability (scale / x)^shape. */
  nextPareto(shape: number, scale: number): number {
    return scale * exp(-log(1 - drawFraction(this.k0, this.k1, this.counter++)) / shape);
  }

  /** Shuffles in place (Fisher and Yates; length - 1 draws) and returns the array. */
  shuffle<T>(array: T[]): T[] {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.nextInt(i + 1);
      const kept = array[i];
      array[i] = array[j];
      array[j] = kept;
    }
    return array;
  }
}
