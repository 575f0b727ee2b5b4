import { assert, assertEquals } from "@std/assert";
import { Codel } from "../../../src/link/queues/codel.ts";
import { packetWorld } from "./support/packets.ts";

const MS = 1e6;
const LIMITS = { queueBytes: Infinity, queuePackets: 1000, rateBps: 12e6 };

/** A queue, and packets of 1,500 bytes for it. */
function world(options: { ecn?: boolean } = {}) {
  const { held, packet } = packetWorld();
  return {
    codel: new Codel({ kind: "codel", targetNs: 5 * MS, intervalNs: 100 * MS, ecn: options.ecn ?? false }, held),
    held,
    packet,
  };
}

/** Serves a queue that never empties for a while, one packet each ms; returns when packets were dropped, in ms. */
function overload(w: ReturnType<typeof world>, forMs: number, capable = false): number[] {
  const drops: number[] = [];
  for (let i = 0; i < 50; i++) w.codel.enqueue(w.packet({ capable }), 1500, 0, LIMITS);
  for (let ms = 1; ms <= forMs; ms++) {
    w.codel.enqueue(w.packet({ capable }), 1500, ms * MS, LIMITS);
    w.codel.dequeue(ms * MS);
    for (const _ of w.held.early.splice(0)) drops.push(ms);
    if (drops.length > 0 && w.codel.packets < 40) w.codel.enqueue(w.packet({ capable }), 1500, ms * MS, LIMITS);
  }
  return drops;
}

Deno.test("CoDel drops nothing before the delay has been above the target for an interval", () => {
  const drops = overload(world(), 1000);
  // The first packet above 5 ms leaves at 6 ms (rounded to its stamp's 1,024 ns), and the interval is 100 ms.
  assert(drops[0] >= 105 && drops[0] <= 107, `${drops[0]}`);
});

Deno.test("CoDel's drops come closer with the square root of their number", () => {
  const drops = overload(world(), 1000);
  const gaps = drops.slice(1, 8).map((at, i) => at - drops[i]);
  for (const [i, gap] of gaps.entries()) {
    // RFC 8289 3.3: interval / sqrt(count).
    assert(Math.abs(gap - 100 / Math.sqrt(i + 1)) <= 1.5, `gap ${i + 1} is ${gap} ms`);
  }
});

Deno.test("CoDel leaves a queue alone whose delay is below the target", () => {
  const w = world();
  for (let ms = 1; ms <= 1000; ms++) {
    w.codel.enqueue(w.packet(), 1500, ms * MS, LIMITS);
    w.codel.enqueue(w.packet(), 1500, ms * MS, LIMITS);
    w.codel.dequeue((ms + 1) * MS);
    w.codel.dequeue((ms + 1) * MS);
  }
  assertEquals(w.codel.earlyDrops, 0);
});

Deno.test("CoDel with ECN marks what it would have dropped, if the packet is capable", () => {
  const capable = world({ ecn: true });
  assertEquals(overload(capable, 500, true), []);
  assert(capable.codel.marks > 3);
  const plain = world({ ecn: true });
  assert(overload(plain, 500, false).length > 3);
  assertEquals(plain.codel.marks, 0);
});

Deno.test("a full CoDel queue refuses the packet that comes", () => {
  const w = world();
  const limits = { ...LIMITS, queuePackets: 2 };
  const three = [w.packet(), w.packet(), w.packet()];
  for (const p of three) w.codel.enqueue(p, 1500, 0, limits);
  assertEquals(w.held.overflowed, [three[2]]);
  assertEquals([w.codel.packets, w.codel.bytes], [2, 3000]);
  assertEquals([w.codel.dequeue(1), w.codel.dequeue(1), w.codel.dequeue(1)], [three[0], three[1], 0]);
  assertEquals([w.codel.packets, w.codel.bytes], [0, 0]);
});
