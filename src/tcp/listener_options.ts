/**
 * Socket options of a listener: its own, and those that the connections it makes inherit.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { keysFromBytes } from "./fast_open_cookie.ts";
import { writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { FLAG, LISTENER, LISTENER_FLAG, SETTINGS } from "./state/tcb.ts";

const L = LISTENER;
/** `FLAG`s that a listener may carry. */
const INHERITED = FLAG.NO_DELAY | FLAG.KEEP_ALIVE | FLAG.CORK;

/** Sets a field of `SETTINGS`: for SYN-ACKs, and inherited by connections. */
export function setListenerSetting(stack: TcpStack, listener: number, field: number, value: number): void {
  const at = listener * L.STRIDE + L.SETTINGS;
  const row = stack.listeners.words[at] ||= stack.settings.allocate();
  stack.settings.words[row * SETTINGS.STRIDE + field] = value;
  // Connections inherit it without passing a setter of theirs.
  if (field === SETTINGS.TRAFFIC_CLASS || field === SETTINGS.TTL || field === SETTINGS.PATH_MTU) {
    stack.ipFieldsUsed = true;
  }
}

/** TCP_DEFER_ACCEPT on a connection that is opened: the ACK of the SYN-ACK waits for data. */
export function setDeferAccept(stack: TcpStack, conn: number, timeouts: number): void {
  writeSetting(stack, conn, SETTINGS.DEFER_ACCEPT, timeouts);
}

/** A field of `SETTINGS`, 0 if it has not been set. */
export function listenerSetting(stack: TcpStack, listener: number, field: number): number {
  const row = stack.listeners.words[listener * L.STRIDE + L.SETTINGS];
  return row === 0 ? 0 : stack.settings.words[row * SETTINGS.STRIDE + field];
}

/** Sets `FLAG.NO_DELAY`, `FLAG.KEEP_ALIVE` or `FLAG.CORK` of the connections to come. */
export function setListenerFlag(stack: TcpStack, listener: number, flag: number, on: boolean): void {
  const at = listener * L.STRIDE + L.FLAGS;
  const rows = stack.listeners.words;
  rows[at] = on ? rows[at] | (flag & INHERITED) : rows[at] & ~flag;
}

/**
 * TCP_FASTOPEN: Fast Open (RFC 7413) for at most `queueLength` connections that wait for their final ACK, 0 for none;
 * `-ERRNO.EINVAL` below that. The host's profile must allow servers to do it.
 */
export function setListenerFastOpen(stack: TcpStack, listener: number, queueLength: number): number {
  if (!(queueLength >= 0)) return -ERRNO.EINVAL;
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  rows[l + L.FAST_OPEN_MAX] = Math.min(queueLength, stack.profileOf(rows[l + L.HOST]).somaxconn);
  return 0;
}

/** TCP_FASTOPEN_NO_COOKIE on a listener: data in a SYN is taken without a cookie. */
export function setListenerNoCookie(stack: TcpStack, listener: number, on: boolean): void {
  const at = listener * L.STRIDE + L.OPTIONS;
  const rows = stack.listeners.words;
  rows[at] = on ? rows[at] | LISTENER_FLAG.NO_COOKIE : rows[at] & ~LISTENER_FLAG.NO_COOKIE;
}

/**
 * TCP_FASTOPEN_KEY: 16 bytes make and check the listener's cookies, 32 are such a key and one whose cookies are honoured
 * as well; null goes back to the host's. `-ERRNO.EINVAL` for another number of bytes.
 */
export function setFastOpenKey(stack: TcpStack, listener: number, bytes: Uint8Array | null): number {
  const keys = bytes === null ? null : keysFromBytes(bytes);
  if (bytes !== null && keys === null) return -ERRNO.EINVAL;
  stack.fastOpen.setListenerKeys(listener, keys);
  return 0;
}

/**
 * TCP_DEFER_ACCEPT: SYN-ACK timeouts (`SETTINGS.DEFER_ACCEPT`) that `seconds` are, from a first timeout of `initialMs`
 * on that doubles up to `mostMs`.
 */
export function deferAcceptTimeouts(seconds: number, initialMs: number, mostMs: number): number {
  if (seconds <= 0) return 0;
  let timeouts = 1;
  let timeout = initialMs / 1000;
  for (let period = timeout; seconds > period && timeouts < 255; period += timeout) {
    timeouts++;
    timeout = Math.min(2 * timeout, mostMs / 1000);
  }
  return timeouts;
}
