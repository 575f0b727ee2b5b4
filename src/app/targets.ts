/**
 * Which host a workload's i-th connection comes from, and where it goes.
 *
 * @module
 */
import { drawFraction, drawWord } from "../base/rng.ts";
import { isInShare } from "../base/share.ts";
import type { AppRuntime } from "./types.ts";

/** Counters of the draws that make permutations: far from those of connections. */
const PERMUTATION_DRAWS = 2 ** 40;

/** Consecutive node rows. */
export interface NodeRange {
  /** First node row. */
  first: number;
  /** How many. */
  count: number;
}

/** Consecutive addresses with one port. */
export interface TargetRange {
  /** First address id. */
  first: number;
  /** How many. */
  count: number;
  /** Destination port. */
  port: number;
  /** Number of a domain name that is to be looked up, instead of an address; 0 or left out for none. */
  name?: number;
  /** Address id of the first one's IPv6 address beside that, the others' following; 0 or left out for none. */
  first6?: number;
  /** Members with an IPv6 address, of a million (`isInShare`). Default all. */
  share6?: number;
}

/** The i-th thing of a list of ranges, the ranges laid end to end; `i` below the total count. */
function inRanges(ranges: readonly { first: number; count: number }[], i: number): [range: number, offset: number] {
  let range = 0;
  while (i >= ranges[range].count) i -= ranges[range++].count;
  return [range, i];
}

/** Sources, in turn. */
export class Sources {
  /** Hosts in all. */
  declare readonly count: number;
  readonly #ranges: NodeRange[];

  /** Takes the ranges in the order given. */
  constructor(ranges: NodeRange[]) {
    this.#ranges = ranges;
    this.count = ranges.reduce((sum, range) => sum + range.count, 0);
  }

  /** Node row of the source of connection `i`. */
  at(i: number): number {
    const ranges = this.#ranges;
    const k = i % this.count;
    // (An integer for V8, too: or whatever is asked of a host by its number is calculated in floating point.)
    if (ranges.length === 1) return (ranges[0].first + k) | 0;
    const [range, offset] = inRanges(ranges, k);
    return (ranges[range].first + offset) | 0;
  }
}

/** Destinations. `address`, `address6` and `port` hold the last answer of `choose`. */
export class Targets {
  /** Destinations in all. */
  declare readonly count: number;
  /** Address id last chosen. */
  address = 0;
  /** Its IPv6 address beside that, 0 for none. */
  address6 = 0;
  /** Port last chosen. */
  port = 0;
  /** Number of the domain name last chosen, 0 for none: its addresses are to be looked up. */
  name = 0;
  readonly #ranges: TargetRange[];

  /** Takes the ranges in the order given. */
  constructor(ranges: TargetRange[]) {
    this.#ranges = ranges;
    this.count = ranges.reduce((sum, range) => sum + range.count, 0);
  }

  /** Chooses destination `k` (modulo their count). */
  choose(k: number): void {
    const ranges = this.#ranges;
    const i = k % this.count;
    if (ranges.length === 1) {
      return this.#choose(ranges[0], i);
    }
    const [range, offset] = inRanges(ranges, i);
    this.#choose(ranges[range], offset);
  }

  #choose(range: TargetRange, offset: number): void {
    this.address = range.first + offset;
    this.port = range.port;
    this.name = range.name ?? 0;
    const { first6 = 0, share6 } = range;
    const has = first6 !== 0 && (share6 === undefined || isInShare(offset, share6));
    this.address6 = has ? first6 + offset : 0;
  }

  /**
   * Chooses the `k`-th destination of source number `source` in an order of its own in which every destination comes
   * once before any comes twice: an affine permutation, drawn for the source from the key (`k0`, `k1`). Destinations
   * with address `own` (0 for none) are left out, unless there are no others.
   */
  permuted(k0: number, k1: number, source: number, k: number, own: number): void {
    const n = this.count;
    const start = drawWord(k0, k1, PERMUTATION_DRAWS + source * 2) % n;
    let step = 1 + drawWord(k0, k1, PERMUTATION_DRAWS + source * 2 + 1) % n;
    while (greatestCommonDivisor(step, n) !== 1) step = step % n + 1;
    const skipped = this.#ownIndexes(own);
    if (skipped.length === 0 || skipped.length === n) return this.choose((start + (k % n) * step) % n);
    // Where in the order the own addresses come, first to last: each shifts what comes after it.
    const inverse = modularInverse(step, n);
    const places = skipped.map((index) => ((index - start + n) % n) * inverse % n).sort((a, b) => a - b);
    let place = k % (n - places.length);
    for (const skip of places) if (skip <= place) place++;
    this.choose((start + place * step) % n);
  }

  /** Chooses destination `k`, or the first after it that has not the address `own`. */
  notOwn(k: number, own: number): void {
    for (let tries = 0; tries < this.count; tries++) {
      this.choose(k + tries);
      if (this.address !== own) return;
    }
  }

  /** Which destinations have this address. */
  #ownIndexes(own: number): number[] {
    const found: number[] = [];
    let begin = 0;
    for (const { first, count } of this.#ranges) {
      if (own >= first && own < first + count) found.push(begin + own - first);
      begin += count;
    }
    return found;
  }
}

/** How a workload goes through its destinations; where neither is true, in turn. */
export interface Spread {
  /** Does each source go through all of them in an order of its own? */
  permute: boolean;
  /** Are they drawn anew every time? */
  randomTargets: boolean;
}

/**
 * Chooses where connection `i` of a workload goes: not to its own host, of address `own`, if there is anywhere else to
 * go. `key` is the workload's own.
 */
export function chooseTarget(
  targets: Targets,
  i: number,
  sources: number,
  own: number,
  { permute, randomTargets }: Spread,
  { k0, k1 }: { k0: number; k1: number },
): void {
  if (permute) targets.permuted(k0, k1, i % sources, Math.floor(i / sources), own);
  else if (randomTargets) targets.notOwn(Math.floor(drawFraction(k0, k1, i * 2) * targets.count), own);
  else targets.notOwn(i, own);
}

/** Which address families a workload uses. */
export interface FamilyChoice {
  /** One alone, or any that both ends have. */
  family: "any" | "ipv4" | "ipv6";
  /** Of both, the one that is taken or tried first. */
  prefersIpv6: boolean;
}

/** What a host is asked for its addresses. */
type Addresses = Pick<AppRuntime, "addressOf" | "addressFor" | "sourceFor">;

/** The address of the destination chosen that a host talks to: of the preferred family, if it has an address of that. */
export function chosenAddress(targets: Targets, runtime: Addresses, node: number, prefersIpv6: boolean): number {
  const { address, address6 } = targets;
  if (address6 === 0) return address;
  const [preferred, other] = prefersIpv6 ? [address6, address] : [address, address6];
  return runtime.sourceFor(node, preferred) !== 0 ? preferred : other;
}

/** The address that a source would have among a workload's destinations. */
export function ownAddress(runtime: Addresses, node: number, family: FamilyChoice["family"]): number {
  return (family === "ipv6" ? runtime.addressFor(node, true) : 0) || runtime.addressOf(node);
}

/** The number x with a·x = 1 (mod n); a and n have no common divisor. All products stay below 2^53. */
function modularInverse(a: number, n: number): number {
  let [r, next, x, y] = [n, a % n, 0, 1];
  while (next !== 0) {
    const quotient = Math.floor(r / next);
    [r, next] = [next, r - quotient * next];
    [x, y] = [y, x - quotient * y];
  }
  return n === 1 ? 0 : ((x % n) + n) % n;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
