// The network of 3-ceilings.yaml in code: if not ports, what ends a server?
//
//   deno run examples/3-ceilings.ts
import { expectations, type HostOptions, Network, summary } from "../mod.ts";

export const description = "Five servers and two clients, each with one budget that binds, and how that looks.";

/** When the run ends. */
export const untilNs = 30e9;

export function build(): Network {
  const network = new Network({ name: "3-ceilings", seed: 1 });
  const port = { port: 80 };
  const hosts: Record<string, HostOptions> = {
    clients: { count: 20, address: "198.51.100.1/24", profile: { synRetries: 2 } }, // for 7 s
    attacker: { address: "203.0.113.66/24" },
    files: { address: "192.0.2.1/24", listen: [port], maxFiles: 1000 }, // ulimit -n 1000
    memory: { address: "192.0.2.2/24", listen: [port], memoryBytes: 4 * 2 ** 20 }, // 4,096 bytes a socket
    slow: { address: "192.0.2.3/24", listen: [{ port: 80, backlog: 9, acceptIntervalNs: 5e6 }] },
    flooded: { address: "192.0.2.4/24", listen: [{ port: 80, backlog: 128 }], profile: { synCookies: 0 } },
    busy: { address: "192.0.2.5/24", listen: [port], cpu: { perPacketNs: 150_000, queuePackets: 300 } },
    plain: { address: "192.0.2.6/24", listen: [port] },
    fewFiles: { address: "198.51.100.101/24", maxFiles: 100 },
    littleMemory: { address: "198.51.100.102/24", memoryBytes: 400 * 2 ** 10 },
  };
  for (const [name, options] of Object.entries(hosts)) network.host(name, options);
  network.router("net");
  const near = ["clients", "attacker", "fewFiles", "littleMemory"];
  for (const name of near) network.link(name, "net", { rateBps: 1e9, delayNs: 2e6 });
  const far = ["files", "memory", "slow", "flooded", "busy", "plain"];
  for (const name of far) network.link(name, "net", { rateBps: 1e9, delayNs: 1e6 });

  const load = { connections: 1500, arrivals: { kind: "rate", perSecond: 1000 } } as const;
  const from = ["clients"];
  network.workload({ name: "to-memory", kind: "hold", from, to: ["memory:80"], ...load });
  network.workload({ name: "to-files", kind: "request-response", from, to: ["files:80"], ...load, holdNs: Infinity });
  network.workload({ name: "to-slow", kind: "hold", from, to: ["slow:80"], ...load });
  network.workload({ name: "to-flooded", kind: "hold", from, to: ["flooded:80"], ...load });
  const flood = { ...load, kind: "syn-flood", connections: 9000 } as const;
  network.workload({ name: "flood", from: ["attacker"], to: ["flooded:80"], ...flood });
  network.workload({ name: "to-busy", kind: "request-response", from, to: ["busy:80"], ...load }); // 10 packets each: 666/s
  const own = { kind: "hold" as const, to: ["plain:80"], ...load, connections: 200 };
  network.workload({ name: "own-files", from: ["fewFiles"], ...own });
  network.workload({ name: "own-memory", from: ["littleMemory"], ...own });
  return network;
}

export const expected = [
  "workloads[to-files].repliesCompleted == 999", // a file listens; the other 501 wait and wait
  "limits[files@files].used == 1000",
  "limits[memory@memory].used > 4_190_000", // 1,023 sockets x 4,096 B: no room for another
  "workloads[to-memory].failed.ETIMEDOUT > 450",
  "limits[accept-queue@slow].used == 10", // the backlog and one more; 200 a second leave it
  "limits[syn-queue@flooded].used == 129", // full of SYNs from nowhere
  "workloads[to-flooded].failed.ETIMEDOUT > 1300",
  "limits[cpu@busy].used == 300", // packets waiting; the next ones are dropped
  "workloads[to-busy].repliesCompleted == 1500", // slowly: TCP sends again what was dropped
  "workloads[own-files].failed.EMFILE == 100",
  "workloads[own-memory].failed.ENOBUFS == 100", // 409,600 / 4,096 = 100
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run({ untilNs });
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
