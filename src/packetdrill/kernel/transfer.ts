/**
 * Calls that move bytes: read and write and their relations (Linux `tcp_sendmsg`, `tcp_recvmsg`).
 *
 * @module
 */
import {
  FLAG,
  holdHandshakeAck,
  isFastOpenPending,
  NOTHING,
  peekBytes,
  receive,
  receiveUrgent,
  SEND,
  send,
  STATE,
  TCB,
  unreadBytes,
} from "../../tcp/mod.ts";
import { AF, LEVEL, MSG, SHUT, SO, TCP } from "./abi.ts";
import { type Arguments, fieldOf, type MessageHeader, messageHeader, numberOf } from "./arguments.ts";
import { noteSend } from "./completions.ts";
import { socketOf } from "./connections.ts";
import { controlMismatch, receiveError } from "./error_queue.ts";
import { isNonBlocking, type OpenFile } from "./files.ts";
import { sendFastOpen } from "./fast_open.ts";
import { instantly, type Kernel, type SystemCall, waiting } from "./kernel.ts";
import { keyOf } from "./option_table.ts";
import { CallError, type CallResult, done, failed, fromStack, type Operation } from "./result.ts";
import type { Sock } from "./socket.ts";

const sum = (lengths: readonly number[]) => lengths.reduce((total, length) => total + length, 0);

/** `write(4, ..., 1000)`. */
export const writeCall: SystemCall = (kernel, args) => sending(kernel, args, args.number(2), 0, false);

/** `writev(4, [{..., 1000}, {..., 400}], 2)`. */
export const writevCall: SystemCall = (kernel, args) => sending(kernel, args, sum(args.vector(args.at(1))), 0, false);

/** `send(4, ..., 1000, MSG_MORE)`. */
export const sendCall: SystemCall = (kernel, args) => sending(kernel, args, args.number(2), args.number(3), false);

/** `sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...)`. */
export const sendtoCall: SystemCall = (kernel, args) => {
  const named = args.isOpen(4);
  const family = named ? undefined : args.number(4);
  if (family === AF.UNSPEC && (args.number(3) & MSG.FASTOPEN) !== 0) return instantly(() => failed("EOPNOTSUPP"));
  return sending(kernel, args, args.number(2), args.number(3), named);
};

/** `sendmsg(4, {msg_name(...)=..., msg_iov(2)=[…], msg_flags=0}, MSG_FASTOPEN)`. */
export const sendmsgCall: SystemCall = (kernel, args) => {
  const header = messageHeader(args, 1);
  return sending(kernel, args, sum(header.lengths), args.number(2), header.named, stampsAsked(header));
};

/** Time stamps that the control messages of a send ask for, null for none. */
function stampsAsked({ control }: MessageHeader): number | null {
  for (const message of control ?? []) {
    if (controlMismatch(message, [["cmsg_level", LEVEL.SOCKET], ["cmsg_type", SO.TIMESTAMPING]]) !== null) continue;
    const data = fieldOf(message, "cmsg_data");
    if (data !== undefined) return numberOf(data);
  }
  return null;
}

/** `write` knows every kind of file; `send` and its kin only sockets. */
const forAnyFile = (args: Arguments) => /^(read|write)v?$/.test(args.name);

function sending(
  kernel: Kernel,
  args: Arguments,
  bytes: number,
  flags: number,
  named: boolean,
  stamps: number | null = null,
): Operation {
  const file = kernel.file(args, 0);
  if (file.target.kind === "pipe" && forAnyFile(args)) return instantly(() => writePipe(file, bytes));
  const found = socketOf(kernel, args);
  if (found === null) return instantly(() => failed(forAnyFile(args) ? "EINVAL" : "ENOTSOCK"));
  return sendOperation(kernel, file, found.sock, bytes, flags, named, stamps);
}

/** Sends `bytes` bytes, waiting for the handshake and for room unless told not to. */
export function sendOperation(
  kernel: Kernel,
  file: OpenFile,
  sock: Sock,
  bytes: number,
  flags: number,
  named: boolean,
  stamps: number | null = null,
): Operation {
  if ((flags & MSG.FASTOPEN) !== 0 || sock.deferred) return sendFastOpen(kernel, file, sock, bytes, flags, named);
  let taken = 0;
  return waiting((timedOut) => {
    const impatient = timedOut || isNonBlocking(file) || (flags & MSG.DONTWAIT) !== 0;
    const sent = sendOnce(kernel, sock, bytes - taken, flags, impatient);
    if (sent === null) return null;
    if (sent.value >= 0) taken += sent.value;
    else if (taken === 0) return sent;
    if (taken < bytes && sent.value >= 0 && !impatient) return null;
    if (taken > 0 && sock.conn !== 0) noteSend(kernel.host, sock, taken, (flags & MSG.ZEROCOPY) !== 0, stamps);
    return done(taken);
  }, kernel.host.nowNs + sock.sendTimeoutNs);
}

/** One try: bytes taken (perhaps not all), an error, or null where the caller has to wait. */
export function sendOnce(
  kernel: Kernel,
  sock: Sock,
  bytes: number,
  flags: number,
  impatient: boolean,
): CallResult | null {
  const { host } = kernel;
  const state = sock.state(host);
  // A Fast Open connection of a listener sends before the final ACK (Linux `tcp_passive_fastopen`).
  const early = state === STATE.SYN_RECEIVED && isFastOpenPending(host.stack, sock.conn);
  if (state === STATE.SYN_SENT || (state === STATE.SYN_RECEIVED && !early)) {
    if (sock.error !== null) return failed(sock.takeError()!);
    if (impatient) return failed("EAGAIN");
    // What waits to be written will carry the ACK of the SYN-ACK.
    if (state === STATE.SYN_SENT) holdHandshakeAck(host.stack, sock.conn);
    return null;
  }
  const open = early || state === STATE.ESTABLISHED || state === STATE.CLOSE_WAIT;
  if (!open || sock.error !== null || (sock.shut & SHUT.WRITE) !== 0) return failed(sock.takeError() ?? "EPIPE");
  if (bytes === 0) return done(0);
  if (sock.full) return impatient ? failed("EAGAIN") : null;
  const result = send(host.stack, sock.conn, bytes, sendFlags(flags));
  host.drain();
  if (result < 0) return failed(sock.takeError() ?? "EPIPE");
  if (result < bytes && sock.conn !== 0) {
    sock.full = (host.stack.tcbs.words[sock.conn * TCB.STRIDE + TCB.STATE] & FLAG.WANTS_ROOM) !== 0;
  }
  if (result === 0) return impatient ? failed("EAGAIN") : null;
  return done(result);
}

/** Flags of the call as the stack's. */
function sendFlags(flags: number): number {
  return ((flags & MSG.MORE) !== 0 ? SEND.MORE : 0) | ((flags & MSG.EOR) !== 0 ? SEND.RECORD_END : 0) |
    ((flags & MSG.OOB) !== 0 ? SEND.URGENT : 0);
}

/** `sendfile(4, 5, [0], 1000)`: from a file or a pipe to a socket. */
export const sendfileCall: SystemCall = (kernel, args) => {
  const to = kernel.file(args, 0);
  const from = kernel.file(args, 1);
  if (to.target.kind !== "socket" || from.target.kind !== "regular") return instantly(() => failed("EINVAL"));
  return sendOperation(kernel, to, to.target, args.number(3), 0, false);
};

function writePipe(file: OpenFile, bytes: number): CallResult {
  const pipe = file.target;
  if (pipe.kind !== "pipe" || !pipe.writes) return failed("EBADF");
  if (pipe.state.readers === 0) return failed("EPIPE");
  const count = Math.min(bytes, pipe.room);
  pipe.state.bytes += count;
  return count > 0 || bytes === 0 ? done(count) : failed("EAGAIN");
}

/** `read(4, ..., 1000)`. */
export const readCall: SystemCall = (kernel, args) => {
  const length = args.number(2);
  // sock_read_iter: nothing asked for, nothing looked at.
  if (length === 0) return instantly(() => done(0));
  return receiving(kernel, args, length, 0);
};

/** `readv(4, [{..., 1000}], 1)`. */
export const readvCall: SystemCall = (kernel, args) => receiving(kernel, args, sum(args.vector(args.at(1))), 0);

/** `recv(4, ..., 1000, MSG_PEEK)` and `recvfrom`. */
export const recvCall: SystemCall = (kernel, args) => {
  const [length, flags] = [args.number(2), args.number(3)];
  const found = socketOf(kernel, args);
  if (found !== null && (flags & MSG.ERRQUEUE) !== 0) {
    return instantly(() =>
      receiveError(kernel, found.sock, { named: false, lengths: [length], flags: 0, control: null })
    );
  }
  return receiving(kernel, args, length, flags);
};

/** `recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}, 0)`. */
export const recvmsgCall: SystemCall = (kernel, args) => {
  const header = messageHeader(args, 1);
  const flags = args.number(2);
  const found = socketOf(kernel, args);
  if (found !== null && (flags & MSG.ERRQUEUE) !== 0) {
    return instantly(() => receiveError(kernel, found.sock, header));
  }
  const operation = receiving(kernel, args, sum(header.lengths), flags);
  return waiting((timedOut) => {
    const result = operation.attempt(timedOut);
    if (result === null || result.value < 0) return result;
    const mismatch = messageMismatch(kernel, found?.sock ?? null, header, flags);
    return mismatch === null ? result : { ...result, mismatch };
  }, operation.deadlineNs);
};

/** Holds what came beside the bytes against what the script expects: flags, and how much is left (TCP_INQ). */
function messageMismatch(kernel: Kernel, sock: Sock | null, header: MessageHeader, flags: number): string | null {
  const tellsLeft = sock !== null && (sock.options.get(keyOf(LEVEL.TCP, TCP.INQ)) ?? 0) !== 0;
  let came = (flags & MSG.OOB) !== 0 ? MSG.OOB : 0;
  // No room for the message about what is left.
  if (tellsLeft && header.control === null) came |= MSG.CTRUNC;
  if (came !== header.flags) return `msg_flags: expected ${header.flags}, actual ${came}`;
  const expected = header.control ?? [];
  const count = tellsLeft && header.control !== null ? 1 : 0;
  if (expected.length !== count) return `control messages: expected ${expected.length}, actual ${count}`;
  if (count === 0 || sock === null) return null;
  const unread = sock.conn === 0 ? 0 : unreadBytes(kernel.host.stack, sock.conn);
  const left = unread + (sock.ended ? 1 : 0);
  return controlMismatch(expected[0], [["cmsg_level", LEVEL.TCP], ["cmsg_type", TCP.INQ], ["cmsg_data", left]]);
}

function receiving(kernel: Kernel, args: Arguments, length: number, flags: number): Operation {
  const file = kernel.file(args, 0);
  if (file.target.kind === "pipe" && forAnyFile(args)) return instantly(() => readPipe(file, length));
  if (file.target.kind === "regular" && forAnyFile(args)) return instantly(() => done(length));
  const found = socketOf(kernel, args);
  if (found === null) return instantly(() => failed(forAnyFile(args) ? "EINVAL" : "ENOTSOCK"));
  const { sock } = found;
  if ((flags & MSG.OOB) !== 0) return instantly(() => receiveUrgentByte(kernel, sock, flags));
  let taken = 0;
  const target = (flags & MSG.WAITALL) !== 0 ? length : Math.max(1, Math.min(sock.receiveLow, length));
  return waiting((timedOut) => {
    const { host } = kernel;
    if (sock.state(host) === STATE.LISTEN) return failed("ENOTCONN");
    if (sock.deferred) return timedOut || impatient(file, flags) ? failed("EAGAIN") : null;
    const available = sock.conn === 0 ? 0 : unreadBytes(host.stack, sock.conn);
    if (available > 0) {
      taken += take(kernel, sock, length - taken, (flags & MSG.PEEK) !== 0);
      if (length === 0 || taken >= target || (flags & MSG.PEEK) !== 0) return done(taken);
    }
    const ended = noMoreToRead(kernel, sock);
    if (taken > 0 && (ended !== null || timedOut || impatient(file, flags))) return done(taken);
    if (ended !== null) return ended;
    return timedOut || impatient(file, flags) ? failed("EAGAIN") : null;
  }, kernel.host.nowNs + sock.receiveTimeoutNs);
}

/** Reads, or looks at, up to `most` bytes; urgent data ends a read. */
function take(kernel: Kernel, sock: Sock, most: number, peek: boolean): number {
  const { host } = kernel;
  if (peek) return peekBytes(host.stack, sock.conn, most).length;
  const count = receive(host.stack, sock.conn, most);
  host.drain();
  return count;
}

const impatient = (file: OpenFile, flags: number) => isNonBlocking(file) || (flags & MSG.DONTWAIT) !== 0;

/** What a reader is told when nothing waits to be read; null if something may still come. */
function noMoreToRead(kernel: Kernel, sock: Sock): CallResult | null {
  if (sock.ended) return done(0);
  if (sock.error !== null) return failed(sock.takeError()!);
  if ((sock.shut & SHUT.READ) !== 0) return done(0);
  return sock.state(kernel.host) === STATE.CLOSED ? failed("ENOTCONN") : null;
}

/** `recv(…, MSG_OOB)` (Linux `tcp_recv_urg`). */
function receiveUrgentByte(kernel: Kernel, sock: Sock, flags: number): CallResult {
  const { host } = kernel;
  if (sock.state(host) === STATE.LISTEN) return failed("ENOTCONN");
  if (sock.conn === 0) return failed("EINVAL");
  const read = receiveUrgent(host.stack, sock.conn, (flags & MSG.PEEK) !== 0);
  if (read < 0) return fromStack(read);
  return done(read === NOTHING || (flags & MSG.TRUNC) !== 0 ? 0 : 1);
}

function readPipe(file: OpenFile, length: number): CallResult {
  const pipe = file.target;
  if (pipe.kind !== "pipe" || pipe.writes) return failed("EBADF");
  const count = Math.min(length, pipe.state.bytes);
  if (count === 0 && pipe.state.writers > 0) return failed("EAGAIN");
  pipe.state.bytes -= count;
  return done(count);
}

/** `splice(4, 0, 6, 0, 1000, 0)`: between a socket and a pipe. */
export const spliceCall: SystemCall = (kernel, args) => {
  const from = kernel.file(args, 0);
  const to = kernel.file(args, 2);
  const length = args.number(4);
  if (from.target.kind === "pipe" && to.target.kind === "socket") {
    const pipe = from.target;
    return waiting(() => {
      if (to.target.kind !== "socket") return failed("EINVAL");
      const sent = sendOnce(kernel, to.target, Math.min(length, pipe.state.bytes), 0, isNonBlocking(to));
      if (sent !== null && sent.value > 0) pipe.state.bytes -= sent.value;
      return sent;
    });
  }
  if (from.target.kind === "socket" && to.target.kind === "pipe") {
    const { target } = from;
    const pipe = to.target;
    return waiting(() => {
      const available = target.conn === 0 ? 0 : unreadBytes(kernel.host.stack, target.conn);
      const count = Math.min(length, available, pipe.room);
      if (count > 0) {
        receive(kernel.host.stack, target.conn, count);
        kernel.host.drain();
        pipe.state.bytes += count;
        return done(count);
      }
      return noMoreToRead(kernel, target) ?? (isNonBlocking(from) ? failed("EAGAIN") : null);
    });
  }
  throw new CallError("splice moves bytes between a socket and a pipe");
};
