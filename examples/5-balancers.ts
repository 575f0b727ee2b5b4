// The network of 5-balancers.yaml in code: one address in front of four servers.
//
//   deno run examples/5-balancers.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "One address in front of four servers, seen by one client, by five, and by the servers.";

export function build(): Network {
  const network = new Network({ name: "5-balancers", seed: 1 });
  const profile = { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_999, synRetries: 0 };
  network.host("one", { address: "198.51.100.1/24", profile });
  network.host("five", { count: 5, address: "198.51.100.101/24", profile });
  network.host("web", {
    count: 4,
    address: "192.0.2.1/24",
    virtualAddresses: ["203.0.113.80"], // for direct return: they answer from the balancer's address
    listen: [{ port: 443 }],
  });
  const backends = ["web:443"]; // by turns
  network.balancer("lb", {
    address: "203.0.113.1/24",
    services: [
      { port: 81, backends, mode: "nat" }, // rewrites where packets go; servers see who sent them
      { port: 443, backends, mode: "direct-return", address: "203.0.113.80" }, // rewrites nothing
      { port: 83, backends, mode: "full-nat" }, // rewrites both: servers see one client, the balancer
    ],
    portLow: 1024,
    portHigh: 2023,
  });
  network.router("net");
  for (const name of ["one", "five"]) network.link(name, "net", { delayNs: 5e6 });
  for (const name of ["web", "lb"]) network.link(name, "net", { delayNs: 1e6 });

  const wants = (name: string, from: string, to: string, connections: number) =>
    network.workload({
      name,
      kind: "hold",
      from: [from],
      to: [to],
      connections,
      arrivals: { kind: "rate", perSecond: 1000 },
    });
  wants("one-nat", "one", "lb:81", 1100);
  wants("one-direct", "one", "203.0.113.80:443", 1100);
  wants("five-nat", "five", "lb:81", 5000);
  wants("five-direct", "five", "203.0.113.80:443", 5000);
  wants("five-hidden", "five", "lb:83", 5000);
  return network;
}

export const expected = [
  "workloads[one-nat].open == 1000", // four servers, one address: 1,000 ports
  "workloads[one-direct].open == 1000",
  "workloads[five-nat].open == 5000", // 5 clients x 1,000 ports
  "workloads[five-direct].open == 5000",
  "workloads[five-hidden].open == 4000", // the balancer's 1,000 ports x 4 servers
  "limits[ports@lb].refused == 1000", // the others
  "limits[0].node == one", // the first to run out, after 1 s
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
