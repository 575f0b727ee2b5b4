/**
 * Keep-alives (RFC 9293 3.8.4 MUST-24 to MUST-29): off unless asked for, and nothing is armed while they are off.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { finish } from "./finish.ts";
import { sendConnectionReset, sendProbe } from "./segment_out.ts";
import { softError } from "./reports.ts";
import { keepAliveSettings, keepIdleMs, readSetting } from "./settings.ts";
import { spellOutFlight } from "./lone_flight_row.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";

const { CLOSING: STATE_CLOSING, FIN_WAIT_2: STATE_FIN_WAIT_2, LAST_ACK: STATE_LAST_ACK } = STATE;
const { SND_END: TCB_SND_END, SND_NXT: TCB_SND_NXT, STATE: TCB_STATE, MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { KEEP_ALIVE: FLAG_KEEP_ALIVE, STATE_MASK: FLAG_STATE_MASK } = FLAG;
const { KEEPALIVE: TIMER_KEEPALIVE, QUEUED_AT: TIMER_QUEUED_AT, STRIDE: TIMER_STRIDE } = TIMER;
const { CONNECTION: ROW_KIND_CONNECTION } = ROW_KIND;
const { ACK_STATE: WARM_ACK_STATE, COLD: WARM_COLD, STRIDE: WARM_STRIDE } = WARM;
const { RTX_HEAD: COLD_RTX_HEAD, STRIDE: COLD_STRIDE } = COLD;
const { RETRIES_AT: ACKS_RETRIES_AT } = ACK_STATE;
const { USER_TIMEOUT_MS: SET_USER_TIMEOUT_MS } = SETTINGS;

/** Wait where a probe could not be sent (Linux `TCP_RESOURCE_PROBE_INTERVAL`), ms. */
export const RESOURCE_PROBE_MS = 500;

const ACTIVE_STATES = (1 << STATE.ESTABLISHED) | (1 << STATE.CLOSE_WAIT) | (1 << STATE.FIN_WAIT_1) |
  (1 << STATE_FIN_WAIT_2) | (1 << STATE_CLOSING) | (1 << STATE_LAST_ACK);

/** Starts the keep-alive timer if keep-alives are on (RFC 9293 3.8.4 MUST-25: default off). */
export function armKeepAlive(stack: TcpStack, conn: number): void {
  const state = stack.tcbs.words[((conn * TCB_STRIDE) & TCB_MASK) + TCB_STATE];
  if ((state & FLAG_KEEP_ALIVE) === 0 || ((1 << (state & FLAG_STATE_MASK)) & ACTIVE_STATES) === 0) return;
  setDeadline(stack, conn, keepIdleMs(stack, conn));
}

/** The times have changed: the clock, if it runs, is set anew. */
export function restartKeepAlive(stack: TcpStack, conn: number): void {
  armKeepAlive(stack, conn);
}

/** Sets the deadline without counting the timer among those that keep a run alive. */
function setDeadline(stack: TcpStack, conn: number, delayMs: number): void {
  const at = conn * TIMER_STRIDE;
  const timers = stack.timers;
  const deadline = ((stack.nowTick + delayMs) | 0) || 1;
  timers[at + TIMER_KEEPALIVE] = deadline;
  const queued = timers[at + TIMER_QUEUED_AT];
  if (queued === 0 || ((deadline - queued) | 0) < 0) {
    timers[at + TIMER_QUEUED_AT] = deadline;
    stack.requestTimer((conn << 2) | ROW_KIND_CONNECTION, deadline);
  }
}

/** The keep-alive timer went off. */
export function keepAliveFired(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const { idleMs, intervalMs, probes } = keepAliveSettings(stack, conn);
  const at = conn * WARM_STRIDE + WARM_ACK_STATE;
  spellOutFlight(stack, conn);
  const row = stack.warm[conn * WARM_STRIDE + WARM_COLD];
  const flying = row !== 0 && stack.cold.words[row * COLD_STRIDE + COLD_RTX_HEAD] !== 0;
  if (flying || (words[c + TCB_SND_END] !== words[c + TCB_SND_NXT] && stack.timers[conn * TIMER_STRIDE] !== 0)) {
    // Data in flight or a shut window: the other timers find a dead peer.
    setDeadline(stack, conn, idleMs);
    return;
  }
  const sent = (stack.warm[at] >> ACKS_RETRIES_AT) & 0xff;
  // RFC 5482: with a user timeout, that decides instead of the count (Linux `tcp_keepalive_timer`).
  const user = readSetting(stack, conn, SET_USER_TIMEOUT_MS);
  const silent = sent === 0 ? idleMs : idleMs + sent * intervalMs;
  if (user !== 0 ? silent >= user && sent > 0 : sent >= probes) {
    sendConnectionReset(stack, conn);
    finish(stack, conn, softError(stack, conn) || ERRNO.ETIMEDOUT);
    return;
  }
  stack.counters.keepAliveProbes++;
  if (!sendProbe(stack, conn)) {
    // The interface took nothing: try again soon.
    setDeadline(stack, conn, RESOURCE_PROBE_MS);
    return;
  }
  // RFC 9293 3.8.4 MUST-29: one unanswered probe is not death.
  stack.warm[at] = (stack.warm[at] & ~(0xff << ACKS_RETRIES_AT)) |
    (Math.min(255, sent + 1) << ACKS_RETRIES_AT);
  setDeadline(stack, conn, intervalMs);
}
