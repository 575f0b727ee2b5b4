/**
 * UDP for code, in the style of Node's `dgram` and Deno's `listenDatagram`, on simulated time.
 *
 * @module
 */
import { ERRNO, errnoName, SocketError } from "../base/errors.ts";
import { UDP_SOCKET, type UdpSockets } from "../transport/udp.ts";
import { PACKET, type PacketPool } from "../wire/packet.ts";
import type { StateVisitor } from "../base/state.ts";
import { Emitter, type EventHandlers } from "./emitter.ts";
import { checkPort, endpointText } from "./endpoint.ts";
import { payloadOf } from "./payload.ts";
import type { SocketLayer } from "./layer.ts";
import type { SocketRuntime } from "./runtime.ts";
import type { Endpoint } from "./socket.ts";

const { LOCAL, PORTS, STRIDE } = UDP_SOCKET;

/** Options of `HostHandle.udp`. */
export interface UdpOptions {
  /** Local port, 1 to 65,535. Default an ephemeral one. */
  port?: number;
  /** One of the host's addresses. Default any. */
  address?: string;
}

/** Events of a {@linkcode UdpSocket}. */
export type UdpEvents = {
  /** A datagram arrived. Counted bytes come as printable ones. */
  message: [bytes: Uint8Array, from: Endpoint];
  /** An ICMP error answered a connected socket's datagram: `ECONNREFUSED`, `EHOSTUNREACH`. Unheard, the next `send` throws it. */
  error: [error: SocketError];
  /** The socket is closed. The last event. */
  close: [];
};

/** What UDP sockets need of the driver beyond what TCP's do. */
export interface UdpRuntime extends SocketRuntime {
  /** The UDP sockets of the partition. */
  readonly udp: UdpSockets;
  /** The packets of the partition. */
  readonly packets: PacketPool;
  /** A socket of its own for a node and the application: its row, or a negative `ERRNO`. */
  openDatagram(node: number, app: number): number;
  /** Closes it. */
  closeDatagram(socket: number): void;
  /** As `UdpSockets.bind`; where no port is left, the limit is noted. */
  bindDatagram(socket: number, local: number, port: number): number;
  /** As `UdpSockets.connect`; where no port is left, the limit is noted. */
  connectDatagram(socket: number, local: number, remote: number, remotePort: number): number;
}

/**
 * A UDP socket of a host: made by `HostHandle.udp`, bound from the start.
 *
 * @example A question and its answer
 * ```ts
 * import { Network } from "../../mod.ts";
 *
 * const network = new Network();
 * network.host("a", { address: "10.0.0.1/24" });
 * network.host("b", { address: "10.0.0.2/24" });
 * network.link("a", "b", { delayNs: 1e6 });
 * const simulation = network.build();
 * const server = simulation.host("b").udp({ port: 53 });
 * server.on("message", (bytes, from) => server.send(bytes.toReversed(), from));
 * const client = simulation.host("a").udp();
 * client.on("message", (bytes) => console.log(new TextDecoder().decode(bytes))); // "olleh"
 * client.send("hello", { address: "10.0.0.2", port: 53 });
 * simulation.run();
 * ```
 */
export class UdpSocket extends Emitter<UdpEvents> {
  readonly #runtime: UdpRuntime;
  readonly #layer: SocketLayer;
  /** @internal The node that it is on. */
  declare readonly node: number;
  /** Its row, 0 once it is closed. */
  #row: number;
  #remote: Endpoint | undefined;

  /** @internal For the socket layer. */
  constructor(runtime: UdpRuntime, layer: SocketLayer, node: number, row: number, handlers?: EventHandlers) {
    super(handlers);
    this.#runtime = runtime;
    this.#layer = layer;
    this.node = node;
    this.#row = row;
  }

  /** @internal Its row, 0 once it is closed. */
  get row(): number {
    return this.#row;
  }

  /** Its own end; the address is empty while it is bound to all, and after `close`. */
  get local(): Endpoint {
    const words = this.#runtime.udp.rows.words;
    const at = this.#row * STRIDE;
    if (this.#row === 0) return { address: "", port: 0 };
    const local = words[at + LOCAL];
    return { address: local === 0 ? "" : this.#runtime.addressText(local), port: words[at + PORTS] >>> 16 };
  }

  /** Its peer, if it is connected. */
  get remote(): Endpoint | undefined {
    return this.#remote;
  }

  /**
   * From now on only `peer`'s datagrams arrive, `send` needs no destination, and ICMP errors are told. Nothing is sent.
   * Throws `SocketError` `EADDRINUSE`, `ENETUNREACH`, `ENOTCONN` after `close`; `RangeError` for a wrong port.
   */
  connect(peer: Endpoint): this {
    const row = this.#open();
    checkPort(peer.port);
    const remote = this.#runtime.addressId(peer.address);
    this.#check(this.#runtime.udp.connect(row, this.#source(remote), remote, peer.port), "connect", peer);
    this.#remote = { address: peer.address, port: peer.port };
    return this;
  }

  /**
   * Sends one datagram: bytes (text as UTF-8), or with a number so many counted ones. To the connected peer if `to` is
   * left out. Throws `SocketError`: `EMSGSIZE` (more than the MTU carries: datagrams are not fragmented), `ENOTCONN`,
   * `ENETUNREACH`, or an error that ICMP brought and nobody listened for; `RangeError` for a wrong port or count.
   */
  send(data: Uint8Array | string | number, to?: Endpoint): void {
    const row = this.#open();
    const udp = this.#runtime.udp;
    if (typeof data === "number" && !(Number.isSafeInteger(data) && data >= 0)) {
      throw new RangeError(`A count of bytes is a whole number from 0 on, not ${data}.`);
    }
    const bytes = typeof data === "string"
      ? new TextEncoder().encode(data)
      : typeof data === "number"
      ? undefined
      : data.slice();
    const length = typeof data === "number" ? data : bytes!.length;
    if (to === undefined) {
      this.#check(udp.send(row, length, bytes), "send", this.#remote);
      return;
    }
    checkPort(to.port);
    const remote = this.#runtime.addressId(to.address);
    this.#check(udp.sendTo(row, this.#source(remote), remote, to.port, length, bytes), "send", to);
  }

  /** Closes it: its port is free. Datagrams that are on their way still go. */
  close(): void {
    if (this.#row === 0) return;
    this.#layer.closeDatagram(this.#row);
    this.#runtime.closeDatagram(this.#row);
    this.#row = 0;
    this.#layer.later(this, 0);
  }

  /** @internal The end of the instant in which it was closed. */
  called(): void {
    this.emit("close");
  }

  /** @internal For snapshots. */
  visitState(v: StateVisitor): void {
    this.#row = v.number(this.#row);
    const remote = this.#remote === undefined ? [] : [this.#remote.address, this.#remote.port];
    const [address, port] = v.plain(remote);
    if (v.restoring) {
      this.#remote = address === undefined ? undefined : { address: String(address), port: Number(port) };
    }
  }

  /** @internal A datagram for it has arrived. */
  arrived(packet: number): void {
    if (!this.hasListeners("message")) return;
    const { packets, addressText } = this.#runtime;
    const words = packets.rows.words;
    const at = packet * PACKET.STRIDE;
    const from = {
      address: addressText.call(this.#runtime, words[at + PACKET.SRC]),
      port: words[at + PACKET.PORTS] >>> 16,
    };
    this.emit("message", payloadOf(packets, packet), from);
  }

  /** @internal An ICMP error is about it. */
  failed(): void {
    if (!this.hasListeners("error")) return;
    const errno = this.#runtime.udp.takeError(this.#row);
    if (errno < 0) this.emit("error", this.#layer.error(errnoName(errno), this.#about("send", this.#remote)));
  }

  #open(): number {
    if (this.#row === 0) throw new SocketError("ENOTCONN", "the socket is closed");
    return this.#row;
  }

  /** The source address for a destination: the bound one, or the first of its family. */
  #source(remote: number): number {
    const source = this.#runtime.udp.rows.words[this.#row * STRIDE + UDP_SOCKET.BOUND] ||
      this.#runtime.sourceFor(this.node, remote);
    const { addresses } = this.#runtime.tcp;
    if (source === 0 || addresses.isIpv6(source) !== addresses.isIpv6(remote)) this.#check(-ERRNO.ENETUNREACH, "send");
    return source;
  }

  #check(result: number, what: string, to?: Endpoint): void {
    if (result < 0) throw this.#layer.error(errnoName(result), this.#about(what, to));
  }

  #about(what: string, to: Endpoint | undefined): string {
    return to === undefined ? what : `${what} ${endpointText(to.address, to.port)}`;
  }
}
