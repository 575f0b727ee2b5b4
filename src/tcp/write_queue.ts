/**
 * The queue of unsent bytes as Linux keeps it: buffers of up to 64 KiB that writes fill, each charged to the send
 * buffer with what it takes besides its bytes, and ends of records (MSG_EOR) that no later byte is joined to.
 *
 * Buffers are not rows here: what is known is where the last one begins, and how many there would be. In flight, a
 * group of segments is one buffer.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { spellOutFlight } from "./lone_flight_row.ts";
import { currentMss, groupSegments, sizeGoal } from "./segmentation.ts";
import { sendAllowance } from "./memory.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { COLD, OOO, SETTINGS, TCB, WARM } from "./state/tcb.ts";

const { SND_UNA, SND_NXT, SND_END, MSS, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, MAX_WINDOW, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { SEND_BUFFER_BYTES } = PROFILE_WORD;
const { PACKETS_OUT, SENDER: SENDER_AT, SETTINGS: SETTINGS_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { FLAGS, MARK_HEAD, MARK_TAIL, TAIL_SEQ, PUSHED_SEQ, BUFFER, MASK: SENDER_MASK, STRIDE: SENDER_STRIDE } = SENDER;

/** What a buffer is charged besides its bytes (Linux 6.x: `sk_buff`, head and `skb_shared_info` of TCP's buffers). */
export const BUFFER_OVERHEAD = 896;
/** What Linux takes for the head and the descriptor of a buffer of one segment (`MAX_TCP_HEADER`, `skb_shared_info`). */
const SEGMENT_HEAD = 640;
const SEGMENT_DESCRIPTOR = 256;

/** Where the connection's `SENDER` row begins in `stack.senders.words`, 0 for none. */
export function senderAt(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  return row === 0 ? 0 : stack.cold.words[row * COLD_STRIDE + SENDER_AT] * SENDER_STRIDE;
}

/** As `senderAt`, made if there is none. */
export function busySender(stack: TcpStack, conn: number): number {
  const known = senderAt(stack, conn);
  if (known !== 0) return known;
  const s = stack.senderOf(conn) * SENDER_STRIDE;
  stack.senders.words[s + TAIL_SEQ] = stack.tcbs.words[conn * STRIDE + SND_NXT];
  return s;
}

/** What one segment takes of a buffer that is sized for segments (`tcp_sndbuf_expand`). */
function perSegment(mss: number): number {
  let size = 1;
  while (size < mss + SEGMENT_HEAD) size <<= 1;
  return size + SEGMENT_DESCRIPTOR;
}

/** The buffer that `segments` in flight ask for: twice what they take, at most the profile's. */
function bufferFor(stack: TcpStack, conn: number, segments: number): number {
  const profile = stack.profileOfConnection(conn);
  const mss = stack.tcbs.words[conn * STRIDE + MSS] & 0xffff;
  return Math.min(profile.sendBufferBytes, 2 * Math.max(10, segments) * perSegment(mss));
}

/** Size of the send buffer (`sk_sndbuf`): SO_SNDBUF's, or what autotuning has made of the profile's first size. */
export function sendBufferBytes(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row !== 0) {
    const settings = stack.cold.words[row * COLD_STRIDE + SETTINGS_AT];
    const own = settings === 0 ? 0 : stack.settings.words[settings * SETTINGS.STRIDE + SETTINGS.SEND_BUFFER];
    if (own !== 0) return own;
    const s = stack.cold.words[row * COLD_STRIDE + SENDER_AT] * SENDER_STRIDE;
    if (s !== 0 && stack.senders.words[s + BUFFER] !== 0) return stack.senders.words[s + BUFFER];
  }
  const profile = stack.profileOfConnection(conn);
  const first = profile.sendBufferInitialBytes;
  if (first >= profile.sendBufferBytes) return profile.sendBufferBytes;
  return Math.max(first, bufferFor(stack, conn, 10));
}

/**
 * The buffer grows with the congestion window, unless SO_SNDBUF was set or the window is full (`tcp_new_space`). Returns
 * its size.
 */
export function growSendBuffer(stack: TcpStack, conn: number): number {
  const row = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT];
  const k = (row * COLD_STRIDE) & COLD_MASK;
  // (Row 0 is zero.)
  const grown = stack.senders.words[((stack.cold.words[k + SENDER_AT] * SENDER_STRIDE) & SENDER_MASK) + BUFFER];
  const most = stack.profiles.words[stack.profileAt(conn) + SEND_BUFFER_BYTES];
  return grown >= most && stack.cold.words[k + SETTINGS_AT] === 0 ? grown : growFurther(stack, conn);
}

/** As `growSendBuffer`, of one that may grow. */
function growFurther(stack: TcpStack, conn: number): number {
  const profile = stack.profileOfConnection(conn);
  const now = sendBufferBytes(stack, conn);
  if (now >= profile.sendBufferBytes || readSetting(stack, conn, SETTINGS.SEND_BUFFER) !== 0) return now;
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
  if (row !== 0 && stack.cold.words[row * COLD_STRIDE + PACKETS_OUT] >= cwnd) return now;
  const grown = bufferFor(stack, conn, Math.max(cwnd, profile.reordering + 1));
  if (grown <= now) return now;
  const s = busySender(stack, conn);
  stack.senders.words[s + BUFFER] = grown;
  stack.senders.words[s + FLAGS] |= SENDER_FLAG.KEEP;
  return grown;
}

/** What unacknowledged and unsent bytes are charged to the send buffer (`sk_wmem_queued`). */
export function bufferCharge(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const outstanding = Math.max(0, (words[c + SND_END] - words[c + SND_UNA]) | 0);
  if (outstanding === 0) return 0;
  spellOutFlight(stack, conn);
  const unsent = Math.max(0, (words[c + SND_END] - words[c + SND_NXT]) | 0);
  const mss = currentMss(stack, conn);
  let buffers = unsent === 0 ? 0 : Math.ceil(unsent / sizeGoal(stack, conn, mss));
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row !== 0) {
    const cold = stack.cold.words;
    const k = (row * COLD_STRIDE) & COLD_MASK;
    const packets = cold[k + PACKETS_OUT];
    // Full segments stand in groups, others each in a buffer of its own.
    const full = outstanding - unsent > (packets - 1) * mss - mss;
    buffers += packets > 1 && full ? Math.ceil(packets / groupSegments(stack, conn, mss)) : packets;
    const s = cold[k + SENDER_AT] * SENDER_STRIDE;
    if (s !== 0) {
      for (let mark = stack.senders.words[s + MARK_HEAD]; mark !== 0; mark = stack.ranges.words[mark * OOO.STRIDE]) {
        buffers++;
      }
    }
  }
  return outstanding + buffers * BUFFER_OVERHEAD;
}

/** Least unsent bytes that make the connection not writable (`tcp_notsent_lowat`). */
function notSentLow(stack: TcpStack, conn: number): number {
  return readSetting(stack, conn, SETTINGS.NOT_SENT_LOW) >>> 0 || stack.profileOfConnection(conn).notSentLowBytes;
}

/** May another buffer be begun (`sk_stream_memory_free`)? */
export function memoryFree(stack: TcpStack, conn: number): boolean {
  return bufferCharge(stack, conn) < sendBufferBytes(stack, conn) && unsentBelow(stack, conn, 1);
}

function unsentBelow(stack: TcpStack, conn: number, factor: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  return factor * ((words[c + SND_END] - words[c + SND_NXT]) | 0) < notSentLow(stack, conn);
}

/** Is there so much room that waiting writers are told: a third of the buffer (`sk_stream_is_writeable`)? */
export function isWritable(stack: TcpStack, conn: number): boolean {
  return isWritableIn(stack, conn, sendBufferBytes(stack, conn));
}

/** As `isWritable`, of a buffer of `size` bytes. */
export function isWritableIn(stack: TcpStack, conn: number, size: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  // The bytes alone are too many: what is charged besides need not be worked out.
  const outstanding = (words[c + SND_END] - words[c + SND_UNA]) | 0;
  return size - outstanding >= outstanding >> 1 && isChargeLow(stack, conn, size);
}

function isChargeLow(stack: TcpStack, conn: number, size: number): boolean {
  const charge = bufferCharge(stack, conn);
  if (hostAllowance(stack, conn) <= 0) return false;
  return size - charge >= charge >> 1 && charge < size && unsentBelow(stack, conn, 2);
}

/**
 * Bytes that can be appended at once: to the last buffer if it is not full (that asks for no memory), else to a new one,
 * which is begun. 0: there is no memory.
 */
export function appendable(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const end = words[c + SND_END];
  const unsent = (end - words[c + SND_NXT]) | 0;
  const goal = sizeGoal(stack, conn, currentMss(stack, conn));
  const s = senderAt(stack, conn);
  const most = hostAllowance(stack, conn);
  if (unsent > 0) {
    const tail = s === 0 ? unsent : Math.min(unsent, (end - stack.senders.words[s + TAIL_SEQ]) | 0);
    if (tail < goal && !endsRecord(stack, s, end)) return Math.min(most, goal - tail);
  }
  if (most === 0 || !memoryFree(stack, conn)) return 0;
  if (unsent > 0 || s !== 0) stack.senders.words[busySender(stack, conn) + TAIL_SEQ] = end;
  return Math.min(most, goal);
}

/** Bytes that the host's memory has room for, where that is limited. */
function hostAllowance(stack: TcpStack, conn: number): number {
  const { budgets } = stack.hosts;
  return budgets === undefined ? Infinity : sendAllowance(stack, budgets, conn);
}

/** Bytes that a send would take now; nothing is begun. */
export function sendRoom(stack: TcpStack, conn: number): number {
  const free = sendBufferBytes(stack, conn) - bufferCharge(stack, conn);
  return Math.max(0, free);
}

function endsRecord(stack: TcpStack, s: number, seq: number): boolean {
  if (s === 0) return false;
  const mark = stack.senders.words[s + MARK_TAIL];
  return mark !== 0 && stack.ranges.words[mark * OOO.STRIDE + OOO.SEQ] === seq;
}

/** What was written so far ends a record (MSG_EOR). `s` is where the `SENDER` row begins. */
export function endRecord(stack: TcpStack, conn: number, s: number): void {
  const mark = stack.ranges.allocate();
  const rows = stack.senders.words;
  stack.ranges.words[mark * OOO.STRIDE + OOO.SEQ] = stack.tcbs.words[conn * STRIDE + SND_END];
  const tail = rows[s + MARK_TAIL];
  if (tail === 0) rows[s + MARK_HEAD] = mark;
  else stack.ranges.words[tail * OOO.STRIDE] = mark;
  rows[s + MARK_TAIL] = mark;
}

/** Bytes from `next` to the end of the first unsent record, at most `unsent`. What was sent up to is forgotten. */
export function recordLength(stack: TcpStack, s: number, next: number, unsent: number): number {
  const rows = stack.senders.words;
  for (let mark = rows[s + MARK_HEAD]; mark !== 0; mark = rows[s + MARK_HEAD]) {
    const length = (stack.ranges.words[mark * OOO.STRIDE + OOO.SEQ] - next) | 0;
    if (length > 0) return Math.min(length, unsent);
    dropMark(stack, s, mark);
  }
  return unsent;
}

/** Does a record end at `seq`? After `recordLength`, which drops the marks before. */
export function recordEndsAt(stack: TcpStack, s: number, seq: number): boolean {
  const mark = stack.senders.words[s + MARK_HEAD];
  return mark !== 0 && stack.ranges.words[mark * OOO.STRIDE + OOO.SEQ] === seq;
}

function dropMark(stack: TcpStack, s: number, mark: number): void {
  const rows = stack.senders.words;
  const after = stack.ranges.words[mark * OOO.STRIDE];
  rows[s + MARK_HEAD] = after;
  if (after === 0) rows[s + MARK_TAIL] = 0;
  stack.ranges.release(mark);
}

/** Frees the marks of a connection that ends. */
export function dropMarks(stack: TcpStack, s: number): void {
  for (let mark = stack.senders.words[s + MARK_HEAD]; mark !== 0; mark = stack.senders.words[s + MARK_HEAD]) {
    dropMark(stack, s, mark);
  }
}

/** Was the last write one that more follows (MSG_MORE)? `s` is where the `SENDER` row begins. */
export function isMoreToCome(stack: TcpStack, s: number): boolean {
  return (stack.senders.words[s + FLAGS] & SENDER_FLAG.MORE) !== 0;
}

/**
 * A write has ended at SND.END: does PSH go with its last byte? Not if more follows, unless more than half the largest
 * window was written since the last one (Linux `tcp_mark_push`, `forced_push`).
 */
export function notePush(stack: TcpStack, conn: number, more: boolean): void {
  const s = more ? busySender(stack, conn) : senderAt(stack, conn);
  if (s === 0) return;
  const rows = stack.senders.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const end = words[c + SND_END];
  const since = (rows[s + FLAGS] & SENDER_FLAG.PUSHED) !== 0 ? rows[s + PUSHED_SEQ] : words[c + SND_NXT];
  if (more && ((end - since) | 0) <= stack.warm[conn * WARM_STRIDE + MAX_WINDOW] >> 1) {
    rows[s + FLAGS] |= SENDER_FLAG.MORE | SENDER_FLAG.PUSHED;
    rows[s + PUSHED_SEQ] = since;
    return;
  }
  rows[s + FLAGS] &= ~(SENDER_FLAG.MORE | SENDER_FLAG.PUSHED);
}
