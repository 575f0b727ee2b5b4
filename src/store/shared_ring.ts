/**
 * A ring of words in shared memory that one thread writes and another one reads: messages of whole words, in order.
 *
 * @module
 */

/** Words before the ring's own: how many were written, how many read. Each has a cache line to itself. */
const HEADER_WORDS = 32;
const WRITTEN = 0;
const READ = 16;

/** Words of a cache line. */
export const LINE_WORDS = 16;

/** Memory of a ring of `words` words, a power of two. */
export function ringBuffer(words: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (HEADER_WORDS + words));
}

/**
 * One end of a ring. A message is written word by word and then handed over, read word by word and then done with:
 * neither side waits for the other unless the ring is full, or empty.
 *
 * @example
 * ```ts
 * import { ringBuffer, SharedRing } from "./shared_ring.ts";
 * const buffer = ringBuffer(1024);
 * const writer = new SharedRing(buffer);
 * const reader = new SharedRing(buffer);
 * writer.put(7);
 * writer.handOver();
 * if (reader.readable() > 0) console.log(reader.take()); // 7
 * reader.done();
 * ```
 */
export class SharedRing {
  /** The words of the ring: of place `at` the one at `at & mask`. */
  declare readonly words: Int32Array;
  /** The same memory as numbers of two words. */
  declare readonly numbers: Float64Array;
  /** One less than the number of words. */
  declare readonly mask: number;
  /** Where the next word goes, or comes from: counted from the beginning, 32 bits, wrapping. */
  declare at: number;
  readonly #header: Int32Array = new Int32Array(0);
  #seen = 0;

  /** An end of the ring in `buffer`: a writer, or a reader. */
  constructor(buffer: SharedArrayBuffer) {
    this.#header = new Int32Array(buffer, 0, HEADER_WORDS);
    this.words = new Int32Array(buffer, 4 * HEADER_WORDS);
    this.numbers = new Float64Array(buffer, 4 * HEADER_WORDS);
    this.mask = this.words.length - 1;
    this.at = 0;
  }

  /** Writer: is there room for `count` words? */
  hasRoom(count: number): boolean {
    const capacity = this.mask + 1;
    if (((this.at - this.#seen) | 0) + count <= capacity) return true;
    this.#seen = Atomics.load(this.#header, READ);
    return ((this.at - this.#seen) | 0) + count <= capacity;
  }

  /** Writer: adds a word, for which there must be room. */
  put(word: number): void {
    this.words[this.at & this.mask] = word;
    this.at = (this.at + 1) | 0;
  }

  /** Writer: adds several words, for which there must be room. */
  putAll(words: Int32Array): void {
    const at = this.at & this.mask;
    const first = Math.min(words.length, this.words.length - at);
    this.words.set(words.subarray(0, first), at);
    this.words.set(words.subarray(first), 0);
    this.at = (this.at + words.length) | 0;
  }

  /** Both: goes on at the next cache line, so that what is no longer than one, and begins there, lies in one piece. */
  align(): void {
    this.at = (this.at + LINE_WORDS - 1) & -LINE_WORDS;
  }

  /** Writer: what was put is the reader's now. */
  handOver(): void {
    Atomics.store(this.#header, WRITTEN, this.at);
  }

  /** Reader: words that can be taken. */
  readable(): number {
    const count = (this.#seen - this.at) | 0;
    if (count > 0) return count;
    this.#seen = Atomics.load(this.#header, WRITTEN);
    return (this.#seen - this.at) | 0;
  }

  /** Reader: the next word, which must be there. */
  take(): number {
    const word = this.words[this.at & this.mask];
    this.at = (this.at + 1) | 0;
    return word;
  }

  /** Reader: the next words, which must be there. */
  takeAll(into: Int32Array): void {
    const at = this.at & this.mask;
    const first = Math.min(into.length, this.words.length - at);
    into.set(this.words.subarray(at, at + first));
    into.set(this.words.subarray(0, into.length - first), first);
    this.at = (this.at + into.length) | 0;
  }

  /** Reader: the places of what was taken are the writer's again. */
  done(): void {
    Atomics.store(this.#header, READ, this.at);
  }
}
