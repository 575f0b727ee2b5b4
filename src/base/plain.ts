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

function replacer(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { [NOT_FINITE]: String(value) } : value;
}
