import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/base/address.ts";
import { decodeDns, DNS_RCODE, DNS_TYPE, type DnsMessage, type DnsRecord, encodeDns } from "../../src/wire/dns.ts";
import { canonicalName, notADnsName, parentName } from "../../src/wire/dns_name.ts";
import { isWireError } from "../../src/wire/error.ts";
import { anyAddress, anyU16, anyU32, fromHex } from "./support/rows.ts";

const anyLabel = fc.string({ unit: fc.constantFrom(..."abcXYZ019-_"), minLength: 1, maxLength: 12 });
const anyName = fc.array(anyLabel, { maxLength: 5 }).map((labels) => labels.join("."));
const anyTtl = fc.nat(2 ** 31 - 1);

const anyRecord: fc.Arbitrary<DnsRecord> = fc.record({
  name: anyName,
  class: fc.constant(1),
  ttl: anyTtl,
  what: fc.oneof(
    anyAddress(4).map((address) => ({ type: DNS_TYPE.A as number, data: { address } })),
    anyAddress(6).map((address) => ({ type: DNS_TYPE.AAAA as number, data: { address } })),
    fc.tuple(fc.constantFrom(DNS_TYPE.NS, DNS_TYPE.CNAME, DNS_TYPE.PTR), anyName)
      .map(([type, target]) => ({ type: type as number, data: { target } })),
    fc.record({
      server: anyName,
      mailbox: anyName,
      serial: anyU32,
      refresh: anyU32,
      retry: anyU32,
      expire: anyU32,
      minimum: anyU32,
    }).map((soa) => ({ type: DNS_TYPE.SOA as number, data: { soa } })),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ type: 16, data: { bytes } })),
  ),
}).map(({ what, ...rest }) => ({ ...rest, ...what }));

const anyMessage: fc.Arbitrary<DnsMessage> = fc.record({
  id: anyU16,
  response: fc.boolean(),
  opcode: fc.nat(15),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  rcode: fc.nat(15),
  questions: fc.array(fc.record({ name: anyName, type: anyU16, class: fc.constant(1) }), { maxLength: 2 }),
  answers: fc.array(anyRecord, { maxLength: 6 }),
  authorities: fc.array(anyRecord, { maxLength: 2 }),
  additionals: fc.array(anyRecord, { maxLength: 3 }),
});

const query: DnsMessage = {
  id: 0x1234,
  response: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  rcode: 0,
  questions: [{ name: "www.example.com", type: DNS_TYPE.A, class: 1 }],
  answers: [],
  authorities: [],
  additionals: [],
};

function answers(count: number): DnsRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    name: "www.example.com",
    type: DNS_TYPE.A,
    class: 1,
    ttl: 300,
    data: { address: parseAddress(`192.0.2.${i}`) },
  }));
}

Deno.test("a DNS message decodes to what was encoded, but for the case of repeated names", () => {
  const folded = (message: DnsMessage) => JSON.parse(canonicalName(JSON.stringify(message)));
  fc.assert(
    fc.property(anyMessage, fc.constantFrom(undefined, 512, 1232), (message, udpBytes) => {
      const sent = udpBytes === undefined ? message : { ...message, edns: { udpBytes, version: 0 } };
      const decoded = decodeDns(encodeDns(sent));
      assert(!isWireError(decoded));
      assertEquals(folded(decoded), folded(sent));
    }),
    { numRuns: 300 },
  );
});

Deno.test("a query has the bytes that RFC 1035 draws", () => {
  assertEquals(
    encodeDns(query),
    fromHex("1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001"),
  );
});

Deno.test("names are compressed: an answer's owner is a pointer to the question", () => {
  const bytes = encodeDns({ ...query, response: true, answers: answers(1) });
  assertEquals(bytes.slice(33), fromHex("c00c 0001 0001 0000012c 0004 c0000200"));
});

Deno.test("an answer too long for the datagram is cut at a record and says so with TC", () => {
  for (const edns of [undefined, { udpBytes: 1232, version: 0 }]) {
    const bytes = encodeDns({ ...query, response: true, answers: answers(100), edns }, 512);
    assert(bytes.length <= 512);
    const decoded = decodeDns(bytes);
    assert(!isWireError(decoded));
    assert(decoded.truncated);
    // 12 of the header, 21 of the question, 16 an answer, 11 of OPT.
    assertEquals(decoded.answers, answers(Math.floor((512 - 33 - (edns === undefined ? 0 : 11)) / 16)));
    assertEquals(decoded.edns, edns);
  }
});

Deno.test("additional records that do not fit are left out without TC", () => {
  const decoded = decodeDns(encodeDns({ ...query, answers: answers(2), additionals: answers(50) }, 200));
  assert(!isWireError(decoded));
  assertEquals([decoded.truncated, decoded.answers.length], [false, 2]);
  assert(decoded.additionals.length > 0 && decoded.additionals.length < 50);
});

Deno.test("a response code above 15 goes with the OPT record", () => {
  const decoded = decodeDns(encodeDns({ ...query, rcode: 0x123, edns: { udpBytes: 1232 } }));
  assert(!isWireError(decoded));
  assertEquals(decoded.rcode, 0x123);
});

Deno.test("bytes cut short are a WireError, whatever was cut", () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), (message, cut) => {
      const bytes = encodeDns(message);
      assert(isWireError(decodeDns(bytes.slice(0, cut % bytes.length))));
    }),
  );
});

Deno.test("any bytes decode to a message or a WireError, and what decodes can be encoded", () => {
  const mangled = fc.tuple(anyMessage, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }))
    .map(([message, changes]) => {
      const bytes = encodeDns(message);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mangled), (bytes) => {
      const decoded = decodeDns(bytes);
      if (isWireError(decoded)) return void assertEquals(decoded.layer, "dns");
      assert(!isWireError(decodeDns(encodeDns(decoded))));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a pointer that leads forwards or to itself is refused", () => {
  const header = "1234 0100 0001 0000 0000 0000";
  for (const name of ["c00c", "c00e 00", "0161 c00c"]) {
    const decoded = decodeDns(fromHex(`${header} ${name} 0001 0001`));
    assert(isWireError(decoded));
    assertEquals(decoded.code, "name");
  }
});

Deno.test("pointers cannot stretch a name beyond 255 bytes", () => {
  const label = `3f${"61".repeat(63)}`;
  const bytes = fromHex(`1234 0100 0002 0000 0000 0000 ${label}${label}${label} 00 0001 0001 ${label} c00c 0001 0001`);
  const decoded = decodeDns(bytes);
  assert(isWireError(decoded));
  assertEquals(decoded.code, "name");
});

Deno.test("a TTL with its leading bit set counts as 0", () => {
  const bytes = encodeDns({ ...query, answers: answers(1) });
  bytes[39] |= 0x80;
  const decoded = decodeDns(bytes);
  assert(!isWireError(decoded));
  assertEquals(decoded.answers[0].ttl, 0);
});

Deno.test("what is no domain name is refused before it is sent", () => {
  for (const name of ["a..b", ".a", "a".repeat(64), `${"abcdefg.".repeat(32)}com`, "münchen.de", "a\\"]) {
    assert(notADnsName(name) !== undefined, name);
    assertThrows(() => encodeDns({ ...query, questions: [{ name, type: 1 }] }), RangeError);
  }
  for (const name of ["", ".", "a", "a.", "_dns.example.com", "a\\.b.c", `${"abcdefg.".repeat(31)}ab`]) {
    assertEquals(notADnsName(name), undefined, name);
  }
});

Deno.test("a label may hold any byte: it is escaped as text", () => {
  const name = "a\\.b\\\\\\000\\255.example";
  const decoded = decodeDns(encodeDns({ ...query, questions: [{ name, type: 1, class: 1 }] }));
  assert(!isWireError(decoded));
  assertEquals(decoded.questions[0].name, name);
  assertEquals(parentName(name), "example");
});

Deno.test("names are equal whatever their case", () => {
  assertEquals(canonicalName("WWW.Example.com."), "www.example.com");
  assertEquals(parentName("example"), "");
  assertEquals(parentName(""), undefined);
  assertEquals(DNS_RCODE.NXDOMAIN, 3);
});
