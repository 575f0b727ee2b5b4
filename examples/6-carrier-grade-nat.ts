// The network of 6-carrier-grade-nat.yaml in code: a NAT of NATs, and how it hurts.
//
//   deno run examples/6-carrier-grade-nat.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "What the homes behind a carrier-grade NAT find out, each in its own way.";

export function build(): Network {
  const network = new Network({ name: "6-carrier-grade-nat", seed: 1 });
  const forward = (address: string) => [{ protocol: "tcp" as const, externalPort: 80, address, port: 80 }];
  network.host("homes", { count: 100, address: "192.168.1.10/24", listen: [{ port: 80 }] });
  network.nat("boxes", { count: 100, address: "100.64.0.10/10", forwards: forward("192.168.1.10") });
  network.nat("cgn", {
    address: "203.0.113.1/24",
    insideAddress: "100.64.0.1",
    blocks: { size: 512 },
    holdDownNs: 120e9, // RFC 6888: a port rests for 120 s before another may have it
    tcpEstablishedNs: 5 * 60e9, // RFC 5382 asks for 2 h 4 min; carriers are in need of ports
    tcpTransitoryNs: 4 * 60e9,
    log: "blocks",
    onRefusal: "icmp",
    forwards: forward("100.64.0.11"), // every box has such a port open; only the carrier's lets one through
  });
  // Another carrier computes who has which ports (RFC 7422): nothing to log, and 64,512 / 128 = 504 ports each for ever.
  network.host("others", { count: 128, address: "100.64.0.0/10" });
  network.nat("computed", {
    address: "203.0.113.2/24",
    deterministic: { first: "100.64.0.0", count: 128 },
    onRefusal: "icmp",
  });
  network.router("net");
  network.host("peers", { count: 1000, address: "198.18.0.1/15", listen: [{ port: 6881 }] });
  network.host("web", { address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 443 }] });
  network.link("homes", "boxes", { delayNs: 1e6 });
  network.link("boxes", "cgn", { delayNs: 5e6 });
  network.link("others", "computed", { delayNs: 5e6 });
  network.link("cgn", "net", { delayNs: 5e6 });
  network.link("computed", "net", { delayNs: 5e6 });
  network.link("net", "peers", { delayNs: 10e6 });
  network.link("net", "web", { delayNs: 5e6 });

  const pages = { kind: "request-response" as const, to: ["web:80"] };
  const torrent = { kind: "torrent" as const, to: ["peers:6881"], connections: 1000 };
  network.workload({ name: "pages", ...pages, from: ["homes[10..99]"], connections: 900 });
  // Torrent clients among them fill their own blocks, whatever the others leave unused.
  network.workload({ name: "swarm", ...torrent, from: ["homes[2]"], arrivals: { kind: "rate", perSecond: 100 } });
  network.workload({ name: "swarm-computed", ...torrent, from: ["others[2]"] });
  // Two short connections a second: a port is gone for 240 s + 120 s. 512 are gone at 256 s, the first is back at 360 s.
  const slowly = { kind: "rate", perSecond: 2 } as const;
  network.workload({ name: "busy", ...pages, from: ["homes[3]"], connections: 1200, arrivals: slowly });
  // Silent for ten minutes: the mapping is gone after five, and the second request goes nowhere. Keep-alives help.
  const silent = { ...pages, to: ["web:443"], connections: 1, requests: 2, thinkNs: 600e9 };
  network.workload({ name: "silent", ...silent, from: ["homes[4]"] });
  network.workload({ name: "kept-alive", ...silent, from: ["homes[5]"], keepAliveNs: 120e9 });
  // From outside nobody gets in but where the carrier has opened a port; another port is nobody's.
  network.workload({ name: "inbound", ...pages, from: ["web"], to: ["cgn:8080"], connections: 1 });
  network.workload({ name: "forwarded", ...pages, from: ["web"], to: ["cgn:80"], connections: 1 });
  // A neighbour by the public address: out to the carrier and back in again, a hairpin.
  network.workload({ name: "neighbour", ...pages, from: ["homes[6]"], to: ["cgn:80"], connections: 1 });
  return network;
}

export const expected = [
  "workloads[pages].failed == 0",
  "workloads[swarm].established == 512", // one block
  "workloads[swarm-computed].established == 504", // its share
  "workloads[busy].failed.EHOSTUNREACH == 209", // the 513th, at 256 s, to the 721st, at 360 s
  "workloads[silent].broken.ETIMEDOUT == 1",
  "workloads[kept-alive].repliesCompleted == 2",
  "nats[cgn].logRecords == 190", // begin and end of 95 blocks; a log of sessions has 2 x 2,408
  "nats[cgn].logBytes == 3_990", // 21 bytes each
  "nats[computed].logRecords == 0",
  "workloads[inbound].established == 0",
  "workloads[forwarded].repliesCompleted == 1",
  "workloads[neighbour].repliesCompleted == 1",
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
