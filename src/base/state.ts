/**
 * Showing state to a snapshot. Everything that a run's future depends on is shown to a {@linkcode StateVisitor} by one
 * method, which serves both ways: what is saved and what is put back cannot drift apart.
 *
 * @module
 */
import type { PlainValue } from "./plain.ts";

export type { PlainValue } from "./plain.ts";

/** Typed arrays that a visitor takes. */
export type Column = Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

/**
 * Saves what it is shown, or puts back what was saved: each method returns what the caller is to keep.
 *
 * @example
 * ```ts
 * import type { StateVisitor } from "./state.ts";
 * class Counter {
 *   #count = 0;
 *   #rows = new Int32Array(64);
 *   visitState(v: StateVisitor): void {
 *     this.#count = v.number(this.#count);
 *     this.#rows = v.column(this.#rows, this.#count);
 *   }
 * }
 * ```
 */
export interface StateVisitor {
  /** Whether it puts back. */
  readonly restoring: boolean;
  /** Names what comes: a snapshot of another structure is found out here. Throws `InputError` when it puts back. */
  section(name: string): void;
  /** A number. */
  number(value: number): number;
  /** A plain value, as JSON would have it: for what is small. */
  plain<T extends PlainValue>(value: T): T;
  /**
   * A typed array of which the first `used` elements (default all) count and the rest is zero. When it puts back, the
   * array is a new one, of the length that it had when it was saved.
   */
  column<T extends Column>(column: T, used?: number): T;
  /** As `column`, but the array that others hold too is filled, whose length must be what it was. */
  inPlace(column: Column): void;
}

/** Something with state. */
export interface Stateful {
  /** Shows its state, always in the same order. */
  visitState(v: StateVisitor): void;
}

/** A list of things of which each has its own state; `make` makes one that the visitor then fills. */
export function visitList<T>(v: StateVisitor, list: T[], make: () => T, visit: (item: T) => T): void {
  const length = v.number(list.length);
  if (v.restoring) {
    list.length = 0;
    while (list.length < length) list.push(make());
  }
  for (let i = 0; i < length; i++) list[i] = visit(list[i]);
}

/** A map of plain keys and values, in its order. */
export function visitMap<K extends PlainValue, V extends PlainValue>(v: StateVisitor, map: Map<K, V>): void {
  const entries = v.plain([...map]);
  if (!v.restoring) return;
  map.clear();
  for (const [key, value] of entries as [K, V][]) map.set(key, value);
}

/** The numbers among an object's properties: counters. */
export function visitNumbers(v: StateVisitor, counters: object): void {
  const values = counters as Record<string, number>;
  for (const key of Object.keys(values)) if (typeof values[key] === "number") values[key] = v.number(values[key]);
}
