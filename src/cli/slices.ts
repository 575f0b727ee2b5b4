/**
 * A run in slices of real time, so that Ctrl-C is seen and a progress line can move. Slices do not change the run.
 *
 * @module
 */
import type { RunOptions } from "../network/options.ts";
import type { RunReport } from "../report/document.ts";

/** What can be run: a `Simulation`. */
export interface Runnable {
  /** Runs, and says why it returned; may be called again. */
  run(options: RunOptions): { ended: RunReport["ended"] };
}

/** How a run in slices ended. */
export interface SlicedRun {
  /** `interrupted`: by a signal. */
  ended: RunReport["ended"];
  /** Real time, s. */
  wallSeconds: number;
  /** Most resident memory seen, bytes. */
  peakRssBytes: number;
}

/** Real time of a slice, ms. */
const SLICE_MS = 100;

/**
 * Runs to the end, calling `between` after every slice. SIGINT (Ctrl-C) or SIGTERM ends the run where it stands; a
 * second one ends the process at once.
 */
export async function runInSlices(simulation: Runnable, options: RunOptions, between: () => void): Promise<SlicedRun> {
  const startedMs = performance.now();
  let interrupted = false;
  const onSignal = () => {
    if (interrupted) Deno.exit(130);
    interrupted = true;
  };
  const signals = listen(onSignal);
  let peakRssBytes = 0;
  let ended: RunReport["ended"] = "interrupted";
  try {
    while (!interrupted) {
      const sliceEndMs = performance.now() + SLICE_MS;
      ({ ended } = simulation.run({ ...options, interrupted: () => performance.now() >= sliceEndMs }));
      peakRssBytes = Math.max(peakRssBytes, Deno.memoryUsage().rss);
      between();
      if (ended !== "interrupted") break;
      // Signals arrive when the event loop turns.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
  }
  return { ended, wallSeconds: (performance.now() - startedMs) / 1000, peakRssBytes };
}

function listen(onSignal: () => void): Deno.Signal[] {
  const listening: Deno.Signal[] = [];
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    try {
      Deno.addSignalListener(signal, onSignal);
      listening.push(signal);
    } catch {
      // The system does not have this signal.
    }
  }
  return listening;
}
