/**
 * Times that are kept one by one, for exact quantiles.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";

/** Whole numbers below 2^32, in a growing array. */
export class Samples {
  #values = new Uint32Array(64);
  #count = 0;

  /** How many. */
  get count(): number {
    return this.#count;
  }

  /** One more. */
  push(value: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Uint32Array(this.#count * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = value;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#count = v.number(this.#count);
    this.#values = v.column(this.#values, this.#count);
  }

  /** All, in ascending order. */
  sorted(): Uint32Array {
    return this.#values.slice(0, this.#count).sort();
  }
}
