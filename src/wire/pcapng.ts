/**
 * pcapng capture files (draft-ietf-opsawg-pcapng), in little-endian order: a section header, interface descriptions,
 * enhanced packets with nanosecond timestamps, interface statistics.
 *
 * libpcap (tcpdump) reads only files whose interfaces have one link type and one snap length; tools that merge
 * interfaces show them as one. Write a file per capture point where that matters.
 *
 * @module
 */
import { DEFAULT_SNAP_LENGTH, LINKTYPE_RAW } from "./pcap.ts";

/** Block types. */
export const PCAPNG_BLOCK = {
  SECTION_HEADER: 0x0a0d0d0a,
  INTERFACE_DESCRIPTION: 1,
  INTERFACE_STATISTICS: 5,
  ENHANCED_PACKET: 6,
} as const;

/** What tells a reader the byte order of a section. */
export const PCAPNG_BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Options of {@linkcode pcapngSectionHeader}. */
export interface PcapngSectionOptions {
  /** What wrote the file (shb_userappl). Default `fourtuple`. */
  application?: string;
  /** A comment on the whole file, for example scenario and seed (opt_comment). */
  comment?: string;
}

/** Options of {@linkcode pcapngInterface}. */
export interface PcapngInterfaceOptions {
  /** The capture point's name (if_name). */
  name: string;
  /** A description (if_description). */
  description?: string;
  /** Bits per second (if_speed). */
  speedBps?: number;
  /** The moment of time 0, in seconds since 1970 (if_tsoffset). Default 0. */
  epochSeconds?: number;
  /** Most bytes of a packet that are kept. Default 262,144. */
  snapLength?: number;
  /** What packets begin with. Default `LINKTYPE_RAW`. */
  linkType?: number;
  /** The capture filter, as text (if_filter). */
  filter?: string;
}

/** Options of {@linkcode pcapngPacket}. */
export interface PcapngPacketOptions {
  /** Bytes of the whole packet, if `bytes` are only its beginning. Default `bytes.length`. */
  originalBytes?: number;
  /** Whether the capture point received or sent the packet (epb_flags). */
  direction?: "inbound" | "outbound";
  /** A comment, for example why a router dropped the packet (opt_comment). */
  comment?: string;
}

/** Options of {@linkcode pcapngStatistics}: counts of packets since the capture began. */
export interface PcapngStatisticsOptions {
  /** When the capture began, and when it ended, ns (isb_starttime, isb_endtime). */
  startNs?: number;
  endNs?: number;
  /** Packets that came by (isb_ifrecv). */
  received?: number;
  /** Packets that the interface dropped (isb_ifdrop). */
  dropped?: number;
  /** Packets that passed the filter (isb_filteraccept). */
  accepted?: number;
  /** Packets that the node behind the interface dropped (isb_osdrop). */
  droppedBySystem?: number;
  /** Packets that were written (isb_usrdeliv). */
  delivered?: number;
  /** A comment, for example the reasons of drops (opt_comment). */
  comment?: string;
}

const text = new TextEncoder();

/** The block that begins a file. */
export function pcapngSectionHeader(options: PcapngSectionOptions = {}): Uint8Array {
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  view.setUint32(0, PCAPNG_BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  view.setUint16(6, 0, true);
  // A section length of -1: not known.
  view.setBigInt64(8, -1n, true);
  const list = [option(4, text.encode(options.application ?? "fourtuple"))];
  if (options.comment !== undefined) list.push(option(1, text.encode(options.comment)));
  return block(PCAPNG_BLOCK.SECTION_HEADER, [body], list);
}

/** The block that describes an interface. The first in a file is interface 0, and so on. */
export function pcapngInterface(options: PcapngInterfaceOptions): Uint8Array {
  const body = new Uint8Array(8);
  const view = new DataView(body.buffer);
  view.setUint16(0, options.linkType ?? LINKTYPE_RAW, true);
  view.setUint32(4, options.snapLength ?? DEFAULT_SNAP_LENGTH, true);
  const list = [option(2, text.encode(options.name))];
  if (options.description !== undefined) list.push(option(3, text.encode(options.description)));
  if (options.speedBps !== undefined) list.push(option(8, u64(options.speedBps)));
  // if_tsresol: timestamps count 10^-9 s.
  list.push(option(9, Uint8Array.of(9)));
  // if_filter: 0 says that a text follows.
  if (options.filter !== undefined) list.push(option(11, Uint8Array.of(0, ...text.encode(options.filter))));
  if (options.epochSeconds !== undefined) list.push(option(14, u64(options.epochSeconds)));
  return block(PCAPNG_BLOCK.INTERFACE_DESCRIPTION, [body], list);
}

/** The block of a packet seen on interface `interfaceId` at `timeNs` (an integer of 0 or more). Copies `bytes`. */
export function pcapngPacket(
  interfaceId: number,
  timeNs: number,
  bytes: Uint8Array,
  options: PcapngPacketOptions = {},
): Uint8Array {
  const body = new Uint8Array(20);
  const view = new DataView(body.buffer);
  view.setUint32(0, interfaceId, true);
  setTime(view, 4, timeNs);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, options.originalBytes ?? bytes.length, true);
  const list: Uint8Array[] = [];
  if (options.comment !== undefined) list.push(option(1, text.encode(options.comment)));
  if (options.direction !== undefined) list.push(option(2, u32(options.direction === "inbound" ? 1 : 2)));
  return block(PCAPNG_BLOCK.ENHANCED_PACKET, [body, padded(bytes)], list);
}

/** Bytes that the block of a packet without a comment takes beside the packet. */
export const PCAPNG_PACKET_ROOM = 52;

/**
 * Writes the block of a packet without a comment at `at`: what `pcapngPacket` makes, without an allocation. Returns where
 * it ends. `view` is one of `target`, which has room.
 */
export function writePcapngPacket(
  target: Uint8Array,
  view: DataView,
  at: number,
  packet: { id: number; timeNs: number; bytes: Uint8Array; originalBytes: number; inbound: boolean },
): number {
  const { id, timeNs, bytes, originalBytes, inbound } = packet;
  const end = at + 28 + (bytes.length + 3 & ~3);
  const length = end + 16 - at;
  view.setUint32(at, PCAPNG_BLOCK.ENHANCED_PACKET, true);
  view.setUint32(at + 4, length, true);
  view.setUint32(at + 8, id, true);
  setTime(view, at + 12, timeNs);
  view.setUint32(at + 20, bytes.length, true);
  view.setUint32(at + 24, originalBytes, true);
  target.set(bytes, at + 28);
  target.fill(0, at + 28 + bytes.length, end);
  // epb_flags: option 2, of 4 bytes; then the end of options.
  view.setUint32(end, 4 << 16 | 2, true);
  view.setUint32(end + 4, inbound ? 1 : 2, true);
  view.setUint32(end + 8, 0, true);
  view.setUint32(end + 12, length, true);
  return end + 16;
}

/** The block of an interface's counts as of `timeNs`; usually the last of a file. */
export function pcapngStatistics(
  interfaceId: number,
  timeNs: number,
  options: PcapngStatisticsOptions = {},
): Uint8Array {
  const body = new Uint8Array(12);
  const view = new DataView(body.buffer);
  view.setUint32(0, interfaceId, true);
  setTime(view, 4, timeNs);
  const list: Uint8Array[] = [];
  if (options.comment !== undefined) list.push(option(1, text.encode(options.comment)));
  if (options.startNs !== undefined) list.push(option(2, time(options.startNs)));
  if (options.endNs !== undefined) list.push(option(3, time(options.endNs)));
  const { received, dropped, accepted, droppedBySystem, delivered } = options;
  for (const [i, count] of [received, dropped, accepted, droppedBySystem, delivered].entries()) {
    if (count !== undefined) list.push(option(4 + i, u64(count)));
  }
  return block(PCAPNG_BLOCK.INTERFACE_STATISTICS, [body], list);
}

/** A timestamp: the high 32 bits, then the low ones. */
function setTime(view: DataView, at: number, timeNs: number): void {
  view.setUint32(at, Math.floor(timeNs / 2 ** 32), true);
  view.setUint32(at + 4, timeNs % 2 ** 32, true);
}

function time(timeNs: number): Uint8Array {
  const bytes = new Uint8Array(8);
  setTime(new DataView(bytes.buffer), 0, timeNs);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** `bytes` with zeros up to a multiple of 4. */
function padded(bytes: Uint8Array): Uint8Array {
  if ((bytes.length & 3) === 0) return bytes;
  const copy = new Uint8Array(bytes.length + 3 & ~3);
  copy.set(bytes);
  return copy;
}

/** An option: code, length without padding, value with padding. Values longer than 65,535 bytes are cut. */
function option(code: number, value: Uint8Array): Uint8Array {
  const kept = value.subarray(0, 0xffff);
  const body = padded(kept);
  const bytes = new Uint8Array(4 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, kept.length, true);
  bytes.set(body, 4);
  return bytes;
}

/** A block: type, length, parts, options with their end (none if there are none), length again. */
function block(type: number, parts: Uint8Array[], options: Uint8Array[]): Uint8Array {
  const all = options.length === 0 ? parts : [...parts, ...options, new Uint8Array(4)];
  const length = all.reduce((sum, part) => sum + part.length, 12);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  let at = 8;
  for (const part of all) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(length - 4, length, true);
  return bytes;
}
