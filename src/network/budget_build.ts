/**
 * Budgets of memory, orphans and TIME_WAIT, from hosts' options.
 *
 * @module
 */
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { BUDGET, HostBudgets } from "../transport/budgets.ts";
import { HOST } from "../transport/hosts.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { listenersOf, settleMemory } from "../tcp/mod.ts";
import { LISTENER, SYN_ROW, TCB, TIME_WAIT_ROW } from "../tcp/state/tcb.ts";
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
    for (let host = firstRow; host < firstRow + count; host++) addRow(s, host, memoryBytes);
  }
}

function addRow(s: Partition, host: number, memoryBytes: number): void {
  const budgets = s.hosts.budgets ??= new HostBudgets(s.clock, s.profiles);
  s.hosts.words[host * HOST.STRIDE + HOST.BUDGET] = budgets.add(memoryBytes, s.hosts.profileOf(host));
}

/**
 * Sees to it that `count` hosts from `first` on have budgets, without limits as yet: what they hold already is counted.
 * Cold: looks at every row.
 */
export function ensureBudgets(s: Partition, first: number, count: number): void {
  const added = new Set<number>();
  for (let host = first; host < first + count; host++) {
    if (s.hosts.budgetOf(host) !== 0) continue;
    addRow(s, host, Infinity);
    added.add(host);
  }
  if (added.size === 0) return;
  const budgets = s.hosts.budgets!;
  const { tcp } = s;
  const rowOf = (host: number) => added.has(host) ? s.hosts.budgetOf(host) : 0;
  for (const listener of listenersOf(tcp, first, count)) {
    const row = rowOf(tcp.listeners.words[listener * LISTENER.STRIDE + LISTENER.HOST]);
    if (row !== 0) budgets.changeSockets(row, 1);
  }
  const udp = s.udpSockets;
  for (const socket of udp?.socketsOf(first, count) ?? []) {
    const row = rowOf(udp!.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.HOST]);
    if (row !== 0) budgets.changeSockets(row, 1);
  }
  for (let conn = 1; conn < tcp.tcbs.end; conn++) {
    const words = tcp.tcbs.words;
    const c = conn * TCB.STRIDE;
    if (words[c + TCB.PORTS] !== 0 && added.has(words[c + TCB.HOST])) settleMemory(tcp, budgets, conn);
  }
  for (let row = 1; row < tcp.synRows.end; row++) {
    const words = tcp.synRows.words;
    const at = row * SYN_ROW.STRIDE;
    const budget = words[at + SYN_ROW.PORTS] === 0 ? 0 : rowOf(words[at + SYN_ROW.HOST]);
    if (budget !== 0) budgets.changeRequests(budget, 1);
  }
  for (let row = 1; row < tcp.timeWaits.end; row++) {
    const words = tcp.timeWaits.words;
    const at = row * TIME_WAIT_ROW.STRIDE;
    const budget = words[at + TIME_WAIT_ROW.PORTS] === 0 ? 0 : rowOf(words[at + TIME_WAIT_ROW.HOST]);
    if (budget !== 0) budgets.changeTimeWaits(budget, 1);
  }
}

/** Memory in use at a host, bytes; 0 where it is not counted. */
export function memoryInUse(s: Partition, host: number): number {
  const row = s.hosts.budgets === undefined ? 0 : s.hosts.budgetOf(host);
  return row === 0 ? 0 : s.hosts.budgets!.words[row * BUDGET.STRIDE + BUDGET.USED];
}
