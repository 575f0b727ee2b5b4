/** Networks whose capacity is worked out, and which are run to see whether it stands where it was said to. */
import type { CapacityLimit, CapacityReport } from "../../src/network/capacity.ts";
import type { Network } from "../../src/network/network.ts";
import type { RunReport } from "../../src/report/document.ts";

/** What one limit of one population refused. */
export interface Refusals {
  limit: string;
  node: string;
  refused: number;
}

const inOrder = (a: Refusals, b: Refusals) => `${a.limit} ${a.node}` < `${b.limit} ${b.node}` ? -1 : 1;

/** What a run refused, by limit. */
export function refusalsOf(report: Pick<RunReport, "limits">): Refusals[] {
  return report.limits.filter(({ refused }) => refused > 0)
    .map(({ limit, node, refused }) => ({ limit, node, refused })).sort(inOrder);
}

/** What the analysis says that a run will refuse. */
export function foretold({ limits }: CapacityReport): Refusals[] {
  const found = new Map<string, Refusals>();
  for (const { limit, node, refused } of limits) {
    if (refused === 0) continue;
    const key = `${limit} ${node}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { limit, node, refused });
    else known.refused += refused;
  }
  return [...found.values()].sort(inOrder);
}

/** Runs a network to its end (or 60 s): what was refused. */
export function run(network: Network): Refusals[] {
  const simulation = network.build();
  simulation.run({ untilNs: 60e9 });
  return refusalsOf(simulation.report());
}

/** The limit of that name; at `node`, if there are several. */
export function limitOf(report: CapacityReport, limit: string, node?: string): CapacityLimit {
  const found = report.limits.find((one) => one.limit === limit && (node === undefined || one.node === node));
  if (found === undefined) throw new Error(`${limit} is no limit here: ${report.limits.map((one) => one.limit)}`);
  return found;
}
