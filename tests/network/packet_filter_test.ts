import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../src/base/errors.ts";
import { parseFilter } from "../../src/network/packet_filter.ts";
import { Network } from "../../src/network/network.ts";
import { PROTOCOL, TCP_FLAG } from "../../src/wire/packet.ts";
import { seenPacket } from "./support/sample_packet.ts";

const syn = seenPacket();
const answer = seenPacket({
  src: "2001:db8::1",
  dst: "2001:db8:1::2",
  srcPort: 443,
  dstPort: 50000,
  flags: TCP_FLAG.RST | TCP_FLAG.ACK,
  timeNs: 2e9,
  from: "server",
  to: "clients[3]",
});
const ping = seenPacket({ protocol: PROTOCOL.ICMP, srcPort: 0x0800, dstPort: 443 });
const ping6 = seenPacket({ protocol: PROTOCOL.ICMPV6, src: "::1", dst: "::2" });

function means(text: string, ...expected: (typeof syn)[]): void {
  const filter = parseFilter(text);
  const found = [syn, answer, ping, ping6].filter(filter);
  assertEquals(found.map((one) => one.p), expected.map((one) => one.p), text);
}

Deno.test("host, src and dst take addresses and prefixes of both families", () => {
  means("host 10.0.0.2", syn, ping);
  means("src 192.0.2.1");
  means("dst 192.0.2.1", syn, ping);
  means("host 10.0.0.0/8", syn, ping);
  means("host 2001:db8::/32", answer);
  means("src 2001:db8::1", answer);
  means("dst 2001:db8::/48");
  means("host 0.0.0.0/0", syn, ping);
  means("host ::/0", answer, ping6);
});

Deno.test("port means either end, of TCP and UDP only", () => {
  means("port 443", syn, answer);
  means("port 50000", answer);
  means("port 32768", syn);
});

Deno.test("connection means both directions of one four-tuple", () => {
  means("connection 10.0.0.2:32768-192.0.2.1:443", syn);
  means("connection 192.0.2.1:443-10.0.0.2:32768", syn);
  means("connection 10.0.0.2:443-192.0.2.1:32768");
  means("connection [2001:db8:1::2]:50000-[2001:db8::1]:443", answer);
});

Deno.test("connection means the ICMP errors that quote it too", () => {
  const seen: string[] = [];
  const network = new Network();
  network.host("client", { address: "10.0.0.1/24" });
  network.router("r1");
  network.host("server", { address: "10.0.1.1/24" });
  network.link("client", "r1");
  network.link("r1", "server");
  const simulation = network.build();
  const { packets, addresses } = simulation;
  const filter = parseFilter("connection 10.0.0.1:5000-10.0.1.1:53 icmp");
  const other = parseFilter("connection 10.0.0.1:5000-10.0.1.1:54 icmp");
  simulation.onDelivery((p, timeNs, from, to) => {
    const one = { packets, addresses, p, timeNs, from, to };
    if (filter(one)) seen.push(`${from} ${to}`);
    assertEquals(other(one), false);
  });
  const socket = simulation.host("client").udp({ port: 5000 });
  socket.send(new Uint8Array(10), { address: "10.0.1.1", port: 53 });
  simulation.run();
  assertEquals(seen, ["server r1", "r1 client"]);
});

Deno.test("node means both ends of the link, a population all its members", () => {
  means("node clients", answer);
  means("node clients[3]", answer);
  means("node client", syn, ping, ping6);
});

Deno.test("times: from after on, up to but not including before", () => {
  means("after 10ms before 2s", syn, ping, ping6);
  means("after 2s", answer);
  means("before 10ms");
});

Deno.test("protocols and flags", () => {
  means("tcp", syn, answer);
  means("icmp", ping, ping6);
  means("udp");
  means("syn", syn);
  means("rst", answer);
  means("fin");
});

Deno.test("side by side means and; or and not do what they say", () => {
  means("tcp port 443 host 10.0.0.2", syn);
  means("tcp and port 443 and host 10.0.0.2", syn);
  means("syn or icmp", syn, ping, ping6);
  means("not tcp", ping, ping6);
  means("tcp not rst or icmp host ::1", syn, ping6);
  means("not not syn", syn);
});

Deno.test("a node that is not there is refused with the nearest", () => {
  const nodes = ["server", "clients"];
  parseFilter("node clients[3]", nodes);
  const error = assertThrows(() => parseFilter("node sever", nodes), InputError);
  assertEquals(error.message, '--filter: there is no node "sever": did you mean server?');
});

Deno.test("what is not a filter is refused with one sentence", () => {
  const sentences: Record<string, string> = {
    "": "--filter: there is nothing in it; try 'host 192.0.2.1 port 443'.",
    "hots 10.0.0.1": '--filter: "hots" is not a test: did you mean host?',
    "port": "--filter: port needs a number from 0 to 65535, found the end.",
    "port 70000": '--filter: port needs a number from 0 to 65535, found "70000".',
    "connection 10.0.0.1-10.0.0.2":
      '--filter: connection needs a four-tuple such as 10.0.0.2:32768-192.0.2.1:443, found "10.0.0.1-10.0.0.2".',
    "not": '--filter: expected a test after "not", found the end.',
    "or syn": "--filter: or stands between two tests.",
    "syn or": "--filter: or stands between two tests.",
    "and syn": "--filter: and stands between two tests.",
  };
  for (const [text, sentence] of Object.entries(sentences)) {
    assertEquals(assertThrows(() => parseFilter(text), InputError).message, sentence);
  }
  for (const text of ["host 300.1.1.1", "after soon", "src 10.0.0.0/99"]) {
    const { message } = assertThrows(() => parseFilter(text), InputError);
    assertEquals(message.startsWith(`--filter: ${text.split(" ")[0]}: `), true, message);
  }
});
