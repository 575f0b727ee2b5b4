/**
 * SYN cookies (RFC 4987 3.6), as Linux makes them: a SYN-ACK whose sequence number is a proof, and whose timestamp keeps
 * what else the SYN said, so that nothing need be kept of it. The final ACK brings both back.
 *
 * @module
 */
import { sipHash24Word } from "../base/hash.ts";
import { HOST as HOST_ROW } from "../transport/hosts.ts";
import { CONTROL, PACKET } from "../wire/packet.ts";
import { listenerSettings } from "./establish.ts";
import { firstShift } from "./handshake.ts";
import { timestampOffset, tupleSecret } from "./isn.ts";
import type { TcpStack } from "./stack.ts";
import { LISTENER, SYN_FLAG } from "./state/tcb.ts";
import { OPENING } from "./opening.ts";

const opening = OPENING;

const L = LISTENER;
/** Seconds between two values of the counter, and how many of them a cookie lives. */
const PERIOD_SECONDS = 60;
const MOST_AGE = 2;
const COUNT_AT = 24;
const HASH_MASK = (1 << COUNT_AT) - 1;
/** MSS that a cookie can say; the greatest that is not above the peer's. */
const MSS_4 = [536, 1300, 1440, 1460];
const MSS_6 = [1220, 1420, 1440, 8940];
/** What the lowest six bits of the timestamp say: the peer's shift (15: no scaling), SACK, ECN. */
const TS_BITS = 6;
const NO_SCALING = 0xf;
const TS_SACK = 1 << 4;
const TS_ECN = 1 << 5;

const KEY = new Int32Array(4);

function cookieHash(stack: TcpStack, host: number, count: number, which: number): number {
  const { local, remote, ports } = opening;
  KEY[0] = stack.addresses.word(remote);
  KEY[1] = stack.addresses.word(local);
  KEY[2] = ports;
  KEY[3] = count;
  const words = stack.hosts.words;
  const at = host * HOST_ROW.STRIDE;
  const secret = stack.secret1 ^ (which === 0 ? 0x636f_6f6b : 0x6b6f_6f63);
  const nameLo = words[at + HOST_ROW.NAME_LO] ^ stack.hosts.bootSalt(host);
  return sipHash24Word(stack.secret0, secret, nameLo, words[at + HOST_ROW.NAME_HI], KEY, 4);
}

function counter(stack: TcpStack): number {
  return Math.floor(stack.nowNs / (PERIOD_SECONDS * 1e9)) | 0;
}

/** Makes `opening.iss` a cookie. Its options lose what a cookie cannot keep: the MSS is rounded down. */
export function makeCookie(stack: TcpStack): void {
  const { host, local, irs, listener } = opening;
  const sizes = stack.addresses.isIpv6(local) ? MSS_6 : MSS_4;
  const mss = opening.options & 0xffff;
  let index = sizes.length - 1;
  while (index > 0 && mss < sizes[index]) index--;
  opening.options = (opening.options & ~0xffff) | sizes[index];
  const count = counter(stack);
  opening.iss = (cookieHash(stack, host, 0, 0) + irs + (count << COUNT_AT) +
    ((cookieHash(stack, host, count, 1) + index) & HASH_MASK)) | 0;
  stack.listeners.words[listener * L.STRIDE + L.COOKIES_SENT] = 1 + Math.floor(stack.nowNs / 1e9);
  stack.counters.synCookiesSent++;
}

/** The timestamp of a cookie's SYN-ACK: the clock's, but for the lowest bits, and not later than now. */
export function cookieTimestamp(stack: TcpStack): number {
  const { options } = opening;
  const said = ((options & SYN_FLAG.SCALING) !== 0 ? (options >>> 16) & 0xf : NO_SCALING) |
    ((options & SYN_FLAG.SACK) !== 0 ? TS_SACK : 0) | ((options & SYN_FLAG.ECN) !== 0 ? TS_ECN : 0);
  const now = stack.nowMs;
  const stamp = (now & ~((1 << TS_BITS) - 1)) | said;
  return ((stamp > now ? stamp - (1 << TS_BITS) : stamp) + opening.tsOffset) | 0;
}

/**
 * Is an ACK for a listener the answer to a cookie? Then `opening` is filled in. A cookie is good for 60 to 120 s, and
 * only where cookies were sent in the last 120 s.
 */
export function readCookie(stack: TcpStack, host: number, listener: number, p: number): boolean {
  const profile = stack.profileOf(host);
  const sent = stack.listeners.words[listener * L.STRIDE + L.COOKIES_SENT];
  if (profile.synCookies === 0 || sent === 0) return false;
  const age = Math.floor(stack.nowNs / 1e9) - (sent - 1);
  if (age > MOST_AGE * PERIOD_SECONDS) return false;
  const packets = stack.packets.rows.words;
  const o = p * PACKET.STRIDE;
  const wire = packets[o + PACKET.PORTS];
  const local = opening.local = packets[o + PACKET.DST];
  const remote = opening.remote = packets[o + PACKET.SRC];
  const ports = opening.ports = (wire << 16) | (wire >>> 16);
  opening.host = host;
  opening.listener = listener;
  const irs = opening.irs = (packets[o + PACKET.SEQ] - 1) | 0;
  const iss = opening.iss = (packets[o + PACKET.ACK] - 1) | 0;
  const index = checkCookie(stack, host, iss, irs);
  const sizes = stack.addresses.isIpv6(local) ? MSS_6 : MSS_4;
  if (index < 0 || index >= sizes.length) {
    stack.counters.synCookiesFailed++;
    return false;
  }
  stack.counters.synCookiesReceived++;
  const secret = tupleSecret(stack, host, local, remote, ports);
  opening.tsOffset = timestampOffset(secret);
  opening.tsRecent = 0;
  let options = sizes[index];
  if (profile.timestamps && (packets[o + PACKET.CONTROL] & CONTROL.HAS_TIMESTAMPS) !== 0) {
    const echo = packets[o + PACKET.TS_ECR];
    const said = echo === 0 ? 0 : (echo - opening.tsOffset) | 0;
    opening.tsRecent = packets[o + PACKET.TS_VAL];
    options |= SYN_FLAG.TIMESTAMPS;
    // What a cookie says that this host does not do is a forgery, or the host has changed its mind.
    if ((said & TS_SACK) !== 0) {
      if (!profile.sack) return false;
      options |= SYN_FLAG.SACK;
    }
    const shift = said & NO_SCALING;
    if (shift !== NO_SCALING) {
      if (!profile.windowScaling) return false;
      const ours = firstShift(stack, profile, listenerSettings(stack, listener));
      options |= SYN_FLAG.SCALING | (Math.min(14, shift) << 16) | (ours << 20);
    }
    if ((said & TS_ECN) !== 0 && profile.ecn !== "off") options |= SYN_FLAG.ECN;
  }
  opening.options = options;
  return true;
}

/** What a cookie says, at least 0; -1 if it is too old. (A forged one says something out of range.) */
function checkCookie(stack: TcpStack, host: number, iss: number, irs: number): number {
  const count = counter(stack);
  const rest = (iss - cookieHash(stack, host, 0, 0) - irs) | 0;
  const age = (count - (rest >>> COUNT_AT)) & 0xff;
  if (age >= MOST_AGE) return -1;
  return (rest - cookieHash(stack, host, (count - age) | 0, 1)) & HASH_MASK;
}
