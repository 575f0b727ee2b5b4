/**
 * A file read from its beginning to its end in pieces, of which only what was asked for is kept.
 *
 * @module
 */

/** See the module's description. */
export class ByteWindow {
  /** Bytes taken or skipped so far: where in the file the next one is. */
  offset = 0;
  readonly #next: () => Uint8Array | null;
  #bytes = new Uint8Array(0);
  #at = 0;
  #over = false;

  /** `next` gives the next piece of the file, null at its end; pieces are not written to meanwhile. */
  constructor(next: () => Uint8Array | null) {
    this.#next = next;
  }

  /** Bytes at hand; after `take` or `skip` failed, all that the file still has. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** Bytes of the file as far as it was read. */
  get total(): number {
    return this.offset + this.remaining;
  }

  /** The next `count` bytes, not taken; fewer where the file ends. */
  peek(count: number): Uint8Array {
    this.#fill(count);
    return this.#bytes.subarray(this.#at, Math.min(this.#bytes.length, this.#at + count));
  }

  /** Takes the next `count` bytes, good until the next call; null, and nothing is taken, where the file ends before. */
  take(count: number): Uint8Array | null {
    if (!this.#fill(count)) return null;
    const bytes = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.offset += count;
    return bytes;
  }

  /** Leaves out `count` bytes; false where the file ends before. */
  skip(count: number): boolean {
    let left = count;
    for (;;) {
      const now = Math.min(left, this.remaining);
      this.#at += now;
      this.offset += now;
      left -= now;
      if (left === 0) return true;
      if (!this.#more()) return false;
    }
  }

  #fill(count: number): boolean {
    while (this.remaining < count) if (!this.#more()) return false;
    return true;
  }

  #more(): boolean {
    const piece = this.#over ? null : this.#next();
    if (piece === null) {
      this.#over = true;
      return false;
    }
    const rest = this.#bytes.subarray(this.#at);
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    this.#bytes = bytes;
    this.#at = 0;
    return true;
  }
}
