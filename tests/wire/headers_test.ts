import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/base/address.ts";
import { isWireError, type WireError } from "../../src/wire/error.ts";
import { decodeIcmp, encodeIcmp, isIcmpError } from "../../src/wire/icmp.ts";
import { decodeIcmpv6, encodeIcmpv6, isIcmpv6Error } from "../../src/wire/icmpv6.ts";
import { decodeIpv4, encodeIpv4, ipv4HeaderBytes } from "../../src/wire/ipv4.ts";
import { decodeIpv6, encodeIpv6 } from "../../src/wire/ipv6.ts";
import { decodeTcp, encodeTcp, tcpHeaderBytes } from "../../src/wire/tcp.ts";
import { decodeTcpOptions, encodeTcpOptions, type TcpOption, tcpOptionsBytes } from "../../src/wire/tcp_options.ts";
import { decodeUdp, encodeUdp } from "../../src/wire/udp.ts";
import { anyAddress, anyU16, anyU32, anyU8, fromHex } from "./support/rows.ts";

const anyIpv4 = fc.uint8Array({ maxLength: 40 }).chain((raw) => {
  const options = raw.slice(0, raw.length & ~3);
  return fc.record({
    trafficClass: anyU8,
    totalLength: fc.integer({ min: 20 + options.length, max: 0xffff }),
    identification: anyU16,
    reservedFlag: fc.boolean(),
    dontFragment: fc.boolean(),
    moreFragments: fc.boolean(),
    fragmentOffset: fc.integer({ min: 0, max: 0x1fff }),
    ttl: anyU8,
    protocol: anyU8,
    source: anyAddress(4),
    destination: anyAddress(4),
    options: fc.constant(options),
  });
});

const anyIpv6 = fc.record({
  trafficClass: anyU8,
  flowLabel: fc.integer({ min: 0, max: 0xfffff }),
  payloadLength: anyU16,
  nextHeader: anyU8,
  hopLimit: anyU8,
  source: anyAddress(6),
  destination: anyAddress(6),
});

const anyIcmp = fc.record({ type: anyU8, code: anyU8, checksum: anyU16, rest: anyU32 });

const anyUdp = fc.record({
  sourcePort: anyU16,
  destinationPort: anyU16,
  length: fc.integer({ min: 8, max: 0xffff }),
  checksum: anyU16,
});

const anyOption: fc.Arbitrary<TcpOption> = fc.oneof(
  fc.constant<TcpOption>({ kind: "nop" }),
  anyU16.map((value): TcpOption => ({ kind: "mss", value })),
  anyU8.map((shift): TcpOption => ({ kind: "window-scale", shift })),
  fc.constant<TcpOption>({ kind: "sack-permitted" }),
  fc.array(fc.record({ left: anyU32, right: anyU32 }), { minLength: 1, maxLength: 4 }).map((blocks): TcpOption => ({
    kind: "sack",
    blocks,
  })),
  fc.record({ value: anyU32, echo: anyU32 }).map((ts): TcpOption => ({ kind: "timestamps", ...ts })),
  fc.record({
    number: fc.integer({ min: 9, max: 253 }).filter((number) => number !== 34),
    data: fc.uint8Array({ maxLength: 20 }),
  }).map((
    rest,
  ): TcpOption => ({ kind: "unknown", ...rest })),
  fc.record({
    cookie: fc.constantFrom(0, 4, 6, 8, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
    experimental: fc.boolean(),
  }).map((rest): TcpOption => ({ kind: "fast-open", ...rest })),
  // A known kind of a length that is not its own.
  fc.record({ number: fc.constantFrom(2, 3, 4, 8), data: fc.uint8Array({ minLength: 3, maxLength: 7 }) }).map((
    rest,
  ): TcpOption => ({ kind: "unknown", ...rest })),
);

/** Bytes of an option without padding, by the RFCs. */
function exactBytes(option: TcpOption): number {
  if (option.kind === "sack") return 2 + 8 * option.blocks.length;
  if (option.kind === "unknown") return 2 + option.data.length;
  if (option.kind === "fast-open") return (option.experimental ? 4 : 2) + option.cookie.length;
  return { end: 1, nop: 1, mss: 4, "window-scale": 3, "sack-permitted": 2, timestamps: 10 }[option.kind];
}

/** Any options that fit; those that need padding have their end-of-list, which is what padding decodes to. */
const anyOptions: fc.Arbitrary<TcpOption[]> = fc.array(anyOption, { maxLength: 12 }).map((all) => {
  let options = all;
  while (tcpOptionsBytes(options) > 40) options = options.slice(1);
  const exact = options.reduce((sum, option) => sum + exactBytes(option), 0);
  return exact % 4 === 0 ? options : [...options, { kind: "end" }];
});

const anyTcp = fc.record({
  sourcePort: anyU16,
  destinationPort: anyU16,
  sequence: anyU32,
  acknowledgement: anyU32,
  reserved: fc.integer({ min: 0, max: 7 }),
  flags: fc.integer({ min: 0, max: 0x1ff }),
  window: anyU16,
  checksum: anyU16,
  urgent: anyU16,
  options: anyOptions,
});

interface Codec<T> {
  name: string;
  any: fc.Arbitrary<T>;
  encode(header: T, into: Uint8Array, at: number): number;
  decode(bytes: Uint8Array, at: number, end?: number): T | WireError;
  bytes(header: T): number;
}

/** The properties that every header codec has. */
function testCodec<T>({ name, any, encode, decode, bytes }: Codec<T>): void {
  Deno.test(`${name}: a header survives encoding and decoding at any offset, and touches no other byte`, () => {
    fc.assert(fc.property(any, fc.nat(9), (header, at) => {
      const into = new Uint8Array(at + 110).fill(0xee);
      const length = encode(header, into, at);
      assertEquals(length, bytes(header));
      assertEquals(decode(into, at, at + length), header);
      assert(into.subarray(0, at).every((byte) => byte === 0xee));
      assert(into.subarray(at + length).every((byte) => byte === 0xee));
    }));
  });

  Deno.test(`${name}: valid bytes survive decoding and encoding`, () => {
    fc.assert(fc.property(any, (header) => {
      const into = new Uint8Array(110);
      const valid = into.slice(0, encode(header, into, 0));
      const read = decode(valid, 0);
      assert(!isWireError(read));
      const again = new Uint8Array(valid.length);
      assertEquals(encode(read, again, 0), valid.length);
      assertEquals(again, valid);
    }));
  });

  Deno.test(`${name}: truncated, mutated and random bytes give a header or a WireError`, () => {
    const mutated = fc.tuple(any, fc.nat(110), fc.array(fc.tuple(fc.nat(99), anyU8), { maxLength: 6 })).map(
      ([header, cut, mutations]) => {
        const into = new Uint8Array(110);
        const length = encode(header, into, 0);
        for (const [at, value] of mutations) into[at % length] = value;
        return into.slice(0, Math.min(cut, length));
      },
    );
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 100 })), (input) => {
        const result = decode(input, 0);
        if (isWireError(result)) {
          assert(/^[A-Z].*\.$/.test(result.message), result.message);
          return;
        }
        const again = new Uint8Array(110);
        assertEquals(decode(again, 0, encode(result, again, 0)), result);
      }),
      { numRuns: 500 },
    );
  });

  Deno.test(`${name}: every truncation is a WireError, and too short a buffer a RangeError`, () => {
    fc.assert(fc.property(any, fc.nat(), (header, position) => {
      const into = new Uint8Array(110);
      const length = encode(header, into, 0);
      const cut = position % length;
      assert(isWireError(decode(into.slice(0, cut), 0)));
      assertThrows(() => encode(header, new Uint8Array(cut), 0), RangeError);
    }));
  });
}

testCodec({ name: "IPv4", any: anyIpv4, encode: encodeIpv4, decode: decodeIpv4, bytes: ipv4HeaderBytes });
testCodec({ name: "IPv6", any: anyIpv6, encode: encodeIpv6, decode: decodeIpv6, bytes: () => 40 });
testCodec({ name: "ICMP", any: anyIcmp, encode: encodeIcmp, decode: decodeIcmp, bytes: () => 8 });
testCodec({ name: "ICMPv6", any: anyIcmp, encode: encodeIcmpv6, decode: decodeIcmpv6, bytes: () => 8 });
testCodec({ name: "UDP", any: anyUdp, encode: encodeUdp, decode: decodeUdp, bytes: () => 8 });
testCodec({ name: "TCP", any: anyTcp, encode: encodeTcp, decode: decodeTcp, bytes: tcpHeaderBytes });

Deno.test("IPv4: any flipped bit of a header is refused or read as another version's", () => {
  fc.assert(fc.property(anyIpv4, fc.nat(), (header, position) => {
    const into = new Uint8Array(60);
    const length = encodeIpv4({ ...header, options: new Uint8Array() }, into);
    const bit = position % (length * 8);
    into[bit >>> 3] ^= 0x80 >>> (bit & 7);
    const result = decodeIpv4(into.slice(0, length));
    assert(isWireError(result));
    if (bit >= 8 && bit < 16 || bit >= 32) assertEquals(result.code, "checksum");
  }));
});

Deno.test("IPv4: a wrong checksum is accepted only if asked", () => {
  const bytes = fromHex("4500 0073 0000 4000 4011 b862 c0a8 0001 c0a8 00c7");
  const refused = decodeIpv4(bytes);
  assert(isWireError(refused));
  assertEquals(refused.code, "checksum");
  const header = decodeIpv4(bytes, 0, 20, { verifyChecksum: false });
  assert(!isWireError(header));
  assertEquals(header.source, parseAddress("192.168.0.1"));
  assertEquals([header.totalLength, header.ttl, header.protocol, header.dontFragment], [0x73, 64, 17, true]);
});

Deno.test("IPv4: a total length below the header's is refused", () => {
  const bytes = fromHex("4500 0013 0000 4000 4011 0000 c0a8 0001 c0a8 00c7");
  const result = decodeIpv4(bytes, 0, 20, { verifyChecksum: false });
  assert(isWireError(result));
  assertEquals([result.layer, result.code], ["ipv4", "length"]);
});

Deno.test("IPv4: options that no header can hold are a RangeError", () => {
  const [header] = fc.sample(anyIpv4, 1);
  for (const length of [3, 44]) {
    assertThrows(() => encodeIpv4({ ...header, options: new Uint8Array(length) }, new Uint8Array(99)), RangeError);
  }
});

Deno.test("TCP options: a Linux SYN's decode in order, each by name", () => {
  assertEquals(decodeTcpOptions(fromHex("020405b4 0402080a 00000001 00000000 01030307")), [
    { kind: "mss", value: 1460 },
    { kind: "sack-permitted" },
    { kind: "timestamps", value: 1, echo: 0 },
    { kind: "nop" },
    { kind: "window-scale", shift: 7 },
  ]);
});

Deno.test("TCP options: unknown kinds and known kinds of foreign lengths keep their bytes", () => {
  const bytes = fromHex("2204abcd 0203ff01 0502 fd02 0505aabb cc010101");
  const options = decodeTcpOptions(bytes);
  assertEquals(options, [
    { kind: "unknown", number: 34, data: fromHex("abcd") },
    { kind: "unknown", number: 2, data: fromHex("ff") },
    { kind: "nop" },
    { kind: "unknown", number: 5, data: new Uint8Array() },
    { kind: "unknown", number: 253, data: new Uint8Array() },
    { kind: "unknown", number: 5, data: fromHex("aabbcc") },
    { kind: "nop" },
    { kind: "nop" },
    { kind: "nop" },
  ]);
  assert(!isWireError(options));
  const again = new Uint8Array(20);
  assertEquals(encodeTcpOptions(options, again), 20);
  assertEquals(again, bytes);
});

Deno.test("TCP options: illegal lengths are refused (MUST-7), padding after the end is dropped (MUST-69)", () => {
  for (const hex of ["0200", "0201", "02", "0204", "020405", "08090000"]) {
    const result = decodeTcpOptions(fromHex(hex));
    assert(isWireError(result), hex);
    assertEquals([result.layer, result.code], ["tcp-options", "option"]);
  }
  assertEquals(decodeTcpOptions(fromHex("0100ff01")), [{ kind: "nop" }, { kind: "end" }]);
});

Deno.test("TCP options: more than 40 bytes are a RangeError", () => {
  const timestamps: TcpOption = { kind: "timestamps", value: 0, echo: 0 };
  const four = [timestamps, timestamps, timestamps, timestamps];
  assertEquals(encodeTcpOptions(four, new Uint8Array(40)), 40);
  assertThrows(() => encodeTcpOptions([...four, { kind: "nop" }], new Uint8Array(99)), RangeError, "at most 40");
});

Deno.test("TCP: a data offset below 5 is refused", () => {
  const bytes = new Uint8Array(20);
  bytes[12] = 0x40;
  const result = decodeTcp(bytes);
  assert(isWireError(result));
  assertEquals([result.layer, result.code], ["tcp", "length"]);
});

Deno.test("errors and information are told apart by ICMP type", () => {
  const errors = (test: (type: number) => boolean) => Array.from({ length: 256 }, (_, i) => i).filter(test);
  assertEquals(errors(isIcmpError), [3, 4, 5, 11, 12]);
  assertEquals(errors(isIcmpv6Error), [1, 2, 3, 4]);
});
