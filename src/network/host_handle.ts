/**
 * A host in code: where sockets are opened.
 *
 * @module
 */
import type { ConnectOptions, Listener, SocketLayer, SocketListenOptions } from "../socket/layer.ts";
import type { Socket } from "../socket/socket.ts";
import type { Partition } from "./partition.ts";

/** A host of a simulation. */
export class HostHandle {
  readonly #partition: Partition;
  readonly #sockets: SocketLayer;
  readonly #node: number;

  /** For `Simulation.host`. */
  constructor(partition: Partition, sockets: SocketLayer, node: number) {
    this.#partition = partition;
    this.#sockets = sockets;
    this.#node = node;
  }

  /** Its name: `server`, `clients[3]`. */
  get name(): string {
    return this.#partition.nodes.nameOf(this.#node);
  }

  /** Its first address. */
  get address(): string {
    return this.#partition.addressText(this.#partition.addressOf(this.#node));
  }

  /** Listens on a port. `onConnection` is called for every connection accepted. Throws `SocketError` `EADDRINUSE`. */
  listen(options: SocketListenOptions, onConnection?: (socket: Socket) => void): Listener {
    const listener = this.#sockets.listen(this.#node, options);
    if (onConnection !== undefined) listener.on("connection", onConnection);
    return listener;
  }

  /** Connects. What fails, even at once (`EADDRNOTAVAIL`, `EMFILE`), comes as an `error` event of the socket. */
  connect(options: ConnectOptions, onConnect?: () => void): Socket {
    const socket = this.#sockets.connect(this.#node, options);
    if (onConnect !== undefined) socket.on("connect", onConnect);
    return socket;
  }

  /** Calls `action` after `delayNs` of simulated time. */
  setTimeout(action: () => void, delayNs: number): void {
    this.#sockets.call(this.#node, this.#partition.nowNs + delayNs, action);
  }
}
