// The network of 5-failing-back-end.yaml in code: a back end fails and returns behind four algorithms.
//
//   deno run examples/5-failing-back-end.ts
import { expectations, Network, summary } from "../mod.ts";

export const description =
  "A back end fails and returns behind four algorithms. How many established connections break under each?";

/** When the run ends. */
export const untilNs = 30e9;

export function build(): Network {
  const network = new Network({ name: "5-failing-back-end", seed: 1 });
  network.host("clients", { count: 100, address: "198.51.100.1/24" });
  const listen = [{ port: 80 }, { port: 81 }, { port: 82 }, { port: 83 }];
  network.host("web", { count: 10, address: "192.0.2.1/24", listen });
  network.router("net");
  const service = (port: number) => ({ port: 80, backends: [`web:${port}`] });
  network.balancer("turns", { address: "203.0.113.1", services: [{ ...service(80), onBackendDown: "reset" }] });
  network.balancer("least", {
    address: "203.0.113.2",
    services: [{ ...service(81), algorithm: "least-connections", onBackendDown: "reset" }],
  });
  // These two remember nothing: each packet is hashed anew.
  network.balancer("hash", {
    address: "203.0.113.3",
    services: [{ ...service(82), algorithm: "source-hash", hashOn: "flow", connectionTable: false }],
  });
  network.balancer("maglev", {
    address: "203.0.113.4",
    services: [{ ...service(83), algorithm: "maglev", connectionTable: false }],
  });
  network.link("clients", "net", { delayNs: 5e6 });
  for (const name of ["web", "turns", "least", "hash", "maglev"]) network.link(name, "net", { delayNs: 1e6 });

  // 50 connections a second of 8 s each, a request every second: 250 are open at 5 s, and 400 at 10 s.
  const balancers = ["turns", "least", "hash", "maglev"];
  for (const name of balancers) {
    network.workload({
      name: `by-${name}`,
      kind: "request-response",
      from: ["clients"],
      to: [`${name}:80`],
      connections: 1000,
      arrivals: { kind: "rate", perSecond: 50 },
      requests: 9,
      thinkNs: 1e9,
    });
  }
  // What health checks would find out.
  for (const [atNs, state] of [[5e9, "down"], [10e9, "up"]] as const) {
    balancers.forEach((balancer, i) =>
      network.event({ atNs, kind: "backend", balancer, backend: `web[3]:${80 + i}`, state })
    );
  }
  return network;
}

export const expected = [
  "workloads[by-turns].broken == 25", // those of the back end that failed: 250 / 10, and none when it returns
  "workloads[by-least].broken == 25",
  "workloads[by-hash].broken > 350", // modulo 9 instead of 10: nine of ten find another back end; and again at 10 s
  "workloads[by-maglev].broken < 80", // a tenth, and hardly more: twice
  "balancers[turns].backends[web[3]:80].connections == 75", // a tenth of those of 15 s
  "balancers[least].backends[web[3]:81].connections > 95", // all new ones until it has as many as the others
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run({ untilNs });
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
