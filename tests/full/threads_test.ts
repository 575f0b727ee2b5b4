/** Random networks in several threads: outcome, trace and captures are those of one thread. Takes a minute. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { anyNetwork, Draw } from "../network/support/anything.ts";
import { assertSameCaptures, assertSameInThreads, canBeBuilt, divisible } from "../network/support/threads.ts";
import { assertSameTrace } from "../trace/support/threads.ts";

Deno.test("random networks of everything have the same outcome, trace and captures in two to four threads", () => {
  let divided = 0;
  fc.assert(
    fc.property(fc.gen(), fc.integer({ min: 2, max: 4 }), fc.nat(3), (draw, workers, what) => {
      const network = divisible(anyNetwork(new Draw(draw)).toJSON());
      fc.pre(canBeBuilt(network));
      const options = { workers, untilNs: 2e9 };
      const threads = what === 0
        ? assertSameInThreads(network, workers, { untilNs: 2e9 })
        : what === 3
        ? assertSameCaptures(network, options).threads
        : assertSameTrace(network, what === 1 ? "checkpoints" : "packets", options);
      if (threads > 1) divided++;
    }),
    { numRuns: 60, endOnFailure: true },
  );
  assert(divided >= 20, `${divided} of 60 networks were divided`);
});
