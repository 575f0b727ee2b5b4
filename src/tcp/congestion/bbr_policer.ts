/**
 * BBR's long-term bandwidth: a token-bucket policer drops what exceeds its rate once its tokens are used up. Two
 * intervals in a row that begin and end with losses, of the same rate and with a fifth of the segments lost, say that
 * there is one; that rate is then used for 48 rounds.
 *
 * @module
 */
import type { TcpStack } from "../stack.ts";
import { ACK_FLAG, ACK_SAMPLE } from "../state/ack_sample.ts";
import { RECOVERY } from "../state/recovery_row.ts";
import { COLD, TCB, WARM } from "../state/tcb.ts";
import { BANDWIDTH_ONE, BBR_FLAG, BBR_MODE, BBR_ROW, GAIN_ONE } from "./bbr_state.ts";

const {
  MODE,
  FLAGS,
  PACING_GAIN,
  LONG_BANDWIDTH,
  LONG_DELIVERED,
  LONG_LOST,
  LONG_STAMP_MS,
  LONG_ROUNDS,
} = BBR_ROW;
const { ROUND_START, LONG_SAMPLING, LONG_USED } = BBR_FLAG;

/** Rounds of an interval, at least; four times as many at most. */
const INTERVAL_ROUNDS = 4;
/** Lost / delivered from which an interval is lossy, 1/256. */
const LOSSY = 50;
/** Two rates are the same if they differ by an eighth, or by 500 bytes a second. */
const SAME_SHARE = 8;
const SAME_BYTES = 500;
/** Rounds that a policed rate is used for. */
const USED_ROUNDS = 48;

/** Forgets the policer and what was sampled. */
export function resetLongTerm(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  rows[at + LONG_BANDWIDTH] = 0;
  rows[at + FLAGS] &= ~(LONG_SAMPLING | LONG_USED);
  beginInterval(stack, conn, rows, at);
}

/**
 * Looks at one ACK that brought a rate sample, or at a timeout. Returns true when the policed rate has been used for
 * long enough: PROBE_BW begins anew.
 */
export function sampleLongTerm(
  stack: TcpStack,
  conn: number,
  rows: Int32Array,
  at: number,
  lost: number,
  applicationLimited: boolean,
): boolean {
  const flags = rows[at + FLAGS];
  if ((flags & LONG_USED) !== 0) {
    if (rows[at + MODE] !== BBR_MODE.PROBE_BW || (flags & ROUND_START) === 0) return false;
    if (++rows[at + LONG_ROUNDS] < USED_ROUNDS) return false;
    resetLongTerm(stack, conn, rows, at);
    return true;
  }
  if ((flags & LONG_SAMPLING) === 0) {
    // Not before the first loss: until then the policer gives tokens that it had saved.
    if (lost === 0) return false;
    beginInterval(stack, conn, rows, at);
    rows[at + FLAGS] |= LONG_SAMPLING;
  }
  if (applicationLimited) {
    resetLongTerm(stack, conn, rows, at);
    return false;
  }
  if ((flags & ROUND_START) !== 0) rows[at + LONG_ROUNDS]++;
  if (rows[at + LONG_ROUNDS] < INTERVAL_ROUNDS) return false;
  if (rows[at + LONG_ROUNDS] > 4 * INTERVAL_ROUNDS) {
    resetLongTerm(stack, conn, rows, at);
    return false;
  }
  // An interval ends with a loss, when the tokens have run out again.
  if (lost === 0) return false;
  const recovery = stack.recoveries.words;
  const r = stack.recoveryOf(conn) * RECOVERY.STRIDE;
  const delivered = (deliveredOf(stack, conn) - rows[at + LONG_DELIVERED]) >>> 0;
  const lostSince = (recovery[r + RECOVERY.LOST] - rows[at + LONG_LOST]) >>> 0;
  if (delivered === 0 || lostSince * 256 < LOSSY * delivered) return false;
  const lastedMs = (stack.nowMs - rows[at + LONG_STAMP_MS]) | 0;
  if (lastedMs < 1) return false;
  endInterval(stack, conn, rows, at, Math.floor(delivered * BANDWIDTH_ONE / (lastedMs * 1000)));
  return false;
}

/** What `stack.ackSample` says of this ACK, for {@linkcode sampleLongTerm}. */
export function isApplicationLimited(stack: TcpStack): boolean {
  return (stack.ackSample[ACK_SAMPLE.FLAGS] & ACK_FLAG.APP_LIMITED) !== 0;
}

/** Segments delivered on the connection so far. */
export function deliveredOf(stack: TcpStack, conn: number): number {
  return stack.cold.words[stack.warm[conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE + COLD.DELIVERED];
}

function endInterval(stack: TcpStack, conn: number, rows: Int32Array, at: number, bandwidth: number): void {
  const before = rows[at + LONG_BANDWIDTH] >>> 0;
  if (before !== 0) {
    const difference = Math.abs(bandwidth - before);
    const mss = stack.tcbs.words[conn * TCB.STRIDE + TCB.MSS] & 0xffff;
    if (difference * SAME_SHARE <= before || difference * mss * 1e6 / BANDWIDTH_ONE <= SAME_BYTES) {
      rows[at + LONG_BANDWIDTH] = Math.floor((bandwidth + before) / 2);
      rows[at + FLAGS] |= LONG_USED;
      rows[at + PACING_GAIN] = GAIN_ONE;
      rows[at + LONG_ROUNDS] = 0;
      return;
    }
  }
  rows[at + LONG_BANDWIDTH] = bandwidth;
  beginInterval(stack, conn, rows, at);
}

function beginInterval(stack: TcpStack, conn: number, rows: Int32Array, at: number): void {
  const r = stack.recoveryOf(conn) * RECOVERY.STRIDE;
  rows[at + LONG_STAMP_MS] = stack.nowMs;
  rows[at + LONG_DELIVERED] = deliveredOf(stack, conn);
  rows[at + LONG_LOST] = stack.recoveries.words[r + RECOVERY.LOST];
  rows[at + LONG_ROUNDS] = 0;
}
