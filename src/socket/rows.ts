/**
 * What applications read off TCP's rows.
 *
 * @module
 */
import { FLAG, LISTENER, TCB } from "../tcp/state/tcb.ts";
import type { TcpStack } from "../tcp/stack.ts";

/** The node that a connection belongs to. */
export function hostOf(tcp: TcpStack, connection: number): number {
  return tcp.tcbs.words[connection * TCB.STRIDE + TCB.HOST];
}

/** Has the peer closed its direction, with everything before it received? */
export function peerHasClosed(tcp: TcpStack, connection: number): boolean {
  return (tcp.tcbs.words[connection * TCB.STRIDE + TCB.STATE] & FLAG.FIN_RECEIVED) !== 0;
}

/** Bytes received in order that the application has not read. */
export function unreadBytes(tcp: TcpStack, connection: number): number {
  const words = tcp.tcbs.words;
  const at = connection * TCB.STRIDE;
  const fin = (words[at + TCB.STATE] & FLAG.FIN_RECEIVED) !== 0 ? 1 : 0;
  return (words[at + TCB.RCV_NXT] - words[at + TCB.RCV_READ] - fin) | 0;
}

/** The node that a listener belongs to. */
export function listenerHost(tcp: TcpStack, listener: number): number {
  return tcp.listeners.words[listener * LISTENER.STRIDE + LISTENER.HOST];
}

/** Connections that wait in a listener's accept queue. */
export function acceptQueueLength(tcp: TcpStack, listener: number): number {
  return tcp.listeners.words[listener * LISTENER.STRIDE + LISTENER.ACCEPT_COUNT];
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
  const words = tcp.listeners.words;
  const at = listener * LISTENER.STRIDE;
  const time = (count: number, high: number, low: number) =>
    words[at + count] === 0 ? -1 : words[at + high] * 2 ** 30 + words[at + low];
  return {
    host: words[at + LISTENER.HOST],
    port: words[at + LISTENER.PORT],
    backlog: words[at + LISTENER.BACKLOG],
    acceptPeak: words[at + LISTENER.PEAKS] >>> 16,
    acceptOverflows: words[at + LISTENER.ACCEPT_OVERFLOWS] >>> 0,
    acceptFirstNs: time(LISTENER.ACCEPT_OVERFLOWS, LISTENER.ACCEPT_FIRST_HIGH, LISTENER.ACCEPT_FIRST_LOW),
    synPeak: words[at + LISTENER.PEAKS] & 0xffff,
    synOverflows: words[at + LISTENER.SYN_OVERFLOWS] >>> 0,
    synFirstNs: time(LISTENER.SYN_OVERFLOWS, LISTENER.SYN_FIRST_HIGH, LISTENER.SYN_FIRST_LOW),
  };
}
