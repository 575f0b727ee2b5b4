/**
 * Passive open: listeners, and what they make of segments that no connection wants.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { takeAccepted } from "./accept_queue.ts";
import { finish } from "./finish.ts";
import { canConnect } from "./ip_fields.ts";
import { sendConnectionReset, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, LISTENER, SYN_ROW, TCB } from "./state/tcb.ts";
import { cookieIn, releaseSynRow, synIn } from "./syn_queue.ts";

const { FLAGS_MASK } = CONTROL;
const { CONTROL: P_CONTROL, DST: P_DST, SRC: P_SRC, PORTS: P_PORTS, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const SR = SYN_ROW;
const L = LISTENER;
/** Bits of `Profile.fastOpen`: servers do Fast Open, and every listener does. */
const EVERY_SERVER = 0x402;

/** Options of {@linkcode listen}. */
export interface TcpListenOptions {
  /** Longest accept queue, before `somaxconn` caps it. */
  backlog: number;
  /** Goes into `WARM.APP` of every connection. */
  app: number;
}

/** Listens on a port of a host, on one address or (0) on all. Returns the listener, or `-ERRNO.EADDRINUSE`/`EINVAL`. */
export function listen(
  stack: TcpStack,
  host: number,
  local: number,
  port: number,
  options: TcpListenOptions,
): number {
  if (!(port > 0 && port <= 65535)) return -ERRNO.EINVAL;
  const listener = stack.listeners.allocate();
  const failed = stack.demux.addListener(host, local, port, listener);
  if (failed < 0) {
    stack.listeners.release(listener);
    return failed;
  }
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const profile = stack.profileOf(host);
  rows[l + L.HOST] = host;
  rows[l + L.LOCAL] = local;
  rows[l + L.PORT] = port;
  rows[l + L.APP] = options.app;
  rows[l + L.GENERATION] = ++stack.listenersMade;
  setBacklog(stack, listener, options.backlog);
  stack.hosts.changeSockets(host, 1);
  // RFC 7413: without the socket option, where the host says so.
  if ((profile.fastOpen & EVERY_SERVER) === EVERY_SERVER) rows[l + L.FAST_OPEN_MAX] = rows[l + L.BACKLOG];
  return listener;
}

/** Another `listen` on the same socket: the longest accept queue from now on. */
export function setBacklog(stack: TcpStack, listener: number, backlog: number): void {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  rows[l + L.BACKLOG] = Math.min(Math.max(0, backlog), stack.profileOf(rows[l + L.HOST]).somaxconn);
}

/** Stops listening: SYN queue and accept queue are dropped, connections in the latter with a reset (RFC 9293 3.10.5). */
export function closeListener(stack: TcpStack, listener: number): void {
  const l = listener * L.STRIDE;
  const rows = stack.listeners.words;
  // (It may be suspended, and another one have its port.)
  const [host, local, port] = [rows[l + L.HOST], rows[l + L.LOCAL], rows[l + L.PORT]];
  if (stack.demux.listenerOf(host, local, port) === listener) stack.demux.removeListener(host, local, port);
  emptyListener(stack, listener, true);
  if (rows[l + L.SETTINGS] !== 0) stack.settings.release(rows[l + L.SETTINGS]);
  stack.hosts.changeSockets(rows[l + L.HOST], -1);
  stack.fastOpen.forgetListener(listener);
  rows[l + L.GENERATION] = 0;
  stack.listeners.release(listener);
}

/** Empties SYN queue and accept queue, with a reset for connections in the latter, or without a word. */
export function emptyListener(stack: TcpStack, listener: number, resets: boolean): void {
  const l = listener * L.STRIDE;
  const rows = stack.listeners.words;
  if (rows[l + L.SYN_COUNT] !== 0) {
    const syns = stack.synRows.words;
    for (let row = 1; row < stack.synRows.end; row++) {
      const s = row * SR.STRIDE;
      if (syns[s + SR.PORTS] !== 0 && syns[s + SR.LISTENER] === listener) releaseSynRow(stack, row, true);
    }
  }
  for (let conn = takeAccepted(stack, listener); conn !== 0; conn = takeAccepted(stack, listener)) {
    const state = stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE];
    if ((state & FLAG.DONE) === 0) {
      if (resets) sendConnectionReset(stack, conn);
      finish(stack, conn, 0);
    }
    stack.releaseConnection(conn);
  }
}

/**
 * A segment for which there is no connection: a listener's, or nobody's (RFC 9293 3.10.7.1, 3.10.7.2). Returns the
 * connection that a cookie's final ACK has made, if that has more to say, else 0.
 */
export function listenerIn(stack: TcpStack, host: number, p: number): number {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const flags = packets[o + P_CONTROL] & FLAGS_MASK;
  // RFC 9293 3.9.2.3 MUST-57, MUST-63: not a word about what came for many, or from nobody.
  if (!canConnect(stack.addresses, packets[o + P_DST]) || !canConnect(stack.addresses, packets[o + P_SRC])) {
    stack.counters.listenDrops++;
    return 0;
  }
  const listener = stack.demux.findListener(host, packets[o + P_DST], packets[o + P_PORTS] & 0xffff);
  if (listener === 0) {
    stack.counters.noConnection++;
    sendResetFor(stack, host, p);
    return 0;
  }
  // First RST, second ACK, third SYN.
  if ((flags & F_RST) !== 0) return 0;
  if ((flags & F_ACK) !== 0) {
    const conn = (flags & F_SYN) !== 0 ? -1 : cookieIn(stack, host, listener, p);
    if (conn >= 0) return conn;
    sendResetFor(stack, host, p);
    return 0;
  }
  if ((flags & F_SYN) !== 0 && (flags & F_FIN) === 0) synIn(stack, host, listener, p, 0);
  return 0;
}
