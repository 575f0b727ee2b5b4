/**
 * Socket options that differ from the host's profile, in a cold row of their own.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { COLD, FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";

const { SETTINGS: COLD_SETTINGS, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { COLD: WARM_COLD, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const {
  KEEP_IDLE_MS: SET_KEEP_IDLE_MS,
  KEEP_INTERVAL_MS: SET_KEEP_INTERVAL_MS,
  KEEP_PROBES: SET_KEEP_PROBES,
  STRIDE: SET_STRIDE,
} = SETTINGS;
const { STATE: TCB_STATE, STRIDE: TCB_STRIDE } = TCB;
const { DONE: FLAG_DONE } = FLAG;

/** The connection's settings row, made if it has none. */
export function settingsOf(stack: TcpStack, conn: number): number {
  const at = stack.coldOf(conn) * COLD_STRIDE + COLD_SETTINGS;
  let row = stack.cold.words[at];
  if (row === 0) stack.cold.words[at] = row = stack.settings.allocate();
  return row;
}

/** A setting of the connection, 0 if it has not been set. `field` is one of `SETTINGS`. */
export function readSetting(stack: TcpStack, conn: number, field: number): number {
  const cold = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + WARM_COLD];
  if (cold === 0) return 0;
  const row = stack.cold.words[((cold * COLD_STRIDE) & COLD_MASK) + COLD_SETTINGS];
  return row === 0 ? 0 : stack.settings.words[row * SET_STRIDE + field];
}

/** Sets a setting of the connection; of one that is over (but still held by the application) nothing. */
export function writeSetting(stack: TcpStack, conn: number, field: number, value: number): void {
  if ((stack.tcbs.words[conn * TCB_STRIDE + TCB_STATE] & FLAG_DONE) !== 0) return;
  const row = settingsOf(stack, conn);
  stack.settings.words[row * SET_STRIDE + field] = value;
}

/** Silence before the first keep-alive probe, ms. */
export function keepIdleMs(stack: TcpStack, conn: number): number {
  return readSetting(stack, conn, SET_KEEP_IDLE_MS) || stack.profileOfConnection(conn).keepAliveIdleMs;
}

/** Keep-alive times in force for a connection. */
export function keepAliveSettings(
  stack: TcpStack,
  conn: number,
): { idleMs: number; intervalMs: number; probes: number } {
  const profile = stack.profileOfConnection(conn);
  return {
    idleMs: keepIdleMs(stack, conn),
    intervalMs: readSetting(stack, conn, SET_KEEP_INTERVAL_MS) || profile.keepAliveIntervalMs,
    probes: readSetting(stack, conn, SET_KEEP_PROBES) || profile.keepAliveProbes,
  };
}
