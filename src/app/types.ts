/**
 * What applications see of the simulation, and what the simulation sees of applications.
 *
 * @module
 */
import type { WorkKind } from "../node/cpus.ts";
import type { StateVisitor } from "../base/state.ts";
import type { TcpStack } from "../tcp/stack.ts";
import type { ConnectionStats } from "./stats.ts";

export { WORK, type WorkKind } from "../node/cpus.ts";

/** An application: a workload's clients, a listening port's service, or the socket layer of user code. */
export interface App {
  /** Datagrams for its sockets are requests: what a processor does for one takes time (`WORK.REQUEST`). */
  readonly serves?: boolean;
  /** It acts at nodes of every part of the network: each thread tells it of all that it has scheduled. */
  readonly everywhere?: boolean;
  /** A TCP event (`TCP_EVENT`) of one of its connections. */
  onTcp(kind: number, connection: number, argument: number): void;
  /** An event that it scheduled, with the code and argument that it gave. */
  onTimer(code: number, connection: number, argument: number): void;
  /** A datagram for one of its UDP sockets, or (`packet` 0) an ICMP error about it. The packet stays the driver's. */
  onDatagram?(socket: number, packet: number): void;
  /** `count` hosts from `first` on restart: what it keeps for them beside connections and sockets is gone. */
  hostsRestarted?(first: number, count: number): void;
  /** A workload: opens nothing more until `resume`. */
  pause?(): void;
  /** Goes on where it was paused. */
  resume?(): void;
  /** A workload: closes the connections that are open. */
  closeAll?(): void;
  /** Bytes of its tables, at the most. Default none. */
  readonly bytes?: number;
  /** Makes room for so many rows of what it has under way, or for as many as it may have. Default: it has none. */
  reserve?(rows: number): void;
  /** Shows its state to a snapshot, if it has any of its own. Throws `InputError` where that cannot be saved. */
  visitState(v: StateVisitor): void;
}

/** What an application may do. The driver implements it. */
export interface AppRuntime {
  /** The TCP of this partition. */
  readonly tcp: TcpStack;
  /** Simulated time, ns. */
  readonly nowNs: number;
  /**
   * Sees exchanges over UDP, and names that cannot be looked up: -1 as an exchange begins, 0 as it is answered, or the
   * `ERRNO` with which it fails.
   */
  onExchange?: (node: number, outcome: number) => void;
  /** Outcome of connections, as their openers see it. */
  readonly stats: ConnectionStats;
  /**
   * Calls `apps[app].onTimer(code, connection, argument)` at `atNs`, unless `connection` (0 for none) has ended by
   * then. `node` is the node that it happens on: its own count numbers the event in the total order.
   */
  schedule(node: number, app: number, atNs: number, code: number, connection: number, argument: number): void;
  /** Arrival number `i` of a workload begins, in an event that all threads see. */
  arrives?(i: number): void;
  /**
   * As `schedule` without a connection, at the first whole millisecond from `atNs` on, and it can be taken back: what is
   * stopped does not keep a run alive. Returns the timer, good until it has acted or is stopped.
   */
  startTimer(node: number, app: number, atNs: number, code: number, argument: number): number;
  /** The node's own count at a timer: a number that it has only once, good for draws. */
  timerSerial(timer: number): number;
  /** Takes a timer back. */
  stopTimer(timer: number): void;
  /** Opens a connection from a node: its handle, or a negative `ERRNO`. Counts the attempt and what limit refused it. */
  connect(node: number, local: number, remote: number, remotePort: number, app: number): number;
  /**
   * The same from an address of the remote one's family (or the one given) and an ephemeral port (or the one given),
   * uncounted: one attempt of several to open a connection.
   */
  attempt(node: number, remote: number, remotePort: number, app: number, local?: number, localPort?: number): number;
  /** Takes a connection from a listener's accept queue: its handle, 0 if there is none, or `-ERRNO.EMFILE`. */
  accept(node: number, listener: number): number;
  /** Calls `apps[app].onTimer(code, 0, argument)` once, when a file descriptor of the node is let go of. */
  waitForFile(node: number, app: number, code: number, argument: number): void;
  /** Does this kind of work take time on a node? */
  costs(node: number, kind: WorkKind): boolean;
  /**
   * Such work, `count` times over, where it `costs`: `apps[app].onTimer(code, connection, argument)` is called when it is
   * done, unless `connection` (0 for none) has ended by then.
   */
  work(
    node: number,
    kind: WorkKind,
    count: number,
    app: number,
    code: number,
    connection: number,
    argument: number,
  ): void;
  /** Lets go of a connection and its file descriptor. */
  close(connection: number): void;
  /** Is a node run here, and not by another thread? */
  owns(node: number): boolean;
  /** Stable rank of a node. */
  rankOf(node: number): number;
  /** First address id of a node. */
  addressOf(node: number): number;
  /** The address that a node talks to a remote one from, 0 if it has none of that family. */
  sourceFor(node: number, remote: number): number;
  /** A node's first address of a family, 0 if it has none. */
  addressFor(node: number, ipv6: boolean): number;
  /** Is the remote end of a connection an IPv6 address? */
  isOverIpv6(connection: number): boolean;
  /** Has the node this address (or is it a loopback address, which every node has)? */
  hasAddress(node: number, address: number): boolean;
}
