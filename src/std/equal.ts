/**
 * Deep equality as `@std/assert` defines it.
 *
 * @module
 */

/**
 * Whether two values are equal in depth: same type and constructor, equal own properties (symbols included), equal
 * entries of maps, sets and arrays, equal bytes, dates and patterns. `NaN` equals itself, 0 equals -0. Cycles are fine.
 */
export function equal(a: unknown, b: unknown): boolean {
  const seen = new Map<object, object>();
  return same(a, b);

  function same(x: unknown, y: unknown): boolean {
    if (Object.is(x, y) || x === y) return true;
    if (typeof x !== "object" || typeof y !== "object" || x === null || y === null) return false;
    if (seen.get(x) === y) return true;
    if (kindOf(x) !== kindOf(y)) return false;
    if (x instanceof WeakMap || x instanceof WeakSet) {
      throw new TypeError(`Cannot compare ${x.constructor.name} instances.`);
    }
    if (x instanceof Date) return Object.is(x.getTime(), (y as Date).getTime());
    if (x instanceof RegExp || x instanceof URL) return String(x) === String(y);
    if (x instanceof WeakRef) return same(x.deref(), (y as WeakRef<object>).deref());
    if (ArrayBuffer.isView(x) || x instanceof ArrayBuffer) return sameBytes(x, y as ArrayBufferView | ArrayBuffer);
    if (x instanceof Number || x instanceof String || x instanceof Boolean) {
      return same(x.valueOf(), (y as typeof x).valueOf());
    }
    // Taken as equal while the comparison is under way, which ends cycles.
    seen.set(x, y);
    const result = sameContent(x, y);
    if (!result) seen.delete(x);
    return result;
  }

  function sameContent(x: object, y: object): boolean {
    if (x instanceof Set) return sameEntries([...x], [...(y as Set<unknown>)], same);
    if (x instanceof Map) return sameEntries([...x], [...(y as Map<unknown, unknown>)], same);
    if (x instanceof Error) {
      const other = y as Error;
      if (x.message !== other.message || x.name !== other.name || !same(x.cause, other.cause)) return false;
    }
    if (Array.isArray(x) && x.length !== (y as unknown[]).length) return false;
    const keys = keysOf(x);
    return keys.length === keysOf(y).length &&
      keys.every((key) => Object.hasOwn(y, key) && same(Reflect.get(x, key), Reflect.get(y, key)));
  }
}

/** Objects without prototype count as plain ones. */
function kindOf(value: object): unknown {
  return value.constructor ?? Object;
}

function keysOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

function sameBytes(x: ArrayBufferView | ArrayBuffer, y: ArrayBufferView | ArrayBuffer): boolean {
  if (x instanceof Float64Array || x instanceof Float32Array) {
    const other = y as Float64Array;
    return x.length === other.length && x.every((value, i) => value === other[i] || Object.is(value, other[i]));
  }
  const [left, right] = [x, y].map((one) =>
    ArrayBuffer.isView(one) ? new Uint8Array(one.buffer, one.byteOffset, one.byteLength) : new Uint8Array(one)
  );
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

/** Whether each entry of `x` has a partner of its own in `y`; entries in the same place are tried first. */
function sameEntries(x: unknown[], y: unknown[], same: (a: unknown, b: unknown) => boolean): boolean {
  if (x.length !== y.length) return false;
  const left: unknown[] = [];
  let right: unknown[] = [];
  for (const [i, entry] of x.entries()) {
    if (same(entry, y[i])) continue;
    left.push(entry);
    right.push(y[i]);
  }
  for (const entry of left) {
    const partner = right.findIndex((other) => same(entry, other));
    if (partner < 0) return false;
    right = right.toSpliced(partner, 1);
  }
  return true;
}
