/**
 * The receiver's part of ECN: congestion that routers marked is echoed to the sender (RFC 3168 6.1.3), or, for
 * algorithms that ask for it, every change of the mark (RFC 8257 3.2).
 *
 * @module
 */
import { PACKET, TCP_FLAG } from "../wire/packet.ts";
import { CONGESTION_EVENT, congestionOf } from "./congestion/types.ts";
import { demandAck, enterQuickAck } from "./delayed_ack.ts";
import { busyReceiver } from "./receiver.ts";
import { sendAck } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { RECEIVER, RECEIVER_FLAG } from "./state/receiver_row.ts";
import { ACK_STATE, TCB, WARM } from "./state/tcb.ts";
import { receiverAt } from "./window.ts";

const { RCV_NXT, STRIDE } = TCB;
const { FLAGS, ECN_NXT } = RECEIVER;
const { ECHO_CONGESTION, ECT_SEEN, CE } = RECEIVER_FLAG;
/** Congestion experienced, in the ECN field. */
const MARKED = 3;
/** Quick ACKs after a mark, or after what looks like a retransmission: the sender's window may be very small. */
const QUICK = 2;

/** A data segment of a connection that negotiated ECN: looks at its ECN field. */
export function ecnIn(stack: TcpStack, conn: number, p: number): void {
  const field = stack.packets.rows.words[p * PACKET.STRIDE + PACKET.WINDOW_TTL_TOS] & MARKED;
  if (field === 0) {
    // Not ECN-capable, when others were: a retransmission (RFC 3168 6.1.5), so that an ACK is urgent.
    const r = receiverAt(stack, conn);
    if (r !== 0 && (stack.receivers.words[r + FLAGS] & ECT_SEEN) !== 0) enterQuickAck(stack, conn, QUICK);
    return;
  }
  const r = busyReceiver(stack, conn);
  const algorithm = congestionOf(stack, conn);
  if (algorithm.wantsEcn) {
    echoChange(stack, conn, r, field === MARKED);
    algorithm.onEvent?.(stack, conn, field === MARKED ? CONGESTION_EVENT.ECN_IS_CE : CONGESTION_EVENT.ECN_NO_CE);
  } else if (field === MARKED && (stack.receivers.words[r + FLAGS] & ECHO_CONGESTION) === 0) {
    enterQuickAck(stack, conn, QUICK);
    stack.receivers.words[r + FLAGS] |= ECHO_CONGESTION;
  }
  stack.receivers.words[r + FLAGS] |= ECT_SEEN;
}

/** RFC 8257 3.2: when the mark changes, what was held back is acknowledged with the old one, and this at once. */
function echoChange(stack: TcpStack, conn: number, r: number, marked: boolean): void {
  const rows = stack.receivers.words;
  const words = stack.tcbs.words;
  const at = conn * STRIDE + RCV_NXT;
  const was = (rows[r + FLAGS] & CE) !== 0;
  if (was !== marked) {
    const owed = stack.warm[conn * WARM.STRIDE + WARM.ACK_STATE];
    if ((owed & ACK_STATE.DELAYED) !== 0) {
      const next = words[at];
      words[at] = rows[r + ECN_NXT];
      sendAck(stack, conn);
      words[at] = next;
    }
    demandAck(stack, conn);
    rows[r + FLAGS] = marked ? rows[r + FLAGS] | CE | ECHO_CONGESTION : rows[r + FLAGS] & ~(CE | ECHO_CONGESTION);
  }
  rows[r + ECN_NXT] = words[at];
}

/** The sender says that it has slowed down: no more echoes. `withData`: it may be slow, so the ACK is urgent. */
export function congestionWindowReduced(stack: TcpStack, conn: number, withData: boolean): void {
  const r = receiverAt(stack, conn);
  if (r !== 0 && !congestionOf(stack, conn).wantsEcn) stack.receivers.words[r + FLAGS] &= ~ECHO_CONGESTION;
  if (withData) stack.warm[conn * WARM.STRIDE + WARM.ACK_STATE] |= ACK_STATE.ACK_NOW;
}

/** ECE, if congestion is to be echoed; `r` is where the `RECEIVER` row begins. */
export function echoFlag(stack: TcpStack, r: number): number {
  return (stack.receivers.words[r + FLAGS] & ECHO_CONGESTION) !== 0 ? TCP_FLAG.ECE : 0;
}
