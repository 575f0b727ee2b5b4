/**
 * Socket options one by one: what values Linux takes, what the stack is told, and what reading gives.
 *
 * @module
 */
import { errnoName } from "../../base/errors.ts";
import {
  bufferFor,
  clampFor,
  deferAcceptTimeouts,
  FLAG,
  maxPacingRateOf,
  notSentLowOf,
  pathMtuDiscoveryOf,
  quickAck,
  receiveBuffer,
  sendBufferFor,
  sendBufferOf,
  setCork,
  setDeferAccept,
  setKeepAlive,
  setKeepCount,
  setKeepIdle,
  setKeepInterval,
  setLinger2,
  setListenerFastOpen,
  setListenerFlag,
  setListenerNoCookie,
  setListenerSetting,
  setMaxPacingRate,
  setMaxSegment,
  setNoDelay,
  setNotSentLow,
  setPathMtuDiscovery,
  setQuickAck,
  setReceiveBuffer,
  setReceiveErrors,
  setReceiveLow,
  setSendBuffer,
  setSynRetries,
  setTrafficClass,
  setTtl,
  setUrgentInline,
  setUserTimeout,
  setWindowClamp,
  STATE,
  takeError,
  tcpInfo,
  tcpOptions,
  type TcpStack,
} from "../../tcp/mod.ts";
import { SETTINGS } from "../../tcp/state/tcb.ts";
import { CONSTANTS } from "../constants.ts";
import type { EmulatedHost } from "../host.ts";
import { AF, IP, IPV6, LEVEL, SO, SOCK, TCP, TIMESTAMPING } from "./abi.ts";
import type { Kernel } from "./kernel.ts";
import type { Sock } from "./socket.ts";

/** An option that takes a number. */
export interface SocketOption {
  /** The error that a value is refused with, where there is no connection to ask; null if it is fine. */
  check?: (value: number, sock: Sock, host: EmulatedHost) => string | null;
  /** What is kept of a value: what `apply` is given and reading shows. */
  keep?: (value: number, host: EmulatedHost) => number;
  /** Tells the stack; `-errno` where it refuses. Without it the option is only remembered. */
  apply?: (stack: TcpStack, conn: number, value: number, sock: Sock) => number | void;
  /** Tells the stack of a listener's, which its SYN-ACKs show and its connections inherit. */
  listener?: (stack: TcpStack, listener: number, value: number) => number | void;
}

/** A listener's setting that is `to(value)`. */
function setting(field: number, to: (value: number) => number = (value) => value): SocketOption["listener"] {
  return (stack, listener, value) => setListenerSetting(stack, listener, field, to(value));
}

/** A listener's flag. */
function flag(bit: number): SocketOption["listener"] {
  return (stack, listener, value) => setListenerFlag(stack, listener, bit, value !== 0);
}

const thousand = (value: number) => value * 1000;
const oneMore = (value: number) => 1 + value;

/** Only before there is a connection, or on a listener. */
const unconnected = (value: number, sock: Sock, host: EmulatedHost) => {
  const state = sock.state(host);
  const free = (state === STATE.CLOSED && !sock.deferred) || state === STATE.LISTEN;
  return value < 0 || !free ? "EINVAL" : null;
};

/** TCP_FASTOPEN_CONNECT: the host must allow it, and the socket be new. */
function fastOpenConnect(value: number, sock: Sock, host: EmulatedHost): string | null {
  if (value < 0 || value > 1) return "EINVAL";
  if ((host.profile.fastOpen & 1) === 0) return "EOPNOTSUPP";
  return sock.state(host) === STATE.CLOSED && !sock.deferred ? null : "EINVAL";
}

/** The TTL or hop limit, of which -1 stands for the host's. */
const hopsOf = (value: number, host: EmulatedHost) => value === -1 ? host.profile.defaultTtl : Math.max(1, value);

/** Linux keeps the number of time-outs that the seconds of TCP_DEFER_ACCEPT need, and tells how long those take. */
function deferredSeconds(value: number): number {
  let seconds = 0;
  for (let i = timeoutsIn(value), timeout = 1; i > 0; i--) {
    seconds += timeout;
    timeout = Math.min(2 * timeout, 120);
  }
  return seconds;
}

/** TCP_DEFER_ACCEPT counts time-outs of the SYN-ACK. */
const timeoutsIn = (seconds: number) => deferAcceptTimeouts(seconds, 1000, 120000);

/** Level and name in one number. */
export const keyOf = (level: number, name: number): number => (level << 16) | name;

const between = (low: number, high: number) => (value: number) => value < low || value > high ? "EINVAL" : null;

const REMEMBERED: SocketOption = {};

/** On or off: any number but 0 is on. */
const truth = (value: number): number => value === 0 ? 0 : 1;
const SWITCH: SocketOption = { keep: truth };
/** On or off, by 1 or 0 only. */
const STRICT_SWITCH: SocketOption = { check: between(0, 1) };
/** Nobody may set it. */
const READ_ONLY: SocketOption = { check: () => "ENOPROTOOPT" };

/** TCP keeps the ECN bits of the traffic class to itself. */
const withoutEcn = (value: number): number => value & 0xfc;

const SOCKET_OPTIONS: readonly (readonly [number, SocketOption])[] = [
  [SO.DEBUG, SWITCH],
  [SO.REUSEADDR, SWITCH],
  [SO.REUSEPORT, SWITCH],
  [SO.DONTROUTE, SWITCH],
  [SO.BROADCAST, SWITCH],
  [SO.TIMESTAMP, SWITCH],
  [SO.NO_CHECK, SWITCH],
  [SO.TYPE, READ_ONLY],
  [SO.ERROR, READ_ONLY],
  [SO.PROTOCOL, READ_ONLY],
  [SO.DOMAIN, READ_ONLY],
  [SO.ACCEPTCONN, READ_ONLY],
  [SO.SNDLOWAT, READ_ONLY],
  [SO.PRIORITY, REMEMBERED],
  [SO.MARK, REMEMBERED],
  [SO.INCOMING_CPU, REMEMBERED],
  [SO.ZEROCOPY, STRICT_SWITCH],
  [SO.TXREHASH, REMEMBERED],
  [SO.RCVLOWAT, {
    apply: (stack, conn, _value, sock) => setReceiveLow(stack, conn, sock.receiveLow),
    listener: setting(SETTINGS.RECEIVE_LOW, (value) => value < 0 ? 0x7fffffff : value),
  }],
  [SO.TIMESTAMPING, { check: between(0, TIMESTAMPING.ALL) }],
  [SO.SNDBUF, { apply: setSendBuffer, listener: setting(SETTINGS.SEND_BUFFER, sendBufferFor) }],
  [SO.SNDBUFFORCE, { apply: setSendBuffer }],
  [SO.RCVBUF, { apply: setReceiveBuffer, listener: setting(SETTINGS.RECEIVE_BUFFER, bufferFor) }],
  [SO.RCVBUFFORCE, { apply: setReceiveBuffer }],
  [SO.OOBINLINE, { keep: truth, apply: (stack, conn, value) => setUrgentInline(stack, conn, value !== 0) }],
  [SO.KEEPALIVE, {
    keep: truth,
    apply: (stack, conn, value) => setKeepAlive(stack, conn, value !== 0),
    listener: flag(FLAG.KEEP_ALIVE),
  }],
  [SO.MAX_PACING_RATE, { apply: (stack, conn, value) => setMaxPacingRate(stack, conn, value >>> 0) }],
];

const TCP_OPTIONS: readonly (readonly [number, SocketOption])[] = [
  [TCP.NODELAY, {
    keep: truth,
    apply: (stack, conn, value) => setNoDelay(stack, conn, value !== 0),
    listener: flag(FLAG.NO_DELAY),
  }],
  [TCP.CORK, {
    keep: truth,
    apply: (stack, conn, value) => setCork(stack, conn, value !== 0),
    listener: flag(FLAG.CORK),
  }],
  [TCP.MAXSEG, {
    check: (value) => value === 0 ? null : between(88, 32767)(value),
    apply: setMaxSegment,
    listener: setting(SETTINGS.MAX_SEGMENT),
  }],
  [TCP.KEEPIDLE, { check: between(1, 32767), apply: setKeepIdle, listener: setting(SETTINGS.KEEP_IDLE_MS, thousand) }],
  [TCP.KEEPINTVL, {
    check: between(1, 32767),
    apply: setKeepInterval,
    listener: setting(SETTINGS.KEEP_INTERVAL_MS, thousand),
  }],
  [TCP.KEEPCNT, { check: between(1, 127), apply: setKeepCount, listener: setting(SETTINGS.KEEP_PROBES) }],
  [TCP.SYNCNT, { check: between(1, 127), apply: setSynRetries, listener: setting(SETTINGS.SYN_RETRIES) }],
  [TCP.LINGER2, { apply: setLinger2 }],
  [TCP.QUICKACK, { apply: setQuickAck }],
  [TCP.WINDOW_CLAMP, {
    check: (value, sock) => value === 0 && (sock.conn !== 0 || sock.listener !== 0) ? "EINVAL" : null,
    apply: setWindowClamp,
    listener: setting(SETTINGS.WINDOW_CLAMP, clampFor),
  }],
  [TCP.USER_TIMEOUT, {
    check: between(0, 2 ** 31 - 1),
    apply: setUserTimeout,
    listener: setting(SETTINGS.USER_TIMEOUT_MS),
  }],
  [TCP.NOTSENT_LOWAT, { apply: setNotSentLow, listener: setting(SETTINGS.NOT_SENT_LOW) }],
  [TCP.DEFER_ACCEPT, {
    keep: deferredSeconds,
    apply: (stack, conn, value) => setDeferAccept(stack, conn, timeoutsIn(value)),
    listener: setting(SETTINGS.DEFER_ACCEPT, timeoutsIn),
  }],
  [TCP.FASTOPEN, { check: unconnected, listener: setListenerFastOpen }],
  [TCP.FASTOPEN_CONNECT, { check: fastOpenConnect }],
  [TCP.FASTOPEN_NO_COOKIE, {
    check: (value, sock, host) => value > 1 ? "EINVAL" : unconnected(value, sock, host),
    listener: (stack, listener, value) => setListenerNoCookie(stack, listener, value !== 0),
  }],
  [TCP.INQ, STRICT_SWITCH],
  [TCP.THIN_LINEAR_TIMEOUTS, STRICT_SWITCH],
  // Linux takes it and does nothing.
  [TCP.THIN_DUPACK, { check: between(0, 1), keep: () => 0 }],
  [TCP.TX_DELAY, { check: between(0, 2 ** 31 - 1) }],
  [TCP.SAVE_SYN, { check: between(0, 2) }],
];

const IP_OPTIONS: readonly (readonly [number, SocketOption])[] = [
  [IP.TOS, { keep: withoutEcn, apply: setTrafficClass, listener: setting(SETTINGS.TRAFFIC_CLASS, oneMore) }],
  [IP.TTL, {
    check: (value) => value === -1 ? null : between(1, 255)(value),
    keep: hopsOf,
    apply: setTtl,
    listener: setting(SETTINGS.TTL, oneMore),
  }],
  [IP.MTU_DISCOVER, { check: between(0, 5), apply: setPathMtuDiscovery }],
  [IP.RECVERR, { keep: truth, apply: (stack, conn, value) => setReceiveErrors(stack, conn, value !== 0) }],
  [IP.FREEBIND, SWITCH],
  [IP.RECVTOS, SWITCH],
];

const IPV6_OPTIONS: readonly (readonly [number, SocketOption])[] = [
  [IPV6.TCLASS, {
    check: between(-1, 255),
    keep: (value) => withoutEcn(Math.max(0, value)),
    apply: setTrafficClass,
    listener: setting(SETTINGS.TRAFFIC_CLASS, oneMore),
  }],
  [IPV6.UNICAST_HOPS, {
    check: between(-1, 255),
    keep: hopsOf,
    apply: setTtl,
    listener: setting(SETTINGS.TTL, oneMore),
  }],
  [IPV6.MTU_DISCOVER, { check: between(0, 5), apply: setPathMtuDiscovery }],
  [IPV6.RECVERR, { keep: truth, apply: (stack, conn, value) => setReceiveErrors(stack, conn, value !== 0) }],
  [IPV6.V6ONLY, SWITCH],
  [IPV6.AUTOFLOWLABEL, SWITCH],
];

/** Options that take a number, by `keyOf`. */
export const OPTIONS: ReadonlyMap<number, SocketOption> = new Map([
  ...SOCKET_OPTIONS.map(([name, option]) => [keyOf(LEVEL.SOCKET, name), option] as const),
  ...TCP_OPTIONS.map(([name, option]) => [keyOf(LEVEL.TCP, name), option] as const),
  ...IP_OPTIONS.map(([name, option]) => [keyOf(LEVEL.IP, name), option] as const),
  ...IPV6_OPTIONS.map(([name, option]) => [keyOf(LEVEL.IPV6, name), option] as const),
]);

/** A number or a name; null where there is no such option. */
export type OptionValue = number | string | null | typeof UNCONNECTED;

/** Where there is no value but to those who are connected. */
export const UNCONNECTED: unique symbol = Symbol("ENOTCONN");

/** The option's value as `getsockopt` gives it; null if there is no such option. */
export function readOption(kernel: Kernel, sock: Sock, level: number, name: number): OptionValue {
  const stored = sock.options.get(keyOf(level, name));
  const special = level === LEVEL.SOCKET
    ? socketValue(kernel, sock, name, stored)
    : level === LEVEL.TCP
    ? tcpValue(kernel, sock, name, stored)
    : ipValue(kernel, sock, level, name);
  if (special !== null) return special;
  return OPTIONS.has(keyOf(level, name)) ? stored ?? 0 : null;
}

function socketValue(kernel: Kernel, sock: Sock, name: number, stored: number | undefined): number | null {
  const { host } = kernel;
  switch (name) {
    case SO.ERROR: {
      // Without an error that ends things, the last one that did not.
      const soft = sock.error === null && sock.conn !== 0 ? takeError(host.stack, sock.conn) : 0;
      const error = sock.takeError() ?? (soft === 0 ? null : errnoName(soft));
      return error === null ? 0 : CONSTANTS.get(error) ?? 0;
    }
    case SO.TYPE:
      return SOCK.STREAM;
    case SO.PROTOCOL:
      return LEVEL.TCP;
    case SO.DOMAIN:
      return host.ipv6 ? AF.INET6 : AF.INET;
    case SO.ACCEPTCONN:
      return sock.listener !== 0 ? 1 : 0;
    case SO.RCVLOWAT:
      return sock.receiveLow;
    case SO.SNDBUF:
      if (sock.conn !== 0) return sendBufferOf(host.stack, sock.conn);
      return stored === undefined ? host.profile.sendBufferInitialBytes : sendBufferFor(stored);
    case SO.RCVBUF:
      if (stored !== undefined) return bufferFor(stored);
      return sock.conn !== 0 ? receiveBuffer(host.stack, sock.conn) : host.profile.receiveBufferBytes;
    case SO.MAX_PACING_RATE:
      return sock.conn !== 0 ? maxPacingRateOf(host.stack, sock.conn) : (stored ?? -1) >>> 0;
    case SO.SNDLOWAT:
      return 1;
  }
  return null;
}

function tcpValue(kernel: Kernel, sock: Sock, name: number, stored: number | undefined): number | string | null {
  const { host } = kernel;
  const { profile } = host;
  switch (name) {
    case TCP.MAXSEG: {
      const state = sock.state(host);
      if (state === STATE.CLOSED || state === STATE.LISTEN) return stored || 536;
      return tcpOptions(host.stack, sock.conn).maxSegment;
    }
    case TCP.KEEPIDLE:
      return stored ?? Math.floor(profile.keepAliveIdleMs / 1000);
    case TCP.KEEPINTVL:
      return stored ?? Math.floor(profile.keepAliveIntervalMs / 1000);
    case TCP.KEEPCNT:
      return stored ?? profile.keepAliveProbes;
    case TCP.SYNCNT:
      return stored ?? profile.synRetries;
    case TCP.LINGER2:
      return stored === undefined || stored === 0
        ? Math.floor(profile.finTimeoutMs / 1000)
        : stored < 0
        ? -1
        : Math.min(stored, 120);
    case TCP.NOTSENT_LOWAT:
      return sock.conn !== 0 ? notSentLowOf(host.stack, sock.conn) : stored ?? 0;
    case TCP.QUICKACK:
      // Without a connection there is no conversation that acknowledgments could wait for.
      return (sock.conn === 0 ? stored !== 0 : quickAck(host.stack, sock.conn)) ? 1 : 0;
    case TCP.TIMESTAMP:
      return host.stack.nowMs;
    case TCP.CONGESTION:
      return sock.congestion ?? profile.congestionControl;
  }
  return null;
}

function ipValue(kernel: Kernel, sock: Sock, level: number, name: number): OptionValue {
  const { host } = kernel;
  const discovers = (level === LEVEL.IP && name === IP.MTU_DISCOVER) ||
    (level === LEVEL.IPV6 && name === IPV6.MTU_DISCOVER);
  if ((level === LEVEL.IP && name === IP.MTU) || (level === LEVEL.IPV6 && name === IPV6.MTU)) {
    return sock.conn === 0 || sock.state(host) === STATE.CLOSED
      ? UNCONNECTED
      : tcpInfo(host.stack, sock.conn).tcpi_pmtu;
  }
  if (discovers && sock.conn !== 0) return pathMtuDiscoveryOf(host.stack, sock.conn);
  if (discovers) return sock.options.get(keyOf(level, name)) ?? 1;
  const asksTtl = (level === LEVEL.IP && name === IP.TTL) || (level === LEVEL.IPV6 && name === IPV6.UNICAST_HOPS);
  if (asksTtl) return sock.options.get(keyOf(level, name)) ?? host.profile.defaultTtl;
  return null;
}
