/**
 * Timers: one entry of the driver's wheel serves all timers of a row, and deadlines move without touching it. The
 * driver calls `timerFired` for every reference that is due; those that would act are ordered by host and serial.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { delayedAckFired, disarmDelay } from "./delayed_ack.ts";
import { countsAsLive, finish, releaseTimeWait } from "./finish.ts";
import { keepAliveFired } from "./keep_alive.ts";
import { isFastOpenPending } from "./fast_open_queue.ts";
import { spellOutFlight } from "./lone_flight_row.ts";
import { output } from "./output.ts";
import { noteRepetition } from "./reports.ts";
import { reorderFired } from "./recovery.ts";
import { probeFired } from "./persist.ts";
import { orphanFired } from "./segment_in.ts";
import type { TcpStack } from "./stack.ts";
import { tailLossFired } from "./tail_loss.ts";
import { timeoutFired } from "./timeout.ts";
import { synRowFired } from "./syn_queue.ts";
import { fastOpenTimerFired, synFired } from "./syn_timer.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, REXMIT_KIND, RTX, SYN_ROW, TCB, TIME_WAIT_ROW, TIMER, WARM } from "./state/tcb.ts";

const { HOST: TCB_HOST, STATE: TCB_STATE, SND_UNA: TCB_SND_UNA, MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { CONNECTION: ROW_KIND_CONNECTION, SYN_RECEIVED: ROW_KIND_SYN_RECEIVED, TIME_WAIT: ROW_KIND_TIME_WAIT } =
  ROW_KIND;
const { COLD: WARM_COLD, SERIAL: WARM_SERIAL } = WARM;
const { DEADLINE: TW_DEADLINE, QUEUED_AT: TW_QUEUED_AT, SERIAL: TW_SERIAL, STRIDE: TW_STRIDE } = TIME_WAIT_ROW;
const { DEADLINE: SYN_ROW_DEADLINE, QUEUED_AT: SYN_ROW_QUEUED_AT, SERIAL: SYN_ROW_SERIAL, STRIDE: SYN_ROW_STRIDE } =
  SYN_ROW;
const { STATE_MASK: FLAG_STATE_MASK } = FLAG;
const {
  CLOSING: STATE_CLOSING,
  FIN_WAIT_1: STATE_FIN_WAIT_1,
  SYN_RECEIVED: STATE_SYN_RECEIVED,
  SYN_SENT: STATE_SYN_SENT,
} = STATE;
const { PROBE: REXMIT_KIND_PROBE, REORDER: REXMIT_KIND_REORDER, TAIL_LOSS: REXMIT_KIND_TAIL_LOSS } = REXMIT_KIND;
const { RTX_HEAD: COLD_RTX_HEAD, SOFT_ERROR: COLD_SOFT_ERROR, STRIDE: COLD_STRIDE } = COLD;

const { REXMIT, DELACK, KEEPALIVE, QUEUED_AT, STRIDE } = TIMER;
const { ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
const { KIND_AT, DELAYED } = ACK_STATE;

/** The host of the row that a timer reference names: first part of its place among timers of one tick. */
export function timerHost(stack: TcpStack, ref: number): number {
  const { words, strideWords } = stack.demux.poolOf(ref & 3);
  return words[(ref >>> 2) * strideWords + TCB_HOST];
}

/** The serial number within the host: second part of its place among timers of one tick. */
export function timerSerial(stack: TcpStack, ref: number): number {
  const row = ref >>> 2;
  switch (ref & 3) {
    case ROW_KIND_CONNECTION:
      return stack.warm[row * WARM_STRIDE + WARM_SERIAL];
    case ROW_KIND_TIME_WAIT:
      return stack.timeWaits.words[row * TW_STRIDE + TW_SERIAL];
    default:
      return stack.synRows.words[row * SYN_ROW_STRIDE + SYN_ROW_SERIAL];
  }
}

/** Would `timerFired(ref)` act now? If not, it has been put off to when it might, or was stale. */
export function timerActs(stack: TcpStack, ref: number): boolean {
  const row = ref >>> 2;
  const kind = ref & 3;
  if (kind === ROW_KIND_TIME_WAIT) {
    return smallRowActs(stack, stack.timeWaits.words, row, TW_DEADLINE, TW_QUEUED_AT, ref);
  }
  if (kind === ROW_KIND_SYN_RECEIVED) {
    return smallRowActs(stack, stack.synRows.words, row, SYN_ROW_DEADLINE, SYN_ROW_QUEUED_AT, ref);
  }
  const timers = stack.timers;
  const at = row * STRIDE;
  if (timers[at + QUEUED_AT] !== stack.nowMs) return false;
  const due = earliest(stack, at);
  if (due === 0) {
    timers[at + QUEUED_AT] = 0;
    return false;
  }
  if (((due - stack.nowMs) | 0) <= 0) return true;
  timers[at + QUEUED_AT] = due;
  stack.requestTimer(ref, due);
  return false;
}

function smallRowActs(
  stack: TcpStack,
  rows: Int32Array,
  row: number,
  deadline: number,
  queuedAt: number,
  ref: number,
): boolean {
  const at = row * 16;
  if (rows[at + queuedAt] !== stack.nowMs) return false;
  const due = rows[at + deadline];
  if (due === 0) {
    rows[at + queuedAt] = 0;
    return false;
  }
  if (((due - stack.nowMs) | 0) <= 0) return true;
  rows[at + queuedAt] = due;
  stack.requestTimer(ref, due);
  return false;
}

/**
 * Is the DELACK slot's `deadline` that of a delayed ACK? One that is past is not, since a timer is called in time: of
 * connections at rest, which most stale entries are for, the warm line is not fetched.
 */
function isDelayed(stack: TcpStack, at: number, deadline: number): boolean {
  return ((deadline - stack.nowMs) | 0) >= 0 && (stack.warm[at + ACK_STATE_AT] & DELAYED) !== 0;
}

/** The earliest deadline of a connection, 0 for none. */
function earliest(stack: TcpStack, at: number): number {
  const timers = stack.timers;
  const now = stack.nowMs;
  let due = 0;
  for (let slot = 0; slot < QUEUED_AT; slot++) {
    const deadline = timers[at + slot];
    if (deadline === 0 || (slot === DELACK && !isDelayed(stack, at, deadline))) continue;
    if (due === 0 || ((deadline - now) | 0) < ((due - now) | 0)) due = deadline;
  }
  return due;
}

/** A reference has come due in the driver's wheel, at `stack.nowMs`. True if a timer acted. */
export function timerFired(stack: TcpStack, ref: number): boolean {
  if (!timerActs(stack, ref)) return false;
  const row = ref >>> 2;
  const kind = ref & 3;
  if (kind === ROW_KIND_TIME_WAIT) {
    releaseTimeWait(stack, row);
    return true;
  }
  if (kind === ROW_KIND_SYN_RECEIVED) {
    stack.synRows.words[row * SYN_ROW_STRIDE + SYN_ROW_QUEUED_AT] = 0;
    synRowFired(stack, row);
    return true;
  }
  connectionFired(stack, row);
  return true;
}

function connectionFired(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE;
  const generation = stack.generation(conn);
  stack.timers[at + QUEUED_AT] = 0;
  for (let slot = 0; slot < QUEUED_AT; slot++) {
    const deadline = stack.timers[at + slot];
    if (deadline === 0 || ((deadline - stack.nowMs) | 0) > 0) continue;
    if (slot === DELACK) {
      if ((stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] & DELAYED) === 0) continue;
      disarmDelay(stack, conn);
    } else if (slot === KEEPALIVE && !countsAsLive(stack.tcbs.words[conn * TCB_STRIDE + TCB_STATE])) {
      stack.timers[at + slot] = 0;
    } else stack.disarmTimer(conn, slot);
    if (slot === DELACK) delayedAckFired(stack, conn);
    else if (slot === REXMIT) rexmitFired(stack, conn);
    else if (slot === KEEPALIVE) keepAliveSlotFired(stack, conn);
    // The row may have been given back.
    if (stack.generation(conn) !== generation) return;
  }
  const due = earliest(stack, at);
  if (due !== 0 && stack.timers[at + QUEUED_AT] === 0) {
    stack.timers[at + QUEUED_AT] = due;
    stack.requestTimer((conn << 2) | ROW_KIND_CONNECTION, due);
  }
}

function keepAliveSlotFired(stack: TcpStack, conn: number): void {
  if (countsAsLive(stack.tcbs.words[conn * TCB_STRIDE + TCB_STATE])) {
    orphanFired(stack, conn);
    return;
  }
  keepAliveFired(stack, conn);
}

function rexmitFired(stack: TcpStack, conn: number): void {
  spellOutFlight(stack, conn);
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const state = words[c + TCB_STATE] & FLAG_STATE_MASK;
  if (
    state === STATE_SYN_SENT || state === STATE_SYN_RECEIVED || state === STATE_FIN_WAIT_1 || state === STATE_CLOSING
  ) {
    if (isFastOpenPending(stack, conn)) {
      if (!fastOpenTimerFired(stack, conn)) giveUp(stack, conn);
      return;
    }
    if (state === STATE_SYN_SENT || state === STATE_SYN_RECEIVED || awaitsSynAck(stack, conn)) {
      if (!synFired(stack, conn)) giveUp(stack, conn);
      return;
    }
  }
  const acks = stack.warm[conn * WARM_STRIDE + ACK_STATE_AT];
  const kind = (acks >> KIND_AT) & 3;
  if (kind === REXMIT_KIND_PROBE) return probeFired(stack, conn);
  const row = stack.warm[conn * WARM_STRIDE + WARM_COLD];
  if (row === 0 || stack.cold.words[row * COLD_STRIDE + COLD_RTX_HEAD] === 0) return output(stack, conn);
  if (kind === REXMIT_KIND_TAIL_LOSS) return tailLossFired(stack, conn);
  if (kind === REXMIT_KIND_REORDER) return reorderFired(stack, conn);
  if (!timeoutFired(stack, conn)) return giveUp(stack, conn);
  noteRepetition(stack, conn);
}

/** A simultaneous open was closed before its SYN was acknowledged: the oldest segment out is the SYN-ACK, not the FIN. */
function awaitsSynAck(stack: TcpStack, conn: number): boolean {
  const row = stack.warm[conn * WARM_STRIDE + WARM_COLD];
  if (row === 0) return false;
  const head = stack.cold.words[row * COLD_STRIDE + COLD_RTX_HEAD];
  return head !== 0 &&
    ((stack.segments.words[head * RTX.STRIDE + RTX.SEQ] - stack.tcbs.words[conn * TCB_STRIDE + TCB_SND_UNA]) | 0) > 0;
}

/** The connection is given up, without a word: ETIMEDOUT, or the soft error that was reported meanwhile (RFC 9293 3.8.3 MUST-20, R2). */
export function giveUp(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + WARM_COLD];
  const soft = row === 0 ? 0 : stack.cold.words[row * COLD_STRIDE + COLD_SOFT_ERROR];
  finish(stack, conn, soft || ERRNO.ETIMEDOUT);
}
