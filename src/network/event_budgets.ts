/**
 * Budgets of hosts that change in mid-run: files, memory, orphans, TIME_WAIT, what processors' work costs, backlogs. What
 * is in use beyond a lower budget stays, and nothing is added, as with `setrlimit` and sysctls of Linux.
 *
 * @module
 */
import type { LimitName } from "../base/limit_names.ts";
import { formatBytes, formatCount, formatDurationNs } from "../base/units.ts";
import { LISTENER, listenersOf, setBacklog } from "../tcp/mod.ts";
import { BUDGET } from "../transport/budgets.ts";
import type { Profile } from "../transport/profile.ts";
import { NODE } from "../node/nodes.ts";
import { ensureBudgets } from "./budget_build.ts";
import { cpuSettings, ensureCpus } from "./cpu_build.ts";
import type { HostEvent, NetworkEvent } from "./event_options.ts";
import { maxFilesOf, setMaxFiles } from "./files.ts";
import type { Partition } from "./partition.ts";
import type { Members } from "./plan.ts";

/** Settings of a profile by which memory is counted. */
const SIZES = ["bytesPerSocket", "bytesPerOrphan", "bytesPerRequest", "bytesPerTimeWait"] as const;

/** Makes hosts ready for budgets that an event will give them. */
export function prepareBudgets(s: Partition, members: Members, event: NetworkEvent): void {
  const { firstRow, count } = rowsOf(members);
  if (event.kind === "host" && event.cpu !== undefined) ensureCpus(s, firstRow, count);
  const { memoryBytes, maxOrphans, maxTimeWaits } = limitsOf(event);
  if (memoryBytes === undefined && maxOrphans === undefined && maxTimeWaits === undefined) return;
  ensureBudgets(s, firstRow, count);
}

function limitsOf(event: NetworkEvent): Partial<Profile> {
  if (event.kind === "profile") return event.set;
  return event.kind === "host" ? { maxFiles: event.maxFiles, memoryBytes: event.memoryBytes } : {};
}

/** Gives hosts the budgets of an event. Of a profile's, the settings themselves have changed already: `before` is what they were. */
export function changeBudgets(
  s: Partition,
  members: Members,
  event: NetworkEvent & { kind: "host" | "profile" },
  before?: Readonly<Profile>,
): void {
  const { firstRow, count } = rowsOf(members);
  const { maxFiles, memoryBytes, maxOrphans, maxTimeWaits } = limitsOf(event);
  if (maxFiles !== undefined) {
    note(s, "files", members, maxFilesOf(s, firstRow), maxFiles);
    for (let host = firstRow; host < firstRow + count; host++) setMaxFiles(s, host, maxFiles);
  }
  if (memoryBytes !== undefined) {
    const budgets = s.hosts.budgets!;
    const limit = budgets.words[s.hosts.budgetOf(firstRow) * BUDGET.STRIDE + BUDGET.LIMIT];
    note(s, "memory", members, limit, memoryBytes, (bytes) => formatBytes(bytes, 4));
    for (let host = firstRow; host < firstRow + count; host++) budgets.setLimit(s.hosts.budgetOf(host), memoryBytes);
  }
  if (maxOrphans !== undefined && before !== undefined) note(s, "orphans", members, before.maxOrphans, maxOrphans);
  if (maxTimeWaits !== undefined && before !== undefined) {
    note(s, "time-wait", members, before.maxTimeWaits, maxTimeWaits);
  }
  if (event.kind === "host" && event.cpu !== undefined) changeCpus(s, members, event.cpu);
  if (event.kind !== "profile" || s.hosts.budgets === undefined) return;
  if (!SIZES.some((name) => event.set[name] !== undefined)) return;
  for (let host = firstRow; host < firstRow + count; host++) {
    if (s.hosts.budgetOf(host) !== 0) s.hosts.budgets.recount(s.hosts.budgetOf(host));
  }
}

function changeCpus(s: Partition, members: Members, cpu: NonNullable<HostEvent["cpu"]>): void {
  const cpus = s.cpus!;
  const { firstRow, count } = rowsOf(members);
  const made = new Map<number, number>();
  for (let host = firstRow; host < firstRow + count; host++) {
    const row = s.nodes.words[host * NODE.STRIDE + NODE.CPU];
    const settings = cpus.settingsOf(row);
    if (host === firstRow && cpu.queuePackets !== undefined) {
      note(s, "cpu", members, settings.queuePackets, cpu.queuePackets);
    } else if (host === firstRow) noteText(s, "cpu", members, `other costs since ${formatDurationNs(s.nowNs)}`);
    const key = cpus.settings.indexOf(settings);
    let index = made.get(key);
    if (index === undefined) made.set(key, index = cpus.addSettings(cpuSettings({ ...settings, ...cpu }, "cpu")));
    cpus.change(row, index);
  }
}

/** Gives the listeners on a TCP port of hosts another backlog. */
export function changeBacklogs(s: Partition, members: Members, port: number, backlog: number): void {
  const { firstRow, count } = rowsOf(members);
  let first = true;
  for (const listener of listenersOf(s.tcp, firstRow, count)) {
    const at = listener * LISTENER.STRIDE;
    if (s.tcp.listeners.words[at + LISTENER.PORT] !== port) continue;
    const before = s.tcp.listeners.words[at + LISTENER.BACKLOG];
    setBacklog(s.tcp, listener, backlog);
    if (first) note(s, "accept-queue", members, before + 1, s.tcp.listeners.words[at + LISTENER.BACKLOG] + 1);
    first = false;
  }
}

function rowsOf({ population, first, count }: Members): { firstRow: number; count: number } {
  return { firstRow: population.firstRow + first, count };
}

/** Remembers for the report that a limit was another one before. */
function note(
  s: Partition,
  limit: LimitName,
  members: Members,
  before: number,
  after: number,
  format: (value: number) => string = formatCount,
): void {
  if (before === after) return;
  const text = (value: number) => value === Infinity ? "unlimited" : format(value);
  noteText(s, limit, members, `${text(before)} until ${formatDurationNs(s.nowNs)}, then ${text(after)}`, before);
}

function noteText(s: Partition, limit: LimitName, members: Members, what: string, before = Infinity): void {
  const { population, first, count } = members;
  const last = first + count - 1;
  const some = count === population.count ? "" : `[${first}${count === 1 ? "" : `..${last}`}] `;
  const key = `${limit} ${population.name}`;
  const notes = s.conditions.limitNotes.get(key) ?? [];
  // (Members that change apart may be many.)
  notes.push({ text: `${some === "" ? "" : population.name}${some}${what}`, before });
  s.conditions.limitNotes.set(key, notes);
}
