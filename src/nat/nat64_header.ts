/**
 * IPv4 and IPv6 headers into each other (RFC 7915). Addresses, ports and the hop count are others' business: this is about
 * what the families write differently, which in a row is the protocol number of ICMP, its types, and DF.
 *
 * @module
 */
import { CONTROL, EXTRA, PACKET, packetBytes, type PacketPool, PROTOCOL } from "../wire/packet.ts";
import { quotedHeaderBytes } from "../wire/row_quote.ts";
import { icmpToV4, icmpToV6, REST_MTU } from "./nat64_icmp.ts";

const { PORTS, SEQ, CONTROL: CONTROL_AT, LENGTH, EXTRA: EXTRA_AT, CORRUPT, MASK, STRIDE } = PACKET;
const { QUOTES, DONT_FRAGMENT, PROTOCOL_SHIFT } = CONTROL;
const { QUOTED_CONTROL, QUOTED_PORTS, QUOTED_LENGTH, STRIDE: EXTRA_STRIDE } = EXTRA;
const { ICMP, ICMPV6 } = PROTOCOL;
const PROTOCOL_MASK = 0xff << PROTOCOL_SHIFT;

/** An IPv6 header has so many bytes more than one of IPv4. */
export const HEADER_DIFFERENCE = 20;

/** IPv4 packets of up to so many bytes may be fragmented: IPv6's least MTU less the difference (RFC 7915 5.1). */
const MAY_FRAGMENT_BYTES = 1260;

const IPV4_HEADER_BYTES = 20;

/** Types of echo. */
const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const ECHO_REQUEST_V6 = 128;
const ECHO_REPLY_V6 = 129;

/** The type of an echo of the other family; -1 if it is none. */
function echoToV4(type: number): number {
  return type === ECHO_REQUEST_V6 ? ECHO_REQUEST : type === ECHO_REPLY_V6 ? ECHO_REPLY : -1;
}

function echoToV6(type: number): number {
  return type === ECHO_REQUEST ? ECHO_REQUEST_V6 : type === ECHO_REPLY ? ECHO_REPLY_V6 : -1;
}

/** Makes an IPv6 packet one of IPv4. False if it is of a kind that there is not in IPv4; the row is then as it was. */
export function headerToIpv4(pool: PacketPool, packet: number): boolean {
  const words = pool.rows.words;
  const at = (packet * STRIDE) & MASK;
  let control = words[at + CONTROL_AT] & ~DONT_FRAGMENT;
  if (control >>> PROTOCOL_SHIFT === ICMPV6) {
    const ports = words[at + PORTS];
    if (control & QUOTES) {
      if (!errorToIpv4(pool, at)) return false;
    } else {
      const type = echoToV4(ports >>> 24);
      if (type < 0) return false;
      words[at + PORTS] = (type << 24) | (ports & 0xffffff);
    }
    control = (control & ~PROTOCOL_MASK) | (ICMP << PROTOCOL_SHIFT);
  }
  const bytes = packetBytes(pool, packet, false);
  if (bytes > MAY_FRAGMENT_BYTES) control |= DONT_FRAGMENT;
  words[at + CONTROL_AT] = control;
  // A flipped bit of an address spoils the transport's checksum, which is corrected for the translation alone (RFC 1624).
  const flipped = words[at + CORRUPT] - 8 * HEADER_DIFFERENCE;
  if (words[at + CORRUPT] !== 0) {
    words[at + CORRUPT] = Math.min(8 * bytes, Math.max(8 * IPV4_HEADER_BYTES + 1, flipped));
  }
  return true;
}

/** Makes an IPv4 packet one of IPv6. False if it is of a kind that there is not in IPv6; the row is then as it was. */
export function headerToIpv6(pool: PacketPool, packet: number): boolean {
  const words = pool.rows.words;
  const at = (packet * STRIDE) & MASK;
  let control = words[at + CONTROL_AT] & ~DONT_FRAGMENT;
  if (control >>> PROTOCOL_SHIFT === ICMP) {
    const ports = words[at + PORTS];
    if (control & QUOTES) {
      if (!errorToIpv6(pool, at)) return false;
    } else {
      const type = echoToV6(ports >>> 24);
      if (type < 0) return false;
      words[at + PORTS] = (type << 24) | (ports & 0xffffff);
    }
    control = (control & ~PROTOCOL_MASK) | (ICMPV6 << PROTOCOL_SHIFT);
  }
  words[at + CONTROL_AT] = control;
  // (A gateway drops IPv4 packets whose header is spoilt.)
  if (words[at + CORRUPT] !== 0) words[at + CORRUPT] += 8 * HEADER_DIFFERENCE;
  return true;
}

/** Of an ICMPv6 error (RFC 7915 5.2, 5.3): type, code, MTU or pointer, and the headers that it quotes. */
function errorToIpv4(pool: PacketPool, at: number): boolean {
  const words = pool.rows.words;
  const quote = words[at + EXTRA_AT] * EXTRA_STRIDE;
  const extras = pool.extras.words;
  const error = icmpToV4(words[at + PORTS] >>> 16, words[at + SEQ]);
  if (error < 0) return false;
  const quoted = quotedToIpv4(extras[quote + QUOTED_CONTROL], extras[quote + QUOTED_PORTS]);
  if (quoted < 0) return false;
  const control = extras[quote + QUOTED_CONTROL];
  if (control >>> PROTOCOL_SHIFT === ICMPV6) {
    extras[quote + QUOTED_PORTS] = (quoted << 24) | (extras[quote + QUOTED_PORTS] & 0xffffff);
    extras[quote + QUOTED_CONTROL] = (control & ~PROTOCOL_MASK) | (ICMP << PROTOCOL_SHIFT);
  }
  extras[quote + QUOTED_CONTROL] &= ~DONT_FRAGMENT;
  const bytes = IPV4_HEADER_BYTES + quotedHeaderBytes(control) + extras[quote + QUOTED_LENGTH];
  if (bytes > MAY_FRAGMENT_BYTES) extras[quote + QUOTED_CONTROL] |= DONT_FRAGMENT;
  words[at + PORTS] = error << 16;
  words[at + SEQ] = REST_MTU.value;
  words[at + LENGTH] -= HEADER_DIFFERENCE;
  return true;
}

/** Of an ICMP error (RFC 7915 4.2, 4.3). */
function errorToIpv6(pool: PacketPool, at: number): boolean {
  const words = pool.rows.words;
  const quote = words[at + EXTRA_AT] * EXTRA_STRIDE;
  const extras = pool.extras.words;
  const control = extras[quote + QUOTED_CONTROL];
  const isIcmp = control >>> PROTOCOL_SHIFT === ICMP;
  const type = isIcmp ? echoToV6(extras[quote + QUOTED_PORTS] >>> 24) : 0;
  if (type < 0) return false;
  const error = icmpToV6(words[at + PORTS] >>> 16, words[at + SEQ], extras[quote + QUOTED_LENGTH]);
  if (error < 0) return false;
  if (isIcmp) {
    extras[quote + QUOTED_PORTS] = (type << 24) | (extras[quote + QUOTED_PORTS] & 0xffffff);
    extras[quote + QUOTED_CONTROL] = (control & ~PROTOCOL_MASK) | (ICMPV6 << PROTOCOL_SHIFT);
  }
  extras[quote + QUOTED_CONTROL] &= ~DONT_FRAGMENT;
  words[at + PORTS] = error << 16;
  words[at + SEQ] = REST_MTU.value;
  words[at + LENGTH] += HEADER_DIFFERENCE;
  return true;
}

/** The echo type of a quoted ICMPv6 message as in IPv4, 0 of other protocols; -1 if it has none. */
function quotedToIpv4(control: number, ports: number): number {
  return control >>> PROTOCOL_SHIFT === ICMPV6 ? echoToV4(ports >>> 24) : 0;
}
