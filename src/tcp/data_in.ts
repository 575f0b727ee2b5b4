/**
 * Data and FIN of an inbound segment: what is taken, what is held beyond a gap, and when that is acknowledged.
 *
 * @module
 */
import { CONTROL, EXTRA, PACKET } from "../wire/packet.ts";
import { fillVirtual } from "../wire/payload.ts";
import { ByteRing } from "../store/ring.ts";
import { enterTimeWait, setState } from "./finish.ts";
import { hasGap, holdRange, READY, ready, takeReady } from "./reassembly.ts";
import { sendAck } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { STATE: STATE_AT, RCV_NXT, RCV_WUP, RCV_ADV, MSS, HOST, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, STREAM, STRIDE: WARM_STRIDE } = WARM;
const { QUICK_MASK, PING_PONG, SCHEDULED, SEEN_DATA, HEARD } = ACK_STATE;
const { STATE_MASK, FIN_RECEIVED, UNACCEPTED } = FLAG;
const { CONTROL: P_CONTROL, EXTRA: P_EXTRA, STRIDE: P_STRIDE } = PACKET;
const { DELACK } = TIMER;
const { REAL_PAYLOAD } = CONTROL;
/** Quick ACKs at the start of a conversation, at most (Linux `TCP_MAX_QUICKACKS`). */
const MAX_QUICK_ACKS = 16;

/** In-order data in the common case: nothing held beyond a gap, no FIN, all within the window. */
export function takeInOrder(stack: TcpStack, conn: number, p: number, length: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const seq = words[c + RCV_NXT];
  const real = (stack.packets.rows.words[p * P_STRIDE + P_CONTROL] & REAL_PAYLOAD) !== 0;
  if (real || stack.warm[conn * WARM_STRIDE + STREAM] !== 0) {
    deliver(stack, conn, seq, length, real ? payloadOf(stack, p).subarray(0, length) : null);
  }
  words[c + RCV_NXT] = (seq + length) | 0;
  stack.counters.bytesIn += length;
  noteData(stack, conn, length);
  if ((words[c + STATE_AT] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT.READABLE, length);
}

function payloadOf(stack: TcpStack, p: number): Uint8Array {
  const extra = stack.packets.rows.words[p * P_STRIDE + P_EXTRA];
  return stack.packets.payloads.get(stack.packets.extras.words[extra * EXTRA.STRIDE + EXTRA.PAYLOAD]);
}

/** Puts bytes into the receive ring: real ones, or the pattern of counted ones once there is a ring. */
function deliver(stack: TcpStack, conn: number, seq: number, length: number, bytes: Uint8Array | null): void {
  if (length === 0) return;
  const index = stack.warm[conn * WARM_STRIDE + STREAM];
  if (index === 0 && bytes === null) return;
  const stream = stack.streamOf(conn);
  if (stream.receive === null) {
    if (bytes === null) return;
    stream.receive = new ByteRing();
  }
  if (bytes === null) {
    bytes = new Uint8Array(length);
    fillVirtual(bytes, 0, length, seq);
  }
  stream.receive.write(bytes);
}

/**
 * The text and FIN of an acceptable segment (RFC 9293 3.10.7.4, seventh and eighth). `seq` is the first byte's number,
 * after a SYN. The connection may be done when this returns.
 */
export function dataIn(stack: TcpStack, conn: number, p: number, seq: number, length: number, fin: boolean): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const next = words[c + RCV_NXT];
  let end = (seq + length) | 0;
  if ((words[c + STATE_AT] & FIN_RECEIVED) !== 0) {
    // Nothing follows a FIN; a retransmission of it is acknowledged again.
    sendAck(stack, conn);
    return;
  }
  if (((end - next) | 0) < 0 || (end === next && !fin)) {
    stack.counters.duplicateData++;
    enterQuickAck(stack, conn);
    sendAck(stack, conn);
    return;
  }
  // Trim to the window on the right (RFC 9293 3.10.7.4: "only this part is processed").
  const beyond = (end - words[c + RCV_ADV]) | 0;
  if (beyond > 0) {
    end = words[c + RCV_ADV];
    fin = false;
    stack.counters.outOfWindow++;
    if (((end - seq) | 0) <= 0 || ((end - next) | 0) <= 0) {
      sendAck(stack, conn);
      return;
    }
  }
  const real = (stack.packets.rows.words[p * P_STRIDE + P_CONTROL] & REAL_PAYLOAD) !== 0;
  const bytes = real ? payloadOf(stack, p) : null;
  const early = (seq - next) | 0;
  if (early > 0) {
    stack.counters.outOfOrder++;
    holdRange(stack, conn, seq, end, fin, bytes);
    // RFC 5681 4.2: an immediate duplicate ACK tells the sender of the gap.
    enterQuickAck(stack, conn);
    sendAck(stack, conn);
    return;
  }
  const gap = hasGap(stack, conn);
  let total = (end - next) | 0;
  if (total > 0) {
    if (bytes !== null || stack.warm[conn * WARM_STRIDE + STREAM] !== 0) {
      deliver(stack, conn, next, total, bytes === null ? null : bytes.subarray(-early, -early + total));
    }
    words[c + RCV_NXT] = end;
  }
  if (gap && !fin) {
    for (let taken = takeReady(stack, conn); taken !== READY.NOTHING; taken = takeReady(stack, conn)) {
      deliver(stack, conn, ready.seq, ready.length, ready.bytes);
      words[c + RCV_NXT] = (words[c + RCV_NXT] + ready.length) | 0;
      total += ready.length;
      if (taken === READY.FIN) fin = true;
      if (fin) break;
    }
  }
  ready.bytes = null;
  if (total > 0) {
    stack.counters.bytesIn += total;
    noteData(stack, conn, length);
    if ((words[c + STATE_AT] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT.READABLE, total);
    // RFC 5681 4.2: what fills a gap is acknowledged at once.
    if (gap && !fin) sendAck(stack, conn);
  }
  if (gap) stack.releaseColdAtRest(conn);
  if (!fin) return;
  finIn(stack, conn);
  // The FIN was behind a gap: this ACK does not wait for our own FIN either.
  if (gap && (words[c + STATE_AT] & STATE_MASK) === STATE.CLOSE_WAIT) sendAck(stack, conn);
}

/** The peer's FIN has been reached (RFC 9293 3.10.7.4, eighth). */
function finIn(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  words[c + RCV_NXT] = (words[c + RCV_NXT] + 1) | 0;
  words[c + STATE_AT] |= FIN_RECEIVED;
  if (((words[c + RCV_NXT] - words[c + RCV_ADV]) | 0) > 0) words[c + RCV_ADV] = words[c + RCV_NXT];
  if ((words[c + STATE_AT] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT.PEER_CLOSED, 0);
  const state = words[c + STATE_AT] & STATE_MASK;
  if (state === STATE.ESTABLISHED || state === STATE.SYN_RECEIVED) {
    setState(stack, conn, STATE.CLOSE_WAIT);
    // As Linux: the answer may be our own FIN, which carries the ACK (RFC 9293 3.8.6.3 SHLD-18).
    stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] |= PING_PONG | SCHEDULED | SEEN_DATA;
  } else if (state === STATE.FIN_WAIT_1) {
    // Our FIN is not acknowledged: simultaneous close.
    sendAck(stack, conn);
    setState(stack, conn, STATE.CLOSING);
  } else if (state === STATE.FIN_WAIT_2) {
    sendAck(stack, conn);
    enterTimeWait(stack, conn);
  }
}

/** Notes that data came in, for the delayed-ACK rules. An ACK is owed. */
function noteData(stack: TcpStack, conn: number, length: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  const acks = stack.warm[at];
  const segment = words[c + MSS] >>> 16;
  if (length > segment) {
    const most = Math.max(536, stack.hosts.mtuOf(words[c + HOST]) - 40);
    words[c + MSS] = (words[c + MSS] & 0xffff) | (Math.min(length, most) << 16);
  }
  if ((acks & SEEN_DATA) === 0) {
    stack.warm[at] = (acks & ~QUICK_MASK) | SEEN_DATA | SCHEDULED | HEARD | quickCount(words, c);
  } else stack.warm[at] = acks | SCHEDULED | HEARD;
}

function quickCount(words: Int32Array, c: number): number {
  const window = (words[c + RCV_ADV] - words[c + RCV_WUP]) | 0;
  const segments = Math.floor(window / (2 * Math.max(1, words[c + MSS] >>> 16)));
  return Math.min(MAX_QUICK_ACKS, Math.max(2, segments));
}

/** Something is amiss: acknowledge the next segments at once (Linux `tcp_enter_quickack_mode`). */
function enterQuickAck(stack: TcpStack, conn: number): void {
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  const count = quickCount(stack.tcbs.words, conn * STRIDE);
  stack.warm[at] = (stack.warm[at] & ~(QUICK_MASK | PING_PONG)) | count;
}

/**
 * Sends the ACK that is owed, or arms the delayed ACK (RFC 9293 3.8.6.3 SHLD-18, SHLD-19: at least every second
 * full-sized segment; MUST-40: within 500 ms).
 */
export function ackCheck(stack: TcpStack, conn: number): void {
  const acks = stack.warm[conn * WARM_STRIDE + ACK_STATE_AT];
  if ((acks & SCHEDULED) === 0) return;
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  if (
    ((words[c + RCV_NXT] - words[c + RCV_WUP]) | 0) > words[c + MSS] >>> 16 ||
    ((acks & QUICK_MASK) !== 0 && (acks & PING_PONG) === 0)
  ) {
    sendAck(stack, conn);
    return;
  }
  if (stack.timers[conn * TIMER.STRIDE + DELACK] !== 0) return;
  const delay = stack.profileOfConnection(conn).delayedAckMs;
  if (delay === 0) sendAck(stack, conn);
  else stack.armTimer(conn, DELACK, delay);
}
