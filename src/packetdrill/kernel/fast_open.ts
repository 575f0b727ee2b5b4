/**
 * Sending with the SYN: MSG_FASTOPEN and TCP_FASTOPEN_CONNECT (Linux `tcp_sendmsg_fastopen`, RFC 7413).
 *
 * @module
 */
import { noteSend } from "./completions.ts";
import {
  connectWithData,
  fastOpenAllowed,
  holdHandshakeAck,
  STATE,
  synDataBytes,
  wouldSendSynData,
} from "../../tcp/mod.ts";
import { HOST_ROW } from "../host.ts";
import { LEVEL, MSG, TCP } from "./abi.ts";
import { endConnect } from "./connections.ts";
import { isNonBlocking, type OpenFile } from "./files.ts";
import { inheritOptions } from "./inherit.ts";
import { instantly, type Kernel, waiting } from "./kernel.ts";
import { keyOf } from "./option_table.ts";
import { type CallResult, done, failed, fromStack, type Operation } from "./result.ts";
import type { Sock } from "./socket.ts";
import { sendOperation } from "./transfer.ts";

const isSet = (sock: Sock, option: number) => (sock.options.get(keyOf(LEVEL.TCP, option)) ?? 0) !== 0;

/** Sends the SYN with up to `bytes` bytes; returns the connection or `-errno`. */
export function openWithData(kernel: Kernel, sock: Sock, bytes: number): number {
  const { host, config } = kernel;
  kernel.detach(sock);
  const conn = connectWithData(
    host.stack,
    HOST_ROW,
    host.local,
    sock.boundPort,
    host.remote,
    config.connectPort,
    1,
    bytes,
    {
      noCookie: isSet(sock, TCP.FASTOPEN_NO_COOKIE),
      prepare: (made) => inheritOptions(host, sock, made),
    },
  );
  if (conn < 0) return conn;
  kernel.attach(sock, conn);
  sock.deferred = false;
  host.drain();
  return conn;
}

/**
 * TCP_FASTOPEN_CONNECT: does `connect` wait for the data that the SYN could carry? (Linux `tcp_fastopen_defer_connect`.)
 */
export function defersConnect(kernel: Kernel, sock: Sock): boolean {
  const { host } = kernel;
  if (!isSet(sock, TCP.FASTOPEN_CONNECT)) return false;
  return wouldSendSynData(host.stack, HOST_ROW, host.local, host.remote, isSet(sock, TCP.FASTOPEN_NO_COOKIE));
}

/** Is a cookie asked for with the SYN of a plain `connect`? */
export function asksForCookie(sock: Sock): boolean {
  return isSet(sock, TCP.FASTOPEN_CONNECT);
}

/** Connects and sends `bytes` bytes, in the SYN as far as a cookie allows; what it does not take follows. */
export function sendFastOpen(
  kernel: Kernel,
  file: OpenFile,
  sock: Sock,
  bytes: number,
  flags: number,
  named: boolean,
): Operation {
  const { host } = kernel;
  if (!fastOpenAllowed(host.stack, HOST_ROW)) return instantly(() => failed("EOPNOTSUPP"));
  const before = sock.state(host);
  if (!sock.deferred && sock.phase === "connecting" && before !== STATE.SYN_SENT && before !== STATE.SYN_RECEIVED) {
    // The handshake is over, and nobody has asked yet: the flag means nothing any more.
    const connected = endConnect(kernel, sock, before);
    if (connected.value < 0) return instantly(() => connected);
    return sendOperation(kernel, file, sock, bytes, flags & ~MSG.FASTOPEN, named);
  }
  const refused = sock.deferred ? null : refusal(sock, named);
  if (refused !== null) return instantly(() => failed(refused));
  let inSyn = -1;
  let rest: Operation | undefined;
  return waiting((timedOut) => {
    if (rest !== undefined) return withSyn(rest.attempt(timedOut), inSyn);
    if (inSyn < 0) {
      const conn = openWithData(kernel, sock, bytes);
      if (conn < 0) return fromStack(conn);
      sock.phase = "connecting";
      inSyn = synDataBytes(host.stack, conn);
      // Data of a SYN has no time stamps (Linux).
      if (inSyn === bytes) noteSend(host, sock, inSyn, (flags & MSG.ZEROCOPY) !== 0, 0);
    }
    const state = sock.state(host);
    if (state === STATE.SYN_SENT || state === STATE.SYN_RECEIVED) {
      if (!isNonBlocking(file) && (flags & MSG.DONTWAIT) === 0 && !timedOut) {
        if (bytes > inSyn) holdHandshakeAck(host.stack, sock.conn);
        return null;
      }
      return inSyn > 0 ? done(inSyn) : failed("EINPROGRESS");
    }
    const connected = endConnect(kernel, sock, state);
    if (connected.value < 0) return connected;
    rest = sendOperation(kernel, file, sock, bytes - inSyn, flags & ~MSG.FASTOPEN, named);
    return withSyn(rest.attempt(timedOut), inSyn);
  }, host.nowNs + sock.sendTimeoutNs);
}

/** Why the socket cannot begin to connect. */
function refusal(sock: Sock, named: boolean): string | null {
  if (sock.phase === "connected") return "EISCONN";
  if (sock.phase === "connecting") return "EALREADY";
  if (sock.phase === "disconnecting") return "EINVAL";
  if (sock.listener !== 0) return "EISCONN";
  return named ? null : "EINVAL";
}

/** What a call returns whose first bytes went with the SYN. */
function withSyn(result: CallResult | null, inSyn: number): CallResult | null {
  if (result === null) return null;
  if (result.value >= 0) return done(result.value + inSyn);
  return inSyn > 0 ? done(inSyn) : result;
}
