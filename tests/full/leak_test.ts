import { assert, assertEquals } from "@std/assert";
import { columnBytes } from "../../src/network/memory.ts";
import { Network } from "../../src/network/network.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { assertConserved, assertEmpty } from "../network/support/probe.ts";

const PER_SECOND = 20_000;
const TIME_WAIT_SECONDS = 5;
const PERIODS = 6;

/** Connections opened, used and closed, 20,000 a second, each remembered for five seconds by client and NAT. */
function churn(): Simulation {
  const network = new Network();
  const profile = { timeWaitNs: TIME_WAIT_SECONDS * 1e9 };
  network.host("clients", { count: 100, address: "10.0.0.2/8", profile });
  network.nat("nat", {
    address: "203.0.113.1/24",
    pool: { first: "203.0.113.1", count: 8 },
    pooling: "arbitrary",
    portAssignment: "sequential",
    tcpTransitoryNs: TIME_WAIT_SECONDS * 1e9,
  });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }], profile });
  network.link("clients", "nat", { rateBps: 1e9, delayNs: 1e6 });
  network.link("nat", "server", { rateBps: 40e9, delayNs: 5e6 });
  network.workload({
    name: "churn",
    kind: "request-response",
    from: ["clients"],
    to: ["server:443"],
    connections: PER_SECOND * TIME_WAIT_SECONDS * PERIODS,
    arrivals: { kind: "rate", perSecond: PER_SECOND },
  });
  return network.build();
}

Deno.test("600,000 connections opened, used and closed in 30 s: memory is flat from the second TIME_WAIT period on", () => {
  const simulation = churn();
  const { partition: s, estimate } = simulation;
  const tables: number[] = [];
  const resident: number[] = [];
  for (let period = 1; period <= PERIODS; period++) {
    simulation.run({ untilNs: (period * TIME_WAIT_SECONDS + 1) * 1e9 });
    tables.push(columnBytes(s) - s.stats.bytes);
    resident.push(Deno.memoryUsage().rss);
    if (period > 1 && period < PERIODS) {
      assertEquals(s.tcp.timeWaits.inUse, PER_SECOND * TIME_WAIT_SECONDS, `in period ${period}`);
    }
  }
  assertEquals(tables.slice(2), tables.slice(2).map(() => tables[1]));
  assert(Math.max(...resident) <= 1.1 * resident[1], `resident bytes by period: ${resident.join(", ")}`);
  simulation.run({ untilNs: simulation.nowNs + 60e9, pastQuiescence: true });
  assertEquals(simulation.report().connections.established, PER_SECOND * TIME_WAIT_SECONDS * PERIODS);
  assertConserved(simulation);
  assertEmpty(simulation);
  assertEquals([s.tcpWheel.size, s.natWheel.size], [0, 0]);
  const off = estimate.tableBytes / columnBytes(s);
  assert(off > 0.9 && off < 1.1, `${estimate.tableBytes} estimated, ${columnBytes(s)} taken`);
});
