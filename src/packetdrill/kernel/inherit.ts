/**
 * What a connection takes over from the socket that opened or accepted it.
 *
 * @module
 */
import { setFastOpenKey } from "../../tcp/mod.ts";
import type { EmulatedHost } from "../host.ts";
import { OPTIONS } from "./option_table.ts";
import { Sock } from "./socket.ts";

/** Applies the options that were set on `from` to a connection. */
export function inheritOptions(host: EmulatedHost, from: Sock, conn: number): void {
  for (const [key, value] of from.options) {
    const option = OPTIONS.get(key);
    // What a listener passes on by itself is there already.
    if (from.listener === 0 || option?.listener === undefined) option?.apply?.(host.stack, conn, value, from);
  }
  if (from.lingerSeconds !== null) host.setLinger(conn, from.lingerSeconds);
  if (from.congestion !== null) host.setCongestion(conn, from.congestion);
}

/** Applies the options that were set on a socket to the listener that it has become. */
export function listenerOptions(host: EmulatedHost, sock: Sock): void {
  for (const [key, value] of sock.options) OPTIONS.get(key)?.listener?.(host.stack, sock.listener, value);
  if (sock.fastOpenKey !== null) setFastOpenKey(host.stack, sock.listener, sock.fastOpenKey);
}

/** The socket of an accepted connection, with its listener's options (Linux `inet_csk_clone_lock`). */
export function acceptedSocket(listener: Sock): Sock {
  const sock = new Sock(listener.ipv6, listener.type);
  for (const [key, value] of listener.options) sock.options.set(key, value);
  sock.congestion = listener.congestion;
  sock.lingerSeconds = listener.lingerSeconds;
  sock.receiveTimeoutNs = listener.receiveTimeoutNs;
  sock.sendTimeoutNs = listener.sendTimeoutNs;
  sock.receiveLow = listener.receiveLow;
  sock.boundPort = listener.boundPort;
  sock.accepted = true;
  sock.phase = "connected";
  return sock;
}
