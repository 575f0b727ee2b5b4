import { finalise32, mix32 } from "../../src/base/hash.ts";
import { RowPool } from "../../src/store/rows.ts";
import { Demux, TUPLE, TUPLE_KIND } from "../../src/transport/demux.ts";
import { HOST, HostTable } from "../../src/transport/hosts.ts";
import { PortAllocator } from "../../src/transport/ports.ts";
import { makeProfile, type PortAllocation, type Profile } from "../../src/transport/profile.ts";

/** A connection of a {@linkcode PortWorld}. */
export interface Connection {
  host: number;
  local: number;
  remote: number;
  ports: number;
  value: number;
}

/** Hosts, four-tuples and an allocator, without a TCP on top: connections are made and let go of by hand. */
export class PortWorld {
  readonly hosts: HostTable;
  readonly demux: Demux;
  readonly ports: PortAllocator;

  constructor(options: { seed?: number; bitmaps?: boolean; hosts?: number; idShift?: number; capacity?: number } = {}) {
    this.hosts = new HostTable({ seed: options.seed ?? 1 });
    for (let host = 0; host < (options.hosts ?? 4); host++) this.hosts.addHost(host, { name: `host-${host}` });
    const pools = [0, 1].map(() => new RowPool({ strideWords: 4, capacity: options.capacity }));
    this.demux = new Demux({ pools, capacity: options.capacity });
    const shift = options.idShift ?? 0;
    this.ports = new PortAllocator({
      seed: options.seed ?? 1,
      hosts: this.hosts,
      addresses: { word: (id: number) => finalise32(mix32(7, id - shift)) },
      demux: this.demux,
      bitmaps: options.bitmaps,
    });
  }

  /** Makes a connection from an ephemeral port, or returns the negative error number. */
  connect(profile: Profile, host: number, local: number, remote: number, remotePort: number): Connection | number {
    const port = this.ports.allocate(host, profile, local, remote, remotePort);
    return port < 0 ? port : this.insert(host, local, remote, port << 16 | remotePort);
  }

  insert(host: number, local: number, remote: number, ports: number, kind: number = TUPLE_KIND.CONNECTION): Connection {
    const value = makeTupleRow(this.demux, kind, host, local, remote, ports);
    this.demux.insert(host, local, remote, ports, value);
    return { host, local, remote, ports, value };
  }

  /** The connection's place is taken by a TIME-WAIT row. */
  wait(connection: Connection): void {
    const { host, local, remote, ports, value } = connection;
    if ((value & 3) === TUPLE_KIND.TIME_WAIT) return;
    const waiting = makeTupleRow(this.demux, TUPLE_KIND.TIME_WAIT, host, local, remote, ports);
    this.demux.replace(host, local, remote, ports, value, waiting);
    this.demux.poolOf(0).release(value >>> 2);
    connection.value = waiting;
  }

  release(connection: Connection): void {
    const { host, local, remote, ports, value } = connection;
    this.demux.remove(host, local, remote, ports, value);
    this.demux.poolOf(value & 3).release(value >>> 2);
  }

  /** The host's row without what only speeds things up. */
  counters(host: number): number[] {
    const row = [...this.hosts.words.subarray(host * HOST.STRIDE, (host + 1) * HOST.STRIDE)];
    row[HOST.CROWDED] = 0;
    return row;
  }
}

/** A profile with a range of `size` ports from `low`. */
export function rangeProfile(portAllocation: PortAllocation, low: number, size: number, changes = {}): Profile {
  return makeProfile({ ephemeralPortLow: low, ephemeralPortHigh: low + size - 1, portAllocation, ...changes });
}

/** A row of a kind with its tuple; returns its reference, not yet in the table. */
export function makeTupleRow(
  demux: Demux,
  kind: number,
  host: number,
  local: number,
  remote: number,
  ports: number,
): number {
  const pool = demux.poolOf(kind);
  const row = pool.allocate();
  const at = row * pool.strideWords;
  pool.words[at + TUPLE.LOCAL] = local;
  pool.words[at + TUPLE.REMOTE] = remote;
  pool.words[at + TUPLE.PORTS] = ports;
  pool.words[at + TUPLE.HOST] = host;
  return row << 2 | kind;
}
