/**
 * Path MTU discovery (RFC 1191, RFC 8201): what hosts remember of paths (Linux's route exceptions), and the MSS of a
 * connection that follows from it.
 *
 * @module
 */
import { type StateVisitor, visitMap } from "../base/state.ts";
import type { TcpStack } from "./stack.ts";
import { SENDER, SENDER_FLAG } from "./state/sender_row.ts";
import { FLAG, TCB } from "./state/tcb.ts";
import { busySender } from "./write_queue.ts";

const { LOCAL, REMOTE, HOST, STATE, MSS, MASK, STRIDE } = TCB;
const { ANNOUNCED, FLAGS, PATH_MTU, SEARCH_LOW, SEARCH_HIGH, MSS_CLAMP } = SENDER;
const { MTU_SEARCH, PATH, KEEP } = SENDER_FLAG;
/** How long a path MTU is remembered, ns (`net.ipv4.route.mtu_expires`; RFC 1191 6.3, RFC 8201 4). */
const REMEMBERED_NS = 600e9;
/** Least MSS that is announced on a path that takes little (`net.ipv4.route.min_adv_mss`; IPv6: RFC 8200 5). */
const LEAST_ANNOUNCED = 256;
const LEAST_ANNOUNCED6 = 1220;
/** Least payload: an MTU of 68 less IPv4 and TCP headers and timestamps. */
const LEAST_PAYLOAD = 16;
/** Bytes of the timestamps option, padded. */
export const TIMESTAMP_BYTES = 12;
/** When there are twice as many entries as were left the last time, those that are over go. */
const FIRST_SWEEP = 64;

/** What the hosts of a partition remember of the paths from them. Nearly always empty: ask only if `size` is not 0. */
export class PathMemory {
  readonly #paths: Map<number, { mtu: number; expiresNs: number }> = new Map();
  #sweepAt = FIRST_SWEEP;

  /** Paths remembered. */
  get size(): number {
    return this.#paths.size;
  }

  /** The MTU of the path from a host to an address, 0 if nothing is known (any more). */
  find(stack: TcpStack, host: number, remote: number): number {
    const path = this.#paths.get(host * 2 ** 32 + (remote >>> 0));
    return path === undefined || path.expiresNs <= stack.nowNs ? 0 : path.mtu;
  }

  /** A path takes `mtu` bytes. True if that is less than was known. */
  learn(stack: TcpStack, host: number, remote: number, mtu: number): boolean {
    const known = this.find(stack, host, remote);
    if (mtu > (known || stack.hosts.mtuOf(host))) return false;
    const key = host * 2 ** 32 + (remote >>> 0);
    const path = this.#paths.get(key);
    const expiresNs = stack.nowNs + REMEMBERED_NS;
    if (path !== undefined) {
      path.mtu = mtu;
      path.expiresNs = expiresNs;
      return mtu !== known;
    }
    if (this.#paths.size >= this.#sweepAt) this.#sweep(stack);
    stack.addresses.retain(remote);
    this.#paths.set(key, { mtu, expiresNs });
    return true;
  }

  /** Forgets what `count` hosts from `first` on know. */
  forget(stack: TcpStack, first: number, count: number): void {
    for (const key of this.#paths.keys()) {
      const host = Math.floor(key / 2 ** 32);
      if (host < first || host >= first + count) continue;
      this.#paths.delete(key);
      stack.addresses.release(key % 2 ** 32 | 0);
    }
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#sweepAt = v.number(this.#sweepAt);
    visitMap(v, this.#paths);
  }

  #sweep(stack: TcpStack): void {
    for (const [key, path] of this.#paths) {
      if (path.expiresNs > stack.nowNs) continue;
      this.#paths.delete(key);
      stack.addresses.release(key % 2 ** 32 | 0);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#paths.size);
  }
}

/** Bytes of the IP and TCP headers without options. */
export function plainHeaderBytes(stack: TcpStack, conn: number): number {
  return stack.addresses.isIpv6(stack.tcbs.words[conn * STRIDE + LOCAL]) ? 60 : 40;
}

/** Bytes of options in a segment of the connection. */
export function timestampBytes(stack: TcpStack, conn: number): number {
  return (stack.tcbs.words[conn * STRIDE + STATE] & FLAG.TIMESTAMPS) !== 0 ? TIMESTAMP_BYTES : 0;
}

/** IP packet that a payload of `mss` bytes makes (Linux `tcp_mss_to_mtu`). */
export function mssToMtu(stack: TcpStack, conn: number, mss: number): number {
  return mss + plainHeaderBytes(stack, conn) + timestampBytes(stack, conn);
}

/** Payload that fits in an IP packet, never above what the peer takes (`tcp_mtu_to_mss`). `s`: the `SENDER` row. */
export function mtuToMss(stack: TcpStack, conn: number, s: number, mtu: number): number {
  const fits = Math.min(mtu - plainHeaderBytes(stack, conn), stack.senders.words[s + MSS_CLAMP]);
  return Math.max(LEAST_PAYLOAD, fits - timestampBytes(stack, conn));
}

/** The path MTU that the connection goes by: the interface's, or what was learnt. `s`: its `SENDER` row, 0 for none. */
export function pathMtuOf(stack: TcpStack, conn: number, s: number): number {
  return (s === 0 ? 0 : stack.senders.words[s + PATH_MTU]) || stack.hosts.mtuOf(stack.tcbs.words[conn * STRIDE + HOST]);
}

/**
 * The `SENDER` row of a connection whose MSS will not always be what was negotiated: made, and told what that was, if it
 * has not been.
 */
export function pathRow(stack: TcpStack, conn: number): number {
  const s = busySender(stack, conn);
  const rows = stack.senders.words;
  if (rows[s + MSS_CLAMP] === 0) {
    rows[s + MSS_CLAMP] = (stack.tcbs.words[conn * STRIDE + MSS] & 0xffff) + timestampBytes(stack, conn);
    rows[s + FLAGS] |= KEEP;
  }
  return s;
}

/** Sets the MSS by what is known of the path (Linux `tcp_sync_mss`). `s`: the `SENDER` row. */
export function syncMss(stack: TcpStack, conn: number, s: number): void {
  const rows = stack.senders.words;
  const mtu = pathMtuOf(stack, conn, s);
  if (rows[s + SEARCH_HIGH] > mtu) rows[s + SEARCH_HIGH] = mtu;
  let mss = mtuToMss(stack, conn, s, mtu);
  if ((rows[s + FLAGS] & MTU_SEARCH) !== 0) mss = Math.min(mss, mtuToMss(stack, conn, s, rows[s + SEARCH_LOW]));
  const at = conn * STRIDE + MSS;
  stack.tcbs.words[at] = (stack.tcbs.words[at] & ~0xffff) | mss;
}

/** The connection goes by the path's MTU from now on. True if that is less than before. */
export function lowerPathMtu(stack: TcpStack, conn: number, mtu: number): boolean {
  const s = pathRow(stack, conn);
  stack.senders.words[s + FLAGS] |= PATH;
  if (mtu >= pathMtuOf(stack, conn, s)) return false;
  stack.senders.words[s + PATH_MTU] = mtu;
  syncMss(stack, conn, s);
  return true;
}

/** The host has learnt something of the connection's path: it will see when it sends next. */
export function watchPathMtu(stack: TcpStack, conn: number): void {
  const s = pathRow(stack, conn);
  stack.senders.words[s + FLAGS] |= PATH;
}

/** A connection that has learnt something of its path is about to send: does that hold (`tcp_current_mss`)? */
export function refreshPathMtu(stack: TcpStack, conn: number, s: number): void {
  const rows = stack.senders.words;
  if ((rows[s + FLAGS] & PATH) === 0) return;
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const mtu = stack.pathMtus.find(stack, words[c + HOST], words[c + REMOTE]);
  if (mtu === rows[s + PATH_MTU]) return;
  rows[s + PATH_MTU] = mtu;
  syncMss(stack, conn, s);
}

/** A new connection, whose MSS is set as if nothing were known of its path, takes over what is known. */
export function adoptPathMtu(stack: TcpStack, conn: number): void {
  const words = stack.tcbs.words;
  const c = (conn * STRIDE) & MASK;
  const mtu = stack.pathMtus.find(stack, words[c + HOST], words[c + REMOTE]);
  if (mtu === 0) return;
  lowerPathMtu(stack, conn, mtu);
  stack.senders.words[pathRow(stack, conn) + ANNOUNCED] = announcedOnPath(
    stack,
    words[c + HOST],
    words[c + REMOTE],
    mtu,
  );
}

/** `mss`, or what is announced in its place on a path that takes less. Ask only if `stack.pathMtus.size` is not 0. */
export function announcedOnPath(stack: TcpStack, host: number, remote: number, mss: number): number {
  const mtu = stack.pathMtus.find(stack, host, remote);
  if (mtu === 0) return mss;
  const v6 = stack.addresses.isIpv6(remote);
  return Math.min(mss, Math.max(mtu - (v6 ? 60 : 40), v6 ? LEAST_ANNOUNCED6 : LEAST_ANNOUNCED));
}
