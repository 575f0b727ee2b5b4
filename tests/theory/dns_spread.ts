/** Connections to a name, and how they spread over its addresses. */
import { assertEquals } from "@std/assert";
import { Network } from "../../src/network/network.ts";
import type { HostOptions } from "../../src/network/options.ts";
import type { DnsServerOptions } from "../../src/network/options_dns.ts";

const WWW = "www.example.com";

/** Connections at each address, in the order of addresses. */
export function spread(options: {
  addresses: number;
  clients: number;
  connections: number;
  dns: DnsServerOptions;
  resolver?: HostOptions["resolver"];
  shared?: boolean;
  perSecond?: number;
  seed?: number;
}): number[] {
  const { addresses, clients, connections, dns, resolver, shared = false, perSecond = 1000, seed = 1 } = options;
  const network = new Network({ seed });
  network.host("ns", { address: "192.0.2.53/24", dns: { records: { [WWW]: ["web"] }, ...dns } });
  network.host("web", { count: addresses, address: "198.51.100.1/24", listen: [{ port: 80 }] });
  network.host("clients", { count: clients, address: "10.0.0.1/8", resolver: resolver ?? (shared ? "isp" : "ns") });
  network.router("r1");
  if (shared) {
    network.host("isp", { address: "203.0.113.1/24", dns: { forward: "ns" } });
    network.link("isp", "r1", { delayNs: 1e3 });
  }
  for (const name of ["ns", "web", "clients"]) network.link(name, "r1", { delayNs: 1e3 });
  network.workload({
    name: "pages",
    kind: "hold",
    from: ["clients"],
    to: [`${WWW}:80`],
    connections,
    arrivals: { kind: "rate", perSecond },
  });
  const simulation = network.build();
  simulation.run();
  const { targets, connections: made } = simulation.report();
  assertEquals(made.established, connections);
  return targets.filter(({ target, name }) => target !== name).map(({ established }) => established);
}

/** Shares of `total` in `n` parts, the first ones one larger. */
export function evenly(total: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => Math.floor(total / n) + (i < total % n ? 1 : 0));
}
