/**
 * NewReno's throughput under random loss, against the formulas of
 * Mathis, Semke, Mahdavi and Ott (1997): MSS / RTT * sqrt(3 / (2 b p)), and of
 * Padhye, Firoiu, Towsley and Kurose (1998), which has timeouts in it.
 * b, the segments that an acknowledgement counts for, is 1: Linux counts every segment (RFC 3465).
 */
import { assert } from "@std/assert";
import type { Profile } from "../../mod.ts";
import { Bottleneck, MSS } from "./support.ts";

/** Segments per second, on a path that is only long and lossy: slow start goes by, then the time of 500 losses. */
function measured(loss: number, rttSeconds: number, seed: number, profile: Partial<Profile> = {}): number {
  const path = new Bottleneck({ seed, congestionControl: "reno", rttNs: rttSeconds * 1e9, loss, profile });
  const begin = 20 * Math.sqrt(1.5 / loss) * rttSeconds;
  path.runTo(begin);
  const [rate] = path.rates(begin + 500 / loss / mathis(loss, rttSeconds));
  return rate / MSS;
}

function mathis(loss: number, rttSeconds: number): number {
  return Math.sqrt(1.5 / loss) / rttSeconds;
}

function padhye(loss: number, rttSeconds: number, timeoutSeconds: number): number {
  const timeouts = timeoutSeconds * Math.min(1, 3 * Math.sqrt(3 * loss / 8)) * loss * (1 + 32 * loss ** 2);
  return 1 / (rttSeconds * Math.sqrt(2 * loss / 3) + timeouts);
}

Deno.test("throughput under rare losses is Mathis' within 15%", () => {
  for (const [loss, rtt, seed] of [[0.01, 0.04, 1], [0.005, 0.1, 2], [0.003, 0.02, 3], [0.002, 0.2, 4]]) {
    const ratio = measured(loss, rtt, seed) / mathis(loss, rtt);
    assert(ratio > 0.85 && ratio < 1.15, `p ${loss}, ${rtt} s, seed ${seed}: ${ratio} of the formula`);
  }
});

Deno.test("throughput under frequent losses is Padhye's within 15%, without the means against timeouts that came later", () => {
  const profile = { sack: false, tailLossProbe: false, forwardRtoRecovery: false };
  for (const [loss, rtt, seed] of [[0.01, 0.04, 1], [0.02, 0.1, 2], [0.03, 0.1, 3], [0.05, 0.1, 4]]) {
    // Linux's least deviation makes the timeout 200 ms longer than the round trip.
    const ratio = measured(loss, rtt, seed, profile) / padhye(loss, rtt, rtt + 0.2);
    assert(ratio > 0.85 && ratio < 1.15, `p ${loss}, ${rtt} s, seed ${seed}: ${ratio} of the formula`);
  }
});
