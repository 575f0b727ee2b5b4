/**
 * How the benches of this folder are run and what they print: medians by tinybench.
 *
 * @module
 */
import { Bench } from "tinybench";

/** Something to measure. */
export interface Task {
  /** What is measured; a filter looks for its words here. */
  name: string;
  /** How much of it one call does. */
  operations: number;
  /** What `operations` count, where a rate says more than the time of one: `packet-hops`. */
  rateOf?: string;
  /** Makes what is measured; each call of what it returns does all `operations`. Not part of the time. */
  prepare(): () => void;
  /** Called before each call, not part of the time. */
  beforeEach?(): void;
}

/** Runs the tasks whose name contains `only`, one after the other for `timeMs` each, and prints a line for each. */
export async function runTasks(tasks: readonly Task[], only = "", timeMs = 500): Promise<void> {
  for (const task of tasks) {
    if (!task.name.includes(only)) continue;
    const bench = new Bench({ time: timeMs, iterations: 5, warmupTime: timeMs / 5, warmupIterations: 1 });
    bench.add(task.name, task.prepare(), { async: false, beforeEach: () => task.beforeEach?.() });
    await bench.run();
    const { latency } = bench.tasks[0].result as unknown as { latency: { p50: number; min: number } };
    console.log(line(task, latency.p50, latency.min));
  }
}

/** `84.2 ns (best 79.9)  NAME`, or a rate; times are in ms for all operations. */
export function line(task: Pick<Task, "name" | "operations" | "rateOf">, medianMs: number, bestMs: number): string {
  if (task.rateOf !== undefined) {
    const perSecond = (ms: number) => (task.operations / ms).toFixed(0);
    return `${perSecond(medianMs).padStart(8)} k ${task.rateOf}/s (best ${perSecond(bestMs)})  ${task.name}`;
  }
  const ns = (ms: number) => (ms * 1e6 / task.operations).toFixed(1);
  return `${ns(medianMs).padStart(8)} ns (best ${ns(bestMs)})  ${task.name}`;
}
