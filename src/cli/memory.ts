/**
 * A workload larger than the machine is refused before it begins.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import type { Simulation } from "../network/simulation.ts";
import { bytes } from "../report/text.ts";
import { buildNetwork, inScenarioTerms } from "../scenario/build.ts";
import type { LoadedScenario } from "../scenario/load.ts";

/**
 * Builds a scenario's network, if it and its workload fit into `availableBytes`.
 *
 * @throws {InputError} one sentence with the estimate where they do not, before anything large is made.
 */
export function buildWithinMemory(loaded: LoadedScenario, availableBytes: number): Simulation {
  const network = buildNetwork(loaded);
  const neededBytes = network.estimateBytes();
  if (neededBytes > availableBytes) throw tooLarge(loaded, neededBytes, availableBytes);
  try {
    return inScenarioTerms(loaded, () => network.build());
  } catch (error) {
    // What V8 says when it gets no memory for an array.
    if (error instanceof RangeError && /allocation|array length/i.test(error.message)) {
      throw tooLarge(loaded, neededBytes, availableBytes);
    }
    throw error;
  }
}

function tooLarge(loaded: LoadedScenario, neededBytes: number, availableBytes: number): InputError {
  return new InputError(
    `${loaded.file}: this needs about ${bytes(neededBytes)} of memory, and this machine has ${bytes(availableBytes)} ` +
      "available: fewer hosts, or fewer connections at the same time, would fit.",
    { file: loaded.file },
  );
}

/** Memory that a new process may take, bytes; Infinity where the system does not tell. */
export function availableMemory(): number {
  try {
    const { available, total } = Deno.systemMemoryInfo();
    return available > 0 ? available : total > 0 ? total : Infinity;
  } catch {
    return Infinity;
  }
}

/** Most resident memory that this process has had so far, bytes: exact on Linux, elsewhere what it has now. */
export function peakRss(): number {
  try {
    const match = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"));
    if (match !== null) return Number(match[1]) * 1024;
  } catch {
    // Not Linux, or not allowed.
  }
  return Deno.memoryUsage().rss;
}
