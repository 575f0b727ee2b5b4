/**
 * DCTCP (RFC 8257): the window is cut in proportion to the share of bytes that the network marked. Without ECN on the
 * connection it is NewReno.
 *
 * The receiver's half, which acknowledges every change between marked and unmarked segments at once, is
 * `src/tcp/ecn_in.ts`'s: it goes by `wantsEcn`.
 *
 * @module
 */
import { rowMask } from "../../base/row_mask.ts";
import type { TcpStack } from "../stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../state/ack_sample.ts";
import { CA, COLD, FLAG, TCB, WARM } from "../state/tcb.ts";
import { renoIncrease, renoThreshold } from "./newreno.ts";
import {
  CONGESTION_EVENT,
  type CongestionControl,
  parametersOf,
  poolOf,
  privateRow,
  registerCongestionControl,
} from "./types.ts";

const { STATE, SND_UNA, SND_NXT, CWND, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { SSTHRESH, CC, STRIDE: COLD_STRIDE } = COLD;

/** Private row of DCTCP. */
const DCTCP_ROW = {
  /** Estimate of the share of marked bytes, 1/1024 (DCTCP.Alpha). */
  ALPHA: 0,
  /** SND.NXT when the observation window began: it ends when that is acknowledged (DCTCP.WindowEnd). */
  WINDOW_END: 1,
  /** Bytes acknowledged in it, and of those by ACKs with ECE. */
  ACKED: 2,
  MARKED: 3,
  /** SND.UNA at the last ACK. */
  UNA: 4,
  /** The window before the last reduction, to undo. */
  LOSS_WINDOW: 5,
  /** Words in a row. */
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

const { ALPHA, WINDOW_END, ACKED, MARKED, UNA, LOSS_WINDOW, MASK: ROW_MASK, STRIDE: ROW_STRIDE } = DCTCP_ROW;
/** Of alpha: 1. */
const ALPHA_ONE = 1024;
/** Parameters as `/sys/module/tcp_dctcp/parameters` names them: the shift of g (1/16), and the first alpha. */
const PARAMETERS = { dctcp_shift_g: 4, dctcp_alpha_on_init: ALPHA_ONE } as const;
const SHIFT_G = 0;
const FIRST_ALPHA = 1;

/** See the module's description. */
export const DCTCP: CongestionControl = {
  name: "dctcp",
  wantsEcn: true,
  rowWords: ROW_STRIDE,
  parameters: PARAMETERS,
  onAck: renoIncrease,
  onAckEvent(stack, conn) {
    if (!hasEcn(stack, conn)) return;
    const flags = stack.ackSample[ACK_SAMPLE.FLAGS];
    const at = rowOf(stack, conn) * ROW_STRIDE;
    const rows = poolOf(stack, DCTCP_ID).words;
    const words = stack.tcbs.words;
    const c = (conn * STRIDE) & MASK;
    const una = words[c + SND_UNA];
    let acked = (una - rows[at + UNA]) | 0;
    // A duplicate ACK stands for a segment; an update of the window for nothing.
    if (acked === 0 && (flags & ACK_FLAG.WINDOW_UPDATED) === 0) acked = words[c + MSS] & 0xffff;
    // RFC 8257 3.3 steps 2 and 3.
    rows[at + UNA] = una;
    rows[at + ACKED] += acked;
    if ((flags & ACK_FLAG.ECE) !== 0) rows[at + MARKED] += acked;
    if (((una - rows[at + WINDOW_END]) | 0) < 0) return;
    // Steps 4 to 8: alpha = alpha * (1 - g) + g * M.
    const shift = parametersOf(stack, DCTCP_ID)[SHIFT_G];
    let alpha = rows[at + ALPHA];
    alpha -= alpha >> shift === 0 ? alpha : alpha >> shift;
    if (rows[at + MARKED] > 0) {
      const share = Math.floor(rows[at + MARKED] * 2 ** (10 - shift) / Math.max(1, rows[at + ACKED]));
      alpha = Math.min(alpha + share, ALPHA_ONE);
    }
    rows[at + ALPHA] = alpha;
    rows[at + WINDOW_END] = words[c + SND_NXT];
    rows[at + ACKED] = 0;
    rows[at + MARKED] = 0;
  },
  ssthreshAfterLoss(stack, conn) {
    if (!hasEcn(stack, conn)) return renoThreshold(stack, conn);
    const at = rowOf(stack, conn) * ROW_STRIDE;
    const rows = poolOf(stack, DCTCP_ID).words;
    const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
    rows[at + LOSS_WINDOW] = cwnd;
    // RFC 8257 3.3 step 9: cwnd * (1 - alpha / 2).
    return Math.max(2, cwnd - Math.floor(cwnd * rows[at + ALPHA] / (2 * ALPHA_ONE)));
  },
  undoWindow(stack, conn) {
    const cwnd = stack.tcbs.words[conn * STRIDE + CWND];
    const row = stack.cold.words[coldAt(stack, conn) + CC];
    return row === 0 ? cwnd : Math.max(cwnd, poolOf(stack, DCTCP_ID).words[row * ROW_STRIDE + LOSS_WINDOW]);
  },
  onState(stack, conn, state) {
    const k = coldAt(stack, conn);
    if (state === CA.RECOVERY && (stack.cold.words[k + COLD.CA_STATE] & 0xff) !== state) halve(stack, conn, k);
  },
  onEvent(stack, conn, event) {
    // (The state of a timeout may be entered again and again; the event comes once for each reduction.)
    if (event === CONGESTION_EVENT.LOSS) halve(stack, conn, coldAt(stack, conn));
  },
};

/** DCTCP's number. */
const DCTCP_ID: number = registerCongestionControl(DCTCP);

/** The estimate of the share of marked bytes, 0 to 1, of a connection under DCTCP; for reports. */
export function dctcpAlpha(stack: TcpStack, conn: number): number {
  const row = stack.cold.words[coldAt(stack, conn) + CC];
  return row === 0 ? 0 : poolOf(stack, DCTCP_ID).words[row * ROW_STRIDE + ALPHA] / ALPHA_ONE;
}

function hasEcn(stack: TcpStack, conn: number): boolean {
  return (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.ECN) !== 0;
}

function coldAt(stack: TcpStack, conn: number): number {
  return stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
}

/** RFC 8257 3.5: a loss is answered as Reno answers it. */
function halve(stack: TcpStack, conn: number, k: number): void {
  if (!hasEcn(stack, conn)) return;
  const at = rowOf(stack, conn) * ROW_STRIDE;
  poolOf(stack, DCTCP_ID).words[at + LOSS_WINDOW] = stack.tcbs.words[conn * STRIDE + CWND];
  stack.cold.words[k + SSTHRESH] = renoThreshold(stack, conn);
}

/** The connection's private row; a new one observes from now on. */
function rowOf(stack: TcpStack, conn: number): number {
  const row = stack.cold.words[coldAt(stack, conn) + CC];
  if (row !== 0) return row;
  const made = privateRow(stack, conn);
  const rows = poolOf(stack, DCTCP_ID).words;
  const at = (made * ROW_STRIDE) & ROW_MASK;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  rows[at + ALPHA] = Math.min(ALPHA_ONE, parametersOf(stack, DCTCP_ID)[FIRST_ALPHA]);
  rows[at + WINDOW_END] = words[c + SND_NXT];
  rows[at + UNA] = words[c + SND_UNA];
  return made;
}
