/**
 * Which ports of a range are free, as bits under a summary, so that the next free one is found in a few steps
 * however full the range is.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";

/** Every port of the range. */
export const ANY_PARITY: number = -1;
/** Ports at even distances from the range's lowest. */
export const EVEN: number = 0x55555555;
/** Ports at odd distances from the range's lowest. */
export const ODD: number = 0xaaaaaaaa | 0;

/**
 * A set of free offsets from 0 to `size - 1` (at most 65,536): up to 2,048 words of bits, and for each parity a
 * summary of up to 64 words in which a bit says that a word has a free offset of that parity. Empty at first.
 */
export class PortBitmap {
  /** Offsets, free or taken. */
  declare readonly size: number;
  /** Free offsets. */
  freeCount = 0;
  readonly #words: Int32Array = new Int32Array(0);
  readonly #even: Int32Array = new Int32Array(0);
  readonly #odd: Int32Array = new Int32Array(0);

  /** All taken. */
  constructor(size: number) {
    this.size = size;
    const words = (size + 31) >>> 5;
    this.#words = new Int32Array(words);
    this.#even = new Int32Array((words + 31) >>> 5);
    this.#odd = new Int32Array((words + 31) >>> 5);
  }

  /** Is the offset free? */
  isFree(offset: number): boolean {
    return (this.#words[offset >>> 5] >>> (offset & 31) & 1) === 1;
  }

  /** Marks an offset as free or taken; it may be so already. */
  mark(offset: number, free: boolean): void {
    if (this.isFree(offset) === free) return;
    const word = offset >>> 5;
    const bits = this.#words[word] ^= 1 << (offset & 31);
    this.freeCount += free ? 1 : -1;
    const summary = offset & 1 ? this.#odd : this.#even;
    const bit = 1 << (word & 31);
    if ((bits & (offset & 1 ? ODD : EVEN)) !== 0) summary[word >>> 5] |= bit;
    else summary[word >>> 5] &= ~bit;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.freeCount = v.number(this.freeCount);
    v.inPlace(this.#words);
    v.inPlace(this.#even);
    v.inPlace(this.#odd);
  }

  /** The first free offset at or after `from` (0 to size - 1) of a parity (`ANY_PARITY`, `EVEN`, `ODD`); -1 for none. */
  next(from: number, parity: number): number {
    let word = from >>> 5;
    const bits = this.#words[word] & parity & (-1 << (from & 31));
    if (bits !== 0) return (word << 5) + lowestBit(bits);
    word++;
    let mask = -1 << (word & 31);
    for (let block = word >>> 5; block < this.#even.length; block++, mask = -1) {
      const even = parity === ODD ? 0 : this.#even[block];
      const odd = parity === EVEN ? 0 : this.#odd[block];
      const found = (even | odd) & mask;
      if (found === 0) continue;
      word = (block << 5) + lowestBit(found);
      return (word << 5) + lowestBit(this.#words[word] & parity);
    }
    return -1;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
