/**
 * Addresses as 32-bit ids, so that IPv6 costs what IPv4 costs (DESIGN section 3).
 *
 * An id is `block << 8 | last byte of the address`: a block stands for some addresses that share all but their last byte
 * (a page: an IPv4 /24, an IPv6 /120). So addresses in a row have ids in a row, and all about an address follows from
 * its block's columns. A page may have several blocks: at most one *loose* one (addresses interned one by one, marked in
 * a bitmap) and any number of *range* blocks (a span).
 *
 * @module
 */
import { grown, lengthened } from "./growth.ts";
import {
  addressDistance,
  AddressError,
  type AddressRange,
  addToAddress,
  compareAddresses,
  formatAddress,
  type IpAddress,
  parseAddress,
  readWord,
  writeWord,
} from "./ip.ts";
import { finalise32, mix32 } from "./hash.ts";
import type { StateVisitor } from "./state.ts";

/** Blocks that fit ids below 2^31. */
const MAX_BLOCKS = 2 ** 23;

// Words of a block's cold row.
const NEXT = 0; // next block of the page, or of the free list; 0 for none
const SPAN = 1; // last byte of the first and (<< 8) of the last member; LOOSE: see the bitmap
const COUNT = 2; // holds on a counted block; PINNED: never released
const COLD_STRIDE = 4;
const LOOSE = -1;
const PINNED = -1;

// What #claim says besides a block's number.
const EXTENDS_LOOSE = -1; // the loose block holds some, no other block any
const MIXED = -2; // several blocks, or a range block, hold some but not all

/** Words of a block's bitmap of members. */
const MEMBER_STRIDE = 8;

/**
 * Gives addresses their ids. Equal addresses have equal ids and different addresses different ones, whatever the order
 * of the calls. Id 0 is no address; ids are below 2^31. What depends on a result must not depend on an id: use
 * {@linkcode AddressTable.word} or the bytes.
 *
 * Addresses of the scenario are interned for good ({@linkcode AddressTable.intern}, `internRange`, `reserve`);
 * addresses met in mid-run are held by count ({@linkcode AddressTable.internCounted}, `retain`, `release`).
 *
 * @example
 * ```ts
 * import { AddressTable } from "./address.ts";
 * const table = new AddressTable();
 * const clients = table.internRange("10.0.0.2", 1000);
 * table.toText(clients + 999); // "10.0.3.233"
 * table.intern("10.0.3.233") === clients + 999; // true
 * ```
 */
export class AddressTable {
  /** By block: the word of its page's first address (see `word`). Until the table grows, V8 takes it for a constant. */
  declare private words: Int32Array;
  /** By block: 1 for IPv6. (A constant, too.) */
  declare private ipv6: Uint8Array;
  /** By block: the words of an IPv6 page's first address. Untouched pages of memory cost nothing. */
  #sixWords: Int32Array = new Int32Array(0);
  #cold: Int32Array = new Int32Array(0);
  #members: Int32Array = new Int32Array(0);
  #capacity = 0;
  #nextBlock = 1;
  #freeBlock = 0;
  #blocksInUse = 0;
  /** Open addressing by page: first block of the page's chain, 0 for an empty slot. */
  #slots: Int32Array = new Int32Array(0);
  #slotsUsed = 0;

  // The address that the current call is about: the words of its page, its last byte.
  #a0 = 0;
  #a1 = 0;
  #a2 = 0;
  #a3 = 0;
  #six = 0;
  #last = 0;
  #pageWord = 0;

  /** Reserves room for `blocks` blocks (default 256); the table doubles when they run out. */
  constructor(options: { blocks?: number } = {}) {
    const capacity = Math.min(MAX_BLOCKS, Math.max(2, options.blocks ?? 256));
    this.#capacity = capacity;
    this.words = new Int32Array(capacity);
    this.ipv6 = new Uint8Array(capacity);
    this.#sixWords = new Int32Array(capacity * 4);
    this.#cold = new Int32Array(capacity * COLD_STRIDE);
    this.#members = new Int32Array(capacity * MEMBER_STRIDE);
    this.#slots = new Int32Array(128);
  }

  /** Blocks in use (of up to 256 ids): what a flood of spoofed addresses must not raise for good. */
  get blocksInUse(): number {
    return this.#blocksInUse;
  }

  /**
   * A 32-bit word that depends on the address alone: an IPv4 address itself, a mix of an IPv6 address in which
   * neighbours differ by 1. Signed. Of id 0: 0.
   */
  word(id: number): number {
    return (this.words[id >>> 8] + (id & 255)) | 0;
  }

  /** Whether the address is an IPv6 one. Of id 0: false. */
  isIpv6(id: number): boolean {
    return this.ipv6[id >>> 8] !== 0;
  }

  /** Word `k` (0 to 3, the leading one first) of an IPv6 address, signed. */
  v6Word(id: number, k: number): number {
    const word = this.#sixWords[((id >>> 8) << 2) + k];
    return k === 3 ? word | (id & 255) : word;
  }

  /** Of each block (an id's bits from the ninth on) whether its ids are given for good. */
  blocksForGood(): Uint8Array {
    return Uint8Array.from(
      { length: this.#nextBlock },
      (_, i) => this.#cold[i * COLD_STRIDE + COUNT] === PINNED ? 1 : 0,
    );
  }

  /** The address. Throws {@linkcode AddressError} for id 0. */
  toAddress(id: number): IpAddress {
    if (id === 0) throw new AddressError("Id 0 is no address.");
    if (!this.isIpv6(id)) return { family: 4, words: [this.word(id) >>> 0] };
    return { family: 6, words: [0, 1, 2, 3].map((k) => this.v6Word(id, k) >>> 0) };
  }

  /** The address as text (RFC 5952); `*` for id 0. */
  toText(id: number): string {
    return id === 0 ? "*" : formatAddress(this.toAddress(id));
  }

  /** Writes the address as it stands in a packet and returns its length, 4 or 16. Id 0 writes 0.0.0.0. */
  writeBytes(id: number, into: Uint8Array, at: number): 4 | 16 {
    if (!this.isIpv6(id)) {
      writeWord(this.word(id), into, at);
      return 4;
    }
    for (let k = 0; k < 4; k++) writeWord(this.v6Word(id, k), into, at + 4 * k);
    return 16;
  }

  /** The id of an address (text, value, or its 4 or 16 bytes), given for good. */
  intern(address: string | IpAddress | Uint8Array): number {
    this.#load(address);
    return this.#internLoaded(true);
  }

  /**
   * The id of an address met in mid-run, held once for the caller: end with {@linkcode AddressTable.release}. An
   * address of the scenario has its usual id, and holding it costs nothing.
   */
  internCounted(address: string | IpAddress | Uint8Array): number {
    this.#load(address);
    return this.#internLoaded(false);
  }

  /** Holds an id once more. Without effect on what was interned for good. */
  retain(id: number): void {
    const at = (id >>> 8) * COLD_STRIDE + COUNT;
    if (this.#cold[at] > 0) this.#cold[at]++;
  }

  /** Ends one hold. When none is left in the block, its ids are given to other addresses. */
  release(id: number): void {
    const block = id >>> 8;
    const at = block * COLD_STRIDE + COUNT;
    if (this.#cold[at] > 0 && --this.#cold[at] === 0) this.#free(block);
  }

  /** The id of an address (text, value, or its 4 or 16 bytes), or 0 if it has none. */
  lookup(address: string | IpAddress | Uint8Array): number {
    this.#load(address);
    return this.#findLoaded();
  }

  /** As {@linkcode AddressTable.lookup}, of the 4 or 16 (`length`) bytes at `at` of a packet; allocates nothing. */
  lookupBytes(bytes: Uint8Array, at: number, length: 4 | 16): number {
    this.#loadBytes(bytes, at, length);
    return this.#findLoaded();
  }

  /**
   * Gives `count` addresses from `first` on contiguous ids, for good, and returns the first. If they all have
   * contiguous ids already (they lie within a known range), returns those. Throws {@linkcode AddressError} if some of
   * them have ids and others not: then {@linkcode AddressTable.reserve} the ranges before.
   */
  internRange(first: IpAddress | string, count: number): number {
    const start = typeof first === "string" ? parseAddress(first) : first;
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new AddressError(`A range of addresses from ${formatAddress(start)} cannot have ${count} of them.`);
    }
    this.#load(addToAddress(start, count - 1));
    const lastByte = this.#last;
    this.#load(start);
    const firstByte = this.#last;
    const blocks = Math.ceil((firstByte + count) / 256);
    if (blocks >= MAX_BLOCKS) throw fullError();
    let known = 0;
    for (let i = 0; i < blocks; i++) {
      const claimed = this.#claim(i === 0 ? firstByte : 0, i === blocks - 1 ? lastByte : 255);
      if (i === 0) known = claimed;
      // A page of its own may be completed in its loose block; a longer range needs new blocks in a row.
      const fits = claimed >= 0 ? claimed === (known > 0 ? known + i : 0) : blocks === 1 && claimed === EXTENDS_LOOSE;
      if (!fits) throw rangeError(start, count);
      this.#nextPage();
    }
    if (known > 0) {
      for (let i = 0; i < blocks; i++) this.#cold[(known + i) * COLD_STRIDE + COUNT] = PINNED;
      return (known << 8) | firstByte;
    }
    this.#load(start);
    if (blocks === 1) return this.#internWithinPage(firstByte, lastByte);
    if (this.#nextBlock + blocks > this.#capacity) this.#grow(this.#nextBlock + blocks);
    const firstBlock = this.#nextBlock;
    this.#nextBlock += blocks;
    for (let i = 0; i < blocks; i++) {
      const span = (i === 0 ? firstByte : 0) | ((i === blocks - 1 ? lastByte : 255) << 8);
      this.#place(firstBlock + i, span, PINNED);
      this.#nextPage();
    }
    return (firstBlock << 8) | firstByte;
  }

  /**
   * Gives many ranges their ids at once, overlapping and touching ones together, so that each range is contiguous and
   * each address has one id. To be called before anything else is interned. Returns the id of each range's first.
   */
  reserve(ranges: readonly AddressRange[]): number[] {
    const sorted = ranges.map(({ first, count }) => ({
      first: typeof first === "string" ? parseAddress(first) : first,
      count,
    })).sort((a, b) => compareAddresses(a.first, b.first));
    for (let i = 0; i < sorted.length;) {
      const { first } = sorted[i];
      let { count } = sorted[i];
      for (i++; i < sorted.length && sorted[i].first.family === first.family; i++) {
        const distance = addressDistance(first, sorted[i].first);
        if (distance > count) break;
        count = Math.max(count, distance + sorted[i].count);
      }
      this.internRange(first, count);
    }
    return ranges.map(({ first, count }) => this.internRange(first, count));
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#nextBlock = v.number(this.#nextBlock);
    this.#freeBlock = v.number(this.#freeBlock);
    this.#blocksInUse = v.number(this.#blocksInUse);
    this.#slotsUsed = v.number(this.#slotsUsed);
    this.words = v.column(this.words, this.#nextBlock);
    this.ipv6 = v.column(this.ipv6, this.#nextBlock);
    this.#sixWords = v.column(this.#sixWords, this.#nextBlock * 4);
    this.#cold = v.column(this.#cold, this.#nextBlock * COLD_STRIDE);
    this.#members = v.column(this.#members, this.#nextBlock * MEMBER_STRIDE);
    this.#slots = v.column(this.#slots);
    this.#capacity = this.words.length;
  }

  /** Reads the address that the current call is about. */
  #load(address: string | IpAddress | Uint8Array): void {
    if (address instanceof Uint8Array) {
      if (address.length !== 4 && address.length !== 16) {
        throw new AddressError(`An address has 4 or 16 bytes, not ${address.length}.`);
      }
      this.#loadBytes(address, 0, address.length);
      return;
    }
    const { family, words } = typeof address === "string" ? parseAddress(address) : address;
    if (family === 4) this.#set(0, words[0], 0, 0, 0);
    else this.#set(1, words[0], words[1], words[2], words[3]);
  }

  #loadBytes(bytes: Uint8Array, at: number, length: number): void {
    if (length === 4) this.#set(0, readWord(bytes, at), 0, 0, 0);
    else this.#set(1, readWord(bytes, at), readWord(bytes, at + 4), readWord(bytes, at + 8), readWord(bytes, at + 12));
  }

  #set(six: number, a0: number, a1: number, a2: number, a3: number): void {
    this.#six = six;
    if (six === 0) {
      this.#last = a0 & 255;
      this.#pageWord = a0 & ~255;
      return;
    }
    this.#last = a3 & 255;
    this.#a0 = a0 | 0;
    this.#a1 = a1 | 0;
    this.#a2 = a2 | 0;
    this.#a3 = a3 & ~255;
    this.#pageWord = (finalise32(mix32(mix32(mix32(6, a0), a1), a2)) + this.#a3) | 0;
  }

  /** Moves on to the first address of the next page. */
  #nextPage(): void {
    if (this.#six === 0) return this.#set(0, this.#pageWord + 256, 0, 0, 0);
    const a3 = (this.#a3 + 256) | 0;
    const a2 = a3 === 0 ? (this.#a2 + 1) | 0 : this.#a2;
    const a1 = a3 === 0 && a2 === 0 ? (this.#a1 + 1) | 0 : this.#a1;
    const a0 = a3 === 0 && a2 === 0 && a1 === 0 ? (this.#a0 + 1) | 0 : this.#a0;
    this.#set(1, a0, a1, a2, a3);
  }

  #internLoaded(pinned: boolean): number {
    const last = this.#last;
    const cold = this.#cold;
    let loose = 0;
    let block = this.#slots[this.#slotLoaded()];
    while (block !== 0 && !this.#isMember(block, last)) {
      if (cold[block * COLD_STRIDE + SPAN] === LOOSE) loose = block;
      block = cold[block * COLD_STRIDE + NEXT];
    }
    if (block === 0 && loose === 0) return this.#newLoose(last, pinned ? PINNED : 1);
    if (block === 0) {
      block = loose;
      this.#members[block * MEMBER_STRIDE + (last >>> 5)] |= 1 << (last & 31);
    }
    const count = block * COLD_STRIDE + COUNT;
    if (pinned) cold[count] = PINNED;
    else if (cold[count] > 0) cold[count]++;
    return (block << 8) | last;
  }

  #findLoaded(): number {
    const last = this.#last;
    let block = this.#slots[this.#slotLoaded()];
    while (block !== 0 && !this.#isMember(block, last)) block = this.#cold[block * COLD_STRIDE + NEXT];
    return block === 0 ? 0 : (block << 8) | last;
  }

  #isMember(block: number, last: number): boolean {
    const span = this.#cold[block * COLD_STRIDE + SPAN];
    if (span === LOOSE) return (this.#members[block * MEMBER_STRIDE + (last >>> 5)] >>> (last & 31) & 1) !== 0;
    return last >= (span & 255) && last <= span >>> 8;
  }

  /** The block of the loaded page that holds all of these last bytes; 0 if no block holds any; else EXTENDS_LOOSE or MIXED. */
  #claim(lo: number, hi: number): number {
    let some = 0;
    for (let block = this.#slots[this.#slotLoaded()]; block !== 0; block = this.#cold[block * COLD_STRIDE + NEXT]) {
      let members = 0;
      for (let last = lo; last <= hi; last++) if (this.#isMember(block, last)) members++;
      if (members === hi - lo + 1) return block;
      if (members === 0) continue;
      some = some === 0 && this.#cold[block * COLD_STRIDE + SPAN] === LOOSE ? EXTENDS_LOOSE : MIXED;
    }
    return some;
  }

  #internWithinPage(lo: number, hi: number): number {
    let id = 0;
    for (this.#last = hi; this.#last >= lo; this.#last--) id = this.#internLoaded(true);
    return id;
  }

  #newLoose(last: number, count: number): number {
    let block = this.#freeBlock;
    if (block !== 0) {
      this.#freeBlock = this.#cold[block * COLD_STRIDE + NEXT];
    } else {
      if (this.#nextBlock >= this.#capacity) this.#grow(this.#nextBlock + 1);
      block = this.#nextBlock++;
    }
    this.#members[block * MEMBER_STRIDE + (last >>> 5)] = 1 << (last & 31);
    this.#place(block, LOOSE, count);
    return (block << 8) | last;
  }

  /** Makes `block` one of the loaded page. */
  #place(block: number, span: number, count: number): void {
    this.words[block] = this.#pageWord;
    this.ipv6[block] = this.#six;
    if (this.#six !== 0) {
      this.#sixWords[block * 4] = this.#a0;
      this.#sixWords[block * 4 + 1] = this.#a1;
      this.#sixWords[block * 4 + 2] = this.#a2;
      this.#sixWords[block * 4 + 3] = this.#a3;
    }
    const cold = this.#cold;
    cold[block * COLD_STRIDE + SPAN] = span;
    cold[block * COLD_STRIDE + COUNT] = count;
    this.#blocksInUse++;
    const slot = this.#slotLoaded();
    cold[block * COLD_STRIDE + NEXT] = this.#slots[slot];
    const taken = this.#slots[slot] !== 0;
    this.#slots[slot] = block;
    if (!taken && ++this.#slotsUsed * 5 > this.#slots.length * 3) this.#rehash();
  }

  /** Unlinks a counted block (a loose one) from its page. */
  #free(block: number): void {
    const cold = this.#cold;
    const next = cold[block * COLD_STRIDE + NEXT];
    const wordAt = (k: number) => this.#sixWords[block * 4 + k];
    if (this.ipv6[block] !== 0) this.#set(1, wordAt(0), wordAt(1), wordAt(2), wordAt(3));
    else this.#set(0, this.words[block], 0, 0, 0);
    const slot = this.#slotLoaded();
    let before = this.#slots[slot];
    if (before === block) {
      if (next !== 0) this.#slots[slot] = next;
      else this.#emptySlot(slot);
    } else {
      while (cold[before * COLD_STRIDE + NEXT] !== block) before = cold[before * COLD_STRIDE + NEXT];
      cold[before * COLD_STRIDE + NEXT] = next;
    }
    this.#members.fill(0, block * MEMBER_STRIDE, (block + 1) * MEMBER_STRIDE);
    cold[block * COLD_STRIDE + NEXT] = this.#freeBlock;
    this.#freeBlock = block;
    this.#blocksInUse--;
  }

  /** The slot of the loaded page, or the empty one where it would go. */
  #slotLoaded(): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = finalise32(this.#pageWord >> 8) & mask;
    for (let block = slots[slot]; block !== 0; block = slots[slot]) {
      if (this.words[block] === this.#pageWord && this.ipv6[block] === this.#six && this.#sameSix(block)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #sameSix(block: number): boolean {
    if (this.#six === 0) return true;
    const at = block * 4;
    const six = this.#sixWords;
    return six[at + 3] === this.#a3 && six[at + 2] === this.#a2 && six[at + 1] === this.#a1 && six[at] === this.#a0;
  }

  /** Empties a slot and moves back those that were pushed past it. */
  #emptySlot(slot: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = slot;
    for (let i = (hole + 1) & mask; slots[i] !== 0; i = (i + 1) & mask) {
      const home = finalise32(this.words[slots[i]] >> 8) & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      slots[hole] = slots[i];
      hole = i;
    }
    slots[hole] = 0;
    this.#slotsUsed--;
  }

  #rehash(): void {
    const old = this.#slots;
    const slots = grown(old.byteLength * 2, () => new Int32Array(old.length * 2));
    const mask = slots.length - 1;
    for (const block of old) {
      if (block === 0) continue;
      let slot = finalise32(this.words[block] >> 8) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = block;
    }
    this.#slots = slots;
  }

  #grow(blocks: number): void {
    if (blocks > MAX_BLOCKS) throw fullError();
    const capacity = Math.min(MAX_BLOCKS, Math.max(blocks, this.#capacity * 2));
    const used = this.#nextBlock;
    this.words = lengthened(this.words, capacity, used);
    this.#sixWords = lengthened(this.#sixWords, capacity * 4, used * 4);
    this.#cold = lengthened(this.#cold, capacity * COLD_STRIDE, used * COLD_STRIDE);
    this.#members = lengthened(this.#members, capacity * MEMBER_STRIDE, used * MEMBER_STRIDE);
    this.ipv6 = lengthened(this.ipv6, capacity, used);
    this.#capacity = capacity;
  }
}

function rangeError(start: IpAddress, count: number): AddressError {
  const range = `${formatAddress(start)} to ${formatAddress(addToAddress(start, count - 1))}`;
  return new AddressError(
    `The ${count} addresses from ${range} cannot have ids in a row, since some of them already have others: ` +
      "reserve all ranges before interning single addresses.",
  );
}

const fullError = () => new AddressError(`The table of addresses is full: it has room for ${MAX_BLOCKS} pages of 256.`);
