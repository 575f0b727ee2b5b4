/**
 * Ephemeral ports: which local port an outgoing connection gets, by RFC 6056's five algorithms, as Linux does it, or
 * host-wide, which knows no four-tuples and shows what that costs. `EADDRNOTAVAIL` says that the tuples are gone.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { ERRNO } from "../base/errors.ts";
import * as HASH from "../base/hash.ts";
import * as RNG from "../base/rng.ts";
import { type SubstreamKey, substreamKey } from "../base/rng.ts";
import type { Demux } from "./demux.ts";
import * as TUPLE_TABLE from "../store/tuple_table.ts";
import { HOST, type HostTable } from "./hosts.ts";
import { KeyTable } from "./key_table.ts";
import { PORT_SCOPE, PortUse } from "./port_use.ts";
import { PortSearch } from "./port_search.ts";
import type { Profile } from "./profile.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { finalise32, mix32 } = HASH;
const { drawWord } = RNG;
const hashOf = TUPLE_TABLE.hashTuple;

const { COUNTER_KEY, COUNTER_VALUE, NAME_HI, NAME_LO, PORT_COUNTER, PORT_DRAWS, MASK, STRIDE } = HOST;

const { HOST: HOST_SCOPE, TUPLE: TUPLE_SCOPE } = PORT_SCOPE;

/** What begins at a draw of its own: `#first`. */
const FIRST = { COUNTER: 1, LINUX: 2, HOST_WIDE: 3, INCREMENTS: 4 } as const;

/** `Profile.portAllocation` as a number. */
const METHOD = {
  linux: 0,
  "rfc6056-1": 1,
  "rfc6056-2": 2,
  "rfc6056-3": 3,
  "rfc6056-4": 4,
  "rfc6056-5": 5,
  "host-wide": 6,
} as const satisfies Record<Profile["portAllocation"], number>;
const {
  linux: LINUX,
  "rfc6056-1": RFC6056_1,
  "rfc6056-2": RFC6056_2,
  "rfc6056-3": RFC6056_3,
  "rfc6056-4": RFC6056_4,
  "rfc6056-5": RFC6056_5,
  "host-wide": HOST_WIDE,
} = METHOD;

/** Counters that Linux keeps (`INET_TABLE_PERTURB_SIZE`), here for each host apart. */
const LINUX_COUNTERS = 1 << 16;

/** Guesses that are kept: see `PortAllocator.expected`. */
const EXPECTED = 4096;

/** Linux adds up to this many ports (of the same parity), at random, to a counter. */
const LINUX_RANDOM_STEPS = 8;

/** What is asked of an address table: the stable word of an address, so that no draw depends on its id. */
export interface AddressWords {
  /** A 32-bit word of the address's bytes. */
  word(id: number): number;
}

/** Options of {@linkcode PortAllocator}. */
export interface PortAllocatorOptions {
  /** Seed of the run. */
  seed: number;
  /** The partition's hosts. */
  hosts: HostTable;
  /** The partition's addresses. */
  addresses: AddressWords;
  /** The partition's four-tuples of one protocol; no listener may have been added yet. */
  demux: Demux;
  /** False keeps to plain scans: the same ports, slower. For tests. Default true. */
  bitmaps?: boolean;
}

/**
 * Gives local ports to the outgoing connections of a partition's hosts. A port given is not held: the caller inserts
 * the four-tuple into the `Demux` before it asks again, and a TIME-WAIT row there still occupies it (but see
 * `Profile.timeWaitReuse` and `PortUse.isReusable`).
 *
 * What a host gets depends on the seed, the host's name, the addresses and its own earlier connections; on no other
 * host, no row number and no table's order.
 *
 * @example
 * ```ts ignore
 * const ports = new PortAllocator({ seed: 1, hosts, addresses, demux });
 * const port = ports.allocate(host, profiles.get(hosts.profileOf(host)), local, remote, 443);
 * if (port < 0) console.log(errnoName(port)); // EADDRNOTAVAIL
 * ```
 */
export class PortAllocator {
  /** The ports in use: explicit binds are made there. */
  declare readonly use: PortUse;
  readonly #hosts: HostTable;
  readonly #addresses: AddressWords;
  readonly #search: PortSearch;
  readonly #stream: SubstreamKey;
  /** The profile that was asked for last, and its `METHOD`: to compare texts takes longer. Profiles are frozen. */
  #profile: Readonly<Profile> | undefined = undefined;
  #method = 0;
  #hashLow = 0;
  #hashHigh = 0;
  /**
   * By host (those with equal low bits share a place), the hash of the four-tuple that the same host's next connection to
   * the same destination will try first, 0 for unknown: a guess, to be touched ahead. Nothing else may depend on it.
   */
  readonly expected = new Int32Array(EXPECTED);
  /** Counters of algorithm 4 and Linux that do not fit the host's row: (host, which) to 1 + the counter. */
  readonly #counters = new KeyTable();

  /** Bytes of counters and of what is known of ports. */
  get bytes(): number {
    return this.#counters.bytes + this.use.bytes;
  }

  /** Room for so many counters that do not fit their hosts' rows. */
  reserveCounters(count: number): void {
    this.#counters.reserve(count);
  }

  /** Attaches to the four-tuple table. */
  constructor(options: PortAllocatorOptions) {
    this.use = new PortUse(options);
    this.#hosts = options.hosts;
    this.#addresses = options.addresses;
    this.#search = new PortSearch(this.use, options.bitmaps ?? true);
    this.#stream = substreamKey(options.seed, "ephemeral ports", "");
  }

  /**
   * A free local port for a connection from `local` to (`remote`, `remotePort`), or `-ERRNO.EADDRNOTAVAIL`: with
   * `"rfc6056-2"` and `"rfc6056-5"` perhaps too early (unless `portScanFallback`), with the others exactly when no
   * port of the range is free for that destination. Ports that are bound or listened on are never given.
   */
  allocate(
    host: number,
    profile: Readonly<Profile>,
    local: number,
    remote: number,
    remotePort: number,
  ): number {
    const { ephemeralPortLow: low, ephemeralPortHigh: high } = profile;
    if (profile !== this.#profile) this.#noteProfile(profile);
    if (this.#method === HOST_WIDE) this.#search.begin(HOST_SCOPE, host, 0, 0, 0, low, high);
    else {
      const { timeWaitReuse } = profile;
      this.#search.begin(TUPLE_SCOPE, host, local, remote, remotePort, low, high, timeWaitReuse);
    }
    const offset = this.#choose(host, profile, local, remote, remotePort);
    return offset < 0 ? -ERRNO.EADDRNOTAVAIL : low + offset;
  }

  /**
   * Binds to `local` (0: every address) and a port that the host chooses, as bind() with port 0 does: Linux takes the
   * ports of the parity that connect avoids first. The port, or `-ERRNO.EADDRINUSE` if no bind would succeed. With
   * IP_BIND_ADDRESS_NO_PORT nothing is bound: keep the address and call `allocate` at connect.
   */
  bindAnyPort(host: number, profile: Readonly<Profile>, local: number): number {
    const size = this.#beginBind(host, profile, local);
    const start = size === 1 ? 0 : 2 * this.#draw(host, size >> 1) + 1;
    const offset = this.#scanBothParities(start);
    if (offset < 0) return -ERRNO.EADDRINUSE;
    this.use.bindPort(host, local, profile.ephemeralPortLow + offset);
    return profile.ephemeralPortLow + offset;
  }

  /**
   * A port of the range, from a random one upwards, that a bind to `local` (0: every address) would be allowed now;
   * `-ERRNO.EADDRINUSE` if there is none. Nothing is bound yet. UDP's choice: it knows no four-tuples.
   */
  findBindable(host: number, profile: Readonly<Profile>, local: number): number {
    const size = this.#beginBind(host, profile, local);
    const offset = this.#scanFrom(this.#draw(host, size));
    return offset < 0 ? -ERRNO.EADDRINUSE : profile.ephemeralPortLow + offset;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.use.visitState(v);
    this.#counters.visitState(v);
  }

  #beginBind(host: number, profile: Readonly<Profile>, local: number): number {
    this.use.countPorts();
    this.#search.begin(PORT_SCOPE.BIND, host, local, 0, 0, profile.ephemeralPortLow, profile.ephemeralPortHigh);
    return this.#search.size;
  }

  #noteProfile(profile: Readonly<Profile>): void {
    this.#profile = profile;
    this.#method = METHOD[profile.portAllocation];
  }

  #choose(host: number, profile: Readonly<Profile>, local: number, remote: number, remotePort: number): number {
    switch (this.#method) {
      case LINUX:
        return this.#linux(host, local, remote, remotePort);
      case RFC6056_1:
        return this.#scanFrom(this.#draw(host, this.#search.size));
      case RFC6056_2:
        return this.#randomTries(host, profile.portScanFallback);
      case RFC6056_3:
        return this.#hashedOffset(host, local, remote, remotePort);
      case RFC6056_4:
        return this.#doubleHash(host, profile.portTableBits, local, remote, remotePort);
      case RFC6056_5:
        return this.#randomIncrements(host, profile.portMaxIncrement, profile.portScanFallback);
      default:
        return this.#hostWide(host);
    }
  }

  /** RFC 6056 3.3.1: a random port, and from there upwards. (Also the fallback of others.) */
  #scanFrom(start: number): number {
    const steps = this.#search.scan(start);
    return steps < 0 ? -1 : (start + steps) % this.#search.size;
  }

  /** RFC 6056 3.3.2: random ports, as many tries as the range has ports. */
  #randomTries(host: number, fallback: boolean): number {
    const search = this.#search;
    for (let tries = 0; tries < search.size; tries++) {
      if (search.exhausted) {
        this.#skipDraws(host, search.size - tries);
        break;
      }
      const offset = this.#draw(host, search.size);
      if (search.isFree(offset)) return offset;
    }
    return fallback ? this.#scanFrom(this.#draw(host, search.size)) : -1;
  }

  /** RFC 6056 3.3.3: an offset hashed from the destination, plus one counter for the whole host. */
  #hashedOffset(host: number, local: number, remote: number, remotePort: number): number {
    const at = host * STRIDE + PORT_COUNTER;
    const size = this.#search.size;
    this.#hashDestination(host, local, remote, remotePort);
    const offset = this.#hashLow % size;
    const counter = (this.#hosts.words[at] >>> 0) % size;
    const start = (offset + counter) % size;
    const steps = this.#search.scan(start);
    if (steps < 0) return -1; // The counter has gone round to where it was.
    this.#hosts.words[at] = (counter + steps + 1) % size;
    return (start + steps) % size;
  }

  /** RFC 6056 3.3.4: as 3, with one counter for each group of destinations. */
  #doubleHash(host: number, tableBits: number, local: number, remote: number, remotePort: number): number {
    const size = this.#search.size;
    this.#hashDestination(host, local, remote, remotePort);
    const index = this.#hashHigh & ((1 << tableBits) - 1);
    const first = this.#first(host, FIRST.COUNTER, index) % size;
    const counter = this.#readCounter(host, index) % size;
    const start = (this.#hashLow % size + first + counter) % size;
    const steps = this.#search.scan(start);
    if (steps < 0) return -1;
    this.#writeCounter(host, index, (counter + steps + 1) % size);
    return (start + steps) % size;
  }

  /**
   * RFC 6056 3.3.5: random increments of a counter of the host, as many tries as the range has ports. A refusal
   * leaves the counter where it was (the draws are spent), so that an exhausted range need not be walked.
   */
  #randomIncrements(host: number, maxIncrement: number, fallback: boolean): number {
    const search = this.#search;
    const at = host * STRIDE + PORT_COUNTER;
    const size = search.size;
    const first = this.#first(host, FIRST.INCREMENTS, 0) % size;
    let counter = (this.#hosts.words[at] >>> 0) % size;
    for (let tries = 0; tries < size; tries++) {
      if (search.exhausted) {
        this.#skipDraws(host, size - tries);
        return -1;
      }
      counter = (counter + this.#draw(host, maxIncrement) + 1) % size;
      const offset = (first + counter) % size;
      if (!search.isFree(offset)) continue;
      this.#hosts.words[at] = counter;
      return offset;
    }
    const offset = fallback ? this.#scanFrom((first + counter) % size) : -1;
    if (offset >= 0) this.#hosts.words[at] = (offset - first + size) % size;
    return offset;
  }

  /** The next port that the host uses for nothing at all: what ns-3, INET and lwIP do. */
  #hostWide(host: number): number {
    const at = host * STRIDE + PORT_COUNTER;
    const size = this.#search.size;
    const first = this.#first(host, FIRST.HOST_WIDE, 0) % size;
    const counter = (this.#hosts.words[at] >>> 0) % size;
    const start = (first + counter) % size;
    const steps = this.#search.scan(start);
    if (steps < 0) return -1;
    this.#hosts.words[at] = (counter + steps + 1) % size;
    return (start + steps) % size;
  }

  /**
   * Linux 6.x, `__inet_hash_connect`: an offset hashed from the destination plus a counter out of 65,536; the ports
   * of the lowest port's parity first, then the others; the counter goes on by what was passed over, or by a random
   * step of up to 7 ports if that is more. Where the range has an odd number of ports Linux leaves one out at each
   * end of a scan; here every port is tried, so that a refusal always means that the tuples are gone.
   */
  #linux(host: number, local: number, remote: number, remotePort: number): number {
    const size = this.#search.size;
    if (this.#search.exhausted) return -1;
    this.#hashDestination(host, local, remote, remotePort);
    const index = this.#hashLow & (LINUX_COUNTERS - 1);
    const counter = this.#readCounter(host, index);
    // (Of unsigned numbers V8 takes the remainder of integers, else that of doubles.)
    const even = (size > 1 ? size & ~1 : size) >>> 0;
    const base = (this.#first(host, FIRST.LINUX, index) + this.#hashHigh) >>> 0;
    const start = (((base + counter) >>> 0) % even) & ~1;
    const offset = this.#scanBothParities(start);
    if (offset < 0) return -1;
    // Steps of 2 within the parity where the port was found.
    const parityStart = start | (offset & 1);
    const count = offset & 1 ? size >> 1 : (size + 1) >> 1;
    const passed = offset >= parityStart ? offset - parityStart : offset - parityStart + 2 * count;
    const random = 2 * this.#draw(host, LINUX_RANDOM_STEPS);
    const next = (counter + Math.max(passed, random) + 2) >>> 0;
    this.#writeCounter(host, index, next);
    const port = this.#search.low + ((((base + next) >>> 0) % even) & ~1);
    this.expected[host & (EXPECTED - 1)] = hashOf(host, local, remote, (port << 16) | remotePort);
    return offset;
  }

  /** The first free port of the parity of `start`, else of the other parity, going up and round; -1 if none is free. */
  #scanBothParities(start: number): number {
    const search = this.#search;
    const size = search.size;
    let from = start;
    let steps = search.scanParity(from);
    if (steps < 0 && size > 1) {
      from = start ^ 1;
      steps = search.scanParity(from);
    }
    if (steps < 0) return -1;
    const count = from & 1 ? size >> 1 : (size + 1) >> 1;
    return 2 * (((from >> 1) + steps) % count) + (from & 1);
  }

  /** A whole number from 0 to n - 1 (n at most 65,536) from the host's own substream. */
  #draw(host: number, n: number): number {
    const at = (host * STRIDE) & MASK;
    const words = this.#hosts.words;
    const { k0, k1 } = this.#stream;
    const counter = words[at + PORT_DRAWS]++ >>> 0;
    return Math.floor(drawWord(k0 ^ words[at + NAME_LO], k1 ^ words[at + NAME_HI], counter) / 2 ** 32 * n);
  }

  /** Passes over draws whose values cannot matter. */
  #skipDraws(host: number, count: number): void {
    this.#hosts.words[host * STRIDE + PORT_DRAWS] += count;
  }

  /**
   * Sets `#hashLow` and `#hashHigh`: RFC 6056's F and G of a destination, keyed by seed and host. Not cryptographic
   * (the RFC's reason is an attacker who guesses ports; here only the spread matters, and it halves the cost of a port).
   */
  #hashDestination(host: number, local: number, remote: number, remotePort: number): void {
    const at = (host * STRIDE) & MASK;
    const words = this.#hosts.words;
    const localWord = this.#addresses.word(local);
    const remoteWord = this.#addresses.word(remote);
    const nameLo = words[at + NAME_LO] ^ this.#hosts.bootSalt(host);
    const low = mix32(mix32(mix32(this.#stream.k0, nameLo), localWord), remoteWord);
    const high = mix32(mix32(mix32(this.#stream.k1, words[at + NAME_HI]), remoteWord), localWord);
    this.#hashLow = finalise32(mix32(low, remotePort)) >>> 0;
    this.#hashHigh = finalise32(mix32(high, remotePort)) >>> 0;
  }

  /** Where a counter of the host begins, a u32: a draw of its substream from beyond those that `#draw` takes. */
  #first(host: number, purpose: number, index: number): number {
    const at = (host * STRIDE) & MASK;
    const words = this.#hosts.words;
    const { k0, k1 } = this.#stream;
    return drawWord(k0 ^ words[at + NAME_LO], k1 ^ words[at + NAME_HI], purpose * 2 ** 32 + index);
  }

  /** A host's counter (u32, from 0): the first one that it uses stands in its row, others in a table. */
  #readCounter(host: number, index: number): number {
    const at = (host * STRIDE) & MASK;
    const words = this.#hosts.words;
    if (words[at + COUNTER_KEY] === index + 1) return words[at + COUNTER_VALUE] >>> 0;
    if (words[at + COUNTER_KEY] === 0) return 0;
    const stored = this.#counters.get(host, index, 0);
    return stored === 0 ? 0 : (stored - 1) >>> 0;
  }

  #writeCounter(host: number, index: number, value: number): void {
    const at = (host * STRIDE) & MASK;
    const words = this.#hosts.words;
    if (words[at + COUNTER_KEY] === 0) words[at + COUNTER_KEY] = index + 1;
    if (words[at + COUNTER_KEY] === index + 1) words[at + COUNTER_VALUE] = value;
    else this.#counters.set(host, index, 0, (value + 1) | 0);
  }
}
