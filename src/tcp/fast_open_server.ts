/**
 * Fast Open (RFC 7413) on a listener, as Linux does it: a SYN with a valid cookie makes a full connection, which can be
 * accepted, read and written before the final ACK. Its SYN-ACK has the retransmission timer until then.
 *
 * @module
 */
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { accountSynData } from "./accounting.ts";
import { enqueueAccepted } from "./accept_queue.ts";
import { takeInOrder } from "./data_in.ts";
import { makeChild, synAckWindow } from "./establish.ts";
import { fastOpenAt, leaveQueue, listenerOf, queueHasRoom } from "./fast_open_queue.ts";
import { copyCookie, newCookie, NO_COOKIE, readFastOpen, sameCookie, serverCookie } from "./fast_open_cookie.ts";
import { armKeepAlive } from "./keep_alive.ts";
import { inWindow, isOldStamp, mayAnswer } from "./out_of_window.ts";
import { rearmRto, rexmitKind, setRexmitKind } from "./rto_timer.ts";
import { noHandshakeSample, sampleRtt } from "./rtt.ts";
import { sendAck, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { FAST_OPEN, FAST_OPEN_FLAG } from "./state/fast_open_row.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import {
  ACK_STATE,
  COLD,
  FLAG,
  LISTENER,
  LISTENER_FLAG,
  REXMIT_KIND,
  SYN_FLAG,
  TCB,
  TIMER,
  WARM,
} from "./state/tcb.ts";
import { emitSynAck, prepareSynAck } from "./syn_ack.ts";
import { OPENING, SYN_OPTIONS } from "./opening.ts";

const opening = OPENING;
const synOptions = SYN_OPTIONS;

const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const { FLAGS_MASK, HAS_TIMESTAMPS } = CONTROL;
const { PENDING, COUNTED, SYN_DATA_ACKED } = FAST_OPEN_FLAG;
const F = FAST_OPEN;
const L = LISTENER;
/** Bits of `Profile.fastOpen` for servers. */
const SERVER_WITHOUT_COOKIE = 0x200;
/** Delayed-ACK state that data in a SYN, which the SYN-ACK acknowledges, leaves untouched. */
const UNTOUCHED = ((1 << ACK_STATE.KIND_AT) - 1) | ACK_STATE.PUSHED | ACK_STATE.PUSHED_TWICE;

const shown = newCookie();
const valid = newCookie();
const candidate = newCookie();

/**
 * A SYN for the listener of `opening`, whose SYN-ACK is prepared in `synOptions` (Linux `tcp_try_fastopen`). True if it
 * made a connection; the SYN-ACK has been sent then. Otherwise a cookie that it asked for, or should have had, is in
 * `synOptions` now. Only where the host's profile has servers do Fast Open.
 */
export function tryFastOpen(stack: TcpStack, p: number): boolean {
  const { host, local, remote, listener } = opening;
  const pool = stack.packets;
  readFastOpen(pool, p, shown);
  if (shown.length === 0) stack.counters.fastOpenCookiesAsked++;
  const hasData = pool.rows.words[p * PACKET.STRIDE + PACKET.LENGTH] > 0;
  if (!(hasData || shown.length !== NO_COOKIE) || !queueHasRoom(stack, listener)) return false;
  const options = stack.listeners.words[listener * L.STRIDE + L.OPTIONS];
  let key = 0;
  if ((stack.profileOf(host).fastOpen & SERVER_WITHOUT_COOKIE) === 0 && (options & LISTENER_FLAG.NO_COOKIE) === 0) {
    if (shown.length === NO_COOKIE) return false;
    const keys = stack.fastOpen.keysOf(stack, host, listener);
    serverCookie(stack.addresses, local, remote, keys[0], valid);
    valid.experimental = shown.experimental;
    for (key = 0; key < keys.length; key++) {
      serverCookie(stack.addresses, local, remote, keys[key], candidate);
      if (sameCookie(candidate, shown)) break;
    }
    // RFC 7413 4.2.2: no cookie or a wrong one is answered with the right one, and data is not taken.
    if (key > 0) copyCookie(valid, synOptions.cookie);
    if (key === keys.length) {
      if (shown.length > 0) stack.counters.fastOpenPassiveFails++;
      return false;
    }
  }
  createChild(stack, p);
  return true;
}

/** The connection of a Fast Open SYN, its data taken; sends the SYN-ACK and puts it into the accept queue. */
function createChild(stack: TcpStack, p: number): void {
  const { host, local, remote, ports, listener, options, irs } = opening;
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const conn = makeChild(stack, STATE.SYN_RECEIVED);
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const k = stack.coldOf(conn) * COLD.STRIDE;
  const row = stack.fastOpens.allocate();
  stack.cold.words[k + COLD.FAST_OPEN] = row;
  const opens = stack.fastOpens.words;
  const f = row * F.STRIDE;
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  opens[f + F.FLAGS] = PENDING | COUNTED;
  opens[f + F.IRS] = irs;
  opens[f + F.SENT_US] = stack.nowUs;
  opens[f + F.LISTENER] = listener;
  opens[f + F.GENERATION] = rows[l + L.GENERATION];
  opens[f + F.COOKIE] = NO_COOKIE;
  rows[l + L.FAST_OPEN_COUNT]++;
  stack.demux.insert(host, local, remote, ports, (conn << 2) | ROW_KIND.CONNECTION);
  stack.addresses.retain(remote);
  const words = stack.tcbs.words;
  // RFC 7323 2.2: the window of a SYN is not scaled.
  words[c + TCB.SND_WND] = packets[o + PACKET.WINDOW_TTL_TOS] >>> 16;
  stack.warm[w + WARM.MAX_WINDOW] = words[c + TCB.SND_WND];
  const length = packets[o + PACKET.LENGTH];
  if (length > 0) {
    takeInOrder(stack, conn, p, length);
    if (words[c + TCB.STATE] < 0) accountSynData(stack, conn);
    opens[f + F.FLAGS] |= SYN_DATA_ACKED;
    // The SYN-ACK acknowledges it: no ACK is owed.
    stack.warm[w + WARM.ACK_STATE] &= ~UNTOUCHED;
  }
  words[c + TCB.RCV_WUP] = words[c + TCB.RCV_NXT];
  words[c + TCB.RCV_ADV] = (words[c + TCB.RCV_NXT] + synAckWindow(stack, host, local, listener, options)) | 0;
  stack.counters.fastOpenPassives++;
  emitSynAck(stack, words[c + TCB.RCV_NXT]);
  stack.armTimer(conn, TIMER.REXMIT, stack.profileOf(host).rtoInitialMs);
  enqueueAccepted(stack, listener, conn);
}

/** Makes `opening` what the connection's handshake was, and prepares its SYN-ACK. */
function reopen(stack: TcpStack, conn: number, f: number): void {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const state = words[c + TCB.STATE];
  opening.host = words[c + TCB.HOST];
  opening.local = words[c + TCB.LOCAL];
  opening.remote = words[c + TCB.REMOTE];
  opening.ports = words[c + TCB.PORTS];
  opening.listener = listenerOf(stack, f);
  opening.irs = stack.fastOpens.words[f + F.IRS];
  opening.iss = (words[c + TCB.SND_UNA] - 1) | 0;
  opening.tsRecent = words[c + TCB.TS_RECENT];
  opening.tsOffset = stack.warm[conn * WARM.STRIDE + WARM.TS_OFFSET];
  opening.options = ((state & FLAG.TIMESTAMPS) !== 0 ? SYN_FLAG.TIMESTAMPS : 0) |
    ((state & FLAG.SACK) !== 0 ? SYN_FLAG.SACK : 0) | ((state & FLAG.ECN) !== 0 ? SYN_FLAG.ECN : 0) |
    ((state & FLAG.SCALING) !== 0
      ? SYN_FLAG.SCALING | (((state >> FLAG.SND_SHIFT_AT) & 0xf) << 16) | (((state >> FLAG.RCV_SHIFT_AT) & 0xf) << 20)
      : 0);
  prepareSynAck(stack);
}

function repeatSynAck(stack: TcpStack, conn: number, f: number): void {
  reopen(stack, conn, f);
  stack.fastOpens.words[f + F.REPEATED]++;
  stack.counters.retransmissions++;
  // As Linux's: it acknowledges what was taken with the SYN.
  emitSynAck(stack, stack.tcbs.words[conn * TCB.STRIDE + TCB.RCV_NXT]);
}

/**
 * A segment for a connection that waits for its final ACK, before anything else is done with it (Linux `tcp_check_req`).
 * True if it goes on to be processed as that of any connection; `fastOpenAcked` is due then.
 */
export function fastOpenChildIn(stack: TcpStack, conn: number, p: number): boolean {
  const f = fastOpenAt(stack, conn);
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const opens = stack.fastOpens.words;
  const o = p * PACKET.STRIDE;
  const c = conn * TCB.STRIDE;
  const host = words[c + TCB.HOST];
  const control = packets[o + PACKET.CONTROL];
  const flags = control & FLAGS_MASK;
  const seq = packets[o + PACKET.SEQ];
  const end = (seq + packets[o + PACKET.LENGTH] + (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0)) | 0;
  const next = words[c + TCB.RCV_NXT];
  const stamped = (words[c + TCB.STATE] & FLAG.TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const old = stamped && isOldStamp(packets[o + PACKET.TS_VAL], words[c + TCB.TS_RECENT]);
  const irs = opens[f + F.IRS];
  if ((flags & (F_SYN | F_ACK | F_RST)) === F_SYN && seq === irs && !old) {
    if (mayAnswer(stack, host, opens, f + F.LAST_OOW, packets, o)) repeatSynAck(stack, conn, f);
    return false;
  }
  if (old || !inWindow(seq, end, next, words[c + TCB.RCV_ADV])) {
    if (old) stack.counters.pawsRejects++;
    if ((flags & F_RST) === 0 && mayAnswer(stack, host, opens, f + F.LAST_OOW, packets, o)) sendAck(stack, conn);
    return false;
  }
  if ((flags & F_RST) !== 0) return true;
  if ((flags & F_SYN) !== 0 && seq !== irs) {
    // Not to be reset by who can guess a sequence number: who sent it is.
    sendResetFor(stack, host, p);
    return false;
  }
  return (flags & F_ACK) !== 0;
}

/** The final ACK has come (Linux `tcp_rcv_synrecv_state_fastopen`): the SYN-ACK's timer becomes that of data. */
export function fastOpenAcked(stack: TcpStack, conn: number, p: number): void {
  const f = fastOpenAt(stack, conn);
  const opens = stack.fastOpens.words;
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  leaveQueue(stack, conn, f, false);
  opens[f + F.FLAGS] &= ~PENDING;
  // As Linux: no round trip is taken from the handshake of a connection that has been closed already.
  if ((words[c + TCB.STATE] & FLAG.STATE_MASK) !== STATE.SYN_RECEIVED) noHandshakeSample(stack, conn);
  else if (opens[f + F.REPEATED] === 0) sampleRtt(stack, conn, (stack.nowUs - opens[f + F.SENT_US]) | 0);
  warm[w + WARM.ACK_STATE] &= ~((0xff << ACK_STATE.RETRIES_AT) | (0xf << ACK_STATE.BACKOFF_AT));
  stack.disarmTimer(conn, TIMER.REXMIT);
  if ((words[c + TCB.STATE] & FLAG.STATE_MASK) === STATE.SYN_RECEIVED) {
    const closes = (words[c + TCB.STATE] & FLAG.FIN_QUEUED) !== 0;
    words[c + TCB.STATE] = (words[c + TCB.STATE] & ~FLAG.STATE_MASK) | (closes ? STATE.FIN_WAIT_1 : STATE.ESTABLISHED);
    armKeepAlive(stack, conn);
  }
  const o = p * PACKET.STRIDE;
  const window = (packets[o + PACKET.WINDOW_TTL_TOS] >>> 16) <<
    ((words[c + TCB.STATE] >> FLAG.SND_SHIFT_AT) & 0xf);
  words[c + TCB.SND_WND] = window;
  warm[w + WARM.SND_WL1] = packets[o + PACKET.SEQ];
  if (window > warm[w + WARM.MAX_WINDOW]) warm[w + WARM.MAX_WINDOW] = window;
}

/**
 * What the final ACK acknowledges has been taken: a timeout for what is out follows the SYN-ACK's, in place of whatever
 * that ACK has asked for (Linux `tcp_rcv_synrecv_state_fastopen`).
 */
export function fastOpenSettled(stack: TcpStack, conn: number): void {
  if (rexmitKind(stack, conn) === REXMIT_KIND.TAIL_LOSS) setRexmitKind(stack, conn, REXMIT_KIND.RETRANSMIT);
  rearmRto(stack, conn);
}

/**
 * The SYN-ACK's timer went off (Linux `tcp_fastopen_synack_timer`): it is sent again, once more often than others.
 * Nothing else is until it is acknowledged. False if patience is over.
 */
export function fastOpenSynAckFired(stack: TcpStack, conn: number, limit: number): boolean {
  const f = fastOpenAt(stack, conn);
  const opens = stack.fastOpens.words;
  const profile = stack.profileOfConnection(conn);
  if (opens[f + F.TIMEOUTS] >= limit) return false;
  // After the second, as for any handshake: a window of one segment.
  if (opens[f + F.TIMEOUTS] === 1) stack.tcbs.words[conn * TCB.STRIDE + TCB.CWND] = 1;
  stack.counters.synRetransmissions++;
  stack.counters.synAckRetransmissions++;
  repeatSynAck(stack, conn, f);
  const timeouts = ++opens[f + F.TIMEOUTS];
  stack.armTimer(conn, TIMER.REXMIT, Math.min(profile.rtoInitialMs * 2 ** timeouts, profile.rtoMaxMs));
  return true;
}
