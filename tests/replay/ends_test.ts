import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../src/base/address.ts";
import { Network } from "../../src/network/network.ts";
import { connectionEnds } from "../../src/replay/ends.ts";

Deno.test("both ends of a connection are shown from its handshake to TIME_WAIT", () => {
  const network = new Network({ seed: 1 });
  network.host("client", { address: "10.0.0.1/24" });
  network.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] });
  network.link("client", "server", { delayNs: 10e6 });
  network.workload({
    ...{ name: "w", kind: "schedule", from: ["client"], to: ["server:80"], connections: 1 },
    ...{ atNs: [0], fromPorts: [5000], exchanges: [{ requestBytes: 10, replyBytes: 20, workNs: 50e6 }] },
  });
  const simulation = network.build();
  const tuple = {
    ...{ source: parseAddress("10.0.0.1"), destination: parseAddress("10.0.0.2") },
    ...{ ports: (5000 << 16) | 80, tcp: true },
  };
  const states = (untilNs: number) => {
    simulation.run({ untilNs });
    return connectionEnds(simulation.partition, tuple).map((line) => line.split(",")[0]);
  };
  const client = (state: string) => `client: ${state} 10.0.0.1:5000 - 10.0.0.2:80`;
  const server = (state: string) => `server: ${state} 10.0.0.2:80 - 10.0.0.1:5000`;
  assertEquals(states(5e6), [client("SYN_SENT")]);
  assertEquals(states(15e6), [client("SYN_SENT"), server("SYN_RECEIVED")]);
  assertStringIncludes(connectionEnds(simulation.partition, tuple)[1], "SYN-ACK timeouts 0");
  assertEquals(states(45e6), [client("ESTABLISHED"), server("ESTABLISHED")]);
  // The client's FIN leaves at 90 ms; the server's, and the last acknowledgement, follow.
  assertEquals(states(95e6), [client("FIN_WAIT_1"), server("ESTABLISHED")]);
  assertEquals(states(105e6), [client("FIN_WAIT_1"), server("LAST_ACK")]);
  assertEquals(states(115e6), [server("LAST_ACK"), client("TIME_WAIT")]);
  assertEquals(states(1e9), [client("TIME_WAIT")]);
});
