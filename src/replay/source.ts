/**
 * The simulation that a trace is of, built anew from its header.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { Network, type NetworkDocument } from "../network/network.ts";
import type { RunOptions } from "../network/options.ts";
import type { Simulation } from "../network/simulation.ts";
import { buildNetwork, inScenarioTerms, runOptions } from "../scenario/build.ts";
import { loadScenario } from "../scenario/load.ts";
import type { TraceHeader } from "../trace/items.ts";

/** What a header describes, ready to run. */
export interface TracedRun {
  /** At its beginning. */
  simulation: Simulation;
  /** How it is to be run. */
  run: RunOptions;
}

/**
 * Builds the run of a header, if it takes no more than `availableBytes` of memory (default: any).
 *
 * @throws {InputError} where it is too large, or its source describes no network.
 */
export function tracedRun(header: TraceHeader, file: string, availableBytes = Infinity): TracedRun {
  if (header.source.kind === "scenario") {
    // (Its overrides have been applied to the text already.)
    const loaded = loadScenario(`${file} (scenario).json`, header.source.text);
    const network = buildNetwork(loaded);
    checkMemory(network, file, availableBytes);
    const simulation = inScenarioTerms(loaded, () => network.build());
    return { simulation, run: runOptions(loaded) };
  }
  const simulation = located(file, () => {
    const network = Network.fromJSON(JSON.parse(header.source.text) as NetworkDocument);
    checkMemory(network, file, availableBytes);
    return network.build();
  });
  const { untilNs, pastQuiescence } = header.run;
  return { simulation, run: { untilNs: untilNs ?? undefined, pastQuiescence } };
}

function checkMemory(network: Network, file: string, availableBytes: number): void {
  const { addedBytes, residentBytes: needed } = network.estimateMemory();
  if (addedBytes <= availableBytes) return;
  const gigabytes = (needed / 1e9).toFixed(1);
  throw new InputError(`${file}: its run needs about ${gigabytes} GB of memory, more than there is here.`, { file });
}

/** A network of a damaged header may fail in any way: all are the file's fault. */
function located<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    throw new InputError(`${file}: its network cannot be built: ${sentence}`, { file });
  }
}
