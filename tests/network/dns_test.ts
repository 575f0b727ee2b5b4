import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import type { HostOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { DnsServerOptions } from "../../src/network/options_dns.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { UDP_SOCKET } from "../../src/transport/udp.ts";
import { decodeDns, DNS_TYPE, type DnsMessage } from "../../src/wire/dns.ts";
import { isWireError } from "../../src/wire/error.ts";
import { CONTROL, EXTRA, PACKET } from "../../src/wire/packet.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, assertEmpty } from "./support/probe.ts";

const WWW = "www.example.com";
const ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

interface Parts {
  dns?: DnsServerOptions;
  clients?: Partial<HostOptions>;
  web?: Partial<HostOptions>;
  workload?: Partial<WorkloadOptions>;
  /** Between the DNS server and the router. */
  loss?: number;
  more?: Step[];
}

/** Clients, three web servers and a DNS server around a router, a millisecond each. */
function network({ dns, clients, web, workload, loss, more = [] }: Parts = {}): Step[] {
  return [
    (n) => n.host("ns", { address: "192.0.2.53/24", dns: { records: { [WWW]: ADDRESSES }, ...dns } }),
    (n) => n.host("web", { count: 3, address: "192.0.2.1/24", listen: [{ port: 80 }], ...web }),
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/16", resolver: "ns", ...clients }),
    (n) => n.router("r1"),
    (n) => n.link("ns", "r1", { delayNs: 1e6, loss }),
    (n) => n.link("web", "r1", { delayNs: 1e6 }),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    ...more,
    (n) =>
      n.workload({
        name: "pages",
        kind: "request-response",
        from: ["clients"],
        to: [`${WWW}:80`],
        connections: 12,
        arrivals: { kind: "rate", perSecond: 10 },
        ...workload,
      }),
  ];
}

function ran(parts: Parts, untilNs?: number): Simulation {
  const simulation = built(network(parts));
  simulation.run(untilNs === undefined ? {} : { untilNs });
  assertConserved(simulation);
  return simulation;
}

/** Connections by address, in the order of addresses. */
function spread(simulation: Simulation): number[] {
  return simulation.report().targets.filter(({ target, name }) => target !== name).map((one) => one.established);
}

/** The DNS messages that reach their destination, in order, with the time in ms and the source port. */
function listen(simulation: Simulation): { ms: number; to: string; port: number; message: DnsMessage }[] {
  const seen: { ms: number; to: string; port: number; message: DnsMessage }[] = [];
  simulation.onDelivery((p, timeNs, _from, to) => {
    const { rows, extras, payloads } = simulation.packets;
    const at = p * PACKET.STRIDE;
    if (to === "r1" || (rows.words[at + PACKET.CONTROL] & CONTROL.REAL_PAYLOAD) === 0) return;
    const extra = rows.words[at + PACKET.EXTRA] * EXTRA.STRIDE;
    const message = decodeDns(payloads.get(extras.words[extra + EXTRA.PAYLOAD]));
    assert(!isWireError(message));
    seen.push({ ms: timeNs / 1e6, to, port: rows.words[at + PACKET.PORTS] >>> 16, message });
  });
  return seen;
}

Deno.test("a connection to a name asks, and goes where the answer says: its time counts from the question", () => {
  const simulation = built(network({ workload: { connections: 1 } }));
  const seen = listen(simulation);
  simulation.run();
  assertEquals(seen.map(({ to, ms }) => [to, ms]), [["ns", 2], ["clients[0]", 4]]);
  const [query, answer] = seen.map(({ message }) => message);
  assertEquals([query.questions, query.recursionDesired, query.id], [
    [{ name: WWW, type: DNS_TYPE.A, class: 1 }],
    true,
    answer.id,
  ]);
  assertEquals(
    answer.answers.map(({ ttl, data }) => [ttl, data]),
    [1, 2, 3].map((i) => {
      return [300, { address: { family: 4 as const, words: [0xc0000200 + i] } }];
    }),
  );
  const { connections, dns } = simulation.report();
  assertEquals([connections.attempted, connections.established, connections.connectMs.max], [1, 1, 8]);
  assertEquals([dns.lookups, dns.answered, dns.queries, dns.served, dns.lookupMs.max], [1, 1, 1, 1, 4]);
});

Deno.test("without caches, round robin spreads connections evenly, a remainder to the first", () => {
  const clients = { resolver: { servers: ["ns"], cache: false } };
  for (const [connections, ...expected] of [[12, 4, 4, 4], [14, 5, 5, 4]]) {
    assertEquals(spread(ran({ clients, workload: { connections } })), expected);
  }
});

Deno.test("a fixed order sends everybody to the first address", () => {
  assertEquals(spread(ran({ dns: { order: "fixed" } })), [12, 0, 0]);
});

Deno.test("a client that remembers an answer sticks to one address until its TTL is over", () => {
  // Four clients get four orders, and keep them.
  const sticky = ran({ workload: { connections: 40 } });
  assertEquals(spread(sticky), [20, 10, 10]);
  assertEquals([sticky.report().dns.queries, sticky.report().dns.cacheHits], [4, 36]);
  // 39 arrivals in 3.9 s: with a TTL of a second each client asks again after 1.2 s, in its turn.
  const fresh = ran({ dns: { ttlNs: 1e9 }, workload: { connections: 40 } });
  assertEquals(fresh.report().dns.queries, 16);
});

Deno.test("a TTL of 0 is not remembered", () => {
  assertEquals(ran({ dns: { ttlNs: 0 } }).report().dns.queries, 12);
});

Deno.test("a question under way is not asked twice by a host with a cache", () => {
  const at = { arrivals: { kind: "at-once" } } as const;
  assertEquals(ran({ workload: at }).report().dns.queries, 4);
  assertEquals(
    ran({ workload: at, clients: { resolver: { servers: ["ns"], cache: false } } }).report().dns.queries,
    12,
  );
});

Deno.test("behind a shared resolver everybody goes to one address until the TTL is over", () => {
  const more: Step[] = [
    (n) => n.host("isp", { address: "198.51.100.1/24", dns: { forward: "ns" } }),
    (n) => n.link("isp", "r1", { delayNs: 1e6 }),
  ];
  const clients = { count: 12, resolver: { servers: ["isp"], cache: false } };
  const simulation = ran({ more, clients, dns: { ttlNs: 1e9 }, workload: { connections: 24 } });
  // It learns the first order at 0.004 s and the second at 1.104 s: eleven questions come while each is good.
  assertEquals(spread(simulation), [11, 11, 2]);
  const { dns } = simulation.report();
  assertEquals([dns.served, dns.forwarded], [24 + 3, 3]);
});

Deno.test("a shared resolver may itself rotate what it remembers", () => {
  const more: Step[] = [
    (n) => n.host("isp", { address: "198.51.100.1/24", dns: { forward: "ns", forwardOrder: "rotate" } }),
    (n) => n.link("isp", "r1", { delayNs: 1e6 }),
  ];
  assertEquals(spread(ran({ more, clients: { resolver: { servers: ["isp"], cache: false } } })), [4, 4, 4]);
});

Deno.test("a shared resolver tells how much of the TTL is left", () => {
  const more: Step[] = [
    (n) => n.host("isp", { address: "198.51.100.1/24", dns: { forward: "ns" } }),
    (n) => n.link("isp", "r1", { delayNs: 1e6 }),
  ];
  const simulation = built(network({
    more,
    clients: { resolver: "isp" },
    workload: { connections: 2, arrivals: { kind: "rate", perSecond: 0.1 } },
  }));
  const seen = listen(simulation);
  simulation.run();
  const ttls = seen.filter(({ to }) => to.startsWith("clients")).map(({ message }) => message.answers[0].ttl);
  // It learnt that at 0.004 s, and is asked at 10.002 s.
  assertEquals(ttls, [300, 290]);
});

Deno.test("a name that does not exist fails as EAI_NONAME, and that is remembered", () => {
  const simulation = ran({ workload: { to: ["nosuch.example.com:80"] } });
  const { connections, dns } = simulation.report();
  assertEquals([connections.attempted, connections.established, connections.failed], [12, 0, { EAI_NONAME: 12 }]);
  assertEquals([dns.queries, dns.cacheHits, dns.failed], [4, 8, { EAI_NONAME: 12 }]);
});

Deno.test("a name without an address of the host's family fails as EAI_NODATA", () => {
  const { connections, dns } = ran({ dns: { records: { [WWW]: ["2001:db8::1"] } } }).report();
  assertEquals([connections.failed, dns.queries], [{ EAI_NODATA: 12 }, 4]);
});

Deno.test("a name that the server does not speak for is refused, asked for again, and fails as EAI_AGAIN", () => {
  const { connections, dns, simulatedSeconds } = ran({
    workload: { connections: 1, to: ["www.elsewhere.org:80"] },
  }).report();
  assertEquals([connections.failed, dns.queries, dns.timeouts], [{ EAI_AGAIN: 1 }, 2, 0]);
  assertEquals(simulatedSeconds, 0.008);
});

Deno.test("a server that is silent is asked twice, five seconds each, as resolv.conf says", () => {
  const simulation = ran({ loss: 1, workload: { connections: 1 } });
  const { connections, dns, simulatedSeconds } = simulation.report();
  assertEquals([connections.failed, dns.queries, dns.timeouts, simulatedSeconds], [{ EAI_AGAIN: 1 }, 2, 2, 10]);
});

Deno.test("the next server has its turn when the first is silent", () => {
  const more: Step[] = [
    (n) => n.host("mute", { address: "198.51.100.9/24" }),
    (n) => n.link("mute", "r1", { delayNs: 1e6, loss: 1 }),
  ];
  const clients = { resolver: { servers: ["mute", "ns"], timeoutNs: 2e9 } };
  const { connections, dns } = ran({ more, clients, workload: { connections: 1 } }).report();
  assertEquals([connections.established, dns.queries, dns.timeouts], [1, 2, 1]);
  assertEquals(connections.connectMs.max, 2008);
});

Deno.test("a host without a server says so by ICMP: nobody waits for it", () => {
  const more: Step[] = [
    (n) => n.host("plain", { address: "198.51.100.9/24" }),
    (n) => n.link("plain", "r1", { delayNs: 1e6 }),
  ];
  const { connections, dns, simulatedSeconds } = ran({
    more,
    clients: { resolver: "plain" },
    workload: { connections: 1 },
  }).report();
  assertEquals([connections.failed, dns.queries, dns.timeouts], [{ EAI_AGAIN: 1 }, 2, 0]);
  assertEquals(simulatedSeconds, 0.008);
});

Deno.test("lost questions and answers are repeated, and every connection is made in the end", () => {
  const { connections, dns } = ran({
    loss: 0.2,
    clients: { resolver: { servers: ["ns"], attempts: 30, cache: false } },
    workload: { connections: 100 },
  }).report();
  assertEquals(connections.established, 100);
  assertEquals(dns.queries, 100 + dns.timeouts);
  assert(dns.timeouts > 20 && dns.timeouts < 100);
});

Deno.test("where the first address fails the next is tried: one connection wanted, one made", () => {
  const web = { count: 2, address: "192.0.2.2/24" };
  const more: Step[] = [
    (n) => n.host("closed", { address: "192.0.2.1/24" }),
    (n) => n.link("closed", "r1", { delayNs: 1e6 }),
  ];
  const simulation = ran({ web, more, clients: { resolver: { servers: ["ns"], cache: false } } });
  const { connections, targets } = simulation.report();
  assertEquals([connections.attempted, connections.established, connections.failed], [12, 12, {}]);
  assertEquals(targets.map(({ target, established, failed }) => [target, established, failed]), [
    [`${WWW}:80`, 12, 4],
    ["192.0.2.1:80", 0, 4],
    ["192.0.2.2:80", 8, 0],
    ["192.0.2.3:80", 4, 0],
  ]);
  assertEquals(connections.connectMs.max, 12);
});

Deno.test("where every address fails, the last failure is the connection's", () => {
  const { connections } = ran({ web: { listen: [] }, workload: { connections: 5 } }).report();
  assertEquals([connections.attempted, connections.failed], [5, { ECONNREFUSED: 5 }]);
});

Deno.test("an alias leads to its name's addresses, by the server's answer or by another question", () => {
  const records = { [WWW]: ADDRESSES, "img.example.com": { alias: WWW } };
  assertEquals(spread(ran({ dns: { records }, workload: { to: ["img.example.com:80"] } })), [6, 3, 3]);
  // A server that knows the alias alone: the client asks for the name itself.
  const more: Step[] = [
    (n) => n.host("cdn", { address: "198.51.100.1/24", dns: { records: { "img.cdn.net": { alias: WWW } } } }),
    (n) => n.link("cdn", "r1", { delayNs: 1e6 }),
  ];
  const { connections, dns } = ran({
    more,
    clients: { resolver: "cdn" },
    workload: { connections: 1, to: ["img.cdn.net:80"] },
  }).report();
  // The second question goes to the same server, which refuses it.
  assertEquals([connections.failed, dns.queries], [{ EAI_AGAIN: 1 }, 3]);
});

Deno.test("aliases that go round in circles end in EAI_AGAIN", () => {
  const records = { "a.example.com": { alias: "b.example.com" }, "b.example.com": { alias: "a.example.com" } };
  const { connections } = ran({ dns: { records }, workload: { connections: 1, to: ["a.example.com:80"] } }).report();
  assertEquals(connections.failed, { EAI_AGAIN: 1 });
});

Deno.test("names of members and of dual-stacked hosts are all their addresses, IPv6 first", () => {
  const dual = { address6: "2001:db8::1/64" };
  const simulation = built(network({
    dns: { records: { [WWW]: ["web"] } },
    web: dual,
    clients: { address6: "2001:db8:1::1/64", resolver: { servers: ["ns"], cache: false } },
  }));
  const seen = listen(simulation);
  simulation.run();
  assertEquals(seen.filter(({ to }) => to === "ns").map(({ message }) => message.questions[0].type).slice(0, 2), [
    DNS_TYPE.A,
    DNS_TYPE.AAAA,
  ]);
  assertEquals(spread(simulation), [0, 0, 0, 4, 4, 4]);
  assertEquals(simulation.report().connections.ipv6, { attempts: 12, established: 12 });
});

Deno.test("question ids and source ports differ, and are the same in every run", () => {
  const draws = () => {
    const simulation = built(network({ clients: { resolver: { servers: ["ns"], cache: false } } }));
    const seen = listen(simulation);
    simulation.run();
    return seen.filter(({ to }) => to === "ns").map(({ message, port }) => `${message.id} ${port}`);
  };
  const first = draws();
  assertEquals(new Set(first.map((draw) => draw.split(" ")[0])).size, 12);
  assertEquals(new Set(first.map((draw) => draw.split(" ")[1])).size, 12);
  assertEquals(draws(), first);
});

Deno.test("TTLs and answers that came in time do not keep a run going, and nothing is left behind", () => {
  const simulation = built(network());
  simulation.run();
  assertEquals(simulation.nowNs < 1.2e9 + 61e9, true);
  const { partition } = simulation;
  assertEquals(partition.timers.live, 0);
  // The server's socket is all that is open.
  assertEquals(partition.udpSockets!.rows.inUse, 1);
  assertEquals(partition.udpSockets!.rows.words[UDP_SOCKET.STRIDE + UDP_SOCKET.PORTS] >>> 16, 53);
  simulation.run({ untilNs: 20_000e9, pastQuiescence: true });
  assertEquals(partition.timers.pending, 0);
  assertEmpty(simulation);
});

Deno.test("what is wrong with names is told in a sentence", () => {
  const refused = (parts: Parts, subject: string, words: RegExp) => {
    const error = assertThrows(() => built(network(parts)), NetworkError);
    assertEquals(error.subject, subject);
    assert(words.test(error.message), error.message);
  };
  refused({ clients: { resolver: undefined } }, "workloads.pages.to[0]", /clients has nobody to ask for www/);
  refused({ dns: { records: { "a..b": ADDRESSES } } }, "nodes.ns.dns.records", /empty label/);
  refused({ dns: { records: { [WWW]: ["192.0.2.999"] } } }, "nodes.ns.dns.records", /above 255/);
  refused({ dns: { records: { [WWW]: ["wbe"] } } }, "nodes.ns.dns.records", /Did you mean "web"/);
  refused({ dns: { records: { [WWW]: {} } } }, "nodes.ns.dns.records", /no addresses and an alias/);
  refused({ dns: { zones: ["example.org"] } }, "nodes.ns.dns.records", /none of the zones/);
  refused({ dns: { records: {} } }, "nodes.ns.dns", /has records, or forwards/);
  refused({ dns: { ttlNs: 1.5e9 } }, "nodes.ns.dns.records.ttl", /whole number of seconds/);
  refused({ dns: { dns64: "64:ff9b::/90" } }, "nodes.ns.dns.dns64", /96 bits/);
  refused({ dns: { udpBytes: 100 } }, "nodes.ns.dns.udpBytes", /512 to 65535/);
  refused({ clients: { resolver: "203.0.113.1" } }, "nodes.clients.resolver", /cannot be reached/);
  refused({ clients: { resolver: { servers: [] } } }, "nodes.clients.resolver", /at least one server/);
  refused({ clients: { resolver: { servers: ["ns"], attempts: 0 } } }, "nodes.clients.resolver.attempts", /1 to 255/);
});

Deno.test("code looks names up by its host's resolver", () => {
  const simulation = built(network({ workload: { connections: 0 } }));
  const told: unknown[] = [];
  const ask = (name: string, host = "clients[1]") => {
    simulation.host(host).lookup(name, (error, addresses) => {
      told.push([simulation.nowNs / 1e6, error?.code ?? addresses]);
    });
  };
  ask(WWW);
  simulation.run();
  ask(WWW);
  ask("nosuch.example.com");
  ask(WWW, "web[0]");
  simulation.run();
  assertEquals(told, [[4, ADDRESSES], [4, ADDRESSES], [4, "EAI_AGAIN"], [8, "EAI_NONAME"]]);
  assertThrows(() => ask("a..b"), RangeError);
});
