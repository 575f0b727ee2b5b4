/**
 * How the queue of unsent bytes is cut into segments, as Linux's `tcp_write_xmit` does: whole groups of segments
 * (what a network card with TSO would be given as one), Nagle's rule for what is smaller than the MSS, and waiting for
 * a bigger group when more will be allowed in a moment. Groups are visible: the last segment of one has PSH.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { pacingRate } from "./pacing_rate.ts";
import { sackOptionBytes } from "./sack_out.ts";
import type { TcpStack } from "./stack.ts";
import { CA, COLD, FLAG, RTX, TCB, WARM } from "./state/tcb.ts";

const { STATE, SND_UNA, SND_WND, CWND, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, MAX_WINDOW, MIN_RTT, SRTT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const {
  SND_SMALL,
  PACKETS_OUT,
  CA_STATE,
  RTX_HEAD,
  RTX_TAIL,
  RECEIVER,
  MASK: COLD_MASK,
  STRIDE: COLD_STRIDE,
} = COLD;
const { LEAST_GROUP_SEGMENTS, GROUP_WINDOW_DIVISOR } = PROFILE_WORD;
const { SENT_US, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { RECOVERY: CA_RECOVERY } = CA;

/** Nagle's rule for a push, as Linux's `tp->nonagle`; and whether the queue's end lacks PSH, in the middle of a write. */
export const NAGLE = { OFF: 1, CORK: 2, PUSH: 4, NO_PSH: 8 } as const;

/** The most that a group holds, bytes: 64 KiB less the headers that Linux reserves. */
const LARGEST_GROUP = 65215;
/** A group takes about a millisecond at the pacing rate (Linux's `sk_pacing_shift`, 10: 2^-10 s). */
const PACING_SHIFT = 1024;
/** Groups grow on short paths: by the largest, halved for each 2^9 µs of round trip (`tcp_tso_rtt_log`). */
const RTT_SHIFT = 9;
/** Without a divisor of the window: more segments than these are worth sending at once (`tcp_max_tso_deferred_mss`). */
const MOST_DEFERRED = 3;

/** Linux's `nonagle` of a connection. */
export function nagleOf(state: number): number {
  return ((state & FLAG.NO_DELAY) !== 0 ? NAGLE.OFF : 0) | ((state & FLAG.CORK) !== 0 ? NAGLE.CORK : 0);
}

/** Half the largest window that the peer has offered, if that is less than `bytes` (RFC 9293 3.8.6.2.1, as Linux). */
export function boundToHalfWindow(maxWindow: number, bytes: number, headers: number): number {
  const most = maxWindow > 536 ? maxWindow >> 1 : maxWindow;
  return most !== 0 && bytes > most ? Math.max(most, 68 - headers) : bytes;
}

/** The largest payload now (Linux `tcp_current_mss`): not above half of the peer's largest window. */
export function currentMss(stack: TcpStack, conn: number): number {
  const warm = stack.warm;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const row = warm[w + COLD_AT];
  let mss = stack.tcbs.words[((conn * STRIDE) & MASK) + MSS] & 0xffff;
  // RFC 2018 3, RFC 6691 3.2: SACK blocks take room from the data beside them.
  if (row !== 0 && stack.cold.words[((row * COLD_STRIDE) & COLD_MASK) + RECEIVER] !== 0) {
    mss -= sackOptionBytes(stack, conn);
  }
  const maxWindow = warm[w + MAX_WINDOW];
  return mss <= maxWindow >> 1 ? mss : boundMss(stack, conn, maxWindow, mss);
}

function boundMss(stack: TcpStack, conn: number, maxWindow: number, mss: number): number {
  const timestamps = (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.TIMESTAMPS) !== 0;
  return boundToHalfWindow(maxWindow, mss, timestamps ? 32 : 20);
}

/** Most bytes of one buffer of the write queue: whole segments, 64 KiB or half the peer's window (`tcp_xmit_size_goal`). */
export function sizeGoal(stack: TcpStack, conn: number, mss: number): number {
  const most = boundToHalfWindow(stack.warm[conn * WARM_STRIDE + MAX_WINDOW], LARGEST_GROUP, 0);
  return Math.max(mss, most - most % mss);
}

/** Most segments in a group (`tcp_tso_autosize`): a millisecond's worth of the pacing rate, more on short paths. */
export function groupSegments(stack: TcpStack, conn: number, mss: number): number {
  const rate = pacingRate(stack, conn);
  let bytes = LARGEST_GROUP;
  if (rate !== 0 && rate < LARGEST_GROUP * PACING_SHIFT) {
    bytes = (rate / PACING_SHIFT) | 0;
    const warm = stack.warm;
    const w = (conn * WARM_STRIDE) & WARM_MASK;
    const halvings = (warm[w + MIN_RTT] || warm[w + SRTT] >> 3) >> RTT_SHIFT;
    if (halvings < 32) bytes += LARGEST_GROUP >> halvings;
    if (bytes > LARGEST_GROUP) bytes = LARGEST_GROUP;
  }
  const least = stack.profiles.words[stack.profileAt(conn) + LEAST_GROUP_SEGMENTS];
  const segments = (bytes / mss) | 0;
  return segments > least ? segments : least;
}

/**
 * Must a segment below the MSS wait (Linux `tcp_nagle_check`; RFC 9293 3.7.4 MUST-17, SHLD-7)? Yes if corked; else, as
 * Minshall has it, while an earlier small one is unacknowledged. `k` is where the cold row begins.
 */
export function nagleHolds(stack: TcpStack, conn: number, k: number, nagle: number, next: number): boolean {
  if ((nagle & NAGLE.CORK) !== 0) return true;
  const cold = stack.cold.words;
  if ((nagle & NAGLE.OFF) !== 0 || cold[k + PACKETS_OUT] === 0) return false;
  const small = cold[k + SND_SMALL];
  return ((small - stack.tcbs.words[conn * STRIDE + SND_UNA]) | 0) > 0 && ((next - small) | 0) >= 0;
}

/**
 * Should a group wait, because an ACK that is due within the millisecond will let a larger one go (Linux
 * `tcp_tso_should_defer`)? `room` are the bytes that the peer's window lets go now, `quota` the segments that the
 * congestion window does, `group` those of a full group, `length` the bytes in the same buffer; `final` if nothing can be
 * added to them.
 */
export function shouldDefer(
  stack: TcpStack,
  conn: number,
  k: number,
  mss: number,
  room: number,
  quota: number,
  group: number,
  length: number,
  final: boolean,
): boolean {
  const cold = stack.cold.words;
  const allowed = quota * mss;
  const least = room < allowed ? room : allowed;
  const head = cold[k + RTX_HEAD];
  if (least >= group * mss || (cold[k + CA_STATE] & 0xff) >= CA_RECOVERY || head === 0) return false;
  // Only right after the last sending: bursts are not the aim.
  const records = stack.segments.words;
  const nowUs = stack.nowUs;
  if (((nowUs - records[((cold[k + RTX_TAIL] * RTX_STRIDE) & RTX_MASK) + SENT_US]) | 0) > 1000) return false;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const srtt = stack.warm[w + SRTT] >> 3;
  const due = (records[((head * RTX_STRIDE) & RTX_MASK) + SENT_US] + srtt - nowUs) | 0;
  if (due > 1000 || due > srtt >> 1 || (final && least > length)) return false;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const whole = words[c + MSS] & 0xffff;
  const divisor = stack.profiles.words[stack.profileAt(conn) + GROUP_WINDOW_DIVISOR];
  if (divisor === 0) return least <= MOST_DEFERRED * whole;
  const window = words[c + CWND] * whole;
  return least < (((words[c + SND_WND] < window ? words[c + SND_WND] : window) / divisor) | 0);
}
