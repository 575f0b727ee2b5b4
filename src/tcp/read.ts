/**
 * Receiving as an application does it: counted bytes or real ones, once or without taking them.
 *
 * @module
 */
import { fillVirtual } from "../wire/payload.ts";
import * as AUTOTUNE from "./autotune.ts";
import * as DELAYED_ACK from "./delayed_ack.ts";
import { settleMemory } from "./memory.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { ACK_STATE, COLD, FLAG, TCB, WARM } from "./state/tcb.ts";
import { findReadable, isUrgentNear, passUrgent, readable, skipByte } from "./urgent_in.ts";
import { receiverAt, unreadBytes } from "./window.ts";

// As layouts: an imported function is checked at every use.
const { cleanUpAfterRead } = DELAYED_ACK;
const { adjustBuffer, isReadingMeasured } = AUTOTUNE;
const { STATE: STATE_AT, RCV_NXT, RCV_WUP, RCV_ADV, RCV_READ, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STREAM, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { URGENT_STATE, CLAMP, MASK: RECEIVER_MASK, STRIDE: RECEIVER_STRIDE } = RECEIVER;
/** A pushed segment waits to be acknowledged, or several. */
const PUSHED = ACK_STATE.PUSHED | ACK_STATE.PUSHED_TWICE;
const { DONE, FIN_RECEIVED, READ_SHUT } = FLAG;

/**
 * Reads up to `max` bytes without looking at them; returns how many there were. Opens the window. A read ends at an
 * urgent byte (RFC 9293 3.8.5), as a second one begins there.
 */
export function receive(stack: TcpStack, conn: number, max: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const k = (warm[w + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  const r = k === 0 ? 0 : (stack.cold.words[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
  const rows = stack.receivers.words;
  if (
    (words[c + STATE_AT] & (DONE | FIN_RECEIVED)) !== 0 || warm[w + STREAM] !== 0 ||
    (r !== 0 && rows[r + URGENT_STATE] !== 0) || stack.hosts.budgets !== undefined
  ) return receiveAny(stack, conn, max);
  // Counted bytes: what `receiveAny` does, without what cannot apply.
  const next = words[c + RCV_NXT];
  const unread = (next - words[c + RCV_READ]) | 0;
  const count = unread < max ? unread : max;
  if (count <= 0) return 0;
  words[c + RCV_READ] = (words[c + RCV_READ] + count) | 0;
  if (r === 0) {
    cleanUpAfterRead(stack, conn, count);
    return count;
  }
  const open = (words[c + RCV_ADV] - next) | 0;
  const unacknowledged = (next - words[c + RCV_WUP]) | 0;
  const acks = warm[w + ACK_STATE_AT];
  if (
    (acks & PUSHED) !== 0 || unacknowledged > words[c + MSS] >>> 16 || 2 * open <= rows[r + CLAMP] ||
    isReadingMeasured(rows, r, stack.nowUs)
  ) {
    adjustBuffer(stack, conn, r);
    cleanUpAfterRead(stack, conn, count);
  }
  return count;
}

function receiveAny(stack: TcpStack, conn: number, max: number): number {
  const count = prepareRead(stack, conn, max);
  if (count > 0) {
    const index = stack.warm[conn * WARM_STRIDE + STREAM];
    if (index !== 0) releaseRead(stack, conn, index, count);
    consume(stack, conn, count);
  }
  return count;
}

/** Reads up to `max` bytes; counted ones come as their pattern. Opens the window. */
export function receiveBytes(stack: TcpStack, conn: number, max: number): Uint8Array {
  const count = prepareRead(stack, conn, max);
  const bytes = new Uint8Array(count);
  if (count === 0) return bytes;
  copyUnread(stack, conn, 0, bytes);
  const index = stack.warm[conn * WARM_STRIDE + STREAM];
  if (index !== 0) releaseRead(stack, conn, index, count);
  consume(stack, conn, count);
  return bytes;
}

/** MSG_PEEK: as {@linkcode receiveBytes}, but the bytes stay to be read. */
export function peekBytes(stack: TcpStack, conn: number, max: number): Uint8Array {
  findReadable(stack, conn);
  const bytes = new Uint8Array(Math.max(0, Math.min(max, readable.bytes)));
  if (bytes.length > 0) copyUnread(stack, conn, readable.skips ? 1 : 0, bytes);
  return bytes;
}

/** How many bytes a read of `max` takes; passes over an urgent byte that is not part of the stream. */
function prepareRead(stack: TcpStack, conn: number, max: number): number {
  if (!isUrgentNear(stack, conn)) return Math.max(0, Math.min(max, unreadBytes(stack, conn)));
  findReadable(stack, conn);
  const count = Math.max(0, Math.min(max, readable.bytes));
  if (readable.skips && max > 0) {
    skipByte(stack, conn);
    passUrgent(stack, conn, receiverAt(stack, conn));
  }
  return count;
}

/** Copies unread bytes from `skip` bytes past the reader's position on. */
function copyUnread(stack: TcpStack, conn: number, skip: number, bytes: Uint8Array): void {
  const count = bytes.length;
  const seq = (stack.tcbs.words[conn * STRIDE + RCV_READ] + skip) | 0;
  const index = stack.warm[conn * WARM_STRIDE + STREAM];
  const ring = index === 0 ? null : stack.streams[index]!.receive;
  if (ring === null) {
    fillVirtual(bytes, 0, count, seq);
    return;
  }
  const position = ring.end - unreadBytes(stack, conn) + skip;
  const counted = Math.min(count, Math.max(0, ring.begin - position));
  fillVirtual(bytes, 0, counted, seq);
  if (count > counted) ring.copy(position + counted, count - counted, bytes, counted);
}

function releaseRead(stack: TcpStack, conn: number, index: number, count: number): void {
  const ring = stack.streams[index]!.receive;
  if (ring === null) return;
  const upTo = ring.end - unreadBytes(stack, conn) + count;
  if (upTo > ring.begin) ring.release(upTo);
}

/** The application has read `count` bytes. */
function consume(stack: TcpStack, conn: number, count: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  words[c + RCV_READ] = (words[c + RCV_READ] + count) | 0;
  const r = receiverAt(stack, conn);
  if (r !== 0) {
    passUrgent(stack, conn, r);
    adjustBuffer(stack, conn, r);
  }
  if (stack.hosts.budgets !== undefined) settleMemory(stack, stack.hosts.budgets, conn);
  if ((words[c + STATE_AT] & DONE) === 0) cleanUpAfterRead(stack, conn, count);
}

/** Has the stream to read come to its end, after the bytes that are buffered? */
export function hasReadEnd(stack: TcpStack, conn: number): boolean {
  return (stack.tcbs.words[conn * STRIDE + STATE_AT] & (FIN_RECEIVED | READ_SHUT | DONE)) !== 0;
}
