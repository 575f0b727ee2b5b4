/**
 * The IPv6 header (RFC 8200). Extension headers count as payload.
 *
 * @module
 */
import type { IpAddress } from "../base/address.ts";
import { readI32, readU16, requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { type WireError, wireError } from "./error.ts";

/** Bytes of an IPv6 header. */
export const IPV6_HEADER_BYTES = 40;

/** An IPv6 header. It has no checksum: its addresses, length and next header are in the transport's pseudo-header. */
export interface Ipv6Header {
  /** DSCP and ECN: 0 to 255. */
  trafficClass: number;
  /** Flow label (RFC 6437): 0 to 1,048,575. */
  flowLabel: number;
  /** Bytes after this header: 0 to 65,535. */
  payloadLength: number;
  /** Protocol number of what follows. */
  nextHeader: number;
  /** Hops left: 0 to 255. */
  hopLimit: number;
  /** Source address, family 6. */
  source: IpAddress;
  /** Destination address, family 6. */
  destination: IpAddress;
}

/** Writes the header at `at` and returns its 40 bytes. Throws `RangeError` if it does not fit. */
export function encodeIpv6(header: Ipv6Header, into: Uint8Array, at = 0): number {
  requireRoom(into, at, IPV6_HEADER_BYTES);
  writeU32(into, at, 6 << 28 | (header.trafficClass & 0xff) << 20 | header.flowLabel & 0xfffff);
  writeU16(into, at + 4, header.payloadLength);
  into[at + 6] = header.nextHeader;
  into[at + 7] = header.hopLimit;
  for (let k = 0; k < 4; k++) {
    writeU32(into, at + 8 + 4 * k, header.source.words[k]!);
    writeU32(into, at + 24 + 4 * k, header.destination.words[k]!);
  }
  return IPV6_HEADER_BYTES;
}

/** The header in the bytes from `at` up to `end`. The data may be shorter than `payloadLength`: the caller judges. */
export function decodeIpv6(bytes: Uint8Array, at = 0, end: number = bytes.length): Ipv6Header | WireError {
  if (end - at < IPV6_HEADER_BYTES) {
    return wireError("ipv6", "truncated", `An IPv6 header takes 40 bytes; there are ${end - at}.`);
  }
  const first = readI32(bytes, at);
  const version = first >>> 28;
  if (version !== 6) return wireError("ipv6", "version", `The IP version is ${version}, not 6.`);
  return {
    trafficClass: first >>> 20 & 0xff,
    flowLabel: first & 0xfffff,
    payloadLength: readU16(bytes, at + 4),
    nextHeader: bytes[at + 6],
    hopLimit: bytes[at + 7],
    source: readAddress(bytes, at + 8),
    destination: readAddress(bytes, at + 24),
  };
}

function readAddress(bytes: Uint8Array, at: number): IpAddress {
  const word = (k: number) => readI32(bytes, at + 4 * k) >>> 0;
  return { family: 6, words: [word(0), word(1), word(2), word(3)] };
}
