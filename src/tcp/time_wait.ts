/**
 * Segments for a connection in TIME_WAIT (RFC 9293 3.10.7.4, RFC 6191, RFC 1337), or for an orphan in FIN_WAIT_2 that
 * became as small, as Linux's `tcp_timewait_state_process`.
 *
 * @module
 */
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { armTimeWait, releaseTimeWait, timeWaitMs } from "./finish.ts";
import { isOldStamp, mayAnswer } from "./out_of_window.ts";
import { sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { TIME_WAIT_FLAG, TIME_WAIT_ROW } from "./state/tcb.ts";
import { synIn } from "./syn_queue.ts";

const { FLAGS_MASK, HAS_TIMESTAMPS } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const TCP_BITS = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | CONTROL.DONT_FRAGMENT;
const TW = TIME_WAIT_ROW;
/** Linux `TCP_PAWS_MSL`. */
const RESET_TRUST_MS = 60_000;

/** A segment for a TIME_WAIT row. */
export function timeWaitIn(stack: TcpStack, host: number, row: number, p: number): void {
  const packets = stack.packets.rows.words;
  const rows = stack.timeWaits.words;
  const o = p * PACKET.STRIDE;
  const t = row * TW.STRIDE;
  const control = packets[o + PACKET.CONTROL];
  const flags = control & FLAGS_MASK;
  const seq = packets[o + PACKET.SEQ];
  const length = packets[o + PACKET.LENGTH];
  const end = (seq + length + (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0)) | 0;
  const next = rows[t + TW.RCV_NXT];
  const profile = stack.profileOf(host);
  const lastsMs = timeWaitMs(stack, host);
  const stamped = (rows[t + TW.FLAGS] & TIME_WAIT_FLAG.TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const stamp = packets[o + PACKET.TS_VAL];
  const reset = (flags & F_RST) !== 0;
  // RFC 7323 5.3: a reset is refused for its age only for a minute after the last good timestamp (Linux).
  const old = stamped && isOldStamp(stamp, rows[t + TW.TS_RECENT]) &&
    !(reset && ((stack.nowMs - rows[t + TW.TS_STAMP]) | 0) >= RESET_TRUST_MS);
  if ((rows[t + TW.FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0) {
    if (old) stack.counters.pawsRejects++;
    finWait2In(stack, host, row, p, end, old);
    return;
  }
  if (!old && seq === next && (end === seq || reset)) {
    if (reset) {
      // RFC 1337: TIME-WAIT is not to be assassinated, if the host says so; by default (as Linux's) an exact reset does.
      if (!profile.rfc1337 && (flags & F_SYN) === 0) {
        stack.counters.resetsReceived++;
        stack.counters.timeWaitsKilled++;
        releaseTimeWait(stack, row);
        return;
      }
    } else armTimeWait(stack, row, lastsMs);
    // The ACK that the peer owed: nothing to answer.
    if (stamped) {
      rows[t + TW.TS_RECENT] = stamp;
      rows[t + TW.TS_STAMP] = stack.nowMs;
    }
    return;
  }
  if (reset) {
    if (old) stack.counters.pawsRejects++;
    return;
  }
  if ((flags & (F_SYN | F_ACK)) === F_SYN && !old) {
    // RFC 9293 3.6.1 MAY-2 and RFC 6191: a new incarnation, if its sequence number or its timestamp is beyond.
    const newer = stamped && ((rows[t + TW.TS_RECENT] - stamp) | 0) < 0;
    const listener = stack.demux.findListener(host, packets[o + PACKET.DST], packets[o + PACKET.PORTS] & 0xffff);
    if (listener !== 0 && (flags & F_FIN) === 0 && (((seq - next) | 0) > 0 || newer)) {
      stack.counters.timeWaitsRecycled++;
      const least = ((rows[t + TW.SND_NXT] + 65535 + 2) | 0) || 1;
      releaseTimeWait(stack, row);
      synIn(stack, host, listener, p, least);
      return;
    }
  }
  if (old) stack.counters.pawsRejects++;
  // RFC 9293 3.10.7.4: the FIN again starts the 2 MSL anew; as Linux, so does whatever is no bare SYN.
  if (old || (flags & F_ACK) !== 0) armTimeWait(stack, row, lastsMs);
  // RFC 9293 3.10.7.4: anything else is answered with an ACK, not too often.
  if ((flags & (F_ACK | F_SYN | F_FIN)) === 0) return;
  if (mayAnswer(stack, host, rows, t + TW.LAST_OOW, packets, o)) sendTimeWaitAck(stack, host, row);
}

/** Is any of the segment in the window, or is it as good as that? */
function isInWindow(seq: number, end: number, next: number, edge: number): boolean {
  if (seq === next) return true;
  if (((end - next) | 0) > 0 && ((seq - edge) | 0) < 0) return true;
  return seq === edge && seq === end;
}

/** A segment for an orphan in FIN_WAIT_2. `end`: one past its last sequence number; `old`: its timestamp is. */
function finWait2In(stack: TcpStack, host: number, row: number, p: number, end: number, old: boolean): void {
  const packets = stack.packets.rows.words;
  const rows = stack.timeWaits.words;
  const o = p * PACKET.STRIDE;
  const t = row * TW.STRIDE;
  const flags = packets[o + PACKET.CONTROL] & FLAGS_MASK;
  const seq = packets[o + PACKET.SEQ];
  const next = rows[t + TW.RCV_NXT];
  if (old || !isInWindow(seq, end, next, rows[t + TW.RCV_ADV])) {
    // RFC 9293 3.10.7.4, first: an unacceptable segment is answered with an ACK.
    if (mayAnswer(stack, host, rows, t + TW.LAST_OOW, packets, o)) sendTimeWaitAck(stack, host, row);
    return;
  }
  if ((flags & F_RST) !== 0) {
    stack.counters.resetsReceived++;
    releaseTimeWait(stack, row);
    return;
  }
  const beyond = (end - next) | 0;
  if ((flags & F_SYN) === 0 || ((seq - next) | 0) < 0) {
    // Nothing new.
    if ((flags & F_ACK) === 0 || beyond <= 0 || end === seq) return;
    if ((flags & F_FIN) !== 0 && beyond === 1) {
      rows[t + TW.FLAGS] &= ~TIME_WAIT_FLAG.FIN_WAIT_2;
      rows[t + TW.RCV_NXT] = end;
      rows[t + TW.SINCE_MS] = stack.nowMs;
      if ((packets[o + PACKET.CONTROL] & HAS_TIMESTAMPS) !== 0) {
        rows[t + TW.TS_RECENT] = packets[o + PACKET.TS_VAL];
        rows[t + TW.TS_STAMP] = stack.nowMs;
      }
      stack.counters.timeWaits++;
      armTimeWait(stack, row, timeWaitMs(stack, host));
      sendTimeWaitAck(stack, host, row);
      return;
    }
  }
  // RFC 9293 3.6.1 SHLD-3: data for an application that has closed.
  sendResetFor(stack, host, p);
  releaseTimeWait(stack, row);
}

function sendTimeWaitAck(stack: TcpStack, host: number, row: number): void {
  const p = stack.packets.allocate();
  const packets = stack.packets.rows.words;
  const rows = stack.timeWaits.words;
  const o = p * PACKET.STRIDE;
  const t = row * TW.STRIDE;
  const window = Math.max(0, (rows[t + TW.RCV_ADV] - rows[t + TW.RCV_NXT]) | 0);
  packets[o + PACKET.SRC] = rows[t + TW.LOCAL];
  packets[o + PACKET.DST] = rows[t + TW.REMOTE];
  packets[o + PACKET.PORTS] = rows[t + TW.PORTS];
  packets[o + PACKET.SEQ] = rows[t + TW.SND_NXT];
  packets[o + PACKET.ACK] = rows[t + TW.RCV_NXT];
  packets[o + PACKET.CONTROL] = F_ACK | TCP_BITS;
  packets[o + PACKET.WINDOW_TTL_TOS] = (Math.min(65535, window >> ((rows[t + TW.FLAGS] >> 8) & 0xf)) << 16) |
    ((rows[t + TW.FLAGS] >>> 24) << 8) | ((rows[t + TW.FLAGS] >>> 16) & 0xff);
  if ((rows[t + TW.FLAGS] & TIME_WAIT_FLAG.TIMESTAMPS) !== 0) {
    packets[o + PACKET.CONTROL] |= HAS_TIMESTAMPS;
    packets[o + PACKET.TS_VAL] = (stack.nowMs + rows[t + TW.TS_OFFSET]) | 0;
    packets[o + PACKET.TS_ECR] = rows[t + TW.TS_RECENT];
  }
  packets[o + PACKET.LINK] = host;
  stack.pushOut(p);
}
