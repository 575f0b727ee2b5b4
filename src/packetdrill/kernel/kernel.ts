/**
 * The system call layer over the emulated host: descriptors, sockets, and calls that may wait.
 *
 * @module
 */
import { ERRNO, errnoName } from "../../base/errors.ts";
import { takeHardError } from "../../tcp/errors.ts";
import { FLAG, takeQueuedError, TCB, TCP_EVENT } from "../../tcp/mod.ts";
import type { RunConfig } from "../config.ts";
import type { EmulatedHost } from "../host.ts";
import type { Value } from "../script.ts";
import { LEVEL, POLL, SHUT, SO } from "./abi.ts";
import { Arguments } from "./arguments.ts";
import { collectCompletions, giveUpCompletions, noteSegment } from "./completions.ts";
import { Epoll } from "./epoll.ts";
import { FileTable, type OpenFile } from "./files.ts";
import { inheritOptions } from "./inherit.ts";
import { CallError, type CallResult, done, type Operation } from "./result.ts";
import type { Sock } from "./socket.ts";

/** A system call: reads its arguments and makes the operation. */
export type SystemCall = (kernel: Kernel, args: Arguments) => Operation;

/** Bytes of a packet that an ICMP error quotes and that the error queue hands on: those behind the IP header. */
const QUOTED_BYTES = 8;
const REUSE_ADDRESS = (LEVEL.SOCKET << 16) | SO.REUSEADDR;
const REUSE_PORT = (LEVEL.SOCKET << 16) | SO.REUSEPORT;

/** What an event wakes those for who ask for it (Linux `sk_data_ready`, `sk_write_space`); others wake everybody. */
const EDGES: ReadonlyMap<number, number> = new Map([
  [TCP_EVENT.READABLE, POLL.IN | POLL.RDNORM],
  [TCP_EVENT.WRITABLE, POLL.OUT | POLL.WRNORM],
]);

/** See the module's description. */
export class Kernel {
  declare readonly host: EmulatedHost;
  declare readonly config: RunConfig;
  readonly files: FileTable = new FileTable();
  readonly #byConnection = new Map<number, Sock>();
  readonly #byListener = new Map<number, Sock>();
  readonly #calls: ReadonlyMap<string, SystemCall>;

  /** A process with no files but the three standard ones. */
  constructor(host: EmulatedHost, config: RunConfig, calls: ReadonlyMap<string, SystemCall>) {
    this.host = host;
    this.config = config;
    this.#calls = calls;
    host.onSegment = (ports, start, end) => this.#segment(ports, start, end);
    host.onEvent = (conn, kind, argument) => this.#event(conn, kind, argument);
  }

  /** Begins a call; it is attempted by `attempt`. */
  begin(name: string, values: readonly Value[]): Operation {
    const call = this.#calls.get(name);
    if (call === undefined) throw new CallError(`there is no system call ${name}`);
    return call(this, new Arguments(name, values));
  }

  /** The file that argument `i` names. */
  file(args: Arguments, i: number): OpenFile {
    const number = args.number(i);
    const file = this.files.get(number);
    if (file === undefined) throw new CallError(`no file is open that the script calls ${number}`);
    return file;
  }

  /** The socket that argument `i` names, or null if it is another kind of file. */
  socket(args: Arguments, i: number): Sock | null {
    const { target } = this.file(args, i);
    return target.kind === "socket" ? target : null;
  }

  /** The connection `conn` is the socket's from now on. */
  attach(sock: Sock, conn: number): void {
    sock.conn = conn;
    sock.wasConnected = true;
    this.#byConnection.set(conn, sock);
  }

  /** The socket has no connection any more. */
  detach(sock: Sock): void {
    if (sock.conn !== 0) this.#byConnection.delete(sock.conn);
    sock.conn = 0;
  }

  /** The socket listens as `listener`. */
  attachListener(sock: Sock, listener: number): void {
    sock.listener = listener;
    this.#byListener.set(listener, sock);
  }

  /** The socket listens no more. */
  detachListener(sock: Sock): void {
    this.#byListener.delete(sock.listener);
    sock.listener = 0;
  }

  #event(conn: number, kind: number, argument: number): void {
    const { stack } = this.host;
    if (kind === TCP_EVENT.ACCEPTABLE) {
      const listener = this.#byListener.get(argument);
      if (listener === undefined) return;
      inheritOptions(this.host, listener, conn);
      this.wake(listener, POLL.IN | POLL.RDNORM);
      return;
    }
    const sock = this.#byConnection.get(conn);
    if (sock === undefined) return;
    const state = stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE];
    switch (kind) {
      case TCP_EVENT.PEER_CLOSED:
        sock.ended = true;
        sock.shut |= SHUT.READ;
        break;
      case TCP_EVENT.WRITABLE:
        sock.full = false;
        break;
      case TCP_EVENT.FAILED:
        sock.error = this.#errorName(sock, state, argument);
        giveUpCompletions(sock);
        // The socket tells it from now on.
        takeHardError(stack, conn);
        sock.full = false;
        sock.shutBoth();
        break;
      case TCP_EVENT.CLOSED:
        sock.full = false;
        sock.shutBoth();
        break;
    }
    this.wake(sock, EDGES.get(kind) ?? 0);
  }

  /** A segment with data leaves. */
  #segment(ports: number, start: number, end: number): void {
    for (const sock of this.#byConnection.values()) {
      if (sock.completions.stamps.length === 0) continue;
      if (this.host.stack.tcbs.words[sock.conn * TCB.STRIDE + TCB.PORTS] === ports) {
        noteSegment(this.host, sock, start, end);
      }
    }
  }

  /** A reset after the peer's FIN is EPIPE, as Linux's `tcp_reset` has it. */
  #errorName(sock: Sock, state: number, errno: number): string {
    const closeWait = sock.ended && (state & FLAG.FIN_QUEUED) === 0;
    return errno === ERRNO.ECONNRESET && closeWait ? "EPIPE" : errnoName(errno);
  }

  /** Time has passed or something came: error queues are told what became of what was sent. */
  refresh(): void {
    for (const sock of this.#byConnection.values()) {
      const told = this.#takeErrors(sock);
      if (collectCompletions(this.host, sock) || told) this.wake(sock, POLL.ERR);
    }
  }

  /** Takes over what the stack has to tell of ICMP errors (IP_RECVERR). */
  #takeErrors(sock: Sock): boolean {
    const { stack } = this.host;
    if (stack.errors.size === 0) return false;
    const pending = takeHardError(stack, sock.conn);
    if (pending !== 0) sock.error = errnoName(pending);
    let told = pending !== 0;
    for (let e = takeQueuedError(stack, sock.conn); e !== null; e = takeQueuedError(stack, sock.conn)) {
      sock.errorQueue.push({
        ...e,
        errno: errnoName(e.errno),
        data: 0,
        stampNs: null,
        bytes: QUOTED_BYTES,
      });
      told = true;
    }
    return told;
  }

  /**
   * Something happened to the socket: edge-triggered watchers are told. `edges`: bits of `POLL` that say what it was, to
   * those who ask for any of them; 0 to all.
   */
  wake(sock: Sock, edges: number): void {
    for (const { target } of this.files) {
      if (target.kind !== "epoll") continue;
      for (const watch of target.watches) {
        if (watch.file.target !== sock) continue;
        if (edges === 0 || ((watch.events | POLL.ERR | POLL.HUP) & edges) !== 0) watch.fresh = true;
      }
    }
  }

  /**
   * Does another socket keep `sock` from binding to the port? With SO_REUSEADDR on both only one that listens does, with
   * SO_REUSEPORT on both none (Linux `inet_csk_bind_conflict`).
   */
  isPortTaken(sock: Sock, port: number): boolean {
    for (const { target } of this.files) {
      if (target.kind !== "socket" || target === sock || target.boundPort !== port || target.accepted) continue;
      if (target.type !== sock.type) continue;
      const both = (key: number) => sock.options.get(key) === 1 && target.options.get(key) === 1;
      if (both(REUSE_PORT) || (both(REUSE_ADDRESS) && target.listener === 0)) continue;
      return true;
    }
    return false;
  }

  /** Gives a new file a descriptor. */
  open(target: OpenFile["target"], flags: number): OpenFile {
    return this.files.open(target, flags);
  }

  /** An epoll instance with a descriptor. */
  openEpoll(): OpenFile {
    return this.files.open(new Epoll(), 0);
  }

  /** Forgets watches of a file that is closed. */
  forgetWatches(file: OpenFile): void {
    for (const { target } of this.files) {
      if (target.kind !== "epoll") continue;
      const at = target.watches.findIndex((watch) => watch.file === file);
      if (at >= 0) target.watches.splice(at, 1);
    }
  }
}

/** An operation that is done at once. */
export function instantly(run: () => CallResult): Operation {
  return { attempt: run, deadlineNs: Infinity };
}

/** An operation that waits until `attempt` gives a result, at most until `deadlineNs`. */
export function waiting(attempt: (timedOut: boolean) => CallResult | null, deadlineNs = Infinity): Operation {
  return { attempt, deadlineNs };
}

/** A call that does nothing and succeeds. */
export const succeed: SystemCall = () => instantly(() => done(0));
