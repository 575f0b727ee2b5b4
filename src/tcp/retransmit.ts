/**
 * The retransmission queue: a list of records, one for each segment in flight, and what is sent again from it.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import { rtoMs } from "./rtt.ts";
import { attachPayload, emit } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, COLD, REXMIT_KIND, RTX, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { SND_UNA, SND_WND, MSS, CWND, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const {
  RTX_HEAD,
  RTX_TAIL,
  RTX_HINT,
  PACKETS_OUT,
  SACKED_OUT,
  LOST_OUT,
  RETRANS_OUT,
  RETRANS_STAMP,
  STRIDE: COLD_STRIDE,
} = COLD;
const { NEXT, PREV, SEQ, END, SENT_US, FLAGS, RETRANSMITS, STRIDE: RTX_STRIDE } = RTX;
const { SACKED, LOST, RETRANSMITTED, EVER, FIN, PUSH } = RTX_FLAG;
const { REXMIT } = TIMER;
const { KIND_AT } = ACK_STATE;
const { FIN: F_FIN, PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;

/** (Re)starts the retransmission timer, replacing a probe timer (RFC 6298 5.1, 5.3). */
export function armRetransmit(stack: TcpStack, conn: number): void {
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  const acks = stack.warm[at];
  if ((acks & (3 << KIND_AT)) !== 0) stack.warm[at] = (acks & ~(3 << KIND_AT)) | (REXMIT_KIND.RETRANSMIT << KIND_AT);
  stack.armTimer(conn, REXMIT, rtoMs(stack, conn));
}

/** Appends a record for a segment just sent. `end` counts a FIN. The connection has a cold row. */
export function recordSegment(stack: TcpStack, conn: number, seq: number, end: number, flags: number): void {
  const record = stack.segments.allocate();
  const records = stack.segments.words;
  const r = record * RTX_STRIDE;
  const cold = stack.cold.words;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  const tail = cold[k + RTX_TAIL];
  records[r + PREV] = tail;
  records[r + SEQ] = seq;
  records[r + END] = end;
  records[r + SENT_US] = stack.nowUs;
  records[r + FLAGS] = flags;
  if (tail === 0) cold[k + RTX_HEAD] = record;
  else records[tail * RTX_STRIDE + NEXT] = record;
  cold[k + RTX_TAIL] = record;
  cold[k + PACKETS_OUT]++;
}

/** Segments thought to be in the network (Linux's `tcp_packets_in_flight`; `pipe` of RFC 6675). */
export function inFlight(cold: Int32Array, k: number): number {
  return cold[k + PACKETS_OUT] - cold[k + SACKED_OUT] - cold[k + LOST_OUT] + cold[k + RETRANS_OUT];
}

/** Takes a record for lost. */
export function markLost(stack: TcpStack, k: number, record: number): void {
  const cold = stack.cold.words;
  const at = record * RTX_STRIDE + FLAGS;
  const flags = stack.segments.words[at];
  if ((flags & (LOST | SACKED)) === 0) {
    cold[k + LOST_OUT]++;
    stack.segments.words[at] = flags | LOST;
    const hint = cold[k + RTX_HINT];
    if (
      hint !== 0 &&
      ((stack.segments.words[record * RTX_STRIDE + SEQ] - stack.segments.words[hint * RTX_STRIDE + SEQ]) | 0) < 0
    ) cold[k + RTX_HINT] = record;
  }
}

/** After a timeout: everything in flight is taken for lost, and retransmissions too (RFC 5681 3.1, Linux `tcp_enter_loss`). */
export function markAllLost(stack: TcpStack, k: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  let lost = 0;
  for (let record = cold[k + RTX_HEAD]; record !== 0; record = records[record * RTX_STRIDE + NEXT]) {
    const at = record * RTX_STRIDE + FLAGS;
    if ((records[at] & SACKED) !== 0) continue;
    records[at] = (records[at] & ~RETRANSMITTED) | LOST;
    lost++;
  }
  cold[k + LOST_OUT] = lost;
  cold[k + RETRANS_OUT] = 0;
  cold[k + RTX_HINT] = 0;
}

/** Frees the first record, which is acknowledged. */
export function dropHead(stack: TcpStack, k: number): void {
  const cold = stack.cold.words;
  const records = stack.segments.words;
  const head = cold[k + RTX_HEAD];
  const r = head * RTX_STRIDE;
  const flags = records[r + FLAGS];
  if ((flags & SACKED) !== 0) cold[k + SACKED_OUT]--;
  if ((flags & LOST) !== 0) cold[k + LOST_OUT]--;
  if ((flags & RETRANSMITTED) !== 0) cold[k + RETRANS_OUT]--;
  cold[k + PACKETS_OUT]--;
  if (cold[k + RTX_HINT] === head) cold[k + RTX_HINT] = 0;
  const next = records[r + NEXT];
  cold[k + RTX_HEAD] = next;
  if (next === 0) cold[k + RTX_TAIL] = 0;
  else records[next * RTX_STRIDE + PREV] = 0;
  stack.segments.release(head);
}

/** Splits a record that is longer than `bytes`: the MSS went down, or the window is smaller. */
function splitRecord(stack: TcpStack, k: number, record: number, bytes: number): void {
  const rest = stack.segments.allocate();
  const records = stack.segments.words;
  const cold = stack.cold.words;
  const r = record * RTX_STRIDE;
  const s = rest * RTX_STRIDE;
  records.copyWithin(s, r, r + RTX_STRIDE);
  const middle = (records[r + SEQ] + bytes) | 0;
  records[s + SEQ] = middle;
  records[r + END] = middle;
  records[r + FLAGS] &= ~(FIN | PUSH);
  records[s + PREV] = record;
  records[r + NEXT] = rest;
  const after = records[s + NEXT];
  if (after === 0) cold[k + RTX_TAIL] = rest;
  else records[after * RTX_STRIDE + PREV] = rest;
  const flags = records[r + FLAGS];
  cold[k + PACKETS_OUT]++;
  if ((flags & SACKED) !== 0) cold[k + SACKED_OUT]++;
  if ((flags & LOST) !== 0) cold[k + LOST_OUT]++;
  if ((flags & RETRANSMITTED) !== 0) cold[k + RETRANS_OUT]++;
}

/** Sends a record again. False if the window does not let it: only the first one may go out regardless. */
export function retransmitRecord(stack: TcpStack, conn: number, record: number): boolean {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  let records = stack.segments.words;
  const r = record * RTX_STRIDE;
  const seq = records[r + SEQ];
  const mss = words[c + MSS] & 0xffff;
  const room = (words[c + SND_UNA] + words[c + SND_WND] - seq) | 0;
  if (room <= 0 && seq !== words[c + SND_UNA]) return false;
  let length = dataLength(records, r);
  // RFC 9293 3.8.6.1: a peer that shrank its window still gets the oldest byte again (MUST-34, SHLD-16).
  const most = room > 0 ? Math.min(mss, room) : 1;
  if (length > most) {
    splitRecord(stack, k, record, most);
    records = stack.segments.words;
    length = most;
  }
  const flags = records[r + FLAGS];
  const cold = stack.cold.words;
  if ((flags & RETRANSMITTED) === 0) cold[k + RETRANS_OUT]++;
  records[r + FLAGS] = flags | RETRANSMITTED | EVER;
  records[r + SENT_US] = stack.nowUs;
  records[r + RETRANSMITS]++;
  if (cold[k + RETRANS_STAMP] === 0) cold[k + RETRANS_STAMP] = stack.nowMs || 1;
  stack.counters.retransmissions++;
  const p = emit(
    stack,
    conn,
    seq,
    length,
    F_ACK | ((flags & FIN) !== 0 ? F_FIN : 0) | ((flags & PUSH) !== 0 ? F_PSH : 0),
  );
  attachPayload(stack, conn, p, seq, length);
  return true;
}

function dataLength(records: Int32Array, r: number): number {
  return ((records[r + END] - records[r + SEQ]) | 0) - ((records[r + FLAGS] & FIN) !== 0 ? 1 : 0);
}

/** Retransmits what is marked lost, oldest first, as far as the congestion window and the peer's window allow. */
export function retransmitLost(stack: TcpStack, conn: number): void {
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  // What was retransmitted is marked lost too: nothing is left to do once the counts are equal.
  if (stack.cold.words[k + LOST_OUT] <= stack.cold.words[k + RETRANS_OUT]) return;
  const c = conn * STRIDE;
  let record = stack.cold.words[k + RTX_HINT] || stack.cold.words[k + RTX_HEAD];
  let sent = false;
  while (record !== 0) {
    const cold = stack.cold.words;
    if (inFlight(cold, k) >= stack.tcbs.words[c + CWND]) break;
    const flags = stack.segments.words[record * RTX_STRIDE + FLAGS];
    if ((flags & (LOST | RETRANSMITTED | SACKED)) === LOST) {
      if (!retransmitRecord(stack, conn, record)) break;
      sent = true;
    }
    record = stack.segments.words[record * RTX_STRIDE + NEXT];
  }
  // Everything before the hint has been dealt with; at the end of the list, new losses start from the head again.
  stack.cold.words[k + RTX_HINT] = record;
  if (sent && stack.timers[conn * TIMER.STRIDE + REXMIT] === 0) armRetransmit(stack, conn);
}
