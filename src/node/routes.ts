/**
 * Forwarding tables: longest prefix match over IPv4 and IPv6, equal-cost groups, and host populations as ranges.
 *
 * All tables of a partition share a few typed arrays. A table of a few routes (a million home gateways have two each)
 * is a list that is scanned; a larger one is a trie of 256-way nodes over the address bytes whose branches end as soon
 * as no longer prefix can match.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { lengthened } from "../base/growth.ts";
import type { AddressTable } from "../base/address.ts";
import type { StateVisitor } from "../base/state.ts";
import { alignedWords, RowPool } from "../store/rows.ts";

/** A family's routes are scanned up to this many, and compiled to a trie beyond. */
const SCANNED_ROUTES = 8;

/** Word offsets of a table's row: half a cache line that answers most lookups in a small table by itself. */
const TABLE = {
  /** IPv4: routes in the list, or `IS_TRIE`; while the table is being built: `BUILDING`. */
  V4_COUNT: 0,
  /** IPv4: place in the pool of the routes between the longest and the default, longest first. */
  V4_LIST: 1,
  /** IPv4: the longest route. Without routes: one that matches everything and leads nowhere. */
  V4_PREFIX: 2,
  V4_MASK: 3,
  V4_SLOT: 4,
  /** IPv4: slot word of the default route, or the trie's root. */
  V4_DEFAULT: 5,
  /** IPv6: place of the list of routes in the pool, or the trie's root. While building: the newest staged route. */
  V6: 6,
  /** IPv6: routes in the list, or `IS_TRIE`. */
  V6_COUNT: 7,
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;
const { V4_COUNT, V4_LIST, V4_PREFIX, V4_MASK, V4_SLOT, V4_DEFAULT, V6, V6_COUNT, MASK, STRIDE } = TABLE;
const IS_TRIE = -1;
const BUILDING = -2;

/** Word offsets of a staged route: prefix words follow `WORDS`. */
const STAGED = { NEXT: 0, FAMILY: 1, BITS: 2, SLOT: 3, WORDS: 4, STRIDE: 8 } as const;

/** Words of a scanned route: IPv4 {prefix, mask, slot}; IPv6 {four prefix words, bits, slot}. */
const V4_WORDS = 3;
const V6_WORDS = 6;

/** Kinds of a slot word (its low two bits); the rest is the value. A slot word 0 is no route. */
const KIND_MASK = 3;
const NO_ROUTE = 0;
/** The value is a link direction. */
const LINK = 1;
/** The value is a place in `#targets`. */
const TARGET = 2;
/** The value is a trie node. */
const NODE = 3;
/** One past the largest value of a slot word. */
const VALUE_LIMIT = 2 ** 29;

/**
 * What a target begins with: a range {`RANGE`, first id, count, link base, stride}, a range {`SPREAD`, first id, count,
 * link base, links}, or the count of a group's links.
 */
const RANGE = 0;
const SPREAD = -1;

/** A network prefix, as `parsePrefix` gives it: bits of the address beyond `bits` are ignored. */
export interface RoutePrefix {
  /** The address: one (IPv4) or four (IPv6) 32-bit words, signed or unsigned, leading word first. */
  readonly address: { readonly family: 4 | 6; readonly words: readonly number[] };
  /** Length of the prefix in bits: 0 to 32 or 128. */
  readonly bits: number;
}

/** Where a route leads. Link directions are integers from 0 to 2^29 - 1. */
export type RouteEntry =
  /** One link direction. */
  | { readonly link: number }
  /**
   * A host population: address id `firstId + i` is reached over link direction `linkBase + i * stride`
   * (0 ≤ i < `count`). An address of the prefix outside the population is unreachable.
   */
  | { readonly firstId: number; readonly count: number; readonly linkBase: number; readonly stride: number }
  /** The same where several hosts share a link: id `firstId + i` over `linkBase + floor(i * spreadLinks / count)`. */
  | { readonly firstId: number; readonly count: number; readonly linkBase: number; readonly spreadLinks: number }
  /** Equal-cost links, of which the flow hash picks one. Order matters; a link named twice has twice the weight. */
  | { readonly links: readonly number[] };

/** Options of {@linkcode RouteTables}. */
export interface RouteTablesOptions {
  /** Tables to reserve room for. Default 1,024; the room doubles when they run out. */
  tables?: number;
}

/** A class of its own, so that V8 takes the tables' rows for a constant until they grow (as packets' rows). */
class TableRows extends RowPool {}

/**
 * The forwarding tables of a partition's nodes. Routes are added to a table, then it is frozen, then looked up.
 *
 * @example
 * ```ts
 * import { AddressTable, parsePrefix } from "../base/address.ts";
 * import { RouteTables } from "./routes.ts";
 * const addresses = new AddressTable();
 * const routes = new RouteTables(addresses);
 * const table = routes.create();
 * routes.add(table, parsePrefix("0.0.0.0/0"), { link: 3 });
 * routes.add(table, parsePrefix("10.0.0.0/8"), { links: [4, 5] });
 * routes.freeze(table);
 * routes.lookup(table, addresses.intern("192.0.2.1"), 0); // 3
 * ```
 */
export class RouteTables {
  declare readonly addresses: AddressTable;
  declare readonly tables: RowPool;
  readonly #staged = new RowPool({ strideWords: STAGED.STRIDE, capacity: 64 });
  /** Staged routes of the table being frozen, in order. */
  #sorted: Int32Array = new Int32Array(64);
  /** The lists of scanned routes. */
  #pool: Int32Array = new Int32Array(1024);
  #poolEnd = 0;
  /** Trie nodes of 256 slot words; node 0 is not used. */
  #nodes: Int32Array = new Int32Array(0);
  #nodeEnd = 1;
  #targets: Int32Array = new Int32Array(256);
  #targetEnd = 0;
  /** What `renew` keeps: ends of tables, lists, trie nodes and targets; none before it is called. */
  #kept: number[] = [];

  /** No tables yet; destinations are ids of `addresses`. */
  constructor(addresses: AddressTable, options: RouteTablesOptions = {}) {
    this.addresses = addresses;
    this.tables = new TableRows({ strideWords: STRIDE, capacity: (options.tables ?? 1023) + 1 });
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.tables.visitState(v);
    this.#staged.visitState(v);
    this.#poolEnd = v.number(this.#poolEnd);
    this.#pool = v.column(this.#pool, this.#poolEnd);
    this.#nodeEnd = v.number(this.#nodeEnd);
    this.#nodes = v.column(this.#nodes, Math.min(this.#nodes.length, this.#nodeEnd * 256));
    this.#targetEnd = v.number(this.#targetEnd);
    this.#targets = v.column(this.#targets, this.#targetEnd);
    this.#kept = v.plain(this.#kept);
  }

  /**
   * Tables are about to be made that take the place of those made since this was called last, whose room is free again.
   * What there was when it was called first stays.
   */
  renew(): void {
    if (this.#kept.length === 0) {
      this.#kept = [this.tables.end, this.#poolEnd, this.#nodeEnd, this.#targetEnd];
      return;
    }
    const [tables, pool, nodes, targets] = this.#kept;
    this.tables.truncate(tables);
    this.#poolEnd = pool;
    this.#nodeEnd = nodes;
    this.#targetEnd = targets;
  }

  /** A new empty table's id, at least 1. */
  create(): number {
    const table = this.tables.allocate();
    this.tables.words[table * STRIDE + V4_COUNT] = BUILDING;
    return table;
  }

  /**
   * Adds a route to a table that is not frozen. A second route for the same prefix replaces the first. Throws
   * `RangeError` for a link direction, a prefix length or a population out of range, `Error` if the table is frozen.
   */
  add(table: number, prefix: RoutePrefix, entry: RouteEntry): void {
    const { family, words } = prefix.address;
    this.#checkBuilding(table);
    if (!(Number.isInteger(prefix.bits) && prefix.bits >= 0 && prefix.bits <= (family === 4 ? 32 : 128))) {
      throw new RangeError(`A prefix of IPv${family} cannot have ${prefix.bits} bits.`);
    }
    const slot = this.#slotOf(entry);
    const route = this.#staged.allocate();
    const staged = this.#staged.words;
    const tables = this.tables.words;
    const at = route * STAGED.STRIDE;
    staged[at + STAGED.NEXT] = tables[table * STRIDE + V6];
    tables[table * STRIDE + V6] = route;
    staged[at + STAGED.FAMILY] = family;
    staged[at + STAGED.BITS] = prefix.bits;
    staged[at + STAGED.SLOT] = slot;
    for (let k = 0; k < words.length; k++) staged[at + STAGED.WORDS + k] = words[k] & maskWord(prefix.bits, k);
  }

  /**
   * Compiles a table; routes can no longer be added. Freeze a table before the next is filled: routes take less room
   * afterwards. Throws `Error` if it is frozen already.
   */
  freeze(table: number): void {
    this.#checkBuilding(table);
    const count = this.#sortStaged(table);
    const staged = this.#staged.words;
    let v4Count = 0;
    while (v4Count < count && staged[this.#sorted[v4Count] * STAGED.STRIDE + STAGED.FAMILY] === 4) v4Count++;
    this.#compileV4(table * STRIDE, v4Count);
    const first = this.tables.words[table * STRIDE + V6];
    this.#compileV6(table * STRIDE, v4Count, count);
    for (let route = first; route !== 0;) {
      const next = staged[route * STAGED.STRIDE + STAGED.NEXT];
      this.#staged.release(route);
      route = next;
    }
  }

  /**
   * The link direction towards an address by the longest matching prefix of a frozen table; -1 if there is no route,
   * or no such host in the population that the prefix stands for. `flowHash` (any i32, from stable words: address
   * bytes and ports, never ids) picks a link of an equal-cost group.
   */
  lookup(table: number, destinationId: number, flowHash: number): number {
    const found = this.route(table, destinationId);
    return found >= -1 ? found : this.groupLink(found, (flowHash >>> 0) % this.groupSize(found));
  }

  /**
   * As {@linkcode RouteTables.lookup}, but leaves the choice among equal-cost links to the caller: below -1 the value
   * stands for their group (`groupSize`, `groupLink`).
   */
  route(table: number, destinationId: number): number {
    const tables = this.tables.words;
    const row = (table * STRIDE) & MASK;
    let slot: number;
    if (this.addresses.isIpv6(destinationId)) {
      const count = tables[row + V6_COUNT];
      const place = tables[row + V6];
      slot = (count === IS_TRIE ? this.#walkV6(place, destinationId) : this.#scanV6(place, count, destinationId)) | 0;
    } else {
      const word = this.addresses.word(destinationId);
      const count = tables[row + V4_COUNT];
      if (count === IS_TRIE) slot = this.#walkV4(tables[row + V4_DEFAULT], word) | 0;
      else if ((word & tables[row + V4_MASK]) === tables[row + V4_PREFIX]) slot = tables[row + V4_SLOT];
      else slot = count > 0 ? this.#scanV4(row, count, word) | 0 : tables[row + V4_DEFAULT];
    }
    const value = slot >> 2;
    if ((slot & KIND_MASK) === LINK) return value;
    return slot === NO_ROUTE ? -1 : this.#choose(value, destinationId) | 0;
  }

  /** How many links a group has that `route` found. */
  groupSize(group: number): number {
    return this.#targets[-2 - group];
  }

  /** Link direction `k` of a group, from 0 on, in the order in which they were given. */
  groupLink(group: number, k: number): number {
    return this.#targets[-1 - group + k];
  }

  /** Loads a table's row, so that a lookup soon after finds it in the cache. What it returns is only there to be used. */
  touch(table: number): number {
    return this.tables.words[table * STRIDE];
  }

  /** Bytes that tables, routes, trie nodes and targets take up. */
  get bytes(): number {
    return 4 * (this.tables.end * STRIDE + this.#poolEnd + (this.#nodeEnd - 1) * 256 + this.#targetEnd);
  }

  #scanV4(row: number, count: number, word: number): number {
    const pool = this.#pool;
    const begin = this.tables.words[row + V4_LIST];
    for (let at = begin, end = begin + count * V4_WORDS; at < end; at += V4_WORDS) {
      if ((word & pool[at + 1]) === pool[at]) return pool[at + 2];
    }
    return this.tables.words[row + V4_DEFAULT];
  }

  #scanV6(begin: number, count: number, id: number): number {
    const pool = this.#pool;
    for (let at = begin, end = begin + count * V6_WORDS; at < end; at += V6_WORDS) {
      const bits = pool[at + 4];
      let k = 0;
      while (32 * k < bits && (this.addresses.v6Word(id, k) & maskWord(bits, k)) === pool[at + k]) k++;
      if (32 * k >= bits) return pool[at + 5];
    }
    return NO_ROUTE;
  }

  #walkV4(slot: number, word: number): number {
    const nodes = this.#nodes;
    for (let shift = 24; (slot & KIND_MASK) === NODE; shift -= 8) {
      slot = nodes[((slot >> 2) << 8) | ((word >>> shift) & 255)];
    }
    return slot;
  }

  #walkV6(slot: number, id: number): number {
    const nodes = this.#nodes;
    let word = 0;
    for (let depth = 0; (slot & KIND_MASK) === NODE; depth++) {
      if ((depth & 3) === 0) word = this.addresses.v6Word(id, depth >> 2);
      slot = nodes[((slot >> 2) << 8) | ((word >>> (24 - 8 * (depth & 3))) & 255)];
    }
    return slot;
  }

  #choose(target: number, id: number): number {
    const targets = this.#targets;
    const links = targets[target];
    if (links > 0) return -2 - target;
    const i = id - targets[target + 1];
    const count = targets[target + 2];
    if (i < 0 || i >= count) return -1;
    const step = targets[target + 4];
    return targets[target + 3] + (links === RANGE ? i * step : Math.floor((i * step) / count));
  }

  #checkBuilding(table: number): void {
    if (this.tables.words[table * STRIDE + V4_COUNT] !== BUILDING) {
      throw new Error(`Routing table ${table} is frozen: routes are added before that.`);
    }
  }

  #slotOf(entry: RouteEntry): number {
    if ("link" in entry) return (checkLink(entry.link) << 2) | LINK;
    if ("links" in entry) {
      if (entry.links.length === 0) throw new RangeError("A group of equal-cost links needs at least one link.");
      if (entry.links.length === 1) return (checkLink(entry.links[0]) << 2) | LINK;
      return (this.#addTarget([entry.links.length, ...entry.links.map(checkLink)]) << 2) | TARGET;
    }
    if ("spreadLinks" in entry) {
      const { firstId, count, linkBase, spreadLinks } = entry;
      if (!(firstId > 0 && count > 0 && spreadLinks > 0 && spreadLinks <= count)) {
        throw new RangeError(`A population of ${count} is not spread over ${spreadLinks} links.`);
      }
      checkLink(linkBase);
      checkLink(linkBase + spreadLinks - 1);
      return (this.#addTarget([SPREAD, firstId, count, linkBase, spreadLinks]) << 2) | TARGET;
    }
    const { firstId, count, linkBase, stride } = entry;
    if (!(firstId > 0 && count > 0 && Number.isInteger(stride))) {
      throw new RangeError(`A population needs a first id, a count and a stride, not ${firstId}, ${count}, ${stride}.`);
    }
    checkLink(linkBase);
    checkLink(linkBase + (count - 1) * stride);
    return (this.#addTarget([RANGE, firstId, count, linkBase, stride]) << 2) | TARGET;
  }

  #addTarget(words: number[]): number {
    const target = this.#targetEnd;
    this.#targets = withRoom(this.#targets, target + words.length);
    this.#targets.set(words, target);
    this.#targetEnd += words.length;
    return target;
  }

  /**
   * Lists a table's staged routes in `#sorted`: IPv4 first, longest first, one per prefix (the newest). Returns their
   * number.
   */
  #sortStaged(table: number): number {
    const staged = this.#staged.words;
    let sorted = this.#sorted;
    let count = 0;
    for (let route = this.tables.words[table * STRIDE + V6]; route !== 0;) {
      this.#sorted = sorted = withRoom(sorted, count + 1);
      sorted[count++] = route;
      route = staged[route * STAGED.STRIDE + STAGED.NEXT];
    }
    // (Stable: of equal prefixes the newest stays first.)
    if (count > 2) sorted.set(Array.from(sorted.subarray(0, count)).sort((a, b) => compareStaged(staged, a, b)));
    else if (count === 2 && compareStaged(staged, sorted[0], sorted[1]) > 0) sorted.subarray(0, 2).reverse();
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (kept === 0 || compareStaged(staged, sorted[kept - 1], sorted[i]) !== 0) sorted[kept++] = sorted[i];
    }
    return kept;
  }

  #compileV4(row: number, end: number): void {
    const tables = this.tables.words;
    if (end > SCANNED_ROUTES) {
      tables[row + V4_COUNT] = IS_TRIE;
      tables[row + V4_DEFAULT] = this.#compileTrie(0, end);
      return;
    }
    const staged = this.#staged.words;
    tables[row + V4_LIST] = this.#poolEnd;
    tables[row + V4_COUNT] = 0;
    for (let i = 0; i < end; i++) {
      const at = this.#sorted[i] * STAGED.STRIDE;
      const prefix = staged[at + STAGED.WORDS];
      const mask = maskWord(staged[at + STAGED.BITS], 0);
      const slot = staged[at + STAGED.SLOT];
      if (i === 0) {
        tables[row + V4_PREFIX] = prefix;
        tables[row + V4_MASK] = mask;
        tables[row + V4_SLOT] = slot;
      } else if (mask === 0) {
        tables[row + V4_DEFAULT] = slot;
      } else {
        const pool = this.#pool = withRoom(this.#pool, this.#poolEnd + V4_WORDS);
        pool[this.#poolEnd] = prefix;
        pool[this.#poolEnd + 1] = mask;
        pool[this.#poolEnd + 2] = slot;
        this.#poolEnd += V4_WORDS;
        tables[row + V4_COUNT]++;
      }
    }
  }

  #compileV6(row: number, begin: number, end: number): void {
    const tables = this.tables.words;
    if (end - begin > SCANNED_ROUTES) {
      tables[row + V6_COUNT] = IS_TRIE;
      tables[row + V6] = this.#compileTrie(begin, end);
      return;
    }
    const staged = this.#staged.words;
    tables[row + V6_COUNT] = end - begin;
    tables[row + V6] = this.#poolEnd;
    for (let i = begin; i < end; i++) {
      const at = this.#sorted[i] * STAGED.STRIDE;
      const pool = this.#pool = withRoom(this.#pool, this.#poolEnd + V6_WORDS);
      for (let k = 0; k < 4; k++) pool[this.#poolEnd + k] = staged[at + STAGED.WORDS + k];
      pool[this.#poolEnd + 4] = staged[at + STAGED.BITS];
      pool[this.#poolEnd + 5] = staged[at + STAGED.SLOT];
      this.#poolEnd += V6_WORDS;
    }
  }

  /** Compiles `#sorted[begin] … #sorted[end - 1]`, the shortest first, and returns the root's slot word. */
  #compileTrie(begin: number, end: number): number {
    let root = NO_ROUTE;
    for (let i = end - 1; i >= begin; i--) root = this.#insert(root, this.#sorted[i] * STAGED.STRIDE, 0);
    return root;
  }

  /** Inserts the staged route at `route` into a subtrie of address byte `depth`; returns the subtrie's new slot word. */
  #insert(slot: number, route: number, depth: number): number {
    const staged = this.#staged.words;
    const target = staged[route + STAGED.SLOT];
    const rest = staged[route + STAGED.BITS] - 8 * depth;
    if (rest === 0) return target;
    const node = (slot & KIND_MASK) === NODE ? slot >> 2 : this.#addNode(slot);
    const byte = (staged[route + STAGED.WORDS + (depth >> 2)] >>> (24 - 8 * (depth & 3))) & 255;
    const at = (node << 8) | byte;
    if (rest >= 8) {
      // (The nodes may be replaced within.)
      const below = this.#insert(this.#nodes[at], route, depth + 1);
      this.#nodes[at] = below;
    } else this.#nodes.fill(target, at, at + (1 << (8 - rest)));
    return (node << 2) | NODE;
  }

  #addNode(slot: number): number {
    const node = this.#nodeEnd++;
    if (this.#nodeEnd * 256 > this.#nodes.length) {
      const grown = alignedWords(Math.max(16 * 256, this.#nodes.length * 2));
      grown.set(this.#nodes);
      this.#nodes = grown;
    }
    this.#nodes.fill(slot, node << 8, (node + 1) << 8);
    return node;
  }
}

/** Word `k` of the mask of a prefix of `bits` bits, signed. */
function maskWord(bits: number, k: number): number {
  const rest = bits - 32 * k;
  return rest >= 32 ? -1 : rest <= 0 ? 0 : -1 << (32 - rest);
}

/** Orders staged routes: IPv4 first, longest first, then by prefix; 0 for the same prefix. */
function compareStaged(staged: Int32Array, a: number, b: number): number {
  const left = a * STAGED.STRIDE;
  const right = b * STAGED.STRIDE;
  let difference = staged[left + STAGED.FAMILY] - staged[right + STAGED.FAMILY] ||
    staged[right + STAGED.BITS] - staged[left + STAGED.BITS];
  for (let k = STAGED.WORDS; difference === 0 && k < STAGED.STRIDE; k++) {
    difference = staged[left + k] - staged[right + k];
  }
  return difference;
}

function checkLink(link: number): number {
  if (!(Number.isInteger(link) && link >= 0 && link < VALUE_LIMIT)) {
    throw new RangeError(`A link direction must be an integer from 0 to ${VALUE_LIMIT - 1}, not ${link}.`);
  }
  return link;
}

/** `words`, or a larger copy if it has no room for `needed`. */
function withRoom(words: Int32Array, needed: number): Int32Array {
  return needed <= words.length ? words : lengthened(words, Math.max(needed, words.length * 2));
}
