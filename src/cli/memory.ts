/**
 * A workload larger than the machine is refused before it begins.
 *
 * @module
 */
import process from "node:process";
import { InputError } from "../base/errors.ts";
import type { Network } from "../network/network.ts";
import type { Simulation } from "../network/simulation.ts";
import { formatDurationNs } from "../base/units.ts";
import { bytes } from "../report/text.ts";
import { buildNetwork, inScenarioTerms } from "../scenario/build.ts";
import type { LoadedScenario } from "../scenario/load.ts";

/**
 * Builds a scenario's network, if it and its workload fit into `availableBytes`.
 *
 * @throws {InputError} one sentence with the estimate where they do not, before anything large is made.
 */
export function buildWithinMemory(loaded: LoadedScenario, availableBytes: number): Simulation {
  return withinMemory(loaded, availableBytes, (network) => inScenarioTerms(loaded, () => network.build()));
}

/**
 * Makes a simulation of a scenario's network, if it and its workload fit into `availableBytes`.
 *
 * @throws {InputError} as {@linkcode buildWithinMemory} does.
 */
export function withinMemory(
  loaded: LoadedScenario,
  availableBytes: number,
  make: (network: Network) => Simulation,
): Simulation {
  const network = buildNetwork(loaded);
  const { residentBytes: neededBytes } = network.estimateMemory();
  if (neededBytes > availableBytes) throw tooLarge(loaded, neededBytes, availableBytes);
  try {
    return make(network);
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

/** Memory that a run leaves to the rest of the machine, bytes. */
const LEFT_BYTES = 100e6;

/**
 * Ends a run that has come to need more than its estimate, before the system ends the process.
 *
 * @throws {InputError} one sentence, where this machine has next to nothing left.
 */
export function stopIfExhausted(file: string, simulation: Simulation, availableBytes = availableMemory()): void {
  if (availableBytes >= LEFT_BYTES) return;
  const seconds = formatDurationNs(simulation.nowNs);
  const { residentBytes } = simulation.estimate;
  throw new InputError(
    `${file}: stopped after ${seconds} of simulated time, for this machine has only ${
      bytes(availableBytes)
    } of memory ` +
      `left: the process takes ${bytes(peakRss())}, and was estimated to need ${bytes(residentBytes)}.`,
    { file },
  );
}

/** The system's own record, bytes; at first it may be of the process that started this one. 0 where it is not told. */
function recordedPeak(): number {
  return Deno.build.os === "linux" ? process.resourceUsage().maxRSS * 1024 : 0;
}

const AT_START = recordedPeak();

/** Most resident memory that this process has had so far, bytes: exact on Linux, elsewhere what it has now. */
export function peakRss(): number {
  const recorded = recordedPeak();
  const now = Deno.memoryUsage().rss;
  return recorded > AT_START ? Math.max(recorded, now) : now;
}
