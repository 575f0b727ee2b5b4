/** Sockets called at random, on bad links: whatever is called when, they keep their promises. */
import { assertEquals } from "@std/assert";
import { Substream } from "../../src/base/rng.ts";
import { NODE } from "../../src/node/nodes.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { left, pair, SERVER } from "./support.ts";

/** A run of a hundred random calls; what must be the same every time. */
function randomLife(seed: number): string {
  const random = Substream.of(seed, "test", "sockets");
  const net = pair({
    seed,
    client: { profile: { sendBufferBytes: 8000, synRetries: 2, ephemeralPortLow: 40_000, ephemeralPortHigh: 40_015 } },
    server: { profile: { receiveBufferBytes: 10_000 }, maxFiles: 12 },
    link: { rateBps: 2e6, queuePackets: 40, loss: 0.03, reorder: 0.05, duplicate: 0.02 },
  });
  const sockets: Socket[] = [];
  const closed = new Map<Socket, number>();
  const follow = (socket: Socket) => {
    sockets.push(socket);
    const after = (event: string) => () => assertEquals(closed.get(socket), undefined, `${event} after close`);
    for (const event of ["connect", "readable", "end", "drain", "error"] as const) socket.on(event, after(event));
    if (random.nextInt(3) > 0) socket.on("data", after("data"));
    if (random.nextInt(4) === 0) socket.on("data", () => call(socket));
    socket.on("close", () => closed.set(socket, (closed.get(socket) ?? 0) + 1));
  };
  const call = (socket: Socket) => {
    switch (random.nextInt(12)) {
      case 0:
        return void socket.end();
      case 1:
        return socket.close();
      case 2:
        return random.nextInt(3) === 0 ? socket.destroy() : socket.resetAndDestroy();
      case 3:
        return void socket.pause();
      case 4:
        return void socket.resume();
      case 5:
        return void socket.read(1 + random.nextInt(3000));
      case 6:
        return void socket.readCounted();
      default:
        try {
          const length = random.nextInt(9000);
          socket.write(random.nextInt(2) === 0 ? length : new Uint8Array(length));
        } catch (error) {
          assertEquals((error as { code: string }).code, "EPIPE");
        }
    }
  };
  const allowHalfOpen = random.nextInt(2) === 0;
  const listener = net.server.listen({ port: 80, backlog: 6, allowHalfOpen }, follow);
  for (let step = 0; step < 100; step++) {
    const what = random.nextInt(5);
    net.simulation.at(net.simulation.nowNs + random.nextInt(50e6), () => {
      if (what === 0 || sockets.length === 0) {
        const port = random.nextInt(10) === 0 ? 81 : 80;
        follow(net.client.connect({ address: SERVER, port, allowHalfOpen: random.nextInt(2) === 0 }));
      } else call(sockets[random.nextInt(sockets.length)]);
    });
    if (what === 1) net.simulation.run({ untilNs: net.simulation.nowNs + random.nextInt(20e6) });
    if (what === 2 && sockets.length > 0) call(sockets[random.nextInt(sockets.length)]);
  }
  // (A peer who never reads is probed for ever.)
  net.simulation.run({ untilNs: net.simulation.nowNs + 100e9 });
  // Then all go home.
  listener.close();
  for (const socket of sockets) socket.close();
  net.simulation.run();
  for (const socket of [...sockets]) socket.close();
  net.simulation.run();

  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 }, `seed ${seed}`);
  for (const socket of sockets) {
    assertEquals([socket.readyState, closed.get(socket)], ["closed", 1], `seed ${seed}`);
  }
  const { nodes, tcp } = net.simulation.partition;
  for (const name of ["client", "server"]) {
    assertEquals(nodes.words[nodes.population(name)!.firstRow * NODE.STRIDE + NODE.FILES], 0, `files, seed ${seed}`);
  }
  assertEquals([tcp.liveTimers, tcp.streams.filter((stream) => stream !== null).length], [0, 0]);
  const { connections } = net.simulation.report();
  const failed = Object.values(connections.failed).reduce((sum, count) => sum + count, 0);
  assertEquals(connections.attempted, connections.established + failed, `seed ${seed}`);
  assertEquals(connections.open, 0);
  return net.simulation.digest;
}

Deno.test("called at random, sockets close once, leave nothing behind, and their outcomes add up", () => {
  for (let seed = 1; seed <= 60; seed++) randomLife(seed);
});

Deno.test("the same random calls give the same digest", () => {
  for (let seed = 1; seed <= 5; seed++) assertEquals(randomLife(seed), randomLife(seed));
});
