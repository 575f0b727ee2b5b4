/**
 * The usual ACK of a longer flight: it covers whole segments that were sent once, in a connection that uses SACK, of
 * which nothing is SACKed, lost or sent again. What `ackIn` does, without what cannot apply; in a bulk flow nearly every
 * ACK is such a one.
 *
 * Of segments that are acknowledged together, rate samples and RACK take the one sent last: having been sent once, they
 * were sent in the order of their numbers, and each would take the place of the one before.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { releaseColdAtRest } from "./cold_row.ts";
import { congestionOf } from "./congestion/types.ts";
import { isCwndLimited } from "./cwnd_use.ts";
import { dropFlight, recoveryOfFlight } from "./flight.ts";
import { probeAcked } from "./mtu_probe.ts";
import { restartTimer } from "./rto_timer.ts";
import { noteLeastRtt, sampleFlightRtt } from "./rtt.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "./state/ack_sample.ts";
import { RECOVERY, RECOVERY_FLAG } from "./state/recovery_row.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { ACK_STATE, COLD, FLAG, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";

const { STATE, SND_UNA, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, SRTT, MIN_RTT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  PACKETS_OUT,
  SACKED_OUT,
  LOST_OUT,
  RETRANS_OUT,
  CA_STATE,
  HIGH_SEQ,
  DELIVERED,
  RACK_RTT_US,
  SOFT_ERROR,
  RECOVERY: RECOVERY_AT,
  SENDER: SENDER_AT,
  CWND_STAMP_MS,
  MASK: COLD_MASK,
  STRIDE: COLD_STRIDE,
} = COLD;
const {
  NEXT,
  SEQ,
  END,
  SENT_US,
  FLAGS,
  DELIVERED: SENT_DELIVERED,
  DELIVERED_US: SENT_DELIVERED_US,
  MASK: RTX_MASK,
  STRIDE: RTX_STRIDE,
} = RTX;
const { SACKED, LOST, RETRANSMITTED, EVER, SYN, LISTED } = RTX_FLAG;
const { DATA_ACKED, ORIGINAL_ACKED, WINDOW_UPDATED, UNA_ADVANCED, ACK_DELAYED, SET_TIMER } = ACK_FLAG;
const { RETRIES_AT, BACKOFF_AT } = ACK_STATE;
const { SACK } = FLAG;
const { RTO_MIN_MS } = PROFILE_WORD;
const { TLP_STATE, FLAGS: ROW_FLAGS, MASK: ROW_MASK, STRIDE: ROW_STRIDE } = RECOVERY;
const { FLAGS: SENDER_FLAGS, PROBE_SIZE, MASK: SENDER_MASK, STRIDE: SENDER_STRIDE } = SENDER;
const { MTU_SEARCH } = SENDER_FLAG;
const { RENEGED } = RECOVERY_FLAG;
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
const ATTEMPTS = (0xff << RETRIES_AT) | (0xf << BACKOFF_AT);
const BASIC = DATA_ACKED | WINDOW_UPDATED | UNA_ADVANCED | SET_TIMER;

/** Is an ACK of `ack`, in order and without options that matter, of this kind? Then it has been taken in. */
export function flightAckIn(stack: TcpStack, conn: number, ack: number): boolean {
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const row = warm[w + COLD_AT];
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (row === 0 || (words[c + STATE] & SACK) === 0 || warm[w + SRTT] === 0) return false;
  const cold = stack.cold.words;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  // Anything but `CA.OPEN`, which is 0, or `TLP.NONE`, too.
  if (((cold[k + CA_STATE] & 0xff) | cold[k + SACKED_OUT] | cold[k + LOST_OUT] | cold[k + RETRANS_OUT]) !== 0) {
    return false;
  }
  const rows = stack.recoveries.words;
  const r = (cold[k + RECOVERY_AT] * ROW_STRIDE) & ROW_MASK;
  if (r !== 0 && ((rows[r + ROW_FLAGS] & RENEGED) | rows[r + TLP_STATE]) !== 0) return false;
  const records = stack.segments.words;
  const head = cold[k + RTX_HEAD];
  const una = words[c + SND_UNA];
  const first = (head * RTX_STRIDE) & RTX_MASK;
  if (head === 0 || records[first + SEQ] !== una) return false;
  let acked = 0;
  let tags = 0;
  let listed: number = LISTED;
  let last = 0;
  let next = head;
  let left = 0;
  do {
    const at = (next * RTX_STRIDE) & RTX_MASK;
    left = (ack - records[at + END]) | 0;
    if (left < 0) return false;
    tags |= records[at + FLAGS];
    listed &= records[at + FLAGS];
    last = next;
    next = records[at + NEXT];
    acked++;
  } while (left !== 0 && next !== 0);
  const at = (last * RTX_STRIDE) & RTX_MASK;
  const lastUs = records[at + SENT_US];
  const seqRttUs = (stack.nowUs - records[first + SENT_US]) | 0;
  const rttUs = (stack.nowUs - lastUs) | 0;
  // (0 is no time to a rate sample.)
  if (left !== 0 || (tags & TAGS) !== 0 || rttUs < 0 || seqRttUs < rttUs) return false;
  if (r !== 0 && (listed === 0 || lastUs === 0 || records[at + SENT_DELIVERED_US] === 0)) return false;

  const prior = records[at + SENT_DELIVERED];
  const high = cold[k + HIGH_SEQ];
  const original = ((records[first + END] - high) | 0) <= 0 || ((ack - high) | 0) <= 0 ? ORIGINAL_ACKED : 0;
  const sample = stack.ackSample;
  sample[S_PRIOR_IN_FLIGHT] = cold[k + PACKETS_OUT];
  words[c + SND_UNA] = ack;
  cold[k + SOFT_ERROR] = 0;
  const delivered = (cold[k + DELIVERED] += acked);
  cold[k + RACK_RTT_US] = rttUs;
  const bytes = (ack - una) | 0;
  // A lone runt: the peer may have waited with its ACK, which is no evidence against the minimum.
  const delayed = acked === 1 && prior + 1 === delivered && bytes < (words[c + MSS] & 0xffff);
  if (!delayed || rttUs <= warm[w + MIN_RTT]) noteLeastRtt(stack, conn, r, rttUs);
  // RFC 6298 3, Karn's algorithm: none was retransmitted. The first segment for the timeout, the last for the window.
  sampleFlightRtt(stack, w, c, k, seqRttUs, stack.profiles.words[stack.profileAt(conn) + RTO_MIN_MS]);
  const acks = warm[w + ACK_STATE_AT];
  if ((acks & ATTEMPTS) !== 0) warm[w + ACK_STATE_AT] = acks & ~ATTEMPTS;
  const limited = r === 0 ? 0 : recoveryOfFlight(stack, w, k, last, acked);
  dropFlight(stack, k, last, next, acked);
  const senders = stack.senders.words;
  const s = (cold[k + SENDER_AT] * SENDER_STRIDE) & SENDER_MASK;
  if (((senders[s + SENDER_FLAGS] & MTU_SEARCH) | senders[s + PROBE_SIZE]) !== 0) probeAcked(stack, conn, k);
  const flags = BASIC | original | (delayed ? ACK_DELAYED : 0);
  sample[S_FLAGS] = flags;
  sample[S_ACKED] = acked;
  sample[S_RTT_US] = rttUs;
  sample[S_DELIVERED] = acked;
  sample[S_LOST] = 0;
  sample[S_ACKED_BYTES] = bytes;
  const algorithm = congestionOf(stack, conn);
  if (algorithm.onSample !== undefined) {
    sample[S_IN_FLIGHT] = delivered - prior;
    algorithm.onSample(stack, conn);
  }
  algorithm.onAckEvent?.(stack, conn);
  restartTimer(stack, conn);
  sample[S_FLAGS] = flags | limited;
  sample[S_IN_FLIGHT] = cold[k + PACKETS_OUT];
  if (algorithm.onControl !== undefined) algorithm.onControl(stack, conn);
  else {
    if (isCwndLimited(stack, conn, k)) algorithm.onAck(stack, conn, acked);
    cold[k + CWND_STAMP_MS] = stack.nowMs;
  }
  if (cold[k + PACKETS_OUT] === 0) releaseColdAtRest(stack, conn);
  return true;
}
