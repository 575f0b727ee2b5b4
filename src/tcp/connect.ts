/**
 * Active open: the SYN (RFC 9293 3.10.1). What SYN_SENT makes of the answer is in `syn_sent.ts`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { PROFILE_WORD } from "../transport/profile.ts";
import { PACKET, TCP_FLAG } from "../wire/packet.ts";
import { accountSyn, openAccount } from "./accounting.ts";
import { ecnOfSyn, ectOfHandshake } from "./ecn_open.ts";
import { NO_COOKIE } from "./fast_open_cookie.ts";
import { releaseTimeWait } from "./finish.ts";
import * as HANDSHAKE from "./handshake.ts";
import {
  announcedMssWith,
  applySettings,
  firstShift,
  firstWindow,
  HANDSHAKE_LOOK_MS,
  sendingMss,
} from "./handshake.ts";
import * as IP_FIELDS from "./ip_fields.ts";
import { setTrafficClass, setTtl } from "./ip_fields.ts";
import * as ISN from "./isn.ts";
import { settleMemory } from "./memory.ts";
import * as OFFER from "./offer.ts";
import { announcedOnPath } from "./path_mtu.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { COLD, FLAG, SETTINGS, TCB, TIME_WAIT_ROW, TIMER, WARM } from "./state/tcb.ts";
import { canReuseTimeWait } from "./time_wait_reuse.ts";
import { SYN_OPTIONS } from "./opening.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { emitSyn, openWindows } = HANDSHAKE;
const { canConnect } = IP_FIELDS;
const { initialSequence, timestampOffset, tupleSecret } = ISN;
const { openersOffer, payloadMss } = OFFER;
const { RTO_INITIAL_MS } = PROFILE_WORD;

const synOptions = SYN_OPTIONS;

const { SYN: F_SYN, ACK: F_ACK, ECE: F_ECE } = TCP_FLAG;

const { REXMIT: TIMER_REXMIT } = TIMER;
const { CONNECTION: ROW_KIND_CONNECTION, TIME_WAIT: ROW_KIND_TIME_WAIT } = ROW_KIND;
const { SND_NXT: TW_SND_NXT, MASK: TW_MASK, STRIDE: TW_STRIDE, TS_RECENT: TW_TS_RECENT } = TIME_WAIT_ROW;
const {
  HOST: TCB_HOST,
  LOCAL: TCB_LOCAL,
  MSS: TCB_MSS,
  PORTS: TCB_PORTS,
  RCV_ADV: TCB_RCV_ADV,
  RCV_NXT: TCB_RCV_NXT,
  REMOTE: TCB_REMOTE,
  SND_END: TCB_SND_END,
  SND_NXT: TCB_SND_NXT,
  SND_UNA: TCB_SND_UNA,
  STATE: TCB_STATE,
  MASK: TCB_MASK,
  STRIDE: TCB_STRIDE,
  TS_RECENT: TCB_TS_RECENT,
} = TCB;
const {
  APP: WARM_APP,
  COLD: WARM_COLD,
  MDEV: WARM_MDEV,
  SERIAL: WARM_SERIAL,
  MASK: WARM_MASK,
  STRIDE: WARM_STRIDE,
  TS_OFFSET: WARM_TS_OFFSET,
} = WARM;
const { SYN_SENT: STATE_SYN_SENT } = STATE;
const {
  ACTIVE: FLAG_ACTIVE,
  ECN: FLAG_ECN,
  KEEP_ALIVE: FLAG_KEEP_ALIVE,
  NO_DELAY: FLAG_NO_DELAY,
  STATE_MASK: FLAG_STATE_MASK,
} = FLAG;
const { CONGESTION: SET_CONGESTION, MAX_SEGMENT: SET_MAX_SEGMENT } = SETTINGS;
const { SETTINGS: COLD_SETTINGS, STRIDE: COLD_STRIDE } = COLD;
const { CONTROL: P_CONTROL, STRIDE: P_STRIDE } = PACKET;
const { CWR: F_CWR } = TCP_FLAG;
const TIMESTAMP_BYTES = 12;

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
  /** Called with the connection before the SYN is made: socket options that concern the SYN are set here. */
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
  const conn = begin(stack, host, local, localPort, remote, remotePort, app, options);
  if (conn < 0) return conn;
  sendSyn(stack, conn);
  stack.armTimer(conn, TIMER_REXMIT, stack.profiles.words[stack.profileAt(conn) + RTO_INITIAL_MS], HANDSHAKE_LOOK_MS);
  return conn;
}

/** As `connect`, but for the SYN and its timer. */
export function begin(
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
  let recent = 0;
  const taken = stack.demux.find(host, local, remote, ports);
  if (taken !== 0) {
    const row = taken >>> 2;
    if ((taken & 3) !== ROW_KIND_TIME_WAIT || !canReuseTimeWait(stack, row)) return -ERRNO.EADDRNOTAVAIL;
    // RFC 9293 3.6.1 MAY-2, RFC 6191: timestamps that go on and a higher ISN keep old segments out (as Linux).
    const t = (row * TW_STRIDE) & TW_MASK;
    iss = ((stack.timeWaits.words[t + TW_SND_NXT] + 65535 + 2) | 0) || 1;
    recent = stack.timeWaits.words[t + TW_TS_RECENT];
    stack.counters.timeWaitsRecycled++;
    releaseTimeWait(stack, row);
  }
  const conn = stack.allocateConnection(host, local, remote, ports);
  stack.demux.insert(host, local, remote, ports, (conn << 2) | ROW_KIND_CONNECTION);
  stack.addresses.retain(remote);
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  warm[w + WARM_APP] = app;
  warm[w + WARM_SERIAL] = stack.hosts.nextSerial(host);
  warm[w + WARM_TS_OFFSET] = timestampOffset(secret);
  warm[w + WARM_MDEV] = stack.nowUs;
  words[c + TCB_STATE] = STATE_SYN_SENT | FLAG_ACTIVE;
  words[c + TCB_SND_UNA] = iss;
  words[c + TCB_SND_NXT] = (iss + 1) | 0;
  words[c + TCB_SND_END] = (iss + 1) | 0;
  words[c + TCB_TS_RECENT] = recent;
  const offer = openersOffer(stack, profile, host, local);
  openWindows(stack, conn, profile, payloadMss(profile, offer.mss, offer.mss, profile.timestamps));
  const { ecn } = offer;
  if (options !== undefined) applyOptions(stack, conn, options);
  if ((options?.prepare === undefined ? ecn : ecnOfSyn(profile, algorithmFor(stack, conn))) !== 0) {
    words[c + TCB_STATE] |= FLAG_ECN;
  }
  if (profile.accounting) openAccount(stack, conn);
  if (stack.hosts.budgets !== undefined) settleMemory(stack, stack.hosts.budgets, conn);
  return conn;
}

function applyOptions(stack: TcpStack, conn: number, options: ConnectOptions): void {
  const flags = (options.noDelay ? FLAG_NO_DELAY : 0) | (options.keepAlive ? FLAG_KEEP_ALIVE : 0);
  stack.tcbs.words[conn * TCB_STRIDE + TCB_STATE] |= flags;
  if (options.trafficClass !== undefined) setTrafficClass(stack, conn, options.trafficClass);
  if (options.ttl !== undefined) setTtl(stack, conn, options.ttl);
  if (options.prepare === undefined) return;
  options.prepare(conn);
  clampMss(stack, conn);
}

/** TCP_MAXSEG was set before the connection was opened: until the peer has told its MSS, that is what it is. */
function clampMss(stack: TcpStack, conn: number): void {
  const asked = readSetting(stack, conn, SET_MAX_SEGMENT);
  if (asked === 0) return;
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const { timestamps } = stack.profileOf(words[c + TCB_HOST]);
  const mss = sendingMss(stack, words[c + TCB_HOST], words[c + TCB_LOCAL], asked, timestamps, asked);
  words[c + TCB_MSS] = (words[c + TCB_MSS] & ~0xffff) | mss;
}

/** Number of the connection's congestion control. */
function algorithmFor(stack: TcpStack, conn: number): number {
  const own = readSetting(stack, conn, SET_CONGESTION);
  return own !== 0 ? own - 1 : stack.algorithmOf(conn);
}

/** The connection's settings row, 0 for none. */
export function settingsRow(stack: TcpStack, conn: number): number {
  const cold = stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + WARM_COLD];
  return cold === 0 ? 0 : stack.cold.words[cold * COLD_STRIDE + COLD_SETTINGS];
}

/** RCV.WND with the connection's SYN, and its SYN-ACK; their window field says less if it is large. */
export function synWindowOf(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const host = words[c + TCB_HOST];
  const settings = settingsRow(stack, conn);
  const profile = stack.profileOf(host);
  // Linux takes timestamps off where they are known to be used: from an earlier incarnation, or the peer's SYN.
  const stamped = words[c + TCB_TS_RECENT] !== 0;
  if (settings === 0) {
    const offer = openersOffer(stack, profile, host, words[c + TCB_LOCAL]);
    return stamped ? offer.stampedWindow : offer.window;
  }
  const mss = announcedMssWith(stack, host, words[c + TCB_LOCAL], settings);
  return firstWindow(stack, profile, settings, stamped ? mss - TIMESTAMP_BYTES : mss);
}

/**
 * Fills `synOptions` for the connection's SYN, or for its SYN-ACK in a simultaneous open. No Fast Open option: a repeated
 * SYN has none (RFC 7413 4.1.3, as Linux).
 */
export function prepareSyn(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const host = words[c + TCB_HOST];
  const profile = stack.profileOf(host);
  const state = words[c + TCB_STATE];
  const settings = settingsRow(stack, conn);
  const ect = (state & FLAG_ECN) !== 0 ? ectOfHandshake(algorithmFor(stack, conn)) : 0;
  const offer = openersOffer(stack, profile, host, words[c + TCB_LOCAL]);
  // The SYN-ACK of a simultaneous open offers what the SYN did, whatever the peer's has said (as Linux).
  synOptions.control = offer.control;
  synOptions.cookie.length = NO_COOKIE;
  if (settings === 0) {
    synOptions.mss = offer.mss;
    synOptions.ttlTos = offer.ttl | ect;
    synOptions.shift = offer.shift;
    synOptions.window = words[c + TCB_TS_RECENT] !== 0 ? offer.stampedWindow : offer.window;
  } else {
    applySettings(stack, settings, offer, ect);
    synOptions.shift = firstShift(stack, profile, settings);
    synOptions.window = synWindowOf(stack, conn);
  }
  synOptions.tsVal = (stack.nowMs + stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + WARM_TS_OFFSET]) | 0;
  synOptions.tsEcr = words[c + TCB_TS_RECENT];
  // A path that is known to take less lowers what is announced, as Linux's route does.
  if (stack.pathMtus.size !== 0) synOptions.mss = announcedOnPath(stack, host, words[c + TCB_REMOTE], synOptions.mss);
}

/** Sends the SYN of SYN_SENT, or the SYN-ACK of a simultaneous open. Returns the packet. */
export function sendSyn(stack: TcpStack, conn: number): number {
  prepareSyn(stack, conn);
  return emitPrepared(stack, conn);
}

/**
 * Sends the SYN again: without asking for ECN, which a middlebox may have minded (RFC 3168 6.1.1.1, Linux's
 * `tcp_ecn_fallback`). What a late SYN-ACK says of ECN still counts.
 */
export function repeatSyn(stack: TcpStack, conn: number): void {
  const p = sendSyn(stack, conn);
  if (!stack.profileOfConnection(conn).ecnFallback) return;
  const at = p * P_STRIDE + P_CONTROL;
  if ((stack.packets.rows.words[at] & F_ACK) === 0) stack.packets.rows.words[at] &= ~(F_ECE | F_CWR);
}

/** Sends a SYN or SYN-ACK with `synOptions` as they are. Returns the packet. */
export function emitPrepared(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * TCB_STRIDE) & TCB_MASK;
  const host = words[c + TCB_HOST];
  const state = words[c + TCB_STATE];
  const answers = (state & FLAG_STATE_MASK) !== STATE_SYN_SENT;
  if (answers) words[c + TCB_RCV_ADV] = (words[c + TCB_RCV_NXT] + synOptions.window) | 0;
  const asks = (state & FLAG_ECN) === 0 ? 0 : answers ? F_ECE : F_ECE | F_CWR;
  if (words[c + TCB_STATE] < 0) accountSyn(stack, conn);
  return emitSyn(
    stack,
    host,
    words[c + TCB_LOCAL],
    words[c + TCB_REMOTE],
    words[c + TCB_PORTS],
    words[c + TCB_SND_UNA],
    answers ? words[c + TCB_RCV_NXT] : 0,
    asks | (answers ? F_SYN | F_ACK : F_SYN),
  );
}
