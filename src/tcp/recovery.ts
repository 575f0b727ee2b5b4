/**
 * Loss recovery: fast retransmit and NewReno's partial ACKs (RFC 5681, RFC 6582), and recovery from a timeout. What
 * is in flight is counted as Linux does without SACK: every duplicate ACK says that one segment has left.
 *
 * @module
 */
import { congestionOf } from "./congestion/types.ts";
import { growWindow } from "./output.ts";
import {
  armRetransmit,
  dropHead,
  inFlight,
  markAllLost,
  markLost,
  retransmitLost,
  retransmitRecord,
} from "./retransmit.ts";
import { sampleRtt } from "./rtt.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, CA, COLD, RTX, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { SND_UNA, SND_NXT, CWND, STRIDE } = TCB;
const { COLD: COLD_AT, TS_OFFSET, ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  PACKETS_OUT,
  SACKED_OUT,
  LOST_OUT,
  CA_STATE,
  SSTHRESH,
  CWND_COUNT,
  HIGH_SEQ,
  RETRANS_STAMP,
  STRIDE: COLD_STRIDE,
} = COLD;
const { SEQ, END, SENT_US, FLAGS, STRIDE: RTX_STRIDE } = RTX;
const { EVER, RETRANSMITTED } = RTX_FLAG;
const { BACKOFF_AT, RETRIES_AT } = ACK_STATE;
const { REXMIT } = TIMER;
/** Back-off and retries of `ACK_STATE`. */
const ATTEMPTS = (0xf << BACKOFF_AT) | (0xff << RETRIES_AT);
/** Duplicate ACKs that mean a loss (RFC 5681 3.2), unless reordering was seen. */
const DUPLICATE_THRESHOLD = 3;

/**
 * An ACK that advances SND.UNA to `ack`: frees what it covers, measures the round trip, moves timer and windows.
 * `tsEcr` is the echoed timestamp, 0 for none.
 */
export function acknowledge(stack: TcpStack, conn: number, ack: number, tsEcr: number): void {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * STRIDE;
  const w = conn * WARM_STRIDE;
  const k = warm[w + COLD_AT] * COLD_STRIDE;
  const cold = stack.cold.words;
  const records = stack.segments.words;
  let acked = 0;
  let sample = -1;
  let ambiguous = false;
  for (let head = cold[k + RTX_HEAD]; head !== 0; head = cold[k + RTX_HEAD]) {
    const r = head * RTX_STRIDE;
    if (((ack - records[r + END]) | 0) < 0) {
      // Part of a segment: keep the rest.
      if (((ack - records[r + SEQ]) | 0) > 0) records[r + SEQ] = ack;
      break;
    }
    // RFC 6298 3: Karn's algorithm. Linux measures the first segment that an ACK covers.
    if ((records[r + FLAGS] & EVER) !== 0) ambiguous = true;
    else if (sample < 0) sample = (stack.nowUs - records[r + SENT_US]) | 0;
    dropHead(stack, k);
    acked++;
  }
  words[c + SND_UNA] = ack;
  if (sample >= 0 && !ambiguous) sampleRtt(stack, conn, sample);
  else if (tsEcr !== 0) sampleRtt(stack, conn, ((stack.nowMs + warm[w + TS_OFFSET] - tsEcr) | 0) * 1000);
  if ((warm[w + ACK_STATE_AT] & ATTEMPTS) !== 0) warm[w + ACK_STATE_AT] &= ~ATTEMPTS;
  cold[k + RETRANS_STAMP] = 0;
  // Something works: no ICMP error is the cause of what may fail from here on (Linux `tcp_ack`).
  cold[k + COLD.SOFT_ERROR] = 0;
  if ((cold[k + CA_STATE] & 0xff) === CA.OPEN) {
    // `recover` stays close behind: left alone, it would lie ahead again after 2^31 bytes.
    cold[k + HIGH_SEQ] = (ack - 1) | 0;
    growWindow(stack, conn, acked);
  } else advanceRecovery(stack, conn, k, ack, acked);
  // RFC 6298 5.2, 5.3.
  if (cold[k + PACKETS_OUT] === 0) {
    stack.disarmTimer(conn, REXMIT);
    stack.releaseColdAtRest(conn);
  } else armRetransmit(stack, conn);
}

function advanceRecovery(stack: TcpStack, conn: number, k: number, ack: number, acked: number): void {
  const cold = stack.cold.words;
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const state = cold[k + CA_STATE] & 0xff;
  const done = ((ack - cold[k + HIGH_SEQ]) | 0) >= 0;
  if (state === CA.DISORDER) {
    cold[k + SACKED_OUT] = 0;
    setState(cold, k, CA.OPEN);
    growWindow(stack, conn, acked);
    return;
  }
  if (done) {
    // RFC 6582 3.2 step 3, full acknowledgement: CWND deflates to SSTHRESH.
    if (state === CA.RECOVERY) words[c + CWND] = Math.min(words[c + CWND], cold[k + SSTHRESH]);
    cold[k + SACKED_OUT] = 0;
    setState(cold, k, CA.OPEN);

    if (state === CA.LOSS) growWindow(stack, conn, acked);
    return;
  }
  if (state === CA.RECOVERY) {
    // Partial acknowledgement: the next segment is missing too. One of those acknowledged was the hole; the others
    // had been counted by duplicate ACKs.
    stack.counters.partialAcks++;
    cold[k + SACKED_OUT] = Math.max(0, cold[k + SACKED_OUT] - Math.max(0, acked - 1));
    limitSacked(cold, k);
    markLost(stack, k, cold[k + RTX_HEAD]);
    const head = cold[k + RTX_HEAD];
    if ((stack.segments.words[head * RTX_STRIDE + FLAGS] & RETRANSMITTED) === 0) retransmitRecord(stack, conn, head);
    return;
  }
  // CA.LOSS: slow start through what is marked lost.
  congestionOf(stack, conn).onAck(stack, conn, acked);
  retransmitLost(stack, conn);
}

/** A duplicate ACK (RFC 5681 2): data is in flight, nothing else changed. */
export function duplicateAck(stack: TcpStack, conn: number): void {
  stack.counters.duplicateAcks++;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const cold = stack.cold.words;
  const state = cold[k + CA_STATE] & 0xff;
  // After a timeout the duplicates may answer needless retransmissions: they say nothing (RFC 6582 4.1).
  if (state === CA.LOSS) return;
  cold[k + SACKED_OUT]++;
  limitSacked(cold, k);
  if (state === CA.RECOVERY) return;
  if (state === CA.OPEN) setState(cold, k, CA.DISORDER);
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  if (cold[k + SACKED_OUT] < DUPLICATE_THRESHOLD) {
    // A short flight cannot bring three: with one less than are out, and nothing new to send, it is enough
    // (RFC 5827 early retransmit is not done: as Linux since 4.x leaves it to RACK and TLP).
    return;
  }
  // RFC 6582 3.2 step 2: only for an ACK past `recover`; 6582 4's heuristics are left to timestamps and SACK.
  if (((words[c + SND_UNA] - cold[k + HIGH_SEQ]) | 0) <= 0) return;
  stack.counters.fastRetransmits++;
  cold[k + HIGH_SEQ] = words[c + SND_NXT];
  cold[k + SSTHRESH] = congestionOf(stack, conn).ssthreshAfterLoss(stack, conn);
  cold[k + CWND_COUNT] = 0;
  words[c + CWND] = cold[k + SSTHRESH];
  setState(cold, k, CA.RECOVERY);
  const head = cold[k + RTX_HEAD];
  markLost(stack, k, head);
  limitSacked(cold, k);
  retransmitRecord(stack, conn, head);
  armRetransmit(stack, conn);
}

/** A retransmission timeout (RFC 5681 3.1, RFC 6298 5.4 to 5.6): one segment, everything else taken for lost. */
export function enterLoss(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * STRIDE;
  const w = conn * WARM_STRIDE;
  const k = warm[w + COLD_AT] * COLD_STRIDE;
  const cold = stack.cold.words;
  stack.counters.timeouts++;
  const state = cold[k + CA_STATE] & 0xff;
  const again = state === CA.LOSS && ((words[c + SND_UNA] - cold[k + HIGH_SEQ]) | 0) < 0;
  if (!again) {
    // In recovery the threshold was halved already for this window.
    if (state !== CA.RECOVERY) cold[k + SSTHRESH] = congestionOf(stack, conn).ssthreshAfterLoss(stack, conn);
  }
  cold[k + SACKED_OUT] = 0;
  cold[k + CWND_COUNT] = 0;
  markAllLost(stack, k);
  words[c + CWND] = 1;
  cold[k + HIGH_SEQ] = words[c + SND_NXT];
  setState(cold, k, CA.LOSS);
  // RFC 6298 5.5 (RFC 9293 3.8.2 MUST-19): back off.
  const acks = warm[w + ACK_STATE_AT];
  const backoff = Math.min(15, ((acks >> BACKOFF_AT) & 0xf) + 1);
  const retries = Math.min(255, ((acks >> RETRIES_AT) & 0xff) + 1);
  warm[w + ACK_STATE_AT] = (acks & ~ATTEMPTS) | (backoff << BACKOFF_AT) | (retries << RETRIES_AT);
  retransmitRecord(stack, conn, cold[k + RTX_HEAD]);
  armRetransmit(stack, conn);
}

/** Duplicate ACKs cannot speak for more segments than are out and not lost. */
function limitSacked(cold: Int32Array, k: number): void {
  const most = cold[k + PACKETS_OUT] - Math.max(1, cold[k + LOST_OUT]);
  if (cold[k + SACKED_OUT] > most) cold[k + SACKED_OUT] = Math.max(0, most);
}

function setState(cold: Int32Array, k: number, state: number): void {
  cold[k + CA_STATE] = (cold[k + CA_STATE] & ~0xff) | state;
}

/** Segments in flight, for reports. */
export function packetsInFlight(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  return row === 0 ? 0 : inFlight(stack.cold.words, row * COLD_STRIDE);
}
