import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { parseOverride } from "../../src/scenario/set.ts";

const TEXT = `nodes:
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
  clients: { kind: host, count: 4, address: 198.51.100.1/24 }
links:
  - { name: access, between: [clients, server], delay: 5ms }
workloads:
  - { name: load, kind: hold, from: clients, to: server:443, connections: 1000 }
`;

function complaint(...overrides: string[]): string {
  return assertThrows(() => loadScenario("a.yaml", TEXT, overrides), InputError).message;
}

Deno.test("--set changes any field: by index, by name, and where nothing was", () => {
  const { scenario, seed, run } = loadScenario("a.yaml", TEXT, [
    "nodes.clients.count=10",
    "links[0].delay=20ms",
    "links.access.loss=1%",
    "workloads.load.connections=5",
    "workloads[0].from=[clients]",
    "seed=9",
    "run.until=60s",
    "nodes.server.listen=[80, {port: 443, backlog: 5}]",
    "profiles={fast: {timeWait: 1s}}",
  ]);
  const host = scenario.nodes.clients;
  assertEquals(host.kind === "host" && host.count, 10);
  assertEquals(scenario.links?.[0].delay, 20e6);
  assertEquals(scenario.links?.[0].loss, 0.01);
  assertEquals((scenario.workloads?.[0] as { connections: number }).connections, 5);
  assertEquals([seed, run.untilNs], [9, 60e9]);
  assertEquals(scenario.profiles?.fast.timeWait, 1e9);
});

Deno.test("--set appends to a list, and begins one where there was none", () => {
  const { expectations, scenario } = loadScenario("a.yaml", TEXT, [
    "expect[0]=connections.open == 1",
    "expect[1]=connections.open > 0",
    "nodes.server.listen[1]=80",
  ]);
  assertEquals(expectations.map(({ text }) => text), ["connections.open == 1", "connections.open > 0"]);
  const host = scenario.nodes.server;
  assertEquals(host.kind === "host" && host.listen, [443, 80]);
});

Deno.test("a wrong value names the flag and not the file", () => {
  assertEquals(
    complaint("nodes.clients.count=some"),
    '--set nodes.clients.count=some: nodes.clients.count is "some": expected a whole number from 1 to 16000000.',
  );
  assertStringIncludes(
    complaint("links.access.delay=5mz"),
    "--set links.access.delay=5mz: links[0].delay: expected a duration",
  );
});

Deno.test("a path that leads nowhere is answered with the nearest name", () => {
  assertStringIncludes(complaint("nodes.client.count=1"), 'nodes has no "client": did you mean "clients"?');
  assertStringIncludes(complaint("nodes.clients.cuont=1"), 'nodes.clients has no field "cuont": did you mean "count"?');
  assertStringIncludes(complaint("workloads.laod.connections=1"), 'workloads has no "laod": did you mean "load"?');
  assertStringIncludes(complaint("links[1].delay=1ms"), "links has 1 item, from [0] on.");
  assertStringIncludes(complaint("run.untl=1s"), '--set run.untl=1s: run has no field "untl": did you mean "until"?');
  assertStringIncludes(complaint("seed.x=1"), "--set seed.x=1: seed is a map: expected a whole number of at least 0.");
  assertStringIncludes(complaint("nodes[0].count=1"), "nodes is a map");
  assertStringIncludes(complaint("nodes.server.address.bits=1"), 'is "192.0.2.1/24", which has no fields');
  assertStringIncludes(complaint("nodes.server.listen.first=1"), "nodes.server.listen is a list");
});

Deno.test("what is no override says so", () => {
  assertStringIncludes(complaint("seed"), "--set seed: expected path=value");
  assertStringIncludes(complaint("a..b=1"), '"a..b" is not a path');
  assertStringIncludes(complaint("seed=[1"), "the value does not parse as YAML");
});

Deno.test("another flag may stand for an override", () => {
  const override = parseOverride("seed=-1", "--seed -1");
  const error = assertThrows(() => loadScenario("a.yaml", TEXT, [override]), InputError);
  assertEquals(error.message, "--seed -1: seed is -1: expected a whole number of at least 0.");
});
