/**
 * SACK and D-SACK blocks to send (RFC 2018, RFC 2883), kept as Linux keeps them: up to four, the most recent first.
 *
 * @module
 */
import { CONTROL, EXTRA, PACKET } from "../wire/packet.ts";
import { busyReceiver } from "./receiver.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, RECEIVER_FLAG } from "./state/receiver_row.ts";
import { COLD, FLAG, TCB, WARM } from "./state/tcb.ts";
import { receiverAt } from "./window.ts";

const { STATE, RCV_NXT, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { OOO_HEAD, STRIDE: COLD_STRIDE } = COLD;
const { SACK_COUNT, SACK, DSACK, DSACK_END, FLAGS } = RECEIVER;
/** Blocks kept (RFC 2018 3: no more fit an option). */
const MOST_BLOCKS = 4;

function permitted(stack: TcpStack, conn: number): boolean {
  return (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.SACK) !== 0;
}

/** The next ACK reports `seq` to `end` as received twice (RFC 2883 4). */
export function reportDuplicate(stack: TcpStack, conn: number, seq: number, end: number): void {
  if (!permitted(stack, conn) || !stack.profileOfConnection(conn).dsack) return;
  const r = busyReceiver(stack, conn);
  const rows = stack.receivers.words;
  rows[r + FLAGS] |= RECEIVER_FLAG.DSACK;
  rows[r + DSACK] = seq;
  rows[r + DSACK_END] = end;
}

/** As `reportDuplicate`, but a report that is waiting grows by a range that touches it, and else stays. */
export function extendDuplicate(stack: TcpStack, conn: number, seq: number, end: number): void {
  const r = receiverAt(stack, conn);
  if (r === 0 || (stack.receivers.words[r + FLAGS] & RECEIVER_FLAG.DSACK) === 0) {
    reportDuplicate(stack, conn, seq, end);
  } else extend(stack.receivers.words, r + DSACK, seq, end);
}

/** A segment is looked at: what an earlier one left to report is forgotten. */
export function forgetDuplicate(stack: TcpStack, conn: number): void {
  const r = receiverAt(stack, conn);
  if (r !== 0) stack.receivers.words[r + FLAGS] &= ~RECEIVER_FLAG.DSACK;
}

/** Grows the block at `at` by a range that overlaps or touches it; false if it does neither. */
function extend(rows: Int32Array, at: number, seq: number, end: number): boolean {
  const from = rows[at];
  const to = rows[at + 1];
  if (((seq - to) | 0) > 0 || ((from - end) | 0) > 0) return false;
  rows[at] = ((seq - from) | 0) < 0 ? seq : from;
  rows[at + 1] = ((end - to) | 0) > 0 ? end : to;
  return true;
}

/**
 * `seq` to `end` arrived beyond a gap: the block that it overlaps or touches grows. Returns where that stands, the number
 * of blocks if there is none; then `placeBlock` is due.
 */
export function growBlock(stack: TcpStack, conn: number, seq: number, end: number): number {
  if (!permitted(stack, conn)) return 0;
  const r = busyReceiver(stack, conn);
  const rows = stack.receivers.words;
  const count = rows[r + SACK_COUNT];
  for (let i = 0; i < count; i++) if (extend(rows, r + SACK + 2 * i, seq, end)) return i;
  return count;
}

/** The block of `seq` to `end`, which stands at `at`, becomes the first (RFC 2018 4), joined with those that it touches. */
export function placeBlock(stack: TcpStack, conn: number, at: number, seq: number, end: number): void {
  if (!permitted(stack, conn)) return;
  const r = busyReceiver(stack, conn);
  const rows = stack.receivers.words;
  const first = r + SACK;
  const count = rows[r + SACK_COUNT];
  if (at < count) {
    moveToFront(rows, first, at);
    if (count > 1) joinFirst(rows, r);
    return;
  }
  const kept = Math.min(count, MOST_BLOCKS - 1);
  rows.copyWithin(first + 2, first, first + 2 * kept);
  rows[first] = seq;
  rows[first + 1] = end;
  rows[r + SACK_COUNT] = kept + 1;
}

function moveToFront(rows: Int32Array, first: number, i: number): void {
  const left = rows[first + 2 * i];
  const right = rows[first + 2 * i + 1];
  rows.copyWithin(first + 2, first, first + 2 * i);
  rows[first] = left;
  rows[first + 1] = right;
}

/** The first block has grown: swallows those that it now touches. */
function joinFirst(rows: Int32Array, r: number): void {
  const first = r + SACK;
  for (let i = 1; i < rows[r + SACK_COUNT];) {
    const at = first + 2 * i;
    if (extend(rows, first, rows[at], rows[at + 1])) dropBlock(rows, r, i);
    else i++;
  }
}

function dropBlock(rows: Int32Array, r: number, i: number): void {
  const at = r + SACK + 2 * i;
  rows.copyWithin(at, at + 2, r + SACK + 2 * rows[r + SACK_COUNT]);
  rows[r + SACK_COUNT]--;
}

/** RCV.NXT has moved: blocks that it has reached go. */
export function removeBlocks(stack: TcpStack, conn: number): void {
  const r = receiverAt(stack, conn);
  if (r === 0) return;
  const rows = stack.receivers.words;
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (stack.cold.words[row * COLD_STRIDE + OOO_HEAD] === 0) {
    rows[r + SACK_COUNT] = 0;
    return;
  }
  const next = stack.tcbs.words[conn * STRIDE + RCV_NXT];
  for (let i = 0; i < rows[r + SACK_COUNT];) {
    if (((next - rows[r + SACK + 2 * i]) | 0) >= 0) dropBlock(rows, r, i);
    else i++;
  }
}

/** Forgets all there is to report (Linux `tcp_sack_reset`). */
export function resetBlocks(stack: TcpStack, conn: number): void {
  const r = receiverAt(stack, conn);
  if (r === 0) return;
  stack.receivers.words[r + SACK_COUNT] = 0;
  stack.receivers.words[r + FLAGS] &= ~RECEIVER_FLAG.DSACK;
}

/** Is `seq` the right edge of the rightmost block? (RFC 5961 3.2, as Linux extends it.) */
export function endsBlocks(stack: TcpStack, conn: number, seq: number): boolean {
  const r = receiverAt(stack, conn);
  if (r === 0) return false;
  const rows = stack.receivers.words;
  const count = rows[r + SACK_COUNT];
  if (count === 0) return false;
  let edge = rows[r + SACK + 1];
  for (let i = 1; i < count; i++) {
    const end = rows[r + SACK + 2 * i + 1];
    if (((end - edge) | 0) > 0) edge = end;
  }
  return edge === seq;
}

/** Bytes of SACK option that the next segment will carry; `room` are what other options leave of 40. */
export function sackOptionBytes(stack: TcpStack, conn: number): number {
  const r = receiverAt(stack, conn);
  if (r === 0) return 0;
  const rows = stack.receivers.words;
  const blocks = rows[r + SACK_COUNT] + (rows[r + FLAGS] & RECEIVER_FLAG.DSACK);
  if (blocks === 0) return 0;
  const timestamps = (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.TIMESTAMPS) !== 0;
  return 4 + 8 * Math.min(blocks, timestamps ? 3 : 4);
}

/**
 * Writes the blocks into a packet that is being sent; the duplicate comes first (RFC 2883 4), and is reported once. `r`
 * is where the `RECEIVER` row begins.
 */
export function attachBlocks(stack: TcpStack, conn: number, packet: number, r: number): void {
  let rows = stack.receivers.words;
  const duplicate = rows[r + FLAGS] & RECEIVER_FLAG.DSACK;
  const count = rows[r + SACK_COUNT] + duplicate;
  if (count === 0) return;
  const timestamps = (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.TIMESTAMPS) !== 0;
  const blocks = Math.min(count, timestamps ? 3 : 4);
  const extra = stack.packets.extraOf(packet) * EXTRA.STRIDE;
  const extras = stack.packets.extras.words;
  rows = stack.receivers.words;
  extras[extra + EXTRA.SACK_COUNT] = blocks;
  for (let i = 0; i < blocks; i++) {
    const from = i < duplicate ? r + DSACK : r + SACK + 2 * (i - duplicate);
    extras[extra + EXTRA.SACK + 2 * i] = rows[from];
    extras[extra + EXTRA.SACK + 2 * i + 1] = rows[from + 1];
  }
  rows[r + FLAGS] &= ~RECEIVER_FLAG.DSACK;
  stack.packets.rows.words[packet * PACKET.STRIDE + PACKET.CONTROL] |= CONTROL.HAS_SACK;
}
