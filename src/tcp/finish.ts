/**
 * The end of a connection: what is freed when the protocol is done, the last event, and TIME_WAIT's small row.
 *
 * @module
 */
import { disarmDelay } from "./delayed_ack.ts";
import type { TcpStack } from "./stack.ts";
import { abandonFastOpen, concludeFastOpen } from "./fast_open_end.ts";
import { fastOpenAt } from "./fast_open_queue.ts";
import { trafficClassOf, ttlOf } from "./ip_fields.ts";
import { dropHead } from "./retransmit.ts";
import { dropRanges } from "./reassembly.ts";
import { SENDER } from "./state/sender_row.ts";
import { ROW_KIND, STATE, TCP_EVENT } from "./state/states.ts";
import { tcpInfo } from "./tcp_info.ts";
import { dropMarks } from "./write_queue.ts";
import { CA, COLD, FLAG, SSTHRESH_INFINITE, TCB, TIME_WAIT_FLAG, TIME_WAIT_ROW, TIMER, WARM } from "./state/tcb.ts";
import { releaseCongestion } from "./congestion/types.ts";

const { LOCAL, REMOTE, PORTS, HOST, STATE: STATE_AT, SND_NXT, SND_UNA, RCV_NXT, RCV_ADV, TS_RECENT, STRIDE } = TCB;
const { COLD: COLD_AT, SRTT, SERIAL, TS_OFFSET, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, DONE, FAILED, UNACCEPTED, ORPHAN, DRAINED, TIMESTAMPS, RCV_SHIFT_AT } = FLAG;
const { STRIDE: COLD_STRIDE } = COLD;
const TW = TIME_WAIT_ROW;

/** Sets the state of a connection. */
export function setState(stack: TcpStack, conn: number, state: number): void {
  const at = conn * STRIDE + STATE_AT;
  const words = stack.tcbs.words;
  words[at] = (words[at] & ~STATE_MASK) | state;
}

/**
 * The protocol is done with the connection: it leaves the tuple table, timers and queues are let go, and its last
 * event is written: FAILED with `errno`, or CLOSED if that is 0. What was received and not read stays readable.
 */
export function finish(stack: TcpStack, conn: number, errno: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  stack.demux.remove(
    words[c + HOST],
    words[c + LOCAL],
    words[c + REMOTE],
    words[c + PORTS],
    (conn << 2) | ROW_KIND.CONNECTION,
  );
  stack.addresses.release(words[c + REMOTE]);
  settle(stack, conn, errno);
}

function settle(stack: TcpStack, conn: number, errno: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  stack.disarmTimer(conn, TIMER.REXMIT);
  disarmDelay(stack, conn);
  disarmKeepAlive(stack, conn);
  const accounted = words[c + STATE_AT];
  if (accounted < 0 && (accounted & ORPHAN) === 0) stack.lastInfos.set(conn, tcpInfo(stack, conn));
  const f = fastOpenAt(stack, conn);
  if (f !== 0) {
    abandonFastOpen(stack, conn, f, errno);
    concludeFastOpen(stack, conn, f);
  }
  freeCold(stack, conn);
  const old = words[c + STATE_AT];
  words[c + STATE_AT] = (old & ~STATE_MASK) | STATE.CLOSED | DONE | (errno !== 0 ? FAILED : 0);
  if (errno !== 0) {
    stack.warm[conn * WARM_STRIDE + SRTT] = errno;
    if ((old & STATE_MASK) === STATE.SYN_SENT || (old & STATE_MASK) === STATE.SYN_RECEIVED) {
      stack.counters.attemptFails++;
    } else stack.counters.connectionErrors++;
  }
  if ((old & UNACCEPTED) === 0) stack.pushEvent(conn, errno !== 0 ? TCP_EVENT.FAILED : TCP_EVENT.CLOSED, errno);
}

/** Turns the keep-alive timer off, which counts as live only for an orphan in FIN_WAIT_2. */
export function disarmKeepAlive(stack: TcpStack, conn: number): void {
  const at = conn * TIMER.STRIDE + TIMER.KEEPALIVE;
  if (stack.timers[at] === 0) return;
  const state = stack.tcbs.words[conn * STRIDE + STATE_AT];
  if (countsAsLive(state)) stack.disarmTimer(conn, TIMER.KEEPALIVE);
  else stack.timers[at] = 0;
}

/** Does the KEEPALIVE slot, in this state, hold a timer that keeps the run alive? */
export function countsAsLive(state: number): boolean {
  return (state & ORPHAN) !== 0 && (state & STATE_MASK) === STATE.FIN_WAIT_2;
}

function freeCold(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return;
  const k = row * COLD_STRIDE;
  while (stack.cold.words[k + COLD.RTX_HEAD] !== 0) dropHead(stack, k);
  dropRanges(stack, conn);
  releaseCongestion(stack, conn);
  const cold = stack.cold.words;
  if (cold[k + COLD.SETTINGS] !== 0) stack.settings.release(cold[k + COLD.SETTINGS]);
  if (cold[k + COLD.RECOVERY] !== 0) stack.recoveries.release(cold[k + COLD.RECOVERY]);
  if (cold[k + COLD.RECEIVER] !== 0) stack.receivers.release(cold[k + COLD.RECEIVER]);
  if (cold[k + COLD.SENDER] !== 0) {
    dropMarks(stack, cold[k + COLD.SENDER] * SENDER.STRIDE);
    stack.senders.release(cold[k + COLD.SENDER]);
  }
  if (cold[k + COLD.ACCOUNT] !== 0) stack.accounts.release(cold[k + COLD.ACCOUNT]);
  if (cold[k + COLD.FAST_OPEN] !== 0) stack.fastOpens.release(cold[k + COLD.FAST_OPEN]);
  stack.cold.words[k + COLD.SSTHRESH] = SSTHRESH_INFINITE;
  stack.cold.words[k + COLD.CA_STATE] = CA.OPEN;
  stack.warm[conn * WARM_STRIDE + COLD_AT] = 0;
  stack.cold.release(row);
}

/** Enters TIME_WAIT: a 64-byte row takes the tuple over, the connection is done (RFC 9293 3.6.1 MUST-13: 2 MSL). */
export function enterTimeWait(stack: TcpStack, conn: number): void {
  const lastsMs = timeWaitMs(stack, stack.tcbs.words[conn * STRIDE + HOST]);
  if (lastsMs === 0) return finish(stack, conn, 0);
  stack.counters.timeWaits++;
  shrink(stack, conn, lastsMs, 0);
}

/**
 * An orphan in FIN_WAIT_2 has nothing left to do but to wait for the peer's FIN, `lastsMs` at most: a TIME_WAIT row is
 * enough for that (Linux `tcp_time_wait`).
 */
export function shrinkFinWait2(stack: TcpStack, conn: number, lastsMs: number): void {
  shrink(stack, conn, lastsMs, TIME_WAIT_FLAG.FIN_WAIT_2);
}

/** How long TIME_WAIT lasts at a host, ms. */
export function timeWaitMs(stack: TcpStack, host: number): number {
  return Math.ceil(stack.profileOf(host).timeWaitNs / 1e6);
}

/** Puts a small row in the connection's place, for `lastsMs`; the connection is done. */
function shrink(stack: TcpStack, conn: number, lastsMs: number, flags: number): void {
  const host = stack.tcbs.words[conn * STRIDE + HOST];
  const row = stack.timeWaits.allocate();
  const rows = stack.timeWaits.words;
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const w = conn * WARM_STRIDE;
  const t = row * TW.STRIDE;
  const state = words[c + STATE_AT];
  rows[t + TW.LOCAL] = words[c + LOCAL];
  rows[t + TW.REMOTE] = words[c + REMOTE];
  rows[t + TW.PORTS] = words[c + PORTS];
  rows[t + TW.HOST] = host;
  rows[t + TW.SND_NXT] = words[c + SND_NXT];
  rows[t + TW.RCV_NXT] = words[c + RCV_NXT];
  rows[t + TW.RCV_ADV] = words[c + RCV_ADV];
  rows[t + TW.TS_RECENT] = words[c + TS_RECENT];
  rows[t + TW.TS_OFFSET] = stack.warm[w + TS_OFFSET];
  rows[t + TW.TS_STAMP] = stack.nowMs;
  rows[t + TW.SINCE_MS] = stack.nowMs;
  rows[t + TW.FLAGS] = flags | ((state & TIMESTAMPS) !== 0 ? TIME_WAIT_FLAG.TIMESTAMPS : 0) |
    (((state >> RCV_SHIFT_AT) & 0xf) << 8) |
    (trafficClassOf(stack, conn) << 16) | (ttlOf(stack, conn) << 24);
  rows[t + TW.SERIAL] = stack.warm[w + SERIAL];
  stack.demux.replace(
    host,
    words[c + LOCAL],
    words[c + REMOTE],
    words[c + PORTS],
    (conn << 2) | ROW_KIND.CONNECTION,
    (row << 2) | ROW_KIND.TIME_WAIT,
  );
  armTimeWait(stack, row, lastsMs);
  words[c + SND_UNA] = words[c + SND_NXT];
  settle(stack, conn, 0);
}

/** (Re)starts a TIME_WAIT row's clock. */
export function armTimeWait(stack: TcpStack, row: number, delayMs: number): void {
  const rows = stack.timeWaits.words;
  const t = row * TW.STRIDE;
  const deadline = ((stack.nowTick + delayMs) | 0) || 1;
  if (rows[t + TW.DEADLINE] === 0) stack.liveTimers++;
  rows[t + TW.DEADLINE] = deadline;
  const queued = rows[t + TW.QUEUED_AT];
  if (queued === 0 || ((deadline - queued) | 0) < 0) {
    rows[t + TW.QUEUED_AT] = deadline;
    stack.requestTimer((row << 2) | ROW_KIND.TIME_WAIT, deadline);
  }
}

/** Ends TIME_WAIT: the tuple is free. */
export function releaseTimeWait(stack: TcpStack, row: number): void {
  const rows = stack.timeWaits.words;
  const t = row * TW.STRIDE;
  stack.demux.remove(
    rows[t + TW.HOST],
    rows[t + TW.LOCAL],
    rows[t + TW.REMOTE],
    rows[t + TW.PORTS],
    (row << 2) | ROW_KIND.TIME_WAIT,
  );
  stack.addresses.release(rows[t + TW.REMOTE]);
  if (rows[t + TW.DEADLINE] !== 0) stack.liveTimers--;
  stack.timeWaits.release(row);
}

/**
 * The driver has taken a connection's last event: its row goes back if the application has let go too. Call it for
 * every CLOSED and FAILED event after the application has seen it.
 */
export function releaseAfterEvent(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE + STATE_AT;
  const state = stack.tcbs.words[at];
  if ((state & DONE) === 0) return;
  if ((state & ORPHAN) !== 0) stack.releaseConnection(conn);
  else stack.tcbs.words[at] = state | DRAINED;
}
