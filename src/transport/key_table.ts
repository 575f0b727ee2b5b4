/**
 * A hash table from three words to one, in a typed array: listeners, bound ports and counts per port, at 16 bytes an
 * entry (23 to 46 with the free slots), so that a million hosts may each have some.
 *
 * @module
 */
import { grown } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";
import { hashTuple } from "../store/tuple_table.ts";

/** Words in an entry: three of key, one of value; value 0 marks a free slot. */
const ENTRY_WORDS = 4;

/** Share of the slots that may be taken. */
const MAXIMUM_LOAD = 0.7;

/**
 * Open addressing with linear probing; deletion shifts back, so that there are no tombstones; grows at 70%.
 * Absent keys read as 0, and storing 0 removes. The order of entries is never exposed.
 */
export class KeyTable {
  #entries: Int32Array = new Int32Array(0);
  #mask = 0;
  #size = 0;

  /** Room for `capacity` entries without growing. */
  constructor(capacity = 16) {
    const slots = slotsFor(capacity);
    this.#entries = new Int32Array(slots * ENTRY_WORDS);
    this.#mask = slots - 1;
  }

  /** Makes room for `capacity` entries in all. */
  reserve(capacity: number): void {
    const slots = slotsFor(capacity);
    if (slots > this.#mask + 1) this.#grow(slots);
  }

  /** Entries held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes reserved. */
  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** The key's value, 0 if it has none. */
  get(a: number, b: number, c: number): number {
    return this.#entries[this.#slotOf(a, b, c) * ENTRY_WORDS + 3];
  }

  /** Stores a value (i32); 0 removes the key. */
  set(a: number, b: number, c: number, value: number): void {
    const slot = this.#slotOf(a, b, c);
    const at = slot * ENTRY_WORDS;
    const entries = this.#entries;
    if (value === 0) {
      if (entries[at + 3] !== 0) this.#removeAt(slot);
    } else if (entries[at + 3] !== 0) {
      entries[at + 3] = value;
    } else {
      entries[at] = a;
      entries[at + 1] = b;
      entries[at + 2] = c;
      entries[at + 3] = value;
      if (++this.#size > (this.#mask + 1) * MAXIMUM_LOAD) this.#grow((this.#mask + 1) * 2);
    }
  }

  /** Adds to a key's value and returns the sum; a sum of 0 removes the key. */
  add(a: number, b: number, c: number, delta: number): number {
    const at = this.#slotOf(a, b, c) * ENTRY_WORDS + 3;
    const sum = (this.#entries[at] + delta) | 0;
    if (this.#entries[at] !== 0 && sum !== 0) this.#entries[at] = sum;
    else this.set(a, b, c, sum);
    return sum;
  }

  /** Removes the entries whose first word `isOne`. Cold: looks at all. */
  removeWhere(isOne: (a: number) => boolean): void {
    const old = this.#entries;
    this.#entries = grown(old.byteLength, () => new Int32Array(old.length));
    this.#size = 0;
    for (let at = 0; at < old.length; at += ENTRY_WORDS) {
      if (old[at + 3] !== 0 && !isOne(old[at])) this.set(old[at], old[at + 1], old[at + 2], old[at + 3]);
    }
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#size = v.number(this.#size);
    this.#entries = v.column(this.#entries);
    this.#mask = this.#entries.length / ENTRY_WORDS - 1;
  }

  /** The slot that holds the key, or the free one where it would go. */
  #slotOf(a: number, b: number, c: number): number {
    const entries = this.#entries;
    const mask = this.#mask;
    let slot = hashTuple(a, b, 0, c) & mask;
    for (;;) {
      const at = slot * ENTRY_WORDS;
      if (entries[at + 3] === 0 || (entries[at] === a && entries[at + 1] === b && entries[at + 2] === c)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #removeAt(slot: number): void {
    const entries = this.#entries;
    const mask = this.#mask;
    let hole = slot;
    for (let probe = (slot + 1) & mask;; probe = (probe + 1) & mask) {
      const at = probe * ENTRY_WORDS;
      if (entries[at + 3] === 0) break;
      const home = hashTuple(entries[at], entries[at + 1], 0, entries[at + 2]) & mask;
      // The entry may move back to the hole unless its home lies cyclically after the hole.
      if (((probe - home) & mask) >= ((probe - hole) & mask)) {
        entries.copyWithin(hole * ENTRY_WORDS, at, at + ENTRY_WORDS);
        hole = probe;
      }
    }
    entries.fill(0, hole * ENTRY_WORDS, hole * ENTRY_WORDS + ENTRY_WORDS);
    this.#size--;
  }

  #grow(slots: number): void {
    const old = this.#entries;
    this.#entries = grown(slots * ENTRY_WORDS * 4, () => new Int32Array(slots * ENTRY_WORDS));
    this.#mask = slots - 1;
    for (let at = 0; at < old.length; at += ENTRY_WORDS) {
      if (old[at + 3] === 0) continue;
      const slot = this.#slotOf(old[at], old[at + 1], old[at + 2]);
      this.#entries.set(old.subarray(at, at + ENTRY_WORDS), slot * ENTRY_WORDS);
    }
  }
}

/** Bytes of a table that holds `count` entries. */
export function keyTableBytes(count: number): number {
  return slotsFor(count) * ENTRY_WORDS * 4;
}

/** The slots (a power of two) that hold `count` entries below the load limit. */
function slotsFor(count: number): number {
  let slots = 16;
  while (slots * MAXIMUM_LOAD < count) slots *= 2;
  return slots;
}
