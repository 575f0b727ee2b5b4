/** The rate of short connections that TIME-WAIT leaves one client to one destination, measured. */
import { Network } from "../../mod.ts";

/** Connections a second that are established over two whole periods of TIME-WAIT, of twice as many that are tried. */
export function timeWaitRate(
  options: { low: number; high: number; timeWaitSeconds: number; seed: number; poisson?: boolean },
): number {
  const { low, high, timeWaitSeconds, seed, poisson } = options;
  const network = new Network({ seed });
  const profile = { ephemeralPortLow: low, ephemeralPortHigh: high, timeWaitNs: timeWaitSeconds * 1e9 };
  network.host("client", { address: "10.0.0.1/24", profile });
  network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
  network.link("client", "server", { delayNs: 100e3 });
  const perSecond = 2 * (high - low + 1) / timeWaitSeconds;
  network.workload({
    name: "short",
    kind: "hold",
    from: ["client"],
    to: ["server:80"],
    connections: Math.ceil(perSecond * timeWaitSeconds * 3.2),
    arrivals: { kind: poisson ? "poisson" : "rate", perSecond },
    holdNs: 0,
  });
  const simulation = network.build();
  const { stats } = simulation.partition;
  simulation.run({ untilNs: timeWaitSeconds * 1e9 });
  const before = stats.established;
  simulation.run({ untilNs: 3 * timeWaitSeconds * 1e9 });
  return (stats.established - before) / (2 * timeWaitSeconds);
}
