/**
 * What the numbers of a profile may be.
 *
 * @module
 */
import type { Profile } from "./profile.ts";

/** The longest that any timer of TCP may be set to, ms: with the longest run, ticks stay within 31 bits. */
export const LONGEST_TIMER_MS: number = 2 ** 30;

/** Least and greatest value of every number in a profile, and whether `Infinity` stands for "no limit". */
export const BOUNDS: Partial<Record<keyof Profile, readonly [low: number, high: number, unlimited?: boolean]>> = {
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
  reordering: [1, 300],
  maxReordering: [1, 1000],
  pacingSlowStartPercent: [1, 1000],
  pacingAvoidancePercent: [1, 1000],
  leastGroupSegments: [1, 65535],
  groupWindowDivisor: [0, 255],
  minRttWindowSeconds: [0, 86400],
  synLinearTimeouts: [0, 127],
  retries1: [0, 255],
  fastOpen: [0, 0xffffffff],
  fastOpenBlackholeSeconds: [0, 2 ** 31 - 1],
  synCookies: [0, 2],
  maxSynBacklog: [0, 2 ** 31 - 1],
  receiveBufferMaxBytes: [1, 2 ** 30],
  sendBufferInitialBytes: [1, 2 ** 30],
  notSentLowBytes: [0, 2 ** 32 - 1, true],
  compressedAckDelayNs: [0, 1e9],
  compressedAckCount: [0, 255],
  invalidRateLimitMs: [0, 2 ** 31 - 1],
  mtuProbing: [0, 2],
  baseMssBytes: [48, 65535],
  mtuProbeFloorBytes: [48, 65535],
  mtuProbeIntervalSeconds: [0, 2 ** 31 - 1],
  minPathMtuBytes: [68, 65535],
  leastMssBytes: [16, 65535],
  initialWindowSegments: [1, 65535],
  somaxconn: [0, 2 ** 31 - 1],
  challengeAckLimitPerSecond: [0, 2 ** 31 - 1],
  maxFiles: [0, 2 ** 31 - 1, true],
  memoryBytes: [0, 2 ** 53 - 1, true],
  bytesPerSocket: [0, 2 ** 31 - 1],
  bytesPerOrphan: [0, 2 ** 31 - 1],
  bytesPerRequest: [0, 2 ** 31 - 1],
  bytesPerTimeWait: [0, 2 ** 31 - 1],
  memoryPerSentByte: [0, 1000],
  memoryPerReceivedByte: [0, 1000],
  memoryPerEarlyByte: [0, 1000],
  maxOrphans: [0, 2 ** 31 - 1, true],
  maxTimeWaits: [0, 2 ** 31 - 1, true],
  defaultTtl: [1, 255],
};

/** Numbers that need not be whole. */
export const FRACTIONS: readonly string[] = ["memoryPerSentByte", "memoryPerReceivedByte", "memoryPerEarlyByte"];

/** Pairs of fields of which the first may not exceed the second. */
export const ORDERED: readonly (readonly [keyof Profile, keyof Profile])[] = [
  ["ephemeralPortLow", "ephemeralPortHigh"],
  ["rtoMinMs", "rtoMaxMs"],
  ["rtoInitialMs", "rtoMaxMs"],
  ["reordering", "maxReordering"],
];
