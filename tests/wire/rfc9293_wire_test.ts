// RFC 9293 3.1, 3.2, 3.8.1, 3.9.2: options and checksums as they stand on the wire. Ids are of Appendix B.
import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../src/base/address.ts";
import { writeU16 } from "../../src/wire/bytes.ts";
import { internetChecksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import { isWireError } from "../../src/wire/error.ts";
import { encodeIpv4 } from "../../src/wire/ipv4.ts";
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../../src/wire/packet.ts";
import { decodePacket, encodePacket } from "../../src/wire/row_codec.ts";
import { decodeTcp } from "../../src/wire/tcp.ts";
import { decodeTcpOptions, encodeTcpOptions, type TcpOption } from "../../src/wire/tcp_options.ts";
import { buildRow, rowContent, SYN_ROW, type World, world } from "./support/rows.ts";

const SOURCE = parseAddress("192.0.2.1");
const DESTINATION = parseAddress("192.0.2.2");

/** A segment of IPv4 with these bytes of TCP options (padded with zeros) and of IP options, checksums right. */
function segment(flags: number, options: number[], data: number[] = [], ipOptions: number[] = []): Uint8Array {
  const header = 20 + ((options.length + 3) & ~3);
  const tcp = new Uint8Array(header + data.length);
  tcp.set([0x13, 0x88, 0, 80, 0, 0, 0, 7, 0, 0, 0, 9, header << 2, flags, 0x20, 0]);
  tcp.set(options, 20);
  tcp.set(data, header);
  writeU16(tcp, 16, internetChecksum(tcp, 0, tcp.length, pseudoHeaderSum(SOURCE, DESTINATION, 6, tcp.length)));
  const bytes = new Uint8Array(20 + ipOptions.length + tcp.length);
  const at = encodeIpv4({
    trafficClass: 0,
    totalLength: bytes.length,
    identification: 0,
    reservedFlag: false,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: PROTOCOL.TCP,
    source: SOURCE,
    destination: DESTINATION,
    options: Uint8Array.from(ipOptions),
  }, bytes);
  bytes.set(tcp, at);
  return bytes;
}

/** The row that bytes decode to: control word, options words, length. */
function decoded(bytes: Uint8Array, w: World = world()) {
  const p = decodePacket(w.pool, w.addresses, bytes);
  if (isWireError(p)) throw new Error(p.message);
  const words = w.pool.rows.words;
  const at = (field: number) => words[p * PACKET.STRIDE + field];
  const control = at(PACKET.CONTROL);
  return {
    mss: control & CONTROL.HAS_MSS ? at(PACKET.SYN_OPTIONS) & 0xffff : 0,
    shift: control & CONTROL.HAS_WINDOW_SCALE ? (at(PACKET.SYN_OPTIONS) >>> 16) & 0xff : -1,
    sack: (control & CONTROL.HAS_SACK_PERMITTED) !== 0,
    tsVal: control & CONTROL.HAS_TIMESTAMPS ? at(PACKET.TS_VAL) : 0,
    length: at(PACKET.LENGTH),
    content: rowContent(w, p),
  };
}

const { SYN, ACK, PSH } = TCP_FLAG;
const MSS_1000 = [2, 4, 3, 232];
const NOP = 1;
const END = 0;

// MUST-4
Deno.test("the mandatory options are understood: end of list, no-operation, maximum segment size", () => {
  assertEquals(decoded(segment(SYN, [NOP, NOP, ...MSS_1000, END, 0])).mss, 1000);
  // What stands behind the end of the list is padding, whatever it looks like.
  assertEquals(decoded(segment(SYN, [END, 0, 0, 0, ...MSS_1000])).mss, 0);
});

// MUST-5
Deno.test("any option is received in any segment, with data or without", () => {
  const options = [...MSS_1000, 3, 3, 5, 4, 2, 8, 10, 0, 0, 0, 42, 0, 0, 0, 0, END];
  for (const flags of [SYN, SYN | ACK, ACK, PSH | ACK, TCP_FLAG.FIN | ACK, TCP_FLAG.RST]) {
    const row = decoded(segment(flags, options, [1, 2, 3]));
    assertEquals([row.mss, row.shift, row.sack, row.tsVal, row.length], [1000, 5, true, 42, 3]);
  }
});

// MUST-6
Deno.test("an option that nobody knows is ignored without error, and those around it are read", () => {
  for (const kind of [6, 19, 34, 69, 253, 255]) {
    const row = decoded(segment(SYN, [kind, 5, 1, 2, 3, ...MSS_1000, kind, 2, NOP]));
    assertEquals([kind, row.mss], [kind, 1000]);
  }
});

// MUST-7
Deno.test("an illegal option length is refused as such, and takes nothing else down", () => {
  for (const options of [[2, 0, 0, 0], [2, 1, 0, 0], [8, 200, 0, 0], [NOP, NOP, NOP, 2]]) {
    const w = world();
    const refused = decodePacket(w.pool, w.addresses, segment(SYN, options));
    assert(isWireError(refused));
    assertEquals([refused.layer, refused.code], ["tcp-options", "option"]);
    assertEquals(w.pool.rows.inUse, 0);
    assertEquals(decoded(segment(SYN, MSS_1000), w).mss, 1000);
  }
});

// MUST-64
Deno.test("options are read at whatever byte they begin", () => {
  for (let nops = 0; nops < 8; nops++) {
    const options = [...new Array(nops).fill(NOP), ...MSS_1000, 3, 3, 7, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0];
    const row = decoded(segment(SYN, options));
    assertEquals([nops, row.mss, row.shift, row.tsVal], [nops, 1000, 7, 256]);
  }
});

// MUST-68
Deno.test("every option that is sent has a length, but end of list and no-operation", () => {
  const options: TcpOption[] = [
    { kind: "mss", value: 1 },
    { kind: "window-scale", shift: 1 },
    { kind: "sack-permitted" },
    { kind: "sack", blocks: [{ left: 1, right: 2 }] },
    { kind: "timestamps", value: 1, echo: 2 },
    { kind: "unknown", number: 254, data: Uint8Array.of(9, 9, 9) },
  ];
  const bytes = new Uint8Array(40);
  for (const option of options) {
    bytes.fill(255);
    const padded = encodeTcpOptions([option], bytes);
    assert(bytes[1] >= 2 && ((bytes[1] + 3) & ~3) === padded, option.kind);
  }
  assertEquals([encodeTcpOptions([{ kind: "nop" }], bytes), bytes[0], bytes[1]], [4, 1, 0]);
  assertEquals([encodeTcpOptions([{ kind: "end" }], bytes), bytes[0], bytes[1]], [4, 0, 0]);
});

// MUST-69
Deno.test("what follows the end of the options is zeros, in a buffer that was not", () => {
  const bytes = new Uint8Array(40).fill(0xaa);
  const length = encodeTcpOptions([{ kind: "window-scale", shift: 7 }, { kind: "end" }], bytes);
  assertEquals([...bytes.subarray(0, length)], [3, 3, 7, 0]);
  bytes.fill(0xaa);
  const longer = encodeTcpOptions([{ kind: "unknown", number: 99, data: Uint8Array.of(1, 2, 3) }], bytes);
  assertEquals([...bytes.subarray(0, longer)], [99, 5, 1, 2, 3, 0, 0, 0]);
  assertEquals(decodeTcpOptions(bytes, 0, longer), [
    { kind: "unknown", number: 99, data: Uint8Array.of(1, 2, 3) },
    { kind: "end" },
  ]);
});

// MUST-2, MUST-3
Deno.test("a segment that is sent has the checksum of its header and data, and a wrong one is refused", () => {
  const w = world();
  const buffer = new Uint8Array(1000);
  const bytes = buffer.subarray(0, encodePacket(w.pool, w.addresses, buildRow(w, { ...SYN_ROW, length: 333 }), buffer));
  const tcp = bytes.subarray(20);
  const sum = pseudoHeaderSum(SYN_ROW.source, SYN_ROW.destination, PROTOCOL.TCP, tcp.length);
  assertEquals(internetChecksum(tcp, 0, tcp.length, sum), 0);
  const header = decodeTcp(tcp);
  assert(!isWireError(header) && header.checksum !== 0);
  writeU16(tcp, 16, header.checksum ^ 1);
  const refused = decodePacket(w.pool, w.addresses, bytes);
  assert(isWireError(refused) && refused.code === "checksum");
});

// MUST-50
Deno.test("IP options that TCP does not understand are ignored, and the segment is taken", () => {
  const w = world();
  const plain = decoded(segment(PSH | ACK, [], [5, 6, 7]), w);
  const [router, record, stamp, source] = [
    [148, 4, 0, 0],
    [7, 7, 4, 0, 0, 0, 0, 0],
    [68, 8, 5, 0, 0, 0, 0, 0],
    [131, 7, 4, 10, 0, 0, 1, 0],
  ];
  for (const ipOptions of [router, record, stamp, source, [NOP, NOP, NOP, END]]) {
    assertEquals(decoded(segment(PSH | ACK, [], [5, 6, 7], ipOptions), w).content, plain.content);
  }
});

// MAY-4
Deno.test("a packet and its repetition have the same IPv4 identification, 0, and are never fragmented", () => {
  const w = world();
  for (const sequence of [1, 1, 1461]) {
    const bytes = new Uint8Array(1000);
    encodePacket(w.pool, w.addresses, buildRow(w, { ...SYN_ROW, sequence, length: 100 }), bytes);
    assertEquals([...bytes.subarray(4, 8)], [0, 0, 0x40, 0]);
  }
});
