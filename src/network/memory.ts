/**
 * What a run takes in memory: before it (the estimate) and after (the columns in use).
 *
 * @module
 */
import type { NatTables } from "../nat/nat.ts";
import type { RowPool } from "../store/rows.ts";
import { TIMER, WARM } from "../tcp/state/tcb.ts";
import type { Capacity } from "./build.ts";
import { holdNsOf, type WorkloadOptions } from "./options.ts";
import type { Partition } from "./partition.ts";

/** Resident memory of the Deno process with fourtuple loaded, before any network. */
const PROCESS_BYTES = 110e6;

/** Bytes of a node with its link: node, host, two directions, routes. */
const NODE_BYTES = 64 + 64 + 2 * (32 + 32) + 16;

/** Bytes of a connection's end: hot, warm, timers, its place in the tuple table and in the timer wheel. */
const END_BYTES = 64 + 64 + 16 + 16 + 16;

/** Bytes of a NAT session: row, cold part, two places in tables, a place in the wheel. */
const SESSION_BYTES = 64 + 16 + 32 + 8;

/** Rows to reserve: what the workloads can hold open at once, as far as their rates and holding times tell. */
export function capacityFor(workloads: readonly WorkloadOptions[], nats: boolean): Capacity {
  let open = 0;
  for (const options of workloads) {
    // These open no connections, and a NAT's sessions for them are made as they come.
    if (options.kind === "dns" || options.kind === "syn-flood" || options.transport === "udp") continue;
    const holdNs = holdNsOf(options);
    const lasting = options.close === "none" || holdNs === Infinity;
    const perSecond = options.arrivals?.perSecond ?? Infinity;
    // A connection that ends is there for its holding time and a while for its work.
    open += lasting ? options.connections : Math.min(options.connections, Math.ceil(perSecond * (holdNs / 1e9 + 5)));
  }
  return { connections: Math.max(1024, 2 * open), sessions: nats ? Math.max(1024, open) : 0 };
}

/** What the process will take at most, bytes. */
export function estimateBytes(nodes: number, capacity: Capacity): number {
  return PROCESS_BYTES + nodes * NODE_BYTES + capacity.connections * END_BYTES + capacity.sessions * SESSION_BYTES;
}

/** Most bytes that a pool had in use. */
function peakBytes(pool: RowPool): number {
  return pool.peak * pool.strideWords * 4;
}

/** Bytes of everything that exists because there are connections: both ends, tables, NAT, timers. */
export function connectionBytes(s: Partition): number {
  const tcp = s.tcp;
  const ends = tcp.tcbs.peak * 4 * (tcp.tcbs.strideWords + WARM.STRIDE + TIMER.STRIDE);
  const few = peakBytes(tcp.cold) + peakBytes(tcp.segments) + peakBytes(tcp.ranges) + peakBytes(tcp.settings) +
    peakBytes(tcp.synRows) + peakBytes(tcp.timeWaits) + peakBytes(tcp.recoveries) + peakBytes(tcp.receivers) +
    peakBytes(tcp.senders) + peakBytes(tcp.accounts) + peakBytes(tcp.fastOpens) +
    tcp.congestionPools.reduce((sum, pool) => sum + (pool === undefined ? 0 : peakBytes(pool)), 0);
  const tables = tcp.demux.table.entries.byteLength;
  return ends + few + tables + natBytes(s.nat) + (s.balancers?.flows.bytes ?? 0) + s.tcpWheel.bytes + s.natWheel.bytes;
}

/** Bytes of columns in use, all together. */
export function columnBytes(s: Partition): number {
  return connectionBytes(s) + s.nodes.words.byteLength + s.hosts.words.byteLength + s.links.words.byteLength +
    s.links.pace.byteLength + s.routes.bytes + peakBytes(s.packets.rows) + peakBytes(s.packets.extras) +
    peakBytes(s.events) + s.queue.bytes + datagramBytes(s);
}

/** Bytes of UDP sockets, of what resolvers know and ask, and of timers that applications took back or not. */
function datagramBytes(s: Partition): number {
  const dns = s.dns === undefined ? 0 : s.dns.answers.bytes + s.dns.stubs.bytes + s.dns.forwarders.bytes;
  return (s.udpSockets === undefined ? 0 : peakBytes(s.udpSockets.rows)) + dns + s.timers.bytes;
}

function natBytes(nat: NatTables): number {
  return nat.columnBytes;
}
