/**
 * Segments for a connection in SYN_SENT, and the end of a simultaneous open (RFC 9293 3.10.7.3, 3.10.7.4, 3.5).
 *
 * @module
 */
import { accountPeer } from "./accounting.ts";
import { ERRNO } from "../base/errors.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { sendSyn, settingsRow, synWindowOf } from "./connect.ts";
import { dataIn } from "./data_in.ts";
import { ackCheck, holdAck } from "./delayed_ack.ts";
import { confirmsEcn } from "./ecn_open.ts";
import { fastOpenSynAck, trimSynData } from "./fast_open_client.ts";
import { fastOpenAt } from "./fast_open_queue.ts";
import { finish, setState } from "./finish.ts";
import { firstShift, peerMss, peerShift, sendingMss, settingIn, timestampAge } from "./handshake.ts";
import { armKeepAlive } from "./keep_alive.ts";
import { isOldStamp } from "./out_of_window.ts";
import { beginMtuSearch } from "./mtu_probe.ts";
import { output } from "./output.ts";
import { adoptPathMtu } from "./path_mtu.ts";
import { armRetransmit } from "./rto_timer.ts";
import { noHandshakeSample, sampleRtt } from "./rtt.ts";
import { sendAck, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { FAST_OPEN } from "./state/fast_open_row.ts";
import { STATE, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";

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
  const o = p * PACKET.STRIDE;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const control = packets[o + PACKET.CONTROL];
  const flags = control & FLAGS_MASK;
  const ack = packets[o + PACKET.ACK];
  const host = words[c + TCB.HOST];
  const profile = stack.profileOf(host);
  const stamped = profile.timestamps && (control & HAS_TIMESTAMPS) !== 0;
  const repeated = (warm[w + WARM.ACK_STATE] >> RETRIES_AT) & 0xff;
  // First, ACK: it must acknowledge our SYN, and (as Linux) echo no timestamp that we did not send.
  if ((flags & F_ACK) !== 0) {
    const echo = packets[o + PACKET.TS_ECR];
    const echoed = (echo - warm[w + WARM.TS_OFFSET]) | 0;
    const unacceptable = ((ack - words[c + TCB.SND_UNA]) | 0) <= 0 || ((ack - words[c + TCB.SND_NXT]) | 0) > 0;
    if (unacceptable || (stamped && echo !== 0 && !wasSent(stack, w, echoed, repeated))) {
      // A reset of ours, or the peer's FIN, may have gone missing: ask again soon (Linux).
      if (unacceptable && repeated === 0) stack.armTimer(conn, TIMER.REXMIT, 2);
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
  if (!synAck && stamped && isOldStamp(packets[o + PACKET.TS_VAL], words[c + TCB.TS_RECENT])) {
    stack.counters.pawsRejects++;
    return;
  }
  const firstEcho = stamped && synAck && echoesFirst(stack, w, packets[o + PACKET.TS_ECR]);
  negotiate(stack, conn, packets, o);
  // RFC 3168 6.1.1: ECN is in use if the peer has said so.
  if (!confirmsEcn(flags, synAck)) words[c + TCB.STATE] &= ~FLAG.ECN;
  const irs = packets[o + PACKET.SEQ];
  const window = packets[o + PACKET.WINDOW_TTL_TOS] >>> 16;
  words[c + TCB.RCV_NXT] = (irs + 1) | 0;
  words[c + TCB.RCV_WUP] = (irs + 1) | 0;
  words[c + TCB.RCV_READ] = (irs + 1) | 0;
  words[c + TCB.RCV_ADV] = (irs + 1 + synWindowOf(stack, conn)) | 0;
  if (words[c + TCB.STATE] < 0) accountPeer(stack, conn);
  words[c + TCB.SND_WND] = window;
  warm[w + WARM.SND_WL1] = irs;
  warm[w + WARM.MAX_WINDOW] = window;
  const f = fastOpenAt(stack, conn);
  if (f !== 0) stack.fastOpens.words[f + FAST_OPEN.IRS] = irs;
  if (!synAck) {
    // Simultaneous open (RFC 9293 3.5 figure 8, MUST-10): answer with SYN-ACK. Data that came with the SYN will come
    // again.
    setState(stack, conn, STATE.SYN_RECEIVED);
    sendSyn(stack, conn);
    return;
  }
  words[c + TCB.SND_UNA] = ack;
  stack.disarmTimer(conn, TIMER.REXMIT);
  warm[w + WARM.ACK_STATE] &= ~ATTEMPTS;
  const sent = warm[w + WARM.MDEV];
  warm[w + WARM.MDEV] = 0;
  const total = f === 0 ? repeated : Math.max(repeated, stack.fastOpens.words[f + FAST_OPEN.REPEATED]);
  if (total === 0) sampleRtt(stack, conn, (stack.nowUs - sent) | 0);
  else {
    if (stamped && packets[o + PACKET.TS_ECR] !== 0) {
      const echoed = (packets[o + PACKET.TS_ECR] - warm[w + WARM.TS_OFFSET]) | 0;
      sampleRtt(stack, conn, ((stack.nowMs - echoed) | 0) * 1000);
    } else noHandshakeSample(stack, conn);
    // RFC 5681 3.1, RFC 6298 5.7, as Linux: one segment after a second loss, unless the timestamp shows that it was none.
    if (repeated > 1 && !firstEcho) words[c + TCB.CWND] = 1;
  }
  setState(stack, conn, STATE.ESTABLISHED);
  stack.counters.activeOpens++;
  armKeepAlive(stack, conn);
  stack.pushEvent(conn, TCP_EVENT.CONNECTED, 0);
  const before = stack.outCount;
  let takesData = false;
  if (f !== 0) {
    trimSynData(stack, conn, ack);
    takesData = fastOpenSynAck(stack, conn, p, repeated);
    stack.releaseColdAtRest(conn);
  }
  if ((words[c + TCB.STATE] & FLAG.FIN_QUEUED) !== 0) setState(stack, conn, STATE.FIN_WAIT_1);
  const length = packets[o + PACKET.LENGTH];
  const fin = (flags & F_FIN) !== 0;
  // As Linux: without Fast Open, data that comes with a SYN-ACK is not taken. It is not acknowledged, and comes again.
  if (takesData && (length > 0 || fin)) dataIn(stack, conn, p, (irs + 1) | 0, length, fin);
  if ((words[c + TCB.STATE] & FLAG.STATE_MASK) === STATE.CLOSED) return;
  // RFC 9293 3.10.7.3: acknowledge the SYN at once, with data if there is some.
  output(stack, conn);
  if (stack.outCount !== before) ackCheck(stack, conn);
  else if (holdsAck(stack, conn)) holdAck(stack, conn, HELD_ACK_MS);
  else sendAck(stack, conn);
}

/** Is data about to come that can carry the ACK of the SYN-ACK: a writer waits, or TCP_DEFER_ACCEPT says so (Linux)? */
function holdsAck(stack: TcpStack, conn: number): boolean {
  return (stack.warm[conn * WARM.STRIDE + WARM.ACK_STATE] & ACK_STATE.PING_PONG) !== 0 ||
    settingIn(stack, settingsRow(stack, conn), SETTINGS.DEFER_ACCEPT) !== 0;
}

/** Is a timestamp (without offset) one that a SYN of ours has carried? From the first SYN's on (if not long ago) to now. */
function wasSent(stack: TcpStack, w: number, echoed: number, repeated: number): boolean {
  if (((stack.nowMs - echoed) | 0) < 0) return false;
  return repeated > RECENT_REPEATS || ((echoed - firstSynMs(stack, w)) | 0) >= 0;
}

/** The millisecond clock when the first SYN was sent. */
function firstSynMs(stack: TcpStack, w: number): number {
  const ago = (stack.nowUs - stack.warm[w + WARM.MDEV]) >>> 0;
  // Both clocks are cut to whole units: a millisecond may be between them.
  return (stack.nowMs - Math.ceil(ago / 1000)) | 0;
}

function echoesFirst(stack: TcpStack, w: number, echo: number): boolean {
  const echoed = (echo - stack.warm[w + WARM.TS_OFFSET]) | 0;
  const since = (echoed - firstSynMs(stack, w)) | 0;
  return since === 0 || since === 1;
}

/** Takes over what both sides offered. */
function negotiate(stack: TcpStack, conn: number, packets: Int32Array, o: number): void {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const host = words[c + TCB.HOST];
  const profile = stack.profileOf(host);
  const control = packets[o + PACKET.CONTROL];
  const settings = settingsRow(stack, conn);
  let state = words[c + TCB.STATE];
  if (profile.timestamps && (control & HAS_TIMESTAMPS) !== 0) {
    state |= FLAG.TIMESTAMPS;
    words[c + TCB.TS_RECENT] = packets[o + PACKET.TS_VAL];
    const at = conn * WARM.STRIDE + WARM.ACK_STATE;
    stack.warm[at] = (stack.warm[at] & ((1 << ACK_STATE.TS_AGE_AT) - 1)) | timestampAge(stack);
  }
  if (profile.sack && (control & HAS_SACK_PERMITTED) !== 0) state |= FLAG.SACK;
  if (profile.windowScaling && (control & HAS_WINDOW_SCALE) !== 0) {
    state |= FLAG.SCALING | (peerShift(packets, o) << FLAG.SND_SHIFT_AT) |
      (firstShift(stack, profile, settings) << FLAG.RCV_SHIFT_AT);
  }
  words[c + TCB.STATE] = state;
  const asked = settingIn(stack, settings, SETTINGS.MAX_SEGMENT);
  const stamps = (state & FLAG.TIMESTAMPS) !== 0;
  const mss = sendingMss(stack, host, words[c + TCB.LOCAL], peerMss(packets, o), stamps, asked);
  words[c + TCB.MSS] = mss | (Math.min(536, mss) << 16);
  if (stack.pathMtus.size !== 0) adoptPathMtu(stack, conn);
  if (profile.mtuProbing > 1) beginMtuSearch(stack, conn, true);
}

/** SYN_RECEIVED of a simultaneous open: is our SYN acknowledged? Then ESTABLISHED (RFC 9293 3.10.7.4, fifth). */
export function simultaneousDone(stack: TcpStack, conn: number, p: number, ack: number): boolean {
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const o = p * PACKET.STRIDE;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  if (((ack - words[c + TCB.SND_UNA]) | 0) <= 0 || ((ack - words[c + TCB.SND_NXT]) | 0) > 0) {
    sendResetFor(stack, words[c + TCB.HOST], p);
    return false;
  }
  const repeated = (warm[w + WARM.ACK_STATE] >> RETRIES_AT) & 0xff;
  const sent = warm[w + WARM.MDEV];
  words[c + TCB.SND_UNA] = ack;
  stack.disarmTimer(conn, TIMER.REXMIT);
  warm[w + WARM.ACK_STATE] &= ~ATTEMPTS;
  if (warm[w + WARM.SRTT] === 0) {
    warm[w + WARM.MDEV] = 0;
    if (repeated === 0) sampleRtt(stack, conn, (stack.nowUs - sent) | 0);
    else noHandshakeSample(stack, conn);
  }
  const field = packets[o + PACKET.WINDOW_TTL_TOS] >>> 16;
  const syn = (packets[o + PACKET.CONTROL] & F_SYN) !== 0;
  const window = syn ? field : field << ((words[c + TCB.STATE] >> FLAG.SND_SHIFT_AT) & 0xf);
  words[c + TCB.SND_WND] = window;
  warm[w + WARM.SND_WL1] = packets[o + PACKET.SEQ];
  warm[w + WARM.MAX_WINDOW] = Math.max(window, warm[w + WARM.MAX_WINDOW]);
  setState(stack, conn, STATE.ESTABLISHED);
  stack.counters.activeOpens++;
  armKeepAlive(stack, conn);
  stack.pushEvent(conn, TCP_EVENT.CONNECTED, 0);
  if (fastOpenAt(stack, conn) !== 0) {
    trimSynData(stack, conn, ack);
    const k = warm[w + WARM.COLD] * COLD.STRIDE;
    if (stack.cold.words[k + COLD.RTX_HEAD] !== 0) armRetransmit(stack, conn);
  }
  if ((words[c + TCB.STATE] & FLAG.FIN_QUEUED) !== 0) setState(stack, conn, STATE.FIN_WAIT_1);
  return true;
}
