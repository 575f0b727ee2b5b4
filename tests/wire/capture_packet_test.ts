import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/base/address.ts";
import { type CapturedSegment, capturedSegment, findOption } from "../../src/wire/capture_packet.ts";
import { encodeIpv4 } from "../../src/wire/ipv4.ts";
import { encodeIpv6 } from "../../src/wire/ipv6.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import { encodeTcp, type TcpHeader } from "../../src/wire/tcp.ts";
import { concat } from "../replay/import_fixture.ts";

const HEADER: TcpHeader = {
  sourcePort: 5000,
  destinationPort: 80,
  sequence: 0xfffffff0,
  acknowledgement: 7,
  reserved: 0,
  flags: TCP_FLAG.ACK | TCP_FLAG.PSH,
  window: 512,
  checksum: 0,
  urgent: 0,
  options: [{ kind: "nop" }, { kind: "mss", value: 1400 }],
};

/** A TCP segment of 10 bytes. */
function segment(): Uint8Array {
  const bytes = new Uint8Array(20 + 8 + 10);
  encodeTcp(HEADER, bytes);
  return bytes;
}

function v4(options = new Uint8Array(0), fragmentOffset = 0, moreFragments = false): Uint8Array {
  const tcp = segment();
  const bytes = new Uint8Array(20 + options.length + tcp.length);
  const totalLength = bytes.length;
  const flags = { identification: 1, reservedFlag: false, dontFragment: false, moreFragments, fragmentOffset };
  const [source, destination] = [parseAddress("192.0.2.1"), parseAddress("192.0.2.2")];
  encodeIpv4({ trafficClass: 3, totalLength, ...flags, ttl: 61, protocol: 6, source, destination, options }, bytes);
  bytes.set(tcp, 20 + options.length);
  return bytes;
}

/** Extension headers: [kind, bytes]; the last names TCP. */
function v6(extensions: [number, Uint8Array][] = []): Uint8Array {
  const parts = extensions.map(([, bytes], i) => {
    const copy = bytes.slice();
    copy[0] = extensions[i + 1]?.[0] ?? 6;
    return copy;
  });
  const body = concat([...parts, segment()]);
  const bytes = new Uint8Array(40 + body.length);
  const [source, destination] = [parseAddress("2001:db8::1"), parseAddress("2001:db8::2")];
  const nextHeader = extensions[0]?.[0] ?? 6;
  const rest = { trafficClass: 3, flowLabel: 0, payloadLength: body.length, nextHeader, hopLimit: 61 };
  encodeIpv6({ ...rest, source, destination }, bytes);
  bytes.set(body, 40);
  return bytes;
}

function read(linkType: number, bytes: Uint8Array, originalBytes = bytes.length) {
  return capturedSegment({ timeNs: 0, linkType, bytes, originalBytes, offset: 0 });
}

function isOurs(found: ReturnType<typeof capturedSegment>): void {
  const { sequence, length, window, trafficClass, ttl, options } = found as CapturedSegment;
  assertEquals([sequence, length, window, trafficClass, ttl], [0xfffffff0, 10, 512, 3, 61]);
  assertEquals([...findOption(options, 2)!], [5, 120]);
}

const bytesOf = (...values: number[]) => Uint8Array.from(values);
const MAC = new Uint8Array(12);

for (
  const [name, linkType, head] of [
    ["raw IP", 101, bytesOf()],
    ["BSD raw IP", 12, bytesOf()],
    ["NULL, little-endian", 0, bytesOf(2, 0, 0, 0)],
    ["NULL, big-endian", 0, bytesOf(0, 0, 0, 2)],
    ["LOOP", 108, bytesOf(0, 0, 0, 2)],
    ["Ethernet", 1, bytesOf(...MAC, 8, 0)],
    ["Ethernet with a tag", 1, bytesOf(...MAC, 0x81, 0, 0, 5, 8, 0)],
    ["Ethernet with two tags", 1, bytesOf(...MAC, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0)],
    ["PPPoE", 1, bytesOf(...MAC, 0x88, 0x64, 0x11, 0, 0, 1, 0, 60, 0, 0x21)],
    ["Linux SLL", 113, bytesOf(0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0)],
    ["Linux SLL2", 276, bytesOf(8, 0, ...new Uint8Array(18))],
    ["Linux SLL2 with a tag", 276, bytesOf(0x81, 0, ...new Uint8Array(18), 0, 5, 8, 0)],
  ] as const
) {
  Deno.test(`a segment is found behind ${name}`, () => isOurs(read(linkType, concat([head, v4()]))));
}

Deno.test("IPv4 options are stepped over, and padding is no payload", () => {
  isOurs(read(101, concat([v4(bytesOf(1, 1, 1, 0)), new Uint8Array(6)])));
});

Deno.test("IPv6 extension headers are stepped over: hop-by-hop, routing, destination, authentication, atomic fragment", () => {
  isOurs(read(101, v6()));
  const authentication = new Uint8Array(24);
  authentication[1] = 4;
  const long = new Uint8Array(16);
  long[1] = 1;
  isOurs(read(101, v6([[0, new Uint8Array(8)], [43, long], [60, new Uint8Array(8)], [51, authentication]])));
  isOurs(read(101, v6([[44, new Uint8Array(8)]])));
});

Deno.test("fragments are known for what they are", () => {
  assertEquals(read(101, v4(undefined, 0, true)), "fragment");
  assertEquals(read(101, v4(undefined, 9)), "fragment");
  assertEquals(read(101, v6([[44, bytesOf(0, 0, 0, 1, 0, 0, 0, 0)]])), "fragment");
});

Deno.test("what the snap length left suffices as long as the TCP header is there", () => {
  const whole = v4();
  isOurs(read(101, whole.subarray(0, 20 + 28), whole.length));
  const { length, options } = read(101, whole.subarray(0, 40), whole.length) as CapturedSegment;
  assertEquals([length, options.length], [10, 0]);
  assertEquals(read(101, whole.subarray(0, 39), whole.length), "cut");
});

Deno.test("a length of zero is that of the record: the packet was captured before its card filled it in", () => {
  const bytes = v4();
  bytes[2] = bytes[3] = 0;
  isOurs(read(101, bytes));
});

Deno.test("other things are told apart", () => {
  assertEquals(read(1, concat([MAC, bytesOf(8, 6), new Uint8Array(28)])), "other");
  assertEquals(read(105, v4()), "link-type");
  assertEquals(read(101, bytesOf(0x20, 0, 0, 0)), "malformed");
  const udp = v4();
  udp[9] = 17;
  assertEquals(read(101, udp), "other");
});

Deno.test("any bytes are answered, never with an exception", () => {
  const linkTypes = fc.constantFrom(0, 1, 12, 101, 108, 113, 228, 229, 276);
  fc.assert(
    fc.property(linkTypes, fc.uint8Array({ maxLength: 120 }), fc.nat(3), (linkType, bytes, start) => {
      const begun = start === 0
        ? bytes
        : concat([[v4(), v6(), concat([MAC, bytesOf(0x86, 0xdd), v6()])][start - 1].subarray(0, 60), bytes]);
      const found = read(linkType, begun);
      if (typeof found !== "string") findOption(found.options, 5);
    }),
    { numRuns: 3000 },
  );
});
