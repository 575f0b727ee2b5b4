// The network of 5-more-addresses.yaml in code: what multiplies the tuples, and what does not.
//
//   deno run examples/5-more-addresses.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "DNS round robin and more addresses give a client more connections; anycast does not.";

export function build(): Network {
  const network = new Network({ name: "5-more-addresses", seed: 1 });
  const profile = { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_999 };
  const resolver = { servers: ["ns"], cache: false }; // it looks the name up for each connection
  network.host("asking", { address: "198.51.100.1/24", profile, resolver });
  network.host("naming", { address: "198.51.100.2/24", profile });
  network.host("calling", { address: "198.51.100.3/24", profile });
  network.host("ns", { address: "192.0.2.53/24", dns: { records: { "www.example.com": { addresses: ["web"] } } } });
  network.host("web", { // four servers; and one address that all of them have
    count: 4,
    address: "192.0.2.1/24",
    virtualAddresses: ["203.0.113.53"],
    listen: [{ port: 443 }],
    maxFiles: 2000,
  });
  network.host("multi", {
    address: "192.0.2.11/24",
    extraAddresses: ["192.0.2.12"],
    listen: [{ port: 443 }, { port: 444 }],
  });
  network.router("net"); // to an address that four have there are four equal ways: flows share them
  for (const name of ["asking", "naming", "calling"]) network.link(name, "net", { delayNs: 5e6 });
  for (const name of ["ns", "web", "multi"]) network.link(name, "net", { delayNs: 1e6 });

  const wants = (name: string, from: string, ...to: string[]) =>
    network.workload({
      name,
      kind: "hold",
      from: [from],
      to,
      connections: 4100,
      arrivals: { kind: "rate", perSecond: 1000 },
    });
  wants("dns", "asking", "www.example.com:443"); // four addresses, one after the other
  wants("addresses", "naming", "192.0.2.11:443", "192.0.2.12:443", "192.0.2.11:444", "192.0.2.12:444");
  wants("anycast", "calling", "203.0.113.53:443"); // four servers, one address
  return network;
}

export const expected = [
  "workloads[dns].open == 4000", // 1,000 ports x 4 addresses
  "workloads[addresses].open == 4000", // 1,000 ports x 2 addresses x 2 ports
  "workloads[anycast].open == 1000", // 1,000 ports x 1 address, however many servers have it
  "limits[0].node == calling", // the first to run out, at its 1,001st connection
  "limits[files@web].used < 1350", // of 5,000: a quarter for each server, to within ECMP's hashes
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
