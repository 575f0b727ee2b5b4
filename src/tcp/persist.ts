/**
 * Zero-window probes (RFC 9293 3.8.6.1), as Linux's `tcp_probe_timer` and `tcp_write_wakeup`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import { finish } from "./finish.ts";
import { recordSegment } from "./retransmit.ts";
import { armRetransmit } from "./rto_timer.ts";
import { rtoMs } from "./rtt.ts";
import { RESOURCE_PROBE_MS } from "./keep_alive.ts";
import { softError } from "./reports.ts";
import { attachPayload, emit, sendProbe } from "./segment_out.ts";
import { currentMss } from "./segmentation.ts";
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, FLAG, RTX_FLAG, SETTINGS, TCB, TIMER, WARM } from "./state/tcb.ts";
import { isUrgent } from "./urgent_out.ts";
import { senderAt } from "./write_queue.ts";

const { FIN_QUEUED: FLAG_FIN_QUEUED, FIN_SENT: FLAG_FIN_SENT, ORPHAN: FLAG_ORPHAN } = FLAG;
const { ACK: F_ACK, FIN: F_FIN, PSH: F_PSH } = TCP_FLAG;
const { REXMIT: TIMER_REXMIT } = TIMER;
const { PROBES_SINCE_MS: SET_PROBES_SINCE_MS, USER_TIMEOUT_MS: SET_USER_TIMEOUT_MS } = SETTINGS;
const { FIN: RTX_FLAG_FIN, PUSH: RTX_FLAG_PUSH } = RTX_FLAG;

const { STATE, SND_UNA, SND_NXT, SND_WND, SND_END, MASK, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, STRIDE: WARM_STRIDE } = WARM;
const { RETRIES_AT, BACKOFF_AT } = ACK_STATE;
const ATTEMPTS = (0xff << RETRIES_AT) | (0xf << BACKOFF_AT);

/** The probe timer went off. */
export function probeFired(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const state = words[c + STATE];
  const wantsFin = (state & (FLAG_FIN_QUEUED | FLAG_FIN_SENT)) === FLAG_FIN_QUEUED;
  const unsent = (words[c + SND_END] - words[c + SND_NXT]) | 0;
  if ((state & FLAG_FIN_SENT) !== 0 || (unsent === 0 && !wantsFin)) return;
  if (isHopeless(stack, conn)) return giveUpProbing(stack, conn);
  const at = conn * WARM_STRIDE + ACK_STATE_AT;
  stack.counters.windowProbes++;
  const room = (words[c + SND_UNA] + words[c + SND_WND] - words[c + SND_NXT]) | 0;
  let sent: boolean;
  if (room > 0) {
    // There is some room, too little to be worth a segment until now (RFC 9293 3.8.6.2.1 rule 4, the override timer).
    sent = sendPart(stack, conn, Math.min(room, unsent, currentMss(stack, conn)), room, unsent, wantsFin);
    if (sent) {
      // Data is in flight: its timer takes over.
      stack.warm[at] &= ~ATTEMPTS;
      probingEnds(stack, conn);
      armRetransmit(stack, conn);
      return;
    }
  } else {
    const s = senderAt(stack, conn);
    if (s !== 0 && isUrgent(stack, conn, s)) {
      // As Linux: the peer learns of urgent data even while its window is shut (RFC 9293 3.8.5).
      emit(stack, conn, words[c + SND_UNA], 0, F_ACK);
    }
    sent = sendProbe(stack, conn);
  }
  const acks = stack.warm[at];
  const retries = Math.min(255, ((acks >> RETRIES_AT) & 0xff) + 1);
  let backoff = (acks >> BACKOFF_AT) & 0xf;
  if (sent && backoff < Math.min(15, stack.profileOfConnection(conn).retries2)) backoff++;
  stack.warm[at] = (acks & ~ATTEMPTS) | (retries << RETRIES_AT) | (backoff << BACKOFF_AT);
  // RFC 9293 3.8.6.1 SHLD-30: ever more rarely; soon again where the interface took nothing.
  stack.armTimer(conn, TIMER_REXMIT, sent ? probeDelayMs(stack, conn) : RESOURCE_PROBE_MS);
}

/** Time to the next probe, ms: not beyond the end of the user timeout (Linux `tcp_clamp_probe0_to_user_timeout`). */
export function probeDelayMs(stack: TcpStack, conn: number): number {
  const delay = rtoMs(stack, conn);
  const user = readSetting(stack, conn, SET_USER_TIMEOUT_MS);
  if (user === 0) return delay;
  const since = readSetting(stack, conn, SET_PROBES_SINCE_MS);
  const elapsed = since === 0 ? 0 : (stack.nowMs - since) | 0;
  return Math.min(delay, Math.max(2, user - elapsed));
}

/** The window has opened: the user timeout begins anew when it is shut again. */
export function probingEnds(stack: TcpStack, conn: number): void {
  if (readSetting(stack, conn, SET_PROBES_SINCE_MS) !== 0) writeSetting(stack, conn, SET_PROBES_SINCE_MS, 0);
}

/** Has the window been shut, or the peer silent, for too long (Linux `tcp_probe_timer`)? */
function isHopeless(stack: TcpStack, conn: number): boolean {
  const acks = stack.warm[conn * WARM_STRIDE + ACK_STATE_AT];
  const profile = stack.profileOfConnection(conn);
  const user = readSetting(stack, conn, SET_USER_TIMEOUT_MS);
  if (user !== 0) {
    // RFC 5482: the user timeout bounds the whole time that the window is shut, answers or not.
    const since = readSetting(stack, conn, SET_PROBES_SINCE_MS);
    if (since === 0) writeSetting(stack, conn, SET_PROBES_SINCE_MS, stack.nowMs || 1);
    else if (((stack.nowMs - since) | 0) >= user) return true;
  }
  // RFC 9293 3.8.6.1 MUST-37: a peer that answers is probed for ever (its ACKs set the count to 0).
  let most = profile.retries2;
  if ((stack.tcbs.words[conn * STRIDE + STATE] & FLAG_ORPHAN) !== 0) {
    const alive = rtoMs(stack, conn) < profile.rtoMaxMs;
    most = !alive && softError(stack, conn) !== 0 ? 0 : profile.orphanRetries;
    if (!alive && ((acks >> BACKOFF_AT) & 0xf) >= most) return true;
  }
  return ((acks >> RETRIES_AT) & 0xff) >= most;
}

function giveUpProbing(stack: TcpStack, conn: number): void {
  finish(stack, conn, softError(stack, conn) || ERRNO.ETIMEDOUT);
}

/** Sends a part of the queue with PSH. False if the interface took nothing. */
function sendPart(
  stack: TcpStack,
  conn: number,
  length: number,
  room: number,
  unsent: number,
  wantsFin: boolean,
): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const seq = words[c + SND_NXT];
  const fin = wantsFin && length === unsent && room > length;
  const end = (seq + length + (fin ? 1 : 0)) | 0;
  const flags = F_ACK | (length > 0 ? F_PSH : 0) | (fin ? F_FIN : 0);
  const p = emit(stack, conn, seq, length, flags);
  if (p === 0) return false;
  attachPayload(stack, conn, p, seq, length);
  stack.coldOf(conn);
  recordSegment(stack, conn, seq, end, (fin ? RTX_FLAG_FIN : 0) | (length > 0 ? RTX_FLAG_PUSH : 0));
  words[c + SND_NXT] = end;
  if (fin) words[c + STATE] |= FLAG_FIN_SENT;
  return true;
}
