/**
 * What TCP_INFO counts over a connection's life, where `Profile.accounting` asks for it (`ACCOUNT`). Every function here
 * is called only for connections with `FLAG.ACCOUNTED`, the sign bit of `TCB.STATE`: others pay one test.
 *
 * @module
 */
import { PACKET, TCP_FLAG } from "../wire/packet.ts";
import type { TcpStack } from "./stack.ts";
import { ACCOUNT, ACCOUNT_FLAG, CHRONO } from "./state/account_row.ts";
import { RECOVERY } from "./state/recovery_row.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, TCB, WARM } from "./state/tcb.ts";

const { STATE: STATE_AT, SND_UNA, SND_NXT, SND_END, RCV_NXT, RCV_ADV, CWND, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { SEQ, ACK, CONTROL, LENGTH, WINDOW_TTL_TOS, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const A = ACCOUNT;
const { NONE, BUSY, WINDOW_LIMITED, BUFFER_LIMITED } = CHRONO;
const ECN_MASK = 3;

/** Where the account begins in `stack.accounts.words`; 0 once the connection is done. */
function accountAt(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  return row === 0 ? 0 : stack.cold.words[row * COLD.STRIDE + COLD.ACCOUNT] * A.STRIDE;
}

/** Opens the account of a new connection whose `TCB` is filled in, before its first segment. */
export function openAccount(stack: TcpStack, conn: number): void {
  const row = stack.accounts.allocate();
  stack.cold.words[stack.coldOf(conn) * COLD.STRIDE + COLD.ACCOUNT] = row;
  // Delivery rates are measured; that of the first flight says nothing of the path (Linux's `app_limited` at first).
  stack.recoveries.words[stack.recoveryOf(conn) * RECOVERY.STRIDE + RECOVERY.APP_LIMITED] = -1;
  const c = (conn * STRIDE) & MASK;
  stack.tcbs.words[c + STATE_AT] |= FLAG.ACCOUNTED;
  stack.accounts.words[row * A.STRIDE + A.LAST_UNA] = stack.tcbs.words[c + SND_UNA];
  if ((stack.tcbs.words[c + STATE_AT] & FLAG.STATE_MASK) === STATE.SYN_SENT) return;
  // The SYN that made it has been a segment (Linux `tcp_create_openreq_child`).
  stack.accounts.words[row * A.STRIDE + A.SEGMENTS_IN] = 1;
  accountPeer(stack, conn);
}

/** The SYN that made the connection, which is counted, had data (Fast Open). */
export function accountSynData(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  if (a !== 0) stack.accounts.words[a + A.DATA_SEGMENTS_IN]++;
}

/** The SYN-ACK of the connection was repeated so often before there was a row for it. */
export function accountRepeats(stack: TcpStack, conn: number, repeats: number): void {
  const a = accountAt(stack, conn);
  if (a !== 0) stack.accounts.words[a + A.RETRANSMISSIONS] += repeats;
}

/** The peer's first sequence number is known, and the handshake about to be done: the clocks start. */
export function accountPeer(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  const rows = stack.accounts.words;
  rows[a + A.LAST_RCV] = stack.tcbs.words[conn * STRIDE + RCV_NXT];
  rows[a + A.FLAGS] |= ACCOUNT_FLAG.PEER_KNOWN;
  rows[a + A.LAST_DATA_SENT_MS] = rows[a + A.LAST_DATA_RECEIVED_MS] = stack.nowMs;
  rows[a + A.LAST_ACK_RECEIVED_MS] = stack.nowMs;
}

function add(rows: Int32Array, at: number, bytes: number): void {
  const before = rows[at] >>> 0;
  rows[at] = (before + bytes) | 0;
  if ((rows[at] >>> 0) < before) rows[at + 1]++;
}

/** Takes over how far SND.UNA and RCV.NXT have come. */
export function accountProgress(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  const rows = stack.accounts.words;
  const c = (conn * STRIDE) & MASK;
  const words = stack.tcbs.words;
  const acked = (words[c + SND_UNA] - rows[a + A.LAST_UNA]) | 0;
  if (acked > 0) {
    add(rows, a + A.BYTES_ACKED, acked);
    rows[a + A.LAST_UNA] = words[c + SND_UNA];
    endTimeouts(stack, rows, a);
  }
  if ((rows[a + A.FLAGS] & ACCOUNT_FLAG.PEER_KNOWN) === 0) return;
  const received = (words[c + RCV_NXT] - rows[a + A.LAST_RCV]) | 0;
  if (received <= 0) return;
  add(rows, a + A.BYTES_RECEIVED, received);
  rows[a + A.LAST_RCV] = words[c + RCV_NXT];
}

/** A segment for the connection has arrived and is about to be looked at. */
export function accountSegment(stack: TcpStack, conn: number, p: number): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  accountProgress(stack, conn);
  const rows = stack.accounts.words;
  const packets = stack.packets.rows.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const o = (p * P_STRIDE) & P_MASK;
  rows[a + A.SEGMENTS_IN]++;
  if ((packets[o + WINDOW_TTL_TOS] & ECN_MASK) !== 0) rows[a + A.FLAGS] |= ACCOUNT_FLAG.ECN_SEEN;
  const ack = packets[o + ACK];
  if (
    (packets[o + CONTROL] & TCP_FLAG.ACK) !== 0 && ((ack - words[c + SND_UNA]) | 0) >= 0 &&
    ((words[c + SND_NXT] - ack) | 0) >= 0
  ) rows[a + A.LAST_ACK_RECEIVED_MS] = stack.nowMs;
  const length = packets[o + LENGTH];
  if (length === 0) return;
  rows[a + A.DATA_SEGMENTS_IN]++;
  const early = (packets[o + SEQ] - words[c + RCV_NXT]) | 0;
  if (early + length <= 0 || ((packets[o + SEQ] - words[c + RCV_ADV]) | 0) >= 0) return;
  rows[a + A.LAST_DATA_RECEIVED_MS] = stack.nowMs;
}

/** A segment beyond a gap is kept. */
export function accountOutOfOrder(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  if (a !== 0) stack.accounts.words[a + A.OUT_OF_ORDER]++;
}

/** A SYN, or the SYN-ACK of a connection that has a row, is being sent. */
export function accountSyn(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  const rows = stack.accounts.words;
  rows[a + A.SEGMENTS_OUT]++;
  const retries = (stack.warm[conn * WARM_STRIDE + WARM.ACK_STATE] >> ACK_STATE.RETRIES_AT) & 0xff;
  if (retries !== 0) rows[a + A.RETRANSMISSIONS]++;
}

/** A segment without SYN is being sent; SND.NXT has not moved yet. */
export function accountSent(stack: TcpStack, conn: number, seq: number, length: number, flags: number): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  const rows = stack.accounts.words;
  rows[a + A.SEGMENTS_OUT]++;
  const repeated = ((seq - stack.tcbs.words[conn * STRIDE + SND_NXT]) | 0) < 0 &&
    (length > 0 || (flags & TCP_FLAG.FIN) !== 0);
  if (repeated) rows[a + A.RETRANSMISSIONS]++;
  if (length === 0) return;
  rows[a + A.DATA_SEGMENTS_OUT]++;
  rows[a + A.LAST_DATA_SENT_MS] = stack.nowMs;
  add(rows, a + A.BYTES_SENT, length);
  if (repeated) add(rows, a + A.BYTES_RETRANSMITTED, length);
}

/** A retransmission timeout: another path is tried (Linux counts that as a rehash). */
export function accountTimeout(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  const rows = stack.accounts.words;
  rows[a + A.TIMEOUTS]++;
  rows[a + A.REHASHES]++;
  if (rows[a + A.TIMEOUT_SINCE_MS] !== 0) return;
  rows[a + A.TIMEOUT_RECOVERIES]++;
  rows[a + A.TIMEOUT_SINCE_MS] = stack.nowMs || 1;
}

function endTimeouts(stack: TcpStack, rows: Int32Array, a: number): void {
  const since = rows[a + A.TIMEOUT_SINCE_MS];
  if (since === 0) return;
  rows[a + A.TIMEOUT_MS] += (stack.nowMs - since) | 0;
  rows[a + A.TIMEOUT_SINCE_MS] = 0;
}

function setChrono(stack: TcpStack, a: number, chrono: number): void {
  const rows = stack.accounts.words;
  const before = rows[a + A.CHRONO];
  if (before === chrono) return;
  if (before !== NONE) {
    const at = before === BUSY ? A.BUSY_MS : before === WINDOW_LIMITED ? A.WINDOW_LIMITED_MS : A.BUFFER_LIMITED_MS;
    rows[a + at] += (stack.nowMs - rows[a + A.CHRONO_SINCE_MS]) | 0;
  }
  rows[a + A.CHRONO] = chrono;
  rows[a + A.CHRONO_SINCE_MS] = stack.nowMs;
}

/**
 * What keeps the sender now? Called when bytes are written, and whenever some might be sent (Linux's `tcp_chrono_start`
 * and `tcp_chrono_stop`): nothing once all is acknowledged, else at least that there is something.
 */
export function accountQueue(stack: TcpStack, conn: number): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  accountProgress(stack, conn);
  const c = (conn * STRIDE) & MASK;
  const words = stack.tcbs.words;
  const state = words[c + STATE_AT];
  // A FIN takes its place in the queue too.
  const empty = words[c + SND_UNA] === words[c + SND_NXT] && ((words[c + SND_END] - words[c + SND_NXT]) | 0) <= 0 &&
    (state & (FLAG.FIN_QUEUED | FLAG.FIN_SENT)) !== FLAG.FIN_QUEUED;
  if (empty) {
    setChrono(stack, a, NONE);
    return;
  }
  const now = stack.accounts.words[a + A.CHRONO];
  if (now === NONE || (now === BUFFER_LIMITED && (state & FLAG.WANTS_ROOM) === 0)) setChrono(stack, a, BUSY);
}

/** After sending what could be sent: was the peer's window the limit, or is the queue empty for want of buffer? */
export function accountLimits(stack: TcpStack, conn: number, windowLimited: boolean): void {
  const a = accountAt(stack, conn);
  if (a === 0) return;
  const now = stack.accounts.words[a + A.CHRONO];
  if (windowLimited) {
    if (now < WINDOW_LIMITED) setChrono(stack, a, WINDOW_LIMITED);
  } else if (now === WINDOW_LIMITED) setChrono(stack, a, BUSY);
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const out = stack.cold.words[stack.warm[conn * WARM_STRIDE + COLD_AT] * COLD.STRIDE + COLD.PACKETS_OUT];
  if (
    out < words[c + CWND] && words[c + SND_END] === words[c + SND_NXT] && words[c + SND_UNA] !== words[c + SND_NXT] &&
    (words[c + STATE_AT] & FLAG.WANTS_ROOM) !== 0
  ) setChrono(stack, a, BUFFER_LIMITED);
}
