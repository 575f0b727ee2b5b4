import { assert, assertEquals } from "@std/assert";
import { Network } from "../../src/network/network.ts";
import { columnBytes } from "../../src/network/memory.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { assertConserved, assertEmpty } from "./support/probe.ts";

/** Seconds that a closed connection's tuple is remembered. */
const TIME_WAIT_SECONDS = 2;

/** Connections opened, used and closed at a steady rate, through a NAT and a balancer, for `seconds`. */
function churn(options: { seconds: number; perSecond: number; close: "client" | "server" | "both" }): Simulation {
  const { seconds, perSecond, close } = options;
  const network = new Network({ seed: 3 });
  const profile = { timeWaitNs: TIME_WAIT_SECONDS * 1e9 };
  network.host("clients", { count: 20, address: "10.0.0.2/8", profile });
  network.nat("nat", { address: "203.0.113.1/24", tcpTransitoryNs: 2e9, portAssignment: "sequential" });
  network.balancer("lb", {
    address: "192.0.2.9/24",
    services: [{ port: 443, backends: ["web:80"] }],
    // (A timer that another takes the place of stays on its wheel until its own time.)
    synNs: 2e9,
    finNs: 2e9,
  });
  network.host("web", { count: 4, address: "192.0.3.1/24", listen: [{ port: 80 }], profile });
  network.link("clients", "nat", { delayNs: 1e6, rateBps: 1e9 });
  network.link("nat", "lb", { delayNs: 5e6, rateBps: 1e10 });
  network.link("lb", "web", { delayNs: 1e6, rateBps: 1e10 });
  network.workload({
    name: "churn",
    kind: "request-response",
    from: ["clients"],
    to: ["lb:443"],
    connections: seconds * perSecond,
    arrivals: { kind: "rate", perSecond },
    holdNs: 50e6,
    close,
  });
  return network.build();
}

/** Rows that are in use after a while of work, and rows that have ever been. */
function rows({ partition: s }: Simulation) {
  const { tcp, nat } = s;
  return {
    bytes: columnBytes(s) - s.stats.bytes,
    ends: tcp.tcbs.inUse,
    timeWaits: tcp.timeWaits.inUse,
    tuples: tcp.demux.table.size,
    sessions: nat.sessions.inUse,
    flows: s.balancers!.flows.rows.inUse,
    timers: s.timers.pending,
    packets: s.packets.rows.peak,
  };
}

for (const close of ["client", "server", "both"] as const) {
  Deno.test(`connections opened, used and closed by ${close}: memory is flat after one TIME_WAIT, and then all rows are free`, () => {
    const simulation = churn({ seconds: 10, perSecond: 400, close });
    // Everything that lingers has come and gone once, and then twice.
    simulation.run({ untilNs: 5.1e9 });
    const after = rows(simulation);
    assert(after.timeWaits >= 400 * TIME_WAIT_SECONDS * 0.9, `${after.timeWaits}`);
    for (const untilNs of [7.1e9, 9.1e9]) {
      simulation.run({ untilNs });
      const now = rows(simulation);
      for (const [name, count] of Object.entries(after)) {
        const change = Math.abs(now[name as keyof typeof now] - count);
        assert(change <= 0.02 * count + 8, `${name}: ${count}, then ${now[name as keyof typeof now]}`);
      }
    }
    simulation.run();
    assertEquals(simulation.report().connections.established, 4000);
    // NAT sessions and flows do not keep a run alive.
    simulation.run({ untilNs: simulation.nowNs + 300e9, pastQuiescence: true });
    assertConserved(simulation);
    assertEmpty(simulation);
    assertEquals(simulation.partition.balancers!.flows.rows.inUse, 0);
    assertEquals([simulation.partition.tcpWheel.size, simulation.partition.natWheel.size], [0, 0]);
  });
}
