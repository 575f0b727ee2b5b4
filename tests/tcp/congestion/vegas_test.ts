import { assert, assertEquals } from "@std/assert";
import { CA, COLD } from "../../../src/tcp/state/tcb.ts";
import { CONGESTION_EVENT } from "../../../src/tcp/congestion/types.ts";
import { Lone } from "./lone.ts";

/** Round trips over a path that holds `room` segments in `baseUs` when empty: what is more waits in a queue. */
function rounds(flow: Lone, count: number, room: number, baseUs = 50_000): number {
  for (let round = 0; round < count; round++) {
    const window = flow.cwnd;
    const rttUs = Math.max(baseUs, Math.floor(baseUs * window / room));
    flow.send(window - flow.cold(COLD.PACKETS_OUT));
    for (let i = 0; i < window; i++) {
      flow.wait(rttUs / 1000 / window);
      flow.ack(1, rttUs);
      flow.send(Math.max(0, flow.cwnd - flow.cold(COLD.PACKETS_OUT)));
    }
  }
  return flow.cwnd;
}

Deno.test("Vegas keeps two to four segments in the queue, whatever the path holds", () => {
  for (const room of [20, 63, 200]) {
    const flow = new Lone("vegas");
    rounds(flow, 40 + room, room);
    for (let i = 0; i < 10; i++) {
      const queued = rounds(flow, 1, room) - room;
      assert(queued >= 1 && queued <= 6, `${queued} beyond ${room}`);
    }
  }
});

Deno.test("Vegas leaves slow start without a loss once a segment of its own queues", () => {
  const flow = new Lone("vegas");
  rounds(flow, 12, 60);
  assert(flow.ssthresh < 130, `${flow.ssthresh}`);
});

Deno.test("Vegas behaves like Reno while losses are repaired, and listens again afterwards", () => {
  const flow = new Lone("vegas", { cwnd: 40 });
  flow.lose();
  assertEquals(flow.cwnd, 20);
  flow.algorithm.onState!(flow.stack, flow.conn, CA.RECOVERY);
  flow.setCold(COLD.CA_STATE, flow.cold(COLD.CA_STATE) | CA.RECOVERY);
  // Delays that would make it shrink say nothing now.
  flow.send(20);
  for (let i = 0; i < 20; i++) flow.ack(1, i < 2 ? 10_000 : 100_000);
  assertEquals(flow.cwnd, 21);
  flow.algorithm.onState!(flow.stack, flow.conn, CA.OPEN);
  flow.setCold(COLD.CA_STATE, flow.cold(COLD.CA_STATE) & ~0xff);
  rounds(flow, 10, 5);
  assert(flow.cwnd < 21);
});

Deno.test("after a silence Vegas measures the path anew", () => {
  const flow = new Lone("vegas");
  rounds(flow, 60, 30, 20_000);
  const settled = flow.cwnd;
  flow.algorithm.onEvent!(flow.stack, flow.conn, CONGESTION_EVENT.TX_START);
  // A longer path now: with the old base it would seem to be full of its own segments.
  assert(rounds(flow, 60, 60, 80_000) > settled + 10);
});
