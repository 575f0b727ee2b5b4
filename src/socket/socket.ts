/**
 * Sockets for code: what a user of Node's `net` or of Deno's `connect` expects, on simulated time. Nothing here waits:
 * a call acts at the current instant, and what comes of it later is an event.
 *
 * @module
 */
import type { SocketError } from "../base/errors.ts";
import { Emitter } from "./emitter.ts";
import type { SocketLayer } from "./layer.ts";

/** Events of a {@linkcode Socket}. */
export type SocketEvents = {
  /** The connection is established. */
  connect: [];
  /** Bytes arrived. With a listener for it, the socket reads by itself. */
  data: [bytes: Uint8Array];
  /** Bytes can be read. */
  readable: [];
  /** The peer has closed its direction and everything has been read. */
  end: [];
  /** What was written has all been taken by TCP; after a `write` that returned false. */
  drain: [];
  /** Something failed; `error.code` is `ECONNREFUSED`, `ETIMEDOUT`, `EADDRNOTAVAIL` and so on. */
  error: [error: SocketError];
  /** The connection is over: closed by both sides, or failed. The last event. */
  close: [];
};

/** Where a socket is in its life. */
export type ReadyState = "opening" | "open" | "readOnly" | "writeOnly" | "closed";

/** Address and port of one end. */
export interface Endpoint {
  /** Numeric address. */
  address: string;
  /** 1 to 65,535. */
  port: number;
}

/** @internal How the layer makes a socket. */
export interface SocketOptions {
  local: Endpoint;
  remote: Endpoint;
  allowHalfOpen: boolean;
  /** When this side called connect, ns; absent for accepted sockets. */
  openedAtNs?: number;
}

/** A connection of a host. */
export class Socket extends Emitter<SocketEvents> {
  /** Its own end; port 0 while none could be had. */
  readonly local: Endpoint;
  /** The other end. */
  readonly remote: Endpoint;
  /** Closes its own direction when the peer has closed its one and all is read (as Node does by default). */
  readonly allowHalfOpen: boolean;
  /** Bytes handed to the application. */
  bytesRead = 0;
  /** Bytes that TCP has taken from the application. */
  bytesWritten = 0;
  /** @internal Row of the connection, 0 when it has none. */
  connection = 0;
  /** @internal Did this side connect, and when (ns)? */
  readonly active: boolean;
  readonly startedNs: number;
  /** @internal */
  state: ReadyState = "opening";
  readonly #layer: SocketLayer;
  /** Written, but not yet taken by TCP: bytes, or counts of virtual bytes. */
  readonly #pending: (Uint8Array | number)[] = [];
  #ending = false;
  #ended = false;
  #needsDrain = false;

  /** @internal For the socket layer. */
  constructor(layer: SocketLayer, options: SocketOptions) {
    super();
    this.#layer = layer;
    this.local = options.local;
    this.remote = options.remote;
    this.allowHalfOpen = options.allowHalfOpen;
    this.active = options.openedAtNs !== undefined;
    this.startedNs = options.openedAtNs ?? 0;
  }

  /** `opening`, `open`, `readOnly` (own direction closed), `writeOnly` (the peer's closed), `closed`. */
  get readyState(): ReadyState {
    return this.state;
  }

  /** Bytes written that TCP has not taken yet. */
  get writableLength(): number {
    return this.#pending.reduce<number>((sum, part) => sum + (typeof part === "number" ? part : part.length), 0);
  }

  /**
   * Sends bytes (text as UTF-8), or with a number so many bytes that are counted, not carried. Returns false when they
   * exceed the send buffer: they wait, and `drain` tells when they are gone. Throws `SocketError` `EPIPE` after `end`.
   */
  write(data: Uint8Array | string | number): boolean {
    if (this.#ending || this.state === "closed") throw this.#layer.error("EPIPE");
    this.#pending.push(typeof data === "string" ? new TextEncoder().encode(data) : data);
    this.#flush();
    this.#needsDrain = this.#pending.length > 0;
    return !this.#needsDrain;
  }

  /** Reads up to `most` bytes (default all); null if there are none. */
  read(most = Infinity): Uint8Array | null {
    if (this.connection === 0) return null;
    const bytes = this.#layer.readBytes(this.connection, most);
    if (bytes === null) return null;
    this.bytesRead += bytes.length;
    this.#endIfAllRead();
    return bytes;
  }

  /** Reads up to `most` bytes without looking at them; says how many. */
  readCounted(most = Infinity): number {
    if (this.connection === 0) return 0;
    const count = this.#layer.readCount(this.connection, most);
    this.bytesRead += count;
    if (count > 0) this.#endIfAllRead();
    return count;
  }

  /** Bytes that can be read now. */
  get readableLength(): number {
    return this.connection === 0 ? 0 : this.#layer.readable(this.connection);
  }

  /** Half-close: sends `data` if given, then a FIN when all that was written is gone. Reading goes on. */
  end(data?: Uint8Array | string | number): void {
    if (this.#ending || this.state === "closed") return;
    if (data !== undefined) this.write(data);
    this.#ending = true;
    this.#flush();
  }

  /** Half-close, by its name in Deno. */
  closeWrite(): void {
    this.end();
  }

  /** Closes both directions in good order, as close(2): a FIN, or a RST if received bytes were never read. */
  close(): void {
    if (this.connection === 0 || this.state === "closed") return;
    this.#flush();
    this.#layer.close(this);
  }

  /** Breaks the connection off with a RST. */
  destroy(): void {
    if (this.connection !== 0 && this.state !== "closed") this.#layer.abort(this);
  }

  /** Turns the Nagle algorithm off (or on again). */
  setNoDelay(noDelay = true): this {
    if (this.connection !== 0) this.#layer.setNoDelay(this.connection, noDelay);
    return this;
  }

  /** Turns keep-alive on or off; the first probe after `idleMs` (default: the profile's). */
  setKeepAlive(enable = true, idleMs = 0): this {
    if (this.connection !== 0) this.#layer.setKeepAlive(this.connection, enable, idleMs);
    return this;
  }

  /** @internal The connection is established. */
  opened(): void {
    this.state = "open";
    this.#flush();
    this.emit("connect");
  }

  /** @internal Bytes have arrived. */
  arrived(): void {
    if (this.hasListeners("data")) {
      const bytes = this.read();
      if (bytes !== null) this.emit("data", bytes);
    } else this.emit("readable");
  }

  /** @internal The peer has sent its FIN. */
  peerClosed(): void {
    if (this.state === "open") this.state = "writeOnly";
    if (this.hasListeners("data")) this.arrived();
    this.#endIfAllRead();
  }

  /** @internal There is room in the send buffer. */
  writable(): void {
    this.#flush();
    if (this.#pending.length === 0 && this.#needsDrain) {
      this.#needsDrain = false;
      this.emit("drain");
    }
  }

  /** @internal The connection is over. */
  finished(error: SocketError | undefined): void {
    if (this.state === "closed") return;
    this.state = "closed";
    if (error !== undefined && !this.emit("error", error)) this.#layer.unheard(this, error);
    this.emit("close");
  }

  protected override listening(event: keyof SocketEvents): void {
    if (event === "data" && this.readableLength > 0) this.arrived();
    if (event === "end" && this.state === "writeOnly") this.#endIfAllRead();
  }

  /** Hands to TCP what waits, as far as it takes it, and then the FIN. */
  #flush(): void {
    if (this.connection === 0 || this.state === "opening" || this.state === "closed") return;
    while (this.#pending.length > 0) {
      const part = this.#pending[0];
      const length = typeof part === "number" ? part : part.length;
      const taken = this.#layer.send(this.connection, part);
      this.bytesWritten += taken;
      if (taken < length) {
        this.#pending[0] = typeof part === "number" ? part - taken : part.subarray(taken);
        return;
      }
      this.#pending.shift();
    }
    if (this.#ending && !this.#ended) {
      this.#ended = true;
      this.state = this.state === "writeOnly" ? "closed" : "readOnly";
      this.#layer.shutdown(this);
    }
  }

  #saidEnd = false;

  #endIfAllRead(): void {
    if (this.#saidEnd || this.connection === 0 || !this.#layer.isAtEnd(this.connection)) return;
    this.#saidEnd = true;
    this.emit("end");
    if (!this.allowHalfOpen) this.end();
  }
}
