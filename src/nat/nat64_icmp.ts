/**
 * ICMP and ICMPv6 errors into each other (RFC 7915 4.2 and 5.2).
 *
 * @module
 */

/** Out parameter of both directions: the rest of the header (MTU or pointer). */
export const REST_MTU: { value: number } = { value: 0 };

/** An IPv6 header has so many bytes more than one of IPv4. */
const HEADER_DIFFERENCE = 20;
/** IPv6's least MTU (RFC 8200 5): no host believes less. */
const LEAST_IPV6_MTU = 1280;
/** Headers of a quoted packet whose payload's length is known: IPv4 and TCP without options. */
const QUOTED_HEADER_BYTES = 40;

/** RFC 1191 7.1: what a path may take whose router does not tell. */
const PLATEAUS = [65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/** ICMPv6 type << 8 | code for the codes of ICMP's "destination unreachable"; -1: there is none. */
const UNREACHABLE_V6 = [
  0x0100, // network
  0x0100, // host
  0x0401, // protocol: "unrecognized next header", with a pointer to it
  0x0104, // port
  0x0200, // fragmentation needed
  0x0100, // source route failed
  0x0100, // network unknown
  0x0100, // host unknown
  0x0100, // isolated
  0x0101, // network prohibited
  0x0101, // host prohibited
  0x0100, // network, type of service
  0x0100, // host, type of service
  0x0101, // prohibited
  -1, // host precedence
  0x0101, // precedence cut-off
];

/** Fields of an IPv4 header by byte, as bytes of an IPv6 header (RFC 7915 figure 3); -1: there is none. */
const POINTER_V6 = [0, 1, 4, 4, -1, -1, -1, -1, 7, 6, -1, -1, 8, 8, 8, 8, 24, 24, 24, 24];

/** ICMP type << 8 | code for the codes of ICMPv6's "destination unreachable". */
const UNREACHABLE_V4 = [0x0301, 0x030a, 0x0301, 0x0301, 0x0303];

/** Where the next header's number stands in an IPv6 header. */
const NEXT_HEADER = 6;

/**
 * The ICMPv6 type << 8 | code for an ICMP error's, -1 if it is dropped. `rest` is the second word of its header, and
 * `quotedLength` the payload of the packet that it quotes; `REST_MTU` is the second word of the new header.
 */
export function icmpToV6(typeCode: number, rest: number, quotedLength: number): number {
  const type = typeCode >>> 8;
  const code = typeCode & 0xff;
  REST_MTU.value = 0;
  if (type === 3) {
    const error = UNREACHABLE_V6[code] ?? -1;
    if (code === 2) REST_MTU.value = NEXT_HEADER;
    if (code === 4) {
      const mtu = (rest & 0xffff) || plateauBelow(quotedLength + QUOTED_HEADER_BYTES);
      REST_MTU.value = Math.max(LEAST_IPV6_MTU, mtu + HEADER_DIFFERENCE);
    }
    return error;
  }
  if (type === 11) return 0x0300 | code;
  if (type !== 12 || (code !== 0 && code !== 2)) return -1;
  const pointer = POINTER_V6[rest >>> 24] ?? -1;
  REST_MTU.value = Math.max(0, pointer);
  return pointer < 0 ? -1 : 0x0400;
}

/** The other way: the ICMP type << 8 | code for an ICMPv6 error's, -1 if it is dropped. */
export function icmpToV4(typeCode: number, rest: number): number {
  const type = typeCode >>> 8;
  const code = typeCode & 0xff;
  REST_MTU.value = 0;
  if (type === 1) return UNREACHABLE_V4[code] ?? -1;
  if (type === 2) {
    REST_MTU.value = Math.min(0xffff, Math.max(68, (rest >>> 0) - HEADER_DIFFERENCE));
    return 0x0304;
  }
  if (type === 3) return 0x0b00 | code;
  if (type !== 4) return -1;
  if (code === 1) return 0x0302;
  const pointer = code === 0 ? pointerToV4(rest >>> 0) : -1;
  REST_MTU.value = Math.max(0, pointer) << 24;
  return pointer < 0 ? -1 : 0x0c00;
}

/** A byte of an IPv6 header as one of an IPv4 header (RFC 7915 figure 6); -1: there is none. */
function pointerToV4(pointer: number): number {
  if (pointer < 2) return pointer;
  if (pointer === 4 || pointer === 5) return 2;
  if (pointer === 6) return 9;
  if (pointer === 7) return 8;
  return pointer >= 8 && pointer < 24 ? 12 : pointer >= 24 && pointer < 40 ? 16 : -1;
}

/** The greatest plateau below a packet's length. */
function plateauBelow(bytes: number): number {
  return PLATEAUS.find((plateau) => plateau < bytes) ?? 68;
}
