/**
 * One partition of the network: its tables, its clock, its event queue. A serial run has one. Functions over it are
 * in `packet_path.ts` and `deliver.ts` (what nodes do with packets), `drain.ts` (what TCP and applications asked for) and `loop.ts`.
 *
 * @module
 */
import { AddressTable } from "../base/address.ts";
import { ERRNO } from "../base/errors.ts";
import type { UdpRuntime } from "../socket/datagram.ts";
import type { SynData } from "../socket/runtime.ts";
import type { Proxy } from "../app/proxy.ts";
import type { App, WorkKind } from "../app/types.ts";
import { ConnectionStats } from "../app/stats.ts";
import type { WorkloadCounts } from "../app/workload_counts.ts";
import { DatagramStats } from "../app/datagram_stats.ts";
import { DIRECTION, type Links } from "../link/links.ts";
import type { NatTables } from "../nat/tables.ts";
import type { Cpus } from "../node/cpus.ts";
import type { Balancers } from "../node/balancers.ts";
import { NODE, NODE_FLAG, type Nodes } from "../node/nodes.ts";
import type { RouteTables } from "../node/routes.ts";
import { CLOCK } from "../store/clock.ts";
import { EventQueue } from "../store/event_queue.ts";
import { RowPool } from "../store/rows.ts";
import { RefList, TimerWheel } from "../store/timer_wheel.ts";
import * as MOD from "../tcp/mod.ts";
import { closeConnection, closeListener, connectWithData, listen } from "../tcp/mod.ts";
import type { TcpStack } from "../tcp/stack.ts";
import { acceptQueueLength, hostOf, type ListenerUse, listenerUse, remoteOf } from "../socket/rows.ts";
import type { HostTable } from "../transport/hosts.ts";
import type { ProfileTable } from "../transport/profile.ts";
import { UDP_SOCKET, UdpSockets } from "../transport/udp.ts";
import { PACKET, type PacketPool } from "../wire/packet.ts";
import { APP_EVENT, FIRST_APP } from "./app_event.ts";
import { AppTimers } from "./app_timers.ts";
import { CodeConnects } from "./code_connects.ts";
import { cpuCosts, cpuWork } from "./cpu.ts";
import { Conditions } from "./conditions.ts";
import type { Dns } from "./dns_install.ts";
import { DROP_REASONS } from "./drops.ts";
import * as FILES from "./files.ts";
import { freeFile } from "./files.ts";
import { LimitRecords } from "./limits.ts";
import { owns, type Part } from "./part.ts";
import type { Plan } from "./plan.ts";
import type { Spoof } from "./spoofs.ts";
import type { PartitionParts } from "./partition_parts.ts";
import { type PacketPath, packetPath } from "./packet_path.ts";
import { prefetcher } from "./prefetch.ts";
import * as REACHABILITY from "./reachability.ts";
import type { Probes } from "./probes.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { accept, connect } = MOD;
const { lacksFile, takeFile } = FILES;
const { hasRoute } = REACHABILITY;

/**
 * Nanoseconds in a bucket of the event queue. Longer ones let the prefetch keep more loads in flight (16 µs against
 * 4 µs: 4% of `examples/million.yaml`); what links faster than a bucket deliver has to be put among what is sorted already.
 */
export const BUCKET_NS = 16_384;

export { CPU_APP, FINE_TIMER_APP, FIRST_APP, LINK_QUEUE_APP, LOOPBACK_APP, SOCKET_APP } from "./app_event.ts";

/** Sees every delivery: packet row, when, the link's ends and direction (-1: loopback). It must not change anything. */
export type DeliveryTap = (packet: number, timeNs: number, from: number, to: number, direction: number) => void;

const { LINK, LINK_SEQ, STRIDE: PACKET_STRIDE } = PACKET;
const { RANK: DIRECTION_RANK, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { RANK, ADDRESS, SCHEDULED, FLAGS, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { APP: EVENT_APP, CODE: EVENT_CODE, CONNECTION: EVENT_CONNECTION, GENERATION: EVENT_GENERATION } = APP_EVENT;
const { NODE: EVENT_NODE, RANK: EVENT_RANK, SEQUENCE: EVENT_SEQUENCE, ARGUMENT: EVENT_ARGUMENT } = APP_EVENT;
const { MASK: EVENT_MASK, STRIDE: EVENT_STRIDE } = APP_EVENT;
const { DOWN: NODE_DOWN } = NODE_FLAG;

/** The state of a run. */
export class Partition implements UdpRuntime {
  declare readonly packets: PacketPool;
  declare readonly addresses: AddressTable;
  declare readonly nodes: Nodes;
  declare readonly links: Links;
  declare readonly hosts: HostTable;
  declare readonly profiles: ProfileTable;
  declare readonly tcp: TcpStack;
  declare readonly nat: NatTables;
  declare readonly routes: RouteTables;
  /** Seed of the run. */
  declare readonly seed: number;
  /** Proxies, one for each host that is one. */
  readonly proxies: Proxy[] = [];
  /** Balancers, if there are any. */
  balancers: Balancers | undefined = undefined;
  /** `ping` and `traceroute`, once there was one. */
  probes: Probes | undefined = undefined;
  /** What events have done so far. */
  readonly conditions: Conditions = new Conditions();
  /** Indices of workloads among the applications, by name. */
  readonly workloadApps: Map<string, number> = new Map();
  /** What it was built from. */
  plan: Plan | undefined = undefined;
  /** Deliveries (`packet << 1`) and application events (`row << 1 | 1`). */
  declare readonly queue: EventQueue;
  /** What nodes do with packets. */
  declare readonly path: PacketPath;
  /** Timers of TCP, and of NAT. */
  declare readonly tcpWheel: TimerWheel;
  declare readonly natWheel: TimerWheel;
  /** Timers that fire in the current tick. */
  readonly due: RefList = new RefList();
  /** Scheduled application events. */
  declare readonly events: RowPool;
  /** Applications; 0 is none, `SOCKET_APP` the socket layer, `LOOPBACK_APP`, …, from `FIRST_APP` on those of workloads. */
  readonly apps: (App | undefined)[] = new Array(FIRST_APP).fill(undefined);
  /** Processors of hosts that have one told, if there are any. */
  cpus: Cpus | undefined = undefined;
  /** Where floods' made-up addresses come from. */
  readonly spoofs: Spoof[] = [];
  /** The core whose turn it is (`CORE`), 0 for none. */
  servingCore = 0;
  readonly stats: ConnectionStats = new ConnectionStats();
  /** The same by workload, in the order of declaration. */
  readonly workloads: WorkloadCounts[] = [];
  /** Exchanges of UDP workloads. */
  readonly datagrams: DatagramStats = new DatagramStats();
  /** See {@linkcode UdpRuntime}. */
  readonly openerFor: UdpRuntime["openerFor"] = (layer) => new CodeConnects(this, layer);
  /** Servers and resolvers, where there are any. */
  dns: Dns | undefined = undefined;
  readonly limits: LimitRecords = new LimitRecords();
  /** Timers of applications that may be taken back. */
  readonly timers: AppTimers = new AppTimers(this);
  /** Dropped packets by reason (`DROP`). */
  readonly dropped: Float64Array = new Float64Array(DROP_REASONS.length);
  /** Every host's loopback addresses: 127.0.0.1 and ::1. */
  declare readonly loopbackIpv4: number;
  declare readonly loopbackIpv6: number;
  /** Sources of ICMP errors of nodes without an address: RFC 7600's, and one of RFC 9780's prefix. */
  declare readonly dummyIpv4: number;
  declare readonly dummyIpv6: number;
  /** Applications that wait for a file descriptor, by node. */
  readonly starved: Map<number, { app: number; code: number; argument: number }[]> = new Map();
  /** UDP sockets, once there was one. */
  udpSockets: UdpSockets | undefined = undefined;
  /** Listening ports, for the report. */
  readonly listeners: number[] = [];
  /** How those were used that are closed. */
  readonly closedListeners: ListenerUse[] = [];
  taps: DeliveryTap[] = [];
  sendTaps: DeliveryTap[] = [];
  /** Sees every attempt to open a connection: the node, and the connection or a negative `ERRNO`. */
  onOpen: ((node: number, outcome: number) => void) | undefined = undefined;
  /** Sees exchanges over UDP of a node: -1 as one begins, 0 as it is answered, or the `ERRNO` with which it fails. */
  onExchange: ((node: number, outcome: number) => void) | undefined = undefined;
  /** They see packets that go no further: the row, when, the node, and a `DROP`. */
  dropTaps: DeliveryTap[] = [];
  /** They see packets end that were for a gateway or a router itself. */
  endTaps: ((packet: number) => void)[] = [];
  /** They see packets marked, which a link has been given, in the same instant. */
  markTaps: ((packet: number) => void)[] = [];
  /** The part of the network that this thread runs, where others run the rest. */
  part: Part | undefined = undefined;
  /** The clock that the queue, links and cores share (`CLOCK`). */
  declare readonly clock: Float64Array;
  /** Links crossed. */
  hops = 0;
  /** The link direction, as an offset of its row, over which a packet arrived last. */
  arrivedOver = 0;
  /** Packets put on a first link. */
  sent = 0;
  /** Packets that arrived at the host they were for. */
  delivered = 0;
  /** Timers that acted and application events. */
  acted = 0;
  /** A handler of user code threw: the run stops after this event. */
  halted = false;
  /** What handlers threw. */
  readonly thrown: unknown[] = [];

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
    this.seed = parts.seed;
    this.loopbackIpv4 = parts.addresses.intern("127.0.0.1");
    this.loopbackIpv6 = parts.addresses.intern("::1");
    this.dummyIpv4 = parts.addresses.intern("192.0.0.8");
    this.dummyIpv6 = parts.addresses.intern("100:0:0:1::8");
    this.events = new RowPool({ strideWords: EVENT_STRIDE, capacity: 1024 });
    this.clock = parts.clock;
    this.tcpWheel = new TimerWheel({ clock: parts.clock });
    this.natWheel = new TimerWheel({ clock: parts.clock });
    this.queue = new EventQueue({
      compareTies: (a, b) => this.compareTies(a, b),
      clock: parts.clock,
      bucketNs: BUCKET_NS,
      capacity: parts.queueCapacity,
    });
    this.queue.onBucket = prefetcher(this);
    this.path = packetPath(this);
  }

  /** Simulated time, ns. */
  get nowNs(): number {
    return this.clock[CLOCK.NOW];
  }

  /** Makes the cores take over the time. (Deliveries wake only the core that they reach.) */
  syncNow(): void {
    this.tcp.syncNow();
    this.nat.syncNow();
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
    const entity = words[ea + EVENT_RANK] - words[eb + EVENT_RANK];
    return entity !== 0 ? entity : (words[ea + EVENT_SEQUENCE] >>> 0) - (words[eb + EVENT_SEQUENCE] >>> 0);
  }

  /** See {@linkcode UdpRuntime}. */
  schedule(node: number, app: number, atNs: number, code: number, connection: number, argument: number): void {
    const row = this.events.allocate();
    const words = this.events.words;
    const o = (row * EVENT_STRIDE) & EVENT_MASK;
    const nodes = this.nodes.words;
    const at = (node * NODE_STRIDE) & NODE_MASK;
    // (`| 0`: what comes as an argument would be taken for a float.)
    words[o + EVENT_APP] = app | 0;
    words[o + EVENT_CODE] = code | 0;
    words[o + EVENT_CONNECTION] = connection | 0;
    words[o + EVENT_GENERATION] = connection === 0 ? 0 : this.tcp.generation(connection);
    words[o + EVENT_NODE] = node | 0;
    words[o + EVENT_RANK] = nodes[at + RANK];
    words[o + EVENT_SEQUENCE] = nodes[at + SCHEDULED]++;
    words[o + EVENT_ARGUMENT] = argument | 0;
    this.queue.push(atNs, (row << 1) | 1);
  }

  /** See {@linkcode AppRuntime}. */
  arrives(i: number): void {
    this.part?.sightings?.arrives(i);
  }

  /** See {@linkcode AppRuntime}. */
  startTimer(node: number, app: number, atNs: number, code: number, argument: number): number {
    return this.timers.start(node, app, atNs, code, argument);
  }

  /** See {@linkcode AppRuntime}. */
  timerSerial(timer: number): number {
    return this.timers.serialOf(timer);
  }

  /** See {@linkcode AppRuntime}. */
  stopTimer(timer: number): void {
    this.timers.stop(timer);
  }

  /** See {@linkcode UdpRuntime}. */
  connect(node: number, local: number, remote: number, remotePort: number, app: number): number {
    return this.connectFrom(node, local, 0, remote, remotePort, app);
  }

  /** See {@linkcode UdpRuntime}. */
  accept(node: number, listener: number): number {
    if (acceptQueueLength(this.tcp, listener) === 0) return 0;
    if (lacksFile(this, node)) return -ERRNO.EMFILE;
    const c = accept(this.tcp, listener);
    if (c > 0) takeFile(this, node);
    return c;
  }

  /** See {@linkcode UdpRuntime}. */
  costs(node: number, kind: WorkKind): boolean {
    return cpuCosts(this, node, kind);
  }

  /** See {@linkcode UdpRuntime}. */
  work(
    node: number,
    kind: WorkKind,
    count: number,
    app: number,
    code: number,
    connection: number,
    argument: number,
  ): void {
    cpuWork(this, node, kind, count, app, code, connection, argument);
  }

  /** See {@linkcode UdpRuntime}. */
  close(connection: number): void {
    freeFile(this, hostOf(this.tcp, connection));
    closeConnection(this.tcp, connection);
  }

  /** See {@linkcode UdpRuntime}. */
  connectFrom(
    node: number,
    local: number,
    localPort: number,
    remote: number,
    remotePort: number,
    app: number,
    synData?: SynData,
  ): number {
    this.stats.attempted++;
    const opened = this.#open(node, local, localPort, remote, remotePort, app, synData);
    if (opened < 0) this.stats.failed[-opened]++;
    return opened;
  }

  /** See {@linkcode UdpRuntime}. */
  attempt(node: number, remote: number, remotePort: number, app: number, local = 0, localPort = 0): number {
    return this.#open(node, local, localPort, remote, remotePort, app);
  }

  /** See {@linkcode UdpRuntime}. */
  isOverIpv6(connection: number): boolean {
    return this.addresses.isIpv6(remoteOf(this.tcp, connection));
  }

  /** See {@linkcode ProxyRuntime}. */
  connectUncounted(node: number, local: number, remote: number, remotePort: number, app: number): number {
    return this.#begin(node, local, 0, remote, remotePort, app);
  }

  #open(node: number, local: number, from: number, remote: number, port: number, app: number, data?: SynData): number {
    this.stats.attempts[this.addresses.isIpv6(remote) ? 1 : 0]++;
    const c = this.#begin(node, local, from, remote, port, app, data);
    if (c === -ERRNO.EADDRNOTAVAIL && from === 0) this.limits.portsRefused(this, node, remote, port);
    return c;
  }

  #begin(node: number, local: number, from: number, remote: number, port: number, app: number, data?: SynData): number {
    let c = this.#refusesSocket(node);
    if (c === 0) {
      const source = local === 0 ? this.sourceFor(node, remote) : local;
      if (source === 0 || !hasRoute(this, node, remote)) c = -ERRNO.ENETUNREACH;
      else if (data === undefined) c = connect(this.tcp, node, source, from, remote, port, app);
      else c = connectWithData(this.tcp, node, source, from, remote, port, app, data);
    }
    if (c >= 0) takeFile(this, node);
    this.onOpen?.(node, c);
    return c;
  }

  /** See {@linkcode UdpRuntime}. */
  closeListener(node: number, listener: number): void {
    this.closedListeners.push(listenerUse(this.tcp, listener));
    this.listeners.splice(this.listeners.indexOf(listener), 1);
    closeListener(this.tcp, listener);
    freeFile(this, node);
  }

  /** See {@linkcode UdpRuntime}. */
  get udp(): UdpSockets {
    return this.udpSockets ??= new UdpSockets(this);
  }

  /** See {@linkcode UdpRuntime}. */
  openDatagram(node: number, app: number): number {
    const refused = this.#refusesSocket(node);
    if (refused !== 0) return refused;
    takeFile(this, node);
    this.hosts.changeSockets(node, 1);
    return this.udp.open(node, app);
  }

  /** See {@linkcode UdpRuntime}. */
  closeDatagram(socket: number): void {
    freeFile(this, this.#hostOf(socket));
    this.hosts.changeSockets(this.#hostOf(socket), -1);
    this.udp.close(socket);
  }

  /** See {@linkcode UdpRuntime}. */
  bindDatagram(socket: number, local: number, port: number): number {
    const bound = this.udp.bind(socket, local, port);
    if (bound === -ERRNO.EADDRINUSE && port === 0) this.limits.datagramPortsRefused(this, this.#hostOf(socket));
    return bound;
  }

  /** See {@linkcode UdpRuntime}. */
  connectDatagram(socket: number, local: number, remote: number, remotePort: number): number {
    const port = this.udp.connect(socket, local, remote, remotePort);
    if (port === -ERRNO.EAGAIN) this.limits.datagramPortsRefused(this, this.#hostOf(socket));
    return port;
  }

  #hostOf(datagramSocket: number): number {
    return this.udp.rows.words[datagramSocket * UDP_SOCKET.STRIDE + UDP_SOCKET.HOST];
  }

  /** See {@linkcode UdpRuntime}. */
  sourceFor(node: number, remote: number): number {
    // As Linux: to itself a host talks from that very address.
    if (this.isOwn(node, remote)) return remote;
    return this.addressFor(node, this.addresses.isIpv6(remote));
  }

  /** A node's first address of a family, 0 if it has none. */
  addressFor(node: number, ipv6: boolean): number {
    const first = this.addressOf(node);
    if (this.addresses.isIpv6(first) === ipv6) return first;
    const address6 = ipv6 ? this.nodes.address6Of(node) : 0;
    if (address6 !== 0) return address6;
    return this.nodes.extraAddresses.get(node)?.find((address) => this.addresses.isIpv6(address) === ipv6) ?? 0;
  }

  /** Do packets from `node` to this address stay on it: is it one of its own, or a loopback address? */
  isOwn(node: number, address: number): boolean {
    return this.nodes.hasAddress(node, address) || address === this.loopbackIpv4 || address === this.loopbackIpv6;
  }

  /** See {@linkcode AppRuntime}. */
  waitForFile(node: number, app: number, code: number, argument: number): void {
    const waiting = this.starved.get(node);
    if (waiting === undefined) this.starved.set(node, [{ app, code, argument }]);
    else waiting.push({ app, code, argument });
  }

  /** See {@linkcode UdpRuntime}. */
  handlerThrew(error: unknown): void {
    this.thrown.push(error);
    this.halted = true;
  }

  /** See {@linkcode UdpRuntime}. */
  addressId(text: string): number {
    return this.addresses.intern(text);
  }

  /** See {@linkcode UdpRuntime}. */
  addressText(id: number): string {
    return this.addresses.toText(id);
  }

  /** Opens a listening port: the listener, or a negative `ERRNO`. It takes a file descriptor. */
  openListener(node: number, local: number, port: number, backlog: number, app: number): number {
    const refused = this.#refusesSocket(node);
    if (refused !== 0) return refused;
    const listener = listen(this.tcp, node, local, port, { backlog, app });
    if (listener >= 0) {
      takeFile(this, node);
      this.listeners.push(listener);
    }
    return listener;
  }

  /** See {@linkcode UdpRuntime}. */
  owns(node: number): boolean {
    return owns(this, node);
  }

  /** See {@linkcode UdpRuntime}. */
  rankOf(node: number): number {
    return this.nodes.rankOf(node);
  }

  /** See {@linkcode UdpRuntime}. */
  addressOf(node: number): number {
    return this.nodes.words[node * NODE_STRIDE + ADDRESS];
  }

  /** See {@linkcode UdpRuntime}. */
  hasAddress(node: number, address: number): boolean {
    return this.isOwn(node, address);
  }

  /** 0, or why the node may not open one more socket: `-ERRNO.EMFILE` or `-ERRNO.ENOBUFS`. */
  #refusesSocket(node: number): number {
    if ((this.nodes.words[node * NODE_STRIDE + FLAGS] & NODE_DOWN) !== 0) return -ERRNO.ENETDOWN;
    if (lacksFile(this, node)) return -ERRNO.EMFILE;
    const { budgets } = this.hosts;
    const row = budgets === undefined ? 0 : this.hosts.budgetOf(node);
    return row === 0 || budgets!.takesSocket(row) ? 0 : -ERRNO.ENOBUFS;
  }
}
