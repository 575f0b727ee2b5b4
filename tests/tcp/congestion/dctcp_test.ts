import { assert, assertEquals } from "@std/assert";
import { dctcpAlpha } from "../../../src/tcp/congestion/dctcp.ts";
import { CONGESTION_EVENT, setCongestionParameter } from "../../../src/tcp/congestion/types.ts";
import { ACK_FLAG } from "../../../src/tcp/state/ack_sample.ts";
import { CA, COLD } from "../../../src/tcp/state/tcb.ts";
import { Lone } from "./lone.ts";

/** Windows of `segments` segments, always in flight, of which the share `marked` is acknowledged with ECE. */
function windows(flow: Lone, count: number, segments: number, marked: number): void {
  if (flow.cold(COLD.PACKETS_OUT) === 0) flow.send(segments);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < segments; j++) {
      flow.ack(1, -1, j < segments * marked ? ACK_FLAG.ECE : 0, false);
      flow.send(1);
    }
  }
}

Deno.test("alpha begins at 1 and follows the share of marked bytes with a gain of 1/16 (RFC 8257 3.3)", () => {
  for (const share of [0, 0.25, 0.5, 1]) {
    const flow = new Lone("dctcp", { ecn: true });
    let alpha = 1;
    for (let round = 0; round < 30; round++) {
      windows(flow, 1, 40, share);
      alpha += (share - alpha) / 16;
      assert(Math.abs(dctcpAlpha(flow.stack, flow.conn) - alpha) < 0.03, `${share} ${round} ${alpha}`);
    }
    windows(flow, 200, 40, share);
    assert(Math.abs(dctcpAlpha(flow.stack, flow.conn) - share) < 0.03, `${dctcpAlpha(flow.stack, flow.conn)}`);
  }
});

Deno.test("the gain and the first alpha are parameters", () => {
  const flow = new Lone("dctcp", { ecn: true });
  setCongestionParameter(flow.stack, "dctcp", "dctcp_alpha_on_init", 512);
  setCongestionParameter(flow.stack, "dctcp", "dctcp_shift_g", 1);
  windows(flow, 1, 10, 0);
  assertEquals(dctcpAlpha(flow.stack, flow.conn), 0.25);
  windows(flow, 1, 10, 0);
  assertEquals(dctcpAlpha(flow.stack, flow.conn), 0.125);
});

Deno.test("the window is cut by alpha / 2 for marks, and in half for losses", () => {
  const flow = new Lone("dctcp", { ecn: true, cwnd: 100 });
  windows(flow, 200, 40, 0.25);
  const cut = flow.algorithm.ssthreshAfterLoss(flow.stack, flow.conn);
  assert(cut >= 86 && cut <= 89, `${cut}`);
  flow.algorithm.onState!(flow.stack, flow.conn, CA.RECOVERY);
  assertEquals(flow.ssthresh, 50);
  flow.cwnd = 40;
  flow.algorithm.onEvent!(flow.stack, flow.conn, CONGESTION_EVENT.LOSS);
  assertEquals(flow.ssthresh, 20);
  flow.cwnd = 20;
  assertEquals(flow.algorithm.undoWindow!(flow.stack, flow.conn), 40);
});

Deno.test("without ECN it is Reno, and takes no row", () => {
  const flow = new Lone("dctcp", { cwnd: 100 });
  windows(flow, 3, 10, 0);
  flow.lose();
  flow.algorithm.onState!(flow.stack, flow.conn, CA.RECOVERY);
  assertEquals(flow.ssthresh, 50);
  assertEquals(flow.stack.congestionPools.every((pool) => pool === undefined), true);
});
