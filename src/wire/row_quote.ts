/**
 * The packet quoted inside an ICMP error: between the `QUOTED_*` words of an extra row and bytes.
 *
 * A row keeps of a quoted packet what a receiver of the error acts upon: addresses, ports, TCP sequence number, IP
 * fields, and, if the quote is long enough, TCP flags and window. The rest of a quote longer than that is filled in:
 * checksums and acknowledgement number with zeros, options with NOPs, data with `virtualByte`s.
 *
 * @module
 */
import type { AddressTable, IpAddress } from "../base/address.ts";
import { readI32, readU16, requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { isWireError, type WireError, wireError } from "./error.ts";
import { decodeIpv4, ipv4HeaderBytes } from "./ipv4.ts";
import { decodeIpv6 } from "./ipv6.ts";
import { CONTROL, EXTRA, PACKET, type PacketPool, PROTOCOL, TCP_FLAG } from "./packet.ts";
import { fillVirtual } from "./payload.ts";
import { writeIpHeader } from "./row_ip.ts";
import { tcpDataOffset } from "./tcp.ts";

/** Bytes of the transport header that every quote holds (RFC 792; RFC 4443 asks for more). */
const QUOTED_TRANSPORT_BYTES = 8;

/** Bytes quoted by an ICMP error about an IPv4 packet: its header and 8 bytes (RFC 792). */
export const IPV4_QUOTE_BYTES = 28;

/** Bytes quoted by an ICMPv6 error: the header and 8 bytes. */
export const IPV6_QUOTE_BYTES = 48;

/** `CONTROL` bits of the offending packet that its quote keeps; option flags count for its total length only. */
const QUOTED_CONTROL_MASK = 0xff << CONTROL.PROTOCOL_SHIFT | CONTROL.FLAGS_MASK | CONTROL.DONT_FRAGMENT |
  CONTROL.HAS_MSS | CONTROL.HAS_TIMESTAMPS | CONTROL.HAS_SACK_PERMITTED | CONTROL.HAS_WINDOW_SCALE;

/** What the bytes of a quote say of the packet at fault: the `QUOTED_*` words, its addresses not yet interned. */
export interface Quote {
  /** Its source address. */
  source: IpAddress;
  /** Its destination address. */
  destination: IpAddress;
  /** As `EXTRA.QUOTED_PORTS`; 0 for protocols that a row cannot hold. */
  ports: number;
  /** As `EXTRA.QUOTED_SEQ`; 0 for UDP. */
  sequence: number;
  /** As `EXTRA.QUOTED_CONTROL`. */
  control: number;
  /** As `EXTRA.QUOTED_LENGTH`, in bytes. */
  length: number;
  /** As `EXTRA.QUOTED_WINDOW_TTL_TOS`; the window is 0 if it was not quoted. */
  windowTtlTos: number;
}

/**
 * Makes the ICMP row `error` quote the packet `offending`: sets `QUOTES`, the `QUOTED_*` words and `LENGTH` (28 bytes for
 * IPv4, 48 for IPv6: the header and 8 bytes of transport). Type, code, addresses and TTL stay the caller's.
 */
export function quotePacket(pool: PacketPool, error: number, offending: number, ipv6: boolean): void {
  const extra = pool.extraOf(error) * EXTRA.STRIDE;
  const words = pool.rows.words;
  const extras = pool.extras.words;
  const from = offending * PACKET.STRIDE;
  const to = error * PACKET.STRIDE;
  const control = words[from + PACKET.CONTROL];
  extras[extra + EXTRA.QUOTED_SRC] = words[from + PACKET.SRC];
  extras[extra + EXTRA.QUOTED_DST] = words[from + PACKET.DST];
  extras[extra + EXTRA.QUOTED_PORTS] = words[from + PACKET.PORTS];
  extras[extra + EXTRA.QUOTED_SEQ] = words[from + PACKET.SEQ];
  extras[extra + EXTRA.QUOTED_CONTROL] = control & QUOTED_CONTROL_MASK;
  extras[extra + EXTRA.QUOTED_LENGTH] = words[from + PACKET.LENGTH];
  extras[extra + EXTRA.QUOTED_WINDOW_TTL_TOS] = words[from + PACKET.WINDOW_TTL_TOS];
  words[to + PACKET.CONTROL] |= CONTROL.QUOTES;
  words[to + PACKET.LENGTH] = ipv6 ? IPV6_QUOTE_BYTES : IPV4_QUOTE_BYTES;
}

/** Bytes of TCP options that the option flags of a quoted packet stand for (its SACK blocks are not known). */
function quotedOptionBytes(control: number): number {
  let bytes = 0;
  if (control & CONTROL.HAS_MSS) bytes += 4;
  if (control & CONTROL.HAS_WINDOW_SCALE) bytes += 4;
  if (control & CONTROL.HAS_TIMESTAMPS) bytes += 12;
  else if (control & CONTROL.HAS_SACK_PERMITTED) bytes += 4;
  return bytes;
}

/** Bytes of the transport header of a quoted packet; 0 for protocols that a row cannot hold. */
export function quotedHeaderBytes(control: number): number {
  const protocol = control >>> CONTROL.PROTOCOL_SHIFT;
  if (protocol === PROTOCOL.TCP) return 20 + quotedOptionBytes(control);
  if (protocol === PROTOCOL.UDP || protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6) return 8;
  return 0;
}

/** Room for the longest headers of a quote: IPv6 and TCP with every option. */
const scratch = new Uint8Array(40 + 60);

/**
 * Writes the quote of the ICMP row whose extra row is `extra`: exactly `length` bytes at `at`.
 * Throws `RangeError` if `length` does not cover the IP header and 8 bytes, or if the quote does not fit.
 */
export function writeQuote(
  pool: PacketPool,
  addresses: AddressTable,
  extra: number,
  length: number,
  into: Uint8Array,
  at: number,
): void {
  requireRoom(into, at, length);
  const extras = pool.extras.words;
  const offset = extra * EXTRA.STRIDE;
  const control = extras[offset + EXTRA.QUOTED_CONTROL];
  const wtt = extras[offset + EXTRA.QUOTED_WINDOW_TTL_TOS];
  const sequence = extras[offset + EXTRA.QUOTED_SEQ];
  const protocol = control >>> CONTROL.PROTOCOL_SHIFT;
  const headerBytes = quotedHeaderBytes(control);
  const transportBytes = headerBytes + extras[offset + EXTRA.QUOTED_LENGTH];
  scratch.fill(0);
  const ipBytes = writeIpHeader(
    addresses,
    {
      source: extras[offset + EXTRA.QUOTED_SRC],
      destination: extras[offset + EXTRA.QUOTED_DST],
      protocol,
      ttlTos: wtt,
      dontFragment: (control & CONTROL.DONT_FRAGMENT) !== 0,
    },
    transportBytes,
    scratch,
    0,
  );
  if (length < ipBytes + QUOTED_TRANSPORT_BYTES) {
    throw new RangeError(`An ICMP error quotes at least ${ipBytes + QUOTED_TRANSPORT_BYTES} bytes, not ${length}.`);
  }
  const ports = extras[offset + EXTRA.QUOTED_PORTS];
  let position = 0;
  if (protocol === PROTOCOL.TCP) {
    writeU32(scratch, ipBytes, ports);
    writeU32(scratch, ipBytes + 4, sequence);
    writeU16(scratch, ipBytes + 12, headerBytes << 10 | control & CONTROL.FLAGS_MASK);
    writeU16(scratch, ipBytes + 14, wtt >>> 16);
    scratch.fill(1, ipBytes + 20, ipBytes + headerBytes);
    position = sequence + (control & TCP_FLAG.SYN ? 1 : 0);
  } else if (protocol === PROTOCOL.UDP) {
    writeU32(scratch, ipBytes, ports);
    writeU16(scratch, ipBytes + 4, transportBytes);
  } else if (headerBytes === 8) {
    writeU16(scratch, ipBytes, ports >>> 16);
    writeU32(scratch, ipBytes + 4, sequence);
  }
  const headers = Math.min(length, ipBytes + headerBytes);
  into.set(scratch.subarray(0, headers), at);
  fillVirtual(into, at + headers, length - headers, position);
}

/**
 * What the quote in the bytes from `at` up to `end` says. Its checksums are not verified: routers leave them stale, and
 * the error's own covers them. `end - at` is what `LENGTH` holds.
 */
export function decodeQuote(bytes: Uint8Array, at: number, end: number, ipv6: boolean): Quote | WireError {
  return ipv6 ? decodeQuote6(bytes, at, end) : decodeQuote4(bytes, at, end);
}

function decodeQuote4(bytes: Uint8Array, at: number, end: number): Quote | WireError {
  const ip = decodeIpv4(bytes, at, end, { verifyChecksum: false });
  if (isWireError(ip)) return ip;
  if (ip.fragmentOffset !== 0) {
    return wireError("icmp", "fragment", "The quoted packet is a fragment without its transport header.");
  }
  const headerBytes = ipv4HeaderBytes(ip);
  const quote: Quote = {
    source: ip.source,
    destination: ip.destination,
    ports: 0,
    sequence: 0,
    control: ip.protocol << CONTROL.PROTOCOL_SHIFT | (ip.dontFragment ? CONTROL.DONT_FRAGMENT : 0),
    length: ip.totalLength - headerBytes,
    windowTtlTos: ip.ttl << 8 | ip.trafficClass,
  };
  return decodeQuotedTransport(quote, bytes, at + headerBytes, end);
}

function decodeQuote6(bytes: Uint8Array, at: number, end: number): Quote | WireError {
  const ip = decodeIpv6(bytes, at, end);
  if (isWireError(ip)) return ip;
  const quote: Quote = {
    source: ip.source,
    destination: ip.destination,
    ports: 0,
    sequence: 0,
    control: ip.nextHeader << CONTROL.PROTOCOL_SHIFT,
    length: ip.payloadLength,
    windowTtlTos: ip.hopLimit << 8 | ip.trafficClass,
  };
  return decodeQuotedTransport(quote, bytes, at + 40, end);
}

/** Completes `quote`, whose `length` counts the transport header yet, from the transport header at `at`. */
function decodeQuotedTransport(quote: Quote, bytes: Uint8Array, at: number, end: number): Quote | WireError {
  if (end - at < QUOTED_TRANSPORT_BYTES) {
    return wireError("icmp", "truncated", `An ICMP error quotes at least 8 bytes of transport; there are ${end - at}.`);
  }
  const protocol = quote.control >>> CONTROL.PROTOCOL_SHIFT;
  let headerBytes = quotedHeaderBytes(quote.control);
  if (protocol === PROTOCOL.TCP) {
    quote.ports = readI32(bytes, at);
    quote.sequence = readI32(bytes, at + 4);
    if (end - at >= 20) {
      headerBytes = Math.max(20, tcpDataOffset(bytes, at));
      quote.control |= readU16(bytes, at + 12) & CONTROL.FLAGS_MASK;
      quote.windowTtlTos |= readU16(bytes, at + 14) << 16;
    }
  } else if (protocol === PROTOCOL.UDP) {
    quote.ports = readI32(bytes, at);
  } else if (headerBytes === 8) {
    quote.ports = readU16(bytes, at) << 16;
    quote.sequence = readI32(bytes, at + 4);
  }
  quote.length = Math.max(0, quote.length - headerBytes);
  return quote;
}
