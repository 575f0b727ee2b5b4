/**
 * What stands at a moment, by groups of nodes: connections by state, use of ports, pools and blocks, queues.
 *
 * @module
 */
import { DIRECTION } from "../link/links.ts";
import { gatewayStats } from "../nat/nat.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { CPU } from "../node/cpus.ts";
import { STATE } from "../tcp/state/states.ts";
import { FLAG, LISTENER, SYN_ROW, TCB, TIME_WAIT_FLAG, TIME_WAIT_ROW } from "../tcp/state/tcb.ts";
import { KeyTable } from "../transport/key_table.ts";
import { memoryInUse } from "./budget_build.ts";
import type { NodeSelection } from "./node_selection.ts";
import { owns } from "./part.ts";
import type { Partition } from "./partition.ts";

/** What stands at the end of an interval. */
export interface SeriesGauges {
  /** When, s. */
  timeSeconds: number;
  /** Node, population, or member. */
  node: string;
  /** Connections being opened. */
  synSent: number;
  /** Half open at its listeners. */
  synReceived: number;
  /** Established. */
  established: number;
  /** Closed here, not acknowledged. */
  finWait1: number;
  /** Closed here, open there. */
  finWait2: number;
  /** Closed there, open here. */
  closeWait: number;
  /** Closed on both sides at once. */
  closing: number;
  /** Closed there and here, not acknowledged. */
  lastAck: number;
  /** In TIME_WAIT. */
  timeWait: number;
  /** Connections that wait to be accepted. */
  acceptQueue: number;
  /** Sockets open. */
  files: number;
  /** Ephemeral ports in use towards the fullest destination of the fullest member. */
  portsUsed: number;
  /** Ephemeral ports of a host. */
  portsCapacity: number;
  /** NAT: sessions. */
  natSessions: number;
  /** Ports of the fullest protocol in use, resting ones included. */
  natPortsUsed: number;
  /** Ports that the pool has for a protocol. */
  natPortsCapacity: number;
  /** Port blocks given. */
  natBlocksUsed: number;
  /** Port blocks that there are. */
  natBlocksCapacity: number;
  /** NAT: packets refused so far. */
  natRefused: number;
  /** Bytes that wait for its links. */
  queueBytes: number;
  /** Packets that its links have dropped for a full queue so far. */
  queueDrops: number;
  /** Packets that wait for its processors. */
  cpuQueue: number;
  /** Memory that its sockets take, bytes, where it has a limit of memory, orphans or TIME_WAIT. */
  memoryBytes: number;
  /** Balancer: flows. */
  flows: number;
}

/** In the order of `STATE`. */
const FIELDS: Record<number, keyof SeriesGauges> = {
  [STATE.SYN_SENT]: "synSent",
  [STATE.SYN_RECEIVED]: "synReceived",
  [STATE.ESTABLISHED]: "established",
  [STATE.FIN_WAIT_1]: "finWait1",
  [STATE.FIN_WAIT_2]: "finWait2",
  [STATE.CLOSE_WAIT]: "closeWait",
  [STATE.CLOSING]: "closing",
  [STATE.LAST_ACK]: "lastAck",
};

/** The gauges of a group in one part more: what stands at all of its nodes is the sum, but for what a host has. */
export function addGauges(sum: SeriesGauges, part: SeriesGauges): void {
  for (const [name, value] of Object.entries(part) as [keyof SeriesGauges, number | string][]) {
    if (name === "timeSeconds" || name === "node" || name === "portsCapacity") continue;
    if (name === "portsUsed") sum.portsUsed = Math.max(sum.portsUsed, value as number);
    else sum[name] += value as number;
  }
}

/** The gauges of all groups, of the nodes of this part. `groupOf`: the group of a node, -1 for none. */
export function gauges(s: Partition, groups: readonly NodeSelection[], groupOf: Int32Array): SeriesGauges[] {
  const all = groups.map(({ name }): SeriesGauges => ({
    timeSeconds: s.nowNs / 1e9,
    node: name,
    synSent: 0,
    synReceived: 0,
    established: 0,
    finWait1: 0,
    finWait2: 0,
    closeWait: 0,
    closing: 0,
    lastAck: 0,
    timeWait: 0,
    acceptQueue: 0,
    files: 0,
    portsUsed: 0,
    portsCapacity: 0,
    natSessions: 0,
    natPortsUsed: 0,
    natPortsCapacity: 0,
    natBlocksUsed: 0,
    natBlocksCapacity: 0,
    natRefused: 0,
    queueBytes: 0,
    queueDrops: 0,
    cpuQueue: 0,
    memoryBytes: 0,
    flows: 0,
  }));
  addStates(s, all, groupOf);
  const directions = s.links.words;
  for (let d = 0; d < s.links.count; d++) {
    const from = directions[d * DIRECTION.STRIDE + DIRECTION.FROM];
    const group = groupOf[from];
    if (group < 0 || !owns(s, from)) continue;
    all[group].queueBytes += s.links.backlogBytes(d, s.nowNs);
    all[group].queueDrops += s.links.queueDrops(d) + s.links.earlyDrops(d);
  }
  for (const [i, { first, count }] of groups.entries()) {
    for (let node = first; node < first + count; node++) addNode(s, node, all[i]);
  }
  return all;
}

function addNode(s: Partition, node: number, gauge: SeriesGauges): void {
  const at = node * NODE.STRIDE;
  const words = s.nodes.words;
  if (owns(s, node)) gauge.files += words[at + NODE.FILES];
  if (words[at + NODE.KIND] === NODE_KIND.HOST) {
    if (gauge.portsCapacity === 0) {
      const { ephemeralPortLow, ephemeralPortHigh } = s.tcp.profileOf(node);
      gauge.portsCapacity = ephemeralPortHigh - ephemeralPortLow + 1;
    }
    const cpu = words[at + NODE.CPU];
    if (!owns(s, node)) return;
    gauge.memoryBytes += memoryInUse(s, node);
    if (cpu !== 0 && s.cpus !== undefined) gauge.cpuQueue += s.cpus.words[cpu * CPU.STRIDE + CPU.WAITING];
  }
  if (!owns(s, node)) return;
  if (words[at + NODE.KIND] === NODE_KIND.BALANCER) gauge.flows += s.balancers!.list[words[at + NODE.BALANCER]]!.flows;
  if (words[at + NODE.KIND] !== NODE_KIND.NAT) return;
  const stats = gatewayStats(s.nat, words[at + NODE.GATEWAY]);
  const used = (one: { portsInUse: number; portsHeld: number }) => one.portsInUse + one.portsHeld;
  gauge.natSessions += stats.sessions;
  gauge.natPortsUsed += Math.max(used(stats.pool.tcp), used(stats.pool.udp), used(stats.pool.icmp));
  gauge.natPortsCapacity += stats.poolCapacity;
  gauge.natBlocksUsed += stats.blocks?.inUse ?? 0;
  gauge.natBlocksCapacity += stats.blocks?.capacity ?? 0;
  for (const { count } of Object.values(stats.refusals)) gauge.natRefused += count;
}

function addStates(s: Partition, all: SeriesGauges[], groupOf: Int32Array): void {
  const { tcp } = s;
  const used = new KeyTable();
  const usePort = (words: Int32Array, at: number) => {
    const host = words[at + TCB.HOST];
    const ports = words[at + TCB.PORTS];
    const { ephemeralPortLow, ephemeralPortHigh } = tcp.profileOf(host);
    if (ports >>> 16 < ephemeralPortLow || ports >>> 16 > ephemeralPortHigh) return;
    const gauge = all[groupOf[host]];
    const count = used.add(host, words[at + TCB.REMOTE], ports & 0xffff, 1);
    if (count > gauge.portsUsed) gauge.portsUsed = count;
  };
  for (let conn = 1; conn < tcp.tcbs.end; conn++) {
    const words = tcp.tcbs.words;
    const c = conn * TCB.STRIDE;
    if (words[c + TCB.PORTS] === 0 || groupOf[words[c + TCB.HOST]] < 0) continue;
    const state = words[c + TCB.STATE];
    const field = FIELDS[state & FLAG.STATE_MASK];
    if (field === undefined) continue;
    (all[groupOf[words[c + TCB.HOST]]][field] as number)++;
    if ((state & FLAG.ACTIVE) !== 0) usePort(words, c);
  }
  for (let row = 1; row < tcp.timeWaits.end; row++) {
    const words = tcp.timeWaits.words;
    const t = row * TIME_WAIT_ROW.STRIDE;
    if (words[t + TIME_WAIT_ROW.PORTS] === 0 || groupOf[words[t + TIME_WAIT_ROW.HOST]] < 0) continue;
    const waits = (words[t + TIME_WAIT_ROW.FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0;
    all[groupOf[words[t + TIME_WAIT_ROW.HOST]]][waits ? "finWait2" : "timeWait"]++;
    usePort(words, t);
  }
  for (let row = 1; row < tcp.synRows.end; row++) {
    const words = tcp.synRows.words;
    const at = row * SYN_ROW.STRIDE;
    if (words[at + SYN_ROW.PORTS] === 0 || groupOf[words[at + SYN_ROW.HOST]] < 0) continue;
    all[groupOf[words[at + SYN_ROW.HOST]]].synReceived++;
  }
  for (let listener = 1; listener < tcp.listeners.end; listener++) {
    const words = tcp.listeners.words;
    const l = listener * LISTENER.STRIDE;
    const group = groupOf[words[l + LISTENER.HOST]];
    if (words[l + LISTENER.GENERATION] !== 0 && group >= 0) all[group].acceptQueue += words[l + LISTENER.ACCEPT_COUNT];
  }
}
