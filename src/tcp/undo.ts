/**
 * Undoing: a reduction of the window turns out to have been needless, because what was sent again had arrived. Known
 * from timestamps (Eifel, RFC 3522, RFC 4015), from D-SACKs (RFC 3708) or from F-RTO (RFC 5682).
 *
 * @module
 */
import { congestionOf } from "./congestion/types.ts";
import { rackPersist } from "./rack.ts";
import { anyRetransmitted, recoveryAt, setRecoveryState, unmarkLost, usesSack } from "./scoreboard.ts";
import { currentSsthresh } from "./prr.ts";
import type { TcpStack } from "./stack.ts";
import { RACK_BIT, RECOVERY, RECOVERY_FLAG, TLP } from "./state/recovery_row.ts";
import { ACK_STATE, CA, COLD, TCB, WARM } from "./state/tcb.ts";

const { SND_UNA, CWND, MASK, STRIDE } = TCB;
const { TS_OFFSET, ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, HIGH_SEQ, RETRANS_STAMP, RETRANS_OUT, CWND_STAMP_MS } = COLD;
const { PRIOR_CWND, PRIOR_SSTHRESH, UNDO_MARKER, HAS_UNDO, UNDO_RETRANS, RACK_STATE, TLP_STATE, FLAGS } = RECOVERY;
const { RETRIES_AT } = ACK_STATE;

/** An episode begins: from here on there is something to undo. */
export function beginUndo(stack: TcpStack, conn: number, k: number): void {
  const rows = stack.recoveries.words;
  const r = recoveryAt(stack, k);
  rows[r + UNDO_MARKER] = stack.tcbs.words[conn * STRIDE + SND_UNA];
  rows[r + HAS_UNDO] = 1;
  // Retransmissions still in flight, the tail loss probe among them, may cause D-SACKs later; -1: none was made yet.
  const out = stack.cold.words[k + RETRANS_OUT] + (rows[r + TLP_STATE] === TLP.RETRANSMISSION ? 1 : 0);
  rows[r + UNDO_RETRANS] = out === 0 ? -1 : out;
}

/** Remembers the window, for an undo. */
export function rememberWindow(stack: TcpStack, conn: number, r: number): void {
  const ssthresh = currentSsthresh(stack, conn);
  const rows = stack.recoveries.words;
  rows[r + PRIOR_SSTHRESH] = ssthresh;
  rows[r + PRIOR_CWND] = stack.tcbs.words[conn * STRIDE + CWND];
}

/** Does the echoed timestamp say that the segment was sent before `stampMs` (our clock)? `echo`: 0 for none. */
export function echoIsBefore(stack: TcpStack, conn: number, echo: number, stampMs: number): boolean {
  if (echo === 0) return false;
  return ((echo - stack.warm[conn * WARM_STRIDE + TS_OFFSET] - stampMs) | 0) < 0;
}

/** Did the first transmission arrive, and not the retransmission? Nothing was retransmitted, or the echo is older. */
export function wasDelayed(stack: TcpStack, conn: number, k: number, echo: number): boolean {
  const stamp = stack.cold.words[k + RETRANS_STAMP];
  if (stamp !== 0) return echoIsBefore(stack, conn, echo, stamp);
  // Without SACK the stamp was cleared when all of the episode was acknowledged: `mustHold`.
  const beyond = (stack.tcbs.words[conn * STRIDE + SND_UNA] - stack.cold.words[k + HIGH_SEQ]) | 0;
  return beyond < 0 || usesSack(stack, conn);
}

function mayUndo(stack: TcpStack, conn: number, k: number, r: number, echo: number): boolean {
  const rows = stack.recoveries.words;
  return rows[r + HAS_UNDO] !== 0 && (rows[r + UNDO_RETRANS] === 0 || wasDelayed(stack, conn, k, echo));
}

/** The window is what it was before the reduction. */
export function undoReduction(stack: TcpStack, conn: number, k: number, unmark: boolean): void {
  if (unmark) unmarkLost(stack, k);
  const r = recoveryAt(stack, k);
  const rows = stack.recoveries.words;
  const cold = stack.cold.words;
  const prior = rows[r + PRIOR_SSTHRESH];
  if (prior !== 0) {
    const c = (conn * STRIDE) & MASK;
    const algorithm = congestionOf(stack, conn);
    const window = algorithm.undoWindow === undefined
      ? Math.max(stack.tcbs.words[c + CWND], rows[r + PRIOR_CWND])
      : algorithm.undoWindow(stack, conn);
    stack.tcbs.words[c + CWND] = window;
    if (prior > cold[k + SSTHRESH]) {
      cold[k + SSTHRESH] = prior;
      rows[r + FLAGS] &= ~RECOVERY_FLAG.QUEUE_CWR;
    }
  }
  cold[k + CWND_STAMP_MS] = stack.nowMs;
  rows[r + HAS_UNDO] = 0;
  rows[r + RACK_STATE] |= RACK_BIT.ADVANCED;
  stack.counters.undos++;
}

/**
 * Without SACK: SND.UNA has reached the end of recovery exactly. The state is held until something beyond is
 * acknowledged, so that duplicate ACKs of what was needlessly sent again start nothing (RFC 6582 3.2).
 */
function mustHold(stack: TcpStack, conn: number, k: number): boolean {
  if (stack.tcbs.words[conn * STRIDE + SND_UNA] !== stack.cold.words[k + HIGH_SEQ] || usesSack(stack, conn)) {
    return false;
  }
  if (!anyRetransmitted(stack, k)) stack.cold.words[k + RETRANS_STAMP] = 0;
  return true;
}

function reopen(stack: TcpStack, conn: number, k: number, r: number): void {
  setRecoveryState(stack, conn, k, CA.OPEN);
  stack.recoveries.words[r + FLAGS] &= ~RECOVERY_FLAG.RENEGED;
}

/** Recovery is complete: was it needless? True if its state is to be held for now. */
export function undoRecovery(stack: TcpStack, conn: number, k: number, echo: number): boolean {
  const r = recoveryAt(stack, k);
  if (mayUndo(stack, conn, k, r, echo)) undoReduction(stack, conn, k, false);
  else rackPersist(stack, r, -1);
  if (mustHold(stack, conn, k)) return true;
  reopen(stack, conn, k, r);
  return false;
}

/** D-SACKs have told of every retransmission that it was needless (RFC 3708). */
export function undoByDuplicates(stack: TcpStack, conn: number, k: number): boolean {
  const r = recoveryAt(stack, k);
  const rows = stack.recoveries.words;
  if (rows[r + HAS_UNDO] === 0 || rows[r + UNDO_RETRANS] !== 0) return false;
  rackPersist(stack, r, 1);
  undoReduction(stack, conn, k, false);
  return true;
}

/** After a timeout: was it needless? `forward`: F-RTO says so. */
export function undoLoss(stack: TcpStack, conn: number, k: number, echo: number, forward: boolean): boolean {
  const r = recoveryAt(stack, k);
  if (!forward && !mayUndo(stack, conn, k, r, echo)) return false;
  undoReduction(stack, conn, k, true);
  stack.counters.spuriousTimeouts++;
  stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] &= ~(0xff << RETRIES_AT);
  if (mustHold(stack, conn, k)) return true;
  if (forward || usesSack(stack, conn)) reopen(stack, conn, k, r);
  return true;
}
