/**
 * Out-of-order data: a sorted list of disjoint ranges beyond RCV.NXT (RFC 9293 3.10.7.4 SHLD-31: held, not dropped).
 * Searches begin at the range touched last or at the last one, whichever is nearer: what arrives in order beyond a gap
 * finds its place at once.
 *
 * @module
 */
import { busyReceiver } from "./receiver.ts";
import { extendDuplicate, reportDuplicate } from "./sack_out.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER } from "./state/receiver_row.ts";
import { COLD, OOO, TCB, WARM } from "./state/tcb.ts";

const { RCV_NXT, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { OOO_HEAD, OOO_BYTES, RECEIVER: RECEIVER_AT, MASK: COLD_MASK, STRIDE: COLD_STRIDE } = COLD;
const { OOO_HINT, STRIDE: RECEIVER_STRIDE } = RECEIVER;
const { NEXT, PREV, SEQ, END, PAYLOAD, OFFSET, FIN, MASK: OOO_MASK, STRIDE: OOO_STRIDE } = OOO;

/** Does the connection hold data beyond a gap? */
export function hasGap(stack: TcpStack, conn: number): boolean {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  return row !== 0 && stack.cold.words[row * COLD_STRIDE + OOO_HEAD] !== 0;
}

/** One past the last byte held beyond a gap, counted from RCV.NXT; 0 without a gap. */
export function bytesToLastEnd(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  const head = row === 0 ? 0 : stack.cold.words[row * COLD_STRIDE + OOO_HEAD];
  if (head === 0) return 0;
  const ranges = stack.ranges.words;
  const tail = ranges[head * OOO_STRIDE + PREV];
  return (ranges[tail * OOO_STRIDE + END] - stack.tcbs.words[conn * STRIDE + RCV_NXT]) | 0;
}

/** The last range that begins at `seq` or before it, 0 if all begin after it. `r`: the `RECEIVER` row's place. */
function rangeBefore(stack: TcpStack, k: number, r: number, seq: number): number {
  const ranges = stack.ranges.words;
  const head = stack.cold.words[k + OOO_HEAD];
  if (head === 0 || ((ranges[head * OOO_STRIDE + SEQ] - seq) | 0) > 0) return 0;
  const tail = ranges[head * OOO_STRIDE + PREV];
  if (((ranges[tail * OOO_STRIDE + SEQ] - seq) | 0) <= 0) return tail;
  let at = stack.receivers.words[r + OOO_HINT] || head;
  while (((ranges[at * OOO_STRIDE + SEQ] - seq) | 0) > 0) at = ranges[at * OOO_STRIDE + PREV];
  for (let next = ranges[at * OOO_STRIDE + NEXT]; next !== 0; next = ranges[next * OOO_STRIDE + NEXT]) {
    if (((ranges[next * OOO_STRIDE + SEQ] - seq) | 0) > 0) break;
    at = next;
  }
  return at;
}

/**
 * Keeps the bytes `seq` to `end` (not including it) that lie beyond RCV.NXT, and the FIN behind them if `fin`.
 * Where ranges overlap, the bytes that came first stay, and the sender is told (RFC 2883 4.1, 4.2). `bytes` are the real
 * ones (byte 0 is at `seq`), or null.
 */
export function holdRange(
  stack: TcpStack,
  conn: number,
  seq: number,
  end: number,
  fin: boolean,
  bytes: Uint8Array | null,
): void {
  const r = busyReceiver(stack, conn);
  const k = stack.coldOf(conn) * COLD_STRIDE;
  let previous = rangeBefore(stack, k, r, seq);
  let at = seq;
  let repeated = false;
  if (previous !== 0) {
    const covered = stack.ranges.words[previous * OOO_STRIDE + END];
    if (((covered - seq) | 0) > 0) {
      at = ((covered - end) | 0) < 0 ? covered : end;
      reportDuplicate(stack, conn, seq, at);
      repeated = true;
    }
  }
  for (;;) {
    const next = previous === 0 ? stack.cold.words[k + OOO_HEAD] : stack.ranges.words[previous * OOO_STRIDE + NEXT];
    // The piece before the next range, or all that is left.
    const begins = next === 0 ? end : stack.ranges.words[next * OOO_STRIDE + SEQ];
    const stop = ((begins - end) | 0) < 0 ? begins : end;
    if (((stop - at) | 0) > 0) previous = insert(stack, k, previous, next, at, stop, bytes, (at - seq) | 0);
    if (stop === end) break;
    const covered = stack.ranges.words[next * OOO_STRIDE + END];
    at = ((covered - end) | 0) < 0 ? covered : end;
    if (repeated) extendDuplicate(stack, conn, stop, at);
    else reportDuplicate(stack, conn, stop, at);
    repeated = true;
    previous = next;
    if (at === end) break;
  }
  if (fin) markFin(stack, k, previous, end);
  stack.receivers.words[r + OOO_HINT] = previous;
}

/** A FIN follows `end`, at or in the range `previous`, or (without text before it) in a range of its own. */
function markFin(stack: TcpStack, k: number, previous: number, end: number): void {
  const ranges = stack.ranges.words;
  const r = (previous * OOO_STRIDE) & OOO_MASK;
  if (previous !== 0 && ranges[r + END] === end) {
    ranges[r + FIN] = 1;
    return;
  }
  const next = previous === 0 ? stack.cold.words[k + OOO_HEAD] : ranges[r + NEXT];
  const range = insert(stack, k, previous, next, end, end, null, 0);
  stack.ranges.words[range * OOO_STRIDE + FIN] = 1;
}

function insert(
  stack: TcpStack,
  k: number,
  previous: number,
  next: number,
  seq: number,
  end: number,
  bytes: Uint8Array | null,
  offset: number,
): number {
  const cold = stack.cold.words;
  let ranges = stack.ranges.words;
  cold[k + OOO_BYTES] += (end - seq) | 0;
  // Counted bytes join the counted range before them.
  const p = (previous * OOO_STRIDE) & OOO_MASK;
  if (
    previous !== 0 && bytes === null && ranges[p + PAYLOAD] === 0 && ranges[p + END] === seq && ranges[p + FIN] === 0
  ) {
    ranges[p + END] = end;
    return previous;
  }
  const range = stack.ranges.allocate();
  ranges = stack.ranges.words;
  const r = (range * OOO_STRIDE) & OOO_MASK;
  ranges[r + NEXT] = next;
  const head = cold[k + OOO_HEAD];
  ranges[r + PREV] = previous !== 0 ? previous : head === 0 ? range : ranges[head * OOO_STRIDE + PREV];
  ranges[r + SEQ] = seq;
  ranges[r + END] = end;
  if (bytes !== null) {
    ranges[r + PAYLOAD] = stack.packets.payloads.put(bytes);
    ranges[r + OFFSET] = offset;
  }
  if (previous === 0) cold[k + OOO_HEAD] = range;
  else ranges[p + NEXT] = range;
  if (next !== 0) ranges[next * OOO_STRIDE + PREV] = range;
  else ranges[cold[k + OOO_HEAD] * OOO_STRIDE + PREV] = range;
  return range;
}

/** What {@linkcode takeReady} found. */
export const READY = { NOTHING: 0, DATA: 1, FIN: 2 } as const;

/** The bytes that {@linkcode takeReady} took: sequence number, length, and real bytes or null. */
export const ready: { seq: number; length: number; bytes: Uint8Array | null } = { seq: 0, length: 0, bytes: null };

/**
 * Takes the first range off the queue if RCV.NXT has reached it: its new bytes are in `ready`. The caller moves
 * RCV.NXT and calls again. `READY.FIN`: the bytes end with the FIN. `from`: RCV.NXT before the first call; what lies
 * before it came twice.
 */
export function takeReady(stack: TcpStack, conn: number, from: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return READY.NOTHING;
  const cold = stack.cold.words;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  const range = cold[k + OOO_HEAD];
  if (range === 0) return READY.NOTHING;
  const ranges = stack.ranges.words;
  const r = (range * OOO_STRIDE) & OOO_MASK;
  const next = stack.tcbs.words[conn * STRIDE + RCV_NXT];
  const seq = ranges[r + SEQ];
  const end = ranges[r + END];
  if (((seq - next) | 0) > 0) return READY.NOTHING;
  if (((seq - from) | 0) < 0) extendDuplicate(stack, conn, seq, ((end - from) | 0) < 0 ? end : from);
  const skip = Math.max(0, (next - seq) | 0);
  ready.length = Math.max(0, (end - next) | 0);
  ready.seq = next;
  const payload = ranges[r + PAYLOAD];
  const begin = ranges[r + OFFSET] + skip;
  ready.bytes = payload === 0 ? null : stack.packets.payloads.get(payload).subarray(begin, begin + ready.length);
  const fin = ranges[r + FIN] !== 0 && ((end - next) | 0) >= 0;
  dropRange(stack, k, range);
  return fin ? READY.FIN : READY.DATA;
}

/** Forgets everything held beyond a gap. */
export function dropRanges(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  while (stack.cold.words[k + OOO_HEAD] !== 0) dropRange(stack, k, stack.cold.words[k + OOO_HEAD]);
}

/**
 * Makes room: drops ranges that begin at `seq` or after it, the last first, until `bytes` are gone or none is left
 * (Linux `tcp_prune_ofo_queue`). Returns how many bytes were dropped.
 */
export function pruneRanges(stack: TcpStack, conn: number, seq: number, bytes: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return 0;
  const k = (row * COLD_STRIDE) & COLD_MASK;
  const cold = stack.cold.words;
  const ranges = stack.ranges.words;
  let dropped = 0;
  for (let head = cold[k + OOO_HEAD]; head !== 0 && dropped < bytes; head = cold[k + OOO_HEAD]) {
    const tail = ranges[head * OOO_STRIDE + PREV];
    const r = (tail * OOO_STRIDE) & OOO_MASK;
    if (((seq - ranges[r + SEQ]) | 0) > 0) break;
    dropped += (ranges[r + END] - ranges[r + SEQ]) | 0;
    dropRange(stack, k, tail);
  }
  return dropped;
}

function dropRange(stack: TcpStack, k: number, range: number): void {
  const cold = stack.cold.words;
  const ranges = stack.ranges.words;
  const r = (range * OOO_STRIDE) & OOO_MASK;
  const head = cold[k + OOO_HEAD];
  const next = ranges[r + NEXT];
  const previous = ranges[r + PREV];
  if (range === head) cold[k + OOO_HEAD] = next;
  else ranges[previous * OOO_STRIDE + NEXT] = next;
  if (next !== 0) ranges[next * OOO_STRIDE + PREV] = previous;
  else if (range !== head) ranges[head * OOO_STRIDE + PREV] = previous;
  const hint = cold[k + RECEIVER_AT] * RECEIVER_STRIDE + OOO_HINT;
  if (stack.receivers.words[hint] === range) stack.receivers.words[hint] = range === head ? next : previous;
  cold[k + OOO_BYTES] -= (ranges[r + END] - ranges[r + SEQ]) | 0;
  if (ranges[r + PAYLOAD] !== 0) stack.packets.payloads.release(ranges[r + PAYLOAD]);
  stack.ranges.release(range);
}
