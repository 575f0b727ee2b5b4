/**
 * The retransmission timeout (RFC 6298 5.4 to 5.6), and how long it goes on (RFC 9293 3.8.3), as Linux's
 * `tcp_retransmit_timer`.
 *
 * @module
 */
import { accountTimeout } from "./accounting.ts";
import { detectBlackHole } from "./fast_open_end.ts";
import { suspectBlackHole } from "./mtu_probe.ts";
import { enterLoss } from "./recovery.ts";
import { PLACE, RESENT, retransmitRecord, sentMs } from "./retransmit.ts";
import { armAfterTimeout, armRetransmitIn } from "./rto_timer.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, RTX, SETTINGS, SSTHRESH_INFINITE, TCB, WARM } from "./state/tcb.ts";

const { ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
const { BACKOFF_AT, RETRIES_AT } = ACK_STATE;
/** When to try again after the host's own interface took nothing, ms (Linux `TCP_RESOURCE_PROBE_INTERVAL`). */
const RESOURCE_PROBE_MS = 500;
/** Fewer segments in flight make a stream thin; timeouts of it that are not backed off. */
const THIN_BELOW = 4;
const THIN_RETRIES = 6;

/** The retransmission timer went off while data is in flight. False if the connection is to be given up. */
export function timeoutFired(stack: TcpStack, conn: number): boolean {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const k = stack.warm[conn * WARM_STRIDE + WARM.COLD] * COLD.STRIDE;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  const profile = stack.profileOfConnection(conn);
  if (words[c + TCB.SND_WND] === 0 && (words[c + TCB.STATE] & FLAG.ORPHAN) === 0) {
    // RFC 9293 3.8.6 SHLD-17: a peer that has shrunk its window to nothing, and answers, lives.
    if (isProbingInVain(stack, conn, k)) return false;
    enterLoss(stack, conn);
    retransmitRecord(stack, conn, stack.cold.words[k + COLD.RTX_HEAD], PLACE.ALONE);
  } else {
    // RFC 9293 3.8.3 R1: the path may be to blame.
    if (profile.mtuProbing !== 0 && isOutFor(stack, conn, k, profile.retries1)) suspectBlackHole(stack, conn);
    const expired = hasTimedOut(stack, conn, k);
    detectBlackHole(stack, conn, (stack.warm[at] >> RETRIES_AT) & 0xff, expired);
    if (expired) return false;
    if (words[c + TCB.STATE] < 0) accountTimeout(stack, conn);
    stack.counters.timeouts++;
    enterLoss(stack, conn);
    const acks = stack.warm[at];
    const retries = Math.min(255, ((acks >> RETRIES_AT) & 0xff) + 1);
    stack.warm[at] = (acks & ~(0xff << RETRIES_AT)) | (retries << RETRIES_AT);
    if (retransmitRecord(stack, conn, stack.cold.words[k + COLD.RTX_HEAD], PLACE.ALONE) === RESENT.DROPPED) {
      armRetransmitIn(stack, conn, RESOURCE_PROBE_MS);
      return true;
    }
  }
  const acks = stack.warm[at];
  if (isThin(stack, conn, k) && ((acks >> RETRIES_AT) & 0xff) <= THIN_RETRIES) {
    stack.warm[at] = acks & ~(0xf << BACKOFF_AT);
  } else {
    // RFC 6298 5.5 (RFC 9293 3.8.2 MUST-19): back off.
    const backoff = Math.min(15, ((acks >> BACKOFF_AT) & 0xf) + 1);
    stack.warm[at] = (acks & ~(0xf << BACKOFF_AT)) | (backoff << BACKOFF_AT);
  }
  armAfterTimeout(stack, conn);
  return true;
}

/** A thin stream, whose timeouts are not to be backed off (`tcp_thin_linear_timeouts`). */
function isThin(stack: TcpStack, conn: number, k: number): boolean {
  if (!stack.profileOfConnection(conn).thinLinearTimeouts) return false;
  if ((stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK) !== STATE.ESTABLISHED) return false;
  const cold = stack.cold.words;
  return cold[k + COLD.PACKETS_OUT] < THIN_BELOW && cold[k + COLD.SSTHRESH] < SSTHRESH_INFINITE;
}

/** Has a peer with a shut window been silent for twice the longest timeout, or the user's? */
function isProbingInVain(stack: TcpStack, conn: number, k: number): boolean {
  const cold = stack.cold.words;
  const head = cold[k + COLD.RTX_HEAD];
  const sent = cold[k + COLD.RETRANS_STAMP] || sentMs(stack, stack.segments.words[head * RTX.STRIDE + RTX.SENT_US]);
  const since = (stack.nowMs - sent) | 0;
  const user = readSetting(stack, conn, SETTINGS.USER_TIMEOUT_MS);
  if (user !== 0 && since > user) return true;
  const patience = Math.min(2 * stack.profileOfConnection(conn).rtoMaxMs, user || Infinity);
  const row = cold[k + COLD.RECOVERY];
  const heard = row === 0 ? stack.nowMs : stack.recoveries.words[row * RECOVERY.STRIDE + RECOVERY.HEARD_MS];
  return ((stack.nowMs - heard) | 0) > patience && since > patience;
}

/**
 * Has the data been retransmitted for so long that the connection is dead? As Linux: as long as `retries2` doublings
 * from the least RTO take (924.6 s by default), or the user timeout (RFC 5482).
 */
function hasTimedOut(stack: TcpStack, conn: number, k: number): boolean {
  if ((stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] & (0xff << RETRIES_AT)) === 0) return false;
  const stamp = stack.cold.words[k + COLD.RETRANS_STAMP];
  if (stamp === 0) return false;
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const elapsed = (stack.nowMs - stamp) | 0;
  const user = readSetting(stack, conn, SETTINGS.USER_TIMEOUT_MS);
  if (user !== 0) return elapsed >= user;
  const profile = stack.profileOfConnection(conn);
  const retries = (words[c + TCB.STATE] & FLAG.ORPHAN) !== 0 ? profile.orphanRetries : profile.retries2;
  return elapsed >= patienceMs(retries, profile.rtoMinMs, profile.rtoMaxMs);
}

/** Has the data been retransmitted for as long as `retries` doublings from the least RTO take? */
function isOutFor(stack: TcpStack, conn: number, k: number, retries: number): boolean {
  if ((stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] & (0xff << RETRIES_AT)) === 0) return false;
  const stamp = stack.cold.words[k + COLD.RETRANS_STAMP];
  const profile = stack.profileOfConnection(conn);
  return stamp !== 0 && ((stack.nowMs - stamp) | 0) >= patienceMs(retries, profile.rtoMinMs, profile.rtoMaxMs);
}

/** Sum of the timeouts of `retries` retransmissions that start at `least` ms and double up to `most` ms. */
export function patienceMs(retries: number, least: number, most: number): number {
  let doublings = 0;
  while (least * 2 ** (doublings + 1) <= most) doublings++;
  if (retries <= doublings) return (2 ** (retries + 1) - 1) * least;
  return (2 ** (doublings + 1) - 1) * least + (retries - doublings) * most;
}
