/**
 * Numbers in words, for the formulas of capacity.
 *
 * @module
 */
import { formatCount, formatDurationNs } from "../base/units.ts";

/** `1 host`, `2 hosts`, `28,232 ports`. */
export function many(count: number, one: string, several = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : several}`;
}

/** A rate to at most four digits behind the point or the count itself: `470.4`, `2,500`; a small one to three: `0.000277`. */
export function perSecondText(rate: number): string {
  let digits = rate >= 10_000 ? 0 : rate >= 100 ? 1 : 3;
  while (rate > 0 && rate * 10 ** digits < 100 && digits < 9) digits++;
  const scale = 10 ** digits;
  const rounded = Math.floor(rate * scale) / scale;
  const whole = Math.floor(rounded);
  const rest = digits === 0 ? "" : (rounded - whole).toFixed(digits).slice(1).replace(/\.?0+$/, "");
  return `${formatCount(whole)}${rest}`;
}

/** A time to six digits, so that what is worked out with it can be checked. */
export function time(ns: number): string {
  return formatDurationNs(Math.round(ns), 6);
}
