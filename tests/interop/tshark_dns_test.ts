import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../src/base/address.ts";
import { DNS_RCODE, DNS_TYPE, type DnsMessage, encodeDns } from "../../src/wire/dns.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL } from "../../src/wire/packet.ts";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { encodePacket } from "../../src/wire/row_codec.ts";
import { concatenate } from "../wire/support/capture_readers.ts";
import { world } from "../wire/support/rows.ts";
import { interopTest, runOn } from "../wire/support/tools.ts";

const NAME = "www.example.com";

const query: DnsMessage = {
  id: 0xbeef,
  response: false,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  rcode: DNS_RCODE.NOERROR,
  questions: [{ name: NAME, type: DNS_TYPE.A }],
  answers: [],
  authorities: [],
  additionals: [],
  edns: { udpBytes: 1232 },
};

const soa = {
  server: "ns.example.com",
  mailbox: "hostmaster.example.com",
  serial: 7,
  refresh: 1,
  retry: 2,
  expire: 3,
  minimum: 60,
};

const messages: DnsMessage[] = [
  query,
  {
    ...query,
    response: true,
    authoritative: true,
    recursionAvailable: true,
    answers: [
      { name: NAME, type: DNS_TYPE.CNAME, ttl: 30, data: { target: "web.example.com" } },
      { name: "web.example.com", type: DNS_TYPE.A, ttl: 20, data: { address: parseAddress("192.0.2.7") } },
      { name: "web.example.com", type: DNS_TYPE.AAAA, ttl: 20, data: { address: parseAddress("64:ff9b::192.0.2.7") } },
    ],
  },
  {
    ...query,
    response: true,
    rcode: DNS_RCODE.NXDOMAIN,
    authorities: [{ name: "example.com", type: DNS_TYPE.SOA, ttl: 60, data: { soa } }],
  },
  { ...query, response: true, truncated: true, edns: undefined },
];

/** The message in a UDP datagram between port 53 and a client, as a captured packet. */
function datagram(message: DnsMessage): Uint8Array {
  const w = world();
  const p = w.pool.allocate();
  const bytes = encodeDns(message);
  const extra = w.pool.extraOf(p);
  w.pool.extras.words[extra * EXTRA.STRIDE + EXTRA.PAYLOAD] = w.pool.payloads.put(bytes);
  const words = w.pool.rows.words;
  const at = p * PACKET.STRIDE;
  words[at + PACKET.SRC] = w.addresses.intern("192.0.2.53");
  words[at + PACKET.DST] = w.addresses.intern("198.51.100.1");
  words[at + PACKET.PORTS] = message.response ? (53 << 16) | 40_000 : (40_000 << 16) | 53;
  words[at + PACKET.CONTROL] = (PROTOCOL.UDP << CONTROL.PROTOCOL_SHIFT) | CONTROL.REAL_PAYLOAD;
  words[at + PACKET.WINDOW_TTL_TOS] = 64 << 8;
  words[at + PACKET.LENGTH] = bytes.length;
  const into = new Uint8Array(2000);
  return into.slice(0, encodePacket(w.pool, w.addresses, p, into));
}

interopTest("tshark", "tshark reads our DNS messages, and finds nothing to complain about", async () => {
  const file = concatenate([pcapHeader(), ...messages.map((message, i) => pcapRecord(i, datagram(message)))]);
  const fields = [
    "dns.id",
    "dns.flags.response",
    "dns.flags.rcode",
    "dns.flags.truncated",
    "dns.qry.name",
    "dns.count.answers",
    "dns.cname",
    "dns.a",
    "dns.aaaa",
    "dns.soa.minimum_ttl",
    "dns.rr.udp_payload_size",
    "_ws.expert.message",
  ];
  const args = ["-n", "-r", "-", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"];
  const printed = await runOn("tshark", [...args, ...fields.flatMap((field) => ["-e", field])], file);
  const rows = printed.trimEnd().split("\n").map((line) => line.split("|"));
  assertEquals(rows.map((row) => row.slice(4, 11)), [
    [NAME, "0", "", "", "", "", "1232"],
    [NAME, "3", "web.example.com", "192.0.2.7", "64:ff9b::c000:207", "", "1232"],
    [NAME, "0", "", "", "", "60", "1232"],
    [NAME, "0", "", "", "", "", ""],
  ]);
  assertEquals(rows.map((row) => row[0]), messages.map(() => "0xbeef"));
  assertEquals(rows.map((row) => row[2]), ["", "0", "3", "0"]);
  for (const [i, row] of rows.entries()) assert(!/malformed|error/i.test(row[11] ?? ""), `${i}: ${row[11]}`);
});
