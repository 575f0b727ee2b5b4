/** Networks that several tests build. */
import { Network, type NetworkOptions } from "../../../src/network/network.ts";
import type { HostOptions, LinkOptions, NatOptions, WorkloadOptions } from "../../../src/network/options.ts";
import type { Simulation } from "../../../src/network/simulation.ts";

/** A step of a declaration, so that steps can be taken in another order. */
export type Step = (network: Network) => void;

/** Builds a network from steps. */
export function built(steps: Step[], options: NetworkOptions = {}): Simulation {
  const network = new Network({ seed: 1, ...options });
  for (const step of steps) step(network);
  return network.build();
}

/** clients -- r1 -- server, one port. */
export function star(
  options: {
    clients?: Partial<HostOptions>;
    server?: Partial<HostOptions>;
    link?: LinkOptions;
    workload?: Partial<WorkloadOptions>;
  } = {},
): Step[] {
  return [
    (n) => n.host("clients", { address: "10.0.0.1/16", count: 2, ...options.clients }),
    (n) => n.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }], ...options.server }),
    (n) => n.router("r1"),
    (n) => n.link("clients", "r1", { rateBps: 1e9, delayNs: 1e6, ...options.link }),
    (n) => n.link("r1", "server", { rateBps: 10e9, delayNs: 2e6 }),
    (n) =>
      n.workload({
        name: "load",
        kind: "hold",
        from: ["clients"],
        to: ["server:80"],
        connections: 10,
        ...options.workload,
      }),
  ];
}

/** Homes with reused private addresses behind NATs, a lossy uplink, two servers, three workloads. */
export function mixed(): Step[] {
  const nat: NatOptions = {
    count: 5,
    address: "203.0.113.1/24",
    insideAddress: "192.168.1.1",
    mapping: "endpoint-independent",
    filtering: "address-dependent",
    portAssignment: "random",
  };
  return [
    (n) => n.host("laptops", { address: "192.168.1.2/24", count: 20 }),
    (n) => n.nat("homes", nat),
    (n) => n.router("isp"),
    (n) => n.router("core"),
    (n) => n.host("web", { address: "192.0.2.1/24", listen: [{ port: 443 }] }),
    (n) => n.host("files", { address: "192.0.2.2/24", listen: [{ port: 80 }, { port: 81 }] }),
    (n) => n.link("laptops", "homes", { rateBps: 1e8, delayNs: 3e5, jitterNs: 2e5 }),
    (n) => n.link("homes", "isp", { rateBps: 5e7, delayNs: 4e6, loss: 0.02, duplicate: 0.01, reorder: 0.02 }),
    (n) => n.link("isp", "core", { rateBps: 1e9, delayNs: 1e6, corrupt: 0.005 }),
    (n) => n.link("core", "web", { rateBps: 1e9, delayNs: 1e5 }),
    (n) => n.link("core", "files", { rateBps: 1e8, delayNs: 1e5, queuePackets: 50 }),
    (n) =>
      n.workload({
        name: "pages",
        kind: "request-response",
        from: ["laptops"],
        to: ["web:443"],
        connections: 200,
        requests: 3,
        thinkNs: 5e6,
        arrivals: { kind: "poisson", perSecond: 400 },
        holdNs: 1e8,
        holdDistribution: "exponential",
      }),
    (n) =>
      n.workload({
        name: "uploads",
        kind: "bulk",
        from: ["laptops[0..4]"],
        to: ["files:80"],
        bytes: 200_000,
        connections: 10,
        arrivals: { kind: "rate", perSecond: 50 },
      }),
    (n) =>
      n.workload({
        name: "burst",
        kind: "hold",
        from: ["laptops[5..19]"],
        to: ["files:81"],
        connections: 30,
        holdNs: 2e8,
        close: "client",
        arrivals: { kind: "at-once", startNs: 1e8 },
      }),
  ];
}
