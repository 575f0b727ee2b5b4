/** Little's law on every table: the mean number of rows is the rate at which they come times how long each stays. */
import { assert } from "@std/assert";
import { Network } from "../../mod.ts";
import type { HoldDistribution } from "../../src/app/holding.ts";
import { LISTENER } from "../../src/tcp/state/small_rows.ts";

/** What is run: short connections through a NAT. */
export interface LittleRun {
  seed: number;
  perSecond: number;
  holdSeconds: number;
  distribution?: HoldDistribution;
  timeWaitSeconds: number;
  closingSeconds: number;
  holdDownSeconds?: number;
  rttMs: number;
  /** How long the tables are looked at, once they are full. */
  lookSeconds?: number;
}

/** Runs it, and throws where a table holds another number of rows than rate x residence. */
export function holdsLittle(options: LittleRun, deviationsAllowed = 4): void {
  const { seed, perSecond, holdSeconds, distribution = "exponential", timeWaitSeconds, closingSeconds } = options;
  const { holdDownSeconds = 0, rttMs, lookSeconds = 600 } = options;
  const network = new Network({ seed });
  const profile = { timeWaitNs: timeWaitSeconds * 1e9, ephemeralPortLow: 1024, ephemeralPortHigh: 65_535 };
  network.host("clients", { count: 4, address: "100.64.0.2/10", profile });
  network.nat("gateway", {
    address: "203.0.113.1/24",
    pool: { first: "203.0.113.1", count: 4 },
    insideAddress: "100.64.0.1",
    tcpClosingNs: closingSeconds * 1e9,
    holdDownNs: holdDownSeconds * 1e9,
  });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  network.link("clients", "gateway");
  network.link("gateway", "server", { delayNs: rttMs / 2 * 1e6 });
  // Time enough for the tables to fill, then a time in which they are looked at.
  const fromSeconds = 20 + 4 * holdSeconds + timeWaitSeconds + closingSeconds + holdDownSeconds;
  const untilSeconds = fromSeconds + lookSeconds;
  network.workload({
    name: "calls",
    kind: "hold",
    from: ["clients"],
    to: ["server:443"],
    connections: Math.ceil(perSecond * (untilSeconds + 10)),
    arrivals: { kind: "poisson", perSecond },
    holdNs: holdSeconds * 1e9,
    holdDistribution: distribution,
    holdShape: 3,
  });
  const simulation = network.build();
  const { partition: s } = simulation;
  const sums = { connections: 0, halfOpen: 0, timeWait: 0, sessions: 0, resting: 0 };
  let looks = 0;
  simulation.run({ untilNs: fromSeconds * 1e9 });
  const before = s.stats.established;
  // (Odd steps: looking must not keep time with anything.)
  for (let at = fromSeconds; at < untilSeconds; at += 0.0973 * lookSeconds / 600) {
    simulation.run({ untilNs: Math.round(at * 1e9) });
    const report = simulation.liveReport();
    sums.connections += report.connections.open;
    sums.halfOpen += s.tcp.listeners.words[s.listeners[0] * LISTENER.STRIDE + LISTENER.SYN_COUNT];
    sums.timeWait += s.tcp.timeWaits.inUse;
    sums.sessions += report.nats[0].sessions;
    sums.resting += report.nats[0].portsHeld;
    looks++;
  }
  const rate = (s.stats.established - before) / (simulation.nowNs / 1e9 - fromSeconds);
  const rtt = rttMs / 1e3;
  // A session is there from the SYN to the closing timeout after the second FIN; the hold begins a round trip later.
  const residence = {
    connections: holdSeconds,
    halfOpen: rtt,
    timeWait: timeWaitSeconds,
    sessions: rtt + holdSeconds + rtt + closingSeconds,
    resting: holdDownSeconds,
  };
  for (const name of ["connections", "halfOpen", "timeWait", "sessions", "resting"] as const) {
    const mean = sums[name] / looks;
    const expected = rate * residence[name];
    // Of a Poisson process, over so long a time, and of what stays so long.
    const deviation = Math.sqrt(expected * 2 * residence[name] / lookSeconds) + 0.002 * expected;
    assert(
      Math.abs(mean - expected) <= deviationsAllowed * deviation,
      `${name}: ${mean}, not ${expected} +- ${deviation} (${JSON.stringify(options)})`,
    );
  }
}
