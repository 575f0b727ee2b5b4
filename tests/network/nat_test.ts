import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DROP } from "../../src/network/drops.ts";
import { gatewayStats } from "../../src/nat/nat.ts";
import { NetworkError } from "../../src/network/errors.ts";
import type { NatBehaviour } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { NODE } from "../../src/node/nodes.ts";
import { built, type Step } from "./support/networks.ts";
import { behindNat, workload } from "./support/homes.ts";
import { assertConserved, assertEmpty, nodeRow, type Seen, send, watch } from "./support/probe.ts";

const EI = "endpoint-independent";
const AD = "address-dependent";
const APD = "address-and-port-dependent";

/** Sends a UDP packet from lan[0]:5000 to each endpoint in turn; the external ports that are seen outside. */
function externalPorts(simulation: Simulation, endpoints: [string, number][]): number[] {
  const seen = watch(simulation);
  for (const [dst, dport] of endpoints) {
    send(simulation, { from: "lan[0]", dst, protocol: "UDP", sport: 5000, dport });
    simulation.run();
  }
  return seen.filter(({ from, to, protocol }) => from === "gw" && to === "isp" && protocol === 17).map(({ sport }) =>
    sport
  );
}

const ENDPOINTS: [string, number][] = [["192.0.2.1", 1], ["192.0.2.1", 2], ["192.0.2.2", 1]];

Deno.test("which destinations share an external port is what the mapping says", () => {
  const shared = (mapping: NatBehaviour) => {
    const [a, b, c] = externalPorts(built(behindNat({ mapping, portAssignment: "random" })), ENDPOINTS);
    return [a === b, a === c];
  };
  assertEquals(shared(EI), [true, true]);
  assertEquals(shared(AD), [true, false]);
  assertEquals(shared(APD), [false, false]);
});

Deno.test("who may answer through a mapping is what the filtering says", () => {
  const admitted = (filtering: NatBehaviour) => {
    const simulation = built(behindNat({ mapping: EI, filtering }));
    const [port] = externalPorts(simulation, [["192.0.2.1", 1000]]);
    const seen = watch(simulation);
    const from = (name: string, sport: number) => {
      send(simulation, { from: name, dst: "203.0.113.1", protocol: "UDP", sport, dport: port });
      simulation.run();
    };
    from("web", 1000), from("web", 1001), from("alt", 1000);
    assertConserved(simulation);
    return seen.filter(({ to, protocol }) => to === "lan[0]" && protocol === 17).map(({ src, sport }) =>
      `${src}:${sport}`
    );
  };
  assertEquals(admitted(EI), ["192.0.2.1:1000", "192.0.2.1:1001", "192.0.2.2:1000"]);
  assertEquals(admitted(AD), ["192.0.2.1:1000", "192.0.2.1:1001"]);
  assertEquals(admitted(APD), ["192.0.2.1:1000"]);
});

Deno.test("refusals begin exactly when the pool is empty, and other subscribers suffer too", () => {
  const simulation = built([
    ...behindNat({ portLow: 2000, portHigh: 2099 }),
    workload({
      name: "greedy",
      from: ["lan[0]"],
      to: ["web:80"],
      connections: 100,
      arrivals: { kind: "rate", perSecond: 1000 },
    }),
    workload({ name: "late", from: ["lan[1]"], to: ["alt:80"], arrivals: { kind: "at-once", startNs: 1e9 } }),
  ]);
  simulation.run({ untilNs: 1e9 - 1 });
  const before = simulation.report();
  assertEquals([before.connections.established, before.packets.dropped["nat-pool"]], [100, undefined]);
  simulation.run();
  const report = simulation.report();
  assertEquals([report.connections.established, report.connections.failed], [100, { ETIMEDOUT: 1 }]);
  const [limit] = report.limits;
  assertEquals([limit.limit, limit.node, limit.used, limit.capacity], ["nat-pool", "gw", 100, 100]);
  assertEquals(limit.firstHitSeconds, 1.002);
});

Deno.test("with onRefusal icmp the refused fail at once", () => {
  const simulation = built([
    ...behindNat({ portLow: 2000, portHigh: 2009, onRefusal: "icmp" }),
    workload({ from: ["lan"], to: ["web:80"], connections: 15 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  assertEquals(simulation.report().connections.failed, { EHOSTUNREACH: 5 });
  const error = seen.find(({ quotedSrc }) => quotedSrc !== "")!;
  assertEquals([error.icmp, error.src, error.from], [0x030d, "10.0.0.1", "gw"]);
  assertEquals(error.quotedSrc, error.dst === "" ? "" : seen.findLast(({ quotedSrc }) => quotedSrc === error.dst)!.dst);
  assert(simulation.nowNs < 1e9);
});

Deno.test("a subscriber's quota refuses its sessions, and nobody else's", () => {
  const simulation = built([
    ...behindNat({ quotaSessions: 4, onRefusal: "icmp" }),
    workload({ name: "greedy", from: ["lan[0]"], to: ["web:80"], connections: 10 }),
    workload({ name: "other", from: ["lan[1]"], to: ["web:80"], connections: 4 }),
  ]);
  simulation.run();
  const report = simulation.report();
  assertEquals([report.connections.established, report.connections.failed], [8, { EHOSTUNREACH: 6 }]);
  assertEquals(report.limits[0].limit, "nat-quota");
  assertEquals(report.packets.dropped["nat-quota"], 6);
});

Deno.test("an idle connection that outlives its session is dead: what the server sends is lost, what the client sends is new", () => {
  const simulation = built([
    ...behindNat({ tcpEstablishedNs: 2e9 }),
    workload({ kind: "request-response", from: ["lan[0]"], to: ["web:80"], requests: 2, thinkNs: 5e9 }),
  ]);
  const seen = watch(simulation);
  simulation.run({ untilNs: 200e9, pastQuiescence: true });
  // The second request finds no session, and no SYN to make one: it is dropped until the client gives up.
  assertEquals(simulation.report().connections.repliesCompleted, 1);
  assert(simulation.report().packets.dropped["nat-no-mapping"] > 3);
  assertEquals(seen.filter(({ to, timeNs, length }) => to === "web" && timeNs > 4e9 && length > 0).length, 0);
});

Deno.test("keep-alives within the timeout keep a session", () => {
  const simulation = built([
    ...behindNat({ tcpEstablishedNs: 2e9 }),
    workload({
      kind: "request-response",
      from: ["lan[0]"],
      to: ["web:80"],
      requests: 2,
      thinkNs: 5e9,
      keepAliveNs: 1e9,
    }),
  ]);
  simulation.run({ untilNs: 20e9, pastQuiescence: true });
  assertEquals(simulation.report().connections.repliesCompleted, 2);
});

Deno.test("sessions are gone after their timeout, and the pool with them", () => {
  const simulation = built([
    ...behindNat({ tcpTransitoryNs: 10e9, tcpEstablishedNs: 20e9, udpNs: 5e9, icmpNs: 3e9 }),
    workload({ kind: "request-response", from: ["lan"], to: ["web:80", "alt:80"], connections: 30 }),
  ]);
  send(simulation, { from: "lan[2]", dst: "192.0.2.1" });
  send(simulation, { from: "lan[2]", dst: "192.0.2.1", protocol: "UDP" });
  simulation.run();
  assert(simulation.partition.nat.sessions.inUse === 0 || simulation.nowNs < 100e9);
  simulation.run({ untilNs: 300e9, pastQuiescence: true });
  assertEmpty(simulation);
  assertConserved(simulation);
});

Deno.test("a port forward is reached from outside, and only that", () => {
  const forwards = [{ protocol: "tcp" as const, externalPort: 8443, address: "10.0.0.3", port: 8080 }];
  const simulation = built([
    ...behindNat({ forwards }),
    workload({ from: ["far"], to: ["gw:8443"], connections: 2 }),
    workload({ name: "closed", from: ["far"], to: ["gw:8444"] }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  const report = simulation.report();
  // RFC 5382 REQ-4: the other SYN is answered with Port Unreachable, after six seconds.
  assertEquals([report.connections.established, report.connections.failed], [2, { ECONNREFUSED: 1 }]);
  assert(
    seen.some(({ to, dst, dport, src }) =>
      to === "lan[1]" && dst === "10.0.0.3" && dport === 8080 && src === "198.51.100.1"
    ),
  );
  assert(seen.some(({ to, src, sport }) => to === "far" && src === "203.0.113.1" && sport === 8443));
});

Deno.test("inner hosts reach a forwarded port by its external address, where hairpinning is on", () => {
  const forwards = [{ protocol: "tcp" as const, externalPort: 8443, address: "10.0.0.3", port: 8080 }];
  for (const hairpinning of [true, false]) {
    const simulation = built([
      ...behindNat({ forwards, hairpinning }),
      workload({ from: ["lan[0]"], to: ["gw:8443"] }),
    ]);
    const seen = watch(simulation);
    simulation.run();
    const { connections, packets } = simulation.report();
    assertEquals(connections.established, hairpinning ? 1 : 0);
    assertEquals(packets.dropped, hairpinning ? {} : { "nat-hairpinning-off": 7 });
    // Both see the other by the external address (RFC 4787 REQ-9).
    const syns = seen.filter(({ to, flags }) => to === "lan[1]" && flags === 2);
    assertEquals(syns.every(({ src }) => src === "203.0.113.1"), true);
    assertEquals(syns.length > 0, hairpinning);
  }
});

Deno.test("what stays in the inner realm is not translated", () => {
  const simulation = built([...behindNat(), workload({ from: ["lan[0]"], to: ["lan[2]:8080"] })]);
  simulation.run();
  assertEquals(simulation.report().connections.established, 1);
  assertEquals(simulation.partition.nat.sessions.inUse, 0);
});

Deno.test("a gateway answers pings at each of its addresses, from either side", () => {
  const simulation = built(behindNat());
  const pings: [string, string][] = [
    ["lan[0]", "10.0.0.1"],
    ["lan[0]", "203.0.113.1"],
    ["far", "203.0.113.1"],
    ["lan[0]", "10.0.0.254"],
    ["lan[0]", "192.0.2.1"],
    ["far", "198.18.0.1"],
  ];
  for (const [from, dst] of pings) {
    const seen = watch(simulation);
    send(simulation, { from, dst, id: 77 });
    simulation.run();
    const last = seen[seen.length - 1];
    assertEquals([last.to, last.src, last.icmp, last.rest >>> 16], [from, dst, 0, 77], `${from} to ${dst}`);
  }
  assertConserved(simulation);
});

/** The error that comes to an inner host, with its quote. */
function innerError(seen: Seen[]): Seen | undefined {
  return seen.find(({ to, quotedSrc }) => to === "lan[0]" && quotedSrc !== "");
}

Deno.test("errors from every hop come back through the gateway, about the packet as the inner host sent it", () => {
  const hops = [["home", "10.0.0.254"], ["gw", "10.0.0.1"], ["isp", "198.18.0.1"]] as const;
  hops.forEach(([name, address], i) => {
    const simulation = built(behindNat({ portAssignment: "random" }));
    const seen = watch(simulation);
    send(simulation, { from: "lan[0]", dst: "192.0.2.1", protocol: "UDP", sport: 5000, dport: 9, ttl: i + 1 });
    simulation.run();
    const error = innerError(seen)!;
    assertNotEquals(error, undefined, name);
    assertEquals([error.src, error.icmp, error.quotedSrc, error.quotedPorts], [
      address,
      0x0b00,
      "10.0.0.2",
      (5000 << 16) | 9,
    ]);
    assertConserved(simulation);
  });
});

Deno.test("errors about what comes in tell of the external address, from every hop", () => {
  // isp, gw, home: TTL 1, 2, 3.
  for (const [ttl, source] of [[1, "198.18.0.1"], [2, "203.0.113.1"], [3, "203.0.113.1"]] as const) {
    const simulation = built(behindNat({ mapping: EI, filtering: EI, portAssignment: "random" }));
    const [port] = externalPorts(simulation, [["192.0.2.1", 1000]]);
    const seen = watch(simulation);
    send(simulation, { from: "far", dst: "203.0.113.1", protocol: "UDP", sport: 3, dport: port, ttl });
    simulation.run();
    const error = seen.find(({ to, quotedSrc }) => to === "far" && quotedSrc !== "")!;
    assertNotEquals(error, undefined, `TTL ${ttl}`);
    assertEquals([error.src, error.icmp, error.quotedDst, error.quotedPorts], [
      source,
      0x0b00,
      "203.0.113.1",
      (3 << 16) | port,
    ]);
    assertConserved(simulation);
  }
});

Deno.test("a connection to an address that the outside does not know fails with EHOSTUNREACH at the inner socket", () => {
  const simulation = built(behindNat());
  let code = "";
  simulation.host("lan[0]").connect({ address: "198.51.100.77", port: 80 }).on("error", (error) => code = error.code);
  simulation.run();
  assertEquals(code, "EHOSTUNREACH");
});

Deno.test("the gateway's own narrow link is told to the inner sender, and data flows in smaller segments", () => {
  const simulation = built([
    ...behindNat().slice(0, 9),
    (n) => n.link("gw", "isp", { mtu: 1000 }),
    ...behindNat().slice(10),
    workload({ kind: "bulk", from: ["lan[0]"], to: ["web:80"], bytes: 100_000 }),
  ]);
  const seen = watch(simulation);
  simulation.run();
  assertEquals(innerError(seen)!.rest & 0xffff, 1000);
  const atWeb = seen.filter(({ to }) => to === "web");
  assert(atWeb.every(({ bytes }) => bytes <= 1000));
  assertEquals(simulation.partition.tcp.counters.bytesIn, 100_000);
});

Deno.test("a home behind a carrier's NAT: two translations, with reused addresses in every home", () => {
  const simulation = built([
    (n) => n.host("pcs", { address: "192.168.1.2/24", count: 6 }),
    (n) => n.nat("homes", { address: "100.64.0.1/10", count: 3, insideAddress: "192.168.1.1", onRefusal: "icmp" }),
    (n) => n.router("access"),
    (n) =>
      n.nat("cgn", {
        address: "203.0.113.1/24",
        pool: { first: "203.0.113.8", count: 2 },
        insideAddress: "100.127.0.1",
      }),
    (n) => n.router("core"),
    (n) => n.host("web", { address: "192.0.2.1", listen: [{ port: 80 }] }),
    (n) => n.link("pcs", "homes", { delayNs: 1e5 }),
    (n) => n.link("homes", "access", { delayNs: 1e6 }),
    (n) => n.link("access", "cgn", { delayNs: 1e6 }),
    (n) => n.link("cgn", "core", { delayNs: 1e6 }),
    (n) => n.link("core", "web", { delayNs: 1e6 }),
    workload({ kind: "request-response", from: ["pcs"], to: ["web:80"], connections: 60 }),
  ]);
  const seen = watch(simulation);
  // Pings through both.
  for (let i = 0; i < 6; i++) send(simulation, { from: `pcs[${i}]`, dst: "192.0.2.1", id: 9 });
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 60);
  const outside = new Set(seen.filter(({ to }) => to === "web").map(({ src }) => src));
  assertEquals([...outside].sort(), ["203.0.113.8", "203.0.113.9"]);
  const between = new Set(seen.filter(({ from, to }) => from === "access" && to === "cgn").map(({ src }) => src));
  assertEquals([...between].sort(), ["100.64.0.1", "100.64.0.2", "100.64.0.3"]);
  for (let i = 0; i < 6; i++) {
    assert(
      seen.some(({ to, icmp, rest, protocol }) =>
        to === `pcs[${i}]` && protocol === 1 && icmp === 0 && rest >>> 16 === 9
      ),
    );
  }
  // An error from the core finds its way back through both.
  const later = watch(simulation);
  send(simulation, { from: "pcs[5]", dst: "192.0.2.1", protocol: "UDP", ttl: 4 });
  simulation.run();
  const error = later.find(({ to, quotedSrc }) => to === "pcs[5]" && quotedSrc !== "")!;
  assertEquals([error.icmp, error.quotedSrc, error.quotedDst], [0x0b00, "192.168.1.3", "192.0.2.1"]);
  assertConserved(simulation);
});

Deno.test("gateways with pools apart from their addresses stand side by side", () => {
  const simulation = built([
    (n) => n.host("pcs", { address: "192.168.1.2/24", count: 4 }),
    (n) => n.nat("gws", { address: "203.0.113.1/30", count: 2, pool: { first: "198.51.100.0", count: 64 } }),
    (n) => n.router("core"),
    (n) => n.host("web", { address: "192.0.2.1", listen: [{ port: 80 }] }),
    (n) => n.link("pcs", "gws"),
    (n) => n.link("gws", "core"),
    (n) => n.link("core", "web", { delayNs: 1e6 }),
    workload({ kind: "request-response", from: ["pcs"], to: ["web:80"], connections: 4 }),
  ]);
  const seen = watch(simulation);
  send(simulation, { from: "web", dst: "203.0.113.2" });
  simulation.run();
  assertEquals(simulation.report().connections.repliesCompleted, 4);
  const sources = seen.filter(({ to, protocol }) => to === "web" && protocol === 6).map(({ src }) =>
    Number(src.split(".")[3])
  );
  assert(sources.some((low) => low < 64) && sources.some((low) => low >= 64));
  assert(seen.some(({ from, to, icmp, protocol }) => from === "core" && to === "web" && protocol === 1 && icmp === 0));
});

Deno.test("a NAT of IPv4 passes no IPv6, and a workload through it is refused", () => {
  const steps: Step[] = [
    ...behindNat(),
    (n) => n.host("six", { address: "2001:db8::1" }),
    (n) => n.host("far6", { address: "2001:db8:9::1", listen: [{ port: 80 }] }),
    (n) => n.link("six", "home"),
    (n) => n.link("far6", "isp"),
  ];
  const simulation = built(steps);
  send(simulation, { from: "six", dst: "2001:db8:9::1" });
  simulation.run();
  assertEquals(simulation.partition.dropped[DROP.NAT_UNSUPPORTED], 1);
  assertConserved(simulation);
  const error = assertThrows(() => built([...steps, workload({ from: ["six"], to: ["far6:80"] })]), NetworkError);
  assertEquals(error.subject, "workloads.load.to[0]");
});

Deno.test("the pool's ports are in use as long as sessions live, and every refusal is counted by reason", () => {
  const simulation = built([
    ...behindNat({ portLow: 3000, portHigh: 3004, tcpTransitoryNs: 1e9 }),
    workload({ kind: "request-response", from: ["lan"], to: ["web:80"], connections: 5 }),
    workload({
      name: "after",
      from: ["lan"],
      to: ["alt:80"],
      connections: 5,
      arrivals: { kind: "at-once", startNs: 3e9 },
    }),
  ]);
  simulation.run({ untilNs: 10e9 });
  assertEquals(simulation.report().connections.established, 10);
  const gateway = simulation.partition.nodes.words[nodeRow(simulation, "gw") * NODE.STRIDE + NODE.GATEWAY];
  const stats = gatewayStats(simulation.partition.nat, gateway);
  assertEquals([stats.refusals, stats.sessionsPeak], [{}, 5]);
});

Deno.test("what a workload needs is found through port forwards to other ports, gateway behind gateway", () => {
  const workloads = ["80", "8080"].map((port): Step =>
    workload({
      name: `to-${port}`,
      kind: "request-response",
      from: ["out"],
      to: [`outer:${port}`],
      connections: 3,
      replyBytes: port === "80" ? 500 : 900,
    })
  );
  const { connections } = (() => {
    const simulation = built([
      (n) => n.host("inner", { address: "192.168.0.2/24", listen: [{ port: 1080 }] }),
      (n) => n.host("beside", { address: "10.0.0.3/24", listen: [{ port: 80 }, { port: 1080 }] }),
      (n) => {
        n.nat("box", {
          address: "10.0.0.2/24",
          forwards: [{ protocol: "tcp", externalPort: 800, address: "192.168.0.2", port: 1080 }],
        });
        n.nat("outer", {
          address: "203.0.113.1/24",
          forwards: [
            { protocol: "tcp", externalPort: 80, address: "10.0.0.2", port: 800 },
            { protocol: "tcp", externalPort: 8080, address: "10.0.0.3", port: 80 },
          ],
        });
      },
      (n) => n.host("out", { address: "192.0.2.1/24" }),
      (n) => n.link("inner", "box", {}),
      (n) => n.link("box", "outer", {}),
      (n) => n.link("beside", "outer", {}),
      (n) => n.link("outer", "out", {}),
      ...workloads,
    ]);
    simulation.run();
    return simulation.report();
  })();
  assertEquals([connections.established, connections.repliesCompleted], [6, 6]);
});
