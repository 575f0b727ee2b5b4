/**
 * setsockopt and getsockopt.
 *
 * @module
 */
import { FLAG, setFastOpenKey, TCB } from "../../tcp/mod.ts";
import type { Value } from "../script.ts";
import { LEVEL, SO, TCP } from "./abi.ts";
import { fieldOf, numberOf } from "./arguments.ts";
import { stampingSet } from "./completions.ts";
import { socketOf } from "./connections.ts";
import { instantly, type Kernel, type SystemCall } from "./kernel.ts";
import { keyOf, OPTIONS, readOption } from "./option_table.ts";
import { CallError, type CallResult, done, failed, fromStack } from "./result.ts";
import type { Sock } from "./socket.ts";

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
  if (level === LEVEL.SOCKET && name === SO.LINGER) return setLinger(kernel, sock, given);
  if (level === LEVEL.SOCKET && (name === SO.RCVTIMEO || name === SO.SNDTIMEO)) return setPatience(sock, name, given);
  if (level === LEVEL.TCP && name === TCP.CONGESTION) return setCongestion(kernel, sock, given);
  if (level === LEVEL.TCP && name === TCP.FASTOPEN_KEY) return setKey(kernel, sock, given, length);
  const least = level === LEVEL.IP ? 1 : 4;
  if (length < least || given.kind === "string") return failed("EINVAL");
  const value = numberOf(given);
  const option = OPTIONS.get(keyOf(level, name));
  if (option === undefined) return failed("ENOPROTOOPT");
  const refused = option.check?.(value, sock, kernel.host);
  if (refused) return failed(refused);
  sock.options.set(keyOf(level, name), value);
  if (level === LEVEL.SOCKET && name === SO.RCVLOWAT) sock.receiveLow = value < 0 ? 0x7fffffff : Math.max(1, value);
  if (level === LEVEL.SOCKET && name === SO.TIMESTAMPING) stampingSet(kernel.host, sock, value);
  if (sock.listener !== 0) {
    return fromStack(Math.min(0, option.listener?.(kernel.host.stack, sock.listener, value) ?? 0));
  }
  if (!isAlive(kernel, sock) || option.apply === undefined) return done(0);
  const result = option.apply(kernel.host.stack, sock.conn, value, sock);
  kernel.host.drain();
  return fromStack(Math.min(0, result ?? 0));
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

function setLinger(kernel: Kernel, sock: Sock, given: Value): CallResult {
  const onOff = fieldOf(given, "onoff");
  const seconds = fieldOf(given, "linger");
  if (onOff === undefined || seconds === undefined) throw new CallError("SO_LINGER takes {onoff=…, linger=…}");
  sock.lingerSeconds = numberOf(onOff) !== 0 ? numberOf(seconds) : null;
  if (isAlive(kernel, sock)) kernel.host.setLinger(sock.conn, sock.lingerSeconds);
  return done(0);
}

function setPatience(sock: Sock, name: number, given: Value): CallResult {
  const seconds = fieldOf(given, "tv_sec");
  const micros = fieldOf(given, "tv_usec");
  const ns = (seconds === undefined ? 0 : numberOf(seconds) * 1e9) +
    (micros === undefined ? 0 : numberOf(micros) * 1e3);
  if (name === SO.RCVTIMEO) sock.receiveTimeoutNs = ns === 0 ? Infinity : ns;
  else sock.sendTimeoutNs = ns === 0 ? Infinity : ns;
  return done(0);
}

/** `getsockopt(4, SOL_TCP, TCP_MAXSEG, [1100], [4])`: the value in the script is what is expected. */
export const getsockoptCall: SystemCall = (kernel, args) =>
  instantly(() => {
    const found = socketOf(kernel, args);
    if (found === null) return failed("ENOTSOCK");
    const [level, name] = [args.number(1), args.number(2)];
    const value = readOption(kernel, found.sock, level, name);
    if (value === null) return failed("ENOPROTOOPT");
    const expected = args.at(3);
    if (expected.kind === "any") return done(0);
    const wanted = expected.kind === "string" ? expected.text.replace(/\0.*$/s, "") : numberOf(expected);
    if (wanted === value) return done(0);
    return done(0, { mismatch: `option value: expected ${wanted}, actual ${value}` });
  });
