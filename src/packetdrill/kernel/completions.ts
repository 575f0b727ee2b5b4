/**
 * What a socket's error queue tells of data that was sent: time stamps (SO_TIMESTAMPING) and buffers of MSG_ZEROCOPY that
 * may be used again.
 *
 * @module
 */
import { TCB } from "../../tcp/mod.ts";
import type { EmulatedHost } from "../host.ts";
import { LEVEL, ORIGIN, SO, TIMESTAMPING, TSTAMP } from "./abi.ts";
import type { QueuedError, Sock } from "./socket.ts";

const { SND_UNA, SND_NXT, SND_END, STRIDE } = TCB;
const ZEROCOPY_KEY = (LEVEL.SOCKET << 16) | SO.ZEROCOPY;
const TIMESTAMPING_KEY = (LEVEL.SOCKET << 16) | SO.TIMESTAMPING;
/** `SO_EE_CODE_ZEROCOPY_COPIED`: the bytes were copied on the way after all, as virtual interfaces do. */
const COPIED = 1;

/** Sends whose fate has to be told. */
export interface Completions {
  /** Number of the next send with MSG_ZEROCOPY. */
  nextCopy: number;
  /** Sequence number that time stamps count bytes from. */
  base: number;
  copies: { end: number; low: number; high: number }[];
  stamps: { end: number; key: number; sent: boolean }[];
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

/** A send call has taken bytes, up to `SND_END` now. `zeroCopy`: with MSG_ZEROCOPY. */
export function noteSend(host: EmulatedHost, sock: Sock, zeroCopy: boolean): void {
  const { completions } = sock;
  const end = host.stack.tcbs.words[sock.conn * STRIDE + SND_END];
  if (zeroCopy && (sock.options.get(ZEROCOPY_KEY) ?? 0) !== 0) {
    const number = completions.nextCopy++;
    completions.copies.push({ end, low: number, high: number });
  }
  const flags = sock.options.get(TIMESTAMPING_KEY) ?? 0;
  if ((flags & (TIMESTAMPING.TX_SOFTWARE | TIMESTAMPING.TX_SCHED | TIMESTAMPING.TX_ACK)) === 0) return;
  const key = (flags & TIMESTAMPING.OPT_ID) !== 0 ? (end - 1 - completions.base) | 0 : 0;
  completions.stamps.push({ end, key, sent: false });
}

/** Puts what has happened since into the error queue; true if there is something new. */
export function collectCompletions(host: EmulatedHost, sock: Sock): boolean {
  const { completions, errorQueue } = sock;
  if (sock.conn === 0 || completions.copies.length + completions.stamps.length === 0) return false;
  const before = errorQueue.length;
  let told = false;
  const words = host.stack.tcbs.words;
  const c = sock.conn * STRIDE;
  const reached = (field: number, end: number) => ((words[c + field] - end) | 0) >= 0;
  const flags = sock.options.get(TIMESTAMPING_KEY) ?? 0;
  for (const stamp of completions.stamps) {
    if (!stamp.sent && reached(SND_NXT, stamp.end)) {
      stamp.sent = true;
      if ((flags & TIMESTAMPING.TX_SCHED) !== 0) errorQueue.push(stampError(host, stamp.key, TSTAMP.SCHED));
      if ((flags & TIMESTAMPING.TX_SOFTWARE) !== 0) errorQueue.push(stampError(host, stamp.key, TSTAMP.SND));
    }
    if (reached(SND_UNA, stamp.end) && (flags & TIMESTAMPING.TX_ACK) !== 0) {
      errorQueue.push(stampError(host, stamp.key, TSTAMP.ACK));
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

function stampError(host: EmulatedHost, key: number, kind: number): QueuedError {
  return {
    errno: "ENOMSG",
    origin: ORIGIN.TIMESTAMPING,
    type: 0,
    code: 0,
    info: kind,
    data: key >>> 0,
    stampNs: host.nowNs,
  };
}

/** Neighbouring completions are told in one (Linux `skb_zerocopy_notify_extend`). */
function completeCopy(queue: QueuedError[], low: number, high: number): void {
  const last = queue.at(-1);
  if (last?.origin === ORIGIN.ZEROCOPY && last.data + 1 === low) {
    last.data = high;
    return;
  }
  queue.push({ errno: null, origin: ORIGIN.ZEROCOPY, type: 0, code: COPIED, info: low, data: high, stampNs: null });
}
