import { assertEquals } from "@std/assert";
import { Network } from "../../src/network/network.ts";

Deno.test("a path of any MTU from 68 bytes on is found out and used: nothing is fragmented, and nothing disappears", () => {
  for (const mtu of [68, 100, 300, 551, 552, 1006, 1499]) {
    const network = new Network({ seed: 1 });
    network.host("a", { address: "10.1.0.1/24" });
    network.router("r");
    network.router("q");
    network.host("b", { address: "10.2.0.1/24", listen: [{ port: 80 }] });
    network.link("a", "r", { delayNs: 1e6 });
    network.link("r", "q", { delayNs: 1e6, mtu });
    network.link("q", "b", { delayNs: 1e6 });
    network.workload({
      name: "load",
      kind: "request-response",
      from: ["a"],
      to: ["b:80"],
      connections: 2,
      requestBytes: 4000,
      replyBytes: 4000,
    });
    const simulation = network.build();
    simulation.run({ untilNs: 60e9 });
    assertEquals(simulation.report().connections.repliesCompleted, 2, `MTU ${mtu}`);
  }
});
