/**
 * Room in the send buffer: when a writer that was cut short is told.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { TCP_EVENT } from "./state/states.ts";
import { FLAG, TCB } from "./state/tcb.ts";
import { growSendBuffer, isWritable, isWritableIn } from "./write_queue.ts";

export { isWritable, sendBufferBytes, sendRoom } from "./write_queue.ts";

const { STATE, STRIDE } = TCB;
const { WANTS_ROOM } = FLAG;

/** Tells the writer, once a third of the buffer is free (as Linux), that there is room again. */
export function roomForWriter(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE + STATE;
  if ((stack.tcbs.words[at] & WANTS_ROOM) === 0) return;
  const size = growSendBuffer(stack, conn);
  if (!isWritableIn(stack, conn, size)) return;
  stack.tcbs.words[at] &= ~WANTS_ROOM;
  stack.pushEvent(conn, TCP_EVENT.WRITABLE, 0);
}

/** Asks for a WRITABLE event once there is room (what polling for it does); true if there is room now. */
export function wantRoom(stack: TcpStack, conn: number): boolean {
  if (isWritable(stack, conn)) return true;
  stack.tcbs.words[conn * STRIDE + STATE] |= WANTS_ROOM;
  return false;
}
