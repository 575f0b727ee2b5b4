/**
 * A stack's state, for snapshots: its rows and tables, what it remembers, and its outboxes.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { type PlainValue, type StateVisitor, visitMap, visitNumbers } from "../base/state.ts";
import { ByteRing } from "../store/ring.ts";
import { RowPool } from "../store/rows.ts";
import { congestionNames } from "./congestion/types.ts";
import type { Stream } from "./stack_options.ts";
import type { TcpStack } from "./stack.ts";

/** Shows a stack's state. The packets, addresses, hosts, profiles and the clock are the partition's to show. */
export function visitTcpStack(stack: TcpStack, v: StateVisitor): void {
  v.section("tcp");
  checkAlgorithms(v);
  const { tcbs, cold, segments, ranges, settings, recoveries, receivers, senders, accounts, fastOpens } = stack;
  const { synRows, timeWaits, listeners } = stack;
  for (const pool of [tcbs, cold, segments, ranges, settings, recoveries, receivers, senders, accounts, fastOpens]) {
    pool.visitState(v);
  }
  for (const pool of [synRows, timeWaits, listeners]) pool.visitState(v);
  stack.seeRows();
  visitPools(v, stack.congestionPools);
  visitParameters(v, stack.congestionParameters);
  v.inPlace(stack.ackSample);
  stack.demux.visitState(v);
  stack.ports.visitState(v);
  stack.pathMtus.visitState(v);
  stack.fastOpen.visitState(v);
  visitStreams(v, stack);
  visitMap(v, stack.errors as unknown as Map<number, PlainValue>);
  visitMap(v, stack.lastInfos as unknown as Map<number, PlainValue>);
  visitNumbers(v, stack.counters);
  const shut = v.plain([...stack.shutEgress]);
  if (v.restoring) {
    stack.shutEgress.clear();
    for (const host of shut) stack.shutEgress.add(host);
  }
  stack.egressShut = v.number(stack.egressShut);
  stack.listenersMade = v.number(stack.listenersMade);
  stack.created = v.number(stack.created);
  stack.liveTimers = v.number(stack.liveTimers);
  stack.ipFieldsUsed = v.plain(stack.ipFieldsUsed);
  stack.urgentUsed = v.plain(stack.urgentUsed);
  visitOutboxes(v, stack);
  if (v.restoring) stack.syncNow();
}

function visitOutboxes(v: StateVisitor, stack: TcpStack): void {
  stack.outCount = v.number(stack.outCount);
  stack.out = v.column(stack.out, stack.outCount);
  stack.eventCount = v.number(stack.eventCount);
  stack.events = v.column(stack.events, 3 * stack.eventCount);
  stack.timerRequestCount = v.number(stack.timerRequestCount);
  stack.timerRequests = v.column(stack.timerRequests, 2 * stack.timerRequestCount);
  stack.fineTimerRequestCount = v.number(stack.fineTimerRequestCount);
  stack.fineTimerRequests = v.column(stack.fineTimerRequests, 2 * stack.fineTimerRequestCount);
}

/** Rows name algorithms by their numbers: those of the snapshot must have the same ones here. */
function checkAlgorithms(v: StateVisitor): void {
  const here = congestionNames();
  const there = v.plain(here);
  for (const [i, name] of there.entries()) {
    if (here[i] === name) continue;
    throw new InputError(
      `The snapshot knows the congestion control "${name}" as number ${i + 1}, and here that is ` +
        `${here[i] === undefined ? "none" : `"${here[i]}"`}: register the same ones in the same order first.`,
    );
  }
}

function visitPools(v: StateVisitor, pools: (RowPool | undefined)[]): void {
  const strides = v.plain(Array.from(pools, (pool) => pool?.strideWords ?? 0));
  if (v.restoring) pools.length = 0;
  for (const [i, strideWords] of strides.entries()) {
    if (strideWords === 0) continue;
    if (v.restoring) pools[i] = new RowPool({ strideWords, capacity: 2 });
    pools[i]!.visitState(v);
  }
}

function visitParameters(v: StateVisitor, parameters: (Int32Array | undefined)[]): void {
  const kept = v.plain(Array.from(parameters, (words) => words === undefined ? null : [...words]));
  if (!v.restoring) return;
  parameters.length = 0;
  for (const [i, words] of kept.entries()) if (words !== null) parameters[i] = Int32Array.from(words);
}

function visitStreams(v: StateVisitor, stack: TcpStack): void {
  const { streams, freeStreams } = stack;
  const free = v.plain(freeStreams);
  const kinds = v.plain(streams.map((stream) => (stream?.send ? 1 : 0) | (stream?.receive ? 2 : 0) | (stream ? 4 : 0)));
  if (v.restoring) {
    freeStreams.splice(0, freeStreams.length, ...free);
    streams.length = 0;
  }
  for (const [i, kind] of kinds.entries()) {
    if (v.restoring) streams[i] = kind === 0 ? null : madeStream(kind);
    streams[i]?.send?.visitState(v);
    streams[i]?.receive?.visitState(v);
  }
}

function madeStream(kind: number): Stream {
  return { send: kind & 1 ? new ByteRing() : null, receive: kind & 2 ? new ByteRing() : null };
}
