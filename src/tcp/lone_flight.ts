/**
 * The short way of a request and its reply: one segment that is sent at rest, and its ACK, with nothing amiss. What
 * `push` and `ackIn` do, without what cannot apply, and over the hot and warm line alone: such a flight has neither
 * a cold row nor a record (`lone_flight_row.ts`), whose three cache lines would have to be fetched for every ACK.
 *
 * @module
 */
import { PROFILE_WORD } from "../transport/profile.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import * as TYPES from "./congestion/types.ts";
import * as DELAYED_ACK from "./delayed_ack.ts";
import { armRetransmit } from "./rto_timer.ts";
import * as RTT from "./rtt.ts";
import * as SEGMENT_OUT from "./segment_out.ts";
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { ACK_STATE, FLAG, REXMIT_KIND, TCB, TIMER, WARM } from "./state/tcb.ts";

// What is called all the time is taken apart as layouts are: an imported function is checked at every use.
const { overlooksLoneFlights } = TYPES;
const { noteDataSent } = DELAYED_ACK;
const { noteLeastRtt, rtoMs, sampleLoneRtt, wholeMs } = RTT;
const { emit } = SEGMENT_OUT;

const { STATE: STATE_AT, SND_UNA, SND_NXT, SND_WND, SND_END, CWND, MSS, MASK, STRIDE } = TCB;
const { SRTT, MAX_WINDOW, MIN_RTT, COLD, STREAM, ACK_STATE: ACK_STATE_AT, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const { STATE_MASK, SACK, FIN_QUEUED, CORK, ECN, ACCOUNTED } = FLAG;
const { KIND_AT, BACKOFF_AT, RETRIES_AT, FRESH_RTT } = ACK_STATE;
const { RETRANSMIT, TAIL_LOSS } = REXMIT_KIND;
const { REXMIT, LONE_SENT_US, MASK: TIMER_MASK, STRIDE: TIMER_STRIDE } = TIMER;
const { PSH: F_PSH, ACK: F_ACK } = TCP_FLAG;
const { ESTABLISHED } = STATE;
const { LONE_WINDOW, RTO_INITIAL_MS, RTO_MIN_MS, TAIL_LOSS_PROBE } = PROFILE_WORD;
/** What must be ESTABLISHED, and nothing else, for data to be sent the short way. */
const PLAIN = STATE_MASK | FIN_QUEUED | CORK | ECN | ACCOUNTED;
/** Retries, back-off and what the timer is for. */
const ATTEMPTS = (0xff << RETRIES_AT) | (0xf << BACKOFF_AT) | (3 << KIND_AT);

/** Sends `count` (at least 1) counted bytes, which end with PSH, if they make a lone flight. False: nothing has happened. */
export function sendLone(stack: TcpStack, conn: number, count: number): boolean {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  const next = words[c + SND_NXT];
  const acks = warm[w + ACK_STATE_AT];
  if (
    (words[c + STATE_AT] & PLAIN) !== ESTABLISHED || words[c + SND_UNA] !== next || words[c + SND_END] !== next ||
    (warm[w + COLD] | warm[w + STREAM] | (acks & ATTEMPTS) | stack.egressShut) !== 0
  ) return false;
  // One segment: of no more than half the peer's largest window (RFC 9293 3.8.6.2.1), within its present one.
  const mss = words[c + MSS] & 0xffff;
  if (count > mss || count > words[c + SND_WND] || mss > warm[w + MAX_WINDOW] >> 1) return false;
  const profile = stack.profileAt(conn);
  const settings = stack.profiles.words;
  const cwnd = words[c + CWND];
  // A window of one segment would be the limit, one that has grown is remembered.
  if (cwnd < 2 || cwnd > settings[profile + LONE_WINDOW]) return false;
  if (!overlooksLoneFlights(stack, conn)) return false;
  const end = (next + count) | 0;
  words[c + SND_END] = end;
  emit(stack, conn, next, count, F_ACK | F_PSH);
  words[c + SND_NXT] = end;
  stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + LONE_SENT_US] = stack.nowUs;
  noteDataSent(stack, conn);
  if (settings[profile + TAIL_LOSS_PROBE] === 0 || (words[c + STATE_AT] & SACK) === 0) {
    armRetransmit(stack, conn);
    return true;
  }
  // RFC 8985 7.2, as `armTailLossProbe`: for a lone segment the peer's delayed ACK is waited for.
  const srtt = warm[w + SRTT];
  const probeMs = srtt === 0
    ? settings[profile + RTO_INITIAL_MS]
    : wholeMs((srtt >> 2) + settings[profile + RTO_MIN_MS] * 1000);
  warm[w + ACK_STATE_AT] |= TAIL_LOSS << KIND_AT;
  stack.armTimer(conn, REXMIT, Math.max(1, Math.min(probeMs, rtoMs(stack, conn))));
  return true;
}

/** The lone flight of a connection is acknowledged up to `ack`. False if that is not all of it: it has rows now. */
export function loneFlightAcked(stack: TcpStack, conn: number, ack: number): boolean {
  const words = stack.tcbs.words;
  const warm = stack.warm;
  const c = (conn * STRIDE) & MASK;
  const w = (conn * WARM_STRIDE) & WARM_MASK;
  if (words[c + SND_NXT] !== ack) {
    stack.coldOf(conn);
    return false;
  }
  const bytes = (ack - words[c + SND_UNA]) | 0;
  const rttUs = (stack.nowUs - stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + LONE_SENT_US]) | 0;
  words[c + SND_UNA] = ack;
  // A runt: the peer may have waited with its ACK, which is no evidence against the minimum (with SACK, as in `loneAckIn`).
  const delayed = (words[c + STATE_AT] & SACK) !== 0 && bytes < (words[c + MSS] & 0xffff);
  if (!delayed || rttUs <= warm[w + MIN_RTT]) noteLeastRtt(stack, conn, 0, rttUs);
  sampleLoneRtt(stack, conn, rttUs);
  // RFC 6298 5.2: all is acknowledged. 5.7: the back-off ends with a measurement.
  warm[w + ACK_STATE_AT] = (warm[w + ACK_STATE_AT] & ~(ATTEMPTS | FRESH_RTT)) | (RETRANSMIT << KIND_AT);
  stack.disarmTimer(conn, REXMIT);
  return true;
}
