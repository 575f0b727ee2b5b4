import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import type { HostOptions, NatOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { built } from "./support/networks.ts";
import { assertConserved, assertEmpty } from "./support/probe.ts";

const WWW = "www.example.com";
const FOUR = "192.0.2.1";
const SIX = "2001:db8:2::1";

/** A dual-stacked host behind a gateway, a dual-stacked server, and names for it. All links take 1 ms. */
function network(choices: { client?: Partial<HostOptions>; gateway?: Partial<NatOptions> } = {}): Simulation {
  const records = { [WWW]: ["server"], "four.example.com": ["192.0.2.1"], "six.example.com": [SIX] };
  return built([
    (n) =>
      n.host("client", {
        address: "10.0.0.1/24",
        address6: "2001:db8:1::1/64",
        resolver: "192.0.2.53",
        ...choices.client,
      }),
    (n) => n.nat("gateway", { address: "203.0.113.1", address6: "2001:db8:9::1", ...choices.gateway }),
    (n) => n.router("r1"),
    (n) => n.host("server", { address: `${FOUR}/24`, address6: `${SIX}/64` }),
    (n) => n.host("ns", { address: "192.0.2.53/24", dns: { records } }),
    (n) => n.link("client", "gateway", { delayNs: 1e6 }),
    (n) => n.link("gateway", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "server", { delayNs: 1e6 }),
    (n) => n.link("r1", "ns", { delayNs: 1e6 }),
  ]);
}

/** Opens a connection and tells what came of it: when in ms, and where to or why not. */
function connects(simulation: Simulation, options: Parameters<ReturnType<Simulation["host"]>["connect"]>[0]) {
  const told: unknown[] = [];
  const socket = simulation.host("client").connect(options, () => {
    told.push(simulation.nowNs / 1e6, socket.remote.address, socket.local.address);
  });
  socket.on("error", (error) => told.push(simulation.nowNs / 1e6, error.code, error.message));
  return { socket, told };
}

Deno.test("code connects to a domain name: it is looked up, and IPv6 is taken where it answers", () => {
  const simulation = network();
  const got: string[] = [];
  simulation.host("server").listen({ port: 7 }, (socket) => {
    socket.on("data", (bytes) => socket.write(new TextDecoder().decode(bytes).toUpperCase()));
  });
  const { socket, told } = connects(simulation, { address: WWW, port: 7 });
  assertEquals([socket.readyState, socket.remote], ["opening", { address: WWW, port: 7 }]);
  // What is written before there is a connection goes out with it.
  assertEquals(socket.write("hello"), false);
  socket.on("data", (bytes) => {
    got.push(new TextDecoder().decode(bytes));
    socket.end();
  });
  simulation.run();
  assertEquals(told, [12, SIX, "2001:db8:1::1"]);
  assertEquals([got, socket.remote.port, socket.readyState], [["HELLO"], 7, "closed"]);
  const { connections, targets } = simulation.report();
  assertEquals([connections.attempted, connections.established, connections.open], [1, 1, 0]);
  assertEquals([connections.ipv6.attempts, connections.ipv4.attempts], [1, 0]);
  assertEquals(connections.connectMs.max, 12);
  assertEquals(targets.find(({ target }) => target === `[${SIX}]:7`)?.established, 1);
  simulation.run({ untilNs: 3 * 3600e9, pastQuiescence: true });
  assertConserved(simulation);
  assertEmpty(simulation);
});

Deno.test("where IPv6 is broken, code's connection to a name is over IPv4 the attempt delay later", () => {
  for (const [attemptDelayNs, ms] of [[undefined, 262], [40e6, 52]]) {
    const simulation = network({ gateway: { ipv6: "block" } });
    simulation.host("server").listen({ port: 7 });
    const { told } = connects(simulation, { address: WWW, port: 7, attemptDelayNs });
    simulation.run();
    assertEquals(told, [ms, FOUR, "10.0.0.1"]);
  }
});

Deno.test("hosts are known by their own names too, without any DNS", () => {
  const simulation = network({ client: { resolver: undefined } });
  simulation.host("server").listen({ port: 7 });
  assertEquals(
    ["any", "ipv4", "ipv6"].map((family) => {
      const { told } = connects(simulation, { address: "server", port: 7, family: family as "any" });
      simulation.run();
      return told[1];
    }),
    [SIX, FOUR, SIX],
  );
  const { told } = connects(simulation, { address: "server", port: 7, preferredFamily: "ipv4" });
  simulation.run();
  assertEquals(told[1], FOUR);
});

Deno.test("what cannot be connected to says why, with the name that was asked for", () => {
  const simulation = network();
  const failed = (address: string, more = {}) => {
    const { told } = connects(simulation, { address, port: 7, ...more });
    simulation.run();
    return told.slice(1);
  };
  assertEquals(failed("nosuch.example.com"), ["EAI_NONAME", "EAI_NONAME: connect nosuch.example.com:7"]);
  assertEquals(failed(WWW)[0], "ECONNREFUSED");
  assertEquals(failed("six.example.com", { family: "ipv4" })[0], "EAI_NODATA");
  assertEquals(failed(WWW, { localAddress: "10.0.0.99" })[0], "EADDRNOTAVAIL");
  assertEquals(simulation.report().connections.failed, {
    EAI_NONAME: 1,
    ECONNREFUSED: 1,
    EAI_NODATA: 1,
    EADDRNOTAVAIL: 1,
  });
  const bare = network({ client: { resolver: undefined } });
  const { told } = connects(bare, { address: WWW, port: 7 });
  bare.run();
  assertEquals(told, [0, "EAI_AGAIN", `EAI_AGAIN: connect ${WWW}:7`]);
});

Deno.test("what is no name at all is refused at once", () => {
  const simulation = network();
  const host = simulation.host("client");
  assertThrows(() => host.connect({ address: "a..b", port: 7 }), RangeError, "empty label");
  assertThrows(() => host.connect({ address: "server[3]", port: 7 }), RangeError, 'no host called "server[3]"');
  assertThrows(() => host.connect({ address: WWW, port: 0 }), RangeError, "port");
  assertThrows(() => host.connect({ address: WWW, port: 7, attemptDelayNs: 1 }), RangeError, "10 ms");
  const plain = built([
    (n) => n.host("client", { address: "10.0.0.1/24" }),
    (n) => n.host("server", { address: "10.0.0.2/24" }),
    (n) => n.link("client", "server", {}),
  ]);
  assertThrows(() => plain.host("client").connect({ address: "sever", port: 7 }), RangeError, 'Did you mean "server"?');
});

Deno.test("an own address and port are kept to", () => {
  const simulation = network();
  simulation.host("server").listen({ port: 7 });
  const { socket, told } = connects(simulation, { address: WWW, port: 7, localAddress: "10.0.0.1", localPort: 4000 });
  simulation.run();
  assertEquals([told[1], socket.local], [FOUR, { address: "10.0.0.1", port: 4000 }]);
});

Deno.test("a socket closed while its name is looked up, or while addresses are tried, gives them up", () => {
  for (const ms of [0, 2, 5, 9, 200, 300]) {
    const simulation = network({ gateway: { ipv6: "block" } });
    const { socket, told } = connects(simulation, { address: WWW, port: 7 });
    const events: string[] = [];
    socket.on("close", (hadError) => events.push(`close ${hadError} ${simulation.nowNs / 1e6}`));
    simulation.host("client").setTimeout(() => socket.close(), ms * 1e6);
    simulation.host("server").listen({ port: 8 });
    simulation.run();
    // (At 300 ms IPv4 has long been refused, and IPv6 is still tried.)
    assertEquals([told, events], [[], [`close false ${ms}`]]);
    const { attempted, established, failed } = simulation.report().connections;
    assertEquals([attempted, established, failed], [1, 0, { ECONNABORTED: 1 }]);
    simulation.run({ untilNs: 3 * 3600e9, pastQuiescence: true });
    assertConserved(simulation);
    assertEmpty(simulation);
  }
});

Deno.test("options set before there is a connection hold once there is one", () => {
  const simulation = network();
  let idle = 0;
  simulation.host("server").listen({ port: 7 });
  simulation.onDelivery((_p, _ns, _from, to) => void (to === "server" && idle++));
  connects(simulation, { address: WWW, port: 7 }).socket.setKeepAlive(true, 1000);
  simulation.run({ untilNs: 1e9 });
  idle = 0;
  simulation.run({ untilNs: 2e9, pastQuiescence: true });
  assertEquals(idle, 1);
});

Deno.test("a snapshot cannot hold a connection to a name that is being opened", () => {
  const simulation = network();
  connects(simulation, { address: WWW, port: 7 });
  simulation.run({ untilNs: 1e6 });
  assertThrows(() => simulation.snapshot(), InputError, "snapshot cannot hold");
});
