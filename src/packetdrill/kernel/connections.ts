/**
 * Calls that make and end connections: socket, bind, listen, accept, connect, shutdown, close.
 *
 * @module
 */
import {
  abort,
  accept,
  closeConnection,
  closeListener,
  connect,
  FLAG,
  listen,
  setBacklog,
  shutdownRead,
  shutdownWrite,
  STATE,
  TCB,
} from "../../tcp/mod.ts";
import { HOST_ROW } from "../host.ts";
import { AF, FILE, SHUT, SOCK } from "./abi.ts";
import type { Arguments } from "./arguments.ts";
import { asksForCookie, defersConnect, openWithData } from "./fast_open.ts";
import { isNonBlocking, type OpenFile } from "./files.ts";
import { acceptedSocket, inheritOptions, listenerOptions } from "./inherit.ts";
import { instantly, type Kernel, type SystemCall, waiting } from "./kernel.ts";
import { CallError, type CallResult, done, failed, fromStack, type Operation } from "./result.ts";
import { Sock } from "./socket.ts";

const IPPROTO = { IP: 0, TCP: 6, MPTCP: 262 } as const;

/** `socket(..., SOCK_STREAM, IPPROTO_TCP)`. */
export const socketCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const type = args.number(1);
    const protocol = args.number(2);
    if (!args.isOpen(0) && ![AF.INET, AF.INET6].includes(args.number(0) as 2 | 10)) return failed("EAFNOSUPPORT");
    if ((type & SOCK.TYPE_MASK) !== SOCK.STREAM) throw new CallError("only SOCK_STREAM is emulated");
    if (protocol !== IPPROTO.IP && protocol !== IPPROTO.TCP) return failed("EPROTONOSUPPORT");
    const flags = FILE.O_RDWR | ((type & SOCK.NONBLOCK) !== 0 ? FILE.O_NONBLOCK : 0);
    const file = kernel.open(new Sock(kernel.host.ipv6, SOCK.STREAM), flags);
    return done(file.fd, { opened: [file] });
  });

/** The socket of argument 0, for calls that know no other file. */
export function socketOf(kernel: Kernel, args: Arguments): { file: OpenFile; sock: Sock } | null {
  const file = kernel.file(args, 0);
  return file.target.kind === "socket" ? { file, sock: file.target } : null;
}

/** `bind(3, ..., ...)`: to the script's bind port, on every address. */
export const bindCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const found = socketOf(kernel, args);
    if (found === null) return failed("ENOTSOCK");
    const { sock } = found;
    const closed = sock.state(kernel.host) === STATE.CLOSED;
    // A connection that is over has given its port back, unless the socket itself was bound to it.
    if (!closed || (sock.boundPort !== 0 && !(sock.accepted && sock.conn !== 0))) return failed("EINVAL");
    if (kernel.isPortTaken(sock, kernel.config.bindPort)) return failed("EADDRINUSE");
    sock.boundPort = kernel.config.bindPort;
    return done(0);
  });

/** `listen(3, 1)`. */
export const listenCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const found = socketOf(kernel, args);
    if (found === null) return failed("ENOTSOCK");
    const { sock } = found;
    const backlog = args.number(1);
    const { host } = kernel;
    // A negative backlog is a large one: Linux compares it unsigned with somaxconn.
    const longest = backlog < 0 ? 0x7fffffff : backlog;
    if (sock.listener !== 0) {
      setBacklog(host.stack, sock.listener, longest);
      return done(0);
    }
    if (sock.phase !== "unconnected" || sock.conn !== 0) return failed("EINVAL");
    const port = sock.boundPort || kernel.config.bindPort;
    const listener = listen(host.stack, HOST_ROW, 0, port, { backlog: longest, app: 1 });
    if (listener < 0) return fromStack(listener);
    kernel.attachListener(sock, listener);
    listenerOptions(host, sock);
    sock.error = null;
    sock.shut = 0;
    return done(0);
  });

/** `accept(3, ..., ...) = 4`, `accept4` with flags. */
export const acceptCall: SystemCall = (kernel, args) => {
  const found = socketOf(kernel, args);
  const flags = args.count > 3 ? args.number(3) : 0;
  return waiting((timedOut) => {
    if (found === null) return failed("ENOTSOCK");
    const { file, sock } = found;
    if (sock.listener === 0) return failed("EINVAL");
    const conn = accept(kernel.host.stack, sock.listener);
    if (conn === 0) return isNonBlocking(file) || timedOut ? failed("EAGAIN") : null;
    const accepted = acceptedSocket(sock);
    kernel.attach(accepted, conn);
    kernel.host.drain();
    const opened = kernel.open(accepted, FILE.O_RDWR | (flags & FILE.O_NONBLOCK));
    return done(opened.fd, { opened: [opened] });
  }, kernel.host.nowNs + (found?.sock.receiveTimeoutNs ?? Infinity));
};

/** `connect(3, ..., ...)`: to the script's remote address; with AF_UNSPEC it dissolves the connection. */
export const connectCall: SystemCall = (kernel, args) => {
  const found = socketOf(kernel, args);
  const disconnects = !args.isOpen(1) && args.number(1) === AF.UNSPEC;
  if (found === null) return instantly(() => failed("ENOTSOCK"));
  if (disconnects) return instantly(() => disconnect(kernel, found.sock));
  return connecting(kernel, found.file, found.sock);
};

/** Dissolves whatever there is: the socket is as new, but for its options (Linux `tcp_disconnect`). */
export function disconnect(kernel: Kernel, sock: Sock): CallResult {
  const { host } = kernel;
  if (sock.listener !== 0) {
    closeListener(host.stack, sock.listener);
    kernel.detachListener(sock);
  } else if (sock.conn !== 0) {
    const conn = sock.conn;
    const state = sock.state(host);
    kernel.detach(sock);
    abort(host.stack, conn);
    const closing = state === STATE.CLOSED || state === STATE.CLOSING || state === STATE.LAST_ACK;
    sock.error = closing ? null : "ECONNRESET";
  }
  host.drain();
  sock.phase = "unconnected";
  sock.shut = 0;
  sock.ended = sock.full = sock.deferred = false;
  return done(0);
}

/** The operation of `connect` (Linux `__inet_stream_connect`). */
export function connecting(kernel: Kernel, file: OpenFile, sock: Sock): Operation {
  let begun: CallResult | null | undefined;
  return waiting((timedOut) => {
    if (begun === undefined) {
      begun = beginConnect(kernel, sock);
      if (begun !== null && begun.errno !== "EINPROGRESS" && begun.errno !== "EALREADY") return begun;
    }
    const state = sock.state(kernel.host);
    if (state === STATE.SYN_SENT || state === STATE.SYN_RECEIVED) {
      return isNonBlocking(file) || timedOut ? begun : null;
    }
    return endConnect(kernel, sock, state);
  }, kernel.host.nowNs + sock.sendTimeoutNs);
}

/** Starts connecting: EINPROGRESS, EALREADY if that is so already, or the refusal. */
function beginConnect(kernel: Kernel, sock: Sock): CallResult {
  switch (sock.phase) {
    case "connected":
      return failed("EISCONN");
    case "disconnecting":
      return failed("EINVAL");
    case "connecting":
      return failed(sock.deferred ? "EISCONN" : "EALREADY");
  }
  if (sock.listener !== 0 || sock.state(kernel.host) !== STATE.CLOSED) return failed("EISCONN");
  if (defersConnect(kernel, sock)) {
    sock.deferred = true;
    sock.phase = "connecting";
    return done(0);
  }
  const conn = asksForCookie(sock) ? openWithData(kernel, sock, 0) : openConnection(kernel, sock);
  if (conn < 0) return fromStack(conn);
  sock.phase = "connecting";
  return failed("EINPROGRESS");
}

/** Sends the SYN. Returns the connection or `-errno`. */
export function openConnection(kernel: Kernel, sock: Sock): number {
  const { host, config } = kernel;
  kernel.detach(sock);
  const prepare = (conn: number) => inheritOptions(host, sock, conn);
  const conn = connect(host.stack, HOST_ROW, host.local, sock.boundPort, host.remote, config.connectPort, 1, {
    prepare,
  });
  if (conn < 0) return conn;
  kernel.attach(sock, conn);
  sock.error = null;
  sock.shut = 0;
  sock.ended = sock.full = false;
  host.drain();
  return conn;
}

/** The handshake is over: 0, or why it failed; then the socket is as new. */
export function endConnect(kernel: Kernel, sock: Sock, state: number): CallResult {
  if (state !== STATE.CLOSED) {
    sock.phase = "connected";
    return done(0);
  }
  const error = sock.takeError() ?? "ECONNABORTED";
  disconnect(kernel, sock);
  return failed(error);
}

/** `shutdown(4, SHUT_WR)` (Linux `inet_shutdown`). */
export const shutdownCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const found = socketOf(kernel, args);
    if (found === null) return failed("ENOTSOCK");
    const { sock } = found;
    const how = args.number(1) + 1;
    if (how < SHUT.READ || how > SHUT.BOTH) return failed("EINVAL");
    const { host } = kernel;
    const state = sock.state(host);
    if (sock.deferred) return disconnect(kernel, sock);
    if (sock.phase === "connecting") {
      const undone = state === STATE.SYN_SENT || state === STATE.SYN_RECEIVED || state === STATE.CLOSED;
      sock.phase = undone ? "disconnecting" : "connected";
    }
    if (state === STATE.CLOSED) {
      sock.shut |= how;
      return failed("ENOTCONN");
    }
    if (state === STATE.LISTEN) return (how & SHUT.READ) === 0 ? done(0) : disconnect(kernel, sock);
    if (state === STATE.SYN_SENT) return disconnect(kernel, sock);
    sock.shut |= how;
    if ((how & SHUT.READ) !== 0) shutdownRead(host.stack, sock.conn);
    if ((how & SHUT.WRITE) !== 0) shutdownWrite(host.stack, sock.conn);
    host.drain();
    kernel.wake(sock, 0);
    return done(0);
  });

/** `close(4)`; with SO_LINGER it waits until what was sent has arrived. */
export const closeCall: SystemCall = (kernel, args) => {
  const file = kernel.file(args, 0);
  let begun = false;
  let lingers: { conn: number; generation: number } | null = null;
  const { host } = kernel;
  const { target } = file;
  const patienceNs = target.kind === "socket" && target.lingerSeconds !== null ? target.lingerSeconds * 1e9 : 0;
  return waiting((timedOut) => {
    if (!begun) {
      begun = true;
      kernel.forgetWatches(file);
      kernel.files.close(file);
      if (target.kind === "pipe") target.state[target.writes ? "writers" : "readers"]--;
      if (target.kind !== "socket") return done(0);
      const { conn } = target;
      if (conn !== 0) lingers = { conn, generation: host.stack.generation(conn) };
      closeSocket(kernel, target);
    }
    if (lingers === null || timedOut || patienceNs === 0) return done(0);
    return isSending(kernel, lingers.conn, lingers.generation) ? null : done(0);
  }, host.nowNs + patienceNs);
};

/** Does the closed connection still wait for its FIN to be acknowledged? */
function isSending(kernel: Kernel, conn: number, generation: number): boolean {
  const { stack } = kernel.host;
  if (stack.generation(conn) !== generation) return false;
  const state = stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK;
  return state === STATE.FIN_WAIT_1 || state === STATE.CLOSING || state === STATE.LAST_ACK;
}

function closeSocket(kernel: Kernel, sock: Sock): void {
  const { stack } = kernel.host;
  if (sock.listener !== 0) {
    closeListener(stack, sock.listener);
    kernel.detachListener(sock);
  } else if (sock.conn !== 0) {
    const { conn } = sock;
    kernel.detach(sock);
    if (sock.lingerSeconds === 0) abort(stack, conn);
    else closeConnection(stack, conn);
  }
  kernel.host.drain();
}
