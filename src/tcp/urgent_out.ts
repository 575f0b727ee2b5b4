/**
 * Urgent data out (MSG_OOB): SND.UP and the urgent pointer (RFC 9293 3.8.5, RFC 6093), as Linux.
 *
 * @module
 */
import { EXTRA, PACKET, TCP_FLAG } from "../wire/packet.ts";
import type { TcpStack } from "./stack.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { TCB } from "./state/tcb.ts";
import { busySender, senderAt } from "./write_queue.ts";

const { SND_UNA, SND_NXT, SND_END, STRIDE } = TCB;
const { URGENT, FLAGS } = SENDER;

/** The byte written last is urgent: SND.UP is one past it (RFC 9293 3.8.5 MUST-62; RFC 6093 4 is what Linux does by 1). */
export function markUrgent(stack: TcpStack, conn: number): void {
  const s = busySender(stack, conn);
  stack.senders.words[s + URGENT] = stack.tcbs.words[conn * STRIDE + SND_END];
  stack.senders.words[s + FLAGS] |= SENDER_FLAG.URGENT;
  stack.urgentUsed = true;
}

/** Is there urgent data that is not acknowledged? `s` is where the `SENDER` row begins. */
export function isUrgent(stack: TcpStack, conn: number, s: number): boolean {
  const rows = stack.senders.words;
  if ((rows[s + FLAGS] & SENDER_FLAG.URGENT) === 0) return false;
  if (((rows[s + URGENT] - stack.tcbs.words[conn * STRIDE + SND_UNA]) | 0) > 0) return true;
  rows[s + FLAGS] &= ~SENDER_FLAG.URGENT;
  return false;
}

/**
 * Gives a segment the URG flag and pointer, if it begins before SND.UP and that is near enough for 16 bits; a pointer
 * that does not reach says 65,535, but only on segments that end what was sent (Linux `__tcp_transmit_skb`).
 */
export function stampUrgent(stack: TcpStack, conn: number, packet: number, seq: number): void {
  const s = senderAt(stack, conn);
  if (s === 0 || !isUrgent(stack, conn, s)) return;
  const distance = (stack.senders.words[s + URGENT] - seq) | 0;
  if (distance <= 0) return;
  let pointer = distance;
  if (distance > 0xffff) {
    if (((seq + 0xffff - stack.tcbs.words[conn * STRIDE + SND_NXT]) | 0) <= 0) return;
    pointer = 0xffff;
  }
  const extra = stack.packets.extraOf(packet);
  stack.packets.extras.words[extra * EXTRA.STRIDE + EXTRA.URGENT] = pointer;
  stack.packets.rows.words[packet * PACKET.STRIDE + PACKET.CONTROL] |= TCP_FLAG.URG;
}
