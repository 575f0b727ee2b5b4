/**
 * The socket layer: the application behind every `Socket`, `Listener` and timer of user code. Calls only leave their
 * wishes in TCP's outboxes and in the event queue: the run loop takes them from there, and calls the handlers.
 *
 * @module
 */
import type { App } from "../app/types.ts";
import type { PlainValue, StateVisitor } from "../base/state.ts";
import { WORK } from "../node/cpus.ts";
import { ERRNO, type ErrnoName, errnoName, SocketError } from "../base/errors.ts";
import { abort, receive, receiveBytes, send, sendBytes, shutdownWrite, synDataBytes } from "../tcp/mod.ts";
import type { TcpStack } from "../tcp/stack.ts";
import { REPORT, TCP_EVENT } from "../tcp/state/states.ts";
import { FLAG, TCB } from "../tcp/state/tcb.ts";
import { type UdpOptions, type UdpRuntime, UdpSocket } from "./datagram.ts";
import { checkPort, endpointText, isNumeric, listenAddress } from "./endpoint.ts";
import { type Call, type Deferred, refuseUnopened, visitOpened } from "./layer_state.ts";
import { Listener, type SocketListenOptions } from "./listener.ts";
import { acceptQueueLength, listenerHost, peerHasClosed, unreadBytes } from "./rows.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { openRefusal } from "./refusal.ts";
import { type LayerUser, SOCKET_TIMER, type SocketOpener } from "./runtime.ts";
import { countedOrBytes, type Endpoint, Socket, SOCKET_CALL } from "./socket.ts";

const { CONNECTED, ACCEPTABLE, READABLE, PEER_CLOSED, WRITABLE, CLOSED, FAILED, ERROR_REPORT } = TCP_EVENT;

const TIMER = SOCKET_TIMER;

/** More than any buffer holds. */
const ALL = 0x7fffffff;

/** See the module's description. */
export class SocketLayer implements App {
  /** @internal Its index among the applications. */
  declare readonly app: number;
  readonly #runtime: UdpRuntime;
  #opener: SocketOpener | undefined;
  readonly #unopened = new Set<Socket>();
  readonly #sockets: (Socket | undefined)[] = [];
  readonly #listeners: (Listener | undefined)[] = [];
  readonly #datagrams: (UdpSocket | undefined)[] = [];
  /** Rows of those whose connections wait for a file descriptor. */
  readonly #starved = new Set<number>();
  readonly #calls = new Map<number, Call>();
  #nextCall = 1;
  readonly #user: LayerUser | undefined;

  /** `app` is its index among the applications. `user` is whose it is; without it, code's. */
  constructor(runtime: UdpRuntime, app: number, user?: LayerUser) {
    this.#runtime = runtime;
    this.app = app;
    this.#user = user;
  }

  /** Opens a listening port on a node. Throws `SocketError` `EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`, `ENOBUFS`. */
  listen(node: number, options: SocketListenOptions): Listener {
    const runtime = this.#runtime;
    const { address, port, backlog = 511, allowHalfOpen = false } = options;
    checkPort(port);
    if (!(Number.isInteger(backlog) && backlog >= 0)) {
      throw new RangeError(`A backlog is a whole number from 0 on, not ${backlog}.`);
    }
    const bound = listenAddress(address, options.ipv6Only ?? false);
    const local = bound.address === undefined ? 0 : runtime.addressId(bound.address);
    const detail = `listen ${endpointText(address ?? "*", port)}`;
    if (!bound.any && !runtime.hasAddress(node, local)) throw this.error("EADDRNOTAVAIL", detail);
    const row = runtime.openListener(node, local, port, backlog, this.app);
    if (row < 0) throw this.error(errnoName(-row), detail);
    return this.#listeners[row] = this.#listener({ node, row, local: { address: address ?? "", port }, allowHalfOpen });
  }

  /**
   * Opens a connection from a node, to an address or a name. What fails at once is told by an `error` event at this
   * instant.
   */
  connect(node: number, options: ConnectOptions): Socket {
    const runtime = this.#runtime;
    checkPort(options.port);
    if (options.localPort !== undefined) checkPort(options.localPort);
    if (!isNumeric(options.address)) {
      this.#opener ??= runtime.openerFor(this);
      return this.#opener.connect(node, options);
    }
    const remote = runtime.addressId(options.address);
    const local = options.localAddress === undefined
      ? runtime.sourceFor(node, remote)
      : runtime.addressId(options.localAddress);
    const first = options.fastOpen === undefined ? undefined : countedOrBytes(options.fastOpen);
    const c = this.#open(node, local, options.localPort ?? 0, remote, options.port, first);
    const socket = this.#socket({
      node,
      local: { address: local === 0 ? "" : runtime.addressText(local), port: c > 0 ? this.#ports(c) >>> 16 : 0 },
      remote: { address: runtime.addressText(remote), port: options.port },
      allowHalfOpen: options.allowHalfOpen ?? false,
      openedAtNs: runtime.nowNs,
    });
    if (c > 0) {
      this.#adopt(c, socket);
      if (first !== undefined) socket.opensWith(first, synDataBytes(runtime.tcp, c));
    } else {
      socket.refused = -c;
      this.later(socket, SOCKET_CALL.REFUSED);
    }
    this.#user?.opened(socket);
    return socket;
  }

  /** @internal A socket that an opener finds a connection for: `giveUp` is called if it is closed before. */
  unopened(node: number, options: ConnectOptions, giveUp: () => void): Socket {
    const { address, port, allowHalfOpen = false, fastOpen } = options;
    const local = { address: "", port: 0 };
    const openedAtNs = this.#runtime.nowNs;
    const socket = this.#socket({ node, local, remote: { address, port }, allowHalfOpen, openedAtNs });
    socket.giveUp = giveUp;
    if (fastOpen !== undefined) socket.opensWith(countedOrBytes(fastOpen), 0);
    this.#unopened.add(socket);
    this.#user?.opened(socket);
    return socket;
  }

  /** @internal Such a socket's connection is established. */
  opened(socket: Socket, connection: number): void {
    this.#found(socket);
    this.#adopt(connection, socket);
    socket.placed(this.#end(connection, TCB.LOCAL), this.#end(connection, TCB.REMOTE));
    this.#tell(CONNECTED, connection, 0);
  }

  /** @internal There is no connection for it. */
  unopenable(socket: Socket, errno: number): void {
    this.#found(socket);
    socket.refused = errno;
    this.later(socket, SOCKET_CALL.REFUSED);
  }

  /** @internal Trouble of an attempt. */
  troubled(socket: Socket, report: number): void {
    const reason = report >> 8 === REPORT.ICMP ? "icmp" : "retransmissions";
    socket.troubled(this.error(errnoName(report & 0xff)), reason);
  }

  /** Opens a UDP socket on a node. Throws `SocketError` `EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`, `ENOBUFS`. */
  openDatagram(node: number, options: UdpOptions): UdpSocket {
    const runtime = this.#runtime;
    const { address, port } = options;
    if (port !== undefined) checkPort(port);
    const local = address === undefined ? 0 : runtime.addressId(address);
    const detail = `bind ${endpointText(address ?? "*", port ?? 0)}`;
    if (local !== 0 && !runtime.hasAddress(node, local)) throw this.error("EADDRNOTAVAIL", detail);
    const row = runtime.openDatagram(node, this.app);
    if (row < 0) throw this.error(errnoName(row), detail);
    const bound = runtime.udp.bind(row, local, port ?? 0);
    if (bound < 0) {
      runtime.closeDatagram(row);
      throw this.error(errnoName(bound), detail);
    }
    return this.#datagrams[row] = this.#datagram(node, row);
  }

  /** Calls `action` at `atNs`, on a node. Returns its number. Throws `RangeError` for a time that is past. */
  call(node: number, atNs: number, action: () => void): number {
    return this.#call(node, atNs, { action });
  }

  /** The same with a value for the application that it is. */
  callUser(node: number, atNs: number, data: PlainValue): number {
    return this.#call(node, atNs, { node, data });
  }

  /** Takes a call back. */
  cancel(id: number): void {
    this.#calls.delete(id);
  }

  /** @internal Calls `target.called(code)` at this instant, after the current event. */
  later(target: Deferred, code: number): void {
    this.#call(target.node, this.#runtime.nowNs, { target, code });
  }

  #call(node: number, atNs: number, call: Call): number {
    if (!(Number.isSafeInteger(atNs) && atNs >= this.#runtime.nowNs)) {
      const now = this.#runtime.nowNs;
      throw new RangeError(`A time is a whole number of nanoseconds, not before now (${now}), and not ${atNs}.`);
    }
    const id = this.#nextCall++;
    this.#calls.set(id, call);
    this.#runtime.schedule(node, this.app, atNs, TIMER.CALL, 0, id);
    return id;
  }

  /** See {@linkcode App}. Code is not data: what was opened or set by it cannot be saved; what applications did, can. */
  visitState(v: StateVisitor): void {
    // (Calls that were taken back still stand in the event queue.)
    this.#nextCall = v.number(this.#nextCall);
    const nameOf = (node: number) => this.#runtime.nodes.nameOf(node);
    refuseUnopened(this.#unopened, nameOf);
    const [sockets, listeners, datagrams, calls] = [this.#sockets, this.#listeners, this.#datagrams, this.#calls];
    const makers = {
      socket: this.#socket.bind(this),
      listener: this.#listener.bind(this),
      datagram: this.#datagram.bind(this),
    };
    const user = this.#user;
    visitOpened(v, { sockets, listeners, datagrams, calls, starved: this.#starved }, makers, user?.name, nameOf);
    if (!v.restoring || user === undefined) return;
    // (Those that were refused at once have no connection, and are yet to be told so.)
    const put = [...calls.values()].map((call) => "target" in call ? call.target : undefined);
    for (const one of [...sockets, ...put]) if (one instanceof Socket && !one.isOver) user.opened(one);
  }

  #socket(options: ConstructorParameters<typeof Socket>[1]): Socket {
    return new Socket(this, { ...options, handlers: this.#user?.handlers.socket });
  }

  #listener(options: ConstructorParameters<typeof Listener>[1]): Listener {
    return new Listener(this, { ...options, handlers: this.#user?.handlers.listener });
  }

  #datagram(node: number, row: number): UdpSocket {
    return new UdpSocket(this.#runtime, this, node, row, this.#user?.handlers.udp);
  }

  /** See {@linkcode App}. */
  onTimer(code: number, _connection: number, argument: number): void {
    if (code === TIMER.FILE_FREE) {
      this.#starved.delete(argument);
      this.#listeners[argument]?.wake();
      return;
    }
    if (code === TIMER.ACCEPT_DONE) return this.#acceptable(argument);
    if (code === TIMER.NEXT_ATTEMPT) return this.#opener!.onTimer(argument);
    const call = this.#calls.get(argument);
    if (call === undefined) return;
    this.#calls.delete(argument);
    try {
      if ("target" in call) call.target.called(call.code);
      else if ("action" in call) call.action();
      else this.#user?.timer(call.node, call.data);
    } catch (error) {
      this.#runtime.handlerThrew(error);
    }
  }

  /** See {@linkcode App}. */
  onTcp(kind: number, connection: number, argument: number): void {
    if (kind === ACCEPTABLE) {
      const node = listenerHost(this.#runtime.tcp, argument);
      if (!this.#runtime.costs(node, WORK.ACCEPT)) return this.#acceptable(argument);
      return this.#runtime.work(node, WORK.ACCEPT, 1, this.app, TIMER.ACCEPT_DONE, 0, argument);
    }
    try {
      this.#tell(kind, connection, argument);
    } catch (error) {
      this.#runtime.handlerThrew(error);
    }
  }

  #acceptable(listener: number): void {
    try {
      this.#listeners[listener]?.acceptable();
    } catch (error) {
      this.#runtime.handlerThrew(error);
    }
  }

  /** See {@linkcode App}. */
  onDatagram(row: number, packet: number): void {
    const socket = this.#datagrams[row];
    try {
      if (packet === 0) socket?.failed();
      else socket?.arrived(packet);
    } catch (error) {
      this.#runtime.handlerThrew(error);
    }
  }

  /** @internal */
  closeDatagram(row: number): void {
    this.#datagrams[row] = undefined;
  }

  /** @internal */
  accept(listener: Listener): Socket | undefined {
    const runtime = this.#runtime;
    const c = runtime.accept(listener.node, listener.row);
    if (c === 0) return undefined;
    if (c < 0) throw this.error(errnoName(-c), `accept ${endpointText(listener.local.address || "*", listener.port)}`);
    const socket = this.#socket({
      node: listener.node,
      local: this.#end(c, TCB.LOCAL),
      remote: this.#end(c, TCB.REMOTE),
      allowHalfOpen: listener.allowHalfOpen,
    });
    this.#adopt(c, socket);
    this.#user?.opened(socket);
    return socket;
  }

  /** @internal Connections in the accept queue. */
  waiting(listener: Listener): number {
    return acceptQueueLength(this.#runtime.tcp, listener.row);
  }

  /** @internal Its connections wait until a file descriptor is free. */
  starve(listener: Listener): void {
    if (this.#starved.has(listener.row)) return;
    this.#starved.add(listener.row);
    this.#runtime.waitForFile(listener.node, this.app, TIMER.FILE_FREE, listener.row);
  }

  /** @internal Do its connections wait for a file descriptor? */
  isStarved(listener: Listener): boolean {
    return this.#starved.has(listener.row);
  }

  /** @internal */
  closeListener(listener: Listener): void {
    this.#listeners[listener.row] = undefined;
    this.#runtime.closeListener(listener.node, listener.row);
  }

  /** @internal Hands bytes, or a count of them, to TCP: how many it took. */
  send(connection: number, data: Uint8Array | number): number {
    const tcp = this.#runtime.tcp;
    return Math.max(0, typeof data === "number" ? send(tcp, connection, data) : sendBytes(tcp, connection, data));
  }

  /** @internal */
  readBytes(socket: Socket, most: number): Uint8Array | null {
    const bytes = receiveBytes(this.#runtime.tcp, socket.connection, Math.min(most, ALL));
    if (bytes.length === 0) return null;
    if (socket.active) this.#runtime.stats.bytesReceived += bytes.length;
    return bytes;
  }

  /** @internal */
  readCount(socket: Socket, most: number): number {
    const count = receive(this.#runtime.tcp, socket.connection, Math.min(most, ALL));
    if (socket.active) this.#runtime.stats.bytesReceived += count;
    return count;
  }

  /** @internal Bytes that can be read. */
  readable(connection: number): number {
    return unreadBytes(this.#runtime.tcp, connection);
  }

  /** @internal Has everything been read, up to the peer's FIN? */
  isAtEnd(connection: number): boolean {
    return peerHasClosed(this.#runtime.tcp, connection) && this.readable(connection) === 0;
  }

  /** @internal Half-close. */
  shutdown(socket: Socket): void {
    shutdownWrite(this.#runtime.tcp, socket.connection);
  }

  /** @internal close(2). Its row lives on until TCP is done. */
  close(socket: Socket): void {
    this.#aborted(socket);
    this.release(socket);
  }

  /** @internal */
  abort(socket: Socket): void {
    this.#aborted(socket);
    const { tcp } = this.#runtime;
    const c = socket.connection;
    // A connection that is over has nothing to abort: letting go of it frees its row.
    if (c !== 0 && (tcp.tcbs.words[c * TCB.STRIDE + TCB.STATE] & FLAG.DONE) === 0) abort(tcp, c);
    this.release(socket);
  }

  /** @internal Lets go of the connection: the socket is over. */
  release(socket: Socket, error?: SocketError): void {
    this.#uncount(socket);
    const connection = socket.connection;
    if (connection !== 0) {
      this.#sockets[connection] = undefined;
      socket.connection = 0;
      this.#runtime.close(connection);
    }
    this.#user?.over(socket);
    socket.finished(error);
  }

  /** @internal Where options of its connections are set. */
  get tcp(): TcpStack {
    return this.#runtime.tcp;
  }

  /** @internal Why it was refused at once. */
  refusal(socket: Socket): SocketError {
    this.#user?.over(socket);
    return this.error(errnoName(socket.refused), target(socket));
  }

  /** @internal A `SocketError` by name. */
  error(code: string, detail?: string): SocketError {
    return new SocketError(code as ErrnoName, detail);
  }

  /** An event of a connection. */
  #tell(kind: number, connection: number, argument: number): void {
    const socket = this.#sockets[connection];
    if (socket === undefined) return this.#opener?.onTcp(kind, connection, argument);
    switch (kind) {
      case CONNECTED: {
        const runtime = this.#runtime;
        const connectUs = Math.floor((runtime.nowNs - socket.startedNs) / 1000);
        runtime.stats.recordEstablished(connectUs, runtime.isOverIpv6(connection));
        socket.counted = true;
        return socket.opened();
      }
      case READABLE:
      case PEER_CLOSED:
        return socket.arrived();
      case WRITABLE:
        return socket.writable();
      case CLOSED:
        this.#uncount(socket);
        if (socket.protocolDone()) this.release(socket);
        return;
      case FAILED:
        return this.#failed(socket, argument);
      case ERROR_REPORT:
        return this.troubled(socket, argument);
    }
  }

  #failed(socket: Socket, errno: number): void {
    const { stats } = this.#runtime;
    const opening = socket.readyState === "opening";
    if (socket.active) (opening ? stats.failed : stats.broken)[errno]++;
    this.release(socket, this.error(errnoName(errno), opening ? target(socket) : undefined));
  }

  /** The connection, or a negative `ERRNO`; the attempt is counted. */
  #open(
    node: number,
    local: number,
    localPort: number,
    remote: number,
    remotePort: number,
    synData?: Uint8Array | number,
  ): number {
    const runtime = this.#runtime;
    const refused = openRefusal(runtime, node, local, localPort, remote);
    if (refused === 0) return runtime.connectFrom(node, local, localPort, remote, remotePort, this.app, synData);
    runtime.stats.attempted++;
    runtime.stats.failed[refused]++;
    return -refused;
  }

  /** An attempt that this side gives up counts as failed, so that the outcomes add up. */
  #aborted(socket: Socket): void {
    const pending = socket.connection !== 0 || this.#unopened.has(socket);
    if (socket.active && pending && socket.readyState === "opening") {
      this.#runtime.stats.failed[ERRNO.ECONNABORTED]++;
    }
    if (!this.#unopened.has(socket)) return;
    socket.giveUp?.();
    this.#found(socket);
  }

  #uncount(socket: Socket): void {
    if (!socket.counted) return;
    socket.counted = false;
    this.#runtime.stats.closed();
  }

  #adopt(connection: number, socket: Socket): void {
    socket.connection = connection;
    this.#sockets[connection] = socket;
  }

  #found(socket: Socket): void {
    socket.giveUp = undefined;
    this.#unopened.delete(socket);
  }

  #ports(connection: number): number {
    return this.#runtime.tcp.tcbs.words[connection * TCB.STRIDE + TCB.PORTS];
  }

  /** One end of a connection. */
  #end(connection: number, which: typeof TCB.LOCAL | typeof TCB.REMOTE): Endpoint {
    const address = this.#runtime.addressText(this.#runtime.tcp.tcbs.words[connection * TCB.STRIDE + which]);
    const ports = this.#ports(connection);
    return { address, port: which === TCB.LOCAL ? ports >>> 16 : ports & 0xffff };
  }
}

function target(socket: Socket): string {
  return `connect ${endpointText(socket.remote.address, socket.remote.port)}`;
}
