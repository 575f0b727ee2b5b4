/**
 * A module of applications for tests: a server and clients that write real bytes, pause, half-close, break off, use
 * timers, UDP and random numbers, and remember what they saw.
 */
import { type Application, registerApplication } from "../../../mod.ts";

type ServerState = { bytes: number; hash: number; ends: number; pairs: Record<string, number> };
type Server = Application<ServerState, { port: number }>;

function hashed(hash: number, bytes: Uint8Array): number {
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

registerApplication<ServerState, { port: number }>({
  name: "test-echo",
  start(app) {
    app.state = { bytes: 0, hash: 0, ends: 0, pairs: {} };
    app.listen({ port: app.options.port, allowHalfOpen: true, backlog: 8 });
    app.udp({ port: app.options.port });
  },
  listener: {
    connection(app: Server, _listener, socket) {
      app.state.pairs[socket.id] = 0;
      if (socket.id % 7 === 0) socket.setKeepAlive(true, 500);
    },
  },
  socket: {
    data(app, socket, bytes) {
      app.state.bytes += bytes.length;
      app.state.hash = hashed(app.state.hash, bytes);
      app.state.pairs[socket.id] += bytes.length;
      socket.write(bytes);
    },
    end(app, socket) {
      app.state.ends++;
      socket.end(app.random() < 0.5 ? "bye" : 3000);
    },
    close(app, socket) {
      delete app.state.pairs[socket.id];
    },
  },
  udp: {
    message(app, socket, bytes, from) {
      try {
        socket.send(bytes.toReversed(), from);
      } catch {
        app.state.ends += 1000;
      }
    },
  },
});

type ClientState = { opened: number; got: number; hash: number; errors: string[]; drains: number; datagrams: number };
type ClientOptions = { to: string[]; port: number; connections: number; fastOpen?: boolean };

function open(app: Application<ClientState, ClientOptions>): void {
  const { to, port } = app.options;
  app.state.opened++;
  const fastOpen = app.options.fastOpen && app.state.opened % 3 !== 0
    ? new Uint8Array(app.state.opened * 100)
    : undefined;
  const socket = app.connect({ address: to[app.state.opened % to.length], port, fastOpen });
  socket.data = { sent: 0, want: Math.floor(app.random() * 60_000), paused: false };
  if (app.state.opened % 5 === 0) {
    try {
      const udp = app.udp();
      udp.connect({ address: to[0], port });
      udp.send(`datagram ${app.state.opened}`);
    } catch (error) {
      app.state.errors.push(String(error));
    }
  }
}

registerApplication<ClientState, ClientOptions>({
  name: "test-talk",
  start(app) {
    app.state = { opened: 0, got: 0, hash: 0, errors: [], drains: 0, datagrams: 0 };
    app.setTimeout(Math.floor(app.random() * 20e6), "open");
    app.clearTimeout(app.setTimeout(1e9, "never"));
  },
  timer(app, value) {
    if (value === "open") {
      open(app);
      if (app.state.opened < app.options.connections) app.setTimeout(Math.floor(app.random() * 50e6), "open");
      return;
    }
    app.socket(value as number)?.resume();
  },
  socket: {
    connect(app, socket) {
      const { want } = socket.data as { want: number };
      const bytes = new Uint8Array(want);
      for (let i = 0; i < want; i += 97) bytes[i] = i + app.index;
      if (socket.write(bytes)) socket.end(want % 3 === 0 ? 20_000 : undefined);
      if (want % 4 === 0) {
        socket.pause();
        app.setTimeout(30e6, socket.id);
      }
    },
    data(app, socket, bytes) {
      app.state.got += bytes.length;
      app.state.hash = hashed(app.state.hash, bytes);
      const data = socket.data as { want: number };
      if (data.want % 11 === 0 && socket.bytesRead > 5000) socket.resetAndDestroy();
    },
    drain(app, socket) {
      app.state.drains++;
      socket.end();
    },
    error(app, _socket, error) {
      app.state.errors.push(`${error.code} ${app.nowNs}`);
    },
  },
  udp: {
    message(app, socket) {
      app.state.datagrams++;
      socket.close();
    },
  },
});
