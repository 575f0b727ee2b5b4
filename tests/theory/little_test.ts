/** Little's law on every table: the mean number of rows is the rate at which they come times how long each stays. */
import { assert } from "@std/assert";
import { Network } from "../../mod.ts";
import { LISTENER } from "../../src/tcp/state/small_rows.ts";

Deno.test("Little's law: connections, half-open ones, TIME-WAIT and NAT sessions", () => {
  for (
    const [seed, perSecond, holdSeconds, timeWaitSeconds, closingSeconds, rttMs] of [
      [1, 50, 10, 20, 30, 200],
      [2, 120, 4, 7, 12, 60],
    ]
  ) {
    const network = new Network({ seed });
    const profile = { timeWaitNs: timeWaitSeconds * 1e9, ephemeralPortLow: 1024, ephemeralPortHigh: 65_535 };
    network.host("clients", { count: 4, address: "100.64.0.2/10", profile });
    network.nat("gateway", {
      address: "203.0.113.1/24",
      insideAddress: "100.64.0.1",
      tcpClosingNs: closingSeconds * 1e9,
    });
    network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
    network.link("clients", "gateway");
    network.link("gateway", "server", { delayNs: rttMs / 2 * 1e6 });
    // Time enough for the tables to fill (none stays longer than 60 s), then 600 s in which they are looked at.
    const fromSeconds = 60;
    const untilSeconds = 660;
    network.workload({
      name: "calls",
      kind: "hold",
      from: ["clients"],
      to: ["server:443"],
      connections: perSecond * (untilSeconds + 10),
      arrivals: { kind: "poisson", perSecond },
      holdNs: holdSeconds * 1e9,
      holdDistribution: "exponential",
    });
    const simulation = network.build();
    const { partition: s } = simulation;
    const sums = { connections: 0, halfOpen: 0, timeWait: 0, sessions: 0 };
    let looks = 0;
    simulation.run({ untilNs: fromSeconds * 1e9 });
    const before = s.stats.established;
    // (Odd steps: looking must not keep time with anything.)
    for (let at = fromSeconds; at < untilSeconds; at += 0.0973) {
      simulation.run({ untilNs: Math.round(at * 1e9) });
      const report = simulation.liveReport();
      sums.connections += report.connections.open;
      sums.halfOpen += s.tcp.listeners.words[s.listeners[0] * LISTENER.STRIDE + LISTENER.SYN_COUNT];
      sums.timeWait += s.tcp.timeWaits.inUse;
      sums.sessions += report.nats[0].sessions;
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
    };
    for (const name of ["connections", "halfOpen", "timeWait", "sessions"] as const) {
      const mean = sums[name] / looks;
      const expected = rate * residence[name];
      // Of a Poisson process, over so long a time, and of what stays so long.
      const deviations = Math.sqrt(expected * 2 * residence[name] / (untilSeconds - fromSeconds)) + 0.002 * expected;
      assert(Math.abs(mean - expected) < 4 * deviations, `${name}: ${mean}, not ${expected} +- ${deviations}`);
    }
  }
});
