/**
 * A stream's bytes between two positions: what an application wrote and is not yet acknowledged or read.
 *
 * @module
 */
import { grown } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";

/** A buffer of at least this many bytes is let go when the ring becomes empty. */
const KEPT_BYTES = 65536;

/**
 * A growable first-in first-out buffer of bytes, addressed by absolute stream position (a JS number, exact to 2^53).
 *
 * @example
 * ```ts
 * import { ByteRing } from "./ring.ts";
 * const ring = new ByteRing();
 * ring.write(new Uint8Array([1, 2, 3]));
 * const two = new Uint8Array(2);
 * ring.copy(1, 2, two, 0);
 * ring.release(3);
 * ```
 */
export class ByteRing {
  #bytes = new Uint8Array(0);
  #begin = 0;
  #end = 0;

  /** An empty ring whose first byte will have the position `begin` (an integer, default 0). */
  constructor(begin = 0) {
    this.#begin = begin;
    this.#end = begin;
  }

  /** Position of the first byte held. */
  get begin(): number {
    return this.#begin;
  }

  /** One past the position of the last byte held. */
  get end(): number {
    return this.#end;
  }

  /** Bytes held. */
  get length(): number {
    return this.#end - this.#begin;
  }

  /** Appends bytes (they are copied). */
  write(bytes: Uint8Array): void {
    const needed = this.length + bytes.length;
    if (needed > this.#bytes.length) this.#grow(needed);
    const capacity = this.#bytes.length;
    if (capacity === 0) return;
    const at = this.#end % capacity;
    const first = Math.min(bytes.length, capacity - at);
    this.#bytes.set(first === bytes.length ? bytes : bytes.subarray(0, first), at);
    if (first < bytes.length) this.#bytes.set(bytes.subarray(first), 0);
    this.#end += bytes.length;
  }

  /** Copies `length` bytes from `position` on to `into[at]` on. Throws `RangeError` unless the ring holds them all. */
  copy(position: number, length: number, into: Uint8Array, at: number): void {
    if (!(position >= this.#begin && length >= 0 && position + length <= this.#end)) {
      throw new RangeError(
        `Bytes ${position} to ${position + length} are not held: the ring has ${this.#begin} to ${this.#end}.`,
      );
    }
    if (length === 0) return;
    const capacity = this.#bytes.length;
    const from = position % capacity;
    const first = Math.min(length, capacity - from);
    into.set(this.#bytes.subarray(from, from + first), at);
    if (first < length) into.set(this.#bytes.subarray(0, length - first), at + first);
  }

  /** Lets go of the bytes before `upTo`, `begin` to `end`, else `RangeError`. */
  release(upTo: number): void {
    if (!(upTo >= this.#begin && upTo <= this.#end)) {
      throw new RangeError(`Cannot release up to ${upTo}: the ring has ${this.#begin} to ${this.#end}.`);
    }
    this.#begin = upTo;
    if (upTo === this.#end && this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(0);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#begin = v.number(this.#begin);
    this.#end = v.number(this.#end);
    this.#bytes = v.column(this.#bytes);
  }

  #grow(needed: number): void {
    let capacity = Math.max(256, this.#bytes.length * 2);
    while (capacity < needed) capacity *= 2;
    const longer = grown(this.length, () => new Uint8Array(capacity));
    const old = this.#bytes;
    for (let position = this.#begin; position < this.#end;) {
      const from = position % old.length;
      const to = position % capacity;
      const run = Math.min(this.#end - position, old.length - from, capacity - to);
      longer.set(old.subarray(from, from + run), to);
      position += run;
    }
    this.#bytes = longer;
  }
}
