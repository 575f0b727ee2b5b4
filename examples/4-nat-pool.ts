// The network of 4-nat-pool.yaml in code: a gateway runs out of ports, and its clients are cut off.
//
//   deno run examples/4-nat-pool.ts
import { expectations, type NatBehaviour, Network, summary } from "../mod.ts";

export const description = "The same load behind two kinds of mapping. One has a wall at 64,512.";

/** `mapping`: of the first gateway. The default is Linux's, address-and-port-dependent. */
export function build(mapping?: NatBehaviour): Network {
  const network = new Network({ name: "4-nat-pool", seed: 1 });
  const profile = { ephemeralPortLow: 6881, ephemeralPortHigh: 6881 }; // torrent clients call from the port they listen on
  // A mapping for each destination, with an external port of its own.
  network.nat("each", { address: "203.0.113.1", mapping, onRefusal: "icmp" });
  network.host("t1", { count: 40, address: "10.0.1.1/16", profile });
  network.host("n1", { address: "10.0.0.2/16" });
  // Mappings to different destinations may have the same external port: what Linux does, and RFC 4787 forbids.
  network.nat("shared", { address: "203.0.113.2", overloading: true, onRefusal: "icmp" });
  network.host("t2", { count: 40, address: "10.0.1.1/16", profile });
  network.host("n2", { address: "10.0.0.2/16" });
  network.router("net");
  network.host("peers", { count: 2000, address: "198.18.0.1/15", listen: [{ port: 6881 }] });
  network.host("web", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  for (const [torrents, neighbour, gateway] of [["t1", "n1", "each"], ["t2", "n2", "shared"]]) {
    network.link(torrents, gateway, { delayNs: 1e6 });
    network.link(neighbour, gateway, { delayNs: 1e6 });
  }
  for (const gateway of ["each", "shared"]) network.link(gateway, "net", { delayNs: 2e6 });
  network.link("net", "peers", { delayNs: 10e6 });
  network.link("net", "web", { delayNs: 10e6 });
  for (const [torrents, neighbour, gateway] of [["t1", "n1", "each"], ["t2", "n2", "shared"]]) {
    network.workload({
      name: `swarm-${gateway}`,
      kind: "torrent",
      from: [torrents],
      to: ["peers:6881"],
      connections: 80_000,
      arrivals: { kind: "rate", perSecond: 20_000 },
    });
    network.workload({
      name: `pages-${gateway}`,
      kind: "request-response",
      from: [neighbour],
      to: ["web:443"],
      connections: 100,
      arrivals: { kind: "rate", perSecond: 20 },
    });
  }
  return network;
}

export const expected = [
  "limits[0].limit == nat-pool",
  "limits[0].node == each",
  "limits[0].used == 64_512",
  "limits[0].firstHitSeconds ~= 3.222s ± 5ms", // 64,512 ports / (20,000 + 20 connections a second)
  "workloads[pages-each].failed.EHOSTUNREACH == 35", // of 100: the neighbour is cut off with them
  "workloads[pages-shared].failed == 0",
  "workloads[swarm-shared].open == 80_000", // a port is taken towards one peer: each has 40 callers
  "limits[nat-pool@shared].refused == 0",
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
