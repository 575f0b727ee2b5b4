/**
 * Segments for a connection in SYN_SENT, and the end of a simultaneous open (RFC 9293 3.10.7.3, 3.10.7.4, 3.5).
 *
 * @module
 */
import { accountPeer } from "./accounting.ts";
import { ERRNO } from "../base/errors.ts";
import type { Profile } from "../transport/profile.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { releaseColdAtRest } from "./cold_row.ts";
import * as CONNECT from "./connect.ts";
import { sendSyn } from "./connect.ts";
import { dataIn } from "./data_in.ts";
import { ackCheck, holdAck } from "./delayed_ack.ts";
import * as ECN_OPEN from "./ecn_open.ts";
import { fastOpenSynAck, trimSynData } from "./fast_open_client.ts";
import * as FAST_OPEN_QUEUE from "./fast_open_queue.ts";
import * as FINISH from "./finish.ts";
import { finish } from "./finish.ts";
import * as HANDSHAKE from "./handshake.ts";
import { FIRST_RECEIVE_MSS, firstShift } from "./handshake.ts";
import * as KEEP_ALIVE from "./keep_alive.ts";
import { isOldStamp } from "./out_of_window.ts";
import { beginMtuSearch } from "./mtu_probe.ts";
import * as OFFER from "./offer.ts";
import * as OUTPUT from "./output.ts";
import { adoptPathMtu } from "./path_mtu.ts";
import { armRetransmit } from "./rto_timer.ts";
import * as RTT from "./rtt.ts";
import { noHandshakeSample } from "./rtt.ts";
import * as SEGMENT_OUT from "./segment_out.ts";
import { sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { FAST_OPEN } from "./state/fast_open_row.ts";
import { STATE, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { settingsRow, synWindowOf } = CONNECT;
const { confirmsEcn } = ECN_OPEN;
const { fastOpenAt } = FAST_OPEN_QUEUE;
const { setState } = FINISH;
const { believedMss, peerMss, peerShift, settingIn, timestampAge } = HANDSHAKE;
const { armKeepAlive } = KEEP_ALIVE;
const { openersOffer, payloadMss } = OFFER;
const { output } = OUTPUT;
const { sampleRtt } = RTT;
const { sendAck } = SEGMENT_OUT;

const {
  ACK: P_ACK,
  CONTROL: P_CONTROL,
  LENGTH: P_LENGTH,
  SEQ: P_SEQ,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
  TS_ECR: P_TS_ECR,
  TS_VAL: P_TS_VAL,
  WINDOW_TTL_TOS: P_WINDOW_TTL_TOS,
} = PACKET;
const {
  CWND: TCB_CWND,
  HOST: TCB_HOST,
  LOCAL: TCB_LOCAL,
  MSS: TCB_MSS,
  RCV_ADV: TCB_RCV_ADV,
  RCV_NXT: TCB_RCV_NXT,
  RCV_READ: TCB_RCV_READ,
  RCV_WUP: TCB_RCV_WUP,
  SND_NXT: TCB_SND_NXT,
  SND_UNA: TCB_SND_UNA,
  SND_WND: TCB_SND_WND,
  STATE: TCB_STATE,
  MASK: TCB_MASK,
  STRIDE: TCB_STRIDE,
  TS_RECENT: TCB_TS_RECENT,
} = TCB;
const {
  ACK_STATE: WARM_ACK_STATE,
  COLD: WARM_COLD,
  MAX_WINDOW: WARM_MAX_WINDOW,
  MDEV: WARM_MDEV,
  SND_WL1: WARM_SND_WL1,
  SRTT: WARM_SRTT,
  MASK: WARM_MASK,
  STRIDE: WARM_STRIDE,
  TS_OFFSET: WARM_TS_OFFSET,
} = WARM;
const { REXMIT: TIMER_REXMIT } = TIMER;
const {
  ECN: FLAG_ECN,
  FIN_QUEUED: FLAG_FIN_QUEUED,
  RCV_SHIFT_AT: FLAG_RCV_SHIFT_AT,
  SACK: FLAG_SACK,
  SCALING: FLAG_SCALING,
  SND_SHIFT_AT: FLAG_SND_SHIFT_AT,
  STATE_MASK: FLAG_STATE_MASK,
  TIMESTAMPS: FLAG_TIMESTAMPS,
} = FLAG;
const { IRS: FAST_OPEN_IRS, REPEATED: FAST_OPEN_REPEATED } = FAST_OPEN;
const {
  CLOSED: STATE_CLOSED,
  ESTABLISHED: STATE_ESTABLISHED,
  FIN_WAIT_1: STATE_FIN_WAIT_1,
  SYN_RECEIVED: STATE_SYN_RECEIVED,
} = STATE;
const { CONNECTED: TCP_EVENT_CONNECTED } = TCP_EVENT;
const { PING_PONG: ACKS_PING_PONG, TS_AGE_AT: ACKS_TS_AGE_AT } = ACK_STATE;
const { DEFER_ACCEPT: SET_DEFER_ACCEPT, MAX_SEGMENT: SET_MAX_SEGMENT } = SETTINGS;
const { RTX_HEAD: COLD_RTX_HEAD, STRIDE: COLD_STRIDE } = COLD;

const { FLAGS_MASK, HAS_TIMESTAMPS, HAS_WINDOW_SCALE, HAS_SACK_PERMITTED } = CONTROL;
const { SYN: F_SYN, RST: F_RST, ACK: F_ACK, FIN: F_FIN } = TCP_FLAG;
const { RETRIES_AT, BACKOFF_AT } = ACK_STATE;
const ATTEMPTS = (0xff << RETRIES_AT) | (0xf << BACKOFF_AT);
/** How long the ACK of a SYN-ACK waits for data to carry it, ms (Linux `TCP_DELACK_MAX`), and quick ACKs after that. */
const HELD_ACK_MS = 200;
/** Repetitions of a SYN up to which the microsecond clock tells when the first was sent. */
const RECENT_REPEATS = 8;

/** A segment for a connection in SYN_SENT (RFC 9293 3.10.7.3). */
export function synSentIn(stack: TcpStack, conn: number, p: number): void {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = (p * P_STRIDE) & P_MASK;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const control = packets[o + P_CONTROL];
  const flags = control & FLAGS_MASK;
  const ack = packets[o + P_ACK];
  const host = words[c + TCB_HOST];
  const profile = stack.profileOf(host);
  const stamped = profile.timestamps && (control & HAS_TIMESTAMPS) !== 0;
  const repeated = (warm[w + WARM_ACK_STATE] >> RETRIES_AT) & 0xff;
  // First, ACK: it must acknowledge our SYN, and (as Linux) echo no timestamp that we did not send.
  if ((flags & F_ACK) !== 0) {
    const echo = packets[o + P_TS_ECR];
    const echoed = (echo - warm[w + WARM_TS_OFFSET]) | 0;
    const unacceptable = ((ack - words[c + TCB_SND_UNA]) | 0) <= 0 || ((ack - words[c + TCB_SND_NXT]) | 0) > 0;
    if (unacceptable || (stamped && echo !== 0 && !wasSent(stack, w, echoed, repeated))) {
      // A reset of ours, or the peer's FIN, may have gone missing: ask again soon (Linux).
      if (unacceptable && repeated === 0) stack.armTimer(conn, TIMER_REXMIT, 2);
      sendResetFor(stack, host, p);
      return;
    }
  }
  // Second, RST: with an acceptable ACK only (RFC 5961 3.2 leaves SYN_SENT as it was).
  if ((flags & F_RST) !== 0) {
    if ((flags & F_ACK) === 0) return;
    stack.counters.resetsReceived++;
    finish(stack, conn, ERRNO.ECONNREFUSED);
    return;
  }
  if ((flags & F_SYN) === 0) return;
  const synAck = (flags & F_ACK) !== 0;
  // RFC 7323 5: an old SYN, where an earlier incarnation's timestamps are known (RFC 6191).
  if (!synAck && stamped && isOldStamp(packets[o + P_TS_VAL], words[c + TCB_TS_RECENT])) {
    stack.counters.pawsRejects++;
    return;
  }
  const firstEcho = repeated > 1 && stamped && synAck && echoesFirst(stack, w, packets[o + P_TS_ECR]);
  const open = negotiate(stack, conn, profile, packets, o);
  // RFC 3168 6.1.1: ECN is in use if the peer has said so.
  if (!confirmsEcn(flags, synAck)) words[c + TCB_STATE] &= ~FLAG_ECN;
  const irs = packets[o + P_SEQ];
  const window = packets[o + P_WINDOW_TTL_TOS] >>> 16;
  words[c + TCB_RCV_NXT] = (irs + 1) | 0;
  words[c + TCB_RCV_WUP] = (irs + 1) | 0;
  words[c + TCB_RCV_READ] = (irs + 1) | 0;
  words[c + TCB_RCV_ADV] = (irs + 1 + open) | 0;
  if (words[c + TCB_STATE] < 0) accountPeer(stack, conn);
  words[c + TCB_SND_WND] = window;
  warm[w + WARM_SND_WL1] = irs;
  warm[w + WARM_MAX_WINDOW] = window;
  const f = fastOpenAt(stack, conn);
  if (f !== 0) stack.fastOpens.words[f + FAST_OPEN_IRS] = irs;
  if (!synAck) {
    // Simultaneous open (RFC 9293 3.5 figure 8, MUST-10): answer with SYN-ACK. Data that came with the SYN will come
    // again.
    setState(stack, conn, STATE_SYN_RECEIVED);
    sendSyn(stack, conn);
    return;
  }
  words[c + TCB_SND_UNA] = ack;
  stack.disarmTimer(conn, TIMER_REXMIT);
  warm[w + WARM_ACK_STATE] &= ~ATTEMPTS;
  const sent = warm[w + WARM_MDEV];
  warm[w + WARM_MDEV] = 0;
  const total = f === 0 ? repeated : Math.max(repeated, stack.fastOpens.words[f + FAST_OPEN_REPEATED]);
  if (total === 0) sampleRtt(stack, conn, (stack.nowUs - sent) | 0);
  else {
    if (stamped && packets[o + P_TS_ECR] !== 0) {
      const echoed = (packets[o + P_TS_ECR] - warm[w + WARM_TS_OFFSET]) | 0;
      sampleRtt(stack, conn, ((stack.nowMs - echoed) | 0) * 1000);
    } else noHandshakeSample(stack, conn);
    // RFC 5681 3.1, RFC 6298 5.7, as Linux: one segment after a second loss, unless the timestamp shows that it was none.
    if (repeated > 1 && !firstEcho) words[c + TCB_CWND] = 1;
  }
  setState(stack, conn, STATE_ESTABLISHED);
  stack.counters.activeOpens++;
  armKeepAlive(stack, conn);
  stack.pushEvent(conn, TCP_EVENT_CONNECTED, 0);
  const before = stack.outCount;
  let takesData = false;
  if (f !== 0) {
    trimSynData(stack, conn, ack);
    takesData = fastOpenSynAck(stack, conn, p, repeated);
    releaseColdAtRest(stack, conn);
  }
  if ((words[c + TCB_STATE] & FLAG_FIN_QUEUED) !== 0) setState(stack, conn, STATE_FIN_WAIT_1);
  const length = packets[o + P_LENGTH];
  const fin = (flags & F_FIN) !== 0;
  // As Linux: without Fast Open, data that comes with a SYN-ACK is not taken. It is not acknowledged, and comes again.
  if (takesData && (length > 0 || fin)) dataIn(stack, conn, p, (irs + 1) | 0, length, fin);
  if ((words[c + TCB_STATE] & FLAG_STATE_MASK) === STATE_CLOSED) return;
  // RFC 9293 3.10.7.3: acknowledge the SYN at once, with data if there is some.
  output(stack, conn);
  if (stack.outCount !== before) ackCheck(stack, conn);
  else if (holdsAck(stack, conn)) holdAck(stack, conn, HELD_ACK_MS);
  else sendAck(stack, conn);
}

/** Is data about to come that can carry the ACK of the SYN-ACK: a writer waits, or TCP_DEFER_ACCEPT says so (Linux)? */
function holdsAck(stack: TcpStack, conn: number): boolean {
  return (stack.warm[conn * WARM_STRIDE + WARM_ACK_STATE] & ACKS_PING_PONG) !== 0 ||
    settingIn(stack, settingsRow(stack, conn), SET_DEFER_ACCEPT) !== 0;
}

/** Is a timestamp (without offset) one that a SYN of ours has carried? From the first SYN's on (if not long ago) to now. */
function wasSent(stack: TcpStack, w: number, echoed: number, repeated: number): boolean {
  if (((stack.nowMs - echoed) | 0) < 0) return false;
  return repeated > RECENT_REPEATS || ((echoed - firstSynMs(stack, w)) | 0) >= 0;
}

/** The millisecond clock when the first SYN was sent. */
function firstSynMs(stack: TcpStack, w: number): number {
  const ago = (stack.nowUs - stack.warm[w + WARM_MDEV]) >>> 0;
  // Both clocks are cut to whole units: a millisecond may be between them.
  return (stack.nowMs - Math.ceil(ago / 1000)) | 0;
}

function echoesFirst(stack: TcpStack, w: number, echo: number): boolean {
  const echoed = (echo - stack.warm[w + WARM_TS_OFFSET]) | 0;
  const since = (echoed - firstSynMs(stack, w)) | 0;
  return since === 0 || since === 1;
}

/** Takes over what both sides offered. Returns RCV.WND. */
function negotiate(stack: TcpStack, conn: number, profile: Readonly<Profile>, packets: Int32Array, o: number): number {
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const host = words[c + TCB_HOST];
  const offer = openersOffer(stack, profile, host, words[c + TCB_LOCAL]);
  const both = packets[o + P_CONTROL] & offer.control;
  const { window, stampedWindow } = offer;
  const settings = settingsRow(stack, conn);
  let state = words[c + TCB_STATE];
  if ((both & HAS_TIMESTAMPS) !== 0) {
    state |= FLAG_TIMESTAMPS;
    words[c + TCB_TS_RECENT] = packets[o + P_TS_VAL];
    const at = ((conn * WARM_STRIDE) & WARM_MASK) + WARM_ACK_STATE;
    stack.warm[at] = (stack.warm[at] & ((1 << ACKS_TS_AGE_AT) - 1)) | timestampAge(stack);
  }
  if ((both & HAS_SACK_PERMITTED) !== 0) state |= FLAG_SACK;
  if ((both & HAS_WINDOW_SCALE) !== 0) {
    const shift = settings === 0 ? offer.shift : firstShift(stack, profile, settings);
    state |= FLAG_SCALING | (peerShift(packets, o) << FLAG_SND_SHIFT_AT) | (shift << FLAG_RCV_SHIFT_AT);
  }
  words[c + TCB_STATE] = state;
  const given = believedMss(offer.ipv6, peerMss(packets, o), settingIn(stack, settings, SET_MAX_SEGMENT));
  const mss = payloadMss(profile, given, offer.mss, (state & FLAG_TIMESTAMPS) !== 0);
  words[c + TCB_MSS] = mss | ((mss < FIRST_RECEIVE_MSS ? mss : FIRST_RECEIVE_MSS) << 16);
  if (stack.pathMtus.size !== 0) adoptPathMtu(stack, conn);
  if (profile.mtuProbing > 1) beginMtuSearch(stack, conn, true);
  // What the SYN has offered.
  if (settings !== 0) return synWindowOf(stack, conn);
  return words[c + TCB_TS_RECENT] !== 0 ? stampedWindow : window;
}

/** SYN_RECEIVED of a simultaneous open: is our SYN acknowledged? Then ESTABLISHED (RFC 9293 3.10.7.4, fifth). */
export function simultaneousDone(stack: TcpStack, conn: number, p: number, ack: number): boolean {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = (p * P_STRIDE) & P_MASK;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  if (((ack - words[c + TCB_SND_UNA]) | 0) <= 0 || ((ack - words[c + TCB_SND_NXT]) | 0) > 0) {
    sendResetFor(stack, words[c + TCB_HOST], p);
    return false;
  }
  const repeated = (warm[w + WARM_ACK_STATE] >> RETRIES_AT) & 0xff;
  const sent = warm[w + WARM_MDEV];
  words[c + TCB_SND_UNA] = ack;
  stack.disarmTimer(conn, TIMER_REXMIT);
  warm[w + WARM_ACK_STATE] &= ~ATTEMPTS;
  if (warm[w + WARM_SRTT] === 0) {
    warm[w + WARM_MDEV] = 0;
    if (repeated === 0) sampleRtt(stack, conn, (stack.nowUs - sent) | 0);
    else noHandshakeSample(stack, conn);
  }
  const field = packets[o + P_WINDOW_TTL_TOS] >>> 16;
  const syn = (packets[o + P_CONTROL] & F_SYN) !== 0;
  const window = syn ? field : field << ((words[c + TCB_STATE] >> FLAG_SND_SHIFT_AT) & 0xf);
  words[c + TCB_SND_WND] = window;
  warm[w + WARM_SND_WL1] = packets[o + P_SEQ];
  warm[w + WARM_MAX_WINDOW] = Math.max(window, warm[w + WARM_MAX_WINDOW]);
  setState(stack, conn, STATE_ESTABLISHED);
  stack.counters.activeOpens++;
  armKeepAlive(stack, conn);
  stack.pushEvent(conn, TCP_EVENT_CONNECTED, 0);
  if (fastOpenAt(stack, conn) !== 0) {
    trimSynData(stack, conn, ack);
    const k = warm[w + WARM_COLD] * COLD_STRIDE;
    if (stack.cold.words[k + COLD_RTX_HEAD] !== 0) armRetransmit(stack, conn);
  }
  if ((words[c + TCB_STATE] & FLAG_FIN_QUEUED) !== 0) setState(stack, conn, STATE_FIN_WAIT_1);
  return true;
}
