/**
 * What remains of Fast Open (RFC 7413) after the handshake: did the data arrive, and does the path swallow such
 * connections?
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { fastOpenAt, leaveQueue } from "./fast_open_queue.ts";
import type { TcpStack } from "./stack.ts";
import { FAST_OPEN, FAST_OPEN_FLAG } from "./state/fast_open_row.ts";
import { COLD, FLAG, OOO, TCB, WARM } from "./state/tcb.ts";

const { ASKED, SYN_DATA, SYN_DATA_ACKED, CHECKS_PATH, PENDING } = FAST_OPEN_FLAG;
const F = FAST_OPEN;
/** In `WARM.MAX_WINDOW` of a connection that is over: data in its SYN was acknowledged. */
const KEPT = -1;

/** Was data in the SYN, ours or the peer's, acknowledged (`TCPI_OPT_SYN_DATA`)? Known also after the end. */
export function synDataAcked(stack: TcpStack, conn: number): boolean {
  if ((stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.DONE) !== 0) {
    return stack.warm[conn * WARM.STRIDE + WARM.MAX_WINDOW] === KEPT;
  }
  const f = fastOpenAt(stack, conn);
  return f !== 0 && (stack.fastOpens.words[f + F.FLAGS] & SYN_DATA_ACKED) !== 0;
}

/** `tcpi_fastopen_client_fail`: 0, or why the SYN's data did not arrive with it. */
export function fastOpenClientFail(stack: TcpStack, conn: number): number {
  const f = fastOpenAt(stack, conn);
  return f === 0 ? 0 : stack.fastOpens.words[f + F.CLIENT_FAIL];
}

/** Linux `tcp_fastopen_active_detect_blackhole`: the third timeout in a row, or the last one that patience allows. */
export function detectBlackHole(stack: TcpStack, conn: number, timeouts: number, expired: boolean): void {
  const f = fastOpenAt(stack, conn);
  if (f === 0 || (stack.fastOpens.words[f + F.FLAGS] & (ASKED | SYN_DATA | SYN_DATA_ACKED)) === 0) return;
  if (timeouts !== 2 && !(timeouts < 2 && expired)) return;
  stack.counters.fastOpenActiveFails++;
  stack.fastOpen.noteBlackHole(stack, stack.tcbs.words[conn * TCB.STRIDE + TCB.HOST]);
}

/** Has data of the peer's arrived on a connection whose `FAST_OPEN.IRS` is known? */
function hasHeardData(stack: TcpStack, conn: number, f: number): boolean {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const fin = (words[c + TCB.STATE] & FLAG.FIN_RECEIVED) !== 0 ? 1 : 0;
  return ((words[c + TCB.RCV_NXT] - stack.fastOpens.words[f + F.IRS] - 1 - fin) | 0) > 0;
}

/**
 * A reset out of place has come on a connection in ESTABLISHED: where nothing else has, a middlebox swallows what a Fast
 * Open connection is sent (Linux).
 */
export function suspectBlackHole(stack: TcpStack, conn: number): void {
  const f = fastOpenAt(stack, conn);
  if (f === 0 || (stack.fastOpens.words[f + F.FLAGS] & ASKED) === 0 || hasHeardData(stack, conn, f)) return;
  stack.fastOpen.noteBlackHole(stack, stack.tcbs.words[conn * TCB.STRIDE + TCB.HOST]);
}

/** The connection ends (Linux `tcp_fastopen_active_disable_ofo_check`): was only a FIN beyond a gap heard, or data? */
export function concludeFastOpen(stack: TcpStack, conn: number, f: number): void {
  const flags = stack.fastOpens.words[f + F.FLAGS];
  const host = stack.tcbs.words[conn * TCB.STRIDE + TCB.HOST];
  if ((flags & SYN_DATA_ACKED) !== 0) stack.warm[conn * WARM.STRIDE + WARM.MAX_WINDOW] = KEPT;
  if ((flags & ASKED) === 0) return;
  if (hasHeardData(stack, conn, f)) {
    if ((flags & CHECKS_PATH) !== 0) stack.fastOpen.clearBlackHole(host);
    return;
  }
  const k = stack.warm[conn * WARM.STRIDE + WARM.COLD] * COLD.STRIDE;
  const range = stack.cold.words[k + COLD.OOO_HEAD];
  if (range !== 0 && isLoneFin(stack, range)) stack.fastOpen.noteBlackHole(stack, host);
}

function isLoneFin(stack: TcpStack, range: number): boolean {
  const at = range * OOO.STRIDE;
  return stack.ranges.words[at + OOO.NEXT] === 0 && stack.ranges.words[at + OOO.FIN] === 1;
}

/** The connection ends before its final ACK; `errno` as in `finish`. */
export function abandonFastOpen(stack: TcpStack, conn: number, f: number, errno: number): void {
  if ((stack.fastOpens.words[f + F.FLAGS] & PENDING) === 0) return;
  leaveQueue(stack, conn, f, errno === ERRNO.ECONNRESET);
}
