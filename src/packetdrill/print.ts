/**
 * Packets and times in packetdrill's notation.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { optionText, wireOption } from "./option_bytes.ts";
import type { IcmpBody, PacketAction, TcpBody } from "./script.ts";
import type { Segment } from "./segment.ts";

const LETTERS: readonly (readonly [number, string])[] = [
  [TCP_FLAG.FIN, "F"],
  [TCP_FLAG.SYN, "S"],
  [TCP_FLAG.RST, "R"],
  [TCP_FLAG.PSH, "P"],
  [TCP_FLAG.ACK, "."],
  [TCP_FLAG.URG, "U"],
];

const ECN_LETTERS: readonly (readonly [number, string])[] = [
  [TCP_FLAG.ECE, "E"],
  [TCP_FLAG.CWR, "W"],
  [TCP_FLAG.AE, "A"],
];

/** The three bits that count CE marks for accurate ECN (RFC 9768): AE, CWR, ECE. */
export function aceOf(flags: number): number {
  return ((flags & TCP_FLAG.AE) !== 0 ? 4 : 0) | ((flags & TCP_FLAG.CWR) !== 0 ? 2 : 0) |
    ((flags & TCP_FLAG.ECE) !== 0 ? 1 : 0);
}

/** Flags as scripts write them: `S`, `P.`, `.5`, `-` for none. */
export function flagsText(flags: number, asAce = false): string {
  const plain = LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter).join("");
  if (asAce) return `${plain}${aceOf(flags)}`;
  return plain + ECN_LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter).join("") || "-";
}

/** Seconds with six digits, as packetdrill prints times. */
export function seconds(ns: number): string {
  return (ns / 1e9).toFixed(6);
}

const ECN_NAMES = ["noecn", "ect1", "ect0", "ce"];

/** A segment that the host sent, its header already in the script's numbers. `like`: what the script expected. */
export function segmentText(segment: Segment, like?: PacketAction): string {
  const { tcp, length, trafficClass, ttl } = segment;
  const body = like?.body.kind === "tcp" ? like.body : undefined;
  const parts: string[] = [];
  if (like !== undefined) {
    const { ecn, tos } = like.ip;
    if (ecn !== null) parts.push(`[${ECN_NAMES[trafficClass & 3]}]`);
    else if (tos !== null) parts.push(`[tos 0x${trafficClass.toString(16).padStart(2, "0")}]`);
    if (like.ip.ttl !== null) parts.push(`[ttl ${ttl}]`);
  }
  parts.push(flagsText(tcp.flags, body !== undefined && body.ace !== null));
  parts.push(`${tcp.sequence}:${(tcp.sequence + length) >>> 0}(${length})`);
  if ((tcp.flags & TCP_FLAG.ACK) !== 0) parts.push(`ack ${tcp.acknowledgement}`);
  if (body === undefined || body.window !== null) parts.push(`win ${tcp.window}`);
  if (tcp.urgent !== 0) parts.push(`urg ${tcp.urgent}`);
  if (tcp.options.length > 0) parts.push(`<${tcp.options.map(optionText).join(",")}>`);
  return parts.join(" ");
}

/** A packet of the script. */
export function packetText(packet: PacketAction): string {
  const { ip, body } = packet;
  const parts: string[] = [];
  if (ip.ecn !== null) parts.push(`[${ip.ecn}]`);
  else if (ip.tos !== null) parts.push(`[tos 0x${ip.tos.toString(16).padStart(2, "0")}]`);
  if (ip.ttl !== null) parts.push(`[ttl ${ip.ttl}]`);
  if (body.kind === "udp") parts.push(`udp (${body.length})`);
  else if (body.kind === "icmp") parts.push(icmpText(body));
  else parts.push(tcpText(body));
  return parts.join(" ");
}

function icmpText(body: IcmpBody): string {
  const mtu = body.mtu === null ? "" : ` mtu ${body.mtu}`;
  return `icmp type_${body.type} code_${body.code}${mtu}`;
}

function tcpText(body: TcpBody): string {
  const parts = [
    flagsText(body.flags, body.ace !== null),
    `${body.seq}:${body.end}(${body.length})`,
  ];
  if (body.ack !== null) parts.push(`ack ${body.ack}`);
  if (body.window !== null) parts.push(`win ${body.window}`);
  if (body.urgent !== null) parts.push(`urg ${body.urgent}`);
  if (body.options === "any") parts.push("<...>");
  else if (body.options.length > 0) parts.push(`<${body.options.map((o) => optionText(wireOption(o))).join(",")}>`);
  return parts.join(" ");
}
