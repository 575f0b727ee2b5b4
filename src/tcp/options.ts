/**
 * Socket options.
 *
 * @module
 */
import { LONGEST_TIMER_MS } from "../transport/profile.ts";
import { disarmKeepAlive } from "./finish.ts";
import { armKeepAlive } from "./keep_alive.ts";
import { output } from "./output.ts";
import { writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, SETTINGS, TCB } from "./state/tcb.ts";

const { STATE, STRIDE } = TCB;

function setFlag(stack: TcpStack, conn: number, flag: number, on: boolean): void {
  const at = conn * STRIDE + STATE;
  if (on) stack.tcbs.words[at] |= flag;
  else stack.tcbs.words[at] &= ~flag;
}

/** TCP_NODELAY: small segments do not wait (RFC 9293 3.7.4 MUST-17). What is waiting goes now. */
export function setNoDelay(stack: TcpStack, conn: number, on: boolean): void {
  setFlag(stack, conn, FLAG.NO_DELAY, on);
  if (on) output(stack, conn);
}

/** TCP_CORK: only full segments go until it is taken off. */
export function setCork(stack: TcpStack, conn: number, on: boolean): void {
  setFlag(stack, conn, FLAG.CORK, on);
  if (!on) output(stack, conn);
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

/** TCP_USER_TIMEOUT in ms, 0 for the profile's patience (RFC 5482; RFC 9293 3.8.3 MUST-21). */
export function setUserTimeout(stack: TcpStack, conn: number, ms: number): void {
  writeSetting(stack, conn, SETTINGS.USER_TIMEOUT_MS, ms);
}

/** SO_SNDBUF in bytes. */
export function setSendBuffer(stack: TcpStack, conn: number, bytes: number): void {
  writeSetting(stack, conn, SETTINGS.SEND_BUFFER, bytes);
}

/** TCP_SYNCNT: retransmissions of the SYN before giving up. */
export function setSynRetries(stack: TcpStack, conn: number, retries: number): void {
  writeSetting(stack, conn, SETTINGS.SYN_RETRIES, retries);
}
