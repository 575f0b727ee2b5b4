/**
 * The NAT state of one partition: gateways, sessions, mappings, ports in use and their indexes, all as rows. The
 * functions of this folder work on it; it neither schedules nor sends (DESIGN section 2).
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import { canonicalText, type PlainValue, plainValue } from "../base/plain.ts";
import type { StateVisitor } from "../base/state.ts";
import type { AddressTable } from "../base/address.ts";
import { InputError } from "../base/errors.ts";
import { NS_PER_MS } from "../base/units.ts";
import { substreamKey } from "../base/rng.ts";
import { CLOCK, newClock } from "../store/clock.ts";
import { alignedWords, RowPool } from "../store/rows.ts";
import { TupleTable } from "../store/tuple_table.ts";
import type { PacketPool } from "../wire/packet.ts";
import { type NatProfile, type NatProfileOptions, resolveNatProfile } from "./behaviour.ts";
import { GatewayExtras } from "./extras.ts";
import {
  BLOCK,
  GATEWAY,
  HELD_SYN,
  HOLD,
  MAPPING,
  PERMISSION,
  SESSION,
  SESSION_COLD,
  SPACE,
  SUBSCRIBER,
} from "./layout.ts";
import type { PortBitmap } from "./port_bitmap.ts";
import { type IdRange, PoolRanges } from "./pool_ranges.ts";
import { REFUSALS_STRIDE } from "./refusal_rows.ts";

const { NOW } = CLOCK;
const { PROFILE_COUNT, MASK: GATEWAY_MASK, STRIDE: GATEWAY_STRIDE } = GATEWAY;

/** What a {@linkcode NatTables} stands on. */
export interface NatTablesOptions {
  /** The partition's packets, rewritten in place. */
  packets: PacketPool;
  /** The addresses behind the ids. */
  addresses: AddressTable;
  /** The run's seed, for the draws of ports. */
  seed: number;
  /** Sessions to reserve room for. Default 1,024. Untouched pages cost nothing. */
  sessionCapacity?: number;
  /** Sessions that their hash tables have room for. Default as `sessionCapacity`. */
  tupleCapacity?: number;
  /** Gateways to reserve room for. Default 16. */
  gatewayCapacity?: number;
  /** The driver's clock. Default one of its own, to be set with `setNow`. */
  clock?: Float64Array;
}

/** One gateway. Behaviour comes from a shared `profile`, or else from the {@linkcode NatProfileOptions} given here. */
export interface NatGatewayOptions extends NatProfileOptions {
  /** Stable scenario identity: names its random substream. */
  name: string;
  /** Stable place among the network's gateways, 0 to 2^21 - 1: orders timers of one tick. */
  rank: number;
  /** Id of the first external address. */
  externalAddress: number;
  /** Contiguous external address ids, 1 to 65,535. Default 1. */
  externalCount?: number;
  /** Instead: several ranges of ids without an address in common, 1 to 65,535 addresses together. */
  externalRanges?: readonly IdRange[];
  /** Of `NatTables.addProfile`. The other profile options are then not looked at. */
  profile?: number;
}

/** Options without what is a gateway's own. */
function profileOptionsOf(options: NatProfileOptions): NatProfileOptions {
  const { name: _n, rank: _r, externalAddress: _a, externalCount: _c, externalRanges: _e, profile: _p, ...rest } =
    options as Partial<
      NatGatewayOptions
    >;
  return rest;
}

/** A gateway's timeouts, ns, which may change in mid-run. What is left out stays as it is. */
export interface NatTimeoutOptions {
  /** Of an established TCP session. */
  tcpEstablishedNs?: number;
  /** Of an opening or closing TCP session. */
  tcpTransitoryNs?: number;
  /** Of an opening one. */
  tcpOpeningNs?: number;
  /** Of a closing one. */
  tcpClosingNs?: number;
  /** Of a UDP session. */
  udpNs?: number;
  /** Of an ICMP query session. */
  icmpNs?: number;
  /** How long an unsolicited SYN is held. */
  unsolicitedSynNs?: number;
}

const TIMEOUTS = [
  "tcpEstablishedNs",
  "tcpTransitoryNs",
  "tcpOpeningNs",
  "tcpClosingNs",
  "udpNs",
  "icmpNs",
  "unsolicitedSynNs",
] as const satisfies readonly (keyof NatTimeoutOptions)[];

/** The NAT state of one partition. */
export class NatTables {
  /** The partition's packets. */
  declare readonly packets: PacketPool;
  /** The addresses behind the ids. */
  declare readonly addresses: AddressTable;
  /** The run's seed. */
  declare readonly seed: number;
  /** The time (`CLOCK.NOW`): shared with the driver, or set with `setNow`. */
  declare readonly clock: Float64Array;
  /** `tick` and `tickCeiling` are those of the times between these two, ns. */
  #afterNs = 0.5;
  #beforeNs = 0.5;
  /** The tick that has begun: whole ms since the start. */
  tick = 0;
  /** The first tick that is not in the past: `tick`, or the next one if `nowNs` lies within a ms. Timeouts count from it. */
  tickCeiling = 0;

  /** Timer requests for the driver's wheel: pairs (ref, tick). Replaced when it grows. */
  timerRequests: Int32Array = new Int32Array(64);
  /** Pairs in `timerRequests`; the driver drains them and sets 0. */
  timerRequestCount = 0;

  /** `GATEWAY` rows. */
  declare readonly gateways: RowPool;
  /** `SESSION` rows. */
  declare readonly sessions: RowPool;
  /** `SESSION_COLD` rows, by session. Replaced when sessions grow. */
  declare sessionCold: Int32Array;
  /** `MAPPING` rows. */
  declare readonly mappings: RowPool;
  /** `SUBSCRIBER` rows. */
  declare readonly subscribers: RowPool;
  /** `SPACE` rows. */
  declare readonly spaces: RowPool;
  /** `PERMISSION` rows. */
  declare readonly permissions: RowPool;
  /** `BLOCK` rows. */
  readonly blocks: RowPool = new RowPool({ strideWords: BLOCK.STRIDE, capacity: 16 });
  /** `HOLD` rows. */
  readonly holds: RowPool = new RowPool({ strideWords: HOLD.STRIDE, capacity: 16 });
  /** `HELD_SYN` rows. */
  readonly heldSyns: RowPool = new RowPool({ strideWords: HELD_SYN.STRIDE, capacity: 16 });
  /** Refusals of subscribers by reason (`refusal_rows.ts`). */
  readonly refusals: RowPool = new RowPool({ strideWords: REFUSALS_STRIDE, capacity: 2 });
  /** Tokens of subscribers with a session rate, by row. Replaced when subscribers grow. */
  tokens: Float64Array = new Float64Array(0);
  /**
   * Packets from outside that the driver is to answer with ICMP Port Unreachable: pairs (gateway, packet). It releases
   * them, and sets the length 0.
   */
  readonly out: number[] = [];
  /** Behaviours by id. */
  readonly profiles: NatProfile[] = [];
  /** By `GATEWAY.EXTRAS`; 0 unused. */
  readonly extras: (GatewayExtras | undefined)[] = [undefined];
  /** By `SPACE.BITMAP`; 0 unused. */
  readonly bitmaps: (PortBitmap | undefined)[] = [undefined];
  /** Free places in `bitmaps`. */
  readonly freeBitmaps: number[] = [];
  /** Crowded destinations among the spaces. */
  crowdedSpaces = 0;

  /** Sessions by (realm, internal, remote, internal port, remote port). */
  declare readonly inside: TupleTable;
  /** Sessions by (realm, external, remote, external port, remote port), or without the remote if ports are exclusive. */
  declare readonly outside: TupleTable;
  /** Mappings by (realm, internal, internal port) and what of the remote endpoint the behaviour depends on. */
  readonly mappingInside: TupleTable = new TupleTable({ capacity: 8 });
  /** Mappings by (realm, external, external port). */
  readonly mappingOutside: TupleTable = new TupleTable({ capacity: 8 });
  /** Subscribers by (gateway, internal). */
  readonly subscriberIndex: TupleTable = new TupleTable({ capacity: 8 });
  /** Spaces by (realm, external[, remote, remote port]). */
  readonly spaceIndex: TupleTable = new TupleTable({ capacity: 8 });
  /** Permissions by (mapping, remote). */
  readonly permissionIndex: TupleTable = new TupleTable({ capacity: 8 });
  /** Blocks by (gateway, pool address, number). */
  readonly blockIndex: TupleTable = new TupleTable({ capacity: 8 });
  /** Ports that rest, keyed as their sessions or mappings were: from outside, and from inside. */
  readonly holdOutside: TupleTable = new TupleTable({ capacity: 8 });
  readonly holdInside: TupleTable = new TupleTable({ capacity: 8 });
  /** Held SYNs by (realm, external, remote, external port, remote port). */
  readonly heldSynIndex: TupleTable = new TupleTable({ capacity: 8 });

  /** A gateway is losing its state: what ends is not logged. */
  silent = false;
  /** The session of the packet last forwarded. */
  lastSession = 0;
  /** Out parameter of `allocatePort`: the external address granted. */
  grantedAddress = 0;
  #profileIds = new Map<string, number>();
  readonly #profileOptions: NatProfileOptions[] = [];

  /** Empty tables. */
  constructor(options: NatTablesOptions) {
    this.clock = options.clock ?? newClock();
    this.packets = options.packets;
    this.addresses = options.addresses;
    this.seed = options.seed;
    const capacity = options.sessionCapacity ?? 1024;
    this.gateways = new RowPool({ strideWords: GATEWAY.STRIDE, capacity: (options.gatewayCapacity ?? 15) + 1 });
    this.sessions = new RowPool({ strideWords: SESSION.STRIDE, capacity: capacity + 1 });
    this.sessionCold = alignedWords(this.sessions.capacity * SESSION_COLD.STRIDE);
    this.mappings = new RowPool({ strideWords: MAPPING.STRIDE, capacity: 16 });
    this.subscribers = new RowPool({ strideWords: SUBSCRIBER.STRIDE, capacity: 16 });
    this.spaces = new RowPool({ strideWords: SPACE.STRIDE, capacity: 16 });
    this.permissions = new RowPool({ strideWords: PERMISSION.STRIDE, capacity: 16 });
    const tuples = { capacity: Math.ceil(options.tupleCapacity ?? capacity) };
    this.inside = new TupleTable(tuples);
    this.outside = new TupleTable(tuples);
  }

  /** Sets the time, integer ns; never backwards. */
  setNow(ns: number): void {
    this.clock[NOW] = ns;
    this.syncNow();
  }

  /** Now, ns. */
  get nowNs(): number {
    return this.clock[NOW];
  }

  /** Takes over the time that the driver has set in the clock. */
  syncNow(): void {
    const ns = this.clock[NOW];
    if (!(ns > this.#afterNs && ns < this.#beforeNs)) this.#beginTick(ns);
  }

  #beginTick(ns: number): void {
    const ms = ns / NS_PER_MS;
    const tick = Math.floor(ms);
    this.tick = tick;
    this.tickCeiling = tick === ms ? tick : tick + 1;
    this.#afterNs = tick * NS_PER_MS;
    // (At the beginning of a tick `tickCeiling` is that tick, as at no other time.)
    this.#beforeNs = this.tickCeiling * NS_PER_MS;
  }

  /** The id of a behaviour; equal behaviours have one id. Throws `InputError` for options that make no sense. */
  addProfile(options: NatProfileOptions = {}): number {
    const profile = resolveNatProfile(options);
    const key = JSON.stringify(profile);
    let id = this.#profileIds.get(key);
    if (id === undefined) {
      id = this.profiles.push(profile) - 1;
      if (id > 0xffff) throw new InputError("More than 65536 different NAT behaviours in one network.");
      this.#profileIds.set(key, id);
      this.#profileOptions[id] = profileOptionsOf(options);
    }
    return id;
  }

  /** For snapshots: behaviours that were made in mid-run are made again, with the same ids. */
  visitProfiles(v: StateVisitor): void {
    // (Keys in one order, whatever that of the declaration.)
    const sorted = plainValue(canonicalText(this.#profileOptions as unknown as PlainValue));
    const options = v.plain(sorted) as unknown as NatProfileOptions[];
    if (v.restoring) { for (const each of options) this.addProfile(each); }
  }

  /**
   * Changes a gateway's timeouts in mid-run: sessions get the new ones with their next packet, as Linux's do. Throws
   * `InputError` for times that make no sense.
   */
  setTimeouts(gateway: number, timeouts: NatTimeoutOptions): void {
    const at = gateway * GATEWAY.STRIDE + GATEWAY.PROFILE_COUNT;
    const words = this.gateways.words;
    const changed: NatProfileOptions = { ...this.#profileOptions[words[at] >>> 16] };
    for (const name of TIMEOUTS) if (timeouts[name] !== undefined) changed[name] = timeouts[name];
    words[at] = (this.addProfile(changed) << 16) | (words[at] & 0xffff);
  }

  /**
   * Adds a gateway and returns its id, at least 1. Throws `InputError` if the pool's count of addresses is not within
   * 1 to 65,535 or the behaviour makes no sense.
   */
  addGateway(options: NatGatewayOptions): number {
    const ranges = options.externalRanges ?? [];
    const pool = ranges.length > 1 ? new PoolRanges(ranges) : undefined;
    const count = pool?.count ?? ranges[0]?.count ?? options.externalCount ?? 1;
    if (!(Number.isInteger(count) && count >= 1 && count <= 65_535)) {
      throw new InputError(`A NAT's pool has 1 to 65535 external addresses, not ${count}.`, { path: "pool.count" });
    }
    const profile = options.profile ?? this.addProfile(options);
    const key = substreamKey(this.seed, "nat-port", options.name);
    const gateway = this.gateways.allocate();
    const words = this.gateways.words;
    const at = gateway * GATEWAY.STRIDE;
    words[at + GATEWAY.PROFILE_COUNT] = (profile << 16) | count;
    words[at + GATEWAY.RANK] = options.rank;
    words[at + GATEWAY.EXTERNAL_FIRST] = ranges[0]?.first ?? options.externalAddress;
    words[at + GATEWAY.KEY0] = key.k0;
    words[at + GATEWAY.KEY1] = key.k1;
    if (pool !== undefined) {
      words[at + GATEWAY.EXTERNAL_FIRST] = 0;
      this.extrasOf(gateway).pool = pool;
    }
    return gateway;
  }

  /** A gateway's behaviour. */
  profileOf(gateway: number): NatProfile {
    return this.profiles[this.gateways.words[((gateway * GATEWAY_STRIDE) & GATEWAY_MASK) + PROFILE_COUNT] >>> 16];
  }

  /** A gateway's extras, made if it has none. */
  extrasOf(gateway: number): GatewayExtras {
    const at = gateway * GATEWAY.STRIDE + GATEWAY.EXTRAS;
    const index = this.gateways.words[at];
    if (index !== 0) return this.extras[index]!;
    const extras = new GatewayExtras();
    this.gateways.words[at] = this.extras.push(extras) - 1;
    return extras;
  }

  /** A gateway's extras, if it has any. */
  extrasIfAny(gateway: number): GatewayExtras | undefined {
    return this.extras[this.gateways.words[gateway * GATEWAY.STRIDE + GATEWAY.EXTRAS]];
  }

  /** Asks the driver for a timer at a tick. */
  requestTimer(ref: number, tick: number): void {
    const at = this.timerRequestCount * 2;
    if (at === this.timerRequests.length) this.timerRequests = lengthened(this.timerRequests, at * 2);
    this.timerRequests[at] = ref;
    this.timerRequests[at + 1] = tick;
    this.timerRequestCount++;
  }

  /** Bytes of the columns that have been in use, bitmaps included. */
  get columnBytes(): number {
    let bytes = this.sessions.peak * SESSION_COLD.STRIDE * 4;
    bytes += this.tokens.byteLength;
    for (
      const pool of [
        this.gateways,
        this.sessions,
        this.mappings,
        this.subscribers,
        this.spaces,
        this.permissions,
        this.blocks,
        this.holds,
        this.heldSyns,
        this.refusals,
      ]
    ) bytes += pool.peakBytes;
    for (
      const table of [
        this.inside,
        this.outside,
        this.mappingInside,
        this.mappingOutside,
        this.subscriberIndex,
        this.spaceIndex,
        this.permissionIndex,
        this.blockIndex,
        this.holdOutside,
        this.holdInside,
        this.heldSynIndex,
      ]
    ) bytes += table.entries.byteLength;
    for (const bitmap of this.bitmaps) if (bitmap !== undefined) bytes += bitmap.bytes;
    return bytes;
  }
}
