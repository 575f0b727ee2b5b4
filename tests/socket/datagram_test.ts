import { assertEquals, assertThrows } from "@std/assert";
import { SocketError } from "../../src/base/errors.ts";
import { Network } from "../../src/network/network.ts";
import { CLIENT, pair, SERVER } from "./support.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function codeOf(call: () => unknown): string {
  return assertThrows(call, SocketError).code;
}

Deno.test("a datagram arrives whole, with who sent it, and can be answered", () => {
  const net = pair();
  const server = net.server.udp({ port: 53 });
  server.on("message", (bytes, from) => server.send(`${text(bytes)} back`, from));
  const client = net.client.udp({ port: 4000 });
  const log: unknown[] = [];
  client.on("message", (bytes, from) => log.push(text(bytes), from, net.simulation.nowNs));
  client.send("there and", { address: SERVER, port: 53 });
  client.send(Uint8Array.of(), { address: SERVER, port: 53 });
  net.simulation.run();
  const from = { address: SERVER, port: 53 };
  assertEquals(log, ["there and back", from, 2e6, " back", from, 2e6]);
  assertEquals(net.simulation.report().packets.delivered, 4);
  assertEquals(net.simulation.partition.packets.rows.inUse, 0);
});

Deno.test("counted datagrams cost their length and come as printable bytes", () => {
  const net = pair({ link: { rateBps: 8e6 } });
  let length = 0;
  net.server.udp({ port: 9 }).on("message", (bytes) => length = bytes.length);
  net.client.udp().send(972, { address: SERVER, port: 9 });
  net.simulation.run();
  // 1,000 bytes with headers at 1 byte a microsecond, and 1 ms.
  assertEquals([length, net.simulation.nowNs], [972, 2e6]);
});

Deno.test("datagrams are lost, doubled and never repaired", () => {
  const net = pair({ link: { loss: 0.2, duplicate: 0.2 } });
  let arrived = 0;
  net.server.udp({ port: 9 }).on("message", () => arrived++);
  const client = net.client.udp();
  for (let i = 0; i < 1000; i++) net.simulation.at(i * 1e3, () => client.send(10, { address: SERVER, port: 9 }));
  net.simulation.run();
  const { packets } = net.simulation.report();
  assertEquals(arrived, packets.delivered);
  assertEquals(arrived !== 1000 && arrived > 700 && arrived < 1300, true);
});

Deno.test("a port unreachable comes back to a connected socket: as an error event, or from the next send", () => {
  const net = pair();
  const heard: string[] = [];
  const told = net.client.udp().connect({ address: SERVER, port: 9 }).on("error", (error) => heard.push(error.message));
  const silent = net.client.udp().connect({ address: SERVER, port: 9 });
  const unconnected = net.client.udp();
  told.send("x");
  silent.send("x");
  unconnected.send("x", { address: SERVER, port: 9 });
  net.simulation.run();
  assertEquals(heard, [`ECONNREFUSED: send ${SERVER}:9`]);
  assertEquals(codeOf(() => silent.send("y")), "ECONNREFUSED");
  silent.send("z");
  unconnected.send("y", { address: SERVER, port: 9 });
  net.simulation.run();
});

Deno.test("a connected socket hears its peer alone", () => {
  const net = pair();
  const heard: string[] = [];
  const client = net.client.udp({ port: 4000 }).connect({ address: SERVER, port: 9 });
  client.on("message", (bytes) => heard.push(text(bytes)));
  assertEquals([client.remote, client.local], [{ address: SERVER, port: 9 }, { address: CLIENT, port: 4000 }]);
  net.server.udp({ port: 9 }).send("peer", { address: CLIENT, port: 4000 });
  net.server.udp({ port: 10 }).send("stranger", { address: CLIENT, port: 4000 });
  net.simulation.run();
  assertEquals(heard, ["peer"]);
});

Deno.test("errors at once: EADDRINUSE, EADDRNOTAVAIL, EMSGSIZE, ENOTCONN, ENETUNREACH, EMFILE", () => {
  const net = pair({ server: { maxFiles: 1 } });
  const socket = net.client.udp({ port: 9 });
  assertEquals(codeOf(() => net.client.udp({ port: 9 })), "EADDRINUSE");
  assertEquals(codeOf(() => net.client.udp({ address: SERVER })), "EADDRNOTAVAIL");
  assertEquals(codeOf(() => socket.send(1473, { address: SERVER, port: 9 })), "EMSGSIZE");
  assertEquals(codeOf(() => socket.send("x")), "ENOTCONN");
  assertEquals(codeOf(() => socket.send("x", { address: "2001:db8::1", port: 9 })), "ENETUNREACH");
  socket.send(1472, { address: SERVER, port: 9 });
  assertThrows(() => socket.send(-1, { address: SERVER, port: 9 }), RangeError, "whole number");
  assertThrows(() => socket.send(1, { address: SERVER, port: 0 }), RangeError, "1 to 65535");
  net.server.udp();
  assertEquals(codeOf(() => net.server.udp()), "EMFILE");
});

Deno.test("a closed socket's port is free, its datagrams are refused, and close is the last event", () => {
  const net = pair();
  const log: string[] = [];
  const server = net.server.udp({ port: 9 });
  server.on("message", () => log.push("message")).on("close", () => log.push("close"));
  const client = net.client.udp().connect({ address: SERVER, port: 9 }).on("error", (error) => log.push(error.code));
  client.send("x");
  server.close();
  server.close();
  net.simulation.run();
  assertEquals(log, ["close", "ECONNREFUSED"]);
  assertEquals(codeOf(() => server.send("x", { address: CLIENT, port: 1 })), "ENOTCONN");
  net.server.udp({ port: 9 }).on("message", () => log.push("new"));
  client.send("x");
  net.simulation.run();
  assertEquals(log, ["close", "ECONNREFUSED", "new"]);
});

Deno.test("what a message handler throws comes out of run()", () => {
  const net = pair();
  net.server.udp({ port: 9 }).on("message", () => {
    throw new Error("oops");
  });
  net.client.udp().send(1, { address: SERVER, port: 9 });
  assertThrows(() => net.simulation.run(), Error, "oops");
  assertEquals(net.simulation.run().ended, "quiescence");
});

/** a, b behind a NAT -- r -- server. */
function natted(filtering: "endpoint-independent" | "address-and-port-dependent") {
  const network = new Network();
  network.host("home", { address: "192.168.1.2/24", count: 2 });
  network.nat("nat", {
    address: "203.0.113.1/24",
    insideAddress: "192.168.1.1",
    mapping: "endpoint-independent",
    filtering,
  });
  network.router("r");
  network.host("server", { address: "192.0.2.1/24" });
  network.host("other", { address: "192.0.2.2/24" });
  network.link("home", "nat", { delayNs: 1e6 });
  network.link("nat", "r", { delayNs: 1e6 });
  network.link("r", "server");
  network.link("r", "other");
  return network.build();
}

Deno.test("a NAT translates datagrams, both ways, and filters strangers as its behaviour says", () => {
  for (const [filtering, expected] of [["endpoint-independent", 2], ["address-and-port-dependent", 1]] as const) {
    const simulation = natted(filtering);
    const other = simulation.host("other").udp({ port: 7 });
    const server = simulation.host("server").udp({ port: 7 });
    server.on("message", (bytes, from) => {
      assertEquals(from.address, "203.0.113.1");
      server.send(bytes, from);
      // A stranger sends to the mapping that it was told of.
      other.send("stranger", from);
    });
    let heard = 0;
    const inside = simulation.host("home[1]").udp();
    inside.on("message", () => heard++);
    inside.send("hello", { address: "192.0.2.1", port: 7 });
    simulation.run();
    assertEquals(heard, expected, filtering);
  }
});

Deno.test("a port unreachable finds its way back through a NAT", () => {
  const simulation = natted("address-and-port-dependent");
  const errors: string[] = [];
  const socket = simulation.host("home[0]").udp().connect({ address: "192.0.2.1", port: 7 });
  socket.on("error", (error) => errors.push(error.code));
  socket.send("x");
  simulation.run();
  assertEquals(errors, ["ECONNREFUSED"]);
});
