import { assertEquals } from "@std/assert";
import { A, B, World } from "./harness.ts";
import { accept, closeConnection, connect, listen, receive, send, TCP_EVENT } from "../../src/tcp/mod.ts";

Deno.test("a request and its reply take seven segments and leave nothing behind", () => {
  const world = new World();
  const { stack } = world;
  listen(stack, B, 0, 80, { backlog: 10, app: 7 });
  let got = 0;
  let server = 0;
  const client = connect(stack, A, world.addressA, 0, world.addressB, 80, 3);
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.CONNECTED) send(stack, conn, 100);
    else if (kind === TCP_EVENT.ACCEPTABLE) server = accept(stack, arg);
    else if (kind === TCP_EVENT.READABLE) {
      got += receive(stack, conn, 1e9);
      if (conn === server) send(stack, conn, 1000);
    }
  };
  world.run(1e9);
  assertEquals(world.log.map((s) => `${s.from} ${s.flags} ${s.length}`), [
    "1 S 0",
    "2 S. 0",
    "1 . 0",
    "1 P. 100",
    "2 . 0",
    "2 P. 1000",
    "1 . 0",
  ]);
  assertEquals(got, 1100);
  assertEquals(world.state(client), "ESTABLISHED");
  assertEquals(stack.cold.inUse, 0);
  assertEquals(stack.liveTimers, 0);
  closeConnection(stack, client);
  world.run(1e9);
  closeConnection(stack, server);
  world.runToQuiet();
  assertEquals(world.leaks(), []);
});
