/**
 * Who a segment is for: the four-tuples of every host of a partition in one hash table, and the listeners. An
 * address does not identify a host, so the host is part of every key (DESIGN section 3).
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import { rowMask } from "../base/row_mask.ts";
import type { RowPool } from "../store/rows.ts";
import * as TUPLE_TABLE from "../store/tuple_table.ts";
import { TupleTable } from "../store/tuple_table.ts";
import { KeyTable } from "./key_table.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { hashTuple, probeStart } = TUPLE_TABLE;

/** Word offsets of the key, the same in every kind of row that a {@linkcode Demux} knows. */
export const TUPLE = {
  /** Local address id. */
  LOCAL: 0,
  /** Remote address id. */
  REMOTE: 1,
  /** Local port << 16 | remote port. */
  PORTS: 2,
  /** The host's row number. */
  HOST: 3,
} as const;

const { LOCAL, REMOTE, PORTS, HOST } = TUPLE;
/** The bits of a row's offset: rows are of 4 words at least. */
const MASK = rowMask(4);

/** The second word of a listener key under which the listeners on particular addresses are counted. */
const ANY_PARTICULAR = -1;

/** The same of one family. */
const PARTICULAR_IPV4 = -2;
const PARTICULAR_IPV6 = -3;

/** Address ids that stand for every address of a family (0.0.0.0, and :: of a socket with IPV6_V6ONLY). */
export interface AnyOfFamily {
  ipv4: number;
  ipv6: number;
  isIpv6(address: number): boolean;
}

/** The kinds of row that a value in the table can name: `value = row << 2 | kind`. */
export const TUPLE_KIND = {
  /** A full connection, or a connected UDP socket. */
  CONNECTION: 0,
  /** A connection in TIME-WAIT. */
  TIME_WAIT: 1,
  /** A connection in SYN-RECEIVED. */
  SYN_RECEIVED: 2,
} as const;

/** Somebody who follows what enters and leaves the table: the port allocator. */
export interface TupleWatch {
  /** The watch is told of no tuple while this is 0. */
  watching: number;
  /** A tuple has entered. */
  onInsert(host: number, local: number, remote: number, ports: number, value: number): void;
  /** A tuple has left. */
  onRemove(host: number, local: number, remote: number, ports: number, value: number): void;
  /** A port of the host has gained (+1) or lost (-1) a listener. Told always. */
  onListen(host: number, port: number, change: 1 | -1): void;
}

/** Options of {@linkcode Demux}. */
export interface DemuxOptions {
  /** The pools of the rows of kind 0, 1 and 2; each begins with the words of {@linkcode TUPLE}. */
  pools: readonly RowPool[];
  /** Tuples to reserve room for. Default 1,024. */
  capacity?: number;
}

/**
 * The four-tuples and the listeners of one protocol in one partition. Values are `row << 2 | kind`, never 0
 * (row 0 is never given out). A tuple is in the table once: insert only what `find` does not find.
 *
 * @example
 * ```ts
 * import { Demux } from "./demux.ts";
 * import { RowPool } from "../store/rows.ts";
 * const pool = new RowPool({ strideWords: 4 });
 * const demux = new Demux({ pools: [pool] });
 * const row = pool.allocate();
 * const [host, local, remote, ports] = [1, 256, 512, (40000 << 16) | 80];
 * pool.words.set([local, remote, ports, host], row * 4);
 * demux.insert(host, local, remote, ports, row << 2);
 * console.log(demux.find(host, local, remote, ports) >>> 2 === row); // true
 * ```
 */
export class Demux {
  /** The hash table. */
  declare readonly table: TupleTable;
  /** Told of listeners, and of every insertion and removal while its `watching` is not 0. */
  watch: TupleWatch | null = null;
  /** Without it there are no listeners on all addresses of one family. */
  anyOfFamily: AnyOfFamily | null = null;
  readonly #pool0: RowPool;
  readonly #pool1: RowPool;
  readonly #pool2: RowPool;
  readonly #listeners: KeyTable;
  /** Listeners on every address of a family. */
  #wide = 0;

  /** Reserves the table. */
  constructor(options: DemuxOptions) {
    this.table = new TupleTable({ capacity: options.capacity ?? 1024 });
    this.#pool0 = options.pools[0];
    this.#pool1 = options.pools[1] ?? this.#pool0;
    this.#pool2 = options.pools[2] ?? this.#pool0;
    this.#listeners = new KeyTable();
  }

  /** For snapshots. The pools are their owner's to save. */
  visitState(v: StateVisitor): void {
    this.table.visitState(v);
    this.#listeners.visitState(v);
    this.#wide = v.number(this.#wide);
  }

  /** Tuples in the table. */
  get size(): number {
    return this.table.size;
  }

  /** The pool of the rows of a kind (0 to 2). */
  poolOf(kind: number): RowPool {
    return kind === 0 ? this.#pool0 : kind === 1 ? this.#pool1 : this.#pool2;
  }

  /** The value stored for a tuple, 0 for none. `ports` is local port << 16 | remote port. */
  find(host: number, local: number, remote: number, ports: number): number {
    return this.findHashed(hashTuple(host, local, remote, ports), host, local, remote, ports);
  }

  /** As `find`, where the hash (`hashTuple(host, local, remote, ports)`) is known already. */
  findHashed(hash: number, host: number, local: number, remote: number, ports: number): number {
    const entries = this.table.entries;
    const mask = this.table.mask;
    for (let slot = probeStart(hash, mask);; slot = (slot + 2) & mask) {
      const value = entries[slot + 1];
      if (value === 0) return 0;
      if (entries[slot] !== hash) continue;
      const kind = value & 3;
      const pool = kind === 0 ? this.#pool0 : kind === 1 ? this.#pool1 : this.#pool2;
      const words = pool.words;
      const at = Math.imul(value >>> 2, pool.strideWords) & MASK;
      if (
        words[at + PORTS] === ports && words[at + REMOTE] === remote && words[at + LOCAL] === local &&
        words[at + HOST] === host
      ) return value;
    }
  }

  /** Stores a tuple that is not in the table. The row's own key words are the caller's to fill in. */
  insert(host: number, local: number, remote: number, ports: number, value: number): void {
    this.table.insert(hashTuple(host, local, remote, ports), value);
    const watch = this.watch;
    if (watch !== null && watch.watching !== 0) watch.onInsert(host, local, remote, ports, value);
  }

  /** Removes a tuple that is in the table with this value. */
  remove(host: number, local: number, remote: number, ports: number, value: number): void {
    this.table.remove(hashTuple(host, local, remote, ports), value);
    const watch = this.watch;
    if (watch !== null && watch.watching !== 0) watch.onRemove(host, local, remote, ports, value);
  }

  /** Puts another row in a tuple's place: SYN-RECEIVED becomes a connection, a connection becomes TIME-WAIT. */
  replace(host: number, local: number, remote: number, ports: number, oldValue: number, newValue: number): void {
    this.table.replace(hashTuple(host, local, remote, ports), oldValue, newValue);
    const watch = this.watch;
    if (watch !== null && watch.watching !== 0) {
      watch.onInsert(host, local, remote, ports, newValue);
      watch.onRemove(host, local, remote, ports, oldValue);
    }
  }

  /** Bytes of the tables of four-tuples and of listeners. */
  get bytes(): number {
    return this.table.entries.byteLength + this.#listeners.bytes;
  }

  /** Room for so many listeners in all. */
  reserveListeners(count: number): void {
    this.#listeners.reserve(count);
  }

  /**
   * Makes `listener` (i32, not 0) the listener of a port on one address, on every address of the host if `local` is 0,
   * or on every one of a family (`anyOfFamily`). Returns 0, or `-ERRNO.EADDRINUSE` if the address has a listener there, or (as on Linux) if one of the two
   * covers the other's address; `overlap` true allows the latter (what BSD's SO_REUSEADDR allows): the listener on
   * the particular address is preferred then.
   */
  addListener(host: number, local: number, port: number, listener: number, overlap = false): number {
    const listeners = this.#listeners;
    if (listeners.get(host, local, port) !== 0) return -ERRNO.EADDRINUSE;
    if (!overlap && this.#covered(host, local, port)) return -ERRNO.EADDRINUSE;
    listeners.set(host, local, port, listener);
    this.#countParticular(host, local, port, 1);
    this.watch?.onListen(host, port, 1);
    return 0;
  }

  /**
   * The listener for a segment to (local, port): one on that address first, then one on every address of the family,
   * then one on every address; 0 for none.
   */
  findListener(host: number, local: number, port: number): number {
    const particular = this.#listeners.get(host, local, port);
    if (particular !== 0) return particular;
    const any = this.anyOfFamily;
    const ofFamily = any === null || this.#wide === 0
      ? 0
      : this.#listeners.get(host, any.isIpv6(local) ? any.ipv6 : any.ipv4, port);
    return ofFamily !== 0 ? ofFamily : this.#listeners.get(host, 0, port);
  }

  /** The listener of exactly (local or 0, port); 0 for none. */
  listenerOf(host: number, local: number, port: number): number {
    return this.#listeners.get(host, local, port);
  }

  /** Removes the listener of exactly (local or 0, port), if there is one. */
  removeListener(host: number, local: number, port: number): void {
    if (this.#listeners.get(host, local, port) === 0) return;
    this.#listeners.set(host, local, port, 0);
    this.#countParticular(host, local, port, -1);
    this.watch?.onListen(host, port, -1);
  }

  /** Is there a listener whose address is `local`, or covers it, or is covered by it? (`local` 0 is every address.) */
  listenerOverlaps(host: number, local: number, port: number): boolean {
    return this.#listeners.get(host, local, port) !== 0 || this.#covered(host, local, port);
  }

  /** Does a listener of another address than `local` cover that, or has one that `local` covers? */
  #covered(host: number, local: number, port: number): boolean {
    const listeners = this.#listeners;
    if (local === 0) return listeners.get(host, ANY_PARTICULAR, port) !== 0;
    if (listeners.get(host, 0, port) !== 0) return true;
    const any = this.anyOfFamily;
    if (any === null) return false;
    if (local === any.ipv4) return listeners.get(host, PARTICULAR_IPV4, port) !== 0;
    if (local === any.ipv6) return listeners.get(host, PARTICULAR_IPV6, port) !== 0;
    return listeners.get(host, any.isIpv6(local) ? any.ipv6 : any.ipv4, port) !== 0;
  }

  #countParticular(host: number, local: number, port: number, change: 1 | -1): void {
    if (local === 0) return;
    this.#listeners.add(host, ANY_PARTICULAR, port, change);
    const any = this.anyOfFamily;
    if (any === null) return;
    if (local === any.ipv4 || local === any.ipv6) {
      this.#wide += change;
      return;
    }
    this.#listeners.add(host, any.isIpv6(local) ? PARTICULAR_IPV6 : PARTICULAR_IPV4, port, change);
  }

  /** Entries in the table of listeners. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Is there any listener on the port, on whichever address of the host? */
  hasListener(host: number, port: number): boolean {
    return this.#listeners.get(host, 0, port) !== 0 || this.#listeners.get(host, ANY_PARTICULAR, port) !== 0;
  }
}
