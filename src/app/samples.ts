/**
 * Times that are kept one by one, for exact quantiles.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { grown, lengthened } from "../base/growth.ts";

/** Whole numbers below 2^32, in a growing array. */
export class Samples {
  #values = new Uint32Array(64);
  #count = 0;

  /** How many. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of those kept. */
  get bytes(): number {
    return this.#count * 4;
  }

  /** One more. */
  push(value: number): void {
    if (this.#count === this.#values.length) {
      this.reserve(this.#count * 2);
    }
    this.#values[this.#count++] = value;
  }

  /** Room for `count`, so that the array does not double in the middle of a run. */
  reserve(count: number): void {
    if (count <= this.#values.length) return;
    this.#values = lengthened(this.#values, count);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#count = v.number(this.#count);
    this.#values = v.column(this.#values, this.#count);
  }

  /** All, in ascending order. */
  sorted(): Uint32Array {
    return grown(this.bytes, () => this.#values.slice(0, this.#count)).sort();
  }
}
