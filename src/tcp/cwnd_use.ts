/**
 * How much of the congestion window is used: it does not grow while the application or the peer's window is the limit,
 * and decays when it is not used (RFC 7661's concern, RFC 5681 4.1, as Linux's `tcp_cwnd_validate`).
 *
 * @module
 */
import { CONGESTION_EVENT, congestionOf } from "./congestion/types.ts";
import { currentSsthresh } from "./prr.ts";
import { rtoMs } from "./rtt.ts";
import { recoveryState } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { CA, COLD, FLAG, TCB, WARM } from "./state/tcb.ts";

const { CWND_RESTART: CONGESTION_EVENT_CWND_RESTART } = CONGESTION_EVENT;
const { OPEN: CA_OPEN } = CA;
const { ORPHAN: FLAG_ORPHAN, WANTS_ROOM: FLAG_WANTS_ROOM } = FLAG;

const { STATE, SND_UNA, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const {
  MAX_PACKETS_OUT,
  CWND_USAGE_SEQ,
  CWND_USED,
  CWND_STAMP_MS,
  PACKETS_OUT,
  SSTHRESH,
  LAST_SENT_MS,
  STRIDE: COLD_STRIDE,
} = COLD;
/** Bit of `MAX_PACKETS_OUT`: the window was the limit. */
const CWND_LIMITED = 1 << 31;

/** RFC 5681 4.1, as Linux: halve the window for each RTO of silence, not below the initial window. */
export function restartAfterIdle(stack: TcpStack, conn: number, k: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const cold = stack.cold.words;
  let idle = (stack.nowMs - cold[k + LAST_SENT_MS]) | 0;
  if (idle <= 0) return;
  const rto = rtoMs(stack, conn);
  if (idle <= rto) return;
  const profile = stack.profileOfConnection(conn);
  const algorithm = congestionOf(stack, conn);
  if (!profile.slowStartAfterIdle || algorithm.onControl !== undefined) return;
  let cwnd = words[c + CWND];
  const restart = Math.min(profile.initialWindowSegments, cwnd);
  algorithm.onEvent?.(stack, conn, CONGESTION_EVENT_CWND_RESTART);
  cold[k + SSTHRESH] = currentSsthresh(stack, conn);
  while ((idle -= rto) > 0 && cwnd > restart) cwnd >>= 1;
  words[c + CWND] = Math.max(cwnd, restart);
  cold[k + CWND_STAMP_MS] = stack.nowMs;
  cold[k + CWND_USED] = 0;
}

/** Takes note of how much of the window is used after something was sent up to `next`; `limited`: all of it. */
export function noteUse(stack: TcpStack, conn: number, k: number, next: number, limited: boolean): void {
  const cold = stack.cold.words;
  const packets = cold[k + PACKETS_OUT];
  if (limited) {
    cold[k + MAX_PACKETS_OUT] = packets | CWND_LIMITED;
    cold[k + CWND_USAGE_SEQ] = next;
    cold[k + CWND_USED] = 0;
    cold[k + CWND_STAMP_MS] = stack.nowMs;
    return;
  }
  noteSlack(stack, conn, k, next, packets);
}

/** As `noteUse`, where less than the window was used. */
function noteSlack(stack: TcpStack, conn: number, k: number, next: number, packets: number): void {
  const cold = stack.cold.words;
  const most = cold[k + MAX_PACKETS_OUT];
  const una = stack.tcbs.words[conn * STRIDE + SND_UNA];
  if (
    ((una - cold[k + CWND_USAGE_SEQ]) | 0) >= 0 ||
    ((most & CWND_LIMITED) === 0 && packets > (most & ~CWND_LIMITED))
  ) {
    cold[k + MAX_PACKETS_OUT] = packets;
    cold[k + CWND_USAGE_SEQ] = next;
  }
  if (isCwndLimited(stack, conn, k)) {
    cold[k + CWND_USED] = 0;
    cold[k + CWND_STAMP_MS] = stack.nowMs;
    return;
  }
  if (packets > cold[k + CWND_USED]) cold[k + CWND_USED] = packets;
  const since = (stack.nowMs - cold[k + CWND_STAMP_MS]) | 0;
  if (since <= 0 || since < rtoMs(stack, conn)) return;
  if (!stack.profileOfConnection(conn).slowStartAfterIdle || congestionOf(stack, conn).onControl !== undefined) return;
  shrinkUnused(stack, conn, k);
}

/** For a timeout or longer the window was not used: move it halfway to what was (RFC 2861, Linux). */
function shrinkUnused(stack: TcpStack, conn: number, k: number): void {
  const cold = stack.cold.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (recoveryState(stack, k) === CA_OPEN && (words[c + STATE] & (FLAG_WANTS_ROOM | FLAG_ORPHAN)) === 0) {
    const used = Math.max(cold[k + CWND_USED], stack.profileOfConnection(conn).initialWindowSegments);
    if (used < words[c + CWND]) {
      cold[k + SSTHRESH] = currentSsthresh(stack, conn);
      words[c + CWND] = (words[c + CWND] + used) >> 1;
    }
    cold[k + CWND_USED] = 0;
  }
  cold[k + CWND_STAMP_MS] = stack.nowMs;
}

/** Was the congestion window the limit? In slow start it may grow to twice what was used. */
export function isCwndLimited(stack: TcpStack, conn: number, k: number): boolean {
  const cold = stack.cold.words;
  const used = cold[k + MAX_PACKETS_OUT];
  if ((used & CWND_LIMITED) !== 0) return true;
  const cwnd = stack.tcbs.words[((conn * STRIDE) & MASK) + CWND];
  return cwnd < cold[k + SSTHRESH] && cwnd < 2 * used;
}

/** Lets congestion control grow the window for `acked` segments, if the window was what held data back. */
export function growWindow(stack: TcpStack, conn: number, acked: number): void {
  const k = stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD_STRIDE;
  if (isCwndLimited(stack, conn, k)) congestionOf(stack, conn).onAck(stack, conn, acked);
  stack.cold.words[k + CWND_STAMP_MS] = stack.nowMs;
}
