/**
 * The retransmission queue: a list of records, one for each segment in flight, and what is sent again from it.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { enterCwr } from "./cwr.ts";
import { abandonProbe } from "./mtu_probe.ts";
import { mustWait, notePaced, paces } from "./pacing.ts";
import { countSent } from "./prr.ts";
import { rateSent } from "./rate.ts";
import { armRetransmit, rexmitKind } from "./rto_timer.ts";
import { inFlight, recoveryAt, usesSack } from "./scoreboard.ts";
import { attachPayload, emit } from "./segment_out.ts";
import { currentMss, groupSegments } from "./segmentation.ts";
import { appendSent, insertSent, removeSent } from "./sent_list.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { SENDER } from "./state/sender_row.ts";
import { COLD, REXMIT_KIND, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";

const { STRIDE: SENDER_STRIDE } = SENDER;
const { REORDER: REXMIT_KIND_REORDER } = REXMIT_KIND;

const { SND_UNA, SND_WND, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  RTX_TAIL,
  RTX_HINT,
  PACKETS_OUT,
  SACKED_OUT,
  LOST_OUT,
  RETRANS_OUT,
  RETRANS_STAMP,
  DELIVERED,
  SENDER: SENDER_AT,
  RECOVERY: RECOVERY_AT,
  MASK: COLD_MASK,
  STRIDE: COLD_STRIDE,
} = COLD;
const {
  NEXT,
  PREV,
  SEQ,
  END,
  SENT_US,
  FLAGS,
  RETRANSMITS,
  DELIVERED: SENT_DELIVERED,
  DELIVERED_US: SENT_DELIVERED_US,
  FIRST_SENT_US,
  IN_FLIGHT,
  SENT_NEXT,
  SENT_PREV,
  DELIVERED_CE,
  MASK: RTX_MASK,
  STRIDE: RTX_STRIDE,
} = RTX;
const { SACKED, LOST, RETRANSMITTED, EVER, FIN, PUSH, RECORD_END, SYN, LISTED, JOINED } = RTX_FLAG;
const {
  HIGHEST_SACK,
  SACK_FINGER,
  LOST_HINT,
  LOST_COUNT,
  UNDO_RETRANS,
  TOTAL_RETRANS,
  RACK_SENT_US,
  STRIDE: ROW_STRIDE,
} = RECOVERY;
const { FIN: F_FIN, PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;

/** What became of a retransmission. */
export const RESENT = {
  /** It was sent. */
  SENT: 0,
  /** The host's own interface did not take it. */
  DROPPED: 1,
  /** The peer's window does not let it. */
  WINDOW: 2,
} as const;

/** Appends a record for a segment just sent. `end` counts a FIN. The connection has a cold row. */
export function recordSegment(stack: TcpStack, conn: number, seq: number, end: number, flags: number): void {
  const record = stack.segments.allocate();
  const records = stack.segments.words;
  const r = (record * RTX_STRIDE) & RTX_MASK;
  const cold = stack.cold.words;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const tail = cold[k + RTX_TAIL];
  // Every word: rows of acknowledged segments are given back as they were (`dropFlight`).
  records[r + PREV] = tail;
  records[r + SEQ] = seq;
  records[r + END] = end;
  records[r + SENT_US] = stack.nowUs;
  records[r + FLAGS] = flags;
  records[r + RETRANSMITS] = 0;
  records[r + SENT_DELIVERED] = cold[k + DELIVERED];
  records[r + SENT_DELIVERED_US] = 0;
  records[r + FIRST_SENT_US] = 0;
  records[r + IN_FLIGHT] = 0;
  records[r + SENT_NEXT] = 0;
  records[r + SENT_PREV] = 0;
  records[r + DELIVERED_CE] = 0;
  if (tail === 0) cold[k + RTX_HEAD] = record;
  else records[tail * RTX_STRIDE + NEXT] = record;
  cold[k + RTX_TAIL] = record;
  const row = cold[k + RECOVERY_AT];
  if (row !== 0) noteRecord(stack, k, row * ROW_STRIDE, record, tail === 0);
  cold[k + PACKETS_OUT]++;
}

function noteRecord(stack: TcpStack, k: number, row: number, record: number, first: boolean): void {
  const rows = stack.recoveries.words;
  // What was delivered before was sent before: also after half an hour, when the clock's difference has no sign.
  if (first) rows[row + RACK_SENT_US] = (stack.nowUs - 1) | 0;
  if (rows[row + HIGHEST_SACK] === 0) rows[row + HIGHEST_SACK] = record;
  rateSent(stack, k, row, record);
  appendSent(stack, row, record);
}

/** Frees the first record, and takes it out of all counts. */
export function dropHead(stack: TcpStack, k: number): void {
  const cold = stack.cold.words;
  const head = cold[k + RTX_HEAD];
  const flags = stack.segments.words[head * RTX_STRIDE + FLAGS];
  if ((flags & (SACKED | LOST | RETRANSMITTED)) !== 0) uncount(cold, k, flags);
  cold[k + PACKETS_OUT]--;
  unlink(stack, k, head);
}

/**
 * Frees the first record, which is acknowledged and has these flags, and takes it out of what points to it. Returns the
 * next one: when all that is acknowledged has gone, `beginQueue` is due. `r`: offset of the `RECOVERY` row, 0 for none.
 */
export function dropAcked(stack: TcpStack, k: number, r: number, head: number, flags: number): number {
  const cold = stack.cold.words;
  const next = stack.segments.words[head * RTX_STRIDE + NEXT];
  if ((flags & (SACKED | LOST | RETRANSMITTED)) !== 0) uncount(cold, k, flags);
  if (cold[k + RTX_HINT] === head) cold[k + RTX_HINT] = 0;
  if (r !== 0) leaveRow(stack, r, head, next);
  stack.segments.release(head);
  return next;
}

/** After `dropAcked` of `dropped` records: `head` is the first record now, 0 for none. */
export function beginQueue(stack: TcpStack, k: number, head: number, dropped: number): void {
  const cold = stack.cold.words;
  cold[k + RTX_HEAD] = head;
  if (head === 0) cold[k + RTX_TAIL] = 0;
  else stack.segments.words[head * RTX_STRIDE + PREV] = 0;
  cold[k + PACKETS_OUT] -= dropped;
}

function uncount(cold: Int32Array, k: number, flags: number): void {
  if ((flags & SACKED) !== 0) cold[k + SACKED_OUT]--;
  if ((flags & LOST) !== 0) cold[k + LOST_OUT]--;
  if ((flags & RETRANSMITTED) !== 0) cold[k + RETRANS_OUT]--;
}

/** Takes a record out of the queue and frees it. */
function unlink(stack: TcpStack, k: number, record: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const next = records[at + NEXT];
  const previous = records[at + PREV];
  if (cold[k + RTX_HINT] === record) cold[k + RTX_HINT] = 0;
  const row = cold[k + RECOVERY_AT];
  if (row !== 0) leaveRow(stack, row * ROW_STRIDE, record, next);
  if (previous === 0) cold[k + RTX_HEAD] = next;
  else records[previous * RTX_STRIDE + NEXT] = next;
  if (next === 0) cold[k + RTX_TAIL] = previous;
  else records[next * RTX_STRIDE + PREV] = previous;
  stack.segments.release(record);
}

/** A record goes: the `RECOVERY` row points to the next one instead. */
function leaveRow(stack: TcpStack, r: number, record: number, next: number): void {
  const rows = stack.recoveries.words;
  removeSent(stack, r, record);
  if (rows[r + HIGHEST_SACK] === record) rows[r + HIGHEST_SACK] = next;
  if (rows[r + SACK_FINGER] === record) rows[r + SACK_FINGER] = next;
  if (rows[r + LOST_HINT] === record) rows[r + LOST_HINT] = 0;
}

/** Splits a record that is longer than `bytes`: the MSS went down, or the window is smaller. */
export function splitRecord(stack: TcpStack, k: number, record: number, bytes: number): void {
  const rest = stack.segments.allocate();
  const records = stack.segments.words;
  const cold = stack.cold.words;
  const r = (record * RTX_STRIDE) & RTX_MASK;
  const s = (rest * RTX_STRIDE) & RTX_MASK;
  records.copyWithin(s, r, r + RTX_STRIDE);
  const middle = (records[r + SEQ] + bytes) | 0;
  records[s + SEQ] = middle;
  records[r + END] = middle;
  records[r + FLAGS] &= ~(FIN | PUSH | RECORD_END | JOINED);
  records[s + FLAGS] &= ~(SYN | LISTED);
  records[s + PREV] = record;
  records[r + NEXT] = rest;
  const after = records[s + NEXT];
  if (after === 0) cold[k + RTX_TAIL] = rest;
  else records[after * RTX_STRIDE + PREV] = rest;
  const flags = records[r + FLAGS];
  cold[k + PACKETS_OUT]++;
  if ((flags & SACKED) !== 0) cold[k + SACKED_OUT]++;
  if ((flags & LOST) !== 0) cold[k + LOST_OUT]++;
  if ((flags & RETRANSMITTED) !== 0) cold[k + RETRANS_OUT]++;
  const row = cold[k + RECOVERY_AT];
  if (row !== 0) insertSent(stack, row * ROW_STRIDE, record, rest);
}

/** Joins the record after `record` to it (Linux's `tcp_collapse_retrans`). */
function joinNext(stack: TcpStack, conn: number, k: number, record: number): void {
  const records = stack.segments.words;
  const cold = stack.cold.words;
  const r = (record * RTX_STRIDE) & RTX_MASK;
  const next = records[r + NEXT];
  const n = (next * RTX_STRIDE) & RTX_MASK;
  const flags = records[n + FLAGS];
  records[r + END] = records[n + END];
  records[r + FLAGS] |= flags & (EVER | FIN | PUSH | RECORD_END);
  uncount(cold, k, flags);
  cold[k + PACKETS_OUT]--;
  if (!usesSack(stack, conn) && cold[k + SACKED_OUT] > 0) cold[k + SACKED_OUT]--;
  if (cold[k + RTX_HINT] === next) cold[k + RTX_HINT] = record;
  const row = recoveryAt(stack, k);
  const rows = stack.recoveries.words;
  if (rows[row + HIGHEST_SACK] === next) rows[row + HIGHEST_SACK] = record;
  if (rows[row + LOST_HINT] === next) {
    rows[row + LOST_HINT] = 0;
    rows[row + LOST_COUNT] = 0;
  }
  unlink(stack, k, next);
}

/** A small record that is sent again takes those behind it along, as far as they fit (Linux). */
function collapse(stack: TcpStack, conn: number, k: number, record: number, space: number): void {
  const records = stack.segments.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const r = (record * RTX_STRIDE) & RTX_MASK;
  const edge = (words[c + SND_UNA] + words[c + SND_WND]) | 0;
  if ((records[r + FLAGS] & (SACKED | SYN | JOINED)) !== 0) return;
  let room = space - dataLength(records, r);
  for (;;) {
    const next = records[r + NEXT];
    if (next === 0 || (records[r + FLAGS] & (RECORD_END | FIN)) !== 0) return;
    const n = (next * RTX_STRIDE) & RTX_MASK;
    if ((records[n + FLAGS] & (SACKED | JOINED)) !== 0) return;
    room -= dataLength(records, n);
    if (room < 0 || ((records[n + END] - edge) | 0) > 0) return;
    joinNext(stack, conn, k, record);
  }
}

/**
 * A group of records, sent together when the MSS was larger, is cut anew into segments of `mss` (Linux's
 * `tcp_set_skb_tso_segs`). Returns its last record. There is a `RECOVERY` row.
 */
export function recut(stack: TcpStack, conn: number, k: number, record: number, mss: number): number {
  const cold = stack.cold.words;
  const sacked = cold[k + SACKED_OUT];
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const tags = SACKED | LOST | RETRANSMITTED;
  for (;;) {
    const records = stack.segments.words;
    const next = records[at + NEXT];
    if (next === 0 || (records[at + FLAGS] & JOINED) === 0) break;
    const flags = records[next * RTX_STRIDE + FLAGS];
    if (((flags ^ records[at + FLAGS]) & tags) !== 0) break;
    joinNext(stack, conn, k, record);
    if ((flags & JOINED) === 0) records[at + FLAGS] &= ~JOINED;
  }
  let last = record;
  while (dataLength(stack.segments.words, last * RTX_STRIDE) > mss) {
    splitRecord(stack, k, last, mss);
    const records = stack.segments.words;
    records[last * RTX_STRIDE + FLAGS] |= JOINED;
    last = records[last * RTX_STRIDE + NEXT];
  }
  // Without SACK, duplicate ACKs are counted, not records.
  if (!usesSack(stack, conn)) cold[k + SACKED_OUT] = sacked;
  return last;
}

/** Where in a group of records that are sent again together one stands: alone, with more to come, or at the end. */
export const PLACE = { ALONE: 0, WITHIN: 1, LAST: 2 } as const;

/**
 * Sends a record again: one of `RESENT`. What is counted, and what it means for recovery, is the caller's business
 * (Linux's `__tcp_retransmit_skb`). `place`: one of `PLACE`.
 */
export function sendAgain(stack: TcpStack, conn: number, record: number, place: number): number {
  const row = stack.recoveryOf(conn) * ROW_STRIDE;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  let records = stack.segments.words;
  const r = (record * RTX_STRIDE) & RTX_MASK;
  const una = words[c + SND_UNA];
  abandonProbe(stack, stack.cold.words[k + SENDER_AT] * SENDER_STRIDE);
  if (((records[r + SEQ] - una) | 0) < 0) {
    // What is acknowledged of it is not sent again.
    records[r + SEQ] = una;
    records[r + FLAGS] &= ~SYN;
  }
  const seq = records[r + SEQ];
  const mss = currentMss(stack, conn);
  let room = (una + words[c + SND_WND] - seq) | 0;
  if (room <= 0) {
    // RFC 9293 3.8.6 MUST-34: a peer that shrank its window still gets the oldest data again.
    if (seq !== una) return RESENT.WINDOW;
    room = mss;
  }
  const most = Math.min(mss, room);
  let length = dataLength(records, r);
  if (place !== PLACE.WITHIN) records[r + FLAGS] &= ~JOINED;
  const previous = records[r + PREV];
  if (place === PLACE.ALONE && previous !== 0) records[previous * RTX_STRIDE + FLAGS] &= ~JOINED;
  if (length > most) splitRecord(stack, k, record, most);
  else if (length < most && place === PLACE.ALONE) collapse(stack, conn, k, record, most);
  records = stack.segments.words;
  length = dataLength(records, r);
  const flags = records[r + FLAGS];
  records[r + FLAGS] = flags | EVER;
  const p = emit(
    stack,
    conn,
    seq,
    length,
    F_ACK | ((flags & FIN) !== 0 ? F_FIN : 0) | ((flags & PUSH) !== 0 || place === PLACE.LAST ? F_PSH : 0),
  );
  if (p === 0) {
    enterCwr(stack, conn);
    return RESENT.DROPPED;
  }
  attachPayload(stack, conn, p, seq, length);
  stack.counters.retransmissions++;
  const s = stack.cold.words[k + SENDER_AT] * SENDER_STRIDE;
  if (paces(stack, s)) notePaced(stack, conn, s, length, 1);
  stack.recoveries.words[row + TOTAL_RETRANS]++;
  records[r + SENT_US] = stack.nowUs;
  records[r + RETRANSMITS]++;
  removeSent(stack, row, record);
  appendSent(stack, row, record);
  rateSent(stack, k, row, record);
  return RESENT.SENT;
}

/** Sends a record again and counts it as in flight: one of `RESENT` (Linux's `tcp_retransmit_skb`). */
export function retransmitRecord(stack: TcpStack, conn: number, record: number, place: number): number {
  const result = sendAgain(stack, conn, record, place);
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const cold = stack.cold.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const records = stack.segments.words;
  if (result === RESENT.SENT) {
    if ((records[at + FLAGS] & RETRANSMITTED) === 0) cold[k + RETRANS_OUT]++;
    records[at + FLAGS] |= RETRANSMITTED;
  }
  if (cold[k + RETRANS_STAMP] === 0) cold[k + RETRANS_STAMP] = sentMs(stack, records[at + SENT_US]) || 1;
  const rows = stack.recoveries.words;
  const undo = recoveryAt(stack, k) + UNDO_RETRANS;
  rows[undo] = Math.max(0, rows[undo]) + 1;
  return result;
}

/** The millisecond clock when it was `us` on the microsecond clock, not long ago. */
export function sentMs(stack: TcpStack, us: number): number {
  if (us === stack.nowUs) return stack.nowMs;
  const age = (stack.nowUs - us) | 0;
  return Math.floor((Math.floor(stack.nowNs / 1e3) - age) / 1e3) | 0;
}

function dataLength(records: Int32Array, r: number): number {
  return ((records[r + END] - records[r + SEQ]) | 0) - ((records[r + FLAGS] & FIN) !== 0 ? 1 : 0);
}

/** How many records, from `record` on, are sent again in one group: at most `room`. */
function groupLength(stack: TcpStack, conn: number, record: number, room: number): number {
  const records = stack.segments.words;
  if (room <= 1 || (records[record * RTX_STRIDE + FLAGS] & JOINED) === 0) return 1;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const edge = (words[c + SND_UNA] + words[c + SND_WND]) | 0;
  const most = Math.min(room, groupSegments(stack, conn, currentMss(stack, conn)));
  let count = 1;
  let at = record * RTX_STRIDE;
  while (count < most && (records[at + FLAGS] & JOINED) !== 0) {
    at = records[at + NEXT] * RTX_STRIDE;
    if ((records[at + FLAGS] & (LOST | SACKED | RETRANSMITTED)) !== LOST) break;
    if (((records[at + END] - edge) | 0) > 0) break;
    count++;
  }
  return count;
}

/** Retransmits what is marked lost, oldest first, as far as the congestion window and the peer's window allow. */
export function retransmitLost(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  const k = (row * COLD_STRIDE) & COLD_MASK;
  // What was retransmitted is marked lost too: nothing is left to do once the counts are equal.
  if (row === 0 || stack.cold.words[k + LOST_OUT] <= stack.cold.words[k + RETRANS_OUT]) return;
  const c = (conn * STRIDE) & MASK;
  const cold = stack.cold.words;
  const head = cold[k + RTX_HEAD];
  let hole = 0;
  const s = cold[k + SENDER_AT] * SENDER_STRIDE;
  const paced = paces(stack, s);
  let restart = false;
  // Of the group being sent again: how many it has, and how many are left.
  let grouped = 1;
  let left = 0;
  let record = cold[k + RTX_HINT] || head;
  for (; record !== 0; record = stack.segments.words[record * RTX_STRIDE + NEXT]) {
    if (hole === 0) cold[k + RTX_HINT] = record;
    if (inFlight(cold, k) >= stack.tcbs.words[c + CWND] || cold[k + RETRANS_OUT] >= cold[k + LOST_OUT]) break;
    const flags = stack.segments.words[record * RTX_STRIDE + FLAGS];
    if ((flags & LOST) === 0) {
      if (hole === 0 && (flags & (RETRANSMITTED | SACKED)) === 0) hole = record;
      continue;
    }
    if ((flags & (SACKED | RETRANSMITTED)) !== 0) continue;
    if (left === 0) {
      if (paced && mustWait(stack, conn, s)) break;
      const room = stack.tcbs.words[c + CWND] - inFlight(cold, k);
      left = grouped = groupLength(stack, conn, record, room);
    }
    left--;
    const place = grouped === 1 ? PLACE.ALONE : left > 0 ? PLACE.WITHIN : PLACE.LAST;
    if (retransmitRecord(stack, conn, record, place) !== RESENT.SENT) break;
    countSent(stack, k, 1);
    if (record === head && rexmitKind(stack, conn) !== REXMIT_KIND_REORDER) restart = true;
  }
  if (restart) armRetransmit(stack, conn);
}
