/**
 * UDP sockets (RFC 768; RFC 1122 section 4.1): bound, connected or both, and datagrams as packet rows. Sans-I/O:
 * what is sent goes into an outbox, what comes in is answered with the socket that it is for.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { lengthened } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";
import type { AddressTable } from "../base/address.ts";
import { ERRNO } from "../base/errors.ts";
import { RowPool } from "../store/rows.ts";
import { CONTROL, EXTRA, PACKET, type PacketPool, PROTOCOL } from "../wire/packet.ts";
import { quotePacket } from "../wire/row_quote.ts";
import { Demux } from "./demux.ts";
import { HOST, HostTable } from "./hosts.ts";
import { PortAllocator } from "./ports.ts";
import type { ProfileTable } from "./profile.ts";

/** Word offsets of a socket's row: 32 bytes. */
export const UDP_SOCKET = {
  /** Local address id; 0 is every address. */
  LOCAL: 0,
  /** Remote address id; 0 if not connected. */
  REMOTE: 1,
  /** Local port << 16 | remote port; 0 while not bound, the low half 0 while not connected. */
  PORTS: 2,
  /** The host's row number. */
  HOST: 3,
  /** Word of the application, not touched here. */
  APP: 4,
  /** Second word of the application. */
  APP_STATE: 5,
  /** Error number that the next call returns (an ICMP error has arrived for a connected socket), 0 for none. */
  ERROR: 6,
  /** The address under which the port is held: `LOCAL` at the time of binding. */
  BOUND: 7,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

const { LOCAL, REMOTE, PORTS, HOST: HOST_AT, APP, ERROR, BOUND, MASK, STRIDE } = UDP_SOCKET;
const { CONTROL: CONTROL_AT, MASK: PACKET_MASK, STRIDE: PACKET_STRIDE } = PACKET;
const { QUOTED_SRC, QUOTED_DST, QUOTED_PORTS, QUOTED_CONTROL, STRIDE: EXTRA_STRIDE } = EXTRA;
const { DONT_FRAGMENT, PROTOCOL_SHIFT, QUOTES, REAL_PAYLOAD } = CONTROL;

/** Bytes of IP and UDP headers, by family. */
const HEADERS_V4 = 28;
const HEADERS_V6 = 48;

/** ICMP type << 8 | code of "port unreachable" (RFC 792, RFC 4443). */
const PORT_UNREACHABLE_V4 = 0x0303;
const PORT_UNREACHABLE_V6 = 0x0104;

/** Sets a host's UDP draws and hashes apart from its TCP ones. */
const UDP_NAME_SALT = 0x5bd1e995;

/** Options of {@linkcode UdpSockets}. */
export interface UdpOptions {
  /** The partition's packets. */
  packets: PacketPool;
  /** The partition's addresses. */
  addresses: AddressTable;
  /** The partition's hosts. */
  hosts: HostTable;
  /** The network's profiles. */
  profiles: ProfileTable;
  /** Seed of the run. */
  seed: number;
  /** Sockets to reserve. Default 1,024. */
  capacity?: number;
}

/**
 * The UDP sockets of a partition. A socket is a row index, at least 1; other results are 0 or more, or `-ERRNO.X`.
 *
 * As on Linux an ephemeral UDP port belongs to one socket of the host whatever its destination: UDP clients run out of
 * ports per host, where TCP clients run out per destination. (SO_REUSEADDR and SO_REUSEPORT are not modelled.)
 *
 * @example
 * ```ts ignore
 * const socket = udp.open(host, app);
 * udp.connect(socket, local, resolver, 53);
 * udp.send(socket, 40); // a packet row in udp.out
 * const receiver = udp.datagramIn(otherHost, packet); // 0: a port unreachable is in udp.out
 * ```
 */
export class UdpSockets {
  /** Packet rows to be sent, `outCount` of them: `PACKET.LINK` is the sending host. The driver takes them and zeroes the count. */
  out: Int32Array = new Int32Array(64);
  /** Packets in `out`. */
  outCount = 0;
  /** The rows of the sockets: `rows.words[socket * UDP_SOCKET.STRIDE + field]`. */
  declare readonly rows: RowPool;
  /** Datagrams that found no socket. */
  refused = 0;
  readonly #packets: PacketPool;
  readonly #addresses: AddressTable;
  readonly #hosts: HostTable;
  readonly #profiles: ProfileTable;
  /** What the port allocator keeps per host, apart from TCP's; rows never used cost no memory. */
  readonly #portHosts: HostTable;
  readonly #demux: Demux;
  readonly #ports: PortAllocator;

  /** Reserves the rows. */
  constructor(options: UdpOptions) {
    const { packets, addresses, hosts, profiles, seed, capacity = 1024 } = options;
    this.#packets = packets;
    this.#addresses = addresses;
    this.#hosts = hosts;
    this.#profiles = profiles;
    this.rows = new RowPool({ strideWords: STRIDE, capacity });
    this.#portHosts = new HostTable({ seed, capacity: hosts.end });
    this.#demux = new Demux({ pools: [this.rows], capacity });
    this.#ports = new PortAllocator({ seed, hosts: this.#portHosts, addresses, demux: this.#demux });
  }

  /** Bytes of rows and of their table, at the most. */
  get bytes(): number {
    return this.rows.peakBytes + this.#demux.bytes + this.#ports.bytes;
  }

  /** Room for so many sockets in all: `rows` of them, and `sockets` in the tables, which are touched all over. */
  reserve(sockets: number, rows: number): void {
    this.rows.reserve(rows);
    this.#demux.table.reserve(sockets);
    this.#demux.reserveListeners(sockets);
    this.#ports.use.expect(sockets);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.outCount = v.number(this.outCount);
    this.out = v.column(this.out, this.outCount);
    this.refused = v.number(this.refused);
    this.rows.visitState(v);
    this.#portHosts.visitState(v);
    this.#demux.visitState(v);
    this.#ports.visitState(v);
  }

  /** A new socket, neither bound nor connected. `app` is a word of the application. */
  open(host: number, app: number): number {
    const socket = this.rows.allocate();
    const at = (socket * STRIDE) & MASK;
    this.rows.words[at + HOST_AT] = host;
    this.rows.words[at + APP] = app;
    return socket;
  }

  /**
   * Binds to (`local` or 0 for every address, `port` or 0 for an ephemeral one) and returns the port.
   * Errors: `EINVAL` if it is bound already or the port is above 65,535; `EADDRINUSE`.
   */
  bind(socket: number, local: number, port: number): number {
    const words = this.rows.words;
    const at = (socket * STRIDE) & MASK;
    if (words[at + PORTS] !== 0 || !(port >= 0 && port <= 65535)) return -ERRNO.EINVAL;
    const host = words[at + HOST_AT];
    this.#prepare(host);
    const profile = this.#profiles.get(this.#hosts.profileOf(host));
    const given = port === 0 ? this.#ports.findBindable(host, profile, local) : port;
    if (given < 0) return given;
    const refused = port === 0 ? 0 : this.#ports.use.checkBind(host, local, port, false);
    if (refused !== 0) return refused;
    this.#demux.addListener(host, local, given, socket);
    words[at + LOCAL] = words[at + BOUND] = local;
    words[at + PORTS] = given << 16;
    return given;
  }

  /**
   * Connects (or connects anew) to (`remote`, `remotePort`) from `local`, the address that the route gives or the one
   * it is bound to, binding to an ephemeral port first if need be. Nothing is sent: from then on only that peer's
   * datagrams and errors arrive. Returns the local port. Errors: `EAGAIN` if no port is left (as Linux says),
   * `EADDRINUSE` if another socket has the four-tuple, `EINVAL` for port 0.
   */
  connect(socket: number, local: number, remote: number, remotePort: number): number {
    if (!(remotePort >= 1 && remotePort <= 65535) || remote === 0) return -ERRNO.EINVAL;
    const at = (socket * STRIDE) & MASK;
    if (this.rows.words[at + PORTS] === 0 && this.bind(socket, 0, 0) < 0) return -ERRNO.EAGAIN;
    const words = this.rows.words;
    const host = words[at + HOST_AT];
    const ports = (words[at + PORTS] & 0xffff0000) | remotePort;
    const holder = this.#demux.find(host, local, remote, ports);
    if (holder !== 0) return holder >>> 2 === socket ? ports >>> 16 : -ERRNO.EADDRINUSE;
    this.disconnect(socket);
    words[at + LOCAL] = local;
    words[at + REMOTE] = remote;
    words[at + PORTS] = ports;
    this.#demux.insert(host, local, remote, ports, socket << 2);
    return ports >>> 16;
  }

  /** Dissolves the connection; the port stays bound. */
  disconnect(socket: number): void {
    const words = this.rows.words;
    const at = (socket * STRIDE) & MASK;
    if (words[at + REMOTE] === 0) return;
    this.#demux.remove(words[at + HOST_AT], words[at + LOCAL], words[at + REMOTE], words[at + PORTS], socket << 2);
    words[at + LOCAL] = words[at + BOUND];
    words[at + REMOTE] = 0;
    words[at + PORTS] &= 0xffff0000;
    words[at + ERROR] = 0;
  }

  /** Closes the socket: its row and its port are free. */
  close(socket: number): void {
    this.disconnect(socket);
    this.suspend(socket);
    this.rows.release(socket);
  }

  /** Takes a bound socket off its port, but keeps it for `resume`: the port is as if it were closed. */
  suspend(socket: number): void {
    const words = this.rows.words;
    const at = (socket * STRIDE) & MASK;
    if (!this.isBound(socket)) return;
    this.#demux.removeListener(words[at + HOST_AT], words[at + BOUND], words[at + PORTS] >>> 16);
  }

  /** Binds a suspended socket to its port again. False where somebody else has it now. */
  resume(socket: number): boolean {
    const words = this.rows.words;
    const at = (socket * STRIDE) & MASK;
    if (this.isBound(socket)) return true;
    const port = words[at + PORTS] >>> 16;
    if (this.#ports.use.checkBind(words[at + HOST_AT], words[at + BOUND], port, false) !== 0) return false;
    return this.#demux.addListener(words[at + HOST_AT], words[at + BOUND], port, socket) === 0;
  }

  /** Has the socket its port, not suspended? */
  isBound(socket: number): boolean {
    const words = this.rows.words;
    const at = (socket * STRIDE) & MASK;
    const port = words[at + PORTS] >>> 16;
    return port !== 0 && this.#demux.listenerOf(words[at + HOST_AT], words[at + BOUND], port) === socket;
  }

  /**
   * The sockets of `count` hosts from `first` on, in an order that does not depend on rows: by host, port, peer and own
   * address. Cold: looks at every row.
   */
  socketsOf(first: number, count: number): number[] {
    const words = this.rows.words;
    const found: number[] = [];
    for (let socket = 1; socket < this.rows.end; socket++) {
      const host = words[socket * STRIDE + HOST_AT];
      if (host !== 0 && host >= first && host < first + count) found.push(socket);
    }
    const address = (socket: number, field: number) => {
      const id = words[socket * STRIDE + field];
      return id === 0 ? 0 : this.#addresses.word(id) >>> 0;
    };
    return found.sort((a, b) =>
      this.#hosts.rankOf(words[a * STRIDE + HOST_AT]) - this.#hosts.rankOf(words[b * STRIDE + HOST_AT]) ||
      (words[a * STRIDE + PORTS] >>> 0) - (words[b * STRIDE + PORTS] >>> 0) ||
      address(a, REMOTE) - address(b, REMOTE) || address(a, LOCAL) - address(b, LOCAL)
    );
  }

  /**
   * Sends `length` bytes (virtual, or those of `bytes`, which is handed over) to the connected peer. Returns the
   * length. Errors: `ENOTCONN`, `EMSGSIZE` (more than the MTU carries: datagrams are not fragmented), or the error
   * that an ICMP packet has brought, once.
   */
  send(socket: number, length: number, bytes?: Uint8Array): number {
    const words = this.rows.words;
    const at = (socket * STRIDE) & MASK;
    if (words[at + REMOTE] === 0) return -ERRNO.ENOTCONN;
    const error = this.takeError(socket);
    if (error !== 0) return error;
    return this.#send(words[at + HOST_AT], words[at + LOCAL], words[at + REMOTE], words[at + PORTS], length, bytes);
  }

  /**
   * As `send`, to a peer named here; `local` is the source address that the route gives (the bound address, if the
   * socket has one, comes first). A socket not bound is bound to an ephemeral port (`EAGAIN` if there is none).
   */
  sendTo(
    socket: number,
    local: number,
    remote: number,
    remotePort: number,
    length: number,
    bytes?: Uint8Array,
  ): number {
    if (!(remotePort >= 1 && remotePort <= 65535) || remote === 0) return -ERRNO.EINVAL;
    const at = (socket * STRIDE) & MASK;
    const error = this.takeError(socket);
    if (error !== 0) return error;
    if (this.rows.words[at + PORTS] === 0 && this.bind(socket, 0, 0) < 0) return -ERRNO.EAGAIN;
    const words = this.rows.words;
    const ports = (words[at + PORTS] & 0xffff0000) | remotePort;
    return this.#send(words[at + HOST_AT], words[at + LOCAL] || local, remote, ports, length, bytes);
  }

  /** The socket's pending error as `-ERRNO.X`, which is forgotten then; 0 for none. */
  takeError(socket: number): number {
    const at = socket * STRIDE + ERROR;
    const error = this.rows.words[at];
    if (error === 0) return 0;
    this.rows.words[at] = 0;
    return -error;
  }

  /** The socket for a datagram to (local, ports >>> 16) from (remote, ports & 0xffff): connected, bound, wildcard; 0: none. */
  lookup(host: number, local: number, remote: number, ports: number): number {
    const connected = this.#demux.find(host, local, remote, ports);
    if (connected !== 0) return connected >>> 2;
    const bound = this.#demux.findListener(host, local, ports >>> 16);
    return bound !== 0 && this.rows.words[bound * STRIDE + REMOTE] === 0 ? bound : 0;
  }

  /**
   * A datagram has reached its host: the socket that it is for, or 0, and then an ICMP port unreachable (RFC 1122
   * 4.1.3.1) is in the outbox. The packet stays the driver's.
   */
  datagramIn(host: number, packet: number): number {
    const words = this.#packets.rows.words;
    const at = (packet * PACKET_STRIDE) & PACKET_MASK;
    const ports = words[at + PACKET.PORTS];
    const socket = this.lookup(
      host,
      words[at + PACKET.DST],
      words[at + PACKET.SRC],
      (ports << 16) | (ports >>> 16),
    );
    if (socket === 0) this.#refuse(host, packet);
    return socket;
  }

  /**
   * An ICMP error that quotes a UDP datagram has reached the host that sent it. If it is for a connected socket and
   * ends the matter (port or protocol unreachable, prohibited), the socket's next call returns it (RFC 1122 4.1.3.3;
   * others are soft, as on Linux). Returns the socket, or 0 if none is concerned.
   */
  icmpErrorIn(host: number, packet: number): number {
    const words = this.#packets.rows.words;
    const at = (packet * PACKET_STRIDE) & PACKET_MASK;
    if ((words[at + CONTROL_AT] & QUOTES) === 0) return 0;
    const quote = words[at + PACKET.EXTRA] * EXTRA_STRIDE;
    const extras = this.#packets.extras.words;
    if (extras[quote + QUOTED_CONTROL] >>> PROTOCOL_SHIFT !== PROTOCOL.UDP) return 0;
    const value = this.#demux.find(
      host,
      extras[quote + QUOTED_SRC],
      extras[quote + QUOTED_DST],
      extras[quote + QUOTED_PORTS],
    );
    if (value === 0) return 0;
    const error = hardError(words[at + CONTROL_AT] >>> PROTOCOL_SHIFT, words[at + PACKET.PORTS] >>> 16);
    if (error === 0) return 0;
    this.rows.words[(value >>> 2) * STRIDE + ERROR] = error;
    return value >>> 2;
  }

  #send(host: number, local: number, remote: number, ports: number, length: number, bytes?: Uint8Array): number {
    const ipv6 = this.#addresses.isIpv6(remote);
    const size = bytes === undefined ? length : bytes.length;
    if (size + (ipv6 ? HEADERS_V6 : HEADERS_V4) > this.#hosts.mtuOf(host)) return -ERRNO.EMSGSIZE;
    const packet = this.#packets.allocate();
    const at = (packet * PACKET_STRIDE) & PACKET_MASK;
    let control = PROTOCOL.UDP << PROTOCOL_SHIFT;
    if (!ipv6) control |= DONT_FRAGMENT;
    if (bytes !== undefined && size > 0) {
      const extra = this.#packets.extraOf(packet);
      this.#packets.extras.words[extra * EXTRA_STRIDE + EXTRA.PAYLOAD] = this.#packets.payloads.put(bytes);
      control |= REAL_PAYLOAD;
    }
    const words = this.#packets.rows.words;
    words[at + PACKET.SRC] = local;
    words[at + PACKET.DST] = remote;
    words[at + PACKET.PORTS] = ports;
    words[at + CONTROL_AT] = control;
    words[at + PACKET.LENGTH] = size;
    this.#emit(host, packet);
    return size;
  }

  /** Answers a datagram that nobody wants. */
  #refuse(host: number, packet: number): void {
    this.refused++;
    const error = this.#packets.allocate();
    const words = this.#packets.rows.words;
    const at = (packet * PACKET_STRIDE) & PACKET_MASK;
    const to = (error * PACKET_STRIDE) & PACKET_MASK;
    const ipv6 = this.#addresses.isIpv6(words[at + PACKET.SRC]);
    words[to + PACKET.SRC] = words[at + PACKET.DST];
    words[to + PACKET.DST] = words[at + PACKET.SRC];
    words[to + PACKET.PORTS] = (ipv6 ? PORT_UNREACHABLE_V6 : PORT_UNREACHABLE_V4) << 16;
    words[to + CONTROL_AT] = (ipv6 ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP) << PROTOCOL_SHIFT;
    quotePacket(this.#packets, error, packet, ipv6);
    this.#emit(host, error);
  }

  #emit(host: number, packet: number): void {
    const words = this.#packets.rows.words;
    const at = (packet * PACKET_STRIDE) & PACKET_MASK;
    words[at + PACKET.WINDOW_TTL_TOS] = this.#profiles.get(this.#hosts.profileOf(host)).defaultTtl << 8;
    words[at + PACKET.LINK] = host;
    if (this.outCount === this.out.length) this.out = lengthened(this.out, this.outCount * 2);
    this.out[this.outCount++] = packet;
  }

  /** Makes the port allocator's row of a host, under a name of its own. */
  #prepare(host: number): void {
    this.#portHosts.ensure(host);
    const words = this.#hosts.words;
    const at = host * HOST.STRIDE;
    this.#portHosts.setNameHash(host, words[at + HOST.NAME_LO] ^ UDP_NAME_SALT, words[at + HOST.NAME_HI]);
  }
}

/** The error number of an ICMP error that ends the matter for a connected socket (as Linux has it), else 0. */
function hardError(protocol: number, typeAndCode: number): number {
  const type = typeAndCode >>> 8;
  const code = typeAndCode & 0xff;
  if (protocol === PROTOCOL.ICMPV6) {
    if (type !== 1) return 0;
    return code === 4 ? ERRNO.ECONNREFUSED : code === 1 || code === 5 || code === 6 ? ERRNO.EHOSTUNREACH : 0;
  }
  if (type !== 3) return 0;
  if (code === 2) return ERRNO.EPROTO;
  if (code === 3) return ERRNO.ECONNREFUSED;
  if (code === 9) return ERRNO.ENETUNREACH;
  return code === 10 || code === 13 ? ERRNO.EHOSTUNREACH : 0;
}
