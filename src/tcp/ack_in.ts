/**
 * An acceptable ACK: what it covers leaves the retransmission queue, gives a round-trip time and a delivery rate, moves
 * the recovery state, the timer and the congestion window; in the order of Linux's `tcp_ack`.
 *
 * @module
 */
import { beginWork, work } from "./ack_work.ts";
import { releaseColdAtRest } from "./cold_row.ts";
import { congestionOf } from "./congestion/types.ts";
import { growWindow } from "./cwnd_use.ts";
import { probeAcked } from "./mtu_probe.ts";
import { pushNew } from "./output.ts";
import { inReduction, reduceWindow } from "./prr.ts";
import { rackAdaptWindow, rackAdvance } from "./rack.ts";
import { rateDelivered, rateSample } from "./rate.ts";
import { alert, RESEND } from "./recovery.ts";
import { checkReordering } from "./reordering.ts";
import { beginQueue, dropAcked, retransmitLost, sentMs } from "./retransmit.ts";
import { restartTimer } from "./rto_timer.ts";
import { noteLeastRtt, sampleRtt } from "./rtt.ts";
import { sackIn } from "./sack_in.ts";
import {
  countDelivered,
  highestSackSeq,
  inFlight,
  recoveryAt,
  recoveryState,
  removeDuplicates,
  reorderingOf,
  usesSack,
} from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "./state/ack_sample.ts";
import { RECOVERY, RECOVERY_FLAG, TLP } from "./state/recovery_row.ts";
import { ACK_STATE, CA, COLD, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";
import { tailAckIn } from "./tail_loss.ts";
import { echoIsBefore } from "./undo.ts";

const { SND_UNA, SND_NXT, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, TS_OFFSET, ACK_STATE: ACK_STATE_AT, MIN_RTT, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  PACKETS_OUT,
  SACKED_OUT,
  HIGH_SEQ,
  RETRANS_STAMP,
  DELIVERED,
  RACK_RTT_US,
  SOFT_ERROR,
  RECOVERY: RECOVERY_AT,
  SENDER: SENDER_AT,
  MASK: COLD_MASK,
  STRIDE: COLD_STRIDE,
} = COLD;
const { SEQ, END, SENT_US, FLAGS, DELIVERED: SENT_DELIVERED, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { SACKED, RETRANSMITTED, EVER, SYN, JOINED } = RTX_FLAG;
const {
  DATA_ACKED,
  SYN_ACKED,
  DATA_SACKED,
  DATA_LOST,
  RETRANSMITTED_ACKED,
  ORIGINAL_ACKED,
  ECE,
  WINDOW_UPDATED,
  UNA_ADVANCED,
  HAS_DATA,
  DSACK,
  ACK_DELAYED,
  SET_TIMER,
  RENEGING,
} = ACK_FLAG;
const { BACKOFF_AT, RETRIES_AT } = ACK_STATE;
const NOT_DUPLICATE = HAS_DATA | WINDOW_UPDATED | DATA_ACKED | SYN_ACKED;
const PROGRESS = DATA_ACKED | SYN_ACKED | DATA_SACKED;
const { LOST: LOST_TOTAL, LOST_COUNT, TLP_STATE, HEARD_MS, FLAGS: ROW_FLAGS } = RECOVERY;
const S = ACK_SAMPLE;

const {
  ACKED: ACK_SAMPLE_ACKED,
  ACKED_BYTES: ACK_SAMPLE_ACKED_BYTES,
  DELIVERED: ACK_SAMPLE_DELIVERED,
  FLAGS: ACK_SAMPLE_FLAGS,
  IN_FLIGHT: ACK_SAMPLE_IN_FLIGHT,
  LOST: ACK_SAMPLE_LOST,
  PRIOR_IN_FLIGHT: ACK_SAMPLE_PRIOR_IN_FLIGHT,
  RTT_US: ACK_SAMPLE_RTT_US,
} = S;
const { FORWARD_RTO: RECOVERY_FLAG_FORWARD_RTO, RENEGED: RECOVERY_FLAG_RENEGED } = RECOVERY_FLAG;
const { NONE: TLP_NONE } = TLP;
const { OPEN: CA_OPEN } = CA;

/**
 * An ACK of SND.UNA to SND.NXT; the window has been updated. `flags`: what the caller knows of `ACK_FLAG`. `extra`: the
 * extra row of a packet with SACK blocks, 0 for none. `echo`: the echoed timestamp, 0 for none.
 */
export function ackIn(stack: TcpStack, conn: number, ack: number, echo: number, flags: number, extra: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const una = words[c + SND_UNA];
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  const k = (row * COLD_STRIDE) & COLD_MASK;
  if (ack !== una) {
    flags |= UNA_ADVANCED;
    const at = conn * WARM_STRIDE + ACK_STATE_AT;
    if ((stack.warm[at] & (0xff << RETRIES_AT)) !== 0) stack.warm[at] &= ~(0xff << RETRIES_AT);
  }
  // Something works: no ICMP error is the cause of what may fail from here on.
  if (row !== 0) stack.cold.words[k + SOFT_ERROR] = 0;
  beginWork(flags, una, echo);
  const sample = stack.ackSample;
  if (row === 0 || stack.cold.words[k + RTX_HEAD] === 0) {
    words[c + SND_UNA] = ack;
    if (row !== 0) idleAck(stack, conn, k, extra, ack);
    return;
  }
  const cold = stack.cold.words;
  const delivered = cold[k + DELIVERED];
  sample[ACK_SAMPLE_PRIOR_IN_FLIGHT] = inFlight(cold, k);
  const highest = usesSack(stack, conn) ? highestSackSeq(stack, conn, k) : una;
  words[c + SND_UNA] = ack;
  if (extra !== 0) {
    stack.recoveryOf(conn);
    sackIn(stack, conn, k, extra, ack);
    if (work.sackDelivered > 0) {
      countDelivered(stack, k, recoveryAt(stack, k), work.sackDelivered, (flags & ECE) !== 0);
    }
  }
  let r = recoveryAt(stack, k);
  if (r !== 0) stack.recoveries.words[r + HEARD_MS] = stack.nowMs;
  const lost = r === 0 ? 0 : stack.recoveries.words[r + LOST_TOTAL];
  const reneged = r !== 0 && (stack.recoveries.words[r + ROW_FLAGS] & RECOVERY_FLAG_RENEGED) !== 0;
  cleanQueue(stack, conn, k, r, ack, highest, delivered);
  const algorithm = congestionOf(stack, conn);
  if (r !== 0) rackAdaptWindow(stack, k, r, work.ratePriorDelivered);
  sample[ACK_SAMPLE_FLAGS] = work.flags;
  sample[ACK_SAMPLE_ACKED_BYTES] = (ack - una) | 0;
  algorithm.onAckEvent?.(stack, conn);
  if (r !== 0 && stack.recoveries.words[r + TLP_STATE] !== TLP_NONE) tailAckIn(stack, conn, k, ack);
  let resend: number = RESEND.NOTHING;
  if (
    (work.flags & NOT_DUPLICATE) === 0 || (work.flags & (DATA_SACKED | ECE)) !== 0 ||
    recoveryState(stack, k) !== CA_OPEN
  ) {
    const duplicate = (work.flags & (UNA_ADVANCED | NOT_DUPLICATE | DSACK)) === 0;
    if (duplicate) stack.counters.duplicateAcks++;
    if (r === 0) {
      stack.recoveryOf(conn);
      r = recoveryAt(stack, k);
    }
    resend = alert(stack, conn, k, duplicate);
  }
  if ((work.flags & SET_TIMER) !== 0) restartTimer(stack, conn);
  const newly = cold[k + DELIVERED] - delivered;
  const newlyLost = r === 0 ? 0 : stack.recoveries.words[r + LOST_TOTAL] - lost;
  if (r !== 0) rateSample(stack, conn, k, r, newly, reneged);
  if (newlyLost > 0) work.flags |= DATA_LOST;
  sample[ACK_SAMPLE_FLAGS] = work.flags;
  sample[ACK_SAMPLE_DELIVERED] = newly;
  sample[ACK_SAMPLE_LOST] = newlyLost;
  sample[ACK_SAMPLE_IN_FLIGHT] = inFlight(cold, k);
  if (algorithm.onControl !== undefined) algorithm.onControl(stack, conn);
  else if (inReduction(recoveryState(stack, k))) {
    reduceWindow(stack, conn, k, newly, newlyLost, (work.flags & UNA_ADVANCED) !== 0);
  } else if ((work.flags & (mayGrowUnordered(stack, conn, r) ? PROGRESS : DATA_ACKED)) !== 0) {
    growWindow(stack, conn, newly);
  }
  resendAfter(stack, conn, k, resend);
  if (cold[k + PACKETS_OUT] === 0) releaseColdAtRest(stack, conn);
}

/** Where reordering is high, the window grows with what is delivered in whatever order. */
function mayGrowUnordered(stack: TcpStack, conn: number, r: number): boolean {
  return r !== 0 && reorderingOf(stack, conn, r) > stack.profileOfConnection(conn).reordering;
}

/** What recovery wants sent goes out, now that the window is what it is. */
function resendAfter(stack: TcpStack, conn: number, k: number, resend: number): void {
  if (resend === RESEND.NOTHING) return;
  if (resend === RESEND.NEW) {
    // RFC 5682 3.1 step 2b.
    pushNew(stack, conn);
    const beyond = (stack.tcbs.words[conn * STRIDE + SND_NXT] - stack.cold.words[k + HIGH_SEQ]) | 0;
    if (beyond > 0) return;
    stack.recoveries.words[recoveryAt(stack, k) + ROW_FLAGS] &= ~RECOVERY_FLAG_FORWARD_RTO;
  }
  retransmitLost(stack, conn);
}

/** Nothing is in flight: a D-SACK may still undo a reduction, or end a tail loss probe. */
function idleAck(stack: TcpStack, conn: number, k: number, extra: number, ack: number): void {
  stack.ackSample[ACK_SAMPLE_FLAGS] = work.flags;
  congestionOf(stack, conn).onAckEvent?.(stack, conn);
  if (stack.cold.words[k + RECOVERY_AT] === 0) return;
  if (extra !== 0) {
    sackIn(stack, conn, k, extra, ack);
    if (work.sackDelivered > 0) {
      countDelivered(stack, k, recoveryAt(stack, k), work.sackDelivered, (work.flags & ECE) !== 0);
    }
  }
  if ((work.flags & DSACK) !== 0) alert(stack, conn, k, false);
  if (stack.recoveries.words[recoveryAt(stack, k) + TLP_STATE] !== TLP_NONE) tailAckIn(stack, conn, k, ack);
}

/** An ACK below SND.UNA: its SACK blocks may still be news. */
export function oldAckIn(stack: TcpStack, conn: number, ack: number, echo: number, flags: number, extra: number): void {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0 || extra === 0 || !usesSack(stack, conn)) return;
  stack.recoveryOf(conn);
  const k = (row * COLD_STRIDE) & COLD_MASK;
  beginWork(flags, stack.tcbs.words[conn * STRIDE + SND_UNA], echo);
  sackIn(stack, conn, k, extra, ack);
  resendAfter(stack, conn, k, alert(stack, conn, k, false));
}

/** Takes what is acknowledged off the queue and measures (Linux's `tcp_clean_rtx_queue`). */
function cleanQueue(
  stack: TcpStack,
  conn: number,
  k: number,
  r: number,
  ack: number,
  highest: number,
  delivered: number,
): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  const sack = usesSack(stack, conn);
  const sackedBefore = cold[k + SACKED_OUT];
  const high = cold[k + HIGH_SEQ];
  const una = work.priorUna;
  let flags = work.flags;
  let reorder = stack.tcbs.words[conn * STRIDE + SND_NXT];
  let acked = 0;
  let counted = 0;
  let hasFirst = false;
  let firstUs = 0;
  let lastUs = 0;
  let lastDelivered = 0;
  let joined = 0;
  let head = cold[k + RTX_HEAD];
  while (head !== 0) {
    const at = (head * RTX_STRIDE) & RTX_MASK;
    const end = records[at + END];
    const tags = records[at + FLAGS];
    if (((end - ack) | 0) > 0) {
      // As Linux: what went out as one with others is cut off where it is acknowledged.
      if (((joined | tags) & JOINED) !== 0 && ((ack - records[at + SEQ]) | 0) > 0) records[at + SEQ] = ack;
      break;
    }
    joined = tags;
    acked++;
    if ((tags & (EVER | RETRANSMITTED)) !== 0) flags |= RETRANSMITTED_ACKED;
    else if ((tags & SACKED) === 0) {
      lastUs = records[at + SENT_US];
      lastDelivered = records[at + SENT_DELIVERED];
      if (!hasFirst) {
        firstUs = lastUs;
        hasFirst = true;
      }
      if (((records[at + SEQ] - reorder) | 0) < 0) reorder = records[at + SEQ];
      if (((end - high) | 0) <= 0) flags |= ORIGINAL_ACKED;
    }
    if ((tags & SYN) !== 0) {
      flags |= SYN_ACKED;
      cold[k + RETRANS_STAMP] = 0;
    } else flags |= DATA_ACKED;
    if ((tags & SACKED) === 0 && sack) {
      counted++;
      if (r !== 0 && !isSpurious(stack, conn, tags, records[at + SENT_US])) {
        rackAdvance(stack, conn, k, r, tags, end, records[at + SENT_US]);
      }
    }
    if (r !== 0) rateDelivered(stack, r, head);
    head = dropAcked(stack, k, r, head, tags);
  }
  if (acked > 0) beginQueue(stack, k, head, acked);
  if (counted > 0) countDelivered(stack, k, r, counted, (flags & ECE) !== 0);
  if (head !== 0 && (records[head * RTX_STRIDE + FLAGS] & SACKED) !== 0) flags |= RENEGING;
  let seqRtt = -1;
  let ccRtt = -1;
  if (hasFirst && (flags & RETRANSMITTED_ACKED) === 0) {
    // RFC 6298 3: Karn's algorithm. The first segment for the timeout, the last for congestion control.
    seqRtt = (stack.nowUs - firstUs) | 0;
    ccRtt = (stack.nowUs - lastUs) | 0;
    if (r === 0) {
      cold[k + RACK_RTT_US] = ccRtt;
      work.ratePriorDelivered = lastDelivered;
    }
    const bytes = (ack - una) | 0;
    // A lone runt: the peer may have waited with its ACK.
    if (
      acked === 1 && sackedBefore === 0 && bytes < (stack.tcbs.words[conn * STRIDE + MSS] & 0xffff) &&
      work.ratePriorDelivered + 1 === cold[k + DELIVERED] && (flags & (DATA_SACKED | ECE | SYN_ACKED)) === 0
    ) flags |= ACK_DELAYED;
  }
  let sackRtt = -1;
  if (work.hasSacked) {
    sackRtt = (stack.nowUs - work.firstSackedUs) | 0;
    ccRtt = (stack.nowUs - work.lastSackedUs) | 0;
  }
  work.flags = flags;
  const measured = takeRtt(stack, conn, r, seqRtt, sackRtt, ccRtt);
  flags = work.flags;
  if ((flags & (DATA_ACKED | SYN_ACKED)) !== 0) {
    flags |= SET_TIMER;
    if (cold[k + SENDER_AT] !== 0) probeAcked(stack, conn, k);
    if (!sack) {
      removeDuplicates(stack, conn, k, acked, (flags & ECE) !== 0);
      // Without SACK nobody can tell originals from retransmissions.
      if ((flags & RETRANSMITTED_ACKED) !== 0) flags &= ~ORIGINAL_ACKED;
    } else if (r !== 0) {
      if (((reorder - highest) | 0) < 0) checkReordering(stack, conn, k, r, reorder);
      const rows = stack.recoveries.words;
      rows[r + LOST_COUNT] -= Math.min(rows[r + LOST_COUNT], sackedBefore - cold[k + SACKED_OUT]);
    }
  } else if (
    head !== 0 && measured && sackRtt >= 0 && sackRtt > ((stack.nowUs - records[head * RTX_STRIDE + SENT_US]) | 0)
  ) {
    // A round trip of data sent before the oldest was sent (again): otherwise the timeout would be put off for ever.
    flags |= SET_TIMER;
  }
  work.flags = flags;
  const sample = stack.ackSample;
  sample[ACK_SAMPLE_ACKED] = acked;
  const algorithm = congestionOf(stack, conn);
  if (algorithm.onSample !== undefined) {
    sample[ACK_SAMPLE_FLAGS] = flags;
    sample[ACK_SAMPLE_IN_FLIGHT] = cold[k + DELIVERED] - work.ratePriorDelivered;
    sample[ACK_SAMPLE_DELIVERED] = cold[k + DELIVERED] - delivered;
    algorithm.onSample(stack, conn);
  }
}

/** Does the echoed timestamp say that the first transmission arrived, not the retransmission of `sentUs`? */
function isSpurious(stack: TcpStack, conn: number, tags: number, sentUs: number): boolean {
  return (tags & (EVER | RETRANSMITTED)) !== 0 && work.echo !== 0 &&
    echoIsBefore(stack, conn, work.echo, sentMs(stack, sentUs));
}

/** Takes the measurements, µs, -1 for none. True if there was one for the timeout. */
function takeRtt(
  stack: TcpStack,
  conn: number,
  r: number,
  seqRtt: number,
  sackRtt: number,
  ccRtt: number,
): boolean {
  if (seqRtt < 0) seqRtt = sackRtt;
  if (seqRtt < 0 && work.echo !== 0 && (work.flags & (DATA_ACKED | SYN_ACKED)) !== 0) {
    // RFC 7323 4.1: only from an ACK that advances SND.UNA. The echo tells which transmission it answers.
    const elapsed = (stack.nowMs + stack.warm[conn * WARM_STRIDE + TS_OFFSET] - work.echo) | 0;
    if (elapsed >= 0 && elapsed < 0x7fffffff / 1000) seqRtt = ccRtt = Math.max(1, elapsed) * 1000;
  }
  stack.ackSample[ACK_SAMPLE_RTT_US] = ccRtt;
  if (seqRtt < 0) return false;
  // Suspected of delay: no evidence against the minimum.
  if ((work.flags & ACK_DELAYED) === 0 || ccRtt <= stack.warm[conn * WARM_STRIDE + MIN_RTT]) {
    noteLeastRtt(stack, conn, r, ccRtt);
  }
  sampleRtt(stack, conn, seqRtt);
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  // RFC 6298: the back-off ends only with a measurement.
  if ((stack.warm[at] & (0xf << BACKOFF_AT)) !== 0) stack.warm[at] &= ~(0xf << BACKOFF_AT);
  return true;
}
