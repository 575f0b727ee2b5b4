import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NetworkError } from "../../src/network/errors.ts";
import type { NatOptions, WorkloadOptions } from "../../src/network/options.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, assertEmpty, hops, type Seen, send, watch } from "./support/probe.ts";

const PREFIX = "64:ff9b::/96";
/** 192.0.2.1 by the prefix. */
const SERVER = "64:ff9b::c000:201";

interface Choices {
  gateway?: Partial<NatOptions>;
  workload?: Partial<WorkloadOptions>;
  /** MTU of the link between the gateway and the IPv4 network. */
  outerMtu?: number;
  innerMtu?: number;
}

/** IPv6 hosts -- home -- NAT64 -- isp -- an IPv4 server. */
function network({ gateway, workload, outerMtu, innerMtu }: Choices = {}): Step[] {
  const steps: Step[] = [
    (n) => n.host("six", { count: 4, address: "2001:db8:1::1/64", listen: [{ port: 8080 }] }),
    (n) => n.router("home", { address: "2001:db8:2::1" }),
    (n) => n.nat("gateway", { address: "203.0.113.1", nat64: PREFIX, ...gateway }),
    (n) => n.router("isp", { address: "198.51.100.1" }),
    (n) => n.host("server", { address: "192.0.2.1", listen: [{ port: 80 }] }),
    (n) => n.link("six", "home", { delayNs: 1e6 }),
    (n) => n.link("home", "gateway", { delayNs: 1e6, mtu: innerMtu }),
    (n) => n.link("gateway", "isp", { delayNs: 1e6, mtu: outerMtu }),
    (n) => n.link("isp", "server", { delayNs: 1e6 }),
  ];
  if (workload === undefined) return steps;
  return [...steps, (n) =>
    n.workload({
      name: "load",
      kind: "request-response",
      from: ["six"],
      to: [`[${SERVER}]:80`],
      connections: 12,
      ...workload,
    })];
}

Deno.test("IPv6 hosts are served by an IPv4 server, through sessions that go when they are over", () => {
  const simulation = built(network({ workload: { requests: 2, replyBytes: 20_000 } }));
  const seen = watch(simulation);
  simulation.run();
  const { established, repliesCompleted, ipv6 } = simulation.report().connections;
  assertEquals([established, repliesCompleted, ipv6.established], [12, 24, 12]);
  const atServer = new Set(seen.filter(({ to }) => to === "server").map(({ src }) => src));
  assertEquals([...atServer], ["203.0.113.1"]);
  const atHosts = new Set(seen.filter(({ to }) => to.startsWith("six")).map(({ src }) => src));
  assertEquals([...atHosts], [SERVER]);
  simulation.run({ untilNs: 3 * 3600e9, pastQuiescence: true });
  assertConserved(simulation);
  assertEmpty(simulation);
});

Deno.test("the same by a prefix of an operator's own, of any length", () => {
  const inside: [string, string][] = [
    ["2001:db8::/32", "2001:db8:c000:201::"],
    ["2001:db8:100::/40", "2001:db8:1c0:2:1::"],
    ["2001:db8:122::/48", "2001:db8:122:c000:2:100::"],
    ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:201::"],
    ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:100::"],
  ];
  for (const [nat64, address] of inside) {
    const steps = network({ gateway: { nat64 }, workload: { to: [`[${address}]:80`] } });
    // (The hosts' own addresses lie outside of the prefix.)
    steps[0] = (n) => n.host("six", { count: 4, address: "2001:db9::1/64" });
    steps[1] = (n) => n.router("home");
    const simulation = built(steps);
    simulation.run();
    assertEquals(simulation.report().connections.repliesCompleted, 12, nat64);
  }
});

Deno.test("links of the IPv4 side take 1,260 bytes, for IPv6 hosts send so much and nothing is fragmented", () => {
  const workload = { kind: "bulk", bytes: 20_000, connections: 1 } as const;
  assertThrows(
    () => built(network({ outerMtu: 1259, workload })),
    NetworkError,
    "the link from gateway to isp has an MTU of 1259, and what comes from IPv6 by a NAT64 needs 1,260",
  );
  const simulation = built(network({ outerMtu: 1260, workload }));
  simulation.run();
  const { failed, broken } = simulation.report().connections;
  assertEquals([failed, broken], [{}, {}]);
});

/** Echo requests with rising TTLs; who answered, with what, about whom. */
function traced(simulation: ReturnType<typeof built>, from: string, src: string, dst: string): string[] {
  const seen = watch(simulation);
  for (let ttl = 1; ttl <= 4; ttl++) send(simulation, { from, src, dst, ttl, id: 9 });
  simulation.run();
  return seen.filter(({ to }) => to === from).map(({ src, icmp, quotedDst }) =>
    `${src} ${icmp.toString(16)} ${quotedDst}`
  );
}

Deno.test("every hop on the way tells of the end of the hop limit, in the family of the sender", () => {
  assertEquals(traced(built(network({ gateway: { address6: "2001:db8:3::1" } })), "six[0]", "2001:db8:1::1", SERVER), [
    `2001:db8:2::1 300 ${SERVER}`,
    `2001:db8:3::1 300 ${SERVER}`,
    `64:ff9b::c633:6401 300 ${SERVER}`,
    `${SERVER} 8100 `,
  ]);
  // A gateway without an IPv6 address speaks from its IPv4 address within the prefix.
  assertEquals(
    traced(built(network()), "six[0]", "2001:db8:1::1", SERVER)[1],
    `64:ff9b::cb00:7101 300 ${SERVER}`,
  );
});

Deno.test("errors about what comes in tell of the external endpoint, in ICMP", () => {
  const simulation = built(network());
  const seen = watch(simulation);
  send(simulation, { from: "six[0]", src: "2001:db8:1::1", dst: SERVER, protocol: "UDP", sport: 7000, dport: 7 });
  simulation.run();
  seen.length = 0;
  for (let ttl = 1; ttl <= 4; ttl++) {
    send(simulation, { from: "server", dst: "203.0.113.1", protocol: "UDP", sport: 7, dport: 7000, ttl });
  }
  simulation.run();
  const told = seen.filter(({ to, protocol }) => to === "server" && protocol === 1);
  assertEquals(
    told.map(({ src, icmp, quotedDst, quotedPorts }) =>
      `${src} ${icmp.toString(16)} ${quotedDst}:${quotedPorts & 0xffff}`
    ),
    [
      "198.51.100.1 b00 203.0.113.1:7000",
      "203.0.113.1 b00 203.0.113.1:7000",
      // From the home router and from the host, which nobody outside can name.
      "203.0.113.1 b00 203.0.113.1:7000",
      "203.0.113.1 303 203.0.113.1:7000",
    ],
  );
});

const mtusTold = (seen: Seen[], to: string) => [
  ...new Set(
    seen.filter((one) =>
      one.to.startsWith(to) && (one.icmp === 0x0304 || one.icmp === 0x0200) &&
      (one.protocol === 1 || one.protocol === 58)
    ).map(({ rest }) => rest),
  ),
];

Deno.test("path MTUs are found both ways: 20 bytes more within IPv6, 20 less within IPv4", () => {
  // A server's packets of 1,500 bytes would be 1,520 inside. (TCP's are not: the client's MSS is for IPv6.)
  const down = built(network({ workload: { kind: "bulk", direction: "download", bytes: 100_000, connections: 1 } }));
  const seenDown = watch(down);
  send(down, { from: "six[0]", src: "2001:db8:1::1", dst: SERVER, protocol: "UDP", sport: 7000, dport: 7 });
  down.run();
  assertEquals(down.partition.stats.bytesReceived, 100_000);
  assertEquals(mtusTold(seenDown, "server"), []);
  send(down, { from: "server", dst: "203.0.113.1", protocol: "UDP", sport: 7, dport: 7000, length: 1472 });
  down.run();
  assertEquals(mtusTold(seenDown, "server"), [1480]);
  // A narrow link outside is told to the host inside, 20 bytes wider.
  const up = built(network({ outerMtu: 1400, workload: { kind: "bulk", bytes: 100_000, connections: 1 } }));
  const seenUp = watch(up);
  up.run();
  assertEquals(up.partition.tcp.counters.bytesIn, 100_000);
  assertEquals(mtusTold(seenUp, "six"), [1420]);
  // A narrow link inside, beyond the gateway's own: its router's error is translated.
  const inner = network({ workload: { kind: "bulk", direction: "download", bytes: 100_000, connections: 1 } });
  inner[5] = (n) => {
    n.router("street");
    n.link("six", "street", { delayNs: 1e6 });
    n.link("street", "home", { delayNs: 1e6, mtu: 1300 });
  };
  const narrow = built(inner);
  const seen = watch(narrow);
  narrow.run();
  assertEquals(narrow.partition.stats.bytesReceived, 100_000);
  assertEquals(mtusTold(seen, "server"), [1280]);
});

Deno.test("an inner host is told why it is refused, if the gateway says so", () => {
  const simulation = built(network({
    gateway: { portLow: 2000, portHigh: 2007, onRefusal: "icmp", address6: "2001:db8:3::1" },
    workload: { kind: "hold" },
  }));
  simulation.run({ untilNs: 10e9 });
  const { connections, limits } = simulation.report();
  assertEquals([connections.established, connections.failed], [8, { EACCES: 4 }]);
  const [limit] = limits;
  assertEquals([limit.limit, limit.used, limit.capacity, limit.refused], ["nat-pool", 8, 8, 4]);
});

Deno.test("inner hosts meet by the gateway's address within the prefix", () => {
  const simulation = built(network({
    gateway: { forwards: [{ protocol: "tcp", externalPort: 8000, address: "2001:db8:1::4", port: 8080 }] },
    workload: { to: ["[64:ff9b::cb00:7101]:8000"], from: ["six[0..2]"], kind: "hold", connections: 6 },
  }));
  const seen = watch(simulation);
  simulation.run();
  assertEquals(simulation.report().connections.established, 6);
  assert(seen.every(({ to }) => to !== "isp"));
});

Deno.test("an IPv4 host outside reaches a forwarded port of an IPv6 host", () => {
  const simulation = built(network({
    gateway: { forwards: [{ protocol: "tcp", externalPort: 8000, address: "2001:db8:1::4", port: 8080 }] },
    workload: { from: ["server"], to: ["gateway:8000"], kind: "hold", connections: 3 },
  }));
  const seen = watch(simulation);
  simulation.run();
  assertEquals(simulation.report().connections.established, 3);
  assertEquals(new Set(seen.filter(({ to }) => to === "six[3]").map(({ src }) => src)), new Set([SERVER]));
});

Deno.test("the gateway is pinged by its addresses, and what it does not know has no route", () => {
  const simulation = built(network({ gateway: { address6: "2001:db8:3::1" } }));
  const seen = watch(simulation);
  const ping = (dst: string) => {
    seen.length = 0;
    send(simulation, { from: "six[0]", src: "2001:db8:1::1", dst });
    simulation.run();
    return seen.filter(({ to }) => to === "six[0]").map(({ src, icmp }) => `${src} ${icmp.toString(16)}`);
  };
  assertEquals(ping("2001:db8:3::1"), ["2001:db8:3::1 8100"]);
  assertEquals(ping("64:ff9b::cb00:7101"), ["64:ff9b::cb00:7101 8100"]);
  assertEquals(ping("2001:db8:99::1"), ["2001:db8:3::1 103"]);
  assertEquals(ping("64:ff9b::a00:1"), []);
  assertEquals(simulation.report().packets.dropped["nat-unsupported"], 1);
  // An address that nobody has: the IPv4 network says so.
  assertEquals(ping("64:ff9b::c000:263"), ["64:ff9b::c633:6401 100"]);
});

Deno.test("one gateway serves IPv4 hosts and IPv6 hosts from one pool, and routes IPv6 beside", () => {
  const simulation = built([
    ...network({ gateway: { address6: "2001:db8:3::1" }, workload: { connections: 4 } }),
    (n) => n.host("dual", { count: 2, address: "10.0.0.2/24", address6: "2001:db8:4::1/64" }),
    (n) => n.host("web6", { address: "2001:db8:5::1", listen: [{ port: 80 }] }),
    (n) => n.link("dual", "home", { delayNs: 1e6 }),
    (n) => n.link("isp", "web6", { delayNs: 1e6 }),
    (n) => n.workload({ name: "four", kind: "request-response", from: ["dual"], to: ["server:80"], connections: 4 }),
    (n) =>
      n.workload({ name: "six", kind: "request-response", from: ["dual", "six"], to: ["web6:80"], connections: 6 }),
  ]);
  simulation.run();
  const { connections, limits } = simulation.report();
  assertEquals([connections.repliesCompleted, connections.failed], [14, {}]);
  assertEquals(limits.find(({ limit }) => limit === "nat-pool")!.used, 8);
});

Deno.test("a run through a NAT64 is the same whatever the numbering and the order of declaration", () => {
  const steps = () =>
    network({ outerMtu: 1400, workload: { replyBytes: 5000, arrivals: { kind: "poisson", perSecond: 90 } } });
  const digests = (list: Step[], numbering = {}) => {
    const simulation = built(list, { numbering });
    simulation.run();
    return [simulation.digest, simulation.eventDigest];
  };
  const expected = digests(steps());
  fc.assert(
    fc.property(
      fc.shuffledSubarray(steps().map((_, i) => i), { minLength: steps().length }),
      fc.nat(200),
      fc.boolean(),
      (order, skip, reversed) => assertEquals(digests(order.map((i) => steps()[i]), { skip, reversed }), expected),
    ),
    { numRuns: 6 },
  );
});

Deno.test("what is wrong with a NAT64 is said in a sentence", () => {
  const refused = (choices: Choices) => {
    const error = assertThrows(() => built(network(choices)), NetworkError);
    return `${error.subject}: ${error.message}`;
  };
  assertEquals(
    refused({ gateway: { nat64: "64:ff9b::/95" } }),
    'nodes.gateway.nat64: "64:ff9b::/95" cannot hold IPv4 addresses: expected an IPv6 prefix of 32, 40, 48, 56, 64 or ' +
      "96 bits, such as 64:ff9b::/96.",
  );
  assertEquals(
    refused({ gateway: { mapping: "address-dependent" } }),
    "nodes.gateway.mapping: A NAT64's mapping is endpoint-independent, not address-dependent.",
  );
  assertEquals(
    refused({ gateway: { address: "2001:db8:9::1" } }),
    "nodes.gateway.nat64: A NAT64 translates to IPv4: its address is an IPv4 address.",
  );
  assertEquals(
    refused({ workload: { to: ["[64:ff9b::c000:263]:80"] } }),
    "workloads.load.to[0]: [64:ff9b::c000:263]:80 (64:ff9b::c000:263) cannot be reached from six[0]: isp has no route " +
      "to it.",
  );
});

Deno.test("of two NAT64s with one prefix each host uses the nearest", () => {
  const simulation = built([
    ...network(),
    (n) => n.router("far"),
    (n) => n.nat("other", { address: "203.0.113.2", nat64: PREFIX }),
    (n) => n.host("remote", { address: "2001:db8:7::1" }),
    (n) => n.link("remote", "far", { delayNs: 1e6 }),
    (n) => n.link("far", "home", { delayNs: 1e6 }),
    (n) => n.link("far", "other", { delayNs: 1e6 }),
    (n) => n.link("other", "isp", { delayNs: 1e6 }),
  ]);
  const seen = watch(simulation);
  send(simulation, { from: "six[0]", src: "2001:db8:1::1", dst: SERVER });
  simulation.run();
  assertEquals(hops(seen).slice(0, 4), ["home", "gateway", "isp", "server"]);
  seen.length = 0;
  send(simulation, { from: "remote", src: "2001:db8:7::1", dst: SERVER });
  simulation.run();
  assertEquals(hops(seen).slice(0, 4), ["far", "other", "isp", "server"]);
});
