/**
 * The usual data segment of a flow: in order, counted bytes, as large as those before it, to a receiver that has its row
 * and nothing to send. What `connectionIn`, `noteData` and `ackCheck` do, without what cannot apply: of a bulk transfer
 * nearly every segment is such a one, and it needs a third of the instructions.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { growWindow, measureRoundTrip } from "./autotune.ts";
import * as DELAYED_ACK from "./delayed_ack.ts";
import * as PAWS from "./paws.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { STATE as TCP_STATE, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, TCB, WARM } from "./state/tcb.ts";

// As layouts: an imported function is checked at every use.
const { ackCheck, armDelay } = DELAYED_ACK;
const { isAnotherAge } = PAWS;
const {
  STATE,
  SND_UNA,
  SND_NXT,
  SND_WND,
  SND_END,
  RCV_NXT,
  RCV_WUP,
  RCV_ADV,
  RCV_READ,
  TS_RECENT,
  MSS,
  MASK,
  STRIDE,
} = TCB;
const { COLD: COLD_AT, STREAM, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { QUICK_MASK, SCHEDULED, SEEN_DATA, DELAYED, PUSHED, ACK_NOW } = ACK_STATE;
const { STATE_MASK, SND_SHIFT_AT, TIMESTAMPS, UNACCEPTED, ECN, ACCOUNTED, FIN_QUEUED, KEEP_ALIVE } = FLAG;
const { ESTABLISHED } = TCP_STATE;
const { OOO_HEAD, RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const {
  BUFFER,
  URGENT_STATE,
  SSTHRESH,
  CLAMP,
  ATO,
  LAST_DATA_MS,
  LAST_SEGMENT,
  RTT_SEQ,
  RTT_TIME,
  LAST_ECHO,
  MASK: RECEIVER_MASK,
  STRIDE: RECEIVER_STRIDE,
} = RECEIVER;
const {
  SEQ,
  ACK,
  CONTROL: P_CONTROL,
  WINDOW_TTL_TOS,
  LENGTH,
  TS_VAL,
  TS_ECR,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
} = PACKET;
const { FLAGS_MASK, HAS_SACK, REAL_PAYLOAD } = CONTROL;
const { PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;
const { READABLE } = TCP_EVENT;
const { DELAYED_ACK_MS } = PROFILE_WORD;
/** Of all these, a connection has ESTABLISHED alone. */
const PLAIN_STATE = STATE_MASK | UNACCEPTED | ECN | ACCOUNTED | FIN_QUEUED | KEEP_ALIVE;
/** Of all these, a segment has ACK alone. */
const PLAIN_CONTROL = (FLAGS_MASK & ~F_PSH) | HAS_SACK | REAL_PAYLOAD;
/** Smaller segments do not open the window (`noteData`). */
const GROWING_BYTES = 128;

/**
 * Takes in the data of packet `p`, if it is of this kind, where the host has no budget. False: nothing has happened.
 * Worth a call if the segment has data, and the connection a cold row.
 */
export function flowIn(stack: TcpStack, conn: number, p: number): boolean {
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const k = (warm[w + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  const cold = stack.cold.words;
  const r = (cold[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
  if (r === 0 || k === 0) return false;
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const state = words[c + STATE];
  const control = packets[o + P_CONTROL];
  const length = packets[o + LENGTH];
  const seq = words[c + RCV_NXT];
  const acks = warm[w + ACK_STATE_AT];
  const stamp = packets[o + TS_VAL];
  // Header prediction, as `connectionIn` has it, of a peer that acknowledges nothing and offers no other window. RFC 7323
  // 5.3 R1: a timestamp is not older (TIMESTAMPS is one bit of both words). Where timestamps are not in use, all words of them are 0.
  if (
    (state & PLAIN_STATE) !== ESTABLISHED || (control & PLAIN_CONTROL) !== F_ACK || packets[o + SEQ] !== seq ||
    ((state ^ control) & TIMESTAMPS) !== 0 || ((stamp - words[c + TS_RECENT]) | 0) < 0 || isAnotherAge(stack, acks) ||
    packets[o + ACK] !== words[c + SND_UNA] || words[c + SND_END] !== words[c + SND_NXT] ||
    (packets[o + WINDOW_TTL_TOS] >>> 16) << ((state >> SND_SHIFT_AT) & 0xf) !== words[c + SND_WND] ||
    length !== words[c + MSS] >>> 16 || length < GROWING_BYTES || length > ((words[c + RCV_ADV] - seq) | 0) ||
    (cold[k + OOO_HEAD] | warm[w + STREAM]) !== 0 || (acks & SEEN_DATA) === 0
  ) return false;
  const rows = stack.receivers.words;
  const nowMs = stack.nowMs;
  const least = stack.profiles.words[stack.profileAt(conn) + DELAYED_ACK_MS];
  if (((nowMs - rows[r + LAST_DATA_MS]) | 0) > least >> 1 || rows[r + URGENT_STATE] !== 0) return false;
  const next = (seq + length) | 0;
  // RFC 7323 4.3: the segment begins at Last.ACK.sent.
  const before = words[c + RCV_WUP];
  if (before === seq) words[c + TS_RECENT] = stamp;
  // As `noteData` of `delayed_ack.ts`.
  words[c + RCV_NXT] = next;
  const ato = (rows[r + ATO] >> 1) + (least >> 1);
  rows[r + ATO] = ato;
  rows[r + LAST_DATA_MS] = nowMs;
  rows[r + LAST_SEGMENT] = 0;
  let owed = acks | SCHEDULED;
  if ((control & F_PSH) !== 0) owed |= PUSHED;
  warm[w + ACK_STATE_AT] = owed;
  const most = rows[r + SSTHRESH];
  const unacknowledged = (next - before) | 0;
  if (
    packets[o + TS_ECR] !== rows[r + LAST_ECHO] || ((next - rows[r + RTT_SEQ]) | 0) >= 0 || rows[r + RTT_TIME] === 0 ||
    (rows[r + CLAMP] > most && (rows[r + BUFFER] >> 1) - ((next - words[c + RCV_READ]) | 0) > most)
  ) {
    measureRoundTrip(stack, conn, r, p, length);
    growWindow(stack, conn, r, length);
    owed = stack.warm[w + ACK_STATE_AT];
  }
  stack.counters.bytesIn += length;
  stack.pushEvent(conn, READABLE, length);
  // RFC 9293 3.8.6.3 SHLD-18, SHLD-19: at least every second full-sized segment is acknowledged.
  if (unacknowledged > length || (owed & (QUICK_MASK | ACK_NOW | DELAYED)) !== 0 || ato > least || ato === 0) {
    ackCheck(stack, conn);
  } else armDelay(stack, conn, ato);
  return true;
}
