/**
 * Data and FIN of an inbound segment: what is taken, what is held beyond a gap, and what is owed for it.
 *
 * @module
 */
import { CONTROL, EXTRA, PACKET } from "../wire/packet.ts";
import { fillVirtual } from "../wire/payload.ts";
import { ByteRing } from "../store/ring.ts";
import { accountOutOfOrder } from "./accounting.ts";
import { clampWindow, growWindow } from "./autotune.ts";
import * as DELAYED_ACK from "./delayed_ack.ts";
import {
  demandAck,
  enterPingPong,
  enterQuickAck,
  MAX_QUICK_ACKS,
  measureSegment,
  releaseCompressed,
  scheduleAck,
} from "./delayed_ack.ts";
import { ecnIn } from "./ecn_in.ts";
import { enterTimeWait, setState } from "./finish.ts";
import { dropRanges, hasGap, holdRange, pruneRanges, READY, ready, takeReady } from "./reassembly.ts";
import { busyReceiver } from "./receiver.ts";
import { forgetDuplicate, growBlock, placeBlock, removeBlocks, reportDuplicate, resetBlocks } from "./sack_out.ts";
import { sendAck } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE, TCP_EVENT } from "./state/states.ts";
import { FLAG, TCB, WARM } from "./state/tcb.ts";
import { heldBytes, openWindow, receiveBuffer, unreadBytes } from "./window.ts";

// As layouts: an imported function is checked at every use.
const { noteData } = DELAYED_ACK;

/** SACK blocks that a held-back ACK is expected to carry at most (Linux `TCP_SACK_BLOCKS_EXPECTED`). */
const EXPECTED_BLOCKS = 2;
const { PEER_CLOSED: TCP_EVENT_PEER_CLOSED, READABLE: TCP_EVENT_READABLE } = TCP_EVENT;
const { PAYLOAD: E_PAYLOAD, STRIDE: E_STRIDE } = EXTRA;
const {
  CLOSE_WAIT: STATE_CLOSE_WAIT,
  CLOSING: STATE_CLOSING,
  ESTABLISHED: STATE_ESTABLISHED,
  FIN_WAIT_1: STATE_FIN_WAIT_1,
  FIN_WAIT_2: STATE_FIN_WAIT_2,
  SYN_RECEIVED: STATE_SYN_RECEIVED,
} = STATE;

const { STATE: STATE_AT, RCV_NXT, RCV_ADV, MASK, STRIDE } = TCB;
const { COLD, STREAM, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, FIN_RECEIVED, UNACCEPTED, ECN, SACK } = FLAG;
const { CONTROL: P_CONTROL, EXTRA: P_EXTRA, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const { REAL_PAYLOAD } = CONTROL;

/** In-order data in the common case: nothing held beyond a gap, no FIN, all within the window. */
export function takeInOrder(stack: TcpStack, conn: number, p: number, length: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const seq = words[c + RCV_NXT];
  const real = (stack.packets.rows.words[((p * P_STRIDE) & P_MASK) + P_CONTROL] & REAL_PAYLOAD) !== 0;
  if (real || stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + STREAM] !== 0) {
    deliver(stack, conn, seq, length, real ? payloadOf(stack, p).subarray(0, length) : null);
  }
  words[c + RCV_NXT] = (seq + length) | 0;
  stack.counters.bytesIn += length;
  noteData(stack, conn, p, length);
  if ((words[c + STATE_AT] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT_READABLE, length);
}

function payloadOf(stack: TcpStack, p: number): Uint8Array {
  const extra = stack.packets.rows.words[p * P_STRIDE + P_EXTRA];
  return stack.packets.payloads.get(stack.packets.extras.words[extra * E_STRIDE + E_PAYLOAD]);
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
 * The text and FIN of an acceptable segment (RFC 9293 3.10.7.4, seventh and eighth), as Linux's `tcp_data_queue`. `seq`
 * is the first byte's number, after a SYN. What is owed is noted: `ackCheck` sends it. The connection may be done when
 * this returns.
 */
export function dataIn(stack: TcpStack, conn: number, p: number, seq: number, length: number, fin: boolean): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + RCV_NXT];
  const end = (seq + length) | 0;
  // One past the FIN.
  const after = fin ? (end + 1) | 0 : end;
  forgetDuplicate(stack, conn);
  if (((after - next) | 0) <= 0) {
    // RFC 2883 4.1: a retransmission. The sender has not seen our ACK: the next ones go at once.
    stack.counters.duplicateData++;
    reportDuplicate(stack, conn, seq, after);
    refuse(stack, conn);
    return;
  }
  const early = (seq - next) | 0;
  const open = openWindow(words, c);
  if (early > 0) {
    if (early >= open) {
      stack.counters.outOfWindow++;
      refuse(stack, conn);
      return;
    }
    holdEarly(stack, conn, p, seq, length, fin);
    return;
  }
  if (early < 0) reportDuplicate(stack, conn, seq, next);
  if (open === 0 && length + early > 0) {
    // A probe of a shut window (RFC 9293 3.8.6.1): nothing is taken.
    stack.counters.outOfWindow++;
    refuse(stack, conn);
    return;
  }
  if (!hasRoom(stack, conn, seq) && unreadBytes(stack, conn) > 0) {
    demandAck(stack, conn);
    return;
  }
  takeText(stack, conn, p, length, end, early, fin);
}

/** Out of place: nothing is taken, and the next ACKs go at once. */
function refuse(stack: TcpStack, conn: number): void {
  enterQuickAck(stack, conn, MAX_QUICK_ACKS);
  scheduleAck(stack, conn);
}

/** Is there memory for more? Where there is not, what lies beyond `seq` is let go (Linux `tcp_try_rmem_schedule`). */
function hasRoom(stack: TcpStack, conn: number, seq: number): boolean {
  // Half of the buffer is for payload.
  let excess = 2 * heldBytes(stack, conn) - receiveBuffer(stack, conn);
  if (excess <= 0) return true;
  clampWindow(stack, conn, busyReceiver(stack, conn), heldBytes(stack, conn));
  excess = 2 * heldBytes(stack, conn) - receiveBuffer(stack, conn);
  if (excess <= 0) return true;
  const goal = Math.max(excess, receiveBuffer(stack, conn) >> 3) >> 1;
  if (pruneRanges(stack, conn, seq, goal) > 0) resetBlocks(stack, conn);
  return 2 * heldBytes(stack, conn) <= receiveBuffer(stack, conn);
}

/** A segment beyond a gap. */
function holdEarly(stack: TcpStack, conn: number, p: number, seq: number, length: number, fin: boolean): void {
  const state = stack.tcbs.words[conn * STRIDE + STATE_AT];
  if ((state & ECN) !== 0) ecnIn(stack, conn, p);
  stack.counters.outOfOrder++;
  scheduleAck(stack, conn);
  if (!hasRoom(stack, conn, seq)) return;
  if (state < 0) accountOutOfOrder(stack, conn);
  const real = (stack.packets.rows.words[p * P_STRIDE + P_CONTROL] & REAL_PAYLOAD) !== 0;
  const r = busyReceiver(stack, conn);
  measureSegment(stack, conn, r, p, length);
  holdRange(stack, conn, seq, (seq + length) | 0, fin, real ? payloadOf(stack, p) : null);
  const end = (seq + length + (fin ? 1 : 0)) | 0;
  const at = growBlock(stack, conn, seq, end);
  // A held-back ACK goes first, if it might not carry the block that is to give way.
  if (at >= EXPECTED_BLOCKS) releaseCompressed(stack, conn);
  placeBlock(stack, conn, at, seq, end);
  if ((state & SACK) !== 0) growWindow(stack, conn, r, length);
}

/** Text that begins at RCV.NXT or before it, and what it joins up with. */
function takeText(
  stack: TcpStack,
  conn: number,
  p: number,
  length: number,
  end: number,
  early: number,
  fin: boolean,
): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + RCV_NXT];
  const gap = hasGap(stack, conn);
  let total = (end - next) | 0;
  if (total > 0) {
    const real = (stack.packets.rows.words[p * P_STRIDE + P_CONTROL] & REAL_PAYLOAD) !== 0;
    if (real || stack.warm[conn * WARM_STRIDE + STREAM] !== 0) {
      deliver(stack, conn, next, total, real ? payloadOf(stack, p).subarray(-early, -early + total) : null);
    }
    words[c + RCV_NXT] = end;
    noteData(stack, conn, p, length);
  }
  if (gap && !fin) {
    const from = words[c + RCV_NXT];
    for (let taken = takeReady(stack, conn, from); taken !== READY.NOTHING; taken = takeReady(stack, conn, from)) {
      deliver(stack, conn, ready.seq, ready.length, ready.bytes);
      words[c + RCV_NXT] = (words[c + RCV_NXT] + ready.length) | 0;
      total += ready.length;
      if (taken === READY.FIN) {
        fin = true;
        break;
      }
    }
    ready.bytes = null;
    // RFC 5681 4.2: what fills a gap is acknowledged at once.
    if (fin || !hasGap(stack, conn)) demandAck(stack, conn);
  }
  if (gap) removeBlocks(stack, conn);
  if (total > 0) {
    stack.counters.bytesIn += total;
    if ((words[c + STATE_AT] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT_READABLE, total);
  }
  if (fin) finIn(stack, conn);
}

/** The peer's FIN has been reached (RFC 9293 3.10.7.4, eighth). */
function finIn(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  words[c + RCV_NXT] = (words[c + RCV_NXT] + 1) | 0;
  words[c + STATE_AT] |= FIN_RECEIVED;
  if (((words[c + RCV_NXT] - words[c + RCV_ADV]) | 0) > 0) words[c + RCV_ADV] = words[c + RCV_NXT];
  if ((words[c + STATE_AT] & UNACCEPTED) === 0) stack.pushEvent(conn, TCP_EVENT_PEER_CLOSED, 0);
  scheduleAck(stack, conn);
  if (stack.warm[conn * WARM_STRIDE + COLD] !== 0) {
    // Nothing follows a FIN.
    dropRanges(stack, conn);
    resetBlocks(stack, conn);
  }
  const state = words[c + STATE_AT] & STATE_MASK;
  if (state === STATE_ESTABLISHED || state === STATE_SYN_RECEIVED) {
    setState(stack, conn, STATE_CLOSE_WAIT);
    // As Linux: the answer may be our own FIN, which carries the ACK (RFC 9293 3.8.6.3 SHLD-18).
    enterPingPong(stack, conn);
  } else if (state === STATE_FIN_WAIT_1) {
    // Our FIN is not acknowledged: simultaneous close.
    sendAck(stack, conn);
    setState(stack, conn, STATE_CLOSING);
  } else if (state === STATE_FIN_WAIT_2) {
    sendAck(stack, conn);
    enterTimeWait(stack, conn);
  }
}
