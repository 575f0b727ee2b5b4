import { assert, assertEquals } from "@std/assert";
import type { Socket } from "../../src/socket/socket.ts";
import { CLIENT, collect, left, pair, SERVER, watch } from "./support.ts";

Deno.test("accept() takes connections one by one, the oldest first; undefined when none waits", () => {
  const net = pair();
  const listener = net.server.listen({ port: 80 });
  assertEquals(listener.accept(), undefined);
  for (const localPort of [1001, 1002, 1003]) net.client.connect({ address: SERVER, port: 80, localPort });
  net.simulation.run();
  const ports = [1, 2, 3, 4].map(() => listener.accept()?.remote.port);
  assertEquals(ports, [1001, 1002, 1003, undefined]);
});

Deno.test("an accepted socket knows both ends", () => {
  const net = pair();
  const listener = net.server.listen({ port: 80 });
  net.client.connect({ address: SERVER, port: 80, localPort: 1001 });
  net.simulation.run();
  const socket = listener.accept()!;
  assertEquals([socket.local, socket.remote], [{ address: SERVER, port: 80 }, { address: CLIENT, port: 1001 }]);
  assertEquals([listener.port, listener.local], [80, { address: "", port: 80 }]);
});

Deno.test("what arrived before accept() is told after it: data, end, and an end by RST", () => {
  const net = pair();
  const listener = net.server.listen({ port: 80 });
  net.client.connect({ address: SERVER, port: 80 }).end("waiting");
  const rude = net.client.connect({ address: SERVER, port: 80 }, () => rude.resetAndDestroy());
  net.simulation.run();
  const log: string[] = [];
  const received = [listener.accept()!, listener.accept()!].map((socket, i) => {
    watch(socket, log, `${i} `);
    return collect(socket);
  });
  assertEquals(log, [], "handlers run in run() alone");
  net.simulation.run();
  assertEquals(received.map((bytes) => bytes.text()), ["waiting", ""]);
  assertEquals(log, ["0 end", "1 ECONNRESET", "1 close after error", "0 close"]);
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
});

Deno.test("who begins to listen for connections gets those that wait", () => {
  const net = pair();
  const listener = net.server.listen({ port: 80 });
  for (let i = 0; i < 5; i++) net.client.connect({ address: SERVER, port: 80 });
  net.simulation.run();
  const accepted: Socket[] = [];
  listener.on("connection", (socket) => accepted.push(socket));
  assertEquals(accepted.length, 0);
  net.simulation.run();
  assertEquals(accepted.length, 5);
});

Deno.test("a full accept queue turns connections away, and the report says so", () => {
  const net = pair({ client: { profile: { synRetries: 1 } } });
  net.server.listen({ port: 80, backlog: 4 });
  for (let i = 0; i < 20; i++) net.client.connect({ address: SERVER, port: 80 }).on("error", () => {});
  net.simulation.run({ untilNs: 60e9 });
  const limit = net.simulation.report().limits.find((one) => one.limit === "accept-queue")!;
  assertEquals([limit.node, limit.capacity, limit.used], ["server", 5, 5]);
  assert(limit.refused > 0);
});

Deno.test("a closed listener resets who waits, refuses who comes, and leaves the accepted alone", () => {
  const net = pair();
  const listener = net.server.listen({ port: 80 });
  const log: string[] = [];
  watch(net.client.connect({ address: SERVER, port: 80 }), log, "first ");
  watch(net.client.connect({ address: SERVER, port: 80 }), log, "second ");
  net.simulation.run();
  const accepted = listener.accept()!;
  let closes = 0;
  listener.on("close", () => closes++);
  listener.close();
  listener.close();
  assertEquals(listener.accept(), undefined);
  watch(net.client.connect({ address: SERVER, port: 80 }), log, "third ");
  net.simulation.run();
  assertEquals(closes, 1);
  assertEquals(log, [
    "first connect",
    "second connect",
    "second ECONNRESET",
    "second close after error",
    "third ECONNREFUSED",
    "third close after error",
  ]);
  accepted.end();
  net.simulation.run();
  assert(log.includes("first end"));
});

Deno.test("the report remembers how a closed listener was used, and a new one on its row has its own", () => {
  const net = pair({ client: { profile: { synRetries: 0 } } });
  const listener = net.server.listen({ port: 80, backlog: 1 });
  for (let i = 0; i < 9; i++) net.client.connect({ address: SERVER, port: 80 }).on("error", () => {});
  net.simulation.run({ untilNs: 10e9 });
  const before = net.simulation.report().limits;
  listener.close();
  net.server.listen({ port: 8080, backlog: 100 });
  const after = net.simulation.report().limits;
  assertEquals(after.find((one) => one.limit === "accept-queue"), before.find((one) => one.limit === "accept-queue"));
  assertEquals(after.every((one) => one.node === "server" || one.node === "client"), true);
});

Deno.test("a handler that throws does not keep other connections from being accepted", () => {
  const net = pair();
  let accepted = 0;
  net.server.listen({ port: 80 }, () => {
    if (++accepted % 2 === 1) throw new Error("odd one");
  });
  for (let i = 0; i < 6; i++) net.client.connect({ address: SERVER, port: 80 });
  let thrown = 0;
  for (;;) {
    try {
      if (net.simulation.run().ended === "quiescence") break;
    } catch {
      thrown++;
    }
  }
  assertEquals([accepted, thrown], [6, 3]);
});

Deno.test("sockets and declared workloads live on the same hosts", () => {
  const net = pair({
    server: { listen: [{ port: 80, service: { kind: "respond", requestBytes: 4, replyBytes: 2000 } }] },
  });
  const socket = net.client.connect({ address: SERVER, port: 80 }, () => socket.write("GET!"));
  const reply = collect(socket);
  net.simulation.run();
  assertEquals(reply.bytes().length, 2000);
});
