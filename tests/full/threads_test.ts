/** Random networks and all examples in several threads: outcome and trace are those of one thread. Takes minutes. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { anyNetwork, Draw } from "../network/support/anything.ts";
import { assertSameInThreads, canBeBuilt, divisible } from "../network/support/threads.ts";
import { assertSameTrace } from "../trace/support/threads.ts";

Deno.test("random networks of everything have the same outcome and trace in two to four threads", () => {
  let divided = 0;
  fc.assert(
    fc.property(fc.gen(), fc.integer({ min: 2, max: 4 }), fc.nat(2), (draw, workers, what) => {
      const network = divisible(anyNetwork(new Draw(draw)).toJSON());
      fc.pre(canBeBuilt(network));
      const options = { workers, untilNs: 2e9 };
      const threads = what === 0
        ? assertSameInThreads(network, workers, { untilNs: 2e9 })
        : assertSameTrace(network, what === 1 ? "checkpoints" : "packets", options);
      if (threads > 1) divided++;
    }),
    { numRuns: 60, endOnFailure: true },
  );
  assert(divided >= 20, `${divided} of 60 networks were divided`);
});
