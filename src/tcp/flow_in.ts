/**
 * The usual data segment of a flow: in order, counted bytes, as large as those before it, to a receiver that has its row
 * and nothing to send. What `takeInOrder`, `output` and `ackCheck` do, without what cannot apply: of a bulk transfer
 * nearly every segment is such a one, and it goes through in a fifth of the instructions.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { growWindow, measureRoundTrip } from "./autotune.ts";
import { ackCheck, armDelay } from "./delayed_ack.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, TCB, WARM } from "./state/tcb.ts";

const { STATE, SND_NXT, SND_END, RCV_NXT, RCV_WUP, RCV_READ, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STREAM, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { QUICK_MASK, SCHEDULED, SEEN_DATA, DELAYED, PUSHED, ACK_NOW } = ACK_STATE;
const { UNACCEPTED, ECN, ACCOUNTED, FIN_QUEUED } = FLAG;
const { RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const {
  BUFFER,
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
const { CONTROL: P_CONTROL, LENGTH, TS_ECR, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const { REAL_PAYLOAD } = CONTROL;
const { PSH: F_PSH } = TCP_FLAG;
const { READABLE } = TCP_EVENT;
const { DELAYED_ACK_MS } = PROFILE_WORD;
/** Connections that have one of these go the long way. */
const UNUSUAL = UNACCEPTED | ECN | ACCOUNTED | FIN_QUEUED;
/** Smaller segments do not open the window (`noteData`). */
const GROWING_BYTES = 128;

/**
 * Takes in the data of packet `p`, which begins at RCV.NXT and is within the window, if it is of this kind: nothing is
 * held beyond a gap, and no urgent byte is awaited. False: nothing has happened.
 */
export function takeFlowing(stack: TcpStack, conn: number, p: number): boolean {
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const k = (warm[w + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  if (k === 0) return false;
  const r = (stack.cold.words[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const length = packets[o + LENGTH];
  const control = packets[o + P_CONTROL];
  const acks = warm[w + ACK_STATE_AT];
  if (
    r === 0 || length !== words[c + MSS] >>> 16 || length < GROWING_BYTES || (acks & SEEN_DATA) === 0 ||
    ((control & REAL_PAYLOAD) | warm[w + STREAM] | (words[c + STATE] & UNUSUAL)) !== 0 ||
    words[c + SND_END] !== words[c + SND_NXT]
  ) return false;
  const rows = stack.receivers.words;
  const nowMs = stack.nowMs;
  const least = stack.profiles.words[stack.profileAt(conn) + DELAYED_ACK_MS];
  if (((nowMs - rows[r + LAST_DATA_MS]) | 0) > least >> 1) return false;
  // As `noteData` of `delayed_ack.ts`.
  const next = (words[c + RCV_NXT] + length) | 0;
  words[c + RCV_NXT] = next;
  const ato = (rows[r + ATO] >> 1) + (least >> 1);
  rows[r + ATO] = ato;
  rows[r + LAST_DATA_MS] = nowMs;
  rows[r + LAST_SEGMENT] = 0;
  let owed = acks | SCHEDULED;
  if ((control & F_PSH) !== 0) owed |= PUSHED;
  warm[w + ACK_STATE_AT] = owed;
  const most = rows[r + SSTHRESH];
  const unacknowledged = (next - words[c + RCV_WUP]) | 0;
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
