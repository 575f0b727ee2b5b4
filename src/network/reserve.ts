/**
 * Room that is reserved before a run, so that no large table is copied in the middle of it. Pages that are never touched
 * cost no memory: a guess that is too high costs nothing but in hash tables, which are touched all over and get what is
 * expected.
 *
 * @module
 */
import { mostRows } from "../store/rows.ts";
import { type Load, tuplesOf } from "./load.ts";
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
