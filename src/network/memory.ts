/**
 * What a run has taken in memory: the columns in use. (`estimate.ts` says before it what that will be.)
 *
 * @module
 */
import type { Partition } from "./partition.ts";

/** Bytes of everything that exists because there are connections: both ends, tables, NAT, timers. */
export function connectionBytes(s: Partition): number {
  const tcp = s.tcp;
  const ends = tcp.tcbs.peakBytes;
  const few = tcp.cold.peakBytes + tcp.segments.peakBytes + tcp.ranges.peakBytes + tcp.settings.peakBytes +
    tcp.synRows.peakBytes + tcp.timeWaits.peakBytes + tcp.recoveries.peakBytes + tcp.receivers.peakBytes +
    tcp.senders.peakBytes + tcp.accounts.peakBytes + tcp.fastOpens.peakBytes +
    tcp.congestionPools.reduce((sum, pool) => sum + (pool === undefined ? 0 : pool.peakBytes), 0);
  const tables = tcp.demux.bytes + tcp.ports.bytes;
  return ends + few + tables + s.nat.columnBytes + (s.balancers?.flows.bytes ?? 0) + s.tcpWheel.bytes +
    s.natWheel.bytes;
}

/** Bytes of columns in use, all together. */
export function columnBytes(s: Partition): number {
  return connectionBytes(s) + s.nodes.words.byteLength + s.hosts.words.byteLength + s.links.words.byteLength +
    s.links.pace.byteLength + s.routes.bytes + s.packets.rows.peakBytes + s.packets.extras.peakBytes +
    s.events.peakBytes + s.queue.bytes + s.stats.bytes + datagramBytes(s);
}

/** Bytes of UDP sockets, of what resolvers know and ask, and of timers that applications took back or not. */
function datagramBytes(s: Partition): number {
  const dns = s.dns === undefined ? 0 : s.dns.answers.bytes + s.dns.stubs.bytes + s.dns.forwarders.bytes;
  const apps = s.apps.reduce((sum, app) => sum + (app?.bytes ?? 0), 0);
  return (s.udpSockets?.bytes ?? 0) + dns + apps + s.timers.bytes + s.datagrams.replyUs.bytes;
}
