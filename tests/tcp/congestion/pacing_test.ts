import { assertEquals } from "@std/assert";
import { isPaced, pacingRate } from "../../../src/tcp/pacing_rate.ts";
import { writeSetting } from "../../../src/tcp/settings.ts";
import { COLD, SETTINGS } from "../../../src/tcp/state/tcb.ts";
import { Lone } from "./lone.ts";

Deno.test("the pacing rate is twice a window in a round trip in slow start, 1.2 times near the threshold and above", () => {
  const flow = new Lone("reno", { cwnd: 10, srttUs: 10_000 });
  // 10 segments of 1,000 bytes in 10 ms: 1 MB/s.
  assertEquals(pacingRate(flow.stack, flow.conn), 2e6);
  flow.setCold(COLD.SSTHRESH, 20);
  assertEquals(pacingRate(flow.stack, flow.conn), 1.2e6);
  flow.setCold(COLD.SSTHRESH, 22);
  assertEquals(pacingRate(flow.stack, flow.conn), 2e6);
  // More in flight than the window, after a reduction.
  flow.send(40);
  assertEquals(pacingRate(flow.stack, flow.conn), 8e6);
});

Deno.test("the profile sets both shares; without a round trip there is no rate", () => {
  const profile = { pacingSlowStartPercent: 300, pacingAvoidancePercent: 50 };
  const flow = new Lone("reno", { cwnd: 10, srttUs: 10_000, profile });
  assertEquals(pacingRate(flow.stack, flow.conn), 3e6);
  flow.setCold(COLD.SSTHRESH, 5);
  assertEquals(pacingRate(flow.stack, flow.conn), 0.5e6);
  const fresh = new Lone("reno");
  assertEquals(pacingRate(fresh.stack, fresh.conn), 0);
});

Deno.test("SO_MAX_PACING_RATE is a ceiling, and asks for pacing", () => {
  const flow = new Lone("reno", { cwnd: 10, srttUs: 10_000 });
  assertEquals(isPaced(flow.stack, flow.conn), false);
  writeSetting(flow.stack, flow.conn, SETTINGS.MAX_PACING_RATE, 1.5e6);
  assertEquals([isPaced(flow.stack, flow.conn), pacingRate(flow.stack, flow.conn)], [true, 1.5e6]);
  writeSetting(flow.stack, flow.conn, SETTINGS.MAX_PACING_RATE, 3e6);
  assertEquals(pacingRate(flow.stack, flow.conn), 2e6);
});

Deno.test("who sets a rate of its own is paced, others where the profile says so", () => {
  const paced = (algorithm: string, pacing: boolean) => {
    const flow = new Lone(algorithm, { profile: { pacing } });
    return isPaced(flow.stack, flow.conn);
  };
  assertEquals([paced("bbr", false), paced("cubic", false), paced("cubic", true)], [true, false, true]);
});
