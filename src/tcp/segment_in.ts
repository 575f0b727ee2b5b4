/**
 * Segments in: the fast path of an established connection first, then RFC 9293 3.10.7 in its order.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { hashTuple } from "../store/tuple_table.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { accountSegment } from "./accounting.ts";
import { ackCheck, dataIn, takeInOrder } from "./data_in.ts";
import { suspectBlackHole } from "./fast_open_end.ts";
import { isFastOpenPending } from "./fast_open_queue.ts";
import { fastOpenAcked, fastOpenChildIn } from "./fast_open_server.ts";
import { enterTimeWait, finish, setState } from "./finish.ts";
import { finTimeMs } from "./linger.ts";
import { listenerIn } from "./listen.ts";
import { armProbe, output } from "./output.ts";
import { probeDelayMs, probingEnds } from "./persist.ts";
import { acknowledge, duplicateAck } from "./recovery.ts";
import { rtoMs } from "./rtt.ts";
import { keepIdleMs } from "./settings.ts";
import { sendAck, sendChallengeAck, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, REXMIT_KIND, TCB, TIMER, WARM } from "./state/tcb.ts";
import { synReceivedIn } from "./syn_queue.ts";
import { simultaneousDone, synSentIn } from "./syn_sent.ts";
import { timeWaitIn } from "./time_wait.ts";
import { roomForWriter } from "./writable.ts";

const {
  STATE: STATE_AT,
  SND_UNA,
  SND_NXT,
  SND_WND,
  SND_END,
  RCV_NXT,
  RCV_WUP,
  RCV_ADV,
  TS_RECENT,
  HOST,
  STRIDE,
} = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, SND_WL1, MAX_WINDOW, STREAM, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, SND_SHIFT_AT, TIMESTAMPS, FIN_SENT, ORPHAN, KEEP_ALIVE } = FLAG;
const { SRC, DST, PORTS, SEQ, ACK, CONTROL: P_CONTROL, WINDOW_TTL_TOS, LENGTH, TS_VAL, TS_ECR, STRIDE: P_STRIDE } =
  PACKET;
const { HAS_TIMESTAMPS, FLAGS_MASK } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;
const { OOO_HEAD, RTX_HEAD, RETRANS_STAMP, STRIDE: COLD_STRIDE } = COLD;
const { TS_AGE_AT, RETRIES_AT, BACKOFF_AT, KIND_AT } = ACK_STATE;
const { ESTABLISHED, SYN_SENT, SYN_RECEIVED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK, CLOSE_WAIT } = STATE;
const ATTEMPTS = (0xf << BACKOFF_AT) | (0xff << RETRIES_AT);
/** States in which a Fast Open connection may still wait for the final ACK. */
const MAY_BE_PENDING = (1 << SYN_RECEIVED) | (1 << FIN_WAIT_1);
/** 24 days (RFC 7323 5.5) in units of 2^24 ms. */
const TS_STALE_UNITS = 124;

/** A segment has arrived at a host. The packet stays the driver's. */
export function segmentIn(stack: TcpStack, host: number, p: number): void {
  const packets = stack.packets.rows.words;
  const o = p * P_STRIDE;
  const local = packets[o + DST];
  const remote = packets[o + SRC];
  const wire = packets[o + PORTS];
  const ports = (wire << 16) | (wire >>> 16);
  route(stack, host, p, stack.demux.findHashed(hashTuple(host, local, remote, ports), host, local, remote, ports));
}

/** As `segmentIn`, where `PACKET.HASH` holds `hashTuple(host, destination, source, swapped ports)` already. */
export function segmentInHashed(stack: TcpStack, host: number, p: number): void {
  const packets = stack.packets.rows.words;
  const o = p * P_STRIDE;
  const wire = packets[o + PORTS];
  const hash = packets[o + PACKET.HASH];
  route(
    stack,
    host,
    p,
    stack.demux.findHashed(hash, host, packets[o + DST], packets[o + SRC], (wire << 16) | (wire >>> 16)),
  );
}

function route(stack: TcpStack, host: number, p: number, value: number): void {
  stack.counters.segmentsIn++;
  if (value === 0) {
    const made = listenerIn(stack, host, p);
    if (made !== 0) connectionIn(stack, made, p);
    return;
  }
  const row = value >>> 2;
  const kind = value & 3;
  if (kind === ROW_KIND.CONNECTION) return connectionIn(stack, row, p);
  if (kind === ROW_KIND.TIME_WAIT) return timeWaitIn(stack, host, row, p);
  const conn = synReceivedIn(stack, host, row, p);
  // The final ACK of a handshake may carry data: the new connection takes it.
  if (conn !== 0) connectionIn(stack, conn, p);
}

function connectionIn(stack: TcpStack, conn: number, p: number): void {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = p * P_STRIDE;
  const c = conn * STRIDE;
  const w = conn * WARM_STRIDE;
  const control = packets[o + P_CONTROL];
  const state = words[c + STATE_AT];
  if (state < 0) accountSegment(stack, conn, p);
  // Header prediction: in order, nothing but ACK and PSH, no gap, timestamp not older, and no unsent data for which a
  // new window would matter.
  if (
    (state & STATE_MASK) === ESTABLISHED && (control & FLAGS_MASK & ~F_PSH) === F_ACK &&
    packets[o + SEQ] === words[c + RCV_NXT]
  ) {
    const window = (packets[o + WINDOW_TTL_TOS] >>> 16) << ((state >> SND_SHIFT_AT) & 0xf);
    const ack = packets[o + ACK];
    const length = packets[o + LENGTH];
    const una = words[c + SND_UNA];
    const advance = (ack - una) | 0;
    const row = warm[w + COLD_AT];
    if (
      (window === words[c + SND_WND] || words[c + SND_END] === words[c + SND_NXT]) && advance >= 0 &&
      ((words[c + SND_NXT] - ack) | 0) >= 0 &&
      (row === 0 || stack.cold.words[row * COLD_STRIDE + OOO_HEAD] === 0) &&
      length <= ((words[c + RCV_ADV] - words[c + RCV_NXT]) | 0) && (advance > 0 || length > 0)
    ) {
      let echo = 0;
      let current = true;
      if ((state & TIMESTAMPS) !== 0) {
        if ((control & HAS_TIMESTAMPS) !== 0) {
          const value = packets[o + TS_VAL];
          current = ((value - words[c + TS_RECENT]) | 0) >= 0;
          if (current) {
            echo = packets[o + TS_ECR];
            // RFC 7323 4.3: the segment begins at Last.ACK.sent or before it.
            if (words[c + RCV_WUP] === words[c + RCV_NXT]) {
              words[c + TS_RECENT] = value;
              noteTimestampAge(stack, w);
            }
          }
        } else current = false;
      }
      if (current) {
        if ((state & KEEP_ALIVE) !== 0) touchKeepAlive(stack, conn);
        if (window !== words[c + SND_WND]) {
          const seq = packets[o + SEQ];
          if (advance > 0 || ((seq - warm[w + SND_WL1]) | 0) > 0 || window > words[c + SND_WND]) {
            words[c + SND_WND] = window;
            warm[w + SND_WL1] = seq;
            if (window > warm[w + MAX_WINDOW]) warm[w + MAX_WINDOW] = window;
          }
        }
        if (advance > 0) {
          acknowledge(stack, conn, ack, echo);
          if ((state & FLAG.WANTS_ROOM) !== 0) roomForWriter(stack, conn);
          if (warm[w + STREAM] !== 0) releaseSent(stack, conn, ack);
        }
        if (length > 0) takeInOrder(stack, conn, p, length);
        if (words[c + SND_END] !== words[c + SND_NXT] || warm[w + COLD_AT] !== 0) output(stack, conn);
        if (length > 0) ackCheck(stack, conn);
        return;
      }
    }
  }
  if ((state & STATE_MASK) === SYN_SENT) return synSentIn(stack, conn, p);
  slowIn(stack, conn, p);
}

/** Acknowledged real bytes are let go. */
function releaseSent(stack: TcpStack, conn: number, ack: number): void {
  const ring = stack.streams[stack.warm[conn * WARM_STRIDE + WARM.STREAM]]!.send;
  if (ring === null) return;
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  // A FIN's number lies past the last byte.
  const position = ring.end - Math.max(0, (words[c + SND_END] - ack) | 0);
  if (position > ring.begin) ring.release(Math.min(position, ring.end));
}

function noteTimestampAge(stack: TcpStack, w: number): void {
  const at = w + ACK_STATE_AT;
  const unit = (stack.nowMs >>> 24) << TS_AGE_AT;
  if (((stack.warm[at] ^ unit) >>> TS_AGE_AT) !== 0) {
    stack.warm[at] = (stack.warm[at] & ((1 << TS_AGE_AT) - 1)) | unit;
  }
}

/** RFC 7323 5: is the timestamp older than TS.Recent, and that not older than 24 days (5.5)? */
function isOldTimestamp(stack: TcpStack, conn: number, value: number): boolean {
  if (((value - stack.tcbs.words[conn * STRIDE + TS_RECENT]) | 0) >= 0) return false;
  const age = ((stack.nowMs >>> 24) - (stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] >>> TS_AGE_AT)) & 0xff;
  return age < TS_STALE_UNITS;
}

/** RFC 9293 3.8.4 MUST-26: the keep-alive interval counts from the last segment received. */
function touchKeepAlive(stack: TcpStack, conn: number): void {
  const at = conn * TIMER.STRIDE + TIMER.KEEPALIVE;
  if (stack.timers[at] === 0) return;
  stack.timers[at] = ((stack.nowTick + keepIdleMs(stack, conn)) | 0) || 1;
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0 || stack.cold.words[row * COLD_STRIDE + RTX_HEAD] === 0) {
    stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] &= ~ATTEMPTS;
  }
}

/** RFC 9293 3.10.7.4 for the states from SYN_RECEIVED on. */
function slowIn(stack: TcpStack, conn: number, p: number): void {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = p * P_STRIDE;
  const c = conn * STRIDE;
  const w = conn * WARM_STRIDE;
  const control = packets[o + P_CONTROL];
  const flags = control & FLAGS_MASK;
  let seq = packets[o + SEQ];
  const length = packets[o + LENGTH];
  const fin = (flags & F_FIN) !== 0;
  const syn = (flags & F_SYN) !== 0;
  const end = (seq + length + (fin ? 1 : 0) + (syn ? 1 : 0)) | 0;
  const state = words[c + STATE_AT];
  const stamped = (state & TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;

  const pending = ((1 << (state & STATE_MASK)) & MAY_BE_PENDING) !== 0 && isFastOpenPending(stack, conn);
  if (pending && !fastOpenChildIn(stack, conn, p)) return;
  // RFC 7323 5.3 R1: PAWS, before the sequence check; never for a reset.
  if (stamped && (flags & F_RST) === 0 && isOldTimestamp(stack, conn, packets[o + TS_VAL])) {
    stack.counters.pawsRejects++;
    sendAck(stack, conn);
    return;
  }
  // First, the sequence number (RFC 9293 3.10.7.4, 3.4): as Linux, from Last.ACK.sent to the right edge.
  if (
    ((end - words[c + RCV_WUP]) | 0) < 0 || ((seq - rightEdge(words, c)) | 0) > 0
  ) {
    if ((flags & F_RST) !== 0) return;
    stack.counters.outOfWindow++;
    if (syn) sendChallengeAck(stack, conn);
    else sendAck(stack, conn);
    return;
  }
  // Second, RST: RFC 5961 3.2.
  if ((flags & F_RST) !== 0) {
    if (seq === words[c + RCV_NXT]) resetIn(stack, conn);
    else {
      suspectBlackHole(stack, conn);
      sendChallengeAck(stack, conn);
    }
    return;
  }
  // Fourth, SYN: RFC 5961 4.2; but a SYN-ACK completes a simultaneous open (RFC 9293 3.5 figure 8, MUST-10).
  if (syn) {
    const completes = (state & STATE_MASK) === SYN_RECEIVED && (flags & F_ACK) !== 0 &&
      ((seq + 1) | 0) === end && end === words[c + RCV_NXT] && packets[o + ACK] === words[c + SND_NXT];
    if (!completes) {
      if ((state & STATE_MASK) === SYN_RECEIVED && end === words[c + RCV_NXT] && (flags & F_ACK) === 0) {
        // The peer's SYN of a simultaneous open, again: our SYN-ACK was lost. The timer repeats it.
        return;
      }
      sendChallengeAck(stack, conn);
      return;
    }
    seq = (seq + 1) | 0;
  }
  // Fifth, ACK.
  if ((flags & F_ACK) === 0) return;
  if (stamped && ((seq - words[c + RCV_WUP]) | 0) <= 0 && ((packets[o + TS_VAL] - words[c + TS_RECENT]) | 0) >= 0) {
    words[c + TS_RECENT] = packets[o + TS_VAL];
    noteTimestampAge(stack, w);
  }
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
  if (advance < 0) {
    // RFC 5961 5.2 (RFC 9293 3.10.7.4): too old to be anything but blind injection.
    if (((ack - una + warm[w + MAX_WINDOW]) | 0) < 0) {
      sendChallengeAck(stack, conn);
      return;
    }
  } else if (!acceptAck(stack, conn, p, ack, advance, seq, length + (fin ? 1 : 0))) return;
  // Sixth, URG: the pointer is not passed on yet (RFC 9293 3.8.5 MUST-30, MUST-31: see docs); the bytes are data.
  const now = words[c + STATE_AT] & STATE_MASK;
  // Seventh and eighth, text and FIN: only in ESTABLISHED, FIN_WAIT_1 and FIN_WAIT_2.
  if (length > 0 || fin) {
    if (now === ESTABLISHED || now === FIN_WAIT_1 || now === FIN_WAIT_2) {
      if (
        length > 0 && now !== ESTABLISHED && (words[c + STATE_AT] & (ORPHAN | FLAG.READ_SHUT)) !== 0 &&
        ((end - (fin ? 1 : 0) - words[c + RCV_NXT]) | 0) > 0
      ) {
        // RFC 9293 3.6.1 SHLD-3: data for an application that has closed: a reset says that it is lost.
        sendResetFor(stack, words[c + HOST], p);
        finish(stack, conn, (words[c + STATE_AT] & ORPHAN) !== 0 ? 0 : ERRNO.ECONNRESET);
        return;
      }
      dataIn(stack, conn, p, seq, length, fin);
    } else if (now === CLOSE_WAIT || now === CLOSING || now === LAST_ACK) {
      // After the peer's FIN: a retransmission; acknowledge it again.
      sendAck(stack, conn);
    }
  }
  if ((words[c + STATE_AT] & STATE_MASK) === STATE.CLOSED) return;
  output(stack, conn);
  ackCheck(stack, conn);
}

/** The window that a segment offers: that of a SYN is never scaled (RFC 7323 2.2). */
function offeredWindow(packets: Int32Array, o: number, state: number): number {
  const field = packets[o + WINDOW_TTL_TOS] >>> 16;
  return (packets[o + P_CONTROL] & F_SYN) !== 0 ? field : field << ((state >> SND_SHIFT_AT) & 0xf);
}

function rightEdge(words: Int32Array, c: number): number {
  const edge = words[c + RCV_ADV];
  const next = words[c + RCV_NXT];
  return ((edge - next) | 0) < 0 ? next : edge;
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
  const o = p * P_STRIDE;
  const c = conn * STRIDE;
  const w = conn * WARM_STRIDE;
  const window = offeredWindow(packets, o, words[c + STATE_AT]);
  const before = words[c + SND_WND];
  // RFC 9293 3.10.7.4: SND.WL1, SND.WL2: not from an old segment; as Linux, a newer ACK always counts.
  const newer = (seq - warm[w + SND_WL1]) | 0;
  const changed = window !== before;
  if (advance > 0 || newer > 0 || (newer === 0 && window > before)) {
    words[c + SND_WND] = window;
    warm[w + SND_WL1] = seq;
    if (window > warm[w + MAX_WINDOW]) warm[w + MAX_WINDOW] = window;
  }
  const probing = ((warm[w + ACK_STATE_AT] >> KIND_AT) & 3) === REXMIT_KIND.PROBE;
  const row = warm[w + COLD_AT];
  const flying = row !== 0 && stack.cold.words[row * COLD_STRIDE + RTX_HEAD] !== 0;
  if (advance > 0) {
    if (flying) {
      const echo = (packets[o + P_CONTROL] & HAS_TIMESTAMPS) !== 0 && (words[c + STATE_AT] & TIMESTAMPS) !== 0
        ? packets[o + TS_ECR]
        : 0;
      acknowledge(stack, conn, ack, echo);
    } else words[c + SND_UNA] = ack;
    if (warm[w + STREAM] !== 0) releaseSent(stack, conn, ack);
    if ((words[c + STATE_AT] & FLAG.WANTS_ROOM) !== 0) roomForWriter(stack, conn);
  } else if (flying && occupied === 0 && !changed && window !== 0) {
    // RFC 5681 2: a duplicate ACK.
    duplicateAck(stack, conn);
  } else if (flying && window === 0 && stack.cold.words[row * COLD_STRIDE + RETRANS_STAMP] !== 0) {
    // RFC 9293 3.8.6 MUST-34, 3.8.6.1 MUST-37: a peer that has shrunk its window to nothing, and answers, lives: our
    // patience with it begins anew.
    stack.cold.words[row * COLD_STRIDE + RETRANS_STAMP] = stack.nowMs || 1;
  }
  if (!flying && probing) probeAnswered(stack, conn);
  else if (!flying && (warm[w + ACK_STATE_AT] & ATTEMPTS) !== 0) warm[w + ACK_STATE_AT] &= ~ATTEMPTS;
  if ((words[c + STATE_AT] & FIN_SENT) === 0 || words[c + SND_UNA] !== words[c + SND_NXT]) return true;
  // Our FIN is acknowledged.
  const state = words[c + STATE_AT] & STATE_MASK;
  if (state === FIN_WAIT_1) {
    setState(stack, conn, FIN_WAIT_2);
    if ((words[c + STATE_AT] & ORPHAN) !== 0) armOrphan(stack, conn);
    return (words[c + STATE_AT] & FLAG.DONE) === 0;
  } else if (state === CLOSING) {
    enterTimeWait(stack, conn);
    return false;
  } else if (state === LAST_ACK) {
    finish(stack, conn, 0);
    return false;
  }
  return true;
}

/** An orphan does not wait for the peer's FIN for ever (Linux `tcp_fin_timeout`). */
export function armOrphan(stack: TcpStack, conn: number): void {
  const lastsMs = finTimeMs(stack, conn, rtoMs(stack, conn));
  if (lastsMs < 0) {
    // TCP_LINGER2 below 0: no waiting.
    finish(stack, conn, 0);
    return;
  }
  stack.timers[conn * TIMER.STRIDE + TIMER.KEEPALIVE] = 0;
  stack.armTimer(conn, TIMER.KEEPALIVE, Math.max(1, lastsMs));
}

/** A zero-window probe was answered: the peer lives. If the window has opened, probing ends (RFC 9293 3.8.6.1 MUST-37). */
function probeAnswered(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  // The peer answers: probe for ever (the back-off stays).
  stack.warm[at] &= ~(0xff << RETRIES_AT);
  const room = (words[c + SND_UNA] + words[c + SND_WND] - words[c + SND_NXT]) | 0;
  const waiting = (words[c + SND_END] - words[c + SND_NXT]) | 0;
  const segment = Math.min(words[c + TCB.MSS] & 0xffff, waiting);
  if (room >= Math.max(1, segment)) {
    stack.warm[at] &= ~(ATTEMPTS | (3 << KIND_AT));
    stack.disarmTimer(conn, TIMER.REXMIT);
    probingEnds(stack, conn);
  } else if (stack.timers[conn * TIMER.STRIDE + TIMER.REXMIT] === 0) armProbe(stack, conn);
  else stack.armTimer(conn, TIMER.REXMIT, probeDelayMs(stack, conn));
}

/** An acceptable reset (RFC 9293 3.10.7.4, second). */
function resetIn(stack: TcpStack, conn: number): void {
  stack.counters.resetsReceived++;
  const state = stack.tcbs.words[conn * STRIDE + STATE_AT] & STATE_MASK;
  // A connection of Fast Open's is one already (Linux).
  if (state === SYN_RECEIVED && !isFastOpenPending(stack, conn)) return finish(stack, conn, ERRNO.ECONNREFUSED);
  if (state === CLOSING || state === LAST_ACK) return finish(stack, conn, 0);
  finish(stack, conn, state === CLOSE_WAIT ? ERRNO.EPIPE : ERRNO.ECONNRESET);
}
