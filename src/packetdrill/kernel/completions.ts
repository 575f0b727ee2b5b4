/**
 * What a socket's error queue tells of data that was sent: time stamps (SO_TIMESTAMPING) and buffers of MSG_ZEROCOPY that
 * may be used again.
 *
 * @module
 */
import { TCB, tcpInfo } from "../../tcp/mod.ts";
import type { EmulatedHost } from "../host.ts";
import { LEVEL, ORIGIN, SO, TIMESTAMPING, TSTAMP } from "./abi.ts";
import type { QueuedError, Sock } from "./socket.ts";

const { SND_UNA, SND_NXT, SND_END, MASK, STRIDE } = TCB;
const ZEROCOPY_KEY = (LEVEL.SOCKET << 16) | SO.ZEROCOPY;
const TIMESTAMPING_KEY = (LEVEL.SOCKET << 16) | SO.TIMESTAMPING;
/** `SO_EE_CODE_ZEROCOPY_COPIED`: the bytes were copied on the way after all, as virtual interfaces do. */
const COPIED = 1;

/** How much a buffer of several sends holds at most. */
const ONE_BUFFER = 32768;

/** Sends whose fate has to be told. */
export interface Completions {
  /** Number of the next send with MSG_ZEROCOPY. */
  nextCopy: number;
  /** Sequence number that time stamps count bytes from. */
  base: number;
  copies: { end: number; low: number; high: number }[];
  stamps: Stamp[];
}

/** A send whose last byte gets time stamps. */
interface Stamp {
  /** Sequence numbers of the first byte and behind the last. */
  start: number;
  end: number;
  /** What the stamps are told apart by. */
  key: number;
  /** `TIMESTAMPING` bits that were set when it was sent. */
  flags: number;
  sent: boolean;
}

/** Nothing to tell. */
export function newCompletions(): Completions {
  return { nextCopy: 0, base: 0, copies: [], stamps: [] };
}

/** SO_TIMESTAMPING was set: bytes count from the oldest that is not acknowledged, or (`OPT_ID_TCP`) from the next. */
export function stampingSet(host: EmulatedHost, sock: Sock, flags: number): void {
  if (sock.conn === 0 || (flags & TIMESTAMPING.OPT_ID) === 0) return;
  const words = host.stack.tcbs.words;
  const from = (flags & TIMESTAMPING.OPT_ID_TCP) !== 0 ? SND_END : SND_UNA;
  sock.completions.base = words[sock.conn * STRIDE + from];
}

/**
 * A send call has taken `bytes` bytes, up to `SND_END` now. `zeroCopy`: with MSG_ZEROCOPY. `asked`: stamps that its control
 * message asks for, null if there is none.
 */
export function noteSend(
  host: EmulatedHost,
  sock: Sock,
  bytes: number,
  zeroCopy: boolean,
  asked: number | null,
): void {
  const { completions } = sock;
  const end = host.stack.tcbs.words[sock.conn * STRIDE + SND_END];
  const start = (end - bytes) | 0;
  if (zeroCopy && (sock.options.get(ZEROCOPY_KEY) ?? 0) !== 0) {
    const number = completions.nextCopy++;
    completions.copies.push({ end, low: number, high: number });
  }
  const set = sock.options.get(TIMESTAMPING_KEY) ?? 0;
  const flags = asked === null ? set : (set & ~TIMESTAMPING.TX_RECORD) | asked;
  if ((flags & TIMESTAMPING.TX_RECORD) === 0) return;
  const key = (flags & TIMESTAMPING.OPT_ID) !== 0 ? (end - 1 - completions.base) | 0 : 0;
  const last = completions.stamps.at(-1);
  // What joins unsent bytes of the send before is one buffer with them, which has one stamp: the later one.
  if (
    last !== undefined && last.end === start && !last.sent && ((end - last.start) | 0) <= ONE_BUFFER
  ) {
    Object.assign(last, { end, key, flags });
  } else completions.stamps.push({ start, end, key, flags, sent: false });
}

/** A segment with the bytes from `start` to `end` leaves: those sent again are stamped again. */
export function noteSegment(host: EmulatedHost, sock: Sock, start: number, end: number): void {
  for (const stamp of sock.completions.stamps) {
    if (stamp.sent && ((stamp.end - start) | 0) > 0 && ((end - stamp.end) | 0) >= 0) stampDeparture(host, sock, stamp);
  }
}

function stampDeparture(host: EmulatedHost, sock: Sock, stamp: Stamp): void {
  if ((stamp.flags & TIMESTAMPING.TX_SCHED) !== 0) sock.errorQueue.push(stampError(host, sock, stamp, TSTAMP.SCHED));
  if ((stamp.flags & TIMESTAMPING.TX_SOFTWARE) !== 0) sock.errorQueue.push(stampError(host, sock, stamp, TSTAMP.SND));
}

/** The connection has failed: buffers of MSG_ZEROCOPY are free again. */
export function giveUpCompletions(sock: Sock): void {
  for (const { low, high } of sock.completions.copies) completeCopy(sock.errorQueue, low, high);
  sock.completions.copies = [];
}

/** Puts what has happened since into the error queue; true if there is something new. */
export function collectCompletions(host: EmulatedHost, sock: Sock): boolean {
  const { completions, errorQueue } = sock;
  if (sock.conn === 0 || completions.copies.length + completions.stamps.length === 0) return false;
  const before = errorQueue.length;
  let told = false;
  const words = host.stack.tcbs.words;
  const c = (sock.conn * STRIDE) & MASK;
  const reached = (field: number, end: number) => ((words[c + field] - end) | 0) >= 0;
  for (const stamp of completions.stamps) {
    if (!stamp.sent && reached(SND_NXT, stamp.end)) {
      stamp.sent = true;
      stampDeparture(host, sock, stamp);
    }
    if (reached(SND_UNA, stamp.end) && (stamp.flags & TIMESTAMPING.TX_ACK) !== 0) {
      errorQueue.push(stampError(host, sock, stamp, TSTAMP.ACK));
    }
  }
  completions.stamps = completions.stamps.filter(({ end }) => !reached(SND_UNA, end));
  while (completions.copies.length > 0 && reached(SND_UNA, completions.copies[0].end)) {
    const { low, high } = completions.copies.shift()!;
    completeCopy(errorQueue, low, high);
    told = true;
  }
  return told || errorQueue.length > before;
}

function stampError(host: EmulatedHost, sock: Sock, stamp: Stamp, kind: number): QueuedError {
  const alone = (stamp.flags & TIMESTAMPING.OPT_TSONLY) !== 0;
  return {
    // Without OPT_TSONLY the packet comes along.
    bytes: alone ? 0 : ((stamp.end - stamp.start) | 0) + (kind === TSTAMP.ACK ? 0 : headerBytes(host, sock)),
    errno: "ENOMSG",
    origin: ORIGIN.TIMESTAMPING,
    type: 0,
    code: 0,
    info: kind,
    data: stamp.key >>> 0,
    stampNs: host.nowNs,
  };
}

/** Bytes of the headers of a segment with data. */
function headerBytes(host: EmulatedHost, sock: Sock): number {
  const stamped = (tcpInfo(host.stack, sock.conn).tcpi_options & 1) !== 0;
  return (host.ipv6 ? 40 : 20) + (stamped ? 32 : 20);
}

/** Neighbouring completions are told in one (Linux `skb_zerocopy_notify_extend`). */
function completeCopy(queue: QueuedError[], low: number, high: number): void {
  const last = queue.at(-1);
  if (last?.origin === ORIGIN.ZEROCOPY && last.data + 1 === low) {
    last.data = high;
    return;
  }
  queue.push({
    errno: null,
    origin: ORIGIN.ZEROCOPY,
    type: 0,
    code: COPIED,
    info: low,
    data: high,
    stampNs: null,
    bytes: 0,
  });
}
