/**
 * The retransmission timer before a connection is established (RFC 9293 3.8.3 MUST-22, MUST-23, RFC 6298).
 *
 * @module
 */
import { accountTimeout } from "./accounting.ts";
import { repeatSyn } from "./connect.ts";
import { detectBlackHole } from "./fast_open_end.ts";
import { fastOpenAt } from "./fast_open_queue.ts";
import { fastOpenSynAckFired } from "./fast_open_server.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { FAST_OPEN } from "./state/fast_open_row.ts";
import { noteRepetition } from "./reports.ts";
import { rtoMs } from "./rtt.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";
import { patienceMs } from "./timeout.ts";

const { RETRIES_AT, BACKOFF_AT } = ACK_STATE;

/**
 * The timer of a SYN, or of the SYN-ACK of a simultaneous open, went off: it is sent again. False if patience with it is
 * over, by number (`net.ipv4.tcp_syn_retries`, TCP_SYNCNT) or by time (TCP_USER_TIMEOUT).
 */
export function synFired(stack: TcpStack, conn: number): boolean {
  const words = stack.tcbs.words;
  const w = conn * WARM.STRIDE;
  const at = w + WARM.ACK_STATE;
  const profile = stack.profileOfConnection(conn);
  const acks = stack.warm[at];
  const retries = (acks >> RETRIES_AT) & 0xff;
  const answers = (words[conn * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK) !== STATE.SYN_SENT;
  const own = readSetting(stack, conn, SETTINGS.SYN_RETRIES);
  const linear = answers ? 0 : profile.synLinearTimeouts;
  const backedOff = own || (answers ? profile.synAckRetries : profile.synRetries);
  const limit = backedOff + linear;
  const user = readSetting(stack, conn, SETTINGS.USER_TIMEOUT_MS);
  const elapsed = Math.floor(((stack.nowUs - stack.warm[w + WARM.MDEV]) >>> 0) / 1000);
  // As Linux: also once so much time has gone as the retransmissions would take if all were backed off.
  const patience = user || patienceMs(backedOff, profile.rtoInitialMs, profile.rtoMaxMs);
  const expired = retries >= limit || (retries > 0 && elapsed >= patience);
  detectBlackHole(stack, conn, retries, expired);
  if (expired) return false;
  // The first `synLinearTimeouts` repetitions are not backed off (Linux 6.5).
  const before = (acks >> BACKOFF_AT) & 0xf;
  const backoff = !answers && retries < linear ? before : Math.min(15, before + 1);
  stack.warm[at] = (acks & ~((0xff << RETRIES_AT) | (0xf << BACKOFF_AT))) | (Math.min(255, retries + 1) << RETRIES_AT) |
    (backoff << BACKOFF_AT);
  stack.counters.retransmissions++;
  stack.counters.synRetransmissions++;
  if (words[conn * TCB.STRIDE + TCB.STATE] < 0) accountTimeout(stack, conn);
  const f = fastOpenAt(stack, conn);
  if (f !== 0) stack.fastOpens.words[f + FAST_OPEN.REPEATED]++;
  noteRepetition(stack, conn);
  repeatSyn(stack, conn);
  const timeout = rtoMs(stack, conn);
  stack.armTimer(conn, TIMER.REXMIT, user === 0 ? timeout : Math.max(1, Math.min(timeout, user - elapsed)));
  return true;
}

/** The timer of a Fast Open connection's SYN-ACK went off. False if patience with it is over. */
export function fastOpenTimerFired(stack: TcpStack, conn: number): boolean {
  const own = readSetting(stack, conn, SETTINGS.SYN_RETRIES);
  return fastOpenSynAckFired(stack, conn, own || stack.profileOfConnection(conn).synAckRetries + 1);
}
