/**
 * Columns of a trace: numbers of variable length, one after the other.
 *
 * A *varint* is a whole number from 0 to 2^53 - 1 in groups of seven bits, the lowest first, bit 7 set in all bytes but
 * the last. A *zigzag* is a varint of a 32-bit difference d: 2d if d is not negative, -2d - 1 if it is.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

/** A column being written. */
export class ColumnWriter {
  #bytes = new Uint8Array(4096);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends a varint. */
  varint(value: number): void {
    if (this.#length + 8 > this.#bytes.length) this.#grow(8);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    while (rest >= 2 ** 31) {
      bytes[at++] = rest % 128 | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[at++] = rest & 127 | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  /** Appends the difference of two words. */
  zigzag(word: number, predicted: number): void {
    const d = (word - predicted) | 0;
    this.varint(((d << 1) ^ (d >> 31)) >>> 0);
  }

  /** Appends a word as it is, its lowest byte first. */
  word(word: number): void {
    if (this.#length + 8 > this.#bytes.length) this.#grow(8);
    for (let shift = 0; shift < 32; shift += 8) this.#bytes[this.#length++] = word >>> shift;
  }

  /** The bytes (a copy), and begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #grow(more: number): void {
    const bytes = this.#bytes;
    (this.#bytes = new Uint8Array(bytes.length * 2 + more)).set(bytes);
  }
}

/** A column being read. Throws `InputError` where it ends too early. */
export class ColumnReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** Reads `bytes` from the start. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Has everything been read? */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next varint. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      if (this.#at >= this.#bytes.length) throw new InputError("a column of it ends too early");
      const byte = this.#bytes[this.#at++];
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new InputError("a number in it has more than 53 bits");
  }

  /** The word that differs from `predicted` by the next zigzag. */
  zigzag(predicted: number): number {
    const coded = this.varint();
    return (predicted + ((coded >>> 1) ^ -(coded & 1))) | 0;
  }

  /** The next whole word. */
  word(): number {
    if (this.#at + 4 > this.#bytes.length) throw new InputError("a column of it ends too early");
    let word = 0;
    for (let shift = 0; shift < 32; shift += 8) word |= this.#bytes[this.#at++] << shift;
    return word;
  }
}
