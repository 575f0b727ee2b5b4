/**
 * ICMP errors for connections (RFC 9293 3.9.2.2, RFC 5927, RFC 1191, RFC 8201), as Linux's `tcp_v4_err`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { CONTROL, EXTRA, PACKET, PROTOCOL } from "../wire/packet.ts";
import { ORIGIN, queueError, raiseError } from "./errors.ts";
import { synTooBig } from "./fast_open_client.ts";
import { isFastOpenPending } from "./fast_open_queue.ts";
import { finish } from "./finish.ts";
import { spellOutFlight } from "./lone_flight_row.ts";
import { PATH_MTU, pathMtuDiscoveryOf } from "./options_ip.ts";
import { lowerPathMtu, watchPathMtu } from "./path_mtu.ts";
import { noteSoftError } from "./reports.ts";
import { simpleRetransmit } from "./recovery.ts";
import { armRetransmitIn } from "./rto_timer.ts";
import { rtoMs } from "./rtt.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, STATE } from "./state/states.ts";
import { ACK_STATE, COLD, FLAG, RTX, SYN_ROW, TCB, WARM } from "./state/tcb.ts";
import { releaseSynRow } from "./syn_queue.ts";

/**
 * Least path MTU that is believed of IPv6 (RFC 8200); of IPv4 the profile says (Linux's 552: below, it fragments, which
 * nothing does here, so that a path of less would swallow everything: by default 68, as RFC 791).
 */
const LEAST_MTU6 = 1280;
/** What a path takes whose router does not tell: Linux's `min_pmtu`. */
const UNTOLD_MTU = 552;

/** What the codes of "destination unreachable" mean (as Linux). Negative: a hard error. */
const UNREACHABLE = [
  ERRNO.ENETUNREACH,
  ERRNO.EHOSTUNREACH,
  -ERRNO.ENOPROTOOPT,
  -ERRNO.ECONNREFUSED,
  ERRNO.EMSGSIZE,
  ERRNO.EOPNOTSUPP,
  -ERRNO.ENETUNREACH,
  -ERRNO.EHOSTDOWN,
  -ERRNO.ENONET,
  -ERRNO.ENETUNREACH,
  -ERRNO.EHOSTUNREACH,
  ERRNO.ENETUNREACH,
  ERRNO.EHOSTUNREACH,
  -ERRNO.EHOSTUNREACH,
  -ERRNO.EHOSTUNREACH,
  -ERRNO.EHOSTUNREACH,
];
const UNREACHABLE6 = [
  ERRNO.ENETUNREACH,
  -ERRNO.EACCES,
  ERRNO.EHOSTUNREACH,
  ERRNO.EHOSTUNREACH,
  -ERRNO.ECONNREFUSED,
  -ERRNO.EACCES,
  -ERRNO.EACCES,
];

/** The errno that an ICMP (or, if `v6`, ICMPv6) error stands for, 0 if it is none for TCP. Negative: a hard error. */
export function icmpErrno(type: number, code: number, v6: boolean): number {
  if (v6) {
    if (type === 1) return UNREACHABLE6[code] ?? -ERRNO.EPROTO;
    return type === 3 ? ERRNO.EHOSTUNREACH : type === 4 ? -ERRNO.EPROTO : 0;
  }
  if (type === 11) return ERRNO.EHOSTUNREACH;
  if (type === 12) return -ERRNO.EPROTO;
  return type === 3 ? UNREACHABLE[code] ?? 0 : 0;
}

/** An ICMP error has arrived at a host. The packet stays the driver's. */
export function icmpErrorIn(stack: TcpStack, host: number, p: number): void {
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const extra = packets[o + PACKET.EXTRA];
  if ((packets[o + PACKET.CONTROL] & CONTROL.QUOTES) === 0 || extra === 0) return;
  const quotes = stack.packets.extras.words;
  const e = extra * EXTRA.STRIDE;
  if (quotes[e + EXTRA.QUOTED_CONTROL] >>> CONTROL.PROTOCOL_SHIFT !== PROTOCOL.TCP) return;
  // The quoted packet is one of ours: its source is our side.
  const local = quotes[e + EXTRA.QUOTED_SRC];
  const remote = quotes[e + EXTRA.QUOTED_DST];
  const value = stack.demux.find(host, local, remote, quotes[e + EXTRA.QUOTED_PORTS]);
  const type = packets[o + PACKET.PORTS] >>> 24;
  const code = (packets[o + PACKET.PORTS] >>> 16) & 0xff;
  const v6 = packets[o + PACKET.CONTROL] >>> CONTROL.PROTOCOL_SHIFT === PROTOCOL.ICMPV6;
  if (value !== 0 && (value & 3) === ROW_KIND.SYN_RECEIVED) {
    return synAckFailed(stack, value >>> 2, quotes[e + EXTRA.QUOTED_SEQ], type, code, v6);
  }
  if (value === 0 || (value & 3) !== ROW_KIND.CONNECTION) return;
  const conn = value >>> 2;
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const seq = quotes[e + EXTRA.QUOTED_SEQ];
  const state = words[c + TCB.STATE];
  // RFC 5927 4.1 (as Linux): the quoted sequence number must be in flight.
  const pending = isFastOpenPending(stack, conn);
  const first = pending ? words[c + TCB.SND_UNA] - 1 : words[c + TCB.SND_UNA];
  if (((seq - first) | 0) < 0 || ((seq - words[c + TCB.SND_NXT]) | 0) > 0) return;
  stack.counters.icmpErrors++;
  spellOutFlight(stack, conn);
  if (v6 ? type === 2 : type === 3 && code === 4) {
    const told = v6 ? packets[o + PACKET.SEQ] >>> 0 : packets[o + PACKET.SEQ] & 0xffff;
    tooBig(stack, conn, told, v6);
    return;
  }
  // RFC 9293 3.9.2.2 MUST-55: source quench is ignored.
  const error = icmpErrno(type, code, v6);
  if (error === 0) return;
  if (!pending && (type === (v6 ? 1 : 3)) && (code === 0 || (code === 1 && !v6)) && seq === words[c + TCB.SND_UNA]) {
    revertBackoff(stack, conn);
  }
  const name = state & FLAG.STATE_MASK;
  // A Fast Open connection that has been accepted is like any that is connected (Linux).
  const accepted = pending && (state & FLAG.UNACCEPTED) === 0;
  if (name === STATE.SYN_SENT || (name === STATE.SYN_RECEIVED && !accepted)) {
    // RFC 9293 3.9.2.2 SHLD-26, and RFC 5461 4.1 as Linux: any error ends an attempt.
    queueError(stack, conn, {
      errno: Math.abs(error),
      origin: v6 ? ORIGIN.ICMP6 : ORIGIN.ICMP,
      type,
      code,
      info: 0,
    });
    finish(stack, conn, Math.abs(error));
    return;
  }
  // MUST-56: soft errors do not abort; RFC 5927 6: nor do "hard" ones once synchronized. They are remembered.
  if (!raiseError(stack, conn, Math.abs(error))) noteSoftError(stack, conn, Math.abs(error));
}

/** An error about the SYN-ACK of a row of the SYN queue: hard ones, and routers' that know no way, end it (Linux). */
function synAckFailed(stack: TcpStack, row: number, seq: number, type: number, code: number, v6: boolean): void {
  if (seq !== stack.synRows.words[row * SYN_ROW.STRIDE + SYN_ROW.ISS]) return;
  stack.counters.icmpErrors++;
  const ends = v6 ? icmpErrno(type, code, true) < 0 : type === 12 || (type === 3 && code < 2);
  if (!ends) return;
  stack.counters.attemptFails++;
  releaseSynRow(stack, row, true);
}

/**
 * A router knows no way for what was retransmitted: the timeout was not congestion, and one doubling of it is taken back
 * (RFC 6069, Linux `tcp_ld_RTO_revert`).
 */
function revertBackoff(stack: TcpStack, conn: number): void {
  const at = conn * WARM.STRIDE + WARM.ACK_STATE;
  const acks = stack.warm[at];
  if ((acks & (0xff << ACK_STATE.RETRIES_AT)) === 0 || (acks & (0xf << ACK_STATE.BACKOFF_AT)) === 0) return;
  const cold = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  const head = cold === 0 ? 0 : stack.cold.words[cold * COLD.STRIDE + COLD.RTX_HEAD];
  if (head === 0) return;
  stack.warm[at] = acks - (1 << ACK_STATE.BACKOFF_AT);
  const sinceUs = (stack.nowUs - stack.segments.words[head * RTX.STRIDE + RTX.SENT_US]) | 0;
  armRetransmitIn(stack, conn, Math.max(1, rtoMs(stack, conn) - Math.floor(sinceUs / 1000)));
}

/**
 * The path takes no packet so large (RFC 1191, RFC 8201): the host remembers that, the MSS falls, and what was too big
 * goes again. Where IP_MTU_DISCOVER does not believe in such messages, only the host does, and what is sent next follows.
 */
function tooBig(stack: TcpStack, conn: number, told: number, v6: boolean): void {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const mode = pathMtuDiscoveryOf(stack, conn);
  const believes = mode !== PATH_MTU.INTERFACE && mode !== PATH_MTU.OMIT && (v6 || mode !== PATH_MTU.DONT);
  // RFC 8201 4: less than the least MTU of IPv6 is no message to act on.
  if (v6 && (!believes || told < LEAST_MTU6)) return;
  const profile = stack.profileOfConnection(conn);
  const host = words[c + TCB.HOST];
  const remote = words[c + TCB.REMOTE];
  // A router that does not tell, or is not to be heard (RFC 1191 5 allows a guess below 576).
  const mtu = told === 0 || !profile.pathMtuDiscovery ? UNTOLD_MTU : told;
  const believed = v6 ? told : Math.max(mtu, profile.minPathMtuBytes);
  const news = stack.pathMtus.learn(stack, host, remote, believed);
  if ((words[c + TCB.STATE] & FLAG.STATE_MASK) === STATE.SYN_SENT) {
    if (believes) synTooBig(stack, conn, believed);
    return;
  }
  if (!believes) {
    if (news) watchPathMtu(stack, conn);
    return;
  }
  if (!lowerPathMtu(stack, conn, believed)) return;
  const row = stack.warm[conn * WARM.STRIDE + WARM.COLD];
  if (stack.cold.words[row * COLD.STRIDE + COLD.RTX_HEAD] !== 0) simpleRetransmit(stack, conn);
}
