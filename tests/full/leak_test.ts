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

const MILLION = { perSecond: 100_000, timeWaitSeconds: 10 };

/** The network of examples/million.yaml, whose connections close: a million at a time in TIME_WAIT and in the NAT. */
function million(): Simulation {
  const { perSecond, timeWaitSeconds } = MILLION;
  const profile = { timeWaitNs: timeWaitSeconds * 1e9 };
  const network = new Network();
  network.host("clients", { count: 1000, address: "10.0.0.2/8", profile });
  for (const router of ["r1", "r2", "r3"]) network.router(router);
  network.nat("nat", {
    address: "203.0.113.1/24",
    pool: { first: "203.0.113.1", count: 34 },
    portHigh: 61023,
    pooling: "arbitrary",
    portAssignment: "sequential",
    tcpTransitoryNs: timeWaitSeconds * 1e9,
  });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }], profile });
  network.link("clients", "r1", { rateBps: 1e8, delayNs: 1e6, delaySpreadSteps: 4000, delaySpreadStepNs: 1000 });
  network.link("r1", "nat", { rateBps: 1e10, delayNs: 5e4 });
  network.link("nat", "r2", { rateBps: 1e10, delayNs: 5e6 });
  network.link("r2", "r3", { rateBps: 1e10, delayNs: 1e7 });
  network.link("r3", "server", { rateBps: 1e10, delayNs: 1e5 });
  network.workload({
    name: "churn",
    kind: "request-response",
    from: ["clients"],
    to: ["server:443"],
    connections: perSecond * 60,
    arrivals: { kind: "rate", perSecond },
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

Deno.test("six million connections opened, used and closed in 60 s, 100,000 each second: flat memory, nothing left", () => {
  const simulation = million();
  const { partition: s, estimate } = simulation;
  const tables: number[] = [];
  const resident: number[] = [];
  for (let period = 1; period <= 6; period++) {
    simulation.run({ untilNs: (period * MILLION.timeWaitSeconds + 0.5) * 1e9 });
    tables.push(columnBytes(s) - s.stats.bytes);
    // (The time that each connection took to open is kept: four bytes.)
    resident.push(Deno.memoryUsage().rss - s.stats.bytes);
    if (period < 6) assertEquals(s.tcp.timeWaits.inUse, MILLION.perSecond * MILLION.timeWaitSeconds);
  }
  assertEquals(tables, tables.map(() => tables[0]));
  assert(Math.max(...resident) <= 1.1 * resident[0], `resident bytes by period: ${resident.join(", ")}`);
  simulation.run({ untilNs: simulation.nowNs + 60e9, pastQuiescence: true });
  assertEquals(simulation.report().connections.established, 6_000_000);
  assertConserved(simulation);
  assertEmpty(simulation);
  assertEquals([s.tcpWheel.size, s.natWheel.size], [0, 0]);
  const off = estimate.tableBytes / columnBytes(s);
  assert(off > 0.9 && off < 1.1, `${estimate.tableBytes} estimated, ${columnBytes(s)} taken`);
});
