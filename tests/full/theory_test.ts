/** Theory with parameters and seeds that nobody has picked: what tests/theory holds for some must hold for any. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { erlangB, holdsErlangB, runBlocking } from "../theory/loss_system.ts";
import { timeWaitRate } from "../theory/time_wait_rate.ts";

const seed = fc.integer({ min: 1, max: 2 ** 31 });

Deno.test("Erlang-B holds for any load, size, holding time and its parts", () => {
  const run = fc.record({
    // From half to three halves of the ports: below, hardly anything is refused.
    share: fc.double({ min: 0.5, max: 1.5, noNaN: true }),
    ports: fc.integer({ min: 3, max: 100 }),
    kind: fc.constantFrom("block" as const, "pool" as const, "quota" as const),
    distribution: fc.constantFrom("fixed" as const, "exponential" as const),
    seed,
    openSeconds: fc.integer({ min: 1, max: 20 }),
    closingSeconds: fc.integer({ min: 1, max: 10 }),
    holdDownSeconds: fc.integer({ min: 0, max: 10 }),
  });
  fc.assert(
    fc.property(run, ({ share, ...rest }) => {
      const options = { ...rest, erlangs: share * rest.ports, arrivals: 40_000 };
      // What is rare comes in clumps that a run of this length may miss.
      fc.pre(erlangB(options.erlangs, options.ports) > 0.01);
      holdsErlangB(options, runBlocking(options), 1.6);
    }),
    { numRuns: 20, endOnFailure: true },
  );
});

Deno.test("ports / TIME-WAIT is the rate of short connections, for any ports, time and seed", () => {
  const run = fc.record({
    low: fc.integer({ min: 1024, max: 60_000 }),
    size: fc.integer({ min: 500, max: 8000 }),
    timeWaitSeconds: fc.integer({ min: 5, max: 240 }),
    seed,
    poisson: fc.boolean(),
  });
  fc.assert(
    fc.property(run, ({ size, ...rest }) => {
      const high = Math.min(65_535, rest.low + size - 1);
      const expected = (high - rest.low + 1) / rest.timeWaitSeconds;
      const found = timeWaitRate({ ...rest, high });
      assert(Math.abs(found - expected) < 0.01 * expected, `${found}, not ${expected}`);
    }),
    { numRuns: 20, endOnFailure: true },
  );
});
