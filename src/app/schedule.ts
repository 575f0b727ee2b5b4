/**
 * Workloads that play a list: connections that begin at given times, and on each the same exchanges one after the other.
 *
 * A server must know which list a connection plays. Clients write into a book which of them their initial sequence
 * number stands for: it is the one thing that a connection keeps through address translators. (Real programs say it in
 * their first bytes; the payload here is counted, not carried.)
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { unreadBytes } from "../socket/rows.ts";
import { FLAG, TCB } from "../tcp/state/tcb.ts";
import type { TcpStack } from "../tcp/stack.ts";

/** What the connections of a schedule do: columns, one row for each exchange. Sizes in bytes, times in ns. */
export interface ExchangePlan {
  /** How many exchanges. */
  count: number;
  /** Bytes that the client sends, 0 for none. */
  requestBytes: Float64Array;
  /** Bytes that the server sends once it has read those, 0 for none. */
  replyBytes: Float64Array;
  /** Pause of the client before it sends: from the end of the exchange before, or from the connection's beginning. */
  thinkNs: Float64Array;
  /** Pause of the server between the request's last byte and the reply. */
  workNs: Float64Array;
  /** How long the connection stays open after the last exchange, ns; Infinity for ever. */
  holdNs: number;
  /** Who closes then. */
  clientCloses: boolean;
  /** See `clientCloses`. */
  serverCloses: boolean;
  /** Is it a reset instead of a FIN? */
  resets: boolean;
  /** Does who closes end its own direction alone, `holdNs` after its last bytes, and read on (RFC 9293 3.6)? */
  halfCloses: boolean;
  /** How long the other end is in CLOSE_WAIT: from the FIN, or its own last bytes if they come later; ns. */
  closeWaitNs: number;
}

/** The last exchange in which an end with these sizes sends, -1 if it never does. */
export function lastSent(bytes: Float64Array): number {
  return bytes.findLastIndex((count) => count > 0);
}

/** Which schedule an arriving connection plays. */
export class ScheduleBook {
  /** From initial sequence number and server port to the server application of the schedule. */
  #apps = new Map<number, number>();
  #keeper: unknown;
  /** Where several threads have a book each: called with what is written into this one; an application of -1: taken. */
  onWrite: ((sequence: number, port: number, app: number) => void) | undefined = undefined;

  /** Is `client` the one that shows the book to snapshots? The first that asks is. */
  isKeptBy(client: unknown): boolean {
    this.#keeper ??= client;
    return this.#keeper === client;
  }

  /** The client's SYN with this initial sequence number begins a connection to `port` that `app` will serve. */
  announce(sequence: number, port: number, app: number): void {
    this.copy(sequence, port, app);
    this.onWrite?.(sequence, port, app);
  }

  /** The same, written into the book of another thread. */
  copy(sequence: number, port: number, app: number): void {
    if (app < 0) this.#apps.delete(keyOf(sequence, port));
    else this.#apps.set(keyOf(sequence, port), app);
  }

  /** Takes the entry of a connection that has been accepted, or has ended; -1 if there is none. */
  take(sequence: number, port: number): number {
    const key = keyOf(sequence, port);
    const app = this.#apps.get(key) ?? -1;
    if (this.#apps.delete(key)) this.onWrite?.(sequence, port, -1);
    return app;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    const entries = v.plain([...this.#apps]);
    if (v.restoring) this.#apps = new Map(entries);
  }
}

function keyOf(sequence: number, port: number): number {
  return (sequence >>> 0) * 65536 + port;
}

/** The initial sequence number of a connection's peer, as long as the application has read nothing. */
export function peerSequence(tcp: TcpStack, connection: number): number {
  const words = tcp.tcbs.words;
  const at = connection * TCB.STRIDE;
  const fin = (words[at + TCB.STATE] & FLAG.FIN_RECEIVED) !== 0 ? 1 : 0;
  return (words[at + TCB.RCV_NXT] - unreadBytes(tcp, connection) - fin - 1) | 0;
}

/** The port of this end of a connection. */
export function localPortOf(tcp: TcpStack, connection: number): number {
  return tcp.tcbs.words[connection * TCB.STRIDE + TCB.PORTS] >>> 16;
}
