/**
 * Checks of what a gateway's options say: a value that makes no sense is an `InputError`, a sentence with the field.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";

/** The longest timeout, ms: well within the half of the 32-bit tick circle that comparisons need. */
const LONGEST_MS = 2 ** 30;

/** The field of `options` looked up in `names`, or a sentence that says what is allowed. */
export function choice<T extends string>(
  names: Record<T, number>,
  value: T | undefined,
  fallback: T,
  field: string,
): number {
  const number = names[value ?? fallback];
  if (number === undefined) {
    throw new InputError(`A NAT's ${field} is one of ${Object.keys(names).join(", ")}, not "${value}".`, {
      path: field,
    });
  }
  return number;
}

/** A timeout in whole ms, rounded up; `ns` between 1 and 2^30 ms. */
export function timeoutMs(ns: number | undefined, fallbackMs: number, field: string): number {
  if (ns === undefined) return fallbackMs;
  const ms = Math.ceil(ns / 1e6);
  if (!(ms >= 1 && ms <= LONGEST_MS)) {
    throw new InputError(`A NAT's ${field} lies between 1 ms and 12 days, not at ${ns} ns.`, { path: field });
  }
  return ms;
}

/** A port number. */
export function port(value: number, field: string): number {
  if (!(Number.isInteger(value) && value >= 0 && value <= 65_535)) {
    throw new InputError(`A NAT's ${field} is a port number from 0 to 65535, not ${value}.`, { path: field });
  }
  return value;
}

/** A limit: 0 for none. */
export function quota(value: number | undefined, field: string): number {
  if (value === undefined || value === Infinity) return 0;
  if (!(Number.isInteger(value) && value >= 1 && value < 2 ** 31)) {
    throw new InputError(`A NAT's ${field} is a whole number of at least 1, not ${value}.`, { path: field });
  }
  return value;
}
