// RFC 9293 3.8.5, 3.9.2: what the applications that come with the emulator do not do. Ids are of Appendix B.
import { assert, assertEquals } from "@std/assert";
import { PACKET, TCP_FLAG } from "../../src/wire/packet.ts";
import { built, star } from "./support/networks.ts";
import { send, watch } from "./support/probe.ts";

// SHLD-13, SHLD-23
Deno.test("no workload sends urgent data, or changes the traffic class of a connection", () => {
  for (const kind of ["hold", "request-response"] as const) {
    const simulation = built(star({ workload: { kind } }));
    const classes = new Set<number>();
    let packets = 0;
    simulation.onDelivery((p) => {
      const words = simulation.partition.packets.rows.words;
      packets++;
      assertEquals(words[p * PACKET.STRIDE + PACKET.CONTROL] & TCP_FLAG.URG, 0);
      classes.add(words[p * PACKET.STRIDE + PACKET.WINDOW_TTL_TOS] & 0xfc);
    });
    simulation.run();
    assert(packets > 20, `${packets}`);
    assertEquals([...classes], [0]);
  }
});

// MUST-57
Deno.test("a segment for a multicast or broadcast address ends at the host that it reaches, without an answer", () => {
  const simulation = built([
    (n) => n.host("a", { address: "10.0.0.1" }),
    (n) => n.host("b", { address: "10.0.0.2", listen: [{ port: 80 }] }),
    (n) => n.link("a", "b"),
  ]);
  const seen = watch(simulation);
  for (const dst of ["224.0.0.1", "255.255.255.255", "10.0.0.255"]) {
    send(simulation, { from: "a", dst, protocol: "TCP", flags: TCP_FLAG.SYN, dport: 80 });
  }
  simulation.run();
  assertEquals(seen.map(({ to }) => to), ["b", "b", "b"]);
  assertEquals(simulation.partition.tcp.counters.segmentsIn, 0);
});
