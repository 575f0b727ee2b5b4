/**
 * What resolvers remember: 16 bytes an entry (23 to 46 with the free slots), so that a million clients may each have a
 * cache. Entries whose time is over are dropped when the table would grow; no timer waits for them.
 *
 * @module
 */
import { grown } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";
import { hashTuple } from "../store/tuple_table.ts";
import type { DnsAnswers } from "./dns_answers.ts";

/** What an entry is about, beside node and name. */
export const DNS_KIND = {
  /**
   * IPv4 addresses: the value is a list of `DnsAnswers`. Where it is known that there are none (RFC 2308's NODATA), it is
   * minus the number of the zone whose SOA came with that.
   */
  A: 0,
  /** IPv6 addresses. */
  AAAA: 1,
  /** An alias: the value is the number of the name that it stands for. */
  CNAME: 2,
  /** The name does not exist (RFC 2308): the value as of addresses that there are none of. */
  NO_NAME: 3,
} as const;

const { A, AAAA } = DNS_KIND;

/** Words of an entry: node (0: a free slot), name * 4 + kind, when it is over (ms), value. */
const ENTRY_WORDS = 4;

/** The caches of all nodes, in one table. */
export class DnsCache {
  /** When the entry that `get` found last is over, ms. */
  expiresMs = 0;
  readonly #answers: DnsAnswers;
  #entries = new Int32Array(16 * ENTRY_WORDS);
  #mask = 15;
  #size = 0;

  /** Empty. It holds references to lists of `answers`. */
  constructor(answers: DnsAnswers) {
    this.#answers = answers;
  }

  /** Entries held, those that are over included. */
  get size(): number {
    return this.#size;
  }

  /** Bytes reserved. */
  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#size = v.number(this.#size);
    this.#entries = v.column(this.#entries);
    this.#mask = this.#entries.length / ENTRY_WORDS - 1;
  }

  /** The value, 0 if there is none that is good at `nowMs`. A list is not retained. */
  get(node: number, name: number, kind: number, nowMs: number): number {
    const at = this.#slotOf(node, name * 4 + kind) * ENTRY_WORDS;
    const entries = this.#entries;
    if (entries[at] === 0 || entries[at + 2] <= nowMs) return 0;
    this.expiresMs = entries[at + 2];
    return entries[at + 3];
  }

  /** Keeps a value until `expiresMs`. Of a list a reference is taken. */
  set(node: number, name: number, kind: number, nowMs: number, expiresMs: number, value: number): void {
    const key = name * 4 + kind;
    if (isList(key, value)) this.#answers.retain(value);
    let at = this.#slotOf(node, key) * ENTRY_WORDS;
    if (this.#entries[at] === 0) {
      if (this.#size + 1 > (this.#mask + 1) * 0.7) {
        this.#sweep(nowMs);
        at = this.#slotOf(node, key) * ENTRY_WORDS;
      }
      this.#size++;
    } else this.#forget(this.#entries, at);
    const entries = this.#entries;
    entries[at] = node;
    entries[at + 1] = key;
    entries[at + 2] = expiresMs;
    entries[at + 3] = value;
  }

  /** Forgets what `count` nodes from `first` on know. */
  forgetNodes(first: number, count: number): void {
    const entries = this.#entries;
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      if (entries[at] >= first && entries[at] < first + count) entries[at + 2] = 0;
    }
  }

  #forget(entries: Int32Array, at: number): void {
    if (isList(entries[at + 1], entries[at + 3])) this.#answers.release(entries[at + 3]);
  }

  /** The slot that holds the key, or the free one where it would go. */
  #slotOf(node: number, key: number): number {
    const entries = this.#entries;
    const mask = this.#mask;
    let slot = hashTuple(node, key, 0, 0) & mask;
    for (;;) {
      const at = slot * ENTRY_WORDS;
      if (entries[at] === 0 || (entries[at] === node && entries[at + 1] === key)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Drops what is over; grows if more than a third of the slots are still taken. */
  #sweep(nowMs: number): void {
    const old = this.#entries;
    let good = 0;
    for (let at = 0; at < old.length; at += ENTRY_WORDS) {
      if (old[at] === 0) continue;
      if (old[at + 2] > nowMs) good++;
      else {
        this.#forget(old, at);
        old[at] = 0;
      }
    }
    const slots = good * 3 > this.#mask + 1 ? (this.#mask + 1) * 2 : this.#mask + 1;
    this.#entries = grown(slots * ENTRY_WORDS * 4, () => new Int32Array(slots * ENTRY_WORDS));
    this.#mask = slots - 1;
    this.#size = good;
    for (let at = 0; at < old.length; at += ENTRY_WORDS) {
      if (old[at] === 0) continue;
      const to = this.#slotOf(old[at], old[at + 1]) * ENTRY_WORDS;
      this.#entries.set(old.subarray(at, at + ENTRY_WORDS), to);
    }
  }
}

/** Does an entry's value refer to a list? */
function isList(key: number, value: number): boolean {
  return ((key & 3) === A || (key & 3) === AAAA) && value > 0;
}
