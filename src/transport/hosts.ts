/**
 * Hosts as rows: what the transport layer keeps per host, 64 bytes each (DESIGN section 3). The row number is the
 * node's number, chosen by the caller; nothing that a result depends on may use it: draws and hashes use the hash
 * of the host's stable name, ties use its stable rank.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { type StateVisitor, visitMap } from "../base/state.ts";
import { hashString, sipHash24Word } from "../base/hash.ts";
import { alignedWords } from "../store/rows.ts";
import type { HostBudgets } from "./budgets.ts";

/** Word offsets of a host row. Hot files take them apart: `const { SERIAL, MASK, STRIDE } = HOST;`. */
export const HOST = {
  /** Number of the host's profile in the `ProfileTable`; 0 is the default profile. */
  PROFILE: 0,
  /** The host's place in the scenario's order, used for ties; independent of the row number. */
  RANK: 1,
  /** Connections begun so far (wraps at 2^32): the last serial number given out. */
  SERIAL: 2,
  /** Files (sockets) open. */
  FILES: 3,
  /** RFC 6056 algorithms 3 and 5 and host-wide allocation: `next_ephemeral`. */
  PORT_COUNTER: 4,
  /** Draws taken from the host's substream of ephemeral ports. */
  PORT_DRAWS: 5,
  /** MTU of the egress interface, bytes; 0 reads as 1,500. */
  MTU: 6,
  /** Hash of the stable name, low and high word. */
  NAME_LO: 7,
  NAME_HI: 8,
  /** Challenge ACKs (RFC 5961): the second being counted, plus one, and how many were sent in it. */
  CHALLENGE_SECOND: 9,
  CHALLENGE_COUNT: 10,
  /** `port_use.ts`: first of the host's crowded destinations, 0 for none. */
  CROWDED: 11,
  /** `port_use.ts`: explicitly bound ports and listeners, counted together. */
  HELD: 12,
  /** `ports.ts`: which of the host's port counters stands in the next word (the others are in a table); 0 for none. */
  COUNTER_KEY: 13,
  COUNTER_VALUE: 14,
  /** The host's row in `HostBudgets`, 0 for none. */
  BUDGET: 15,
  /** Words in a row: one cache line. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

const {
  PROFILE,
  RANK,
  SERIAL,
  FILES,
  MTU,
  NAME_LO,
  NAME_HI,
  CHALLENGE_SECOND,
  CHALLENGE_COUNT,
  BUDGET,
  MASK,
  STRIDE,
} = HOST;

/** Ethernet's MTU, bytes, in force until `setMtu` says otherwise. */
const DEFAULT_MTU = 1500;

/** Odd: the numbers of restarts give as many salts. */
const BOOT_SALT = 0x6f4f_2e15;

/** The message whose hash is a secret. */
const SECRET_INDEX = new Int32Array(1);

/**
 * Where a host's row begins. (Some callers' numbers come of calculations with fractions: V8 would multiply in floating
 * point, and check that the product is an index.)
 */
function placeOf(host: number): number {
  return Math.imul(host, STRIDE) & MASK;
}

/** Options of {@linkcode HostTable}. */
export interface HostTableOptions {
  /** Seed of the run, from which every host's secret follows. */
  seed: number;
  /** Hosts to reserve (the greatest row number expected, plus one). Default 64; the table grows. */
  capacity?: number;
}

/**
 * The hosts of a partition: `words[host * HOST.STRIDE + field]`.
 *
 * `words` is replaced when the table grows, which only `ensure` and `addHost` do.
 *
 * @example
 * ```ts
 * import { HostTable } from "./hosts.ts";
 * const hosts = new HostTable({ seed: 1 });
 * hosts.addHost(7, { name: "web-1", rank: 0 });
 * console.log(hosts.nextSerial(7), hosts.mtuOf(7)); // 1 1500
 * ```
 */
export class HostTable {
  /** The rows. */
  declare words: Int32Array;
  /** One past the highest row ensured. */
  end = 0;
  /** Memory and other budgets, if any host has one. */
  budgets: HostBudgets | undefined = undefined;
  /** Restarts of hosts that have restarted. */
  readonly boots: Map<number, number> = new Map();
  #seedLo = 0;
  #seedHi = 0;

  /** Reserves the rows. */
  constructor(options: HostTableOptions) {
    this.words = alignedWords(Math.max(1, options.capacity ?? 64) * STRIDE);
    this.#seedLo = options.seed | 0;
    this.#seedHi = Math.floor(options.seed / 2 ** 32) | 0;
  }

  /** Makes the row of `host` exist (zeroed: default profile, MTU 1,500); safe to repeat. */
  ensure(host: number): void {
    if (host < this.end) return;
    const needed = (host + 1) * STRIDE;
    if (needed > this.words.length) {
      const grown = alignedWords(Math.max(needed, this.words.length * 2));
      grown.set(this.words);
      this.words = grown;
    }
    this.end = host + 1;
  }

  /**
   * Makes the row of `host` and fills in what identifies it. `name` is the stable scenario name from which the
   * host's draws and secrets follow; `rank` its place in the scenario; `profile` a `ProfileTable` number (default 0).
   */
  addHost(host: number, options: { name: string; rank?: number; profile?: number; mtu?: number }): void {
    this.ensure(host);
    const at = (host * STRIDE) & MASK;
    const name = hashString(options.name);
    this.words[at + NAME_LO] = name.lo;
    this.words[at + NAME_HI] = name.hi;
    this.words[at + RANK] = options.rank ?? 0;
    this.words[at + PROFILE] = options.profile ?? 0;
    this.words[at + MTU] = options.mtu ?? 0;
  }

  /** Sets the two words of the stable name's hash, for whole populations whose names are never spelled out. */
  setNameHash(host: number, lo: number, hi: number): void {
    this.words[host * STRIDE + NAME_LO] = lo;
    this.words[host * STRIDE + NAME_HI] = hi;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.end = v.number(this.end);
    this.words = v.column(this.words, this.end * STRIDE);
    this.budgets?.visitState(v);
    visitMap(v, this.boots);
  }

  /** The host has restarted: it draws its secrets anew, and has sent no challenge ACKs. */
  restart(host: number): void {
    this.boots.set(host, (this.boots.get(host) ?? 0) + 1);
    this.words[host * STRIDE + CHALLENGE_SECOND] = this.words[host * STRIDE + CHALLENGE_COUNT] = 0;
  }

  /** What the host's secrets are salted with: 0 until it has restarted. */
  bootSalt(host: number): number {
    return this.boots.size === 0 ? 0 : Math.imul(this.boots.get(host) ?? 0, BOOT_SALT);
  }

  /** The host's row in `budgets`, 0 for none. */
  budgetOf(host: number): number {
    return this.words[placeOf(host) + BUDGET];
  }

  /** Sockets without a connection (listening, UDP): `change` more. */
  changeSockets(host: number, change: number): void {
    if (this.budgets === undefined) return;
    const row = this.budgetOf(host);
    if (row !== 0) this.budgets.changeSockets(row, change);
  }

  /** Number of the host's profile. */
  profileOf(host: number): number {
    return this.words[placeOf(host) + PROFILE];
  }

  /** Gives the host another profile. */
  setProfile(host: number, profile: number): void {
    this.words[host * STRIDE + PROFILE] = profile;
    if (this.budgets !== undefined && this.budgetOf(host) !== 0) this.budgets.setProfile(this.budgetOf(host), profile);
  }

  /** The host's place in the scenario. */
  rankOf(host: number): number {
    return this.words[placeOf(host) + RANK];
  }

  /** Sets the host's place in the scenario. */
  setRank(host: number, rank: number): void {
    this.words[host * STRIDE + RANK] = rank;
  }

  /** The host's next serial number: 1, 2, 3, … as i32 (wraps at 2^32). With the host it identifies a connection. */
  nextSerial(host: number): number {
    return ++this.words[placeOf(host) + SERIAL];
  }

  /** MTU of the egress interface, bytes. */
  mtuOf(host: number): number {
    return this.words[placeOf(host) + MTU] || DEFAULT_MTU;
  }

  /**
   * Sets the egress MTU, 68 to 65,535 bytes (RFC 791's least for IPv4).
   *
   * @throws {RangeError} outside of that.
   */
  setMtu(host: number, bytes: number): void {
    if (!(Number.isInteger(bytes) && bytes >= 68 && bytes <= 65535)) {
      throw new RangeError(`An MTU is a whole number of bytes from 68 to 65535, not ${bytes}.`);
    }
    this.words[host * STRIDE + MTU] = bytes;
  }

  /** Files open on the host. */
  filesOf(host: number): number {
    return this.words[host * STRIDE + FILES];
  }

  /** Opens a file if fewer than `limit` are open (`Profile.maxFiles`); false is `EMFILE`. */
  openFile(host: number, limit: number): boolean {
    const at = host * STRIDE + FILES;
    if (this.words[at] >= limit) return false;
    this.words[at]++;
    return true;
  }

  /** Closes a file. */
  closeFile(host: number): void {
    this.words[host * STRIDE + FILES]--;
  }

  /**
   * A word of a secret that only this host knows, made anew each time (SipHash under the seed and the stable name's
   * hash). `index` 0 and 1 are the 64-bit secret of initial sequence numbers (RFC 6528); others are free to use.
   */
  secretWord(host: number, index: number): number {
    const at = (host * STRIDE) & MASK;
    const words = this.words;
    SECRET_INDEX[0] = index;
    const nameLo = words[at + NAME_LO] ^ this.bootSalt(host);
    return sipHash24Word(this.#seedLo, this.#seedHi, nameLo, words[at + NAME_HI], SECRET_INDEX, 1);
  }

  /**
   * May the host send a challenge ACK now? Counts it if so: at most `limit` in each second of simulated time
   * (RFC 5961 section 10, `Profile.challengeAckLimitPerSecond`). `nowMs` is the time in ms, at least 0.
   */
  takeChallengeAck(host: number, nowMs: number, limit: number): boolean {
    const at = (host * STRIDE) & MASK;
    const words = this.words;
    const second = Math.floor(nowMs / 1000) + 1;
    if (words[at + CHALLENGE_SECOND] !== second) {
      words[at + CHALLENGE_SECOND] = second;
      words[at + CHALLENGE_COUNT] = 0;
    }
    if (words[at + CHALLENGE_COUNT] >= limit) return false;
    words[at + CHALLENGE_COUNT]++;
    return true;
  }
}
