// Two hosts, two sockets, a request and its answer over a link that loses every tenth packet: what the sockets
// say, and what went over the wire.
//
//   deno run examples/hello_sockets.ts
import { formatPacket, Network } from "../mod.ts";

const network = new Network({ seed: 1 });
network.host("browser", { address: "198.51.100.7/24" });
network.host("server", { address: "192.0.2.80/24" });
network.router("internet");
network.link("browser", "internet", { rateBps: 20e6, delayNs: 15e6, loss: 0.1 });
network.link("internet", "server", { rateBps: 1e9, delayNs: 5e6 });
const simulation = network.build();
const say = (who: string, what: string) =>
  console.log(`${(simulation.nowNs / 1e6).toFixed(3).padStart(9)} ms  ${who.padEnd(9)}${what}`);

// The server: one request on each connection, as HTTP/1.0.
simulation.host("server").listen({ port: 80 }, (socket) => {
  say("server", `accepts ${socket.remote.address}:${socket.remote.port}`);
  let request = "";
  socket.on("data", (bytes) => {
    request += new TextDecoder().decode(bytes);
    if (!request.endsWith("\r\n\r\n")) return;
    say("server", request.split("\r\n")[0]);
    const body = "Hello from inside the simulation.\n";
    socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length + 20_000}\r\n\r\n${body}`);
    socket.end(20_000); // twenty thousand bytes more, counted and not carried
  });
});

// The browser.
const socket = simulation.host("browser").connect({ address: "192.0.2.80", port: 80 });
socket.on("connect", () => {
  say("browser", "is connected");
  socket.write("GET / HTTP/1.0\r\nHost: example.net\r\n\r\n");
});
socket.once("data", (bytes) => say("browser", new TextDecoder().decode(bytes).split("\r\n")[0]));
socket.on("data", () => {});
socket.on("end", () => say("browser", `has read ${socket.bytesRead} bytes, and the server has closed`));
socket.on("close", () => say("browser", "is done"));

// The wire, where it reaches the browser.
simulation.onDelivery((packet, timeNs, _from, to) => {
  if (to !== "browser") return;
  const line = formatPacket(simulation.packets, simulation.addresses, packet, timeNs);
  say("", `  < ${line.slice(line.indexOf("Flags")).replace(/, win.*(?=, length)/, "")}`);
});

simulation.run();
const { packets } = simulation.report();
console.log(`\n${packets.sent} packets sent, ${packets.dropped.loss ?? 0} lost; digest ${simulation.digest}`);
