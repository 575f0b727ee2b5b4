/**
 * CUBIC (RFC 9438) as Linux computes it, in integers: the window follows a cubic function of the time since the last
 * reduction, flat around the window at which that happened, and never grows more slowly than Reno's would. Time counts
 * in ms and, in the cubic, in 1/1024 s; windows in segments.
 *
 * A connection takes a private row when its window leaves slow start or HyStart begins to watch: one that exchanges
 * short messages never does. Until then `CWND_COUNT`, which only congestion avoidance uses, notes the least delay.
 *
 * @module
 */
import { integerCubeRoot } from "../../base/maths.ts";
import type { TcpStack } from "../stack.ts";
import { ACK_SAMPLE } from "../state/ack_sample.ts";
import { CA, COLD, SSTHRESH_INFINITE, TCB, WARM } from "../state/tcb.ts";
import { CUBIC_PARAMETER, CUBIC_PARAMETERS, CUBIC_ROW } from "./cubic_state.ts";
import { beginRound, hyStart } from "./hystart.ts";
import { additiveIncrease, slowStart } from "./newreno.ts";
import {
  CONGESTION_EVENT,
  type CongestionControl,
  parametersOf,
  poolOf,
  privateRow,
  registerCongestionControl,
} from "./types.ts";

const { CWND, MASK, STRIDE } = TCB;
const { RTT_US } = ACK_SAMPLE;
const { COLD: COLD_AT, MIN_RTT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, LAST_SENT_MS, CC, CWND_COUNT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const {
  COUNT,
  LAST_MAX,
  LAST_WINDOW,
  LAST_MS,
  ORIGIN,
  K,
  DELAY_MIN,
  EPOCH,
  ACKED,
  RENO_WINDOW,
  FOUND,
  MASK: ROW_MASK,
  STRIDE: ROW_STRIDE,
} = CUBIC_ROW;
const { FAST_CONVERGENCE, BETA, INITIAL_SSTHRESH, SCALE, FRIENDLINESS, HYSTART, HYSTART_LOW_WINDOW } = CUBIC_PARAMETER;

/** Of beta: 1. */
const BETA_ONE = 1024;
/** The window grows by half in a round trip at most. */
const LEAST_COUNT = 2;
/** Before anything is known of the path, by a twentieth at least. */
const UNKNOWN_PATH_COUNT = 20;
/** The window is worked out anew after so long at the latest, ms (HZ / 32). */
const REFRESH_MS = 31;
/** Delays of so long after a reduction say nothing of the empty path, ms. */
const RECOVERY_DELAYS_MS = 1000;
/** Farthest from the plateau that is told apart, in 1/1024 s: half an hour. */
const FARTHEST = 2 ** 21;
/** Largest window lost that K is exact for, segments. */
const WIDEST = 3_000_000;

/** See the module's description. */
export const CUBIC: CongestionControl = {
  name: "cubic",
  rowWords: ROW_STRIDE,
  parameters: CUBIC_PARAMETERS,
  start(stack, conn) {
    const parameters = parametersOf(stack, CUBIC_ID);
    if (parameters[HYSTART] !== 0 || parameters[INITIAL_SSTHRESH] === 0) return;
    const at = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE + SSTHRESH;
    if (stack.cold.words[at] === SSTHRESH_INFINITE) stack.cold.words[at] = parameters[INITIAL_SSTHRESH];
  },
  onSample(stack, conn) {
    const rttUs = stack.ackSample[RTT_US];
    if (rttUs < 0) return;
    const k = (stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT] * COLD_STRIDE) & COLD_MASK;
    const cold = stack.cold.words;
    const delay = rttUs === 0 ? 1 : rttUs;
    const row = cold[k + CC];
    if (row === 0) {
      if (cold[k + CWND_COUNT] === 0 || delay < cold[k + CWND_COUNT]) cold[k + CWND_COUNT] = delay;
      watchSlowStart(stack, conn, k, 0, delay);
      return;
    }
    const rows = poolOf(stack, CUBIC_ID).words;
    const at = (row * ROW_STRIDE) & ROW_MASK;
    const epoch = rows[at + EPOCH];
    if (epoch !== 0 && ((stack.nowMs - epoch) | 0) < RECOVERY_DELAYS_MS) return;
    if (rows[at + DELAY_MIN] === 0 || delay < rows[at + DELAY_MIN]) rows[at + DELAY_MIN] = delay;
    if (rows[at + FOUND] === 0) watchSlowStart(stack, conn, k, row, delay);
  },
  onAck(stack, conn, acked) {
    const k = (stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT] * COLD_STRIDE) & COLD_MASK;
    const cwndAt = ((conn * STRIDE) & MASK) + CWND;
    let left = acked;
    if (stack.tcbs.words[cwndAt] < stack.cold.words[k + SSTHRESH]) {
      left = slowStart(stack, conn, acked);
      if (left === 0) return;
    }
    const at = ((stack.cold.words[k + CC] || rowOf(stack, conn)) * ROW_STRIDE) & ROW_MASK;
    const rows = poolOf(stack, CUBIC_ID).words;
    update(stack, rows, at, stack.tcbs.words[cwndAt], left);
    additiveIncrease(stack, conn, rows[at + COUNT], left);
  },
  ssthreshAfterLoss(stack, conn) {
    const at = rowOf(stack, conn) * ROW_STRIDE;
    const rows = poolOf(stack, CUBIC_ID).words;
    const parameters = parametersOf(stack, CUBIC_ID);
    const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
    const beta = parameters[BETA];
    rows[at + EPOCH] = 0;
    // RFC 9438 4.7, fast convergence: the window shrinks from one loss to the next, so somebody else needs room.
    rows[at + LAST_MAX] = cwnd < rows[at + LAST_MAX] && parameters[FAST_CONVERGENCE] !== 0
      ? Math.floor(cwnd * (BETA_ONE + beta) / (2 * BETA_ONE))
      : cwnd;
    // RFC 9438 4.6.
    return Math.max(2, Math.floor(cwnd * beta / BETA_ONE));
  },
  onState(stack, conn, state) {
    const row = stack.cold.words[stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE + CC];
    if (state !== CA.LOSS || row === 0) return;
    // RFC 9438 4.8: after a timeout nothing that was learnt holds.
    const rows = poolOf(stack, CUBIC_ID).words;
    const at = (row * ROW_STRIDE) & ROW_MASK;
    rows.fill(0, at, at + ROW_STRIDE);
    beginRound(stack, conn, rows, at);
  },
  onEvent(stack, conn, event) {
    if (event !== CONGESTION_EVENT.TX_START) return;
    const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
    const row = stack.cold.words[k + CC];
    if (row === 0) return;
    // RFC 9438 4.2, 5.8: time in which nothing was sent is not time that the window may grow for.
    const at = row * ROW_STRIDE + EPOCH;
    const rows = poolOf(stack, CUBIC_ID).words;
    const idleMs = (stack.nowMs - stack.cold.words[k + LAST_SENT_MS]) | 0;
    if (rows[at] === 0 || idleMs <= 0) return;
    const moved = (rows[at] + idleMs) | 0;
    rows[at] = (((moved - stack.nowMs) | 0) > 0 ? stack.nowMs : moved) || 1;
  },
  overlooksLoneFlights(stack, conn) {
    const parameters = parametersOf(stack, CUBIC_ID);
    // HyStart watches larger windows; without it, a first threshold may have been asked for.
    return parameters[HYSTART] === 0
      ? parameters[INITIAL_SSTHRESH] === 0
      : stack.tcbs.words[conn * STRIDE + CWND] < parameters[HYSTART_LOW_WINDOW];
  },
  release(stack, conn) {
    const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
    if (stack.cold.words[k + CC] === 0) stack.cold.words[k + CWND_COUNT] = 0;
  },
};

/** CUBIC's number. */
const CUBIC_ID: number = registerCongestionControl(CUBIC);

/** The connection's private row; what was noted before it had one goes into it. */
function rowOf(stack: TcpStack, conn: number): number {
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const row = stack.cold.words[k + CC];
  if (row !== 0) return row;
  const made = privateRow(stack, conn);
  const rows = poolOf(stack, CUBIC_ID).words;
  const cold = stack.cold.words;
  rows[made * ROW_STRIDE + DELAY_MIN] = cold[k + CWND_COUNT] || stack.warm[conn * WARM_STRIDE + MIN_RTT];
  cold[k + CWND_COUNT] = 0;
  beginRound(stack, conn, rows, made * ROW_STRIDE);
  return made;
}

/** Lets HyStart look at a round trip of slow start, if it is on and the window is worth it. `row` may be 0. */
function watchSlowStart(stack: TcpStack, conn: number, k: number, row: number, delayUs: number): void {
  const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
  if (cwnd >= stack.cold.words[k + SSTHRESH]) return;
  const parameters = parametersOf(stack, CUBIC_ID);
  if (parameters[HYSTART] === 0 || cwnd < parameters[HYSTART_LOW_WINDOW]) return;
  const at = (row === 0 ? rowOf(stack, conn) : row) * ROW_STRIDE;
  const paced = stack.profileOfConnection(conn).pacing;
  hyStart(stack, conn, poolOf(stack, CUBIC_ID).words, at, delayUs, parameters, paced);
}

/** Works out COUNT for a window of `cwnd` after `acked` more segments were acknowledged. */
function update(stack: TcpStack, rows: Int32Array, at: number, cwnd: number, acked: number): void {
  rows[at + ACKED] += acked;
  const nowMs = stack.nowMs;
  const sinceMs = (nowMs - rows[at + LAST_MS]) | 0;
  if (rows[at + LAST_WINDOW] === cwnd && sinceMs <= REFRESH_MS) return;
  const parameters = parametersOf(stack, CUBIC_ID);
  if (rows[at + EPOCH] === 0 || sinceMs !== 0) {
    rows[at + LAST_WINDOW] = cwnd;
    rows[at + LAST_MS] = nowMs;
    if (rows[at + EPOCH] === 0) beginEpoch(rows, at, nowMs, cwnd, acked, parameters[SCALE]);
    rows[at + COUNT] = countTowards(rows, at, nowMs, cwnd, parameters[SCALE]);
  }
  if (parameters[FRIENDLINESS] !== 0) keepUpWithReno(rows, at, cwnd, parameters[BETA]);
  if (rows[at + COUNT] < LEAST_COUNT) rows[at + COUNT] = LEAST_COUNT;
}

function beginEpoch(rows: Int32Array, at: number, nowMs: number, cwnd: number, acked: number, scale: number): void {
  rows[at + EPOCH] = nowMs || 1;
  rows[at + ACKED] = acked;
  rows[at + RENO_WINDOW] = cwnd;
  if (rows[at + LAST_MAX] <= cwnd) {
    rows[at + K] = 0;
    rows[at + ORIGIN] = cwnd;
  } else {
    // RFC 9438 4.2 figure 2: K = cbrt((W_max - cwnd_epoch) / C), in 1/1024 s: C = scale / 102.4.
    rows[at + K] = cubicK(rows[at + LAST_MAX] - cwnd, scale);
    rows[at + ORIGIN] = rows[at + LAST_MAX];
  }
}

/** K for `below` segments below W_max, in 1/1024 s. Exact: the largest whole number not above it. */
export function cubicK(below: number, scale: number): number {
  const most = Math.min(below, WIDEST, Math.floor(2 ** 53 / Math.floor(2 ** 40 / (scale * 10))) - 1);
  return integerCubeRoot(Math.floor(2 ** 40 / (scale * 10)) * most);
}

/** C * (t - K)^3 in segments, for |t - K| = `offset` in 1/1024 s, rounded down. Exact. */
export function cubicDistance(offset: number, scale: number): number {
  const d = Math.min(offset, FARTHEST);
  // scale * 10 * d^3 / 2^40, in two steps that stay below 2^53.
  const square = scale * 10 * d * d;
  const high = Math.floor(square / 2 ** 20);
  const low = square - high * 2 ** 20;
  return Math.floor((high * d + Math.floor(low * d / 2 ** 20)) / 2 ** 20);
}

/** Segments acknowledged for each increase, so that the window follows W_cubic (RFC 9438 4.2 figure 1, 4.4, 4.5). */
function countTowards(rows: Int32Array, at: number, nowMs: number, cwnd: number, scale: number): number {
  // The target is where the window should be in a round trip.
  const elapsedMs = ((nowMs - rows[at + EPOCH]) | 0) + Math.ceil(rows[at + DELAY_MIN] / 1000);
  const t = Math.floor(elapsedMs * 1024 / 1000);
  const k = rows[at + K];
  const distance = cubicDistance(t < k ? k - t : t - k, scale);
  const target = t < k ? rows[at + ORIGIN] - distance : rows[at + ORIGIN] + distance;
  const count = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
  return rows[at + LAST_MAX] === 0 && count > UNKNOWN_PATH_COUNT ? UNKNOWN_PATH_COUNT : count;
}

/** RFC 9438 4.3: grow at least as fast as a flow that adds 3 (1 - beta) / (1 + beta) segments a round trip. */
function keepUpWithReno(rows: Int32Array, at: number, cwnd: number, beta: number): void {
  const eighths = Math.floor(Math.floor(8 * (BETA_ONE + beta) / 3) / (BETA_ONE - beta));
  const step = (cwnd * eighths) >>> 3;
  if (rows[at + ACKED] > step && step > 0) {
    const steps = Math.ceil(rows[at + ACKED] / step) - 1;
    rows[at + ACKED] -= steps * step;
    rows[at + RENO_WINDOW] += steps;
  }
  const ahead = rows[at + RENO_WINDOW] - cwnd;
  if (ahead > 0) rows[at + COUNT] = Math.min(rows[at + COUNT], Math.floor(cwnd / ahead));
}
