/**
 * How many connections were open at the same time, over all parts of a network: each part writes down when one opened or
 * closed and at which place of the total order (DESIGN section 4). After each window of time all parts know how many did
 * in each; where that does not say how many were open at most, the first part gets the journals and puts them together.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import type { OpenCount, OpenJournal } from "../app/open_journal.ts";
import { DIRECTION } from "../link/links.ts";
import type { SharedBarrier } from "../store/shared_barrier.ts";
import { EVENT_KIND, type Part } from "./part.ts";
import { receiveBytes, sendBytes } from "./part_crossing.ts";
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

/** What of each count a part brings to a meeting: how many have opened since the last, and closed. */
const OPENED = 0;
const CLOSED = 1;
const BROUGHT_EACH = 2;

/** How many numbers the journal of so many counts brings to a meeting. */
export function journalNumbers(slots: number): number {
  return slots * BROUGHT_EACH;
}

/** The journal of one part; and what all parts together have open. */
export class PartJournal implements OpenJournal {
  readonly #partition: Partition;
  /** By slot, over all parts: open when they met last; most that were when they met; and most ever (the first part's). */
  readonly #open: Float64Array;
  readonly #mostMet: Float64Array;
  readonly #peak: Float64Array;
  /** What has changed here since the parts met last. */
  readonly #changes: Float64Array;
  #entries = new Float64Array(ENTRY * 64);
  #count = 0;

  /** Of `partition`, which counts in so many `slots`. */
  constructor(partition: Partition, slots: number) {
    this.#partition = partition;
    this.#open = new Float64Array(slots);
    this.#mostMet = new Float64Array(slots);
    this.#peak = new Float64Array(slots);
    this.#changes = new Float64Array(journalNumbers(slots));
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
    const entity = eventKind === EVENT_KIND.DELIVERY ? s.links.words[s.arrivedOver + DIRECTION.RANK] : eventEntity;
    entries[at + ORDER] = eventKind < EVENT_KIND.DELIVERY ? eventKind : s.queue.round * KINDS + eventKind;
    entries[at + ENTITY] = entity;
    entries[at + SLOT] = slot;
    entries[at + CHANGE] = change;
    this.#changes[slot * BROUGHT_EACH + (change > 0 ? OPENED : CLOSED)]++;
  }

  /** Most connections that were open at the same time: as the first part knows when the parts have met. */
  peakOpen(slot: number): number {
    return this.#peak[slot];
  }

  /** Brings what has changed to a meeting, as numbers from number `first` on. */
  bring(barrier: SharedBarrier, first: number): void {
    for (let i = 0; i < this.#changes.length; i++) barrier.bring(first + i, this.#changes[i]);
    this.#changes.fill(0);
  }

  /** After a meeting, to which each part has brought its numbers from number `first` on. */
  settle(barrier: SharedBarrier, part: Part, first: number): void {
    const slots = this.#open.length;
    const changes = new Float64Array(slots);
    let unclear = false;
    for (let slot = 0; slot < slots; slot++) {
      let opened = 0;
      let closed = 0;
      for (let k = 0; k < part.count; k++) {
        opened += barrier.brought(k, first + slot * BROUGHT_EACH + OPENED);
        closed += barrier.brought(k, first + slot * BROUGHT_EACH + CLOSED);
      }
      changes[slot] = opened - closed;
      // (All parts come to the same conclusion: only the first one knows more than what was open when they met.)
      unclear ||= closed > 0 && this.#open[slot] + opened > this.#mostMet[slot];
    }
    if (unclear) this.#putTogether(part);
    this.#count = 0;
    for (let slot = 0; slot < slots; slot++) {
      const open = this.#open[slot] += changes[slot];
      this.#mostMet[slot] = Math.max(this.#mostMet[slot], open);
      this.#peak[slot] = Math.max(this.#peak[slot], open);
    }
  }

  /** Sends what was written down since the parts met last to the first part; or goes through what all parts have. */
  #putTogether(part: Part): void {
    const own = this.#entries.subarray(0, this.#count * ENTRY);
    if (part.index !== 0) return sendBytes(this.#partition, part, 0, new Uint8Array(own.buffer, 0, own.byteLength));
    const journals: Float64Array[] = [own];
    for (let k = 1; k < part.count; k++) {
      journals.push(new Float64Array(receiveBytes(this.#partition, part, k).buffer));
    }
    const open = this.#open.slice();
    eachInOrder(journals, (entries, at) => {
      const slot = entries[at + SLOT];
      open[slot] += entries[at + CHANGE];
      if (open[slot] > this.#peak[slot]) this.#peak[slot] = open[slot];
    });
  }
}

/** Calls `see` for all entries in the total order: each journal is in it, and an entity acts in one part alone. */
function eachInOrder(journals: readonly Float64Array[], see: (entries: Float64Array, at: number) => void): void {
  const filled = journals.filter((journal) => journal.length > 0);
  const places = filled.map(() => 0);
  for (;;) {
    let first = -1;
    for (let k = 0; k < filled.length; k++) {
      if (places[k] === filled[k].length) continue;
      if (first < 0 || goesBefore(filled[k], places[k], filled[first], places[first])) first = k;
    }
    if (first < 0) return;
    see(filled[first], places[first]);
    places[first] += ENTRY;
  }
}

function goesBefore(a: Float64Array, p: number, b: Float64Array, q: number): boolean {
  if (a[p + TIME] !== b[q + TIME]) return a[p + TIME] < b[q + TIME];
  if (a[p + ORDER] !== b[q + ORDER]) return a[p + ORDER] < b[q + ORDER];
  return a[p + ENTITY] < b[q + ENTITY];
}

/** Has the counts of `s` written down: all connections' as 0, workloads' as 1 and so on. */
export function journalOf(s: Partition): PartJournal {
  const counts = [s.stats as OpenCount, ...s.workloads];
  const journal = new PartJournal(s, counts.length);
  counts.forEach((count, slot) => count.writeDown(journal, slot));
  return journal;
}
