import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { cubicDistance, cubicK } from "../../../src/tcp/congestion/cubic.ts";
import { congestionParameter, setCongestionParameter } from "../../../src/tcp/congestion/types.ts";
import { CA, COLD } from "../../../src/tcp/state/tcb.ts";
import { Lone } from "./lone.ts";

const SCALE = 41;

Deno.test("K is the whole number whose cube is at most (W_max - cwnd) / C, exactly", () => {
  const factor = BigInt(Math.floor(2 ** 40 / (SCALE * 10)));
  fc.assert(fc.property(fc.integer({ min: 0, max: 3_000_000 }), (below) => {
    const k = BigInt(cubicK(below, SCALE));
    const cube = factor * BigInt(below);
    assert(k ** 3n <= cube && (k + 1n) ** 3n > cube);
  }));
});

Deno.test("C (t - K)^3 is exact to the last bit, as far as time goes", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 21 }), (offset) => {
    const exact = (BigInt(SCALE * 10) * BigInt(offset) ** 3n) >> 40n;
    assertEquals(BigInt(cubicDistance(offset, SCALE)), exact);
  }));
});

Deno.test("a loss takes the window to 0.7 of itself (RFC 9438 4.6), and the parameter beta elsewhere", () => {
  const flow = new Lone("cubic", { cwnd: 100 });
  flow.lose();
  assertEquals(flow.ssthresh, 70);
  assert(setCongestionParameter(flow.stack, "cubic", "beta", 512));
  flow.cwnd = 200;
  flow.lose();
  assertEquals(flow.ssthresh, 100);
  assertEquals(congestionParameter(flow.stack, "cubic", "beta"), 512);
  assert(!setCongestionParameter(flow.stack, "cubic", "alpha", 1));
});

/** Milliseconds until the window is back at `target`, at a round trip of `rttMs`. */
function regrow(flow: Lone, target: number, rttMs: number): number {
  const begin = flow.ms;
  while (flow.cwnd < target && flow.ms - begin < 1e6) {
    const window = flow.cwnd;
    for (let i = 0; i < window; i++) {
      flow.wait(rttMs / window);
      flow.ack(1, rttMs * 1000);
    }
  }
  return flow.ms - begin;
}

Deno.test("with fast convergence, a second loss below W_max aims lower (RFC 9438 4.7)", () => {
  const times = [0, 1].map((fast) => {
    const flow = new Lone("cubic", { cwnd: 1000 });
    setCongestionParameter(flow.stack, "cubic", "fast_convergence", fast);
    flow.lose();
    // Lost again at 700: W_max is 700 without fast convergence, 595 with it. Then at 490.
    flow.lose();
    return regrow(flow, 590, 100);
  });
  // 590 lies on the plateau at 595, which is approached slowly, but halfway to the one at 700.
  assert(times[1] > times[0], `${times}`);
});

Deno.test("below its own curve CUBIC grows as Reno would (RFC 9438 4.3)", () => {
  // At a short round trip the cubic hardly moves; W_est adds 3 (1 - 0.7) / (1 + 0.7) = 0.53 segments a round trip.
  const flow = new Lone("cubic", { cwnd: 40 });
  flow.lose();
  const before = flow.cwnd;
  const rounds = 20;
  for (let round = 0; round < rounds; round++) {
    const window = flow.cwnd;
    for (let i = 0; i < window; i++) {
      flow.wait(2 / window);
      flow.ack(1, 2000);
    }
  }
  const perRound = (flow.cwnd - before) / rounds;
  assert(perRound > 0.4 && perRound < 0.65, `${perRound}`);
  const alone = new Lone("cubic", { cwnd: 40 });
  setCongestionParameter(alone.stack, "cubic", "tcp_friendliness", 0);
  alone.lose();
  for (let i = 0; i < rounds * 28; i++) {
    alone.wait(2 / 28);
    alone.ack(1, 2000);
  }
  assert(alone.cwnd <= 29, `${alone.cwnd}`);
});

Deno.test("time in which nothing was sent does not make the window grow (RFC 9438 5.8)", () => {
  const [busy, idle] = [0, 60_000].map((silence) => {
    const flow = new Lone("cubic", { cwnd: 500 });
    flow.lose();
    for (let i = 0; i < 100; i++) {
      flow.wait(1);
      flow.ack(1, 50_000);
    }
    if (silence > 0) flow.resume(silence);
    for (let i = 0; i < 1000; i++) {
      flow.wait(1);
      flow.ack(1, 50_000);
    }
    return flow.cwnd;
  });
  assertEquals(idle, busy);
});

Deno.test("a timeout forgets W_max (RFC 9438 4.8)", () => {
  const flow = new Lone("cubic", { cwnd: 1000 });
  flow.lose();
  flow.algorithm.onState!(flow.stack, flow.conn, CA.LOSS);
  // Without W_max the window grows by a twentieth of itself in a round trip at least.
  const before = flow.cwnd;
  for (let i = 0; i < before; i++) {
    flow.wait(100 / before);
    flow.ack(1, 100_000);
  }
  assert(flow.cwnd >= Math.floor(before * 1.04), `${flow.cwnd}`);
});

Deno.test("a short exchange takes no row of CUBIC's, a long one gives it back", () => {
  const flow = new Lone("cubic");
  for (let i = 0; i < 5; i++) flow.ack(1, 30_000);
  assertEquals([flow.cwnd, flow.cold(COLD.CC)], [15, 0]);
  for (let i = 0; i < 5; i++) flow.ack(1, 30_000);
  assert(flow.cold(COLD.CC) !== 0);
  flow.end();
  assertEquals([flow.cold(COLD.CC), flow.stack.congestionPools.reduce((n, pool) => n + (pool?.inUse ?? 0), 0)], [0, 0]);
});

/** Slow start, every round's ACKs together `gapUs` apart, with round trips `rttUs(round)`; the threshold in the end. */
function start(flow: Lone, rounds: number, gapUs: number, rttUs: (round: number) => number): number {
  flow.send(flow.cwnd);
  for (let round = 0; round < rounds; round++) {
    const window = flow.cwnd;
    flow.wait(rttUs(round) / 1000 - window * gapUs / 1000);
    for (let i = 0; i < window; i++) {
      flow.wait(gapUs / 1000);
      flow.ack(1, rttUs(round));
      flow.send(2);
    }
  }
  return flow.ssthresh;
}

const INFINITE = 0x7fffffff;

Deno.test("HyStart ends slow start when a train of ACKs is half a round trip long", () => {
  // 100 ms, an ACK every 100 µs: half of it takes 500 ACKs. (HyStart's rounds begin in the middle of ours.)
  const threshold = start(new Lone("cubic"), 8, 100, () => 100_000);
  assert(threshold > 500 && threshold < 2000, `${threshold}`);
  assertEquals(start(new Lone("cubic"), 8, 10, () => 100_000), INFINITE);
});

Deno.test("HyStart ends slow start when the round trip has grown by an eighth", () => {
  const grown = start(new Lone("cubic"), 4, 1, (round) => round < 2 ? 100_000 : 113_000);
  // The third round begins with 40 segments; a sample takes nine ACKs, of a round that begins in the middle of it.
  assert(grown >= 48 && grown < 80, `${grown}`);
  assertEquals(start(new Lone("cubic"), 4, 1, (round) => round < 2 ? 100_000 : 112_000), INFINITE);
});

Deno.test("HyStart can be told what to look at, where to begin, and to be quiet", () => {
  const grows = (round: number) => round < 2 ? 100_000 : 120_000;
  const set = (name: string, value: number) => {
    const flow = new Lone("cubic");
    setCongestionParameter(flow.stack, "cubic", name, value);
    return flow;
  };
  assertEquals(start(set("hystart", 0), 4, 1, grows), INFINITE);
  assertEquals(start(set("hystart_detect", 1), 4, 1, grows), INFINITE);
  assert(start(set("hystart_detect", 2), 4, 1, grows) < INFINITE);
  assertEquals(start(set("hystart_low_window", 1000), 4, 1, grows), INFINITE);
});

Deno.test("initial_ssthresh holds where HyStart is off", () => {
  const flow = new Lone("cubic");
  setCongestionParameter(flow.stack, "cubic", "hystart", 0);
  setCongestionParameter(flow.stack, "cubic", "initial_ssthresh", 77);
  flow.algorithm.start!(flow.stack, flow.conn);
  assertEquals(flow.ssthresh, 77);
});
