/**
 * Which ports a host has in use, and for what: what connect and bind must respect. The plain answer comes from the
 * four-tuple table; a crowded destination gets a bitmap that follows the table, so that a nearly full or exhausted
 * range costs no scan.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import { type Demux, TUPLE, TUPLE_KIND, type TupleWatch } from "./demux.ts";
import { HOST, type HostTable } from "./hosts.ts";
import { KeyTable } from "./key_table.ts";
import { PortBitmap } from "./port_bitmap.ts";

const { CROWDED, HELD, STRIDE } = HOST;
const { TIME_WAIT } = TUPLE_KIND;

/** When a port counts as taken. */
export const PORT_SCOPE = {
  /** It has the four-tuple, or the port is bound or listened on (connect, as on Linux). */
  TUPLE: 0,
  /** The host uses it for anything at all (host-wide allocation). */
  HOST: 1,
  /** A bind to (local address or 0, port) would be refused. */
  BIND: 2,
} as const;

/** The second word of a key under which the binds to particular addresses are counted. */
const ANY_PARTICULAR = -1;

/** Added to the port in a key: counts TIME-WAIT rows instead of the others. */
const WAITING = 1 << 16;

/** A tuple's port is counted for its local address, and for all of the host's. */
export const KEYS_A_TUPLE = 2;

/** Binds answered by looking through the whole four-tuple table before the use of every port is counted instead. */
const SEARCHES_BEFORE_COUNTING = 8;

/** A range of ports towards one destination, of which many are taken. */
export interface CrowdedRange {
  /** A value of {@linkcode PORT_SCOPE}. */
  readonly scope: number;
  /** The host's row number. */
  readonly host: number;
  /** Local address id; 0 if the scope is the host. */
  readonly local: number;
  /** Remote address id; 0 unless the scope is the tuple. */
  readonly remote: number;
  /** Remote port; 0 unless the scope is the tuple. */
  readonly remotePort: number;
  /** Lowest port. */
  readonly low: number;
  /** Bits by offset from the lowest port. */
  readonly bitmap: PortBitmap;
  /** The range is dropped when fewer are taken. */
  readonly keepAbove: number;
  /** The host's next crowded range, 0 for none. */
  next: number;
}

/** Options of {@linkcode PortUse}. */
export interface PortUseOptions {
  /** The partition's hosts. */
  hosts: HostTable;
  /** The partition's four-tuples of one protocol; its `watch` is taken. No listener may have been added yet. */
  demux: Demux;
}

/** The ports in use by the hosts of a partition, for one protocol. */
export class PortUse implements TupleWatch {
  /** Crowded ranges, plus one while every port is counted. */
  watching = 0;
  /** May the tuple of a TIME-WAIT row be used again (RFC 6191)? It changes with time alone. */
  isReusable: (row: number) => boolean = () => false;
  readonly #hosts: HostTable;
  readonly #demux: Demux;
  /** Explicit binds: (host, address or 0, port) to 1, (host, ANY_PARTICULAR, port) to their count. */
  readonly #bound = new KeyTable();
  /** Tuples per (host, address, port) and (host, 0, port), TIME-WAIT apart; null until somebody needs it. */
  #counts: KeyTable | null = null;
  #searches = 0;
  /** Entries that `#counts` will have, as far as is known. */
  #expected = 0;
  #ranges: (CrowdedRange | undefined)[] = [undefined];
  #freeRanges: number[] = [];

  /** Attaches to the four-tuple table. */
  constructor(options: PortUseOptions) {
    if (options.demux.listenerCount > 0 || options.demux.watch !== null) {
      throw new Error("Port use must be attached to a four-tuple table once, and before its first listener.");
    }
    this.#hosts = options.hosts;
    this.#demux = options.demux;
    options.demux.watch = this;
  }

  /** Bytes of what it keeps of all ports. */
  get bytes(): number {
    return this.#bound.bytes + (this.#counts?.bytes ?? 0);
  }

  /** There will be so many tuples: room for their counts, should somebody need them. */
  expect(tuples: number): void {
    this.#expected = KEYS_A_TUPLE * tuples;
    this.#counts?.reserve(this.#expected);
  }

  /** Crowded ranges kept now. */
  get crowdedRanges(): number {
    return this.#ranges.length - 1 - this.#freeRanges.length;
  }

  /** Is the port explicitly bound or listened on, on whichever address of the host? */
  isHeld(host: number, port: number): boolean {
    return this.#hosts.words[host * STRIDE + HELD] !== 0 && (
      this.#bound.get(host, 0, port) !== 0 || this.#bound.get(host, ANY_PARTICULAR, port) !== 0 ||
      this.#demux.hasListener(host, port)
    );
  }

  /**
   * Is the port taken in the sense of a {@linkcode PORT_SCOPE}? The plain answer, without bitmaps. With `reuses`, a
   * tuple in TIME-WAIT that `isReusable` is free for the tuple's scope.
   */
  isTaken(
    scope: number,
    host: number,
    local: number,
    remote: number,
    remotePort: number,
    port: number,
    reuses = false,
  ): boolean {
    if (scope === PORT_SCOPE.BIND) return this.checkBind(host, local, port, false) !== 0;
    if (this.isHeld(host, port)) return true;
    if (scope === PORT_SCOPE.TUPLE) {
      const value = this.#demux.find(host, local, remote, port << 16 | remotePort);
      if (value === 0) return false;
      return !(reuses && (value & 3) === TIME_WAIT && this.isReusable(value >>> 2));
    }
    this.countPorts();
    return this.#counts!.get(host, 0, port) !== 0 || this.#counts!.get(host, 0, port | WAITING) !== 0;
  }

  /**
   * Would a bind to (local or 0 for every address, port 1 to 65,535) be allowed? 0, or `-ERRNO.EADDRINUSE` if an
   * overlapping address has the port bound, listened on, or used by a connection. `reuseAddress` (SO_REUSEADDR)
   * overlooks connections in TIME-WAIT, nothing else.
   */
  checkBind(host: number, local: number, port: number, reuseAddress: boolean): number {
    if (this.#hosts.words[host * STRIDE + HELD] !== 0) {
      const bound = this.#bound;
      if (
        bound.get(host, local, port) !== 0 || bound.get(host, local === 0 ? ANY_PARTICULAR : 0, port) !== 0 ||
        this.#demux.listenerOverlaps(host, local, port)
      ) return -ERRNO.EADDRINUSE;
    }
    return this.#connectionsUse(host, local, port, reuseAddress) ? -ERRNO.EADDRINUSE : 0;
  }

  /**
   * Binds a socket to (local or 0, port): `checkBind`, and the port is held until `unbindPort`. Connections of that
   * socket are then made from the port without asking for an ephemeral one.
   */
  bindPort(host: number, local: number, port: number, reuseAddress = false): number {
    const refused = this.checkBind(host, local, port, reuseAddress);
    if (refused !== 0) return refused;
    this.#bound.set(host, local, port, 1);
    if (local !== 0) this.#bound.add(host, ANY_PARTICULAR, port, 1);
    this.onListen(host, port, 1);
    return 0;
  }

  /** Undoes `bindPort`: the socket is closed. */
  unbindPort(host: number, local: number, port: number): void {
    if (this.#bound.get(host, local, port) === 0) return;
    this.#bound.set(host, local, port, 0);
    if (local !== 0) this.#bound.add(host, ANY_PARTICULAR, port, -1);
    this.onListen(host, port, -1);
  }

  /** From now on counts the tuples of every port of every host: one pass over the table, then kept up to date. */
  countPorts(): void {
    if (this.#counts !== null) return;
    this.#counts = new KeyTable(Math.max(this.#demux.size * KEYS_A_TUPLE, this.#expected));
    this.watching++;
    const entries = this.#demux.table.entries;
    for (let at = 1; at < entries.length; at += 2) {
      const value = entries[at];
      if (value === 0) continue;
      const pool = this.#demux.poolOf(value & 3);
      const row = (value >>> 2) * pool.strideWords;
      this.#count(pool.words[row + TUPLE.HOST], pool.words[row + TUPLE.LOCAL], pool.words[row + TUPLE.PORTS], value, 1);
    }
  }

  /** A tuple has entered: counted, and asked about again in the host's crowded ranges. */
  onInsert(host: number, local: number, remote: number, ports: number, value: number): void {
    if (this.#counts !== null) this.#count(host, local, ports, value, 1);
    if (this.#hosts.words[host * STRIDE + CROWDED] !== 0) this.#refresh(host, local, remote, ports);
  }

  /** A tuple has left. */
  onRemove(host: number, local: number, remote: number, ports: number, value: number): void {
    if (this.#counts !== null) this.#count(host, local, ports, value, -1);
    if (this.#hosts.words[host * STRIDE + CROWDED] !== 0) this.#refresh(host, local, remote, ports);
  }

  /** A listener or a bind has come (+1) or gone (-1). */
  onListen(host: number, port: number, change: 1 | -1): void {
    this.#hosts.words[host * STRIDE + HELD] += change;
    if (this.#hosts.words[host * STRIDE + CROWDED] !== 0) this.#refresh(host, 0, 0, port << 16);
  }

  /** The crowded range of exactly these words, if one is kept. */
  findCrowded(
    scope: number,
    host: number,
    local: number,
    remote: number,
    remotePort: number,
    low: number,
    size: number,
  ): CrowdedRange | undefined {
    let id = this.#hosts.words[host * STRIDE + CROWDED];
    while (id !== 0) {
      const range = this.#ranges[id]!;
      if (
        range.remote === remote && range.remotePort === remotePort && range.local === local && range.scope === scope &&
        range.low === low && range.bitmap.size === size
      ) return range;
      id = range.next;
    }
    return undefined;
  }

  /** Makes the crowded range of these words by asking about each of its ports, and keeps it up to date from now on. */
  addCrowded(
    scope: number,
    host: number,
    local: number,
    remote: number,
    remotePort: number,
    low: number,
    size: number,
  ): CrowdedRange {
    const bitmap = new PortBitmap(size);
    for (let offset = 0; offset < size; offset++) {
      if (!this.isTaken(scope, host, local, remote, remotePort, low + offset)) bitmap.mark(offset, true);
    }
    const at = host * STRIDE + CROWDED;
    const next = this.#hosts.words[at];
    const keepAbove = (size - bitmap.freeCount) / 2;
    const range = { scope, host, local, remote, remotePort, low, bitmap, keepAbove, next };
    const id = this.#freeRanges.pop() ?? this.#ranges.length;
    this.#ranges[id] = range;
    this.#hosts.words[at] = id;
    this.watching++;
    return range;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.watching = v.number(this.watching);
    this.#searches = v.number(this.#searches);
    this.#freeRanges = v.plain(this.#freeRanges);
    this.#bound.visitState(v);
    const counted = v.plain(this.#counts !== null);
    if (v.restoring) this.#counts = counted ? new KeyTable() : null;
    this.#counts?.visitState(v);
    const length = v.number(this.#ranges.length);
    if (v.restoring) this.#ranges = new Array(length).fill(undefined);
    const free = new Set(this.#freeRanges);
    for (let id = 1; id < length; id++) if (!free.has(id)) this.#ranges[id] = visitRange(v, this.#ranges[id]);
  }

  /** Asks again about one port in the host's crowded ranges that the event may concern; remote 0: in all of them. */
  #refresh(host: number, local: number, remote: number, ports: number): void {
    const port = ports >>> 16;
    let before = 0;
    let id = this.#hosts.words[host * STRIDE + CROWDED];
    while (id !== 0) {
      const range = this.#ranges[id]!;
      const next = range.next;
      const offset = port - range.low;
      const concerned = remote === 0 || range.scope !== PORT_SCOPE.TUPLE ||
        (range.remote === remote && range.remotePort === (ports & 0xffff) && range.local === local);
      if (concerned && offset >= 0 && offset < range.bitmap.size) {
        const taken = this.isTaken(range.scope, host, range.local, range.remote, range.remotePort, port);
        range.bitmap.mark(offset, !taken);
        if (range.bitmap.size - range.bitmap.freeCount < range.keepAbove) {
          this.#drop(id, before, next);
          id = before;
        }
      }
      before = id;
      id = next;
    }
  }

  #drop(id: number, before: number, next: number): void {
    if (before === 0) this.#hosts.words[this.#ranges[id]!.host * STRIDE + CROWDED] = next;
    else this.#ranges[before]!.next = next;
    this.#ranges[id] = undefined;
    this.#freeRanges.push(id);
    this.watching--;
  }

  /** Does a connection of the host use the port on the address (0: on any), TIME-WAIT perhaps overlooked? */
  #connectionsUse(host: number, local: number, port: number, overlookWaiting: boolean): boolean {
    if (this.#demux.size === 0) return false;
    if (this.#counts === null && ++this.#searches > SEARCHES_BEFORE_COUNTING) this.countPorts();
    if (this.#counts === null) return this.#searchConnections(host, local, port, overlookWaiting);
    return this.#counts.get(host, local, port) !== 0 ||
      (!overlookWaiting && this.#counts.get(host, local, port | WAITING) !== 0);
  }

  #searchConnections(host: number, local: number, port: number, overlookWaiting: boolean): boolean {
    const entries = this.#demux.table.entries;
    for (let at = 1; at < entries.length; at += 2) {
      const value = entries[at];
      if (value === 0 || (overlookWaiting && (value & 3) === TIME_WAIT)) continue;
      const pool = this.#demux.poolOf(value & 3);
      const row = (value >>> 2) * pool.strideWords;
      if (pool.words[row + TUPLE.PORTS] >>> 16 !== port || pool.words[row + TUPLE.HOST] !== host) continue;
      if (local === 0 || pool.words[row + TUPLE.LOCAL] === local) return true;
    }
    return false;
  }

  #count(host: number, local: number, ports: number, value: number, change: number): void {
    const key = (value & 3) === TIME_WAIT ? ports >>> 16 | WAITING : ports >>> 16;
    this.#counts!.add(host, 0, key, change);
    if (local !== 0) this.#counts!.add(host, local, key, change);
  }
}

function visitRange(v: StateVisitor, range: CrowdedRange | undefined): CrowdedRange {
  const { bitmap, ...words } = range ?? { bitmap: undefined };
  const kept = v.plain(words) as Omit<CrowdedRange, "bitmap">;
  const size = v.number(bitmap?.size ?? 0);
  const bits = v.restoring ? new PortBitmap(size) : bitmap!;
  bits.visitState(v);
  return range ?? { ...kept, bitmap: bits };
}
