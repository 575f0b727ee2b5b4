/**
 * Growing the receive window: with every segment of a good size while the buffer is not the limit (Linux
 * `tcp_grow_window`), and the buffer itself with what the application reads in a round trip (dynamic right-sizing).
 *
 * @module
 */
import { CONTROL, PACKET } from "../wire/packet.ts";
import { bytesToLastEnd } from "./reassembly.ts";
import { advertisedMss } from "./receiver.ts";
import { readSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, RECEIVER_FLAG } from "./state/receiver_row.ts";
import { ACK_STATE, FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";
import { freeSpace } from "./window.ts";

const { STATE, RCV_NXT, RCV_WUP, RCV_ADV, RCV_READ, MSS, HOST, MASK, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, TS_OFFSET, STRIDE: WARM_STRIDE } = WARM;
const { BUFFER, SSTHRESH, CLAMP, SPACE, SPACE_SEQ, SPACE_TIME, RTT, RTT_SEQ, RTT_TIME, LAST_ECHO, FLAGS } = RECEIVER;
const { CONTROL: P_CONTROL, TS_ECR, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
/** Longest echo delay that counts as a round trip, ms. */
const LONGEST_MS = 2_000_000;

/** A segment of `length` bytes came: may more be offered? `r` is where the `RECEIVER` row begins. */
export function growWindow(stack: TcpStack, conn: number, r: number, length: number): void {
  const rows = stack.receivers.words;
  if (rows[r + CLAMP] <= rows[r + SSTHRESH]) return;
  const room = Math.min(rows[r + CLAMP], freeSpace(stack, conn)) - rows[r + SSTHRESH];
  if (room <= 0) return;
  const { budgets } = stack.hosts;
  // As Linux, no window grows while the host is under memory pressure.
  if (budgets !== undefined && budgets.isPressed(stack.hosts.budgetOf(stack.tcbs.words[conn * STRIDE + HOST]))) return;
  const growth = 2 * Math.max(advertisedMss(stack, conn), length);
  rows[r + SSTHRESH] += Math.min(room, growth);
  // The sender shall learn of it.
  stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] |= ACK_STATE.QUICK_MASK & 1;
}

/** Takes a sample of the round trip, µs, into the estimate; `byWindow`: the time that a window took, an upper bound. */
function sample(rows: Int32Array, r: number, us: number, byWindow: boolean, queueEmpty: boolean): void {
  const old = rows[r + RTT];
  if (old === 0 || us << 3 < old) rows[r + RTT] = us << 3;
  else if (!byWindow && queueEmpty) rows[r + RTT] = old - (old >> 3) + us;
}

/** Measures the round trip as a receiver can: by echoed timestamps, else by the time that a window takes. */
export function measureRoundTrip(stack: TcpStack, conn: number, r: number, p: number, length: number): void {
  const rows = stack.receivers.words;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const next = words[c + RCV_NXT];
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  if ((words[c + STATE] & FLAG.TIMESTAMPS) !== 0 && (packets[o + P_CONTROL] & CONTROL.HAS_TIMESTAMPS) !== 0) {
    const echo = packets[o + TS_ECR];
    if (echo !== rows[r + LAST_ECHO]) {
      rows[r + LAST_ECHO] = echo;
      const ms = (stack.nowMs + stack.warm[conn * WARM_STRIDE + TS_OFFSET] - echo) | 0;
      if (length >= words[c + MSS] >>> 16 && ms >= 0 && ms < LONGEST_MS) {
        const queueEmpty = ((next - length - words[c + RCV_READ]) | 0) === 0;
        sample(rows, r, Math.min(1000 * Math.max(1, ms), 1 << 27), false, queueEmpty);
      }
    }
  }
  if (rows[r + RTT_TIME] !== 0) {
    if (((next - rows[r + RTT_SEQ]) | 0) < 0) return;
    const us = (stack.nowUs - rows[r + RTT_TIME]) | 0;
    sample(rows, r, Math.min(Math.max(1, us < 0 ? 1 << 27 : us), 1 << 27), true, true);
  }
  rows[r + RTT_SEQ] = (next + words[c + RCV_ADV] - words[c + RCV_WUP]) | 0;
  rows[r + RTT_TIME] = stack.nowUs || 1;
}

/** Has a round trip passed since reading was last measured? `r` is where the `RECEIVER` row begins in `rows`. */
export function isReadingMeasured(rows: Int32Array, r: number, nowUs: number): boolean {
  const rtt = rows[r + RTT];
  return rtt !== 0 && (nowUs - rows[r + SPACE_TIME]) >>> 0 >= rtt >> 3;
}

/** The application has read: once in a round trip, the buffer of the row at `r` follows the speed of reading (Linux 6.x). */
export function adjustBuffer(stack: TcpStack, conn: number, r: number): void {
  const rows = stack.receivers.words;
  if (!isReadingMeasured(rows, r, stack.nowUs)) return;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const read = words[c + RCV_READ];
  const copied = ((read - rows[r + SPACE_SEQ]) | 0) - ((words[c + RCV_NXT] - read) | 0);
  if (copied > rows[r + SPACE]) growBuffer(stack, conn, r, copied);
  rows[r + SPACE_SEQ] = read;
  rows[r + SPACE_TIME] = stack.nowUs || 1;
}

function growBuffer(stack: TcpStack, conn: number, r: number, copied: number): void {
  const rows = stack.receivers.words;
  const before = rows[r + SPACE];
  rows[r + SPACE] = copied;
  const profile = stack.profileOfConnection(conn);
  if (!profile.moderateReceiveBuffer || (rows[r + FLAGS] & RECEIVER_FLAG.LOCKED) !== 0) return;
  // Twice what came in a round trip for losses, and twice the growth for a sender in slow start.
  let window = 2 * copied;
  window += 2 * Math.floor(window * (copied - before) / before);
  window += bytesToLastEnd(stack, conn);
  const buffer = Math.min(2 * window, profile.receiveBufferMaxBytes);
  if (buffer <= rows[r + BUFFER]) return;
  rows[r + BUFFER] = buffer;
  // What TCP_WINDOW_CLAMP asked for stays the bound.
  rows[r + CLAMP] = Math.min(buffer >> 1, readSetting(stack, conn, SETTINGS.WINDOW_CLAMP) || buffer);
}

/** The buffer is exceeded (Linux `tcp_clamp_window`): it takes in what it holds, or the window shrinks. */
export function clampWindow(stack: TcpStack, conn: number, r: number, heldBytes: number): void {
  const rows = stack.receivers.words;
  const most = stack.profileOfConnection(conn).receiveBufferMaxBytes;
  stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] &= ~ACK_STATE.QUICK_MASK;
  if (rows[r + BUFFER] < most && (rows[r + FLAGS] & RECEIVER_FLAG.LOCKED) === 0) {
    rows[r + BUFFER] = Math.min(2 * heldBytes, most);
  }
  if (2 * heldBytes > rows[r + BUFFER]) {
    rows[r + SSTHRESH] = Math.min(rows[r + CLAMP], 2 * advertisedMss(stack, conn));
  }
}
