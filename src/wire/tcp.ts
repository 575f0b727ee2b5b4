/**
 * The TCP header (RFC 9293 section 3.1).
 *
 * @module
 */
import { readI32, readU16, requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { isWireError, type WireError, wireError } from "./error.ts";
import { decodeTcpOptions, encodeTcpOptions, type TcpOption, tcpOptionsBytes } from "./tcp_options.ts";

/** A TCP header as on the wire. */
export interface TcpHeader {
  /** 0 to 65,535. */
  sourcePort: number;
  /** 0 to 65,535. */
  destinationPort: number;
  /** Sequence number, unsigned 32 bits. */
  sequence: number;
  /** Acknowledgement number, unsigned 32 bits; without meaning unless ACK is set. */
  acknowledgement: number;
  /** The three reserved bits, 0 to 7; senders leave them 0. */
  reserved: number;
  /** Nine control bits as in `TCP_FLAG` (AE, CWR, ECE, URG, ACK, PSH, RST, SYN, FIN). */
  flags: number;
  /** Window as on the wire, unscaled: 0 to 65,535. */
  window: number;
  /** Checksum with the pseudo-header. */
  checksum: number;
  /** Urgent pointer: 0 to 65,535; without meaning unless URG is set. */
  urgent: number;
  /** Options in order. */
  options: TcpOption[];
}

/** Bytes of an encoded header: 20 to 60. */
export function tcpHeaderBytes(header: TcpHeader): number {
  return 20 + tcpOptionsBytes(header.options);
}

/**
 * Writes the header at `at`, its checksum as given, and returns its bytes.
 * Throws `RangeError` if it does not fit or the options take more than 40 bytes.
 */
export function encodeTcp(header: TcpHeader, into: Uint8Array, at = 0): number {
  requireRoom(into, at, 20);
  const length = 20 + encodeTcpOptions(header.options, into, at + 20);
  writeU16(into, at, header.sourcePort);
  writeU16(into, at + 2, header.destinationPort);
  writeU32(into, at + 4, header.sequence);
  writeU32(into, at + 8, header.acknowledgement);
  writeU16(into, at + 12, length << 10 | (header.reserved & 7) << 9 | header.flags & 0x1ff);
  writeU16(into, at + 14, header.window);
  writeU16(into, at + 16, header.checksum);
  writeU16(into, at + 18, header.urgent);
  return length;
}

/** Bytes of the TCP header at `at` by its data offset: 0 to 60, below 20 being illegal. */
export function tcpDataOffset(bytes: Uint8Array, at: number): number {
  return bytes[at + 12] >>> 4 << 2;
}

/** The header in the bytes from `at` up to `end`; its checksum is for the caller to verify. */
export function decodeTcp(bytes: Uint8Array, at = 0, end: number = bytes.length): TcpHeader | WireError {
  if (end - at < 20) return wireError("tcp", "truncated", `A TCP header takes 20 bytes; there are ${end - at}.`);
  const length = tcpDataOffset(bytes, at);
  if (length < 20) return wireError("tcp", "length", `The TCP data offset is ${length} bytes, below 20.`);
  if (end - at < length) {
    return wireError("tcp", "truncated", `The TCP header takes ${length} bytes; there are ${end - at}.`);
  }
  const options = decodeTcpOptions(bytes, at + 20, at + length);
  if (isWireError(options)) return options;
  const control = readU16(bytes, at + 12);
  return {
    sourcePort: readU16(bytes, at),
    destinationPort: readU16(bytes, at + 2),
    sequence: readI32(bytes, at + 4) >>> 0,
    acknowledgement: readI32(bytes, at + 8) >>> 0,
    reserved: control >>> 9 & 7,
    flags: control & 0x1ff,
    window: readU16(bytes, at + 14),
    checksum: readU16(bytes, at + 16),
    urgent: readU16(bytes, at + 18),
    options,
  };
}
