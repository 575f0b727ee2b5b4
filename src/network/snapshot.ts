/**
 * The state of a partition, for snapshots: everything that a run's future or its report depends on and that building
 * the network anew does not bring back.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { type PlainValue, type Stateful, type StateVisitor, visitMap } from "../base/state.ts";
import { visitNatTables } from "../nat/state.ts";
import { visitTcpStack } from "../tcp/stack_state.ts";
import type { Partition } from "./partition.ts";

/** Shows a partition to a snapshot. What it is put back into must have been built from the same declaration. */
export function partitionState(s: Partition): Stateful {
  return { visitState: (v) => visitPartition(s, v) };
}

function visitPartition(s: Partition, v: StateVisitor): void {
  v.section("clock");
  v.inPlace(s.clock);
  v.section("tables");
  s.addresses.visitState(v);
  s.packets.visitState(v);
  visitNodes(s, v);
  s.links.visitState(v);
  s.conditions.visitState(v);
  // Those of the build are built again.
  if (s.conditions.routedDown !== undefined) s.routes.visitState(v);
  s.profiles.visitState(v);
  s.hosts.visitState(v);
  visitTcpStack(s.tcp, v);
  visitNatTables(s.nat, v);
  v.section("events");
  s.queue.visitState(v);
  s.tcpWheel.visitState(v);
  s.natWheel.visitState(v);
  s.events.visitState(v);
  s.timers.visitState(v);
  s.servingCore = v.number(s.servingCore);
  visitUdp(s, v);
  v.section("counters");
  s.stats.visitState(v);
  s.datagrams.visitState(v);
  s.limits.visitState(v);
  v.inPlace(s.dropped);
  for (const name of ["hops", "sent", "delivered", "acted"] as const) s[name] = v.number(s[name]);
  visitMap(v, s.starved);
  replace(v, s.listeners);
  replace(v, s.closedListeners as unknown as PlainValue[]);
  visitApplications(s, v);
}

function visitNodes(s: Partition, v: StateVisitor): void {
  v.section("nodes");
  v.inPlace(s.nodes.words);
  for (const population of s.nodes.populations) population.peakFiles = v.number(population.peakFiles);
}

/** There are UDP sockets once somebody has opened one. */
function visitUdp(s: Partition, v: StateVisitor): void {
  v.section("udp");
  const has = v.number(s.udpSockets === undefined ? 0 : 1);
  if (has === 1) s.udp.visitState(v);
}

/** Applications were made by the build in the same order: those of code last, which cannot be saved. */
function visitApplications(s: Partition, v: StateVisitor): void {
  v.section("applications");
  const count = v.number(s.apps.length);
  if (count !== s.apps.length) {
    throw new InputError(`The snapshot has ${count} applications, and its network as built here ${s.apps.length}.`);
  }
  s.dns?.visitState(v);
  s.dns?.code?.visitState();
  s.balancers?.visitState(v);
  for (const app of s.apps) app?.visitState(v);
}

function replace<T extends PlainValue>(v: StateVisitor, list: T[]): void {
  const kept = v.plain(list);
  if (v.restoring) list.splice(0, list.length, ...kept);
}
