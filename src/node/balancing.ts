/**
 * Which back end a new flow goes to: the algorithms of balancers and proxies.
 *
 * @module
 */
import type { Hash64 } from "../base/hash.ts";
import type { StateVisitor } from "../base/state.ts";
import { maglevTable } from "./maglev.ts";

/** Names of the algorithms. */
export const BALANCING_ALGORITHMS = [
  "round-robin",
  "weighted-round-robin",
  "least-connections",
  "source-hash",
  "maglev",
] as const;

/** One of them. */
export type BalancingAlgorithm = typeof BALANCING_ALGORITHMS[number];

/** Source hash: no table has many more entries. */
const MOST_ENTRIES = 2 ** 20;

/** Some back ends, numbered from 0, and what an algorithm remembers of them. */
export interface BackendPool {
  readonly algorithm: BalancingAlgorithm;
  /** What stands for each in hashes: of its address and port, so that rows and numbers have no part in it. */
  readonly names: readonly Hash64[];
  readonly weights: Int32Array;
  /** 1 where it takes new flows. Change it, then call `poolChanged`. */
  readonly eligible: Uint8Array;
  /** Open flows of each. */
  readonly active: Int32Array;
  /** Weighted round robin: what each has saved up. */
  readonly credit: Int32Array;
  /** Where the next turn begins. */
  next: number;
  /** Hashes: the back end of each entry. Empty if none is eligible. */
  entries: Int32Array;
  /** Maglev: entries of the table. */
  readonly tableSize: number;
}

/** Makes a pool in which all are eligible. */
export function makePool(
  options: { algorithm: BalancingAlgorithm; names: readonly Hash64[]; weights: ArrayLike<number>; tableSize: number },
): BackendPool {
  const { algorithm, names, tableSize } = options;
  const n = names.length;
  const pool: BackendPool = {
    algorithm,
    names,
    weights: Int32Array.from(options.weights),
    eligible: new Uint8Array(n).fill(1),
    active: new Int32Array(n),
    credit: new Int32Array(n),
    next: 0,
    entries: new Int32Array(0),
    tableSize,
  };
  poolChanged(pool);
  return pool;
}

/** Have all back ends that take any (a weight above 0) as many as `most`? */
export function isInUse(pool: BackendPool, most: number): boolean {
  return pool.active.every((active, backend) => pool.weights[backend] === 0 || active >= most);
}

/** Shows a pool to a snapshot. Its tables follow from eligibility and weights. */
export function visitPool(pool: BackendPool, v: StateVisitor): void {
  for (const column of [pool.weights, pool.eligible, pool.active, pool.credit]) v.inPlace(column);
  pool.next = v.number(pool.next);
  if (v.restoring) poolChanged(pool);
}

/** The weight with which a back end takes new flows now. */
function weightOf(pool: BackendPool, i: number): number {
  return pool.eligible[i] === 1 ? pool.weights[i] : 0;
}

/** Works the tables out again, after eligibility or weights have changed. */
export function poolChanged(pool: BackendPool): void {
  const weights = pool.weights.map((_, i) => weightOf(pool, i));
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) pool.entries = new Int32Array(0);
  else if (pool.algorithm === "maglev") pool.entries = maglevTable(pool.names, weights, pool.tableSize);
  else if (pool.algorithm === "source-hash") pool.entries = sharedOut(weights, divisor);
  // (The others look at eligibility and weights themselves.)
  else pool.entries = Int32Array.of(0);
}

/** Each back end as often as its weight says. */
function sharedOut(weights: Int32Array, divisor: number): Int32Array {
  const total = weights.reduce((sum, weight) => sum + weight / divisor, 0);
  // (Weights of many digits are rounded: a table is for looking up.)
  const scale = total <= MOST_ENTRIES ? 1 / divisor : MOST_ENTRIES / (total * divisor);
  const entries: number[] = [];
  weights.forEach((weight, i) => {
    const share = weight === 0 ? 0 : Math.max(1, Math.round(weight * scale));
    for (let k = 0; k < share; k++) entries.push(i);
  });
  return Int32Array.from(entries);
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The back end for a new flow with this hash (any i32); -1 if none takes any. */
export function chooseBackend(pool: BackendPool, hash: number): number {
  const { entries } = pool;
  if (entries.length === 0) return -1;
  switch (pool.algorithm) {
    case "round-robin":
      return takeTurn(pool);
    case "weighted-round-robin":
      return takeWeightedTurn(pool);
    case "least-connections":
      return leastLoaded(pool);
    default:
      return entries[(hash >>> 0) % entries.length];
  }
}

/** Is a flow's back end a function of its hash and the state of the pool alone? */
export function isHashed(algorithm: BalancingAlgorithm): boolean {
  return algorithm === "source-hash" || algorithm === "maglev";
}

function takeTurn(pool: BackendPool): number {
  const n = pool.names.length;
  let i = pool.next;
  while (weightOf(pool, i) === 0) i = (i + 1) % n;
  pool.next = (i + 1) % n;
  return i;
}

/**
 * Smooth weighted round robin (nginx's): each gains its weight in credit, the richest is chosen and pays the sum. In
 * every round of that many flows each gets as many as its weight, spread out.
 */
function takeWeightedTurn(pool: BackendPool): number {
  const { credit } = pool;
  let total = 0;
  let best = -1;
  for (let i = 0; i < credit.length; i++) {
    const weight = weightOf(pool, i);
    if (weight === 0) continue;
    total += weight;
    credit[i] += weight;
    if (best < 0 || credit[i] > credit[best]) best = i;
  }
  credit[best] -= total;
  return best;
}

/** The fewest open flows for its weight; of equals the next in turn, or one would take them all while they are idle. */
function leastLoaded(pool: BackendPool): number {
  const { active } = pool;
  const n = active.length;
  let best = -1;
  let bestWeight = 0;
  for (let k = 0; k < n; k++) {
    const i = (pool.next + k) % n;
    const weight = weightOf(pool, i);
    if (weight === 0) continue;
    if (best < 0 || active[i] * bestWeight < active[best] * weight) [best, bestWeight] = [i, weight];
  }
  pool.next = (best + 1) % n;
  return best;
}
