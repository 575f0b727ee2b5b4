/**
 * The TCP stack of one partition: rows, tables and outboxes. It schedules nothing and reads no clock: a driver sets
 * the time, hands in segments and expired timers, and takes segments, events and timer requests out.
 *
 * @module
 */
import type { AddressTable } from "../base/address.ts";
import { CLOCK, newClock } from "../store/clock.ts";
import { lengthened } from "../base/growth.ts";
import { RowPool } from "../store/rows.ts";
import { Demux } from "../transport/demux.ts";
import { PortAllocator } from "../transport/ports.ts";
import type { HostTable } from "../transport/hosts.ts";
import { type Profile, PROFILE_WORD, type ProfileTable } from "../transport/profile.ts";
import type { PacketPool } from "../wire/packet.ts";
import { makeCold } from "./cold_row.ts";
import { TcpCounters } from "./counters.ts";
import type { PendingErrors } from "./errors.ts";
import { FastOpenMemory } from "./fast_open_cache.ts";
import { releaseMemory } from "./memory.ts";
import { PathMemory } from "./path_mtu.ts";
import { congestionId } from "./congestion/types.ts";
import { makeRecovery } from "./recovery_row.ts";
import { type EmitSegment, segmentEmitter } from "./segment_out.ts";
import { type SegmentPath, segmentPath } from "./segment_path.ts";
import type { TcpInfo } from "./tcp_info.ts";
import { ACCOUNT } from "./state/account_row.ts";
import { ACK_SAMPLE } from "./state/ack_sample.ts";
import { FAST_OPEN } from "./state/fast_open_row.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { SENDER } from "./state/sender_row.ts";
import type { Stream, TcpStackOptions } from "./stack_options.ts";
import { ROW_KIND } from "./state/states.ts";
import { canReuseTimeWait } from "./time_wait_reuse.ts";
import {
  COLD,
  LISTENER,
  OOO,
  PROFILE_ELSEWHERE,
  RTX,
  SETTINGS,
  SYN_ROW,
  TCB,
  TIME_WAIT_ROW,
  TIMER,
  WARM,
} from "./state/tcb.ts";

const { LOCAL, REMOTE, PORTS, HOST, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, GENERATION, STREAM, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { STRIDE: COLD_STRIDE } = COLD;
const {
  RECOVERY: RECOVERY_AT,
  RECEIVER: RECEIVER_AT,
  SENDER: SENDER_AT,
} = COLD;
const { MASK: TIMER_MASK, STRIDE: TIMER_STRIDE, BEGIN: TIMERS_BEGIN, QUEUED_AT } = TIMER;
const { CONNECTION } = ROW_KIND;

const { NOW } = CLOCK;
const { STRIDE: PROFILE_STRIDE } = PROFILE_WORD;
/** Of this module: V8 checks an imported number wherever it is used. */
const ELSEWHERE = PROFILE_ELSEWHERE;

/** See the module's description. A connection is named by its row, at least 1. */
export class TcpStack {
  /** The packets of the partition. */
  declare readonly packets: PacketPool;
  /** The addresses of the partition. */
  declare readonly addresses: AddressTable;
  /** The hosts of the partition. */
  declare readonly hosts: HostTable;
  /** What hosts share. */
  declare readonly profiles: ProfileTable;
  /** Demultiplexing: connections, TIME_WAIT and SYN_RECEIVED rows. */
  declare readonly demux: Demux;
  /** Ephemeral ports. */
  declare readonly ports: PortAllocator;

  /** Rows, of a hot and a warm line and timers: `tcbs.words[conn * TCB.STRIDE + field]`. */
  declare readonly tcbs: RowPool;
  /** The same words, by the name of the lines that are meant: `warm[conn * WARM.STRIDE + field]`. */
  declare warm: Int32Array;
  /** The same words from the first row's timers on: `timers[conn * TIMER.STRIDE + field]`. */
  declare timers: Int32Array;
  /** Cold rows (`COLD`). */
  declare readonly cold: RowPool;
  /** Records of retransmission queues (`RTX`). */
  declare readonly segments: RowPool;
  /** Records of reassembly queues (`OOO`). */
  declare readonly ranges: RowPool;
  /** Socket options that differ from the profile (`SETTINGS`). */
  declare readonly settings: RowPool;
  /** Rows of loss recovery (`RECOVERY`). */
  declare readonly recoveries: RowPool;
  /** Rows of busy receivers (`RECEIVER`). */
  declare readonly receivers: RowPool;
  /** Rows of senders with more than a queue of bytes (`SENDER`). */
  declare readonly senders: RowPool;
  /** Rows of accounts (`ACCOUNT`). */
  declare readonly accounts: RowPool;
  /** Rows of Fast Open (`FAST_OPEN`). */
  declare readonly fastOpens: RowPool;
  /** Private rows of congestion control by the algorithm's number. */
  readonly congestionPools: (RowPool | undefined)[] = [];
  /** Parameters of congestion control by the algorithm's number: see `parametersOf`. */
  readonly congestionParameters: (Int32Array | undefined)[] = [];
  /** What the last ACK did (`ACK_SAMPLE`). */
  readonly ackSample: Int32Array = new Int32Array(ACK_SAMPLE.WORDS);
  /** SYN queue rows (`SYN_ROW`). */
  declare readonly synRows: RowPool;
  /** TIME_WAIT rows (`TIME_WAIT_ROW`). */
  declare readonly timeWaits: RowPool;
  /** Listeners (`LISTENER`). */
  declare readonly listeners: RowPool;
  /** Listeners made so far. */
  listenersMade = 0;
  /** What hosts remember of paths. */
  readonly pathMtus: PathMemory = new PathMemory();
  /** What hosts remember of Fast Open. */
  readonly fastOpen: FastOpenMemory = new FastOpenMemory();
  /** Real bytes by `STREAM`. */
  readonly streams: (Stream | null)[] = [null];
  readonly freeStreams: number[] = [];
  /** The profile (its number) whose congestion control was asked for last, and the number of that. */
  #algorithmProfile = -1;
  #algorithm = 0;
  readonly shutEgress: Set<number> = new Set();
  /** Hosts whose interface takes nothing (`setEgress`). */
  egressShut = 0;

  /** The time (`CLOCK.NOW`): shared with the driver, or set with `setNow`. */
  declare readonly clock: Float64Array;
  #syncedNs = 0;
  /** Whole milliseconds, 32 bits, wrapping. */
  nowMs = 0;
  /** Whole microseconds, 32 bits, wrapping. */
  nowUs = 0;
  /** First millisecond tick that is not before now: deadlines count from it. */
  nowTick = 0;

  /** Packets to send; `PACKET.LINK` holds the sending host. `outCount` of them; the driver zeroes the count. */
  out: Int32Array = new Int32Array(2048);
  /** Packets in `out`. */
  outCount = 0;
  /** Triples of connection, `TCP_EVENT` and argument; `eventCount` triples. The driver zeroes the count. */
  events: Int32Array = new Int32Array(3 * 256);
  /** Triples in `events`. */
  eventCount = 0;
  /**
   * Pairs of timer reference and tick (ms, 32 bits, wrapping: later than now by less than 2^31);
   * `timerRequestCount` pairs. The driver zeroes the count.
   */
  timerRequests: Int32Array = new Int32Array(2 * 256);
  /** Pairs in `timerRequests`. */
  timerRequestCount = 0;
  /**
   * Pairs of timer reference and time (ns, later than now) that are finer than the wheel's milliseconds;
   * `fineTimerRequestCount` pairs. The driver calls `fineTimerFired`, unless the connection has ended, and zeroes the
   * count.
   */
  fineTimerRequests: Float64Array = new Float64Array(2 * 16);
  /** Pairs in `fineTimerRequests`. */
  fineTimerRequestCount = 0;
  /** Armed timers that keep a run alive: all but keep-alives. */
  liveTimers = 0;
  /** Connections made so far. */
  created = 0;
  /** Some connection has had a traffic class or TTL of its own: `stampIpFields` must be asked. */
  ipFieldsUsed = false;
  /** Has any connection sent urgent data? */
  urgentUsed = false;
  /** Errors that applications have not taken (`errors.ts`), by connection. */
  readonly errors: Map<number, PendingErrors> = new Map();
  /** TCP_INFO of accounted connections that are done, as long as the application holds them. */
  readonly lastInfos: Map<number, TcpInfo> = new Map();
  /** What the stack has counted. */
  readonly counters: TcpCounters = new TcpCounters();

  /** Key words that initial sequence numbers are made with. */
  declare readonly secret0: number;
  /** The second of them. */
  declare readonly secret1: number;

  /** What takes segments in. */
  declare readonly path: SegmentPath;
  /** See `emit` of `segment_out.ts`. */
  declare readonly emit: EmitSegment;

  /** Reserves the rows. */
  constructor(options: TcpStackOptions) {
    this.clock = options.clock ?? newClock();
    this.packets = options.packets;
    this.addresses = options.addresses;
    this.hosts = options.hosts;
    this.profiles = options.profiles;
    const capacity = Math.max(16, options.connectionCapacity ?? 1024);
    this.tcbs = new RowPool({ strideWords: STRIDE, capacity: capacity + 1 });
    this.seeRows();
    this.cold = new RowPool({ strideWords: COLD_STRIDE });
    this.segments = new RowPool({ strideWords: RTX.STRIDE });
    this.ranges = new RowPool({ strideWords: OOO.STRIDE, capacity: 64 });
    this.settings = new RowPool({ strideWords: SETTINGS.STRIDE, capacity: 16 });
    this.recoveries = new RowPool({ strideWords: RECOVERY.STRIDE, capacity: 64 });
    this.receivers = new RowPool({ strideWords: RECEIVER.STRIDE, capacity: 16 });
    this.senders = new RowPool({ strideWords: SENDER.STRIDE, capacity: 16 });
    this.accounts = new RowPool({ strideWords: ACCOUNT.STRIDE, capacity: 16 });
    this.fastOpens = new RowPool({ strideWords: FAST_OPEN.STRIDE, capacity: 16 });
    this.synRows = new RowPool({ strideWords: SYN_ROW.STRIDE });
    this.timeWaits = new RowPool({ strideWords: TIME_WAIT_ROW.STRIDE });
    this.listeners = new RowPool({ strideWords: LISTENER.STRIDE, capacity: 16 });
    this.demux = new Demux({
      pools: [this.tcbs, this.timeWaits, this.synRows],
      capacity: options.tupleCapacity ?? capacity,
    });
    this.ports = new PortAllocator({
      seed: options.seed,
      hosts: this.hosts,
      addresses: this.addresses,
      demux: this.demux,
    });
    this.ports.use.isReusable = (row) => canReuseTimeWait(this, row);
    this.secret0 = options.seed | 0;
    this.secret1 = (Math.floor(options.seed / 2 ** 32) | 0) ^ 0x69736e;
    this.emit = segmentEmitter(this);
    this.path = segmentPath(this);
  }

  /** Sets the time, in integer ns, not before the last. */
  setNow(ns: number): void {
    this.clock[NOW] = ns;
    this.syncNow();
  }

  /** Simulated time in ns. */
  get nowNs(): number {
    return this.clock[NOW];
  }

  /** Takes over the time that the driver has set in the clock. */
  syncNow(): void {
    const ns = this.clock[NOW];
    if (ns === this.#syncedNs) return;
    this.#syncedNs = ns;
    const exactMs = ns / 1e6;
    const ms = Math.floor(exactMs);
    this.nowMs = ms | 0;
    this.nowTick = ms === exactMs ? ms | 0 : (ms + 1) | 0;
    // `| 0` wraps modulo 2^32 for any exact integer.
    this.nowUs = Math.floor(ns / 1e3) | 0;
  }

  /** The profile of a host. */
  profileOf(host: number): Readonly<Profile> {
    return this.profiles.get(this.hosts.profileOf(host));
  }

  /** The profile of a connection's host, without touching the host's row. */
  profileOfConnection(conn: number): Readonly<Profile> {
    const profile = this.warm[((conn * WARM_STRIDE) & WARM_MASK) + GENERATION] >>> 20;
    if (profile === ELSEWHERE) return this.profileOf(this.tcbs.words[conn * STRIDE + HOST]);
    return this.profiles.get(profile);
  }

  /** Where the words of the profile of a connection's host begin in `profiles.words` (`PROFILE_WORD`). */
  profileAt(conn: number): number {
    const profile = this.warm[((conn * WARM_STRIDE) & WARM_MASK) + GENERATION] >>> 20;
    if (profile !== ELSEWHERE) return profile * PROFILE_STRIDE;
    return this.hosts.profileOf(this.tcbs.words[conn * STRIDE + HOST]) * PROFILE_STRIDE;
  }

  /** Differs between connections that had the same row (of 2^20 in a stack). */
  generation(conn: number): number {
    return this.warm[conn * WARM_STRIDE + GENERATION];
  }

  /** A zeroed connection row with its tuple; not yet in the tuple table. */
  allocateConnection(host: number, local: number, remote: number, ports: number): number {
    const conn = this.tcbs.allocate();
    if (this.tcbs.words !== this.warm) this.seeRows();
    const words = this.tcbs.words;
    const at = (conn * STRIDE) & MASK;
    // (`| 0`: what comes as an argument would be taken for a float.)
    words[at + LOCAL] = local | 0;
    words[at + REMOTE] = remote | 0;
    words[at + PORTS] = ports | 0;
    words[at + HOST] = host | 0;
    const profile = Math.min(this.hosts.profileOf(host), ELSEWHERE);
    this.warm[((conn * WARM_STRIDE) & WARM_MASK) + GENERATION] = (profile << 20) | (++this.created & 0xfffff);
    return conn;
  }

  /** Gives a connection's row back, with whatever hangs on it. It must have left the tuple table. */
  releaseConnection(conn: number): void {
    const warmAt = (conn * WARM_STRIDE) & WARM_MASK;
    const warm = this.warm;
    const stream = warm[warmAt + STREAM];
    if (stream !== 0) {
      this.streams[stream] = null;
      this.freeStreams.push(stream);
    }
    if (this.hosts.budgets !== undefined) releaseMemory(this, this.hosts.budgets, conn);
    if (this.errors.size !== 0) this.errors.delete(conn);
    if (this.lastInfos.size !== 0) this.lastInfos.delete(conn);
    this.tcbs.release(conn);
  }

  /** The connection's stream of real bytes, made if it has none. */
  streamOf(conn: number): Stream {
    const at = conn * WARM_STRIDE + STREAM;
    let index = this.warm[at];
    if (index === 0) {
      index = this.freeStreams.pop() ?? this.streams.length;
      this.streams[index] = { send: null, receive: null };
      this.warm[at] = index;
    }
    return this.streams[index]!;
  }

  /** The connection's cold row, made if it has none. `cold.words` may be replaced. */
  coldOf(conn: number): number {
    const row = this.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT];
    return row !== 0 ? row : makeCold(this, conn);
  }

  /** Number of the congestion control of the connection's profile. */
  algorithmOf(conn: number): number {
    const profile = this.warm[((conn * WARM_STRIDE) & WARM_MASK) + GENERATION] >>> 20;
    return profile === this.#algorithmProfile ? this.#algorithm : this.#noteAlgorithm(conn, profile);
  }

  /** Number of the congestion control that a listener's connections begin with. */
  algorithmOfListener(listener: number): number {
    const l = listener * LISTENER.STRIDE;
    const rows = this.listeners.words;
    const settings = rows[l + LISTENER.SETTINGS];
    const own = settings === 0 ? 0 : this.settings.words[settings * SETTINGS.STRIDE + SETTINGS.CONGESTION];
    return own !== 0 ? own - 1 : algorithmNamedIn(this.profileOf(rows[l + LISTENER.HOST]));
  }

  /** Profiles are frozen: the same number has the same algorithm, but for the one that stands for those elsewhere. */
  #noteAlgorithm(conn: number, profile: number): number {
    const id = algorithmNamedIn(this.profileOfConnection(conn));
    if (profile !== ELSEWHERE) {
      this.#algorithmProfile = profile;
      this.#algorithm = id;
    }
    return id;
  }

  /** The connection's `RECOVERY` row, made if it has none. */
  recoveryOf(conn: number): number {
    return this.cold.words[this.coldOf(conn) * COLD_STRIDE + RECOVERY_AT] || makeRecovery(this, conn);
  }

  /** The connection's `RECEIVER` row, made if it has none. */
  receiverOf(conn: number): number {
    const at = this.coldOf(conn) * COLD_STRIDE + RECEIVER_AT;
    return this.cold.words[at] ||= this.receivers.allocate();
  }

  /** The connection's `SENDER` row, made if it has none. */
  senderOf(conn: number): number {
    const at = this.coldOf(conn) * COLD_STRIDE + SENDER_AT;
    return this.cold.words[at] ||= this.senders.allocate();
  }

  /** Lets a host's interface take nothing any more, or again: what TCP sends meanwhile is lost, and TCP knows. */
  setEgress(host: number, open: boolean): void {
    if (open) this.shutEgress.delete(host);
    else this.shutEgress.add(host);
    this.egressShut = this.shutEgress.size;
  }

  /** Does the host's interface take nothing? Ask only while `egressShut` is not 0. */
  isEgressShut(host: number): boolean {
    return this.shutEgress.has(host);
  }

  /** Appends a packet to the outbox. */
  pushOut(packet: number): void {
    if (this.outCount === this.out.length) this.out = lengthened(this.out, 2 * this.out.length);
    this.out[this.outCount++] = packet;
    this.counters.segmentsOut++;
  }

  /** The outbox, with room for `count` packets more. */
  roomOut(count: number): Int32Array {
    while (this.outCount + count > this.out.length) this.out = lengthened(this.out, 2 * this.out.length);
    return this.out;
  }

  /** Appends an event. */
  pushEvent(conn: number, kind: number, argument: number): void {
    const at = this.eventCount * 3;
    if (at === this.events.length) this.events = lengthened(this.events, 2 * at);
    const events = this.events;
    events[at] = conn;
    events[at + 1] = kind;
    events[at + 2] = argument;
    this.eventCount++;
  }

  /** Asks the driver to call `timerFired(ref)` at `tick`. */
  requestTimer(ref: number, tick: number): void {
    const at = this.timerRequestCount * 2;
    if (at === this.timerRequests.length) this.timerRequests = lengthened(this.timerRequests, 2 * at);
    this.timerRequests[at] = ref;
    this.timerRequests[at + 1] = tick;
    this.timerRequestCount++;
  }

  /**
   * Sets a connection's timer `slot` (`TIMER`) to go off `delayMs` (at least 1) from now. The driver's wheel is to look
   * at it after `lookMs` (at most `delayMs`), and then again when something is due.
   */
  armTimer(conn: number, slot: number, delayMs: number, lookMs: number = delayMs): void {
    const timers = this.timers;
    const at = (conn * TIMER_STRIDE) & TIMER_MASK;
    const deadline = ((this.nowTick + delayMs) | 0) || 1;
    if (timers[at + slot] === 0) this.liveTimers++;
    timers[at + slot] = deadline;
    const look = lookMs < delayMs ? ((this.nowTick + lookMs) | 0) || 1 : deadline;
    const queued = timers[at + QUEUED_AT];
    if (queued === 0 || ((look - queued) | 0) < 0) {
      timers[at + QUEUED_AT] = look;
      this.requestTimer((conn << 2) | CONNECTION, look);
    }
  }

  /** Turns a connection's timer off. Its entry in the driver's wheel stays and does nothing. */
  disarmTimer(conn: number, slot: number): void {
    const at = ((conn * TIMER_STRIDE) & TIMER_MASK) + slot;
    if (this.timers[at] === 0) return;
    this.timers[at] = 0;
    this.liveTimers--;
  }

  /** The rows of connections have moved: `warm` and `timers` show them where they are now. */
  seeRows(): void {
    this.warm = this.tcbs.words;
    this.timers = this.tcbs.words.subarray(TIMERS_BEGIN);
  }
}

/** Number of the congestion control that a profile names. */
function algorithmNamedIn({ congestionControl }: Readonly<Profile>): number {
  const id = congestionId(congestionControl);
  if (id < 0) throw new RangeError(`There is no congestion control named ${JSON.stringify(congestionControl)}.`);
  return id;
}
