import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { receive, receiveBytes, send } from "../../src/tcp/mod.ts";
import { RECEIVER } from "../../src/tcp/state/receiver_row.ts";
import { FLAG, TCB, TIMER, WARM } from "../../src/tcp/state/tcb.ts";
import { CONTROL } from "../../src/wire/packet.ts";
import { receiverAt } from "../../src/tcp/window.ts";
import { MS } from "./harness.ts";
import { passive, type RawOptions, type RawPeer } from "./raw_peer.ts";

/** What a connection and its stack show, but for the account that makes one of them go the long way. */
function stateOf(peer: RawPeer) {
  const { stack } = peer.world;
  const { conn } = peer;
  const tcb = [...stack.tcbs.words.subarray(conn * TCB.STRIDE, conn * TCB.STRIDE + TIMER.BEGIN)];
  tcb[TCB.STATE] &= ~FLAG.ACCOUNTED;
  tcb[WARM.COLD] = 0;
  const r = receiverAt(stack, conn);
  return {
    tcb,
    timers: [...stack.timers.subarray(conn * TIMER.STRIDE, conn * TIMER.STRIDE + TIMER.LONE_SENT_US)],
    receiver: r === 0 ? [] : [...stack.receivers.words.subarray(r, r + RECEIVER.STRIDE)],
    liveTimers: stack.liveTimers,
    counters: { ...stack.counters },
    events: peer.world.events.map(({ kind, arg, time }) => [kind, arg, time]),
    sent: peer.world.toRaw.slice(-4),
  };
}

const step = fc.record({
  length: fc.constantFrom(1448, 1448, 1448, 1448, 1448, 1448, 536, 60),
  push: fc.constantFrom(false, false, false, true),
  waitUs: fc.constantFrom(0, 12, 12, 12, 300, 1_000, 15_000, 30_000, 250_000),
  /** Skips a segment, comes again, or announces an urgent byte. */
  odd: fc.constantFrom("", "", "", "", "", "", "", "", "gap", "again", "urgent", "window"),
  reads: fc.constantFrom(0x7fffffff, 0x7fffffff, 0x7fffffff, 700, 0),
  sends: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 100),
});

Deno.test("the short ways of a flow's segments and reads leave everything as the long ways do", () => {
  // `flowIn` compares the two at once.
  assertEquals<number>(FLAG.TIMESTAMPS, CONTROL.HAS_TIMESTAMPS);
  let flowing = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 10, maxLength: 60 }),
      fc.boolean(),
      fc.constantFrom(0, 1, 40),
      fc.constantFrom(16_384, 131_072),
      fc.constantFrom(1000, 0x9000_0000),
      (steps, stamps, delayedAckMs, receiveBufferBytes, isn) => {
        const options: RawOptions = { sackPermitted: true, shift: 7, isn, ...(stamps ? { tsVal: 5 } : {}) };
        const [short, long] = [false, true].map((accounting) =>
          passive(options, { profileB: { accounting, delayedAckMs, receiveBufferBytes } })
        );
        for (const { length, push, waitUs, odd, reads, sends } of steps) {
          for (const peer of [short, long]) {
            const { stack } = peer.world;
            // An account keeps this row.
            stack.coldOf(peer.conn);
            peer.world.run(waitUs * MS / 1000);
            peer.take();
            if (stamps) peer.tsVal = 5 + Math.floor(peer.world.nowNs / MS);
            peer.ack = stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.SND_NXT] >>> 0;
            if (odd === "gap") peer.seq += 1448;
            if (odd === "window") peer.window = peer.window === 65535 ? 60000 : 65535;
            const back = odd === "again" ? 1448 : 0;
            peer.send(push ? "P." : ".", { seq: peer.seq - back, length, ...(odd === "urgent" ? { urgent: 9 } : {}) });
            if (back === 0) peer.seq += length;
            if (sends > 0) send(stack, peer.conn, sends);
            const next = stack.tcbs.words[peer.conn * TCB.STRIDE + TCB.RCV_NXT] >>> 0;
            // What was skipped comes in the end.
            if (next !== peer.seq && odd === "") peer.send(".", { seq: next, length: 1448 });
            if (reads > 0 && peer === short) receive(stack, peer.conn, reads);
            if (reads > 0 && peer === long) receiveBytes(stack, peer.conn, Math.min(reads, 1 << 20));
            peer.world.drain();
          }
          assertEquals(stateOf(short), stateOf(long));
          if (receiverAt(short.world.stack, short.conn) !== 0 && length === 1448 && odd === "") flowing++;
        }
      },
    ),
    { seed: 6, numRuns: 60 },
  );
  assert(flowing > 500, `only ${flowing} segments could go the short way`);
});
