import { assert, assertEquals } from "@std/assert";
import type { RedSettings } from "../../../src/link/queues/discipline.ts";
import { Red } from "../../../src/link/queues/red.ts";
import { packetWorld } from "./support/packets.ts";

const LIMITS = { queueBytes: Infinity, queuePackets: 1000, rateBps: 8e6 };

function world(settings: Partial<RedSettings> = {}, key = 1) {
  const { held, packet, isMarked } = packetWorld();
  const red = new Red(
    { kind: "red", ecn: false, minThreshold: 20, maxThreshold: 60, maxProbability: 0.1, weight: 1, ...settings },
    held,
    key,
    7,
  );
  return { red, held, packet, isMarked };
}

/** The share that is dropped or marked while the queue stays at `length` packets. */
function share(length: number, settings: Partial<RedSettings> = {}): number {
  const { red, held, packet } = world(settings);
  let tries = 0;
  while (red.packets < length) red.enqueue(packet(), 1500, 0, LIMITS);
  const before = red.earlyDrops;
  while (tries < 20_000) {
    tries++;
    red.enqueue(packet(), 1500, 0, LIMITS);
    if (red.packets > length) red.dequeue(0);
    held.early.length = 0;
  }
  return (red.earlyDrops - before) / tries;
}

Deno.test("RED drops nothing below its lower threshold", () => {
  assertEquals(share(19), 0);
});

/** By the paper's section 4: the n-th packet after a drop is dropped with p / (1 - n p). */
function expectedShare(p: number): number {
  let left = 1;
  let meanGap = 0;
  for (let n = 1; left > 1e-12; n++) {
    const hit = n * p >= 1 ? 1 : Math.min(1, p / (1 - n * p));
    meanGap += left * hit * n;
    left *= 1 - hit;
  }
  return 1 / meanGap;
}

Deno.test("RED's share rises with the average, and its drops are spread as the paper has them", () => {
  for (const [length, p] of [[30, 0.025], [40, 0.05], [50, 0.075]]) {
    const expected = expectedShare(p);
    assert(Math.abs(share(length) - expected) < 0.08 * expected, `${length}: ${share(length)}, expected ${expected}`);
  }
});

Deno.test("gentle RED's share goes on rising between the upper threshold and twice it, where it is all", () => {
  const expected = expectedShare(0.1 + 0.9 * 0.25);
  assert(Math.abs(share(75) - expected) < 0.02, `${share(75)}, expected ${expected}`);
  const { red, packet } = world({ weight: 1, maxProbability: 1e-9 });
  for (let i = 0; i < 400; i++) red.enqueue(packet(), 1500, 0, LIMITS);
  assert(red.packets <= 121, `${red.packets}`);
});

Deno.test("RED's average follows the queue by its weight, and falls while the link is idle", () => {
  const { red, held, packet } = world({ weight: 0.002, maxProbability: 1, minThreshold: 5, maxThreshold: 15 });
  for (let i = 0; i < 60; i++) red.enqueue(packet(), 1500, 0, LIMITS);
  // 60 arrivals move the average by 0.002 each towards a queue of up to 60: below 5 still.
  assertEquals(held.early.length, 0);
  for (let i = 0; i < 200; i++) red.enqueue(packet(), 1500, 0, LIMITS);
  assert(red.earlyDrops > 0);
  const drops = red.earlyDrops;
  while (red.dequeue(0) !== 0);
  // After 10 s of an idle 8 Mbit/s, 10,000 packets of 1,000 bytes would have passed: nothing is left of the average.
  for (let i = 0; i < 50; i++) red.enqueue(packet(), 1500, 10e9, LIMITS);
  assertEquals(red.earlyDrops, drops);
});

Deno.test("RED with ECN marks capable packets between the thresholds, and drops beyond", () => {
  const { red, held, packet, isMarked } = world({ ecn: true, maxProbability: 1 });
  const sent = Array.from({ length: 200 }, () => packet({ capable: true }));
  for (const p of sent) red.enqueue(p, 1500, 0, LIMITS);
  assert(red.marks > 0);
  assertEquals(sent.filter(isMarked).length, red.marks);
  assert(held.early.length > 0 && held.early.every((p) => !isMarked(p)));
});

Deno.test("RED with thresholds in bytes counts bytes", () => {
  const { red, packet } = world({ minThreshold: 30_000, maxThreshold: 90_000 });
  const limits = { queueBytes: 1e6, queuePackets: Infinity, rateBps: 8e6 };
  for (let i = 0; i < 20; i++) red.enqueue(packet(), 1500, 0, limits);
  assertEquals([red.earlyDrops, red.bytes], [0, 30_000]);
  for (let i = 0; i < 60; i++) red.enqueue(packet(), 1500, 0, limits);
  assert(red.earlyDrops > 0);
});
