/**
 * Sending as an application does it: counted bytes or real ones.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { ByteRing } from "../store/ring.ts";
import { fillVirtual } from "../wire/payload.ts";
import * as LONE_FLIGHT from "./lone_flight.ts";
import { settleMemory } from "./memory.ts";
import { push } from "./output.ts";
import { noteAppLimited } from "./rate.ts";
import { NAGLE } from "./segmentation.ts";
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { FLAG, TCB, WARM } from "./state/tcb.ts";
import { accountLimits } from "./accounting.ts";
import { takeHardError } from "./errors.ts";
import { markUrgent } from "./urgent_out.ts";
import { appendable, busySender, endRecord, notePush } from "./write_queue.ts";

// As layouts: an imported function is checked at every use.
const { sendLone } = LONE_FLIGHT;
const { CLOSE_WAIT: STATE_CLOSE_WAIT } = STATE;
const { CORK: NAGLE_CORK, NO_PSH: NAGLE_NO_PSH, PUSH: NAGLE_PUSH } = NAGLE;
const { SND_NXT: TCB_SND_NXT } = TCB;

const { STATE: STATE_AT, SND_END, MASK, STRIDE } = TCB;
const { STREAM, MAX_WINDOW, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, FIN_QUEUED, DONE, FAILED, WANTS_ROOM, ORPHAN } = FLAG;
/** States in which the application may write: before the handshake is done, data waits. */
const WRITABLE_STATES = (1 << STATE.SYN_SENT) | (1 << STATE.SYN_RECEIVED) | (1 << STATE.ESTABLISHED) |
  (1 << STATE_CLOSE_WAIT);

function refusal(stack: TcpStack, conn: number): number {
  const state = stack.tcbs.words[((conn * STRIDE) & MASK) + STATE_AT];
  // As Linux: an error is told once; afterwards the pipe is broken.
  if ((state & FAILED) !== 0) return -(takeHardError(stack, conn) || ERRNO.EPIPE);
  if (stack.errors.size !== 0) {
    const pending = takeHardError(stack, conn);
    if (pending !== 0) return -pending;
  }
  if ((state & (FIN_QUEUED | DONE | ORPHAN)) !== 0) return -ERRNO.EPIPE;
  return ((1 << (state & STATE_MASK)) & WRITABLE_STATES) === 0 ? -ERRNO.ENOTCONN : 0;
}

/** What a send may ask for besides; a sum. */
export const SEND = {
  /** More follows at once: a part of a segment waits for it (MSG_MORE). */
  MORE: 1,
  /** The last byte ends a record: nothing later goes into the same segment (MSG_EOR). */
  RECORD_END: 2,
  /** The last byte is urgent (MSG_OOB). */
  URGENT: 4,
} as const;

/**
 * Sends `bytes` counted bytes (RFC 9293 3.10.2). Returns how many the send buffer took; fewer than asked, and a
 * WRITABLE event will follow. `-errno` if the connection cannot send: EPIPE after a shutdown, or what it failed with.
 * `flags` is a sum of `SEND`.
 */
export function send(stack: TcpStack, conn: number, bytes: number, flags = 0): number {
  return settled(stack, conn, queue(stack, conn, bytes, null, flags));
}

/** Sends real bytes, as {@linkcode send} does: they are copied. Returns how many were taken, or `-errno`. */
export function sendBytes(stack: TcpStack, conn: number, bytes: Uint8Array, flags = 0): number {
  return settled(stack, conn, queue(stack, conn, bytes.length, bytes, flags));
}

/** Charges what was written to the host's memory, where that is counted. Returns `taken`. */
function settled(stack: TcpStack, conn: number, taken: number): number {
  if (stack.hosts.budgets !== undefined && taken > 0) settleMemory(stack, stack.hosts.budgets, conn);
  return taken;
}

/** Linux's `tcp_sendmsg`: fills buffer after buffer, and sends what may go as each is full and at the end. */
function queue(stack: TcpStack, conn: number, count: number, bytes: Uint8Array | null, flags: number): number {
  const refused = refusal(stack, conn);
  if (refused < 0) return refused;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  // What fits one segment fits the buffer at rest.
  if (bytes === null && flags === 0 && count > 0 && sendLone(stack, conn, count)) return count;
  const half = stack.warm[w + MAX_WINDOW] >> 1;
  noteAppLimited(stack, conn);
  let pushed = words[c + SND_END];
  let taken = 0;
  while (taken < count) {
    const room = appendable(stack, conn);
    if (room === 0) {
      words[c + STATE_AT] |= WANTS_ROOM;
      // What follows is not about to come: send what there is (Linux leaves MSG_MORE out here).
      flags &= ~(SEND.MORE | SEND.RECORD_END);
      break;
    }
    const chunk = Math.min(room, count - taken);
    append(stack, conn, chunk, bytes === null ? null : bytes.subarray(taken, taken + chunk));
    taken += chunk;
    if (taken === count || chunk < room) continue;
    // A full buffer goes; without PSH, unless half the peer's window was written since the last (`forced_push`).
    const forced = ((words[c + SND_END] - pushed) | 0) > half;
    if (forced) pushed = words[c + SND_END];
    push(stack, conn, forced ? NAGLE_PUSH : NAGLE_NO_PSH);
  }
  if (taken === 0) return 0;
  if ((flags & SEND.RECORD_END) !== 0) endRecord(stack, conn, busySender(stack, conn));
  notePush(stack, conn, (flags & SEND.MORE) !== 0);
  if ((flags & SEND.URGENT) !== 0) markUrgent(stack, conn);
  push(stack, conn, (flags & SEND.MORE) !== 0 ? NAGLE_CORK : 0);
  if (words[c + STATE_AT] < 0 && taken < count && words[c + SND_END] === words[c + TCB_SND_NXT]) {
    accountLimits(stack, conn, false);
  }
  return taken;
}

/** Puts bytes behind SND.END: counted ones, or real ones. */
function append(stack: TcpStack, conn: number, count: number, bytes: Uint8Array | null): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  if (bytes !== null) {
    const stream = stack.streamOf(conn);
    stream.send ??= new ByteRing();
    stream.send.write(bytes);
  } else {
    const index = stack.warm[conn * WARM_STRIDE + STREAM];
    if (index !== 0 && stack.streams[index]!.send !== null) {
      const pattern = new Uint8Array(count);
      fillVirtual(pattern, 0, count, words[c + SND_END]);
      stack.streams[index]!.send!.write(pattern);
    }
  }
  words[c + SND_END] = (words[c + SND_END] + count) | 0;
}
