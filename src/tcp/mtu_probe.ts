/**
 * Packetization-layer path MTU discovery (RFC 4821), as Linux does it: a data segment larger than the MSS is sent as a
 * probe, halfway between what is known to pass and what may; and after a black hole the MSS falls. The range searched is
 * in the `SENDER` row.
 *
 * @module
 */
import { currentSsthresh } from "./prr.ts";
import {
  mssToMtu,
  mtuToMss,
  pathMtuOf,
  pathRow,
  plainHeaderBytes,
  syncMss,
  TIMESTAMP_BYTES,
  timestampBytes,
} from "./path_mtu.ts";
import { recoveryState, reorderingOf } from "./scoreboard.ts";
import { currentMss } from "./segmentation.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, RECEIVER_FLAG } from "./state/receiver_row.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { CA, COLD, FLAG, TCB } from "./state/tcb.ts";
import { recordLength, senderAt } from "./write_queue.ts";

const { STATE, SND_UNA, SND_WND, CWND, MSS, MASK, STRIDE } = TCB;
const {
  CA_STATE,
  SSTHRESH,
  CWND_COUNT,
  CWND_STAMP_MS,
  RECOVERY: RECOVERY_AT,
  RECEIVER: RECEIVER_AT,
  SENDER: SENDER_AT,
} = COLD;
const {
  FLAGS,
  SEARCH_LOW,
  SEARCH_HIGH,
  PROBE_SIZE,
  PROBE_SEQ,
  PROBE_END,
  PROBED_MS,
  MSS_CLAMP,
  MASK: SENDER_MASK,
  STRIDE: SENDER_STRIDE,
} = SENDER;
const { MTU_SEARCH } = SENDER_FLAG;
/** Least window to probe with, segments: losing the probe must show by duplicates, and cost little (RFC 4821 7.4). */
const LEAST_WINDOW = 11;
/** A narrower range is not worth another probe, bytes (`net.ipv4.tcp_probe_threshold`; RFC 4821 7.6.2). */
const NARROW = 8;

/** What {@linkcode probeSize} answers beside a size. */
export const PROBE = { NONE: 0, WAIT: -1 } as const;

/**
 * Prepares a new connection for the search, if its host always searches: it starts low and works up (RFC 4821 7.2).
 * `lowers`: the MSS follows at once, as Linux's of an active open (that of a passive one does with the first probe).
 */
export function beginMtuSearch(stack: TcpStack, conn: number, lowers: boolean): void {
  const s = pathRow(stack, conn);
  startSearch(stack, conn, s);
  if (!lowers) return;
  // As Linux: the first MSS is that of a header like the SYN's, which may have had timestamps that were not agreed on.
  const rows = stack.senders.words;
  const low = rows[s + SEARCH_LOW];
  const missing = stack.profileOfConnection(conn).timestamps ? TIMESTAMP_BYTES - timestampBytes(stack, conn) : 0;
  rows[s + SEARCH_LOW] = low + missing;
  syncMss(stack, conn, s);
  rows[s + SEARCH_LOW] = low;
}

function startSearch(stack: TcpStack, conn: number, s: number): void {
  const rows = stack.senders.words;
  rows[s + FLAGS] |= MTU_SEARCH;
  rows[s + PROBED_MS] = stack.nowMs;
  rows[s + PROBE_SIZE] = 0;
  rows[s + SEARCH_LOW] = mssToMtu(stack, conn, stack.profileOfConnection(conn).baseMssBytes);
  rows[s + SEARCH_HIGH] = Math.min(highest(stack, conn, s), pathMtuOf(stack, conn, s));
}

/** The packet with the largest segment that the peer takes: options are part of what `MSS_CLAMP` counts. */
function highest(stack: TcpStack, conn: number, s: number): number {
  return stack.senders.words[s + MSS_CLAMP] + plainHeaderBytes(stack, conn);
}

/** Does the connection search for the path's MTU? `s`: its `SENDER` row. */
export function searchesMtu(stack: TcpStack, s: number): boolean {
  return (stack.senders.words[s + FLAGS] & MTU_SEARCH) !== 0;
}

/**
 * Should the next segment be a probe, and of how many bytes (Linux `tcp_mtu_probe`)? Or one of `PROBE`: none now, or
 * nothing at all until there is room for one. `next` is SND.NXT, `flight` segments are in flight.
 */
export function probeSize(
  stack: TcpStack,
  conn: number,
  k: number,
  s: number,
  next: number,
  unsent: number,
  flight: number,
): number {
  const rows = stack.senders.words;
  const cold = stack.cold.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const cwnd = words[c + CWND];
  if (rows[s + PROBE_SIZE] !== 0 || (cold[k + CA_STATE] & 0xff) !== CA.OPEN || cwnd < LEAST_WINDOW) return PROBE.NONE;
  if (hasBlocks(stack, k)) return PROBE.NONE;
  const low = rows[s + SEARCH_LOW];
  const high = rows[s + SEARCH_HIGH];
  const size = mtuToMss(stack, conn, s, (low + high) >> 1);
  if (size > mtuToMss(stack, conn, s, high) || high - low < NARROW) {
    searchAgain(stack, conn, s);
    return PROBE.NONE;
  }
  const row = cold[k + RECOVERY_AT];
  const reordering = row === 0
    ? stack.profileOfConnection(conn).reordering
    : reorderingOf(stack, conn, row * RECOVERY.STRIDE);
  // RFC 4821 7.4: enough behind it for its loss to show without a timeout.
  const needed = size + (reordering + 1) * currentMss(stack, conn);
  if (unsent < needed || words[c + SND_WND] < needed) return PROBE.NONE;
  if (((words[c + SND_UNA] + words[c + SND_WND] - next - needed) | 0) < 0) return PROBE.WAIT;
  if (flight + 2 > cwnd) return flight === 0 ? PROBE.NONE : PROBE.WAIT;
  return recordLength(stack, s, next, unsent) < size ? PROBE.NONE : size;
}

/** Are there SACK blocks to send? They make segments of different sizes. */
function hasBlocks(stack: TcpStack, k: number): boolean {
  const row = stack.cold.words[k + RECEIVER_AT];
  if (row === 0) return false;
  const rows = stack.receivers.words;
  const r = row * RECEIVER.STRIDE;
  return rows[r + RECEIVER.SACK_COUNT] !== 0 || (rows[r + RECEIVER.FLAGS] & RECEIVER_FLAG.DSACK) !== 0;
}

/** The search has ended some time ago: the path may have changed since (RFC 4821 7.6.3, `tcp_mtu_check_reprobe`). */
function searchAgain(stack: TcpStack, conn: number, s: number): void {
  const rows = stack.senders.words;
  const interval = stack.profileOfConnection(conn).mtuProbeIntervalSeconds * 1000;
  if (((stack.nowMs - rows[s + PROBED_MS]) | 0) < interval) return;
  const mss = currentMss(stack, conn);
  startSearch(stack, conn, s);
  rows[s + SEARCH_HIGH] = highest(stack, conn, s);
  rows[s + SEARCH_LOW] = mssToMtu(stack, conn, mss);
}

/** A probe of `size` bytes has gone out from `seq`. The window is one less: it is as good as two segments. */
export function noteProbe(stack: TcpStack, conn: number, s: number, seq: number, size: number): void {
  const rows = stack.senders.words;
  stack.tcbs.words[conn * STRIDE + CWND]--;
  rows[s + PROBE_SIZE] = mssToMtu(stack, conn, size);
  rows[s + PROBE_SEQ] = seq;
  rows[s + PROBE_END] = (seq + size) | 0;
  stack.counters.mtuProbes++;
}

/** Data was acknowledged: the probe, too? Then segments are so large from now on (`tcp_mtup_probe_success`). */
export function probeAcked(stack: TcpStack, conn: number, k: number): void {
  const row = stack.cold.words[k + SENDER_AT];
  if (row === 0) return;
  const s = (row * SENDER_STRIDE) & SENDER_MASK;
  const rows = stack.senders.words;
  const size = rows[s + PROBE_SIZE];
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (size === 0 && (words[c + STATE] & FLAG.ACTIVE) !== 0 && searchesMtu(stack, s)) {
    // As Linux: from the first ACK on, a client's MSS is what is known to pass (see `beginMtuSearch`).
    if ((words[c + MSS] & 0xffff) > mtuToMss(stack, conn, s, rows[s + SEARCH_LOW])) syncMss(stack, conn, s);
    return;
  }
  if (size === 0 || ((rows[s + PROBE_END] - words[c + SND_UNA]) | 0) > 0) return;
  stack.counters.mtuProbesPassed++;
  // As many bytes as before, in fewer segments.
  const before = mssToMtu(stack, conn, words[c + MSS] & 0xffff);
  words[c + CWND] = Math.max(1, Math.floor(words[c + CWND] * before / size));
  const cold = stack.cold.words;
  cold[k + CWND_COUNT] = 0;
  cold[k + CWND_STAMP_MS] = stack.nowMs;
  cold[k + SSTHRESH] = currentSsthresh(stack, conn);
  rows[s + SEARCH_LOW] = size;
  rows[s + PROBE_SIZE] = 0;
  syncMss(stack, conn, s);
}

/**
 * Recovery is about to begin. Was it the probe that was lost? Then the path takes no such packets, and congestion was not
 * the cause (RFC 4821 7.6.2): the caller sends it again in smaller segments.
 */
export function probeLost(stack: TcpStack, conn: number, k: number): boolean {
  const row = stack.cold.words[k + SENDER_AT];
  if (row === 0 || recoveryState(stack, k) >= CA.CWR) return false;
  const s = (row * SENDER_STRIDE) & SENDER_MASK;
  const rows = stack.senders.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (rows[s + PROBE_SIZE] === 0 || rows[s + PROBE_SEQ] !== words[c + SND_UNA]) return false;
  stack.counters.mtuProbesLost++;
  rows[s + SEARCH_HIGH] = rows[s + PROBE_SIZE] - 1;
  rows[s + PROBE_SIZE] = 0;
  words[c + CWND]++;
  return true;
}

/** Something is sent again: a probe that is out tells nothing any more (RFC 4821 7.6.4). `s`: the `SENDER` row. */
export function abandonProbe(stack: TcpStack, s: number): void {
  if (s !== 0) stack.senders.words[s + PROBE_SIZE] = 0;
}

/**
 * So many timeouts that large packets may be what vanishes (RFC 4821 7.7): the search begins, at a small size; if it has
 * begun, the size is halved (Linux `tcp_mtu_probing`).
 */
export function suspectBlackHole(stack: TcpStack, conn: number): void {
  const profile = stack.profileOfConnection(conn);
  if (profile.mtuProbing === 0) return;
  const s = pathRow(stack, conn);
  if (!searchesMtu(stack, s)) startSearch(stack, conn, s);
  else {
    const half = mtuToMss(stack, conn, s, stack.senders.words[s + SEARCH_LOW]) >> 1;
    const mss = Math.max(Math.min(profile.baseMssBytes, half), profile.mtuProbeFloorBytes, profile.leastMssBytes);
    stack.senders.words[s + SEARCH_LOW] = mssToMtu(stack, conn, mss);
  }
  syncMss(stack, conn, s);
}

/** TCP_INFO and tests: the range searched and the probe that is out, bytes of IP packets; null if there is no search. */
export function mtuSearch(stack: TcpStack, conn: number): { low: number; high: number; probe: number } | null {
  const s = senderAt(stack, conn);
  if (s === 0 || !searchesMtu(stack, s)) return null;
  const rows = stack.senders.words;
  return { low: rows[s + SEARCH_LOW], high: rows[s + SEARCH_HIGH], probe: rows[s + PROBE_SIZE] };
}
