import { assert, assertEquals } from "@std/assert";
import type { DnsServerOptions } from "../../src/network/options_dns.ts";
import { decodeDns, DNS_RCODE, DNS_TYPE, type DnsMessage, encodeDns } from "../../src/wire/dns.ts";
import { formatAddress } from "../../src/base/address.ts";
import { isWireError } from "../../src/wire/error.ts";
import { built, type Step } from "./support/networks.ts";

/** Asks the server `at` of a network some questions, one after the other, and returns its answers. */
function ask(
  dns: DnsServerOptions,
  questions: { name: string; type: number }[],
  options: { upstream?: DnsServerOptions; message?: Partial<DnsMessage>; bytes?: Uint8Array } = {},
): DnsMessage[] {
  const steps: Step[] = [
    (n) => n.host("ns", { address: "2001:db8::53/64", address6: undefined, extraAddresses: ["192.0.2.53"], dns }),
    (n) => n.host("client", { address: "2001:db8:1::1/64" }),
    (n) => n.router("r1"),
    (n) => n.link("ns", "r1", { delayNs: 1e6 }),
    (n) => n.link("client", "r1", { delayNs: 1e6 }),
  ];
  if (options.upstream !== undefined) {
    steps.push((n) => n.host("upstream", { address: "192.0.2.100/24", dns: options.upstream }));
    steps.push((n) => n.link("upstream", "r1", { delayNs: 1e6 }));
  }
  const simulation = built(steps);
  const socket = simulation.host("client").udp();
  const answers: DnsMessage[] = [];
  socket.on("message", (bytes) => {
    const message = decodeDns(bytes);
    assert(!isWireError(message));
    answers.push(message);
  });
  for (const [i, question] of questions.entries()) {
    const message: DnsMessage = {
      id: i,
      response: false,
      opcode: 0,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: false,
      rcode: 0,
      questions: [question],
      answers: [],
      authorities: [],
      additionals: [],
      ...options.message,
    };
    socket.send(options.bytes ?? encodeDns(message), { address: "2001:db8::53", port: 53 });
    simulation.run();
  }
  return answers;
}

/** `AAAA 64:ff9b::c000:201 300`, for each record. */
function told({ answers }: DnsMessage): string[] {
  return answers.map(({ type, ttl, data }) => {
    const name = Object.entries(DNS_TYPE).find(([, value]) => value === type)![0];
    const text = "address" in data ? formatAddress(data.address) : "target" in data ? data.target : "";
    return `${name} ${text} ${ttl}`;
  });
}

const { A, AAAA, CNAME, SOA, NS, PTR } = DNS_TYPE;
const records = {
  "www.example.com": ["192.0.2.1", "192.0.2.2"],
  "both.example.com": ["192.0.2.3", "2001:db8::3"],
  "img.example.com": { alias: "www.example.com" },
  "v6.example.com": ["2001:db8::4"],
};
const dns64 = "64:ff9b::/96";

Deno.test("DNS64 makes IPv6 addresses of a name that has IPv4 ones only", () => {
  const [first, second, plain] = ask({ records, dns64 }, [
    { name: "www.example.com", type: AAAA },
    { name: "www.example.com", type: AAAA },
    { name: "www.example.com", type: A },
  ]);
  // RFC 6147 5.1.7: the SOA's TTL is the shorter one.
  assertEquals(told(first), ["AAAA 64:ff9b::c000:201 60", "AAAA 64:ff9b::c000:202 60"]);
  assertEquals(told(second), ["AAAA 64:ff9b::c000:202 60", "AAAA 64:ff9b::c000:201 60"]);
  assertEquals(told(plain), ["A 192.0.2.1 300", "A 192.0.2.2 300"]);
});

Deno.test("DNS64 leaves names alone that have IPv6 addresses, and those that do not exist", () => {
  const [both, missing] = ask({ records, dns64 }, [
    { name: "both.example.com", type: AAAA },
    { name: "nosuch.example.com", type: AAAA },
  ]);
  assertEquals(told(both), ["AAAA 2001:db8::3 300"]);
  assertEquals([missing.rcode, told(missing)], [DNS_RCODE.NXDOMAIN, []]);
});

Deno.test("DNS64 follows aliases, and keeps them in the answer", () => {
  const [answer] = ask({ records, dns64 }, [{ name: "img.example.com", type: AAAA }]);
  assertEquals(told(answer), [
    "CNAME www.example.com 300",
    "AAAA 64:ff9b::c000:201 60",
    "AAAA 64:ff9b::c000:202 60",
  ]);
});

Deno.test("a forwarding DNS64 asks for the IPv4 addresses too; the shorter TTL of both answers counts", () => {
  const upstream = { records, negativeTtlNs: 7e9, order: "fixed" } as const;
  const [answer, v6, alias] = ask({ forward: "upstream", dns64 }, [
    { name: "www.example.com", type: AAAA },
    { name: "v6.example.com", type: AAAA },
    { name: "img.example.com", type: AAAA },
  ], { upstream });
  assertEquals(told(answer), ["AAAA 64:ff9b::c000:201 7", "AAAA 64:ff9b::c000:202 7"]);
  assertEquals([answer.authoritative, answer.recursionAvailable], [false, true]);
  assertEquals(told(v6), ["AAAA 2001:db8::4 300"]);
  assertEquals(told(alias).map((line) => line.split(" ")[0]), ["CNAME", "AAAA", "AAAA"]);
});

/** The same questions of a DNS64 that knows the answers itself, and of one that asks for them. */
function eachWay(records: DnsServerOptions["records"], prefix: string, questions: { name: string; type: number }[]) {
  return [
    ask({ records, dns64: prefix }, questions),
    ask({ forward: "upstream", dns64: prefix }, questions, { upstream: { records } }),
  ];
}

Deno.test("DNS64 takes ::ffff:0:0/96 for no IPv6 address (RFC 6147 5.1.4)", () => {
  const records = {
    "mapped.example.com": ["::ffff:192.0.2.9", "192.0.2.1"],
    "mixed.example.com": ["::ffff:192.0.2.9", "2001:db8::1", "192.0.2.1"],
    "only.example.com": ["::ffff:192.0.2.9"],
  };
  const names = ["mapped", "mixed", "only"].map((label) => ({ name: `${label}.example.com`, type: AAAA }));
  for (const [mapped, mixed, only] of eachWay(records, dns64, names)) {
    assertEquals(told(mapped).map((line) => line.split(" ")[1]), ["64:ff9b::c000:201"]);
    assertEquals(told(mixed), ["AAAA 2001:db8::1 300"]);
    assertEquals([only.rcode, told(only)], [DNS_RCODE.NOERROR, []]);
  }
  const [asItIs] = ask({ records }, [{ name: "mapped.example.com", type: AAAA }]);
  assertEquals(told(asItIs), ["AAAA ::ffff:192.0.2.9 300"]);
});

Deno.test("by the well-known prefix DNS64 makes no address of a private one, by an operator's own it does (RFC 6052 3.1)", () => {
  const records = { "in.example.com": ["10.1.2.3"], "both.example.com": ["10.1.2.3", "192.0.2.1"] };
  const names = ["in", "both"].map((label) => ({ name: `${label}.example.com`, type: AAAA }));
  for (const [none, one] of eachWay(records, dns64, names)) {
    assertEquals([none.rcode, told(none)], [DNS_RCODE.NOERROR, []]);
    assertEquals(none.authorities.map(({ name, ttl }) => [name, ttl]), [["example.com", 60]]);
    assertEquals(told(one), ["AAAA 64:ff9b::c000:201 60"]);
  }
  for (const [own] of eachWay(records, "2001:db8:64::/96", names)) {
    assertEquals(told(own), ["AAAA 2001:db8:64::a01:203 60"]);
  }
});

Deno.test("a made-up address lives as long as the shorter of its IPv4 address and the SOA, if that is no time at all", () => {
  for (const [ttl, negative, expected] of [[300, 20, 20], [10, 20, 10], [300, 0, 0]]) {
    const options = { records: { "www.example.com": ["192.0.2.1"] }, ttlNs: ttl * 1e9, negativeTtlNs: negative * 1e9 };
    const question = [{ name: "www.example.com", type: AAAA }];
    const line = [`AAAA 64:ff9b::c000:201 ${expected}`];
    assertEquals(told(ask({ ...options, dns64 }, question)[0]), line);
    assertEquals(told(ask({ forward: "upstream", dns64 }, question, { upstream: options })[0]), line);
  }
});

Deno.test("what a forwarder says there is not has the SOA of its zone, whether just learnt or remembered (RFC 2308 section 6)", () => {
  const upstream = { records: { "www.example.com": ["192.0.2.1"] }, negativeTtlNs: 30e9 };
  const questions = [
    { name: "www.example.com", type: AAAA },
    { name: "no.such.example.com", type: A },
  ];
  const answers = ask({ forward: "upstream" }, [...questions, ...questions], { upstream });
  const { NOERROR, NXDOMAIN } = DNS_RCODE;
  assertEquals(answers.map(({ rcode }) => rcode), [NOERROR, NXDOMAIN, NOERROR, NXDOMAIN]);
  for (const { authorities: [{ name, type, data }] } of answers) {
    assertEquals([name, type, "soa" in data && data.soa.server], ["example.com", SOA, "ns.example.com"]);
  }
});

Deno.test("a version of EDNS that there is not is told so (RFC 6891 6.1.3)", () => {
  const edns = { udpBytes: 1232, version: 1 };
  const [answer] = ask({ records }, [{ name: "www.example.com", type: A }], { message: { edns } });
  assertEquals([answer.rcode, answer.answers, answer.edns?.version], [DNS_RCODE.BADVERS, [], 0]);
});

Deno.test("without DNS64 there is no such address, and the zone's SOA says for how long", () => {
  const [answer] = ask({ records, negativeTtlNs: 30e9 }, [{ name: "www.example.com", type: AAAA }]);
  assertEquals([answer.rcode, told(answer), answer.authoritative], [DNS_RCODE.NOERROR, [], true]);
  const [{ name, type, ttl, data }] = answer.authorities;
  assertEquals([name, type, ttl, "soa" in data && data.soa.minimum], ["example.com", SOA, 30, 30]);
});

Deno.test("a server answers for its zone itself, and refuses what it does not speak for", () => {
  const answers = ask({ records }, [
    { name: "example.com", type: SOA },
    { name: "example.com", type: NS },
    { name: "example.com", type: A },
    { name: "img.example.com", type: CNAME },
    { name: "WWW.Example.COM", type: A },
    { name: "www.example.org", type: A },
    { name: "1.2.0.192.in-addr.arpa", type: PTR },
  ]);
  assertEquals(answers.map(({ rcode }) => rcode), [0, 0, 0, 0, 0, DNS_RCODE.REFUSED, DNS_RCODE.REFUSED]);
  assertEquals(answers.map(told).slice(0, 5), [
    ["SOA  60"],
    ["NS ns.example.com 60"],
    [],
    ["CNAME www.example.com 300"],
    ["A 192.0.2.1 300", "A 192.0.2.2 300"],
  ]);
  // RFC 4343, and what resolvers check: the question comes back as it was asked.
  assertEquals(answers[4].questions[0].name, "WWW.Example.COM");
});

Deno.test("names that only others lie in exist without records", () => {
  const [between, below] = ask({ records: { "a.b.example.com": ["192.0.2.1"] }, zones: ["example.com"] }, [
    { name: "b.example.com", type: A },
    { name: "c.example.com", type: A },
  ]);
  assertEquals([between.rcode, below.rcode], [DNS_RCODE.NOERROR, DNS_RCODE.NXDOMAIN]);
});

Deno.test("what is no standard query gets an error, what is no question gets no answer", () => {
  const www = { name: "www.example.com", type: A };
  const rcodes = (message: Partial<DnsMessage>) => ask({ records }, [www], { message }).map(({ rcode }) => rcode);
  assertEquals(rcodes({ opcode: 2 }), [DNS_RCODE.NOTIMP]);
  assertEquals(rcodes({ questions: [www, www] }), [DNS_RCODE.FORMERR]);
  assertEquals(rcodes({ questions: [{ ...www, class: 3 }] }), [DNS_RCODE.REFUSED]);
  assertEquals(rcodes({ response: true }), []);
  assertEquals(ask({ records }, [www], { bytes: new Uint8Array(11) }), []);
  const garbage = ask({ records }, [www], { bytes: Uint8Array.of(0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63) });
  assertEquals(garbage.map(({ rcode, id }) => [rcode, id]), [[DNS_RCODE.FORMERR, 0xabcd]]);
});

Deno.test("an answer is as long as the asker takes, and says when it was cut", () => {
  const many = { records: { "www.example.com": Array.from({ length: 100 }, (_, i) => `192.0.2.${i + 1}`) } };
  const www = { name: "www.example.com", type: A };
  const counts = (edns: DnsMessage["edns"], udpBytes?: number) =>
    ask({ ...many, udpBytes }, [www], { message: { edns } })
      .map(({ answers, truncated }) => [answers.length, truncated])[0];
  assertEquals(counts(undefined), [29, true]);
  assertEquals(counts({ udpBytes: 1232 }), [74, true]);
  assertEquals(counts({ udpBytes: 100 }), [29, true]);
  assertEquals(counts({ udpBytes: 4096 }, 1400), [84, true]);
  // The link carries 1,500 bytes.
  assertEquals(counts({ udpBytes: 4096 }, 4096), [88, true]);
});

Deno.test("a population with IPv6 alone reaches IPv4 servers by name, through DNS64 and NAT64", () => {
  const simulation = built([
    (n) =>
      n.host("ns", {
        address: "192.0.2.53/24",
        address6: "2001:db8:5::53/64",
        dns: { records: { "www.example.com": ["web"] }, dns64 },
      }),
    (n) => n.host("web", { count: 2, address: "192.0.2.1/24", listen: [{ port: 80 }] }),
    (n) => n.host("phones", { count: 4, address: "2001:db8:1::1/64", resolver: "2001:db8:5::53" }),
    (n) => n.nat("nat", { address: "203.0.113.1/24", nat64: dns64 }),
    (n) => n.router("outside"),
    (n) => n.router("inside"),
    (n) => n.link("phones", "inside", { delayNs: 1e6 }),
    (n) => n.link("ns", "inside"),
    (n) => n.link("inside", "nat", { delayNs: 1e6 }),
    (n) => n.link("nat", "outside", { delayNs: 1e6 }),
    (n) => n.link("web", "outside"),
    (n) =>
      n.workload({
        name: "pages",
        kind: "request-response",
        from: ["phones"],
        to: ["www.example.com:80"],
        connections: 8,
      }),
  ]);
  simulation.run();
  const { connections, targets } = simulation.report();
  assertEquals([connections.established, connections.ipv6.established], [8, 8]);
  assertEquals(targets.map(({ target, established }) => [target, established]), [
    ["www.example.com:80", 8],
    ["[64:ff9b::c000:201]:80", 4],
    ["[64:ff9b::c000:202]:80", 4],
  ]);
});
