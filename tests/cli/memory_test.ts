import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { availableBytes, useMemorySource } from "../../src/base/machine.ts";
import { buildWithinMemory, peakRss } from "../../src/cli/memory.ts";
import { inThreads } from "../../src/network/estimate.ts";
import { buildNetwork } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { inDirectory } from "./spawn.ts";

const SCARCE = new URL("scarce.ts", import.meta.url).pathname;

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
  assertEquals(buildWithinMemory(load(), { availableBytes: 16e9 }).nowNs, 0);
});

Deno.test("a workload larger than the machine's memory is refused with the estimate, before it is built", () => {
  const set = ["workloads.load.connections=1000000000", "nodes.clients.count=1000000"];
  const error = assertThrows(() => buildWithinMemory(load(...set), { availableBytes: 16e9 }), InputError);
  assert(
    /^big\.yaml: this needs about \d+ GB of memory, and this machine has 16 GB available: /.test(error.message),
    error.message,
  );
});

Deno.test("a population larger than the machine's memory is refused", () => {
  assertThrows(
    () => buildWithinMemory(load("nodes.clients.count=16000000"), { availableBytes: 1e9 }),
    InputError,
    "of memory",
  );
});

Deno.test("the estimate counts connections that last, and those of a rate only as long as they are there", () => {
  const estimate = (...set: string[]) => buildNetwork(load(...set)).estimateMemory().addedBytes;
  assert(estimate("workloads.load.connections=2000") > estimate());
  const passing = [
    "workloads.load.connections=2000",
    "workloads.load.hold=0s",
    "workloads.load.arrivals={ kind: rate, rate: 10/s }",
  ];
  // (Of each that was, the time that it took to connect is kept, and sorted in the end.)
  const more = estimate(...passing, "workloads.load.connections=1000000") - estimate(...passing);
  assert(more >= 4 * 998_000 && more <= 8 * 998_000, `${more}`);
});

Deno.test("the estimate before a network is built is that of the simulation", () => {
  const network = buildNetwork(load());
  const { residentBytes: before, ...estimate } = network.estimateMemory();
  const { residentBytes, ...ofSimulation } = network.build().estimate;
  assertEquals(estimate, ofSimulation);
  // (The process has something more by then.)
  assert(Math.abs(residentBytes - before) < 64e6, `${before}, then ${residentBytes}`);
});

Deno.test("what the process has taken is in the estimate of all that it will take, and not in that of the run", () => {
  const network = buildNetwork(load());
  const small = network.estimateMemory();
  useMemorySource({ residentBytes: () => 3e9 });
  try {
    const large = network.estimateMemory();
    assertEquals(large.addedBytes, small.addedBytes);
    assertEquals(large.residentBytes, 3e9 + small.addedBytes);
  } finally {
    useMemorySource();
  }
});

Deno.test("a run in several threads takes what each of them adds, and is refused where that does not fit", () => {
  const network = buildNetwork(load());
  const one = network.estimateMemory();
  const three = inThreads(one, 3);
  assertEquals(three.tableBytes, one.tableBytes + 2 * one.threadTableBytes);
  assertEquals(three.addedBytes, one.addedBytes + 2 * one.threadBytes);
  const availableBytes = one.addedBytes + 70e6;
  buildWithinMemory(load(), { availableBytes });
  assertThrows(() => buildWithinMemory(load(), { availableBytes, threads: 3 }), InputError, "of memory");
});

for (
  const [how, sentence] of [
    [
      "exhausted",
      /^a\.yaml: stopped after [\d.]+ \w+ of simulated time, since this machine has only 10 MB of memory left: /,
    ],
    [
      "full",
      /^a\.yaml: stopped after [\d.]+ \w+ of simulated time, since a table that is full would take [\d.]+ \w+ more to grow, and this machine has 0 B left: /,
    ],
  ] as const
) {
  Deno.test(`a run that comes to need more than there is ends with one sentence and leaves no file (${how})`, () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/a.yaml`, TEXT);
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-check",
          "--no-prompt",
          "--allow-read",
          "--allow-write",
          "--allow-sys=systemMemoryInfo",
          "--allow-env=INIT_CWD",
          SCARCE,
          how,
          "a.yaml",
          "--json",
          "--pcap=p",
          "--series=s.csv",
          "--trace=t.cbor",
        ],
        cwd: directory,
      }).output();
      const [said, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assertEquals({ code, said }, { code: 2, said: "" }, complaint);
      assertMatch(complaint, sentence);
      assertMatch(complaint, /: the process takes [\d.]+ MB, and was estimated to need [\d.]+ MB\.\n$/);
      assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["a.yaml"]);
    }));
}

Deno.test("the most memory that the process has had is at least what it has", () => {
  const before = Deno.memoryUsage().rss;
  const block = new Uint8Array(64e6).fill(1);
  assert(peakRss() >= before + 0.9 * block.length, `${peakRss()} after ${before}`);
});

Deno.test("the machine tells how much memory it has", () => {
  assertEquals(availableBytes() > 1e6, true);
});

Deno.test("links without a delay, and destinations that are the sources' own neighbours, have an estimate too", () => {
  const own = ["workloads.load.to=clients:80", "nodes.clients.listen=[80]", "links[0].delay=0s"];
  const { addedBytes, tableBytes } = buildNetwork(load(...own)).estimateMemory();
  assert(tableBytes > 1000 * 2 * 160 && addedBytes < 80e6, `${tableBytes}, ${addedBytes}`);
});
