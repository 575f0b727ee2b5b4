/**
 * What applications read off TCP's rows.
 *
 * @module
 */
import { STATE } from "../tcp/state/states.ts";
import { FLAG, LISTENER, TCB, WARM } from "../tcp/state/tcb.ts";
import { listenerInfo } from "../tcp/mod.ts";
import type { TcpStack } from "../tcp/stack.ts";

const {
  HOST: TCB_HOST,
  REMOTE: TCB_REMOTE,
  STATE: TCB_STATE,
  RCV_NXT: TCB_RCV_NXT,
  RCV_READ: TCB_RCV_READ,
  MASK: TCB_MASK,
  STRIDE: TCB_STRIDE,
} = TCB;
const { HOST: L_HOST, ACCEPT_COUNT: L_ACCEPT_COUNT, MASK: L_MASK, STRIDE: L_STRIDE } = LISTENER;
const { FIN_RECEIVED } = FLAG;

/** The node that a connection belongs to. */
export function hostOf(tcp: TcpStack, connection: number): number {
  return tcp.tcbs.words[((connection * TCB_STRIDE) & TCB_MASK) + TCB_HOST];
}

/** The address id of a connection's other end. */
export function remoteOf(tcp: TcpStack, connection: number): number {
  return tcp.tcbs.words[((connection * TCB_STRIDE) & TCB_MASK) + TCB_REMOTE];
}

/** The connections that an application holds, in the order of (rank of the host, serial). Cold: looks at every row. */
export function connectionsOf(tcp: TcpStack, app: number): number[] {
  const found: number[] = [];
  for (let c = 1; c < tcp.tcbs.end; c++) {
    if (tcp.tcbs.words[c * TCB.STRIDE + TCB.PORTS] === 0 || tcp.warm[c * WARM.STRIDE + WARM.APP] !== app) continue;
    if ((tcp.tcbs.words[c * TCB.STRIDE + TCB.STATE] & (FLAG.ORPHAN | FLAG.UNACCEPTED)) === 0) found.push(c);
  }
  const rank = (c: number) => tcp.hosts.rankOf(hostOf(tcp, c));
  const serial = (c: number) => tcp.warm[c * WARM.STRIDE + WARM.SERIAL] >>> 0;
  return found.sort((a, b) => rank(a) - rank(b) || serial(a) - serial(b));
}

/** Has the peer closed its direction, with everything before it received? */
export function peerHasClosed(tcp: TcpStack, connection: number): boolean {
  return (tcp.tcbs.words[((connection * TCB_STRIDE) & TCB_MASK) + TCB_STATE] & FIN_RECEIVED) !== 0;
}

/** Is the handshake through, so that data may be sent? */
export function isConnected(tcp: TcpStack, connection: number): boolean {
  const state = tcp.tcbs.words[connection * TCB.STRIDE + TCB.STATE] & FLAG.STATE_MASK;
  return state !== STATE.SYN_SENT && state !== STATE.SYN_RECEIVED;
}

/** Bytes received in order that the application has not read. */
export function unreadBytes(tcp: TcpStack, connection: number): number {
  const words = tcp.tcbs.words;
  const at = (connection * TCB_STRIDE) & TCB_MASK;
  const fin = (words[at + TCB_STATE] & FIN_RECEIVED) !== 0 ? 1 : 0;
  return (words[at + TCB_RCV_NXT] - words[at + TCB_RCV_READ] - fin) | 0;
}

/** The node that a listener belongs to. */
export function listenerHost(tcp: TcpStack, listener: number): number {
  return tcp.listeners.words[((listener * L_STRIDE) & L_MASK) + L_HOST];
}

/** Connections that wait in a listener's accept queue. */
export function acceptQueueLength(tcp: TcpStack, listener: number): number {
  return tcp.listeners.words[((listener * L_STRIDE) & L_MASK) + L_ACCEPT_COUNT];
}

/** How a listener's queues were used. Times in ns, -1 for never. */
export interface ListenerUse {
  host: number;
  port: number;
  backlog: number;
  acceptPeak: number;
  acceptOverflows: number;
  acceptFirstNs: number;
  synPeak: number;
  synOverflows: number;
  synFirstNs: number;
}

/** Reads a listener's counters. */
export function listenerUse(tcp: TcpStack, listener: number): ListenerUse {
  const info = listenerInfo(tcp, listener);
  return {
    host: info.host,
    port: info.port,
    backlog: info.backlog,
    acceptPeak: info.peakAcceptQueue,
    acceptOverflows: info.acceptOverflows >>> 0,
    acceptFirstNs: info.firstAcceptOverflowNs,
    synPeak: info.peakSynQueue,
    synOverflows: info.synOverflows >>> 0,
    synFirstNs: info.firstSynOverflowNs,
  };
}
