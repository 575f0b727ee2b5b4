/**
 * Memory of hosts that have a limit of it, and their limits of orphans and of TIME_WAIT: what is in use, exactly, at a
 * constant cost for each change. Hosts without such limits have no row here.
 *
 * The model is Linux's: every socket takes a fixed number of bytes by its state (slab objects), every buffered byte a
 * little more than itself (`truesize` of the buffers). Below 2/3 of the limit nothing happens; from there on until use
 * has fallen below 1/2 the host is under pressure (the ratios of `net.ipv4.tcp_mem`: low is 3/4 of pressure, high twice
 * low); nothing goes beyond the limit but what a connection needs to make progress.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { lengthened } from "../base/growth.ts";
import type { StateVisitor } from "../base/state.ts";
import { CLOCK } from "../store/clock.ts";
import type { Profile, ProfileTable } from "./profile.ts";

/** Word offsets (doubles) of a host's row. */
export const BUDGET = {
  /** Bytes at most, and in use. */
  LIMIT: 0,
  USED: 1,
  /** 1 while under pressure. */
  PRESSED: 2,
  /** Sockets (of TCP, UDP, listening), orphans, half-open connections, TIME_WAIT rows. */
  SOCKETS: 3,
  ORPHANS: 4,
  REQUESTS: 5,
  TIME_WAITS: 6,
  /** What buffered bytes are charged. */
  BUFFERS: 7,
  /** Most bytes in use, and what they were made of: the words `SOCKETS` to `BUFFERS` of that moment. */
  PEAK: 8,
  PEAK_SOCKETS: 9,
  PEAK_ORPHANS: 10,
  PEAK_REQUESTS: 11,
  PEAK_TIME_WAITS: 12,
  PEAK_BUFFERS: 13,
  /** Refusals for lack of memory, and the time of the first, ns. (That time stands behind its counter everywhere.) */
  REFUSED: 14,
  FIRST_NS: 15,
  /** Orphans: most at once, refused, first. */
  MOST_ORPHANS: 16,
  ORPHANS_REFUSED: 17,
  ORPHANS_FIRST_NS: 18,
  /** TIME_WAIT: the same. */
  MOST_TIME_WAITS: 19,
  TIME_WAITS_REFUSED: 20,
  TIME_WAITS_FIRST_NS: 21,
  /** Number of the host's profile. */
  PROFILE: 22,
  /** Times that pressure began. */
  PRESSURES: 23,
  /** Doubles in a row. */
  STRIDE: 24,
  /** The bits of a row's offset. */
  MASK: rowMask(24),
} as const;

const { LIMIT, USED, PRESSED, SOCKETS, ORPHANS, REQUESTS, TIME_WAITS, BUFFERS, PEAK, PEAK_SOCKETS } = BUDGET;
const { REFUSED, MOST_ORPHANS, ORPHANS_REFUSED, MOST_TIME_WAITS, TIME_WAITS_REFUSED } = BUDGET;
const { PROFILE, PRESSURES, MASK, STRIDE } = BUDGET;

/** What a connection's row is charged as. */
const KIND = { NONE: 0, SOCKET: 1, ORPHAN: 2 } as const;

/** The budgets of a partition. Row 0 is none. */
export class HostBudgets {
  /** Rows (`BUDGET`). */
  words: Float64Array = new Float64Array(STRIDE * 4);
  #count = 1;
  /** By connection: bytes charged for buffers, and as what the row is charged. */
  #buffers = new Float64Array(1024);
  #kinds = new Uint8Array(1024);
  readonly #clock: Float64Array = new Float64Array(0);
  readonly #profiles: ProfileTable;

  /** `clock` is the partition's, `profiles` the network's. */
  constructor(clock: Float64Array, profiles: ProfileTable) {
    this.#clock = clock;
    this.#profiles = profiles;
  }

  /** A row for a host: `limitBytes` of memory (Infinity: none is counted out), and its profile's other limits. */
  add(limitBytes: number, profile: number): number {
    const row = this.#count++;
    if (this.#count * STRIDE > this.words.length) this.words = lengthened(this.words, this.words.length * 2);
    this.words[row * STRIDE + LIMIT] = limitBytes;
    this.words[row * STRIDE + PROFILE] = profile;
    return row;
  }

  /** The profile of a row's host. */
  profileOf(row: number): Readonly<Profile> {
    return this.#profiles.get(this.words[row * STRIDE + PROFILE]);
  }

  /** The row's host has another profile. */
  setProfile(row: number, profile: number): void {
    this.words[row * STRIDE + PROFILE] = profile;
  }

  /** Another limit from now on: what is in use beyond it stays, and nothing is added. */
  setLimit(row: number, limitBytes: number): void {
    this.words[row * STRIDE + LIMIT] = limitBytes;
    this.#use(row, 0);
  }

  /** Works out anew what is in use, after the profile's sizes have changed. (Buffers follow with their next change.) */
  recount(row: number): void {
    const words = this.words;
    const at = (row * STRIDE) & MASK;
    const profile = this.profileOf(row);
    const used = words[at + SOCKETS] * profile.bytesPerSocket + words[at + ORPHANS] * orphanBytes(profile) +
      words[at + REQUESTS] * profile.bytesPerRequest + words[at + TIME_WAITS] * profile.bytesPerTimeWait +
      words[at + BUFFERS];
    this.#use(row, used - words[at + USED]);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.words = v.column(this.words, this.#count * STRIDE);
    this.#buffers = v.column(this.#buffers);
    this.#kinds = v.column(this.#kinds);
  }

  /** Do `bytes` more fit? */
  fits(row: number, bytes: number): boolean {
    return this.words[row * STRIDE + USED] + bytes <= this.words[row * STRIDE + LIMIT];
  }

  /** Something was refused for lack of memory. */
  noteRefusal(row: number): void {
    this.#refuse(row * STRIDE + REFUSED);
  }

  /** Do `bytes` more fit? If not, the refusal is counted. */
  takes(row: number, bytes: number): boolean {
    if (this.fits(row, bytes)) return true;
    this.noteRefusal(row);
    return false;
  }

  /** As `takes`, for one more socket. */
  takesSocket(row: number): boolean {
    return this.takes(row, this.profileOf(row).bytesPerSocket);
  }

  /** As `takes`, for one more half-open connection. */
  takesRequest(row: number): boolean {
    return this.takes(row, this.profileOf(row).bytesPerRequest);
  }

  /** Bytes that are left; below 0 where more is in use than there should be. */
  left(row: number): number {
    return this.words[row * STRIDE + LIMIT] - this.words[row * STRIDE + USED];
  }

  /** Is the host under pressure? */
  isPressed(row: number): boolean {
    return this.words[row * STRIDE + PRESSED] !== 0;
  }

  /** Sockets without a connection (listening, UDP): `change` more. */
  changeSockets(row: number, change: number): void {
    this.words[row * STRIDE + SOCKETS] += change;
    this.#use(row, change * this.profileOf(row).bytesPerSocket);
  }

  /** Half-open connections: `change` more. */
  changeRequests(row: number, change: number): void {
    this.words[row * STRIDE + REQUESTS] += change;
    this.#use(row, change * this.profileOf(row).bytesPerRequest);
  }

  /** May another connection enter TIME_WAIT (`net.ipv4.tcp_max_tw_buckets`)? If not, that is counted. */
  takesTimeWait(row: number): boolean {
    if (this.words[row * STRIDE + TIME_WAITS] < this.profileOf(row).maxTimeWaits) return true;
    this.#refuse(row * STRIDE + TIME_WAITS_REFUSED);
    return false;
  }

  /** TIME_WAIT rows: `change` more. */
  changeTimeWaits(row: number, change: number): void {
    const at = (row * STRIDE) & MASK;
    this.words[at + TIME_WAITS] += change;
    this.words[at + MOST_TIME_WAITS] = Math.max(this.words[at + MOST_TIME_WAITS], this.words[at + TIME_WAITS]);
    this.#use(row, change * this.profileOf(row).bytesPerTimeWait);
  }

  /** Are there more orphans than allowed (`net.ipv4.tcp_max_orphans`)? That is counted. */
  hasTooManyOrphans(row: number): boolean {
    if (this.words[row * STRIDE + ORPHANS] <= this.profileOf(row).maxOrphans) return false;
    this.#refuse(row * STRIDE + ORPHANS_REFUSED);
    return true;
  }

  /** What connection `conn` takes now: its row, an orphan or not, and `buffered` bytes as they are charged. */
  charge(row: number, conn: number, orphan: boolean, buffered: number): void {
    if (conn >= this.#kinds.length) this.#grow(conn);
    let change = buffered - this.#buffers[conn];
    const kind = orphan ? KIND.ORPHAN : KIND.SOCKET;
    const before = this.#kinds[conn];
    if (change === 0 && kind === before) return;
    this.#buffers[conn] = buffered;
    this.words[row * STRIDE + BUFFERS] += change;
    if (kind !== before) {
      change += this.#changeKind(row, before, -1) + this.#changeKind(row, kind, 1);
      this.#kinds[conn] = kind;
    }
    this.#use(row, change);
  }

  /** Connection `conn` is gone. */
  discharge(row: number, conn: number): void {
    if (conn >= this.#kinds.length || this.#kinds[conn] === KIND.NONE) return;
    const change = this.#changeKind(row, this.#kinds[conn], -1) - this.#buffers[conn];
    this.words[row * STRIDE + BUFFERS] -= this.#buffers[conn];
    this.#buffers[conn] = 0;
    this.#kinds[conn] = KIND.NONE;
    this.#use(row, change);
  }

  /** One connection more or less that is charged as `kind`: by how much use changes. */
  #changeKind(row: number, kind: number, change: number): number {
    const at = (row * STRIDE) & MASK;
    const profile = this.profileOf(row);
    if (kind === KIND.SOCKET) {
      this.words[at + SOCKETS] += change;
      return change * profile.bytesPerSocket;
    }
    if (kind !== KIND.ORPHAN) return 0;
    this.words[at + ORPHANS] += change;
    // (One too many is reset at once, and was never one of those that were there.)
    const orphans = this.words[at + ORPHANS];
    if (orphans <= profile.maxOrphans) this.words[at + MOST_ORPHANS] = Math.max(this.words[at + MOST_ORPHANS], orphans);
    return change * orphanBytes(profile);
  }

  #use(row: number, change: number): void {
    const words = this.words;
    const at = (row * STRIDE) & MASK;
    const used = words[at + USED] += change;
    const limit = words[at + LIMIT];
    if (words[at + PRESSED] === 0) {
      if (used * 3 > limit * 2) {
        words[at + PRESSED] = 1;
        words[at + PRESSURES]++;
      }
    } else if (used * 2 < limit) words[at + PRESSED] = 0;
    if (used <= words[at + PEAK]) return;
    words[at + PEAK] = used;
    for (let k = 0; k <= BUFFERS - SOCKETS; k++) words[at + PEAK_SOCKETS + k] = words[at + SOCKETS + k];
  }

  /** Counts a refusal in the word `at`; the time of the first stands behind it. */
  #refuse(at: number): void {
    if (this.words[at]++ === 0) this.words[at + 1] = this.#clock[CLOCK.NOW];
  }

  #grow(conn: number): void {
    const size = Math.max(conn + 1, this.#kinds.length * 2);
    this.#buffers = lengthened(this.#buffers, size);
    this.#kinds = lengthened(this.#kinds, size);
  }
}

/** What an orphan takes: a socket without its file, so not more than a socket. */
export function orphanBytes(profile: Readonly<Profile>): number {
  return Math.min(profile.bytesPerOrphan, profile.bytesPerSocket);
}
