/**
 * Zero-window probes (RFC 9293 3.8.6.1), as Linux's `tcp_probe_timer` and `tcp_write_wakeup`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import { finish } from "./finish.ts";
import { armRetransmit, recordSegment } from "./retransmit.ts";
import { rtoMs } from "./rtt.ts";
import { attachPayload, emit, sendProbe } from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, FLAG, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { STATE, SND_UNA, SND_NXT, SND_WND, SND_END, MSS, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
const { RETRIES_AT, BACKOFF_AT } = ACK_STATE;

/** The probe timer went off. */
export function probeFired(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const state = words[c + STATE];
  const wantsFin = (state & (FLAG.FIN_QUEUED | FLAG.FIN_SENT)) === FLAG.FIN_QUEUED;
  const unsent = (words[c + SND_END] - words[c + SND_NXT]) | 0;
  if ((state & FLAG.FIN_SENT) !== 0 || (unsent === 0 && !wantsFin)) return;
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  const acks = stack.warm[at];
  const retries = (acks >> RETRIES_AT) & 0xff;
  const profile = stack.profileOfConnection(conn);
  // RFC 9293 3.8.6.1 MUST-37: a peer that answers is probed for ever (its ACKs set `retries` to 0).
  if (retries >= ((state & FLAG.ORPHAN) !== 0 ? profile.orphanRetries : profile.retries2)) {
    finish(stack, conn, ERRNO.ETIMEDOUT);
    return;
  }
  const backoff = Math.min(15, ((acks >> BACKOFF_AT) & 0xf) + 1);
  stack.warm[at] = (acks & ~((0xff << RETRIES_AT) | (0xf << BACKOFF_AT))) | ((retries + 1) << RETRIES_AT) |
    (backoff << BACKOFF_AT);
  const room = (words[c + SND_UNA] + words[c + SND_WND] - words[c + SND_NXT]) | 0;
  stack.counters.windowProbes++;
  if (room <= 0) {
    sendProbe(stack, conn);
    // RFC 9293 3.8.6.1 SHLD-30: ever more rarely.
    stack.armTimer(conn, TIMER.REXMIT, rtoMs(stack, conn));
    return;
  }
  // There is some room, too little to be worth a segment until now (RFC 9293 3.8.6.2.1 rule 4, the override timer).
  sendPart(stack, conn, Math.min(room, unsent, words[c + MSS] & 0xffff), room, unsent, wantsFin);
}

function sendPart(
  stack: TcpStack,
  conn: number,
  length: number,
  room: number,
  unsent: number,
  wantsFin: boolean,
): void {
  const words = stack.tcbs.words;
  const c = conn * STRIDE;
  const seq = words[c + SND_NXT];
  const fin = wantsFin && length === unsent && room > length;
  const end = (seq + length + (fin ? 1 : 0)) | 0;
  stack.coldOf(conn);
  recordSegment(stack, conn, seq, end, (fin ? RTX_FLAG.FIN : 0) | (length > 0 ? RTX_FLAG.PUSH : 0));
  words[c + SND_NXT] = end;
  if (fin) words[c + STATE] |= FLAG.FIN_SENT;
  const flags = TCP_FLAG.ACK | (length > 0 ? TCP_FLAG.PSH : 0) | (fin ? TCP_FLAG.FIN : 0);
  const p = emit(stack, conn, seq, length, flags);
  attachPayload(stack, conn, p, seq, length);
  armRetransmit(stack, conn);
}
