/**
 * `recvmsg(…, MSG_ERRQUEUE)`: what the error queue of a socket has to tell, as control messages.
 *
 * @module
 */
import { CONSTANTS } from "../constants.ts";
import type { Value } from "../script.ts";
import { IP, IPV6, LEVEL, MSG, SO, TIMESTAMPING } from "./abi.ts";
import { fieldOf, type MessageHeader, numberOf } from "./arguments.ts";
import type { Kernel } from "./kernel.ts";
import { type CallResult, done, failed } from "./result.ts";
import type { QueuedError, Sock } from "./socket.ts";

const TIMESTAMPING_KEY = (LEVEL.SOCKET << 16) | SO.TIMESTAMPING;

/** Takes the oldest entry and holds it against the control messages that the script expects. */
export function receiveError(kernel: Kernel, sock: Sock, header: MessageHeader): CallResult {
  const error = sock.errorQueue.shift();
  if (error === undefined) return failed("EAGAIN");
  const room = header.lengths.reduce((total, length) => total + length, 0);
  const count = Math.min(room, error.bytes);
  const came = MSG.ERRQUEUE | (error.bytes > room ? MSG.TRUNC : 0) | (header.control === null ? MSG.CTRUNC : 0);
  const mismatch = header.flags === came
    ? queueMismatch(kernel, sock, header.control ?? [], error)
    : `msg_flags: expected ${header.flags}, actual ${came}`;
  return done(count, { mismatch });
}

function queueMismatch(kernel: Kernel, sock: Sock, expected: readonly Value[], error: QueuedError): string | null {
  const stamped = error.stampNs !== null &&
    ((sock.options.get(TIMESTAMPING_KEY) ?? 0) & TIMESTAMPING.SOFTWARE) !== 0;
  const count = stamped ? 2 : 1;
  if (expected.length !== count) return `control messages: expected ${expected.length}, actual ${count}`;
  const last = expected[count - 1];
  return (stamped ? stampMismatch(kernel, expected[0], error.stampNs!) : null) ??
    errorMismatch(last, error, kernel.host.ipv6);
}

/** The time stamp, within the run's tolerance; 0 in the script is any. */
function stampMismatch(kernel: Kernel, expected: Value, stampNs: number): string | null {
  const wrong = controlMismatch(expected, [["cmsg_level", LEVEL.SOCKET], ["cmsg_type", SO.TIMESTAMPING]]);
  if (wrong !== null) return wrong;
  const data = fieldOf(expected, "cmsg_data");
  const seconds = data === undefined ? undefined : fieldOf(data, "scm_sec");
  const nanos = data === undefined ? undefined : fieldOf(data, "scm_nsec");
  if (seconds === undefined || nanos === undefined) return "control message: a time stamp came";
  const wanted = numberOf(seconds) * 1e9 + numberOf(nanos);
  if (wanted === 0 || Math.abs(wanted - stampNs) <= kernel.config.toleranceNs) return null;
  return `time stamp: expected ${wanted} ns, actual ${stampNs} ns`;
}

function errorMismatch(expected: Value, error: QueuedError, v6: boolean): string | null {
  const outer: [string, number][] = [
    ["cmsg_level", v6 ? LEVEL.IPV6 : LEVEL.IP],
    ["cmsg_type", v6 ? IPV6.RECVERR : IP.RECVERR],
  ];
  const data = fieldOf(expected, "cmsg_data");
  if (data === undefined) return "control message: no cmsg_data is expected, there is some";
  const inner: [string, number][] = [
    ["ee_errno", error.errno === null ? 0 : CONSTANTS.get(error.errno) ?? -1],
    ["ee_origin", error.origin],
    ["ee_type", error.type],
    ["ee_code", error.code],
    ["ee_info", error.info],
    ["ee_data", error.data],
  ];
  return controlMismatch(expected, outer) ?? controlMismatch(data, inner);
}

/** The first field of a structure that differs; those left out or open are any. */
export function controlMismatch(expected: Value, actual: readonly (readonly [string, number])[]): string | null {
  for (const [name, value] of actual) {
    const field = fieldOf(expected, name);
    if (field === undefined || field.kind === "any") continue;
    const wanted = numberOf(field);
    if (wanted !== value) return `${name}: expected ${wanted}, actual ${value}`;
  }
  return null;
}
