/**
 * Out-of-order data: a sorted list of disjoint ranges beyond RCV.NXT (RFC 9293 3.10.7.4 SHLD-31: held, not dropped).
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { COLD, OOO, TCB, WARM } from "./state/tcb.ts";

const { RCV_NXT, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { OOO_HEAD, OOO_BYTES, STRIDE: COLD_STRIDE } = COLD;
const { NEXT, SEQ, END, PAYLOAD, OFFSET, FIN, STRIDE: OOO_STRIDE } = OOO;

/** Does the connection hold data beyond a gap? */
export function hasGap(stack: TcpStack, conn: number): boolean {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  return row !== 0 && stack.cold.words[row * COLD_STRIDE + OOO_HEAD] !== 0;
}

/**
 * Keeps the bytes `seq` to `end` (not including it) that lie beyond RCV.NXT, and the FIN behind them if `fin`.
 * Where ranges overlap, the bytes that came first stay. `bytes` are the real ones (byte 0 is at `seq`), or null.
 */
export function holdRange(
  stack: TcpStack,
  conn: number,
  seq: number,
  end: number,
  fin: boolean,
  bytes: Uint8Array | null,
): void {
  const k = stack.coldOf(conn) * COLD_STRIDE;
  let previous = 0;
  let at = seq;
  let current = stack.cold.words[k + OOO_HEAD];
  for (;;) {
    const ranges = stack.ranges.words;
    const r = current * OOO_STRIDE;
    if (current !== 0 && ((ranges[r + END] - at) | 0) < 0) {
      previous = current;
      current = ranges[r + NEXT];
      continue;
    }
    // The piece before the next range (or all that is left).
    const stop = current !== 0 && ((ranges[r + SEQ] - end) | 0) < 0 ? ranges[r + SEQ] : end;
    const length = (stop - at) | 0;
    const atEnd = stop === end;
    if (length > 0 || (fin && atEnd && !alreadyEnds(stack, k, end))) {
      previous = insert(stack, k, previous, current, at, stop, fin && atEnd, bytes, (at - seq) | 0);
    }
    if (current === 0 || atEnd) return;
    at = stack.ranges.words[r + END];
    if (((at - end) | 0) >= 0) {
      if (fin && at === end) stack.ranges.words[r + FIN] = 1;
      return;
    }
    previous = current;
    current = stack.ranges.words[r + NEXT];
  }
}

function alreadyEnds(stack: TcpStack, k: number, end: number): boolean {
  const ranges = stack.ranges.words;
  for (let range = stack.cold.words[k + OOO_HEAD]; range !== 0; range = ranges[range * OOO_STRIDE + NEXT]) {
    const r = range * OOO_STRIDE;
    if (ranges[r + END] === end) {
      ranges[r + FIN] = 1;
      return true;
    }
  }
  return false;
}

function insert(
  stack: TcpStack,
  k: number,
  previous: number,
  next: number,
  seq: number,
  end: number,
  fin: boolean,
  bytes: Uint8Array | null,
  offset: number,
): number {
  const cold = stack.cold.words;
  let ranges = stack.ranges.words;
  cold[k + OOO_BYTES] += (end - seq) | 0;
  // Counted bytes join the counted range before them.
  const p = previous * OOO_STRIDE;
  if (
    previous !== 0 && bytes === null && ranges[p + PAYLOAD] === 0 && ranges[p + END] === seq && ranges[p + FIN] === 0
  ) {
    ranges[p + END] = end;
    if (fin) ranges[p + FIN] = 1;
    return previous;
  }
  const range = stack.ranges.allocate();
  ranges = stack.ranges.words;
  const r = range * OOO_STRIDE;
  ranges[r + NEXT] = next;
  ranges[r + SEQ] = seq;
  ranges[r + END] = end;
  ranges[r + FIN] = fin ? 1 : 0;
  if (bytes !== null) {
    ranges[r + PAYLOAD] = stack.packets.payloads.put(bytes);
    ranges[r + OFFSET] = offset;
  }
  if (previous === 0) cold[k + OOO_HEAD] = range;
  else ranges[p + NEXT] = range;
  return range;
}

/** What {@linkcode takeReady} found. */
export const READY = { NOTHING: 0, DATA: 1, FIN: 2 } as const;

/** The bytes that {@linkcode takeReady} took: sequence number, length, and real bytes or null. */
export const ready: { seq: number; length: number; bytes: Uint8Array | null } = { seq: 0, length: 0, bytes: null };

/**
 * Takes the first range off the queue if RCV.NXT has reached it: its new bytes are in `ready`. The caller moves
 * RCV.NXT and calls again. `READY.FIN`: the bytes end with the FIN.
 */
export function takeReady(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return READY.NOTHING;
  const cold = stack.cold.words;
  const k = row * COLD_STRIDE;
  const range = cold[k + OOO_HEAD];
  if (range === 0) return READY.NOTHING;
  const ranges = stack.ranges.words;
  const r = range * OOO_STRIDE;
  const next = stack.tcbs.words[conn * STRIDE + RCV_NXT];
  if (((ranges[r + SEQ] - next) | 0) > 0) return READY.NOTHING;
  const skip = Math.max(0, (next - ranges[r + SEQ]) | 0);
  ready.length = Math.max(0, (ranges[r + END] - next) | 0);
  ready.seq = next;
  const payload = ranges[r + PAYLOAD];
  const from = ranges[r + OFFSET] + skip;
  ready.bytes = payload === 0 ? null : stack.packets.payloads.get(payload).subarray(from, from + ready.length);
  const fin = ranges[r + FIN] !== 0 && ((ranges[r + END] - next) | 0) >= 0;
  dropFirst(stack, k);
  return fin ? READY.FIN : READY.DATA;
}

/** Forgets everything held beyond a gap. */
export function dropRanges(stack: TcpStack, conn: number): void {
  const row = stack.warm[conn * WARM_STRIDE + COLD_AT];
  if (row === 0) return;
  const k = row * COLD_STRIDE;
  while (stack.cold.words[k + OOO_HEAD] !== 0) dropFirst(stack, k);
}

function dropFirst(stack: TcpStack, k: number): void {
  const cold = stack.cold.words;
  const ranges = stack.ranges.words;
  const range = cold[k + OOO_HEAD];
  const r = range * OOO_STRIDE;
  cold[k + OOO_HEAD] = ranges[r + NEXT];
  cold[k + OOO_BYTES] -= (ranges[r + END] - ranges[r + SEQ]) | 0;
  if (ranges[r + PAYLOAD] !== 0) stack.packets.payloads.release(ranges[r + PAYLOAD]);
  stack.ranges.release(range);
}
