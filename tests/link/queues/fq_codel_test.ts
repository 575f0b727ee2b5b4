import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FqCodel } from "../../../src/link/queues/fq_codel.ts";
import { packetWorld } from "./support/packets.ts";

const MS = 1e6;
const LIMITS = { queueBytes: Infinity, queuePackets: 10_240, rateBps: 12e6 };

function world(options: { flows?: number; quantumBytes?: number } = {}) {
  const { flows = 1024, quantumBytes = 1500 } = options;
  const { held, packet, flowOf } = packetWorld();
  const settings = {
    kind: "fq-codel",
    targetNs: 5 * MS,
    intervalNs: 100 * MS,
    ecn: false,
    flows,
    quantumBytes,
  } as const;
  return { queue: new FqCodel(settings, held, 0x5eed), held, packet, flowOf };
}

Deno.test("FQ-CoDel serves flows in turn, however much each has waiting", () => {
  const { queue, packet, flowOf } = world();
  for (let i = 0; i < 30; i++) queue.enqueue(packet({ flow: 1 }), 1500, 0, LIMITS);
  for (let i = 0; i < 3; i++) queue.enqueue(packet({ flow: 2 }), 1500, 0, LIMITS);
  const order = Array.from({ length: 8 }, () => flowOf(queue.dequeue(1000)));
  assertEquals(order, [1, 2, 1, 2, 1, 2, 1, 1]);
});

Deno.test("FQ-CoDel shares bytes, not packets", () => {
  const { queue, packet, flowOf } = world();
  const sent = [0, 0, 0];
  for (let i = 0; i < 400; i++) queue.enqueue(packet({ flow: 1, bytes: 300 }), 300, 0, LIMITS);
  for (let i = 0; i < 100; i++) queue.enqueue(packet({ flow: 2 }), 1500, 0, LIMITS);
  for (let i = 0; i < 180; i++) {
    const flow = flowOf(queue.dequeue(1000));
    sent[flow] += flow === 1 ? 300 : 1500;
  }
  assert(Math.abs(sent[1] - sent[2]) <= 1500, `${sent}`);
});

Deno.test("FQ-CoDel serves a flow that has just begun before those that have long had packets", () => {
  const { queue, packet, flowOf } = world();
  for (let flow = 1; flow <= 5; flow++) {
    for (let i = 0; i < 10; i++) queue.enqueue(packet({ flow }), 1500, 0, LIMITS);
  }
  for (let i = 0; i < 7; i++) queue.dequeue(1000);
  queue.enqueue(packet({ flow: 77, bytes: 100 }), 100, 1000, LIMITS);
  assertEquals(flowOf(queue.dequeue(1000)), 77);
});

Deno.test("FQ-CoDel that overflows takes from the fattest flow's head, half of it or 64 packets", () => {
  const { queue, held, packet, flowOf } = world();
  const limits = { ...LIMITS, queuePackets: 300 };
  const first = packet({ flow: 1 });
  queue.enqueue(first, 1500, 0, limits);
  for (let i = 0; i < 199; i++) queue.enqueue(packet({ flow: 1 }), 1500, 0, limits);
  for (let i = 0; i < 100; i++) queue.enqueue(packet({ flow: 2 }), 1500, 0, limits);
  assertEquals(held.overflowed, []);
  queue.enqueue(packet({ flow: 2 }), 1500, 0, limits);
  assertEquals([held.overflowed.length, held.overflowed[0]], [64, first]);
  assert(held.overflowed.every((p) => flowOf(p) === 1));
  assertEquals([queue.packets, queue.bytes], [237, 237 * 1500]);
});

Deno.test("FQ-CoDel puts no packet of a long queue's delay upon another flow", () => {
  const { queue, held, packet, flowOf } = world();
  let worst = 0;
  const came = new Map<number, number>();
  for (let ms = 0; ms < 2000; ms++) {
    // One flow sends twice what the link takes; the other a small packet each 20 ms.
    for (let i = 0; i < 2; i++) queue.enqueue(packet({ flow: 1 }), 1500, ms * MS, LIMITS);
    if (ms % 20 === 0) {
      const p = packet({ flow: 2, bytes: 100 });
      came.set(p, ms);
      queue.enqueue(p, 100, ms * MS, LIMITS);
    }
    const p = queue.dequeue(ms * MS);
    if (flowOf(p) === 2) worst = Math.max(worst, ms - came.get(p)!);
    held.early.length = 0;
  }
  assert(queue.earlyDrops > 10);
  assert(worst <= 1, `${worst} ms`);
});

Deno.test("FQ-CoDel loses and invents nothing: what came in is sent, dropped or waits, each once, in order within a flow", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({
        flow: fc.integer({ min: 1, max: 6 }),
        bytes: fc.integer({ min: 40, max: 1500 }),
        serve: fc.boolean(),
      }),
      {
        maxLength: 300,
      },
    ),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 4 }),
    (arrivals, queuePackets, flows) => {
      const { queue, held, packet, flowOf } = world({ flows, quantumBytes: 700 });
      const order = new Map<number, number>();
      const last = new Map<number, number>();
      let sent = 0;
      const take = (nowNs: number) => {
        const p = queue.dequeue(nowNs);
        if (p === 0) return false;
        sent++;
        assert((last.get(flowOf(p)) ?? -1) < order.get(p)!);
        last.set(flowOf(p), order.get(p)!);
        return true;
      };
      for (const [i, { flow, bytes, serve }] of arrivals.entries()) {
        const p = packet({ flow, bytes });
        order.set(p, i);
        queue.enqueue(p, bytes, i * 3 * MS, { ...LIMITS, queuePackets });
        if (serve) take(i * 3 * MS);
      }
      assert(queue.packets <= queuePackets);
      while (take(arrivals.length * 3 * MS));
      assertEquals([queue.packets, queue.bytes], [0, 0]);
      assertEquals(sent + held.early.length + held.overflowed.length, arrivals.length);
      assertEquals(new Set([...held.early, ...held.overflowed]).size, held.early.length + held.overflowed.length);
    },
  ));
});
