/**
 * A listener's connections that wait for the final ACK of a Fast Open handshake (RFC 7413 5.1): how many, and how they
 * leave.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { FAST_OPEN, FAST_OPEN_FLAG } from "./state/fast_open_row.ts";
import { COLD, FLAG, LISTENER, TCB, WARM } from "./state/tcb.ts";

const { PENDING, COUNTED } = FAST_OPEN_FLAG;
const F = FAST_OPEN;
const L = LISTENER;

/** Where the connection's Fast Open row begins in `stack.fastOpens.words`, 0 if it has none. */
export function fastOpenAt(stack: TcpStack, conn: number): number {
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  return cold === 0 ? 0 : stack.cold.words[cold * COLD.STRIDE + COLD.FAST_OPEN] * F.STRIDE;
}

/** Is this a listener's Fast Open connection that waits for its final ACK (Linux `fastopen_rsk`)? */
export function isFastOpenPending(stack: TcpStack, conn: number): boolean {
  const f = fastOpenAt(stack, conn);
  return f !== 0 && (stack.fastOpens.words[f + F.FLAGS] & PENDING) !== 0;
}

/** Is there room in the listener's Fast Open queue (RFC 7413 5.1)? Resets count in it for a minute. */
export function queueHasRoom(stack: TcpStack, listener: number): boolean {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  if (rows[l + L.FAST_OPEN_MAX] === 0) return false;
  if (rows[l + L.FAST_OPEN_COUNT] < rows[l + L.FAST_OPEN_MAX]) return true;
  if (!stack.fastOpen.takeOldReset(stack, listener)) {
    stack.counters.fastOpenOverflows++;
    return false;
  }
  rows[l + L.FAST_OPEN_COUNT]--;
  return true;
}

/** The listener that made the connection, 0 if it has been closed. */
export function listenerOf(stack: TcpStack, f: number): number {
  const opens = stack.fastOpens.words;
  const listener = opens[f + F.LISTENER];
  const current = stack.listeners.words[listener * L.STRIDE + L.GENERATION];
  return current === opens[f + F.GENERATION] ? listener : 0;
}

/** The connection no longer counts among those that wait. A reset of an accepted one counts for a minute yet. */
export function leaveQueue(stack: TcpStack, conn: number, f: number, reset: boolean): void {
  const opens = stack.fastOpens.words;
  if ((opens[f + F.FLAGS] & COUNTED) === 0) return;
  opens[f + F.FLAGS] &= ~COUNTED;
  const listener = listenerOf(stack, f);
  if (listener === 0) return;
  const unaccepted = (stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.UNACCEPTED) !== 0;
  if (reset && !unaccepted) stack.fastOpen.noteReset(stack, listener);
  else stack.listeners.words[listener * L.STRIDE + L.FAST_OPEN_COUNT]--;
}
