/**
 * Segments out of place, where there is no full connection: which they are, and how often they are answered.
 *
 * @module
 */
import { CONTROL, PACKET, TCP_FLAG } from "../wire/packet.ts";
import type { TcpStack } from "./stack.ts";

/** Does the segment [seq, end) lie in the window [from, to) (RFC 9293 3.4, as Linux's `tcp_in_window`)? */
export function inWindow(seq: number, end: number, from: number, to: number): boolean {
  if (seq === from) return true;
  if (((end - from) | 0) > 0 && ((seq - to) | 0) < 0) return true;
  return seq === to && seq === end;
}

/** RFC 7323 5 for rows that are younger than 24 days; a TS.Recent of 0 is taken for none (as Linux). */
export function isOldStamp(value: number, recent: number): boolean {
  return recent !== 0 && ((value - recent) | 0) < 0;
}

/**
 * May a segment out of place be answered now (`net.ipv4.tcp_invalid_ratelimit`)? `rows[at]` remembers the last answer;
 * data segments without SYN are no part of a loop of ACKs and always answered.
 */
export function mayAnswer(
  stack: TcpStack,
  host: number,
  rows: Int32Array,
  at: number,
  packets: Int32Array,
  o: number,
): boolean {
  const flags = packets[o + PACKET.CONTROL] & CONTROL.FLAGS_MASK;
  const occupied = packets[o + PACKET.LENGTH] !== 0 || (flags & TCP_FLAG.FIN) !== 0;
  if (occupied && (flags & TCP_FLAG.SYN) === 0) return true;
  const last = rows[at];
  if (last !== 0) {
    const elapsed = (stack.nowMs - last) | 0;
    if (elapsed >= 0 && elapsed < stack.profileOf(host).invalidRateLimitMs) {
      stack.counters.acksSkipped++;
      return false;
    }
  }
  rows[at] = stack.nowMs || 1;
  return true;
}
