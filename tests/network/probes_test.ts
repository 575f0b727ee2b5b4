import { assert, assertEquals, assertThrows } from "@std/assert";
import { SocketError } from "../../src/base/errors.ts";
import { Network, NetworkError } from "../../src/network/network.ts";
import type { ProbeOptions } from "../../src/network/probe_options.ts";
import { behindNat } from "./support/homes.ts";
import { built, star, type Step } from "./support/networks.ts";

/** a -- r1 -- r2 -- b, both hosts dual-stacked; 20 ms and something there and back. */
function line(options: { mtu?: number; loss?: number } = {}): Step[] {
  return [
    (n) => n.host("a", { address: "10.0.0.1/24", address6: "2001:db8:1::1/64" }),
    (n) => n.host("b", { address: "192.0.2.1/24", address6: "2001:db8:2::1/64" }),
    (n) => n.router("r1", { address: "198.18.0.1", address6: "2001:db8:f::1/64" }),
    (n) => n.router("r2", { address: "198.18.0.2", address6: "2001:db8:f::2/64" }),
    (n) => n.link("a", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "r2", { delayNs: 8e6, ...options }),
    (n) => n.link("r2", "b", { delayNs: 1e6 }),
  ];
}

Deno.test("ping sends echo requests and prints what comes back as ping does", () => {
  const simulation = built(line());
  const probe = simulation.host("a").ping("192.0.2.1", { count: 3 });
  simulation.run();
  assertEquals(
    probe.outcome().text,
    `PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.
64 bytes from 192.0.2.1: icmp_seq=1 ttl=62 time=20.0 ms
64 bytes from 192.0.2.1: icmp_seq=2 ttl=62 time=20.0 ms
64 bytes from 192.0.2.1: icmp_seq=3 ttl=62 time=20.0 ms

--- 192.0.2.1 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 2020ms
rtt min/avg/max/mdev = 20.000/20.000/20.000/0.000 ms
`,
  );
  // Who has all answers waits for nothing more.
  assertEquals(simulation.nowNs, 2_020e6);
});

Deno.test("traceroute names the routers on the way, over IPv4 and IPv6", () => {
  const simulation = built(line());
  const [v4, v6] = ["192.0.2.1", "2001:db8:2::1"].map((to) => simulation.host("a").traceroute(to));
  simulation.run();
  assertEquals(
    v4.outcome().text,
    `traceroute to 192.0.2.1 (192.0.2.1), 30 hops max, 60 byte packets
 1  198.18.0.1  2.000 ms  2.000 ms  2.000 ms
 2  198.18.0.2  18.000 ms  18.000 ms  18.000 ms
 3  192.0.2.1  20.000 ms  20.000 ms  20.000 ms
`,
  );
  assertEquals(v6.outcome().hops.map(({ addresses }) => addresses), [["2001:db8:f::1"], ["2001:db8:f::2"], [
    "2001:db8:2::1",
  ]]);
});

Deno.test("what is lost is waited for, and counted", () => {
  const simulation = built(line({ loss: 0.5 }));
  const probe = simulation.host("a").ping("192.0.2.1", { count: 100, intervalNs: 1e7, timeoutNs: 2e9 });
  simulation.run();
  const { sent, received, lossPercent } = probe.outcome();
  assertEquals(sent, 100);
  assert(received > 5 && received < 50);
  assertEquals(lossPercent, 100 - received);
  assert(simulation.nowNs >= 99e7 + 2e9);
});

Deno.test("errors are shown with whom they come from", () => {
  const ttl = built(line());
  const short = ttl.host("a").ping("192.0.2.1", { count: 1, ttl: 2 });
  ttl.run();
  assertEquals(short.outcome().text.split("\n")[1], "From 198.18.0.2 icmp_seq=1 Time to live exceeded");
  assertEquals([short.outcome().errors, short.outcome().received], [1, 0]);
  const mtu = built(line({ mtu: 1300 }));
  const large = mtu.host("a").ping("192.0.2.1", { count: 1, bytes: 1400 });
  mtu.run();
  assertEquals(large.outcome().text.split("\n")[1], "From 198.18.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1300)");
  const nowhere = built(line());
  const lost = nowhere.host("a").traceroute("203.0.113.9");
  nowhere.run();
  assertEquals(lost.outcome().text.split("\n")[2], " 2  198.18.0.1  2.000 ms !H  2.000 ms !H  2.000 ms !H");
  assertEquals(lost.outcome().hopCount, 2);
});

Deno.test("two hosts ping at once through one NAT, and each gets its own answers", () => {
  const simulation = built(behindNat());
  const probes = [0, 1].map((i) => simulation.host(`lan[${i}]`).ping("192.0.2.1", { count: 2 }));
  const trace = simulation.host("lan[0]").traceroute("192.0.2.1", { count: 1 });
  simulation.run();
  assertEquals(probes.map((probe) => probe.outcome().received), [2, 2]);
  assertEquals(trace.outcome().hops.map(({ addresses }) => addresses[0]), [
    "10.0.0.254",
    "10.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
  ]);
});

Deno.test("a silent hop is a row of stars", () => {
  const simulation = built([...line(), (n) => {
    n.event({ kind: "link", atNs: 0, link: "r2--b", state: "down", convergenceNs: Infinity });
  }]);
  const probe = simulation.host("a").traceroute("192.0.2.1", { mostHops: 4, timeoutNs: 1e9 });
  simulation.run();
  assertEquals(probe.outcome().text.split("\n").slice(3, 5), [" 3  * * *", " 4  * * *"]);
});

Deno.test("a host pings itself", () => {
  const simulation = built(line());
  const probes = ["10.0.0.1", "127.0.0.1"].map((to) => simulation.host("a").ping(to, { count: 1 }));
  simulation.run();
  assertEquals(probes.map((probe) => probe.outcome().rttMs.max), [0, 0]);
});

Deno.test("done is called with the outcome, and what makes no sense is refused", () => {
  const simulation = built(star());
  const host = simulation.host("clients[0]");
  let received = -1;
  host.ping("192.0.2.1", { count: 2, intervalNs: 0 }, (outcome) => received = outcome.received);
  simulation.run();
  assertEquals(received, 2);
  assertThrows(() => host.ping("192.0.2.1", { count: 0 }), RangeError, "count: A whole number from 1 to 10000");
  assertThrows(() => host.ping("2001:db8::1"), SocketError, "ENETUNREACH");
});

function declared(...probes: ProbeOptions[]): Network {
  const network = new Network();
  for (const step of line()) step(network);
  for (const probe of probes) network.probe(probe);
  return network;
}

Deno.test("probes are declared, part of the document, and independent of numbering", () => {
  const probes: ProbeOptions[] = [
    { name: "z", kind: "ping", from: "a", to: "b", atNs: 1e9, count: 2 },
    { name: "y", kind: "traceroute", from: "b", to: "10.0.0.1" },
    { name: "x", kind: "ping", from: "a", to: "b", family: "ipv4", atNs: 1e9 },
  ];
  const simulation = declared(...probes).build();
  simulation.run();
  const report = simulation.report();
  assertEquals(report.probes.map(({ name, address }) => [name, address]), [
    ["y", "10.0.0.1"],
    ["x", "192.0.2.1"],
    ["z", "2001:db8:2::1"],
  ]);
  const document = JSON.parse(JSON.stringify(declared(...probes.toReversed()).toJSON()));
  const again = Network.fromJSON(document, { reversed: true, skip: 3 }).build();
  again.run();
  assertEquals([again.digest, again.report().probes], [simulation.digest, report.probes]);
});

Deno.test("whom a probe names must be there", () => {
  const refused: [ProbeOptions, string, string][] = [
    [{ name: "p", kind: "ping", from: "c", to: "b" }, "probes.p.from", 'no node called "c"'],
    [{ name: "p", kind: "ping", from: "r1", to: "b" }, "probes.p.from", "r1 is none"],
    [{ name: "p", kind: "ping", from: "a", to: "x.example" }, "probes.p.to", 'no node called "x.example"'],
    [{ name: "p", kind: "png" as "ping", from: "a", to: "b" }, "probes.p.kind", "One of ping, traceroute"],
    [{ name: "p", kind: "ping", from: "a", to: "b", ttl: 0 }, "probes.p.ttl", "from 1 to 255"],
  ];
  for (const [probe, subject, sentence] of refused) {
    assertEquals(assertThrows(() => declared(probe).build(), NetworkError, sentence).subject, subject);
  }
});
