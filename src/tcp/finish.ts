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
import { settleMemory } from "./memory.ts";
import { dropHead } from "./retransmit.ts";
import { dropRanges } from "./reassembly.ts";
import { SENDER } from "./state/sender_row.ts";
import { ROW_KIND, STATE, TCP_EVENT } from "./state/states.ts";
import { tcpInfo } from "./tcp_info.ts";
import { dropMarks } from "./write_queue.ts";
import { CA, COLD, FLAG, SSTHRESH_INFINITE, TCB, TIME_WAIT_FLAG, TIME_WAIT_ROW, TIMER, WARM } from "./state/tcb.ts";
import { releaseCongestion } from "./congestion/types.ts";

const { LOCAL, REMOTE, PORTS, HOST, STATE: STATE_AT, SND_NXT, SND_UNA, RCV_NXT, RCV_ADV, TS_RECENT, MASK, STRIDE } =
  TCB;
const { COLD: COLD_AT, SRTT, SERIAL, TS_OFFSET, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, DONE, FAILED, UNACCEPTED, ORPHAN, DRAINED, TIMESTAMPS, RCV_SHIFT_AT } = FLAG;
const { MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;

const { CONNECTION: ROW_KIND_CONNECTION, TIME_WAIT: ROW_KIND_TIME_WAIT } = ROW_KIND;
const { KEEPALIVE: TIMER_KEEPALIVE, REXMIT: TIMER_REXMIT, STRIDE: TIMER_STRIDE } = TIMER;
const {
  CLOSED: STATE_CLOSED,
  FIN_WAIT_2: STATE_FIN_WAIT_2,
  SYN_RECEIVED: STATE_SYN_RECEIVED,
  SYN_SENT: STATE_SYN_SENT,
} = STATE;
const { CLOSED: TCP_EVENT_CLOSED, FAILED: TCP_EVENT_FAILED } = TCP_EVENT;
const {
  ACCOUNT: COLD_ACCOUNT,
  CA_STATE: COLD_CA_STATE,
  FAST_OPEN: COLD_FAST_OPEN,
  RECEIVER: COLD_RECEIVER,
  RECOVERY: COLD_RECOVERY,
  RTX_HEAD: COLD_RTX_HEAD,
  SENDER: COLD_SENDER,
  SETTINGS: COLD_SETTINGS,
  SSTHRESH: COLD_SSTHRESH,
} = COLD;
const { STRIDE: SENDER_STRIDE } = SENDER;
const { OPEN: CA_OPEN } = CA;
const {
  DEADLINE: TW_DEADLINE,
  FLAGS: TW_FLAGS,
  HOST: TW_HOST,
  LOCAL: TW_LOCAL,
  PORTS: TW_PORTS,
  QUEUED_AT: TW_QUEUED_AT,
  RCV_ADV: TW_RCV_ADV,
  RCV_NXT: TW_RCV_NXT,
  REMOTE: TW_REMOTE,
  SERIAL: TW_SERIAL,
  SINCE_MS: TW_SINCE_MS,
  SND_NXT: TW_SND_NXT,
  MASK: TW_MASK,
  STRIDE: TW_STRIDE,
  TS_OFFSET: TW_TS_OFFSET,
  TS_RECENT: TW_TS_RECENT,
  TS_STAMP: TW_TS_STAMP,
} = TIME_WAIT_ROW;

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
  const c = (conn * STRIDE) & MASK;
  stack.demux.remove(
    words[c + HOST],
    words[c + LOCAL],
    words[c + REMOTE],
    words[c + PORTS],
    (conn << 2) | ROW_KIND_CONNECTION,
  );
  stack.addresses.release(words[c + REMOTE]);
  settle(stack, conn, errno);
}

function settle(stack: TcpStack, conn: number, errno: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  stack.disarmTimer(conn, TIMER_REXMIT);
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
  words[c + STATE_AT] = (old & ~STATE_MASK) | STATE_CLOSED | DONE | (errno !== 0 ? FAILED : 0);
  if (errno !== 0) {
    stack.warm[conn * WARM_STRIDE + SRTT] = errno;
    if ((old & STATE_MASK) === STATE_SYN_SENT || (old & STATE_MASK) === STATE_SYN_RECEIVED) {
      stack.counters.attemptFails++;
    } else stack.counters.connectionErrors++;
  }
  if (stack.hosts.budgets !== undefined) settleMemory(stack, stack.hosts.budgets, conn);
  if ((old & UNACCEPTED) === 0) stack.pushEvent(conn, errno !== 0 ? TCP_EVENT_FAILED : TCP_EVENT_CLOSED, errno);
}

/** Turns the keep-alive timer off, which counts as live only for an orphan in FIN_WAIT_2. */
export function disarmKeepAlive(stack: TcpStack, conn: number): void {
  const at = conn * TIMER_STRIDE + TIMER_KEEPALIVE;
  if (stack.timers[at] === 0) return;
  const state = stack.tcbs.words[conn * STRIDE + STATE_AT];
  if (countsAsLive(state)) stack.disarmTimer(conn, TIMER_KEEPALIVE);
  else stack.timers[at] = 0;
}

/** Does the KEEPALIVE slot, in this state, hold a timer that keeps the run alive? */
export function countsAsLive(state: number): boolean {
  return (state & ORPHAN) !== 0 && (state & STATE_MASK) === STATE_FIN_WAIT_2;
}

function freeCold(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  while (stack.cold.words[k + COLD_RTX_HEAD] !== 0) dropHead(stack, k);
  dropRanges(stack, conn);
  releaseCongestion(stack, conn);
  const cold = stack.cold.words;
  if (cold[k + COLD_SETTINGS] !== 0) stack.settings.release(cold[k + COLD_SETTINGS]);
  if (cold[k + COLD_RECOVERY] !== 0) stack.recoveries.release(cold[k + COLD_RECOVERY]);
  if (cold[k + COLD_RECEIVER] !== 0) stack.receivers.release(cold[k + COLD_RECEIVER]);
  if (cold[k + COLD_SENDER] !== 0) {
    dropMarks(stack, cold[k + COLD_SENDER] * SENDER_STRIDE);
    stack.senders.release(cold[k + COLD_SENDER]);
  }
  if (cold[k + COLD_ACCOUNT] !== 0) stack.accounts.release(cold[k + COLD_ACCOUNT]);
  if (cold[k + COLD_FAST_OPEN] !== 0) stack.fastOpens.release(cold[k + COLD_FAST_OPEN]);
  stack.cold.words[k + COLD_SSTHRESH] = SSTHRESH_INFINITE;
  stack.cold.words[k + COLD_CA_STATE] = CA_OPEN;
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
  const { budgets } = stack.hosts;
  const budget = budgets === undefined ? 0 : stack.hosts.budgetOf(host);
  if (budget !== 0) {
    if (!budgets!.takesTimeWait(budget)) {
      // As Linux (`tcp_max_tw_buckets`): closed at once, though old segments may still be about.
      stack.counters.timeWaitOverflows++;
      return finish(stack, conn, 0);
    }
    budgets!.changeTimeWaits(budget, 1);
  }
  const row = stack.timeWaits.allocate();
  const rows = stack.timeWaits.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const t = (row * TW_STRIDE) & TW_MASK;
  const state = words[c + STATE_AT];
  rows[t + TW_LOCAL] = words[c + LOCAL];
  rows[t + TW_REMOTE] = words[c + REMOTE];
  rows[t + TW_PORTS] = words[c + PORTS];
  rows[t + TW_HOST] = host;
  rows[t + TW_SND_NXT] = words[c + SND_NXT];
  rows[t + TW_RCV_NXT] = words[c + RCV_NXT];
  rows[t + TW_RCV_ADV] = words[c + RCV_ADV];
  rows[t + TW_TS_RECENT] = words[c + TS_RECENT];
  rows[t + TW_TS_OFFSET] = stack.warm[w + TS_OFFSET];
  rows[t + TW_TS_STAMP] = stack.nowMs;
  rows[t + TW_SINCE_MS] = stack.nowMs;
  rows[t + TW_FLAGS] = flags | ((state & TIMESTAMPS) !== 0 ? TIME_WAIT_FLAG.TIMESTAMPS : 0) |
    (((state >> RCV_SHIFT_AT) & 0xf) << 8) |
    (trafficClassOf(stack, conn) << 16) | (ttlOf(stack, conn) << 24);
  rows[t + TW_SERIAL] = stack.warm[w + SERIAL];
  stack.demux.replace(
    host,
    words[c + LOCAL],
    words[c + REMOTE],
    words[c + PORTS],
    (conn << 2) | ROW_KIND_CONNECTION,
    (row << 2) | ROW_KIND_TIME_WAIT,
  );
  armTimeWait(stack, row, lastsMs);
  words[c + SND_UNA] = words[c + SND_NXT];
  settle(stack, conn, 0);
}

/** (Re)starts a TIME_WAIT row's clock. */
export function armTimeWait(stack: TcpStack, row: number, delayMs: number): void {
  const rows = stack.timeWaits.words;
  const t = (row * TW_STRIDE) & TW_MASK;
  const deadline = ((stack.nowTick + delayMs) | 0) || 1;
  if (rows[t + TW_DEADLINE] === 0) stack.liveTimers++;
  rows[t + TW_DEADLINE] = deadline;
  const queued = rows[t + TW_QUEUED_AT];
  if (queued === 0 || ((deadline - queued) | 0) < 0) {
    rows[t + TW_QUEUED_AT] = deadline;
    stack.requestTimer((row << 2) | ROW_KIND_TIME_WAIT, deadline);
  }
}

/** Ends TIME_WAIT: the tuple is free. */
export function releaseTimeWait(stack: TcpStack, row: number): void {
  const rows = stack.timeWaits.words;
  const t = (row * TW_STRIDE) & TW_MASK;
  stack.demux.remove(
    rows[t + TW_HOST],
    rows[t + TW_LOCAL],
    rows[t + TW_REMOTE],
    rows[t + TW_PORTS],
    (row << 2) | ROW_KIND_TIME_WAIT,
  );
  stack.addresses.release(rows[t + TW_REMOTE]);
  if (rows[t + TW_DEADLINE] !== 0) stack.liveTimers--;
  const { budgets } = stack.hosts;
  const budget = budgets === undefined ? 0 : stack.hosts.budgetOf(rows[t + TW_HOST]);
  if (budget !== 0) budgets!.changeTimeWaits(budget, -1);
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
