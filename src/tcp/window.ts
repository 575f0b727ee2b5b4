/**
 * The receive window: how much to offer, and when to say so (RFC 9293 3.8.6).
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { COLD, FLAG, TCB, WARM } from "./state/tcb.ts";

const { STATE, RCV_NXT, RCV_ADV, RCV_READ, MSS, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { RCV_SHIFT_AT, FIN_RECEIVED } = FLAG;

/** Bytes received in order that the application has not read; a FIN does not count. */
export function unreadBytes(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  return (words[c + RCV_NXT] - words[c + RCV_READ] - ((words[c + STATE] & FIN_RECEIVED) !== 0 ? 1 : 0)) | 0;
}

/** The connection's receive buffer, bytes. */
export function receiveBuffer(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row !== 0) {
    const receiver = stack.cold.words[row * COLD.STRIDE + COLD.RECEIVER];
    if (receiver !== 0) {
      const own = stack.receivers.words[receiver * RECEIVER.STRIDE + RECEIVER.BUFFER];
      if (own !== 0) return own;
    }
  }
  return stack.profileOfConnection(conn).receiveBufferBytes;
}

/** The right edge that the free buffer allows, not left of the one advertised (RFC 9293 3.8.6 SHLD-14). */
export function windowEdge(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const next = words[c + RCV_NXT];
  const buffer = receiveBuffer(stack, conn);
  const shift = (words[c + STATE] >> RCV_SHIFT_AT) & 0xf;
  const unread = (next - words[c + RCV_READ]) | 0;
  const free = Math.min(Math.max(0, buffer - unread), 65535 << shift);
  const current = words[c + RCV_ADV];
  const edge = (next + ((free >> shift) << shift)) | 0;
  const gain = (edge - current) | 0;
  // RFC 9293 3.8.6.2.2 MUST-39: silly window avoidance, steps of half the buffer or a segment, whichever is less.
  const step = Math.min(buffer >> 1, words[c + MSS] >>> 16);
  return gain >= step && gain > 0 ? edge : current;
}

/** Moves the right edge as far as it may and returns the window field for a segment without SYN. */
export function advertiseWindow(stack: TcpStack, conn: number): number {
  const edge = windowEdge(stack, conn);
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  words[c + RCV_ADV] = edge;
  const shift = (words[c + STATE] >> RCV_SHIFT_AT) & 0xf;
  const window = (edge - words[c + RCV_NXT]) | 0;
  return window <= 0 ? 0 : Math.min(65535, window >> shift);
}

/** Smallest shift with which a window field can express `bytes` (RFC 7323 2.3: at most 14). */
export function windowShiftFor(bytes: number): number {
  let shift = 0;
  while (shift < 14 && (bytes >>> shift) > 65535) shift++;
  return shift;
}
