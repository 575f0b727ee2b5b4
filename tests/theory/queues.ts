/** Waiting at a host's processor and at a link, measured. */
import { Network, type Simulation } from "../../mod.ts";
import type { CpuOptions } from "../../src/network/options.ts";

/** What was measured of a queue: the mean waiting time, and the half-width of its confidence interval. */
export interface Waiting {
  meanNs: number;
  halfWidthNs: number;
  busyShare: number;
  lost: number;
  offered: number;
}

/** Batches for the interval: their means are nearly independent. Student's t of 29 degrees of freedom at 99.9%. */
const BATCHES = 30;
const STUDENT_T = 3.66;

/**
 * A closed port of `server` is knocked at by a Poisson process: each SYN is served (and answered with a RST, which costs
 * as much) and nothing else happens. The waiting time is what the answer took beyond its two services.
 */
export function knock(options: { seed: number; cpu: CpuOptions; perSecond: number; knocks: number }): Waiting {
  const { seed, cpu, perSecond, knocks } = options;
  const network = new Network({ seed });
  network.host("clients", { address: "10.0.0.1/16", count: 40, profile: { synRetries: 0 } });
  network.host("server", { address: "192.0.2.1/24", cpu });
  network.router("r");
  network.link("clients", "r");
  network.link("r", "server");
  network.workload({
    name: "knocks",
    kind: "hold",
    from: ["clients"],
    to: ["server:9"],
    connections: knocks,
    arrivals: { kind: "poisson", perSecond },
  });
  const simulation = network.build();
  const serviceNs = 2 * cpu.perPacketNs!;
  const waits = timesInServer(simulation).map((ns) => ns - serviceNs);
  const s = simulation.partition;
  return {
    ...estimate(waits),
    busyShare: s.cpus!.use(1, s.nowNs).busyShare,
    lost: s.cpus!.use(1, s.nowNs).dropped,
    offered: knocks,
  };
}

/** From a packet's arrival at the server to its answer's departure, in order. */
function timesInServer(simulation: Simulation): number[] {
  const arrived: number[] = [];
  const times: number[] = [];
  simulation.onDelivery((_p, timeNs, _from, to) => to === "server" && arrived.push(timeNs));
  simulation.onSend((_p, timeNs, from) => from === "server" && times.push(timeNs - arrived[times.length]));
  simulation.run();
  return times;
}

/** The mean of what depends on what came shortly before, with its interval. */
function estimate(waits: number[]): { meanNs: number; halfWidthNs: number } {
  const batch = Math.floor(waits.length / BATCHES);
  const means = Array.from({ length: BATCHES }, (_, i) => mean(waits.slice(i * batch, (i + 1) * batch)));
  const meanNs = mean(means);
  const variance = means.reduce((sum, x) => sum + (x - meanNs) ** 2, 0) / (BATCHES - 1);
  return { meanNs, halfWidthNs: STUDENT_T * Math.sqrt(variance / BATCHES) };
}

function mean(values: number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

/** Mean waiting time of SYNs that a Poisson process sends over a slow link to a closed port, ns, with its interval. */
export function waitForLink(
  options: { utilisation: number; seed: number; rateBps?: number; packets?: number },
): { meanNs: number; halfWidthNs: number; serviceNs: number } {
  const { utilisation, seed, rateBps = 1e6, packets = 120_000 } = options;
  const network = new Network({ seed });
  const serviceNs = 60 * 8 * 1e9 / rateBps; // a SYN has 60 bytes
  network.host("clients", { count: 60, address: "10.0.0.1/16", profile: { synRetries: 0 } });
  network.router("r");
  network.host("server", { address: "192.0.2.1/24" });
  network.link("clients", "r");
  network.link("r", "server", { rateBps });
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
  return { ...estimate(waits), serviceNs };
}

/** How long one waits in M/D/1: ρ s / (2 (1 - ρ)). */
export function waitOfMd1(utilisation: number, serviceNs: number): number {
  return utilisation * serviceNs / (2 * (1 - utilisation));
}
