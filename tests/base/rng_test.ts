import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { drawFraction, drawWord, Substream, substreamKey } from "../../src/base/rng.ts";

Deno.test("draws are Threefry-2x32-13: the known answers of Random123", () => {
  assertEquals(drawWord(0, 0, 0), 0x9d1c5ec6);
  // The second word is the rest of the fraction.
  assertEquals(drawFraction(0, 0, 0), (0x9d1c5ec6 * 2 ** 21 + (0x8bd50731 >>> 11)) / 2 ** 53);
  // The other known answers have counters beyond 2^53: they hold the reference below, which holds the draws.
  assertEquals(threefry([0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff]), [0xfd36d048, 0x2d17272c]);
  assertEquals(threefry([0x243f6a88, 0x85a308d3], [0x13198a2e, 0x03707344]), [0xba3e4725, 0xf27d669e]);
});

Deno.test("draws equal a reference implementation for any key and counter up to 2^53 - 1", () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  fc.assert(fc.property(word, word, fc.oneof(fc.maxSafeNat(), fc.nat()), (k0, k1, counter) => {
    const [first, second] = threefry([counter % 2 ** 32, Math.floor(counter / 2 ** 32)], [k0, k1]);
    assertEquals(drawWord(k0, k1, counter), first);
    assertEquals(drawFraction(k0, k1, counter), (first * 2 ** 21 + (second >>> 11)) / 2 ** 53);
  }));
});

/** Threefry-2x32-13 as the paper writes it. */
function threefry([c0, c1]: number[], [k0, k1]: number[]): number[] {
  const key = [k0 >>> 0, k1 >>> 0, (0x1bd11bda ^ k0 ^ k1) >>> 0];
  let [x0, x1] = [(c0 + key[0]) >>> 0, (c1 + key[1]) >>> 0];
  for (let round = 0; round < 13; round++) {
    const turn = [13, 15, 26, 6, 17, 29, 16, 24][round % 8];
    x0 = (x0 + x1) >>> 0;
    x1 = (((x1 << turn) | (x1 >>> (32 - turn))) ^ x0) >>> 0;
    if (round % 4 !== 3) continue;
    const step = (round + 1) / 4;
    x0 = (x0 + key[step % 3]) >>> 0;
    x1 = (x1 + key[(step + 1) % 3] + step) >>> 0;
  }
  return [x0, x1];
}

Deno.test("substreams have frozen keys and draws", () => {
  assertEquals(substreamKey(1, "loss", "link home[3]/uplink"), { k0: -1527958889, k1: 673640257 });
  const stream = Substream.of(42, "arrivals", "client[7]");
  assertEquals([stream.nextWord(), stream.nextWord(), stream.nextInt(1000), stream.nextFraction()], [
    1616920060,
    1355980599,
    572,
    0.753124700371094,
  ]);
  assertEquals([stream.nextExponential(1e6), stream.nextPareto(1.5, 100), stream.counter], [
    113692.03287167076,
    163.65653434909225,
    6,
  ]);
  assertEquals(stream.shuffle([1, 2, 3, 4, 5, 6, 7, 8]), [5, 3, 4, 1, 7, 2, 8, 6]);
});

Deno.test("seed, purpose and identity each give another key, and their border counts", () => {
  const keys = [
    substreamKey(1, "loss", "a"),
    substreamKey(2, "loss", "a"),
    substreamKey(1.5, "loss", "a"),
    substreamKey(2 ** 32 + 1, "loss", "a"),
    substreamKey(-1, "loss", "a"),
    substreamKey(1, "delay", "a"),
    substreamKey(1, "loss", "b"),
    substreamKey(1, "los", "sa"),
    substreamKey(1, "lossa", ""),
  ].map(({ k0, k1 }) => `${k0},${k1}`);
  assertEquals(new Set(keys).size, keys.length);
  assertEquals(substreamKey(0, "x", "y"), substreamKey(-0, "x", "y"));
});

Deno.test("a substream's draws are a function of its counter, whatever came between", () => {
  const a = Substream.of(7, "p", "i");
  const b = Substream.of(7, "p", "i");
  for (let i = 0; i < 10; i++) a.nextExponential(3);
  b.counter = 10;
  assertEquals(a.counter, 10);
  assertEquals(a.nextWord(), b.nextWord());
  assertEquals(a.nextWord(), drawWord(a.k0, a.k1, 11));
  assertEquals(new Substream(a, 11).nextWord(), drawWord(a.k0, a.k1, 11));
});

/** Chi-square of counts that should be equal, as a number of standard deviations from its mean. */
function chiSquareDeviation(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  let chi = 0;
  for (let i = 0; i < counts.length; i++) chi += (counts[i] - expected) ** 2 / expected;
  return (chi - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1));
}

Deno.test("words are uniform in each of their bytes and fractions in their top and low bits", () => {
  const total = 400_000;
  const counts = Array.from({ length: 6 }, () => new Float64Array(256));
  const { k0, k1 } = substreamKey(3, "uniform", "test");
  for (let i = 0; i < total; i++) {
    const word = drawWord(k0, k1, i);
    for (let byte = 0; byte < 4; byte++) counts[byte][(word >>> (8 * byte)) & 255]++;
    const fraction = drawFraction(k0, k1, i);
    assert(fraction >= 0 && fraction < 1);
    counts[4][Math.floor(fraction * 256)]++;
    counts[5][fraction * 2 ** 53 % 256]++;
  }
  for (const count of counts) assert(Math.abs(chiSquareDeviation(count, total)) < 4.5);
});

Deno.test("first draws of neighbouring identities, seeds and counters are independent", () => {
  const pairs = (draw: (i: number) => number) => {
    const counts = new Float64Array(4096);
    const total = 200_000;
    const words = Array.from({ length: total + 1 }, (_, i) => draw(i));
    for (let i = 0; i < total; i++) counts[((words[i] >>> 26) << 6) | (words[i + 1] >>> 26)]++;
    assert(Math.abs(chiSquareDeviation(counts, total)) < 4.5);
  };
  const first = ({ k0, k1 }: { k0: number; k1: number }) => drawWord(k0, k1, 0);
  pairs((i) => first(substreamKey(1, "loss", `host[${i}]`)));
  pairs((i) => first(substreamKey(i, "loss", "host")));
  pairs((i) => drawWord(1, 2, i));
  pairs((i) => drawWord(1, 2, i * 2 ** 32));
  pairs((i) => drawWord(i, 0, 0));
  pairs((i) => drawWord(0, i, 0));
});

Deno.test("two substreams' words are uncorrelated", () => {
  const [a, b] = [Substream.of(1, "a", "x"), Substream.of(1, "b", "x")];
  let sum = 0;
  const n = 200_000;
  for (let i = 0; i < n; i++) sum += (a.nextFraction() - 0.5) * (b.nextFraction() - 0.5);
  assert(Math.abs(sum / n * 12) < 4.5 / Math.sqrt(n));
});

Deno.test("nextInt is uniform over its range and takes 1 to 2^32", () => {
  const stream = Substream.of(1, "int", "x");
  const counts = new Float64Array(7);
  for (let i = 0; i < 70_000; i++) counts[stream.nextInt(7)]++;
  assert(Math.abs(chiSquareDeviation(counts, 70_000)) < 4.5);
  assertEquals(stream.nextInt(1), 0);
  const high = Array.from({ length: 100 }, () => stream.nextInt(2 ** 32));
  assert(high.every((n) => Number.isInteger(n) && n < 2 ** 32) && high.some((n) => n > 2 ** 31));
  for (const n of [0, -1, 2 ** 32 + 1, NaN]) assertThrows(() => stream.nextInt(n), RangeError, "1 to 2^32");
});

Deno.test("exponential draws have their mean, deviation and memorylessness", () => {
  const stream = Substream.of(1, "exponential", "x");
  const n = 200_000;
  let [sum, squares, aboveMean, aboveTwo] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const x = stream.nextExponential(250);
    assert(x >= 0);
    sum += x;
    squares += x * x;
    if (x > 250) aboveMean++;
    if (x > 500) aboveTwo++;
  }
  assertAlmostEquals(sum / n, 250, 250 * 4.5 / Math.sqrt(n));
  assertAlmostEquals(Math.sqrt(squares / n - (sum / n) ** 2), 250, 250 * 10 / Math.sqrt(n));
  assertAlmostEquals(aboveMean / n, Math.exp(-1), 2.2 / Math.sqrt(n));
  assertAlmostEquals(aboveTwo / aboveMean, Math.exp(-1), 4 / Math.sqrt(n));
});

Deno.test("Pareto draws begin at their scale and have their tail", () => {
  const stream = Substream.of(1, "pareto", "x");
  const n = 200_000;
  let [aboveTen, aboveHundred] = [0, 0];
  for (let i = 0; i < n; i++) {
    const x = stream.nextPareto(1.2, 5);
    assert(x >= 5);
    if (x > 50) aboveTen++;
    if (x > 500) aboveHundred++;
  }
  assertAlmostEquals(aboveTen / n, 10 ** -1.2, 4.5 * Math.sqrt(10 ** -1.2 / n));
  assertAlmostEquals(aboveHundred / n, 100 ** -1.2, 4.5 * Math.sqrt(100 ** -1.2 / n));
});

Deno.test("shuffling keeps the elements and gives every order its share", () => {
  const stream = Substream.of(1, "shuffle", "x");
  const counts = new Map<string, number>();
  for (let i = 0; i < 24_000; i++) {
    const order = stream.shuffle([1, 2, 3, 4]).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assertEquals(counts.size, 24);
  assert(Math.abs(chiSquareDeviation([...counts.values()], 24_000)) < 4.5);
  const before = stream.counter;
  assertEquals(stream.shuffle([]), []);
  assertEquals(stream.counter, before);
  assertNotEquals(stream.shuffle(Array.from({ length: 50 }, (_, i) => i)), Array.from({ length: 50 }, (_, i) => i));
});
