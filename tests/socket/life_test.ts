import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Socket } from "../../src/socket/socket.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import { CONTROL, PACKET } from "../../src/wire/packet.ts";
import { CLIENT, collect, left, type Pair, pair, SERVER, watch } from "./support.ts";

/** Flags of every segment from now on that has FIN or RST: `client FIN`. */
function endings({ simulation }: Pair): string[] {
  const log: string[] = [];
  simulation.onDelivery((p, _timeNs, from) => {
    const flags = simulation.packets.rows.words[p * PACKET.STRIDE + PACKET.CONTROL] & CONTROL.FLAGS_MASK;
    if (flags & TCP_FLAG.RST) log.push(`${from} RST`);
    else if (flags & TCP_FLAG.FIN) log.push(`${from} FIN`);
  });
  return log;
}

Deno.test("close sends what was written, then a FIN; only close follows", () => {
  const net = pair({ client: { profile: { sendBufferBytes: 4000 } } });
  let received = 0;
  net.server.listen({ port: 80 }, (socket) => socket.on("data", (bytes) => received += bytes.length));
  const segments = endings(net);
  const log: string[] = [];
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => {
    socket.write(50_000);
    socket.close();
    socket.close();
  });
  watch(socket, log);
  net.simulation.run();
  assertEquals(received, 50_000);
  assertEquals(log, ["connect", "close"]);
  assertEquals(segments, ["client FIN", "server FIN"]);
  assertEquals(left(net).rows, 0);
});

Deno.test("close with unread data sends a RST", () => {
  const net = pair();
  const log: string[] = [];
  net.server.listen({ port: 80 }, (socket) => {
    watch(socket, log, "server ");
    net.server.setTimeout(() => socket.close(), 10e6);
  });
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.write("never read"));
  watch(socket, log, "client ");
  const segments = endings(net);
  net.simulation.run();
  assertEquals(segments, ["server RST"]);
  assertEquals(log, ["client connect", "server close", "client ECONNRESET", "client close after error"]);
});

Deno.test("destroy throws away what TCP has not taken; resetAndDestroy all", () => {
  for (const [how, ending] of [["destroy", "client FIN"], ["resetAndDestroy", "client RST"]] as const) {
    const net = pair({ client: { profile: { sendBufferBytes: 4000 } } });
    let received = 0;
    net.server.listen({ port: 80 }, (socket) => {
      socket.on("data", (bytes) => received += bytes.length);
      socket.on("error", (error) => assertEquals(error.code, "ECONNRESET"));
    });
    const segments = endings(net);
    const socket = net.client.connect({ address: SERVER, port: 80 }, () => {
      socket.write(500_000);
      socket[how]();
    });
    const log = watch(socket);
    net.simulation.run();
    // What TCP has taken are one or two buffers of up to 64 KiB.
    assert(received <= 131_072, how);
    assertEquals(segments[0], ending);
    assertEquals(log, ["connect", "close"]);
    assertEquals(socket.readyState, "closed");
  }
});

Deno.test("end closes one direction only, and close follows when the peer has ended too", () => {
  const net = pair();
  let server: Socket | undefined;
  net.server.listen({ port: 80, allowHalfOpen: true }, (socket) => server = socket);
  const log = watch(net.client.connect({ address: SERVER, port: 80 }).end());
  net.simulation.run();
  assertEquals(log, ["connect"]);
  server!.closeWrite();
  net.simulation.run();
  assertEquals(log, ["connect", "end", "close"]);
});

Deno.test("an attempt that is closed is given up: ECONNABORTED in the report, no error", () => {
  const net = pair();
  net.server.listen({ port: 80 }, () => {});
  const log: string[] = [];
  watch(net.client.connect({ address: SERVER, port: 80 }), log).close();
  watch(net.client.connect({ address: SERVER, port: 80 }), log).destroy();
  const late = watch(net.client.connect({ address: SERVER, port: 80 }), log);
  net.simulation.at(500e3, () => late.resetAndDestroy());
  net.simulation.run();
  assertEquals(log, ["close", "close", "close"]);
  const { connections } = net.simulation.report();
  assertEquals([connections.attempted, connections.failed], [3, { ECONNABORTED: 3 }]);
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });

  function watch(socket: Socket, log: string[]): Socket {
    for (const event of ["connect", "end", "error", "close"] as const) socket.on(event, () => log.push(event));
    return socket;
  }
});

Deno.test("a connect that cannot even begin may be closed before its error is told", () => {
  const net = pair({ client: { maxFiles: 0 } });
  const socket = net.client.connect({ address: SERVER, port: 80 });
  const log = watch(socket);
  socket.close();
  net.simulation.run();
  assertEquals(log, ["close"]);
});

Deno.test("after close no event comes, whatever still arrives", () => {
  const net = pair({ link: { loss: 0.2 }, seed: 3 });
  const events: string[] = [];
  net.server.listen({ port: 80 }, (socket) => {
    let closed = false;
    for (const event of ["data", "readable", "end", "drain", "error"] as const) {
      socket.on(event, () => {
        if (closed) events.push(event);
        else if (event === "data") {
          closed = true;
          socket.close();
        }
      });
    }
    socket.on("close", () => events.push("close"));
  });
  for (let i = 0; i < 20; i++) {
    const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.end(20_000));
    socket.on("error", () => {});
  }
  net.simulation.run();
  assertEquals(events, Array(20).fill("close"));
});

Deno.test("two sockets that connect to each other open simultaneously, into one connection", () => {
  const net = pair();
  const one = net.client.connect({ address: SERVER, port: 2000, localPort: 1000 });
  const two = net.server.connect({ address: CLIENT, port: 1000, localPort: 2000 });
  const log: string[] = [];
  watch(one, log, "one ");
  watch(two, log, "two ");
  const received = [collect(one), collect(two)];
  one.write("from one");
  two.write("from two");
  net.simulation.run();
  assertEquals(log.toSorted(), ["one connect", "one drain", "two connect", "two drain"]);
  assertEquals(received.map((bytes) => bytes.text()), ["from two", "from one"]);
  assertEquals([one.local, one.remote], [two.remote, two.local]);
  one.end();
  two.end();
  net.simulation.run();
  assertEquals([one.readyState, two.readyState], ["closed", "closed"]);
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
});

Deno.test("many sockets at once, each with its own words", () => {
  const net = pair({ link: { rateBps: 1e9 } });
  net.server.listen(
    { port: 80, backlog: 4096 },
    (socket) => socket.on("data", (bytes) => socket.end(bytes.toReversed())),
  );
  let right = 0;
  for (let i = 0; i < 3000; i++) {
    const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.write(`number ${i}`));
    const answer = collect(socket);
    socket.on("close", () => {
      if (answer.text() === [...`number ${i}`].toReversed().join("")) right++;
    });
  }
  net.simulation.run();
  assertEquals(right, 3000);
  const { connections } = net.simulation.report();
  assertEquals([connections.attempted, connections.established, connections.open], [3000, 3000, 0]);
  assert(connections.peakConcurrent > 1000);
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
});

Deno.test("the same calls give the same digest, in one run or in slices, from outside or from handlers", () => {
  const run = (slices: number) => {
    const net = pair({ link: { loss: 0.05, jitterNs: 1e6 } });
    net.server.listen({ port: 7 }, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
    const socket = net.client.connect({ address: SERVER, port: 7 }, () => socket.end(100_000));
    socket.on("data", () => {});
    for (let i = 1; i < slices; i++) net.simulation.run({ untilNs: i * 7e6 });
    net.simulation.run();
    return net.simulation.digest;
  };
  assertEquals(run(50), run(1));
});

Deno.test("calls between runs act where the clock stands", () => {
  const net = pair();
  net.server.listen({ port: 7 }, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
  net.simulation.run({ untilNs: 1e9 });
  assertEquals(net.simulation.nowNs, 0, "nothing was to be done: the run ended at quiescence");
  net.simulation.run({ untilNs: 1e9, pastQuiescence: true });
  assertEquals(net.simulation.nowNs, 1e9);
  const socket = net.client.connect({ address: SERVER, port: 7 });
  const received = collect(socket);
  net.simulation.run();
  assertEquals(net.simulation.nowNs, 1e9 + 3e6);
  socket.write("now");
  net.simulation.run({ until: () => received.text() === "now" });
  assertEquals(received.text(), "now");
});

Deno.test("timers go off in order of time and, at one time, in the order in which a host set them", () => {
  const net = pair();
  const log: string[] = [];
  net.client.setTimeout(() => log.push("c"), 3e6);
  net.client.setTimeout(() => log.push("a"), 1e6);
  net.client.setTimeout(() => log.push("b"), 1e6);
  net.simulation.at(2e6, () => {
    log.push("at");
    net.simulation.at(2e6, () => log.push("at once more"));
    net.client.setTimeout(() => log.push("later"), 5e6);
  });
  const timer = net.client.setTimeout(() => log.push("never"), 1e6);
  net.client.clearTimeout(timer);
  net.client.clearTimeout(timer);
  net.client.clearTimeout(12345);
  net.simulation.run();
  assertEquals(log, ["a", "b", "at", "at once more", "c", "later"]);
  assertEquals(net.simulation.nowNs, 7e6);
});

Deno.test("a time that is past, or no whole number, is refused", () => {
  const net = pair();
  net.simulation.at(1e6, () => {});
  net.simulation.run();
  for (const timeNs of [1e6 - 1, 1.5e6 + 0.5, NaN, Infinity]) {
    assertThrows(() => net.simulation.at(timeNs, () => {}), RangeError, "whole number");
  }
  for (const delayNs of [-1, 0.5]) assertThrows(() => net.client.setTimeout(() => {}, delayNs), RangeError);
});

Deno.test("keep-alive probes are sent past quiescence, and a peer that lives answers them", () => {
  const net = pair({ client: { profile: { keepAliveIntervalMs: 1000, keepAliveProbes: 2 } } });
  net.server.listen({ port: 80 }, () => {});
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.setKeepAlive(true, 5000));
  const log = watch(socket);
  net.simulation.run();
  const before = net.simulation.report().packets.delivered;
  net.simulation.run({ untilNs: 60e9, pastQuiescence: true });
  assertEquals([log, net.simulation.nowNs], [["connect"], 60e9]);
  assert(net.simulation.report().packets.delivered - before >= 20);
});

Deno.test("bytes received and connections are counted for those who connect", () => {
  const net = pair();
  net.server.listen({ port: 80 }, (socket) => {
    socket.on("data", () => socket.end(1000));
  });
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.write(100));
  socket.on("data", () => {});
  net.simulation.run({ untilNs: 3e6 });
  assertEquals(net.simulation.report().connections.open, 1);
  net.simulation.run();
  const { connections, packets } = net.simulation.report();
  assertEquals([connections.attempted, connections.established, connections.open], [1, 1, 0]);
  assertEquals(connections.connectMs, { p50: 2, p90: 2, p99: 2, max: 2 });
  assertEquals(net.simulation.partition.stats.bytesReceived, 1000);
  assertEquals(packets.sent, packets.delivered);
});
