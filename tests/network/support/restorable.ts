/** What snapshots must be able to do, held against random networks. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NetworkError } from "../../../src/network/errors.ts";
import { runPartition } from "../../../src/network/loop.ts";
import type { Network } from "../../../src/network/network.ts";
import { Simulation } from "../../../src/network/simulation.ts";
import { anyNetwork, Draw } from "./anything.ts";

const END_NS = 20e9;

/** All that a run says of itself. */
export function outcome(simulation: Simulation) {
  const { digest, eventDigest, nowNs } = simulation;
  return { digest, eventDigest, nowNs, report: simulation.report() };
}

/** Runs to the end. */
export function finished(simulation: Simulation): Simulation {
  simulation.run({ untilNs: END_NS });
  return simulation;
}

/** The network, or undefined where the draws do not go together. */
export function possible(network: Network): Simulation | undefined {
  try {
    return network.build();
  } catch (error) {
    if (error instanceof NetworkError) return undefined;
    throw error;
  }
}

/** (Without a listing of all the bytes.) */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  if (at < 0 && actual.length === expected.length) return;
  assert(false, `snapshots of ${actual.length} and ${expected.length} bytes differ from byte ${at} on`);
}

/**
 * Restores so many random networks (of runs of at most so many events) at two random moments each, and holds their ends
 * against that of the whole run.
 */
export function assertRestorable(networks: number, mostEvents = Infinity): void {
  let events = 0;
  fc.assert(
    fc.property(fc.gen(), (g) => {
      const draw = new Draw(g);
      const network = anyNetwork(draw);
      const whole = possible(network);
      fc.pre(whole !== undefined);
      finished(whole);
      const left = whole.snapshot();
      const { events: all } = whole.report();
      fc.pre(all <= mostEvents);
      events += all;
      for (let cuts = 0; cuts < 2; cuts++) {
        const cut = network.build();
        // (A batch counts ticks of timers as well: this ends anywhere, within an instant too.)
        runPartition(cut.partition, END_NS, false, draw.even(1, Math.ceil(all * 1.2)));
        const snapshot = cut.snapshot();
        const restored = Simulation.restore(snapshot);
        assertSame(restored.snapshot(), snapshot);
        assertEquals(outcome(finished(restored)), outcome(whole));
        // Whatever has shown in no packet: every table, byte for byte.
        assertSame(restored.snapshot(), left);
      }
    }),
    // (Shrinking takes long and says little: the seed is enough.)
    { numRuns: networks, endOnFailure: true },
  );
  assert(events > 200 * networks);
}
