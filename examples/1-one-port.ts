// The network of 1-one-port.yaml in code: a million connections established at once on one listening port.
//
//   deno run examples/1-one-port.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "A million connections on one listening port, and not one port of the server used up.";

/** A test builds a smaller one. */
export function build(clients = 36, connections = 1_020_000): Network {
  const network = new Network({ name: "1-one-port", seed: 1 });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  network.host("clients", { count: clients, address: "198.51.100.1/24" });
  network.host("database", { address: "203.0.113.1/24", listen: [{ port: 5432 }] });
  network.router("net");
  network.link("clients", "net", { rateBps: 10e9, delayNs: 5e6 });
  network.link("net", "server", { rateBps: 40e9, delayNs: 1e6 });
  network.link("net", "database", { rateBps: 10e9, delayNs: 1e6 });
  network.workload({
    name: "crowd",
    kind: "hold", // opens, and stays
    from: ["clients"],
    to: ["server:443"],
    connections,
    arrivals: { kind: "rate", perSecond: 500_000 },
  });
  // While it holds the million, the server is a client too: each of its own 28,232 ports is still there to connect from.
  network.workload({
    name: "own",
    kind: "hold",
    from: ["server"],
    to: ["database:5432"],
    connections: 28_232,
    arrivals: { kind: "rate", perSecond: 500_000, startNs: 3e9 },
  });
  return network;
}

export const expected = [
  "workloads[crowd].open == 1_016_352", // 36 clients x 28,232 ports, on one port of the server
  "workloads[crowd].failed.EADDRNOTAVAIL == 3_648", // the clients ran out, not the server
  "workloads[own].open == 28_232",
  "limits[ports@server].refused == 0",
  "limits[0].node == clients", // where the first limit bound
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
