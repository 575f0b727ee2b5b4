/**
 * The UDP header (RFC 768).
 *
 * @module
 */
import { readU16, requireRoom, writeU16 } from "./bytes.ts";
import { type WireError, wireError } from "./error.ts";

/** Bytes of a UDP header. */
export const UDP_HEADER_BYTES = 8;

/** A UDP header as on the wire. */
export interface UdpHeader {
  /** 0 to 65,535. */
  sourcePort: number;
  /** 0 to 65,535. */
  destinationPort: number;
  /** Bytes of header and data: 8 to 65,535. */
  length: number;
  /** Checksum with the pseudo-header; 0 means none, which only IPv4 allows. */
  checksum: number;
}

/** Writes the header at `at`, its checksum as given, and returns its 8 bytes. Throws `RangeError` if it does not fit. */
export function encodeUdp(header: UdpHeader, into: Uint8Array, at = 0): number {
  requireRoom(into, at, UDP_HEADER_BYTES);
  writeU16(into, at, header.sourcePort);
  writeU16(into, at + 2, header.destinationPort);
  writeU16(into, at + 4, header.length);
  writeU16(into, at + 6, header.checksum);
  return UDP_HEADER_BYTES;
}

/** The header in the bytes from `at` up to `end`; its checksum is for the caller to verify. */
export function decodeUdp(bytes: Uint8Array, at = 0, end: number = bytes.length): UdpHeader | WireError {
  if (end - at < UDP_HEADER_BYTES) {
    return wireError("udp", "truncated", `A UDP header takes 8 bytes; there are ${end - at}.`);
  }
  const length = readU16(bytes, at + 4);
  if (length < UDP_HEADER_BYTES) return wireError("udp", "length", `The UDP length ${length} is below 8.`);
  return {
    sourcePort: readU16(bytes, at),
    destinationPort: readU16(bytes, at + 2),
    length,
    checksum: readU16(bytes, at + 6),
  };
}
