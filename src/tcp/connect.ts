/**
 * Active open: the SYN, and what SYN_SENT makes of the answer (RFC 9293 3.10.1, 3.10.7.3).
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { ackCheck, dataIn } from "./data_in.ts";
import { finish, releaseTimeWait, setState } from "./finish.ts";
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
import { canConnect, setTrafficClass, setTtl, stampIpFields } from "./ip_fields.ts";
import { initialSequence, timestampOffset, tupleSecret } from "./isn.ts";
import { armKeepAlive } from "./keep_alive.ts";
import { output } from "./output.ts";
import { sampleRtt } from "./rtt.ts";
import { sendAck, sendResetFor } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, FLAG, TCB, TIME_WAIT_ROW, TIMER, WARM } from "./state/tcb.ts";
import { windowShiftFor } from "./window.ts";

const { FLAGS_MASK, HAS_TIMESTAMPS, HAS_WINDOW_SCALE, HAS_SACK_PERMITTED } = CONTROL;
const { SYN: F_SYN, RST: F_RST, ACK: F_ACK, FIN: F_FIN } = TCP_FLAG;
const TW = TIME_WAIT_ROW;

/** What {@linkcode connect} may be told. */
export interface ConnectOptions {
  /** Turns the Nagle algorithm off. */
  noDelay?: boolean;
  /** Turns keep-alives on. */
  keepAlive?: boolean;
  /** Traffic class, of the SYN on (RFC 9293 3.9.1.9). */
  trafficClass?: number;
  /** TTL or hop limit, of the SYN on. Default the profile's. */
  ttl?: number;
  /** Called with the connection before its SYN is made: for socket options that were set before. */
  prepare?: (conn: number) => void;
}

/**
 * Opens a connection: sends the SYN and returns the connection, or `-errno` (EADDRNOTAVAIL if the four-tuple is taken
 * or the ports are gone; EINVAL for a wrong port; ENETUNREACH for a multicast, broadcast or unspecified address,
 * RFC 9293 3.9.1.1 MUST-46). With `localPort` 0 the host chooses (RFC 6056). `local` is one of
 * the host's addresses. `app` goes into the connection's `WARM.APP`.
 */
export function connect(
  stack: TcpStack,
  host: number,
  local: number,
  localPort: number,
  remote: number,
  remotePort: number,
  app: number,
  options?: ConnectOptions,
): number {
  if (!(localPort >= 0 && localPort <= 65535 && remotePort > 0 && remotePort <= 65535)) return -ERRNO.EINVAL;
  if (!canConnect(stack.addresses, remote)) return -ERRNO.ENETUNREACH;
  const profile = stack.profileOf(host);
  let port = localPort;
  if (port === 0) {
    port = stack.ports.allocate(host, profile, local, remote, remotePort);
    if (port < 0) return port;
  }
  const ports = (port << 16) | remotePort;
  const secret = tupleSecret(stack, host, local, remote, ports);
  let iss = initialSequence(stack, secret);
  const taken = stack.demux.find(host, local, remote, ports);
  if (taken !== 0) {
    if ((taken & 3) !== ROW_KIND.TIME_WAIT || !profile.timeWaitReuse) return -ERRNO.EADDRNOTAVAIL;
    // RFC 9293 3.6.1 MAY-2, RFC 6191: timestamps (after a second of rest) and a higher ISN keep old segments out.
    const t = (taken >>> 2) * TW.STRIDE;
    const rows = stack.timeWaits.words;
    if ((rows[t + TW.FLAGS] & 1) === 0 || ((stack.nowMs - rows[t + TW.TS_STAMP]) | 0) < 1000) {
      return -ERRNO.EADDRNOTAVAIL;
    }
    const least = (rows[t + TW.SND_NXT] + 65535 + 2) | 0;
    if (((iss - least) | 0) < 0) iss = least;
    stack.counters.timeWaitsRecycled++;
    releaseTimeWait(stack, taken >>> 2);
  }
  const conn = stack.allocateConnection(host, local, remote, ports);
  stack.demux.insert(host, local, remote, ports, (conn << 2) | ROW_KIND.CONNECTION);
  stack.addresses.retain(remote);
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  warm[w + WARM.APP] = app;
  warm[w + WARM.SERIAL] = stack.hosts.nextSerial(host);
  warm[w + WARM.TS_OFFSET] = timestampOffset(secret);
  warm[w + WARM.MDEV] = stack.nowUs;
  words[c + TCB.STATE] = STATE.SYN_SENT | FLAG.ACTIVE | (options?.noDelay ? FLAG.NO_DELAY : 0) |
    (options?.keepAlive ? FLAG.KEEP_ALIVE : 0);
  words[c + TCB.SND_UNA] = iss;
  words[c + TCB.SND_NXT] = (iss + 1) | 0;
  words[c + TCB.SND_END] = (iss + 1) | 0;
  openWindows(
    stack,
    conn,
    profile,
    sendingMss(stack, host, local, announcedMss(stack, host, local), profile.timestamps),
  );
  if (options?.trafficClass !== undefined) setTrafficClass(stack, conn, options.trafficClass);
  if (options?.ttl !== undefined) setTtl(stack, conn, options.ttl);
  options?.prepare?.(conn);
  sendSyn(stack, conn);
  stack.armTimer(conn, TIMER.REXMIT, profile.rtoInitialMs);
  return conn;
}

/** Sends (again) the SYN of SYN_SENT, or the SYN-ACK of a simultaneous open. */
export function sendSyn(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = conn * TCB.STRIDE;
  const w = conn * WARM.STRIDE;
  const host = words[c + TCB.HOST];
  const profile = stack.profileOf(host);
  const state = words[c + TCB.STATE];
  const answers = (state & FLAG.STATE_MASK) === STATE.SYN_RECEIVED;
  synOptions.mss = announcedMss(stack, host, words[c + TCB.LOCAL]);
  synOptions.timestamps = answers ? (state & FLAG.TIMESTAMPS) !== 0 : profile.timestamps;
  synOptions.scaling = answers ? (state & FLAG.SCALING) !== 0 : profile.windowScaling;
  synOptions.sack = answers ? (state & FLAG.SACK) !== 0 : profile.sack;
  synOptions.shift = windowShiftFor(profile.receiveBufferBytes);
  synOptions.tsVal = (stack.nowMs + warm[w + WARM.TS_OFFSET]) | 0;
  synOptions.tsEcr = answers ? words[c + TCB.TS_RECENT] : 0;
  const window = synWindow(profile);
  if (answers) words[c + TCB.RCV_ADV] = (words[c + TCB.RCV_NXT] + window) | 0;
  emitSyn(
    stack,
    host,
    words[c + TCB.LOCAL],
    words[c + TCB.REMOTE],
    words[c + TCB.PORTS],
    words[c + TCB.SND_UNA],
    answers ? words[c + TCB.RCV_NXT] : 0,
    answers ? F_SYN | F_ACK : F_SYN,
    window,
  );
  if (stack.ipFieldsUsed) stampIpFields(stack, conn, stack.out[stack.outCount - 1]);
}

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
  const stamped = (control & HAS_TIMESTAMPS) !== 0;
  const host = words[c + TCB.HOST];
  const profile = stack.profileOf(host);
  // First, ACK: it must acknowledge our SYN, and (as Linux) echo no timestamp that we did not send.
  if ((flags & F_ACK) !== 0) {
    const echoed = (packets[o + PACKET.TS_ECR] - warm[w + WARM.TS_OFFSET] - stack.nowMs) | 0;
    if (
      ((ack - words[c + TCB.SND_UNA]) | 0) <= 0 || ((ack - words[c + TCB.SND_NXT]) | 0) > 0 ||
      (stamped && profile.timestamps && packets[o + PACKET.TS_ECR] !== 0 && echoed > 0)
    ) {
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
  negotiate(stack, conn, packets, o);
  const irs = packets[o + PACKET.SEQ];
  const window = packets[o + PACKET.WINDOW_TTL_TOS] >>> 16;
  words[c + TCB.RCV_NXT] = (irs + 1) | 0;
  words[c + TCB.RCV_WUP] = (irs + 1) | 0;
  words[c + TCB.RCV_READ] = (irs + 1) | 0;
  words[c + TCB.RCV_ADV] = (irs + 1 + synWindow(profile)) | 0;
  words[c + TCB.SND_WND] = window;
  warm[w + WARM.SND_WL1] = irs;
  warm[w + WARM.MAX_WINDOW] = window;
  const attempts = (0xff << ACK_STATE.RETRIES_AT) | (0xf << ACK_STATE.BACKOFF_AT);
  const retried = ((warm[w + WARM.ACK_STATE] >> ACK_STATE.RETRIES_AT) & 0xff) !== 0;
  if ((flags & F_ACK) === 0) {
    // Simultaneous open (RFC 9293 3.5 figure 8, MUST-10): answer with SYN-ACK.
    setState(stack, conn, STATE.SYN_RECEIVED);
    sendSyn(stack, conn);
    return;
  }
  words[c + TCB.SND_UNA] = ack;
  stack.disarmTimer(conn, TIMER.REXMIT);
  warm[w + WARM.ACK_STATE] &= ~attempts;
  const sent = warm[w + WARM.MDEV];
  warm[w + WARM.MDEV] = 0;
  if (!retried) sampleRtt(stack, conn, (stack.nowUs - sent) | 0);
  else if ((words[c + TCB.STATE] & FLAG.TIMESTAMPS) !== 0 && packets[o + PACKET.TS_ECR] !== 0) {
    sampleRtt(
      stack,
      conn,
      ((stack.nowMs + warm[w + WARM.TS_OFFSET] - packets[o + PACKET.TS_ECR]) | 0) * 1000,
    );
    // RFC 5681 3.1, RFC 6298 5.7: a lost SYN: start with one segment.
    words[c + TCB.CWND] = 1;
  } else words[c + TCB.CWND] = 1;
  setState(stack, conn, STATE.ESTABLISHED);
  stack.counters.activeOpens++;
  armKeepAlive(stack, conn);
  stack.pushEvent(conn, TCP_EVENT.CONNECTED, 0);
  if ((words[c + TCB.STATE] & FLAG.FIN_QUEUED) !== 0) setState(stack, conn, STATE.FIN_WAIT_1);
  const length = packets[o + PACKET.LENGTH];
  const fin = (flags & F_FIN) !== 0;
  const before = stack.outCount;
  if (length > 0 || fin) dataIn(stack, conn, p, (irs + 1) | 0, length, fin);
  if ((words[c + TCB.STATE] & FLAG.STATE_MASK) === STATE.CLOSED) return;
  // RFC 9293 3.10.7.3: acknowledge the SYN at once, with data if there is some.
  output(stack, conn);
  if (stack.outCount === before) sendAck(stack, conn);
  else ackCheck(stack, conn);
}

/** Takes over what both sides offered. */
function negotiate(stack: TcpStack, conn: number, packets: Int32Array, o: number): void {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const host = words[c + TCB.HOST];
  const profile = stack.profileOf(host);
  const control = packets[o + PACKET.CONTROL];
  let state = words[c + TCB.STATE];
  if (profile.timestamps && (control & HAS_TIMESTAMPS) !== 0) {
    state |= FLAG.TIMESTAMPS;
    words[c + TCB.TS_RECENT] = packets[o + PACKET.TS_VAL];
    const at = conn * WARM.STRIDE + WARM.ACK_STATE;
    stack.warm[at] = (stack.warm[at] & ((1 << ACK_STATE.TS_AGE_AT) - 1)) |
      ((stack.nowMs >>> 24) << ACK_STATE.TS_AGE_AT);
  }
  if (profile.sack && (control & HAS_SACK_PERMITTED) !== 0) state |= FLAG.SACK;
  if (profile.windowScaling && (control & HAS_WINDOW_SCALE) !== 0) {
    state |= FLAG.SCALING | (peerShift(packets, o) << FLAG.SND_SHIFT_AT) |
      (windowShiftFor(profile.receiveBufferBytes) << FLAG.RCV_SHIFT_AT);
  }
  words[c + TCB.STATE] = state;
  const mss = sendingMss(stack, host, words[c + TCB.LOCAL], peerMss(packets, o), (state & FLAG.TIMESTAMPS) !== 0);
  words[c + TCB.MSS] = mss | (Math.min(536, mss) << 16);
}
