/**
 * From a packet row to the bytes that a real link would carry.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { requireRoom, writeU16, writeU32 } from "./bytes.ts";
import { internetChecksum, onesSum } from "./checksum.ts";
import {
  CONTROL,
  EXTRA,
  FAST_OPEN_EXPERIMENTAL,
  fastOpenBytesSent,
  PACKET,
  packetBytes,
  type PacketPool,
  PROTOCOL,
  sackBlocksSent,
  TCP_FLAG,
  tcpOptionBytes,
} from "./packet.ts";
import { fillVirtual } from "./payload.ts";
import { writeIpHeader } from "./row_ip.ts";
import { writeQuote } from "./row_quote.ts";
import { FAST_OPEN_MAGIC, TCP_OPTION } from "./tcp_options.ts";

const { HAS_TIMESTAMPS, HAS_MSS, HAS_WINDOW_SCALE, HAS_SACK_PERMITTED, HAS_SACK, HAS_FAST_OPEN } = CONTROL;
const { TCP, UDP, ICMP, ICMPV6 } = PROTOCOL;

/**
 * Writes packet `p` from its IP header on at the start of `into`, checksums right, and returns its bytes, which are
 * `packetBytes(pool, p, ipv6)`. A `CORRUPT` bit is flipped last, so that the checksum that covers it fails; its position
 * counts from the most significant bit of the first byte and wraps at the packet's end.
 *
 * Not on the wire: `LINK`, `LINK_SEQ`, `HASH`, and for IPv6 `DONT_FRAGMENT` (IPv6 routers never fragment).
 *
 * Throws `RangeError` if the packet does not fit into `into` or into IP's 16-bit length, or if its row cannot stand on a
 * wire: addresses of two families, a protocol outside `PROTOCOL` or of the other family.
 */
export function encodePacket(pool: PacketPool, addresses: AddressTable, p: number, into: Uint8Array): number {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const source = words[row + PACKET.SRC];
  const destination = words[row + PACKET.DST];
  const control = words[row + PACKET.CONTROL];
  const protocol = control >>> CONTROL.PROTOCOL_SHIFT;
  const ipv6 = addresses.isIpv6(source);
  if (addresses.isIpv6(destination) !== ipv6) {
    throw new RangeError(`Packet ${p} has a source and a destination of different address families.`);
  }
  if (protocol !== TCP && protocol !== UDP && protocol !== (ipv6 ? ICMPV6 : ICMP)) {
    throw new RangeError(`Packet ${p} has protocol ${protocol}, which IPv${ipv6 ? 6 : 4} rows do not carry.`);
  }
  const total = packetBytes(pool, p, ipv6);
  requireRoom(into, 0, total);
  const ipBytes = ipv6 ? 40 : 20;
  const transportBytes = total - ipBytes;
  if ((ipv6 ? transportBytes : total) > 0xffff) {
    throw new RangeError(`Packet ${p} of ${total} bytes is longer than an IPv${ipv6 ? 6 : 4} packet can be.`);
  }
  const ttlTos = words[row + PACKET.WINDOW_TTL_TOS] & 0xffff;
  const dontFragment = (control & CONTROL.DONT_FRAGMENT) !== 0;
  writeIpHeader(addresses, { source, destination, protocol, ttlTos, dontFragment }, transportBytes, into, 0);
  const pseudo = protocol === ICMP ? 0 : onesSum(into, ipv6 ? 8 : 12, ipv6 ? 32 : 8, protocol + transportBytes);
  if (protocol === TCP) {
    writeTcp(pool, p, into, ipBytes);
    writeU16(into, ipBytes + 16, internetChecksum(into, ipBytes, transportBytes, pseudo));
  } else if (protocol === UDP) {
    writeUdp(pool, p, into, ipBytes, transportBytes);
    // A computed 0 is sent as its other representation: 0 on the wire means no checksum (RFC 768).
    writeU16(into, ipBytes + 6, internetChecksum(into, ipBytes, transportBytes, pseudo) || 0xffff);
  } else {
    writeIcmp(pool, addresses, p, into, ipBytes);
    writeU16(into, ipBytes + 2, internetChecksum(into, ipBytes, transportBytes, pseudo));
  }
  const corrupt = words[row + PACKET.CORRUPT];
  if (corrupt !== 0) {
    const bit = (corrupt - 1 >>> 0) % (total * 8);
    into[bit >>> 3] ^= 0x80 >>> (bit & 7);
  }
  return total;
}

function writeTcp(pool: PacketPool, p: number, into: Uint8Array, at: number): void {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const control = words[row + PACKET.CONTROL];
  const extra = words[row + PACKET.EXTRA];
  const sequence = words[row + PACKET.SEQ];
  const headerBytes = 20 + tcpOptionBytes(pool, p);
  writeU32(into, at, words[row + PACKET.PORTS]);
  writeU32(into, at + 4, sequence);
  writeU32(into, at + 8, words[row + PACKET.ACK]);
  writeU16(into, at + 12, headerBytes << 10 | control & CONTROL.FLAGS_MASK);
  writeU16(into, at + 14, words[row + PACKET.WINDOW_TTL_TOS] >>> 16);
  writeU16(into, at + 16, 0);
  writeU16(into, at + 18, extra === 0 ? 0 : pool.extras.words[extra * EXTRA.STRIDE + EXTRA.URGENT]);
  writeTcpOptions(pool, p, into, at + 20);
  writePayload(pool, p, into, at + headerBytes, sequence + (control & TCP_FLAG.SYN ? 1 : 0));
}

/**
 * The options in Linux's order (`tcp_options_write`): MSS, SACK-permitted with timestamps, window scale, SACK, Fast
 * Open.
 */
function writeTcpOptions(pool: PacketPool, p: number, into: Uint8Array, start: number): void {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const control = words[row + PACKET.CONTROL];
  const synOptions = words[row + PACKET.SYN_OPTIONS];
  let at = start;
  if (control & HAS_MSS) {
    writeU32(into, at, 0x0204_0000 | synOptions & 0xffff);
    at += 4;
  }
  if (control & HAS_TIMESTAMPS) {
    // SACK-permitted takes the place of the two bytes of padding.
    writeU32(into, at, control & HAS_SACK_PERMITTED ? 0x0402_080a : 0x0101_080a);
    writeU32(into, at + 4, words[row + PACKET.TS_VAL]);
    writeU32(into, at + 8, words[row + PACKET.TS_ECR]);
    at += 12;
  } else if (control & HAS_SACK_PERMITTED) {
    writeU32(into, at, 0x0101_0402);
    at += 4;
  }
  if (control & HAS_WINDOW_SCALE) {
    writeU32(into, at, 0x0103_0300 | synOptions >>> 16 & 0xff);
    at += 4;
  }
  const blocks = control & HAS_SACK ? sackBlocksSent(pool, p, at - start) : 0;
  if (blocks > 0) {
    const extras = pool.extras.words;
    const sack = words[row + PACKET.EXTRA] * EXTRA.STRIDE + EXTRA.SACK;
    writeU32(into, at, 0x0101_0500 | 2 + 8 * blocks);
    for (let i = 0; i < 2 * blocks; i++) writeU32(into, at + 4 + 4 * i, extras[sack + i]);
  } else if (control & HAS_FAST_OPEN) writeFastOpen(pool, p, into, at, fastOpenBytesSent(pool, p, at - start));
}

/** RFC 7413 4.1.1, or the experimental format before it (RFC 6994); two NOPs pad it. */
function writeFastOpen(pool: PacketPool, p: number, into: Uint8Array, start: number, bytes: number): void {
  if (bytes === 0) return;
  const extras = pool.extras.words;
  const extra = pool.rows.words[p * PACKET.STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
  const option = extras[extra + EXTRA.FAST_OPEN];
  const length = option & 0xff;
  let at = start;
  if (option & FAST_OPEN_EXPERIMENTAL) {
    writeU32(into, at, TCP_OPTION.EXPERIMENTAL << 24 | (4 + length) << 16 | FAST_OPEN_MAGIC);
    at += 4;
  } else {
    writeU16(into, at, TCP_OPTION.FAST_OPEN << 8 | (2 + length));
    at += 2;
  }
  for (let i = 0; i < length; i++) {
    into[at++] = extras[extra + EXTRA.FAST_OPEN_COOKIE + (i >> 2)] >>> (24 - 8 * (i & 3));
  }
  into.fill(TCP_OPTION.NOP, at, start + bytes);
}

function writeUdp(pool: PacketPool, p: number, into: Uint8Array, at: number, length: number): void {
  writeU32(into, at, pool.rows.words[p * PACKET.STRIDE + PACKET.PORTS]);
  writeU16(into, at + 4, length);
  writeU16(into, at + 6, 0);
  writePayload(pool, p, into, at + 8, 0);
}

function writeIcmp(pool: PacketPool, addresses: AddressTable, p: number, into: Uint8Array, at: number): void {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  writeU16(into, at, words[row + PACKET.PORTS] >>> 16);
  writeU16(into, at + 2, 0);
  writeU32(into, at + 4, words[row + PACKET.SEQ]);
  if (words[row + PACKET.CONTROL] & CONTROL.QUOTES) {
    writeQuote(pool, addresses, words[row + PACKET.EXTRA], words[row + PACKET.LENGTH], into, at + 8);
  } else {
    writePayload(pool, p, into, at + 8, 0);
  }
}

/** Writes a packet's `LENGTH` payload bytes: the real ones, or the virtual ones of the positions from `position` on. */
function writePayload(pool: PacketPool, p: number, into: Uint8Array, at: number, position: number): void {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const length = words[row + PACKET.LENGTH];
  if (words[row + PACKET.CONTROL] & CONTROL.REAL_PAYLOAD) {
    const handle = pool.extras.words[words[row + PACKET.EXTRA] * EXTRA.STRIDE + EXTRA.PAYLOAD];
    const bytes = pool.payloads.get(handle);
    if (bytes.length < length) throw new RangeError(`Packet ${p} has ${bytes.length} of its ${length} payload bytes.`);
    into.set(bytes.subarray(0, length), at);
  } else {
    fillVirtual(into, at, length, position);
  }
}
