/**
 * Passive open: listeners, the SYN queue of small rows and the accept queue, with Linux's rules for full queues.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { finish } from "./finish.ts";
import {
  announcedMss,
  emitSyn,
  openWindows,
  peerMss,
  peerShift,
  sendingMss,
  synOptions,
  synWindow,
} from "./handshake.ts";
import { canConnect } from "./ip_fields.ts";
import { initialSequence, timestampOffset, tupleSecret } from "./isn.ts";
import { sampleRtt } from "./rtt.ts";
import { sendConnectionReset, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, FLAG, LISTENER, SYN_FLAG, SYN_ROW, TCB, WARM } from "./state/tcb.ts";
import { unreadBytes, windowShiftFor } from "./window.ts";

const { FLAGS_MASK, HAS_TIMESTAMPS, HAS_WINDOW_SCALE, HAS_SACK_PERMITTED } = CONTROL;
const { FIN: F_FIN, SYN: F_SYN, RST: F_RST, ACK: F_ACK } = TCP_FLAG;
const SR = SYN_ROW;
const L = LISTENER;
const RETRIES_MASK = 0xff;

/** Options of {@linkcode listen}. */
export interface TcpListenOptions {
  /** Longest accept queue, before `somaxconn` caps it. */
  backlog: number;
  /** Goes into `WARM.APP` of every connection. */
  app: number;
}

/** Listens on a port of a host, on one address or (0) on all. Returns the listener, or `-ERRNO.EADDRINUSE`/`EINVAL`. */
export function listen(
  stack: TcpStack,
  host: number,
  local: number,
  port: number,
  options: TcpListenOptions,
): number {
  if (!(port > 0 && port <= 65535)) return -ERRNO.EINVAL;
  const listener = stack.listeners.allocate();
  const failed = stack.demux.addListener(host, local, port, listener);
  if (failed < 0) {
    stack.listeners.release(listener);
    return failed;
  }
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  rows[l + L.HOST] = host;
  rows[l + L.LOCAL] = local;
  rows[l + L.PORT] = port;
  rows[l + L.BACKLOG] = Math.min(Math.max(0, options.backlog), stack.profileOf(host).somaxconn);
  rows[l + L.APP] = options.app;
  return listener;
}

/** Stops listening: SYN queue and accept queue are dropped, connections in the latter with a reset (RFC 9293 3.10.5). */
export function closeListener(stack: TcpStack, listener: number): void {
  const l = listener * L.STRIDE;
  const rows = stack.listeners.words;
  stack.demux.removeListener(rows[l + L.HOST], rows[l + L.LOCAL], rows[l + L.PORT]);
  if (rows[l + L.SYN_COUNT] !== 0) {
    const syns = stack.synRows.words;
    for (let row = 1; row < stack.synRows.end; row++) {
      const s = row * SR.STRIDE;
      if (syns[s + SR.PORTS] !== 0 && syns[s + SR.LISTENER] === listener) releaseSynRow(stack, row, true);
    }
  }
  for (let conn = takeAccepted(stack, listener); conn !== 0; conn = takeAccepted(stack, listener)) {
    const state = stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE];
    if ((state & FLAG.DONE) === 0) {
      sendConnectionReset(stack, conn);
      finish(stack, conn, 0);
    }
    stack.releaseConnection(conn);
  }
  stack.listeners.release(listener);
}

/**
 * Takes the oldest connection from a listener's accept queue, 0 if it is empty. What happened to it meanwhile is
 * told now: READABLE, PEER_CLOSED, and CLOSED or FAILED if it is over already.
 */
export function accept(stack: TcpStack, listener: number): number {
  const conn = takeAccepted(stack, listener);
  if (conn === 0) return 0;
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const state = words[c + TCB.STATE] &= ~FLAG.UNACCEPTED;
  const unread = unreadBytes(stack, conn);
  if (unread > 0) stack.pushEvent(conn, TCP_EVENT.READABLE, unread);
  if ((state & FLAG.FIN_RECEIVED) !== 0) stack.pushEvent(conn, TCP_EVENT.PEER_CLOSED, 0);
  if ((state & FLAG.FAILED) !== 0) {
    stack.pushEvent(conn, TCP_EVENT.FAILED, stack.warm[conn * WARM.STRIDE + WARM.SRTT]);
  } else if ((state & FLAG.DONE) !== 0) stack.pushEvent(conn, TCP_EVENT.CLOSED, 0);
  return conn;
}

function takeAccepted(stack: TcpStack, listener: number): number {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const conn = rows[l + L.ACCEPT_HEAD];
  if (conn === 0) return 0;
  const w = conn * WARM.STRIDE;
  const next = stack.warm[w + WARM.APP_DATA2];
  stack.warm[w + WARM.APP_DATA] = 0;
  stack.warm[w + WARM.APP_DATA2] = 0;
  rows[l + L.ACCEPT_HEAD] = next;
  if (next === 0) rows[l + L.ACCEPT_TAIL] = 0;
  rows[l + L.ACCEPT_COUNT]--;
  return conn;
}

/** A segment for which there is no connection: a listener's, or nobody's (RFC 9293 3.10.7.1, 3.10.7.2). */
export function listenerIn(stack: TcpStack, host: number, p: number): void {
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const flags = packets[o + PACKET.CONTROL] & FLAGS_MASK;
  // RFC 9293 3.9.2.3 MUST-57, MUST-63: not a word about what came for many, or from nobody.
  if (!canConnect(stack.addresses, packets[o + PACKET.DST]) || !canConnect(stack.addresses, packets[o + PACKET.SRC])) {
    stack.counters.listenDrops++;
    return;
  }
  const listener = stack.demux.findListener(host, packets[o + PACKET.DST], packets[o + PACKET.PORTS] & 0xffff);
  if (listener === 0) {
    stack.counters.noConnection++;
    sendResetFor(stack, host, p);
    return;
  }
  // First RST, second ACK, third SYN.
  if ((flags & F_RST) !== 0) return;
  if ((flags & F_ACK) !== 0) {
    sendResetFor(stack, host, p);
    return;
  }
  if ((flags & F_SYN) === 0 || (flags & F_FIN) !== 0) return;
  synIn(stack, host, listener, p, 0);
}

/**
 * A SYN for a listener: a row in the SYN queue and a SYN-ACK, unless a queue is full. `leastIsn` (0 for none) is what
 * our initial sequence number must reach, where an earlier incarnation's numbers are still about.
 */
export function synIn(stack: TcpStack, host: number, listener: number, p: number, leastIsn: number): void {
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const backlog = rows[l + L.BACKLOG];
  // Linux: tcp_conn_request. (SYN cookies would come in here.)
  if (rows[l + L.SYN_COUNT] >= Math.max(1, backlog)) {
    noteOverflow(stack, l, L.SYN_OVERFLOWS, L.SYN_FIRST_HIGH);
    stack.counters.synOverflows++;
    stack.counters.listenDrops++;
    return;
  }
  if (rows[l + L.ACCEPT_COUNT] > backlog) {
    noteOverflow(stack, l, L.ACCEPT_OVERFLOWS, L.ACCEPT_FIRST_HIGH);
    stack.counters.acceptOverflows++;
    stack.counters.listenDrops++;
    return;
  }
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const profile = stack.profileOf(host);
  const local = packets[o + PACKET.DST];
  const remote = packets[o + PACKET.SRC];
  const wire = packets[o + PACKET.PORTS];
  const ports = (wire << 16) | (wire >>> 16);
  const control = packets[o + PACKET.CONTROL];
  const secret = tupleSecret(stack, host, local, remote, ports);
  const row = stack.synRows.allocate();
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  syns[s + SR.LOCAL] = local;
  syns[s + SR.REMOTE] = remote;
  syns[s + SR.PORTS] = ports;
  syns[s + SR.HOST] = host;
  const isn = initialSequence(stack, secret);
  syns[s + SR.ISS] = leastIsn !== 0 && ((isn - leastIsn) | 0) < 0 ? leastIsn : isn;
  syns[s + SR.IRS] = packets[o + PACKET.SEQ];
  syns[s + SR.TS_OFFSET] = timestampOffset(secret);
  // RFC 9293 3.7.1 MUST-15: no MSS option means the default.
  let options = peerMss(packets, o);
  if (profile.timestamps && (control & HAS_TIMESTAMPS) !== 0) {
    options |= SYN_FLAG.TIMESTAMPS;
    syns[s + SR.TS_RECENT] = packets[o + PACKET.TS_VAL];
  }
  if (profile.sack && (control & HAS_SACK_PERMITTED) !== 0) options |= SYN_FLAG.SACK;
  if (profile.windowScaling && (control & HAS_WINDOW_SCALE) !== 0) {
    options |= SYN_FLAG.SCALING | (peerShift(packets, o) << 16) | (windowShiftFor(profile.receiveBufferBytes) << 20);
  }
  syns[s + SR.OPTIONS] = options;
  syns[s + SR.LISTENER] = listener;
  syns[s + SR.SERIAL] = stack.hosts.nextSerial(host);
  syns[s + SR.SENT_US] = stack.nowUs;
  syns[s + SR.WINDOW] = packets[o + PACKET.WINDOW_TTL_TOS] >>> 16;
  stack.demux.insert(host, local, remote, ports, (row << 2) | ROW_KIND.SYN_RECEIVED);
  stack.addresses.retain(remote);
  rows[l + L.SYN_COUNT]++;
  notePeaks(rows, l);
  sendSynAck(stack, row);
  armSynRow(stack, row, profile.rtoInitialMs);
}

function sendSynAck(stack: TcpStack, row: number): void {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  const host = syns[s + SR.HOST];
  const options = syns[s + SR.OPTIONS];
  synOptions.mss = announcedMss(stack, host, syns[s + SR.LOCAL]);
  synOptions.timestamps = (options & SYN_FLAG.TIMESTAMPS) !== 0;
  synOptions.scaling = (options & SYN_FLAG.SCALING) !== 0;
  synOptions.sack = (options & SYN_FLAG.SACK) !== 0;
  synOptions.shift = (options >>> 20) & 0xf;
  synOptions.tsVal = (stack.nowMs + syns[s + SR.TS_OFFSET]) | 0;
  synOptions.tsEcr = syns[s + SR.TS_RECENT];
  emitSyn(
    stack,
    host,
    syns[s + SR.LOCAL],
    syns[s + SR.REMOTE],
    syns[s + SR.PORTS],
    syns[s + SR.ISS],
    (syns[s + SR.IRS] + 1) | 0,
    F_SYN | F_ACK,
    synWindow(stack.profileOf(host)),
  );
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

/** The timer of a SYN_RECEIVED row went off: repeat the SYN-ACK or give up (RFC 9293 3.8.3 MUST-23). */
export function synRowFired(stack: TcpStack, row: number): void {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  const profile = stack.profileOf(syns[s + SR.HOST]);
  const retries = (syns[s + SR.RETRIES] & RETRIES_MASK) + 1;
  if (retries > profile.synAckRetries) {
    stack.counters.attemptFails++;
    releaseSynRow(stack, row, true);
    return;
  }
  syns[s + SR.RETRIES] = retries;
  stack.counters.retransmissions++;
  stack.counters.synAckRetransmissions++;
  sendSynAck(stack, row);
  armSynRow(stack, row, Math.min(profile.rtoInitialMs * 2 ** retries, profile.rtoMaxMs));
}

function releaseSynRow(stack: TcpStack, row: number, leaves: boolean): void {
  const syns = stack.synRows.words;
  const s = row * SR.STRIDE;
  stack.listeners.words[syns[s + SR.LISTENER] * L.STRIDE + L.SYN_COUNT]--;
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
  const next = (syns[s + SR.IRS] + 1) | 0;
  const stamped = (options & SYN_FLAG.TIMESTAMPS) !== 0 && (control & HAS_TIMESTAMPS) !== 0;
  const old = stamped && ((packets[o + PACKET.TS_VAL] - syns[s + SR.TS_RECENT]) | 0) < 0;
  if ((flags & (F_SYN | F_ACK | F_RST)) === F_SYN && seq === syns[s + SR.IRS] && !old) {
    // The SYN again: so is the SYN-ACK. Its timer is put off, as Linux does.
    stack.counters.retransmissions++;
    sendSynAck(stack, row);
    return 0;
  }
  const profile = stack.profileOf(host);
  const window = synWindow(profile);
  const end = (seq + packets[o + PACKET.LENGTH] + (flags & F_SYN ? 1 : 0) + (flags & F_FIN ? 1 : 0)) | 0;
  const outside = ((end - next) | 0) < 0 || ((seq - next - window) | 0) > 0;
  // Second, RST (RFC 5961 3.2): exactly RCV.NXT removes the row; in the window only a challenge.
  if ((flags & F_RST) !== 0) {
    if (seq === next) {
      stack.counters.resetsReceived++;
      stack.counters.attemptFails++;
      releaseSynRow(stack, row, true);
    } else if (!outside && !old) challenge(stack, row, host);
    return 0;
  }
  if (old || outside) {
    if (old) stack.counters.pawsRejects++;
    challenge(stack, row, host);
    return 0;
  }
  // Fourth, SYN: after a passive open, back to LISTEN without a word. The peer has begun anew, and will ask again.
  if ((flags & F_SYN) !== 0) {
    stack.counters.attemptFails++;
    releaseSynRow(stack, row, true);
    return 0;
  }
  if ((flags & F_ACK) === 0) return 0;
  if (packets[o + PACKET.ACK] !== ((syns[s + SR.ISS] + 1) | 0)) {
    // RFC 9293 3.10.7.4: an unacceptable ACK in SYN_RECEIVED is answered with a reset.
    sendResetFor(stack, host, p);
    return 0;
  }
  const listener = syns[s + SR.LISTENER];
  const l = listener * L.STRIDE;
  const rows = stack.listeners.words;
  if (rows[l + L.ACCEPT_COUNT] > rows[l + L.BACKLOG]) {
    noteOverflow(stack, l, L.ACCEPT_OVERFLOWS, L.ACCEPT_FIRST_HIGH);
    stack.counters.acceptOverflows++;
    stack.counters.listenDrops++;
    if (profile.abortOnOverflow) {
      sendResetFor(stack, host, p);
      releaseSynRow(stack, row, true);
    } else syns[s + SR.OPTIONS] |= SYN_FLAG.ACKED;
    return 0;
  }
  const conn = establish(stack, host, row, listener, stamped ? packets[o + PACKET.TS_VAL] : syns[s + SR.TS_RECENT]);
  if (end !== seq || seq !== next) return conn;
  // The usual final ACK has nothing more to say than its window.
  const c = conn * TCB.STRIDE;
  const offered = (packets[o + PACKET.WINDOW_TTL_TOS] >>> 16) <<
    ((stack.tcbs.words[c + TCB.STATE] >> FLAG.SND_SHIFT_AT) & 0xf);
  stack.tcbs.words[c + TCB.SND_WND] = offered;
  const w = conn * WARM.STRIDE;
  stack.warm[w + WARM.SND_WL1] = seq;
  if (offered > stack.warm[w + WARM.MAX_WINDOW]) stack.warm[w + WARM.MAX_WINDOW] = offered;
  return 0;
}

function challenge(stack: TcpStack, row: number, host: number): void {
  const limit = stack.profileOf(host).challengeAckLimitPerSecond;
  if (!stack.hosts.takeChallengeAck(host, Math.floor(stack.nowNs / 1e6), limit)) {
    stack.counters.challengeAcksLimited++;
    return;
  }
  stack.counters.challengeAcks++;
  sendSynAck(stack, row);
}

/** Makes a full connection of a row of the SYN queue and puts it into the accept queue. */
function establish(stack: TcpStack, host: number, row: number, listener: number, tsVal: number): number {
  const profile = stack.profileOf(host);
  const s = row * SR.STRIDE;
  const syns = stack.synRows.words;
  const local = syns[s + SR.LOCAL];
  const remote = syns[s + SR.REMOTE];
  const ports = syns[s + SR.PORTS];
  const conn = stack.allocateConnection(host, local, remote, ports);
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const options = syns[s + SR.OPTIONS];
  const timestamps = (options & SYN_FLAG.TIMESTAMPS) !== 0;
  const next = (syns[s + SR.IRS] + 1) | 0;
  const first = (syns[s + SR.ISS] + 1) | 0;
  words[c + TCB.STATE] = STATE.ESTABLISHED | FLAG.UNACCEPTED | (timestamps ? FLAG.TIMESTAMPS : 0) |
    ((options & SYN_FLAG.SACK) !== 0 ? FLAG.SACK : 0) |
    ((options & SYN_FLAG.SCALING) !== 0
      ? FLAG.SCALING | (((options >>> 16) & 0xf) << FLAG.SND_SHIFT_AT) | (((options >>> 20) & 0xf) << FLAG.RCV_SHIFT_AT)
      : 0);
  words[c + TCB.SND_UNA] = first;
  words[c + TCB.SND_NXT] = first;
  words[c + TCB.SND_END] = first;
  words[c + TCB.RCV_NXT] = next;
  words[c + TCB.RCV_WUP] = next;
  words[c + TCB.RCV_READ] = next;
  words[c + TCB.RCV_ADV] = (next + synWindow(profile)) | 0;
  words[c + TCB.TS_RECENT] = tsVal;
  // The final ACK's own window is taken when the segment is processed as this connection's.
  words[c + TCB.SND_WND] = syns[s + SR.WINDOW];
  openWindows(stack, conn, profile, sendingMss(stack, host, local, options & 0xffff, timestamps));
  warm[w + WARM.SND_WL1] = (next - 1) | 0;
  warm[w + WARM.MAX_WINDOW] = syns[s + SR.WINDOW];
  warm[w + WARM.APP] = stack.listeners.words[listener * L.STRIDE + L.APP];
  warm[w + WARM.APP_DATA] = listener;
  warm[w + WARM.SERIAL] = syns[s + SR.SERIAL];
  warm[w + WARM.TS_OFFSET] = syns[s + SR.TS_OFFSET];
  warm[w + WARM.ACK_STATE] = (stack.nowMs >>> 24) << ACK_STATE.TS_AGE_AT;
  // RFC 6298 3: a SYN-ACK that was repeated gives no sample (RFC 6298 5.7: and a first window of one segment).
  if ((syns[s + SR.RETRIES] & RETRIES_MASK) === 0) sampleRtt(stack, conn, (stack.nowUs - syns[s + SR.SENT_US]) | 0);
  else if ((options & SYN_FLAG.ACKED) === 0) words[c + TCB.CWND] = 1;
  stack.demux.replace(
    host,
    local,
    remote,
    ports,
    (row << 2) | ROW_KIND.SYN_RECEIVED,
    (conn << 2) | ROW_KIND.CONNECTION,
  );
  releaseSynRow(stack, row, false);
  const rows = stack.listeners.words;
  const l = listener * L.STRIDE;
  const tail = rows[l + L.ACCEPT_TAIL];
  if (tail === 0) rows[l + L.ACCEPT_HEAD] = conn;
  else warm[tail * WARM.STRIDE + WARM.APP_DATA2] = conn;
  rows[l + L.ACCEPT_TAIL] = conn;
  rows[l + L.ACCEPT_COUNT]++;
  notePeaks(rows, l);
  stack.counters.passiveOpens++;
  stack.pushEvent(conn, TCP_EVENT.ACCEPTABLE, listener);
  return conn;
}

function noteOverflow(stack: TcpStack, l: number, counter: number, firstHigh: number): void {
  const rows = stack.listeners.words;
  if (rows[l + counter]++ === 0) {
    rows[l + firstHigh] = Math.floor(stack.nowNs / 2 ** 30);
    rows[l + firstHigh + 1] = stack.nowNs % 2 ** 30;
  }
}

function notePeaks(rows: Int32Array, l: number): void {
  const peaks = rows[l + L.PEAKS];
  const syn = Math.min(65535, Math.max(peaks & 0xffff, rows[l + L.SYN_COUNT]));
  const queued = Math.min(65535, Math.max(peaks >>> 16, rows[l + L.ACCEPT_COUNT]));
  rows[l + L.PEAKS] = (queued << 16) | syn;
}
