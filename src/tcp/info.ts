/**
 * Readable views of rows, for reports, dumps and tests. Cold: they allocate.
 *
 * @module
 */
import { rtoMs } from "./rtt.ts";
import { packetsInFlight } from "./scoreboard.ts";
import type { TcpStack } from "./stack.ts";
import { ROW_KIND, stateName } from "./state/states.ts";
import {
  ACK_STATE,
  COLD,
  FLAG,
  LISTENER,
  SYN_ROW,
  TCB,
  TIME_WAIT_FLAG,
  TIME_WAIT_ROW,
  TIMER,
  WARM,
} from "./state/tcb.ts";
import { unreadBytes } from "./window.ts";

/** A connection, readable. Sequence numbers are unsigned; windows in bytes, the congestion window in segments. */
export interface ConnectionInfo {
  /** Name of the state. */
  state: string;
  /** The host's row number. */
  host: number;
  /** Number within the host. */
  serial: number;
  /** Local address, `*` for any. */
  local: string;
  /** Local port. */
  localPort: number;
  /** Remote address. */
  remote: string;
  /** Remote port. */
  remotePort: number;
  /** SND.UNA. */
  sndUna: number;
  /** SND.NXT. */
  sndNxt: number;
  /** SND.WND, bytes. */
  sndWnd: number;
  /** One past the last byte written. */
  sndEnd: number;
  /** RCV.NXT. */
  rcvNxt: number;
  /** RCV.WND as last advertised, bytes. */
  rcvWnd: number;
  /** Bytes received in order and not read. */
  unread: number;
  /** Largest payload sent, bytes. */
  mss: number;
  /** Congestion window, segments. */
  cwnd: number;
  /** Segments; Infinity before the first loss. */
  ssthresh: number;
  /** Segments thought to be in the network. */
  inFlight: number;
  /** Smoothed round-trip time, µs; 0 before a sample. */
  srttUs: number;
  /** Retransmission timeout in force, ms. */
  rtoMs: number;
  /** Are timestamps in use? */
  timestamps: boolean;
  /** Was SACK permitted by both sides? */
  sack: boolean;
  /** Window shifts: the peer's and ours. */
  sndShift: number;
  /** Our window shift. */
  rcvShift: number;
  /** Does the connection hold a cold row now? */
  hasColdRow: boolean;
}

/** A readable view of a connection. */
export function connectionInfo(stack: TcpStack, conn: number): ConnectionInfo {
  const words = stack.tcbs.words;
  const c = conn * TCB.STRIDE;
  const warm = stack.warm;
  const w = conn * WARM.STRIDE;
  const state = words[c + TCB.STATE];
  const cold = warm[w + WARM.COLD];
  const ssthresh = cold === 0 ? 0x7fffffff : stack.cold.words[cold * COLD.STRIDE + COLD.SSTHRESH];
  return {
    state: stateName(state & FLAG.STATE_MASK),
    host: words[c + TCB.HOST],
    serial: warm[w + WARM.SERIAL] >>> 0,
    local: stack.addresses.toText(words[c + TCB.LOCAL]),
    localPort: words[c + TCB.PORTS] >>> 16,
    remote: stack.addresses.toText(words[c + TCB.REMOTE]),
    remotePort: words[c + TCB.PORTS] & 0xffff,
    sndUna: words[c + TCB.SND_UNA] >>> 0,
    sndNxt: words[c + TCB.SND_NXT] >>> 0,
    sndWnd: words[c + TCB.SND_WND],
    sndEnd: words[c + TCB.SND_END] >>> 0,
    rcvNxt: words[c + TCB.RCV_NXT] >>> 0,
    rcvWnd: (words[c + TCB.RCV_ADV] - words[c + TCB.RCV_NXT]) | 0,
    unread: unreadBytes(stack, conn),
    mss: words[c + TCB.MSS] & 0xffff,
    cwnd: words[c + TCB.CWND],
    ssthresh: ssthresh === 0x7fffffff ? Infinity : ssthresh,
    inFlight: packetsInFlight(stack, conn),
    srttUs: (state & FLAG.FAILED) !== 0 ? 0 : warm[w + WARM.SRTT] >> 3,
    rtoMs: rtoMs(stack, conn),
    timestamps: (state & FLAG.TIMESTAMPS) !== 0,
    sack: (state & FLAG.SACK) !== 0,
    sndShift: (state >> FLAG.SND_SHIFT_AT) & 0xf,
    rcvShift: (state >> FLAG.RCV_SHIFT_AT) & 0xf,
    hasColdRow: cold !== 0,
  };
}

/** The state of a connection, one of `STATE`. */
export function connectionState(stack: TcpStack, conn: number): number {
  return stack.tcbs.words[conn * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK;
}

/** How many connections are in each state, SYN queue and TIME_WAIT rows included. Walks the table. */
export function stateCounts(stack: TcpStack): Record<string, number> {
  const counts: Record<string, number> = {};
  const words = stack.tcbs.words;
  for (let conn = 1; conn < stack.tcbs.end; conn++) {
    const c = conn * TCB.STRIDE;
    if (words[c + TCB.PORTS] === 0) continue;
    const name = stateName(words[c + TCB.STATE] & FLAG.STATE_MASK);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  if (stack.listeners.inUse > 0) counts.LISTEN = stack.listeners.inUse;
  if (stack.synRows.inUse > 0) counts.SYN_RECEIVED = (counts.SYN_RECEIVED ?? 0) + stack.synRows.inUse;
  const rows = stack.timeWaits.words;
  for (let row = 1; row < stack.timeWaits.end; row++) {
    const t = row * TIME_WAIT_ROW.STRIDE;
    if (rows[t + TIME_WAIT_ROW.PORTS] === 0) continue;
    const waits = (rows[t + TIME_WAIT_ROW.FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0;
    const name = waits ? "FIN_WAIT_2" : "TIME_WAIT";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** A listener, readable. */
export interface ListenerInfo {
  /** The host's row number. */
  host: number;
  /** Local address, `*` for any. */
  local: string;
  /** Port. */
  port: number;
  /** Length asked for, capped by `somaxconn`. */
  backlog: number;
  /** Connections in the accept queue. */
  acceptQueue: number;
  /** Connections in the SYN queue. */
  synQueue: number;
  /** Most ever in the accept queue, up to 65,535. */
  peakAcceptQueue: number;
  /** Most ever in the SYN queue, up to 65,535. */
  peakSynQueue: number;
  /** Final ACKs and SYNs that found the accept queue full. */
  acceptOverflows: number;
  /** SYNs that found the SYN queue full. */
  synOverflows: number;
  /** Time of the first overflow, ns; -1 for never. */
  firstAcceptOverflowNs: number;
  /** Time of the first SYN queue overflow, ns; -1 for never. */
  firstSynOverflowNs: number;
}

/** A readable view of a listener. */
export function listenerInfo(stack: TcpStack, listener: number): ListenerInfo {
  const rows = stack.listeners.words;
  const l = listener * LISTENER.STRIDE;
  const time = (count: number, at: number) => rows[l + count] === 0 ? -1 : rows[l + at] * 2 ** 30 + rows[l + at + 1];
  return {
    host: rows[l + LISTENER.HOST],
    local: stack.addresses.toText(rows[l + LISTENER.LOCAL]),
    port: rows[l + LISTENER.PORT],
    backlog: rows[l + LISTENER.BACKLOG],
    acceptQueue: rows[l + LISTENER.ACCEPT_COUNT],
    synQueue: rows[l + LISTENER.SYN_COUNT],
    peakAcceptQueue: rows[l + LISTENER.PEAKS] >>> 16,
    peakSynQueue: rows[l + LISTENER.PEAKS] & 0xffff,
    acceptOverflows: rows[l + LISTENER.ACCEPT_OVERFLOWS],
    synOverflows: rows[l + LISTENER.SYN_OVERFLOWS],
    firstAcceptOverflowNs: time(LISTENER.ACCEPT_OVERFLOWS, LISTENER.ACCEPT_FIRST_HIGH),
    firstSynOverflowNs: time(LISTENER.SYN_OVERFLOWS, LISTENER.SYN_FIRST_HIGH),
  };
}

/** Armed timers, of those that keep a run alive, of what `Demux` has of a tuple (not 0). */
export function liveTimersOf(stack: TcpStack, value: number): number {
  const row = value >>> 2;
  switch (value & 3) {
    case ROW_KIND.TIME_WAIT:
      return stack.timeWaits.words[row * TIME_WAIT_ROW.STRIDE + TIME_WAIT_ROW.DEADLINE] !== 0 ? 1 : 0;
    case ROW_KIND.SYN_RECEIVED:
      return stack.synRows.words[row * SYN_ROW.STRIDE + SYN_ROW.DEADLINE] !== 0 ? 1 : 0;
    default: {
      const delayed = stack.warm[row * WARM.STRIDE + WARM.ACK_STATE] & ACK_STATE.DELAYED;
      return (stack.timers[row * TIMER.STRIDE + TIMER.REXMIT] !== 0 ? 1 : 0) + (delayed !== 0 ? 1 : 0);
    }
  }
}
