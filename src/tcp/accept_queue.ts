/**
 * The accept queue of a listener, and what is counted of queues that are full.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { TCP_EVENT } from "./state/states.ts";
import { FLAG, LISTENER, TCB, WARM } from "./state/tcb.ts";
import { unreadBytes } from "./window.ts";

const L = LISTENER;

/**
 * Takes the oldest connection from a listener's accept queue, 0 if it is empty. What happened to it meanwhile is
 * told now: READABLE, PEER_CLOSED, and CLOSED or FAILED if it is over already.
 */
export function accept(stack: TcpStack, listener: number): number {
  const conn = takeAccepted(stack, listener);
  if (conn === 0) return 0;
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const state = words[c + TCB.STATE] &= ~FLAG.UNACCEPTED;
  const unread = unreadBytes(stack, conn);
  if (unread > 0) stack.pushEvent(conn, TCP_EVENT.READABLE, unread);
  if ((state & FLAG.FIN_RECEIVED) !== 0) stack.pushEvent(conn, TCP_EVENT.PEER_CLOSED, 0);
  if ((state & FLAG.FAILED) !== 0) {
    stack.pushEvent(conn, TCP_EVENT.FAILED, stack.warm[conn * WARM.STRIDE + WARM.SRTT]);
  } else if ((state & FLAG.DONE) !== 0) stack.pushEvent(conn, TCP_EVENT.CLOSED, 0);
  return conn;
}

/** Takes the oldest connection out of the queue, 0 if it is empty. */
export function takeAccepted(stack: TcpStack, listener: number): number {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const conn = rows[l + L.ACCEPT_HEAD];
  if (conn === 0) return 0;
  const w = conn * WARM.STRIDE;
  const next = stack.warm[w + WARM.APP_DATA2];
  stack.warm[w + WARM.APP_DATA] = 0;
  stack.warm[w + WARM.APP_DATA2] = 0;
  rows[l + L.ACCEPT_HEAD] = next;
  if (next === 0) rows[l + L.ACCEPT_TAIL] = 0;
  rows[l + L.ACCEPT_COUNT]--;
  return conn;
}

/** Puts a connection that a listener made into its queue. */
export function enqueueAccepted(stack: TcpStack, listener: number, conn: number): void {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const tail = rows[l + L.ACCEPT_TAIL];
  if (tail === 0) rows[l + L.ACCEPT_HEAD] = conn;
  else stack.warm[tail * WARM.STRIDE + WARM.APP_DATA2] = conn;
  rows[l + L.ACCEPT_TAIL] = conn;
  rows[l + L.ACCEPT_COUNT]++;
  notePeaks(rows, l);
  stack.counters.passiveOpens++;
  stack.pushEvent(conn, TCP_EVENT.ACCEPTABLE, listener);
}

/** Is the accept queue full? As Linux's it holds one more than the backlog says. A refusal is counted. */
export function acceptQueueFull(stack: TcpStack, listener: number): boolean {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  if (rows[l + L.ACCEPT_COUNT] <= rows[l + L.BACKLOG]) return false;
  noteOverflow(stack, l, L.ACCEPT_OVERFLOWS, L.ACCEPT_FIRST_HIGH);
  stack.counters.acceptOverflows++;
  stack.counters.listenDrops++;
  return true;
}

/** Counts what a full queue refused, and when that was for the first time. */
export function noteOverflow(stack: TcpStack, l: number, counter: number, firstHigh: number): void {
  const rows = stack.listeners.words;
  if (rows[l + counter]++ === 0) {
    rows[l + firstHigh] = Math.floor(stack.nowNs / 2 ** 30);
    rows[l + firstHigh + 1] = stack.nowNs % 2 ** 30;
  }
}

/** Keeps the greatest lengths of both queues. */
export function notePeaks(rows: Int32Array, l: number): void {
  const peaks = rows[l + L.PEAKS];
  const syn = Math.min(65535, Math.max(peaks & 0xffff, rows[l + L.SYN_COUNT]));
  const queued = Math.min(65535, Math.max(peaks >>> 16, rows[l + L.ACCEPT_COUNT]));
  rows[l + L.PEAKS] = (queued << 16) | syn;
}
