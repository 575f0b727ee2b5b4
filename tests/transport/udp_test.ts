import { assert, assertEquals } from "@std/assert";
import { AddressTable } from "../../src/base/address.ts";
import { ERRNO } from "../../src/base/errors.ts";
import { HostTable } from "../../src/transport/hosts.ts";
import { makeProfile, ProfileTable } from "../../src/transport/profile.ts";
import { UDP_SOCKET, UdpSockets } from "../../src/transport/udp.ts";
import { CONTROL, EXTRA, PACKET, PacketPool, PROTOCOL } from "../../src/wire/packet.ts";

function world() {
  const packets = new PacketPool({ capacity: 16 });
  const addresses = new AddressTable();
  const hosts = new HostTable({ seed: 1 });
  const profiles = new ProfileTable();
  const small = profiles.add(makeProfile({ ephemeralPortLow: 5000, ephemeralPortHigh: 5099 }));
  hosts.addHost(0, { name: "client", profile: small });
  hosts.addHost(1, { name: "server" });
  const udp = new UdpSockets({ packets, addresses, hosts, profiles, seed: 1, capacity: 4 });
  const [client, server] = ["10.0.0.1", "10.0.0.2"].map((text) => addresses.intern(text));
  return { packets, addresses, hosts, udp, client, server };
}

function takeOne(udp: UdpSockets): number {
  assertEquals(udp.outCount, 1);
  udp.outCount = 0;
  return udp.out[0];
}

Deno.test("a datagram goes to the connected socket, else to the bound one, else to the one on every address", () => {
  const { udp, client, server } = world();
  const wildcard = udp.open(1, 7);
  assertEquals(udp.bind(wildcard, 0, 53), 53);
  assertEquals(udp.lookup(1, server, client, 53 << 16 | 9), wildcard);
  assertEquals(udp.lookup(0, server, client, 53 << 16 | 9), 0);
  const other = udp.open(1, 0);
  assertEquals(udp.bind(other, server, 53), -ERRNO.EADDRINUSE);
  assertEquals(udp.bind(other, server, 54), 54);
  assertEquals(udp.lookup(1, server, client, 54 << 16 | 9), other);
  assertEquals(udp.lookup(1, client, client, 54 << 16 | 9), 0);
  assertEquals(udp.connect(other, server, client, 9), 54);
  assertEquals(udp.lookup(1, server, client, 54 << 16 | 9), other);
  assertEquals(udp.lookup(1, server, client, 54 << 16 | 10), 0, "a connected socket hears its peer only");
  udp.disconnect(other);
  assertEquals(udp.lookup(1, server, client, 54 << 16 | 10), other);
  assertEquals(udp.rows.words[wildcard * UDP_SOCKET.STRIDE + UDP_SOCKET.APP], 7);
});

Deno.test("a question and its answer cross as packet rows", () => {
  const { packets, udp, client, server } = world();
  const service = udp.open(1, 0);
  udp.bind(service, 0, 53);
  const asker = udp.open(0, 0);
  const port = udp.connect(asker, client, server, 53);
  assert(port >= 5000 && port <= 5099);
  assertEquals(udp.send(asker, 40), 40);
  const question = takeOne(udp);
  const at = question * PACKET.STRIDE;
  const words = packets.rows.words;
  assertEquals([words[at + PACKET.SRC], words[at + PACKET.DST], words[at + PACKET.LINK]], [client, server, 0]);
  assertEquals(words[at + PACKET.PORTS], port << 16 | 53);
  assertEquals(words[at + PACKET.CONTROL] >>> CONTROL.PROTOCOL_SHIFT, PROTOCOL.UDP);
  assertEquals(words[at + PACKET.WINDOW_TTL_TOS], 64 << 8);
  assertEquals(udp.datagramIn(1, question), service);
  assertEquals(udp.sendTo(service, server, client, port, 0, new Uint8Array([1, 2, 3])), 3);
  const answer = takeOne(udp);
  const control = packets.rows.words[answer * PACKET.STRIDE + PACKET.CONTROL];
  assert(control & CONTROL.REAL_PAYLOAD);
  assertEquals(udp.datagramIn(0, answer), asker);
  packets.release(question);
  packets.release(answer);
  assertEquals(packets.rows.inUse, 0);
});

Deno.test("a datagram for no socket draws a port unreachable, which a connected sender meets as ECONNREFUSED once", () => {
  for (const [from, to] of [["10.0.0.1", "10.0.0.2"], ["2001:db8::1", "2001:db8::2"]]) {
    const { packets, addresses, udp } = world();
    const [client, server] = [addresses.intern(from), addresses.intern(to)];
    const asker = udp.open(0, 0);
    const port = udp.connect(asker, client, server, 53);
    udp.send(asker, 40);
    const question = takeOne(udp);
    assertEquals(udp.datagramIn(1, question), 0);
    assertEquals(udp.refused, 1);
    const error = takeOne(udp);
    const at = error * PACKET.STRIDE;
    const words = packets.rows.words;
    const ipv6 = from.includes(":");
    assertEquals(words[at + PACKET.PORTS], (ipv6 ? 0x0104 : 0x0303) << 16);
    assertEquals([words[at + PACKET.SRC], words[at + PACKET.DST], words[at + PACKET.LINK]], [server, client, 1]);
    const quoted = packets.extras.words[words[at + PACKET.EXTRA] * EXTRA.STRIDE + EXTRA.QUOTED_PORTS];
    assertEquals(quoted, port << 16 | 53);
    assertEquals(udp.icmpErrorIn(1, error), 0, "the error is for the host that sent the datagram");
    assertEquals(udp.icmpErrorIn(0, question), 0, "a datagram is no error");
    assertEquals(udp.icmpErrorIn(0, error), asker);
    assertEquals(udp.send(asker, 40), -ERRNO.ECONNREFUSED);
    assertEquals(udp.send(asker, 40), 40);
  }
});

Deno.test("a soft ICMP error does not fail a connected socket, a prohibition does", () => {
  const { packets, udp, client, server } = world();
  const asker = udp.open(0, 0);
  udp.connect(asker, client, server, 53);
  udp.send(asker, 40);
  udp.datagramIn(1, takeOne(udp));
  const at = takeOne(udp) * PACKET.STRIDE;
  packets.rows.words[at + PACKET.PORTS] = 0x0301 << 16;
  assertEquals(udp.icmpErrorIn(0, at / PACKET.STRIDE), 0);
  packets.rows.words[at + PACKET.PORTS] = 0x030d << 16;
  assertEquals(udp.icmpErrorIn(0, at / PACKET.STRIDE), asker);
  assertEquals(udp.takeError(asker), -ERRNO.EHOSTUNREACH);
  assertEquals(udp.takeError(asker), 0);
});

Deno.test("ephemeral UDP ports belong to a host, not to a destination, and come back when a socket closes", () => {
  const { addresses, udp, client } = world();
  const sockets: number[] = [];
  const ports = new Set<number>();
  for (let i = 0; i < 100; i++) {
    const socket = udp.open(0, 0);
    ports.add(udp.connect(socket, client, addresses.intern(`192.0.2.${i}`), 53));
    sockets.push(socket);
  }
  assertEquals(ports.size, 100);
  const late = udp.open(0, 0);
  assertEquals(udp.connect(late, client, addresses.intern("192.0.2.200"), 53), -ERRNO.EAGAIN);
  assertEquals(udp.bind(late, client, 0), -ERRNO.EADDRINUSE);
  const freed = udp.rows.words[sockets[50] * UDP_SOCKET.STRIDE + UDP_SOCKET.PORTS] >>> 16;
  udp.close(sockets[50]);
  assertEquals(udp.connect(late, client, addresses.intern("192.0.2.200"), 53), freed);
  assertEquals(udp.rows.inUse, 100);
});

Deno.test("calls that make no sense are refused with the error that a socket user knows", () => {
  const { hosts, udp, client, server } = world();
  const socket = udp.open(0, 0);
  assertEquals(udp.send(socket, 1), -ERRNO.ENOTCONN);
  assertEquals(udp.connect(socket, client, server, 0), -ERRNO.EINVAL);
  assertEquals(udp.sendTo(socket, client, server, 70000, 1), -ERRNO.EINVAL);
  assertEquals(udp.bind(socket, client, 5000), 5000);
  assertEquals(udp.bind(socket, client, 5001), -ERRNO.EINVAL);
  assertEquals(udp.connect(socket, client, server, 53), 5000);
  assertEquals(udp.connect(socket, client, server, 53), 5000, "connecting again to the same peer changes nothing");
  assertEquals(udp.send(socket, 1473), -ERRNO.EMSGSIZE);
  assertEquals(udp.send(socket, 1472), 1472);
  hosts.setMtu(0, 576);
  assertEquals(udp.send(socket, 549), -ERRNO.EMSGSIZE);
  assertEquals(udp.connect(socket, client, server, 54), 5000, "connecting anew moves the socket to another peer");
  assertEquals(udp.lookup(0, client, server, 5000 << 16 | 53), 0);
  assertEquals(udp.lookup(0, client, server, 5000 << 16 | 54), socket);
  udp.close(socket);
  assertEquals(udp.lookup(0, client, server, 5000 << 16 | 54), 0);
});
