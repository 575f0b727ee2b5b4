// RFC 9293 3.9: what the application may ask of a connection, through sockets. Ids are of Appendix B.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Network } from "../../src/network/network.ts";
import { PACKET } from "../../src/wire/packet.ts";
import { CLIENT, pair, SERVER, watch } from "./support.ts";

/** TTL and traffic class of every packet that reaches a host. */
function seen(net: ReturnType<typeof pair>): { to: string; ttl: number; trafficClass: number }[] {
  const all: { to: string; ttl: number; trafficClass: number }[] = [];
  net.simulation.onDelivery((p, _timeNs, _from, to) => {
    const word = net.simulation.partition.packets.rows.words[p * PACKET.STRIDE + PACKET.WINDOW_TTL_TOS];
    all.push({ to, ttl: (word >>> 8) & 0xff, trafficClass: word & 0xff });
  });
  return all;
}

// MUST-48, SHLD-21, MUST-49
Deno.test("a socket's traffic class and TTL stand in its segments, and not in those of the peer", () => {
  const net = pair();
  net.server.listen({ port: 80 }, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
  const packets = seen(net);
  const socket = net.client.connect({ address: SERVER, port: 80 });
  net.simulation.run();
  packets.length = 0;
  socket.setTrafficClass(0x88).setTtl(7).write("hello");
  socket.on("data", () => socket.end());
  net.simulation.run();
  const kinds = (to: string) => [
    ...new Set(packets.filter((one) => one.to === to).map((one) => `${one.ttl} ${one.trafficClass}`)),
  ];
  assertEquals([kinds("server"), kinds("client")], [["7 136"], ["64 0"]]);
  assertThrows(() => net.client.connect({ address: SERVER, port: 80 }).setTtl(0), RangeError);
});

// MUST-47, SHLD-9
Deno.test("a socket tells of repetitions without an answer, and goes on", () => {
  const net = pair({ link: { loss: 1 } });
  const told: string[] = [];
  const socket = net.client.connect({ address: SERVER, port: 80 });
  const log = watch(socket);
  socket.on("softError", (error, reason) => told.push(`${error.code} ${reason} at ${net.simulation.nowNs / 1e9} s`));
  net.simulation.run();
  assertEquals(told, ["ETIMEDOUT retransmissions at 7 s"]);
  assertEquals(log, ["ETIMEDOUT", "close after error"]);
});

// SHLD-20
Deno.test("a socket on which nobody listens for soft errors says nothing of them", () => {
  const net = pair({ link: { loss: 1 }, client: { profile: { synRetries: 4 } } });
  const log = watch(net.client.connect({ address: SERVER, port: 80 }));
  net.simulation.run({ untilNs: 20e9 });
  assertEquals(log, []);
  net.simulation.run();
  assertEquals(log, ["ETIMEDOUT", "close after error"]);
});

// MUST-21, MUST-56, SHLD-25
Deno.test("ICMP errors are told and end nothing; a socket's user timeout is the patience of that socket alone", () => {
  const network = new Network();
  network.host("client", { address: CLIENT });
  network.router("r1", { address: "198.18.0.1" });
  network.host("server", { address: SERVER, listen: [{ port: 80 }] });
  network.link("client", "r1", { delayNs: 1e6 });
  network.link("r1", "server", { delayNs: 1e6 });
  const simulation = network.build();
  const ended: number[] = [];
  const told = new Set<string>();
  const sockets = [0, 1].map((i) => {
    const socket = simulation.host("client").connect({ address: SERVER, port: 80 });
    socket.on("softError", (error, reason) => told.add(`${i} ${error.code} ${reason}`));
    socket.on("error", (error) => {
      assertEquals(error.code, "EHOSTUNREACH");
      ended[i] = simulation.nowNs / 1e9;
    });
    return socket;
  });
  simulation.run();
  sockets[0].setUserTimeout(5000);
  // From here on nothing gets past the router, and it says so.
  for (const socket of sockets) socket.setTtl(1).write("x");
  simulation.run();
  assert(ended[0] >= 5 && ended[0] < 20 && ended[1] > 100, `${ended}`);
  assertEquals(
    told,
    new Set(["0", "1"].flatMap((i) => [`${i} EHOSTUNREACH icmp`, `${i} EHOSTUNREACH retransmissions`])),
  );
});

// MUST-44, MUST-45
Deno.test("the network layer chooses the local address of an open that names none, and it stays", () => {
  const net = pair({
    client: { extraAddresses: ["2001:db8::1", "10.0.0.9"] },
    server: { extraAddresses: ["2001:db8::2"] },
  });
  const remotes: string[] = [];
  net.server.listen({ port: 80 }, (socket) => remotes.push(socket.remote.address));
  const connect = (address: string, localAddress?: string) => net.client.connect({ address, port: 80, localAddress });
  const sockets = [connect(SERVER), connect("2001:db8::2"), connect(SERVER, "10.0.0.9")];
  net.simulation.run();
  assertEquals(sockets.map((socket) => socket.local.address), [CLIENT, "2001:db8::1", "10.0.0.9"]);
  assertEquals(remotes, [CLIENT, "2001:db8::1", "10.0.0.9"]);
  assertEquals(sockets.map((socket) => socket.readyState), ["open", "open", "open"]);
});
