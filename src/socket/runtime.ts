/**
 * What the socket layer needs of the driver, and of the application whose sockets it opens.
 *
 * @module
 */
import type { AppRuntime } from "../app/types.ts";
import type { PlainValue } from "../base/state.ts";
import type { EventHandlers } from "./emitter.ts";
import type { ConnectOptions } from "./connect_options.ts";
import type { SocketLayer } from "./layer.ts";
import type { Socket } from "./socket.ts";

/** Data for a SYN: bytes, or a count of them. */
export type SynData = Uint8Array | number;

/** What the layer needs of the driver beyond what every application has. */
export interface SocketRuntime extends AppRuntime {
  /** Opens a port: the listener, or a negative `ERRNO`. */
  openListener(node: number, local: number, port: number, backlog: number, app: number): number;
  /** Closes a listening port. */
  closeListener(node: number, listener: number): void;
  /** Opens a connection from a given port (0: an ephemeral one), with Fast Open if there is data for the SYN. */
  connectFrom(
    node: number,
    local: number,
    localPort: number,
    remote: number,
    remotePort: number,
    app: number,
    synData?: SynData,
  ): number;
  /** The first address of a node that is of the family of `remote`; 0 if it has none. */
  sourceFor(node: number, remote: number): number;
  /** The id of an address as text; throws `AddressError`. */
  addressId(text: string): number;
  /** An address id as text. */
  addressText(id: number): string;
  /** A handler threw: the run ends after this event, and `run()` throws it. */
  handlerThrew(error: unknown): void;
  /** What opens a layer's connections to names. */
  openerFor(layer: SocketLayer): SocketOpener;
  /** Nodes by their names. */
  readonly nodes: { nameOf(node: number): string };
}

/** Codes of the layer's own events. */
export const SOCKET_TIMER = { CALL: 0, FILE_FREE: 1, ACCEPT_DONE: 2, NEXT_ATTEMPT: 3 } as const;

/** Opens the connections of sockets whose address is yet to be found out, or is one of several. */
export interface SocketOpener {
  /** Opens a connection to a name. Throws `RangeError`. */
  connect(node: number, options: ConnectOptions): Socket;
  /** An event of a connection that no socket has. */
  onTcp(kind: number, connection: number, argument: number): void;
  /** An event of `SOCKET_TIMER.NEXT_ATTEMPT`. */
  onTimer(argument: number): void;
}

/** An application of a module, for the layer that opens its sockets. */
export interface LayerUser {
  /** Its name. */
  readonly name: string;
  /** What is called for events of its sockets, listeners and UDP sockets. */
  readonly handlers: { socket?: EventHandlers; listener?: EventHandlers; udp?: EventHandlers };
  /** A socket begins: it gets its number. */
  opened(socket: Socket): void;
  /** A socket is over. */
  over(socket: Socket): void;
  /** A timer of a node's has gone off. */
  timer(node: number, data: PlainValue): void;
}
