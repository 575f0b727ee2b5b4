/**
 * The one timer of data in flight, `TIMER.REXMIT`: retransmission (RFC 6298), RACK's reordering timer and the tail loss
 * probe (RFC 8985) replace one another in it, as in Linux.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { rtoMs, wholeMs } from "./rtt.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, CA, COLD, FLAG, REXMIT_KIND, RTX, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";

const { USER_TIMEOUT_MS: SET_USER_TIMEOUT_MS } = SETTINGS;
const { STATE: TCB_STATE, MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { TAIL_LOSS_PROBE, RTO_MIN_MS, RTO_INITIAL_MS, RTO_MAX_MS } = PROFILE_WORD;
const { SACK: FLAG_SACK } = FLAG;
const { CWR: CA_CWR, OPEN: CA_OPEN } = CA;
const { PROBE: REXMIT_KIND_PROBE } = REXMIT_KIND;
const { STRIDE: TIMER_STRIDE } = TIMER;

const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, SRTT, RTTVAR, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { RTX_HEAD, PACKETS_OUT, CA_STATE, RETRANS_STAMP, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { SENT_US, STRIDE: RTX_STRIDE } = RTX;
const { KIND_AT } = ACK_STATE;
const { RETRANSMIT, TAIL_LOSS, REORDER } = REXMIT_KIND;
const { REXMIT } = TIMER;
/** Least time until a probe or a reordering timeout, beyond what was computed, µs (Linux's 2 jiffies of 1 ms). */
const LEAST_US = 2000;

/** What the retransmission slot is for: one of `REXMIT_KIND`. */
export function rexmitKind(stack: TcpStack, conn: number): number {
  return (stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] >> KIND_AT) & 3;
}

/** Says what the retransmission slot is for. */
export function setRexmitKind(stack: TcpStack, conn: number, kind: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  const acks = stack.warm[at];
  if (((acks >> KIND_AT) & 3) !== kind) stack.warm[at] = (acks & ~(3 << KIND_AT)) | (kind << KIND_AT);
}

function arm(stack: TcpStack, conn: number, kind: number, delayMs: number): void {
  setRexmitKind(stack, conn, kind);
  stack.armTimer(conn, REXMIT, Math.max(1, Math.min(delayMs, stack.profileOfConnection(conn).rtoMaxMs)));
}

/** (Re)starts the retransmission timer, replacing whatever ran (RFC 6298 5.1, 5.3). */
export function armRetransmit(stack: TcpStack, conn: number): void {
  setRexmitKind(stack, conn, RETRANSMIT);
  stack.armTimer(conn, REXMIT, rtoMs(stack, conn));
}

/** The retransmission timer, in `delayMs`. */
export function armRetransmitIn(stack: TcpStack, conn: number, delayMs: number): void {
  arm(stack, conn, RETRANSMIT, delayMs);
}

/** After a timeout: never beyond what the user timeout leaves (RFC 5482, Linux). */
export function armAfterTimeout(stack: TcpStack, conn: number): void {
  const rto = rtoMs(stack, conn);
  const user = readSetting(stack, conn, SET_USER_TIMEOUT_MS);
  if (user === 0) return armRetransmitIn(stack, conn, rto);
  const stamp = stack.cold.words[stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE + RETRANS_STAMP];
  const left = user - (stamp === 0 ? 0 : (stack.nowMs - stamp) | 0);
  armRetransmitIn(stack, conn, Math.min(rto, Math.max(1, left)));
}

/** RACK: look for losses again in `delayUs` (RFC 8985 6.2 step 5). */
export function armReorder(stack: TcpStack, conn: number, delayUs: number): void {
  arm(stack, conn, REORDER, Math.ceil((delayUs + LEAST_US) / 1000));
}

/** Time until the oldest segment in flight has been out for a timeout, µs; it may have passed. */
function rtoLeftUs(stack: TcpStack, conn: number, k: number): number {
  const head = stack.cold.words[k + RTX_HEAD];
  const since = (stack.nowUs - stack.segments.words[head * RTX_STRIDE + SENT_US]) | 0;
  return rtoMs(stack, conn) * 1000 - since;
}

/**
 * (Re)starts the retransmission timer after progress, or turns it off where nothing is in flight (RFC 6298 5.2, 5.3).
 * In place of a probe or reordering timer, the time that the oldest segment has been out counts.
 */
export function rearmRto(stack: TcpStack, conn: number): void {
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  if (k === 0 || stack.cold.words[k + PACKETS_OUT] === 0) {
    stack.disarmTimer(conn, REXMIT);
    setRexmitKind(stack, conn, RETRANSMIT);
    return;
  }
  const kind = rexmitKind(stack, conn);
  if (kind === REORDER || kind === TAIL_LOSS) {
    arm(stack, conn, RETRANSMIT, Math.ceil(rtoLeftUs(stack, conn, k) / 1000));
  } else armRetransmit(stack, conn);
}

/**
 * Arms the tail loss probe: two round trips after now, and time for a delayed ACK of a lone segment, but not later
 * than the retransmission timeout (RFC 8985 7.2, as Linux). False where there is to be none. `anew`: the timeout, too,
 * would start now.
 */
export function armTailLossProbe(stack: TcpStack, conn: number, anew: boolean): boolean {
  const p = stack.profileAt(conn);
  const profile = stack.profiles.words;
  if (profile[p + TAIL_LOSS_PROBE] === 0) return false;
  if ((stack.tcbs.words[((conn * TCB_STRIDE) & TCB_MASK) + TCB_STATE] & FLAG_SACK) === 0) return false;
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const cold = stack.cold.words;
  const k = (warm[w + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  const state = cold[k + CA_STATE] & 0xff;
  if (state !== CA_OPEN && state !== CA_CWR) return false;
  const srtt = warm[w + SRTT];
  const alone = cold[k + PACKETS_OUT] === 1;
  const delayUs = (srtt >> 2) + (alone ? profile[p + RTO_MIN_MS] * 1000 : LEAST_US);
  let delayMs = srtt === 0 ? profile[p + RTO_INITIAL_MS] : wholeMs(delayUs);
  // Within a timeout that begins now and is not backed off, as is usual, the timeout need not be worked out.
  if (!anew || srtt === 0 || delayUs > (srtt >> 3) + warm[w + RTTVAR] || delayMs > profile[p + RTO_MAX_MS]) {
    const leftUs = anew ? rtoMs(stack, conn) * 1000 : rtoLeftUs(stack, conn, k);
    if (leftUs > 0 && leftUs < 1000 * delayMs) delayMs = Math.ceil(leftUs / 1000);
  }
  setRexmitKind(stack, conn, TAIL_LOSS);
  stack.armTimer(conn, REXMIT, Math.max(1, delayMs));
  return true;
}

/** After progress: a tail loss probe if there is to be one, or the retransmission timer. */
export function restartTimer(stack: TcpStack, conn: number): void {
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  if (k === 0 || stack.cold.words[k + PACKETS_OUT] === 0 || !armTailLossProbe(stack, conn, true)) rearmRto(stack, conn);
}

/** After new data was sent; `before` segments were in flight. */
export function timerAfterSending(stack: TcpStack, conn: number, before: number): void {
  if (armTailLossProbe(stack, conn, false)) return;
  const kind = rexmitKind(stack, conn);
  // RFC 6298 5.1: start the timer when it is not running.
  if (kind === REXMIT_KIND_PROBE || before === 0 || stack.timers[conn * TIMER_STRIDE + REXMIT] === 0) {
    armRetransmit(stack, conn);
  } else if (kind === TAIL_LOSS) rearmRto(stack, conn);
}
