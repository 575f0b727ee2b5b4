/**
 * How long a session stays: TCP's state tracked in both directions (RFC 5382 REQ-5, after the state machine of RFC 6146
 * section 3.5.2), and one timeout each for UDP (RFC 4787 REQ-5, REQ-6) and ICMP queries (RFC 5508 REQ-2).
 *
 * Refreshing moves the deadline and nothing else: the wheel's entry requeues itself when it fires early.
 *
 * @module
 */
import { TCP_FLAG } from "../wire/packet.ts";
import type { NatProfile } from "./behaviour.ts";
import { NAT_PROTOCOL, SEEN, SESSION } from "./layout.ts";
import { sessionRef } from "./ref.ts";
import type { NatTables } from "./tables.ts";

const { REALM, REMOTE_PORT_STATE, DEADLINE, QUEUED_AT, MASK, STRIDE } = SESSION;
const { FIN, SYN, RST, ACK } = TCP_FLAG;
const { TCP, UDP } = NAT_PROTOCOL;
const { STREAM } = SEEN;
/** Packets from both sides. */
const BOTH = SEEN.INSIDE | SEEN.OUTSIDE;

/** TCP tracking bits of a session; those of the inner side, the outer side's are the next bit. */
export const TRACK = {
  /** A SYN was seen. */
  SYN: 1,
  /** An ACK of the other side's SYN was seen. */
  ACK: 4,
  /** A FIN was seen. */
  FIN: 16,
  /** The last segment was a RST, from either side. */
  RST: 64,
  /** All of them. */
  MASK: 0xff,
} as const;

/** SYN and ACK of both sides, no FIN, no RST. */
const OPEN = 15;
const FINS = 48;
const RESET = TRACK.RST;

/** Is the session closed by RST or both FINs? */
function isClosing(track: number): boolean {
  return (track & RESET) !== 0 || (track & FINS) === FINS;
}

/** The tracking bits after a segment from inside (`inward` 0) or outside (1). */
export function trackTcp(track: number, flags: number, inward: number): number {
  if (flags & RST) return track | RESET;
  // RFC 7857 2.2, RFC 6146 3.5.2.2: a session is reset if nothing comes after the RST, which may have been a forged one.
  let next = track & ~RESET;
  if (flags & SYN) {
    // The endpoints use the same tuple anew (RFC 9293 3.6.1, RFC 6191).
    if (isClosing(track) && (flags & ACK) === 0) next = 0;
    next |= 1 << inward;
  }
  if (flags & ACK && next & (2 >> inward)) next |= 4 << inward;
  if (flags & FIN) next |= 16 << inward;
  return next;
}

/** The name of a tracking state, much as conntrack says it. */
export function trackName(track: number): string {
  if (track & RESET) return "CLOSE";
  if ((track & FINS) === FINS) return "TIME_WAIT";
  if ((track & OPEN) === OPEN) return track & FINS ? "FIN_WAIT" : "ESTABLISHED";
  if ((track & 3) !== 3) return "SYN_SENT";
  // Both have sent a SYN and none has acknowledged one: a simultaneous open.
  return (track & 12) === 0 ? "SYN_SENT2" : "SYN_RECV";
}

/** A packet of `session` from inside (`inward` 0) or outside (1): tracks and moves the deadline. */
export function refresh(t: NatTables, profile: NatProfile, session: number, control: number, inward: number): void {
  const words = t.sessions.words;
  const row = (session * STRIDE) & MASK;
  const protocol = words[row + REALM] & 3;
  let timeout: number;
  if (protocol === TCP) {
    const state = words[row + REMOTE_PORT_STATE];
    const track = state & TRACK.MASK;
    timeout = profile.tcpEstablishedMs;
    if (track !== OPEN || (control & (SYN | FIN | RST)) !== 0) {
      const next = trackTcp(track, control, inward);
      if (next !== track) words[row + REMOTE_PORT_STATE] = (state & ~TRACK.MASK) | next;
      if (isClosing(next)) {
        // Four minutes from the second FIN or the first RST; what still comes does not prolong it.
        if (isClosing(track)) return;
        timeout = profile.tcpClosingMs;
      } else if ((next & OPEN) !== OPEN) {
        timeout = profile.tcpOpeningMs;
      }
    }
  } else {
    const state = words[row + REMOTE_PORT_STATE];
    if ((state & STREAM) === 0) {
      words[row + REMOTE_PORT_STATE] = (state & BOTH) === BOTH ? state | STREAM : state | (1 << inward);
    }
    // RFC 4787 REQ-6: from inside a packet MUST refresh; from outside it may.
    if (((profile.refreshes >>> inward) & 1) === 0) return;
    timeout = protocol === UDP ? profile.udpMs : profile.icmpMs;
  }
  const deadline = t.tickCeiling + timeout;
  words[row + DEADLINE] = deadline;
  if (deadline < words[row + QUEUED_AT]) {
    words[row + QUEUED_AT] = deadline;
    t.requestTimer(sessionRef(session), deadline);
  }
}

/** The timeout that a new session begins with, ms. */
export function initialTimeoutMs(profile: NatProfile, protocol: number): number {
  return protocol === TCP ? profile.tcpOpeningMs : protocol === UDP ? profile.udpMs : profile.icmpMs;
}
