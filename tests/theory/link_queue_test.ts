/** Waiting at a link against queueing theory (DESIGN section 7): packets of one size that come at random, M/D/1. */
import { assert } from "@std/assert";
import { waitForLink, waitOfMd1 } from "./queues.ts";

for (const utilisation of [0.3, 0.6, 0.9]) {
  Deno.test(`packets wait for a link as in M/D/1 at a utilisation of ${utilisation}`, () => {
    const { meanNs, halfWidthNs, serviceNs } = waitForLink({ utilisation, seed: 1 });
    const expected = waitOfMd1(utilisation, serviceNs);
    assert(Math.abs(meanNs - expected) <= halfWidthNs, `${meanNs} +- ${halfWidthNs}, not ${expected}`);
    assert(halfWidthNs < 0.3 * expected, `${halfWidthNs} of ${expected}`);
  });
}
