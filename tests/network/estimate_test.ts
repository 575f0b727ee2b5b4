import { assert } from "@std/assert";
import { columnBytes } from "../../src/network/memory.ts";
import { Network } from "../../src/network/network.ts";
import type { WorkloadOptions } from "../../src/network/options.ts";

/** 10,000 connections through a NAT to a server. */
function network(load: Partial<WorkloadOptions>, middle: "nat" | "eim" | "router"): Network {
  const network = new Network({ seed: 5 });
  network.host("clients", { count: 10, address: "10.0.0.2/8" });
  if (middle === "router") network.router("middle");
  else {
    const mapping = middle === "eim" ? "endpoint-independent" : "address-and-port-dependent";
    network.nat("middle", { address: "203.0.113.1/24", mapping, portAssignment: "sequential" });
  }
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  network.link("clients", "middle", { rateBps: 1e9, delayNs: 1e6 });
  network.link("middle", "server", { rateBps: 1e10, delayNs: 4e6 });
  const ends = { from: ["clients"], to: ["server:80"], connections: 10_000 };
  const arrivals = { kind: "rate" as const, perSecond: 5_000 };
  network.workload({ name: "load", kind: "request-response", arrivals, ...ends, ...load });
  return network;
}

const CASES: [string, Partial<WorkloadOptions>, Parameters<typeof network>[1]][] = [
  ["held", { holdNs: Infinity }, "router"],
  ["held, through a NAT", { holdNs: Infinity }, "nat"],
  ["held, through a NAT with mappings", { holdNs: Infinity }, "eim"],
  ["closed by the clients, at random times", { holdNs: 5e8, holdDistribution: "exponential" }, "nat"],
  ["closed by the server", { close: "server" }, "nat"],
];

for (const [name, load, middle] of CASES) {
  Deno.test(`10,000 connections, ${name}: the tables take what was estimated, within 10%`, () => {
    const simulation = network(load, middle).build();
    simulation.run();
    const { tableBytes } = simulation.estimate;
    const truth = columnBytes(simulation.partition);
    assert(Math.abs(tableBytes / truth - 1) <= 0.1, `${tableBytes} estimated, ${truth} taken`);
  });
}
