/**
 * Addresses are unique within a routing realm: what routers join, up to the NAT gateways that end it (DESIGN section 3).
 * A family's realms are its own: gateways that translate IPv4 may route IPv6.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { NODE, NODE_FLAG, NODE_KIND, type Nodes } from "../node/nodes.ts";
import { NetworkError } from "./errors.ts";
import { familiesOf } from "./graph.ts";
import { endOf, type Plan, type PlannedPopulation } from "./plan.ts";

const { ADDRESS, INNER_ADDRESS, FLAGS, MASK, STRIDE } = NODE;
const { HOST, ROUTER, NAT, BALANCER } = NODE_KIND;

/** Consecutive address ids in a realm: of consecutive nodes (`step` 1), or all of one (`step` 0). */
interface Range {
  first: number;
  count: number;
  node: number;
  step: number;
  /** Declared as an address that others may have too; `own`: a balancer's, which its direct-return hosts may have. */
  virtual?: "declared" | "own";
}

/** Tells the first address id of a NAT's pool. */
export type PoolIds = (population: PlannedPopulation, member: number) => number;

/** Throws `NetworkError` where two nodes have one address in one realm. */
export function checkUnique(plan: Plan, nodes: Nodes, addresses: AddressTable, poolIds: PoolIds): void {
  for (const family of familiesOf(plan)) {
    const realms = new Realms(plan, nodes, addresses, poolIds, family);
    for (const ranges of realms.all()) {
      ranges.sort((a, b) => a.first - b.first || a.node - b.node);
      let widest = ranges[0];
      for (const range of ranges) {
        const clash = clashOf(widest, range);
        if (clash !== undefined) refuse(plan, nodes, addresses, clash);
        // (A range that is nobody's own must not hide behind a shared address.)
        const further = range.first + range.count > widest.first + widest.count;
        if (further || (widest.virtual && !range.virtual)) widest = range;
      }
    }
  }
}

/** An address id that two nodes have; `b` begins no earlier than `a`. */
function clashOf(a: Range, b: Range): { id: number; nodes: [number, number] } | undefined {
  const end = Math.min(a.first + a.count, b.first + b.count);
  // Anycast and direct return: both have said so.
  if (a.virtual && b.virtual && (a.virtual === "declared" || b.virtual === "declared")) return undefined;
  const owner = (range: Range, id: number) => range.node + (id - range.first) * range.step;
  for (const id of [b.first, end - 1]) {
    if (id < b.first || id >= end || owner(a, id) === owner(b, id)) continue;
    return { id, nodes: [owner(a, id), owner(b, id)] };
  }
  return undefined;
}

function refuse(plan: Plan, nodes: Nodes, addresses: AddressTable, clash: { id: number; nodes: number[] }): never {
  const [first, second] = clash.nodes.toSorted((x, y) => nodes.rankOf(x) - nodes.rankOf(y));
  const population = plan.populations[nodes.words[second * STRIDE + NODE.POPULATION]];
  throw new NetworkError(
    `nodes.${population.name}.${nodes.address6Of(second) === clash.id ? "address6" : "address"}`,
    `${nodes.nameOf(first)} and ${nodes.nameOf(second)} both have the address ${addresses.toText(clash.id)}, ` +
      "and no NAT stands between them.",
  );
}

function forwards({ kind }: PlannedPopulation): boolean {
  return kind === ROUTER || kind === BALANCER;
}

/** Sides of nodes that pass packets on, joined into realms, with the addresses that are seen in each. */
class Realms {
  readonly #plan: Plan;
  readonly #nodes: Nodes;
  readonly #addresses: AddressTable;
  readonly #ipv6: boolean;
  readonly #poolIds: PoolIds;
  /** Union-find over sides: a node's row, or (a NAT's inner side) that plus `#half`. */
  readonly #parent: Int32Array;
  readonly #half: number;
  /** What hangs on sides: side and node, in turn. */
  readonly #hung: number[] = [];
  /** Ranges of hosts and gateways that face each other without a router. */
  readonly #pairs: Range[][] = [];

  constructor(plan: Plan, nodes: Nodes, addresses: AddressTable, poolIds: PoolIds, family: 4 | 6) {
    this.#nodes = nodes;
    this.#addresses = addresses;
    this.#ipv6 = family === 6;
    this.#poolIds = poolIds;
    this.#half = plan.nodeCount + 1;
    this.#parent = new Int32Array(2 * this.#half);
    for (let i = 0; i < this.#parent.length; i++) this.#parent[i] = i;
    this.#plan = plan;
    this.#join(plan);
  }

  /** The ranges of every realm with more than one. */
  *all(): Generator<Range[]> {
    const byRealm = new Map<number, Range[]>();
    const add = (side: number, range: Range) => {
      if (!this.#isOfFamily(range)) return;
      const realm = this.#find(side);
      const ranges = byRealm.get(realm);
      if (ranges === undefined) return byRealm.set(realm, [range]);
      const last = ranges[ranges.length - 1];
      const follows = last.first + last.count === range.first && last.node + last.count === range.node;
      if (follows && !range.virtual && !last.virtual && range.count === 1 && (last.step === 1 || last.count === 1)) {
        last.count++;
        last.step = 1;
      } else ranges.push(range);
    };
    const hung = this.#hung;
    for (let i = 0; i < hung.length; i += 2) {
      for (const range of this.#outerRanges(hung[i + 1])) add(hung[i], range);
    }
    for (const population of this.#plan.populations) {
      for (let i = 0; i < population.count; i++) {
        const node = population.firstRow + i;
        if (population.kind === ROUTER && population.declaration.options.address !== undefined) {
          add(node, { first: this.#nodes.words[node * STRIDE + ADDRESS], count: 1, node, step: 1 });
        }
        if (population.kind === BALANCER) { for (const range of this.#balancerRanges(population, i)) add(node, range); }
        const joined = this.#isJoined(population);
        const inner = this.#nodes.words[node * STRIDE + INNER_ADDRESS];
        if (inner !== 0) add(joined ? node : node + this.#half, { first: inner, count: 1, node, step: 1 });
        const address6 = joined || forwards(population) ? this.#nodes.address6Of(node) : 0;
        if (address6 !== 0) add(node, { first: address6, count: 1, node, step: 1 });
      }
    }
    for (const ranges of byRealm.values()) if (ranges.length > 1) yield ranges;
    yield* this.#pairs;
  }

  #join(plan: Plan): void {
    for (const { a, b, count, insideOfA, insideOfB } of plan.links) {
      const joinedA = this.#isJoined(a.population);
      const joinedB = this.#isJoined(b.population);
      const transitA = forwards(a.population) || insideOfA || joinedA;
      const transitB = forwards(b.population) || insideOfB || joinedB;
      for (let i = 0; i < count; i++) {
        const nodeA = a.population.firstRow + endOf(a, i, count);
        const nodeB = b.population.firstRow + endOf(b, i, count);
        const sideA = insideOfA && !joinedA ? nodeA + this.#half : nodeA;
        const sideB = insideOfB && !joinedB ? nodeB + this.#half : nodeB;
        if (transitA && transitB) this.#parent[this.#find(sideA)] = this.#find(sideB);
        else if (transitA) this.#hung.push(sideA, nodeB);
        else if (transitB) this.#hung.push(sideB, nodeA);
        else {
          const both = [...this.#outerRanges(nodeA), ...this.#outerRanges(nodeB)];
          this.#pairs.push(both.filter((range) => this.#isOfFamily(range)));
        }
      }
    }
  }

  /** Does a gateway route this family, so that it ends no realm of it? */
  #isJoined(population: PlannedPopulation): boolean {
    return this.#ipv6 && population.ipv6.routed;
  }

  #isOfFamily(range: Range): boolean {
    return this.#addresses.isIpv6(range.first) === this.#ipv6;
  }

  #find(side: number): number {
    const parent = this.#parent;
    while (parent[side] !== side) side = parent[side] = parent[parent[side]];
    return side;
  }

  /** The addresses of a host, or of a gateway on its outer side. */
  #outerRanges(node: number): Range[] {
    const words = this.#nodes.words;
    const at = (node * STRIDE) & MASK;
    const own = { first: words[at + ADDRESS], count: 1, node, step: 1 };
    if (words[at + NODE.KIND] === NAT) {
      const population = this.#plan.populations[words[at + NODE.POPULATION]];
      if (population.poolRanges !== undefined) {
        const ranges = population.poolRanges.map(({ first, count }) => {
          return { first: this.#addresses.intern(first), count, node, step: 0 };
        });
        return [own, ...ranges];
      }
      const first = this.#poolIds(population, node - population.firstRow);
      return [own, { first, count: population.pool.count, node, step: 0 }];
    }
    if (words[at + NODE.KIND] !== HOST) return [own];
    if (this.#ipv6 && (words[at + FLAGS] & NODE_FLAG.DUAL_STACK) !== 0) {
      own.first = this.#nodes.address6Of(node);
    }
    if ((words[at + FLAGS] & NODE_FLAG.MANY_ADDRESSES) === 0) return [own];
    if (own.first !== words[at + ADDRESS]) {
      return this.#ranges(node, this.#nodes.addressesOf(node));
    }
    return this.#ranges(node, this.#nodes.extraAddresses.get(node)!);
  }

  /** Addresses of one node, its virtual ones last. */
  #ranges(node: number, all: number[]): Range[] {
    const { virtual } = this.#plan.populations[this.#nodes.words[node * STRIDE + NODE.POPULATION]];
    const own = all.length - virtual.length;
    return all.map((first, i) => ({ first, count: 1, node, step: 0, virtual: i < own ? undefined : "declared" }));
  }

  /** A balancer's own address, its sources and its virtual addresses. */
  #balancerRanges({ firstRow, pool, virtual }: PlannedPopulation, member: number): Range[] {
    const node = firstRow + member;
    const population = this.#plan.populations[this.#nodes.words[node * STRIDE + NODE.POPULATION]];
    const own: Range = { first: this.#nodes.words[node * STRIDE + ADDRESS], count: 1, node, step: 1, virtual: "own" };
    const ranges = [own];
    if (pool.count > 1 || !pool.atAddress) {
      ranges.push({ first: this.#poolIds(population, member), count: pool.count, node, step: 0 });
    }
    const shared = virtual.length === 0 ? [] : this.#nodes.extraAddresses.get(node)!.slice(-virtual.length);
    for (const first of shared) ranges.push({ first, count: 1, node, step: 0, virtual: "declared" });
    return ranges;
  }
}
