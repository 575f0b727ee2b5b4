/**
 * Classic capture files (libpcap's format) with nanosecond timestamps, in little-endian order.
 *
 * @module
 */

/** Magic number of a capture file whose timestamps are in nanoseconds. */
export const PCAP_NANOSECOND_MAGIC = 0xa1b23c4d;

/** Link type of records that begin with an IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101;

/** Most bytes of a packet that a record keeps, by default. */
export const DEFAULT_SNAP_LENGTH = 262_144;

/** Options of {@linkcode pcapHeader}. */
export interface PcapHeaderOptions {
  /** Most bytes of a packet that a record keeps; the writer of records sees to it. Default 262,144. */
  snapLength?: number;
  /** What records begin with. Default {@linkcode LINKTYPE_RAW}. */
  linkType?: number;
}

/** Options of {@linkcode pcapRecord}. */
export interface PcapRecordOptions {
  /** Bytes of the whole packet, if `bytes` are only its beginning. Default `bytes.length`. */
  originalBytes?: number;
  /** The moment of time 0, in seconds since 1970. Default 0. Seconds wrap at 2^32. */
  epochSeconds?: number;
}

/** The 24 bytes that begin a file. */
export function pcapHeader(options: PcapHeaderOptions = {}): Uint8Array {
  const chunk = new Uint8Array(24);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, PCAP_NANOSECOND_MAGIC, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, options.snapLength ?? DEFAULT_SNAP_LENGTH, true);
  view.setUint32(20, options.linkType ?? LINKTYPE_RAW, true);
  return chunk;
}

/** The record of a packet seen at `timeNs` (an integer of 0 or more): 16 bytes and a copy of `bytes`. */
export function pcapRecord(timeNs: number, bytes: Uint8Array, options: PcapRecordOptions = {}): Uint8Array {
  const chunk = new Uint8Array(16 + bytes.length);
  const view = new DataView(chunk.buffer);
  const seconds = Math.floor(timeNs / 1e9);
  view.setUint32(0, seconds + (options.epochSeconds ?? 0), true);
  view.setUint32(4, timeNs - seconds * 1e9, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, options.originalBytes ?? bytes.length, true);
  chunk.set(bytes, 16);
  return chunk;
}
