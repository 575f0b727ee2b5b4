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

/** What was measured of a task. */
export interface Outcome {
  /** The task's name. */
  name: string;
  /** Time of one operation, ns: the median of the calls. */
  medianNs: number;
  /** The best call's. */
  bestNs: number;
  /** The same in units of the calibration loop's time: what machines can be compared by. */
  calibrated: number;
  /** What operations count, where a rate says more. */
  rateOf?: string;
}

/** Steps of the calibration loop in one call. */
const CALIBRATION_STEPS = 1_000_000;

/**
 * The calibration loop: a step is a multiplication, a shift and a load from a table of 16 KiB, each needing the one
 * before. Its time says how fast the machine is at such work, and nothing about its memory.
 */
export function calibration(): Task {
  return {
    name: "calibration loop, per step",
    operations: CALIBRATION_STEPS,
    prepare() {
      const table = Int32Array.from({ length: 4096 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
      let state = 1;
      return () => {
        for (let i = 0; i < CALIBRATION_STEPS; i++) {
          state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) ^ table[state & 4095];
        }
      };
    },
  };
}

/** Measures the calibration loop: ns a step. */
export async function calibrate(timeMs = 500): Promise<number> {
  const loop = calibration();
  const { medianMs } = await measure(loop, timeMs);
  return medianMs * 1e6 / loop.operations;
}

/**
 * Runs the tasks whose name contains `only`, one after the other for `timeMs` each. `seen` gets each when it is done;
 * `stepNs` is the calibration loop's.
 */
export async function runTasks(
  tasks: readonly Task[],
  options: { stepNs: number; only?: string; timeMs?: number; seen?: (outcome: Outcome, task: Task) => void },
): Promise<Outcome[]> {
  const { stepNs, only = "", timeMs = 500, seen } = options;
  const outcomes: Outcome[] = [];
  for (const task of tasks) {
    if (!task.name.includes(only)) continue;
    const { medianMs, bestMs } = await measure(task, timeMs);
    const medianNs = medianMs * 1e6 / task.operations;
    const outcome: Outcome = {
      name: task.name,
      medianNs,
      bestNs: bestMs * 1e6 / task.operations,
      calibrated: medianNs / stepNs,
      rateOf: task.rateOf,
    };
    seen?.(outcome, task);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function measure(task: Task, timeMs: number): Promise<{ medianMs: number; bestMs: number }> {
  const bench = new Bench({ time: timeMs, iterations: 5, warmupTime: timeMs / 5, warmupIterations: 1 });
  bench.add(task.name, task.prepare(), { async: false, beforeEach: () => task.beforeEach?.() });
  await bench.run();
  const { latency } = bench.tasks[0].result as unknown as { latency: { p50: number; min: number } };
  return { medianMs: latency.p50, bestMs: latency.min };
}

/** `84.2 ns (best 79.9)   57 steps  NAME`, or a rate. */
export function line({ name, medianNs, bestNs, calibrated, rateOf }: Outcome): string {
  const steps = `${calibrated < 100 ? calibrated.toFixed(1) : Math.round(calibrated)} steps`.padStart(12);
  if (rateOf !== undefined) {
    const perSecond = (ns: number) => (1e6 / ns).toFixed(0);
    return `${perSecond(medianNs).padStart(8)} k ${rateOf}/s (best ${perSecond(bestNs)})`.padEnd(40) +
      `${steps}  ${name}`;
  }
  return `${medianNs.toFixed(1).padStart(8)} ns (best ${bestNs.toFixed(1)})`.padEnd(40) + `${steps}  ${name}`;
}
