import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetworkError } from "../../src/network/errors.ts";
import type { NatOptions } from "../../src/network/options.ts";
import { NODE } from "../../src/node/nodes.ts";
import { built, type Step } from "./support/networks.ts";
import { assertConserved, hops, nodeRow, send, watch } from "./support/probe.ts";

/** Dual-stacked homes behind a carrier's gateway, and a server: addresses of IPv6 are global. */
function homes(options: { hosts?: number; homes?: number; carrier?: Partial<NatOptions>; mtu?: number } = {}): Step[] {
  const { hosts = 6, homes = 3, carrier = {}, mtu } = options;
  return [
    (n) =>
      n.host("hosts", {
        count: hosts,
        address: "192.168.1.2/24",
        address6: "2001:db8:1::1/64",
        listen: [{ port: 80 }],
      }),
    (n) => n.nat("homes", { count: homes, address: "100.64.0.1/10", address6: "2001:db8:2::1/64" }),
    (n) => n.nat("carrier", { address: "203.0.113.1", address6: "2001:db8:3::1", ...carrier }),
    (n) => n.router("core", { address: "198.18.0.1", address6: "2001:db8:4::1" }),
    (n) => n.host("server", { address: "192.0.2.1", address6: "2001:db8:5::1", listen: [{ port: 443 }] }),
    (n) => n.link("hosts", "homes", { delayNs: 1e6 }),
    (n) => n.link("homes", "carrier", { delayNs: 2e6, mtu }),
    (n) => n.link("carrier", "core", { delayNs: 3e6 }),
    (n) => n.link("core", "server", { delayNs: 4e6 }),
  ];
}

Deno.test("every member of a dual-stacked population has the next IPv6 address, also behind many gateways", () => {
  const simulation = built(homes());
  assertEquals(simulation.host("hosts[0]").addresses, ["192.168.1.2", "2001:db8:1::1"]);
  assertEquals(simulation.host("hosts[3]").addresses, ["192.168.1.3", "2001:db8:1::4"]);
  assertEquals(simulation.partition.nodes.extraAddresses.size, 0);
});

Deno.test("IPv6 goes through gateways as through routers, both ways, however many hosts stand behind each", () => {
  for (const [hosts, gateways] of [[1, 1], [3, 3], [7, 3], [8, 4], [300, 3]]) {
    const simulation = built(homes({ hosts, homes: gateways }));
    const seen = watch(simulation);
    for (let i = 0; i < hosts; i++) {
      const name = `hosts[${i}]`;
      const home = `homes[${Math.floor((i * gateways) / hosts)}]`;
      const address = `2001:db8:1::${(i + 1).toString(16)}`;
      seen.length = 0;
      send(simulation, { from: "server", src: "2001:db8:5::1", dst: address });
      simulation.run();
      assertEquals(hops(seen), ["core", "carrier", home, name, home, "carrier", "core", "server"]);
      assertEquals(seen.map(({ src }) => src).slice(3, 5), ["2001:db8:5::1", address]);
    }
    send(simulation, { from: "hosts[0]", src: "2001:db8:1::1", dst: `2001:db8:1::${hosts.toString(16)}` });
    simulation.run();
    assertConserved(simulation);
  }
});

Deno.test("gateways and routers answer pings to their IPv6 addresses from either side", () => {
  const simulation = built(homes());
  const answered = (from: string, src: string, dst: string) => {
    const seen = watch(simulation);
    send(simulation, { from, src, dst });
    simulation.run();
    return seen.some(({ to, src: answerer, icmp }) => to === from && answerer === dst && icmp === 0x8100);
  };
  for (const address of ["2001:db8:2::1", "2001:db8:2::3", "2001:db8:3::1", "2001:db8:4::1"]) {
    assert(answered("hosts[0]", "2001:db8:1::1", address), address);
    assert(answered("server", "2001:db8:5::1", address), address);
  }
});

Deno.test("a connection takes its source from the family of its destination; listeners take both", () => {
  const simulation = built(homes());
  const peers: string[] = [];
  simulation.host("server").listen({ port: 80 }, (socket) => peers.push(socket.remote!.address));
  for (const address of ["192.0.2.1", "2001:db8:5::1"]) simulation.host("hosts[5]").connect({ address, port: 80 });
  simulation.run({ untilNs: 1e9 });
  assertEquals(peers, ["203.0.113.1", "2001:db8:1::6"]);
});

Deno.test("hop by hop, the hop limit's end is told from the nodes' IPv6 addresses", () => {
  const simulation = built(homes());
  const seen = watch(simulation);
  for (let ttl = 1; ttl <= 3; ttl++) {
    send(simulation, { from: "hosts[0]", src: "2001:db8:1::1", dst: "2001:db8:5::1", ttl });
    simulation.run();
  }
  const told = seen.filter(({ to, icmp }) => to === "hosts[0]" && icmp === 0x0300);
  assertEquals(told.map(({ src }) => src), ["2001:db8:2::1", "2001:db8:3::1", "2001:db8:4::1"]);
  assertEquals(told.map(({ quotedSrc }) => quotedSrc), Array(3).fill("2001:db8:1::1"));
});

Deno.test("a gateway tells of a narrow link in either direction, and data flows in smaller segments", () => {
  const simulation = built(homes({ mtu: 1280 }));
  const seen = watch(simulation);
  let received = 0;
  const answer = new Uint8Array(20_000);
  simulation.host("server").listen({ port: 80 }, (socket) => socket.end(answer));
  const socket = simulation.host("hosts[0]").connect({ address: "2001:db8:5::1", port: 80 });
  socket.on("data", (bytes) => received += bytes.length);
  simulation.run();
  assertEquals(received, 20_000);
  const told = seen.filter(({ icmp, protocol }) => protocol === 58 && icmp === 0x0200);
  assert(told.some(({ to, src, rest }) => to === "server" && src === "2001:db8:3::1" && rest === 1280));
});

Deno.test("a gateway that blocks IPv6 drops it, and a stranger inside is out of reach", () => {
  const simulation = built(homes({ carrier: { ipv6: "block" } }));
  send(simulation, { from: "hosts[0]", src: "2001:db8:1::1", dst: "2001:db8:5::1" });
  send(simulation, { from: "server", src: "2001:db8:5::1", dst: "2001:db8:1::1" });
  simulation.run();
  const { dropped } = simulation.report().packets;
  assertEquals([dropped["nat-unsupported"], dropped["no-route"]], [1, 1]);
  // Within the carrier's network the homes still reach each other.
  const seen = watch(simulation);
  send(simulation, { from: "hosts[0]", src: "2001:db8:1::1", dst: "2001:db8:1::6" });
  simulation.run();
  assertEquals(hops(seen).slice(0, 4), ["homes[0]", "carrier", "homes[2]", "hosts[5]"]);
});

Deno.test("IPv4 addresses may repeat behind gateways that route IPv6, IPv6 addresses may not", () => {
  const twice = (address6: string): Step[] => [
    ...homes(),
    (n) => n.host("more", { count: 2, address: "192.168.1.2/24", address6 }),
    (n) => n.nat("other", { address: "203.0.113.9", address6: "2001:db8:9::1" }),
    (n) => n.link("more", "other"),
    (n) => n.link("other", "core"),
  ];
  built(twice("2001:db8:7::1/64"));
  const error = assertThrows(() => built(twice("2001:db8:1::6/64")), NetworkError);
  assertEquals(error.subject, "nodes.more.address6");
  assertEquals(
    error.message,
    "hosts[5] and more[0] both have the address 2001:db8:1::6, and no NAT stands between them.",
  );
  // A gateway that blocks IPv6 ends its realm too.
  built([
    ...twice("2001:db8:1::6/64").filter((_, i) => i !== 10),
    (n) => n.nat("other", { address: "203.0.113.9", address6: "2001:db8:9::1", ipv6: "block" }),
  ]);
});

Deno.test("of a share of the members, as many have an IPv6 address, evenly among the others", () => {
  const members = (ipv6Share: number) => {
    const simulation = built([
      (n) => n.host("hosts", { count: 10, address: "10.0.0.1/24", address6: "2001:db8::1/64", ipv6Share }),
    ]);
    return Array.from({ length: 10 }, (_, i) => simulation.host(`hosts[${i}]`).addresses.at(1) ?? "").join(" ").trim();
  };
  assertEquals(members(0.3), "2001:db8::4   2001:db8::7   2001:db8::a");
  assertEquals(members(0), "");
  assertEquals(members(0.29).split(/ +/).length, 2);
  const simulation = built([
    (n) => n.host("hosts", { count: 10, address: "10.0.0.1/24", address6: "2001:db8::1/64", ipv6Share: 0.5 }),
  ]);
  assertEquals(simulation.host("hosts[0]").addresses, ["10.0.0.1"]);
});

Deno.test("what an address6 cannot be is said in a sentence", () => {
  const refused = (options: Record<string, unknown>) => {
    const error = assertThrows(
      () => built([(n) => n.host("a", { count: 4, address: "10.0.0.1/24", ...options })]),
      NetworkError,
    );
    return `${error.subject}: ${error.message}`;
  };
  assertEquals(
    refused({ address6: "10.0.0.9" }),
    "nodes.a.address6: An address6 is an IPv6 address, not 10.0.0.9.",
  );
  assertEquals(
    refused({ address: "2001:db8::1", address6: "2001:db8::9" }),
    "nodes.a.address6: An address6 stands beside an IPv4 address: a node of IPv6 alone has it as its address.",
  );
  assertEquals(
    refused({ address6: "2001:db8::fffe/126" }),
    "nodes.a.address6: a[3] would be 2001:db8::1:1, outside the subnet of 2001:db8::fffe/126: 4 members do not fit.",
  );
  assertEquals(
    refused({ ipv6Share: 0.5 }),
    "nodes.a.ipv6Share: A share of the members with IPv6 needs their address6.",
  );
  const nat = assertThrows(() => built([(n) => n.nat("g", { address: "2001:db8::1", ipv6: "route" })]), NetworkError);
  assertEquals(nat.message, "A NAT of IPv6 addresses translates IPv6: it does not route it.");
});

Deno.test("a hundred thousand dual-stacked homes are built in a moment, and each is reached", () => {
  const simulation = built(
    homes({ hosts: 300_000, homes: 100_000 }).map((step, i) =>
      i === 0
        ? (n) => n.host("hosts", { count: 300_000, address: "192.168.1.2/24", address6: "2001:db8:1::1/64" })
        : step
    ),
  );
  const seen = watch(simulation);
  send(simulation, { from: "server", src: "2001:db8:5::1", dst: "2001:db8:1::4:93e0" });
  simulation.run();
  assertEquals(hops(seen).slice(2, 4), ["homes[99999]", "hosts[299999]"]);
  const { nodes } = simulation.partition;
  assertEquals(nodes.words[nodeRow(simulation, "hosts[299999]") * NODE.STRIDE + NODE.EGRESS] >= 0, true);
});
