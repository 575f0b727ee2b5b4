/**
 * Rows of 32-bit words in one typed array: the shape of every hot table (DESIGN section 3).
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { InputError } from "../base/errors.ts";
import { grown } from "../base/growth.ts";
import { rowMask } from "../base/row_mask.ts";
import { formatCount } from "../base/units.ts";

/** Bytes in a cache line; rows that are multiples of it never straddle two. */
const LINE_BYTES = 64;

/** Words in a cache line, and the bits of the offset of a row of one. */
const LINE_WORDS = LINE_BYTES / 4;
const LINE_MASK = rowMask(LINE_WORDS);

/** Where V8 places the first byte of a large buffer within a page: rows begin at the next line. */
const LARGE_BUFFER_SKEW_BYTES = 16;

/**
 * A zeroed `Int32Array` of `words` words whose first word starts a cache line (for large buffers).
 * Pages never touched cost no resident memory, so reserve the maximum up front.
 */
export function alignedWords(words: number): Int32Array {
  return new Int32Array(new ArrayBuffer(words * 4 + LINE_BYTES), LINE_BYTES - LARGE_BUFFER_SKEW_BYTES, words);
}

/** A copy with room for `length` words, aligned as {@linkcode alignedWords} are. */
export function lengthenedRows(words: Int32Array, length: number): Int32Array {
  const longer = grown(words.byteLength, () => alignedWords(length));
  longer.set(words);
  return longer;
}

/** Options of {@linkcode RowPool}. */
export interface RowPoolOptions {
  /** Words (of 32 bits) in a row; a power of two up to 16 keeps a row within one cache line. */
  strideWords: number;
  /** Rows to reserve at the start, at least 1. Default 1,024. The pool doubles when they run out. */
  capacity?: number;
}

/**
 * A pool of fixed-size rows with a last-in first-out free list, so that a row just freed (and still in the
 * cache) is the next one given out. Row 0 is never given out: 0 can mean "none" in every column.
 *
 * `words` is replaced when the pool grows: read it again after any call that may allocate.
 *
 * @example
 * ```ts
 * import { RowPool } from "./rows.ts";
 * const pool = new RowPool({ strideWords: 4 });
 * const row = pool.allocate();
 * pool.words[row * 4 + 1] = 42;
 * pool.release(row);
 * ```
 */
export class RowPool {
  /** Words in a row. */
  declare readonly strideWords: number;
  /** The rows, `capacity * strideWords` words. */
  declare words: Int32Array;
  /** Rows reserved. */
  declare capacity: number;
  /** Rows in use. */
  inUse = 0;
  /** Most rows ever in use at once. */
  peak = 0;
  #freeHead = 0;
  #fresh = 1;

  /** Reserves the rows. */
  constructor(options: RowPoolOptions) {
    this.strideWords = options.strideWords;
    this.capacity = Math.max(2, options.capacity ?? 1024);
    checkRows(this.capacity, this.strideWords);
    this.words = alignedWords(this.capacity * this.strideWords);
  }

  /** A zeroed row's index, at least 1. */
  allocate(): number {
    const stride = this.strideWords;
    let row = this.#freeHead;
    if (row !== 0) {
      const words = this.words;
      const offset = stride === LINE_WORDS ? (row * LINE_WORDS) & LINE_MASK : row * stride;
      this.#freeHead = words[offset];
      words[offset] = 0;
    } else {
      if (this.#fresh === this.capacity) this.#growTwofold();
      row = this.#fresh++;
    }
    if (++this.inUse > this.peak) this.peak = this.inUse;
    return row;
  }

  /** Gives a row back; its words become zero, and its first word links the free list. */
  release(row: number): void {
    const stride = this.strideWords;
    const words = this.words;
    if (stride === LINE_WORDS) {
      clearLine(words, (row * LINE_WORDS) & LINE_MASK);
      words[(row * LINE_WORDS) & LINE_MASK] = this.#freeHead;
    } else {
      const offset = row * stride;
      words[offset] = this.#freeHead;
      for (let i = 1; i < stride; i++) words[offset + i] = 0;
    }
    this.#freeHead = row;
    this.inUse--;
  }

  /**
   * `count` (at least 1) rows at once, linked by their first words in this order; the last one's is 0. Of every row the
   * rest is as {@linkcode RowPool.allocate} leaves it.
   */
  allocateChain(count: number): number {
    while (this.capacity - 1 - this.inUse < count) this.#growTwofold();
    const stride = this.strideWords;
    const words = this.words;
    const first = this.#freeHead !== 0 ? this.#freeHead : this.#fresh;
    let last = 0;
    let row = this.#freeHead;
    for (let i = 0; i < count; i++) {
      if (row === 0) row = this.#fresh++;
      if (last !== 0) words[last * stride] = row;
      last = row;
      row = words[row * stride];
    }
    this.#freeHead = row;
    words[last * stride] = 0;
    this.inUse += count;
    if (this.inUse > this.peak) this.peak = this.inUse;
    return first;
  }

  /**
   * Gives back `count` rows that are linked by their first words, from `first` to `last`, as they are: of a pool whose
   * user writes every other word of a row anew.
   */
  releaseChain(first: number, last: number, count: number): void {
    this.words[last * this.strideWords] = this.#freeHead;
    this.#freeHead = first;
    this.inUse -= count;
  }

  /** Gives back all rows from `end` on. Only of a pool that has had no row given back otherwise. */
  truncate(end: number): void {
    this.words.fill(0, end * this.strideWords, this.#fresh * this.strideWords);
    this.inUse -= this.#fresh - end;
    this.#fresh = end;
  }

  /** Most bytes that were in use at once. */
  get peakBytes(): number {
    return this.peak * this.strideWords * 4;
  }

  /** One past the highest row ever given out. */
  get end(): number {
    return this.#fresh;
  }

  /** Reserves room for at least `rows` rows in all. */
  reserve(rows: number): void {
    if (rows + 1 > this.capacity) this.#grow(rows + 1);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#freeHead = v.number(this.#freeHead);
    this.#fresh = v.number(this.#fresh);
    this.inUse = v.number(this.inUse);
    this.peak = v.number(this.peak);
    this.words = v.column(this.words, this.#fresh * this.strideWords);
    this.capacity = this.words.length / this.strideWords;
  }

  #growTwofold(): void {
    const most = mostRows(this.strideWords);
    this.#grow(this.capacity < most ? Math.min(this.capacity * 2, most) : this.capacity + 1);
  }

  #grow(capacity: number): void {
    checkRows(capacity, this.strideWords);
    this.words = lengthenedRows(this.words, capacity * this.strideWords);
    this.capacity = capacity;
  }
}

/** Zeroes a row of one cache line but for its first word: every packet's end. (A loop takes twice the instructions.) */
function clearLine(words: Int32Array, offset: number): void {
  words[offset + 1] = 0;
  words[offset + 2] = 0;
  words[offset + 3] = 0;
  words[offset + 4] = 0;
  words[offset + 5] = 0;
  words[offset + 6] = 0;
  words[offset + 7] = 0;
  words[offset + 8] = 0;
  words[offset + 9] = 0;
  words[offset + 10] = 0;
  words[offset + 11] = 0;
  words[offset + 12] = 0;
  words[offset + 13] = 0;
  words[offset + 14] = 0;
  words[offset + 15] = 0;
}

/** Most rows that a pool can have, the unused row 0 among them: those whose offsets fit their mask. */
export function mostRows(strideWords: number): number {
  return Math.floor(rowMask(strideWords) / strideWords) + 1;
}

/** @throws {InputError} where there would be more. */
function checkRows(rows: number, strideWords: number): void {
  const most = mostRows(strideWords);
  if (rows <= most) return;
  throw new InputError(
    `A table of ${formatCount(rows)} rows of ${4 * strideWords} bytes is needed, and it can have ${
      formatCount(most)
    }: ` +
      "fewer connections at the same time, or fewer packets under way, would fit.",
  );
}
