/**
 * A lone flight: one small segment sent at rest, which most of a million requests and replies are. It has no rows: that
 * SND.NXT is past SND.UNA while there is no cold row says that it is there, SND.UNA, SND.NXT and
 * `TIMER.LONE_SENT_US` say the rest. Whoever wants to know more of a flight asks for its rows.
 *
 * @module
 */
import type { TcpStack } from "./stack.ts";
import { STATE } from "./state/states.ts";
import { COLD, FLAG, RTX, RTX_FLAG, TCB, TIMER, WARM } from "./state/tcb.ts";

const { STATE: STATE_AT, SND_UNA, SND_NXT, MSS, MASK, STRIDE } = TCB;
const { COLD: COLD_AT, STRIDE: WARM_STRIDE } = WARM;
const { LONE_SENT_US, MASK: TIMER_MASK, STRIDE: TIMER_STRIDE } = TIMER;
const {
  RTX_HEAD,
  RTX_TAIL,
  PACKETS_OUT,
  MAX_PACKETS_OUT,
  CWND_USAGE_SEQ,
  SND_SMALL,
  LAST_SENT_MS,
  DELIVERED,
  CWND_USED,
  CWND_STAMP_MS,
} = COLD;
const { SEQ, END, SENT_US, FLAGS, DELIVERED: SENT_DELIVERED, MASK: RTX_MASK, STRIDE: RTX_STRIDE } = RTX;
const { STATE_MASK } = FLAG;
/** States in which what is past SND.UNA is data: before, it is a SYN. */
const SENDS_DATA = (1 << STATE.ESTABLISHED) | (1 << STATE.CLOSE_WAIT) | (1 << STATE.FIN_WAIT_1) |
  (1 << STATE.LAST_ACK);

/** Would a connection without a cold row have a lone flight? */
export function isLoneFlight(stack: TcpStack, conn: number): boolean {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  return words[c + SND_UNA] !== words[c + SND_NXT] && ((1 << (words[c + STATE_AT] & STATE_MASK)) & SENDS_DATA) !== 0;
}

/** Gives a lone flight the rows that any other flight has. `cold.words` and `segments.words` may be replaced. */
export function spellOutFlight(stack: TcpStack, conn: number): void {
  if (stack.warm[conn * WARM_STRIDE + COLD_AT] === 0 && isLoneFlight(stack, conn)) stack.coldOf(conn);
}

/** Writes a lone flight into the fresh cold row at `k`, as if that had been there when it was sent. */
export function writeLoneFlight(stack: TcpStack, conn: number, k: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const una = words[c + SND_UNA];
  const next = words[c + SND_NXT];
  const sentUs = stack.timers[((conn * TIMER_STRIDE) & TIMER_MASK) + LONE_SENT_US];
  const record = stack.segments.allocate();
  const records = stack.segments.words;
  const r = (record * RTX_STRIDE) & RTX_MASK;
  const cold = stack.cold.words;
  // A row may be as the segment before left it.
  records.fill(0, r, r + RTX_STRIDE);
  records[r + SEQ] = una;
  records[r + END] = next;
  records[r + SENT_US] = sentUs;
  records[r + FLAGS] = RTX_FLAG.PUSH;
  records[r + SENT_DELIVERED] = cold[k + DELIVERED];
  cold[k + RTX_HEAD] = record;
  cold[k + RTX_TAIL] = record;
  cold[k + PACKETS_OUT] = 1;
  cold[k + MAX_PACKETS_OUT] = 1;
  cold[k + CWND_USED] = 1;
  cold[k + CWND_USAGE_SEQ] = next;
  if (((next - una) | 0) < (words[c + MSS] & 0xffff)) cold[k + SND_SMALL] = next;
  const sinceUs = (stack.nowUs - sentUs) >>> 0;
  cold[k + LAST_SENT_MS] = cold[k + CWND_STAMP_MS] = Math.floor((Math.floor(stack.nowNs / 1e3) - sinceUs) / 1e3) | 0;
}
