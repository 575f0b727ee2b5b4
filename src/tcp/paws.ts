/**
 * TS.Recent and protection against wrapped sequence numbers (RFC 7323 4.3, 5), as Linux applies them.
 *
 * @module
 */
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import { rtoMs } from "./rtt.ts";
import type { TcpStack } from "./stack.ts";
import { ACK_STATE, FLAG, TCB, WARM } from "./state/tcb.ts";

const { STATE, SND_UNA, SND_WND, RCV_NXT, RCV_WUP, TS_RECENT, MASK, STRIDE } = TCB;
const { ACK_STATE: ACK_STATE_AT, SND_WL1, STRIDE: WARM_STRIDE } = WARM;
const { TS_AGE_AT, TS_AGE_UNIT } = ACK_STATE;
const { SEQ, ACK, CONTROL: P_CONTROL, WINDOW_TTL_TOS, LENGTH, TS_VAL, MASK: P_MASK, STRIDE: P_STRIDE } = PACKET;
const { SYN: F_SYN, FIN: F_FIN, ACK: F_ACK } = TCP_FLAG;
const AGE_MASK = 0xffffffff >>> TS_AGE_AT;
/** 24 days (RFC 7323 5.5) in units of 2^27 ms, rounded up. */
const STALE_UNITS = 16;
/** A timestamp may lie so far behind: clocks of two paths differ by a tick (Linux `TCP_PAWS_WINDOW`). */
const REPLAY_TICKS = 1;

/** What {@linkcode pawsVerdict} says. */
export const PAWS = { PASSES: 0, OLD_ACK: 1, FAILS: 2 } as const;

/** Is now another age than the one in `acks`, an `ACK_STATE`? */
export function isAnotherAge(stack: TcpStack, acks: number): boolean {
  return (acks >>> TS_AGE_AT) !== ((stack.nowMs >>> TS_AGE_UNIT) & AGE_MASK);
}

/** TS.Recent has been updated: now. `w` is where the warm line begins. */
export function noteTimestampAge(stack: TcpStack, w: number): void {
  const at = w + ACK_STATE_AT;
  if (!isAnotherAge(stack, stack.warm[at])) return;
  stack.warm[at] = (stack.warm[at] & ((1 << TS_AGE_AT) - 1)) | ((stack.nowMs >>> TS_AGE_UNIT) << TS_AGE_AT);
}

/** Is the timestamp older than TS.Recent by more than `ticks`, and that not older than 24 days (5.5)? */
function isOlder(stack: TcpStack, conn: number, value: number, ticks: number): boolean {
  const recent = stack.tcbs.words[conn * STRIDE + TS_RECENT];
  // Some stacks begin with 0 and start their clock later.
  if (((recent - value) | 0) <= ticks || recent === 0) return false;
  const age = (stack.nowMs >>> TS_AGE_UNIT) - (stack.warm[conn * WARM_STRIDE + ACK_STATE_AT] >>> TS_AGE_AT);
  return (age & 0x1f) < STALE_UNITS;
}

/** RFC 7323 4.3: the timestamp of an acceptable segment that begins at Last.ACK.sent or before it becomes TS.Recent. */
export function storeTimestamp(stack: TcpStack, conn: number, p: number, seq: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  if ((words[c + STATE] & FLAG.TIMESTAMPS) === 0 || (packets[o + P_CONTROL] & CONTROL.HAS_TIMESTAMPS) === 0) return;
  const value = packets[o + TS_VAL];
  if (((seq - words[c + RCV_WUP]) | 0) > 0 || isOlder(stack, conn, value, 0)) return;
  words[c + TS_RECENT] = value;
  noteTimestampAge(stack, conn * WARM_STRIDE);
}

/**
 * RFC 7323 5.3 R1, for a segment that is no reset. As Linux, a duplicate ACK that changes nothing passes while its
 * timestamp is not older than a timeout: reordering is no attack; and an ACK that is merely old is not worth an answer.
 */
export function pawsVerdict(stack: TcpStack, conn: number, p: number): number {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const packets = stack.packets.rows.words;
  const o = (p * P_STRIDE) & P_MASK;
  const control = packets[o + P_CONTROL];
  if ((words[c + STATE] & FLAG.TIMESTAMPS) === 0 || (control & CONTROL.HAS_TIMESTAMPS) === 0) return PAWS.PASSES;
  const value = packets[o + TS_VAL];
  if (!isOlder(stack, conn, value, REPLAY_TICKS)) return PAWS.PASSES;
  if ((control & (F_ACK | F_SYN | F_FIN)) !== F_ACK || packets[o + LENGTH] !== 0) return PAWS.FAILS;
  const seq = packets[o + SEQ];
  const ahead = (seq - words[c + RCV_NXT]) | 0;
  if (ahead !== 0) return ahead < 0 ? PAWS.OLD_ACK : PAWS.FAILS;
  const advance = (packets[o + ACK] - words[c + SND_UNA]) | 0;
  if (advance !== 0) return advance < 0 ? PAWS.OLD_ACK : PAWS.FAILS;
  const newer = (seq - stack.warm[conn * WARM_STRIDE + SND_WL1]) | 0;
  const window = (packets[o + WINDOW_TTL_TOS] >>> 16) << ((words[c + STATE] >> FLAG.SND_SHIFT_AT) & 0xf);
  if (newer > 0 || (newer === 0 && (window > words[c + SND_WND] || window === 0))) return PAWS.FAILS;
  return ((words[c + TS_RECENT] - value) | 0) > rtoMs(stack, conn) ? PAWS.FAILS : PAWS.PASSES;
}
