import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { releaseColdAtRest } from "../../src/tcp/cold_row.ts";
import { send } from "../../src/tcp/mod.ts";
import { COLD, RTX, TCB, TIMER, WARM } from "../../src/tcp/state/tcb.ts";
import { MS } from "./harness.ts";
import { active, opening, type RawOptions, type RawPeer } from "./raw_peer.ts";

/** Everything that a connection is, its rows included, and what the stack has counted. */
function stateOf(peer: RawPeer) {
  const { stack } = peer.world;
  const conn = peer.conn;
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const cold = row === 0 ? [] : [...stack.cold.words.subarray(row * COLD.STRIDE, (row + 1) * COLD.STRIDE)];
  const record = cold[COLD.RTX_HEAD] ?? 0;
  const at = record * RTX.STRIDE;
  const warm = [...stack.warm.subarray(conn * WARM.STRIDE, conn * WARM.STRIDE + TIMER.BEGIN)];
  // The number of a row means nothing.
  warm[WARM.COLD] = row === 0 ? 0 : 1;
  for (const field of [COLD.RTX_HEAD, COLD.RTX_TAIL]) if (cold.length > 0) cold[field] = cold[field] === 0 ? 0 : 1;
  return {
    tcb: [...stack.tcbs.words.subarray(conn * TCB.STRIDE, conn * TCB.STRIDE + TIMER.BEGIN)],
    warm,
    timers: [...stack.timers.subarray(conn * TIMER.STRIDE, conn * TIMER.STRIDE + TIMER.LONE_SENT_US)],
    cold,
    record: record === 0 ? [] : [...stack.segments.words.subarray(at, at + RTX.STRIDE)],
    rows: [stack.cold.inUse, stack.segments.inUse, stack.recoveries.inUse, stack.liveTimers],
    counters: { ...stack.counters },
  };
}

/** What happens after a write, `waitMs` later. */
const NEXT = ["ack", "look", "part", "data", "write", "older", "silence"] as const;

interface Step {
  bytes: number;
  waitMs: number;
  next: typeof NEXT[number];
}

/** The host writes, and the raw peer goes on as `next` says; but for "look", all is acknowledged in the end. */
function act(peer: RawPeer, { bytes, waitMs, next }: Step): boolean {
  const { stack } = peer.world;
  const c = peer.conn * TCB.STRIDE;
  send(stack, peer.conn, bytes);
  const lone = stack.warm[peer.conn * WARM.STRIDE + WARM.COLD] === 0;
  peer.world.drain();
  peer.world.run(next === "silence" ? 1500 * MS : waitMs * MS);
  const una = stack.tcbs.words[c + TCB.SND_UNA];
  if (next === "look") {
    stack.coldOf(peer.conn);
    return lone;
  }
  if (next === "write") {
    send(stack, peer.conn, bytes);
    peer.world.drain();
  }
  if (peer.tsVal !== undefined) peer.tsVal += waitMs;
  if (next === "data") {
    // Data that acknowledges nothing new.
    peer.ack = una;
    peer.send(".", { length: 10 });
    peer.seq += 10;
  } else if (next === "older") peer.send(".", { ack: una - 1, window: 1000 });
  if (next === "part" && bytes > 1) peer.send(".", { ack: una + (bytes >> 1) });
  peer.world.run(MS);
  peer.ack = stack.tcbs.words[c + TCB.SND_NXT];
  peer.send(".");
  peer.world.run(MS);
  return lone;
}

Deno.test("a lone flight leaves everything as one with rows does, whatever becomes of it", () => {
  let lone = 0;
  const step = fc.record({
    bytes: fc.constantFrom(1, 100, 1447, 1448, 1460, 3000),
    waitMs: fc.integer({ min: 1, max: 400 }),
    next: fc.constantFrom(...NEXT),
  });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.constantFrom("reno", "cubic", "vegas"),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(1, 2, 10, 40),
      fc.constantFrom(900, 65535),
      (steps: Step[], congestionControl, sackPermitted, stamps, tailLossProbe, initialWindowSegments, window) => {
        const options: RawOptions = { sackPermitted, shift: 7, window, ...(stamps ? { tsVal: 5 } : {}) };
        const [plain, withRows] = [0, 1].map(() =>
          active(options, { profileA: { congestionControl, initialWindowSegments, tailLossProbe } })
        );
        for (const one of steps) {
          for (const peer of [plain, withRows]) {
            const { stack } = peer.world;
            // Where there is a cold row, no flight is lone.
            if (peer === withRows) stack.coldOf(peer.conn);
            const isLone = act(peer, one);
            if (peer === plain && isLone) lone++;
          }
          assertEquals(plain.world.toRaw, withRows.world.toRaw);
          for (const peer of [plain, withRows]) peer.world.stack.coldOf(peer.conn);
          assertEquals(stateOf(plain), stateOf(withRows));
          for (const peer of [plain, withRows]) releaseColdAtRest(peer.world.stack, peer.conn);
        }
      },
    ),
    { seed: 3, numRuns: 300 },
  );
  assert(lone > 50, `only ${lone} flights were lone`);
});

Deno.test("one entry of the driver's wheel serves a handshake and the first request", () => {
  const peer = opening({ sackPermitted: true });
  const { stack } = peer.world;
  assert(stack.timers[peer.conn * TIMER.STRIDE + TIMER.REXMIT] !== 0);
  const queued = stack.timers[peer.conn * TIMER.STRIDE + TIMER.QUEUED_AT];
  peer.world.run(36 * MS);
  peer.send("S.", peer.synOptions);
  peer.seq++;
  send(stack, peer.conn, 100);
  peer.world.drain();
  const at = peer.conn * TIMER.STRIDE;
  assert(((stack.timers[at + TIMER.REXMIT] - queued) | 0) >= 0, "the request's timer is not before the first look");
  assertEquals(stack.timers[at + TIMER.QUEUED_AT], queued);
  peer.ack += 100;
  peer.send(".");
  peer.world.run(300 * MS);
  assertEquals(stack.timers[at + TIMER.QUEUED_AT], 0);
});
