/** What a scenario says about NAT gateways. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { natStats } from "../../src/network/nat_events.ts";
import { buildSimulation } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { natOptions, natSchema } from "../../src/scenario/schema_nat.ts";

const scenario = (nat: string) =>
  `nodes:
  homes: { kind: host, count: 4, address: 100.64.0.2/24 }
  cgn: { kind: nat, address: 203.0.113.1/24, inside: 100.64.0.1, ${nat} }
  web: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [homes, cgn], delay: 1ms }
  - { between: [cgn, web], delay: 1ms }
workloads:
  - { name: load, kind: hold, from: homes, to: web:443, connections: 40, arrivals: { kind: rate, rate: 1000/s } }
`;

/** The gateway's statistics after the run. */
function run(nat: string) {
  const simulation = buildSimulation(loadScenario("a.yaml", scenario(nat)));
  simulation.run({ untilNs: 1e9 });
  const s = simulation.partition;
  return natStats(s, s.nodes.population("cgn")!.firstRow);
}

function complaint(nat: string): string {
  return assertThrows(() => buildSimulation(loadScenario("a.yaml", scenario(nat))), InputError).message;
}

/** The options of a gateway in a scenario's words. */
function options(nat: object) {
  const all = natOptions(natSchema.parse({ kind: "nat", address: "203.0.113.1/24", ...nat }));
  return Object.fromEntries(Object.entries(all).filter(([key, value]) => value !== undefined && key !== "address"));
}

Deno.test("every short form of a gateway's settings stands for the long one", () => {
  assertEquals(options({ holdDown: true }), { holdDownNs: 120e9 });
  assertEquals(options({ holdDown: false }), {});
  assertEquals(options({ holdDown: "30s" }), { holdDownNs: 30e9 });
  assertEquals(options({ holdDown: { ports: 5, tcp: false } }), {
    holdDownNs: 120e9,
    holdDownPorts: 5,
    holdDownTcp: false,
  });
  assertEquals(options({ sessionRate: "30/min" }), { sessionsPerSecond: 0.5 });
  assertEquals(options({ sessionRate: { rate: "10/s", burst: 20 } }), { sessionsPerSecond: 10, sessionsBurst: 20 });
  assertEquals(options({ log: "blocks" }), { log: "blocks" });
  assertEquals(options({ log: { events: "sessions", format: "syslog", destinations: true } }), {
    log: "sessions",
    logFormat: "syslog",
    logDestinations: true,
  });
  assertEquals(options({ deterministic: "100.64.0.0/30" }), { deterministic: { first: "100.64.0.0", count: 4 } });
  assertEquals(options({ timeouts: { opening: "30s", closing: "10s", unsolicitedSyn: "8s" } }), {
    tcpOpeningNs: 30e9,
    tcpClosingNs: 10e9,
    unsolicitedSynNs: 8e9,
  });
  const forwards = [{ udp: 53, address: "203.0.113.2", to: "10.0.0.2:53" }];
  assertEquals(options({ forwards }).forwards, [
    { protocol: "udp", externalPort: 53, externalAddress: "203.0.113.2", address: "10.0.0.2", port: 53 },
  ]);
});

Deno.test("blocks, deterministic ports, rates and a full table do in a scenario what they say", () => {
  assertEquals(run("blocks: { size: 4, perSubscriber: 2 }").blocks?.inUse, 8);
  assertEquals(run("deterministic: 100.64.0.0/28, ports: 1024-1103").sessions, 4 * 5);
  assertEquals(run("sessionRate: { rate: 1/s, burst: 3 }").sessions, 4 * 3);
  assertEquals(run("maxSessions: 17").sessions, 17);
  assertEquals(run("log: sessions").log.records, 40);
});

Deno.test("settings of a gateway that make no sense are refused in a sentence, at their place", () => {
  const both = complaint("blocks: { size: 4 }, deterministic: 100.64.0.0/28");
  assert(both.includes("not both"), both);
  const large = complaint("blocks: { size: 100 }, ports: 1024-1034");
  assert(large.includes("does not fit"), large);
  const family = complaint("deterministic: 2001:db8::/120");
  assert(family.includes("IPv4"), family);
  const few = complaint("deterministic: 100.64.0.0/24, ports: 1024-1034");
  assert(few.includes("a port for everyone"), few);
  const slip = complaint("holdDwon: true");
  assert(slip.includes("holdDown"), slip);
  const word = complaint("log: session");
  assert(word.includes("sessions"), word);
});
