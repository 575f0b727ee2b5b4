/**
 * Sockets for code: what a user of Node's `net` or of Deno's `connect` expects, on simulated time. Nothing here waits:
 * a call acts at the current instant, and what comes of it later is an event. Handlers are called by `run()` alone.
 *
 * @module
 */
import type { SocketError } from "../base/errors.ts";
import { type PlainValue, type StateVisitor } from "../base/state.ts";
import { Emitter, type EventHandlers } from "./emitter.ts";
import { setKeepAlive, setNoDelay, setTrafficClass, setTtl, setUserTimeout } from "../tcp/mod.ts";
import type { TcpStack } from "../tcp/stack.ts";
import type { SocketLayer } from "./layer.ts";

/** Events of a {@linkcode Socket}. */
export type SocketEvents = {
  /** The connection is established. */
  connect: [];
  /** Bytes arrived. With a listener for it, the socket reads by itself. */
  data: [bytes: Uint8Array];
  /** Bytes can be read, and nobody listens for `data`. */
  readable: [];
  /** The peer has closed its direction and everything has been read. */
  end: [];
  /** All that was written has been taken by TCP; after a `write` that returned false. */
  drain: [];
  /** It failed: `error.code` is `ECONNREFUSED`, `ETIMEDOUT`, `EADDRNOTAVAIL` and so on. Unheard, it is thrown by `run()`. */
  error: [error: SocketError];
  /**
   * Trouble that does not end the connection (RFC 9293 3.9.1.8): an ICMP error arrived, or the same data (or the SYN)
   * was repeated `retries1` times. Nobody has to listen.
   */
  softError: [error: SocketError, reason: SoftErrorReason];
  /** The connection is over: closed by both sides, let go by this one, or failed. The last event. */
  close: [hadError: boolean];
};

/** What a `softError` is about: an ICMP error, or repetitions without an answer. */
export type SoftErrorReason = "icmp" | "retransmissions";

/**
 * Where a socket is in its life, as Node has it: `readOnly` after `end()`, `writeOnly` after the `end` event,
 * `closed` after both or after `close`.
 */
export type ReadyState = "opening" | "open" | "readOnly" | "writeOnly" | "closed";

/** Address and port of one end. */
export interface Endpoint {
  /** Numeric address. */
  address: string;
  /** 1 to 65,535. */
  port: number;
}

/** Sets an option of a connection. */
type Setting = (tcp: TcpStack, connection: number) => void;

/** @internal How the layer makes a socket. */
export interface SocketOptions {
  /** The node that it is on. */
  node: number;
  local: Endpoint;
  remote: Endpoint;
  allowHalfOpen: boolean;
  /** When this side called connect, ns; absent for accepted sockets. */
  openedAtNs?: number;
  /** The application's, if it is one's. */
  handlers?: EventHandlers;
}

/** @internal What a socket has to do at the end of an instant. */
export const SOCKET_CALL = { SAY_CLOSE: 0, LOOK: 1, SAY_DRAIN: 2, REFUSED: 3 } as const;

/**
 * A connection of a host: made by `HostHandle.connect`, or accepted by a `Listener`.
 *
 * Bytes are carried (`Uint8Array`, text) or only counted (a number): a counted byte takes its time, its room in
 * buffers and its place in sequence numbers, and is made up (printable) where somebody looks at it.
 */
export class Socket extends Emitter<SocketEvents> {
  /** @internal To be called when it is closed before it has a connection. */
  giveUp: (() => void) | undefined;
  /** False (as in Node by default): it ends its own direction when the peer has ended the other and all is read. */
  declare readonly allowHalfOpen: boolean;
  /** Bytes handed to the application. */
  bytesRead = 0;
  /** Bytes that TCP has taken from the application. */
  bytesWritten = 0;
  /** Anything of yours. Of an application's sockets it is part of snapshots: only what JSON can say, then. */
  data: PlainValue = null;
  /** Which of the sockets of its application it is, from 1; 0 where sockets are not an application's. */
  id = 0;
  /** @internal Row of the connection, 0 when it has none. */
  connection = 0;
  /** @internal What refused it at once (`ERRNO`); 0: nothing. */
  refused = 0;
  /** @internal The node that it is on. */
  declare readonly node: number;
  /** @internal Did this side connect? */
  declare readonly active: boolean;
  /** @internal When it did, ns. */
  declare readonly startedNs: number;
  /** @internal Is it among the open connections of the report? */
  counted = false;
  readonly #layer: SocketLayer;
  #local: Endpoint;
  #remote: Endpoint;
  /** What was set before there was a connection to set it of. */
  #settings: Setting[] = [];
  /** Written, but not yet taken by TCP: bytes, or counts of virtual bytes. */
  #pending: (Uint8Array | number)[] = [];
  #opening: boolean;
  /** Nothing more may be written; and the FIN has been asked for. */
  #ending = false;
  #finQueued = false;
  /** `end` was emitted. */
  #saidEnd = false;
  /** `close` was called and waits for what is pending. */
  #closing = false;
  /** TCP is done; what was received may still be read. */
  #done = false;
  #over = false;
  #needsDrain = false;
  #paused = false;
  #waking = false;
  #hadError = false;

  /** @internal For the socket layer. */
  constructor(layer: SocketLayer, options: SocketOptions) {
    super(options.handlers);
    this.#layer = layer;
    this.node = options.node;
    this.#local = options.local;
    this.#remote = options.remote;
    this.allowHalfOpen = options.allowHalfOpen;
    this.active = options.openedAtNs !== undefined;
    this.#opening = this.active;
    this.startedNs = options.openedAtNs ?? 0;
  }

  /** This end; port 0 if none could be had, or (to a name) while it is opening. */
  get local(): Endpoint {
    return this.#local;
  }

  /** The other end, as this host sees it. (To a name that, while it is opening.) */
  get remote(): Endpoint {
    return this.#remote;
  }

  /** Where it is in its life. */
  get readyState(): ReadyState {
    if (this.#over) return "closed";
    if (this.#opening) return "opening";
    if (this.#saidEnd) return this.#ending ? "closed" : "writeOnly";
    return this.#ending ? "readOnly" : "open";
  }

  /** Bytes written that TCP has not taken yet. */
  get writableLength(): number {
    return this.#pending.reduce<number>((sum, part) => sum + lengthOf(part), 0);
  }

  /** Bytes that can be read now. */
  get readableLength(): number {
    return this.connection === 0 ? 0 : this.#layer.readable(this.connection);
  }

  /**
   * Sends bytes (text as UTF-8), or with a number so many bytes that are counted, not carried. Returns false when not
   * all could go into the send buffer (or the connection is not established yet): the rest waits, and `drain` tells
   * when it is gone. Throws `SocketError` `EPIPE` after `end` or `close`, `RangeError` for a number that counts nothing.
   */
  write(data: Uint8Array | string | number): boolean {
    const part = countedOrBytes(data);
    if (this.#ending || this.#over) throw this.#layer.error("EPIPE");
    this.#pending.push(part);
    this.#flush();
    // What waits (the last part, or the rest of it) is kept apart from the caller's buffer.
    const last = this.#pending.pop();
    if (last === undefined) return true;
    this.#pending.push(typeof last === "number" ? last : last.slice());
    this.#needsDrain = true;
    return false;
  }

  /** Reads up to `most` bytes (default all); null if there are none. */
  read(most = Infinity): Uint8Array | null {
    const bytes = this.#take(most);
    if (bytes !== null) this.#wakeAtEnd();
    return bytes;
  }

  /** Reads up to `most` bytes (default all) without looking at them; says how many. */
  readCounted(most = Infinity): number {
    if (this.connection === 0) return 0;
    const count = this.#layer.readCount(this, most);
    this.bytesRead += count;
    if (count > 0) this.#wakeAtEnd();
    return count;
  }

  /** Stops `data` events: bytes stay in the receive buffer, whose window closes when it is full. */
  pause(): this {
    this.#paused = true;
    return this;
  }

  /** Goes on with `data` events after `pause`. */
  resume(): this {
    this.#paused = false;
    if (this.readableLength > 0) this.#wake();
    return this;
  }

  /** Half-close: sends `data` if given, then a FIN when all that was written is gone. Reading goes on. */
  end(data?: Uint8Array | string | number): this {
    if (this.#ending || this.#over) return this;
    if (data !== undefined) this.write(data);
    this.#ending = true;
    this.#flush();
    return this;
  }

  /** Half-close, by its name in Deno. */
  closeWrite(): void {
    this.end();
  }

  /**
   * Closes both directions in good order, as close(2): what was written still goes out, then a FIN; a RST if bytes
   * were received and never read, or if more arrive. Gives up an attempt that is not established. Only `close` follows.
   */
  close(): void {
    if (this.#over || this.#closing) return;
    this.#ending = true;
    this.#closing = true;
    if (this.#pending.length === 0 || this.#opening) this.#layer.close(this);
  }

  /** As `close`, but what TCP has not taken yet is thrown away. */
  destroy(): void {
    if (this.#over) return;
    this.#pending = [];
    this.#closing = this.#ending = true;
    this.#layer.close(this);
  }

  /** Breaks the connection off with a RST, by its name in Node. Only `close` follows. */
  resetAndDestroy(): void {
    if (this.#over) return;
    this.#closing = this.#ending = true;
    this.#layer.abort(this);
  }

  /** Turns the Nagle algorithm off (or on again). */
  setNoDelay(noDelay = true): this {
    return this.#set((tcp, c) => setNoDelay(tcp, c, noDelay));
  }

  /** Turns keep-alive on or off; the first probe after `idleMs` milliseconds of silence (default: the profile's). */
  setKeepAlive(enable = true, idleMs = 0): this {
    return this.#set((tcp, c) => setKeepAlive(tcp, c, enable, idleMs > 0 ? { idleMs: Math.ceil(idleMs) } : {}));
  }

  /**
   * Sets the traffic class of segments from now on (IP_TOS, IPV6_TCLASS), 0 to 255: its upper six bits, the DSCP; the
   * lower two are ECN's. Throws `RangeError` for what is none.
   */
  setTrafficClass(trafficClass: number): this {
    return this.#set((tcp, c) => setTrafficClass(tcp, c, trafficClass));
  }

  /** Sets the TTL or hop limit of segments from now on, 1 to 255 (`RangeError` for what is none). */
  setTtl(ttl: number): this {
    return this.#set((tcp, c) => setTtl(tcp, c, ttl));
  }

  /** Sets how long data may stay unacknowledged before `ETIMEDOUT`, ms (TCP_USER_TIMEOUT); 0: as the profile says. */
  setUserTimeout(ms: number): this {
    return this.#set((tcp, c) => setUserTimeout(tcp, c, Math.ceil(ms)));
  }

  /** @internal It has a connection, after all. */
  placed(local: Endpoint, remote: Endpoint): void {
    this.#local = local;
    this.#remote = remote;
    for (const apply of this.#settings.splice(0)) apply(this.#layer.tcp, this.connection);
  }

  /** @internal Trouble that does not end it. */
  troubled(error: SocketError, reason: SoftErrorReason): void {
    if (!this.#over && !this.#closing) this.emit("softError", error, reason);
  }

  /** @internal Is it let go of? */
  get isOver(): boolean {
    return this.#over;
  }

  /** @internal It was opened with these bytes, of which `sent` went with the SYN. */
  opensWith(data: Uint8Array | number, sent: number): void {
    this.bytesWritten = sent;
    const left = typeof data === "number" ? data - sent : data.slice(sent);
    if (lengthOf(left) > 0) this.#pending.push(left);
  }

  /** @internal The connection is established. */
  opened(): void {
    this.#opening = false;
    this.#flush();
    this.emit("connect");
  }

  /** @internal Bytes or the peer's FIN have arrived. */
  arrived(): void {
    if (this.#over || this.#closing) return;
    if (this.readableLength > 0) {
      if (!this.hasListeners("data")) this.emit("readable");
      else if (!this.#paused) this.#giveData();
    }
    if (this.#saidEnd || this.connection === 0 || !this.#layer.isAtEnd(this.connection)) return;
    this.#saidEnd = true;
    try {
      this.emit("end");
    } finally {
      if (!this.allowHalfOpen) this.end();
      if (this.#done && !this.#over) this.#layer.release(this);
    }
  }

  /** @internal There is room in the send buffer. */
  writable(): void {
    this.#flush();
  }

  /** @internal TCP is done in good order. Says whether the socket is done too: nothing is left to be read. */
  protocolDone(): boolean {
    this.#done = true;
    return this.#closing || this.readableLength === 0;
  }

  /** @internal It was let go of, because of `error` or in good order. `close` follows after the current handler. */
  finished(error?: SocketError): void {
    if (this.#over) return;
    this.#over = true;
    this.#pending = [];
    this.#hadError = error !== undefined;
    this.#layer.later(this, SOCKET_CALL.SAY_CLOSE);
    if (error !== undefined && !this.#closing && !this.emit("error", error)) throw error;
  }

  /** @internal What was put off until the end of an instant (`SOCKET_CALL`). */
  called(code: number): void {
    switch (code) {
      case SOCKET_CALL.SAY_CLOSE:
        this.emit("close", this.#hadError);
        return;
      case SOCKET_CALL.LOOK:
        this.#waking = false;
        return this.arrived();
      case SOCKET_CALL.SAY_DRAIN:
        if (!this.#over) this.emit("drain");
        return;
      case SOCKET_CALL.REFUSED:
        return this.finished(this.#layer.refusal(this));
    }
  }

  /** @internal For snapshots: what its options do not say. */
  visitState(v: StateVisitor): void {
    const { data, id, connection, refused, bytesRead, bytesWritten, counted } = this;
    const kept = v.plain({ data, id, connection, refused, bytesRead, bytesWritten, counted });
    const flags = v.plain([
      this.#opening,
      this.#ending,
      this.#finQueued,
      this.#saidEnd,
      this.#closing,
      this.#done,
      this.#over,
      this.#needsDrain,
      this.#paused,
      this.#waking,
      this.#hadError,
    ]);
    const pending = v.plain(this.#pending.map((part) => typeof part === "number" ? part : [...part]));
    if (!v.restoring) return;
    Object.assign(this, kept);
    [
      this.#opening,
      this.#ending,
      this.#finQueued,
      this.#saidEnd,
      this.#closing,
      this.#done,
      this.#over,
      this.#needsDrain,
      this.#paused,
      this.#waking,
      this.#hadError,
    ] = flags;
    this.#pending = pending.map((part) => typeof part === "number" ? part : new Uint8Array(part));
  }

  /** Those who begin to listen are told of what is there already. */
  protected override listening(event: keyof SocketEvents): void {
    if ((event === "data" || event === "readable") && this.readableLength > 0) this.#wake();
  }

  #set(apply: Setting): this {
    if (this.connection !== 0) apply(this.#layer.tcp, this.connection);
    else if (this.giveUp !== undefined) this.#settings.push(apply);
    return this;
  }

  #take(most: number): Uint8Array | null {
    if (this.connection === 0) return null;
    const bytes = this.#layer.readBytes(this, most);
    if (bytes !== null) this.bytesRead += bytes.length;
    return bytes;
  }

  #giveData(): void {
    const bytes = this.#take(Infinity);
    if (bytes === null) return;
    try {
      this.emit("data", bytes);
    } catch (error) {
      // The end is told all the same.
      if (!this.#over) this.#wakeAtEnd();
      throw error;
    }
  }

  #wakeAtEnd(): void {
    if (!this.#saidEnd && this.#layer.isAtEnd(this.connection)) this.#wake();
  }

  /** Looks at what has arrived once more, at this instant, after the current handler. */
  #wake(): void {
    if (this.#waking || this.#over) return;
    this.#waking = true;
    this.#layer.later(this, SOCKET_CALL.LOOK);
  }

  /** Hands to TCP what waits, as far as it takes it, and then the FIN. */
  #flush(): void {
    if (this.connection === 0 || this.#opening || this.#over) return;
    while (this.#pending.length > 0) {
      const part = this.#pending[0];
      const taken = this.#layer.send(this.connection, part);
      this.bytesWritten += taken;
      if (taken < lengthOf(part)) {
        this.#pending[0] = typeof part === "number" ? part - taken : part.subarray(taken);
        return;
      }
      this.#pending.shift();
    }
    if (this.#closing) return this.#layer.close(this);
    if (this.#ending && !this.#finQueued) {
      this.#finQueued = true;
      this.#layer.shutdown(this);
    }
    if (!this.#needsDrain) return;
    this.#needsDrain = false;
    if (!this.#ending) this.#layer.later(this, SOCKET_CALL.SAY_DRAIN);
  }
}

/** @internal What may be written, text as its bytes. Throws `RangeError`, `TypeError` for what may not. */
export function countedOrBytes(data: Uint8Array | string | number): Uint8Array | number {
  const part = typeof data === "string" ? new TextEncoder().encode(data) : data;
  if (typeof part === "number" && !(Number.isSafeInteger(part) && part >= 0)) {
    throw new RangeError(`A count of bytes is a whole number from 0 on, not ${part}.`);
  }
  if (typeof part !== "number" && !(part instanceof Uint8Array)) {
    throw new TypeError("A socket writes a Uint8Array, a string, or a number of bytes.");
  }
  return part;
}

function lengthOf(part: Uint8Array | number): number {
  return typeof part === "number" ? part : part.length;
}
