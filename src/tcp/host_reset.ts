/**
 * A host that restarts, or whose ports open and close in mid-run.
 *
 * @module
 */
import { finish, releaseTimeWait } from "./finish.ts";
import { emptyListener } from "./listen.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, LISTENER, TCB, TIME_WAIT_ROW, WARM } from "./state/tcb.ts";

/**
 * `count` hosts from `first` on forget all connections without a word to their peers: those that applications hold fail
 * with `errno`, in the order of (rank of the host, serial). Listeners stay, with empty queues. Cold: looks at every row.
 */
export function resetHosts(stack: TcpStack, first: number, count: number, errno: number): void {
  const isOne = (host: number) => host >= first && host < first + count;
  const listeners = listenersOf(stack, first, count);
  for (const listener of listeners) {
    emptyListener(stack, listener, false);
    stack.listeners.words[listener * LISTENER.STRIDE + LISTENER.COOKIES_SENT] = 0;
  }
  const words = stack.tcbs.words;
  const found: number[] = [];
  for (let conn = 1; conn < stack.tcbs.end; conn++) {
    const c = conn * TCB.STRIDE;
    if (words[c + TCB.PORTS] === 0 || !isOne(words[c + TCB.HOST])) continue;
    if ((words[c + TCB.STATE] & FLAG.DONE) === 0) found.push(conn);
  }
  const rank = (conn: number) => stack.hosts.rankOf(stack.tcbs.words[conn * TCB.STRIDE + TCB.HOST]);
  const serial = (conn: number) => stack.warm[conn * WARM.STRIDE + WARM.SERIAL] >>> 0;
  found.sort((a, b) => rank(a) - rank(b) || serial(a) - serial(b));
  for (const conn of found) {
    const orphan = (stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.ORPHAN) !== 0;
    finish(stack, conn, orphan ? 0 : errno);
  }
  for (let row = 1; row < stack.timeWaits.end; row++) {
    const t = row * TIME_WAIT_ROW.STRIDE;
    const rows = stack.timeWaits.words;
    if (rows[t + TIME_WAIT_ROW.PORTS] !== 0 && isOne(rows[t + TIME_WAIT_ROW.HOST])) releaseTimeWait(stack, row);
  }
  stack.pathMtus.forget(stack, first, count);
  stack.fastOpen.restart(stack, first, count, listeners);
  for (let host = first; host < first + count; host++) stack.hosts.restart(host);
}

/** The listeners of `count` hosts from `first` on, those that are suspended included. */
export function listenersOf(stack: TcpStack, first: number, count: number): number[] {
  const rows = stack.listeners.words;
  const found: number[] = [];
  for (let listener = 1; listener < stack.listeners.end; listener++) {
    const l = listener * LISTENER.STRIDE;
    if (rows[l + LISTENER.GENERATION] === 0) continue;
    if (rows[l + LISTENER.HOST] >= first && rows[l + LISTENER.HOST] < first + count) found.push(listener);
  }
  return found;
}

/** Stops listening as `closeListener` does, but keeps the listener for `resumeListener`. */
export function suspendListener(stack: TcpStack, listener: number): void {
  const l = listener * LISTENER.STRIDE;
  const rows = stack.listeners.words;
  if (!isListening(stack, listener)) return;
  stack.demux.removeListener(rows[l + LISTENER.HOST], rows[l + LISTENER.LOCAL], rows[l + LISTENER.PORT]);
  emptyListener(stack, listener, true);
}

/** Listens again. False where somebody else listens on the port now. */
export function resumeListener(stack: TcpStack, listener: number): boolean {
  const l = listener * LISTENER.STRIDE;
  const rows = stack.listeners.words;
  if (isListening(stack, listener)) return true;
  return stack.demux.addListener(
    rows[l + LISTENER.HOST],
    rows[l + LISTENER.LOCAL],
    rows[l + LISTENER.PORT],
    listener,
  ) ===
    0;
}

/** Is it the listener of its port, not suspended? */
export function isListening(stack: TcpStack, listener: number): boolean {
  const l = listener * LISTENER.STRIDE;
  const rows = stack.listeners.words;
  const [host, local, port] = [rows[l + LISTENER.HOST], rows[l + LISTENER.LOCAL], rows[l + LISTENER.PORT]];
  return stack.demux.listenerOf(host, local, port) === listener;
}
