/**
 * Segments for a connection in TIME_WAIT (RFC 9293 3.10.7.4, RFC 6191, RFC 1337), as Linux's
 * `tcp_timewait_state_process`.
 *
 * @module
 */
import { CONTROL, PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { armTimeWait, releaseTimeWait } from "./finish.ts";
import { synIn } from "./listen.ts";
import type { TcpStack } from "./stack.ts";
import { TIME_WAIT_ROW } from "./state/tcb.ts";

const { FLAGS_MASK, HAS_TIMESTAMPS } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const TCP_BITS = (PROTOCOL.TCP << CONTROL.PROTOCOL_SHIFT) | CONTROL.DONT_FRAGMENT;
const TW = TIME_WAIT_ROW;

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
  const stamped = (rows[t + TW.FLAGS] & 1) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const age = stamped ? (packets[o + PACKET.TS_VAL] - rows[t + TW.TS_RECENT]) | 0 : 0;
  if ((flags & F_RST) !== 0) {
    // RFC 1337: as `tcp_rfc1337` = 0 (Linux's default) only an exact reset without SYN ends TIME_WAIT.
    if (age >= 0 && seq === next && (flags & F_SYN) === 0) {
      stack.counters.resetsReceived++;
      stack.counters.timeWaitsKilled++;
      releaseTimeWait(stack, row);
    }
    return;
  }
  if ((flags & (F_SYN | F_ACK)) === F_SYN) {
    // RFC 9293 3.6.1 MAY-2 and RFC 6191: a new incarnation, if its sequence number or its timestamp is beyond.
    const listener = stack.demux.findListener(host, packets[o + PACKET.DST], packets[o + PACKET.PORTS] & 0xffff);
    if (listener !== 0 && (flags & F_FIN) === 0 && age >= 0 && (((seq - next) | 0) > 0 || age > 0)) {
      stack.counters.timeWaitsRecycled++;
      const least = (rows[t + TW.SND_NXT] + 65535 + 2) | 0;
      releaseTimeWait(stack, row);
      synIn(stack, host, listener, p, least);
      return;
    }
  }
  if (age < 0) stack.counters.pawsRejects++;
  else if (flags === F_ACK && length === 0 && seq === next) {
    // The ACK that the peer owed: nothing to answer.
    if (stamped) rows[t + TW.TS_RECENT] = packets[o + PACKET.TS_VAL];
    return;
  }
  if (age >= 0 && (flags & F_FIN) !== 0 && end === next) {
    // RFC 9293 3.10.7.4: the FIN again: acknowledge it and start the 2 MSL anew.
    armTimeWait(stack, row, Math.ceil(stack.profileOf(host).timeWaitNs / 1e6));
  }
  // RFC 9293 3.10.7.4: anything else is answered with an ACK.
  if ((flags & (F_ACK | F_SYN | F_FIN)) !== 0) sendTimeWaitAck(stack, host, row);
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
  if ((rows[t + TW.FLAGS] & 1) !== 0) {
    packets[o + PACKET.CONTROL] |= HAS_TIMESTAMPS;
    packets[o + PACKET.TS_VAL] = (stack.nowMs + rows[t + TW.TS_OFFSET]) | 0;
    packets[o + PACKET.TS_ECR] = rows[t + TW.TS_RECENT];
  }
  packets[o + PACKET.LINK] = host;
  stack.pushOut(p);
}
