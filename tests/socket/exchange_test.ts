import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Socket } from "../../src/socket/socket.ts";
import { collect, left, noise, pair, SERVER, watch } from "./support.ts";

Deno.test("real bytes come back from an echo as they were sent", () => {
  const net = pair();
  net.server.listen({ port: 7 }, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
  const sent = noise(300_000);
  const socket = net.client.connect({ address: SERVER, port: 7 }, () => socket.end(sent));
  const log = watch(socket);
  const received = collect(socket);
  net.simulation.run();
  assertEquals(received.bytes(), sent);
  assertEquals(log, ["connect", "end", "close"]);
  assertEquals([socket.bytesWritten, socket.bytesRead], [300_000, 300_000]);
  assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
});

Deno.test("real bytes survive loss, reordering and duplication, both ways at once", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const net = pair({ seed, link: { delayNs: 2e6, loss: 0.1, reorder: 0.1, duplicate: 0.05, corrupt: 0.02 } });
    const up = noise(20_000, seed);
    const down = noise(15_000, seed + 100);
    let atServer: () => Uint8Array = () => new Uint8Array();
    net.server.listen({ port: 7, allowHalfOpen: true }, (socket) => {
      atServer = collect(socket).bytes;
      socket.end(down);
    });
    const socket = net.client.connect({ address: SERVER, port: 7, allowHalfOpen: true });
    const atClient = collect(socket).bytes;
    socket.end(up);
    net.simulation.run();
    assertEquals(atServer(), up, `up, seed ${seed}`);
    assertEquals(atClient(), down, `down, seed ${seed}`);
    assertEquals(left(net), { rows: 0, timeWaits: 0, packets: 0 });
  }
});

Deno.test("what is written before the connection is established goes out after it, and drain tells so", () => {
  const net = pair();
  let received = () => "";
  net.server.listen({ port: 80 }, (socket) => received = collect(socket).text);
  const socket = net.client.connect({ address: SERVER, port: 80 });
  const log = watch(socket);
  assertEquals(socket.readyState, "opening");
  assertEquals(socket.write("early "), false);
  assertEquals(socket.writableLength, 6);
  socket.on("connect", () => assertEquals(socket.write("later"), true));
  net.simulation.run();
  assertEquals(received(), "early later");
  assertEquals(log, ["connect", "drain"]);
  assertEquals(socket.readyState, "open");
});

Deno.test("data and a FIN in one segment are told as data first, then end", () => {
  const net = pair();
  const log: string[] = [];
  net.server.listen({ port: 80 }, (socket) => {
    socket.on("data", (bytes) => log.push(`data ${bytes.length}`));
    socket.on("end", () => log.push("end"));
  });
  // More than the first congestion window: the FIN waits with the last data.
  net.client.connect({ address: SERVER, port: 80 }).end(16_000);
  net.simulation.run();
  assertEquals(log.at(-1), "end");
  assertEquals(log.filter((line) => line === "end").length, 1);
  assertEquals(log.slice(0, -1).reduce((sum, line) => sum + Number(line.slice(5)), 0), 16_000);
});

Deno.test("a reader who reads by himself gets the bytes before he is told of the end", () => {
  const net = pair();
  const log: string[] = [];
  net.server.listen({ port: 80 }, (socket) => {
    socket.on("readable", () => {
      for (let bytes = socket.read(4); bytes !== null; bytes = socket.read(4)) {
        log.push(new TextDecoder().decode(bytes));
      }
    });
    socket.on("end", () => log.push("end"));
  });
  net.client.connect({ address: SERVER, port: 80 }).end("nine char");
  net.simulation.run();
  assertEquals(log, ["nine", " cha", "r", "end"]);
});

Deno.test("the client may end first and still read: half-close", () => {
  const net = pair();
  net.server.listen({ port: 80, allowHalfOpen: true }, (socket) => {
    const request = collect(socket);
    socket.on("end", () => {
      assertEquals(socket.readyState, "writeOnly");
      net.server.setTimeout(() => socket.end(`you said ${request.text()}`), 500e6);
    });
  });
  const socket = net.client.connect({ address: SERVER, port: 80 });
  const answer = collect(socket);
  socket.end("hello");
  net.simulation.run({ untilNs: 400e6 });
  assertEquals(socket.readyState, "readOnly");
  net.simulation.run();
  assertEquals(answer.text(), "you said hello");
  assertEquals(socket.readyState, "closed");
});

Deno.test("the server may end first and still read: half-close", () => {
  const net = pair();
  let upload = () => 0;
  net.server.listen({ port: 80, allowHalfOpen: true }, (socket) => {
    const received = collect(socket);
    upload = () => received.bytes().length;
    socket.end("go on");
  });
  const socket = net.client.connect({ address: SERVER, port: 80, allowHalfOpen: true });
  const log = watch(socket);
  const greeting = collect(socket);
  socket.on("end", () => socket.end(50_000));
  net.simulation.run();
  assertEquals([greeting.text(), upload()], ["go on", 50_000]);
  assertEquals(log, ["connect", "end", "close"]);
});

Deno.test("without allowHalfOpen a socket ends its own direction when the peer has ended and all is read", () => {
  const net = pair();
  const log: string[] = [];
  net.server.listen({ port: 80 }, (socket) => {
    watch(socket, log, "server ");
    socket.on("data", () => {});
  });
  watch(net.client.connect({ address: SERVER, port: 80 }).end("x"), log, "client ");
  net.simulation.run();
  assertEquals(log, ["client connect", "server end", "client end", "client close", "server close"]);
});

Deno.test("data that nobody reads keeps the end back", () => {
  const net = pair();
  const log: string[] = [];
  let accepted: Socket | undefined;
  net.server.listen({ port: 80 }, (socket) => watch(accepted = socket, log));
  net.client.connect({ address: SERVER, port: 80 }).end("unread");
  net.simulation.run();
  assertEquals(log, []);
  assertEquals(accepted!.readableLength, 6);
  assertEquals(new TextDecoder().decode(accepted!.read()!), "unread");
  net.simulation.run();
  assertEquals(log, ["end", "close"]);
});

Deno.test("what came before TCP was done can still be read afterwards", () => {
  const net = pair();
  net.server.listen({ port: 80, allowHalfOpen: true }, (socket) => socket.end("last words"));
  const socket = net.client.connect({ address: SERVER, port: 80 });
  const log = watch(socket);
  socket.end();
  net.simulation.run();
  // Both FINs are through, TIME_WAIT is over.
  assertEquals(log, ["connect"]);
  assertEquals(net.simulation.report().connections.open, 0);
  assertEquals(new TextDecoder().decode(socket.read()!), "last words");
  net.simulation.run();
  assertEquals(log, ["connect", "end", "close"]);
  assertEquals(left(net).rows, 0);
});

Deno.test("write says false when the send buffer is full, drain when all has gone into it", () => {
  const net = pair({ client: { profile: { sendBufferBytes: 10_000 } }, link: { rateBps: 1e7 } });
  let received = 0;
  net.server.listen({ port: 80 }, (socket) => socket.on("data", (bytes) => received += bytes.length));
  const socket = net.client.connect({ address: SERVER, port: 80 });
  let writes = 0;
  let waits = 0;
  const pump = () => {
    while (writes < 100) {
      writes++;
      if (!socket.write(3000)) {
        waits++;
        assert(socket.writableLength > 0 && socket.writableLength <= 3000);
        return;
      }
    }
    socket.end();
  };
  socket.on("connect", pump);
  socket.on("drain", pump);
  net.simulation.run();
  assertEquals(received, 300_000);
  // As Linux, a buffer of up to 64 KiB is filled once it is begun.
  assert(waits > 1, `${waits}`);
});

Deno.test("a reader who pauses stops the sender, and resume lets it go on", () => {
  const net = pair({ server: { profile: { receiveBufferBytes: 20_000 } } });
  let accepted: Socket | undefined;
  let received = 0;
  net.server.listen({ port: 80 }, (socket) => {
    accepted = socket.pause();
    socket.on("data", (bytes) => received += bytes.length);
  });
  net.client.connect({ address: SERVER, port: 80 }).end(100_000);
  net.simulation.run({ untilNs: 5e9 });
  assertEquals(received, 0);
  assert(accepted!.readableLength <= 20_000);
  accepted!.resume();
  net.simulation.run();
  assertEquals(received, 100_000);
});

Deno.test("counted and real bytes mix, on both sides", () => {
  const net = pair();
  let server: Socket | undefined;
  net.server.listen({ port: 80 }, (socket) => server = socket);
  const socket = net.client.connect({ address: SERVER, port: 80 });
  socket.write(1000);
  socket.write("between");
  socket.write(500);
  socket.write(noise(64));
  net.simulation.run();
  assertEquals(server!.readableLength, 1571);
  assertEquals(server!.readCounted(1000), 1000);
  assertEquals(new TextDecoder().decode(server!.read(7)!), "between");
  const counted = server!.read(500)!;
  assertEquals(counted.length, 500);
  assert(counted.every((byte) => byte === 0x0a || (byte > 0x20 && byte < 0x7f)), "counted bytes are printable");
  assertEquals(server!.read(), noise(64));
  assertEquals(server!.read(), null);
  assertEquals(server!.readCounted(), 0);
  assertEquals(server!.bytesRead, 1571);
});

Deno.test("a buffer that is written may be used again at once", () => {
  const net = pair({ client: { profile: { sendBufferBytes: 5000 } } });
  let received: () => Uint8Array = () => new Uint8Array();
  net.server.listen({ port: 80 }, (socket) => received = collect(socket).bytes);
  const socket = net.client.connect({ address: SERVER, port: 80 });
  const buffer = noise(20_000);
  const sent = buffer.slice();
  socket.write(buffer);
  buffer.fill(0);
  socket.on("connect", () => {
    const more = noise(20_000, 7);
    socket.write(more);
    more.fill(0);
  });
  net.simulation.run();
  assertEquals(received(), Uint8Array.from([...sent, ...noise(20_000, 7)]));
});

Deno.test("a wrong count of bytes, a wrong port and a wrong address are refused", () => {
  const { client } = pair();
  const socket = client.connect({ address: SERVER, port: 80 });
  socket.on("error", () => {});
  for (const count of [-1, 1.5, NaN, Infinity]) assertThrows(() => socket.write(count), RangeError, "whole number");
  for (const port of [0, 65536, 1.5, NaN]) {
    assertThrows(() => client.connect({ address: SERVER, port }), RangeError, "1 to 65535");
    assertThrows(() => client.listen({ port }), RangeError, "1 to 65535");
    assertThrows(() => client.connect({ address: SERVER, port: 1, localPort: port }), RangeError, "1 to 65535");
  }
  assertThrows(() => client.listen({ port: 1, backlog: -1 }), RangeError, "backlog");
  assertThrows(() => client.connect({ address: "sever", port: 80 }), RangeError, `Did you mean "server"?`);
  assertThrows(() => client.connect({ address: "10.0.0.999", port: 80 }), Error, "10.0.0.999");
});

Deno.test("what is neither bytes nor text nor a count is not written", () => {
  const socket = pair().client.connect({ address: SERVER, port: 80 });
  for (const wrong of [null, [1, 2], {}, new ArrayBuffer(2)]) {
    assertThrows(() => socket.write(wrong as never), TypeError, "A socket writes");
  }
});
