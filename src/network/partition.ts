/**
 * One partition of the network: its tables, its clock, its event queue. A serial run has one. Functions over it are
 * in `deliver.ts` (what nodes do with packets), `drain.ts` (what TCP and applications asked for) and `loop.ts`.
 *
 * @module
 */
import { AddressTable } from "../base/address.ts";
import { ERRNO } from "../base/errors.ts";
import type { SocketRuntime } from "../socket/layer.ts";
import type { App } from "../app/types.ts";
import { ConnectionStats } from "../app/stats.ts";
import { DIRECTION, type Links } from "../link/links.ts";
import type { NatTables } from "../nat/tables.ts";
import { NODE, type Nodes } from "../node/nodes.ts";
import type { RouteTables } from "../node/routes.ts";
import { EventQueue } from "../store/event_queue.ts";
import { RowPool } from "../store/rows.ts";
import { RefList, TimerWheel } from "../store/timer_wheel.ts";
import { accept, closeConnection, connect, listen } from "../tcp/mod.ts";
import type { TcpStack } from "../tcp/stack.ts";
import { acceptQueueLength, hostOf } from "../socket/rows.ts";
import type { HostTable } from "../transport/hosts.ts";
import type { ProfileTable } from "../transport/profile.ts";
import { PACKET, type PacketPool } from "../wire/packet.ts";
import { DROP_REASONS } from "./drops.ts";
import { LimitRecords } from "./limits.ts";
import { prefetcher } from "./prefetch.ts";

/** Word offsets of a scheduled application event. */
export const APP_EVENT = {
  APP: 0,
  CODE: 1,
  CONNECTION: 2,
  GENERATION: 3,
  NODE: 4,
  /** The node's rank: the entity of the order key. */
  RANK: 5,
  /** The node's own count of events: the sequence number of the order key. */
  SEQUENCE: 6,
  ARGUMENT: 7,
  /** Words in a row. */
  STRIDE: 8,
} as const;

/** Index of the socket layer among the applications. */
export const SOCKET_APP = 1;

/** Sees every delivery: packet row, when, and the nodes at both ends of the link. It must not change anything. */
export type DeliveryTap = (packet: number, timeNs: number, from: number, to: number) => void;

/** Parts that the builder makes. */
export interface PartitionParts {
  packets: PacketPool;
  addresses: AddressTable;
  nodes: Nodes;
  links: Links;
  hosts: HostTable;
  profiles: ProfileTable;
  tcp: TcpStack;
  nat: NatTables;
  routes: RouteTables;
}

const { LINK, LINK_SEQ, STRIDE: PACKET_STRIDE } = PACKET;
const { RANK: DIRECTION_RANK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { RANK, ADDRESS, SCHEDULED, FILES, POPULATION, STRIDE: NODE_STRIDE } = NODE;
const EVENT_STRIDE = APP_EVENT.STRIDE;

/** The state of a run. */
export class Partition implements SocketRuntime {
  readonly packets: PacketPool;
  readonly addresses: AddressTable;
  readonly nodes: Nodes;
  readonly links: Links;
  readonly hosts: HostTable;
  readonly profiles: ProfileTable;
  readonly tcp: TcpStack;
  readonly nat: NatTables;
  readonly routes: RouteTables;
  /** Deliveries (`packet << 1`) and application events (`row << 1 | 1`). */
  readonly queue: EventQueue;
  /** Timers of TCP, and of NAT. */
  readonly tcpWheel: TimerWheel = new TimerWheel();
  readonly natWheel: TimerWheel = new TimerWheel();
  /** Timers that fire in the current tick. */
  readonly due: RefList = new RefList();
  /** Scheduled application events. */
  readonly events: RowPool;
  /** Applications; 0 is none, `SOCKET_APP` the socket layer. */
  readonly apps: (App | undefined)[] = [undefined, undefined];
  readonly stats: ConnectionStats = new ConnectionStats();
  readonly limits: LimitRecords = new LimitRecords();
  /** Dropped packets by reason (`DROP`). */
  readonly dropped: Float64Array = new Float64Array(DROP_REASONS.length);
  /** Listening ports, for the report. */
  readonly listeners: number[] = [];
  readonly taps: DeliveryTap[] = [];
  /** Empties TCP's outboxes (`drainTcp`, set by the builder). */
  drain: (() => void) | undefined = undefined;
  /** Are TCP's outboxes being emptied? */
  draining = false;
  /** Simulated time, ns. */
  nowNs = 0;
  /** Links crossed. */
  hops = 0;
  /** Packets put on a first link. */
  sent = 0;
  /** Packets that arrived at the host they were for. */
  delivered = 0;
  /** Timers that acted and application events. */
  acted = 0;

  constructor(parts: PartitionParts) {
    this.packets = parts.packets;
    this.addresses = parts.addresses;
    this.nodes = parts.nodes;
    this.links = parts.links;
    this.hosts = parts.hosts;
    this.profiles = parts.profiles;
    this.tcp = parts.tcp;
    this.nat = parts.nat;
    this.routes = parts.routes;
    this.events = new RowPool({ strideWords: EVENT_STRIDE, capacity: 1024 });
    this.queue = new EventQueue({ compareTies: (a, b) => this.compareTies(a, b) });
    this.queue.onBucket = prefetcher(this);
  }

  /** Moves the clock. */
  setNow(ns: number): void {
    if (ns === this.nowNs) return;
    this.nowNs = ns;
    this.tcp.setNow(ns);
    this.nat.setNow(ns);
  }

  /** The order of two events of one time and round: kind, entity, the entity's own number (DESIGN section 4). */
  compareTies(a: number, b: number): number {
    const kind = (a & 1) - (b & 1);
    if (kind !== 0) return kind;
    if ((a & 1) === 0) {
      const rows = this.packets.rows.words;
      const pa = (a >>> 1) * PACKET_STRIDE;
      const pb = (b >>> 1) * PACKET_STRIDE;
      const directions = this.links.words;
      const entity = directions[rows[pa + LINK] * DIRECTION_STRIDE + DIRECTION_RANK] -
        directions[rows[pb + LINK] * DIRECTION_STRIDE + DIRECTION_RANK];
      return entity !== 0 ? entity : (rows[pa + LINK_SEQ] >>> 0) - (rows[pb + LINK_SEQ] >>> 0);
    }
    const words = this.events.words;
    const ea = (a >>> 1) * EVENT_STRIDE;
    const eb = (b >>> 1) * EVENT_STRIDE;
    const entity = words[ea + APP_EVENT.RANK] - words[eb + APP_EVENT.RANK];
    return entity !== 0 ? entity : (words[ea + APP_EVENT.SEQUENCE] >>> 0) - (words[eb + APP_EVENT.SEQUENCE] >>> 0);
  }

  /** See {@linkcode SocketRuntime}. */
  schedule(node: number, app: number, atNs: number, code: number, connection: number, argument: number): void {
    const row = this.events.allocate();
    const words = this.events.words;
    const o = row * EVENT_STRIDE;
    const nodes = this.nodes.words;
    const at = node * NODE_STRIDE;
    words[o + APP_EVENT.APP] = app;
    words[o + APP_EVENT.CODE] = code;
    words[o + APP_EVENT.CONNECTION] = connection;
    words[o + APP_EVENT.GENERATION] = connection === 0 ? 0 : this.tcp.generation(connection);
    words[o + APP_EVENT.NODE] = node;
    words[o + APP_EVENT.RANK] = nodes[at + RANK];
    words[o + APP_EVENT.SEQUENCE] = nodes[at + SCHEDULED]++;
    words[o + APP_EVENT.ARGUMENT] = argument;
    this.queue.push(atNs, (row << 1) | 1);
  }

  /** See {@linkcode SocketRuntime}. */
  connect(node: number, local: number, remote: number, remotePort: number, app: number): number {
    return this.connectFrom(node, local, 0, remote, remotePort, app);
  }

  /** See {@linkcode SocketRuntime}. */
  accept(node: number, listener: number): number {
    if (acceptQueueLength(this.tcp, listener) === 0) return 0;
    if (this.#refusesSocket(node) !== 0) return -ERRNO.EMFILE;
    const c = accept(this.tcp, listener);
    if (c > 0) this.nodes.words[node * NODE_STRIDE + FILES]++;
    return c;
  }

  /** See {@linkcode SocketRuntime}. */
  close(connection: number): void {
    this.nodes.words[hostOf(this.tcp, connection) * NODE_STRIDE + FILES]--;
    closeConnection(this.tcp, connection);
  }

  /** See {@linkcode SocketRuntime}. */
  connectFrom(
    node: number,
    local: number,
    localPort: number,
    remote: number,
    remotePort: number,
    app: number,
  ): number {
    const stats = this.stats;
    stats.attempted++;
    const nodes = this.nodes.words;
    const at = node * NODE_STRIDE;
    let c = this.#refusesSocket(node);
    if (c === 0) {
      c = connect(this.tcp, node, local === 0 ? nodes[at + ADDRESS] : local, localPort, remote, remotePort, app);
      if (c === -ERRNO.EADDRNOTAVAIL && localPort === 0) this.limits.portsRefused(this, node, remote, remotePort);
    }
    if (c < 0) stats.failed[-c]++;
    else nodes[at + FILES]++;
    return c;
  }

  /** See {@linkcode SocketRuntime}. */
  closeFile(node: number): void {
    this.nodes.words[node * NODE_STRIDE + FILES]--;
  }

  /** See {@linkcode SocketRuntime}. */
  flush(): void {
    this.drain?.();
  }

  /** See {@linkcode SocketRuntime}. */
  addressId(text: string): number {
    return this.addresses.intern(text);
  }

  /** See {@linkcode SocketRuntime}. */
  addressText(id: number): string {
    return this.addresses.toText(id);
  }

  /** Opens a listening port: the listener, or a negative `ERRNO`. It takes a file descriptor. */
  openListener(node: number, local: number, port: number, backlog: number, app: number): number {
    const listener = listen(this.tcp, node, local, port, { backlog, app });
    if (listener >= 0) {
      this.nodes.words[node * NODE_STRIDE + FILES]++;
      this.listeners.push(listener);
    }
    return listener;
  }

  /** See {@linkcode SocketRuntime}. */
  rankOf(node: number): number {
    return this.nodes.rankOf(node);
  }

  /** See {@linkcode SocketRuntime}. */
  addressOf(node: number): number {
    return this.nodes.words[node * NODE_STRIDE + ADDRESS];
  }

  /** See {@linkcode SocketRuntime}. */
  hasAddress(node: number, address: number): boolean {
    return this.nodes.hasAddress(node, address);
  }

  /** 0, or why the node may not open one more socket: `-ERRNO.EMFILE` or `-ERRNO.ENOBUFS`. */
  #refusesSocket(node: number): number {
    const at = node * NODE_STRIDE;
    const population = this.nodes.populations[this.nodes.words[at + POPULATION]];
    const files = this.nodes.words[at + FILES];
    if (files >= population.maxFiles) {
      this.limits.refuse("files", population.name, this.nowNs, files, population.maxFiles);
      return -ERRNO.EMFILE;
    }
    if (population.memoryBytes === Infinity) return 0;
    const perSocket = this.profiles.get(this.hosts.profileOf(node)).bytesPerSocket;
    if ((files + 1) * perSocket <= population.memoryBytes) return 0;
    this.limits.refuse("memory", population.name, this.nowNs, files * perSocket, population.memoryBytes);
    return -ERRNO.ENOBUFS;
  }
}
