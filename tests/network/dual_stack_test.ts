import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import type { BalancerOptions, BalancerServiceOptions } from "../../src/network/balancer_options.ts";
import { SocketError } from "../../src/base/errors.ts";
import type { HostOptions, ListenOptions } from "../../src/network/options.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, watch } from "./support/probe.ts";

const VIRTUAL = ["203.0.113.80", "2001:db8:80::80"];

/** Dual-stacked clients, balancer and back ends; one service of each family, both to the same hosts by name. */
function balanced(mode: BalancerServiceOptions["mode"], balancer: Partial<BalancerOptions> = {}): Step[] {
  const backends = ["web[0..2]:443"];
  const services = VIRTUAL.map((address) => ({ address, port: 443, backends, mode }));
  const virtualAddresses = mode === "direct-return" ? VIRTUAL : undefined;
  return [
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/24", address6: "2001:db8:1::1/64" }),
    (n) => n.router("r1"),
    (n) => n.balancer("lb", { address: "203.0.113.1/24", address6: "2001:db8:80::1/64", services, ...balancer }),
    (n) =>
      n.host("web", {
        count: 3,
        address: "192.0.2.1/24",
        address6: "2001:db8:2::1/64",
        virtualAddresses,
        listen: [{ port: 443 }],
      }),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    (n) => n.link("web", "r1", { delayNs: 1e6 }),
    (n) => n.link("lb", "r1", { delayNs: 1e6 }),
    ...VIRTUAL.map((address, i): Step => (n) =>
      n.workload({
        name: `w${i}`,
        kind: "request-response",
        from: ["clients"],
        to: [address.includes(":") ? `[${address}]:443` : `${address}:443`],
        connections: 6,
      })
    ),
  ];
}

Deno.test("a balancer's services of both families share back ends that are named as hosts", () => {
  for (const mode of ["nat", "direct-return", "full-nat"] as const) {
    const simulation = built(balanced(mode));
    const seen = watch(simulation);
    simulation.run();
    assertConserved(simulation);
    const { connections } = simulation.report();
    assertEquals([connections.repliesCompleted, connections.failed], [12, {}]);
    assertEquals([connections.ipv4.established, connections.ipv6.established], [6, 6]);
    // Nobody mixes families in a packet.
    assert(seen.every(({ src, dst }) => src.includes(":") === dst.includes(":")));
    const reached = new Set(seen.filter(({ to }) => to.startsWith("web")).map(({ to, dst }) => to + dst.includes(":")));
    assertEquals(reached.size, 6);
  }
});

Deno.test("in full-nat a balancer has an address of each of its services' families, which is said otherwise", () => {
  const error = assertThrows(() => built(balanced("full-nat", { address6: undefined })), NetworkError);
  assertEquals(error.subject, "nodes.lb.services[1].address");
  assert(error.message.includes("which are IPv4"), error.message);
  const services = [{ address: VIRTUAL[1], port: 443, backends: ["web[0..2]:443"], mode: "full-nat" as const }];
  const steps = balanced("full-nat", { address: "2001:db8:80::1/64", address6: undefined, services });
  const simulation = built(steps.filter((_, i) => i !== steps.length - 2));
  simulation.run();
  assertEquals(simulation.report().connections.ipv6.established, 6);
});

/** IPv4 clients of a proxy whose back ends have the addresses given. */
function proxied(proxy: Partial<HostOptions>, web: Partial<HostOptions>): Step[] {
  return [
    (n) => n.host("clients", { count: 4, address: "10.0.0.1/24", address6: "2001:db8:1::1/64" }),
    (n) => n.router("r1"),
    (n) => n.host("px", { address: "192.0.2.77/24", proxy: { port: 80, backends: ["web[0..1]:443"] }, ...proxy }),
    (n) => n.host("web", { count: 2, address: "192.0.2.1/24", listen: [{ port: 443 }], ...web }),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    (n) => n.link("px", "r1", { delayNs: 1e6 }),
    (n) => n.link("web", "r1", { delayNs: 1e6 }),
    (n) => n.workload({ name: "w", kind: "request-response", from: ["clients"], to: ["px:80"], connections: 6 }),
  ];
}

Deno.test("a proxy connects to its back ends from an address of their family", () => {
  const six = { address: "2001:db8:2::1/64" };
  const both = { address6: "2001:db8:2::1/64" };
  for (
    const [proxy, web, over6] of [
      [{ address6: "2001:db8:2::77/64" }, six, true],
      [{ address6: "2001:db8:2::77/64" }, {}, false],
      [{}, both, false],
      [{ address: "2001:db8:2::77/64" }, both, true],
    ] as const
  ) {
    const simulation = built(proxied(proxy, web));
    const seen = watch(simulation);
    simulation.run();
    assertEquals(simulation.report().connections.repliesCompleted, 6);
    const asked = seen.filter(({ to }) => to.startsWith("web"));
    assert(
      asked.length > 0 && asked.every(({ src, dst }) => src.includes(":") === over6 && dst.includes(":") === over6),
    );
  }
  const error = assertThrows(() => built(proxied({}, six)), NetworkError);
  assertEquals(error.subject, "nodes.px.proxy.backends[0]");
  assertEquals(error.message, "web[0]:443 has an IPv6 address, and px has none to connect to it from.");
});

/** What clients get that connect to port 80 of a server with these listeners: over IPv4, over IPv6. */
function listened(listen: ListenOptions[]): [number, number] {
  const counts = (["ipv4", "ipv6"] as const).map((family) => {
    const simulation = built([
      (n) => n.host("client", { address: "10.0.0.1/24", address6: "2001:db8:1::1/64" }),
      (n) => n.host("server", { address: "192.0.2.1/24", address6: "2001:db8:2::1/64", listen }),
      (n) => n.link("client", "server", { delayNs: 1e6 }),
      (n) => n.workload({ name: "w", kind: "hold", from: ["client"], to: ["server:80"], connections: 1, family }),
    ]);
    simulation.run();
    return simulation.report().connections.established;
  });
  return [counts[0], counts[1]];
}

Deno.test("a listener on :: takes both families, with ipv6Only one; one on 0.0.0.0 takes the other (bindv6only)", () => {
  const port = 80;
  assertEquals(listened([{ port }]), [1, 1]);
  assertEquals(listened([{ port, address: "::" }]), [1, 1]);
  assertEquals(listened([{ port, address: "0:0::0" }]), [1, 1]);
  assertEquals(listened([{ port, address: "::", ipv6Only: true }]), [0, 1]);
  assertEquals(listened([{ port, address: "0.0.0.0" }]), [1, 0]);
  assertEquals(listened([{ port, address: "::", ipv6Only: true }, { port, address: "0.0.0.0" }]), [1, 1]);
  assertEquals(listened([{ port, address: "192.0.2.1" }, { port, ipv6Only: true }]), [1, 1]);
});

Deno.test("listeners that would take the same connections are refused", () => {
  const port = 80;
  const refused = (...listen: ListenOptions[]) => assertThrows(() => listened(listen), NetworkError).message;
  for (const other of ["0.0.0.0", "192.0.2.1", "2001:db8:2::1"]) {
    assert(refused({ port, address: "::" }, { port, address: other }).includes("twice"));
    assert(refused({ port, address: other }, { port, address: "::" }).includes("twice"));
  }
  assert(refused({ port, address: "0.0.0.0" }, { port, address: "192.0.2.1" }).includes("twice"));
  assert(refused({ port, address: "192.0.2.1" }, { port, address: "0.0.0.0" }).includes("twice"));
  assertEquals(
    refused({ port, address: "0.0.0.0", ipv6Only: true }),
    "ipv6Only is for IPv6 addresses, and 0.0.0.0 is none.",
  );
  assert(refused({ port, address: "0.0.0.0", protocol: "udp" }).includes("of both families"));
});

Deno.test("sockets of code listen on all addresses of a family, and let go of the port", () => {
  const simulation = built([
    (n) => n.host("server", { address: "192.0.2.1/24", address6: "2001:db8:2::1/64" }),
    (n) => n.host("client", { address: "192.0.2.2/24" }),
    (n) => n.link("client", "server", {}),
  ]);
  const host = simulation.host("server");
  const four = host.listen({ port: 80, address: "0.0.0.0" });
  assertEquals(assertThrows(() => host.listen({ port: 80 }), SocketError).code, "EADDRINUSE");
  assertEquals(assertThrows(() => host.listen({ port: 80, address: "192.0.2.1" }), SocketError).code, "EADDRINUSE");
  host.listen({ port: 80, address: "::", ipv6Only: true });
  assertEquals(simulation.dump("sockets").match(/\S+:80 /g), ["0.0.0.0:80 ", "[::]:80 "]);
  four.close();
  host.listen({ port: 80, address: "192.0.2.1" });
});

Deno.test("as homes and servers get IPv6, refusals at the CGN fall as the arithmetic says, over TCP and UDP", () => {
  const [homes, servers, connections, ports] = [24, 8, 96, 40];
  const hasIpv6 = (share: number, count: number) =>
    Array.from({ length: count }, (_, i) => Math.floor((i + 1) * share) > Math.floor(i * share));
  for (const transport of ["tcp", "udp"] as const) {
    for (const homesShare of [0, 0.25, 0.5, 0.75, 1]) {
      for (const serversShare of [0, 0.5, 1]) {
        const simulation = built([
          (n) =>
            n.host("homes", {
              count: homes,
              address: "100.64.0.1/10",
              address6: "2001:db8:1::1/64",
              ipv6Share: homesShare,
            }),
          (n) =>
            n.nat("cgn", {
              address: "203.0.113.1",
              address6: "2001:db8:2::1",
              portLow: 5000,
              portHigh: 5000 + ports - 1,
              onRefusal: "icmp",
            }),
          (n) =>
            n.host("servers", {
              count: servers,
              address: "192.0.2.1/24",
              address6: "2001:db8:3::1/64",
              ipv6Share: serversShare,
              listen: [{ port: 443 }, { port: 443, protocol: "udp" }],
            }),
          (n) => n.router("net"),
          (n) => n.link("homes", "cgn", { delayNs: 1e6 }),
          (n) => n.link("cgn", "net", { delayNs: 1e6 }),
          (n) => n.link("net", "servers", { delayNs: 1e6 }),
          (n) =>
            n.workload({
              name: "load",
              kind: transport === "udp" ? "request-response" : "hold",
              ...(transport === "udp" ? { transport, holdNs: 60e9 } : {}),
              from: ["homes"],
              to: ["servers:443"],
              connections,
              arrivals: { kind: "rate", perSecond: 1000 },
            }),
        ]);
        simulation.run({ untilNs: 10e9 });
        const [home6, server6] = [hasIpv6(homesShare, homes), hasIpv6(serversShare, servers)];
        let overIpv4 = 0;
        for (let i = 0; i < connections; i++) if (!home6[i % homes] || !server6[i % servers]) overIpv4++;
        const refused = Math.max(0, overIpv4 - ports);
        assertEquals(
          simulation.report().workloads[0].failed,
          refused === 0 ? {} : { EHOSTUNREACH: refused },
          `${transport}: ${homesShare} of the homes, ${serversShare} of the servers`,
        );
      }
    }
  }
});
