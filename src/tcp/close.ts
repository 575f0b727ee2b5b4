/**
 * Closing: half-close, close, abort (RFC 9293 3.6, 3.10.4, 3.10.5).
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { disarmKeepAlive, finish, setState } from "./finish.ts";
import { finTimeMs, lingerSeconds } from "./linger.ts";
import { orphanMemory } from "./memory.ts";
import { output } from "./output.ts";
import { rtoMs } from "./rtt.ts";
import { armOrphan } from "./segment_in.ts";
import { sendConnectionReset } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { FLAG, TCB, TIMER } from "./state/tcb.ts";
import { unreadBytes } from "./window.ts";

const { STATE: STATE_AT, SND_NXT, SND_END, MASK, STRIDE } = TCB;
const { STATE_MASK, FIN_QUEUED, DONE, ORPHAN, DRAINED } = FLAG;

/**
 * Ends writing: a FIN follows what was sent; reading goes on (RFC 9293 3.6, half-close). 0, or `-errno`:
 * ENOTCONN before the connection exists or after it ended.
 */
export function shutdownWrite(stack: TcpStack, conn: number): number {
  const at = conn * STRIDE + STATE_AT;
  const words = stack.tcbs.words;
  const state = words[at];
  if ((state & DONE) !== 0) return -ERRNO.ENOTCONN;
  if ((state & FIN_QUEUED) !== 0) return 0;
  switch (state & STATE_MASK) {
    case STATE.SYN_SENT:
    case STATE.SYN_RECEIVED:
      // RFC 9293 3.10.4: queued until the connection is established.
      words[at] |= FIN_QUEUED;
      return 0;
    case STATE.ESTABLISHED:
      words[at] |= FIN_QUEUED;
      setState(stack, conn, STATE.FIN_WAIT_1);
      break;
    case STATE.CLOSE_WAIT:
      words[at] |= FIN_QUEUED;
      setState(stack, conn, STATE.LAST_ACK);
      break;
    default:
      return 0;
  }
  output(stack, conn);
  return 0;
}

/**
 * The application lets go of the connection. What it has sent is still delivered, then a FIN; with unread data a
 * reset tells the peer that it was lost (RFC 9293 3.6.1 SHLD-3, RFC 2525 2.17). After the last event the row is freed;
 * the handle must not be used any more.
 */
export function closeConnection(stack: TcpStack, conn: number): void {
  letGo(stack, conn);
  if (stack.hosts.budgets !== undefined) orphanMemory(stack, stack.hosts.budgets, conn);
}

function letGo(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE + STATE_AT;
  const words = stack.tcbs.words;
  const state = words[at];
  if ((state & ORPHAN) !== 0) return;
  if ((state & DONE) !== 0) {
    if ((state & DRAINED) !== 0) stack.releaseConnection(conn);
    else words[at] |= ORPHAN;
    return;
  }
  disarmKeepAlive(stack, conn);
  words[at] = (words[at] | ORPHAN) & ~FLAG.WANTS_ROOM;
  if ((state & STATE_MASK) === STATE.SYN_SENT) {
    // RFC 9293 3.10.4: delete the TCB.
    finish(stack, conn, 0);
    return;
  }
  if (unreadBytes(stack, conn) > 0) {
    sendConnectionReset(stack, conn);
    finish(stack, conn, 0);
    return;
  }
  if (lingerSeconds(stack, conn) === 0) {
    // SO_LINGER with 0 seconds: as `abort`.
    resetIfSynchronized(stack, conn);
    finish(stack, conn, 0);
    return;
  }
  if ((state & STATE_MASK) === STATE.SYN_RECEIVED) {
    // As Linux: the FIN may go before the final ACK (RFC 9293 3.10.4), if the application has gone altogether.
    const due = stack.timers[conn * TIMER.STRIDE + TIMER.REXMIT];
    words[at] |= FIN_QUEUED;
    setState(stack, conn, STATE.FIN_WAIT_1);
    output(stack, conn);
    // The timer stays that of the SYN-ACK, the oldest segment that is out.
    if ((state & FLAG.ACTIVE) !== 0 && due !== 0) stack.armTimer(conn, TIMER.REXMIT, (due - stack.nowTick) | 0);
    return;
  }
  if ((state & STATE_MASK) !== STATE.FIN_WAIT_2) {
    shutdownWrite(stack, conn);
    return;
  }
  if (finTimeMs(stack, conn, rtoMs(stack, conn)) < 0) {
    // TCP_LINGER2 below 0: no waiting for the peer's FIN.
    sendConnectionReset(stack, conn);
    finish(stack, conn, 0);
  } else armOrphan(stack, conn, false);
}

/** RFC 9293 3.10.5: no reset before anything was synchronized, nor once both sides have closed and all was sent. */
function resetIfSynchronized(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const state = words[c + STATE_AT];
  const name = state & STATE_MASK;
  if (name === STATE.SYN_SENT) return;
  if (name === STATE.CLOSING || name === STATE.LAST_ACK) {
    // As Linux: only if data, or the FIN, was never sent.
    if (words[c + SND_END] === words[c + SND_NXT] || (state & FLAG.FIN_SENT) !== 0) return;
  }
  sendConnectionReset(stack, conn);
}

/** Ends the connection at once with a reset (RFC 9293 3.10.5) and lets go of it. */
export function abort(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE + STATE_AT;
  const words = stack.tcbs.words;
  if ((words[at] & DONE) !== 0) {
    closeConnection(stack, conn);
    return;
  }
  disarmKeepAlive(stack, conn);
  words[at] |= ORPHAN;
  resetIfSynchronized(stack, conn);
  finish(stack, conn, 0);
}

/**
 * Undoes a connection and keeps it, as `connect` with AF_UNSPEC does: a reset, if there was anything to reset, and
 * FAILED with ECONNRESET. The application still has to close it.
 */
export function disconnect(stack: TcpStack, conn: number): number {
  const state = stack.tcbs.words[conn * STRIDE + STATE_AT];
  if ((state & DONE) !== 0) return 0;
  resetIfSynchronized(stack, conn);
  const name = state & STATE_MASK;
  finish(stack, conn, name === STATE.CLOSING || name === STATE.LAST_ACK ? 0 : ERRNO.ECONNRESET);
  return 0;
}

/**
 * Ends reading (`shutdown` with SHUT_RD): nothing is told to the peer, and what still comes is taken, as on Linux; but
 * once writing has ended too, new data is answered with a reset. 0, or ENOTCONN.
 */
export function shutdownRead(stack: TcpStack, conn: number): number {
  const at = conn * STRIDE + STATE_AT;
  const state = stack.tcbs.words[at];
  if ((state & DONE) !== 0) return -ERRNO.ENOTCONN;
  stack.tcbs.words[at] = state | FLAG.READ_SHUT;
  return 0;
}
