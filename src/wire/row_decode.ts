/**
 * From the bytes that a link carried to a packet row.
 *
 * @module
 */
import type { AddressTable, IpAddress } from "../base/address.ts";
import { readI32 } from "./bytes.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import { isWireError, type WireError, wireError } from "./error.ts";
import { decodeIcmp, isIcmpError } from "./icmp.ts";
import { decodeIcmpv6, isIcmpv6Error } from "./icmpv6.ts";
import { decodeIpv4, ipv4HeaderBytes } from "./ipv4.ts";
import { decodeIpv6 } from "./ipv6.ts";
import { CONTROL, EXTRA, FAST_OPEN_EXPERIMENTAL, PACKET, type PacketPool, PROTOCOL, TCP_FLAG } from "./packet.ts";
import { isVirtual } from "./payload.ts";
import { decodeQuote, type Quote } from "./row_quote.ts";
import { decodeTcp, tcpDataOffset, type TcpHeader } from "./tcp.ts";
import { decodeUdp } from "./udp.ts";

/** Options of {@linkcode decodePacket}. */
export interface DecodePacketOptions {
  /** Refuse wrong checksums. Default true; false for captures made before a network card filled them in. */
  verifyChecksums?: boolean;
  /**
   * Hold the row's addresses by count (`AddressTable.internCounted`) instead of interning them for good: the caller
   * releases `SRC`, `DST` and, of a quote, `QUOTED_SRC` and `QUOTED_DST`. For traffic from outside. Default false.
   */
  countAddresses?: boolean;
}

/** A datagram whose IP header has been read and whose lengths hold. */
interface Datagram {
  bytes: Uint8Array;
  /** Where the transport header begins. */
  at: number;
  /** Where the datagram ends: what follows, as an Ethernet frame's padding, is not part of it. */
  end: number;
  ipv6: boolean;
  protocol: number;
  source: IpAddress;
  destination: IpAddress;
  dontFragment: boolean;
  ttlTos: number;
}

/** A row before it is allocated: nothing is taken from a pool or interned for bytes that are refused. */
interface RowDraft {
  ports: number;
  sequence: number;
  /** Where the payload begins. */
  payloadAt: number;
  /** Stream position of the first payload byte. */
  position: number;
  tcp?: TcpHeader;
  quote?: Quote;
}

/**
 * A new packet row with the content of `bytes`, which begin with an IP header; or why they are refused, in which case
 * nothing is allocated and no address interned. Verifies versions, lengths and checksums.
 *
 * Addresses that the table does not know are interned. A payload equal to the `virtualByte` pattern becomes virtual,
 * another becomes `REAL_PAYLOAD` (copied). A row has no place for IPv4's identification and options, IPv6's flow label, TCP's
 * reserved bits and unknown options: they are accepted and dropped. Fragments, IPv6 extension headers and other protocols
 * are refused.
 */
export function decodePacket(
  pool: PacketPool,
  addresses: AddressTable,
  bytes: Uint8Array,
  options: DecodePacketOptions = {},
): number | WireError {
  const verify = options.verifyChecksums !== false;
  const datagram = decodeDatagram(bytes, verify);
  if (isWireError(datagram)) return datagram;
  const draft = decodeTransport(datagram, verify);
  if (isWireError(draft)) return draft;
  return fillRow(pool, addresses, datagram, draft, options.countAddresses === true);
}

function decodeDatagram(bytes: Uint8Array, verify: boolean): Datagram | WireError {
  if (bytes.length === 0) return wireError("ip", "truncated", "There are no bytes.");
  const version = bytes[0] >>> 4;
  if (version === 4) return decodeDatagram4(bytes, verify);
  if (version === 6) return decodeDatagram6(bytes);
  return wireError("ip", "version", `The IP version is ${version}, neither 4 nor 6.`);
}

function decodeDatagram4(bytes: Uint8Array, verify: boolean): Datagram | WireError {
  const ip = decodeIpv4(bytes, 0, bytes.length, { verifyChecksum: verify });
  if (isWireError(ip)) return ip;
  if (ip.totalLength > bytes.length) {
    return wireError("ipv4", "truncated", `The IPv4 packet has ${ip.totalLength} bytes; there are ${bytes.length}.`);
  }
  if (ip.moreFragments || ip.fragmentOffset !== 0) {
    return wireError("ipv4", "fragment", "The IPv4 packet is a fragment, which a packet row cannot hold.");
  }
  return {
    bytes,
    at: ipv4HeaderBytes(ip),
    end: ip.totalLength,
    ipv6: false,
    protocol: ip.protocol,
    source: ip.source,
    destination: ip.destination,
    dontFragment: ip.dontFragment,
    ttlTos: ip.ttl << 8 | ip.trafficClass,
  };
}

function decodeDatagram6(bytes: Uint8Array): Datagram | WireError {
  const ip = decodeIpv6(bytes);
  if (isWireError(ip)) return ip;
  const end = 40 + ip.payloadLength;
  if (end > bytes.length) {
    return wireError("ipv6", "truncated", `The IPv6 packet has ${end} bytes; there are ${bytes.length}.`);
  }
  return {
    bytes,
    at: 40,
    end,
    ipv6: true,
    protocol: ip.nextHeader,
    source: ip.source,
    destination: ip.destination,
    dontFragment: false,
    ttlTos: ip.hopLimit << 8 | ip.trafficClass,
  };
}

function decodeTransport(datagram: Datagram, verify: boolean): RowDraft | WireError {
  const { protocol, ipv6 } = datagram;
  if (protocol === PROTOCOL.TCP) return decodeTcpDraft(datagram, verify);
  if (protocol === PROTOCOL.UDP) return decodeUdpDraft(datagram, verify);
  if (protocol === (ipv6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP)) return decodeIcmpDraft(datagram, verify);
  const layer = ipv6 ? "ipv6" : "ipv4";
  return wireError(
    layer,
    "unsupported",
    `A packet row cannot hold protocol ${protocol} over ${ipv6 ? "IPv6" : "IPv4"}.`,
  );
}

function checksumHolds({ bytes, at, end, source, destination, protocol }: Datagram): boolean {
  const pseudo = protocol === PROTOCOL.ICMP ? 0 : pseudoHeaderSum(source, destination, protocol, end - at);
  return internetChecksum(bytes, at, end - at, pseudo) === 0;
}

function decodeTcpDraft(datagram: Datagram, verify: boolean): RowDraft | WireError {
  const { bytes, at, end } = datagram;
  const tcp = decodeTcp(bytes, at, end);
  if (isWireError(tcp)) return tcp;
  if (verify && !checksumHolds(datagram)) return wireError("tcp", "checksum", "The TCP checksum is wrong.");
  return {
    ports: readI32(bytes, at),
    sequence: tcp.sequence | 0,
    payloadAt: at + tcpDataOffset(bytes, at),
    position: tcp.sequence + (tcp.flags & TCP_FLAG.SYN ? 1 : 0),
    tcp,
  };
}

function decodeUdpDraft(datagram: Datagram, verify: boolean): RowDraft | WireError {
  const { bytes, at, end, ipv6 } = datagram;
  const udp = decodeUdp(bytes, at, end);
  if (isWireError(udp)) return udp;
  if (udp.length !== end - at) {
    return wireError("udp", "length", `The UDP length is ${udp.length}, the datagram's ${end - at}.`);
  }
  if (verify && udp.checksum === 0 && ipv6) {
    return wireError("udp", "checksum", "UDP over IPv6 needs a checksum (RFC 8200 section 8.1).");
  }
  if (verify && udp.checksum !== 0 && !checksumHolds(datagram)) {
    return wireError("udp", "checksum", "The UDP checksum is wrong.");
  }
  return { ports: readI32(bytes, at), sequence: 0, payloadAt: at + 8, position: 0 };
}

function decodeIcmpDraft(datagram: Datagram, verify: boolean): RowDraft | WireError {
  const { bytes, at, end, ipv6 } = datagram;
  const icmp = ipv6 ? decodeIcmpv6(bytes, at, end) : decodeIcmp(bytes, at, end);
  if (isWireError(icmp)) return icmp;
  if (verify && !checksumHolds(datagram)) {
    return wireError(ipv6 ? "icmpv6" : "icmp", "checksum", `The ICMP${ipv6 ? "v6" : ""} checksum is wrong.`);
  }
  const draft: RowDraft = {
    ports: icmp.type << 24 | icmp.code << 16,
    sequence: icmp.rest | 0,
    payloadAt: at + 8,
    position: 0,
  };
  if (ipv6 ? isIcmpv6Error(icmp.type) : isIcmpError(icmp.type)) {
    const quote = decodeQuote(bytes, at + 8, end, ipv6);
    if (isWireError(quote)) return quote;
    draft.quote = quote;
  }
  return draft;
}

function fillRow(
  pool: PacketPool,
  addresses: AddressTable,
  datagram: Datagram,
  draft: RowDraft,
  counted: boolean,
): number {
  const p = pool.allocate();
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const { bytes, end } = datagram;
  const { payloadAt, tcp, quote } = draft;
  let control = datagram.protocol << CONTROL.PROTOCOL_SHIFT | (datagram.dontFragment ? CONTROL.DONT_FRAGMENT : 0);
  words[row + PACKET.SRC] = idOf(addresses, datagram.source, counted);
  words[row + PACKET.DST] = idOf(addresses, datagram.destination, counted);
  words[row + PACKET.PORTS] = draft.ports;
  words[row + PACKET.SEQ] = draft.sequence;
  words[row + PACKET.WINDOW_TTL_TOS] = datagram.ttlTos;
  words[row + PACKET.LENGTH] = end - payloadAt;
  if (tcp !== undefined) control |= fillTcp(pool, p, tcp);
  if (quote !== undefined) {
    control |= CONTROL.QUOTES;
    fillQuote(pool, addresses, p, quote, counted);
  } else if (!isVirtual(bytes, payloadAt, end - payloadAt, draft.position)) {
    control |= CONTROL.REAL_PAYLOAD;
    const extra = pool.extraOf(p) * EXTRA.STRIDE;
    pool.extras.words[extra + EXTRA.PAYLOAD] = pool.payloads.put(bytes.slice(payloadAt, end));
  }
  words[row + PACKET.CONTROL] = control;
  return p;
}

function idOf(addresses: AddressTable, address: IpAddress, counted: boolean): number {
  return counted ? addresses.internCounted(address) : addresses.intern(address);
}

/** Fills what only TCP has and returns its bits of `CONTROL`. Of an option given twice the last counts, as in Linux. */
function fillTcp(pool: PacketPool, p: number, tcp: TcpHeader): number {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  let control = tcp.flags;
  let mss = 0;
  let shift = 0;
  words[row + PACKET.ACK] = tcp.acknowledgement | 0;
  words[row + PACKET.WINDOW_TTL_TOS] |= tcp.window << 16;
  if (tcp.urgent !== 0) pool.extras.words[pool.extraOf(p) * EXTRA.STRIDE + EXTRA.URGENT] = tcp.urgent;
  for (const option of tcp.options) {
    switch (option.kind) {
      case "mss":
        control |= CONTROL.HAS_MSS;
        mss = option.value;
        break;
      case "window-scale":
        control |= CONTROL.HAS_WINDOW_SCALE;
        shift = option.shift;
        break;
      case "sack-permitted":
        control |= CONTROL.HAS_SACK_PERMITTED;
        break;
      case "timestamps":
        control |= CONTROL.HAS_TIMESTAMPS;
        words[row + PACKET.TS_VAL] = option.value | 0;
        words[row + PACKET.TS_ECR] = option.echo | 0;
        break;
      case "sack": {
        // A SYN acknowledges nothing by SACK (RFC 2018 section 3).
        if ((tcp.flags & TCP_FLAG.SYN) !== 0 && (control & CONTROL.HAS_FAST_OPEN) !== 0) break;
        control |= CONTROL.HAS_SACK;
        const extra = pool.extraOf(p) * EXTRA.STRIDE;
        const extras = pool.extras.words;
        extras[extra + EXTRA.SACK_COUNT] = option.blocks.length;
        option.blocks.forEach((block, i) => {
          extras[extra + EXTRA.SACK + 2 * i] = block.left | 0;
          extras[extra + EXTRA.SACK + 2 * i + 1] = block.right | 0;
        });
        break;
      }
      case "fast-open":
        // RFC 7413 4.1.1: on a SYN or SYN-ACK only.
        if ((tcp.flags & TCP_FLAG.SYN) === 0) break;
        control = (control & ~CONTROL.HAS_SACK) | CONTROL.HAS_FAST_OPEN;
        fillFastOpen(pool, p, option.cookie, option.experimental);
        break;
    }
  }
  words[row + PACKET.SYN_OPTIONS] = mss | shift << 16;
  return control;
}

function fillFastOpen(pool: PacketPool, p: number, cookie: Uint8Array, experimental: boolean): void {
  const extra = pool.extraOf(p) * EXTRA.STRIDE;
  const extras = pool.extras.words;
  extras[extra + EXTRA.FAST_OPEN] = cookie.length | (experimental ? FAST_OPEN_EXPERIMENTAL : 0);
  extras.fill(0, extra + EXTRA.FAST_OPEN_COOKIE, extra + EXTRA.FAST_OPEN_COOKIE + 4);
  cookie.forEach((byte, i) => extras[extra + EXTRA.FAST_OPEN_COOKIE + (i >> 2)] |= byte << (24 - 8 * (i & 3)));
}

function fillQuote(pool: PacketPool, addresses: AddressTable, p: number, quote: Quote, counted: boolean): void {
  const extra = pool.extraOf(p) * EXTRA.STRIDE;
  const extras = pool.extras.words;
  extras[extra + EXTRA.QUOTED_SRC] = idOf(addresses, quote.source, counted);
  extras[extra + EXTRA.QUOTED_DST] = idOf(addresses, quote.destination, counted);
  extras[extra + EXTRA.QUOTED_PORTS] = quote.ports;
  extras[extra + EXTRA.QUOTED_SEQ] = quote.sequence;
  extras[extra + EXTRA.QUOTED_CONTROL] = quote.control;
  extras[extra + EXTRA.QUOTED_LENGTH] = quote.length;
  extras[extra + EXTRA.QUOTED_WINDOW_TTL_TOS] = quote.windowTtlTos;
}
