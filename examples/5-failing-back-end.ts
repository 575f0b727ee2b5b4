// The network of 5-failing-back-end.yaml in code: a back end fails and returns behind four algorithms.
//
//   deno run examples/5-failing-back-end.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "A back end fails and returns. How many connections break under each of four algorithms?";

/** When the run ends. */
export const untilNs = 30e9;

export function build(): Network {
  const network = new Network({ name: "5-failing-back-end", seed: 1 });
  network.host("clients", { count: 100, address: "198.51.100.1/24" });
  const listen = [{ port: 80 }, { port: 81 }, { port: 82 }, { port: 83 }];
  network.host("web", { count: 10, address: "192.0.2.1/24", listen });
  network.router("net");
  const common = { onBackendDown: "reset", hashOn: "flow" } as const;
  const service = (port: number) => ({ port, backends: [`web:${port}`], ...common });
  network.balancer("lb", {
    address: "203.0.113.1",
    services: [
      { ...service(80), algorithm: "round-robin" },
      { ...service(81), algorithm: "least-connections" },
      // These two remember nothing: each packet is hashed.
      { ...service(82), algorithm: "source-hash", connectionTable: false },
      { ...service(83), algorithm: "maglev", connectionTable: false },
    ],
  });
  network.link("clients", "net", { delayNs: 5e6 });
  for (const name of ["web", "lb"]) network.link(name, "net", { delayNs: 1e6 });

  // 50 connections a second of 8 s each, so that 250 are open at 5 s, and 400 at 10 s.
  for (const [i, name] of ["turns", "least", "hash", "maglev"].entries()) {
    network.workload({
      name: `by-${name}`,
      kind: "request-response",
      from: ["clients"],
      to: [`lb:${80 + i}`],
      connections: 1000,
      arrivals: { kind: "rate", perSecond: 50 },
      requests: 9,
      thinkNs: 1e9,
    });
  }
  // What health checks would find out.
  network.event({ atNs: 5e9, kind: "backend", balancer: "lb", backend: "web[3]", state: "down" });
  network.event({ atNs: 10e9, kind: "backend", balancer: "lb", backend: "web[3]", state: "up" });
  return network;
}

export const expected = [
  "workloads[by-turns].broken == 25", // those of the failed one: 250 / 10; none when it returns
  "workloads[by-least].broken == 25",
  "workloads[by-hash].broken > 350", // modulo 9, not 10: nine of ten move; and again at 10 s
  "workloads[by-maglev].broken < 80", // a tenth, and hardly more: twice
  "balancers[lb].backends[web[3]:80].connections == 75", // a tenth of those of 15 s
  "balancers[lb].backends[web[3]:81].connections > 95", // all new ones, until it has its share
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run({ untilNs });
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
