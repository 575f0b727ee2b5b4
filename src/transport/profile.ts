/**
 * What hosts share: a profile is the set of sysctl-like settings that many hosts refer to by a small number, so
 * that a million hosts cost a million rows and not a million settings (DESIGN section 3).
 *
 * @module
 */
import type { PlainValue, StateVisitor } from "../base/state.ts";
import { BOUNDS, FRACTIONS, ORDERED } from "./profile_bounds.ts";

export { LONGEST_TIMER_MS } from "./profile_bounds.ts";

/** How a host chooses the local port of an outgoing connection; see `ports.ts` for each. */
export type PortAllocation =
  | "linux"
  | "rfc6056-1"
  | "rfc6056-2"
  | "rfc6056-3"
  | "rfc6056-4"
  | "rfc6056-5"
  | "host-wide";

/** Every {@linkcode PortAllocation}, in no particular order of merit. */
export const PORT_ALLOCATIONS: readonly PortAllocation[] = [
  "linux",
  "rfc6056-1",
  "rfc6056-2",
  "rfc6056-3",
  "rfc6056-4",
  "rfc6056-5",
  "host-wide",
];

/** Every value of `Profile.ecn`. */
const ECN_MODES: readonly Profile["ecn"][] = ["off", "on", "passive"];

/** A host's settings. The defaults are Linux's (6.x) unless said otherwise. Times carry their unit in the name. */
export interface Profile {
  /** Lowest ephemeral port, 1 to 65,535. Sysctl `net.ipv4.ip_local_port_range`, first number. Default 32,768. */
  ephemeralPortLow: number;
  /** Highest ephemeral port, inclusive, 1 to 65,535. Same sysctl, second number. Default 60,999. */
  ephemeralPortHigh: number;
  /** How ephemeral ports are chosen (RFC 6056 section 3.3, Linux, or host-wide). Default `"linux"`. */
  portAllocation: PortAllocation;
  /**
   * RFC 6056 algorithms 2 and 5 give up after as many random tries as the range has ports, although a port may be
   * free; true lets them scan the range then, so that they refuse exactly when the tuples are gone. Default false.
   */
  portScanFallback: boolean;
  /** Bits of the counter table's index in RFC 6056 algorithm 4 (section 3.3.4, TABLE_LENGTH), 1 to 16. Default 10. */
  portTableBits: number;
  /** Largest random increment, N of RFC 6056 algorithm 5 (section 3.3.5), 1 to 65,535. Default 500. */
  portMaxIncrement: number;
  /** How long a connection stays in TIME-WAIT, ns (RFC 9293 3.6.1: 2 MSL; Linux `TCP_TIMEWAIT_LEN`). Default 60e9. */
  timeWaitNs: number;
  /** A new SYN may take over the host's own TIME-WAIT tuple (`net.ipv4.tcp_tw_reuse`, RFC 6191). Default false. */
  timeWaitReuse: boolean;
  /** Retransmissions of a SYN before `ETIMEDOUT` (`net.ipv4.tcp_syn_retries`), 0 to 255. Default 6. */
  synRetries: number;
  /** Retransmissions of a SYN-ACK (`net.ipv4.tcp_synack_retries`), 0 to 255. Default 5. */
  synAckRetries: number;
  /** Retransmissions of data before `ETIMEDOUT` (`net.ipv4.tcp_retries2`; RFC 9293 R2), 0 to 255. Default 15. */
  retries2: number;
  /**
   * Retransmissions after the application let go of the connection (`net.ipv4.tcp_orphan_retries`, where the
   * kernel reads 0 as 8), 0 to 255. Default 8.
   */
  orphanRetries: number;
  /** First retransmission timeout before any RTT sample, ms (RFC 6298 2.1). Default 1,000. */
  rtoInitialMs: number;
  /** Least retransmission timeout, ms (Linux `TCP_RTO_MIN`; RFC 6298 2.4 would have 1,000). Default 200. */
  rtoMinMs: number;
  /** Greatest retransmission timeout, ms (Linux `TCP_RTO_MAX`; RFC 6298 2.5). Default 120,000. */
  rtoMaxMs: number;
  /** Delayed ACK, ms (Linux `TCP_DELACK_MIN`; RFC 9293 3.8.6.3: below 500); 0 acknowledges at once. Default 40. */
  delayedAckMs: number;
  /** Idle time before the first keep-alive probe, ms (`net.ipv4.tcp_keepalive_time`; RFC 9293 3.8.4). Default 7,200,000. */
  keepAliveIdleMs: number;
  /** Time between keep-alive probes, ms (`net.ipv4.tcp_keepalive_intvl`). Default 75,000. */
  keepAliveIntervalMs: number;
  /** Unanswered keep-alive probes before `ETIMEDOUT` (`net.ipv4.tcp_keepalive_probes`), 1 to 127. Default 9. */
  keepAliveProbes: number;
  /** How long an orphan waits in FIN-WAIT-2, ms (`net.ipv4.tcp_fin_timeout`). Default 60,000. */
  finTimeoutMs: number;
  /** Receive buffer of a connection, bytes (`net.ipv4.tcp_rmem`, middle number). Default 131,072. */
  receiveBufferBytes: number;
  /** Send buffer of a connection, bytes (`net.ipv4.tcp_wmem`, last number: what autotuning reaches). Default 4,194,304. */
  sendBufferBytes: number;
  /** Offer and accept the timestamps option (`net.ipv4.tcp_timestamps`; RFC 7323 section 3). Default true. */
  timestamps: boolean;
  /** Offer and accept window scaling (`net.ipv4.tcp_window_scaling`; RFC 7323 section 2). Default true. */
  windowScaling: boolean;
  /** Offer and accept selective acknowledgements (`net.ipv4.tcp_sack`; RFC 2018). Default true. */
  sack: boolean;
  /** Congestion control (`net.ipv4.tcp_congestion_control`): the name of one that is registered. Default `"cubic"`. */
  congestionControl: string;
  /**
   * ECN (`net.ipv4.tcp_ecn`; RFC 3168): `"off"`; `"on"`, asked for and granted; `"passive"`, granted to who asks.
   * Default `"passive"`.
   */
  ecn: "off" | "on" | "passive";
  /** A repeated SYN no longer asks for ECN (`net.ipv4.tcp_ecn_fallback`, RFC 3168 6.1.1.1). Default true. */
  ecnFallback: boolean;
  /** Report duplicate segments by SACK (`net.ipv4.tcp_dsack`; RFC 2883). Default true. */
  dsack: boolean;
  /** Find losses by time (`net.ipv4.tcp_recovery` bit 0; RFC 8985 RACK). Without it: RFC 6675. Default true. */
  rack: boolean;
  /** Probe for the loss of a tail (`net.ipv4.tcp_early_retrans` 3 or 4; RFC 8985 section 7). Default true. */
  tailLossProbe: boolean;
  /** Tell needless timeouts from real ones (`net.ipv4.tcp_frto`; RFC 5682). Default true. */
  forwardRtoRecovery: boolean;
  /** Segments that reordering may displace before a loss is assumed (`net.ipv4.tcp_reordering`), 1 to 300. Default 3. */
  reordering: number;
  /** Most that `reordering` grows to where it is seen (`net.ipv4.tcp_max_reordering`), 1 to 1,000. Default 300. */
  maxReordering: number;
  /** Shrink the window after an idle time (`net.ipv4.tcp_slow_start_after_idle`; RFC 5681 4.1). Default true. */
  slowStartAfterIdle: boolean;
  /** Pace what is sent (what the fq queue does for every flow; BBR always does). Default false. */
  pacing: boolean;
  /** Pacing rate in slow start, percent of CWND / SRTT (`net.ipv4.tcp_pacing_ss_ratio`), 1 to 1,000. Default 200. */
  pacingSlowStartPercent: number;
  /** Pacing rate afterwards, percent (`net.ipv4.tcp_pacing_ca_ratio`), 1 to 1,000. Default 120. */
  pacingAvoidancePercent: number;
  /** Least segments that are sent as one group, where that many may go (`net.ipv4.tcp_min_tso_segs`), 1 to 65,535. Default 2. */
  leastGroupSegments: number;
  /**
   * A group waits for more only while it is less than this part of the window (`net.ipv4.tcp_tso_win_divisor`), 0 to
   * 255; 0: while it is three segments or less. Default 3.
   */
  groupWindowDivisor: number;
  /** Window of the minimum round-trip time, seconds (`net.ipv4.tcp_min_rtt_wlen`), 0 to 86,400. Default 300. */
  minRttWindowSeconds: number;
  /** Thin streams time out without back-off (`net.ipv4.tcp_thin_linear_timeouts`). Default false. */
  thinLinearTimeouts: boolean;
  /** First retransmissions of a SYN that are not backed off (`net.ipv4.tcp_syn_linear_timeouts`), 0 to 127. Default 0. */
  synLinearTimeouts: number;
  /** Retransmissions before the network layer is told to look for another way (R1, `net.ipv4.tcp_retries1`). Default 3. */
  retries1: number;
  /**
   * Fast Open (`net.ipv4.tcp_fastopen`; RFC 7413): the sum of 1 client, 2 server, 4 client without a cookie, 0x200
   * server without a cookie, 0x400 every listener without the socket option. Default 1.
   */
  fastOpen: number;
  /**
   * Key of the server's cookies (`net.ipv4.tcp_fastopen_key`): 32 hexadecimal digits in groups of 8, a second such key
   * after a comma for old cookies. Empty: made from the seed and the host's name. Default empty.
   */
  fastOpenKey: string;
  /** How long a path that swallowed Fast Open's SYN is remembered, s (`tcp_fastopen_blackhole_timeout_sec`). Default 0: not. */
  fastOpenBlackholeSeconds: number;
  /** SYN cookies (`net.ipv4.tcp_syncookies`; RFC 4987 3.6): 0 never, 1 when the SYN queue is full, 2 always. Default 1. */
  synCookies: number;
  /** SYNs in the queue of one listener, besides its backlog (`net.ipv4.tcp_max_syn_backlog`). Default 4,096. */
  maxSynBacklog: number;
  /** A reset does not end TIME-WAIT (`net.ipv4.tcp_rfc1337`; RFC 1337). Default false. */
  rfc1337: boolean;
  /** Most that a receive buffer grows to, bytes (`net.ipv4.tcp_rmem`, last number). Default 6,291,456. */
  receiveBufferMaxBytes: number;
  /** Grow the receive buffer with the sender's speed (`net.ipv4.tcp_moderate_rcvbuf`). Default true. */
  moderateReceiveBuffer: boolean;
  /** First size of a send buffer, bytes (`net.ipv4.tcp_wmem`, middle number); it grows to `sendBufferBytes`. Default 4,194,304. */
  sendBufferInitialBytes: number;
  /** Unsent bytes above which a socket is not writable (`net.ipv4.tcp_notsent_lowat`). Default Infinity. */
  notSentLowBytes: number;
  /** ACKs for out-of-order data held back at most so long, ns (`net.ipv4.tcp_comp_sack_delay_ns`); 0: never. Default 0. */
  compressedAckDelayNs: number;
  /** Most ACKs that are held back so (`net.ipv4.tcp_comp_sack_nr`), 0 to 255. Default 44. */
  compressedAckCount: number;
  /** Least time between two answers to out-of-window segments of one connection, ms (`net.ipv4.tcp_invalid_ratelimit`). Default 500. */
  invalidRateLimitMs: number;
  /** Probe for the path MTU (`net.ipv4.tcp_mtu_probing`; RFC 4821): 0 never, 1 after a black hole is found, 2 always. Default 0. */
  mtuProbing: number;
  /** MSS to begin probing with, bytes (`net.ipv4.tcp_base_mss`), 48 to 65,535. Default 1,024. */
  baseMssBytes: number;
  /** Least MSS that probing falls back to, bytes (`net.ipv4.tcp_mtu_probe_floor`), 48 to 65,535. Default 48. */
  mtuProbeFloorBytes: number;
  /** Time between raising probes, s (`net.ipv4.tcp_probe_interval`). Default 600. */
  mtuProbeIntervalSeconds: number;
  /** Least path MTU that ICMP is believed, bytes (`net.ipv4.route.min_pmtu`; Linux's 552), 68 to 65,535. Default 68. */
  minPathMtuBytes: number;
  /** Least MSS that a peer is believed, bytes (`net.ipv4.tcp_min_snd_mss`), 16 to 65,535. Default 48. */
  leastMssBytes: number;
  /** Path MTU discovery (`net.ipv4.ip_no_pmtu_disc` is its opposite). Default true. */
  pathMtuDiscovery: boolean;
  /** Count for every connection what `TCP_INFO` shows. Costs some 450 bytes a connection. Default false. */
  accounting: boolean;
  /** Initial congestion window, segments (RFC 6928; Linux `TCP_INIT_CWND`), 1 to 65,535. Default 10. */
  initialWindowSegments: number;
  /** Ceiling of a listener's backlog (`net.core.somaxconn`), 0 to 2^31 - 1. Default 4,096. */
  somaxconn: number;
  /** A full accept queue answers with a reset instead of silence (`net.ipv4.tcp_abort_on_overflow`). Default false. */
  abortOnOverflow: boolean;
  /** Small segments wait for acknowledgements (RFC 896; off is `TCP_NODELAY`). Default true. */
  nagle: boolean;
  /** Challenge ACKs a host sends in one second (`net.ipv4.tcp_challenge_ack_limit`; RFC 5961 section 10). Default 1,000. */
  challengeAckLimitPerSecond: number;
  /** Files (sockets included) that a host may have open: `EMFILE` beyond (`RLIMIT_NOFILE`). Default Infinity. */
  maxFiles: number;
  /** Memory that a host's sockets may take, bytes: `ENOMEM` or `ENOBUFS` beyond. Default Infinity. */
  memoryBytes: number;
  /**
   * Memory that one established socket takes at rest, bytes (Linux: `struct tcp_sock`, its inode, dentry and file;
   * `slabtop` shows them). Default 4,096.
   */
  bytesPerSocket: number;
  /** Memory of a connection that no application holds any more, bytes (`struct tcp_sock`). Default 2,368. */
  bytesPerOrphan: number;
  /** Memory of a half-open connection, bytes (`request_sock_TCP`). Default 320. */
  bytesPerRequest: number;
  /** Memory of a connection in TIME_WAIT, bytes (`tw_sock_TCP`). Default 256. */
  bytesPerTimeWait: number;
  /** Memory of a byte that is unsent or not acknowledged (1,280 bytes beside each group of segments). Default 1.1. */
  memoryPerSentByte: number;
  /** Memory of a byte that was received in order and not read (2,304 bytes for 1,448). Default 1.6. */
  memoryPerReceivedByte: number;
  /** Memory of a byte that is held beyond a gap. Default 1.6. */
  memoryPerEarlyByte: number;
  /** Orphans at most; one more is reset (`net.ipv4.tcp_max_orphans`). Default Infinity. */
  maxOrphans: number;
  /** Connections in TIME_WAIT at most; one more is closed at once (`net.ipv4.tcp_max_tw_buckets`). Default Infinity. */
  maxTimeWaits: number;
  /** TTL or hop limit of packets sent (`net.ipv4.ip_default_ttl`; RFC 1700), 1 to 255. Default 64. */
  defaultTtl: number;
}

/** Linux's defaults. */
export const DEFAULT_PROFILE: Readonly<Profile> = Object.freeze({
  ephemeralPortLow: 32768,
  ephemeralPortHigh: 60999,
  portAllocation: "linux",
  portScanFallback: false,
  portTableBits: 10,
  portMaxIncrement: 500,
  timeWaitNs: 60e9,
  timeWaitReuse: false,
  synRetries: 6,
  synAckRetries: 5,
  retries2: 15,
  orphanRetries: 8,
  rtoInitialMs: 1000,
  rtoMinMs: 200,
  rtoMaxMs: 120000,
  delayedAckMs: 40,
  keepAliveIdleMs: 7200000,
  keepAliveIntervalMs: 75000,
  keepAliveProbes: 9,
  finTimeoutMs: 60000,
  receiveBufferBytes: 131072,
  sendBufferBytes: 4194304,
  timestamps: true,
  windowScaling: true,
  sack: true,
  congestionControl: "cubic",
  ecn: "passive",
  ecnFallback: true,
  dsack: true,
  rack: true,
  tailLossProbe: true,
  forwardRtoRecovery: true,
  reordering: 3,
  maxReordering: 300,
  slowStartAfterIdle: true,
  pacing: false,
  pacingSlowStartPercent: 200,
  pacingAvoidancePercent: 120,
  leastGroupSegments: 2,
  groupWindowDivisor: 3,
  minRttWindowSeconds: 300,
  thinLinearTimeouts: false,
  synLinearTimeouts: 0,
  retries1: 3,
  fastOpen: 1,
  fastOpenKey: "",
  fastOpenBlackholeSeconds: 0,
  synCookies: 1,
  maxSynBacklog: 4096,
  rfc1337: false,
  receiveBufferMaxBytes: 6291456,
  moderateReceiveBuffer: true,
  sendBufferInitialBytes: 4194304,
  notSentLowBytes: Infinity,
  compressedAckDelayNs: 0,
  compressedAckCount: 44,
  invalidRateLimitMs: 500,
  mtuProbing: 0,
  baseMssBytes: 1024,
  mtuProbeFloorBytes: 48,
  mtuProbeIntervalSeconds: 600,
  minPathMtuBytes: 68,
  leastMssBytes: 48,
  pathMtuDiscovery: true,
  accounting: false,
  initialWindowSegments: 10,
  somaxconn: 4096,
  abortOnOverflow: false,
  nagle: true,
  challengeAckLimitPerSecond: 1000,
  maxFiles: Infinity,
  memoryBytes: Infinity,
  bytesPerSocket: 4096,
  bytesPerOrphan: 2368,
  bytesPerRequest: 320,
  bytesPerTimeWait: 256,
  memoryPerSentByte: 1.1,
  memoryPerReceivedByte: 1.6,
  memoryPerEarlyByte: 1.6,
  maxOrphans: Infinity,
  maxTimeWaits: Infinity,
  defaultTtl: 64,
});

/**
 * The default profile with `changes`, checked and frozen.
 *
 * @throws {RangeError} a sentence that names the field, what it was given and what it takes.
 *
 * @example
 * ```ts
 * import { makeProfile } from "./profile.ts";
 * const busy = makeProfile({ ephemeralPortLow: 1024, ephemeralPortHigh: 65535, timeWaitNs: 120e9 });
 * console.log(busy.rtoMinMs); // 200
 * ```
 */
export function makeProfile(changes: Partial<Profile> = {}): Readonly<Profile> {
  const profile: Profile = { ...DEFAULT_PROFILE };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(DEFAULT_PROFILE, name)) throw new RangeError(`A profile has no field named ${name}.`);
    checkField(name as keyof Profile, value);
    Object.assign(profile, { [name]: value });
  }
  for (const [lower, upper] of ORDERED) {
    if (profile[lower] > profile[upper]) {
      throw new RangeError(
        `The profile's ${lower} (${profile[lower]}) must not be greater than its ${upper} (${profile[upper]}).`,
      );
    }
  }
  return Object.freeze(profile);
}

function checkField(name: keyof Profile, value: unknown): void {
  if (name === "portAllocation") {
    if (!PORT_ALLOCATIONS.includes(value as PortAllocation)) {
      throw new RangeError(`The profile's portAllocation is ${show(value)}; it must be ${listOf(PORT_ALLOCATIONS)}.`);
    }
    return;
  }
  if (name === "ecn") {
    if (!ECN_MODES.includes(value as Profile["ecn"])) {
      throw new RangeError(`The profile's ecn is ${show(value)}; it must be ${listOf(ECN_MODES)}.`);
    }
    return;
  }
  if (name === "congestionControl" || name === "fastOpenKey") return checkText(name, value);
  const bounds = BOUNDS[name];
  if (bounds === undefined) {
    if (typeof value !== "boolean") {
      throw new RangeError(`The profile's ${name} is ${show(value)}; it must be true or false.`);
    }
    return;
  }
  const [low, high, unlimited = false] = bounds;
  if (unlimited && value === Infinity) return;
  const fraction = FRACTIONS.includes(name);
  const isNumber = typeof value === "number" && (fraction || Number.isInteger(value));
  if (isNumber && value >= low && value <= high) return;
  const also = unlimited ? ", or Infinity for no limit" : "";
  const kind = fraction ? "number" : "whole number";
  throw new RangeError(
    `The profile's ${name} is ${show(value)}; it must be a ${kind} from ${low} to ${high}${also}.`,
  );
}

/** Fast Open keys: one or two of 16 bytes. */
const FAST_OPEN_KEY = /^([0-9a-f]{8}(-[0-9a-f]{8}){3}(,[0-9a-f]{8}(-[0-9a-f]{8}){3})?)?$/i;

function checkText(name: "congestionControl" | "fastOpenKey", value: unknown): void {
  if (typeof value !== "string" || (name === "congestionControl" && value === "")) {
    throw new RangeError(`The profile's ${name} is ${show(value)}; it must be a text.`);
  }
  if (name === "fastOpenKey" && !FAST_OPEN_KEY.test(value)) {
    throw new RangeError(
      `The profile's fastOpenKey is ${show(value)}; it must be 32 hexadecimal digits as 8-8-8-8, or two such keys.`,
    );
  }
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function listOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** What segments ask of a profile: words of {@linkcode ProfileTable.words}. */
export const PROFILE_WORD = {
  DELAYED_ACK_MS: 0,
  DEFAULT_TTL: 1,
  RECEIVE_BUFFER_BYTES: 2,
  RTO_MIN_MS: 3,
  RTO_MAX_MS: 4,
  RTO_INITIAL_MS: 5,
  /** 1 if it is on. */
  TAIL_LOSS_PROBE: 6,
  MIN_RTT_WINDOW_MS: 7,
  LEAST_GROUP_SEGMENTS: 8,
  GROUP_WINDOW_DIVISOR: 9,
  PACING_SLOW_START_PERCENT: 10,
  PACING_AVOIDANCE_PERCENT: 11,
  SEND_BUFFER_BYTES: 12,
  /** Largest congestion window in which a lone flight leaves nothing to remember: the initial one; 0 with pacing. */
  LONE_WINDOW: 13,
  /** Words of a profile. */
  STRIDE: 16,
} as const;

/** The profiles of a network, by small numbers. Profile 0 is always {@linkcode DEFAULT_PROFILE}. */
export class ProfileTable {
  #profiles: Readonly<Profile>[] = [DEFAULT_PROFILE];
  /** `words[number * PROFILE_WORD.STRIDE + field]`: a look there costs a segment a third of asking the object. */
  words: Int32Array = wordsOf(this.#profiles);

  /** The profile's number; the same object is given the same number again. */
  add(profile: Readonly<Profile>): number {
    const known = this.#profiles.indexOf(profile);
    if (known >= 0) return known;
    this.#profiles.push(profile);
    this.words = wordsOf(this.#profiles);
    return this.#profiles.length - 1;
  }

  /**
   * The profile behind a number.
   *
   * @throws {RangeError} if no profile has the number.
   */
  get(id: number): Readonly<Profile> {
    const profile = this.#profiles[id];
    if (profile === undefined) {
      throw new RangeError(`No profile has the number ${id}; there are ${this.#profiles.length}, counted from 0.`);
    }
    return profile;
  }

  /** Puts another profile behind a number: those that refer to it change with it (a sysctl in mid-run). */
  replace(id: number, profile: Readonly<Profile>): void {
    this.get(id);
    if (id === 0) throw new RangeError("Profile 0 is the default profile and stays it.");
    this.#profiles[id] = profile;
    this.words = wordsOf(this.#profiles);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#profiles = v.plain(this.#profiles as unknown as PlainValue[]) as unknown as Readonly<Profile>[];
    if (!v.restoring) return;
    this.#profiles[0] = DEFAULT_PROFILE;
    this.words = wordsOf(this.#profiles);
  }

  /** How many profiles there are. */
  get size(): number {
    return this.#profiles.length;
  }
}

function wordsOf(profiles: readonly Readonly<Profile>[]): Int32Array {
  const words = new Int32Array(profiles.length * PROFILE_WORD.STRIDE);
  for (const [i, p] of profiles.entries()) {
    const delays = [p.delayedAckMs, p.defaultTtl, p.receiveBufferBytes, p.rtoMinMs, p.rtoMaxMs, p.rtoInitialMs];
    const loss = [p.tailLossProbe ? 1 : 0, p.minRttWindowSeconds * 1000];
    const groups = [p.leastGroupSegments, p.groupWindowDivisor];
    const pacing = [p.pacingSlowStartPercent, p.pacingAvoidancePercent, p.sendBufferBytes];
    const lone = [p.pacing ? 0 : p.initialWindowSegments];
    words.set([...delays, ...loss, ...groups, ...pacing, ...lone], i * PROFILE_WORD.STRIDE);
  }
  return words;
}
