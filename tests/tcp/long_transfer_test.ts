import { assertEquals } from "@std/assert";
import { A, B, MS, World } from "./harness.ts";
import { accept, connect, listen, receive, send, TCP_EVENT } from "../../src/tcp/mod.ts";

Deno.test("a loss after more than 2 GiB without one is still repaired by fast retransmit, not by a timeout", () => {
  const world = new World({
    profileA: { sack: false },
    profileB: { receiveBufferBytes: 1 << 24 },
    pipe: { delayNs: MS },
  });
  world.logging = false;
  const { stack } = world;
  world.hosts.setMtu(A, 65535);
  world.hosts.setMtu(B, 65535);
  listen(stack, B, 0, 80, { backlog: 5, app: 0 });
  const total = 2_500_000_000;
  let left = total;
  let got = 0;
  let drops = 0;
  world.onEvent = (conn, kind, arg) => {
    if (kind === TCP_EVENT.ACCEPTABLE) accept(stack, arg);
    else if (kind === TCP_EVENT.READABLE) got += receive(stack, conn, 1e9);
    else if (kind === TCP_EVENT.CONNECTED || kind === TCP_EVENT.WRITABLE) {
      left -= send(stack, conn, Math.min(left, 1e9));
    }
  };
  world.pipe.drop = ({ length }) => length > 0 && got > 2_300_000_000 && drops++ === 0;
  connect(stack, A, world.addressA, 0, world.addressB, 80, 0);
  world.runToQuiet();
  assertEquals([got, drops > 0], [total, true]);
  assertEquals([stack.counters.fastRetransmits, stack.counters.timeouts], [1, 0]);
});
