/**
 * The tail loss probe (RFC 8985 7): when ACKs stop before the timeout, one more segment brings the SACK that shows what
 * is missing.
 *
 * @module
 */
import { work } from "./ack_work.ts";
import { sendOne } from "./output.ts";
import { beginReduction, endReduction } from "./prr.ts";
import { keepOpen } from "./recovery.ts";
import { PLACE, RESENT, sendAgain } from "./retransmit.ts";
import { rearmRto, setRexmitKind } from "./rto_timer.ts";
import { coldAt, recoveryAt, setRecoveryState } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG } from "./state/ack_sample.ts";
import { RECOVERY, TLP } from "./state/recovery_row.ts";
import { CA, COLD, FLAG, REXMIT_KIND, TCB } from "./state/tcb.ts";

const { NEW_DATA: TLP_NEW_DATA, NONE: TLP_NONE, RETRANSMISSION: TLP_RETRANSMISSION } = TLP;
const { RETRANSMIT: REXMIT_KIND_RETRANSMIT } = REXMIT_KIND;
const { FIN_QUEUED: FLAG_FIN_QUEUED, FIN_SENT: FLAG_FIN_SENT } = FLAG;
const { RTX_TAIL: COLD_RTX_TAIL } = COLD;
const { CWR: CA_CWR } = CA;

const { STATE, SND_UNA, SND_NXT, SND_WND, SND_END, MSS, MASK, STRIDE } = TCB;
const { TLP_HIGH_SEQ, TLP_STATE } = RECOVERY;
const { DSACK_TLP, UNA_ADVANCED, HAS_DATA, WINDOW_UPDATED, DATA_ACKED, SYN_ACKED, DATA_SACKED } = ACK_FLAG;

/** The probe timer went off: new data if there is some and the peer's window takes it, or the last segment again. */
export function tailLossFired(stack: TcpStack, conn: number): void {
  stack.recoveryOf(conn);
  const k = coldAt(stack, conn);
  const at = recoveryAt(stack, k) + TLP_STATE;
  // At most one probe at a time (RFC 8985 7.3).
  if (stack.recoveries.words[at] === TLP_NONE && sendProbe(stack, conn, k, at)) {
    stack.recoveries.words[at - TLP_STATE + TLP_HIGH_SEQ] = stack.tcbs.words[conn * STRIDE + SND_NXT];
    stack.counters.tailLossProbes++;
    // The timeout starts now, not when the oldest segment was sent.
    setRexmitKind(stack, conn, REXMIT_KIND_RETRANSMIT);
  }
  rearmRto(stack, conn);
}

function sendProbe(stack: TcpStack, conn: number, k: number, at: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + SND_NXT];
  const unsent = (words[c + SND_END] - next) | 0;
  const fin = (words[c + STATE] & (FLAG_FIN_QUEUED | FLAG_FIN_SENT)) === FLAG_FIN_QUEUED ? 1 : 0;
  const length = Math.min(unsent, words[c + MSS] & 0xffff);
  const occupied = length + (length === unsent ? fin : 0);
  if (occupied > 0 && occupied <= ((words[c + SND_UNA] + words[c + SND_WND] - next) | 0)) {
    if (!sendOne(stack, conn)) return false;
    stack.recoveries.words[at] = TLP_NEW_DATA;
    return true;
  }
  const tail = stack.cold.words[k + COLD_RTX_TAIL];
  if (tail === 0 || sendAgain(stack, conn, tail, PLACE.ALONE) !== RESENT.SENT) return false;
  stack.recoveries.words[at] = TLP_RETRANSMISSION;
  return true;
}

/** An ACK while a probe is out (RFC 8985 7.4): has it repaired a loss that nobody else saw? */
export function tailAckIn(stack: TcpStack, conn: number, k: number, ack: number): void {
  const r = recoveryAt(stack, k);
  const rows = stack.recoveries.words;
  const beyond = (ack - rows[r + TLP_HIGH_SEQ]) | 0;
  if (beyond < 0) return;
  if (rows[r + TLP_STATE] === TLP_NEW_DATA || (work.flags & DSACK_TLP) !== 0) {
    // New data arrived; or both the original and the probe.
    rows[r + TLP_STATE] = TLP_NONE;
  } else if (beyond > 0) {
    // 7.4.2: data beyond the probe is acknowledged without a D-SACK for it: the probe repaired a loss.
    stack.counters.tailLossRepairs++;
    beginReduction(stack, conn, k);
    setRecoveryState(stack, conn, k, CA_CWR);
    endReduction(stack, conn, k);
    keepOpen(stack, conn, k);
  } else if (
    (work.flags & (UNA_ADVANCED | HAS_DATA | WINDOW_UPDATED | DATA_ACKED | SYN_ACKED | DATA_SACKED)) === 0
  ) {
    // A duplicate ACK: both arrived.
    rows[r + TLP_STATE] = TLP_NONE;
  }
}
