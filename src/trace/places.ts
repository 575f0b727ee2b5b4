/**
 * Names of the places where a trace's events were, from its header.
 *
 * @module
 */
import type { TraceHeader } from "./items.ts";

/** The nodes and links of a header, found by their ranks. */
export class Places {
  readonly #nodes: { first: number; name: string; count: number; plural: boolean; host: boolean }[] = [];
  readonly #links: { first: number; name: string; count: number; a: [number, number]; b: [number, number] }[] = [];
  /** Nodes in all. */
  declare readonly nodeCount: number;

  /** Of a header. */
  constructor(header: Pick<TraceHeader, "nodes" | "links">) {
    let rank = 0;
    for (const { name, count, plural, host } of header.nodes) {
      this.#nodes.push({ first: rank, name, count, plural, host });
      rank += count;
    }
    this.nodeCount = rank;
    rank = 0;
    for (const { name, count, a, b } of header.links) {
      this.#links.push({ first: rank, name, count, a, b });
      rank += 2 * count;
    }
  }

  /** A node's name: `server`, `clients[3]`. */
  nodeName(rank: number): string {
    const found = within(this.#nodes, rank);
    if (found === undefined || rank - found.first >= found.count) return `node ${rank}`;
    return found.plural ? `${found.name}[${rank - found.first}]` : found.name;
  }

  /** Ranks of the nodes that a link direction leads from and to; undefined for loopback and what is not there. */
  endsOf(rank: number): { from: number; to: number } | undefined {
    const found = within(this.#links, rank);
    if (found === undefined || rank >= found.first + 2 * found.count) return undefined;
    const link = Math.floor((rank - found.first) / 2);
    const a = found.a[0] + Math.floor((link * found.a[1]) / found.count);
    const b = found.b[0] + Math.floor((link * found.b[1]) / found.count);
    return (rank - found.first) % 2 === 0 ? { from: a, to: b } : { from: b, to: a };
  }

  /** A link direction in words: `clients[3] > r1`. */
  directionName(rank: number): string {
    if (rank < 0) return "loopback";
    const ends = this.endsOf(rank);
    return ends === undefined ? `link direction ${rank}` : `${this.nodeName(ends.from)} > ${this.nodeName(ends.to)}`;
  }

  /** Does a link direction lead to a host, where packets end? */
  endsAtHost(rank: number): boolean {
    if (rank < 0) return true;
    const ends = this.endsOf(rank);
    return ends !== undefined && (within(this.#nodes, ends.to)?.host ?? false);
  }
}

/** The last of some ranges that begins at or before `rank`. */
function within<T extends { first: number }>(ranges: readonly T[], rank: number): T | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle].first <= rank) low = middle + 1;
    else high = middle;
  }
  return rank < 0 ? undefined : ranges[low - 1];
}
