import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { perSecondText, time } from "../../src/network/capacity_words.ts";
import { Network } from "../../src/network/network.ts";
import { foretold, limitOf, run } from "./capacity_support.ts";

/** Clients, a router, servers; further apart in time than anything takes. */
function network(clients: number, more: (network: Network) => void = () => {}): Network {
  const made = new Network();
  made.host("clients", { count: clients, address: "10.0.0.1/24" });
  made.router("core");
  made.link("clients", "core", { delayNs: 1e6 });
  more(made);
  return made;
}

const spaced = { kind: "rate", perSecond: 50 } as const;

Deno.test("a full-nat balancer has sources x ports towards each back end, which come in turn", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 2, max: 12 }),
      fc.integer({ min: 1, max: 3 }),
      (backends, sources, ports, clients) => {
        const build = (connections: number) =>
          network(clients, (n) => {
            n.balancer("lb", {
              address: "203.0.113.1/24",
              sources: { first: "203.0.113.10", count: sources },
              portLow: 2000,
              portHigh: 2000 + ports - 1,
              services: [{ port: 80, mode: "full-nat", backends: ["web:80"] }],
            });
            n.host("web", { count: backends, address: "192.0.2.1/24", listen: [{ port: 80 }] });
            n.link("core", "lb", { delayNs: 1e6 });
            n.link("lb", "web", { delayNs: 1e6 });
            n.workload({ name: "load", kind: "hold", from: ["clients"], to: ["lb:80"], connections, arrivals: spaced });
          });
        const wall = backends * sources * ports;
        const limit = limitOf(build(1).capacity(), "ports", "lb");
        assertEquals([limit.ceiling, limit.exact], [wall, true]);
        assertEquals(run(build(wall)), []);
        const { binds } = build(wall + 1).capacity();
        assertEquals([binds?.limit, binds?.node, binds?.firstRefused?.connection], ["ports", "lb", wall + 1]);
        const [found] = run(build(wall + 1));
        assertEquals([found.limit, found.node], ["ports", "lb"]);
      },
    ),
    { numRuns: 12, seed: 5 },
  );
});

Deno.test("a streaming proxy has the ports of its own addresses towards each back end", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 2, max: 10 }),
      (backends, sources, ports) => {
        // (Two sources and two back ends in turn go together: a source is full that another one stands in for.)
        fc.pre(sources === 1 || backends !== 2);
        const addresses = ["192.0.2.100", "192.0.2.101"].slice(0, sources);
        const build = (connections: number) =>
          network(2, (n) => {
            n.host("proxy", {
              address: "192.0.2.100/24",
              extraAddresses: addresses.slice(1),
              profile: { ephemeralPortLow: 40000, ephemeralPortHigh: 40000 + ports - 1 },
              proxy: { port: 80, kind: "stream", backends: ["web:80"], sources: addresses },
            });
            n.host("web", { count: backends, address: "198.51.100.1/24", listen: [{ port: 80 }] });
            n.link("core", "proxy", { delayNs: 1e6 });
            n.link("core", "web", { delayNs: 1e6 });
            n.workload({
              name: "load",
              kind: "hold",
              from: ["clients"],
              to: ["proxy:80"],
              connections,
              arrivals: spaced,
            });
          });
        const wall = backends * sources * ports;
        const limit = limitOf(build(1).capacity(), "ports", "proxy");
        assertEquals([limit.ceiling, limit.exact], [wall, true]);
        assertEquals(run(build(wall)), []);
        const [found] = run(build(wall + 1));
        assertEquals([found?.limit, found?.node], ["ports", "proxy"]);
      },
    ),
    { numRuns: 12, seed: 6 },
  );
});

Deno.test("who closes first keeps the port for TIME_WAIT: ports over 60 s is the rate, and a little less than it holds", () => {
  const build = (perSecond: number) => {
    const made = new Network();
    made.host("client", {
      address: "10.0.0.1/24",
      profile: { ephemeralPortLow: 40000, ephemeralPortHigh: 40099, timeWaitNs: 5e9 },
    });
    made.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
    made.link("client", "server", { delayNs: 1e6 });
    made.workload({
      name: "load",
      kind: "request-response",
      from: ["client"],
      to: ["server:80"],
      connections: 800,
      arrivals: { kind: "rate", perSecond },
    });
    return made;
  };
  const limit = limitOf(build(19).capacity(), "ports");
  assertEquals(limit.ceiling, 100);
  assert(Math.abs(limit.ceilingPerSecond! - 20) < 0.1, `${limit.ceilingPerSecond}`);
  assertEquals([limit.holds, run(build(19))], [true, []]);
  const report = build(40).capacity();
  assertEquals(report.binds?.firstRefused?.connection, 101);
  assertEquals(run(build(40)), foretold(report));
});

Deno.test("memory for so many sockets: the first refusal is within one of what is worked out", () => {
  const build = (connections: number) =>
    network(3, (n) => {
      n.host("server", { address: "192.0.2.1/24", memoryBytes: 41 * 4096, listen: [{ port: 80 }] });
      n.link("core", "server", { delayNs: 1e6 });
      n.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:80"], connections, arrivals: spaced });
    });
  const limit = limitOf(build(1).capacity(), "memory");
  assertEquals([limit.ceiling, limit.exact], [40, false]);
  assertEquals(run(build(39)), []);
  assertEquals(run(build(42)).map(({ limit }) => limit), ["memory"]);
});

Deno.test("homes with IPv6 take no ports of the carrier's NAT", () => {
  for (const [share, wall] of [[0, 64], [0.5, 128], [1, null]] as const) {
    const made = new Network();
    made.host("homes", { count: 8, address: "100.64.0.1/10", address6: "2001:db8:1::1/64", ipv6Share: share });
    made.nat("cgn", {
      address: "203.0.113.1/24",
      address6: "2001:db8:2::1",
      portLow: 2000,
      portHigh: 2063,
      onRefusal: "icmp",
    });
    made.host("server", { address: "192.0.2.1/24", address6: "2001:db8:3::1/64", listen: [{ port: 443 }] });
    made.link("homes", "cgn", { delayNs: 1e6 });
    made.link("cgn", "server", { delayNs: 1e6 });
    made.workload({
      name: "pages",
      kind: "hold",
      from: ["homes"],
      to: ["server:443"],
      connections: 200,
      arrivals: { kind: "rate", perSecond: 50 },
    });
    const report = made.capacity();
    assertEquals(report.holds, wall === null);
    if (wall !== null) assertEquals(report.binds?.ceiling, 64);
    assertEquals(run(made), foretold(report));
  }
});

Deno.test("nested NATs: every gateway's limits are met on the way, the outer one's by the inner ones' addresses", () => {
  const made = new Network();
  made.host("computers", { count: 6, address: "192.168.1.2/24" });
  made.nat("boxes", { count: 3, address: "100.64.0.1/10" });
  made.nat("cgn", { address: "203.0.113.1/24", quotaPorts: 10, onRefusal: "icmp" });
  made.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
  made.link("computers", "boxes", { delayNs: 1e6 });
  made.link("boxes", "cgn", { delayNs: 1e6 });
  made.link("cgn", "server", { delayNs: 1e6 });
  made.workload({
    name: "pages",
    kind: "hold",
    from: ["computers"],
    to: ["server:443"],
    connections: 40,
    arrivals: { kind: "rate", perSecond: 50 },
  });
  const report = made.capacity();
  const quota = limitOf(report, "nat-quota", "cgn");
  // Six computers in three homes: home 0 has two of each six connections, and its eleventh is the 31st.
  assertEquals([quota.places, quota.ceiling, quota.exact, quota.refused], [3, 30, true, 10]);
  assertEquals(run(made), foretold(report));
});

Deno.test("reading the capacity leaves the network as it is: it builds and runs as before", () => {
  const build = () =>
    network(2, (n) => {
      n.host("server", { address: "192.0.2.1/24", listen: [{ port: 80 }] });
      n.link("core", "server", { delayNs: 1e6 });
      n.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:80"], connections: 10 });
    });
  const plain = build().build();
  plain.run();
  const asked = build();
  asked.capacity();
  const simulation = asked.build();
  simulation.run();
  assertEquals(simulation.report().digest, plain.report().digest);
});

Deno.test("names without IPv6 addresses lead sources with nothing else through the NAT64, others past it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      (phones, ports, forwarded) => {
        const build = (connections: number) => {
          const made = new Network();
          const dns64 = "64:ff9b::/96";
          made.host("ns", {
            address: "192.0.2.53/24",
            address6: "2001:db8:1::53/64",
            dns: {
              records: { "four.example.com": ["four"], "six.example.com": ["six"] },
              ...(!forwarded && { dns64 }),
            },
          });
          const dns = { forward: "192.0.2.53", dns64 };
          made.host("isp", { address: "192.0.2.54/24", address6: "2001:db8:1::54/64", dns });
          made.host("phones", {
            count: phones,
            address: "2001:db8:2::1/64",
            resolver: forwarded ? "2001:db8:1::54" : "2001:db8:1::53",
          });
          made.nat("gw", { address: "203.0.113.1/24", address6: "2001:db8:3::1/64", nat64: dns64, quotaPorts: ports });
          made.router("core");
          made.host("four", { address: "192.0.2.80/24", listen: [{ port: 80 }] });
          made.host("six", { address: "192.0.2.81/24", address6: "2001:db8:1::81/64", listen: [{ port: 80 }] });
          for (const [a, b] of [["phones", "gw"], ["gw", "core"], ["ns", "core"], ["isp", "core"]]) made.link(a, b, {});
          for (const name of ["four", "six"]) {
            made.link("core", name, {});
            const to = [`${name}.example.com:80`];
            made.workload({ name, kind: "hold", from: ["phones"], to, connections, arrivals: spaced });
          }
          return made;
        };
        const wall = phones * ports;
        assertEquals(limitOf(build(1).capacity(), "nat-quota", "gw").ceiling, wall);
        assertEquals(run(build(wall)), []);
        assertEquals(build(wall + 1).capacity().binds?.firstRefused?.connection, wall + 1);
        assertEquals(run(build(wall + 1)).map(({ limit, node }) => [limit, node]), [["nat-quota", "gw"]]);
      },
    ),
    { numRuns: 6, seed: 64 },
  );
});

Deno.test("times and rates of a formula have the digits that it takes to check them", () => {
  assertEquals(time(120_024e6), "120.024 s");
  assertEquals(perSecondText(2000 / 120.024), "16.663");
  assertEquals(perSecondText(1 / 3600), "0.000277");
});
