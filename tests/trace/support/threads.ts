/** Traces of one network in one thread and in several. */
import { assert, assertEquals } from "@std/assert";
import type { NetworkDocument } from "../../../src/network/document.ts";
import { Network } from "../../../src/network/network.ts";
import type { RunOptions } from "../../../src/network/options.ts";
import type { Simulation } from "../../../src/network/simulation.ts";
import { always } from "../../../src/network/threads.ts";
import type { TraceLevel } from "../../../src/trace/items.ts";
import { Recorder } from "../../../src/trace/recorder.ts";

/** Records a run: the items of its trace, as text. */
export function recorded(
  simulation: Simulation,
  level: TraceLevel,
  run: (simulation: Simulation) => void,
): string[] {
  const items: string[] = [];
  const recorder = new Recorder(simulation, { level, engine: "test", sink: (bytes) => items.push(bytes.toBase64()) });
  run(simulation);
  recorder.finish(simulation.report());
  return items;
}

/** A network has the same trace in one thread as in several. Returns how many there were. */
export function assertSameTrace(network: NetworkDocument, level: TraceLevel, options: RunOptions): number {
  const { workers: _, ...alone } = options;
  const { partition: _p, ...undivided } = network;
  const expected = recorded(Network.fromJSON(undivided).build(), level, (one) => one.run(alone));
  const simulation = Network.fromJSON(network).build();
  try {
    const found = recorded(simulation, level, (one) => one.run(always(options)));
    // (The header has the declaration, with how it is divided.)
    assertEquals(found.length, expected.length);
    for (let i = network.partition === undefined ? 0 : 1; i < found.length; i++) {
      assert(found[i] === expected[i], `item ${i} of ${found.length} differs`);
    }
    return simulation.threads.count;
  } finally {
    simulation.close();
  }
}
