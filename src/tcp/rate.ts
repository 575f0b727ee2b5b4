/**
 * Delivery rate samples (draft-cheng-iccrg-delivery-rate-estimation, as Linux's `tcp_rate.c`), where there is a
 * `RECOVERY` row.
 *
 * @module
 */
import { work } from "./ack_work.ts";
import { inFlight } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "./state/ack_sample.ts";
import { RECOVERY, RECOVERY_FLAG } from "./state/recovery_row.ts";
import { COLD, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";

const {
  DELIVERED_CE: ACK_SAMPLE_DELIVERED_CE,
  PRIOR_DELIVERED: ACK_SAMPLE_PRIOR_DELIVERED,
  RATE_DELIVERED: ACK_SAMPLE_RATE_DELIVERED,
  RATE_INTERVAL_US: ACK_SAMPLE_RATE_INTERVAL_US,
  TX_IN_FLIGHT: ACK_SAMPLE_TX_IN_FLIGHT,
} = ACK_SAMPLE;
const { APP_LIMITED: ACK_FLAG_APP_LIMITED, RATE_RETRANSMITTED: ACK_FLAG_RATE_RETRANSMITTED } = ACK_FLAG;
const { COLD: WARM_COLD, MIN_RTT: WARM_MIN_RTT, STRIDE: WARM_STRIDE } = WARM;
const { FLAGS: RECOVERY_FLAGS } = RECOVERY;
const { RATE_APP_LIMITED: RECOVERY_FLAG_RATE_APP_LIMITED } = RECOVERY_FLAG;
const { CWND: TCB_CWND, MSS: TCB_MSS, SND_END: TCB_SND_END, SND_NXT: TCB_SND_NXT, MASK: TCB_MASK, STRIDE: TCB_STRIDE } =
  TCB;

const { PACKETS_OUT, DELIVERED, LOST_OUT, RETRANS_OUT, RECOVERY: RECOVERY_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } =
  COLD;
const {
  SENT_US,
  END,
  FLAGS,
  DELIVERED: SENT_DELIVERED,
  DELIVERED_US: SENT_DELIVERED_US,
  DELIVERED_CE: SENT_CE,
  FIRST_SENT_US: SENT_FIRST_US,
  IN_FLIGHT,
  MASK: RTX_MASK,
  STRIDE: RTX_STRIDE,
} = RTX;
const { SACKED, RETRANSMITTED, EVER, APP_LIMITED: LIMITED } = RTX_FLAG;
const { DELIVERED_US, FIRST_SENT_US, DELIVERED_CE, APP_LIMITED, RATE_DELIVERED, RATE_INTERVAL_US, STRIDE } = RECOVERY;

/** A segment is sent, new or again. `r`: offset of the `RECOVERY` row. A new one is not counted as out yet. */
export function rateSent(stack: TcpStack, k: number, r: number, record: number): void {
  const records = stack.segments.words;
  const cold = stack.cold.words;
  const rows = stack.recoveries.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  if (cold[k + PACKETS_OUT] === 0) {
    // Nothing is in flight: the sample's time begins now.
    rows[r + FIRST_SENT_US] = rows[r + DELIVERED_US] = stack.nowUs || 1;
  }
  records[at + SENT_DELIVERED] = cold[k + DELIVERED];
  records[at + SENT_CE] = rows[r + DELIVERED_CE];
  records[at + SENT_DELIVERED_US] = rows[r + DELIVERED_US];
  records[at + SENT_FIRST_US] = rows[r + FIRST_SENT_US];
  records[at + IN_FLIGHT] = inFlight(cold, k) + 1;
  if (rows[r + APP_LIMITED] !== 0) records[at + FLAGS] |= LIMITED;
  else records[at + FLAGS] &= ~LIMITED;
}

/** A segment was delivered, by SND.UNA or SACK: the one sent last gives the sample. */
export function rateDelivered(stack: TcpStack, r: number, record: number): void {
  const records = stack.segments.words;
  const at = (record * RTX_STRIDE) & RTX_MASK;
  const priorUs = records[at + SENT_DELIVERED_US];
  if (priorUs === 0) return;
  const rows = stack.recoveries.words;
  const sentUs = records[at + SENT_US];
  const later = (sentUs - rows[r + FIRST_SENT_US]) | 0;
  if (!work.hasRate || later > 0 || (later === 0 && ((records[at + END] - work.rateEnd) | 0) > 0)) {
    const flags = records[at + FLAGS];
    work.hasRate = true;
    work.rateEnd = records[at + END];
    work.ratePriorDelivered = records[at + SENT_DELIVERED];
    work.ratePriorCe = records[at + SENT_CE];
    work.ratePriorUs = priorUs;
    work.rateAppLimited = (flags & LIMITED) !== 0;
    work.rateRetransmitted = (flags & (EVER | RETRANSMITTED)) !== 0;
    work.rateSendUs = (sentUs - records[at + SENT_FIRST_US]) | 0;
    rows[r + FIRST_SENT_US] = sentUs || 1;
    stack.ackSample[ACK_SAMPLE_TX_IN_FLIGHT] = records[at + IN_FLIGHT];
  }
  if ((records[at + FLAGS] & SACKED) !== 0) records[at + SENT_DELIVERED_US] = 0;
}

/** The ACK's sample: `delivered` segments newly delivered; `reneged`: the peer takes SACKs back, no sample is sound. */
export function rateSample(
  stack: TcpStack,
  conn: number,
  k: number,
  r: number,
  delivered: number,
  reneged: boolean,
): void {
  const sample = stack.ackSample;
  const rows = stack.recoveries.words;
  const total = stack.cold.words[k + DELIVERED];
  if (rows[r + APP_LIMITED] !== 0 && ((total - rows[r + APP_LIMITED]) | 0) > 0) rows[r + APP_LIMITED] = 0;
  if (delivered > 0) rows[r + DELIVERED_US] = stack.nowUs || 1;
  sample[ACK_SAMPLE_RATE_DELIVERED] = -1;
  sample[ACK_SAMPLE_RATE_INTERVAL_US] = -1;
  sample[ACK_SAMPLE_PRIOR_DELIVERED] = work.ratePriorDelivered;
  sample[ACK_SAMPLE_DELIVERED_CE] = 0;
  if (!work.hasRate || reneged) return;
  const count = (total - work.ratePriorDelivered) | 0;
  sample[ACK_SAMPLE_RATE_DELIVERED] = count;
  sample[ACK_SAMPLE_DELIVERED_CE] = (rows[r + DELIVERED_CE] - work.ratePriorCe) | 0;
  if (work.rateAppLimited) work.flags |= ACK_FLAG_APP_LIMITED;
  if (work.rateRetransmitted) work.flags |= ACK_FLAG_RATE_RETRANSMITTED;
  // The longer of the time it took to send them and to have them acknowledged.
  const interval = Math.max(work.rateSendUs, (stack.nowUs - work.ratePriorUs) | 0);
  // Shorter than any round trip: ACKs of retransmissions tell too much.
  const least = stack.warm[conn * WARM_STRIDE + WARM_MIN_RTT];
  if (least === 0 || interval < least) return;
  sample[ACK_SAMPLE_RATE_INTERVAL_US] = interval;
  noteRate(rows, r, count, interval, work.rateAppLimited);
}

/**
 * As `rateDelivered` and `rateSample`, where none of the segments was SACKed or sent again and the record at `at` was
 * sent last. Returns the `ACK_FLAG` of a sample that the application limited, or 0.
 */
export function rateOfFlight(stack: TcpStack, w: number, k: number, r: number, at: number, delivered: number): number {
  const records = stack.segments.words;
  const rows = stack.recoveries.words;
  const sample = stack.ackSample;
  const nowUs = stack.nowUs;
  const total = stack.cold.words[k + DELIVERED];
  const ends = rows[r + APP_LIMITED];
  if (ends !== 0 && ((total - ends) | 0) > 0) rows[r + APP_LIMITED] = 0;
  const sentUs = records[at + SENT_US];
  const prior = records[at + SENT_DELIVERED];
  const count = (total - prior) | 0;
  rows[r + FIRST_SENT_US] = sentUs || 1;
  if (delivered > 0) rows[r + DELIVERED_US] = nowUs || 1;
  sample[ACK_SAMPLE_TX_IN_FLIGHT] = records[at + IN_FLIGHT];
  sample[ACK_SAMPLE_PRIOR_DELIVERED] = prior;
  sample[ACK_SAMPLE_RATE_DELIVERED] = count;
  sample[ACK_SAMPLE_DELIVERED_CE] = (rows[r + DELIVERED_CE] - records[at + SENT_CE]) | 0;
  const limited = (records[at + FLAGS] & LIMITED) !== 0;
  const sendUs = (sentUs - records[at + SENT_FIRST_US]) | 0;
  const ackUs = (nowUs - records[at + SENT_DELIVERED_US]) | 0;
  const interval = sendUs > ackUs ? sendUs : ackUs;
  const least = stack.warm[w + WARM_MIN_RTT];
  if (least === 0 || interval < least) sample[ACK_SAMPLE_RATE_INTERVAL_US] = -1;
  else {
    sample[ACK_SAMPLE_RATE_INTERVAL_US] = interval;
    noteRate(rows, r, count, interval, limited);
  }
  return limited ? ACK_FLAG_APP_LIMITED : 0;
}

/** The rate of the connection, for reports: the last, or if the application limited that, the highest. */
function noteRate(rows: Int32Array, r: number, count: number, interval: number, limited: boolean): void {
  if (limited && count * rows[r + RATE_INTERVAL_US] < rows[r + RATE_DELIVERED] * interval) return;
  rows[r + RATE_DELIVERED] = count;
  rows[r + RATE_INTERVAL_US] = interval;
  const flags = rows[r + RECOVERY_FLAGS] & ~RECOVERY_FLAG_RATE_APP_LIMITED;
  rows[r + RECOVERY_FLAGS] = limited ? flags | RECOVERY_FLAG_RATE_APP_LIMITED : flags;
}

/** The application is about to write: has it left the path idle? Then samples until this flight is delivered say so. */
export function noteAppLimited(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + WARM_COLD];
  if (row === 0) return;
  const cold = stack.cold.words;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  const recovery = cold[k + RECOVERY_AT];
  if (recovery === 0) return;
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const unsent = (words[c + TCB_SND_END] - words[c + TCB_SND_NXT]) | 0;
  const flight = inFlight(cold, k);
  if (unsent >= (words[c + TCB_MSS] & 0xffff) || flight >= words[c + TCB_CWND]) return;
  if (cold[k + LOST_OUT] > cold[k + RETRANS_OUT]) return;
  stack.recoveries.words[recovery * STRIDE + APP_LIMITED] = (cold[k + DELIVERED] + flight) || 1;
}
