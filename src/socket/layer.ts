/**
 * The socket layer: the application behind every `Socket` and `Listener` of user code.
 *
 * @module
 */
import type { App, AppRuntime } from "../app/types.ts";
import { ERRNO, type ErrnoName, errnoName, SocketError } from "../base/errors.ts";
import {
  abort,
  closeListener,
  receive,
  receiveBytes,
  send,
  sendBytes,
  setKeepAlive,
  setNoDelay,
  shutdownWrite,
} from "../tcp/mod.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { TCB } from "../tcp/state/tcb.ts";
import { Emitter } from "./emitter.ts";
import { peerHasClosed, unreadBytes } from "./rows.ts";
import { type Endpoint, Socket } from "./socket.ts";

/** Options of `HostHandle.connect`. */
export interface ConnectOptions {
  /** Numeric destination address. */
  address: string;
  /** Destination port, 1 to 65,535. */
  port: number;
  /** Source address: one of the host's. Default its first. */
  localAddress?: string;
  /** Source port, 1 to 65,535. Default an ephemeral one. */
  localPort?: number;
  /** See `Socket.allowHalfOpen`. Default false. */
  allowHalfOpen?: boolean;
}

/** Options of `HostHandle.listen`. */
export interface SocketListenOptions {
  /** 1 to 65,535. */
  port: number;
  /** One of the host's addresses. Default any. */
  address?: string;
  /** Accept queue, at most the profile's `somaxconn`. Default 511, as Node's. */
  backlog?: number;
  /** Of the sockets accepted. Default false. */
  allowHalfOpen?: boolean;
}

/** Events of a {@linkcode Listener}. */
export type ListenerEvents = {
  /** A connection was accepted. Without a listener for it, connections wait for `accept()`. */
  connection: [socket: Socket];
  /** The port is no longer listened on. */
  close: [];
};

/** What the layer needs of the driver beyond what every application has. */
export interface SocketRuntime extends AppRuntime {
  /** Opens a port: the listener, or a negative `ERRNO`. */
  openListener(node: number, local: number, port: number, backlog: number, app: number): number;
  /** Opens a connection from a given port (0: an ephemeral one). */
  connectFrom(node: number, local: number, localPort: number, remote: number, remotePort: number, app: number): number;
  /** A listening port was closed: its file descriptor is free. */
  closeFile(node: number): void;
  /** Sends what calls from outside the run have put into outboxes. */
  flush(): void;
  /** The id of an address as text; throws `AddressError`. */
  addressId(text: string): number;
  /** An address id as text. */
  addressText(id: number): string;
}

const { CONNECTED, ACCEPTABLE, READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED } = TCP_EVENT;

/** Codes of its own events. */
const TIMER = { REFUSED: 0, CALL: 1 } as const;

/** A listening port of a host. */
export class Listener extends Emitter<ListenerEvents> {
  /** The port. */
  readonly port: number;
  /** @internal */
  readonly row: number;
  readonly node: number;
  /** @internal Of the sockets accepted. */
  readonly allowHalfOpen: boolean;
  readonly #layer: SocketLayer;

  /** @internal For the socket layer. */
  constructor(layer: SocketLayer, options: { node: number; row: number; port: number; allowHalfOpen: boolean }) {
    super();
    this.#layer = layer;
    this.node = options.node;
    this.row = options.row;
    this.port = options.port;
    this.allowHalfOpen = options.allowHalfOpen;
  }

  /** Takes the oldest connection from the accept queue; undefined if there is none. Throws `SocketError` `EMFILE`. */
  accept(): Socket | undefined {
    return this.#layer.accept(this);
  }

  /** Stops listening; connections not yet accepted are reset. */
  close(): void {
    this.#layer.closeListener(this);
    this.emit("close");
  }

  /** @internal A connection waits to be accepted. */
  acceptable(): void {
    if (!this.hasListeners("connection")) return;
    const socket = this.accept();
    if (socket === undefined) return;
    this.emit("connection", socket);
    // What came before the accept.
    if (socket.readableLength > 0) socket.arrived();
    if (socket.connection !== 0 && this.#layer.hasPeerClosed(socket.connection)) socket.peerClosed();
  }
}

/** See the module's description. */
export class SocketLayer implements App {
  readonly #runtime: SocketRuntime;
  readonly #app: number;
  readonly #sockets: (Socket | undefined)[] = [];
  readonly #listeners: (Listener | undefined)[] = [];
  readonly #calls = new Map<number, () => void>();
  #nextCall = 1;

  /** `app` is its index among the applications. */
  constructor(runtime: SocketRuntime, app: number) {
    this.#runtime = runtime;
    this.#app = app;
  }

  /** Opens a listening port on a node. Throws `SocketError` `EADDRINUSE` or `EADDRNOTAVAIL`. */
  listen(node: number, options: SocketListenOptions): Listener {
    const runtime = this.#runtime;
    checkPort(options.port);
    const local = options.address === undefined ? 0 : runtime.addressId(options.address);
    if (local !== 0 && !runtime.hasAddress(node, local)) throw this.error("EADDRNOTAVAIL");
    const row = runtime.openListener(node, local, options.port, options.backlog ?? 511, this.#app);
    if (row < 0) throw this.error(errnoName(-row));
    const allowHalfOpen = options.allowHalfOpen ?? false;
    return this.#listeners[row] = new Listener(this, { node, row, port: options.port, allowHalfOpen });
  }

  /** Opens a connection from a node. What fails at once is told by an `error` event at this instant. */
  connect(node: number, options: ConnectOptions): Socket {
    const runtime = this.#runtime;
    checkPort(options.port);
    const remote = runtime.addressId(options.address);
    const local = options.localAddress === undefined
      ? runtime.addressOf(node)
      : runtime.addressId(options.localAddress);
    const wrongSource = !runtime.hasAddress(node, local);
    const c = wrongSource
      ? -ERRNO.EADDRNOTAVAIL
      : runtime.connectFrom(node, local, options.localPort ?? 0, remote, options.port, this.#app);
    const socket = new Socket(this, {
      local: { address: runtime.addressText(local), port: c > 0 ? this.#ports(c) >>> 16 : 0 },
      remote: { address: runtime.addressText(remote), port: options.port },
      allowHalfOpen: options.allowHalfOpen ?? false,
      openedAtNs: runtime.nowNs,
    });
    if (c > 0) this.#adopt(c, socket);
    else this.call(node, runtime.nowNs, () => socket.finished(this.error(errnoName(-c), target(socket))));
    runtime.flush();
    return socket;
  }

  /** Calls `action` at `atNs`, on a node. */
  call(node: number, atNs: number, action: () => void): void {
    const id = this.#nextCall++;
    this.#calls.set(id, action);
    this.#runtime.schedule(node, this.#app, atNs, TIMER.CALL, 0, id);
  }

  /** See {@linkcode App}. */
  onTimer(_code: number, _connection: number, argument: number): void {
    const action = this.#calls.get(argument);
    this.#calls.delete(argument);
    action?.();
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, connection: number, argument: number): void {
    if (kind === ACCEPTABLE) return this.#listeners[argument]?.acceptable();
    const socket = this.#sockets[connection];
    if (socket === undefined) return;
    switch (kind) {
      case CONNECTED:
        this.#runtime.stats.recordEstablished(Math.floor((this.#runtime.nowNs - socket.startedNs) / 1000));
        return socket.opened();
      case READABLE:
        return socket.arrived();
      case PEER_CLOSED:
        return socket.peerClosed();
      case WRITABLE:
        return socket.writable();
      case CLOSED:
        return this.#over(socket, 0);
      case FAILED:
        return this.#over(socket, argument);
    }
  }

  /** @internal */
  accept(listener: Listener): Socket | undefined {
    const runtime = this.#runtime;
    const c = runtime.accept(listener.node, listener.row);
    if (c === 0) return undefined;
    if (c < 0) throw this.error(errnoName(-c));
    const words = runtime.tcp.tcbs.words;
    const at = c * TCB.STRIDE;
    const end = (id: number, port: number): Endpoint => ({ address: runtime.addressText(words[at + id]), port });
    const socket = new Socket(this, {
      local: end(TCB.LOCAL, this.#ports(c) >>> 16),
      remote: end(TCB.REMOTE, this.#ports(c) & 0xffff),
      allowHalfOpen: listener.allowHalfOpen,
    });
    socket.state = "open";
    this.#adopt(c, socket);
    return socket;
  }

  /** @internal */
  closeListener(listener: Listener): void {
    if (this.#listeners[listener.row] !== listener) return;
    this.#listeners[listener.row] = undefined;
    closeListener(this.#runtime.tcp, listener.row);
    this.#runtime.closeFile(listener.node);
    this.#runtime.flush();
  }

  /** @internal Hands bytes, or a count of them, to TCP: how many it took. */
  send(connection: number, data: Uint8Array | number): number {
    const tcp = this.#runtime.tcp;
    const taken = typeof data === "number" ? send(tcp, connection, data) : sendBytes(tcp, connection, data);
    this.#runtime.flush();
    return Math.max(0, taken);
  }

  /** @internal */
  readBytes(connection: number, most: number): Uint8Array | null {
    const waiting = this.readable(connection);
    if (waiting === 0) return null;
    const bytes = receiveBytes(this.#runtime.tcp, connection, Math.min(most, waiting));
    this.#runtime.flush();
    return bytes.length === 0 ? null : bytes;
  }

  /** @internal */
  readCount(connection: number, most: number): number {
    const count = receive(this.#runtime.tcp, connection, Math.min(most, 0x7fffffff));
    this.#runtime.flush();
    return Math.max(0, count);
  }

  /** @internal Bytes that can be read. */
  readable(connection: number): number {
    return unreadBytes(this.#runtime.tcp, connection);
  }

  /** @internal */
  hasPeerClosed(connection: number): boolean {
    return peerHasClosed(this.#runtime.tcp, connection);
  }

  /** @internal Has everything been read, up to the peer's FIN? */
  isAtEnd(connection: number): boolean {
    return this.hasPeerClosed(connection) && this.readable(connection) === 0;
  }

  /** @internal Half-close. */
  shutdown(socket: Socket): void {
    shutdownWrite(this.#runtime.tcp, socket.connection);
    this.#runtime.flush();
  }

  /** @internal close(2). Its row lives on until TCP is done. */
  close(socket: Socket): void {
    this.#letGo(socket);
    this.#runtime.flush();
    socket.finished(undefined);
  }

  /** @internal */
  abort(socket: Socket): void {
    abort(this.#runtime.tcp, socket.connection);
    this.#letGo(socket);
    this.#runtime.flush();
    socket.finished(undefined);
  }

  /** @internal */
  setNoDelay(connection: number, noDelay: boolean): void {
    setNoDelay(this.#runtime.tcp, connection, noDelay);
    this.#runtime.flush();
  }

  /** @internal */
  setKeepAlive(connection: number, enable: boolean, idleMs: number): void {
    setKeepAlive(this.#runtime.tcp, connection, enable, idleMs > 0 ? { idleMs } : {});
    this.#runtime.flush();
  }

  /** @internal A `SocketError` by name. */
  error(code: string, detail?: string): SocketError {
    return new SocketError(code as ErrnoName, detail);
  }

  /** @internal An `error` event that nobody listened for ends the run, as it ends a Node process. */
  unheard(_socket: Socket, error: SocketError): void {
    throw error;
  }

  #over(socket: Socket, errno: number): void {
    const stats = this.#runtime.stats;
    if (socket.active && errno !== 0) (socket.state === "opening" ? stats.failed : stats.broken)[errno]++;
    this.#letGo(socket);
    socket.finished(errno === 0 ? undefined : this.error(errnoName(errno), target(socket)));
  }

  #adopt(connection: number, socket: Socket): void {
    socket.connection = connection;
    this.#sockets[connection] = socket;
  }

  #letGo(socket: Socket): void {
    const connection = socket.connection;
    if (socket.active && socket.state !== "opening") this.#runtime.stats.open--;
    this.#sockets[connection] = undefined;
    socket.connection = 0;
    this.#runtime.close(connection);
  }

  #ports(connection: number): number {
    return this.#runtime.tcp.tcbs.words[connection * TCB.STRIDE + TCB.PORTS];
  }
}

function target(socket: Socket): string {
  const { address, port } = socket.remote;
  return `connect ${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return;
  throw new RangeError(`A port is a whole number from 1 to 65535, not ${port}.`);
}
