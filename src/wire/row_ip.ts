/**
 * The IP header of a packet row, written without intermediate objects.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { writeU16 } from "./bytes.ts";
import { internetChecksum } from "./checksum.ts";

/** What a row knows of its IP header. */
export interface RowIpHeader {
  /** Source address id. */
  source: number;
  /** Destination address id, of the same family. */
  destination: number;
  /** Protocol number. */
  protocol: number;
  /** TTL << 8 | traffic class in the low 16 bits, as in `PACKET.WINDOW_TTL_TOS`. */
  ttlTos: number;
  /** IPv4's don't-fragment flag. */
  dontFragment: boolean;
}

/**
 * Writes an IPv4 header (20 bytes) or IPv6 header (40 bytes) before `payloadBytes` bytes and returns its bytes.
 * The IPv4 identification is 0: fourtuple does not fragment, and an atomic datagram's means nothing (RFC 6864). The IPv6 flow
 * label is 0, "not labelled" (RFC 6437): a row does not keep it.
 */
export function writeIpHeader(
  addresses: AddressTable,
  header: RowIpHeader,
  payloadBytes: number,
  into: Uint8Array,
  at: number,
): number {
  const { ttlTos } = header;
  if (addresses.isIpv6(header.source)) {
    const trafficClass = ttlTos & 0xff;
    into[at] = 0x60 | trafficClass >>> 4;
    into[at + 1] = trafficClass << 4;
    writeU16(into, at + 2, 0);
    writeU16(into, at + 4, payloadBytes);
    into[at + 6] = header.protocol;
    into[at + 7] = ttlTos >>> 8;
    addresses.writeBytes(header.source, into, at + 8);
    addresses.writeBytes(header.destination, into, at + 24);
    return 40;
  }
  into[at] = 0x45;
  into[at + 1] = ttlTos;
  writeU16(into, at + 2, 20 + payloadBytes);
  writeU16(into, at + 4, 0);
  writeU16(into, at + 6, header.dontFragment ? 0x4000 : 0);
  into[at + 8] = ttlTos >>> 8;
  into[at + 9] = header.protocol;
  writeU16(into, at + 10, 0);
  addresses.writeBytes(header.source, into, at + 12);
  addresses.writeBytes(header.destination, into, at + 16);
  writeU16(into, at + 10, internetChecksum(into, at, 20));
  return 20;
}
