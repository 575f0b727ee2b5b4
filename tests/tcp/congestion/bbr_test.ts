import { assert, assertEquals } from "@std/assert";
import { bbrModel } from "../../../src/tcp/congestion/bbr.ts";
import { BBR_MODE } from "../../../src/tcp/congestion/bbr_state.ts";
import { CONGESTION_EVENT } from "../../../src/tcp/congestion/types.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../../../src/tcp/state/ack_sample.ts";
import { RECOVERY } from "../../../src/tcp/state/recovery_row.ts";
import { CA, COLD } from "../../../src/tcp/state/tcb.ts";
import { Lone, type LoneOptions, MSS } from "./lone.ts";

/** A bottleneck of `perMs` segments a millisecond, `baseMs` long, with a queue that holds anything; in steps of 1 ms. */
class Path {
  readonly flow: Lone;
  /** When each segment in flight will have been delivered, ms, and what was known when it was sent. */
  readonly #flight: { at: number; sentMs: number; delivered: number; deliveredMs: number; firstMs: number }[] = [];
  #freeAt = 0;
  #credit = 0;
  #deliveredMs: number;
  #firstMs: number;
  /** Of every thousand segments, so many are lost. */
  lossPerMille = 0;
  #count = 0;
  modes: number[] = [];

  constructor(public perMs: number, public baseMs: number, options: LoneOptions = {}) {
    this.flow = new Lone("bbr", { cwnd: 10, srttUs: baseMs * 1000, ...options });
    this.#deliveredMs = this.#firstMs = this.flow.ms;
  }

  get queue(): number {
    return Math.max(0, this.#flight.length - this.perMs * this.baseMs);
  }

  get flight(): number {
    return this.#flight.length;
  }

  run(ms: number, limited = false): void {
    const { flow } = this;
    const { stack, conn } = flow;
    for (let i = 0; i < ms; i++) {
      flow.wait(1);
      this.#deliver();
      // Paced sending, with what is left of a segment carried over.
      this.#credit = Math.min(this.#credit + flow.algorithm.pacingRate!(stack, conn) / 1000 / MSS, 10);
      while (this.#credit >= 1 && this.#flight.length < (limited ? 2 : flow.cwnd)) {
        this.#credit--;
        if (this.#flight.length === 0) this.#firstMs = this.#deliveredMs = flow.ms;
        this.#freeAt = Math.max(this.#freeAt, flow.ms) + 1 / this.perMs;
        this.#flight.push({
          at: this.#freeAt + this.baseMs,
          sentMs: flow.ms,
          delivered: flow.cold(COLD.DELIVERED),
          deliveredMs: this.#deliveredMs,
          firstMs: this.#firstMs,
        });
        flow.send(1);
      }
      const { mode } = bbrModel(stack, conn);
      if (this.modes.at(-1) !== mode) this.modes.push(mode);
    }
  }

  #deliver(): void {
    const { flow } = this;
    const { stack, conn } = flow;
    const sample = stack.ackSample;
    while (this.#flight.length > 0 && this.#flight[0].at <= flow.ms) {
      const segment = this.#flight.shift()!;
      const before = this.#flight.length + 1;
      const lost = this.#count++ % 1000 < this.lossPerMille;
      flow.setCold(COLD.PACKETS_OUT, this.#flight.length);
      sample.fill(0);
      if (lost) {
        const r = stack.recoveryOf(conn) * RECOVERY.STRIDE + RECOVERY.LOST;
        stack.recoveries.words[r]++;
        sample[ACK_SAMPLE.LOST] = 1;
        sample[ACK_SAMPLE.RATE_DELIVERED] = -1;
        sample[ACK_SAMPLE.RTT_US] = -1;
        sample[ACK_SAMPLE.PRIOR_IN_FLIGHT] = before;
        flow.algorithm.onControl!(stack, conn);
        continue;
      }
      flow.setCold(COLD.DELIVERED, flow.cold(COLD.DELIVERED) + 1);
      // draft-cheng-iccrg-delivery-rate-estimation 3.3: over the longer of the sending and the acknowledging interval.
      const interval = Math.max(segment.sentMs - segment.firstMs, flow.ms - segment.deliveredMs);
      this.#deliveredMs = flow.ms;
      this.#firstMs = segment.sentMs;
      sample[ACK_SAMPLE.ACKED] = sample[ACK_SAMPLE.DELIVERED] = 1;
      sample[ACK_SAMPLE.RTT_US] = Math.round((flow.ms - segment.sentMs) * 1000);
      sample[ACK_SAMPLE.PRIOR_IN_FLIGHT] = before;
      sample[ACK_SAMPLE.PRIOR_DELIVERED] = segment.delivered;
      sample[ACK_SAMPLE.RATE_DELIVERED] = interval >= this.baseMs / 2
        ? flow.cold(COLD.DELIVERED) - segment.delivered
        : -1;
      sample[ACK_SAMPLE.RATE_INTERVAL_US] = Math.round(interval * 1000);
      flow.algorithm.onControl!(stack, conn);
    }
  }
}

const { STARTUP, DRAIN, PROBE_BW, PROBE_RTT } = BBR_MODE;

for (const [perMs, baseMs] of [[1, 40], [5, 40], [2, 150]]) {
  Deno.test(`BBR finds ${perMs} segments/ms and ${baseMs} ms, and drains what finding them has queued`, () => {
    const path = new Path(perMs, baseMs);
    path.run(60 * baseMs);
    const { bandwidthBps, minRttUs } = bbrModel(path.flow.stack, path.flow.conn);
    const share = bandwidthBps / (perMs * 1000 * MSS * 8);
    assert(share > 0.95 && share < 1.1, `${share}`);
    assert(minRttUs >= baseMs * 1000 && minRttUs < (baseMs + 4) * 1000, `${minRttUs}`);
    assertEquals(path.modes.slice(0, 3), [STARTUP, DRAIN, PROBE_BW]);
    // Twice what the path holds at most, and in the mean little in the queue.
    let queued = 0;
    for (let i = 0; i < 16 * baseMs; i++) {
      path.run(1);
      queued += path.queue;
    }
    assert(queued / (16 * baseMs) < 0.3 * perMs * baseMs + 3, `${queued / (16 * baseMs)}`);
  });
}

Deno.test("every ten seconds BBR lets the path run empty for 200 ms, and then has its window back", () => {
  const path = new Path(2, 40);
  path.run(9_000);
  assert(!path.modes.includes(PROBE_RTT));
  const before = path.flow.cwnd;
  // The path has become longer: the least round trip grows too old.
  path.baseMs = 60;
  path.run(2_000);
  assert(path.modes.includes(PROBE_RTT), `${path.modes}`);
  let smallest = Infinity;
  const begin = path.flow.ms;
  while (bbrModel(path.flow.stack, path.flow.conn).mode === PROBE_RTT && path.flow.ms - begin < 2000) {
    smallest = Math.min(smallest, path.flow.cwnd);
    path.run(1);
  }
  path.run(3_000);
  const { minRttUs } = bbrModel(path.flow.stack, path.flow.conn);
  assert(minRttUs >= 60_000 && minRttUs < 64_000, `${minRttUs}`);
  assert(path.flow.cwnd >= before, `${path.flow.cwnd}, ${before}`);
});

Deno.test("an application that sends little does not make BBR believe the path to be slow", () => {
  const path = new Path(3, 40);
  path.run(3_000);
  const { stack, conn } = path.flow;
  const before = bbrModel(stack, conn).bandwidthBps;
  const onControl = path.flow.algorithm.onControl!.bind(path.flow.algorithm);
  const limited = { ...path.flow.algorithm, onControl };
  // Samples are marked as limited by the application, and two segments are in flight.
  Object.defineProperty(path.flow, "algorithm", {
    get: () => ({
      ...limited,
      onControl(s: typeof stack, c: number) {
        s.ackSample[ACK_SAMPLE.FLAGS] |= ACK_FLAG.APP_LIMITED;
        onControl(s, c);
      },
    }),
  });
  path.run(3_000, true);
  assertEquals(bbrModel(stack, conn).bandwidthBps, before);
});

Deno.test("a few losses do not slow BBR down", () => {
  const clean = new Path(2, 50);
  const lossy = new Path(2, 50);
  lossy.lossPerMille = 20;
  for (const path of [clean, lossy]) path.run(4_000);
  const [a, b] = [clean, lossy].map((path) => bbrModel(path.flow.stack, path.flow.conn).bandwidthBps);
  assert(b > 0.9 * a, `${b} of ${a}`);
});

Deno.test("recovery sends one segment for each delivered at first, and gives the window back in the end", () => {
  const path = new Path(2, 50);
  path.run(4_000);
  const { flow } = path;
  const { stack, conn } = flow;
  const before = flow.cwnd;
  const ack = (state: number, lost: number) => {
    flow.setCold(COLD.CA_STATE, (flow.cold(COLD.CA_STATE) & ~0xff) | state);
    stack.ackSample.fill(0);
    stack.ackSample[ACK_SAMPLE.DELIVERED] = 1;
    stack.ackSample[ACK_SAMPLE.LOST] = lost;
    stack.ackSample[ACK_SAMPLE.RTT_US] = -1;
    stack.ackSample[ACK_SAMPLE.RATE_DELIVERED] = -1;
    flow.algorithm.onControl!(stack, conn);
  };
  flow.algorithm.ssthreshAfterLoss(stack, conn);
  flow.setCold(COLD.PACKETS_OUT, 50);
  ack(CA.RECOVERY, 10);
  assertEquals(flow.cwnd, 51);
  flow.setCold(COLD.PACKETS_OUT, 30);
  ack(CA.RECOVERY, 0);
  assertEquals(flow.cwnd, 51);
  ack(CA.OPEN, 0);
  assert(flow.cwnd >= before, `${flow.cwnd}, ${before}`);
});

Deno.test("a policer is found by two lossy intervals of one rate, and its rate kept to", () => {
  const path = new Path(2, 40);
  path.run(3_000);
  // The policer lets 1 segment a ms through; what is more is lost.
  path.perMs = 1;
  path.lossPerMille = 300;
  path.run(3_000);
  const { bandwidthBps } = bbrModel(path.flow.stack, path.flow.conn);
  const rate = path.flow.algorithm.pacingRate!(path.flow.stack, path.flow.conn) / MSS / 1000;
  assert(rate < 1.1, `${rate}`);
  assert(bandwidthBps < 1.1 * 8e6, `${bandwidthBps}`);
});

Deno.test("the phase to begin with differs between connections, and is the same in every run", () => {
  const phase = (host: string, serial: number): string => {
    const path = new Path(2, 40, { host, serial });
    path.run(1_500);
    const rates: number[] = [];
    for (let i = 0; i < 60; i++) {
      path.run(5);
      rates.push(Math.round(path.flow.algorithm.pacingRate!(path.flow.stack, path.flow.conn) / 2e5));
    }
    return rates.join();
  };
  assertEquals(phase("a", 1), phase("a", 1));
  const different = new Set(Array.from({ length: 8 }, (_, i) => phase("a", i + 1)));
  assert(different.size >= 3, `${different.size}`);
  assert(new Set(Array.from({ length: 8 }, (_, i) => phase(`h${i}`, 1))).size >= 3);
});

Deno.test("sending resumes at the estimated rate after a silence of the application", () => {
  const path = new Path(2, 40);
  path.run(4_000);
  const { stack, conn } = path.flow;
  const r = stack.recoveryOf(conn) * RECOVERY.STRIDE;
  stack.recoveries.words[r + RECOVERY.APP_LIMITED] = 1;
  path.flow.wait(5_000);
  path.flow.algorithm.onEvent!(stack, conn, CONGESTION_EVENT.TX_START);
  const rate = path.flow.algorithm.pacingRate!(stack, conn) * 8;
  const { bandwidthBps } = bbrModel(stack, conn);
  assert(Math.abs(rate / bandwidthBps - 0.99) < 0.01, `${rate} of ${bandwidthBps}`);
});
