import { assertEquals } from "@std/assert";
import { runInSlices } from "../../src/cli/slices.ts";
import type { RunOptions } from "../../src/network/options.ts";

/** Asks `interrupted` once for each of `batches`, then is at rest. */
function stub(batches: number) {
  const calls: RunOptions[] = [];
  let left = batches;
  return {
    calls,
    run(options: RunOptions): { ended: "interrupted" | "quiescence" } {
      calls.push(options);
      while (left > 0) {
        left--;
        const endMs = performance.now() + 60;
        while (performance.now() < endMs);
        if (options.interrupted!()) return { ended: "interrupted" };
      }
      return { ended: "quiescence" };
    },
  };
}

Deno.test("a run goes on after each slice until it ends by itself", async () => {
  const simulation = stub(5);
  let between = 0;
  const { ended, wallSeconds, peakRssBytes } = await runInSlices(simulation, { untilNs: 7 }, () => between++);
  assertEquals(ended, "quiescence");
  assertEquals(simulation.calls.length > 1, true);
  assertEquals(simulation.calls.length, between);
  assertEquals(simulation.calls.every((options) => options.untilNs === 7), true);
  assertEquals([wallSeconds > 0.2, peakRssBytes > 1e6], [true, true]);
});
