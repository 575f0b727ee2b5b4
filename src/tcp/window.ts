/**
 * The receive window: how much to offer (RFC 9293 3.8.6), as Linux's `__tcp_select_window`. Buffers are counted as
 * Linux does at first: half of one is for payload, half for what the kernel keeps beside it.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { ACK_STATE, COLD, FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";

const { STATE, RCV_NXT, RCV_WUP, RCV_ADV, RCV_READ, MSS, HOST, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { WINDOW_CLAMP: SETTINGS_WINDOW_CLAMP } = SETTINGS;
const { RECEIVE_BUFFER_BYTES } = PROFILE_WORD;
const { RCV_SHIFT_AT, FIN_RECEIVED } = FLAG;
const { OOO_BYTES, RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { BUFFER, SSTHRESH, CLAMP, MASK: RECEIVER_MASK, STRIDE: RECEIVER_STRIDE } = RECEIVER;
const { QUICK_MASK } = ACK_STATE;
/** What is set aside, without a `RECEIVER` row: the segment of an Ethernet. */
const USUAL_MSS = 1460;
/** Segments that are offered at most under memory pressure (Linux). */
const PRESSED_SEGMENTS = 4;
/** First estimate of the peer's segment size: a larger one has come if the estimate is larger. */
const FIRST_ESTIMATE = 536;

/** Bytes received in order that the application has not read; a FIN does not count. */
export function unreadBytes(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  return (words[c + RCV_NXT] - words[c + RCV_READ] - ((words[c + STATE] & FIN_RECEIVED) !== 0 ? 1 : 0)) | 0;
}

/** Where the connection's `RECEIVER` row begins in `stack.receivers.words`, 0 if it has none. */
export function receiverAt(stack: TcpStack, conn: number): number {
  const k = (stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  return k === 0 ? 0 : (stack.cold.words[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
}

/** The connection's receive buffer, bytes, as SO_RCVBUF shows it: half of it is for payload. */
export function receiveBuffer(stack: TcpStack, conn: number): number {
  const r = receiverAt(stack, conn);
  if (r !== 0) return stack.receivers.words[r + BUFFER];
  return readSetting(stack, conn, SETTINGS.RECEIVE_BUFFER) || stack.profileOfConnection(conn).receiveBufferBytes;
}

/** Bytes of payload that the buffer holds: read by nobody yet, or beyond a gap. */
export function heldBytes(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  const beyond = row === 0 ? 0 : stack.cold.words[row * COLD_STRIDE + OOO_BYTES];
  return ((words[c + RCV_NXT] - words[c + RCV_READ]) | 0) + beyond;
}

/** Bytes of payload that the buffer has room for (Linux `tcp_space`). */
export function freeSpace(stack: TcpStack, conn: number): number {
  return (receiveBuffer(stack, conn) >> 1) - heldBytes(stack, conn);
}

/** RCV.WND as last offered, from RCV.NXT on: 0 if more has come than was offered. */
export function openWindow(words: Int32Array, c: number): number {
  const open = (words[c + RCV_ADV] - words[c + RCV_NXT]) | 0;
  return open < 0 ? 0 : open;
}

/**
 * Most that may ever be offered of a buffer with room for `space` bytes: one segment is set aside (Linux). `asked`: what
 * TCP_WINDOW_CLAMP says, 0 for nothing.
 */
export function firstClamp(space: number, advertisedMss: number, shift: number, asked: number): number {
  let clamp = Math.min(65535 << shift, space);
  if (asked !== 0 && asked < clamp) clamp = asked;
  if (clamp > 2 * advertisedMss && clamp + advertisedMss > space) {
    clamp = Math.max(2 * advertisedMss, space - advertisedMss);
  }
  return clamp;
}

/**
 * Most that is offered at first (Linux `rcv_ssthresh`): `clamp`, and whole segments. A clamp of more than two segments
 * is below that, since one is set aside.
 */
export function firstThreshold(clamp: number, space: number, advertisedMss: number, asked: number): number {
  if (clamp > 2 * advertisedMss && asked === 0) return clamp;
  const room = asked !== 0 && asked < space ? asked : space;
  return room > advertisedMss ? Math.min(clamp, room - room % advertisedMss) : Math.min(clamp, room);
}

/** What of `selectWindow` follows from a buffer and a window shift alone, for a connection without rows: the last one. */
const BARE = {
  buffer: 0,
  shift: 0,
  /** Bytes of payload that the buffer has room for, and most that may ever be offered of them. */
  allowed: 0,
  clamp: 0,
  /** Most that is offered at first. */
  threshold: 0,
};

function workOutBare(buffer: number, shift: number): void {
  BARE.buffer = buffer;
  BARE.shift = shift;
  BARE.allowed = buffer >> 1;
  BARE.clamp = firstClamp(BARE.allowed, USUAL_MSS, shift, 0);
  BARE.threshold = firstThreshold(BARE.clamp, BARE.allowed, USUAL_MSS, 0);
}

/**
 * The window to offer now, in bytes from RCV.NXT; it may lie left of the edge that was offered. Of a connection at rest
 * that has nearly all of its buffer free, a look at the profile says it.
 */
export function selectWindow(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const shift = (words[c + STATE] >> RCV_SHIFT_AT) & 0xf;
  if (warm[w + COLD_AT] === 0 && shift !== 0 && stack.hosts.budgets === undefined) {
    const buffer = stack.profiles.words[stack.profileAt(conn) + RECEIVE_BUFFER_BYTES];
    if (BARE.buffer !== buffer || BARE.shift !== shift) workOutBare(buffer, shift);
    const { allowed, clamp, threshold } = BARE;
    const free = (allowed - words[c + RCV_NXT] + words[c + RCV_READ]) | 0;
    if (clamp === threshold && words[c + MSS] >>> 16 <= clamp && free >= clamp >> 1) {
      return (((free < clamp ? free : clamp) + (1 << shift) - 1) >> shift) << shift;
    }
  }
  return selectWindowOf(stack, conn);
}

/** `selectWindow`, of any connection. */
function selectWindowOf(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const shift = (words[c + STATE] >> RCV_SHIFT_AT) & 0xf;
  let segment = words[c + MSS] >>> 16;
  let held = (words[c + RCV_NXT] - words[c + RCV_READ]) | 0;
  let r = 0;
  const k = (stack.warm[((conn * WARM_STRIDE) & WARM_MASK) + COLD_AT] * COLD_STRIDE) & COLD_MASK;
  if (k !== 0) {
    const cold = stack.cold.words;
    r = (cold[k + RECEIVER_AT] * RECEIVER_STRIDE) & RECEIVER_MASK;
    held = (held + cold[k + OOO_BYTES]) | 0;
  }
  let allowed: number;
  let clamp: number;
  let most: number;
  if (r !== 0) {
    const rows = stack.receivers.words;
    allowed = rows[r + BUFFER] >> 1;
    clamp = rows[r + CLAMP];
    most = rows[r + SSTHRESH];
  } else {
    // Without a cold row, which is usual, a look at the profile says it all.
    const buffer = k === 0
      ? stack.profiles.words[stack.profileAt(conn) + RECEIVE_BUFFER_BYTES]
      : receiveBuffer(stack, conn);
    allowed = buffer >> 1;
    const asked = k === 0 ? 0 : readSetting(stack, conn, SETTINGS_WINDOW_CLAMP);
    clamp = firstClamp(allowed, USUAL_MSS, shift, asked);
    most = firstThreshold(clamp, allowed, USUAL_MSS, asked);
    // One segment larger than the first estimate has come: Linux's window has grown by two.
    if (most < clamp && segment > FIRST_ESTIMATE) {
      const growth = 2 * (segment > USUAL_MSS ? segment : USUAL_MSS);
      most = Math.max(most, Math.min(clamp, allowed - held, most + growth));
    }
  }
  let free = (allowed - held) | 0;
  const full = Math.min(clamp, allowed);
  if (segment > full) {
    segment = full;
    if (segment <= 0) return 0;
  }
  if (free < full >> 1) {
    free = scarce(stack, conn, free, shift);
    // RFC 9293 3.8.6.2.2 MUST-39: rather nothing than a silly window.
    if (free < allowed >> 4 || free < segment) return 0;
  }
  if (stack.hosts.budgets !== undefined) most = budgeted(stack, conn, most, free < full >> 1, segment);
  if (free > most) free = most;
  if (shift !== 0) return ((free + (1 << shift) - 1) >> shift) << shift;
  const window = (words[c + RCV_ADV] - words[c + RCV_WUP]) | 0;
  if (window <= free - segment || window > free) return free - free % segment;
  if (segment === full && free > window + (full >> 1)) return free;
  return window;
}

/** More than half of the buffer is taken: no ACK is quick, and what is free is counted in units of the field. */
function scarce(stack: TcpStack, conn: number, free: number, shift: number): number {
  stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] &= ~QUICK_MASK;
  return free < 0 ? 0 : (free >> shift) << shift;
}

/**
 * Most that the host's memory lets be offered, `most` of it asked for. As Linux: nothing where no memory is left, and
 * little under pressure by those who do not read (`scarce`).
 */
function budgeted(stack: TcpStack, conn: number, most: number, scarce: boolean, segment: number): number {
  const budgets = stack.hosts.budgets!;
  const budget = stack.hosts.budgetOf(stack.tcbs.words[conn * STRIDE + HOST]);
  if (budget === 0) return most;
  if (budgets.left(budget) <= 0 && unreadBytes(stack, conn) > 0) return 0;
  return scarce && budgets.isPressed(budget) ? Math.min(most, PRESSED_SEGMENTS * segment) : most;
}

/**
 * Moves the right edge as far as `selected` (`selectWindow`) has it, never to the left (RFC 9293 3.8.6 SHLD-14), and
 * returns the window field for a segment without SYN. `c` is where the hot line begins in `words`.
 */
export function advertiseWindow(words: Int32Array, c: number, selected: number): number {
  let window = selected | 0;
  const shift = (words[c + STATE] >> RCV_SHIFT_AT) & 0xf;
  const open = openWindow(words, c);
  if (window < open) window = ((open + (1 << shift) - 1) >> shift) << shift;
  words[c + RCV_ADV] = (words[c + RCV_NXT] + window) | 0;
  // A first window that was not scaled may be more than the field can say: it holds all the same (Linux).
  const field = window >> shift;
  return field < 65535 ? field : 65535;
}

/** Smallest shift with which a window field can express `bytes` (RFC 7323 2.3: at most 14). */
export function windowShiftFor(bytes: number): number {
  let shift = 0;
  while (shift < 14 && (bytes >>> shift) > 65535) shift++;
  return shift;
}
