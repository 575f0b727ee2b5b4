/**
 * fcntl, ioctl, pipe, and what else is asked about files.
 *
 * @module
 */
import { bytesInQueue, FLAG, isAtMark, STATE, TCB } from "../../tcp/mod.ts";
import { FILE, IOCTL } from "./abi.ts";
import { numberOf } from "./arguments.ts";
import { instantly, type Kernel, type SystemCall } from "./kernel.ts";
import { Pipe, RegularFile } from "./pipe.ts";
import { CallError, done, failed } from "./result.ts";
import type { Sock } from "./socket.ts";

/** `fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)`. */
export const fcntlCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const file = kernel.file(args, 0);
    switch (args.number(1)) {
      case FILE.F_GETFL:
        return done(file.flags);
      case FILE.F_SETFL:
        file.flags = (file.flags & ~FILE.O_NONBLOCK) | (args.number(2) & FILE.O_NONBLOCK);
        return done(0);
      default:
        return failed("EINVAL");
    }
  });

/** `ioctl(4, SIOCINQ, [1000])`: the value in the script is what is expected. */
export const ioctlCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const { target } = kernel.file(args, 0);
    if (target.kind !== "socket") return failed("EINVAL");
    const value = queueLength(kernel, target, args.number(1));
    if (value === null) return failed("EINVAL");
    if (args.count < 3) return done(0);
    const expected = numberOf(args.at(2));
    return done(0, { mismatch: expected === value ? null : `value: expected ${expected}, actual ${value}` });
  });

/** Linux `tcp_ioctl`; null where the state allows no answer. */
function queueLength(kernel: Kernel, sock: Sock, request: number): number | null {
  const { host } = kernel;
  const state = sock.state(host);
  const waits = state === STATE.SYN_SENT || state === STATE.SYN_RECEIVED || sock.conn === 0;
  if (state === STATE.LISTEN) return null;
  const words = host.stack.tcbs.words;
  const c = sock.conn * TCB.STRIDE;
  switch (request) {
    case IOCTL.SIOCINQ:
      return waits ? 0 : bytesInQueue(host.stack, sock.conn);
    case IOCTL.SIOCATMARK:
      return sock.conn !== 0 && isAtMark(host.stack, sock.conn) ? 1 : 0;
    case IOCTL.SIOCOUTQ:
    case IOCTL.SIOCOUTQNSD: {
      if (waits) return 0;
      const fin = (words[c + TCB.STATE] & FLAG.FIN_SENT) !== 0 ? 1 : 0;
      const queued = (words[c + TCB.STATE] & FLAG.FIN_QUEUED) !== 0 ? 1 : 0;
      // Linux's write_seq counts the FIN as soon as it is queued.
      const end = (words[c + TCB.SND_END] + queued) | 0;
      if (request === IOCTL.SIOCOUTQ) return Math.max(0, (end - words[c + TCB.SND_UNA]) | 0);
      return Math.max(0, (end - words[c + TCB.SND_NXT]) | 0) * (fin === 1 ? 0 : 1);
    }
    default:
      throw new CallError(`ioctl request ${request} is not emulated`);
  }
}

/** `pipe([5, 6])`. */
export const pipeCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const ends = args.at(0);
    if (ends.kind !== "list" || ends.items.length !== 2) throw new CallError("pipe takes two descriptors");
    const state = { bytes: 0, readers: 0, writers: 0 };
    const opened = [false, true].map((writes) => kernel.open(new Pipe(state, writes), FILE.O_RDWR));
    opened.forEach((file, i) => kernel.files.name(file, numberOf(ends.items[i])));
    return done(0);
  });

/** `open("/some/file", O_RDONLY) = 5`: any file is there. */
export const openCall: SystemCall = (kernel, args) =>
  instantly(() => {
    if (args.at(0).kind !== "string") throw new CallError("open takes a path");
    const file = kernel.open(new RegularFile(), FILE.O_RDWR);
    return done(file.fd, { opened: [file] });
  });

/** `getsockname` and `getpeername`: succeed where there is a name. */
export const nameCall = (peer: boolean): SystemCall => (kernel, args) =>
  instantly(() => {
    const { target } = kernel.file(args, 0);
    if (target.kind !== "socket") return failed("ENOTSOCK");
    const state = target.state(kernel.host);
    const connected = target.conn !== 0 && state !== STATE.CLOSED && state !== STATE.SYN_SENT;
    return peer && !connected ? failed("ENOTCONN") : done(0);
  });
