/**
 * The SYN queue: small rows of connections in SYN_RECEIVED, as Linux's request socks.
 *
 * @module
 */
import { accountRepeats, accountSegment } from "./accounting.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import * as ACCEPT_QUEUE from "./accept_queue.ts";
import { noteOverflow } from "./accept_queue.ts";
import * as ESTABLISH from "./establish.ts";
import { synAckWindow } from "./establish.ts";
import { tryFastOpen } from "./fast_open_server.ts";
import * as HANDSHAKE from "./handshake.ts";
import { HANDSHAKE_LOOK_MS, synField } from "./handshake.ts";
import * as ISN from "./isn.ts";
import * as KEEP_ALIVE from "./keep_alive.ts";
import * as OUT_OF_WINDOW from "./out_of_window.ts";
import { inWindow, mayAnswer } from "./out_of_window.ts";
import * as MEMORY from "./memory.ts";
import { fitsChild } from "./memory.ts";
import * as OFFER from "./offer.ts";
import * as RTT from "./rtt.ts";
import { noHandshakeSample } from "./rtt.ts";
import { sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { LISTENER, SETTINGS, SYN_FLAG, SYN_ROW, TCB, WARM } from "./state/tcb.ts";
import * as SYN_ACK from "./syn_ack.ts";
import { emitOpeningAck } from "./syn_ack.ts";
import { cookieTimestamp, makeCookie, readCookie } from "./syn_cookies.ts";
import { OPENING, SYN_OPTIONS } from "./opening.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { acceptQueueFull, enqueueAccepted, notePeaks } = ACCEPT_QUEUE;
const { listenerSettings, makeChild } = ESTABLISH;
const { settingIn } = HANDSHAKE;
const { initialSequence, timestampOffset, tupleSecret } = ISN;
const { armKeepAlive } = KEEP_ALIVE;
const { isOldStamp } = OUT_OF_WINDOW;
const { changeRequests, lacksMemory, lacksRequestMemory } = MEMORY;
const { listenersOffer } = OFFER;
const { sampleRtt } = RTT;
const { emitSynAck, prepareSynAck, readSyn } = SYN_ACK;

const opening = OPENING;
const synOptions = SYN_OPTIONS;

const { FLAGS_MASK, HAS_TIMESTAMPS } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;

const {
  BACKLOG: L_BACKLOG,
  MASK: L_MASK,
  STRIDE: L_STRIDE,
  SYN_COUNT: L_SYN_COUNT,
  SYN_FIRST_HIGH: L_SYN_FIRST_HIGH,
  SYN_OVERFLOWS: L_SYN_OVERFLOWS,
  YOUNG: L_YOUNG,
} = LISTENER;
const {
  ACK: P_ACK,
  CONTROL: P_CONTROL,
  DST: P_DST,
  LENGTH: P_LENGTH,
  PORTS: P_PORTS,
  SEQ: P_SEQ,
  SRC: P_SRC,
  MASK: P_MASK,
  STRIDE: P_STRIDE,
  TS_ECR: P_TS_ECR,
  TS_VAL: P_TS_VAL,
  WINDOW_TTL_TOS: P_WINDOW_TTL_TOS,
} = PACKET;
const { DEFER_ACCEPT: SET_DEFER_ACCEPT, SYN_RETRIES: SET_SYN_RETRIES } = SETTINGS;
const {
  ACKED: SYN_FLAG_ACKED,
  TIMESTAMPS: SYN_FLAG_TIMESTAMPS,
} = SYN_FLAG;
const {
  DEADLINE: SYN_ROW_DEADLINE,
  HOST: SYN_ROW_HOST,
  IRS: SYN_ROW_IRS,
  ISS: SYN_ROW_ISS,
  LAST_OOW: SYN_ROW_LAST_OOW,
  LISTENER: SYN_ROW_LISTENER,
  LOCAL: SYN_ROW_LOCAL,
  OPTIONS: SYN_ROW_OPTIONS,
  PORTS: SYN_ROW_PORTS,
  QUEUED_AT: SYN_ROW_QUEUED_AT,
  REMOTE: SYN_ROW_REMOTE,
  RETRIES: SYN_ROW_RETRIES,
  SENT_US: SYN_ROW_SENT_US,
  SERIAL: SYN_ROW_SERIAL,
  MASK: SYN_ROW_MASK,
  STRIDE: SYN_ROW_STRIDE,
  TS_OFFSET: SYN_ROW_TS_OFFSET,
  TS_RECENT: SYN_ROW_TS_RECENT,
} = SYN_ROW;
const { CONNECTION: ROW_KIND_CONNECTION, SYN_RECEIVED: ROW_KIND_SYN_RECEIVED } = ROW_KIND;
const { ESTABLISHED: STATE_ESTABLISHED } = STATE;
const { CWND: TCB_CWND, RCV_NXT: TCB_RCV_NXT, SND_WND: TCB_SND_WND } = TCB;
const { STATE: TCB_STATE, MASK: TCB_MASK, STRIDE: TCB_STRIDE } = TCB;
const { MAX_WINDOW: WARM_MAX_WINDOW, SND_WL1: WARM_SND_WL1, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const TIMEOUTS_MASK = 0xff;
const REPEATED_AT = 8;

/**
 * A SYN for a listener (Linux `tcp_conn_request`): a row in the SYN queue and a SYN-ACK; a cookie, if the queue is full;
 * a connection at once, with Fast Open. `leastIsn` (0 for none) is our initial sequence number, where an earlier
 * incarnation's numbers are still about: limits do not hold then, since the peer is evidently real.
 */
export function synIn(stack: TcpStack, host: number, listener: number, p: number, leastIsn: number): void {
  const rows = stack.listeners.words;
  const l = (listener * L_STRIDE) & L_MASK;
  const profile = stack.profileOf(host);
  let cookie = false;
  if (leastIsn === 0 && (profile.synCookies === 2 || rows[l + L_SYN_COUNT] > rows[l + L_BACKLOG])) {
    cookie = profile.synCookies !== 0;
    if (!cookie) return dropSyn(stack, l);
  }
  if (acceptQueueFull(stack, listener)) return;
  const room = profile.maxSynBacklog - rows[l + L_SYN_COUNT];
  // Without cookies the last quarter is for peers that have proven to be alive, of which Linux keeps a cache.
  if (leastIsn === 0 && profile.synCookies === 0 && room < profile.maxSynBacklog >> 2) return dropSyn(stack, l);
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const local = packets[o + P_DST];
  const remote = packets[o + P_SRC];
  const wire = packets[o + P_PORTS];
  const ports = (wire << 16) | (wire >>> 16);
  const secret = tupleSecret(stack, host, local, remote, ports);
  opening.host = host;
  opening.local = local;
  opening.remote = remote;
  opening.ports = ports;
  opening.listener = listener;
  opening.irs = packets[o + P_SEQ];
  opening.iss = leastIsn !== 0 ? leastIsn : initialSequence(stack, secret);
  opening.tsOffset = timestampOffset(secret);
  readSyn(stack, listenersOffer(stack, profile, host, local), packets, o, cookie);
  if (cookie) {
    makeCookie(stack);
    prepareSynAck(stack);
    if ((synOptions.control & HAS_TIMESTAMPS) !== 0) synOptions.tsVal = cookieTimestamp(stack);
    emitSynAck(stack, (opening.irs + 1) | 0);
    return;
  }
  opening.serial = stack.hosts.nextSerial(host);
  prepareSynAck(stack);
  // Fast Open's option, perhaps, is in `synOptions` after this.
  if ((profile.fastOpen & 2) !== 0 && fitsChild(stack, host) && tryFastOpen(stack, p)) return;
  if (lacksRequestMemory(stack, host)) return;
  const row = addRow(stack);
  emitSynAck(stack, (opening.irs + 1) | 0);
  armSynRow(stack, row, profile.rtoInitialMs);
}

function dropSyn(stack: TcpStack, l: number): void {
  noteOverflow(stack, l, L_SYN_OVERFLOWS, L_SYN_FIRST_HIGH);
  stack.counters.synOverflows++;
  stack.counters.listenDrops++;
}

/** Puts `opening` into the SYN queue. */
function addRow(stack: TcpStack): number {
  const { host, local, remote, ports, listener } = opening;
  const row = stack.synRows.allocate();
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  syns[s + SYN_ROW_LOCAL] = local;
  syns[s + SYN_ROW_REMOTE] = remote;
  syns[s + SYN_ROW_PORTS] = ports;
  syns[s + SYN_ROW_HOST] = host;
  syns[s + SYN_ROW_ISS] = opening.iss;
  syns[s + SYN_ROW_IRS] = opening.irs;
  syns[s + SYN_ROW_TS_OFFSET] = opening.tsOffset;
  syns[s + SYN_ROW_TS_RECENT] = opening.tsRecent;
  syns[s + SYN_ROW_OPTIONS] = opening.options;
  syns[s + SYN_ROW_LISTENER] = listener;
  syns[s + SYN_ROW_SERIAL] = opening.serial;
  syns[s + SYN_ROW_SENT_US] = stack.nowUs;
  stack.demux.insert(host, local, remote, ports, (row << 2) | ROW_KIND_SYN_RECEIVED);
  stack.addresses.retain(remote);
  const rows = stack.listeners.words;
  const l = (listener * L_STRIDE) & L_MASK;
  rows[l + L_SYN_COUNT]++;
  rows[l + L_YOUNG]++;
  notePeaks(rows, l);
  changeRequests(stack, host, 1);
  return row;
}

/** Makes `opening` what a row of the SYN queue says. */
function openRow(stack: TcpStack, row: number): void {
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  opening.host = syns[s + SYN_ROW_HOST];
  opening.local = syns[s + SYN_ROW_LOCAL];
  opening.remote = syns[s + SYN_ROW_REMOTE];
  opening.ports = syns[s + SYN_ROW_PORTS];
  opening.listener = syns[s + SYN_ROW_LISTENER];
  opening.iss = syns[s + SYN_ROW_ISS];
  opening.irs = syns[s + SYN_ROW_IRS];
  opening.tsRecent = syns[s + SYN_ROW_TS_RECENT];
  opening.tsOffset = syns[s + SYN_ROW_TS_OFFSET];
  opening.options = syns[s + SYN_ROW_OPTIONS];
  opening.serial = syns[s + SYN_ROW_SERIAL];
}

/** Sends a row's SYN-ACK again. */
function repeatSynAck(stack: TcpStack, row: number): void {
  const at = row * SYN_ROW_STRIDE + SYN_ROW_RETRIES;
  const repeated = Math.min(255, ((stack.synRows.words[at] >> REPEATED_AT) & 0xff) + 1);
  stack.synRows.words[at] = (stack.synRows.words[at] & TIMEOUTS_MASK) | (repeated << REPEATED_AT);
  stack.counters.retransmissions++;
  openRow(stack, row);
  prepareSynAck(stack);
  emitSynAck(stack, (opening.irs + 1) | 0);
}

/** Sets a SYN_RECEIVED row's retransmission timer. */
function armSynRow(stack: TcpStack, row: number, delayMs: number): void {
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const deadline = ((stack.nowTick + delayMs) | 0) || 1;
  if (syns[s + SYN_ROW_DEADLINE] === 0) stack.liveTimers++;
  syns[s + SYN_ROW_DEADLINE] = deadline;
  const look = delayMs > HANDSHAKE_LOOK_MS ? ((stack.nowTick + HANDSHAKE_LOOK_MS) | 0) || 1 : deadline;
  const queued = syns[s + SYN_ROW_QUEUED_AT];
  if (queued === 0 || ((look - queued) | 0) < 0) {
    syns[s + SYN_ROW_QUEUED_AT] = look;
    stack.requestTimer((row << 2) | ROW_KIND_SYN_RECEIVED, look);
  }
}

/** The timeout of a row's SYN-ACK, backed off. */
function synAckTimeoutMs(stack: TcpStack, row: number): number {
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const profile = stack.profileOf(syns[s + SYN_ROW_HOST]);
  return Math.min(profile.rtoInitialMs * 2 ** (syns[s + SYN_ROW_RETRIES] & TIMEOUTS_MASK), profile.rtoMaxMs);
}

/**
 * The timer of a SYN_RECEIVED row went off: repeat the SYN-ACK or give up (RFC 9293 3.8.3 R2 for SYN, MUST-23; Linux
 * `reqsk_timer_handler`). A queue more than half full of old rows is patient with none of them.
 */
export function synRowFired(stack: TcpStack, row: number): void {
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const profile = stack.profileOf(syns[s + SYN_ROW_HOST]);
  const listener = syns[s + SYN_ROW_LISTENER];
  const l = (listener * L_STRIDE) & L_MASK;
  const rows = stack.listeners.words;
  const settings = listenerSettings(stack, listener);
  const timeouts = syns[s + SYN_ROW_RETRIES] & TIMEOUTS_MASK;
  let most = settingIn(stack, settings, SET_SYN_RETRIES) || profile.synAckRetries;
  const length = rows[l + L_SYN_COUNT];
  if (2 * length > Math.max(8, rows[l + L_BACKLOG])) {
    for (let young = 2 * rows[l + L_YOUNG]; most > 2 && length >= young; young *= 2) most--;
  }
  const deferred = settingIn(stack, settings, SET_DEFER_ACCEPT);
  const acked = (syns[s + SYN_ROW_OPTIONS] & SYN_FLAG_ACKED) !== 0;
  let expires = timeouts >= most;
  let repeats = true;
  if (deferred !== 0) {
    expires = expires && (!acked || timeouts >= deferred);
    // TCP_DEFER_ACCEPT: silence while data is awaited, and one last chance at the end.
    repeats = !acked || timeouts >= deferred - 1;
  }
  if (expires) {
    stack.counters.attemptFails++;
    releaseSynRow(stack, row, true);
    return;
  }
  if (repeats) {
    stack.counters.synRetransmissions++;
    stack.counters.synAckRetransmissions++;
    repeatSynAck(stack, row);
  }
  if (timeouts === 0) rows[l + L_YOUNG]--;
  stack.synRows.words[s + SYN_ROW_RETRIES] += timeouts < TIMEOUTS_MASK ? 1 : 0;
  armSynRow(stack, row, synAckTimeoutMs(stack, row));
}

/** Gives a row back; `leaves`: the tuple is free. */
export function releaseSynRow(stack: TcpStack, row: number, leaves: boolean): void {
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const l = (syns[s + SYN_ROW_LISTENER] * L_STRIDE) & L_MASK;
  stack.listeners.words[l + L_SYN_COUNT]--;
  if ((syns[s + SYN_ROW_RETRIES] & TIMEOUTS_MASK) === 0) stack.listeners.words[l + L_YOUNG]--;
  if (leaves) {
    stack.demux.remove(
      syns[s + SYN_ROW_HOST],
      syns[s + SYN_ROW_LOCAL],
      syns[s + SYN_ROW_REMOTE],
      syns[s + SYN_ROW_PORTS],
      (row << 2) | ROW_KIND_SYN_RECEIVED,
    );
    stack.addresses.release(syns[s + SYN_ROW_REMOTE]);
  }
  if (syns[s + SYN_ROW_DEADLINE] !== 0) stack.liveTimers--;
  changeRequests(stack, syns[s + SYN_ROW_HOST], -1);
  stack.synRows.release(row);
}

/**
 * A segment for a row of the SYN queue (RFC 9293 3.10.7.4 in SYN_RECEIVED; Linux `tcp_check_req`). Returns the new
 * connection if this was the final ACK and has more to say (data, a FIN), else 0.
 */
export function synReceivedIn(stack: TcpStack, host: number, row: number, p: number): number {
  const packets = stack.packets.rows.words;
  const syns = stack.synRows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const control = packets[o + P_CONTROL];
  const flags = control & FLAGS_MASK;
  const options = syns[s + SYN_ROW_OPTIONS];
  const seq = packets[o + P_SEQ];
  const irs = syns[s + SYN_ROW_IRS];
  const next = (irs + 1) | 0;
  const stamped = (options & SYN_FLAG_TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const old = stamped && isOldStamp(packets[o + P_TS_VAL], syns[s + SYN_ROW_TS_RECENT]);
  const listener = syns[s + SYN_ROW_LISTENER];
  if ((flags & (F_SYN | F_ACK | F_RST)) === F_SYN && seq === irs && !old) {
    // The SYN again: so is the SYN-ACK, not too often, and its timer begins anew.
    if (!mayAnswer(stack, host, syns, s + SYN_ROW_LAST_OOW, packets, o)) return 0;
    repeatSynAck(stack, row);
    armSynRow(stack, row, synAckTimeoutMs(stack, row));
    return 0;
  }
  // RFC 9293 3.5.2 group 2, 3.10.7.4: an unacceptable ACK before the connection is synchronized: a reset.
  if ((flags & F_ACK) !== 0 && packets[o + P_ACK] !== ((syns[s + SYN_ROW_ISS] + 1) | 0)) {
    sendResetFor(stack, host, p);
    return 0;
  }
  const end = (seq + packets[o + P_LENGTH] + (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0)) | 0;
  const outside = seq !== next && isOutside(stack, row, seq, end);
  if (old || outside) {
    if (old) stack.counters.pawsRejects++;
    if ((flags & F_RST) === 0) answerOutside(stack, row, host, p);
    return 0;
  }
  // Second, RST (RFC 5961 3.2): exactly RCV.NXT removes the row; in the window only a challenge.
  if ((flags & F_RST) !== 0) {
    if (seq !== next) return challenge(stack, row, host);
    stack.counters.resetsReceived++;
    stack.counters.attemptFails++;
    releaseSynRow(stack, row, true);
    return 0;
  }
  // Fourth, SYN: after a passive open, back to LISTEN without a word. The peer has begun anew, and will ask again.
  if ((flags & F_SYN) !== 0 && seq !== irs) {
    stack.counters.attemptFails++;
    releaseSynRow(stack, row, true);
    return 0;
  }
  if ((flags & F_ACK) === 0) return 0;
  const deferred = settingIn(stack, listenerSettings(stack, listener), SET_DEFER_ACCEPT);
  if (deferred !== 0 && end === next && (syns[s + SYN_ROW_RETRIES] & TIMEOUTS_MASK) < deferred) {
    // TCP_DEFER_ACCEPT: nobody is woken for a connection without data.
    syns[s + SYN_ROW_OPTIONS] |= SYN_FLAG_ACKED;
    return 0;
  }
  if (acceptQueueFull(stack, listener) || lacksMemory(stack, host)) {
    if (stack.profileOf(host).abortOnOverflow) {
      sendResetFor(stack, host, p);
      releaseSynRow(stack, row, true);
    } else syns[s + SYN_ROW_OPTIONS] |= SYN_FLAG_ACKED;
    return 0;
  }
  openRow(stack, row);
  if (stamped && ((seq - next) | 0) <= 0) opening.tsRecent = packets[o + P_TS_VAL];
  return establish(stack, row, p, end);
}

/** Does a segment lie out of the window of a row: as Linux, what the SYN-ACK's field said? */
function isOutside(stack: TcpStack, row: number, seq: number, end: number): boolean {
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const next = (syns[s + SYN_ROW_IRS] + 1) | 0;
  const [host, local, listener] = [syns[s + SYN_ROW_HOST], syns[s + SYN_ROW_LOCAL], syns[s + SYN_ROW_LISTENER]];
  const window = synField(synAckWindow(stack, host, local, listener, syns[s + SYN_ROW_OPTIONS]));
  return !inWindow(seq, end, next, (next + window) | 0);
}

/** An out-of-window segment for a row is answered with an ACK, not too often (Linux). */
function answerOutside(stack: TcpStack, row: number, host: number, p: number): void {
  const packets = stack.packets.rows.words;
  const at = row * SYN_ROW_STRIDE + SYN_ROW_LAST_OOW;
  if (!mayAnswer(stack, host, stack.synRows.words, at, packets, p * P_STRIDE)) return;
  openRow(stack, row);
  emitOpeningAck(stack);
}

function challenge(stack: TcpStack, row: number, host: number): number {
  const limit = stack.profileOf(host).challengeAckLimitPerSecond;
  if (!stack.hosts.takeChallengeAck(host, Math.floor(stack.nowNs / 1e6), limit)) {
    stack.counters.challengeAcksLimited++;
    return 0;
  }
  stack.counters.challengeAcks++;
  openRow(stack, row);
  emitOpeningAck(stack);
  return 0;
}

/** Makes a full connection of a row of the SYN queue, which is `opening`. Returns as `synReceivedIn` does. */
function establish(stack: TcpStack, row: number, p: number, end: number): number {
  const { host, local, remote, ports } = opening;
  const syns = stack.synRows.words;
  const s = (row * SYN_ROW_STRIDE) & SYN_ROW_MASK;
  const timeouts = syns[s + SYN_ROW_RETRIES] & TIMEOUTS_MASK;
  const repeated = (syns[s + SYN_ROW_RETRIES] >> REPEATED_AT) & 0xff;
  const sentUs = syns[s + SYN_ROW_SENT_US];
  const conn = makeChild(stack, STATE_ESTABLISHED);
  if (repeated !== 0) accountRepeats(stack, conn, repeated);
  // RFC 6298 3: a SYN-ACK that was repeated gives no sample.
  if (repeated === 0) sampleRtt(stack, conn, (stack.nowUs - sentUs) | 0);
  else {
    noHandshakeSample(stack, conn);
    // RFC 6298 5.7, as Linux: one segment after a second loss, unless the timestamp shows that it was none.
    if (repeated > 1 && timeouts > 0 && !echoesFirst(stack, p, sentUs)) {
      stack.tcbs.words[conn * TCB_STRIDE + TCB_CWND] = 1;
    }
  }
  stack.demux.replace(
    host,
    local,
    remote,
    ports,
    (row << 2) | ROW_KIND_SYN_RECEIVED,
    (conn << 2) | ROW_KIND_CONNECTION,
  );
  releaseSynRow(stack, row, false);
  return enter(stack, conn, p, end);
}

/** Does the final ACK echo the timestamp of the first SYN-ACK? Then its repetitions were needless. */
function echoesFirst(stack: TcpStack, p: number, sentUs: number): boolean {
  if ((opening.options & SYN_FLAG_TIMESTAMPS) === 0) return false;
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  if ((packets[o + P_CONTROL] & HAS_TIMESTAMPS) === 0) return false;
  const echo = (packets[o + P_TS_ECR] - opening.tsOffset) | 0;
  const sinceMs = Math.floor(((stack.nowUs - sentUs) >>> 0) / 1000);
  return Math.abs((stack.nowMs - echo - sinceMs) | 0) <= 1;
}

/** A cookie's final ACK, for a listener. Returns as `synReceivedIn` does, and -1 where the ACK is none. */
export function cookieIn(stack: TcpStack, host: number, listener: number, p: number): number {
  if (!readCookie(stack, host, listener, p)) return -1;
  if (acceptQueueFull(stack, listener) || lacksMemory(stack, host)) return 0;
  const { local, remote, ports } = opening;
  opening.serial = stack.hosts.nextSerial(host);
  const conn = makeChild(stack, STATE_ESTABLISHED);
  noHandshakeSample(stack, conn);
  stack.demux.insert(host, local, remote, ports, (conn << 2) | ROW_KIND_CONNECTION);
  stack.addresses.retain(remote);
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const fin = (packets[o + P_CONTROL] & F_FIN) !== 0 ? 1 : 0;
  return enter(stack, conn, p, (packets[o + P_SEQ] + packets[o + P_LENGTH] + fin) | 0);
}

/** An established connection enters the accept queue; the window of its final ACK is taken. */
function enter(stack: TcpStack, conn: number, p: number, end: number): number {
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const words = stack.tcbs.words;
  const shift = (words[c + TCB_STATE] >> 4) & 0xf;
  const offered = (packets[o + P_WINDOW_TTL_TOS] >>> 16) <<
    ((packets[o + P_CONTROL] & F_SYN) !== 0 ? 0 : shift);
  words[c + TCB_SND_WND] = offered;
  stack.warm[w + WARM_MAX_WINDOW] = offered;
  const seq = packets[o + P_SEQ];
  const next = words[c + TCB_RCV_NXT];
  enqueueAccepted(stack, opening.listener, conn);
  armKeepAlive(stack, conn);
  if (end !== seq || seq !== next) return conn;
  // The usual final ACK has nothing more to say than its window.
  if (words[c + TCB_STATE] < 0) accountSegment(stack, conn, p);
  stack.warm[w + WARM_SND_WL1] = seq;
  return 0;
}
