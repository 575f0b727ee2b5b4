/** Waiting at a link against queueing theory (DESIGN section 7): packets of one size that come at random, M/D/1. */
import { assert } from "@std/assert";
import { Network } from "../../mod.ts";

const BATCHES = 30;
const STUDENT_T = 3.66;

/** Mean waiting time of SYNs that a Poisson process sends over a slow link to a closed port, ns, with its interval. */
function waiting(utilisation: number, seed: number): { meanNs: number; halfWidthNs: number; serviceNs: number } {
  const network = new Network({ seed });
  const packets = 120_000;
  const serviceNs = 60 * 8 * 1e3; // 60 bytes at 1 Mbit/s
  network.host("clients", { count: 60, address: "10.0.0.1/16", profile: { synRetries: 0 } });
  network.router("r");
  network.host("server", { address: "192.0.2.1/24" });
  network.link("clients", "r");
  network.link("r", "server", { rateBps: 1e6 });
  network.workload({
    name: "knocks",
    kind: "hold",
    from: ["clients"],
    to: ["server:9"],
    connections: packets,
    arrivals: { kind: "poisson", perSecond: utilisation * 1e9 / serviceNs },
  });
  const simulation = network.build();
  const sent: number[] = [];
  const waits: number[] = [];
  simulation.onSend((_p, timeNs, from) => from.startsWith("clients") && sent.push(timeNs));
  // One link, first come first served: the i-th to arrive is the i-th that was sent.
  simulation.onDelivery((_p, timeNs, _from, to) => {
    if (to === "server") waits.push(timeNs - sent[waits.length] - serviceNs);
  });
  simulation.run();
  const batch = Math.floor(waits.length / BATCHES);
  const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const means = Array.from({ length: BATCHES }, (_, i) => mean(waits.slice(i * batch, (i + 1) * batch)));
  const meanNs = mean(means);
  const variance = means.reduce((sum, x) => sum + (x - meanNs) ** 2, 0) / (BATCHES - 1);
  return { meanNs, halfWidthNs: STUDENT_T * Math.sqrt(variance / BATCHES), serviceNs };
}

for (const utilisation of [0.3, 0.6, 0.9]) {
  Deno.test(`packets wait for a link as in M/D/1 at a utilisation of ${utilisation}`, () => {
    const { meanNs, halfWidthNs, serviceNs } = waiting(utilisation, 1);
    const expected = utilisation * serviceNs / (2 * (1 - utilisation));
    assert(Math.abs(meanNs - expected) <= halfWidthNs, `${meanNs} +- ${halfWidthNs}, not ${expected}`);
    assert(halfWidthNs < 0.3 * expected, `${halfWidthNs} of ${expected}`);
  });
}
