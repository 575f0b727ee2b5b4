/**
 * Round-trip time and the retransmission timeout: RFC 6298 as Linux computes it, in fixed point. Linux keeps four
 * times the deviation at or above the least RTO (200 ms) instead of the RTO itself above 1 s (RFC 6298 2.4).
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import type { TcpStack } from "./stack.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { ACK_STATE, COLD, TCB, WARM } from "./state/tcb.ts";

const { SND_UNA, SND_NXT, MASK, STRIDE } = TCB;
const { SRTT, MDEV, RTTVAR, MIN_RTT, COLD: COLD_AT, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } =
  WARM;
const { MDEV_MAX, RTT_SEQ, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { RTO_MIN_MS, RTO_MAX_MS, RTO_INITIAL_MS, MIN_RTT_WINDOW_MS } = PROFILE_WORD;
const { BACKOFF_AT, FRESH_RTT } = ACK_STATE;
const { MIN_RTT_STAMP, MIN_RTT_2, MIN_RTT_2_STAMP, MIN_RTT_3, MIN_RTT_3_STAMP } = RECOVERY;

/** Longest round trip that the fixed point holds, µs. */
const LONGEST_US = 200_000_000;
/** Timeout after a handshake without a sample (Linux `TCP_TIMEOUT_FALLBACK`). */
const FALLBACK_US = 3_000_000;

/** Takes one measurement, in µs (RFC 9293 3.8.1 MUST-18: RFC 6298; 3.8.2 MUST-19: exponential back-off is `rtoMs`'s). */
export function sampleRtt(stack: TcpStack, conn: number, measuredUs: number): void {
  const warm = stack.warm;
  const at = (conn * WARM_STRIDE) & WARM_MASK;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const m = Math.max(1, Math.min(measuredUs, LONGEST_US));
  const srtt = warm[at + SRTT];
  const leastUs = stack.profiles.words[stack.profileAt(conn) + RTO_MIN_MS] * 1000;
  const row = warm[at + COLD_AT];
  const cold = stack.cold.words;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  if (srtt === 0) {
    beginRtt(warm, at, m, leastUs);
    if (row !== 0) {
      cold[k + MDEV_MAX] = warm[at + RTTVAR];
      cold[k + RTT_SEQ] = words[c + SND_NXT];
    } else warm[at + ACK_STATE_AT] |= FRESH_RTT;
    return;
  }
  if (row === 0) smooth(warm, at, m, srtt);
  else smoothInRound(stack, at, c, k, m, leastUs);
}

/** As `sampleRtt`, of a connection that has a cold row and a sample already. `w`, `c`, `k`: where its rows begin. */
export function sampleFlightRtt(
  stack: TcpStack,
  w: number,
  c: number,
  k: number,
  measuredUs: number,
  rtoMinMs: number,
): void {
  smoothInRound(stack, w, c, k, Math.max(1, Math.min(measuredUs, LONGEST_US)), rtoMinMs * 1000);
}

/** The deviation that the timeout is made of is the largest of a round trip, and falls at its end only (Linux). */
function smoothInRound(stack: TcpStack, at: number, c: number, k: number, m: number, leastUs: number): void {
  const warm = stack.warm;
  const cold = stack.cold.words;
  const words = stack.tcbs.words;
  const mdev = smooth(warm, at, m, warm[at + SRTT]);
  let most = Math.max(cold[k + MDEV_MAX], leastUs);
  if (mdev > most) {
    most = mdev;
    if (most > warm[at + RTTVAR]) warm[at + RTTVAR] = most;
  }
  cold[k + MDEV_MAX] = most;
  if (((words[c + SND_UNA] - cold[k + RTT_SEQ]) | 0) > 0) {
    const rttvar = warm[at + RTTVAR];
    if (most < rttvar) warm[at + RTTVAR] = rttvar - ((rttvar - most) >> 2);
    cold[k + RTT_SEQ] = words[c + SND_NXT];
    cold[k + MDEV_MAX] = leastUs;
  }
}

/** RFC 6298 2.2: SRTT = R, RTTVAR = R / 2, RTO = SRTT + 4 RTTVAR. */
function beginRtt(warm: Int32Array, at: number, m: number, leastUs: number): void {
  warm[at + SRTT] = m << 3;
  warm[at + MDEV] = m << 1;
  if (warm[at + MIN_RTT] === 0) warm[at + MIN_RTT] = m;
  warm[at + RTTVAR] = Math.max(m << 1, leastUs);
}

/** RFC 6298 2.3 with alpha = 1/8, beta = 1/4. Returns the deviation. */
function smooth(warm: Int32Array, at: number, measured: number, srtt: number): number {
  let m = measured - (srtt >> 3);
  warm[at + SRTT] = Math.max(1, srtt + m);
  const mdev = warm[at + MDEV];
  if (m < 0) {
    m = -m - (mdev >> 2);
    // A round trip that shortens must not raise the RTO (Linux).
    if (m > 0) m >>= 3;
  } else m -= mdev >> 2;
  return warm[at + MDEV] = mdev + m;
}

/** As `sampleRtt`, for the ACK of a lone flight: the round trip of sampling began and ends with it. */
export function sampleLoneRtt(stack: TcpStack, conn: number, measuredUs: number): void {
  const warm = stack.warm;
  const at = (conn * WARM_STRIDE) & WARM_MASK;
  const m = Math.max(1, Math.min(measuredUs, LONGEST_US));
  const srtt = warm[at + SRTT];
  const leastUs = stack.profiles.words[stack.profileAt(conn) + RTO_MIN_MS] * 1000;
  if (srtt === 0) return beginRtt(warm, at, m, leastUs);
  const mdev = smooth(warm, at, m, srtt);
  const rttvar = warm[at + RTTVAR];
  // Linux keeps the first sample's deviation through the round trip that follows it.
  const before = (warm[at + ACK_STATE_AT] & FRESH_RTT) !== 0 && rttvar > leastUs ? rttvar : leastUs;
  const most = mdev > before ? mdev : before;
  if (most < rttvar) warm[at + RTTVAR] = rttvar - ((rttvar - most) >> 2);
  else if (mdev > before) warm[at + RTTVAR] = most;
}

/**
 * The handshake gave no round trip, most likely because of a retransmission: 3 s until there is one (RFC 6298 5.7, as
 * Linux). `RTTVAR` holds that timeout before the first sample.
 */
export function noHandshakeSample(stack: TcpStack, conn: number): void {
  const at = (conn * WARM_STRIDE) & WARM_MASK;
  if (stack.warm[at + SRTT] === 0) stack.warm[at + RTTVAR] = FALLBACK_US;
}

/** Microseconds (0 to 2^30) as whole milliseconds, rounded up, in integers alone. */
export function wholeMs(us: number): number {
  return ((us + 999) / 1000) | 0;
}

/** The retransmission timeout now in force, ms, backed off (RFC 6298 2, 5.5). */
export function rtoMs(stack: TcpStack, conn: number): number {
  const warm = stack.warm;
  const at = (conn * WARM_STRIDE) & WARM_MASK;
  const p = stack.profileAt(conn);
  const profile = stack.profiles.words;
  const srtt = warm[at + SRTT];
  // RFC 6298 2.1: the initial value until a round trip was measured; RTTVAR holds another one, after some handshakes.
  const base = srtt === 0 && warm[at + RTTVAR] === 0
    ? profile[p + RTO_INITIAL_MS]
    : wholeMs((srtt >> 3) + warm[at + RTTVAR]);
  const backoff = (warm[at + ACK_STATE_AT] >> BACKOFF_AT) & 0xf;
  return Math.min(backoff === 0 ? base : base * (1 << backoff), profile[p + RTO_MAX_MS]);
}

/**
 * Keeps the least round trip of the last minutes (`net.ipv4.tcp_min_rtt_wlen`): the best three of Kathleen Nichols'
 * windowed filter, as Linux, where there is a `RECOVERY` row, at offset `r`; the least of all time where there is none.
 */
export function noteLeastRtt(stack: TcpStack, conn: number, r: number, measuredUs: number): void {
  const at = ((conn * WARM_STRIDE) & WARM_MASK) + MIN_RTT;
  const warm = stack.warm;
  // Linux takes a jiffy where nothing can be measured.
  const rtt = measuredUs <= 0 ? 1000 : Math.min(measuredUs, LONGEST_US);
  if (r === 0) {
    if (warm[at] === 0 || rtt < warm[at]) warm[at] = rtt;
    return;
  }
  const rows = stack.recoveries.words;
  const window = stack.profiles.words[stack.profileAt(conn) + MIN_RTT_WINDOW_MS];
  // Nothing changes if it is longer than all three, of which none is old (the first is the oldest).
  const least = warm[at];
  if (
    least === 0 || rtt <= least || rtt <= rows[r + MIN_RTT_2] || rtt <= rows[r + MIN_RTT_3] ||
    ((stack.nowMs - rows[r + MIN_RTT_STAMP]) | 0) > window >> 2
  ) noteWindowedRtt(stack, r, at, rtt, window);
}

/** `at`: where `MIN_RTT` is. `window`: how long the least counts, ms. */
function noteWindowedRtt(stack: TcpStack, r: number, at: number, rtt: number, window: number): void {
  const rows = stack.recoveries.words;
  const warm = stack.warm;
  const now = stack.nowMs;
  if (warm[at] === 0 || rtt <= warm[at] || ((now - rows[r + MIN_RTT_3_STAMP]) | 0) > window) {
    warm[at] = rows[r + MIN_RTT_2] = rows[r + MIN_RTT_3] = rtt;
    rows[r + MIN_RTT_STAMP] = rows[r + MIN_RTT_2_STAMP] = rows[r + MIN_RTT_3_STAMP] = now;
    return;
  }
  if (rtt <= rows[r + MIN_RTT_2]) setSecond(rows, r, rtt, now);
  else if (rtt <= rows[r + MIN_RTT_3]) setThird(rows, r, rtt, now);
  const age = (now - rows[r + MIN_RTT_STAMP]) | 0;
  if (age > window) {
    // The best is too old: the second takes its place, and once more if that is too old as well.
    for (let i = 0; i < 2 && ((now - rows[r + MIN_RTT_STAMP]) | 0) > window; i++) {
      warm[at] = rows[r + MIN_RTT_2];
      rows[r + MIN_RTT_STAMP] = rows[r + MIN_RTT_2_STAMP];
      rows[r + MIN_RTT_2] = rows[r + MIN_RTT_3];
      rows[r + MIN_RTT_2_STAMP] = rows[r + MIN_RTT_3_STAMP];
      setThird(rows, r, rtt, now);
    }
  } else if (rows[r + MIN_RTT_2_STAMP] === rows[r + MIN_RTT_STAMP] && age > window / 4) setSecond(rows, r, rtt, now);
  else if (rows[r + MIN_RTT_3_STAMP] === rows[r + MIN_RTT_2_STAMP] && age > window / 2) setThird(rows, r, rtt, now);
}

function setSecond(rows: Int32Array, r: number, rtt: number, now: number): void {
  rows[r + MIN_RTT_2] = rtt;
  rows[r + MIN_RTT_2_STAMP] = now;
  setThird(rows, r, rtt, now);
}

function setThird(rows: Int32Array, r: number, rtt: number, now: number): void {
  rows[r + MIN_RTT_3] = rtt;
  rows[r + MIN_RTT_3_STAMP] = now;
}
