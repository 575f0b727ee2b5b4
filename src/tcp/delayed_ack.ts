/**
 * When to acknowledge (RFC 9293 3.8.6.3, RFC 5681 4.2), as Linux: quick ACKs at first and when something is amiss,
 * delayed ones in an interactive session or once the data flows, with a delay that adapts to the gaps between segments.
 *
 * A connection that receives a trickle needs no row for this: its delay is the profile's, and `TIMER.DELACK` (while no
 * ACK is delayed) says until when a reply is prompt.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { CONTROL, PACKET, sackBlocksSent, TCP_FLAG } from "../wire/packet.ts";
import { growWindow, measureRoundTrip } from "./autotune.ts";
import { ecnIn } from "./ecn_in.ts";
import * as RECEIVER_OF from "./receiver.ts";
import { advertisedMss, busyReceiver } from "./receiver.ts";
import * as RTT_OF from "./rtt.ts";
import * as SEGMENT_OUT from "./segment_out.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";
import * as WINDOW from "./window.ts";

// As layouts: an imported function is checked at every use.
const { sendAck } = SEGMENT_OUT;
const { trickleMs } = RECEIVER_OF;
const { rtoMs } = RTT_OF;
const { heldBytes, openWindow, receiveBuffer, receiverAt, selectWindow, unreadBytes } = WINDOW;
const { TIMESTAMPS: FLAG_TIMESTAMPS } = FLAG;
const { DELAYED_ACK_MS, RECEIVE_BUFFER_BYTES } = PROFILE_WORD;
const { HAS_SACK: C_HAS_SACK } = CONTROL;
const { CLOSE_WAIT: STATE_CLOSE_WAIT, ESTABLISHED: STATE_ESTABLISHED } = STATE;

const { STATE: STATE_AT, RCV_NXT, RCV_WUP, RCV_ADV, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, SRTT, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { QUICK_MASK, PING_PONG, SCHEDULED, SEEN_DATA, DELAYED, PUSHED, PUSHED_TWICE, ACK_NOW } = ACK_STATE;
const { ECN, SACK, STATE_MASK, FIN_RECEIVED, READ_SHUT, ORPHAN } = FLAG;
const { DELACK, MASK: TIMER_MASK, STRIDE: TIMER_STRIDE } = TIMER;
const { OOO_HEAD, STRIDE: COLD_STRIDE } = COLD;
const { ATO, LAST_DATA_MS, LAST_SEGMENT, COMPRESSED, COMPRESSED_NXT, RTT, CLAMP } = RECEIVER;
const { CONTROL: P_CONTROL, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const { PSH: F_PSH, FIN: F_FIN, URG: F_URG, SYN: F_SYN } = TCP_FLAG;
/** Quick ACKs in a row, at most (Linux `TCP_MAX_QUICKACKS`). */
export const MAX_QUICK_ACKS = 16;
/** Most that an ACK is delayed, ms (Linux `TCP_DELACK_MAX`); half a second is the RFC's limit (MUST-40). */
const MOST_DELAY_MS = 200;
const HALF_SECOND_MS = 500;
/** TCP options aside, smaller segments than these say nothing of the peer's segment size (Linux `TCP_MIN_MSS`). */
const TELLING_BYTES = 536;
const LEAST_TELLING_BYTES = 88;
/** Segments from this size on open the window further. */
const GROWING_BYTES = 128;
/** Duplicate ACKs that go at once before others are held back (RFC 5681 3.2: fast retransmit needs three). */
const FIRST_DUPLICATES = 3;
/** Fields of `RECEIVER.COMPRESSED`. */
const HELD_MASK = 0xff;
const DUPLICATES_AT = 8;

/** The profile's delay: an ACK is delayed by no less. */
function leastDelayMs(stack: TcpStack, conn: number): number {
  return stack.profiles.words[stack.profileAt(conn) + DELAYED_ACK_MS];
}

/** New data of `length` bytes came in order with packet `p`: an ACK is owed. RCV.NXT has been moved. */
export function noteData(stack: TcpStack, conn: number, p: number, length: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  const acks = stack.warm[at];
  let r = receiverAt(stack, conn);
  if (r === 0) {
    const promptUntil = stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + DELACK];
    if ((acks & SEEN_DATA) === 0 || ((acks & DELAYED) === 0 && ((stack.nowMs - promptUntil) | 0) >= 0)) {
      noteTrickle(stack, conn, p, length, acks, promptUntil);
      return;
    }
    r = busyReceiver(stack, conn);
  }
  const rows = stack.receivers.words;
  stack.warm[at] |= SCHEDULED | SEEN_DATA;
  measureSegment(stack, conn, r, p, length);
  measureRoundTrip(stack, conn, r, p, length);
  const least = leastDelayMs(stack, conn);
  const gap = (stack.nowMs - rows[r + LAST_DATA_MS]) | 0;
  const ato = rows[r + ATO];
  if ((acks & SEEN_DATA) === 0) {
    addQuickAcks(stack, conn, MAX_QUICK_ACKS);
    rows[r + ATO] = least;
  } else if (gap <= least >> 1) rows[r + ATO] = (ato >> 1) + (least >> 1);
  else if (gap < ato) rows[r + ATO] = Math.min((ato >> 1) + gap, rtoMs(stack, conn));
  else if (gap > rtoMs(stack, conn)) addQuickAcks(stack, conn, MAX_QUICK_ACKS);
  rows[r + LAST_DATA_MS] = stack.nowMs;
  if ((stack.tcbs.words[((conn * STRIDE) & MASK) + STATE_AT] & ECN) !== 0) ecnIn(stack, conn, p);
  if (length >= GROWING_BYTES) growWindow(stack, conn, r, length);
}

/** As `noteData`, for the first segment and for those that come slower than ACKs are delayed. */
function noteTrickle(
  stack: TcpStack,
  conn: number,
  p: number,
  length: number,
  acks: number,
  promptUntil: number,
): void {
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] = acks | SCHEDULED | SEEN_DATA;
  measureSegment(stack, conn, 0, p, length);
  const trickle = trickleMs(stack, conn);
  if ((acks & SEEN_DATA) === 0 || ((stack.nowMs - promptUntil + trickle) | 0) > rtoMs(stack, conn)) {
    addQuickAcks(stack, conn, MAX_QUICK_ACKS);
  }
  if ((acks & DELAYED) === 0) {
    stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + DELACK] = ((stack.nowMs + trickle) | 0) || 1;
  }
  if ((stack.tcbs.words[((conn * STRIDE) & MASK) + STATE_AT] & ECN) !== 0) ecnIn(stack, conn, p);
}

/** Estimates the size of the peer's segments (Linux `tcp_measure_rcv_mss`). `r`: the `RECEIVER` row's place, or 0. */
export function measureSegment(stack: TcpStack, conn: number, r: number, p: number, length: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  const control = stack.packets.rows.words[((p * P_STRIDE) & P_MASK) + P_CONTROL];
  const estimate = words[c + MSS] >>> 16;
  const rows = stack.receivers.words;
  const last = r === 0 ? 0 : rows[r + LAST_SEGMENT];
  if (r !== 0) rows[r + LAST_SEGMENT] = 0;
  if (length >= estimate) {
    if (length > estimate) {
      const size = Math.min(length, advertisedMss(stack, conn));
      words[c + MSS] = (words[c + MSS] & 0xffff) | (size << 16);
    }
    if ((control & F_PSH) !== 0) stack.warm[at] |= PUSHED;
    return;
  }
  const timestamps = (words[c + STATE_AT] & FLAG_TIMESTAMPS) !== 0 ? 12 : 0;
  const blocks = (control & C_HAS_SACK) === 0 ? 0 : sackBlocksSent(stack.packets, p, timestamps);
  const invariant = length + (blocks === 0 ? 0 : 4 + 8 * blocks);
  if (
    invariant + timestamps >= TELLING_BYTES ||
    (invariant + timestamps >= LEAST_TELLING_BYTES && (control & (F_FIN | F_URG | F_SYN | F_PSH)) === 0)
  ) {
    if (r !== 0) rows[r + LAST_SEGMENT] = invariant;
    if (invariant === last) {
      words[c + MSS] = (words[c + MSS] & 0xffff) | (invariant << 16);
      return;
    }
  }
  if ((stack.warm[at] & PUSHED) !== 0) stack.warm[at] |= PUSHED_TWICE;
  stack.warm[at] |= PUSHED;
}

/** At least so many of the next ACKs go at once: half a window's worth, `most` at most. */
function addQuickAcks(stack: TcpStack, conn: number, most: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const window = (words[c + RCV_ADV] - words[c + RCV_WUP]) | 0;
  const segments = (window / (2 * Math.max(1, words[c + MSS] >>> 16))) | 0;
  const count = Math.min(most, segments <= 0 ? 2 : segments);
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  const acks = stack.warm[at];
  if (count > (acks & QUICK_MASK)) stack.warm[at] = (acks & ~QUICK_MASK) | count;
}

/** Something is amiss: the next segments are acknowledged at once (Linux `tcp_enter_quickack_mode`). */
export function enterQuickAck(stack: TcpStack, conn: number, most: number): void {
  addQuickAcks(stack, conn, most);
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] &= ~PING_PONG;
  const r = receiverAt(stack, conn);
  if (r !== 0) stack.receivers.words[r + ATO] = leastDelayMs(stack, conn);
}

/** An ACK is owed. */
export function scheduleAck(stack: TcpStack, conn: number): void {
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] |= SCHEDULED;
}

/** An ACK is owed, and must not be delayed. */
export function demandAck(stack: TcpStack, conn: number): void {
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] |= SCHEDULED | ACK_NOW;
}

/** The connection is interactive: ACKs wait for data to ride on (Linux `inet_csk_enter_pingpong_mode`). */
export function enterPingPong(stack: TcpStack, conn: number): void {
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] |= PING_PONG;
}

/**
 * Sends the ACK that is owed, or delays it (RFC 9293 3.8.6.3 SHLD-18, SHLD-19: at least every second full-sized segment;
 * MUST-40: within 500 ms).
 */
export function ackCheck(stack: TcpStack, conn: number): void {
  const acks = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT];
  if ((acks & SCHEDULED) === 0) return;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (((acks & QUICK_MASK) !== 0 && (acks & PING_PONG) === 0) || (acks & ACK_NOW) !== 0) {
    sendAck(stack, conn);
    return;
  }
  if (((words[c + RCV_NXT] - words[c + RCV_WUP]) | 0) > words[c + MSS] >>> 16) {
    // More than a segment, and the window moves far enough or the reader waits for more (else reading sends the ACK).
    const window = selectWindow(stack, conn);
    if (
      window >= ((words[c + RCV_ADV] - words[c + RCV_WUP]) | 0) ||
      unreadBytes(stack, conn) < readSetting(stack, conn, SETTINGS.RECEIVE_LOW)
    ) {
      sendAck(stack, conn, window);
      return;
    }
  }
  const row = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT];
  if (row === 0 || stack.cold.words[row * COLD_STRIDE + OOO_HEAD] === 0) delayAck(stack, conn);
  else duplicateAckOut(stack, conn, words[c + STATE_AT]);
}

/** Delays the ACK that is owed (Linux `tcp_send_delayed_ack`). */
export function delayAck(stack: TcpStack, conn: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  const acks = stack.warm[at];
  const least = leastDelayMs(stack, conn);
  if ((acks & (SEEN_DATA | DELAYED)) === 0 && least !== 0) {
    // Nothing but a FIN has come: no delay was learnt; the application may still answer at this instant.
    armDelay(stack, conn, 1);
    return;
  }
  const r = receiverAt(stack, conn);
  let ato = r === 0 ? least : stack.receivers.words[r + ATO];
  if (ato > least) {
    let most = (acks & (PING_PONG | PUSHED)) !== 0 ? MOST_DELAY_MS : HALF_SECOND_MS;
    const srtt = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + SRTT];
    if (srtt !== 0) most = Math.min(most, Math.max(least, Math.floor((srtt >> 3) / 1000)));
    ato = Math.min(ato, most);
  }
  // The profile's delay is the least that Linux allows; a longer one is taken as it is.
  ato = Math.min(ato, Math.max(least, MOST_DELAY_MS));
  if (ato === 0) {
    sendAck(stack, conn);
    return;
  }
  if ((acks & DELAYED) !== 0) {
    const deadline = stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + DELACK];
    if (((deadline - stack.nowMs) | 0) <= ato >> 2) sendAck(stack, conn);
    else if (((stack.nowTick + ato - deadline) | 0) < 0) stack.armTimer(conn, DELACK, ato);
    return;
  }
  armDelay(stack, conn, ato);
}

/**
 * The ACK of a SYN-ACK waits for data to carry it, `delayMs` at most; what is sent promptly makes the connection
 * interactive, and else ACKs are quick (Linux `tcp_rcv_synsent_state_process`).
 */
export function holdAck(stack: TcpStack, conn: number, delayMs: number): void {
  const r = busyReceiver(stack, conn);
  stack.receivers.words[r + LAST_DATA_MS] = stack.nowMs;
  enterQuickAck(stack, conn, MAX_QUICK_ACKS);
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] |= SCHEDULED | SEEN_DATA;
  armDelay(stack, conn, delayMs);
}

/** An ACK that is owed waits `delayMs`. */
export function armDelay(stack: TcpStack, conn: number, delayMs: number): void {
  stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] |= DELAYED;
  stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + DELACK] = 0;
  stack.armTimer(conn, DELACK, delayMs);
}

/** The delayed-ACK timer is off; what is left in its place is no deadline. */
export function disarmDelay(stack: TcpStack, conn: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  if ((stack.warm[at] & DELAYED) === 0) return;
  stack.warm[at] &= ~DELAYED;
  stack.liveTimers--;
}

/** An ACK for data beyond a gap: at once (RFC 5681 4.2), unless the profile has them held back (Linux `comp_sack`). */
function duplicateAckOut(stack: TcpStack, conn: number, state: number): void {
  const profile = stack.profileOfConnection(conn);
  if ((state & SACK) === 0 || profile.compressedAckDelayNs === 0) {
    sendAck(stack, conn);
    return;
  }
  const r = busyReceiver(stack, conn);
  const rows = stack.receivers.words;
  const next = stack.tcbs.words[((conn * STRIDE) & MASK) + RCV_NXT];
  if (rows[r + COMPRESSED_NXT] !== next) {
    rows[r + COMPRESSED_NXT] = next;
    rows[r + COMPRESSED] &= HELD_MASK;
  }
  const held = rows[r + COMPRESSED] & HELD_MASK;
  if (held >= profile.compressedAckCount || rows[r + COMPRESSED] >> DUPLICATES_AT < FIRST_DUPLICATES) {
    rows[r + COMPRESSED] += 1 << DUPLICATES_AT;
    sendAck(stack, conn);
    return;
  }
  rows[r + COMPRESSED]++;
  if (held > 0) return;
  const srtt = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + SRTT];
  const trip = srtt !== 0 && srtt < rows[r + RTT] ? srtt : rows[r + RTT];
  // 5% of a round trip; timers go in whole milliseconds.
  const delayNs = Math.min(profile.compressedAckDelayNs, (trip >> 3) * 1000 / 20);
  disarmDelay(stack, conn);
  armDelay(stack, conn, Math.max(1, Math.ceil(delayNs / 1e6)));
}

/** ACKs that are held back go now. */
export function releaseCompressed(stack: TcpStack, conn: number): void {
  const r = receiverAt(stack, conn);
  if (r !== 0 && (stack.receivers.words[r + COMPRESSED] & HELD_MASK) !== 0) sendAck(stack, conn);
}

/** The delayed-ACK timer went off. */
export function delayedAckFired(stack: TcpStack, conn: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  if ((stack.warm[at] & SCHEDULED) === 0) return;
  const r = receiverAt(stack, conn);
  if (r === 0 || (stack.receivers.words[r + COMPRESSED] & HELD_MASK) === 0) {
    const least = leastDelayMs(stack, conn);
    if ((stack.warm[at] & PING_PONG) !== 0) {
      // Nothing came to carry the ACK: the conversation is not interactive after all (Linux).
      stack.warm[at] &= ~PING_PONG;
      if (r !== 0) stack.receivers.words[r + ATO] = least;
    } else {
      const row = busyReceiver(stack, conn);
      stack.receivers.words[row + ATO] = Math.min(2 * stack.receivers.words[row + ATO], rtoMs(stack, conn));
    }
  }
  stack.counters.delayedAcks++;
  sendAck(stack, conn);
}

/** `ACK_STATE` after an ACK has gone out; `acks` is what it was, `r` where the `RECEIVER` row begins, or 0. */
export function ackSent(stack: TcpStack, conn: number, acks: number, r: number): number {
  if ((acks & DELAYED) !== 0) stack.liveTimers--;
  const left = acks & ~(SCHEDULED | DELAYED | PUSHED | PUSHED_TWICE | ACK_NOW);
  if (r !== 0) stack.receivers.words[r + COMPRESSED] &= ~HELD_MASK;
  if ((acks & SCHEDULED) === 0 || (acks & QUICK_MASK) === 0) return left;
  if (r !== 0 && (acks & QUICK_MASK) === 1) stack.receivers.words[r + ATO] = leastDelayMs(stack, conn);
  return left - 1;
}

/** Data has been sent: a prompt reply to data makes the connection interactive (Linux `tcp_event_data_sent`). */
export function noteDataSent(stack: TcpStack, conn: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  if ((stack.warm[at] & SEEN_DATA) === 0) return;
  const r = receiverAt(stack, conn);
  const until = r === 0
    ? stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + DELACK]
    : (stack.receivers.words[r + LAST_DATA_MS] + stack.receivers.words[r + ATO]) | 0;
  if (((stack.nowMs - until) | 0) < 0) stack.warm[at] |= PING_PONG;
}

/**
 * TCP_QUICKACK: 0 delays ACKs; 1 sends at once what is owed and leaves the interactive mode; an even value sends at once
 * what is owed, this time.
 */
export function setQuickAck(stack: TcpStack, conn: number, value: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT;
  if (value === 0) {
    stack.warm[at] |= PING_PONG;
    return;
  }
  stack.warm[at] &= ~PING_PONG;
  const state = stack.tcbs.words[((conn * STRIDE) & MASK) + STATE_AT] & STATE_MASK;
  if ((state !== STATE_ESTABLISHED && state !== STATE_CLOSE_WAIT) || (stack.warm[at] & SCHEDULED) === 0) return;
  stack.warm[at] |= PUSHED;
  cleanUpAfterRead(stack, conn, 1);
  if ((value & 1) === 0) stack.warm[at] |= PING_PONG;
}

/** TCP_QUICKACK as getsockopt shows it: is the connection not interactive? */
export function quickAck(stack: TcpStack, conn: number): boolean {
  return (stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT] & PING_PONG) === 0;
}

/** The application has read `count` bytes: is an ACK due, or a window update? (Linux `tcp_cleanup_rbuf`.) */
export function cleanUpAfterRead(stack: TcpStack, conn: number, count: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const acks = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + ACK_STATE_AT];
  if ((acks & SCHEDULED) !== 0) {
    const pushed = (acks & PUSHED_TWICE) !== 0 || ((acks & PUSHED) !== 0 && (acks & PING_PONG) === 0);
    if (
      ((words[c + RCV_NXT] - words[c + RCV_WUP]) | 0) > words[c + MSS] >>> 16 ||
      (count > 0 && pushed && heldBytes(stack, conn) === 0)
    ) {
      sendAck(stack, conn);
      return;
    }
  }
  if (count <= 0 || (words[c + STATE_AT] & (FIN_RECEIVED | READ_SHUT | ORPHAN)) !== 0) return;
  const open = openWindow(words, c);
  const r = receiverAt(stack, conn);
  const clamp = r !== 0
    ? stack.receivers.words[r + CLAMP]
    : stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT] === 0
    ? stack.profiles.words[stack.profileAt(conn) + RECEIVE_BUFFER_BYTES] >> 1
    : receiveBuffer(stack, conn) >> 1;
  if (2 * open > clamp) return;
  // RFC 9293 3.8.6.2.2 MUST-39: worth a window update once the window doubles.
  const window = selectWindow(stack, conn);
  if (window > 0 && window >= 2 * open) sendAck(stack, conn);
}
