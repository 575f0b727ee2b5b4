/**
 * Interfaces: what a node calls its end of a link, for captures.
 *
 * @module
 */
import { nearest } from "../base/errors.ts";
import { DIRECTION } from "../link/links.ts";
import { NetworkError } from "./errors.ts";
import type { Partition } from "./partition.ts";

const { FROM, TO, RANK, MASK, STRIDE } = DIRECTION;

/** What every node calls its way to itself. */
export const LOOPBACK = "lo";

/** Links of one declaration, as `Simulation.links` lists them: of an end the first node's rank and how many they are. */
interface Links {
  readonly name: string;
  readonly count: number;
  readonly a: readonly [firstRank: number, count: number];
  readonly b: readonly [firstRank: number, count: number];
}

/** The interfaces of a network's nodes. */
export class Interfaces {
  readonly #partition: Partition;
  readonly #links: readonly Links[];
  /** Rank of each one's first direction. */
  readonly #firstRanks: number[] = [];
  #byRank: Int32Array | undefined;
  #degrees: Map<number, number> | undefined;

  /** `links`: in the order of their ranks. */
  constructor(partition: Partition, links: readonly Links[]) {
    this.#partition = partition;
    this.#links = links;
    let firstRank = 0;
    for (const { count } of links) {
      this.#firstRanks.push(firstRank);
      firstRank += 2 * count;
    }
  }

  /** The name of the link that a direction belongs to. */
  linkOf(direction: number): string {
    const rank = this.#partition.links.words[direction * STRIDE + RANK];
    let low = 0;
    let high = this.#links.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firstRanks[middle] <= rank) low = middle;
      else high = middle - 1;
    }
    return this.#links[low].name;
  }

  /** The direction in which `node` sends, of a link's two. */
  outOf(node: number, direction: number): number {
    const { words, count } = this.#partition.links;
    if (words[direction * STRIDE + FROM] === node) return direction;
    if (this.#byRank === undefined) {
      this.#byRank = new Int32Array(count);
      for (let d = 0; d < count; d++) this.#byRank[words[d * STRIDE + RANK]] = d;
    }
    // There and back are neighbours.
    return this.#byRank[words[direction * STRIDE + RANK] ^ 1];
  }

  /** `clients[3]:r1`: the node, and the neighbour. Where two links lead there, the link instead. */
  nameOf(node: number, direction: number): string {
    const { nodes, links } = this.#partition;
    const name = nodes.nameOf(node);
    if (direction < 0) return `${name}:${LOOPBACK}`;
    const at = (direction * STRIDE) & MASK;
    const peer = links.words[at + FROM] === node ? links.words[at + TO] : links.words[at + FROM];
    return `${name}:${this.#isOnlyOne(node, peer) ? nodes.nameOf(peer) : this.linkOf(direction)}`;
  }

  /** Do no links of another declaration join these two nodes? */
  #isOnlyOne(node: number, peer: number): boolean {
    const { nodes } = this.#partition;
    const one = nodes.rankOf(node);
    const other = nodes.rankOf(peer);
    const holds = ([first, count]: readonly [number, number], rank: number) => rank >= first && rank < first + count;
    const joining = this.#links.filter(({ a, b }) =>
      (holds(a, one) && holds(b, other)) || (holds(a, other) && holds(b, one))
    );
    return joining.length === 1;
  }

  /** Has the node more than one link? */
  isMultihomed(node: number): boolean {
    if (this.#degrees === undefined) {
      const { words, count } = this.#partition.links;
      this.#degrees = new Map();
      for (let d = 0; d < count; d++) {
        const from = words[d * STRIDE + FROM];
        this.#degrees.set(from, (this.#degrees.get(from) ?? 0) + 1);
      }
    }
    return (this.#degrees.get(node) ?? 0) > 1;
  }

  /** Rows of the nodes that `server`, `clients` or `clients[3]` calls. Throws `NetworkError`. */
  nodesOf(text: string): { first: number; count: number } {
    const { nodes } = this.#partition;
    const match = /^([^[\]]+)(?:\[(\d+)\])?$/.exec(text);
    const population = match === null ? undefined : nodes.population(match[1]);
    if (match === null || population === undefined) {
      const near = nearest(text, nodes.populations.map(({ name }) => name));
      const hint = near === undefined ? "." : `: did you mean ${near}?`;
      throw new NetworkError("capture.node", `There is no node ${JSON.stringify(text)}${hint}`);
    }
    if (match[2] === undefined) return { first: population.firstRow, count: population.count };
    const member = Number(match[2]);
    if (member >= population.count || !population.plural) {
      const has = population.plural
        ? `its members are ${population.name}[0] to ${population.name}[${population.count - 1}]`
        : "it stands alone";
      throw new NetworkError("capture.node", `There is no node ${JSON.stringify(text)}: ${has}.`);
    }
    return { first: population.firstRow + member, count: 1 };
  }

  /**
   * Directions into and out of interface `name` (a neighbour, `clients` or `clients[3]`, or a link; `lo` for none) of the
   * nodes; without a name all. Throws `NetworkError` where no node has such an interface.
   */
  directionsOf(
    of: { first: number; count: number },
    text: string,
    name?: string,
  ): { outbound: number[]; inbound: number[] } {
    const { words, count } = this.#partition.links;
    const outbound: number[] = [];
    const inbound: number[] = [];
    const others = new Set<string>();
    const isOf = (node: number) => node >= of.first && node < of.first + of.count;
    for (let d = 0; d < count; d++) {
      const from = words[d * STRIDE + FROM];
      const to = words[d * STRIDE + TO];
      if (isOf(from) && this.#leadsTo(d, to, name, others)) outbound.push(d);
      if (isOf(to) && this.#leadsTo(d, from, name, others)) inbound.push(d);
    }
    if (outbound.length === 0 && inbound.length === 0 && name !== undefined && name !== LOOPBACK) {
      const list = [...others, LOOPBACK];
      const near = nearest(name, list);
      const hint = near === undefined ? `it has ${list.join(", ")}.` : `did you mean ${near}?`;
      throw new NetworkError("capture.interface", `${text} has no interface ${JSON.stringify(name)}: ${hint}`);
    }
    return { outbound, inbound };
  }

  #leadsTo(direction: number, peer: number, name: string | undefined, others: Set<string>): boolean {
    if (name === undefined) return true;
    const { nodes } = this.#partition;
    const one = nodes.nameOf(peer);
    const population = one.replace(/\[\d+\]$/, "");
    const link = this.linkOf(direction);
    if (name === one || name === population || name === link) return true;
    if (others.size < 24) others.add(population).add(link);
    return false;
  }
}
