/**
 * The four-tuple table: open addressing over 8-byte entries (DESIGN section 8.5). The key is not in the table: the
 * caller verifies it in the row that it needs next anyway.
 *
 * A hot caller probes without a call or a closure:
 *
 * ```ts ignore
 * const entries = table.entries, mask = table.mask; // read again after any insert
 * for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
 *   const value = entries[at + 1];
 *   if (value === 0) break; // not in the table
 *   if (entries[at] === hash && rowHasKey(value)) return value;
 * }
 * ```
 *
 * @module
 */
import * as HASH from "../base/hash.ts";
import type { StateVisitor } from "../base/state.ts";
import { grown } from "../base/growth.ts";
import { alignedWords } from "./rows.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { finalise32 } = HASH;

/** (A constant of this module is inlined without a check, an imported binding is not.) */
const finalise = finalise32;

/** Most of the slots that may be taken before the table doubles. */
const MAXIMUM_LOAD = 0.7;

/** Bits of the larger port that are not mixed. */
const IN_BLOCK = 3;

/**
 * Hash of a four-tuple as one host sees it: any i32 words; `ports` is local << 16 | remote. All bits are well mixed, the
 * low ones choose the slot; but tuples that differ in the last two bits of the larger port alone, the ephemeral one of the
 * two as a rule, are neighbours, in one cache line if nothing displaces them: ports are often given out one after the
 * other. (A million connections through a NAT wait 3% less; of blocks of eight, a full table has too long ones.)
 * Not for anything that a result depends on: ids are not stable between runs.
 */
export function hashTuple(host: number, local: number, remote: number, ports: number): number {
  let h = Math.imul(host ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ local, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13) ^ remote, 0x27d4eb2f);
  const shift = (((ports & 0xffff) - (ports >>> 16)) >> 31) & 16;
  const low = (ports >>> shift) & IN_BLOCK;
  return finalise(h ^ (h >>> 16) ^ ports ^ (low << shift)) ^ low;
}

/** Place in `entries` of the first entry that a key with this hash may have; `mask` is the table's. */
export function probeStart(hash: number, mask: number): number {
  return (hash << 1) & mask;
}

/** Options of {@linkcode TupleTable}. */
export interface TupleTableOptions {
  /** Values to reserve room for. Default 700. Untouched pages cost nothing: reserve the most there may be. */
  capacity?: number;
}

/**
 * A hash table from 32-bit hashes to nonzero i32 values, with linear probing, deletion by backward shift, and
 * doubling at 70% load. Several values may have one hash.
 *
 * @example
 * ```ts
 * import { hashTuple, TupleTable } from "./tuple_table.ts";
 * const table = new TupleTable();
 * const hash = hashTuple(1, 2, 3, (443 << 16) | 50_000);
 * table.insert(hash, 7);
 * for (let at = table.first(hash); at >= 0; at = table.next(at, hash)) console.log(table.entries[at + 1]);
 * ```
 */
export class TupleTable {
  /** Pairs of hash and value; value 0 is an empty slot. Replaced when the table grows. */
  declare entries: Int32Array;
  /** What limits a place in `entries` (always even): the place after `at` is `(at + 2) & mask`. Changes with `entries`. */
  declare mask: number;
  /** Values in the table. */
  size = 0;
  #limit = 0;

  /** An empty table. */
  constructor(options: TupleTableOptions = {}) {
    const slots = slotsFor(options.capacity ?? 700);
    this.entries = alignedWords(slots * 2);
    this.mask = slots * 2 - 2;
    this.#limit = Math.floor(slots * MAXIMUM_LOAD);
  }

  /** Place in `entries` of the first value with this hash; -1 if there is none. */
  first(hash: number): number {
    return this.#seek(probeStart(hash, this.mask), hash);
  }

  /** Place in `entries` of the next value with this hash after the one at `at`; -1 if there is none. */
  next(at: number, hash: number): number {
    return this.#seek((at + 2) & this.mask, hash);
  }

  /** Adds a value (an i32, not 0). Does not look whether it is in the table already. `entries` may be replaced. */
  insert(hash: number, value: number): void {
    if (this.size >= this.#limit) this.#grow((this.mask + 2) * 2);
    this.size++;
    const entries = this.entries;
    const mask = this.mask;
    let at = probeStart(hash, mask);
    while (entries[at + 1] !== 0) at = (at + 2) & mask;
    entries[at] = hash;
    entries[at + 1] = value;
  }

  /** Removes a value that was inserted with this hash; false if it is not in the table. */
  remove(hash: number, value: number): boolean {
    const at = this.#locate(hash, value);
    if (at < 0) return false;
    this.removeAt(at);
    return true;
  }

  /** Puts `newValue` (not 0) in the place of `oldValue`, both of this hash; false if `oldValue` is not in the table. */
  replace(hash: number, oldValue: number, newValue: number): boolean {
    const at = this.#locate(hash, oldValue);
    if (at < 0) return false;
    this.entries[at + 1] = newValue;
    return true;
  }

  /** Removes the value at a place in `entries`, as `first`, `next` or a caller's own probe found it. Others may move. */
  removeAt(at: number): void {
    const entries = this.entries;
    const mask = this.mask;
    this.size--;
    let hole = at;
    for (let from = (at + 2) & mask; entries[from + 1] !== 0; from = (from + 2) & mask) {
      const home = probeStart(entries[from], mask);
      // The entry may fill the hole unless its home lies after the hole, on the way to where it is.
      if (((from - home) & mask) < ((from - hole) & mask)) continue;
      entries[hole] = entries[from];
      entries[hole + 1] = entries[from + 1];
      hole = from;
    }
    entries[hole] = 0;
    entries[hole + 1] = 0;
  }

  /** Makes room for `count` values in all. `entries` may be replaced. */
  reserve(count: number): void {
    const slots = slotsFor(count);
    if (slots * 2 > this.mask + 2) this.#grow(slots * 2);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.size = v.number(this.size);
    this.entries = v.column(this.entries);
    this.mask = this.entries.length - 2;
    this.#limit = Math.floor((this.entries.length / 2) * MAXIMUM_LOAD);
  }

  #seek(start: number, hash: number): number {
    const entries = this.entries;
    const mask = this.mask;
    for (let at = start; entries[at + 1] !== 0; at = (at + 2) & mask) {
      if (entries[at] === hash) return at;
    }
    return -1;
  }

  #locate(hash: number, value: number): number {
    const entries = this.entries;
    const mask = this.mask;
    for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
      const found = entries[at + 1];
      if (found === 0) return -1;
      if (found === value && entries[at] === hash) return at;
    }
  }

  #grow(words: number): void {
    const old = this.entries;
    const entries = grown(words * 4, () => alignedWords(words));
    const mask = words - 2;
    for (let from = 0; from < old.length; from += 2) {
      const value = old[from + 1];
      if (value === 0) continue;
      const hash = old[from];
      let at = probeStart(hash, mask);
      while (entries[at + 1] !== 0) at = (at + 2) & mask;
      entries[at] = hash;
      entries[at + 1] = value;
    }
    this.entries = entries;
    this.mask = mask;
    this.#limit = Math.floor((words / 2) * MAXIMUM_LOAD);
  }
}

/** Bytes of a table that holds `count` values. */
export function tupleTableBytes(count: number): number {
  return slotsFor(count) * 8;
}

/** The slots (a power of two) that hold `count` values below the load limit. */
function slotsFor(count: number): number {
  let slots = 16;
  while (Math.floor(slots * MAXIMUM_LOAD) < count) slots *= 2;
  return slots;
}
