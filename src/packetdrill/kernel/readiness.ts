/**
 * What a file is ready for, as `poll` tells it (Linux `tcp_poll`).
 *
 * @module
 */
import {
  isFastOpenPending,
  isWritable,
  listenerInfo,
  NOTHING,
  receiveUrgent,
  STATE,
  unreadBytes,
} from "../../tcp/mod.ts";
import type { EmulatedHost } from "../host.ts";
import { POLL, SHUT } from "./abi.ts";
import type { OpenFile } from "./files.ts";
import type { Sock } from "./socket.ts";

/** Bits of `POLL` that hold for a file now. */
export function readiness(host: EmulatedHost, file: OpenFile): number {
  const { target } = file;
  if (target.kind === "socket") return socketReadiness(host, target);
  if (target.kind === "pipe") {
    if (target.writes) return target.room > 0 ? POLL.OUT | POLL.WRNORM : 0;
    return target.state.bytes > 0 ? POLL.IN | POLL.RDNORM : target.state.writers === 0 ? POLL.HUP : 0;
  }
  return 0;
}

function socketReadiness(host: EmulatedHost, sock: Sock): number {
  if (sock.deferred) return POLL.OUT | POLL.WRNORM;
  const state = sock.state(host);
  if (state === STATE.LISTEN) {
    return listenerInfo(host.stack, sock.listener).acceptQueue > 0 ? POLL.IN | POLL.RDNORM : 0;
  }
  let mask = 0;
  const shut = sock.shut | (sock.ended ? SHUT.READ : 0);
  if (shut === SHUT.BOTH || state === STATE.CLOSED) mask |= POLL.HUP;
  if ((shut & SHUT.READ) !== 0) mask |= POLL.IN | POLL.RDNORM | POLL.RDHUP;
  const early = state === STATE.SYN_RECEIVED && isFastOpenPending(host.stack, sock.conn);
  if (early || (state !== STATE.SYN_SENT && state !== STATE.SYN_RECEIVED)) {
    if (readable(host, sock)) mask |= POLL.IN | POLL.RDNORM;
    if (sock.conn !== 0 && urgentWaits(host, sock.conn)) mask |= POLL.PRI;
    if ((shut & SHUT.WRITE) !== 0 || writable(host, sock)) mask |= POLL.OUT | POLL.WRNORM;
  }
  if (sock.error !== null || sock.errorQueue.length > 0) mask |= POLL.ERR;
  return mask;
}

function readable(host: EmulatedHost, sock: Sock): boolean {
  return sock.conn !== 0 && unreadBytes(host.stack, sock.conn) >= Math.max(1, sock.receiveLow);
}

/** Is there room for writing: a third of the buffer free, as Linux has it? */
function writable(host: EmulatedHost, sock: Sock): boolean {
  return sock.conn === 0 || isWritable(host.stack, sock.conn);
}

/** Has an urgent byte come that nobody has read? */
function urgentWaits(host: EmulatedHost, conn: number): boolean {
  const byte = receiveUrgent(host.stack, conn, true);
  return byte >= 0 && byte !== NOTHING;
}
