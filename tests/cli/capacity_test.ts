import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CapacityReport } from "../../src/network/capacity.ts";
import { resident } from "./resident.ts";
import { inDirectory, runTask } from "./spawn.ts";

/** Three clients of 10 ports each, one server. */
const SMALL = `name: small
profiles:
  few: { ephemeralPorts: 40000-40009 }
nodes:
  clients: { kind: host, count: 3, address: 198.51.100.1/24, profile: few }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [clients, server], rate: 1Gbit/s, delay: 5ms }
workloads:
  - { name: load, kind: hold, from: clients, to: server:443, connections: 40 }
`;

const capacity = resident("capacity");

function withSmall(name: string, action: (directory: string) => Promise<void>): void {
  Deno.test(name, () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/small.yaml`, SMALL);
      await action(directory);
    }));
}

withSmall("capacity says what binds first, where, and how that comes about", async (directory) => {
  const { code, stdout, stderr } = await runTask("capacity", ["small.yaml"], directory);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  assertStringIncludes(stdout, "Does not hold: 40 connections are asked for.");
  assertStringIncludes(stdout, "Binds first: ports at clients, at the 31st connection that comes there, at once");
  assertStringIncludes(stdout, "3 hosts x 10 ports (40,000 to 40,009) x 1 destination = 30\n");
});

withSmall("--set changes the scenario first: what fits is said to hold", async (directory) => {
  const { code, stdout } = await capacity(["small.yaml", "--set", "workloads.load.connections=30"], directory);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Holds: 30 connections are asked for, and no limit is reached.");
  assertMatch(stdout, /ports at clients: 30 connections at once; 30 asked for \(load\)/);
});

withSmall("--json prints the document, with --seed's seed", async (directory) => {
  const { code, stdout } = await capacity(["small.yaml", "--json", "--seed", "7"], directory);
  const report: CapacityReport = JSON.parse(stdout);
  assertEquals([code, report.seed, report.holds, report.connections], [0, 7, false, 40]);
  assertEquals([report.binds?.limit, report.binds?.ceiling, report.binds?.exact], ["ports", 30, true]);
  assertEquals(report.binds?.firstRefused, { connection: 31, seconds: 0 });
});

withSmall("bad input is one sentence and exit code 2", async (directory) => {
  for (
    const [args, sentence] of [
      [[], "Which scenario?"],
      [["small.yaml", "other.yaml"], "capacity takes one scenario, found 2"],
      [["small.yaml", "--jsn"], "There is no flag --jsn: did you mean --json?"],
      [["missing.yaml"], "there is no such file"],
      [["small.yaml", "--seed", "x"], "--seed needs a whole number"],
      [["small.yaml", "--set", "nodes.server.address=nowhere"], "nodes.server.address"],
    ] as const
  ) {
    const { code, stdout, stderr } = await capacity(args, directory);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, sentence);
    assert(stderr.trimEnd().split("\n").length === 1, stderr);
  }
});

withSmall("--help tells the flags", async (directory) => {
  const { code, stdout } = await capacity(["--help"], directory);
  assertEquals(code, 0);
  for (const flag of ["--set", "--seed", "--json"]) assertStringIncludes(stdout, flag);
});
