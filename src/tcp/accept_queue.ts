/**
 * The accept queue of a listener, and what is counted of queues that are full.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { TCP_EVENT } from "./state/states.ts";
import { FLAG, LISTENER, TCB, WARM } from "./state/tcb.ts";
import { unreadBytes } from "./window.ts";

const { STATE: TCB_STATE, MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { DONE: FLAG_DONE, FAILED: FLAG_FAILED, FIN_RECEIVED: FLAG_FIN_RECEIVED, UNACCEPTED: FLAG_UNACCEPTED } = FLAG;
const {
  ACCEPTABLE: TCP_EVENT_ACCEPTABLE,
  CLOSED: TCP_EVENT_CLOSED,
  FAILED: TCP_EVENT_FAILED,
  PEER_CLOSED: TCP_EVENT_PEER_CLOSED,
  READABLE: TCP_EVENT_READABLE,
} = TCP_EVENT;
const { APP_DATA: WARM_APP_DATA, APP_DATA2: WARM_APP_DATA2, SRTT: WARM_SRTT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } =
  WARM;
const {
  ACCEPT_COUNT: L_ACCEPT_COUNT,
  ACCEPT_FIRST_HIGH: L_ACCEPT_FIRST_HIGH,
  ACCEPT_HEAD: L_ACCEPT_HEAD,
  ACCEPT_OVERFLOWS: L_ACCEPT_OVERFLOWS,
  ACCEPT_TAIL: L_ACCEPT_TAIL,
  BACKLOG: L_BACKLOG,
  PEAKS: L_PEAKS,
  MASK: L_MASK,
  STRIDE: L_STRIDE,
  SYN_COUNT: L_SYN_COUNT,
} = LISTENER;

/**
 * Takes the oldest connection from a listener's accept queue, 0 if it is empty. What happened to it meanwhile is
 * told now: READABLE, PEER_CLOSED, and CLOSED or FAILED if it is over already.
 */
export function accept(stack: TcpStack, listener: number): number {
  const conn = takeAccepted(stack, listener);
  if (conn === 0) return 0;
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const state = words[c + TCB_STATE] &= ~FLAG_UNACCEPTED;
  const unread = unreadBytes(stack, conn);
  if (unread > 0) stack.pushEvent(conn, TCP_EVENT_READABLE, unread);
  if ((state & FLAG_FIN_RECEIVED) !== 0) stack.pushEvent(conn, TCP_EVENT_PEER_CLOSED, 0);
  if ((state & FLAG_FAILED) !== 0) {
    stack.pushEvent(conn, TCP_EVENT_FAILED, stack.warm[conn * WARM_STRIDE + WARM_SRTT]);
  } else if ((state & FLAG_DONE) !== 0) stack.pushEvent(conn, TCP_EVENT_CLOSED, 0);
  return conn;
}

/** Takes the oldest connection out of the queue, 0 if it is empty. */
export function takeAccepted(stack: TcpStack, listener: number): number {
  const rows = stack.listeners.words;
  const l = (listener * L_STRIDE) & L_MASK;
  const conn = rows[l + L_ACCEPT_HEAD];
  if (conn === 0) return 0;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const next = stack.warm[w + WARM_APP_DATA2];
  stack.warm[w + WARM_APP_DATA] = 0;
  stack.warm[w + WARM_APP_DATA2] = 0;
  rows[l + L_ACCEPT_HEAD] = next;
  if (next === 0) rows[l + L_ACCEPT_TAIL] = 0;
  rows[l + L_ACCEPT_COUNT]--;
  return conn;
}

/** Puts a connection that a listener made into its queue. */
export function enqueueAccepted(stack: TcpStack, listener: number, conn: number): void {
  const rows = stack.listeners.words;
  const l = (listener * L_STRIDE) & L_MASK;
  const tail = rows[l + L_ACCEPT_TAIL];
  if (tail === 0) rows[l + L_ACCEPT_HEAD] = conn;
  else stack.warm[tail * WARM_STRIDE + WARM_APP_DATA2] = conn;
  rows[l + L_ACCEPT_TAIL] = conn;
  rows[l + L_ACCEPT_COUNT]++;
  notePeaks(rows, l);
  stack.counters.passiveOpens++;
  stack.pushEvent(conn, TCP_EVENT_ACCEPTABLE, listener);
}

/** Is the accept queue full? As Linux's it holds one more than the backlog says. A refusal is counted. */
export function acceptQueueFull(stack: TcpStack, listener: number): boolean {
  const rows = stack.listeners.words;
  const l = (listener * L_STRIDE) & L_MASK;
  if (rows[l + L_ACCEPT_COUNT] <= rows[l + L_BACKLOG]) return false;
  noteOverflow(stack, l, L_ACCEPT_OVERFLOWS, L_ACCEPT_FIRST_HIGH);
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
  const peaks = rows[l + L_PEAKS];
  if (rows[l + L_SYN_COUNT] <= (peaks & 0xffff) && rows[l + L_ACCEPT_COUNT] <= peaks >>> 16) return;
  const syn = Math.min(65535, Math.max(peaks & 0xffff, rows[l + L_SYN_COUNT]));
  const queued = Math.min(65535, Math.max(peaks >>> 16, rows[l + L_ACCEPT_COUNT]));
  rows[l + L_PEAKS] = (queued << 16) | syn;
}
