/** CUBIC's window against RFC 9438: the curve of section 4.2, and the average windows of section 5. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { setCongestionParameter } from "../../src/tcp/congestion/types.ts";
import { Lone } from "../tcp/congestion/lone.ts";

const C = 0.4;
const BETA = 0.7;

/** A round trip: every segment of the window is acknowledged, evenly spaced. `each` is called after every ACK. */
function round(flow: Lone, rttMs: number, each?: () => void): void {
  const window = flow.cwnd;
  for (let i = 0; i < window; i++) {
    flow.wait(rttMs / window);
    flow.ack(1, rttMs * 1000);
    each?.();
  }
}

Deno.test("between losses the window follows W_cubic(t) = C (t - K)^3 + W_max", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 1500 }),
      fc.integer({ min: 40, max: 200 }),
      (peak, rttMs) => {
        const flow = new Lone("cubic", { cwnd: peak });
        // Reno's share would hide the curve on short paths.
        setCongestionParameter(flow.stack, "cubic", "tcp_friendliness", 0);
        flow.lose();
        const from = flow.cwnd;
        const k = Math.cbrt((peak - from) / C);
        const begin = flow.ms;
        // Well past the plateau, but not to where the window would have to grow by half in a round trip.
        while ((flow.ms - begin) / 1000 < 1.6 * k) {
          round(flow, rttMs);
          const t = (flow.ms - begin) / 1000;
          const curve = C * (t - k) ** 3 + peak;
          // The window aims at the curve a round trip ahead, and trails behind it: a round trip's growth and rounding.
          const slack = 3 + 0.015 * curve + 2 * 3 * C * (t - k) ** 2 * rttMs / 1000;
          assert(Math.abs(flow.cwnd - curve) < slack, `${peak} ${rttMs} ms: ${flow.cwnd}, not ${curve} after ${t} s`);
        }
      },
    ),
    { numRuns: 15 },
  );
});

/** The average window of a flow that loses one segment of every `segments`, in its steady state. */
function averageWindow(segments: number, rttMs: number, cycles: number): number {
  const flow = new Lone("cubic", { cwnd: 100 });
  flow.lose();
  let acked = 0;
  let losses = 0;
  let area = 0;
  let time = 0;
  while (losses < cycles) {
    const window = flow.cwnd;
    // (Half of the cycles bring it to its steady state.)
    if (losses >= cycles / 2) {
      area += window * rttMs;
      time += rttMs;
    }
    let lost = false;
    round(flow, rttMs, () => lost = ++acked % segments === 0 || lost);
    if (lost) {
      flow.lose();
      losses++;
    }
  }
  return area / time;
}

Deno.test("with regular losses the average window is that of RFC 9438 5.1 where the cubic is in force", () => {
  for (const [share, rttMs] of [[1e-4, 100], [3e-5, 100], [1e-4, 200], [3e-4, 200]]) {
    const formula = (C * (3 + BETA) / (4 * (1 - BETA))) ** 0.25 * (rttMs / 1000) ** 0.75 / share ** 0.75;
    const measured = averageWindow(Math.round(1 / share), rttMs, 24);
    const ratio = measured / formula;
    assert(ratio > 0.85 && ratio < 1.15, `p ${share}, ${rttMs} ms: ${measured}, formula ${formula}`);
  }
});

Deno.test("on short paths the average window is Reno's, sqrt(3/2 / p), or more (RFC 9438 4.3)", () => {
  for (const [share, rttMs] of [[1e-3, 5], [1e-3, 10], [3e-4, 5], [1e-4, 5]]) {
    const reno = Math.sqrt(1.5 / share);
    const measured = averageWindow(Math.round(1 / share), rttMs, 40);
    const ratio = measured / reno;
    assert(ratio > 0.85 && ratio < 1.2, `p ${share}, ${rttMs} ms: ${measured}, Reno ${reno}`);
  }
});
