/**
 * Ranges of addresses as prefixes.
 *
 * @module
 */
import { addToAddress, type IpAddress, type IpPrefix } from "../base/address.ts";
import type { RoutePrefix } from "./routes.ts";

/** The fewest prefixes that cover exactly `count` addresses from `first` on. */
export function rangePrefixes(first: IpAddress, count: number): IpPrefix[] {
  const prefixes: IpPrefix[] = [];
  const width = first.family === 4 ? 32 : 128;
  let address = first;
  let left = count;
  while (left > 0) {
    const low = address.words[address.words.length - 1] >>> 0;
    // Ranges end within a 32-bit word's worth of addresses, so the last word's alignment decides.
    let bits = low === 0 ? 31 : 31 - Math.clz32(low & -low);
    while (2 ** bits > left) bits--;
    prefixes.push({ address, bits: width - bits });
    left -= 2 ** bits;
    if (left > 0) address = addToAddress(address, 2 ** bits);
  }
  return prefixes;
}

/** Everything, of one family. */
export function defaultPrefix(family: 4 | 6): IpPrefix {
  return { address: { family, words: family === 4 ? [0] : [0, 0, 0, 0] }, bits: 0 };
}

/** Is every address of `inner` one of `outer`, too? */
export function covers(outer: IpPrefix | RoutePrefix, inner: IpPrefix | RoutePrefix): boolean {
  if (outer.address.family !== inner.address.family || outer.bits > inner.bits) return false;
  for (let i = 0, left = outer.bits; left > 0; i++, left -= 32) {
    const different = outer.address.words[i] ^ inner.address.words[i];
    if (different >>> Math.max(0, 32 - left) !== 0) return false;
  }
  return true;
}
