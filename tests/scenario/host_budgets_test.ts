import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { buildNetwork, buildSimulation } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";

/** A scenario of two hosts, whose server says so much more. */
function scenario(server: string): ReturnType<typeof loadScenario> {
  return loadScenario(
    "a.yaml",
    `nodes:
  server: { kind: host, address: 192.0.2.1/24, listen: [80], ${server} }
  client: { kind: host, address: 192.0.2.2/24 }
links:
  - { between: [client, server] }
`,
  );
}

/** What is wrong with it. */
function wrong(server: string): string {
  return assertThrows(() => buildSimulation(scenario(server)), InputError).message;
}

Deno.test("cpu: costs in a person's units, fractions of a nanosecond for bytes, a queue with or without its word", () => {
  const { partition } = buildSimulation(scenario(
    "cpu: { cores: 4, perPacket: 2us, perByte: 0.5ns, perAccept: 10us, perConnect: 20us, perRequest: 1ms, queue: 500 packets }",
  ));
  assertEquals(partition.cpus!.settings, [{
    cores: 4,
    perPacketNs: 2000,
    perByteNs: 0.5,
    perAcceptNs: 10_000,
    perConnectNs: 20_000,
    perRequestNs: 1e6,
    queuePackets: 500,
  }]);
  const plain = buildSimulation(scenario("cpu: { queue: 7 }")).partition.cpus!.settings[0];
  assertEquals([plain.cores, plain.perPacketNs, plain.queuePackets], [1, 0, 7]);
});

Deno.test("memory: a host's own, and sizes and limits in its profile", () => {
  const { partition } = buildSimulation(scenario(
    "memory: 1MiB, profile: { bytesPerSocket: 5000, bytesPerTimeWait: 100, memoryPerSentByte: 2, maxOrphans: 3, maxTimeWaits: 4 }",
  ));
  const budgets = partition.hosts.budgets!;
  const { bytesPerSocket, bytesPerTimeWait, memoryPerSentByte, maxOrphans, maxTimeWaits } = budgets.profileOf(1);
  assertEquals([bytesPerSocket, bytesPerTimeWait, memoryPerSentByte, maxOrphans, maxTimeWaits], [5000, 100, 2, 3, 4]);
  assertEquals(budgets.left(1), 2 ** 20 - 5000);
});

Deno.test("what is wrong with a budget is told with its place and what is expected", () => {
  assert(wrong("cpu: { perPackets: 2us }").includes('did you mean "perPacket"?'));
  assert(wrong("cpu: { perPacket: 2000 }").includes("nodes.server.cpu.perPacket"));
  assert(wrong("cpu: { perByte: fast }").includes("expected a time such as 0.5ns"));
  assert(wrong("cpu: { cores: 0 }").includes("nodes.server.cpu.cores"));
  assert(wrong("cpu: { queue: 64KiB }").includes("expected a number of packets such as 1000"));
  assert(wrong("profile: { memoryPerSentByte: much }").includes("expected a factor such as 1.6"));
});

Deno.test("a network's declaration keeps its budgets", () => {
  const network = buildNetwork(scenario("cpu: { perPacket: 2us }, memory: 1MiB"));
  assert(JSON.stringify(network.toJSON()).includes('"perPacketNs":2000'));
});
