import { assert, assertEquals, assertThrows } from "@std/assert";
import { SocketError } from "../../src/base/errors.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { CLIENT, left, pair, SERVER, watch } from "./support.ts";

/** The code of the error that a call throws. */
function codeOf(call: () => unknown): string {
  return assertThrows(call, SocketError).code;
}

Deno.test("ECONNREFUSED: nobody listens, told after one round trip", () => {
  const net = pair();
  const socket = net.client.connect({ address: SERVER, port: 81 });
  const log = watch(socket);
  socket.on("error", (error) => assertEquals(error.message, `ECONNREFUSED: connect ${SERVER}:81`));
  net.simulation.run();
  assertEquals(log, ["ECONNREFUSED", "close after error"]);
  assertEquals(net.simulation.nowNs, 2e6);
  const { connections } = net.simulation.report();
  assertEquals([connections.attempted, connections.failed], [1, { ECONNREFUSED: 1 }]);
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
});

Deno.test("ETIMEDOUT: nobody answers, told when the last SYN's time is up", () => {
  const net = pair({ client: { profile: { synRetries: 2 } }, link: { loss: 1 } });
  const log = watch(net.client.connect({ address: SERVER, port: 80 }));
  net.simulation.run();
  assertEquals(log, ["ETIMEDOUT", "close after error"]);
  // 1 + 2 + 4 s.
  assertEquals(net.simulation.nowNs, 7e9);
});

Deno.test("ECONNRESET: the peer breaks off; the report counts it as broken", () => {
  const net = pair();
  net.server.listen({ port: 80 }, (socket) => socket.on("data", () => socket.resetAndDestroy()));
  const log: string[] = [];
  watch(net.client.connect({ address: SERVER, port: 80 }), log, "first ");
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.write("x"));
  watch(socket, log, "second ");
  net.simulation.run();
  assertEquals(log, ["first connect", "second connect", "second ECONNRESET", "second close after error"]);
  const { connections } = net.simulation.report();
  assertEquals([connections.broken, connections.open, connections.peakConcurrent], [{ ECONNRESET: 1 }, 1, 2]);
});

Deno.test("EPIPE: writing after end, after close, and to a peer who is gone", () => {
  const net = pair();
  const errors: string[] = [];
  net.server.listen({ port: 80, allowHalfOpen: true }, (socket) => {
    socket.on("error", (error) => errors.push(error.code));
    // The client has closed: the first write is answered with a RST, in CLOSE_WAIT.
    socket.on("end", () => socket.write("anyone?"));
  });
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => {
    socket.end();
    assertEquals(codeOf(() => socket.write("more")), "EPIPE");
    socket.close();
    assertEquals(codeOf(() => socket.write("more")), "EPIPE");
  });
  net.simulation.run();
  assertEquals(errors, ["EPIPE"]);
});

Deno.test("EADDRNOTAVAIL: the ports are gone, and not one connection before", () => {
  const net = pair({ client: { profile: { ephemeralPortLow: 40_000, ephemeralPortHigh: 40_009 } } });
  net.server.listen({ port: 80 }, () => {});
  net.server.listen({ port: 81 }, () => {});
  const log: string[] = [];
  for (let i = 0; i < 12; i++) watch(net.client.connect({ address: SERVER, port: 80 }), log);
  assertEquals(log, [], "errors are told by run(), not by connect()");
  net.client.connect({ address: SERVER, port: 81 });
  net.simulation.run();
  assertEquals(log.filter((line) => line === "connect").length, 10);
  assertEquals(log.filter((line) => line === "EADDRNOTAVAIL").length, 2);
  const report = net.simulation.report();
  assertEquals(report.connections.established, 11, "another destination has all ports again");
  assertEquals(report.limits.find((limit) => limit.limit === "ports")?.refused, 2);
});

Deno.test("EADDRNOTAVAIL: an address that is not the host's, a four-tuple that is taken", () => {
  const net = pair();
  net.server.listen({ port: 80 }, () => {});
  const log: string[] = [];
  watch(net.client.connect({ address: SERVER, port: 80, localAddress: "10.0.0.9" }), log, "foreign ");
  watch(net.client.connect({ address: SERVER, port: 80, localPort: 5000 }), log, "first ");
  watch(net.client.connect({ address: SERVER, port: 80, localPort: 5000 }), log, "again ");
  assertEquals(codeOf(() => net.client.listen({ port: 80, address: "10.0.0.9" })), "EADDRNOTAVAIL");
  net.simulation.run();
  assertEquals(log, [
    "foreign EADDRNOTAVAIL",
    "again EADDRNOTAVAIL",
    "foreign close after error",
    "again close after error",
    "first connect",
  ]);
  const { connections } = net.simulation.report();
  assertEquals([connections.attempted, connections.failed], [3, { EADDRNOTAVAIL: 2 }]);
});

Deno.test("EADDRINUSE: a port is listened on once, and no source port of a connect", () => {
  const { simulation, client, server } = pair();
  server.listen({ port: 80 });
  assertEquals(codeOf(() => server.listen({ port: 80 })), "EADDRINUSE");
  assertEquals(codeOf(() => server.listen({ port: 80, address: SERVER })), "EADDRINUSE");
  server.listen({ port: 81, address: SERVER }).close();
  server.listen({ port: 81 });
  client.listen({ port: 5000 });
  const log = watch(client.connect({ address: SERVER, port: 80, localPort: 5000 }));
  simulation.run();
  assertEquals(log, ["EADDRINUSE", "close after error"]);
});

Deno.test("EMFILE: a client has so many sockets; a closed one makes room", () => {
  const net = pair({ client: { maxFiles: 3 } });
  net.server.listen({ port: 80 }, (socket) => socket.on("data", () => {}));
  const sockets = [1, 2, 3, 4].map(() => net.client.connect({ address: SERVER, port: 80 }));
  const log: string[] = [];
  sockets.forEach((socket, i) => watch(socket, log, `${i} `));
  net.simulation.run();
  assertEquals(log, ["3 EMFILE", "3 close after error", "0 connect", "1 connect", "2 connect"]);
  assertEquals(codeOf(() => net.client.listen({ port: 1 })), "EMFILE");
  assertEquals(codeOf(() => net.client.udp()), "EMFILE");
  sockets[0].close();
  watch(net.client.connect({ address: SERVER, port: 80 }), log, "new ");
  net.simulation.run();
  assert(log.includes("new connect"));
});

Deno.test("EMFILE: a server's queue waits for a file descriptor, the listener is told", () => {
  const net = pair({ server: { maxFiles: 3 } });
  const accepted: Socket[] = [];
  const errors: string[] = [];
  const listener = net.server.listen({ port: 80 }, (socket) => accepted.push(socket));
  listener.on("error", (error) => errors.push(error.code));
  for (let i = 0; i < 4; i++) net.client.connect({ address: SERVER, port: 80 }).on("error", () => {});
  net.simulation.run();
  assertEquals([accepted.length, errors], [2, ["EMFILE", "EMFILE"]]);
  assertEquals(codeOf(() => listener.accept()), "EMFILE");
  accepted[0].close();
  accepted[1].close();
  net.simulation.run();
  assertEquals(accepted.length, 4);
});

Deno.test("ENETUNREACH and EINVAL: families that do not go together", () => {
  const net = pair();
  const log: string[] = [];
  watch(net.client.connect({ address: "2001:db8::1", port: 80 }), log, "none ");
  watch(net.client.connect({ address: "2001:db8::1", port: 80, localAddress: CLIENT }), log, "mixed ");
  net.simulation.run();
  assertEquals(log.toSorted(), [
    "mixed EINVAL",
    "mixed close after error",
    "none ENETUNREACH",
    "none close after error",
  ]);
});

Deno.test("a dual-stacked host speaks from the address of the destination's family", () => {
  const net = pair({
    client: { extraAddresses: ["2001:db8::1"] },
    server: { extraAddresses: ["2001:db8::2"] },
  });
  let from = "";
  net.server.listen({ port: 80 }, (socket) => from = socket.remote.address);
  const socket = net.client.connect({ address: "2001:db8::2", port: 80 });
  net.simulation.run();
  assertEquals([socket.readyState, socket.local.address, from], ["open", "2001:db8::1", "2001:db8::1"]);
});

Deno.test("an error that nobody listens for comes out of run(), and the rest of the run goes on after it", () => {
  const net = pair();
  let received = 0;
  net.server.listen({ port: 80 }, (socket) => socket.on("data", (bytes) => received += bytes.length));
  net.client.connect({ address: SERVER, port: 81 });
  net.client.connect({ address: SERVER, port: 80 }).end(5000);
  const error = assertThrows(() => net.simulation.run(), SocketError);
  assertEquals(error.code, "ECONNREFUSED");
  assertEquals(net.simulation.run().ended, "quiescence");
  assertEquals(received, 5000);
});

Deno.test("what a handler throws comes out of run(), and nothing else is lost", () => {
  const quiet = pair();
  const loud = pair();
  const totals = [quiet, loud].map((net) => {
    let received = 0;
    let thrown = 0;
    let count = 0;
    net.server.listen({ port: 80 }, (socket) =>
      socket.on("data", (bytes) => {
        received += bytes.length;
        if (net === loud && ++count % 3 === 0) throw new Error("oops");
      }));
    for (let i = 0; i < 5; i++) net.client.connect({ address: SERVER, port: 80 }).end(20_000);
    if (net === loud) {
      net.client.setTimeout(() => {
        throw new Error("in a timer");
      }, 1e6);
    }
    for (;;) {
      try {
        if (net.simulation.run().ended === "quiescence") break;
      } catch (error) {
        assert(error instanceof Error);
        thrown++;
      }
    }
    return { received, thrown: thrown > 3, left: left(net) };
  });
  assertEquals(totals[0], { received: 100_000, thrown: false, left: { rows: 0, timeWaits: 0, packets: 0 } });
  assertEquals(totals[1], { received: 100_000, thrown: true, left: { rows: 0, timeWaits: 0, packets: 0 } });
  assertEquals(loud.simulation.digest, quiet.simulation.digest);
});

Deno.test("several handlers that throw at one event are told together", () => {
  const net = pair();
  const listener = net.server.listen({ port: 80 });
  net.client.connect({ address: SERVER, port: 80 }).end("data and FIN");
  net.simulation.run();
  const socket = listener.accept()!;
  socket.on("data", () => {
    throw new Error("at the data");
  });
  socket.on("end", () => {
    throw new Error("at the end");
  });
  const error = assertThrows(() => net.simulation.run(), AggregateError);
  assertEquals(error.errors.map(({ message }) => message), ["at the data", "at the end"]);
  assertEquals(net.simulation.run().ended, "quiescence");
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
});

Deno.test("run() inside a handler is refused", () => {
  const { simulation } = pair();
  simulation.at(5, () => simulation.run());
  assertThrows(() => simulation.run(), Error, "handler");
});
