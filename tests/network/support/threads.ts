/** Runs of one network in one thread and in several. */
import { assertEquals } from "@std/assert";
import type { NetworkDocument } from "../../../src/network/document.ts";
import { NetworkError } from "../../../src/network/errors.ts";
import { Network } from "../../../src/network/network.ts";
import type { RunOptions } from "../../../src/network/options.ts";
import type { Simulation } from "../../../src/network/simulation.ts";
import { always } from "../../../src/network/threads.ts";

/** The same network without what keeps it in one thread. */
export function divisible(network: NetworkDocument): NetworkDocument {
  for (const node of network.nodes) {
    if (node.kind === "balancer") { for (const service of node.options.services) delete service.health; }
  }
  return network;
}

/** Can the network be built? (Not all that is drawn can.) */
export function canBeBuilt(network: NetworkDocument): boolean {
  try {
    Network.fromJSON(network).build();
    return true;
  } catch (error) {
    if (error instanceof NetworkError) return false;
    throw error;
  }
}

/** What a run has found, but for memory. */
export function outcome(simulation: Simulation): unknown {
  const { memory: _, ...rest } = simulation.report();
  return { ...rest, nowNs: simulation.nowNs };
}

/** Runs a network in several threads, saving time or not, and looks at it before they end. */
export function inThreads<T>(
  network: NetworkDocument,
  options: RunOptions,
  look: (simulation: Simulation) => T,
  run: (simulation: Simulation, options: RunOptions) => void = (simulation, all) => simulation.run(all),
): T {
  const simulation = Network.fromJSON(network).build();
  try {
    run(simulation, always(options));
    return look(simulation);
  } finally {
    simulation.close();
  }
}

/**
 * A network has the same outcome in one thread as in several. Returns how many there were. `look` sees the run in
 * several before they end.
 */
export function assertSameInThreads(
  network: NetworkDocument,
  workers: number,
  options: RunOptions = {},
  look: (simulation: Simulation) => void = () => {},
): number {
  const { partition: _, ...rest } = network;
  const alone = Network.fromJSON(rest).build();
  alone.run(options);
  return inThreads(network, { ...options, workers }, (simulation) => {
    assertEquals(outcome(simulation), outcome(alone));
    look(simulation);
    return simulation.threads.count;
  });
}

/** A network has the same captures of every node in one thread as in several. Returns how many, and all of it as text. */
export function assertSameCaptures(network: NetworkDocument, options: RunOptions): { threads: number; text: string } {
  const { workers = 1, ...alone } = options;
  const [expected, found] = [alone, always({ ...alone, workers })].map((run) => {
    const simulation = Network.fromJSON(network).build();
    const files: Record<string, string[]> = {};
    simulation.captures.addEveryNode((node) => {
      const pieces: string[] = files[node] = [];
      return { options: { node }, sink: { write: (bytes) => pieces.push(new TextDecoder("latin1").decode(bytes)) } };
    });
    try {
      simulation.run(run);
      simulation.captures.close();
      return { files, threads: simulation.threads.count };
    } finally {
      simulation.close();
    }
  });
  const names = Object.keys(expected.files);
  assertEquals(Object.keys(found.files).sort(), names.toSorted());
  const differing = names.filter((name) => expected.files[name].join("") !== found.files[name].join(""));
  assertEquals(differing, []);
  return { threads: found.threads, text: Object.values(found.files).flat().join("") };
}
