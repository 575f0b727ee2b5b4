import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { addressBytes, formatAddress, parseAddress, parsePrefix } from "../../src/base/address.ts";
import { EMBEDDING_BITS, embedIpv4 } from "../../src/base/ipv4_embedded.ts";
import { isGlobal, nat64Prefix, NAT_VERDICT_NAMES, translateToIpv4 } from "../../src/nat/nat.ts";
import { embeddedWord, holdEmbedded, isEmbedded } from "../../src/nat/nat64_address.ts";
import { headerToIpv4, headerToIpv6 } from "../../src/nat/nat64_header.ts";
import { icmpToV4, icmpToV6, REST_MTU } from "../../src/nat/nat64_icmp.ts";
import { CONTROL, PACKET, packetBytes, PROTOCOL } from "../../src/wire/packet.ts";
import { decodePacket, encodePacket } from "../../src/wire/row_codec.ts";
import {
  anyEchoRow,
  anyErrorRow,
  anyTcpRow,
  anyUdpRow,
  buildRow,
  rowContent,
  type RowSpec,
  SYN_ROW,
  world,
} from "../wire/support/rows.ts";
import { ACK, SYN } from "./harness.ts";
import { Nat64 } from "./nat64_harness.ts";

const { SRC, DST, PORTS, CONTROL: CONTROL_AT, CORRUPT, STRIDE } = PACKET;

Deno.test("IPv4 addresses stand in prefixes of every length as RFC 6052 has it", () => {
  // RFC 6052 2.4.
  const examples: [string, string][] = [
    ["2001:db8::/32", "2001:db8:c000:221::"],
    ["2001:db8:100::/40", "2001:db8:1c0:2:21::"],
    ["2001:db8:122::/48", "2001:db8:122:c000:2:2100::"],
    ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"],
    ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"],
    ["2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"],
    ["64:ff9b::/96", "64:ff9b::192.0.2.33"],
  ];
  const { addresses } = world();
  for (const [prefix, text] of examples) {
    const id = holdEmbedded(addresses, nat64Prefix(parsePrefix(prefix)), parseAddress("192.0.2.33").words[0]);
    assertEquals(addresses.toText(id), formatAddress(parseAddress(text)));
  }
  assertEquals(
    [
      "10.0.0.1",
      "100.64.0.1",
      "100.128.0.1",
      "172.31.0.1",
      "172.32.0.1",
      "192.168.0.1",
      "192.0.2.1",
      "169.254.0.1",
      "127.0.0.1",
      "224.0.0.1",
      "0.0.0.0",
    ].filter((text) => isGlobal(parseAddress(text).words[0])),
    ["100.128.0.1", "172.32.0.1", "192.0.2.1"],
  );
});

Deno.test("an address that was put into a prefix is found there again, and nowhere else", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...EMBEDDING_BITS),
      fc.array(fc.nat(0xffffffff), { minLength: 4, maxLength: 4 }),
      fc.nat(0xffffffff),
      (bits, words, word) => {
        const { addresses } = world();
        const prefix = { address: { family: 6 as const, words }, bits };
        const compact = nat64Prefix(prefix);
        const id = holdEmbedded(addresses, compact, word | 0);
        assertEquals(addresses.toText(id), formatAddress(embedIpv4(prefix, { family: 4, words: [word] })));
        assert(isEmbedded(addresses, compact, id));
        assertEquals(embeddedWord(addresses, compact, id) >>> 0, word);
        const other = addressBytes(addresses.toAddress(id));
        other[(bits >> 3) - 1] ^= 1;
        assert(!isEmbedded(addresses, compact, addresses.intern(other)));
        assert(!isEmbedded(addresses, compact, addresses.intern({ family: 4, words: [word] })));
      },
    ),
  );
});

const V4: [string, string] = ["203.0.113.1", "192.0.2.1"];
const V6: [string, string] = ["2001:db8::1", "64:ff9b::c000:201"];

/** What there is in both families: no other ICMP types than echo, and errors that have a counterpart. */
function translatable(spec: RowSpec, family: 4 | 6): RowSpec {
  const ipv6 = family === 6;
  const [source, destination] = (ipv6 ? V6 : V4).map(parseAddress);
  const icmp = ipv6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP;
  const protocol = spec.control >>> CONTROL.PROTOCOL_SHIFT;
  const isIcmp = protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6;
  const control = (isIcmp ? (spec.control & 0xffffff) | (icmp << 24) : spec.control) & ~CONTROL.DONT_FRAGMENT;
  const same = { ...spec, source, destination, control };
  if (!isIcmp || spec.quoted) return same;
  const types = ipv6 ? [128, 129] : [8, 0];
  return { ...same, ports: ((types[spec.sequence & 1] << 24) | (spec.ports & 0xff0000)) >>> 0 };
}

/** An error of a family with one that comes back as it was. */
function reversibleError(spec: RowSpec, choice: number): RowSpec {
  const errors: [number, number][] = [
    [0x0100, 0],
    [0x0101, 0],
    [0x0104, 0],
    [0x0200, 1280 + (spec.sequence & 0x1fff)],
    [0x0300, 0],
    [0x0301, 0],
    [0x0401, 6],
    [0x0400, 0],
    [0x0400, 6],
    [0x0400, 7],
    [0x0400, 8],
    [0x0400, 24],
  ];
  const [typeCode, rest] = errors[choice % errors.length];
  const [source, destination] = V6.map(parseAddress);
  const quoted = spec.quoted!;
  const protocol = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.ICMPV6][choice % 3];
  return {
    ...spec,
    source,
    destination,
    ports: (typeCode << 16) >>> 0,
    sequence: rest,
    length: 40 + 8,
    control: (PROTOCOL.ICMPV6 << CONTROL.PROTOCOL_SHIFT) | CONTROL.QUOTES,
    quoted: {
      ...quoted,
      source: destination,
      destination: source,
      control: protocol << CONTROL.PROTOCOL_SHIFT,
      windowTtlTos: quoted.windowTtlTos & 0xffff,
      ports: protocol === PROTOCOL.ICMPV6 ? (128 << 24) >>> 0 : quoted.ports,
      sequence: protocol === PROTOCOL.UDP ? 0 : quoted.sequence,
    },
  };
}

/** Gives a row the addresses of a family, its quote the same the other way round. */
function readdress(place: ReturnType<typeof world>, p: number, family: 4 | 6): void {
  const [source, destination] = (family === 6 ? V6 : V4).map((text) => place.addresses.intern(text));
  const words = place.pool.rows.words;
  words[p * STRIDE + SRC] = source;
  words[p * STRIDE + DST] = destination;
  if ((words[p * STRIDE + CONTROL_AT] & CONTROL.QUOTES) === 0) return;
  const quote = words[p * STRIDE + PACKET.EXTRA] * 16;
  place.pool.extras.words[quote + 4] = destination;
  place.pool.extras.words[quote + 5] = source;
}

/** The row's bytes decode to the row: headers, lengths and checksums are right. */
function assertWire(place: ReturnType<typeof world>, p: number): void {
  const bytes = new Uint8Array(65_600);
  const length = encodePacket(place.pool, place.addresses, p, bytes);
  const ipv6 = place.addresses.isIpv6(place.pool.rows.words[p * STRIDE + SRC]);
  assertEquals(length, packetBytes(place.pool, p, ipv6));
  const decoded = decodePacket(place.pool, place.addresses, bytes.subarray(0, length));
  assert(typeof decoded === "number", JSON.stringify(decoded));
  assertEquals(rowContent(place, decoded), rowContent(place, p));
}

Deno.test("a packet that is translated there and back is the same packet, and its bytes are right on the way", () => {
  const anyPacket = fc.oneof(
    fc.oneof(anyTcpRow, anyUdpRow, anyEchoRow).map((spec) => translatable(spec, 6)),
    fc.tuple(anyErrorRow, fc.nat()).map(([spec, choice]) => reversibleError(spec, choice)),
  );
  fc.assert(
    fc.property(anyPacket, (spec) => {
      const place = world();
      const p = buildRow(place, spec);
      readdress(place, p, 6);
      const before = rowContent(place, p);
      const bytes = packetBytes(place.pool, p, true);
      assert(headerToIpv4(place.pool, p));
      readdress(place, p, 4);
      assertWire(place, p);
      const isError = (spec.control & CONTROL.QUOTES) !== 0;
      assertEquals(packetBytes(place.pool, p, false), bytes - (isError ? 40 : 20));
      const dontFragment = (place.pool.rows.words[p * STRIDE + CONTROL_AT] & CONTROL.DONT_FRAGMENT) !== 0;
      assertEquals(dontFragment, packetBytes(place.pool, p, false) > 1260);
      assert(headerToIpv6(place.pool, p));
      readdress(place, p, 6);
      assertWire(place, p);
      assertEquals(rowContent(place, p), before);
    }),
    { numRuns: 500 },
  );
});

Deno.test("from IPv4 and back a packet is the same but for DF, whose meaning IPv6 has in its size", () => {
  fc.assert(
    fc.property(fc.oneof(anyTcpRow, anyUdpRow, anyEchoRow).map((spec) => translatable(spec, 4)), (spec) => {
      const place = world();
      const p = buildRow(place, spec);
      const before = rowContent(place, p);
      assert(headerToIpv6(place.pool, p));
      readdress(place, p, 6);
      assertWire(place, p);
      assert(headerToIpv4(place.pool, p));
      readdress(place, p, 4);
      place.pool.rows.words[p * STRIDE + CONTROL_AT] &= ~CONTROL.DONT_FRAGMENT;
      assertEquals(rowContent(place, p), before);
    }),
  );
});

Deno.test("a bit that was flipped on the way still spoils the transport's checksum", () => {
  const spoilt = (family: 4 | 6, bit: number) => {
    const place = world();
    const p = buildRow(place, translatable({ ...SYN_ROW, length: 100 }, family));
    place.pool.rows.words[p * STRIDE + CORRUPT] = 1 + bit;
    assert(family === 6 ? headerToIpv4(place.pool, p) : headerToIpv6(place.pool, p));
    readdress(place, p, family === 6 ? 4 : 6);
    const bytes = new Uint8Array(1500);
    const length = encodePacket(place.pool, place.addresses, p, bytes);
    const decoded = decodePacket(place.pool, place.addresses, bytes.subarray(0, length));
    return [place.pool.rows.words[p * STRIDE + CORRUPT] - 1, typeof decoded === "number" ? "whole" : decoded.layer];
  };
  assertEquals(spoilt(6, 320), [160, "tcp"]);
  assertEquals(spoilt(6, 1270), [1110, "tcp"]);
  // Of an address.
  assertEquals(spoilt(6, 130), [160, "tcp"]);
  assertEquals(spoilt(4, 160), [320, "tcp"]);
  assertEquals(spoilt(4, 1100), [1260, "tcp"]);
});

Deno.test("errors of ICMP become those of ICMPv6 as RFC 7915 4.2 says", () => {
  const said = (type: number, code: number, rest = 0, length = 0) => {
    const error = icmpToV6((type << 8) | code, rest, length);
    return error < 0 ? "dropped" : `${error >>> 8}/${error & 255} ${REST_MTU.value}`;
  };
  const unreachable = Array.from({ length: 17 }, (_, code) => said(3, code, code === 4 ? 1400 : 0));
  assertEquals(unreachable, [
    "1/0 0",
    "1/0 0",
    "4/1 6",
    "1/4 0",
    "2/0 1420",
    "1/0 0",
    "1/0 0",
    "1/0 0",
    "1/0 0",
    "1/1 0",
    "1/1 0",
    "1/0 0",
    "1/0 0",
    "1/1 0",
    "dropped",
    "1/1 0",
    "dropped",
  ]);
  assertEquals([said(11, 0), said(11, 1)], ["3/0 0", "3/1 0"]);
  assertEquals([said(12, 0, 9 << 24), said(12, 2, 16 << 24), said(12, 0, 5 << 24), said(12, 1)], [
    "4/0 6",
    "4/0 24",
    "dropped",
    "dropped",
  ]);
  assertEquals([said(4, 0), said(5, 0), said(13, 0)], ["dropped", "dropped", "dropped"]);
  // RFC 7915: never below IPv6's least MTU; RFC 1191's plateaus where the router does not tell.
  assertEquals([said(3, 4, 576), said(3, 4, 0, 1460)], ["2/0 1280", "2/0 1512"]);
});

Deno.test("errors of ICMPv6 become those of ICMP as RFC 7915 5.2 says", () => {
  const said = (type: number, code: number, rest = 0) => {
    const error = icmpToV4((type << 8) | code, rest);
    return error < 0 ? "dropped" : `${error >>> 8}/${error & 255} ${REST_MTU.value >>> (error >>> 8 === 12 ? 24 : 0)}`;
  };
  assertEquals([0, 1, 2, 3, 4, 5].map((code) => said(1, code)), [
    "3/1 0",
    "3/10 0",
    "3/1 0",
    "3/1 0",
    "3/3 0",
    "dropped",
  ]);
  assertEquals([said(2, 0, 1480), said(2, 0, 1280), said(3, 0), said(3, 1)], [
    "3/4 1460",
    "3/4 1260",
    "11/0 0",
    "11/1 0",
  ]);
  assertEquals([said(4, 1), said(4, 2), said(4, 0, 3), said(4, 0, 40)], ["3/2 0", "dropped", "dropped", "dropped"]);
  assertEquals([0, 1, 4, 5, 6, 7, 8, 24].map((pointer) => said(4, 0, pointer).split(" ")[1]), [
    "0",
    "1",
    "2",
    "2",
    "9",
    "8",
    "12",
    "16",
  ]);
  assertEquals(said(100, 0), "dropped");
});

const INNER = "2001:db8::5";
const SERVER = "64:ff9b::c000:201";

Deno.test("a session: out by the prefix, back to the host, the same mapping for every destination", () => {
  const lab = new Nat64();
  const udp = (dst: string, dport: number) => lab.fromInside({ protocol: "udp", src: INNER, sport: 5000, dst, dport });
  assertEquals(udp(SERVER, 53), "forward 203.0.113.1:1024 > 192.0.2.1:53");
  assertEquals(udp("64:ff9b::c000:202", 54), "forward 203.0.113.1:1024 > 192.0.2.2:54");
  const back = (src: string, sport: number) =>
    lab.fromOutside({ protocol: "udp", src, sport, dst: "203.0.113.1", dport: 1024 });
  assertEquals(back("192.0.2.1", 53), `forward ${SERVER}:53 > ${INNER}:5000`);
  // Filtering is endpoint-independent too: a stranger gets in, and is seen within the prefix.
  assertEquals(back("198.51.100.9", 9), `forward 64:ff9b::c633:6409:9 > ${INNER}:5000`);
  assertEquals(lab.fromOutside({ src: "192.0.2.1", sport: 1, dst: "203.0.113.1", dport: 9 }), "no-mapping");
});

Deno.test("what sessions, resting ports and held SYNs hold is let go of when they end", () => {
  const lab = new Nat64({ holdDownNs: 120e9, filtering: "address-and-port-dependent" });
  const before = lab.addresses.blocksInUse;
  for (let i = 0; i < 40; i++) {
    const p = lab.packets.allocate();
    const words = lab.packets.rows.words;
    const inner = lab.addresses.internCounted(`2001:db8:${i.toString(16)}::1`);
    const inside = lab.addresses.internCounted(`64:ff9b::c6${i.toString(16).padStart(2, "0")}:1`);
    words[p * STRIDE + SRC] = inner;
    words[p * STRIDE + DST] = inside;
    words[p * STRIDE + CONTROL_AT] = PROTOCOL.UDP << 24;
    assertEquals(translateToIpv4(lab.nat, lab.gateway64, p), 0);
    // To a neighbour's endpoint, which does not wait for it.
    const own = lab.addresses.internCounted("64:ff9b::cb00:7101");
    words[p * STRIDE + SRC] = inner;
    words[p * STRIDE + DST] = own;
    words[p * STRIDE + PORTS] = i;
    words[p * STRIDE + CONTROL_AT] = (PROTOCOL.TCP << 24) | SYN;
    assertEquals(NAT_VERDICT_NAMES[translateToIpv4(lab.nat, lab.gateway64, p)], "no-mapping");
    lab.packets.release(p);
    lab.addresses.release(own);
    lab.addresses.release(inner);
    lab.addresses.release(inside);
  }
  assert(lab.addresses.blocksInUse >= before + 120);
  assertEquals(lab.nat.heldSyns.inUse, 40);
  lab.advance(400e9);
  assertEquals(lab.nat.holds.inUse, 40);
  lab.advance(1000e9);
  // (Who was refused something is remembered.)
  assertEquals([lab.nat.sessions.inUse, lab.addresses.blocksInUse - lab.nat.subscribers.inUse], [0, before]);
});

Deno.test("pings go through under an identifier of the gateway's", () => {
  const lab = new Nat64();
  assertEquals(
    lab.fromInside({ protocol: "icmp", src: INNER, dst: SERVER, type: 128, id: 7 }),
    "forward icmp 8 203.0.113.1 > 192.0.2.1 id 1024",
  );
  assertEquals(
    lab.fromOutside({ protocol: "icmp", src: "192.0.2.1", dst: "203.0.113.1", type: 0, id: 1024 }),
    `forward icmp 129 ${SERVER} > ${INNER} id 7`,
  );
  assertEquals(lab.fromInside({ protocol: "icmp", src: INNER, dst: SERVER, type: 135, id: 7 }), "unsupported");
});

Deno.test("inner hosts reach each other by the gateway's address within the prefix", () => {
  const lab = new Nat64();
  lab.fromInside({ protocol: "udp", src: INNER, sport: 5000, dst: SERVER, dport: 53 });
  assertEquals(
    lab.fromInside({ protocol: "udp", src: "2001:db8::6", sport: 6000, dst: "64:ff9b::cb00:7101", dport: 1024 }),
    `hairpin 64:ff9b::cb00:7101:1025 > ${INNER}:5000`,
  );
  assertEquals(
    lab.fromInside({ protocol: "udp", src: INNER, sport: 5000, dst: "64:ff9b::cb00:7101", dport: 1025 }),
    "hairpin 64:ff9b::cb00:7101:1024 > 2001:db8::6:6000",
  );
  const off = new Nat64({ hairpinning: false });
  assertEquals(
    off.fromInside({ protocol: "udp", src: INNER, sport: 5000, dst: "64:ff9b::cb00:7101", dport: 1024 }),
    "hairpinning-off",
  );
});

Deno.test("refusals are those of any gateway: pool, quota, closed by state, and private addresses by the well-known prefix", () => {
  const small = new Nat64({ portLow: 2000, portHigh: 2001 });
  const open = (lab: Nat64, sport: number, dst = SERVER, flags: number = SYN) =>
    lab.fromInside({ src: INNER, sport, dst, dport: 80, flags });
  assertEquals([1, 2, 3].map((sport) => open(small, sport).split(" ")[0]), ["forward", "forward", "pool-empty"]);
  const quota = new Nat64({ quotaSessions: 1 });
  assertEquals([1, 2].map((sport) => open(quota, sport).split(" ")[0]), ["forward", "quota"]);
  assertEquals(open(new Nat64(), 1, SERVER, ACK), "no-mapping");
  assertEquals(open(new Nat64(), 1, "64:ff9b::a00:1"), "unsupported");
  assertEquals(
    open(new Nat64({}, "2001:db8:64::/96"), 1, "2001:db8:64::a00:1"),
    "forward 203.0.113.1:1024 > 10.0.0.1:80",
  );
});

Deno.test("errors from outside tell the inner host of its own packet, 20 bytes longer", () => {
  const lab = new Nat64();
  lab.fromInside({ src: INNER, sport: 5000, dst: SERVER, dport: 80, flags: SYN });
  const quoted = { src: "203.0.113.1", sport: 1024, dst: "192.0.2.1", dport: 80 };
  // From a router on the way: 3/1.
  const said = lab.fromOutside({ src: "198.51.100.1", dst: "203.0.113.1", type: 3, quoted });
  assert(said.startsWith("forward 58 48 "), said);
  assert(said.includes(`64:ff9b::c633:6401 > ${INNER}`), said);
  assert(said.includes(`${INNER}:5000 > ${SERVER}:80`), said);
});

Deno.test("errors from inside tell the remote host of the external endpoint", () => {
  const lab = new Nat64();
  lab.fromInside({ src: INNER, sport: 5000, dst: SERVER, dport: 80, flags: SYN });
  const quoted = { src: SERVER, sport: 80, dst: INNER, dport: 5000 };
  const said = lab.fromInside({ src: "2001:db8::99", dst: SERVER, type: 1, quoted });
  assert(said.startsWith("forward 1 28 "), said);
  assert(said.includes("203.0.113.1 > 192.0.2.1"), said);
  assert(said.includes("192.0.2.1:80 > 203.0.113.1:1024"), said);
  // About a packet that never was.
  assertEquals(lab.fromInside({ src: INNER, dst: SERVER, type: 1, quoted: { ...quoted, dport: 5001 } }), "no-mapping");
});
