/**
 * Room that is reserved before a run, so that no large table is copied in the middle of it. Pages that are never touched
 * cost no memory: a guess that is too high costs nothing but in hash tables, which are touched all over and get what is
 * expected.
 *
 * @module
 */
import { EXCHANGE } from "../app/udp_client.ts";
import { mostRows } from "../store/rows.ts";
import { congestionId, poolOf } from "../tcp/congestion/types.ts";
import { FLOW } from "../node/flow_table.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { appTimersOf, type Load, profileOf, tuplesOf, WINDOW_WORDS } from "./load.ts";
import { APP_TIMER } from "./app_timers.ts";
import type { Partition } from "./partition.ts";

/** Rows that there is room for however few a run needs. */
const LEAST = 1024;

/**
 * Room for rows that are expected, with something to spare: as far as a table can have so many rows of `strideWords`
 * words, so that a run is refused for what it needs and not for what it would spare.
 */
export function spared(expected: number, strideWords: number): number {
  const wanted = Math.ceil(Math.max(LEAST, expected * 1.25));
  return Math.max(Math.ceil(expected), Math.min(wanted, mostRows(strideWords) - 1));
}

/** Reserves what the tables of a new partition have no room for yet. */
export function reserveRows(s: Partition, load: Load): void {
  const { tcp, nat } = s;
  const reserve = (pool: { strideWords?: number; reserve(rows: number): void }, rows: number) => {
    if (rows > LEAST) pool.reserve(spared(rows, pool.strideWords ?? 1));
  };
  reserve(tcp.synRows, load.synRows);
  reserve(tcp.timeWaits, load.timeWaits);
  reserve(tcp.cold, load.coldEnds);
  reserve(tcp.receivers, load.receivers);
  reserve(tcp.senders, load.senders);
  reserve(tcp.recoveries, load.recoveries);
  reserve(tcp.settings, load.settings);
  reserve(tcp.accounts, load.accounts);
  if (load.windows > LEAST) {
    for (const id of algorithmsOf(s)) {
      const pool = poolOf(tcp, id);
      reserve(pool, (load.windows * WINDOW_WORDS) / pool.strideWords);
    }
  }
  tcp.ports.reserveCounters(load.portCounters);
  reserve(tcp.segments, load.segments);
  reserve(s.packets.rows, load.packets);
  reserve(s.events, load.events);
  reserve(s.tcpWheel, load.tcpTimers);
  reserve(s.natWheel, load.natTimers);
  reserve(nat.mappings, load.mappings);
  s.stats.reserve(load.connections);
  s.datagrams.replyUs.reserve(load.samples - load.connections);
  tcp.demux.table.reserve(tuplesOf(load));
  for (const table of [nat.mappingInside, nat.mappingOutside]) table.reserve(Math.ceil(load.mappings));
}

/** The same of what a partition has only where it is declared: balancers' flows, UDP sockets, what applications have. */
export function reserveDeclared(s: Partition, load: Load): void {
  const { flows, datagramSockets, exchanges } = load;
  if (flows > LEAST) s.balancers?.flows.reserve(Math.ceil(flows), spared(flows, FLOW.STRIDE));
  if (datagramSockets > LEAST) {
    s.udpSockets?.reserve(Math.ceil(datagramSockets), spared(datagramSockets, UDP_SOCKET.STRIDE));
  }
  if (exchanges > LEAST) { for (const app of s.apps) app?.reserve?.(spared(exchanges, EXCHANGE.STRIDE)); }
  const timers = appTimersOf(load);
  if (timers > LEAST) s.timers.reserve(spared(timers, APP_TIMER.STRIDE));
}

/** The congestion controls of a network's hosts. */
function algorithmsOf({ plan }: Partition): Set<number> {
  const names = (plan?.populations ?? []).map(({ declaration }) => profileOf(declaration).congestionControl);
  return new Set(names.map(congestionId).filter((id) => id >= 0));
}
