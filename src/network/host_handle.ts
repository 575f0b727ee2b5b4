/**
 * A host in code: where sockets are opened and timers are set.
 *
 * @module
 */
import type { UdpOptions, UdpSocket } from "../socket/datagram.ts";
import type { ConnectOptions } from "../socket/connect_options.ts";
import type { SocketLayer } from "../socket/layer.ts";
import type { Listener, SocketListenOptions } from "../socket/listener.ts";
import type { Socket } from "../socket/socket.ts";
import { SocketError } from "../base/errors.ts";
import { CodeLookups, type LookupDone } from "./code_lookups.ts";
import type { Partition } from "./partition.ts";
import type { ProbeSettings } from "./probe_options.ts";
import { probeSettings, readProbe } from "./probe_plan.ts";
import type { ProbeReport } from "../base/probe_reports.ts";
import { probesOf } from "./probes.ts";

/** A `ping` or `traceroute` that is under way, or over: made by `HostHandle.ping` and `traceroute`. */
export interface Probe {
  /** Which. */
  readonly kind: "ping" | "traceroute";
  /** What it has found so far. */
  outcome(): ProbeReport;
}

/**
 * A host of a simulation: made by `Simulation.host`. Its calls act at the current simulated instant, before `run()`,
 * between two runs and in handlers alike.
 *
 * @example
 * ```ts
 * import { Network } from "../../mod.ts";
 *
 * const network = new Network();
 * network.host("alice", { address: "10.0.0.1/24" });
 * network.host("bob", { address: "10.0.0.2/24" });
 * network.link("alice", "bob", { rateBps: 1e9, delayNs: 5e6 });
 * const simulation = network.build();
 *
 * simulation.host("bob").listen({ port: 7 }, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
 * const socket = simulation.host("alice").connect({ address: "10.0.0.2", port: 7 }, () => socket.end("hello"));
 * socket.on("data", (bytes) => console.log(new TextDecoder().decode(bytes), simulation.nowNs / 1e6, "ms"));
 * simulation.run(); // hello 20.… ms
 * ```
 */
export class HostHandle {
  readonly #partition: Partition;
  readonly #sockets: SocketLayer;
  readonly #node: number;

  /** @internal For `Simulation.host`. */
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

  /** All its addresses, the first one first. */
  get addresses(): string[] {
    return this.#partition.nodes.addressesOf(this.#node).map((id) => this.#partition.addressText(id));
  }

  /**
   * Listens on a port. `onConnection` is called for every connection accepted; without it (and without a listener for
   * `connection`) they wait for `accept()`.
   *
   * Throws `SocketError`: `EADDRINUSE`, `EADDRNOTAVAIL` (not an address of this host), `EMFILE`, `ENOBUFS`;
   * `RangeError` for a wrong port or backlog; `AddressError`.
   */
  listen(options: SocketListenOptions, onConnection?: (socket: Socket) => void): Listener {
    const listener = this.#sockets.listen(this.#node, options);
    if (onConnection !== undefined) listener.on("connection", onConnection);
    return listener;
  }

  /**
   * Connects, to an address or a name. What fails comes as an `error` event of the socket, even at once:
   * `EADDRNOTAVAIL` (no port is left, the four-tuple is taken, or not an address of this host), `EADDRINUSE`
   * (`localPort` is listened on), `EMFILE`, `ENOBUFS`, `ENETUNREACH`; later `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`;
   * for names those of `lookup`. Throws only for what can never be right: `RangeError` for a wrong port or a name that
   * is none, `AddressError`.
   */
  connect(options: ConnectOptions, onConnect?: () => void): Socket {
    const socket = this.#sockets.connect(this.#node, options);
    if (onConnect !== undefined) socket.once("connect", onConnect);
    return socket;
  }

  /**
   * Opens a UDP socket, bound to a port. Throws `SocketError`: `EADDRINUSE` (also when no ephemeral port is left),
   * `EADDRNOTAVAIL`, `EMFILE`, `ENOBUFS`; `RangeError` for a wrong port; `AddressError`.
   */
  udp(options: UdpOptions = {}): UdpSocket {
    return this.#sockets.openDatagram(this.#node, options);
  }

  /**
   * Looks a name up, by the host's resolver: `done` gets its addresses (IPv6 first), or a `SocketError` `EAI_AGAIN` (no
   * server answered, or there is none to ask), `EAI_NONAME`, `EAI_NODATA`. Throws `RangeError` for what is no name.
   */
  lookup(name: string, done: LookupDone): void {
    const s = this.#partition;
    if (s.dns === undefined) {
      const error = new SocketError("EAI_AGAIN", `lookup ${name}: nobody to ask`);
      this.#sockets.call(this.#node, s.nowNs, () => done(error, []));
      return;
    }
    s.dns.code ??= new CodeLookups(s, s.dns, this.#sockets);
    s.dns.code.lookup(this.#node, name, done);
  }

  /**
   * Sends ICMP echo requests to an address, as `ping` does, from now on. `done` is called with the outcome once all are
   * answered or waited for; the object returned tells it at any time. Throws `AddressError`, `RangeError` for numbers
   * that make no sense, `SocketError` `ENETUNREACH` where the host has no address of that family.
   */
  ping(address: string, options: ProbeSettings = {}, done?: (outcome: ProbeReport) => void): Probe {
    return this.#probe("ping", address, options, done);
  }

  /** Finds the routers on the way to an address by echo requests of growing TTL, as `traceroute -I` does; as `ping`. */
  traceroute(address: string, options: ProbeSettings = {}, done?: (outcome: ProbeReport) => void): Probe {
    return this.#probe("traceroute", address, options, done);
  }

  #probe(kind: Probe["kind"], address: string, options: ProbeSettings, done?: (outcome: ProbeReport) => void): Probe {
    const s = this.#partition;
    const node = this.#node;
    const settings = probeSettings(kind, options, s.tcp.profileOf(node).defaultTtl, (key, sentence) => {
      throw new RangeError(`${key}: ${sentence}`);
    });
    const target = s.addresses.intern(address);
    const source = s.sourceFor(node, target);
    if (source === 0) throw this.#sockets.error("ENETUNREACH", `${kind} ${address}`);
    const name = `${kind} ${this.name} ${address}`;
    const probe: Probe = { kind, outcome: () => readProbe(s, index) };
    const index = probesOf(s).begin(
      { name, kind, node, to: address, target, source, settings, startNs: s.nowNs },
      done && (() => done(probe.outcome())),
    );
    return probe;
  }

  /**
   * Calls `action` once, `delayNs` nanoseconds of simulated time from now (a whole number from 0 on, or `RangeError`).
   * Returns a number for `clearTimeout`. Until then the run does not end by itself.
   */
  setTimeout(action: () => void, delayNs: number): number {
    return this.#sockets.call(this.#node, this.#partition.nowNs + delayNs, action);
  }

  /** Takes a timer back. One that has fired already is no error. (The run still waits for its time.) */
  clearTimeout(timer: number): void {
    this.#sockets.cancel(timer);
  }
}
