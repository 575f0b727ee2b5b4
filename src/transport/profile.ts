/**
 * What hosts share: a profile is the set of sysctl-like settings that many hosts refer to by a small number, so
 * that a million hosts cost a million rows and not a million settings (DESIGN section 3).
 *
 * @module
 */

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
  initialWindowSegments: 10,
  somaxconn: 4096,
  abortOnOverflow: false,
  nagle: true,
  challengeAckLimitPerSecond: 1000,
  maxFiles: Infinity,
  memoryBytes: Infinity,
  bytesPerSocket: 4096,
  defaultTtl: 64,
});

/** The longest that any timer of TCP may be set to, ms: with the longest run, ticks stay within 31 bits. */
export const LONGEST_TIMER_MS: number = 2 ** 30;

/** Least and greatest value of every number in a profile, and whether `Infinity` stands for "no limit". */
const BOUNDS: Partial<Record<keyof Profile, readonly [low: number, high: number, unlimited?: boolean]>> = {
  ephemeralPortLow: [1, 65535],
  ephemeralPortHigh: [1, 65535],
  portTableBits: [1, 16],
  portMaxIncrement: [1, 65535],
  timeWaitNs: [0, LONGEST_TIMER_MS * 1e6],
  synRetries: [0, 255],
  synAckRetries: [0, 255],
  retries2: [0, 255],
  orphanRetries: [0, 255],
  rtoInitialMs: [1, LONGEST_TIMER_MS],
  rtoMinMs: [1, LONGEST_TIMER_MS],
  rtoMaxMs: [1, LONGEST_TIMER_MS],
  delayedAckMs: [0, 499],
  keepAliveIdleMs: [1, LONGEST_TIMER_MS],
  keepAliveIntervalMs: [1, LONGEST_TIMER_MS],
  keepAliveProbes: [1, 127],
  finTimeoutMs: [0, LONGEST_TIMER_MS],
  receiveBufferBytes: [1, 2 ** 30],
  sendBufferBytes: [1, 2 ** 30],
  initialWindowSegments: [1, 65535],
  somaxconn: [0, 2 ** 31 - 1],
  challengeAckLimitPerSecond: [0, 2 ** 31 - 1],
  maxFiles: [0, 2 ** 31 - 1, true],
  memoryBytes: [0, 2 ** 53 - 1, true],
  bytesPerSocket: [0, 2 ** 31 - 1],
  defaultTtl: [1, 255],
};

/** Pairs of fields of which the first may not exceed the second. */
const ORDERED: readonly (readonly [keyof Profile, keyof Profile])[] = [
  ["ephemeralPortLow", "ephemeralPortHigh"],
  ["rtoMinMs", "rtoMaxMs"],
  ["rtoInitialMs", "rtoMaxMs"],
];

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
  const bounds = BOUNDS[name];
  if (bounds === undefined) {
    if (typeof value !== "boolean") {
      throw new RangeError(`The profile's ${name} is ${show(value)}; it must be true or false.`);
    }
    return;
  }
  const [low, high, unlimited = false] = bounds;
  if (unlimited && value === Infinity) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return;
  const also = unlimited ? ", or Infinity for no limit" : "";
  throw new RangeError(
    `The profile's ${name} is ${show(value)}; it must be a whole number from ${low} to ${high}${also}.`,
  );
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function listOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** The profiles of a network, by small numbers. Profile 0 is always {@linkcode DEFAULT_PROFILE}. */
export class ProfileTable {
  #profiles: Readonly<Profile>[] = [DEFAULT_PROFILE];

  /** The profile's number; the same object is given the same number again. */
  add(profile: Readonly<Profile>): number {
    const known = this.#profiles.indexOf(profile);
    return known >= 0 ? known : this.#profiles.push(profile) - 1;
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

  /** How many profiles there are. */
  get size(): number {
    return this.#profiles.length;
  }
}
