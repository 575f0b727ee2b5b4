/**
 * Budgets of memory, orphans and TIME_WAIT, from hosts' options.
 *
 * @module
 */
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { HostBudgets } from "../transport/budgets.ts";
import { HOST } from "../transport/hosts.ts";
import type { Partition } from "./partition.ts";
import type { PlannedPopulation } from "./plan.ts";

/** Memory of each member of a population, bytes: its own option comes before its profile's. */
export function memoryOf({ declaration }: PlannedPopulation): number {
  if (declaration.kind !== "host") return Infinity;
  return declaration.options.memoryBytes ?? declaration.options.profile?.memoryBytes ?? Infinity;
}

/** Gives those hosts a budget that have a limit. */
export function addBudgets(s: Partition): void {
  for (const { firstRow, count, memoryBytes } of s.nodes.populations) {
    if (s.nodes.words[firstRow * NODE.STRIDE + NODE.KIND] !== NODE_KIND.HOST) continue;
    const profile = s.profiles.get(s.hosts.profileOf(firstRow));
    if (memoryBytes === Infinity && profile.maxOrphans === Infinity && profile.maxTimeWaits === Infinity) continue;
    const budgets = s.hosts.budgets ??= new HostBudgets(s.clock);
    const index = budgets.profiles.push(profile) - 1;
    for (let host = firstRow; host < firstRow + count; host++) {
      s.hosts.words[host * HOST.STRIDE + HOST.BUDGET] = budgets.add(memoryBytes, index);
    }
  }
}
