// The network of 5-more-addresses.yaml in code: what multiplies the tuples, and what does not.
//
//   deno run examples/5-more-addresses.ts
import { expectations, Network, summary } from "../mod.ts";

export const description =
  "One client has 1,000 ports. How many connections does it get to four servers? It depends on what they share.";

export function build(): Network {
  const network = new Network({ name: "5-more-addresses", seed: 1 });
  const profile = { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_999, synRetries: 0 };
  const listen = [{ port: 443 }];
  network.host("clients", {
    count: 5,
    address: "198.51.100.1/24",
    profile,
    resolver: { servers: ["ns"], cache: false },
  });
  network.host("crowd", { count: 5, address: "198.51.100.101/24", profile });
  // Anycast; direct return.
  const virtualAddresses = ["203.0.113.53", "203.0.113.80"];
  network.host("web", { count: 4, address: "192.0.2.1/24", listen, virtualAddresses });
  const extraAddresses = ["192.0.2.12", "192.0.2.13", "192.0.2.14"];
  network.host("multi", { address: "192.0.2.11/24", listen, extraAddresses });
  network.host("ns", {
    address: "192.0.2.53/24",
    dns: { records: { "www.example.com": { addresses: ["web"] } } },
  });
  const service = { port: 443, backends: ["web:443"] };
  network.balancer("keeping", { address: "203.0.113.1/24", services: [service] }); // mode nat: clients' addresses stay
  network.balancer("direct", {
    address: "203.0.113.2/24",
    services: [{ ...service, address: "203.0.113.80", mode: "direct-return" }],
  });
  network.balancer("hiding", {
    address: "203.0.113.3/24",
    services: [{ ...service, mode: "full-nat" }], // clients' addresses do not stay
    portLow: 1024,
    portHigh: 2023,
  });
  network.router("net");
  for (const name of ["clients", "crowd"]) network.link(name, "net", { delayNs: 5e6 });
  for (const name of ["web", "multi", "ns", "keeping", "direct", "hiding"]) network.link(name, "net", { delayNs: 1e6 });

  const load = (name: string, from: string, to: string[], connections = 4100) =>
    network.workload({
      name,
      kind: "hold",
      from: [from],
      to,
      connections,
      arrivals: { kind: "rate", perSecond: 1000 },
    });
  // The client sees four addresses: four times 1,000 ports.
  load("dns", "clients[0]", ["www.example.com:443"]);
  load("addresses", "clients[1]", ["192.0.2.11:443", "192.0.2.12:443", "192.0.2.13:443", "192.0.2.14:443"]);
  // It sees one: 1,000, whatever stands behind it.
  load("anycast", "clients[2]", ["203.0.113.53:443"]);
  load("behind-nat", "clients[3]", ["keeping:443"]);
  load("behind-direct", "clients[4]", ["203.0.113.80:443"]);
  // Five clients more are 5,000 more; but a balancer that hides them is one client itself: 1,000 ports x 4 back ends.
  load("crowd-nat", "crowd", ["keeping:443"], 5000);
  load("crowd-hidden", "crowd", ["hiding:443"], 5000);
  return network;
}

export const expected = [
  "workloads[dns].open == 4000",
  "workloads[addresses].open == 4000",
  "workloads[anycast].open == 1000",
  "workloads[behind-nat].open == 1000",
  "workloads[behind-direct].open == 1000",
  "workloads[crowd-nat].open == 5000",
  "workloads[crowd-hidden].open == 4000",
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
