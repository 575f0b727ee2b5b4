/**
 * A two-level bitmap of taken ports: the next free one at or after any place is found without scanning the ports.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";

/** Bits taken out of `size` (1 to 65,536): 8 KB and 252 bytes for a full range of ports. */
export class PortBitmap {
  /** Bits that may be taken. */
  declare readonly size: number;
  /** Bits taken. */
  used = 0;
  /** A bit for each port; bits past `size` are set. */
  readonly #taken: Int32Array = new Int32Array(0);
  /** A bit for each word of `#taken` that is full; bits past the last word are set. */
  readonly #full: Int32Array = new Int32Array(0);

  /** All bits free. */
  constructor(size: number) {
    this.size = size;
    const words = (size + 31) >>> 5;
    this.#taken = new Int32Array(words);
    this.#full = new Int32Array((words + 31) >>> 5);
    if (size & 31) this.#taken[words - 1] = -1 << (size & 31);
    if (words & 31) this.#full[this.#full.length - 1] = -1 << (words & 31);
  }

  /** Bytes reserved. */
  get bytes(): number {
    return this.#taken.byteLength + this.#full.byteLength;
  }

  /** Whether a bit is taken. */
  has(bit: number): boolean {
    return (this.#taken[bit >>> 5] >>> (bit & 31) & 1) !== 0;
  }

  /** Takes a bit; no effect if it is taken. */
  take(bit: number): void {
    const at = bit >>> 5;
    const old = this.#taken[at];
    const word = old | (1 << (bit & 31));
    if (word === old) return;
    this.#taken[at] = word;
    this.used++;
    if (word === -1) this.#full[at >>> 5] |= 1 << (at & 31);
  }

  /** Frees a bit; no effect if it is free. */
  free(bit: number): void {
    const at = bit >>> 5;
    const old = this.#taken[at];
    const word = old & ~(1 << (bit & 31));
    if (word === old) return;
    this.#taken[at] = word;
    this.used--;
    this.#full[at >>> 5] &= ~(1 << (at & 31));
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.used = v.number(this.used);
    v.inPlace(this.#taken);
    v.inPlace(this.#full);
  }

  /** The first free bit at or after `start`, going around; -1 if all are taken. */
  nextFree(start: number): number {
    if (this.used === this.size) return -1;
    const at = start >>> 5;
    const here = ~this.#taken[at] & (-1 << (start & 31));
    if (here !== 0) return (at << 5) + lowestBit(here);
    let word = this.#nextOpenWord(at + 1);
    if (word < 0) word = this.#nextOpenWord(0);
    return (word << 5) + lowestBit(~this.#taken[word]);
  }

  /** The first free bit at or after `start` within `low` … `low + count - 1`, going around; -1 if all are taken. */
  nextFreeWithin(low: number, count: number, start: number): number {
    if (this.used === this.size) return -1;
    const end = low + count;
    const found = this.#firstFree(start);
    if (found >= 0 && found < end) return found;
    const again = this.#firstFree(low);
    return again >= 0 && again < start ? again : -1;
  }

  /** The first free bit at or after `start`; -1 if there is none up to the end. */
  #firstFree(start: number): number {
    const at = start >>> 5;
    const here = ~this.#taken[at] & (-1 << (start & 31));
    if (here !== 0) return (at << 5) + lowestBit(here);
    const word = this.#nextOpenWord(at + 1);
    return word < 0 ? -1 : (word << 5) + lowestBit(~this.#taken[word]);
  }

  /** The first word with a free bit at or after word `from`; -1 if there is none. */
  #nextOpenWord(from: number): number {
    const full = this.#full;
    let at = from >>> 5;
    if (at >= full.length) return -1;
    let open = ~full[at] & (-1 << (from & 31));
    while (open === 0) {
      if (++at === full.length) return -1;
      open = ~full[at];
    }
    return (at << 5) + lowestBit(open);
  }
}

/** The number of the lowest bit set in a word that is not 0. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Shows a list of bitmaps, with gaps, to a snapshot. */
export function visitBitmaps(v: StateVisitor, bitmaps: (PortBitmap | undefined)[]): void {
  const sizes = v.plain(Array.from(bitmaps, (bitmap) => bitmap?.size ?? 0));
  if (v.restoring) bitmaps.length = 0;
  for (const [i, size] of sizes.entries()) {
    if (v.restoring) bitmaps[i] = size === 0 ? undefined : new PortBitmap(size);
    bitmaps[i]?.visitState(v);
  }
}
