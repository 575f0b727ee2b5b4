/**
 * The error queue of a socket (IP_RECVERR, IPV6_RECVERR) and `recvmsg(…, MSG_ERRQUEUE)`.
 *
 * @module
 */
import type { Value } from "../script.ts";
import { IP, IPV6, LEVEL, MSG } from "./abi.ts";
import { fieldOf, type MessageHeader, numberOf } from "./arguments.ts";
import { CONSTANTS } from "../constants.ts";
import type { Kernel } from "./kernel.ts";
import { type CallResult, done, failed } from "./result.ts";
import type { QueuedError, Sock } from "./socket.ts";

/** Takes the oldest error and holds it against the control messages that the script expects. */
export function receiveError(kernel: Kernel, sock: Sock, header: MessageHeader): CallResult {
  const error = sock.errorQueue.shift();
  if (error === undefined) return failed("EAGAIN");
  const v6 = kernel.host.ipv6;
  return done(0, { mismatch: flagsMismatch(header) ?? controlMismatch(header.control ?? [], error, v6) });
}

function flagsMismatch(header: MessageHeader): string | null {
  return header.flags === MSG.ERRQUEUE ? null : `msg_flags: expected ${header.flags}, actual ${MSG.ERRQUEUE}`;
}

function controlMismatch(expected: readonly Value[], error: QueuedError, v6: boolean): string | null {
  if (expected.length !== 1) return `control messages: expected ${expected.length}, actual 1`;
  const [message] = expected;
  const actual: [string, number][] = [
    ["cmsg_level", v6 ? LEVEL.IPV6 : LEVEL.IP],
    ["cmsg_type", v6 ? IPV6.RECVERR : IP.RECVERR],
  ];
  const data = fieldOf(message, "cmsg_data");
  if (data === undefined) return "control message: no cmsg_data is expected, there is some";
  const inner: [string, number][] = [
    ["ee_errno", CONSTANTS.get(error.errno) ?? -1],
    ["ee_origin", error.origin],
    ["ee_type", error.type],
    ["ee_code", error.code],
    ["ee_info", error.info],
    ["ee_data", 0],
  ];
  return firstMismatch(message, actual) ?? firstMismatch(data, inner);
}

function firstMismatch(expected: Value, actual: readonly [string, number][]): string | null {
  for (const [name, value] of actual) {
    const field = fieldOf(expected, name);
    if (field === undefined || field.kind === "any") continue;
    const wanted = numberOf(field);
    if (wanted !== value) return `${name}: expected ${wanted}, actual ${value}`;
  }
  return null;
}
