/**
 * The usual ACK of a short flight: it covers the one segment that is out, and nothing is or was amiss. What `ackIn` does,
 * without what cannot apply; of a million requests and replies nearly every ACK is such a one.
 *
 * @module
 */
import { releaseColdAtRest } from "./cold_row.ts";
import { congestionOf } from "./congestion/types.ts";
import { growWindow } from "./cwnd_use.ts";
import { noteLeastRtt, sampleRtt } from "./rtt.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "./state/ack_sample.ts";
import { ACK_STATE, CA, COLD, FLAG, REXMIT_KIND, RTX, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { STATE, SND_UNA, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, MIN_RTT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  RTX_TAIL,
  RTX_HINT,
  PACKETS_OUT,
  SACKED_OUT,
  CA_STATE,
  HIGH_SEQ,
  DELIVERED,
  RACK_RTT_US,
  SOFT_ERROR,
  RECOVERY,
  STRIDE: COLD_STRIDE,
} = COLD;
const { END, SENT_US, FLAGS, DELIVERED: SENT_DELIVERED, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { SACKED, LOST, RETRANSMITTED, EVER, SYN } = RTX_FLAG;
const { DATA_ACKED, ORIGINAL_ACKED, WINDOW_UPDATED, UNA_ADVANCED, ACK_DELAYED, SET_TIMER } = ACK_FLAG;
const { KIND_AT, RETRIES_AT, BACKOFF_AT } = ACK_STATE;
const { OPEN } = CA;
const { SACK } = FLAG;
const { RETRANSMIT } = REXMIT_KIND;
const { REXMIT } = TIMER;
const {
  FLAGS: S_FLAGS,
  ACKED: S_ACKED,
  DELIVERED: S_DELIVERED,
  LOST: S_LOST,
  RTT_US: S_RTT_US,
  IN_FLIGHT: S_IN_FLIGHT,
  PRIOR_IN_FLIGHT: S_PRIOR_IN_FLIGHT,
  ACKED_BYTES: S_ACKED_BYTES,
} = ACK_SAMPLE;
/** What makes a segment unusual. */
const TAGS = SACKED | LOST | RETRANSMITTED | EVER | SYN;
/** Retries, back-off and what the timer is for. */
const ATTEMPTS = (0xff << RETRIES_AT) | (0xf << BACKOFF_AT) | (3 << KIND_AT);
const BASIC = DATA_ACKED | WINDOW_UPDATED | UNA_ADVANCED | SET_TIMER;

/**
 * Is an ACK of `ack`, in order and without options that matter, of this kind? Then it has been taken in. The connection
 * has a cold row (of one without, `loneFlightAcked` is asked).
 */
export function loneAckIn(stack: TcpStack, conn: number, ack: number): boolean {
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const k = warm[w + COLD_AT] * COLD_STRIDE;
  const cold = stack.cold.words;
  if (cold[k + PACKETS_OUT] !== 1 || cold[k + RECOVERY] !== 0) return false;
  if ((cold[k + CA_STATE] & 0xff) !== OPEN || cold[k + SACKED_OUT] !== 0) return false;
  const records = stack.segments.words;
  const record = cold[k + RTX_HEAD];
  const r = (record * RTX_STRIDE) & RTX_MASK;
  if (records[r + END] !== ack || (records[r + FLAGS] & TAGS) !== 0) return false;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const bytes = (ack - words[c + SND_UNA]) | 0;
  const rttUs = (stack.nowUs - records[r + SENT_US]) | 0;
  const before = records[r + SENT_DELIVERED];
  words[c + SND_UNA] = ack;
  cold[k + SOFT_ERROR] = 0;
  cold[k + RTX_HEAD] = 0;
  cold[k + RTX_TAIL] = 0;
  cold[k + RTX_HINT] = 0;
  cold[k + PACKETS_OUT] = 0;
  const delivered = ++cold[k + DELIVERED];
  cold[k + RACK_RTT_US] = rttUs;
  stack.segments.release(record);
  // A lone runt: the peer may have waited with its ACK, which is no evidence against the minimum.
  // Without SACK what is delivered is counted only after this question, as in Linux.
  const counted = (words[c + STATE] & SACK) !== 0 ? delivered : delivered - 1;
  const delayed = before + 1 === counted && bytes < (words[c + MSS] & 0xffff);
  if (!delayed || rttUs <= warm[w + MIN_RTT]) noteLeastRtt(stack, conn, 0, rttUs);
  sampleRtt(stack, conn, rttUs);
  // RFC 6298 5.2: all is acknowledged. 5.7: the back-off ends with a measurement.
  const acks = warm[w + ACK_STATE_AT];
  if ((acks & ATTEMPTS) !== 0) warm[w + ACK_STATE_AT] = (acks & ~ATTEMPTS) | (RETRANSMIT << KIND_AT);
  stack.disarmTimer(conn, REXMIT);
  const sample = stack.ackSample;
  const original = ((ack - cold[k + HIGH_SEQ]) | 0) <= 0 ? ORIGINAL_ACKED : 0;
  sample[S_FLAGS] = BASIC | original | (delayed ? ACK_DELAYED : 0);
  sample[S_ACKED] = 1;
  sample[S_RTT_US] = rttUs;
  sample[S_PRIOR_IN_FLIGHT] = 1;
  sample[S_DELIVERED] = 1;
  sample[S_LOST] = 0;
  sample[S_ACKED_BYTES] = bytes;
  const algorithm = congestionOf(stack, conn);
  if (algorithm.onSample !== undefined) {
    sample[S_IN_FLIGHT] = delivered - before;
    algorithm.onSample(stack, conn);
  }
  algorithm.onAckEvent?.(stack, conn);
  sample[S_IN_FLIGHT] = 0;
  if (algorithm.onControl !== undefined) algorithm.onControl(stack, conn);
  else growWindow(stack, conn, 1);
  releaseColdAtRest(stack, conn);
  return true;
}
