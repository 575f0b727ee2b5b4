// The network of 2-four-tuple.yaml in code: what a port is counted by.
//
//   deno run examples/2-four-tuple.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "A port is used up towards one destination address and port, from one source address.";

export function build(): Network {
  const network = new Network({ name: "2-four-tuple", seed: 1 });
  const one = { ephemeralPortLow: 50_000, ephemeralPortHigh: 50_000 }; // a single port to connect from
  const whole = { portAllocation: "host-wide" } as const; // a TCP that never uses a port twice: not how Linux does it
  network.host("single", { address: "198.51.100.1/24", profile: one });
  network.host("linux", { address: "198.51.100.2/24" }); // 32,768 to 60,999: 28,232 ports
  network.host("twice", { address: "198.51.100.3/24" });
  network.host("simple", { address: "198.51.100.4/24", profile: whole });
  network.router("net");
  network.host("sites", { count: 1000, address: "203.0.113.1/16", listen: [{ port: 443 }] });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }, { port: 8443 }] });
  for (const name of ["single", "linux", "twice", "simple"]) network.link(name, "net", { rateBps: 1e9, delayNs: 1e6 });
  network.link("net", "sites", { rateBps: 1e9, delayNs: 5e6 });
  network.link("net", "server", { rateBps: 10e9, delayNs: 5e6 });

  // Each asks for one more per destination than there can be.
  const load = (name: string, from: string, to: string[], connections: number) =>
    network.workload({
      name,
      kind: "hold", // open, and stay open
      from: [from],
      to,
      connections,
      arrivals: { kind: "rate", perSecond: 100_000 },
    });
  load("many-sites", "single", ["sites:443"], 1001);
  load("one-site", "linux", ["server:443"], 28_233);
  load("two", "twice", ["server:443", "server:8443"], 56_466);
  load("host-wide", "simple", ["server:443", "server:8443"], 56_466);
  return network;
}

export const expected = [
  "workloads[many-sites].open == 1000", // all from port 50,000; a second to the first site is refused
  "limits[ports@single].capacity == 1",
  "workloads[one-site].open == 28_232", // 60,999 - 32,768 + 1
  "workloads[one-site].failed.EADDRNOTAVAIL == 1",
  "workloads[two].open == 56_464", // 28,232 ports x 2 destinations
  "workloads[two].failed.EADDRNOTAVAIL == 2",
  "workloads[host-wide].open == 28_232", // where a port is taken for the whole host, that is all
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
