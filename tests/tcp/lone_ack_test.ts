import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ackIn } from "../../src/tcp/ack_in.ts";
import { loneAckIn } from "../../src/tcp/lone_ack.ts";
import { send } from "../../src/tcp/mod.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../../src/tcp/state/ack_sample.ts";
import { COLD, FLAG, TCB, TIMER, WARM } from "../../src/tcp/state/tcb.ts";
import { MS } from "./harness.ts";
import { active, type RawOptions, type RawPeer } from "./raw_peer.ts";

/** Everything that an ACK may change in a connection and its stack. */
function stateOf(peer: RawPeer) {
  const { stack } = peer.world;
  const conn = peer.conn;
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const cold = row === 0 ? [] : [...stack.cold.words.subarray(row * COLD.STRIDE, (row + 1) * COLD.STRIDE)];
  // What an algorithm reads; the rest of the sample is left from earlier ACKs where nothing wants it.
  const S = ACK_SAMPLE;
  const sample = [S.FLAGS, S.ACKED, S.RTT_US, S.IN_FLIGHT, S.PRIOR_IN_FLIGHT, S.ACKED_BYTES, S.DELIVERED, S.LOST];
  return {
    tcb: [...stack.tcbs.words.subarray(conn * TCB.STRIDE, conn * TCB.STRIDE + TIMER.BEGIN)],
    timers: [...stack.timers.subarray(conn * TIMER.STRIDE, conn * TIMER.STRIDE + TIMER.LONE_SENT_US)],
    cold,
    rows: [stack.cold.inUse, stack.segments.inUse, stack.recoveries.inUse, stack.liveTimers],
    sample: sample.map((field) => stack.ackSample[field]),
    counters: { ...stack.counters },
  };
}

interface Flight {
  bytes: number;
  waitMs: number;
}

Deno.test("the short way through the ACK of a lone segment leaves everything as the long way does", () => {
  let short = 0;
  const flight = fc.record({
    bytes: fc.constantFrom(1, 100, 1447, 1448, 1460, 3000),
    waitMs: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(
      fc.array(flight, { minLength: 1, maxLength: 8 }),
      fc.constantFrom("reno", "cubic", "dctcp", "vegas", "bbr"),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(1, 2, 10, 40),
      (flights: Flight[], congestionControl, sackPermitted, stamps, initialWindowSegments) => {
        const options: RawOptions = { sackPermitted, shift: 7, ...(stamps ? { tsVal: 5 } : {}) };
        const worlds = [0, 1].map(() =>
          active(options, { profileA: { congestionControl, initialWindowSegments, tailLossProbe: false } })
        );
        for (const { bytes, waitMs } of flights) {
          for (const [i, peer] of worlds.entries()) {
            const { stack } = peer.world;
            // A flight with rows, which the first world's may otherwise have none of.
            stack.coldOf(peer.conn);
            send(stack, peer.conn, bytes);
            peer.world.drain();
            peer.world.run(waitMs * MS);
            const ack = stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.SND_NXT];
            if (stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.SND_UNA] === ack) return;
            assertEquals(stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK, 4);
            if (i === 0 && loneAckIn(stack, peer.conn, ack)) short++;
            else {
              stack.coldOf(peer.conn);
              ackIn(stack, peer.conn, ack, 0, ACK_FLAG.WINDOW_UPDATED, 0);
            }
          }
          assertEquals(stateOf(worlds[0]), stateOf(worlds[1]));
        }
      },
    ),
    { seed: 6, numRuns: 150 },
  );
  assert(short > 50, `only ${short} ACKs went the short way`);
});
