/**
 * Packets: `< S 0:0(0) win 32792 <mss 1460,nop,wscale 7>`, `> udp (1000)`, `< icmp unreachable frag_needed mtu 840`.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { icmpCode, icmpType } from "./icmp_names.ts";
import { TOKEN } from "./lexer.ts";
import { optionBytes, parseOption } from "./parse_options.ts";
import type { Reader } from "./reader.ts";
import type { IcmpBody, OptionSpec, PacketAction, TcpBody, UdpBody } from "./script.ts";

const { WORD, FLOAT, ELLIPSIS } = TOKEN;
const U32 = 0xffffffff;
const U16 = 0xffff;

/** Letters of the flags; digits are the ACE count. */
const FLAG_OF: Readonly<Record<string, number>> = {
  F: TCP_FLAG.FIN,
  S: TCP_FLAG.SYN,
  R: TCP_FLAG.RST,
  P: TCP_FLAG.PSH,
  ".": TCP_FLAG.ACK,
  U: TCP_FLAG.URG,
  E: TCP_FLAG.ECE,
  W: TCP_FLAG.CWR,
  A: TCP_FLAG.AE,
};
const ECN_FLAGS = TCP_FLAG.ECE | TCP_FLAG.CWR | TCP_FLAG.AE;

/** Headers that packetdrill can put around a packet, and this emulator cannot. */
const ENCAPSULATIONS = ["ipv4", "ipv6", "gre", "GREv0", "mpls", "encap"];

/** Parses a packet, from its `<` or `>` on. */
export function parsePacket(reader: Reader, ipVersion: "ipv4" | "ipv6"): PacketAction {
  const inbound = reader.at("<");
  reader.advance();
  refuseEncapsulation(reader);
  const ip = parseIpInfo(reader, inbound);
  refuseEncapsulation(reader);
  if (reader.acceptWord("icmp")) return { kind: "packet", inbound, ip, body: parseIcmp(reader, ipVersion) };
  if (reader.acceptWord("udp")) return { kind: "packet", inbound, ip, body: parseUdp(reader) };
  return { kind: "packet", inbound, ip, body: parseTcp(reader, inbound) };
}

function refuseEncapsulation(reader: Reader): void {
  if (reader.kind === WORD && ENCAPSULATIONS.includes(reader.text)) {
    throw reader.source.error(reader.offset, `Packets within packets ("${reader.text}") are not emulated.`);
  }
}

function parseIpInfo(reader: Reader, inbound: boolean): PacketAction["ip"] {
  const ip: PacketAction["ip"] = { ecn: null, tos: null, ttl: null, flowLabel: null };
  const close = reader.at("[") ? "]" : reader.at("(") ? ")" : null;
  if (close === null) return ip;
  const expected = "noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel";
  do {
    reader.advance();
    const { offset } = reader;
    const name = reader.word(expected);
    if (name === "ect01" && inbound) {
      throw reader.source.error(offset, "ect01 is for packets that are expected: one that is sent has ect0 or ect1.");
    }
    if (name === "tos") ip.tos = reader.integer("the TOS", 0, 255);
    else if (name === "ttl") ip.ttl = reader.integer("the TTL", 0, 255);
    else if (name === "flowlabel") ip.flowLabel = reader.integer("the flow label", 0, 0xfffff);
    else if (name === "noecn" || name === "ect0" || name === "ect1" || name === "ect01" || name === "ce") ip.ecn = name;
    else throw reader.source.error(offset, `Expected ${expected}, found "${name}".`);
  } while (reader.at(","));
  reader.expect(close, "after what is said of the IP header");
  if (ip.ecn !== null && ip.tos !== null) {
    throw reader.source.error(reader.endOfLast - 1, "The TOS has the ECN bits in it: say one of the two.");
  }
  return ip;
}

function parsePorts(reader: Reader): TcpBody["ports"] {
  if (!reader.atInteger()) return null;
  const source = reader.integer("the source port", 0, U16);
  reader.expect(">", "between the ports (source>destination)");
  return { source, destination: reader.integer("the destination port", 0, U16) };
}

function parseTcp(reader: Reader, inbound: boolean): TcpBody {
  const ports = parsePorts(reader);
  refuseEncapsulation(reader);
  const { flags, ace } = parseFlags(reader);
  const { seq, end, length } = parseSequence(reader);
  const ack = reader.acceptWord("ack") ? reader.integer('the number after "ack"', 0, U32) : null;
  const { offset } = reader;
  const window = reader.acceptWord("win") ? reader.integer('the window after "win"', 0, U16) : null;
  if (window === null && inbound) {
    throw reader.source.error(offset, 'A segment that is sent into the host needs a window: "win" and a number.');
  }
  const urgent = reader.acceptWord("urg") ? reader.integer('the urgent pointer after "urg"', 0, U16) : null;
  const options = parseTcpOptions(reader, inbound);
  return { kind: "tcp", ports, flags, ace, seq, end, length, ack, window, urgent, options };
}

function parseFlags(reader: Reader): { flags: number; ace: number | null } {
  if (reader.accept("-")) return { flags: 0, ace: null };
  const { offset } = reader;
  let text = "";
  while (reader.kind === WORD || reader.at(".") || (reader.kind === FLOAT && reader.text[0] === ".")) {
    text += reader.text;
    reader.advance();
  }
  if (text === "") throw reader.unexpected("TCP flags, such as S. or P. (- for none)");
  let flags = 0;
  let ace: number | null = null;
  for (const letter of text) {
    if (letter >= "0" && letter <= "7") {
      if (ace !== null) throw reader.source.error(offset, `The flags "${text}" have two digits: the ACE count is one.`);
      ace = Number(letter);
    } else if (Object.hasOwn(FLAG_OF, letter)) flags |= FLAG_OF[letter];
    else {
      throw reader.source.error(
        offset,
        `"${letter}" in "${text}" is not a TCP flag: those are F S R P . U E W A, and a digit from 0 to 7.`,
      );
    }
  }
  if (ace === null) return { flags, ace };
  if (flags & ECN_FLAGS) {
    throw reader.source.error(offset, `The flags "${text}" have a digit for the ECN bits, and E, W or A besides.`);
  }
  if (ace & 1) flags |= TCP_FLAG.ECE;
  if (ace & 2) flags |= TCP_FLAG.CWR;
  if (ace & 4) flags |= TCP_FLAG.AE;
  return { flags, ace };
}

/** `1:1001(1000)`. */
function parseSequence(reader: Reader): { seq: number; end: number; length: number } {
  const { offset } = reader;
  const seq = reader.integer("the sequence number, as in 1:1001(1000)", 0, U32);
  reader.expect(":", "after the sequence number, as in 1:1001(1000)");
  const end = reader.integer("the sequence number of the segment's end", 0, U32);
  reader.expect("(", "before the segment's length");
  const length = reader.integer("the segment's length", 0, U16);
  reader.expect(")", "after the segment's length");
  if (end !== (seq + length) % (U32 + 1)) {
    throw reader.source.error(
      offset,
      `${seq} and ${length} bytes end at ${(seq + length) % (U32 + 1)}, not at ${end}.`,
    );
  }
  return { seq, end, length };
}

function parseTcpOptions(reader: Reader, inbound: boolean): readonly OptionSpec[] | "any" {
  if (!reader.at("<")) return [];
  const { offset } = reader;
  reader.advance();
  if (reader.kind === ELLIPSIS) {
    if (inbound) throw reader.source.error(reader.offset, "<...> is for segments that are expected: say the options.");
    reader.advance();
    reader.expect(">", "after the TCP options");
    return "any";
  }
  const options: OptionSpec[] = [];
  let bytes = 0;
  do {
    const option = parseOption(reader);
    options.push(option);
    bytes += optionBytes(option);
  } while (reader.accept(","));
  reader.expect(">", 'after the TCP options, or "," between them');
  if (bytes > 40) throw reader.source.error(offset, `The TCP options take ${bytes} bytes: there is room for 40.`);
  if (bytes % 4 !== 0) {
    throw reader.source.error(
      offset,
      `The TCP options take ${bytes} bytes: pad them to a multiple of 4 with nop or eol.`,
    );
  }
  return options;
}

function parseUdp(reader: Reader): UdpBody {
  const ports = parsePorts(reader);
  reader.expect("(", "before the datagram's length");
  const length = reader.integer("the datagram's length", 0, U16);
  reader.expect(")", "after the datagram's length");
  return { kind: "udp", ports, length };
}

function parseIcmp(reader: Reader, ipVersion: "ipv4" | "ipv6"): IcmpBody {
  const typeOffset = reader.offset;
  const typeName = reader.word("an ICMP type, such as unreachable or type_3");
  const type = icmpType(ipVersion, typeName);
  if (typeof type === "string") throw reader.source.error(typeOffset, type);
  let code = 0;
  if (reader.kind === WORD && reader.text !== "mtu" && reader.text !== "id") {
    const found = icmpCode(ipVersion, typeName, reader.text);
    if (typeof found === "string") throw reader.source.error(reader.offset, found);
    code = found;
    reader.advance();
  }
  const mtuOffset = reader.offset;
  const mtu = reader.acceptWord("mtu") ? reader.integer("the MTU", 0, ipVersion === "ipv4" ? U16 : U32) : null;
  if (mtu !== null && (ipVersion === "ipv4" ? type !== 3 || code !== 4 : type !== 2 || code !== 0)) {
    const where = ipVersion === "ipv4" ? "unreachable frag_needed" : "packet_too_big";
    throw reader.source.error(mtuOffset, `Only "${where}" says an MTU.`);
  }
  const body: IcmpBody = { kind: "icmp", type, code, mtu, quoted: null };
  if (reader.acceptWord("id")) body.echoId = reader.integer("the identifier", 0, U16);
  body.quoted = parseQuoted(reader);
  return body;
}

function parseQuoted(reader: Reader): IcmpBody["quoted"] {
  if (!reader.accept("[")) return null;
  let quoted: IcmpBody["quoted"];
  if (reader.atWord("udp") || reader.atWord("raw")) {
    const protocol = reader.text as "udp" | "raw";
    reader.advance();
    reader.expect("(", `after "${protocol}"`);
    const length = reader.integer("the length", 0, U16);
    reader.expect(")", "after the length");
    quoted = { protocol, seq: null, end: length, length };
  } else quoted = { protocol: "tcp", ...parseSequence(reader) };
  reader.expect("]", "after the quoted segment");
  return quoted;
}
