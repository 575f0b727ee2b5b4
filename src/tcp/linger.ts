/**
 * SO_LINGER and TCP_LINGER2: how a close ends.
 *
 * @module
 */
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { FLAG, SETTINGS, TCB } from "./state/tcb.ts";

const { STATE_MASK, DONE } = FLAG;
/** Linux `TCP_FIN_TIMEOUT_MAX`, seconds. */
const LONGEST_FIN_TIMEOUT = 120;
const LINGERING = (1 << STATE.FIN_WAIT_1) | (1 << STATE.CLOSING) | (1 << STATE.LAST_ACK);

/**
 * SO_LINGER. On with 0 seconds: closing resets the connection. On with more: who closes and may block waits so long
 * for the FIN to be acknowledged (see {@linkcode isLingering}). Off: closing goes on behind the application's back.
 */
export function setLinger(stack: TcpStack, conn: number, on: boolean, seconds: number): number {
  if (!on && readSetting(stack, conn, SETTINGS.LINGER) === 0) return 0;
  writeSetting(stack, conn, SETTINGS.LINGER, on ? 1 + Math.min(Math.max(0, seconds), 1_000_000) * 1000 : 0);
  return 0;
}

/** SO_LINGER: seconds, or -1 if it is off. */
export function lingerSeconds(stack: TcpStack, conn: number): number {
  const own = readSetting(stack, conn, SETTINGS.LINGER);
  return own === 0 ? -1 : (own - 1) / 1000;
}

/**
 * After a close with SO_LINGER: is the FIN (or data before it) still unacknowledged? A blocking close waits until this
 * is false, or until the time is over.
 */
export function isLingering(stack: TcpStack, conn: number): boolean {
  const state = stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE];
  return (state & DONE) === 0 && ((1 << (state & STATE_MASK)) & LINGERING) !== 0;
}

/** TCP_LINGER2: seconds that an orphan stays in FIN_WAIT_2, at most 120; 0 for the profile's, below 0 for none at all. */
export function setLinger2(stack: TcpStack, conn: number, seconds: number): number {
  writeSetting(stack, conn, SETTINGS.LINGER2_MS, seconds < 0 ? -1 : Math.min(seconds, LONGEST_FIN_TIMEOUT) * 1000);
  return 0;
}

/** TCP_LINGER2 as `getsockopt` says it: seconds, -1 for none. */
export function linger2Seconds(stack: TcpStack, conn: number): number {
  const own = readSetting(stack, conn, SETTINGS.LINGER2_MS);
  if (own < 0) return -1;
  return Math.floor((own || stack.profileOfConnection(conn).finTimeoutMs) / 1000);
}

/** How long an orphan waits in FIN_WAIT_2, ms; -1: not at all (Linux `tcp_fin_time`: never less than 3.5 RTOs). */
export function finTimeMs(stack: TcpStack, conn: number, rtoMs: number): number {
  const own = readSetting(stack, conn, SETTINGS.LINGER2_MS);
  if (own < 0) return -1;
  const asked = own || stack.profileOfConnection(conn).finTimeoutMs;
  return Math.max(asked, Math.floor((rtoMs << 2) - (rtoMs >> 1)));
}
