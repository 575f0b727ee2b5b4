import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/base/address.ts";
import { isWireError } from "../../src/wire/error.ts";
import { CONTROL, EXTRA, PACKET, packetBytes, PROTOCOL, TCP_FLAG, virtualByte } from "../../src/wire/packet.ts";
import {
  decodePacket,
  encodePacket,
  IPV4_QUOTE_BYTES,
  IPV6_QUOTE_BYTES,
  quotePacket,
} from "../../src/wire/row_codec.ts";
import { decodeIpv4 } from "../../src/wire/ipv4.ts";
import { decodeIpv6 } from "../../src/wire/ipv6.ts";
import { decodeTcp } from "../../src/wire/tcp.ts";
import {
  anyRow,
  anyTcpRow,
  anyUdpRow,
  buildRow,
  fromHex,
  rowContent,
  SYN_ROW,
  type World,
  world,
} from "./support/rows.ts";

const buffer = new Uint8Array(65_536 + 40);

function encoded(w: World, p: number): Uint8Array {
  return buffer.slice(0, encodePacket(w.pool, w.addresses, p, buffer));
}

function decoded(w: World, bytes: Uint8Array): number {
  const p = decodePacket(w.pool, w.addresses, bytes);
  if (isWireError(p)) throw new Error(p.message);
  return p;
}

Deno.test("a row survives encoding and decoding, and packetBytes is what was encoded", () => {
  fc.assert(
    fc.property(anyRow, (spec) => {
      const w = world();
      const p = buildRow(w, spec);
      const bytes = encoded(w, p);
      assertEquals(bytes.length, packetBytes(w.pool, p, spec.source.family === 6));
      assertEquals(rowContent(w, decoded(w, bytes)), rowContent(w, p));
    }),
    { numRuns: 500 },
  );
});

Deno.test("bytes that a row encodes to survive decoding and encoding, with bytes after the datagram ignored", () => {
  fc.assert(
    fc.property(anyRow, fc.integer({ min: 0, max: 20 }), (spec, padding) => {
      const w = world();
      const bytes = encoded(w, buildRow(w, spec));
      const padded = new Uint8Array(bytes.length + padding);
      padded.set(bytes);
      assertEquals(encoded(w, decoded(w, padded)), bytes);
    }),
    { numRuns: 300 },
  );
});

Deno.test("the row encoder and the header codecs agree on every field", () => {
  fc.assert(fc.property(anyTcpRow, (spec) => {
    const w = world();
    const bytes = encoded(w, buildRow(w, spec));
    const ipv6 = spec.source.family === 6;
    const ip = ipv6 ? decodeIpv6(bytes) : decodeIpv4(bytes);
    const tcp = decodeTcp(bytes, ipv6 ? 40 : 20);
    assert(!isWireError(ip) && !isWireError(tcp));
    assertEquals([ip.source, ip.destination], [spec.source, spec.destination]);
    assertEquals("ttl" in ip ? ip.ttl : ip.hopLimit, spec.ttl);
    assertEquals(ip.trafficClass, spec.trafficClass);
    assertEquals("totalLength" in ip ? ip.totalLength : ip.payloadLength + 40, bytes.length);
    if ("identification" in ip) {
      assertEquals(ip.identification, 0);
      assertEquals(ip.dontFragment, (spec.control & CONTROL.DONT_FRAGMENT) !== 0);
    }
    assertEquals((tcp.sourcePort << 16 | tcp.destinationPort) >>> 0, spec.ports);
    assertEquals([tcp.sequence, tcp.acknowledgement], [spec.sequence, spec.acknowledgement]);
    assertEquals([tcp.flags, tcp.window, tcp.urgent], [spec.control & CONTROL.FLAGS_MASK, spec.window, spec.urgent]);
    assertEquals(tcp.reserved, 0);
  }));
});

Deno.test("a SYN's options stand in Linux's order: MSS, SACK-permitted, timestamps, NOP, window scale", () => {
  const w = world();
  const all = CONTROL.HAS_MSS | CONTROL.HAS_SACK_PERMITTED | CONTROL.HAS_TIMESTAMPS | CONTROL.HAS_WINDOW_SCALE;
  const p = buildRow(w, { ...SYN_ROW, control: SYN_ROW.control | all });
  assertEquals(encoded(w, p).slice(40), fromHex("020405b4 0402080a 00000001 00000000 01030307"));
  const noSack = buildRow(w, { ...SYN_ROW, control: SYN_ROW.control | all & ~CONTROL.HAS_SACK_PERMITTED });
  assertEquals(encoded(w, noSack).slice(40), fromHex("020405b4 0101080a 00000001 00000000 01030307"));
  const noTimestamps = buildRow(w, { ...SYN_ROW, control: SYN_ROW.control | all & ~CONTROL.HAS_TIMESTAMPS });
  assertEquals(encoded(w, noTimestamps).slice(40), fromHex("020405b4 01010402 01030307"));
});

Deno.test("other segments carry NOP NOP TS and NOP NOP SACK, and no more blocks than 40 bytes hold", () => {
  const w = world();
  const control = PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT | TCP_FLAG.ACK | CONTROL.HAS_TIMESTAMPS | CONTROL.HAS_SACK;
  const p = buildRow(w, { ...SYN_ROW, control, sack: [1, 2, 3, 4, 5, 6, 7, 8] });
  const bytes = encoded(w, p);
  assertEquals(
    bytes.slice(40),
    fromHex("0101080a 00000001 00000000 0101051a 00000001 00000002 00000003 00000004 00000005 00000006"),
  );
  assertEquals(packetBytes(w.pool, p, false), bytes.length);
  const none = buildRow(w, { ...SYN_ROW, control, sack: [] });
  w.pool.extraOf(none);
  assertEquals(encoded(w, none).length, 20 + 20 + 12);
  assertEquals(packetBytes(w.pool, none, false), 20 + 20 + 12);
});

Deno.test("virtual payload begins at the sequence number, and one later behind a SYN", () => {
  const w = world();
  const plain = buildRow(w, {
    ...SYN_ROW,
    control: PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT,
    sequence: 0xfffffffe,
    length: 4,
  });
  assertEquals([...encoded(w, plain).slice(40)], [0xfffffffe, 0xffffffff, 0, 1].map(virtualByte));
  const syn = buildRow(w, { ...SYN_ROW, sequence: 10, length: 2 });
  assertEquals([...encoded(w, syn).slice(40)], [11, 12].map(virtualByte));
});

Deno.test("real payload equal to the virtual pattern comes back virtual", () => {
  const w = world();
  const payload = Uint8Array.from({ length: 100 }, (_, i) => virtualByte(i));
  const control = PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT;
  const p = buildRow(w, { ...SYN_ROW, control: control | CONTROL.REAL_PAYLOAD, length: 100, payload });
  const q = decoded(w, encoded(w, p));
  assertEquals(w.pool.rows.words[q * PACKET.STRIDE + PACKET.CONTROL], control);
  assertEquals(w.pool.rows.words[q * PACKET.STRIDE + PACKET.EXTRA], 0);
});

Deno.test("a computed UDP checksum of 0 is sent as 0xffff, and IPv6 refuses 0", () => {
  const w = world();
  const control = PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT;
  const clean = encoded(w, buildRow(w, { ...SYN_ROW, control, ports: 0 }));
  // With the checksum itself as source port, the sum becomes 0xffff and its complement 0.
  const ports = ((clean[26] << 8 | clean[27]) << 16) >>> 0;
  const bytes = encoded(w, buildRow(w, { ...SYN_ROW, control, ports }));
  assertEquals([...bytes.slice(26, 28)], [0xff, 0xff]);
  decoded(w, bytes);
  bytes[26] = bytes[27] = 0;
  decoded(w, bytes);
  const six = { source: parseAddress("2001:db8::1"), destination: parseAddress("2001:db8::2") };
  const bytes6 = encoded(w, buildRow(w, { ...SYN_ROW, ...six, control }));
  bytes6[46] = bytes6[47] = 0;
  const refused = decodePacket(w.pool, w.addresses, bytes6);
  assert(isWireError(refused));
  assertEquals(refused.code, "checksum");
});

/** Whether nothing on the wire protects a bit: see the test below. */
function bitIsFree(bytes: Uint8Array, bit: number): boolean {
  if (bytes[0] >>> 4 === 6) return bit >= 12 && bit < 32;
  // UDP over IPv4: a flip that makes the checksum 0 turns it off.
  if (bytes[9] !== PROTOCOL.UDP || bit < 26 * 8 || bit >= 28 * 8) return false;
  return (bytes[26] << 8 | bytes[27]) === 0x8000 >>> (bit - 26 * 8);
}

Deno.test("every flipped bit is refused or changes the row, but for IPv6 flow labels and a UDP checksum turned off", () => {
  fc.assert(
    fc.property(anyRow, (spec) => {
      const w = world();
      const short = spec.payload || spec.quoted ? spec : { ...spec, length: Math.min(spec.length, 40) };
      const p = buildRow(w, short);
      const clean = encoded(w, p);
      const before = JSON.stringify(rowContent(w, p));
      for (let bit = 0; bit < clean.length * 8; bit++) {
        w.pool.rows.words[p * PACKET.STRIDE + PACKET.CORRUPT] = bit + 1;
        const bytes = encoded(w, p);
        const different = [...bytes.keys()].filter((i) => bytes[i] !== clean[i]);
        assertEquals(different, [bit >>> 3]);
        assertEquals(bytes[bit >>> 3] ^ clean[bit >>> 3], 0x80 >>> (bit & 7));
        const q = decodePacket(w.pool, w.addresses, bytes);
        if (isWireError(q)) continue;
        const unchanged = JSON.stringify(rowContent(w, q)) === before;
        assertEquals(unchanged, bitIsFree(clean, bit), `bit ${bit}`);
        w.pool.release(q);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("a flipped bit anywhere in TCP or in the IPv4 header fails a checksum", () => {
  fc.assert(
    fc.property(anyTcpRow, fc.nat(), (spec, position) => {
      const w = world();
      const p = buildRow(w, spec);
      const size = packetBytes(w.pool, p, spec.source.family === 6);
      const first = spec.source.family === 6 ? 320 : 0;
      w.pool.rows.words[p * PACKET.STRIDE + PACKET.CORRUPT] = 1 + first + position % (size * 8 - first);
      assert(isWireError(decodePacket(w.pool, w.addresses, encoded(w, p))));
    }),
    { numRuns: 300 },
  );
});

Deno.test("without verification a corrupted payload is decoded as it came", () => {
  const w = world();
  const p = buildRow(w, { ...SYN_ROW, length: 10 });
  w.pool.rows.words[p * PACKET.STRIDE + PACKET.CORRUPT] = 1 + 49 * 8;
  const q = decodePacket(w.pool, w.addresses, encoded(w, p), { verifyChecksums: false });
  assert(!isWireError(q));
  assert(w.pool.rows.words[q * PACKET.STRIDE + PACKET.CONTROL] & CONTROL.REAL_PAYLOAD);
});

Deno.test("random, truncated and mutated bytes never throw, and what is refused leaves no trace", () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(anyRow, fc.nat(), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 })).map(
      ([spec, cut, mutations]) => {
        const w = world();
        const bytes = encoded(w, buildRow(w, spec));
        for (const [at, value] of mutations) bytes[at % Math.min(bytes.length, 100)] = value;
        return cut % 3 === 0 ? bytes.slice(0, cut % (bytes.length + 1)) : bytes;
      },
    ),
  );
  fc.assert(
    fc.property(anyBytes, fc.boolean(), (bytes, verifyChecksums) => {
      const w = world();
      const result = decodePacket(w.pool, w.addresses, bytes, { verifyChecksums });
      if (isWireError(result)) {
        assertEquals(w.pool.rows.inUse, 0);
        assertEquals(w.pool.extras.inUse, 0);
        assertEquals(w.addresses.blocksInUse, 0);
        assert(result.message.endsWith("."));
      } else {
        // What was accepted can be sent on.
        encodePacket(w.pool, w.addresses, result, buffer);
        w.pool.release(result);
        assertEquals(w.pool.extras.inUse, 0);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("an ICMP error quotes the packet at fault: its header and 8 bytes, with its TTL and total length", () => {
  const w = world();
  const offending = buildRow(w, { ...SYN_ROW, length: 1000, ttl: 0 });
  const error = buildRow(w, {
    ...SYN_ROW,
    source: parseAddress("198.51.100.1"),
    destination: SYN_ROW.source,
    ports: (3 << 24 | 4 << 16) >>> 0,
    sequence: 1400,
    control: PROTOCOL.ICMP << CONTROL.PROTOCOL_SHIFT,
    window: 0,
  });
  quotePacket(w.pool, error, offending, false);
  const bytes = encoded(w, error);
  assertEquals(bytes.length, 20 + 8 + IPV4_QUOTE_BYTES);
  assertEquals([...bytes.slice(20, 22), ...bytes.slice(24, 28)], [3, 4, 0, 0, 1400 >>> 8, 1400 & 0xff]);
  assertEquals(bytes.slice(28, 38), encoded(w, offending).slice(0, 10));
  assertEquals(bytes.slice(40, 56), encoded(w, offending).slice(12, 28));
  const extra = w.pool.rows.words[decoded(w, bytes) * PACKET.STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
  const quoted = w.pool.extras.words.subarray(extra, extra + EXTRA.STRIDE);
  assertEquals(w.addresses.toText(quoted[EXTRA.QUOTED_SRC]), "10.0.0.2");
  assertEquals(w.addresses.toText(quoted[EXTRA.QUOTED_DST]), "192.0.2.1");
  assertEquals(quoted[EXTRA.QUOTED_PORTS] >>> 0, SYN_ROW.ports);
  assertEquals(quoted[EXTRA.QUOTED_SEQ], 123);
  assertEquals(quoted[EXTRA.QUOTED_LENGTH], 1000);
});

Deno.test("a quoted packet's options count in its total length", () => {
  const w = world();
  const flags = CONTROL.HAS_TIMESTAMPS | CONTROL.HAS_MSS | CONTROL.HAS_SACK_PERMITTED | CONTROL.HAS_WINDOW_SCALE;
  const six = { source: parseAddress("2001:db8::1"), destination: parseAddress("2001:db8::2") };
  const offending = buildRow(w, { ...SYN_ROW, ...six, control: SYN_ROW.control | flags, length: 7 });
  const error = buildRow(w, {
    ...SYN_ROW,
    ...six,
    ports: 1 << 24,
    sequence: 0,
    control: PROTOCOL.ICMPV6 << CONTROL.PROTOCOL_SHIFT,
    window: 0,
  });
  quotePacket(w.pool, error, offending, true);
  const bytes = encoded(w, error);
  assertEquals(bytes.length, 48 + IPV6_QUOTE_BYTES);
  assertEquals(bytes.slice(48, 96), encoded(w, offending).slice(0, 48));
});

Deno.test("an ICMP error whose quote is too short is refused", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 27 }), (length) => {
    const w = world();
    const control = PROTOCOL.ICMP << CONTROL.PROTOCOL_SHIFT;
    const bytes = encoded(w, buildRow(w, { ...SYN_ROW, control, ports: 11 << 24, length, window: 0 }));
    assert(isWireError(decodePacket(w.pool, w.addresses, bytes)));
  }));
});

Deno.test("addresses held by count are let go of again", () => {
  const w = world();
  const bytes = fromHex("4500001c 00004000 40110000 0a000002 c0000201 00350035 00080000");
  const q = decodePacket(w.pool, w.addresses, bytes, { verifyChecksums: false, countAddresses: true });
  assert(!isWireError(q));
  const words = w.pool.rows.words.subarray(q * PACKET.STRIDE);
  assert(w.addresses.blocksInUse > 0);
  w.addresses.release(words[PACKET.SRC]);
  w.addresses.release(words[PACKET.DST]);
  assertEquals(w.addresses.blocksInUse, 0);
});

Deno.test("fragments, extension headers and foreign protocols are refused by name", () => {
  const w = world();
  const code = (bytes: Uint8Array) => {
    const result = decodePacket(w.pool, w.addresses, bytes, { verifyChecksums: false });
    return isWireError(result) ? `${result.layer} ${result.code}` : "accepted";
  };
  const four = encoded(w, buildRow(w, SYN_ROW));
  assertEquals(code(four), "accepted");
  assertEquals(code(four.with(6, 0x20)), "ipv4 fragment");
  assertEquals(code(four.with(9, 47)), "ipv4 unsupported");
  assertEquals(code(four.with(0, 0x55)), "ip version");
  assertEquals(code(four.with(0, 0x44)), "ipv4 length");
  assertEquals(code(four.slice(0, 39)), "ipv4 truncated");
  assertEquals(code(new Uint8Array()), "ip truncated");
  const six = { source: parseAddress("2001:db8::1"), destination: parseAddress("2001:db8::2") };
  assertEquals(code(encoded(w, buildRow(w, { ...SYN_ROW, ...six })).with(6, 0)), "ipv6 unsupported");
  const udp = encoded(w, buildRow(w, { ...SYN_ROW, control: PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT, length: 9 }));
  assertEquals(code(udp.with(25, 16)), "udp length");
});

Deno.test("a row that cannot stand on a wire is a RangeError, and so is a buffer too short", () => {
  const w = world();
  const mixed = buildRow(w, { ...SYN_ROW, destination: parseAddress("2001:db8::2") });
  assertThrows(() => encoded(w, mixed), RangeError, "different address families");
  const foreign = buildRow(w, { ...SYN_ROW, control: PROTOCOL.ICMPV6 << CONTROL.PROTOCOL_SHIFT });
  assertThrows(() => encoded(w, foreign), RangeError, "protocol 58");
  const long = buildRow(w, { ...SYN_ROW, length: 65_496 });
  assertThrows(() => encoded(w, long), RangeError, "longer");
  const good = buildRow(w, SYN_ROW);
  assertThrows(() => encodePacket(w.pool, w.addresses, good, new Uint8Array(39)), RangeError, "40 bytes");
});

Deno.test("encoding UDP rows of any length keeps the datagram's length in step", () => {
  fc.assert(fc.property(anyUdpRow, (spec) => {
    const w = world();
    const bytes = encoded(w, buildRow(w, spec));
    const at = spec.source.family === 6 ? 40 : 20;
    assertEquals(bytes[at + 4] << 8 | bytes[at + 5], 8 + spec.length);
  }));
});

Deno.test("a flipped bit past the packet's end, as after a shorter rewriting, wraps", () => {
  const w = world();
  const p = buildRow(w, SYN_ROW);
  w.pool.rows.words[p * PACKET.STRIDE + PACKET.CORRUPT] = 1 + 40 * 8 + 8;
  assertEquals(encoded(w, p)[1], 0x80);
});

/** An ICMP error about a SYN with data and options, that quotes `transport` bytes of it. */
function quoting(w: World, transport: number): Uint8Array {
  const control = SYN_ROW.control | CONTROL.HAS_MSS | CONTROL.HAS_TIMESTAMPS;
  const offending = buildRow(w, { ...SYN_ROW, control, sequence: 1000, length: 50 });
  const header = { control: PROTOCOL.ICMP << CONTROL.PROTOCOL_SHIFT, ports: 11 << 24, sequence: 0, window: 0 };
  const error = buildRow(w, { ...SYN_ROW, ...header });
  quotePacket(w.pool, error, offending, false);
  w.pool.rows.words[error * PACKET.STRIDE + PACKET.LENGTH] = 20 + transport;
  return encoded(w, error);
}

Deno.test("a long quote tells flags, window and data length apart from options, and carries the data behind a SYN", () => {
  const w = world();
  const bytes = quoting(w, 20 + 16 + 50);
  assertEquals(bytes.slice(28 + 20 + 20, 28 + 20 + 36), new Uint8Array(16).fill(1));
  assertEquals([...bytes.slice(28 + 20 + 36)], Array.from({ length: 50 }, (_, i) => virtualByte(1001 + i)));
  const extra = w.pool.rows.words[decoded(w, bytes) * PACKET.STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
  const quoted = w.pool.extras.words.subarray(extra, extra + EXTRA.STRIDE);
  assertEquals(quoted[EXTRA.QUOTED_LENGTH], 50);
  assertEquals(quoted[EXTRA.QUOTED_CONTROL], SYN_ROW.control);
  assertEquals(quoted[EXTRA.QUOTED_WINDOW_TTL_TOS] >>> 16, SYN_ROW.window);
});

Deno.test("a quoted fragment without its transport header is refused", () => {
  const w = world();
  const bytes = quoting(w, 8);
  bytes[28 + 7] = 1;
  const result = decodePacket(w.pool, w.addresses, bytes, { verifyChecksums: false });
  assert(isWireError(result));
  assertEquals([result.layer, result.code], ["icmp", "fragment"]);
});

Deno.test("Fast Open's option survives encoding and decoding, padded with NOPs; an illegal cookie is dropped", () => {
  const w = world();
  for (const option of [0, 4, 6, 16, 0x100, 0x108]) {
    const control = SYN_ROW.control | CONTROL.HAS_MSS | CONTROL.HAS_TIMESTAMPS | CONTROL.HAS_FAST_OPEN;
    const p = buildRow(w, { ...SYN_ROW, control });
    const extra = w.pool.extraOf(p) * EXTRA.STRIDE;
    const length = option & 0xff;
    w.pool.extras.words[extra + EXTRA.FAST_OPEN] = option;
    for (let i = 0; 4 * i < length; i++) {
      const bytes = Math.min(4, length - 4 * i);
      w.pool.extras.words[extra + EXTRA.FAST_OPEN_COOKIE + i] = 0x81828384 & (~0 << (32 - 8 * bytes));
    }
    const bytes = new Uint8Array(packetBytes(w.pool, p, false));
    assertEquals(encodePacket(w.pool, w.addresses, p, bytes), bytes.length);
    const q = decodePacket(w.pool, w.addresses, bytes);
    assert(!isWireError(q));
    const read = (row: number) => {
      const e = w.pool.rows.words[row * PACKET.STRIDE + PACKET.EXTRA] * EXTRA.STRIDE;
      return [...w.pool.extras.words.subarray(e + EXTRA.FAST_OPEN, e + EXTRA.FAST_OPEN_COOKIE + 4)];
    };
    assertEquals(read(q), read(p));
    assertEquals(w.pool.rows.words[q * PACKET.STRIDE + PACKET.CONTROL], control);
    if (option !== 6) continue;
    // Behind MSS and timestamps: one byte less, which no cookie has, and a NOP in its place.
    const at = 20 + 20 + 4 + 12;
    bytes[at + 1] = 7;
    bytes[at + 7] = 1;
    const illegal = decodePacket(w.pool, w.addresses, bytes, { verifyChecksums: false });
    assert(!isWireError(illegal));
    assertEquals(w.pool.rows.words[illegal * PACKET.STRIDE + PACKET.CONTROL] & CONTROL.HAS_FAST_OPEN, 0);
  }
});
