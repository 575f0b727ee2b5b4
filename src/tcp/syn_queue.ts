/**
 * The SYN queue: small rows of connections in SYN_RECEIVED, as Linux's request socks.
 *
 * @module
 */
import { accountRepeats } from "./accounting.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { acceptQueueFull, enqueueAccepted, noteOverflow, notePeaks } from "./accept_queue.ts";
import { grantsEcn } from "./ecn_open.ts";
import { listenerSettings, makeChild, opening, synAckWindow } from "./establish.ts";
import { tryFastOpen } from "./fast_open_server.ts";
import { believedMss, firstShift, peerMss, peerShift, settingIn, synOptions } from "./handshake.ts";
import { initialSequence, timestampOffset, tupleSecret } from "./isn.ts";
import { armKeepAlive } from "./keep_alive.ts";
import { inWindow, isOldStamp, mayAnswer } from "./out_of_window.ts";
import { noHandshakeSample, sampleRtt } from "./rtt.ts";
import { sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { LISTENER, SETTINGS, SYN_FLAG, SYN_ROW, TCB, WARM } from "./state/tcb.ts";
import { emitOpeningAck, emitSynAck, prepareSynAck } from "./syn_ack.ts";
import { cookieTimestamp, makeCookie, readCookie } from "./syn_cookies.ts";

const { FLAGS_MASK, HAS_TIMESTAMPS, HAS_WINDOW_SCALE, HAS_SACK_PERMITTED } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const SR = SYN_ROW;
const L = LISTENER;
const TIMEOUTS_MASK = 0xff;
const REPEATED_AT = 8;

/**
 * A SYN for a listener (Linux `tcp_conn_request`): a row in the SYN queue and a SYN-ACK; a cookie, if the queue is full;
 * a connection at once, with Fast Open. `leastIsn` (0 for none) is our initial sequence number, where an earlier
 * incarnation's numbers are still about: limits do not hold then, since the peer is evidently real.
 */
export function synIn(stack: TcpStack, host: number, listener: number, p: number, leastIsn: number): void {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const profile = stack.profileOf(host);
  let cookie = false;
  if (leastIsn === 0 && (profile.synCookies === 2 || rows[l + L.SYN_COUNT] > rows[l + L.BACKLOG])) {
    cookie = profile.synCookies !== 0;
    if (!cookie) return dropSyn(stack, l);
  }
  if (acceptQueueFull(stack, listener)) return;
  const room = profile.maxSynBacklog - rows[l + L.SYN_COUNT];
  // Without cookies the last quarter is for peers that have proven to be alive, of which Linux keeps a cache.
  if (leastIsn === 0 && profile.synCookies === 0 && room < profile.maxSynBacklog >> 2) return dropSyn(stack, l);
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const local = packets[o + PACKET.DST];
  const remote = packets[o + PACKET.SRC];
  const wire = packets[o + PACKET.PORTS];
  const ports = (wire << 16) | (wire >>> 16);
  const secret = tupleSecret(stack, host, local, remote, ports);
  opening.host = host;
  opening.local = local;
  opening.remote = remote;
  opening.ports = ports;
  opening.listener = listener;
  opening.irs = packets[o + PACKET.SEQ];
  opening.iss = leastIsn !== 0 ? leastIsn : initialSequence(stack, secret);
  opening.tsOffset = timestampOffset(secret);
  readOptions(stack, packets, o, cookie);
  if (cookie) {
    makeCookie(stack);
    prepareSynAck(stack);
    if (synOptions.timestamps) synOptions.tsVal = cookieTimestamp(stack);
    emitSynAck(stack, (opening.irs + 1) | 0);
    return;
  }
  opening.serial = stack.hosts.nextSerial(host);
  prepareSynAck(stack);
  // Fast Open's option, perhaps, is in `synOptions` after this.
  if ((profile.fastOpen & 2) !== 0 && tryFastOpen(stack, p)) return;
  const row = addRow(stack);
  emitSynAck(stack, (opening.irs + 1) | 0);
  armSynRow(stack, row, profile.rtoInitialMs);
}

function dropSyn(stack: TcpStack, l: number): void {
  noteOverflow(stack, l, L.SYN_OVERFLOWS, L.SYN_FIRST_HIGH);
  stack.counters.synOverflows++;
  stack.counters.listenDrops++;
}

/** What the SYN offers and the host takes up, as `opening.options` and `opening.tsRecent`. */
function readOptions(stack: TcpStack, packets: Int32Array, o: number, cookie: boolean): void {
  const { host, local, listener } = opening;
  const profile = stack.profileOf(host);
  const control = packets[o + PACKET.CONTROL];
  const settings = listenerSettings(stack, listener);
  const asked = settingIn(stack, settings, SETTINGS.MAX_SEGMENT);
  let options = peerMss(packets, o);
  // RFC 9293 3.7.1 MUST-15: no MSS option means the default, which a cookie has to say and TCP_MAXSEG does not lower.
  if (asked !== 0 || cookie) options = believedMss(stack.addresses.isIpv6(local), options, asked);
  opening.tsRecent = 0;
  const timestamps = profile.timestamps && (control & HAS_TIMESTAMPS) !== 0;
  if (timestamps) {
    options |= SYN_FLAG.TIMESTAMPS;
    opening.tsRecent = packets[o + PACKET.TS_VAL];
  }
  // A cookie keeps the rest in the timestamp.
  if (timestamps || !cookie) {
    if (profile.sack && (control & HAS_SACK_PERMITTED) !== 0) options |= SYN_FLAG.SACK;
    if (profile.windowScaling && (control & HAS_WINDOW_SCALE) !== 0) {
      options |= SYN_FLAG.SCALING | (peerShift(packets, o) << 16) | (firstShift(stack, profile, settings) << 20);
    }
    if (grantsEcn(profile, stack.algorithmOfListener(listener), packets, o)) options |= SYN_FLAG.ECN;
  }
  opening.options = options;
}

/** Puts `opening` into the SYN queue. */
function addRow(stack: TcpStack): number {
  const { host, local, remote, ports, listener } = opening;
  const row = stack.synRows.allocate();
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  syns[s + SR.LOCAL] = local;
  syns[s + SR.REMOTE] = remote;
  syns[s + SR.PORTS] = ports;
  syns[s + SR.HOST] = host;
  syns[s + SR.ISS] = opening.iss;
  syns[s + SR.IRS] = opening.irs;
  syns[s + SR.TS_OFFSET] = opening.tsOffset;
  syns[s + SR.TS_RECENT] = opening.tsRecent;
  syns[s + SR.OPTIONS] = opening.options;
  syns[s + SR.LISTENER] = listener;
  syns[s + SR.SERIAL] = opening.serial;
  syns[s + SR.SENT_US] = stack.nowUs;
  stack.demux.insert(host, local, remote, ports, (row << 2) | ROW_KIND.SYN_RECEIVED);
  stack.addresses.retain(remote);
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  rows[l + L.SYN_COUNT]++;
  rows[l + L.YOUNG]++;
  notePeaks(rows, l);
  return row;
}

/** Makes `opening` what a row of the SYN queue says. */
function openRow(stack: TcpStack, row: number): void {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  opening.host = syns[s + SR.HOST];
  opening.local = syns[s + SR.LOCAL];
  opening.remote = syns[s + SR.REMOTE];
  opening.ports = syns[s + SR.PORTS];
  opening.listener = syns[s + SR.LISTENER];
  opening.iss = syns[s + SR.ISS];
  opening.irs = syns[s + SR.IRS];
  opening.tsRecent = syns[s + SR.TS_RECENT];
  opening.tsOffset = syns[s + SR.TS_OFFSET];
  opening.options = syns[s + SR.OPTIONS];
  opening.serial = syns[s + SR.SERIAL];
}

/** Sends a row's SYN-ACK again. */
function repeatSynAck(stack: TcpStack, row: number): void {
  const at = row * SR.STRIDE + SR.RETRIES;
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
  const s = row * SR.STRIDE;
  const deadline = ((stack.nowTick + delayMs) | 0) || 1;
  if (syns[s + SR.DEADLINE] === 0) stack.liveTimers++;
  syns[s + SR.DEADLINE] = deadline;
  const queued = syns[s + SR.QUEUED_AT];
  if (queued === 0 || ((deadline - queued) | 0) < 0) {
    syns[s + SR.QUEUED_AT] = deadline;
    stack.requestTimer((row << 2) | ROW_KIND.SYN_RECEIVED, deadline);
  }
}

/** The timeout of a row's SYN-ACK, backed off. */
function synAckTimeoutMs(stack: TcpStack, row: number): number {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  const profile = stack.profileOf(syns[s + SR.HOST]);
  return Math.min(profile.rtoInitialMs * 2 ** (syns[s + SR.RETRIES] & TIMEOUTS_MASK), profile.rtoMaxMs);
}

/**
 * The timer of a SYN_RECEIVED row went off: repeat the SYN-ACK or give up (RFC 9293 3.8.3 R2 for SYN, MUST-23; Linux
 * `reqsk_timer_handler`). A queue more than half full of old rows is patient with none of them.
 */
export function synRowFired(stack: TcpStack, row: number): void {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  const profile = stack.profileOf(syns[s + SR.HOST]);
  const listener = syns[s + SR.LISTENER];
  const l = listener * L.STRIDE;
  const rows = stack.listeners.words;
  const settings = listenerSettings(stack, listener);
  const timeouts = syns[s + SR.RETRIES] & TIMEOUTS_MASK;
  let most = settingIn(stack, settings, SETTINGS.SYN_RETRIES) || profile.synAckRetries;
  const length = rows[l + L.SYN_COUNT];
  if (2 * length > Math.max(8, rows[l + L.BACKLOG])) {
    for (let young = 2 * rows[l + L.YOUNG]; most > 2 && length >= young; young *= 2) most--;
  }
  const deferred = settingIn(stack, settings, SETTINGS.DEFER_ACCEPT);
  const acked = (syns[s + SR.OPTIONS] & SYN_FLAG.ACKED) !== 0;
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
  if (timeouts === 0) rows[l + L.YOUNG]--;
  stack.synRows.words[s + SR.RETRIES] += timeouts < TIMEOUTS_MASK ? 1 : 0;
  armSynRow(stack, row, synAckTimeoutMs(stack, row));
}

/** Gives a row back; `leaves`: the tuple is free. */
export function releaseSynRow(stack: TcpStack, row: number, leaves: boolean): void {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  const l = syns[s + SR.LISTENER] * L.STRIDE;
  stack.listeners.words[l + L.SYN_COUNT]--;
  if ((syns[s + SR.RETRIES] & TIMEOUTS_MASK) === 0) stack.listeners.words[l + L.YOUNG]--;
  if (leaves) {
    stack.demux.remove(
      syns[s + SR.HOST],
      syns[s + SR.LOCAL],
      syns[s + SR.REMOTE],
      syns[s + SR.PORTS],
      (row << 2) | ROW_KIND.SYN_RECEIVED,
    );
    stack.addresses.release(syns[s + SR.REMOTE]);
  }
  if (syns[s + SR.DEADLINE] !== 0) stack.liveTimers--;
  stack.synRows.release(row);
}

/**
 * A segment for a row of the SYN queue (RFC 9293 3.10.7.4 in SYN_RECEIVED; Linux `tcp_check_req`). Returns the new
 * connection if this was the final ACK and has more to say (data, a FIN), else 0.
 */
export function synReceivedIn(stack: TcpStack, host: number, row: number, p: number): number {
  const packets = stack.packets.rows.words;
  const syns = stack.synRows.words;
  const o = p * PACKET.STRIDE;
  const s = row * SR.STRIDE;
  const control = packets[o + PACKET.CONTROL];
  const flags = control & FLAGS_MASK;
  const options = syns[s + SR.OPTIONS];
  const seq = packets[o + PACKET.SEQ];
  const irs = syns[s + SR.IRS];
  const next = (irs + 1) | 0;
  const stamped = (options & SYN_FLAG.TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const old = stamped && isOldStamp(packets[o + PACKET.TS_VAL], syns[s + SR.TS_RECENT]);
  const listener = syns[s + SR.LISTENER];
  if ((flags & (F_SYN | F_ACK | F_RST)) === F_SYN && seq === irs && !old) {
    // The SYN again: so is the SYN-ACK, not too often, and its timer begins anew.
    if (!mayAnswer(stack, host, syns, s + SR.LAST_OOW, packets, o)) return 0;
    repeatSynAck(stack, row);
    armSynRow(stack, row, synAckTimeoutMs(stack, row));
    return 0;
  }
  // RFC 9293 3.5.2 group 2, 3.10.7.4: an unacceptable ACK before the connection is synchronized: a reset.
  if ((flags & F_ACK) !== 0 && packets[o + PACKET.ACK] !== ((syns[s + SR.ISS] + 1) | 0)) {
    sendResetFor(stack, host, p);
    return 0;
  }
  const end = (seq + packets[o + PACKET.LENGTH] + (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0)) | 0;
  const window = synAckWindow(stack, host, syns[s + SR.LOCAL], listener, options);
  const outside = !inWindow(seq, end, next, (next + window) | 0);
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
  const deferred = settingIn(stack, listenerSettings(stack, listener), SETTINGS.DEFER_ACCEPT);
  if (deferred !== 0 && end === next && (syns[s + SR.RETRIES] & TIMEOUTS_MASK) < deferred) {
    // TCP_DEFER_ACCEPT: nobody is woken for a connection without data.
    syns[s + SR.OPTIONS] |= SYN_FLAG.ACKED;
    return 0;
  }
  if (acceptQueueFull(stack, listener)) {
    if (stack.profileOf(host).abortOnOverflow) {
      sendResetFor(stack, host, p);
      releaseSynRow(stack, row, true);
    } else syns[s + SR.OPTIONS] |= SYN_FLAG.ACKED;
    return 0;
  }
  openRow(stack, row);
  if (stamped && ((seq - next) | 0) <= 0) opening.tsRecent = packets[o + PACKET.TS_VAL];
  return establish(stack, row, p, end);
}

/** An out-of-window segment for a row is answered with an ACK, not too often (Linux). */
function answerOutside(stack: TcpStack, row: number, host: number, p: number): void {
  const packets = stack.packets.rows.words;
  const at = row * SR.STRIDE + SR.LAST_OOW;
  if (!mayAnswer(stack, host, stack.synRows.words, at, packets, p * PACKET.STRIDE)) return;
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
  const s = row * SR.STRIDE;
  const timeouts = syns[s + SR.RETRIES] & TIMEOUTS_MASK;
  const repeated = (syns[s + SR.RETRIES] >> REPEATED_AT) & 0xff;
  const sentUs = syns[s + SR.SENT_US];
  const conn = makeChild(stack, STATE.ESTABLISHED);
  if (repeated !== 0) accountRepeats(stack, conn, repeated);
  // RFC 6298 3: a SYN-ACK that was repeated gives no sample.
  if (repeated === 0) sampleRtt(stack, conn, (stack.nowUs - sentUs) | 0);
  else {
    noHandshakeSample(stack, conn);
    // RFC 6298 5.7, as Linux: one segment after a second loss, unless the timestamp shows that it was none.
    if (repeated > 1 && timeouts > 0 && !echoesFirst(stack, p, sentUs)) {
      stack.tcbs.words[conn * TCB.STRIDE + TCB.CWND] = 1;
    }
  }
  stack.demux.replace(
    host,
    local,
    remote,
    ports,
    (row << 2) | ROW_KIND.SYN_RECEIVED,
    (conn << 2) | ROW_KIND.CONNECTION,
  );
  releaseSynRow(stack, row, false);
  return enter(stack, conn, p, end);
}

/** Does the final ACK echo the timestamp of the first SYN-ACK? Then its repetitions were needless. */
function echoesFirst(stack: TcpStack, p: number, sentUs: number): boolean {
  if ((opening.options & SYN_FLAG.TIMESTAMPS) === 0) return false;
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  if ((packets[o + PACKET.CONTROL] & HAS_TIMESTAMPS) === 0) return false;
  const echo = (packets[o + PACKET.TS_ECR] - opening.tsOffset) | 0;
  const sinceMs = Math.floor(((stack.nowUs - sentUs) >>> 0) / 1000);
  return Math.abs((stack.nowMs - echo - sinceMs) | 0) <= 1;
}

/** A cookie's final ACK, for a listener. Returns as `synReceivedIn` does, and -1 where the ACK is none. */
export function cookieIn(stack: TcpStack, host: number, listener: number, p: number): number {
  if (!readCookie(stack, host, listener, p)) return -1;
  if (acceptQueueFull(stack, listener)) return 0;
  const { local, remote, ports } = opening;
  opening.serial = stack.hosts.nextSerial(host);
  const conn = makeChild(stack, STATE.ESTABLISHED);
  noHandshakeSample(stack, conn);
  stack.demux.insert(host, local, remote, ports, (conn << 2) | ROW_KIND.CONNECTION);
  stack.addresses.retain(remote);
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const fin = (packets[o + PACKET.CONTROL] & F_FIN) !== 0 ? 1 : 0;
  return enter(stack, conn, p, (packets[o + PACKET.SEQ] + packets[o + PACKET.LENGTH] + fin) | 0);
}

/** An established connection enters the accept queue; the window of its final ACK is taken. */
function enter(stack: TcpStack, conn: number, p: number, end: number): number {
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const words = stack.tcbs.words;
  const shift = (words[c + TCB.STATE] >> 4) & 0xf;
  const offered = (packets[o + PACKET.WINDOW_TTL_TOS] >>> 16) <<
    ((packets[o + PACKET.CONTROL] & F_SYN) !== 0 ? 0 : shift);
  words[c + TCB.SND_WND] = offered;
  stack.warm[w + WARM.MAX_WINDOW] = offered;
  const seq = packets[o + PACKET.SEQ];
  const next = words[c + TCB.RCV_NXT];
  enqueueAccepted(stack, opening.listener, conn);
  armKeepAlive(stack, conn);
  if (end !== seq || seq !== next) return conn;
  // The usual final ACK has nothing more to say than its window.
  stack.warm[w + WARM.SND_WL1] = seq;
  return 0;
}
