import { assert, assertEquals } from "@std/assert";
import { calibrate, line, type Outcome, runTasks, type Task } from "../../benches/bench.ts";
import { comparison } from "../../benches/compare.ts";

Deno.test("a line of a bench has the median, the best and the steps, of one operation or as a rate", () => {
  const outcome: Outcome = { name: "a", medianNs: 500, bestNs: 400, calibrated: 62.5 };
  assertEquals(line(outcome), "   500.0 ns (best 400.0)".padEnd(40) + "  62.5 steps  a");
  assertEquals(
    line({ ...outcome, rateOf: "hops", calibrated: 250 }),
    "    2000 k hops/s (best 2500)".padEnd(40) + "   250 steps  a",
  );
});

Deno.test("the calibration loop takes some nanoseconds a step", async () => {
  const stepNs = await calibrate(5);
  assert(stepNs > 0.1 && stepNs < 10_000, `${stepNs}`);
});

Deno.test("two checkouts are compared round by round, and by digest", () => {
  const run = (wallSeconds: number, digest = "abc") => ({ wallSeconds, peakRssBytes: 2e8, digest });
  assertEquals(
    comparison([run(2), run(6)], [run(4), run(4)]),
    "               base    here             here / base\n" +
      "wall         4.00 s  4.00 s  1.000 (0.500 to 1.500)\n" +
      "peak memory  200 MB  200 MB  1.000 (1.000 to 1.000)\n\nBoth runs have the digest abc.\n",
  );
  assertEquals(
    comparison([run(2, "x")], [run(4)]).split("\n").at(-2),
    "The runs differ: digest x here, abc in base.",
  );
});

Deno.test("only benches with the words in their names run, each call after its preparation", async () => {
  const calls: string[] = [];
  const task = (name: string): Task => ({
    name,
    operations: 1,
    beforeEach: () => calls.push(`${name} before`),
    prepare: () => () => calls.push(`${name} run`),
  });
  const outcomes = await runTasks([task("one"), task("two")], { only: "tw", timeMs: 1, stepNs: 2 });
  assertEquals(outcomes.map(({ name, medianNs, calibrated }) => [name, calibrated * 2 === medianNs]), [["two", true]]);
  assertEquals(calls.slice(0, 2), ["two before", "two run"]);
  assertEquals(calls.some((call) => call.startsWith("one")), false);
});
