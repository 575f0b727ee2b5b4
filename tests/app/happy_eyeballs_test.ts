import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { interleave } from "../../src/app/happy_eyeballs.ts";
import { NetworkError } from "../../src/network/errors.ts";
import type { HostOptions, LinkOptions, NatOptions, WorkloadOptions } from "../../src/network/options.ts";
import { built, type Step } from "../network/support/networks.ts";
import { assertConserved, assertEmpty, watch } from "../network/support/probe.ts";

interface Choices {
  clients?: Partial<HostOptions>;
  server?: Partial<HostOptions>;
  gateway?: Partial<NatOptions>;
  workload?: Partial<WorkloadOptions>;
  /** The way that IPv6 takes: beside IPv4's, with a link of its own. */
  ipv6?: LinkOptions;
}

/** Dual-stacked clients behind a gateway, and a server that has a link for each family. */
function network(choices: Choices = {}): Step[] {
  return [
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/24", address6: "2001:db8:1::1/64", ...choices.clients }),
    (n) => n.nat("gateway", { address: "203.0.113.1", address6: "2001:db8:2::1", ...choices.gateway }),
    (n) => n.router("four"),
    (n) =>
      n.host("server", { address: "192.0.2.1", address6: "2001:db8:3::1", listen: [{ port: 80 }], ...choices.server }),
    (n) => n.link("clients", "gateway", { delayNs: 1e6, ...choices.ipv6 }),
    (n) => n.link("gateway", "four", { delayNs: 1e6 }),
    (n) => n.link("four", "server", { delayNs: 3e6 }),
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: ["server:80"],
        connections: 8,
        happyEyeballs: true,
        ...choices.workload,
      }),
  ];
}

function ran(choices: Choices = {}) {
  const simulation = built(network(choices));
  const seen = watch(simulation);
  simulation.run();
  const { connections } = simulation.report();
  simulation.run({ untilNs: 3 * 3600e9, pastQuiescence: true });
  assertConserved(simulation);
  assertEmpty(simulation);
  return { simulation, seen, connections };
}

Deno.test("where IPv6 answers, it is taken and IPv4 is never tried", () => {
  const { connections, seen } = ran();
  assertEquals(connections.ipv6, { attempts: 8, established: 8 });
  assertEquals(connections.ipv4, { attempts: 0, established: 0 });
  assert(seen.every(({ src }) => src.includes(":")));
  assertEquals(connections.connectMs.max, 10);
});

Deno.test("where IPv6 gets no answer, IPv4 is established the attempt delay later", () => {
  for (const attemptDelayNs of [undefined, 100e6]) {
    const { connections } = ran({ gateway: { ipv6: "block" }, workload: { attemptDelayNs } });
    assertEquals([connections.attempted, connections.established, connections.failed], [8, 8, {}]);
    assertEquals([connections.ipv6, connections.ipv4], [
      { attempts: 8, established: 0 },
      { attempts: 8, established: 8 },
    ]);
    assertEquals(connections.connectMs.p50, (attemptDelayNs ?? 250e6) / 1e6 + 10);
    assertEquals(connections.repliesCompleted, 8);
  }
});

Deno.test("an attempt that is refused is followed by the next at once", () => {
  const { connections } = ran({ server: { listen: [{ port: 80, address: "192.0.2.1" }] } });
  assertEquals(connections.ipv4, { attempts: 8, established: 8 });
  assertEquals(connections.connectMs.max, 20);
});

Deno.test("the first attempt to be established wins, and the loser ends without a connection", () => {
  // A round trip of 610 ms: the second attempt begins at 250 ms, and is 250 ms behind all the way.
  const { connections, seen } = ran({ ipv6: { delayNs: 301e6 } });
  assertEquals([connections.attempted, connections.established], [8, 8]);
  assertEquals(connections.ipv6, { attempts: 8, established: 8 });
  assertEquals(connections.ipv4, { attempts: 8, established: 0 });
  assertEquals(connections.open, 0);
  assertEquals(connections.repliesCompleted, 8);
  // What the server answers to the loser is refused.
  const resets = seen.filter(({ to, dst, flags }) => to === "server" && !dst.includes(":") && flags & 4);
  assertEquals(resets.length, 8);
});

Deno.test("the preferred family goes first", () => {
  const { connections } = ran({ workload: { preferredFamily: "ipv4" } });
  assertEquals([connections.ipv4.established, connections.ipv6.attempts], [8, 0]);
});

Deno.test("a race that nobody wins is one failure, of the last attempt's kind", () => {
  const { connections } = ran({ server: { listen: [] } });
  assertEquals([connections.attempted, connections.established], [8, 0]);
  assertEquals(connections.failed, { ECONNREFUSED: 8 });
  assertEquals([connections.ipv4.attempts, connections.ipv6.attempts], [8, 8]);
});

Deno.test("what cannot be opened at all fails at once, once", () => {
  const { connections } = ran({ clients: { maxFiles: 0 } });
  assertEquals(connections.failed, { EMFILE: 8 });
  const single = ran({ clients: { address6: undefined }, server: { address6: undefined } }).connections;
  assertEquals([single.ipv4.established, single.ipv6.attempts], [8, 0]);
});

Deno.test("without Happy Eyeballs the preferred family alone is tried", () => {
  const plain = (workload: Partial<WorkloadOptions>, more: Choices = {}) =>
    ran({ ...more, workload: { happyEyeballs: false, ...workload } }).connections;
  assertEquals(plain({}).ipv6.established, 8);
  assertEquals(plain({ preferredFamily: "ipv4" }).ipv4.established, 8);
  assertEquals(plain({ family: "ipv4" }).ipv4.established, 8);
  // A client without an address of the family takes the other.
  assertEquals(plain({}, { clients: { address6: undefined } }).ipv4.established, 8);
});

Deno.test("a share of the clients has IPv6: they use it, the others go through the gateway's ports", () => {
  for (const [ipv6Share, over6] of [[0, 0], [0.25, 2], [0.5, 4], [1, 8]]) {
    for (const happyEyeballs of [true, false]) {
      const { connections, simulation } = ran({ clients: { ipv6Share }, workload: { happyEyeballs } });
      assertEquals([connections.ipv6.established, connections.ipv4.established], [over6, 8 - over6]);
      const gateway = simulation.report().limits.find(({ limit }) => limit === "nat-pool")!;
      assertEquals(gateway.used, 8 - over6);
    }
  }
});

Deno.test("family ipv6 reaches every member behind gateways, whose IPv4 addresses repeat", () => {
  const simulation = built([
    (n) =>
      n.host("peers", { count: 6, address: "192.168.1.2/24", address6: "2001:db8:1::1/64", listen: [{ port: 6881 }] }),
    (n) => n.nat("homes", { count: 3, address: "203.0.113.1/24", address6: "2001:db8:2::1/64" }),
    (n) => n.router("isp"),
    (n) => n.link("peers", "homes", { delayNs: 1e6 }),
    (n) => n.link("homes", "isp", { delayNs: 1e6 }),
    (n) =>
      n.workload({ name: "t", kind: "torrent", from: ["peers"], to: ["peers:6881"], family: "ipv6", connections: 30 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  const { established, ipv6 } = simulation.report().connections;
  assertEquals([established, ipv6.established], [30, 30]);
  // Nobody connects to itself: every pair has met, once each way.
  const opened = seen.filter(({ from, flags }) => from.startsWith("peers") && flags === 2);
  assertEquals(new Set(opened.map(({ src, dst }) => `${src} ${dst}`)).size, 30);
});

Deno.test("requests over UDP take the family that both ends have", () => {
  const over = (clients: Partial<HostOptions>, workload: Partial<WorkloadOptions> = {}) => {
    const simulation = built(network({
      clients,
      server: { listen: [{ port: 80, protocol: "udp" }] },
      workload: { transport: "udp", happyEyeballs: false, connections: 4, ...workload },
    }));
    const seen = watch(simulation);
    simulation.run();
    const answered = seen.filter(({ to, protocol }) => to.startsWith("clients") && protocol === 17);
    assertEquals(answered.length, 4);
    return answered.filter(({ src }) => src.includes(":")).length;
  };
  assertEquals(over({}), 4);
  assertEquals(over({ ipv6Share: 0.5 }), 2);
  assertEquals(over({}, { preferredFamily: "ipv4" }), 0);
  assertEquals(over({}, { family: "ipv4" }), 0);
});

Deno.test("a name that only IPv4 has is reached by hosts of IPv6 alone, through DNS64 and NAT64", () => {
  const records = { "four.example.com": ["four"], "both.example.com": ["both"] };
  const simulation = built([
    (n) => n.host("phones", { count: 3, address: "2001:db8:1::1/64", resolver: "2001:db8:9::53" }),
    (n) => n.nat("gateway", { address: "203.0.113.1", address6: "2001:db8:2::1", nat64: "64:ff9b::/96" }),
    (n) => n.host("ns", { address: "2001:db8:9::53", dns: { records, dns64: "64:ff9b::/96" } }),
    (n) => n.host("four", { address: "192.0.2.1", listen: [{ port: 80 }] }),
    (n) => n.host("both", { address: "192.0.2.2", address6: "2001:db8:3::2", listen: [{ port: 80 }] }),
    (n) => n.router("isp"),
    (n) => n.link("phones", "gateway", { delayNs: 1e6 }),
    (n) => n.link("gateway", "isp", { delayNs: 1e6 }),
    (n) => n.link("isp", "ns", { delayNs: 1e6 }),
    (n) => n.link("isp", "four", { delayNs: 1e6 }),
    (n) => n.link("isp", "both", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "w",
        kind: "request-response",
        from: ["phones"],
        to: ["four.example.com:80", "both.example.com:80"],
        connections: 6,
        happyEyeballs: true,
      }),
  ]);
  simulation.run();
  const { connections, limits } = simulation.report();
  assertEquals([connections.repliesCompleted, connections.ipv6.established], [6, 6]);
  // What has IPv6 itself is reached without the gateway's ports.
  assertEquals(limits.find(({ limit }) => limit === "nat-pool")!.used, 3);
});

Deno.test("races are the same whatever the numbering and the order of declaration", () => {
  const digest = (order: number[] | undefined, numbering = {}) => {
    const steps = network({ gateway: { ipv6: "block" }, workload: { arrivals: { kind: "poisson", perSecond: 20 } } });
    const simulation = built(order === undefined ? steps : order.map((i) => steps[i]), { numbering });
    simulation.run();
    return [simulation.digest, simulation.eventDigest];
  };
  const expected = digest(undefined);
  fc.assert(
    fc.property(
      fc.shuffledSubarray(network().map((_, i) => i), { minLength: network().length }),
      fc.nat(100),
      fc.boolean(),
      (order, skip, reversed) => assertEquals(digest(order, { skip, reversed }), expected),
    ),
    { numRuns: 6 },
  );
  assertNotEquals(ran().simulation.digest, expected[0]);
});

Deno.test("families take turns, the preferred one first, each in its own order", () => {
  const into: number[] = [9];
  interleave([1, 2, 3], [11], into);
  assertEquals(into, [1, 11, 2, 3]);
  interleave([], [11, 12], into);
  assertEquals(into, [11, 12]);
});

Deno.test("an attempt delay below RFC 8305's least is refused", () => {
  const error = assertThrows(() => built(network({ workload: { attemptDelayNs: 9e6 } })), NetworkError);
  assertEquals(error.subject, "workloads.load.attemptDelay");
});
