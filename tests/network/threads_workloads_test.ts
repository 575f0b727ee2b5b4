import { assert, assertEquals } from "@std/assert";
import { Network } from "../../src/network/network.ts";
import type { WorkloadOptions } from "../../src/network/options.ts";
import { assertSameTrace } from "../trace/support/threads.ts";
import { assertSameInThreads } from "./support/threads.ts";

/** Clients behind a NAT and others, two servers. */
function network(workloads: WorkloadOptions[], change: (network: Network) => void = () => {}): Network {
  const network = new Network({ seed: 5 });
  network.host("clients", { count: 3, address: "192.168.0.2/24" });
  network.nat("nat", { address: "203.0.113.1/24", insideAddress: "192.168.0.1" });
  network.host("outside", { count: 3, address: "198.51.100.1/24", address6: "2001:db8:1::1/64" });
  network.router("r1", { address: "10.1.0.1" });
  network.host("servers", {
    count: 2,
    address: "192.0.2.1/24",
    address6: "2001:db8:2::1/64",
    listen: [{ port: 80, backlog: 20 }, { port: 90, service: { kind: "schedule" } }],
  });
  network.link("clients", "nat", { delayNs: 1e6 });
  network.link("nat", "r1", { delayNs: 3e6 });
  network.link("outside", "r1", { delayNs: 2e6, loss: 0.02 });
  network.link("r1", "servers", { delayNs: 2e6, rateBps: 1e8 });
  for (const workload of workloads) network.workload(workload);
  network.partition([["servers"], ["nat", "clients", "r1"], ["outside"]]);
  change(network);
  return network;
}

const flood = { kind: "syn-flood" as const, from: ["outside"], to: ["servers:80"], connections: 300 };
const arrivals = { kind: "rate", perSecond: 300 } as const;

for (const spoof of ["random", "2001:db8:9::/48"]) {
  Deno.test(`a flood from ${spoof} made-up addresses is the same in several threads, which let go of them`, () => {
    const one = network([{ ...flood, name: "flood", arrivals, spoof }], (all) => {
      all.workload({ name: "others", kind: "hold", from: ["clients"], to: ["servers:80"], connections: 30, arrivals });
      all.event({ kind: "workload", workload: "flood", action: "stop", atNs: 1e9 });
      all.event({ kind: "workload", workload: "flood", action: "start", atNs: 1.5e9 });
    });
    const options = { untilNs: 70e9, pastQuiescence: true };
    // What the first thread, the servers', has of addresses in the end is no more than it had in the beginning.
    const before = one.build().partition.addresses.blocksInUse;
    const threads = assertSameInThreads(one.toJSON(), 3, options, ({ partition }) => {
      const more = partition.addresses.blocksInUse - before;
      assert(more <= 4, `${more} blocks more`);
    });
    assertEquals(threads, 3);
    assertEquals(assertSameTrace(one.toJSON(), "packets", { workers: 3, untilNs: 5e9 }), 3);
  });
}

Deno.test("schedules whose two ends lie in different threads are played as in one", () => {
  const atNs = Array.from({ length: 40 }, (_, i) => (i >> 2) * 14e6);
  const exchanges = [{ requestBytes: 200, replyBytes: 9000, workNs: 3e6 }, { thinkNs: 5e6, requestBytes: 50 }];
  const schedule = { kind: "schedule", connections: 40, atNs, exchanges, holdNs: 1e7 } as const;
  const workloads: WorkloadOptions[] = [
    { ...schedule, atNs, exchanges, name: "through", from: ["clients"], to: ["servers:90"] },
    {
      ...schedule,
      atNs,
      exchanges: exchanges.slice(1),
      name: "half",
      from: ["outside"],
      to: ["servers:90"],
      halfClose: true,
    },
    { ...schedule, atNs, exchanges, name: "reset", from: ["outside", "clients"], to: ["servers[1]:90"], reset: true },
    { ...schedule, atNs, exchanges, name: "refused", from: ["clients"], to: ["servers:91"], close: "server" },
  ];
  const one = network(workloads);
  const threads = assertSameInThreads(one.toJSON(), 3, {}, (simulation) => {
    const { workloads: reports } = simulation.report();
    assertEquals(reports.find(({ name }) => name === "through")!.repliesCompleted, 40);
  });
  assertEquals(threads, 3);
  assertEquals(assertSameTrace(one.toJSON(), "packets", { workers: 3 }), 3);
});
