import { assertEquals } from "@std/assert";
import { line, runTasks, type Task } from "../../benches/bench.ts";

Deno.test("a line of a bench has the median and the best, of one operation or as a rate", () => {
  assertEquals(line({ name: "a", operations: 1000 }, 0.5, 0.4), "   500.0 ns (best 400.0)  a");
  assertEquals(line({ name: "b", operations: 1000, rateOf: "hops" }, 0.5, 0.4), "    2000 k hops/s (best 2500)  b");
});

Deno.test("only benches with the words in their names run, each call after its preparation", async () => {
  const calls: string[] = [];
  const task = (name: string): Task => ({
    name,
    operations: 1,
    beforeEach: () => calls.push(`${name} before`),
    prepare: () => () => calls.push(`${name} run`),
  });
  const log = console.log;
  const lines: string[] = [];
  console.log = (text: string) => lines.push(text);
  try {
    await runTasks([task("one"), task("two")], "tw", 1);
  } finally {
    console.log = log;
  }
  assertEquals(lines.length, 1);
  assertEquals(calls.slice(0, 2), ["two before", "two run"]);
  assertEquals(calls.some((call) => call.startsWith("one")), false);
});
