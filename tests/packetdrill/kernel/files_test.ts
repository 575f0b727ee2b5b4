import { assertEquals } from "@std/assert";
import { Epoll } from "../../../src/packetdrill/kernel/epoll.ts";
import { FileTable } from "../../../src/packetdrill/kernel/files.ts";
import { EPOLL, POLL } from "../../../src/packetdrill/kernel/abi.ts";
import { CONNECTED, failureOf } from "../play.ts";

Deno.test("descriptors begin at 3 and the lowest free one is given out", () => {
  const table = new FileTable();
  const [a, b, c] = [0, 1, 2].map(() => table.open(new Epoll(), 0));
  assertEquals([a.fd, b.fd, c.fd], [3, 4, 5]);
  table.close(b);
  assertEquals(table.open(new Epoll(), 0).fd, 4);
});

Deno.test("the script's numbers are its own, and free again after close", () => {
  const table = new FileTable();
  const file = table.open(new Epoll(), 0);
  assertEquals(table.name(file, 77), true);
  assertEquals(table.name(table.open(new Epoll(), 0), 77), false);
  assertEquals(table.get(77), file);
  table.close(file);
  assertEquals(table.get(77), undefined);
});

Deno.test("an edge is reported once, a one-shot watch until it is set anew", () => {
  const table = new FileTable();
  const file = table.open(new Epoll(), 0);
  const epoll = new Epoll();
  epoll.watches.push({ file, events: POLL.IN | EPOLL.ET, data: 1, fresh: true, spent: false });
  epoll.watches.push({ file, events: POLL.IN | EPOLL.ONESHOT, data: 2, fresh: true, spent: false });
  assertEquals(epoll.collect(8, () => POLL.IN).map(({ data }) => data), [1, 2]);
  assertEquals(epoll.collect(8, () => POLL.IN), []);
  epoll.wake(file);
  assertEquals(epoll.collect(8, () => POLL.IN).map(({ data }) => data), [1]);
});

Deno.test("O_NONBLOCK is set and read by fcntl, and not inherited by accepted sockets", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 fcntl(3, F_GETFL) = 0x802
+0 fcntl(4, F_GETFL) = 0x2
`),
    "",
  );
});

Deno.test("pipes and splice move counts of bytes", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 pipe([7, 8]) = 0
+0 write(8, ..., 300) = 300
+0 splice(7, 0, 4, 0, 200, 0) = 200
+0 > P. 1:201(200) ack 1
+0 read(7, ..., 1000) = 100
+0 < P. 1:51(50) ack 201 win 32000
+0 splice(4, 0, 8, 0, 1000, 0) = 50
+0 read(7, ..., 1000) = 50
`),
    "",
  );
});
