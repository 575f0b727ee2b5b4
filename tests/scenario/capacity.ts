/** Holds what a run refused against what was foretold of the scenario without running it. */
import { assert, assertEquals } from "@std/assert";
import type { CapacityReport } from "../../src/network/capacity.ts";
import type { LimitReport, RunReport } from "../../src/report/document.ts";
import { buildNetwork, buildSimulation, runOptions } from "../../src/scenario/build.ts";
import { type LoadedScenario, loadScenario } from "../../src/scenario/load.ts";
import { parseOverride } from "../../src/scenario/set.ts";

/** A handshake and what queues there are, s: a limit far from the client is met so much later. */
const ON_THE_WAY_SECONDS = 0.5;

/** What was foretold. */
export function foretell(loaded: LoadedScenario): CapacityReport {
  return buildNetwork(loaded).capacity({ untilNs: loaded.run.untilNs });
}

const nameOf = ({ limit, node }: { limit: string; node: string }) => `${limit}@${node}`;

/** The first limit that binds is the one foretold, when it was; none binds that was not foretold. */
export function assertForetold(loaded: LoadedScenario, { limits }: Pick<RunReport, "limits">): void {
  const report = foretell(loaded);
  const bound = limits.filter(({ refused }) => refused > 0);
  const expected = new Set(report.limits.filter(({ holds }) => !holds).map(nameOf));
  assertEquals(bound.map(nameOf).filter((name) => !expected.has(name)), [], `${loaded.name}: bound and not foretold`);
  for (const { limit, node, exact, holds } of report.limits) {
    if (!exact || holds) continue;
    assert(
      bound.some((one) => one.limit === limit && one.node === node),
      `${loaded.name}: ${limit}@${node} should bind`,
    );
  }
  const { binds } = report;
  assertEquals(binds === null, bound.length === 0, `${loaded.name}: does anything bind?`);
  if (binds === null) return;
  const [first]: LimitReport[] = bound.toSorted((a, b) => a.firstHitSeconds! - b.firstHitSeconds!);
  assertEquals([first.limit, first.node], [binds.limit, binds.node], `${loaded.name}: what binds first`);
  const { seconds } = binds.firstRefused!;
  if (!binds.exact) return;
  assert(
    first.firstHitSeconds! >= seconds && first.firstHitSeconds! <= seconds + ON_THE_WAY_SECONDS,
    `${loaded.name}: ${nameOf(binds)} was to bind at ${seconds} s, and did at ${first.firstHitSeconds} s`,
  );
}

/** Where the first limit's ceiling is exact: so many connections fit, and of one more one is refused. */
export function assertCeiling(file: string, text: string): boolean {
  const { binds, limits } = foretell(loadScenario(file, text));
  if (binds === null || !binds.exact || binds.ceiling === null || binds.workloads.length !== 1) return false;
  const others = limits.filter(({ holds, workloads }) => !holds && workloads.includes(binds.workloads[0]));
  if (others.length > 1) return false;
  for (const more of [0, 1]) {
    const set = parseOverride(`workloads.${binds.workloads[0]}.connections=${binds.ceiling + more}`);
    const loaded = loadScenario(file, text, [set]);
    const simulation = buildSimulation(loaded);
    simulation.run(runOptions(loaded));
    const found = simulation.report().limits.find(({ limit, node }) => limit === binds.limit && node === binds.node);
    assertEquals(found?.refused ?? 0, more, `${file}: ${nameOf(binds)} with ${binds.ceiling + more} connections`);
  }
  return true;
}
