/**
 * What a connection takes over from the socket that opened or accepted it.
 *
 * @module
 */
import type { EmulatedHost } from "../host.ts";
import { OPTIONS } from "./option_table.ts";
import { Sock } from "./socket.ts";

/** Applies the options that were set on `from` to a connection. */
export function inheritOptions(host: EmulatedHost, from: Sock, conn: number): void {
  for (const [key, value] of from.options) OPTIONS.get(key)?.apply?.(host.stack, conn, value, from);
  if (from.lingerSeconds !== null) host.setLinger(conn, from.lingerSeconds);
  if (from.congestion !== null) host.setCongestion(conn, from.congestion);
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
  sock.phase = "connected";
  return sock;
}
