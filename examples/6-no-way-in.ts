// The network of 6-no-way-in.yaml in code: behind a carrier-grade NAT.
//
//   deno run examples/6-no-way-in.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "No inbound connections, hairpins, and idle connections killed by a short timeout.";

export function build(): Network {
  const network = new Network({ name: "6-no-way-in", seed: 1 });
  const forward = (externalPort: number, address: string) => [
    { protocol: "tcp" as const, externalPort, address, port: 80 },
  ];
  network.host("homes", { count: 10, address: "192.168.1.10/24", listen: [{ port: 80 }] });
  // Of the homes; their outer addresses are the carrier's inner ones (RFC 6598).
  network.nat("boxes", { count: 10, address: "100.64.0.10/10", forwards: forward(80, "192.168.1.10") });
  network.nat("cgn", {
    address: "203.0.113.1/24",
    insideAddress: "100.64.0.1",
    tcpEstablishedNs: 5 * 60e9, // RFC 5382 asks for 2 h 4 min; carriers are in need of ports
    forwards: forward(8001, "100.64.0.11"), // the carrier lets one in, to boxes[1]
  });
  network.router("net");
  network.host("web", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  network.link("homes", "boxes", { delayNs: 1e6 });
  network.link("boxes", "cgn", { delayNs: 5e6 });
  for (const name of ["cgn", "web"]) network.link(name, "net", { delayNs: 5e6 });

  const visit = (name: string, from: string, to: string) =>
    network.workload({ name, kind: "request-response", from: [from], to: [to], connections: 1 });
  // From outside: the port of a box is not the carrier's; the one that is open there works.
  visit("inbound", "web", "cgn:80");
  visit("forwarded", "web", "cgn:8001");
  // A neighbour, by the carrier's own address: out and back in again, a hairpin; or past it.
  visit("neighbour", "homes[6]", "cgn:8001");
  visit("next-door", "homes[6]", "100.64.0.12:80");
  // Silent for ten minutes: the mapping is gone after five, and the second request goes nowhere.
  const chat = { kind: "request-response" as const, to: ["web:443"], connections: 1, requests: 2, thinkNs: 600e9 };
  network.workload({ name: "silent", from: ["homes[4]"], ...chat });
  network.workload({ name: "kept-alive", from: ["homes[5]"], ...chat, keepAliveNs: 120e9 });
  return network;
}

export const expected = [
  "workloads[inbound].failed.ECONNREFUSED == 1",
  "workloads[forwarded].repliesCompleted == 1",
  "workloads[neighbour].repliesCompleted == 1",
  "workloads[silent].established == 1",
  "workloads[silent].repliesCompleted == 1", // the first
  "workloads[silent].broken.ETIMEDOUT == 1", // the second is repeated for a quarter of an hour
  "workloads[kept-alive].repliesCompleted == 2",
  "workloads[next-door].repliesCompleted == 1",
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
