/**
 * Segments in that are not of the usual kind (`segment_path.ts`): RFC 9293 3.10.7 in its order.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { ackIn, oldAckIn } from "./ack_in.ts";
import { dataIn } from "./data_in.ts";
import { ackCheck } from "./delayed_ack.ts";
import { congestionWindowReduced } from "./ecn_in.ts";
import { isFastOpenPending } from "./fast_open_queue.ts";
import { fastOpenAcked, fastOpenChildIn, fastOpenSettled } from "./fast_open_server.ts";
import { enterTimeWait, finish, setState, shrinkFinWait2, timeWaitMs } from "./finish.ts";
import { finTimeMs } from "./linger.ts";
import { armProbe, output } from "./output.ts";
import * as PAWS from "./paws.ts";
import { probeDelayMs, probingEnds } from "./persist.ts";
import { rtoMs } from "./rtt.ts";
import { spellOutFlight } from "./lone_flight_row.ts";
import { keepIdleMs } from "./settings.ts";
import { sendChallengeAck, sendConnectionReset, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_FLAG } from "./state/ack_sample.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, REXMIT_KIND, TCB, TIMER, WARM } from "./state/tcb.ts";
import { simultaneousDone } from "./syn_sent.ts";
import { urgentIn } from "./urgent_in.ts";
import { isAcceptable } from "./validate.ts";
import * as WRITABLE from "./writable.ts";

// As layouts: an imported function is checked at every use.
const { roomForWriter } = WRITABLE;
const { storeTimestamp } = PAWS;
const { EXTRA: P_EXTRA } = PACKET;
const {
  ECE: ACK_FLAG_ECE,
  HAS_DATA: ACK_FLAG_HAS_DATA,
  SLOW_PATH: ACK_FLAG_SLOW_PATH,
  WINDOW_UPDATED: ACK_FLAG_WINDOW_UPDATED,
} = ACK_FLAG;
const {
  DONE: FLAG_DONE,
  ECN: FLAG_ECN,
  FIN_QUEUED: FLAG_FIN_QUEUED,
  SACK: FLAG_SACK,
  WANTS_ROOM: FLAG_WANTS_ROOM,
} = FLAG;
const { STREAM: WARM_STREAM } = WARM;
const { KEEPALIVE: TIMER_KEEPALIVE, REXMIT: TIMER_REXMIT, STRIDE: TIMER_STRIDE } = TIMER;
const { CLOSED: STATE_CLOSED } = STATE;
const { PROBE: REXMIT_KIND_PROBE } = REXMIT_KIND;
const { MSS: TCB_MSS } = TCB;

const {
  STATE: STATE_AT,
  SND_UNA,
  SND_NXT,
  SND_WND,
  SND_END,
  RCV_NXT,
  HOST,
  MASK,
  STRIDE,
} = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, SND_WL1, MAX_WINDOW, STREAM, MASK: WARM_MASK, STRIDE: WARM_STRIDE } =
  WARM;
const { STATE_MASK, SND_SHIFT_AT, TIMESTAMPS, FIN_SENT, FIN_RECEIVED, READ_SHUT, ORPHAN, KEEP_ALIVE } = FLAG;
const {
  SEQ,
  ACK,
  CONTROL: P_CONTROL,
  WINDOW_TTL_TOS,
  LENGTH,
  TS_ECR,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
} = PACKET;
const { HAS_TIMESTAMPS, HAS_SACK, FLAGS_MASK } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, ACK: F_ACK, URG: F_URG, ECE: F_ECE, CWR: F_CWR } = TCP_FLAG;
const { RTX_HEAD, STRIDE: COLD_STRIDE } = COLD;
const { RETRIES_AT, BACKOFF_AT, KIND_AT } = ACK_STATE;
const { ESTABLISHED, SYN_RECEIVED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK, CLOSE_WAIT } = STATE;
/** States in which a segment's text is looked at. */
const TAKES_TEXT = (1 << ESTABLISHED) | (1 << FIN_WAIT_1) | (1 << FIN_WAIT_2) | (1 << CLOSE_WAIT) | (1 << CLOSING) |
  (1 << LAST_ACK);
const RETRIES = 0xff << RETRIES_AT;
const ATTEMPTS = (0xf << BACKOFF_AT) | RETRIES;
/** States in which a Fast Open connection may still wait for the final ACK. */
const MAY_BE_PENDING = (1 << SYN_RECEIVED) | (1 << FIN_WAIT_1);

/** Acknowledged real bytes are let go. */
export function releaseSent(stack: TcpStack, conn: number, ack: number): void {
  const ring = stack.streams[stack.warm[conn * WARM_STRIDE + WARM_STREAM]]!.send;
  if (ring === null) return;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  // A FIN's number lies past the last byte.
  const position = ring.end - Math.max(0, (words[c + SND_END] - ack) | 0);
  if (position > ring.begin) ring.release(Math.min(position, ring.end));
}

/** RFC 9293 3.8.4 MUST-26: the keep-alive interval counts from the last segment received. */
export function touchKeepAlive(stack: TcpStack, conn: number): void {
  const at = conn * TIMER_STRIDE + TIMER_KEEPALIVE;
  if (stack.timers[at] === 0) return;
  stack.timers[at] = ((stack.nowTick + keepIdleMs(stack, conn)) | 0) || 1;
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0 || stack.cold.words[row * COLD_STRIDE + RTX_HEAD] === 0) {
    stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] &= ~RETRIES;
  }
}

/** RFC 9293 3.10.7.4 for the states from SYN_RECEIVED on. */
export function slowIn(stack: TcpStack, conn: number, p: number): void {
  spellOutFlight(stack, conn);
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = (p * P_STRIDE) & P_MASK;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const before = words[c + STATE_AT];
  const pending = ((1 << (before & STATE_MASK)) & MAY_BE_PENDING) !== 0 && isFastOpenPending(stack, conn);
  if (pending && !fastOpenChildIn(stack, conn, p)) return;
  if (!isAcceptable(stack, conn, p)) return;
  const flags = packets[o + P_CONTROL] & FLAGS_MASK;
  // Fifth, ACK: after the SYN of a SYN-ACK that completes a simultaneous open.
  if ((flags & F_ACK) === 0) return;
  const seq = (packets[o + SEQ] + ((flags & F_SYN) !== 0 ? 1 : 0)) | 0;
  const length = packets[o + LENGTH];
  const fin = (flags & F_FIN) !== 0;
  const state = words[c + STATE_AT];
  if ((state & KEEP_ALIVE) !== 0) touchKeepAlive(stack, conn);
  const ack = packets[o + ACK];
  if (pending) {
    // RFC 9293 3.10.7.4: an unacceptable ACK before the connection is synchronized.
    if (((ack - words[c + SND_UNA]) | 0) < 0 || ((ack - words[c + SND_NXT]) | 0) > 0) {
      return sendResetFor(stack, words[c + HOST], p);
    }
    fastOpenAcked(stack, conn, p);
  } else if ((state & STATE_MASK) === SYN_RECEIVED) {
    if (!simultaneousDone(stack, conn, p, ack)) return;
  }
  if (((ack - words[c + SND_NXT]) | 0) > 0) {
    // RFC 9293 3.10.7.4: it acknowledges what was not sent; RFC 5961 5.2.
    sendChallengeAck(stack, conn);
    return;
  }
  const una = words[c + SND_UNA];
  const advance = (ack - una) | 0;
  if (advance >= 0) storeTimestamp(stack, conn, p, seq);
  if (advance < 0) {
    // RFC 5961 5.2 (RFC 9293 3.10.7.4): too old to be anything but blind injection.
    if (((ack - una + warm[w + MAX_WINDOW]) | 0) < 0) {
      sendChallengeAck(stack, conn);
      return;
    }
    const extra = sackRowOf(stack, conn, p);
    if (extra !== 0) oldAckIn(stack, conn, ack, echoOf(stack, conn, p), ACK_FLAG_SLOW_PATH, extra);
  } else if (!acceptAck(stack, conn, p, ack, advance, seq, length + (fin ? 1 : 0))) return;
  if (pending) fastOpenSettled(stack, conn);
  // A FIN that waited for the end of the handshake goes before what came with the final ACK is looked at (Linux).
  if (pending && (words[c + STATE_AT] & (FLAG_FIN_QUEUED | FIN_SENT)) === FLAG_FIN_QUEUED) output(stack, conn);
  // RFC 3168 6.1.3: the peer has reduced its window; as Linux, an ACK may say so too.
  if ((flags & F_CWR) !== 0 && (state & FLAG_ECN) !== 0) congestionWindowReduced(stack, conn, length > 0 || fin);
  // Sixth, URG.
  if ((flags & F_URG) !== 0 || warm[w + COLD_AT] !== 0) urgentIn(stack, conn, p);
  // The SYN-ACK of a simultaneous open repeats a SYN that has been taken: as any duplicate, it is acknowledged (Linux).
  if ((flags & F_SYN) !== 0) dataIn(stack, conn, p, (seq - 1) | 0, 1, false);
  // Seventh and eighth, text and FIN.
  if ((length > 0 || fin) && !textIn(stack, conn, p, seq, length, fin)) return;
  if ((words[c + STATE_AT] & STATE_MASK) === STATE_CLOSED) return;
  output(stack, conn);
  ackCheck(stack, conn);
}

/** The text and FIN of an acceptable segment, as far as the state has any. False if the connection was reset. */
function textIn(stack: TcpStack, conn: number, p: number, seq: number, length: number, fin: boolean): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const flags = words[c + STATE_AT];
  const state = flags & STATE_MASK;
  if (((1 << state) & TAKES_TEXT) === 0) return true;
  if (state !== ESTABLISHED) {
    // After the peer's FIN there is nothing new (RFC 9293 3.10.7.4, seventh).
    if ((flags & FIN_RECEIVED) !== 0 && ((seq - words[c + RCV_NXT]) | 0) >= 0) return true;
    const closed = (flags & (ORPHAN | READ_SHUT | FIN_RECEIVED)) !== 0;
    if (closed && length > 0 && ((seq + length - words[c + RCV_NXT]) | 0) > 0) {
      // RFC 9293 3.6.1 SHLD-3: data for an application that has closed: a reset says that it is lost.
      sendResetFor(stack, words[c + HOST], p);
      finish(stack, conn, (flags & ORPHAN) !== 0 ? 0 : ERRNO.ECONNRESET);
      return false;
    }
  }
  dataIn(stack, conn, p, seq, length, fin);
  return true;
}

/** The window that a segment offers: that of a SYN is never scaled (RFC 7323 2.2). */
function offeredWindow(packets: Int32Array, o: number, state: number): number {
  const field = packets[o + WINDOW_TTL_TOS] >>> 16;
  return (packets[o + P_CONTROL] & F_SYN) !== 0 ? field : field << ((state >> SND_SHIFT_AT) & 0xf);
}

/** The echoed timestamp of a segment, 0 for none. */
function echoOf(stack: TcpStack, conn: number, p: number): number {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const stamped = (packets[o + P_CONTROL] & HAS_TIMESTAMPS) !== 0 &&
    (stack.tcbs.words[conn * STRIDE + STATE_AT] & TIMESTAMPS) !== 0;
  return stamped ? packets[o + TS_ECR] : 0;
}

/** The extra row of a segment with SACK blocks for a connection that uses SACK, 0 for none. */
function sackRowOf(stack: TcpStack, conn: number, p: number): number {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  if ((packets[o + P_CONTROL] & HAS_SACK) === 0) return 0;
  return (stack.tcbs.words[conn * STRIDE + STATE_AT] & FLAG_SACK) === 0 ? 0 : packets[o + P_EXTRA];
}

/**
 * An ACK within SND.UNA to SND.NXT: window, retransmission queue, and the states that our FIN's acknowledgement ends.
 * False if the connection is done.
 */
function acceptAck(
  stack: TcpStack,
  conn: number,
  p: number,
  ack: number,
  advance: number,
  seq: number,
  occupied: number,
): boolean {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = (p * P_STRIDE) & P_MASK;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const window = offeredWindow(packets, o, words[c + STATE_AT]);
  const before = words[c + SND_WND];
  // RFC 9293 3.10.7.4: SND.WL1, SND.WL2: not from an old segment; as Linux, a newer ACK always counts.
  const newer = (seq - warm[w + SND_WL1]) | 0;
  let flags = ACK_FLAG_SLOW_PATH | (occupied > 0 ? ACK_FLAG_HAS_DATA : 0);
  if (advance > 0 || newer > 0 || (newer === 0 && (window > before || window === 0))) {
    flags |= ACK_FLAG_WINDOW_UPDATED;
    words[c + SND_WND] = window;
    warm[w + SND_WL1] = seq;
    if (window > warm[w + MAX_WINDOW]) warm[w + MAX_WINDOW] = window;
  }
  const probing = ((warm[w + ACK_STATE_AT] >> KIND_AT) & 3) === REXMIT_KIND_PROBE;
  const row = warm[w + COLD_AT];
  const flying = row !== 0 && stack.cold.words[row * COLD_STRIDE + RTX_HEAD] !== 0;
  const tcpFlags = packets[o + P_CONTROL] & FLAGS_MASK;
  // RFC 3168 6.1.2: ECE from a peer with which ECN was negotiated, but not on a SYN.
  if ((tcpFlags & (F_ECE | F_SYN)) === F_ECE && (words[c + STATE_AT] & FLAG_ECN) !== 0) flags |= ACK_FLAG_ECE;
  ackIn(stack, conn, ack, echoOf(stack, conn, p), flags, sackRowOf(stack, conn, p));
  if (advance > 0) {
    if (warm[w + STREAM] !== 0) releaseSent(stack, conn, ack);
    if ((words[c + STATE_AT] & FLAG_WANTS_ROOM) !== 0) roomForWriter(stack, conn);
  }
  if (!flying && probing) probeAnswered(stack, conn);
  else if (!flying && (warm[w + ACK_STATE_AT] & ATTEMPTS) !== 0) {
    // What was backed off stays so until a round trip is measured, unless something waits that may go now (Linux).
    warm[w + ACK_STATE_AT] &= words[c + SND_END] === words[c + SND_NXT] ? ~RETRIES : ~ATTEMPTS;
  }
  if ((words[c + STATE_AT] & FIN_SENT) === 0 || words[c + SND_UNA] !== words[c + SND_NXT]) return true;
  // Our FIN is acknowledged.
  const state = words[c + STATE_AT] & STATE_MASK;
  if (state === FIN_WAIT_1) {
    setState(stack, conn, FIN_WAIT_2);
    if ((words[c + STATE_AT] & ORPHAN) !== 0) orphanAcked(stack, conn, p, seq);
    return (words[c + STATE_AT] & FLAG_DONE) === 0;
  } else if (state === CLOSING) {
    enterTimeWait(stack, conn);
    return false;
  } else if (state === LAST_ACK) {
    finish(stack, conn, 0);
    return false;
  }
  return true;
}

/** The segment `p` has acknowledged an orphan's FIN. */
function orphanAcked(stack: TcpStack, conn: number, p: number, seq: number): void {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const o = (p * P_STRIDE) & P_MASK;
  const fin = (packets[o + P_CONTROL] & F_FIN) !== 0;
  const length = packets[o + LENGTH];
  const fresh = (length > 0 || fin) && ((seq + length - words[conn * STRIDE + RCV_NXT]) | 0) > 0;
  if (fresh || finTimeMs(stack, conn, rtoMs(stack, conn)) < 0) {
    // RFC 9293 3.6.1 SHLD-3: data for an application that has closed; or TCP_LINGER2 below 0: no waiting.
    sendResetFor(stack, words[conn * STRIDE + HOST], p);
    finish(stack, conn, 0);
    return;
  }
  // A FIN in the same segment is for the connection as it is.
  armOrphan(stack, conn, fin);
}

/**
 * An orphan does not wait for the peer's FIN for ever (Linux `tcp_fin_timeout`); and only what is beyond the time of
 * TIME_WAIT, or what it `keeps` its row for, it waits as a whole connection.
 */
export function armOrphan(stack: TcpStack, conn: number, keeps: boolean): void {
  const lastsMs = Math.max(1, finTimeMs(stack, conn, rtoMs(stack, conn)));
  const smallMs = timeWaitMs(stack, stack.tcbs.words[conn * STRIDE + HOST]);
  if (lastsMs <= smallMs && !keeps) return shrinkFinWait2(stack, conn, lastsMs);
  stack.timers[conn * TIMER_STRIDE + TIMER_KEEPALIVE] = 0;
  stack.armTimer(conn, TIMER_KEEPALIVE, lastsMs > smallMs ? lastsMs - smallMs : lastsMs);
}

/** An orphan has waited in FIN_WAIT_2 for long enough, or may go on as a smaller row. */
export function orphanFired(stack: TcpStack, conn: number): void {
  const smallMs = timeWaitMs(stack, stack.tcbs.words[conn * STRIDE + HOST]);
  if (smallMs === 0) return finish(stack, conn, 0);
  const restMs = finTimeMs(stack, conn, rtoMs(stack, conn)) - smallMs;
  if (restMs > 0) return shrinkFinWait2(stack, conn, restMs);
  sendConnectionReset(stack, conn);
  finish(stack, conn, 0);
}

/** A zero-window probe was answered: the peer lives. If the window has opened, probing ends (RFC 9293 3.8.6.1 MUST-37). */
function probeAnswered(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  // The peer answers: probe for ever (the back-off stays).
  stack.warm[at] &= ~(0xff << RETRIES_AT);
  const room = (words[c + SND_UNA] + words[c + SND_WND] - words[c + SND_NXT]) | 0;
  const waiting = (words[c + SND_END] - words[c + SND_NXT]) | 0;
  const segment = Math.min(words[c + TCB_MSS] & 0xffff, waiting);
  if (room >= Math.max(1, segment)) {
    stack.warm[at] &= ~(ATTEMPTS | (3 << KIND_AT));
    stack.disarmTimer(conn, TIMER_REXMIT);
    probingEnds(stack, conn);
  } else if (stack.timers[conn * TIMER_STRIDE + TIMER_REXMIT] === 0) armProbe(stack, conn);
  else stack.armTimer(conn, TIMER_REXMIT, probeDelayMs(stack, conn));
}

/** A segment has arrived at a host. The packet stays the driver's. */
export function segmentIn(stack: TcpStack, host: number, p: number): void {
  stack.path.segmentIn(host, p);
}
