/**
 * Closing: half-close, close, abort (RFC 9293 3.6, 3.10.4, 3.10.5).
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { disarmKeepAlive, finish, setState } from "./finish.ts";
import { output } from "./output.ts";
import { armOrphan } from "./segment_in.ts";
import { sendConnectionReset } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { FLAG, TCB } from "./state/tcb.ts";
import { unreadBytes } from "./window.ts";

const { STATE: STATE_AT, STRIDE } = TCB;
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
  if ((state & STATE_MASK) === STATE.FIN_WAIT_2) armOrphan(stack, conn);
  else shutdownWrite(stack, conn);
}

/** Ends the connection at once with a reset (RFC 9293 3.10.5) and lets go of it. */
export function abort(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE + STATE_AT;
  const words = stack.tcbs.words;
  const state = words[at];
  if ((state & DONE) !== 0) {
    closeConnection(stack, conn);
    return;
  }
  disarmKeepAlive(stack, conn);
  words[at] |= ORPHAN;
  const name = state & STATE_MASK;
  // RFC 9293 3.10.5: no reset before anything was synchronized, nor once both sides have closed.
  if (name !== STATE.SYN_SENT && name !== STATE.CLOSING && name !== STATE.LAST_ACK) sendConnectionReset(stack, conn);
  finish(stack, conn, 0);
}
