/**
 * What a carrier-grade NAT adds (RFC 6888): how ports are shared out among subscribers, how long a port rests before
 * another may have it, how fast sessions may be opened, and what is logged.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { choice, quota, timeoutMs } from "./checks.ts";
import { LOG, LOG_FORMATS, type NatLogEvents, type NatLogFormat } from "./log_records.ts";

/** Options of a carrier-grade NAT. All are off by default. */
export interface NatCarrierOptions {
  /**
   * Ports are given to subscribers in blocks of `size` consecutive ones of one external address, the same for all
   * protocols; a subscriber may have `perSubscriber` of them (default 1).
   */
  blocks?: { size: number; perSubscriber?: number };
  /**
   * RFC 7422: the subscribers are the `count` IPv4 addresses from the one whose 32 bits are `first`; each one's external
   * address and ports are computed, and nothing is logged. Subscribers outside of the range are refused. Of a NAT64, with
   * `prefix`: the IPv6 addresses that begin with these three words, and `first` is the last one.
   */
  deterministic?: { first: number; count: number; prefix?: readonly number[] };
  /** How long a port that was given back rests before another may have it, ns (RFC 6888 REQ-8: 120 s). Default none. */
  holdDownNs?: number;
  /** Ports resting at most; beyond that, those that have rested longest go first (RFC 6888 REQ-8). Default unlimited. */
  holdDownPorts?: number;
  /** Do TCP's ports rest too? (RFC 6888 REQ-8 A lets a NAT that tracks TCP's state do without.) Default true. */
  holdDownTcp?: boolean;
  /** New sessions of one internal address, a second on average. Default unlimited. */
  sessionsPerSecond?: number;
  /** New sessions of one internal address at once, before `sessionsPerSecond` binds. Default one second's worth. */
  sessionsBurst?: number;
  /** Sessions of the whole gateway at most (Linux: `nf_conntrack_max`). Default unlimited. */
  maxSessions?: number;
  /** What is logged: every session's beginning and end, every block's, or nothing. Default `none`. */
  log?: NatLogEvents;
  /** The format of log records, which decides on their size. Default `ipfix`. */
  logFormat?: NatLogFormat;
  /** Do records of sessions hold the destination (RFC 6888 REQ-12 says they should not)? Default false. */
  logDestinations?: boolean;
}

/** How ports are shared out. */
export const SHARING = {
  /** All ports are for everybody. */
  POOL: 0,
  /** Blocks, on demand. */
  BLOCKS: 1,
  /** Blocks, computed (RFC 7422). */
  DETERMINISTIC: 2,
} as const;

/** The part of a profile that makes a NAT carrier-grade. */
export interface NatCarrierProfile {
  /** Of `SHARING`. */
  readonly sharing: number;
  /** Ports in a block (`SHARING.BLOCKS`). */
  readonly blockSize: number;
  /** Blocks that a subscriber may have. */
  readonly blocksPerSubscriber: number;
  /** First subscriber's 32 bits, unsigned (`SHARING.DETERMINISTIC`). */
  readonly subscriberFirst: number;
  /** The words before it, of IPv6 subscribers; none of IPv4 ones. */
  readonly subscriberPrefix: readonly number[];
  /** Subscribers in the range. */
  readonly subscriberCount: number;
  /** How long ports rest, ms; 0 for not at all. */
  readonly holdDownMs: number;
  /** Ports resting at most; 0 for no limit. */
  readonly holdDownPorts: number;
  /** Do TCP's ports rest? */
  readonly holdDownTcp: boolean;
  /** Is there anything to be asked before a session is opened (the rate, the whole gateway's sessions)? */
  readonly guarded: boolean;
  /** Tokens, of 10^-6 sessions each, that a subscriber gains in a ms; 0 for no limit. */
  readonly tokensPerMs: number;
  /** Most tokens that a subscriber has. */
  readonly tokensMost: number;
  /** Sessions of the gateway at most; 0 for no limit. */
  readonly maxSessions: number;
  /** Of `LOG`. */
  readonly log: number;
  /** Of `LOG_FORMATS`' names. */
  readonly logFormat: NatLogFormat;
  /** Records hold destinations. */
  readonly logDestinations: boolean;
  /** Rows are kept for subscribers. */
  readonly keepsSubscribers: boolean;
}

/** Tokens that a session costs. */
export const TOKENS_PER_SESSION = 1_000_000;

/** Checks the options and fills in the defaults. `portCount` is the size of the gateway's port range. */
export function resolveCarrier(
  options: NatCarrierOptions & { quotaSessions?: number; quotaPorts?: number },
  portCount: number,
): NatCarrierProfile {
  const { blocks, deterministic } = options;
  if (blocks !== undefined && deterministic !== undefined) {
    throw new InputError("A NAT shares its ports out in blocks on demand, or computes them: not both.", {
      path: "deterministic",
    });
  }
  const blockSize = blocks === undefined ? 0 : quota(blocks.size, "blocks.size");
  if (blockSize > portCount) {
    throw new InputError(`A block of ${blockSize} ports does not fit into a range of ${portCount}.`, {
      path: "blocks.size",
    });
  }
  if (deterministic !== undefined) quota(deterministic.count, "deterministic.count");
  const rate = options.sessionsPerSecond;
  if (rate !== undefined && rate !== Infinity && !(rate >= 0.001 && rate <= 1e6)) {
    throw new InputError(`A NAT's sessionsPerSecond lies between 0.001 and 1,000,000, not at ${rate}.`, {
      path: "sessionsPerSecond",
    });
  }
  const tokensPerMs = rate === undefined || rate === Infinity ? 0 : Math.round(rate * 1000);
  if (options.sessionsBurst !== undefined && tokensPerMs === 0) {
    throw new InputError("A NAT's sessionsBurst says nothing without sessionsPerSecond.", { path: "sessionsBurst" });
  }
  const burst = quota(options.sessionsBurst, "sessionsBurst") || Math.max(1, Math.ceil(tokensPerMs / 1000));
  if (options.holdDownNs === undefined && options.holdDownPorts !== undefined) {
    throw new InputError("A NAT's holdDownPorts says nothing without holdDownNs.", { path: "holdDownPorts" });
  }
  const maxSessions = quota(options.maxSessions, "maxSessions");
  const log = choice(LOG, options.log, "none", "log");
  const format = options.logFormat ?? "ipfix";
  if (LOG_FORMATS[format] === undefined) choice({ ipfix: 0, syslog: 1 }, format, "ipfix", "logFormat");
  const sharing = blocks !== undefined
    ? SHARING.BLOCKS
    : deterministic !== undefined
    ? SHARING.DETERMINISTIC
    : SHARING.POOL;
  return {
    sharing,
    blockSize,
    blocksPerSubscriber: blocks === undefined ? 1 : quota(blocks.perSubscriber ?? 1, "blocks.perSubscriber"),
    subscriberFirst: deterministic?.first ?? 0,
    subscriberPrefix: (deterministic?.prefix ?? []).map((word) => word | 0),
    subscriberCount: deterministic?.count ?? 0,
    holdDownMs: options.holdDownNs === undefined || options.holdDownNs === 0
      ? 0
      : timeoutMs(options.holdDownNs, 0, "holdDownNs"),
    holdDownPorts: quota(options.holdDownPorts, "holdDownPorts"),
    holdDownTcp: options.holdDownTcp ?? true,
    guarded: tokensPerMs !== 0 || maxSessions !== 0,
    tokensPerMs,
    tokensMost: burst * TOKENS_PER_SESSION,
    maxSessions,
    log,
    logFormat: format,
    logDestinations: options.logDestinations ?? false,
    keepsSubscribers: sharing !== SHARING.POOL || tokensPerMs !== 0 || log !== LOG.none ||
      quota(options.quotaSessions, "quotaSessions") !== 0 || quota(options.quotaPorts, "quotaPorts") !== 0,
  };
}
