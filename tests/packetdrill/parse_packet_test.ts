import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import type { IcmpBody, PacketAction, TcpBody } from "../../src/packetdrill/script.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";

function packet(text: string, ipVersion: "ipv4" | "ipv6" = "ipv4", symbols: Record<string, string> = {}): PacketAction {
  const options = { path: "a.pkt", symbols: new Map(Object.entries(symbols)), ipVersion };
  const { action } = parseScript(`0 ${text}`, options).events[0];
  if (action.kind !== "packet") throw new Error(action.kind);
  return action;
}

const tcp = (text: string, symbols: Record<string, string> = {}) => packet(text, "ipv4", symbols).body as TcpBody;
const icmp = (text: string, version: "ipv4" | "ipv6") => packet(text, version).body as IcmpBody;

function refused(text: string, column: number, sentence: string, ipVersion: "ipv4" | "ipv6" = "ipv4"): void {
  const error = assertThrows(() => packet(text, ipVersion), InputError);
  assertEquals(error.message, `a.pkt:1:${column + 2}: ${sentence}`);
}

const NOTHING_OF_IP = { ecn: null, tos: null, ttl: null, flowLabel: null };

Deno.test("a segment with everything that can be said of it", () => {
  assertEquals(packet("< [ect0] 50001>8080 FSRP.UEWA 1:1001(1000) ack 5 win 257 urg 3 <mss 1460,nop,wscale 7>"), {
    kind: "packet",
    inbound: true,
    ip: { ...NOTHING_OF_IP, ecn: "ect0" },
    body: {
      kind: "tcp",
      ports: { source: 50001, destination: 8080 },
      flags: 0x1ff,
      ace: null,
      seq: 1,
      end: 1001,
      length: 1000,
      ack: 5,
      window: 257,
      urgent: 3,
      options: [{ kind: "mss", value: 1460 }, { kind: "nop" }, { kind: "wscale", shift: 7 }],
    },
  });
});

Deno.test("what is not said of a segment is null, and no options are none", () => {
  const { ip, inbound, body } = packet("> S 0:0(0)");
  assertEquals(inbound, false);
  assertEquals(ip, NOTHING_OF_IP);
  assertEquals(body, {
    kind: "tcp",
    ports: null,
    flags: TCP_FLAG.SYN,
    ace: null,
    seq: 0,
    end: 0,
    length: 0,
    ack: null,
    window: null,
    urgent: null,
    options: [],
  });
  assertEquals(tcp("> . 1:1(0) ack 1 <...>").options, "any");
});

Deno.test("flags are letters in any order, a dot for ACK, a dash for none, a digit for the ACE count", () => {
  const { ACK, SYN, FIN, PSH, RST, ECE, CWR, AE } = TCP_FLAG;
  const cases: [string, number, number | null][] = [
    [".", ACK, null],
    ["-", 0, null],
    ["S.", SYN | ACK, null],
    ["SEW", SYN | ECE | CWR, null],
    ["E.", ECE | ACK, null],
    ["PF.", PSH | FIN | ACK, null],
    ["R", RST, null],
    ["S .", SYN | ACK, null],
    [".5", ACK | ECE | AE, 5],
    ["P.2", PSH | ACK | CWR, 2],
    ["S7", SYN | ECE | CWR | AE, 7],
    ["SA.", SYN | AE | ACK, null],
    [".0", ACK, 0],
    ["F3.", FIN | ECE | CWR | ACK, 3],
  ];
  for (const [text, flags, ace] of cases) {
    const body = tcp(`> ${text} 1:1(0) ack 1`);
    assertEquals([text, body.flags, body.ace], [text, flags, ace]);
  }
});

Deno.test("the IP header's parts stand in square or round brackets", () => {
  const ip = (text: string) => packet(`> ${text} . 1:1(0) ack 1`).ip;
  for (const ecn of ["noecn", "ect0", "ect1", "ect01", "ce"] as const) {
    assertEquals(ip(`[${ecn}]`), { ...NOTHING_OF_IP, ecn });
    assertEquals(ip(`(${ecn})`), { ...NOTHING_OF_IP, ecn });
  }
  assertEquals(ip("[tos 0x28]"), { ...NOTHING_OF_IP, tos: 0x28 });
  assertEquals(ip("(ttl 63)"), { ...NOTHING_OF_IP, ttl: 63 });
  assertEquals(ip("[flowlabel 0xfffff]"), { ...NOTHING_OF_IP, flowLabel: 0xfffff });
  assertEquals(ip("[ect1, flowlabel 0x5]"), { ...NOTHING_OF_IP, ecn: "ect1", flowLabel: 5 });
});

Deno.test("every option has its form", () => {
  const options = (text: string, symbols: Record<string, string> = {}) =>
    tcp(`> . 1:1(0) ack 1 <${text}>`, symbols).options;
  assertEquals(options("mss 1000,sackOK,nop,nop,nop,wscale 7"), [
    { kind: "mss", value: 1000 },
    { kind: "sackOK" },
    { kind: "nop" },
    { kind: "nop" },
    { kind: "nop" },
    { kind: "wscale", shift: 7 },
  ]);
  assertEquals(options("nop, nop, TS val 4294967295 ecr 0"), [
    { kind: "nop" },
    { kind: "nop" },
    { kind: "TS", value: 0xffffffff, echo: 0 },
  ]);
  assertEquals(options("nop,nop,sack 1:2 3:4"), [
    { kind: "nop" },
    { kind: "nop" },
    { kind: "sack", blocks: [{ left: 1, right: 2 }, { left: 3, right: 4 }] },
  ]);
  assertEquals(options("eol,eol,eol,eol").length, 4);
  assertEquals(options("FO,nop,nop")[0], { kind: "FO", cookie: new Uint8Array(0) });
  assertEquals(options("FO 01ab23,nop,nop,nop")[0], { kind: "FO", cookie: Uint8Array.of(1, 0xab, 0x23) });
  assertEquals(options("FO 0012,nop,nop,nop,nop")[0], { kind: "FO", cookie: Uint8Array.of(0, 0x12) });
  assertEquals(options("FOEXP")[0], { kind: "FOEXP", cookie: new Uint8Array(0) });
  assertEquals(options("FOEXP COOKIE", { COOKIE: "3021b9d889017eeb" })[0], {
    kind: "FOEXP",
    cookie: Uint8Array.of(0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e, 0xeb),
  });
  assertEquals(options("FO COOKIE,nop,nop", { COOKIE: "0123456789012345" })[0], {
    kind: "FO",
    cookie: Uint8Array.of(0x01, 0x23, 0x45, 0x67, 0x89, 0x01, 0x23, 0x45),
  });
  assertEquals(options("md5 00112233445566778899aabbccddeeff,nop,nop")[0], {
    kind: "other",
    number: 19,
    data: Uint8Array.from({ length: 16 }, (_, i) => 17 * i),
    text: "md5 00112233445566778899aabbccddeeff",
  });
});

Deno.test("the Accurate ECN option has two orders and up to three counters", () => {
  const option = (text: string) => (tcp(`> . 1:1(0) ack 1 <${text}>`).options as unknown[])[0];
  assertEquals(option("ECN e0b 1 ceb 258 e1b 65536,nop"), {
    kind: "other",
    number: 172,
    data: Uint8Array.of(0, 0, 1, 0, 1, 2, 1, 0, 0),
    text: "ECN e0b 1 ceb 258 e1b 65536",
  });
  assertEquals(option("ECN e1b 5 ceb 0"), {
    kind: "other",
    number: 174,
    data: Uint8Array.of(0, 0, 5, 0, 0, 0),
    text: "ECN e1b 5 ceb 0",
  });
  refused("> . 1:1(0) <ECN>", 16, 'Expected e0b or e1b after ECN, found ">".');
});

Deno.test("sequence numbers wrap at 2^32", () => {
  assertEquals(tcp("> . 4294967000:704(1000) ack 1").end, 704);
  refused(
    "> . 4294967000:4294968000(1000) ack 1",
    16,
    "The sequence number of the segment's end must be from 0 to 4294967295, not 4294968000.",
  );
});

Deno.test("datagrams have a length and perhaps ports", () => {
  assertEquals(packet("< udp (1000)").body, { kind: "udp", ports: null, length: 1000 });
  assertEquals(packet("> udp 1>65535 (0)").body, { kind: "udp", ports: { source: 1, destination: 65535 }, length: 0 });
});

Deno.test("ICMP has names for types and codes, which differ by version", () => {
  const cases: ["ipv4" | "ipv6", string, number, number][] = [
    ["ipv4", "unreachable frag_needed", 3, 4],
    ["ipv4", "unreachable host_unreachable", 3, 1],
    ["ipv4", "unreachable precedence_cutoff", 3, 15],
    ["ipv4", "unreachable", 3, 0],
    ["ipv4", "source_quench", 4, 0],
    ["ipv4", "time_exceeded", 11, 0],
    ["ipv4", "parameter_problem code_1", 12, 1],
    ["ipv4", "type_3 code_13", 3, 13],
    ["ipv4", "type_255", 255, 0],
    ["ipv6", "unreachable no_route", 1, 0],
    ["ipv6", "unreachable net_unreachable", 1, 0],
    ["ipv6", "unreachable admin_prohibited", 1, 1],
    ["ipv6", "unreachable not_neighbour", 1, 2],
    ["ipv6", "unreachable address_unreachable", 1, 3],
    ["ipv6", "unreachable port_unreachable", 1, 4],
    ["ipv6", "packet_too_big", 2, 0],
    ["ipv6", "time_exceeded exceeded_hop_limit", 3, 0],
    ["ipv6", "parameter_problem unknown_option", 4, 2],
    ["ipv6", "echo_reply", 129, 0],
  ];
  for (const [version, text, type, code] of cases) {
    const body = icmp(`< icmp ${text}`, version);
    assertEquals([text, body.type, body.code, body.mtu, body.quoted], [text, type, code, null, null]);
  }
});

Deno.test("ICMP says an MTU, an identifier and what it quotes", () => {
  assertEquals(icmp("< [ttl 5] icmp unreachable frag_needed mtu 840 [1:1001(1000)]", "ipv4"), {
    kind: "icmp",
    type: 3,
    code: 4,
    mtu: 840,
    quoted: { protocol: "tcp", seq: 1, end: 1001, length: 1000 },
  });
  assertEquals(icmp("< icmp packet_too_big mtu 1280", "ipv6").mtu, 1280);
  assertEquals(icmp("> icmp echo_reply id 7 [raw(64)]", "ipv4"), {
    kind: "icmp",
    type: 0,
    code: 0,
    mtu: null,
    echoId: 7,
    quoted: { protocol: "raw", seq: null, end: 64, length: 64 },
  });
  assertEquals(icmp("< icmp unreachable port_unreachable [udp(1000)]", "ipv4").quoted, {
    protocol: "udp",
    seq: null,
    end: 1000,
    length: 1000,
  });
});

Deno.test("what is wrong with a packet is told with its place", () => {
  refused("< . 1:1(0) ack 1", 17, 'A segment that is sent into the host needs a window: "win" and a number.');
  refused("< . 1:1(0) ack 1 win 5 <...>", 25, "<...> is for segments that are expected: say the options.");
  refused("< [ect01] . 1:1(0) win 5", 4, "ect01 is for packets that are expected: one that is sent has ect0 or ect1.");
  refused("> . 1:5(5) ack 1", 5, "1 and 5 bytes end at 6, not at 5.");
  refused("> SX 0:0(0)", 3, '"X" in "SX" is not a TCP flag: those are F S R P . U E W A, and a digit from 0 to 7.');
  refused("> S55 0:0(0)", 3, 'The flags "S55" have two digits: the ACE count is one.');
  refused("> E.5 0:0(0)", 3, 'The flags "E.5" have a digit for the ECN bits, and E, W or A besides.');
  refused("> 1:1(0)", 4, 'Expected ">" between the ports (source>destination), found ":".');
  refused("> 5>6 1:1(0)", 7, 'Expected TCP flags, such as S. or P. (- for none), found "1".');
  refused("> . 1:1(0) ack", 15, 'Expected the number after "ack", found the end of the script.');
  refused("> . 1:1(0) ack -1", 16, 'The number after "ack" must be from 0 to 4294967295, not -1.');
  refused("> . 1:1(0) ack 1 win 65536", 22, 'The window after "win" must be from 0 to 65535, not 65536.');
  refused("> . 1:70001(70000)", 13, "The segment's length must be from 0 to 65535, not 70000.");
  refused(
    "> S 0:0(0) <mss 1460,nop>",
    12,
    "The TCP options take 5 bytes: pad them to a multiple of 4 with nop or eol.",
  );
  refused(
    "> S 0:0(0) <sack 1:2 1:2 1:2 1:2 1:2,nop,nop>",
    12,
    "The TCP options take 44 bytes: there is room for 40.",
  );
  refused("> S 0:0(0) <mss>", 16, 'Expected the MSS, found ">".');
  refused(
    "> S 0:0(0) <foo>",
    13,
    '"foo" is not a TCP option: expected mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5 or ECN.',
  );
  refused("> S 0:0(0) <FO 123,nop,nop,nop>", 16, "123 has an odd number of digits: a cookie has two a byte.");
  refused("> S 0:0(0) <FO xy>", 16, 'Expected a cookie in hexadecimal digits, found "xy".');
  refused("> S 0:0(0) <nop;nop>", 16, 'Expected ">" after the TCP options, or "," between them, found ";".');
  refused("> [tos 0x100] . 1:1(0)", 8, "The TOS must be from 0 to 255, not 0x100.");
  refused("> [frob] . 1:1(0)", 4, 'Expected noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel, found "frob".');
  refused(
    "> icmp frob",
    8,
    '"frob" is not a type of ICMPv6: expected unreachable, packet_too_big, time_exceeded, parameter_problem, echo_request, echo_reply, or type_N.',
    "ipv6",
  );
  refused("> icmp time_exceeded frob", 22, '"frob" is not a code of ICMP\'s "time_exceeded": expected code_N.');
  refused("> icmp type_256", 8, "type_256 is not an ICMP type: those go from 0 to 255.");
  refused("< icmp unreachable host_unreachable mtu 5", 37, 'Only "unreachable frag_needed" says an MTU.');
  refused("< icmp unreachable mtu 5", 20, 'Only "packet_too_big" says an MTU.', "ipv6");
  refused("> gre: . 1:1(0)", 3, 'Packets within packets ("gre") are not emulated.');
  refused("> udp (1000", 12, 'Expected ")" after the datagram\'s length, found the end of the script.');
});
