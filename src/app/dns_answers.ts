/**
 * Lists of addresses as caches keep them: in their order, and equal ones once, however many clients hold them.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { RowPool } from "../store/rows.ts";
import { KeyTable } from "../transport/key_table.ts";

/** Word offsets of a list's first row; the rows after it hold addresses from `MORE` on. */
const LIST = { NEXT: 0, REFERENCES: 1, HASH: 2, COUNT: 3, FIRST: 4, MASK: rowMask(8), STRIDE: 8 } as const;

const { NEXT, REFERENCES, HASH, COUNT, FIRST, MASK, STRIDE } = LIST;

/** Where addresses begin in the rows after the first. */
const MORE = 1;
const IN_FIRST = STRIDE - FIRST;
const IN_MORE = STRIDE - MORE;

/** The lists of one partition, by reference: 32 bytes for up to 4 addresses, as many again for 7 more. */
export class DnsAnswers {
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 16 });
  readonly #byContent = new KeyTable();

  /** Lists and parts of lists in use. */
  get inUse(): number {
    return this.#rows.inUse;
  }

  /** Bytes in use, at the most. */
  get bytes(): number {
    return this.#rows.peak * STRIDE * 4 + this.#byContent.bytes;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
    this.#byContent.visitState(v);
  }

  /** The list of these address ids, with one reference more: to be released. */
  intern(addresses: readonly number[]): number {
    let hash = addresses.length;
    for (const address of addresses) hash = Math.imul(hash ^ address, 0x85ebca6b) ^ (hash >>> 15);
    const known = this.#byContent.get(hash, addresses.length, 0);
    if (known !== 0 && this.#equals(known, addresses)) {
      this.#rows.words[known * STRIDE + REFERENCES]++;
      return known;
    }
    const list = this.#make(addresses, hash);
    // Another list of the same hash keeps its place.
    if (known === 0) this.#byContent.set(hash, addresses.length, 0, list);
    return list;
  }

  /** One reference more. */
  retain(list: number): void {
    this.#rows.words[list * STRIDE + REFERENCES]++;
  }

  /** One reference less; without any the list is gone. */
  release(list: number): void {
    const words = this.#rows.words;
    const o = (list * STRIDE) & MASK;
    if (--words[o + REFERENCES] > 0) return;
    const hash = words[o + HASH];
    const count = words[o + COUNT];
    if (this.#byContent.get(hash, count, 0) === list) this.#byContent.set(hash, count, 0, 0);
    for (let row = list; row !== 0;) {
      const next = words[row * STRIDE + NEXT];
      this.#rows.release(row);
      row = next;
    }
  }

  /** Addresses in the list. */
  count(list: number): number {
    return this.#rows.words[list * STRIDE + COUNT];
  }

  /** The `i`-th address id. */
  at(list: number, i: number): number {
    const words = this.#rows.words;
    if (i < IN_FIRST) return words[list * STRIDE + FIRST + i];
    let row = words[list * STRIDE + NEXT];
    for (i -= IN_FIRST; i >= IN_MORE; i -= IN_MORE) row = words[row * STRIDE + NEXT];
    return words[row * STRIDE + MORE + i];
  }

  /** All address ids, in their order. */
  list(list: number): number[] {
    return Array.from({ length: this.count(list) }, (_, i) => this.at(list, i));
  }

  #make(addresses: readonly number[], hash: number): number {
    const list = this.#rows.allocate();
    let row = list;
    let at: number = FIRST;
    for (const address of addresses) {
      if (at === STRIDE) {
        const next = this.#rows.allocate();
        this.#rows.words[row * STRIDE + NEXT] = next;
        row = next;
        at = MORE;
      }
      this.#rows.words[row * STRIDE + at++] = address;
    }
    const words = this.#rows.words;
    words[list * STRIDE + REFERENCES] = 1;
    words[list * STRIDE + HASH] = hash;
    words[list * STRIDE + COUNT] = addresses.length;
    return list;
  }

  #equals(list: number, addresses: readonly number[]): boolean {
    for (let i = 0; i < addresses.length; i++) if (this.at(list, i) !== addresses[i]) return false;
    return this.count(list) === addresses.length;
  }
}
