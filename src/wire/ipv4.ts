/**
 * The IPv4 header (RFC 791; RFC 2474 and 3168 for the traffic class).
 *
 * @module
 */
import type { IpAddress } from "../base/address.ts";
import { readI32, readU16, requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";
import { type WireError, wireError } from "./error.ts";

/** An IPv4 header. Its checksum is not kept: encoding computes it, decoding verifies it. */
export interface Ipv4Header {
  /** DSCP and ECN: 0 to 255. */
  trafficClass: number;
  /** Bytes of header and data: 20 to 65,535. */
  totalLength: number;
  /** Identification, 0 to 65,535; without meaning in an atomic datagram (RFC 6864). */
  identification: number;
  /** The flag bit that must be zero; kept so that bytes survive a round trip. */
  reservedFlag: boolean;
  /** Don't fragment. */
  dontFragment: boolean;
  /** More fragments follow. */
  moreFragments: boolean;
  /** Fragment offset in units of 8 bytes: 0 to 8,191. */
  fragmentOffset: number;
  /** Time to live, hops: 0 to 255. */
  ttl: number;
  /** Protocol number of what follows. */
  protocol: number;
  /** Source address, family 4. */
  source: IpAddress;
  /** Destination address, family 4. */
  destination: IpAddress;
  /** Options with their padding, undecoded: 0 to 40 bytes, a multiple of 4. */
  options: Uint8Array;
}

/** Options of {@linkcode decodeIpv4}. */
export interface DecodeIpv4Options {
  /** Refuse a wrong header checksum. Default true; false inside ICMP errors, where routers leave it stale. */
  verifyChecksum?: boolean;
}

/** Bytes of an encoded header: 20 to 60. */
export function ipv4HeaderBytes(header: Ipv4Header): number {
  return 20 + header.options.length;
}

/**
 * Writes the header at `at` with its checksum and returns its bytes.
 * Throws `RangeError` if it does not fit, or if the options are longer than 40 bytes or not a multiple of 4.
 */
export function encodeIpv4(header: Ipv4Header, into: Uint8Array, at = 0): number {
  const length = ipv4HeaderBytes(header);
  if (length > 60 || length & 3) {
    throw new RangeError(`IPv4 options take 0 to 40 bytes in multiples of 4, not ${header.options.length}.`);
  }
  requireRoom(into, at, length);
  into[at] = 0x40 | length >>> 2;
  into[at + 1] = header.trafficClass;
  writeU16(into, at + 2, header.totalLength);
  writeU16(into, at + 4, header.identification);
  const flags = (header.reservedFlag ? 0x8000 : 0) | (header.dontFragment ? 0x4000 : 0) |
    (header.moreFragments ? 0x2000 : 0);
  writeU16(into, at + 6, flags | header.fragmentOffset & 0x1fff);
  into[at + 8] = header.ttl;
  into[at + 9] = header.protocol;
  writeU16(into, at + 10, 0);
  writeU32(into, at + 12, header.source.words[0]);
  writeU32(into, at + 16, header.destination.words[0]);
  into.set(header.options, at + 20);
  writeU16(into, at + 10, internetChecksum(into, at, length));
  return length;
}

/**
 * The header in the bytes from `at` up to `end`. The data may be shorter than `totalLength` (a quoted packet, a snapped
 * capture): that is for the caller to judge.
 */
export function decodeIpv4(
  bytes: Uint8Array,
  at = 0,
  end: number = bytes.length,
  options: DecodeIpv4Options = {},
): Ipv4Header | WireError {
  if (end - at < 20) return wireError("ipv4", "truncated", `An IPv4 header takes 20 bytes; there are ${end - at}.`);
  const version = bytes[at] >>> 4;
  if (version !== 4) return wireError("ipv4", "version", `The IP version is ${version}, not 4.`);
  const length = (bytes[at] & 15) * 4;
  if (length < 20) return wireError("ipv4", "length", `The IPv4 header length is ${length} bytes, below 20.`);
  if (end - at < length) {
    return wireError("ipv4", "truncated", `The IPv4 header takes ${length} bytes; there are ${end - at}.`);
  }
  const totalLength = readU16(bytes, at + 2);
  if (totalLength < length) {
    return wireError("ipv4", "length", `The IPv4 total length ${totalLength} is below the header's ${length} bytes.`);
  }
  if (options.verifyChecksum !== false && internetChecksum(bytes, at, length) !== 0) {
    return wireError("ipv4", "checksum", "The IPv4 header checksum is wrong.");
  }
  const flags = readU16(bytes, at + 6);
  return {
    trafficClass: bytes[at + 1],
    totalLength,
    identification: readU16(bytes, at + 4),
    reservedFlag: (flags & 0x8000) !== 0,
    dontFragment: (flags & 0x4000) !== 0,
    moreFragments: (flags & 0x2000) !== 0,
    fragmentOffset: flags & 0x1fff,
    ttl: bytes[at + 8],
    protocol: bytes[at + 9],
    source: { family: 4, words: [readI32(bytes, at + 12) >>> 0] },
    destination: { family: 4, words: [readI32(bytes, at + 16) >>> 0] },
    options: bytes.slice(at + 20, at + length),
  };
}
