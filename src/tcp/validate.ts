/**
 * What is checked of a segment before its ACK (RFC 9293 3.10.7.4, first to fourth; RFC 7323 5.3; RFC 5961 3.2, 4.2), in
 * the order of Linux's `tcp_validate_incoming`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { enterQuickAck, MAX_QUICK_ACKS } from "./delayed_ack.ts";
import { suspectBlackHole } from "./fast_open_end.ts";
import { isFastOpenPending } from "./fast_open_queue.ts";
import { finish } from "./finish.ts";
import { PAWS, pawsVerdict } from "./paws.ts";
import { busyReceiver } from "./receiver.ts";
import { endsBlocks, reportDuplicate } from "./sack_out.ts";
import { sendAck, sendChallengeAck } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { STATE } from "./state/states.ts";
import { FLAG, TCB } from "./state/tcb.ts";
import { urgentIn } from "./urgent_in.ts";
import { openWindow, unreadBytes } from "./window.ts";

const { STATE: STATE_AT, SND_NXT, RCV_NXT, RCV_WUP, MASK, STRIDE } = TCB;
const { STATE_MASK } = FLAG;
const { SEQ, ACK, CONTROL: P_CONTROL, LENGTH, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const { FLAGS_MASK } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK, URG: F_URG } = TCP_FLAG;
const { SYN_RECEIVED, CLOSE_WAIT, CLOSING, LAST_ACK } = STATE;
/** States after the peer's FIN. */
const AFTER_FIN = (1 << CLOSE_WAIT) | (1 << CLOSING) | (1 << LAST_ACK);

/** May the segment go on to its ACK? If not, it has been answered as it deserves, and the connection may be done. */
export function isAcceptable(stack: TcpStack, conn: number, p: number): boolean {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const o = (p * P_STRIDE) & P_MASK;
  const c = (conn * STRIDE) & MASK;
  const flags = packets[o + P_CONTROL] & FLAGS_MASK;
  // RFC 9293 3.10.7.4, fifth: without ACK, and neither reset nor SYN, it says nothing.
  if ((flags & (F_ACK | F_RST | F_SYN)) === 0) return false;
  const seq = packets[o + SEQ];
  const syn = (flags & F_SYN) !== 0;
  const end = (seq + packets[o + LENGTH] + ((flags & F_FIN) !== 0 ? 1 : 0) + (syn ? 1 : 0)) | 0;
  const reset = (flags & F_RST) !== 0;
  // RFC 7323 5.3 R1: PAWS, before the sequence check; never for a reset.
  const paws = reset ? PAWS.PASSES : pawsVerdict(stack, conn, p);
  if (paws !== PAWS.PASSES) {
    if (syn) return challenge(stack, conn);
    stack.counters.pawsRejects++;
    if (paws === PAWS.FAILS) repeatAck(stack, conn, p, seq, end);
    return false;
  }
  // First, the sequence number (RFC 9293 3.10.7.4, 3.4).
  if (!isInWindow(stack, conn, seq, end, (flags & F_FIN) !== 0)) {
    if (reset) {
      if (repeatsFin(words, c, seq)) resetIn(stack, conn);
      return false;
    }
    stack.counters.outOfWindow++;
    if (syn) return challenge(stack, conn);
    // RFC 9293 3.4 MUST-66: URG is looked at even where the window is shut.
    if ((flags & F_URG) !== 0 && seq === words[c + RCV_NXT]) urgentIn(stack, conn, p);
    repeatAck(stack, conn, p, seq, end);
    return false;
  }
  // Second, RST: RFC 5961 3.2, which Linux widens to the number of a FIN and the end of what was SACKed.
  if (reset) {
    if (seq === words[c + RCV_NXT] || repeatsFin(words, c, seq) || endsBlocks(stack, conn, seq)) resetIn(stack, conn);
    else {
      suspectBlackHole(stack, conn);
      sendChallengeAck(stack, conn);
    }
    return false;
  }
  // Fourth, SYN: RFC 5961 4.2; but a SYN-ACK completes a simultaneous open (RFC 9293 3.5 figure 8, MUST-10).
  if (!syn) return true;
  const opening = (words[c + STATE_AT] & STATE_MASK) === SYN_RECEIVED && ((seq + 1) | 0) === words[c + RCV_NXT];
  if (opening && (flags & F_ACK) === 0) {
    // The peer's SYN of a simultaneous open, again: our SYN-ACK was lost. The timer repeats it.
    return false;
  }
  if (opening && ((seq + 1) | 0) === end && packets[o + ACK] === words[c + SND_NXT]) return true;
  return challenge(stack, conn);
}

function challenge(stack: TcpStack, conn: number): boolean {
  sendChallengeAck(stack, conn);
  return false;
}

/**
 * As Linux: from Last.ACK.sent to the right edge. What reaches beyond that is taken whole if the application has read
 * all there was, else not at all.
 */
function isInWindow(stack: TcpStack, conn: number, seq: number, end: number, fin: boolean): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (((end - words[c + RCV_WUP]) | 0) < 0) return false;
  const edge = (words[c + RCV_NXT] + openWindow(words, c)) | 0;
  if (((end - edge) | 0) <= (fin ? 1 : 0)) return true;
  return ((seq - edge) | 0) <= 0 && unreadBytes(stack, conn) === 0;
}

/** A reset with the number of the peer's FIN: what some stacks send after it. */
function repeatsFin(words: Int32Array, c: number, seq: number): boolean {
  return ((1 << (words[c + STATE_AT] & STATE_MASK)) & AFTER_FIN) !== 0 && seq === ((words[c + RCV_NXT] - 1) | 0);
}

/** An unacceptable segment is answered with an ACK (RFC 9293 3.10.7.4), and data in it reported as received twice. */
function repeatAck(stack: TcpStack, conn: number, p: number, seq: number, end: number): void {
  if (isRateLimited(stack, conn, p)) return;
  const next = stack.tcbs.words[conn * STRIDE + RCV_NXT];
  if (seq !== end && ((seq - next) | 0) < 0) {
    enterQuickAck(stack, conn, MAX_QUICK_ACKS);
    reportDuplicate(stack, conn, seq, ((end - next) | 0) > 0 ? next : end);
  }
  sendAck(stack, conn);
}

/**
 * Is it too soon to answer another segment of this kind? Two ends that differ about a connection must not answer one
 * another for ever; segments with data are no part of such a loop (Linux `tcp_oow_rate_limited`).
 */
function isRateLimited(stack: TcpStack, conn: number, p: number): boolean {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  if (packets[o + LENGTH] !== 0 || (packets[o + P_CONTROL] & F_FIN) !== 0) {
    if ((packets[o + P_CONTROL] & F_SYN) === 0) return false;
  }
  return takeAnswer(stack, conn);
}

/** True if an answer of this connection was sent less than `invalidRateLimitMs` ago; else this one is noted. */
export function takeAnswer(stack: TcpStack, conn: number): boolean {
  const r = busyReceiver(stack, conn) + RECEIVER.LAST_OOW;
  const rows = stack.receivers.words;
  const elapsed = (stack.nowMs - rows[r]) | 0;
  if (rows[r] !== 0 && elapsed >= 0 && elapsed < stack.profileOfConnection(conn).invalidRateLimitMs) return true;
  rows[r] = stack.nowMs || 1;
  return false;
}

/** An acceptable reset (RFC 9293 3.10.7.4, second): no error once both sides have closed, else those of Linux. */
function resetIn(stack: TcpStack, conn: number): void {
  stack.counters.resetsReceived++;
  const state = stack.tcbs.words[conn * STRIDE + STATE_AT] & STATE_MASK;
  // A connection of Fast Open's is one already (Linux).
  if (state === SYN_RECEIVED && !isFastOpenPending(stack, conn)) return finish(stack, conn, ERRNO.ECONNREFUSED);
  if (state === CLOSING || state === LAST_ACK) return finish(stack, conn, 0);
  finish(stack, conn, state === CLOSE_WAIT ? ERRNO.EPIPE : ERRNO.ECONNRESET);
}
