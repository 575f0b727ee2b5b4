import { assert, assertEquals } from "@std/assert";
import { Network } from "../../src/network/network.ts";
import type { RunReport } from "../../src/report/document.ts";
import { always } from "../../src/network/threads.ts";
import { inThreads, outcome } from "./support/threads.ts";

/** Clients, a NAT, a server; opening takes place on both sides of the NAT. */
function network(): Network {
  const network = new Network({ seed: 4 });
  network.host("clients", { count: 5, address: "192.168.0.2/24" });
  network.nat("nat", { address: "203.0.113.1/24", insideAddress: "192.168.0.1", portLow: 1024, portHigh: 1063 });
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }, { port: 81 }] });
  network.host("outside", { count: 3, address: "198.51.100.1/24" });
  network.router("r1");
  network.link("clients", "nat", { delayNs: 1e6 });
  network.link("nat", "r1", { delayNs: 3e6 });
  network.link("outside", "r1", { delayNs: 2e6 });
  network.link("r1", "server", { delayNs: 2e6, loss: 0.01 });
  const how = { kind: "request-response", requests: 2, holdNs: 2e8, thinkNs: 3e7 } as const;
  const arrivals = { kind: "poisson", perSecond: 400 } as const;
  network.workload({ ...how, name: "in", from: ["clients"], to: ["server:80"], connections: 60, arrivals });
  network.workload({ ...how, name: "out", from: ["outside"], to: ["server:81"], connections: 40, arrivals });
  return network;
}

const CONDITIONS: Record<string, (report: RunReport) => boolean> = {
  "connections.open": ({ connections }) => connections.open >= 50,
  "connections.connectMs": ({ connections }) => (connections.connectMs.max ?? 0) > 100,
  "workloads": ({ workloads }) => workloads[1].established >= 33,
  "nats and limits": ({ nats, limits }) =>
    nats[0].sessionsPeak >= 40 && limits.some(({ limit, refused }) => limit === "nat-pool" && refused > 2),
  "packets": ({ packets, events }) => packets.delivered > 300 && events > 1000,
  "what never holds": ({ digest }) => digest === "",
};

for (const [i, [name, untilReport]] of Object.entries(CONDITIONS).entries()) {
  Deno.test(`a run until a condition of ${name} ends at the same moment in several threads, sliced or not`, () => {
    const alone = network().build();
    const { ended } = alone.run({ untilReport });
    assertEquals(ended, name === "what never holds" ? "quiescence" : "until");
    let slices = 0;
    const interrupted = () => ++slices % 5 === 0;
    inThreads(network().toJSON(), { workers: i === 0 ? 3 : 2, untilReport, interrupted }, (simulation) => {
      assert(simulation.threads.count > 1);
      assertEquals(outcome(simulation), outcome(alone));
    }, (simulation, options) => {
      let stopped = simulation.run(always(options)).ended;
      while (stopped === "interrupted") stopped = simulation.run(always(options)).ended;
      assertEquals(stopped, ended);
    });
  });
}
