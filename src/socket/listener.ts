/**
 * A listening port of a host, for code.
 *
 * @module
 */
import { SocketError } from "../base/errors.ts";
import type { StateVisitor } from "../base/state.ts";
import { Emitter, type EventHandlers } from "./emitter.ts";
import type { SocketLayer } from "./layer.ts";
import type { Endpoint, Socket } from "./socket.ts";

/** Options of `HostHandle.listen`. */
export interface SocketListenOptions {
  /** 1 to 65,535. */
  port: number;
  /**
   * One of the host's addresses, `0.0.0.0` for all of IPv4, `::` for all of both families. Default any.
   */
  address?: string;
  /** With `::`: IPv6 alone (IPV6_V6ONLY). Default false. */
  ipv6Only?: boolean;
  /** Connections that may wait to be accepted, at most the profile's `somaxconn`. Default 511, as Node's. */
  backlog?: number;
  /** `Socket.allowHalfOpen` of the sockets accepted. Default false. */
  allowHalfOpen?: boolean;
}

/** Events of a {@linkcode Listener}. */
export type ListenerEvents = {
  /** A connection was accepted. Without a listener for this event, connections wait for `accept()`. */
  connection: [socket: Socket];
  /** A connection waits, but the host has no file descriptor (`EMFILE`) or memory (`ENOBUFS`) left for it. It stays in the queue. */
  error: [error: SocketError];
  /** The port is no longer listened on. */
  close: [];
};

/** @internal How the layer makes a listener. */
export interface ListenerState {
  /** The node that it is on, and its row in TCP's table. */
  node: number;
  row: number;
  local: Endpoint;
  allowHalfOpen: boolean;
  /** The application's, if it is one's. */
  handlers?: EventHandlers;
}

/** @internal What a listener has to do at the end of an instant. */
const LISTENER_CALL = { SAY_CLOSE: 0, LOOK: 1 } as const;

/**
 * A listening port of a host: made by `HostHandle.listen`. Connections come as `connection` events, or, while nobody
 * listens for that event, are taken with `accept()`.
 */
export class Listener extends Emitter<ListenerEvents> {
  /** Where it listens; the address is empty if it listens on all of them. */
  declare readonly local: Endpoint;
  /** `Socket.allowHalfOpen` of the sockets accepted. */
  declare readonly allowHalfOpen: boolean;
  /** @internal Its row in TCP's table. */
  declare readonly row: number;
  /** @internal The node that it is on. */
  declare readonly node: number;
  readonly #layer: SocketLayer;
  #closed = false;

  /** @internal For the socket layer. */
  constructor(layer: SocketLayer, options: ListenerState) {
    super(options.handlers);
    this.#layer = layer;
    this.node = options.node;
    this.row = options.row;
    this.local = options.local;
    this.allowHalfOpen = options.allowHalfOpen;
  }

  /** The port, 1 to 65,535. */
  get port(): number {
    return this.local.port;
  }

  /** @internal Was it closed? */
  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Takes the oldest connection from the accept queue; undefined if none waits, or after `close`.
   * Throws `SocketError` `EMFILE` or `ENOBUFS`; the connection then stays in the queue.
   */
  accept(): Socket | undefined {
    return this.#closed ? undefined : this.#layer.accept(this);
  }

  /** Stops listening, at once. Connections not yet accepted are reset; accepted ones live on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#layer.closeListener(this);
    this.#layer.later(this, LISTENER_CALL.SAY_CLOSE);
  }

  /** @internal A connection waits to be accepted. Says whether it was. */
  acceptable(): boolean {
    if (this.#closed || !this.hasListeners("connection")) return false;
    let socket: Socket | undefined;
    try {
      socket = this.#layer.accept(this);
    } catch (error) {
      // As a server's accept loop: it goes on when a descriptor is free again.
      this.#layer.starve(this);
      if (this.hasListeners("error") && error instanceof SocketError) this.emit("error", error);
      return false;
    }
    if (socket === undefined) return false;
    this.emit("connection", socket);
    return true;
  }

  /** @internal Accepts all that wait, one after the other. */
  wake(): void {
    this.#layer.later(this, LISTENER_CALL.LOOK);
  }

  /** @internal What was put off until the end of an instant (`LISTENER_CALL`). */
  called(code: number): void {
    if (code === LISTENER_CALL.SAY_CLOSE) {
      this.emit("close");
      return;
    }
    // Without a descriptor, trying again at this instant would never end.
    if (this.#closed || this.#layer.isStarved(this)) return;
    // The next one first: a handler may throw.
    if (this.#layer.waiting(this) > 1) this.wake();
    this.acceptable();
  }

  /** @internal For snapshots: what its options do not say. */
  visitState(v: StateVisitor): void {
    this.#closed = v.number(this.#closed ? 1 : 0) === 1;
  }

  /** Those that came before somebody listened. */
  protected override listening(event: keyof ListenerEvents): void {
    if (event === "connection" && !this.#closed && this.#layer.waiting(this) > 0) this.wake();
  }
}
