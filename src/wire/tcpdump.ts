/**
 * Packet rows as text, in the style of `tcpdump -n -S` (absolute sequence numbers).
 *
 * @module
 */
import { type AddressTable, formatAddress } from "../base/address.ts";
import { ICMP_TYPE, ICMP_UNREACHABLE } from "./icmp.ts";
import { ICMPV6_TYPE, ICMPV6_UNREACHABLE } from "./icmpv6.ts";
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
} from "./packet.ts";

/** Options of {@linkcode formatPacket}. */
export interface FormatPacketOptions {
  /** Begin with the time. Default true. */
  time?: boolean;
  /** Add the IP header's fields, as `tcpdump -v` does, on the same line. Default false. */
  verbose?: boolean;
}

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [TCP_FLAG.FIN, "F"],
  [TCP_FLAG.SYN, "S"],
  [TCP_FLAG.RST, "R"],
  [TCP_FLAG.PSH, "P"],
  [TCP_FLAG.ACK, "."],
  [TCP_FLAG.URG, "U"],
  [TCP_FLAG.ECE, "E"],
  [TCP_FLAG.CWR, "W"],
  [TCP_FLAG.AE, "e"],
];

/**
 * One line for packet `p`, seen at `timeNs` (printed as seconds with nine decimals):
 * `1.234567890 IP 10.0.0.2.32768 > 192.0.2.1.443: Flags [S], seq 123, win 64240, options [mss 1460], length 0`.
 * tcpdump's own line for the packet's bytes is the same (but for the AE flag, `e`, which older ones do not know) where
 * tcpdump finds no application protocol behind the ports.
 *
 * A corrupted packet's fields are those before the corruption; the line ends with ` [bit 321 flipped]`, counted from 0.
 */
export function formatPacket(
  pool: PacketPool,
  addresses: AddressTable,
  p: number,
  timeNs: number,
  options: FormatPacketOptions = {},
): string {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const protocol = words[row + PACKET.CONTROL] >>> CONTROL.PROTOCOL_SHIFT;
  const ports = words[row + PACKET.PORTS];
  const ipv6 = addresses.isIpv6(words[row + PACKET.SRC]);
  let source = addresses.toText(words[row + PACKET.SRC]);
  let destination = addresses.toText(words[row + PACKET.DST]);
  if (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) {
    source += `.${ports >>> 16}`;
    destination += `.${ports & 0xffff}`;
  }
  const time = options.time === false ? "" : `${formatTime(timeNs)} `;
  const header = options.verbose ? ` (${ipFields(pool, p, ipv6)})` : "";
  const corrupt = words[row + PACKET.CORRUPT];
  const flipped = corrupt === 0 ? "" : ` [bit ${(corrupt - 1) >>> 0} flipped]`;
  const body = transportText(pool, addresses, p, protocol, ipv6);
  return `${time}${ipv6 ? "IP6" : "IP"}${header} ${source} > ${destination}: ${body}${flipped}`;
}

/** `timeNs` as seconds with nine decimals, exact. */
function formatTime(timeNs: number): string {
  const seconds = Math.floor(timeNs / 1e9);
  return `${seconds}.${String(timeNs - seconds * 1e9).padStart(9, "0")}`;
}

function ipFields(pool: PacketPool, p: number, ipv6: boolean): string {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const wtt = words[row + PACKET.WINDOW_TTL_TOS];
  const trafficClass = (wtt & 0xff).toString(16);
  const ttl = wtt >>> 8 & 0xff;
  const total = packetBytes(pool, p, ipv6);
  if (ipv6) return `class 0x${trafficClass}, hlim ${ttl}, payload length: ${total - 40}`;
  const flags = words[row + PACKET.CONTROL] & CONTROL.DONT_FRAGMENT ? "DF" : "none";
  return `tos 0x${trafficClass}, ttl ${ttl}, flags [${flags}], length ${total}`;
}

function transportText(
  pool: PacketPool,
  addresses: AddressTable,
  p: number,
  protocol: number,
  ipv6: boolean,
): string {
  const length = pool.rows.words[p * PACKET.STRIDE + PACKET.LENGTH];
  if (protocol === PROTOCOL.TCP) return tcpText(pool, p);
  if (protocol === PROTOCOL.UDP) return `UDP, length ${length}`;
  if (protocol === PROTOCOL.ICMP) return `ICMP ${icmpText(pool, addresses, p)}, length ${length + 8}`;
  if (protocol === PROTOCOL.ICMPV6) return `ICMP6, ${icmpv6Text(pool, addresses, p)}, length ${length + 8}`;
  return `ip-proto-${protocol} ${packetBytes(pool, p, ipv6) - (ipv6 ? 40 : 20)}`;
}

function tcpText(pool: PacketPool, p: number): string {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const control = words[row + PACKET.CONTROL];
  const length = words[row + PACKET.LENGTH];
  const sequence = words[row + PACKET.SEQ] >>> 0;
  const extra = words[row + PACKET.EXTRA];
  let flags = "";
  for (const [bit, letter] of FLAG_LETTERS) if (control & bit) flags += letter;
  let text = `Flags [${flags || "none"}]`;
  if (length > 0) text += `, seq ${sequence}:${sequence + length >>> 0}`;
  else if (control & (TCP_FLAG.SYN | TCP_FLAG.FIN | TCP_FLAG.RST)) text += `, seq ${sequence}`;
  if (control & TCP_FLAG.ACK) text += `, ack ${words[row + PACKET.ACK] >>> 0}`;
  text += `, win ${words[row + PACKET.WINDOW_TTL_TOS] >>> 16}`;
  if (control & TCP_FLAG.URG) {
    text += `, urg ${extra === 0 ? 0 : pool.extras.words[extra * EXTRA.STRIDE + EXTRA.URGENT]}`;
  }
  const options = tcpOptionTexts(pool, p);
  if (options.length > 0) text += `, options [${options.join(",")}]`;
  return `${text}, length ${length}`;
}

/** The options in the order in which `encodePacket` writes them. */
function tcpOptionTexts(pool: PacketPool, p: number): string[] {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const control = words[row + PACKET.CONTROL];
  const synOptions = words[row + PACKET.SYN_OPTIONS];
  const texts: string[] = [];
  let bytes = 0;
  if (control & CONTROL.HAS_MSS) {
    texts.push(`mss ${synOptions & 0xffff}`);
    bytes += 4;
  }
  if (control & CONTROL.HAS_TIMESTAMPS) {
    texts.push(...(control & CONTROL.HAS_SACK_PERMITTED ? ["sackOK"] : ["nop", "nop"]));
    texts.push(`TS val ${words[row + PACKET.TS_VAL] >>> 0} ecr ${words[row + PACKET.TS_ECR] >>> 0}`);
    bytes += 12;
  } else if (control & CONTROL.HAS_SACK_PERMITTED) {
    texts.push("nop", "nop", "sackOK");
    bytes += 4;
  }
  if (control & CONTROL.HAS_WINDOW_SCALE) {
    texts.push("nop", `wscale ${synOptions >>> 16 & 0xff}`);
    bytes += 4;
  }
  const blocks = sackBlocksSent(pool, p, bytes);
  if (blocks > 0) {
    const sack = words[row + PACKET.EXTRA] * EXTRA.STRIDE + EXTRA.SACK;
    const edge = (i: number) => pool.extras.words[sack + i] >>> 0;
    const ranges = Array.from({ length: blocks }, (_, i) => `{${edge(2 * i)}:${edge(2 * i + 1)}}`);
    texts.push("nop", "nop", `sack ${blocks} ${ranges.join("")}`);
  } else if (fastOpenBytesSent(pool, p, bytes) > 0) texts.push(...fastOpenTexts(pool, p));
  return texts;
}

function fastOpenTexts(pool: PacketPool, p: number): string[] {
  const extra = pool.rows.words[p * PACKET.STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
  const option = pool.extras.words[extra + EXTRA.FAST_OPEN];
  const length = option & 0xff;
  const name = option & FAST_OPEN_EXPERIMENTAL ? "exp-tfo" : "tfo";
  let cookie = "";
  for (let i = 0; i < length; i++) {
    const word = pool.extras.words[extra + EXTRA.FAST_OPEN_COOKIE + (i >> 2)];
    cookie += (word >>> (24 - 8 * (i & 3)) & 0xff).toString(16).padStart(2, "0");
  }
  const text = length === 0 ? `${name} cookiereq` : `${name} cookie ${cookie}`;
  return (length + (option & FAST_OPEN_EXPERIMENTAL ? 0 : 2) & 3) === 0 ? [text] : [text, "nop", "nop"];
}

/** What an ICMP error says of the packet that it quotes. */
interface QuoteText {
  destination: string;
  protocol: number;
  /** `tcp port 80`, `udp port 53`, `protocol 47 port 0`. */
  port: string;
}

function quoteText(pool: PacketPool, addresses: AddressTable, p: number): QuoteText {
  const extra = pool.rows.words[p * PACKET.STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
  const extras = pool.extras.words;
  const protocol = extras[extra + EXTRA.QUOTED_CONTROL] >>> CONTROL.PROTOCOL_SHIFT;
  const name = protocol === PROTOCOL.TCP ? "tcp" : protocol === PROTOCOL.UDP ? "udp" : `protocol ${protocol}`;
  return {
    destination: addresses.toText(extras[extra + EXTRA.QUOTED_DST]),
    protocol,
    port: `${name} port ${extras[extra + EXTRA.QUOTED_PORTS] & 0xffff}`,
  };
}

function echoText(kind: string, rest: number): string {
  return `echo ${kind}, id ${rest >>> 16}, seq ${rest & 0xffff}`;
}

function icmpText(pool: PacketPool, addresses: AddressTable, p: number): string {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const type = words[row + PACKET.PORTS] >>> 24;
  const code = words[row + PACKET.PORTS] >>> 16 & 0xff;
  const rest = words[row + PACKET.SEQ];
  if (type === ICMP_TYPE.ECHO) return echoText("request", rest);
  if (type === ICMP_TYPE.ECHO_REPLY) return echoText("reply", rest);
  if ((words[row + PACKET.CONTROL] & CONTROL.QUOTES) === 0) return `type-#${type}`;
  const quote = quoteText(pool, addresses, p);
  if (type === ICMP_TYPE.UNREACHABLE) return unreachableText(code, rest & 0xffff, quote);
  if (type === ICMP_TYPE.SOURCE_QUENCH) return "source quench";
  if (type === ICMP_TYPE.REDIRECT) {
    const gateway = formatAddress({ family: 4, words: [rest >>> 0] });
    const [kind, target] = REDIRECTS[code] ?? [`redirect-#${code}`, ""];
    return `${kind} ${quote.destination} to ${target}${gateway}`;
  }
  if (type === ICMP_TYPE.TIME_EXCEEDED) {
    return code === 0
      ? "time exceeded in-transit"
      : code === 1
      ? "ip reassembly time exceeded"
      : `time exceeded-#${code}`;
  }
  return code === 0 ? `parameter problem - octet ${rest >>> 24}` : `parameter problem - code ${code}`;
}

/** By code of an ICMP redirect: its name, and what it redirects to. */
const REDIRECTS: readonly (readonly [string, string])[] = [
  ["redirect", "net "],
  ["redirect", "host "],
  ["redirect-tos", "net "],
  ["redirect-tos", "host "],
];

/** By code of an ICMP "destination unreachable": what stands before and behind the destination. */
const UNREACHABLE: readonly (readonly [string, string] | undefined)[] = [
  ["net ", ""],
  ["host ", ""],
  undefined,
  undefined,
  undefined,
  ["", " - source route failed"],
  ["net ", " - unknown"],
  ["host ", " - unknown"],
  ["", " - source host isolated"],
  ["net ", " - admin prohibited"],
  ["host ", " - admin prohibited"],
  ["net ", " - tos prohibited"],
  ["host ", " - tos prohibited"],
  ["host ", " - admin prohibited filter"],
  ["host ", " - host precedence violation"],
  ["host ", " - precedence cutoff"],
];

function unreachableText(code: number, mtu: number, { destination, protocol, port }: QuoteText): string {
  if (code === ICMP_UNREACHABLE.PROTOCOL) return `${destination} protocol ${protocol} unreachable`;
  if (code === ICMP_UNREACHABLE.PORT) return `${destination} ${port} unreachable`;
  if (code === ICMP_UNREACHABLE.FRAGMENTATION_NEEDED) {
    return `${destination} unreachable - need to frag${mtu === 0 ? "" : ` (mtu ${mtu})`}`;
  }
  const [before, behind] = UNREACHABLE[code] ?? ["", ` - #${code}`];
  return `${before}${destination} unreachable${behind}`;
}

function icmpv6Text(pool: PacketPool, addresses: AddressTable, p: number): string {
  const words = pool.rows.words;
  const row = p * PACKET.STRIDE;
  const type = words[row + PACKET.PORTS] >>> 24;
  const code = words[row + PACKET.PORTS] >>> 16 & 0xff;
  const rest = words[row + PACKET.SEQ];
  if (type === ICMPV6_TYPE.ECHO) return echoText("request", rest);
  if (type === ICMPV6_TYPE.ECHO_REPLY) return echoText("reply", rest);
  if ((words[row + PACKET.CONTROL] & CONTROL.QUOTES) === 0) return `type-#${type}`;
  const { destination, port } = quoteText(pool, addresses, p);
  if (type === ICMPV6_TYPE.PACKET_TOO_BIG) return `packet too big, mtu ${rest >>> 0}`;
  if (type === ICMPV6_TYPE.TIME_EXCEEDED) {
    if (code > 1) return `time exceeded in-transit, unknown code (${code})`;
    return code === 0 ? `time exceeded in-transit for ${destination}` : "time exceeded in-transit (reassembly)";
  }
  if (type === ICMPV6_TYPE.PARAMETER_PROBLEM) {
    const what = ["erroneous", "next header", "option", "incomplete header chain"][code];
    return `parameter problem, ${what === undefined ? `code-#${code}` : `${what} - octet ${rest >>> 0}`}`;
  }
  switch (code) {
    case ICMPV6_UNREACHABLE.NO_ROUTE:
      return `destination unreachable, unreachable route ${destination}`;
    case ICMPV6_UNREACHABLE.ADMINISTRATIVELY_PROHIBITED:
      return `destination unreachable, unreachable prohibited ${destination}`;
    case ICMPV6_UNREACHABLE.BEYOND_SCOPE:
      return `destination unreachable, beyond scope ${destination}`;
    case ICMPV6_UNREACHABLE.ADDRESS:
      return `destination unreachable, unreachable address ${destination}`;
    case ICMPV6_UNREACHABLE.PORT:
      return `destination unreachable, unreachable port, ${destination} ${port}`;
    default:
      return `destination unreachable, unknown unreach code (${code})`;
  }
}
