/**
 * The seven questions (examples/1-… to 7-…): each holds what it expects and refuses what its capacity foretells, its twin in code declares the very same network
 * (and so is the same run, down to the digest) and prints the same summary, and the variants that its comments name turn out as they say.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { expectations, type Network, type RunReport, summary } from "../mod.ts";
import { buildNetwork, buildSimulation, runOptions } from "../src/scenario/build.ts";
import { evaluateExpect } from "../src/scenario/expect.ts";
import { type LoadedScenario, loadScenario } from "../src/scenario/load.ts";
import { assertForetold } from "./scenario/capacity.ts";

const FOLDER = new URL("../examples/", import.meta.url);

interface Twin {
  build(...args: unknown[]): Network;
  description: string;
  expected: string[];
  untilNs?: number;
}

/** Scenarios with a number. */
const NAMES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => /^\d-.*\.yaml$/.test(name)).sort();

/** Question 1 with a million is run by tests/full: here are 4 clients x 28,232, and 1,072 connections too many. */
const SMALLER: Record<string, { set: string[]; args: unknown[] }> = {
  "1-one-port.yaml": {
    set: [
      "nodes.clients.count=4",
      "workloads.crowd.connections=114_000",
      'expect[0]="workloads[crowd].open == 112_928"',
      'expect[1]="workloads[crowd].failed.EADDRNOTAVAIL == 1_072"',
    ],
    args: [4, 114_000],
  },
};

function load(name: string, set: string[] = []): LoadedScenario {
  return loadScenario(`examples/${name}`, Deno.readTextFileSync(new URL(name, FOLDER)), set);
}

function outcome(loaded: LoadedScenario): RunReport {
  const simulation = buildSimulation(loaded);
  const { ended } = simulation.run(runOptions(loaded));
  const report = { ...simulation.report(), ended };
  return { ...report, expect: loaded.expectations.map((line) => evaluateExpect(line, report)) };
}

function failed(report: RunReport): string[] {
  return report.expect.filter(({ ok }) => !ok).map(({ text, found }) => `${text}, found ${found}`);
}

Deno.test("there is a scenario and a program for each of the seven questions, each on a screen", () => {
  assertEquals([...new Set(NAMES.map((name) => name[0]))].join(""), "1234567");
  for (const name of NAMES) {
    const yaml = Deno.readTextFileSync(new URL(name, FOLDER));
    const lines = yaml.split("\n");
    assert(lines.length <= 61 && lines.every((line) => line.length <= 100), name);
    assertStringIncludes(yaml, `deno task simulate examples/${name}`);
    const twin = name.replace(".yaml", ".ts");
    assertStringIncludes(Deno.readTextFileSync(new URL(twin, FOLDER)), `deno run examples/${twin}`);
  }
});

for (const name of NAMES) {
  Deno.test(`examples/${name} holds what it expects, and its twin in code is the same network`, async () => {
    const { set, args } = SMALLER[name] ?? { set: [], args: [] };
    const loaded = load(name, set);
    const report = outcome(loaded);
    assertEquals(failed(report), []);
    assert(report.expect.length >= 5, "too little is expected");
    assertForetold(loaded, report);

    const twin: Twin = await import(new URL(name.replace(".yaml", ".ts"), FOLDER).href);
    const declared = (network: Network) => JSON.parse(JSON.stringify(network));
    assertEquals(declared(twin.build(...args)), declared(buildNetwork(loaded)));
    const { untilNs, until } = runOptions(loaded);
    assertEquals([twin.untilNs, undefined], [untilNs, until]);
    const expected = set.length === 0 ? twin.expected : loaded.expectations.map(({ text }) => text);
    const text = (report: RunReport, description = "") =>
      summary(
        { ...report, wallSeconds: 0, memory: { ...report.memory, peakRssBytes: 0, bytesPerConnection: 0 } },
        { description },
      );
    const { description } = loaded.scenario;
    assertEquals(
      text({ ...report, expect: expectations(report, expected) }, twin.description),
      text(report, description),
    );
    // Expectations are known to be the same lines, small or not.
    if (set.length > 0) assertEquals(twin.expected, load(name).expectations.map(({ text }) => text));
  });
}

/** What the comments say of `--set`: lines that hold then. */
const VARIANTS: [name: string, set: string[], lines: string[]][] = [
  ["4-nat-pool.yaml", ["nodes.each.mapping=endpoint-independent"], [
    "workloads[swarm-each].open == 80_000",
    "workloads[pages-each].failed == 0",
    // 40 torrent clients with a port each, and the neighbour's 100 pages.
    "limits[nat-pool@each].used == 140",
  ]],
  ["6-carrier-grade-nat.yaml", ["nodes.cgn.log=sessions"], ["nats[cgn].logRecords == 3_922"]],
  ["6-carrier-grade-nat.yaml", ["nodes.cgn.holdDown=1ms"], ["workloads[busy].failed == 0"]],
  ["7-ipv6.yaml", ["nodes.dual.ipv6Share=0%"], ["workloads[dual-town].failed.EHOSTUNREACH == 1952"]],
  ["7-ipv6.yaml", ["nodes.dual.ipv6Share=48.8%"], [
    "workloads[dual-town].failed == 0",
    "limits[nat-pool@dualCgn].used == 2048",
  ]],
];

for (const [name, set, lines] of VARIANTS) {
  Deno.test(`examples/${name} --set ${set.join(" --set ")} turns out as its comments say`, () => {
    const [field, value] = set[0].split("=");
    const text = Deno.readTextFileSync(new URL(name, FOLDER));
    assertStringIncludes(text, field);
    assertStringIncludes(text, value);
    const report = outcome(load(name, set));
    assertEquals(failed({ ...report, expect: expectations(report, lines) }), []);
  });
}
