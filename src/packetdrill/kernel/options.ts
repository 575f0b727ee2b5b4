/**
 * setsockopt and getsockopt.
 *
 * @module
 */
import { bufferFor, FLAG, isWritable, setFastOpenKey, TCB } from "../../tcp/mod.ts";
import type { Value } from "../script.ts";
import { LEVEL, POLL, SO, TCP, TIMESTAMPING } from "./abi.ts";
import { fieldOf, numberOf } from "./arguments.ts";
import { stampingSet } from "./completions.ts";
import { socketOf } from "./connections.ts";
import { instantly, type Kernel, type SystemCall } from "./kernel.ts";
import { keyOf, OPTIONS, readOption, UNCONNECTED } from "./option_table.ts";
import { CallError, type CallResult, done, failed, fromStack } from "./result.ts";
import type { Sock } from "./socket.ts";

/** Bytes of a `struct linger`. */
const LINGER_BYTES = 8;

/** `setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4)`. */
export const setsockoptCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const found = socketOf(kernel, args);
    if (found === null) return failed("ENOTSOCK");
    return setOption(kernel, found.sock, args.number(1), args.number(2), args.at(3), args.number(4));
  });

function setOption(
  kernel: Kernel,
  sock: Sock,
  level: number,
  name: number,
  given: Value,
  length: number,
): CallResult {
  if (level === LEVEL.SOCKET && name === SO.LINGER) return setLinger(kernel, sock, given, length);
  if (level === LEVEL.SOCKET && (name === SO.RCVTIMEO || name === SO.SNDTIMEO)) {
    return setPatience(sock, name, given, length);
  }
  if (level === LEVEL.TCP && name === TCP.CONGESTION) return setCongestion(kernel, sock, given);
  if (level === LEVEL.TCP && name === TCP.FASTOPEN_KEY) return setKey(kernel, sock, given, length);
  // An IPv4 socket knows nothing of IPv6; an IPv6 socket may speak IPv4.
  const ofVersion = level === LEVEL.IPV6 ? sock.ipv6 : level === LEVEL.IP;
  const option = level === LEVEL.IPV6 && !ofVersion ? undefined : OPTIONS.get(keyOf(level, name));
  // Linux looks at the length first, but for IP's options.
  if (option === undefined && level !== LEVEL.SOCKET && level !== LEVEL.TCP) return failed("ENOPROTOOPT");
  const least = level === LEVEL.IP ? 1 : 4;
  if (length < least) return failed("EINVAL");
  if (option === undefined) return failed("ENOPROTOOPT");
  const whole = given.kind === "string" ? littleEndian(given.text, 0, 4) : numberOf(given);
  const asked = length < 4 ? whole & 0xff : whole;
  // Which byte would a key count from?
  const keyed = level === LEVEL.SOCKET && name === SO.TIMESTAMPING && (asked & TIMESTAMPING.OPT_ID) !== 0;
  if (keyed && ((sock.options.get(keyOf(level, name)) ?? 0) & TIMESTAMPING.OPT_ID) === 0 && !isAlive(kernel, sock)) {
    return failed("EINVAL");
  }
  const refused = option.check?.(asked, sock, kernel.host);
  if (refused) return failed(refused);
  const value = option.keep?.(asked, kernel.host) ?? asked;
  sock.options.set(keyOf(level, name), value);
  if (level === LEVEL.SOCKET && name === SO.RCVLOWAT) sock.receiveLow = lowMark(kernel, sock, value);
  if (level === LEVEL.SOCKET && name === SO.TIMESTAMPING) stampingSet(kernel.host, sock, value);
  if (sock.listener !== 0) {
    return fromStack(Math.min(0, option.listener?.(kernel.host.stack, sock.listener, value) ?? 0));
  }
  if (!isAlive(kernel, sock) || option.apply === undefined) return done(0);
  const result = option.apply(kernel.host.stack, sock.conn, value, sock);
  kernel.host.drain();
  // Linux calls `sk_write_space`.
  const asksRoom = (level === LEVEL.SOCKET && name === SO.SNDBUF) ||
    (level === LEVEL.TCP && name === TCP.NOTSENT_LOWAT);
  if (asksRoom && isWritable(kernel.host.stack, sock.conn)) kernel.wake(sock, POLL.OUT | POLL.WRNORM);
  return fromStack(Math.min(0, result ?? 0));
}

/** SO_RCVLOWAT: at most half the receive buffer (Linux `tcp_set_rcvlowat`). */
function lowMark(kernel: Kernel, sock: Sock, value: number): number {
  const own = sock.options.get(keyOf(LEVEL.SOCKET, SO.RCVBUF));
  const buffer = own === undefined ? kernel.host.profile.receiveBufferMaxBytes : bufferFor(own);
  return Math.max(1, Math.min(value < 0 ? 0x7fffffff : value, buffer >> 1));
}

function isAlive(kernel: Kernel, sock: Sock): boolean {
  if (sock.conn === 0) return false;
  return (kernel.host.stack.tcbs.words[sock.conn * TCB.STRIDE + TCB.STATE] & FLAG.DONE) === 0;
}

function setCongestion(kernel: Kernel, sock: Sock, given: Value): CallResult {
  if (given.kind !== "string") return failed("EINVAL");
  const name = given.text.replace(/\0.*$/s, "");
  if (!kernel.host.hasCongestionControl(name)) return failed("ENOENT");
  sock.congestion = name;
  if (isAlive(kernel, sock)) return fromStack(kernel.host.setCongestion(sock.conn, name));
  return done(0);
}

/** TCP_FASTOPEN_KEY: Linux takes one key of 16 bytes, or two. */
function setKey(kernel: Kernel, sock: Sock, given: Value, length: number): CallResult {
  if (given.kind !== "string" || (length !== 16 && length !== 32)) return failed("EINVAL");
  const key = Uint8Array.from({ length }, (_, i) => given.text.charCodeAt(i) & 0xff);
  sock.fastOpenKey = key;
  return sock.listener === 0 ? done(0) : fromStack(setFastOpenKey(kernel.host.stack, sock.listener, key));
}

function setLinger(kernel: Kernel, sock: Sock, given: Value, length: number): CallResult {
  if (length < LINGER_BYTES) return failed("EINVAL");
  const onOff = fieldOf(given, "onoff");
  const seconds = fieldOf(given, "linger");
  if (onOff === undefined || seconds === undefined) throw new CallError("SO_LINGER takes {onoff=…, linger=…}");
  sock.lingerSeconds = numberOf(onOff) !== 0 ? numberOf(seconds) : null;
  if (isAlive(kernel, sock)) kernel.host.setLinger(sock.conn, sock.lingerSeconds);
  return done(0);
}

/** SO_RCVTIMEO, SO_SNDTIMEO: a `timeval` in bytes. */
function setPatience(sock: Sock, name: number, given: Value, length: number): CallResult {
  if (length < 16 || given.kind !== "string") return failed("EINVAL");
  const seconds = littleEndian(given.text, 0, 6);
  const micros = littleEndian(given.text, 8, 4);
  if (micros < 0 || micros >= 1e6) return failed("EDOM");
  const ns = seconds * 1e9 + micros * 1e3;
  if (name === SO.RCVTIMEO) sock.receiveTimeoutNs = ns === 0 ? Infinity : ns;
  else sock.sendTimeoutNs = ns === 0 ? Infinity : ns;
  return done(0);
}

/** A number of `bytes` bytes, of which 4 make a signed one. */
function littleEndian(text: string, from: number, bytes: number): number {
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (text.charCodeAt(from + i) & 0xff || 0);
  return bytes === 4 ? value | 0 : value;
}

/** `getsockopt(4, SOL_TCP, TCP_MAXSEG, [1100], [4])`: the value in the script is what is expected. */
export const getsockoptCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const found = socketOf(kernel, args);
    if (found === null) return failed("ENOTSOCK");
    const [level, name] = [args.number(1), args.number(2)];
    const value = readOption(kernel, found.sock, level, name);
    if (value === null) return failed("ENOPROTOOPT");
    if (value === UNCONNECTED) return failed("ENOTCONN");
    const expected = args.at(3);
    if (expected.kind === "any") return done(0);
    const wanted = expected.kind === "string" ? expected.text.replace(/\0.*$/s, "") : numberOf(expected) | 0;
    if (wanted === (typeof value === "number" ? value | 0 : value)) return done(0);
    return done(0, { mismatch: `option value: expected ${wanted}, actual ${value}` });
  });
