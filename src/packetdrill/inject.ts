/**
 * Packets of a script as bytes for the host.
 *
 * @module
 */
import { parseAddress } from "../base/address.ts";
import { internetChecksum, pseudoHeaderSum } from "../wire/checksum.ts";
import { encodeIpv4 } from "../wire/ipv4.ts";
import { encodeIpv6, IPV6_HEADER_BYTES } from "../wire/ipv6.ts";
import { CONTROL, EXTRA, PACKET, packetBytes, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { fillVirtual } from "../wire/payload.ts";
import { encodePacket } from "../wire/row_codec.ts";
import { encodeTcp, type TcpHeader, tcpHeaderBytes } from "../wire/tcp.ts";
import type { RunConfig } from "./config.ts";
import type { Flow } from "./flow.ts";
import type { EmulatedHost } from "./host.ts";
import { wireOption } from "./option_bytes.ts";
import type { IcmpBody, PacketAction, TcpBody } from "./script.ts";

const ECN_BITS = { noecn: 0, ect1: 1, ect0: 2, ect01: 2, ce: 3 } as const;
/** TTL of packets from the peer, where the script does not say. */
const TTL = 255;

/** The traffic class that the script gives a packet. */
function trafficClassOf({ ip }: PacketAction): number {
  return ip.tos ?? (ip.ecn === null ? 0 : ECN_BITS[ip.ecn]);
}

/** The script's TCP segment for the connection, as bytes from the IP header on; a string says why that cannot be. */
export function tcpBytes(packet: PacketAction, body: TcpBody, flow: Flow, config: RunConfig): Uint8Array | string {
  const header = flow.toWire({
    sourcePort: body.ports?.source || flow.remotePort,
    destinationPort: body.ports?.destination || flow.localPort,
    sequence: body.seq >>> 0,
    acknowledgement: (body.ack ?? 0) >>> 0,
    reserved: 0,
    flags: body.ace === null ? body.flags : withAce(body.flags, body.ace),
    window: body.window ?? 0,
    checksum: 0,
    urgent: body.urgent ?? 0,
    options: body.options === "any" ? [] : body.options.map(wireOption),
  });
  for (const option of header.options) {
    if (option.kind !== "timestamps" || (header.flags & TCP_FLAG.ACK) === 0) continue;
    const echo = flow.echoFor(option.echo, config.scaleTimestampEchoes);
    if (echo === undefined) {
      return `the script echoes timestamp ${option.echo}, which no packet that it expected before has carried`;
    }
    option.echo = echo;
  }
  const headerBytes = tcpHeaderBytes(header);
  const total = headerBytes + body.length;
  if (total > 65535 - 40) return `a segment of ${total} bytes does not fit into a packet`;
  const position = header.sequence + ((header.flags & TCP_FLAG.SYN) !== 0 ? 1 : 0);
  return datagram(packet, config, total, (bytes, at) => writeSegment(bytes, at, header, headerBytes, position));
}

function withAce(flags: number, ace: number): number {
  const { AE, CWR, ECE } = TCP_FLAG;
  return (flags & ~(AE | CWR | ECE)) | ((ace & 4) !== 0 ? AE : 0) | ((ace & 2) !== 0 ? CWR : 0) |
    ((ace & 1) !== 0 ? ECE : 0);
}

function writeSegment(bytes: Uint8Array, at: number, header: TcpHeader, headerBytes: number, position: number): void {
  encodeTcp(header, bytes, at);
  fillVirtual(bytes, at + headerBytes, bytes.length - at - headerBytes, position);
}

/** An IP packet from the peer to the host with `length` bytes of TCP, which `write` fills in; checksums are right. */
function datagram(
  packet: PacketAction,
  config: RunConfig,
  length: number,
  write: (bytes: Uint8Array, at: number) => void,
): Uint8Array {
  const source = parseAddress(config.remoteIp)!;
  const destination = parseAddress(config.localIp)!;
  const trafficClass = trafficClassOf(packet);
  const ttl = packet.ip.ttl ?? TTL;
  const v6 = config.ipVersion === "ipv6";
  const at = v6 ? IPV6_HEADER_BYTES : 20;
  const bytes = new Uint8Array(at + length);
  if (v6) {
    const flowLabel = packet.ip.flowLabel ?? 0;
    encodeIpv6(
      { trafficClass, flowLabel, payloadLength: length, nextHeader: PROTOCOL.TCP, hopLimit: ttl, source, destination },
      bytes,
    );
  } else {
    encodeIpv4({
      trafficClass,
      totalLength: at + length,
      identification: 0,
      reservedFlag: false,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl,
      protocol: PROTOCOL.TCP,
      source,
      destination,
      options: new Uint8Array(0),
    }, bytes);
  }
  write(bytes, at);
  const sum = internetChecksum(bytes, at, length, pseudoHeaderSum(source, destination, PROTOCOL.TCP, length));
  bytes[at + 16] = sum >>> 8;
  bytes[at + 17] = sum & 0xff;
  return bytes;
}

/** The script's ICMP error about a segment of the connection, as bytes. */
export function icmpBytes(packet: PacketAction, body: IcmpBody, flow: Flow, host: EmulatedHost): Uint8Array {
  const { packets, addresses } = host;
  const p = packets.allocate();
  const e = packets.extraOf(p) * EXTRA.STRIDE;
  const words = packets.rows.words;
  const quotes = packets.extras.words;
  const o = p * PACKET.STRIDE;
  const protocol = host.ipv6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP;
  words[o + PACKET.SRC] = host.remote;
  words[o + PACKET.DST] = host.local;
  words[o + PACKET.PORTS] = (body.type << 24) | (body.code << 16);
  words[o + PACKET.SEQ] = body.mtu ?? 0;
  words[o + PACKET.CONTROL] = (protocol << CONTROL.PROTOCOL_SHIFT) | CONTROL.QUOTES;
  words[o + PACKET.WINDOW_TTL_TOS] = ((packet.ip.ttl ?? TTL) << 8) | trafficClassOf(packet);
  words[o + PACKET.LENGTH] = host.ipv6 ? 48 : 28;
  const quotedProtocol = body.quoted?.protocol === "udp" ? PROTOCOL.UDP : PROTOCOL.TCP;
  quotes[e + EXTRA.QUOTED_SRC] = host.local;
  quotes[e + EXTRA.QUOTED_DST] = host.remote;
  quotes[e + EXTRA.QUOTED_PORTS] = (flow.localPort << 16) | flow.remotePort;
  quotes[e + EXTRA.QUOTED_SEQ] = ((body.quoted?.seq ?? 0) + flow.localIsn) | 0;
  quotes[e + EXTRA.QUOTED_CONTROL] = quotedProtocol << CONTROL.PROTOCOL_SHIFT;
  quotes[e + EXTRA.QUOTED_LENGTH] = body.quoted?.length ?? 0;
  quotes[e + EXTRA.QUOTED_WINDOW_TTL_TOS] = 64 << 8;
  const bytes = new Uint8Array(packetBytes(packets, p, host.ipv6));
  encodePacket(packets, addresses, p, bytes);
  packets.release(p);
  return bytes;
}
