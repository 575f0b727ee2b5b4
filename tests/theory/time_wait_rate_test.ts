/** How many short connections a second one client gets to one destination: ports / TIME-WAIT (DESIGN section 7). */
import { assert, assertEquals } from "@std/assert";
import { timeWaitRate } from "./time_wait_rate.ts";

for (
  const [low, high, seconds, expected] of [
    [32_768, 60_999, 60, 470.5], // Linux
    [49_152, 65_535, 60, 273.1], // IANA's ports
    [1024, 65_535, 120, 537.6], // all, and RFC 9293's TIME-WAIT of two minutes
  ]
) {
  Deno.test(`ports ${low} to ${high} with a TIME-WAIT of ${seconds} s allow ${expected} connections a second`, () => {
    assertEquals(Math.round((high - low + 1) / seconds * 10) / 10, expected);
    const found = timeWaitRate({ low, high, timeWaitSeconds: seconds, seed: 1 });
    assert(Math.abs(found - expected) < 0.01 * expected, `${found} a second`);
  });
}
