/** Small runs of what is neither TCP's nor NAT's: names, balancers, proxies, processors, things that happen on the way. */
import type { BalancerAlgorithm, BalancerMode, BalancerServiceOptions } from "../../src/network/balancer_options.ts";
import { Network } from "../../src/network/network.ts";
import type { HostOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { Feature } from "./tcp_features.ts";

const VIRTUAL = "203.0.113.80";

/** clients -- r1 -- lb, web. */
function balanced(
  mode: BalancerMode,
  algorithm: BalancerAlgorithm,
  more: Partial<BalancerServiceOptions> = {},
  workload: Partial<WorkloadOptions> = {},
): Network {
  const network = new Network({ seed: 1 });
  network.host("clients", { count: 6, address: "10.0.0.1/16" });
  network.router("r1");
  network.host("web", {
    count: 3,
    address: "192.0.2.1/24",
    listen: [{ port: 80 }],
    virtualAddresses: mode === "direct-return" ? [VIRTUAL] : undefined,
  });
  network.balancer("lb", {
    address: "203.0.113.1/24",
    services: [{ address: VIRTUAL, port: 80, backends: ["web:80"], mode, algorithm, ...more }],
  });
  for (const name of ["clients", "web", "lb"]) network.link(name, "r1", { rateBps: 1e9, delayNs: 1e6 });
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["clients"],
    to: [`${VIRTUAL}:80`],
    connections: 18,
    arrivals: { kind: "poisson", perSecond: 200 },
    ...workload,
  });
  return network;
}

const balancing = (
  mode: BalancerMode,
  algorithm: BalancerAlgorithm,
  more: Partial<BalancerServiceOptions> = {},
): Feature => ({
  make: () => balanced(mode, algorithm, more),
  shows: (trace) => trace.fact("connections.repliesCompleted") === 18,
});

/** clients -- r1 -- server, with something special about the server. */
function served(server: Partial<HostOptions>, workload: Partial<WorkloadOptions> = {}): Network {
  const network = new Network({ seed: 1 });
  network.host("clients", { count: 4, address: "10.0.0.1/16" });
  network.router("r1");
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }], ...server });
  network.link("clients", "r1", { rateBps: 1e9, delayNs: 1e6 });
  network.link("r1", "server", { rateBps: 1e9, delayNs: 1e6 });
  network.workload({
    name: "load",
    kind: "request-response",
    from: ["clients"],
    to: ["server:80"],
    connections: 30,
    arrivals: { kind: "poisson", perSecond: 500 },
    ...workload,
  });
  return network;
}

/** Clients that ask for a name; the resolver forwards, or the clients ask the server themselves. */
function named(forward: boolean, to = "www.example.com:80", udpBytes?: number): Network {
  const network = new Network({ seed: 1 });
  network.host("ns", {
    address: "192.0.2.53/24",
    dns: {
      ttlNs: 1e9,
      udpBytes,
      records: { "www.example.com": { addresses: ["web"] }, "alias.example.com": { alias: "www.example.com" } },
    },
  });
  network.host("web", { count: 4, address: "198.51.100.1/24", listen: [{ port: 80 }] });
  network.host("isp", { address: "192.0.2.2/24", dns: { forward: "ns" } });
  network.host("clients", { count: 5, address: "10.1.0.1/16", resolver: forward ? "isp" : "ns" });
  network.router("core");
  for (const name of ["ns", "web", "isp", "clients"]) network.link(name, "core", { delayNs: 5e6 });
  network.workload({
    name: "pages",
    kind: "request-response",
    from: ["clients"],
    to: [to],
    connections: 20,
    arrivals: { kind: "rate", perSecond: 5 },
  });
  return network;
}

/** Features by name. */
export const OTHER_FEATURES: Record<string, Feature> = {
  "dns-round-robin": {
    make: () => named(false),
    shows: (trace) => trace.fact("connections.repliesCompleted") === 20 && trace.fact("dns.queries") > 5,
  },
  "dns-forwarded": {
    make: () => named(true),
    shows: (trace) => trace.fact("dns.forwarded") > 0 && trace.fact("dns.cacheHits") > 0,
  },
  "dns-alias": {
    make: () => named(false, "alias.example.com:80"),
    shows: (trace) => trace.fact("connections.repliesCompleted") === 20,
  },
  "dns-no-such-name": {
    make: () => named(false, "nobody.example.com:80"),
    shows: (trace) => trace.fact("connections.established") === 0 && trace.fact("dns.lookups") > 0,
  },
  "balancer-nat-round-robin": balancing("nat", "round-robin"),
  "balancer-weighted": balancing("nat", "weighted-round-robin", {
    backends: [{ to: "web[0]:80", weight: 3 }, "web[1]:80"],
  }),
  "balancer-direct-return": balancing("direct-return", "least-connections"),
  "balancer-full-nat": balancing("full-nat", "source-hash"),
  "balancer-maglev": balancing("direct-return", "maglev", { connectionTable: false }),
  "balancer-health": {
    make: () => {
      const network = balanced("nat", "round-robin", { health: { intervalNs: 100e6, fall: 2, rise: 2 } }, {
        arrivals: { kind: "rate", perSecond: 20 },
      });
      const simulation = network.build();
      simulation.at(250e6, () => simulation.setBackends("lb", "web[1]", "drain"));
      simulation.at(500e6, () => simulation.setBackends("lb", "web[1]", "up"));
      return simulation;
    },
    untilNs: 1e9,
    shows: (trace) => trace.fact("connections.repliesCompleted") > 15,
  },
  "balancer-back-end-down": {
    make: () => {
      const simulation = balanced("nat", "source-hash", { onBackendDown: "reset" }, {
        arrivals: { kind: "at-once" },
        requests: 4,
        thinkNs: 50e6,
      }).build();
      simulation.at(60e6, () => simulation.setBackends("lb", "web[0]", "down"));
      return simulation;
    },
    shows: (trace) => trace.fact("connections.broken.ECONNRESET") > 0,
  },
  "proxy-pool": {
    make: () => {
      const network = served({ listen: [{ port: 8080 }] }, { to: ["proxy:80"] });
      network.host("proxy", {
        address: "192.0.2.9/24",
        proxy: { port: 80, backends: ["server:8080"], kind: "request", keepAlive: true },
      });
      network.link("proxy", "r1", { rateBps: 1e9, delayNs: 1e6 });
      return network;
    },
    shows: (trace) => trace.fact("workloads.0.repliesCompleted") === 30,
  },
  "proxy-stream": {
    make: () => {
      const network = served({ listen: [{ port: 8080 }] }, { to: ["proxy:80"], connections: 15 });
      network.host("proxy", {
        address: "192.0.2.9/24",
        proxy: { port: 80, backends: ["server:8080"], kind: "stream" },
      });
      network.link("proxy", "r1", { rateBps: 1e9, delayNs: 1e6 });
      return network;
    },
    shows: (trace) => trace.fact("workloads.0.repliesCompleted") === 15,
  },
  "cpu-queue": {
    make: () => served({ cpu: { cores: 1, perPacketNs: 20e3, perRequestNs: 2e6, queuePackets: 6 } }),
    shows: (trace) => trace.drops.includes("cpu") && trace.mostSent > 1,
  },
  "memory": {
    make: () => served({ memoryBytes: 40_000 }, { kind: "hold" }),
    untilNs: 5e9,
    shows: (trace) => trace.fact("limits.0.refused") > 0,
  },
  "files": {
    make: () => served({ maxFiles: 11 }, { holdNs: 200e6 }),
    shows: (trace) => trace.fact("connections.repliesCompleted") > 0,
  },
  "udp": {
    make: () =>
      served({ listen: [{ port: 80, protocol: "udp" }] }, {
        transport: "udp",
        timeoutNs: 1e9,
        requests: 2,
        connections: 30,
      }),
    shows: (trace) => trace.fact("datagrams.answered") > 0,
  },
  "equal-cost-paths": {
    make: () => {
      const network = new Network({ seed: 1 });
      network.host("clients", { count: 4, address: "10.0.0.1/16" });
      network.router("west", { ecmp: "modulo" });
      network.router("spine", { count: 3 });
      network.router("east", { ecmp: "resilient" });
      network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
      network.link("clients", "west", { delayNs: 1e6 });
      network.link("west", "spine", { delayNs: 1e6 });
      network.link("spine", "east", { delayNs: 1e6 });
      network.link("east", "server", { delayNs: 1e6 });
      network.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: ["server:80"],
        connections: 12,
      });
      return network;
    },
    shows: (trace) => trace.fact("connections.repliesCompleted") === 12,
  },
  "loopback": {
    make: () => served({ resolver: undefined }, { from: ["server"], connections: 4 }),
    shows: (trace) => trace.fact("connections.repliesCompleted") === 4,
  },
};
