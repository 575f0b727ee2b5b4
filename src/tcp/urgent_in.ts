/**
 * Urgent data received (RFC 9293 3.8.5, RFC 6093), as Linux has it: the pointer names the last byte, which is kept out of
 * the stream unless the application wants it inline.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, EXTRA, PACKET, TCP_FLAG, virtualByte } from "../wire/packet.ts";
import { busyReceiver } from "./receiver.ts";
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, URGENT_STATE } from "./state/receiver_row.ts";
import { TCP_EVENT } from "./state/states.ts";
import { FLAG, SETTING_FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";
import { receiverAt, unreadBytes } from "./window.ts";

const { STATE, RCV_NXT, RCV_READ, MASK, STRIDE } = TCB;
const { FIN_RECEIVED, READ_SHUT, DONE, UNACCEPTED } = FLAG;
const { URGENT, URGENT_STATE: STATE_AT } = RECEIVER;
const { VALID, NOT_YET, READ } = URGENT_STATE;
const { CONTROL: P_CONTROL, EXTRA: P_EXTRA, SEQ, LENGTH, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;

/** Does the application want urgent bytes in the stream (SO_OOBINLINE)? */
export function isUrgentInline(stack: TcpStack, conn: number): boolean {
  return (readSetting(stack, conn, SETTINGS.FLAGS) & SETTING_FLAG.URGENT_INLINE) !== 0;
}

/** SO_OOBINLINE. */
export function setUrgentInline(stack: TcpStack, conn: number, on: boolean): void {
  const flags = readSetting(stack, conn, SETTINGS.FLAGS);
  const { URGENT_INLINE } = SETTING_FLAG;
  writeSetting(stack, conn, SETTINGS.FLAGS, on ? flags | URGENT_INLINE : flags & ~URGENT_INLINE);
}

/** The URG part of an acceptable segment (RFC 9293 3.10.7.4, sixth; MUST-30, MUST-31, MUST-32). */
export function urgentIn(stack: TcpStack, conn: number, p: number): void {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  if ((packets[o + P_CONTROL] & TCP_FLAG.URG) !== 0) pointerIn(stack, conn, p);
  const r = receiverAt(stack, conn);
  if (r === 0) return;
  const rows = stack.receivers.words;
  if (rows[r + STATE_AT] !== NOT_YET) return;
  const syn = (packets[o + P_CONTROL] & TCP_FLAG.SYN) !== 0 ? 1 : 0;
  const offset = (rows[r + URGENT] - packets[o + SEQ] - syn) | 0;
  if (offset < 0 || offset >= packets[o + LENGTH]) return;
  rows[r + STATE_AT] = VALID | byteOf(stack, p, offset, rows[r + URGENT]);
}

function byteOf(stack: TcpStack, p: number, offset: number, seq: number): number {
  const packets = stack.packets.rows.words;
  if ((packets[p * P_STRIDE + P_CONTROL] & CONTROL.REAL_PAYLOAD) === 0) return virtualByte(seq);
  const extra = packets[p * P_STRIDE + P_EXTRA];
  return stack.packets.payloads.get(stack.packets.extras.words[extra * EXTRA.STRIDE + EXTRA.PAYLOAD])[offset];
}

/** A segment with URG: a pointer beyond what we know tells the application (MUST-32, MUST-33: and how far it lies). */
function pointerIn(stack: TcpStack, conn: number, p: number): void {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const extra = packets[o + P_EXTRA];
  const field = extra === 0 ? 0 : stack.packets.extras.words[extra * EXTRA.STRIDE + EXTRA.URGENT] & 0xffff;
  // RFC 6093 3.1: on the wire the pointer is one past the urgent byte.
  const seq = (packets[o + SEQ] + (field === 0 ? 0 : field - 1)) | 0;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  // Read already, or received already: no replay.
  if (((words[c + RCV_READ] - seq) | 0) > 0 || ((seq - words[c + RCV_NXT]) | 0) < 0) return;
  const r = busyReceiver(stack, conn);
  const rows = stack.receivers.words;
  const state = rows[r + STATE_AT];
  if (state !== 0 && ((seq - rows[r + URGENT]) | 0) <= 0) return;
  if ((words[c + STATE] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT.URGENT, seq);
  if (
    state !== 0 && rows[r + URGENT] === words[c + RCV_READ] && words[c + RCV_READ] !== words[c + RCV_NXT] &&
    !isUrgentInline(stack, conn)
  ) {
    // The reader stands at the last urgent byte: it is not to be read as data now that there is another.
    skipByte(stack, conn);
  }
  rows[r + STATE_AT] = NOT_YET;
  rows[r + URGENT] = seq;
}

/** Lets the byte at the reader's position out of the stream. */
export function skipByte(stack: TcpStack, conn: number): void {
  const index = stack.warm[conn * WARM.STRIDE + WARM.STREAM];
  const ring = index === 0 ? null : stack.streams[index]!.receive;
  if (ring !== null) {
    const position = ring.end - unreadBytes(stack, conn) + 1;
    if (position > ring.begin) ring.release(position);
  }
  const at = conn * STRIDE + RCV_READ;
  stack.tcbs.words[at] = (stack.tcbs.words[at] + 1) | 0;
}

/**
 * Bytes that one read may take: up to the urgent byte, or from there on (RFC 9293 3.8.5). A read that stands at an urgent
 * byte which is not inline passes over it first: `true` in `skips`.
 */
export const readable: { bytes: number; skips: boolean } = { bytes: 0, skips: false };

/** Is there urgent data that the reader has not passed? */
export function isUrgentNear(stack: TcpStack, conn: number): boolean {
  const r = receiverAt(stack, conn);
  return r !== 0 && stack.receivers.words[r + STATE_AT] !== 0;
}

/** Fills in {@linkcode readable}. */
export function findReadable(stack: TcpStack, conn: number): void {
  const unread = unreadBytes(stack, conn);
  readable.bytes = unread;
  readable.skips = false;
  const r = receiverAt(stack, conn);
  if (r === 0 || stack.receivers.words[r + STATE_AT] === 0) return;
  const offset = (stack.receivers.words[r + URGENT] - stack.tcbs.words[conn * STRIDE + RCV_READ]) | 0;
  if (offset < 0 || offset >= unread) return;
  if (offset > 0) readable.bytes = offset;
  else if (!isUrgentInline(stack, conn)) {
    readable.bytes = unread - 1;
    readable.skips = true;
  }
}

/** The reader has moved on: once past the urgent byte, there is none. `r` is where the `RECEIVER` row begins. */
export function passUrgent(stack: TcpStack, conn: number, r: number): void {
  const rows = stack.receivers.words;
  if (rows[r + STATE_AT] === 0) return;
  if (((stack.tcbs.words[conn * STRIDE + RCV_READ] - rows[r + URGENT]) | 0) > 0) rows[r + STATE_AT] = 0;
}

/**
 * MSG_OOB: the urgent byte. `-EINVAL` if there is none, it was read or is inline; `-EAGAIN` if it has not come; `NOTHING` (a
 * read of nothing) if it will not come any more.
 */
export function receiveUrgent(stack: TcpStack, conn: number, peek = false): number {
  const r = receiverAt(stack, conn);
  const state = r === 0 ? 0 : stack.receivers.words[r + STATE_AT];
  if (state === 0 || state === READ || isUrgentInline(stack, conn)) return -ERRNO.EINVAL;
  if ((state & VALID) !== 0) {
    if (!peek) stack.receivers.words[r + STATE_AT] = READ;
    return state & 0xff;
  }
  const flags = stack.tcbs.words[conn * STRIDE + STATE];
  return (flags & (FIN_RECEIVED | READ_SHUT | DONE)) !== 0 ? NOTHING : -ERRNO.EAGAIN;
}

/** What {@linkcode receiveUrgent} returns at the end of the stream: larger than any byte. */
export const NOTHING = 256;

/** SIOCATMARK: is the reader at the urgent byte? */
export function isAtMark(stack: TcpStack, conn: number): boolean {
  const r = receiverAt(stack, conn);
  return r !== 0 && stack.receivers.words[r + STATE_AT] !== 0 &&
    stack.receivers.words[r + URGENT] === stack.tcbs.words[conn * STRIDE + RCV_READ];
}

/** SIOCINQ: bytes that can be read before the urgent byte, or all. */
export function bytesInQueue(stack: TcpStack, conn: number): number {
  const unread = unreadBytes(stack, conn);
  const r = receiverAt(stack, conn);
  if (r === 0 || stack.receivers.words[r + STATE_AT] === 0 || isUrgentInline(stack, conn)) return unread;
  const offset = (stack.receivers.words[r + URGENT] - stack.tcbs.words[conn * STRIDE + RCV_READ]) | 0;
  return offset < 0 || offset >= unread ? unread : offset;
}
