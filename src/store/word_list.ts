/**
 * A queue of words that grows: messages of whole words, in order, within one thread.
 *
 * @module
 */
import { grown } from "../base/growth.ts";

/** See the module's description. */
export class WordList {
  /** The words: those from `begin` to `end` have been put and not taken. */
  words: Int32Array = new Int32Array(4096);
  /** Where the next word is taken. */
  begin = 0;
  /** Where the next one is put. */
  end = 0;

  /** Are there words to take? */
  get filled(): boolean {
    return this.begin < this.end;
  }

  /** Makes room for `count` words, which may then be put. `words` may be replaced, and places move. */
  reserve(count: number): void {
    if (this.begin === this.end) this.begin = this.end = 0;
    if (this.end + count <= this.words.length) return;
    const kept = this.end - this.begin;
    if (kept + count <= this.words.length / 2) {
      this.words.copyWithin(0, this.begin, this.end);
    } else {
      const pending = this.words.subarray(this.begin, this.end);
      this.words = grown(4 * kept, () => new Int32Array(2 * (kept + count)));
      this.words.set(pending);
    }
    this.begin = 0;
    this.end = kept;
  }

  /** Adds a word, for which there must be room. */
  put(word: number): void {
    this.words[this.end++] = word;
  }

  /** The next word, which must be there. */
  take(): number {
    return this.words[this.begin++];
  }

  /** Forgets all. */
  clear(): void {
    this.begin = this.end = 0;
  }
}
