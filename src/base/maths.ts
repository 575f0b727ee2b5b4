/**
 * Logarithm, exponential, power and integer roots made of IEEE 754 additions, multiplications and divisions alone.
 * `Math.log` and its like are left to the engine by ECMAScript, so a run that used them could differ between machines.
 *
 * @module
 */

/** Natural logarithm of 2, its leading 33 bits (so that a multiple up to 2^20 is exact) ... */
const LN2_HIGH = 0.6931471803691238;
/** ... and the rest. */
const LN2_LOW = 1.9082149292705877e-10;
const INVERSE_LN2 = 1.4426950408889634;
const SQRT_HALF = 0.7071067811865476;

/** One double, seen also as two words. */
const DOUBLE = new Float64Array(1);
const WORDS = new Int32Array(DOUBLE.buffer);
DOUBLE[0] = -1;
/** Index of the word with sign and exponent (the byte order is the machine's). */
const TOP = WORDS[1] < 0 ? 1 : 0;

/** 2^k for k from -1022 to 1023. */
function powerOfTwo(k: number): number {
  WORDS[1 - TOP] = 0;
  WORDS[TOP] = (k + 1023) << 20;
  return DOUBLE[0];
}

/**
 * Natural logarithm. Relative error at most 2^-51 (4 units in the last place at worst; tested). `log(0)` is
 * `-Infinity`, of a negative number `NaN`.
 */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  let k = 0;
  let m = x;
  if (m < 2.2250738585072014e-308) {
    m *= 18014398509481984; // 2^54: out of the subnormal numbers
    k = -54;
  }
  DOUBLE[0] = m;
  k += (WORDS[TOP] >>> 20) - 1022;
  WORDS[TOP] = (WORDS[TOP] & 0x000fffff) | (1022 << 20);
  m = DOUBLE[0]; // 0.5 <= m < 1, x = m 2^k
  if (m < SQRT_HALF) {
    m *= 2;
    k--;
  }
  // log(1 + f) = 2 atanh(s) with s = f / (2 + f), |s| < 0.1716; f is exact.
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  const tail = z *
    (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + z * (1 / 15 + z * (1 / 17 +
                                  z * (1 / 19 + z / 21)))))))));
  // 2 s = f - s f: the small correction carries the rounding errors, f none.
  const rest = s * (2 * tail - f);
  return k * LN2_HIGH + (f + (rest + k * LN2_LOW));
}

/** e to the x. Relative error at most 2^-51 where the result is a normal number (tested). */
export function exp(x: number): number {
  if (!(x < 709.782712893384)) return x > 709 ? Infinity : NaN;
  if (x < -745.1332191019412) return 0;
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
  const r = (x - k * LN2_HIGH) - k * LN2_LOW; // |r| <= 0.3466
  let sum = 1 / 6227020800; // 1 / 13!
  sum = 1 / 479001600 + r * sum;
  sum = 1 / 39916800 + r * sum;
  sum = 1 / 3628800 + r * sum;
  sum = 1 / 362880 + r * sum;
  sum = 1 / 40320 + r * sum;
  sum = 1 / 5040 + r * sum;
  sum = 1 / 720 + r * sum;
  sum = 1 / 120 + r * sum;
  sum = 1 / 24 + r * sum;
  sum = 1 / 6 + r * sum;
  sum = 1 / 2 + r * sum;
  const value = 1 + (r + r * r * sum);
  if (k > 1023) return value * 2 * powerOfTwo(k - 1);
  if (k < -1022) return value * powerOfTwo(k + 64) * powerOfTwo(-64);
  return value * powerOfTwo(k);
}

/**
 * x to the y, for x of 0 or more, as `exp(y * log(x))`: relative error at most (1 + |y ln x|) 2^-50 (tested).
 * `pow(x, 0)` is 1, `pow(1, y)` is 1, `pow(0, y)` is 0 or (for a negative y) `Infinity`; a negative x gives `NaN`.
 */
export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  if (y === 1) return x;
  return exp(y * log(x));
}

/** The largest whole number whose square is at most `n`; `n` is a whole number from 0 to 2^53 - 1. Exact. */
export function integerSquareRoot(n: number): number {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new RangeError(`No integer square root of ${n}: it is not a whole number from 0 to 2^53 - 1.`);
  }
  let root = Math.floor(Math.sqrt(n));
  while (root * root > n) root--;
  while ((root + 1) * (root + 1) <= n) root++;
  return root;
}

/** The largest whole number whose cube is at most `n`; `n` is a whole number from 0 to 2^53 - 1. Exact. */
export function integerCubeRoot(n: number): number {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new RangeError(`No integer cube root of ${n}: it is not a whole number from 0 to 2^53 - 1.`);
  }
  let root = 0;
  for (let bit = 1 << 17; bit > 0; bit >>>= 1) {
    const next = root + bit;
    // At most 2^54, and every cube above 2^53 compared here is even: exact.
    if (next * next * next <= n) root = next;
  }
  return root;
}
