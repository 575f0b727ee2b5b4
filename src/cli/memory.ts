/**
 * A workload larger than the machine is refused before it begins.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { estimateBytes } from "../network/memory.ts";
import type { Simulation } from "../network/simulation.ts";
import { bytes } from "../report/text.ts";
import { buildSimulation } from "../scenario/build.ts";
import type { LoadedScenario } from "../scenario/load.ts";

/**
 * Builds a scenario's network, if it and its workload fit into `availableBytes`.
 *
 * @throws {InputError} one sentence with the estimate where they do not, before anything large is made.
 */
export function buildWithinMemory(loaded: LoadedScenario, availableBytes: number): Simulation {
  const roughBytes = roughEstimate(loaded);
  if (roughBytes > availableBytes) throw tooLarge(loaded, roughBytes, availableBytes);
  try {
    const simulation = buildSimulation(loaded);
    if (simulation.estimateBytes > availableBytes) throw tooLarge(loaded, simulation.estimateBytes, availableBytes);
    return simulation;
  } catch (error) {
    // What V8 says when it gets no memory for an array.
    if (error instanceof RangeError && /allocation|array length/i.test(error.message)) {
      throw tooLarge(loaded, roughBytes, availableBytes);
    }
    throw error;
  }
}

/** What a scenario takes, bytes, from its counts alone: connections that end are there for their work and holding time. */
export function roughEstimate(loaded: LoadedScenario): number {
  const { nodes, workloads } = loaded.scenario;
  let members = 0;
  for (const node of Object.values(nodes)) members += node.count ?? 1;
  let open = 0;
  for (const { kind, connections, hold, close, arrivals } of workloads ?? []) {
    const holdNs = hold ?? (kind === "hold" || kind === "torrent" ? Infinity : 0);
    const perSecond = (typeof arrivals === "object" ? arrivals.rate : undefined) ?? Infinity;
    const lasting = close === "none" || holdNs === Infinity;
    open += lasting ? connections : Math.min(connections, Math.ceil(perSecond * (holdNs / 1e9 + 5)));
  }
  const nats = Object.values(nodes).some((node) => node.kind === "nat");
  return estimateBytes(members, { connections: 2 * open, sessions: nats ? open : 0 });
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
