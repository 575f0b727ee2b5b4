import { assertEquals } from "@std/assert";
import { COLD } from "../../../src/tcp/state/tcb.ts";
import { Lone } from "./lone.ts";

Deno.test("Reno doubles its window in a round trip of slow start, up to the threshold (RFC 5681 3.1)", () => {
  const flow = new Lone("reno");
  for (let i = 0; i < 10; i++) flow.ack(1);
  assertEquals(flow.cwnd, 20);
  flow.setCold(COLD.SSTHRESH, 25);
  flow.ack(20);
  // 5 of the 20 lead to the threshold, 15 count towards the next segment.
  assertEquals([flow.cwnd, flow.cold(COLD.CWND_COUNT)], [25, 15]);
});

Deno.test("Reno adds a segment for every window that is acknowledged in congestion avoidance", () => {
  const flow = new Lone("reno", { cwnd: 10 });
  flow.setCold(COLD.SSTHRESH, 10);
  const windows: number[] = [];
  for (let round = 0; round < 5; round++) {
    for (let left = flow.cwnd; left > 0; left--) flow.ack(1);
    windows.push(flow.cwnd);
  }
  assertEquals(windows, [11, 12, 13, 14, 15]);
});

Deno.test("a stretch ACK counts for all that it acknowledges (RFC 3465)", () => {
  const [one, many] = [new Lone("reno", { cwnd: 10 }), new Lone("reno", { cwnd: 10 })];
  for (const flow of [one, many]) flow.setCold(COLD.SSTHRESH, 10);
  for (let i = 0; i < 60; i++) one.ack(1);
  for (let i = 0; i < 20; i++) many.ack(3);
  assertEquals(many.cwnd, one.cwnd);
});

Deno.test("Reno halves its window, to two segments at least, and keeps no row", () => {
  const flow = new Lone("reno", { cwnd: 21 });
  flow.lose();
  assertEquals(flow.ssthresh, 10);
  flow.cwnd = 3;
  flow.lose();
  assertEquals([flow.ssthresh, flow.cold(COLD.CC)], [2, 0]);
});
