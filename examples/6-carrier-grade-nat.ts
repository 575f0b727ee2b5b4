// The network of 6-carrier-grade-nat.yaml in code: a NAT of NATs, and how it hurts.
//
//   deno run examples/6-carrier-grade-nat.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "Port blocks, quotas, hold-down, computed ports, and the log that a carrier has to keep.";

export function build(): Network {
  const network = new Network({ name: "6-carrier-grade-nat", seed: 1 });
  network.host("homes", { count: 100, address: "192.168.1.10/24" });
  network.nat("boxes", { count: 100, address: "100.64.0.10/10" });
  network.nat("cgn", {
    address: "203.0.113.1/24",
    blocks: { size: 512 },
    quotaSessions: 500,
    holdDownNs: 120e9, // RFC 6888: a port rests for 120 s before another may have it
    tcpTransitoryNs: 4 * 60e9, // so long a closed connection's mapping stays
    log: "blocks",
    onRefusal: "icmp",
  });
  // Another carrier computes who has which ports (RFC 7422): 64,512 / 128 = 504 each, and no log.
  network.host("others", { count: 128, address: "100.64.0.0/10" });
  network.nat("computed", {
    address: "203.0.113.2/24",
    deterministic: { first: "100.64.0.0", count: 128 },
    onRefusal: "icmp",
  });
  network.router("net");
  network.host("peers", { count: 1000, address: "198.18.0.1/15", listen: [{ port: 6881 }] });
  network.host("web", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
  network.link("homes", "boxes", { delayNs: 1e6 });
  network.link("boxes", "cgn", { delayNs: 5e6 });
  network.link("others", "computed", { delayNs: 5e6 });
  network.link("cgn", "net", { delayNs: 5e6 });
  network.link("computed", "net", { delayNs: 5e6 });
  network.link("net", "peers", { delayNs: 10e6 });
  network.link("net", "web", { delayNs: 10e6 });

  const pages = { kind: "request-response" as const, to: ["web:80"] };
  const torrent = { kind: "torrent" as const, to: ["peers:6881"], connections: 1000 };
  network.workload({ name: "pages", ...pages, from: ["homes[10..99]"], connections: 900 });
  // Torrent clients fill what is theirs, however much the others leave unused.
  network.workload({ name: "swarm", ...torrent, from: ["homes[2]"] });
  const evenly = { kind: "rate", perSecond: 99 } as const;
  network.workload({ name: "swarm-computed", ...torrent, from: ["others[2]"], arrivals: evenly });
  // Two short connections a second: 2 x 240 s = 480 mappings, and 2 x 120 s = 240 ports at rest.
  // The 512 ports are gone after 256 s; the first is back at 360 s.
  const slowly = { kind: "rate", perSecond: 2 } as const;
  network.workload({ name: "busy", ...pages, from: ["homes[3]"], connections: 1200, arrivals: slowly });
  return network;
}

export const expected = [
  "workloads[pages].failed == 0",
  "workloads[swarm].open == 500", // the quota
  "workloads[swarm-computed].open == 504", // its ports
  "workloads[busy].failed.EHOSTUNREACH == 209", // the 513th, at 256 s, to the 721st, at 360 s
  "limits[nat-block@cgn].used == 512",
  "nats[cgn].logRecords == 182", // 92 blocks begin, 90 end; a log of sessions has 3,922
  "nats[cgn].logBytes == 3_822", // 21 bytes each
  "nats[computed].logRecords == 0",
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
