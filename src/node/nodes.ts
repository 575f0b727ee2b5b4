/**
 * Nodes as rows: a million hosts cost a cache line each. What alike nodes share stands in their population.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { alignedWords } from "../store/rows.ts";

/** What a node is. */
export const NODE_KIND = { HOST: 0, ROUTER: 1, NAT: 2, BALANCER: 3 } as const;

/** Word offsets of a node's row. */
export const NODE = {
  /** `NODE_KIND`. */
  KIND: 0,
  /** Stable place among all nodes: by name, then by member; independent of rows. */
  RANK: 1,
  /** Index of its population in `Nodes.populations`. */
  POPULATION: 2,
  /** Its first address id. NAT: its first external address. Router: source of ICMP errors. */
  ADDRESS: 3,
  /** The link direction it sends into where it has just one; -1 where `ROUTES` decides. */
  EGRESS: 4,
  /** Route table (NAT: of the outer realm), 0 for none. */
  ROUTES: 5,
  /** NAT: route table of the inner realm. */
  INNER_ROUTES: 6,
  /** NAT: gateway id. */
  GATEWAY: 7,
  /** Host: its row in `Cpus`, 0 for none: then its work takes no time. */
  CPU: 7,
  /** Balancer: its id in `Balancers`. */
  BALANCER: 7,
  /** Router: what its ECMP hash is salted with, from its name; 0 for none. */
  SALT: 7,
  /** Running hash over the packets delivered here, two words. */
  DIGEST_LO: 8,
  DIGEST_HI: 9,
  /** Running hash over drops, NAT decisions and timers that acted here, two words. */
  EVENT_LO: 10,
  EVENT_HI: 11,
  /** Application events that this node has scheduled: their number in the total order. */
  SCHEDULED: 12,
  /** Sockets open (file descriptors). */
  FILES: 13,
  /** NAT: its address in the inner realm, 0 for none. */
  INNER_ADDRESS: 14,
  /** `NODE_FLAG` bits. */
  FLAGS: 15,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** Bits of `NODE.FLAGS`. */
export const NODE_FLAG = {
  /** It has more addresses than `NODE.ADDRESS`, in `Nodes.extraAddresses`. */
  MANY_ADDRESSES: 1,
  /** A NAT that answers refused packets with ICMP "administratively prohibited". */
  REFUSES_WITH_ICMP: 2,
  /** It has an IPv6 address beside its IPv4 one: `Nodes.address6Of`. */
  DUAL_STACK: 4,
  /** A NAT of IPv4 that passes IPv6 on as a router does; `NODE.ROUTES` is its table for it, whichever side. */
  ROUTES_IPV6: 8,
  /** A NAT that also translates IPv6 to IPv4: see `nat64PrefixOf`. */
  NAT64: 128,
  /** A NAT that does not translate for some destinations: see `Untranslated`. */
  UNTRANSLATED: 256,
  /** A router whose equal-cost groups keep what they can when a link goes down. */
  RESILIENT_ECMP: 16,
  /** A back end that answers clients by way of a balancer: `Balancers.returns`. */
  ANSWERS_VIA_BALANCER: 32,
  /** It is switched off (an event). */
  DOWN: 64,
} as const;

/** A declaration: one node, or many alike. */
export interface Population {
  /** As declared. */
  name: string;
  /** Members; 1 for a single node. */
  count: number;
  /** Declared with `count`, so that its members are called `name[i]`. */
  plural: boolean;
  /** Row of its first member; members are contiguous. */
  firstRow: number;
  /** Rank of its first member. */
  firstRank: number;
  /** Id of the first member's IPv6 address, 0 for none; the others' follow (which have one: `NODE_FLAG.DUAL_STACK`). */
  firstAddress6: number;
  /** Open files at most for each member. */
  maxFiles: number;
  /** Memory for sockets at most for each member, bytes. */
  memoryBytes: number;
  /** Most sockets that a member has had open at once. */
  peakFiles: number;
}

const { RANK, POPULATION, ADDRESS, FLAGS, MASK, STRIDE } = NODE;
const { MANY_ADDRESSES, DUAL_STACK } = NODE_FLAG;

/** The nodes of one partition. */
export class Nodes {
  /** Rows: `words[n * NODE.STRIDE + field]`. Row 0 is no node. */
  declare readonly words: Int32Array;
  /** Rows reserved. */
  declare readonly capacity: number;
  /** Declarations, in the order of their names. */
  declare readonly populations: Population[];
  /** Every address id of nodes that have more than one, by node row. */
  readonly extraAddresses: Map<number, number[]> = new Map();
  #byName = new Map<string, Population>();

  /** Reserves rows 1 to `capacity`. */
  constructor(options: { capacity: number; populations: Population[] }) {
    this.capacity = options.capacity;
    this.words = alignedWords((options.capacity + 1) * STRIDE);
    this.populations = options.populations;
    // Row 0 schedules what belongs to no node: before all others.
    this.words[RANK] = -1;
    for (const population of options.populations) this.#byName.set(population.name, population);
  }

  /** A declaration by name. */
  population(name: string): Population | undefined {
    return this.#byName.get(name);
  }

  /** A node's name: `server`, `clients[17]`. */
  nameOf(node: number): string {
    const population = this.populations[this.words[node * STRIDE + POPULATION]];
    return population.plural ? `${population.name}[${node - population.firstRow}]` : population.name;
  }

  /** A node's stable rank. */
  rankOf(node: number): number {
    return this.words[node * STRIDE + RANK];
  }

  /** The row of the node with a rank. */
  rowOfRank(rank: number): number {
    for (const { firstRow, firstRank, count } of this.populations) {
      if (rank >= firstRank && rank < firstRank + count) return firstRow + rank - firstRank;
    }
    return 0;
  }

  /** Has the node this address? */
  hasAddress(node: number, address: number): boolean {
    const at = (node * STRIDE) & MASK;
    if (this.words[at + ADDRESS] === address) return true;
    const flags = this.words[at + FLAGS];
    if ((flags & (MANY_ADDRESSES | DUAL_STACK)) === 0) return false;
    if ((flags & DUAL_STACK) !== 0 && this.address6Of(node) === address) return true;
    return (flags & MANY_ADDRESSES) !== 0 && this.extraAddresses.get(node)!.includes(address);
  }

  /** The id of a dual-stacked node's IPv6 address, 0 if it is not one. */
  address6Of(node: number): number {
    const at = (node * STRIDE) & MASK;
    if ((this.words[at + FLAGS] & DUAL_STACK) === 0) return 0;
    const population = this.populations[this.words[at + POPULATION]];
    return population.firstAddress6 + node - population.firstRow;
  }

  /** All address ids of a node, the first one first. */
  addressesOf(node: number): number[] {
    const all = [...this.extraAddresses.get(node) ?? [this.words[node * STRIDE + ADDRESS]]];
    const address6 = this.address6Of(node);
    if (address6 !== 0) all.splice(1, 0, address6);
    return all;
  }
}
