/**
 * A packet of the wire taken apart, for comparing and printing: what a script can say of it.
 *
 * @module
 */
import { isWireError } from "../wire/error.ts";
import { decodeIpv4, ipv4HeaderBytes } from "../wire/ipv4.ts";
import { decodeIpv6, IPV6_HEADER_BYTES } from "../wire/ipv6.ts";
import { PROTOCOL } from "../wire/packet.ts";
import { decodeTcp, type TcpHeader, tcpHeaderBytes } from "../wire/tcp.ts";
import type { LivePacket } from "./host.ts";

/** A TCP segment that the host sent. */
export interface Segment {
  /** When it was sent, ns since the run began. */
  timeNs: number;
  /** The header; its numbers are the wire's, or the script's once translated. */
  tcp: TcpHeader;
  /** Payload bytes. */
  length: number;
  /** Bytes of the TCP header. */
  headerBytes: number;
  /** Traffic class (TOS). */
  trafficClass: number;
  ttl: number;
  /** IPv6's flow label, 0 for IPv4. */
  flowLabel: number;
}

/** The TCP segment in a packet; null if it holds none. */
export function segmentOf(packet: LivePacket): Segment | null {
  const { bytes, timeNs } = packet;
  if (bytes[0] >>> 4 === 6) {
    const ip = decodeIpv6(bytes);
    if (isWireError(ip) || ip.nextHeader !== PROTOCOL.TCP) return null;
    return decoded(timeNs, bytes, IPV6_HEADER_BYTES, ip.trafficClass, ip.hopLimit, ip.flowLabel);
  }
  const ip = decodeIpv4(bytes);
  if (isWireError(ip) || ip.protocol !== PROTOCOL.TCP) return null;
  return decoded(timeNs, bytes, ipv4HeaderBytes(ip), ip.trafficClass, ip.ttl, 0);
}

function decoded(
  timeNs: number,
  bytes: Uint8Array,
  at: number,
  trafficClass: number,
  ttl: number,
  flowLabel: number,
): Segment | null {
  const tcp = decodeTcp(bytes, at);
  if (isWireError(tcp)) return null;
  const headerBytes = tcpHeaderBytes(tcp);
  return { timeNs, tcp, headerBytes, length: bytes.length - at - headerBytes, trafficClass, ttl, flowLabel };
}
