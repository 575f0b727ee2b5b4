/**
 * The ICMP header (RFC 792) and the types and codes that fourtuple speaks of.
 *
 * @module
 */
import { readI32, readU16, requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { type WireError, wireError, type WireLayer } from "./error.ts";

/** Bytes of an ICMP or ICMPv6 header. */
export const ICMP_HEADER_BYTES = 8;

/** ICMP types (RFC 792). */
export const ICMP_TYPE = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;

/** Codes of ICMP "destination unreachable" (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1). */
export const ICMP_UNREACHABLE = {
  NETWORK: 0,
  HOST: 1,
  PROTOCOL: 2,
  PORT: 3,
  FRAGMENTATION_NEEDED: 4,
  SOURCE_ROUTE: 5,
  NETWORK_PROHIBITED: 9,
  HOST_PROHIBITED: 10,
  ADMINISTRATIVELY_PROHIBITED: 13,
} as const;

/** An ICMP or ICMPv6 header as on the wire. */
export interface IcmpHeader {
  /** 0 to 255. */
  type: number;
  /** 0 to 255. */
  code: number;
  /** ICMP: over the message; ICMPv6: with the pseudo-header. */
  checksum: number;
  /** The second word, unsigned: echo identifier << 16 | sequence number; next-hop MTU; pointer. */
  rest: number;
}

/** Whether messages of an ICMP type are errors, which quote the packet at fault (RFC 1122 section 3.2.2). */
export function isIcmpError(type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

/** Writes the header at `at`, its checksum as given, and returns its 8 bytes. Throws `RangeError` if it does not fit. */
export function encodeIcmp(header: IcmpHeader, into: Uint8Array, at = 0): number {
  requireRoom(into, at, ICMP_HEADER_BYTES);
  into[at] = header.type;
  into[at + 1] = header.code;
  writeU16(into, at + 2, header.checksum);
  writeU32(into, at + 4, header.rest);
  return ICMP_HEADER_BYTES;
}

/** The header in the bytes from `at` up to `end`; its checksum is for the caller to verify. */
export function decodeIcmp(
  bytes: Uint8Array,
  at = 0,
  end: number = bytes.length,
  layer: WireLayer = "icmp",
): IcmpHeader | WireError {
  if (end - at < ICMP_HEADER_BYTES) {
    return wireError(layer, "truncated", `An ICMP header takes 8 bytes; there are ${end - at}.`);
  }
  return {
    type: bytes[at],
    code: bytes[at + 1],
    checksum: readU16(bytes, at + 2),
    rest: readI32(bytes, at + 4) >>> 0,
  };
}
