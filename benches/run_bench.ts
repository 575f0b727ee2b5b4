/**
 * What whole runs cost: connections opened and answered through a NAT, fast transfers with and without losses, a
 * thousand flows through one fair queue; and snapshots. Building the network is not part of the time.
 *
 * @module
 */
import { Network, Simulation, type WorkloadOptions } from "../mod.ts";
import type { Task } from "./bench.ts";
import { bulkFlow } from "./bulk_flow.ts";

const CONNECTIONS = 20_000;
const BYTES = 20_000_000;

/** host -- router -- NAT -- router -- router -- server, as in `examples/million.yaml`. */
function path(loss = 0): Network {
  const network = new Network({ seed: 1 });
  network.host("clients", { count: 100, address: "10.0.0.1/16" });
  network.router("access");
  network.nat("nat", { address: "203.0.113.1/24" });
  network.router("r1");
  network.router("r2");
  network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  network.link("clients", "access", { rateBps: 1e9, delayNs: 1e6 });
  network.link("access", "nat", { rateBps: 10e9, delayNs: 1e6 });
  network.link("nat", "r1", { rateBps: 10e9, delayNs: 1e6 });
  network.link("r1", "r2", { rateBps: 10e9, delayNs: 1e6, loss, reverse: { loss: 0 } });
  network.link("r2", "server", { rateBps: 10e9, delayNs: 1e6 });
  return network;
}

/** A task whose every call runs a newly built network to its end. What it counts is read off the first run. */
function whole(name: string, rateOf: string, build: () => Simulation, count: (simulation: Simulation) => number): Task {
  let simulation: Simulation;
  const task: Task = {
    name,
    rateOf,
    operations: 0,
    beforeEach() {
      simulation = build();
    },
    prepare() {
      const first = build();
      first.run();
      task.operations = count(first);
      return () => {
        simulation.run();
        if (count(simulation) !== task.operations) throw new Error(`${name}: two runs differ.`);
      };
    },
  };
  return task;
}

/** The network with a workload of the clients. */
function loaded(workload: Pick<WorkloadOptions, "kind"> & Partial<WorkloadOptions>, loss = 0): Simulation {
  const network = path(loss);
  const arrivals = { kind: "rate", perSecond: 100_000 } as const;
  const ends = { from: ["clients"], to: ["server:443"], connections: CONNECTIONS };
  network.workload({ name: "load", ...ends, arrivals, close: "none", ...workload });
  return network.build();
}

/** A thousand flows through one link under FQ-CoDel. */
function fairQueue(): Simulation {
  const network = new Network({ seed: 1 });
  network.host("senders", { count: 1000, address: "10.0.0.1/16" });
  network.router("left");
  network.router("right");
  network.host("receivers", { count: 1000, address: "10.1.0.1/16", listen: [{ port: 80 }] });
  network.link("senders", "left", { rateBps: 1e9, delayNs: 1e6 });
  network.link("left", "right", { rateBps: 1e9, delayNs: 10e6, queueDiscipline: { kind: "fq-codel" } });
  network.link("right", "receivers", { rateBps: 1e9, delayNs: 1e6 });
  network.workload({
    name: "up",
    kind: "bulk",
    from: ["senders"],
    to: ["receivers:80"],
    connections: 1000,
    bytes: 150_000,
    arrivals: { kind: "at-once" },
  });
  return network.build();
}

/** Saving and restoring a run of 20,000 connections. */
function snapshots(): Task[] {
  const run = () => {
    const simulation = loaded({ kind: "hold" });
    simulation.run();
    return simulation;
  };
  return [
    {
      name: `snapshot of ${CONNECTIONS} connections, per connection`,
      operations: CONNECTIONS,
      prepare() {
        const simulation = run();
        return () => void simulation.snapshot();
      },
    },
    {
      name: `restore of ${CONNECTIONS} connections, per connection`,
      operations: CONNECTIONS,
      prepare() {
        const bytes = run().snapshot();
        return () => void Simulation.restore(bytes);
      },
    },
  ];
}

/** The tasks. */
export function runBenches(): Task[] {
  const hops = (simulation: Simulation) => simulation.progress().packets;
  const established = (simulation: Simulation) => simulation.progress().established;
  const bulk = { kind: "bulk", bytes: BYTES, connections: 1 } as const;
  return [
    whole("run: connect through a NAT, 5 links", "handshakes", () => loaded({ kind: "hold" }), established),
    whole(
      "run: connect, request and reply through a NAT, 5 links",
      "packet-hops",
      () => loaded({ kind: "request-response" }),
      hops,
    ),
    whole("run: one bulk transfer through a NAT, 5 links", "packet-hops", () => loaded(bulk), hops),
    whole(
      "run: one bulk transfer that loses 1% of its packets, 5 links",
      "packet-hops",
      () => loaded(bulk, 0.01),
      hops,
    ),
    whole("run: one flow, 1 Gbit/s, 10 ms, 250 MB", "packet-hops", () => bulkFlow(0, 250e6), hops),
    whole("run: one flow, 1 Gbit/s, 10 ms, 1% lost, 12.5 MB", "packet-hops", () => bulkFlow(0.01, 12.5e6), hops),
    whole("run: 1,000 flows through one FQ-CoDel queue of 1 Gbit/s", "packet-hops", fairQueue, hops),
    ...snapshots(),
  ];
}
