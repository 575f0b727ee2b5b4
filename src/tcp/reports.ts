/**
 * Error reports: trouble that does not end a connection is told to the application, unless it does not want to know
 * (RFC 9293 3.9.1.8), and R1 to IP as well (3.8.3).
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { REPORT, TCP_EVENT } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, SETTING_FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";

const { RETRIES_AT } = ACK_STATE;

/** Turns error reports off or on again; they are on (RFC 9293 3.9.1.8 SHLD-20). */
export function setErrorReports(stack: TcpStack, conn: number, on: boolean): void {
  const flags = readSetting(stack, conn, SETTINGS.FLAGS);
  const wanted = on ? flags & ~SETTING_FLAG.NO_REPORTS : flags | SETTING_FLAG.NO_REPORTS;
  if (wanted !== flags) writeSetting(stack, conn, SETTINGS.FLAGS, wanted);
}

/** The errno of the last ICMP error that did not end the connection, 0 for none. It is the cause if all else fails. */
export function softError(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  return row === 0 ? 0 : stack.cold.words[row * COLD.STRIDE + COLD.SOFT_ERROR];
}

/** Reports trouble (RFC 9293 3.9.1.8 MUST-47). Who has not accepted the connection, or has let go of it, is not told. */
function report(stack: TcpStack, conn: number, reason: number, errno: number): void {
  if ((stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & (FLAG.UNACCEPTED | FLAG.ORPHAN)) !== 0) return;
  if ((readSetting(stack, conn, SETTINGS.FLAGS) & SETTING_FLAG.NO_REPORTS) !== 0) return;
  stack.pushEvent(conn, TCP_EVENT.ERROR_REPORT, (reason << 8) | errno);
}

/** An ICMP error that does not end the connection is remembered and reported (RFC 9293 3.9.2.2 SHLD-25, MUST-56). */
export function noteSoftError(stack: TcpStack, conn: number, errno: number): void {
  stack.cold.words[stack.coldOf(conn) * COLD.STRIDE + COLD.SOFT_ERROR] = errno;
  report(stack, conn, REPORT.ICMP, errno);
}

/**
 * Data or a SYN has just been repeated. At R1 (RFC 9293 3.8.3 MUST-20, SHLD-10: `retries1`, 3 repetitions) IP is
 * advised that the path may be dead, and the application told (SHLD-9; of SYNs too: MUST-22). The advice is a count:
 * the emulator's hosts look a packet's route up anew each time, and there is no cached one to let go of.
 */
export function noteRepetition(stack: TcpStack, conn: number): void {
  const retries = (stack.warm[conn * WARM.STRIDE + WARM.ACK_STATE] >> RETRIES_AT) & 0xff;
  if (retries !== Math.max(1, stack.profileOfConnection(conn).retries1)) return;
  stack.counters.negativeAdvice++;
  report(stack, conn, REPORT.RETRANSMISSIONS, softError(stack, conn) || ERRNO.ETIMEDOUT);
}
