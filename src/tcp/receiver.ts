/**
 * The row of a receiver of more than a trickle, and the buffer that the application asks for.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { announcedMss } from "./handshake.ts";
import { readSetting, settingsOf, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, RECEIVER_FLAG } from "./state/receiver_row.ts";
import { STATE as TCP_STATE } from "./state/states.ts";
import { ACK_STATE, FLAG, SETTING_FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";
import { firstClamp, firstThreshold, receiverAt } from "./window.ts";

const { BUFFER, SSTHRESH, CLAMP, ATO, LAST_DATA_MS, SPACE, SPACE_SEQ, SPACE_TIME, FLAGS, STRIDE: RECEIVER_STRIDE } =
  RECEIVER;
const { LOCKED } = RECEIVER_FLAG;
const { DELAYED_ACK_MS } = PROFILE_WORD;
const { HOST, LOCAL, STATE, RCV_WUP, RCV_ADV, RCV_READ, MASK, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
/** Initial window of a sender, which the receiver expects in the first round trip (Linux `TCP_INIT_CWND`). */
const INITIAL_SEGMENTS = 10;
/** What a trickle is where ACKs are not delayed, ms: Linux's `TCP_DELACK_MIN`. */
const TRICKLE_MS = 40;
/** Least SO_RCVBUF (Linux `SOCK_MIN_RCVBUF`), and most that may be asked for (`net.core.rmem_max` of Linux 6.17). */
const LEAST_BUFFER = 2304;
const MOST_ASKED = 4 * 1024 * 1024;

/** The MSS that the connection's SYN announced. */
export function advertisedMss(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  return announcedMss(stack, words[c + HOST], words[c + LOCAL]);
}

/** Data that comes more slowly than this, ms, is a trickle: as long as ACKs are delayed, where they are. */
export function trickleMs(stack: TcpStack, conn: number): number {
  return stack.profiles.words[stack.profileAt(conn) + DELAYED_ACK_MS] || TRICKLE_MS;
}

/**
 * Where the connection's `RECEIVER` row begins in `stack.receivers.words`; made, with what has held so far, if there was
 * none. `cold.words` and `receivers.words` may be replaced.
 */
export function busyReceiver(stack: TcpStack, conn: number): number {
  const known = receiverAt(stack, conn);
  if (known !== 0) return known;
  const r = stack.receiverOf(conn) * RECEIVER_STRIDE;
  const rows = stack.receivers.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const profile = stack.profileOfConnection(conn);
  const own = readSetting(stack, conn, SETTINGS.RECEIVE_BUFFER);
  const mss = advertisedMss(stack, conn);
  const shift = (words[c + STATE] >> FLAG.RCV_SHIFT_AT) & 0xf;
  rows[r + BUFFER] = own || profile.receiveBufferBytes;
  const space = rows[r + BUFFER] >> 1;
  const wanted = readSetting(stack, conn, SETTINGS.WINDOW_CLAMP);
  rows[r + CLAMP] = firstClamp(space, mss, shift, wanted);
  rows[r + SSTHRESH] = firstThreshold(rows[r + CLAMP], space, mss, wanted);
  const estimate = words[c + TCB.MSS] >>> 16;
  if (estimate > 536) rows[r + SSTHRESH] = Math.min(rows[r + CLAMP], rows[r + SSTHRESH] + 2 * Math.max(mss, estimate));
  // A buffer that was asked for does not grow.
  if (own !== 0) rows[r + FLAGS] |= LOCKED;
  rows[r + ATO] = profile.delayedAckMs;
  rows[r + LAST_DATA_MS] = (stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] & ACK_STATE.SEEN_DATA) !== 0
    ? (stack.timers[conn * TIMER.STRIDE + TIMER.DELACK] - trickleMs(stack, conn)) | 0
    : stack.nowMs;
  const offered = (words[c + RCV_ADV] - words[c + RCV_WUP]) | 0;
  rows[r + SPACE] = Math.max(1, Math.min(rows[r + SSTHRESH], Math.max(offered, mss), INITIAL_SEGMENTS * mss));
  rows[r + SPACE_SEQ] = words[c + RCV_READ];
  rows[r + SPACE_TIME] = stack.nowUs || 1;
  return r;
}

/**
 * SO_RCVBUF: as Linux, at most `net.core.rmem_max` (its default) counts of what is asked for, and twice that is the
 * buffer; it does not grow by itself any more.
 */
export function setReceiveBuffer(stack: TcpStack, conn: number, bytes: number): void {
  const size = bufferFor(bytes);
  const settings = settingsOf(stack, conn) * SETTINGS.STRIDE;
  stack.settings.words[settings + SETTINGS.RECEIVE_BUFFER] = size;
  stack.settings.words[settings + SETTINGS.FLAGS] |= SETTING_FLAG.RECEIVE_BUFFER_LOCKED;
  const r = receiverAt(stack, conn);
  if (r === 0) return;
  stack.receivers.words[r + BUFFER] = size;
  stack.receivers.words[r + FLAGS] |= LOCKED;
}

/** The buffer that an SO_RCVBUF of `bytes` makes; Linux compares without a sign, so that a negative size is a large one. */
export function bufferFor(bytes: number): number {
  return Math.max(LEAST_BUFFER, 2 * Math.min(bytes < 0 ? MOST_ASKED : bytes, MOST_ASKED));
}

/** The clamp that a TCP_WINDOW_CLAMP of `bytes` makes: at least half the least buffer, as Linux; 0 is none. */
export function clampFor(bytes: number): number {
  return bytes === 0 ? 0 : Math.max(LEAST_BUFFER >> 1, bytes);
}

/** SO_RCVLOWAT: the reader waits for so many bytes, and full segments below that are acknowledged without its reading. */
export function setReceiveLow(stack: TcpStack, conn: number, bytes: number): void {
  writeSetting(stack, conn, SETTINGS.RECEIVE_LOW, bytes);
}

/** TCP_WINDOW_CLAMP: no window above `bytes`. */
export function setWindowClamp(stack: TcpStack, conn: number, bytes: number): void {
  const clamp = clampFor(bytes);
  const opens = (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.STATE_MASK) === TCP_STATE.SYN_SENT;
  // The row is made of what held before.
  const r = opens ? 0 : busyReceiver(stack, conn);
  const settings = settingsOf(stack, conn);
  stack.settings.words[settings * SETTINGS.STRIDE + SETTINGS.WINDOW_CLAMP] = clamp;
  // It concerns the SYN, and what is made of its answer.
  if (r === 0) return;
  const rows = stack.receivers.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const before = rows[r + CLAMP];
  rows[r + CLAMP] = clamp;
  if (clamp < before) rows[r + SSTHRESH] = Math.min(rows[r + SSTHRESH], clamp);
  else {
    const offered = (words[c + RCV_ADV] - words[c + RCV_WUP]) | 0;
    rows[r + SSTHRESH] = Math.max(rows[r + SSTHRESH], Math.min(offered, clamp));
  }
}
