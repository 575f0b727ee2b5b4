/**
 * Plain values as text: JSON that keeps `Infinity` and `NaN`, and a canonical form in which equal values have equal
 * text.
 *
 * @module
 */

/** What JSON can say, with `Infinity` and `NaN`. */
export type PlainValue = null | boolean | number | string | PlainValue[] | { [key: string]: PlainValue };

/** The key of the map that stands for a number that JSON has no way to write. */
const NOT_FINITE = "not-finite";

/** As JSON; a number that JSON cannot write becomes `{ "not-finite": "Infinity" }`. */
export function plainText(value: PlainValue): string {
  return JSON.stringify(value, replacer);
}

/** The same with every map's keys in order and what is undefined left out: equal values have equal text. */
export function canonicalText(value: PlainValue): string {
  return JSON.stringify(value, (key, v) => {
    const kept = replacer(key, v);
    if (typeof kept !== "object" || kept === null || Array.isArray(kept)) return kept;
    return Object.fromEntries(Object.entries(kept).sort(([a], [b]) => a < b ? -1 : 1));
  });
}

/** Reads either. Throws `SyntaxError` for text that is not JSON. */
export function plainValue(text: string): PlainValue {
  return JSON.parse(text, (_, v) => {
    const wrapped = typeof v === "object" && v !== null && Object.hasOwn(v, NOT_FINITE);
    return wrapped ? Number(v[NOT_FINITE]) : v;
  });
}

/** Where in `value` there is something that is no plain value, and what; undefined where all of it is plain. */
export function notPlain(value: unknown, path = "", within: readonly unknown[] = []): string | undefined {
  if (value === null || ["boolean", "number", "string"].includes(typeof value)) return undefined;
  const at = path === "" ? "it is" : `${path.replace(/^\./, "")} is`;
  if (typeof value !== "object") return `${at} ${value === undefined ? "undefined" : `a ${typeof value}`}`;
  if (within.includes(value)) return `${at} within itself`;
  const prototype = Object.getPrototypeOf(value);
  const inner = [...within, value];
  if (Array.isArray(value)) {
    // (A hole is undefined.)
    for (let i = 0; i < value.length; i++) {
      const wrong = notPlain(value[i], `${path}[${i}]`, inner);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (prototype !== Object.prototype && prototype !== null) return `${at} a ${value.constructor?.name || "class"}`;
  for (const [key, one] of Object.entries(value)) {
    if (one === undefined) continue;
    const wrong = notPlain(one, `${path}.${key}`, inner);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function replacer(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { [NOT_FINITE]: String(value) } : value;
}
