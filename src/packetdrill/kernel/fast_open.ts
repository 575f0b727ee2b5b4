/**
 * Sending with the SYN: MSG_FASTOPEN and TCP_FASTOPEN_CONNECT (Linux `tcp_sendmsg_fastopen`).
 *
 * @module
 */
import { connecting } from "./connections.ts";
import type { OpenFile } from "./files.ts";
import { instantly, type Kernel, waiting } from "./kernel.ts";
import { failed, type Operation } from "./result.ts";
import type { Sock } from "./socket.ts";
import { sendOperation } from "./transfer.ts";
import { MSG } from "./abi.ts";

/** `tcp_fastopen` bit 0: this host may send data with a SYN. */
const CLIENT_ENABLED = 1;

/** Connects and sends `bytes` bytes, in the SYN as far as a cookie allows; what it does not take follows. */
export function sendFastOpen(
  kernel: Kernel,
  file: OpenFile,
  sock: Sock,
  bytes: number,
  flags: number,
  named: boolean,
): Operation {
  if ((kernel.host.profile.fastOpen & CLIENT_ENABLED) === 0) return instantly(() => failed("EOPNOTSUPP"));
  const handshake = connecting(kernel, file, sock);
  let rest: Operation | undefined;
  return waiting((timedOut) => {
    if (rest === undefined) {
      const connected = handshake.attempt(timedOut);
      if (connected === null || connected.value < 0) return connected;
      rest = sendOperation(kernel, file, sock, bytes, flags & ~MSG.FASTOPEN, named);
    }
    return rest.attempt(timedOut);
  }, handshake.deadlineNs);
}
