/**
 * Errors that an application has not taken yet: SO_ERROR, and the queue of ICMP errors (IP_RECVERR).
 *
 * Rare: they are kept in objects by connection, and go with the connection's row.
 *
 * @module
 */
import { receivesErrors } from "./options_ip.ts";
import type { TcpStack } from "./stack.ts";
import { COLD, FLAG, TCB, WARM } from "./state/tcb.ts";

/** What `recvmsg(MSG_ERRQUEUE)` says of an ICMP error (Linux's `sock_extended_err`). */
export interface QueuedError {
  /** The errno that it stands for. */
  errno: number;
  /** 2: ICMP; 3: ICMPv6. */
  origin: number;
  /** Type and code of the ICMP message. */
  type: number;
  code: number;
  /** The MTU, of "fragmentation needed" and "packet too big". */
  info: number;
}

/** `QueuedError.origin`. */
export const ORIGIN = { ICMP: 2, ICMP6: 3 } as const;

/** Errors of a connection. */
export interface PendingErrors {
  /** The errno that the next call fails with, 0 for none. */
  pending: number;
  /** The error that ended the connection has been taken. */
  taken: boolean;
  /** ICMP errors not yet read. */
  queue: QueuedError[];
}

function errorsOf(stack: TcpStack, conn: number): PendingErrors {
  let errors = stack.errors.get(conn);
  if (errors === undefined) stack.errors.set(conn, errors = { pending: 0, taken: false, queue: [] });
  return errors;
}

/** Queues an ICMP error if the application wants to read such (IP_RECVERR). */
export function queueError(stack: TcpStack, conn: number, error: QueuedError): void {
  if (receivesErrors(stack, conn)) errorsOf(stack, conn).queue.push(error);
}

/** With IP_RECVERR an error that does not end the connection makes the next call fail. True if it was taken so. */
export function raiseError(stack: TcpStack, conn: number, errno: number): boolean {
  if (!receivesErrors(stack, conn)) return false;
  errorsOf(stack, conn).pending = errno;
  return true;
}

/** The oldest ICMP error that has not been read (`recvmsg` with MSG_ERRQUEUE), taken out of the queue; null for none. */
export function takeQueuedError(stack: TcpStack, conn: number): QueuedError | null {
  return stack.errors.get(conn)?.queue.shift() ?? null;
}

/** Is there an error to take, or one in the queue (EPOLLERR)? */
export function hasError(stack: TcpStack, conn: number): boolean {
  const errors = stack.errors.get(conn);
  if (errors !== undefined && (errors.pending !== 0 || errors.queue.length > 0)) return true;
  return (stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.FAILED) !== 0 && !(errors?.taken ?? false);
}

/** The errno that the next call fails with, taken: a second call does not fail with it again. 0 for none. */
export function takeHardError(stack: TcpStack, conn: number): number {
  const errors = stack.errors.get(conn);
  if (errors !== undefined && errors.pending !== 0) {
    const errno = errors.pending;
    errors.pending = 0;
    return errno;
  }
  if ((stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.FAILED) === 0 || errors?.taken) return 0;
  errorsOf(stack, conn).taken = true;
  return stack.warm[conn * WARM.STRIDE + WARM.SRTT];
}

/** SO_ERROR: the error that the next call would fail with, or else the last soft one; either is taken. 0 for none. */
export function takeError(stack: TcpStack, conn: number): number {
  const hard = takeHardError(stack, conn);
  if (hard !== 0) return hard;
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  if (row === 0) return 0;
  const at = row * COLD.STRIDE + COLD.SOFT_ERROR;
  const soft = stack.cold.words[at];
  stack.cold.words[at] = 0;
  return soft;
}
