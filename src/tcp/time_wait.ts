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

const {
  ACK: P_ACK,
  CONTROL: P_CONTROL,
  DST: P_DST,
  LENGTH: P_LENGTH,
  LINK: P_LINK,
  PORTS: P_PORTS,
  SEQ: P_SEQ,
  SRC: P_SRC,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
  TS_ECR: P_TS_ECR,
  TS_VAL: P_TS_VAL,
  WINDOW_TTL_TOS: P_WINDOW_TTL_TOS,
} = PACKET;
const {
  FLAGS: TW_FLAGS,
  LAST_OOW: TW_LAST_OOW,
  LOCAL: TW_LOCAL,
  PORTS: TW_PORTS,
  RCV_ADV: TW_RCV_ADV,
  RCV_NXT: TW_RCV_NXT,
  REMOTE: TW_REMOTE,
  SINCE_MS: TW_SINCE_MS,
  SND_NXT: TW_SND_NXT,
  MASK: TW_MASK,
  STRIDE: TW_STRIDE,
  TS_OFFSET: TW_TS_OFFSET,
  TS_RECENT: TW_TS_RECENT,
  TS_STAMP: TW_TS_STAMP,
} = TIME_WAIT_ROW;
/** Linux `TCP_PAWS_MSL`. */
const RESET_TRUST_MS = 60_000;

/** A segment for a TIME_WAIT row. */
export function timeWaitIn(stack: TcpStack, host: number, row: number, p: number): void {
  const packets = stack.packets.rows.words;
  const rows = stack.timeWaits.words;
  const o = (p * P_STRIDE) & P_MASK;
  const t = (row * TW_STRIDE) & TW_MASK;
  const control = packets[o + P_CONTROL];
  const flags = control & FLAGS_MASK;
  const seq = packets[o + P_SEQ];
  const length = packets[o + P_LENGTH];
  const end = (seq + length + (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0)) | 0;
  const next = rows[t + TW_RCV_NXT];
  const profile = stack.profileOf(host);
  const lastsMs = timeWaitMs(stack, host);
  const stamped = (rows[t + TW_FLAGS] & TIME_WAIT_FLAG.TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const stamp = packets[o + P_TS_VAL];
  const reset = (flags & F_RST) !== 0;
  // RFC 7323 5.3: a reset is refused for its age only for a minute after the last good timestamp (Linux).
  const old = stamped && isOldStamp(stamp, rows[t + TW_TS_RECENT]) &&
    !(reset && ((stack.nowMs - rows[t + TW_TS_STAMP]) | 0) >= RESET_TRUST_MS);
  if ((rows[t + TW_FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0) {
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
      rows[t + TW_TS_RECENT] = stamp;
      rows[t + TW_TS_STAMP] = stack.nowMs;
    }
    return;
  }
  if (reset) {
    if (old) stack.counters.pawsRejects++;
    return;
  }
  if ((flags & (F_SYN | F_ACK)) === F_SYN && !old) {
    // RFC 9293 3.6.1 MAY-2 and RFC 6191: a new incarnation, if its sequence number or its timestamp is beyond.
    const newer = stamped && ((rows[t + TW_TS_RECENT] - stamp) | 0) < 0;
    const listener = stack.demux.findListener(host, packets[o + P_DST], packets[o + P_PORTS] & 0xffff);
    if (listener !== 0 && (flags & F_FIN) === 0 && (((seq - next) | 0) > 0 || newer)) {
      stack.counters.timeWaitsRecycled++;
      const least = ((rows[t + TW_SND_NXT] + 65535 + 2) | 0) || 1;
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
  if (mayAnswer(stack, host, rows, t + TW_LAST_OOW, packets, o)) sendTimeWaitAck(stack, host, row);
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
  const o = (p * P_STRIDE) & P_MASK;
  const t = (row * TW_STRIDE) & TW_MASK;
  const flags = packets[o + P_CONTROL] & FLAGS_MASK;
  const seq = packets[o + P_SEQ];
  const next = rows[t + TW_RCV_NXT];
  if (old || !isInWindow(seq, end, next, rows[t + TW_RCV_ADV])) {
    // RFC 9293 3.10.7.4, first: an unacceptable segment is answered with an ACK.
    if (mayAnswer(stack, host, rows, t + TW_LAST_OOW, packets, o)) sendTimeWaitAck(stack, host, row);
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
      rows[t + TW_FLAGS] &= ~TIME_WAIT_FLAG.FIN_WAIT_2;
      rows[t + TW_RCV_NXT] = end;
      rows[t + TW_SINCE_MS] = stack.nowMs;
      if ((packets[o + P_CONTROL] & HAS_TIMESTAMPS) !== 0) {
        rows[t + TW_TS_RECENT] = packets[o + P_TS_VAL];
        rows[t + TW_TS_STAMP] = stack.nowMs;
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
  const o = (p * P_STRIDE) & P_MASK;
  const t = (row * TW_STRIDE) & TW_MASK;
  const window = Math.max(0, (rows[t + TW_RCV_ADV] - rows[t + TW_RCV_NXT]) | 0);
  packets[o + P_SRC] = rows[t + TW_LOCAL];
  packets[o + P_DST] = rows[t + TW_REMOTE];
  packets[o + P_PORTS] = rows[t + TW_PORTS];
  packets[o + P_SEQ] = rows[t + TW_SND_NXT];
  packets[o + P_ACK] = rows[t + TW_RCV_NXT];
  packets[o + P_CONTROL] = F_ACK | TCP_BITS;
  packets[o + P_WINDOW_TTL_TOS] = (Math.min(65535, window >> ((rows[t + TW_FLAGS] >> 8) & 0xf)) << 16) |
    ((rows[t + TW_FLAGS] >>> 24) << 8) | ((rows[t + TW_FLAGS] >>> 16) & 0xff);
  if ((rows[t + TW_FLAGS] & TIME_WAIT_FLAG.TIMESTAMPS) !== 0) {
    packets[o + P_CONTROL] |= HAS_TIMESTAMPS;
    packets[o + P_TS_VAL] = (stack.nowMs + rows[t + TW_TS_OFFSET]) | 0;
    packets[o + P_TS_ECR] = rows[t + TW_TS_RECENT];
  }
  packets[o + P_LINK] = host;
  stack.pushOut(p);
}
