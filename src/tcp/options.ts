/**
 * Socket options of TCP itself, as Linux takes them: setters return 0 or `-errno`. Those of buffers and pacing are in
 * `options_buffer.ts`, those of IP in `ip_fields.ts` and `options_ip.ts`, lingering in `linger.ts`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { LONGEST_TIMER_MS } from "../transport/profile.ts";
import { congestionId, congestionOf, switchCongestion } from "./congestion/types.ts";
import { disarmKeepAlive } from "./finish.ts";
import { armKeepAlive, restartKeepAlive } from "./keep_alive.ts";
import { push } from "./output.ts";
import { startPacing } from "./pacing.ts";
import { NAGLE } from "./segmentation.ts";
import { keepAliveSettings, readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { STATE as STATES } from "./state/states.ts";
import { FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";

const { STATE, MSS, STRIDE } = TCB;
const { CLOSED } = STATES;
/** Linux `TCP_MIN_MSS`. */
const LEAST_USER_MSS = 88;

function setFlag(stack: TcpStack, conn: number, flag: number, on: boolean): void {
  const at = conn * STRIDE + STATE;
  if (on) stack.tcbs.words[at] |= flag;
  else stack.tcbs.words[at] &= ~flag;
}

/** TCP_NODELAY: small segments do not wait (RFC 9293 3.7.4 MUST-17). What is waiting goes now. */
export function setNoDelay(stack: TcpStack, conn: number, on: boolean): void {
  setFlag(stack, conn, FLAG.NO_DELAY, on);
  // As Linux: what waits goes now even if it is corked.
  if (on) push(stack, conn, NAGLE.PUSH);
}

/** TCP_CORK: only full segments go until it is taken off. */
export function setCork(stack: TcpStack, conn: number, on: boolean): void {
  setFlag(stack, conn, FLAG.CORK, on);
  if (on) return;
  const state = stack.tcbs.words[conn * STRIDE + STATE];
  push(stack, conn, (state & FLAG.NO_DELAY) !== 0 ? NAGLE.PUSH : 0);
}

/** SO_KEEPALIVE, with times in ms and a count that differ from the profile's (TCP_KEEPIDLE, -INTVL, -CNT). */
export function setKeepAlive(
  stack: TcpStack,
  conn: number,
  on: boolean,
  times: { idleMs?: number; intervalMs?: number; probes?: number } = {},
): void {
  if (times.idleMs !== undefined) {
    writeSetting(stack, conn, SETTINGS.KEEP_IDLE_MS, Math.min(times.idleMs, LONGEST_TIMER_MS));
  }
  if (times.intervalMs !== undefined) {
    writeSetting(stack, conn, SETTINGS.KEEP_INTERVAL_MS, Math.min(times.intervalMs, LONGEST_TIMER_MS));
  }
  if (times.probes !== undefined) writeSetting(stack, conn, SETTINGS.KEEP_PROBES, times.probes);
  setFlag(stack, conn, FLAG.KEEP_ALIVE, on);
  if (on) armKeepAlive(stack, conn);
  else disarmKeepAlive(stack, conn);
}

/** TCP_KEEPIDLE: seconds of silence before the first probe, 1 to 32,767; EINVAL otherwise. A running clock is set anew. */
export function setKeepIdle(stack: TcpStack, conn: number, seconds: number): number {
  if (!within(seconds, 1, 32767)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.KEEP_IDLE_MS, seconds * 1000);
  restartKeepAlive(stack, conn);
  return 0;
}

/** TCP_KEEPINTVL: seconds between probes, 1 to 32,767; EINVAL otherwise. */
export function setKeepInterval(stack: TcpStack, conn: number, seconds: number): number {
  if (!within(seconds, 1, 32767)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.KEEP_INTERVAL_MS, seconds * 1000);
  return 0;
}

/** TCP_KEEPCNT: unanswered probes that end the connection, 1 to 127; EINVAL otherwise. */
export function setKeepCount(stack: TcpStack, conn: number, probes: number): number {
  if (!within(probes, 1, 127)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.KEEP_PROBES, probes);
  return 0;
}

/** TCP_USER_TIMEOUT in ms, 0 for the profile's patience (RFC 5482; RFC 9293 3.8.3 MUST-21); EINVAL below 0. */
export function setUserTimeout(stack: TcpStack, conn: number, ms: number): number {
  if (!within(ms, 0, 0x7fffffff)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.USER_TIMEOUT_MS, Math.min(ms, LONGEST_TIMER_MS));
  return 0;
}

/** TCP_SYNCNT: retransmissions of the SYN before giving up, 1 to 127; EINVAL otherwise. */
export function setSynRetries(stack: TcpStack, conn: number, retries: number): number {
  if (!within(retries, 1, 127)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.SYN_RETRIES, retries);
  return 0;
}

/**
 * TCP_MAXSEG before the handshake: the largest MSS that is announced and believed, 88 to 32,767, or 0 for what the
 * interface takes; EINVAL otherwise. On an established connection it is remembered and changes nothing, as on Linux.
 */
export function setMaxSegment(stack: TcpStack, conn: number, bytes: number): number {
  if (bytes !== 0 && !within(bytes, LEAST_USER_MSS, 32767)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.MAX_SEGMENT, bytes);
  return 0;
}

/**
 * TCP_CONGESTION: another algorithm takes over with CWND and SSTHRESH as they are; ENOENT if nobody registered one of
 * that name.
 */
export function setCongestion(stack: TcpStack, conn: number, name: string): number {
  const id = congestionId(name);
  if (id < 0) return -ERRNO.ENOENT;
  if ((stack.tcbs.words[conn * STRIDE + STATE] & FLAG.DONE) !== 0) return 0;
  // The setting keeps the cold row, and with it the algorithm, where there is nothing in flight.
  writeSetting(stack, conn, SETTINGS.CONGESTION, 1 + id);
  switchCongestion(stack, conn, id);
  startPacing(stack, conn);
  return 0;
}

/** What `getsockopt` says of a connection's TCP options, in the units of the options. */
export interface TcpOptions {
  /** TCP_NODELAY. */
  noDelay: boolean;
  /** TCP_CORK. */
  cork: boolean;
  /** SO_KEEPALIVE. */
  keepAlive: boolean;
  /** TCP_KEEPIDLE, seconds. */
  keepIdle: number;
  /** TCP_KEEPINTVL, seconds. */
  keepInterval: number;
  /** TCP_KEEPCNT. */
  keepCount: number;
  /** TCP_USER_TIMEOUT, ms. */
  userTimeout: number;
  /** TCP_SYNCNT. */
  synRetries: number;
  /** TCP_MAXSEG: the MSS in force, or before the handshake what was asked for. */
  maxSegment: number;
  /** TCP_CONGESTION. */
  congestion: string;
}

/** Reads a connection's TCP options, as `getsockopt` does. */
export function tcpOptions(stack: TcpStack, conn: number): TcpOptions {
  const state = stack.tcbs.words[conn * STRIDE + STATE];
  const { idleMs, intervalMs, probes } = keepAliveSettings(stack, conn);
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const profile = stack.profileOfConnection(conn);
  const asked = readSetting(stack, conn, SETTINGS.MAX_SEGMENT);
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  return {
    noDelay: (state & FLAG.NO_DELAY) !== 0,
    cork: (state & FLAG.CORK) !== 0,
    keepAlive: (state & FLAG.KEEP_ALIVE) !== 0,
    keepIdle: Math.floor(idleMs / 1000),
    keepInterval: Math.floor(intervalMs / 1000),
    keepCount: probes,
    userTimeout: readSetting(stack, conn, SETTINGS.USER_TIMEOUT_MS),
    synRetries: readSetting(stack, conn, SETTINGS.SYN_RETRIES) || profile.synRetries,
    maxSegment: (state & FLAG.STATE_MASK) === CLOSED && asked !== 0 ? asked : mss,
    congestion: cold === 0 ? profile.congestionControl : congestionOf(stack, conn).name,
  };
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
