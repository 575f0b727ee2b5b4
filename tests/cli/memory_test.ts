import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { availableMemory, buildWithinMemory, peakRss } from "../../src/cli/memory.ts";
import { buildNetwork } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";

const TEXT = `
nodes:
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
  clients: { kind: host, count: 100, address: 10.0.0.1/8 }
links:
  - { between: [clients, server], delay: 1ms }
workloads:
  - { name: load, kind: hold, from: clients, to: server:443, connections: 1000 }
`;

const load = (...set: string[]) => loadScenario("big.yaml", TEXT, set);

Deno.test("a workload that fits is built", () => {
  assertEquals(buildWithinMemory(load(), 16e9).nowNs, 0);
});

Deno.test("a workload larger than the machine's memory is refused with the estimate, before it is built", () => {
  const set = ["workloads.load.connections=1000000000", "nodes.clients.count=1000000"];
  const error = assertThrows(() => buildWithinMemory(load(...set), 16e9), InputError);
  assert(
    /^big\.yaml: this needs about \d+ GB of memory, and this machine has 16 GB available: /.test(error.message),
    error.message,
  );
});

Deno.test("a population larger than the machine's memory is refused", () => {
  assertThrows(() => buildWithinMemory(load("nodes.clients.count=16000000"), 1e9), InputError, "of memory");
});

Deno.test("the estimate counts connections that last, and those of a rate only as long as they are there", () => {
  const estimate = (...set: string[]) => buildNetwork(load(...set)).estimateMemory().residentBytes;
  assert(estimate("workloads.load.connections=2000") > estimate());
  const passing = ["workloads.load.hold=0s", "workloads.load.arrivals={ kind: rate, rate: 10/s }"];
  // (Of each that was, the time that it took to connect is kept, and sorted in the end.)
  const more = estimate(...passing, "workloads.load.connections=1000000") - estimate(...passing);
  assert(more >= 4 * 999_000 && more <= 8 * 999_000, `${more}`);
});

Deno.test("the estimate before a network is built is that of the simulation", () => {
  const network = buildNetwork(load());
  assertEquals(network.estimateMemory(), network.build().estimate);
});

Deno.test("the most memory that the process has had is at least what it has", () => {
  const before = Deno.memoryUsage().rss;
  const block = new Uint8Array(64e6).fill(1);
  assert(peakRss() >= before + 0.9 * block.length, `${peakRss()} after ${before}`);
});

Deno.test("the machine tells how much memory it has", () => {
  assertEquals(availableMemory() > 1e6, true);
});

Deno.test("links without a delay, and destinations that are the sources' own neighbours, have an estimate too", () => {
  const own = ["workloads.load.to=clients:80", "nodes.clients.listen=[80]", "links[0].delay=0s"];
  const { residentBytes, tableBytes } = buildNetwork(load(...own)).estimateMemory();
  assert(tableBytes > 1000 * 2 * 148 && residentBytes < 200e6, `${tableBytes}, ${residentBytes}`);
});
