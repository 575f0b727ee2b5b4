/** Packets made by hand, deliveries written down, and the laws that every run obeys. */
import { assertEquals } from "@std/assert";
import type { Simulation } from "../../../src/network/simulation.ts";
import { NODE } from "../../../src/node/nodes.ts";
import { CONTROL, EXTRA, PACKET, packetBytes, PROTOCOL } from "../../../src/wire/packet.ts";

const { STRIDE } = PACKET;

/** A packet to send; ICMP unless `protocol` says otherwise. */
export interface Sketch {
  from: string;
  src?: string;
  dst: string;
  protocol?: keyof typeof PROTOCOL;
  /** TCP flags. */
  flags?: number;
  sport?: number;
  dport?: number;
  /** ICMP type << 8 | code; default an echo request. */
  type?: number;
  /** Echo identifier and sequence number. */
  id?: number;
  seq?: number;
  length?: number;
  ttl?: number;
}

/** A delivery as the tap saw it. */
export interface Seen {
  timeNs: number;
  from: string;
  to: string;
  src: string;
  dst: string;
  protocol: number;
  /** "80>1234", or of ICMP type << 8 | code. */
  sport: number;
  dport: number;
  icmp: number;
  /** The rest of an ICMP header. */
  rest: number;
  flags: number;
  length: number;
  bytes: number;
  ttl: number;
  corrupt: number;
  quotedSrc: string;
  quotedDst: string;
  quotedPorts: number;
}

/** The row of a node by name: `r1`, `clients[2]`. */
export function nodeRow(simulation: Simulation, name: string): number {
  const match = /^([^[]+)(?:\[(\d+)\])?$/.exec(name)!;
  return simulation.partition.nodes.population(match[1])!.firstRow + Number(match[2] ?? 0);
}

/** Sends a packet from a node at this instant. */
export function send(simulation: Simulation, sketch: Sketch): void {
  const s = simulation.partition;
  const node = nodeRow(simulation, sketch.from);
  const ipv6 = sketch.dst.includes(":");
  const protocol = PROTOCOL[sketch.protocol ?? (ipv6 ? "ICMPV6" : "ICMP")];
  const p = s.packets.allocate();
  const rows = s.packets.rows.words;
  const at = p * STRIDE;
  const isIcmp = protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6;
  rows[at + PACKET.SRC] = sketch.src === undefined ? s.addressOf(node) : s.addresses.intern(sketch.src);
  rows[at + PACKET.DST] = s.addresses.intern(sketch.dst);
  rows[at + PACKET.PORTS] = isIcmp
    ? (sketch.type ?? (ipv6 ? 0x8000 : 0x0800)) << 16
    : ((sketch.sport ?? 1000) << 16) | (sketch.dport ?? 2000);
  rows[at + PACKET.SEQ] = ((sketch.id ?? 7) << 16) | (sketch.seq ?? 1);
  rows[at + PACKET.CONTROL] = (protocol << CONTROL.PROTOCOL_SHIFT) | CONTROL.DONT_FRAGMENT | (sketch.flags ?? 0);
  rows[at + PACKET.WINDOW_TTL_TOS] = (sketch.ttl ?? 64) << 8;
  rows[at + PACKET.LENGTH] = sketch.length ?? 56;
  s.path.emit(node, p, s.nodes.words[node * NODE.STRIDE + NODE.ROUTES]);
}

/** Writes every delivery down. */
export function watch(simulation: Simulation): Seen[] {
  const seen: Seen[] = [];
  const { packets, addresses } = simulation;
  simulation.onDelivery((p, timeNs, from, to) => {
    const rows = packets.rows.words;
    const at = p * STRIDE;
    const ports = rows[at + PACKET.PORTS];
    const control = rows[at + PACKET.CONTROL];
    const quotes = (control & CONTROL.QUOTES) !== 0;
    const extras = packets.extras.words;
    const extra = rows[at + PACKET.EXTRA] * EXTRA.STRIDE;
    seen.push({
      timeNs,
      from,
      to,
      src: addresses.toText(rows[at + PACKET.SRC]),
      dst: addresses.toText(rows[at + PACKET.DST]),
      protocol: control >>> CONTROL.PROTOCOL_SHIFT,
      sport: ports >>> 16,
      dport: ports & 0xffff,
      icmp: ports >>> 16,
      rest: rows[at + PACKET.SEQ],
      flags: control & CONTROL.FLAGS_MASK,
      length: rows[at + PACKET.LENGTH],
      bytes: packetBytes(packets, p, addresses.isIpv6(rows[at + PACKET.SRC])),
      ttl: (rows[at + PACKET.WINDOW_TTL_TOS] >>> 8) & 255,
      corrupt: rows[at + PACKET.CORRUPT],
      quotedSrc: quotes ? addresses.toText(extras[extra + EXTRA.QUOTED_SRC]) : "",
      quotedDst: quotes ? addresses.toText(extras[extra + EXTRA.QUOTED_DST]) : "",
      quotedPorts: quotes ? extras[extra + EXTRA.QUOTED_PORTS] : 0,
    });
  });
  return seen;
}

/** The names of the nodes that packets reached, in order. */
export function hops(seen: Seen[]): string[] {
  return seen.map(({ to }) => to);
}

/** Every packet sent or duplicated was delivered, dropped, or is in flight; and what is in flight has a row. */
export function assertConserved(simulation: Simulation): void {
  const s = simulation.partition;
  const dropped = s.dropped.reduce((sum, count) => sum + count, 0);
  const inFlight = s.packets.rows.inUse;
  assertEquals(s.sent + s.links.duplicated, s.delivered + dropped + inFlight, "packets are conserved");
}

/** After everything was closed and has expired, every pool is empty. */
export function assertEmpty(simulation: Simulation): void {
  const s = simulation.partition;
  const { tcp, nat } = s;
  const used = {
    packets: s.packets.rows.inUse,
    extras: s.packets.extras.inUse,
    events: s.events.inUse,
    queue: s.queue.size,
    tcbs: tcp.tcbs.inUse,
    cold: tcp.cold.inUse,
    segments: tcp.segments.inUse,
    ranges: tcp.ranges.inUse,
    settings: tcp.settings.inUse,
    recoveries: tcp.recoveries.inUse,
    receivers: tcp.receivers.inUse,
    senders: tcp.senders.inUse,
    accounts: tcp.accounts.inUse,
    fastOpens: tcp.fastOpens.inUse,
    congestion: tcp.congestionPools.reduce((sum, pool) => sum + (pool?.inUse ?? 0), 0),
    synRows: tcp.synRows.inUse,
    timeWaits: tcp.timeWaits.inUse,
    demux: tcp.demux.table.size,
    liveTimers: tcp.liveTimers,
    sessions: nat.sessions.inUse,
    mappings: nat.mappings.inUse,
    open: s.stats.open,
  };
  assertEquals(used, Object.fromEntries(Object.keys(used).map((key) => [key, 0])) as typeof used);
}
