/**
 * The recovery state machine: Open, Disorder, CWR, Recovery and Loss (RFC 5681, 6582, 6675, 8985, 5682), in the order
 * in which Linux's `tcp_fastretrans_alert` decides.
 *
 * @module
 */
import { work } from "./ack_work.ts";
import { CONGESTION_EVENT, congestionOf } from "./congestion/types.ts";
import { enterCwr } from "./cwr.ts";
import { probeLost } from "./mtu_probe.ts";
import { beginReduction, currentSsthresh, endReduction, inReduction, queueCwr, reduceWindow } from "./prr.ts";
import { rackDetectLoss, rackLeftUs, rackMarkLost } from "./rack.ts";
import { checkReordering, isBeyondReordering } from "./reordering.ts";
import { recut, retransmitLost } from "./retransmit.ts";
import { markByCount, markHead } from "./rfc6675.ts";
import { armRetransmitIn, rearmRto, rexmitKind } from "./rto_timer.ts";
import {
  addDuplicate,
  anyRetransmitted,
  coldAt,
  forgetHints,
  inFlight,
  limitDuplicates,
  markLost,
  recoveryAt,
  recoveryState,
  reorderingOf,
  setRecoveryState,
  usesSack,
} from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG } from "./state/ack_sample.ts";
import { RECOVERY, RECOVERY_FLAG, TLP } from "./state/recovery_row.ts";
import { ACK_STATE, CA, COLD, FLAG, REXMIT_KIND, RTX, RTX_FLAG, TCB, WARM } from "./state/tcb.ts";
import {
  beginUndo,
  rememberWindow,
  undoByDuplicates,
  undoLoss,
  undoRecovery,
  undoReduction,
  wasDelayed,
} from "./undo.ts";

const { STATE, SND_UNA, SND_NXT, SND_WND, SND_END, CWND, MSS, MASK, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, SRTT, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  PACKETS_OUT,
  SACKED_OUT,
  LOST_OUT,
  RETRANS_OUT,
  SSTHRESH,
  CWND_COUNT,
  HIGH_SEQ,
  RETRANS_STAMP,
  CWND_STAMP_MS,
} = COLD;
const { NEXT, SEQ, END, SENT_US, FLAGS: RTX_FLAGS, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { SACKED } = RTX_FLAG;
const { PRIOR_SSTHRESH, HAS_UNDO, REORDERING, TLP_STATE, FLAGS, LOST } = RECOVERY;
const { FORWARD_RTO, RENEGED } = RECOVERY_FLAG;
const { UNA_ADVANCED, DATA_SACKED, ECE, ORIGINAL_ACKED, RENEGING, SET_TIMER, LOST_RETRANSMISSION } = ACK_FLAG;
const { RETRIES_AT } = ACK_STATE;

/** What {@linkcode alert} wants sent. */
export const RESEND = { NOTHING: 0, LOST: 1, NEW: 2 } as const;

/** Is there anything to recover that RACK finds? Otherwise RFC 6675 counts. */
function usesRack(stack: TcpStack, conn: number): boolean {
  return stack.profileOfConnection(conn).rack;
}

/** Goes to Recovery: fast retransmit begins (RFC 5681 3.2, RFC 6675 5, Linux's `tcp_enter_recovery`). */
function enterRecovery(stack: TcpStack, conn: number, k: number, ece: boolean): void {
  stack.counters.fastRetransmits++;
  // The clock of retransmissions starts with the first one of this episode.
  if (!anyRetransmitted(stack, k)) stack.cold.words[k + RETRANS_STAMP] = 0;
  const r = recoveryAt(stack, k);
  stack.recoveries.words[r + PRIOR_SSTHRESH] = 0;
  beginUndo(stack, conn, k);
  if (!inReduction(recoveryState(stack, k))) {
    if (!ece) rememberWindow(stack, conn, r);
    beginReduction(stack, conn, k);
  }
  setRecoveryState(stack, conn, k, CA.RECOVERY);
}

/** Open if nothing is amiss, Disorder otherwise. */
export function keepOpen(stack: TcpStack, conn: number, k: number): void {
  const cold = stack.cold.words;
  const amiss = cold[k + SACKED_OUT] + cold[k + LOST_OUT] !== 0 || anyRetransmitted(stack, k);
  const state = amiss ? CA.DISORDER : CA.OPEN;
  if (recoveryState(stack, k) === state) return;
  setRecoveryState(stack, conn, k, state);
  cold[k + HIGH_SEQ] = stack.tcbs.words[conn * STRIDE + SND_NXT];
}

function tryToOpen(stack: TcpStack, conn: number, k: number): void {
  if (!anyRetransmitted(stack, k)) stack.cold.words[k + RETRANS_STAMP] = 0;
  if ((work.flags & ECE) !== 0) enterCwr(stack, conn);
  if (recoveryState(stack, k) !== CA.CWR) keepOpen(stack, conn, k);
}

/** RACK, or without SACK one lost segment for each partial ACK (RFC 6582). */
function identifyLoss(stack: TcpStack, conn: number, k: number): void {
  const cold = stack.cold.words;
  const head = cold[k + RTX_HEAD];
  if (head === 0) return;
  const r = recoveryAt(stack, k);
  if (!usesSack(stack, conn)) {
    const state = recoveryState(stack, k);
    const duplicates = state < CA.RECOVERY && cold[k + SACKED_OUT] >= reorderingOf(stack, conn, r);
    if (!duplicates && (state !== CA.RECOVERY || (work.flags & UNA_ADVANCED) === 0)) return;
    if ((stack.segments.words[head * RTX_STRIDE + RTX_FLAGS] & RTX_FLAG.LOST) === 0) markLost(stack, k, head);
  } else if (usesRack(stack, conn)) {
    const before = cold[k + RETRANS_OUT];
    if (rackMarkLost(stack, conn, k, r)) work.flags &= ~SET_TIMER;
    if (cold[k + RETRANS_OUT] < before) work.flags |= LOST_RETRANSMISSION;
  }
}

function isTimeToRecover(stack: TcpStack, conn: number, k: number): boolean {
  const cold = stack.cold.words;
  if (cold[k + LOST_OUT] !== 0) return true;
  return !usesRack(stack, conn) && cold[k + SACKED_OUT] >= reorderingOf(stack, conn, recoveryAt(stack, k));
}

/**
 * RFC 2018 8: the oldest segment is SACKed and yet not acknowledged. A receiver under pressure may drop what it has
 * SACKed; give it half a round trip to say otherwise, then time out.
 */
function isReneging(stack: TcpStack, conn: number): boolean {
  if ((work.flags & (RENEGING | UNA_ADVANCED)) !== (RENEGING | UNA_ADVANCED)) return false;
  armRetransmitIn(stack, conn, Math.max(10, Math.ceil((stack.warm[conn * WARM_STRIDE + SRTT] >> 4) / 1000)));
  work.flags &= ~SET_TIMER;
  return true;
}

/** A partial ACK in Recovery. True if the hole was filled by a delayed original while retransmissions are out. */
function partialAck(stack: TcpStack, conn: number, k: number): boolean {
  const r = recoveryAt(stack, k);
  stack.counters.partialAcks++;
  if (stack.recoveries.words[r + HAS_UNDO] === 0 || !wasDelayed(stack, conn, k, work.echo)) return false;
  checkReordering(stack, conn, k, r, work.priorUna);
  if (stack.cold.words[k + RETRANS_OUT] !== 0) return true;
  if (!anyRetransmitted(stack, k)) stack.cold.words[k + RETRANS_STAMP] = 0;
  undoReduction(stack, conn, k, true);
  keepOpen(stack, conn, k);
  return false;
}

/** An ACK in Loss (RFC 5681 3.1, RFC 5682). Returns one of `RESEND`. */
function processLoss(stack: TcpStack, conn: number, k: number, duplicate: boolean): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const cold = stack.cold.words;
  const r = recoveryAt(stack, k);
  const recovered = ((words[c + SND_UNA] - cold[k + HIGH_SEQ]) | 0) >= 0;
  const advanced = (work.flags & UNA_ADVANCED) !== 0;
  const rows = stack.recoveries.words;
  if (advanced && undoLoss(stack, conn, k, work.echo, false)) return RESEND.NOTHING;
  if ((rows[r + FLAGS] & FORWARD_RTO) !== 0) {
    // RFC 5682 3.1, with SACK: what was never retransmitted has arrived, so not all was lost.
    if ((work.flags & ORIGINAL_ACKED) !== 0 && undoLoss(stack, conn, k, work.echo, true)) return RESEND.NOTHING;
    if (((words[c + SND_NXT] - cold[k + HIGH_SEQ]) | 0) > 0) {
      // Step 3a: the loss was real.
      if ((work.flags & DATA_SACKED) !== 0 || duplicate) rows[r + FLAGS] &= ~FORWARD_RTO;
    } else if (advanced && !recovered) {
      cold[k + HIGH_SEQ] = words[c + SND_NXT];
      // Step 2b: try new data first.
      const unsent = words[c + SND_END] !== words[c + SND_NXT] ||
        (words[c + STATE] & (FLAG.FIN_QUEUED | FLAG.FIN_SENT)) === FLAG.FIN_QUEUED;
      if (unsent && ((words[c + SND_UNA] + words[c + SND_WND] - words[c + SND_NXT]) | 0) > 0) return RESEND.NEW;
      rows[r + FLAGS] &= ~FORWARD_RTO;
    }
  }
  if (recovered) {
    undoRecovery(stack, conn, k, work.echo);
    return RESEND.NOTHING;
  }
  if (!usesSack(stack, conn)) {
    // A duplicate ACK now is for new data sent in step 2b: it has left the network.
    if (((words[c + SND_NXT] - cold[k + HIGH_SEQ]) | 0) > 0 && duplicate) {
      addDuplicate(stack, conn, k, (work.flags & ECE) !== 0);
    } else if (advanced) cold[k + SACKED_OUT] = 0;
  }
  return RESEND.LOST;
}

/**
 * An ACK that may mean something (`work` says what it brought): moves the state on. `duplicate`: it is a duplicate ACK.
 * Returns one of `RESEND`. There is a `RECOVERY` row.
 */
export function alert(stack: TcpStack, conn: number, k: number, duplicate: boolean): number {
  const cold = stack.cold.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const r = recoveryAt(stack, k);
  const ece = (work.flags & ECE) !== 0;
  const advanced = (work.flags & UNA_ADVANCED) !== 0;
  let doLost = duplicate || ((work.flags & DATA_SACKED) !== 0 && isBeyondReordering(stack, conn, k, r));
  let first = false;
  if (cold[k + PACKETS_OUT] === 0) cold[k + SACKED_OUT] = 0;
  // A. With ECE the reduction is not undone.
  if (ece) stack.recoveries.words[r + PRIOR_SSTHRESH] = 0;
  // B. SACKed data that is taken back.
  if (isReneging(stack, conn)) return RESEND.NOTHING;
  // D. Is the state at its end?
  const state = recoveryState(stack, k);
  const beyond = (words[c + SND_UNA] - cold[k + HIGH_SEQ]) | 0;
  if (state === CA.OPEN) cold[k + RETRANS_STAMP] = 0;
  else if (beyond >= 0) {
    if (state === CA.CWR) {
      // Held until something beyond is acknowledged, so that CWR reaches the peer.
      if (beyond > 0) {
        endReduction(stack, conn, k);
        setRecoveryState(stack, conn, k, CA.OPEN);
      }
    } else if (state === CA.RECOVERY) {
      if (!usesSack(stack, conn)) cold[k + SACKED_OUT] = 0;
      if (undoRecovery(stack, conn, k, work.echo)) return RESEND.NOTHING;
      endReduction(stack, conn, k);
    }
  }
  // E. What the state asks for.
  const now = recoveryState(stack, k);
  if (now === CA.RECOVERY) {
    if (!advanced) {
      if (!usesSack(stack, conn) && duplicate) addDuplicate(stack, conn, k, ece);
    } else {
      if (partialAck(stack, conn, k)) return RESEND.NOTHING;
      doLost = isBeyondReordering(stack, conn, k, r);
    }
    if (undoByDuplicates(stack, conn, k)) tryToOpen(stack, conn, k);
    identifyLoss(stack, conn, k);
    if (recoveryState(stack, k) !== CA.RECOVERY) {
      if (!isTimeToRecover(stack, conn, k)) return RESEND.NOTHING;
      // Undone; but a loss is evident: recovery begins anew.
      enterRecovery(stack, conn, k, ece);
    }
  } else {
    if (now === CA.LOSS) {
      const resend = processLoss(stack, conn, k, duplicate);
      identifyLoss(stack, conn, k);
      if (recoveryState(stack, k) !== CA.OPEN && (work.flags & LOST_RETRANSMISSION) === 0) return resend;
    }
    if (!usesSack(stack, conn)) {
      if (advanced) cold[k + SACKED_OUT] = 0;
      if (duplicate) addDuplicate(stack, conn, k, ece);
    }
    if (recoveryState(stack, k) <= CA.DISORDER) undoByDuplicates(stack, conn, k);
    identifyLoss(stack, conn, k);
    if (!isTimeToRecover(stack, conn, k)) {
      tryToOpen(stack, conn, k);
      return RESEND.NOTHING;
    }
    if (probeLost(stack, conn, k)) {
      simpleRetransmit(stack, conn);
      return RESEND.NOTHING;
    }
    enterRecovery(stack, conn, k, ece);
    first = true;
  }
  if (!usesRack(stack, conn) && doLost && usesSack(stack, conn)) {
    // RFC 6675 5 (4.1, 4.2) and its IsLost().
    const beyondCount = cold[k + SACKED_OUT] - reorderingOf(stack, conn, r);
    if (beyondCount >= 0) markByCount(stack, k, r, beyondCount);
    else if (first) markHead(stack, conn, k, r);
  }
  return RESEND.LOST;
}

/** RACK's reordering timer went off: what was waited for is lost (RFC 8985 6.3). */
export function reorderFired(stack: TcpStack, conn: number): void {
  const k = coldAt(stack, conn);
  const r = recoveryAt(stack, k);
  const cold = stack.cold.words;
  const flight = inFlight(cold, k);
  const lost = stack.recoveries.words[r + LOST];
  rackDetectLoss(stack, conn, k, r);
  if (inFlight(cold, k) !== flight) {
    if (recoveryState(stack, k) !== CA.RECOVERY) {
      enterRecovery(stack, conn, k, false);
      if (congestionOf(stack, conn).onControl === undefined) {
        reduceWindow(stack, conn, k, 1, stack.recoveries.words[r + LOST] - lost, false);
      }
    }
    retransmitLost(stack, conn);
  }
  if (rexmitKind(stack, conn) !== REXMIT_KIND.RETRANSMIT) rearmRto(stack, conn);
}

/** Everything in flight is lost, but what was sent too recently to say (Linux's `tcp_timeout_mark_lost`). */
function markAfterTimeout(stack: TcpStack, conn: number, k: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  const r = recoveryAt(stack, k);
  const head = cold[k + RTX_HEAD];
  const reneged = (records[head * RTX_STRIDE + RTX_FLAGS] & SACKED) !== 0;
  if (reneged) {
    // RFC 2018 8: the peer has dropped what it had SACKed; believe nothing of it.
    stack.counters.sackRenegings++;
    cold[k + SACKED_OUT] = 0;
    stack.recoveries.words[r + FLAGS] |= RENEGED;
  } else if (!usesSack(stack, conn)) cold[k + SACKED_OUT] = 0;
  const rack = usesRack(stack, conn);
  for (let record = head; record !== 0; record = records[record * RTX_STRIDE + NEXT]) {
    const at = (record * RTX_STRIDE) & RTX_MASK;
    if (reneged) records[at + RTX_FLAGS] &= ~SACKED;
    else if (rack && record !== head && rackLeftUs(stack, k, records[at + SENT_US], 0) > 0) continue;
    markLost(stack, k, record);
  }
  forgetHints(stack, k);
}

/** A retransmission timeout: Loss, with a window of one segment beyond what is in flight (RFC 5681 3.1, RFC 6298 5.4). */
export function enterLoss(stack: TcpStack, conn: number): void {
  stack.recoveryOf(conn);
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const k = coldAt(stack, conn);
  const r = recoveryAt(stack, k);
  const cold = stack.cold.words;
  const rows = stack.recoveries.words;
  const profile = stack.profileOfConnection(conn);
  const state = recoveryState(stack, k);
  const retries = (stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] >> RETRIES_AT) & 0xff;
  markAfterTimeout(stack, conn, k);
  if (
    state <= CA.DISORDER || ((cold[k + HIGH_SEQ] - words[c + SND_UNA]) | 0) <= 0 || (state === CA.LOSS && retries === 0)
  ) {
    rememberWindow(stack, conn, r);
    const algorithm = congestionOf(stack, conn);
    cold[k + SSTHRESH] = algorithm.ssthreshAfterLoss(stack, conn);
    algorithm.onEvent?.(stack, conn, CONGESTION_EVENT.LOSS);
    beginUndo(stack, conn, k);
  }
  words[c + CWND] = inFlight(cold, k) + 1;
  cold[k + CWND_COUNT] = 0;
  cold[k + CWND_STAMP_MS] = stack.nowMs;
  // A timeout in spite of many duplicates: reordering was overestimated.
  if (state <= CA.DISORDER && cold[k + SACKED_OUT] >= profile.reordering && rows[r + REORDERING] > profile.reordering) {
    rows[r + REORDERING] = profile.reordering;
  }
  setRecoveryState(stack, conn, k, CA.LOSS);
  cold[k + HIGH_SEQ] = words[c + SND_NXT];
  rows[r + TLP_STATE] = TLP.NONE;
  queueCwr(stack, conn, r);
  // RFC 5682 3.1 step 1, 3.2: F-RTO unless another recovery was under way.
  if (profile.forwardRtoRecovery && (state < CA.RECOVERY || retries !== 0)) rows[r + FLAGS] |= FORWARD_RTO;
  else rows[r + FLAGS] &= ~FORWARD_RTO;
}

/** The path takes no segment beyond the MSS: what is longer is lost, but not to congestion (Linux's `tcp_simple_retransmit`). */
export function simpleRetransmit(stack: TcpStack, conn: number): void {
  stack.recoveryOf(conn);
  const k = coldAt(stack, conn);
  const cold = stack.cold.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const mss = words[c + MSS] & 0xffff;
  for (let record = cold[k + RTX_HEAD]; record !== 0;) {
    const records = stack.segments.words;
    const at = (record * RTX_STRIDE) & RTX_MASK;
    const fin = (records[at + RTX_FLAGS] & RTX_FLAG.FIN) !== 0 ? 1 : 0;
    const tooLong = ((records[at + END] - records[at + SEQ]) | 0) - fin > mss;
    const next = records[at + NEXT];
    if (!tooLong || (records[at + RTX_FLAGS] & SACKED) !== 0) {
      record = next;
      continue;
    }
    // What was sent together is cut anew, and goes again together.
    const last = recut(stack, conn, k, record, mss);
    for (const end = stack.segments.words[last * RTX_STRIDE + NEXT]; record !== end;) {
      markLost(stack, k, record);
      record = stack.segments.words[record * RTX_STRIDE + NEXT];
    }
  }
  const r = recoveryAt(stack, k);
  stack.recoveries.words[r + RECOVERY.LOST_HINT] = 0;
  if (cold[k + LOST_OUT] === 0) return;
  if (!usesSack(stack, conn)) limitDuplicates(stack, k);
  resendUncongested(stack, conn);
}

/**
 * What was marked lost goes again, but the window stays: congestion was not the cause (Linux's
 * `tcp_non_congestion_loss_retransmit`). There is a `RECOVERY` row.
 */
export function resendUncongested(stack: TcpStack, conn: number): void {
  const k = coldAt(stack, conn);
  const r = recoveryAt(stack, k);
  const cold = stack.cold.words;
  if (recoveryState(stack, k) !== CA.LOSS) {
    cold[k + HIGH_SEQ] = stack.tcbs.words[conn * STRIDE + SND_NXT];
    cold[k + SSTHRESH] = currentSsthresh(stack, conn);
    stack.recoveries.words[r + PRIOR_SSTHRESH] = 0;
    stack.recoveries.words[r + HAS_UNDO] = 0;
    setRecoveryState(stack, conn, k, CA.LOSS);
  }
  retransmitLost(stack, conn);
}
