/**
 * Room in the send buffer.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { TCP_EVENT } from "./state/states.ts";
import { COLD, FLAG, SETTINGS, TCB, WARM } from "./state/tcb.ts";

const { STATE, SND_UNA, SND_END, STRIDE } = TCB;
const { WANTS_ROOM } = FLAG;

/** Size of the send buffer in bytes. */
export function sendBufferBytes(stack: TcpStack, conn: number): number {
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  if (row !== 0) {
    const settings = stack.cold.words[row * COLD.STRIDE + COLD.SETTINGS];
    const own = settings === 0 ? 0 : stack.settings.words[settings * SETTINGS.STRIDE + SETTINGS.SEND_BUFFER];
    if (own !== 0) return own;
  }
  return stack.profileOfConnection(conn).sendBufferBytes;
}

/** Bytes that a send would take now. */
export function sendRoom(stack: TcpStack, conn: number): number {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  return Math.max(0, sendBufferBytes(stack, conn) - ((words[c + SND_END] - words[c + SND_UNA]) | 0));
}

/** Tells the writer, once a third of the buffer is free (as Linux), that there is room again. */
export function roomForWriter(stack: TcpStack, conn: number): void {
  const at = conn * STRIDE + STATE;
  const words = stack.tcbs.words;
  if ((words[at] & WANTS_ROOM) === 0) return;
  if (3 * sendRoom(stack, conn) < sendBufferBytes(stack, conn)) return;
  words[at] &= ~WANTS_ROOM;
  stack.pushEvent(conn, TCP_EVENT.WRITABLE, 0);
}
