/**
 * Socket options of the send side's amounts: buffer, unsent bytes, pacing rate; setters return 0 or `-errno`.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { startPacing } from "./pacing.ts";
import { readSetting, writeSetting } from "./settings.ts";
import type { TcpStack } from "./stack.ts";
import { SETTING_FLAG, SETTINGS } from "./state/tcb.ts";
import { roomForWriter, sendBufferBytes } from "./writable.ts";

/** The most that SO_SNDBUF takes before it is doubled (`net.core.wmem_max` of Linux 6.17). */
const MOST_SEND_BUFFER = 4 * 1024 * 1024;
/** Linux `SOCK_MIN_SNDBUF`: two of the smallest buffers. */
const LEAST_SEND_BUFFER = 4608;

/**
 * SO_SNDBUF: as on Linux twice the bytes asked for, of which `wmem_max` (4 MiB) are granted; at least 4,608, and no
 * autotuning any more.
 */
export function setSendBuffer(stack: TcpStack, conn: number, bytes: number): number {
  if (!Number.isInteger(bytes)) return -ERRNO.EINVAL;
  writeSetting(stack, conn, SETTINGS.SEND_BUFFER, sendBufferFor(bytes));
  writeSetting(
    stack,
    conn,
    SETTINGS.FLAGS,
    readSetting(stack, conn, SETTINGS.FLAGS) | SETTING_FLAG.SEND_BUFFER_LOCKED,
  );
  roomForWriter(stack, conn);
  return 0;
}

/** The buffer that an SO_SNDBUF of `bytes` makes; Linux compares without a sign, so that a negative size is a large one. */
export function sendBufferFor(bytes: number): number {
  const granted = bytes < 0 ? MOST_SEND_BUFFER : Math.min(bytes, MOST_SEND_BUFFER);
  return Math.max(2 * granted, LEAST_SEND_BUFFER);
}

/** What `getsockopt` says of SO_SNDBUF. */
export function sendBufferOf(stack: TcpStack, conn: number): number {
  return sendBufferBytes(stack, conn);
}

/**
 * TCP_NOTSENT_LOWAT: the connection is not writable while this many bytes or more are unsent; 0 for the profile's.
 */
export function setNotSentLow(stack: TcpStack, conn: number, bytes: number): number {
  writeSetting(stack, conn, SETTINGS.NOT_SENT_LOW, bytes | 0);
  roomForWriter(stack, conn);
  return 0;
}

/** What `getsockopt` says of TCP_NOTSENT_LOWAT: what was set, 0 if nothing was. */
export function notSentLowOf(stack: TcpStack, conn: number): number {
  return readSetting(stack, conn, SETTINGS.NOT_SENT_LOW) >>> 0;
}

/** SO_MAX_PACING_RATE in bytes per second, 2^32 - 1 for no limit. A limit turns pacing on. */
export function setMaxPacingRate(stack: TcpStack, conn: number, bytesPerSecond: number): number {
  writeSetting(stack, conn, SETTINGS.MAX_PACING_RATE, Math.max(1, Math.min(bytesPerSecond, 0xffffffff)) | 0);
  startPacing(stack, conn);
  return 0;
}

/** SO_MAX_PACING_RATE in bytes per second, 2^32 - 1 for no limit. */
export function maxPacingRateOf(stack: TcpStack, conn: number): number {
  return readSetting(stack, conn, SETTINGS.MAX_PACING_RATE) >>> 0 || 0xffffffff;
}
