/** Waiting at a host's processor against queueing theory (DESIGN section 7). */
import { assert } from "@std/assert";
import { Network, type Simulation } from "../../mod.ts";
import type { CpuOptions } from "../../src/network/options.ts";

/** What was measured of a queue: the mean waiting time, and the half-width of its confidence interval. */
interface Waiting {
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
function knock(options: { seed: number; cpu: CpuOptions; perSecond: number; knocks: number }): Waiting {
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
  const batch = Math.floor(waits.length / BATCHES);
  const means = Array.from({ length: BATCHES }, (_, i) => mean(waits.slice(i * batch, (i + 1) * batch)));
  const middle = mean(means);
  const variance = means.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (BATCHES - 1);
  const s = simulation.partition;
  return {
    meanNs: middle,
    halfWidthNs: STUDENT_T * Math.sqrt(variance / BATCHES),
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

function mean(values: number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

for (const utilisation of [0.3, 0.5, 0.8, 0.9]) {
  Deno.test(`packets wait for one core as in M/D/1 at a utilisation of ${utilisation}`, () => {
    // Both packets of a knock are one turn of the core: the service time is 2 x 5 us.
    const serviceNs = 10_000;
    const expected = utilisation * serviceNs / (2 * (1 - utilisation));
    for (const seed of [1, 2]) {
      const found = knock({
        seed,
        cpu: { perPacketNs: serviceNs / 2, queuePackets: 1e6 },
        perSecond: utilisation * 1e9 / serviceNs,
        knocks: 120_000,
      });
      assert(
        Math.abs(found.meanNs - expected) <= found.halfWidthNs,
        `${found.meanNs} +- ${found.halfWidthNs}, not ${expected}`,
      );
      // The interval is worth something.
      assert(found.halfWidthNs < 0.25 * expected, `${found.halfWidthNs} of ${expected}`);
      assert(Math.abs(found.busyShare - utilisation) < 0.02 * utilisation, `busy ${found.busyShare}`);
    }
  });
}

Deno.test("without a place to wait, cores lose packets as Erlang-B says", () => {
  const serviceNs = 10_000;
  for (const [cores, erlangs] of [[1, 0.5], [4, 3], [8, 8]]) {
    let blocking = 1;
    for (let n = 1; n <= cores; n++) blocking = erlangs * blocking / (n + erlangs * blocking);
    const found = knock({
      seed: 3,
      cpu: { cores, perPacketNs: serviceNs / 2, queuePackets: 0 },
      perSecond: erlangs * 1e9 / serviceNs,
      knocks: 100_000,
    });
    const share = found.lost / found.offered;
    // Losses come in runs: three times the deviation of independent ones.
    const tolerance = 9 * Math.sqrt(blocking * (1 - blocking) / found.offered);
    assert(Math.abs(share - blocking) < tolerance, `${cores} cores at ${erlangs}: ${share}, not ${blocking}`);
  }
});

Deno.test("two cores make packets wait as M/D/2 does", () => {
  const serviceNs = 10_000;
  const utilisation = 0.8;
  const found = knock({
    seed: 5,
    cpu: { cores: 2, perPacketNs: serviceNs / 2, queuePackets: 1e6 },
    perSecond: 2 * utilisation * 1e9 / serviceNs,
    knocks: 120_000,
  });
  // M/M/2 waits C(2, 1.6) s / (2 (1 - 0.8)); of that, constant service takes Cosmetatos' share (good to about 1%).
  const exponential = 0.7111 * serviceNs / (2 * (1 - utilisation));
  const share = (1 + (1 - utilisation) * (Math.sqrt(4 + 5 * 2) - 2) / (16 * utilisation * 2)) / 2;
  const expected = share * exponential;
  assert(Math.abs(found.meanNs - expected) < found.halfWidthNs + 0.01 * expected, `${found.meanNs}, not ${expected}`);
});
