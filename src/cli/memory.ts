/**
 * A workload larger than the machine is refused before it begins.
 *
 * @module
 */
import process from "node:process";
import { InputError } from "../base/errors.ts";
import type { OutOfMemory } from "../base/growth.ts";
import { availableBytes as availableNow } from "../base/machine.ts";
import { inThreads } from "../network/estimate.ts";
import type { Network } from "../network/network.ts";
import type { Simulation } from "../network/simulation.ts";
import { formatDurationNs } from "../base/units.ts";
import { bytes } from "../report/text.ts";
import { buildNetwork, inScenarioTerms } from "../scenario/build.ts";
import type { LoadedScenario } from "../scenario/load.ts";

/** Memory that a run leaves to the rest of the machine, bytes. */
const LEFT_BYTES = 64e6;

/** What there is for a run: bytes that the process may still take (default: the machine is asked), and threads. */
export interface Room {
  availableBytes?: number;
  threads?: number;
}

/**
 * Builds a scenario's network, if it and its workload fit into the memory.
 *
 * @throws {InputError} one sentence with the estimate where they do not, before anything large is made.
 */
export function buildWithinMemory(loaded: LoadedScenario, room: Room = {}): Simulation {
  return withinMemory(loaded, room, (network) => inScenarioTerms(loaded, () => network.build()));
}

/**
 * Makes a simulation of a scenario's network, if it and its workload fit into the memory.
 *
 * @throws {InputError} as {@linkcode buildWithinMemory} does.
 */
export function withinMemory(
  loaded: LoadedScenario,
  { availableBytes = availableNow(), threads = 1 }: Room,
  make: (network: Network) => Simulation,
): Simulation {
  const network = buildNetwork(loaded);
  const { addedBytes, residentBytes: neededBytes } = inThreads(network.estimateMemory(), threads);
  if (addedBytes + LEFT_BYTES > availableBytes) throw tooLarge(loaded, neededBytes, availableBytes);
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

/**
 * Ends a run that has come to need more than its estimate, before the system ends the process.
 *
 * @throws {InputError} one sentence, where this machine has next to nothing left.
 */
export function stopIfExhausted(file: string, simulation: Simulation): void {
  const leftBytes = availableNow();
  if (leftBytes >= LEFT_BYTES) return;
  throw stopped(file, simulation, `this machine has only ${bytes(leftBytes)} of memory left`);
}

/** What to say of a run that ended because a table could not grow: one sentence. */
export function outgrown(file: string, simulation: Simulation, { neededBytes, roomBytes }: OutOfMemory): InputError {
  const room = roomBytes === undefined ? "the system does not give it" : `this machine has ${bytes(roomBytes)} left`;
  return stopped(file, simulation, `a table that is full would take ${bytes(neededBytes)} more to grow, and ${room}`);
}

function stopped(file: string, simulation: Simulation, why: string): InputError {
  const { residentBytes } = inThreads(simulation.estimate, simulation.threads.count);
  return new InputError(
    `${file}: stopped after ${formatDurationNs(simulation.nowNs)} of simulated time, since ${why}: the process takes ${
      bytes(peakRss())
    }, and was estimated to need ${bytes(residentBytes)}.`,
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
