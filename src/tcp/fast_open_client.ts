/**
 * Fast Open (RFC 7413) of an active open, as Linux does it: data in the SYN where there is a cookie, a request for one
 * where there is none, and what the SYN-ACK says of either.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { ByteRing } from "../store/ring.ts";
import { PACKET } from "../wire/packet.ts";
import { begin, type ConnectOptions, emitPrepared, prepareSyn, repeatSyn, settingsRow } from "./connect.ts";
import { cookieToShow, updateMetrics } from "./fast_open_cache.ts";
import { copyCookie, newCookie, NO_COOKIE, readFastOpen } from "./fast_open_cookie.ts";
import { fastOpenAt } from "./fast_open_queue.ts";
import { announcedMss, peerMss, settingIn } from "./handshake.ts";
import { resendUncongested } from "./recovery.ts";
import { dropHead, recordSegment, recut } from "./retransmit.ts";
import { armRetransmit } from "./rto_timer.ts";
import { markLost } from "./scoreboard.ts";
import { rtoMs } from "./rtt.ts";
import { attachPayload } from "./segment_out.ts";
import { currentMss } from "./segmentation.ts";
import type { TcpStack } from "./stack.ts";
import { ACCOUNT, ACCOUNT_FLAG } from "./state/account_row.ts";
import { FAST_OPEN, FAST_OPEN_FLAG } from "./state/fast_open_row.ts";
import { ACK_STATE, COLD, RTX, RTX_FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";
import { SYN_OPTIONS } from "./opening.ts";

const synOptions = SYN_OPTIONS;

const { ASKED, EXPERIMENTAL, SYN_DATA, SYN_DATA_ACKED, CHECKS_PATH } = FAST_OPEN_FLAG;
const F = FAST_OPEN;
/** Bits of `Profile.fastOpen` for clients. */
const CLIENT = 1;
const CLIENT_WITHOUT_COOKIE = 4;
/** Options that a SYN with data leaves room for, whatever it has itself (Linux `MAX_TCP_OPTION_SPACE`). */
const OPTION_SPACE = 40;
/** `FAST_OPEN.CLIENT_FAIL` (Linux `tcp_fastopen_client_fail`). */
const FAIL = { COOKIE_UNAVAILABLE: 1, DATA_NOT_ACKED: 2, SYN_RETRANSMITTED: 3 } as const;

const cookie = newCookie();

/** More options of {@linkcode connectWithData}. */
export interface FastOpenConnectOptions extends ConnectOptions {
  /** TCP_FASTOPEN_NO_COOKIE: data goes into the SYN without a cookie. */
  noCookie?: boolean;
}

/** May the host's applications use Fast Open? Otherwise the calls and options that ask for it are EOPNOTSUPP. */
export function fastOpenAllowed(stack: TcpStack, host: number): boolean {
  return (stack.profileOf(host).fastOpen & CLIENT) !== 0;
}

/**
 * Would a SYN to this server carry data now? Then a `connect` on a socket with TCP_FASTOPEN_CONNECT waits for the data
 * (Linux `tcp_fastopen_defer_connect`); otherwise it is `connectWithData` with none, which asks for a cookie.
 */
export function wouldSendSynData(
  stack: TcpStack,
  host: number,
  local: number,
  remote: number,
  noCookie = false,
): boolean {
  if (stack.fastOpen.isPaused(stack, host) === true) return false;
  if (noCookie || (stack.profileOf(host).fastOpen & CLIENT_WITHOUT_COOKIE) !== 0) return true;
  return (stack.fastOpen.find(host, local, remote)?.cookie.length ?? 0) > 0;
}

/**
 * Opens a connection with a Fast Open SYN (`sendto` with MSG_FASTOPEN): as much of `data` (bytes, or a count of them) as
 * fits goes with it if there is a cookie, none if one has to be asked for; see {@linkcode synDataBytes}. The rest is the
 * caller's to `send`. Returns as `connect`, or `-ERRNO.EOPNOTSUPP` where the profile does not allow it.
 */
export function connectWithData(
  stack: TcpStack,
  host: number,
  local: number,
  localPort: number,
  remote: number,
  remotePort: number,
  app: number,
  data: Uint8Array | number,
  options: FastOpenConnectOptions = {},
): number {
  if (!fastOpenAllowed(stack, host)) return -ERRNO.EOPNOTSUPP;
  const conn = begin(stack, host, local, localPort, remote, remotePort, app, options);
  if (conn < 0) return conn;
  const row = stack.fastOpens.allocate();
  stack.cold.words[stack.coldOf(conn) * COLD.STRIDE + COLD.FAST_OPEN] = row;
  const f = row * F.STRIDE;
  const opens = stack.fastOpens.words;
  const profile = stack.profileOf(host);
  const metrics = stack.fastOpen.find(host, local, remote);
  const paused = stack.fastOpen.isPaused(stack, host);
  cookieToShow(metrics, cookie);
  const cookieless = options.noCookie === true || (profile.fastOpen & CLIENT_WITHOUT_COOKIE) !== 0;
  let bytes = 0;
  if (paused !== true && (cookieless || cookie.length > 0)) {
    if (cookieless) cookie.length = NO_COOKIE;
    if (paused === null) opens[f + F.FLAGS] |= CHECKS_PATH;
    bytes = Math.min(synRoom(stack, conn, metrics?.mss ?? 0), typeof data === "number" ? data : data.length);
    bytes = Math.max(0, bytes);
  } else if (paused === true) cookie.length = NO_COOKIE;
  else opens[f + F.CLIENT_FAIL] = FAIL.COOKIE_UNAVAILABLE;
  prepareSyn(stack, conn);
  copyCookie(cookie, synOptions.cookie);
  if (cookie.length !== NO_COOKIE) {
    opens[f + F.FLAGS] |= ASKED | (cookie.experimental ? EXPERIMENTAL : 0);
  }
  const p = emitPrepared(stack, conn);
  if (bytes > 0) putData(stack, conn, p, f, typeof data === "number" ? bytes : data.subarray(0, bytes));
  stack.armTimer(conn, TIMER.REXMIT, profile.rtoInitialMs);
  return conn;
}

/** Bytes of data that fit into a SYN to a server whose MSS is `cached` (0: as large as ours). */
function synRoom(stack: TcpStack, conn: number, cached: number): number {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const most = announcedMss(stack, words[c + TCB.HOST], words[c + TCB.LOCAL]);
  const asked = settingIn(stack, settingsRow(stack, conn), SETTINGS.MAX_SEGMENT);
  let mss = cached === 0 ? most : Math.min(cached, most);
  if (asked !== 0) mss = Math.min(mss, asked);
  return mss - OPTION_SPACE;
}

/** Puts data into the SYN `p`, and into the retransmission queue as a segment behind it. */
function putData(stack: TcpStack, conn: number, p: number, f: number, data: Uint8Array | number): void {
  const bytes = typeof data === "number" ? data : data.length;
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const first = (words[c + TCB.SND_UNA] + 1) | 0;
  const end = (first + bytes) | 0;
  if (typeof data !== "number") (stack.streamOf(conn).send ??= new ByteRing()).write(data);
  words[c + TCB.SND_END] = end;
  words[c + TCB.SND_NXT] = end;
  recordSegment(stack, conn, first, end, RTX_FLAG.PUSH);
  stack.packets.rows.words[p * PACKET.STRIDE + PACKET.LENGTH] = bytes;
  attachPayload(stack, conn, p, first, bytes);
  stack.counters.bytesOut += bytes;
  stack.fastOpens.words[f + F.FLAGS] |= SYN_DATA;
  stack.fastOpens.words[f + F.SYN_BYTES] = bytes;
}

/** Bytes of data that the connection's SYN carried: what `sendto` returns without blocking, EINPROGRESS if it is 0. */
export function synDataBytes(stack: TcpStack, conn: number): number {
  const f = fastOpenAt(stack, conn);
  return f === 0 ? 0 : stack.fastOpens.words[f + F.SYN_BYTES];
}

/** Takes acknowledged data of the SYN, in whole or in part, out of the retransmission queue. */
export function trimSynData(stack: TcpStack, conn: number, ack: number): void {
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  if (cold === 0) return;
  const k = cold * COLD.STRIDE;
  for (let head = stack.cold.words[k + COLD.RTX_HEAD]; head !== 0; head = stack.cold.words[k + COLD.RTX_HEAD]) {
    const r = head * RTX.STRIDE;
    const records = stack.segments.words;
    if (((ack - records[r + RTX.END]) | 0) < 0) {
      if (((ack - records[r + RTX.SEQ]) | 0) > 0) records[r + RTX.SEQ] = ack;
      return;
    }
    dropHead(stack, k);
  }
}

/**
 * The SYN-ACK of a Fast Open SYN has been taken (Linux `tcp_rcv_fastopen_synack`): what it says is remembered, and data
 * that it does not acknowledge is sent again at once. True if not, so that data which came with the SYN-ACK is taken.
 */
export function fastOpenSynAck(stack: TcpStack, conn: number, p: number, repeated: number): boolean {
  const f = fastOpenAt(stack, conn);
  const opens = stack.fastOpens.words;
  const flags = opens[f + F.FLAGS];
  if ((flags & (ASKED | SYN_DATA)) === 0) return false;
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const k = cold * COLD.STRIDE;
  const unacked = (flags & SYN_DATA) !== 0 && stack.cold.words[k + COLD.RTX_HEAD] !== 0;
  const total = Math.max(repeated, opens[f + F.REPEATED]);
  readFastOpen(stack.packets, p, cookie);
  let lost = false;
  let tryExperimental = 0;
  if ((flags & ASKED) === 0) cookie.length = NO_COOKIE;
  else if (total > 0) lost = cookie.length < 0 && unacked;
  else if (cookie.length < 0 && (flags & SYN_DATA) === 0) tryExperimental = (flags & EXPERIMENTAL) !== 0 ? 2 : 1;
  const local = words[c + TCB.LOCAL];
  const metrics = stack.fastOpen.remember(stack, words[c + TCB.HOST], local, words[c + TCB.REMOTE]);
  const mss = peerMss(packets, o) || (stack.addresses.isIpv6(local) ? 1220 : 536);
  updateMetrics(stack, metrics, mss, cookie, lost, tryExperimental);
  if (!unacked) {
    if ((flags & SYN_DATA) !== 0) {
      opens[f + F.FLAGS] |= SYN_DATA_ACKED;
      stack.counters.fastOpenActives++;
      noteSynData(stack, k);
    }
    return true;
  }
  opens[f + F.CLIENT_FAIL] = total > 0 ? FAIL.SYN_RETRANSMITTED : FAIL.DATA_NOT_ACKED;
  stack.counters.fastOpenActiveFails++;
  resendSynData(stack, conn, k);
  return false;
}

/** For TCP_INFO, where accounts are kept. */
function noteSynData(stack: TcpStack, k: number): void {
  const account = stack.cold.words[k + COLD.ACCOUNT];
  if (account !== 0) stack.accounts.words[account * ACCOUNT.STRIDE + ACCOUNT.FLAGS] |= ACCOUNT_FLAG.SYN_DATA;
}

/** Loss without congestion: what the SYN carried goes again, the window stays (Linux `tcp_non_congestion_loss_retransmit`). */
function resendSynData(stack: TcpStack, conn: number, k: number): void {
  stack.recoveryOf(conn);
  let record = stack.cold.words[k + COLD.RTX_HEAD];
  // The SYN could not know the peer's MSS.
  recut(stack, conn, k, record, currentMss(stack, conn));
  while (record !== 0) {
    markLost(stack, k, record);
    record = stack.segments.words[record * RTX.STRIDE + RTX.NEXT];
  }
  resendUncongested(stack, conn);
  armRetransmit(stack, conn);
}

/** A writer waits for the handshake to end: its data will carry the ACK of the SYN-ACK (Linux `sk_write_pending`). */
export function holdHandshakeAck(stack: TcpStack, conn: number): void {
  stack.warm[conn * WARM.STRIDE + WARM.ACK_STATE] |= ACK_STATE.PING_PONG;
}

/**
 * The path takes no packet so large as the SYN with its data (RFC 1191, RFC 8201): a plain SYN goes at once (Linux
 * `tcp_simple_retransmit`). False where the SYN had no data.
 */
export function synTooBig(stack: TcpStack, conn: number, mtu: number): boolean {
  const f = fastOpenAt(stack, conn);
  const opens = stack.fastOpens.words;
  if (f === 0 || (opens[f + F.FLAGS] & SYN_DATA) === 0) return false;
  const known = opens[f + F.PATH_MTU] || stack.hosts.mtuOf(stack.tcbs.words[conn * TCB.STRIDE + TCB.HOST]);
  if (mtu >= known) return true;
  opens[f + F.PATH_MTU] = mtu;
  opens[f + F.REPEATED]++;
  stack.counters.retransmissions++;
  repeatSyn(stack, conn);
  stack.armTimer(conn, TIMER.REXMIT, rtoMs(stack, conn));
  return true;
}
