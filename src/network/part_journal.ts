/**
 * How many connections were open at the same time, over all parts of a network: each part writes down when one opened or
 * closed and at which place of the total order (DESIGN section 4), and the first part puts the journals together after
 * each window of time.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import type { OpenCount, OpenJournal } from "../app/open_journal.ts";
import { EVENT_KIND, type Part } from "./part.ts";
import { sendBytes } from "./part_crossing.ts";
import type { Partition } from "./partition.ts";

/** Kinds fit in so many bits. */
const KINDS = 8;

/** Numbers of an entry: time, round and kind, entity, slot, change. */
const ENTRY = 5;
const TIME = 0;
const ORDER = 1;
const ENTITY = 2;
const SLOT = 3;
const CHANGE = 4;

/** Entries in a piece that is sent. */
const ENTRIES_SENT = 1000;

/** The journal of one part. */
export class PartJournal implements OpenJournal {
  readonly #partition: Partition;
  #entries = new Float64Array(ENTRY * 64);
  #count = 0;

  /** Of `partition`. */
  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** See {@linkcode OpenJournal}. */
  note(slot: number, change: number): void {
    const s = this.#partition;
    const at = this.#count++ * ENTRY;
    if (at === this.#entries.length) this.#entries = lengthened(this.#entries, at * 2);
    const entries = this.#entries;
    entries[at + TIME] = s.nowNs;
    // (Timers come before all that was there at their instant.)
    const { eventKind, eventEntity } = s.part!;
    entries[at + ORDER] = eventKind < EVENT_KIND.DELIVERY ? eventKind : s.queue.round * KINDS + eventKind;
    entries[at + ENTITY] = eventEntity;
    entries[at + SLOT] = slot;
    entries[at + CHANGE] = change;
  }

  /** What was written down since the last time. */
  take(): Float64Array {
    const taken = this.#entries.slice(0, this.#count * ENTRY);
    this.#count = 0;
    return taken;
  }

  /** Sends what was written down in window number `window` to the first part. */
  send(part: Part, window: number): void {
    if (this.#count === 0) return;
    const taken = this.take();
    for (let at = 0; at < taken.length; at += ENTRY * ENTRIES_SENT) {
      const piece = Float64Array.of(window, ...taken.subarray(at, at + ENTRY * ENTRIES_SENT));
      sendBytes(this.#partition, part, 0, new Uint8Array(piece.buffer));
    }
  }
}

/** The counts of all parts together. */
export class JointCounts {
  /** By slot: all connections, then each workload's. */
  declare readonly open: number[];
  declare readonly peakOpen: number[];

  /** Of `slots` counts. */
  constructor(slots: number) {
    this.open = new Array(slots).fill(0);
    this.peakOpen = new Array(slots).fill(0);
  }

  /** Takes in what all parts have written down in one window. */
  add(journals: readonly Float64Array[]): void {
    const filled = journals.filter((journal) => journal.length > 0);
    if (filled.length === 0) return;
    if (filled.length === 1) {
      const [only] = filled;
      for (let at = 0; at < only.length; at += ENTRY) this.#change(only, at);
      return;
    }
    // Each is in order, and an entity acts in one part alone.
    const places = filled.map(() => 0);
    for (;;) {
      let first = -1;
      for (let k = 0; k < filled.length; k++) {
        if (places[k] === filled[k].length) continue;
        if (first < 0 || goesBefore(filled[k], places[k], filled[first], places[first])) first = k;
      }
      if (first < 0) return;
      this.#change(filled[first], places[first]);
      places[first] += ENTRY;
    }
  }

  #change(entries: Float64Array, at: number): void {
    const slot = entries[at + SLOT];
    const open = this.open[slot] += entries[at + CHANGE];
    if (open > this.peakOpen[slot]) this.peakOpen[slot] = open;
  }
}

function goesBefore(a: Float64Array, p: number, b: Float64Array, q: number): boolean {
  for (const field of [TIME, ORDER, ENTITY]) {
    const difference = a[p + field] - b[q + field];
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** The journal of window number `window`, out of pieces that came: a part may be ahead by one. */
export function joinPieces(pieces: Uint8Array[], window: number): Float64Array {
  const numbers: Float64Array[] = [];
  while (pieces.length > 0) {
    const piece = new Float64Array(pieces[0].buffer);
    if (piece[0] > window) break;
    numbers.push(piece.subarray(1));
    pieces.shift();
  }
  const joined = new Float64Array(numbers.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of numbers) {
    joined.set(one, at);
    at += one.length;
  }
  return joined;
}

/** Has the counts of `s` written down: all connections' as 0, workloads' as 1 and so on. */
export function journalOf(s: Partition): PartJournal {
  const journal = new PartJournal(s);
  [s.stats as OpenCount, ...s.workloads].forEach((count, slot) => count.writeDown(journal, slot));
  return journal;
}
