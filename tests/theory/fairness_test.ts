/** Two equal flows that begin at random times share a bottleneck. */
import { assert } from "@std/assert";
import { Bottleneck, jainIndex, median } from "./support.ts";

/** The median of Jain's index of `runs` runs: 10 Mbit/s, 40 ms, a queue of one bandwidth-delay product. */
function fairness(congestionControl: string, runs: number, seconds: number): { median: number; all: number[] } {
  const all = Array.from({ length: runs }, (_, i) => {
    const path = new Bottleneck({
      seed: i + 1,
      congestionControl,
      flows: 2,
      rateBps: 1e7,
      rttNs: 40e6,
      queuePackets: congestionControl === "dctcp" ? 200 : 34,
      ecnThresholdPackets: congestionControl === "dctcp" ? 10 : undefined,
      startsWithinNs: 2e9,
    });
    path.runTo(10);
    return jainIndex(path.rates(10 + seconds));
  });
  return { median: median(all), all };
}

for (const algorithm of ["reno", "cubic", "dctcp"]) {
  Deno.test(`two flows of ${algorithm} converge to their fair share`, () => {
    const { median, all } = fairness(algorithm, 9, 40);
    assert(median >= 0.98, `${median}: ${all}`);
  });
}
