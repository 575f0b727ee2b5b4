import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ackIn } from "../../src/tcp/ack_in.ts";
import { flightAckIn } from "../../src/tcp/flight_ack.ts";
import { send } from "../../src/tcp/mod.ts";
import { ACK_FLAG } from "../../src/tcp/state/ack_sample.ts";
import { RECOVERY } from "../../src/tcp/state/recovery_row.ts";
import { COLD, RTX, RTX_FLAG, TCB, TIMER, WARM } from "../../src/tcp/state/tcb.ts";
import { MS } from "./harness.ts";
import { active, type RawPeer } from "./raw_peer.ts";

/** Everything that an ACK may change in a connection and its stack; records by their place in the queue. */
function stateOf(peer: RawPeer) {
  const { stack } = peer.world;
  const conn = peer.conn;
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const cold = [...stack.cold.words.subarray(row * COLD.STRIDE, (row + (row === 0 ? 0 : 1)) * COLD.STRIDE)];
  const places = new Map([[0, 0]]);
  const records = [];
  const words = stack.segments.words;
  for (let r = cold[COLD.RTX_HEAD] ?? 0; r !== 0; r = words[r * RTX.STRIDE + RTX.NEXT]) places.set(r, places.size);
  for (const r of places.keys()) {
    if (r === 0) continue;
    const record = [...words.subarray(r * RTX.STRIDE, (r + 1) * RTX.STRIDE)];
    for (const field of [RTX.NEXT, RTX.PREV, RTX.SENT_NEXT, RTX.SENT_PREV]) record[field] = places.get(record[field])!;
    records.push(record.slice(0, RTX.DELIVERED_CE + 1));
  }
  for (const field of [COLD.RTX_HEAD, COLD.RTX_TAIL, COLD.RTX_HINT]) {
    if (row !== 0) cold[field] = places.get(cold[field])!;
  }
  const r = cold[COLD.RECOVERY] ?? 0;
  const recovery = [...stack.recoveries.words.subarray(r * RECOVERY.STRIDE, (r + (r === 0 ? 0 : 1)) * RECOVERY.STRIDE)];
  const { SENT_HEAD, SENT_TAIL, HIGHEST_SACK, SACK_FINGER, LOST_HINT } = RECOVERY;
  if (r !== 0) {
    for (const field of [SENT_HEAD, SENT_TAIL, HIGHEST_SACK, SACK_FINGER, LOST_HINT]) {
      recovery[field] = places.get(recovery[field])!;
    }
  }
  return {
    tcb: [...stack.tcbs.words.subarray(conn * TCB.STRIDE, conn * TCB.STRIDE + TIMER.BEGIN)],
    timers: [...stack.timers.subarray(conn * TIMER.STRIDE, conn * TIMER.STRIDE + TIMER.LONE_SENT_US)],
    cold,
    records,
    recovery,
    rows: [stack.cold.inUse, stack.segments.inUse, stack.recoveries.inUse, stack.liveTimers],
    counters: { ...stack.counters },
  };
}

/** What congestion control reads of an ACK. */
const sampleOf = (peer: RawPeer) => [...peer.world.stack.ackSample];

interface Step {
  /** Bytes written before the ACK. */
  bytes: number;
  waitMs: number;
  /** Segments that it acknowledges, and whether one more in part. */
  segments: number;
  part: boolean;
  /** The oldest was sent again, in a recovery that was undone. */
  again: boolean;
}

Deno.test("the short ways of sending a group and through the ACK of a longer flight leave everything as the long ones do", () => {
  let short = 0;
  let long = 0;
  const step = fc.record({
    bytes: fc.constantFrom(0, 1, 1448, 3000, 14480, 100_000),
    waitMs: fc.constantFrom(0, 1, 7, 30, 80),
    segments: fc.integer({ min: 1, max: 9 }),
    part: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    again: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 4, maxLength: 14 }),
      fc.constantFrom("reno", "cubic", "dctcp", "vegas", "bbr"),
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 0, max: 3 }),
      (steps: Step[], congestionControl, tsVal, tailLossProbe, recovers) => {
        const worlds = [0, 1].map(() =>
          active(
            { sackPermitted: true, shift: 9, window: 60000, ...(tsVal ? { tsVal: 5 } : {}) },
            { profileA: { congestionControl, tailLossProbe } },
          )
        );
        // Here each segment of a group is written and recorded by itself.
        worlds[1].world.stack.urgentUsed = true;
        for (const [n, { bytes, waitMs, segments, part, again }] of steps.entries()) {
          for (const [i, peer] of worlds.entries()) {
            const { stack } = peer.world;
            stack.coldOf(peer.conn);
            // From here on with recovery's row.
            if (n === recovers) stack.recoveryOf(peer.conn);
            if (bytes > 0) send(stack, peer.conn, bytes);
            peer.world.drain();
            peer.world.run(waitMs * MS);
            const k = stack.warm[peer.conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE;
            let record = stack.cold.words[k + COLD.RTX_HEAD];
            if (record === 0) continue;
            const records = stack.segments.words;
            if (again) records[record * RTX.STRIDE + RTX.FLAGS] |= RTX_FLAG.EVER;
            let ack = stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.SND_UNA];
            for (let s = 0; s < segments && record !== 0; s++) {
              ack = records[record * RTX.STRIDE + RTX.END];
              record = records[record * RTX.STRIDE + RTX.NEXT];
            }
            if (part && record !== 0) ack = (ack + 1) | 0;
            if (i === 0 && flightAckIn(stack, peer.conn, ack)) short++;
            else {
              if (i === 0) long++;
              ackIn(stack, peer.conn, ack, 0, ACK_FLAG.WINDOW_UPDATED, 0);
            }
          }
          assertEquals(stateOf(worlds[0]), stateOf(worlds[1]));
          assertEquals(worlds[0].take(), worlds[1].take());
          if (congestionControl === "bbr") assertEquals(sampleOf(worlds[0]), sampleOf(worlds[1]));
        }
      },
    ),
    { seed: 6, numRuns: 150 },
  );
  assert(short > 300 && long > 50, `${short} ACKs went the short way, ${long} the long one`);
});
